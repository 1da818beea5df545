"""Where is a job on its way, and which attempt is open?"""

from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from functools import partial

import anyio

from focusflow.domain.jobs import Claim, Job, Step
from focusflow.errors import HoldKind, Transient
from focusflow.pipeline.chain import Chain
from focusflow.pipeline.persist import insist

HOLD_SECONDS = {
    HoldKind.BUDGET: 3600.0,
    HoldKind.CREDIT: 1800.0,
    HoldKind.CREDENTIALS: 900.0,
    HoldKind.RATE_LIMIT: 60.0,
    HoldKind.SIDECAR: 600.0,
    HoldKind.DISK: 900.0,
    HoldKind.SERVICE: 900.0,
}
"""How long a job waits when nobody said; at a mended key or a topped-up account it goes on by itself."""


HAND_BACK_SECONDS = 5.0
"""A store that does not answer must not keep a stopping program alive; the lease then runs out instead."""


@asynccontextmanager
async def shielded() -> AsyncIterator[None]:
    """Let what must still be written be written although we are being stopped, for a few seconds at most."""
    with anyio.CancelScope(shield=True), anyio.move_on_after(HAND_BACK_SECONDS):
        yield


class JobRun:
    """One job on its way: the claim, and the step it is at."""

    def __init__(self, chain: Chain, claim: Claim) -> None:
        self.chain = chain
        self.claim = claim
        self.step = Step.DOWNLOAD
        self._begun: dict[Step, int] = {}

    @property
    def job(self) -> Job:
        return self.claim.job

    @asynccontextmanager
    async def attempt(self, step: Step, seconds: float, *, after: int | None = None) -> AsyncIterator[int]:
        """Open an attempt at *step* and yield its id; more than *seconds* is a `Transient`.

        Whoever stores the step's result closes the attempt; an exception leaves that to what becomes of the job. The attempt
        *after* which it comes is closed as done.
        """
        attempt_id = await self.begin(step, after=after)
        with self.deadline(seconds):
            yield attempt_id

    async def begin(self, step: Step, *, after: int | None = None) -> int:
        """Open an attempt at *step*, unless `begun` told of one, and return its id."""
        self.step = step
        if step in self._begun:
            return self._begun.pop(step)
        return await self.chain.store.begin(self.claim, step, now=self.chain.clock.now(), after=after)

    def begun(self, step: Step, attempt_id: int | None) -> None:
        """Note an attempt that the commit of the step before has opened already."""
        if attempt_id is not None:
            self._begun[step] = attempt_id

    @contextmanager
    def deadline(self, seconds: float) -> Iterator[None]:
        """Give the step so many seconds from now on; more is a `Transient`."""
        try:
            with anyio.fail_after(seconds):
                yield
        except TimeoutError as exc:
            raise Transient(
                f"The step {self.step} took longer than {_minutes(seconds)}: it goes on where it was."
            ) from exc

    async def note(self, message: str, level: str = "info") -> None:
        """Write a line to the job's own log."""
        now = self.chain.clock.now()
        await insist(
            self.chain.clock, partial(self.chain.store.log, self.job.id, level, message, step=self.step, now=now)
        )


def _minutes(seconds: float) -> str:
    return f"{seconds / 60:g} minutes"
