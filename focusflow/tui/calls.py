"""How does a list of any number of calls look and move?

Drawn line by line: a keypress draws the two lines it changes. The cursor and the marks are calls, never row numbers.
"""

import textwrap
from collections.abc import Awaitable, Callable, Collection, Iterable
from functools import partial
from typing import ClassVar

import anyio
from rich.segment import Segment
from rich.style import Style
from textual import events
from textual.geometry import Region
from textual.message import Message
from textual.strip import Strip
from textual.widget import Widget

from focusflow.domain.jobs import JobId, Status
from focusflow.errors import FocusFlowError
from focusflow.ports import Calls, JobRow, Order
from focusflow.tui import words
from focusflow.tui.beside import go_on_beside
from focusflow.tui.columns import GAP, STATUS, Look, Placed, placed
from focusflow.tui.empty import note
from focusflow.tui.facts import Facts
from focusflow.tui.live import Live
from focusflow.tui.window import PAGE, View, Window

HEAD = 1
"""Lines above the first call: the titles."""
EDGE = 2
"""Cells at the left for the mark."""
READ_SECONDS = 10.0

_STYLES = ("plain", "dim", "title", "done", "running", "failed", "waiting", "head", "sorted")


class _Runs:
    """Segments of a line, those of one style put together: each change of style costs forty bytes on the way."""

    def __init__(self) -> None:
        self.segments: list[Segment] = []

    def add(self, text: str, style: Style) -> None:
        if self.segments:
            last, before, _ = self.segments[-1]
            same_ground = before is not None and before.bgcolor == style.bgcolor
            if before == style or (same_ground and text.isspace()):
                self.segments[-1] = Segment(last + text, before)
                return
        self.segments.append(Segment(text, style))


