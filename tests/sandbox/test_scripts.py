"""Are the scripted conversations consistent: times, durations, tags, quotes, size?"""

import re
from itertools import pairwise
from pathlib import Path

import pytest

import focusflow.sandbox
from focusflow.sandbox.scripts import KEYS, SCRIPTS, Script, unknown_script

SPOKEN_KEYS = [key for key in KEYS if key != "pocket-dial"]


@pytest.fixture(params=SPOKEN_KEYS)
def script(request: pytest.FixtureRequest) -> Script:
    """Each conversation in which somebody speaks."""
    return SCRIPTS[str(request.param)]


def test_there_is_a_script_for_each_agreed_key() -> None:
    """The recordings refer to the scripts by these keys."""
    assert list(SCRIPTS) == list(KEYS)
    assert len(set(KEYS)) == 12


def test_a_script_is_timed_within_its_duration(script: Script) -> None:
    """Nobody speaks before the start, after the end, or for no time at all, and lines come in order."""
    assert script.utterances[0].start_ms > 0
    assert script.utterances[-1].end_ms <= script.duration_seconds * 1000
    assert all(line.start_ms < line.end_ms for line in script.utterances)
    assert all(earlier.end_ms <= later.start_ms for earlier, later in pairwise(script.utterances))


def test_a_script_is_a_conversation_of_two(script: Script) -> None:
    """A speaks first, as a diarizer labels the speakers in the order in which it hears them."""
    assert {line.speaker for line in script.utterances} == {"A", "B"} == set(script.speakers)
    assert script.utterances[0].speaker == "A"
    assert 0.5 < script.speech_share < 0.98


def test_an_ordinary_script_is_short(script: Script) -> None:
    """All but the hour have a dozen to forty lines."""
    if script.key != "team-retro-hour":
        assert 12 <= len(script.utterances) <= 40


def test_a_summary_is_markdown_of_every_kind(script: Script) -> None:
    """The sink has headings, nested bullets, a table, to-dos, bold text and quotes to render."""
    summary = script.summary_markdown
    assert summary.startswith("# ")
    for construct in ("\n## ", "\n- ", "\n| --- |", "\n- [ ] ", "**", "\n> "):
        assert construct in summary, construct
    assert re.search(r"\n {2,3}- ", summary)


def test_every_quote_was_said_at_the_time_it_gives(script: Script) -> None:
    """The evidence in a summary is literal, and its time is the moment of the line."""
    quotes = re.findall(r'^> "([^"]+)".*\[(\d\d):(\d\d)\]$', script.summary_markdown, re.MULTILINE)
    said = {line.text: line.start_ms for line in script.utterances}
    for quote, minutes, seconds in quotes:
        around = int(minutes) * 60 + int(seconds)
        moments = [start_ms // 1000 for text, start_ms in said.items() if quote in text]
        assert any(abs(moment - around) <= 10 for moment in moments), quote
    assert len(quotes) == script.summary_markdown.count("\n> ")
    assert "[@" not in script.summary_markdown


def test_conversations_differ() -> None:
    """No two scripts share a line that would make one look like the other in a prompt."""
    seen: dict[str, str] = {}
    for script in SCRIPTS.values():
        for line in script.utterances:
            if len(line.text) > 40:
                assert seen.setdefault(line.text, script.key) == script.key


def test_the_retro_is_an_hour_of_many_lines() -> None:
    """One conversation is long enough for a summary in parts."""
    script = SCRIPTS["team-retro-hour"]
    assert script.duration_seconds == 3600
    assert 700 <= len(script.utterances) <= 900
    assert script.utterances[-1].end_ms > 3_590_000
    assert len({line.text for line in script.utterances}) > 500


def test_the_pocket_dial_is_silent() -> None:
    """Three seconds in which nobody speaks."""
    script = SCRIPTS["pocket-dial"]
    assert (script.duration_seconds, len(script.utterances), script.speech_share) == (3, 0, 0.0)


def test_two_conversations_are_in_other_languages() -> None:
    """German and Spanish calls, summarized in their language."""
    assert SCRIPTS["german-invoice"].language == "de"
    assert "## Aufgaben" in SCRIPTS["german-invoice"].summary_markdown
    assert SCRIPTS["spanish-order"].language == "es"
    assert "## Tareas" in SCRIPTS["spanish-order"].summary_markdown


@pytest.mark.parametrize("seconds", [0, 1, 3, 59, 3600])
def test_unknown_audio_says_something_for_as_long_as_it_lasts(seconds: int) -> None:
    """Audio of any length gets an everyday conversation that fits into it."""
    script = unknown_script(seconds)
    assert script.duration_seconds == seconds
    assert all(line.end_ms <= seconds * 1000 for line in script.utterances)
    assert bool(script.utterances) == (seconds > 3)


def test_the_texts_are_small() -> None:
    """The wheel carries them, so they stay below 150 KB."""
    folder = Path(focusflow.sandbox.__file__).parent / "conversations"
    assert 20_000 < sum(file.stat().st_size for file in folder.iterdir()) < 150_000
