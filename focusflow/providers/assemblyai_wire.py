"""What do AssemblyAI's words mean? Our options as its request, its answers as a transcript; pure and tolerant.

The SDK's own types drop what they don't know when asking, and refuse what they don't know when a paid answer is there.
"""

import re
from collections.abc import Mapping, Sequence
from itertools import groupby
from types import MappingProxyType
from typing import Final

from msgspec import Struct, field

from focusflow.domain.transcript import Transcript, Utterance
from focusflow.errors import ConfigError, Permanent
from focusflow.ports import AudioUsage, TranscriptFailed, TranscriptPending, TranscriptReady, TranscriptState
from focusflow.providers.json_text import document_in

DELETED_AUDIO_URL: Final = "http://deleted_by_user"

SAME_AGAIN: Final = re.compile(
    r"not appear to contain audio|too short|too long|no spoken audio|language|speech.?threshold|unsupported|corrupt",
    re.IGNORECASE,
)
"""Reasons for a failed transcription that the same audio would meet again. Everything else is tried again, for free."""

SILENT: Final = re.compile(r"no spoken audio|no speech", re.IGNORECASE)

UNKNOWN_ID: Final = re.compile(r"not found|lookup error|does not exist|no longer", re.IGNORECASE)

ADDON_FLAGS: Final = (
    "speaker_labels",
    "multichannel",
    "entity_detection",
    "sentiment_analysis",
    "redact_pii",
    "redact_pii_audio",
    "auto_highlights",
    "iab_categories",
    "content_safety",
    "auto_chapters",
    "summarization",
    "keyterms_prompt",
    "prompt",
    "domain",
)
"""Fields of a finished transcript that say, when true or filled, that something beyond the words was used."""


class TranscriptionOptions(Struct, frozen=True, kw_only=True):
    """What to ask of the transcriber; only what is set is sent."""

    speech_models: Sequence[str] = ("universal-3-5-pro", "universal-2")
    """In order of preference; pinned, because the account's default changes under us."""
    language_code: str | None = None
    """One language for all calls; None: detected for each call."""
    expected_languages: Sequence[str] = ()
    language_confidence_threshold: float | None = None
    speaker_labels: bool = True
    speakers_expected: int | None = None
    keyterms_prompt: Sequence[str] = ()
    redact_pii: bool = False
    redact_pii_policies: Sequence[str] = ()
    redact_pii_sub: str | None = None
    entity_detection: bool = False
    sentiment_analysis: bool = False
    custom_spelling: Mapping[str, Sequence[str]] = field(default_factory=dict)
    """What should be written, for each list of what is heard."""
    speech_threshold: float | None = None
    disfluencies: bool = False
    filter_profanity: bool = False
    extra: Mapping[str, object] = field(default_factory=lambda: MappingProxyType({}))
    """Parameters newer than us, sent as they are; they win over ours."""

    def __post_init__(self) -> None:
        if self.redact_pii and not self.redact_pii_policies:
            raise ConfigError(
                "redact_pii needs redact_pii_policies: say what is to be redacted, for example phone_number."
            )
        for name in ("language_confidence_threshold", "speech_threshold"):
            value = getattr(self, name)
            if value is not None and not 0 <= value <= 1:
                raise ConfigError(f"{name} must be between 0 and 1, not {value}.")

    def request(self, audio_url: str, *, language: str | None = None) -> dict[str, object]:
        """Return the order for a transcript; *language* overrides the configured one for this call."""
        wanted: dict[str, object] = {
            "speech_models": list(self.speech_models),
            "speaker_labels": self.speaker_labels,
            "speakers_expected": self.speakers_expected if self.speaker_labels else None,
            "keyterms_prompt": list(self.keyterms_prompt),
            **self._redaction(),
            "entity_detection": self.entity_detection,
            "sentiment_analysis": self.sentiment_analysis,
            "custom_spelling": [{"from": list(heard), "to": to} for to, heard in self.custom_spelling.items()],
            "speech_threshold": self.speech_threshold,
            "disfluencies": self.disfluencies,
            "filter_profanity": self.filter_profanity,
            **self._language(language or self.language_code),
        }
        asked = {name: value for name, value in wanted.items() if not _is_unset(value)}
        return {**asked, **self.extra, "audio_url": audio_url}

    def _redaction(self) -> dict[str, object]:
        if not self.redact_pii:
            return {}
        return {
            "redact_pii": True,
            "redact_pii_policies": list(self.redact_pii_policies),
            "redact_pii_sub": self.redact_pii_sub,
        }

    def _language(self, code: str | None) -> dict[str, object]:
        if code is not None:
            return {"language_code": code}
        expected = {"expected_languages": list(self.expected_languages)} if self.expected_languages else None
        return {
            "language_detection": True,
            "language_confidence_threshold": self.language_confidence_threshold,
            "language_detection_options": expected,
        }


def _is_unset(value: object) -> bool:
    return value is None or value is False or value == []


# ------------------------------------------------------------------------------------------------------------- states


_WHAT_TO_DO: Final = (
    (r"speech.?threshold", "Lower assemblyai.speech_threshold and retry, or skip it."),
    (
        r"not appear to contain audio|unsupported|corrupt",
        "Play the file: if it can be heard, convert it to MP3 and put it in its place; else skip it.",
    ),
    (r"too short", "Skip it."),
    (r"too long", "Cut it into parts, or skip it."),
    (r"language", "Set assemblyai.language_code (or a rule's language) and retry, or skip it."),
)  # fmt: skip
"""What a person can do about a reason."""


