"""Does the feed of changes keep our picture of the folder true, whatever people do in Drive?"""

from __future__ import annotations

import random
from typing import TYPE_CHECKING

import pytest

from focusflow.errors import SourceError
from focusflow.sandbox.drive.files import FOLDER, DriveFile

if TYPE_CHECKING:
    from tests.providers.drive.conftest import Reader, World

LIST = r"^/drive/v3/files$"


@pytest.fixture
async def outside(world: World) -> str:
    """A folder that we can see and that is not ours."""
    return world.files._add("Elsewhere", parent=None, mime_type=FOLDER, content=None)


async def test_new_renamed_and_replaced_files_are_reported(world: World, reader: Reader) -> None:
    """Each with the state it has now."""
    first, second = world.add_files(2)
    source = world.source()
    await reader.read(source)
    world.files.rename(first, "renamed.mp3")
    world.files.replace_content(second, b"other bytes")
    third = world.files.add_file("third.mp3", size=10)

    (page,) = await reader.read(source)

    assert {file.file_id: file.name for file in page.files} == {
        first: "renamed.mp3",
        second: "call 1.mp3",
        third: "third.mp3",
    }
    assert {file.file_id: file.size for file in page.files}[second] == len(b"other bytes")
    assert not page.listing


async def test_trashed_and_deleted_files_are_gone_and_restored_ones_are_back(world: World, reader: Reader) -> None:
    """The bin counts as gone."""
    trashed, deleted, kept = world.add_files(3)
    source = world.source()
    await reader.read(source)
    world.files.trash(trashed)
    world.files.delete(deleted)
    await reader.read(source)
    assert reader.names.keys() == {kept}

    world.files.untrash(trashed)
    await reader.read(source)

    assert reader.names == world.truth()


async def test_a_file_moved_out_is_gone_and_one_moved_in_is_new(world: World, reader: Reader, outside: str) -> None:
    """A move changes nothing but the parent."""
    (leaving,) = world.add_files(1)
    entering = world.files.add_file("entering.mp3", parent=outside, size=10)
    source = world.source()
    await reader.read(source)
    world.files.move(leaving, outside)
    world.files.move(entering, world.files.root_id)

    await reader.read(source)

    assert reader.names == {entering: "entering.mp3"} == world.truth()


async def test_a_new_sub_folder_brings_its_files(world: World, reader: Reader) -> None:
    """Tomorrow's day folder appears without anything being configured."""
    source = world.source()
    await reader.read(source)
    day = world.files.add_folder("2026-11-24")
    world.add_files(3, parent=day)
    await reader.read(source)
    assert reader.names == world.truth()

    world.add_files(2, parent=day, prefix="later")
    world.log.clear()
    await reader.read(source)

    assert reader.names == world.truth()
    assert len(world.log) == 1, "a folder that is known needs no listing"


async def test_a_folder_moved_in_brings_files_that_the_feed_does_not_mention(
    world: World, reader: Reader, outside: str
) -> None:
    """A folder moves with all that is below it, and only the folder is in the feed."""
    year = world.files.add_folder("2026", parent=outside)
    for month in range(3):
        world.add_files(2, parent=world.files.add_folder(f"{month}", parent=year), prefix=f"month {month}")
    source = world.source(page_size=2)
    await reader.read(source)
    assert reader.names == {}
    world.files.move(year, world.files.root_id)

    await reader.read(source)

    assert reader.names == world.truth()
    assert len(reader.names) == 6


async def test_a_folder_moved_out_takes_its_files_along(world: World, reader: Reader, outside: str) -> None:
    """None of its files is in the feed, yet all of them are gone, and its later changes do not concern us."""
    year = world.files.add_folder("2026")
    month = world.files.add_folder("11", parent=year)
    world.add_files(3, parent=month)
    (kept,) = world.add_files(1, prefix="kept")
    source = world.source(page_size=2)
    await reader.read(source)
    world.files.move(year, outside)
    await reader.read(source)
    assert reader.names.keys() == {kept}

    world.add_files(1, parent=month, prefix="not ours")
    await reader.read(source)

    assert reader.names.keys() == {kept}


async def test_a_folder_moved_into_a_new_folder_stays_ours(world: World, reader: Reader) -> None:
    """Tidying up: the day folders go into a new year folder. Nothing is gone, not even for a moment."""
    day = world.files.add_folder("2026-11-23")
    world.add_files(3, parent=day)
    source = world.source()
    await reader.read(source)
    year = world.files.add_folder("2026")
    world.files.move(day, year)

    pages = await reader.read(source)

    assert reader.names == world.truth()
    assert [page.gone for page in pages if page.gone] == []


