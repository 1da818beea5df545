"""The store as the screen and the command line need it: what there is, and what people asked for."""

import json
from collections.abc import Mapping, Sequence
from datetime import datetime
from itertools import chain

from focusflow.domain.jobs import JobId, Outcome, Status, Step
from focusflow.events import ControlChanged
from focusflow.ports import (
    ControlState,
    JobDetail,
    JobRow,
    Spending,
    Stats,
)
from focusflow.store.database import Picked, Row, Statement
from focusflow.store.rows import (
    attempt_from,
    charge_from,
    deliveries_by_job,
    documents_from,
    instance_from,
    instant,
    job_from,
    line_from,
    milliseconds,
)
from focusflow.store.sql import control as sql
from focusflow.store.sql import inbox as inbox_sql
from focusflow.store.sql import jobs as jobs_sql
from focusflow.store.sql import ledger
from focusflow.store.sql import record as record_sql
from focusflow.store.stored import Stored, log_picked

CANCELLED = "Stopped by you: retry it when you like, what is paid for is kept."
LATEST_ATTEMPTS = 200
"""How many recent attempts an average is made of."""
MATCHES = 8
HELD = "held"
"""The shelf of the calls that wait for something."""


class ControlPart(Stored):
    """Implements `ports.Control`."""

    # --------------------------------------------------------------------------------------------------------- reading

    async def stats(self, *, now: datetime, day_start: datetime, month_start: datetime) -> Stats:
        counted, waiting, seconds, day, month, spent, controls, instances = await self._database.read(
            [
                sql.COUNTS(),
                sql.WAITING(now=now),
                sql.AVERAGE_SECONDS(latest=LATEST_ATTEMPTS),
                sql.CLAIMED_SINCE(since=day_start),
                sql.CLAIMED_SINCE(since=month_start),
                ledger.SPENT(day_start=day_start, week_start=day_start, month_start=month_start),
                sql.READ_CONTROLS(),
                sql.READ_INSTANCES(),
            ]
        )
        shelves = {shelf: sum(row[2] for row in counted if row[0] == shelf) for shelf in [*Status, HELD]}
        counts = {status: shelves[status] for status in Status}
        counts[Status.DISCOVERED] += shelves[HELD]
        money = {period: sums for period, *sums in spent}
        return Stats(
            counts=counts,
            held=shelves[HELD],
            due=counts[Status.DISCOVERED] - waiting[0][0],
            failures_by_step={Step(step): n for status, step, n in counted if status == Status.FAILED and step and n},
            average_seconds_by_step={Step(step): average for step, average in seconds},
            today=_spending(day, money["day"]),
            month=_spending(month, money["month"]),
            control=_control(controls),
            instances=tuple(map(instance_from, instances)),
        )

    async def find(self, prefix: str) -> Sequence[JobId]:
        (rows,) = await self._database.read([sql.FIND(prefix=prefix, end=prefix + "\x7f", limit=MATCHES)])
        return [JobId(row[0]) for row in rows]

    async def detail(self, job_id: JobId, *, events: int = 500) -> JobDetail | None:
        ids = json.dumps([job_id])
        rows, deliveries, stored, summaries, attempts, charges, lines = await self._database.read(
            [
                jobs_sql.READ_JOBS(ids=ids),
                record_sql.READ_DELIVERIES(ids=ids),
                record_sql.READ_DOCUMENT(id=job_id),
                record_sql.READ_SUMMARY(id=job_id),
                sql.READ_ATTEMPTS(id=job_id),
                sql.READ_CHARGES(id=job_id),
                sql.READ_EVENTS(id=job_id, limit=events),
            ]
        )
        if not rows:
            return None
        return JobDetail(
            row=JobRow(job=job_from(rows[0]), deliveries=deliveries_by_job(deliveries).get(job_id, ())),
            documents=documents_from(stored, summaries),
            attempts=tuple(map(attempt_from, attempts)),
            charges=tuple(map(charge_from, charges)),
            events=tuple(map(line_from, reversed(lines))),
        )

    async def control(self) -> ControlState:
        (rows,) = await self._database.read([sql.READ_CONTROLS()])
        return _control(rows)

    async def verify_counts(self) -> Mapping[tuple[str, str], tuple[int, int]]:
        """Return where the counters are wrong: (status, step) -> (counted, true). Empty when all is well; slow."""
        counted, true = await self._database.read([sql.COUNTS(), sql.TRUE_COUNTS()])
        kept = {(row[0], row[1]): int(row[2]) for row in counted if row[2]}
        real = {(row[0], row[1]): int(row[2]) for row in true}
        return {
            key: (kept.get(key, 0), real.get(key, 0)) for key in kept | real if kept.get(key, 0) != real.get(key, 0)
        }

    # -------------------------------------------------------------------------------------------------------- switches

    async def pause(self, *, now: datetime) -> None:
        await self._set("paused_at", str(milliseconds(now)))

    async def resume(self, *, now: datetime) -> None:
        await self._set("paused_at", None)

    async def set_capacity(self, capacity: int | None, *, now: datetime) -> None:
        await self._set("capacity", None if capacity is None else str(capacity))

    async def request_discovery(self, *, now: datetime) -> None:
        await self._set("discover_requested_at", str(milliseconds(now)))

    async def _set(self, key: str, value: str | None) -> None:
        change = sql.CLEAR_CONTROL(key=key) if value is None else inbox_sql.SET_CONTROL(key=key, value=value)
        await self._database.run([change])
        self._tell([ControlChanged()])

    # -------------------------------------------------------------------------------------------------------- requests

    async def process(self, job_ids: Sequence[JobId], *, from_step: Step | None, now: datetime) -> Sequence[JobId]:
        ids = json.dumps(list(job_ids))
        if from_step is Step.SYNC:
            return await self._sync_again(ids, now)
        requested = Picked()
        message = "Asked for by you." if from_step is None else f"Asked for by you, anew from {from_step}."
        return await self._request(
            sql.REQUEST(ids=ids, now=now),
            [
                *_forget_from(from_step, requested, now),
                ledger.RELEASE_UNSPENT(ids=requested, now=now),
            ],
            message,
            now,
        )

    async def _sync_again(self, ids: str, now: datetime) -> Sequence[JobId]:
        log = [log_picked(Picked(n), "To be delivered again.", step=Step.SYNC, now=now) for n in (0, 1)]
        results = await self._database.run(
            [sql.REQUEST_SYNC(ids=ids, now=now), sql.RESYNC_COMPLETED(ids=ids, now=now), *log]
        )
        completed = [(row[0], Status.COMPLETED) for row in results[1]]
        self._tell_lines([*results[2], *results[3]])
        changed = self._tell_changes(results[0], completed)
        self._tell([ControlChanged()])
        return changed

    async def retry(self, job_ids: Sequence[JobId] | None, *, now: datetime) -> Sequence[JobId]:
        ids = None if job_ids is None else json.dumps(list(job_ids))
        retried = [sql.RETRY(ids=ids, now=now), sql.RETRY_MENDED(ids=ids, now=now)]
        log = [log_picked(Picked(n), "Retried by you.", now=now) for n in range(3)]
        failed, mended, unsynced, *lines = await self._database.run(
            [*retried, sql.RETRY_DELIVERIES(ids=ids, now=now), *log]
        )
        self._tell_lines(chain(*lines))
        changed = self._tell_changes(failed, mended, [(row[0], Status.COMPLETED) for row in unsynced])
        self._tell([ControlChanged()])
        return changed

    async def cancel(self, job_ids: Sequence[JobId], *, now: datetime) -> Sequence[JobId]:
        cancelled = Picked()
        return await self._request(
            sql.CANCEL(ids=json.dumps(list(job_ids)), error=CANCELLED, now=now),
            [
                record_sql.CLOSE_ATTEMPTS(ids=cancelled, outcome=Outcome.CANCELLED, error=CANCELLED, now=now),
                ledger.RELEASE_UNSPENT(ids=cancelled, now=now),
            ],
            CANCELLED,
            now,
        )

    async def skip_jobs(self, job_ids: Sequence[JobId], *, reason: str, now: datetime) -> Sequence[JobId]:
        skip = sql.SKIP(ids=json.dumps(list(job_ids)), reason=reason, now=now)
        return await self._request(skip, [ledger.RELEASE_UNSPENT(ids=Picked(), now=now)], f"Skipped: {reason}", now)

    async def unskip(self, job_ids: Sequence[JobId], *, now: datetime) -> Sequence[JobId]:
        unskip = sql.UNSKIP(ids=json.dumps(list(job_ids)), now=now)
        return await self._request(unskip, [], "Taken back by you.", now)

    async def _request(
        self, request: Statement, consequences: Sequence[Statement], message: str, now: datetime
    ) -> Sequence[JobId]:
        results = await self._database.run([request, *consequences, log_picked(Picked(), message, now=now)])
        self._tell_lines(results[-1])
        return self._tell_changes(results[0])


