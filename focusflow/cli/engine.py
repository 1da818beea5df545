"""How does the supervisor behind the screen start, go on after trouble, and stop?"""

import logging
from collections.abc import Callable, Mapping
from contextlib import AbstractAsyncContextManager
from datetime import datetime

import anyio

from focusflow.errors import FocusFlowError, leaves_of
from focusflow.events import Bus, LoopTicked
from focusflow.ports import Clock
from focusflow.wiring import Works

_log = logging.getLogger(__name__)

FIRST_PAUSE_SECONDS = 5.0
LONGEST_PAUSE_SECONDS = 300.0
BROKEN = 3
"""What cannot start is shown as broken at once."""

Open = Callable[[], AbstractAsyncContextManager[Works]]


class HostedEngine:
    """Implements `tui.facts.Engine`: a supervisor that comes after the first picture, and may be in trouble."""

    def __init__(self, bus: Bus, clock: Clock) -> None:
        self._bus, self._clock = bus, clock
        self._works: Works | None = None
        self._draining = False
        self._stopping = anyio.Event()

    # --------------------------------------------------------------------------------------------- what the screen asks

    @property
    def draining(self) -> bool:
        return self._draining

    @property
    def in_flight(self) -> int:
        return self._works.supervisor.in_flight if self._works else 0

    def stop_claiming(self) -> None:
        self._draining = True
        if self._works:
            self._works.supervisor.stop_claiming()

    def hand_back(self) -> None:
        if self._works:
            self._works.supervisor.hand_back()

    def next_turns(self) -> Mapping[str, datetime]:
        return self._works.supervisor.next_turns() if self._works else {}

    def set_log_level(self, level: str) -> None:
        logging.getLogger().setLevel(level.upper())

    # ------------------------------------------------------------------------------------------------ what its host does

    def stop(self) -> None:
        """Begin to stop: nothing new is started, work in flight gets its grace."""
        self._draining = True
        self._stopping.set()
        if self._works:
            self._works.supervisor.stop()

    async def run(self, opened: Open) -> None:
        """Work until `stop()`. Trouble is told on the bus and in the log, and everything is opened anew after a pause."""
        failures = 0
        while not self._stopping.is_set():
            try:
                async with opened() as works:
                    await self._supervise(works)
                return
            except Exception as exc:  # noqa: BLE001  # whatever stops the work, the screen stays and says so
                failures += 1
                self._tell(_sentence(exc), failures)
            with anyio.move_on_after(min(FIRST_PAUSE_SECONDS * 2.0 ** (failures - 1), LONGEST_PAUSE_SECONDS)):
                await self._stopping.wait()

    async def _supervise(self, works: Works) -> None:
        self._works = works
        if self._draining:
            works.supervisor.stop_claiming()
        self._tell(None, 0)
        try:
            if not self._stopping.is_set():
                await works.supervisor.run()
        finally:
            self._works = None

    def _tell(self, error: str | None, failures: int) -> None:
        self._bus.publish(
            LoopTicked(
                loop="start",
                at=self._clock.now(),
                error=error,
                failures_in_a_row=failures and failures + BROKEN - 1,
                summary="",
            )
        )


def _sentence(error: Exception) -> str:
    """Return what to tell people of *error*; the log keeps the traceback of what nobody expected."""
    leaves = list(leaves_of(error))
    if expected := next((leaf for leaf in leaves if isinstance(leaf, FocusFlowError)), None):
        _log.error(str(expected), exc_info=error, extra={"loop": "start"})
        return str(expected)
    _log.critical("a mistake stopped the work behind the screen", exc_info=error)
    return f"A mistake in FocusFlow stopped the work ({type(leaves[0]).__name__}). The log has the details."
