"""How does the screen talk to a terminal that may stop reading, or go away, without ever waiting for it?"""

import asyncio
import os
import select
import selectors
import sys
import threading
import time
from codecs import getincrementaldecoder
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from typing import Any, Protocol, runtime_checkable

from textual._xterm_parser import XTermParser
from textual.app import App
from textual.constants import ESCAPE_DELAY
from textual.drivers.linux_driver import LinuxDriver

PATIENCE_SECONDS = 0.25
"""When the oldest unsent byte is older than this, the terminal does not keep up: frames are skipped until it has."""

PARTING_SECONDS = 0.4
"""How long the last bytes, which restore the terminal, may take."""

CHUNK = 16_384
TYPING_SECONDS = ESCAPE_DELAY + 0.2
"""How long after a key the parser is asked whether an Escape was meant as such."""


@runtime_checkable
class Hosted(Protocol):
    """An app that wants to know when its terminal is gone."""

    def terminal_gone(self) -> None:
        """The terminal has hung up; called once, on the event loop."""


class Writer:
    """Sends what it is given from a thread of its own, straight to the descriptor: no lock of Python's can be left held."""

    def __init__(
        self,
        descriptor: int,
        *,
        loop: asyncio.AbstractEventLoop,
        on_drained: Callable[[], None],
        on_gone: Callable[[], None],
    ) -> None:
        self._descriptor = descriptor
        self._loop, self._on_drained, self._on_gone = loop, on_drained, on_gone
        self._pending: list[str] = []
        self._pending_since: float | None = None
        self._sending_since: float | None = None
        self._changed = threading.Condition()
        self._asked = self._stopping = self._broken = False
        self._thread = threading.Thread(target=self._run, name="focusflow-output", daemon=True)
        self._thread.start()

    def write(self, data: str) -> None:
        """Take *data*; never waits. Nothing is kept for a terminal that is gone."""
        with self._changed:
            if self._broken:
                return
            self._pending.append(data)
            self._pending_since = self._pending_since or time.monotonic()
            self._changed.notify()

    @property
    def lag(self) -> float:
        """Seconds for which the oldest unsent byte has been waiting."""
        oldest_at = self._sending_since or self._pending_since
        return 0.0 if oldest_at is None else time.monotonic() - oldest_at

    def tell_when_drained(self) -> bool:
        """Call `on_drained`, once, when everything is sent; False: it is."""
        with self._changed:
            self._asked = self._sending_since is not None or bool(self._pending)
            return self._asked

    def stop(self, seconds: float) -> None:
        """Send what is left within *seconds*; a terminal that does not read by then is left alone."""
        with self._changed:
            self._stopping = True
            self._changed.notify()
        self._thread.join(seconds)

    def _run(self) -> None:
        try:
            while data := self._next():
                self._send(data.encode("utf-8", "replace"))
        except OSError:
            with self._changed:
                self._broken = True
                self._pending.clear()
                self._pending_since = self._sending_since = None
            self._tell(self._on_gone)

    def _next(self) -> str:
        """Wait for something to send; empty when it is time to stop."""
        with self._changed:
            self._sending_since = None
            if self._asked and not self._pending:
                self._asked = False
                self._tell(self._on_drained)
            while not self._pending and not self._stopping:
                self._changed.wait()
            data = "".join(self._pending)
            self._pending.clear()
            self._sending_since, self._pending_since = self._pending_since, None
            return data

    def _send(self, data: bytes) -> None:
        left = memoryview(data)
        while left:
            select.select([], [self._descriptor], [])  # somebody may have made it non-blocking
            left = left[self._write_some(left[:CHUNK]) :]

    def _write_some(self, data: memoryview) -> int:
        try:
            return os.write(self._descriptor, data)
        except BlockingIOError:
            return 0

    def _tell(self, what: Callable[[], None]) -> None:
        with suppress(RuntimeError):  # the loop has ended meanwhile: nobody is left to be told
            self._loop.call_soon_threadsafe(what)


