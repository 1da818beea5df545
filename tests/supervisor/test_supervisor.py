"""Do the loops find, measure, begin and deliver by themselves, and does everything come to rest when it should?"""

from __future__ import annotations

from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import TYPE_CHECKING

import anyio
import pytest

from focusflow.domain.jobs import Status, Step
from focusflow.errors import SourceError, StoreError
from focusflow.events import LoopTicked
from focusflow.ports import Delivery

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from focusflow.domain.jobs import Claim
    from focusflow.ports import Stats
    from tests.supervisor.conftest import House, MakeHouse

LEASE = timedelta(minutes=2)


@asynccontextmanager
async def running(house: House) -> AsyncIterator[None]:
    """Run the supervisor while the context lasts, then stop it."""
    with anyio.fail_after(20):
        async with anyio.create_task_group() as group:
            await group.start(house.supervisor.run)
            yield
            house.supervisor.stop()


async def until_ticked(house: House, loop: str) -> LoopTicked:
    """Wait for the next turn of a loop to end."""
    with house.bus.subscribe() as events, anyio.fail_after(5):
        while True:
            event = await events.get()
            if isinstance(event, LoopTicked) and event.loop == loop:
                return event


GRACE = 2
"""While a stop waits for work in flight: the watchdog, and the wait itself."""
LOOPS = 6
"""So many loops wait for their next turn when nothing is going on."""


async def settled(house: House, sleepers: int = LOOPS) -> None:
    """Let everything that was set off end in waiting."""
    for _ in range(20):  # a bell is heard a few turns of the event loop after it was rung
        await anyio.lowlevel.checkpoint()
    with anyio.fail_after(5):
        await house.clock.until_sleeping(sleepers)


async def run_until_idle(house: House) -> timedelta:
    """Run as `focusflow run --until-idle` does, skipping the waits; return how long it took by the clock."""
    began = house.clock.now()

    async def let_time_pass() -> None:
        while True:
            await house.clock.until_sleeping(LOOPS + 1)
            house.clock.skip_to_next()
            await anyio.lowlevel.checkpoint()

    with anyio.fail_after(20):
        async with anyio.create_task_group() as group:
            group.start_soon(let_time_pass)
            await house.supervisor.run(until_idle=True)
            group.cancel_scope.cancel()
    return house.clock.now() - began


async def claimed_elsewhere(house: House, count: int = 1) -> list[str]:
    """Let a worker that is never heard of again take calls."""
    now = house.clock.now()
    claims = await house.store.claim(
        house.processor._limits(count), token="dead", claimed_by="there", now=now, lease_until=now + LEASE
    )
    return [claim.job.id for claim in claims]


# ------------------------------------------------------------------------------------------------------ at work, awake


async def test_a_call_is_found_measured_and_done_without_anybody_asking(house: House) -> None:
    """The product in one test: a file appears, the clock moves, the call is completed."""
    async with running(house):
        await settled(house)
        house.shelf.sidecar("Ann")
        found = house.shelf.call("Ann")
        house.clock.advance(300)
        await house.worker.until(lambda: len(house.worker.ended) == 1)

    assert (await house.statuses())[found] is Status.COMPLETED


async def test_a_new_call_begins_at_once_and_not_at_the_next_turn(house: House) -> None:
    """The commit itself wakes the processor: the clock does not move here."""
    async with running(house):
        await settled(house)
        await house.discover_calls(1)
        await house.worker.until(lambda: len(house.worker.ended) == 1)


async def test_a_late_sidecar_is_read_at_once(house: House) -> None:
    """And the call begins, minutes before its wait is over."""
    async with running(house):
        await settled(house)
        house.shelf.call("Ann")
        await house.discovery.look()
        await settled(house)
        assert house.worker.begun == []
        house.shelf.sidecar("Ann")
        await house.discovery.look()
        await house.worker.until(lambda: len(house.worker.ended) == 1)


