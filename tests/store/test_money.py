"""What is left, what do people's exceptions change, and what waits for how long? On both engines."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

import pytest
from msgspec.structs import replace

from focusflow.domain.budgets import Budgets, OverrideKind, Period
from focusflow.domain.jobs import DurationSource, Outcome, Status, Step
from focusflow.domain.money import Estimate
from focusflow.errors import BadRequest, Held, HoldKind
from focusflow.events import BudgetWarned, Bus, ControlChanged
from focusflow.store import open_store

if TYPE_CHECKING:
    from focusflow.domain.jobs import Claim, JobId
    from focusflow.ports import ClaimLimits, Override
    from tests.store.conftest import World

UTC_ZONE = ZoneInfo("UTC")
HOUR = timedelta(hours=1)
DAY = timedelta(days=1)
TEN = Budgets(zone=UTC_ZONE, day_micros=10_000)
WHO = {"origin": "here cli", "reason": "because"}


def limits(world: World, budgets: Budgets, batch: int = 9) -> ClaimLimits:
    return replace(world.limits(batch), money=budgets.at(world.now), day_start=budgets.at(world.now).windows[0].start)


async def claim(world: World, budgets: Budgets, batch: int = 9) -> list[Claim]:
    return await world.claim(batch, money=budgets.at(world.now))


async def reason(world: World, job_id: JobId) -> str:
    job = await world.job(job_id)
    assert job.hold_kind == HoldKind.BUDGET
    return job.hold_reason or ""


# -------------------------------------------------------------------------------------------------------------- windows


@pytest.mark.parametrize(
    ("period", "later"), [("day", 12 * HOUR), ("week", 6 * DAY + 12 * HOUR), ("month", 27 * DAY + 12 * HOUR)]
)
async def test_each_period_has_its_budget_and_begins_anew(world: World, period: str, later: timedelta) -> None:
    """What does not fit waits until the next day, Monday or month, and comes back by itself."""
    budgets = Budgets(zone=UTC_ZONE, **{f"{period}_micros": 15_000})
    await world.absorb(*(world.arrival() for _ in range(2)))
    (first,) = await claim(world, budgets)
    assert await claim(world, budgets) == []
    await world.store.fail(first, Step.DOWNLOAD, "no", retry_at=None, counts=False, now=world.now)
    await world.store.stop_spending(budgets, until=None, now=world.now, **WHO)
    await world.store.undo_override(1, now=world.now)
    (claimed,) = await claim(world, budgets)
    await world.transcribe(claimed, actual=15_000)
    third = await world.add()
    assert await claim(world, budgets) == []
    assert f"this {period}'s" in await reason(world, third)
    world.later(later - timedelta(milliseconds=1))
    assert await claim(world, budgets) == []
    world.later(timedelta(milliseconds=1))
    assert [found.job.id for found in await claim(world, budgets)] == [third]


async def test_a_charge_of_the_future_counts_in_the_present(world: World) -> None:
    """A clock that was set back over midnight does not give the day's money twice."""
    await world.absorb(*(world.arrival() for _ in range(2)))
    assert len(await claim(world, TEN)) == 1
    world.now -= DAY
    assert await claim(world, TEN) == []
    purse = await world.store.purse(TEN, now=world.now)
    assert [window.reserved_micros for window in purse.windows] == [10_000] * 3
    assert purse.daily[-1] == 10_000


async def test_another_zone_has_other_midnights_and_nothing_is_lost(world: World) -> None:
    """The same charges, counted from the new zone's midnight on."""
    world.now = datetime(2026, 5, 4, 3, 7, tzinfo=UTC)
    await world.claimed()
    world.now = datetime(2026, 5, 4, 15, tzinfo=UTC)
    for zone, spent in (("UTC", 10_000), ("Australia/Melbourne", 0), ("Asia/Kathmandu", 10_000)):
        purse = await world.store.purse(Budgets(zone=ZoneInfo(zone)), now=world.now)
        assert (zone, purse.windows[0].reserved_micros) == (zone, spent)
        assert sum(purse.daily) == purse.windows[2].reserved_micros == 10_000


async def test_sums_are_exact_where_midnight_is_at_no_full_hour(world: World) -> None:
    """Kathmandu's midnight is at 18:15 UTC: what was charged a minute before belongs to yesterday."""
    budgets = Budgets(zone=ZoneInfo("Asia/Kathmandu"))
    for minute in (14, 15, 44):
        world.now = datetime(2026, 5, 3, 18, minute, tzinfo=UTC)
        await world.claimed()
    world.now = datetime(2026, 5, 4, 3, tzinfo=UTC)
    purse = await world.store.purse(budgets, now=world.now)
    assert purse.windows[0].reserved_micros == 20_000
    assert purse.daily[-2:] == (10_000, 20_000)


# ----------------------------------------------------------------------------------------------------------- exceptions


