"""Does every key do what the help says, answer at once, and ask only where it costs?"""

from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager
from typing import Any

import anyio
import pytest
from msgspec.structs import replace
from textual import events as terminal
from textual.containers import VerticalScroll
from textual.pilot import Pilot

from focusflow.domain.budgets import Period
from focusflow.domain.jobs import Job, JobId, Status, Step
from focusflow.errors import StoreBusy
from focusflow.events import Bus, JobsAdded
from focusflow.ports import JobFilter, Order
from focusflow.tui.actions import ACTIONS, Context, applies, why_not
from focusflow.tui.app import FocusFlowApp, Hosted
from focusflow.tui.ask import Ask
from focusflow.tui.budget import BudgetScreen
from focusflow.tui.commands import Commands
from focusflow.tui.detail.views import Pane
from focusflow.tui.facts import Facts, Leaving, Role
from focusflow.tui.foot import SearchBox, StatusLine
from focusflow.tui.help import Help
from focusflow.tui.palette import Palette

Opened = Callable[..., AbstractAsyncContextManager[Any]]
Settle = Callable[[Pilot[Any]], Awaitable[None]]
Desk = Any

TRANSCRIBING, SUMMARIZING, WAITING, FAILED, PAID_FAILED, SKIPPED, COMPLETED = (
    JobId(f"call{number:06d}") for number in (1, 2, 6, 7, 8, 9, 10)
)
ALSO_COMPLETED = JobId("call000011")


async def at(pilot: Any, job_id: JobId, *keys: str) -> None:
    """Put the cursor on a call and press keys."""
    pilot.app.table.go_to(job_id)
    await pilot.press(*keys)
    await pilot.pause(0.05)


def status(pilot: Any) -> str:
    return str(pilot.app.screen_stack[0].query_one(StatusLine).said)


def cursor(pilot: Any) -> JobId:
    return JobId(pilot.app.table.row.job.id)


def test_every_action_has_its_command() -> None:
    """A key in the registry without a deed would be a key that ends the screen."""
    assert [action.id for action in ACTIONS if not callable(getattr(Commands, action.id, None))] == []


# ------------------------------------------------------------------------------------------------------------- moving


@pytest.mark.parametrize(
    ("keys", "place"),
    [
        (["j"], 1),
        (["down", "down"], 2),
        (["j", "j", "k"], 1),
        (["j", "up"], 0),
        (["G"], 38),
        (["end", "g"], 0),
        (["end", "home"], 0),
        (["pagedown"], 13),
        (["ctrl+d", "ctrl+u"], 0),
        (["ctrl+f", "pageup"], 0),
        (["k"], 0),
        (["G", "j"], 38),
        (["e"], 6),
        (["e", "e", "e"], 6),
    ],
)
async def test_the_cursor_goes_where_the_key_says(opened: Opened, keys: list[str], place: int) -> None:
    """Arrows, vim keys and pages, and no further than the ends; `e` finds failures and goes round."""
    async with opened() as pilot:
        await pilot.press(*keys)
        await pilot.pause()
        assert pilot.app.table.window.ids.index(cursor(pilot)) == place


async def test_the_cursor_stays_on_its_call_while_new_ones_arrive(
    opened: Opened, desk: Desk, settle: Settle, call: Callable[..., Job]
) -> None:
    """The cursor is a call, not a line."""
    async with opened() as pilot:
        await at(pilot, FAILED)
        desk.add(call(0, id=JobId("new0000001")), call(0, id=JobId("new0000002")))
        await settle(pilot)
        assert cursor(pilot) == FAILED
        assert pilot.app.table.window.ids[:2] == ["new0000001", "new0000002"]


# ------------------------------------------------------------------------------------------------------------ looking


async def test_digits_and_f_filter_by_status(opened: Opened, settle: Settle) -> None:
    """3 shows failures, 0 all; f goes on to the next status that has calls."""
    async with opened() as pilot:
        await pilot.press("3")
        await settle(pilot)
        assert [row.job.status for row in pilot.app.table.window.rows.values()] == [Status.FAILED] * 2
        assert "only failed" in status(pilot)
        await pilot.press("f")
        await settle(pilot)
        assert pilot.app.table.view.filter.statuses == (Status.SKIPPED,)
        await pilot.press("9")
        await settle(pilot)
        assert pilot.app.table.window.ids == [WAITING]
        await pilot.press("0")
        await settle(pilot)
        assert len(pilot.app.table.window) == 39


async def test_s_sorts_and_S_turns_round(opened: Opened, settle: Settle) -> None:
    """Time, contact, length, cost; the title of the column and the status line say which."""
    async with opened() as pilot:
        await pilot.press("s", "s")
        await settle(pilot)
        assert pilot.app.table.view.order is Order.LENGTH
        assert pilot.app.table.row.job.contact_name == "Jörg Jäger"
        await pilot.press("S")
        await settle(pilot)
        assert pilot.app.table.row.job.contact_name == "Hello Pizza"
        assert "by length" in status(pilot)


async def test_slash_searches_while_one_types_and_escape_takes_it_back(opened: Opened, settle: Settle) -> None:
    """Enter keeps the search; Esc in the line leaves what was searched before; Esc in the list shows all again."""
    async with opened() as pilot:
        await pilot.press("slash", *"pizza")
        await pilot.pause(0.3)
        assert pilot.app.table.window.ids == [SKIPPED]
        await pilot.press("enter", "slash", "x", "x")
        await pilot.pause(0.3)
        assert pilot.app.table.window.ids == []
        await pilot.press("escape")
        await settle(pilot)
        assert pilot.app.table.view.filter.search == "pizza"
        assert not pilot.app.query_one(SearchBox).display
        await pilot.press("escape")
        await settle(pilot)
        assert pilot.app.table.view.filter == JobFilter()


