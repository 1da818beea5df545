"""Does the list hold little, find its place again, and say what columns there are room for?"""

from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace
from rich.cells import cell_len

from focusflow.domain.budgets import FOR_EVER
from focusflow.domain.jobs import Job, JobId, Status, Step
from focusflow.events import Bus, JobProgress, JobsAdded
from focusflow.ports import JobFilter, JobRow
from focusflow.tui import actions, words
from focusflow.tui.columns import COLUMNS, GAP, placed
from focusflow.tui.counts import CELLS, layout
from focusflow.tui.detail.keys import DETAIL_ACTIONS
from focusflow.tui.live import Live, digest
from focusflow.tui.money import sparkline
from focusflow.tui.window import MOST, PAGE, View, Window

Opened = Callable[..., AbstractAsyncContextManager[Any]]
Settle = Callable[[Any], Awaitable[None]]

NOW = datetime(2026, 11, 23, 3, 5, tzinfo=UTC)
ZONE = ZoneInfo("Australia/Melbourne")


@pytest.fixture
def crowd(empty_desk: Any, call: Callable[..., Job]) -> Any:
    """A desk with two thousand calls."""
    empty_desk.add(*(call(number) for number in range(2_000)))
    return empty_desk


async def test_a_window_goes_down_and_up_and_never_holds_more_than_its_share(crowd: Any) -> None:
    """Read in pages both ways, each row in its place."""
    everything = [row.job.id for row in await crowd.page(JobFilter(), limit=10_000)]
    window = Window(crowd)
    await window.first()
    seen = list(window.ids)
    while await window.more_below():
        seen += [job_id for job_id in window.ids if job_id > seen[-1]]
        assert len(window) <= MOST
        assert window.ids == everything[everything.index(window.ids[0]) :][: len(window)]
    assert seen == everything
    assert (window.at_start, window.at_end) == (False, True)
    while await window.more_above():
        assert len(window) <= MOST
        assert window.ids == everything[everything.index(window.ids[0]) :][: len(window)]
    assert window.at_start
    await window.last()
    assert window.ids == everything[-PAGE:]


async def test_a_window_in_the_middle_is_read_again_where_it_was(crowd: Any) -> None:
    """Calls that went are gone, the place stays."""
    window = Window(crowd)
    await window.first()
    while not window.ids[0] > "call000500":
        await window.more_below()
    before = list(window.ids)
    del crowd.calls[before[3]]
    await window.again()
    assert window.ids[:10] == [job_id for job_id in before if job_id != before[3]][:10]


async def test_a_window_whose_calls_all_left_the_filter_shows_what_is_left(crowd: Any) -> None:
    """Nothing is shown that does not match any more."""
    window = Window(crowd)
    await window.show(View(filter=JobFilter(statuses=(Status.DISCOVERED,))))
    for job_id in list(crowd.calls):
        crowd.change(job_id, status=Status.SKIPPED)
    await window.again()
    assert window.ids == []


async def test_the_cursor_outruns_what_is_held_and_arrives(opened: Opened, crowd: Any, settle: Settle) -> None:
    """Ten pages at once go ten pages down."""
    async with opened(desk=crowd) as pilot:
        for _ in range(12):
            pilot.app.table.move(100)
        await settle(pilot)
        await settle(pilot)
        assert pilot.app.table.row.job.id == "call001200"


async def test_progress_draws_its_line_and_reads_nothing(opened: Opened, desk: Any, bus: Bus, settle: Settle) -> None:
    """What is not stored is not looked for in the store."""
    async with opened() as pilot:
        asked = pilot.app.table.window.rows
        for done in range(100):
            bus.publish(JobProgress(job_id=JobId("call000001"), step=Step.TRANSCRIBE, done=done, total=100))
        await settle(pilot)
        assert pilot.app.table.window.rows is asked
        assert "99%" in "".join(segment.text for segment in pilot.app.table.render_line(1))


