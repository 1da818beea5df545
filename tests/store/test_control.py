"""Does the screen see what there is, and does what people ask for happen?"""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from focusflow.domain.jobs import JobId, Outcome, SkippedBy, Status, Step
from focusflow.errors import MENDABLE, HoldKind
from focusflow.events import ControlChanged, JobChanged
from focusflow.ports import ControlState, Delivery

if TYPE_CHECKING:
    from tests.store.conftest import World

MINUTE = timedelta(minutes=1)
DAY = timedelta(days=1)


# -------------------------------------------------------------------------------------------------------------- looking


async def test_a_beginning_of_an_id_finds_the_job(world: World) -> None:
    """Typed from a screen."""
    job_id = await world.add()
    assert await world.store.find(job_id[:4]) == [job_id]
    assert await world.store.find(job_id) == [job_id]
    assert await world.store.find("u") == []
    await world.absorb(*(world.arrival() for _ in range(20)))
    assert len(await world.store.find("")) == 8


async def test_the_latest_lines_of_a_log_are_shown_in_order(world: World) -> None:
    """A long log is cut at its start."""
    job_id = await world.add()
    for n in range(5):
        await world.store.log(job_id, "info", str(n), now=world.now)
    detail = await world.store.detail(job_id, events=3)
    assert detail is not None
    assert [line.message for line in detail.events] == ["2", "3", "4"]
    assert await world.store.detail(JobId("unknown")) is None


# -------------------------------------------------------------------------------------------------------------- numbers


async def test_the_numbers_on_the_front_page(world: World) -> None:
    """Counts of every status, what waits, what is due, where it failed, how long steps take."""
    await world.completed()
    claim = await world.claimed()
    attempt = await world.store.begin(claim, Step.DOWNLOAD, now=world.now)
    await world.store.end(claim, attempt, Outcome.DONE, now=world.later(10 * timedelta(seconds=1)))
    await world.store.fail(claim, Step.DOWNLOAD, "x", retry_at=None, counts=True, now=world.now)
    await world.add(duration_seconds=None, hold_until=world.now + DAY)
    await world.add()
    stats = await world.store.stats(now=world.now, day_start=world.now - DAY, month_start=world.now - DAY)
    assert set(stats.counts) == set(Status)
    assert {status: n for status, n in stats.counts.items() if n} == {
        Status.COMPLETED: 1,
        Status.FAILED: 1,
        Status.DISCOVERED: 2,
    }
    assert (stats.held, stats.due, dict(stats.failures_by_step)) == (1, 1, {Step.DOWNLOAD: 1})
    assert stats.average_seconds_by_step[Step.DOWNLOAD] == 5.0
    assert (stats.today.jobs, stats.control, stats.instances) == (2, ControlState(), ())


async def test_counters_are_kept_when_jobs_are_deleted(world: World) -> None:
    """Deleting is not ours, but a person at the database's own prompt may do it."""
    from focusflow.store.database import Query

    await world.completed()
    await world.add()
    await world.store._database.run([Query("DELETE FROM jobs WHERE status = 'completed'")()])
    assert await world.store.verify_counts() == {}


async def test_wrong_counters_are_found(world: World) -> None:
    """The check can fail: otherwise it would be none."""
    from focusflow.store.database import Query

    await world.add()
    wrong = Query("INSERT INTO job_counts (status, step, n) VALUES ('failed', 'x', :n)")
    await world.store._database.run([wrong(n=3)])
    assert await world.store.verify_counts() == {("failed", "x"): (3, 0)}
    await world.store._database.run([Query("DELETE FROM job_counts WHERE step = 'x'")()])


# ------------------------------------------------------------------------------------------------------------- switches


async def test_switches_are_kept_and_announced(world: World) -> None:
    """A second terminal sees them, and so does the next start."""
    store = world.store
    assert await store.control() == ControlState()
    await store.pause(now=world.now)
    await store.set_capacity(4, now=world.now)
    await store.request_discovery(now=world.later(MINUTE))
    assert await store.control() == ControlState(
        paused=True, paused_at=world.now - MINUTE, capacity=4, discover_requested_at=world.now
    )
    await store.resume(now=world.now)
    await store.set_capacity(None, now=world.now)
    state = await store.control()
    assert (state.paused, state.paused_at, state.capacity) == (False, None, None)
    assert world.events() == [ControlChanged()] * 5


# ------------------------------------------------------------------------------------------------------------- requests


