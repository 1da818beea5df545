"""Does what the screen remembers stay as it is, however much happens?"""

from __future__ import annotations

import gc
import tracemalloc
from datetime import UTC, datetime, timedelta

from focusflow.domain.jobs import JobId, LogLine, Status, Step
from focusflow.events import Event, JobChanged, JobLogged, JobProgress, LoopTicked, SummaryText
from focusflow.tui.detail.drafts import Drafts
from focusflow.tui.detail.log import LogBook
from focusflow.tui.live import Live, digest

NOON = datetime(2026, 5, 4, 12, tzinfo=UTC)
TICKS = 400
MOST_GROWTH = 256 * 1024


class Memory:
    """What the screen keeps of events: the log that is open, drafts of summaries, and how far each call is."""

    def __init__(self) -> None:
        self.book, self.drafts, self.live = LogBook(UTC), Drafts(), Live()

    def hear(self, tick: int) -> None:
        """Take a burst of fifty log lines, and twenty other events of calls that begin and end."""
        events = list(burst(tick))
        self.book.hear(event.line for event in events if isinstance(event, JobLogged))
        self.book.trim()
        for event in events:
            if isinstance(event, SummaryText):
                self.drafts.hear_piece(event)
            elif isinstance(event, JobChanged):
                self.drafts.hear_change(event)
        digest(events, self.live)


def burst(tick: int) -> list[Event]:
    at = NOON + timedelta(seconds=tick)
    ids = [JobId(f"job-{tick}-{n}") for n in range(5)]
    lines = (
        LogLine(id=tick * 50 + n, job_id=ids[0], at=at, level="info", step=None, message=f"Turn {tick} of {n}. " * 3)
        for n in range(50)
    )
    return [
        *(JobLogged(line=line) for line in lines),
        *(JobProgress(job_id=job_id, step=Step.TRANSCRIBE, done=tick, total=1_000) for job_id in ids),
        *(SummaryText(job_id=job_id, text=f"A word of {tick}. ") for job_id in ids),
        *(JobChanged(job_id=job_id, status=Status.COMPLETED) for job_id in ids),
        LoopTicked(loop="processor", at=at, error=None, failures_in_a_row=0, summary=""),
    ]


def test_what_is_remembered_of_events_does_not_grow() -> None:
    """Twenty thousand log lines and as many pieces of news beyond the first ones: flat within a quarter of a megabyte."""
    memory, sizes = Memory(), list[int]()
    tracemalloc.start()
    try:
        for tick in range(TICKS):
            memory.hear(tick)
            if tick in (TICKS // 4, TICKS - 1):
                gc.collect()
                sizes.append(tracemalloc.get_traced_memory()[0])
    finally:
        tracemalloc.stop()

    assert memory.book.dropped > 0
    assert sizes[1] - sizes[0] < MOST_GROWTH
