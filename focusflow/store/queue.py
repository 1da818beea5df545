"""The store as the processor and the watchdog need it: who may work on what, for how long and for how much."""

import json
from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime, timedelta

from focusflow.domain.budgets import Candidate, Choice, InForce, choose
from focusflow.domain.jobs import Claim, JobId, Outcome, Status
from focusflow.domain.money import Estimate
from focusflow.ports import ClaimLimits
from focusflow.store.database import NOTHING, Computed, Picked, Row, Statement, Value
from focusflow.store.purse import Purses, allowed_by, spent_in
from focusflow.store.rows import job_from, maybe_instant, milliseconds
from focusflow.store.sql import ledger
from focusflow.store.sql import money as money_sql
from focusflow.store.sql import queue as sql
from focusflow.store.sql import record as record_sql
from focusflow.store.stored import log_picked

LOOK_AHEAD = 100
"""How many due calls a claim looks at when there is no money for the first: the next claim looks further, and a long queue
costs no more than a short one."""
RESCUED_TOO_OFTEN = "Its worker fell silent again and again, so it is left alone: look at the log, then retry it."
LONGEST_LEASE = timedelta(days=2)
"""Twice as long as a lease can be configured to be."""
INSTANCE_KEEPS = timedelta(hours=1)
"""An instance that has been silent for so long is forgotten."""


class QueuePart(Purses):
    """Implements `ports.Queue`."""

    async def claim(
        self, limits: ClaimLimits, *, token: str, claimed_by: str, now: datetime, lease_until: datetime
    ) -> Sequence[Claim]:
        plan = _Plan(limits, now)
        claimed = Picked(_CLAIMED)
        results = await self._database.run(
            [
                *plan.looking(),
                sql.CLAIM(
                    ids=Computed(plan.taken), token=token, claimed_by=claimed_by, now=now, lease_until=lease_until
                ),
                sql.HOLD_FOR_BUDGET.each_of(plan.holds),
                sql.LOG_HOLDS(ids=Computed(plan.newly_held), now=now),
                ledger.RESERVE_TRANSCRIPT(ids=claimed, now=now),
                ledger.RESERVE_SUMMARY(ids=claimed, now=now),
                log_picked(claimed, f"Work on it begins, by {claimed_by}.", now=now),
            ]
        )
        choice, rows = plan.choice(results), sorted(results[_CLAIMED], key=lambda row: _rank(row, limits.newest_first))
        self._tell_changes(rows, [(job_id, Status.DISCOVERED) for job_id in choice.held])
        self._tell_lines([*results[_CLAIMED + 2], *results[-1]])
        self._warn(plan.allowed(results), choice.micros)
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

    async def try_mended(self, *, now: datetime) -> int:
        log = log_picked(Picked(), "Tried at a new start: it may be mended.", now=now)
        due, _, lines = await self._database.run([sql.TRY_MENDED(now=now), sql.TRY_MENDED_SINKS(now=now), log])
        self._tell_changes(due)
        self._tell_lines(lines)
        return len(due)

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


_OVERRIDES, _SPENT, _CAPS, _HEAD, _MORE, _CLAIMED = range(1, 7)
"""Where each of a claim's statements stands; the lock comes first."""


