"""What do all parts of the store share?"""

from collections.abc import Iterable, Sequence
from datetime import datetime

from focusflow.domain.jobs import JobId, LogLine, Status, Step
from focusflow.events import Bus, Event, JobChanged, JobLogged
from focusflow.store.database import Database, Picked, Row, Statement
from focusflow.store.rows import line_from
from focusflow.store.sql import jobs as sql


class Stored:
    """A database, and a bus that is told after each commit."""

    def __init__(self, database: Database, bus: Bus) -> None:
        self._database = database
        self._bus = bus

    def _tell(self, events: Iterable[Event]) -> None:
        for event in events:
            self._bus.publish(event)

    def _tell_changes(self, *changed: Sequence[Row]) -> tuple[JobId, ...]:
        """Announce rows of (id, status), each job's last one only, and return the ids."""
        last = {JobId(row[0]): Status(row[1]) for rows in changed for row in rows}
        self._tell(JobChanged(job_id=job_id, status=status) for job_id, status in last.items())
        return tuple(last)

    def _tell_lines(self, rows: Iterable[Row]) -> None:
        """Announce rows of a log."""
        self._tell(JobLogged(line=line_from(row)) for row in rows)


def log_picked(
    picked: Picked | str, message: str, *, level: str = "info", step: Step | None = None, now: datetime
) -> Statement:
    """Return the statement that adds the line to the log of each of the jobs."""
    return sql.LOG_MANY(ids=picked, now=now, level=level, step=step, message=message)


def log_one(job_id: JobId, message: str, *, level: str = "info", step: Step | None = None, now: datetime) -> Statement:
    """Return the statement that adds the line to the job's log."""
    return sql.LOG_ONE(id=job_id, now=now, level=level, step=step, message=message)


def line_of(statement: Statement, rows: Sequence[Row]) -> LogLine:
    """Return the line that a `log_one` statement stored."""
    values = statement.parameters
    return line_from((rows[0][0], *(values[name] for name in ("id", "now", "level", "step", "message"))))
