"""Which part of a long text is on screen, and what is where in it?"""

from array import array
from bisect import bisect_right
from collections.abc import Iterable, Iterator, Sequence
from itertools import islice

from msgspec import Struct

from focusflow.tui.detail.paragraphs import Paragraph, Row, cut_row, rows_of

MATCHES_KEPT = 10_000
_SLICE = 8_000
"""Characters that are measured at a time, so that the longest call opens at once and holds nobody up."""

_ROOM = 3
"""A third of the window is left free when a growing text reaches its end: every row moves then, and only then."""


class Shown(Struct, frozen=True, kw_only=True):
    """One row of the screen. Two that are equal look the same."""

    paragraph: Paragraph
    row: Row
    cut: bool = False
    """There is more of the paragraph, and no row below that shows it."""
    chosen: bool = False
    needle: str = ""
    found_at: int | None = None
    """Where in the paragraph the match is that the reader stands on."""


class Match(Struct, frozen=True, kw_only=True):
    """A place where what is searched for was found."""

    index: int
    at: int


class Sheet:
    """Paragraphs laid out at a width, and the window that is seen of them.

    Layout is done as far as it is looked at, and by `measure_more` beyond that.
    """

    def __init__(self, *, choosing: bool = False, growing: bool = False) -> None:
        self.width = 80
        self.height = 24
        self.choosing = choosing
        """Whether a paragraph can be chosen; else the keys scroll."""
        self.growing = growing
        """Whether more is added at the end: then a reader who is there stays there."""
        self.follows = growing
        """Whether the end stays in sight; scrolling away ends it, going back to the end begins it again."""
        self.wrapping = True
        self.top = 0
        self.chosen = 0
        self.needle = ""
        self.match: Match | None = None
        self.ending = False
        """Somebody wants to see the end, which is still being laid out."""
        self._paragraphs: list[Paragraph] = []
        self._rest: Iterator[Paragraph] | None = None
        """What is not even made yet."""
        self._ends = array("Q")
        """For each paragraph that was measured, the row after its last."""
        self._found: list[Match] | None = None

    # -------------------------------------------------------------------------------------------------------- content

    @property
    def paragraphs(self) -> Sequence[Paragraph]:
        """What is made so far; all of it, once it is `measured`."""
        return self._paragraphs

    def show(self, paragraphs: Sequence[Paragraph]) -> None:
        """Show other content; what is the same from the start on is not laid out again, and the place stays."""
        same = 0
        for old, new in zip(self._paragraphs, paragraphs, strict=False):
            if old != new:
                break
            same += 1
        self._paragraphs = list(paragraphs)
        self._rest = self._found = self.match = None
        del self._ends[same:]
        self._keep_in_bounds(self.height // _ROOM if same else 0)

    def show_lazily(self, paragraphs: Iterable[Paragraph]) -> None:
        """Show other content that is made while it is looked at; the place stays, as a number of rows."""
        self._paragraphs = []
        self._rest, self._found, self.match = iter(paragraphs), None, None
        self._ends = array("Q")
        self._keep_in_bounds()

    def clear(self) -> None:
        """Forget everything, and the place in it."""
        self.show([])
        self.search("")
        self.top = self.chosen = 0
        self.follows = self.growing
        self.ending = False

    def forget_first(self, count: int) -> None:
        """Drop paragraphs from the start; a reader who looks elsewhere sees nothing move."""
        self._found = None
        self._measure_to(count)
        gone = self._ends[count - 1] if count else 0
        del self._paragraphs[:count]
        self._ends = array("Q", (end - gone for end in self._ends[count:]))
        self.top = max(0, self.top - gone)
        self.chosen = max(0, self.chosen - count)
        if self.match is not None:
            self.match = Match(index=self.match.index - count, at=self.match.at) if self.match.index >= count else None
        self._keep_in_bounds()

    def add(self, paragraphs: Sequence[Paragraph]) -> None:
        """Add to the end."""
        self._found = None
        self._paragraphs.extend(paragraphs)
        self._keep_in_bounds(self.height // _ROOM)

    def resize(self, width: int, height: int) -> None:
        """Lay out for another window; the paragraph at its top stays there."""
        if width != self.width:
            place = self._place_of_top()
            self.width = width
            self._ends = array("Q")
            self._restore(place)
        self.height = max(1, height)
        self._keep_in_bounds()

    def wrap(self, wrapping: bool) -> None:
        place = self._place_of_top()
        self.wrapping = wrapping
        self._ends = array("Q")
        self._restore(place)
        self._keep_in_bounds()

    # --------------------------------------------------------------------------------------------------------- layout

    @property
    def rows(self) -> int:
        """How many rows there are, as far as is known."""
        return self._ends[-1] if self._ends else 0

    @property
    def measured(self) -> bool:
        """Whether everything is made and laid out, and `rows` is final."""
        return self._rest is None and len(self._ends) >= len(self._paragraphs)

    def measure_more(self) -> None:
        """Make and lay out a little more of what was not looked at yet."""
        left = _SLICE
        while left > 0 and self._measure_next():
            left -= len(self._paragraphs[len(self._ends) - 1].text) + 100
        if self.ending:
            self.top = max(0, self.rows - self.height)
            self.ending = not self.measured

    def _measure_next(self) -> bool:
        if len(self._ends) >= len(self._paragraphs) and not self._make_next():
            return False
        self._ends.append(self.rows + len(self._rows_of(self._paragraphs[len(self._ends)])))
        return True

    def _make_next(self) -> bool:
        made = next(self._rest, None) if self._rest is not None else None
        if made is None:
            self._rest = None
            return False
        self._paragraphs.append(made)
        self._found = None
        return True

    def _measure_to(self, paragraphs: int) -> None:
        while len(self._ends) < paragraphs and self._measure_next():
            pass

    def _measure_rows(self, rows: int) -> None:
        while self.rows < rows and self._measure_next():
            pass

    def _rows_of(self, text: Paragraph) -> list[Row]:
        return rows_of(text.text, self.width, text.hang) if self.wrapping else cut_row(text.text, self.width)

    def window(self) -> Iterator[Shown]:
        """Yield the rows in sight, at most `height`."""
        self._measure_rows(self.top + self.height)
        index = bisect_right(self._ends, self.top)
        skip = self.top - self._start(index)
        left = self.height
        for number, text in enumerate(islice(self._paragraphs, index, None), index):
            rows = self._rows_of(text)[skip:]
            yield from (self._shown(number, text, row) for row in rows[:left])
            left -= len(rows)
            skip = 0
            if left <= 0:
                return

    def _shown(self, index: int, text: Paragraph, row: Row) -> Shown:
        at = self.match.at if self.match is not None and self.match.index == index else None
        return Shown(
            paragraph=text,
            row=row,
            cut=not self.wrapping and row.end < len(text.text),
            chosen=self.choosing and index == self.chosen,
            needle=self.needle,
            found_at=at,
        )

    def _start(self, index: int) -> int:
        """Return the first row of a paragraph that is measured, or follows one that is."""
        return self._ends[index - 1] if index else 0

    def _place_of_top(self) -> tuple[int, int]:
        self._measure_rows(self.top + 1)
        index = bisect_right(self._ends, self.top)
        first = self.top - self._start(index)
        if index >= len(self._paragraphs):
            return index, 0
        rows = self._rows_of(self._paragraphs[index])
        return index, rows[min(first, len(rows) - 1)].start

    def _restore(self, place: tuple[int, int]) -> None:
        index, at = place
        if index >= len(self._paragraphs):
            self.top = 0
            return
        self.top = self._row_at(index, at)

    def _row_at(self, index: int, at: int) -> int:
        """Return the row that shows a character of a paragraph."""
        self._measure_to(index + 1)
        rows = self._rows_of(self._paragraphs[index])
        return self._start(index) + max(0, bisect_right([row.start for row in rows], at) - 1)

    def place(self) -> str:
        """Return which part is in sight: `all in sight`, `1-20 of 180`, or how far the end is known."""
        if self.measured and self.rows <= self.height:
            return "all in sight"
        last = min(self.rows, self.top + self.height)
        return f"{self.top + 1:,}-{last:,} of {self.rows:,}{'' if self.measured else '+'}"

    # --------------------------------------------------------------------------------------------------------- moving

    def scroll(self, rows: int) -> None:
        """Move the window; at the end of a text that grows it stays there, anywhere else it holds."""
        self.ending = False
        self._measure_rows(self.top + rows + self.height + 1)
        self.top += rows
        self.follows = False
        self._keep_in_bounds()
        self.follows = self.growing and rows > 0 and self.at_end

    def to_start(self) -> None:
        self.follows = self.ending = False
        self.top = 0
        self.chosen = 0
        self._choose_near(1)

    def to_end(self) -> None:
        """Go to the last row, as soon as it is laid out; where the text grows, stay with it."""
        self.follows = self.growing
        self.ending = True
        self.measure_more()
        self.chosen = max(0, len(self._paragraphs) - 1)
        self._choose_near(-1)

    @property
    def at_end(self) -> bool:
        return self.measured and self.top >= self.rows - self.height

    def choose(self, by: int) -> None:
        """Move the choice by that many paragraphs that can be chosen, and show it."""
        way = 1 if by > 0 else -1
        for _ in range(abs(by)):
            place = self._next_choice(self.chosen + way, way)
            if place is None:
                self.scroll(way)
                return
            self.chosen = place
        self.reveal()

    def chosen_value(self) -> str | None:
        """Return what the chosen paragraph stands for."""
        if self.choosing and self.chosen < len(self._paragraphs):
            return self._paragraphs[self.chosen].value
        return None

    def reveal(self) -> None:
        """Bring the chosen paragraph into the window."""
        if self.chosen >= len(self._paragraphs):
            return
        self._measure_to(self.chosen + 1)
        start, end = self._start(self.chosen), self._ends[self.chosen]
        self.top = max(min(self.top, start), min(start, end - self.height))
        self._keep_in_bounds()

    def _choose_near(self, way: int) -> None:
        place = self._next_choice(self.chosen, way)
        if place is not None:
            self.chosen = place

    def _next_choice(self, index: int, way: int) -> int | None:
        while 0 <= index < len(self._paragraphs):
            if self._paragraphs[index].value is not None:
                return index
            index += way
        return None

    def _keep_in_bounds(self, room: int = 0) -> None:
        """Put the window where there is text; *room*: rows to leave empty below an end that came into sight."""
        if self.follows:
            self._measure_to(len(self._paragraphs))
            if self.rows > self.top + self.height:
                self.top = self.rows - self.height + room
        self._measure_rows(self.top + self.height)
        last = self.rows - 1 if self.follows else self.rows - self.height
        self.top = max(0, min(self.top, last))
        self.chosen = max(0, min(self.chosen, len(self._paragraphs) - 1))
        if self.choosing and self._paragraphs and self._paragraphs[self.chosen].value is None:
            self._choose_near(1)

    # ------------------------------------------------------------------------------------------------------ searching

    def matches(self) -> list[Match]:
        """Return where the text made so far contains what is searched for, at most `MATCHES_KEPT` places, in order."""
        if self._found is None:
            self._found = list(islice(self._matches(), MATCHES_KEPT))
        return self._found

    def _matches(self) -> Iterator[Match]:
        if not self.needle:
            return
        needle = self.needle.lower()
        for index, text in enumerate(self._paragraphs):
            yield from (Match(index=index, at=at) for at in places(text.text, needle))

    def search(self, needle: str) -> None:
        """Look for *needle* (empty: for nothing any more), from the top of the window on."""
        self.needle = needle
        self._found = self.match = None
        found = self.matches()
        if not found:
            return
        index, at = self._place_of_top()
        ahead = (match for match in found if (match.index, match.at) >= (index, at))
        self._go_to(next(ahead, found[0]))

    def next_match(self, way: int) -> None:
        """Go to the next place (or the one before, -1), round the ends."""
        found = self.matches()
        if not found:
            return
        if self.match is None or self.match not in found:
            self._go_to(found[0 if way > 0 else -1])
            return
        self._go_to(found[(found.index(self.match) + way) % len(found)])

    def match_number(self) -> tuple[int, int]:
        """Return which match of how many this is; (0, n) before the first."""
        found = self.matches()
        return (found.index(self.match) + 1 if self.match in found else 0, len(found))

    def _go_to(self, match: Match) -> None:
        self.match = match
        self.ending = False
        row = self._row_at(match.index, match.at)
        if self.choosing and self._paragraphs[match.index].value is not None:
            self.chosen = match.index
        self.follows = False
        if not self.top <= row < self.top + self.height:
            self.top = max(0, row - self.height // 3)
        self._keep_in_bounds()


def places(text: str, needle: str) -> Iterator[int]:
    """Yield where *text* contains *needle* (lower case), upper and lower case being the same."""
    low = text.lower()
    if len(low) != len(text):  # some letters grow: then only places that are certain
        low = "".join(letter.lower() if len(letter.lower()) == 1 else letter for letter in text)
    at = low.find(needle)
    while at >= 0:
        yield at
        at = low.find(needle, at + len(needle))
