"""The store as the pipeline needs it: each step's facts, committed before the next thing happens."""

import json
from collections.abc import Sequence
from datetime import datetime
from functools import partial

from msgspec import Struct

from focusflow.domain.budgets import Limits, Refusal
from focusflow.domain.jobs import STATUS_DURING, Claim, DurationSource, Job, JobId, Outcome, SkippedBy, Status, Step
from focusflow.domain.money import Estimate
from focusflow.domain.transcript import Transcript
from focusflow.errors import Held, HoldKind
from focusflow.events import JobChanged, JobLogged
from focusflow.ports import Delivery, Documents, Ended, Settlement, Summary
from focusflow.store.database import NOTHING, Computed, Picked, Row, Statement
from focusflow.store.purse import allowed_by, spent_in
from focusflow.store.rows import (
    content_mark,
    delivery_from,
    documents_from,
    job_from,
    maybe_instant,
    transcript_parameters,
)
from focusflow.store.sql import control as control_sql
from focusflow.store.sql import jobs as jobs_sql
from focusflow.store.sql import ledger
from focusflow.store.sql import money as money_sql
from focusflow.store.sql import record as sql
from focusflow.store.sql.queue import LOCK_CLAIMS
from focusflow.store.stored import Stored, line_of, log_one

_BEGIN = {
    Step.DOWNLOAD: sql.BEGIN_TRANSCRIBE,
    Step.TRANSCRIBE: sql.BEGIN_TRANSCRIBE,
    Step.SUMMARIZE: sql.BEGIN_SUMMARIZE,
    Step.SYNC: sql.BEGIN_SYNC,
}
_BEGUN = {
    Step.DOWNLOAD: "Downloading the recording.",
    Step.TRANSCRIBE: "Transcribing.",
    Step.SUMMARIZE: "Summarizing.",
    Step.SYNC: "Delivering it.",
}
_REUSE = {
    Step.TRANSCRIBE: (sql.REUSE_TRANSCRIPT, "The transcript is there already: it is used again."),
    Step.SUMMARIZE: (sql.BEGIN_SUMMARIZE, "The summary is there already: it is used again."),
}


_OVERRIDES, _SPENT, _RESERVED = range(2, 5)
"""Where the statements stand by which `measured_file` decides."""


class _Move(Struct, frozen=True, kw_only=True):
    """A job's way from one status to the next: what must still hold, what follows from it, and the line that tells of it."""

    first: Sequence[Statement] = ()
    """What the guard's own statement looks at already; undone with all else if the claim was lost."""
    guard: Statement
    then: Sequence[Statement] = ()
    line: Statement | None = None

    @property
    def statements(self) -> list[Statement]:
        return [*self.first, self.guard, *self.then, *([self.line] if self.line else [])]


