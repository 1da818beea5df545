"""How is work done from the command line, without a screen?"""

import logging
import signal
import sys
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import TYPE_CHECKING

import anyio
from anyio.abc import TaskStatus

from focusflow.cli import output
from focusflow.cli.logbook import logging_for, warn_at_start
from focusflow.cli.outcome import BY_SIGNAL, Exit, Finished, say
from focusflow.cli.session import Options, control_of, now, resolved, run_async
from focusflow.config import Settings, missing_for_looking
from focusflow.domain.jobs import PHASES, WORKING, JobId, Phase, Status, Step
from focusflow.errors import ConfigError, StoreBusy
from focusflow.ports import JobRow, RunPrice

if TYPE_CHECKING:
    from focusflow.wiring import Works

_log = logging.getLogger(__name__)

BUSY_PAUSE_SECONDS = 2.0
"""Between two looks at a database that somebody keeps locked; each look itself waits a while."""


@dataclass(slots=True)
class Signals:
    """What the first signal does."""

    stop: Callable[[], None] | None = None
    """Begins to stop cleanly; None: nothing has begun yet that would need it."""
    code: Exit | None = None
    """The exit code that the first signal asks for; None: there was none."""


@asynccontextmanager
async def stopping_on_signals(*, tell: Callable[[str], None] = say) -> AsyncIterator[Signals]:
    """Let the first SIGINT, SIGTERM or SIGHUP stop cleanly, which *tell* is told, and the second one at once.

    Raises `Finished` with the code of the first one, if there was one, also when all was done; jobs have handed themselves
    back even after a stop at once.
    """
    signals = Signals()
    async with anyio.create_task_group() as group:
        await group.start(partial(_listen, signals, group.cancel_scope, tell))
        yield signals
        group.cancel_scope.cancel()
    if signals.code is not None:
        raise Finished(signals.code)


async def _listen(
    signals: Signals, everything: anyio.CancelScope, tell: Callable[[str], None], *, task_status: TaskStatus[None]
) -> None:
    wanted = [signal.SIGINT, signal.SIGTERM]
    if signal.getsignal(signal.SIGHUP) is not signal.SIG_IGN:  # nohup asked for it to be ignored
        wanted.append(signal.SIGHUP)
    with anyio.open_signal_receiver(*wanted) as received:
        task_status.started()
        async for number in received:
            signals.code = signals.code or BY_SIGNAL[number]
            if signals.stop is None:
                break
            tell("Stopping: work in flight is finished or handed back. Once more stops at once.")
            signals.stop()
            signals.stop = None
    everything.cancel()


def run_headless(options: Options, *, until_idle: bool) -> None:
    """Run the supervisor until it is told to stop, or until nothing is left to do."""
    loaded = options.load()
    settings = loaded.settings
    tell = _narrator(settings)

    async def work() -> None:
        async with stopping_on_signals(tell=tell) as signals, _works_when_free(settings) as works:
            signals.stop = works.supervisor.stop
            tell(
                f"Looking for calls in {_where(settings)}; database and log are in {settings.data_path}. Ctrl-C stops."
            )
            await works.supervisor.run(until_idle=until_idle)
            looking = works.supervisor.discovery_loop
            if until_idle and looking.broken:
                tell(f"New calls could not be looked for: {looking.error}")
                raise Finished(Exit.SERVICE)
            if until_idle and signals.code is None:
                tell(await _how_it_stands(works))

    with logging_for(settings):
        warn_at_start(loaded)
        run_async(work)


async def _how_it_stands(works: "Works") -> str:
    """Return how many calls there are of each kind now that nothing is left to do, and what the rest waits for."""
    at = now()
    stats = await works.store.stats(now=at, day_start=at, month_start=at)
    due_at = await works.store.next_due_at(now=at)
    counts = stats.counts
    kinds = [
        (counts[Status.COMPLETED], "completed"),
        (counts[Status.FAILED], "failed"),
        (counts[Status.SKIPPED], "skipped"),
        (sum(counts[status] for status in WORKING), "in work elsewhere"),
        (counts[Status.DISCOVERED], "waits" if counts[Status.DISCOVERED] == 1 else "wait"),
    ]
    told = ", ".join(f"{count} {kind}" for count, kind in kinds if count or kind == "completed")
    sentences = [f"Nothing left to do now: {told}."]
    if stats.control.paused:
        sentences.append("FocusFlow is paused; `focusflow resume` goes on.")
    elif due_at is not None:
        sentences.append(f"The next is due at {_clock(due_at, at, works.settings)}.")
    return " ".join(sentences)


def _clock(at: datetime, now: datetime, settings: Settings) -> str:
    local, today = at.astimezone(settings.zone), now.astimezone(settings.zone).date()
    return f"{local:%H:%M}" if local.date() == today else f"{local:%Y-%m-%d %H:%M}"


def _narrator(settings: Settings) -> Callable[[str], None]:
    """Return what tells people how the work goes on; where a program reads stderr, it is told in lines of the log."""
    from focusflow.logs import for_programs

    return _log.info if for_programs(sys.stderr, settings.logging.json_lines) else say


