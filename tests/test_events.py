"""Does every listener hear everything that fits, and is nobody ever kept waiting by one?"""

import anyio
from hypothesis import given
from hypothesis import strategies as st

from focusflow.domain.jobs import JobId, Status
from focusflow.events import Bus, ControlChanged, Event, JobChanged, JobsAdded


def change(n: int) -> JobChanged:
    return JobChanged(job_id=JobId(str(n)), status=Status.DISCOVERED)


def test_every_listener_hears_what_is_said_while_it_listens() -> None:
    """Not before, not after, each on its own."""
    bus = Bus()
    bus.publish(change(0))
    with bus.subscribe() as early:
        bus.publish(change(1))
        with bus.subscribe() as late:
            bus.publish(change(2))
        bus.publish(change(3))
    bus.publish(change(4))

    assert early.drain() == [change(1), change(2), change(3)]
    assert late.drain() == [change(2)]
    assert early.drain() == []


@given(said=st.integers(0, 40), limit=st.integers(1, 20))
def test_a_slow_listener_loses_the_oldest_and_knows_how_many(said: int, limit: int) -> None:
    """It re-reads the store when the count grows; the teller never waits."""
    bus = Bus()
    with bus.subscribe(limit=limit) as slow:
        for n in range(said):
            bus.publish(change(n))

        assert slow.dropped == max(0, said - limit)
        assert slow.drain() == [change(n) for n in range(max(0, said - limit), said)]


async def test_a_listener_that_waits_is_woken() -> None:
    """By the first thing said; what comes meanwhile is kept in order."""
    bus, heard = Bus(), []
    with anyio.fail_after(5), bus.subscribe() as events:
        async with anyio.create_task_group() as group:

            async def listen() -> None:
                async for event in events:
                    heard.append(event)
                    if len(heard) == 3:
                        return

            group.start_soon(listen)
            await anyio.lowlevel.checkpoint()
            for event in (ControlChanged(), JobsAdded(job_ids=()), change(1)):
                bus.publish(event)

    assert heard == [ControlChanged(), JobsAdded(job_ids=()), change(1)]


async def test_a_listener_that_is_cancelled_has_left() -> None:
    """Nothing is kept for it."""
    bus = Bus()
    with bus.subscribe() as events:
        with anyio.move_on_after(0):
            await events.get()
        bus.publish(change(1))
        assert await events.get() == change(1)

    assert bus._subscriptions == set()


def test_who_is_called_hears_each_event_as_it_happens() -> None:
    """Before the teller goes on, and not a moment longer than it wants to."""
    bus = Bus()
    heard: list[Event] = []
    with bus.calling(heard.append):
        bus.publish(change(1))
        assert heard == [change(1)]
    bus.publish(change(2))

    assert heard == [change(1)]
