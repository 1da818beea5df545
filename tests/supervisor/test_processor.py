"""Which jobs are started, in what order, how many at once, and what stops them?"""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

import anyio
import pytest
from msgspec.structs import replace

from focusflow.domain.eligibility import Rules
from focusflow.domain.jobs import Direction, Status, Step
from focusflow.errors import StoreError

if TYPE_CHECKING:
    from tests.supervisor.conftest import House, MakeHouse


async def run_to_end(house: House) -> None:
    """Tick until nothing is left to start and nothing runs."""
    with anyio.fail_after(10):
        async with anyio.create_task_group() as jobs:
            while await house.processor.tick(jobs) or house.processor.running:
                await house.worker.until(lambda: not house.processor.running)


# ------------------------------------------------------------------------------------------------------------ capacity


async def test_no_more_jobs_run_at_once_than_there_is_room_for(house: House) -> None:
    """Capacity 2, six calls: two at a time, however often it ticks."""
    await house.discover_calls(6)
    house.worker.slow = True
    async with anyio.create_task_group() as jobs:
        assert await house.processor.tick(jobs) == 2
        assert await house.processor.tick(jobs) == 0
        await house.worker.until(lambda: len(house.worker.begun) == 2)
        house.worker.finish_all()
    await run_to_end(house)

    assert (len(house.worker.ended), house.worker.most_at_once) == (6, 2)


async def test_switched_off_calls_wait_and_what_a_person_asks_for_is_done(make_house: MakeHouse) -> None:
    """They are found, measured and priced as ever, and begun when it is switched on again."""
    off = await make_house(by_itself=False)
    ids = await off.discover_calls(3)
    await off.store.process([ids[1]], from_step=None, now=off.clock.now())
    await run_to_end(off)
    assert [(await off.job(job_id)).status for job_id in ids] == [
        Status.DISCOVERED,
        Status.COMPLETED,
        Status.DISCOVERED,
    ]

    on = await make_house()
    await run_to_end(on)

    assert {(await on.job(job_id)).status for job_id in ids} == {Status.COMPLETED}


async def test_two_ticks_at_the_same_moment_share_the_room(house: House) -> None:
    """The loop's own tick and the one that looks for idleness may meet."""
    await house.discover_calls(6)
    house.worker.slow = True
    async with anyio.create_task_group() as jobs:
        async with anyio.create_task_group() as ticks:
            for _ in range(8):
                ticks.start_soon(house.processor.tick, jobs)
        assert len(house.processor.running) == 2
        await house.worker.until(lambda: len(house.worker.begun) == 2)
        house.worker.finish_all()
    assert house.worker.most_at_once == 2


async def test_room_is_filled_in_batches(make_house: MakeHouse) -> None:
    """A small batch takes several claims, not several turns."""
    house = await make_house(concurrency=5, batch=2)
    await house.discover_calls(5)

    async with anyio.create_task_group() as jobs:
        assert await house.processor.tick(jobs) == 5


async def test_capacity_changes_while_jobs_run(make_house: MakeHouse) -> None:
    """Less room stops nobody, it lets fewer in; more room is used at the next turn."""
    house = await make_house(concurrency=3)
    await house.discover_calls(8)
    house.worker.slow = True
    now = house.clock.now()
    async with anyio.create_task_group() as jobs:
        assert await house.processor.tick(jobs) == 3
        await house.store.set_capacity(1, now=now)
        assert await house.processor.tick(jobs) == 0
        await house.store.set_capacity(5, now=now)
        assert await house.processor.tick(jobs) == 2
        await house.store.set_capacity(None, now=now)
        assert await house.processor.tick(jobs) == 0
        await house.worker.until(lambda: len(house.worker.begun) == 5)
        house.worker.finish_all()


async def test_less_room_is_kept_once_jobs_end(make_house: MakeHouse) -> None:
    """From three at once to one: the others are not replaced."""
    house = await make_house(concurrency=3)
    await house.discover_calls(6)
    await house.store.set_capacity(1, now=house.clock.now())
    await run_to_end(house)

    assert (len(house.worker.ended), house.worker.most_at_once) == (6, 1)


async def test_a_job_that_ended_makes_room_and_says_so(make_house: MakeHouse) -> None:
    """Whoever fills the room hears of it at once."""
    house = await make_house(concurrency=1)
    await house.discover_calls(1)
    freed: list[int] = []
    house.processor.on_free = lambda: freed.append(len(house.processor.running))

    async with anyio.create_task_group() as jobs:
        await house.processor.tick(jobs)

    assert freed == [0]


