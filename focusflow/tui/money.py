"""What has been spent, what is left, and what would the waiting calls cost?"""

from collections.abc import Sequence
from datetime import datetime

from textual import events
from textual.content import Content

from focusflow.domain.budgets import Period
from focusflow.ports import Backlog, BudgetWindow, OverrideKind, Purse, RunPrice
from focusflow.tui import words
from focusflow.tui.band import Band, Part, line
from focusflow.tui.deeds import priced
from focusflow.tui.facts import Facts
from focusflow.tui.header import used
from focusflow.tui.words import Symbols

WARN = 80
FULL = 100
SPARK_DAYS = 30
SPARK_LENGTHS = (30, 21, 14, 7)
"""So many days or none are shown: whole weeks, so that it does not change with each cent beside it."""
NARROW = 76
ROOMY = 100
"""Columns below which the words that say that a budget is nearly gone need the place of others."""

_PERIODS = {Period.DAY: "today", Period.WEEK: "this week", Period.MONTH: "this month"}


def level(per_cent: int) -> str:
    """Return the colour of a share of a budget."""
    if per_cent >= FULL:
        return "bold $text-error"
    return "$text-warning" if per_cent >= WARN else "$text-success"


def verdict(per_cent: int) -> str:
    """Return in words what the colour says."""
    if per_cent >= FULL:
        return "used up"
    return "nearly used up" if per_cent >= WARN else ""


