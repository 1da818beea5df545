"""How is one claimed job taken as far as it goes, and what becomes of it when something goes wrong?"""

import logging
from collections.abc import Awaitable
from datetime import timedelta

import anyio

from focusflow.domain.jobs import Claim, Job, SkippedBy
from focusflow.errors import Held, LostClaim, Permanent, StepError, StoreError, Transient
from focusflow.event_log import log_cause
from focusflow.pipeline.chain import Chain
from focusflow.pipeline.deliver import deliver_everywhere
from focusflow.pipeline.run import HOLD_SECONDS, JobRun, shielded
from focusflow.pipeline.summarize import summary_of
from focusflow.pipeline.transcribe import NothingSaid, transcript_of
from focusflow.ports import Documents

NOTHING_SAID = "Nothing was said in this recording."

_log = logging.getLogger(__name__)


async def run_job(chain: Chain, claim: Claim) -> None:
    """Take the job as far as it goes and record what became of it. Only cancellation and a broken store get out."""
    run = JobRun(chain, claim)
    try:
        await _steps(run)
    except LostClaim as exc:
        _log.warning(str(exc), extra={"job": run.job.id, "step": str(run.step)})
    except Held as exc:
        await _unless_lost(run, _hold(run, exc))
    except StepError as exc:
        await _unless_lost(run, _fail(run, exc))
    except StoreError:
        raise
    except anyio.get_cancelled_exc_class():
        await _hand_back(run)
        raise
    except Exception as exc:  # noqa: BLE001  # a job's failure ends here, whatever it is; the log keeps the traceback
        _log.exception("a bug stopped a job", extra={"job": run.job.id, "step": str(run.step)})
        mistake = Permanent(
            f"FocusFlow made a mistake ({type(exc).__name__}); the log has the details. Nothing is lost."
        )
        await _unless_lost(run, _fail(run, mistake))


async def _steps(run: JobRun) -> None:
    documents = await run.chain.store.documents(run.job.id) if _has_begun(run.job) else Documents()
    try:
        transcript = await transcript_of(run, documents)
    except NothingSaid:
        return await _skip_silence(run)
    if transcript is None:
        return None
    if not transcript.text.strip():
        return await _skip_silence(run)
    summary = await summary_of(run, documents, transcript)
    attempt = await deliver_everywhere(run, transcript, summary)
    await run.chain.store.complete(run.claim, now=run.chain.clock.now(), attempt=attempt)
    return None


def _has_begun(job: Job) -> bool:
    """Say whether an earlier run may have left documents: there are none before an order was meant."""
    return (
        job.submit_intent_at is not None or job.transcript_id is not None or job.transcription_completed_at is not None
    )


async def _skip_silence(run: JobRun) -> None:
    """Leave the call out: there is nothing to sum up. What listening to it cost is recorded already."""
    await run.chain.store.skip(run.claim, NOTHING_SAID, SkippedBy.SILENCE, now=run.chain.clock.now())


async def _hand_back(run: JobRun) -> None:
    """Put a job that was stopped, not failed, back to rest; if the store is stuck the lease does it."""
    async with shielded():
        await _unless_lost(
            run, run.chain.store.give_back(run.claim, now=run.chain.clock.now(), note="stopped; goes on later")
        )


async def _unless_lost(run: JobRun, write: Awaitable[None]) -> None:
    try:
        await write
    except LostClaim as exc:
        _log.warning(str(exc), extra={"job": run.job.id, "step": str(run.step)})


async def _hold(run: JobRun, held: Held) -> None:
    now = run.chain.clock.now()
    wait = held.retry_after if held.retry_after is not None else HOLD_SECONDS[held.kind]
    until = held.until or now + timedelta(seconds=wait)
    await run.chain.store.hold(run.claim, held.kind, str(held), until=until, now=now)


async def _fail(run: JobRun, error: StepError) -> None:
    now = run.chain.clock.now()
    transient = isinstance(error, Transient)
    retry = run.job.retry_count + 1
    retry_at = None
    if isinstance(error, Transient) and retry <= run.chain.retries.max_retries:
        retry_at = now + timedelta(seconds=max(run.chain.retries.delay(retry), error.retry_after or 0.0))
    await run.chain.store.fail(run.claim, run.step, str(error), retry_at=retry_at, counts=transient, now=now)
    log_cause(error, job=run.job.id, step=str(run.step))
