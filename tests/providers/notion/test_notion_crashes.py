"""Is a page whole and single after a failure or a crash at any request?"""

from collections.abc import Callable
from typing import Any, Protocol

import pytest

from focusflow.errors import Ambiguous, StepError
from focusflow.ports import Page, PageRef, Sink
from focusflow.sandbox.faults import Fault, FaultPlan
from focusflow.sandbox.notion import NotionService
from focusflow.sandbox.request_log import RequestLog


class Note(Protocol):
    memo: str | None
    commits: int
    crash_at: int | None

    async def remember(self, memo: str) -> None: ...


class World(Protocol):
    service: NotionService
    faults: FaultPlan
    log: RequestLog
    database_id: str

    def sink(self, **options: Any) -> Any: ...
    async def fill(self, ref: str, page: Page, note: Note, **options: Any) -> None: ...
    def text(self, page_id: str | None = None) -> str: ...


Call = Callable[..., Page]
SEVERAL = 70
"""Long turns that need several appends."""


async def _delivered(sink: Sink, page: Page, note: Note, ref: str | None) -> str:
    """Deliver as the pipeline does: look before making a page, then fill it, until it works."""
    for _ in range(5):
        try:
            place = PageRef(ref=ref, url=None) if ref else await sink.find(page.key)
            place = place or await sink.create(page)
            await sink.fill(place.ref, page, memo=note.memo, remember=note.remember)
        except StepError:
            continue
        return place.ref
    raise AssertionError("five tries were not enough")


async def _undisturbed(world: World, sink: Sink, page: Page, note: Note) -> tuple[str, int]:
    """What the page says, and how many requests it takes, if nothing goes wrong."""
    ref = await _delivered(sink, page, note, None)
    text, requests = world.text(ref), len(world.log)
    world.service.trash_page(ref)
    return text, requests


@pytest.mark.parametrize("kind", ["reset_before", "reset_after", "bad_json", "truncate"])
async def test_a_first_delivery_survives_a_failure_of_any_request(
    world: World, new_note: Callable[[], Note], a_call: Call, kind: str
) -> None:
    """Whatever request fails, and whether it took effect or not: one page, the same text."""
    page = a_call(long=True, turns=SEVERAL)
    async with world.sink() as sink:
        text, requests = await _undisturbed(world, sink, page, new_note())
        for nth in range(requests):
            world.faults.clear()
            world.faults.add(Fault(service="notion", kind=kind, skip=nth, times=3))
            ref = await _delivered(sink, page, new_note(), None)
            assert world.text(ref) == text, f"{kind} from request {nth}"
            assert len(world.service.pages()) == 1
            world.service.trash_page(ref)


@pytest.mark.parametrize("kind", ["reset_before", "reset_after"])
async def test_a_changed_page_survives_a_failure_of_any_request(
    world: World, new_note: Callable[[], Note], a_call: Call, kind: str
) -> None:
    """A new summary and transcript replace the old ones exactly, whatever request fails."""
    before = a_call(turns=30)
    after = a_call(turns=160, summary="# New\n\nwords\n\n- a\n  - b\n- c\n\n| x |\n|---|\n| y |")
    async with world.sink() as sink:
        wanted, _ = await _undisturbed(world, sink, after, new_note())
        for nth in range(24):
            note = new_note()
            ref = await _delivered(sink, before, note, None)
            world.faults.clear()
            world.faults.add(Fault(service="notion", kind=kind, skip=nth))
            assert await _delivered(sink, after, note, ref) == ref
            assert world.text(ref) == wanted, f"{kind} at request {nth}"
            world.service.trash_page(ref)
    assert world.faults.pending, "the last round had requests to spare"


@pytest.mark.parametrize("changed", [False, True])
async def test_a_page_survives_the_process_dying_at_any_commit(
    world: World, new_note: Callable[[], Note], a_call: Call, crash: type[Exception], changed: bool
) -> None:
    """After a crash a new process knows only the last memo, and still finishes the page without a double."""
    first = a_call(long=True, turns=SEVERAL)
    final = a_call(long=True, turns=SEVERAL, summary="# Other words\n\nby the user's wish") if changed else first
    async with world.sink() as sink:
        wanted, _ = await _undisturbed(world, sink, final, new_note())
    for nth in range(1, 5):
        note = new_note()
        async with world.sink() as sink:
            ref = (await sink.create(first)).ref
            note.crash_at = nth
            with pytest.raises(crash):
                await sink.fill(ref, first, memo=None, remember=note.remember)
        note.crash_at = None
        if changed and note.memo is None:
            world.service.trash_page(ref)
            continue  # nothing tells what is ours: see the test of adoption
        await world.fill(ref, final, note)
        assert world.text(ref) == wanted, f"commit {nth}"
        world.service.trash_page(ref)


