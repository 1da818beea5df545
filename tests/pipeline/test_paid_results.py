"""Is what was paid for kept although the store cannot be written just now, and billed once, whatever the vendor says?"""

from __future__ import annotations

import threading
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import pytest
from msgspec.structs import replace

from focusflow.domain.jobs import DurationSource, Status, Step
from focusflow.domain.money import Estimate
from focusflow.errors import DiskFull, StoreBusy, StoreError
from focusflow.pipeline.process import run_job
from focusflow.sandbox import audio

if TYPE_CHECKING:
    from collections.abc import Sequence

    from focusflow.domain.jobs import Job
    from focusflow.ports import ChargeRow, Completion, JobRecord, Settlement, Summarizer
    from tests.pipeline.conftest import OpenWorks, Works


@dataclass
class FullStore:
    """A real store that refuses one kind of write for a while."""

    store: JobRecord
    write: str
    times: int
    trouble: StoreError

    def __getattr__(self, name: str) -> Any:
        method = getattr(self.store, name)
        return self._refusing(method) if name == self.write else method

    def _refusing(self, method: Any) -> Any:
        async def write(*args: Any, **more: Any) -> Any:
            if self.times > 0:
                self.times -= 1
                raise self.trouble
            return await method(*args, **more)

        return write


def refuse(w: Works, write: str, times: int, trouble: StoreError | None = None) -> FullStore:
    """Let the store refuse *write* so many times."""
    store = FullStore(w.chain.store, write, times, trouble or DiskFull("The disk is full."))
    w.use(store=store)
    return store


async def charges(w: Works, job: Job, step: Step) -> list[ChargeRow]:
    return [charge for charge in (await w.detail(job.id)).charges if charge.step is step]


# ----------------------------------------------------------------------------------------------------------- persisted


@pytest.mark.parametrize("trouble", [DiskFull("The disk is full."), StoreBusy("Another program keeps it locked.")])
@pytest.mark.parametrize("write", ["submitted", "keep_raw_transcript", "transcribed", "summarized"])
async def test_a_paid_result_waits_for_the_store(works: OpenWorks, write: str, trouble: StoreError) -> None:
    """It is kept until it can be written; nothing is asked for, or paid, a second time."""
    async with works() as w:
        store = refuse(w, write, 5, trouble)
        job = await w.run(await w.add())
        assert (job.status, store.times) == (Status.COMPLETED, 0)
        assert (w.ordered(), len(w.answers())) == (1, 2)
        assert job.cost_micros == w.bill_micros()


async def test_a_store_that_stays_full_is_not_waited_for_without_end(works: OpenWorks) -> None:
    """Whoever runs the jobs hears of it; what the summary cost is on the bill all the same."""
    async with works() as w:
        job_id = await w.add()
        refuse(w, "summarized", 10_000)
        claim = await w.claim(job_id)
        began = w.clock.now()
        with pytest.raises(DiskFull):
            await run_job(w.chain, claim)
        assert w.hours(0.1) < w.clock.now() - began < w.hours(1)
        assert (await w.job(job_id)).cost_micros == w.bill_micros()


async def test_what_was_spent_in_vain_waits_for_the_store_too(works: OpenWorks) -> None:
    """A first part is paid, the second refused, and the ledger cannot be written at once."""
    async with works(context_tokens=8000) as w:
        w.fault("openai", "status", skip=1, status=429, retry_after=3600, times=None)
        store = refuse(w, "settle", 3)
        job = await w.run(await w.add("team-retro-hour"))
        assert (job.hold_kind, store.times) == ("rate limit", 0)
        assert job.cost_micros == w.bill_micros()


async def test_a_line_that_cannot_be_logged_at_once_does_not_throw_a_summary_away(works: OpenWorks) -> None:
    """There is no title, and nowhere to say so just now."""
    async with works() as w:
        w.fault("openai", "status", skip=1, status=400, times=None)
        store = refuse(w, "log", 0)
        w.trip(lambda: setattr(store, "times", 3), nth=2, service="openai")
        job = await w.run(await w.add())
        assert w.log.trip is not None
        assert w.log.trip.nth <= 0
        assert (job.status, store.times) == (Status.COMPLETED, 0)
        assert job.cost_micros == w.bill_micros()


# ----------------------------------------------------------------------------------------------------------------- once


async def test_each_attempt_has_its_own_bill_even_if_all_answers_bear_one_number(works: OpenWorks) -> None:
    """A server may call every request the same; a second summary is still a second charge."""
    async with works() as w:
        price = w.chain.price_completions

        def numbered_alike(answers: Sequence[Completion]) -> Settlement:
            return price([replace(answer, request_id="chatcmpl-0") for answer in answers])

        w.use(price_completions=numbered_alike)
        job_id = await w.add()
        await w.run(job_id)
        job = await w.rerun_from_summary(job_id)
        both = await charges(w, job, Step.SUMMARIZE)
        assert [charge.state for charge in both] == ["settled"] * 4  # a summary and its title, twice
        assert len({charge.external_ref for charge in both}) == 4
        assert job.cost_micros == w.bill_micros()


# ---------------------------------------------------------------------------------------------------------- as measured


@pytest.mark.parametrize("seconds", [600, 20])
async def test_what_is_reserved_follows_the_length_in_the_file(works: OpenWorks, seconds: int) -> None:
    """The size was a poor guess: before anything is paid, as much is set aside as the call will cost."""
    async with works() as w:
        content = audio.mp3(seconds, "a")
        job_id = await w.add(
            content=content,
            name="call.mp3",
            duration_seconds=60.0,
            duration_source=DurationSource.SIZE,
            estimate=Estimate(transcribe_micros=6_000, summarize_micros=1_000),
        )
        job = await w.stop_at(job_id, service="assemblyai", path="transcript", method="POST")
        assert job.duration_source is DurationSource.HEADER
        assert job.duration_seconds is not None
        estimate = w.chain.estimate(job.duration_seconds, None)
        assert estimate.micros is not None
        assert (job.estimate_micros, estimate.micros > 7_000) == (estimate.micros, seconds > 60)
        (transcript,) = await charges(w, job, Step.TRANSCRIBE)
        (summary,) = await charges(w, job, Step.SUMMARIZE)
        assert (transcript.estimate_micros, summary.estimate_micros) == (
            estimate.transcribe_micros,
            estimate.summarize_micros,
        )


# ----------------------------------------------------------------------------------------------------------- unblocking


@dataclass
class WatchedModel:
    """A language model that notes on which threads it was made to count."""

    model_itself: Summarizer
    threads: set[int] = field(default_factory=set)

    def count_tokens(self, text: str) -> int:
        self.threads.add(threading.get_ident())
        return self.model_itself.count_tokens(text)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.model_itself, name)


async def test_a_long_transcript_is_cut_beside_the_event_loop(works: OpenWorks) -> None:
    """Counting its tokens takes up to a second: meanwhile other calls and the screen go on."""
    async with works(context_tokens=8000) as w:
        w.sandbox.openai.windows["gpt-6-luna"] = 5_000  # so that parts are refused, too
        model = WatchedModel(w.chain.summarizer)
        w.use(summarizer=model)
        job = await w.run(await w.add("team-retro-hour"))
        assert job.status is Status.COMPLETED
        assert model.threads
        assert threading.get_ident() not in model.threads
