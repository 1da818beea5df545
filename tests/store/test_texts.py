"""Texts are corrected in place, for nothing, and the sinks hear of it."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest

from focusflow.domain.jobs import JobId, Status, Step
from focusflow.domain.transcript import Transcript, Utterance, swapped
from focusflow.errors import BadRequest
from focusflow.events import JobChanged
from focusflow.ports import Delivery, JobFilter, Summary

if TYPE_CHECKING:
    World = Any

SPEECH = (("A", "Hello there."), ("B", "Hi."), ("A", "Bye."))


async def a_call(world: World, *, markdown: str = "Ann asks Speaker B for 3 chairs.", title: str = "Ann wants chairs") -> JobId:  # fmt: skip
    """Add a completed call of two speakers, of whom A is Ann."""
    claim = await world.claimed()
    store, now = world.store, world.now
    attempt = await store.begin(claim, Step.TRANSCRIBE, now=now)
    transcript = Transcript(
        text=" ".join(text for _, text in SPEECH),
        utterances=tuple(
            Utterance(speaker=label, start_ms=n * 1_000, end_ms=n * 1_000 + 500, text=text)
            for n, (label, text) in enumerate(SPEECH)
        ),
        language="en",
        duration_seconds=3.0,
        model="best",
        speakers={"A": "Ann"},
    )
    await store.transcribed(claim, attempt, transcript, world.a_settlement("order"), now=now)
    attempt = await store.begin(claim, Step.SUMMARIZE, now=now)
    summary = Summary(markdown=markdown, title=title, model="gpt", prompt_hash="abc")
    await store.summarized(claim, attempt, summary, world.a_settlement("answer", 1_000), now=now)
    await world.deliver(claim, Delivery(sink="notion", ref="page", memo="memo", delivered_at=now))
    job_id: JobId = claim.job.id
    return job_id


async def summarise_again(world: World, job_id: JobId, markdown: str) -> None:
    """Have another version written and delivered."""
    await world.store.process([job_id], from_step=Step.SUMMARIZE, now=world.now)
    (claim,) = await world.claim(ids=(job_id,))
    attempt = await world.store.begin(claim, Step.TRANSCRIBE, now=world.now)
    documents = await world.store.documents(job_id)
    await world.store.transcribed(claim, attempt, documents.transcript, None, now=world.now)
    await world.summarize(claim, markdown=markdown)
    await world.deliver(claim, Delivery(sink="notion", ref="page", memo="memo", delivered_at=world.now))


async def due(world: World) -> list[JobId]:
    """Which calls are brought to a sink now?"""
    again_at = world.now + timedelta(hours=1)
    return [job.id for job, _ in await world.store.take_due_deliveries(limit=10, now=world.now, again_at=again_at)]


async def test_versions_are_kept_with_model_prompt_and_cost(world: World) -> None:
    """Newest first; exactly one is in force."""
    job_id = await a_call(world)
    await summarise_again(world, job_id, "# Anew")
    newest, first = await world.store.summary_versions(job_id)
    assert (newest.version, newest.summary.markdown, newest.current) == (2, "# Anew", True)
    assert (first.version, first.summary.model, first.summary.prompt_hash) == (1, "gpt", "abc")
    assert (first.cost_micros, newest.cost_micros, first.current) == (1_000, 1_000, False)
    assert first.made_at == world.now


async def test_an_earlier_version_comes_into_force_and_to_the_sinks(world: World) -> None:
    """Text, title and search are those of the version; the page is brought up to date; nothing is charged."""
    job_id = await a_call(world)
    await summarise_again(world, job_id, "# Anew")
    before = await world.detail(job_id)
    world.events()
    assert await world.store.use_summary(job_id, 1, now=world.later(timedelta(hours=1)))
    after = await world.detail(job_id)
    assert after.documents.summary.title == after.row.job.title == "Ann wants chairs"
    assert [version.current for version in await world.store.summary_versions(job_id)] == [False, True]
    assert after.charges == before.charges
    assert JobChanged(job_id=job_id, status=Status.COMPLETED) in world.events()
    assert await due(world) == [job_id]
    found = await world.store.page(JobFilter(search="chairs"), limit=10)
    assert [row.job.id for row in found] == [job_id]


async def test_a_version_that_is_not_there_changes_nothing(world: World) -> None:
    """Neither the one in force nor the sinks."""
    job_id = await a_call(world)
    assert not await world.store.use_summary(job_id, 7, now=world.now)
    assert not await world.store.use_summary(JobId("nobody"), 1, now=world.now)
    assert (await world.detail(job_id)).documents.summary is not None
    assert await due(world) == []


async def test_a_version_chosen_before_a_new_one_was_written_spares_that(world: World) -> None:
    """Asked to be written anew, then thought better of: the old one is taken, and nothing more is paid."""
    job_id = await a_call(world)
    await world.store.process([job_id], from_step=Step.SUMMARIZE, now=world.now)
    assert await world.store.use_summary(job_id, 1, now=world.now)
    job = await world.job(job_id)
    assert (job.status, job.summarization_completed_at is None) == (Status.DISCOVERED, False)


async def test_renamed_speakers_are_renamed_everywhere(world: World) -> None:
    """Transcript, summary, title and page; the model's own words stay as a version; it costs nothing."""
    job_id = await a_call(world)
    charges = (await world.detail(job_id)).charges
    assert await world.store.name_speakers(job_id, {"A": "Ann  Miller", "B": "Bob"}, now=world.now)
    detail = await world.detail(job_id)
    assert detail.documents.transcript.speakers == {"A": "Ann Miller", "B": "Bob"}
    assert detail.documents.transcript.text == "Hello there. Hi. Bye."
    assert detail.documents.summary.markdown == "Ann Miller asks Bob for 3 chairs."
    assert detail.row.job.title == "Ann Miller wants chairs"
    assert detail.charges == charges
    newest, first = await world.store.summary_versions(job_id)
    assert (newest.cost_micros, newest.summary.model, newest.summary.prompt_hash) == (0, "gpt, speakers renamed", "abc")
    assert (first.summary.markdown, first.current) == ("Ann asks Speaker B for 3 chairs.", False)
    assert await due(world) == [job_id]
    assert "Speakers renamed: A is Ann Miller, B is Bob." in [line.message for line in detail.events]
    found = await world.store.page(JobFilter(search="Miller Bob"), limit=10)
    assert [row.job.id for row in found] == [job_id]