async def test_a_changed_call_is_read_and_drawn(opened: Opened, desk: Any, settle: Settle) -> None:
    """And only the calls that are held."""
    async with opened() as pilot:
        desk.change(JobId("call000004"), contact_name="Renamed")
        await settle(pilot)
        assert "Renamed" in "".join(segment.text for segment in pilot.app.table.render_line(4))


def test_a_burst_of_events_is_one_change() -> None:
    """Ten thousand hints are digested into what to read."""
    live = Live()
    ids = [JobId(f"call{number % 7}") for number in range(10_000)]
    changes = digest([JobsAdded(job_ids=(job_id,)) for job_id in ids], live)
    assert changes.added
    assert changes.numbers
    assert not changes.calls


@given(width=st.integers(1, 400))
def test_columns_fit_into_any_width(width: int) -> None:
    """Whatever is dropped, the contact stays."""
    got = placed(width)
    assert sum(place.width for place in got) + GAP * (len(got) - 1) <= width
    assert any(place.column.title == "contact" for place in got)


def test_eighty_columns_show_what_matters() -> None:
    """Time, contact, way, length, steps, status, cost."""
    shown = [place.column.title for place in placed(78)]
    assert shown == ["time", "contact", "way", "length", "step", "status", "cost"]
    assert len(placed(300)) == len(COLUMNS)


@given(text=st.text(max_size=60), width=st.integers(1, 40), right=st.booleans())
def test_a_text_is_fitted_to_exactly_its_cells(text: str, width: int, right: bool) -> None:
    """In any script, with wide letters at the edge too."""
    assert cell_len(words.fit(text, width, right=right)) == width


@given(width=st.integers(60, 300))
def test_counts_fit_into_their_lines(width: int) -> None:
    """All ten cells, in one line or two."""
    lines = layout(width)
    assert [cell for line in lines for cell, _ in line] == list(CELLS)
    assert max(sum(cells for _, cells in line) for line in lines) <= width


@pytest.mark.parametrize(
    ("seconds", "said"),
    [(0, "0:00"), (7.9, "0:07"), (125, "2:05"), (3_795, "1:03:15"), (10_803, "3:00:03"), (None, "")],
)
def test_lengths_read_as_on_a_phone(seconds: float | None, said: str) -> None:
    """Minutes and seconds; hours where there are any."""
    assert words.length(seconds) == said


@pytest.mark.parametrize(
    ("micros", "said"),
    [
        (0, "$0.00"),
        (3_000, "$0.0030"),
        (82_900, "$0.0829"),
        (200_000, "$0.20"),
        (994_999, "$0.9950"),
        (996_000, "$1.00"),
        (1_204_999, "$1.20"),
        (1_234_567_890, "$1,234.57"),
    ],
)
def test_totals_are_in_cents_and_below_a_dollar_as_exact_as_prices(micros: int, said: str) -> None:
    """And never nothing for something."""
    assert words.cents(micros) == said


def test_a_sparkline_is_as_high_as_its_day() -> None:
    """The lowest sign is a day without spending."""
    assert sparkline([0, 1, 4, 8], words.UNICODE) == "▁▂▅█"
    assert sparkline([0, 0], words.ASCII) == "__"


# ---------------------------------------------------------------------------------------------------------- sentences

_KEY = "Waiting; B changes the budget or lets it through."
_STOPPED = "All spending is stopped until 2026-11-24 00:00: `focusflow budget resume` ends that."
_DEAR = (
    "This call would cost about $0.25, more than the whole budget of a day ($0.20): raise the budget, or let this call"
)