async def test_space_and_v_mark_and_escape_unmarks(opened: Opened, desk: Desk, settle: Settle) -> None:
    """What is marked is what the keys for a call mean, and the status line says how many they are."""
    async with opened() as pilot:
        await pilot.press("3", "space", "space")
        await settle(pilot)
        await pilot.press("space", "v")
        assert "marked" in status(pilot)
        await pilot.press("escape", "0")
        await settle(pilot)
        assert pilot.app.table.marked == set()
        await at(pilot, FAILED, "space", "j", "v", "x")
        await settle(pilot)
        assert desk.heard[-1][:2] == ("skip", (FAILED, PAID_FAILED, SKIPPED))
        assert "2 of 3 calls skipped" in status(pilot)


async def test_enter_opens_the_call_and_escape_goes_back(opened: Opened, settle: Settle) -> None:
    """On a narrow screen the panes take its whole width."""
    async with opened() as pilot:
        await at(pilot, COMPLETED, "enter")
        await settle(pilot)
        assert pilot.app.query_one("#detail").display
        assert not pilot.app.table.display
        assert pilot.app.detail.job_id == COMPLETED
        await pilot.press("escape")
        await settle(pilot)
        assert pilot.app.table.display
        assert pilot.app.table.has_focus


async def test_on_a_wide_screen_the_call_beside_follows_the_cursor(opened: Opened, settle: Settle) -> None:
    """It is read when the cursor rests."""
    async with opened(size=(200, 50)) as pilot:
        await at(pilot, FAILED)
        await settle(pilot)
        assert pilot.app.detail.job_id == FAILED
        assert pilot.app.table.has_focus


@pytest.mark.parametrize("size", [(80, 24), (200, 50)], ids=["over the list", "beside the list"])
@pytest.mark.parametrize("pane", "1245")
async def test_no_key_of_a_pane_touches_the_list(
    opened: Opened, settle: Settle, size: tuple[int, int], pane: str
) -> None:
    """Sorting, filtering, marking and moving the cursor are for those who see the list; the open call stays open."""
    async with opened(size=size) as pilot:
        await at(pilot, COMPLETED, "enter")
        await pilot.press(pane)
        await settle(pilot)
        before = (pilot.app.table.view, cursor(pilot))
        away = {"2": "fvS069", "1": "sevS069"}.get(pane, "sfevS069")
        for key in away:
            await pilot.press(key)
            await settle(pilot)
            assert (pilot.app.table.view, cursor(pilot)) == before, key
            assert pilot.app.table.marked == set(), key
            assert status(pilot).strip(), key
        assert pilot.app.detail.job_id == COMPLETED
        assert "Esc leads back to the list" in status(pilot)


async def test_the_footer_in_a_pane_offers_no_key_of_the_list(opened: Opened, facts: Facts, settle: Settle) -> None:
    """Nor where the pane's own keys mean nothing, because nothing can be written."""
    async with opened(size=(200, 50), facts=replace(facts, read_only=True)) as pilot:
        await at(pilot, COMPLETED, "enter", "2")
        await settle(pilot)
        assert {"sort", "filter", "mark", "speakers", "swap"}.isdisjoint(str(pilot.app._keys_line.said).split())
        await pilot.press("e")
        await settle(pilot)
        assert "can only be read" in status(pilot)
        assert cursor(pilot) == COMPLETED


async def test_the_search_of_a_pane_does_not_move_the_list(opened: Opened, settle: Settle) -> None:
    """Up, Down and the pages are no letters, and the line one types in has no use for them."""
    async with opened() as pilot:
        await at(pilot, COMPLETED, "enter", "slash", "down", "pagedown", "up")
        await settle(pilot)
        assert (cursor(pilot), pilot.app.detail.job_id) == (COMPLETED, COMPLETED)


# -------------------------------------------------------------------------------------------------------------- calls


async def test_r_retries_at_once_what_is_free_and_asks_what_is_not(opened: Opened, desk: Desk, settle: Settle) -> None:
    """A call whose transcript is there costs nothing more to transcribe."""
    async with opened() as pilot:
        await at(pilot, PAID_FAILED, "r")
        await settle(pilot)
        assert desk.heard == [("retry", (PAID_FAILED,))]
        assert "Free: the transcript is already there." in status(pilot)
        await at(pilot, FAILED, "r")
        await settle(pilot)
        assert isinstance(pilot.app.screen, Ask)
        await pilot.press("n")
        await settle(pilot)
        assert len(desk.heard) == 1
        await at(pilot, FAILED, "r")
        await settle(pilot)
        await pilot.press("y")
        await settle(pilot)
        assert desk.heard[-1] == ("retry", (FAILED,))


@pytest.mark.parametrize(
    ("key", "job_id", "wish"),
    [
        ("n", WAITING, ("process", (WAITING,), None)),
        ("m", COMPLETED, ("process", (COMPLETED,), Step.SUMMARIZE)),
        ("T", COMPLETED, ("process", (COMPLETED,), Step.TRANSCRIBE)),
        ("R", COMPLETED, ("retry", None)),
        ("x", SKIPPED, ("unskip", (SKIPPED,))),
    ],
)
async def test_what_costs_asks_once(
    opened: Opened, desk: Desk, settle: Settle, key: str, job_id: JobId, wish: tuple[Any, ...]
) -> None:
    """Only y agrees: Enter opens things too, and a key that is held down must not pay."""
    async with opened() as pilot:
        await at(pilot, job_id, key)
        await settle(pilot)
        await pilot.press("enter", "enter")
        assert isinstance(pilot.app.screen, Ask)
        assert desk.heard == []
        await pilot.press("y")
        await settle(pilot)
        assert desk.heard == [wish]


