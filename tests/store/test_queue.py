"""Who gets which job, in what order, for how long, for how much, and what becomes of it when its worker is silent?"""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

import pytest
from msgspec.structs import replace

from focusflow.domain.jobs import JobId, Outcome, Status, Step
from focusflow.errors import MENDABLE, HoldKind, LostClaim
from focusflow.events import JobChanged, JobLogged
from focusflow.ports import Delivery, JobFilter

if TYPE_CHECKING:
    from tests.store.conftest import World

MINUTE = timedelta(minutes=1)
HOUR = timedelta(hours=1)
DAY = timedelta(days=1)
LEASE = timedelta(minutes=10)

# ------------------------------------------------------------------------------------------------------------- claiming


async def test_a_claim_takes_a_lease_reserves_the_price_and_says_so(world: World) -> None:
    """All of it is one transaction; listeners hear afterwards."""
    job_id = await world.add()
    world.events()
    (claim,) = await world.claim()
    job = claim.job
    assert (job.id, job.status, job.claim_token, job.claimed_by) == (job_id, Status.TRANSCRIBING, "token", "worker")
    assert (job.lease_until, job.transcription_started_at, job.auto_processed) == (world.now + LEASE, world.now, True)
    charges = (await world.detail(job_id)).charges
    assert [(c.step, c.state, c.estimate_micros) for c in charges] == [
        (Step.TRANSCRIBE, "reserved", 8_000),
        (Step.SUMMARIZE, "reserved", 2_000),
    ]
    changed, logged = world.events()
    assert changed == JobChanged(job_id=job_id, status=Status.TRANSCRIBING)
    assert isinstance(logged, JobLogged)
    assert logged.line.message == "Work on it begins, by worker."


@pytest.mark.parametrize("newest_first", [False, True])
async def test_jobs_are_claimed_in_the_order_of_their_calls(world: World, newest_first: bool) -> None:
    """Oldest first or newest first, a person's requests before all; without a call time the day of discovery counts."""
    ages = [3, 1, 2]
    by_age = {age: await world.add(call_at=world.now - age * DAY) for age in ages}
    undated = await world.add(call_at=None)
    asked = await world.add(call_at=world.now - 9 * DAY)
    asked_too = await world.add(call_at=world.now)
    await world.store.process([asked, asked_too], from_step=None, now=world.now)
    expected = [asked, asked_too, by_age[3], by_age[2], by_age[1], undated]
    if newest_first:
        expected = [asked_too, asked, undated, by_age[1], by_age[2], by_age[3]]
    claims = await world.claim(5, newest_first=newest_first)
    assert [claim.job.id for claim in claims] == expected[:5]
    assert [claim.job.auto_processed for claim in claims] == [False, False, True, True, True]
    assert [claim.job.id for claim in await world.claim(5, newest_first=newest_first)] == expected[5:]


async def test_calls_of_the_same_moment_are_claimed_in_a_fixed_order(world: World) -> None:
    """What is returned is in the order in which it was picked, ties included."""
    ids = sorted((await world.absorb(*(world.arrival() for _ in range(6)))).added)
    assert [c.job.id for c in await world.claim(3)] == ids[:3]
    assert [c.job.id for c in await world.claim(3, newest_first=True)] == ids[:2:-1]


async def test_only_what_is_due_and_asked_for_is_claimed(world: World) -> None:
    """A waiting job waits; a list of ids is a list of ids; a batch of nothing is nothing."""
    waiting = await world.add(hold_until=world.now + MINUTE)
    first, second = await world.add(), await world.add()
    assert await world.claim(0) == []
    assert await world.claim(9, ids=()) == []
    assert [c.job.id for c in await world.claim(9, ids=(second, waiting, "unknown"))] == [second]
    assert [c.job.id for c in await world.claim(9)] == [first]
    world.later(MINUTE)
    assert [c.job.id for c in await world.claim(9)] == [waiting]


