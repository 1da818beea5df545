"""Which keys are there, in the words of the person who asks?"""

import textwrap
from collections.abc import Sequence

from textual import events
from textual.app import ComposeResult
from textual.containers import VerticalScroll
from textual.content import Content
from textual.screen import ModalScreen
from textual.widgets import Static

from focusflow.tui.actions import FILTER_WORDS, Action, Group, Keymap, shown
from focusflow.tui.words import STEP_WORDS, Symbols

KEY_CELLS = 20
WIDEST = 84


def page(actions: Sequence[Action], keymap: Keymap, signs: Symbols, *, about: Sequence[str], width: int) -> Content:
    """Return the help: every key by group, and what the signs mean."""
    parts: list[Content] = [Content(line) for line in about]
    parts += [Content.styled(problem, "$text-warning") for problem in keymap.problems]
    for group in Group:
        mine = [action for action in actions if action.group is group]
        if mine:
            parts += [Content(""), Content.styled(str(group), "bold")]
            parts += [_line(action, keymap, width) for action in mine]
        if group is Group.LOOK:
            parts.append(_keys("0 to 9", FILTER_WORDS, width))
    return Content("\n").join([*parts, Content(""), *_signs(signs, width)])


def _line(action: Action, keymap: Keymap, width: int) -> Content:
    said = action.help + (" (asks)" if action.asks else "")
    return _keys(", ".join(map(shown, keymap.of(action))), said, width)


def _keys(keys: str, said: str, width: int) -> Content:
    """Return keys at the left and what they do beside them, in as many lines as it takes."""
    first, *rest = textwrap.wrap(said, max(20, min(WIDEST, width) - KEY_CELLS - 3))
    more = "".join(f"\n{' ' * (KEY_CELLS + 3)}{line}" for line in rest)
    return Content.assemble((f"  {keys:<{KEY_CELLS}} ", "$text-accent"), first, more)


def _signs(signs: Symbols, width: int) -> list[Content]:
    steps = ", ".join(STEP_WORDS.values())
    return [
        Content.styled("Signs", "bold"),
        _keys(f"{signs.done}{signs.running}{signs.todo}{signs.todo}", f"the four steps: {steps}", width),
        _keys(signs.done, "done", width),
        _keys(signs.running, "being done", width),
        _keys(signs.todo, "still to do", width),
        _keys(signs.failed, "failed", width),
        _keys(signs.waiting, "waits, and comes back by itself", width),
        _keys("~$0.02", "what it is expected to cost; without ~: what it did cost", width),
    ]


class Help(ModalScreen[None]):
    """All keys on one page that scrolls."""

    def __init__(self, content: Content) -> None:
        super().__init__()
        self._content = content

    def compose(self) -> ComposeResult:
        with VerticalScroll(id="help", classes="box"):
            yield Static(self._content, id="help-text", markup=False)

    def on_mount(self) -> None:
        self.query_one(VerticalScroll).focus()

    def on_key(self, event: events.Key) -> None:
        event.stop()
        page = self.query_one(VerticalScroll)
        match event.key:
            case "escape" | "q" | "question_mark" | "f1" | "enter" | "h" | "left" | "ctrl+c" | "ctrl+q":
                self.dismiss(None)
            case "j" | "down":
                page.scroll_relative(y=1, animate=False)
            case "k" | "up":
                page.scroll_relative(y=-1, animate=False)
            case "pagedown" | "space" | "ctrl+d" | "ctrl+f":
                page.scroll_page_down(animate=False)
            case "pageup" | "ctrl+u":
                page.scroll_page_up(animate=False)
            case "g" | "home":
                page.scroll_home(animate=False)
            case "G" | "end":
                page.scroll_end(animate=False)