async def test_a_crash_after_an_append_whose_answer_was_lost_leaves_no_double(
    world: World, note: Note, a_call: Call, crash: type[Exception]
) -> None:
    """The intention is committed before the request, so a new process recognises what the lost answer told of."""
    page = a_call(long=True, turns=SEVERAL)
    async with world.sink() as sink:
        ref = (await sink.create(page)).ref
        world.faults.add(Fault(service="notion", kind="reset_after", method="PATCH", path="/children"))
        world.faults.add(Fault(service="notion", kind="status", status=500, method="GET", times=None, skip=3))
        with pytest.raises(StepError):
            await sink.fill(ref, page, memo=None, remember=note.remember)
    world.faults.clear()
    other = a_call(long=True, turns=SEVERAL, summary="# Other words")
    await world.fill(ref, other, note)
    assert world.text(ref).count("said in turn 17,") == 1
    assert world.text(ref).startswith("# Other words\n▸ Transcript\n")


async def test_a_page_that_was_made_although_notion_said_503_is_taken(world: World, note: Note, a_call: Call) -> None:
    """`committed_resource_id` names the page: it is read, not made again."""
    world.faults.add(Fault(service="notion", kind="committed_503"))
    async with world.sink() as sink:
        ref = await sink.create(a_call())
        assert await sink.find("drive:1AbC") == ref
    assert len(world.service.pages()) == 1


async def test_blocks_that_were_saved_although_notion_said_503_are_not_sent_again(
    world: World, note: Note, a_call: Call
) -> None:
    """`committed_child_ids` name the new blocks: the next batch goes behind them, and updates count as done."""
    page = a_call(long=True, turns=SEVERAL)
    wanted = a_call(long=True, turns=SEVERAL, summary="# Changed\n\nall of it", title="Changed")
    async with world.sink() as sink:
        ref = (await sink.create(page)).ref
        world.faults.add(Fault(service="notion", kind="committed_503", times=None))
        await sink.fill(ref, page, memo=None, remember=note.remember)
        appends = world.log.count("notion", "PATCH", "/children")
        await sink.fill(ref, wanted, memo=note.memo, remember=note.remember)
    assert world.log.count("notion", "PATCH", "/children") == appends
    assert world.text(ref).count("said in turn 17,") == 1
    assert world.text(ref).startswith("# Changed\nall of it\n▸")


async def test_a_conflict_is_read_again_and_tried_again(world: World, note: Note, a_call: Call) -> None:
    """A 409 says that nothing was saved: the page is read and finished in the same go."""
    async with world.sink() as sink:
        ref = (await sink.create(a_call(turns=2))).ref
        world.faults.add(Fault(service="notion", kind="conflict_409", times=2))
        await sink.fill(ref, a_call(turns=2), memo=None, remember=note.remember)
    assert world.text(ref).count("said in turn 1,") == 1


async def test_a_creation_of_unknown_outcome_is_looked_for_patiently(world: World, note: Note, a_call: Call) -> None:
    """The answer is lost and the query sees the page only seconds later: still one page."""
    world.service.visibility_delay = 4.0
    world.faults.add(Fault(service="notion", kind="reset_after", method="POST", path="/v1/pages"))
    async with world.sink() as sink:
        with pytest.raises(Ambiguous):
            await sink.create(a_call())
        ref = await sink.find("drive:1AbC")
    assert ref is not None
    assert len(world.service.pages()) == 1


async def test_of_two_pages_for_one_call_one_is_kept_and_the_other_trashed(
    world: World, note: Note, a_call: Call, caplog: pytest.LogCaptureFixture
) -> None:
    """Two processes that both lost the race are mended by the next look, always with the same page kept."""
    async with world.sink() as sink:
        refs = [(await sink.create(a_call())).ref for _ in range(3)]
        found = await sink.find("drive:1AbC")
        assert await sink.find("drive:1ABC") is None
    assert found is not None
    assert found.ref == min(refs)
    assert [page["id"] for page in world.service.pages()] == [min(refs)]
    assert caplog.text.count("moved to the trash") == 2
