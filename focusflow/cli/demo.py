"""What does FocusFlow look like at work, on a machine with no account at all?

The four services are emulated on loopback; the product talks to them through its real clients, over real HTTP.
"""

import hashlib
import json
import os
import shlex
import shutil
import sys
import tempfile
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from dataclasses import dataclass
from datetime import date
from functools import partial
from pathlib import Path
from zoneinfo import ZoneInfo

import anyio
import anyio.to_thread

from focusflow.cli import output
from focusflow.cli.logbook import logging_for
from focusflow.cli.outcome import Exit, Finished, say
from focusflow.cli.session import now, run_async
from focusflow.cli.work import stopping_on_signals
from focusflow.config import Settings, load, screen_environment
from focusflow.domain.jobs import JobId, Status
from focusflow.domain.money import format_usd
from focusflow.events import Bus, JobChanged, JobsAdded, Subscription
from focusflow.ports import JobFilter, JobRow
from focusflow.sandbox.assemblyai import API_KEY as ASSEMBLYAI_KEY
from focusflow.sandbox.faults import Fault, FaultPlan
from focusflow.sandbox.notion import API_KEY as NOTION_KEY
from focusflow.sandbox.openai import API_KEY as OPENAI_KEY
from focusflow.sandbox.recordings import Recording, standard_recordings
from focusflow.sandbox.server import Sandbox, build_sandbox
from focusflow.store import Store
from focusflow.wiring import Works, opened_store, opened_works

AT_START = 5
"""Recordings that lie there when the demo begins; the others arrive while it runs."""
ARRIVAL_SECONDS = 1.5
BUDGET_USD = 0.2
"""On the screen: enough for every call but the longest, which waits until somebody raises it."""
FAILS_ON_PURPOSE = Fault(service="openai", kind="status", status=400, path="/chat/completions", skip=1)
"""One summary is refused, once: something to find, to understand and to retry."""


def environment(sandbox: Sandbox, database_id: str) -> dict[str, str]:
    """Return the environment that points FocusFlow at the sandbox."""
    return {
        "GOOGLE_SERVICE_ACCOUNT_KEY": json.dumps(sandbox.drive.service_account_info()),
        "GOOGLE_DRIVE_FOLDER_ID": sandbox.drive.files.root_id,
        "DRIVE_BASE_URL": sandbox.drive.api_url.rstrip("/"),
        "ASSEMBLYAI_API_KEY": ASSEMBLYAI_KEY,
        "ASSEMBLYAI_BASE_URL": sandbox.url_of("assemblyai"),
        "OPENAI_API_KEY": OPENAI_KEY,
        "OPENAI_BASE_URL": f"{sandbox.url_of('openai')}/v1",
        "OPENAI_MODEL": "gpt-6-luna",
        "NOTION_API_KEY": NOTION_KEY,
        "NOTION_DATABASE_ID": database_id,
        "NOTION_BASE_URL": sandbox.url_of("notion"),
        "AUTO_PROCESS_ONLY_FUTURE": "false",
        "FOCUSFLOW_NOTION__STATUS_DONE": "Done",
        # as OpenAI's gpt-6-luna: a server on loopback has no price of its own
        "FOCUSFLOW_OPENAI__USD_PER_MILLION_INPUT": "0.10",
        "FOCUSFLOW_OPENAI__USD_PER_MILLION_OUTPUT": "0.50",
    }


@contextmanager
def _data_directory(keep: Path | None) -> Iterator[Path]:
    """Yield where the demo's data goes: *keep*, or a private place that is removed at the end."""
    if keep is not None:
        try:
            keep.mkdir(parents=True, exist_ok=True, mode=0o700)
        except OSError as exc:
            raise Finished(Exit.USAGE, f"{keep}: data cannot be kept there: {exc.strerror}.") from exc
        yield keep.resolve()
        return
    place = Path(tempfile.mkdtemp(prefix="focusflow-demo-"))
    try:
        yield place
    finally:
        shutil.rmtree(place)


def _settings(data: Path, sandbox: Sandbox, speed: float, *, budget_usd: float) -> Settings:
    environ = screen_environment() | environment(sandbox, sandbox.notion.create_focusflow_database())
    return load(
        environ=environ,
        flags={
            "data_dir": str(data),
            "auto.concurrency": 3,
            "auto.retry_base_seconds": 2,
            "assemblyai.poll_seconds": max(0.05, 0.5 / speed),
            "markdown.path": str(data / "calls"),
            "discovery.sidecar_wait_minutes": 0.1,
            "budget.daily_usd": budget_usd,
            "call.owner_name": "Maya Lindqvist",
            "timeouts.shutdown_grace_seconds": 2,
        },
    ).settings


