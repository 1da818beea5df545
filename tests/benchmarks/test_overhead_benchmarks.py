"""How many whole jobs a second does FocusFlow itself allow, when the services take no time at all?

Run with: pytest tests/benchmarks/test_overhead_benchmarks.py -s
"""

import json
import secrets
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from time import perf_counter, process_time
from zoneinfo import ZoneInfo

import anyio
import pytest

from focusflow.domain.budgets import Budgets, Limits
from focusflow.domain.jobs import Status
from focusflow.domain.money import Estimate
from focusflow.domain.transcript import Transcript, Utterance
from focusflow.events import Bus
from focusflow.logs import logging_to
from focusflow.pipeline.chain import Chain, RetryPolicy, StepLimits
from focusflow.pipeline.process import run_job
from focusflow.pipeline.prompts import PromptFiles
from focusflow.pipeline.workspace import Workspace
from focusflow.ports import (
    Arrival,
    AudioUsage,
    Completion,
    Downloaded,
    JobFilter,
    Page,
    PageRef,
    Settlement,
    SourceFile,
    SourcePage,
    TokenUsage,
    TranscriptReady,
    TranscriptState,
)
from focusflow.store import open_store
from focusflow.supervisor.processor import Processor, Throttle
from focusflow.wiring import SystemClock

JOBS = 500
AT_LEAST_PER_SECOND = 50


class InstantSource:
    """A source whose recordings are there at once."""

    name = "folder"

    async def pages(self, cursor: str | None) -> AsyncIterator[SourcePage]:
        yield SourcePage(cursor="end", more=False)

    async def read_small(self, file_id: str, *, limit: int = 65_536) -> bytes:
        return b"{}"

    async def download(
        self, file_id: str, target: Path, *, expected_md5: str | None, progress: Callable[[int, int | None], None]
    ) -> Downloaded:
        await anyio.to_thread.run_sync(target.write_bytes, b"audio")
        return Downloaded(path=target, size=5, md5="0" * 32)

    async def check(self) -> Sequence[str]:
        return ()


class InstantTranscriber:
    """A transcriber that is done before it is asked."""

    name = "instant"

    async def upload(self, audio: Path, *, progress: Callable[[int, int | None], None]) -> str:
        return f"upload:{secrets.token_hex(4)}"

    async def submit(self, upload_ref: str, *, language: str | None = None) -> str:
        return f"transcript-of:{upload_ref}"

    async def find(self, upload_ref: str, *, since: datetime) -> str | None:
        return None

    async def poll(self, transcript_id: str) -> TranscriptState:
        return TranscriptReady(raw=json.dumps({"id": transcript_id, "text": "Hello there."}).encode())

    def parse(self, raw: bytes) -> Transcript:
        turns = tuple(
            Utterance(speaker="AB"[n % 2], start_ms=n * 1000, end_ms=n * 1000 + 900, text=f"This is line {n}.")
            for n in range(60)
        )
        text = " ".join(turn.text for turn in turns)
        return Transcript(text=text, utterances=turns, language="en", duration_seconds=60.0, model="m", speakers={})

    def usage(self, raw: bytes) -> AudioUsage:
        return AudioUsage(seconds=60.0, model="m", addons=())

    async def delete(self, transcript_id: str) -> None:
        return None

    async def check(self) -> Sequence[str]:
        return ()


class InstantSummarizer:
    """A model that needs no time to think."""

    name = "instant"
    model = "m"

    async def complete(
        self, *, instructions: str, text: str, on_text: Callable[[str], None], model: str | None = None
    ) -> Completion:
        usage = TokenUsage(input_tokens=10, output_tokens=10)
        return Completion(text="- noted", model="m", usage=usage, request_id=None, service_tier=None)

    def count_tokens(self, text: str) -> int:
        return len(text) // 4

    def context_tokens(self, model: str | None = None) -> int:
        return 100_000

    async def check(self) -> Sequence[str]:
        return ()


