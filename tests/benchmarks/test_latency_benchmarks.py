"""How soon after its commit does a new call begin, on a real database and a real clock?"""

import statistics
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path
from time import perf_counter
from zoneinfo import ZoneInfo

import anyio

from focusflow.domain.budgets import Budgets
from focusflow.domain.eligibility import Rules
from focusflow.domain.jobs import Claim, Job, Status
from focusflow.domain.money import Estimate
from focusflow.events import Bus, JobChanged
from focusflow.ports import Delivery
from focusflow.providers.folder import FolderSource
from focusflow.store import Store, open_store
from focusflow.supervisor.discovery import Discovery, Intake
from focusflow.supervisor.housekeeping import Housekeeping
from focusflow.supervisor.processor import Processor, Throttle
from focusflow.supervisor.supervisor import Schedule, Supervisor
from focusflow.supervisor.watchdog import Watchdog
from focusflow.wiring import SystemClock

UTC = ZoneInfo("UTC")
CALLS = 40
LONGEST_SECONDS = 0.05
LEASE = timedelta(minutes=2)


async def nothing_to_sweep() -> int:
    """No worker of ours leaves audio behind."""
    return 0


class Stopwatch:
    """Notes when each call's commit was announced, and when its work began."""

    def __init__(self, store: Store, bus: Bus) -> None:
        self._store, self._bus = store, bus
        self.announced: dict[str, float] = {}
        self.waits: list[float] = []

    async def listen(self) -> None:
        with self._bus.subscribe() as events:
            async for event in events:
                if isinstance(event, JobChanged) and event.status is Status.DISCOVERED:
                    self.announced[event.job_id] = perf_counter()

    async def begin(self, claim: Claim) -> None:
        self.waits.append(perf_counter() - self.announced[claim.job.id])
        await self._store.give_back(claim, now=SystemClock().now(), note="measured")
        await self._store.skip_jobs([claim.job.id], reason="measured", now=SystemClock().now())


def intake() -> Intake:
    return Intake(
        rules=Rules(),
        zone=UTC,
        region="GB",
        allowed_owners=(),
        accept_ownerless=True,
        sidecar_wait=timedelta(minutes=10),
        skip_twins=False,
        prices="as they are",
        estimate=lambda seconds, model: Estimate(transcribe_micros=round(seconds), summarize_micros=0),
    )


def throttle() -> Throttle:
    return Throttle(
        concurrency=4,
        batch=4,
        newest_first=False,
        max_parallel=None,
        daily_max_jobs=None,
        max_jobs_per_minute=None,
        budgets=Budgets(zone=ZoneInfo("UTC"), day_micros=None),
        lease=LEASE,
    )


async def deliver_nothing(job: Job, delivery: Delivery) -> None:
    """No call gets that far here."""


async def inspect_nothing() -> None:
    """There is no sink."""


def supervisor_of(store: Store, bus: Bus, folder: Path, watch: Stopwatch) -> Supervisor:
    clock = SystemClock()
    source = FolderSource(folder, recursive=True, settle_seconds=0, clock=clock)
    processor = Processor(
        queue=store, control=store, run_job=watch.begin, throttle=throttle(), clock=clock, token="t", name="here"
    )
    return Supervisor(
        discovery=Discovery(source=source, inbox=store, intake=intake(), clock=clock),
        processor=processor,
        watchdog=Watchdog(queue=store, processor=processor, clock=clock, lease=LEASE, max_rescues=2, details={}),
        housekeeping=Housekeeping(queue=store, clock=clock, log_days=30, sweep=nothing_to_sweep),
        queue=store,
        record=store,
        control=store,
        redeliver=deliver_nothing,
        inspect=inspect_nothing,
        schedule=Schedule(
            discovery_cron="0 0 1 1 *",
            reconcile_cron="0 0 1 1 *",
            processor_cron="0 0 1 1 *",
            zone=UTC,
            shutdown_grace=0,
        ),
        clock=clock,
        bus=bus,
    )


@asynccontextmanager
async def at_work(place: Path) -> AsyncIterator[tuple[Supervisor, Stopwatch]]:
    bus = Bus()
    async with open_store(place / "focusflow.db", bus=bus) as store, anyio.create_task_group() as group:
        watch = Stopwatch(store, bus)
        supervisor = supervisor_of(store, bus, place / "calls", watch)
        group.start_soon(watch.listen)
        await group.start(supervisor.run)
        yield supervisor, watch
        group.cancel_scope.cancel()


async def test_a_new_call_begins_within_fifty_milliseconds_of_its_commit(tmp_path: Path) -> None:
    """The commit wakes the processor; no turn of a clock is waited for: the crons here are due once a year."""
    (tmp_path / "calls").mkdir()
    async with at_work(tmp_path) as (supervisor, watch):
        for n in range(CALLS):
            name = f"2026-11-23 09-{n:02}-00 (phone) Ann ↙"
            (tmp_path / "calls" / f"{name}.m4a").write_bytes(f"sound {n}".encode() * 500)
            (tmp_path / "calls" / f"{name}.json").write_text('{"duration": "61000"}')
            await supervisor.discovery.look()
            with anyio.fail_after(5):
                while len(watch.waits) <= n:
                    await anyio.lowlevel.checkpoint()

    median, worst = statistics.median(watch.waits) * 1_000, max(watch.waits) * 1_000
    print(f"\ncommit to begin: median {median:.1f} ms, longest of {CALLS} {worst:.1f} ms")  # noqa: T201  # the result
    assert statistics.median(watch.waits) < LONGEST_SECONDS
