"""What is left of the budgets, as a transaction sees it, and who is warned when little is?"""

import logging
from collections.abc import Sequence
from datetime import datetime

from focusflow.domain.budgets import ALMOST, InForce, Limits, Period, Spent, in_force
from focusflow.domain.money import format_usd
from focusflow.events import BudgetWarned, Bus
from focusflow.store.database import Database, Row, Statement
from focusflow.store.rows import override_from
from focusflow.store.sql import ledger
from focusflow.store.stored import Stored

_log = logging.getLogger(__name__)

_NEVER = 4_102_444_800_000_000
"""Milliseconds; nothing was charged since then."""


def spent_in(limits: Limits) -> Statement:
    """Return the query for what is gone of each window."""
    starts: dict[str, datetime | int] = {f"{period}_start": _NEVER for period in Period}
    starts |= {f"{window.period}_start": window.start for window in limits.windows}
    return ledger.SPENT(**starts)


def spent_from(rows: Sequence[Row]) -> dict[Period, Spent]:
    """Build what is gone of each period from the rows of `spent_in`."""
    return {Period(row[0]): Spent(settled_micros=row[1], reserved_micros=row[2], unpriced=row[3]) for row in rows}


def allowed_by(limits: Limits, overrides: Sequence[Row], spent: Sequence[Row]) -> InForce:
    """Return what may be begun, from the rows of `sql.money.FOR_ALL` and `spent_in`."""
    return in_force(limits, [override_from(row) for row in overrides], spent_from(spent))


class Purses(Stored):
    """Warns, once in this process, when a budget is nearly and when it is wholly gone."""

    def __init__(self, database: Database, bus: Bus) -> None:
        super().__init__(database, bus)
        self._warned: set[tuple[Period, datetime, int, float]] = set()

    def _warn(self, allowed: InForce, more: int) -> None:
        """Warn of every window that has passed a threshold; a budget that was changed is another one."""
        for standing in allowed.standings:
            limit, window = standing.limit_micros, standing.window
            if not limit:
                continue
            share = (standing.spent.micros + more) / limit
            reached = [threshold for threshold in (ALMOST, 1.0) if share >= threshold]
            news = [
                key
                for threshold in reached
                if (key := (window.period, window.start, limit, threshold)) not in self._warned
            ]
            self._warned.update(news)
            if news:
                _log.warning(
                    "%.0f %% of this %s's budget of %s is spent or reserved",
                    100 * share,
                    window.period,
                    format_usd(limit),
                )
                self._tell([BudgetWarned(period=window.period, share=share)])
