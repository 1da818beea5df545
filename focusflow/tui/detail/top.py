"""Which call is this, what happened to it and what is to be done, whichever pane is open?"""

from textual import events
from textual.app import ComposeResult
from textual.containers import Horizontal
from textual.message import Message
from textual.widget import Widget
from textual.widgets import Static

from focusflow.domain.jobs import WORKING, Status, Step
from focusflow.ports import JobDetail, JobRow
from focusflow.tui.detail.views import Pane
from focusflow.tui.facts import Facts
from focusflow.tui.plain import plain
from focusflow.tui.words import (
    DIRECTION_WORDS,
    STEP_WORDS,
    KeyOf,
    contact,
    elide,
    length,
    moment,
    sentence,
    status,
    symbols,
    troubled,
)

_ROOM_FOR_DIGITS = 52
"""Cells in which the panes' names fit together with their keys."""
_ROOM_FOR_GAPS = 46


class Tab(Static):
    """One pane's name, with its key where there is room."""

    def __init__(self, pane: Pane, number: int) -> None:
        super().__init__(markup=False, classes="detail-tab")
        self.pane = pane
        self._number = number
        self.label(digits=True)

    def label(self, *, digits: bool) -> None:
        word = self.pane.capitalize()
        self.update(f"{self._number} {word}" if digits else word)

    def on_click(self) -> None:
        self.post_message(Top.Chosen(self.pane))


class Top(Widget):
    """The panes' names, the call in one line, and what is wrong with it in one or two."""

    class Chosen(Message):
        """A pane's name was clicked."""

        def __init__(self, pane: Pane) -> None:
            super().__init__()
            self.pane = pane

    def __init__(self, facts: Facts) -> None:
        super().__init__()
        self._facts = facts
        self.key: KeyOf | None = facts.key
        """Names the keys in what is said; None: nothing can be asked for."""
        self._symbols = symbols(facts.ascii)
        self._detail: JobDetail | None = None
        self._progress: tuple[Step, int] | None = None

    def compose(self) -> ComposeResult:
        with Horizontal(id="detail-tabs"):
            for number, pane in enumerate(Pane, 1):
                yield Tab(pane, number)
        yield Static(id="detail-title", markup=False)
        yield Static(id="detail-trouble", markup=False)

    def show_pane(self, shown: Pane) -> None:
        for tab in self.query(Tab):
            tab.set_class(tab.pane is shown, "-shown")

    def show(self, detail: JobDetail | None) -> None:
        """Say which call it is; None: none."""
        if detail is None or self._detail is None or detail.row.job.id != self._detail.row.job.id:
            self._progress = None
        self._detail = detail
        self._write_title()
        self._write_trouble("" if detail is None else self._trouble(detail.row))

    def show_progress(self, step: Step, percent: int) -> None:
        """Say how far the running step is."""
        self._progress = (step, percent)
        self._write_title()

    def show_trouble(self, sentence: str) -> None:
        """Say what is wrong with the showing itself."""
        self._write_trouble(sentence, style="-failed")

    def on_resize(self, event: events.Resize) -> None:
        self.set_class(event.size.width < _ROOM_FOR_GAPS, "-narrow")
        for tab in self.query(Tab):
            tab.label(digits=event.size.width >= _ROOM_FOR_DIGITS)
        self._write_title()

    def _write_title(self) -> None:
        if self.size.width:
            title = elide(self._title(), max(1, self.size.width - 2), ellipsis=self._symbols.ellipsis)
            self.query_one("#detail-title", Static).update(title, layout=False)

    def _title(self) -> str:
        if self._detail is None:
            return "No call is chosen."
        row = self._detail.row
        job, now, zone = row.job, self._facts.clock.now(), self._facts.budgets.zone
        parts = [contact(job), status(row) + self._percent(), moment(job.call_at or job.discovered_at, now, zone)]
        parts += [length(job.duration_seconds), DIRECTION_WORDS[job.direction] if job.direction else ""]
        parts.append(plain(job.contact_number or "") if job.contact_name else "")
        return f" {self._symbols.dot} ".join(filter(None, parts))

    def _percent(self) -> str:
        if self._progress is None or self._detail is None or self._detail.row.job.status not in WORKING:
            return ""
        step, percent = self._progress
        return f" ({STEP_WORDS[step]} {percent} %)"

    def _trouble(self, row: JobRow) -> str:
        return sentence(row, self._facts.clock.now(), self._facts.budgets.zone, self.key) if troubled(row) else ""

    def _write_trouble(self, text: str, *, style: str | None = None) -> None:
        place = self.query_one("#detail-trouble", Static)
        place.display = bool(text)
        place.set_class((style or self._style()) == "-failed", "-failed")
        place.update(plain(text))

    def _style(self) -> str:
        return "-failed" if self._detail is not None and self._detail.row.job.status is Status.FAILED else "-waiting"
