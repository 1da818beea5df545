"""Does a call become one safe Markdown file, and is what a person does to it respected?"""

import errno
import os
import resource
import stat
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import anyio
import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from focusflow.domain.jobs import Direction
from focusflow.domain.transcript import Transcript, Utterance
from focusflow.errors import Held, HoldKind, PageGone, Transient
from focusflow.ports import Page
from focusflow.providers.markdown_folder import MarkdownFolderSink
from focusflow.providers.markdown_page import document, file_stem, key_in

BERLIN = ZoneInfo("Europe/Berlin")

TRANSCRIPT = Transcript(
    text="Hello. *Hi* there.",
    utterances=(
        Utterance(speaker="A", start_ms=0, end_ms=900, text="Hello."),
        Utterance(speaker="B", start_ms=3_661_000, end_ms=3_662_000, text="*Hi* there,\n# not a heading"),
        Utterance(speaker=None, start_ms=61_000, end_ms=62_000, text="<b>"),
    ),
    language="en",
    duration_seconds=3670.0,
    model="universal",
    speakers={"A": "Ann"},
)
CALL = Page(
    key="drive-1AbC",
    title="A quote: for chairs",
    contact_name="Ann Lee",
    contact_number="+49 30 123",
    direction=Direction.INCOMING,
    call_type="Phone",
    call_at=datetime(2026, 7, 4, 22, 8, 9, tzinfo=UTC),
    time_zone="Europe/Berlin",
    duration_seconds=754.0,
    web_url="https://drive.google.com/file/d/1AbC/view",
    file_name="x.m4a",
    language="en",
    summary_markdown="## Summary\n\n- **forty** chairs\n",
    transcript=TRANSCRIPT,
)


@dataclass
class Note:
    """What the store keeps of a file for the sink."""

    memo: str | None = None
    crash_at: int | None = None
    commits: int = 0

    async def remember(self, memo: str) -> None:
        self.commits += 1
        if self.commits == self.crash_at:
            raise KeyError("crash")
        self.memo = memo


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return tmp_path / "calls"


@pytest.fixture
def sink(root: Path) -> MarkdownFolderSink:
    return MarkdownFolderSink(root, BERLIN)


@pytest.fixture
def note() -> Note:
    return Note()


def _names(root: Path) -> list[str]:
    return sorted(path.name for path in root.iterdir())


async def test_a_call_becomes_a_private_file_with_front_matter_summary_and_transcript(
    sink: MarkdownFolderSink, root: Path, note: Note
) -> None:
    """The name carries local date, contact and key; the content reads well and can be parsed."""
    ref = await sink.create(CALL)
    await sink.fill(ref.ref, CALL, memo=None, remember=note.remember)
    assert _names(root) == [ref.ref] == ["2026-07-05 00.08 Ann Lee drive-1AbC.md"]
    file = root / ref.ref
    assert ref.url == file.resolve().as_uri()
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    _, front, body = file.read_text().split("---\n", 2)
    assert yaml.safe_load(front) == {
        "key": "drive-1AbC",
        "title": "A quote: for chairs",
        "date": "2026-07-05T00:08:09+02:00",
        "contact": "Ann Lee",
        "number": "+49 30 123",
        "direction": "incoming",
        "type": "Phone",
        "duration": 754.0,
        "link": "https://drive.google.com/file/d/1AbC/view",
        "language": "en",
        "file": "x.m4a",
    }
    assert body == (
        "\n# A quote: for chairs\n\n## Summary\n\n- **forty** chairs\n\n## Transcript\n\n"
        "**Ann** (0:00): Hello.\n\n**Speaker B** (1:01:01): \\*Hi\\* there, # not a heading\n\n**1:01** \\<b\\>\n"
    )


async def test_filling_again_touches_nothing(sink: MarkdownFolderSink, root: Path, note: Note) -> None:
    """An unchanged call writes neither file nor memo."""
    ref = await sink.create(CALL)
    await sink.fill(ref.ref, CALL, memo=None, remember=note.remember)
    before, commits = (root / ref.ref).stat(), note.commits
    await sink.fill(ref.ref, CALL, memo=note.memo, remember=note.remember)
    after = (root / ref.ref).stat()
    assert (before.st_ino, before.st_mtime_ns, commits) == (after.st_ino, after.st_mtime_ns, note.commits)


