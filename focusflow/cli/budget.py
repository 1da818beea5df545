"""What is left to spend, and how do people change it? Each verb says what held before and what holds now."""

import re
import socket
from collections.abc import Awaitable, Callable, Iterable, Sequence
from datetime import UTC, date, datetime, time, timedelta
from typing import TYPE_CHECKING, TypeVar
from zoneinfo import ZoneInfo

from focusflow.cli import output
from focusflow.cli.outcome import Exit, Finished, say
from focusflow.cli.session import Options, now, resolved, run_async
from focusflow.config import Settings
from focusflow.domain.budgets import Budgets, Override, OverrideKind, Period, amount_from_text, last_days
from focusflow.domain.money import exact_usd, format_usd
from focusflow.ports import BudgetWindow, Purse
from focusflow.store import Store

if TYPE_CHECKING:
    from focusflow.domain.jobs import JobId

_SPAN = re.compile(r"(\d{1,4})\s*([mhdw])")
_UNITS = {"m": "minutes", "h": "hours", "d": "days", "w": "weeks"}
HISTORY = 100

T = TypeVar("T")


# ---------------------------------------------------------------------------------------------------------------- looking


def print_purse(options: Options, *, as_json: bool) -> None:
    settings = options.load().settings
    purse = _asked(settings, lambda store, budgets: store.purse(budgets, now=now()))
    if as_json:
        output.put_json(_purse_json(purse, settings.budgets))
    else:
        output.put(output.fitting("\n".join(_purse_lines(purse, settings.budgets))))


def print_history(options: Options, *, as_json: bool) -> None:
    settings = options.load().settings
    made = _asked(settings, lambda store, _: store.overrides(limit=HISTORY))
    if as_json:
        output.put_json([_override_json(override) for override in made])
    elif made:
        output.put(output.fitting(_overrides_table(made, settings.zone, now())))
    else:
        say("Nobody has changed the budgets here yet.")


def _purse_lines(purse: Purse, budgets: Budgets) -> list[str]:
    lines = [
        output.table(
            ("BUDGET", "LIMIT", "SPENT", "RESERVED", "LEFT", "ENDS"),
            [_window_cells(window, budgets.zone) for window in purse.windows],
            right=(1, 2, 3, 4),
        )
    ]
    lines += [
        f"The {window.period}'s limit is {_limit(window.configured_micros)} by the configuration."
        for window in purse.windows
        if window.limit_micros != window.configured_micros
    ]
    cap = f" of {purse.jobs_cap}" if purse.jobs_cap is not None else ""
    lines.append(f"Calls begun today: {purse.jobs_today}{cap}.")
    if budgets.call_micros is not None:
        lines.append(f"A call that costs more than {format_usd(budgets.call_micros)} waits for your yes.")
    lines.append(_backlog_line(purse))
    if purse.unpriced:
        lines.append(f"{purse.unpriced} charges of this month have no known price and are not in it.")
    if purse.stopped_until is not None:
        until = _local(purse.stopped_until, budgets.zone)
        lines.append(f"All spending is stopped until {until}; `focusflow budget resume` ends that.")
    if purse.overrides:
        lines += ["", _overrides_table(purse.overrides, budgets.zone, None)]
    return lines


def _backlog_line(purse: Purse) -> str:
    waiting = purse.backlog
    unpriced = f" ({waiting.unpriced} of them have no price yet)" if waiting.unpriced else ""
    return f"Waiting: {waiting.calls} calls, {waiting.seconds / 3600:.1f} hours, about {format_usd(waiting.micros)}{unpriced}."


def _window_cells(window: BudgetWindow, zone: ZoneInfo) -> tuple[str, ...]:
    return (
        str(window.period),
        _limit(window.limit_micros),
        format_usd(window.settled_micros),
        format_usd(window.reserved_micros),
        "" if (left := _left(window)) is None else format_usd(left),
        _local(window.end, zone),
    )


def _left(window: BudgetWindow) -> int | None:
    if window.limit_micros is None:
        return None
    return max(window.limit_micros - window.settled_micros - window.reserved_micros, 0)


