"""Who is still alive, and which jobs does nobody work on any more?"""

from collections.abc import Mapping
from datetime import timedelta

from focusflow.ports import Clock, Queue
from focusflow.supervisor.processor import Processor

BEATS_PER_LEASE = 4
"""A lease is renewed so often before it runs out that a slow turn or two does no harm."""

HONEST_LEASE = timedelta(hours=1)
"""Longer ones, and longer than twice our own, are from a clock that was wrong. Other instances may have other leases."""


class Watchdog:
    """Renews our leases, stops jobs we have lost, and takes back the jobs of the dead."""

    def __init__(
        self,
        *,
        queue: Queue,
        processor: Processor,
        clock: Clock,
        lease: timedelta,
        max_rescues: int,
        details: Mapping[str, str],
    ) -> None:
        self._queue, self._processor, self._clock = queue, processor, clock
        self._lease, self._max_rescues, self._details = lease, max_rescues, details

    @property
    def interval(self) -> float:
        return self._lease.total_seconds() / BEATS_PER_LEASE

    async def tick(self) -> str:
        """Beat once and look once. Raises `StoreError`."""
        now = self._clock.now()
        token = self._processor.token
        beating = self._processor.claims
        ours = await self._queue.heartbeat(beating, now=now, lease_until=now + self._lease)
        lost = self._processor.stop_lost([claim for claim in beating if claim.job.id not in ours])
        await self._queue.instance_seen(token, name=self._processor.name, now=now, details=self._details)
        rescued = await self._queue.reclaim_expired(
            now=now, max_rescues=self._max_rescues, no_lease_beyond=now + max(2 * self._lease, HONEST_LEASE)
        )
        return f"{len(ours)} alive, {len(lost)} lost, {len(rescued)} taken back"
