"""Does a task that is cancelled while it waits for the store leave it free for everyone, at once?"""

from __future__ import annotations

import asyncio
import gc
import sqlite3
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from itertools import count
from typing import TYPE_CHECKING

import pytest

from focusflow.domain.budgets import Limits
from focusflow.domain.jobs import DurationSource, Outcome, SkippedBy, Status, Step
from focusflow.domain.money import Estimate
from focusflow.errors import HoldKind, LostClaim
from focusflow.events import Bus
from focusflow.ports import Delivery, JobFilter
from focusflow.store import open_store

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable

    from focusflow.domain.jobs import Claim
    from tests.conftest import Interrupt, Way
    from tests.store.conftest import World

MINUTE = timedelta(minutes=1)
NOON = datetime(2026, 5, 4, 12, tzinfo=UTC)

CALLS: dict[str, Callable[[World, Claim], Awaitable[object]]] = {
    "cursor": lambda w, c: w.store.cursor("drive"),
    "absorb": lambda w, c: w.absorb(*(w.arrival() for _ in range(20)), gone=("x",), sidecars=(w.file(),)),
    "unmeasured": lambda w, c: w.store.unmeasured(limit=5, now=w.now),
    "measured": lambda w, c: w.store.measured(
        c.job.id,
        duration_seconds=1.0,
        duration_source=DurationSource.SIDECAR,
        direction=None,
        contact_number=None,
        estimate=Estimate(),
        skip_reason=None,
        now=w.now,
    ),
    "rejudge": lambda w, c: w.store.rejudge({c.job.id: "no"}, fingerprint="x", now=w.now),
    "judged": lambda w, c: w.store.judged(after=None, limit=5),
    "first_started_at": lambda w, c: w.store.first_started_at(w.now),
    "claim": lambda w, c: w.claim(3, token="other", day_max_micros=50_000),
    "heartbeat": lambda w, c: w.store.heartbeat([c], now=w.now, lease_until=w.now + MINUTE),
    "reclaim_expired": lambda w, c: w.store.reclaim_expired(now=w.now, max_rescues=1),
    "requeue_due": lambda w, c: w.store.requeue_due(now=w.now),
    "try_mended": lambda w, c: w.store.try_mended(now=w.now),
    "next_due_at": lambda w, c: w.store.next_due_at(now=w.now),
    "instance_seen": lambda w, c: w.store.instance_seen("t", name="n", now=w.now, details={}),
    "instance_gone": lambda w, c: w.store.instance_gone("t"),
    "prune": lambda w, c: w.store.prune(events_before=w.now, now=w.now),
    "optimize": lambda w, c: w.store.optimize(),
    "documents": lambda w, c: w.store.documents(c.job.id),
    "begin": lambda w, c: w.store.begin(c, Step.TRANSCRIBE, now=w.now),
    "end": lambda w, c: w.store.end(c, 1, Outcome.DONE, now=w.now),
    "reuse": lambda w, c: w.store.reuse(c, Step.TRANSCRIBE, now=w.now),
    "uploaded": lambda w, c: w.store.uploaded(c, "ref", now=w.now),
    "intend_submit": lambda w, c: w.store.intend_submit(c, now=w.now),
    "submitted": lambda w, c: w.store.submitted(c.job.id, "order", now=w.now),
    "forget_order": lambda w, c: w.store.forget_order(c, keep_upload=True, now=w.now),
    "keep_raw_transcript": lambda w, c: w.store.keep_raw_transcript(c.job.id, b"x" * 100_000, now=w.now),
    "transcribed": lambda w, c: w.store.transcribed(c, None, w.a_transcript(), w.a_settlement("x"), now=w.now),
    "summarized": lambda w, c: w.store.summarized(c, None, w.a_summary(), w.a_settlement("x"), now=w.now),
    "settle": lambda w, c: w.store.settle(c.job.id, Step.SYNC, w.a_settlement("x"), now=w.now),
    "deliveries": lambda w, c: w.store.deliveries(c.job.id),
    "save_delivery": lambda w, c: w.store.save_delivery(c.job.id, Delivery(sink="notion"), now=w.now),
    "complete": lambda w, c: w.store.complete(c, now=w.now),
    "give_back": lambda w, c: w.store.give_back(c, now=w.now, note="x"),
    "hold": lambda w, c: w.store.hold(c, HoldKind.DISK, "x", until=w.now, now=w.now),
    "fail": lambda w, c: w.store.fail(c, Step.SYNC, "x", retry_at=None, counts=True, now=w.now),
    "skip": lambda w, c: w.store.skip(c, "x", SkippedBy.RULE, now=w.now),
    "measured_file": lambda w, c: w.store.measured_file(
        c,
        1.0,
        DurationSource.HEADER,
        estimate=Estimate(transcribe_micros=800, summarize_micros=200),
        money=Limits(),
        now=w.now,
    ),
    "take_delivery": lambda w, c: w.store.take_delivery(c.job.id, "notion", now=w.now, until=w.now + MINUTE),
    "take_due_deliveries": lambda w, c: w.store.take_due_deliveries(limit=5, now=w.now, again_at=w.now),
    "log": lambda w, c: w.store.log(c.job.id, "info", "x", now=w.now),
    "stats": lambda w, c: w.store.stats(now=w.now, day_start=w.now, month_start=w.now),
    "jobs": lambda w, c: w.store.page(JobFilter(search="ann"), limit=5),
    "find": lambda w, c: w.store.find("a"),
    "detail": lambda w, c: w.store.detail(c.job.id),
    "control": lambda w, c: w.store.control(),
    "pause": lambda w, c: w.store.pause(now=w.now),
    "process": lambda w, c: w.store.process([c.job.id], from_step=Step.SYNC, now=w.now),
    "retry": lambda w, c: w.store.retry(None, now=w.now),
    "cancel": lambda w, c: w.store.cancel([c.job.id], now=w.now),
    "skip_jobs": lambda w, c: w.store.skip_jobs([c.job.id], reason="x", now=w.now),
    "unskip": lambda w, c: w.store.unskip([c.job.id], now=w.now),
}