@asynccontextmanager
async def _works_when_free(settings: Settings) -> "AsyncIterator[Works]":
    """Open everything that work needs. A database that another program keeps locked is waited for."""
    from focusflow.wiring import opened_works

    while True:
        async with AsyncExitStack() as stack:
            try:
                works = await stack.enter_async_context(opened_works(settings))
            except StoreBusy as exc:
                _log.warning(str(exc))
            else:
                yield works
                return
        await anyio.sleep(BUSY_PAUSE_SECONDS)


def _where(settings: Settings) -> str:
    if settings.source == "folder":
        return str(settings.folder.path)
    return f"the Google Drive folder {settings.drive.folder_id}"


def discover_once(options: Options, *, as_json: bool) -> None:
    """Look once and say what came."""
    settings = options.load().settings
    if problems := missing_for_looking(settings):
        raise ConfigError(*problems)

    async def work() -> output.Json:
        from focusflow.event_log import logged
        from focusflow.events import Bus
        from focusflow.wiring import SystemClock, discovery_of, opened_source, opened_store, rules_of

        clock, bus = SystemClock(), Bus()
        async with (
            stopping_on_signals(),  # a page is committed whole or not at all: there is nothing to finish first
            opened_store(settings, bus) as store,
            opened_source(settings, clock, bus) as source,
        ):
            discovery = discovery_of(settings, store, source, await rules_of(settings, store, clock), clock)
            with logged(bus):
                summary = await discovery.tick()
            counts = (await store.stats(now=now(), day_start=now(), month_start=now())).counts
            return {"summary": summary, "counts": {str(status): count for status, count in counts.items()}}

    with logging_for(settings, quiet=True):
        found = run_async(work)
    if as_json:
        output.put_json(found)
    else:
        output.put(f"{found['summary']}. {found['counts']['discovered']} calls wait to be processed.")


def process_now(
    options: Options, ids: list[str], *, from_step: str | None, queue: bool, yes: bool, as_json: bool = False
) -> None:
    """Say what it costs, ask for the calls and, unless *queue*, process them here and now."""
    from focusflow.cli.agreement import agreed_to_pay, priced
    from focusflow.wiring import Pricing, SystemClock, opened_store

    settings = options.load().settings
    step = _step(from_step)

    async def look() -> tuple[list[JobId], RunPrice]:
        async with opened_store(settings) as store:
            jobs = await resolved(store, ids)
            return jobs, await priced(store, Pricing(settings, SystemClock()).by_length(), jobs, step)

    jobs, price = run_async(look)
    if step is not None:
        agreed_to_pay(price, step, yes=yes)

    async def ask() -> tuple[JobId, ...]:
        async with control_of(settings) as control:
            if (await control.control()).paused and not queue:
                say("FocusFlow is paused: the calls are asked for and wait for `focusflow resume`.")
            return tuple(await control.process(jobs, from_step=step, now=now()))

    asked = run_async(ask)
    if not asked:
        raise Finished(Exit.NOT_FOUND, "Nothing to process: these calls are being processed already.")
    say(f"{len(asked)} asked for.")
    if queue:
        if as_json:
            output.put_json([output.job_json(row) for row in run_async(lambda: _rows(settings, asked))])
        return

    async def work() -> None:
        from focusflow.wiring import opened_works

        async with stopping_on_signals() as signals, opened_works(settings, only=asked) as works:
            signals.stop = works.supervisor.stop
            await works.supervisor.process_due()
            details = [await works.store.detail(job_id, events=0) for job_id in asked]
            rows = [detail.row for detail in details if detail is not None]
            if as_json:
                output.put_json([output.job_json(row) for row in rows])
            else:
                output.put(output.jobs_table(rows, settings.zone))
            _unless_all_finished(rows, ending=signals.code or Exit.SERVICE)

    with logging_for(settings, quiet=not sys.stderr.isatty()):
        run_async(work)


async def _rows(settings: Settings, job_ids: Sequence[JobId]) -> list[JobRow]:
    async with control_of(settings) as control:
        details = [await control.detail(job_id, events=0) for job_id in job_ids]
    return [detail.row for detail in details if detail is not None]


def _unless_all_finished(rows: Sequence[JobRow], *, ending: Exit) -> None:
    """End the command with *ending* when a call that was asked for is not done; its line says why."""
    for row in rows:
        if PHASES[row.job.status] is Phase.WORKING:
            say(f"{row.job.id} is being processed by {row.job.claimed_by}, another FocusFlow on this database.")
    resting = [row.job.id for row in rows if PHASES[row.job.status] is Phase.RESTING]
    if resting:
        raise Finished(ending, f"Not completed: {', '.join(resting)}. `focusflow jobs show ID` says more.")


def _step(name: str | None) -> Step | None:
    if name is None:
        return None
    steps = [str(step) for step in (Step.TRANSCRIBE, Step.SUMMARIZE, Step.SYNC)]
    if name not in steps:
        raise Finished(Exit.USAGE, f"There is no step {name} to start from; there are {', '.join(steps)}.")
    return Step(name)
