"""How long does it take to price a whole backlog, and to sum up a ledger?

    pytest -o addopts="--import-mode=importlib" -o timeout=600 tests/benchmarks/test_money_benchmarks.py

The ceilings that are asserted hold on a small shared server.
"""

from __future__ import annotations

import asyncio
import sqlite3
from datetime import UTC, datetime
from typing import TYPE_CHECKING, TypeVar
from zoneinfo import ZoneInfo

import pytest

from focusflow.cli.plan import Plan, plan_text
from focusflow.domain.prices import LengthRates
from focusflow.events import Bus
from focusflow.ports import CostsBy, PlanBy
from focusflow.store import Store, open_store

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from pytest_benchmark.fixture import BenchmarkFixture

T = TypeVar("T")
JOBS = 100_000
SYDNEY = ZoneInfo("Australia/Sydney")
RATES = LengthRates(
    audio_micros_per_hour=230_000,
    input_micros_per_million=100_000,
    output_micros_per_million=500_000,
    fixed_tokens=3_000,
    tokens_per_hour=12_000,
    output_tokens=1_000,
)

# a third waits, a third was refused before it was measured, the rest was too short or is done
FILL = f"""
WITH RECURSIVE n (i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i < {JOBS - 1})
INSERT INTO jobs (id, status, source, gdrive_file_id, gdrive_file_name, gdrive_file_size, file_md5, contact_name,
    call_direction, call_type, call_timestamp, duration_seconds, duration_source, skip_reason, skipped_by,
    transcribe_micros, summarize_micros, discovered_at, updated_at, pair_key, haystack)
SELECT printf('job%07d', i), CASE WHEN i % 3 = 0 THEN 'discovered' ELSE 'skipped' END, 'drive', 'file' || i,
    'call ' || i || '.m4a', 400000 + i, printf('%032x', i), 'Contact ' || (i % 500),
    CASE i % 2 WHEN 0 THEN 'incoming' ELSE 'outgoing' END, 'phone', 1600000000000 + i * 2000000,
    CASE WHEN i % 3 <> 1 THEN 10.0 + i % 3000 / 10.0 END, CASE WHEN i % 3 <> 1 THEN 'sidecar' END,
    CASE i % 3 WHEN 1 THEN 'recorded before 2026-11-23 (only new calls are processed)'
        WHEN 2 THEN 'shorter than 20 s (' || (i % 200) / 10.0 || ' s)' END,
    CASE WHEN i % 3 > 0 THEN 'rule' END,
    CASE WHEN i % 3 = 0 THEN 9000 END, CASE WHEN i % 3 = 0 THEN 900 END,
    1700000000000, 1700000000000, 'k' || i, 'call ' || i
FROM n;
INSERT INTO charges (job_id, step, state, provider, model, estimate_micros, actual_micros, usage_known, reserved_at)
SELECT id, 'transcribe', 'settled', 'assemblyai', 'universal-2', 9000, 8000, 1, call_timestamp FROM jobs;
INSERT INTO charges (job_id, step, state, provider, model, estimate_micros, actual_micros, usage_known, reserved_at)
SELECT id, 'summarize', 'settled', 'openai', 'gpt-6-luna', 900, 800, 1, call_timestamp FROM jobs;
"""


class Bench:
    """A full store and the loop it lives on."""

    def __init__(self, runner: asyncio.Runner, store: Store) -> None:
        self._runner, self._store = runner, store

    def plan(self, by: PlanBy) -> str:
        """Price everything and write it out."""
        rows = self._runner.run(self._store.backlog(by, RATES, zone=SYDNEY))
        assert sum(row.calls for row in rows) == JOBS
        return plan_text(Plan(by=by, rows=rows, unpriced=(), judged=True))

    def startable(self) -> int:
        return len(self._runner.run(self._store.startable(RATES, newest_first=True, since=None, before=None)))

    def costs(self, by: CostsBy, now: datetime) -> int:
        return sum(
            row.settled_micros for row in self._runner.run(self._store.costs(by, since=None, now=now, zone=SYDNEY))
        )


@pytest.fixture(scope="module")
def bench(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bench]:
    """A hundred thousand calls over six years and a ledger of two lines for each, on SQLite."""
    path: Path = tmp_path_factory.mktemp("bench") / "focusflow.db"
    with asyncio.Runner() as runner:
        opened = open_store(path, bus=Bus())
        store = runner.run(opened.__aenter__())
        try:
            _fill(path)
            runner.run(store.optimize())
            yield Bench(runner, store)
        finally:
            runner.run(opened.__aexit__(None, None, None))


def _fill(path: Path) -> None:
    connection = sqlite3.connect(path)
    try:
        connection.executescript(f"BEGIN;{FILL}COMMIT;")
    finally:
        connection.close()


def timed(benchmark: BenchmarkFixture, work: Callable[[], T], *, below: float) -> T:
    """Run the work a few times; the quickest took less than *below* seconds. Return its last answer."""
    answers: list[T] = []
    benchmark.pedantic(lambda: answers.append(work()), rounds=5, warmup_rounds=1)  # type: ignore[no-untyped-call] # no types
    assert benchmark.stats is not None
    assert benchmark.stats.stats.min < below
    return answers[-1]


@pytest.mark.parametrize("by", list(PlanBy))
def test_a_plan_over_a_hundred_thousand_calls(bench: Bench, benchmark: BenchmarkFixture, by: PlanBy) -> None:
    """Under a second, the text included."""
    assert "total" in timed(benchmark, lambda: bench.plan(by), below=1)


def test_everything_that_may_be_started(bench: Bench, benchmark: BenchmarkFixture) -> None:
    """In order, each with its price: what `plan start` chooses from."""
    assert timed(benchmark, bench.startable, below=10) == JOBS


@pytest.mark.parametrize("by", [CostsBy.DAY, CostsBy.MONTH, CostsBy.CONTACT, CostsBy.MODEL, CostsBy.STEP])
def test_the_sums_of_a_ledger_of_two_hundred_thousand_lines(
    bench: Bench, benchmark: BenchmarkFixture, by: CostsBy
) -> None:
    """By thousands of local days as by two steps."""
    assert timed(benchmark, lambda: bench.costs(by, datetime.now(UTC)), below=3) == JOBS * 8_800