def run_demo(*, speed: float, keep: Path | None, screen: bool) -> None:
    """Show the whole product on emulated services: on the screen where there is one, else line by line to the end."""
    if screen and sys.stdin.isatty() and sys.stdout.isatty():
        _on_screen(speed=speed, keep=keep)
    else:
        _line_by_line(speed=speed, keep=keep)


def _line_by_line(*, speed: float, keep: Path | None) -> None:
    """Run until every call is done, and show what came of it."""

    async def work(data: Path) -> None:
        async with build_sandbox(speed=speed, recordings=False) as sandbox:
            settings = _settings(data, sandbox, speed, budget_usd=5)
            with logging_for(settings, quiet=True):
                async with stopping_on_signals() as signals, opened_works(settings) as works:
                    signals.stop = works.supervisor.stop
                    await _show(works, sandbox, speed)
                    ending = signals.code or Exit.SERVICE
                    await _sum_up(works, sandbox, data, kept=keep is not None, ending=ending)

    say("FocusFlow demo: Drive, AssemblyAI, OpenAI and Notion are emulated on this")
    say("machine. Nothing leaves it, nothing costs. Ctrl-C stops it at any moment.\n")
    with _data_directory(keep) as data:
        run_async(lambda: work(data))


def _on_screen(*, speed: float, keep: Path | None) -> None:
    """Open the screen; one call fails on purpose, and the budget is too small for the longest."""
    from focusflow.cli.screen import Purpose, host

    async def work(data: Path) -> None:
        faults = FaultPlan([FAILS_ON_PURPOSE])
        async with build_sandbox(speed=speed, faults=faults, recordings=False) as sandbox:
            settings = _settings(data, sandbox, speed, budget_usd=BUDGET_USD)
            with logging_for(settings, quiet=True):
                try:
                    await host(settings, Purpose(demo=True, beside=True, alongside=partial(_arriving, sandbox, speed)))
                finally:
                    await _farewell(settings, sandbox, data, kept=keep is not None)

    with _data_directory(keep) as data:
        run_async(lambda: work(data))


@asynccontextmanager
async def _arriving(sandbox: Sandbox, speed: float, store: Store, bus: Bus) -> AsyncIterator[None]:
    """Let calls lie there at the start and others arrive, for as long as the context lasts."""
    recordings = await anyio.to_thread.run_sync(standard_recordings, date.today())
    for recording in recordings[:AT_START]:
        _add(sandbox, recording)
    async with anyio.create_task_group() as group:
        group.start_soon(_arrive, store, sandbox, recordings[AT_START:], speed)
        yield
        group.cancel_scope.cancel()


async def _farewell(settings: Settings, sandbox: Sandbox, data: Path, *, kept: bool) -> None:
    async with opened_store(settings) as store:
        rows = await store.page(JobFilter(), limit=1_000)
    say(_account(rows, sandbox))
    for line in _further(data, kept=kept):
        say(line)


async def _show(works: Works, sandbox: Sandbox, speed: float) -> None:
    """Let calls arrive, process them, and print each one's way."""
    recordings = standard_recordings(date.today())
    for recording in recordings[:AT_START]:
        _add(sandbox, recording)
    async with anyio.create_task_group() as group:
        with works.bus.subscribe() as events:
            group.start_soon(_narrate, works, events)
            group.start_soon(_arrive_and_finish, works, sandbox, recordings[AT_START:], speed)
            await works.supervisor.run()
            group.cancel_scope.cancel()


def _add(sandbox: Sandbox, recording: Recording) -> None:
    """Put the recording into the emulated Drive, and let the emulated transcriber know what is said in it."""
    sandbox.drive.files.add_recording(recording)
    if recording.script_key is not None:
        md5 = hashlib.md5(recording.content, usedforsecurity=False).hexdigest()
        sandbox.assemblyai.register_audio(md5, recording.script_key)


async def _arrive(store: Store, sandbox: Sandbox, recordings: Sequence[Recording], speed: float) -> None:
    """Let recordings come one by one."""
    for recording in recordings:
        await anyio.sleep(ARRIVAL_SECONDS / speed)
        _add(sandbox, recording)
        await store.request_discovery(now=now())
    await anyio.sleep(ARRIVAL_SECONDS / speed)
    await store.request_discovery(now=now())


async def _arrive_and_finish(works: Works, sandbox: Sandbox, recordings: Sequence[Recording], speed: float) -> None:
    """Let the other recordings come, then stop when everything is done."""
    await _arrive(works.store, sandbox, recordings, speed)
    await works.supervisor.until_idle()
    works.supervisor.stop()


