"""What becomes of a job when something goes wrong: held, failed for now, failed for good, given back?"""

from __future__ import annotations

import sqlite3
from contextlib import closing
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import anyio
import pytest

from focusflow.domain.jobs import DurationSource, Outcome, Status, Step
from focusflow.errors import StoreError
from focusflow.pipeline.process import run_job
from focusflow.sandbox import audio

if TYPE_CHECKING:
    from pathlib import Path

    from tests.pipeline.conftest import OpenWorks, Works

MINUTE = timedelta(minutes=1)


# ----------------------------------------------------------------------------------------------------------------- held


@dataclass
class Hold:
    """What a job waits for, and for how long."""

    kind: str
    minutes: float
    told: str


def empty_account(w: Works) -> None:
    w.sandbox.assemblyai.negative_balance = True


def wrong_assemblyai_key(w: Works) -> None:
    w.sandbox.assemblyai.api_keys = frozenset()


def wrong_openai_key(w: Works) -> None:
    w.sandbox.openai.api_keys = frozenset()


def unknown_model(w: Works) -> None:
    w.fault("openai", "status", status=404)


def no_quota(w: Works) -> None:
    w.fault("openai", "insufficient_quota")


def too_many_summaries(w: Works) -> None:
    w.fault("openai", "status", status=429, retry_after=240)


def too_many_uploads(w: Works) -> None:
    w.fault("assemblyai", "status", path="upload", status=429, retry_after=600, times=None)


@pytest.mark.parametrize(
    ("trouble", "hold"),
    [
        (empty_account, Hold("credit", 30, "AssemblyAI is out of credit: top up at https://")),
        (wrong_assemblyai_key, Hold("credentials", 15, "Check ASSEMBLYAI_API_KEY.")),
        (wrong_openai_key, Hold("credentials", 15, "Check OPENAI_API_KEY.")),
        (unknown_model, Hold("credentials", 15, "Correct openai.model (OPENAI_MODEL)")),
        (no_quota, Hold("credit", 30, "is out of credit or quota")),
        (too_many_summaries, Hold("rate limit", 4, "too many requests")),
        (too_many_uploads, Hold("rate limit", 10, "AssemblyAI")),
    ],
)
async def test_a_job_that_waits_for_something_is_not_a_failed_one(works: OpenWorks, trouble: Any, hold: Hold) -> None:
    """It rests until then, with the reason, counted against nobody, and goes on by itself."""
    async with works() as w:
        job_id = await w.add()
        keys = (w.sandbox.assemblyai.api_keys, w.sandbox.openai.api_keys)
        trouble(w)
        job = await w.run(job_id)
        assert (job.status, job.hold_kind, job.retry_count) == (Status.DISCOVERED, hold.kind, 0)
        assert hold.told in str(job.hold_reason)
        assert job.next_attempt_at is not None
        assert job.next_attempt_at - w.clock.now() == hold.minutes * MINUTE
        assert (job.claim_token, job.lease_until) == (None, None)
        assert (await w.outcomes(job_id))[-1].endswith("held")
        w.sandbox.assemblyai.api_keys, w.sandbox.openai.api_keys = keys
        w.sandbox.assemblyai.negative_balance = False
        w.faults.clear()
        done = await w.run_in_due_time(job_id)
        assert (done.status, done.hold_reason, w.ordered()) == (Status.COMPLETED, None, 1)


# ------------------------------------------------------------------------------------------------------------- failures


async def test_what_may_pass_is_tried_again_with_growing_waits_and_then_stays_failed(works: OpenWorks) -> None:
    """After the last retry nothing happens by itself; the sentence stays."""
    async with works(max_retries=3) as w:
        w.fault("openai", "status", status=500, times=None)
        job_id = await w.add()
        waits = []
        for _ in range(3):
            job = await w.run_in_due_time(job_id)
            assert (job.status, job.error_step) == (Status.FAILED, Step.SUMMARIZE)
            assert job.next_attempt_at is not None
            waits.append(job.next_attempt_at - w.clock.now())
        assert waits == [MINUTE, 2 * MINUTE, 4 * MINUTE]
        job = await w.run_in_due_time(job_id)
        assert (job.status, job.next_attempt_at, job.retry_count) == (Status.FAILED, None, 4)
        assert "HTTP 500" in str(job.error_message)
        assert w.ordered() == 1


async def test_a_retry_is_never_sooner_than_the_service_asked(works: OpenWorks) -> None:
    """Its Retry-After is longer than our own wait."""
    async with works() as w:
        w.fault("openai", "status", status=503, retry_after=3600)
        job = await w.run(await w.add())
        assert job.next_attempt_at == w.clock.now() + timedelta(hours=1)


