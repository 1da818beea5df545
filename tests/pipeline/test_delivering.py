"""Does a finished call reach every sink once, and does a sink's trouble never keep it from being finished?"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import timedelta
from typing import TYPE_CHECKING

import anyio
import pytest

from focusflow.domain.jobs import Status
from focusflow.errors import Transient
from focusflow.pipeline.process import run_job
from focusflow.ports import Delivery, Page, PageRef

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

    from tests.pipeline.conftest import OpenWorks

PAGES = "pages$"


@dataclass
class Shelf:
    """A small sink: a dictionary that can be out of order."""

    name: str = "shelf"
    trouble: Exception | None = None
    pages: dict[str, Page] = field(default_factory=dict)

    async def find(self, key: str) -> PageRef | None:
        return PageRef(ref=key, url=None) if key in self.pages else None

    async def create(self, page: Page) -> PageRef:
        if self.trouble:
            raise self.trouble
        self.pages[page.key] = page
        return PageRef(ref=page.key, url=None)

    async def fill(self, ref: str, page: Page, *, memo: str | None, remember: Callable[[str], Awaitable[None]]) -> None:
        self.pages[ref] = page
        await remember("filled")

    async def check(self) -> Sequence[str]:
        return []


# --------------------------------------------------------------------------------------------------- never in the way


@pytest.mark.parametrize(
    ("kind", "more", "told"),
    [
        ("status", {"status": 503}, "Notion has trouble (HTTP 503)"),
        ("status", {"status": 502}, "Notion has trouble (HTTP 502)"),
        ("html", {}, "Notion"),
        ("reset_before", {}, "Notion"),
    ],
)
async def test_a_notion_that_is_out_of_order_does_not_keep_a_call_from_being_complete(
    works: OpenWorks, kind: str, more: dict[str, int], told: str
) -> None:
    """The error, the number of attempts and the next one are kept; when it works again, it is delivered by itself."""
    async with works() as w:
        w.fault("notion", kind, times=None, **more)
        job_id = await w.add()
        job = await w.run(job_id)
        assert (job.status, job.error_message) == (Status.COMPLETED, None)
        delivery = await w.delivery(job_id)
        assert told in str(delivery.error)
        assert (delivery.attempts, delivery.delivered_at) == (1, None)
        assert delivery.next_attempt_at == w.clock.now() + timedelta(seconds=60)
        assert (await w.outcomes(job_id))[-1] == "sync failed"
        w.faults.clear()
        assert await w.redeliver() == 0
        w.clock.at += timedelta(seconds=60)
        assert await w.redeliver() == 1
        delivery = await w.delivery(job_id)
        assert (delivery.error, delivery.next_attempt_at, delivery.attempts) == (None, None, 2)
        assert delivery.delivered_at == w.clock.now()
        assert len(w.pages()) == 1
        assert "Delivered to notion." in await w.told(job_id)


async def test_the_wait_grows_while_notion_stays_out_of_order(works: OpenWorks) -> None:
    """Each failed attempt counts; the call stays complete."""
    async with works() as w:
        w.fault("notion", "status", status=503, times=None)
        job_id = await w.add()
        await w.run(job_id)
        waits = []
        for _ in range(3):
            w.clock.at = (await w.delivery(job_id)).next_attempt_at or w.clock.at
            await w.redeliver()
            waits.append(((await w.delivery(job_id)).next_attempt_at or w.clock.at) - w.clock.at)
        assert waits == [timedelta(seconds=120), timedelta(seconds=240), timedelta(seconds=480)]
        assert (await w.job(job_id)).status is Status.COMPLETED


async def test_a_wrong_key_waits_for_a_better_one(works: OpenWorks) -> None:
    """It is tried again by itself, less often than a hiccup."""
    async with works(notion_key="ntn_wrong") as w:
        job_id = await w.add()
        assert (await w.run(job_id)).status is Status.COMPLETED
        delivery = await w.delivery(job_id)
        assert "check NOTION_API_KEY" in str(delivery.error)
        assert delivery.next_attempt_at == w.clock.now() + timedelta(seconds=900)
        w.sandbox.notion.tokens = {"ntn_wrong"}  # it was Notion that was wrong
        w.clock.at += timedelta(seconds=900)
        await w.redeliver()
        assert (await w.delivery(job_id)).error is None


async def test_a_rate_limit_is_waited_for_as_long_as_notion_says(works: OpenWorks) -> None:
    """Longer than we would sit through: the page comes later."""
    async with works() as w:
        w.fault("notion", "status", method="POST", path=PAGES, status=429, retry_after=333, times=2)
        job_id = await w.add()
        await w.run(job_id)
        delivery = await w.delivery(job_id)
        assert delivery.next_attempt_at is not None
        assert delivery.next_attempt_at - w.clock.now() == timedelta(seconds=333)


async def test_a_renamed_column_is_said_and_mended_by_the_user(works: OpenWorks) -> None:
    """Without the column by which a page is found again none is made; once it is back the page is, with no restart."""
    async with works() as w:
        w.sandbox.notion.rename_property(w.database_id, "External ID", "Ours")
        w.sandbox.notion.rename_property(w.database_id, "Drive Link", "Link")
        job_id = await w.add()
        assert (await w.run(job_id)).status is Status.COMPLETED
        delivery = await w.delivery(job_id)
        assert "External ID" in str(delivery.error)
        w.sandbox.notion.rename_property(w.database_id, "Ours", "External ID")
        await w.store.retry([job_id], now=w.clock.now())
        await w.redeliver()
        assert (await w.delivery(job_id)).error is None
        assert len(w.pages()) == 1


async def test_a_page_that_was_deleted_is_not_made_again(works: OpenWorks) -> None:
    """It was deleted on purpose: that is said once, and nothing is tried by itself."""
    async with works() as w:
        job_id = await w.add()
        await w.run(job_id)
        (page,) = w.pages()
        w.sandbox.notion.trash_page(page["id"])
        w.clock.at += timedelta(hours=1)
        assert (await w.rerun_from_summary(job_id)).status is Status.COMPLETED
        delivery = await w.delivery(job_id)
        assert "it is not made again" in str(delivery.error)
        assert (delivery.next_attempt_at, w.pages()) == (None, [])


@pytest.mark.parametrize(
    ("path", "told"),
    [
        ("data_sources", "notion gave no answer when the page was made; it is looked for first."),
        ("pages/", "notion took longer than 0.01 minutes."),
    ],
)
async def test_a_sink_that_takes_too_long_is_tried_again(works: OpenWorks, path: str, told: str) -> None:
    """The step has a deadline; the call is complete all the same."""
    async with works() as w:
        w.fault("notion", "stall", path=path, bytes=0)
        job_id = await w.add()
        w.limit(sync=0.6)
        assert (await w.run(job_id)).status is Status.COMPLETED
        delivery = await w.delivery(job_id)
        assert delivery.error == told
        assert delivery.next_attempt_at is not None
        w.limit(sync=20)
        await w.finish(job_id)
        assert ((await w.delivery(job_id)).error, len(w.pages())) == (None, 1)


# ------------------------------------------------------------------------------------------------------------- one page


@pytest.mark.parametrize("kind", ["committed_503", "reset_after", "bad_json", "html"])
async def test_a_page_whose_answer_is_lost_is_one_page(works: OpenWorks, kind: str) -> None:
    """It may exist, so it is looked for before another is made."""
    async with works() as w:
        w.fault("notion", kind, method="POST", path=PAGES)
        job_id = await w.add()
        await w.run(job_id)
        await w.finish(job_id)
        delivery = await w.delivery(job_id)
        (page,) = w.pages()
        assert (delivery.error, delivery.ref) == (None, page["id"])
        assert "You too Grace, thank you. Bye." in w.page_text()


async def test_a_stop_waits_for_the_page_that_is_being_made(works: OpenWorks) -> None:
    """Its id is committed before the worker leaves, so nothing needs to be looked for."""
    async with works() as w:
        job_id = await w.add()
        job = await w.stop_at(job_id, service="notion", method="POST", path=PAGES)
        assert (job.status, job.claim_token) == (Status.DISCOVERED, None)
        assert (await w.delivery(job_id)).ref is not None
        assert (await w.run(job_id)).status is Status.COMPLETED
        assert (len(w.pages()), w.log.count("notion", "POST", "query")) == (1, 0)


@dataclass
class Slow(Shelf):
    """A sink that makes a page for every request, once it is let; it can be looked at while it is at it."""

    made: int = 0
    asked: anyio.Event = field(default_factory=anyio.Event)
    let: anyio.Event = field(default_factory=anyio.Event)

    async def create(self, page: Page) -> PageRef:
        if self.trouble:
            raise self.trouble
        self.asked.set()
        await self.let.wait()
        self.made += 1
        return await super().create(page)


async def test_a_run_leaves_a_sink_to_the_redelivery_that_is_at_it(works: OpenWorks) -> None:
    """Both would find no page and make one; so the run goes on without an error, and its text is brought afterwards."""
    slow = Slow(trouble=Transient("not now"))
    async with works(notion=False, more_sinks=(slow,)) as w:
        job_id = await w.add()
        await w.run(job_id)
        slow.trouble = None
        w.clock.at += timedelta(hours=1)
        with anyio.fail_after(20):
            async with anyio.create_task_group() as group:
                group.start_soon(w.redeliver)
                await slow.asked.wait()
                assert (await w.rerun_from_summary(job_id)).status is Status.COMPLETED
                assert (slow.made, (await w.outcomes(job_id))[-1]) == (0, "sync done")
                slow.let.set()
        delivery = await w.delivery(job_id, "shelf")
        assert (slow.made, delivery.leased_until, delivery.next_attempt_at) == (1, None, w.clock.now())
        assert await w.redeliver() == 1
        delivery = await w.delivery(job_id, "shelf")
        assert (slow.made, delivery.error, delivery.next_attempt_at) == (1, None, None)
        assert await w.redeliver() == 0


async def test_of_two_runs_of_one_call_one_makes_the_page(works: OpenWorks) -> None:
    """A worker that was given up for dead may be making it still."""
    slow = Slow()
    async with works(notion=False, more_sinks=(slow,)) as w:
        w.limit(sync=3600)
        job_id = await w.add()
        zombie = await w.claim(job_id, token="zombie")
        with anyio.fail_after(20):
            async with anyio.create_task_group() as group:
                group.start_soon(run_job, w.chain, zombie)
                await slow.asked.wait()
                await w.rescue()
                assert (await w.run(job_id)).status is Status.COMPLETED
                assert await w.redeliver() == 0
                slow.let.set()
        assert await w.redeliver() == 1
        assert (slow.made, (await w.delivery(job_id, "shelf")).error) == (1, None)


async def test_a_sink_whose_courier_died_is_brought_the_call_when_the_lease_is_over(works: OpenWorks) -> None:
    """Nobody releases it; the run that came second made sure that it is tried then."""
    shelf = Shelf()
    async with works(notion=False, more_sinks=(shelf,)) as w:
        job_id = await w.add()
        until = w.clock.now() + timedelta(minutes=20)
        assert await w.store.take_delivery(job_id, "shelf", now=w.clock.now(), until=until) is not None
        assert (await w.run(job_id)).status is Status.COMPLETED
        assert (shelf.pages, await w.redeliver()) == ({}, 0)
        w.clock.at = until
        assert await w.redeliver() == 1
        assert list(shelf.pages) == [f"focusflow:{job_id}"]


# ---------------------------------------------------------------------------------------------------------- many sinks


async def test_of_two_sinks_one_may_fail(works: OpenWorks) -> None:
    """Each has its own state; the one that works has the call."""
    shelf = Shelf()
    async with works(more_sinks=(shelf,)) as w:
        w.fault("notion", "status", status=503, times=None)
        job_id = await w.add()
        assert (await w.run(job_id)).status is Status.COMPLETED
        assert (await w.delivery(job_id)).error is not None
        on_shelf = await w.delivery(job_id, "shelf")
        assert (on_shelf.error, on_shelf.memo, on_shelf.ref) == (None, "filled", f"focusflow:{job_id}")
        w.faults.clear()
        w.clock.at += timedelta(seconds=60)
        assert await w.redeliver() == 1
        assert (await w.delivery(job_id)).error is None


async def test_a_sink_with_a_bug_does_not_keep_a_call_from_being_complete(
    works: OpenWorks, caplog: pytest.LogCaptureFixture
) -> None:
    """The others get the call, the log gets the traceback, the user a sentence, and the sink another try."""
    shelf = Shelf(name="aaa", trouble=KeyError("a mistake"))
    async with works(more_sinks=(shelf,)) as w:
        job_id = await w.add()
        assert (await w.run(job_id)).status is Status.COMPLETED
        delivery = await w.delivery(job_id, "aaa")
        assert delivery.error == "FocusFlow made a mistake (KeyError) at aaa; the log has the details."
        assert delivery.next_attempt_at is not None
        assert len(w.pages()) == 1
        assert any(record.exc_info and record.exc_info[0] is KeyError for record in caplog.records)
        shelf.trouble = None
        w.clock.at = delivery.next_attempt_at
        assert await w.redeliver() == 1
        assert (await w.delivery(job_id, "aaa")).error is None


async def test_a_page_made_without_our_knowing_is_found_by_the_next_attempt(works: OpenWorks) -> None:
    """The sink made it and said that nobody is there: it is adopted, when the sink said that it would be back."""

    class Absent(Shelf):
        async def create(self, page: Page) -> PageRef:
            self.pages[page.key] = page
            raise Transient("nobody is there", retry_after=3600)

    async with works(notion=False, more_sinks=(Absent(),)) as w:
        job_id = await w.add()
        await w.run(job_id)
        delivery = await w.delivery(job_id, "shelf")
        assert delivery.next_attempt_at == w.clock.now() + timedelta(hours=1)
        w.clock.at += timedelta(hours=1)
        await w.redeliver()
        assert (await w.delivery(job_id, "shelf")).error is None


async def test_a_sink_that_is_not_configured_any_more_is_left_alone(works: OpenWorks) -> None:
    """Its state stays; nothing is tried, nothing breaks."""
    async with works() as w:
        job_id = await w.add()
        await w.run(job_id)
        gone = Delivery(sink="gone", error="it was out of order", attempts=3, next_attempt_at=w.clock.now())
        await w.store.save_delivery(job_id, gone, now=w.clock.now())
        assert await w.redeliver() == 1
        after = await w.delivery(job_id, "gone")
        assert (after.next_attempt_at, after.error, after.attempts) == (None, "it was out of order", 3)


async def test_a_failed_redelivery_is_told(works: OpenWorks) -> None:
    """The call's own log says what happened while nobody looked."""
    async with works() as w:
        w.fault("notion", "status", status=503, times=None)
        job_id = await w.add()
        await w.run(job_id)
        w.clock.at += timedelta(seconds=60)
        await w.redeliver()
        events = (await w.detail(job_id)).events
        assert [(line.level, "HTTP 503" in line.message) for line in events][-1] == ("warning", True)


async def test_a_stop_in_the_middle_of_a_redelivery_leaves_it_due(works: OpenWorks) -> None:
    """It was moved to a later time when it was taken, and is done then."""
    async with works() as w:
        w.fault("notion", "status", status=503, times=None)
        job_id = await w.add()
        await w.run(job_id)
        w.faults.clear()
        w.clock.at += timedelta(seconds=60)
        with anyio.CancelScope() as scope:
            w.trip(scope.cancel, nth=1, service="notion", path="data_sources")
            await w.redeliver()
        delivery = await w.delivery(job_id)
        assert delivery.next_attempt_at == w.clock.now() + timedelta(hours=1)
        w.clock.at += timedelta(hours=1)
        await w.redeliver()
        assert ((await w.delivery(job_id)).error, len(w.pages())) == (None, 1)