async def test_a_new_summary_replaces_the_file_that_nobody_edited(
    sink: MarkdownFolderSink, root: Path, note: Note
) -> None:
    """What we wrote ourselves is ours to replace, even after a rename."""
    ref = await sink.create(CALL)
    await sink.fill(ref.ref, CALL, memo=None, remember=note.remember)
    (root / "2026").mkdir()
    (root / ref.ref).rename(root / "2026" / "ann.md")
    await sink.fill(ref.ref, replace(CALL, summary_markdown="new"), memo=note.memo, remember=note.remember)
    assert _names(root) == ["2026"]
    assert "\nnew\n" in (root / "2026" / "ann.md").read_text()


async def test_an_edited_file_stays_and_what_is_new_goes_beside_it(
    sink: MarkdownFolderSink, root: Path, note: Note
) -> None:
    """A person's edit is never overwritten; the newer version beside it is kept up to date."""
    ref = await sink.create(CALL)
    await sink.fill(ref.ref, CALL, memo=None, remember=note.remember)
    edited = (root / ref.ref).read_text() + "\nmy note\n"
    (root / ref.ref).write_text(edited)
    await sink.fill(ref.ref, CALL, memo=note.memo, remember=note.remember)
    assert _names(root) == [ref.ref]
    for summary in ("second", "third"):
        changed = replace(CALL, summary_markdown=summary)
        await sink.fill(ref.ref, changed, memo=note.memo, remember=note.remember)
        assert _names(root) == [ref.ref.replace(".md", " (2).md"), ref.ref]
        assert summary in (root / _names(root)[0]).read_text()
    assert (root / ref.ref).read_text() == edited
    found = await sink.find(CALL.key)
    assert found is not None
    assert found.ref == ref.ref


async def test_a_deleted_file_is_not_made_again(sink: MarkdownFolderSink, root: Path, note: Note) -> None:
    """Deleting is a decision."""
    ref = await sink.create(CALL)
    await sink.fill(ref.ref, CALL, memo=None, remember=note.remember)
    (root / ref.ref).unlink()
    with pytest.raises(PageGone, match="deleted"):
        await sink.fill(ref.ref, CALL, memo=note.memo, remember=note.remember)
    assert await sink.find(CALL.key) is None


@pytest.mark.parametrize("crash_at", [1, 2, 3, 4])
async def test_a_crash_at_any_commit_leaves_one_whole_file(sink: MarkdownFolderSink, root: Path, crash_at: int) -> None:
    """Whichever memo survived, the next fill ends with the wanted content in the one file."""
    note, changed = Note(crash_at=crash_at), replace(CALL, summary_markdown="changed")
    ref = await sink.create(CALL)

    async def deliver_both() -> None:
        for page in (CALL, changed):
            await sink.fill(ref.ref, page, memo=note.memo, remember=note.remember)

    with pytest.raises(KeyError):
        await deliver_both()
    await sink.fill(ref.ref, CALL, memo=note.memo, remember=note.remember)
    await sink.fill(ref.ref, changed, memo=note.memo, remember=note.remember)
    assert _names(root) == [ref.ref]
    assert (root / ref.ref).read_bytes() == document(changed, BERLIN)


async def test_a_file_made_before_a_crash_is_found_by_its_key_and_not_made_twice(
    sink: MarkdownFolderSink, root: Path
) -> None:
    """Creating the same file again takes it as it is; a stranger's file of that name is left alone."""
    assert await sink.find(CALL.key) is None
    ref = await sink.create(CALL)
    assert await sink.create(CALL) == ref
    assert await sink.find(CALL.key) == ref
    (root / ref.ref).write_text("a stranger's")
    other = await sink.create(CALL)
    assert other.ref != ref.ref
    assert (root / ref.ref).read_text() == "a stranger's"


async def test_a_ref_cannot_lead_out_of_the_folder(sink: MarkdownFolderSink, root: Path, note: Note) -> None:
    """Neither dots nor an absolute path nor a symbolic link reaches another file."""
    await sink.create(CALL)
    outside = root.parent / "outside.md"
    outside.write_bytes(document(replace(CALL, key="other"), BERLIN))
    (root / "link.md").symlink_to(outside)
    for ref in ("../outside.md", str(outside), "link.md"):
        with pytest.raises(PageGone):
            await sink.fill(ref, replace(CALL, key="other"), memo=None, remember=note.remember)


@pytest.mark.skipif(os.geteuid() == 0, reason="root writes anywhere")
async def test_a_read_only_folder_holds_the_job(root: Path, sink: MarkdownFolderSink) -> None:
    """The sentence names the folder."""
    await anyio.Path(root).mkdir(mode=0o500)
    assert any(str(root) in problem for problem in await sink.check())
    with pytest.raises(Held):
        await sink.create(CALL)


