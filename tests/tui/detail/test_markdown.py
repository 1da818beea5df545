"""Is Markdown readable on a terminal, also while it is written, and harmless whatever it says?"""

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from focusflow.tui.detail.markdown import ASCII_SIGNS, Reader, Signs, difference, read


def lines(markdown: str) -> list[str]:
    return [shown.text for shown in read(markdown, Signs())]


def test_a_summary_reads_well() -> None:
    """Headings, lists, tasks, quotes, code and tables keep their meaning without their signs."""
    markdown = (
        "# Call\nBen *can* start on **9 March**.\n\n\n- one\n  - two\n1. first\n- [x] done\n- [ ] open\n> said\n---\n"
        "```\n**raw**\n```\n| a | b |\n|---|---|\n| 1 | 2 |\n"
    )
    assert lines(markdown) == [
        *("Call", "Ben can start on 9 March.", "", "• one", "  • two", "1. first", "☑ done", "☐ open", "│ said"),
        *("─" * 24, "  **raw**", "a   b", "1   2"),
    ]


def test_a_link_is_written_out() -> None:
    """Nothing is hidden behind a word: the address can be read before anybody follows it."""
    assert lines("See [the bank](https://evil.example/x).") == ["See the bank https://evil.example/x."]


def test_signs_can_be_ascii() -> None:
    """A terminal without symbols gets letters."""
    assert [shown.text for shown in read("- one\n> two", ASCII_SIGNS)] == ["- one", "| two"]


@given(st.text(max_size=400), st.integers(1, 40))
def test_in_pieces_it_looks_as_in_one(markdown: str, size: int) -> None:
    """However the words arrive, the finished text looks the same."""
    reader, whole = Reader(Signs()), Reader(Signs())
    for start in range(0, len(markdown), size):
        reader.hear(markdown[start : start + size])
        reader.paragraphs()
    whole.hear(markdown)
    assert reader.paragraphs() == whole.paragraphs()


@given(st.text(max_size=400))
def test_spans_lie_in_their_text(markdown: str) -> None:
    """No emphasis reaches beyond the line it is in."""
    for shown in read(markdown, Signs()):
        assert all(0 <= span.start < span.end <= len(shown.text) for span in shown.spans)


@pytest.mark.parametrize("text", ["*" * 100_000, "[" * 100_000, "[a](" * 25_000, "_a *b " * 20_000, "> " * 50_000])
def test_no_text_takes_longer_than_its_length_deserves(text: str) -> None:
    """What would tie up a parser is read in passing."""
    started = time.perf_counter()
    assert lines(text)
    assert time.perf_counter() - started < 2


def test_a_comparison_marks_by_sign() -> None:
    """What was added and what was taken away is told without colour."""
    assert [shown.text for shown in difference(["a", "b"], ["a", "c"])] == ["...", " a", "-b", "+c"]
