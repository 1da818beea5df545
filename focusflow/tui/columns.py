"""Which columns does the list of calls show at a width, and what stands in each?"""

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from zoneinfo import ZoneInfo

from msgspec import Struct

from focusflow.domain.jobs import WORKING, Job, JobId, Status, Step
from focusflow.events import JobProgress
from focusflow.ports import JobRow, Order
from focusflow.tui import words
from focusflow.tui.plain import plain
from focusflow.tui.words import Symbols

GAP = 1

Piece = tuple[str, str]
"""A text and the name of its style: `plain`, `dim`, `done`, `running`, `failed`, `waiting`, `title`."""


class Look(Struct, frozen=True, kw_only=True):
    """What a row's cells depend on beside the row."""

    now: datetime
    zone: ZoneInfo
    symbols: Symbols
    progress: Mapping[JobId, JobProgress]


class Column(Struct, frozen=True, kw_only=True):
    """One column."""

    title: str
    width: int
    """The least it needs."""
    most: int
    """The most it can use."""
    rank: int
    """Dropped before those of lower rank when the list is narrow."""
    cell: Callable[[JobRow, Look], Sequence[Piece]]
    right: bool = False
    pieces: bool = False
    """Its cells come in pieces that are as wide as they are to be."""
    order: Order | None = None
    """What sorts by it."""


class Placed(Struct, frozen=True):
    """A column with the width it got."""

    column: Column
    width: int


# -------------------------------------------------------------------------------------------------------------- steps

_DURING: Mapping[Status, Step] = {
    Status.TRANSCRIBED: Step.SUMMARIZE,
    Status.SUMMARIZING: Step.SUMMARIZE,
    Status.SYNCING: Step.SYNC,
}


def finished_steps(row: JobRow) -> set[Step]:
    """Return the steps whose artifact is there."""
    job, done = row.job, set()
    if job.transcription_completed_at is not None:
        done |= {Step.DOWNLOAD, Step.TRANSCRIBE}
    elif job.uploaded_at is not None or job.transcript_id is not None:
        done.add(Step.DOWNLOAD)
    if job.summarization_completed_at is not None:
        done.add(Step.SUMMARIZE)
    if job.status is Status.COMPLETED and not any(delivery.error for delivery in row.deliveries):
        done |= set(Step)
    return done


def current_step(row: JobRow, progress: JobProgress | None) -> Step | None:
    """Return the step that runs now; None if none does."""
    if row.job.status not in WORKING:
        return None
    if row.job.status is Status.TRANSCRIBING:
        if progress is not None and progress.step in (Step.DOWNLOAD, Step.TRANSCRIBE):
            return progress.step
        return Step.TRANSCRIBE if Step.DOWNLOAD in finished_steps(row) else Step.DOWNLOAD
    return _DURING[row.job.status]


def strip(row: JobRow, look: Look) -> list[Piece]:
    """Return the four steps as four signs: done, running, failed, waiting or still to do."""
    if row.job.status is Status.SKIPPED:
        return [("    ", "dim")]
    signs, done = look.symbols, finished_steps(row)
    now, stuck = current_step(row, look.progress.get(row.job.id)), _stuck(row, done)
    pieces: list[Piece] = []
    for step in Step:
        if step is now:
            pieces.append((signs.running, "running"))
        elif step in done:
            pieces.append((signs.done, "done"))
        elif stuck is not None and step is stuck[0]:
            pieces.append(stuck[1:])
        else:
            pieces.append((signs.todo, "dim"))
    return [(_sign(text, signs), style) for text, style in pieces]


def _sign(text: str, signs: Symbols) -> str:
    return {"failed": signs.failed, "waiting": signs.waiting}.get(text, text)


def _stuck(row: JobRow, done: set[Step]) -> tuple[Step, str, str] | None:
    """Return the step that failed or waits, and how it is drawn."""
    job = row.job
    first = next((step for step in Step if step not in done), Step.SYNC)
    if job.status is Status.FAILED:
        return job.error_step or first, "failed", "failed"
    if any(delivery.error for delivery in row.deliveries):
        return Step.SYNC, "failed", "waiting"
    return (first, "waiting", "waiting") if words.held(job) else None


def percent(progress: JobProgress | None) -> str:
    """Return how far a step is, where that is known: `43%`."""
    if progress is None or not progress.total:
        return ""
    return f"{min(99, progress.done * 100 // progress.total)}%"


# -------------------------------------------------------------------------------------------------------------- cells

