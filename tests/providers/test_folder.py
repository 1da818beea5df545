"""Does the folder source find every recording once, only when it is whole, and only inside its folder?"""

import hashlib
import os
import random
import threading
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

import anyio
import pytest

from focusflow.errors import CursorExpired, Permanent, SourceError, Transient
from focusflow.ports import SourcePage
from focusflow.providers import folder_memory
from focusflow.providers.folder import FolderSource

NOW = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)


@dataclass
class HandClock:
    """A clock that only moves when a test says so."""

    time: datetime = NOW

    def now(self) -> datetime:
        return self.time

    def monotonic(self) -> float:
        return self.time.timestamp()

    async def sleep(self, seconds: float) -> None:
        self.time += timedelta(seconds=seconds)
        await anyio.lowlevel.checkpoint()


@dataclass
class Desk:
    """A folder with recordings, a source that reads it, and what a program learnt from it."""

    root: Path
    clock: HandClock = field(default_factory=HandClock)
    names: dict[str, str | None] = field(default_factory=dict)
    """MD5 by path, as reported."""
    cursor: str | None = None

    def __post_init__(self) -> None:
        self.source = self.new_source()

    def new_source(self, *, recursive: bool = True) -> FolderSource:
        return FolderSource(self.root, clock=self.clock, recursive=recursive, settle_seconds=10)

    def put(self, path: str, content: bytes = b"audio", *, age: float = 60) -> Path:
        """Write a file that was last written to *age* seconds ago."""
        target = self.root / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(content)
        moment = (self.clock.time - timedelta(seconds=age)).timestamp()
        os.utime(target, (moment, moment))
        return target

    async def read(self, *, at_most: int | None = None) -> list[SourcePage]:
        taken: list[SourcePage] = []
        async for page in self.source.pages(self.cursor):
            self.names.update((file.file_id, file.md5) for file in page.files)
            for path in page.gone:
                self.names.pop(path)
            self.cursor = page.cursor
            taken.append(page)
            if len(taken) == at_most:
                break
        return taken


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    root = tmp_path / "calls"
    root.mkdir()
    return Desk(root)


class Meter:
    """Hears how far a copy is."""

    def __init__(self) -> None:
        self.heard: list[tuple[int, int | None]] = []

    def __call__(self, done: int, total: int | None) -> None:
        self.heard.append((done, total))


def md5(content: bytes) -> str:
    return hashlib.md5(content, usedforsecurity=False).hexdigest()


async def test_every_file_is_reported_with_what_is_known_of_it(desk: Desk) -> None:
    """Its path is its id, its checksum is there before anything is copied."""
    desk.put("2026-11-23/Anna.m4a", b"one", age=3600)

    (page,) = await desk.read()

    (file,) = page.files
    assert (file.file_id, file.name, file.parent_id) == ("2026-11-23/Anna.m4a", "Anna.m4a", "2026-11-23")
    assert (file.size, file.md5, file.owners, file.web_url) == (3, md5(b"one"), (), None)
    assert file.modified_at == NOW - timedelta(hours=1)
    assert (page.listing, page.more) == (True, False)


async def test_the_same_name_in_two_folders_is_two_files(desk: Desk) -> None:
    """Recorders number their files anew every day."""
    desk.put("monday/call.mp3", b"one")
    desk.put("tuesday/call.mp3", b"two")
    desk.put("call.mp3", b"three")

    await desk.read()

    assert desk.names == {"monday/call.mp3": md5(b"one"), "tuesday/call.mp3": md5(b"two"), "call.mp3": md5(b"three")}


async def test_folders_are_left_alone_when_so_configured(desk: Desk) -> None:
    """`recursive=False` reads the folder itself only."""
    desk.put("call.mp3")
    desk.put("archive/old.mp3")
    desk.source = desk.new_source(recursive=False)

    await desk.read()

    assert desk.names.keys() == {"call.mp3"}


async def test_an_idle_look_says_nothing_and_keeps_the_cursor(desk: Desk) -> None:
    """So nothing needs to be written when nothing happened."""
    desk.put("call.mp3")
    await desk.read()
    before = desk.cursor

    (page,) = await desk.read()

    assert page == SourcePage(cursor=before or "", more=False)


async def test_an_empty_folder_is_one_empty_page(desk: Desk) -> None:
    """There is a cursor to commit from the first look on."""
    (page,) = await desk.read()

    assert (page.files, page.more, page.listing) == ((), False, True)
    (idle,) = await desk.read()
    assert not idle.listing