async def test_a_raise_brings_back_what_waits_and_ends_by_itself(world: World) -> None:
    """At once, in every process; at midnight the configured limit holds again."""
    await world.absorb(*(world.arrival() for _ in range(3)))
    assert len(await claim(world, TEN)) == 1
    assert await claim(world, TEN) == []
    world.events()
    made = await world.store.raise_budget(TEN, Period.DAY, 10_000, until=None, now=world.now, **WHO)
    assert (made.kind, made.until, made.made_from, made.reason) == (
        OverrideKind.RAISE, world.now + 12 * HOUR, "here cli", "because",
    )  # fmt: skip
    assert ControlChanged() in world.events()
    assert await world.store.next_due_at(now=world.now) is None
    assert len(await claim(world, TEN)) == 1
    purse = await world.store.purse(TEN, now=world.now)
    assert (purse.windows[0].limit_micros, purse.windows[0].configured_micros) == (20_000, 10_000)
    assert purse.overrides == (made,)
    world.later(12 * HOUR)
    purse = await world.store.purse(TEN, now=world.now)
    assert (purse.windows[0].limit_micros, purse.overrides) == (10_000, ())
    assert await world.store.overrides() == [made]


async def test_an_exception_for_a_day_does_not_hold_before_that_day(world: World) -> None:
    """The clock is set back over midnight: yesterday had its own budget."""
    await world.store.raise_budget(TEN, Period.DAY, 10_000, until=None, now=world.now, **WHO)
    purse = await world.store.purse(TEN, now=world.now - 13 * HOUR)
    assert purse.windows[0].limit_micros == 10_000


async def test_what_was_undone_holds_no_more_and_stays_in_the_books(world: World) -> None:
    """A second time there is nothing to undo."""
    made = await world.store.set_budget(TEN, Period.DAY, 0, until=None, now=world.now, **WHO)
    job_id = await world.add()
    assert await claim(world, TEN) == []
    assert "more than the whole budget of a day ($0.00)" in await reason(world, job_id)
    assert await world.store.undo_override(made.id, now=world.now)
    assert not await world.store.undo_override(made.id, now=world.now)
    assert len(await claim(world, TEN)) == 1
    (kept,) = await world.store.overrides()
    assert kept.undone_at == world.now


async def test_a_lowered_budget_that_ends_early_lets_calls_back_then(world: World) -> None:
    """They do not wait for midnight when the exception is over at two."""
    await world.store.set_budget(TEN, Period.DAY, 5_000, until=world.now + 2 * HOUR, now=world.now, **WHO)
    job_id = await world.add()
    assert await claim(world, TEN) == []
    assert (await world.job(job_id)).next_attempt_at == world.now + 2 * HOUR
    world.later(2 * HOUR)
    assert len(await claim(world, TEN)) == 1


async def test_a_dear_call_waits_for_a_yes_of_its_own(world: World) -> None:
    """The others go on; lifting lets this one pass, whatever else is in its way."""
    budgets = Budgets(zone=UTC_ZONE, day_micros=15_000, call_micros=12_000)
    dear = await world.add(estimate_micros=50_000, call_at=world.now - 2 * DAY)
    cheap = await world.add()
    assert [found.job.id for found in await claim(world, budgets, 1)] == [cheap]
    assert f"`focusflow budget lift {dear}`" in await reason(world, dear)
    world.later(40 * DAY)
    assert await claim(world, budgets) == []
    (made,) = await world.store.lift(budgets, [dear], until=None, now=world.now, **WHO)
    assert made.job_id == dear
    assert [found.job.id for found in await claim(world, budgets)] == [dear]


async def test_a_stop_holds_all_that_costs_and_nothing_else(world: World) -> None:
    """What runs is finished, what is paid for is delivered, budgets lifted or not; afterwards it goes on."""
    running = await world.claimed()
    paid = await world.claimed()
    await world.transcribe(paid)
    await world.summarize(paid)
    await world.store.give_back(paid, now=world.now, note="stop")
    waiting = await world.add()
    free = Budgets(zone=UTC_ZONE)
    await world.store.stop_spending(free, until=None, now=world.now, **WHO)
    await world.store.lift(free, None, until=None, now=world.now, **WHO)
    async with open_store(world.url, bus=Bus(), synchronous="NORMAL") as other:
        claims = await other.claim(
            limits(world, free), token="t", claimed_by="other", now=world.now, lease_until=world.now + HOUR
        )
    assert [found.job.id for found in claims] == [paid.job.id]
    assert "All spending is stopped" in await reason(world, waiting)
    await world.transcribe(running)
    purse = await world.store.purse(free, now=world.now)
    assert purse.stopped_until == world.now + 30 * DAY
    assert await world.store.undo_override(1, now=world.now)
    assert [found.job.id for found in await claim(world, free)] == [waiting]


async def test_a_stop_holds_although_the_clock_is_set_back(world: World) -> None:
    await world.store.stop_spending(TEN, until=None, now=world.now, **WHO)
    await world.add()
    world.now -= 3 * DAY
    assert await claim(world, TEN) == []


async def test_a_call_that_a_rule_exempts_needs_no_budget(world: World) -> None:
    """It still counts: others find less."""
    job_id = await world.add(duration_seconds=None)
    await world.store.measured(
        job_id,
        duration_seconds=60.0,
        duration_source=DurationSource.SIDECAR,
        direction=None,
        contact_number=None,
        estimate=longer(10_000),
        skip_reason=None,
        now=world.now,
        budget_exempt=True,
    )
    assert [found.job.id for found in await claim(world, Budgets(zone=UTC_ZONE, day_micros=0))] == [job_id]