async def test_a_days_and_a_minutes_number_of_jobs_are_not_exceeded(world: World) -> None:
    """The same call taken twice on one day counts once for the day; every take counts for the minute."""
    await world.absorb(*(world.arrival() for _ in range(9)))
    first = await world.claim(9, day_max_jobs=5, minute_max_jobs=2)
    assert len(first) == 2
    assert await world.claim(9, day_max_jobs=5, minute_max_jobs=2) == []
    world.later(MINUTE)
    assert len(await world.claim(9, day_max_jobs=5, minute_max_jobs=2)) == 2
    world.later(MINUTE)
    for claim in first:
        await world.store.give_back(claim, now=world.now, note="restart")
    assert len(await world.claim(9, day_max_jobs=5)) == 3
    assert await world.claim(9, day_max_jobs=5) == []
    world.later(DAY)
    assert len(await world.claim(9, day_max_jobs=3, day_start=world.now - HOUR)) == 3


async def test_no_more_jobs_run_at_once_than_allowed(world: World) -> None:
    """Everyone's jobs count together; those whose worker fell silent do not block others."""
    await world.absorb(*(world.arrival() for _ in range(5)))
    assert len(await world.claim(9, token="other", max_parallel=3)) == 3
    assert await world.claim(9, max_parallel=3) == []
    world.later(LEASE + MINUTE)
    assert len(await world.claim(9, max_parallel=3)) == 2


# ---------------------------------------------------------------------------------------------------------------- money


async def test_the_days_money_is_not_exceeded(world: World) -> None:
    """What is reserved counts like what is spent; a call that doesn't fit waits for tomorrow with a sentence."""
    await world.absorb(*(world.arrival(estimate_micros=10_000) for _ in range(3)))
    tomorrow = world.now + 12 * HOUR
    assert len(await world.claim(9, day_max_micros=25_000, day_end=tomorrow)) == 2
    assert await world.claim(9, day_max_micros=25_000, day_end=tomorrow) == []
    (row,) = await world.store.page(JobFilter(held_only=True), limit=9)
    assert row.job.hold_kind == HoldKind.BUDGET
    assert row.job.hold_reason == (
        "Over budget: $0.0050 of this day's $0.0250 is left, and this call would cost about $0.0100. "
        "It is tried again on 2026-05-05 00:00."
    )
    assert row.job.next_attempt_at == world.now + 12 * HOUR
    assert JobChanged(job_id=row.job.id, status=Status.DISCOVERED) in world.events()
    world.later(12 * HOUR)
    (claim,) = await world.claim(9, day_start=world.now, day_max_micros=25_000)
    assert (claim.job.id, claim.job.hold_kind, claim.job.hold_reason) == (row.job.id, None, None)


async def test_a_cheaper_call_goes_before_one_that_does_not_fit(world: World) -> None:
    """One long call at the head doesn't stop the short ones behind it; newest first likewise."""
    await world.add(estimate_micros=90_000, call_at=world.now - DAY)
    await world.add(estimate_micros=90_000, call_at=world.now + DAY)
    cheap = [await world.add(estimate_micros=10_000, call_at=world.now) for _ in range(2)]
    first = await world.claim(1, day_max_micros=50_000)
    second = await world.claim(1, day_max_micros=50_000, newest_first=True)
    assert {first[0].job.id, second[0].job.id} == set(cheap)
    assert len(await world.store.page(JobFilter(held_only=True), limit=9)) == 2
    (row, _) = await world.store.page(JobFilter(held_only=True), limit=9)
    assert row.job.next_attempt_at == world.limits().day_start + DAY


async def test_what_really_was_charged_counts_not_the_estimate(world: World) -> None:
    """A settled charge replaces its reservation; a released one frees it."""
    await world.completed(estimate_micros=20_000)
    await world.absorb(*(world.arrival(estimate_micros=10_000) for _ in range(3)))
    # the completed call cost 8,000 in the end
    assert len(await world.claim(9, day_max_micros=28_000)) == 2
    stats = await world.store.stats(now=world.now, day_start=world.now - HOUR, month_start=world.now - DAY)
    assert (stats.today.jobs, stats.today.settled_micros, stats.today.reserved_micros) == (3, 8_000, 20_000)
    assert stats.month == stats.today