STATUS_STYLES: Mapping[str, str] = {
    "discovered": "plain",
    "waiting": "waiting",
    "transcribing": "running",
    "transcribed": "running",
    "summarizing": "running",
    "syncing": "running",
    "completed": "done",
    "failed": "failed",
    "skipped": "dim",
    "not synced": "waiting",
}


def _time(row: JobRow, look: Look) -> list[Piece]:
    at = row.job.call_at or row.job.discovered_at
    text = words.moment(at, look.now, look.zone)
    return [(text if row.job.call_at else f"{text}?", "dim")]


def _contact(row: JobRow, look: Look) -> list[Piece]:
    return [(words.contact(row.job), "dim" if row.job.status is Status.SKIPPED else "title")]


def _number(row: JobRow, look: Look) -> list[Piece]:
    number = row.job.contact_number or ""
    return [(plain(number) if row.job.contact_name else "", "dim")]


def _direction(row: JobRow, look: Look) -> list[Piece]:
    return [(words.DIRECTION_WORDS[row.job.direction] if row.job.direction else "", "dim")]


def _type(row: JobRow, look: Look) -> list[Piece]:
    return [(plain(row.job.call_type or ""), "dim")]


def _length(row: JobRow, look: Look) -> list[Piece]:
    return [(words.length(row.job.duration_seconds), "plain")]


def _status(row: JobRow, look: Look) -> list[Piece]:
    word = words.status(row)
    how_far = percent(look.progress.get(row.job.id)) if row.job.status in WORKING else ""
    return [(f"{word} {how_far}".rstrip(), STATUS_STYLES[word])]


def _cost(row: JobRow, look: Look) -> list[Piece]:
    if row.job.status is Status.SKIPPED and not row.job.cost_micros:
        return [("", "dim")]
    return [(words.price(row.job), "plain" if row.job.cost_micros else "dim")]


def _tries(row: JobRow, look: Look) -> list[Piece]:
    tries = row.job.retry_count
    return [(f"{tries}" if tries else "", "waiting")]


def _page(row: JobRow, look: Look) -> list[Piece]:
    delivery = words.notion(row)
    if delivery is None:
        return [("", "dim")]
    if delivery.error:
        return [("failed", "waiting")]
    return [("page", "done")] if delivery.delivered_at else [("", "dim")]


def _title(row: JobRow, look: Look) -> list[Piece]:
    job: Job = row.job
    if job.status is Status.FAILED:
        return [(plain(job.error_message or ""), "failed")]
    if words.held(job):
        return [(plain(job.hold_reason or ""), "waiting")]
    if job.status is Status.SKIPPED:
        return [(plain(job.skip_reason or ""), "dim")]
    return [(plain(job.title or ""), "dim")]


STATUS = Column(title="status", width=16, most=16, rank=2, cell=_status)
"""The only one that a running step moves."""

COLUMNS: tuple[Column, ...] = (
    Column(title="time", width=12, most=12, rank=1, cell=_time, order=Order.TIME),
    Column(title="contact", width=18, most=34, rank=0, cell=_contact, order=Order.CONTACT),
    Column(title="number", width=16, most=18, rank=9, cell=_number),
    Column(title="way", width=4, most=4, rank=4, cell=_direction),
    Column(title="type", width=8, most=8, rank=7, cell=_type),
    Column(title="length", width=7, most=7, rank=3, cell=_length, right=True, order=Order.LENGTH),
    Column(title="step", width=4, most=4, rank=2, cell=strip, pieces=True),
    STATUS,
    Column(title="cost", width=8, most=8, rank=5, cell=_cost, right=True, order=Order.COST),
    Column(title="tries", width=5, most=5, rank=8, cell=_tries, right=True),
    Column(title="Notion", width=6, most=6, rank=6, cell=_page),
    Column(title="about", width=24, most=400, rank=10, cell=_title),
)


def placed(width: int, columns: Sequence[Column] = COLUMNS) -> list[Placed]:
    """Return the columns that fit into *width* cells, with what each gets; the contact always stays."""
    kept = list(columns)
    while len(kept) > 1 and _needed(kept) > width:
        kept.remove(max(kept, key=lambda column: column.rank))
    spare = max(0, width - _needed(kept))
    got = {}
    for column in sorted(kept, key=lambda column: column.rank):
        more = min(spare, column.most - column.width)
        got[column.title], spare = column.width + more, spare - more
    return [Placed(column, min(width, got[column.title])) for column in kept]


def _needed(columns: Sequence[Column]) -> int:
    return sum(column.width for column in columns) + GAP * (len(columns) - 1)
