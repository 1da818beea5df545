"""Can anything from outside still be obeyed by a terminal, or hide in it?"""

import json
import time
import unicodedata
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from focusflow.tui.plain import LINE_LIMIT, plain

HOSTILE: list[str] = json.loads(Path(__file__).with_name("hostile.json").read_text(encoding="ascii"))

harsh = st.text(
    st.one_of(
        st.characters(),
        st.characters(categories=["Cs"]),
        st.sampled_from(
            "\x1b\r\n\t\x07\x9b\u200c\u200d\u200b\u202e\u2066\ufe0e\ufe0f\U000e0061\U000e007f\U0001f3f4\U0001f469\u0301\u0e49a1"
        ),
    )
)
BIDI = set("\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")


def dangers(text: str, *, lines: bool) -> list[str]:
    """What a terminal would obey, what turns text round, and what no terminal can be sent at all."""
    return [
        character
        for character in text
        if character in BIDI
        or unicodedata.category(character) in ("Cs", "Zl", "Zp")
        or (unicodedata.category(character) == "Cc" and not (lines and character == "\n"))
    ]


@pytest.mark.parametrize("lines", [False, True])
@pytest.mark.parametrize("text", HOSTILE, ids=ascii)
def test_nothing_of_the_corpus_is_left_to_obey(text: str, *, lines: bool) -> None:
    """Each hostile string, as a line and as a text."""
    assert dangers(plain(text, lines=lines), lines=lines) == []


@given(text=harsh, lines=st.booleans())
def test_nothing_of_any_text_is_left_to_obey(text: str, *, lines: bool) -> None:
    """Whatever Unicode has, and whatever it has not; the result can be written to a terminal and cleaned again."""
    once = plain(text, lines=lines)

    assert dangers(once, lines=lines) == []
    once.encode()
    assert plain(once, lines=lines) == once


@given(text=st.text(st.characters(categories=["L", "N", "P", "S"], exclude_characters="\u115f\u1160\u3164\uffa0")))
def test_what_can_be_read_stays_as_it_is(text: str) -> None:
    """Letters, figures, signs and symbols of every script."""
    if len(text) <= LINE_LIMIT:
        assert plain(text) == text


@pytest.mark.parametrize(
    "text",
    [
        "Łukasz Żółć",
        "e\u0301",
        "שָׁלוֹם עֲלֵיכֶם",
        "محمد عبد الله",
        "می\u200cخواهم",
        "क्\u200dष",
        "ไทยภาษา น้ำ",
        "日本語の名前",
        "\U0001f469\u200d\U0001f469\u200d\U0001f467\u200d\U0001f466",
        "\U0001f3f4\U000e0067\U000e0062\U000e0065\U000e006e\U000e0067\U000e007f",
        "\U0001f3f3\ufe0f\u200d\U0001f308",
        "\U0001f9d1\U0001f3ff\u200d\U0001f4bb",
        "1\ufe0f\u20e3",
        "\u2764\ufe0f",
        "[red]x[/]",
    ],
    ids=ascii,
)
def test_names_and_emoji_in_use_stay_whole(text: str) -> None:
    """Joiners, selectors and marks where a script or an emoji needs them."""
    assert plain(text) == text


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("\x1b[31mred", "␛[31mred"),
        ("a\tb\nc\r\nd\re", "a b⏎c⏎d⏎e"),
        ("gpj.\u202eexe", "gpj.exe"),
        ("Bob\u200dAlice", "BobAlice"),
        ("a\U000e0073\U000e0065", "a"),
        ("x\ufe0f\ufe0f", "x"),
        ("\u3164", ""),
        ("Z" + "\u0335" * 30, "Z" + "\u0335" * 4),
        ("\ud800!", "\N{REPLACEMENT CHARACTER}!"),
    ],
    ids=ascii,
)
def test_tricks_are_shown_or_gone(text: str, shown: str) -> None:
    """What a person sees instead."""
    assert plain(text) == shown


def test_lines_stay_lines_where_they_are_wanted() -> None:
    """One kind of line end, tabs as spaces."""
    assert plain("a\r\nb\rc\u2028d\n\te", lines=True) == "a\nb\nc\nd\n    e"


def test_what_is_too_long_is_cut_and_says_so() -> None:
    """A line of a file name or an error, not a transcript."""
    shown = plain("x" * 10 * LINE_LIMIT)

    assert (len(shown), shown[-1]) == (LINE_LIMIT, "…")
    assert plain("x" * LINE_LIMIT) == "x" * LINE_LIMIT


@pytest.mark.parametrize("text", ["a word of a talk, an other\n", "слово из разговора\n", "a\x1b[0m word\n"], ids=ascii)
def test_ten_million_characters_take_a_moment(text: str) -> None:
    """A long call's transcript, clean or not; seconds would freeze the screen."""
    whole = text * (10_000_000 // len(text))
    started = time.process_time()

    plain(whole, lines=True)

    assert time.process_time() - started < 2.5
