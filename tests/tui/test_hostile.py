"""Can a name, a file's name or a service's words break the front page, or reach the terminal as a command?"""

import json
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import Any

import pytest

from focusflow.domain.jobs import Job, JobId, Status, Step
from focusflow.events import Bus, LoopTicked, ServiceChanged, ServiceState
from focusflow.ports import JobRow

HOSTILE: list[str] = json.loads(Path(__file__).with_name("hostile.json").read_text(encoding="ascii"))
MARKUP = ["[/]", "[/foo] x", "a[/b", "[link=http://x]y[/link]", "[type=x, v={'a[0]'}]", "[red]x", "$x [b"]
BIDI = set("\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")

Opened = Callable[..., AbstractAsyncContextManager[Any]]


def obeyed(text: str) -> set[str]:
    """Return what a terminal would obey in a text."""
    return {letter for letter in text if (ord(letter) < 32 and letter != "\n") or 127 <= ord(letter) < 160} | (
        set(text) & BIDI
    )


@pytest.mark.parametrize("size", [(80, 24), (200, 50)], ids=["narrow", "wide"])
async def test_no_text_from_outside_reaches_the_terminal_as_it_came(
    opened: Opened,
    empty_desk: Any,
    bus: Bus,
    call: Callable[..., Job],
    text_of: Callable[[Any], str],
    size: tuple[int, int],
) -> None:
    """Every string of the corpus as a name, a number, a type, a title, an error, a reason, a service and a worker."""
    for place, poison in enumerate([*HOSTILE, *MARKUP]):
        kinds: tuple[dict[str, Any], ...] = (
            {"status": Status.FAILED, "error_message": poison, "error_step": Step.SYNC},
            {"hold_kind": "budget", "hold_reason": poison},
            {"status": Status.SKIPPED, "skip_reason": poison},
            {"status": Status.COMPLETED, "title": poison},
            {"status": Status.TRANSCRIBING, "claimed_by": poison},
        )
        job = call(
            place, contact_name=poison, contact_number=poison, call_type=poison, file_name=poison, **kinds[place % 5]
        )
        empty_desk.add(JobRow(job=job, deliveries=()))
    async with opened(size=size, desk=empty_desk) as pilot:
        for service in ("[/]", "\x1b[31mred"):
            bus.publish(ServiceChanged(service=service, state=ServiceState.BROKEN, reason=service))
            bus.publish(
                LoopTicked(loop=service, at=call(0).discovered_at, error=service, failures_in_a_row=3, summary="")
            )
        await pilot.pause(0.3)
        seen = set()
        for _ in range(len(empty_desk.calls)):
            seen |= obeyed(text_of(pilot.app))
            await pilot.press("j")
        assert seen == set()
        assert pilot.app.table.row.job.id == f"call{len(empty_desk.calls) - 1:06d}"


@pytest.mark.parametrize("poison", [*MARKUP, "\x1b]0;owned\x07", "\u202egnp.exe", "a\nb"])
async def test_questions_and_answers_show_it_plain(
    opened: Opened, empty_desk: Any, call: Callable[..., Job], text_of: Callable[[Any], str], poison: str
) -> None:
    """A question names the call; a search is repeated on the screen."""
    empty_desk.add(call(1, contact_name=poison, status=Status.FAILED, error_message=poison))
    async with opened(desk=empty_desk) as pilot:
        pilot.app.table.go_to(JobId("call000001"))
        await pilot.press("r")
        await pilot.pause(0.2)
        seen = obeyed(text_of(pilot.app))
        await pilot.press("escape")
        pilot.app.say(poison)
        pilot.app._search(poison)
        await pilot.pause(0.3)
        assert seen | obeyed(text_of(pilot.app)) == set()
