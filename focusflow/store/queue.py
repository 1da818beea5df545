"""The store as the processor and the watchdog need it: who may work on what, for how long and for how much."""

import json
from collections.abc import Collection, Mapping, Sequence
from datetime import datetime, timedelta

from focusflow.domain.jobs import Claim, JobId, Outcome
from focusflow.ports import ClaimLimits
from focusflow.store.database import Picked, Row, Statement
from focusflow.store.rows import job_from, maybe_instant
from focusflow.store.sql import ledger
from focusflow.store.sql import queue as sql
from focusflow.store.sql import record as record_sql
from focusflow.store.stored import Stored, log_picked

UNAFFORDABLE = "Today's budget does not cover this call: it is tried again tomorrow."
UNPRICED = (
    "No price is known for this call, so a daily budget cannot cover it: "
    "set the price in the configuration, or remove the budget."
)
RESCUED_TOO_OFTEN = "Its worker fell silent again and again, so it is left alone: look at the log, then retry it."
LONGEST_LEASE = timedelta(days=2)
"""Twice as long as a lease can be configured to be."""
INSTANCE_KEEPS = timedelta(hours=1)
"""An instance that has been silent for so long is forgotten."""


class QueuePart(Stored):
    """Implements `ports.Queue`."""

    async def claim(
        self, limits: ClaimLimits, *, token: str, claimed_by: str, now: datetime, lease_until: datetime
    ) -> Sequence[Claim]:
        hold = [_hold_unaffordable(limits, now)] if limits.day_max_micros is not None else []
        claim = _claim(limits, token, claimed_by, now, lease_until)
        held, claimed = Picked(1), Picked(1 + 2 * len(hold))
        results = await self._database.run(
            [
                sql.LOCK_CLAIMS(),
                *hold,
                *(log_picked(held, UNAFFORDABLE, level="warning", now=now) for _ in hold),
                claim,
                ledger.RESERVE_TRANSCRIPT(ids=claimed, now=now),
                ledger.RESERVE_SUMMARY(ids=claimed, now=now),
                log_picked(claimed, f"Taken by {claimed_by}.", now=now),
            ]
        )
        if hold:
            self._tell_changes(results[1])
            self._tell_lines(results[2])
        rows = sorted(results[claimed.statement], key=lambda row: _rank(row, limits.newest_first))
        self._tell_changes(rows)
        self._tell_lines(results[-1])
        return [Claim(job=job_from(row), token=token) for row in rows]

    async def heartbeat(self, claims: Collection[Claim], *, now: datetime, lease_until: datetime) -> frozenset[JobId]:
        ids = json.dumps([claim.job.id for claim in claims])
        standing = json.dumps([f"{claim.job.id} {claim.token}" for claim in claims])
        (rows,) = await self._database.run([sql.HEARTBEAT(ids=ids, claims=standing, lease_until=lease_until)])
        return frozenset(JobId(row[0]) for row in rows)

    async def reclaim_expired(
        self, *, now: datetime, max_rescues: int, no_lease_beyond: datetime | None = None
    ) -> Sequence[JobId]:
        beyond = no_lease_beyond or now + LONGEST_LEASE
        failed, rescued = Picked(0), Picked(1)
        results = await self._database.run(
            [
                sql.FAIL_RESCUED_TOO_OFTEN(
                    now=now, max_rescues=max_rescues, error=RESCUED_TOO_OFTEN, no_lease_beyond=beyond
                ),
                sql.RESCUE(now=now, no_lease_beyond=beyond),
                *_let_go(failed, "the worker fell silent", now),
                *_let_go(rescued, "the worker fell silent", now),
                log_picked(failed, RESCUED_TOO_OFTEN, level="error", now=now),
                log_picked(rescued, "Its worker fell silent: it goes on where it was.", level="warning", now=now),
            ]
        )
        ids = self._tell_changes(results[0], results[1])
        self._tell_lines([*results[-2], *results[-1]])
        return ids

    async def requeue_due(self, *, now: datetime) -> int:
        log = log_picked(Picked(), "Trying again.", now=now)
        requeued, lines = await self._database.run([sql.REQUEUE_DUE(now=now), log])
        self._tell_changes(requeued)
        self._tell_lines(lines)
        return len(requeued)

    async def next_due_at(self, *, now: datetime) -> datetime | None:
        (rows,) = await self._database.read([sql.NEXT_DUE(now=now)])
        return maybe_instant(rows[0][0])

    async def minute_is_full(self, *, max_jobs: int, now: datetime) -> bool:
        full = sql.MINUTE_IS_FULL(max_jobs=max_jobs, now=now, minute_ago=now - timedelta(minutes=1))
        (rows,) = await self._database.read([full])
        return bool(rows)

    async def instance_seen(self, token: str, *, name: str, now: datetime, details: Mapping[str, str]) -> None:
        seen = sql.INSTANCE_SEEN(token=token, name=name, now=now, details=json.dumps(dict(details)))
        await self._database.run([seen])

    async def instance_gone(self, token: str) -> None:
        await self._database.run([sql.INSTANCE_GONE(token=token)])

    async def prune(self, *, events_before: datetime, now: datetime) -> int:
        lines, instances = await self._database.run(
            [sql.PRUNE_EVENTS(events_before=events_before), sql.PRUNE_INSTANCES(dead_since=now - INSTANCE_KEEPS)]
        )
        return len(lines) + len(instances)

    async def optimize(self) -> None:
        await self._database.optimize()


def _only(limits: ClaimLimits) -> str | None:
    return None if limits.ids is None else json.dumps(limits.ids)


def _hold_unaffordable(limits: ClaimLimits, now: datetime) -> Statement:
    hold = sql.HOLD_UNAFFORDABLE_NEWEST if limits.newest_first else sql.HOLD_UNAFFORDABLE_OLDEST
    return hold(
        now=now,
        only=_only(limits),
        exclude=json.dumps(limits.exclude),
        day_start=limits.day_start,
        day_end=limits.day_end or limits.day_start + timedelta(days=1),
        day_max_micros=limits.day_max_micros,
        unaffordable=UNAFFORDABLE,
        unpriced=UNPRICED,
    )


def _claim(limits: ClaimLimits, token: str, claimed_by: str, now: datetime, lease_until: datetime) -> Statement:
    claim = sql.CLAIM_NEWEST if limits.newest_first else sql.CLAIM_OLDEST
    return claim(
        now=now,
        minute_ago=now - timedelta(minutes=1),
        only=_only(limits),
        exclude=json.dumps(limits.exclude),
        batch=max(limits.batch, 0),
        day_start=limits.day_start,
        day_max_jobs=limits.day_max_jobs,
        minute_max_jobs=limits.minute_max_jobs,
        day_max_micros=limits.day_max_micros,
        max_parallel=limits.max_parallel,
        token=token,
        claimed_by=claimed_by,
        lease_until=lease_until,
    )


def _rank(row: Row, newest_first: bool) -> tuple[int, int, str | tuple[int, ...]]:
    """Return what sorts claimed rows as the claim picked them; RETURNING knows no order."""
    asked, rank_at = int(row[-2]), int(row[-1])
    if newest_first:
        return (-asked, -rank_at, tuple(-ord(letter) for letter in row[0]))
    return (-asked, rank_at, str(row[0]))


def _let_go(jobs: Picked, error: str, now: datetime) -> list[Statement]:
    return [
        record_sql.CLOSE_ATTEMPTS(ids=jobs, outcome=Outcome.CANCELLED, error=error, now=now),
        ledger.RELEASE_UNSPENT(ids=jobs, now=now),
    ]