@dataclass(slots=True)
class _Narrator:
    """Prints one line for each thing that happens to a call."""

    works: Works
    zone: ZoneInfo
    last: dict[JobId, str]

    async def tell(self, job_id: JobId) -> None:
        detail = await self.works.store.detail(job_id, events=0)
        if detail is None:
            return
        line = output.job_line(detail.row, self.zone)
        state, who, length, remark = line[1], line[3], line[5], line[7]
        if self.last.get(job_id) == state:
            return
        self.last[job_id] = state
        clock = self.works.clock.now().astimezone(self.zone).strftime("%H:%M:%S")
        told = f"{clock}  {output.pad(state, 12)}  {output.pad(who, 24)}  {length:>7}  {remark}"
        output.put(output.fitting(told.rstrip()), flush=True)


async def _narrate(works: Works, events: Subscription) -> None:
    narrator = _Narrator(works, works.settings.zone, {})
    async for event in events:
        match event:
            case JobChanged():
                await narrator.tell(event.job_id)
            case JobsAdded():
                for job_id in event.job_ids:
                    await narrator.tell(job_id)


async def _sum_up(works: Works, sandbox: Sandbox, data: Path, *, kept: bool, ending: Exit) -> None:
    """Print the table of calls, the money, and where to look next."""
    rows = list(reversed(await works.store.page(JobFilter(), limit=1_000)))
    output.put("")
    output.put(output.jobs_table(rows, works.settings.zone))
    output.put("")
    output.put(_account(rows, sandbox))
    for line in _further(data, kept=kept):
        output.put(line)
    if unfinished := [row for row in rows if row.job.status not in (Status.COMPLETED, Status.SKIPPED)]:
        raise Finished(ending, f"{len(unfinished)} calls are not finished.")


def _further(data: Path, *, kept: bool) -> Iterator[str]:
    """Yield where to look next."""
    if kept:
        yield f"The database, the log and a Markdown file for each call are in {data}."
        yield f"Look further: focusflow --data-dir {data} jobs list"
        yield "(or jobs show ID, or stats)."
    else:
        yield "Keep the data with --keep DIR, and look further with:"
        yield "focusflow --data-dir DIR jobs list (or jobs show ID, or stats)."
    yield "With your own accounts: focusflow init writes a config.yaml, then"
    yield "focusflow config check, then focusflow (or focusflow run, without a screen)."


def _account(rows: Sequence[JobRow], sandbox: Sandbox) -> str:
    done = sum(row.job.status is Status.COMPLETED for row in rows)
    skipped = sum(row.job.status is Status.SKIPPED for row in rows)
    spent = sum(row.job.cost_micros for row in rows)
    pages = len(sandbox.notion.pages())
    return (
        f"{done} calls completed, {skipped} skipped, {pages} pages in the emulated Notion.\n"
        f"With real accounts this would have cost {format_usd(spent)}."
    )


def serve_sandbox(*, port: int, faults: Path | None, speed: float, env_file: Path | None) -> None:
    """Serve the emulated services until Ctrl-C."""
    plan = _plan(faults)

    async def work() -> None:
        async with _serving(port, plan, speed) as (sandbox, environ):
            _publish(environ, env_file)
            say(f"Serving Drive, AssemblyAI, OpenAI and Notion on {sandbox.root_url}; Ctrl-C stops.")
            await _until_signal()

    run_async(work)


def _publish(environ: Mapping[str, str], env_file: Path | None) -> None:
    """Tell how FocusFlow is pointed here: in *env_file*, else on stdout."""
    lines = "".join(f"export {name}={shlex.quote(value)}\n" for name, value in environ.items())
    if env_file is None:
        output.put(lines.rstrip(), flush=True)
        return
    try:
        env_file.touch(mode=0o600)
        env_file.write_text(lines, encoding="utf-8")
    except OSError as exc:
        raise Finished(Exit.USAGE, f"{env_file}: cannot be written: {exc.strerror}.") from exc
    say(f"Point FocusFlow here with: . {env_file}")


def _plan(faults: Path | None) -> FaultPlan:
    if faults is None:
        return FaultPlan()
    try:
        return FaultPlan.load(faults)
    except (OSError, ValueError) as exc:
        raise Finished(Exit.USAGE, f"{faults}: this is not a plan of faults: {exc}") from exc


@asynccontextmanager
async def _serving(port: int, plan: FaultPlan, speed: float) -> AsyncIterator[tuple[Sandbox, Mapping[str, str]]]:
    async with AsyncExitStack() as stack:
        try:
            sandbox = await stack.enter_async_context(build_sandbox(port=port, faults=plan, speed=speed))
        except OSError as exc:
            why = os.strerror(exc.errno).lower() if exc.errno else str(exc)
            sentence = f"Port {port} cannot be used ({why}): choose another, or 0 for any free one."
            raise Finished(Exit.USAGE, sentence) from exc
        yield sandbox, environment(sandbox, sandbox.notion.create_focusflow_database())


async def _until_signal() -> None:
    stopped = anyio.Event()
    async with stopping_on_signals() as signals:
        signals.stop = stopped.set
        await stopped.wait()