async def test_new_changed_and_deleted_files_are_told(desk: Desk) -> None:
    """A new content under an old name too, even with the same size."""
    desk.put("kept.mp3")
    desk.put("changed.mp3", b"before", age=100)
    desk.put("deleted.mp3")
    await desk.read()
    desk.put("changed.mp3", b"after!", age=50)
    (desk.root / "deleted.mp3").unlink()
    desk.put("new.mp3")

    (page,) = await desk.read()

    assert {file.file_id for file in page.files} == {"changed.mp3", "new.mp3"}
    assert page.gone == ("deleted.mp3",)
    assert desk.names["changed.mp3"] == md5(b"after!")


async def test_a_file_that_is_being_written_waits_and_is_not_lost(desk: Desk) -> None:
    """It is reported by the first look after it has held still."""
    desk.put("call.mp3", b"half", age=3)
    await desk.read()
    assert desk.names == {}
    desk.put("call.mp3", b"half and the rest", age=0)
    desk.clock.time += timedelta(seconds=9)
    await desk.read()
    assert desk.names == {}

    desk.clock.time += timedelta(seconds=1)
    await desk.read()

    assert desk.names == {"call.mp3": md5(b"half and the rest")}


async def test_a_reported_file_that_is_written_again_is_not_gone_meanwhile(desk: Desk) -> None:
    """It is there all the time; its new version comes when it is whole."""
    desk.put("call.mp3", b"before")
    await desk.read()
    desk.put("call.mp3", b"after", age=0)
    (page,) = await desk.read()
    assert (page.files, page.gone) == ((), ())

    desk.clock.time += timedelta(seconds=11)
    await desk.read()

    assert desk.names == {"call.mp3": md5(b"after")}


async def test_a_file_from_the_future_is_not_waited_for_for_ever(desk: Desk) -> None:
    """A phone whose clock is wrong says nothing about writing."""
    desk.put("call.mp3", age=-86_400)

    await desk.read()

    assert desk.names.keys() == {"call.mp3"}


async def test_what_programs_keep_for_themselves_is_passed_over(desk: Desk) -> None:
    """Synchronisers write to hidden files first, then rename."""
    desk.put(".syncthing.call.mp3.tmp")
    desk.put(".stversions/call.mp3")
    os.mkfifo(desk.root / "pipe.mp3")

    await desk.read()

    assert desk.names == {}
    assert await desk.source.check() == []


async def test_a_link_out_of_the_folder_is_refused_and_said(desk: Desk, tmp_path: Path) -> None:
    """Neither the files nor the folders behind it are read."""
    (tmp_path / "secrets").mkdir()
    (tmp_path / "secrets" / "diary.mp3").write_bytes(b"private")
    (desk.root / "folder").symlink_to(tmp_path / "secrets")
    (desk.root / "file.mp3").symlink_to(tmp_path / "secrets" / "diary.mp3")
    desk.put("call.mp3")
    (desk.root / "inside.mp3").symlink_to(desk.root / "call.mp3")

    await desk.read()

    assert desk.names.keys() == {"call.mp3"}
    problems = await desk.source.check()
    assert len(problems) == 2
    assert [("folder" in problem or "file.mp3" in problem) for problem in problems] == [True, True]
    for file_id in ("file.mp3", "folder/diary.mp3"):
        with pytest.raises(Permanent, match="may not be read"):
            await desk.source.read_small(file_id)


@pytest.mark.parametrize(
    "file_id", ["../outside.mp3", "/etc/passwd", "a/../../outside.mp3", "a/../call.mp3", "", ".", "..", "a\0b"]
)
async def test_no_id_leads_out_of_the_folder(desk: Desk, tmp_path: Path, file_id: str) -> None:
    """Whatever is in the database, only files in the folder are read."""
    (tmp_path / "outside.mp3").write_bytes(b"private")
    desk.put("a/call.mp3")
    desk.put("call.mp3")

    with pytest.raises(Permanent):
        await desk.source.read_small(file_id)
    with pytest.raises(Permanent):
        await desk.source.download(file_id, tmp_path / "target", expected_md5=None, progress=Meter())

    assert not (tmp_path / "target").exists()


