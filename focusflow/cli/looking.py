"""What do people want to see of jobs, numbers and settings?"""

import csv
import io
import json
import sys
from collections.abc import AsyncIterator, Iterable, Sequence
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO

from msgspec.structs import replace

from focusflow.cli import output
from focusflow.cli.outcome import Exit, Finished, say
from focusflow.cli.session import Options, control_of, now, resolved, run_async
from focusflow.config import Loaded, SecretStr, Settings, valid_keys, value_of
from focusflow.domain.jobs import JobId, Status
from focusflow.domain.money import format_usd
from focusflow.ports import Calls, Control, JobDetail, JobFilter, JobRow, Stats

if TYPE_CHECKING:
    from focusflow.store import Store

PAGE = 500


def print_stats(options: Options, *, as_json: bool) -> None:
    settings = options.load().settings
    at = now().astimezone(settings.zone)
    midnight = at.replace(hour=0, minute=0, second=0, microsecond=0)

    async def work() -> Stats:
        async with control_of(settings) as control:
            return await control.stats(now=at, day_start=midnight, month_start=midnight.replace(day=1))

    stats = run_async(work)
    silent_since = at - timedelta(milliseconds=settings.auto.stale_processing_ms)
    stats = replace(stats, instances=tuple(one for one in stats.instances if one.seen_at >= silent_since))
    if as_json:
        output.put_json(output.stats_json(stats, date=at.date().isoformat(), daily_micros=settings.daily_micros))
    else:
        output.put(_stats_text(stats, settings.daily_micros))


def _stats_text(stats: Stats, daily_micros: int | None) -> str:
    counts = [(str(status), str(count)) for status, count in stats.counts.items()]
    lines = [output.table(("CALLS", ""), [*counts, ("(waiting)", str(stats.held))]), ""]
    today, month = stats.today, stats.month
    budget = f" of {format_usd(daily_micros)}" if daily_micros is not None else ""
    spent, reserved = format_usd(today.settled_micros), format_usd(today.reserved_micros)
    lines.append(f"Today: {spent} spent, {reserved} reserved{budget}, {today.jobs} calls.")
    if today.unpriced:
        lines.append(f"{today.unpriced} charges of today have no known price and are not in it.")
    lines.append(f"This month: {format_usd(month.settled_micros)} spent, {month.jobs} calls.")
    if stats.failures_by_step:
        lines.append("Failed: " + ", ".join(f"{step} {count}" for step, count in stats.failures_by_step.items()) + ".")
    if stats.average_seconds_by_step:
        averages = (f"{step} {seconds:.1f} s" for step, seconds in stats.average_seconds_by_step.items())
        lines.append("On average: " + ", ".join(averages) + ".")
    lines.append("Paused." if stats.control.paused else f"Instances at work: {len(stats.instances)}.")
    return "\n".join(lines)


def job_filter(statuses: Sequence[str], search: str = "") -> JobFilter:
    """Return the filter that was asked for; `waiting` is not a status but means held jobs."""
    wanted = [name for name in statuses if name != "waiting"]
    known = [str(status) for status in Status]
    if unknown := [name for name in wanted if name not in known]:
        raise Finished(Exit.USAGE, f"There is no status {unknown[0]}; there are {', '.join([*known, 'waiting'])}.")
    return JobFilter(statuses=tuple(Status(name) for name in wanted), search=search, held_only="waiting" in statuses)


async def _pages(calls: Calls, chosen: JobFilter, limit: int) -> AsyncIterator[JobRow]:
    """Yield the calls, the newest first."""
    last = None
    while limit > 0:
        rows = await calls.page(chosen, limit=min(PAGE, limit), beyond=last)
        for row in rows:
            yield row
        if len(rows) < min(PAGE, limit):
            return
        limit -= len(rows)
        last = JobId(rows[-1].job.id)


def list_jobs(options: Options, *, statuses: Sequence[str], search: str, limit: int, as_json: bool) -> None:
    settings = options.load().settings
    chosen = job_filter(statuses, search)

    async def work() -> list[JobRow]:
        async with control_of(settings) as control:
            return [row async for row in _pages(control, chosen, limit)]

    rows = run_async(work)
    if as_json:
        output.put_json([output.job_json(row) for row in rows])
    elif rows:
        output.put(output.jobs_table(rows, settings.zone))
    else:
        say(_nothing_listed(chosen))


def _nothing_listed(chosen: JobFilter) -> str:
    if chosen == JobFilter():
        return "No calls here yet. `focusflow discover` looks for them; `focusflow demo` shows how it works."
    return "No such calls. `focusflow jobs list` shows all."


