"""A FocusFlow that can work off calls: real store, real providers, emulated services on real sockets, and time that flies."""

from __future__ import annotations

import hashlib
import itertools
import re
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import TYPE_CHECKING, Any

import anyio.lowlevel
import genai_prices  # noqa: F401  # who opens the services has it imported, off the loop
import pytest
from msgspec.structs import replace

from focusflow.config import load
from focusflow.domain.budgets import Limits
from focusflow.domain.jobs import Claim, Direction, DurationSource, Job, JobId, Status, Step
from focusflow.domain.money import Estimate
from focusflow.events import Bus, Event, Subscription, SummaryText
from focusflow.pipeline.chain import Chain, RetryPolicy, StepLimits
from focusflow.pipeline.deliver import redeliver
from focusflow.pipeline.process import run_job
from focusflow.pipeline.prompts import PromptFiles
from focusflow.pipeline.workspace import Workspace
from focusflow.ports import Arrival, ClaimLimits, Delivery, JobDetail, Sink, SourceFile
from focusflow.providers import retry
from focusflow.providers.assemblyai import Deadlines, TranscriptionOptions, open_assemblyai
from focusflow.providers.drive import DriveSource
from focusflow.providers.notion import open_notion
from focusflow.providers.openai import AnswerDeadlines, open_openai
from focusflow.sandbox.assemblyai import API_KEY as ASSEMBLYAI_KEY
from focusflow.sandbox.faults import Fault, FaultPlan
from focusflow.sandbox.openai import API_KEY as OPENAI_KEY
from focusflow.sandbox.request_log import LoggedRequest, RequestLog
from focusflow.sandbox.server import Sandbox, build_sandbox
from focusflow.store import Store, open_store
from focusflow.wiring import Pricing

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable
    from contextlib import AbstractAsyncContextManager
    from pathlib import Path

    OpenWorks = Callable[..., AbstractAsyncContextManager["Works"]]

NINE = datetime(2026, 11, 23, 9, tzinfo=UTC)
LEASE = timedelta(minutes=10)
TOKEN = "ntn_the_only_one"
QUICK = retry.RetryPolicy(attempts=2, first_wait=0.001, longest_wait=0.002, jitter=0.0)
RETRY_SECONDS = 60.0


@dataclass
class FastClock:
    """Time that passes only when somebody sleeps, and then at once."""

    at: datetime = NINE

    def now(self) -> datetime:
        return self.at

    def monotonic(self) -> float:
        return self.at.timestamp()

    def unix(self) -> float:
        return self.at.timestamp()

    async def sleep(self, seconds: float) -> None:
        self.at += timedelta(seconds=seconds)
        await anyio.lowlevel.checkpoint()


class Crash(BaseException):
    """The process died here: nobody catches it, nothing is handed back."""


class FusedBus(Bus):
    """A bus on which the n-th announcement kills the process: just after its commit, or in the midst of a transfer."""

    def __init__(self) -> None:
        super().__init__()
        self.announced = 0
        self.crash_at: int | None = None

    def publish(self, event: Event) -> None:
        super().publish(event)
        if isinstance(event, SummaryText):
            return  # a word, not a boundary
        self.announced += 1
        if self.announced == self.crash_at:
            raise Crash


@dataclass
class Trip:
    """What the n-th request to a place sets off."""

    act: Callable[[], object]
    nth: int
    service: str
    path: str
    method: str = "*"

    def concerns(self, entry: LoggedRequest) -> bool:
        return (
            self.service in ("*", entry.service)
            and self.method in ("*", entry.method)
            and re.search(self.path, entry.path) is not None
        )


class TrippingLog(RequestLog):
    """A request log that acts on a request as it comes in, before it is answered."""

    def __init__(self) -> None:
        super().__init__()
        self.trip: Trip | None = None

    def record(self, entry: LoggedRequest) -> None:
        super().record(entry)
        trip = self.trip
        if trip and trip.concerns(entry):
            trip.nth -= 1
            if trip.nth == 0:
                trip.act()


