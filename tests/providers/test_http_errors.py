"""Is what a service says when it refuses understood, whatever its shape?"""

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from focusflow.providers.http_errors import LONGEST_SENTENCE, retry_after, sentence, sentence_in

NOW = datetime(2026, 11, 23, 9, tzinfo=UTC)


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({"retry-after": "7"}, 7.0),
        ({"retry-after": "0"}, 0.0),
        ({"retry-after": "0.5"}, 0.5),
        ({"retry-after": "Mon, 23 Nov 2026 09:01:00 GMT"}, 60.0),
        ({"retry-after": "Mon, 23 Nov 2026 08:00:00 GMT"}, 0.0),
        ({"retry-after-ms": "250", "retry-after": "9"}, 0.25),
        ({"retry-after": "-1"}, None),
        ({"retry-after": "inf"}, None),
        ({"retry-after": "nan"}, None),
        ({"retry-after": ""}, None),
        ({}, None),
    ],
)
def test_the_wait_is_read_in_every_form(headers: dict[str, str], seconds: float | None) -> None:
    """Seconds, milliseconds, a date; nonsense asks for nothing."""
    assert retry_after(headers, now=NOW) == seconds


@given(st.text())
def test_no_header_is_an_error(value: str) -> None:
    """It comes from outside."""
    seconds = retry_after({"retry-after": value}, now=NOW)
    assert seconds is None or seconds >= 0


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (b'{"error": "Too\\n  short."}', "Too short."),
        (b'{"error": {"message": "No.", "code": null}}', "No."),
        (b'{"message": "No."}', "No."),
        (b'{"detail": "No."}', "No."),
        (b'{"error": ""}', None),
        (b'{"error": {"code": 5}}', None),
        (b'["No."]', None),
        (b"<html>502</html>", None),
        (b"\xff\xfe", None),
        (b"", None),
    ],
)
def test_the_services_words_are_found(body: bytes, words: str | None) -> None:
    """A proxy's page has none."""
    assert sentence_in(body) == words


def test_a_long_story_is_cut() -> None:
    """It goes into a line of the screen."""
    words = sentence_in(b'{"error": "' + b"a" * 1000 + b'"}')
    assert words is not None
    assert len(words) == LONGEST_SENTENCE


def test_parts_become_sentences() -> None:
    """Whoever ended one with a full stop does not get a second one."""
    assert sentence("No", None, "Really.", "Why?", "") == "No. Really. Why?"
