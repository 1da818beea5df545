"""Does listing find every recording in the folder, once, with as few requests as there are pages?"""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest

from focusflow.errors import CursorExpired, SourceError
from focusflow.providers.drive.bookmark import FOLDERS_PER_QUERY
from focusflow.sandbox.drive.files import FOLDER
from focusflow.sandbox.faults import Fault

if TYPE_CHECKING:
    from tests.providers.drive.conftest import Reader, World

LIST = r"^/drive/v3/files$"
CHANGES = r"^/drive/v3/changes$"
START = r"^/drive/v3/changes/startPageToken$"
GET = r"^/drive/v3/files/."


async def test_five_thousand_files_cost_one_request_for_each_thousand(world: World, reader: Reader) -> None:
    """No request is made for a single file, and an idle look costs exactly one."""
    world.add_files(5_000)
    source = world.source()

    await reader.read(source)

    assert reader.names == world.truth()
    assert (world.asked(LIST), world.asked(START), world.asked(GET), world.asked(CHANGES)) == (5, 1, 1, 1)
    world.log.clear()
    cursor = reader.cursor
    (idle,) = await reader.read(source)
    assert (len(world.log), world.asked(CHANGES)) == (1, 1)
    assert (idle.files, idle.gone, idle.more, idle.cursor) == ((), (), False, cursor)


async def test_the_feed_begins_before_the_listing(world: World, reader: Reader) -> None:
    """The start token is taken first, so what happens during the listing is in the feed."""
    world.add_files(5)
    source = world.source(page_size=2)
    pages = source.pages(None)
    reader.absorb(await anext(pages))
    world.files.add_file("late.mp3", size=10)
    world.files.rename(world.files.named("call 0.mp3").id, "renamed.mp3")
    async for page in pages:
        reader.absorb(page)

    assert reader.names == world.truth()
    asked = [entry.path for entry in world.log if entry.method == "GET"]
    assert asked.index("/drive/v3/changes/startPageToken") < asked.index("/drive/v3/files")


async def test_day_folders_are_listed_together(world: World, reader: Reader) -> None:
    """A year of day folders costs a query for every twenty, not one for each."""
    for day in range(60):
        folder = world.files.add_folder(f"day {day}")
        world.add_files(2, parent=folder, prefix=f"day {day}")

    pages = await reader.read(world.source())

    assert reader.names == world.truth()
    assert world.asked(LIST) == 1 + 60 / FOLDERS_PER_QUERY
    assert all(entry.method == "GET" for entry in world.log if entry.path != "/token"), "the address stays short enough"
    assert [page.listing for page in pages] == [True] * 4 + [False]


async def test_folders_in_folders_are_found_at_any_depth(world: World, reader: Reader) -> None:
    """The listing goes down as far as there are folders."""
    parent = world.files.root_id
    for depth in range(12):
        parent = world.files.add_folder(f"level {depth}", parent=parent)
        world.add_files(1, parent=parent, prefix=f"level {depth}")

    await reader.read(world.source())

    assert reader.names == world.truth()
    assert len(reader.names) == 12


async def test_a_folder_that_a_group_query_keeps_silent_about_is_asked_again_alone(
    world: World, reader: Reader
) -> None:
    """Drive may answer a query for several folders as if some were empty: an empty one costs a request, never a file."""
    for day in range(5):
        folder = world.files.add_folder(f"day {day}")
        world.add_files(day, parent=folder, prefix=f"day {day}")

    await reader.read(world.source())

    assert reader.names == world.truth()
    assert world.asked(LIST) == 1 + 1 + 1, "the root, the group, and the one empty folder"


async def test_a_file_says_all_that_is_known_of_it(world: World, reader: Reader) -> None:
    """Sizes are numbers, times are aware and UTC, the checksum and the link come with the listing."""
    world.files.add_file(
        "call.amr", content=b"abc", mime_type="application/octet-stream", created=1_700_000_000.5, modified=0.0
    )
    (file,) = (await reader.read(world.source()))[0].files

    assert (file.name, file.size, file.md5) == ("call.amr", 3, "900150983cd24fb0d6963f7d28e17f72")
    assert file.mime_type == "application/octet-stream"
    assert file.created_at == datetime(2023, 11, 14, 22, 13, 20, 500_000, tzinfo=UTC)
    assert file.modified_at == datetime(1970, 1, 1, tzinfo=UTC)
    assert file.owners == ("maya@lindqvist-interiors.example",)
    assert file.parent_id == world.files.root_id
    assert file.web_url is not None
    assert file.file_id in file.web_url


async def test_what_has_no_bytes_is_no_recording(world: World, reader: Reader) -> None:
    """Folders, Google's own documents and shortcuts are passed over; a shortcut is not followed."""
    call = world.files.add_file("call.mp3", size=10)
    world.files.add_folder("empty")
    world.files.add_file("notes", mime_type="application/vnd.google-apps.document")
    world.files.add_shortcut("call again", call)

    await reader.read(world.source())

    assert reader.names == {call: "call.mp3"}