async def test_an_unpriced_call_does_not_pass_for_free(world: World) -> None:
    """Under a budget it is held with a sentence that says what to do; without one it runs and is counted as unpriced."""
    job_id = await world.add(estimate_micros=None)
    assert await world.claim(day_max_micros=10**12) == []
    job = await world.job(job_id)
    assert job.hold_kind == HoldKind.BUDGET
    assert "set the price" in (job.hold_reason or "")
    await world.store.process([job_id], from_step=None, now=world.now)
    (claim,) = await world.claim()
    assert [c.estimate_micros for c in (await world.detail(claim.job.id)).charges] == [None, None]
    stats = await world.store.stats(now=world.now, day_start=world.now - HOUR, month_start=world.now - DAY)
    assert (stats.today.unpriced, stats.today.reserved_micros) == (2, 0)


async def test_a_call_of_unknown_length_waits_for_its_measure_not_for_tomorrow(world: World) -> None:
    """Under a budget or without one it is neither claimed nor held: its sidecar may say that the rules refuse it."""
    job_id = await world.add(duration_seconds=None, estimate_micros=None)
    assert await world.claim(day_max_micros=10**12) == []
    assert await world.claim() == await world.claim(newest_first=True) == []
    assert (await world.job(job_id)).hold_kind is None


async def test_a_call_of_unknown_length_is_claimed_when_a_person_asked_for_it(world: World) -> None:
    """No rule is in its way, so there is nothing to wait for."""
    job_id = await world.add(duration_seconds=None, estimate_micros=None)
    await world.store.process([job_id], from_step=None, now=world.now)
    assert [claim.job.id for claim in await world.claim()] == [job_id]


async def test_a_call_with_nothing_left_to_pay_needs_no_budget(world: World) -> None:
    """Only its sink is missing: an empty purse doesn't matter."""
    claim = await world.claimed()
    await world.transcribe(claim)
    await world.summarize(claim)
    await world.store.give_back(claim, now=world.now, note="stop")
    (again,) = await world.claim(day_max_micros=0)
    assert (again.job.id, again.job.estimate_micros) == (claim.job.id, 0)
    assert len((await world.detail(claim.job.id)).charges) == 2


async def test_a_standing_reservation_is_not_made_twice(world: World) -> None:
    """An order that may exist keeps its money reserved while the job rests, and the next claim uses it."""
    claim = await world.claimed()
    await world.store.uploaded(claim, "ref", now=world.now)
    await world.store.intend_submit(claim, now=world.now)
    await world.store.give_back(claim, now=world.now, note="stop")
    states = [(c.step, c.state) for c in (await world.detail(claim.job.id)).charges]
    assert states == [(Step.TRANSCRIBE, "reserved"), (Step.SUMMARIZE, "released")]
    # 8,000 stand; the summary's 2,000 are all that the claim adds
    assert await world.claim(day_max_micros=9_999) == []
    await world.store.process([claim.job.id], from_step=None, now=world.now)
    assert len(await world.claim(day_max_micros=10_000)) == 1
    states = [(c.step, c.state) for c in (await world.detail(claim.job.id)).charges]
    assert states == [(Step.TRANSCRIBE, "reserved"), (Step.SUMMARIZE, "released"), (Step.SUMMARIZE, "reserved")]


# --------------------------------------------------------------------------------------------------- leases and rescues


