"""Do any events in any order leave the store as a small model says, with every invariant of money and ownership kept?"""

from __future__ import annotations

import asyncio
import contextlib
import os
import tempfile
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import partial
from itertools import count
from typing import TYPE_CHECKING, TypeVar
from urllib.parse import quote
from zoneinfo import ZoneInfo

import psycopg
import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    Bundle,
    MultipleResults,
    RuleBasedStateMachine,
    initialize,
    invariant,
    multiple,
    rule,
    run_state_machine_as_test,
)

from focusflow.domain.budgets import Budgets, Limits, Period, Window
from focusflow.domain.jobs import WORKING, Claim, JobId, Mover, Outcome, SkippedBy, Status, Step, may_move
from focusflow.domain.money import Estimate
from focusflow.domain.transcript import Transcript
from focusflow.errors import HoldKind, LostClaim
from focusflow.events import Bus
from focusflow.ports import Arrival, ClaimLimits, JobFilter, Settlement, SourceFile, Summary
from focusflow.store import Store, open_store

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterator

T = TypeVar("T")

START = datetime(2026, 5, 4, 12, tzinfo=UTC)
LEASE = timedelta(minutes=10)
CAP = 60_000
BUDGETS = Budgets(zone=ZoneInfo("UTC"), day_micros=CAP)
TRANSCRIPT = Transcript(text="hi", utterances=(), language="en", duration_seconds=9.0, model="m", speakers={})


@dataclass
class Model:
    """What is known about one job."""

    status: Status = Status.DISCOVERED
    claim: Claim | None = None
    lease_until: datetime | None = None
    wait_until: datetime | None = None
    rescues: int = 0
    transcribed: bool = False
    summarized: bool = False
    ordered: bool = False
    orders: int = 0


@dataclass
class Claimed:
    """A claim that somebody holds on to, perhaps for too long."""

    claim: Claim
    attempts: list[int] = field(default_factory=list)


