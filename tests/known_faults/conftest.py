"""A machine of one's own: emulated services on real sockets, a data directory, and the whole product wired to both."""

from __future__ import annotations

import hashlib
import itertools
import os
import re
import subprocess
import time
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import TYPE_CHECKING

import anyio
import pytest
import stamina

from focusflow.cli.demo import environment
from focusflow.config import Settings, load
from focusflow.ports import Delivery, JobDetail, JobFilter
from focusflow.sandbox.assemblyai import API_KEY as ASSEMBLYAI_KEY
from focusflow.sandbox.faults import Fault
from focusflow.sandbox.notion import API_KEY as NOTION_KEY
from focusflow.sandbox.openai import API_KEY as OPENAI_KEY
from focusflow.sandbox.request_log import LoggedRequest, RequestLog
from focusflow.sandbox.server import Sandbox, build_sandbox
from focusflow.wiring import Works, opened_works

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterator
    from contextlib import AbstractAsyncContextManager
    from pathlib import Path

    from focusflow.domain.jobs import Job, JobId, Status

    OpenWorld = Callable[..., AbstractAsyncContextManager["World"]]

TEN = datetime(2026, 11, 23, 10, tzinfo=UTC)
SCRIPT = "clinic-appointment"


@dataclass
class MachineClock:
    """The time on the wall: passes only when somebody sleeps, and then at once. `skew`: how wrong this machine shows it."""

    at: datetime = TEN
    skew: timedelta = timedelta()
    plans: list[tuple[datetime, Callable[[], object]]] = field(default_factory=list)

    def now(self) -> datetime:
        return self.at + self.skew

    def monotonic(self) -> float:
        return self.at.timestamp()

    def unix(self) -> float:
        """The right time, as the services have it."""
        return self.at.timestamp()

    async def sleep(self, seconds: float) -> None:
        self.at += timedelta(seconds=seconds)
        for plan in [plan for plan in self.plans if plan[0] <= self.at]:
            self.plans.remove(plan)
            plan[1]()
        await anyio.lowlevel.checkpoint()

    def later(self, wait: timedelta, act: Callable[[], object]) -> None:
        """Let something happen in the world once so much time has been slept away."""
        self.plans.append((self.at + wait, act))


class RealClock(MachineClock):
    """The real time, for tests that let the whole product run by itself."""

    def now(self) -> datetime:
        return datetime.now(UTC) + self.skew

    def monotonic(self) -> float:
        return time.monotonic()

    def unix(self) -> float:
        return time.time()

    async def sleep(self, seconds: float) -> None:
        await anyio.sleep(seconds)


class QuickClock(MachineClock):
    """The real time, but `PACE` times as fast: a day of the whole product, all of it at once, in minutes."""

    PACE = 600.0

    def __init__(self) -> None:
        super().__init__()
        self._began = time.monotonic()

    def now(self) -> datetime:
        return self.at + timedelta(seconds=self._passed())

    def monotonic(self) -> float:
        return self._passed()

    def unix(self) -> float:
        return self.now().timestamp()

    async def sleep(self, seconds: float) -> None:
        await anyio.sleep(seconds / self.PACE)

    def _passed(self) -> float:
        return (time.monotonic() - self._began) * self.PACE


class TrippingLog(RequestLog):
    """A request log that lets something happen in the world when a request comes in, before it is answered."""

    def __init__(self) -> None:
        super().__init__()
        self.trips: list[tuple[str, str, Callable[[], object]]] = []
        self.at_each: Callable[[], object] | None = None

    def record(self, entry: LoggedRequest) -> None:
        super().record(entry)
        if self.at_each is not None:
            self.at_each()
        for trip in list(self.trips):
            service, path, act = trip
            if entry.service == service and re.search(path, entry.path):
                self.trips.remove(trip)
                act()


