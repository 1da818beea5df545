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
ASKS = " (asks)"


def page(
    actions: Sequence[Action],
    keymap: Keymap,
    signs: Symbols,
    *,
    about: Sequence[str],
    width: int,
    first: Group = Group.MOVE,
) -> Content:
    """Return the help: every key by group, those of the place where somebody asks *first*, and what the signs mean."""
    parts: list[Content] = [Content(line) for line in about]
    parts += [Content.styled(problem, "$text-warning") for problem in keymap.problems]
    for group in sorted(Group, key=lambda group: group is not first):
        mine = [action for action in actions if action.group is group]
        if mine:
            parts += [Content(""), Content.styled(str(group), "bold")]
            parts += [_line(action, keymap, width) for action in mine]
        if group is Group.LOOK:
            parts.append(_keys("0 to 9", FILTER_WORDS, width))
    return Content("\n").join([*parts, Content(""), *_signs(signs, width)])


def _line(action: Action, keymap: Keymap, width: int) -> Content:
    said = action.help + (ASKS if action.asks else "")
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
        _keys("08:04?", "found at that time; when the call was is not known", width),
        _keys(signs.cursor, "the call that the keys are meant for", width),
        _keys(signs.mark, "marked: the keys for a call are meant for all that are", width),
        _keys(ASKS.strip(), "a question comes first, with the price if there is one", width),
    ]


class Help(ModalScreen[None]):
    """All keys on one page that scrolls."""

    def __init__(self, content: Content) -> None:
        super().__init__()
        self._content = content

    def compose(self) -> ComposeResult:
        # the page has no focus, or some of the keys would be its own
        with VerticalScroll(id="help", classes="box", can_focus=False):
            yield Static(self._content, id="help-text", markup=False)

    def on_key(self, event: events.Key) -> None:
        event.stop()
        page = self.query_one(VerticalScroll)
        match event.key:
            case "escape" | "q" | "question_mark" | "f1" | "enter" | "h" | "left" | "ctrl+c" | "ctrl+q":
                self.dismiss(None)
            case "j" | "down":
                self._scroll(1)
            case "k" | "up":
                self._scroll(-1)
            case "pagedown" | "space" | "ctrl+d" | "ctrl+f":
                self._scroll(page.size.height - 1)
            case "pageup" | "ctrl+u":
                self._scroll(1 - page.size.height)
            case "g" | "home":
                page.scroll_home(animate=False)
            case "G" | "end":
                page.scroll_end(animate=False)

    def _scroll(self, lines: int) -> None:
        """Scroll at once: keys that come in a burst are each counted from where the one before has led."""
        self.query_one(VerticalScroll).scroll_relative(y=lines, animate=False, immediate=True)