async def test_a_request_passes_over_rules_holds_and_errors(world: World) -> None:
    """Asked for by a person, now: whatever rested comes back, first in the queue."""
    skipped = await world.add(skip_reason="outgoing")
    held = await world.add(duration_seconds=None, hold_until=world.now + DAY)
    failed = (await world.claimed()).job.id
    await world.store.cancel([failed], now=world.now)
    done = await world.completed()
    running = (await world.claimed()).job.id
    world.events()
    asked = await world.store.process([skipped, held, failed, done, running], from_step=None, now=world.now)
    assert set(asked) == {skipped, held, failed, done}
    assert {e.job_id for e in world.events() if isinstance(e, JobChanged)} == set(asked)
    for job_id in asked:
        job = await world.job(job_id)
        assert (job.status, job.requested_by) == (Status.DISCOVERED, "user")
        assert (job.hold_kind, job.next_attempt_at, job.skip_reason, job.error_message) == (None, None, None, None)
    claims = await world.claim(9)
    assert {claim.job.id for claim in claims} == set(asked)
    assert not any(claim.job.auto_processed for claim in claims)


async def test_from_the_transcript_everything_is_made_anew(world: World) -> None:
    """Older versions stay in the database, the page is kept to be updated, and the new order is paid for."""
    job_id = await world.completed()
    await world.store.process([job_id], from_step=Step.TRANSCRIBE, now=world.now)
    detail = await world.detail(job_id)
    job = detail.row.job
    assert (job.upload_ref, job.transcript_id, job.submit_intent_at) == (None, None, None)
    assert (job.transcription_completed_at, job.summarization_completed_at) == (None, None)
    assert (detail.documents.transcript, detail.documents.summary) == (None, None)
    assert (job.cost_micros, job.estimate_micros, detail.row.deliveries[0].ref) == (8_000, 10_000, "page")
    (claim,) = await world.claim()
    await world.transcribe(claim, text="second")
    await world.summarize(claim)
    detail = await world.detail(job_id)
    assert detail.documents.transcript == world.a_transcript("second")
    # the vendor's order has the same name as the first one in this test, so it is the same charge
    assert [(c.step, c.state) for c in detail.charges].count((Step.SUMMARIZE, "settled")) == 2


async def test_from_the_summary_the_transcript_stays(world: World) -> None:
    """Only the summary is paid for again; the old one becomes an older version."""
    job_id = await world.completed()
    await world.store.process([job_id], from_step=Step.SUMMARIZE, now=world.now)
    detail = await world.detail(job_id)
    assert detail.documents.transcript == world.a_transcript()
    assert detail.documents.summary is None
    assert detail.row.job.estimate_micros == 2_000
    (claim,) = await world.claim()
    assert [c.state for c in (await world.detail(job_id)).charges if c.step is Step.TRANSCRIBE] == ["settled"]
    await world.store.transcribed(claim, None, world.a_transcript(), None, now=world.now)
    await world.summarize(claim, markdown="# Better")
    documents = await world.store.documents(job_id)
    assert documents.summary == world.a_summary("# Better")


async def test_an_order_forgotten_on_purpose_is_written_off(world: World) -> None:
    """It may have been charged: its estimate stands, marked, and the new order is reserved beside it."""
    claim = await world.claimed()
    await world.store.uploaded(claim, "ref", now=world.now)
    await world.store.intend_submit(claim, now=world.now)
    await world.store.give_back(claim, now=world.now, note="stop")
    await world.store.process([claim.job.id], from_step=Step.DOWNLOAD, now=world.now)
    assert (await world.job(claim.job.id)).cost_micros == 8_000
    await world.claim()
    assert [(c.step, c.state, c.usage_known) for c in (await world.detail(claim.job.id)).charges] == [
        (Step.TRANSCRIBE, "settled", False),
        (Step.SUMMARIZE, "released", False),
        (Step.TRANSCRIBE, "reserved", False),
        (Step.SUMMARIZE, "reserved", False),
    ]


async def test_a_completed_call_is_synced_again_without_running(world: World) -> None:
    """Its sinks are due at once; one that never had a sink goes through the queue."""
    synced = await world.completed(Delivery(sink="notion", ref="page", error="gone"))
    claim = await world.claimed()
    await world.transcribe(claim)
    await world.summarize(claim)
    await world.deliver(claim)
    failed = await world.claimed()
    await world.store.fail(failed, Step.SYNC, "x", retry_at=None, counts=True, now=world.now)
    every = [synced, claim.job.id, failed.job.id]
    assert set(await world.store.process(every, from_step=Step.SYNC, now=world.now)) == set(every)
    statuses = await world.statuses()
    assert [statuses[job_id] for job_id in every] == [Status.COMPLETED, Status.DISCOVERED, Status.DISCOVERED]
    ((job, delivery),) = await world.store.take_due_deliveries(limit=9, now=world.now, again_at=world.now + DAY)
    assert (job.id, delivery.ref, delivery.error) == (synced, "page", None)


async def test_what_failed_is_retried(world: World) -> None:
    """Named ones or all; a completed call whose sink failed is synced again; the rest is left alone."""
    failed = [(await world.claimed()).job.id for _ in range(2)]
    await world.store.cancel(failed, now=world.now)
    unsynced = await world.completed(Delivery(sink="notion", error="down"))
    fine = await world.completed()
    assert await world.store.retry([failed[0], fine], now=world.now) == (failed[0],)
    assert set(await world.store.retry(None, now=world.now)) == {failed[1], unsynced}
    job = await world.job(failed[1])
    assert (job.status, job.error_message, job.requested_by) == (Status.DISCOVERED, None, None)
    assert len(await world.store.take_due_deliveries(limit=9, now=world.now, again_at=world.now + DAY)) == 1
    assert await world.store.retry(None, now=world.now) == (unsynced,)


