"""How is audio turned into words without ever being paid for twice?

The order of commits is the promise: upload, commit its reference and the intent, order, commit the order's id, ask until it is
ready, commit the raw answer, understand it. Whatever breaks in between, the next run looks before it pays.
"""

from datetime import timedelta
from functools import partial
from pathlib import Path

import anyio
from msgspec.structs import replace

from focusflow.domain.budgets import Limits
from focusflow.domain.jobs import DurationSource, Outcome, SkippedBy, Step
from focusflow.domain.transcript import Transcript, named_speakers
from focusflow.errors import Ambiguous, LostClaim, Permanent, StepError, Transient
from focusflow.pipeline.audio import header_seconds
from focusflow.pipeline.persist import insist
from focusflow.pipeline.run import JobRun
from focusflow.ports import Documents, Downloaded, Settlement, TranscriptFailed, TranscriptPending, TranscriptReady

ORDER_SECONDS = 60.0
"""An order under way is not interrupted by a stop for this long: an interrupted one must be looked for later."""
LOOK_AGAIN_SECONDS = 30.0


class NothingSaid(Permanent):
    """There is no speech in the recording; nothing was charged."""


async def transcript_of(run: JobRun, documents: Documents) -> Transcript | None:
    """Return the job's transcript, paid for at most once; None when what was learnt says that it must not be.

    Raises `NothingSaid` where the transcriber found no speech.
    """
    store, clock = run.chain.store, run.chain.clock
    if documents.transcript is not None and run.job.transcription_completed_at is not None:
        await store.reuse(run.claim, Step.TRANSCRIBE, now=clock.now())
        await _delete_at_vendor(run, run.job.transcript_id)  # an earlier run may have been stopped just before it
        return documents.transcript
    transcript_id = run.job.transcript_id or await _order_made_before(run)
    if transcript_id is None:
        return await _order_anew(run, documents)
    async with run.attempt(Step.TRANSCRIBE, run.chain.limits.transcribe) as attempt_id:
        transcript = await _collect(run, transcript_id, documents, attempt_id)
    await _delete_at_vendor(run, transcript_id)
    return transcript


async def _order_made_before(run: JobRun) -> str | None:
    """Look for an order that an earlier run may have made without learning its id, and adopt it."""
    job, chain = run.job, run.chain
    if job.submit_intent_at is None or job.upload_ref is None:
        return None
    async with run.attempt(Step.TRANSCRIBE, chain.limits.transcribe) as attempt_id:
        found = await chain.transcriber.find(job.upload_ref, since=job.submit_intent_at)
        outcome = Outcome.REUSED if found else Outcome.DONE
        await chain.store.end(run.claim, attempt_id, outcome, now=chain.clock.now())
    if found is None:
        await chain.store.forget_order(run.claim, keep_upload=True, now=chain.clock.now())
        return None
    await insist(chain.clock, partial(chain.store.submitted, job.id, found, now=chain.clock.now()))
    await run.note("Found the transcript that was ordered before the interruption; it is not ordered again.")
    return found


async def _order_anew(run: JobRun, documents: Documents) -> Transcript | None:
    """Order the transcript from the upload of an earlier run while that is fresh, else from a new one."""
    job, chain = run.job, run.chain
    fresh_after = chain.clock.now() - timedelta(seconds=chain.limits.upload_keeps)
    if job.upload_ref is not None and job.uploaded_at is not None and job.uploaded_at > fresh_after:
        attempt_id = await run.begin(Step.TRANSCRIBE)
        await chain.store.intend_submit(run.claim, now=chain.clock.now())
        return await _order_and_collect(run, job.upload_ref, documents, attempt_id)
    async with chain.workspace.place(job.id) as place:
        audio, download = await _download(run, place)
        if await _refused(run, audio, download):
            return None
        async with run.attempt(Step.TRANSCRIBE, chain.limits.transcribe, after=download) as attempt_id:
            upload_ref = await chain.transcriber.upload(audio.path, progress=chain.progress(job.id, Step.TRANSCRIBE))
            await chain.store.uploaded(run.claim, upload_ref, now=chain.clock.now(), intending=True)
    return await _order_and_collect(run, upload_ref, documents, attempt_id)


async def _download(run: JobRun, place: Path) -> tuple[Downloaded, int]:
    """Return the audio, and the attempt at it: whatever is committed next closes that."""
    job, chain = run.job, run.chain
    async with run.attempt(Step.DOWNLOAD, chain.limits.download) as attempt_id:
        audio = await chain.source.download(
            job.file_id,
            place / f"audio{Path(job.file_name).suffix.lower()}",
            expected_md5=job.file_md5,
            progress=chain.progress(job.id, Step.DOWNLOAD),
        )
    return audio, attempt_id


async def _refused(run: JobRun, audio: Downloaded, download: int) -> bool:
    """Read the real length from the file where it was only guessed, and skip the job if the rules now refuse it."""
    job, chain = run.job, run.chain
    if job.duration_source not in (None, DurationSource.SIZE):
        return False
    await chain.store.end(run.claim, download, Outcome.DONE, now=chain.clock.now())
    seconds = await anyio.to_thread.run_sync(header_seconds, audio.path)
    reason = None if job.requested_by else chain.refusal(job, seconds)
    if seconds is not None:
        routed = chain.route(job, seconds).then
        estimate = chain.estimate(seconds, routed.model)
        now = chain.clock.now()
        money = Limits() if reason else chain.money(now)  # what is not paid for needs no money
        await chain.store.measured_file(
            run.claim,
            seconds,
            DurationSource.HEADER,
            estimate=estimate,
            money=money,
            now=now,
            budget_exempt=routed.budget_exempt,
        )
    if reason is None:
        return False
    await chain.store.skip(run.claim, reason, SkippedBy.RULE, now=chain.clock.now())
    return True


