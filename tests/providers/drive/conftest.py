"""What the Drive adapter's tests share: an emulated Drive on a real socket, and a source that reads it."""

import time
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

import anyio
import pytest

from focusflow.ports import SourcePage
from focusflow.providers.drive import DriveSource
from focusflow.providers.retry import RetryPolicy
from focusflow.sandbox.drive import DriveService
from focusflow.sandbox.drive.files import FOLDER, SHORTCUT, DriveFile, DriveFiles
from focusflow.sandbox.faults import FaultPlan
from focusflow.sandbox.request_log import RequestLog
from focusflow.sandbox.server import Sandbox
from focusflow.sandbox.service import Bill

IMPATIENT = RetryPolicy(attempts=4, first_wait=0.01, longest_wait=0.02, jitter=0.0, longest_pause=30.0)


@dataclass
class JumpingClock:
    """Time that passes at once when somebody waits for it; it remembers for how long they meant to wait."""

    offset: float = 0.0
    slept: list[float] = field(default_factory=list)

    def now(self) -> datetime:
        return datetime.now(UTC) + timedelta(seconds=self.offset)

    def monotonic(self) -> float:
        return time.monotonic() + self.offset

    async def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.offset += seconds
        await anyio.lowlevel.checkpoint()


@dataclass
class HandClock:
    """A Unix clock that only moves when a test says so."""

    time: float = 1_795_431_600.0  # 2026-11-23T09:00:00Z

    def __call__(self) -> float:
        return self.time


@dataclass
class Reader:
    """What a program knows that absorbs pages as discovery does: files by id, and the cursor it committed."""

    names: dict[str, str] = field(default_factory=dict)
    cursor: str | None = None

    def absorb(self, page: SourcePage) -> None:
        self.names.update((file.file_id, file.name) for file in page.files)
        for file_id in page.gone:
            self.names.pop(file_id, None)
        self.cursor = page.cursor

    async def read(self, source: DriveSource, *, at_most: int | None = None) -> list[SourcePage]:
        """Absorb what is new; with *at_most*, crash after so many pages."""
        taken: list[SourcePage] = []
        if at_most == 0:
            return taken
        async for page in source.pages(self.cursor):
            self.absorb(page)
            taken.append(page)
            if len(taken) == at_most:
                break
        return taken


@dataclass
class World:
    """An emulated Drive with one folder that is shared with us."""

    service: DriveService
    faults: FaultPlan
    log: RequestLog
    unix_clock: HandClock
    clock: JumpingClock
    sources: list[DriveSource] = field(default_factory=list)

    @property
    def files(self) -> DriveFiles:
        return self.service.files

    def source(
        self,
        *,
        credentials: dict[str, str] | None = None,
        folder_id: str | None = None,
        page_size: int = 1000,
        policy: RetryPolicy = IMPATIENT,
        call_deadline: float = 20.0,
        read_timeout: float = 20.0,
        base_url: str | None = None,
    ) -> DriveSource:
        source = DriveSource(
            credentials=credentials or self.service.user_credentials_info(),
            folder_id=folder_id or self.files.root_id,
            base_url=base_url or self.service.api_url,
            clock=self.clock,
            page_size=page_size,
            policy=policy,
            call_deadline=call_deadline,
            read_timeout=read_timeout,
        )
        self.sources.append(source)
        return source

    def truth(self, root: str | None = None) -> dict[str, str]:
        """Names by id of what really is in the folder now."""
        found: dict[str, str] = {}
        folders = [root or self.files.root_id]
        while folders:
            for file in self.files.children(folders.pop()):
                if file.trashed or not file.visible:
                    continue
                if file.mime_type == FOLDER:
                    folders.append(file.id)
                elif file.mime_type != SHORTCUT:
                    found[file.id] = file.name
        return found

    def file(self, file_id: str) -> DriveFile:
        """A file that is there, as the emulator keeps it."""
        file = self.files.find(file_id)
        assert file is not None
        return file

    def md5(self, file_id: str) -> str:
        """The checksum of a file's present version."""
        md5 = self.file(file_id).md5
        assert md5 is not None
        return md5

    def asked(self, path: str) -> int:
        return self.log.count("drive", path=path)

    def add_files(self, count: int, *, parent: str | None = None, prefix: str = "call") -> list[str]:
        return [
            self.files.add_file(f"{prefix} {number}.mp3", parent=parent, size=1000 + number) for number in range(count)
        ]


@pytest.fixture
async def world() -> AsyncIterator[World]:
    faults, log, unix_clock = FaultPlan(), RequestLog(), HandClock()
    service = DriveService(clock=unix_clock, bill=Bill(), faults=faults)
    async with Sandbox([service], faults=faults, log=log):
        world = World(service=service, faults=faults, log=log, unix_clock=unix_clock, clock=JumpingClock())
        yield world
        for source in world.sources:
            await source.aclose()


@pytest.fixture
def reader() -> Reader:
    return Reader()
