"""What does the ledger say of a summary whose writer died? On both engines."""

from datetime import timedelta
from typing import TYPE_CHECKING

from focusflow.domain.jobs import Step

if TYPE_CHECKING:
    from tests.store.conftest import World

LONG = timedelta(hours=1)


async def test_an_answer_that_nobody_saw_stands_at_its_estimate_and_is_marked(world: "World") -> None:
    """It may have been charged, cannot be looked for, and the next attempt reserves money of its own."""
    claim = await world.claimed()
    await world.transcribe(claim)
    await world.store.begin(claim, Step.SUMMARIZE, now=world.now)
    await world.store.reclaim_expired(now=world.later(LONG), max_rescues=3)
    await world.claim()
    detail = await world.detail(claim.job.id)
    charges = [charge for charge in detail.charges if charge.step is Step.SUMMARIZE]

    assert [(charge.state, charge.usage_known) for charge in charges] == [("settled", False), ("reserved", False)]
    assert detail.row.job.cost_micros >= (charges[0].estimate_micros or 0) > 0


async def test_a_worker_that_dies_before_its_summary_is_charged_for_none(world: "World") -> None:
    """Nothing was asked of the model, so its reservation is let go."""
    claim = await world.claimed()
    await world.transcribe(claim)
    await world.store.reclaim_expired(now=world.later(LONG), max_rescues=3)
    charges = (await world.detail(claim.job.id)).charges

    assert [charge.state for charge in charges if charge.step is Step.SUMMARIZE] == ["released"]


async def test_a_late_answer_takes_the_place_of_its_estimate(world: "World") -> None:
    """A worker that was only frozen tells what its answer cost: that counts once, and the new worker's money stays reserved."""
    claim = await world.claimed()
    await world.transcribe(claim, actual=7_000)
    await world.store.begin(claim, Step.SUMMARIZE, now=world.now)
    await world.store.reclaim_expired(now=world.later(LONG), max_rescues=3)
    (newer,) = await world.claim(token="another")
    for ref in ("late answer", "late answer", "late title"):
        paid = world.a_settlement(ref, 300)
        await world.store.settle(claim.job.id, Step.SUMMARIZE, paid, now=world.now, token=claim.token)
    detail = await world.detail(claim.job.id)
    charges = [charge for charge in detail.charges if charge.step is Step.SUMMARIZE]

    assert [(charge.state, charge.actual_micros, charge.external_ref) for charge in charges] == [
        ("settled", 300, "late answer"),
        ("reserved", None, None),
        ("settled", 300, "late title"),
    ]
    assert detail.row.job.cost_micros == 7_600
    await world.store.transcribed(newer, None, world.a_transcript(), None, now=world.now)
    await world.summarize(newer, actual=50)
    assert (await world.job(claim.job.id)).cost_micros == 7_650
