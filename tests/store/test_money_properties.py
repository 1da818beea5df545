"""Do budgets hold, and do all sums agree, whatever happens in whatever order, on both engines?

More examples: `FOCUSFLOW_EXAMPLES=500 pytest tests/store/test_money_properties.py`.
"""

from __future__ import annotations

import asyncio
import os
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

from hypothesis import HealthCheck, event, given, settings
from hypothesis import strategies as st

from focusflow.domain.budgets import Budgets, OverrideKind, Period
from focusflow.domain.jobs import WORKING, Claim, DurationSource, JobId, Status, Step
from focusflow.domain.money import Estimate
from focusflow.domain.transcript import Transcript
from focusflow.errors import BadRequest, Held, LostClaim
from focusflow.events import Bus
from focusflow.ports import Arrival, ClaimLimits, JobFilter, Settlement, SourceFile, Summary
from focusflow.store import Store, open_store
from focusflow.store.database import Query

if TYPE_CHECKING:
    import pytest

EXAMPLES = int(os.environ.get("FOCUSFLOW_EXAMPLES", "0"))
START = datetime(2026, 9, 5, 23, 40, tzinfo=UTC)
"""A few hours before America/Santiago's clocks jump over midnight."""
LEASE = timedelta(minutes=30)
ZONE = ZoneInfo("America/Santiago")
BUDGETS = Budgets(zone=ZONE, day_micros=100, week_micros=250, month_micros=600, call_micros=80)
WHO: dict[str, Any] = {"origin": "test", "reason": ""}
SPOKEN = Transcript(text="hi", utterances=(), language="en", duration_seconds=9.0, model="m", speakers={})

amounts = st.integers(0, 60)
ACTIONS = st.one_of(
    st.tuples(st.just("add"), st.none() | amounts, amounts),
    st.tuples(st.just("add"), amounts, amounts),
    st.tuples(st.just("claim"), st.integers(1, 4)),
    st.tuples(st.just("claim"), st.integers(1, 4)),
    st.tuples(st.just("transcribe"), st.integers(0, 9), st.none() | amounts),
    st.tuples(st.just("summarize"), st.integers(0, 9), st.none() | amounts),
    st.tuples(st.just("measure"), st.integers(0, 9), amounts, amounts),
    st.tuples(st.just("order"), st.integers(0, 9)),
    st.tuples(st.just("fail"), st.integers(0, 9)),
    st.tuples(st.just("settle_late"), st.integers(0, 9), amounts),
    st.tuples(st.just("wait"), st.sampled_from([1, 29, 45, 60 * 7, 60 * 25, 60 * 24 * 6])),
    st.tuples(st.just("clock_back"), st.sampled_from([1, 60 * 5])),
    st.tuples(st.just("raise"), st.sampled_from(Period), amounts),
    st.tuples(st.just("set"), st.sampled_from(Period), amounts),
    st.tuples(st.just("lift"), st.integers(0, 9)),
    st.tuples(st.just("lift_all")),
    st.tuples(st.just("stop")),
    st.tuples(st.just("undo"), st.integers(1, 6)),
)


