"""When do days, weeks and months begin, what holds of all that people said, and which calls is there money for?"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from focusflow.domain.budgets import (
    FOR_EVER,
    Budgets,
    Candidate,
    Override,
    OverrideKind,
    Period,
    Spent,
    amount_from_text,
    bounds,
    checked_amount,
    choose,
    in_force,
    last_days,
)
from focusflow.domain.jobs import JobId
from focusflow.errors import BadRequest

NOON = datetime(2026, 5, 4, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)
ZONES = (
    "UTC", "Australia/Melbourne", "America/Santiago", "Asia/Beirut", "Asia/Kathmandu", "Atlantic/Azores",
    "Australia/Lord_Howe", "America/Havana", "Africa/Cairo", "Pacific/Apia",
)  # fmt: skip


# ------------------------------------------------------------------------------------------------------------- periods


@pytest.mark.parametrize(
    ("zone", "day", "start", "hours"),
    [
        # the clocks jump from 24:00 to 01:00: the day begins at 01:00
        ("America/Santiago", datetime(2026, 9, 6, 18, tzinfo=UTC), datetime(2026, 9, 6, 4, tzinfo=UTC), 23),
        # they go back from 24:00 to 23:00: the evening is an hour longer
        ("America/Santiago", datetime(2026, 4, 4, 18, tzinfo=UTC), datetime(2026, 4, 4, 3, tzinfo=UTC), 25),
        ("Asia/Beirut", datetime(2026, 3, 29, 12, tzinfo=UTC), datetime(2026, 3, 28, 22, tzinfo=UTC), 23),
        ("Asia/Beirut", datetime(2026, 10, 24, 12, tzinfo=UTC), datetime(2026, 10, 23, 21, tzinfo=UTC), 25),
        ("Australia/Melbourne", datetime(2026, 10, 4, 3, tzinfo=UTC), datetime(2026, 10, 3, 14, tzinfo=UTC), 23),
        ("Australia/Melbourne", datetime(2026, 4, 5, 3, tzinfo=UTC), datetime(2026, 4, 4, 13, tzinfo=UTC), 25),
        ("Australia/Lord_Howe", datetime(2026, 10, 4, 3, tzinfo=UTC), datetime(2026, 10, 3, 13, 30, tzinfo=UTC), 23.5),
    ],
)
def test_a_day_can_be_shorter_or_longer_than_24_hours(zone: str, day: datetime, start: datetime, hours: float) -> None:
    """Also where the clocks change at midnight itself."""
    assert bounds(Period.DAY, day, ZoneInfo(zone)) == (start, start + hours * HOUR)


@given(st.sampled_from(ZONES), st.sampled_from(Period), st.datetimes(datetime(2020, 1, 1), datetime(2036, 1, 1)))
def test_periods_hold_their_instants_and_leave_no_gap(zone: str, period: Period, naive: datetime) -> None:
    """Every instant is in exactly one period, and where one ends the next one begins."""
    now, where = naive.replace(tzinfo=UTC), ZoneInfo(zone)
    start, end = bounds(period, now, where)
    assert start <= now < end
    assert bounds(period, start, where) == bounds(period, end - timedelta(milliseconds=1), where) == (start, end)
    assert bounds(period, end, where)[0] == end
    assert bounds(period, start - timedelta(milliseconds=1), where)[1] == start


@given(st.sampled_from(ZONES), st.datetimes(datetime(2020, 1, 1), datetime(2036, 1, 1)))
def test_the_last_days_follow_each_other(zone: str, naive: datetime) -> None:
    """Each is a local day, today the last."""
    now, where = naive.replace(tzinfo=UTC), ZoneInfo(zone)
    days = last_days(30, now, where)
    assert days[-1] == bounds(Period.DAY, now, where)[0]
    assert all(HOUR * 22 <= after - before <= HOUR * 48 for before, after in pairwise(days))


# ------------------------------------------------------------------------------------------------------------- amounts


@pytest.mark.parametrize("text", ["NaN", "inf", "-Infinity", "five", "", "$", "1e999", "9" * 30])
def test_what_is_no_amount_is_refused(text: str) -> None:
    """In a sentence, not with a traceback."""
    with pytest.raises(BadRequest):
        checked_amount(amount_from_text(text), at_least=0)


def test_an_amount_is_read_as_people_write_it() -> None:
    assert [amount_from_text(text) for text in ("5", "$2.50", " 0.01 ", "1e1")] == [
        5_000_000,
        2_500_000,
        10_000,
        10_000_000,
    ]


@pytest.mark.parametrize(("micros", "at_least"), [(-1, 0), (0, 1), (10**12 + 1, 0)])
def test_an_absurd_amount_is_refused(micros: int, at_least: int) -> None:
    with pytest.raises(BadRequest, match="is no amount for a budget"):
        checked_amount(micros, at_least=at_least)


# ------------------------------------------------------------------------------------------------------------ in force


def override(kind: OverrideKind, amount: int | None = None, period: Period | None = Period.DAY, n: int = 1) -> Override:
    return Override(
        id=n, kind=kind, period=period, amount_micros=amount, job_id=None, made_at=NOON, made_from="here", reason="",
        until=NOON + HOUR, undone_at=None,
    )  # fmt: skip


def limit(configured: int | None, *overrides: Override) -> int | None:
    allowed = in_force(Budgets(zone=ZoneInfo("UTC"), day_micros=configured).at(NOON), overrides, {})
    return allowed.standings[0].limit_micros


def test_exceptions_count_in_the_order_in_which_they_were_made() -> None:
    """Raises add up, setting replaces what was configured and raised before; other periods are not touched."""
    more, exact = override(OverrideKind.RAISE, 5), override(OverrideKind.SET, 7)
    assert limit(10) == 10
    assert limit(10, more, more) == 20
    assert limit(10, more, exact) == 7
    assert limit(10, exact, more) == 12
    assert limit(None, more) is None
    assert limit(None, exact) == 7
    assert limit(10, override(OverrideKind.RAISE, 5, Period.WEEK)) == 10


def refusal(price: int | None, *overrides: Override, spent: int = 0, **limits: int) -> tuple[str, datetime] | None:
    allowed = in_force(
        Budgets(zone=ZoneInfo("Australia/Melbourne"), **limits).at(NOON),
        overrides,
        {period: Spent(settled_micros=spent) for period in Period},
    )
    found = allowed.refusal(JobId("abc"), price)
    return None if found is None else (found.reason, found.until)


def test_a_refusal_says_which_budget_how_much_and_until_when() -> None:
    """Where several are in the way, the one that ends last: before, it could not be begun anyway."""
    day, month = (bounds(period, NOON, ZoneInfo("Australia/Melbourne"))[1] for period in (Period.DAY, Period.MONTH))
    assert refusal(400_000, spent=700_000, day_micros=1_000_000) == (
        (
            "Over budget: $0.3000 of this day's $1.00 is left, and this call would cost about $0.4000. "
            "It is tried again on 2026-05-05 00:00."
        ),
        day,
    )
    found = refusal(400_000, spent=700_000, day_micros=1_000_000, month_micros=1_000_000)
    assert found is not None
    assert "this month's $1.00" in found[0]
    assert found[1] == month
    assert refusal(300_000, spent=700_000, day_micros=1_000_000) is None


def test_a_call_dearer_than_the_whole_budget_names_the_way_out() -> None:
    """Tomorrow would not help."""
    found = refusal(7_000_000, day_micros=5_000_000)
    assert found is not None
    assert "more than the whole budget of a day ($5.00)" in found[0]
    assert "`focusflow budget lift abc`" in found[0]
    assert "tried again" not in found[0]


def test_a_single_dear_call_waits_for_a_yes_and_an_unpriced_one_too() -> None:
    """Neither comes back by itself."""
    assert refusal(2_000_000, call_micros=1_000_000) == (
        (
            "This call would cost about $2.00, and a single call may cost $1.00: "
            "it waits for your yes, `focusflow budget lift abc`."
        ),
        FOR_EVER,
    )
    found = refusal(None, day_micros=1)
    assert found is not None
    assert found[0].startswith("No price is known")
    assert refusal(None) is None


def test_a_stop_holds_back_what_costs_money_even_where_budgets_are_lifted() -> None:
    """What is free goes on."""
    stop, lift = override(OverrideKind.STOP, period=None), override(OverrideKind.LIFT, period=None)
    found = refusal(1, stop, lift)
    assert found is not None
    assert found[0].startswith("All spending is stopped until 2026-05-04 23:00")
    assert refusal(0, stop) is None
    assert refusal(10, lift, day_micros=1) is None


@given(
    prices=st.lists(st.none() | st.integers(0, 50), max_size=20),
    spent=st.integers(0, 150),
    day=st.integers(0, 100),
    at_most=st.integers(0, 20),
    fresh_left=st.none() | st.integers(0, 20),
)
def test_a_choice_never_exceeds_a_budget_or_a_number(
    prices: list[int | None], spent: int, day: int, at_most: int, fresh_left: int | None
) -> None:
    """Whatever costs something fits into what is left; nothing is taken and held at once; the order is kept."""
    allowed = in_force(
        Budgets(zone=ZoneInfo("UTC"), day_micros=day).at(NOON), (), {Period.DAY: Spent(reserved_micros=spent)}
    )
    found = [
        Candidate(
            job_id=JobId(f"{n:02}"),
            price=price,
            reserves=price or 0,
            fresh=True,
            measured=True,
            lifted=False,
            held=False,
        )
        for n, price in enumerate(prices)
    ]
    choice = choose(found, allowed, at_most=at_most, fresh_left=fresh_left)
    assert list(choice.taken) == sorted(choice.taken)
    assert len(choice.taken) <= min(at_most, at_most if fresh_left is None else fresh_left)
    assert not set(choice.taken) & set(choice.held)
    assert choice.micros == 0 or spent + choice.micros <= day
