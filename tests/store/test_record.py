"""Is each step's fact on disk before the next thing happens, and only if the job is still ours?"""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from focusflow.domain.budgets import Limits
from focusflow.domain.jobs import Claim, DurationSource, JobId, Outcome, SkippedBy, Status, Step
from focusflow.domain.money import Estimate
from focusflow.errors import HoldKind, LostClaim, StoreError
from focusflow.events import JobChanged, JobLogged
from focusflow.ports import Delivery, Ended, JobFilter, Settlement

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from tests.store.conftest import World

MINUTE = timedelta(minutes=1)


async def test_a_whole_life(world: World) -> None:
    """Every status in its order, every time and amount kept, every attempt closed, nothing left reserved."""
    claim = await world.claimed()
    job_id = claim.job.id
    assert claim.job.estimate_micros == 10_000
    world.events()
    await world.transcribe(claim)
    assert (await world.job(job_id)).status is Status.TRANSCRIBED
    await world.summarize(claim)
    assert (await world.job(job_id)).status is Status.SUMMARIZING
    delivery = Delivery(sink="notion", intent_at=world.now, ref="page", url="https://n", delivered_at=world.now)
    await world.deliver(claim, delivery)
    seen = [event.status for event in world.events() if isinstance(event, JobChanged)]
    assert list(dict.fromkeys(seen)) == [
        Status.TRANSCRIBING,
        Status.TRANSCRIBED,
        Status.SUMMARIZING,
        Status.SYNCING,
        Status.COMPLETED,
    ]
    detail = await world.detail(job_id)
    job = detail.row.job
    assert (job.status, job.claim_token, job.lease_until, job.claimed_by) == (Status.COMPLETED, None, None, None)
    assert (job.upload_ref, job.transcript_id, job.language, job.title) == (
        f"upload-{job_id}",
        f"order-{job_id}",
        "en",
        "A call",
    )
    assert (job.duration_seconds, job.duration_source) == (98.5, DurationSource.TRANSCRIPT)
    assert (job.cost_micros, job.estimate_micros, job.completed_at) == (8_000, 0, world.now)
    assert None not in (
        job.transcription_completed_at,
        job.summarization_started_at,
        job.summarization_completed_at,
        job.sync_started_at,
    )
    assert [(a.step, a.outcome, a.cost_micros) for a in detail.attempts] == [
        (Step.DOWNLOAD, Outcome.DONE, None),
        (Step.TRANSCRIBE, Outcome.DONE, 7_000),
        (Step.SUMMARIZE, Outcome.DONE, 1_000),
        (Step.SYNC, Outcome.DONE, None),
    ]
    assert [(c.step, c.state, c.actual_micros, c.usage_known) for c in detail.charges] == [
        (Step.TRANSCRIBE, "settled", 7_000, True),
        (Step.SUMMARIZE, "settled", 1_000, True),
    ]
    assert detail.row.deliveries == (delivery,)
    assert list(await world.store.deliveries(job_id)) == [delivery]
    assert detail.documents == await world.store.documents(job_id)
    assert detail.documents.raw_transcript == b'{"text": "hello"}'
    assert detail.documents.transcript == world.a_transcript()
    assert detail.documents.summary == world.a_summary()


async def test_a_job_has_no_documents_at_first(world: World) -> None:
    """Nothing is there, and that is not an error; nor is an unknown job."""
    claim = await world.claimed()
    for job_id in (claim.job.id, JobId("unknown")):
        documents = await world.store.documents(job_id)
        assert (documents.raw_transcript, documents.transcript, documents.summary) == (None, None, None)
    await world.store.keep_raw_transcript(claim.job.id, b"first", now=world.now)
    await world.store.keep_raw_transcript(claim.job.id, b"second", now=world.now)
    documents = await world.store.documents(claim.job.id)
    assert (documents.raw_transcript, documents.transcript) == (b"second", None)


