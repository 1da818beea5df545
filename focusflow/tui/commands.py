"""What does each key start? One method an action, named as in the registry.

A dialog is imported when it is first wanted: the first picture does not wait for it.
"""

from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from typing import TYPE_CHECKING

from msgspec.structs import replace

from focusflow.domain.jobs import Job, JobId, Status, Step
from focusflow.ports import JobFilter, Order, Override
from focusflow.tui import actions
from focusflow.tui.actions import Group
from focusflow.tui.ask import Ask
from focusflow.tui.clipboard import copy
from focusflow.tui.counts import CELLS, cell_of, number
from focusflow.tui.deeds import costs
from focusflow.tui.detail.keys import DETAIL_ACTIONS
from focusflow.tui.facts import Leaving
from focusflow.tui.money import at_stake
from focusflow.tui.plain import plain
from focusflow.tui.words import contact, many

if TYPE_CHECKING:
    from focusflow.tui.app import FocusFlowApp
    from focusflow.tui.budget import Case, Wish

DoneTo = Callable[[Sequence[JobId], int], Awaitable[str]]
"""Does something to calls, and says how it went; the number tells among how many they were chosen."""

ORDERS = tuple(Order)
LEVELS = ("debug", "info", "warning", "error")
THEMES = (
    "textual-dark",
    "textual-light",
    "ansi-dark",
    "ansi-light",
    "nord",
    "gruvbox",
    "tokyo-night",
    "catppuccin-mocha",
    "solarized-light",
)


