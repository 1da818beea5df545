"""A sandbox in a thread of its own, the command line as a process or in this one, and a database with finished calls."""

import asyncio
import hashlib
import json
import os
import shutil
import signal
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

import anyio
import pytest

from focusflow.cli import main
from focusflow.cli.demo import environment
from focusflow.cli.output import job_json
from focusflow.events import Bus
from focusflow.ports import JobFilter
from focusflow.sandbox.faults import Fault, FaultPlan
from focusflow.sandbox.recordings import standard_recordings
from focusflow.sandbox.server import Sandbox, build_sandbox
from focusflow.store import open_store

SECONDS = 50
"""No process of ours may take longer."""


@dataclass(frozen=True, kw_only=True)
class Result:
    """What a command did."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)


class Server:
    """The emulated services on loopback, served by a thread, so that tests may wait for processes."""

    def __init__(self, *, speed: float, faults: list[Fault]) -> None:
        self.sandbox: Sandbox
        self._speed, self._faults = speed, faults
        self._ready, self._stop = threading.Event(), asyncio.Event()
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_until_complete, args=(self._serve(),))

    async def _serve(self) -> None:
        async with build_sandbox(speed=self._speed, faults=FaultPlan(self._faults), recordings=False) as self.sandbox:
            self.database_id = self.sandbox.notion.create_focusflow_database()
            self._ready.set()
            await self._stop.wait()

    def start(self) -> None:
        self._thread.start()
        assert self._ready.wait(20)

    def stop(self) -> None:
        self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join(20)
        self._loop.close()

    def add(self, *words: str) -> list[str]:
        """Put the standard recordings whose names contain each of *words* into Drive; return their files' ids."""
        added = []
        known = standard_recordings(date.today())
        for recording in [next(found for found in known if word in found.file_name) for word in words]:
            added.append(self.sandbox.drive.files.add_recording(recording))
            if recording.script_key is not None:
                md5 = hashlib.md5(recording.content, usedforsecurity=False).hexdigest()
                self.sandbox.assemblyai.register_audio(md5, recording.script_key)
        return added

    def bill(self, service: str) -> int:
        """How many things *service* has sold."""
        return len(self.sandbox.bill.of(service))


@contextmanager
def serving(*, speed: float = 50, faults: list[Fault] | None = None) -> Iterator[Server]:
    server = Server(speed=speed, faults=faults or [])
    server.start()
    try:
        yield server
    finally:
        server.stop()


def environment_of(server: Server, data: Path) -> dict[str, str]:
    """Return a whole environment: nothing of this machine's gets in."""
    return {
        "PATH": os.environ["PATH"],
        "HOME": str(data / "home"),
        "FOCUSFLOW_DATA_DIR": str(data),
        "FOCUSFLOW_ASSEMBLYAI__POLL_SECONDS": "0.05",
        "FOCUSFLOW_DISCOVERY__SIDECAR_WAIT_MINUTES": "0.01",
        "FOCUSFLOW_OPENAI__USD_PER_MILLION_INPUT": "0.1",
        "FOCUSFLOW_OPENAI__USD_PER_MILLION_OUTPUT": "0.5",
        "FOCUSFLOW_TIMEOUTS__SHUTDOWN_GRACE_SECONDS": "0",
        "AUTO_CONCURRENCY": "3",
        **environment(server.sandbox, server.database_id),
    }


