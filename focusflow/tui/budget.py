"""How does a person change what may be spent, and what will it change?"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from decimal import Decimal, InvalidOperation
from enum import StrEnum

from msgspec import Struct
from textual import events
from textual.app import ComposeResult
from textual.containers import Vertical
from textual.content import Content
from textual.screen import ModalScreen
from textual.widgets import Static

from focusflow.domain.budgets import Period
from focusflow.domain.jobs import JobId
from focusflow.domain.money import micros_from_usd
from focusflow.ports import BudgetWindow, Override, OverrideKind, Purse, RunPrice
from focusflow.tui import words
from focusflow.tui.ask import table
from focusflow.tui.deeds import costs, priced
from focusflow.tui.facts import Facts
from focusflow.tui.header import used
from focusflow.tui.money import backlog_words, day, left, window_of
from focusflow.tui.plain import plain

STEP = Decimal(1)
"""Dollars that + and - change the amount by."""
MOST = Decimal(10_000)


class Choice(StrEnum):
    """What can be done about the budget."""

    GO_ON = "go on"
    RAISE = "raise"
    WEEK = "raise the week's"
    MONTH = "raise the month's"
    THROUGH = "through"
    LIFT = "lift"
    STOP = "stop"
    UNDO = "undo"


RAISES: Mapping[Choice, Period] = {
    Choice.RAISE: Period.DAY,
    Choice.WEEK: Period.WEEK,
    Choice.MONTH: Period.MONTH,
}
_WHOSE: Mapping[Period, str] = {
    Period.DAY: "today's budget",
    Period.WEEK: "this week's budget",
    Period.MONTH: "this month's budget",
}
_LEFT: Mapping[Period, str] = {
    Period.DAY: "left today",
    Period.WEEK: "left this week",
    Period.MONTH: "left this month",
}


class Wish(Struct, frozen=True, kw_only=True):
    """What was chosen."""

    choice: Choice
    amount_micros: int = 0
    undone: tuple[Override, ...] = ()


class Case(Struct, frozen=True, kw_only=True):
    """What the choice is about."""

    purse: Purse
    job_ids: tuple[JobId, ...]
    price: RunPrice | None
    """Of those calls; None: there are none."""
    waiting: int
    """Calls that wait for a budget."""
    now: datetime


def choices(case: Case) -> list[Choice]:
    """Return what means something now, and first the way out of what holds everything back."""
    stopped = case.purse.stopped_until is not None
    raises = [choice for choice, period in RAISES.items() if window_of(case.purse, period).limit_micros is not None]
    found = [Choice.GO_ON, *raises] if stopped else raises
    found += [Choice.THROUGH] if case.price is not None and costs(case.price) else []
    found += [Choice.LIFT] if raises else []
    found += [] if stopped else [Choice.STOP]
    return found + ([Choice.UNDO] if undone(Choice.UNDO, case.purse) else [])


def undone(choice: Choice, purse: Purse) -> tuple[Override, ...]:
    """Return which exceptions a choice takes back: every stop, or the newest of the others."""
    if choice is Choice.GO_ON:
        return tuple(made for made in purse.overrides if made.kind is OverrideKind.STOP)
    others = tuple(made for made in purse.overrides if made.kind is not OverrideKind.STOP)
    return others[:1] if choice is Choice.UNDO else ()


def title(choice: Choice, case: Case, amount: str) -> str:
    """Return a choice in words."""
    calls = "this call" if len(case.job_ids) == 1 else f"these {len(case.job_ids)} calls"
    newest = undone(Choice.UNDO, case.purse)
    said: Mapping[Choice, str] = {
        Choice.GO_ON: "go on spending",
        **{raising: f"raise {_WHOSE[period]} by ${amount}" for raising, period in RAISES.items()},
        Choice.THROUGH: f"let {calls} through, whatever is left",
        Choice.LIFT: "lift every budget until midnight",
        Choice.STOP: "stop all spending for thirty days, or until you go on",
        Choice.UNDO: f"undo: {override_words(newest[0])}" if newest else "undo",
    }
    return said[choice]


def override_words(override: Override) -> str:
    """Return an exception in words: `$2.00 more today`."""
    amount = words.cents(override.amount_micros or 0)
    match override.kind:
        case OverrideKind.RAISE:
            return f"{amount} more this {override.period}"
        case OverrideKind.SET:
            return f"{amount} this {override.period} instead of what is configured"
        case OverrideKind.LIFT:
            return "one call passes the budgets" if override.job_id else "no budget holds"
        case OverrideKind.STOP:
            return "all spending is stopped"


def effects(choice: Choice, case: Case, amount_micros: int) -> list[tuple[str, str]]:
    """Return what a choice changes, before and after."""
    today = day(case.purse)
    before = _limit(today.limit_micros)
    match choice:
        case Choice.GO_ON:
            return [
                ("what costs money", "is begun again, as far as the budgets go"),
                ("backlog", backlog_words(case.purse.backlog)),
            ]
        case Choice.RAISE | Choice.WEEK | Choice.MONTH:
            window = window_of(case.purse, RAISES[choice])
            raised = (window.limit_micros or 0) + amount_micros
            after = max(0, raised - window.settled_micros - window.reserved_micros)
            return [
                (_WHOSE[window.period], f"{_limit(window.limit_micros)} -> {words.cents(raised)}"),
                (_LEFT[window.period], f"{_limit(left(window))} -> {words.cents(after)}"),
                *_waiting(case, "may start, as far as that goes"),
            ]
        case Choice.THROUGH:
            return [
                ("price", priced(case.price) if case.price is not None else "unknown"),
                (
                    "today's budget",
                    f"{before} stays; {words.many(len(case.job_ids), 'call')} may go over it, for a week",
                ),
                *_stopped(case),
            ]
        case Choice.LIFT:
            return [
                *(
                    (_WHOSE[window.period], f"{_limit(window.limit_micros)} -> no limit until midnight")
                    for window in case.purse.windows
                    if window.limit_micros is not None
                ),
                *_waiting(case, "may start at once"),
                ("backlog", backlog_words(case.purse.backlog)),
            ]
        case Choice.STOP:
            return [
                ("what runs", "is finished, and paid for"),
                ("everything else", "waits for thirty days, or until you go on"),
            ]
        case Choice.UNDO:
            (override,) = undone(choice, case.purse)
            window = window_of(case.purse, override.period or Period.DAY)
            return [
                (
                    "made",
                    f"from {plain(override.made_from)}" + (f": {plain(override.reason)}" if override.reason else ""),
                ),
                (_WHOSE[window.period], f"{_limit(window.limit_micros)} -> {_without(override, window)}"),
            ]


def _limit(micros: int | None) -> str:
    return "no limit" if micros is None else words.cents(micros)


def _waiting(case: Case, what: str) -> list[tuple[str, str]]:
    said = [("waiting calls", f"{words.many(case.waiting, 'call')} {what}")] if case.waiting else []
    return _stopped(case) or said


def _stopped(case: Case) -> list[tuple[str, str]]:
    return [("but", "nothing is begun while all spending is stopped")] if case.purse.stopped_until is not None else []


def _without(override: Override, window: BudgetWindow) -> str:
    if override.kind is OverrideKind.RAISE and window.limit_micros is not None:
        return words.cents(max(0, window.limit_micros - (override.amount_micros or 0)))
    if override.kind in (OverrideKind.LIFT, OverrideKind.SET) and override.job_id is None:
        return _limit(window.configured_micros)
    return _limit(window.limit_micros)


class BudgetScreen(ModalScreen[Wish | None]):
    """The choices, and what the one under the cursor would change."""

    def __init__(self, case: Case, facts: Facts) -> None:
        super().__init__()
        self._case, self._facts = case, facts
        self._choices = choices(case)
        self._chosen = 0
        self._amount = "1.00"
        self._typed = ""

    def compose(self) -> ComposeResult:
        with Vertical(id="budget", classes="box"):
            yield Static(Content("Budget"), classes="question", markup=False)
            yield Static(self._windows(), id="budget-windows", markup=False)
            yield Static(id="budget-choices", markup=False)
            yield Static(id="budget-effects", markup=False)
            yield Static(
                Content("Enter does it, j and k choose, digits or + and - set the amount, Esc leaves it"),
                id="budget-keys",
                markup=False,
            )

    def on_mount(self) -> None:
        self._redraw()

    def _windows(self) -> Content:
        lines = []
        for window in self._case.purse.windows:
            if window.limit_micros is None and window.period is not Period.DAY:
                continue
            spent = words.cents(window.settled_micros)
            reserved = f" + {words.cents(window.reserved_micros)} reserved" if window.reserved_micros else ""
            share = f", {used(window)} %" if window.limit_micros is not None else ""
            lines.append((str(window.period), f"{spent}{reserved} of {_limit(window.limit_micros)}{share}"))
        for override in self._case.purse.overrides:
            until = words.until(override.until, self._case.now, self._facts.budgets.zone)
            lines.append(("in force", f"{override_words(override)}, until {until}"))
        return table(lines)

    def _redraw(self) -> None:
        sign = words.symbols(self._facts.ascii).cursor
        said = []
        for place, choice in enumerate(self._choices):
            here = place == self._chosen
            text = title(choice, self._case, self._typed or self._amount)
            said.append(Content.styled(f"{sign if here else ' '} {text}", "bold $text-accent" if here else ""))
        self.query_one("#budget-choices", Static).update(Content("\n").join(said))
        self.query_one("#budget-effects", Static).update(
            table(effects(self._choices[self._chosen], self._case, self._micros()))
        )

    def _micros(self) -> int:
        return micros_from_usd(self._dollars())

    def _dollars(self) -> Decimal:
        try:
            return min(MOST, max(Decimal(0), Decimal(self._typed or self._amount)))
        except InvalidOperation:
            return Decimal(0)

    def on_key(self, event: events.Key) -> None:
        event.stop()
        key = event.key
        if key in ("escape", "q", "ctrl+c", "ctrl+q", "n"):
            self.dismiss(None)
        elif key in ("enter", "y"):
            self._choose()
        elif key in ("j", "down", "tab"):
            self._chosen = (self._chosen + 1) % len(self._choices)
        elif key in ("k", "up", "shift+tab"):
            self._chosen = (self._chosen - 1) % len(self._choices)
        elif self._choices[self._chosen] in RAISES:
            self._edit(key, event.character or "")
        if self.is_current:
            self._redraw()

    def _edit(self, key: str, character: str) -> None:
        if key == "backspace":
            self._typed = self._typed[:-1]
        elif character and character in "0123456789." and len(self._typed) < 8:
            self._typed += character
        elif key in ("plus", "equals_sign", "minus"):
            by = -STEP if key == "minus" else STEP
            self._amount, self._typed = f"{max(STEP, min(MOST, self._dollars() + by)):.2f}", ""

    def _choose(self) -> None:
        choice = self._choices[self._chosen]
        if choice in RAISES and not self._micros():
            return
        back = undone(choice, self._case.purse)
        self.dismiss(Wish(choice=choice, amount_micros=self._micros(), undone=back))


def answer(wish: Wish, made: Sequence[Override], case: Case, key: str) -> str:
    """Return what has been done about the budget; *key* opens the dialog again."""
    match wish.choice:
        case Choice.GO_ON:
            return "Spending goes on, as far as the budgets go."
        case Choice.RAISE | Choice.WEEK | Choice.MONTH:
            window = window_of(case.purse, RAISES[wish.choice])
            raised = words.cents((window.limit_micros or 0) + wish.amount_micros)
            whose = _WHOSE[window.period].capitalize()
            return (
                f"{whose} is {raised} now{', until midnight' if window.period is Period.DAY else ''}. {key} undoes it."
            )
        case Choice.THROUGH:
            return f"{words.many(len(made), 'call')} may go over the budget, for a week. {key} undoes it."
        case Choice.LIFT:
            return f"No budget holds until midnight. {key} undoes it."
        case Choice.STOP:
            return f"Nothing that costs money is begun for thirty days. {key} goes on."
        case Choice.UNDO:
            what = " and ".join(map(override_words, wish.undone))
            return f"Undone ({what}): the budget is as it was before."
