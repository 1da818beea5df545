"""How much time, memory and how many requests do a large download and a very full folder cost?

The emulated Drive runs in a process of its own, so what is measured here is ours alone. Memory is the largest growth
of the resident set that a sampling thread saw.
"""

import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

import aiohttp
import anyio
import pytest
from pytest_benchmark.fixture import BenchmarkFixture

from focusflow.ports import Source, SourcePage
from focusflow.providers.drive import DriveSource
from focusflow.providers.folder import FolderSource

MIB = 1024 * 1024
SERVER = """
import json, sys, time
import anyio
from aiohttp import web
from focusflow.sandbox.drive import DriveService
from focusflow.sandbox.faults import FaultPlan
from focusflow.sandbox.request_log import RequestLog
from focusflow.sandbox.server import Sandbox
from focusflow.sandbox.service import Bill, Service

class Requests(Service):
    name, prefix = "requests", "/requests"
    def routes(self): return [web.get("/", self.tell)]
    async def tell(self, request): return web.json_response(log.total - 1)
    def fault_response(self, status, retry_after): return web.Response(status=status)

async def main(files, size):
    global log
    bill, log = Bill(), RequestLog()
    drive = DriveService(clock=time.time, bill=bill)
    ids = [drive.files.add_file(f"call {n}.mp3", size=size) for n in range(files)]
    async with Sandbox([drive, Requests(clock=time.time, bill=bill)], faults=FaultPlan(), log=log) as sandbox:
        print(json.dumps({
            "base_url": drive.api_url, "folder_id": drive.files.root_id, "credentials": json.dumps(drive.user_credentials_info()),
            "first": ids[0], "md5": drive.files.find(ids[0]).md5, "requests": sandbox.root_url + "/requests/",
        }), flush=True)
        await anyio.sleep_forever()

anyio.run(main, int(sys.argv[1]), int(sys.argv[2]))
"""


class RealClock:
    """The system's."""

    def now(self) -> datetime:
        return datetime.now(UTC)

    def monotonic(self) -> float:
        return time.monotonic()

    async def sleep(self, seconds: float) -> None:
        await anyio.sleep(seconds)


@contextmanager
def drive_with(files: int, size: int) -> Iterator[dict[str, str]]:
    """An emulated Drive in another process; what is needed to reach it."""
    command = [sys.executable, "-c", SERVER, str(files), str(size)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=Path(__file__).parents[2]) as server:
        assert server.stdout is not None
        try:
            yield json.loads(server.stdout.readline())
        finally:
            server.terminate()


@dataclass
class Cost:
    """What something took."""

    grown_mib: float = 0.0
    longest_block_ms: float = 0.0
    """How late the event loop came back from a short sleep, at worst."""
    facts: dict[str, int] = field(default_factory=dict)


async def cost_of(work: Callable[[dict[str, int]], Awaitable[None]]) -> Cost:
    """Do *work* while memory and the event loop are watched."""
    cost = Cost()
    before, peak, done = resident(), resident(), threading.Event()

    def sample() -> None:
        nonlocal peak
        while not done.wait(0.005):
            peak = max(peak, resident())

    async def blink() -> None:
        while True:
            begun = time.perf_counter()
            await anyio.sleep(0.002)
            cost.longest_block_ms = max(cost.longest_block_ms, (time.perf_counter() - begun - 0.002) * 1000)

    sampler = threading.Thread(target=sample)
    sampler.start()
    try:
        async with anyio.create_task_group() as group:
            group.start_soon(blink)
            await work(cost.facts)
            group.cancel_scope.cancel()
    finally:
        done.set()
        sampler.join()
    cost.grown_mib = (peak - before) / MIB
    return cost