@pytest.mark.parametrize(
    ("key", "job_id", "wish"),
    [
        ("c", TRANSCRIBING, ("cancel", (TRANSCRIBING,))),
        ("x", WAITING, ("skip", (WAITING,), "skipped by hand")),
        ("N", COMPLETED, ("process", (COMPLETED,), Step.SYNC)),
    ],
)
async def test_what_costs_nothing_is_done_at_once(
    opened: Opened, desk: Desk, settle: Settle, key: str, job_id: JobId, wish: tuple[Any, ...]
) -> None:
    """No question, and a sentence that says what was done."""
    async with opened() as pilot:
        await at(pilot, job_id, key)
        await settle(pilot)
        assert desk.heard == [wish]
        assert "1 call" in status(pilot)


async def mark(pilot: Any, settle: Settle, *job_ids: JobId) -> None:
    """Mark calls, as a person does."""
    for job_id in job_ids:
        await at(pilot, job_id, "space")
    await settle(pilot)


@pytest.mark.parametrize(
    ("key", "question", "wish"),
    [
        ("N", None, ("process", (COMPLETED, ALSO_COMPLETED), Step.SYNC)),
        ("m", "Summarize again: 2 of 4 marked calls?", ("process", (COMPLETED, ALSO_COMPLETED), Step.SUMMARIZE)),
        ("r", "Try again: 1 of 4 marked calls?", ("retry", (FAILED,))),
        ("n", "Do: 2 of 4 marked calls?", ("process", (FAILED, SKIPPED), None)),
        ("T", "Transcribe again: 3 of 4 marked calls?",
         ("process", (FAILED, COMPLETED, ALSO_COMPLETED), Step.TRANSCRIBE)),
    ],
)  # fmt: skip
async def test_a_deed_takes_only_the_marked_calls_that_it_fits(
    opened: Opened, desk: Desk, settle: Settle, text_of: Any, key: str, question: str | None, wish: tuple[Any, ...]
) -> None:
    """What is free stays free: a failed call among those to be synced is not paid for."""
    async with opened(size=(120, 40)) as pilot:
        await mark(pilot, settle, FAILED, SKIPPED, COMPLETED, ALSO_COMPLETED)
        await pilot.press(key)
        await settle(pilot)
        if question:
            assert question in text_of(pilot.app)
            assert desk.heard == []
            await pilot.press("y")
            await settle(pilot)
        assert desk.heard == [wish]
        assert f"{len(wish[1])} of 4 calls" in status(pilot)


async def test_skipping_what_is_marked_twice_takes_it_back(opened: Opened, desk: Desk, settle: Settle) -> None:
    """As the help says; it asks, because a call that was skipped may cost something."""
    async with opened(size=(120, 40)) as pilot:
        await mark(pilot, settle, WAITING, FAILED)
        await pilot.press("x")
        await settle(pilot)
        await pilot.press("x")
        await settle(pilot)
        assert isinstance(pilot.app.screen, Ask)
        await pilot.press("y")
        await settle(pilot)
        assert [wish[:2] for wish in desk.heard] == [(verb, (WAITING, FAILED)) for verb in ("skip", "unskip")]


async def test_the_footer_counts_the_marked_calls_that_a_key_fits(opened: Opened, settle: Settle, text_of: Any) -> None:
    """And offers nothing that fits none of them."""
    async with opened(size=(200, 50)) as pilot:
        await mark(pilot, settle, FAILED, SKIPPED, COMPLETED, ALSO_COMPLETED)
        footer = text_of(pilot.app).splitlines()[-1]
        for offer in ("r retry 1 ", "n do now 2 ", "x skip 1 ", "N sync again 2 ", "m summarize again 2 "):
            assert offer in footer
        assert "cancel" not in footer
        await pilot.press("c")
        assert "None of the marked calls is one to cancel." in status(pilot)


@pytest.mark.parametrize(
    ("key", "job_id", "why"),
    [
        ("c", COMPLETED, "Nobody works on this call now."),
        ("r", COMPLETED, "This call has not failed."),
        ("m", FAILED, "This call is not completed."),
        ("x", TRANSCRIBING, "This call is completed, or being worked on."),
        ("P", COMPLETED, "Nothing is paused."),
        ("b", COMPLETED, "No older calls wait for a word."),
    ],
)
async def test_a_key_that_means_nothing_here_says_so(
    opened: Opened, desk: Desk, settle: Settle, key: str, job_id: JobId, why: str
) -> None:
    """Never silence, and why it does not."""
    async with opened() as pilot:
        await at(pilot, job_id, key)
        await settle(pilot)
        assert desk.heard == []
        assert status(pilot).startswith(f" {why}")


def test_every_action_that_can_mean_nothing_says_why() -> None:
    """With a call, marks or an empty list, whatever the state."""
    contexts = [Context(), Context(marked_as={Status.COMPLETED: 1, Status.FAILED: 1}), Context(monitor=True)]
    refused = [(action, context) for context in contexts for action in ACTIONS if not applies(action, context)]
    assert {why_not(action, context)[-1:] for action, context in refused} == {"."}
    assert [action.id for action in ACTIONS if action.fits and not action.unless] == []


async def test_w_writes_the_call_into_a_file(opened: Opened, facts: Facts, settle: Settle) -> None:
    """Facts, summary and transcript as Markdown."""
    async with opened() as pilot:
        await at(pilot, COMPLETED, "w")
        await settle(pilot)
        (file,) = facts.folder.glob("*.md")
        assert status(pilot).strip().startswith("Saved")
        text = file.read_text(encoding="utf-8")
        assert text.startswith("# Flights in May")
        assert "Ben can start on **9 March**" in text
        assert "[00:07] Speaker B: Great." in text


async def test_a_folder_that_cannot_be_written_is_named(opened: Opened, facts: Facts, settle: Settle) -> None:
    """It is no mistake of the program's."""
    facts.folder.joinpath("file").touch()
    async with opened(size=(200, 50), facts=replace(facts, folder=facts.folder / "file")) as pilot:
        await at(pilot, COMPLETED, "w")
        await settle(pilot)
        assert f"Not saved: nothing can be written into {facts.folder / 'file'} (" in status(pilot)


