"""Does a table of calls get the right rows, in any order and direction, from any place, for any filter and search?"""

from __future__ import annotations

import itertools
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from focusflow.domain.jobs import Job, JobId, Status, Step
from focusflow.ports import Delivery, JobFilter, JobRow, Order

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.store.conftest import World

MINUTE = timedelta(minutes=1)
DAY = timedelta(days=1)


async def ids(world: World, **filter: object) -> list[JobId]:
    """Return a list's ids."""
    rows = await world.store.page(JobFilter(**filter), limit=50)  # type: ignore[arg-type]  # a builder
    return [row.job.id for row in rows]


# ---------------------------------------------------------------------------------------------------------------- lists


async def test_pages_follow_one_another_without_gap_or_repeat(world: World) -> None:
    """A page starts after the row that the last one ended with, in any mix of statuses."""
    for _ in range(4):
        await world.absorb(*(world.arrival() for _ in range(3)))
        world.later(MINUTE)
    await world.claim(2)
    every = await ids(world)
    assert len(every) == 12
    for statuses in ((), (Status.DISCOVERED, Status.TRANSCRIBING), (Status.DISCOVERED,)):
        expected = await ids(world, statuses=statuses)
        walked: list[JobId] = []
        before: JobId | None = None
        while page := await world.store.page(JobFilter(statuses=statuses), limit=5, beyond=before):
            walked += [row.job.id for row in page]
            before = JobId(page[-1].job.id)
        assert walked == expected
        assert len(walked) == (10 if statuses == (Status.DISCOVERED,) else 12)


async def test_a_list_shows_how_far_the_sinks_are(world: World) -> None:
    """Each row with its deliveries, by name of the sink."""
    job_id = await world.completed(Delivery(sink="obsidian", ref="b"), Delivery(sink="notion", error="down"))
    other = await world.add()
    rows = {row.job.id: row.deliveries for row in await world.store.page(JobFilter(), limit=5)}
    assert [delivery.sink for delivery in rows[job_id]] == ["notion", "obsidian"]
    assert rows[other] == ()


async def test_every_word_of_a_search_must_be_found_somewhere(world: World) -> None:
    """In name, number, file name, transcript or summary; in any script and case; the start of a word is enough."""
    claim = await world.claimed(contact_name="Zoë Ömer", contact_number="+61 400 123 456")
    await world.transcribe(claim, text="the plumber comes on Tuesday")
    await world.summarize(claim, markdown="# Invoice: 100% paid_up")
    other = await world.add(contact_name="Иван", contact_number=None)
    for search in ("ZOË", "ömer", "123 456", "61400123", "plumb", "TUESDAY zoë", "invoice tues", claim.job.file_name):
        assert await ids(world, search=search) == [claim.job.id], search
    assert await ids(world, search="иван") == [other]
    assert await ids(world, search="zoë иван") == []
    for search in ("lumber", "100%zo", "a_a", "%", "_", "!", '"', "'", "\\", "* OR", "zoë)", "-", ":*", "\0"):
        found = await ids(world, search=search)
        assert found in ([], [claim.job.id], [claim.job.id, other], [other, claim.job.id]), search
    assert await ids(world, search="%zo") == []
    assert await ids(world, search="zoë", statuses=(Status.COMPLETED,)) == []
    assert len(await ids(world, search="  ")) == 2


async def test_a_search_knows_only_what_stands_now(world: World) -> None:
    """An older version of a summary or transcript does not answer any more."""
    job_id = await world.completed()
    assert await ids(world, search="hello") == [job_id]
    await world.store.process([job_id], from_step=Step.TRANSCRIBE, now=world.now)
    assert await ids(world, search="hello") == []
    (claim,) = await world.claim()
    await world.transcribe(claim, text="goodbye")
    assert await ids(world, search="goodbye") == [job_id]
    assert await ids(world, search="hello") == []


# --------------------------------------------------------------------------------------------------------------- orders

KEYS: dict[Order, Callable[[Job], object | None]] = {
    Order.TIME: lambda job: job.call_at or job.discovered_at,
    Order.CONTACT: lambda job: (job.contact_name or job.contact_number or "").casefold() or None,
    Order.LENGTH: lambda job: job.duration_seconds,
    Order.COST: lambda job: job.cost_micros if job.cost_micros or job.completed_at else job.estimate_micros,
}
FILTERS = {
    "all": JobFilter(),
    "one status": JobFilter(statuses=(Status.DISCOVERED,)),
    "worked on": JobFilter(statuses=(Status.TRANSCRIBING, Status.SYNCING)),
    "some": JobFilter(statuses=(Status.COMPLETED, Status.FAILED, Status.TRANSCRIBING)),
    "waiting": JobFilter(held_only=True),
    "waiting and failed": JobFilter(held_only=True, statuses=(Status.FAILED,)),
    "search": JobFilter(search="an"),
    "search in one status": JobFilter(search="call", statuses=(Status.DISCOVERED,)),
    "nothing": JobFilter(search="nobody"),
}


