"""How does the app behave towards its terminal when it crashes, is suspended, or loses it?"""

import logging
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from typing import Any

import anyio
from rich.console import RenderableType
from textual._compositor import ChopsUpdate
from textual.app import App
from textual.driver import Driver
from textual.drivers.linux_driver import LinuxDriver
from textual.filter import Monochrome, NoColor
from textual.screen import Screen
from textual.theme import BUILTIN_THEMES

from focusflow.tui.driver import TerminalDriver
from focusflow.tui.sparing import SparingScreen, SparingUpdate

_log = logging.getLogger(__name__)


class GoodManners(App[Any]):
    """An app that never prints a traceback, never waits for its terminal, and knows when the terminal is gone."""

    in_tmux = False
    """The terminal is a pane of tmux."""

    on_terminal_gone: Callable[[], None] | None = None
    """What happens when the terminal has hung up; None: the app ends."""

    on_painted: Callable[[], None] | None = None
    """Called when the first picture is there."""

    mistake: BaseException | None = None
    """The exception that ended the app, if one did. Whoever runs the app raises it again, once the terminal is restored."""

    lent = False
    """Another program has the terminal: Ctrl-C is meant for that one."""

    def __init__(self, *, theme: str = "textual-dark", no_colour: bool = False) -> None:
        """Begin with a theme of Textual's; one it does not know is passed over. *no_colour*: whatever the theme, none is sent."""
        # before anything else: the stylesheet and the filters are made for the theme that is there
        self.set_reactive(App.theme, theme if theme in BUILTIN_THEMES else "textual-dark")
        super().__init__()
        self.animation_level = "none"
        # Textual's filter for a theme with colours of its own makes greys, and black of the terminal's own colours
        self.no_color = no_colour
        self._filters = [one for one in self._filters if not isinstance(one, Monochrome | NoColor)]
        if no_colour:
            self._filters.append(NoColor())

    def get_driver_class(self) -> type[Driver]:
        chosen = super().get_driver_class()
        return TerminalDriver if chosen is LinuxDriver else chosen  # TEXTUAL_DRIVER may name another

    def get_default_screen(self) -> Screen[Any]:
        return SparingScreen()

    def on_ready(self) -> None:
        if self.on_painted is not None:
            self.call_after_refresh(self.on_painted)

    def terminal_gone(self) -> None:
        """The terminal has hung up."""
        if self.on_terminal_gone is not None:
            self.on_terminal_gone()
        else:
            self.exit(return_code=129)

    def _display(self, screen: Screen[Any], renderable: RenderableType | None) -> None:
        if isinstance(renderable, ChopsUpdate):
            renderable = SparingUpdate(renderable.chops, renderable.spans, renderable.chop_ends)
        with self._driver.frame() if isinstance(self._driver, TerminalDriver) else nullcontext():
            super()._display(screen, renderable)

    # Textual prints a traceback with the values of local variables, secrets among them
    def _fatal_error(self) -> None:
        self.mistake = self.mistake or self._exception
        self._close_messages_no_wait()

    def panic(self, *renderables: Any) -> None:
        """End the app; what went wrong is told by whoever runs it."""
        self._fatal_error()

    @contextmanager
    def suspend(self) -> Iterator[None]:
        """Lend the terminal to another program for as long as the context lasts. Await its end, never block."""
        self.lent = True
        try:
            with self.batch_update(), super().suspend():
                yield
        finally:
            self.lent = False
            self.refresh(layout=True)

    async def lend_terminal(self, command: Sequence[str]) -> int:
        """Run *command* with the terminal for its own and return its exit code; everything else goes on meanwhile.

        Raises `OSError` when it cannot be started.
        """
        with self.suspend():
            process = await anyio.open_process(command, stdin=None, stdout=None, stderr=None)
            try:
                return await process.wait()
            finally:
                if process.returncode is None:
                    process.terminate()
