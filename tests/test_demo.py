"""Does the demo show the whole product on a fresh machine, in any terminal, and leave nothing behind?"""

import json
import os
import re
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest

FINISHED = "calls completed"
SECONDS = 55


def environ(place: Path) -> dict[str, str]:
    """A machine on which nothing is configured."""
    (place / "tmp").mkdir()
    return {"PATH": os.environ["PATH"], "HOME": str(place), "TMPDIR": str(place / "tmp"), "LANG": "C.UTF-8"}


def demo(place: Path, *arguments: str) -> "subprocess.Popen[str]":
    return subprocess.Popen(
        [sys.executable, "-m", "focusflow", "demo", "--speed", "50", *arguments],
        env=environ(place),
        cwd=place,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def leftovers(place: Path) -> list[str]:
    return [path.name for path in (place / "tmp").iterdir()]


def test_every_call_is_done_and_nothing_is_left(tmp_path: Path) -> None:
    """Exit code 0, a table of every call, what it would have cost, and no file anywhere."""
    process = demo(tmp_path)
    out, err = process.communicate(timeout=SECONDS)

    assert (process.returncode, "Traceback" in err) == (0, False), err
    table = out.partition("\nID ")[2].splitlines()
    states = [line.split()[1] for line in table[1:] if re.match(r"[0-9a-z]{10} ", line)]
    assert (states.count("completed"), states.count("skipped"), len(states)) == (11, 4, 15)
    assert f"11 {FINISHED}, 4 skipped, 11 pages in the emulated Notion." in out
    assert "this would have cost $0." in out
    assert leftovers(tmp_path) == []
    assert not (tmp_path / ".local").exists()


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGHUP, 129)])
def test_it_can_be_stopped_in_the_middle(tmp_path: Path, number: signal.Signals, code: int) -> None:
    """What was begun is told, nothing is left; the exit code is the signal's."""
    process = demo(tmp_path)
    assert process.stdout is not None
    assert any(" transcribing " in line for line in process.stdout)
    process.send_signal(number)
    _, err = process.communicate(timeout=SECONDS)

    assert process.returncode == code
    assert "calls are not finished." in err
    assert "Traceback" not in err
    assert leftovers(tmp_path) == []


def test_its_reader_may_leave(tmp_path: Path) -> None:
    """`focusflow demo | head -1`: no traceback, nothing left, also from within its tasks."""
    process = demo(tmp_path)
    assert process.stdout is not None
    process.stdout.readline()
    process.stdout.close()
    assert process.stderr is not None
    err = process.stderr.read()

    assert process.wait(SECONDS) == 0
    assert "Traceback" not in err
    assert leftovers(tmp_path) == []
    process.stderr.close()


def test_its_data_can_be_kept_and_looked_at(tmp_path: Path) -> None:
    """The commands it names work on them."""
    process = demo(tmp_path, "--keep", str(tmp_path / "kept"))
    out, _ = process.communicate(timeout=SECONDS)

    assert f"focusflow --data-dir {tmp_path / 'kept'} jobs list" in out
    listed = subprocess.run(
        [sys.executable, "-m", "focusflow", "--data-dir", str(tmp_path / "kept"), "jobs", "list", "--json"],
        env={"PATH": os.environ["PATH"], "HOME": str(tmp_path)},
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=SECONDS,
        check=True,
    )
    assert len(json.loads(listed.stdout)) == 15
    assert len(list((tmp_path / "kept" / "calls").rglob("*.md"))) == 11
    assert leftovers(tmp_path) == []


@pytest.mark.skipif(shutil.which("tmux") is None, reason="tmux is not installed")
def test_its_lines_fit_a_small_terminal(tmp_path: Path) -> None:
    """80 by 24 in tmux: a line that is too long would be wrapped, and tmux can tell."""
    tmux = ["tmux", "-L", f"focusflow-{os.getpid()}", "-f", "/dev/null"]
    settings = " ".join(f"{name}='{value}'" for name, value in environ(tmp_path).items())
    command = (
        f"env {settings} {sys.executable} -m focusflow demo --no-screen --speed 50; tmux wait-for -S done-{os.getpid()}"
    )
    subprocess.run(
        [*tmux, "new-session", "-d", "-x", "80", "-y", "24", "-s", "demo", "-c", str(tmp_path), "sh"], check=True
    )
    try:
        subprocess.run([*tmux, "set-option", "-t", "demo", "remain-on-exit", "on"], check=True)
        subprocess.run([*tmux, "send-keys", "-t", "demo", command, "Enter"], check=True)
        subprocess.run([*tmux, "wait-for", f"done-{os.getpid()}"], check=True, timeout=SECONDS)
        # -J joins lines that were wrapped: what is longer than the terminal was
        shown = subprocess.run(
            [*tmux, "capture-pane", "-p", "-J", "-S", "-500", "-t", "demo"], capture_output=True, text=True, check=True
        ).stdout
    finally:
        subprocess.run([*tmux, "kill-server"], check=False)

    lines = shown.partition("FocusFlow demo:")[2].splitlines()
    assert any(FINISHED in line for line in lines)
    assert sum(re.match(r"[0-9a-z]{10}  (completed|skipped)", line) is not None for line in lines) == 15
    assert [line for line in lines if len(line.rstrip()) > 80] == []
    assert any(line.rstrip().endswith("…") for line in lines)
