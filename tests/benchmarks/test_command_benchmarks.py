"""How soon does a command answer, from the shell's point of view, with a million calls in its database?

    pytest -o addopts="--import-mode=importlib" -o timeout=600 tests/benchmarks/test_command_benchmarks.py

The least of several starts is what the command itself takes; the rest is what else the machine had to do. `--rounds` and
`--million` make it shorter.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from pathlib import Path

    from pytest_benchmark.fixture import BenchmarkFixture

STATS_SECONDS = 0.35


@pytest.mark.parametrize("arguments", [["stats"], ["stats", "--json"]], ids=" ".join)
def test_stats_answer_at_once(
    benchmark: BenchmarkFixture, million: Path, tmp_path: Path, rounds: int, arguments: list[str]
) -> None:
    """Under 0.35 s from start to end, with every import and the opening of the database."""
    environ = {"PATH": os.environ["PATH"], "HOME": str(tmp_path), "FOCUSFLOW_DATA_DIR": str(million)}
    told = ""

    def ask() -> None:
        nonlocal told
        command = [sys.executable, "-m", "focusflow", *arguments]
        told = subprocess.run(command, env=environ, cwd=tmp_path, capture_output=True, text=True, check=True).stdout

    benchmark.pedantic(ask, rounds=rounds, warmup_rounds=1)  # type: ignore[no-untyped-call]  # the plugin's own

    began = time.perf_counter()
    subprocess.run([sys.executable, "-c", "import asyncio, sqlite3"], env=environ, check=True)
    benchmark.extra_info["bare interpreter seconds"] = round(time.perf_counter() - began, 3)
    if "--json" in arguments:
        assert sum(json.loads(told)["counts"].values()) == 1_000_000
    assert benchmark.stats is not None
    assert benchmark.stats.stats.min < STATS_SECONDS
