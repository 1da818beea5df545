"""How is a person asked before something is paid for or cannot be undone?"""

from collections.abc import Sequence

from textual import events
from textual.app import ComposeResult
from textual.containers import Vertical
from textual.content import Content
from textual.screen import ModalScreen
from textual.widgets import Static

Answer = tuple[str, str]
"""A key, and what it does."""


class Ask(ModalScreen[str]):
    """One question. The answer is the key that was pressed; empty for "leave it as it is"."""

    def __init__(
        self, question: str, effects: Sequence[tuple[str, str]] = (), answers: Sequence[Answer] = (("y", "yes"),)
    ) -> None:
        """Ask *question*; *effects* are names and values. Enter answers nothing: a key that is held down must not pay."""
        super().__init__()
        self._question, self._effects = question, effects
        self._answers = dict(answers)

    def compose(self) -> ComposeResult:
        with Vertical(id="ask", classes="box"):
            yield Static(Content(self._question), classes="question", markup=False)
            if self._effects:
                yield Static(table(self._effects), classes="effects", markup=False)
            yield Static(keys([*self._answers.items(), ("n", "leave it as it is (Esc)")]), markup=False)

    def on_key(self, event: events.Key) -> None:
        event.stop()
        if event.key in self._answers:
            self.dismiss(event.key)
        elif event.key in ("escape", "n", "q", "ctrl+c", "ctrl+q"):
            self.dismiss("")


def table(lines: Sequence[tuple[str, str]]) -> Content:
    """Return names and values in two aligned columns."""
    width = max((Content(name).cell_length for name, _ in lines), default=0)
    said = [Content.assemble((f"{name:<{width}}", "$text-muted"), "  ", Content(value)) for name, value in lines]
    return Content("\n").join(said)


def keys(answers: Sequence[Answer]) -> Content:
    """Return keys and what they do, one a line."""
    return Content("\n").join(Content.assemble((f" {key} ", "bold $text-accent"), " ", words) for key, words in answers)
