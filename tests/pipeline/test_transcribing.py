"""Is audio turned into words with patience, once, and never for calls that are not to be paid for?"""

from __future__ import annotations

from typing import TYPE_CHECKING

import anyio
import pytest

from focusflow.domain.jobs import DurationSource, JobId, SkippedBy, Status, Step
from focusflow.domain.money import Estimate
from focusflow.pipeline.process import run_job
from focusflow.providers.assemblyai import TranscriptionOptions
from focusflow.sandbox import audio
from focusflow.sandbox.scripts import SCRIPTS

if TYPE_CHECKING:
    from focusflow.ports import ChargeRow
    from tests.pipeline.conftest import OpenWorks, Works

UTTERANCES = len(SCRIPTS["clinic-appointment"].utterances)
POLL = "transcript/."


async def charge_for(w: Works, job_id: JobId) -> ChargeRow:
    """The only charge for the transcript."""
    (charge,) = [charge for charge in (await w.detail(job_id)).charges if charge.step is Step.TRANSCRIBE]
    return charge


# ---------------------------------------------------------------------------------------------------------------- polls


@pytest.mark.parametrize(
    ("kind", "more"),
    [
        ("status", {"status": 500}),
        ("status", {"status": 429, "retry_after": 7}),
        ("status", {"status": 503}),
        ("bad_json", {}),
        ("html", {}),
        ("reset_before", {}),
        ("reset_after", {}),
    ],
)
async def test_a_poll_that_fails_is_asked_again(works: OpenWorks, kind: str, more: dict[str, int]) -> None:
    """A paid transcript is not thrown away because one question about it went wrong."""
    async with works() as w:
        w.fault("assemblyai", kind, method="GET", path=POLL, times=3, **more)
        job_id = await w.add()
        assert (await w.run(job_id)).status is Status.COMPLETED
        assert w.faults.pending == []
        assert (w.ordered(), w.log.count("assemblyai", "POST")) == (1, 2)


async def test_a_retry_after_is_waited_for_before_the_next_poll(works: OpenWorks) -> None:
    """The service said when it wants to be asked again."""
    async with works() as w:
        w.fault("assemblyai", "status", method="GET", path=POLL, status=429, retry_after=17)
        await w.run(await w.add())
        asked = [request.at for request in w.log.requests("assemblyai", "GET", POLL)]
        assert asked[1] - asked[0] >= 17


async def test_an_answer_with_values_nobody_has_seen_is_understood(works: OpenWorks) -> None:
    """Unknown entity types, a missing time, a broken second: what was said is there all the same."""
    async with works() as w:
        w.fault("assemblyai", "enum_surprise")
        job_id = await w.add()
        assert (await w.run(job_id)).status is Status.COMPLETED
        transcript = (await w.detail(job_id)).documents.transcript
        assert transcript is not None
        assert len(transcript.utterances) == UTTERANCES


async def test_a_transcript_that_never_gets_ready_is_waited_for_later(works: OpenWorks) -> None:
    """The step has a deadline; the order stands and is asked for again, not made again."""
    async with works() as w:
        w.fault("assemblyai", "stuck_processing")
        job_id = await w.add()
        w.limit(transcribe=0.6)
        job = await w.run(job_id)
        assert (job.status, job.error_step, job.retry_count) == (Status.FAILED, Step.TRANSCRIBE, 1)
        assert job.error_message == "The step transcribe took longer than 0.01 minutes: it goes on where it was."
        assert (await charge_for(w, job_id)).state == "reserved"
        for order in w.sandbox.assemblyai.jobs.values():
            order.ends = w.clock.unix()
        w.limit(transcribe=20)
        assert (await w.run_in_due_time(job_id)).status is Status.COMPLETED
        assert w.log.count("assemblyai", "POST", "transcript$") == 1


# -------------------------------------------------------------------------------------------------- the vendor's refusals


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (b"I am a letter, not a call.\n" * 20, "File does not appear to contain audio. File type is text/plain"),
        (b"\0\1", "Audio duration is too short."),
    ],
)
async def test_what_cannot_be_transcribed_fails_free_in_the_vendors_words(
    works: OpenWorks, content: bytes, told: str
) -> None:
    """It is not tried again by itself, the reservation is released, and a person's retry starts anew."""
    async with works() as w:
        job_id = await w.add(None, content=content)
        job = await w.run(job_id)
        assert (job.status, job.error_step, job.next_attempt_at) == (Status.FAILED, Step.TRANSCRIBE, None)
        assert told in str(job.error_message)
        assert (w.ordered(), (await charge_for(w, job_id)).state) == (0, "released")
        assert (job.transcript_id, job.upload_ref, job.submit_intent_at, job.cost_micros) == (None, None, None, 0)
        await w.store.retry([job_id], now=w.clock.now())
        assert (await w.run(job_id)).status is Status.FAILED
        assert w.log.count("assemblyai", path="upload") == 2


