"""What is the screen made of, who keeps it up to date, and what does each key start?"""

import logging
from collections import Counter
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from functools import partial
from typing import Any, ClassVar

import anyio
from msgspec.structs import replace
from textual import events as terminal
from textual import on
from textual.app import ComposeResult
from textual.binding import Binding
from textual.containers import Container, Vertical
from textual.content import Content
from textual.drivers.linux_driver import LinuxDriver
from textual.filter import LineFilter
from textual.message import Message
from textual.screen import Screen
from textual.widgets import Input, Static
from textual.worker import Worker, WorkerState

from focusflow.domain.jobs import JobId, Status
from focusflow.errors import DiskFull, FocusFlowError, StoreBusy, StoreReadOnly
from focusflow.events import Bus, Event, LoopTicked, ServiceChanged, ServiceState, Subscription
from focusflow.ports import Desk, JobFilter, JobRow, Order, Purse, Stats
from focusflow.tui import actions, words
from focusflow.tui.actions import Action, Context, Keymap
from focusflow.tui.beside import go_on_beside
from focusflow.tui.calls import CallsTable
from focusflow.tui.commands import Commands
from focusflow.tui.counts import CELLS, FAILED, Cell, Counts, cell_of, layout, number, working
from focusflow.tui.deeds import Deeds, Older, priced
from focusflow.tui.detail.keys import DETAIL_ACTIONS
from focusflow.tui.detail.pane import Detail
from focusflow.tui.facts import NOT_SET_UP, READ_ONLY, Engine, Facts, Leaving, Role
from focusflow.tui.foot import Keys, SearchBox, Sentence, StatusLine, offered
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
    trouble_word,
)
from focusflow.tui.money import MoneyBand
from focusflow.tui.plain import plain
from focusflow.tui.terminal import GoodManners

_log = logging.getLogger(__name__)

EVENTS_KEPT = 20_000
SMALLEST = (60, 15)
"""Columns and lines below which nothing reads well."""
BESIDE_COLUMNS = 150
"""From this width on the call's panes are beside the list."""
BELOW_LINES = 36
"""From this height on they are below it."""
REST_SECONDS = 0.1
"""A cursor that rests so long is looked at; one that runs past is not."""
TYPING_SECONDS = 0.15
"""A search begins when nobody has typed for so long."""
ANSWER_SECONDS = 20.0
DRAIN_LOOK_SECONDS = 0.5
MATCHES_COUNTED = 10_000
"""What a search finds is counted up to here."""

Flow = Callable[[], Coroutine[Any, Any, None]]


class Heard(Message):
    """A burst of events."""

    def __init__(self, events: list[Event], *, lost: bool) -> None:
        super().__init__()
        self.events, self.lost = events, lost


class Numbers(Message):
    """Counts and money were read, or could not be."""

    def __init__(
        self, stats: Stats | None, purse: Purse | None, trouble: str | None = None, trouble_word: str = ""
    ) -> None:
        super().__init__()
        self.stats, self.purse, self.trouble, self.trouble_word = stats, purse, trouble, trouble_word


class Hosted(Message):
    """The screen has become something else beside others on the same database."""

    def __init__(self, role: Role) -> None:
        super().__init__()
        self.role = role


class Matched(Message):
    """A search was counted."""

    def __init__(self, filter: JobFilter, count: int) -> None:
        super().__init__()
        self.filter, self.count = filter, count


class Said(Message):
    """A deed was done, or was not."""

    def __init__(self, sentence: str, *, bad: bool = False, refused: str | None = None) -> None:
        super().__init__()
        self.sentence, self.bad, self.refused = sentence, bad, refused


