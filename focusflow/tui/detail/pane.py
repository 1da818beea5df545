"""What is there to see, hear and do about one call?"""

import logging
from collections import deque
from collections.abc import Awaitable, Mapping, Sequence
from typing import ClassVar

from textual import events as terminal
from textual import on, work
from textual.app import ComposeResult
from textual.binding import BindingType
from textual.message import Message
from textual.widget import Widget
from textual.widgets import Input, Static
from textual.worker import Worker, WorkerState

from focusflow import events
from focusflow.domain.jobs import Job, JobId, LogLine, Status
from focusflow.domain.transcript import Transcript
from focusflow.errors import FocusFlowError
from focusflow.ports import Desk, Documents, JobDetail, RunPrice, SummaryVersion
from focusflow.tui.actions import Action
from focusflow.tui.ask import Ask
from focusflow.tui.clipboard import copy
from focusflow.tui.detail import keys
from focusflow.tui.detail.deeds import Deeds
from focusflow.tui.detail.drafts import Drafts
from focusflow.tui.detail.known import KnownView
from focusflow.tui.detail.lines import Lines
from focusflow.tui.detail.log import LINES_KEPT, LogView
from focusflow.tui.detail.steps import StepsView
from focusflow.tui.detail.summary import SummaryView
from focusflow.tui.detail.top import Top
from focusflow.tui.detail.transcript import TranscriptView
from focusflow.tui.detail.views import ONLY_IN, Pane, View
from focusflow.tui.facts import READ_ONLY, Facts
from focusflow.tui.money import at_stake
from focusflow.tui.plain import plain
from focusflow.tui.words import fit, symbols

GATHER_SECONDS = 0.1
"""A burst of events is one repaint."""
MOVING_SECONDS = 1.05
"""What moves the whole pane, a log that grows without end, is painted this often.

A little more than a second: what comes every second, and the words between, are then one picture and not two.
"""
NARROW = 64
"""Cells below which there is no room for columns."""
TALL = 17
"""Lines from which on one can stay empty."""
LOW = 11
"""Lines below which what is wrong gets two of them at most."""

_log = logging.getLogger(__name__)


