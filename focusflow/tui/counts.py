"""How many calls are in each state, and which of them does the list show?"""

from dataclasses import dataclass

from textual import events
from textual.content import Content
from textual.message import Message

from focusflow.domain.jobs import WORKING, Status
from focusflow.ports import JobFilter, Stats
from focusflow.tui import words
from focusflow.tui.band import Band, Part


@dataclass(frozen=True, slots=True, kw_only=True)
class Cell:
    """One number, and the calls it counts."""

    key: str
    word: str
    filter: JobFilter
    style: str = ""


def _of(key: str, status: Status, style: str = "") -> Cell:
    return Cell(key=key, word=str(status), filter=JobFilter(statuses=(status,)), style=style)


CELLS: tuple[Cell, ...] = (
    Cell(key="0", word="all calls", filter=JobFilter()),
    _of("1", Status.DISCOVERED),
    _of("2", Status.TRANSCRIBING, "$text-warning"),
    _of("3", Status.TRANSCRIBED, "$text-warning"),
    _of("4", Status.SUMMARIZING, "$text-warning"),
    _of("5", Status.SYNCING, "$text-warning"),
    _of("6", Status.COMPLETED, "$text-success"),
    _of("7", Status.FAILED, "bold $text-error"),
    Cell(key="8", word="waiting", filter=JobFilter(held_only=True), style="$text-warning"),
    _of("9", Status.SKIPPED),
)


def cell_of(filter: JobFilter) -> Cell:
    """Return the cell whose calls a list shows, whatever is searched for in it."""
    shown = (filter.statuses, filter.held_only)
    return next((cell for cell in CELLS if (cell.filter.statuses, cell.filter.held_only) == shown), CELLS[0])


def number(cell: Cell, stats: Stats | None) -> int | None:
    """Return how many calls a cell counts; None before they were counted."""
    if stats is None:
        return None
    if cell.filter.held_only:
        return stats.held
    if not cell.filter.statuses:
        return sum(stats.counts.values())
    return stats.counts.get(cell.filter.statuses[0], 0)


def working(stats: Stats | None) -> int:
    """Return how many calls are worked on, by whomever."""
    return sum(stats.counts.get(status, 0) for status in WORKING) if stats else 0


class Counts(Band):
    """Two lines of cells, or one where there is room."""

    class Chosen(Message):
        """Somebody clicked a cell."""

        def __init__(self, cell: Cell) -> None:
            super().__init__()
            self.cell = cell

    def __init__(self) -> None:
        super().__init__(id="counts")
        self._stats: Stats | None = None
        self._filter = JobFilter()

    def show(self, stats: Stats | None, filter: JobFilter) -> None:
        self._stats, self._filter = stats, filter
        self._redraw()

    def on_resize(self, event: events.Resize) -> None:
        self._redraw()

    def on_click(self, event: events.Click) -> None:
        per_line = self._per_line
        column = min(event.x // (self.size.width // per_line), per_line - 1)
        place = min(event.y * per_line + column, len(CELLS) - 1)
        self.post_message(self.Chosen(CELLS[place]))

    @property
    def _per_line(self) -> int:
        return -(-len(CELLS) // max(1, self.size.height))

    def _redraw(self) -> None:
        if not self.size.width:
            return
        per_line, parts = self._per_line, list[Part]()
        width = self.size.width // per_line
        for place, cell in enumerate(CELLS):
            if place and place % per_line == 0:
                parts.append(("\n", ""))
            parts += self._cell(cell, width)
        self.say(Content.assemble(*parts))

    def _cell(self, cell: Cell, width: int) -> list[Part]:
        count = number(cell, self._stats)
        said = "" if count is None else _short(count)
        chosen = cell is cell_of(self._filter)
        style = cell.style if count else ("" if cell.key == "0" else "$text-muted")
        word = words.fit(cell.word, max(1, width - len(said) - 5))
        return [
            (" ", ""),
            (cell.key, "$text-accent"),
            (" ", ""),
            (word, f"{style} reverse" if chosen else style),
            (f" {said}", f"{style} bold" if count else style),
            (" ", ""),
        ]


def _short(count: int) -> str:
    """Return a number in at most six cells: `9,999`, `12.3k`, `1.25M`."""
    if count < 100_000:
        return f"{count:,}"
    return f"{count / 1_000:.0f}k" if count < 1_000_000 else f"{count / 1_000_000:.2f}M"