class Commands:
    """The actions of the registry. Each answers on the screen at once; what takes longer goes on beside it."""

    def __init__(self, app: "FocusFlowApp") -> None:
        self._app = app
        self._level = app.facts.log_level

    # --------------------------------------------------------------------------------------------------------- moving

    def down(self) -> None:
        self._app.table.move(1)

    def up(self) -> None:
        self._app.table.move(-1)

    def page_down(self) -> None:
        self._app.table.move(self._app.table.page)

    def page_up(self) -> None:
        self._app.table.move(-self._app.table.page)

    def first(self) -> None:
        self._app.table.to_first()

    def last(self) -> None:
        self._app.table.to_last()

    def next_failed(self) -> None:
        if not self._app.table.to_next(Status.FAILED):
            any_failed = self._app.context().failed > 0
            none = "No call near here has failed; 3 shows all that did." if any_failed else "No call has failed."
            self._app.say(none)

    # -------------------------------------------------------------------------------------------------------- looking

    def open(self) -> None:
        self._app.open_detail()

    def close(self) -> None:
        """Leave one thing after the other: the search, the open call, the marks, what was searched for, the filter."""
        app, view = self._app, self._app.table.view
        if app.close_search() or app.close_detail():
            return
        if app.table.marked:
            app.table.unmark()
        elif view.filter.search:
            app.list_calls(replace(view.filter, search=""))
        elif view.filter != JobFilter():
            app.list_calls(JobFilter())
        else:
            app.say(f"This is the front page. {app.facts.key('quit')} quits.")

    def search(self) -> None:
        self._app.open_search()

    def filter(self) -> None:
        """Show the next status that has calls."""
        here = CELLS.index(cell_of(self._app.table.view.filter))
        for cell in [*CELLS[here + 1 :], CELLS[0]]:
            if cell is CELLS[0] or number(cell, self._app.live.stats):
                self._app.show_cell(cell)
                return

    def sort(self) -> None:
        view = self._app.table.view
        order = ORDERS[(ORDERS.index(view.order) + 1) % len(ORDERS)]
        self._app.table.show(replace(view, order=order, descending=order is not Order.CONTACT))
        self._app.say(f"Sorted by {order}; {self._app.facts.key('reverse')} turns it round.")

    def reverse(self) -> None:
        view = self._app.table.view
        self._app.table.show(replace(view, descending=not view.descending))

    def mark(self) -> None:
        self._app.table.mark()

    def mark_range(self) -> None:
        self._app.table.mark_range()

    # ---------------------------------------------------------------------------------------------------------- calls

    def retry(self) -> None:
        self._paid("Try again", self._app.deeds.retry, actions.BY_ID["retry"].fits)

    def retry_all(self) -> None:
        app, failed = self._app, self._app.context().failed

        async def flow() -> None:
            count, price = await app.deeds.price_of_failed()
            effects = at_stake(price, app.live.purse)
            if count < failed:
                effects.append(("and", f"the price of {many(failed - count, 'more call')}"))
            if await app.push_screen_wait(Ask(f"Try {many(failed, 'failed call')} again?", effects)):
                app.tell(await app.deeds.retry(None))
            else:
                app.tell("Nothing was changed.")

        app.say("Try again: looking at the price…")
        app.run_flow(flow)

    def process(self) -> None:
        self._process("process", "Do")

    def resummarize(self) -> None:
        self._process("resummarize", "Summarize again", Step.SUMMARIZE, always=True)

    def retranscribe(self) -> None:
        self._process("retranscribe", "Transcribe again", Step.TRANSCRIBE, always=True)

    def resync(self) -> None:
        self._process("resync", "Sync again", Step.SYNC)

    def _process(self, name: str, verb: str, step: Step | None = None, *, always: bool = False) -> None:
        self._paid(verb, partial(self._app.deeds.process, step), actions.BY_ID[name].fits, step, always=always)

    def _paid(
        self, verb: str, deed: DoneTo, fits: Sequence[Status], step: Step | None = None, *, always: bool = False
    ) -> None:
        """Do something to those of the calls that it fits; if it costs money, say the price and ask first."""
        app, chosen = self._app, self._app.table.chosen()

        async def flow() -> None:
            jobs = await app.deeds.fitting(chosen, fits)
            job_ids = [job.id for job in jobs]
            price = await app.deeds.price(job_ids, step)
            asks = bool(jobs) and (always or costs(price))
            question = f"{verb}: {_named(jobs, len(chosen))}?"
            if asks and not await app.push_screen_wait(Ask(question, at_stake(price, app.live.purse))):
                app.tell("Nothing was changed.")
                return
            done = await deed(job_ids, len(chosen))
            app.tell(done if asks or not price.free_because else f"{done} Free: {price.free_because}.")

        app.say(f"{verb}: looking at the price…")
        app.run_flow(flow)

    def cancel(self) -> None:
        job_ids = self._app.table.chosen()
        self._app.run_deed(lambda: self._app.deeds.cancel(job_ids), "Stopping…")

    def skip(self) -> None:
        job_ids = self._app.table.chosen()
        if actions.takes_back(self._app.context()):
            self._paid("Do after all", self._app.deeds.unskip, (Status.SKIPPED,))
        else:
            self._app.run_deed(lambda: self._app.deeds.skip(job_ids), "Skipping…")

    def copy(self) -> None:
        app, job_ids = self._app, self._app.table.chosen()

        async def copied() -> str:
            return await copy(await app.deeds.facts_of(job_ids), app)

        app.run_deed(copied, "Copying…")

    def save(self) -> None:
        job_ids = self._app.table.chosen()
        self._app.run_deed(lambda: self._app.deeds.save(job_ids), "Saving…")

    # ---------------------------------------------------------------------------------------------------- all the work

    def pause(self) -> None:
        """Pause; while calls still finish, hand them back; at rest, go on."""
        context = self._app.context()
        if not context.control.paused:
            self._app.run_deed(lambda: self._app.deeds.pause(context.in_flight), "Pausing…")
        elif context.here and self._app.engine is not None:
            self._app.engine.hand_back()
            go_on = self._app.facts.key("resume")
            self._app.say(f"Handed back: what ran is in the queue again, what is paid for stays. {go_on} goes on.")
        else:
            self.resume()

    def resume(self) -> None:
        self._app.run_deed(self._app.deeds.resume, "Going on…")

    def take_over(self) -> None:
        if self._app.on_take_over is not None:
            self._app.say("Taking the work over…")
            self._app.on_take_over()

    def discover(self) -> None:
        self._app.run_deed(self._app.deeds.discover, "Asking for a look…")

    def more(self) -> None:
        self._parallel(1)

    def fewer(self) -> None:
        self._parallel(-1)

    def _parallel(self, by: int) -> None:
        now = self._app.live.control.capacity or self._app.facts.concurrency
        self._app.run_deed(lambda: self._app.deeds.set_parallel(now + by), "Asking…")

    def backlog(self) -> None:
        app, older = self._app, self._app.older
        if older is None:
            return

        async def flow() -> None:
            effects = at_stake(older.price, app.live.purse)
            single = f"leave them, and press {app.facts.key('process')} on single ones; "
            effects.append(("or", single + "`focusflow plan` does a part for a sum"))
            if await app.push_screen_wait(Ask(f"Do all {older.said}?", effects)):
                app.tell(await app.deeds.process(None, older.job_ids))
                app.older = None

        app.run_flow(flow)

    # ---------------------------------------------------------------------------------------------------------- money

    def budget(self) -> None:
        from focusflow.tui.budget import BudgetScreen, Case, answer

        app, job_ids = self._app, self._app.table.chosen()

        async def flow() -> None:
            now, budgets = app.facts.clock.now(), app.facts.budgets
            case = Case(
                purse=await app.desk.purse(budgets, now=now),
                job_ids=tuple(job_ids),
                price=await app.deeds.price(job_ids, None) if job_ids else None,
                waiting=app.live.stats.held if app.live.stats else 0,
                now=now,
            )
            wish = await app.push_screen_wait(BudgetScreen(case, app.facts))
            if wish is None:
                app.tell("The budget stays.")
            else:
                app.tell(answer(wish, await self._wished(wish, case), case, app.facts.key("budget")))

        app.run_flow(flow)

    async def _wished(self, wish: "Wish", case: "Case") -> Sequence[Override]:
        """Ask the desk for what was chosen."""
        from focusflow.tui.budget import RAISES, Choice

        deeds = self._app.deeds
        match wish.choice:
            case Choice.RAISE | Choice.WEEK | Choice.MONTH:
                return [await deeds.raise_budget(RAISES[wish.choice], wish.amount_micros)]
            case Choice.THROUGH:
                return await deeds.let_through(case.job_ids)
            case Choice.LIFT:
                return await deeds.let_through(None)
            case Choice.STOP:
                return [await deeds.stop_spending()]
            case Choice.UNDO | Choice.GO_ON:
                await deeds.undo(wish.undone)
                return []

    # --------------------------------------------------------------------------------------------------------- screen

    def log_level(self) -> None:
        if self._app.engine is None:
            return
        self._level = LEVELS[(LEVELS.index(self._level) + 1) % len(LEVELS)]
        self._app.engine.set_log_level(self._level)
        self._app.say(f"The log file gets {self._level} lines and above now.")

    def theme(self) -> None:
        app = self._app
        here = THEMES.index(app.theme) if app.theme in THEMES else -1
        app.theme = THEMES[(here + 1) % len(THEMES)]
        app.say(f"Theme {app.theme}. Write `screen.theme: {app.theme}` into the configuration to keep it.")

    def mouse(self) -> None:
        self._app.toggle_mouse()

    def redraw(self) -> None:
        self._app.read_everything()
        self._app.say("Read again.")

    def palette(self) -> None:
        from focusflow.tui.palette import Palette

        app = self._app
        panes = app.detail.in_force() if app.context().detail else []
        mine = [action for action in panes if action.id not in ("pane_down", "pane_up")]
        listed = [action for action in actions.by_use() if action.id not in ("palette", "down", "up")]
        refused = {action.id: why for action in listed if (why := app.why_not(action)) is not None}

        def run(chosen: str | None) -> None:
            if chosen is None:
                return
            if chosen in actions.BY_ID:
                app.do(chosen)
            else:
                app.call_later(app.do_in_panes, chosen)

        app.push_screen(Palette([*mine, *listed], app.keys, refused), run)

    def help(self) -> None:
        from focusflow.tui.help import Help, page

        app, facts = self._app, self._app.facts
        about = [
            f"FocusFlow {facts.version} on {plain(facts.database)}, as {plain(facts.instance)}. Esc closes this page."
        ]
        here = Group.DETAIL if app.context().detail else Group.MOVE
        width = app.size.width * 9 // 10 - 8
        content = page([*actions.ACTIONS, *DETAIL_ACTIONS], app.keys, app.symbols, about=about, width=width, first=here)
        app.push_screen(Help(content))

    def quit(self) -> None:
        app, engine = self._app, self._app.engine
        if engine is None or not engine.in_flight:
            app.exit(Leaving.QUIT)
            return
        if engine.draining:
            engine.hand_back()
            app.exit(Leaving.QUIT)
            return
        running = f"{many(engine.in_flight, 'call')} {'is' if engine.in_flight == 1 else 'are'}"
        answers = [
            ("w", "wait until they are finished, then quit"),
            ("h", "hand them back to the queue and quit now; what is paid for stays"),
            ("g", "go on without the screen"),
        ]

        def leave(answer: str | None) -> None:
            if answer == "w":
                app.drain()
            elif answer == "h":
                engine.stop_claiming()
                engine.hand_back()
                app.exit(Leaving.QUIT)
            elif answer == "g":
                app.exit(Leaving.HEADLESS)

        app.push_screen(Ask(f"{running} being worked on. Quit?", (), answers), leave)


def _named(jobs: Sequence[Job], of: int) -> str:
    """Return which calls a question is about: the name of the only one, else how many of how many."""
    if of == 1 and jobs:
        return contact(jobs[0])
    return many(of, "call") if len(jobs) == of else f"{len(jobs)} of {many(of, 'marked call')}"