@pytest.mark.parametrize("kind", HoldKind)
async def test_what_waits_for_something_that_a_person_mends_can_be_retried(world: World, kind: HoldKind) -> None:
    """A key, credit, a service, a disk; what comes back at a known time does not."""
    claim = await world.claimed()
    await world.store.hold(claim, kind, "Mend it.", until=world.now + DAY, now=world.now)
    retried = await world.store.retry(None, now=world.now)

    job = await world.job(claim.job.id)
    assert retried == ((job.id,) if kind in MENDABLE else ())
    assert (job.hold_kind, job.next_attempt_at is None) == ((None, True) if kind in MENDABLE else (kind, False))


async def test_a_call_with_two_sinks_is_told_once_that_it_is_synced_again(world: World) -> None:
    """By a request as by a retry: its log has one line of each."""
    job_id = await world.completed(Delivery(sink="notion", error="down"), Delivery(sink="markdown", error="full"))
    await world.store.retry([job_id], now=world.now)
    await world.store.process([job_id], from_step=Step.SYNC, now=world.now)

    told = [line.message for line in (await world.detail(job_id)).events]
    assert told[-3:] == ["Completed.", "Retried by you.", "To be delivered again."]


@pytest.mark.parametrize("ordered", [False, True])
async def test_a_running_job_is_taken_from_its_worker(world: World, ordered: bool) -> None:
    """It fails with a sentence; money for an order that may exist stays reserved, the rest is freed."""
    claim = await world.claimed()
    await world.store.begin(claim, Step.TRANSCRIBE, now=world.now)
    await world.store.uploaded(claim, "ref", now=world.now)
    if ordered:
        await world.store.intend_submit(claim, now=world.now)
    resting = await world.add()
    assert await world.store.cancel([claim.job.id, resting], now=world.now) == (claim.job.id,)
    detail = await world.detail(claim.job.id)
    job = detail.row.job
    assert (job.status, job.error_step, job.next_attempt_at) == (Status.FAILED, Step.TRANSCRIBE, None)
    assert job.error_message == "Stopped by you: retry it when you like, what is paid for is kept."
    assert detail.attempts[0].outcome is Outcome.CANCELLED
    assert [c.state for c in detail.charges] == ["reserved" if ordered else "released", "released"]


async def test_what_a_person_skips_stays_skipped_until_taken_back(world: World) -> None:
    """A reason of one's own; a running job is not skipped but cancelled first."""
    resting, running = await world.add(), (await world.claimed()).job.id
    failed = await world.claimed()
    await world.store.uploaded(failed, "ref", now=world.now)
    await world.store.intend_submit(failed, now=world.now)
    await world.store.fail(failed, Step.SYNC, "x", retry_at=None, counts=True, now=world.now)
    skipped = await world.store.skip_jobs([resting, running, failed.job.id], reason="private", now=world.now)
    assert set(skipped) == {resting, failed.job.id}
    job = await world.job(resting)
    assert (job.status, job.skip_reason, job.skipped_by) == (Status.SKIPPED, "private", SkippedBy.USER)
    assert [c.state for c in (await world.detail(failed.job.id)).charges] == ["reserved", "released"]
    assert await world.store.unskip([resting, running], now=world.now) == (resting,)
    job = await world.job(resting)
    assert (job.status, job.skip_reason, job.skipped_by) == (Status.DISCOVERED, None, None)


async def test_skipping_a_stopped_call_keeps_the_money_of_its_order(world: World) -> None:
    """The vendor charges for what was ordered, whatever becomes of the call; taken back, it is not reserved twice."""
    claim = await world.claimed()
    await world.store.begin(claim, Step.TRANSCRIBE, now=world.now)
    await world.store.uploaded(claim, "ref", now=world.now)
    await world.store.intend_submit(claim, now=world.now)
    await world.store.submitted(claim.job.id, "order", now=world.now)
    await world.store.cancel([claim.job.id], now=world.now)
    await world.store.skip_jobs([claim.job.id], reason="private", now=world.now)
    charges = (await world.detail(claim.job.id)).charges
    assert [(c.step, c.state) for c in charges] == [(Step.TRANSCRIBE, "reserved"), (Step.SUMMARIZE, "released")]
    await world.store.unskip([claim.job.id], now=world.now)
    await world.claim()
    charges = (await world.detail(claim.job.id)).charges
    assert [(c.step, c.state) for c in charges if c.state != "released"] == [
        (Step.TRANSCRIBE, "reserved"),
        (Step.SUMMARIZE, "reserved"),
    ]