async def test_a_call_without_sidecar_begins_when_its_wait_is_over(house: House) -> None:
    """To the second, not at the next full five minutes."""
    house.clock.advance(17)
    house.shelf.call("Ann")
    async with running(house):
        await until_ticked(house, "discovery")
        await settled(house)
        house.clock.advance(599)
        await settled(house)
        assert house.worker.begun == []
        house.clock.advance(1)
        await house.worker.until(lambda: len(house.worker.ended) == 1)


async def test_discovery_that_is_asked_for_happens_now(house: House) -> None:
    """One key on the screen; the clock does not move."""
    async with running(house):
        await settled(house)
        house.shelf.sidecar("Ann")
        house.shelf.call("Ann")
        await house.store.request_discovery(now=house.clock.now())
        await house.worker.until(lambda: len(house.worker.ended) == 1)


async def test_resuming_begins_at_once(house: House) -> None:
    """Pause, calls come, resume, they go."""
    await house.store.pause(now=house.clock.now())
    async with running(house):
        await house.discover_calls(2)
        await settled(house)
        assert house.worker.begun == []
        await house.store.resume(now=house.clock.now())
        await house.worker.until(lambda: len(house.worker.ended) == 2)


async def test_everything_is_listed_once_more_each_night(house: House) -> None:
    """At 03:17 where the user lives, whatever the feed of changes said."""
    async with running(house):
        await settled(house)
        house.clock.set(datetime(2026, 11, 24, 3, 10, tzinfo=UTC))
        await until_ticked(house, "discovery")
        await settled(house)
        assert house.shelf.asked.count(None) == 1
        house.clock.set(datetime(2026, 11, 24, 3, 20, tzinfo=UTC))
        await until_ticked(house, "discovery")

    assert house.shelf.asked.count(None) == 2


async def test_what_a_crash_left_is_taken_back_before_anything_else(house: House) -> None:
    """The first thing a start does, without waiting for a beat."""
    await house.discover_calls(1)
    await claimed_elsewhere(house)
    house.clock.advance(LEASE.total_seconds() + 1)

    async with running(house):
        await house.worker.until(lambda: len(house.worker.ended) == 1)


async def test_completed_calls_are_brought_to_a_sink_that_refused_them(house: House) -> None:
    """Each once per due time, one after the other."""
    ids = await house.discover_calls(7)
    house.processor.limiter.total_tokens = 7
    await run_until_idle(house)
    now = house.clock.now()
    for job_id in ids:
        refused = Delivery(sink="notion", error="Not now.", attempts=1, next_attempt_at=now + timedelta(seconds=30))
        await house.store.save_delivery(job_id, refused, now=now)

    house.clock.advance(31)
    tried = [await house.supervisor._deliver_again() for _ in range(2)]

    assert tried == ["7 tried again", "0 tried again"]
    assert sorted(house.redelivered) == sorted((job_id, "notion") for job_id in ids)


async def test_deliveries_are_a_loop_of_their_own(house: House) -> None:
    """A sink that is back is noticed while calls are processed."""
    (job_id,) = await house.discover_calls(1)
    async with running(house):
        await house.worker.until(lambda: len(house.worker.ended) == 1)
        now = house.clock.now()
        refused = Delivery(sink="notion", error="Not now.", attempts=1, next_attempt_at=now + timedelta(seconds=30))
        await house.store.save_delivery(job_id, refused, now=now)
        await settled(house)
        house.clock.advance(61)
        await until_ticked(house, "deliveries")

    assert house.redelivered == [(job_id, "notion")]


# ------------------------------------------------------------------------------------------------ what a screen asks for


async def test_it_says_when_its_loops_look_next(house: House) -> None:
    """By the schedule: discovery every five minutes, the processor every minute, the watchdog at its beat."""
    async with running(house):
        await settled(house)
        turns = house.supervisor.next_turns()

    now = house.clock.now()
    assert turns["discovery"] == now + timedelta(minutes=5)
    assert turns["processor"] == now + timedelta(minutes=1)
    assert turns["watchdog"] == now + LEASE / 4
    assert turns.keys() == {loop.name for loop in house.supervisor._loops()}


