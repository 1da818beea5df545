"""Runs FocusFlow as a process and measures it: memory, files, threads, tasks, and how late the event loop is.

    python measured.py REPORT [--for-good]

It runs until it is idle; or for good, looking for calls each second, until SIGTERM. What was measured is written to REPORT as a line of JSON for each moment. The tests alone start it.
"""

import asyncio
import json
import os
import signal
import sys
import threading
import time
from pathlib import Path

import anyio

from focusflow.cli.logbook import logging_for
from focusflow.cli.session import run_async
from focusflow.config import load
from focusflow.wiring import Works, opened_works

LOOK_SECONDS = 0.5
TICK_SECONDS = 0.01
PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")


class Lag:
    """How much later than asked for the event loop comes back."""

    def __init__(self) -> None:
        self.late: list[float] = []

    async def measure(self) -> None:
        while True:
            due = time.monotonic() + TICK_SECONDS
            await anyio.sleep(TICK_SECONDS)
            self.late.append(time.monotonic() - due)

    def since_last(self) -> list[float]:
        late, self.late = self.late, []
        return late


def resident() -> int:
    """Return the bytes of memory in use now."""
    return int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1]) * PAGE_BYTES


async def measure(works: Works, report: Path) -> None:
    """Write down what is there, twice a second."""
    lag = Lag()
    with report.open("w", encoding="utf-8") as file:
        async with anyio.create_task_group() as group:
            group.start_soon(lag.measure)
            while True:
                await anyio.sleep(LOOK_SECONDS)
                looked = {
                    "rss": resident(),
                    "files": len(os.listdir("/proc/self/fd")),
                    "threads": threading.active_count(),
                    "tasks": len(asyncio.all_tasks()),
                    "in_flight": works.supervisor.in_flight,
                    "late_ms": [round(late * 1_000, 1) for late in lag.since_last()],
                }
                file.write(json.dumps(looked) + "\n")
                file.flush()


async def work(report: Path, *, until_idle: bool) -> None:
    async with opened_works(load().settings) as works, anyio.create_task_group() as group:
        group.start_soon(measure, works, report)
        if not until_idle:
            group.start_soon(look_for_calls, works)
            group.start_soon(stop_at_a_signal, works)
        await works.supervisor.run(until_idle=until_idle)
        group.cancel_scope.cancel()


async def look_for_calls(works: Works) -> None:
    """Look for new calls more often than a schedule can say."""
    while True:
        await anyio.sleep(1)
        works.supervisor.discovery_loop.wake.ring()


async def stop_at_a_signal(works: Works) -> None:
    with anyio.open_signal_receiver(signal.SIGTERM) as signals:
        async for _ in signals:
            works.supervisor.stop()


if __name__ == "__main__":
    with logging_for(load().settings, quiet=True):
        run_async(lambda: work(Path(sys.argv[1]), until_idle="--for-good" not in sys.argv))
