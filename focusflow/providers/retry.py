"""When does a harmless call go out again? Seconds later, a few times; and all workers of a service pause together."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import TypeVar

import stamina
from msgspec import Struct

from focusflow.errors import Ambiguous, Held, HoldKind, Transient, UnfinishedAnswer
from focusflow.ports import Clock
from focusflow.providers.health import SLOW_SECONDS, Health

stamina.instrumentation.set_on_retry_hooks(())  # what comes of the retries is told, in our own words

T = TypeVar("T")


class RetryPolicy(Struct, frozen=True, kw_only=True):
    """How patient an adapter is before it hands the trouble to the job. Everything in seconds."""

    attempts: int = 4
    first_wait: float = 0.5
    longest_wait: float = 8.0
    jitter: float = 1.0
    longest_pause: float = 30.0
    """A service that asks for more than this is not waited for here: the job goes back to rest instead."""
    default_pause: float = 5.0
    """After a refusal for too many requests that does not say how long."""


class SharedPause:
    """A service asked for a pause, so everybody who talks to it keeps it, not only the one who was told."""

    def __init__(self, service: str, *, clock: Clock, policy: RetryPolicy, health: Health | None = None) -> None:
        self._service, self._clock, self._policy = service, clock, policy
        self._health = health or Health(service, clock=clock)
        self._until: float | None = None  # by the monotonic clock: a minute is a minute, whatever is on the wall

    def remaining(self) -> float:
        """Seconds until the service may be asked again."""
        return 0.0 if self._until is None else max(0.0, self._until - self._clock.monotonic())

    @asynccontextmanager
    async def request(self, *, slow_after: float | None = SLOW_SECONDS) -> AsyncIterator[None]:
        """Let the pause pass, then one request happen, and note how that goes.

        *slow_after*: seconds from which on the service is slow; None where they only tell how much there was to send.
        """
        await self.wait()
        began = self._clock.monotonic()
        try:
            yield
        except Exception as error:
            self.note(error)
            raise
        if self.remaining() <= 0:  # else it was asked for while this request was under way
            took = self._clock.monotonic() - began
            self._health.answered(None if slow_after is None else took, slow_after=slow_after or SLOW_SECONDS)

    def gave_up(self, error: Exception) -> None:
        """Note that repeating did not mend *error*."""
        self._health.failed(error, pause=self.remaining(), certain=True)

    def note(self, error: Exception) -> None:
        """Pause everyone if *error* says that the service wants it."""
        refused = isinstance(error, Held) and error.kind is HoldKind.RATE_LIMIT
        asked = error.retry_after if isinstance(error, Held | Transient) else None
        if refused or asked:
            until = self._clock.monotonic() + (asked or self._policy.default_pause)
            self._until = until if self._until is None else max(until, self._until)
        self._health.failed(error, pause=self.remaining())

    async def wait(self) -> None:
        """Let the pause pass. Raises `Held` instead when it is too long to sit through."""
        while (left := self.remaining()) > 0:
            if left > self._policy.longest_pause:
                raise Held(
                    HoldKind.RATE_LIMIT, f"{self._service} asked us to wait {left:.0f} seconds.", retry_after=left
                )
            await self._clock.sleep(left)


class Retrying:
    """Repeats calls that may be repeated. What a failure means is read from our own errors, nothing else."""

    def __init__(self, pause: SharedPause, policy: RetryPolicy) -> None:
        self._pause, self._policy = pause, policy

    async def __call__(self, call: Callable[[], Awaitable[T]], *, slow_after: float | None = SLOW_SECONDS) -> T:
        """Return what *call* returns; raise its last error when patience is over or repeating would not help.

        *slow_after* as `SharedPause.request` has it.
        """
        try:
            return await self._patiently(call, slow_after)
        except Exception as error:
            self._pause.gave_up(error)
            raise

    async def _patiently(self, call: Callable[[], Awaitable[T]], slow_after: float | None) -> T:
        async for attempt in stamina.retry_context(
            on=self._again,
            attempts=self._policy.attempts,
            timeout=None,  # each attempt has its own deadline
            wait_initial=self._policy.first_wait,
            wait_max=self._policy.longest_wait,
            wait_jitter=self._policy.jitter,
        ):
            with attempt:
                async with self._pause.request(slow_after=slow_after):
                    return await call()
        raise AssertionError("stamina raises the last error")

    def _again(self, error: Exception) -> bool | float:
        if self._pause.remaining() > self._policy.longest_pause:
            return False
        if isinstance(error, Held):
            return 0.0 if error.kind is HoldKind.RATE_LIMIT else False  # the pause itself is the wait
        if isinstance(error, Ambiguous | UnfinishedAnswer) or not isinstance(error, Transient):
            return False
        return 0.0 if error.retry_after else True
