"""Does a loop go on after a failure, and stop at a bug?"""

from collections.abc import Iterator

import pytest

from focusflow.errors import SourceError
from focusflow.events import Bus, LoopTicked
from focusflow.ports import Clock
from focusflow.supervisor.loop import LONGEST_PAUSE_SECONDS, Loop


class Turns:
    """A tick that does what the test wrote down, turn by turn."""

    def __init__(self, *outcomes: str | Exception) -> None:
        self._outcomes: Iterator[str | Exception] = iter(outcomes)

    async def tick(self) -> str:
        outcome = next(self._outcomes)
        if isinstance(outcome, Exception):
            raise outcome
        return outcome


async def minute() -> float:
    return 60.0


def loop_of(turns: Turns, clock: Clock, bus: Bus) -> Loop:
    return Loop("discovery", turns.tick, minute, clock=clock, bus=bus)


async def test_a_good_turn_is_announced_and_waits_as_scheduled(clock: Clock) -> None:
    """The screen hears of every turn."""
    bus = Bus()
    loop = loop_of(Turns("2 new"), clock, bus)

    with bus.subscribe() as events:
        assert await loop.turn() == 60.0
        assert events.drain() == [
            LoopTicked(loop="discovery", at=clock.now(), error=None, failures_in_a_row=0, summary="2 new")
        ]


async def test_failing_turns_back_off_and_turn_the_lamp_red(clock: Clock) -> None:
    """One failure is a hiccup, three in a row are shown as broken, one good turn mends it."""
    trouble = SourceError("Drive does not answer.")
    loop = loop_of(Turns(trouble, trouble, trouble, "fine"), clock, Bus())

    pauses = [await loop.turn() for _ in range(3)]

    assert pauses == [5.0, 10.0, 20.0]
    assert loop.broken
    await loop.turn()
    assert not loop.broken


async def test_a_pause_is_never_longer_than_its_cap_unless_the_service_asks(clock: Clock) -> None:
    """A service that says when to come back is believed."""
    asked = SourceError("Drive is rate limiting.", retry_after=900)
    loop = loop_of(Turns(*[SourceError("down")] * 20, asked), clock, Bus())

    pauses = [await loop.turn() for _ in range(20)]

    assert max(pauses) == LONGEST_PAUSE_SECONDS
    assert await loop.turn() == 900


async def test_a_bug_gets_out(clock: Clock) -> None:
    """What nobody expected ends the program instead of being retried for ever."""
    loop = loop_of(Turns(KeyError("mistake")), clock, Bus())

    with pytest.raises(KeyError):
        await loop.turn()
