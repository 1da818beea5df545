"""How is one of the screen's few fixed lines drawn, and only when it reads otherwise?"""

from collections.abc import Sequence

from textual.content import Content
from textual.widgets import Static

Part = tuple[str, str]
"""A text, which is never markup, and its style."""


class Band(Static):
    """A line or two of text at a fixed place."""

    def __init__(self, *, id: str) -> None:
        super().__init__(Content(""), id=id, markup=False)
        self._said = Content("")

    def say(self, content: Content) -> None:
        """Show *content*; drawn only if it differs from what is there."""
        if content != self._said or content.spans != self._said.spans:
            self._said = content
            self.update(content, layout=False)

    @property
    def said(self) -> str:
        """What stands there now, without colours."""
        return self._said.plain


def line(left: Sequence[Part], right: Sequence[Part], width: int) -> Content:
    """Return a line with two ends; where they do not fit, the left one gives way."""
    end = Content.assemble(*right)
    room = max(0, width - end.cell_length - (1 if right else 0))
    start = Content.assemble(*left).truncate(room, ellipsis=True, pad=True)
    return Content.assemble(start, " " if right else "", end)