def bar(window: BudgetWindow, width: int, signs: Symbols) -> list[Part]:
    """Return a still bar: spent, reserved, left."""
    limit = window.limit_micros or 0
    if limit <= 0:
        return [(signs.full * width, level(FULL))]
    spent = min(width, window.settled_micros * width // limit)
    reserved = min(width - spent, -(-window.reserved_micros * width // limit))
    style = level(used(window))
    return [
        (signs.full * spent, style),
        (signs.reserved * reserved, style),
        (signs.empty * (width - spent - reserved), "$text-muted"),
    ]


def sparkline(values: Sequence[int], signs: Symbols) -> str:
    """Return one sign a day; a day on which nothing was spent is the lowest."""
    most = max(values, default=0)
    top = len(signs.spark) - 1
    return "".join(signs.spark[0 if not most else -(-value * top // most)] for value in values)


def window_of(purse: Purse, period: Period) -> BudgetWindow:
    """Return one of the budgets."""
    return next(window for window in purse.windows if window.period is period)


def day(purse: Purse) -> BudgetWindow:
    """Return today's budget."""
    return window_of(purse, Period.DAY)


def left(window: BudgetWindow) -> int | None:
    """Return what may still be spent; None: there is no limit."""
    if window.limit_micros is None:
        return None
    return max(0, window.limit_micros - window.settled_micros - window.reserved_micros)


def at_stake(price: RunPrice, purse: Purse | None) -> list[tuple[str, str]]:
    """Return what is to be known before a yes: the price, and what it leaves of the day's budget."""
    return [("price", priced(price)), *([("left today", after)] if (after := _left_after(price, purse)) else [])]


def _left_after(price: RunPrice, purse: Purse | None) -> str:
    rest = left(day(purse)) if purse is not None else None
    if purse is not None and purse.stopped_until is not None:
        return "nothing: all spending is stopped, so it waits"
    if (
        purse is None
        or rest is None
        or any(made.kind is OverrideKind.LIFT and made.job_id is None for made in purse.overrides)
    ):
        return ""
    if price.unpriced:
        return f"{words.cents(rest)}; what has no price waits for a budget that is lifted"
    if price.micros > rest:
        return f"{words.cents(rest)}: not enough, so it waits"
    return f"{words.cents(rest)} -> {words.cents(rest - price.micros)}"


def backlog_words(backlog: Backlog) -> str:
    """Return what waits and what it would cost: `4 calls, $0.25 + 1 unpriced`, `1 call, price unknown`."""
    calls = words.many(backlog.calls, "call")
    if backlog.unpriced and not backlog.micros:
        return f"{calls}, price unknown"
    more = f" + {backlog.unpriced} unpriced" if backlog.unpriced else ""
    return f"{calls}, {words.cents(backlog.micros)}{more}"


class MoneyBand(Band):
    """Two lines about money."""

    def __init__(self, facts: Facts) -> None:
        super().__init__(id="money")
        self._facts = facts
        self._symbols = words.symbols(facts.ascii)
        self._purse: Purse | None = None

    def show(self, purse: Purse | None) -> None:
        self._purse = purse
        self._redraw()

    def on_resize(self, event: events.Resize) -> None:
        self._redraw()

    def _redraw(self) -> None:
        purse, width = self._purse, self.size.width
        if purse is None or not width:
            return
        first = line(self._today(purse, width), self._jobs(purse), width)
        other = self._other(purse)
        second = line(other, self._days(purse, width - Content.assemble(*other).cell_length), width)
        self.say(Content.assemble(first, "\n", second))

    def _today(self, purse: Purse, width: int) -> list[Part]:
        today = day(purse)
        parts: list[Part] = [(" today ", "$text-muted"), (words.cents(today.settled_micros), "bold")]
        if purse.stopped_until is not None:
            return [*parts, (f"  spending is stopped until {self._until(purse.stopped_until)}", "bold $text-error")]
        share, roomy = used(today), width >= ROOMY
        if today.reserved_micros and (roomy or (share < WARN and width >= NARROW)):
            parts.append((f" + {words.cents(today.reserved_micros)} reserved", "$text-muted"))
        if today.limit_micros is None:
            return [*parts, (" of no limit", "$text-muted"), *self._others(purse)]
        parts += [(f" of {words.cents(today.limit_micros)} ", ""), *bar(today, _bar_width(width), self._symbols)]
        parts += [(f" {share} % {verdict(share)}".rstrip(), level(share))]
        return [*parts, *(self._exceptions(today) if roomy else ()), *self._others(purse)]

    def _until(self, at: datetime) -> str:
        return words.until(at, self._facts.clock.now(), self._facts.budgets.zone)

    def _exceptions(self, day: BudgetWindow) -> list[Part]:
        if day.limit_micros != day.configured_micros:
            before = "no limit" if day.configured_micros is None else words.cents(day.configured_micros)
            return [(f" (configured: {before})", "$text-muted")]
        return []

    def _others(self, purse: Purse) -> list[Part]:
        """Return the week's and the month's budgets where they are nearly gone."""
        tight = [window for window in purse.windows if window.period is not Period.DAY and used(window) >= WARN]
        return [
            (f"  {_PERIODS[window.period]} {used(window)} % {verdict(used(window))}", level(used(window)))
            for window in tight
        ]

    def _jobs(self, purse: Purse) -> list[Part]:
        if purse.jobs_cap is None:
            return [(f"{words.many(purse.jobs_today, 'call')} today ", "$text-muted")]
        full = purse.jobs_today >= purse.jobs_cap
        style = "bold $text-error" if full else "$text-muted"
        return [(f"{purse.jobs_today} of {words.many(purse.jobs_cap, 'call')} today ", style)]

    def _other(self, purse: Purse) -> list[Part]:
        month = window_of(purse, Period.MONTH)
        dot = f" {self._symbols.dot} "
        parts: list[Part] = [(" month ", "$text-muted"), (words.cents(month.settled_micros), "")]
        if month.limit_micros is not None:
            parts.append((f" of {words.cents(month.limit_micros)}", "$text-muted"))
        if purse.unpriced:
            parts.append((f" + {purse.unpriced} unpriced", "$text-warning"))
        parts += [(f"{dot}backlog ", "$text-muted"), *self._backlog(purse)]
        if purse.saved_micros:
            parts += [(f"{dot}saved ", "$text-muted"), (words.cents(purse.saved_micros), "$text-success")]
        return parts

    def _backlog(self, purse: Purse) -> list[Part]:
        return [(backlog_words(purse.backlog), "")] if purse.backlog.calls else [("none", "$text-muted")]

    def _days(self, purse: Purse, room: int) -> list[Part]:
        """Return as many of the last days as there is room for."""
        room = min(SPARK_DAYS, len(purse.daily), room - len(" 30 days  "))
        count = next((days for days in SPARK_LENGTHS if days <= room), 0)
        if not count:
            return []
        days = purse.daily[-count:]
        return [(f"{count} days ", "$text-muted"), (sparkline(days, self._symbols), "$text-primary"), (" ", "")]


def _bar_width(width: int) -> int:
    return 10 if width < 100 else 20 if width < 160 else 30