class RecordPart(Stored):
    """Implements `ports.JobRecord`."""

    async def documents(self, job_id: JobId) -> Documents:
        stored, summaries = await self._database.read([sql.READ_DOCUMENT(id=job_id), sql.READ_SUMMARY(id=job_id)])
        return documents_from(stored, summaries)

    # ------------------------------------------------------------------------------------------------------ attempts

    async def begin(self, claim: Claim, step: Step, *, now: datetime, after: int | None = None) -> int:
        guard = _BEGIN[step].guarding(claim.job.id, id=claim.job.id, token=claim.token, now=now)
        opened, line = _opened(claim, step, now)
        done = [] if after is None else [_close(claim, after, Outcome.DONE, None, None, now)]
        results = await self._advance(claim, _Move(guard=guard, then=[opened, *done], line=line))
        return int(results[1][0][0])

    async def end(
        self, claim: Claim, attempt_id: int, outcome: Outcome, *, error: str | None = None, now: datetime
    ) -> None:
        guard = sql.STILL_OURS.guarding(claim.job.id, id=claim.job.id, token=claim.token, now=now)
        await self._advance(claim, _Move(guard=guard, then=[_close(claim, attempt_id, outcome, error, None, now)]))

    async def reuse(self, claim: Claim, step: Step, *, now: datetime) -> None:
        job_id = claim.job.id
        move, message = _REUSE[step]
        guard = move.guarding(job_id, id=job_id, token=claim.token, now=now)
        line = log_one(job_id, message, step=step, now=now)
        await self._advance(
            claim, _Move(guard=guard, then=[sql.REUSED_ATTEMPT(id=job_id, step=step, now=now)], line=line)
        )

    # -------------------------------------------------------------------------------------------------- transcription

    async def uploaded(self, claim: Claim, upload_ref: str, *, now: datetime, intending: bool = False) -> None:
        job_id = claim.job.id
        guard = sql.UPLOADED.guarding(
            job_id,
            id=job_id,
            token=claim.token,
            upload_ref=upload_ref,
            # what was claimed: another may lie there by now
            content=content_mark(claim.job.file_md5, claim.job.file_size),
            intent_at=now if intending else None,
            now=now,
        )
        line = log_one(job_id, "Uploaded.", step=Step.TRANSCRIBE, now=now)
        await self._advance(claim, _Move(guard=guard, line=line))

    async def intend_submit(self, claim: Claim, *, now: datetime) -> None:
        guard = sql.INTEND_SUBMIT.guarding(claim.job.id, id=claim.job.id, token=claim.token, now=now)
        await self._advance(claim, _Move(guard=guard))

    async def submitted(self, job_id: JobId, transcript_id: str, *, now: datetime) -> None:
        ordered = sql.SUBMITTED(id=job_id, transcript_id=transcript_id, now=now)
        line = log_one(
            job_id, f"Ordered transcript {transcript_id}; it is paid for once.", step=Step.TRANSCRIBE, now=now
        )
        results = await self._database.run([ordered, line])
        self._tell_changes(results[0])
        self._tell([JobLogged(line=line_of(line, results[1]))])

    async def forget_order(self, claim: Claim, *, keep_upload: bool, now: datetime) -> None:
        forget = sql.FORGET_ORDER if keep_upload else sql.FORGET_ORDER_AND_UPLOAD
        guard = forget.guarding(claim.job.id, id=claim.job.id, token=claim.token, now=now)
        await self._advance(claim, _Move(guard=guard))

    async def keep_raw_transcript(self, job_id: JobId, raw: bytes, *, now: datetime) -> None:
        await self._database.run([sql.KEEP_RAW(id=job_id, raw=raw, now=now)])

    async def transcribed(
        self,
        claim: Claim,
        attempt_id: int | None,
        transcript: Transcript,
        settlement: Settlement | None,
        *,
        now: datetime,
        going_on: bool = False,
    ) -> int | None:
        job_id = claim.job.id
        guard = (sql.TRANSCRIBED_AND_ON if going_on else sql.TRANSCRIBED).guarding(
            job_id,
            id=job_id,
            token=claim.token,
            now=now,
            language=transcript.language,
            duration_seconds=transcript.duration_seconds,
        )
        keep = sql.KEEP_TRANSCRIPT(id=job_id, now=now, **transcript_parameters(transcript))
        paid = _settle(job_id, Step.TRANSCRIBE, _each(settlement), now)
        done = _done(claim, attempt_id, settlement, now)
        line = log_one(job_id, "The transcript is here.", step=Step.TRANSCRIBE, now=now)
        move = _Move(first=paid, guard=guard, then=[keep, *done], line=line)
        if going_on:
            return await self._advance_and_begin(claim, move, Status.TRANSCRIBED, Step.SUMMARIZE, now)
        await self._advance(claim, move)
        return None

    async def measured_file(
        self,
        claim: Claim,
        duration_seconds: float,
        source: DurationSource,
        *,
        estimate: Estimate,
        money: Limits,
        now: datetime,
        budget_exempt: bool | None = None,
    ) -> None:
        guard = sql.MEASURED_FILE.guarding(
            claim.job.id,
            id=claim.job.id,
            token=claim.token,
            duration_seconds=duration_seconds,
            source=source,
            transcribe_micros=estimate.transcribe_micros,
            summarize_micros=estimate.summarize_micros,
            budget_exempt=None if budget_exempt is None else int(budget_exempt),
            now=now,
        )

        def refused(results: Sequence[Sequence[Row]]) -> Refusal | None:
            ((before, after, lifted),) = results[_RESERVED]
            if after is not None and after <= before:
                return None
            allowed = allowed_by(money, results[_OVERRIDES], results[_SPENT])
            return allowed.refusal(claim.job.id, after, more=-before, lifted=bool(lifted), begun=True)

        may = Computed(lambda results: int(refused(results) is None))
        looking = [money_sql.FOR_ALL(now=now), spent_in(money), money_sql.RESERVED_OF(id=claim.job.id, now=now)]
        results = await self._database.run(
            [LOCK_CLAIMS(), guard, *looking, sql.RESERVE_AS_MEASURED(id=claim.job.id, may=may)]
        )
        self._tell([JobChanged(job_id=claim.job.id, status=Status(results[1][0][0]))])
        if refusal := refused(results):
            raise Held(HoldKind.BUDGET, refusal.reason, until=refusal.until)

    # -------------------------------------------------------------------------------------------------------- summary

    async def summarized(
        self,
        claim: Claim,
        attempt_id: int | None,
        summary: Summary,
        settlement: Settlement | Sequence[Settlement] | None,
        *,
        now: datetime,
        going_on: bool = False,
    ) -> int | None:
        job_id = claim.job.id
        answers = _each(settlement)
        cost = None if settlement is None else _sum(answers)
        guard = (sql.SUMMARIZED_AND_ON if going_on else sql.SUMMARIZED).guarding(
            job_id, id=job_id, token=claim.token, title=summary.title, now=now
        )
        text = {
            "markdown": summary.markdown,
            "title": summary.title,
            "model": summary.model,
            "prompt_hash": summary.prompt_hash,
        }
        keep = [
            sql.SUPERSEDE_SUMMARY(id=job_id, now=now, **text),
            sql.KEEP_SUMMARY(id=job_id, cost_micros=cost, now=now, **text),
        ]
        paid = _settle(job_id, Step.SUMMARIZE, answers, now)
        done = [] if attempt_id is None else [_close(claim, attempt_id, Outcome.DONE, None, cost, now)]
        line = log_one(job_id, f"Summarized by {summary.model}.", step=Step.SUMMARIZE, now=now)
        move = _Move(first=paid, guard=guard, then=[*keep, *done], line=line)
        if going_on:
            return await self._advance_and_begin(claim, move, Status.SUMMARIZING, Step.SYNC, now)
        await self._advance(claim, move)
        return None

    async def settle(
        self, job_id: JobId, step: Step, settlement: Settlement, *, now: datetime, token: str | None = None
    ) -> None:
        summed = [ledger.SUM_COST(ids=json.dumps([job_id])), sql.TOUCH(id=job_id, now=now)]
        results = await self._database.run([*_settle(job_id, step, [settlement], now, token), *summed])
        self._tell_changes(results[-1])

    # ------------------------------------------------------------------------------------------------------- delivery

    async def deliveries(self, job_id: JobId) -> Sequence[Delivery]:
        (rows,) = await self._database.read([sql.READ_DELIVERIES(ids=json.dumps([job_id]))])
        return [delivery_from(row)[1] for row in rows]

    async def take_delivery(self, job_id: JobId, sink: str, *, now: datetime, until: datetime) -> Delivery | None:
        take = sql.TAKE_DELIVERY(id=job_id, sink=sink, now=now, until=until)
        waiting = Computed(partial(_unless_found, 0, job_id))
        taken, _ = await self._database.run([take, sql.DELIVER_AGAIN(sink=sink, waiting=waiting)])
        return delivery_from(taken[0])[1] if taken else None

    async def save_delivery(self, job_id: JobId, delivery: Delivery, *, now: datetime, release: bool = False) -> None:
        saved = sql.SAVE_DELIVERY(
            id=job_id,
            sink=delivery.sink,
            intent_at=delivery.intent_at,
            ref=delivery.ref,
            url=delivery.url,
            memo=delivery.memo,
            error=delivery.error,
            attempts=delivery.attempts,
            next_attempt_at=delivery.next_attempt_at,
            delivered_at=delivery.delivered_at,
            leased_until=delivery.leased_until,
            release=int(release),
            now=now,
        )
        results = await self._database.run([sql.TOUCH(id=job_id, now=now), saved])
        self._tell_changes(results[0])

    async def next_delivery_at(self) -> datetime | None:
        (rows,) = await self._database.read([sql.NEXT_DELIVERY()])
        return maybe_instant(rows[0][0])

    async def take_due_deliveries(
        self, *, limit: int, now: datetime, again_at: datetime
    ) -> Sequence[tuple[Job, Delivery]]:
        take = sql.TAKE_DUE_DELIVERIES(limit=limit, now=now, again_at=again_at)
        taken, rows = await self._database.run([take, jobs_sql.READ_JOBS(ids=Picked())])
        jobs = {job.id: job for job in map(job_from, rows)}
        due = sorted(map(delivery_from, taken), key=lambda found: (found[0], found[1].sink))
        return [(jobs[job_id], delivery) for job_id, delivery in due]

    # ----------------------------------------------------------------------------------------------------------- ends

    async def complete(self, claim: Claim, *, now: datetime, attempt: Ended | None = None) -> None:
        job_id = claim.job.id
        guard = sql.COMPLETE.guarding(job_id, id=job_id, token=claim.token, now=now)
        line = log_one(job_id, "Completed.", now=now)
        then = _let_go(job_id, Outcome.CANCELLED, None, now)
        if attempt is not None:
            then[0] = sql.CLOSE_LAST_ATTEMPTS(
                id=job_id, attempt_id=attempt.id, outcome=attempt.outcome, error=attempt.error, now=now
            )
        await self._advance(claim, _Move(guard=guard, then=then, line=line))

    async def give_back(self, claim: Claim, *, now: datetime, note: str) -> None:
        guard = sql.GIVE_BACK.guarding(claim.job.id, id=claim.job.id, token=claim.token, now=now)
        line = log_one(claim.job.id, note, now=now)
        await self._advance(
            claim, _Move(guard=guard, then=_let_go(claim.job.id, Outcome.CANCELLED, note, now), line=line)
        )

    async def hold(self, claim: Claim, kind: HoldKind, reason: str, *, until: datetime, now: datetime) -> None:
        job_id = claim.job.id
        guard = sql.HOLD.guarding(job_id, id=job_id, token=claim.token, kind=kind, reason=reason, until=until, now=now)
        line = log_one(job_id, reason, level="warning", now=now)
        await self._advance(claim, _Move(guard=guard, then=_let_go(job_id, Outcome.HELD, reason, now), line=line))

    async def fail(
        self, claim: Claim, step: Step, error: str, *, retry_at: datetime | None, counts: bool, now: datetime
    ) -> None:
        job_id = claim.job.id
        guard = sql.FAIL.guarding(
            job_id,
            id=job_id,
            token=claim.token,
            step=step,
            error=error,
            retry_at=retry_at,
            counted=int(counts),
            now=now,
        )
        line = log_one(job_id, error, level="error", step=step, now=now)
        await self._advance(claim, _Move(guard=guard, then=_let_go(job_id, Outcome.FAILED, error, now), line=line))

    async def skip(self, claim: Claim, reason: str, by: SkippedBy, *, now: datetime) -> None:
        job_id = claim.job.id
        content = content_mark(claim.job.file_md5, claim.job.file_size)
        guard = sql.SKIP.guarding(job_id, id=job_id, token=claim.token, content=content, reason=reason, by=by, now=now)
        other = Computed(partial(_if_given_back, job_id))
        forget = [control_sql.FORGET_TRANSCRIPT(ids=other), control_sql.SUPERSEDE_DOCUMENTS(ids=other, now=now)]
        line = sql.LOG_SKIP(id=job_id, message=f"Skipped: {reason}", now=now)
        then = [*forget, *_let_go(job_id, Outcome.DONE, None, now), line]
        results = await self._advance(claim, _Move(guard=guard, then=then))
        self._tell_lines(results[-1])

    async def log(self, job_id: JobId, level: str, message: str, *, step: Step | None = None, now: datetime) -> None:
        line = log_one(job_id, message, level=level, step=step, now=now)
        (rows,) = await self._database.run([line])
        self._tell([JobLogged(line=line_of(line, rows))])

    async def _advance(self, claim: Claim, move: _Move) -> list[list[Row]]:
        """Make the move as one transaction, then announce it; return what the guard and the statements after it returned."""
        results = await self._database.run(move.statements)
        answers = results[len(move.first) :]
        self._tell([JobChanged(job_id=claim.job.id, status=Status(answers[0][0][0]))])
        if move.line:
            self._tell([JobLogged(line=line_of(move.line, answers[-1]))])
        return answers

    async def _advance_and_begin(self, claim: Claim, move: _Move, passed: Status, step: Step, now: datetime) -> int:
        """Make a move that passes through a status on to the begin of *step*; return the attempt's id."""
        opened, begun = _opened(claim, step, now)
        results = await self._database.run([*move.statements, opened, begun])
        for status, line, at in ((passed, move.line, -3), (STATUS_DURING[step], begun, -1)):
            self._tell([JobChanged(job_id=claim.job.id, status=status)])
            if line:
                self._tell([JobLogged(line=line_of(line, results[at]))])
        return int(results[-2][0][0])