async def test_a_shared_drive_is_followed_by_its_own_feed(world: World, reader: Reader) -> None:
    """Files on a shared drive are found, have no owners, and later changes come from the drive's own feed."""
    drive_id = world.files.add_shared_drive("Calls")
    day = world.files.add_folder("2026-11-23", parent=drive_id)
    world.add_files(3, parent=day)
    source = world.source(folder_id=drive_id)
    pages = await reader.read(source)

    assert reader.names == world.truth(drive_id)
    assert all(file.owners == () for page in pages for file in page.files)
    world.files.add_file("later.mp3", parent=day, size=10)
    await reader.read(source)
    assert reader.names == world.truth(drive_id)
    assert {entry.query["driveId"] for entry in world.log.requests("drive", path="changes|files$")} == {drive_id}


@pytest.mark.parametrize("page_size", [1, 2, 3])
async def test_a_crash_after_any_page_loses_nothing_and_repeats_at_most_one(world: World, page_size: int) -> None:
    """From the cursor of the last committed page, in a new process, exactly the rest is read."""
    world.add_files(5)
    for day in range(3):
        world.add_files(2, parent=world.files.add_folder(f"day {day}"), prefix=f"day {day}")
    whole = [page async for page in world.source(page_size=page_size).pages(None)]

    for committed in range(1, len(whole)):
        rest = [page async for page in world.source(page_size=page_size).pages(whole[committed - 1].cursor)]
        before = {file.file_id for page in whole[:committed] for file in page.files}
        after = {file.file_id for page in rest for file in page.files}
        assert before | after == world.truth().keys()
        assert before & after == set(), "the page that was not committed is the only one repeated"
        assert [page.files for page in rest] == [page.files for page in whole[committed:]]


async def test_a_listing_whose_page_token_expired_begins_again_and_finds_everything(
    world: World, reader: Reader
) -> None:
    """Page tokens live some hours; a listing resumed a day later starts that folder over."""
    world.add_files(7)
    await reader.read(world.source(page_size=2), at_most=2)
    world.files.expire_listings()
    world.add_files(2, prefix="meanwhile")

    await reader.read(world.source(page_size=2))

    assert reader.names == world.truth()
    assert world.asked(START) == 1, "the feed's place is kept"


async def test_a_listing_that_never_gets_on_gives_up_until_the_next_look(world: World, reader: Reader) -> None:
    """A page token refused again and again is an error of the source, not an endless loop."""
    world.add_files(7)
    for passed in range(1, 9):  # every second page
        world.faults.add(Fault(service="drive", kind="status", status=400, path=LIST, skip=passed))
    source = world.source(page_size=2)
    with pytest.raises(SourceError, match="refusing to go on"):
        await reader.read(source)
    world.faults.clear()

    await reader.read(source)

    assert reader.names == world.truth()


async def test_a_refused_changes_token_says_that_the_cursor_expired(world: World, reader: Reader) -> None:
    """The caller then lists everything once more, and has everything."""
    world.add_files(3)
    source = world.source()
    await reader.read(source)
    world.files.expire_change_tokens()
    world.add_files(1, prefix="unseen")

    with pytest.raises(CursorExpired):
        await reader.read(source)
    reader.cursor = None
    await reader.read(source)

    assert reader.names == world.truth()


@pytest.mark.parametrize("cursor", ["", "{}", "[]", "null", '{"v":1}', "nonsense", '{"v":99,"folder":"x"}'])
async def test_a_cursor_that_is_not_ours_is_an_expired_one(world: World, cursor: str) -> None:
    """Whatever is in the database, the answer is to list everything, not a traceback."""
    with pytest.raises(CursorExpired):
        [page async for page in world.source().pages(cursor)]


async def test_another_folder_in_the_configuration_expires_the_cursor(world: World, reader: Reader) -> None:
    """The place reached in one folder says nothing about another."""
    other = world.files.add_folder("other")
    await reader.read(world.source())

    with pytest.raises(CursorExpired):
        await reader.read(world.source(folder_id=other))


async def test_a_sub_folder_that_goes_during_the_listing_does_not_stop_it(world: World, reader: Reader) -> None:
    """A group query with a folder that is gone is refused as a whole; the others are still listed."""
    days = [world.files.add_folder(f"day {day}") for day in range(4)]
    for day in days:
        world.add_files(2, parent=day, prefix=day)
    source = world.source()
    await reader.read(source, at_most=1)
    world.files.delete(days[1])

    await reader.read(source)

    assert reader.names == world.truth()


async def test_a_cursor_grows_with_folders_and_not_with_files(world: World, reader: Reader) -> None:
    """It is written with every page, so it stays small: about forty bytes for each folder."""
    for day in range(100):
        world.add_files(3, parent=world.files.add_folder(f"day {day}"), prefix=f"day {day}")
    await reader.read(world.source())
    with_300_files = len(reader.cursor or "")
    world.add_files(300)
    await reader.read(world.source())

    assert with_300_files < 100 * 40 + 300
    assert abs(len(reader.cursor or "") - with_300_files) < 10
    assert json.loads(reader.cursor or "")["v"] == 1


async def test_nobody_but_the_configured_endpoint_is_asked(world: World, reader: Reader) -> None:
    """A service account's client library would look up where the account may be used; ours does not."""
    world.add_files(1)
    await reader.read(world.source(credentials=world.service.service_account_info()))

    assert {entry.path for entry in world.log} == {
        "/token",
        f"/drive/v3/files/{world.files.root_id}",
        "/drive/v3/changes/startPageToken",
        "/drive/v3/files",
        "/drive/v3/changes",
    }
    assert world.files.children(world.files.root_id)[0].mime_type != FOLDER
