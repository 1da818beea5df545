"""Where are the recordings in a local folder? For recorders that sync to this machine, and for trying things out."""

import logging
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from functools import partial
from io import BufferedReader
from pathlib import Path
from typing import Final, TypeVar

import anyio
from msgspec import Struct

from focusflow.errors import Permanent, SourceError, StepError, Transient
from focusflow.ports import Clock, Downloaded, SourceFile, SourcePage
from focusflow.providers import folder_memory, folder_tree
from focusflow.providers.folder_tree import Found, Look
from focusflow.providers.part_file import PartFile, finished

PAGE_FILES: Final = 1000
PAGE_BYTES: Final = 512 * 1024 * 1024
"""Read for checksums between two pages, so that each is committed soon."""
BLOCKS: Final = 16
"""Beyond so many, the cursor is written anew."""
COPY_PIECES: Final = 4
VERSIONS: Final = 3
PROBLEMS_SHOWN: Final = 10

T = TypeVar("T")

_log = logging.getLogger(__name__)


class FolderSource:
    """Recordings in a folder of this machine, named by their path in it.

    Every look lists the whole folder, compares it with the names, sizes and times that the cursor remembers (about 12
    bytes for each file), and reads only what is new or changed. Files that were written to within `settle_seconds` wait.
    """

    name = "folder"

    def __init__(self, root: Path, *, clock: Clock, recursive: bool = True, settle_seconds: float = 10.0) -> None:
        self._given_root, self._clock = root, clock
        self._recursive, self._settle_seconds = recursive, settle_seconds
        self._limiter = anyio.CapacityLimiter(2)
        self._checksums: dict[str, bytes] = {}
        """By path: the fingerprint for which it holds, then the MD5. Spares a full listing the reading of everything."""
        self._overlooked: dict[str, str] = {}
        """What the last look could not see, by path, as sentences."""
        self._unreadable: dict[str, str] = {}
        """Files that are there and could not be read, by path, as sentences."""

    # -- what is there

    async def pages(self, cursor: str | None) -> AsyncIterator[SourcePage]:
        """Yield everything (None) or what changed since *cursor*; see `ports.Source`."""
        root, found = await self._look()
        news = await self._in_thread(partial(_compared, found, cursor))
        if cursor is not None and not news.full and not news.fresh and not news.gone:
            yield SourcePage(cursor=cursor, more=False)
            return
        for path in news.gone:
            self._checksums.pop(path, None)
        blocks, gone = list(news.blocks), news.gone
        batches = list(_batches(news.fresh)) or [{}]
        for number, batch in enumerate(batches, start=1):
            files = await self._in_thread(partial(self._described, root, batch))
            more = number < len(batches)
            reported = {file.file_id: batch[file.file_id].fingerprint for file in files}
            blocks = await self._in_thread(
                partial(_added, blocks, reported | dict.fromkeys(gone, folder_memory.GONE), last=not more)
            )
            next_cursor = folder_memory.encoded(blocks, full=news.full and more)
            yield SourcePage(files=files, gone=gone, cursor=next_cursor, more=more, listing=news.full)
            gone = ()

    async def _look(self) -> tuple[Path, Found]:
        try:
            return await self._in_thread(self._look_in_thread)
        except OSError as exc:
            raise SourceError(f"The folder {self._given_root} cannot be read: {exc.strerror}.") from exc

    def _look_in_thread(self) -> tuple[Path, Found]:
        root = self._given_root.resolve(strict=True)
        found = folder_tree.find(
            root, recursive=self._recursive, now=self._clock.now(), settle_seconds=self._settle_seconds
        )
        for path in found.problems.keys() - self._overlooked.keys():
            _log.warning("a part of the folder is not read", extra={"reason": found.problems[path]})
        self._overlooked = found.problems
        self._unreadable = {path: why for path, why in self._unreadable.items() if path in found.settled}
        return root, found

    def _described(self, root: Path, batch: Mapping[str, Look]) -> tuple[SourceFile, ...]:
        """Describe those of *batch* that can be read and hold still; the others are looked at again next time."""
        files = []
        for path, look in batch.items():
            try:
                md5 = self._checksum(root, path, look)
            except OSError as exc:
                self._note_unreadable(path, exc)
            else:
                self._unreadable.pop(path, None)
                if md5 is not None:
                    files.append(folder_tree.described(path, look, md5))
        return tuple(files)

    def _note_unreadable(self, path: str, error: OSError) -> None:
        problem = f"{path} cannot be read: {error.strerror}."
        if self._unreadable.get(path) != problem:
            _log.warning("a recording is not read", extra={"reason": problem})
        self._unreadable[path] = problem

    def _checksum(self, root: Path, path: str, look: Look) -> bytes | None:
        fingerprint = look.fingerprint.encode()
        known = self._checksums.get(path, b"")
        if known.startswith(fingerprint):
            return known.removeprefix(fingerprint)
        md5 = folder_tree.checksum(root, path, look, anyio.from_thread.check_cancelled)
        if md5 is not None:
            self._checksums[path] = fingerprint + md5
        return md5

    # -- content

    async def read_small(self, file_id: str, *, limit: int = 65_536) -> bytes:
        """Return a small file's content, at most *limit* bytes. Raises `Permanent` when it is gone, else `Transient`."""
        return await self._in_thread(partial(self._start_of, file_id, limit))

    def _start_of(self, file_id: str, limit: int) -> bytes:
        with self._open(file_id) as file:
            try:
                return file.read(limit)
            except OSError as exc:
                raise Transient(f"{file_id} cannot be read: {exc.strerror}.") from exc

    async def download(
        self, file_id: str, target: Path, *, expected_md5: str | None, progress: Callable[[int, int | None], None]
    ) -> Downloaded:
        """Copy the recording to *target*; see `ports.Source`. A file that is replaced meanwhile is copied anew."""
        done = await self._in_thread(partial(finished, target))
        if done is not None and expected_md5 is not None and done.md5 == expected_md5.lower():
            return done
        part = PartFile(target)
        try:
            await self._in_thread(part.open)
            for _ in range(VERSIONS):
                await self._in_thread(part.restart)
                if await self._copied(file_id, part, progress):
                    return await self._in_thread(part.finish)
        finally:
            with anyio.CancelScope(shield=True):
                await self._in_thread(part.close)
        raise Transient(f"{file_id} is being written to.")

    async def _copied(self, file_id: str, part: PartFile, progress: Callable[[int, int | None], None]) -> bool:
        """Copy the file as it is now; return whether it held still meanwhile."""
        file = await self._in_thread(partial(self._open, file_id))
        try:
            before = await self._in_thread(partial(folder_tree.look_at, file))
            if before.size == 0:
                raise Permanent(f"{file_id} is empty: put it there again and retry, or skip it.")
            while part.size < before.size and await self._in_thread(partial(_copy_some, file, part)):
                progress(part.size, before.size)
            return await self._in_thread(partial(folder_tree.look_at, file)) == before
        except OSError as exc:
            raise Transient(f"{file_id} cannot be read: {exc.strerror}.") from exc
        finally:
            file.close()

    def _open(self, file_id: str) -> BufferedReader:
        try:
            return folder_tree.open_inside(self._given_root.resolve(strict=True), file_id)
        except FileNotFoundError as exc:
            raise Permanent(f"{file_id} is no longer in the folder {self._given_root}.") from exc
        except (PermissionError, ValueError) as exc:
            raise Permanent(f"{file_id} may not be read: {getattr(exc, 'strerror', None) or exc}.") from exc
        except OSError as exc:
            raise Transient(f"{file_id} cannot be read: {exc.strerror}.") from exc

    # -- set-up

    async def check(self) -> Sequence[str]:
        """Return what is wrong with the set-up, one sentence each; empty when recordings can be read."""
        try:
            await self._look()
        except (SourceError, StepError) as exc:
            return [str(exc)]
        problems = [*self._overlooked.values(), *self._unreadable.values()]
        hidden = len(problems) - PROBLEMS_SHOWN
        return problems[:PROBLEMS_SHOWN] + ([f"{hidden} more files or folders cannot be read."] if hidden > 0 else [])

    async def _in_thread(self, function: Callable[[], T]) -> T:
        return await anyio.to_thread.run_sync(function, limiter=self._limiter)


