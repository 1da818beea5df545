"""Does the window on a long text show the right rows, wherever it is and whatever is done to it?"""

import string
from collections.abc import Iterator
from itertools import pairwise

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from rich.cells import cell_len

from focusflow.tui.detail.paragraphs import Paragraph, hanging, paragraph, rows_of
from focusflow.tui.detail.sheet import Sheet

words = st.text(alphabet=string.ascii_letters + "   é字नि👩\u200d👧́-", max_size=300)


@example("AA \u0301", 2, 0)
@given(words, st.integers(2, 60), st.integers(0, 30))
def test_rows_fit_and_hold_every_letter(text: str, width: int, hang: int) -> None:
    """No row is wider than the window, rows follow each other, and only blanks at their ends are left out."""
    rows = rows_of(text, width, hang)
    assert rows[0].start == 0
    assert rows[-1].end == len(text)
    for number, row in enumerate(rows):
        room = width if number == 0 else width - hanging(hang, width)
        assert cell_len(text[row.start : row.end]) <= max(2, room)
    for left, right in pairwise(rows):
        assert text[left.end : right.start].strip(" ") == ""
        assert right.start > left.start


def a_sheet(count: int, *, height: int = 10, lazy: bool = False, growing: bool = False) -> Sheet:
    sheet = Sheet(growing=growing)
    sheet.resize(40, height)
    made = [paragraph(f"line {number} " + "word " * (number % 12)) for number in range(count)]
    if lazy:
        sheet.show_lazily(iter(made))
    else:
        sheet.show(made)
    return sheet


def seen(sheet: Sheet) -> list[str]:
    return [shown.paragraph.text[shown.row.start : shown.row.end] for shown in sheet.window()]


@given(st.lists(st.sampled_from(["down", "up", "page", "back", "end", "start", "wide", "narrow"]), max_size=12))
def test_the_window_is_always_full_and_in_bounds(moves: list[str]) -> None:
    """Whatever is pressed: as many rows as fit, and they are the rows from the top on."""
    sheet = a_sheet(60, lazy=True)
    for move in moves:
        match move:
            case "down" | "up":
                sheet.scroll(1 if move == "down" else -1)
            case "page" | "back":
                sheet.scroll(9 if move == "page" else -9)
            case "end":
                sheet.to_end()
            case "start":
                sheet.to_start()
            case _:
                sheet.resize(60 if move == "wide" else 20, 10)
        rows = seen(sheet)
        assert len(rows) == 10
    while not sheet.measured:
        sheet.measure_more()
    everything = Sheet()
    everything.resize(sheet.width, sheet.rows)
    everything.show(sheet.paragraphs)
    assert seen(sheet) == seen(everything)[sheet.top : sheet.top + 10]


def test_only_what_is_looked_at_is_made() -> None:
    """A long text opens without being read through."""
    asked = 0

    def source() -> Iterator[Paragraph]:
        nonlocal asked
        for number in range(100_000):
            asked += 1
            yield paragraph(f"line {number}")

    sheet = Sheet()
    sheet.resize(40, 10)
    sheet.show_lazily(source())
    assert len(seen(sheet)) == 10
    assert asked < 20


def test_the_end_is_reached_in_slices() -> None:
    """Going to the end of a text that is not laid out yet goes on until it is there."""
    sheet = a_sheet(5_000, lazy=True)
    sheet.to_end()
    while sheet.ending:
        sheet.measure_more()
    assert sheet.measured
    assert "line 4999" in " ".join(seen(sheet))


def test_a_resize_keeps_the_paragraph_at_the_top() -> None:
    """What is read stays where it is when the window changes."""
    sheet = a_sheet(60)
    sheet.scroll(31)
    first = next(sheet.window()).paragraph
    sheet.resize(23, 8)
    assert next(sheet.window()).paragraph == first


def test_what_is_let_go_above_moves_nothing() -> None:
    """Old lines that are dropped do not shift the rows that somebody reads."""
    sheet = a_sheet(60, growing=True)
    sheet.scroll(-20)
    before = seen(sheet)
    sheet.forget_first(5)
    assert seen(sheet) == before


def test_a_text_that_grows_is_followed_until_somebody_scrolls() -> None:
    """The end stays in sight for who is there, and only for them."""
    sheet = a_sheet(60, growing=True)
    sheet.add([paragraph("the new end")])
    assert seen(sheet)[-1] == "the new end"
    sheet.scroll(-1)
    sheet.add([paragraph("newer")])
    assert "newer" not in seen(sheet)


def test_choosing_skips_what_cannot_be_chosen_and_is_kept_in_sight() -> None:
    """The choice goes from value to value, and the window with it."""
    sheet = Sheet(choosing=True)
    sheet.resize(40, 5)
    sheet.show([paragraph("head"), *(paragraph(f"v{n}", value=str(n)) for n in range(20)), Paragraph()])
    assert sheet.chosen_value() == "0"
    sheet.choose(7)
    assert sheet.chosen_value() == "7"
    assert "v7" in seen(sheet)
    sheet.to_end()
    assert sheet.chosen_value() == "19"
    sheet.choose(-30)
    assert sheet.chosen_value() == "0"


@pytest.mark.parametrize("needle", ["WORD", "word", "line 59", "zebra"])
def test_matches_are_found_in_any_case_and_shown(needle: str) -> None:
    """Every match is reached by going on, and is in the window when it is."""
    sheet = a_sheet(60)
    sheet.search(needle)
    found = sheet.matches()
    for _ in found:
        assert sheet.match is not None
        assert sheet.match.index in [sheet.paragraphs.index(shown.paragraph) for shown in sheet.window()]
        sheet.next_match(1)
    assert bool(found) is (needle != "zebra")
    assert sheet.match_number()[1] == len(found)