class Detail(Widget):
    """The panes of one call: log, transcript, summary, steps and details, below what happened and what to do."""

    BINDINGS: ClassVar[list[BindingType]] = keys.bindings(moves=False)

    class Answered(Message):
        """A sentence about what was asked for here."""

        def __init__(self, sentence: str, *, bad: bool) -> None:
            super().__init__()
            self.sentence = sentence
            self.bad = bad

    class PaneChanged(Message):
        """Another pane is shown, or another text in it: other keys mean something."""

    def __init__(self, desk: Desk, facts: Facts, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self._desk = desk
        self._facts = facts
        self.read_only = READ_ONLY if facts.read_only else None
        """Why nothing can be asked for, in a sentence; None: everything can."""
        self._deeds = Deeds(desk, facts)
        self._symbols = symbols(facts.ascii)
        self._log = LogView(facts)
        self._transcript = TranscriptView()
        self._summary = SummaryView(facts, self._symbols)
        self._steps = StepsView(facts)
        self._known = KnownView(facts)
        self._views: Mapping[Pane, View] = {
            Pane.LOG: self._log,
            Pane.TRANSCRIPT: self._transcript,
            Pane.SUMMARY: self._summary,
            Pane.STEPS: self._steps,
            Pane.DETAILS: self._known,
        }
        self._pane = Pane.LOG
        self._wanted: JobId | None = None
        self._detail: JobDetail | None = None
        self._drawn: set[Pane] = set()
        self._said = ""
        self._to_mark = ""
        self._seeks = False
        """The pane in which the searched word is, is to be shown as soon as the call is read."""
        self._unmarked: set[Pane] = set()
        self._drafts = Drafts()
        self._heard: deque[LogLine] = deque(maxlen=LINES_KEPT)
        self._progress: events.JobProgress | None = None
        self._stale = self._fresh_words = self._waiting = self._reading = False

    def compose(self) -> ComposeResult:
        yield Top(self._facts)
        yield Lines(self._view.sheet)
        yield Static(id="detail-foot", markup=False)
        search = Input(id="detail-search", placeholder="Search this pane", compact=True)
        search.cursor_blink = False
        search.display = False
        yield search

    def on_mount(self) -> None:
        self._show_pane()

    def focus(self, scroll_visible: bool = True, from_app_focus: bool = False) -> "Detail":
        """Give the keyboard to the pane that is shown."""
        self._lines.focus(scroll_visible)
        return self

    # ---------------------------------------------------------------------------------------------------- what is shown

    @property
    def pane(self) -> Pane:
        return self._pane

    @property
    def job_id(self) -> JobId | None:
        """The call that is shown, or is about to be."""
        return self._wanted

    @property
    def _view(self) -> View:
        return self._views[self._pane]

    @property
    def _lines(self) -> Lines:
        return self.query_one(Lines)

    @property
    def _top(self) -> Top:
        return self.query_one(Top)

    @property
    def _search(self) -> Input:
        return self.query_one("#detail-search", Input)

    async def show(self, job_id: JobId | None) -> None:
        """Show that call; None: none is chosen. What is shown stays until the other one is read."""
        self._wanted = job_id
        if job_id is None:
            self._take(None, ())
        else:
            await self._read(job_id)

    async def _read(self, job_id: JobId) -> None:
        try:
            detail = await self._desk.detail(job_id, events=LINES_KEPT)
            versions = await self._desk.summary_versions(job_id) if detail is not None else ()
        except FocusFlowError as exc:
            if self._wanted == job_id:
                self._top.show_trouble(f"The call cannot be read now: {exc}")
            return
        if self._wanted == job_id:  # else somebody went on to another call meanwhile
            self._take(detail, versions)

    def _take(self, detail: JobDetail | None, versions: Sequence[SummaryVersion]) -> None:
        if detail is None or self._detail is None or detail.row.job.id != self._detail.row.job.id:
            self._forget()
        self._detail = detail
        self._drawn.clear()
        self._top.key = self._known.key = None if self.read_only else self._facts.key
        if detail is not None:
            self._log.book.read(detail.events)
            self._summary.set_versions(versions)
            self._summary.write(self._draft(detail.row.job))
            self._go_to_word(detail.documents)
        self._top.show(detail)
        self._draw()

    def mark(self, word: str) -> None:
        """Mark *word* in each pane when it is next shown: it was searched for in the list."""
        self._to_mark, self._unmarked = word, set(Pane)
        if self._detail is not None:
            self._draw_anew(self._pane)

    def seek(self) -> None:
        """Show the pane in which the word that was searched for in the list is: it is why the call is opened."""
        self._seeks = bool(self._to_mark)
        if self._detail is not None and self._detail.row.job.id == self._wanted:
            self._go_to_word(self._detail.documents)

    def _go_to_word(self, documents: Documents) -> None:
        if not self._seeks:
            return
        self._seeks, word = False, self._to_mark.casefold()
        said = {
            Pane.TRANSCRIPT: documents.transcript.text if documents.transcript else "",
            Pane.SUMMARY: f"{documents.summary.title} {documents.summary.markdown}" if documents.summary else "",
        }
        holding = [pane for pane, text in said.items() if word in text.casefold()]
        if holding and self._pane not in holding:
            self.choose(holding[0])

    def _mark(self) -> None:
        if self._pane in self._unmarked:
            self._unmarked.discard(self._pane)
            self._view.sheet.search(self._to_mark)

    def _forget(self) -> None:
        self._unmarked = set(Pane) if self._to_mark else set()
        self._heard.clear()
        self._progress = self._steps.running = None
        self._log.forget()
        self._summary.forget()
        for view in self._views.values():
            view.sheet.clear()

    def _draft(self, job: Job) -> str | None:
        return self._drafts.of(job.id) if job.status is Status.SUMMARIZING else None

    def _draw(self) -> None:
        """Lay out the pane that is shown; the others wait until somebody looks."""
        if self._detail is not None and self.size and self._pane not in self._drawn:
            self._drawn.add(self._pane)
            self._view.draw(self._detail, narrow=self.size.width < NARROW)
            self._mark()
            self.post_message(self.PaneChanged())
        self._look()

    def _look(self) -> None:
        self._lines.look()
        self._say()

    def on_resize(self, event: terminal.Resize) -> None:
        self.set_class(event.size.height >= TALL, "-tall")
        self.set_class(event.size.height < LOW, "-low")
        self._drawn.clear()
        self._draw()

    # --------------------------------------------------------------------------------------------------------- live news

    def heard(self, *burst: events.Event) -> None:
        """Take note of what happened; it is shown at once, or as soon as what moves may move again."""
        for event in burst:
            self._note(event)
        if not self._waiting and (self._heard or self._stale or self._fresh_words or self._progress):
            self._catch_up()

    def _note(self, event: events.Event) -> None:
        match event:
            case events.SummaryText():
                self._fresh_words |= self._drafts.hear_piece(event) and event.job_id == self._wanted
            case events.JobLogged(line=line) if line.job_id == self._wanted:
                self._heard.append(line)
            case events.JobChanged():
                self._drafts.hear_change(event)
                self._stale |= event.job_id == self._wanted
            case events.JobProgress(job_id=job_id) if job_id == self._wanted:
                self._progress = event

    def _soon(self, seconds: float) -> None:
        if not self._waiting:
            self._waiting = True
            self.call_later(self._wait, seconds)  # a timer must be made in the screen's own context

    def _wait(self, seconds: float) -> None:
        self.set_timer(seconds, self._catch_up)

    def _catch_up(self) -> None:
        self._waiting = False
        if self._detail is not None:
            self._hear_lines()
            self._hear_words(self._detail.row.job.id)
            self._hear_progress()
        if self._stale and not self._reading:
            self._reading, self._stale = True, False
            self._read_again()

    def _hear_lines(self) -> None:
        if not self._heard:
            return
        lines, self._heard = self._heard, deque(maxlen=LINES_KEPT)
        if self._log.hear(lines):
            self._drawn.discard(Pane.LOG)
        if self._pane is Pane.LOG:
            self._draw()
            self._soon(MOVING_SECONDS)

    def _hear_words(self, job_id: JobId) -> None:
        if self._fresh_words:
            self._fresh_words = False
            self._summary.write(self._drafts.of(job_id))
            if self._pane is Pane.SUMMARY:
                self._look()

    def _hear_progress(self) -> None:
        live, self._progress = self._progress, None
        if live is None or not live.total:
            return
        percent = min(100, 100 * live.done // live.total)
        self._steps.running = (live.step, percent)
        self._top.show_progress(live.step, percent)
        self._drawn.discard(Pane.STEPS)
        if self._pane is Pane.STEPS:
            self._draw()
        self._soon(MOVING_SECONDS)

    @work(exit_on_error=False, group="detail")
    async def _read_again(self) -> None:
        try:
            if self._wanted is not None:
                await self._read(self._wanted)
        finally:
            self._reading = False
        if self._stale:
            self._soon(GATHER_SECONDS)

    # ------------------------------------------------------------------------------------------------------ line below

    def _say(self) -> None:
        """Write the line below: what the pane says of itself, and the place in it."""
        width = self.size.width
        if not width:
            return
        left = self._found() or (self._view.state() if self._detail is not None else "")
        right = self._view.sheet.place()
        room = max(0, width - len(right) - 3)
        shown = fit(plain(left), room, ellipsis=self._symbols.ellipsis)
        line = f" {shown} {right}"
        if line != self._said:  # most news change nothing here, and a repaint is a line to the terminal
            self._said = line
            self.query_one("#detail-foot", Static).update(line, layout=False)

    def _found(self) -> str:
        sheet = self._view.sheet
        if not sheet.needle:
            return ""
        number, count = sheet.match_number()
        what = plain(sheet.needle)
        if not count:
            return f"{what}: not found here"
        key = self._facts.key
        ways = f"{key('pane_match')} next, {key('pane_match_back')} back"
        return f"{number} of {count:,}{'' if sheet.measured else '+'}: {what} ({ways})"

    def on_lines_moved(self) -> None:
        self._say()

    def on_lines_refused(self, message: Lines.Refused) -> None:
        self._answer(self._why_not(message.action))

    # ----------------------------------------------------------------------------------------------------------- panes

    def in_force(self) -> list[Action]:
        """Return what the keys mean in the pane that is shown."""
        return [action for action in keys.DETAIL_ACTIONS if self._means_something(action.id) and self._has(action.id)]

    def _has(self, id: str) -> bool:
        """Say whether there is anything for a key of this pane to work on; without, it is not offered, and says so."""
        version = self._summary.shown_version()
        match id:
            case "pane_older" | "pane_compare":
                return self._summary.has(-1)
            case "pane_newer":
                return self._summary.has(1)
            case "pane_use":
                return version is not None and not version.current
            case "pane_again":
                return self._steps.chosen_step() is not None
            case "pane_swap" | "pane_names":
                return self._detail is not None and self._detail.documents.transcript is not None
        return True

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Leave Esc to the list where there is no search to end; no other key of the panes may get there."""
        return parameters != ("pane_escape",) or self._means_something("pane_escape")

    def action_pane(self, id: str) -> None:
        """Do what a key means in the pane that is shown, or say why it means nothing there."""
        if self._means_something(id):
            getattr(self, f"action_{id}")()
        else:
            self._answer(self._why_not(id))

    def _why_not(self, id: str) -> str:
        key = self._facts.key
        match id:
            case "pane_match":
                return f"Nothing is searched for: {key('pane_search')} begins a search."
            case "pane_match_back":
                resync = f"{key('close')} {key('resync')} brings the call to Notion"
                return f"Nothing is searched for: {key('pane_search')} begins a search; {resync}."
            case "pane_follow":
                return "This text does not grow: there is no end to stay with."
            case _ if id in keys.WRITES and self.read_only:
                return self.read_only
        pane = ONLY_IN[id]
        return f"{key(id)} is for the {pane}: {key(f'pane_{pane}')} shows it."

    def _means_something(self, id: str) -> bool:
        sheet = self._view.sheet
        match id:
            case "pane_follow":
                return sheet.growing
            case "pane_match_back":
                return bool(sheet.needle)
            case "pane_escape":
                return bool(sheet.needle) or self._search.display
            case _ if id in keys.WRITES and self.read_only:
                return False
        return self._pane is ONLY_IN.get(id, self._pane)

    def choose(self, pane: Pane) -> None:
        """Show that pane."""
        if pane is not self._pane:
            self._pane = pane
            self._show_pane()
            self.post_message(self.PaneChanged())

    def _show_pane(self) -> None:
        if self._search.display:
            self._close_search()
        self._top.show_pane(self._pane)
        self._lines.show_sheet(self._view.sheet)
        self._draw()

    def on_top_chosen(self, event: Top.Chosen) -> None:
        self.choose(event.pane)

    def action_pane_log(self) -> None:
        self.choose(Pane.LOG)

    def action_pane_transcript(self) -> None:
        self.choose(Pane.TRANSCRIPT)

    def action_pane_summary(self) -> None:
        self.choose(Pane.SUMMARY)

    def action_pane_steps(self) -> None:
        self.choose(Pane.STEPS)

    def action_pane_details(self) -> None:
        self.choose(Pane.DETAILS)

    def action_pane_next(self) -> None:
        self._turn(1)

    def action_pane_previous(self) -> None:
        self._turn(-1)

    def _turn(self, by: int) -> None:
        panes = list(Pane)
        self.choose(panes[(panes.index(self._pane) + by) % len(panes)])

    def action_pane_level(self) -> None:
        self._log.next_level()
        self._draw_anew(Pane.LOG)

    def _draw_anew(self, pane: Pane) -> None:
        self._drawn.discard(pane)
        self._draw()

    # ------------------------------------------------------------------------------------------------------- searching

    def action_pane_search(self) -> None:
        search = self._search
        search.value = self._view.sheet.needle
        search.display = True
        self.query_one("#detail-foot").display = False
        search.focus()

    @on(Input.Changed, "#detail-search")
    def _search_as_typed(self, event: Input.Changed) -> None:
        event.stop()
        if self._search.display:
            self._view.sheet.search(event.value)
            self._look()

    @on(Input.Submitted, "#detail-search")
    def _search_done(self, event: Input.Submitted) -> None:
        event.stop()
        self._close_search()

    def _close_search(self) -> None:
        self._search.display = False
        self.query_one("#detail-foot").display = True
        self._lines.focus()
        self._look()

    def action_pane_escape(self) -> None:
        self._view.sheet.search("")
        self._close_search()

    # --------------------------------------------------------------------------------------------------------- copying

    def action_pane_copy(self) -> None:
        value = self._view.sheet.chosen_value()
        self._copy(value if value is not None else self._view.text())

    def action_pane_copy_all(self) -> None:
        self._copy(self._view.text())

    def _copy(self, text: str) -> None:
        self._do(copy(text, self.app))

    def action_pane_open(self) -> None:
        url = self._link()
        if url is None:
            self._answer("There is no link here yet.")
            return
        self._copy(url)

    def _link(self) -> str | None:
        if self._pane is Pane.DETAILS and (chosen := self._known.chosen_link()):
            return chosen
        if self._detail is None:
            return None
        row = self._detail.row
        return next((one.url for one in row.deliveries if one.url), row.job.web_url)

    # -------------------------------------------------------------------------------------------------------- changing

    def action_pane_names(self) -> None:
        transcript = self._spoken()
        if transcript is not None and self._detail is not None:
            job_id = self._detail.row.job.id
            self._do(self._named(job_id, transcript))

    async def _named(self, job_id: JobId, transcript: Transcript) -> str:
        from focusflow.tui.detail.speakers import NameSpeakers

        names = await self.app.push_screen_wait(NameSpeakers(transcript))
        return await self._deeds.name_speakers(job_id, names or {})

    def action_pane_swap(self) -> None:
        from focusflow.tui.detail.speakers import swapped

        transcript = self._spoken()
        if transcript is None or self._detail is None:
            return
        names = swapped(transcript)
        if names is None:
            names_them = f"{self._facts.key('pane_names')} names them"
            self._answer(f"Only two speakers, of whom one has a name, can be swapped; {names_them}.")
        else:
            self._do(self._deeds.name_speakers(self._detail.row.job.id, names))

    def _spoken(self) -> Transcript | None:
        transcript = self._detail.documents.transcript if self._detail is not None else None
        if transcript is None:
            self._answer("There is no transcript yet whose speakers could be named.")
        return transcript

    def action_pane_older(self) -> None:
        self._turn_version(-1)

    def action_pane_newer(self) -> None:
        self._turn_version(1)

    def _turn_version(self, way: int) -> None:
        if self._summary.turn(way):
            self._draw_anew(Pane.SUMMARY)
        else:
            self._answer(f"There is no {'newer' if way > 0 else 'older'} version.")

    def action_pane_compare(self) -> None:
        was = self._summary.comparing
        if not self._summary.compare() and not was:
            self._answer("There is no older version to compare with.")
        self._draw_anew(Pane.SUMMARY)

    def action_pane_use(self) -> None:
        version = self._summary.shown_version()
        if self._wanted is None or version is None or version.current:
            self._answer("This version is in use already." if version else "There is no summary yet.")
        else:
            self._do(self._deeds.use_summary(self._wanted, version.version))

    def action_pane_again(self) -> None:
        step = self._steps.chosen_step()
        if self._wanted is None or step is None:
            self._answer("There is no step here that could be done again.")
        else:
            self._do(self._deeds.do_again(self._wanted, step, self._ask))

    async def _ask(self, question: str, price: RunPrice) -> bool:
        purse = await self._desk.purse(self._facts.budgets, now=self._facts.clock.now())
        answer = await self.app.push_screen_wait(Ask(question, at_stake(price, purse)))
        return answer == "y"

    @work(exit_on_error=False, group="detail")
    async def _do(self, deed: Awaitable[str]) -> None:
        """Do it beside the screen, say what came of it and show it."""
        try:
            self._answer(await deed)
        except FocusFlowError as exc:
            self._answer(str(exc), bad=True)
        self._stale = True
        self._soon(GATHER_SECONDS)

    def _answer(self, sentence: str, *, bad: bool = False) -> None:
        self.post_message(self.Answered(plain(sentence), bad=bad))

    def on_worker_state_changed(self, event: Worker.StateChanged) -> None:
        """A bug in what is done here goes to the log file and is told; the screen goes on."""
        if event.state is WorkerState.ERROR:
            event.stop()
            _log.error("a mistake in the panes of a call", exc_info=event.worker.error)
            self._answer(f"A mistake in FocusFlow: {event.worker.error}. It is in the log.", bad=True)