@dataclass(kw_only=True)
class Works:
    """Everything that works off calls, with the builders and the eyes of a test."""

    chain: Chain
    store: Store
    sandbox: Sandbox
    clock: FastClock
    bus: FusedBus
    log: TrippingLog
    heard: Subscription
    database_id: str
    numbers: itertools.count[int] = field(default_factory=itertools.count)
    md5s: dict[JobId, str] = field(default_factory=dict)
    """Of each recording, by its job."""

    @property
    def faults(self) -> FaultPlan:
        return self.sandbox.faults

    def fault(self, service: str, kind: str, **more: Any) -> None:
        """Plan something that goes wrong."""
        self.faults.add(Fault(service=service, kind=kind, **more))

    def use(self, **changes: Any) -> None:
        """Go on with a chain that differs in *changes*."""
        self.chain = replace(self.chain, **changes)

    def limit(self, **changes: float) -> None:
        """Go on with other limits, in seconds."""
        self.use(limits=replace(self.chain.limits, **changes))

    # ------------------------------------------------------------------------------------------------------ arranging

    async def add(
        self, script: str | None = "clinic-appointment", *, content: bytes | None = None, **changes: object
    ) -> JobId:
        """Put a recording into Drive, let the transcriber know what is said in it, and the store that it is there."""
        n = next(self.numbers)
        content = b"\0\1\2\3" * 300 + str(n).encode() if content is None else content
        name = str(changes.pop("name", f"call {n}.m4a"))
        file_id = self.sandbox.drive.files.add_file(name, content=content)
        md5 = hashlib.md5(content, usedforsecurity=False).hexdigest()
        if script is not None:
            self.sandbox.assemblyai.register_audio(md5, script)
        file = SourceFile(
            file_id=file_id,
            name=name,
            parent_id=self.sandbox.drive.files.root_id,
            mime_type="audio/mp4",
            size=len(content),
            md5=md5,
            owners=(),
            created_at=None,
            modified_at=self.clock.now(),
            web_url=f"https://drive.google.com/file/d/{file_id}/view",
        )
        job_id = await self.absorb(file, **changes)
        self.md5s[job_id] = md5
        return job_id

    async def absorb(self, file: SourceFile, **changes: object) -> JobId:
        """Store the recording as discovery does."""
        values: dict[str, object] = {
            "file": file,
            "recorder": "cube",
            "contact_name": "Grace",
            "contact_number": "+442079460118",
            "direction": Direction.INCOMING,
            "call_type": "phone",
            "call_at": self.clock.now() - timedelta(hours=1),
            "duration_seconds": 147.0,
            "duration_source": DurationSource.SIDECAR,
            "estimate": Estimate(transcribe_micros=16_000, summarize_micros=4_000),
        }
        arrival = Arrival(**values | changes)  # type: ignore[arg-type]  # a builder
        absorbed = await self.store.absorb(
            self.chain.source.name, [arrival], [], [], cursor="here", now=self.clock.now(), skip_twins=False
        )
        (job_id,) = absorbed.added
        return job_id

    # ---------------------------------------------------------------------------------------------------------- acting

    async def claim(self, job_id: JobId, *, token: str = "us") -> Claim:
        """Take the job; everything that is due comes back first."""
        await self.store.requeue_due(now=self.clock.now())
        limits = ClaimLimits(
            batch=1,
            newest_first=False,
            day_start=self.clock.now().replace(hour=0),
            day_max_jobs=None,
            minute_max_jobs=None,
            ids=(job_id,),
        )
        now = self.clock.now()
        claims = await self.store.claim(limits, token=token, claimed_by="test", now=now, lease_until=now + LEASE)
        assert len(claims) == 1, (await self.job(job_id)).status
        return claims[0]

    async def run(self, job_id: JobId) -> Job:
        """Take the job as far as it goes, and return what it is then."""
        await run_job(self.chain, await self.claim(job_id))
        return await self.job(job_id)

    async def stop_at(
        self, job_id: JobId, nth: int = 1, *, service: str = "*", path: str = "", method: str = "*"
    ) -> Job:
        """As `run`, but the worker is stopped when the n-th request to a place comes in."""
        claim = await self.claim(job_id)
        with anyio.CancelScope() as scope:
            self.log.trip = Trip(scope.cancel, nth, service, path, method)
            await run_job(self.chain, claim)
        self.log.trip = None
        return await self.job(job_id)

    async def crash_at(self, job_id: JobId, nth: int) -> None:
        """As `run`, but the process dies when it has said n things; nothing is handed back."""
        claim = await self.claim(job_id)
        self.bus.announced, self.bus.crash_at = 0, nth
        with pytest.raises(Crash):
            await run_job(self.chain, claim)
        self.bus.crash_at = None

    def trip(self, act: Callable[[], object], *, nth: int, service: str, path: str = "") -> None:
        """Let something happen in the world when the n-th request to a place comes in."""
        self.log.trip = Trip(act, nth, service, path)

    async def at(self, act: Callable[[], object], job_id: JobId, nth: int = 1, *, service: str, path: str = "") -> Job:
        """As `run`, but something happens in the world when the n-th request to a place comes in."""
        self.log.trip = Trip(act, nth, service, path)
        job = await self.run(job_id)
        assert self.log.trip.nth <= 0
        self.log.trip = None
        return job

    async def finish(self, job_id: JobId, *, tries: int = 6) -> Job:
        """Run the job, and deliver it, in due time until nothing is left to do."""
        for _ in range(tries):
            if (await self.job(job_id)).status is Status.COMPLETED:
                break
            await self.run_in_due_time(job_id)
        for _ in range(tries):
            delivery = await self.delivery(job_id)
            if delivery.next_attempt_at is None:
                break
            self.clock.at = delivery.next_attempt_at
            await self.redeliver()
        return await self.job(job_id)

    async def redeliver(self) -> int:
        """Try every sink that is due once more; return how many were."""
        due = await self.store.take_due_deliveries(
            limit=10, now=self.clock.now(), again_at=self.clock.now() + timedelta(hours=1)
        )
        for job, delivery in due:
            await redeliver(self.chain, job, delivery)
        return len(due)

    async def run_in_due_time(self, job_id: JobId) -> Job:
        """As `run`, once the job's wait is over."""
        self.clock.at = max(self.clock.at, (await self.job(job_id)).next_attempt_at or self.clock.at)
        return await self.run(job_id)

    async def rerun_from_summary(self, job_id: JobId) -> Job:
        """Do what a person asks for who does not like the summary."""
        await self.store.process([job_id], from_step=Step.SUMMARIZE, now=self.clock.now())
        return await self.run(job_id)

    async def rescue(self) -> None:
        """Let all leases run out, and the watchdog take the jobs back."""
        self.clock.at += LEASE * 1.5
        await self.store.reclaim_expired(now=self.clock.now(), max_rescues=100)

    def hours(self, n: float) -> timedelta:
        return timedelta(hours=n)

    # ---------------------------------------------------------------------------------------------------------- seeing

    async def detail(self, job_id: JobId) -> JobDetail:
        detail = await self.store.detail(job_id)
        assert detail is not None
        return detail

    async def job(self, job_id: JobId) -> Job:
        return (await self.detail(job_id)).row.job

    async def delivery(self, job_id: JobId, sink: str = "notion") -> Delivery:
        deliveries = {delivery.sink: delivery for delivery in await self.store.deliveries(job_id)}
        return deliveries[sink]

    async def told(self, job_id: JobId) -> str:
        """The job's own log, as one text."""
        return "\n".join(line.message for line in (await self.detail(job_id)).events)

    async def outcomes(self, job_id: JobId) -> list[str]:
        """The attempts so far, as `step outcome`."""
        return [f"{attempt.step} {attempt.outcome}" for attempt in (await self.detail(job_id)).attempts]

    def ordered(self) -> int:
        """How many transcripts were ever ordered and paid for."""
        self.sandbox.assemblyai.settle()
        return len(self.sandbox.bill.of("assemblyai"))

    def answers(self) -> list[str]:
        """What each request to the language model asked, oldest first."""
        bodies: list[Any] = [request.json() for request in self.log.requests("openai", "POST", "completions")]
        return [body["messages"][-1]["content"] for body in bodies]

    def pages(self) -> list[Any]:
        """The live pages, in order."""
        return self.sandbox.notion.pages(self.database_id)

    def page_text(self) -> str:
        """The body of the only page there is."""
        (page,) = self.pages()
        return self.sandbox.notion.page_text(page["id"])

    def audio_left(self) -> list[Path]:
        """What lies in the workspace."""
        return list(self.chain.workspace.root.rglob("*"))

    def bill_micros(self) -> int:
        """What the emulated services charged, at the prices of `settings`."""
        self.sandbox.assemblyai.settle()
        return sum(_price(line.quantity) for line in self.sandbox.bill.lines)