class TerminalDriver(LinuxDriver):
    """Textual's driver, except that output never blocks, frames are skipped while the terminal is behind, and input
    sleeps while nothing is typed and notices the end of the terminal.
    """

    def __init__(
        self, app: App[Any], *, debug: bool = False, mouse: bool = True, size: tuple[int, int] | None = None
    ) -> None:
        super().__init__(app, debug=debug, mouse=mouse, size=size)
        self._descriptor = sys.__stdout__.fileno() if sys.__stdout__ is not None else 1
        self._out: Writer | None = None
        self._holding: ExitStack | None = None
        self._frame: list[str] | None = None
        """The pieces of the picture that is being drawn; None: none is."""
        self._bell: tuple[int, int] | None = None
        self._told_gone = False

    # ------------------------------------------------------------------------------------------------------- output

    def write(self, data: str) -> None:
        """Send *data* when the terminal takes it; while another program has the terminal nothing is sent."""
        if self._out is None:
            return
        if self._frame is not None:
            self._frame.append(data)
            return
        self._out.write(data)
        if self._holding is None and self._out.lag > PATIENCE_SECONDS and self._out.tell_when_drained():
            self._holding = ExitStack()
            self._holding.enter_context(self._app.batch_update())

    @contextmanager
    def frame(self) -> Iterator[None]:
        """Send what is written meanwhile in one piece: each would wake the thread that sends, which then waits for us."""
        self._frame = []
        try:
            yield
        finally:
            pieces, self._frame = self._frame, None
            if pieces:
                self.write("".join(pieces))

    def _caught_up(self) -> None:
        """Paint everything anew, once, after frames were skipped."""
        if self._holding is not None:
            self._holding.close()
            self._holding = None
            self._app.refresh(layout=True)

    def start_application_mode(self) -> None:
        self._out = Writer(self._descriptor, loop=self._loop, on_drained=self._caught_up, on_gone=self._gone)
        self._bell = os.pipe()
        super().start_application_mode()  # type: ignore[no-untyped-call]  # Textual leaves it without types

    def close(self) -> None:
        super().close()
        if self._out is not None:
            self._out.stop(PARTING_SECONDS)
            self._out = None
        self._caught_up()
        if self._bell is not None:
            for end in self._bell:
                os.close(end)
            self._bell = None

    # -------------------------------------------------------------------------------------------------------- input

    def disable_input(self) -> None:
        if self._bell is not None:
            os.write(self._bell[1], b"!")  # the thread wakes up, and looks at the event that ends it
        super().disable_input()

    def run_input_thread(self) -> None:
        """Read keys until told to stop, or until the terminal is gone."""
        if self._bell is None:
            return  # closed before it began
        parser = XTermParser(self._debug)
        decode = getincrementaldecoder("utf-8")(errors="replace").decode
        bell, awake_at = self._bell[0], time.monotonic()
        with selectors.SelectSelector() as selector:
            selector.register(self.fileno, selectors.EVENT_READ)
            selector.register(bell, selectors.EVENT_READ)
            while not self.exit_event.is_set():
                awake = time.monotonic() - awake_at < TYPING_SECONDS
                ready = {key.fd for key, _ in selector.select(0.05 if awake else None)}
                if ready:
                    awake_at = time.monotonic()
                if bell in ready:
                    os.read(bell, 1)
                if self.fileno in ready and not self._read(parser, decode):
                    self._loop.call_soon_threadsafe(self._gone)
                    return
                for event in parser.tick():
                    self.process_message(event)

    def _read(self, parser: XTermParser, decode: Callable[[bytes], str]) -> bool:
        """Hand over what was typed; False: there is nobody any more who could type."""
        try:
            typed = os.read(self.fileno, 4_096)
        except OSError:
            return False
        for event in parser.feed(decode(typed)) if typed else ():
            self.process_message(event)
        return bool(typed)

    def _gone(self) -> None:
        if not self._told_gone and isinstance(self._app, Hosted):
            self._told_gone = True
            self._app.terminal_gone()