async def test_y_copies_and_says_which_way(opened: Opened, settle: Settle) -> None:
    """Through whatever there is; the sentence is the clipboard's own."""
    async with opened() as pilot:
        await at(pilot, COMPLETED, "y")
        await settle(pilot)
        assert "opied" in status(pilot)


# ------------------------------------------------------------------------------------------------------- all the work


async def test_p_pauses_then_hands_back_then_goes_on(opened: Opened, desk: Desk, engine: Any, settle: Settle) -> None:
    """The same key, one step further each time; P goes on at any moment."""
    async with opened() as pilot:
        await pilot.press("p")
        await settle(pilot)
        assert desk.heard == ["pause"] or desk.heard == [("pause",)]
        assert "3 calls finish first" in status(pilot)
        await pilot.press("p")
        await settle(pilot)
        assert engine.heard == ["hand_back"]
        for job_id in (TRANSCRIBING, SUMMARIZING, JobId("call000003")):
            desk.change(job_id, status=Status.DISCOVERED)
        await pilot.pause(0.8)
        await settle(pilot)
        await pilot.press("p")
        await settle(pilot)
        assert desk.heard[-1] == ("resume",)


async def test_while_paused_a_call_that_waits_for_its_turn_says_so(
    opened: Opened, settle: Settle, text_of: Any
) -> None:
    """And no more when it goes on."""
    async with opened() as pilot:
        await at(pilot, JobId("call000004"), "p")
        await pilot.pause(0.7)
        assert "Found; it is next. Paused: P goes on." in text_of(pilot.app)
        await pilot.press("P")
        await pilot.pause(0.7)
        assert "Found; it is next when a place is free." in text_of(pilot.app)


async def test_e_says_where_failures_are_or_that_there_are_none(opened: Opened, desk: Desk, settle: Settle) -> None:
    """It does not lead to an empty list."""
    for job_id in (FAILED, PAID_FAILED):
        desk.change(job_id, status=Status.SKIPPED)
    async with opened() as pilot:
        await pilot.press("e")
        assert status(pilot).startswith(" No call has failed.")


async def test_P_goes_on(opened: Opened, desk: Desk, settle: Settle) -> None:
    """Also while calls still finish."""
    async with opened() as pilot:
        await pilot.press("p")
        await settle(pilot)
        await pilot.press("P")
        await settle(pilot)
        assert desk.heard == [("pause",), ("resume",)]


@pytest.mark.parametrize(
    ("key", "wish"),
    [("d", ("request_discovery",)), ("plus", ("set_capacity", 4)), ("minus", ("set_capacity", 2))],
)
async def test_keys_for_all_the_work(
    opened: Opened, desk: Desk, settle: Settle, key: str, wish: tuple[Any, ...]
) -> None:
    """Done at once, and answered."""
    async with opened() as pilot:
        await pilot.press(key)
        await settle(pilot)
        assert desk.heard == [wish]
        assert status(pilot).strip()


async def test_a_slow_database_is_answered_for_at_once(opened: Opened, desk: Desk) -> None:
    """The key says that it was heard before anything is written."""
    desk.slow = anyio.Event()
    async with opened() as pilot:
        await pilot.press("p")
        await pilot.pause()
        assert "Pausing" in status(pilot)
        desk.slow.set()


async def test_a_busy_database_is_said_and_ends_nothing(opened: Opened, desk: Desk, settle: Settle) -> None:
    """It was not done, and the header says why until something can be written again."""
    async with opened(size=(120, 40)) as pilot:
        desk.broken = StoreBusy("The database is busy; try again in a moment.")
        await pilot.press("d")
        await settle(pilot)
        assert "Not done: another program has locked the database" in status(pilot)
        assert "database locked" in str(pilot.app._header.said)
        desk.broken = None
        await pilot.press("d")
        await settle(pilot)
        assert "database locked" not in str(pilot.app._header.said)


async def test_older_calls_are_offered_with_their_price_and_done_by_b(
    opened: Opened, desk: Desk, settle: Settle, call: Callable[..., Job]
) -> None:
    """Nothing old is paid for until somebody says so."""
    reason = "recorded before 2026-11-20 (only new calls are processed)"
    old = [call(900 + n, status=Status.SKIPPED, skip_reason=reason) for n in range(3)]
    desk.add(*old)
    async with opened() as pilot:
        assert "3 older calls found; b does them all: $0.0252." in status(pilot)
        await pilot.press("b")
        await settle(pilot)
        await pilot.press("y")
        await settle(pilot)
        assert desk.heard == [("process", tuple(job.id for job in old), None)]


async def test_older_calls_that_are_found_while_it_is_open_are_offered_too(
    opened: Opened, desk: Desk, bus: Bus, settle: Settle, call: Callable[..., Job]
) -> None:
    """On the very first start there are none until somebody has looked."""
    async with opened() as pilot:
        reason = "recorded before 2026-11-20 (only new calls are processed)"
        desk.add(call(900, status=Status.SKIPPED, skip_reason=reason))
        bus.publish(JobsAdded(job_ids=(JobId("call000900"),)))
        await settle(pilot)
        assert "1 older call found; b does them all: $0.0084." in status(pilot)


async def test_keys_that_are_pressed_before_the_first_rows_are_there_are_kept(
    opened: Opened, desk: Desk, settle: Settle
) -> None:
    """Whoever knows the keys does not wait for the database."""
    desk.late = anyio.Event()
    async with opened() as pilot:
        await pilot.press("j", "j")
        assert pilot.app.table.row is None
        desk.late.set()
        await settle(pilot)
        assert cursor(pilot) == JobId("call000003")


async def test_an_answer_that_needs_the_whole_line_gets_it(opened: Opened, settle: Settle) -> None:
    """How many calls are listed can wait."""
    async with opened() as pilot:
        await settle(pilot)
        assert status(pilot).rstrip().endswith("39 calls")
        pilot.app.say("It is " + "so " * 12 + "that all of this line is needed.")
        assert status(pilot).rstrip().endswith("needed.")
        pilot.app.say("Done.")
        assert status(pilot).rstrip().endswith("39 calls")


