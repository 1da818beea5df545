"""How is no more drawn, and no more sent to the terminal, than what has changed?

Both classes reach into Textual's compositor, which is why its version is pinned.
"""

from collections.abc import Iterable, Iterator

from rich.console import Console
from rich.control import Control
from textual._compositor import ChopsUpdate, Compositor
from textual.geometry import Region
from textual.screen import Screen
from textual.strip import Strip
from textual.widget import Widget


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


class SparingCompositor(Compositor):
    """Draws the widgets in which something has changed, and of each only the lines between its first and last change.

    Textual's own draws all that lies between the first and the last changed line of the screen, and whatever is below it.
    """

    def __init__(self) -> None:
        super().__init__()
        self._changed: tuple[Region, ...] = ()
        """What is being drawn; empty: everything."""

    def render_partial_update(self) -> ChopsUpdate | None:
        """Draw what has changed; None if nothing has."""
        self._changed = tuple(self._dirty_regions)
        try:
            return super().render_partial_update()
        finally:
            self._changed = ()

    def _get_renders(self, crop: Region | None = None) -> Iterable[tuple[Region, Region, list[Strip]]]:
        return self._renders_of_changed() if self._changed else super()._get_renders(crop)

    def _renders_of_changed(self) -> Iterator[tuple[Region, Region, list[Strip]]]:
        parts = self._changed_parts()
        for widget, (region, clip) in self.visible_widgets.items():  # the one in front first: it wins
            if mine := parts.get(widget):
                shown, changed = region.intersection(clip), Region.from_union(mine)
                lines = Region(shown.x, changed.y, shown.width, changed.height)
                yield region, lines, widget.render_lines(lines.translate(-region.offset))

    def _changed_parts(self) -> dict[Widget, list[Region]]:
        """Return which parts of which widgets are seen where something has changed."""
        parts: dict[Widget, list[Region]] = {}
        for changed in self._changed:
            for widget, (region, clip) in self.visible_widgets.items():
                shown = region.intersection(clip)
                if part := shown.intersection(changed):
                    parts.setdefault(widget, []).append(part)
                    if shown.contains_region(changed):
                        break  # whatever is behind it is not seen there
        return parts


class SparingScreen(Screen[None]):
    """A screen that is drawn so."""

    def __init__(self) -> None:
        super().__init__(id="_default")
        self._compositor = SparingCompositor()
