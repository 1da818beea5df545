"""However a command ends: a sentence, an exit code, and nothing left behind?"""

from __future__ import annotations

import fcntl
import json
import os
import re
import signal
import sqlite3
import subprocess
import sys
from typing import TYPE_CHECKING

import anyio
import pytest

from focusflow import __version__
from focusflow.cli.outcome import Exit, Finished, explained
from focusflow.cli.work import stopping_on_signals
from focusflow.errors import ConfigError, NewerDatabase, SourceError, StoreError
from focusflow.sandbox.faults import Fault
from focusflow.store.migrations import newest
from focusflow.store.schema import MIGRATIONS

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.cli.conftest import Call, Machine, MakeMachine

SLOW = [Fault(service="assemblyai", kind="stall", method="GET", path="/v2/transcript/", times=None)]
"""A transcript that is ordered, and of which nothing more is heard."""


def at_rest(machine: Machine) -> None:
    """Nothing is claimed, nobody is at work, no audio is left, the database is whole."""
    assert machine.rows("SELECT COUNT(*) FROM jobs WHERE claim_token IS NOT NULL OR lease_until IS NOT NULL") == [(0,)]
    assert machine.rows("SELECT COUNT(*) FROM instances") == [(0,)]
    assert machine.rows("SELECT COUNT(*) FROM attempts WHERE outcome = 'running'") == [(0,)]
    assert machine.rows("PRAGMA integrity_check") == [("ok",)]
    assert list((machine.data / "tmp").iterdir()) == []


# ------------------------------------------------------------------------------------------------------------- signals


SIGNALS = [(signal.SIGTERM, 143), (signal.SIGINT, 130), (signal.SIGHUP, 129)]
"""With the exit code each of them ends every command with, finished or not."""


@pytest.mark.parametrize(("number", "code"), SIGNALS)
def test_a_signal_during_work_hands_it_back_and_the_next_run_goes_on(
    make_machine: MakeMachine, number: signal.Signals, code: int
) -> None:
    """The signal's exit code; the call rests, not failed; what was ordered is not ordered again."""
    machine = make_machine(faults=SLOW)
    machine.server.add("Linden")
    running = machine.start("run")
    running.until_said("Ordered transcript")
    running.signal(number)
    ended = running.ended()

    assert ended.code == code
    assert "Stopping: work in flight is finished or handed back." in ended.err
    assert "Traceback" not in ended.err
    (job,) = machine.jobs()
    assert (job["status"], job["retry_count"], job["error_message"]) == ("discovered", 0, None)
    at_rest(machine)

    machine.server.sandbox.faults.clear()
    assert machine.run("run", "--until-idle").code == 0
    (job,) = machine.jobs()
    assert job["status"] == "completed"
    assert machine.server.bill("assemblyai") == 1


@pytest.mark.parametrize(("number", "code"), SIGNALS)
async def test_a_signal_is_the_end_also_where_everything_was_finished(number: signal.Signals, code: int) -> None:
    """Whoever started the command learns that it was told to stop: what follows in a script does not follow."""

    async def work() -> None:
        stopped = anyio.Event()
        async with stopping_on_signals(tell=lambda _: None) as signals:
            signals.stop = stopped.set
            os.kill(os.getpid(), number)
            await stopped.wait()

    with pytest.raises(Finished) as ended:
        await work()

    assert ended.value.code == code


@pytest.mark.parametrize(("number", "code"), SIGNALS)
def test_a_signal_before_anything_has_begun_ends_it_at_once(
    machine: Machine, number: signal.Signals, code: int
) -> None:
    """While another program keeps the database locked there is nothing to hand back."""
    machine.run("stats")
    writer = sqlite3.connect(machine.data / "focusflow.db", isolation_level=None)
    writer.execute("BEGIN IMMEDIATE")
    running = machine.start("run")
    running.until_said("locked")
    running.signal(number)
    ended = running.ended()
    writer.close()

    assert (ended.code, "Traceback" in ended.err) == (code, False)


def test_a_second_signal_does_not_wait_for_the_grace(make_machine: MakeMachine) -> None:
    """Exit code 130; handed back all the same."""
    machine = make_machine(faults=SLOW)
    machine.server.add("Linden")
    running = machine.start("--set", "timeouts.shutdown_grace_seconds=3600", "run")
    running.until_said("Ordered transcript")
    running.signal(signal.SIGINT)
    running.until_said("Stopping:")
    running.signal(signal.SIGINT)
    ended = running.ended()

    assert ended.code == 130
    assert "Traceback" not in ended.err
    assert [job["status"] for job in machine.jobs()] == ["discovered"]
    at_rest(machine)