def _failed(reason: str) -> TranscriptFailed:
    if SILENT.search(reason):
        return TranscriptFailed(reason=reason, permanent=True, silent=True)
    permanent = SAME_AGAIN.search(reason) is not None
    advice = next((advice for pattern, advice in _WHAT_TO_DO if re.search(pattern, reason, re.IGNORECASE)), "")
    said = reason if reason.endswith((".", "!", "?")) else f"{reason}."
    return TranscriptFailed(reason=f"{said} {advice}" if permanent and advice else reason, permanent=permanent)


def state_of(raw: bytes, *, hide: re.Pattern[str]) -> TranscriptState:
    """Read the state of a transcript from the answer to one poll; what *hide* matches is not repeated."""
    try:
        document = document_in(raw)
    except ValueError:
        document = None
    if not isinstance(document, dict):
        return TranscriptPending(state="its answer could not be read")
    if document.get("audio_url") == DELETED_AUDIO_URL:
        return TranscriptFailed(reason="The transcript was deleted: it is not known any more.", permanent=False)
    match document.get("status"):
        case "completed":
            return TranscriptReady(raw=raw)
        case "error":
            reason = hide.sub("[address]", _text(document.get("error")) or "It did not say why.")
            return _failed(reason)
        case str(state) if state.strip():
            return TranscriptPending(state=hide.sub("[address]", state))
        case _:
            return TranscriptPending(state="its answer had no status")


# --------------------------------------------------------------------------------------------------------- transcripts


def parse(raw: bytes) -> Transcript:
    """Understand a finished transcript as far as possible. Raises `Permanent` when it is not one at all."""
    document = _document(raw)
    text = _text(document.get("text"))
    spoken = [utterance for item in _dicts(document.get("utterances")) if (utterance := _utterance(item)) is not None]
    words = [] if text and spoken else _dicts(document.get("words"))
    text = text or _joined(words) or "\n".join(utterance.text for utterance in spoken)
    return Transcript(
        text=text,
        utterances=tuple(spoken) or _turns(words, text),
        language=_text(document.get("language_code")),
        duration_seconds=_number(document.get("audio_duration")),
        model=_model(document),
        speakers={},
    )


def usage(raw: bytes) -> AudioUsage:
    """Return what a finished transcript is billed for. Raises `Permanent`. Add-ons are named as AssemblyAI's parameters."""
    document = _document(raw)
    return AudioUsage(
        seconds=_number(document.get("audio_duration")), model=_model(document), addons=tuple(_addons(document))
    )


def _document(raw: bytes) -> dict[str, object]:
    try:
        document = document_in(raw)
    except ValueError as error:
        raise Permanent("The stored transcript is not readable JSON.") from error
    if not isinstance(document, dict):
        raise Permanent("The stored transcript is not what AssemblyAI sends.")
    return document


def _addons(document: Mapping[str, object]) -> list[str]:
    addons = [name for name in ADDON_FLAGS if document.get(name)]
    match document.get("speaker_options"):
        case {"long_file_diarization_method": "experimental"}:  # another price instead of the usual one
            addons = [f"{name}:experimental" if name == "speaker_labels" else name for name in addons]
    match document.get("speech_understanding"):
        case {"request": dict(understanding)}:
            addons.extend(str(name) for name in understanding)
    return addons


def _model(document: Mapping[str, object]) -> str | None:
    return _text(document.get("speech_model_used")) or _text(document.get("speech_model"))


def _utterance(item: Mapping[str, object]) -> Utterance | None:
    text = _text(item.get("text"))
    if text and _is_timed(item):
        return _spoken(text, _speaker(item), [item])
    words = _dicts(item.get("words"))
    text = text or _joined(words)
    return _spoken(text, _speaker(item), [item, *words]) if text else None


def _turns(words: Sequence[Mapping[str, object]], text: str) -> tuple[Utterance, ...]:
    """What was said as one utterance, or one per speaker's turn where only the words know who spoke."""
    if not words:
        return (_spoken(text, None, ()),) if text else ()
    turns = [(speaker, list(turn)) for speaker, turn in groupby(words, key=_speaker)]
    if len(turns) == 1:
        return (_spoken(text, turns[0][0], words),) if text else ()
    return tuple(_spoken(said, speaker, turn) for speaker, turn in turns if (said := _joined(turn)))


def _spoken(text: str, speaker: str | None, timed: Sequence[Mapping[str, object]]) -> Utterance:
    moments = [moment for item in timed for name in ("start", "end") if (moment := _number(item.get(name))) is not None]
    start, end = (min(moments), max(moments)) if moments else (0.0, 0.0)
    return Utterance(speaker=speaker, start_ms=round(start), end_ms=round(end), text=text)


def _is_timed(item: Mapping[str, object]) -> bool:
    return _number(item.get("start")) is not None and _number(item.get("end")) is not None


def _speaker(item: Mapping[str, object]) -> str | None:
    label = item.get("speaker")
    label = item.get("channel") if label is None else label
    return None if label is None or label == "" else str(label)


def _joined(words: Sequence[Mapping[str, object]]) -> str:
    return " ".join(word for item in words if (word := _text(item.get("text"))))


def _dicts(value: object) -> list[Mapping[str, object]]:
    return [item for item in value if isinstance(item, dict)] if isinstance(value, list) else []


def _text(value: object) -> str | None:
    return (value.strip() or None) if isinstance(value, str) else None


def _number(value: object) -> float | None:
    """A finite number that isn't negative; anything else is unknown."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value < 1e12:
        return None
    return float(value)
