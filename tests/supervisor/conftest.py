"""A clock that moves only when a test moves it, a shelf of recordings, and a supervisor on a real store."""

import json
import secrets
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from hashlib import md5
from pathlib import Path
from zoneinfo import ZoneInfo

import anyio
import pytest

from focusflow.domain.budgets import Budgets
from focusflow.domain.eligibility import Rules
from focusflow.domain.jobs import Claim, Job, JobId, Status, Step
from focusflow.domain.money import Estimate
from focusflow.domain.transcript import Transcript, Utterance
from focusflow.errors import CursorExpired
from focusflow.events import Bus
from focusflow.ports import (
    Delivery,
    Downloaded,
    JobDetail,
    JobFilter,
    Settlement,
    Source,
    SourceFile,
    SourcePage,
    Summary,
)
from focusflow.store import Store, open_store
from focusflow.supervisor.discovery import Discovery, Intake
from focusflow.supervisor.housekeeping import Housekeeping
from focusflow.supervisor.processor import Processor, Throttle
from focusflow.supervisor.supervisor import Schedule, Supervisor
from focusflow.supervisor.watchdog import Watchdog

LONDON = ZoneInfo("Europe/London")


class FakeClock:
    """Time by hand: `sleep` parks until `advance` has passed its end."""

    def __init__(self, start: datetime) -> None:
        self._now = start
        self._parked: list[tuple[datetime, anyio.Event]] = []
        self.parked = anyio.Event()
        """Set whenever somebody goes to sleep."""

    def now(self) -> datetime:
        return self._now

    def monotonic(self) -> float:
        return self._now.timestamp()

    async def sleep(self, seconds: float) -> None:
        if seconds <= 0:
            await anyio.lowlevel.checkpoint()
            return
        due = (self._now + timedelta(seconds=seconds), anyio.Event())
        self._parked.append(due)
        self.parked.set()
        try:
            await due[1].wait()
        finally:
            self._parked = [other for other in self._parked if other is not due]

    def set(self, instant: datetime) -> None:
        """Move to *instant*, forwards or back, and wake whoever is due."""
        self._now = instant
        for at, event in sorted(self._parked, key=lambda parked: parked[0]):
            if at <= instant:
                event.set()

    def advance(self, seconds: float) -> None:
        self.set(self._now + timedelta(seconds=seconds))

    async def until_somebody_sleeps(self) -> None:
        """Wait until a sleep begins (or one is under way)."""
        await self.until_sleeping(1)

    async def until_sleeping(self, count: int) -> None:
        """Wait until so many sleep at once."""
        while len(self._parked) < count:
            self.parked = anyio.Event()
            await self.parked.wait()

    def skip_to_next(self) -> None:
        """Move to the moment at which the next sleeper is due."""
        self.set(min(at for at, _ in self._parked))


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock(datetime(2026, 11, 23, 10, 0, tzinfo=UTC))


# ---------------------------------------------------------------------------------------------------------- the source


