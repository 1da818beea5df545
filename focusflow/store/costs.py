"""The store as accounts need it: what the ledger comes to, line by line and in sums, and what was not spent."""

import json
from collections.abc import Mapping, Sequence
from datetime import datetime
from types import MappingProxyType
from zoneinfo import ZoneInfo

from focusflow.domain.budgets import Period
from focusflow.domain.jobs import SkippedBy, Step
from focusflow.domain.prices import LengthRates
from focusflow.ports import Costs, CostsBy, LedgerLine, Saved, Saving
from focusflow.store.database import Query, Row
from focusflow.store.plan import first_instants, priced_by
from focusflow.store.rows import charge_from, instant, milliseconds
from focusflow.store.sql import calendar
from focusflow.store.sql import costs as sql
from focusflow.store.stored import Stored

_SUMS: Mapping[CostsBy, Query] = MappingProxyType(
    {
        CostsBy.CONTACT: sql.COSTS_BY_CONTACT,
        CostsBy.MODEL: sql.COSTS_BY_MODEL,
        CostsBy.STEP: sql.COSTS_BY_STEP,
        CostsBy.JOB: sql.COSTS_BY_JOB,
    }
)
_REASONS: Mapping[str, Saving] = MappingProxyType(
    {
        SkippedBy.RULE: Saving.RULE,
        SkippedBy.DUPLICATE: Saving.DUPLICATE,
        Step.TRANSCRIBE: Saving.TRANSCRIPT,
        Step.SUMMARIZE: Saving.SUMMARY,
    }
)


class CostsPart(Stored):
    """Implements `ports.Accounts`."""

    async def costs(self, by: CostsBy, *, since: datetime | None, now: datetime, zone: ZoneInfo) -> Sequence[Costs]:
        if by in (CostsBy.DAY, CostsBy.MONTH):
            return await self._costs_by_time(Period(by), since, now, zone)
        (rows,) = await self._database.read([_SUMS[by](since=_from(since))])
        labels = await self._labels(rows) if by is CostsBy.JOB else {}
        found = [_costs(row, str(row[0]), labels.get(row[0], "")) for row in rows]
        return sorted(found, key=lambda costs: (-costs.settled_micros - costs.reserved_micros, costs.group))

    async def _costs_by_time(
        self, period: Period, since: datetime | None, now: datetime, zone: ZoneInfo
    ) -> Sequence[Costs]:
        (((first, last),),) = await self._database.read([sql.SPAN_OF_CHARGES()])
        if first is None:
            return []
        begin = max(instant(first), since) if since else instant(first)
        starts = first_instants(period, begin, instant(last), zone)
        parameters = calendar.starts([milliseconds(at) for at in starts])
        (rows,) = await self._database.read([sql.costs_by_time(len(starts))(since=_from(since), **parameters)])
        form = "%Y-%m-%d" if period is Period.DAY else "%Y-%m"
        names = [starts[row[0] - 1].astimezone(zone).strftime(form) for row in rows]
        return sorted(map(_costs, rows, names), key=lambda costs: costs.group)

    async def _labels(self, rows: Sequence[Row]) -> dict[str, str]:
        (found,) = await self._database.read([sql.LABELS(ids=json.dumps([row[0] for row in rows]))])
        return {row[0]: row[1] for row in found}

    async def calls_charged(self, *, since: datetime | None) -> int:
        (rows,) = await self._database.read([sql.CALLS_CHARGED(since=_from(since))])
        return int(rows[0][0])

    async def savings(self, rates: LengthRates, *, since: datetime | None) -> Sequence[Saved]:
        start = _from(since)
        skipped, reused = await self._database.read(
            [sql.SKIPPED(since=start, **priced_by(rates)), sql.REUSED(since=start)]
        )
        found: dict[Saving, list[Row]] = {}
        for row in [*skipped, *reused]:
            found.setdefault(_REASONS.get(row[0], Saving.OTHER), []).append(row)
        return [_saved(why, found[why]) for why in Saving if why in found]

    async def ledger(self, *, since: datetime | None) -> Sequence[LedgerLine]:
        (rows,) = await self._database.read([sql.LEDGER(since=_from(since))])
        return [LedgerLine(charge=charge_from(row), label=row[13]) for row in rows]

    async def models_used(self) -> Sequence[tuple[str | None, str]]:
        (rows,) = await self._database.read([sql.MODELS_USED()])
        return [(row[0], row[1]) for row in rows]


def _from(since: datetime | None) -> int:
    return 0 if since is None else milliseconds(since)


def _costs(row: Row, group: str, label: str = "") -> Costs:
    return Costs(
        group=group,
        label=label,
        calls=row[1],
        charges=row[2],
        settled_micros=row[3],
        reserved_micros=row[4],
        unpriced=row[5],
        estimated=row[6],
    )


def _saved(why: Saving, rows: Sequence[Row]) -> Saved:
    return Saved(
        why=why,
        times=sum(row[1] for row in rows),
        micros=sum(row[2] for row in rows),
        unpriced=sum(row[3] for row in rows),
    )
