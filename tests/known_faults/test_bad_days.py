"""Does a machine's bad day (full disk, locked database, wrong clock, a second process) cost a call, or money twice?"""

from __future__ import annotations

import itertools
import os
import re
import sqlite3
import subprocess
from contextlib import closing
from datetime import timedelta
from threading import Thread
from typing import TYPE_CHECKING

import anyio
import pytest

from focusflow.domain.jobs import Claim, JobId, Status, Step
from focusflow.errors import StoreBusy, StoreError
from focusflow.events import JobChanged, Subscription
from focusflow.ports import ClaimLimits
from focusflow.wiring import opened_works

if TYPE_CHECKING:
    from pathlib import Path

    from focusflow.config import Settings
    from tests.known_faults.conftest import OpenWorld, Product, World

DAY = timedelta(days=1)
QUICK = "spanish-order"
"""What is said in most calls here: nothing, which needs no summary and is quick."""


# ------------------------------------------------------------------------------------------- two processes, one database


def finished(heard: Subscription) -> list[JobId]:
    """Which calls were completed by the process that we listened to."""
    events = [event for event in heard.drain() if isinstance(event, JobChanged)]
    return [event.job_id for event in events if event.status is Status.COMPLETED]


async def test_two_processes_on_one_database_pay_for_each_call_once(real_time: OpenWorld) -> None:
    """Both look, claim and run to idleness side by side: every call is done by one of them, and has one page."""
    async with real_time() as w:
        for _ in range(12):
            w.call(script=QUICK)
        flags = {"auto__concurrency": 2, "assemblyai__poll_seconds": 0.02}
        async with w.opened(**flags) as one, w.opened(**flags) as other:
            with one.works.bus.subscribe() as ones, other.works.bus.subscribe() as others, anyio.fail_after(50):
                async with anyio.create_task_group() as group:
                    group.start_soon(one.look)
                    group.start_soon(other.look)
                async with anyio.create_task_group() as group:
                    group.start_soon(one.run_until_idle)
                    group.start_soon(other.run_until_idle)
                done_by_one, done_by_other = finished(ones), finished(others)
            assert await one.statuses() == await other.statuses() == [Status.COMPLETED] * 12
            assert (w.transcripts_paid(), w.transcripts_ordered(), w.pages()) == (12, 12, 12)
            assert done_by_one
            assert done_by_other
            assert sorted(done_by_one + done_by_other) == sorted(job.id for job in (await one.jobs()).values())


def start_and_stop_another(settings: Settings) -> None:
    """Let a second FocusFlow start on the same data, and stop at once, while everything here stands still."""

    async def start_and_stop() -> None:
        async with opened_works(settings):
            pass

    other = Thread(target=lambda: anyio.run(start_and_stop))
    other.start()
    other.join()


@pytest.mark.parametrize(
    ("service", "path"), [("drive", "files/"), ("assemblyai", "upload")], ids=["while downloading", "while uploading"]
)
async def test_a_second_process_that_starts_does_no_harm_to_the_first_ones_work(
    world: OpenWorld, service: str, path: str
) -> None:
    """`focusflow process ID` in another terminal: audio that is under way in the first process stays where it is."""
    async with world() as w, w.opened() as product:
        file_id = w.call(content=w.audio(QUICK, size=400_000))
        await product.look()
        w.when(service, path, lambda: start_and_stop_another(w.settings()))
        w.fault("assemblyai", "reset_before", path="upload")
        await product.process()
        job = (await product.jobs())[file_id]
        assert (job.status, job.error_message) == (Status.COMPLETED, None)
        assert (job.retry_count, w.transcripts_paid()) == (0, 1)


# ----------------------------------------------------------------------------------------------------------- wrong clocks


async def test_a_clock_that_jumps_at_every_request_costs_nothing_twice(world: OpenWorld) -> None:
    """A day ahead, a day behind, right again, between any two steps; an order whose answer is lost is found all the same."""
    async with world() as w, w.opened(auto__concurrency=1) as product:
        skews = itertools.cycle([DAY, -DAY, timedelta()])

        def jump() -> None:
            w.clock.skew = next(skews)

        w.log.at_each = jump
        calls = [w.call() for _ in range(3)]
        w.fault("assemblyai", "lost_after_create")
        await product.look()
        for _ in range(3):
            await product.in_due_time()
        jobs = await product.jobs()
        assert {jobs[file_id].status for file_id in calls} == {Status.COMPLETED}
        assert (w.transcripts_paid(), w.answers_paid(), w.pages()) == (3, 6, 3)
        assert all((job.claim_token, job.lease_until) == (None, None) for job in jobs.values())
        for job in jobs.values():
            charges = (await product.detail(job.id)).charges
            assert [charge.state for charge in charges] == ["settled"] * 3  # the transcript, the summary, its title


