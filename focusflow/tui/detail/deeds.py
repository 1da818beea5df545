"""What do the panes of a call change, and in which sentence do they answer?"""

from collections.abc import Awaitable, Callable, Mapping

from focusflow.domain.jobs import JobId, Step
from focusflow.ports import Desk, RunPrice
from focusflow.tui.deeds import costs
from focusflow.tui.facts import Facts
from focusflow.tui.words import STEP_WORDS

Ask = Callable[[str, RunPrice], Awaitable[bool]]
"""Puts a question with its price to the person, and returns whether the answer was yes."""


class Deeds:
    """Each deed returns a sentence for the person. Raises `FocusFlowError` when the store cannot do it now."""

    def __init__(self, desk: Desk, facts: Facts) -> None:
        self._desk = desk
        self._facts = facts

    async def name_speakers(self, job_id: JobId, names: Mapping[str, str]) -> str:
        if not names:
            return "No name was changed."
        if not await self._desk.name_speakers(job_id, names, now=self._facts.clock.now()):
            return "There is no transcript yet whose speakers could be named."
        return f"Renamed; summary and page follow, it costs nothing: {', '.join(names.values())}."

    async def use_summary(self, job_id: JobId, version: int) -> str:
        if not await self._desk.use_summary(job_id, version, now=self._facts.clock.now()):
            return "That version is not kept any more."
        return f"Version {version} is in use now; the page follows. It costs nothing."

    async def do_again(self, job_id: JobId, step: Step, ask: Ask) -> str:
        """Do a step and all after it again; asks first when that is paid for."""
        price = await self._desk.price([job_id], from_step=step)
        word = STEP_WORDS[step]
        if costs(price) and not await ask(f"Do {word} again, and all that follows?", price):
            return "Nothing was done."
        done = await self._desk.process([job_id], from_step=step, now=self._facts.clock.now())
        if not done:
            return f"Somebody works on the call: wait, or {self._facts.key('cancel')} stops that; then it can be done again."
        return f"It goes on from {word}{'' if costs(price) else '; that is free'}."