class _News(Struct, frozen=True, kw_only=True):
    """How the folder differs from what was reported."""

    blocks: list[str]
    full: bool
    fresh: dict[str, Look]
    gone: tuple[str, ...]


def _compared(found: Found, cursor: str | None) -> _News:
    blocks, full = ([], True) if cursor is None else folder_memory.decoded(cursor)
    seen = folder_memory.remembered(blocks)
    fresh = {path: look for path, look in found.settled.items() if seen.get(path) != look.fingerprint}
    gone = tuple(path for path in seen if found.knows_gone(path))
    return _News(blocks=blocks, full=full, fresh=dict(sorted(fresh.items())), gone=gone)


def _added(blocks: list[str], news: Mapping[str, str], *, last: bool) -> list[str]:
    """Add what a page reported; at the end of a look, make one block of too many."""
    grown = [*blocks, folder_memory.block(news)] if news else blocks
    if last and len(grown) > BLOCKS:
        return [folder_memory.block(folder_memory.remembered(grown))]
    return grown


def _copy_some(file: BufferedReader, part: PartFile) -> bool:
    """Copy the next piece; return False at the end."""
    pieces = [piece for _ in range(COPY_PIECES) if (piece := file.read(folder_tree.READ_BYTES))]
    part.append(pieces)
    return bool(pieces)


def _batches(files: Mapping[str, Look]) -> Iterator[dict[str, Look]]:
    """Cut *files* into pages, none of which takes long to read."""
    batch: dict[str, Look] = {}
    size = 0
    for path, look in files.items():
        if batch and (len(batch) == PAGE_FILES or size + look.size > PAGE_BYTES):
            yield batch
            batch, size = {}, 0
        batch[path] = look
        size += look.size
    if batch:
        yield batch