async def test_an_order_from_a_wrong_clock_is_found_after_a_restart(world: OpenWorld) -> None:
    """The clock was a day ahead when the order was made and its answer got lost; right again, it is looked for and adopted."""
    async with world() as w:
        file_id = w.call(script=QUICK)
        w.clock.skew = DAY
        w.fault("assemblyai", "lost_after_create")
        w.fault("assemblyai", "status", method="GET", path="transcript$", status=500, times=8)
        async with w.opened() as product:
            job = (await product.look_and_process())[file_id]
            assert (job.submit_intent_at, job.transcript_id) == (w.clock.now(), None)
        w.sandbox.faults.clear()
        w.clock.skew = timedelta()
        async with w.opened() as product:
            assert (await product.retry(job)).status is Status.COMPLETED
            assert (w.transcripts_ordered(), w.transcripts_paid()) == (1, 1)


async def test_a_jump_ahead_that_ends_a_live_lease_costs_nothing_twice(world: OpenWorld) -> None:
    """Another process takes the call over because the lease seems over: it goes on with the same order, and the first stops."""
    async with world() as w, w.opened() as first, w.opened() as second:
        file_id = w.call()
        await first.look()
        asked = anyio.Event()
        w.when("assemblyai", "transcript/", asked.set)
        w.fault("assemblyai", "stall", method="GET", path="transcript/", seconds=None)
        async with anyio.create_task_group() as group:
            group.start_soon(first.process)
            await asked.wait()
            w.clock.skew = DAY
            await second.works.supervisor.watchdog_loop.turn()
            await second.process()
            assert first.works.supervisor.processor.running
            w.clock.skew = timedelta()
            await first.works.supervisor.watchdog_loop.turn()
        job = (await first.jobs())[file_id]
        assert (job.status, job.claim_token, job.lease_until) == (Status.COMPLETED, None, None)
        assert (w.transcripts_ordered(), w.transcripts_paid(), w.answers_paid(), w.pages()) == (1, 1, 2, 1)


async def test_a_lease_is_put_right_at_the_next_beat_after_a_jump(world: OpenWorld) -> None:
    """Ahead or back: a beat later the lease ends as far in the future as ever, by the clock as it is then."""
    async with world() as w, w.opened() as product:
        w.call(script=QUICK)
        await product.look()
        watchdog, lease = product.works.supervisor.watchdog_loop, timedelta(milliseconds=120_000)
        asked = anyio.Event()
        w.when("assemblyai", "transcript/", asked.set)
        w.fault("assemblyai", "stall", method="GET", path="transcript/", seconds=None)
        async with anyio.create_task_group() as group:
            group.start_soon(product.process)
            await asked.wait()
            for skew in (DAY, -DAY, timedelta()):
                w.clock.skew = skew
                await watchdog.turn()
                (job,) = (await product.jobs()).values()
                assert (job.status, job.lease_until) == (Status.TRANSCRIBING, w.clock.now() + lease)
            group.cancel_scope.cancel()
        assert await product.statuses() == [Status.DISCOVERED]


async def claimed_by_the_dead(product: Product, job_id: JobId) -> Claim:
    """Claim the call as a process does that dies before its first beat."""
    now = product.clock.now()
    limits = ClaimLimits(batch=1, newest_first=False, day_start=now, day_max_jobs=None, minute_max_jobs=None)
    (claim,) = await product.works.store.claim(
        limits, token="of the dead", claimed_by="there:1", now=now, lease_until=now + timedelta(minutes=2)
    )
    assert claim.job.id == job_id
    return claim


async def test_what_a_wrong_clock_put_off_can_be_had_now_and_comes_by_itself_a_day_later(world: OpenWorld) -> None:
    """Leases and retries written a day ahead: one key frees a call at once, and without a key none waits longer than that."""
    async with world() as w, w.opened(auto__retry_base_seconds=60) as product:
        w.clock.skew = DAY
        dead = w.call(script=QUICK)
        await product.look()
        await claimed_by_the_dead(product, (await product.jobs())[dead].id)
        w.fault("assemblyai", "status", path="upload", status=500, times=2)
        failed = [w.call(script=QUICK) for _ in range(2)]
        w.fault("assemblyai", "status", path="upload", status=500, times=None)
        jobs = await product.look_and_process()
        assert {jobs[file_id].status for file_id in failed} == {Status.FAILED}
        w.sandbox.faults.clear()

        w.clock.skew = timedelta()
        assert (await product.retry(jobs[failed[0]])).status is Status.COMPLETED
        assert (await product.jobs())[failed[1]].status is Status.FAILED
        w.clock.at += DAY + timedelta(hours=1)
        await product.works.supervisor.watchdog_loop.turn()
        await product.process()
        assert set(await product.statuses()) == {Status.COMPLETED}
        assert (w.transcripts_paid(), w.pages()) == (3, 3)