# -------------------------------------------------------------------------------------------------------------- money


async def test_a_price_that_is_unknown_is_never_shown_as_nothing(
    opened: Opened, empty_desk: Any, settle: Settle, text_of: Any, call: Callable[..., Job]
) -> None:
    """Neither in the question, nor in the backlog, nor in the budget dialog."""
    empty_desk.add(call(5, duration_seconds=None, estimate_micros=None))
    async with opened(desk=empty_desk) as pilot:
        assert "backlog 1 call, price unknown" in text_of(pilot.app)
        await pilot.press("n")
        await settle(pilot)
        assert "unknown (1 call without a price)" in text_of(pilot.app)
        await pilot.press("escape", "B")
        await settle(pilot)
        for _ in range(4):
            assert "$0.00" not in "".join(line for line in text_of(pilot.app).splitlines() if "price" in line)
            await pilot.press("j")


@pytest.mark.parametrize(
    ("keys", "wish"),
    [
        (["enter"], ("raise_budget", Period.DAY, 1_000_000)),
        (["plus", "plus", "enter"], ("raise_budget", Period.DAY, 3_000_000)),
        ([*"2.50", "enter"], ("raise_budget", Period.DAY, 2_500_000)),
        (["j", *"40", "enter"], ("raise_budget", Period.MONTH, 40_000_000)),
        (["j", "j", "enter"], ("lift", (WAITING,))),
        (["j", "j", "j", "enter"], ("lift", None)),
    ],
)
async def test_the_budget_is_changed_in_one_dialog(
    opened: Opened, desk: Desk, settle: Settle, keys: list[str], wish: tuple[Any, ...]
) -> None:
    """Raise by steps or by typing, let one through, lift, stop."""
    async with opened() as pilot:
        await at(pilot, WAITING, "B")
        await settle(pilot)
        assert isinstance(pilot.app.screen, BudgetScreen)
        await pilot.press(*keys)
        await settle(pilot)
        assert desk.heard == [wish]
        assert "undoes it" in status(pilot)
        await pilot.press("B")
        await settle(pilot)
        await pilot.press("k", "enter")
        await settle(pilot)
        assert desk.heard[-1][0] == "undo_override"
        assert status(pilot).startswith(" Undone (")


async def test_a_stop_is_ended_by_what_the_dialog_offers_first(
    opened: Opened, desk: Desk, settle: Settle, text_of: Any
) -> None:
    """It promises no start before, and what was raised meanwhile can be undone beside it."""
    async with opened() as pilot:
        await pilot.press("B")
        await settle(pilot)
        await pilot.press("enter", "B")
        await settle(pilot)
        await pilot.press("k", "k", "enter")
        await settle(pilot)
        assert [wish[0] for wish in desk.heard] == ["raise_budget", "stop_spending"]
        await at(pilot, WAITING, "B")
        await settle(pilot)
        assert "› go on spending" in text_of(pilot.app)
        assert "undo: $1.00 more this day" in text_of(pilot.app)
        await pilot.press("j")
        await settle(pilot)
        assert "nothing is begun while all spending is stopped" in text_of(pilot.app)
        assert "may start" not in text_of(pilot.app)
        await pilot.press("k", "enter")
        await settle(pilot)
        assert desk.heard[2:] == [("undo_override", 2)]
        assert "Spending goes on" in status(pilot)


@pytest.mark.parametrize(("job_id", "offered"), [(COMPLETED, False), (FAILED, True), (PAID_FAILED, False)])
async def test_only_a_call_that_costs_something_can_be_let_through(
    opened: Opened, settle: Settle, text_of: Any, job_id: JobId, offered: bool
) -> None:
    """For what is paid already no budget holds."""
    async with opened() as pilot:
        await at(pilot, job_id, "B")
        await settle(pilot)
        assert ("let this call through" in text_of(pilot.app)) is offered


async def test_R_says_what_all_that_failed_would_cost(
    opened: Opened, desk: Desk, settle: Settle, text_of: Any, call: Callable[..., Job]
) -> None:
    """Also where there are more than are read at once."""
    desk.add(*(call(1_000 + n, status=Status.FAILED, estimate_micros=1_000) for n in range(598)))
    async with opened() as pilot:
        await pilot.press("R")
        await pilot.pause(0.5)
        assert "Try 600 failed calls again?" in text_of(pilot.app)
        assert "price       $0.6148" in text_of(pilot.app)
        assert "left today  $3.54 -> $2.93" in text_of(pilot.app)


async def test_a_question_says_what_a_price_leaves_of_the_day(
    opened: Opened, desk: Desk, settle: Settle, text_of: Any
) -> None:
    """And why it would wait, where it would."""
    async with opened() as pilot:
        for settled, said in ((1_200_000, "$3.54 -> $3.53"), (4_739_000, "$0.0010: not enough, so it waits")):
            desk.settled[Period.DAY] = settled
            await pilot.press("ctrl+l")
            await settle(pilot)
            await at(pilot, FAILED, "r")
            await settle(pilot)
            assert f"left today  {said}" in text_of(pilot.app)
            await pilot.press("n")
        await desk.stop_spending(pilot.app.facts.budgets, until=None, origin="", reason="", now=desk.clock.now())
        await pilot.press("ctrl+l")
        await settle(pilot)
        await at(pilot, FAILED, "r")
        await settle(pilot)
        assert "left today  nothing: all spending is stopped, so it waits" in text_of(pilot.app)


async def test_escape_leaves_the_budget_as_it_is(opened: Opened, desk: Desk, settle: Settle) -> None:
    """And says so."""
    async with opened() as pilot:
        await pilot.press("dollar_sign")
        await settle(pilot)
        await pilot.press("escape")
        await settle(pilot)
        assert desk.heard == []
        assert "stays" in status(pilot)


# ------------------------------------------------------------------------------------------------------------- screen


