"""Which jobs are started now, and how many run at once?"""

import logging
from collections.abc import Awaitable, Callable, Iterable
from datetime import timedelta
from itertools import count

import anyio
from anyio.abc import TaskGroup
from msgspec import Struct, field

from focusflow.domain.budgets import Budgets
from focusflow.domain.jobs import Claim, JobId
from focusflow.errors import FocusFlowError
from focusflow.ports import ClaimLimits, Clock, Control, Queue
from focusflow.supervisor.schedule import day_start

_log = logging.getLogger(__name__)


class Throttle(Struct, frozen=True, kw_only=True):
    """How much is processed, as configured."""

    concurrency: int
    batch: int
    newest_first: bool
    max_parallel: int | None
    daily_max_jobs: int | None
    max_jobs_per_minute: int | None
    budgets: Budgets
    lease: timedelta
    by_itself: bool = True
    """False: calls are found and wait, and only those that somebody asks for are begun."""


class _Running(Struct, frozen=True, kw_only=True):
    """A claim that is worked on, and what stops the work."""

    claim: Claim
    scope: anyio.CancelScope = field(default_factory=anyio.CancelScope)


class Processor:
    """Claims due jobs and runs each in the task group it was given, never more at once than the limiter allows."""

    def __init__(
        self,
        *,
        queue: Queue,
        control: Control,
        run_job: Callable[[Claim], Awaitable[None]],
        throttle: Throttle,
        clock: Clock,
        token: str,
        name: str,
        only: tuple[JobId, ...] | None = None,
    ) -> None:
        self._queue, self._control, self._run_job = queue, control, run_job
        self._throttle, self._clock = throttle, clock
        self.token, self.name = token, name
        self._only = only
        self.limiter = anyio.CapacityLimiter(throttle.concurrency)
        """One token for each running job; its borrowers are the jobs that run now."""
        self.draining = False
        self._turn = anyio.Lock()  # two ticks at once would both take what room there is
        self._calls = count()  # a claim's token is never used again: a job may be cancelled and claimed anew
        self._running: dict[JobId, _Running] = {}
        self.on_free: Callable[[], None] = _nobody
        """Called when a job has ended and there is room for another."""

    @property
    def by_itself(self) -> bool:
        """It begins calls that nobody asked for."""
        return self._throttle.by_itself

    @property
    def running(self) -> frozenset[JobId]:
        return frozenset(self._running)

    @property
    def claims(self) -> tuple[Claim, ...]:
        """The claims that are worked on here, lost ones among them until they are stopped."""
        return tuple(running.claim for running in self._running.values())

    async def tick(self, jobs: TaskGroup) -> int:
        """Start what is due, as far as there is room, in *jobs*; return how many were started. Raises `StoreError`."""
        async with self._turn:
            return await self._start(jobs)

    async def _start(self, jobs: TaskGroup) -> int:
        control = await self._control.control()
        if control.paused or self.draining:
            return 0
        self.limiter.total_tokens = control.capacity if control.capacity is not None else self._throttle.concurrency
        await self._queue.requeue_due(now=self._clock.now())
        started = 0
        while (room := int(self.limiter.available_tokens)) > 0 and not self.draining:
            claims = await self._start_some(jobs, room)
            started += claims
            if claims == 0:
                break
        return started

    async def waits_for_the_minute(self) -> bool:
        """Say whether a due job waits only for the cap of jobs a minute. Raises `StoreError`."""
        cap = self._throttle.max_jobs_per_minute
        if cap is None or self.draining or (await self._control.control()).paused:
            return False
        return await self._queue.minute_is_full(max_jobs=cap, now=self._clock.now())

    async def _start_some(self, jobs: TaskGroup, room: int) -> int:
        now = self._clock.now()
        with anyio.CancelScope(shield=True):  # a claim that is committed must reach somebody who gives it back
            claims = await self._queue.claim(
                self._limits(room),
                token=f"{self.token}.{next(self._calls)}",
                claimed_by=self.name,
                now=now,
                lease_until=now + self._throttle.lease,
            )
            for claim in claims:
                self.limiter.acquire_on_behalf_of_nowait(claim.job.id)
                self._running[claim.job.id] = _Running(claim=claim)
                jobs.start_soon(self._run, claim)
        return len(claims)

    def _limits(self, room: int) -> ClaimLimits:
        now, budgets = self._clock.now(), self._throttle.budgets
        return ClaimLimits(
            batch=min(room, self._throttle.batch),
            newest_first=self._throttle.newest_first,
            day_start=day_start(now, budgets.zone),
            day_max_jobs=self._throttle.daily_max_jobs,
            minute_max_jobs=self._throttle.max_jobs_per_minute,
            money=budgets.at(now),
            max_parallel=self._throttle.max_parallel,
            only_asked=not self._throttle.by_itself,
            ids=self._only,
            exclude=tuple(self._running),
        )

    async def _run(self, claim: Claim) -> None:
        try:
            with self._running[claim.job.id].scope:
                await self._run_job(claim)
        except FocusFlowError as exc:
            # the store is out of reach: nothing can be recorded now, and the lease, no longer renewed, hands the job back
            _log.error(str(exc), exc_info=exc, extra={"job": claim.job.id})
        finally:
            del self._running[claim.job.id]
            self.limiter.release_on_behalf_of(claim.job.id)
            self.on_free()

    def stop_lost(self, lost: Iterable[Claim]) -> frozenset[JobId]:
        """Cancel those of *lost* that are still worked on; return their jobs' ids."""
        tokens = {claim.job.id: claim.token for claim in lost}
        stopped = [run for job_id, run in self._running.items() if tokens.get(job_id) == run.claim.token]
        for running in stopped:
            _log.warning("the job is not ours any more and is stopped", extra={"job": running.claim.job.id})
            running.scope.cancel()
        return frozenset(running.claim.job.id for running in stopped)

    def stop_all(self) -> None:
        """Cancel every running job; each hands itself back."""
        for running in self._running.values():
            running.scope.cancel()


def _nobody() -> None:
    return None