async def test_what_is_reused_is_walked_through(world: World) -> None:
    """A job with its transcript and summary goes the same way again without a new document or charge."""
    claim = await world.claimed()
    await world.transcribe(claim)
    await world.summarize(claim)
    await world.store.give_back(claim, now=world.now, note="stop")
    before = await world.detail(claim.job.id)
    (again,) = await world.claim()
    world.later(MINUTE)
    await world.store.reuse(again, Step.TRANSCRIBE, now=world.now)
    assert (await world.job(claim.job.id)).status is Status.TRANSCRIBED
    await world.store.reuse(again, Step.SUMMARIZE, now=world.now)
    assert (await world.job(claim.job.id)).status is Status.SUMMARIZING
    await world.deliver(again)
    after = await world.detail(claim.job.id)
    assert after.documents == before.documents
    assert after.charges == before.charges
    assert after.row.job.transcription_completed_at == before.row.job.transcription_completed_at
    reused = [attempt for attempt in after.attempts if attempt.outcome is Outcome.REUSED]
    assert [(attempt.step, attempt.finished_at) for attempt in reused] == [
        (Step.TRANSCRIBE, world.now),
        (Step.SUMMARIZE, world.now),
    ]
    assert [line.message for line in after.events if "used again" in line.message] == [
        "The transcript is there already: it is used again.",
        "The summary is there already: it is used again.",
    ]


# ----------------------------------------------------------------------------------------------------------------- fence


FENCED: dict[str, Callable[[World, Claim, int], Awaitable[object]]] = {
    "begin": lambda w, c, a: w.store.begin(c, Step.TRANSCRIBE, now=w.now),
    "end": lambda w, c, a: w.store.end(c, a, Outcome.DONE, now=w.now),
    "reuse": lambda w, c, a: w.store.reuse(c, Step.TRANSCRIBE, now=w.now),
    "uploaded": lambda w, c, a: w.store.uploaded(c, "late", now=w.now),
    "intend_submit": lambda w, c, a: w.store.intend_submit(c, now=w.now),
    "forget_order": lambda w, c, a: w.store.forget_order(c, keep_upload=True, now=w.now),
    "transcribed": lambda w, c, a: w.store.transcribed(c, a, w.a_transcript(), w.a_settlement("x"), now=w.now),
    "summarized": lambda w, c, a: w.store.summarized(c, a, w.a_summary(), w.a_settlement("x"), now=w.now),
    "complete": lambda w, c, a: w.store.complete(c, now=w.now),
    "give_back": lambda w, c, a: w.store.give_back(c, now=w.now, note="x"),
    "hold": lambda w, c, a: w.store.hold(c, HoldKind.DISK, "x", until=w.now, now=w.now),
    "fail": lambda w, c, a: w.store.fail(c, Step.SYNC, "x", retry_at=None, counts=True, now=w.now),
    "skip": lambda w, c, a: w.store.skip(c, "x", SkippedBy.RULE, now=w.now),
    "measured_file": lambda w, c, a: w.store.measured_file(
        c,
        1.0,
        DurationSource.HEADER,
        estimate=Estimate(transcribe_micros=800, summarize_micros=200),
        money=Limits(),
        now=w.now,
    ),
}


@pytest.mark.parametrize("name", FENCED)
@pytest.mark.parametrize("loss", ["cancelled", "taken by another"])
async def test_a_lost_claim_writes_nothing(world: World, name: str, loss: str) -> None:
    """A worker that came back from the dead finds every door shut, and nothing of its transaction stays."""
    claim = await world.claimed()
    attempt = await world.store.begin(claim, Step.TRANSCRIBE, now=world.now)
    await world.store.cancel([claim.job.id], now=world.now)
    if loss == "taken by another":
        await world.store.retry([claim.job.id], now=world.now)
        await world.claim(token="another")
    before = await world.detail(claim.job.id)
    world.events()
    with pytest.raises(LostClaim) as caught:
        await FENCED[name](world, claim, attempt)
    assert caught.value.job_id == claim.job.id
    assert await world.detail(claim.job.id) == before
    assert world.events() == []


@pytest.mark.parametrize("name", ["transcribed", "summarized", "complete", "uploaded", "intend_submit"])
async def test_a_step_out_of_turn_is_refused(world: World, name: str) -> None:
    """The token alone is not enough: the old status must allow the move."""
    claim = await world.claimed()
    if name != "complete":
        await world.transcribe(claim)
    if name in ("transcribed",):
        await world.store.begin(claim, Step.SUMMARIZE, now=world.now)
    with pytest.raises(LostClaim):
        await FENCED[name](world, claim, 0)


