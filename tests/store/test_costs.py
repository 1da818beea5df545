"""Can every total be traced to the lines of the ledger, whatever happened to the jobs?"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

import pytest
from msgspec.structs import replace

from focusflow.domain.jobs import JobId, Outcome, Step
from focusflow.domain.prices import LengthRates
from focusflow.ports import Costs, CostsBy, Saved, Saving

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tests.store.conftest import World

UTC_ZONE, SYDNEY = ZoneInfo("UTC"), ZoneInfo("Australia/Sydney")
DAY = timedelta(days=1)
RATES = LengthRates(
    audio_micros_per_hour=360_000,
    input_micros_per_million=0,
    output_micros_per_million=0,
    fixed_tokens=3_000,
    tokens_per_hour=12_000,
    output_tokens=1_000,
)


async def costs(
    world: World, by: CostsBy, *, since: datetime | None = None, zone: ZoneInfo = UTC_ZONE
) -> Sequence[Costs]:
    return await world.store.costs(by, since=since, now=world.now, zone=zone)


async def test_an_empty_ledger_has_no_costs(world: World) -> None:
    """No rows, no lines, nothing saved."""
    for by in CostsBy:
        assert await costs(world, by) == []
    assert await world.store.calls_charged(since=None) == 0
    assert await world.store.savings(RATES, since=None) == []
    assert await world.store.ledger(since=None) == []
    assert await world.store.models_used() == []


async def lives(world: World) -> list[JobId]:
    """Jobs of every fate: done, half done with usage unknown, unpriced, running, given back unpaid."""
    done = await world.completed(contact_name="Ann")
    world.later(DAY)
    half = await world.claimed(contact_name="Bea", estimate_micros=10_000)
    await world.transcribe(half, actual=None)
    await world.store.give_back(half, now=world.now, note="stopped")
    unpriced = await world.claimed(contact_name="Cem", estimate_micros=None)
    await world.transcribe(unpriced, actual=None)
    world.later(timedelta(days=40))
    running = await world.claimed(contact_name="Ann", estimate_micros=3_700)
    given_back = await world.claimed(contact_name="Dan")
    await world.store.give_back(given_back, now=world.now, note="stopped")
    return [done, half.job.id, unpriced.job.id, running.job.id, given_back.job.id]


@pytest.mark.parametrize("by", list(CostsBy))
async def test_whatever_they_are_grouped_by_the_sums_are_the_ledgers(world: World, by: CostsBy) -> None:
    """Every line that counts is in exactly one group."""
    await lives(world)
    lines = [line.charge for line in await world.store.ledger(since=None)]

    found = await costs(world, by)

    amounts = [charge.estimate_micros if charge.actual_micros is None else charge.actual_micros for charge in lines]
    for state, total in (
        ("settled", sum(row.settled_micros for row in found)),
        ("reserved", sum(row.reserved_micros for row in found)),
    ):
        assert total == sum(a or 0 for a, charge in zip(amounts, lines, strict=True) if charge.state == state)
    counted = [charge for charge in lines if charge.state != "released"]
    assert sum(row.charges for row in found) == len(counted)
    assert sum(row.unpriced for row in found) == sum(
        charge.actual_micros is None and charge.estimate_micros is None for charge in counted
    )
    assert len(lines) > len(counted)  # what was let go is in the ledger, and costs nothing


async def test_costs_by_job_trace_to_its_lines(world: World) -> None:
    """Whose call it was is said, and unknown usage and unknown prices are marked where they are."""
    done, half, unpriced, running, given_back = await lives(world)

    found = {row.group: row for row in await costs(world, CostsBy.JOB)}

    assert JobId(given_back) not in found
    assert (found[done].label, found[done].settled_micros, found[done].reserved_micros) == ("Ann", 8_000, 0)
    assert (found[half].settled_micros, found[half].estimated, found[half].unpriced) == (8_000, 1, 0)
    assert (found[unpriced].settled_micros, found[unpriced].unpriced) == (0, 2)
    assert (found[running].settled_micros, found[running].reserved_micros) == (0, 3_700)
    assert await world.store.calls_charged(since=None) == 4


async def test_costs_by_contact_model_and_step_are_dearest_first(world: World) -> None:
    """The whole of a contact's calls, each model as the vendor named it, each step."""
    await lives(world)

    assert [(row.group, row.calls) for row in await costs(world, CostsBy.CONTACT)] == [
        ("Ann", 2),
        ("Bea", 1),
        ("Cem", 1),
    ]
    assert {row.group for row in await costs(world, CostsBy.MODEL)} == {"best", ""}
    assert [row.group for row in await costs(world, CostsBy.STEP)] == ["transcribe", "summarize"]
    assert await world.store.models_used() == [("vendor", "best")]


