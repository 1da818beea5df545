"""What do the lines below the list say: the chosen call's sentence, the last answer, and the keys?"""

from collections.abc import Sequence

from textual.content import Content
from textual.widgets import Input

from focusflow.tui.actions import Action, Context, Keymap, shown, word_for
from focusflow.tui.band import Band, Part, line
from focusflow.tui.plain import plain


class Sentence(Band):
    """What happened to the chosen call, and what comes next, in at most two lines."""

    def __init__(self) -> None:
        super().__init__(id="sentence")
        self._text = ""

    def tell(self, text: str) -> None:
        """Show *text*, cut where there is no more room."""
        self._text = text
        width, height = self.size
        if not width:
            return
        lines = Content(text).wrap(max(1, width - 2))
        if len(lines) > height:
            rest = Content(" ").join(lines[height - 1 :])
            lines = [*lines[: height - 1], rest.truncate(width - 2, ellipsis=True)]
        self.say(Content("\n").join(Content.assemble(" ", line) for line in lines))

    def on_resize(self) -> None:
        self.tell(self._text)


class StatusLine(Band):
    """The last answer at the left; at the right which calls are listed."""

    def __init__(self) -> None:
        super().__init__(id="status")
        self._answer: Part = ("", "")
        self._listed = ""

    def answer(self, sentence: str, *, style: str = "") -> None:
        """Show *sentence* until there is another, or until it is forgotten."""
        self._answer = (f" {plain(sentence)}", style)
        self._redraw()

    def forget(self, sentence: str) -> None:
        """Show *sentence* no longer, if it is still there."""
        if self._answer[0] == f" {plain(sentence)}":
            self.answer("")

    def listed(self, words: str) -> None:
        self._listed = words
        self._redraw()

    def on_resize(self) -> None:
        self._redraw()

    def _redraw(self) -> None:
        width = self.size.width
        if not width:
            return
        listed = [(f"{self._listed} ", "$text-muted")] if self._listed else []
        if Content.assemble(self._answer, *listed).cell_length >= width and self._answer[0]:
            listed = []  # what was asked for goes before what can be asked for again
        self.say(line([self._answer], listed, width))


class SearchBox(Input):
    """Where somebody types what to search for."""

    def __init__(self) -> None:
        super().__init__(id="search", compact=True, placeholder="Search contact, number, transcript, summary")
        self.cursor_blink = False
        self.display = False
        self.before = ""
        """What was searched for before."""


class Keys(Band):
    """The keys that mean something now, the most useful first, as many as there is room for."""

    def __init__(self) -> None:
        super().__init__(id="keys")
        self._offered: list[tuple[str, str]] = []

    def show(self, actions: Sequence[tuple[Action, str]], keymap: Keymap) -> None:
        """Show these actions, each with its word."""
        worth = sorted((pair for pair in actions if pair[0].footer), key=lambda pair: -pair[0].footer)
        self.tell([(shown(keys[0]), word) for action, word in worth if (keys := keymap.of(action))])

    def tell(self, keys: list[tuple[str, str]]) -> None:
        """Show these keys, each with its word."""
        if keys != self._offered:
            self._offered = keys
            self._redraw()

    def on_resize(self) -> None:
        self._redraw()

    def _redraw(self) -> None:
        width, parts = self.size.width, list[Part]()
        if not width:
            return
        used = 0
        for key, word in self._offered:
            needed = Content(f" {key} {word} ").cell_length
            if used + needed > width:
                break
            parts += [(" ", ""), (key, "bold $text-accent"), (f" {word} ", "$text-muted")]
            used += needed
        self.say(Content.assemble(*parts))


def offered(actions: Sequence[Action], context: Context) -> list[tuple[Action, str]]:
    """Return the actions with the words that say what they would do now."""
    return [(action, word_for(action, context)) for action in actions]