def _overrides_table(made: Iterable[Override], zone: ZoneInfo, at: datetime | None) -> str:
    """Return exceptions as a table; *at* None: all are in force, so that the state need not be said."""
    header: tuple[str, ...] = ("NO", "WHAT", "UNTIL", "MADE", "FROM", "WHY")
    rows = [
        (
            str(override.id),
            _what(override),
            _local(override.until, zone) if at is None else _state(override, zone, at),
            _local(override.made_at, zone),
            output.cut(output.plain(override.made_from), 16),
            output.plain(override.reason),
        )
        for override in made
    ]
    return output.table(header, rows)


def _what(override: Override) -> str:
    match override.kind:
        case OverrideKind.RAISE:
            return f"{override.period} +{format_usd(override.amount_micros or 0)}"
        case OverrideKind.SET:
            return f"{override.period} = {format_usd(override.amount_micros or 0)}"
        case OverrideKind.LIFT:
            return f"lift {override.job_id or 'all'}"
        case OverrideKind.STOP:
            return "stop"


def _state(override: Override, zone: ZoneInfo, at: datetime) -> str:
    if override.undone_at is not None:
        return "undone"
    return _local(override.until, zone) if override.until > at else "over"


def _limit(micros: int | None) -> str:
    return "none" if micros is None else format_usd(micros)


def _local(at: datetime, zone: ZoneInfo) -> str:
    return at.astimezone(zone).strftime("%Y-%m-%d %H:%M")


def _purse_json(purse: Purse, budgets: Budgets) -> output.Json:
    days = last_days(len(purse.daily), purse.windows[0].start, budgets.zone)
    return {
        "windows": [_window_json(window) for window in purse.windows],
        "per_call_usd": output.maybe_usd(budgets.call_micros),
        "jobs_today": purse.jobs_today,
        "jobs_cap": purse.jobs_cap,
        "stopped_until": output.instant(purse.stopped_until),
        "overrides": [_override_json(override) for override in purse.overrides],
        "unpriced": purse.unpriced,
        "daily": [
            {"date": day.astimezone(budgets.zone).date().isoformat(), "usd": exact_usd(micros)}
            for day, micros in zip(days, purse.daily, strict=True)
        ],
        "backlog": {
            "calls": purse.backlog.calls,
            "seconds": purse.backlog.seconds,
            "usd": exact_usd(purse.backlog.micros),
            "unpriced": purse.backlog.unpriced,
        },
        "saved_usd": exact_usd(purse.saved_micros),
    }


def _window_json(window: BudgetWindow) -> output.Json:
    return {
        "period": str(window.period),
        "start": output.instant(window.start),
        "end": output.instant(window.end),
        "limit_usd": output.maybe_usd(window.limit_micros),
        "configured_usd": output.maybe_usd(window.configured_micros),
        "spent_usd": exact_usd(window.settled_micros),
        "reserved_usd": exact_usd(window.reserved_micros),
        "left_usd": output.maybe_usd(_left(window)),
    }


def _override_json(override: Override) -> output.Json:
    return {
        "id": override.id,
        "kind": str(override.kind),
        "period": override.period and str(override.period),
        "amount_usd": output.maybe_usd(override.amount_micros),
        "job_id": override.job_id,
        "made_at": output.instant(override.made_at),
        "made_from": override.made_from,
        "reason": override.reason,
        "until": output.instant(override.until),
        "undone_at": output.instant(override.undone_at),
    }


# ---------------------------------------------------------------------------------------------------------------- telling


def change_budget(options: Options, amount: str, *, more: bool, period: str, until: str | None, reason: str) -> None:
    """Raise a budget by *amount*, or set it to it."""
    settings = options.load().settings
    micros, which = amount_from_text(amount), _period(period)
    at = now()
    end = _until(until, at, settings.zone)

    async def work(store: Store, budgets: Budgets) -> tuple[Purse, Override, Purse]:
        before = await store.purse(budgets, now=at)
        change = store.raise_budget if more else store.set_budget
        made = await change(budgets, which, micros, until=end, origin=_origin(), reason=reason, now=at)
        return before, made, await store.purse(budgets, now=at)

    before, made, after = _asked(settings, work)
    was, is_ = (_limit(_of(purse, which).limit_micros) for purse in (before, after))
    left = format_usd(_left(_of(after, which)) or 0)
    say(
        f"The {which}'s budget was {was} and is {is_} until {_local(made.until, settings.zone)}; {left} is left. "
        f"`focusflow budget undo {made.id}` takes it back."
    )