def resident() -> int:
    """Bytes of this process in memory now."""
    with open("/proc/self/statm", encoding="ascii") as statm:
        return int(statm.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def measured(benchmark: BenchmarkFixture, run: Callable[[], Awaitable[Cost]], *, rounds: int = 1) -> Cost:
    """Run it, keep what it cost beside the time, and return the last round's cost."""
    costs: list[Cost] = []
    benchmark.pedantic(lambda: costs.append(anyio.run(run)), rounds=rounds)  # type: ignore[no-untyped-call] # no types
    worst = costs[-1]
    benchmark.extra_info.update(
        grown_mib=round(worst.grown_mib, 1), longest_block_ms=round(worst.longest_block_ms, 1), **worst.facts
    )
    return worst


def drive_source(there: dict[str, str]) -> DriveSource:
    return DriveSource(
        credentials=json.loads(there["credentials"]),
        folder_id=there["folder_id"],
        base_url=there["base_url"],
        clock=RealClock(),
    )


async def requests_so_far(there: dict[str, str]) -> int:
    async with aiohttp.ClientSession() as session, session.get(there["requests"]) as answer:
        count = await answer.json()
        assert isinstance(count, int)
        return count


@pytest.mark.timeout(300)
def test_500_megabytes_are_downloaded_in_constant_memory(benchmark: BenchmarkFixture, tmp_path: Path) -> None:
    """Verified and synced to disk, with one request, a few pieces in memory and no visible pause of the screen."""
    with drive_with(files=1, size=500 * MIB) as there:

        async def run() -> Cost:
            async with drive_source(there) as source:
                await source.check()  # imports and connects

                async def download(facts: dict[str, int]) -> None:
                    target = tmp_path / "call.mp3"
                    done = await source.download(
                        there["first"], target, expected_md5=there["md5"], progress=lambda done, total: None
                    )
                    assert done.size == 500 * MIB
                    await anyio.Path(target).unlink()

                return await cost_of(download)

        cost = measured(benchmark, run, rounds=3)
    assert cost.grown_mib < 32


@pytest.mark.timeout(300)
def test_100_000_files_in_drive_are_listed(benchmark: BenchmarkFixture) -> None:
    """One request for each thousand, and a handful around them; a page at a time in memory; then one for an idle look."""
    with drive_with(files=100_000, size=1_000_000) as there:

        async def run() -> Cost:
            async with drive_source(there) as source:
                await source.check()

                async def read(facts: dict[str, int]) -> None:
                    before = await requests_so_far(there)
                    facts["files"], cursor = await counted(source, None)
                    facts["requests"] = await requests_so_far(there) - before - 1
                    facts["cursor_bytes"] = len(cursor)
                    await counted(source, cursor)
                    facts["idle_requests"] = await requests_so_far(there) - before - facts["requests"] - 2

                return await cost_of(read)

        cost = measured(benchmark, run)
    assert cost.facts["files"] == 100_000
    assert cost.facts["requests"] == 100 + 3, "the folder, the start token, and the feed at the end"
    assert cost.facts["idle_requests"] == 1
    assert cost.grown_mib < 32


async def counted(source: Source, cursor: str | None) -> tuple[int, str]:
    """Read everything new; return how many files there were, and the last cursor."""
    files, last = 0, ""
    pages: AsyncIterator[SourcePage] = source.pages(cursor)
    async for page in pages:
        files += len(page.files)
        last = page.cursor
    return files, last


@pytest.fixture(scope="module")
def full_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """100,000 small recordings in a thousand day folders, an hour old."""
    root = tmp_path_factory.mktemp("calls")
    moment = time.time() - 3600
    for number in range(100_000):
        day = root / f"day {number // 100:04d}"
        day.mkdir(exist_ok=True)
        path = (
            day / f"2026-11-23 09-{number % 60:02d}-00 (phone) Contact {number * 7919 % 1000} (+4670{number:06d}) ↙.m4a"
        )
        path.write_bytes(b"%d" % number)
        os.utime(path, (moment, moment))
    return root


@pytest.mark.timeout(300)
def test_100_000_files_in_a_folder_are_listed_for_the_first_time(
    benchmark: BenchmarkFixture, full_folder: Path
) -> None:
    """Every file is read once for its checksum."""

    async def run() -> Cost:
        source = FolderSource(full_folder, clock=RealClock())

        async def read(facts: dict[str, int]) -> None:
            facts["files"], cursor = await counted(source, None)
            facts["cursor_bytes"] = len(cursor)

        return await cost_of(read)

    cost = measured(benchmark, run)
    assert cost.facts["files"] == 100_000


@pytest.fixture(scope="module")
def reported(full_folder: Path) -> str:
    """The cursor after everything in the full folder was reported."""
    _, cursor = anyio.run(counted, FolderSource(full_folder, clock=RealClock()), None)
    return cursor


@pytest.mark.timeout(300)
def test_an_idle_look_at_100_000_files_in_a_folder(
    benchmark: BenchmarkFixture, full_folder: Path, reported: str
) -> None:
    """Nothing is read but names, sizes and times."""

    async def run() -> Cost:
        source = FolderSource(full_folder, clock=RealClock())

        async def read(facts: dict[str, int]) -> None:
            facts["files"], _ = await counted(source, reported)

        return await cost_of(read)

    cost = measured(benchmark, run, rounds=3)
    assert cost.facts["files"] == 0
