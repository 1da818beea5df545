"""Speakers get names only where somebody says who they are."""

import time
from datetime import date
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from focusflow.domain.recordings import read_file_name
from focusflow.domain.transcript import Transcript, Utterance, named_speakers
from focusflow.sandbox.recordings import standard_recordings
from focusflow.sandbox.scripts import SCRIPTS

OWNER, CONTACT = "Maya Lindqvist", "Robert Hale, Meridian Bank"


def call(*turns: tuple[str | None, str], speakers: dict[str, str] | None = None) -> Transcript:
    utterances = tuple(
        Utterance(speaker=label, start_ms=n * 1_000, end_ms=n * 1_000 + 900, text=text)
        for n, (label, text) in enumerate(turns)
    )
    return Transcript(
        text=" ".join(text for _, text in turns),
        utterances=utterances,
        language="en",
        duration_seconds=60,
        model="universal-2",
        speakers=speakers or {},
    )


def names(*turns: tuple[str | None, str], owner: str | None = OWNER, contact: str | None = CONTACT) -> dict[str, str]:
    return named_speakers(call(*turns), owner, contact).speakers


@pytest.mark.parametrize(
    "introduction",
    [
        "This is Robert Hale.",
        "Good afternoon. My name is Robert Hale, I'm calling from the bank.",
        "Hi Maya, this is Robert from Meridian Bank.",
        "Hello Maya this is Robert.",
        "Yes, it's Robert.",
        "Hi, it\u2019s Robert here.",
        "Robert Hale speaking.",
        "Robert here from Meridian Bank.",
        "This is Mr. Hale.",
        "Guten Tag, hier ist Herr Hale von der Meridian Bank.",
        "Hola, soy Robert.",
        "Bonjour, je m'appelle Robert Hale.",
        "Pronto, sono Robert.",
        "Alô, aqui é o Robert.",
        "Goedemiddag, mijn naam is Robert Hale.",
    ],
)
def test_one_introduction_names_both_parties(introduction: str) -> None:
    """Who says the contact's name as their own is the contact, so the other is the phone's owner."""
    assert names(("A", introduction), ("B", "Oh, good day.")) == {"A": CONTACT, "B": OWNER}
    assert names(("A", "Yes?"), ("B", introduction)) == {"B": CONTACT, "A": OWNER}


def test_the_owners_introduction_names_the_contact() -> None:
    """It works from the other end as well."""
    assert names(("A", "Maya Lindqvist speaking."), ("B", "Hi, about the card.")) == {"A": OWNER, "B": CONTACT}


def test_two_introductions_that_agree_name_both() -> None:
    """Both say who they are."""
    assert names(("A", "Hello, Maya speaking."), ("B", "Hi Maya, this is Robert.")) == {"A": OWNER, "B": CONTACT}


@pytest.mark.parametrize(
    "turn",
    [
        "Hello.",
        "Is this Robert?",
        "Am I speaking with Mr. Robert Hale?",
        "Is Robert here?",
        "Is Robert here.",
        "This is Robert's brother.",
        "This is Robert\u2019s office.",
        "This is Robert Jones.",
        "She said this is Robert.",
        "It's Robert who told me.",
        "I'm fine, thanks, Robert.",
        "I'm at home.",
        "Robert speaking of money is new.",
        "My name is, uh, Robert.",
        "Robert, how are you?",
        "Hello Robert?",
        "Hale, guten Tag.",
        "Guten Tag Hale.",
        "Hello Robert Jones.",
        "Hi there.",
        "Say hello to Robert.",
        "This is 42.",
    ],
)
def test_what_is_not_an_introduction_names_nobody(turn: str) -> None:
    """Questions, other people, other surnames and hearsay are no evidence."""
    assert names(("A", turn), ("B", "Good day.")) == {}


@pytest.mark.parametrize(
    "turns",
    [
        [("A", "This is Robert."), ("B", "This is Robert.")],
        [("A", "This is Robert."), ("A", "This is Maya."), ("B", "Hello.")],
        [("A", "This is Robert."), ("A", "This is Sam."), ("B", "Hello.")],
        [("A", "This is Robert."), ("B", "Hello."), ("C", "Hello.")],
        [("A", "This is Robert."), ("A", "Hello?")],
        [(None, "This is Robert."), (None, "Hello.")],
        [("B", "Hello."), *[("A", "Well.")] * 5, ("A", "This is Robert.")],
    ],
)
def test_contradictions_and_crowds_name_nobody(turns: list[tuple[str | None, str]]) -> None:
    """Two Roberts, one voice with two names, three voices, one voice, no labels, or a name that falls late: labels stand."""
    assert names(*turns) == {}


@pytest.mark.parametrize(
    "greeting",
    [
        "Hi Robert, how are you?",
        "Hi Robert. Go on, what is it?",
        "Robert, good morning. Can you hear me well?",
        "Mr. Hale, hello, it is about the roof.",
        "Hello Mr. Hale, yes.",
        "Guten Tag Herr Hale.",
        "Hola Robert, s\u00ed, dime.",
    ],
)
def test_who_is_greeted_by_name_is_that_person(greeting: str) -> None:
    """It is the other voice that bears the name, so the one that greets is the owner."""
    assert names(("A", greeting), ("B", "Fine, thanks.")) == {"B": CONTACT, "A": OWNER}
    assert names(("A", "Yes?"), ("B", greeting)) == {"A": CONTACT, "B": OWNER}


