"""A call that a rule exempts is reserved and counted, but never held back."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from focusflow.domain.jobs import DurationSource
from focusflow.domain.money import Estimate

if TYPE_CHECKING:
    World = Any


async def test_an_exempt_call_passes_a_budget_that_holds_the_others(world: World) -> None:
    """There is no money today: only the exempt call is claimed, and its price is reserved."""
    other, exempt = await world.add(), await world.add()
    await world.store.measured(
        exempt,
        duration_seconds=100.0,
        duration_source=DurationSource.SIDECAR,
        direction=None,
        contact_number=None,
        estimate=Estimate(transcribe_micros=8_000, summarize_micros=2_000),
        skip_reason=None,
        now=world.now,
        budget_exempt=True,
    )
    claims = await world.claim(2, day_max_micros=0)
    assert [claim.job.id for claim in claims] == [exempt]
    assert claims[0].job.budget_exempt
    assert (await world.job(other)).hold_kind == "budget"
    charges = (await world.detail(exempt)).charges
    assert [(charge.state, charge.estimate_micros) for charge in charges] == [("reserved", 8_000), ("reserved", 2_000)]