async def test_calls_in_flight_are_handed_back_on_request_and_it_goes_on(make_house: MakeHouse) -> None:
    """The second press of pause: what runs rests again, nothing new is begun while paused, and resuming goes on."""
    house = await make_house(concurrency=2)
    ids = await house.discover_calls(2)
    house.worker.slow = True
    async with running(house):
        await house.worker.until(lambda: len(house.worker.begun) == 2)
        assert house.supervisor.in_flight == 2
        await house.store.pause(now=house.clock.now())
        house.supervisor.hand_back()
        await house.worker.until(lambda: len(house.worker.ended) == 2)
        assert {(await house.job(job_id)).status for job_id in ids} == {Status.DISCOVERED}
        house.worker.finish_all()
        await house.store.resume(now=house.clock.now())
        await house.worker.until(lambda: len(house.worker.ended) == 4)

    assert {(await house.job(job_id)).status for job_id in ids} == {Status.COMPLETED}


async def test_what_runs_is_finished_when_nothing_more_is_to_be_claimed(make_house: MakeHouse) -> None:
    """The first stage of quitting: one call ends well, the other is left for the next start."""
    house = await make_house(concurrency=1)
    first, second = await house.discover_calls(2)
    house.worker.slow = True
    async with running(house):
        await house.worker.until(lambda: len(house.worker.begun) == 1)
        house.supervisor.stop_claiming()
        assert house.supervisor.draining
        house.worker.finish_all()
        await house.worker.until(lambda: len(house.worker.ended) == 1)
        await settled(house)

    assert (await house.job(first)).status is Status.COMPLETED
    assert (await house.job(second)).status is Status.DISCOVERED


# -------------------------------------------------------------------------------------------------------- when it fails


async def test_a_failing_look_is_announced_and_tried_again(house: House) -> None:
    """The source is down for a moment: the other loops go on, this one comes back after five seconds."""
    house.shelf.trouble[0] = SourceError("Drive does not answer.")
    with house.bus.subscribe() as events:
        async with running(house):
            while not isinstance(event := await events.get(), LoopTicked) or event.loop != "discovery":
                pass
            assert (event.error, event.failures_in_a_row) == ("Drive does not answer.", 1)
            house.shelf.sidecar("Ann")
            house.shelf.call("Ann")
            await settled(house)
            house.clock.advance(5)
            await house.worker.until(lambda: len(house.worker.ended) == 1)


async def test_a_bug_in_a_loop_ends_the_program_and_hands_jobs_back(house: House) -> None:
    """Nothing is retried that nobody expected; nothing is left behind either."""
    (job_id,) = await house.discover_calls(1)
    house.worker.slow = True

    async def break_the_shelf() -> None:
        await house.worker.until(lambda: len(house.worker.begun) == 1)
        house.shelf.down = KeyError("mistake")
        await house.store.request_discovery(now=house.clock.now())

    async def run() -> None:
        async with anyio.create_task_group() as group:
            group.start_soon(break_the_shelf)
            await house.supervisor.run()

    with anyio.fail_after(10), pytest.raises(BaseExceptionGroup) as caught:
        await run()

    assert caught.group_contains(KeyError)
    assert (await house.job(job_id)).status is Status.DISCOVERED


async def test_no_more_is_said_of_an_instance_that_has_left(house: House) -> None:
    """`focusflow stats` counts the living."""
    async with running(house):
        await settled(house)
        assert len((await stats(house)).instances) == 1

    assert len((await stats(house)).instances) == 0


async def stats(house: House) -> Stats:
    now = house.clock.now()
    return await house.store.stats(now=now, day_start=now, month_start=now)


# ------------------------------------------------------------------------------------------------------------ stopping


async def test_a_stop_gives_work_in_flight_its_grace(make_house: MakeHouse) -> None:
    """What ends within it is completed; nothing new is begun meanwhile."""
    house = await make_house(concurrency=1, shutdown_grace=30)
    first, second = await house.discover_calls(2)
    house.worker.slow = True
    async with running(house):
        await house.worker.until(lambda: len(house.worker.begun) == 1)
        house.supervisor.stop()
        await settled(house, GRACE)
        house.clock.advance(29)
        await settled(house, GRACE)
        house.worker.gate.set()

    assert [(await house.job(job_id)).status for job_id in (first, second)] == [Status.COMPLETED, Status.DISCOVERED]