async def test_facts_about_money_are_written_even_when_the_claim_is_lost(world: World) -> None:
    """What was ordered, answered, charged or made exists whether or not the job is still ours."""
    claim = await world.claimed()
    job_id = claim.job.id
    await world.store.uploaded(claim, "ref", now=world.now)
    await world.store.intend_submit(claim, now=world.now)
    await world.store.cancel([job_id], now=world.now)
    await world.store.submitted(job_id, "order", now=world.now)
    await world.store.keep_raw_transcript(job_id, b"raw", now=world.now)
    await world.store.settle(job_id, Step.TRANSCRIBE, world.a_settlement("order", 5_000), now=world.now)
    await world.store.save_delivery(job_id, Delivery(sink="notion", ref="page"), now=world.now)
    detail = await world.detail(job_id)
    assert (detail.row.job.transcript_id, detail.row.job.cost_micros) == ("order", 5_000)
    assert detail.documents.raw_transcript == b"raw"
    assert detail.row.deliveries == (Delivery(sink="notion", ref="page"),)
    assert [(c.step, c.state) for c in detail.charges] == [(Step.TRANSCRIBE, "settled"), (Step.SUMMARIZE, "released")]


async def test_repeating_a_write_of_unknown_outcome_is_safe(world: World) -> None:
    """After a cancelled write its caller doesn't know: doing it again gives the same rows."""
    claim = await world.claimed()
    await world.transcribe(claim)
    settlement = world.a_settlement(f"order-{claim.job.id}")
    await world.store.transcribed(claim, None, world.a_transcript(), settlement, now=world.now)
    attempt = await world.store.begin(claim, Step.SUMMARIZE, now=world.now)
    for _ in range(2):
        await world.store.summarized(claim, attempt, world.a_summary(), world.a_settlement("s", 1), now=world.now)
    detail = await world.detail(claim.job.id)
    assert [(c.step, c.state) for c in detail.charges] == [(Step.TRANSCRIBE, "settled"), (Step.SUMMARIZE, "settled")]
    assert detail.row.job.cost_micros == 7_001


# ----------------------------------------------------------------------------------------------------------- settlements


async def test_an_unknown_usage_leaves_the_estimate_standing_and_marked(world: World) -> None:
    """A broken stream hides what was billed: then the estimate counts."""
    claim = await world.claimed()
    await world.transcribe(claim, actual=None)
    await world.store.begin(claim, Step.SUMMARIZE, now=world.now)
    unknown = world.a_settlement(None, None, known=False)
    await world.store.settle(claim.job.id, Step.SUMMARIZE, unknown, now=world.now)
    detail = await world.detail(claim.job.id)
    assert detail.row.job.cost_micros == 10_000
    assert [(c.actual_micros, c.estimate_micros, c.usage_known) for c in detail.charges] == [
        (None, 8_000, True),
        (None, 2_000, False),
    ]
    stats = await world.store.stats(now=world.now, day_start=world.now - MINUTE, month_start=world.now)
    assert (stats.today.settled_micros, stats.today.reserved_micros, stats.today.unpriced) == (10_000, 0, 0)


@pytest.mark.parametrize(("step", "share"), [(Step.TRANSCRIBE, 8_000), (Step.SUMMARIZE, 2_000)])
async def test_a_late_charge_of_unknown_size_counts_as_its_estimate(world: World, step: Step, share: int) -> None:
    """Stopping a call lets its reservation go while the request may still be answered: that answer is not for nothing."""
    claim = await world.claimed()
    await world.store.cancel([claim.job.id], now=world.now)
    await world.store.settle(claim.job.id, step, world.a_settlement("late", None, known=False), now=world.now)
    charge = (await world.detail(claim.job.id)).charges[-1]
    assert (charge.step, charge.state, charge.estimate_micros, charge.actual_micros) == (step, "settled", share, None)
    assert (await world.job(claim.job.id)).cost_micros == share


