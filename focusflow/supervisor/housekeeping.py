"""What is thrown away, and when is the database tidied?"""

import logging
from collections.abc import Awaitable, Callable
from datetime import timedelta

from focusflow.ports import Clock, Queue

_log = logging.getLogger(__name__)


class Housekeeping:
    """Keeps logs bounded, audio from staying and the database quick."""

    def __init__(self, *, queue: Queue, clock: Clock, log_days: float, sweep: Callable[[], Awaitable[int]]) -> None:
        self._queue, self._clock, self._log_days = queue, clock, log_days
        self._sweep = sweep
        """Removes audio that nobody works on, and returns of how many calls."""

    async def tick(self) -> str:
        """Prune, sweep and optimise once. Raises `StoreError`."""
        now = self._clock.now()
        pruned = await self._queue.prune(events_before=now - timedelta(days=self._log_days), now=now)
        swept = await self._swept()
        await self._queue.optimize()
        return f"{pruned} old rows and {swept} leftovers removed"

    async def _swept(self) -> int:
        try:
            return await self._sweep()
        except OSError as exc:  # it may go at the next turn, and no call waits for it
            _log.warning("leftover audio could not be removed", extra={"reason": str(exc)})
            return 0
