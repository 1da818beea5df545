"""Waits grow, are capped, are scattered and are never negative."""

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from focusflow.domain.backoff import delay

attempts = st.integers(1, 10_000)
times = st.floats(0, 1e9)
spreads = st.floats(0, 1)


@given(attempts, times, times, spreads, st.randoms(use_true_random=False))
def test_a_wait_is_within_its_promise(attempt: int, base: float, cap: float, spread: float, rng: random.Random) -> None:
    """It lies between the scattered part's bottom and the cap, for any attempt however late."""
    longest = min(cap, base * 2.0 ** min(attempt - 1, 64))
    assert (
        max(0.0, (1 - spread) * longest * (1 - 1e-9))
        <= delay(attempt, base=base, cap=cap, spread=spread, rng=rng)
        <= longest
    )


@given(attempts, times, times)
def test_without_chance_a_wait_never_shrinks_with_the_attempts(attempt: int, base: float, cap: float) -> None:
    """Each wait is at least the one before, up to the cap."""
    first, second = (delay(n, base=base, cap=cap, spread=0, rng=random.Random(0)) for n in (attempt, attempt + 1))
    assert first <= second <= cap


def test_waits_double_from_the_base_up_to_the_cap() -> None:
    """One minute, two, four, eight, and never more than the cap."""
    waits = [delay(n, base=60, cap=500, spread=0, rng=random.Random(0)) for n in range(1, 6)]
    assert waits == [60, 120, 240, 480, 500]


def test_waits_are_scattered_even_at_the_cap() -> None:
    """Jobs that failed together because a service was down don't come back together."""
    rng = random.Random(7)
    waits = [delay(50, base=1, cap=100, spread=0.5, rng=rng) for _ in range(1_000)]
    assert min(waits) < 51
    assert max(waits) > 99
    assert 74 < sum(waits) / len(waits) < 76


@pytest.mark.parametrize(
    ("attempt", "base", "cap", "spread"),
    [(0, 1, 1, 0), (1, -1, 1, 0), (1, 1, -1, 0), (1, 1, float("inf"), 0), (1, float("nan"), 1, 0), (1, 1, 1, 1.1)],
)
def test_nonsense_is_refused(attempt: int, base: float, cap: float, spread: float) -> None:
    """A wait that makes no sense is a mistake of the caller, not a wait of 0."""
    with pytest.raises(ValueError, match="no delay"):
        delay(attempt, base=base, cap=cap, spread=spread, rng=random.Random(0))
