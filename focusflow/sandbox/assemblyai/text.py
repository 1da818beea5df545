"""What does AssemblyAI hear in a script? Words with times, redaction, entities and sentiment."""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Final
from zlib import crc32

from focusflow.sandbox.scripts import Script, Utterance

Json = dict[str, object]

PATTERNS: Final[Mapping[str, re.Pattern[str]]] = {
    "email_address": re.compile(r"[\w.+-]+@[\w-]+(?:\.[\w-]+)+"),
    "phone_number": re.compile(
        r"(?<![\w-])(?:\+\d{1,3}[ -](?:\d{2,4}[ -]?){2,4}\d\b|\(?\d{3}\)?[ -]\d{3}[ -]\d{4}\b|\d{3}-\d{4}\b)"
    ),
    "money_amount": re.compile(
        r"\b\d[\d.,]*\d? (?:pounds?|euros?|Euro|dollars?)\b(?: (?:and )?\d+ pence\b)?|[£€$]\d[\d.,]*"
    ),
    "date": re.compile(
        r"\b(?:Twenty-third of May, 1984|(?:the )?(?:\w+-)?\w+(?:st|nd|rd|th) of (?:January|February|March|April|May|June"
        r"|July|August|September|October|November|December)|jueves \d+|dritten November)\b",
    ),
    "credit_card_number": re.compile(r"\b(?:\d{4}[ -]){3}\d{4}\b"),
}
POSITIVE: Final = frozenset(
    {
        "good",
        "great",
        "thank",
        "thanks",
        "perfect",
        "lovely",
        "wonderful",
        "happy",
        "danke",
        "prima",
        "genial",
        "perfecto",
    }
)
NEGATIVE: Final = frozenset(
    {"sorry", "afraid", "no", "broke", "late", "leak", "leaking", "delay", "problem", "worried", "complaints"}
)

_ROLES: Final = frozenset({"Owner", "Caller", "Unknown", "Clinic", "Bank"})


class Hearing:
    """One script, heard under one request's settings: sliced, respelled and redacted as asked."""

    def __init__(self, script: Script, request: Mapping[str, object]) -> None:
        self.script = script
        self._diarized = bool(request.get("speaker_labels"))
        self._redact = redactor(script, request) if request.get("redact_pii") else str
        self._spell = _speller(request.get("custom_spelling"))
        self._said = tuple(_slice(script.utterances, request.get("audio_start_from"), request.get("audio_end_at")))

    def utterances(self) -> list[Json]:
        """Turn by turn, each with its words; without diarization the turns of one anonymous speaker."""
        return [self._utterance(line) for line in self._said]

    def entities(self) -> list[Json]:
        """What is named in the call, by the service's types. With redaction only what was left to find."""
        return [entity for line in self._said for entity in self._entities_of(line)]

    def sentiments(self) -> list[Json]:
        """A judgement on each sentence."""
        return [
            {
                "text": piece["text"],
                "start": piece["start"],
                "end": piece["end"],
                "sentiment": _sentiment(str(piece["text"])),
                "confidence": piece["confidence"],
                "speaker": piece["speaker"],
            }
            for piece in sentences(self.utterances())
        ]

    def _utterance(self, line: Utterance) -> Json:
        text = self._redact(self._spell(line.text))
        words = list(_words(line._replace(text=text), line.speaker if self._diarized else None))
        confidences = [float(str(word["confidence"])) for word in words]
        return {
            "speaker": line.speaker if self._diarized else None,
            "start": line.start_ms,
            "end": line.end_ms,
            "confidence": round(sum(confidences) / len(confidences), 4),
            "text": text,
            "words": words,
        }

    def _entities_of(self, line: Utterance) -> Iterator[Json]:
        heard = line._replace(text=self._redact(self._spell(line.text)))
        words = list(_words(heard, None))
        for kind, start, end in named(heard.text, self.script):
            first = len(heard.text[:start].split())
            last = first + len(heard.text[start:end].split()) - 1
            yield {
                "entity_type": kind,
                "text": heard.text[start:end],
                "start": words[min(first, len(words) - 1)]["start"],
                "end": words[min(last, len(words) - 1)]["end"],
            }


