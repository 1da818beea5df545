"""Is everything that waits, or was left out, priced as it would be if it were processed?"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from focusflow.domain.budgets import Period
from focusflow.domain.jobs import Direction, SkippedBy
from focusflow.domain.prices import LengthRates
from focusflow.ports import PlanBy, Planned
from focusflow.store.plan import first_instants

if TYPE_CHECKING:
    from tests.store.conftest import World

SYDNEY = ZoneInfo("Australia/Sydney")
RATES = LengthRates(
    audio_micros_per_hour=230_000,
    input_micros_per_million=100_000,
    output_micros_per_million=500_000,
    fixed_tokens=3_000,
    tokens_per_hour=12_000,
    output_tokens=1_000,
)
UNMEASURED = {"duration_seconds": None, "duration_source": None, "estimate_micros": None}


def by_group(planned: list[Planned]) -> dict[tuple[str, SkippedBy | None], tuple[int, int, int]]:
    """Calls, micro-dollars and calls without a price, by group and by who left them out."""
    found: dict[tuple[str, SkippedBy | None], tuple[int, int, int]] = {}
    for row in planned:
        calls, micros, unpriced = found.get((row.group, row.skipped_by), (0, 0, 0))
        found[row.group, row.skipped_by] = calls + row.calls, micros + row.micros, unpriced + row.unpriced
    return found


async def backlog(world: World, by: PlanBy, rates: LengthRates = RATES) -> list[Planned]:
    return list(await world.store.backlog(by, rates, zone=SYDNEY))


async def test_an_empty_store_has_no_backlog(world: World) -> None:
    """Nothing to price is no error."""
    for by in PlanBy:
        assert await backlog(world, by) == []


async def test_what_waits_is_priced_by_its_estimate_and_what_was_left_out_by_its_length(world: World) -> None:
    """A call that the rules refused before it was measured has a price all the same: by its size."""
    await world.add(estimate_micros=10_000)
    hour = world.file(size=4_000 * 3_600)
    await world.add(file=hour, skip_reason="recorded before 2026-01-01", **UNMEASURED)
    priced = RATES.transcribe_micros(3_600_000), RATES.summarize_micros(3_600_000)
    assert priced == (230_000, 2_000)

    (waiting, left_out) = sorted(await backlog(world, PlanBy.DIRECTION), key=lambda row: row.micros)

    assert (waiting.skipped_by, waiting.calls, waiting.micros, waiting.guessed) == (None, 1, 10_000, 0)
    assert (left_out.skipped_by, left_out.reason) == (SkippedBy.RULE, "recorded before 2026-01-01")
    assert (left_out.calls, left_out.seconds, left_out.micros, left_out.guessed) == (1, 3_600, 232_000, 1)


async def test_what_is_paid_for_already_is_not_priced_again(world: World) -> None:
    """A call that has its transcript only waits for its summary."""
    claim = await world.claimed(estimate_micros=10_000)
    await world.transcribe(claim)
    await world.store.give_back(claim, now=world.now, note="stopped")

    (row,) = await backlog(world, PlanBy.DIRECTION)

    assert (row.calls, row.micros) == (1, 2_000)


@pytest.mark.parametrize(
    ("rates", "unpriced"),
    [
        (RATES, 1),
        (replace(RATES, audio_micros_per_hour=None), 2),
        (replace(RATES, output_micros_per_million=None), 2),
    ],
)
async def test_what_has_no_price_is_counted_and_never_taken_for_nothing(
    world: World, rates: LengthRates, unpriced: int
) -> None:
    """An unknown length has none, and neither has a model that nobody prices."""
    await world.add(file=world.file(size=None), skip_reason="old", **UNMEASURED)
    await world.add(skip_reason="old", **UNMEASURED)

    (row,) = await backlog(world, PlanBy.DIRECTION, rates)

    assert (row.calls, row.unpriced) == (2, unpriced)


async def test_an_unpriced_call_that_waits_stays_unpriced(world: World) -> None:
    """Its own estimate says so, and rules may give it another model than the usual one."""
    await world.add(estimate_micros=None)

    (row,) = await backlog(world, PlanBy.CONTACT)

    assert (row.group, row.unpriced, row.micros) == ("Ann", 1, 0)


async def test_months_begin_at_local_midnight(world: World) -> None:
    """The last hour of May in Sydney is May, though it is long past noon in UTC; an hour later is June."""
    june = datetime(2026, 5, 31, 14, tzinfo=UTC)
    for call_at in (june - timedelta(milliseconds=1), june, june + timedelta(days=61)):
        await world.add(call_at=call_at)

    found = by_group(await backlog(world, PlanBy.MONTH))

    assert found == {(month, None): (1, 10_000, 0) for month in ("2026-05", "2026-06", "2026-08")}


async def test_twins_and_unreadable_names_are_apart_from_what_the_rules_left_out(world: World) -> None:
    """Each by who decided it; a duplicate's reason, which names its original, makes no group of its own."""
    file = world.file()
    await world.add(file=file)
    await world.add(file=replace(world.file(), md5=file.md5, size=file.size))
    await world.add(skip_reason="unrecognised name", skipped_by=SkippedBy.NAME, contact_name=None, contact_number=None)

    found = await backlog(world, PlanBy.CONTACT)

    assert {(row.group, row.skipped_by, row.reason, row.calls) for row in found} == {
        ("Ann", None, "", 1),
        ("Ann", SkippedBy.DUPLICATE, "", 1),
        ("", SkippedBy.NAME, "", 1),
    }