def _opened(claim: Claim, step: Step, now: datetime) -> tuple[Statement, Statement]:
    """Return the statements that open an attempt and tell of it."""
    opened = sql.OPEN_ATTEMPT(id=claim.job.id, step=step, now=now)
    return opened, log_one(claim.job.id, _BEGUN[step], step=step, now=now)


def _close(
    claim: Claim, attempt_id: int, outcome: Outcome, error: str | None, cost_micros: int | None, now: datetime
) -> Statement:
    return sql.CLOSE_ATTEMPT(
        id=claim.job.id, attempt_id=attempt_id, outcome=outcome, error=error, cost_micros=cost_micros, now=now
    )


def _done(claim: Claim, attempt_id: int | None, settlement: Settlement | None, now: datetime) -> list[Statement]:
    """Close the attempt, if there is one, with what it cost."""
    if attempt_id is None:
        return []
    return [_close(claim, attempt_id, Outcome.DONE, None, settlement.actual_micros if settlement else None, now)]


def _each(settlement: Settlement | Sequence[Settlement] | None) -> Sequence[Settlement]:
    if settlement is None:
        return ()
    return (settlement,) if isinstance(settlement, Settlement) else settlement


def _sum(settlements: Sequence[Settlement]) -> int | None:
    """Return what they cost together; None as soon as one has no price."""
    prices = [settlement.actual_micros for settlement in settlements]
    known = [price for price in prices if price is not None]
    return sum(known) if len(known) == len(prices) else None