async def _detail(control: Control, prefix: str) -> JobDetail:
    (job_id,) = await resolved(control, [prefix])
    detail = await control.detail(job_id)
    if detail is None:
        raise Finished(Exit.NOT_FOUND, f"There is no job {prefix}.")
    return detail


def show_job(options: Options, prefix: str, *, everything: bool, as_json: bool) -> None:
    settings = options.load().settings

    async def work() -> JobDetail:
        async with control_of(settings) as control:
            return await _detail(control, prefix)

    detail = run_async(work)
    if as_json:
        output.put_json(output.detail_json(detail))
    else:
        from focusflow.cli.call_page import call_page

        output.put(call_page(detail, settings.zone, everything=everything))


def export_jobs(options: Options, *, form: str, to: Path | None, statuses: Sequence[str]) -> None:
    settings = options.load().settings
    chosen = job_filter(statuses)
    if form not in ("jsonl", "csv", "markdown"):
        raise Finished(Exit.USAGE, f"There is no format {form}; there are jsonl, csv and markdown.")
    if form == "markdown" and to is None:
        raise Finished(Exit.USAGE, "Say where the Markdown files shall go: --to DIRECTORY.")

    async def work() -> int:
        async with control_of(settings) as control:
            details = _details(control, chosen)
            if form == "markdown" and to is not None:
                return await _export_markdown(details, to, settings)
            return await _export_lines(details, to, form)

    try:
        count = run_async(work)
    except OSError as exc:
        raise Finished(Exit.NOT_FOUND, f"{to}: cannot be written: {exc.strerror}.") from exc
    say(f"Exported {count} calls.")


async def _details(store: "Store", chosen: JobFilter) -> AsyncIterator[JobDetail]:
    async for row in _pages(store, chosen, sys.maxsize):
        detail = await store.detail(row.job.id)
        if detail is not None:
            yield detail


async def _export_lines(details: AsyncIterator[JobDetail], to: Path | None, form: str) -> int:
    count = 0
    stream = None if to is None else to.open("w", encoding="utf-8", newline="")  # nothing else runs meanwhile
    try:
        async for detail in details:
            found = output.detail_json(detail)
            text = (
                _csv_lines(found, header=count == 0) if form == "csv" else f"{json.dumps(found, ensure_ascii=False)}\n"
            )
            _write(text, stream)
            count += 1
    finally:
        if stream is not None:
            stream.close()
    return count


def _write(text: str, stream: TextIO | None) -> None:
    if stream is None:
        output.put(text, end="")
    else:
        stream.write(text)


def _csv_lines(found: output.Json, *, header: bool) -> str:
    flat = {key: value for key, value in found.items() if not isinstance(value, list | dict)}
    flat["transcript"] = (found["transcript"] or {}).get("text")
    flat["summary"] = (found["summary"] or {}).get("markdown")
    text = io.StringIO()
    writer = csv.DictWriter(text, flat.keys())
    if header:
        writer.writeheader()
    writer.writerow({key: output.harmless_cell(value) for key, value in flat.items()})
    return text.getvalue()


async def _export_markdown(details: AsyncIterator[JobDetail], to: Path, settings: Settings) -> int:
    from focusflow.wiring import markdown_export

    return await markdown_export(details, to, settings)


def show_config(options: Options, *, as_json: bool) -> None:
    loaded = options.load()
    rows = list(_config_rows(loaded))
    if as_json:
        output.put_json({key: {"value": value, "from": origin} for key, value, origin in rows})
    else:
        output.put(
            output.table(("KEY", "VALUE", "FROM"), [(key, _shown(value), origin) for key, value, origin in rows])
        )


def _config_rows(loaded: Loaded) -> Iterable[tuple[str, Any, str]]:
    for key in valid_keys():
        yield key, _harmless(value_of(loaded.settings, key)), loaded.origins.get(key, "default")


def _harmless(value: Any) -> Any:
    """Return *value* as JSON knows it, with every secret replaced."""
    match value:
        case SecretStr():
            return "(set)"
        case dict():
            return {str(name): _harmless(part) for name, part in value.items()}
        case tuple() | list():
            return [_harmless(part) for part in value]
        case None | bool() | int() | float():
            return value
        case _:
            return _without_password(str(value))


def _without_password(text: str) -> str:
    """Hide the password in an address such as postgresql://me:secret@host/db."""
    from urllib.parse import urlsplit, urlunsplit

    if "://" not in text:
        return text
    parts = urlsplit(text)
    if parts.password is None:
        return text
    user_and_host = parts.netloc.replace(f":{parts.password}@", ":(set)@")
    return urlunsplit(parts._replace(netloc=user_and_host))


def _shown(value: Any) -> str:
    return (
        ""
        if value is None
        else output.plain(value if isinstance(value, str) else json.dumps(value, ensure_ascii=False))
    )
