"""Does the screen open where it can, say what is missing where it cannot, and leave nothing behind however it ends?"""

from __future__ import annotations

import os
import re
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from tests.terminal.conftest import OpenTerminal, Terminal

ALTERNATE_OFF = b"\x1b[?1049l"
AT_WORK = re.compile(r"(transcribing|summarizing) [1-9]")


def at_work(text: str) -> bool:
    return AT_WORK.search(text) is not None


def rows(database: Path, statement: str) -> list[tuple[object, ...]]:
    connection = sqlite3.connect(database)
    try:
        return connection.execute(statement).fetchall()
    finally:
        connection.close()


def demo(open_terminal: OpenTerminal, *arguments: str, **more: int) -> Terminal:
    return open_terminal("-m", "focusflow", "demo", *arguments, **more)


def nothing_is_held(kept: Path) -> bool:
    """No lease, no instance, no reservation of a call that rests: the next start has nothing to mend."""
    database = kept / "focusflow.db"
    return rows(database, "SELECT id FROM jobs WHERE claimed_by IS NOT NULL") == [] and (
        rows(database, "SELECT * FROM instances") == []
    )


@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 143), (signal.SIGINT, 130), (signal.SIGHUP, 129)])
def test_a_signal_restores_the_terminal_and_hands_the_calls_back(
    open_terminal: OpenTerminal, tmp_path: Path, number: signal.Signals, code: int
) -> None:
    """In the middle of the work; the exit code says which it was."""
    terminal = demo(open_terminal, "--keep", str(tmp_path / "kept"))
    terminal.until(at_work)
    terminal.signal(number)

    assert terminal.ended() == code
    assert ALTERNATE_OFF in terminal.received
    assert terminal.modes == terminal.modes_before
    assert b"Traceback" not in terminal.received
    assert nothing_is_held(tmp_path / "kept")


def test_a_window_that_is_closed_ends_the_work_cleanly(open_terminal: OpenTerminal, tmp_path: Path) -> None:
    """As when a tmux pane is killed: no process, no lease, no traceback anywhere."""
    terminal = demo(open_terminal, "--keep", str(tmp_path / "kept"))
    terminal.until(at_work)
    terminal.hang_up()

    assert terminal.ended() in (129, 1)
    assert nothing_is_held(tmp_path / "kept")
    assert '"critical"' not in (tmp_path / "kept" / "focusflow.log").read_text(encoding="utf-8")


def test_a_demo_that_is_left_leaves_no_file(open_terminal: OpenTerminal, tmp_path: Path) -> None:
    """Quit by key, at once handed back; what came of it and where to look next stays on the terminal."""
    terminal = demo(open_terminal)
    terminal.until(at_work)
    terminal.press("q")
    terminal.until(lambda text: "Quit?" in text or "emulated Notion" in text)
    terminal.press("h")

    assert terminal.ended() == 0
    assert "focusflow init" in terminal.text
    assert list((tmp_path / "tmp").iterdir()) == []


def test_nothing_configured_is_a_state_and_not_an_end(open_terminal: OpenTerminal) -> None:
    """It names what leads on: init and demo."""
    terminal = open_terminal("-m", "focusflow", columns=120)
    terminal.until("not set up")
    terminal.press("q")

    assert terminal.ended() == 0
    said = terminal.text.replace("\n", "")
    assert "focusflow init" in said
    assert "focusflow demo" in said


def test_a_database_that_cannot_be_opened_is_a_state(open_terminal: OpenTerminal, tmp_path: Path) -> None:
    """It is told on the screen, tried again, and opened when it can be."""
    data = tmp_path / "data"
    data.mkdir()
    (data / "focusflow.db").write_bytes(b"this is not a database" * 100)
    terminal = open_terminal("-m", "focusflow", "--data-dir", str(data), *_CONFIGURED, columns=120)
    terminal.until("no database")
    (data / "focusflow.db").unlink()
    terminal.until(lambda text: "no database" not in text)
    terminal.press("q")

    assert terminal.ended() == 0


@pytest.mark.parametrize("arguments", [[], ["--monitor"]])
def test_without_a_terminal_it_is_refused(tmp_path: Path, arguments: list[str]) -> None:
    """cron and systemd: a sentence, exit code 2, no process that spins."""
    done = subprocess.run(
        [sys.executable, "-m", "focusflow", *arguments],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
        env={"PATH": os.environ["PATH"], "HOME": str(tmp_path)},
    )

    assert (done.returncode, done.stdout) == (2, "")
    assert "`focusflow run` does the same work" in done.stderr


