"""Which panes does a call have, and what has each of them in common?"""

from enum import StrEnum
from typing import Protocol

from focusflow.ports import JobDetail
from focusflow.tui.detail.sheet import Sheet


class Pane(StrEnum):
    """The panes, in the order of their keys."""

    LOG = "log"
    TRANSCRIPT = "transcript"
    SUMMARY = "summary"
    STEPS = "steps"
    DETAILS = "details"


class View(Protocol):
    """One pane's content."""

    sheet: Sheet

    def draw(self, detail: JobDetail, *, narrow: bool) -> None:
        """Lay out what is known now."""

    def state(self) -> str:
        """Return a few words for the line below."""
        ...

    def text(self) -> str:
        """Return all of it, as it is copied."""
        ...


ONLY_IN: dict[str, Pane] = {
    "pane_level": Pane.LOG,
    "pane_swap": Pane.TRANSCRIPT,
    "pane_names": Pane.TRANSCRIPT,
    "pane_older": Pane.SUMMARY,
    "pane_newer": Pane.SUMMARY,
    "pane_compare": Pane.SUMMARY,
    "pane_use": Pane.SUMMARY,
    "pane_again": Pane.STEPS,
}
"""Actions that mean something in one pane only; elsewhere their keys say so."""