async def _order_and_collect(run: JobRun, upload_ref: str, documents: Documents, attempt_id: int) -> Transcript:
    """Order what is uploaded, the intent committed already, and wait for it."""
    with run.deadline(run.chain.limits.transcribe):
        transcript_id = await _order(run, upload_ref)
        transcript = await _collect(run, transcript_id, documents, attempt_id)
    await _delete_at_vendor(run, transcript_id)
    return transcript


async def _order(run: JobRun, upload_ref: str) -> str:
    """Order the transcript, commit its id. A stop in between is held off for a while."""
    job, chain = run.job, run.chain
    language = chain.route(job, job.duration_seconds).then.language
    seconds = min(ORDER_SECONDS, chain.limits.transcribe)
    with anyio.CancelScope(shield=True), anyio.move_on_after(seconds) as deadline:
        try:
            transcript_id = await chain.transcriber.submit(upload_ref, language=language)
        except Ambiguous as exc:
            transcript_id = await _look_for_order(run, upload_ref, exc)
        except StepError:  # refused: there is no order to look for, and no money to keep for it
            await chain.store.forget_order(run.claim, keep_upload=True, now=chain.clock.now())
            raise
        await insist(chain.clock, partial(chain.store.submitted, job.id, transcript_id, now=chain.clock.now()))
    if deadline.cancelled_caught:
        raise Ambiguous("The order for the transcript got no answer; it is looked for before another is made.")
    return transcript_id


async def _look_for_order(run: JobRun, upload_ref: str, unclear: Ambiguous) -> str:
    """Return the id of an order whose answer was lost. Raises *unclear* when it is not there (yet)."""
    chain = run.chain
    try:
        found = await chain.transcriber.find(upload_ref, since=chain.clock.now() - timedelta(minutes=5))
    except StepError:
        raise unclear from None
    if found is None:
        raise Ambiguous(str(unclear), retry_after=LOOK_AGAIN_SECONDS) from unclear
    return found


async def _collect(run: JobRun, transcript_id: str, documents: Documents, attempt_id: int) -> Transcript:
    """Wait for the ordered transcript, store it as it came, understand it, settle it."""
    chain = run.chain
    raw = await _wait(run, transcript_id, documents)
    store, now = chain.store, chain.clock.now()
    await insist(chain.clock, partial(store.keep_raw_transcript, run.job.id, raw, now=now))
    transcript, settlement = await anyio.to_thread.run_sync(_understood, run, raw)
    paid = replace(settlement, external_ref=transcript_id)
    try:
        going_on = _goes_on(run, documents, transcript)
        stored = partial(store.transcribed, run.claim, attempt_id, transcript, paid, now=now, going_on=going_on)
        run.begun(Step.SUMMARIZE, await insist(chain.clock, stored))
    except LostClaim:
        token = run.claim.token
        await insist(chain.clock, partial(store.settle, run.job.id, Step.TRANSCRIBE, paid, now=now, token=token))
        raise
    return transcript


def _goes_on(run: JobRun, documents: Documents, transcript: Transcript) -> bool:
    """Say whether a summary is begun as soon as the transcript is stored."""
    written = documents.summary is not None and run.job.summarization_completed_at is not None
    return not written and not run.chain.delete_after_fetch and bool(transcript.text.strip())


def _understood(run: JobRun, raw: bytes) -> tuple[Transcript, Settlement]:
    """Return what was said and what it cost. Slow for a long call."""
    transcript = run.chain.transcriber.parse(raw)
    named = named_speakers(transcript, run.chain.owner_name, run.job.contact_name)
    return named, run.chain.price_transcript(raw)


async def _wait(run: JobRun, transcript_id: str, documents: Documents) -> bytes:
    """Ask until the transcript is there. A request that fails is asked again, never a failure of the job."""
    chain = run.chain
    asked = 0
    while True:
        state = await chain.transcriber.poll(transcript_id)
        match state:
            case TranscriptReady():
                return state.raw
            case TranscriptFailed():
                return await _failed(run, state, documents)
            case TranscriptPending():
                asked += 1
                chain.progress(run.job.id, Step.TRANSCRIBE)(asked, None)
                await chain.clock.sleep(max(chain.limits.poll, state.retry_after or 0.0))


async def _failed(run: JobRun, failed: TranscriptFailed, documents: Documents) -> bytes:
    """Fall back on the answer we kept, else forget the order (it cost nothing) and say why it failed."""
    if documents.raw_transcript is not None and not failed.permanent:
        return documents.raw_transcript
    await run.chain.store.forget_order(run.claim, keep_upload=False, now=run.chain.clock.now())
    if failed.silent:
        raise NothingSaid(failed.reason)
    raise (Permanent if failed.permanent else Transient)(failed.reason)


async def _delete_at_vendor(run: JobRun, transcript_id: str | None) -> None:
    """Delete what is stored here now, if that is wanted; a failure is worth a line, not the job."""
    if not run.chain.delete_after_fetch or transcript_id is None:
        return
    try:
        await run.chain.transcriber.delete(transcript_id)
    except StepError as exc:
        await run.note(f"The transcript could not be deleted at {run.chain.transcriber.name}: {exc}", "warning")
    else:
        await run.note(f"Deleted audio and transcript at {run.chain.transcriber.name}.")