class FocusFlowApp(GoodManners, inherit_bindings=False):
    """The screen. It shows what the desk and the bus tell, and asks the desk for what the keys mean."""

    CSS_PATH: ClassVar = ["focusflow.tcss", "detail.tcss"]
    TITLE = "FocusFlow"
    ENABLE_COMMAND_PALETTE = False
    BINDINGS: ClassVar[list[Binding]] = [  # type: ignore[assignment]
        *actions.bindings(),
        *(Binding(cell.key, f"filter('{cell.key}')", cell.word, show=False) for cell in CELLS),
    ]

    on_take_over: Callable[[], None] | None = None
    """Called when somebody wants the work to be done here; the host then changes the screen's role."""

    def __init__(self, desk: Desk, bus: Bus, facts: Facts, engine: Engine | None = None) -> None:
        super().__init__(
            theme=facts.theme or ("ansi-dark" if facts.few_colours or facts.no_colour else "textual-dark"),
            no_colour=facts.no_colour,
        )
        self.desk, self.bus, self.facts, self.engine = desk, bus, facts, engine
        self.live = Live(worker=facts.worker, read_only=READ_ONLY if facts.read_only else None)
        self.deeds = Deeds(desk, facts, engine)
        self.symbols = words.symbols(facts.ascii)
        self._ascii: list[LineFilter] = _ascii_filter() if facts.ascii else []
        self.keys: Keymap = actions.keymap(facts.keys, actions.ACTIONS, DETAIL_ACTIONS)
        self.older: Older | None = None
        self.table = CallsTable(desk, facts, self.live, id="calls")
        self.detail = Detail(desk, facts)
        self._furnishing = self._furnished = False
        """The panes of a call are brought in; are there."""
        self._header, self._counts, self._money = Header(facts, self.live, engine), Counts(), MoneyBand(facts)
        self._sentence, self._status, self._search_box, self._keys_line = Sentence(), StatusLine(), SearchBox(), Keys()
        self._commands = Commands(self)
        self._numbers_asked = anyio.Event()
        self._marked: dict[JobId, Status] = {}
        self._typing = ""
        self._matched: Matched | None = None

    def compose(self) -> ComposeResult:
        with Vertical(id="main"):
            yield from (self._header, self._counts, self._money)
            with Container(id="body"):
                yield self.table
                yield Container(id="detail")  # the panes come into it when the first calls are there
            yield from (self._sentence, self._status, self._search_box, self._keys_line)
        yield Static(
            Content(f"The window is too small: FocusFlow needs {SMALLEST[0]} columns and {SMALLEST[1]} lines."),
            id="too-small",
            markup=False,
        )

    def get_line_filters(self) -> Sequence[LineFilter]:
        return [*super().get_line_filters(), *self._ascii]

    def on_mount(self) -> None:
        self.set_keymap(self.keys.moved)
        self.table.focus()
        self.screen_change_signal.subscribe(self, lambda _: self._show_keys())
        go_on_beside(self, self._follow, group="feed")
        self._look_for_older()
        if self.keys.problems:
            first, *others = self.keys.problems
            more = f"{words.many(len(others) + 1, 'key')} not as wished ({self.facts.key('help')} tells all): "
            self.say(f"{more if others else ''}{first}", bad=True)
        elif self.facts.theme not in (None, self.theme):
            self.say(
                f"There is no theme {self.facts.theme}: {self.facts.key('theme')} shows those there are.", bad=True
            )

    @property
    def _main(self) -> Screen[Any]:
        """The screen below every question."""
        return self.screen_stack[0]

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
            self.post_message(Numbers(None, None, str(exc), trouble_word(exc)))

    def on_heard(self, message: Heard) -> None:
        for event in message.events:
            if isinstance(event, ServiceChanged) and event.state is ServiceState.BROKEN:
                self.say(f"{event.service} is broken: {event.reason}", bad=True)
            elif isinstance(event, ServiceChanged) and event.state is ServiceState.LIMITED and event.until is None:
                self.say(f"{event.service}: {event.reason}", bad=True)  # what it lacks is not mended by waiting
            elif isinstance(event, LoopTicked) and event.error and not _failed_before(self.live, event):
                self.say(f"{event.loop} failed: {event.error}", bad=True)
        if self._furnished:
            self.detail.heard(*message.events)
        changes = digest(message.events, self.live)
        self._show_changes(changes, lost=message.lost)

    def _show_changes(self, changes: Changes, *, lost: bool) -> None:
        if changes.added or lost:
            self.table.read_again()
            if self.older is None:
                self._look_for_older()
        elif changes.calls:
            self.table.read_rows(changes.calls)
        self.table.redraw(changes.moving)
        if changes.numbers or lost:
            self._numbers_asked.set()
        if changes.head:
            self._header.redraw()

    def on_numbers(self, message: Numbers) -> None:
        other = message.stats != self.live.stats
        known = self.live.stats is not None
        troubled, self.live.trouble, self.live.trouble_word = self.live.trouble, message.trouble, message.trouble_word
        if message.trouble != troubled:
            self.table.draw_again()
        if troubled and not message.trouble:
            self.table.read_again()
        if message.stats is not None:
            rests = self._at_rest()
            self.live.stats, self.live.purse = message.stats, message.purse
            if self._at_rest() != rests:
                self._show_sentence(self.table.row)
        self._show_head()
        if other and known and message.stats is not None:
            self.table.read_again()
        self._show_listed()
        self._show_keys()

    # ------------------------------------------------------------------------------------------------------- the lines

    def _show_head(self) -> None:
        self._header.redraw()
        self._counts.show(self.live.stats, self.table.view.filter)
        self._money.show(self.live.purse)

    def on_calls_table_selected(self, message: CallsTable.Selected) -> None:
        self._show_sentence(message.row)
        self._show_keys()
        self._show_detail_soon()

    def _show_sentence(self, row: JobRow | None) -> None:
        """Say what happened to the call under the cursor, unless its panes say so right above."""
        if self._search_box.display:  # then it tells how many are found
            return
        told = row is None or (self._detail_in_sight() and words.troubled(row))
        key = None if self.live.read_only else self.facts.key
        now, zone = self.facts.clock.now(), self.facts.budgets.zone
        self._sentence.tell("" if told or row is None else words.sentence(row, now, zone, key, at_rest=self._at_rest()))

    def _at_rest(self) -> str:
        """Say why no call is begun now, where that is so."""
        if self.engine is not None and self.engine.draining:
            return "This closes; it waits for the next start."
        if self.live.control.paused:
            return f"Paused: {self.facts.key('resume')} goes on."
        row = self.table.row
        if not self.facts.automatic and row is not None and row.job.requested_by is None:
            return f"Nothing is done by itself (auto.enabled): {self.facts.key('process')} does it now."
        return ""

    def on_calls_table_listed(self, message: CallsTable.Listed) -> None:
        self._furnish_once()
        self._show_listed()
        self._show_keys()

    def on_calls_table_trouble(self, message: CallsTable.Trouble) -> None:
        self._furnish_once()
        self.say(message.sentence, bad=True)

    def _show_listed(self) -> None:
        view, parts = self.table.view, list[str]()
        if marked := len(self.table.marked):
            parts.append(f"{marked} marked")
        cell = cell_of(view.filter)
        if cell is not CELLS[0]:
            parts.append(f"only {cell.word}")
        if view.filter.search:
            parts.append(f"with “{plain(view.filter.search)}”")
        if view.order is not Order.TIME or not view.descending:
            parts.append(f"by {view.order} {self.symbols.down if view.descending else self.symbols.up}")
        count = number(cell, self.live.stats)
        if view.filter.search:
            parts += [found] if (found := self._found()) else []
            if found and self._search_box.display:
                self._sentence.tell(f"{found} found.")
        elif count is not None:
            parts.append(words.many(count, "call"))
        self._status.listed(f" {self.symbols.dot} ".join(parts))
        self._counts.show(self.live.stats, view.filter)

    def _show_keys(self) -> None:
        context = self.context()
        if len(self.screen_stack) > 1:  # a question names its own keys, and these are not heard
            self._keys_line.tell([])
            return
        if context.searching:
            end = ("pane_escape", "end search") if context.detail else ("close", "as before")
            self._keys_line.tell([("Enter", "done"), (self.facts.key(end[0]), end[1])])
            return
        here = actions.in_force(context)
        if context.not_set_up and context.job is None:
            here = [action for action in here if action.group is actions.Group.SCREEN]
        if context.detail:
            mine = [action for action in self.detail.in_force() if action.footer]
            taken = {key for action in DETAIL_ACTIONS for key in self.keys.of(action)}
            here = mine + [action for action in here if not taken & set(self.keys.of(action)[:1])]
            back = [action for action in actions.ACTIONS if action.id == "close"]
            here += [replace(action, footer=94) for action in back]
        self._keys_line.show(offered(here, context), self.keys)

    def on_resize(self, event: terminal.Resize) -> None:
        width, height = event.size
        small = width < SMALLEST[0] or height < SMALLEST[1]
        beside = width >= BESIDE_COLUMNS
        main = self._main
        main.set_class(small, "-too-small")
        main.set_class(beside, "-beside")
        main.set_class(len(layout(width)) == 1, "-one-line")
        main.set_class(not beside and height >= BELOW_LINES, "-below")
        self.call_after_refresh(self._show_sentence, self.table.row)
        self.call_after_refresh(self._show_keys)
        self.call_after_refresh(self._show_detail_soon)

    def say(self, sentence: str, *, bad: bool = False) -> None:
        """Answer on the status line; what is well is forgotten after a while, so that nobody takes it for news."""
        self._status.answer(sentence, style="$text-error" if bad else "")
        if not bad:
            self.set_timer(ANSWER_SECONDS, partial(self._status.forget, sentence))

    def on_said(self, message: Said) -> None:
        self.say(message.sentence, bad=message.bad)
        if message.refused != self.live.refused:
            self.live.refused = message.refused
            self._header.redraw()

    def on_hosted(self, message: Hosted) -> None:
        """Go on as something else: a monitor that works now, a screen whose database cannot be written."""
        role = message.role
        self.engine = self._header.engine = role.engine
        self.live.worker, self.live.read_only = role.worker, role.read_only
        self.detail.read_only = role.read_only
        if role.said:
            self.say(role.said, bad=role.read_only is not None)
        self.read_everything()
        self._header.redraw()
        self._show_sentence(self.table.row)
        self._show_keys()

    def context(self) -> Context:
        """Return what the keys are meant for now."""
        stats = self.live.stats
        row = self.table.row
        return Context(
            job=row.job if row else None,
            marked_as=self._marked_as(),
            control=self.live.control,
            in_flight=working(stats),
            here=self.engine.in_flight if self.engine else 0,
            draining=self.engine is not None and self.engine.draining,
            failed=number(FAILED, stats) or 0,
            older=len(self.older.job_ids) if self.older else 0,
            detail=self._detail_has_focus(),
            monitor=self.engine is None,
            orphaned=self.engine is None and self.live.worker is None and not self.facts.first_start,
            read_only=self.live.read_only is not None,
            not_set_up=self.facts.not_set_up(self.live.worker),
            searching=isinstance(self._main.focused, Input),
        )

    def _marked_as(self) -> Counter[Status]:
        """Count the marked calls by their states; one that is not held any more is as it was last seen."""
        rows, seen = self.table.window.rows, self._marked
        self._marked = {
            job_id: rows[job_id].job.status if job_id in rows else seen[job_id]
            for job_id in self.table.marked
            if job_id in rows or job_id in seen
        }
        return Counter(self._marked.values())

    # ---------------------------------------------------------------------------------------------------------- deeds

    def run_flow(self, flow: Flow) -> None:
        """Let something go on beside the screen, which may ask; what goes wrong is said."""
        go_on_beside(self, partial(self._guarded, flow), group="deeds")

    async def _guarded(self, flow: Flow) -> None:
        try:
            await flow()
        except StoreBusy:
            self.post_message(
                Said("Not done: another program has locked the database; try again.", bad=True,
                     refused="database locked")
            )  # fmt: skip
        except (StoreReadOnly, DiskFull) as exc:
            self.post_message(Said(f"Not done: {exc}", bad=True, refused=trouble_word(exc)))
        except FocusFlowError as exc:
            self.post_message(Said(str(exc), bad=True))

    def run_deed(self, deed: Callable[[], Awaitable[str]], meanwhile: str) -> None:
        """Do something, saying at once that it is being done and then how it went."""

        async def flow() -> None:
            self.tell(await deed())

        self.say(meanwhile)
        self.run_flow(flow)

    def tell(self, sentence: str) -> None:
        """Say something from beside the screen."""
        self.post_message(Said(sentence))

    def on_worker_state_changed(self, event: Worker.StateChanged) -> None:
        """A mistake beside the screen does not end it: it is said here, and kept in the log."""
        if event.state is WorkerState.ERROR and event.worker.error is not None:
            _log.error("a mistake in the screen", exc_info=event.worker.error)
            self.say(f"A mistake in FocusFlow: {event.worker.error}. It is in the log.", bad=True)

    async def _check_bindings(self, key: str, priority: bool = False) -> bool:
        """Look a key up; at once where the list has the keyboard, which would only hand it up the tree again."""
        at_list = self.table.has_focus and len(self.screen_stack) == 1
        return await super()._check_bindings(key, priority and not at_list)  # no binding of ours has priority

    def action_do(self, name: str) -> None:
        self.do(name)

    def do(self, name: str) -> None:
        """Do the action of that name, or say why it means nothing now."""
        action = actions.BY_ID[name]
        if actions.of_the_list(action) and self._detail_has_focus():
            self._say_list_is_left()
            return
        if action.writes or not action.always:
            refused = self.why_not(action)
            if refused is not None:
                self.say(refused)
                return
        getattr(self._commands, name)()

    def why_not(self, action: Action) -> str | None:
        """Return why an action means nothing now; None: it does mean something."""
        context = self.context()
        if actions.applies(action, context):
            return None
        if action.writes and self.live.read_only:
            return self.live.read_only
        return NOT_SET_UP if action.writes and context.not_set_up else actions.why_not(action, context)

    async def do_in_panes(self, name: str) -> None:
        """Do what a key of the panes does, which the panes do or the lines in them."""
        lines = self._main.focused
        await self.run_action(name, self.detail if hasattr(self.detail, f"action_{name}") else lines)

    def action_filter(self, key: str) -> None:
        """Show the calls of one cell, to whom sees the list."""
        if self._detail_has_focus():
            self._say_list_is_left()
        else:
            self.show_cell(next(cell for cell in CELLS if cell.key == key))

    def show_cell(self, cell: Cell) -> None:
        self.list_calls(replace(cell.filter, search=self.table.view.filter.search))

    def on_counts_chosen(self, message: Counts.Chosen) -> None:
        self.show_cell(message.cell)

    def _say_list_is_left(self) -> None:
        self.say(f"{self.facts.key('close')} leads back to the list: that key is for it.")

    def list_calls(self, filter: JobFilter) -> None:
        """Show other calls."""
        self.table.show(replace(self.table.view, filter=filter))

    # -------------------------------------------------------------------------------------------------------- searching

    def open_search(self) -> None:
        """Let somebody type what to search for, in the place of the status line."""
        box = self._search_box
        box.before = self.table.view.filter.search
        box.value = box.before
        self._show_search(True)

    def close_search(self) -> bool:
        """Leave the search as it was before; False if nobody is typing."""
        box = self._search_box
        if not box.display:
            return False
        self._search(box.before)
        self._show_search(False)
        return True

    def _show_search(self, shown: bool) -> None:
        box = self._search_box
        box.display = shown
        self._status.display = not shown
        self._main.set_focus(box if shown else self.table)  # at once: what is typed next is meant for it
        if not shown:
            self.post_message(CallsTable.Selected(self.table.row))

    @on(Input.Changed, "#search")
    def _typed(self, event: Input.Changed) -> None:
        if self._search_box.display:
            self._typing = event.value
            self.set_timer(TYPING_SECONDS, partial(self._typed_out, event.value))

    def _typed_out(self, value: str) -> None:
        if value == self._typing and self._search_box.display:
            self._search(value)

    @on(Input.Submitted, "#search")
    def _searched(self, event: Input.Submitted) -> None:
        self._search(event.value)
        self._show_search(False)

    def _search(self, wanted: str) -> None:
        self._typing = wanted
        filter = replace(self.table.view.filter, search=wanted.strip())
        self.list_calls(filter)
        self.detail.mark(max(filter.search.split(), key=len, default=""))
        if filter.search:
            go_on_beside(self, partial(self._guarded, partial(self._count_matches, filter)), group="matches")

    async def _count_matches(self, filter: JobFilter) -> None:
        self.post_message(Matched(filter, await self.desk.count(filter, at_most=MATCHES_COUNTED)))

    def on_matched(self, message: Matched) -> None:
        if message.filter.search == self._typing.strip():
            self._matched = message
            self._show_listed()

    def _found(self) -> str:
        """Return how many calls the search found among how many: `12 of 4,310 calls`."""
        view, matched = self.table.view, self._matched
        if matched is None or matched.filter != view.filter:
            return ""
        more = "+" if matched.count >= MATCHES_COUNTED else ""
        among = number(cell_of(view.filter), self.live.stats)
        whole = "" if among is None else f" of {words.many(among, 'call')}"
        return f"{matched.count:,}{more}{whole}"

    # --------------------------------------------------------------------------------------------------- the call beside

    def _detail_in_sight(self) -> bool:
        return any(self._main.has_class(name) for name in ("-beside", "-below", "-open"))

    def _detail_has_focus(self) -> bool:
        focused = self._main.focused
        return focused is not None and self.detail in focused.ancestors_with_self

    def _furnish_once(self) -> None:
        """Bring the panes of a call in: half of what there is to style, which the first picture does not wait for."""
        if not self._furnishing:
            self._furnishing = True
            self.call_after_refresh(self._furnish)

    async def _furnish(self) -> None:
        await self._main.query_one("#detail").mount(self.detail)
        self._furnished = True
        self._show_detail_soon()

    def open_detail(self) -> None:
        """Give the keyboard to the panes of the call; on a narrow screen they take its whole width."""
        if not self._furnished:
            self.call_after_refresh(self.open_detail)
            return
        if not self._detail_in_sight():
            self._main.add_class("-open")
        self._show_detail()
        if self.table.view.filter.search:
            self.detail.seek()
        self.detail.focus()
        self.call_after_refresh(self._show_keys)

    def close_detail(self) -> bool:
        """Give the keyboard back to the list; False if it has it."""
        if not (self._main.has_class("-open") or self._detail_has_focus()):
            return False
        self._main.remove_class("-open")
        self.table.focus()
        self.call_after_refresh(self._show_keys)
        return True

    def _show_detail_soon(self) -> None:
        """Read the call under the cursor as soon as the cursor rests."""
        if self._detail_in_sight():
            row = self.table.row
            self.set_timer(REST_SECONDS, partial(self._show_if_still, row.job.id if row else None))

    def _show_if_still(self, job_id: JobId | None) -> None:
        row = self.table.row
        if (row.job.id if row else None) == job_id:
            self._show_detail()

    def _show_detail(self) -> None:
        row = self.table.row
        job_id = row.job.id if row else None
        if self._furnished and self.detail.job_id != job_id:
            go_on_beside(self, partial(self.detail.show, job_id), group="detail", exclusive=True)

    def on_detail_pane_changed(self, message: Detail.PaneChanged) -> None:
        self._show_keys()

    def on_detail_answered(self, message: Detail.Answered) -> None:
        self.say(message.sentence, bad=message.bad)

    def on_descendant_focus(self) -> None:
        self._show_keys()

    # --------------------------------------------------------------------------------------------------------- the rest

    def read_everything(self) -> None:
        """Read all that is shown, and draw the screen anew."""
        self.table.read_again()
        self._numbers_asked.set()
        self._look_for_older()
        self.refresh(layout=True)

    def _look_for_older(self) -> None:
        """Tell of calls that were there before the first start, once: nothing old is paid for by itself."""
        if self.facts.first_start:
            return

        async def flow() -> None:
            self.older = older = await self.deeds.older()
            if older is not None:
                self.tell(f"{older.said} found; {self.facts.key('backlog')} does them all: {priced(older.price)}.")

        self.run_flow(flow)

    def drain(self) -> None:
        """Start nothing new, and leave when what runs is finished."""
        engine = self.engine
        if engine is None:
            return
        engine.stop_claiming()
        self._header.redraw()
        self._show_keys()
        self._show_sentence(self.table.row)
        self.say(f"What runs is finished, then this closes. {self.facts.key('quit')} hands it back now.")

        self.set_interval(DRAIN_LOOK_SECONDS, self._leave_when_drained)

    def _leave_when_drained(self) -> None:
        if self.engine is not None and not self.engine.in_flight:
            self.exit(Leaving.QUIT)

    def toggle_mouse(self) -> None:
        """Let the terminal tell clicks, or leave them to it."""
        driver = self._driver
        if not isinstance(driver, LinuxDriver):
            self.say("This terminal has no mouse to switch.")
            return
        on = not driver._mouse
        driver._mouse = True
        driver._enable_mouse_support() if on else driver._disable_mouse_support()
        driver._mouse = on
        self.say(
            "Mouse on: click a call or a number above the list." if on else "Mouse off: the terminal selects text."
        )


def _ascii_filter() -> list[LineFilter]:
    from focusflow.tui.ascii import AsciiOnly

    return [AsciiOnly()]


def _failed_before(live: Live, tick: LoopTicked) -> bool:
    """Say whether a loop's last turn failed for the same reason: it is told once."""
    before = live.loops.get(tick.loop)
    return before is not None and before.error == tick.error