async def test_two_instances_share_a_limit_for_all(make_house: MakeHouse) -> None:
    """`auto.max_parallel` counts what runs on the whole database."""
    here = await make_house(max_parallel=3)
    there = await make_house(max_parallel=3)
    await here.discover_calls(6)
    here.worker.slow = there.worker.slow = True
    async with anyio.create_task_group() as jobs:
        started = [await here.processor.tick(jobs), await there.processor.tick(jobs)]
        here.worker.finish_all()
        there.worker.finish_all()

    assert started == [2, 1]


# ---------------------------------------------------------------------------------------------------------- switches


async def test_nothing_is_started_while_paused(house: House) -> None:
    """Whoever paused it, and from wherever."""
    await house.discover_calls(2)
    await house.store.pause(now=house.clock.now())
    async with anyio.create_task_group() as jobs:
        assert await house.processor.tick(jobs) == 0
        await house.store.resume(now=house.clock.now())
        assert await house.processor.tick(jobs) == 2


async def test_nothing_is_started_while_stopping(house: House) -> None:
    """What is not begun needs not be handed back."""
    await house.discover_calls(2)
    house.processor.draining = True
    async with anyio.create_task_group() as jobs:
        assert await house.processor.tick(jobs) == 0


async def test_only_the_calls_that_were_asked_for_are_started(make_house: MakeHouse) -> None:
    """`focusflow process ID` does that one."""
    before = await make_house()
    _, second, _ = await before.discover_calls(3)

    house = await make_house(only=(second,))
    await run_to_end(house)

    assert house.worker.begun == [second]


# ------------------------------------------------------------------------------------------------------------- order


@pytest.mark.parametrize("newest_first", [False, True])
async def test_calls_are_taken_oldest_or_newest_first(make_house: MakeHouse, newest_first: bool) -> None:
    """By the time of the call."""
    house = await make_house(concurrency=1, newest_first=newest_first)
    ids = await house.discover_calls(4)
    await run_to_end(house)

    assert house.worker.begun == (list(reversed(ids)) if newest_first else ids)


async def test_what_a_person_asked_for_comes_first_and_past_the_rules(make_house: MakeHouse) -> None:
    """An outgoing call, skipped by the rules, before all that wait."""
    house = await make_house(concurrency=1, rules=Rules(directions=frozenset({Direction.INCOMING})))
    ids = await house.discover_calls(3)
    outgoing = house.shelf.call("Zoe", at="2026-11-23 09-59-00", arrow=" ↗")
    house.shelf.sidecar("Zoe", at="2026-11-23 09-59-00", arrow=" ↗")
    await house.discovery.tick()
    asked = (await house.jobs())[outgoing].id
    assert (await house.job(asked)).status is Status.SKIPPED

    await house.store.process([asked], from_step=None, now=house.clock.now())
    await house.discovery.tick()
    await run_to_end(house)

    assert house.worker.begun == [asked, *ids]
    assert not (await house.job(asked)).auto_processed
    assert (await house.job(ids[0])).auto_processed


# --------------------------------------------------------------------------------------------------------------- caps


async def test_no_more_calls_are_begun_in_a_minute_than_allowed(make_house: MakeHouse) -> None:
    """The rest waits for the minute to pass."""
    house = await make_house(concurrency=10, max_jobs_per_minute=2)
    await house.discover_calls(3)
    await run_to_end(house)
    assert len(house.worker.begun) == 2

    house.clock.advance(61)
    await run_to_end(house)
    assert len(house.worker.begun) == 3


async def test_no_more_calls_are_begun_in_a_day_than_allowed(make_house: MakeHouse) -> None:
    """The day ends at midnight where the user lives."""
    house = await make_house(concurrency=10, daily_max_jobs=2)
    await house.discover_calls(3)
    await run_to_end(house)
    assert len(house.worker.begun) == 2

    house.clock.advance(timedelta(hours=14, seconds=1).total_seconds())
    await run_to_end(house)
    assert len(house.worker.begun) == 3


async def test_the_days_money_is_never_overspent_and_the_rest_waits_for_tomorrow(make_house: MakeHouse) -> None:
    """Each call is expected to cost 12,000; there is money for two."""
    house = await make_house(concurrency=10, daily_micros=30_000)
    ids = await house.discover_calls(3)
    house.worker.slow = True
    async with anyio.create_task_group() as jobs:
        assert await house.processor.tick(jobs) == 2
        assert await house.processor.tick(jobs) == 0
        await house.worker.until(lambda: len(house.worker.begun) == 2)
        house.worker.finish_all()
    held = await house.job(ids[2])
    assert (held.hold_kind, held.status) == ("budget", Status.DISCOVERED)

    house.clock.advance(timedelta(hours=14, seconds=1).total_seconds())
    await run_to_end(house)
    assert house.worker.begun == ids