async def test_what_happens_elsewhere_in_the_account_is_not_ours(world: World, reader: Reader, outside: str) -> None:
    """The feed is the account's: files of other folders never become recordings."""
    source = world.source()
    await reader.read(source)
    world.add_files(3, parent=outside, prefix="private")

    pages = await reader.read(source)

    assert [page.files for page in pages] == [()]


async def test_revoked_sharing_is_said_and_heals(world: World, reader: Reader) -> None:
    """Everything is gone, each look says whom to share with, and sharing again brings everything back by itself."""
    world.add_files(2)
    world.add_files(2, parent=world.files.add_folder("day"), prefix="day")
    source = world.source(credentials=world.service.service_account_info())
    await reader.read(source)
    world.files.revoke_sharing()
    await reader.read(source)
    assert reader.names == {}

    for _ in range(2):
        with pytest.raises(SourceError, match=r"Share the Google Drive folder .* with focusflow@sandbox-project"):
            await reader.read(source)

    world.files.restore_sharing()
    await reader.read(source)
    assert reader.names == world.truth()
    assert len(reader.names) == 4


async def test_a_binned_folder_is_said_and_heals(world: World, reader: Reader) -> None:
    """The same for the folder itself in the bin."""
    world.add_files(2)
    source = world.source()
    await reader.read(source)
    world.files.trash(world.files.root_id)
    await reader.read(source)
    with pytest.raises(SourceError, match="in the bin"):
        await reader.read(source)

    world.files.untrash(world.files.root_id)
    await reader.read(source)

    assert reader.names == world.truth()


async def test_many_changes_come_page_by_page_and_a_crash_repeats_one(world: World, reader: Reader) -> None:
    """The feed too is committed page by page."""
    source = world.source(page_size=3)
    await reader.read(source)
    world.add_files(10)

    while len(await reader.read(world.source(page_size=3), at_most=1)) and reader.names != world.truth():
        pass

    assert reader.names == world.truth()
    assert world.log.count("drive", path=LIST) == 1


class Tidier:
    """A person who does things in Drive, at random."""

    def __init__(self, world: World, outside: str, dice: random.Random) -> None:
        self.files, self.outside, self.dice = world.files, outside, dice
        self.count = 0

    def act(self) -> None:
        self.count += 1
        often = [self._add, self._add, self._add_folder, self._move, self._move_out, self._trash, self._untrash]
        act = self.dice.choice([*often, self._rename, self._replace, self._delete])
        act()

    def _pick(self, *, folder: bool | None = None, trashed: bool | None = False) -> DriveFile | None:
        found = [
            file
            for file in self.files.everything()
            if file.id not in (self.files.root_id, self.outside)
            and (folder is None or (file.mime_type == FOLDER) == folder)
            and (trashed is None or file.explicitly_trashed == trashed)
        ]
        return self.dice.choice(found) if found else None

    def _somewhere(self) -> str:
        folders = [file.id for file in self.files.everything() if file.mime_type == FOLDER]
        return self.dice.choice(folders)

    def _add(self) -> None:
        self.files.add_file(f"call {self.count}.mp3", parent=self._somewhere(), size=self.count)

    def _add_folder(self) -> None:
        self.files.add_folder(f"folder {self.count}", parent=self._somewhere())

    def _move(self) -> None:
        moved, to = self._pick(), self._somewhere()
        if moved is not None and to not in {file.id for file in self.files._subtree(moved.id)}:
            self.files.move(moved.id, to)

    def _move_out(self) -> None:
        if moved := self._pick(folder=True):
            self.files.move(moved.id, self.outside)

    def _trash(self) -> None:
        if doomed := self._pick():
            self.files.trash(doomed.id)

    def _untrash(self) -> None:
        if saved := self._pick(trashed=True):
            self.files.untrash(saved.id)

    def _rename(self) -> None:
        if renamed := self._pick():
            self.files.rename(renamed.id, f"renamed {self.count}.mp3")

    def _replace(self) -> None:
        if replaced := self._pick(folder=False):
            self.files.replace_content(replaced.id, size=self.count)

    def _delete(self) -> None:
        if self.dice.random() < 0.3 and (doomed := self._pick(trashed=None)):
            self.files.delete(doomed.id)


@pytest.mark.parametrize("seed", range(12))
async def test_whatever_happens_in_drive_our_picture_becomes_true(
    world: World, reader: Reader, outside: str, seed: int
) -> None:
    """Random tidying, looks cut short by crashes after any page: at rest, what we know is what is there."""
    dice = random.Random(seed)
    tidier = Tidier(world, outside, dice)
    for _ in range(15):
        for _ in range(dice.randrange(6)):
            tidier.act()
        await reader.read(world.source(page_size=dice.randrange(1, 5)), at_most=dice.randrange(5))
    await reader.read(world.source(page_size=3))

    assert reader.names == world.truth()