async def test_swapping_twice_is_as_if_nothing_had_happened(world: World) -> None:
    """In one go, and the model's own version is in force again."""
    job_id = await a_call(world)
    for _ in range(2):
        transcript = (await world.store.documents(job_id)).transcript
        assert await world.store.name_speakers(job_id, swapped(transcript), now=world.now)
        texts = await world.store.documents(job_id)
        world.later(timedelta(minutes=1))
        if _ == 0:
            assert texts.transcript.speakers == {"B": "Ann"}
            assert texts.summary.markdown == "Speaker A asks Ann for 3 chairs."
    assert texts.transcript.speakers == {"A": "Ann"}
    assert [(v.version, v.current) for v in await world.store.summary_versions(job_id)] == [(2, False), (1, True)]


async def test_a_delivery_under_way_is_repeated_with_the_new_names(world: World) -> None:
    """A courier that set out with the old text does not have the last word."""
    job_id = await a_call(world)
    until = world.now + timedelta(minutes=5)
    taken = await world.store.take_delivery(job_id, "notion", now=world.now, until=until)
    assert await world.store.name_speakers(job_id, {"B": "Bob"}, now=world.now)
    assert await due(world) == []
    await world.store.save_delivery(job_id, taken, now=world.now, release=True)
    assert await due(world) == [job_id]


async def test_names_that_change_nothing_leave_everything_alone(world: World) -> None:
    """No version, no delivery."""
    job_id = await a_call(world)
    assert await world.store.name_speakers(job_id, {"A": "Ann"}, now=world.now)
    assert len(await world.store.summary_versions(job_id)) == 1
    assert await due(world) == []


async def test_names_nobody_can_bear_are_refused(world: World) -> None:
    """A label that is not there, a novel for a name; and a call without a transcript has no speakers."""
    job_id = await a_call(world)
    with pytest.raises(BadRequest, match="There is no speaker C in this call; its speakers are A, B"):
        await world.store.name_speakers(job_id, {"C": "Carl"}, now=world.now)
    with pytest.raises(BadRequest, match="at most 80"):
        await world.store.name_speakers(job_id, {"A": "x" * 81}, now=world.now)
    assert not await world.store.name_speakers(await world.add(), {"A": "Ann"}, now=world.now)


async def test_speakers_are_renamed_before_there_is_a_summary(world: World) -> None:
    """The transcript alone is enough."""
    claim = await world.claimed()
    await world.transcribe(claim)
    assert await world.store.name_speakers(claim.job.id, {"A": "Bob"}, now=world.now)
    assert (await world.store.documents(claim.job.id)).transcript.speakers == {"A": "Bob"}
