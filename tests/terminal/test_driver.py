"""Does the screen stay polite to a terminal that hangs, is lent to others, or goes away?"""

from __future__ import annotations

import re
import signal
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from textual.app import App
from textual.drivers.linux_driver import LinuxDriver

if TYPE_CHECKING:
    from tests.terminal.conftest import OpenTerminal, Terminal

TICKING = str(Path(__file__).with_name("ticking.py"))
ALTERNATE_OFF = b"\x1b[?1049l"


def told(terminal: Terminal, pattern: str) -> list[str]:
    terminal.until(lambda text: re.search(pattern, text) is not None)
    found = re.search(pattern, terminal.text)
    assert found is not None
    return list(found.groups())


def test_a_terminal_that_stops_reading_stops_nothing_else(open_terminal: OpenTerminal) -> None:
    """Six seconds without a reader, ten repaints a second: no gap in the work, one whole picture afterwards."""
    terminal = open_terminal(TICKING, columns=120, rows=40)
    terminal.until("frame 3 ")
    time.sleep(6)
    terminal.press("g")

    turns, gap = told(terminal, r"turns (\d+) longest gap ([\d.]+) end")

    assert float(gap) < 0.25
    assert int(turns) > 200
    missed = bytes(terminal.received).decode(errors="replace")
    frames = {int(found) for found in re.findall(r"frame (\d+) ", missed)}
    assert len(frames) < max(frames) - 30
    terminal.press("q")
    assert terminal.ended() == 0
    assert terminal.received.endswith((ALTERNATE_OFF + b"\x1b[?25h\x1b[?1004l", b"\x1b[?1004l"))


def test_it_ends_though_nobody_reads(open_terminal: OpenTerminal) -> None:
    """A quit does not wait for a terminal that hangs."""
    terminal = open_terminal(TICKING, columns=120, rows=40)
    terminal.until("frame 3 ")
    time.sleep(2)
    terminal.press("q")
    started = time.monotonic()

    while terminal.process.poll() is None and time.monotonic() - started < 10:
        time.sleep(0.02)

    assert terminal.process.poll() == 0


def test_the_work_goes_on_behind_a_pager(open_terminal: OpenTerminal) -> None:
    """The pager has the terminal as it was before, the screen comes back whole, and nothing has waited."""
    terminal = open_terminal(TICKING)
    terminal.until("frame 3 ")
    terminal.press("p")
    terminal.until("in the pager")
    assert terminal.modes[3] == terminal.modes_before[3]
    terminal.read(2)
    terminal.press("done\r")

    code, turns = told(terminal, r"pager (\d+) turns meanwhile (\d+) end")

    assert (code, int(turns) > 60) == ("7", True)
    terminal.until("frame")
    terminal.press("q")
    assert terminal.ended() == 0


@pytest.mark.parametrize("key", ["b", "w"])
def test_a_mistake_shows_no_secret_and_restores_the_terminal(open_terminal: OpenTerminal, key: str) -> None:
    """In a handler or in a worker: no traceback, no locals, exit code 1."""
    terminal = open_terminal(TICKING)
    terminal.until("frame 3 ")
    terminal.press(key)

    assert terminal.ended() == 1
    shown = bytes(terminal.received).decode(errors="replace")
    assert "Traceback" not in shown
    assert "sk-secret" not in shown
    assert re.search(r"ended by (RuntimeError|WorkerFailed|KeyError)", shown)
    assert ALTERNATE_OFF in terminal.received
    assert terminal.modes == terminal.modes_before


def test_a_window_that_is_closed_is_noticed_without_a_signal(open_terminal: OpenTerminal) -> None:
    """nohup ignores the signal; an input that has ended must neither be read for ever nor be overlooked."""
    terminal = open_terminal(
        "-c", f"import signal, runpy; signal.signal(signal.SIGHUP, signal.SIG_IGN); runpy.run_path({TICKING!r})"
    )
    terminal.until("frame 3 ")
    terminal.hang_up()

    assert terminal.ended() == 129


@pytest.mark.parametrize(
    ("owner", "name"),
    [
        (App, "_fatal_error"),
        (App, "_close_messages_no_wait"),
        (App, "_exception"),
        (App, "panic"),
        (App, "get_driver_class"),
        (LinuxDriver, "run_input_thread"),
        (LinuxDriver, "disable_input"),
        (LinuxDriver, "start_application_mode"),
    ],
)
def test_what_is_overridden_is_still_there(owner: type, name: str) -> None:
    """Some of it is private to Textual: when it moves, this test says so before a terminal does."""
    assert hasattr(owner, name) or name in App().__dict__


def test_a_signal_that_nobody_handles_is_not_swallowed(open_terminal: OpenTerminal) -> None:
    """The driver leaves SIGTERM alone: whoever hosts the app decides."""
    terminal = open_terminal(TICKING)
    terminal.until("frame 3 ")
    terminal.signal(signal.SIGTERM)

    assert terminal.ended() == -signal.SIGTERM
