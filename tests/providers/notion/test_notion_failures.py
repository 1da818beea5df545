"""Does every way in which Notion can refuse end in the error that tells the caller what to do?"""

import logging
import time
from collections.abc import Callable
from datetime import timedelta
from typing import Any, Protocol

import anyio
import pytest

from focusflow.errors import Ambiguous, ConfigError, Held, HoldKind, PageGone, Permanent, StepError, Transient
from focusflow.ports import Page
from focusflow.sandbox.faults import Fault, FaultPlan
from focusflow.sandbox.notion import NotionService
from focusflow.sandbox.request_log import RequestLog

Call = Callable[..., Page]


class Clock(Protocol):
    at: Any
    slept: list[float]


class World(Protocol):
    service: NotionService
    faults: FaultPlan
    log: RequestLog
    clock: Clock
    url: str
    database_id: str

    def sink(self, **options: Any) -> Any: ...
    def text(self, page_id: str | None = None) -> str: ...
    def writes(self) -> list[str]: ...


class Note(Protocol):
    memo: str | None

    async def remember(self, memo: str) -> None: ...


def _fault(kind: str = "status", **details: Any) -> Fault:
    return Fault(service="notion", kind=kind, **details)


@pytest.mark.parametrize(
    ("fault", "error", "kind", "words"),
    [
        ({"status": 401}, Held, HoldKind.CREDENTIALS, "NOTION_API_KEY"),
        ({"status": 403}, Held, HoldKind.CREDENTIALS, "capabilities"),
        ({"status": 403, "kind": "html"}, Transient, None, "in front of Notion"),
        ({"status": 413}, Permanent, None, "too large"),
        ({"status": 400}, Permanent, None, "request id"),
        ({"status": 500}, Ambiguous, None, "HTTP 500"),
        ({"status": 502}, Ambiguous, None, "HTTP 502"),
        ({"status": 409}, Ambiguous, None, "at that moment"),
        ({"kind": "request_blocked_429"}, Held, HoldKind.SERVICE, "blocks this integration"),
        ({"kind": "reset_before"}, Ambiguous, None, "may have been made"),
        ({"kind": "bad_json"}, Ambiguous, None, "may have been made"),
        ({"kind": "html"}, Ambiguous, None, "may have been made"),
        ({"kind": "truncate", "bytes": 40}, Ambiguous, None, "may have been made"),
        ({"kind": "stall"}, Ambiguous, None, "may have been made"),
    ],
)
async def test_a_page_that_could_not_be_made_says_what_to_do(
    world: World, a_call: Call, fault: dict[str, Any], error: type[StepError], kind: HoldKind | None, words: str
) -> None:
    """Every refusal and broken answer of a creation has its error; only what Notion never saw is repeated."""
    async with world.sink(timeout=0.3) as sink:
        assert await sink.check() == ()
        where: dict[str, Any] = {"method": "POST", "path": "/v1/pages$", "times": None}
        world.faults.add(_fault(**(where | fault)))
        with pytest.raises(error) as caught:
            await sink.create(a_call())
    assert words in str(caught.value)
    assert getattr(caught.value, "kind", None) == kind
    assert isinstance(caught.value, Ambiguous) is (error is Ambiguous)
    assert world.log.count("notion", "POST", "/v1/pages$") == (3 if error is Transient else 1)


@pytest.mark.parametrize(
    "fault", [{"status": 500}, {"status": 503}, {"status": 502}, {"kind": "reset_after"}, {"kind": "bad_json"}]
)
async def test_reading_is_tried_again_by_itself(world: World, a_call: Call, note: Note, fault: dict[str, Any]) -> None:
    """Two failures of every kind of read in a row cost nothing but the repetition."""
    async with world.sink() as sink:
        ref = await sink.create(a_call())
        for method, path in (("GET", "/pages/"), ("GET", "/children"), ("POST", "/query")):
            where: dict[str, Any] = {"method": method, "path": path, "times": 2}
            world.faults.add(_fault(**(where | fault)))
        assert await sink.find("drive:1AbC") == ref
        await sink.fill(ref.ref, a_call(), memo=None, remember=note.remember)
    assert world.faults.pending == []


