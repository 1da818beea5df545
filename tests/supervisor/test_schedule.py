"""Are turns taken at the right instants, in the zone of the user?"""

from datetime import UTC, datetime
from typing import Protocol
from zoneinfo import ZoneInfo

import anyio
import pytest

from focusflow.ports import Clock
from focusflow.supervisor.schedule import Wake, day_end, day_start, next_turn

MELBOURNE = ZoneInfo("Australia/Melbourne")


class HandClock(Clock, Protocol):
    def advance(self, seconds: float) -> None: ...
    async def until_somebody_sleeps(self) -> None: ...


def utc(*parts: int) -> datetime:
    return datetime(*parts, tzinfo=UTC)  # type: ignore[arg-type,misc]  # year, month, day, ...


def test_a_cron_turn_is_read_in_the_users_zone() -> None:
    """Three at night is three at night where the user lives."""
    turn = next_turn("0 3 * * *", utc(2026, 11, 23, 10, 0), MELBOURNE)

    assert turn.astimezone(UTC) == utc(2026, 11, 23, 16, 0)


def test_a_turn_is_always_after_now() -> None:
    """A turn that is due this very minute has been taken."""
    assert next_turn("*/5 * * * *", utc(2026, 11, 23, 10, 0), MELBOURNE) > utc(2026, 11, 23, 10, 0)


@pytest.mark.parametrize(
    ("now", "hours"),
    [(utc(2026, 10, 3, 20, 0), 23), (utc(2026, 4, 4, 20, 0), 25), (utc(2026, 11, 23, 10, 0), 24)],
)
def test_a_day_is_as_long_as_the_clocks_say(now: datetime, hours: int) -> None:
    """Budgets roll over at local midnight, also on the days the clocks change."""
    start, end = day_start(now, MELBOURNE), day_end(now, MELBOURNE)

    assert start <= now < end
    assert (end.astimezone(UTC) - start.astimezone(UTC)).total_seconds() == hours * 3600


async def test_a_bell_wakes_at_once(clock: HandClock) -> None:
    """Whoever waits for an hour need not, once the bell rings."""
    wake, rang = Wake(), []

    async def sleeper() -> None:
        rang.append(await wake.wait(clock, 3600))

    with anyio.fail_after(5):
        async with anyio.create_task_group() as group:
            group.start_soon(sleeper)
            await clock.until_somebody_sleeps()
            wake.ring()
    assert rang == [True]


async def test_a_bell_rung_before_is_not_forgotten(clock: HandClock) -> None:
    """What happens between two waits is seen by the next one, and only once."""
    wake = Wake()
    wake.ring()
    wake.ring()

    with anyio.fail_after(5):
        assert await wake.wait(clock, 3600) is True
        assert await wake.wait(clock, 0) is False


async def test_time_passing_ends_a_wait(clock: HandClock) -> None:
    """Without a bell the wait ends by the clock."""
    wake, rang = Wake(), []

    async def sleeper() -> None:
        rang.append(await wake.wait(clock, 60))

    with anyio.fail_after(5):
        async with anyio.create_task_group() as group:
            group.start_soon(sleeper)
            await clock.until_somebody_sleeps()
            clock.advance(61)
    assert rang == [False]