@dataclass
class Shelf:
    """A source that a test fills by hand: one feed of changes, read in pages, with trouble where it is planned."""

    name: str = "shelf"
    page_size: int = 100
    lists: bool = False
    """The pages from the beginning on say that they are a listing, as Drive's do; what went is not told then."""
    feed: list[SourceFile | str] = field(default_factory=list)
    """Files that came, and ids of those that went."""
    contents: dict[str, bytes | Exception] = field(default_factory=dict)
    trouble: dict[int, Exception] = field(default_factory=dict)
    """What is raised instead of the page that begins at this place of the feed; once."""
    down: Exception | None = None
    """What is raised instead of any page, until it is mended."""
    between: Callable[[], Awaitable[object]] | None = None
    """What somebody else does after each page."""
    asked: list[str | None] = field(default_factory=list)
    """The cursors we were asked to go on from."""
    read: list[str] = field(default_factory=list)
    """The small files that were read, again for each time."""

    def put(self, name: str, content: bytes | Exception = b"", *, owners: tuple[str, ...] = (), **more: object) -> str:
        """Put a file onto the shelf and return its id."""
        file_id = f"file-{len(self.feed)}"
        values: dict[str, object] = {
            "file_id": file_id,
            "name": name,
            "parent_id": "calls",
            "mime_type": None,
            "size": 480_000,
            "md5": md5(f"{name}{len(self.feed)}".encode(), usedforsecurity=False).hexdigest(),
            "owners": owners,
            "created_at": None,
            "modified_at": None,
            "web_url": None,
        }
        file = SourceFile(**values | more)  # type: ignore[arg-type]  # a builder
        self.feed.append(file)
        self.contents[file.file_id] = content
        return file.file_id

    def call(self, who: str = "Ann", *, at: str = "2026-11-23 09-00-00", arrow: str = " ↙", **more: object) -> str:
        """Put a recording onto the shelf, named as Cube ACR does."""
        return self.put(f"{at} (phone) {who}{arrow}.m4a", **more)  # type: ignore[arg-type]  # a builder

    def sidecar(
        self, who: str = "Ann", *, at: str = "2026-11-23 09-00-00", arrow: str = " ↙", seconds: float = 120, **says: str
    ) -> str:
        """Put the recording's sidecar onto the shelf."""
        content = {"duration": str(int(seconds * 1000)), **says}
        return self.put(f"{at} (phone) {who}{arrow}.json", json.dumps(content).encode())

    def remove(self, file_id: str) -> None:
        self.feed.append(file_id)
        self.contents.pop(file_id, None)

    async def pages(self, cursor: str | None) -> AsyncIterator[SourcePage]:
        self.asked.append(cursor)
        if cursor is not None and not cursor.isdigit():
            raise CursorExpired("The place in the feed is no longer known.")
        place = int(cursor or 0)
        while True:
            if error := self.down or self.trouble.pop(place, None):
                raise error
            piece = self.feed[place : place + self.page_size]
            place += len(piece)
            more = place < len(self.feed)
            listing = self.lists and cursor is None
            yield SourcePage(
                files=tuple(
                    entry
                    for entry in piece
                    if isinstance(entry, SourceFile) and (not listing or entry.file_id in self.contents)
                ),
                gone=() if listing else tuple(entry for entry in piece if isinstance(entry, str)),
                cursor=str(place),
                more=more or listing,
                listing=listing,
            )
            if self.between is not None:
                await self.between()
            if not more:
                break
        if listing:  # what came while everything was listed is told by the feed's first page
            came = self.feed[place:]
            yield SourcePage(
                files=tuple(entry for entry in came if isinstance(entry, SourceFile)),
                cursor=str(len(self.feed)),
                more=False,
            )

    async def read_small(self, file_id: str, *, limit: int = 65_536) -> bytes:
        self.read.append(file_id)
        content = self.contents[file_id]
        if isinstance(content, Exception):
            raise content
        return content[:limit]

    async def download(
        self, file_id: str, target: Path, *, expected_md5: str | None, progress: Callable[[int, int | None], None]
    ) -> Downloaded:
        raise AssertionError("discovery downloads nothing")

    async def check(self) -> list[str]:
        return []


# ---------------------------------------------------------------------------------------------------------- the worker


