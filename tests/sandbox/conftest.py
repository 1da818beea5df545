"""What the sandbox's tests share: a hand-turned clock, a fault plan, a request log and a client session."""

from collections.abc import AsyncIterator
from dataclasses import dataclass

import aiohttp
import pytest

from focusflow.sandbox.faults import FaultPlan
from focusflow.sandbox.request_log import RequestLog
from focusflow.sandbox.service import Bill


@dataclass
class HandClock:
    """A Unix clock that only moves when a test says so."""

    now: float = 1_795_431_600.0  # 2026-11-23T09:00:00Z

    def __call__(self) -> float:
        return self.now

    def advance(self, seconds: float) -> None:
        self.now += seconds


@pytest.fixture
def clock() -> HandClock:
    return HandClock()


@pytest.fixture
def bill() -> Bill:
    return Bill()


@pytest.fixture
def faults() -> FaultPlan:
    return FaultPlan()


@pytest.fixture
def log() -> RequestLog:
    return RequestLog()


@pytest.fixture
async def session() -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession() as client:
        yield client
