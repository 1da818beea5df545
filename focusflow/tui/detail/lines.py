"""How is the visible part of a sheet painted, and only what changed of it?"""

from collections.abc import Callable, Iterator
from itertools import pairwise
from typing import ClassVar

from rich.segment import Segment
from rich.style import Style
from textual import events
from textual.binding import BindingType
from textual.geometry import Region
from textual.message import Message
from textual.strip import Strip
from textual.widget import Widget

from focusflow.tui.detail import keys
from focusflow.tui.detail.paragraphs import Span, hanging
from focusflow.tui.detail.sheet import Sheet, Shown, places

SPEAKER_STYLES = 6
_STYLES = (
    *("quiet", "strong", "good", "warning", "error", "heading", "code", "quote", "link", "added", "removed"),
    *(f"speaker-{number}" for number in range(1, SPEAKER_STYLES + 1)),
)
_MEASURE_EVERY = 0.01


class Lines(Widget, can_focus=True):
    """A window on a sheet. Whoever changes the sheet calls `look`."""

    COMPONENT_CLASSES: ClassVar = {f"lines--{name}" for name in (*_STYLES, "match", "match-here", "chosen")}

    BINDINGS: ClassVar[list[BindingType]] = keys.bindings(moves=True)

    class Moved(Message):
        """Another part is in sight, or its place in the whole is better known."""

    class Refused(Message):
        """A key was pressed that means nothing in this text."""

        def __init__(self, action: str) -> None:
            super().__init__()
            self.action = action

    def __init__(self, sheet: Sheet, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self.sheet = sheet
        self._seen: list[Shown | None] = []
        self._measuring = False

    def show_sheet(self, sheet: Sheet) -> None:
        """Look at another sheet."""
        self.sheet = sheet
        sheet.resize(self.size.width, self.size.height)
        self.look()

    def look(self) -> None:
        """Repaint those rows that differ from what is painted."""
        if not self.size:
            return
        now: list[Shown | None] = list(self.sheet.window())
        now += [None] * (self.size.height - len(now))
        if len(now) != len(self._seen):
            self._seen = now
            self.refresh()
        else:
            changed = [y for y, (old, new) in enumerate(zip(self._seen, now, strict=True)) if old != new]
            self._seen = now
            if changed:
                self.refresh(*(Region(0, y, self.size.width, 1) for y in changed))
        self._measure_later()

    def on_resize(self, event: events.Resize) -> None:
        self.sheet.resize(event.size.width, event.size.height)
        self._seen = []
        self._moved()  # the line below tells which part is in sight

    # a long text is laid out in slices, between which keys are heard
    def _measure_later(self) -> None:
        if not self._measuring and not self.sheet.measured:
            self._measuring = True
            self.set_timer(_MEASURE_EVERY, self._measure)

    def _measure(self) -> None:
        self._measuring = False
        self.sheet.measure_more()
        if self.sheet.measured or self.sheet.ending:
            self._moved()
        self._measure_later()

    # ---------------------------------------------------------------------------------------------------------- moving

    def _moved(self) -> None:
        self.look()
        self.post_message(self.Moved())

    def _move(self, by: int) -> None:
        if self.sheet.choosing:
            self.sheet.choose(by)
        else:
            self.sheet.scroll(by)
        self._moved()

    def _scroll(self, rows: int) -> None:
        self.sheet.scroll(rows)
        self._moved()

    def action_pane_down(self) -> None:
        self._move(1)

    def action_pane_up(self) -> None:
        self._move(-1)

    def action_pane_page_down(self) -> None:
        self._scroll(max(1, self.sheet.height - 1))

    def action_pane_page_up(self) -> None:
        self._scroll(-max(1, self.sheet.height - 1))

    def action_pane_first(self) -> None:
        self.sheet.to_start()
        self._moved()

    def action_pane_last(self) -> None:
        self.sheet.to_end()
        self._moved()

    def action_pane_follow(self) -> None:
        if not self.sheet.growing:
            self.post_message(self.Refused("pane_follow"))
        elif self.sheet.follows:
            self.sheet.follows = False
        else:
            self.sheet.to_end()
        self._moved()

    def action_pane_wrap(self) -> None:
        self.sheet.wrap(not self.sheet.wrapping)
        self._moved()

    def action_pane_match(self) -> None:
        self._to_match("pane_match", 1)

    def action_pane_match_back(self) -> None:
        self._to_match("pane_match_back", -1)

    def _to_match(self, action: str, way: int) -> None:
        if not self.sheet.needle:
            self.post_message(self.Refused(action))
        self.sheet.next_match(way)
        self._moved()

    def on_mouse_scroll_down(self, event: events.MouseScrollDown) -> None:
        event.stop()
        self._scroll(3)

    def on_mouse_scroll_up(self, event: events.MouseScrollUp) -> None:
        event.stop()
        self._scroll(-3)

    # -------------------------------------------------------------------------------------------------------- painting

    def render_line(self, y: int) -> Strip:
        width = self.size.width
        shown = self._seen[y] if y < len(self._seen) else None
        if shown is None:
            return Strip.blank(width, self.rich_style)
        return strip_of(shown, width, self._style)

    def _style(self, name: str) -> Style:
        return self.get_component_rich_style(f"lines--{name}") if name else self.rich_style


def strip_of(shown: Shown, width: int, style_of: Callable[[str], Style]) -> Strip:
    """Return the row in colours, exactly *width* cells."""
    text, row = shown.paragraph.text, shown.row
    ground = style_of("chosen" if shown.chosen else "")
    segments: list[Segment] = []
    if row.start and (indent := hanging(shown.paragraph.hang, width)):
        segments.append(Segment(" " * indent, ground))
    for start, end, name in _runs(shown):
        style = style_of(name) if name else ground
        if shown.chosen and not name.startswith("match"):
            style = ground + Style(bold=style.bold, italic=style.italic)
        segments.append(Segment(text[start:end], style))
    if shown.cut:
        segments.append(Segment("…", ground))
    return Strip(segments).adjust_cell_length(width, ground)


def _runs(shown: Shown) -> Iterator[Span]:
    """Yield pieces of the row, each in one style, in order; what is written over counts, matches most."""
    start, end = shown.row
    spans = [*shown.paragraph.spans, *_match_spans(shown)]
    spans = [span for span in spans if span.start < end and span.end > start]
    borders = sorted({start, end, *(min(max(edge, start), end) for span in spans for edge in span[:2])})
    for left, right in pairwise(borders):
        over = [span.style for span in spans if span.start <= left and span.end >= right]
        yield Span(left, right, over[-1] if over else "")


def _match_spans(shown: Shown) -> Iterator[Span]:
    if not shown.needle:
        return
    for at in places(shown.paragraph.text, shown.needle.lower()):
        style = "match-here" if at == shown.found_at else "match"
        yield Span(at, at + len(shown.needle), style)