async def test_too_little_speech_fails_free_in_the_vendors_words(works: OpenWorks) -> None:
    """The threshold keeps hold music from being paid for."""
    async with works(options=TranscriptionOptions(speech_threshold=0.95)) as w:
        job_id = await w.add()
        job = await w.run(job_id)
        assert job.status is Status.FAILED
        assert "speech threshold" in str(job.error_message)
        assert (w.ordered(), (await charge_for(w, job_id)).state) == (0, "released")


async def test_a_failure_of_the_vendors_own_is_tried_again(works: OpenWorks) -> None:
    """It was free: the recording is uploaded and ordered once more, in due time."""
    async with works() as w:
        w.fault("assemblyai", "error_status")
        job_id = await w.add()
        job = await w.run(job_id)
        assert (job.status, job.retry_count, job.transcript_id) == (Status.FAILED, 1, None)
        assert "developers have been alerted" in str(job.error_message)
        assert (await w.run_in_due_time(job_id)).status is Status.COMPLETED
        assert w.ordered() == 1


async def test_an_order_that_is_refused_is_forgotten_and_its_money_let_go(works: OpenWorks) -> None:
    """What was surely not ordered is not looked for, and blocks no budget while the job waits."""
    async with works() as w:
        w.sandbox.assemblyai.negative_balance = True
        job_id = await w.add()
        job = await w.run(job_id)
        assert (job.status, job.hold_kind) == (Status.DISCOVERED, "credit")
        assert job.submit_intent_at is None
        assert job.upload_ref is not None
        assert (await charge_for(w, job_id)).state == "released"
        w.sandbox.assemblyai.negative_balance = False
        assert (await w.run_in_due_time(job_id)).status is Status.COMPLETED
        assert (w.log.count("assemblyai", "GET", "transcript$"), w.log.count("assemblyai", path="upload")) == (0, 1)


async def test_a_transcript_lost_at_the_vendor_is_taken_from_what_we_kept(works: OpenWorks) -> None:
    """It was stored as it came, before it was understood: unknown there by now, it is still ours."""
    async with works() as w:
        job_id = await w.add()
        await lose_while_it_is_fetched(w, job_id)
        documents = (await w.detail(job_id)).documents
        assert documents.raw_transcript is not None
        assert documents.transcript is None
        w.sandbox.assemblyai.jobs.clear()
        await w.store.retry([job_id], now=w.clock.now())
        assert (await w.run(job_id)).status is Status.COMPLETED
        assert (w.ordered(), w.log.count("assemblyai", "POST", "transcript$")) == (1, 1)


async def test_an_order_nobody_knows_any_more_is_made_anew(works: OpenWorks) -> None:
    """Nothing of it was kept here or there: the job fails for now and begins again."""
    async with works() as w:
        job_id = await w.add()
        await w.stop_at(job_id, service="assemblyai", path=POLL)
        w.sandbox.assemblyai.jobs.clear()
        job = await w.run(job_id)
        assert (job.status, job.transcript_id) == (Status.FAILED, None)
        assert job.error_message == "The transcript is not known any more at AssemblyAI."
        assert (await w.run_in_due_time(job_id)).status is Status.COMPLETED


# -------------------------------------------------------------------------------------------------------------- privacy


async def test_audio_and_transcript_are_deleted_at_the_vendor_once_they_are_here(works: OpenWorks) -> None:
    """If that is wanted: what is stored here is not kept there."""
    async with works() as w:
        w.use(delete_after_fetch=True)
        job_id = await w.add()
        assert (await w.run(job_id)).status is Status.COMPLETED
        assert [order.deleted for order in w.sandbox.assemblyai.jobs.values()] == [True]
        assert w.sandbox.assemblyai.uploads == {}
        assert "Deleted audio and transcript at AssemblyAI." in await w.told(job_id)


