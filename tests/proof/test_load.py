"""Does nothing grow, stall or get lost when there is much to do, for long?

Every run does a small crowd and a few seconds; `--proof` does 2,000 calls, and then twenty minutes of calls that keep coming.
"""

import json
import signal
import statistics
from pathlib import Path
from typing import Any

import anyio
import pytest

from focusflow.sandbox.faults import Fault

MIB = 1024 * 1024
MOST_GROWTH = 5 * MIB
MOST_LATE_MS = 50.0
FEW_FILES = 6
"""A request that is under way has a connection: at two moments there may be a few more or less."""
WARM_UP = 0.2
"""The part of the time in which caches fill."""
FAULTS = (
    Fault(service="drive", kind="status", status=503, chance=0.02, times=None),
    Fault(service="assemblyai", kind="reset_after", path="transcript", chance=0.02, times=None),
    Fault(service="assemblyai", kind="status", status=500, path="transcript/", chance=0.03, times=None),
    Fault(service="openai", kind="reset_before", chance=0.02, times=None),
    Fault(service="openai", kind="status", status=500, chance=0.02, times=None),
    Fault(service="notion", kind="status", status=503, chance=0.02, times=None),
    Fault(service="notion", kind="reset_after", chance=0.01, times=None),
)
CROWDED = {
    "AUTO_CONCURRENCY": "4",
    "FOCUSFLOW_AUTO__MAX_BATCH": "8",
    "AUTO_MAX_RETRIES": "100",
    "FOCUSFLOW_NOTION__REQUESTS_PER_MINUTE": "100000",
    "AUTO_STALE_PROCESSING_MS": "60000",
}


def looks_of(report: Path) -> list[dict[str, Any]]:
    """Return what was measured after the warm-up."""
    looks = [json.loads(line) for line in report.read_text(encoding="utf-8").splitlines()]
    return looks[int(len(looks) * WARM_UP) :]


def growth(looks: list[dict[str, Any]], what: str) -> float:
    """Return by how much the last fifth is above the first."""
    fifth = max(1, len(looks) // 5)
    first, last = looks[:fifth], looks[-fifth:]
    return float(statistics.median(look[what] for look in last) - statistics.median(look[what] for look in first))


def p99_late_ms(looks: list[dict[str, Any]]) -> float:
    late = sorted(ms for look in looks for ms in look["late_ms"])
    return float(late[int(len(late) * 0.99)])


def show(looks: list[dict[str, Any]]) -> str:
    """Return the figures in one line."""
    grown = {what: growth(looks, what) for what in ("rss", "files", "threads", "tasks")}
    return (
        f"RSS {looks[-1]['rss'] / MIB:.0f} MiB, grown by {grown['rss'] / MIB:+.1f}; files {grown['files']:+.0f}, "
        f"threads {grown['threads']:+.0f}, tasks {grown['tasks']:+.0f}; loop late p99 {p99_late_ms(looks):.1f} ms, "
        f"at most {max(max(look['late_ms'], default=0) for look in looks):.0f} ms, in {len(looks) / 2:.0f} s"
    )


def grown(looks: list[dict[str, Any]]) -> list[str]:
    """Return what grew, and whether the loop was late."""
    wrong = [f"memory grew: {show(looks)}"] if growth(looks, "rss") > MOST_GROWTH else []
    wrong += [f"{what} grew: {show(looks)}" for what in ("files", "tasks") if growth(looks, what) > FEW_FILES]
    wrong += [f"the loop was late: {show(looks)}"] if p99_late_ms(looks) > MOST_LATE_MS else []
    return wrong


@pytest.mark.timeout(3_600)
async def test_a_crowd_is_worked_off(make_world: Any, tmp_path: Path, pytestconfig: pytest.Config) -> None:
    """2,000 calls wait, services fail now and then: each is done once, and nothing grows meanwhile."""
    proof = pytestconfig.getoption("--proof")
    calls = 2_000 if proof else 40
    report = tmp_path / "report"
    async with make_world(tmp_path) as world:
        world.sandbox.notion.window.limit = 1_000_000
        for n in range(calls):
            world.arrive(n)
        world.sandbox.faults.add(*FAULTS)
        async with world.measured(report, **CROWDED) as process:
            with anyio.fail_after(3_000 if proof else 50):
                assert await process.wait() == 0, world.said()

        assert world.violations_of_a_crowd(calls) == [], world.said()
    if proof:
        looks = looks_of(report)
        print(f"\n{calls} calls: {show(looks)}")  # noqa: T201  # the figures are for the closing page
        assert grown(looks) == []


@pytest.mark.timeout(3_600)
async def test_calls_keep_coming(make_world: Any, tmp_path: Path, pytestconfig: pytest.Config) -> None:
    """A call each second for twenty minutes: none is lost, and nothing grows."""
    seconds = 1_200 if pytestconfig.getoption("--proof") else 8
    report = tmp_path / "report"
    async with make_world(tmp_path) as world:
        world.sandbox.notion.window.limit = 1_000_000
        world.sandbox.faults.add(*FAULTS)
        async with world.measured(report, "--for-good", **CROWDED) as process:
            for n in range(seconds):
                world.arrive(n)
                await anyio.sleep(1)
            with anyio.fail_after(50):
                while world.rows(WAITING) or len(world.rows(COMPLETED)) < seconds:  # noqa: ASYNC110  # of another process
                    await anyio.sleep(0.2)
            process.send_signal(signal.SIGTERM)
            with anyio.fail_after(20):
                assert await process.wait() == 0, world.said()

        assert world.violations_of_a_crowd(seconds) == [], world.said()
    looks = looks_of(report)
    if pytestconfig.getoption("--proof"):
        print(f"\n{seconds} s: {show(looks)}")  # noqa: T201  # the figures are for the closing page
        assert grown(looks) == []


COMPLETED = "SELECT id FROM jobs WHERE status = 'completed'"
WAITING = (
    "SELECT id FROM jobs WHERE status NOT IN ('completed', 'skipped') UNION ALL "
    "SELECT job_id FROM deliveries WHERE next_attempt_at IS NOT NULL"
)