class _Plan:
    """Decides, inside a claim's transaction, what is taken and what is held; anew if the transaction is repeated."""

    def __init__(self, limits: ClaimLimits, now: datetime) -> None:
        self._limits, self._now = limits, now
        self._decided: tuple[Sequence[Sequence[Row]], Choice] | None = None

    def looking(self) -> list[Statement]:
        """Return the statements that find out what there is, and lock it."""
        limits, now = self._limits, self._now
        due = {
            "now": now,
            "only": None if limits.ids is None else json.dumps(limits.ids),
            "exclude": json.dumps(limits.exclude),
            "day_start": limits.day_start,
            "least_asked": int(limits.only_asked),
        }
        head = sql.HEAD_NEWEST if limits.newest_first else sql.HEAD_OLDEST
        caps = {
            "day_max_jobs": limits.day_max_jobs,
            "minute_max_jobs": limits.minute_max_jobs,
            "max_parallel": limits.max_parallel,
        }
        return [
            sql.LOCK_CLAIMS(),
            money_sql.FOR_ALL(now=now),
            spent_in(limits.money),
            sql.CAPS(**caps, day_start=limits.day_start, minute_ago=now - timedelta(minutes=1), now=now),
            head(**due, look=Computed(self._at_most)),
            head(**due, look=Computed(self._further)),
        ]

    def allowed(self, results: Sequence[Sequence[Row]]) -> InForce:
        return allowed_by(self._limits.money, results[_OVERRIDES], results[_SPENT])

    def choice(self, results: Sequence[Sequence[Row]]) -> Choice:
        if self._decided is None or self._decided[0] is not results:
            self._decided = (results, self._choice(results, results[_MORE] or results[_HEAD]))
        return self._decided[1]

    def taken(self, results: Sequence[Sequence[Row]]) -> str:
        return json.dumps(self.choice(results).taken)

    def newly_held(self, results: Sequence[Sequence[Row]]) -> str:
        return json.dumps(self.choice(results).newly_held)

    def holds(self, results: Sequence[Sequence[Row]]) -> Iterable[Mapping[str, Value]]:
        for job_id, refusal in self.choice(results).held.items():
            yield {
                "id": job_id,
                "reason": refusal.reason,
                "until": milliseconds(refusal.until),
                "now": milliseconds(self._now),
            }

    def _choice(self, results: Sequence[Sequence[Row]], found: Sequence[Row]) -> Choice:
        limits = self._limits
        fresh_left = None if limits.day_max_jobs is None else limits.day_max_jobs - results[_CAPS][0][0]
        return choose(
            map(_candidate, found), self.allowed(results), at_most=self._at_most(results), fresh_left=fresh_left
        )

    def _at_most(self, results: Sequence[Sequence[Row]]) -> int:
        limits, (_, this_minute, at_work) = self._limits, results[_CAPS][0]
        left = [limits.batch]
        left += [] if limits.minute_max_jobs is None else [limits.minute_max_jobs - this_minute]
        left += [] if limits.max_parallel is None else [limits.max_parallel - at_work]
        return max(min(left), 0)

    def _further(self, results: Sequence[Sequence[Row]]) -> Value:
        """Say how far to look again, past calls that there is no money for; not at all if the first were enough."""
        head = results[_HEAD]
        return LOOK_AHEAD if len(self._choice(results, head).taken) < len(head) else NOTHING


def _candidate(row: Row) -> Candidate:
    job_id, transcript, summary, fresh, measured, lifted, held = row
    return Candidate(
        job_id=JobId(job_id),
        price=Estimate(transcribe_micros=transcript, summarize_micros=summary).micros,
        reserves=(transcript or 0) + (summary or 0),
        fresh=bool(fresh),
        measured=bool(measured),
        lifted=bool(lifted),
        held=bool(held),
    )


def _rank(row: Row, newest_first: bool) -> tuple[int, int, str | tuple[int, ...]]:
    """Return what sorts claimed rows as the claim picked them; RETURNING knows no order."""
    asked, rank_at = int(row[-2]), int(row[-1])
    if newest_first:
        return (-asked, -rank_at, tuple(-ord(letter) for letter in row[0]))
    return (-asked, rank_at, str(row[0]))


def _let_go(jobs: Picked, error: str, now: datetime) -> list[Statement]:
    return [
        ledger.WRITE_OFF_ANSWERS(ids=jobs, now=now),
        ledger.SUM_COST(ids=jobs),
        record_sql.CLOSE_ATTEMPTS(ids=jobs, outcome=Outcome.CANCELLED, error=error, now=now),
        ledger.RELEASE_UNSPENT(ids=jobs, now=now),
    ]