def test_a_call_processed_by_hand_can_be_stopped(make_machine: MakeMachine) -> None:
    """It is not done, and said not to be; the exit code is the signal's."""
    machine = make_machine(faults=SLOW)
    machine.server.add("Linden")
    machine.run("discover")
    (job,) = machine.jobs()
    running = machine.start("--set", "logging.level=info", "process", job["id"])
    running.until_said("1 asked for.")
    machine_ordered(machine)
    running.signal(signal.SIGTERM)
    ended = running.ended()

    assert ended.code == 143
    assert ended.out.splitlines()[1].split()[:2] == [job["id"], "discovered"]
    assert ended.err.splitlines()[-1].startswith(f"Not completed: {job['id']}.")
    assert "Traceback" not in ended.err
    at_rest(machine)


def machine_ordered(machine: Machine) -> None:
    """Wait until a transcript has been ordered, by following the log as it grows."""
    log = machine.data / "focusflow.log"
    follow = subprocess.Popen(
        ["tail", "-n", "+1", "-F", str(log)], stdout=subprocess.PIPE, text=True, stderr=subprocess.DEVNULL
    )
    try:
        assert follow.stdout is not None
        assert any("Ordered transcript" in line for line in follow.stdout)
    finally:
        follow.kill()
        follow.communicate()


INTERRUPTED_AT_AN_IMPORT = """
import os, signal, sys

class Interrupts:
    def find_spec(self, name, path=None, target=None):
        if name == sys.argv[1]:
            os.kill(os.getpid(), signal.SIGINT)

sys.meta_path.insert(0, Interrupts())
from focusflow.cli import main
main(["stats"])
"""


@pytest.mark.parametrize("name", ["focusflow.cli.outcome", "typer", "focusflow.cli.looking", "focusflow.store"])
def test_an_interrupt_while_it_starts_is_quiet(machine: Machine, name: str) -> None:
    """Ctrl-C before a command has begun: exit code 130 and not a word, whatever is being imported."""
    done = subprocess.run(
        [sys.executable, "-c", INTERRUPTED_AT_AN_IMPORT, name],
        env=machine.environ,
        capture_output=True,
        text=True,
        timeout=50,
        check=False,
    )

    assert (done.returncode, done.stdout, done.stderr) == (130, "", "")


def test_a_reader_that_leaves_is_no_mistake(machine: Machine, finished: tuple[Path, dict[str, str]]) -> None:
    """`focusflow jobs export | head -1`: exit code 0 and not a word."""
    data, _ = finished
    read_end, write_end = os.pipe()
    fcntl.fcntl(write_end, fcntl.F_SETPIPE_SZ, 4_096)
    process = subprocess.Popen(
        [sys.executable, "-m", "focusflow", "--data-dir", str(data), "jobs", "export"],
        env=machine.environ,
        stdout=write_end,
        stderr=subprocess.PIPE,
        text=True,
    )
    os.close(write_end)
    os.read(read_end, 10)
    os.close(read_end)
    _, err = process.communicate(timeout=50)

    assert (process.returncode, err) == (0, "")


# ---------------------------------------------------------------------------------------------------------- exit codes


def raising(error: BaseException) -> Callable[[], object]:
    def command() -> object:
        raise error

    return command


def unasked(_: BaseException) -> str:
    raise AssertionError("this was no mistake")


