"""Names are replaced where they are names, and nowhere else."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from focusflow.domain.transcript import (
    Transcript,
    Utterance,
    plain_text,
    renamed,
    renamed_text,
    speaker_shares,
    swapped,
)


def call(speakers: dict[str, str] | None = None, labels: str = "AB") -> Transcript:
    return Transcript(
        text="Hello.",
        utterances=tuple(
            Utterance(speaker=label, start_ms=n * 1_000, end_ms=n * 1_000 + 700, text=f"I am {label}.")
            for n, label in enumerate(labels)
        ),
        language="en",
        duration_seconds=60,
        model="best",
        speakers=speakers or {},
    )


def rewritten(text: str, before: dict[str, str], names: dict[str, str]) -> str:
    return renamed_text(text, call(before), renamed(call(before), names))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Speaker A calls Speaker B.", "Ann Miller calls Bob."),
        ("Speaker A's chairs, **Speaker B**", "Ann Miller's chairs, **Bob**"),
        ("Speaker Al and Speaker ABC, MySpeaker A", "Speaker Al and Speaker ABC, MySpeaker A"),
        ("speaker a", "speaker a"),
        ("`Speaker A` [Speaker A](https://x/Speaker A)", "`Speaker A` [Ann Miller](https://x/Speaker A)"),
    ],
)
def test_whole_names_are_replaced_in_prose(text: str, expected: str) -> None:
    """As they stand, at the borders of words, not in code or addresses."""
    assert rewritten(text, {}, {"A": "Ann Miller", "B": "Bob"}) == expected


def test_names_change_places_in_one_go() -> None:
    """Neither name swallows the other."""
    before = {"A": "Ann", "B": "Ann Miller"}
    assert rewritten("Ann asks Ann Miller.", before, {"A": "Ann Miller", "B": "Ann"}) == "Ann Miller asks Ann."


def test_a_name_inside_one_that_stays_is_left_alone() -> None:
    """Only Ann is renamed; Ann Miller is somebody else."""
    assert rewritten("Ann asks Ann Miller.", {"A": "Ann", "B": "Ann Miller"}, {"A": "Eve"}) == "Eve asks Ann Miller."


def test_a_name_two_voices_share_is_not_guessed_apart() -> None:
    """One becomes two: nobody knows which is meant. Two that become one are clear."""
    assert rewritten("Ann speaks.", {"A": "Ann", "B": "Ann"}, {"B": "Bob"}) == "Ann speaks."
    assert rewritten("Speaker A, Speaker B", {}, {"A": "Ann", "B": "Ann"}) == "Ann, Ann"


def test_scripts_without_spaces_have_no_borders() -> None:
    """A particle follows the name at once."""
    assert rewritten("\u7530\u4e2d\u306f", {"A": "\u7530\u4e2d"}, {"A": "\u9234\u6728"}) == "\u9234\u6728\u306f"


def test_what_a_person_types_is_tidied() -> None:
    """No control bytes, no double spaces; nothing takes the name away."""
    assert renamed(call(), {"A": " Ann\u202e  Miller\x1b "}).speakers == {"A": "Ann Miller"}
    assert renamed(call({"A": "Ann"}), {"A": " "}).speakers == {}
    assert plain_text(renamed(call(), {"A": "Ann"})).startswith("Ann: I am A.")


def test_only_two_speakers_can_be_swapped() -> None:
    """With three it must be said who is who."""
    assert swapped(call({"A": "Ann"})) == {"A": "", "B": "Ann"}
    with pytest.raises(ValueError, match="this call has 3"):
        swapped(call(labels="ABC"))


def test_a_voice_is_told_by_its_words_and_its_share() -> None:
    """In the order in which they begin to speak."""
    first, second = speaker_shares(call({"B": "Bob"}, labels="BAB"))
    assert (first.label, first.name, first.turns, first.talk_ms) == ("B", "Bob", 2, 1_400)
    assert (second.label, second.name, second.first_words) == ("A", None, "I am A.")


words = st.text(st.sampled_from("AnB b.*`[("), min_size=1, max_size=6)


@given(st.text(st.sampled_from("AnB b.*`[("), max_size=60), words, words)
def test_any_text_survives_any_name(text: str, one: str, other: str) -> None:
    """No name is a pattern, and renaming to the same names changes nothing."""
    before = renamed(call(), {"A": one, "B": other})
    assert renamed_text(text, before, before) == text
    assert isinstance(renamed_text(text, before, renamed(before, swapped(before))), str)
