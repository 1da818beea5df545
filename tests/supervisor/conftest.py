"""A clock that moves only when a test moves it."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import anyio
import pytest


class FakeClock:
    """Time by hand: `sleep` parks until `advance` has passed its end."""

    def __init__(self, start: datetime) -> None:
        self._now = start
        self._parked: list[tuple[datetime, anyio.Event]] = []
        self.parked = anyio.Event()
        """Set whenever somebody goes to sleep."""

    def now(self) -> datetime:
        return self._now

    async def sleep(self, seconds: float) -> None:
        if seconds <= 0:
            await anyio.lowlevel.checkpoint()
            return
        due = (self._now + timedelta(seconds=seconds), anyio.Event())
        self._parked.append(due)
        self.parked.set()
        try:
            await due[1].wait()
        finally:
            self._parked = [other for other in self._parked if other is not due]

    def set(self, instant: datetime) -> None:
        """Move to *instant*, forwards or back, and wake whoever is due."""
        self._now = instant
        for at, event in sorted(self._parked, key=lambda parked: parked[0]):
            if at <= instant:
                event.set()

    def advance(self, seconds: float) -> None:
        self.set(self._now + timedelta(seconds=seconds))

    async def until_somebody_sleeps(self) -> None:
        """Wait until a sleep begins (or one is under way)."""
        if not self._parked:
            self.parked = anyio.Event()
            await self.parked.wait()


MakeClock = Callable[..., FakeClock]


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock(datetime(2026, 11, 23, 10, 0, tzinfo=UTC))
