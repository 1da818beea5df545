"""The store as people ask and speak about money: what is left, what they allow, and what a call would cost."""

import json
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta

from focusflow.domain.budgets import (
    SKEW,
    Budgets,
    InForce,
    OverrideKind,
    Period,
    Standing,
    bounds,
    checked_amount,
    checked_until,
    last_days,
)
from focusflow.domain.jobs import JobId, Step
from focusflow.errors import BadRequest
from focusflow.events import ControlChanged
from focusflow.ports import Backlog, BudgetWindow, Override, Purse, RunPrice
from focusflow.store.database import Picked, Row, Statement
from focusflow.store.purse import allowed_by, spent_in
from focusflow.store.rows import milliseconds, override_from
from focusflow.store.sql import money as sql
from focusflow.store.stored import Stored, log_picked

DAYS_SHOWN = 30
SHOWN = 200
"""How many exceptions in force are told of."""
LIFT_LASTS = timedelta(days=7)
STOP_LASTS = timedelta(days=30)
TOLD_ONE_BY_ONE = 1_000
"""More calls than that that come back at once are announced as one change: listeners would lose some anyway."""
LIFTED = "Let through by you, whatever the budgets say."
_BEGINNING = datetime(1970, 1, 1, tzinfo=UTC)


class MoneyPart(Stored):
    """Implements `ports.Money`."""

    async def purse(self, budgets: Budgets, *, now: datetime) -> Purse:
        limits = budgets.at(now)
        month_start, _ = bounds(Period.MONTH, now, budgets.zone)
        day_start, _ = bounds(Period.DAY, now, budgets.zone)
        days = json.dumps([milliseconds(day) for day in last_days(DAYS_SHOWN, now, budgets.zone)])
        for_all, shown, spent, claimed, daily, backlog, spared, reused = await self._database.read(
            [
                sql.FOR_ALL(now=now),
                sql.IN_FORCE(now=now, limit=SHOWN),
                spent_in(limits),
                sql.CLAIMED_SINCE(since=day_start),
                sql.DAILY(days=days),
                sql.BACKLOG(),
                sql.SPARED(since=month_start),
                sql.REUSED(since=month_start),
            ]
        )
        allowed = allowed_by(limits, for_all, spent)
        return Purse(
            windows=tuple(_window(standing) for standing in allowed.standings),
            jobs_today=claimed[0][0],
            jobs_cap=budgets.day_jobs,
            stopped_until=allowed.stopped_until,
            overrides=tuple(map(override_from, shown)),
            unpriced=allowed.standings[-1].spent.unpriced,
            daily=tuple(int(row[1]) for row in daily),
            backlog=_backlog(backlog[0]),
            saved_micros=int(spared[0][0]) + int(reused[0][0]),
        )

    async def overrides(self, *, limit: int = 100) -> Sequence[Override]:
        (rows,) = await self._database.read([sql.ALL_OVERRIDES(limit=limit)])
        return list(map(override_from, rows))

    # ------------------------------------------------------------------------------------------------------ exceptions

    async def raise_budget(
        self,
        budgets: Budgets,
        period: Period,
        amount_micros: int,
        *,
        until: datetime | None,
        origin: str,
        reason: str,
        now: datetime,
    ) -> Override:
        checked_amount(amount_micros, at_least=1)
        standing = _of(period, await self._allowed(budgets, now))
        if standing.limit_micros is None:
            raise BadRequest(f"There is no limit for a {period} that could be raised: nothing is held back by it.")
        checked_amount(standing.limit_micros + amount_micros, at_least=1)
        return await self._except(
            OverrideKind.RAISE, standing, amount_micros, until=until, origin=origin, reason=reason, now=now
        )

    async def set_budget(
        self,
        budgets: Budgets,
        period: Period,
        amount_micros: int,
        *,
        until: datetime | None,
        origin: str,
        reason: str,
        now: datetime,
    ) -> Override:
        checked_amount(amount_micros, at_least=0)
        standing = _of(period, await self._allowed(budgets, now))
        return await self._except(
            OverrideKind.SET, standing, amount_micros, until=until, origin=origin, reason=reason, now=now
        )

    async def lift(
        self,
        budgets: Budgets,
        job_ids: Sequence[JobId] | None,
        *,
        until: datetime | None,
        origin: str,
        reason: str,
        now: datetime,
    ) -> Sequence[Override]:
        midnight = bounds(Period.DAY, now, budgets.zone)[1]
        end = checked_until(until or (midnight if job_ids is None else now + LIFT_LASTS), now)
        how = _how(origin, reason, now - SKEW, end, now)
        if job_ids is None:
            added = await self._record(sql.ADD(kind=OverrideKind.LIFT, period=None, amount_micros=None, **how), now)
            return [added]
        ids = json.dumps(list(job_ids))
        log = log_picked(Picked(2), LIFTED, now=now)
        rows, changed, _, lines = await self._database.run(
            [sql.LIFT_JOBS(ids=ids, **how), sql.LOOK_AGAIN(only=ids, now=now), sql.KNOWN(ids=ids), log]
        )
        self._tell_changes(changed)
        self._tell_lines(lines)
        self._tell([ControlChanged()])
        return list(map(override_from, rows))

    async def stop_spending(
        self, budgets: Budgets, *, until: datetime | None, origin: str, reason: str, now: datetime
    ) -> Override:
        end = checked_until(until or now + STOP_LASTS, now)
        # a clock that is set back must not let spending go on
        how = _how(origin, reason, _BEGINNING, end, now)
        return await self._record(sql.ADD(kind=OverrideKind.STOP, period=None, amount_micros=None, **how), now)

    async def undo_override(self, override_id: int, *, now: datetime) -> bool:
        undone, changed = await self._database.run(
            [sql.UNDO(id=override_id, now=now), sql.LOOK_AGAIN_IF(undone=Picked(), now=now)]
        )
        self._come_back(changed)
        return bool(undone)

    async def price(self, job_ids: Sequence[JobId], *, from_step: Step | None) -> RunPrice:
        priced = sql.PRICE(ids=json.dumps(list(job_ids)), from_step=from_step)
        ((calls, micros, unpriced, transcribed, summarized),) = (await self._database.read([priced]))[0]
        free_because = None
        if calls and micros == 0 and unpriced == 0:
            free_because = _free_because(from_step, bool(transcribed), bool(summarized))
        return RunPrice(micros=int(micros), unpriced=int(unpriced), free_because=free_because)

    async def verify_sums(self) -> Mapping[str, tuple[object, object]]:
        """Return where the sums are wrong: what -> (kept, true). Empty when all is well; slow."""
        kept, true, backlog, true_backlog = await self._database.read(
            [sql.CHARGE_SUMS(), sql.TRUE_CHARGE_SUMS(), sql.BACKLOG(), sql.TRUE_BACKLOG()]
        )
        ours = {f"hour {row[0]}": tuple(row[1:]) for row in kept if any(row[1:])}
        real = {f"hour {row[0]}": tuple(row[1:]) for row in true if any(row[1:])}
        ours["backlog"], real["backlog"] = tuple(backlog[0]), tuple(true_backlog[0])
        return {what: (ours.get(what), real.get(what)) for what in ours | real if ours.get(what) != real.get(what)}

    # ---------------------------------------------------------------------------------------------------------- inside

    async def _allowed(self, budgets: Budgets, now: datetime) -> InForce:
        limits = budgets.at(now)
        overrides, spent = await self._database.read([sql.FOR_ALL(now=now), spent_in(limits)])
        return allowed_by(limits, overrides, spent)

    async def _except(
        self,
        kind: OverrideKind,
        standing: Standing,
        amount_micros: int,
        *,
        until: datetime | None,
        origin: str,
        reason: str,
        now: datetime,
    ) -> Override:
        """Record an exception for a period, from its beginning on: before it, by a clock set back, it does not hold."""
        window = standing.window
        end = checked_until(until or window.end, now)
        how = _how(origin, reason, window.start, end, now)
        return await self._record(sql.ADD(kind=kind, period=window.period, amount_micros=amount_micros, **how), now)

    async def _record(self, add: Statement, now: datetime) -> Override:
        """Store the exception and let waiting calls be looked at again, as one."""
        added, changed = await self._database.run([add, sql.LOOK_AGAIN(only=None, now=now)])
        self._come_back(changed)
        return override_from(added[0])

    def _come_back(self, changed: Sequence[Row]) -> None:
        if len(changed) <= TOLD_ONE_BY_ONE:
            self._tell_changes(changed)
        self._tell([ControlChanged()])


