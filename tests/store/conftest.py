"""A real store for each test: an SQLite file, and a schema of its own on a real PostgreSQL."""

import itertools
import subprocess
import threading
import warnings
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from urllib.parse import quote

import psycopg
import pytest

from focusflow.domain.budgets import Limits, Period, Window
from focusflow.domain.jobs import Claim, Direction, DurationSource, Job, JobId, Outcome, Status, Step
from focusflow.domain.money import Estimate
from focusflow.domain.transcript import Transcript, Utterance
from focusflow.events import Bus, Event, Subscription
from focusflow.ports import (
    Absorbed,
    Arrival,
    ClaimLimits,
    Delivery,
    JobDetail,
    JobFilter,
    Settlement,
    SourceFile,
    Summary,
)
from focusflow.store import Store, open_store

NOON = datetime(2026, 5, 4, 12, tzinfo=UTC)
MIDNIGHT = datetime(2026, 5, 4, tzinfo=UTC)
DAY = timedelta(days=1)
MINUTE = timedelta(minutes=1)
LEASE = timedelta(minutes=10)


def split(micros: int | None) -> Estimate:
    """Four fifths for the transcript, a fifth for the summary."""
    if micros is None:
        return Estimate()
    return Estimate(transcribe_micros=micros - micros // 5, summarize_micros=micros // 5)


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[str]:
    """A real PostgreSQL server, for this session only; yields its address.

    It runs as a user of its own, and pytest closes its own directories to others at every start of any session: a server
    in there would panic at its next checkpoint.
    """
    with warnings.catch_warnings(), TemporaryDirectory(prefix="focusflow-postgres-") as place:
        warnings.simplefilter("ignore")  # the wheel grumbles about directories of a desktop session
        from pgserver.postgres_server import get_server

        try:
            server = get_server(Path(place, "data"), cleanup_mode="stop")
        except (
            subprocess.SubprocessError
        ):  # the wheel waits ten seconds only, and other tests may keep the machine busy
            server = get_server(Path(place, "data"), cleanup_mode="stop")
        with psycopg.connect(server.get_uri(), autocommit=True) as admin:
            for setting in ("fsync", "synchronous_commit", "full_page_writes"):  # nothing here outlives the session
                admin.execute(f"ALTER SYSTEM SET {setting} = off".encode())
            admin.execute("ALTER SYSTEM SET deadlock_timeout = '50ms'")
            admin.execute("SELECT pg_reload_conf()")
        yield str(server.get_uri())
        server.cleanup()


@pytest.fixture
def postgres_url(postgres_server: str, request: pytest.FixtureRequest) -> Iterator[str]:
    """The address of an empty schema; afterwards nothing may be left connected."""
    schema = f"s{abs(hash(request.node.nodeid)):x}"
    with psycopg.connect(postgres_server, autocommit=True) as admin:
        admin.execute(f"CREATE SCHEMA {schema}".encode())
        yield f"{postgres_server}&options={quote(f'-csearch_path={schema}')}&application_name={schema}"
        left = _connected(admin, schema)
        admin.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = %s", (schema,))
        admin.execute(f"DROP SCHEMA {schema} CASCADE".encode())
    assert left == []


def _connected(admin: psycopg.Connection[tuple[object, ...]], schema: str) -> list[tuple[object, ...]]:
    """Return who is still connected once those who are just leaving have left."""
    left: list[tuple[object, ...]] = []
    for _ in range(100):
        left = admin.execute(
            "SELECT state, query FROM pg_stat_activity, pg_sleep(0.01) WHERE application_name = %s", (schema,)
        ).fetchall()
        if not left:
            break
    return left


@pytest.fixture(params=["sqlite", "postgres"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The address of an empty database, of either engine."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'data' / 'focusflow.db'}"
    address: str = request.getfixturevalue("postgres_url")
    return address


def database_threads() -> list[str]:
    """Return the names of living threads that own an SQLite connection."""
    return [thread.name for thread in threading.enumerate() if "_connection_worker_thread" in thread.name]


@pytest.fixture(autouse=True)
def _no_thread_is_left() -> Iterator[None]:
    """Whatever a test does, every database thread ends with it."""
    before = set(database_threads())
    yield
    for thread in threading.enumerate():
        if "_connection_worker_thread" in thread.name and thread.name not in before:
            thread.join(5)
    assert set(database_threads()) <= before


@dataclass(kw_only=True)
class World:
    """A store with what is said on its bus, and the builders that tests need."""

    store: Store
    heard: Subscription
    url: str
    now: datetime = NOON
    numbers: Iterator[int] = field(default_factory=itertools.count)

    def later(self, by: timedelta) -> datetime:
        """Let time pass and return the new now."""
        self.now += by
        return self.now

    def events(self) -> list[Event]:
        """Return what was announced since the last call."""
        return self.heard.drain()

    def file(self, **changes: object) -> SourceFile:
        """A recording, unlike every other."""
        n = next(self.numbers)
        values: dict[str, object] = {
            "file_id": f"file-{n}",
            "name": f"call-{n}.m4a",
            "parent_id": "folder",
            "mime_type": "audio/mp4",
            "size": 400_000 + n,
            "md5": f"{n:032x}",
            "owners": (),
            "created_at": None,
            "modified_at": NOON - DAY,
            "web_url": None,
        }
        return SourceFile(**values | changes)  # type: ignore[arg-type]  # a builder

    def arrival(self, file: SourceFile | None = None, **changes: object) -> Arrival:
        """A recording understood, measured and priced."""
        values: dict[str, object] = {
            "file": file or self.file(),
            "recorder": "cube",
            "contact_name": "Ann",
            "contact_number": "+61 400 000 001",
            "direction": Direction.INCOMING,
            "call_type": "phone",
            "call_at": NOON - DAY,
            "duration_seconds": 100.0,
            "duration_source": DurationSource.SIDECAR,
            "estimate_micros": 10_000,
        }
        values |= changes
        values["estimate"] = split(values.pop("estimate_micros"))  # type: ignore[arg-type]  # a builder
        return Arrival(**values)  # type: ignore[arg-type]  # a builder

    @staticmethod
    def a_transcript(text: str = "hello there") -> Transcript:
        """A short dialogue."""
        return Transcript(
            text=text,
            utterances=(Utterance(speaker="A", start_ms=0, end_ms=900, text=text),),
            language="en",
            duration_seconds=98.5,
            model="best",
            speakers={"A": "Ann"},
        )

    @staticmethod
    def a_summary(markdown: str = "# Notes") -> Summary:
        """A short summary."""
        return Summary(markdown=markdown, title="A call", model="gpt", prompt_hash="abc")

    @staticmethod
    def a_settlement(ref: str | None = None, actual: int | None = 7_000, *, known: bool = True) -> Settlement:
        """What a vendor charged."""
        return Settlement(
            provider="vendor", model="best", actual_micros=actual, usage_known=known, usage={"n": 1}, external_ref=ref
        )

    async def absorb(
        self,
        *arrivals: Arrival,
        sidecars: tuple[SourceFile, ...] = (),
        gone: tuple[str, ...] = (),
        skip_twins: bool = True,
        cursor: str = "next",
    ) -> Absorbed:
        """Absorb a page."""
        return await self.store.absorb(
            "drive", arrivals, sidecars, gone, cursor=cursor, now=self.now, skip_twins=skip_twins
        )

    async def add(self, **changes: object) -> JobId:
        """Add one job."""
        absorbed = await self.absorb(self.arrival(**changes))  # type: ignore[arg-type]  # a builder
        return absorbed.added[0]

    def limits(self, batch: int = 1, **changes: object) -> ClaimLimits:
        """Limits without caps."""
        values: dict[str, object] = {
            "batch": batch,
            "newest_first": False,
            "day_start": MIDNIGHT,
            "day_max_jobs": None,
            "minute_max_jobs": None,
            "day_max_micros": None,
            "day_end": None,
        }
        values |= changes
        start, end, most = (values[name] for name in ("day_start", "day_end", "day_max_micros"))
        del values["day_end"], values["day_max_micros"]
        day = Window(period=Period.DAY, start=start, end=end or start + DAY, limit_micros=most)  # type: ignore[arg-type, operator]  # a builder
        values.setdefault("money", Limits(windows=(day,)))
        return ClaimLimits(**values)  # type: ignore[arg-type]  # a builder

    async def claim(self, batch: int = 1, *, token: str = "token", **changes: object) -> list[Claim]:
        """Claim at most *batch* jobs."""
        return list(
            await self.store.claim(
                self.limits(batch, **changes),
                token=token,
                claimed_by="worker",
                now=self.now,
                lease_until=self.now + LEASE,
            )
        )

    async def claimed(self, **changes: object) -> Claim:
        """Add one job and claim it."""
        job_id = await self.add(**changes)
        (claim,) = await self.claim(ids=(job_id,))
        return claim

    async def detail(self, job_id: JobId) -> JobDetail:
        """Read everything about a job that exists."""
        detail = await self.store.detail(job_id)
        assert detail is not None
        return detail

    async def job(self, job_id: JobId) -> Job:
        """Read a job that exists."""
        return (await self.detail(job_id)).row.job

    async def transcribe(self, claim: Claim, *, text: str = "hello there", actual: int | None = 7_000) -> None:
        """Take the job through its transcription."""
        store, job_id = self.store, claim.job.id
        attempt = await store.begin(claim, Step.DOWNLOAD, now=self.now)
        await store.end(claim, attempt, Outcome.DONE, now=self.now)
        attempt = await store.begin(claim, Step.TRANSCRIBE, now=self.now)
        await store.uploaded(claim, f"upload-{job_id}", now=self.now)
        await store.intend_submit(claim, now=self.now)
        await store.submitted(job_id, f"order-{job_id}", now=self.now)
        await store.keep_raw_transcript(job_id, b'{"text": "hello"}', now=self.now)
        await store.transcribed(
            claim, attempt, self.a_transcript(text), self.a_settlement(f"order-{job_id}", actual), now=self.now
        )

    async def summarize(self, claim: Claim, *, markdown: str = "# Notes", actual: int | None = 1_000) -> None:
        """Take a transcribed job through its summary."""
        attempt = await self.store.begin(claim, Step.SUMMARIZE, now=self.now)
        settlement = self.a_settlement(f"answer-{claim.job.id}-{attempt}", actual)
        await self.store.summarized(claim, attempt, self.a_summary(markdown), settlement, now=self.now)

    async def deliver(self, claim: Claim, *deliveries: Delivery) -> None:
        """Take a summarised job to its end."""
        attempt = await self.store.begin(claim, Step.SYNC, now=self.now)
        for delivery in deliveries:
            await self.store.save_delivery(claim.job.id, delivery, now=self.now)
        await self.store.end(claim, attempt, Outcome.DONE, now=self.now)
        await self.store.complete(claim, now=self.now)

    async def completed(self, *deliveries: Delivery, **changes: object) -> JobId:
        """Add a job and take it through its whole life."""
        claim = await self.claimed(**changes)
        await self.transcribe(claim)
        await self.summarize(claim)
        await self.deliver(claim, *deliveries or (Delivery(sink="notion", ref="page", delivered_at=self.now),))
        return claim.job.id

    async def statuses(self) -> dict[JobId, Status]:
        """Return every job's status."""
        return {JobId(row.job.id): row.job.status for row in await self.store.page(JobFilter(), limit=10_000)}


@pytest.fixture
def bus() -> Bus:
    """A bus of its own."""
    return Bus()


@pytest.fixture
async def world(url: str, bus: Bus) -> AsyncIterator[World]:
    """A fresh store on either engine; its counters must be right when the test ends."""
    with bus.subscribe(limit=100_000) as heard:
        async with open_store(url, bus=bus, synchronous="NORMAL") as store:
            yield World(store=store, heard=heard, url=url)
            assert await store.verify_counts() == {}


@pytest.fixture
async def sqlite_world(tmp_path: Path, bus: Bus) -> AsyncIterator[World]:
    """A fresh store on SQLite, for what only that engine can do wrong."""
    path = tmp_path / "focusflow.db"
    with bus.subscribe(limit=100_000) as heard:
        async with open_store(path, bus=bus, synchronous="NORMAL") as store:
            yield World(store=store, heard=heard, url=str(path))
            assert await store.verify_counts() == {}