async def a_mixture(world: World) -> list[JobRow]:
    """Calls in every situation, many of them alike, many without a value."""
    names = itertools.cycle(["Ann", "bob", None, "Ändi", "ANN", None, "Zoë"])
    lengths, prices = itertools.cycle([60.0, None, 3.5, 60.0]), itertools.cycle([10_000, None, 10_000, 7, 0])
    times = itertools.cycle([None, world.now - DAY, world.now - 2 * DAY, world.now - DAY, world.now + MINUTE])
    arrivals = [
        world.arrival(
            contact_name=name,
            contact_number=None if n % 3 else f"+61 {n % 4}",
            duration_seconds=length,
            duration_source=None,
            estimate_micros=price,
            call_at=at,
            skip_reason="too short" if n % 11 == 0 else None,
            hold_until=world.now + DAY if n % 7 == 0 else None,
        )
        for n, name, length, price, at in zip(range(36), names, lengths, prices, times, strict=False)
    ]
    for page in itertools.batched(arrivals, 9) if hasattr(itertools, "batched") else (arrivals[:20], arrivals[20:]):
        await world.absorb(*page)
        world.later(MINUTE)
    claims = await world.claim(8)
    for n, claim in enumerate(claims[:5]):
        await world.transcribe(claim, actual=n * 5)
        await world.summarize(claim)
        if n < 3:
            await world.deliver(claim, Delivery(sink="notion", ref="page"))
        elif n == 3:
            await world.store.begin(claim, Step.SYNC, now=world.now)
    await world.store.fail(claims[5], Step.DOWNLOAD, "x", retry_at=None, counts=True, now=world.now)
    rows = await world.store.page(JobFilter(), limit=100)
    assert len(rows) == 36
    return list(rows)


def expected(rows: list[JobRow], filter: JobFilter, order: Order, descending: bool) -> list[str]:
    """Return the ids as a list shall show them, found in the slowest and plainest way."""

    def shown(job: Job) -> bool:
        held = job.status is Status.DISCOVERED and job.hold_kind is not None
        words = f"{job.contact_name or ''} {job.file_name} {job.contact_number or ''}".casefold()
        searched = f" {filter.search}" if len(filter.search) < 3 else filter.search
        return (
            (not filter.statuses or job.status in filter.statuses)
            and (held or not filter.held_only)
            and searched in f" {words}"
        )

    jobs, key = [row.job for row in rows if shown(row.job)], KEYS[order]
    valued = sorted(
        (job for job in jobs if key(job) is not None), key=lambda job: (key(job), job.id), reverse=descending
    )
    without = sorted((job for job in jobs if key(job) is None), key=lambda job: job.id, reverse=descending)
    return [job.id for job in [*valued, *without]]


async def walked(
    world: World, filter: JobFilter, order: Order, *, descending: bool, limit: int, backwards: bool
) -> list[str]:
    """Return the ids of a list, page after page."""
    pages: list[list[str]] = []
    place: JobId | None = None
    while rows := await world.store.page(
        filter, order=order, descending=descending, limit=limit, beyond=place, backwards=backwards
    ):
        pages.append([row.job.id for row in rows])
        place = JobId(rows[0 if backwards else -1].job.id)
    return list(itertools.chain(*(pages[::-1] if backwards else pages)))


@pytest.mark.timeout(240)
async def test_every_order_of_every_list_is_walked_both_ways(world: World) -> None:
    """Pages of three, of seven and of all are the same list, with what has no value at its end."""
    rows = await a_mixture(world)
    for (name, filter), order, descending in itertools.product(FILTERS.items(), Order, (True, False)):
        ids_wanted = expected(rows, filter, order, descending)
        for limit, backwards in ((3, False), (3, True), (50, False), (50, True)):
            found = await walked(world, filter, order, descending=descending, limit=limit, backwards=backwards)
            assert found == ids_wanted, (name, order, descending, limit, backwards)
        assert await world.store.count(filter) == len(ids_wanted), name
    assert expected(rows, FILTERS["search"], Order.TIME, True)
    assert expected(rows, FILTERS["search in one status"], Order.TIME, True)