class CallsTable(Widget, can_focus=True):
    """The list of calls."""

    COMPONENT_CLASSES: ClassVar[set[str]] = {*(f"calls--{name}" for name in _STYLES), "calls--cursor", "calls--rest"}

    class Selected(Message):
        """Another call is under the cursor, or it looks otherwise now; None: the list is empty."""

        def __init__(self, row: JobRow | None) -> None:
            super().__init__()
            self.row = row

        def can_replace(self, message: Message) -> bool:
            return isinstance(message, CallsTable.Selected)

    class Listed(Message):
        """Which calls are listed, or how many are marked, has changed."""

        def can_replace(self, message: Message) -> bool:
            return isinstance(message, CallsTable.Listed)

    class Trouble(Message):
        """The list could not be read."""

        def __init__(self, sentence: str) -> None:
            super().__init__()
            self.sentence = sentence

    def __init__(self, calls: Calls, facts: Facts, live: Live, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self.window = Window(calls)
        self.marked: set[JobId] = set()
        self._facts, self._live = facts, live
        self._symbols = words.symbols(facts.ascii)
        self._cursor: JobId | None = None
        self._top = 0
        self._owed = 0
        """Lines the cursor is still to move when the rows for it are there."""
        self._reading = anyio.Lock()
        self._last_mark: JobId | None = None
        self._placed: tuple[int, list[Placed]] = (0, [])
        self._palette: dict[str, Style] = {}
        self._strips: dict[JobId, tuple[object, Strip]] = {}

    # ------------------------------------------------------------------------------------------------------ reading

    @property
    def view(self) -> View:
        return self.window.view

    @property
    def row(self) -> JobRow | None:
        """The call under the cursor."""
        return self.window.rows.get(self._cursor) if self._cursor is not None else None

    def chosen(self) -> list[JobId]:
        """Return the calls that a key is meant for: those marked, else the one under the cursor."""
        if self.marked:
            return sorted(self.marked)
        return [self._cursor] if self._cursor is not None else []

    def note(self) -> list[str]:
        """Return what is said while no call is shown."""
        return note(self.view, self._facts, self._live, loaded=self.window.loaded)

    def on_mount(self) -> None:
        self._read(self.window.first)

    def show(self, view: View) -> None:
        """List other calls, or in another order."""
        if view != self.view:
            self._read(lambda: self._show(view))

    def read_again(self) -> None:
        """Read the piece of the list that is held: calls came, went or changed their place."""
        self._read(self.window.again)

    def read_rows(self, changed: Collection[JobId]) -> None:
        """Read those of the calls that are held, and draw the lines that look otherwise."""
        if any(job_id in self.window.rows for job_id in changed):
            self._read(lambda: self._refresh_rows(changed), place=False)

    def go_to(self, job_id: JobId) -> None:
        """Put the cursor on a call, if it is held."""
        if job_id in self.window.rows:
            self._move_to(self.window.ids.index(job_id))

    def _read(self, work: Callable[[], Awaitable[object]], *, place: bool = True) -> None:
        go_on_beside(self, partial(self._do_read, work, place), group="rows")

    async def _do_read(self, work: Callable[[], Awaitable[object]], place: bool) -> None:
        """Let one read after the other change what is held, and put the cursor back where it was."""
        async with self._reading:
            where = self.window.index(self._cursor)
            offset, before = (where or 0) - self._top, self._picture()
            try:
                with anyio.fail_after(READ_SECONDS):
                    await work()
            except FocusFlowError as exc:
                self._owed = 0
                self.post_message(self.Trouble(str(exc)))
                return
            except TimeoutError:
                self._owed = 0
                self.post_message(self.Trouble("The database has not answered for ten seconds."))
                return
            if place:
                self._place(where or 0, offset)
                self._draw_what_differs(before)

    def draw_again(self) -> None:
        """Draw all lines: what they say depends on something that has changed."""
        self._strips.clear()
        self.refresh()

    async def _show(self, view: View) -> None:
        await self.window.show(view)
        self.refresh()
        self._cursor, self._top, self._owed = None, 0, 0

    async def _refresh_rows(self, changed: Collection[JobId]) -> None:
        self._redraw(await self.window.refresh(changed))

    def _place(self, where: int, offset: int) -> None:
        """After a read: keep the cursor's call, and its line on the screen, if both are still there."""
        now = self.window.index(self._cursor)
        if now is None and self.window.ids:
            now = min(where, len(self.window.ids) - 1)
            self._cursor = self.window.ids[now]
        if now is None:
            self._cursor, now = None, 0
        keeps_top = self._top == 0 and self.window.at_start and now < self._height
        self._top = 0 if keeps_top else self._bounded_top(now - offset)
        self._tell(listed=True)
        if owed := self._owed:
            self._owed = 0
            self.move(owed)

    def _picture(self) -> list[tuple[JobRow, bool]]:
        """Return what the lines show."""
        return [(self.window.rows[job_id], job_id == self._cursor) for job_id in self._in_sight()]

    def _draw_what_differs(self, before: list[tuple[JobRow, bool]]) -> None:
        now = self._picture()
        if len(now) != len(before) or not now:
            self.refresh()
            return
        for y, (old, new) in enumerate(zip(before, now, strict=True), HEAD):
            if old != new:
                self.refresh(Region(0, y, self.size.width, 1))

    # ------------------------------------------------------------------------------------------------------- moving

    @property
    def _height(self) -> int:
        return max(1, self.size.height - HEAD)

    @property
    def page(self) -> int:
        """How many lines a page down goes."""
        return max(1, self._height - 1)

    def move(self, by: int) -> None:
        """Move the cursor; where rows are not held yet, it goes on as soon as they are."""
        where = self.window.index(self._cursor)
        if where is None or self._owed:
            self._owed += by if where is not None or not self.window.loaded else 0
            return
        target = where + by
        last = len(self.window.ids) - 1
        if target > last and not self.window.at_end:
            self._owed = target - last
            self._read(self.window.more_below)
        elif target < 0 and not self.window.at_start:
            self._owed = target
            self._read(self.window.more_above)
        else:
            self._read_ahead(target)
        self._move_to(min(max(0, target), last))

    def _read_ahead(self, target: int) -> None:
        """Read on before the cursor gets there."""
        margin = min(PAGE, 2 * self._height)
        if self._reading.locked():
            return
        if not self.window.at_end and target + margin > len(self.window.ids):
            self._read(self.window.more_below)
        elif not self.window.at_start and target - margin < 0:
            self._read(self.window.more_above)

    def to_first(self) -> None:
        if self.window.at_start:
            self._move_to(0)
        else:
            self._read(self._first)

    def to_last(self) -> None:
        if self.window.at_end:
            self._move_to(len(self.window.ids) - 1)
        else:
            self._read(self._last)

    async def _first(self) -> None:
        await self.window.first()
        self._cursor, self._top = next(iter(self.window.ids), None), 0

    async def _last(self) -> None:
        await self.window.last()
        self._cursor = self.window.ids[-1] if self.window.ids else None
        self._top = max(0, len(self.window.ids) - self._height)

    def to_next(self, status: Status) -> bool:
        """Go to the next held call with this status, round the end; False if there is none."""
        where, ids = self.window.index(self._cursor), self.window.ids
        if where is None:
            return False
        for job_id in [*ids[where + 1 :], *ids[: where + 1]]:
            if self.window.rows[job_id].job.status is status:
                self.go_to(job_id)
                return True
        return False

    def _move_to(self, target: int) -> None:
        if not 0 <= target < len(self.window.ids):
            return
        before, self._cursor = self._cursor, self.window.ids[target]
        if before == self._cursor:
            return
        if self._bring_in_sight(target):
            self.refresh()
        else:
            moved = [job_id for job_id in (before, self._cursor) if job_id is not None]
            self._redraw(moved, tell=False, cells=self._lit_cells(self.size.width))
        self._tell()

    def _bring_in_sight(self, target: int) -> bool:
        """Bring a row into sight, by half a page at a time: scrolling line by line would draw the list at each key."""
        if self._top <= target < self._top + self._height:
            return False
        half = self._height // 2
        top = target - half if abs(target - self._top) > 2 * self._height else self._top
        if target < top:
            top = target - half
        elif target >= top + self._height:
            top = target - self._height + 1 + half
        before, self._top = self._top, self._bounded_top(top)
        return before != self._top

    def _bounded_top(self, top: int) -> int:
        return max(0, min(top, len(self.window.ids) - self._height))

    def on_resize(self, event: events.Resize) -> None:
        where = self.window.index(self._cursor)
        if where is not None:
            self._top = self._bounded_top(self._top)
            self._bring_in_sight(where)
            self.refresh()

    # ------------------------------------------------------------------------------------------------------- marking

    def mark(self) -> None:
        """Mark the call under the cursor, or take its mark away, and go on to the next."""
        if self._cursor is None:
            return
        self.marked ^= {self._cursor}
        self._last_mark = self._cursor
        self._redraw([self._cursor])
        self.move(1)
        self._tell(listed=True)

    def mark_range(self) -> None:
        """Mark everything between the last mark and the cursor."""
        here, there = self.window.index(self._cursor), self.window.index(self._last_mark)
        if here is None:
            return
        first, last = sorted((here, here if there is None else there))
        between = self.window.ids[first : last + 1]
        self.marked |= set(between)
        self._last_mark = self._cursor
        self._redraw(between)
        self._tell(listed=True)

    def unmark(self) -> None:
        """Take all marks away."""
        marked, self.marked, self._last_mark = self.marked, set(), None
        self._redraw(marked)
        self._tell(listed=True)

    # ------------------------------------------------------------------------------------------------------- drawing

    def redraw(self, job_ids: Iterable[JobId]) -> None:
        """Draw how far these calls are, if they are in sight: nothing else of their lines has changed."""
        lines = {job_id: y for y, job_id in enumerate(self._in_sight(), HEAD)}
        x, width = self._status_cells(self.size.width)
        for job_id in job_ids:
            self._strips.pop(job_id, None)
            if (y := lines.get(job_id)) is not None:
                self.refresh(Region(x, y, width, 1))

    def _status_cells(self, width: int) -> tuple[int, int]:
        """Return where the status is on a line, and how wide; the whole line where there is none."""
        x = EDGE
        for place in self._columns(width):
            if place.column is STATUS:
                return x, place.width
            x += place.width + GAP
        return 0, width

    def _redraw(self, job_ids: Iterable[JobId], *, tell: bool = True, cells: int | None = None) -> None:
        lines = {job_id: y for y, job_id in enumerate(self._in_sight(), HEAD)}
        for job_id in job_ids:
            self._strips.pop(job_id, None)
            if (y := lines.get(job_id)) is not None:
                self.refresh(Region(0, y, cells or self.size.width, 1))
            if tell and job_id == self._cursor:
                self._tell()

    def _in_sight(self) -> list[JobId]:
        return self.window.ids[self._top : self._top + self._height]

    def _tell(self, *, listed: bool = False) -> None:
        self.app.post_message(self.Selected(self.row))  # nobody between here and there listens
        if listed:
            self.app.post_message(self.Listed())

    def on_focus(self) -> None:
        self._redraw([self._cursor] if self._cursor else [], tell=False)

    def on_blur(self) -> None:
        self._redraw([self._cursor] if self._cursor else [], tell=False)

    def notify_style_update(self) -> None:
        super().notify_style_update()
        self._palette.clear()
        self._strips.clear()

    def _style(self, name: str) -> Style:
        if not self._palette:
            self._palette = {
                name: self.get_component_rich_style(f"calls--{name}", partial=True)
                for name in (*_STYLES, "cursor", "rest")
            }
            self._palette["base"] = self.rich_style
        return self._palette[name]

    def render_line(self, y: int) -> Strip:
        width = self.size.width
        if y < HEAD:
            return self._head(width)
        if not self.window.ids:
            return self._note_line(y, width)
        where = self._top + y - HEAD
        if where >= len(self.window.ids):
            return Strip.blank(width, self._style("base"))
        return self._call(self.window.ids[where], width)

    def _note_line(self, y: int, width: int) -> Strip:
        """Return a line of what is said where no call is, a third down from the top."""
        base = self._style("base")
        lines = [cut for line in self.note() for cut in (textwrap.wrap(line, max(20, min(76, width - 8))) or [""])]
        place = y - HEAD - max(0, (self._height - len(lines)) // 3)
        if not 0 <= place < len(lines):
            return Strip.blank(width, base)
        return Strip([Segment("    " + lines[place], base)]).adjust_cell_length(width, base)

    def _columns(self, width: int) -> list[Placed]:
        if self._placed[0] != width:
            self._placed = (width, placed(width - EDGE))
        return self._placed[1]

    def _head(self, width: int) -> Strip:
        base = self._style("base") + self._style("head")
        segments = [Segment(" " * EDGE, base)]
        for place in self._columns(width):
            by_this = place.column.order is self.view.order
            arrow = self._symbols.down if self.view.descending else self._symbols.up
            title = f"{place.column.title} {arrow}" if by_this else place.column.title
            style = base + self._style("sorted") if by_this else base
            segments.append(Segment(self._fit(title, place.width, right=place.column.right), style))
            segments.append(Segment(" " * GAP, base))
        return Strip(segments).adjust_cell_length(width, base)

    def _call(self, job_id: JobId, width: int) -> Strip:
        row = self.window.rows[job_id]
        today = self._facts.clock.now().astimezone(self._facts.budgets.zone).toordinal()
        state = (row, width, job_id == self._cursor, job_id in self.marked, self.has_focus, today)
        known = self._strips.get(job_id)
        if known is not None and known[0] == state:
            return known[1]
        if len(self._strips) > 4 * PAGE:
            self._strips.clear()
        drawn = self._draw(row, width)
        self._strips[job_id] = (state, drawn)
        return drawn

    def _draw(self, row: JobRow, width: int) -> Strip:
        base, lit = self._style("base"), self._style("base")
        if row.job.id == self._cursor:
            lit = base + self._style("cursor" if self.has_focus else "rest")
        runs = _Runs()
        runs.add(self._edge(row.job.id), lit)
        look = Look(
            now=self._facts.clock.now(),
            zone=self._facts.budgets.zone,
            symbols=self._symbols,
            progress=self._live.progress,
        )
        for place in self._columns(width):
            column = place.column
            for text, style in column.cell(row, look):
                fitted = text if column.pieces else self._fit(text, place.width, right=column.right)
                runs.add(fitted, lit + self._style("plain" if lit is not base else style))
            runs.add(" " * GAP, lit)
            if column.order is Order.CONTACT:
                lit = base
        return Strip(runs.segments).adjust_cell_length(width, base)

    def _lit_cells(self, width: int) -> int:
        """Return how many cells of the cursor's line are lit: up to the contact, so that a key sends few bytes."""
        cells = EDGE
        for place in self._columns(width):
            cells += place.width + GAP
            if place.column.order is Order.CONTACT:
                break
        return min(width, cells)

    def _edge(self, job_id: JobId) -> str:
        mark = self._symbols.mark if job_id in self.marked else " "
        return mark + (self._symbols.cursor if job_id == self._cursor else " ")

    def _fit(self, text: str, width: int, *, right: bool) -> str:
        return words.fit(text, width, right=right, ellipsis=self._symbols.ellipsis)

    # --------------------------------------------------------------------------------------------------------- mouse

    def on_click(self, event: events.Click) -> None:
        self._move_to(self._top + event.y - HEAD)

    def on_mouse_scroll_down(self, event: events.MouseScrollDown) -> None:
        self.move(3)

    def on_mouse_scroll_up(self, event: events.MouseScrollUp) -> None:
        self.move(-3)