@dataclass
class Bank:
    """Drives a store, and holds what it says against what must be so."""

    store: Store
    now: datetime = START
    jobs: list[JobId] = field(default_factory=list)
    claims: dict[JobId, Claim] = field(default_factory=dict)
    steps: int = 0

    async def do(self, action: tuple[Any, ...]) -> None:
        self.steps += 1
        before = await self._gone()
        may_grow = await getattr(self, f"_{action[0]}")(*action[1:])
        after = await self._gone()
        assert all(after[period] <= before[period] + (may_grow or 0) for period in Period), action
        await self._check()

    async def _gone(self) -> dict[Period, int]:
        purse = await self.store.purse(BUDGETS, now=self.now)
        return {window.period: window.settled_micros + window.reserved_micros for window in purse.windows}

    # ------------------------------------------------------------------------------------------------------- what happens

    async def _add(self, transcribe: int | None, summarize: int) -> None:
        n = len(self.jobs)
        file = SourceFile(
            file_id=f"f{n}", name=f"{n}.m4a", parent_id=None, mime_type=None, size=n, md5=f"m{n}", owners=(),
            created_at=None, modified_at=None, web_url=None,
        )  # fmt: skip
        arrival = Arrival(
            file=file, recorder="x", contact_name=None, contact_number=None, direction=None, call_type=None,
            call_at=START + timedelta(minutes=n), duration_seconds=60.0, duration_source=DurationSource.SIZE,
            estimate=Estimate(transcribe_micros=transcribe, summarize_micros=summarize),
        )  # fmt: skip
        absorbed = await self.store.absorb("drive", [arrival], (), (), cursor="c", now=self.now, skip_twins=False)
        self.jobs += absorbed.added

    async def _claim(self, batch: int) -> int:
        """Nothing that is not let through may be begun beyond a budget in force."""
        purse = await self.store.purse(BUDGETS, now=self.now)
        gone = await self._gone()
        found = {job_id: await self.store.price([job_id], from_step=None) for job_id in self.jobs}
        prices = {job_id: price.micros for job_id, price in found.items()}
        lifted = {made.job_id for made in purse.overrides if made.kind is OverrideKind.LIFT}
        limits = ClaimLimits(
            batch=batch, newest_first=False, day_start=BUDGETS.at(self.now).windows[0].start, day_max_jobs=None,
            minute_max_jobs=None, money=BUDGETS.at(self.now),
        )  # fmt: skip
        claims = await self.store.claim(
            limits, token=f"t{self.steps}", claimed_by="w", now=self.now, lease_until=self.now + LEASE
        )
        taken = sum(prices[claim.job.id] for claim in claims)
        free = sum(prices[claim.job.id] for claim in claims if claim.job.id in lifted)
        if purse.stopped_until is not None:
            assert taken == 0
        for window in purse.windows:
            bound = None in lifted or window.limit_micros is None or taken == free
            assert bound or gone[window.period] + taken <= (window.limit_micros or 0) + free
        if None not in lifted:
            assert all(prices[c.job.id] <= (BUDGETS.call_micros or 0) for c in claims if c.job.id not in lifted)
        event(f"claims that cost something: {taken > 0}, let through: {free > 0}")
        self.claims |= {claim.job.id: claim for claim in claims}
        # of a call without a price the known part is reserved
        return taken + 60 * sum(found[claim.job.id].unpriced for claim in claims)

    async def _transcribe(self, n: int, actual: int | None) -> int:
        if (claim := self._of(n)) is None:
            return 0
        ref = f"order-{claim.job.id}"
        try:
            await self.store.begin(claim, Step.TRANSCRIBE, now=self.now)
            await self.store.transcribed(claim, None, SPOKEN, settlement(ref, actual), now=self.now)
        except LostClaim:
            return 0
        return actual or 60

    async def _summarize(self, n: int, actual: int | None) -> int:
        if (claim := self._of(n)) is None:
            return 0
        summary = Summary(markdown="# x", title="t", model="m", prompt_hash="h")
        try:
            await self.store.begin(claim, Step.SUMMARIZE, now=self.now)
            await self.store.summarized(claim, None, summary, settlement(f"a{self.steps}", actual), now=self.now)
            await self.store.begin(claim, Step.SYNC, now=self.now)
            await self.store.complete(claim, now=self.now)
        except LostClaim:
            return 0
        return actual or 60

    async def _measure(self, n: int, transcribe: int, summarize: int) -> int:
        """A call that is longer than it seemed goes on only as far as the budgets reach."""
        if (claim := self._of(n)) is None:
            return 0
        purse, gone = await self.store.purse(BUDGETS, now=self.now), await self._gone()
        estimate = Estimate(transcribe_micros=transcribe, summarize_micros=summarize)
        measured = self.store.measured_file(
            claim, 70.0, DurationSource.HEADER, estimate=estimate, money=BUDGETS.at(self.now), now=self.now
        )
        try:
            await measured
        except Held as held:
            until = held.until or self.now
            await self.store.hold(claim, held.kind, str(held), until=until, now=self.now)
            return 0
        except LostClaim:
            return 0
        after = await self._gone()
        lifted = any(made.kind is OverrideKind.LIFT and made.job_id in (None, claim.job.id) for made in purse.overrides)
        for window in purse.windows:
            grown = after[window.period] - gone[window.period]
            assert grown <= 0 or lifted or window.limit_micros is None or after[window.period] <= window.limit_micros
        return transcribe + summarize

    async def _order(self, n: int) -> None:
        if claim := self._of(n):
            try:
                await self.store.uploaded(claim, "ref", now=self.now)
                await self.store.intend_submit(claim, now=self.now)
            except LostClaim:
                return

    async def _fail(self, n: int) -> None:
        if claim := self._of(n):
            try:
                retry_at = self.now + timedelta(minutes=5)
                await self.store.fail(claim, Step.DOWNLOAD, "no", retry_at=retry_at, counts=False, now=self.now)
            except LostClaim:
                return

    async def _settle_late(self, n: int, actual: int) -> int:
        """What was charged is a fact, whatever became of the claim."""
        if self.jobs:
            job_id = self.jobs[n % len(self.jobs)]
            await self.store.settle(job_id, Step.SUMMARIZE, settlement(f"late{self.steps}", actual), now=self.now)
        return actual

    async def _wait(self, minutes: int) -> int:
        """Workers that fall silent meanwhile are taken for dead."""
        self.now += timedelta(minutes=minutes)
        await self.store.reclaim_expired(now=self.now, max_rescues=50)
        await self.store.requeue_due(now=self.now)
        return 0

    async def _clock_back(self, minutes: int) -> int:
        """More may count then than before, never less."""
        self.now -= timedelta(minutes=minutes)
        return 10**9

    async def _raise(self, period: Period, micros: int) -> None:
        try:
            await self.store.raise_budget(BUDGETS, period, micros, until=None, now=self.now, **WHO)
        except BadRequest:
            assert micros == 0

    async def _set(self, period: Period, micros: int) -> None:
        await self.store.set_budget(BUDGETS, period, micros, until=None, now=self.now, **WHO)

    async def _lift(self, n: int) -> None:
        if self.jobs:
            await self.store.lift(BUDGETS, [self.jobs[n % len(self.jobs)]], until=None, now=self.now, **WHO)

    async def _lift_all(self) -> None:
        await self.store.lift(BUDGETS, None, until=self.now + timedelta(hours=1), now=self.now, **WHO)

    async def _stop(self) -> None:
        await self.store.stop_spending(BUDGETS, until=self.now + timedelta(hours=3), now=self.now, **WHO)

    async def _undo(self, number: int) -> None:
        if made := await self.store.overrides():
            await self.store.undo_override(made[number % len(made)].id, now=self.now)

    def _of(self, n: int) -> Claim | None:
        claims = list(self.claims.values())
        return claims[n % len(claims)] if claims else None

    # ------------------------------------------------------------------------------------------------------ what must hold

    async def _check(self) -> None:
        assert await self.store.verify_sums() == {}
        purse = await self.store.purse(BUDGETS, now=self.now)
        rows = await self.store.page(JobFilter(), limit=1_000)
        sums = dict.fromkeys(Period, 0)
        for row in rows:
            job, detail = row.job, await self.store.detail(row.job.id)
            assert detail is not None
            for charge in detail.charges:
                if charge.state == "released":
                    continue
                price = charge.estimate_micros if charge.actual_micros is None else charge.actual_micros
                for window in purse.windows:
                    sums[window.period] += (price or 0) if charge.reserved_at >= window.start else 0
                if charge.state == "reserved":
                    ordered = job.submit_intent_at is not None or job.transcript_id is not None
                    assert job.status in WORKING or (ordered and charge.step is Step.TRANSCRIBE)
                    assert job.status is not Status.COMPLETED
        assert sums == await self._gone()