async def test_each_charge_of_a_step_is_kept(world: World) -> None:
    """Two answers for one summary are two charges; the same one reported twice is one."""
    claim = await world.claimed()
    await world.transcribe(claim)
    for ref in ("one", "two", "two"):
        await world.store.settle(claim.job.id, Step.SUMMARIZE, world.a_settlement(ref, 500), now=world.now)
    detail = await world.detail(claim.job.id)
    assert [(c.external_ref, c.actual_micros) for c in detail.charges if c.step is Step.SUMMARIZE] == [
        ("one", 500),
        ("two", 500),
    ]
    assert detail.row.job.cost_micros == 8_000


async def test_a_settlement_for_nobody_is_nothing(world: World) -> None:
    """An unknown job has no ledger."""
    await world.store.settle(JobId("unknown"), Step.SYNC, world.a_settlement("x"), now=world.now)
    await world.store.submitted(await world.add(), "order", now=world.now)


# ------------------------------------------------------------------------------------------------------------------ ends


async def test_a_job_given_back_rests_with_what_is_paid_for(world: World) -> None:
    """Cancelled is not failed."""
    claim = await world.claimed()
    await world.transcribe(claim)
    attempt = await world.store.begin(claim, Step.SUMMARIZE, now=world.now)
    await world.store.give_back(claim, now=world.now, note="stopped; goes on later")
    detail = await world.detail(claim.job.id)
    job = detail.row.job
    assert (job.status, job.claim_token, job.retry_count, job.error_message) == (Status.DISCOVERED, None, 0, None)
    assert (job.estimate_micros, job.transcript_id) == (2_000, f"order-{job.id}")
    assert [a.outcome for a in detail.attempts if a.id == attempt] == [Outcome.CANCELLED]
    assert [(c.step, c.state) for c in detail.charges] == [(Step.TRANSCRIBE, "settled"), (Step.SUMMARIZE, "released")]
    assert detail.events[-1].message == "stopped; goes on later"


async def test_a_held_job_waits_with_its_reason(world: World) -> None:
    """It is not failed, and it is not claimed before its time."""
    claim = await world.claimed()
    await world.store.begin(claim, Step.DOWNLOAD, now=world.now)
    await world.store.hold(claim, HoldKind.CREDIT, "No credit left.", until=world.now + MINUTE, now=world.now)
    detail = await world.detail(claim.job.id)
    job = detail.row.job
    assert (job.status, job.hold_kind, job.hold_reason) == (Status.DISCOVERED, "credit", "No credit left.")
    assert (detail.attempts[0].outcome, detail.attempts[0].error) == (Outcome.HELD, "No credit left.")
    assert await world.claim() == []
    assert [row.job.id for row in await world.store.page(JobFilter(held_only=True), limit=5)] == [job.id]
    world.later(MINUTE)
    (again,) = await world.claim()
    assert (again.job.hold_kind, again.job.hold_reason, again.job.next_attempt_at) == (None, None, None)


@pytest.mark.parametrize("counts", [True, False])
async def test_a_failed_job_keeps_one_sentence(world: World, counts: bool) -> None:
    """With the step it failed at, and whether it is tried again; it stays until success."""
    claim = await world.claimed()
    await world.store.begin(claim, Step.DOWNLOAD, now=world.now)
    retry_at = world.now + MINUTE if counts else None
    await world.store.fail(claim, Step.DOWNLOAD, "No.", retry_at=retry_at, counts=counts, now=world.now)
    detail = await world.detail(claim.job.id)
    job = detail.row.job
    assert (job.status, job.error_step, job.error_message) == (Status.FAILED, Step.DOWNLOAD, "No.")
    assert (job.next_attempt_at, job.retry_count) == (retry_at, int(counts))
    assert (detail.attempts[0].outcome, detail.attempts[0].error) == (Outcome.FAILED, "No.")
    assert {charge.state for charge in detail.charges} == {"released"}
    if counts:
        await world.store.requeue_due(now=world.later(MINUTE))
        (again,) = await world.claim()
        assert again.job.error_message == "No."
        await world.transcribe(again)
        await world.summarize(again)
        await world.deliver(again)
        assert (await world.job(job.id)).error_message is None


