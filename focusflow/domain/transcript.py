"""What was said, by whom and when, and how is it written down for people and models?"""

import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

from msgspec import Struct
from msgspec.structs import replace

from focusflow.domain.recordings.details import tidy


class Utterance(Struct, frozen=True, kw_only=True):
    """One turn of one speaker; times are milliseconds from the start of the recording."""

    speaker: str | None
    """The transcriber's label (`A`, `B`); None when it did not tell speakers apart."""
    start_ms: int
    end_ms: int
    text: str


class Transcript(Struct, frozen=True, kw_only=True):
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


# --------------------------------------------------------------------------------------------------------- as text


def plain_text(transcript: Transcript) -> str:
    """Return one line a turn, `Ann: Hello.`, without times; the bare text where there are no turns."""
    return "\n".join(map(_line_of(transcript), transcript.utterances)) or transcript.text


def timed_text(transcript: Transcript) -> str:
    """Return one line a turn, `[03:15] Ann: Hello.`; the bare text, without any time, where there are no turns.

    A line break inside a turn becomes a space, so that nothing that is said can pass for another turn.
    """
    line = _line_of(transcript)
    turns = (f"[{clock_time(utterance.start_ms)}] {line(utterance)}" for utterance in transcript.utterances)
    return "\n".join(turns) or transcript.text