async def test_a_dead_workers_lease_from_a_wrong_clock_does_not_last_for_a_day(world: OpenWorld) -> None:
    """No lease can honestly end hours from now."""
    async with world() as w, w.opened() as product:
        w.clock.skew = DAY
        file_id = w.call(script=QUICK)
        await product.look()
        await claimed_by_the_dead(product, (await product.jobs())[file_id].id)
        w.clock.skew = timedelta()
        w.clock.at += timedelta(hours=1)
        await product.works.supervisor.watchdog_loop.turn()
        await product.process()
        assert await product.statuses() == [Status.COMPLETED]


async def test_a_cap_for_a_minute_does_not_hold_for_a_day_after_a_jump_back(world: OpenWorld) -> None:
    """One call was begun while the clock was a day ahead: five minutes later the next may begin."""
    async with world() as w, w.opened(auto__max_jobs_per_minute=1) as product:
        w.clock.skew = DAY
        w.call(script=QUICK)
        await product.look_and_process()
        w.clock.skew = timedelta()
        w.clock.at += timedelta(minutes=5)
        w.call(script=QUICK)
        await product.look_and_process()
        assert await product.statuses() == [Status.COMPLETED, Status.COMPLETED]


async def test_a_pause_that_a_service_asked_for_is_no_longer_after_a_jump_back(world: OpenWorld) -> None:
    """A minute is a minute, whatever the clock on the wall says: the next call is not held for a day."""
    async with world() as w, w.opened() as product:
        w.clock.skew = DAY
        w.fault("assemblyai", "status", path="upload", status=429, retry_after=60)
        w.call(script=QUICK)
        await product.look_and_process()
        w.clock.skew = timedelta()
        w.clock.at += timedelta(minutes=5)
        other = w.call(script=QUICK)
        assert (await product.look_and_process())[other].status is Status.COMPLETED


# --------------------------------------------------------------------------------------------------------- locked database


async def test_a_locked_database_is_said_and_everything_goes_on_when_it_is_free(world: OpenWorld) -> None:
    """Longer than anybody waits: a loop says so in a sentence, and what was paid for meanwhile is stored in the end."""
    async with world() as w, w.opened() as product, w.opened() as other:
        w.call(script=QUICK)
        await product.look()
        w.call(script=QUICK)
        with closing(sqlite3.connect(w.data / "focusflow.db", isolation_level=None)) as intruder:
            w.when("assemblyai", "transcript/", lambda: intruder.execute("BEGIN IMMEDIATE"))
            async with anyio.create_task_group() as group:
                group.start_soon(product.one_round)
                await w.until_asked("assemblyai", "transcript/")
                loop = other.works.supervisor.discovery_loop
                await loop.turn()
                assert isinstance(loop.error, StoreBusy)
                assert re.search(r"keeps .*focusflow\.db locked: it is tried again", str(loop.error))
                assert product.readable(str(loop.error))
                assert await other.statuses() == [Status.TRANSCRIBING]
                intruder.execute("ROLLBACK")
        assert await other.statuses() == [Status.COMPLETED]
        await loop.turn()
        assert loop.error is None
        await other.look_and_process()
        assert await other.statuses() == [Status.COMPLETED, Status.COMPLETED]
        assert (w.transcripts_ordered(), w.transcripts_paid(), w.pages()) == (2, 2, 2)


# ---------------------------------------------------------------------------------------------------------------- full disk


class Ballast:
    """What fills a disk to its last block."""

    def __init__(self, disk: Path) -> None:
        self._file = disk / "ballast"

    def load(self, leave: int = 0) -> None:
        """Fill the disk, but for *leave* bytes."""
        place = os.statvfs(self._file.parent)
        self._file.write_bytes(bytes(max(place.f_bavail * place.f_frsize - leave, 0)))

    def drop(self) -> None:
        self._file.unlink()


async def test_a_disk_that_is_full_for_looking_loses_no_call(world: OpenWorld, disk: Path) -> None:
    """The loop says so in a sentence, what is done can still be read, and with room the new calls are found and done."""
    ballast = Ballast(disk)
    async with world(data=disk) as w, w.opened() as product:
        done = w.call(script=QUICK)
        job = (await product.look_and_process())[done]
        new = [w.call(script=QUICK) for _ in range(3)]
        await product.works.store.optimize()
        ballast.load()
        loop = product.works.supervisor.discovery_loop
        await loop.turn()
        assert (loop.failures_in_a_row, product.readable(str(loop.error))) == (1, True)
        assert "disk is full" in str(loop.error)
        detail = await product.detail(job.id)
        assert detail.documents.transcript is not None
        assert (len(await product.jobs()), detail.row.job.status) == (1, Status.COMPLETED)
        ballast.drop()
        await loop.turn()
        assert loop.error is None
        jobs = await product.look_and_process()
        assert {jobs[file_id].status for file_id in new} == {Status.COMPLETED}
        assert (w.transcripts_paid(), w.pages()) == (4, 4)