async def test_what_may_be_started_comes_in_order_with_its_price(world: World) -> None:
    """What waits and what the rules left out, of the days that were asked for, and no twin."""
    day = timedelta(days=1)
    file = world.file()
    ids = [
        await world.add(file=file, call_at=world.now - 4 * day),
        await world.add(call_at=world.now - 3 * day, skip_reason="old", direction=Direction.OUTGOING),
        await world.add(call_at=world.now - 2 * day, skip_reason="old", **UNMEASURED),
    ]
    await world.add(file=replace(world.file(), md5=file.md5, size=file.size))

    newest = await world.store.startable(RATES, newest_first=True, since=None, before=None)
    between = await world.store.startable(
        RATES, newest_first=False, since=world.now - 3 * day, before=world.now - 2 * day
    )

    assert [call.job_id for call in newest] == ids[::-1]
    assert [call.guessed for call in newest] == [True, False, False]
    assert [call.skipped for call in newest] == [True, True, False]
    assert newest[2].micros == 10_000
    assert newest[1].micros == (RATES.transcribe_micros(100_000) or 0) + (RATES.summarize_micros(100_000) or 0)
    assert [(call.job_id, call.direction) for call in between] == [(ids[1], Direction.OUTGOING)]


@pytest.mark.parametrize("seconds", [0, 0.001, 1, 19.97, 59.999, 3_599.5, 36_000])
async def test_the_database_reckons_like_we_do(world: World, seconds: float) -> None:
    """To the micro-dollar, on both engines."""
    await world.add(skip_reason="old", duration_seconds=seconds)

    (row,) = await backlog(world, PlanBy.DIRECTION)

    ms = round(seconds * 1_000)
    assert row.micros == (RATES.transcribe_micros(ms) or 0) + (RATES.summarize_micros(ms) or 0)


@given(
    st.datetimes(datetime(2020, 1, 1), datetime(2028, 1, 1), timezones=st.just(UTC)),
    st.integers(0, 400),
    st.sampled_from([Period.DAY, Period.MONTH]),
    st.sampled_from(["UTC", "Australia/Sydney", "America/Sao_Paulo", "Asia/Kathmandu", "Africa/Cairo"]),
)
def test_every_instant_is_in_exactly_one_day_and_month(first: datetime, days: int, period: Period, name: str) -> None:
    """Their beginnings rise, the first is not after the span and the next one after the last is."""
    zone = ZoneInfo(name)
    last = first + timedelta(days=days)

    starts = first_instants(period, first, last, zone)

    assert starts == sorted(set(starts))
    assert starts[0] <= first
    assert starts[-1] <= last
    form = "%Y-%m-%d" if period is Period.DAY else "%Y-%m"
    for at in (first, last):
        start = max(start for start in starts if start <= at)
        assert start.astimezone(zone).strftime(form) == at.astimezone(zone).strftime(form)