class StoreMachine(RuleBasedStateMachine):
    """Drives a store and a dictionary side by side."""

    claims: Bundle[Claimed] = Bundle("claims")
    jobs: Bundle[JobId] = Bundle("jobs")

    def __init__(self, address: Callable[[], contextlib.AbstractContextManager[str]]) -> None:
        super().__init__()
        self._address = address

    @initialize()
    def open(self) -> None:
        self.address = contextlib.ExitStack()
        self.runner = asyncio.Runner()
        self.exits = contextlib.AsyncExitStack()
        url = self.address.enter_context(self._address())
        self.store: Store = self.run(self.exits.enter_async_context(open_store(url, bus=Bus(), synchronous="NORMAL")))
        self.now = START
        self.model: dict[JobId, Model] = {}
        self.token = 0
        self.lifted_until = self.stopped_until = START

    def run(self, work: Awaitable[T]) -> T:
        """Wait for the store on this machine's own loop."""

        async def awaited() -> T:
            return await work

        return self.runner.run(awaited())

    def teardown(self) -> None:
        if hasattr(self, "runner"):
            self.run(self.exits.aclose())
            self.runner.close()
            self.address.close()

    # ----------------------------------------------------------------------------------------------------------- rules

    @rule(target=jobs, count=st.integers(1, 3))
    def discover(self, count: int) -> MultipleResults[JobId]:
        """New recordings arrive."""
        arrivals = [self._arrival(len(self.model) + n) for n in range(count)]
        absorbed = self.run(self.store.absorb("drive", arrivals, (), (), cursor="c", now=self.now, skip_twins=True))
        self.model |= {job_id: Model() for job_id in absorbed.added}
        assert len(absorbed.added) == count
        return multiple(*absorbed.added)

    def _arrival(self, n: int) -> Arrival:
        file = SourceFile(
            file_id=f"f{n}",
            name=f"{n}.m4a",
            parent_id=None,
            mime_type=None,
            size=n,
            md5=f"m{n}",
            owners=(),
            created_at=None,
            modified_at=None,
            web_url=None,
        )
        return Arrival(
            file=file,
            recorder="x",
            contact_name=None,
            contact_number=None,
            direction=None,
            call_type=None,
            call_at=START + timedelta(minutes=n),
            duration_seconds=60.0,
            estimate=Estimate(transcribe_micros=8_000, summarize_micros=2_000),
        )

    @rule(minutes=st.sampled_from([1, 6, 11]))
    def time_passes(self, minutes: int) -> None:
        self.now += timedelta(minutes=minutes)

    @rule(target=claims, batch=st.integers(0, 3), capped=st.booleans())
    def claim(self, batch: int, capped: bool) -> MultipleResults[Claimed]:
        """At most so many, only due ones, oldest call first; under a cap never more than the purse holds."""
        self.token += 1
        day = Window(
            period=Period.DAY,
            start=START - timedelta(hours=12),
            end=self.now + timedelta(minutes=5),
            limit_micros=CAP if capped else None,
        )
        limits = ClaimLimits(
            batch=batch,
            newest_first=False,
            day_start=START - timedelta(hours=12),
            day_max_jobs=None,
            minute_max_jobs=None,
            money=Limits(windows=(day,)),
        )
        token = f"token-{self.token}"
        claims = self.run(
            self.store.claim(limits, token=token, claimed_by="w", now=self.now, lease_until=self.now + LEASE)
        )
        due = [
            job_id
            for job_id, model in self.model.items()
            if model.status is Status.DISCOVERED and (model.wait_until is None or model.wait_until <= self.now)
        ]
        taken = [claim.job.id for claim in claims]
        stopped, lifted = self.now < self.stopped_until, self.now < self.lifted_until
        if not stopped and (lifted or not capped):
            assert taken == due[:batch]
        assert set(taken) <= set(due)
        if stopped:
            assert [
                job_id for job_id in taken if not (self.model[job_id].ordered or self.model[job_id].transcribed)
            ] == []
        for claim in claims:
            model = self.model[claim.job.id]
            model.status, model.claim, model.lease_until = Status.TRANSCRIBING, claim, self.now + LEASE
            model.wait_until = None
        self._learn_holds()
        return multiple(*(Claimed(claim) for claim in claims))

    def _learn_holds(self) -> None:
        """What the budget held back is the store's decision: take it over, and check that it is one."""
        for row in self.run(self.store.page(JobFilter(held_only=True), limit=1_000)):
            model = self.model[row.job.id]
            if row.job.hold_kind == HoldKind.BUDGET:
                assert model.status is Status.DISCOVERED
                model.wait_until = row.job.next_attempt_at

    @rule()
    def lift_the_budget(self) -> None:
        """Every call passes for half an hour, and those that the budget held back are due again."""
        until = self.now + timedelta(minutes=30)
        self.run(self.store.lift(BUDGETS, None, until=until, origin="test", reason="", now=self.now))
        self.lifted_until = max(self.lifted_until, until)
        self._learn_waits()

    @rule()
    def stop_spending(self) -> None:
        """Nothing that costs is begun for ten minutes."""
        until = self.now + timedelta(minutes=10)
        self.run(self.store.stop_spending(BUDGETS, until=until, origin="test", reason="", now=self.now))
        self.stopped_until = max(self.stopped_until, until)
        self._learn_waits()

    def _learn_waits(self) -> None:
        """What somebody changed about the budget lets calls look again: take over when."""
        for row in self.run(self.store.page(JobFilter(statuses=(Status.DISCOVERED,)), limit=1_000)):
            if row.job.hold_kind in (None, HoldKind.BUDGET):
                self.model[row.job.id].wait_until = row.job.next_attempt_at

    @rule(held=claims)
    def heartbeat(self, held: Claimed) -> None:
        """The lease is extended exactly if the claim still stands."""
        job_id = held.claim.job.id
        ours = self.run(self.store.heartbeat([held.claim], now=self.now, lease_until=self.now + LEASE))
        model = self.model[job_id]
        assert ours == ({job_id} if model.claim == held.claim else set())
        if ours:
            model.lease_until = self.now + LEASE

    @rule(held=claims, step=st.sampled_from(Step))
    def begin(self, held: Claimed, step: Step) -> None:
        after = {Step.SUMMARIZE: Status.SUMMARIZING, Step.SYNC: Status.SYNCING}.get(step, Status.TRANSCRIBING)
        self._move(
            held,
            lambda claim: self.store.begin(claim, step, now=self.now),
            after,
            lambda model: model.status is after or may_move(model.status, after, Mover.STEP),
        )

    @rule(held=claims)
    def order(self, held: Claimed) -> None:
        """Upload, intend, order: from here on money may be spent."""

        async def ordering(claim: Claim) -> None:
            await self.store.uploaded(claim, "ref", now=self.now)
            await self.store.intend_submit(claim, now=self.now)
            await self.store.submitted(claim.job.id, "order", now=self.now)

        model = self._move(held, ordering, Status.TRANSCRIBING, lambda m: m.status is Status.TRANSCRIBING)
        if model:
            model.ordered = True
            model.orders += 1

    @rule(held=claims, priced=st.booleans())
    def transcribed(self, held: Claimed, priced: bool) -> None:
        model = self.model[held.claim.job.id]
        ref = f"order-{model.orders}"
        moved = self._move(
            held,
            lambda claim: self.store.transcribed(
                claim, None, TRANSCRIPT, None if model.transcribed else settlement(ref, priced), now=self.now
            ),
            Status.TRANSCRIBED,
            lambda m: m.status in (Status.TRANSCRIBING, Status.TRANSCRIBED),
        )
        if moved:
            moved.transcribed = True

    @rule(held=claims, n=st.integers(0, 3), priced=st.booleans())
    def summarized(self, held: Claimed, n: int, priced: bool) -> None:
        summary = Summary(markdown=f"# {n}", title="t", model="m", prompt_hash="h")
        moved = self._move(
            held,
            lambda claim: self.store.summarized(claim, None, summary, settlement(f"answer-{n}", priced), now=self.now),
            Status.SUMMARIZING,
            lambda m: m.status is Status.SUMMARIZING,
        )
        if moved:
            moved.summarized = True

    @rule(held=claims)
    def complete(self, held: Claimed) -> None:
        moved = self._move(
            held,
            lambda claim: self.store.complete(claim, now=self.now),
            Status.COMPLETED,
            lambda m: m.status is Status.SYNCING,
        )
        if moved:
            moved.claim, moved.rescues = None, 0

    @rule(held=claims, wait=st.booleans())
    def give_back(self, held: Claimed, wait: bool) -> None:
        until = self.now + timedelta(minutes=5)

        async def giving(claim: Claim) -> None:
            if wait:
                await self.store.hold(claim, HoldKind.CREDIT, "no credit", until=until, now=self.now)
            else:
                await self.store.give_back(claim, now=self.now, note="stop")

        moved = self._move(held, giving, Status.DISCOVERED, lambda m: m.status in WORKING)
        if moved:
            moved.claim, moved.wait_until = None, until if wait else None

    @rule(held=claims, again=st.booleans())
    def fail(self, held: Claimed, again: bool) -> None:
        retry_at = self.now + timedelta(minutes=5) if again else None
        moved = self._move(
            held,
            lambda claim: self.store.fail(claim, Step.DOWNLOAD, "no", retry_at=retry_at, counts=again, now=self.now),
            Status.FAILED,
            lambda m: m.status in WORKING,
        )
        if moved:
            moved.claim, moved.wait_until = None, retry_at

    @rule(held=claims)
    def refuse(self, held: Claimed) -> None:
        moved = self._move(
            held,
            lambda claim: self.store.skip(claim, "short", SkippedBy.RULE, now=self.now),
            Status.SKIPPED,
            lambda m: m.status in WORKING,
        )
        if moved:
            moved.claim = None

    def _move(
        self,
        held: Claimed,
        move: Callable[[Claim], Awaitable[object]],
        after: Status,
        legal: Callable[[Model], bool],
    ) -> Model | None:
        """Make the move; it succeeds exactly if the claim stands and the machine allows it."""
        model = self.model[held.claim.job.id]
        if model.claim == held.claim and legal(model):
            self.run(move(held.claim))
            model.status = after
            return model
        with pytest.raises(LostClaim):
            self.run(move(held.claim))
        return None

    @rule(job_id=jobs, step=st.sampled_from(Step))
    def settle_late(self, job_id: JobId, step: Step) -> None:
        """A charge is recorded whoever owns the job."""
        self.run(self.store.settle(job_id, step, settlement("late", True), now=self.now))

    @rule(max_rescues=st.integers(0, 3))
    def watchdog(self, max_rescues: int) -> None:
        expired = {
            job_id
            for job_id, model in self.model.items()
            if model.lease_until is not None and model.claim is not None and model.lease_until < self.now
        }
        assert set(self.run(self.store.reclaim_expired(now=self.now, max_rescues=max_rescues))) == expired
        for job_id in expired:
            model = self.model[job_id]
            failed = model.rescues >= max_rescues
            model.status, model.claim = Status.FAILED if failed else Status.DISCOVERED, None
            model.wait_until = None
            model.rescues += 1

    @rule()
    def requeue(self) -> None:
        due = [
            model
            for model in self.model.values()
            if model.status is Status.FAILED and model.wait_until is not None and model.wait_until <= self.now
        ]
        assert self.run(self.store.requeue_due(now=self.now)) == len(due)
        for model in due:
            model.status, model.wait_until = Status.DISCOVERED, None

    @rule(job_id=jobs)
    def cancel(self, job_id: JobId) -> None:
        model = self.model[job_id]
        expected = (job_id,) if model.status in WORKING else ()
        assert self.run(self.store.cancel([job_id], now=self.now)) == expected
        if expected:
            model.status, model.claim, model.wait_until = Status.FAILED, None, None

    @rule(job_id=jobs)
    def retry(self, job_id: JobId) -> None:
        model = self.model[job_id]
        expected = (job_id,) if model.status is Status.FAILED else ()
        assert self.run(self.store.retry([job_id], now=self.now)) == expected
        if expected:
            model.status, model.wait_until, model.rescues = Status.DISCOVERED, None, 0

    @rule(job_id=jobs, step=st.none() | st.sampled_from([Step.DOWNLOAD, Step.TRANSCRIBE, Step.SUMMARIZE]))
    def process(self, job_id: JobId, step: Step | None) -> None:
        """Asked jobs go before all others, which the model's order doesn't know: they are put aside again."""
        model = self.model[job_id]
        if model.status in WORKING:
            assert self.run(self.store.process([job_id], from_step=step, now=self.now)) == ()
            return
        assert self.run(self.store.process([job_id], from_step=step, now=self.now)) == (job_id,)
        model.status, model.wait_until, model.rescues = Status.DISCOVERED, None, 0
        if step is not None:
            model.summarized = False
            if step is not Step.SUMMARIZE:
                model.transcribed = model.ordered = False
        self.run(self.store.skip_jobs([job_id], reason="later", now=self.now))
        model.status = Status.SKIPPED

    @rule(job_id=jobs)
    def skip(self, job_id: JobId) -> None:
        model = self.model[job_id]
        expected = (job_id,) if may_move(model.status, Status.SKIPPED, Mover.USER) else ()
        assert self.run(self.store.skip_jobs([job_id], reason="mine", now=self.now)) == expected
        if expected:
            model.status, model.wait_until = Status.SKIPPED, None

    # ------------------------------------------------------------------------------------------------------- invariants

    @invariant()
    def the_store_is_as_the_model_says(self) -> None:
        if not hasattr(self, "model"):
            return
        rows = self.run(self.store.page(JobFilter(), limit=10_000))
        assert {row.job.id: row.job.status for row in rows} == {job_id: m.status for job_id, m in self.model.items()}
        for row in rows:
            model = self.model[row.job.id]
            token = model.claim.token if model.claim else None
            assert row.job.claim_token == token
            assert row.job.rescue_count == model.rescues
            assert (row.job.transcription_completed_at is not None) == model.transcribed
            assert (row.job.summarization_completed_at is not None) == model.summarized
        assert self.run(self.store.verify_counts()) == {}

    @invariant()
    def money_and_attempts_belong_to_someone(self) -> None:
        for job_id, model in getattr(self, "model", {}).items():
            detail = self.run(self.store.detail(job_id))
            assert detail is not None
            job, working = detail.row.job, model.status in WORKING
            settled = [c for c in detail.charges if c.state == "settled"]
            charged = [c.estimate_micros if c.actual_micros is None else c.actual_micros for c in settled]
            assert job.cost_micros == sum(amount or 0 for amount in charged)
            standing = [c.step for c in detail.charges if c.state == "reserved"]
            assert len(standing) == len(set(standing))
            if not working:
                assert standing in ([], [Step.TRANSCRIBE])
                assert not any(attempt.outcome is Outcome.RUNNING for attempt in detail.attempts)
            if standing and not working:
                assert model.status in (Status.DISCOVERED, Status.FAILED, Status.SKIPPED)
                assert model.ordered
                assert not model.transcribed