def settlement(ref: str, actual: int | None) -> Settlement:
    return Settlement(
        provider="v", model="m", actual_micros=actual, usage_known=actual is not None, usage={}, external_ref=ref
    )


def run(url: str, actions: list[tuple[Any, ...]]) -> None:
    async def story() -> None:
        async with open_store(url, bus=Bus(), synchronous="NORMAL") as store:
            for table in ("jobs", "overrides", "control WHERE key <> 'claims'"):
                await store._database.run([Query(f"DELETE FROM {table}")()])
            bank = Bank(store)
            for action in actions:
                await bank.do(action)

    asyncio.run(story())


STORIES = st.lists(ACTIONS, min_size=5, max_size=40)


@settings(max_examples=EXAMPLES or 25, deadline=None, suppress_health_check=list(HealthCheck))
@given(actions=STORIES)
def test_budgets_hold_on_sqlite(tmp_path_factory: pytest.TempPathFactory, actions: list[tuple[Any, ...]]) -> None:
    """No claim goes beyond a budget in force; afterwards only the truth about a price can. All sums agree at every step."""
    run(str(tmp_path_factory.mktemp("bank") / "focusflow.db"), actions)


@settings(max_examples=EXAMPLES or 10, deadline=None, suppress_health_check=list(HealthCheck))
@given(actions=STORIES)
def test_budgets_hold_on_postgres(postgres_url: str, actions: list[tuple[Any, ...]]) -> None:
    """The same stories on the other engine."""
    run(postgres_url, actions)
