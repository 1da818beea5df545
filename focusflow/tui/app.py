"""What is the screen made of, who keeps it up to date, and what does each key start?"""

from collections.abc import Awaitable, Callable, Coroutine
from dataclasses import replace
from typing import Any, ClassVar

import anyio
import structlog
from textual import events as terminal
from textual.app import ComposeResult
from textual.binding import Binding
from textual.containers import Container, Vertical
from textual.content import Content
from textual.message import Message
from textual.widgets import Static
from textual.worker import Worker, WorkerState

from focusflow.errors import FocusFlowError
from focusflow.events import Bus, Event, Subscription
from focusflow.ports import Desk, JobFilter, Order, Purse, Stats
from focusflow.tui import actions, words
from focusflow.tui.actions import Action, Context, Keymap
from focusflow.tui.calls import CallsTable
from focusflow.tui.counts import CELLS, Counts, cell_of, number, working
from focusflow.tui.deeds import Deeds
from focusflow.tui.facts import Engine, Facts
from focusflow.tui.foot import Keys, Sentence, StatusLine, offered
from focusflow.tui.header import Header
from focusflow.tui.live import (
    GATHER_SECONDS,
    LOOK_SECONDS,
    MONITOR_SECONDS,
    NUMBERS_SECONDS,
    Changes,
    Live,
    digest,
    read_numbers,
)
from focusflow.tui.money import MoneyBand
from focusflow.tui.terminal import GoodManners

_log = structlog.get_logger(__name__)

EVENTS_KEPT = 20_000
SMALLEST = (60, 15)

Flow = Callable[[], Coroutine[Any, Any, None]]


class Heard(Message):
    """A burst of events."""

    def __init__(self, events: list[Event], *, lost: bool) -> None:
        super().__init__()
        self.events, self.lost = events, lost


class Numbers(Message):
    """Counts and money were read, or could not be."""

    def __init__(self, stats: Stats | None, purse: Purse | None, trouble: str | None = None) -> None:
        super().__init__()
        self.stats, self.purse, self.trouble = stats, purse, trouble


class Said(Message):
    """A deed was done, or was not."""

    def __init__(self, sentence: str, *, bad: bool = False) -> None:
        super().__init__()
        self.sentence, self.bad = sentence, bad


