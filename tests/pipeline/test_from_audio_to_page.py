"""Does a call become a page, with everything on the way written down?"""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING

import pytest

from focusflow.domain.jobs import JobId, Outcome, Status, Step
from focusflow.domain.transcript import clock_time, speaker_name
from focusflow.events import Event, JobChanged, JobProgress, SummaryText
from focusflow.sandbox.scripts import SCRIPTS

if TYPE_CHECKING:
    from tests.pipeline.conftest import OpenWorks


def statuses(events: list[Event], job_id: JobId) -> list[Status]:
    """What a job was said to be, each once in a row."""
    heard = [event.status for event in events if isinstance(event, JobChanged) and event.job_id == job_id]
    return heard[:1] + [after for before, after in pairwise(heard) if after is not before]


async def test_a_call_goes_from_audio_to_page(works: OpenWorks) -> None:
    """It passes through the statuses that the user's document names, and each leaves its time."""
    async with works() as w:
        job_id = await w.add()
        job = await w.run(job_id)
        assert statuses(w.heard.drain(), job_id) == [
            Status.TRANSCRIBING,
            Status.TRANSCRIBED,
            Status.SUMMARIZING,
            Status.SYNCING,
            Status.COMPLETED,
        ]
        times = [
            job.discovered_at,
            job.transcription_started_at,
            job.transcription_completed_at,
            job.summarization_started_at,
            job.summarization_completed_at,
            job.sync_started_at,
            job.completed_at,
        ]
        assert None not in times
        assert times == sorted(time for time in times if time is not None)
        assert (job.claim_token, job.lease_until, job.error_message) == (None, None, None)
        assert job.title == SCRIPTS["clinic-appointment"].title


async def test_every_step_is_an_attempt_with_its_outcome_and_its_cost(works: OpenWorks) -> None:
    """The step ledger tells what was done when, and what it cost."""
    async with works() as w:
        job_id = await w.add()
        job = await w.run(job_id)
        attempts = (await w.detail(job_id)).attempts
        assert [attempt.step for attempt in attempts] == [
            Step.DOWNLOAD,
            Step.TRANSCRIBE,
            Step.SUMMARIZE,
            Step.SYNC,
        ]
        assert all(attempt.outcome is Outcome.DONE and attempt.finished_at for attempt in attempts)
        assert sum(attempt.cost_micros or 0 for attempt in attempts) == job.cost_micros


async def test_charges_are_the_services_bill_to_the_micro_dollar(works: OpenWorks) -> None:
    """What was reserved at the claim is replaced by what was really charged; nothing stays reserved."""
    async with works() as w:
        job_id = await w.add()
        job = await w.run(job_id)
        charges = (await w.detail(job_id)).charges
        assert [(charge.step, charge.state, charge.usage_known) for charge in charges] == [
            (Step.TRANSCRIBE, "settled", True),
            (Step.SUMMARIZE, "settled", True),
            (Step.SUMMARIZE, "settled", True),  # its title
        ]
        assert charges[0].external_ref == job.transcript_id
        assert sum(charge.actual_micros or 0 for charge in charges) == job.cost_micros == w.bill_micros() > 0


async def test_the_page_says_what_was_said_by_whom_and_when(works: OpenWorks) -> None:
    """Summary and every utterance, with names for the speakers who said who they are."""
    async with works() as w:
        job_id = await w.add()
        await w.run(job_id)
        transcript = (await w.detail(job_id)).documents.transcript
        assert transcript is not None
        assert set(transcript.speakers.values()) == {"Maya Lindqvist", "Grace"}
        text = w.page_text()
        said = SCRIPTS["clinic-appointment"].utterances
        assert len(said) == len(transcript.utterances)
        for line, heard in zip(said, transcript.utterances, strict=True):
            name, time = speaker_name(transcript, line.speaker), clock_time(heard.start_ms).removeprefix("0")
            assert f"{name}  {time}  {line.text}" in text
        (page,) = w.pages()
        shown = page["properties"]
        assert shown["Title"]["title"][0]["plain_text"] == SCRIPTS["clinic-appointment"].title
        assert shown["External ID"]["rich_text"][0]["plain_text"] == f"focusflow:{job_id}"
        assert (shown["Duration"]["number"], shown["Phone"]["phone_number"]) == (147, "+442079460118")
        assert (await w.delivery(job_id)).url == page["url"]


async def test_progress_is_announced_while_it_is_made(works: OpenWorks) -> None:
    """Bytes, polls and the summary's words reach the bus; none of it is stored."""
    async with works() as w:
        job_id = await w.add()
        await w.run(job_id)
        events = w.heard.drain()
        assert {event.step for event in events if isinstance(event, JobProgress)} == {Step.DOWNLOAD, Step.TRANSCRIBE}
        heard = "".join(event.text for event in events if isinstance(event, SummaryText))
        assert heard.strip() == SCRIPTS["clinic-appointment"].summary_markdown.strip()


async def test_audio_lies_in_a_private_place_while_it_is_needed_and_nowhere_afterwards(works: OpenWorks) -> None:
    """Only the owner of the program can look in, and after the upload it is gone."""
    async with works() as w:
        seen: list[tuple[str, int]] = []

        def look() -> None:
            place = w.chain.workspace.root / job_id
            seen.extend((path.name, path.stat().st_mode & 0o777) for path in (place.parent, place))
            seen.extend((path.name, path.stat().st_size) for path in place.iterdir())

        job_id = await w.add(name="call.M4A")
        await w.at(look, job_id, service="assemblyai", path="upload")
        assert seen == [("audio", 0o700), (job_id, 0o700), ("audio.m4a", 1201)]
        assert w.audio_left() == []


@pytest.mark.parametrize("kind", ["failed", "stopped"])
async def test_audio_is_gone_after_a_failure_and_after_a_stop_too(works: OpenWorks, kind: str) -> None:
    """Whatever ends the work on a call, its audio does not stay."""
    async with works() as w:
        job_id = await w.add()
        if kind == "failed":
            w.fault("assemblyai", "status", path="upload", status=500, times=None)
            assert (await w.run(job_id)).status is Status.FAILED
        else:
            assert (await w.stop_at(job_id, service="assemblyai", path="upload")).status is Status.DISCOVERED
        assert w.audio_left() == []


async def test_without_any_sink_a_summarised_call_is_complete(works: OpenWorks) -> None:
    """Notion is not needed to work off calls."""
    async with works(notion=False) as w:
        job_id = await w.add()
        assert (await w.run(job_id)).status is Status.COMPLETED
        assert (await w.store.deliveries(job_id), w.log.count("notion")) == ([], 0)
        assert (await w.outcomes(job_id))[-1] == "sync done"