async def test_a_stop_does_not_wait_out_its_grace_when_the_work_is_done(make_house: MakeHouse) -> None:
    """The last call ends, the program ends: the clock does not move here."""
    house = await make_house(shutdown_grace=3_600)
    await house.discover_calls(1)
    house.worker.slow = True
    async with running(house):
        await house.worker.until(lambda: len(house.worker.begun) == 1)
        house.supervisor.stop()
        await settled(house, GRACE)
        house.worker.gate.set()


async def test_leases_are_renewed_during_the_grace(make_house: MakeHouse) -> None:
    """Or the watchdog of another instance would take the call from under us."""
    house = await make_house(shutdown_grace=600)
    (job_id,) = await house.discover_calls(1)
    house.worker.slow = True
    async with running(house):
        await house.worker.until(lambda: len(house.worker.begun) == 1)
        house.supervisor.stop()
        for _ in range(6):
            await settled(house, GRACE)
            house.clock.advance(house.watchdog.interval)
            await until_ticked(house, "watchdog")
        assert (await house.job(job_id)).lease_until == house.clock.now() + LEASE
        house.worker.gate.set()


@pytest.mark.parametrize("grace", [0, 30])
async def test_what_outlasts_the_grace_is_handed_back_and_done_by_the_next_instance(
    make_house: MakeHouse, grace: float
) -> None:
    """Cancelled is not failed: the call rests, keeps its count of tries, and a second instance takes it over."""
    house = await make_house(shutdown_grace=grace)
    (job_id,) = await house.discover_calls(1)
    house.worker.slow = True
    async with running(house):
        await house.worker.until(lambda: len(house.worker.begun) == 1)
        house.supervisor.stop()
        if grace:
            await settled(house, GRACE)
            house.clock.advance(grace)
    job = await house.job(job_id)
    assert (job.status, job.claim_token, job.retry_count, job.rescue_count) == (Status.DISCOVERED, None, 0, 0)
    assert job.error_message is None

    next_house = await make_house()
    await run_until_idle(next_house)
    assert (await next_house.job(job_id)).status is Status.COMPLETED


async def test_being_cancelled_hands_work_back_too(house: House) -> None:
    """The screen went away, or somebody pressed Ctrl-C twice."""
    (job_id,) = await house.discover_calls(1)
    house.worker.slow = True
    with anyio.fail_after(10):
        async with anyio.create_task_group() as group:
            await group.start(house.supervisor.run)
            await house.worker.until(lambda: len(house.worker.begun) == 1)
            group.cancel_scope.cancel()

    assert (await house.job(job_id)).status is Status.DISCOVERED


# ---------------------------------------------------------------------------------------------------------- until idle

DAY = timedelta(days=1)
"""A lease that never ends while time is skipped."""


async def test_with_nothing_there_it_ends_at_once(house: House) -> None:
    """After one look."""
    assert await run_until_idle(house) < timedelta(seconds=5)

    assert house.shelf.asked == [None]


async def test_it_ends_when_every_call_is_done(make_house: MakeHouse) -> None:
    """More of them than there is room for at once."""
    house = await make_house(lease=DAY)
    for n in range(5):
        house.shelf.sidecar(f"Caller {n}")
        house.shelf.call(f"Caller {n}")

    await run_until_idle(house)

    assert set((await house.statuses()).values()) == {Status.COMPLETED}


async def test_it_waits_for_a_sidecar_wait_that_is_about_to_end(make_house: MakeHouse) -> None:
    """Ten minutes are within the horizon."""
    house = await make_house(lease=DAY)
    found = house.shelf.call("Ann")

    assert timedelta(minutes=10) <= await run_until_idle(house) < timedelta(minutes=12)

    assert (await house.statuses())[found] is Status.COMPLETED


async def test_it_waits_for_no_sidecar_of_an_old_recording(make_house: MakeHouse) -> None:
    """A folder of last year's calls is done at once."""
    house = await make_house(lease=DAY)
    found = house.shelf.call("Ann", modified_at=house.clock.now() - DAY)

    assert await run_until_idle(house) < timedelta(minutes=1)

    assert (await house.statuses())[found] is Status.COMPLETED


