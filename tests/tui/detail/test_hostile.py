"""Can anything that a caller, a file name or a service says break the panes, or reach the terminal as a command?"""

import json
import unicodedata
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace
from textual.pilot import Pilot

from focusflow.domain.jobs import JobId, Status
from focusflow.domain.transcript import Transcript, Utterance

HOSTILE: list[str] = json.loads(Path(__file__).parent.with_name("hostile.json").read_text(encoding="ascii"))
MARKUP = [
    "[/]",
    "[/foo] x",
    "a[/b",
    "[link=http://x]y[/link]",
    "[type=x, v={'a[0]'}]",
    "[red]x",
    "[@click=app.bell]x[/]",
]
BIDI = set("\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")

Shown = Callable[..., AbstractAsyncContextManager[Pilot[Any]]]


def poisoned(desk: Any, job_id: JobId, poison: str) -> None:
    """Put *poison* wherever somebody outside can put it."""
    documents = desk.documents[job_id]
    turns = tuple(Utterance(speaker=who, start_ms=0, end_ms=1, text=poison) for who in ("A", poison, None))
    desk.documents[job_id] = replace(
        documents,
        transcript=Transcript(
            text=poison, utterances=turns, language=poison, duration_seconds=1.0, model=poison, speakers={"A": poison}
        ),
        summary=replace(documents.summary, markdown=poison, title=poison, model=poison),
    )
    desk.versions[job_id] = [replace(desk.versions[job_id][0], summary=desk.documents[job_id].summary)]
    desk.attempts[job_id] = tuple(replace(attempt, error=poison) for attempt in desk.attempts[job_id])
    desk.change(
        job_id, contact_name=poison, contact_number=poison, file_name=poison, title=poison, error_message=poison,
        status=Status.FAILED, claimed_by=poison, web_url=f"https://{poison}", upload_ref=poison,
    )  # fmt: skip
    desk.log(job_id, poison, level="error")


def dangers(text: str) -> set[str]:
    return {
        letter
        for letter in text
        if letter in BIDI or (unicodedata.category(letter) in ("Cc", "Cs", "Zl", "Zp") and letter != "\n")
    }


TOGETHER = [" ".join(HOSTILE[start : start + 8]) for start in range(0, len(HOSTILE), 8)]
"""Short enough to be in sight together, and fewer."""


@pytest.mark.parametrize("texts", [MARKUP, HOSTILE[::12], TOGETHER], ids=["markup", "alone", "together"])
async def test_no_text_is_obeyed_or_crashes(
    shown: Shown, desk: Any, a_call: Callable[[Status], JobId], texts: list[str]
) -> None:
    """Each hostile string stands in every field at once, and every pane shows it as harmless letters."""
    job_id = a_call(Status.COMPLETED)
    async with shown(None) as pilot:
        for poison in texts:
            poisoned(desk, job_id, poison)
            app: Any = pilot.app
            await app.detail.show(job_id)
            for key in "12345":
                await pilot.press(key)
                assert dangers(app.screen_text()) == set(), (poison, key)
        await pilot.press("2", "e")
        await pilot.pause()
        assert dangers(app.screen_text()) == set()


async def test_markup_is_shown_as_it_is(shown: Shown, desk: Any, a_call: Callable[[Status], JobId]) -> None:
    """Brackets are letters like any other."""
    job_id = a_call(Status.COMPLETED)
    poisoned(desk, job_id, "[red]x[/red] [/]")
    async with shown(job_id, keys="5") as pilot:
        app: Any = pilot.app
        assert app.screen_text().count("[red]x[/red] [/]") >= 3


async def test_a_field_of_ten_megabytes_opens(shown: Shown, desk: Any, a_call: Callable[[Status], JobId]) -> None:
    """An absurd length is shown from its beginning, in every pane, and can be searched."""
    job_id = a_call(Status.COMPLETED)
    poisoned(desk, job_id, "word " * 2_000_000)
    async with shown(job_id) as pilot:
        app: Any = pilot.app
        for key in "12345":
            await pilot.press(key)
            assert "word word" in app.screen_text()
        await pilot.press("2", "slash", *"word", "enter")
        assert "1 of" in app.screen_text()
