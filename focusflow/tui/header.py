"""What does the first line say: is it running, which services answer, when does it look next?"""

from collections.abc import Iterator
from datetime import datetime

from textual import events
from textual.content import Content

from focusflow.domain.jobs import WORKING
from focusflow.events import LoopTicked, ServiceChanged, ServiceState
from focusflow.ports import BudgetWindow, Purse, Stats
from focusflow.tui import words
from focusflow.tui.band import Band, Part, line
from focusflow.tui.facts import Engine, Facts
from focusflow.tui.live import Live
from focusflow.tui.plain import plain

BROKEN_AFTER = 3
"""So many failures of a loop in a row are shown as broken rather than as a hiccup."""
WIDE = 110
BRAND_GIVES_WAY = 8
"""On a narrow screen the product's name gives way to a state that needs more letters."""

_LAMPS = {
    ServiceState.OK: ("ok", "$text-success"),
    ServiceState.SLOW: ("slow", "$text-warning"),
    ServiceState.LIMITED: ("limited", "$text-warning"),
    ServiceState.BROKEN: ("broken", "bold $text-error"),
}

_LOOPS = {"discovery": "looks for calls", "processor": "starts calls"}


class Header(Band):
    """The first line of the screen."""

    def __init__(self, facts: Facts, live: Live, engine: Engine | None) -> None:
        super().__init__(id="header")
        self._facts, self._live, self.engine = facts, live, engine
        self._symbols = words.symbols(facts.ascii)

    def redraw(self) -> None:
        width = self.size.width
        word, style = state(self._live, self._facts, self.engine)
        brand = [] if width < WIDE and len(word) > BRAND_GIVES_WAY else [(" FocusFlow ", "bold $text-primary")]
        gap = "  " if width >= WIDE else " "
        left: list[Part] = [(f" {word} ", style), (gap, "")]
        for lamp in self._lamps():
            left += [*lamp, (gap, "")]
        turns: list[Part] = [*self._turns(width), (" ", "")]
        # no word is cut where something else can give way: the name first, then the next turns
        if Content.assemble(*brand, *left, *turns).cell_length > width:
            brand = []
        if Content.assemble(*brand, *left, *turns).cell_length > width:
            turns = []
        self.say(line([*brand, *left], turns, width))

    def on_resize(self, event: events.Resize) -> None:
        self.redraw()

    def _lamps(self) -> Iterator[list[Part]]:
        """Yield what is wrong first, because a narrow screen has no room for all."""
        for tick in self._live.loops.values():
            if tick.error is not None:
                yield [
                    (_loop_words(tick), "$text-error" if tick.failures_in_a_row >= BROKEN_AFTER else "$text-warning")
                ]
        seen = self._live.services
        names = [*self._facts.services, *(name for name in seen if name not in self._facts.services)]
        for name in sorted(names, key=lambda name: _severity(seen.get(name))):
            yield self._service(name, seen.get(name))

    def _service(self, name: str, seen: ServiceChanged | None) -> list[Part]:
        if seen is None:
            return [(f"{self._symbols.todo} ", "$text-muted"), (plain(name), "$text-muted")]
        word, style = _LAMPS[seen.state]
        if seen.state is ServiceState.OK:
            return [(f"{self._symbols.lamp} ", style), (plain(name), "")]
        if seen.until is not None:
            word += f" until {words.until(seen.until, self._facts.clock.now(), self._facts.budgets.zone)}"
        return [(f"{self._symbols.failed if seen.state is ServiceState.BROKEN else self._symbols.waiting} ", style),
                (f"{plain(name)} {word}", style)]  # fmt: skip

    def _turns(self, width: int) -> list[Part]:
        if self._facts.demo and self.engine is None:
            return []
        turns = self.engine.next_turns() if self.engine else {}
        now = self._facts.clock.now()
        if width < WIDE:
            soonest = turns.get("discovery")
            return [(f"looks in {_soon(soonest, now)}", "$text-muted")] if soonest else []
        parts = [f"{said} in {_soon(turns[name], now)}" for name, said in _LOOPS.items() if name in turns]
        return [(f" {self._symbols.dot} ".join(parts), "$text-muted")] if parts else []


def _soon(at: datetime, now: datetime) -> str:
    said = words.minutes(at, now)
    return "1 min" if said == "now" else said


def _severity(seen: ServiceChanged | None) -> int:
    """Return a number that is the lower the worse a service behaves; what works keeps the order of the work."""
    order = (ServiceState.BROKEN, ServiceState.LIMITED, ServiceState.SLOW)
    return order.index(seen.state) if seen is not None and seen.state in order else len(order)


def _loop_words(tick: LoopTicked) -> str:
    again = f" ({tick.failures_in_a_row} times)" if tick.failures_in_a_row > 1 else ""
    return f"{plain(tick.loop)} failed{again}"


def state(live: Live, facts: Facts, engine: Engine | None) -> tuple[str, str]:
    """Return what the product does as a whole, in a word or two, and its style."""
    stats, purse = live.stats, live.purse
    if facts.not_set_up(live.worker):
        return "not set up", "$text-warning reverse"
    if live.trouble:
        return live.trouble_word or "no database", "$text-error reverse"
    if stats is None:
        return "starting", "$text-muted"
    if live.read_only is not None:
        return "read only", "$text-warning reverse"
    if live.refused is not None:
        return live.refused, "$text-error reverse"
    if engine is not None and engine.draining:
        return "draining", "$text-warning reverse"
    if stats.control.paused:
        return _paused(stats), "$text-warning reverse"
    if purse is not None and purse.stopped_until is not None:
        return "spending stopped", "$text-error reverse"
    if purse is not None and over(purse) is not None:
        return "over budget", "$text-error reverse"
    return _working(live, facts, engine)


def _paused(stats: Stats) -> str:
    working = sum(stats.counts.get(status, 0) for status in WORKING)
    return f"paused, {working} finishing" if working else "paused"


def _working(live: Live, facts: Facts, engine: Engine | None) -> tuple[str, str]:
    if engine is None and live.worker is None:
        return "monitor, nobody works", "$text-warning reverse"
    if engine is None:
        return f"monitor of {plain(live.worker or '')}", "$text-accent reverse"
    if not facts.automatic:
        return "on request", "$text-warning reverse"
    return ("demo" if facts.demo else "running"), "$text-success reverse"


def over(purse: Purse) -> BudgetWindow | None:
    """Return the first budget that has nothing left, if any has."""
    return next((window for window in purse.windows if used(window) >= 100), None)


def used(window: BudgetWindow) -> int:
    """Return how much of a budget is spent or reserved, in per cent; 0 without a limit."""
    if window.limit_micros is None:
        return 0
    gone = window.settled_micros + window.reserved_micros
    return 100 if window.limit_micros <= 0 else gone * 100 // window.limit_micros