async def test_a_name_that_is_no_text_is_a_problem_and_not_a_crash(desk: Desk) -> None:
    """The other files are read all the same."""
    desk.put(os.fsdecode(b"caf\xe9.mp3"))
    desk.put("call.mp3")

    await desk.read()

    assert desk.names.keys() == {"call.mp3"}
    (problem,) = await desk.source.check()
    assert "not valid UTF-8" in problem


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
async def test_what_may_not_be_read_is_a_problem_and_not_a_crash(desk: Desk) -> None:
    """A file and a folder without permission are named; files known to be in that folder do not count as gone."""
    desk.put("closed/known.mp3")
    await desk.read()
    desk.put("call.mp3")
    desk.put("secret.mp3").chmod(0)
    (desk.root / "closed").chmod(0)
    try:
        await desk.read()
        problems = await desk.source.check()
    finally:
        (desk.root / "closed").chmod(0o700)

    assert desk.names.keys() == {"call.mp3", "closed/known.mp3"}
    assert sorted(problem.split(" cannot")[0] for problem in problems) == ["The folder closed", "secret.mp3"]


async def test_a_folder_that_is_not_there_is_said(tmp_path: Path) -> None:
    """A disk that is not mounted is a problem of the source, not an empty folder."""
    source = FolderSource(tmp_path / "missing", clock=HandClock())

    with pytest.raises(SourceError, match="missing cannot be read: No such file or directory"):
        [page async for page in source.pages(None)]
    (problem,) = await source.check()
    assert "missing" in problem


async def test_a_file_in_place_of_the_folder_is_said(tmp_path: Path) -> None:
    """The path of a recording was configured."""
    (tmp_path / "call.mp3").write_bytes(b"audio")

    (problem,) = await FolderSource(tmp_path / "call.mp3", clock=HandClock()).check()

    assert "Not a directory" in problem


async def test_many_files_come_in_pages_and_a_crash_repeats_at_most_one(desk: Desk) -> None:
    """From the cursor of any committed page, exactly the rest follows."""
    for number in range(2_500):
        desk.put(f"day {number % 3}/call {number}.mp3", b"%d" % number)
    whole = [page async for page in desk.source.pages(None)]
    assert [len(page.files) for page in whole] == [1000, 1000, 500]
    assert [page.listing for page in whole] == [True] * 3

    for committed in (1, 2, 3):
        rest = [page async for page in desk.new_source().pages(whole[committed - 1].cursor)]
        assert [page.files for page in rest if page.files] == [page.files for page in whole[committed:]]


async def test_the_cursor_does_not_grow_with_the_number_of_looks(desk: Desk) -> None:
    """What many looks added is made one again."""
    sizes = []
    for number in range(60):
        desk.put(f"call {number:02}.mp3", b"%d" % number)
        await desk.read()
        sizes.append(len(desk.cursor or ""))
        (desk.root / f"call {number:02}.mp3").unlink()
    await desk.read()

    assert desk.names == {}
    assert max(sizes[30:]) <= max(sizes[:30]) * 1.1


async def test_a_full_listing_does_not_read_unchanged_files_again(desk: Desk) -> None:
    """The checksum is kept as long as size and time stay; here the bytes change behind their back to prove it."""
    path = desk.put("call.mp3", b"before")
    status = path.stat()
    await desk.read()
    path.write_bytes(b"after!")
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))

    desk.cursor = None
    await desk.read()

    assert desk.names == {"call.mp3": md5(b"before")}


@pytest.mark.parametrize(
    "cursor", ["", "{}", "null", '{"v":1}', '{"v":1,"full":true,"seen":["eA=="]}', '{"v":2,"seen":""}']
)
async def test_a_cursor_that_is_not_ours_is_an_expired_one(desk: Desk, cursor: str) -> None:
    """The answer is to list everything, not a traceback."""
    with pytest.raises(CursorExpired):
        [page async for page in desk.source.pages(cursor)]


def test_a_cursor_remembers_any_names() -> None:
    """Line breaks, quotes and every script."""
    seen = {"a\nb.mp3": "0" * 8, 'q"\\.mp3': "1" * 8, "日本/通話 ↗.m4a": "2" * 8}

    blocks, full = folder_memory.decoded(folder_memory.encoded([folder_memory.block(seen)], full=True))

    assert (folder_memory.remembered(blocks), full) == (seen, True)
    assert folder_memory.remembered([folder_memory.block({})]) == {}


def test_later_blocks_override_earlier_ones() -> None:
    """A page writes only what it found: new versions, new files, and files to forget."""
    first = folder_memory.block({"a": "1", "b": "1", "c": "1"})
    second = folder_memory.block({"b": "2", "c": folder_memory.GONE, "d": "1"})

    assert folder_memory.remembered([first, second]) == {"a": "1", "b": "2", "d": "1"}