async def test_a_deletion_that_fails_is_told_and_no_failure(works: OpenWorks) -> None:
    """The call goes on; a line says what is left to do."""
    async with works() as w:
        w.use(delete_after_fetch=True)
        w.fault("assemblyai", "status", method="DELETE", status=500, times=None)
        job_id = await w.add()
        assert (await w.run(job_id)).status is Status.COMPLETED
        assert "The transcript could not be deleted at AssemblyAI" in await w.told(job_id)


async def test_a_deletion_that_was_interrupted_is_made_up_for(works: OpenWorks) -> None:
    """Stopped between fetching and deleting: the next run deletes, and pays nothing."""
    async with works() as w:
        w.use(delete_after_fetch=True)
        w.fault("assemblyai", "reset_before", method="DELETE")
        job_id = await w.add()
        await w.stop_at(job_id, service="assemblyai", method="DELETE")
        assert (await w.job(job_id)).status is Status.DISCOVERED
        assert [order.deleted for order in w.sandbox.assemblyai.jobs.values()] == [False]
        w.faults.clear()
        assert (await w.run(job_id)).status is Status.COMPLETED
        assert [order.deleted for order in w.sandbox.assemblyai.jobs.values()] == [True]
        assert w.ordered() == 1


# ----------------------------------------------------------------------------------------------------------- the length


async def test_a_length_that_was_only_guessed_is_read_from_the_file_before_it_is_paid_for(works: OpenWorks) -> None:
    """The rules decide by the real length: the pocket dial is skipped after a free download."""
    async with works() as w:
        job_id = await w.add(
            "pocket-dial",
            name="call.wav",
            content=audio.wav(3, "a"),
            duration_seconds=400.0,
            duration_source=DurationSource.SIZE,
            estimate=Estimate(transcribe_micros=16_000, summarize_micros=4_000),
        )
        job = await w.run(job_id)
        assert (job.status, job.skipped_by, job.skip_reason) == (
            Status.SKIPPED,
            SkippedBy.RULE,
            "shorter than 10 s",
        )
        assert (job.duration_seconds, job.duration_source) == (3.0, DurationSource.HEADER)
        assert (w.log.count("assemblyai"), w.audio_left()) == (0, [])
        assert [charge.state for charge in (await w.detail(job_id)).charges] == ["released", "released"]


async def test_what_a_person_asked_for_is_done_however_short_it_is(works: OpenWorks) -> None:
    """The length is written down, and not held against it."""
    async with works(options=TranscriptionOptions(language_code="en")) as w:
        job_id = await w.add(
            "clinic-appointment",
            name="call.wav",
            content=audio.wav(3, "a"),
            duration_seconds=None,
            duration_source=None,
        )
        await w.store.process([job_id], from_step=None, now=w.clock.now())
        assert (await w.run(job_id)).status is Status.COMPLETED
        assert w.ordered() == 1


async def test_a_long_enough_file_of_unknown_length_is_done(works: OpenWorks) -> None:
    """Its header says so, in whatever container it is."""
    async with works() as w:
        job_id = await w.add(
            "family-dinner",
            name="call.amr",
            content=audio.amr(142, "a"),
            duration_seconds=400.0,
            duration_source=DurationSource.SIZE,
        )
        assert (await w.run(job_id)).status is Status.COMPLETED


async def test_a_file_whose_header_cannot_be_read_is_left_to_the_transcriber(works: OpenWorks) -> None:
    """It will tell, free of charge, what it makes of it."""
    async with works() as w:
        job_id = await w.add(duration_seconds=400.0, duration_source=DurationSource.SIZE)
        assert (await w.run(job_id)).status is Status.COMPLETED


async def lose_while_it_is_fetched(w: Works, job_id: JobId) -> None:
    """Let somebody cancel the call while its finished transcript is on its way here."""
    claim = await w.claim(job_id)
    async with anyio.create_task_group() as group:

        async def lose() -> None:
            await w.store.cancel([job_id], now=w.clock.now())

        w.trip(lambda: group.start_soon(lose), nth=4, service="assemblyai", path=POLL)
        await run_job(w.chain, claim)


async def test_a_job_lost_while_it_is_fetched_still_has_its_bill(works: OpenWorks) -> None:
    """What was ordered is paid and written down, and nothing else is."""
    async with works() as w:
        job_id = await w.add()
        await lose_while_it_is_fetched(w, job_id)
        assert (await w.job(job_id)).status is Status.FAILED
        charge = await charge_for(w, job_id)
        assert (charge.state, charge.actual_micros) == ("settled", w.bill_micros())
