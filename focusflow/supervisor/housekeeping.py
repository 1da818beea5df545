"""What is thrown away, and when is the database tidied?"""

from datetime import timedelta

from focusflow.ports import Clock, Queue


class Housekeeping:
    """Keeps logs bounded and the database quick."""

    def __init__(self, *, queue: Queue, clock: Clock, log_days: float) -> None:
        self._queue, self._clock, self._log_days = queue, clock, log_days

    async def tick(self) -> str:
        """Prune and optimise once. Raises `StoreError`."""
        now = self._clock.now()
        pruned = await self._queue.prune(events_before=now - timedelta(days=self._log_days), now=now)
        await self._queue.optimize()
        return f"{pruned} old rows removed"