async def test_a_disk_that_fills_up_under_a_paid_call_does_not_cost_it_twice(world: OpenWorld, disk: Path) -> None:
    """The transcript is there and cannot be stored: it is fetched again, not ordered again, once there is room."""
    ballast = Ballast(disk)
    async with world(data=disk) as w, w.opened() as product:
        file_id = w.call()
        await product.look()
        await product.works.store.optimize()
        w.when("assemblyai", "transcript/", ballast.load)
        await product.process()
        job = (await product.jobs())[file_id]
        assert (job.status, w.transcripts_ordered()) == (Status.TRANSCRIBING, 1)
        assert job.transcript_id is not None
        ballast.drop()
        w.clock.at += timedelta(minutes=3)
        await product.works.supervisor.watchdog_loop.turn()
        await product.process()
        assert (await product.job(job.id)).status is Status.COMPLETED
        assert (w.transcripts_ordered(), w.transcripts_paid(), w.answers_paid(), w.pages()) == (1, 1, 2, 1)


async def test_a_summary_that_cannot_be_stored_now_is_kept_until_there_is_room(world: OpenWorld, disk: Path) -> None:
    """The disk is full for five minutes while the model answers: nothing is asked twice, and all of it is on the bill."""
    ballast = Ballast(disk)

    def fill_for_five_minutes() -> None:
        ballast.load()
        w.clock.later(timedelta(minutes=5), ballast.drop)

    async with world(data=disk) as w, w.opened() as product:
        file_id = w.call()
        await product.look()
        await product.works.store.optimize()
        w.when("openai", "completions", lambda: w.when("openai", "completions", fill_for_five_minutes))
        await product.process()
        job = (await product.jobs())[file_id]
        assert (job.status, w.transcripts_paid(), w.answers_paid(), w.pages()) == (Status.COMPLETED, 1, 2, 1)
        charges = (await product.detail(job.id)).charges
        assert [(charge.step, charge.state) for charge in charges] == [
            (Step.TRANSCRIBE, "settled"),
            (Step.SUMMARIZE, "settled"),
            (Step.SUMMARIZE, "settled"),  # its title
        ]


async def test_a_recording_that_does_not_fit_on_the_disk_waits_for_room(world: OpenWorld, disk: Path) -> None:
    """The call is held with a sentence, uncounted and unpaid, and comes back by itself."""
    ballast = Ballast(disk)
    async with world(data=disk) as w, w.opened() as product:
        file_id = w.call(content=w.audio(size=2_000_000))
        await product.look()
        ballast.load(leave=1_000_000)
        await product.process()
        job = (await product.jobs())[file_id]
        assert (job.status, job.hold_kind, job.retry_count) == (Status.DISCOVERED, "disk", 0)
        assert "full" in (job.hold_reason or "")
        assert product.readable(job.hold_reason)
        assert w.transcripts_ordered() == 0
        ballast.drop()
        assert (await product.in_due_time())[file_id].status is Status.COMPLETED
        assert w.transcripts_paid() == 1


async def test_a_read_only_directory_is_named_and_nothing_is_lost(world: OpenWorld, disk: Path) -> None:
    """The start ends with a sentence that names the place; writable again, every call is there and goes on."""
    async with world(data=disk) as w:
        async with w.opened() as product:
            w.call(script=QUICK)
            await product.look()
        remount(disk, "ro")
        with pytest.raises(StoreError, match=r"cannot be (written|opened)") as told:
            await opened_and_closed(w)
        assert str(disk) in str(told.value)
        assert str(told.value).endswith(".")
        remount(disk, "rw")
        async with w.opened() as product:
            await product.process()
            assert await product.statuses() == [Status.COMPLETED]


def remount(disk: Path, mode: str) -> None:
    """Make the disk read-only (`ro`) or writable again (`rw`)."""
    subprocess.run(["mount", "-o", f"remount,{mode}", str(disk)], check=True)


async def opened_and_closed(w: World) -> None:
    async with w.opened():
        pass


async def test_audio_that_a_killed_worker_left_goes_with_the_next_housekeeping(world: OpenWorld) -> None:
    """Not only at the next start, which may be weeks away; what is worked on stays."""
    async with world() as w, w.opened() as product:
        left = w.data / "tmp" / "of-somebody-who-is-gone"
        left.mkdir()
        (left / "audio.m4a").write_bytes(b"a call")
        async with product.works.chain.workspace.place(JobId("here")) as place:
            await product.works.supervisor.housekeeping_loop.turn()
            assert list((w.data / "tmp").iterdir()) == [place]
