"""A FocusFlow that runs as a process and is killed, the services it talks to, and what must hold when it has come to rest."""

import json
import os
import re
import signal
import sqlite3
import sys
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from hashlib import md5
from pathlib import Path
from typing import Any, Protocol

import anyio
import pytest

from focusflow.cli.demo import environment
from focusflow.sandbox.faults import FaultPlan
from focusflow.sandbox.recordings import Recording, standard_recordings
from focusflow.sandbox.request_log import LoggedRequest, RequestLog
from focusflow.sandbox.scripts import SCRIPTS
from focusflow.sandbox.server import Sandbox, build_sandbox

SECONDS = 50
"""No process may take longer."""
RESTARTS = 8
"""A database comes to rest within so many starts, whatever happened before."""
LEASE_SECONDS = 1.0
LOAD_SCRIPTS = ("clinic-appointment", "spanish-order", "family-dinner", "landlord-repair")


@dataclass
class Tripwire(RequestLog):
    """A log that kills a process when the n-th request has come in, or when its answer is about to leave."""

    victim: int | None = None
    at_request: int | None = None
    when_answered: bool = False
    heard: int = 0
    milestone: tuple[int, anyio.Event] | None = None

    def record(self, entry: LoggedRequest) -> None:
        super().record(entry)
        self.heard += 1
        if self.milestone is not None and self.heard >= self.milestone[0]:
            self.milestone[1].set()
        if not self.when_answered:
            self._trip(self.heard)

    def answered(self, entry: LoggedRequest, status: int) -> None:
        super().answered(entry, status)
        if self.when_answered:
            self._trip(self.heard)

    async def until_heard(self, n: int) -> None:
        """Wait until so many requests have come in."""
        self.milestone = (n, anyio.Event())
        if self.heard < n:
            await self.milestone[1].wait()

    def _trip(self, n: int) -> None:
        if self.victim is not None and self.at_request is not None and n >= self.at_request:
            victim, self.victim = self.victim, None
            os.kill(victim, signal.SIGKILL)