async def test_what_is_reserved_follows_the_measured_length(world: World) -> None:
    """Both steps' shares of the new estimate are held, and what is settled already stays as it was."""
    claim = await world.claimed(estimate_micros=10_000)
    await world.store.begin(claim, Step.DOWNLOAD, now=world.now)
    await world.store.settle(
        claim.job.id,
        Step.SUMMARIZE,
        Settlement(provider="openai", model="m", actual_micros=7, usage_known=True, usage={}, external_ref="earlier"),
        now=world.now,
    )
    await world.store.measured_file(
        claim,
        900.0,
        DurationSource.HEADER,
        estimate=Estimate(transcribe_micros=48_003, summarize_micros=12_000),
        money=Limits(),
        now=world.now,
    )
    detail = await world.detail(claim.job.id)
    assert (detail.row.job.estimate_micros, detail.row.job.duration_seconds) == (60_003, 900.0)
    assert {(charge.step, charge.state, charge.estimate_micros) for charge in detail.charges} == {
        (Step.TRANSCRIBE, "reserved", 48_003),
        (Step.SUMMARIZE, "settled", 2_000),
    }


async def test_a_job_may_be_skipped_after_its_download(world: World) -> None:
    """What the file itself says can forbid paying for it."""
    claim = await world.claimed()
    await world.store.measured_file(
        claim,
        3.0,
        DurationSource.HEADER,
        estimate=Estimate(transcribe_micros=800, summarize_micros=200),
        money=Limits(),
        now=world.now,
    )
    await world.store.skip(claim, "too short", SkippedBy.RULE, now=world.now)
    detail = await world.detail(claim.job.id)
    job = detail.row.job
    assert (job.status, job.skip_reason, job.skipped_by) == (Status.SKIPPED, "too short", SkippedBy.RULE)
    assert (job.duration_seconds, job.duration_source) == (3.0, DurationSource.HEADER)
    assert {charge.state for charge in detail.charges} == {"released"}


@pytest.mark.parametrize("keep_upload", [True, False])
async def test_an_order_that_does_not_exist_is_forgotten(world: World, keep_upload: bool) -> None:
    """The next run orders again, with a new upload if the old one was at fault."""
    claim = await world.claimed()
    await world.store.uploaded(claim, "ref", now=world.now)
    await world.store.intend_submit(claim, now=world.now)
    await world.store.submitted(claim.job.id, "order", now=world.now)
    await world.store.forget_order(claim, keep_upload=keep_upload, now=world.now)
    job = await world.job(claim.job.id)
    assert (job.submit_intent_at, job.transcript_id) == (None, None)
    assert job.upload_ref == ("ref" if keep_upload else None)
    await world.store.give_back(claim, now=world.now, note="stop")
    assert {charge.state for charge in (await world.detail(job.id)).charges} == {"released"}


async def test_a_line_is_written_and_announced(world: World) -> None:
    """The job's own log, for its screen."""
    job_id = await world.add()
    world.events()
    await world.store.log(job_id, "warning", "Slow.", step=Step.SYNC, now=world.now)
    (event,) = world.events()
    assert isinstance(event, JobLogged)
    line = (await world.detail(job_id)).events[-1]
    assert event.line == line
    assert (line.level, line.message, line.step, line.at) == ("warning", "Slow.", Step.SYNC, world.now)


async def test_a_fact_about_an_unknown_job_is_refused(world: World) -> None:
    """The databases keep their references; the store says so in its own words."""
    with pytest.raises(StoreError):
        await world.store.keep_raw_transcript(JobId("unknown"), b"", now=world.now)


# ------------------------------------------------------------------------------------------------- one commit for two


async def test_a_step_closes_the_attempt_before_it_in_its_own_commit(world: World) -> None:
    """A download is done when what needs it begins."""
    claim = await world.claimed()
    download = await world.store.begin(claim, Step.DOWNLOAD, now=world.now)
    await world.store.begin(claim, Step.TRANSCRIBE, now=world.later(MINUTE), after=download)
    first, second = (await world.detail(claim.job.id)).attempts
    assert (first.step, first.outcome, first.finished_at) == (Step.DOWNLOAD, Outcome.DONE, world.now)
    assert (second.step, second.outcome) == (Step.TRANSCRIBE, Outcome.RUNNING)


