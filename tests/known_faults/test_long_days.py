"""Does the whole product come through a long day by itself: calls that trickle in, services that fail, money that runs out?

Every run does a few hours; `pytest tests/known_faults/test_long_days.py --proof` does 24, with a midnight in them.
"""

from __future__ import annotations

import sqlite3
from collections import Counter
from contextlib import closing
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

import anyio
import pytest

from focusflow.domain.jobs import Status
from focusflow.sandbox.faults import Fault

if TYPE_CHECKING:
    from pathlib import Path

HOUR = 3_600.0
MINUTES_BETWEEN_CALLS = 6
DAILY_USD = 1.0
"""Enough for about ninety calls: the first day's last ones wait for midnight."""
FLAWS = (
    Fault(service="drive", kind="status", status=503, chance=0.03, times=None),
    Fault(service="assemblyai", kind="status", status=500, path="transcript/", chance=0.05, times=None),
    Fault(service="openai", kind="reset_before", chance=0.03, times=None),
    Fault(service="notion", kind="status", status=503, chance=0.03, times=None),
)
OUTAGE = Fault(service="assemblyai", kind="status", status=503, times=None)


@pytest.mark.timeout(900)
async def test_a_day_passes(quick_time: Any, pytestconfig: pytest.Config) -> None:
    """Each call is done once, each day's spending stays within its budget, and nobody pressed a key but once."""
    hours = 24 if pytestconfig.getoption("--proof") else 2
    calls = hours * 60 // MINUTES_BETWEEN_CALLS
    async with quick_time() as w:
        settings = {
            "budget__daily_usd": DAILY_USD,
            "auto__concurrency": 4,
            "auto__max_retries": 20,
            "notion__requests_per_minute": 100_000,
            "assemblyai__poll_seconds": 5,
        }
        async with w.opened(**settings) as product, anyio.create_task_group() as group:
            group.start_soon(product.works.supervisor.run)
            async with anyio.create_task_group() as day:
                day.start_soon(calls_come, w, calls)
                day.start_soon(services_fail, w, hours)
            spent = spent_by_day(w.data)
            await product.works.store.lift(
                w.settings().budgets,
                None,
                until=w.clock.now() + timedelta(days=2),
                origin="cli",
                reason="a holiday",
                now=w.clock.now(),
            )
            jobs = await all_rest(product, calls)
            loops = [product.works.supervisor.discovery_loop, product.works.supervisor.watchdog_loop]
            broken = [loop.name for loop in loops if loop.broken]
            product.works.supervisor.stop()

        assert Counter((job.status, job.skip_reason) for job in jobs) == {(Status.COMPLETED, None): calls}
        assert {day: usd for day, usd in spent.items() if usd > DAILY_USD} == {}
        assert (w.transcripts_paid(), w.pages()) == (calls, calls)
        assert broken == []


async def calls_come(w: Any, calls: int) -> None:
    for _ in range(calls):
        w.call()
        await w.clock.sleep(MINUTES_BETWEEN_CALLS * 60)


async def services_fail(w: Any, hours: int) -> None:
    """Small flaws all day, and once the transcriber is gone for a while."""
    w.sandbox.faults.add(*FLAWS)
    await w.clock.sleep(hours * HOUR / 3)
    w.sandbox.faults.add(OUTAGE)
    await w.clock.sleep(HOUR / 2)
    w.sandbox.faults.clear()
    w.sandbox.faults.add(*FLAWS)
    await w.clock.sleep(hours * HOUR / 3)
    w.sandbox.faults.clear()


async def all_rest(product: Any, calls: int) -> list[Any]:
    """Wait until every call is completed, at most a day."""
    for _ in range(24 * 12):
        jobs = list((await product.jobs()).values())
        if len(jobs) == calls and all(job.status is Status.COMPLETED for job in jobs):
            return jobs
        await product.clock.sleep(HOUR / 12)
    return jobs


def spent_by_day(data: Path) -> dict[str, float]:
    """Return what was spent on each day, in dollars."""
    days: Counter[str] = Counter()
    with closing(sqlite3.connect(data / "focusflow.db")) as connection:
        for at, micros in connection.execute(
            "SELECT reserved_at, COALESCE(actual_micros, estimate_micros) FROM charges WHERE state <> 'released'"
        ):
            days[f"{datetime.fromtimestamp(at / 1_000):%d}"] += micros
    return {day: micros / 1e6 for day, micros in days.items()}
