"""What does a call's own log look like, however long it grows?"""

from collections import deque
from collections.abc import Iterable, Iterator
from datetime import date, tzinfo
from enum import StrEnum

from focusflow.domain.jobs import Job, LogLine
from focusflow.ports import JobDetail
from focusflow.tui.detail.missing import no_log
from focusflow.tui.detail.paragraphs import Paragraph, paragraph
from focusflow.tui.detail.sheet import Sheet
from focusflow.tui.detail.texts import one_line
from focusflow.tui.facts import Facts
from focusflow.tui.words import STEP_WORDS, fit, many

LINES_KEPT = 1_000
MESSAGE_SHOWN = 1_000
"""Characters of one line; the rest is left to `focusflow jobs show`."""


class Level(StrEnum):
    """Which lines are shown: those of that weight and above."""

    ALL = "all"
    WARNINGS = "warnings and errors"
    ERRORS = "errors"

    def shows(self, line: LogLine) -> bool:
        match self:
            case Level.ALL:
                return True
            case Level.WARNINGS:
                return line.level != "info"
            case Level.ERRORS:
                return line.level == "error"


_STEP_CELLS = 10
_STYLES = {"warning": "warning", "error": "error"}


class LogBook:
    """The last lines of one call's log, as paragraphs; older ones are let go in lumps."""

    def __init__(self, zone: tzinfo, *, kept: int = LINES_KEPT) -> None:
        self.zone = zone
        self._kept = kept
        self._lines: deque[LogLine] = deque()
        self._last_id = -1
        self._day: date | None = None
        self._narrow = False
        self.dropped = 0
        """How many lines were let go."""
        self.level = Level.ALL

    def __len__(self) -> int:
        return len(self._lines)

    def read(self, lines: Iterable[LogLine]) -> None:
        """Take over the stored lines; those that came live meanwhile stay."""
        stored = list(lines)
        known = {line.id for line in stored}
        late = [line for line in self._lines if line.id not in known and (not stored or line.id > stored[-1].id)]
        self._lines = deque([*stored, *late][-self._kept :])
        self._last_id = max((line.id for line in self._lines), default=-1)

    def hear(self, lines: Iterable[LogLine]) -> list[LogLine]:
        """Add live lines, and return those that are new."""
        new = [line for line in lines if line.id > self._last_id]
        if new:
            self._last_id = new[-1].id
            self._lines.extend(_shortened(line) for line in new)
        return new

    def paragraphs(self, *, narrow: bool) -> list[Paragraph]:
        """Return every kept line that the level lets through. *narrow*: no columns."""
        self._day = None
        self._narrow = narrow
        return list(self.drawn(self._lines))

    def drawn(self, lines: Iterable[LogLine]) -> Iterator[Paragraph]:
        """Yield lines as they follow those drawn before; a new day has a line of its own."""
        for line in filter(self.level.shows, lines):
            at = line.at.astimezone(self.zone)
            if at.date() != self._day:
                self._day = at.date()
                yield paragraph((f"{at:%A, %Y-%m-%d}", "quiet"))
            step = STEP_WORDS[line.step] if line.step else ""
            if not self._narrow:
                step = fit(step, _STEP_CELLS)
            lead = f"{at:%H:%M:%S} {step} " if step else f"{at:%H:%M:%S} "
            style = _STYLES.get(line.level, "")
            word = f"{line.level}: " if style else ""
            message = one_line(line.message[:MESSAGE_SHOWN])
            hang = 2 if self._narrow else len(lead)
            yield paragraph((lead, "quiet"), (f"{word}{message}", style), hang=hang)

    def shows_any(self) -> bool:
        """Say whether the level lets any line through."""
        return any(map(self.level.shows, self._lines))

    def count(self) -> int:
        """Return how many lines the level lets through."""
        return sum(map(self.level.shows, self._lines))

    def trim(self) -> bool:
        """Let go of the oldest lines when there are many too many; True when that happened."""
        if len(self._lines) <= self._kept + self._kept // 4:
            return False
        while len(self._lines) > self._kept:
            self._lines.popleft()
            self.dropped += 1
        return True


def _shortened(line: LogLine) -> LogLine:
    if len(line.message) <= MESSAGE_SHOWN:
        return line
    return LogLine(
        id=line.id,
        job_id=line.job_id,
        at=line.at,
        level=line.level,
        step=line.step,
        message=f"{line.message[: MESSAGE_SHOWN - 1]}…",
    )


class LogView:
    """The log on the screen: it stays with its end until somebody scrolls up."""

    def __init__(self, facts: Facts) -> None:
        self._key = facts.key
        self.book = LogBook(facts.budgets.zone)
        self.sheet = Sheet(growing=True)

    def forget(self) -> None:
        """Another call is shown now."""
        level = self.book.level
        self.book = LogBook(self.book.zone)
        self.book.level = level
        self.sheet.show([])
        self.sheet.follows = True

    def draw(self, detail: JobDetail, *, narrow: bool) -> None:
        shown = self.book.paragraphs(narrow=narrow)
        self.sheet.show(shown or [self._in_its_place(detail.row.job)])

    def _in_its_place(self, job: Job) -> Paragraph:
        return paragraph((no_log(job, filtered=len(self.book) > 0, key=self._key), "quiet"))

    def hear(self, lines: Iterable[LogLine]) -> bool:
        """Add live lines below; True when the whole must be drawn anew."""
        was_empty = not self.book.shows_any()
        new = self.book.hear(lines)
        if was_empty or self.book.trim():
            return bool(new)
        self.sheet.add(list(self.book.drawn(new)))
        return False

    def next_level(self) -> None:
        levels = list(Level)
        self.book.level = levels[(levels.index(self.book.level) + 1) % len(levels)]

    def state(self) -> str:
        parts = [many(len(self.book), "line")]
        if self.book.level is not Level.ALL:
            parts = [f"{self.book.count():,} of {parts[0]}", f"only {self.book.level}"]
        return ", ".join([*parts, "following" if self.sheet.follows else "holding"])

    def text(self) -> str:
        return "\n".join(shown.text for shown in self.sheet.paragraphs)
