"""A terminal without a window: a pty whose screen can be read, whose keys can be pressed, and which can stop reading."""

import fcntl
import os
import pty
import select
import signal
import struct
import subprocess
import sys
import termios
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pyte
import pytest

SECONDS = 40
"""Nothing that a person waits for may take longer, on a busy machine."""


class Terminal:
    """A program at work in a terminal of its own. Output is read only while something is waited for."""

    def __init__(self, command: list[str], *, environ: Mapping[str, str], cwd: Path, columns: int, rows: int) -> None:
        self.screen: Any = pyte.Screen(columns, rows)
        self._stream: Any = pyte.ByteStream(self.screen)
        self.received = bytearray()
        self.hung_up = False
        self.master, slave = pty.openpty()
        self._resize_to(slave, columns, rows)
        self.modes_before = termios.tcgetattr(slave)
        self.process = subprocess.Popen(
            [sys.executable, "-I", "-c", _TAKE_TERMINAL, *command],
            env={"TERM": "xterm-256color", "COLORTERM": "truecolor", "LANG": "C.UTF-8", **environ},
            cwd=cwd,
            stdin=slave,
            stdout=slave,
            stderr=slave,
            start_new_session=True,
        )
        self._slave = slave

    @staticmethod
    def _resize_to(descriptor: int, columns: int, rows: int) -> None:
        fcntl.ioctl(descriptor, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))

    def resize(self, columns: int, rows: int) -> None:
        """Make the window another size."""
        self.screen.resize(rows, columns)
        self._resize_to(self.master, columns, rows)
        os.killpg(self.process.pid, signal.SIGWINCH)

    @property
    def text(self) -> str:
        """What the screen shows now."""
        return "\n".join(line.rstrip() for line in self.screen.display)

    @property
    def modes(self) -> list[Any]:
        return termios.tcgetattr(self._slave)

    def read(self, seconds: float) -> None:
        """Take what comes within that time."""
        ends = time.monotonic() + seconds
        while (left := ends - time.monotonic()) > 0:
            if not self._read_once(left):
                return

    def _read_once(self, seconds: float) -> bool:
        if not select.select([self.master], [], [], seconds)[0]:
            return True
        try:
            data = os.read(self.master, 65_536)
        except OSError:
            return False
        self.received += data
        self._stream.feed(data)
        return True

    def until(self, what: str | Callable[[str], bool], seconds: float = SECONDS) -> str:
        """Wait until the screen shows the words, or what the predicate wants; return the screen."""
        wanted = (lambda text: what in text) if isinstance(what, str) else what
        ends = time.monotonic() + seconds
        while not wanted(self.text):
            if time.monotonic() > ends or (self.process.poll() is not None and not self._rest()):
                raise AssertionError(f"never shown: {what}\n{self.text}\nexit code: {self.process.poll()}")
            self._read_once(0.05)
        return self.text

    def _rest(self) -> bool:
        """Read what an ended process has left; False: nothing was there."""
        return bool(select.select([self.master], [], [], 0)[0]) and self._read_once(0)

    def press(self, *keys: str) -> None:
        """Type, one key after the other."""
        for key in keys:
            os.write(self.master, _NAMED.get(key, key).encode())

    def signal(self, number: signal.Signals) -> None:
        self.process.send_signal(number)

    def hang_up(self) -> None:
        """Close the window."""
        os.close(self._slave)
        os.close(self.master)
        self.hung_up = True

    def ended(self, seconds: float = SECONDS) -> int:
        """Wait for the program's end; return its exit code, or minus the signal that ended it."""
        ends = time.monotonic() + seconds
        while self.process.poll() is None:
            assert time.monotonic() < ends, f"it goes on:\n{self.text}"
            if self.hung_up:
                time.sleep(0.02)
            else:
                self._read_once(0.05)
        while not self.hung_up and self._rest():
            pass
        return self.process.returncode

    def close(self) -> None:
        if self.process.poll() is None:
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()
        if not self.hung_up:
            self.hang_up()


_TAKE_TERMINAL = """
import fcntl, os, sys, termios
fcntl.ioctl(0, termios.TIOCSCTTY, 0)
os.execv(sys.argv[1], sys.argv[1:])
"""
"""Makes the terminal the session's own, so that closing it is told by a signal, as in life."""

_NAMED = {
    "enter": "\r",
    "escape": "\x1b",
    "up": "\x1b[A",
    "down": "\x1b[B",
    "right": "\x1b[C",
    "left": "\x1b[D",
    "tab": "\t",
    "backspace": "\x7f",
    "ctrl+c": "\x03",
    "pagedown": "\x1b[6~",
}

OpenTerminal = Callable[..., Terminal]


@pytest.fixture
def open_terminal(tmp_path: Path) -> Iterator[OpenTerminal]:
    """Start `python ARGUMENTS...` in a terminal, 80 by 24 if nothing else is said, on a machine without configuration."""
    opened: list[Terminal] = []
    (tmp_path / "tmp").mkdir()
    home = {"PATH": os.environ["PATH"], "HOME": str(tmp_path), "TMPDIR": str(tmp_path / "tmp")}

    def start(*arguments: str, columns: int = 80, rows: int = 24, **environ: str) -> Terminal:
        terminal = Terminal(
            [sys.executable, *arguments], environ=home | environ, cwd=tmp_path, columns=columns, rows=rows
        )
        opened.append(terminal)
        return terminal

    yield start
    for terminal in opened:
        terminal.close()