class FocusFlowApp(GoodManners, inherit_bindings=False):
    """The screen. It shows what the desk and the bus tell, and asks the desk for what the keys mean."""

    CSS_PATH = "focusflow.tcss"
    TITLE = "FocusFlow"
    ENABLE_COMMAND_PALETTE = False
    BINDINGS: ClassVar[list[Binding]] = [  # type: ignore[assignment]
        *actions.bindings(),
        *(Binding(cell.key, f"filter('{cell.key}')", cell.word, show=False) for cell in CELLS),
    ]

    def __init__(self, desk: Desk, bus: Bus, facts: Facts, engine: Engine | None = None) -> None:
        super().__init__()
        self.desk, self.bus, self.facts, self.engine = desk, bus, facts, engine
        self.live = Live()
        self.deeds = Deeds(desk, facts, engine)
        self.symbols = words.symbols(facts.ascii)
        self.keys: Keymap = actions.keymap(facts.keys)
        self._numbers_asked = anyio.Event()

    def compose(self) -> ComposeResult:
        with Vertical(id="main"):
            yield Header(self.facts, self.live, self.engine)
            yield Counts()
            yield MoneyBand(self.facts)
            with Container(id="body"), Vertical(id="list"):
                yield CallsTable(self.desk, self.facts, self.live, id="calls")
            yield Sentence()
            yield StatusLine()
            yield Keys()
        yield Static(
            Content(f"The window is too small: FocusFlow needs {SMALLEST[0]} columns and {SMALLEST[1]} lines."),
            id="too-small",
            markup=False,
        )

    def on_mount(self) -> None:
        self.set_keymap({name: ",".join(keys) for name, keys in self.keys.keys.items()})
        self.theme = self.facts.theme or ("ansi-dark" if self.facts.few_colours else "textual-dark")
        self.query_one(CallsTable).focus()
        self.run_worker(self._follow(), group="feed", exit_on_error=False)

    @property
    def table(self) -> CallsTable:
        return self.query_one(CallsTable)

    # ------------------------------------------------------------------------------------------------------ the feed

    async def _follow(self) -> None:
        """Hear what happens, a burst at a time, and read the numbers when they may have changed. Touches no widget."""
        with self.bus.subscribe(limit=EVENTS_KEPT) as events:
            await self._read_numbers()
            async with anyio.create_task_group() as group:
                group.start_soon(self._gather, events)
                group.start_soon(self._count)

    async def _gather(self, events: Subscription) -> None:
        lost = 0
        while True:
            first = await events.get()
            await anyio.sleep(GATHER_SECONDS)
            burst = [first, *events.drain()]
            self.post_message(Heard(burst, lost=events.dropped > lost))
            lost = events.dropped

    async def _count(self) -> None:
        """Read the numbers when asked to, and now and then, because other programs write to the store too."""
        every = MONITOR_SECONDS if self.engine is None else LOOK_SECONDS
        while True:
            with anyio.move_on_after(every):
                await self._numbers_asked.wait()
            self._numbers_asked = anyio.Event()
            await self._read_numbers()
            await anyio.sleep(NUMBERS_SECONDS)

    async def _read_numbers(self) -> None:
        try:
            self.post_message(Numbers(*await read_numbers(self.desk, self.facts)))
        except FocusFlowError as exc:
            self.post_message(Numbers(None, None, str(exc)))

    def on_heard(self, message: Heard) -> None:
        changes = digest(message.events, self.live)
        self._show_changes(changes, lost=message.lost)

    def _show_changes(self, changes: Changes, *, lost: bool) -> None:
        if changes.added or lost:
            self.table.read_again()
        elif changes.calls:
            self.table.read_rows(changes.calls)
        self.table.redraw(changes.moving)
        if changes.numbers or lost:
            self._numbers_asked.set()
        if changes.head:
            self.query_one(Header).redraw()

    def on_numbers(self, message: Numbers) -> None:
        other = message.stats != self.live.stats
        known = self.live.stats is not None
        self.live.trouble = message.trouble
        if message.stats is not None:
            self.live.stats, self.live.purse = message.stats, message.purse
        self._show_head()
        if other and known and message.stats is not None:
            self.table.read_again()
        self._show_listed()
        self._show_keys()

    # ------------------------------------------------------------------------------------------------------- the lines

    def _show_head(self) -> None:
        self.query_one(Header).redraw()
        self.query_one(Counts).show(self.live.stats, self.table.view.filter)
        self.query_one(MoneyBand).show(self.live.purse)

    def on_calls_table_selected(self, message: CallsTable.Selected) -> None:
        row = message.row
        if row is None:
            self.query_one(Sentence).say(Content(""))
        else:
            said = words.sentence(row, self.facts.clock.now(), self.facts.budgets.zone)
            self.query_one(Sentence).say(Content(f" {said}"))
        self._show_keys()

    def on_calls_table_listed(self, message: CallsTable.Listed) -> None:
        self._show_listed()
        self._show_keys()

    def on_calls_table_trouble(self, message: CallsTable.Trouble) -> None:
        self.say(message.sentence, bad=True)

    def _show_listed(self) -> None:
        view, parts = self.table.view, list[str]()
        if marked := len(self.table.marked):
            parts.append(f"{marked} marked")
        cell = cell_of(view.filter)
        if cell is not CELLS[0]:
            parts.append(f"only {cell.word}")
        if view.filter.search:
            parts.append(f"with “{view.filter.search}”")
        if view.order is not Order.TIME or not view.descending:
            parts.append(f"by {view.order} {self.symbols.down if view.descending else self.symbols.up}")
        count = number(cell, self.live.stats)
        if count is not None and not view.filter.search:
            parts.append(words.many(count, "call"))
        self.query_one(StatusLine).listed(f" {self.symbols.dot} ".join(parts))
        self.query_one(Counts).show(self.live.stats, view.filter)

    def _show_keys(self) -> None:
        context = self.context()
        self.query_one(Keys).show(offered(actions.in_force(context), context), self.keys)

    def on_resize(self, event: terminal.Resize) -> None:
        small = event.size.width < SMALLEST[0] or event.size.height < SMALLEST[1]
        self.screen.set_class(small, "-too-small")
        self.call_after_refresh(self._show_keys)

    def say(self, sentence: str, *, bad: bool = False) -> None:
        """Answer on the status line."""
        self.query_one(StatusLine).answer(sentence, style="$text-error" if bad else "")

    def on_said(self, message: Said) -> None:
        self.say(message.sentence, bad=message.bad)

    def context(self) -> Context:
        """Return what the keys are meant for now."""
        stats = self.live.stats
        row = self.table.row
        return Context(
            job=row.job if row else None,
            marked=len(self.table.marked),
            control=self.live.control,
            in_flight=working(stats),
            failed=number(CELLS[7], stats) or 0,
            monitor=self.engine is None,
            read_only=self.facts.read_only,
        )

    # ---------------------------------------------------------------------------------------------------------- deeds

    def run_flow(self, flow: Flow) -> None:
        """Let something go on beside the screen, which may ask; what goes wrong is said."""
        self.run_worker(self._guarded(flow), group="deeds", exit_on_error=False)

    async def _guarded(self, flow: Flow) -> None:
        try:
            await flow()
        except FocusFlowError as exc:
            self.post_message(Said(str(exc), bad=True))

    def _run(self, deed: Callable[[], Awaitable[str]], meanwhile: str) -> None:
        """Do something, saying at once that it is being done and then how it went."""

        async def flow() -> None:
            self.post_message(Said(await deed()))

        self.say(meanwhile)
        self.run_flow(flow)

    def on_worker_state_changed(self, event: Worker.StateChanged) -> None:
        """A mistake beside the screen does not end it: it is said here, and kept in the log."""
        if event.state is WorkerState.ERROR and event.worker.error is not None:
            _log.error("a mistake in the screen", exc_info=event.worker.error)
            self.say(f"A mistake in FocusFlow: {event.worker.error}. It is in the log.", bad=True)

    async def action_do(self, name: str) -> None:
        """Do the action of that name, or say why it means nothing now."""
        action = next(known for known in actions.ACTIONS if known.id == name)
        context = self.context()
        if not actions.applies(action, context):
            self.say(_why_not(action, context))
            return
        getattr(self, f"do_{name}")()

    def action_filter(self, key: str) -> None:
        """Show the calls of one cell."""
        cell = next(cell for cell in CELLS if cell.key == key)
        search = self.table.view.filter.search
        self._list(replace(cell.filter, search=search))

    def on_counts_chosen(self, message: Counts.Chosen) -> None:
        self.action_filter(message.cell.key)

    def _list(self, filter: JobFilter) -> None:
        self.table.show(replace(self.table.view, filter=filter))

    def do_down(self) -> None:
        self.table.move(1)

    def do_up(self) -> None:
        self.table.move(-1)

    def do_page_down(self) -> None:
        self.table.move(self.table.page)

    def do_page_up(self) -> None:
        self.table.move(-self.table.page)

    def do_first(self) -> None:
        self.table.to_first()

    def do_last(self) -> None:
        self.table.to_last()

    def do_quit(self) -> None:
        self.exit(0)


def _why_not(action: Action, context: Context) -> str:
    if action.writes and context.read_only:
        return "This database can only be read: nothing can be asked for here."
    return f"{action.help.split(';')[0]}: nothing here to do that with."