async def test_help_shows_every_key_and_closes(opened: Opened, text_of: Callable[[Any], str], settle: Settle) -> None:
    """Each action's words are there."""
    async with opened(size=(120, 120)) as pilot:
        await pilot.press("question_mark")
        await settle(pilot)
        assert isinstance(pilot.app.screen, Help)
        text = text_of(pilot.app)
        assert [a.id for a in ACTIONS if a.group.value in ("Move", "Money") and a.help[:30] not in text] == []
        await pilot.press("j", "k", "pagedown", "pageup", "G", "g", "escape")
        await settle(pilot)
        assert not isinstance(pilot.app.screen, Help)


@pytest.mark.parametrize(("key", "times", "lines"), [("j", 10, 10), ("down", 10, 10), ("pagedown", 4, 72)])
async def test_keys_that_come_in_a_burst_are_all_counted_in_the_help(
    opened: Opened, settle: Settle, key: str, times: int, lines: int
) -> None:
    """As a key that is held down sends them over a slow line."""
    async with opened() as pilot:
        await pilot.press("question_mark")
        await settle(pilot)
        for _ in range(times):
            pilot.app.post_message(terminal.Key(key, None))
        await settle(pilot)
        assert pilot.app.screen.query_one(VerticalScroll).scroll_y == lines


async def test_the_help_begins_with_the_keys_of_where_it_is_asked_for(
    opened: Opened, text_of: Callable[[Any], str], settle: Settle
) -> None:
    """In a pane with those of the panes, else with those of the list; every sign is explained."""
    async with opened(size=(120, 150)) as pilot:
        await pilot.press("question_mark")
        await settle(pilot)
        text = text_of(pilot.app)
        assert text.index("Next call") < text.index("In the panes of a call")
        signs = text[text.index("Signs") :]
        assert [sign for sign in ("08:04?", "▌", "›", "(asks)") if sign not in signs] == []
        await pilot.press("escape", "enter", "question_mark")
        await settle(pilot)
        text = text_of(pilot.app)
        assert text.index("In the panes of a call") < text.index("Next call")


async def test_the_palette_finds_an_action_by_its_words(opened: Opened, desk: Desk, settle: Settle) -> None:
    """Typed, chosen, done."""
    async with opened() as pilot:
        await pilot.press("colon")
        await settle(pilot)
        assert isinstance(pilot.app.screen, Palette)
        await pilot.press(*"new rec", "enter")
        await settle(pilot)
        assert desk.heard == [("request_discovery",)]
        await pilot.press("ctrl+p", "escape")
        await settle(pilot)
        assert not isinstance(pilot.app.screen, Palette)


async def test_the_palette_shows_what_does_not_apply_and_why(opened: Opened, settle: Settle, text_of: Any) -> None:
    """After what does: who looks for a way to retry learns that there is one."""
    async with opened() as pilot:
        await at(pilot, COMPLETED, "colon")
        await settle(pilot)
        offered = text_of(pilot.app)
        assert offered.index("N      Bring the call to Notion again") < offered.index("p      Pause")
        await pilot.press(*"try")
        await settle(pilot)
        found = text_of(pilot.app)
        assert found.index("Try every failed call again") < found.index("retry: This call has not failed.")
        await pilot.press("down", "enter")
        await settle(pilot)
        assert status(pilot).startswith(" This call has not failed.")


async def test_the_palette_does_what_the_keys_of_an_open_pane_do(opened: Opened, desk: Desk, settle: Settle) -> None:
    """Those of the panes and those of the lines in them."""
    async with opened() as pilot:
        await at(pilot, COMPLETED, "enter", "colon")
        await settle(pilot)
        await pilot.press(*"everything known", "enter")
        await settle(pilot)
        assert pilot.app.detail.pane is Pane.DETAILS
        await pilot.press("colon", *"to the end", "enter")
        await settle(pilot)
        assert pilot.app.detail._lines.sheet.chosen > 0


async def test_theme_log_level_mouse_and_redraw_answer(opened: Opened, engine: Any, settle: Settle) -> None:
    """Each in a sentence."""
    async with opened() as pilot:
        await pilot.press("t")
        assert "Theme textual-light" in status(pilot)
        await pilot.press("L")
        assert "warning" in status(pilot)
        assert engine.heard == ["log warning"]
        await pilot.press("M")
        assert "mouse" in status(pilot).lower()
        await pilot.press("ctrl+l")
        assert "Read again" in status(pilot)


@pytest.mark.parametrize("mine", ["Q", "ctrl+c"])
async def test_control_c_quits_whatever_other_key_is_wished_for(
    opened: Opened, engine: Any, facts: Facts, mine: str
) -> None:
    """Who presses it wants to get out."""
    engine.in_flight = 0
    async with opened(facts=replace(facts, keys={"quit": mine})) as pilot:
        assert pilot.app.keys.problems == ()
        await pilot.press("ctrl+c")
    assert pilot.app.return_value is Leaving.QUIT


@pytest.mark.parametrize("key", ["q", "ctrl+q", "ctrl+c"])
async def test_quitting_at_rest_quits(opened: Opened, engine: Any, key: str) -> None:
    """No question where nothing can be lost."""
    engine.in_flight = 0
    async with opened() as pilot:
        await pilot.press(key)
    assert pilot.app.return_value is Leaving.QUIT


async def test_one_call_in_flight_is_one_call(opened: Opened, engine: Any, settle: Settle, text_of: Any) -> None:
    """Not "1 call are"."""
    engine.in_flight = 1
    async with opened() as pilot:
        await pilot.press("q")
        await settle(pilot)
        assert "1 call is being worked on. Quit?" in text_of(pilot.app)