def clock_time(milliseconds: int) -> str:
    """Return a place in a recording: `03:15`, and from the first hour on `1:03:15`."""
    minutes, seconds = divmod(max(0, milliseconds) // 1_000, 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{seconds:02d}" if hours else f"{minutes:02d}:{seconds:02d}"


def speaker_name(transcript: Transcript, label: str) -> str:
    """Return who a label stands for: the name, where that is certain, else `Speaker A`."""
    return " ".join((transcript.speakers.get(label) or f"Speaker {label}").split())


def _line_of(transcript: Transcript) -> Callable[[Utterance], str]:
    def line(utterance: Utterance) -> str:
        said = " ".join(utterance.text.split())
        return said if utterance.speaker is None else f"{speaker_name(transcript, utterance.speaker)}: {said}"

    return line


# ---------------------------------------------------------------------------------------------------------- as names


def named_speakers(transcript: Transcript, owner: str | None, contact: str | None) -> Transcript:
    """Return the transcript with names for the two parties of a call, where who is who is certain; else as it is.

    Names that are there already stay. Certain means: there are two labels, and at the start of the call at least one of the two
    says who they are or is greeted by name, in one of some languages and without contradiction.
    """
    if transcript.speakers or len(labels_of(transcript)) != 2:
        return transcript
    from focusflow.domain.introductions import (
        certain_names,
    )  # its expressions take long to compile: the screen starts without

    turns = [(turn.speaker, turn.text) for turn in transcript.utterances if turn.speaker is not None]
    return replace(transcript, speakers=certain_names(turns, owner=owner, contact=contact))


class SpeakerShare(Struct, frozen=True, kw_only=True):
    """One voice of a call, so that a person can tell whose it is."""

    label: str
    name: str | None
    """None: not known."""
    first_words: str
    talk_ms: int
    turns: int


def labels_of(transcript: Transcript) -> list[str]:
    """Return the transcriber's labels, in the order in which they begin to speak."""
    return list(dict.fromkeys(turn.speaker for turn in transcript.utterances if turn.speaker is not None))


def speaker_shares(transcript: Transcript) -> list[SpeakerShare]:
    """Return every voice, in the order in which they begin to speak."""
    shares = []
    for label in labels_of(transcript):
        turns = [turn for turn in transcript.utterances if turn.speaker == label]
        shares.append(
            SpeakerShare(
                label=label,
                name=transcript.speakers.get(label),
                first_words=" ".join(turns[0].text.split()),
                talk_ms=sum(max(0, turn.end_ms - turn.start_ms) for turn in turns),
                turns=len(turns),
            )
        )
    return shares


LONGEST_NAME = 80


def renamed(transcript: Transcript, names: Mapping[str, str]) -> Transcript:
    """Return the transcript with these names for labels; an empty name takes a label's name away.

    Raises `ValueError` with a sentence for a label nobody has, or a name that is too long.
    """
    known = labels_of(transcript)
    if unknown := sorted(names.keys() - set(known)):
        there = ", ".join(known) or "none: the transcriber told no voices apart"
        raise ValueError(f"There is no speaker {unknown[0]} in this call; its speakers are {there}.")
    tidied = {label: tidy(name) for label, name in names.items()}
    if any(len(name) > LONGEST_NAME for name in tidied.values()):
        raise ValueError(f"A speaker's name has at most {LONGEST_NAME} characters.")
    speakers = {**transcript.speakers, **tidied}
    return replace(transcript, speakers={label: name for label, name in speakers.items() if name})


def swapped(transcript: Transcript) -> dict[str, str]:
    """Return names by which the two speakers of a call change places. Raises `ValueError` where there are not two."""
    match labels_of(transcript):
        case [first, second]:
            return {first: transcript.speakers.get(second, ""), second: transcript.speakers.get(first, "")}
        case labels:
            raise ValueError(f"Only two speakers can be swapped; this call has {len(labels)}.")


def renamed_text(text: str, before: Transcript, after: Transcript) -> str:
    """Return a text about the call with the speakers' old names replaced by their new ones, all at once.

    Only whole names are, as they stand, and nothing in code, links or addresses. A name that two voices share, and that is
    to become two, stays: nobody knows which is meant.
    """
    new: dict[str, set[str]] = {}
    for label in labels_of(before):
        new.setdefault(speaker_name(before, label), set()).add(speaker_name(after, label))
    certain = {old: names.pop() for old, names in new.items() if len(names) == 1}
    changed = {old: name for old, name in certain.items() if old != name}
    if not changed:
        return text
    # a name that stays is looked for too, so that a shorter one inside it is left alone
    longest_first = sorted(new, key=len, reverse=True)
    pattern = re.compile(f"{_NOT_PROSE}|(?P<name>{'|'.join(map(_whole, longest_first))})", re.DOTALL)
    return pattern.sub(lambda found: changed.get(found["name"] or "", found[0]), text)


_NOT_PROSE = r"```.*?(?:```|\Z)|`[^`\n]*`|\]\([^)\n]*\)|\bhttps?://\S+|\b[\w.+-]+@[\w-]+\.[\w.]+"
_WITHOUT_SPACES = re.compile(r"[\u0e00-\u0eff\u1780-\u17ff\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af]")
"""Scripts in which a word may follow a name without a space."""


def _whole(name: str) -> str:
    """Return a pattern for the name as a whole word."""
    before = "" if _WITHOUT_SPACES.match(name[0]) or not name[0].isalnum() else r"(?<!\w)"
    behind = "" if _WITHOUT_SPACES.match(name[-1]) or not name[-1].isalnum() else r"(?!\w)"
    return f"{before}{re.escape(name)}{behind}"


# ---------------------------------------------------------------------------------------------------------- in parts

_BORDERS = (r"\n", r"[.!?…]['\"”’)\]]*\s+|[。！？]", r"\s+")
"""Where a text may be cut, best first: after a turn, after a sentence, after a word."""


def split_by_tokens(text: str, limit: int, count: Callable[[str], int]) -> list[str]:
    """Cut *text* into parts of at most *limit* tokens by *count*; together they are the text, to the last character.

    Parts end with a turn (a line). Only a turn that is too long by itself is cut: after a sentence, else after a word, else
    between characters. Raises `ValueError` if even one character is more than the limit.
    """
    if count(text) <= limit:
        return [text]
    atoms = [(atom, count(atom)) for line in text.splitlines(keepends=True) for atom in _fitting(line, limit, count)]
    return [part for group in _packed(atoms, limit) for part in _verified(group, limit, count)]


def _fitting(text: str, limit: int, count: Callable[[str], int]) -> Iterator[str]:
    """Halve *text* at its best borders until each piece fits."""
    if count(text) <= limit:
        yield text
        return
    if len(text) == 1:
        raise ValueError(f"a limit of {limit} tokens is too small for a single character")
    cut = _best_cut(text)
    yield from _fitting(text[:cut], limit, count)
    yield from _fitting(text[cut:], limit, count)


def _best_cut(text: str) -> int:
    """Return the best border's position, the nearest to the middle of its kind."""
    middle = len(text) // 2
    for border in _BORDERS:
        cuts = [found.end() for found in re.finditer(border, text) if found.end() < len(text)]
        if cuts:
            return min(cuts, key=lambda cut: abs(cut - middle))
    return middle


def _packed(atoms: Iterable[tuple[str, int]], limit: int) -> Iterator[list[str]]:
    """Group neighbouring pieces while the sum of their tokens is within the limit."""
    group: list[str] = []
    tokens = 0
    for atom, size in atoms:
        if group and tokens + size > limit:
            yield group
            group, tokens = [], 0
        group.append(atom)
        tokens += size
    yield group


def _verified(group: Sequence[str], limit: int, count: Callable[[str], int]) -> Iterator[str]:
    """Join a group, or its halves: some tokenizers count more for a text than for its pieces."""
    joined = "".join(group)
    if len(group) == 1 or count(joined) <= limit:
        yield joined
        return
    half = len(group) // 2
    yield from _verified(group[:half], limit, count)
    yield from _verified(group[half:], limit, count)


# ----------------------------------------------------------------------------------------------------------- as JSON


def to_json(utterances: Iterable[Utterance]) -> str:
    """Return turns as compact JSON, `[["A",0,1200,"Hello."],...]`, that any UTF-8 database can keep."""
    rows = [(turn.speaker, turn.start_ms, turn.end_ms, turn.text) for turn in utterances]
    compact = json.dumps(rows, ensure_ascii=False, separators=(",", ":"))
    try:
        compact.encode()
    except UnicodeEncodeError:  # half an emoji, as vendors' JSON sometimes has it
        return json.dumps(rows, separators=(",", ":"))
    return compact


def from_json(text: str) -> tuple[Utterance, ...]:
    """Return the turns that `to_json` wrote. Raises `ValueError` for anything else."""
    match json.loads(text):
        case list() as rows:
            return tuple(map(_turn, rows))
        case _:
            raise ValueError("stored turns are not a list")


def _turn(row: object) -> Utterance:
    match row:
        case [None | str() as speaker, int() as start_ms, int() as end_ms, str() as text]:
            return Utterance(speaker=speaker, start_ms=start_ms, end_ms=end_ms, text=text)
        case _:
            raise ValueError("a stored turn is not [speaker, start, end, text]")