@pytest.mark.parametrize("seed", range(5))
async def test_whatever_happens_in_the_folder_our_picture_becomes_true(desk: Desk, seed: int) -> None:
    """Random writing, moving and deleting between looks, each in a new process."""
    dice = random.Random(seed)
    for step in range(30):
        for _ in range(dice.randrange(5)):
            _tidy(desk, dice, step)
        desk.source = desk.new_source()
        await desk.read()
        desk.clock.time += timedelta(seconds=dice.choice([1, 5, 20]))
    desk.clock.time += timedelta(seconds=20)
    await desk.read()

    assert desk.names == _truth(desk.root)


def _tidy(desk: Desk, dice: random.Random, step: int) -> None:
    files = [path for path in desk.root.rglob("*") if path.is_file()]
    name = f"folder {dice.randrange(3)}/call {dice.randrange(20)}.mp3"
    if not files or dice.random() < 0.5:
        desk.put(name, dice.randbytes(10), age=dice.choice([0, 1, 15, 1000 + step]))
    elif dice.random() < 0.5:
        dice.choice(files).unlink()
    else:
        target = desk.root / name
        target.parent.mkdir(exist_ok=True)
        dice.choice(files).rename(target)


def _truth(root: Path) -> dict[str, str]:
    return {path.relative_to(root).as_posix(): md5(path.read_bytes()) for path in root.rglob("*") if path.is_file()}


async def test_a_recording_is_copied_whole(desk: Desk, tmp_path: Path) -> None:
    """With its checksum, its progress, and nothing left beside it."""
    content = random.Random(1).randbytes(9 * 1024 * 1024 + 5)
    desk.put("day/call.mp3", content)
    target, meter = tmp_path / "out" / "call.mp3", Meter()
    await anyio.Path(target.parent).mkdir()

    done = await desk.source.download("day/call.mp3", target, expected_md5=md5(content), progress=meter)

    assert (done.path, done.size, done.md5) == (target, len(content), md5(content))
    assert await anyio.Path(target).read_bytes() == content
    assert [path.name async for path in anyio.Path(target.parent).iterdir()] == ["call.mp3"]
    assert meter.heard == [(4 << 20, len(content)), (8 << 20, len(content)), (len(content), len(content))]


async def test_a_recording_that_was_replaced_is_copied_as_it_is_now(desk: Desk, tmp_path: Path) -> None:
    """The checksum we were given is of the old version."""
    desk.put("call.mp3", b"new")

    done = await desk.source.download("call.mp3", tmp_path / "t", expected_md5=md5(b"old"), progress=Meter())

    assert done.md5 == md5(b"new")


async def test_a_recording_that_keeps_growing_is_left_for_later(desk: Desk, tmp_path: Path) -> None:
    """What is copied while somebody writes is not a recording."""
    path = desk.put("call.mp3", b"beginning" * 1_000_000)
    done = threading.Event()

    def write_on() -> None:
        with path.open("ab", buffering=0) as file:
            while not done.wait(0.0001):
                file.write(b"more")

    writer = threading.Thread(target=write_on)
    writer.start()
    try:
        with pytest.raises(Transient, match="being written"):
            await desk.source.download("call.mp3", tmp_path / "t", expected_md5=None, progress=Meter())
    finally:
        done.set()
        writer.join()

    assert not (tmp_path / "t").exists()


async def test_a_recording_that_is_gone_or_empty_is_a_permanent_failure(desk: Desk, tmp_path: Path) -> None:
    """With a sentence for each."""
    desk.put("empty.mp3", b"")

    with pytest.raises(Permanent, match=r"gone\.mp3 is no longer in the folder"):
        await desk.source.download("gone.mp3", tmp_path / "t", expected_md5=None, progress=Meter())
    with pytest.raises(Permanent, match=r"empty\.mp3 is empty"):
        await desk.source.download("empty.mp3", tmp_path / "t", expected_md5=None, progress=Meter())


async def test_a_copy_that_is_in_place_is_not_made_again(desk: Desk, tmp_path: Path) -> None:
    """After a crash between copying and uploading."""
    desk.put("call.mp3", b"audio")
    await desk.source.download("call.mp3", tmp_path / "t", expected_md5=md5(b"audio"), progress=Meter())
    meter = Meter()

    done = await desk.source.download("call.mp3", tmp_path / "t", expected_md5=md5(b"audio"), progress=meter)

    assert done.md5 == md5(b"audio")
    assert meter.heard == []


async def test_a_sidecar_is_read_as_far_as_allowed(desk: Desk) -> None:
    """A huge one costs no memory."""
    desk.put("call.json", b"x" * 100_000)

    assert await desk.source.read_small("call.json", limit=10) == b"x" * 10
    assert len(await desk.source.read_small("call.json")) == 65_536
    with pytest.raises(Permanent):
        await desk.source.read_small("gone.json")
