"""Where does audio lie while it is worked on, and how is it gone afterwards?"""

import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import anyio

from focusflow.domain.jobs import JobId


class Workspace:
    """A private directory for audio in flight. Nothing in it outlives the job it belongs to, nor a restart."""

    def __init__(self, root: Path) -> None:
        self.root = root

    async def sweep(self, *, keep: frozenset[JobId] = frozenset()) -> int:
        """Remove what an earlier run left behind, except for jobs in *keep*; return how many places went."""
        return await anyio.to_thread.run_sync(self._sweep, keep)

    def _sweep(self, keep: frozenset[JobId]) -> int:
        self.root.mkdir(parents=True, exist_ok=True, mode=0o700)
        self.root.chmod(0o700)
        leftovers = [place for place in self.root.iterdir() if place.name not in keep]
        for place in leftovers:
            shutil.rmtree(place)
        return len(leftovers)

    @asynccontextmanager
    async def place(self, job_id: JobId) -> AsyncIterator[Path]:
        """Give the job a directory of its own and remove it, whatever happens."""
        path = self.root / job_id
        await anyio.to_thread.run_sync(_make_private, path)
        try:
            yield path
        finally:
            with anyio.CancelScope(shield=True):  # audio must not stay because we were stopped
                await anyio.to_thread.run_sync(_remove, path)


def _make_private(path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    path.mkdir(mode=0o700, exist_ok=True)


def _remove(path: Path) -> None:
    shutil.rmtree(path, ignore_errors=not path.exists())
