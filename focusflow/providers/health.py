"""How does a service behave, as its last requests told? Said only when it changes."""

from collections.abc import Callable
from datetime import timedelta

from focusflow.errors import Held, HoldKind, StepError, Transient, UnfinishedAnswer
from focusflow.events import ServiceChanged, ServiceState
from focusflow.ports import Clock

Tell = Callable[[ServiceChanged], None]
"""Who is told, such as the bus."""

SLOW_SECONDS = 10.0
"""A small request that takes longer than this makes its service a slow one."""
NOTEWORTHY_SECONDS = 1.0
"""A pause that ends so much later than the one announced is announced again."""

_UNUSABLE = frozenset({HoldKind.CREDENTIALS, HoldKind.CREDIT, HoldKind.SERVICE})


def nobody(_: ServiceChanged) -> None:
    """Tell nobody."""


class Health:
    """What is known of one service. A single failure is a hiccup; two in a row, or one that repeating did not mend, is a state."""

    def __init__(self, service: str, *, clock: Clock, tell: Tell = nobody) -> None:
        self._service, self._clock, self._tell = service, clock, tell
        self._told: ServiceChanged | None = None
        self._failure: Exception | None = None
        """The last failure since a request went well."""
        self._best, self._lack = ServiceState.OK, ""
        """What an answer says of the service, and what keeps it from being more."""

    def at_best(self, state: ServiceState, reason: str = "") -> None:
        """Note that the service answers and yet is no better than *state*, until told otherwise."""
        self._best, self._lack = state, reason
        self._change(state, reason=reason)

    def answered(self, seconds: float | None, *, slow_after: float = SLOW_SECONDS) -> None:
        """Note a request that went well; *seconds* None: how long it took says nothing about the service."""
        self._failure = None
        if seconds is not None and seconds > slow_after:
            self._change(ServiceState.SLOW, reason=f"It takes {seconds:.0f} seconds to answer.")
        else:
            self._change(self._best, reason=self._lack)

    def failed(self, error: Exception, *, pause: float, certain: bool = False) -> None:
        """Note a request that failed, perhaps once more; *pause*: seconds until the service may be asked again."""
        if not isinstance(error, StepError):
            return
        again = self._failure is not None and self._failure is not error
        if pause > 0:
            self._change(ServiceState.LIMITED, pause=pause, reason=str(error))
        elif isinstance(error, Held) and error.kind in _UNUSABLE:
            self._change(ServiceState.BROKEN, reason=str(error))
        elif isinstance(error, Transient) and not isinstance(error, UnfinishedAnswer):
            self._failure = error
            if certain or again:
                self._change(ServiceState.BROKEN, reason=str(error))

    def _change(self, state: ServiceState, *, pause: float | None = None, reason: str = "") -> None:
        until = self._clock.now() + timedelta(seconds=pause) if pause else None
        change = ServiceChanged(service=self._service, state=state, until=until, reason=reason)
        if not self._told or _differ(self._told, change):
            self._told = change
            self._tell(change)


def _differ(told: ServiceChanged, change: ServiceChanged) -> bool:
    if told.state is not change.state:
        return True
    if told.until is not None and change.until is not None:
        return (change.until - told.until).total_seconds() > NOTEWORTHY_SECONDS
    return change.state is not ServiceState.SLOW and (told.until, told.reason) != (change.until, change.reason)