async def test_an_upload_that_will_be_ordered_is_kept_with_the_intent(world: World) -> None:
    """There is no moment at which one is known without the other; without the word there is no intent."""
    claim = await world.claimed()
    await world.store.uploaded(claim, "first", now=world.now)
    assert (await world.job(claim.job.id)).submit_intent_at is None
    await world.store.uploaded(claim, "second", now=world.now, intending=True)
    job = await world.job(claim.job.id)
    assert (job.upload_ref, job.submit_intent_at) == ("second", world.now)


async def test_a_result_begins_the_next_step_in_its_own_commit(world: World) -> None:
    """Every status is announced, every attempt and line is there, and a repetition of unknown outcome does no harm."""
    claim = await world.claimed()
    job_id = claim.job.id
    attempt = await world.store.begin(claim, Step.TRANSCRIBE, now=world.now)
    world.events()
    paid = world.a_settlement("order", 7_000)
    for _ in range(2):
        summary_attempt = await world.store.transcribed(
            claim, attempt, world.a_transcript(), paid, now=world.now, going_on=True
        )
    assert summary_attempt is not None
    heard = [event.status for event in world.events() if isinstance(event, JobChanged)]
    assert heard[:2] == [Status.TRANSCRIBED, Status.SUMMARIZING]
    job = await world.job(job_id)
    assert (job.status, job.summarization_started_at, job.cost_micros) == (Status.SUMMARIZING, world.now, 7_000)
    answer = world.a_settlement("answer", 1_000)
    for _ in range(2):
        sync = await world.store.summarized(
            claim, summary_attempt, world.a_summary(), answer, now=world.now, going_on=True
        )
    assert sync is not None
    heard = [event.status for event in world.events() if isinstance(event, JobChanged)]
    assert heard[:2] == [Status.SUMMARIZING, Status.SYNCING]
    await world.store.complete(claim, now=world.now, attempt=Ended(id=sync, outcome=Outcome.FAILED, error="no page"))
    detail = await world.detail(job_id)
    assert [(a.step, a.outcome, a.error) for a in detail.attempts] == [
        (Step.TRANSCRIBE, Outcome.DONE, None),
        (Step.SUMMARIZE, Outcome.CANCELLED, None),
        (Step.SUMMARIZE, Outcome.DONE, None),
        (Step.SYNC, Outcome.CANCELLED, None),
        (Step.SYNC, Outcome.FAILED, "no page"),
    ]
    assert (detail.row.job.status, detail.row.job.cost_micros) == (Status.COMPLETED, 8_000)
    assert [charge.state for charge in detail.charges] == ["settled", "settled"]


async def test_a_result_of_a_lost_claim_begins_nothing(world: World) -> None:
    """The settlement that stands before the guard is undone with everything else; it is recorded on its own."""
    claim = await world.claimed()
    attempt = await world.store.begin(claim, Step.TRANSCRIBE, now=world.now)
    await world.store.cancel([claim.job.id], now=world.now)
    before = await world.detail(claim.job.id)
    with pytest.raises(LostClaim):
        await world.store.transcribed(
            claim, attempt, world.a_transcript(), world.a_settlement("order"), now=world.now, going_on=True
        )
    assert await world.detail(claim.job.id) == before


async def test_answers_beyond_the_reservation_are_charged_too(world: World) -> None:
    """The first takes the reservation, the others stand for themselves, with or without a number of their own."""
    claim = await world.claimed()
    await world.transcribe(claim, actual=7_000)
    attempt = await world.store.begin(claim, Step.SUMMARIZE, now=world.now)
    answers = [world.a_settlement("one", 100), world.a_settlement("two", 20), world.a_settlement(None, 3)]
    await world.store.summarized(claim, attempt, world.a_summary(), answers, now=world.now)
    charges = [c for c in (await world.detail(claim.job.id)).charges if c.step is Step.SUMMARIZE]
    assert [(c.state, c.actual_micros, c.external_ref) for c in charges] == [
        ("settled", 100, "one"),
        ("settled", 20, "two"),
        ("settled", 3, None),
    ]
    assert (await world.job(claim.job.id)).cost_micros == 7_123
