"""Where is a download while it is not whole? Beside its target, hashed as it grows, kept for the next attempt."""

import errno
import hashlib
import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from io import BufferedRandom
from pathlib import Path
from typing import Final

from focusflow.errors import Held, HoldKind, Transient
from focusflow.ports import Downloaded

SUFFIX: Final = ".part"
READ_BYTES: Final = 1024 * 1024
_FULL: Final = frozenset({errno.ENOSPC, errno.EDQUOT})


class PartFile:
    """A file that is being fetched. Every method blocks, so call it in a thread, one at a time.

    Raises `Held` when the disk is full and `Transient` when it cannot be written for another reason.
    """

    def __init__(self, target: Path) -> None:
        self._target = target
        self.path = target.with_name(target.name + SUFFIX)
        self._file: BufferedRandom | None = None
        self._hash = hashlib.md5(usedforsecurity=False)
        self.size = 0

    @property
    def md5(self) -> str:
        """The checksum of what is there."""
        return self._hash.hexdigest()

    def open(self) -> None:
        """Take up what an earlier attempt left; afterwards `size` says how much that is."""
        with local_disk(self.path):
            # never through a link: what is behind one is not ours to overwrite
            self._file = os.fdopen(os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o600), "r+b")
            while piece := self._file.read(READ_BYTES):
                self._hash.update(piece)
                self.size += len(piece)

    def append(self, pieces: Iterable[bytes]) -> None:
        """Write *pieces* at the end."""
        with local_disk(self.path):
            for piece in pieces:
                self._opened().write(piece)
                self._hash.update(piece)
                self.size += len(piece)
            self._opened().flush()  # what is counted is there for the next attempt

    def restart(self) -> None:
        """Throw away what is there."""
        with local_disk(self.path):
            self._opened().seek(0)
            self._opened().truncate()
        self._hash = hashlib.md5(usedforsecurity=False)
        self.size = 0

    def finish(self) -> Downloaded:
        """Put the file in its place, for good: it survives a power cut."""
        with local_disk(self.path):
            os.fsync(self._opened().fileno())
            self.close()
            self.path.replace(self._target)
            _sync_directory(self._target.parent)
        return Downloaded(path=self._target, size=self.size, md5=self.md5)

    def close(self) -> None:
        """Leave what is there for the next attempt. Closing twice is fine."""
        file, self._file = self._file, None
        if file is not None:
            with local_disk(self.path):
                file.close()

    def _opened(self) -> BufferedRandom:
        if self._file is None:
            raise RuntimeError("the part file is not open")
        return self._file


def finished(target: Path) -> Downloaded | None:
    """Return what an earlier attempt has put in place at *target*, or None. Blocks for as long as reading it takes."""
    try:
        with target.open("rb") as file:
            md5 = hashlib.file_digest(file, _md5).hexdigest()
            return Downloaded(path=target, size=file.tell(), md5=md5)
    except FileNotFoundError:
        return None
    except OSError as exc:
        raise Transient(f"{target} cannot be read: {exc.strerror}.") from exc


def _md5() -> "hashlib._Hash":
    return hashlib.md5(usedforsecurity=False)


def _sync_directory(directory: Path) -> None:
    descriptor = os.open(directory, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


@contextmanager
def local_disk(path: Path) -> Iterator[None]:
    """Turn what the operating system says about writing *path* into one of our errors."""
    try:
        yield
    except OSError as exc:
        if exc.errno in _FULL:
            raise Held(HoldKind.DISK, f"The disk with {path.parent} is full.") from exc
        raise Transient(f"{path} cannot be written: {exc.strerror}.") from exc