@dataclass(kw_only=True)
class World:
    """The emulated services, and where our data lies; `opened` starts the product in it, as often as a test likes."""

    sandbox: Sandbox
    clock: MachineClock
    log: TrippingLog
    data: Path
    database_id: str
    numbers: itertools.count[int] = field(default_factory=itertools.count)

    def settings(self, **flags: object) -> Settings:
        """Return the settings of a product that uses these services; *flags* as `auto__concurrency=3`."""
        wanted: dict[str, object] = {
            "data_dir": str(self.data),
            "timezone": "UTC",
            "store.synchronous": "NORMAL",
            "assemblyai.poll_seconds": 0.5,
            "assemblyai.language_code": "en",  # silence has no language to detect
            "discovery.sidecar_wait_minutes": 0,
            "timeouts.shutdown_grace_seconds": 0,
            "openai.usd_per_million_input": 0.10,
            "openai.usd_per_million_output": 0.50,
        }
        wanted |= {name.replace("__", "."): value for name, value in flags.items()}
        return load(environ=environment(self.sandbox, self.database_id), flags=wanted).settings

    @asynccontextmanager
    async def opened(self, **flags: object) -> AsyncIterator[Product]:
        """Start a product on these services and this data."""
        async with opened_works(self.settings(**flags), clock=self.clock) as works:
            yield Product(works=works, clock=self.clock)

    # ------------------------------------------------------------------------------------------------------ arranging

    def call(
        self,
        who: str | None = None,
        *,
        content: bytes | None = None,
        script: str | None = SCRIPT,
        sidecar: bytes | None = b'{"duration":"147000","direction":"Incoming"}',
    ) -> str:
        """Put a call and its sidecar into Drive and return the recording's id."""
        n = next(self.numbers)
        content = self.audio(script) if content is None else content
        at = datetime(2026, 11, 23, 8, tzinfo=UTC) + timedelta(minutes=n)
        stem = f"{at:%Y-%m-%d %H-%M-%S} (phone) {who or f'Caller {n}'} ↙"
        files = self.sandbox.drive.files
        if sidecar is not None:
            files.add_file(f"{stem}.json", content=sidecar, mime_type="application/json")
        return files.add_file(f"{stem}.m4a", content=content)

    def audio(self, script: str | None = SCRIPT, *, size: int = 4_800) -> bytes:
        """Return bytes that are no other recording's, in which the emulated transcriber hears *script*."""
        n = next(self.numbers)
        content = (b"\0\1\2" + bytes([n % 256])) * (size // 4 - 2) + n.to_bytes(8, "big")
        if script is not None:
            self.sandbox.assemblyai.register_audio(hashlib.md5(content, usedforsecurity=False).hexdigest(), script)
        return content

    def fault(self, service: str, kind: str, **more: object) -> None:
        """Plan something that goes wrong at a service."""
        self.sandbox.faults.add(Fault(service=service, kind=kind, **more))  # type: ignore[arg-type]  # a builder

    def when(self, service: str, path: str, act: Callable[[], object]) -> None:
        """Let something happen in the world when a request to that place comes in; once."""
        self.log.trips.append((service, path, act))

    async def until_asked(self, service: str, path: str) -> None:
        """Wait until a request to that place has come in (again)."""
        asked = anyio.Event()
        self.when(service, path, asked.set)
        with anyio.fail_after(10):
            await asked.wait()

    def take_keys(self, service: str, *, wrong: bool) -> None:
        """Let a service refuse the key we have, or take it again."""
        match service:
            case "drive" if wrong:
                self.sandbox.drive.tokens.expire_access_tokens()
                self.fault("drive", "invalid_grant", times=None)
            case "drive":
                self.sandbox.faults.clear()
            case "assemblyai":
                self.sandbox.assemblyai.api_keys = frozenset({"another" if wrong else ASSEMBLYAI_KEY})
            case "openai":
                self.sandbox.openai.api_keys = frozenset({"another" if wrong else OPENAI_KEY})
            case "notion":
                self.sandbox.notion.tokens = {"another" if wrong else NOTION_KEY}

    # ---------------------------------------------------------------------------------------------------------- seeing

    def transcripts_paid(self) -> int:
        """How many transcripts are on the transcriber's bill."""
        self.sandbox.assemblyai.settle()
        return len(self.sandbox.bill.of("assemblyai"))

    def transcripts_ordered(self) -> int:
        """How many transcripts were ever asked for."""
        return self.log.count("assemblyai", "POST", "transcript$")

    def answers_paid(self) -> int:
        """How many answers are on the language model's bill."""
        return len(self.sandbox.bill.of("openai"))

    def pages(self, *, trashed: bool = False) -> int:
        """How many pages the database has."""
        return len(self.sandbox.notion.pages(self.database_id, trashed=trashed))


@dataclass(kw_only=True)
class Product:
    """A running product, taken through its turns by hand; and what its user sees of it."""

    works: Works
    clock: MachineClock

    async def look(self) -> str:
        """One turn of discovery."""
        return await self.works.supervisor.discovery.tick()

    async def process(self) -> int:
        """Process what is due until nothing is started any more; return how many calls were begun."""
        begun = 0
        while started := await self.one_round():
            begun += started
        return begun

    async def one_round(self) -> int:
        """One turn of the processor, and what it started taken to its end."""
        async with anyio.create_task_group() as jobs:
            started = await self.works.supervisor.processor.tick(jobs)
        return started

    async def run_until_idle(self) -> None:
        """The whole product, by itself, until nothing is left to do."""
        await self.works.supervisor.run(until_idle=True)

    async def look_and_process(self) -> dict[str, Job]:
        """A turn of everything; return what the user sees then."""
        await self.look()
        await self.process()
        return await self.jobs()

    async def in_due_time(self) -> dict[str, Job]:
        """Let the waits of all calls end by themselves, process, and return what the user sees then."""
        waits = [job.next_attempt_at for job in (await self.jobs()).values() if job.next_attempt_at is not None]
        self.clock.at = max([self.clock.at, *(wait - self.clock.skew for wait in waits)])
        await self.process()
        return await self.jobs()

    async def deliver_in_due_time(self) -> None:
        """Let the waits of all sinks end by themselves, and let them be tried again."""
        rows = await self.works.store.page(JobFilter(), limit=1_000)
        waits = [delivery.next_attempt_at for row in rows for delivery in row.deliveries if delivery.next_attempt_at]
        self.clock.at = max([self.clock.at, *(wait - self.clock.skew for wait in waits)])
        await self.works.supervisor.delivery_loop.turn()

    async def retry(self, job: Job) -> Job:
        """One key: retry. Process, and return what the user sees then."""
        await self.works.store.retry([job.id], now=self.clock.now())
        await self.works.supervisor.measuring_loop.turn()
        await self.process()
        return await self.job(job.id)

    async def jobs(self) -> dict[str, Job]:
        """Every call, by the id of its recording."""
        return {row.job.file_id: row.job for row in await self.works.store.page(JobFilter(), limit=1_000)}

    async def detail(self, job_id: JobId) -> JobDetail:
        detail = await self.works.store.detail(job_id)
        assert detail is not None
        return detail

    async def job(self, job_id: JobId) -> Job:
        return (await self.detail(job_id)).row.job

    async def statuses(self) -> list[Status]:
        """The status of every call, in the order of discovery."""
        return [job.status for job in sorted((await self.jobs()).values(), key=lambda job: job.file_name)]

    async def told(self, job_id: JobId) -> str:
        """The call's own log, as one text."""
        return "\n".join(line.message for line in (await self.detail(job_id)).events)

    @staticmethod
    def readable(text: str | None) -> bool:
        """Say whether a person can read it: words that end, no traceback, no exception's name."""
        return bool(text and text[0].isupper() and text[-1] in ".)" and "\n" not in text and "Error" not in text)

    async def delivery(self, job_id: JobId) -> Delivery:
        (delivery,) = (await self.detail(job_id)).row.deliveries
        return delivery


@asynccontextmanager
async def emulated(*, data: Path, clock: MachineClock | None = None) -> AsyncIterator[World]:
    """Open the emulated services with empty folders and an empty database; *data* is the product's directory."""
    clock, log = clock or MachineClock(), TrippingLog()
    speed = 20.0 if isinstance(clock, RealClock) else 600.0 if isinstance(clock, QuickClock) else 1.0
    async with build_sandbox(clock=clock.unix, log=log, recordings=False, speed=speed) as sandbox:
        sandbox.openai.delta_seconds = 0.0
        sandbox.notion.window.limit = 1_000_000
        database_id = sandbox.notion.create_focusflow_database()
        yield World(sandbox=sandbox, clock=clock, log=log, data=data, database_id=database_id)


@pytest.fixture
def world(tmp_path: Path) -> OpenWorld:
    """Open a world: `async with world() as w`."""
    return partial(emulated, data=tmp_path)


@pytest.fixture
def real_time(tmp_path: Path) -> OpenWorld:
    """Open a world in which time is real: `async with real_time() as w`."""
    return partial(emulated, data=tmp_path, clock=RealClock())


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    """A small disk of its own, empty, that can be filled and made read-only; skips where none can be mounted."""
    place = tmp_path / "disk"
    place.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=6m", "tmpfs", str(place)]
    if os.geteuid() != 0 or subprocess.run(command, capture_output=True, check=False).returncode != 0:
        pytest.skip("a disk of its own can only be mounted by root")
    try:
        yield place
    finally:
        subprocess.run(["umount", "-l", str(place)], check=True)


@pytest.fixture(autouse=True)
def _repeated_at_once() -> Iterator[None]:
    """The adapters' retries are as many as ever, without their seconds in between."""
    with stamina.set_testing(True, attempts=4, cap=True):
        yield


@pytest.fixture
def quick_time(tmp_path: Path) -> OpenWorld:
    """Open a world in which days are minutes: `async with quick_time() as w`."""
    return lambda: emulated(data=tmp_path, clock=QuickClock())