async def test_reading_gives_up_after_a_few_tries(world: World) -> None:
    """A Notion that stays broken is a matter for the job's own back-off."""
    world.faults.add(_fault(status=500, times=None))
    async with world.sink() as sink:
        with pytest.raises(Transient, match="HTTP 500"):
            await sink.find("drive:1AbC")
        assert world.log.total == 3
        assert "HTTP 500" in (await sink.check())[0]


async def test_a_notion_that_cannot_be_reached_is_tried_later(world: World, a_call: Call, unused_tcp_port: int) -> None:
    """Nothing was sent, so nothing is ambiguous."""
    async with world.sink(base_url=f"http://127.0.0.1:{unused_tcp_port}/") as sink:
        with pytest.raises(Transient, match="could not be reached") as caught:
            await sink.create(a_call())
    assert not isinstance(caught.value, Ambiguous)


@pytest.mark.parametrize("status", [429, 529])
async def test_a_pause_that_notion_asks_for_is_kept_by_all_workers(world: World, a_call: Call, status: int) -> None:
    """One worker is told to wait, everybody waits, and then everything is made once."""
    async with world.sink() as sink:
        await sink.check()
        world.faults.add(_fault(status=status, retry_after=40.0, method="POST", path="/v1/pages$"))
        started = world.clock.at
        async with anyio.create_task_group() as workers:
            for number in range(4):
                workers.start_soon(sink.create, a_call(key=f"drive:{number}"))
    assert len(world.service.pages()) == 4
    assert world.clock.at - started >= timedelta(seconds=40)
    assert world.log.count("notion", "POST", "/v1/pages$") == 5


async def test_a_window_that_is_used_up_is_waited_for(world: World, a_call: Call) -> None:
    """Another program spent our requests: Notion's own window is what counts, and the page is made."""
    world.service.window.limit = 3
    async with world.sink() as sink:
        for number in range(3):
            await sink.create(a_call(key=f"drive:{number}"))
    assert len(world.service.pages()) == 3


async def test_a_long_pause_holds_the_job_instead_of_a_worker(world: World, a_call: Call) -> None:
    """More than a minute is not sat through; the job rests for as long as Notion asked."""
    world.faults.add(_fault(status=429, retry_after=900.0))
    async with world.sink() as sink:
        with pytest.raises(Held) as caught:
            await sink.create(a_call())
        with pytest.raises(Held):
            await sink.create(a_call())
    assert caught.value.kind is HoldKind.RATE_LIMIT
    assert caught.value.retry_after == 900.0
    assert world.log.total == 1


async def test_requests_are_paced_before_notion_has_to_refuse(world: World, a_call: Call) -> None:
    """At 600 a minute a burst of 100 goes at once, the rest evenly: ten requests more take a second."""
    async with world.sink(requests_per_minute=600) as sink:
        started = time.monotonic()
        async with anyio.create_task_group() as workers:
            for _ in range(102):
                workers.start_soon(sink._api.data_source, world.service.data_source_id(world.database_id))
        took = time.monotonic() - started
    assert took >= 0.15


async def test_a_full_free_workspace_is_said(world: World, a_call: Call) -> None:
    """The free plan's lifetime limit is no error of the call: it waits for the user's upgrade."""
    world.service.block_limit = world.service.blocks_created
    async with world.sink() as sink:
        with pytest.raises(Held, match="free plan") as caught:
            await sink.create(a_call())
    assert caught.value.kind is HoldKind.CREDIT


async def test_a_wrong_key_is_named(world: World, a_call: Call) -> None:
    """Check and create both name the setting."""
    async with world.sink(api_key="ntn_wrong") as sink:
        (problem,) = await sink.check()
        assert "NOTION_API_KEY" in problem
        with pytest.raises(Held, match="NOTION_API_KEY"):
            await sink.create(a_call())


async def test_a_database_that_is_not_shared_is_said(world: World, a_call: Call, note: Note) -> None:
    """A 404 for the database is a matter of sharing, also while a page is filled."""
    nowhere = "393abc1e-edcd-8170-aebf-cf1d14057b30"
    async with world.sink(database_id=nowhere) as sink:
        assert "share it with the integration" in (await sink.check())[0]
        with pytest.raises(Held) as caught:
            await sink.fill(nowhere, a_call(), memo=None, remember=note.remember)
    assert caught.value.kind is HoldKind.CREDENTIALS


