"""Is exactly what was asked for claimed, whatever the size of the backlog and whatever the planner knows?"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from focusflow.domain.budgets import Budgets
from focusflow.events import Bus
from focusflow.ports import ClaimLimits
from focusflow.store import Store, open_store
from focusflow.store.database import Query
from focusflow.store.queue import LOOK_AHEAD

if TYPE_CHECKING:
    from collections.abc import Mapping

    import pytest

NOON = datetime(2026, 5, 4, 12, tzinfo=UTC)

FILL = Query("""
INSERT INTO jobs (id, status, source, gdrive_file_id, gdrive_file_name, call_timestamp, discovered_at, updated_at, pair_key,
    haystack, transcribe_micros, summarize_micros, duration_seconds)
VALUES (:id, 'discovered', 'drive', :id, :id, :call_at, :now, :now, :id, :id, :price, 0, 60)
""")


@dataclass(frozen=True)
class Backlog:
    """Jobs with their prices, in the order of their calls."""

    prices: tuple[int, ...]
    analysed: bool
    batch: int
    day_max_jobs: int | None
    minute_max_jobs: int | None
    max_parallel: int | None
    day_max_micros: int | None
    newest_first: bool


def backlogs(largest: int) -> st.SearchStrategy[Backlog]:
    """Backlogs of any size with any caps."""
    cap = st.none() | st.integers(0, 30)
    return st.builds(
        Backlog,
        prices=st.lists(st.integers(0, 50), max_size=12).flatmap(
            lambda some: st.integers(0, largest).map(lambda more: (*some, *[7] * more))
        ),
        analysed=st.booleans(),
        batch=st.sampled_from([0, 1, 3, 7, 50, 200]),
        day_max_jobs=cap,
        minute_max_jobs=cap,
        max_parallel=cap,
        day_max_micros=st.none() | st.integers(0, 400),
        newest_first=st.booleans(),
    )


def expected(backlog: Backlog) -> list[str]:
    """What a claim must take, worked out by hand."""
    order = [(f"job{n:05}", price) for n, price in enumerate(backlog.prices)]
    if backlog.newest_first:
        order.reverse()
    room = backlog.day_max_micros
    caps = (backlog.batch, backlog.day_max_jobs, backlog.minute_max_jobs, backlog.max_parallel)
    most = min(cap for cap in caps if cap is not None)
    taken: list[str] = []
    spent = 0
    for looked, (name, price) in enumerate(order):
        fits = room is None or price == 0 or spent + price <= room
        if len(taken) < most and fits and looked < max(most, LOOK_AHEAD):
            taken.append(name)
            spent += price
    return taken


async def claimed(store: Store, backlog: Backlog) -> list[str]:
    """Fill the database anew and claim."""
    database = store._database
    start = int(NOON.timestamp() * 1000)
    rows: list[Mapping[str, str | int]] = [
        {"id": f"job{n:05}", "call_at": start + n, "now": start, "price": price}
        for n, price in enumerate(backlog.prices)
    ]
    await database.run([Query("DELETE FROM jobs")(), FILL.each(lambda: rows)])
    if backlog.analysed:
        await database.run([Query("ANALYZE jobs")()])
    limits = ClaimLimits(
        batch=backlog.batch,
        newest_first=backlog.newest_first,
        day_start=NOON - timedelta(hours=12),
        day_max_jobs=backlog.day_max_jobs,
        minute_max_jobs=backlog.minute_max_jobs,
        money=Budgets(zone=ZoneInfo("UTC"), day_micros=backlog.day_max_micros).at(NOON),
        max_parallel=backlog.max_parallel,
    )
    claims = await store.claim(limits, token="t", claimed_by="w", now=NOON, lease_until=NOON + timedelta(minutes=5))
    return [claim.job.id for claim in claims]


def check(url: str, backlog: Backlog) -> None:
    """Claim once on a freshly opened database and compare."""

    async def once() -> None:
        async with open_store(url, bus=Bus(), synchronous="NORMAL") as store:
            assert await claimed(store, backlog) == expected(backlog)
            assert await store.verify_counts() == {}

    asyncio.run(once())


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(backlog=backlogs(400))
def test_sqlite_claims_exactly_what_was_asked_for(tmp_path_factory: pytest.TempPathFactory, backlog: Backlog) -> None:
    """Never more than any limit allows, never fewer, the right ones, in order; analysed or not."""
    check(str(tmp_path_factory.mktemp("claim") / "focusflow.db"), backlog)


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(backlog=backlogs(400))
def test_postgres_claims_exactly_what_was_asked_for(postgres_url: str, backlog: Backlog) -> None:
    """The planner of PostgreSQL may choose any plan: the materialized pick keeps the number."""
    check(postgres_url, backlog)
