"""How does a loop go on when one of its turns fails?"""

import logging
from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta

from focusflow.errors import FocusFlowError, SourceError
from focusflow.events import Bus, LoopTicked
from focusflow.ports import Clock
from focusflow.supervisor.schedule import Wake

_log = logging.getLogger(__name__)

FIRST_PAUSE_SECONDS = 5.0
LONGEST_PAUSE_SECONDS = 300.0
RED_AFTER = 3
"""So many failures in a row are shown as broken rather than as a hiccup."""


class Loop:
    """Takes turns for ever: one tick, then a wait. An expected error is logged and backed off from; a bug gets out."""

    def __init__(
        self,
        name: str,
        tick: Callable[[], Awaitable[str]],
        pause: Callable[[], Awaitable[float]],
        *,
        clock: Clock,
        bus: Bus,
    ) -> None:
        self.name = name
        self.wake = Wake()
        self.turns = 0
        """Turns that ended well."""
        self.failures_in_a_row = 0
        self.error: FocusFlowError | None = None
        """Why the last turn failed, if it did."""
        self.next_turn_at: datetime | None = None
        """When it looks next by itself; None while it has not looked yet."""
        self._tick, self._pause, self._clock, self._bus = tick, pause, clock, bus
        self._in_turn = False

    @property
    def at_work(self) -> bool:
        """A turn is being taken, or has been rung for."""
        return self._in_turn or self.wake.rung

    @property
    def broken(self) -> bool:
        return self.failures_in_a_row >= RED_AFTER

    async def run(self) -> None:
        while True:
            seconds = await self.turn()
            self.next_turn_at = self._clock.now() + timedelta(seconds=seconds)
            await self.wake.wait(self._clock, seconds)

    async def turn(self) -> float:
        """Take one turn and return how long to wait for the next."""
        self._in_turn = True
        try:
            summary = await self._tick()
            seconds = await self._pause()
        except FocusFlowError as exc:
            return self._failed(exc)
        finally:
            self._in_turn = False
        self.failures_in_a_row, self.error = 0, None
        self.turns += 1
        self._announce(None, summary)
        return seconds

    def _failed(self, error: FocusFlowError) -> float:
        self.failures_in_a_row, self.error = self.failures_in_a_row + 1, error
        pause = min(FIRST_PAUSE_SECONDS * 2.0 ** (self.failures_in_a_row - 1), LONGEST_PAUSE_SECONDS)
        asked = error.retry_after if isinstance(error, SourceError) else None
        _log.error(str(error), exc_info=error, extra={"loop": self.name, "failures_in_a_row": self.failures_in_a_row})
        self._announce(str(error), "")
        return max(pause, asked or 0.0)

    def _announce(self, error: str | None, summary: str) -> None:
        self._bus.publish(
            LoopTicked(
                loop=self.name,
                at=self._clock.now(),
                error=error,
                failures_in_a_row=self.failures_in_a_row,
                summary=summary,
            )
        )
