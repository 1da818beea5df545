"""Are living jobs kept, lost ones stopped, and those of the dead taken back?"""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

import anyio

from focusflow.domain.jobs import Status
from focusflow.supervisor.housekeeping import Housekeeping
from tests.supervisor.conftest import nothing_to_sweep

if TYPE_CHECKING:
    import pytest

    from focusflow.ports import Instance
    from tests.supervisor.conftest import House, MakeHouse

LEASE = timedelta(minutes=2)


async def abandoned(house: House) -> None:
    """Claim every call as a worker that is never heard of again."""
    now = house.clock.now()
    await house.store.claim(
        house.processor._limits(10), token="dead", claimed_by="there:2", now=now, lease_until=now + LEASE
    )


async def instances(house: House) -> tuple[Instance, ...]:
    now = house.clock.now()
    return (await house.store.stats(now=now, day_start=now, month_start=now)).instances


async def test_it_beats_four_times_a_lease(house: House) -> None:
    """A slow turn or two does no harm."""
    assert house.watchdog.interval == LEASE.total_seconds() / 4


async def test_a_running_job_keeps_its_lease(house: House) -> None:
    """However long it takes."""
    (job_id,) = await house.discover_calls(1)
    house.worker.slow = True
    async with anyio.create_task_group() as jobs:
        await house.processor.tick(jobs)
        for _ in range(20):
            house.clock.advance(house.watchdog.interval)
            assert await house.watchdog.tick() == "1 alive, 0 lost, 0 taken back"
        assert (await house.job(job_id)).lease_until == house.clock.now() + LEASE
        house.worker.finish_all()


async def test_a_job_that_was_cancelled_elsewhere_is_stopped_here(house: House) -> None:
    """`focusflow cancel` in another terminal reaches the worker at its next beat, and only that one."""
    first, second = await house.discover_calls(2)
    house.worker.slow = True
    async with anyio.create_task_group() as jobs:
        await house.processor.tick(jobs)
        await house.worker.until(lambda: len(house.worker.begun) == 2)
        await house.store.cancel([first], now=house.clock.now())

        assert await house.watchdog.tick() == "1 alive, 1 lost, 0 taken back"
        await house.worker.until(lambda: house.worker.ended == [first])
        house.worker.finish_all()

    assert [(await house.job(job_id)).status for job_id in (first, second)] == [Status.FAILED, Status.COMPLETED]


async def test_the_jobs_of_the_dead_are_taken_back_when_their_lease_is_over(house: House) -> None:
    """Not a moment before: the worker may only be slow."""
    (job_id,) = await house.discover_calls(1)
    await abandoned(house)
    house.clock.advance(LEASE.total_seconds())
    assert await house.watchdog.tick() == "0 alive, 0 lost, 0 taken back"
    house.clock.advance(1)

    assert await house.watchdog.tick() == "0 alive, 0 lost, 1 taken back"

    job = await house.job(job_id)
    assert (job.status, job.rescue_count, job.retry_count) == (Status.DISCOVERED, 1, 0)


async def test_an_orphan_of_our_own_runs_out(house: House) -> None:
    """A job that bears our token and that nobody here works on is not kept alive by our beating."""
    (job_id,) = await house.discover_calls(1)
    now = house.clock.now()
    token = house.processor.token
    await house.store.claim(
        house.processor._limits(1), token=token, claimed_by="here:1", now=now, lease_until=now + LEASE
    )
    await house.watchdog.tick()
    house.clock.advance(LEASE.total_seconds() + 1)
    await house.watchdog.tick()

    assert (await house.job(job_id)).status is Status.DISCOVERED


async def test_a_job_that_kills_its_worker_again_and_again_is_left_alone(make_house: MakeHouse) -> None:
    """Two rescues are allowed here; the third death fails the call, with a sentence."""
    house = await make_house(max_rescues=2)
    (job_id,) = await house.discover_calls(1)
    for _ in range(3):
        await abandoned(house)
        house.clock.advance(LEASE.total_seconds() + 1)
        await house.watchdog.tick()

    job = await house.job(job_id)
    assert (job.status, job.rescue_count) == (Status.FAILED, 3)
    assert "fell silent again and again" in (job.error_message or "")


async def test_an_instance_is_seen_by_the_others(make_house: MakeHouse) -> None:
    """`focusflow stats` shows who is at work."""
    here, there = await make_house(), await make_house()
    await here.watchdog.tick()
    await there.watchdog.tick()

    assert {instance.token for instance in await instances(here)} == {here.processor.token, there.processor.token}


async def test_housekeeping_forgets_old_lines_and_silent_instances(house: House) -> None:
    """What is bounded stays bounded: lines of 30 days, instances of an hour."""
    housekeeping = Housekeeping(queue=house.store, clock=house.clock, log_days=30, sweep=nothing_to_sweep)
    (job_id,) = await house.discover_calls(1)
    await house.watchdog.tick()
    lines = len((await house.detail(job_id)).events)
    assert await housekeeping.tick() == "0 old rows and 0 leftovers removed"

    house.clock.advance(timedelta(days=31).total_seconds())

    assert await housekeeping.tick() == f"{lines + 1} old rows and 0 leftovers removed"
    assert (await house.detail(job_id)).events == ()
    assert await instances(house) == ()


async def test_audio_that_cannot_be_removed_is_said_and_keeps_nothing_from_being_tidied(
    house: House, caplog: pytest.LogCaptureFixture
) -> None:
    """A directory that somebody took away from us is no reason to end."""

    async def sweep() -> int:
        raise PermissionError("not ours")

    housekeeping = Housekeeping(queue=house.store, clock=house.clock, log_days=30, sweep=sweep)

    assert await housekeeping.tick() == "0 old rows and 0 leftovers removed"
    assert [record.getMessage() for record in caplog.records] == ["leftover audio could not be removed"]