@dataclass
class World:
    """The services, the data, and the runs so far."""

    sandbox: Sandbox
    wire: Tripwire
    data: Path
    recordings: list[Recording] = field(default_factory=list)
    kills: int = 0

    def __post_init__(self) -> None:
        self.database_id = self.sandbox.notion.create_focusflow_database()

    def add(self, *words: str) -> None:
        """Put the standard recordings whose names contain each of *words* into Drive."""
        known = standard_recordings(date.today())
        for recording in [next(found for found in known if word in found.file_name) for word in words]:
            self.recordings.append(recording)
            self.sandbox.drive.files.add_recording(recording)
            if recording.script_key is not None:
                digest = md5(recording.content, usedforsecurity=False).hexdigest()
                self.sandbox.assemblyai.register_audio(digest, recording.script_key)

    def environ(self, **more: str) -> dict[str, str]:
        """Return a whole environment: nothing of this machine's gets in."""
        return {
            "PATH": os.environ["PATH"],
            "HOME": str(self.data / "home"),
            "FOCUSFLOW_DATA_DIR": str(self.data),
            "FOCUSFLOW_ASSEMBLYAI__POLL_SECONDS": "0.05",
            "FOCUSFLOW_DISCOVERY__SIDECAR_WAIT_MINUTES": "0.01",
            "FOCUSFLOW_AUTO__RETRY_BASE_SECONDS": "0.1",
            "FOCUSFLOW_AUTO__RETRY_CAP_SECONDS": "1",
            "FOCUSFLOW_AUTO__MAX_RESCUES": "50",
            "FOCUSFLOW_TIMEOUTS__SHUTDOWN_GRACE_SECONDS": "0",
            "AUTO_STALE_PROCESSING_MS": str(int(LEASE_SECONDS * 1_000)),
            "AUTO_CONCURRENCY": "2",
            **environment(self.sandbox, self.database_id),
            **more,
        }

    def running(self, *program: str, **more: str) -> AbstractAsyncContextManager[anyio.abc.Process]:
        """Start FocusFlow; it is dead when the context ends. What it says goes to `said.log`."""
        return self._started(*(program or ("-m", "focusflow")), "run", "--until-idle", **more)

    def measured(self, report: Path, *arguments: str, **more: str) -> AbstractAsyncContextManager[anyio.abc.Process]:
        """As `running`, with somebody beside it who measures; see `measured.py`."""
        return self._started(str(Path(__file__).with_name("measured.py")), str(report), *arguments, **more)

    @asynccontextmanager
    async def _started(self, *program: str, **more: str) -> AsyncIterator[anyio.abc.Process]:
        with (self.data / "said.log").open("ab") as said:
            async with await anyio.open_process(
                [sys.executable, *program],
                env=self.environ(**more),
                stdin=None,
                stdout=said,
                stderr=said,
                start_new_session=True,
            ) as process:
                try:
                    yield process
                finally:
                    if process.returncode is None:
                        process.kill()

    def arrive(self, n: int) -> None:
        """Put one more call into Drive, the n-th, with audio of its own."""
        key = LOAD_SCRIPTS[n % len(LOAD_SCRIPTS)]
        content = b"\0\1\2\3" * 1_200 + n.to_bytes(8, "big")
        at = datetime(2026, 11, 1, tzinfo=UTC) + timedelta(minutes=n)
        name = f"{at:%Y-%m-%d %H-%M}-00 (phone) Caller {n} \u2199"
        sidecar = json.dumps({"duration": "147000", "direction": "Incoming"}).encode()
        files = self.sandbox.drive.files
        files.add_file(f"{name}.json", content=sidecar, mime_type="application/json")
        files.add_file(f"{name}.m4a", content=content)
        self.sandbox.assemblyai.register_audio(md5(content, usedforsecurity=False).hexdigest(), key)

    async def run(self) -> int:
        """Run FocusFlow until it is idle; return its exit code."""
        async with self.running() as process:
            with anyio.fail_after(SECONDS):
                return await process.wait()

    async def run_killed_at_commit(self, nth: int, moment: str) -> bool:
        """Run until the n-th commit kills it; False if it was idle before."""
        killable = str(Path(__file__).with_name("killable.py"))
        async with self.running(killable, KILL_AT_COMMIT=f"{nth}:{moment}") as process:
            return await self._killed(process)

    async def run_killed_at_request(self, nth: int, *, when_answered: bool) -> bool:
        """Run until its n-th request kills it; False if it was idle before."""
        async with self.running() as process:
            self.wire.victim, self.wire.at_request = process.pid, self.wire.heard + nth
            self.wire.when_answered = when_answered
            return await self._killed(process)

    async def run_killed_after(self, seconds: float) -> bool:
        """Run for *seconds* and kill it; False if it was idle before."""
        async with self.running() as process:
            with anyio.move_on_after(seconds):
                await process.wait()
                return False
            process.kill()
            return await self._killed(process)

    async def _killed(self, process: anyio.abc.Process) -> bool:
        with anyio.fail_after(SECONDS):
            code = await process.wait()
        self.wire.victim = None
        assert code in (0, -signal.SIGKILL), f"it ended by itself with {code}: {self.said()}"
        self.kills += code != 0
        return code != 0

    async def come_to_rest(self) -> None:
        """Start it again until nothing is left to do."""
        for _ in range(RESTARTS):
            assert await self.run() == 0, self.said()
            if self.rows("SELECT id FROM jobs WHERE status NOT IN ('completed', 'failed', 'skipped')"):
                continue
            if not self.rows(_LEFT_TO_A_DEAD_COURIER):
                return
            self._let_deliveries_run_out()
        raise AssertionError(f"it does not come to rest: {self.rows('SELECT id, status, hold_reason FROM jobs')}")

    def _let_deliveries_run_out(self) -> None:
        """Let the minutes pass for which a sink is left to the courier that died at it: nobody else may make a page."""
        connection = sqlite3.connect(self.data / "focusflow.db")
        try:
            connection.execute("UPDATE deliveries SET leased_until = 1 WHERE leased_until IS NOT NULL")
            connection.execute("UPDATE deliveries SET next_attempt_at = 1 WHERE next_attempt_at IS NOT NULL")
            connection.commit()
        finally:
            connection.close()

    def said(self) -> str:
        return (self.data / "said.log").read_text(encoding="utf-8")[-4_000:]

    def rows(self, statement: str) -> list[tuple[Any, ...]]:
        """Ask the database itself."""
        connection = sqlite3.connect(self.data / "focusflow.db")
        try:
            return connection.execute(statement).fetchall()
        finally:
            connection.close()

    def locked(self) -> bool:
        """Say whether somebody is in the midst of a write."""
        connection = sqlite3.connect(self.data / "focusflow.db", timeout=0, isolation_level=None)
        try:
            connection.execute("BEGIN IMMEDIATE")
            connection.execute("ROLLBACK")
        except sqlite3.OperationalError:
            return True
        finally:
            connection.close()
        return False

    # ---------------------------------------------------------------------------------------------------- invariants

    def violations(self) -> list[str]:
        """Return what was lost, paid twice, doubled or left behind, one line each."""
        return [
            *self.unfinished_calls(),
            *self.paid_twice(),
            *self.wrong_pages(),
            *self.wrong_ledger(),
            *self.leftovers(),
        ]

    def violations_of_a_crowd(self, calls: int) -> list[str]:
        """The same for many calls that `arrive`d, whose words nobody compares."""
        self.sandbox.assemblyai.settle()
        ids = {row[0] for row in self.rows("SELECT id FROM jobs WHERE status = 'completed'")}
        paid = len(self.sandbox.bill.of("assemblyai"))
        pages = Counter(
            job_id
            for page in self.sandbox.notion.pages(self.database_id)
            for job_id in set(re.findall(r"focusflow:(\w+)", json.dumps(page["properties"])))
        )
        wrong = [] if len(ids) == calls else [f"{len(ids)} of {calls} calls are completed"]
        wrong += [] if paid == calls else [f"{paid} transcripts were paid for"]
        wrong += [] if set(pages) == ids else [f"{len(ids - set(pages))} calls have no page"]
        wrong += [f"{job_id} has {n} pages" for job_id, n in pages.items() if n > 1]
        return [*wrong, *self.wrong_ledger(), *self.leftovers()]

    def unfinished_calls(self) -> list[str]:
        """Return the calls that are not completed."""
        found = dict(self.rows("SELECT gdrive_file_name, status FROM jobs"))
        wanted = {recording.file_name: "completed" for recording in self.recordings}
        return [
            f"{name} is {found.get(name)}, not {status}" for name, status in wanted.items() if found.get(name) != status
        ]

    def paid_twice(self) -> list[str]:
        """Return the transcripts that were paid for more than once."""
        self.sandbox.assemblyai.settle()
        paid = Counter(job.script.key for job in self.sandbox.assemblyai.jobs.values() if job.billed)
        return [f"{key} was transcribed {n} times" for key, n in paid.items() if n > 1]

    def wrong_pages(self) -> list[str]:
        """Return what is wrong with the pages."""
        pages = self.sandbox.notion.pages(self.database_id)
        wrong = [] if len(pages) == len(self.recordings) else [f"{len(pages)} pages for {len(self.recordings)} calls"]
        texts = [self.sandbox.notion.page_text(page["id"]) for page in pages]
        for recording in self.recordings:
            lines = [line[3] for line in SCRIPTS[recording.script_key or ""].utterances]
            if sum(_in_order(lines, text) for text in texts) != 1:
                wrong.append(f"the words of {recording.file_name} are not on one page, whole and in order")
        return wrong

    def wrong_ledger(self) -> list[str]:
        """Return where the ledger does not agree with the bill."""
        settled = self.rows("SELECT external_ref FROM charges WHERE step = 'transcribe' AND state = 'settled'")
        billed = [line.reference for line in self.sandbox.bill.of("assemblyai")]
        wrong = []
        if sorted(row[0] for row in settled) != sorted(billed):
            wrong.append(f"the ledger has transcripts {settled}, the bill {billed}")
        told = sum(_output_tokens(row[0]) for row in self.rows(_SETTLED_SUMMARIES))
        sold = sum(line.quantity["output_tokens"] for line in self.sandbox.bill.of("openai"))
        unknown = self.rows("SELECT id FROM charges WHERE step = 'summarize' AND state = 'settled' AND usage_known = 0")
        if told != sold and not unknown:
            wrong.append(f"the ledger knows of {told} tokens written, the bill of {sold}, and nothing is marked")
        if self.rows("SELECT id FROM charges WHERE state = 'reserved'"):
            wrong.append("money is still reserved")
        return wrong

    def leftovers(self) -> list[str]:
        """Return leases, attempts and audio that were left behind."""
        wrong = []
        if self.rows("SELECT id FROM jobs WHERE lease_until IS NOT NULL"):
            wrong.append("a lease was left behind")
        if self.rows("SELECT id FROM attempts WHERE outcome = 'running'"):
            wrong.append("an attempt was left open")
        if (check := self.rows("PRAGMA integrity_check")) != [("ok",)]:
            wrong.append(f"the database is damaged: {check}")
        wrong += [f"audio was left: {path}" for path in (self.data / "tmp").rglob("*") if path.is_file()]
        return wrong


_LEFT_TO_A_DEAD_COURIER = "SELECT job_id FROM deliveries WHERE leased_until IS NOT NULL OR next_attempt_at IS NOT NULL"
_SETTLED_SUMMARIES = "SELECT usage FROM charges WHERE step = 'summarize' AND state = 'settled'"


def _output_tokens(usage: str) -> int:
    return int(json.loads(usage).get("output_tokens", 0))


def _in_order(lines: list[str], text: str) -> bool:
    """Say whether every line is in the text, each after the one before."""
    place = 0
    for line in lines:
        place = text.find(line, place)
        if place < 0:
            return False
        place += len(line)
    return True


class MakeWorld(Protocol):
    """Opens a world of its own below a directory."""

    def __call__(self, data: Path, *words: str) -> AbstractAsyncContextManager[World]: ...


@pytest.fixture
def make_world() -> MakeWorld:
    """Quick services with the recordings whose names contain the words."""

    @asynccontextmanager
    async def make(data: Path, *words: str) -> AsyncIterator[World]:
        wire = Tripwire()
        async with build_sandbox(speed=50, faults=FaultPlan(), log=wire, recordings=False) as sandbox:
            world = World(sandbox=sandbox, wire=wire, data=data)
            world.add(*words)
            yield world

    return make
