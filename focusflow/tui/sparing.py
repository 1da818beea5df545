"""How is no more sent to the terminal than what has changed?"""

from rich.console import Console
from rich.control import Control
from textual._compositor import ChopsUpdate


class SparingUpdate(ChopsUpdate):
    """Changed spans of lines, cut on both sides.

    Textual's own starts each span where its widget starts, so that a cell at the end of a line costs the whole line: eight
    calls that go on once a second were 159 KB a minute.
    """

    def render_segments(self, console: Console) -> str:
        """Return the update as what the terminal is sent."""
        return "".join(
            f"{Control.move_to(max(x, left), y).segment.text}{strip.crop(max(left - x, 0), right - x).render(console)}"
            for y, left, right in self.spans
            for end, (x, strip) in zip(self.chop_ends[y], self.chops[y].items(), strict=False)
            if strip is not None and x < right and end > left
        )
