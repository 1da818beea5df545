"""What is worth knowing about one call, for a person with eighty columns?"""

import textwrap
from collections.abc import Iterator, Sequence
from datetime import datetime
from zoneinfo import ZoneInfo

from focusflow.cli import output
from focusflow.cli.costs import charges_table
from focusflow.domain.jobs import Attempt, Job, Status
from focusflow.domain.money import format_usd
from focusflow.ports import Delivery, JobDetail

WIDTH = 80
LINES = 12
"""So much of the summary is shown, unless all is asked for."""
LOG_LINES = 6


def call_page(detail: JobDetail, zone: ZoneInfo, *, everything: bool) -> str:
    """Return who called, what became of it, what it cost and how its summary begins; *everything*: all texts whole."""
    parts = [_head(detail, zone), _story(detail, zone), _steps(detail.attempts, zone)]
    if detail.charges:
        parts.append(charges_table(detail.charges, zone))
    parts += [_deliveries(detail.row.deliveries, zone), *_texts(detail, zone, everything=everything)]
    return "\n\n".join(part for part in parts if part)


def _head(detail: JobDetail, zone: ZoneInfo) -> str:
    job = detail.row.job
    who = " ".join(filter(None, [job.contact_name, job.contact_number]))
    kind = ", ".join(filter(None, [job.direction and str(job.direction), job.call_type]))
    facts = {
        "Call": job.title or "",
        "Who": who or "unknown",
        "When": f"{_local(job.call_at, zone)}" if job.call_at else f"found {_local(job.discovered_at, zone)}",
        "Length": output.length(job.duration_seconds),
        "Kind": kind,
        "File": job.file_name,
        "Cost": output.cost(job),
        "Id": job.id,
    }
    return "\n".join(_wrapped(f"{name:<8}", value) for name, value in facts.items() if value)


def _wrapped(name: str, value: str) -> str:
    """Return a fact on as many lines as it needs; words that are longer than a line, such as links, stay whole."""
    return textwrap.fill(
        output.plain(value),
        width=WIDTH,
        initial_indent=name,
        subsequent_indent=" " * len(name),
        break_long_words=False,
        break_on_hyphens=False,
    )


def _story(detail: JobDetail, zone: ZoneInfo) -> str:
    """Say what happened, and what a person can do about it."""
    job = detail.row.job
    lines = [_wrapped(f"{'Status':<8}", _status(job))]
    if job.next_attempt_at is not None and job.status in (Status.DISCOVERED, Status.FAILED):
        lines.append(_wrapped(f"{'Again':<8}", f"by itself, {_local(job.next_attempt_at, zone)}"))
    if verb := _VERBS.get(job.status):
        lines.append(_wrapped(f"{'Do':<8}", verb.format(id=job.id)))
    return "\n".join(lines)


def _status(job: Job) -> str:
    reason = {
        Status.FAILED: job.error_message,
        Status.SKIPPED: job.skip_reason,
        Status.DISCOVERED: job.hold_reason,
    }.get(job.status)
    status = "waiting" if job.status is Status.DISCOVERED and job.hold_reason else str(job.status)
    return f"{status}: {reason}" if reason else status


_VERBS = {
    Status.FAILED: "`focusflow retry {id}` goes on where it stopped.",
    Status.SKIPPED: "`focusflow unskip {id}` takes it in all the same.",
    Status.DISCOVERED: "`focusflow process {id}` does it now.",
}


def _steps(attempts: Sequence[Attempt], zone: ZoneInfo) -> str:
    if not attempts:
        return ""
    rows = [
        (str(step.step), _local(step.started_at, zone), _took(step), str(step.outcome), _cost(step))
        for step in attempts
    ]
    lines = output.table(("STEP", "STARTED", "TOOK", "OUTCOME", "COST"), rows, right=(2, 4)).splitlines()
    told = [lines[0]]
    for line, step in zip(lines[1:], attempts, strict=True):
        told.append(line)
        if step.error:
            told.append(_wrapped("    ", step.error))
    return "\n".join(told)


def _took(step: Attempt) -> str:
    if step.finished_at is None:
        return "…"
    seconds = (step.finished_at - step.started_at).total_seconds()
    return f"{seconds:.1f} s" if seconds < 60 else output.length(seconds)


def _cost(step: Attempt) -> str:
    return "" if step.cost_micros is None else format_usd(step.cost_micros)


def _deliveries(deliveries: Sequence[Delivery], zone: ZoneInfo) -> str:
    return "\n".join(_wrapped(f"{delivery.sink:<10}", _delivered(delivery, zone)) for delivery in deliveries)


def _delivered(delivery: Delivery, zone: ZoneInfo) -> str:
    where = delivery.url or delivery.ref or ""
    if delivery.error is None:
        return where or "not there yet"
    again = f" Tried again {_local(delivery.next_attempt_at, zone)}." if delivery.next_attempt_at else ""
    return f"{delivery.error}{again} {where}".rstrip()


def _texts(detail: JobDetail, zone: ZoneInfo, *, everything: bool) -> Iterator[str]:
    from focusflow.domain.transcript import timed_text

    documents, log = detail.documents, [f"{_local(line.at, zone)}  {line.message}" for line in detail.events]
    if documents.summary:
        yield _section("SUMMARY", documents.summary.markdown.splitlines(), None if everything else LINES)
    if documents.transcript and everything:
        yield _section("TRANSCRIPT", timed_text(documents.transcript).splitlines(), None)
    if log:
        yield _section("LOG", log if everything else log[-LOG_LINES:], None)
    if not everything and (documents.transcript or len(log) > LOG_LINES):
        yield "`--all` shows the whole summary, the transcript and every line of the log."


def _section(title: str, lines: Sequence[str], at_most: int | None) -> str:
    shown = [_wrapped(_indent(line), line.strip()) if line.strip() else "" for line in lines[:at_most]]
    left = len(lines) - len(shown)
    return "\n".join([title, "", *shown, *([f"… and {left} more lines"] if left else [])])


def _indent(line: str) -> str:
    return line[: len(line) - len(line.lstrip())]


def _local(at: datetime, zone: ZoneInfo) -> str:
    return at.astimezone(zone).strftime("%Y-%m-%d %H:%M:%S")