def named(text: str, script: Script) -> Iterator[tuple[str, int, int]]:
    """Type, start and end of everything nameable in *text*."""
    for kind, pattern in {**PATTERNS, "person_name": _names(script)}.items():
        for found in pattern.finditer(text):
            yield kind, found.start(), found.end()


def redactor(script: Script, request: Mapping[str, object]) -> Callable[[str], str]:
    """What replaces personal data in a text: `#` for each character, or `[PHONE_NUMBER]`."""
    policies = request.get("redact_pii_policies")
    wanted = set(policies) if isinstance(policies, list) else set()
    by_name = request.get("redact_pii_sub") == "entity_name"

    def redacted(text: str) -> str:
        found = sorted((start, end, kind) for kind, start, end in named(text, script) if kind in wanted)
        pieces, at = [], 0
        for start, end, kind in found:
            if start < at:
                continue
            pieces += [text[at:start], f"[{kind.upper()}]" if by_name else re.sub(r"\S", "#", text[start:end])]
            at = end
        return "".join([*pieces, text[at:]])

    return redacted


def sentences(utterances: Iterable[Json]) -> Iterator[Json]:
    """The utterances cut at full stops, each piece with its own words."""
    for utterance in utterances:
        words = utterance["words"]
        assert isinstance(words, list)
        held: list[Json] = []
        for word in words:
            held.append(word)
            if str(word["text"]).endswith((".", "?", "!")):
                yield _piece(held)
                held = []
        if held:
            yield _piece(held)


def paragraphs(utterances: Iterable[Json]) -> Iterator[Json]:
    """Each turn as one paragraph."""
    for utterance in utterances:
        words = utterance["words"]
        assert isinstance(words, list)
        yield _piece(words)


def _piece(words: Sequence[Json]) -> Json:
    return {
        "text": " ".join(str(word["text"]) for word in words),
        "start": words[0]["start"],
        "end": words[-1]["end"],
        "confidence": words[0]["confidence"],
        "words": list(words),
        "speaker": words[0]["speaker"],
        "channel": None,
    }


def _words(line: Utterance, speaker: str | None) -> Iterator[Json]:
    """The words of a line; longer ones take longer."""
    texts = line.text.split()
    weights = [len(text) + 2 for text in texts]
    per_weight = (line.end_ms - line.start_ms) / sum(weights)
    begun = 0
    for text, weight in zip(texts, weights, strict=True):
        yield {
            "text": text,
            "start": line.start_ms + round(begun * per_weight),
            "end": line.start_ms + round((begun + weight - 1) * per_weight),
            "confidence": round(0.9 + crc32(text.encode()) % 1000 / 10_000, 4),
            "speaker": speaker,
        }
        begun += weight


def _slice(said: Sequence[Utterance], start: object, end: object) -> Iterator[Utterance]:
    first = start if isinstance(start, int) else 0
    last = end if isinstance(end, int) else float("inf")
    return (line for line in said if line.start_ms >= first and line.end_ms <= last)


def _speller(rules: object) -> Callable[[str], str]:
    pairs = [
        (re.compile(rf"\b{re.escape(str(source))}\b", re.IGNORECASE), str(rule["to"]))
        for rule in (rules if isinstance(rules, list) else ())
        for source in (rule["from"] if isinstance(rule["from"], list) else [rule["from"]])
    ]

    def spelled(text: str) -> str:
        for pattern, replacement in pairs:
            text = pattern.sub(lambda _, to=replacement: to, text)  # type: ignore[misc]  # mypy can't type the default
        return text

    return spelled


def _names(script: Script) -> re.Pattern[str]:
    words = {word for name in script.speakers.values() for word in name.partition(",")[0].split()} - _ROLES
    longest_first = sorted((re.escape(word) for word in words), key=len, reverse=True)
    return re.compile(rf"\b(?:{'|'.join(longest_first) or '(?!)'})\b")


def _sentiment(text: str) -> str:
    words = {word.strip(".,!?¿¡").lower() for word in text.split()}
    if words & POSITIVE:
        return "POSITIVE"
    return "NEGATIVE" if words & NEGATIVE else "NEUTRAL"
