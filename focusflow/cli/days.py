"""Which instant does a day mean that somebody typed?"""

from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from focusflow.cli.outcome import Exit, Finished


def day_start(text: str, zone: ZoneInfo, option: str) -> datetime:
    """Return the first instant of the day in *zone*; ends the command where it is none."""
    return datetime.combine(_day(text, option), time(), zone).astimezone(UTC)


def day_end(text: str, zone: ZoneInfo, option: str) -> datetime:
    """Return the first instant of the day after it."""
    return datetime.combine(_day(text, option) + timedelta(days=1), time(), zone).astimezone(UTC)


def _day(text: str, option: str) -> date:
    try:
        return date.fromisoformat(text.strip())
    except ValueError:
        raise Finished(Exit.USAGE, f"{option}: {text!r} is not a day; write it like 2026-05-04.") from None