def _how(origin: str, reason: str, since: datetime, until: datetime, now: datetime) -> dict[str, str | datetime]:
    return {"made_from": origin, "reason": reason, "since": since, "until": until, "now": now}


def _of(period: Period, allowed: InForce) -> Standing:
    return next(standing for standing in allowed.standings if standing.window.period is period)


def _window(standing: Standing) -> BudgetWindow:
    return BudgetWindow(
        period=standing.window.period,
        start=standing.window.start,
        end=standing.window.end,
        limit_micros=standing.limit_micros,
        configured_micros=standing.window.limit_micros,
        settled_micros=standing.spent.settled_micros,
        reserved_micros=standing.spent.reserved_micros,
    )


def _backlog(row: Row) -> Backlog:
    calls, milliseconds_, micros, unpriced = map(int, row)
    return Backlog(calls=calls, seconds=milliseconds_ / 1000, micros=micros, unpriced=unpriced)


def _free_because(from_step: Step | None, transcribed: bool, summarized: bool) -> str:
    if from_step is Step.SYNC and summarized:
        return "only the pages are brought up to date"
    if from_step in (None, Step.SYNC) and transcribed and summarized:
        return "transcript and summary are already there"
    if from_step in (None, Step.SUMMARIZE, Step.SYNC) and transcribed:
        return "the transcript is already there, and your model is free of charge"
    return "what does it is free of charge"
