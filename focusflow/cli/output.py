"""What do jobs and numbers look like as JSON, and as lines for people?"""

import json
import re
import shutil
import sys
from collections.abc import Collection, Iterable, Sequence
from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

from focusflow.cli.outcome import ReaderGone
from focusflow.domain.jobs import Attempt, Job, LogLine, Status
from focusflow.domain.money import exact_usd, format_usd
from focusflow.ports import ChargeRow, Delivery, Documents, JobDetail, JobRow, Spending, Stats

_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff]")

Json = dict[str, Any]


def plain(text: str) -> str:
    """Return *text* without bytes that a terminal would obey; names come from other people's phones."""
    return _CONTROL.sub("\N{REPLACEMENT CHARACTER}", text).replace("\n", " ").replace("\t", " ")


def put(text: str, *, end: str = "\n", flush: bool = False) -> None:
    """Write data to stdout. Raises `ReaderGone` when nobody reads it any more."""
    try:
        sys.stdout.write(f"{text}{end}")
        if flush:
            sys.stdout.flush()
    except BrokenPipeError as exc:
        raise ReaderGone from exc


def put_json(value: object) -> None:
    put(json.dumps(value, ensure_ascii=False, indent=2))


_PHONE_NUMBER = re.compile(r"\+[\d ]+")


def harmless_cell(value: object) -> object:
    """Return a cell for a CSV file that no spreadsheet takes for a formula: names come from other people's phones."""
    if not isinstance(value, str) or _PHONE_NUMBER.fullmatch(value):
        return value
    return f"'{value}" if value.lstrip().startswith(("=", "+", "-", "@")) else value


