"""Do several processes on one database share it, without taking a job twice or a dollar too many?"""

from __future__ import annotations

import json
import subprocess
import sys
from collections import Counter
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import anyio
import pytest

from focusflow.domain.jobs import Status
from focusflow.errors import DiskFull, LostClaim, StoreBusy, StoreError
from focusflow.events import Bus
from focusflow.store import open_store
from focusflow.store.database import Query

if TYPE_CHECKING:
    from tests.store.conftest import World

NOON = datetime(2026, 5, 4, 12, tzinfo=UTC)
LEASE = timedelta(minutes=10)

PROCESS = """
import asyncio, json, sys
from datetime import datetime, timedelta
from focusflow.events import Bus
from focusflow.ports import ClaimLimits
from focusflow.store import open_store

url, token, now = sys.argv[1], sys.argv[2], datetime.fromisoformat(sys.argv[3])

async def main():
    taken = []
    async with open_store(url, bus=Bus(), synchronous="NORMAL", busy_timeout_ms=20_000) as store:
        limits = ClaimLimits(batch=3, newest_first=False, day_start=now - timedelta(hours=12), day_max_jobs=None,
                             minute_max_jobs=None)
        while claims := await store.claim(limits, token=token, claimed_by=token, now=now,
                                          lease_until=now + timedelta(hours=1)):
            for claim in claims:
                await store.log(claim.job.id, "info", token, now=now)
                taken.append(claim.job.id)
    print(json.dumps(taken))

asyncio.run(main())
"""


async def test_processes_share_a_backlog(world: World) -> None:
    """Every job is taken by exactly one of them."""
    ids = (await world.absorb(*(world.arrival() for _ in range(90)))).added
    taken: list[str] = []

    async def work(token: str) -> None:
        done = await anyio.run_process([sys.executable, "-c", PROCESS, world.url, token, NOON.isoformat()])
        taken.extend(json.loads(done.stdout))

    async with anyio.create_task_group() as group:
        for token in ("one", "two"):
            group.start_soon(work, token)
    assert Counter(taken) == Counter(ids)
    for job_id in ids[:10]:
        detail = await world.detail(job_id)
        assert detail.events[-1].message == detail.row.job.claim_token


@pytest.mark.parametrize(
    ("caps", "expected"),
    [
        ({"day_max_jobs": 20}, 20),
        ({"minute_max_jobs": 15}, 15),
        ({"max_parallel": 12}, 12),
        ({"day_max_micros": 105_000}, 10),
    ],
)
async def test_together_they_keep_every_cap(world: World, caps: dict[str, int], expected: int) -> None:
    """Racing for the last dollar, only one gets it."""
    await world.absorb(*(world.arrival(estimate_micros=10_000) for _ in range(40)))
    claims: list[str] = []

    async def work(token: str) -> None:
        async with open_store(world.url, bus=Bus(), synchronous="NORMAL", busy_timeout_ms=20_000) as store:
            for _ in range(10):
                got = await store.claim(
                    world.limits(3, **caps), token=token, claimed_by=token, now=NOON, lease_until=NOON + LEASE
                )
                claims.extend(claim.job.id for claim in got)

    async with anyio.create_task_group() as group:
        for n in range(4):
            group.start_soon(work, f"token-{n}")
    assert len(claims) == len(set(claims)) == expected


async def test_a_zombie_and_its_heir(world: World) -> None:
    """The job goes on with whoever took it; the one who fell silent is fenced off whatever it tries."""
    zombie = await world.claimed()
    world.later(2 * LEASE)
    async with open_store(world.url, bus=Bus()) as heir:
        assert await heir.reclaim_expired(now=world.now, max_rescues=3) == (zombie.job.id,)
        (claim,) = await heir.claim(
            world.limits(), token="heir", claimed_by="heir", now=world.now, lease_until=world.now + LEASE
        )
        with pytest.raises(LostClaim):
            await world.store.complete(zombie, now=world.now)
        beat = await world.store.heartbeat([zombie], now=world.now, lease_until=world.now + LEASE)
        assert beat == frozenset()
        await heir.give_back(claim, now=world.now, note="done")
    assert (await world.job(zombie.job.id)).status is Status.DISCOVERED


async def test_one_delivery_goes_to_one_caller(world: World) -> None:
    """Four callers ask at once."""
    from focusflow.ports import Delivery

    for _ in range(6):
        await world.completed(Delivery(sink="notion", error="x", next_attempt_at=world.now))
    taken: list[str] = []

    async def work() -> None:
        async with open_store(world.url, bus=Bus(), busy_timeout_ms=20_000) as store:
            for job, _ in await store.take_due_deliveries(limit=3, now=world.now, again_at=world.now + LEASE):
                taken.append(job.id)  # reads as what it is

    async with anyio.create_task_group() as group:
        for _ in range(4):
            group.start_soon(work)
    assert len(taken) == len(set(taken)) == 6


async def test_two_may_absorb_the_same_page(world: World) -> None:
    """Two discoveries on one database: every file becomes one job."""
    arrivals = [world.arrival() for _ in range(50)]
    added: list[str] = []

    async def work() -> None:
        async with open_store(world.url, bus=Bus(), busy_timeout_ms=20_000) as store:
            absorbed = await store.absorb("drive", arrivals, (), (), cursor="c", now=NOON, skip_twins=True)
            added.extend(absorbed.added)

    async with anyio.create_task_group() as group:
        for _ in range(3):
            group.start_soon(work)
    assert len(added) == len(set(added)) == 50


async def test_transactions_that_meet_head_on_are_run_again(postgres_url: str) -> None:
    """PostgreSQL gives one of the two up; being a value, it is simply run once more."""
    touch = Query("UPDATE control SET value = value WHERE key = :key RETURNING key")
    pause = Query("SELECT pg_sleep(0.1)")

    async with open_store(postgres_url, bus=Bus()) as store:
        database = store._database
        await store.pause(now=NOON)

        async def meet(first: str, second: str) -> None:
            results = await database.run([touch(key=first), pause(), touch(key=second)])
            assert [results[0], results[2]] == [[(first,)], [(second,)]]

        async with anyio.create_task_group() as group:
            group.start_soon(meet, "claims", "paused_at")
            group.start_soon(meet, "paused_at", "claims")


@pytest.mark.parametrize(
    ("state", "error", "sentence"),
    [("40001", StoreBusy, "too busy"), ("53100", DiskFull, "disk of the"), ("22012", StoreError, "refused")],
)
async def test_what_postgres_refuses_is_said_in_our_words(
    postgres_url: str, state: str, error: type[StoreError], sentence: str
) -> None:
    """A server that refuses again and again, has no room, or finds a mistake."""
    refuse = Query(f"DO $$ BEGIN RAISE SQLSTATE '{state}'; END $$")
    async with open_store(postgres_url, bus=Bus()) as store:
        with pytest.raises(error, match=sentence):
            await store._database.run([refuse()])
        await store.pause(now=NOON)


def test_interpreters_end(tmp_path_factory: pytest.TempPathFactory) -> None:
    """A program that forgets to close its store, or is cut off, must not hang for ever."""
    path = tmp_path_factory.mktemp("forgotten") / "x.db"
    code = (
        "import asyncio, sys\nfrom focusflow.events import Bus\nfrom focusflow.store import open_store\n"
        f"async def main():\n    store = open_store({str(path)!r}, bus=Bus())\n    await store.__aenter__()\n"
        "    import os, threading\n    loop = asyncio.get_running_loop()\n    sys.exit(3)\n"
        "asyncio.run(main())\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, timeout=30, check=False)
    assert done.returncode == 3
