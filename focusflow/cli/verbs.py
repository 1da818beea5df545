"""What do people tell FocusFlow to do with its jobs? Each verb is one call of `Control`, kept in the store."""

from collections.abc import Awaitable, Callable, Sequence

from focusflow.cli.outcome import Exit, Finished, say
from focusflow.cli.session import Options, control_of, now, resolved, run_async, told
from focusflow.domain.jobs import JobId, Status
from focusflow.errors import MENDABLE
from focusflow.ports import Calls, Control, JobFilter, JobRow, RunPrice

_PAGE = 500


def _report(done: Sequence[JobId], asked: int | None, sentence: str, otherwise: str) -> None:
    if not done:
        raise Finished(Exit.NOT_FOUND, otherwise)
    calls = "call" if len(done) == 1 else "calls"
    say(sentence.format(count=len(done), calls=calls))
    if asked is not None and asked > len(done):
        say(f"{asked - len(done)} left as they were: {otherwise[0].lower()}{otherwise[1:]}")


def retry_jobs(options: Options, ids: list[str] | None, *, yes: bool) -> None:
    """Say what trying again costs, and do it."""
    from focusflow.cli.agreement import agreed_to_pay, priced
    from focusflow.wiring import Pricing, SystemClock, opened_store

    settings = options.load().settings

    async def look() -> tuple[list[JobId], RunPrice | None]:
        async with opened_store(settings) as store:
            jobs = await _retried(store) if ids is None else await resolved(store, ids)
            return jobs, await priced(store, Pricing(settings, SystemClock()).by_length(), jobs, None) if jobs else None

    jobs, price = run_async(look)
    if price is not None:
        agreed_to_pay(price, None, yes=yes)

    async def work() -> Sequence[JobId]:
        async with control_of(settings) as control:
            return await control.retry(None if ids is None else jobs, now=now())

    done = run_async(work)
    _report(
        done,
        len(ids) if ids else None,
        "{count} {calls} will be tried again.",
        "Nothing to retry: no such call has failed, or waits for something that you mend.",
    )


async def _retried(calls: Calls) -> list[JobId]:
    """Return all calls that failed, or that wait for something that a person mends."""
    failed = await _every(calls, JobFilter(statuses=(Status.FAILED,)))
    waiting = await _every(calls, JobFilter(held_only=True))
    return [row.job.id for row in [*failed, *(row for row in waiting if row.job.hold_kind in MENDABLE)]]


async def _every(calls: Calls, chosen: JobFilter) -> list[JobRow]:
    found: list[JobRow] = []
    while True:
        page = await calls.page(chosen, limit=_PAGE, beyond=JobId(found[-1].job.id) if found else None)
        found += page
        if len(page) < _PAGE:
            return found


def skip_jobs(options: Options, ids: list[str], reason: str) -> None:
    settings = options.load().settings
    done = run_async(
        lambda: told(settings, ids, lambda control, jobs: control.skip_jobs(jobs, reason=reason, now=now()))
    )
    _report(done, len(ids), "{count} {calls} skipped.", "Only calls that wait or have failed can be skipped.")


def unskip_jobs(options: Options, ids: list[str]) -> None:
    settings = options.load().settings
    done = run_async(lambda: told(settings, ids, lambda control, jobs: control.unskip(jobs, now=now())))
    _report(done, len(ids), "{count} {calls} taken back in.", "Only skipped calls can be taken back in.")


def cancel_jobs(options: Options, ids: list[str]) -> None:
    settings = options.load().settings
    done = run_async(lambda: told(settings, ids, lambda control, jobs: control.cancel(jobs, now=now())))
    _report(done, len(ids), "{count} {calls} stopped.", "Only calls that are being processed can be stopped.")


def pause_all(options: Options) -> None:
    async def verb(control: Control) -> None:
        await control.pause(now=now())

    _tell(options, verb)
    say("Paused: no more calls are started. `focusflow resume` goes on.")


def resume_all(options: Options) -> None:
    async def verb(control: Control) -> None:
        await control.resume(now=now())

    _tell(options, verb)
    say("Resumed.")


def _tell(options: Options, verb: Callable[[Control], Awaitable[None]]) -> None:
    settings = options.load().settings

    async def work() -> None:
        async with control_of(settings) as control:
            await verb(control)

    run_async(work)