def settlement(ref: str, priced: bool) -> Settlement:
    """What a vendor charged, or could not say."""
    return Settlement(
        provider="v", model="m", actual_micros=5_000 if priced else None, usage_known=priced, usage={}, external_ref=ref
    )


HISTORIES = settings(stateful_step_count=30, deadline=None)


def test_any_history_on_sqlite(pytestconfig: pytest.Config) -> None:
    """Each history has a file of its own."""

    @contextlib.contextmanager
    def file() -> Iterator[str]:
        with tempfile.TemporaryDirectory() as folder:
            yield f"{folder}/focusflow.db"

    many = 300 if pytestconfig.getoption("--proof") else 12
    _try_histories(partial(StoreMachine, file), many)


def test_any_history_on_postgresql(postgres_server: str, pytestconfig: pytest.Config) -> None:
    """Each history has a schema of its own."""
    numbers = count()

    @contextlib.contextmanager
    def schema() -> Iterator[str]:
        name = f"history_{os.getpid()}_{next(numbers)}"
        with psycopg.connect(postgres_server, autocommit=True) as admin:
            admin.execute(f"CREATE SCHEMA {name}".encode())
            yield f"{postgres_server}&options={quote(f'-csearch_path={name}')}"
            admin.execute(f"DROP SCHEMA {name} CASCADE".encode())

    many = 150 if pytestconfig.getoption("--proof") else 4
    _try_histories(partial(StoreMachine, schema), many)


def _try_histories(make: Callable[[], StoreMachine], many: int) -> None:
    run_state_machine_as_test(make, settings=settings(HISTORIES, max_examples=many))  # type: ignore[arg-type]  # makes one, as a class does