@pytest.mark.parametrize(
    ("key", "left", "heard"),
    [("h", Leaving.QUIT, ["stop_claiming", "hand_back"]), ("g", Leaving.HEADLESS, [])],
)
async def test_quitting_with_work_in_flight_asks_how(
    opened: Opened, engine: Any, settle: Settle, key: str, left: Leaving, heard: list[str]
) -> None:
    """Hand it back, or go on without a screen."""
    async with opened() as pilot:
        await pilot.press("q")
        await settle(pilot)
        await pilot.press(key)
        await pilot.pause()
    assert pilot.app.return_value is left
    assert engine.heard == heard


async def test_quitting_can_wait_for_the_work(
    opened: Opened, engine: Any, settle: Settle, facts: Facts, text_of: Any
) -> None:
    """The screen says that it drains and how to hurry, and closes when the last call is finished."""
    async with opened(facts=replace(facts, keys={"quit": "Q"})) as pilot:
        await pilot.press("Q")
        await settle(pilot)
        await pilot.press("w")
        await settle(pilot)
        assert engine.draining
        assert "Q hands it back now." in text_of(pilot.app)
        engine.in_flight = 0
        await pilot.pause(0.7)
    assert pilot.app.return_value is Leaving.QUIT


async def test_quitting_again_hands_back_what_was_waited_for(
    opened: Opened, engine: Any, settle: Settle, text_of: Any
) -> None:
    """As the screen says; meanwhile the footer offers to start nothing."""
    async with opened(size=(120, 40)) as pilot:
        await at(pilot, WAITING)
        await settle(pilot)
        assert "n do now" in text_of(pilot.app).splitlines()[-1]
        await pilot.press("q")
        await settle(pilot)
        await pilot.press("w")
        await settle(pilot)
        footer = text_of(pilot.app).splitlines()[-1]
        assert "q hand back, quit" in footer
        assert "do now" not in footer
        assert "pause" not in footer
        await pilot.press("n")
        assert "Nothing new is started" in status(pilot)
        await pilot.press("q")
        await pilot.pause()
    assert pilot.app.return_value is Leaving.QUIT
    assert engine.heard == ["stop_claiming", "hand_back"]


async def test_a_monitor_does_not_offer_to_hand_back_what_others_work_on(
    opened: Opened, desk: Desk, facts: Facts, settle: Settle, text_of: Any
) -> None:
    """Paused, it offers to go on."""
    desk.state = replace(desk.state, paused=True)
    async with opened(size=(120, 40), facts=replace(facts, monitor=True, worker="server9"), engine=None) as pilot:
        footer = text_of(pilot.app).splitlines()[-1]
        assert "P resume" in footer
        assert "hand back" not in footer
        await pilot.press("p")
        await settle(pilot)
        assert desk.heard == []
        assert "What runs is finished where it was begun." in status(pilot)


async def test_staying_is_an_answer_too(opened: Opened, settle: Settle) -> None:
    """Esc leaves everything as it is."""
    async with opened() as pilot:
        await pilot.press("q")
        await settle(pilot)
        await pilot.press("escape")
        await settle(pilot)
        assert pilot.app.return_value is None
        assert pilot.app.is_running


# ------------------------------------------------------------------------------------------------------ the user's keys


async def test_the_users_own_keys_work_and_a_clash_is_named(
    desk: Desk, bus: Bus, facts: Facts, engine: Any, settle: Settle
) -> None:
    """A wish that cannot be followed is said on the screen, and the built-in key stays."""
    mine = replace(facts, keys={"pause": "f5", "discover": "q", "nonsense": "z"})
    app = FocusFlowApp(desk, bus, mine, engine)
    async with app.run_test() as pilot:
        await settle(pilot)
        assert len(app.keys.problems) == 2
        assert status(pilot).startswith(" 2 keys not as wished (? tells all): screen.keys.")
        await pilot.press("p")
        await settle(pilot)
        assert desk.heard == []
        await pilot.press("f5", "d")
        await settle(pilot)
        assert desk.heard == [("pause",), ("request_discovery",)]


async def test_sentences_name_the_users_own_keys(
    desk: Desk, bus: Bus, facts: Facts, engine: Any, settle: Settle
) -> None:
    """What the line below the list says to press is what the keymap says."""
    app = FocusFlowApp(desk, bus, replace(facts, keys={"retry": "f7", "skip": "X"}), engine)
    async with app.run_test(size=(80, 24)) as pilot:
        await settle(pilot)
        await at(pilot, FAILED)
        await settle(pilot)
        assert "F7 tries again" in str(app._sentence.said)
        app.table.go_to(SKIPPED)
        await settle(pilot)
        assert "Press X to do it after all." in str(app._sentence.said)


@pytest.mark.parametrize("size", [(80, 24), (120, 40), (200, 50)], ids=["alone", "below", "beside"])
async def test_what_to_do_about_a_failure_is_read_once_and_whole(
    opened: Opened, desk: Desk, settle: Settle, text_of: Callable[[Any], str], size: tuple[int, int]
) -> None:
    """However long its reason is; where the panes of the call say it, no other line repeats it."""
    desk.change(FAILED, error_message="The service said that it could not be done. " * 12)
    async with opened(size=size) as pilot:
        await at(pilot, FAILED)
        await settle(pilot)
        assert text_of(pilot.app).count("Failed at transcribe; r tries again: The service said") == 1
        await pilot.resize_terminal(80, 24)
        await settle(pilot)
        assert text_of(pilot.app).count("Failed at transcribe; r tries again: The service said") == 1


async def test_a_read_only_screen_names_no_key_that_would_write(
    opened: Opened, facts: Facts, settle: Settle, text_of: Callable[[Any], str]
) -> None:
    """What happened is said, and not that r would mend it."""
    async with opened(facts=replace(facts, read_only=True)) as pilot:
        await at(pilot, FAILED)
        await settle(pilot)
        assert "Failed at transcribe: " in text_of(pilot.app)
        await pilot.press("enter", "5")
        await settle(pilot)
        assert "Failed at transcribe: " in text_of(pilot.app)
        assert "tries again" not in text_of(pilot.app)