async def test_a_heartbeat_keeps_what_is_still_ours(world: World) -> None:
    """Only the named jobs of this token are extended; the others run out."""
    mine, forgotten, theirs = [await world.claimed() for _ in range(3)]
    world.later(MINUTE)
    unknown = replace(mine, job=replace(mine.job, id=JobId("unknown")))
    ours = await world.store.heartbeat([mine, unknown], now=world.now, lease_until=world.now + LEASE)
    assert ours == {mine.job.id}
    assert (await world.job(mine.job.id)).lease_until == world.now + LEASE
    assert (await world.job(forgotten.job.id)).lease_until == world.now + LEASE - MINUTE
    zombie = replace(theirs, token="other")
    assert await world.store.heartbeat([zombie], now=world.now, lease_until=world.now) == frozenset()


async def test_a_claim_is_kept_by_its_own_token_only(world: World) -> None:
    """Two claims of one instance differ in their tokens: one's token is not good for the other's job."""
    (one,) = await world.claim(token="us.0", ids=(await world.add(),))
    (two,) = await world.claim(token="us.1", ids=(await world.add(),))
    world.later(MINUTE)
    crossed = [replace(one, token=two.token), two]
    assert await world.store.heartbeat(crossed, now=world.now, lease_until=world.now + LEASE) == {two.job.id}


async def test_excluded_jobs_are_not_claimed(world: World) -> None:
    """A job that its claimer still has a worker on is left where it is; the others are taken."""
    busy, free = await world.add(), await world.add()
    assert [claim.job.id for claim in await world.claim(9, exclude=(busy, JobId("unknown")))] == [free]
    assert [claim.job.id for claim in await world.claim(9)] == [busy]


async def test_a_silent_workers_job_goes_back_to_rest(world: World) -> None:
    """What is running is closed, what is reserved is released, what the worker says later is refused."""
    claim = await world.claimed()
    attempt = await world.store.begin(claim, Step.DOWNLOAD, now=world.now)
    assert await world.store.reclaim_expired(now=world.now + LEASE, max_rescues=3) == ()
    world.later(LEASE + MINUTE)
    world.events()
    assert await world.store.reclaim_expired(now=world.now, max_rescues=3) == (claim.job.id,)
    assert JobChanged(job_id=claim.job.id, status=Status.DISCOVERED) in world.events()
    detail = await world.detail(claim.job.id)
    assert (detail.row.job.status, detail.row.job.rescue_count, detail.row.job.retry_count) == (
        Status.DISCOVERED,
        1,
        0,
    )
    assert detail.attempts[0].outcome is Outcome.CANCELLED
    assert {charge.state for charge in detail.charges} == {"released"}
    with pytest.raises(LostClaim):
        await world.store.end(claim, attempt, Outcome.DONE, now=world.now)


async def test_one_rescued_too_often_fails(world: World) -> None:
    """A job that kills its worker must not do so for ever."""
    job_id = await world.add()
    for _ in range(2):
        await world.claim()
        await world.store.reclaim_expired(now=world.later(2 * LEASE), max_rescues=2)
        assert (await world.job(job_id)).status is Status.DISCOVERED
    (claim,) = await world.claim()
    await world.transcribe(claim)
    assert await world.store.reclaim_expired(now=world.later(2 * LEASE), max_rescues=2) == (job_id,)
    job = await world.job(job_id)
    assert (job.status, job.error_step, job.rescue_count) == (Status.FAILED, Step.SUMMARIZE, 3)
    assert job.error_message == (
        "Its worker fell silent again and again, so it is left alone: look at the log, then retry it."
    )


async def test_failed_jobs_come_back_when_they_are_due(world: World) -> None:
    """By themselves, at their time, and only if they are to."""
    soon, never = await world.claimed(), await world.claimed()
    await world.store.fail(soon, Step.DOWNLOAD, "x", retry_at=world.now + MINUTE, counts=True, now=world.now)
    await world.store.fail(never, Step.DOWNLOAD, "x", retry_at=None, counts=False, now=world.now)
    assert await world.store.requeue_due(now=world.now) == 0
    assert await world.store.next_due_at(now=world.now) == world.now + MINUTE
    assert await world.store.requeue_due(now=world.later(MINUTE)) == 1
    job = await world.job(soon.job.id)
    assert (job.status, job.next_attempt_at, job.retry_count, job.error_message) == (Status.DISCOVERED, None, 1, "x")
    assert (await world.job(never.job.id)).status is Status.FAILED