@pytest.mark.parametrize("amount", [-1, 0, 10**12 + 1])
async def test_an_absurd_amount_changes_nothing(world: World, amount: int) -> None:
    with pytest.raises(BadRequest):
        await world.store.raise_budget(TEN, Period.DAY, amount, until=None, now=world.now, **WHO)
    with pytest.raises(BadRequest, match="in the past"):
        await world.store.set_budget(TEN, Period.DAY, 5, until=world.now, now=world.now, **WHO)
    with pytest.raises(BadRequest, match="no limit"):
        await world.store.raise_budget(TEN, Period.WEEK, 5, until=None, now=world.now, **WHO)
    made: list[Override] = list(await world.store.overrides())
    assert made == []


# --------------------------------------------------------------------------------------------------------- as it is found


def longer(micros: int) -> Estimate:
    return Estimate(transcribe_micros=micros - micros // 5, summarize_micros=micros // 5)


async def test_a_recording_longer_than_guessed_waits_before_it_is_ordered(world: World) -> None:
    """What is reserved never exceeds the budget, not for a moment; the next claim knows the true price."""
    budgets = Budgets(zone=UTC_ZONE, day_micros=30_000)
    running = await world.claimed()
    attempt = await world.store.begin(running, Step.DOWNLOAD, now=world.now)
    await world.store.end(running, attempt, Outcome.DONE, now=world.now)
    money = budgets.at(world.now)
    await world.store.measured_file(
        running, 300.0, DurationSource.HEADER, estimate=longer(30_000), money=money, now=world.now
    )
    with pytest.raises(Held, match="more than the whole budget of a day") as held:
        await world.store.measured_file(
            running, 900.0, DurationSource.HEADER, estimate=longer(60_000), money=money, now=world.now
        )
    assert held.value.kind is HoldKind.BUDGET
    purse = await world.store.purse(budgets, now=world.now)
    assert purse.windows[0].reserved_micros == 30_000
    assert held.value.until is not None
    await world.store.hold(running, HoldKind.BUDGET, str(held.value), until=held.value.until, now=world.now)
    job = await world.job(running.job.id)
    assert (job.status, job.estimate_micros, job.duration_seconds) == (Status.DISCOVERED, 60_000, 900.0)
    assert (await world.store.purse(budgets, now=world.now)).windows[0].reserved_micros == 0


async def test_a_budget_warns_once_at_four_fifths_and_once_when_it_is_gone(world: World) -> None:
    budgets = Budgets(zone=UTC_ZONE, day_micros=50_000)
    await world.absorb(*(world.arrival() for _ in range(6)))
    told = []
    for _ in range(6):
        await claim(world, budgets, 1)
        told.append([event.share for event in world.events() if isinstance(event, BudgetWarned)])
    assert told == [[], [], [], [0.8], [1.0], []]


async def test_the_front_page_knows_what_waits_and_what_was_spared(world: World) -> None:
    """Kept up by every change, not counted."""
    await world.absorb(*(world.arrival() for _ in range(3)), world.arrival(estimate_micros=None, duration_seconds=None))
    claimed = (await world.claim(1))[0]
    skipped = await world.add(estimate_micros=7_000)
    await world.store.skip_jobs([skipped], reason="by hand", now=world.now)
    purse = await world.store.purse(TEN, now=world.now)
    assert (purse.backlog.calls, purse.backlog.seconds, purse.backlog.micros, purse.backlog.unpriced) == (
        3,
        200.0,
        20_000,
        1,
    )
    assert (purse.saved_micros, purse.jobs_today) == (7_000, 1)
    await world.transcribe(claimed)
    await world.store.give_back(claimed, now=world.now, note="stop")
    purse = await world.store.purse(TEN, now=world.now)
    assert (purse.backlog.calls, purse.backlog.micros) == (4, 22_000)
    assert await world.store.verify_sums() == {}
    await world.store.optimize()
    assert await world.store.verify_sums() == {}


async def test_a_run_again_says_its_price_or_why_it_is_free(world: World) -> None:
    """Only what is done anew is paid for."""
    done, fresh, unpriced = await world.completed(), await world.add(), await world.add(estimate_micros=None)
    prices = {}
    for step in (None, Step.TRANSCRIBE, Step.SUMMARIZE, Step.SYNC):
        found = await world.store.price([done], from_step=step)
        prices[step] = (found.micros, found.unpriced, found.free_because)
    assert prices == {
        None: (0, 0, "transcript and summary are already there"),
        Step.TRANSCRIBE: (10_000, 0, None),
        Step.SUMMARIZE: (2_000, 0, None),
        Step.SYNC: (0, 0, "only the pages are brought up to date"),
    }
    both = await world.store.price([fresh, unpriced], from_step=None)
    assert (both.micros, both.unpriced, both.free_because) == (10_000, 1, None)