@dataclass(frozen=True, kw_only=True)
class Machine:
    """A place where FocusFlow runs: its services, its data, its environment."""

    server: Server
    data: Path
    environ: dict[str, str]

    def run(self, *arguments: str, **more: str) -> Result:
        """Run a command to its end."""
        done = subprocess.run(
            [sys.executable, "-m", "focusflow", *arguments],
            env=self.environ | more,
            capture_output=True,
            text=True,
            timeout=SECONDS,
            check=False,
        )
        return Result(code=done.returncode, out=done.stdout, err=done.stderr)

    def start(self, *arguments: str, **more: str) -> "Running":
        """Start a command."""
        return Running(
            subprocess.Popen(
                [sys.executable, "-m", "focusflow", *arguments],
                env=self.environ | more,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                text=True,
            )
        )

    def jobs(self) -> list[dict[str, Any]]:
        """What `focusflow jobs list --json` would print, without the price of a process."""
        return anyio.run(self._jobs)

    async def _jobs(self) -> list[dict[str, Any]]:
        async with open_store(self.data / "focusflow.db", bus=Bus()) as store:
            return [job_json(row) for row in await store.page(JobFilter(), limit=1_000)]

    def rows(self, statement: str) -> list[tuple[Any, ...]]:
        """Ask the database itself."""
        connection = sqlite3.connect(self.data / "focusflow.db")
        try:
            return connection.execute(statement).fetchall()
        finally:
            connection.close()


class Running:
    """A command at work."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self.process = process
        self.heard: list[str] = []

    def until_said(self, words: str) -> None:
        """Wait for a line on stderr."""
        assert self.process.stderr is not None
        for line in self.process.stderr:
            self.heard.append(line)
            if words in line:
                return
        raise AssertionError(f"it never said {words!r}, but: {''.join(self.heard)}")

    def signal(self, number: signal.Signals) -> None:
        self.process.send_signal(number)

    def ended(self) -> Result:
        """Wait for its end."""
        try:
            out, err = self.process.communicate(timeout=SECONDS)
        finally:
            self.process.kill()
        return Result(code=self.process.returncode, out=out, err="".join(self.heard) + err)


@pytest.fixture
def machine(tmp_path: Path) -> Iterator[Machine]:
    """Quick services, empty so far."""
    with serving() as server:
        yield Machine(server=server, data=tmp_path, environ=environment_of(server, tmp_path))


MakeMachine = Callable[..., Machine]


@pytest.fixture
def make_machine(tmp_path: Path) -> Iterator[MakeMachine]:
    """Services of a chosen speed, with faults."""
    opened = []

    def make(*, speed: float = 50, faults: list[Fault] | None = None) -> Machine:
        server = Server(speed=speed, faults=faults or [])
        server.start()
        opened.append(server)
        return Machine(server=server, data=tmp_path, environ=environment_of(server, tmp_path))

    yield make
    for server in opened:
        server.stop()


@pytest.fixture(scope="session")
def finished(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, str]]:
    """Data of a run that completed two calls and skipped three, and the environment it had."""
    data = tmp_path_factory.mktemp("finished")
    with serving() as server:
        server.add("Linden", "Carmen", "07700900812", "Leila", "Voice 004")
        ran = Machine(server=server, data=data, environ=environment_of(server, data)).run("run", "--until-idle")
        assert ran.code == 0, ran.err
        return data, environment_of(server, data)


Call = Callable[..., Result]


@pytest.fixture
def call(
    finished: tuple[Path, dict[str, str]],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> Call:
    """Run a command in this process, on a copy of the finished data; the services are not there."""
    data, environ = finished
    shutil.copytree(data, tmp_path / "data")
    for name in os.environ:
        if name not in ("PATH", "PYTEST_CURRENT_TEST"):
            monkeypatch.delenv(name)
    for name, value in (environ | {"FOCUSFLOW_DATA_DIR": str(tmp_path / "data"), "HOME": str(tmp_path)}).items():
        monkeypatch.setenv(name, value)
    monkeypatch.chdir(tmp_path)

    def run(*arguments: str) -> Result:
        capsys.readouterr()
        with pytest.raises(SystemExit) as ended:
            main(arguments)
        out, err = capsys.readouterr()
        assert isinstance(ended.value.code, int)
        return Result(code=ended.value.code, out=out, err=err)

    return run


@pytest.fixture
def ids(call: Call) -> dict[str, str]:
    """The ids of the finished calls by a word of their file names."""
    found = {job["gdrive_file_name"]: job["id"] for job in call("jobs", "list", "--json").json}
    return {
        word: next(job_id for name, job_id in found.items() if word in name)
        for word in ("Linden", "Carmen", "07700900812", "Leila", "Voice 004")
    }
