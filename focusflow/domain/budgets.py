"""How much may be spent in a day, a week, a month and on one call, and when does each of these begin?"""

from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta
from enum import StrEnum
from zoneinfo import ZoneInfo


class Period(StrEnum):
    """What a budget is for. A week begins on Monday, each at local midnight."""

    DAY = "day"
    WEEK = "week"
    MONTH = "month"


@dataclass(frozen=True, slots=True, kw_only=True)
class Budgets:
    """What is configured. None: no limit."""

    zone: ZoneInfo
    day_micros: int | None = None
    week_micros: int | None = None
    month_micros: int | None = None
    call_micros: int | None = None
    """A single call above it waits for a yes."""
    day_jobs: int | None = None

    def limit(self, period: Period) -> int | None:
        return {Period.DAY: self.day_micros, Period.WEEK: self.week_micros, Period.MONTH: self.month_micros}[period]


def bounds(period: Period, now: datetime, zone: ZoneInfo) -> tuple[datetime, datetime]:
    """Return the period that holds *now*: its first instant, and the next one's, both UTC.

    A local day can have 23 or 25 hours, and a midnight that the clocks jump over is the first instant after it.
    """
    today = now.astimezone(zone).date()
    if period is Period.DAY:
        first, after = today, today + timedelta(days=1)
    elif period is Period.WEEK:
        first = today - timedelta(days=today.weekday())
        after = first + timedelta(days=7)
    else:
        first = today.replace(day=1)
        after = (first + timedelta(days=31)).replace(day=1)
    start, end = (datetime.combine(day, time(), zone).astimezone(UTC) for day in (first, after))
    return start, end
