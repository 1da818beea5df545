"""What changes, told line by line, for pipes and for people who listen to their screen?"""

import json
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING

import anyio
from msgspec import Struct

from focusflow.cli import output
from focusflow.cli.session import Options, now, run_async
from focusflow.cli.work import stopping_on_signals
from focusflow.config import Settings
from focusflow.domain.jobs import JobId, Status
from focusflow.errors import StoreBusy
from focusflow.ports import JobFilter, JobRow, Stats

if TYPE_CHECKING:
    from focusflow.store import Store

LATEST = 200
"""So many calls, those that were changed last, are compared with what they were."""


def watch_changes(options: Options, *, every: float, as_json: bool) -> None:
    """Print a line whenever a call or the work as a whole changes, until a signal or until nobody reads any more."""
    settings = options.load().settings

    async def work() -> None:
        from focusflow.wiring import opened_store

        stopped = anyio.Event()
        async with stopping_on_signals(tell=_to_nobody) as signals, opened_store(settings) as store:
            signals.stop = stopped.set
            watcher = Watcher(settings)
            while not stopped.is_set():
                for change in await watcher.look(store):
                    output.put(_as_json(change) if as_json else change.line, flush=True)
                with anyio.move_on_after(every):
                    await stopped.wait()

    run_async(work)


class Change(Struct, frozen=True, kw_only=True):
    """Something is otherwise than it was told last."""

    line: str
    """For people."""
    data: output.Json
    """For programs."""


def _as_json(change: Change) -> str:
    return json.dumps(change.data, ensure_ascii=False)


def _to_nobody(_: str) -> None:
    """It stops at once: there is nothing to finish, and nothing to say."""


@dataclass(slots=True)
class Watcher:
    """Remembers what was told, so that each change is told once."""

    settings: Settings
    _told: dict[JobId, str] = field(default_factory=dict)
    _state: str = ""
    _first: bool = True

    async def look(self, store: "Store") -> list[Change]:
        """Return each change since the last look; the first look tells the state and what is at work."""
        try:
            at = now()
            stats = await store.stats(now=at, day_start=at, month_start=at)
            rows = await self._rows(store)
        except StoreBusy:
            return []  # a database that is locked for a moment says nothing; the next look will
        changes = [*self._of_the_whole(stats, at), *self._of_calls(rows, at)]
        self._first = False
        return changes

    async def _rows(self, store: "Store") -> list[JobRow]:
        """Return the newest calls, and every one that is at work, however old."""
        newest = await store.page(JobFilter(), limit=LATEST)
        unfinished = tuple(set(Status) - {Status.COMPLETED, Status.SKIPPED, Status.DISCOVERED})
        moving = await store.page(JobFilter(statuses=unfinished), limit=LATEST)
        return list({row.job.id: row for row in [*reversed(newest), *reversed(moving)]}.values())

    def _of_the_whole(self, stats: Stats, at: datetime) -> list[Change]:
        working = [one.name for one in stats.instances]
        state = "paused" if stats.control.paused else f"at work: {', '.join(working)}" if working else "nobody works"
        if state == self._state:
            return []
        self._state = state
        counts = ", ".join(f"{count} {status}" for status, count in stats.counts.items() if count) or "no calls yet"
        data: output.Json = {
            "paused": stats.control.paused,
            "instances": working,
            "counts": {str(status): count for status, count in stats.counts.items()},
        }
        return [self._change(at, f"{state}; {counts}", "work", data)]

    def _of_calls(self, rows: list[JobRow], at: datetime) -> list[Change]:
        changes = []
        for row in rows:
            line = output.job_line(row, self.settings.zone)
            state, who, remark = line[1], line[3], line[7]
            told = f"{state}: {who}, {remark}" if remark else f"{state}: {who}"
            if self._told.get(row.job.id) != told:
                self._told[row.job.id] = told
                if not self._first or state not in ("completed", "skipped", "discovered"):
                    changes.append(self._change(at, f"{row.job.id} {told}", "call", {"job": output.job_json(row)}))
        return changes

    def _change(self, at: datetime, told: str, what: str, data: output.Json) -> Change:
        line = f"{at.astimezone(self.settings.zone):%H:%M:%S} {output.plain(told)}"
        return Change(line=line, data={"at": output.instant(at), "change": what, **data})