@dataclass
class Worker:
    """Does the jobs it is given by writing into the real store what a pipeline would; can be told to take long."""

    store: Store
    clock: FakeClock
    slow: bool = False
    """Jobs wait for `finish_all`."""
    begun: list[JobId] = field(default_factory=list)
    """In the order of their beginning."""
    ended: list[JobId] = field(default_factory=list)
    now_running: int = 0
    most_at_once: int = 0
    trouble: list[Exception] = field(default_factory=list)
    """What the next jobs end with instead."""
    change: anyio.Event = field(default_factory=anyio.Event)
    gate: anyio.Event = field(default_factory=anyio.Event)

    async def __call__(self, claim: Claim) -> None:
        self.begun.append(claim.job.id)
        self.now_running += 1
        self.most_at_once = max(self.most_at_once, self.now_running)
        self._changed()
        try:
            if self.trouble:
                raise self.trouble.pop(0)
            if self.slow:
                await self.gate.wait()
            await self.finish(claim)
        except anyio.get_cancelled_exc_class():
            with anyio.CancelScope(shield=True):
                await self._hand_back(claim)
            raise
        finally:
            self.now_running -= 1
            self.ended.append(claim.job.id)
            self._changed()

    async def _hand_back(self, claim: Claim) -> None:
        detail = await self.store.detail(claim.job.id)
        if detail is not None and detail.row.job.claim_token == claim.token:
            await self.store.give_back(claim, now=self.clock.now(), note="stopped; goes on later")

    async def finish(self, claim: Claim) -> None:
        """Take the job to its end."""
        store, now, job_id = self.store, self.clock.now(), claim.job.id
        paid = Settlement(
            provider="vendor", model="m", actual_micros=1_000, usage_known=True, usage={}, external_ref=f"o-{job_id}"
        )
        said = Transcript(
            text="hello",
            utterances=(Utterance(speaker="A", start_ms=0, end_ms=900, text="hello"),),
            language="en",
            duration_seconds=100,
            model="m",
            speakers={},
        )
        written = Summary(markdown="# Notes", title="A call", model="m", prompt_hash="abc")
        attempt = await store.begin(claim, Step.TRANSCRIBE, now=now)
        await store.transcribed(claim, attempt, said, paid, now=now)
        attempt = await store.begin(claim, Step.SUMMARIZE, now=now)
        await store.summarized(claim, attempt, written, None, now=now)
        await store.begin(claim, Step.SYNC, now=now)
        await store.complete(claim, now=now)

    def _changed(self) -> None:
        event, self.change = self.change, anyio.Event()
        event.set()

    async def until(self, condition: Callable[[], bool]) -> None:
        """Wait until *condition* holds; it is looked at whenever a job begins or ends."""
        with anyio.fail_after(5):
            while not condition():
                await self.change.wait()

    def finish_all(self) -> None:
        """Let slow jobs end, now and from now on."""
        self.slow = False
        self.gate.set()


# ------------------------------------------------------------------------------------------------------- all of it


@dataclass(kw_only=True)
class House:
    """Everything on one database; `opened` another one for a second instance."""

    store: Store
    bus: Bus
    clock: FakeClock
    shelf: Shelf
    worker: Worker
    discovery: Discovery
    processor: Processor
    watchdog: Watchdog
    supervisor: Supervisor
    redelivered: list[tuple[JobId, str]]

    async def job(self, job_id: JobId) -> Job:
        return (await self.detail(job_id)).row.job

    async def detail(self, job_id: JobId) -> JobDetail:
        detail = await self.store.detail(job_id)
        assert detail is not None
        return detail

    async def jobs(self) -> dict[str, Job]:
        """Return every job by its file's id."""
        return {row.job.file_id: row.job for row in await self.store.page(JobFilter(), limit=10_000)}

    async def statuses(self) -> dict[str, Status]:
        return {file_id: job.status for file_id, job in (await self.jobs()).items()}

    async def discover_calls(self, count: int) -> list[JobId]:
        """Find so many measured calls, a minute apart, oldest first; return their ids in that order."""
        who = [f"Caller {n:03}" for n in range(count)]
        files = []
        for n, name in enumerate(who):
            at = f"2026-11-23 09-{n:02}-00"
            self.shelf.sidecar(name, at=at)
            files.append(self.shelf.call(name, at=at))
        await self.discovery.tick()
        jobs = await self.jobs()
        return [jobs[file_id].id for file_id in files]

    async def until_status(self, job_id: JobId, status: Status) -> None:
        """Wait until the job has that status."""
        with anyio.fail_after(5), self.bus.subscribe() as events:
            while (await self.job(job_id)).status is not status:
                await events.get()


@dataclass(kw_only=True)
class Terms:
    """What a test wants to be otherwise."""

    rules: Rules = field(default_factory=Rules)
    owners: tuple[str, ...] = ()
    accept_ownerless: bool = True
    sidecar_wait: timedelta = timedelta(minutes=10)
    skip_twins: bool = True
    micros_per_second: int = 100
    by_itself: bool = True
    concurrency: int = 2
    batch: int = 10
    newest_first: bool = False
    max_parallel: int | None = None
    daily_max_jobs: int | None = None
    max_jobs_per_minute: int | None = None
    daily_micros: int | None = None
    max_rescues: int = 2
    lease: timedelta = timedelta(minutes=2)
    shutdown_grace: float = 0
    only: tuple[JobId, ...] | None = None