SOME_WAITS = (1, 2, 3, 7, 15, 31)
"""Those that each run tries; `--proof` tries all."""


def waits(config: pytest.Config) -> Iterable[int]:
    return count(1) if config.getoption("--proof") else SOME_WAITS


@pytest.mark.parametrize("way", ["natively", "by scope"])
@pytest.mark.parametrize("name", CALLS)
async def test_a_cancelled_call_leaves_nothing_open(
    world: World, interrupt: Interrupt, name: str, way: Way, pytestconfig: pytest.Config
) -> None:
    """Whichever of its waits the cancellation hits, another connection can write at once and this store goes on."""

    async def call(claim: Claim) -> None:
        with suppress(LostClaim):
            await CALLS[name](world, claim)

    async with open_store(world.url, bus=Bus(), busy_timeout_ms=2_000) as other:
        for nth in waits(pytestconfig):
            claim = await world.claimed()
            reached = await interrupt(call(claim), nth, way)
            await other.log(claim.job.id, "info", "free", now=world.now)
            await world.store.log(claim.job.id, "info", "goes on", now=world.now)
            detail = await world.detail(claim.job.id)
            assert {"free", "goes on"} <= {line.message for line in detail.events}
            if not reached:
                break
        assert nth > 1, "it never waited"


async def test_waiting_for_a_lock_can_be_cancelled(sqlite_world: World) -> None:
    """The write goes through when the lock is free; its waiter is gone, and nothing stays locked."""
    world = sqlite_world
    job_id = await world.add()
    blocker = sqlite3.connect(world.url, isolation_level=None)
    blocker.execute("BEGIN IMMEDIATE")
    waiting = asyncio.ensure_future(world.store.skip_jobs([job_id], reason="x", now=world.now))
    await asyncio.sleep(0.05)
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    blocker.execute("ROLLBACK")
    await world.store.log(job_id, "info", "after it", now=world.now)
    blocker.execute("BEGIN IMMEDIATE")
    blocker.execute("ROLLBACK")
    blocker.close()
    assert (await world.job(job_id)).status is Status.SKIPPED


async def test_a_transaction_is_seen_whole_or_not_at_all(world: World, interrupt: Interrupt) -> None:
    """A cancelled page is either absorbed with its cursor or not at all."""
    reached, nth = True, 0
    while reached and nth < 30:
        nth += 1
        arrivals = [world.arrival() for _ in range(30)]
        before = len(await world.statuses())
        reached = await interrupt(world.absorb(*arrivals, cursor=f"wait {nth}"), nth, "natively")
        await world.store.pause(now=world.now)  # a write is queued behind what is still under way
        came = await world.store.cursor("drive") == f"wait {nth}"
        assert len(await world.statuses()) == before + (30 if came else 0)


@pytest.mark.parametrize("way", ["natively", "by scope"])
async def test_opening_can_be_cancelled(url: str, interrupt: Interrupt, way: Way, pytestconfig: pytest.Config) -> None:
    """At any of its waits, opening and closing, by either way; no thread and no connection stays."""

    async def opened() -> None:
        async with open_store(url, bus=Bus()):
            await asyncio.sleep(0)

    for nth in waits(pytestconfig):
        if not await interrupt(opened(), nth, way):
            break
    async with open_store(url, bus=Bus()) as store:
        assert await store.verify_counts() == {}
    gc.collect()  # psycopg leaves a connection that was cancelled while it was made to the collector


async def test_a_cancelled_owner_still_closes_its_store(url: str) -> None:
    """Native cancellation of the task that holds the store open: it is closed all the same."""

    async def owner() -> None:
        async with open_store(url, bus=Bus()) as store:
            await store.pause(now=NOON)
            await asyncio.sleep(60)

    task = asyncio.ensure_future(owner())
    await asyncio.sleep(0.3)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    async with open_store(url, bus=Bus()) as store:
        await store.resume(now=NOON)