@pytest.mark.parametrize(
    ("question", "answer"),
    [
        ("Good afternoon, am I speaking with Ms. Maya Lindqvist?", "Yes, who is this?"),
        ("Is this Maya?", "Speaking."),
        ("Guten Tag, spreche ich mit Frau Lindqvist?", "Ja, am Apparat."),
    ],
)
def test_a_question_that_is_answered_with_yes_is_an_introduction(question: str, answer: str) -> None:
    """Asked by name, and confirmed at once."""
    assert names(("A", question), ("B", answer)) == {"B": OWNER, "A": CONTACT}
    assert names(("A", question), ("B", "No, wrong number.")) == {}
    assert names(("A", question), ("B", "Who is asking?"), ("B", answer)) == {}


@pytest.mark.parametrize(
    "turns",
    [
        [("A", "Hi Robert."), ("B", "Hi Robert.")],
        [("A", "Hi Robert."), ("B", "No, this is Sam.")],
        [("A", "Hi Robert."), ("A", "Hi Maya."), ("B", "Hello.")],
        [("A", "This is Robert."), ("B", "Hi Maya.")],
    ],
)
def test_greetings_that_contradict_name_nobody(turns: list[tuple[str, str]]) -> None:
    """Wrong numbers, a phone that is passed on, and voices that were mixed up."""
    assert names(*turns) == {}


def test_a_voice_that_is_greeted_otherwise_is_not_guessed() -> None:
    """The owner is sure; whoever she calls Bob may be the contact, or may not."""
    assert names(("A", "Hello."), ("B", "Hi Bob, this is Maya.")) == {"B": OWNER}
    assert names(("A", "This is Robert."), ("B", "Hi Bob, this is Maya.")) == {"A": CONTACT, "B": OWNER}


def test_the_owner_is_known_by_the_full_name_whoever_calls() -> None:
    """A number has no name; a caller who bears the owner's first name is not the owner."""
    turns = [("A", "Am I speaking with Ms. Maya Lindqvist?"), ("B", "Yes, who is this?")]
    assert names(*turns, contact=None) == {"B": OWNER}
    assert names(("A", "This is Maya Lindqvist."), ("B", "Hi."), contact="+1 812-555-0113") == {"A": OWNER}
    assert names(("A", "This is Maya."), ("B", "Hi."), contact=None) == {}


def test_the_sandboxs_calls_are_named_and_none_wrongly() -> None:
    """Ten of eleven conversations of two tell who both are, or all that can be known; nobody gets another's name."""
    both = 0
    for recording in standard_recordings(date(2026, 11, 23)):
        if recording.script_key is None or len(SCRIPTS[recording.script_key].speakers) != 2:
            continue
        script = SCRIPTS[recording.script_key]
        details = read_file_name(recording.file_name, ZoneInfo("Europe/London"))
        assert details is not None
        told = names(*((label, text) for label, _, _, text in script.utterances), contact=details.contact_name)
        for label, name in told.items():
            is_owner = script.speakers[label].startswith(OWNER)
            assert name == (OWNER if is_owner else details.contact_name), recording.script_key
        assert told, recording.script_key
        both += len(told) == 2
    assert both >= 10


def test_a_third_persons_introduction_leaves_that_voice_nameless() -> None:
    """The contact is sure of themself; somebody else answered the owner's phone."""
    assert names(("A", "This is Robert Hale."), ("B", "Hi, this is Julia.")) == {"A": CONTACT}


def test_a_name_that_both_share_proves_nothing() -> None:
    """Two Anns need their surnames."""
    turns = [("A", "This is Ann."), ("B", "Hello.")]
    assert names(*turns, owner="Ann Miller", contact="Ann Smith") == {}
    turns = [("A", "This is Ann Smith."), ("B", "Hello.")]
    assert names(*turns, owner="Ann Miller", contact="Ann Smith") == {"A": "Ann Smith", "B": "Ann Miller"}


def test_a_contact_known_by_first_name_may_say_any_surname() -> None:
    """Address books say `Ann`, people on the phone say `Ann Smith`."""
    assert names(("A", "This is Ann Smith."), ("B", "Hi."), contact="Ann") == {"A": "Ann", "B": OWNER}


@pytest.mark.parametrize(("owner", "expected"), [(None, {"A": CONTACT}), ("", {"A": CONTACT})])
def test_an_unknown_owner_stays_a_label(owner: str | None, expected: dict[str, str]) -> None:
    """Only what is known can be certain."""
    assert names(("A", "This is Robert."), ("B", "Hi."), owner=owner) == expected


@pytest.mark.parametrize("contact", [None, "", "+1 812-555-0113", "\U0001f600"])
def test_without_a_contacts_name_nobody_is_named(contact: str | None) -> None:
    """A number is no name, and the other voice could be anybody."""
    assert names(("A", "This is Maya."), ("B", "Hi."), contact=contact) == {}


def test_names_that_are_there_already_stay() -> None:
    """What the transcriber or a person knows is better than a guess."""
    transcript = call(("A", "This is Robert."), ("B", "Hi."), speakers={"A": "Bob"})
    assert named_speakers(transcript, OWNER, CONTACT) is transcript


@given(st.lists(st.tuples(st.sampled_from("AB"), st.text(max_size=60)), max_size=8), st.text(max_size=20))
def test_no_conversation_breaks_the_naming(turns: list[tuple[str, str]], contact: str) -> None:
    """Whatever is said, names are given to voices that are there, and only the two names that are known."""
    given_names = names(*turns, contact=contact)
    assert given_names.keys() <= {label for label, _ in turns}
    assert set(given_names.values()) <= {OWNER, contact}


def test_a_long_turn_is_read_quickly() -> None:
    """No pattern may take time beyond measure on an hour's monologue, however it is made of words."""
    started = time.perf_counter()
    for text in ("a" * 200_000, "Ann " * 50_000, "hi " * 50_000, "this is " * 25_000, "Dr. " * 50_000):
        names(("A", text), ("B", "Hello."))
    assert time.perf_counter() - started < 5
