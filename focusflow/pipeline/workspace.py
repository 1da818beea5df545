"""Where does audio lie while it is worked on, and how is it gone afterwards?"""

import fcntl
import os
import shutil
import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import anyio

from focusflow.domain.jobs import JobId


class Workspace:
    """A private directory for audio in flight. Nothing in it outlives the job it belongs to, nor a restart."""

    def __init__(self, root: Path) -> None:
        self.root = root

    async def sweep(self, *, keep: frozenset[JobId] = frozenset()) -> int:
        """Remove what nobody works on any more, except for jobs in *keep*; return how many places went."""
        return await anyio.to_thread.run_sync(self._sweep, keep)

    def _sweep(self, keep: frozenset[JobId]) -> int:
        self.root.mkdir(parents=True, exist_ok=True, mode=0o700)
        self.root.chmod(0o700)
        leftovers = [place for place in self.root.iterdir() if place.name not in keep and not _in_use(place)]
        for place in leftovers:
            _remove(place)
        return len(leftovers)

    @asynccontextmanager
    async def place(self, job_id: JobId) -> AsyncIterator[Path]:
        """Give the job a directory of its own and remove it, whatever happens."""
        place = _Place(self.root / job_id)
        try:
            await anyio.to_thread.run_sync(place.make)
            yield place.path
        finally:
            with anyio.CancelScope(shield=True):  # audio must not stay because we were stopped
                try:
                    await anyio.to_thread.run_sync(place.remove)
                except anyio.get_cancelled_exc_class():
                    place.remove()  # a native cancellation knows no shield, and no thread may have begun: here and now
                    raise


class _Place:
    """A job's directory. A thread that still makes it for somebody who was cancelled does not outdo its removal."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._turn = threading.Lock()
        self._mark: int | None = None
        self._removed = False

    def make(self) -> None:
        with self._turn:
            if not self._removed:
                self._mark = _made_private(self.path)

    def remove(self) -> None:
        """Remove it with all that is in it. Twice is fine."""
        with self._turn:
            self._removed = True
            _remove(self.path)
            mark, self._mark = self._mark, None
            if mark is not None:
                os.close(mark)


def _made_private(path: Path) -> int:
    """Make the directory and mark it as in use; return what holds the mark, to be closed."""
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    path.mkdir(mode=0o700, exist_ok=True)
    path.chmod(0o700)
    lock = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    with suppress(OSError):  # some network file systems have no locks: then only one FocusFlow may work here
        fcntl.flock(lock, fcntl.LOCK_SH)
    return lock


def _in_use(path: Path) -> bool:
    """Say whether a FocusFlow, this one or another, works there at this moment."""
    if path.is_symlink() or not path.is_dir():
        return False
    try:
        probe = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    except FileNotFoundError:
        return False  # its own job has just removed it
    try:
        fcntl.flock(probe, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(probe)
    return False


def _remove(path: Path) -> None:
    with suppress(FileNotFoundError):  # its own job was quicker
        if path.is_symlink() or path.is_file():
            path.unlink()
        elif path.exists():
            shutil.rmtree(path)
