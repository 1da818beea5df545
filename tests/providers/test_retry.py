"""Are only harmless calls repeated, and does a pause hold for everybody?"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

import anyio
import anyio.lowlevel
import pytest

from focusflow.errors import Ambiguous, Held, HoldKind, Permanent, Transient, UnfinishedAnswer
from focusflow.providers.retry import Retrying, RetryPolicy, SharedPause

POLICY = RetryPolicy(attempts=3, first_wait=0.001, longest_wait=0.002, jitter=0.0, longest_pause=30, default_pause=5)


@dataclass
class HandClock:
    """Time that passes only when somebody sleeps, or a test says so."""

    at: datetime = datetime(2026, 11, 23, 9, tzinfo=UTC)
    slept: list[float] = field(default_factory=list)

    def now(self) -> datetime:
        return self.at

    def monotonic(self) -> float:
        return self.at.timestamp()

    async def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.at += timedelta(seconds=seconds)
        await anyio.lowlevel.checkpoint()


@pytest.fixture
def clock() -> HandClock:
    return HandClock()


@pytest.fixture
def pause(clock: HandClock) -> SharedPause:
    return SharedPause("Acme", clock=clock, policy=POLICY)


@pytest.fixture
def retrying(pause: SharedPause) -> Retrying:
    return Retrying(pause, POLICY)


def failing(*errors: Exception) -> tuple[Callable[[], Awaitable[str]], list[int]]:
    """A call that raises each of *errors* in turn and then works, and the list of its attempts."""
    attempts: list[int] = []

    async def call() -> str:
        attempts.append(len(attempts))
        if len(attempts) <= len(errors):
            raise errors[len(attempts) - 1]
        return "done"

    return call, attempts


def too_many(retry_after: float | None = None) -> Held:
    return Held(HoldKind.RATE_LIMIT, "Too many.", retry_after=retry_after)


async def test_a_transient_error_is_tried_again(retrying: Retrying) -> None:
    """Twice here, and then it worked."""
    call, attempts = failing(Transient("a"), Transient("b"))
    assert await retrying(call) == "done"
    assert len(attempts) == 3


async def test_patience_ends_with_the_last_error(retrying: Retrying) -> None:
    """The job takes over, in minutes."""
    call, attempts = failing(*[Transient(str(number)) for number in range(9)])
    with pytest.raises(Transient, match="2"):
        await retrying(call)
    assert len(attempts) == 3


@pytest.mark.parametrize(
    "error",
    [
        Ambiguous("may be done"),
        UnfinishedAnswer("may be billed"),
        Permanent("no"),
        Held(HoldKind.CREDIT, "no money"),
        RuntimeError("a bug"),
    ],
    ids=lambda error: type(error).__name__,
)
async def test_whatever_may_cost_or_cannot_help_is_not_repeated(retrying: Retrying, error: Exception) -> None:
    """The error's type alone decides."""
    call, attempts = failing(error)
    with pytest.raises(type(error)):
        await retrying(call)
    assert len(attempts) == 1


@pytest.mark.parametrize("error", [too_many(7), Transient("busy", retry_after=7)], ids=["429", "503"])
async def test_a_pause_is_as_long_as_the_service_says(retrying: Retrying, clock: HandClock, error: Exception) -> None:
    """No shorter, no longer, and nothing on top."""
    call, _ = failing(error)
    assert await retrying(call) == "done"
    assert clock.slept == [7]


async def test_a_refusal_without_a_time_pauses_by_default(retrying: Retrying, clock: HandClock) -> None:
    """Hammering on would only prolong it."""
    call, _ = failing(too_many())
    assert await retrying(call) == "done"
    assert clock.slept == [5]


async def test_a_long_pause_is_left_to_the_job(retrying: Retrying, pause: SharedPause, clock: HandClock) -> None:
    """A worker is not kept for minutes; whoever comes next is told how long is left."""
    call, attempts = failing(too_many(90))
    with pytest.raises(Held):
        await retrying(call)
    clock.at += timedelta(seconds=50)
    with pytest.raises(Held) as held:
        await pause.wait()
    assert held.value.retry_after == 40
    assert (len(attempts), clock.slept) == (1, [])


async def test_everybody_waits_until_the_longest_pause_is_over(pause: SharedPause, clock: HandClock) -> None:
    """A shorter pause that is heard later does not cut a longer one."""
    pause.note(too_many(20))
    pause.note(too_many(3))
    async with anyio.create_task_group() as group:
        for _ in range(5):
            group.start_soon(pause.wait)
    assert clock.slept[0] == 20
    assert pause.remaining() == 0
