"""How is an action found by its name rather than by its key?"""

from collections.abc import Mapping, Sequence

from textual import events, on
from textual.app import ComposeResult
from textual.containers import Vertical
from textual.content import Content
from textual.screen import ModalScreen
from textual.widgets import Input, Static

from focusflow.tui.actions import Action, Keymap, shown

SHOWN = 10


def found(actions: Sequence[Action], typed: str) -> list[Action]:
    """Return the actions whose words hold every word that was typed, those whose name begins with it first."""
    wanted = typed.casefold().split()
    held = [a for a in actions if all(word in f"{a.word} {a.help} {a.verb or ''}".casefold() for word in wanted)]
    return sorted(held, key=lambda a: not a.word.casefold().startswith(typed.casefold()))


class Palette(ModalScreen[str | None]):
    """A line to type in, and the actions that fit."""

    def __init__(self, actions: Sequence[Action], keymap: Keymap, refused: Mapping[str, str]) -> None:
        """Offer these actions; those *refused* now, by their ids, come after the others and say why."""
        super().__init__()
        self._actions = sorted(actions, key=lambda action: action.id in refused)
        self._keymap, self._refused = keymap, refused
        self._found = self._actions
        self._chosen = 0

    def compose(self) -> ComposeResult:
        with Vertical(id="palette", classes="box"):
            yield Input(placeholder="What shall be done? Up and Down choose, Enter does it", compact=True)
            listed = Static(id="palette-list", markup=False)
            listed.styles.text_wrap, listed.styles.text_overflow = "nowrap", "ellipsis"
            yield listed

    def on_mount(self) -> None:
        typed = self.query_one(Input)
        typed.cursor_blink = False
        typed.focus()
        self._redraw()

    @on(Input.Changed)
    def _typed(self, event: Input.Changed) -> None:
        fitting = found(self._actions, event.value)
        self._found, self._chosen = sorted(fitting, key=lambda action: action.id in self._refused), 0
        self._redraw()

    @on(Input.Submitted)
    def _done(self) -> None:
        self.dismiss(self._found[self._chosen].id if self._found else None)

    def on_key(self, event: events.Key) -> None:
        if event.key in ("escape", "ctrl+c", "ctrl+q", "ctrl+p"):
            event.stop()
            self.dismiss(None)
        elif event.key in ("down", "up", "ctrl+n", "tab", "shift+tab"):
            event.stop()
            event.prevent_default()
            way = -1 if event.key in ("up", "shift+tab") else 1
            self._chosen = (self._chosen + way) % max(1, len(self._found))
            self._redraw()

    def _redraw(self) -> None:
        first = max(0, self._chosen - SHOWN + 1)
        lines = [
            self._line(action, chosen=place == self._chosen)
            for place, action in enumerate(self._found[first : first + SHOWN], first)
        ]
        self.query_one("#palette-list", Static).update(Content("\n").join(lines or [Content("Nothing is called so.")]))

    def _line(self, action: Action, *, chosen: bool) -> Content:
        keys = self._keymap.of(action)
        key = shown(keys[0]) if keys else ""
        refused = self._refused.get(action.id)
        said = action.help if refused is None else f"{action.word}: {refused}"
        style = "reverse" if chosen else "" if refused is None else "dim"
        return Content.assemble((f" {key:<7}", "$text-accent"), (f"{said} ", style))
