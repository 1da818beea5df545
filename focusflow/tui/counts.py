"""How many calls are in each state, and which of them does the list show?"""

from collections.abc import Sequence

from msgspec import Struct
from textual import events
from textual.content import Content
from textual.message import Message

from focusflow.domain.jobs import WORKING, Status
from focusflow.ports import JobFilter, Stats
from focusflow.tui import words
from focusflow.tui.band import Band, Part


class Cell(Struct, frozen=True, kw_only=True):
    """One number, and the calls it counts."""

    key: str
    word: str
    filter: JobFilter
    style: str = ""
    digits: int = 5
    """Room for the number, so that nothing moves as it grows."""

    @property
    def width(self) -> int:
        return len(f" {self.key} {self.word} ") + self.digits


def _of(key: str, status: Status, style: str = "", *, digits: int = 5) -> Cell:
    return Cell(key=key, word=str(status), filter=JobFilter(statuses=(status,)), style=style, digits=digits)


CELLS: tuple[Cell, ...] = (
    Cell(key="0", word="all", filter=JobFilter()),
    _of("1", Status.DISCOVERED),
    _of("2", Status.COMPLETED, "$text-success"),
    _of("3", Status.FAILED, "bold $text-error"),
    _of("4", Status.SKIPPED),
    _of("5", Status.TRANSCRIBING, "$text-warning", digits=2),
    _of("6", Status.TRANSCRIBED, "$text-warning", digits=1),
    _of("7", Status.SUMMARIZING, "$text-warning", digits=2),
    _of("8", Status.SYNCING, "$text-warning", digits=2),
    Cell(key="9", word="waiting", filter=JobFilter(held_only=True), style="$text-warning", digits=5),
)
FAILED = CELLS[3]


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
        lines = layout(self.size.width)
        start = 0
        for cell, width in lines[min(event.y, len(lines) - 1)]:
            if start <= event.x < start + width:
                self.post_message(self.Chosen(cell))
            start += width

    def _redraw(self) -> None:
        if not self.size.width:
            return
        lines = [Content.assemble(*(part for placed in line for part in self._cell(*placed)))
                 for line in layout(self.size.width)]  # fmt: skip
        self.say(Content("\n").join(lines))

    def _cell(self, cell: Cell, width: int) -> list[Part]:
        count = number(cell, self._stats)
        chosen = cell is cell_of(self._filter)
        style = (cell.style if count else "$text-muted") if cell is not CELLS[0] else ""
        said = "" if count is None else _short(count, width - len(f" {cell.key} {cell.word} "))
        word = words.elide(cell.word, max(1, width - len(f" {cell.key}  {said}")))
        blanks = " " * max(0, width - len(f" {cell.key} {word} {said}"))
        return [
            (" ", ""),
            (cell.key, "$text-accent"),
            (" ", ""),
            (word, f"{style} reverse" if chosen else style),
            (f" {said}", f"{style} bold" if count else style),
            (blanks, ""),
        ]


def layout(width: int) -> list[list[tuple[Cell, int]]]:
    """Return the cells in their lines with their widths: one line where there is room, else two, aligned if possible."""
    if sum(cell.width for cell in CELLS) <= width:
        return [[(cell, cell.width) for cell in CELLS]]
    half = len(CELLS) // 2
    above, below = CELLS[:half], CELLS[half:]
    columns = [max(one.width, other.width) for one, other in zip(above, below, strict=True)]
    if sum(columns) <= width:
        return [list(zip(line, columns, strict=True)) for line in (above, below)]
    return [_squeezed(line, width) for line in (above, below)]


def _squeezed(cells: Sequence[Cell], width: int) -> list[tuple[Cell, int]]:
    """Return cells in one line, each as wide as it likes, or all alike where that is too much."""
    if sum(cell.width for cell in cells) <= width:
        return [(cell, cell.width) for cell in cells]
    return [(cell, width // len(cells)) for cell in cells]


def _short(count: int, room: int) -> str:
    """Return a number, in at most five cells where there is no room for more: `9,999`, `12.3k`, `125k`, `1.25M`."""
    exact = f"{count:,}"
    if len(exact) <= max(room, 5):
        return exact
    if count < 100_000:
        return f"{count / 1_000:.1f}k"
    return f"{count / 1_000:.0f}k" if count < 1_000_000 else f"{count / 1_000_000:.2f}M"