def lift_budgets(options: Options, ids: Sequence[str] | None, *, until: str | None, reason: str) -> None:
    """Let these calls (None: all) pass the budgets."""
    settings = options.load().settings
    at = now()
    end = _until(until, at, settings.zone)

    async def work(store: Store, budgets: Budgets) -> Sequence[Override]:
        jobs: list[JobId] | None = None if ids is None else await resolved(store, ids)
        return await store.lift(budgets, jobs, until=end, origin=_origin(), reason=reason, now=at)

    made = _asked(settings, work)
    calls = "Every call" if ids is None else "1 call" if len(made) == 1 else f"{len(made)} calls"
    end_at = _local(made[0].until, settings.zone)
    numbers = " ".join(str(override.id) for override in made)
    say(
        f"{calls} held to the budgets before and may pass them until {end_at}. "
        f"`focusflow budget undo {numbers}` takes it back."
    )


def stop_spending(options: Options, *, until: str | None, reason: str) -> None:
    settings = options.load().settings
    at = now()
    end = _until(until, at, settings.zone)
    made = _asked(
        settings,
        lambda store, budgets: store.stop_spending(budgets, until=end, origin=_origin(), reason=reason, now=at),
    )
    say(
        f"Spending went on and is stopped until {_local(made.until, settings.zone)}; what runs is finished. "
        "`focusflow budget resume` ends it."
    )


def resume_spending(options: Options) -> None:
    settings = options.load().settings
    at = now()

    async def work(store: Store, budgets: Budgets) -> int:
        purse = await store.purse(budgets, now=at)
        stops = [override.id for override in purse.overrides if override.kind is OverrideKind.STOP]
        return sum([await store.undo_override(override, now=at) for override in stops])

    if not _asked(settings, work):
        raise Finished(Exit.NOT_FOUND, "Spending is not stopped: there is nothing to resume.")
    say("Spending was stopped and goes on, within the budgets.")


def undo_overrides(options: Options, numbers: Sequence[int]) -> None:
    settings = options.load().settings
    at = now()

    async def work(store: Store, budgets: Budgets) -> tuple[list[int], Purse]:
        done = [number for number in numbers if await store.undo_override(number, now=at)]
        return done, await store.purse(budgets, now=at)

    done, purse = _asked(settings, work)
    if missing := [str(number) for number in numbers if number not in done]:
        say(f"Not in force: {', '.join(missing)}. `focusflow budget history` shows all.")
    if not done:
        raise Finished(Exit.NOT_FOUND)
    limits = ", ".join(f"{window.period} {_limit(window.limit_micros)}" for window in purse.windows)
    say(f"Undone: {', '.join(map(str, done))}. The limits are now: {limits}.")


# ----------------------------------------------------------------------------------------------------------------- inside


def _asked(settings: Settings, work: "Callable[[Store, Budgets], Awaitable[T]]") -> T:
    from focusflow.wiring import opened_store

    async def opened() -> T:
        async with opened_store(settings) as store:
            return await work(store, settings.budgets)

    return run_async(opened)


def _origin() -> str:
    return f"{socket.gethostname()} cli"


def _of(purse: Purse, period: Period) -> BudgetWindow:
    return next(window for window in purse.windows if window.period is period)


def _period(name: str) -> Period:
    try:
        return Period(name)
    except ValueError:
        raise Finished(Exit.USAGE, f"There is no budget for a {name}; there are day, week and month.") from None


def _until(text: str | None, at: datetime, zone: ZoneInfo) -> datetime | None:
    """Read `18:00`, `2026-11-24`, `2026-11-24 18:00` (in *zone*) or a span such as `2h`, `3d`; None: not said."""
    if text is None:
        return None
    words = text.strip().lower()
    if span := _SPAN.fullmatch(words):
        return at + timedelta(**{_UNITS[span[2]]: int(span[1])})
    try:
        return _moment(words, at.astimezone(zone).date(), zone).astimezone(UTC)
    except ValueError:
        raise Finished(
            Exit.USAGE,
            f"--until {text}: write a time like 18:00, 2026-11-24 or '2026-11-24 18:00', or a span like 2h or 3d.",
        ) from None


def _moment(words: str, today: date, zone: ZoneInfo) -> datetime:
    if re.fullmatch(r"\d{1,2}:\d{2}", words):
        return datetime.combine(today, time.fromisoformat(words.zfill(5)), zone)
    found = datetime.fromisoformat(words)
    return found if found.tzinfo is not None else found.replace(tzinfo=zone)
