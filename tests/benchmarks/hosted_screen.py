"""The real screen with its work behind it, and beside it whatever else a benchmark lets happen: run as a program.

    hosted_screen.py REPORT LOAD [NUMBER]

The load is named below. What the program itself measured is written to REPORT, a line of JSON for each moment.
"""

from __future__ import annotations

import json
import os
import sqlite3
import sys
import time
from contextlib import asynccontextmanager, closing
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import anyio
import anyio.to_thread

from focusflow.cli.logbook import logging_for
from focusflow.cli.screen import Purpose, host
from focusflow.cli.session import run_async
from focusflow.config import load
from focusflow.domain.jobs import JobId, LogLine, Status, Step
from focusflow.events import Bus, JobChanged, JobLogged, JobProgress, LoopTicked, SummaryText
from focusflow.ports import JobFilter

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Coroutine

    from focusflow.store import Store

WORDS = [
    "The",
    "plan",
    "for",
    "the",
    "garden",
    "was",
    "agreed",
    "and",
    "the",
    "next",
    "call",
    "is",
    "on",
    "Monday",
    "at",
    "ten",
    ".",
]
IN_FLIGHT = (Status.TRANSCRIBING, Status.SUMMARIZING)
PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")
CHANGE = "UPDATE jobs SET status = ?, updated_at = updated_at + 1 WHERE id = ?"


def resident() -> int:
    """Return the bytes of memory in use now."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * PAGE_BYTES


class Load:
    """What happens beside the screen."""

    def __init__(self, store: Store, bus: Bus, report: Path, number: int) -> None:
        self.store, self.bus, self.report, self.number = store, bus, report, number
        self.ids: list[JobId] = []
        self.lines = 0

    async def find(self) -> None:
        """Learn which calls are in flight, the newest first."""
        rows = await self.store.page(JobFilter(statuses=IN_FLIGHT), limit=8)
        self.ids = [row.job.id for row in rows]

    def tell(self, **what: Any) -> None:
        with self.report.open("a") as file:
            file.write(json.dumps({"at": time.monotonic()} | what) + "\n")

    def log(self, job_id: JobId) -> None:
        self.lines += 1
        line = LogLine(
            id=1_000_000 + self.lines,
            job_id=job_id,
            at=datetime.now(UTC),
            level="info",
            step=Step.TRANSCRIBE,
            message=f"Asked the service for the transcript, turn {self.lines}: it is queued.",
        )
        self.bus.publish(JobLogged(line=line))

    def progress(self, tick: int) -> None:
        for place, job_id in enumerate(self.ids):
            done = (tick * 7 + place * 113) % 1_000
            self.bus.publish(JobProgress(job_id=job_id, step=Step.TRANSCRIBE, done=done, total=1_000))

    # ----------------------------------------------------------------------------------------------------- the loads

    async def nothing(self) -> None:
        """Only the real program's own."""

    async def eight(self) -> None:
        """Eight calls that go on once a second."""
        await self.each(1, self.progress)

    async def log_and_summary(self) -> None:
        """The same, and of the first call a log line each second and a summary of ten words a second."""

        def tick(number: int) -> None:
            self.bus.publish(SummaryText(job_id=self.ids[0], text=WORDS[number % len(WORDS)] + " "))
            if number % 10 == 0:
                self.progress(number // 10)
                self.log(self.ids[0])
            if number % 400 == 399:
                self.bus.publish(SummaryText(job_id=self.ids[0], text="\n\n- "))

        await self.each(0.1, tick)

    async def change(self) -> None:
        """One call whose status is another one now and then, out of step with everything."""
        with closing(sqlite3.connect(self.report.with_name("focusflow.db"), check_same_thread=False)) as connection:
            for turn in range(self.number):
                status = IN_FLIGHT[(turn + 1) % 2]
                await anyio.to_thread.run_sync(self._commit, connection, status)
                self.tell(turn=turn)
                self.bus.publish(JobChanged(job_id=self.ids[1], status=status))
                await anyio.sleep(1.37)

    def _commit(self, connection: sqlite3.Connection, status: Status) -> None:
        with connection:
            connection.execute(CHANGE, (status, self.ids[1]))

    async def flood(self) -> None:
        """Ticks of 25 events and 250 log lines, ten a second: log lines of the first call and of others."""
        others = [row.job.id for row in await self.store.page(JobFilter(), limit=200)]
        for tick in range(self.number):
            self.progress(tick)
            for event in range(16):
                job_id = others[(tick * 31 + event) % len(others)]
                self.bus.publish(JobChanged(job_id=job_id, status=Status.COMPLETED))
                if event % 2:
                    self.bus.publish(SummaryText(job_id=self.ids[event % 8], text=WORDS[tick % len(WORDS)] + " "))
            if tick % 500 == 499:  # a summary is written to its end, and the next begins
                for job_id in self.ids:
                    self.bus.publish(JobChanged(job_id=job_id, status=Status.TRANSCRIBING))
            self.bus.publish(
                LoopTicked(loop="processor", at=datetime.now(UTC), error=None, failures_in_a_row=0, summary="x")
            )
            for line in range(250):
                self.log(self.ids[0] if line % 5 else others[line % len(others)])
            if tick % 50 == 0:
                self.tell(tick=tick, rss=resident(), lines=self.lines)
            await anyio.sleep(0.1)
        self.tell(ended=True)

    async def watched(self) -> None:
        """Eight calls at once and ten log lines a second, while it is measured how long the loop waits."""

        def tick(number: int) -> None:
            self.progress(number)
            self.log(self.ids[0])

        async with anyio.create_task_group() as group:
            group.start_soon(self.watch)
            if self.ids:
                group.start_soon(self.each, 0.1, tick)

    async def watch(self) -> None:
        """Write down every turn of the loop that took longer than thirty milliseconds."""
        self.tell(watching=True)
        last, cpu = time.monotonic(), time.thread_time()
        while True:
            await anyio.sleep(0.005)
            now, cpu_now = time.monotonic(), time.thread_time()
            if now - last > 0.03:
                self.tell(gap=now - last - 0.005, cpu=cpu_now - cpu)
            last, cpu = time.monotonic(), time.thread_time()

    async def each(self, seconds: float, tick: Callable[[int], None]) -> None:
        number, due = 0, time.monotonic()
        while True:
            tick(number)
            number, due = number + 1, due + seconds
            await anyio.sleep(max(0.0, due - time.monotonic()))


@asynccontextmanager
async def beside(report: Path, load_name: str, number: int, store: Store, bus: Bus) -> AsyncIterator[None]:
    load = Load(store, bus, report, number)
    await load.find()
    work: Callable[[], Coroutine[Any, Any, None]] = getattr(load, load_name)
    async with anyio.create_task_group() as group:
        group.start_soon(work)
        yield
        group.cancel_scope.cancel()


def main(report: str, load_name: str, number: str = "0") -> None:
    settings = load().settings
    purpose = Purpose(beside=True, alongside=partial(beside, Path(report), load_name, int(number)))
    with logging_for(settings, quiet=True):
        run_async(partial(host, settings, purpose))


main(*sys.argv[1:])