async def test_a_place_that_left_the_list_is_a_place_still(world: World) -> None:
    """While a page is looked at, its last call is claimed; the next page goes on behind it. An unknown id has no place."""
    added = [await world.add(call_at=world.now - n * MINUTE) for n in range(4)]
    waiting = JobFilter(statuses=(Status.DISCOVERED,))
    assert [row.job.id for row in await world.store.page(waiting, limit=2)] == added[:2]
    await world.claim(ids=(added[1],))
    assert [row.job.id for row in await world.store.page(waiting, limit=9, beyond=added[1])] == added[2:]
    assert await world.store.page(waiting, limit=9, beyond=JobId("unknown")) == []


async def test_the_rows_on_the_screen_are_read_again_by_their_ids(world: World) -> None:
    """In no order; an id that is gone is left out."""
    one, two = await world.add(), await world.completed()
    rows = await world.store.rows([one, two, JobId("gone")])
    assert {row.job.id: len(row.deliveries) for row in rows} == {one: 0, two: 1}
    assert await world.store.rows([]) == []


async def test_a_search_that_finds_very_many_walks_the_list(world: World) -> None:
    """More matches than are sorted at once: the same rows in the same order, and a count that goes as far as it is asked to."""
    count = 5_200
    for start in range(0, count, 1_000):
        await world.absorb(
            *(world.arrival(call_at=world.now - n * MINUTE) for n in range(start, min(count, start + 1_000)))
        )
    rare = await world.add(contact_name="Rarity", call_at=world.now - DAY)
    rows = await world.store.page(JobFilter(search="ann call"), limit=3)
    assert [row.job.call_at for row in rows] == [world.now - n * MINUTE for n in range(3)]
    after = await world.store.page(JobFilter(search="ann call"), limit=2, beyond=JobId(rows[-1].job.id))
    assert [row.job.call_at for row in after] == [world.now - n * MINUTE for n in (3, 4)]
    assert await world.store.count(JobFilter(search="ann call")) == count
    assert await world.store.count(JobFilter(search="ann call"), at_most=100) == 100
    assert await ids(world, search="rarity call") == [rare]
    assert await world.store.count(JobFilter(search="rarity call")) == 1


async def test_a_renamed_recording_is_found_and_sorted_by_its_new_name(world: World) -> None:
    """What is searched and sorted by follows the name, and the number that a sidecar brings."""
    file = world.file(name="one.m4a")
    job_id = await world.add(file=file, contact_name=None, contact_number=None, duration_seconds=None)
    anna = await world.add(contact_name="Anna")
    by_contact = [
        row.job.id for row in await world.store.page(JobFilter(), order=Order.CONTACT, descending=False, limit=5)
    ]
    assert by_contact == [anna, job_id]
    renamed = world.file(file_id=file.file_id, name="two.m4a", md5=file.md5, size=file.size)
    await world.absorb(world.arrival(renamed, contact_name="Aaron", contact_number=None, duration_seconds=None))
    assert await ids(world, search="aaron two") == [job_id]
    assert await ids(world, search="one.m4a") == []
    by_contact = [
        row.job.id for row in await world.store.page(JobFilter(), order=Order.CONTACT, descending=False, limit=5)
    ]
    assert by_contact == [job_id, anna]


# -------------------------------------------------------------------------------------------------------------- changes


async def test_what_changed_is_told_to_who_watches_from_another_process(world: World) -> None:
    """Claimed, moved, ended and held jobs alike; what did not change is not named."""
    old = await world.add()
    seen = world.later(DAY)
    resting, working = await world.add(), await world.claimed()
    assert {job_id for job_id, _ in await world.store.changed_since(seen)} == {resting, working.job.id}
    at = world.later(MINUTE)
    await world.store.begin(working, Step.DOWNLOAD, now=world.now)
    assert await world.store.changed_since(at) == [(working.job.id, at)]
    await world.store.fail(working, Step.DOWNLOAD, "x", retry_at=None, counts=True, now=world.later(MINUTE))
    assert await world.store.changed_since(at + MINUTE) == [(working.job.id, world.now)]
    await world.store.skip_jobs([old], reason="no", now=world.later(MINUTE))
    assert [job_id for job_id, _ in await world.store.changed_since(at)] == [working.job.id, old]
    assert [job_id for job_id, _ in await world.store.changed_since(at, limit=1)] == [working.job.id]
    assert await world.store.changed_since(world.later(MINUTE)) == []
