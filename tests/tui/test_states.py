"""Does the front page look in every state as it did when somebody last looked at it?"""

from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager
from datetime import timedelta
from typing import Any

import pytest
from msgspec.structs import replace
from rich.cells import cell_len
from textual.pilot import Pilot

from focusflow.domain.budgets import Period
from focusflow.domain.jobs import Job, JobId, Status, Step
from focusflow.errors import StoreBusy
from focusflow.events import Bus, JobProgress, LoopTicked, ServiceChanged, ServiceState
from focusflow.ports import OverrideKind
from focusflow.tui.app import FocusFlowApp
from focusflow.tui.facts import Facts

Opened = Callable[..., AbstractAsyncContextManager[Any]]
Settle = Callable[[Pilot[Any]], Awaitable[None]]
Text = Callable[[Any], str]

SIZES = pytest.mark.parametrize("size", [(80, 24), (120, 40), (200, 50)], ids=lambda size: f"{size[0]}x{size[1]}")
Size = tuple[int, int]

TO_SET_UP = (
    "2 settings are missing:",
    "- drive.credentials (GOOGLE_SERVICE_ACCOUNT_KEY)",
    "- openai.api_key (OPENAI_API_KEY)",
    "",
    "`focusflow init` writes a configuration.",
    "`focusflow demo` shows the product without one.",
)


@SIZES
async def test_at_work(opened: Opened, bus: Bus, settle: Settle, text_of: Text, size: Size, snapshot: Any) -> None:
    """Calls of every kind, one of them moving."""
    async with opened(size=size) as pilot:
        bus.publish(JobProgress(job_id=JobId("call000001"), step=Step.TRANSCRIBE, done=43, total=100))
        await pilot.press("j", "j", "j", "j", "j", "j", "space")
        await settle(pilot)
        assert text_of(pilot.app) == snapshot


@SIZES
async def test_empty(
    opened: Opened, empty_desk: Any, facts: Facts, settle: Settle, text_of: Text, size: Size, snapshot: Any
) -> None:
    """No call yet."""
    empty_desk.settled, empty_desk.reserved, empty_desk.jobs_today = dict.fromkeys(Period, 0), 0, 0
    empty_desk.daily, empty_desk.saved = (0,) * 30, 0
    async with opened(size=size, desk=empty_desk) as pilot:
        assert text_of(pilot.app) == snapshot


@SIZES
async def test_first_start(
    opened: Opened, empty_desk: Any, facts: Facts, text_of: Text, size: Size, snapshot: Any
) -> None:
    """Nothing is configured: it says what to do."""
    facts = replace(facts, first_start=TO_SET_UP, services=())
    async with opened(size=size, desk=empty_desk, facts=facts, engine=None) as pilot:
        assert text_of(pilot.app) == snapshot


@SIZES
async def test_paused_and_over_budget(
    opened: Opened, desk: Any, settle: Settle, text_of: Text, size: Size, snapshot: Any
) -> None:
    """Words and bar say it, not colour alone."""
    desk.settled[Period.DAY], desk.reserved, desk.unpriced = 4_900_000, 100_000, 2
    async with opened(size=size) as pilot:
        over = text_of(pilot.app)
        await pilot.press("p")
        await pilot.pause(0.7)
        await settle(pilot)
        assert f"{over}\n=====\n{text_of(pilot.app)}" == snapshot


@SIZES
async def test_trouble(
    opened: Opened, bus: Bus, settle: Settle, text_of: Text, size: Size, snapshot: Any, clock: Any
) -> None:
    """One service is broken, one slow, one asks us to wait; a loop fails."""
    async with opened(size=size) as pilot:
        until = clock.now() + timedelta(minutes=12)
        bus.publish(ServiceChanged(service="drive", state=ServiceState.SLOW))
        bus.publish(ServiceChanged(service="openai", state=ServiceState.BROKEN, reason="no answer"))
        bus.publish(ServiceChanged(service="notion", state=ServiceState.LIMITED, until=until))
        bus.publish(LoopTicked(loop="discovery", at=until, error="no answer", failures_in_a_row=4, summary=""))
        await settle(pilot)
        assert text_of(pilot.app) == snapshot


@SIZES
async def test_spending_stopped_in_ascii(
    opened: Opened, desk: Any, facts: Facts, text_of: Text, size: Size, snapshot: Any
) -> None:
    """A terminal without symbols reads the same."""
    desk._override(OverrideKind.STOP, None, made_from="server7 cli", reason="")
    async with opened(size=size, facts=replace(facts, ascii=True, few_colours=True)) as pilot:
        assert text_of(pilot.app) == snapshot


@SIZES
async def test_only_looking(opened: Opened, desk: Any, facts: Facts, text_of: Text, size: Size, snapshot: Any) -> None:
    """Another instance works on the database."""
    async with opened(size=size, facts=replace(facts, monitor=True, worker="server9"), engine=None) as pilot:
        assert text_of(pilot.app) == snapshot


@SIZES
async def test_no_database(opened: Opened, desk: Any, settle: Settle, text_of: Text, size: Size, snapshot: Any) -> None:
    """What is broken, and that it is tried again."""
    desk.broken = StoreBusy("The database is locked by another program; close it, or wait.")
    async with opened(size=size) as pilot:
        assert text_of(pilot.app) == snapshot