async def test_it_waits_for_a_retry_that_is_due_soon_and_not_for_one_much_later(make_house: MakeHouse) -> None:
    """A quarter of an hour is worth waiting for."""
    house = await make_house(lease=DAY)
    soon, late = await house.discover_calls(2)
    now = house.clock.now()
    for minutes in (10, 60):
        (claim,) = await house.store.claim(
            house.processor._limits(1), token="t", claimed_by="x", now=now, lease_until=now + LEASE
        )
        again = now + timedelta(minutes=minutes)
        await house.store.fail(claim, Step.TRANSCRIBE, "A hiccup.", retry_at=again, counts=True, now=now)

    assert timedelta(minutes=10) <= await run_until_idle(house) < timedelta(minutes=12)

    assert [(await house.job(job_id)).status for job_id in (soon, late)] == [Status.COMPLETED, Status.FAILED]


async def test_it_waits_for_a_sink_that_is_tried_again_soon_and_not_for_one_much_later(house: House) -> None:
    """The run that completed a call also brings it to a sink that was away for a moment."""
    soon, late = await house.discover_calls(2)
    await run_until_idle(house)
    now = house.clock.now()
    for job_id, minutes in ((soon, 5), (late, 60)):
        waiting = Delivery(sink="notion", attempts=1, next_attempt_at=now + timedelta(minutes=minutes))
        await house.store.save_delivery(job_id, waiting, now=now)

    assert timedelta(minutes=5) <= await run_until_idle(house) < timedelta(minutes=6)

    assert house.redelivered == [(soon, "notion")]


async def test_a_sink_that_failed_is_tried_at_a_start_however_long_it_would_wait(house: House) -> None:
    """Whoever mended its key need not wait for what the failure before has put off."""
    (job_id,) = await house.discover_calls(1)
    await run_until_idle(house)
    now = house.clock.now()
    refused = Delivery(sink="notion", error="The key is wrong.", attempts=1, next_attempt_at=now + timedelta(hours=1))
    await house.store.save_delivery(job_id, refused, now=now)

    assert await run_until_idle(house) < timedelta(minutes=1)

    assert house.redelivered == [(job_id, "notion")]


async def test_it_waits_for_the_cap_of_calls_a_minute(make_house: MakeHouse) -> None:
    """Three calls, one a minute: all are done by one run, which then ends without a further minute."""
    house = await make_house(lease=DAY, max_jobs_per_minute=1)
    await house.discover_calls(3)

    assert timedelta(minutes=2) <= await run_until_idle(house) < timedelta(minutes=3)

    assert set((await house.statuses()).values()) == {Status.COMPLETED}


async def test_it_does_not_wait_for_a_minute_of_a_paused_database(make_house: MakeHouse) -> None:
    """Nothing is begun after the minute either."""
    house = await make_house(lease=DAY, max_jobs_per_minute=1)
    await house.discover_calls(2)
    house.worker.slow = True
    async with anyio.create_task_group() as group:
        group.start_soon(run_until_idle, house)
        await house.worker.until(lambda: len(house.worker.begun) == 1)
        await house.store.pause(now=house.clock.now())
        house.worker.finish_all()

    assert sorted((await house.statuses()).values()) == [Status.COMPLETED, Status.DISCOVERED]


@pytest.mark.parametrize("terms", [{"daily_micros": 1_000}, {"daily_max_jobs": 0}])
async def test_it_does_not_wait_for_money_or_for_tomorrow(make_house: MakeHouse, terms: dict[str, int]) -> None:
    """What the day does not allow is the next day's."""
    house = await make_house(**terms)
    await house.discover_calls(2)

    assert await run_until_idle(house) < timedelta(seconds=10)

    assert set((await house.statuses()).values()) == {Status.DISCOVERED}


async def test_it_does_not_wait_for_somebody_to_resume(house: House) -> None:
    """A paused run from cron ends instead of piling up."""
    await house.discover_calls(2)
    await house.store.pause(now=house.clock.now())

    assert await run_until_idle(house) < timedelta(seconds=10)

    assert house.worker.begun == []


