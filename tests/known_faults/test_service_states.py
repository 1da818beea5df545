"""Do the bus and whoever listens hear how a service behaves, once for each change, with a sentence where something is wrong?"""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

import anyio
import pytest

from focusflow.domain.jobs import Status
from focusflow.events import ServiceChanged, ServiceState, Subscription

if TYPE_CHECKING:
    from tests.known_faults.conftest import OpenWorld

OK, LIMITED, BROKEN = ServiceState.OK, ServiceState.LIMITED, ServiceState.BROKEN
QUICK = "spanish-order"


def heard_of(service: str, events: Subscription) -> list[ServiceChanged]:
    return [event for event in events.drain() if isinstance(event, ServiceChanged) and event.service == service]


async def until_troubled(service: str, events: Subscription) -> ServiceChanged:
    """Wait until the service is anything but well."""
    while True:
        event = await events.get()
        if isinstance(event, ServiceChanged) and event.service == service and event.state is not OK:
            return event


async def test_services_that_work_are_told_of_once(world: OpenWorld) -> None:
    """Two calls through all four services: each is OK from its first answer on, and nothing more is said."""
    async with world() as w, w.opened() as product:
        with product.works.bus.subscribe() as events:
            w.call()
            w.call()
            await product.look_and_process()
            told = [event for event in events.drain() if isinstance(event, ServiceChanged)]
        assert sorted((event.service, event.state) for event in told) == [
            ("assemblyai", OK),
            ("drive", OK),
            ("notion", OK),
            ("openai", OK),
        ]


async def test_a_service_that_asks_for_a_pause_is_limited_until_then(world: OpenWorld) -> None:
    """A 429 with a minute to wait: its end is told, and so is that everything is well again."""
    async with world() as w, w.opened() as product:
        with product.works.bus.subscribe() as events:
            w.fault("assemblyai", "status", path="upload", status=429, retry_after=60)
            w.call(script=QUICK)
            began = w.clock.now()
            await product.look_and_process()
            (limited,) = heard_of("assemblyai", events)
            await product.in_due_time()
            after = heard_of("assemblyai", events)
        assert (limited.state, limited.reason) == (LIMITED, "AssemblyAI has had too many requests.")
        assert limited.until is not None
        assert 59 <= (limited.until - began).total_seconds() <= 61
        assert [event.state for event in after] == [OK]


async def test_a_refused_key_breaks_a_service_and_the_sentence_says_which(world: OpenWorld) -> None:
    """No second attempt is needed to know that."""
    async with world() as w, w.opened() as product:
        with product.works.bus.subscribe() as events:
            w.fault("openai", "status", status=401)
            w.call()
            await product.look_and_process()
            told = heard_of("openai", events)
        assert [event.state for event in told] == [BROKEN]
        assert "key" in told[0].reason


async def test_a_single_hiccup_is_not_told_and_a_lasting_one_is(world: OpenWorld) -> None:
    """One answer of 500 is repeated in silence; a service that answers nothing else is broken, then well again."""
    async with world() as w, w.opened() as product:
        with product.works.bus.subscribe() as events:
            w.fault("notion", "status", method="POST", path="query", status=500)
            w.call()
            await product.look_and_process()
            assert [event.state for event in heard_of("notion", events)] == [OK]
            w.fault("notion", "status", status=500, times=None)
            w.call()
            await product.look_and_process()
            broken = heard_of("notion", events)
            assert [event.state for event in broken] == [BROKEN]
            assert "Notion" in broken[0].reason
            w.sandbox.faults.clear()
            await product.deliver_in_due_time()
            assert [event.state for event in heard_of("notion", events)] == [OK]


@pytest.mark.parametrize(
    ("setting", "state", "reason"),
    [
        ({"notion__properties__direction": "Richtung"}, LIMITED, "The property 'Richtung' is not in the database"),
        ({"notion__database_id": "0" * 32}, BROKEN, "Notion does not show the database"),
    ],
)
async def test_a_database_that_is_not_as_it_should_be_is_told_of_at_the_start(
    real_time: OpenWorld, setting: dict[str, str], state: ServiceState, reason: str
) -> None:
    """Before there is any call: what is configured and not there is named, or not shared."""
    async with real_time() as w, w.opened(**setting) as product:
        with product.works.bus.subscribe() as events, anyio.fail_after(10):
            async with anyio.create_task_group() as group:
                await group.start(product.works.supervisor.run)
                troubled = await until_troubled("notion", events)
                product.works.supervisor.stop()
        assert troubled.state is state
        assert troubled.reason.startswith(reason)


async def test_a_sink_that_cannot_be_asked_keeps_nobody_from_working(real_time: OpenWorld) -> None:
    """A wrong key of one sink is told at the start; calls are done all the same."""
    async with real_time() as w, w.opened() as product:
        w.take_keys("notion", wrong=True)
        w.call(script=QUICK)
        with product.works.bus.subscribe() as events:
            await product.run_until_idle()
            told = heard_of("notion", events)
        assert await product.statuses() == [Status.COMPLETED]
        assert {event.state for event in told} == {BROKEN}


async def test_a_column_that_is_added_is_written_from_then_on(world: OpenWorld) -> None:
    """Nothing needs to be started anew; that nothing is lacking any more is told too."""
    async with world() as w, w.opened(notion__properties__direction="Richtung") as product:
        with product.works.bus.subscribe() as events:
            w.call()
            await product.look_and_process()
            assert [event.state for event in heard_of("notion", events)] == [OK, LIMITED]
            w.sandbox.notion.rename_property(w.database_id, "Direction", "Richtung")
            w.clock.at += timedelta(minutes=10)
            w.call()
            await product.look_and_process()
            assert [event.state for event in heard_of("notion", events)] == [OK]
        assert [page["properties"]["Richtung"]["select"] is None for page in w.sandbox.notion.pages(w.database_id)] == [
            True,
            False,
        ]