class InstantSink:
    """A sink that takes everything."""

    name = "instant"

    async def find(self, key: str) -> PageRef | None:
        return None

    async def create(self, page: Page) -> PageRef:
        return PageRef(ref=page.key, url=None)

    async def fill(self, ref: str, page: Page, *, memo: str | None, remember: Callable[[str], Awaitable[None]]) -> None:
        await remember("written")

    async def check(self) -> Sequence[str]:
        return ()


def arrival(n: int) -> Arrival:
    file = SourceFile(
        file_id=f"f{n}",
        name=f"call {n}.m4a",
        parent_id=None,
        mime_type=None,
        size=100_000 + n,
        md5=f"{n:032x}",
        owners=(),
        created_at=None,
        modified_at=None,
        web_url=None,
    )
    return Arrival(
        file=file,
        recorder="cube-acr",
        contact_name="Ann",
        contact_number=None,
        direction=None,
        call_type="phone",
        call_at=datetime(2026, 11, 1, tzinfo=UTC) + timedelta(minutes=n),
        duration_seconds=60.0,
        estimate=Estimate(transcribe_micros=800, summarize_micros=200),
    )


def settled(_: object) -> Settlement:
    return Settlement(
        provider="instant", model="m", actual_micros=900, usage_known=True, usage={"seconds": 60}, external_ref=None
    )


@pytest.fixture(autouse=True)
def log_as_in_the_program(tmp_path: Path) -> Iterator[None]:
    """Log lines cost what they cost in life: a thread writes them to a file."""
    with logging_to(level="info", file=tmp_path / "log", stream=None, json_lines=None, secrets=["not-in-any-line"]):
        yield


@pytest.mark.parametrize("synchronous", ["FULL", "NORMAL"])
async def test_whole_jobs_per_second(tmp_path: Path, synchronous: str) -> None:
    """With services that take no time, one core does at least fifty whole jobs a second."""
    bus, clock = Bus(), SystemClock()
    async with open_store(tmp_path / "jobs.db", bus=bus, synchronous=synchronous) as store:  # type: ignore[arg-type]
        await store.absorb(
            "folder",
            [arrival(n) for n in range(JOBS)],
            [],
            [],
            cursor="1",
            now=clock.now(),
            skip_twins=True,
        )
        chain = Chain(
            store=store,
            source=InstantSource(),
            transcriber=InstantTranscriber(),
            summarizer=InstantSummarizer(),
            sinks=[InstantSink()],
            clock=clock,
            bus=bus,
            workspace=Workspace(tmp_path / "tmp"),
            prompts=PromptFiles(),
            limits=StepLimits(download=60, transcribe=60, summarize=60, sync=60, poll=0.01),
            retries=RetryPolicy(max_retries=3, delay=lambda n: 1.0),
            time_zone="UTC",
            owner_name=None,
            delete_after_fetch=False,
            refusal=lambda job, seconds: None,
            estimate=lambda seconds, model: Estimate(),
            money=lambda now: Limits(),
            price_transcript=settled,
            price_completions=settled,
        )
        processor = Processor(
            queue=store,
            control=store,
            run_job=partial(run_job, chain),
            throttle=Throttle(
                concurrency=4,
                batch=4,
                newest_first=False,
                max_parallel=None,
                daily_max_jobs=None,
                max_jobs_per_minute=None,
                budgets=Budgets(zone=ZoneInfo("UTC"), day_micros=10**12),
                lease=timedelta(minutes=5),
            ),
            clock=clock,
            token="bench",
            name="bench",
        )
        freed = anyio.Event()

        def free() -> None:
            freed.set()

        processor.on_free = free
        began, cpu = perf_counter(), process_time()
        async with anyio.create_task_group() as jobs:
            while await processor.tick(jobs) or processor.running:
                await freed.wait()
                freed = anyio.Event()
        wall, cpu = perf_counter() - began, process_time() - cpu
        done = await store.page(JobFilter(statuses=(Status.COMPLETED,)), limit=JOBS + 1)

    assert len(done) == JOBS
    print(f"\n{synchronous}: {JOBS / wall:.0f} whole jobs/s, {cpu / JOBS * 1000:.1f} CPU-ms a job")  # noqa: T201
    assert JOBS / wall >= AT_LEAST_PER_SECOND