async def test_it_ends_when_the_source_is_out_of_reach_and_the_known_calls_are_done(make_house: MakeHouse) -> None:
    """Three looks failed: what is here is processed, and the loop tells why it gave up."""
    house = await make_house(lease=DAY)
    await house.discover_calls(2)
    house.shelf.down = SourceError("Drive does not answer.")

    await run_until_idle(house)

    assert set((await house.statuses()).values()) == {Status.COMPLETED}
    assert str(house.supervisor.discovery_loop.error) == "Drive does not answer."


async def test_a_store_that_cannot_be_used_ends_it_instead_of_holding_it_for_ever(house: House) -> None:
    """No turn of the processor will ever end well: whoever runs us from cron is told."""
    house.processor._control = Broken()  # type: ignore[assignment]  # the one question that is asked
    with pytest.raises(BaseExceptionGroup) as caught:
        await run_until_idle(house)

    assert caught.group_contains(StoreError)


class Broken:
    """A store whose disk is gone."""

    async def control(self) -> None:
        raise StoreError("The disk is gone.")


async def test_it_waits_for_what_is_in_flight(make_house: MakeHouse) -> None:
    """Idle is when the last call has ended."""
    house = await make_house(lease=DAY)
    await house.discover_calls(1)
    house.worker.slow = True
    async with anyio.create_task_group() as group:
        group.start_soon(run_until_idle, house)
        await house.worker.until(lambda: len(house.worker.begun) == 1)
        until = house.clock.now() + timedelta(minutes=1)
        while house.clock.now() < until:
            await house.clock.until_somebody_sleeps()
            await anyio.lowlevel.checkpoint()
        assert house.worker.ended == []
        house.worker.finish_all()

    assert set((await house.statuses()).values()) == {Status.COMPLETED}


async def test_a_stop_ends_it_early(house: House) -> None:
    """Ctrl-C also while it waits for a sidecar: the clock stands still here."""
    house.shelf.call("Ann")
    with anyio.fail_after(10):
        async with anyio.create_task_group() as group:
            group.start_soon(partial(house.supervisor.run, until_idle=True))
            await settled(house, LOOPS + 1)
            house.supervisor.stop()

    assert house.worker.begun == []


# -------------------------------------------------------------------------------------------------------- by the hand


async def test_processing_by_hand_does_what_was_asked_for_and_ends(make_house: MakeHouse) -> None:
    """More calls than there is room for, and nothing else."""
    before = await make_house()
    ids = await before.discover_calls(5)
    house = await make_house(only=tuple(ids[:3]))

    with anyio.fail_after(10):
        await house.supervisor.process_due()

    assert sorted(house.worker.ended) == sorted(ids[:3])
    assert len((await stats(house)).instances) == 0


async def test_processing_by_hand_ends_when_a_call_fails(make_house: MakeHouse) -> None:
    """It does not wait for the retry."""
    house = await make_house(concurrency=1)
    ids = await house.discover_calls(2)

    async def fail(claim: Claim) -> None:
        now = house.clock.now()
        house.worker.begun.append(claim.job.id)
        await house.store.fail(
            claim, Step.DOWNLOAD, "A hiccup.", retry_at=now + timedelta(minutes=1), counts=True, now=now
        )

    house.processor._run_job = fail
    with anyio.fail_after(10):
        await house.supervisor.process_due()

    assert sorted(house.worker.begun) == sorted(ids)


async def test_processing_by_hand_can_be_stopped(make_house: MakeHouse) -> None:
    """In stages, as a run: grace, then handed back."""
    house = await make_house(shutdown_grace=30)
    (job_id,) = await house.discover_calls(1)
    house.worker.slow = True
    with anyio.fail_after(10):
        async with anyio.create_task_group() as group:
            group.start_soon(house.supervisor.process_due)
            await house.worker.until(lambda: len(house.worker.begun) == 1)
            house.supervisor.stop()
            await settled(house, GRACE)
            house.clock.advance(30)

    assert (await house.job(job_id)).status is Status.DISCOVERED