async def test_the_front_page_names_the_users_own_key_to_quit(opened: Opened, facts: Facts, settle: Settle) -> None:
    """Where Esc has nothing more to leave."""
    async with opened(facts=replace(facts, keys={"quit": "Q"})) as pilot:
        await pilot.press("escape")
        await settle(pilot)
        assert "This is the front page. Q quits." in status(pilot)


async def test_the_footer_names_no_key_that_is_a_letter_or_not_heard(opened: Opened, settle: Settle) -> None:
    """While one types, here or in a pane, and below every question; afterwards it is as before."""
    async with opened() as pilot:

        async def footer(*keys: str) -> str:
            await pilot.press(*keys)
            await settle(pilot)
            return " ".join(str(pilot.app._keys_line.said).split())

        await at(pilot, COMPLETED)
        before = await footer()
        assert before.startswith("? help q quit")
        assert await footer("slash", "a") == "Enter done Esc as before"
        assert await footer("escape") == before
        for key in ("question_mark", "B", "colon", "m", "q"):
            assert await footer(key) == ""
            assert await footer("escape") == before
        in_pane = await footer("enter", "2")
        assert await footer("slash", "a") == "Enter done Esc end search"
        assert await footer("escape") == in_pane
        assert await footer("e") == ""


@pytest.mark.parametrize(
    ("word", "before", "pane"),
    [("oak", "1", "transcript"), ("overview", "1", "summary"), ("sends", "2", "summary"), ("quote", "3", "summary")],
)
async def test_after_a_search_enter_shows_the_pane_that_has_the_word(
    opened: Opened, desk: Desk, settle: Settle, word: str, before: str, pane: str
) -> None:
    """The pane that was open last stays if the word is in it too."""
    async with opened() as pilot:
        await at(pilot, COMPLETED, "enter", before, "escape")
        await settle(pilot)
        pilot.app.list_calls(JobFilter(search=word))
        pilot.app.detail.mark(word)
        await settle(pilot)
        await at(pilot, COMPLETED, "enter")
        await settle(pilot)
        assert pilot.app.detail.job_id == COMPLETED
        assert pilot.app.detail.pane == pane


async def test_a_search_tells_how_many_it_found(opened: Opened, settle: Settle) -> None:
    """While one types, and afterwards at the right; the word is marked in the panes."""
    async with opened(size=(120, 40)) as pilot:
        await pilot.press("slash", *"client")
        await pilot.pause(0.4)
        await settle(pilot)
        assert "26 of 39 calls found." in str(pilot.app._sentence.said)
        await pilot.press("enter")
        await settle(pilot)
        assert "26 of 39 calls" in status(pilot)
        await pilot.press("enter", "5")
        await settle(pilot)
        assert pilot.app.detail._view.sheet.needle == "client"


async def test_what_a_monitor_becomes_is_shown(opened: Opened, facts: Facts, engine: Any, settle: Settle) -> None:
    """It says that nobody works, offers a key, and shows its own work once it has any."""
    asked: list[str] = []
    async with opened(size=(120, 40), facts=replace(facts, monitor=True, worker="server9"), engine=None) as pilot:
        pilot.app.on_take_over = lambda: asked.append("work")
        await pilot.press("A")
        await settle(pilot)
        assert (asked, "no work here" in status(pilot)) == ([], True)
        pilot.app.post_message(Hosted(Role(said="server9 has ended, so nobody works.")))
        await settle(pilot)
        assert "nobody works" in str(pilot.app._header.said)
        await pilot.press("A")
        assert asked == ["work"]
        pilot.app.post_message(Hosted(Role(engine=engine, said="The work is done here now.")))
        await settle(pilot)
        assert "running" in str(pilot.app._header.said)


async def test_a_read_only_database_refuses_what_would_write(
    opened: Opened, desk: Desk, facts: Facts, settle: Settle
) -> None:
    """Looking works, asking says why not."""
    async with opened(facts=replace(facts, read_only=True)) as pilot:
        for key in ("p", "d", "plus", "B", "R"):
            await pilot.press(key)
            await settle(pilot)
            assert "can only be read" in status(pilot)
        assert desk.heard == []


async def test_where_nothing_is_set_up_nothing_is_promised(
    opened: Opened, empty_desk: Any, facts: Facts, settle: Settle, text_of: Callable[[Any], str]
) -> None:
    """Only help and the way out are offered; what nobody would do is not asked for."""
    facts = replace(facts, first_start=("One setting is missing:", "- drive.credentials"), keys={"help": "f4"})
    async with opened(desk=empty_desk, facts=facts, engine=None) as pilot:
        assert "F4 shows all keys." in text_of(pilot.app)
        assert str(pilot.app._keys_line.said).split() == ["F4", "help", "q", "quit"]
        for key in ("d", "p", "B"):
            await pilot.press(key)
            await settle(pilot)
            assert "Nothing is set up yet: `focusflow init`" in status(pilot)
        assert empty_desk.heard == []


@pytest.mark.parametrize("more", [{"monitor": True}, {"worker": "server9"}], ids=["wanted", "another works"])
async def test_a_screen_without_accounts_that_looks_at_others_is_a_monitor(
    opened: Opened, desk: Desk, facts: Facts, settle: Settle, more: dict[str, Any]
) -> None:
    """It needs none of them to show whose work it is, and to ask for things."""
    facts = replace(facts, first_start=("One setting is missing:",), **more)
    async with opened(size=(120, 40), facts=facts, engine=None) as pilot:
        assert " monitor" in str(pilot.app._header.said)
        await pilot.press("p")
        await settle(pilot)
        await pilot.pause(0.7)
        assert desk.heard == [("pause",)]
        assert " paused" in str(pilot.app._header.said)
        pilot.app.post_message(Hosted(Role(worker="server9")))
        await settle(pilot)
        pilot.app.post_message(Hosted(Role()))
        await settle(pilot)
        assert ("not set up" in str(pilot.app._header.said)) is ("worker" in more)
