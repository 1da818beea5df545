"""How does a written conversation become one with times? Reads the texts shipped in `conversations/`."""

import re
from collections.abc import Iterator, Mapping, Sequence
from itertools import pairwise
from typing import Final, NamedTuple
from zlib import crc32

from msgspec import Struct

MS_PER_WORD: Final = 350
"""People on the phone say about 170 words a minute."""
SHORTEST_MS: Final = 480
FIRST_WORD_AT_MS: Final = 640
TAIL_MS: Final = 900

_HEADING: Final = re.compile(
    r"^((?:opening|exchange|remark|reply|bridge|closing|summary):|topic: [^\n]+)\n", re.MULTILINE
)


class Line(NamedTuple):
    """What one person says before the other one answers, as written."""

    speaker: str
    text: str
    tag: str | None
    """The name by which the summary refers to the moment, as in `[@price]`."""


class TimedLine(NamedTuple):
    """A line and when it is spoken, in milliseconds from the start of the call."""

    speaker: str
    start_ms: int
    end_ms: int
    text: str


class Screenplay(Struct, frozen=True, kw_only=True):
    """One file of `conversations/`: a head, and sections in the order in which they were written."""

    head: Mapping[str, str]
    sections: Sequence[tuple[str, str]]
    """Name and text of each section; the one before the first heading is called `conversation`."""

    @property
    def speakers(self) -> dict[str, str]:
        return {label: name for label, name in self.head.items() if len(label) == 1}

    def section(self, name: str) -> str:
        """The text of the section *name*; raise KeyError if there is none."""
        return dict(self.sections)[name]


def read_screenplay(document: str) -> Screenplay:
    """Parse a file; raise ValueError for a line of the head without a colon."""
    head, _, body = document.partition("\n\n")
    first, *others = _HEADING.split(body)
    named = [(name.rstrip(":"), text) for name, text in zip(others[::2], others[1::2], strict=True)]
    return Screenplay(head=dict(_head_lines(head)), sections=(("conversation", first), *named))


def read_lines(text: str) -> list[Line]:
    """The lines `A: …` and `B #tag: …` of a section; raise ValueError for anything else but blanks."""
    return [_line(written) for written in text.splitlines() if written.strip()]


def spoken(lines: Sequence[Line], *, duration_ms: int | None = None) -> list[TimedLine]:
    """Give every line a time at the speed of speech, stretched to end shortly before *duration_ms* if that is given."""
    raw = list(_at_the_speed_of_speech(lines))
    if duration_ms is None or not raw:
        return raw
    stretch = (duration_ms - TAIL_MS) / raw[-1].end_ms
    return [line._replace(start_ms=round(line.start_ms * stretch), end_ms=round(line.end_ms * stretch)) for line in raw]


def with_times(summary: str, lines: Sequence[Line], times: Sequence[TimedLine]) -> str:
    """The summary with every `[@tag]` replaced by the `[mm:ss]` of that line; raise KeyError for an unknown tag."""
    moments = {line.tag: clock_time(timed.start_ms) for line, timed in zip(lines, times, strict=True) if line.tag}
    return re.sub(r"\[@(\w+)\]", lambda found: f"[{moments[found[1]]}]", summary.strip()) + "\n"


def clock_time(ms: int) -> str:
    """Minutes and seconds, `07:05`."""
    return f"{ms // 60_000:02d}:{ms // 1000 % 60:02d}"


def _head_lines(head: str) -> Iterator[tuple[str, str]]:
    for written in head.splitlines():
        name, colon, value = written.partition(": ")
        if not colon:
            raise ValueError(f"not a line of a head: {written!r}")
        yield name, value.strip()


def _line(written: str) -> Line:
    found = re.fullmatch(r"([A-Z])(?: #(\w+))?: (.+)", written)
    if found is None:
        raise ValueError(f"nobody speaks in {written!r}")
    return Line(found[1], found[3].strip(), found[2])


def _at_the_speed_of_speech(lines: Sequence[Line]) -> Iterator[TimedLine]:
    clock = FIRST_WORD_AT_MS
    for line, following in pairwise([*lines, None]):
        assert line is not None
        # a pace that differs from line to line, and is the same on every machine
        whim = crc32(line.text.encode())
        length = max(SHORTEST_MS, len(line.text.split()) * (MS_PER_WORD - 60 + whim % 120))
        yield TimedLine(line.speaker, clock, clock + length, line.text)
        pause = 180 + whim // 128 % 700
        clock += length + (pause // 3 if following and following.speaker == line.speaker else pause)
