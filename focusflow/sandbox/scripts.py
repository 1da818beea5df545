"""What is said in the sandbox's phone calls? A dozen conversations, each with its times, title and summary."""

from collections.abc import Mapping, Sequence
from importlib.resources import files
from typing import Final

from msgspec import Struct

from focusflow.sandbox.retro import weave
from focusflow.sandbox.screenplay import Line, TimedLine, read_lines, read_screenplay, spoken, with_times

Utterance = TimedLine
"""`(speaker, start_ms, end_ms, text)`."""

KEYS: Final = (
    "sales-quote",
    "clinic-appointment",
    "supplier-delay",
    "family-dinner",
    "bank-fraud-check",
    "landlord-repair",
    "school-trip",
    "german-invoice",
    "spanish-order",
    "team-retro-hour",
    "pocket-dial",
    "job-interview",
)

SHORTEST_SPOKEN_SECONDS: Final = 3


class Script(Struct, frozen=True, kw_only=True):
    """One conversation: what a perfect transcriber would hear and a good assistant would write about it."""

    key: str
    language: str
    """`en`, `de` or `es`."""
    speakers: Mapping[str, str]
    """Who is behind the labels `A` (speaks first) and `B`."""
    utterances: Sequence[Utterance]
    duration_seconds: int
    title: str
    summary_markdown: str

    @property
    def speech_share(self) -> float:
        """How much of the call somebody speaks, between 0 and 1."""
        spoken_ms = sum(line.end_ms - line.start_ms for line in self.utterances)
        return spoken_ms / (self.duration_seconds * 1000) if spoken_ms else 0.0

    @property
    def heading(self) -> str:
        """The first line of the summary."""
        return self.summary_markdown.partition("\n")[0]


def unknown_script(duration_seconds: int) -> Script:
    """What audio that nobody wrote a script for says: an everyday call, over and over until *duration_seconds*."""
    screenplay = read_screenplay(_text("unknown-audio"))
    once = read_lines(screenplay.section("conversation"))
    end_ms = duration_seconds * 1000
    said: list[Utterance] = []
    if duration_seconds >= SHORTEST_SPOKEN_SECONDS:
        rounds = -(-end_ms // spoken(once)[-1].end_ms)
        said = [line for line in spoken(once * rounds) if line.end_ms <= end_ms]
    return Script(
        key="unknown-audio",
        language=screenplay.head["language"],
        speakers=screenplay.speakers,
        utterances=tuple(said),
        duration_seconds=duration_seconds,
        title=screenplay.head["title"],
        summary_markdown=screenplay.section("summary").strip() + "\n",
    )


def _text(key: str) -> str:
    return (files("focusflow.sandbox") / "conversations" / f"{key}.txt").read_text(encoding="utf-8")


def _script(key: str) -> Script:
    screenplay = read_screenplay(_text(key))
    woven = any(name == "opening" for name, _ in screenplay.sections)
    lines: list[Line] = weave(screenplay) if woven else read_lines(screenplay.section("conversation"))
    given = screenplay.head.get("duration")
    said = spoken(lines, duration_ms=int(given) * 1000 if given else None)
    return Script(
        key=key,
        language=screenplay.head["language"],
        speakers=screenplay.speakers,
        utterances=tuple(said),
        duration_seconds=int(given) if given else -(-said[-1].end_ms // 1000) + 1,
        title=screenplay.head["title"],
        summary_markdown=with_times(screenplay.section("summary"), lines, said),
    )


SCRIPTS: Final[Mapping[str, Script]] = {key: _script(key) for key in KEYS}
"""The scripts by key."""