async def test_the_database_is_found_by_link_and_the_data_source_by_its_id(world: World) -> None:
    """Whatever a user can copy in Notion leads to the data source."""
    bare = world.database_id.replace("-", "")
    source = world.service.data_source_id(world.database_id)
    links = [
        world.database_id,
        bare,
        bare.upper(),
        f"https://www.notion.so/acme/Calls-{bare}?v=0123456789abcdef0123456789abcdef",
        f"https://app.notion.com/p/Calls-{bare}?source=copy_link",
        f" https://app.notion.com/p/{world.database_id}/ ",
        source,
    ]
    for link in links:
        async with world.sink(database_id=link) as sink:
            assert await sink.check() == (), link
    async with world.sink(database_id=None, data_source_id=source) as sink:
        assert await sink.check() == ()


async def test_a_database_with_several_data_sources_asks_which(world: World) -> None:
    """Guessing would put pages into the wrong table; naming one settles it."""
    other = world.service.add_data_source(world.database_id, "Archive")
    async with world.sink() as sink:
        (problem,) = await sink.check()
    assert other in problem
    assert "notion.data_source_id" in problem
    async with world.sink(data_source_id=world.service.data_source_id(world.database_id)) as sink:
        assert await sink.check() == ()


@pytest.mark.parametrize(
    "options",
    [
        {"api_key": " "},
        {"api_key": "ntn with blank"},
        {"api_key": "ntn_ü"},
        {"database_id": "Calls"},
        {"database_id": "https://www.notion.so/acme/Calls?v=0123456789abcdef0123456789abcdef"},
        {"database_id": None},
        {"data_source_id": "x"},
    ],
)
async def test_a_setting_that_cannot_be_right_is_a_configuration_error(world: World, options: dict[str, Any]) -> None:
    """It is said before anything is asked of Notion."""
    with pytest.raises(ConfigError):
        async with world.sink(**options):
            raise AssertionError("opened")
    assert world.log.total == 0


async def test_a_page_trashed_while_it_is_written_is_gone(world: World, a_call: Call) -> None:
    """Between our reading and our writing a person deletes the page: the next look says so."""

    async def remember(memo: str) -> None:
        if not world.service.pages(trashed=True):
            world.service.trash_page(ref.ref)

    async with world.sink() as sink:
        ref = await sink.create(a_call())
        with pytest.raises(PageGone):
            await sink.fill(ref.ref, a_call(), memo=None, remember=remember)


async def test_a_block_deleted_while_it_is_written_is_read_again(world: World, a_call: Call, note: Note) -> None:
    """A person deletes the toggle just before its paragraphs come: the page is read once more and finished."""
    deleted: list[str] = []

    async def remember(memo: str) -> None:
        await note.remember(memo)
        if not deleted:
            deleted.append(world.service.block_tree(ref.ref)[-1]["id"])
            world.service.delete_block(deleted[0])

    async with world.sink() as sink:
        ref = await sink.create(a_call(turns=2))
        await sink.fill(ref.ref, a_call(turns=2), memo=None, remember=remember)
    assert world.text(ref.ref).count("said in turn 1,") == 1


async def test_a_cancelled_write_leaves_at_once(world: World, a_call: Call) -> None:
    """Shutdown does not wait for a stalled Notion."""
    world.faults.add(_fault(kind="stall", method="POST", path="/v1/pages$"))
    async with world.sink() as sink:
        started = time.monotonic()
        with anyio.move_on_after(0.2):
            await sink.create(a_call())
    assert time.monotonic() - started < 3


async def test_the_key_and_the_calls_words_stay_out_of_the_log(
    world: World, a_call: Call, caplog: pytest.LogCaptureFixture
) -> None:
    """Neither success nor failure logs a secret or a body."""
    with caplog.at_level(logging.DEBUG, logger="focusflow"):
        world.faults.add(_fault(status=400, method="POST", path="/v1/pages$"))
        async with world.sink() as sink:
            with pytest.raises(Permanent):
                await sink.create(a_call())
    told = "\n".join(record.getMessage() for record in caplog.records if record.name.startswith("focusflow"))
    assert "ntn_" not in told
    assert "forty" not in told
