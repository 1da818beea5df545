"""Which files lie in a local folder now, and how is one of them opened safely? Everything here blocks."""

import errno
import hashlib
import mimetypes
import os
import stat
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from io import BufferedReader
from pathlib import Path
from typing import Final, NamedTuple
from zlib import crc32

from focusflow.ports import SourceFile

READ_BYTES: Final = 1024 * 1024


class Look(NamedTuple):
    """What a file's directory entry says: enough to know whether it changed."""

    size: int
    mtime_ns: int

    @property
    def fingerprint(self) -> str:
        """Eight characters that differ when the file did."""
        return f"{crc32(b'%d %d' % (self.size, self.mtime_ns)):08x}"


@dataclass(slots=True)
class Found:
    """A folder's content at one moment. Paths are relative, with slashes."""

    settled: dict[str, Look] = field(default_factory=dict)
    """Files that may be read."""
    unsettled: set[str] = field(default_factory=set)
    """Files that are being written."""
    closed: list[str] = field(default_factory=list)
    """Folders we could not look into: of what was in them nothing is known."""
    problems: dict[str, str] = field(default_factory=dict)
    """What is wrong, by path, as a sentence."""

    def knows_gone(self, path: str) -> bool:
        """Whether *path* is surely not there any more."""
        if path in self.settled or path in self.unsettled:
            return False
        return not any(path.startswith(folder + "/") for folder in self.closed)


def find(root: Path, *, recursive: bool, now: datetime, settle_seconds: float) -> Found:
    """Look through *root*, without following links. Raises OSError when the root itself cannot be read.

    Names that begin with a dot are passed over: that is where programs keep files that are not ready.
    """
    found = Found()
    is_settled = _is_settled(now, settle_seconds)
    folders = [""]
    while folders:
        folder = folders.pop()
        try:
            below = list(_look_into(root, folder, found, is_settled))
        except OSError as exc:
            if not folder:
                raise
            if not isinstance(exc, FileNotFoundError):
                found.closed.append(folder)
                found.problems[folder] = f"The folder {folder} cannot be read: {exc.strerror}."
        else:
            folders += below if recursive else ()
    return found


def _is_settled(now: datetime, settle_seconds: float) -> Callable[[int], bool]:
    moment = now.timestamp()
    # a time in the future comes from another clock: it says nothing about writing
    return lambda mtime_ns: abs(moment - mtime_ns / 1e9) >= settle_seconds


def _look_into(root: Path, folder: str, found: Found, is_settled: Callable[[int], bool]) -> Iterator[str]:
    with os.scandir(root / folder) as entries:
        for entry in entries:
            path = f"{folder}/{entry.name}" if folder else entry.name
            if entry.name.startswith("."):
                continue
            if not _is_utf8(entry.name):
                printable = os.fsencode(path).decode(errors="replace")
                found.problems[printable] = f"The name of {printable} is not valid UTF-8: rename it."
            elif entry.is_symlink():
                _refuse_link(root, path, found)
            elif entry.is_dir(follow_symlinks=False):
                yield path
            else:
                _look_at(entry, path, found, is_settled)


def _look_at(entry: os.DirEntry[str], path: str, found: Found, is_settled: Callable[[int], bool]) -> None:
    try:
        status = entry.stat(follow_symlinks=False)
    except FileNotFoundError:
        return
    if not stat.S_ISREG(status.st_mode):
        return
    if is_settled(status.st_mtime_ns):
        found.settled[path] = Look(status.st_size, status.st_mtime_ns)
    else:
        found.unsettled.add(path)


def _refuse_link(root: Path, path: str, found: Found) -> None:
    """A link to something in the folder adds nothing; one that leads out of it is nobody's intention, or an attack."""
    if not (root / path).resolve().is_relative_to(root):
        found.problems[path] = f"{path} is a link that leads out of the folder: it is not followed."


def _is_utf8(name: str) -> bool:
    try:
        name.encode()
    except UnicodeEncodeError:
        return False
    return True


def open_inside(root: Path, file_id: str) -> BufferedReader:
    """Open the file at *file_id* for reading, following no link. Raises PermissionError if it leads out of *root*."""
    *folders, name = parts = file_id.split("/")
    if any(part in ("", ".", "..") for part in parts):
        raise PermissionError(errno.EPERM, "it is not in the folder", file_id)
    try:
        with _opened_folder(root, folders) as folder:
            descriptor = os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK, dir_fd=folder)
    except OSError as exc:
        if exc.errno in (errno.ELOOP, errno.ENOTDIR):
            raise PermissionError(errno.EPERM, "there is a link on the way to it", file_id) from exc
        raise
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise PermissionError(errno.EPERM, "it is not a file", file_id)
    return os.fdopen(descriptor, "rb")


@contextmanager
def _opened_folder(root: Path, folders: list[str]) -> Iterator[int]:
    """Go down from *root* step by step: nobody can put a link in our way between a check and its use."""
    folder = os.open(root, os.O_RDONLY | os.O_DIRECTORY)
    try:
        for name in folders:
            below = os.open(name, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW, dir_fd=folder)
            os.close(folder)
            folder = below
        yield folder
    finally:
        os.close(folder)


def look_at(file: BufferedReader) -> Look:
    """Look at an open file."""
    status = os.fstat(file.fileno())
    return Look(status.st_size, status.st_mtime_ns)


def checksum(root: Path, file_id: str, look: Look, keep_on: Callable[[], None]) -> bytes | None:
    """Return the MD5 of the file, or None when it is not (any more) what *look* says.

    Raises OSError. *keep_on* is called between pieces and may raise to stop.
    """
    digest = hashlib.md5(usedforsecurity=False)
    try:
        with open_inside(root, file_id) as file:
            if look_at(file) != look:
                return None
            # no further than it was long: a file that grows as fast as it is read has no end
            while file.tell() < look.size and (piece := file.read(READ_BYTES)):
                digest.update(piece)
                keep_on()
            return digest.digest() if look_at(file) == look else None
    except FileNotFoundError:
        return None


def described(file_id: str, look: Look, md5: bytes) -> SourceFile:
    """Say what the rest of the program wants to know of a file."""
    folder, _, name = file_id.rpartition("/")
    return SourceFile(
        file_id=file_id,
        name=name,
        parent_id=folder or ".",
        mime_type=mimetypes.guess_type(name)[0],
        size=look.size,
        md5=md5.hex(),
        owners=(),
        created_at=None,
        modified_at=datetime.fromtimestamp(look.mtime_ns / 1e9, UTC),
        web_url=None,
    )