async def test_what_will_not_pass_stays_failed(works: OpenWorks) -> None:
    """It is not counted as a retry, and waits for a person."""
    async with works() as w:
        w.fault("openai", "status", status=400)
        job = await w.run(await w.add())
        assert (job.status, job.next_attempt_at, job.retry_count) == (Status.FAILED, None, 0)
        assert "refused the request (HTTP 400)" in str(job.error_message)


async def test_a_bug_is_a_sentence_for_the_user_and_a_traceback_for_the_log(
    works: OpenWorks, caplog: pytest.LogCaptureFixture
) -> None:
    """It ends one job, not the program."""

    def refusal(job: object, seconds: float) -> str | None:
        raise ZeroDivisionError("secret details")

    async with works() as w:
        w.use(refusal=refusal)
        job_id = await w.add(content=audio.mp3(20, "a"), name="call.mp3", duration_source=DurationSource.SIZE)
        job = await w.run(job_id)
        assert (job.status, job.next_attempt_at) == (Status.FAILED, None)
        assert job.error_message == (
            "FocusFlow made a mistake (ZeroDivisionError); the log has the details. Nothing is lost."
        )
        assert any(record.exc_info for record in caplog.records if record.message == "a bug stopped a job")
        assert w.audio_left() == []


async def test_a_broken_store_gets_out(works: OpenWorks, tmp_path: Path) -> None:
    """There is nowhere to write what happened: whoever runs the jobs must stop."""
    async with works() as w:
        job_id = await w.add()
        claim = await w.claim(job_id)
        with closing(sqlite3.connect(tmp_path / "focusflow.db")) as other:
            other.execute("DROP TABLE job_events")
            other.commit()
        with pytest.raises(StoreError):
            await run_job(w.chain, claim)


async def test_a_job_that_was_lost_is_left_alone(works: OpenWorks) -> None:
    """Somebody else owns it now: nothing of what we do is written."""
    async with works() as w:
        job_id = await w.add()
        claim = await w.claim(job_id)
        await w.rescue()
        await w.claim(job_id, token="somebody else")
        before = await w.detail(job_id)
        await run_job(w.chain, claim)
        after = await w.detail(job_id)
        assert (after.row.job, after.attempts) == (before.row.job, before.attempts)
        assert w.log.count("assemblyai") == 0


@pytest.mark.parametrize("kind", ["status", "insufficient_quota"])
async def test_a_job_lost_while_it_fails_is_left_alone(works: OpenWorks, kind: str) -> None:
    """Cancelled by a person while the model refuses: it stays as the person left it."""
    async with works() as w:
        job_id = await w.add()
        claim = await w.claim(job_id)
        w.fault("openai", kind, **({"status": 500} if kind == "status" else {}))
        async with anyio.create_task_group() as group:

            async def lose() -> None:
                await w.store.cancel([job_id], now=w.clock.now())

            w.trip(lambda: group.start_soon(lose), nth=1, service="openai")
            await run_job(w.chain, claim)
        job = await w.job(job_id)
        assert (job.status, job.hold_kind, job.next_attempt_at) == (Status.FAILED, None, None)
        assert "HTTP 500" not in str(job.error_message)


# ------------------------------------------------------------------------------------------------------------- stopped


@pytest.mark.parametrize(
    ("service", "path", "step"),
    [
        ("drive", "files/", Step.DOWNLOAD),
        ("assemblyai", "upload", Step.TRANSCRIBE),
        ("assemblyai", "transcript/.", Step.TRANSCRIBE),
        ("openai", "", Step.SUMMARIZE),
        ("notion", "children", Step.SYNC),
    ],
)
async def test_a_stopped_job_rests_and_is_not_failed(works: OpenWorks, service: str, path: str, step: Step) -> None:
    """Its lease is released, its open attempt cancelled, and the next run takes it as if nothing had happened."""
    async with works() as w:
        job_id = await w.add()
        job = await w.stop_at(job_id, service=service, path=path)
        assert (job.status, job.error_message, job.retry_count, job.rescue_count) == (Status.DISCOVERED, None, 0, 0)
        assert (job.claim_token, job.lease_until, job.hold_kind, job.next_attempt_at) == (None, None, None, None)
        last = (await w.detail(job_id)).attempts[-1]
        assert (last.step, last.outcome) == (step, Outcome.CANCELLED)
        assert last.finished_at is not None
        assert "stopped; goes on later" in await w.told(job_id)
        assert (await w.run(job_id)).status is Status.COMPLETED
        assert (w.ordered(), len(w.pages())) == (1, 1)


async def test_a_stopped_job_that_was_lost_meanwhile_is_left_alone(works: OpenWorks) -> None:
    """Both at once: nothing is handed back that is not ours."""
    async with works() as w:
        job_id = await w.add()
        claim = await w.claim(job_id)
        await w.rescue()
        await w.claim(job_id, token="somebody else")
        with anyio.CancelScope() as scope:
            scope.cancel()
            await run_job(w.chain, claim)
        assert (await w.job(job_id)).claim_token == "somebody else"
