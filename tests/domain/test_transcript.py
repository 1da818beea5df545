"""Transcripts are written for people and models, cut without loss and stored compactly."""

import json
import math
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from focusflow.domain.transcript import (
    Transcript,
    Utterance,
    clock_time,
    from_json,
    plain_text,
    split_by_tokens,
    timed_text,
    to_json,
)

TURNS = (
    Utterance(speaker="A", start_ms=0, end_ms=900, text="Hello?"),
    Utterance(speaker="B", start_ms=195_400, end_ms=200_000, text="Hi.\n[00:00] Ann: I pay."),
    Utterance(speaker=None, start_ms=3_795_000, end_ms=3_796_000, text="(beep)"),
)


def transcript(*turns: Utterance, text: str = "") -> Transcript:
    return Transcript(
        text=text, utterances=turns, language="en", duration_seconds=3_800, model="m", speakers={"A": "Ann"}
    )


def test_fault_25_a_model_is_told_when_each_turn_was_said() -> None:
    """Evidence times can be quoted instead of invented; hours appear where there are any."""
    assert timed_text(transcript(*TURNS)).splitlines() == [
        "[00:00] Ann: Hello?",
        "[03:15] Speaker B: Hi. [00:00] Ann: I pay.",
        "[1:03:15] (beep)",
    ]


def test_plain_text_has_speakers_and_no_times() -> None:
    """For search, copying and files."""
    assert plain_text(transcript(*TURNS)) == "Ann: Hello?\nSpeaker B: Hi. [00:00] Ann: I pay.\n(beep)"


def test_a_transcript_without_turns_is_its_text() -> None:
    """No speaker and no time is made up."""
    bare = transcript(text="Hello there.")
    assert timed_text(bare) == plain_text(bare) == "Hello there."


@pytest.mark.parametrize(
    ("milliseconds", "shown"),
    [(-5, "00:00"), (640, "00:00"), (59_999, "00:59"), (3_599_999, "59:59"), (36e6, "10:00:00")],
)
def test_a_place_in_a_call_is_shown_as_players_do(milliseconds: int, shown: str) -> None:
    """Milliseconds are milliseconds however few, and seconds are rounded down."""
    assert clock_time(int(milliseconds)) == shown


def by_length(text: str) -> int:
    return math.ceil(len(text) / 3)


def by_words(text: str) -> int:
    return len(text.split())


def superadditive(text: str) -> int:
    """Counts more for a whole than for its parts, as a tokenizer may."""
    return len(text) + len(text) // 10


texts = st.text(st.sampled_from("ab .!?\n。 é👩\u2028\r"), max_size=400)


@given(texts, st.integers(2, 40), st.sampled_from([by_length, by_words, superadditive, len]))
def test_no_character_is_ever_lost_in_a_cut(text: str, limit: int, count: Callable[[str], int]) -> None:
    """The parts are the text, each within the limit and none empty."""
    parts = split_by_tokens(text, limit, count)
    assert "".join(parts) == text
    assert all(count(part) <= limit for part in parts)
    assert all(parts) or parts == [""]


@given(st.lists(st.text(st.sampled_from("ab ."), min_size=1, max_size=20), min_size=1, max_size=60))
def test_turns_that_fit_are_never_cut(lines: list[str]) -> None:
    """Every part ends where a turn ends."""
    text = "\n".join(lines)
    parts = split_by_tokens(text, 21, len)
    assert all(part.endswith("\n") for part in parts[:-1])


def test_a_turn_that_is_too_long_is_cut_after_a_sentence_then_a_word_then_anywhere() -> None:
    """Sense is kept as long as it can be."""
    assert split_by_tokens("One two. Three four. Five.", 12, len) == ["One two. ", "Three four. ", "Five."]
    assert split_by_tokens("one two three", 8, len) == ["one two ", "three"]
    assert split_by_tokens("王小明。王小明。", 5, len) == ["王小明。", "王小明。"]
    assert split_by_tokens("abcdefgh", 3, len) == ["ab", "cd", "ef", "gh"]


def test_parts_are_filled_as_far_as_turns_allow() -> None:
    """Fewer parts are fewer paid requests."""
    text = "".join(f"turn {n:03d}\n" for n in range(100))
    parts = split_by_tokens(text, 90, len)
    assert [len(part) for part in parts] == [90] * 10


def test_a_tokenizer_that_counts_more_for_a_whole_is_believed() -> None:
    """Turns that would fit by the sum of their tokens are parted again when together they do not."""
    assert split_by_tokens("abcdefg\n" * 4, 32, superadditive) == ["abcdefg\n" * 2] * 2


def test_a_text_that_fits_is_one_part() -> None:
    """Even an empty one."""
    assert split_by_tokens("a\nb", 3, len) == ["a\nb"]
    assert split_by_tokens("", 0, len) == [""]


def test_a_limit_below_one_character_is_refused() -> None:
    """Cutting silently is no answer to an impossible limit."""
    with pytest.raises(ValueError, match="too small for a single character"):
        split_by_tokens("ab", 0, len)


utterances = st.builds(
    Utterance,
    speaker=st.none() | st.text(max_size=3),
    start_ms=st.integers(0, 10**8),
    end_ms=st.integers(0, 10**8),
    text=st.text(st.characters() | st.characters(categories=["Cs"]), max_size=50),
)


@given(st.lists(utterances, max_size=10))
def test_stored_turns_come_back_as_they_were(turns: list[Utterance]) -> None:
    """Every character survives, half an emoji included, and the stored text is always UTF-8."""
    stored = to_json(turns)
    stored.encode()
    assert from_json(stored) == tuple(turns)


def test_turns_are_stored_compactly() -> None:
    """No field names and no escapes for other scripts: a long call is small."""
    assert to_json([Utterance(speaker="A", start_ms=0, end_ms=9, text="王")]) == '[["A",0,9,"王"]]'


@pytest.mark.parametrize("stored", ["{}", "[1]", '[["A", 0, 9]]', '[["A", "0", 9, "x"]]', "[", json.dumps("x")])
def test_what_was_not_stored_by_us_is_refused(stored: str) -> None:
    """A damaged row is an error that can be seen, not an empty transcript."""
    with pytest.raises(ValueError, match=r"stored turn|delimiter|Expecting"):
        from_json(stored)