@pytest.mark.parametrize(
    ("error", "code", "said"),
    [
        (ConfigError("a.b: wrong", "c.d: wrong too"), 3, "focusflow: a.b: wrong\nc.d: wrong too\n"),
        (StoreError("The disk is gone."), 4, "focusflow: The disk is gone.\n"),
        (SourceError("Drive is down."), 5, "focusflow: Drive is down.\n"),
        (Finished(Exit.NOT_FOUND, "There is no job x."), 6, "There is no job x.\n"),
        (Finished(Exit.DONE), 0, ""),
        (KeyboardInterrupt(), 130, ""),
        (
            BaseExceptionGroup(
                "", [BaseExceptionGroup("", [StoreError("Full.")]), StoreError("Full."), SourceError("Down.")]
            ),
            5,
            "focusflow: Full.\nfocusflow: Down.\n",
        ),
        (BaseExceptionGroup("", [Finished(Exit.SERVICE, "Not done.")]), 5, "Not done.\n"),
    ],
)
def test_whatever_is_raised_is_told_in_sentences(
    error: BaseException, code: int, said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """Alone or in the groups that task groups make of it; each sentence once."""
    assert explained(raising(error), unasked) == code

    assert capsys.readouterr() == ("", said)


def test_an_exit_code_of_typers_own_is_kept(capsys: pytest.CaptureFixture[str]) -> None:
    """What a command returns is not taken for one."""
    assert explained(lambda: 7, unasked) == 7
    assert explained(lambda: "a value", unasked) == 0


@pytest.mark.parametrize(
    "error", [KeyError("x"), BaseExceptionGroup("", [StoreError("Full."), BaseExceptionGroup("", [KeyError("x")])])]
)
def test_a_mistake_is_kept_whole_and_told_once(error: BaseException, capsys: pytest.CaptureFixture[str]) -> None:
    """Exit code 1; the log gets the group, people one sentence."""
    kept: list[BaseException] = []

    def keep(whole: BaseException) -> str:
        kept.append(whole)
        return "A mistake."

    assert explained(raising(error), keep) == 1
    assert kept == [error]
    assert capsys.readouterr().err == "focusflow: A mistake.\n"


def test_the_traceback_of_a_mistake_is_in_the_log_and_nowhere_else(call: Call, tmp_path: Path) -> None:
    """A database that somebody edited by hand stands for what nobody expected."""
    edit(tmp_path, "INSERT INTO control (key, value) VALUES ('capacity', 'plenty')")

    told = call("stats")

    log = tmp_path / "data" / "focusflow.log"
    assert (told.code, told.out) == (1, "")
    assert told.err == (
        f"focusflow: A mistake in FocusFlow stopped it (ValueError). The details are in {log}; "
        "nothing that was stored is lost.\n"
    )
    last = json.loads(log.read_text(encoding="utf-8").splitlines()[-1])
    assert "Traceback" in last["exception"]
    assert "invalid literal for int() with base 10: 'plenty'" in last["exception"]


def test_a_mistake_without_a_log_is_not_lost(call: Call, tmp_path: Path) -> None:
    """Then, and only then, the traceback is for the terminal."""
    edit(tmp_path, "INSERT INTO control (key, value) VALUES ('capacity', 'plenty')")

    told = call("--set", "logging.file=/dev/null/focusflow.log", "stats")

    assert told.code == 1
    assert "It could not be logged: The log /dev/null/focusflow.log cannot be written" in told.err
    assert "Traceback" in told.err


def edit(place: Path, statement: str) -> None:
    """Change the database behind our back."""
    database = sqlite3.connect(place / "data" / "focusflow.db")
    database.execute(statement)
    database.commit()
    database.close()


def test_a_newer_database_is_left_alone(call: Call, tmp_path: Path) -> None:
    """Written by a FocusFlow that is newer than this one: exit code 4 and the way out."""
    known = newest(MIGRATIONS)
    edit(tmp_path, f"PRAGMA user_version = {known + 1}")

    told = call("stats")

    assert told.code == 4
    assert str(NewerDatabase(known + 1, known)) in told.err


# ---------------------------------------------------------------------------------------------------------------- usage


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["nonsense"], "No such command 'nonsense'."),
        (["run", "--nope"], "No such option: --nope"),
        (["jobs", "show"], "Missing argument 'ID'."),
        (["--set", "auto.concurrency", "stats"], "write it like auto.concurrency=2"),
        (["demo", "--speed", "0"], "Invalid value for '--speed'"),
        (["jobs", "list", "--limit", "none"], "Invalid value for '--limit'"),
    ],
)
def test_wrong_usage_is_exit_code_2_and_says_what_to_try(call: Call, arguments: list[str], said: str) -> None:
    """On stderr; never a traceback."""
    told = call(*arguments)

    assert (told.code, told.out) == (2, "")
    assert told.err.startswith("Usage: focusflow")
    assert said in " ".join(told.err.split())
    assert "Traceback" not in told.err


def test_a_port_that_is_taken_is_a_usage_error(call: Call, machine: Machine, tmp_path: Path) -> None:
    """One sentence and nothing in the log: it is no mistake of ours."""
    port = machine.server.sandbox.root_url.rpartition(":")[2]

    told = call("sandbox", "--port", port)

    assert (told.code, told.out) == (2, "")
    assert told.err == f"Port {port} cannot be used (address already in use): choose another, or 0 for any free one.\n"
    assert "Traceback" not in (tmp_path / "data" / "focusflow.log").read_text(encoding="utf-8")


def test_the_version_is_data(call: Call) -> None:
    """`focusflow --version`, without any configuration."""
    assert call("--version").out == f"focusflow {__version__}\n"
    assert re.fullmatch(r"\d+\.\d+\.\d+", __version__)


def test_without_a_command_and_a_terminal_the_headless_one_is_named(call: Call) -> None:
    """No screen where nobody sees it, and no process that spins."""
    told = call()
    assert (told.code, told.out) == (2, "")
    assert told.err.startswith("The screen needs a terminal, and there is none here: `focusflow run` ")


def test_a_group_without_a_command_shows_its_help(call: Call) -> None:
    """The exit code says that nothing was done."""
    for arguments in (["jobs"], ["config"]):
        told = call(*arguments)
        assert told.code == 2
        assert "Commands:" in told.err