def instant(at: datetime | None) -> str | None:
    """Return UTC ISO 8601, such as 2026-11-23T10:00:00Z."""
    if at is None:
        return None
    return at.astimezone(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")


def maybe_usd(micros: int | None) -> str | None:
    return None if micros is None else exact_usd(micros)


def _delivery(row: JobRow, sink: str) -> Delivery | None:
    return next((delivery for delivery in row.deliveries if delivery.sink == sink), None)


def job_json(row: JobRow) -> Json:
    """Return the names that outsiders rely on; more may be added, none is taken away."""
    job = row.job
    notion = _delivery(row, "notion")
    return {
        "id": job.id,
        "status": str(job.status),
        "source": job.source,
        "gdrive_file_id": job.file_id,
        "gdrive_file_name": job.file_name,
        "title": job.title,
        "contact_name": job.contact_name,
        "contact_number": job.contact_number,
        "call_direction": job.direction and str(job.direction),
        "call_type": job.call_type,
        "call_timestamp": instant(job.call_at),
        "duration_seconds": job.duration_seconds,
        "duration_source": job.duration_source and str(job.duration_source),
        "language": job.language,
        "retry_count": job.retry_count,
        "error_message": job.error_message,
        "error_step": job.error_step and str(job.error_step),
        "hold_reason": job.hold_reason,
        "skip_reason": job.skip_reason,
        "next_attempt_at": instant(job.next_attempt_at),
        "auto_processed": job.auto_processed,
        "notion_page_id": notion and notion.ref,
        "notion_url": notion and notion.url,
        "notion_error": notion and notion.error,
        "notion_sync_attempts": notion.attempts if notion else 0,
        "deliveries": [_delivery_json(delivery) for delivery in row.deliveries],
        "estimate_usd": maybe_usd(job.estimate_micros),
        "cost_usd": exact_usd(job.cost_micros),
        "transcript_id": job.transcript_id,
        "discovered_at": instant(job.discovered_at),
        "completed_at": instant(job.completed_at),
        "updated_at": instant(job.updated_at),
    }


def _delivery_json(delivery: Delivery) -> Json:
    return {
        "sink": delivery.sink,
        "ref": delivery.ref,
        "url": delivery.url,
        "error": delivery.error,
        "attempts": delivery.attempts,
        "delivered_at": instant(delivery.delivered_at),
        "next_attempt_at": instant(delivery.next_attempt_at),
    }


def detail_json(detail: JobDetail) -> Json:
    return {
        **job_json(detail.row),
        **documents_json(detail.documents),
        "attempts": [_attempt_json(attempt) for attempt in detail.attempts],
        "charges": [_charge_json(charge) for charge in detail.charges],
        "events": [_event_json(line) for line in detail.events],
    }


def documents_json(documents: Documents) -> Json:
    transcript, summary = documents.transcript, documents.summary
    return {
        "transcript": transcript
        and {
            "text": transcript.text,
            "language": transcript.language,
            "model": transcript.model,
            "duration_seconds": transcript.duration_seconds,
            "speakers": dict(transcript.speakers),
            "utterances": [
                {"speaker": u.speaker, "start_ms": u.start_ms, "end_ms": u.end_ms, "text": u.text}
                for u in transcript.utterances
            ],
        },
        "summary": summary
        and {
            "title": summary.title,
            "markdown": summary.markdown,
            "model": summary.model,
            "prompt_hash": summary.prompt_hash,
        },
    }


def _attempt_json(attempt: Attempt) -> Json:
    return {
        "step": str(attempt.step),
        "started_at": instant(attempt.started_at),
        "finished_at": instant(attempt.finished_at),
        "outcome": str(attempt.outcome),
        "error": attempt.error,
        "cost_usd": maybe_usd(attempt.cost_micros),
    }


def _charge_json(charge: ChargeRow) -> Json:
    return {
        "step": str(charge.step),
        "state": charge.state,
        "provider": charge.provider,
        "model": charge.model,
        "estimate_usd": maybe_usd(charge.estimate_micros),
        "actual_usd": maybe_usd(charge.actual_micros),
        "usage_known": charge.usage_known,
        "usage": dict(charge.usage),
        "external_ref": charge.external_ref,
        "reserved_at": instant(charge.reserved_at),
        "settled_at": instant(charge.settled_at),
    }


def _event_json(line: LogLine) -> Json:
    return {
        "at": instant(line.at),
        "level": line.level,
        "step": line.step and str(line.step),
        "message": line.message,
    }


def _spending_json(spending: Spending) -> Json:
    return {
        "jobs": spending.jobs,
        "spent_usd": exact_usd(spending.settled_micros),
        "reserved_usd": exact_usd(spending.reserved_micros),
        "unpriced": spending.unpriced,
    }


def stats_json(stats: Stats, *, date: str, daily_micros: int | None) -> Json:
    return {
        "counts": {str(status): count for status, count in stats.counts.items()},
        "held": stats.held,
        "due": stats.due,
        "failures_by_step": {str(step): count for step, count in stats.failures_by_step.items()},
        "average_seconds_by_step": {
            str(step): round(seconds, 3) for step, seconds in stats.average_seconds_by_step.items()
        },
        "today": {"date": date, **_spending_json(stats.today), "budget_usd": maybe_usd(daily_micros)},
        "month": _spending_json(stats.month),
        "paused": stats.control.paused,
        "instances": [
            {
                "name": instance.name,
                "started_at": instant(instance.started_at),
                "seen_at": instant(instance.seen_at),
                **instance.details,
            }
            for instance in stats.instances
        ],
    }


def table(header: Sequence[str], rows: Iterable[Sequence[str]], *, right: Collection[int] = ()) -> str:
    """Return aligned columns, those numbered *right* to the right; a last one on the left is not padded."""
    lines = [header, *rows]
    widths = [max(cells(line[column]) for line in lines) for column in range(len(header))]

    def line_of(line: Sequence[str]) -> str:
        columns = enumerate(zip(line, widths, strict=True))
        return "  ".join(pad_left(text, width) if n in right else pad(text, width) for n, (text, width) in columns)

    return "\n".join(line_of(line).rstrip() for line in lines)


def cells(text: str) -> int:
    """Return how many columns of a terminal *text* takes."""
    import unicodedata

    return sum(
        0 if unicodedata.combining(char) else 2 if unicodedata.east_asian_width(char) in "WF" else 1 for char in text
    )


def pad(text: str, width: int) -> str:
    return text + " " * max(0, width - cells(text))


def pad_left(text: str, width: int) -> str:
    return " " * max(0, width - cells(text)) + text


def cut(text: str, width: int) -> str:
    """Shorten *text* to *width* columns, with an ellipsis where something is missing."""
    if cells(text) <= width:
        return text
    kept = ""
    for char in text:
        if cells(kept + char) > width - 1:
            break
        kept += char
    return f"{kept}…"


def columns() -> int | None:
    """Return how wide the terminal is; None when nobody looks at one: then nothing is cut."""
    return shutil.get_terminal_size().columns if sys.stdout.isatty() else None


def fitting(text: str) -> str:
    """Return *text* with each line cut to the terminal, if there is one."""
    width = columns()
    return text if width is None else "\n".join(cut(line, width) for line in text.splitlines())


JOB_HEADER = ("ID", "STATUS", "WHEN", "CONTACT", "", "LENGTH", "COST", "NOTE")
NARROW = 110
"""Terminals with fewer columns get a table without direction and cost, and with less of time and contact."""


def jobs_table(rows: Iterable[JobRow], zone: ZoneInfo) -> str:
    """Return jobs as a table for people, as wide as their terminal."""
    width = columns()
    lines = [JOB_HEADER, *(job_line(row, zone) for row in rows)]
    if width is not None and width < NARROW:
        lines = [
            (job_id, status, when[5:] or when, cut(who, 16), length, note)
            for job_id, status, when, who, _, length, _, note in lines
        ]
        lines[0] = tuple(name for name in JOB_HEADER if name not in ("", "COST"))
    return fitting(table(lines[0], lines[1:]))


_ARROWS = {"incoming": "in", "outgoing": "out", "conference": "conf"}


def job_line(row: JobRow, zone: ZoneInfo) -> tuple[str, ...]:
    """Return a job as cells of a table for people."""
    job = row.job
    when = (job.call_at or job.discovered_at).astimezone(zone).strftime("%Y-%m-%d %H:%M")
    who = job.contact_name or job.contact_number or job.file_name
    return (
        job.id,
        "waiting" if job.hold_reason and job.status is Status.DISCOVERED else str(job.status),
        when,
        cut(plain(who), 24),
        _ARROWS.get(str(job.direction), ""),
        length(job.duration_seconds),
        cost(job),
        plain(note(row)),
    )


def length(seconds: float | None) -> str:
    if seconds is None:
        return "?"
    hours, rest = divmod(round(seconds), 3600)
    minutes, seconds = divmod(rest, 60)
    return f"{hours}:{minutes:02d}:{seconds:02d}" if hours else f"{minutes}:{seconds:02d}"


def cost(job: Job) -> str:
    """Return what a job cost, or with ~ what it is expected to."""
    if job.cost_micros:
        return format_usd(job.cost_micros)
    if job.status in (Status.SKIPPED, Status.COMPLETED):
        return "$0"
    return "?" if job.estimate_micros is None else f"~{format_usd(job.estimate_micros)}"


def note(row: JobRow) -> str:
    """Return the one thing that a person should know about this job."""
    job = row.job
    if job.status is Status.SKIPPED:
        return job.skip_reason or ""
    if job.status is Status.COMPLETED:
        return "; ".join(f"{d.sink}: {d.error}" for d in row.deliveries if d.error) or job.title or ""
    return job.error_message or job.hold_reason or ""
