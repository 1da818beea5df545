"""Does what people do to a page stay when the page is synced again?"""

from collections.abc import Callable
from typing import Any, Protocol

import pytest

from focusflow.errors import PageGone
from focusflow.ports import Page
from focusflow.sandbox.notion import NotionService
from focusflow.sandbox.request_log import RequestLog

Call = Callable[..., Page]
OLD = "# Old\n\nfirst\n\n- bullet\n  - below\n\nlast"
NEW = "# New\n\nfirst, but longer\n\nadded\n\nlast"


class Note(Protocol):
    memo: str | None

    async def remember(self, memo: str) -> None: ...


class World(Protocol):
    service: NotionService
    log: RequestLog
    database_id: str

    def sink(self, **options: Any) -> Any: ...
    async def fill(self, ref: str, page: Page, note: Note, **options: Any) -> None: ...
    def text(self, page_id: str | None = None) -> str: ...
    def writes(self) -> list[str]: ...


@pytest.fixture
async def ref(world: World, note: Note, a_call: Call) -> str:
    """A page that was delivered with the old summary."""
    async with world.sink() as sink:
        place = await sink.create(a_call(summary=OLD, turns=2))
        await sink.fill(place.ref, a_call(summary=OLD, turns=2), memo=None, remember=note.remember)
    made: str = place.ref
    return made


def _summary(world: World, ref: str) -> list[str]:
    return world.text(ref).partition("▸")[0].splitlines()


async def test_notes_between_our_blocks_stay_where_they_are(world: World, note: Note, a_call: Call, ref: str) -> None:
    """A new summary is written around what a person put at the top, in the middle, in the toggle and at the end."""
    heading, first, _, _, toggle = world.service.block_tree(ref)
    world.service.insert_block(ref, "note in the middle", after=first["id"])
    world.service.insert_block(toggle["id"], "note on the transcript", after=toggle["children"][0]["id"])
    world.service.insert_block(ref, "note at the end")
    assert heading["type"] == "heading_1"
    await world.fill(ref, a_call(summary=NEW, turns=60), note)
    assert _summary(world, ref) == ["# New", "first, but longer", "added", "note in the middle", "last"]
    assert "\n  note on the transcript\n" in world.text(ref)
    assert world.text(ref).endswith("\nnote at the end")
    assert world.text(ref).count("said in turn 59,") == 1


async def test_a_block_that_a_person_edited_is_theirs(world: World, note: Note, a_call: Call, ref: str) -> None:
    """Their wording stays while the summary is the same, and stays beside the new one when it changes."""
    first = world.service.block_tree(ref)[1]
    world.service.edit_block(first["id"], "first, as I remember it")
    world.log.clear()
    await world.fill(ref, a_call(summary=OLD, turns=2), note)
    assert world.writes() == []
    await world.fill(ref, a_call(summary=NEW, turns=2), note)
    assert "first, as I remember it" in _summary(world, ref)
    assert "first, but longer" in _summary(world, ref)
    await world.fill(ref, a_call(summary="", turns=2), note)
    assert _summary(world, ref) == ["first, as I remember it"]


async def test_what_a_person_put_below_our_block_keeps_the_block(
    world: World, note: Note, a_call: Call, ref: str
) -> None:
    """A bullet that nobody wants any more goes, unless somebody wrote below it."""
    bullet = world.service.block_tree(ref)[2]
    world.service.insert_block(bullet["id"], "my remark")
    await world.fill(ref, a_call(summary="last", turns=2), note)
    assert _summary(world, ref) == ["- bullet", "  - below", "  my remark", "last"]


async def test_an_unwanted_bullet_goes_with_what_we_wrote_below_it(
    world: World, note: Note, a_call: Call, ref: str
) -> None:
    """Untouched, it is ours to remove; and so is a transcript that is no longer wanted."""
    await world.fill(ref, a_call(summary="last", turns=0), note)
    assert world.text(ref) == "last"


async def test_a_transcript_with_a_persons_note_in_it_stays(world: World, note: Note, a_call: Call, ref: str) -> None:
    """The toggle would take the note with it."""
    toggle = world.service.block_tree(ref)[-1]
    world.service.insert_block(toggle["id"], "my remark")
    await world.fill(ref, a_call(summary="last", turns=0), note)
    assert "said in turn 1," in world.text(ref)
    assert world.text(ref).endswith("my remark")


async def test_a_block_of_ours_that_is_missing_comes_back_in_its_place(
    world: World, note: Note, a_call: Call, ref: str
) -> None:
    """Filling makes the body whole, in order, also at the very top."""
    blocks = world.service.block_tree(ref)
    world.service.delete_block(blocks[0]["id"])
    world.service.delete_block(blocks[2]["id"])
    await world.fill(ref, a_call(summary=OLD, turns=2), note)
    assert _summary(world, ref) == ["# Old", "first", "- bullet", "  - below", "last"]


async def test_notes_stay_when_the_memo_was_lost(world: World, note: Note, a_call: Call, ref: str) -> None:
    """Without a memo only what is exactly as wanted is taken for ours; everything else might be a person's."""
    blocks = world.service.block_tree(ref)
    world.service.insert_block(ref, "note", after=blocks[0]["id"])
    world.service.insert_block(blocks[2]["id"], "below the bullet")
    note.memo = None
    await world.fill(ref, a_call(summary=OLD, turns=2), note)
    assert "note" in _summary(world, ref)
    assert "  below the bullet" in _summary(world, ref)
    assert _summary(world, ref).count("first") == 1


async def test_a_persons_value_stays_until_ours_changes(world: World, note: Note, a_call: Call, ref: str) -> None:
    """A status set by hand survives a new summary; a new title is written."""
    async with world.sink() as sink:
        await sink._api.update_page(
            ref,
            {
                "properties": {
                    "Status": {"status": {"name": "In progress"}},
                    "Title": {"title": [{"text": {"content": "Mine"}}]},
                }
            },
        )
    await world.fill(ref, a_call(summary=NEW, turns=2), note)
    assert _titled(world) == ("Mine", "In progress")
    await world.fill(ref, a_call(summary=NEW, turns=2, title="Ours, anew"), note)
    assert _titled(world) == ("Ours, anew", "In progress")


def _titled(world: World) -> tuple[str, str]:
    (page,) = world.service.pages()
    properties = page["properties"]
    return properties["Title"]["title"][0]["plain_text"], properties["Status"]["status"]["name"]


async def test_a_trashed_page_is_not_made_again(world: World, note: Note, a_call: Call, ref: str) -> None:
    """Deleting is a decision; restoring it lets the sync go on."""
    world.service.trash_page(ref)
    with pytest.raises(PageGone, match="trash"):
        await world.fill(ref, a_call(summary=NEW, turns=2), note)
    async with world.sink() as sink:
        assert await sink.find("drive:1AbC") is None
    world.service.restore_page(ref)
    await world.fill(ref, a_call(summary=NEW, turns=2), note)
    assert _summary(world, ref)[0] == "# New"


async def test_a_page_that_notion_no_longer_knows_is_gone(world: World, note: Note, a_call: Call) -> None:
    """Erased from the trash: the database answers, so it is the page that is missing."""
    with pytest.raises(PageGone, match="deleted"):
        await world.fill("393abc1e-edcd-8170-aebf-cf1d14057b30", a_call(), note)
