"""How much memory does a very long recording take on its way through the whole product?

The emulated services run in a process of their own, so that only FocusFlow is measured.
Run with: pytest tests/benchmarks/test_memory_benchmarks.py -s
"""

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

MIB = 1024 * 1024
SMALL, HUGE = 200_000, 500 * MIB
MOST_GROWTH = 32 * MIB

SERVICES = """
import sys, json, anyio
from focusflow.cli.demo import environment
from focusflow.sandbox.server import build_sandbox

async def main():
    async with build_sandbox(recordings=False, speed=50) as sandbox:
        name = "2026-11-20 10-00-00 (phone) Ann Example (+1 812-555-0113) \\u2199.mp3"
        sandbox.drive.files.add_file(name, size=int(sys.argv[1]))
        print(json.dumps(environment(sandbox, sandbox.notion.create_focusflow_database())), flush=True)
        await anyio.sleep_forever()

anyio.run(main)
"""

PRODUCT = """
import resource, sys
from focusflow.cli import main
try:
    main(["run", "--until-idle"])
except SystemExit as ended:
    code = ended.code
print(f"PEAK {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024} CODE {int(code or 0)}")
"""


@contextmanager
def services(size: int) -> Iterator[dict[str, str]]:
    """Serve the emulated services with one recording of *size* bytes; yield the environment that points there."""
    process = subprocess.Popen([sys.executable, "-c", SERVICES, str(size)], stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        yield json.loads(process.stdout.readline())
    finally:
        process.terminate()
        process.communicate(timeout=30)


def peak_of_a_run(size: int, data: Path) -> int:
    """Return the most memory, in bytes, that FocusFlow took to bring one recording of *size* bytes to Notion."""
    with services(size) as environ:
        ended = subprocess.run(
            [sys.executable, "-c", PRODUCT],
            env={
                **os.environ,
                **environ,
                "FOCUSFLOW_DATA_DIR": str(data),
                "FOCUSFLOW_DISCOVERY__SIDECAR_WAIT_MINUTES": "0",
            },
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
        )
    found = re.search(r"PEAK (\d+) CODE 0", ended.stdout)
    assert found, ended.stdout + ended.stderr
    return int(found[1])


@pytest.mark.timeout(600)
def test_a_recording_of_500_mb_takes_hardly_more_memory_than_a_small_one(tmp_path: Path) -> None:
    """Audio is streamed from Drive to disk and from disk to the transcriber, never held."""
    small = peak_of_a_run(SMALL, tmp_path / "small")
    huge = peak_of_a_run(HUGE, tmp_path / "huge")

    print(f"\npeak RSS: small {small / MIB:.0f} MiB, 500 MiB recording {huge / MIB:.0f} MiB")  # noqa: T201
    assert huge - small <= MOST_GROWTH
