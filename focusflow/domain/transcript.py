"""What was said, by whom and when, and how is it written down for people and models?"""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Utterance:
    """One turn of one speaker; times are milliseconds from the start of the recording."""

    speaker: str | None
    """The transcriber's label (`A`, `B`); None when it did not tell speakers apart."""
    start_ms: int
    end_ms: int
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Transcript:
    """A finished transcript, free of its vendor's words."""

    text: str
    utterances: tuple[Utterance, ...]
    language: str | None
    duration_seconds: float | None
    """As billed by the transcriber."""
    model: str | None
    """The model that was really used, as the transcriber names it."""
    speakers: dict[str, str]
    """Names for labels (`{"A": "Ann", "B": "Me"}`); only what is certain. Empty: labels stand."""