async def test_a_retry_that_is_due_is_taken_back_and_begun(house: House) -> None:
    """A failed call comes back by itself at its hour."""
    (job_id,) = await house.discover_calls(1)
    now = house.clock.now()
    limits = house.processor._limits(1)
    (claim,) = await house.store.claim(
        limits, token="t", claimed_by="x", now=now, lease_until=now + timedelta(minutes=1)
    )
    await house.store.fail(
        claim, Step.DOWNLOAD, "A hiccup.", retry_at=now + timedelta(seconds=60), counts=True, now=now
    )
    await run_to_end(house)
    assert house.worker.begun == []

    house.clock.advance(60)
    await run_to_end(house)
    assert house.worker.begun == [job_id]


# ------------------------------------------------------------------------------------------------------------- trouble


async def test_a_store_out_of_reach_ends_the_job_and_not_the_program(house: House) -> None:
    """Nothing can be recorded; the lease, no longer renewed, hands the call back."""
    (job_id,) = await house.discover_calls(1)
    house.worker.trouble = [StoreError("The disk is gone.")]

    async with anyio.create_task_group() as jobs:
        await house.processor.tick(jobs)

    assert (await house.job(job_id)).status is Status.TRANSCRIBING
    assert house.processor.limiter.available_tokens == 2
    assert not house.processor.running


async def test_a_bug_in_a_job_ends_the_program(house: House) -> None:
    """The pipeline keeps its own mistakes; what gets out of it is not to be retried for ever."""
    await house.discover_calls(1)
    house.worker.trouble = [KeyError("mistake")]

    with pytest.raises(BaseExceptionGroup) as caught:
        async with anyio.create_task_group() as jobs:
            await house.processor.tick(jobs)

    assert caught.group_contains(KeyError)


async def test_a_lost_job_is_stopped_and_the_others_go_on(house: House) -> None:
    """Cancelled from another terminal, or taken by somebody else."""
    first, second = await house.discover_calls(2)
    house.worker.slow = True
    async with anyio.create_task_group() as jobs:
        await house.processor.tick(jobs)
        await house.worker.until(lambda: len(house.worker.begun) == 2)
        nobody = await house.discover_calls(3)

        claims = {claim.job.id: claim for claim in house.processor.claims}
        stranger = replace(claims[second], job=await house.job(nobody[2]))
        heir = replace(claims[second], token="of a later claim")
        assert house.processor.stop_lost([claims[first], stranger, heir]) == {first}
        await house.worker.until(lambda: house.worker.ended == [first])
        assert house.processor.running == {second}
        house.worker.finish_all()


async def test_a_call_cancelled_and_asked_for_again_waits_for_its_old_worker_to_leave(house: House) -> None:
    """The old worker's next write is refused; the new claim, with a token of its own, does the call once."""
    (job_id,) = await house.discover_calls(1)
    house.worker.slow = True
    now = house.clock.now()
    async with anyio.create_task_group() as jobs:
        assert await house.processor.tick(jobs) == 1
        await house.worker.until(lambda: len(house.worker.begun) == 1)
        before = (await house.job(job_id)).claim_token
        await house.store.cancel([job_id], now=now)
        assert await house.store.retry([job_id], now=now) == (job_id,)
        assert await house.processor.tick(jobs) == 0
        house.worker.finish_all()
    assert (await house.job(job_id)).status is Status.DISCOVERED

    house.worker.gate, house.worker.slow = anyio.Event(), True
    async with anyio.create_task_group() as jobs:
        assert await house.processor.tick(jobs) == 1
        after = (await house.job(job_id)).claim_token
        house.worker.finish_all()

    assert after not in (None, before)
    assert (await house.job(job_id)).status is Status.COMPLETED
    detail = await house.detail(job_id)
    assert [attempt.step for attempt in detail.attempts] == [Step.TRANSCRIBE, Step.SUMMARIZE, Step.SYNC]


async def test_a_claim_that_is_interrupted_still_reaches_somebody_who_hands_it_back(house: House) -> None:
    """Stopped between the commit of the claim and the start of the job: no call is left with a lease and no worker."""
    ids = await house.discover_calls(2)
    house.worker.slow = True

    async with anyio.create_task_group() as jobs:
        await house.processor.tick(jobs)
        jobs.cancel_scope.cancel()

    assert [(await house.job(job_id)).status for job_id in ids] == [Status.DISCOVERED] * 2
    assert [(await house.job(job_id)).retry_count for job_id in ids] == [0, 0]