async def test_days_and_months_are_local_and_in_order(world: World) -> None:
    """A charge belongs to the local day on which it was reserved; 20:00 UTC is tomorrow in Sydney."""
    world.now = datetime(2026, 5, 31, 20, tzinfo=UTC)
    await world.completed()
    world.later(3 * DAY)
    await world.completed()

    assert [row.group for row in await costs(world, CostsBy.DAY)] == ["2026-05-31", "2026-06-03"]
    assert [row.group for row in await costs(world, CostsBy.DAY, zone=SYDNEY)] == ["2026-06-01", "2026-06-04"]
    assert [row.group for row in await costs(world, CostsBy.MONTH)] == ["2026-05", "2026-06"]
    assert [row.group for row in await costs(world, CostsBy.MONTH, zone=SYDNEY)] == ["2026-06"]


async def test_since_leaves_out_what_was_before(world: World) -> None:
    """In sums, lines and savings alike; an instant after everything leaves nothing."""
    await world.completed()
    await world.add(skip_reason="too short")
    world.later(DAY)
    await world.completed()

    for by in CostsBy:
        assert sum(row.settled_micros for row in await costs(world, by, since=world.now)) == 8_000
        assert await costs(world, by, since=world.now + DAY) == []
    assert len(await world.store.ledger(since=world.now)) == 2
    assert await world.store.savings(RATES, since=world.now) == []


async def test_what_was_not_spent_is_told_with_its_reason(world: World) -> None:
    """Refused by rules, twins and the like by estimate; what was used again by what it had cost."""
    file = world.file()
    claim = await world.claimed(file=file)
    await world.add(file=replace(world.file(), md5=file.md5, size=file.size), duration_seconds=100.0)
    await world.add(skip_reason="too short", duration_seconds=10.0)
    await world.add(skip_reason="old", file=world.file(size=None), duration_seconds=None, duration_source=None)
    await world.transcribe(claim)

    found = {saved.why: saved for saved in await world.store.savings(RATES, since=None)}

    assert found[Saving.RULE] == Saved(why=Saving.RULE, times=2, micros=1_000, unpriced=1)
    assert found[Saving.DUPLICATE] == Saved(why=Saving.DUPLICATE, times=1, micros=10_000, unpriced=0)
    assert set(found) == {Saving.RULE, Saving.DUPLICATE}


async def test_a_transcript_that_is_used_again_saves_what_it_had_cost(world: World) -> None:
    """After a restart the step finds its artifact: the attempt is kept as re-used, at no cost."""
    claim = await world.claimed()
    await world.transcribe(claim, actual=7_000)
    await world.store.give_back(claim, now=world.now, note="stopped")
    world.later(DAY)
    (again,) = await world.claim(ids=(claim.job.id,), token="second")
    attempt = await world.store.begin(again, Step.TRANSCRIBE, now=world.now)
    await world.store.end(again, attempt, Outcome.REUSED, now=world.now)

    assert await world.store.savings(RATES, since=None) == [
        Saved(why=Saving.TRANSCRIPT, times=1, micros=7_000, unpriced=0)
    ]