@pytest.mark.parametrize("kind", HoldKind)
async def test_what_may_be_mended_is_due_at_a_start(world: World, kind: HoldKind) -> None:
    """Its reason stays until it is tried; a budget, a sidecar and a service's own pause are waited for as before."""
    claim = await world.claimed()
    await world.store.hold(claim, kind, "Mend it.", until=world.now + DAY, now=world.now)
    world.events()
    tried = await world.store.try_mended(now=world.later(MINUTE))

    job = await world.job(claim.job.id)
    assert (tried, job.next_attempt_at) == ((1, world.now) if kind in MENDABLE else (0, world.now + DAY - MINUTE))
    assert (job.hold_kind, job.hold_reason) == (kind, "Mend it.")
    assert len(world.events()) == (2 if kind in MENDABLE else 0)
    assert await world.store.try_mended(now=world.now) == 0


async def test_sinks_that_failed_are_due_at_a_start(world: World) -> None:
    """Not one that somebody is at, nor one that nobody would try again by itself."""
    later = world.now + HOUR
    await world.completed(Delivery(sink="notion", error="down", next_attempt_at=world.now))
    assert len(await world.store.take_due_deliveries(limit=1, now=world.now, again_at=later)) == 1
    due = await world.completed(Delivery(sink="notion", error="The key is wrong.", next_attempt_at=later))
    await world.completed(Delivery(sink="notion", error="The page is gone."))
    await world.store.try_mended(now=world.now)

    ((job, _),) = await world.store.take_due_deliveries(limit=9, now=world.now, again_at=later)
    assert job.id == due


async def test_when_something_is_due_next(world: World) -> None:
    """None when nothing comes back by itself; what may be claimed already hides nothing that comes later."""
    assert await world.store.next_due_at(now=world.now) is None
    await world.add(duration_seconds=None, hold_until=world.now + HOUR)
    assert await world.store.next_due_at(now=world.now) == world.now + HOUR
    claim = await world.claimed()
    await world.store.hold(claim, HoldKind.CREDIT, "No credit.", until=world.now + MINUTE, now=world.now)
    assert await world.store.next_due_at(now=world.now) == world.now + MINUTE
    await world.add()
    assert await world.store.next_due_at(now=world.now) == world.now + MINUTE
    assert await world.store.next_due_at(now=world.now + MINUTE) == world.now + HOUR


# --------------------------------------------------------------------------------------------------------- housekeeping


async def test_instances_come_and_go(world: World) -> None:
    """Who works on this database is visible."""
    await world.store.instance_seen("a", name="server", now=world.now, details={"pid": "1"})
    await world.store.instance_seen("a", name="server", now=world.later(MINUTE), details={"pid": "2"})
    await world.store.instance_seen("b", name="laptop", now=world.now, details={})
    stats = await world.store.stats(now=world.now, day_start=world.now, month_start=world.now)
    assert [(i.token, i.name, dict(i.details)) for i in stats.instances] == [
        ("a", "server", {"pid": "2"}),
        ("b", "laptop", {}),
    ]
    assert (stats.instances[0].started_at, stats.instances[0].seen_at) == (world.now - MINUTE, world.now)
    await world.store.instance_gone("a")
    stats = await world.store.stats(now=world.now, day_start=world.now, month_start=world.now)
    assert [i.token for i in stats.instances] == ["b"]


async def test_old_lines_and_dead_instances_are_pruned(world: World) -> None:
    """Logs are bounded by time; jobs are kept for ever."""
    job_id = await world.completed()
    await world.store.instance_seen("dead", name="x", now=world.now, details={})
    lines = len((await world.detail(job_id)).events)
    assert await world.store.prune(events_before=world.now, now=world.now) == 0
    world.later(DAY)
    await world.store.log(job_id, "info", "kept", now=world.now)
    assert await world.store.prune(events_before=world.now, now=world.now) == lines + 1
    detail = await world.detail(job_id)
    assert [line.message for line in detail.events] == ["kept"]


