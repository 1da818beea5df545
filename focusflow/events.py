"""What does the rest of the program announce, and who hears it?

Events are hints that something changed; the store is the truth. A slow listener loses the oldest events, never blocks the teller.
"""

from collections import deque
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import contextmanager
from datetime import datetime
from enum import StrEnum

import anyio
from msgspec import Struct

from focusflow.domain.budgets import Period
from focusflow.domain.jobs import JobId, LogLine, Status, Step


class JobsAdded(Struct, frozen=True, kw_only=True):
    """Discovery committed new jobs, ready to be looked at."""

    job_ids: tuple[JobId, ...]


class JobChanged(Struct, frozen=True, kw_only=True):
    """A job's row was committed with these values; read the store for the rest."""

    job_id: JobId
    status: Status


class JobProgress(Struct, frozen=True, kw_only=True):
    """How far a running step is; not stored."""

    job_id: JobId
    step: Step
    done: int
    total: int | None
    """In the step's own unit (bytes, polls, characters); None: unknown."""


class SummaryText(Struct, frozen=True, kw_only=True):
    """More of a summary arrived from the model; not stored until it is whole."""

    job_id: JobId
    text: str


class JobLogged(Struct, frozen=True, kw_only=True):
    """A line was added to a job's log."""

    line: LogLine


class ControlChanged(Struct, frozen=True, kw_only=True):
    """The pause flag, an override or the capacity was committed."""


class LoopTicked(Struct, frozen=True, kw_only=True):
    """One of the supervisor's loops finished a tick."""

    loop: str
    """`discovery`, `processor`, `watchdog`, `housekeeping`."""
    at: datetime
    error: str | None
    failures_in_a_row: int
    summary: str


class ServiceState(StrEnum):
    """How a service behaves, as its last requests told."""

    OK = "ok"
    SLOW = "slow"
    LIMITED = "limited"
    """It asked us to wait, or takes only a part of what we have for it."""
    BROKEN = "broken"


class ServiceChanged(Struct, frozen=True, kw_only=True):
    """A service behaves otherwise than before."""

    service: str
    """As its provider is named: `drive`, `assemblyai`, `openai`, `notion`."""
    state: ServiceState
    until: datetime | None = None
    """When it may be asked again, if it said so."""
    reason: str = ""


class BudgetWarned(Struct, frozen=True, kw_only=True):
    """A budget is nearly gone (four fifths), or wholly. Told once of each, by each process that claims."""

    period: Period
    share: float
    """Spent and reserved, as a part of what is allowed: 0.8 and more."""


Event = (
    BudgetWarned
    | ServiceChanged
    | JobsAdded
    | JobChanged
    | JobProgress
    | SummaryText
    | JobLogged
    | ControlChanged
    | LoopTicked
)


class Subscription:
    """One listener's queue; iterate it to receive events."""

    def __init__(self, limit: int) -> None:
        self._events: deque[Event] = deque(maxlen=limit)
        self._arrived = anyio.Event()
        self.dropped = 0
        """How many events were lost because the listener was slow; re-read the store when it grows."""

    def put(self, event: Event) -> None:
        if len(self._events) == self._events.maxlen:
            self.dropped += 1
        self._events.append(event)
        self._arrived.set()

    async def get(self) -> Event:
        """Wait for the next event."""
        while not self._events:
            self._arrived = anyio.Event()
            await self._arrived.wait()
        return self._events.popleft()

    def drain(self) -> list[Event]:
        """Return everything that has arrived, without waiting."""
        events = list(self._events)
        self._events.clear()
        return events

    async def __aiter__(self) -> AsyncIterator[Event]:
        while True:
            yield await self.get()


class Bus:
    """Hands each event to every listener, at once and without waiting for any."""

    def __init__(self) -> None:
        self._subscriptions: set[Subscription] = set()
        self._called: list[Callable[[Event], None]] = []

    def publish(self, event: Event) -> None:
        for listener in self._called:
            listener(event)
        for subscription in self._subscriptions:
            subscription.put(event)

    @contextmanager
    def calling(self, listener: Callable[[Event], None]) -> Iterator[None]:
        """Call *listener* with each event, before anything else happens, while the context lasts; it must not wait."""
        self._called.append(listener)
        try:
            yield
        finally:
            self._called.remove(listener)

    @contextmanager
    def subscribe(self, *, limit: int = 10_000) -> Iterator[Subscription]:
        """Listen while the context lasts."""
        subscription = Subscription(limit)
        self._subscriptions.add(subscription)
        try:
            yield subscription
        finally:
            self._subscriptions.discard(subscription)