def _forget_from(step: Step | None, jobs: Picked, now: datetime) -> list[Statement]:
    """Forget the artifact of *step* and all after it; older versions are kept beside the new ones."""
    summary = [sql.FORGET_SUMMARY(ids=jobs), sql.SUPERSEDE_SUMMARIES(ids=jobs, now=now)]
    if step is None:
        return []
    if step is Step.SUMMARIZE:
        return summary
    return [
        ledger.WRITE_OFF_ORDERS(ids=jobs, now=now),
        ledger.SUM_COST(ids=jobs),
        sql.FORGET_TRANSCRIPT(ids=jobs),
        sql.SUPERSEDE_DOCUMENTS(ids=jobs, now=now),
        *summary,
    ]


def _control(rows: Sequence[Row]) -> ControlState:
    values = {row[0]: int(row[1]) for row in rows}
    asked = {key: instant(values[key]) for key in ("paused_at", "discover_requested_at") if key in values}
    return ControlState(
        paused="paused_at" in values,
        paused_at=asked.get("paused_at"),
        capacity=values.get("capacity"),
        discover_requested_at=asked.get("discover_requested_at"),
    )


def _spending(claimed: Sequence[Row], sums: Sequence[int]) -> Spending:
    settled, reserved, unpriced = map(int, sums)
    return Spending(jobs=claimed[0][0], settled_micros=settled, reserved_micros=reserved, unpriced=unpriced)
