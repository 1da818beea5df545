"""How is one of the screen's few fixed lines drawn, and only when it reads otherwise?"""

from collections.abc import Sequence

from rich.segment import Segment
from textual.content import Content
from textual.geometry import Region
from textual.strip import Strip
from textual.visual import Visual
from textual.widget import Widget

Part = tuple[str, str]
"""A text, which is never markup, and its style."""


class Band(Widget):
    """A line or two of text at a fixed place. Only cells of lines that read otherwise are sent to the terminal."""

    def __init__(self, *, id: str) -> None:
        super().__init__(id=id)
        self._lines: list[Content] = []

    def say(self, content: Content) -> None:
        """Show *content*."""
        before, self._lines = self._lines, content.split("\n", allow_blank=True)
        for y in range(max(len(before), len(self._lines))):
            old, new = _at(before, y), _at(self._lines, y)
            if self.size.width and (old.plain != new.plain or old.spans != new.spans):
                first, last = _difference(self._strip(old), self._strip(new))
                self.refresh(Region(first, y, max(1, last - first), 1))

    @property
    def said(self) -> str:
        """What stands there now, without colours."""
        return "\n".join(line.plain for line in self._lines)

    def render_line(self, y: int) -> Strip:
        return self._strip(_at(self._lines, y))

    def _strip(self, said: Content) -> Strip:
        width = self.size.width
        cut = said.truncate(width)
        strips = Visual.to_strips(self, cut, width, 1, self.visual_style, apply_selection=False, pad=True)
        return strips[0] if strips else Strip.blank(width, self.rich_style)


def _difference(old: Strip, new: Strip) -> tuple[int, int]:
    """Return the first cell in which two lines of one width differ, and the one after the last."""
    first = _shared(list(old), list(new))
    last = new.cell_length - _shared(list(old)[::-1], list(new)[::-1])
    return (first, last) if first < last else (0, new.cell_length)


def _shared(old: Sequence[Segment], new: Sequence[Segment]) -> int:
    """Return how many cells of equal segments two lines begin with."""
    cells = 0
    for one, other in zip(old, new, strict=False):
        if one != other:
            break
        cells += other.cell_length
    return cells


def _at(lines: Sequence[Content], y: int) -> Content:
    return lines[y] if y < len(lines) else Content("")


def line(left: Sequence[Part], right: Sequence[Part], width: int) -> Content:
    """Return a line with two ends; where they do not fit, the left one gives way."""
    end = Content.assemble(*right)
    room = max(0, width - end.cell_length - (1 if right else 0))
    start = Content.assemble(*left).truncate(room, ellipsis=True, pad=True)
    return Content.assemble(start, " " if right else "", end)
