"""Who runs the loops, wakes them, and brings everything to rest?"""

import logging
from collections.abc import Awaitable, Callable, Coroutine, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import anyio
from anyio.abc import TaskGroup, TaskStatus
from msgspec import Struct

from focusflow.domain.jobs import Job, Status
from focusflow.errors import FocusFlowError, StoreBusy
from focusflow.events import Bus, ControlChanged, JobChanged, JobsAdded
from focusflow.ports import Clock, Control, Delivery, JobRecord, Queue
from focusflow.supervisor.discovery import Discovery
from focusflow.supervisor.housekeeping import Housekeeping
from focusflow.supervisor.loop import Loop
from focusflow.supervisor.processor import Processor
from focusflow.supervisor.schedule import Wake, next_turn
from focusflow.supervisor.watchdog import Watchdog

_log = logging.getLogger(__name__)

HOUSEKEEPING_SECONDS = 3_600.0
DELIVERY_SECONDS = 30.0
IDLE_HORIZON = timedelta(minutes=10)
"""`run --until-idle` waits for what comes back by itself within this time, and leaves the rest to the next run."""

SIGN_OFF_SECONDS = 5.0
IDLE_LOOK_SECONDS = 1.0
"""Idleness is looked for at every event, and this often without one."""


class Schedule(Struct, frozen=True, kw_only=True):
    """When the loops take their turns, as configured."""

    discovery_cron: str
    reconcile_cron: str
    processor_cron: str
    zone: ZoneInfo
    shutdown_grace: float
    """Seconds that work in flight has to finish before it is handed back."""
    delivery_lease: timedelta = timedelta(minutes=30)
    """How long a sink that is tried again is left to whoever tries it; longer than the step may take."""