async def test_an_idle_database_is_tidied(world: World) -> None:
    """Tidying changes nothing that can be seen."""
    job_id = await world.completed()
    before = await world.detail(job_id)
    await world.store.optimize()
    assert await world.detail(job_id) == before
    assert await world.store.verify_counts() == {}


# ----------------------------------------------------------------------------------------------------- due deliveries


async def test_a_due_delivery_is_handed_to_one_caller(world: World) -> None:
    """Taking it moves its time, so that a crash loses nothing and no one else takes it."""
    failed = Delivery(sink="notion", error="down", attempts=1, next_attempt_at=world.now + MINUTE)
    job_id = await world.completed(failed)
    running = await world.claimed()
    await world.store.save_delivery(running.job.id, failed, now=world.now)
    assert await world.store.take_due_deliveries(limit=5, now=world.now, again_at=world.now + HOUR) == []
    world.later(MINUTE)
    ((job, delivery),) = await world.store.take_due_deliveries(limit=5, now=world.now, again_at=world.now + HOUR)
    assert (job.id, delivery.sink, delivery.error) == (job_id, "notion", "down")
    assert await world.store.take_due_deliveries(limit=5, now=world.now, again_at=world.now + HOUR) == []
    world.later(HOUR)
    assert len(await world.store.take_due_deliveries(limit=5, now=world.now, again_at=world.now + HOUR)) == 1


# ----------------------------------------------------------------------------------------------------- leased deliveries


async def test_a_delivery_is_leased_to_one_at_a_time(world: World) -> None:
    """Who comes second makes it due at the end of the lease, or at its release, whichever is first."""
    job_id = await world.completed()
    end = world.now + HOUR
    taken = await world.store.take_delivery(job_id, "notion", now=world.now, until=end)
    assert taken is not None
    assert (taken.ref, taken.leased_until) == ("page", end)
    assert await world.store.take_delivery(job_id, "notion", now=world.now, until=end + DAY) is None
    (left,) = await world.store.deliveries(job_id)
    assert (left.leased_until, left.next_attempt_at) == (end, end)
    await world.store.save_delivery(job_id, taken, now=world.now)
    assert (await world.store.deliveries(job_id)) == [left]
    world.later(MINUTE)
    assert await world.store.take_due_deliveries(limit=5, now=world.now, again_at=end) == []
    await world.store.save_delivery(job_id, taken, now=world.now, release=True)
    (left,) = await world.store.deliveries(job_id)
    assert (left.leased_until, left.next_attempt_at) == (None, world.now)
    ((_, due),) = await world.store.take_due_deliveries(limit=5, now=world.now, again_at=end)
    assert (due.leased_until, due.next_attempt_at) == (end, end)
    assert await world.store.take_delivery(job_id, "notion", now=world.now, until=end) is None
    world.later(HOUR)
    assert await world.store.take_delivery(job_id, "notion", now=world.now, until=world.now + HOUR) is not None


async def test_a_release_that_comes_too_late_leaves_the_next_lease_alone(world: World) -> None:
    """What the latecomer learnt is kept all the same."""
    job_id = await world.completed(Delivery(sink="notion"))
    late = await world.store.take_delivery(job_id, "notion", now=world.now, until=world.now + MINUTE)
    assert late is not None
    world.later(HOUR)
    assert await world.store.take_delivery(job_id, "notion", now=world.now, until=world.now + HOUR) is not None
    await world.store.save_delivery(job_id, replace(late, ref="page", url="there"), now=world.now, release=True)
    (left,) = await world.store.deliveries(job_id)
    assert (left.leased_until, left.ref) == (world.now + HOUR, "page")
    await world.store.save_delivery(job_id, Delivery(sink="notion"), now=world.now)
    (left,) = await world.store.deliveries(job_id)
    assert (left.ref, left.url) == ("page", "there")