def _price(quantity: dict[str, int]) -> int:
    """Universal-3.5 Pro with speakers, or gpt-6-luna; each line rounded up to a micro-dollar."""
    if "audio_seconds" in quantity:
        return -(-(quantity["audio_seconds"] * 210_000 + quantity["speaker_labels"] * 20_000) // 3600)
    return -(-(quantity["input_tokens"] * 100_000 + quantity["output_tokens"] * 500_000) // 1_000_000)


@asynccontextmanager
async def opened(
    tmp_path: Path,
    *,
    assemblyai_key: str = ASSEMBLYAI_KEY,
    openai_key: str = OPENAI_KEY,
    notion_key: str = TOKEN,
    context_tokens: int | None = None,
    max_output_tokens: int | None = None,
    options: TranscriptionOptions | None = None,
    notion: bool = True,
    more_sinks: tuple[Sink, ...] = (),
    max_retries: int = 3,
    answer_seconds: float = 20.0,
) -> AsyncIterator[Works]:
    """Open a works on an empty database and an empty Drive."""
    clock, log, bus = FastClock(), TrippingLog(), FusedBus()
    sandbox = build_sandbox(clock=clock.unix, log=log, recordings=False)
    sandbox.openai.delta_seconds = 0.0
    sandbox.notion.tokens = {TOKEN}
    sandbox.notion.window.limit = 1_000_000
    async with AsyncExitStack() as stack:
        await stack.enter_async_context(sandbox)
        database_id = sandbox.notion.create_focusflow_database()
        store = await stack.enter_async_context(open_store(tmp_path / "focusflow.db", bus=bus, synchronous="NORMAL"))
        source = DriveSource(
            credentials=sandbox.drive.user_credentials_info(),
            folder_id=sandbox.drive.files.root_id,
            clock=clock,
            base_url=sandbox.drive.api_url,
            policy=QUICK,
        )
        transcriber = await stack.enter_async_context(
            open_assemblyai(
                api_key=assemblyai_key,
                base_url=sandbox.url_of("assemblyai"),
                clock=clock,
                options=options,
                deadlines=Deadlines(call=20.0),
                retries=QUICK,
            )
        )
        summarizer = await stack.enter_async_context(
            open_openai(
                api_key=openai_key,
                base_url=f"{sandbox.url_of('openai')}/v1",
                model="gpt-6-luna",
                clock=clock,
                context_tokens=context_tokens,
                max_completion_tokens=max_output_tokens,
                deadlines=AnswerDeadlines(answer=answer_seconds),
                retries=QUICK,
            )
        )
        sinks = list(more_sinks)
        if notion:
            sink = open_notion(
                api_key=notion_key,
                database_id=database_id,
                clock=clock,
                base_url=sandbox.url_of("notion"),
                requests_per_minute=1_000_000,
                retry=QUICK,
            )
            sinks.insert(0, await stack.enter_async_context(sink))
        settings = load(
            environ={"OPENAI_BASE_URL": f"{sandbox.url_of('openai')}/v1"},
            flags={"openai.usd_per_million_input": 0.10, "openai.usd_per_million_output": 0.50},
        ).settings
        pricing = Pricing(settings, clock)
        chain = Chain(
            store=store,
            source=await stack.enter_async_context(source),
            transcriber=transcriber,
            summarizer=summarizer,
            sinks=sinks,
            clock=clock,
            bus=bus,
            workspace=Workspace(tmp_path / "audio"),
            prompts=PromptFiles(),
            limits=StepLimits(download=20, transcribe=20, summarize=20, sync=20, poll=0.5),
            retries=RetryPolicy(max_retries=max_retries, delay=lambda n: RETRY_SECONDS * 2 ** (n - 1)),
            time_zone="Europe/London",
            owner_name="Maya Lindqvist",
            delete_after_fetch=False,
            refusal=lambda job, seconds: "shorter than 10 s" if seconds is not None and seconds < 10 else None,
            estimate=pricing.estimate,
            money=lambda now: Limits(),
            price_transcript=partial(pricing.transcript, transcriber),
            price_completions=partial(pricing.completions, summarizer.name),
        )
        heard = stack.enter_context(bus.subscribe())
        yield Works(
            chain=chain,
            store=store,
            sandbox=sandbox,
            clock=clock,
            bus=bus,
            log=log,
            heard=heard,
            database_id=database_id,
        )


@pytest.fixture
def works(tmp_path: Path) -> OpenWorks:
    """Open a works: `async with works(...) as w`."""
    return partial(opened, tmp_path)