def test_a_second_screen_only_looks(open_terminal: OpenTerminal, tmp_path: Path) -> None:
    """By default, and it says whose work it shows; its end disturbs nobody."""
    kept = tmp_path / "kept"
    first = demo(open_terminal, "--keep", str(kept))
    first.until(at_work)
    second = open_terminal("-m", "focusflow", "--data-dir", str(kept), *_CONFIGURED, columns=120)
    second.until("monitor of")
    second.press("q")
    assert second.ended() == 0
    first.signal(signal.SIGTERM)
    assert first.ended() == 143


def test_a_second_screen_needs_no_accounts_to_look(open_terminal: OpenTerminal, tmp_path: Path) -> None:
    """Another shell, in which nothing is configured, shows whose work it is and is not told to set anything up."""
    kept = tmp_path / "kept"
    first = demo(open_terminal, "--keep", str(kept))
    first.until(at_work)
    for arguments in ([], ["--monitor"]):
        second = open_terminal("-m", "focusflow", "--data-dir", str(kept), *arguments, columns=120)
        second.until("monitor of")
        second.press("q")
        assert second.ended() == 0
        assert "focusflow init" not in second.text
    first.signal(signal.SIGTERM)
    assert first.ended() == 143


_CONFIGURED = (
    *("--set", "source=folder"),
    *("--set", "folder.path=/nowhere"),
    *("--set", "assemblyai.api_key=a-key-of-nobody"),
    *("--set", "openai.api_key=a-key-of-nobody"),
)


def test_a_terminal_that_goes_away_may_leave_the_work_running(open_terminal: OpenTerminal, tmp_path: Path) -> None:
    """`screen.on_hangup: headless`: the instance stays, until it is told to stop."""
    data = tmp_path / "data"
    (tmp_path / "recordings").mkdir()
    configured = [part.replace("/nowhere", str(tmp_path / "recordings")) for part in _CONFIGURED]
    terminal = open_terminal(
        "-m", "focusflow", "--data-dir", str(data), *configured, "--set", "screen.on_hangup=headless"
    )
    terminal.until("running")
    _until(lambda: rows(data / "focusflow.db", "SELECT name FROM instances") != [])
    terminal.hang_up()
    time.sleep(1)

    assert terminal.process.poll() is None
    terminal.signal(signal.SIGTERM)
    assert terminal.ended() in (143, 1)
    assert rows(data / "focusflow.db", "SELECT name FROM instances") == []


def _until(true: object, seconds: float = 30) -> None:
    assert callable(true)
    ends = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < ends
        time.sleep(0.05)


def configured(tmp_path: Path) -> list[str]:
    """A folder as the source and keys of nobody: enough for the work to begin."""
    (tmp_path / "recordings").mkdir(exist_ok=True)
    return [part.replace("/nowhere", str(tmp_path / "recordings")) for part in _CONFIGURED]


def instances(data: Path) -> list[tuple[object, ...]]:
    return rows(data / "focusflow.db", "SELECT name FROM instances")


def test_a_second_screen_takes_the_work_over_when_the_first_ends(open_terminal: OpenTerminal, tmp_path: Path) -> None:
    """It looked only because another worked: when that one is killed, nobody has to press a key."""
    data, options = tmp_path / "data", configured(tmp_path)
    first = open_terminal("-m", "focusflow", "--data-dir", str(data), *options, columns=120)
    first.until("running")
    _until(lambda: (data / "focusflow.db").exists() and instances(data) != [])
    second = open_terminal("-m", "focusflow", "--data-dir", str(data), *options, columns=120)
    second.until("monitor of")
    first.signal(signal.SIGKILL)
    first.ended()
    second.until("has ended: the work goes on here")
    second.until(lambda text: "running" in text.splitlines()[0])
    _until(lambda: any(str(name).endswith(f":{second.process.pid}") for (name,) in instances(data)))
    second.press("q")

    assert second.ended() == 0