def _settle(
    job_id: JobId, step: Step, settlements: Sequence[Settlement], now: datetime, token: str | None = None
) -> list[Statement]:
    """Turn the step's reservation, or a claim's own, into what it really cost. These stand first in their transaction."""
    statements: list[Statement] = []
    for settlement in settlements:
        charge = {
            "id": job_id,
            "step": step,
            "provider": settlement.provider,
            "model": settlement.model,
            "actual_micros": settlement.actual_micros,
            "usage_known": int(settlement.usage_known),
            "usage": json.dumps(dict(settlement.usage), default=str),
            "external_ref": settlement.external_ref,
            "now": now,
        }
        unreserved = Computed(partial(_unless_found, len(statements), job_id))
        statements += [
            ledger.SETTLE(**charge, claim_token=token),
            ledger.SETTLE_UNRESERVED(**charge, unreserved=unreserved),
        ]
    return statements


def _unless_found(statement: int, job_id: JobId, results: Sequence[Sequence[Row]]) -> str:
    """Return the job's id as a list, or nothing if that statement of the transaction returned something."""
    return NOTHING if results[statement] else json.dumps([job_id])


def _if_given_back(job_id: JobId, results: Sequence[Sequence[Row]]) -> str:
    """Return the job's id as a list if the transaction's first statement put it back to rest, or nothing."""
    return json.dumps([job_id]) if results[0][0][0] == Status.DISCOVERED else NOTHING


def _let_go(job_id: JobId, outcome: Outcome, error: str | None, now: datetime) -> list[Statement]:
    """Close what is open and release what was reserved for a job that nobody works on any more."""
    ids = json.dumps([job_id])
    return [
        sql.CLOSE_ATTEMPTS(ids=ids, outcome=outcome, error=error, now=now),
        ledger.RELEASE_UNSPENT(ids=ids, now=now),
    ]