@SIZES
async def test_ten_thousand_failures(
    opened: Opened, empty_desk: Any, settle: Settle, text_of: Text, size: Size, snapshot: Any, call: Callable[..., Job]
) -> None:
    """Numbers keep their room."""
    failed = [
        call(n, status=Status.FAILED, error_step=Step.SYNC, error_message="Notion refused the key")
        for n in range(10_000)
    ]
    empty_desk.add(*failed)
    async with opened(size=size, desk=empty_desk) as pilot:
        await pilot.press("3", "G")
        await pilot.pause(0.5)
        await settle(pilot)
        assert text_of(pilot.app) == snapshot


@SIZES
async def test_dialogs(opened: Opened, settle: Settle, text_of: Text, size: Size, snapshot: Any) -> None:
    """Budget, a question with its price, help, palette, the way out."""
    screens = []
    async with opened(size=size) as pilot:
        pilot.app.table.go_to(JobId("call000007"))
        for key in ("B", "r", "question_mark", "colon", "q"):
            await pilot.press(key)
            await settle(pilot)
            screens.append(text_of(pilot.app))
            await pilot.press("escape")
            await settle(pilot)
    assert "\n=====\n".join(screens) == snapshot


async def test_switched_off(opened: Opened, facts: Facts, settle: Settle, text_of: Text) -> None:
    """Calls are done only when somebody asks for them, and it says so."""
    async with opened(facts=replace(facts, automatic=False)) as pilot:
        await pilot.press("1")
        await settle(pilot)
        assert text_of(pilot.app).splitlines()[0].startswith(" on request ")
        assert "Nothing is done by itself (auto.enabled): n does it now." in text_of(pilot.app)


@pytest.mark.parametrize("size", [(59, 24), (80, 14)])
async def test_too_small(opened: Opened, text_of: Text, size: Size) -> None:
    """One sentence, and everything is back when there is room."""
    async with opened(size=size) as pilot:
        assert "too small" in text_of(pilot.app)
        await pilot.resize_terminal(80, 24)
        await pilot.pause(0.2)
        assert "Bruno Baker" in text_of(pilot.app)
        assert text_of(pilot.app).splitlines()[-1].endswith("B budget  f filter")


@pytest.mark.parametrize("size", [(60, 15), (80, 24), (100, 30), (120, 40), (200, 50)])
async def test_nothing_is_wider_than_the_window(opened: Opened, text_of: Text, size: Size) -> None:
    """The list never needs to be scrolled sideways."""
    async with opened(size=size) as pilot:
        assert max(map(cell_len, text_of(pilot.app).splitlines())) <= size[0]
        assert pilot.app.table.size.height >= 4


def test_the_front_page_in_colour(desk: Any, bus: Bus, facts: Facts, engine: Any, snap_compare: Any) -> None:
    """The same as a picture, with its colours."""
    assert snap_compare(FocusFlowApp(desk, bus, facts, engine), terminal_size=(120, 40))


ASCII_STATES = {
    "list": ["space", "s", "slash", *"zi…"],
    "nothing found": ["slash", *"zebra", "enter"],
    "only some": ["9", "x"],
    "panes of a failure": ["enter", "1", "w", "4", "5"],
    "panes": ["j", "j", "j", "enter", "1", "w", "2", "3", "4", "5"],
    "dialogs": ["question_mark", "escape", "B", "escape", "colon", "escape", "r", "escape", "q"],
    "speakers": ["j", "j", "j", "enter", "2", "e"],
}


@pytest.mark.parametrize("size", [(80, 24), (200, 50)], ids=["80x24", "200x50"])
@pytest.mark.parametrize("keys", ASCII_STATES.values(), ids=ASCII_STATES)
async def test_a_terminal_that_draws_only_ascii_gets_no_sign_of_ours(
    opened: Opened, desk: Any, facts: Facts, settle: Settle, text_of: Text, size: Size, keys: list[str]
) -> None:
    """No ellipsis, quote, border, divider or scroll bar; what people said may be in any script."""
    failed = JobId("call000007")
    desk.log(failed, "word " * 60)
    desk.change(failed, error_message="The request could not be read this time. " * 9)
    data = set(f"{desk.calls}{desk.documents}")
    async with opened(size=size, facts=replace(facts, ascii=True, few_colours=True)) as pilot:
        pilot.app.table.go_to(failed)
        await settle(pilot)
        for key in keys:
            await pilot.press(key)
            await settle(pilot)
            signs = set(text_of(pilot.app)) - data
            assert {sign: key for sign in signs if sign.isprintable() and not sign.isascii()} == {}


async def test_an_ascii_terminal_reads_what_is_to_be_set_up(
    opened: Opened, empty_desk: Any, facts: Facts, text_of: Text
) -> None:
    """The first page of all too."""
    facts = replace(facts, first_start=TO_SET_UP, ascii=True)
    async with opened(desk=empty_desk, facts=facts, engine=None) as pilot:
        assert text_of(pilot.app).isascii()