async def nothing_to_sweep() -> int:
    """No worker of ours leaves audio behind."""
    return 0


MakeHouse = Callable[..., Awaitable[House]]


def house_of(store: Store, bus: Bus, clock: FakeClock, shelf: Source, terms: Terms) -> House:
    """Put a supervisor together as the wiring does, with a worker of ours."""
    worker = Worker(store, clock)
    redelivered: list[tuple[JobId, str]] = []

    async def redeliver(job: Job, delivery: Delivery) -> None:
        redelivered.append((job.id, delivery.sink))

    async def inspect() -> None:
        """There is no sink to look at."""

    discovery = Discovery(source=shelf, inbox=store, intake=_intake(terms), clock=clock)
    processor = Processor(
        queue=store,
        control=store,
        run_job=worker,
        throttle=_throttle(terms),
        clock=clock,
        token=secrets.token_hex(8),
        name="here:1",
        only=terms.only,
    )
    watchdog = Watchdog(
        queue=store, processor=processor, clock=clock, lease=terms.lease, max_rescues=terms.max_rescues, details={}
    )
    supervisor = Supervisor(
        discovery=discovery,
        processor=processor,
        watchdog=watchdog,
        housekeeping=Housekeeping(queue=store, clock=clock, log_days=30, sweep=nothing_to_sweep),
        queue=store,
        record=store,
        control=store,
        redeliver=redeliver,
        inspect=inspect,
        schedule=Schedule(
            discovery_cron="*/5 * * * *",
            reconcile_cron="17 3 * * *",
            processor_cron="* * * * *",
            zone=LONDON,
            shutdown_grace=terms.shutdown_grace,
        ),
        clock=clock,
        bus=bus,
    )
    assert isinstance(shelf, Shelf)
    return House(
        store=store,
        bus=bus,
        clock=clock,
        shelf=shelf,
        worker=worker,
        discovery=discovery,
        processor=processor,
        watchdog=watchdog,
        supervisor=supervisor,
        redelivered=redelivered,
    )


def _intake(terms: Terms) -> Intake:
    return Intake(
        rules=terms.rules,
        zone=LONDON,
        region="GB",
        allowed_owners=terms.owners,
        accept_ownerless=terms.accept_ownerless,
        sidecar_wait=terms.sidecar_wait,
        skip_twins=terms.skip_twins,
        prices=f"{terms.micros_per_second} a second",
        estimate=lambda seconds, model: Estimate(
            transcribe_micros=round(seconds * terms.micros_per_second), summarize_micros=0
        ),
    )


def _throttle(terms: Terms) -> Throttle:
    return Throttle(
        by_itself=terms.by_itself,
        concurrency=terms.concurrency,
        batch=terms.batch,
        newest_first=terms.newest_first,
        max_parallel=terms.max_parallel,
        daily_max_jobs=terms.daily_max_jobs,
        max_jobs_per_minute=terms.max_jobs_per_minute,
        budgets=Budgets(zone=LONDON, day_micros=terms.daily_micros, day_jobs=terms.daily_max_jobs),
        lease=terms.lease,
    )


@pytest.fixture
def shelf() -> Shelf:
    return Shelf()


@pytest.fixture
async def make_house(tmp_path: Path, clock: FakeClock, shelf: Shelf) -> AsyncIterator[MakeHouse]:
    """Build houses, each with its own connection to one database: the second is a restart, or a second instance."""
    async with AsyncExitStack() as stack:

        async def make(**terms: object) -> House:
            bus = Bus()
            opened = open_store(tmp_path / "focusflow.db", bus=bus, synchronous="NORMAL")
            store = await stack.enter_async_context(opened)
            return house_of(store, bus, clock, shelf, Terms(**terms))  # type: ignore[arg-type]  # a builder

        yield make


@pytest.fixture
async def house(make_house: MakeHouse) -> House:
    return await make_house()
