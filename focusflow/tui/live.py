"""What does the screen know at this moment, and how does it learn that something changed?

Events are hints and come in bursts; they are gathered for a tenth of a second, and what they name is read from the store.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from zoneinfo import ZoneInfo

from focusflow.domain.budgets import Period, bounds
from focusflow.domain.jobs import JobId
from focusflow.errors import DiskFull, FocusFlowError, StoreBusy, StoreReadOnly
from focusflow.events import (
    BudgetWarned,
    ControlChanged,
    Event,
    JobChanged,
    JobProgress,
    JobsAdded,
    LoopTicked,
    ServiceChanged,
)
from focusflow.ports import ControlState, Desk, Purse, Stats
from focusflow.tui.facts import Facts

GATHER_SECONDS = 0.1
"""A burst of events is one repaint."""
NUMBERS_SECONDS = 0.5
"""Counts and money are read at most this often."""
LOOK_SECONDS = 15.0
"""So often the store is looked at without an event, because other programs write to it too."""
MONITOR_SECONDS = 2.0
"""As above, where no event can come because another program does the work."""


@dataclass(slots=True, kw_only=True)
class Live:
    """The latest of everything that the head of the screen shows."""

    stats: Stats | None = None
    purse: Purse | None = None
    services: dict[str, ServiceChanged] = field(default_factory=dict)
    loops: dict[str, LoopTicked] = field(default_factory=dict)
    progress: dict[JobId, JobProgress] = field(default_factory=dict)
    trouble: str | None = None
    """A sentence, while the store cannot be read."""
    trouble_word: str = ""
    """The same in a word or two, for the header."""
    refused: str | None = None
    """In a word or two why the last thing that was asked for could not be written; None: it could."""
    worker: str | None = None
    """Who works on the database, where it is somebody else."""
    read_only: str | None = None
    """Why nothing can be asked for, in a sentence; None: everything can."""

    @property
    def control(self) -> ControlState:
        return self.stats.control if self.stats else ControlState()


@dataclass(slots=True, kw_only=True)
class Changes:
    """What a burst of events says has changed."""

    calls: set[JobId] = field(default_factory=set)
    added: bool = False
    numbers: bool = False
    head: bool = False
    moving: set[JobId] = field(default_factory=set)
    """Calls whose running step went on; nothing of it is in the store."""

    def __bool__(self) -> bool:
        return bool(self.calls or self.added or self.numbers or self.head or self.moving)


def digest(events: Iterable[Event], live: Live) -> Changes:
    """Put what is not stored into *live*, and return what has to be read."""
    changes = Changes()
    for event in events:
        match event:
            case JobsAdded():
                changes.added = changes.numbers = True
            case JobChanged(job_id=job_id):
                changes.calls.add(job_id)
                changes.numbers = True
                live.progress.pop(job_id, None)
            case JobProgress(job_id=job_id):
                live.progress[job_id] = event
                changes.moving.add(job_id)
            case ControlChanged() | BudgetWarned():
                changes.numbers = changes.head = True
            case LoopTicked(loop=loop):
                changes.head = changes.head or _other_loop(live.loops.get(loop), event)
                live.loops[loop] = event
                if loop == "processor" and event.error is None and live.refused is not None:
                    live.refused, changes.head = None, True
            case ServiceChanged(service=service):
                changes.head = True
                live.services[service] = event
    return changes


def _other_loop(before: LoopTicked | None, now: LoopTicked) -> bool:
    """Say whether a loop's lamp looks otherwise than before."""
    return before is None or (before.error, before.failures_in_a_row) != (now.error, now.failures_in_a_row)


def trouble_word(error: FocusFlowError) -> str:
    """Return in a word or two what is wrong with the database."""
    words: Mapping[type[FocusFlowError], str] = {
        StoreBusy: "database locked",
        StoreReadOnly: "read only",
        DiskFull: "disk full",
    }
    return words.get(type(error), "no database")


async def read_stats(desk: Desk, now: datetime, zone: ZoneInfo) -> Stats:
    """Return the numbers of the front page, for today and this month in *zone*."""
    return await desk.stats(
        now=now, day_start=bounds(Period.DAY, now, zone)[0], month_start=bounds(Period.MONTH, now, zone)[0]
    )


async def read_numbers(desk: Desk, facts: Facts) -> tuple[Stats, Purse]:
    """Return counts and money as they are now."""
    now = facts.clock.now()
    stats = await read_stats(desk, now, facts.budgets.zone)
    return stats, await desk.purse(facts.budgets, now=now)