@pytest.mark.parametrize(
    ("facts", "said"),
    [
        ({"hold_kind": "sidecar", "hold_reason": "Waiting for its sidecar, which tells how long the call was."},
         "Waiting for its sidecar, which tells how long the call was."),
        ({"hold_kind": "credit", "hold_reason": "OpenAI is out of credit", "next_attempt_at": timedelta(seconds=3)},
         "Waiting: OpenAI is out of credit. It comes back at the next turn."),
        ({"hold_kind": "budget", "hold_reason": f"{_DEAR} pass with `focusflow budget lift call000001`.",
          "next_attempt_at": FOR_EVER},
         f"{_KEY} This call would cost about $0.25, more than the whole budget of a day ($0.20)."),
        ({"hold_kind": "budget", "hold_reason": _STOPPED, "next_attempt_at": timedelta(minutes=90)},
         f"{_KEY} All spending is stopped until 2026-11-24 00:00. It comes back in 1 h 30."),
        ({"status": Status.SKIPPED, "skip_reason": "skipped by hand"},
         "Skipped by hand. Press x to do it after all."),
        ({"status": Status.SKIPPED, "skip_reason": "shorter than 20 s"},
         "Skipped: shorter than 20 s. Press x to do it after all."),
        ({}, "Found; it is next when a place is free."),
        ({"uploaded_at": NOW}, "Sent in; the transcript is next when a place is free."),
        ({"transcription_completed_at": NOW}, "Transcribed; the summary is next when a place is free."),
        ({"summarization_completed_at": NOW}, "Summarised; the page is next when a place is free."),
    ],
)  # fmt: skip
def test_a_call_that_rests_says_why_and_what_is_next(
    call: Callable[..., Job], facts: dict[str, Any], said: str
) -> None:
    """Each reason once, and the key before what a narrow screen cuts."""
    back = facts.get("next_attempt_at")
    facts = {**facts, "next_attempt_at": NOW + back if isinstance(back, timedelta) else back}
    row = JobRow(job=call(1, **facts), deliveries=())
    assert words.sentence(row, NOW, ZONE, {"budget": "B", "skip": "x"}.__getitem__) == said


def test_a_call_that_is_next_says_that_nothing_is_begun(call: Callable[..., Job]) -> None:
    """Where it is paused."""
    row = JobRow(job=call(1, transcription_completed_at=NOW), deliveries=())
    said = words.sentence(row, NOW, ZONE, str, at_rest="Paused: P goes on.")
    assert said == "Transcribed; the summary is next. Paused: P goes on."


# ------------------------------------------------------------------------------------------------------------- keymap


def test_no_built_in_key_means_two_things() -> None:
    """Within the list."""
    keys = [key for action in actions.ACTIONS for key in action.keys.split(",")]
    assert len(keys) == len(set(keys))


@pytest.mark.parametrize(
    ("wishes", "problem"),
    [
        ({"pause": "q"}, "screen.keys.pause: q already means quit"),
        ({"pause": "3"}, "screen.keys.pause: 3 already means filter"),
        ({"pawse": "f5"}, "screen.keys.pawse: there is no such action"),
        ({"pause": " "}, "screen.keys.pause: no key is named"),
        ({"pause": "f5", "quit": "f5"}, "F5 already means pause"),
        ({"quit": "Q", "pause": "ctrl+c"}, "screen.keys.pause: Ctrl-C already means quit"),
    ],
)
def test_a_wish_that_cannot_be_followed_is_named(wishes: dict[str, str], problem: str) -> None:
    """The action keeps a key by which it can be reached."""
    keymap = actions.keymap(wishes)
    assert problem in keymap.problems[0]
    assert all(keymap.keys.values())


def test_no_key_of_the_panes_takes_control_c_away() -> None:
    """They have the keyboard when they are open."""
    (problem,) = actions.keymap({"pane_copy": "ctrl+c"}, actions.ACTIONS, DETAIL_ACTIONS).problems
    assert problem.startswith("screen.keys.pane_copy: Ctrl-C already means quit")


def test_two_actions_can_change_their_keys() -> None:
    """Both wishes are followed, because neither key is in use after."""
    keymap = actions.keymap({"pause": "q", "quit": "p"})
    assert keymap.problems == ()
    assert keymap.moved == {"pause": "q", "quit": "p,ctrl+c"}


def test_nothing_that_writes_is_offered_when_only_reading_is_possible() -> None:
    """Not in the footer, not in the palette."""
    context = actions.Context(read_only=True, marked_as={Status.FAILED: 1}, failed=1, older=1)
    assert [action.id for action in actions.in_force(context) if action.writes] == []
    assert actions.in_force(replace(context, read_only=False)) != actions.in_force(context)
