"""How does a finished call become a Markdown file that a person may rename, edit or delete?

A file is ours as long as its content is what we wrote. Once a person edited it, it is theirs: what is new about the call
is written beside it, as `... (2).md`.
"""

import errno
import hashlib
import json
import os
import tempfile
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from itertools import count
from pathlib import Path, PurePosixPath
from typing import Final, TypeVar
from zoneinfo import ZoneInfo

import anyio.to_thread
from msgspec import Struct

from focusflow.errors import Held, HoldKind, PageGone, StepError, Transient
from focusflow.events import ServiceChanged, ServiceState
from focusflow.ports import Page, PageRef
from focusflow.providers.health import Tell, nobody
from focusflow.providers.markdown_page import document, file_stem, key_in

_HEAD_BYTES: Final = 65_536
"""Read of each file when one is looked for by its key: the front matter is always shorter."""
_UNWRITABLE: Final = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EACCES, errno.EPERM})

T = TypeVar("T")


class MarkdownFolderSink:
    """Writes one Markdown file a call into *root*; dates are those that people in *zone* read."""

    name = "markdown"

    def __init__(self, root: Path, zone: ZoneInfo, *, tell: Tell = nobody) -> None:
        self._root, self._zone, self._tell = root, zone, tell
        self._told: ServiceChanged | None = None

    async def find(self, key: str) -> PageRef | None:
        """Look for the file of *key*, whatever it is called and wherever in the folder it is now."""
        return await self._in_thread(lambda: self._ref(found) if (found := self._find(key)) else None)

    async def create(self, page: Page) -> PageRef:
        """Write the whole file. An equal one that is already there is taken as it is."""
        return await self._in_thread(lambda: self._ref(self._create(page)))

    async def fill(self, ref: str, page: Page, *, memo: str | None, remember: Callable[[str], Awaitable[None]]) -> None:
        """Write the call's file anew if what it should say changed. Raises `PageGone` when it was deleted."""
        notes = _Notes.read(memo) or _Notes(place=ref, written=(), settled=None)
        content = await anyio.to_thread.run_sync(document, page, self._zone)
        wanted = _hashed(content)
        found = await self._in_thread(lambda: self._current(notes.place, page.key))
        if notes.settled != wanted:
            target, place = await self._in_thread(lambda: self._placed(found, page, content, notes.written))
            await remember(_Notes(place=place, written=(*notes.written, wanted), settled=None).text())
            await self._in_thread(lambda: _write(target, content))
            notes = _Notes(place=place, written=(wanted,), settled=wanted)
            await remember(notes.text())

    async def check(self) -> Sequence[str]:
        """Return why files can't be written there, if they can't."""
        try:
            await self._in_thread(self._try_to_write)
        except StepError as error:
            return [str(error)]
        return []

    # --------------------------------------------------------------------------------------- in a thread, from here on

    def _create(self, page: Page) -> Path:
        content = document(page, self._zone)
        target = self._free(page, content)
        _write(target, content)
        return target

    def _free(self, page: Page, content: bytes) -> Path:
        """The first of the call's names that nobody uses, or that holds just this content."""
        stem = file_stem(page, self._zone)
        names = (f"{stem}.md" if number == 1 else f"{stem} ({number}).md" for number in count(1))
        return next(path for path in (self._root / name for name in names) if _content(path) in (None, content))

    def _current(self, place: str, key: str) -> Path:
        """Where the call's file is now: a renamed one is found by its key."""
        path = self._inside(place)
        if path is not None and path.is_file():
            return path
        moved = self._find(key)
        if moved is None:
            raise PageGone(f"The file '{place}' was deleted from {self._root}; it is not made again by itself.")
        return moved

    def _inside(self, place: str) -> Path | None:
        """The path of a ref; None for one that leads out of the folder."""
        path = (self._root / PurePosixPath(place)).resolve()
        return path if path.is_relative_to(self._root.resolve()) else None

    def _target(self, found: Path, page: Page, content: bytes, written: Sequence[str]) -> Path:
        """The file to write: the found one if it is as we left it, else a new one beside it."""
        current = found.read_bytes()
        ours = current == content or _hashed(current) in written
        return found if ours else self._free(page, content)

    def _find(self, key: str) -> Path | None:
        if not self._root.is_dir():
            return None
        files = (path for path in self._root.rglob("*.md") if path.is_file() and not path.is_symlink())
        hits = (path for path in files if key_in(_head(path)) == key)
        # of several the one we wrote first: a counter makes a name longer
        return min(hits, key=lambda path: (len(path.name), path.name), default=None)

    def _try_to_write(self) -> None:
        self._root.mkdir(mode=0o700, parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=self._root):
            return

    def _ref(self, path: Path) -> PageRef:
        resolved = path.resolve()
        return PageRef(ref=resolved.relative_to(self._root.resolve()).as_posix(), url=resolved.as_uri())

    def _placed(self, found: Path, page: Page, content: bytes, written: Sequence[str]) -> tuple[Path, str]:
        """Return where the call's file will lie, and its reference."""
        target = self._target(found, page, content, written)
        return target, self._ref(target).ref

    async def _in_thread(self, work: Callable[[], T]) -> T:
        def sorted_out() -> T:
            with _errors_about(self._root):
                return work()

        try:
            done = await anyio.to_thread.run_sync(sorted_out)
        except (Held, Transient) as error:
            self._behaves(ServiceState.BROKEN, str(error))
            raise
        self._behaves(ServiceState.OK)
        return done

    def _behaves(self, state: ServiceState, reason: str = "") -> None:
        """Tell whether files can be written, when that has changed."""
        change = ServiceChanged(service=self.name, state=state, reason=reason)
        if change != self._told:
            self._told = change
            self._tell(change)


class _Notes(Struct, frozen=True, kw_only=True):
    """The sink's memo: what a file may contain and still be ours."""

    place: str
    """Where we last wrote, relative to the folder."""
    written: tuple[str, ...]
    """Hashes of what we wrote there; two while a write's outcome is not yet known."""
    settled: str | None
    """The hash of the content that was delivered: while that is what is wanted, nothing is to be done."""

    def text(self) -> str:
        return json.dumps({"place": self.place, "written": self.written, "settled": self.settled}, ensure_ascii=False)

    @classmethod
    def read(cls, memo: str | None) -> "_Notes | None":
        if memo is None:
            return None
        notes = json.loads(memo)
        return cls(place=notes["place"], written=tuple(notes["written"]), settled=notes["settled"])


def _hashed(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def _content(path: Path) -> bytes | None:
    """What is in the file; None if there is none."""
    with suppress(FileNotFoundError):
        return path.read_bytes()
    return None


def _head(path: Path) -> str:
    with path.open("rb") as file:
        return file.read(_HEAD_BYTES).decode("utf-8", "replace")


def _write(target: Path, content: bytes) -> None:
    """Put *content* there, whole or not at all, readable by its owner only, safe from a power cut."""
    if _content(target) == content:
        return
    target.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    descriptor, temporary = tempfile.mkstemp(dir=target.parent, prefix=".focusflow-", suffix=".tmp")  # 0600
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        Path(temporary).replace(target)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise
    directory = os.open(target.parent, os.O_RDONLY)
    try:
        os.fsync(directory)
    finally:
        os.close(directory)


@contextmanager
def _errors_about(root: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        path = error.filename or root
        if error.errno in _UNWRITABLE:
            raise Held(HoldKind.DISK, f"Nothing can be written to {path}: {error.strerror}.") from error
        raise Transient(f"The Markdown file could not be written ({path}: {error.strerror or error}).") from error
