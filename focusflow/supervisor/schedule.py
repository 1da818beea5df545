"""When is a loop's next turn, and how does it wait for it?"""

from datetime import datetime
from zoneinfo import ZoneInfo

import anyio
from cronsim import CronSim

from focusflow.domain.budgets import Period, bounds
from focusflow.ports import Clock


def next_turn(cron: str, now: datetime, zone: ZoneInfo) -> datetime:
    """Return the first instant after *now* at which *cron* (five fields, read in *zone*) is due."""
    return next(CronSim(cron, now.astimezone(zone)))


def day_start(now: datetime, zone: ZoneInfo) -> datetime:
    """Return the last local midnight, as an instant."""
    return bounds(Period.DAY, now, zone)[0]


def day_end(now: datetime, zone: ZoneInfo) -> datetime:
    """Return the next local midnight, as an instant, also across a change of the clocks."""
    return bounds(Period.DAY, now, zone)[1]


class Wake:
    """A bell that is remembered until somebody wakes up by it; ringing it often is ringing it once."""

    def __init__(self) -> None:
        self._event = anyio.Event()

    def ring(self) -> None:
        self._event.set()

    @property
    def rung(self) -> bool:
        return self._event.is_set()

    async def wait(self, clock: Clock, seconds: float) -> bool:
        """Wait for the bell, at most *seconds*; return whether it rang."""
        if not self._event.is_set() and seconds > 0:
            async with anyio.create_task_group() as group:

                async def nap() -> None:
                    await clock.sleep(seconds)
                    group.cancel_scope.cancel()

                group.start_soon(nap)
                await self._event.wait()
                group.cancel_scope.cancel()
        rang = self._event.is_set()
        if rang:
            self._event = anyio.Event()
        return rang
