"""The store as a plan needs it: everything that waits or was left out, with its price."""

import json
from collections.abc import Sequence
from datetime import datetime
from zoneinfo import ZoneInfo

from focusflow.domain.budgets import Period, bounds
from focusflow.domain.jobs import Direction, JobId, SkippedBy, Status
from focusflow.domain.prices import LengthRates
from focusflow.ports import PlanBy, Planned, Startable
from focusflow.store.database import Row, Value
from focusflow.store.rows import instant, maybe_instant, milliseconds
from focusflow.store.sql import calendar
from focusflow.store.sql import plan as sql
from focusflow.store.stored import Stored


class PlanPart(Stored):
    """Implements `ports.Planner`."""

    async def backlog(self, by: PlanBy, rates: LengthRates, *, zone: ZoneInfo) -> Sequence[Planned]:
        prices = priced_by(rates)
        if by is PlanBy.MONTH:
            return await self._backlog_by_month(prices, zone)
        query = sql.BACKLOG_BY_CONTACT if by is PlanBy.CONTACT else sql.BACKLOG_BY_DIRECTION
        (rows,) = await self._database.read([query(**prices)])
        return [_planned(row, str(row[0])) for row in rows]

    async def _backlog_by_month(self, prices: dict[str, Value], zone: ZoneInfo) -> Sequence[Planned]:
        (((first, last),),) = await self._database.read([sql.SPAN()])
        if first is None:
            return []
        months = first_instants(Period.MONTH, instant(first), instant(last), zone)
        starts = calendar.starts([milliseconds(at) for at in months])
        (rows,) = await self._database.read([sql.backlog_by_month(len(months))(**prices, **starts)])
        names = [f"{at.astimezone(zone):%Y-%m}" for at in months]
        return [_planned(row, names[row[0] - 1]) for row in rows]

    async def startable(
        self, rates: LengthRates, *, newest_first: bool, since: datetime | None, before: datetime | None
    ) -> Sequence[Startable]:
        query = sql.STARTABLE_NEWEST if newest_first else sql.STARTABLE_OLDEST
        (rows,) = await self._database.read([query(since=since, before=before, **priced_by(rates))])
        return list(map(_startable, rows))

    async def price_unmeasured(self, job_ids: Sequence[JobId], rates: LengthRates) -> tuple[int, int]:
        (rows,) = await self._database.read([sql.UNMEASURED(ids=json.dumps(list(job_ids)), **priced_by(rates))])
        return int(rows[0][0]), int(rows[0][1])


def priced_by(rates: LengthRates) -> dict[str, Value]:
    """Return the parameters that `sql.plan.PRICE` names."""
    return {
        "audio_micros": rates.audio_micros_per_hour,
        "input_micros": rates.input_micros_per_million,
        "output_micros": rates.output_micros_per_million,
        "fixed_tokens": rates.fixed_tokens,
        "tokens_per_hour": rates.tokens_per_hour,
        "output_tokens": rates.output_tokens,
    }


def first_instants(period: Period, first: datetime, last: datetime, zone: ZoneInfo) -> list[datetime]:
    """Return where each local day or month begins, from the one that holds *first* to the one that holds *last*."""
    start, end = bounds(period, first, zone)
    starts = [start]
    while end <= last:
        starts.append(end)
        end = bounds(period, end, zone)[1]
    return starts


def _planned(row: Row, group: str) -> Planned:
    return Planned(
        group=group,
        skipped_by=SkippedBy(row[1]) if row[1] else None,
        reason=row[2],
        calls=row[3],
        seconds=row[4],
        guessed=row[5],
        micros=row[6],
        unpriced=row[7],
    )


def _startable(row: Row) -> Startable:
    return Startable(
        job_id=JobId(row[0]),
        skipped=row[1] == Status.SKIPPED,
        at=instant(row[2]),
        contact_name=row[3],
        contact_number=row[4],
        direction=Direction(row[5]) if row[5] else None,
        call_type=row[6],
        seconds=row[7],
        guessed=bool(row[8]),
        micros=row[9],
        call_at=maybe_instant(row[10]),
    )