def test_a_monitor_says_that_nobody_works_and_offers_to(open_terminal: OpenTerminal, tmp_path: Path) -> None:
    """`--monitor` looks and nothing else, until a key says otherwise."""
    data, options = tmp_path / "data", configured(tmp_path)
    first = open_terminal("-m", "focusflow", "--data-dir", str(data), *options, columns=120)
    first.until("running")
    _until(lambda: (data / "focusflow.db").exists() and instances(data) != [])
    own = {"FOCUSFLOW_SCREEN__KEYS": '{"take_over": "f9"}'}
    monitor = open_terminal("-m", "focusflow", "--monitor", "--data-dir", str(data), *options, columns=120, **own)
    monitor.until("monitor of")
    first.press("q")
    assert first.ended() == 0
    monitor.until("has ended, so nobody works. F9 does the work here.")
    monitor.until("monitor, nobody works")
    monitor.press("\x1b[20~")
    monitor.until(lambda text: "running" in text.splitlines()[0])
    monitor.press("q")

    assert monitor.ended() == 0


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of its own, which root can make read only for root too."""
    place = tmp_path / "disk"
    place.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=16m", "tmpfs", str(place)]
    if os.geteuid() != 0 or subprocess.run(command, capture_output=True, check=False).returncode != 0:
        pytest.skip("a disk of its own can only be mounted by root")
    yield place
    subprocess.run(["umount", "-l", str(place)], check=True)


def test_a_database_that_cannot_be_written_is_shown_all_the_same(
    open_terminal: OpenTerminal, tmp_path: Path, small_disk: Path
) -> None:
    """The header says it, a key that would write says what to do, and work begins once writing is possible."""
    options = [*configured(tmp_path), "--set", f"logging.file={tmp_path / 'the.log'}"]
    url = ("--set", f"store.url=sqlite:///{small_disk / 'x.db'}")
    command = ("-m", "focusflow", "--data-dir", str(tmp_path / "data"), *options, *url)
    before = open_terminal(*command)
    before.until("running")
    before.press("q")
    assert before.ended() == 0
    subprocess.run(["mount", "-o", "remount,ro", str(small_disk)], check=True)

    terminal = open_terminal(*command, columns=120)
    terminal.until("read only")
    terminal.until("No calls yet")
    terminal.press("p")
    terminal.until("Read only: let FocusFlow write x.db and its folder")
    subprocess.run(["mount", "-o", "remount,rw", str(small_disk)], check=True)
    terminal.until(lambda text: "running" in text.splitlines()[0])
    terminal.press("q")

    assert terminal.ended() == 0


def test_without_colour_nothing_is_painted_in_one(open_terminal: OpenTerminal) -> None:
    """Black on black is what Textual makes of a terminal's own colours: no colour at all is sent, and marks are seen."""
    terminal = open_terminal("-m", "focusflow", "demo", "--speed", "10", NO_COLOR="1")
    terminal.until(lambda text: "2 completed 9" in text)
    terminal.press("j")
    terminal.until("? help")

    styles = re.findall(rb"\x1b\[([\d;]*)m", bytes(terminal.received))
    coloured = [style for style in styles if any(_is_colour(code) for code in style.split(b";"))]
    assert coloured == []
    assert {cell.reverse for row in terminal.screen.buffer.values() for cell in row.values()} == {True, False}


def _is_colour(code: bytes) -> bool:
    """Say whether an SGR code sets a colour; 39 and 49 are the terminal's own."""
    number = int(code or 0)
    return 30 <= number <= 38 or 40 <= number <= 48 or number >= 90


@pytest.mark.timeout(150)
def test_what_is_drawn_piece_by_piece_is_what_is_drawn_at_once(open_terminal: OpenTerminal) -> None:
    """Only what changed is drawn: after any keys the screen is as a window that was just opened would show it."""
    terminal = open_terminal("-m", "focusflow", "demo", "--speed", "10", columns=120, rows=40)
    terminal.until(lambda text: all(part in text for part in ("3 failed 1", "9 waiting 1", "2 completed 9")))
    for keys in (
        ["j", "j", "k", "j"],
        ["enter", "2", "j", "j"],
        ["4", "j", "5", "j"],
        ["escape", " ", "j", "v"],
        ["s", "G"],
    ):
        terminal.press(*keys)
        settle(terminal)
        pieces = cells(terminal)
        terminal.resize(119, 40)
        settle(terminal)
        terminal.resize(120, 40)
        settle(terminal)
        assert cells(terminal) == pieces, keys


def settle(terminal: Terminal) -> None:
    """Wait until nothing more is drawn."""
    seen = -1
    while seen != len(terminal.received):
        seen = len(terminal.received)
        terminal.read(0.4)


def cells(terminal: Terminal) -> list[list[tuple[Any, ...]]]:
    """Return what each cell looks like, without the first line, which tells the time, and the colour of blanks."""
    screen = terminal.screen
    rows = [[screen.buffer[y][x] for x in range(screen.columns)] for y in range(1, screen.lines)]
    return [[(cell.data, cell.data.strip() and cell.fg, cell.bg, cell.bold) for cell in row] for row in rows]