class Supervisor:
    """One task group with every loop in it. The screen and the headless command run the same one."""

    def __init__(
        self,
        *,
        discovery: Discovery,
        processor: Processor,
        watchdog: Watchdog,
        housekeeping: Housekeeping,
        queue: Queue,
        record: JobRecord,
        control: Control,
        redeliver: Callable[[Job, Delivery], Awaitable[None]],
        inspect: Callable[[], Coroutine[Any, Any, None]],
        schedule: Schedule,
        clock: Clock,
        bus: Bus,
    ) -> None:
        self.discovery, self.processor = discovery, processor
        self._queue, self._record, self._control = queue, record, control
        self._redeliver, self._inspect = redeliver, inspect
        self._schedule, self._clock, self._bus = schedule, clock, bus
        self._jobs: TaskGroup | None = None
        self._asked_at: datetime | None = None
        self._watch_seconds = watchdog.interval
        self._stopping = anyio.Event()
        self._reconcile_at = next_turn(schedule.reconcile_cron, clock.now(), schedule.zone)
        self.discovery_loop = self._loop("discovery", self._discover, self._until_discovery)
        self.measuring_loop = self._loop("measuring", discovery.measure, self._until_due)
        self.processor_loop = self._loop("processor", self._process, self._until_due)
        self.watchdog_loop = self._loop("watchdog", watchdog.tick, lambda: _constant(watchdog.interval))
        self.housekeeping_loop = self._loop("housekeeping", housekeeping.tick, lambda: _constant(HOUSEKEEPING_SECONDS))
        self.delivery_loop = self._loop("deliveries", self._deliver_again, lambda: _constant(DELIVERY_SECONDS))

    def _loop(self, name: str, tick: Callable[[], Awaitable[str]], pause: Callable[[], Awaitable[float]]) -> Loop:
        return Loop(name, tick, pause, clock=self._clock, bus=self._bus)

    def stop(self) -> None:
        """Begin to stop: nothing new is started, work in flight gets its grace."""
        self.processor.draining = True
        self._stopping.set()
        self.processor.on_free()

    # -------------------------------------------------------------------------------------- for the screen beside it

    @property
    def draining(self) -> bool:
        """It starts nothing new, because it is about to stop."""
        return self.processor.draining

    @property
    def in_flight(self) -> int:
        """How many calls it works on now."""
        return len(self.processor.running)

    def stop_claiming(self) -> None:
        """Begin to stop: nothing new is started, what runs is finished."""
        self.processor.draining = True

    def hand_back(self) -> None:
        """Stop what runs and put it back in the queue; what is paid for stays. It does not stop by that."""
        self.processor.stop_all()

    def next_turns(self) -> Mapping[str, datetime]:
        """Return when each loop looks next by itself, by its name; one that has not looked yet is not in it."""
        return {loop.name: loop.next_turn_at for loop in self._loops() if loop.next_turn_at is not None}

    # ------------------------------------------------------------------------------------------------------- its life

    async def run(self, *, until_idle: bool = False, task_status: TaskStatus[None] = anyio.TASK_STATUS_IGNORED) -> None:
        """Run until `stop()`, until idle, or until cancelled. Jobs in flight are handed back on every way out."""
        if not self.processor.by_itself:
            _log.warning("automatic processing is switched off: calls are found, and wait until they are asked for")
        try:
            async with anyio.create_task_group() as jobs:
                self._jobs = jobs
                async with anyio.create_task_group() as loops:
                    loops.start_soon(self._wake_on_events)
                    await (
                        self.watchdog_loop.turn()
                    )  # announce ourselves, and take back what a crash left, before anything else
                    await self._try_mended()
                    for loop in self._loops():
                        loops.start_soon(loop.run)
                    loops.start_soon(self._inspect)  # beside the work: it waits for no sink
                    task_status.started()
                    await (self.until_idle() if until_idle else self._stopping.wait())
                    loops.cancel_scope.cancel()
                await self._let_finish()
                self.processor.stop_all()
        finally:
            self._jobs = None
            await self._sign_off()

    async def _try_mended(self) -> None:
        """Look once, at the start, whether what calls wait for is mended: that is often why somebody started us."""
        try:
            await self._queue.try_mended(now=self._clock.now())
        except FocusFlowError as exc:
            _log.warning(str(exc), exc_info=exc)  # they come back by themselves, only later

    async def process_due(self) -> None:
        """Process what is due now and return when it has come to rest, or after `stop()`; look for nothing else."""
        try:
            async with anyio.create_task_group() as loops:
                loops.start_soon(self.watchdog_loop.run)
                free = Wake()
                self.processor.on_free = free.ring
                await self.discovery.measure()  # what has no price yet is not started under a budget
                async with anyio.create_task_group() as jobs:
                    while not self._stopping.is_set() and (await self.processor.tick(jobs) or self.processor.running):
                        await free.wait(self._clock, self._watch_seconds)
                    await self._let_finish()
                    self.processor.stop_all()
                if not self._stopping.is_set():
                    await self._deliver_again()  # a completed call that is only to be delivered again is no job
                loops.cancel_scope.cancel()
        finally:
            await self._sign_off()

    async def _sign_off(self) -> None:
        """Say that this instance is gone. If that cannot be said, it shows: nobody hears of it any more."""
        try:
            with anyio.CancelScope(shield=True), anyio.move_on_after(SIGN_OFF_SECONDS):
                await self._queue.instance_gone(self.processor.token)
        except FocusFlowError as exc:
            _log.warning(str(exc), exc_info=exc)

    def _loops(self) -> list[Loop]:
        return [
            self.discovery_loop,
            self.measuring_loop,
            self.processor_loop,
            self.watchdog_loop,
            self.housekeeping_loop,
            self.delivery_loop,
        ]

    async def until_idle(self) -> None:
        """Wait until there is nothing left to do, or until `stop()`."""
        look = Wake()
        async with anyio.create_task_group() as group:
            group.start_soon(self._ring_at_events, look)
            while not self._stopping.is_set() and not await self._looks_idle():
                await look.wait(self._clock, IDLE_LOOK_SECONDS)
            group.cancel_scope.cancel()

    async def _looks_idle(self) -> bool:
        try:
            return await self.idle()
        except StoreBusy as exc:
            _log.warning(str(exc), exc_info=exc)  # a database that is locked for a moment says nothing
            return False

    async def _ring_at_events(self, bell: Wake) -> None:
        with self._bus.subscribe(limit=64) as events:
            async for _ in events:
                bell.ring()

    async def idle(self) -> bool:
        """Say whether nothing is eligible, in flight, or due to come back within `IDLE_HORIZON`."""
        looked = self.discovery_loop.turns > 0 or self.discovery_loop.broken
        started = self.processor_loop.turns > 0 or self.processor_loop.broken
        if not looked or not started or self.processor.running:
            return False
        await self._discover_if_asked()
        if any(loop.at_work for loop in (self.discovery_loop, self.measuring_loop, self.delivery_loop)):
            return False
        if not self.measuring_loop.broken and await self.discovery.anything_to_measure():
            return False
        now = self._clock.now()
        due_at = await self._queue.next_due_at(now=now)
        if due_at is not None and due_at <= now + IDLE_HORIZON:
            return False
        delivery_at = await self._record.next_delivery_at()
        if delivery_at is not None and delivery_at <= now + IDLE_HORIZON and not self.delivery_loop.broken:
            return False
        # what is due may stay where it is, because of a pause or a cap: only an attempt tells
        if await self._process() != _NOTHING_STARTED or self.processor.running:
            return False
        return not await self.processor.waits_for_the_minute()

    async def _let_finish(self) -> None:
        """Give work in flight its grace; leases are renewed meanwhile."""
        if not self.processor.running or self._schedule.shutdown_grace <= 0:
            return
        _log.info(
            "waiting for work in flight",
            extra={"jobs": len(self.processor.running), "seconds": self._schedule.shutdown_grace},
        )
        over_at = self._clock.now() + timedelta(seconds=self._schedule.shutdown_grace)
        free = Wake()
        self.processor.on_free = free.ring
        async with anyio.create_task_group() as group:
            group.start_soon(self.watchdog_loop.run)
            while self.processor.running and (left := self._seconds_until(over_at)) > 0:
                await free.wait(self._clock, left)
            group.cancel_scope.cancel()

    async def _wake_on_events(self) -> None:
        """Let the loops know at once what they would find out by themselves later."""
        self.processor.on_free = self.processor_loop.wake.ring
        with self._bus.subscribe() as events:
            async for event in events:
                match event:
                    case JobsAdded() | JobChanged(status=Status.DISCOVERED):
                        self.measuring_loop.wake.ring()
                        self.processor_loop.wake.ring()
                    case JobChanged(status=Status.FAILED):
                        self.watchdog_loop.wake.ring()  # a call that was cancelled stops now, not at the next beat
                    case JobChanged(status=Status.COMPLETED):
                        self.delivery_loop.wake.ring()
                    case ControlChanged():
                        self.processor_loop.wake.ring()

    async def _discover_if_asked(self) -> None:
        """Look for calls at once when somebody asked for it, in this terminal or another."""
        asked_at = (await self._control.control()).discover_requested_at
        if asked_at != self._asked_at:
            self._asked_at = asked_at
            self.discovery_loop.wake.ring()

    async def _discover(self) -> str:
        now = self._clock.now()
        if now >= self._reconcile_at:
            self.discovery.list_all_next()
            self._reconcile_at = next_turn(self._schedule.reconcile_cron, now, self._schedule.zone)
        try:
            return await self.discovery.look()
        finally:
            self.measuring_loop.wake.ring()  # what had no sidecar on any page has none

    async def _process(self) -> str:
        if self._jobs is None:
            return _NOTHING_STARTED
        await self._discover_if_asked()
        started = await self.processor.tick(self._jobs)
        return f"{started} started" if started else _NOTHING_STARTED

    async def _deliver_again(self) -> str:
        """Bring completed calls to sinks that refused them before, one after the other."""
        delivered = 0
        while due := await self._take_delivery():
            for job, delivery in due:
                await self._redeliver(job, delivery)
                delivered += 1
        return f"{delivered} tried again"

    async def _take_delivery(self) -> Sequence[tuple[Job, Delivery]]:
        now = self._clock.now()
        again_at = now + self._schedule.delivery_lease
        return await self._record.take_due_deliveries(limit=1, now=now, again_at=again_at)

    async def _until_discovery(self) -> float:
        return self._seconds_until(next_turn(self._schedule.discovery_cron, self._clock.now(), self._schedule.zone))

    async def _until_due(self) -> float:
        """Wait for the next cron turn, or for the next job that comes back by itself, whichever is first."""
        now = self._clock.now()
        cron_at = next_turn(self._schedule.processor_cron, now, self._schedule.zone)
        due_at = await self._queue.next_due_at(now=now)
        return self._seconds_until(min(cron_at, due_at) if due_at is not None else cron_at)

    def _seconds_until(self, at: datetime) -> float:
        return max((at - self._clock.now()).total_seconds(), 0.0)


_NOTHING_STARTED = "nothing to start"


async def _constant(seconds: float) -> float:
    return seconds