async def test_a_folder_that_cannot_be_made_holds_the_job(tmp_path: Path) -> None:
    """A kernel file system refuses with a permission error or a missing entry, even for root."""
    sink = MarkdownFolderSink(Path("/proc/focusflow"), BERLIN)
    (problem,) = await sink.check()
    assert "/proc/focusflow" in problem
    with pytest.raises((Held, Transient)):
        await sink.create(CALL)


async def test_a_full_disk_holds_the_job(sink: MarkdownFolderSink) -> None:
    """`/dev/full` answers every write as a full disk does; here its error is sorted."""
    with pytest.raises(Held, match="No space left") as caught:
        await sink._in_thread(_write_to_a_full_disk)
    assert caught.value.kind is HoldKind.DISK
    with pytest.raises(Transient):
        await sink._in_thread(_meet_a_broken_disk)


def _write_to_a_full_disk() -> None:
    with Path("/dev/full").open("wb", buffering=0) as disk:
        disk.write(b"x")


def _meet_a_broken_disk() -> None:
    raise OSError(errno.EIO, "Input/output error")


async def test_nothing_is_left_behind_by_a_write_that_failed(sink: MarkdownFolderSink, root: Path) -> None:
    """A write that breaks off in the middle is said, and leaves neither half a file nor a temporary one."""
    await anyio.Path(root).mkdir()
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100, hard))
    try:
        with pytest.raises(Transient, match="File too large"):
            await sink.create(CALL)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert _names(root) == []


async def test_a_directory_of_the_files_name_is_in_the_way(sink: MarkdownFolderSink, root: Path) -> None:
    """It is said, and left alone."""
    (root / f"{file_stem(CALL, BERLIN)}.md").mkdir(parents=True)
    with pytest.raises(Transient, match="Is a directory"):
        await sink.create(CALL)


async def test_a_healthy_folder_has_no_problems(sink: MarkdownFolderSink) -> None:
    """The check makes the folder."""
    assert await sink.check() == []


TEXT = st.text(max_size=400) | st.sampled_from(
    ["..", "/etc/passwd", "CON", "a\u0301" * 300, "👨‍👩‍👧‍👦" * 60, "\ud800", ". .", ""]
)


@settings(deadline=None)
@given(contact=TEXT, key=TEXT, title=TEXT)
def test_a_file_name_is_safe_whatever_the_call_is_called(contact: str, key: str, title: str) -> None:
    """Any script, any length, any trick: one path component that every file system takes, and the same next time."""
    page = replace(CALL, contact_name=contact, key=key, title=title)
    stem = file_stem(page, BERLIN)
    assert stem == file_stem(page, BERLIN)
    assert 0 < len(stem.encode()) <= 200
    assert not set(stem) & set('/\\:*?"<>|\n\t\0')
    assert not stem.startswith(".")
    assert key_in(document(page, BERLIN).decode()) is not None


def test_calls_that_differ_only_in_an_unsafe_key_have_names_of_their_own() -> None:
    """A key that had to be changed for the file system carries its hash."""
    stems = {file_stem(replace(CALL, key=key), BERLIN) for key in ("a:b", "a/b", "a b", "a" * 90, "a" * 91)}
    assert len(stems) == 5


@pytest.mark.parametrize("head", ["", "no front matter", "---\nkey: [\n---\n", "---\n- a\n---\n", "---\nkey: 5\n---\n"])
def test_a_strangers_file_has_no_key(head: str) -> None:
    """Whatever lies in the folder is read without harm."""
    assert key_in(head) is None


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"call_at": None, "contact_name": None, "contact_number": None}, "undated unknown drive-1AbC"),
        ({"contact_name": None}, "2026-07-05 00.08 +49 30 123 drive-1AbC"),
    ],
)
def test_what_is_not_known_is_named_so(changes: dict[str, Any], expected: str) -> None:
    """A call without date or contact has a name as well."""
    assert file_stem(replace(CALL, **changes), BERLIN) == expected


@pytest.mark.parametrize(("text", "expected"), [("only *text*", "## Transcript\n\nonly \\*text\\*\n"), (" ", None)])
def test_a_transcript_without_turns_is_written_as_text(text: str, expected: str | None) -> None:
    """A pocket dial has no transcript section at all."""
    page = replace(
        CALL, summary_markdown=" ", title="", transcript=replace(TRANSCRIPT, utterances=(), text=text), direction=None
    )
    body = document(page, BERLIN).decode().partition("# x.m4a\n")[2]
    assert body == (f"\n{expected}" if expected else "")
