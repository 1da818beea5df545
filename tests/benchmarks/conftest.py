"""What the benchmarks share: a database with a million calls, emulated services elsewhere, and a terminal that measures."""

from __future__ import annotations

import fcntl
import json
import os
import pty
import select
import signal
import sqlite3
import statistics
import struct
import subprocess
import sys
import termios
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import anyio
import pyte
import pytest

from focusflow.events import Bus
from focusflow.store import open_store

HERE = Path(__file__).parent
ROOT = HERE.parents[1]


def pytest_addoption(parser: pytest.Parser) -> None:
    """Offer shorter looks, and a database that is kept."""
    parser.addoption("--seconds", type=float, default=60, help="how long the screen is looked at")
    parser.addoption("--ticks", type=int, default=4_000, help="how many bursts of events must not make it grow")
    parser.addoption("--rounds", type=int, default=7, help="how often a start is measured")
    parser.addoption("--million", type=Path, help="keep the database with a million calls here, or use the one there")


# ---------------------------------------------------------------------------------------------------- a million calls

NOON_MS = 1_777_896_000_000
"""2026-05-04 12:00 UTC."""

_CALLS = f"""
INSERT INTO jobs (id, status, source, gdrive_file_id, gdrive_file_name, gdrive_file_size, file_md5, call_timestamp,
    contact_name, contact_number, contact_key, duration_seconds, discovered_at, updated_at, pair_key, haystack,
    transcribe_micros, summarize_micros, cost_micros, error_step, error_message, claimed_at,
    transcription_completed_at, summarization_completed_at, completed_at)
WITH RECURSIVE counted (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM counted WHERE n < :count),
calls AS (SELECT n, printf('%010d', (n * 7919) % 9999991) AS id, printf('61400%06d', (n * 331) % 999983) AS number,
    substr('AnnBobEvaIanJoeKimLeoMiaNedZoe', 1 + 3 * (n * 7919 / 64 % 10), 3) || ' '
        || substr('SmithBrownJonesMillsRossi', 1 + 5 * (n * 7919 / 1024 % 5), 5) || (n * 104729 / 4096 % 997) AS name,
    CASE WHEN n % 100 = 50 THEN 'failed' WHEN n % 20 = 7 THEN 'skipped' ELSE 'completed' END AS status
    FROM counted)
SELECT id, status, 'drive', 'file-' || n, 'call-' || n || '.m4a', n, printf('%032x', n), {NOON_MS} - n * 60000,
    name, '+' || number, lower(name), (n * 7919) % 3600, {NOON_MS} - n * 60000, {NOON_MS} - n * 60000, 'call-' || n,
    lower(name) || ' call-' || n || '.m4a +' || number || ' ' || number,
    (n * 7919) % 3600 * 60, (n * 7919) % 3600 * 17, CASE status WHEN 'completed' THEN (n * 7919) % 3600 * 75 ELSE 0 END,
    CASE status WHEN 'failed' THEN 'transcribe' END, CASE status WHEN 'failed' THEN 'It did not work.' END,
    CASE status WHEN 'completed' THEN {NOON_MS} - n * 60000 END, CASE status WHEN 'completed' THEN {NOON_MS} END,
    CASE status WHEN 'completed' THEN {NOON_MS} END, CASE status WHEN 'completed' THEN {NOON_MS} END
FROM calls
"""
"""None of them waits: a screen that looks at them is idle."""
_DELIVERIES = (
    "INSERT INTO deliveries (job_id, sink, ref, delivered_at) "
    f"SELECT id, 'notion', 'page', {NOON_MS} FROM jobs WHERE status = 'completed'"
)
_TEXTS = """
INSERT INTO documents (job_id, version, transcript, utterances, speakers, created_at)
SELECT id, 1, 'hello everyone ' || contact_name || ' speaks of plan ' || seq || ' on topic' || (seq % 1000), '[]', '{}', 1
FROM jobs WHERE status = 'completed' LIMIT 200000
"""
_AT_WORK = """
UPDATE jobs SET status = 'transcribing', claim_token = 'elsewhere', claimed_by = 'elsewhere', lease_until = :lease_until,
    completed_at = NULL, transcription_completed_at = NULL, summarization_completed_at = NULL, cost_micros = 0
WHERE id IN (SELECT id FROM jobs WHERE status = 'completed' ORDER BY rank_at DESC LIMIT 8)
"""
LEASE_SECONDS = 3_000
"""Longer than a benchmark takes, and not so long that the watchdog takes it for the lease of a clock that is wrong."""
_SUMMING_UP = (
    "UPDATE jobs SET status = 'summarizing' WHERE seq = (SELECT MIN(seq) FROM jobs WHERE status = 'transcribing')"
)
"""The newest of them."""
_ELSEWHERE = f"INSERT INTO instances VALUES ('elsewhere', 'elsewhere', {NOON_MS}, 4000000000000, '{{}}')"
"""Nobody takes the calls in flight from a worker that is seen."""


def database_with(place: Path, count: int, *, at_work: bool = False) -> Path:
    """Make a data directory whose database has *count* calls, eight of them in flight elsewhere if wanted."""
    path = place / "focusflow.db"

    async def create() -> None:
        async with open_store(path, bus=Bus(), synchronous="NORMAL"):
            pass

    place.mkdir(parents=True, exist_ok=True)
    anyio.run(create)
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        for pragma in ("synchronous = OFF", "cache_size = -400000", "temp_store = MEMORY"):
            connection.execute(f"PRAGMA {pragma}")
        connection.execute("BEGIN")
        connection.execute(_CALLS, {"count": count})
        connection.execute(_DELIVERIES)
        connection.execute(_TEXTS)
        if at_work:
            connection.execute(_AT_WORK, {"lease_until": int((time.time() + LEASE_SECONDS) * 1_000)})
            connection.execute(_SUMMING_UP)
            connection.execute(_ELSEWHERE)
        connection.execute("COMMIT")
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    return place


@pytest.fixture(scope="session")
def million(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a data directory with a million calls, made once."""
    kept: Path | None = request.config.getoption("--million")
    if kept is not None and (kept / "made").exists():
        return kept
    place = database_with(kept or tmp_path_factory.mktemp("million"), 1_000_000)
    (place / "made").touch()
    return place


@pytest.fixture
def eight_at_work(tmp_path: Path) -> Path:
    """Return a data directory with two thousand calls, eight of which are in flight."""
    return database_with(tmp_path / "data", 2_000, at_work=True)


# ----------------------------------------------------------------------------------------------------------- services

_SERVICES = """
import json, anyio
from focusflow.cli.demo import environment
from focusflow.sandbox.server import build_sandbox

async def main():
    async with build_sandbox(recordings=False) as sandbox:
        print(json.dumps(environment(sandbox, sandbox.notion.create_focusflow_database())), flush=True)
        await anyio.sleep_forever()

anyio.run(main)
"""


@pytest.fixture(scope="session")
def services() -> Iterator[dict[str, str]]:
    """Serve the emulated services from another process; yield the environment that points there."""
    with subprocess.Popen([sys.executable, "-c", _SERVICES], stdout=subprocess.PIPE, text=True, cwd=ROOT) as process:
        try:
            assert process.stdout is not None
            yield json.loads(process.stdout.readline())
        finally:
            process.terminate()


# ----------------------------------------------------------------------------------------------------------- terminal

_TAKE_TERMINAL = """
import fcntl, os, sys, termios
fcntl.ioctl(0, termios.TIOCSCTTY, 0)
os.execv(sys.argv[1], sys.argv[1:])
"""
_SYNCHRONISED = b"\x1b[?2026$p"
_TICKS_A_SECOND = os.sysconf("SC_CLK_TCK")
_PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What came after a key."""

    first: float
    """Seconds to the first byte."""
    last: float
    """Seconds to the last byte before it was quiet."""
    sent: int
    """Bytes."""


class Meter:
    """A program in a terminal of its own, and what it sends when. It answers as terminals with synchronised output do."""

    def __init__(self, command: Sequence[str], *, environ: Mapping[str, str], columns: int, rows: int) -> None:
        self.columns, self.rows = columns, rows
        self.chunks: list[tuple[float, bytes]] = []
        self.master, self._slave = pty.openpty()
        self._ends = [self.master, self._slave]
        fcntl.ioctl(self._slave, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
        self.started = time.monotonic()
        self.process = subprocess.Popen(
            [sys.executable, "-I", "-S", "-c", _TAKE_TERMINAL, *command],
            env=dict(environ),
            cwd=ROOT,
            stdin=self._slave,
            stdout=self._slave,
            stderr=self._slave,
            start_new_session=True,
        )

    # -------------------------------------------------------------------------------------------------------- reading

    def read(self, seconds: float) -> None:
        """Take what comes within that time."""
        ends = time.monotonic() + seconds
        while (left := ends - time.monotonic()) > 0:
            self._read_once(left)

    def _read_once(self, seconds: float) -> bool:
        """Take what is there, after a wait of so many seconds at most; False: nothing came."""
        if not select.select([self.master], [], [], max(0.0, seconds))[0]:
            return False
        try:
            data = os.read(self.master, 262_144)
        except OSError:  # the other end is closed
            time.sleep(min(seconds, 0.01))
            return False
        self.chunks.append((time.monotonic(), data))
        if _SYNCHRONISED in data:
            os.write(self.master, b"\x1b[?2026;2$y")
        return True

    def until_sent(self, wanted: bytes, seconds: float = 60) -> float:
        """Wait until these bytes were sent; return when, on the monotonic clock."""
        ends, seen = time.monotonic() + seconds, b"".join(data for _, data in self.chunks)
        while wanted not in seen:
            assert time.monotonic() < ends, f"never sent: {wanted!r}\n{self.text}"
            if self._read_once(0.5):
                seen = seen[-len(wanted) :] + self.chunks[-1][1]
        return self.chunks[-1][0]

    def until_quiet(self, quiet: float, seconds: float = 60) -> None:
        """Wait until nothing was sent for so long."""
        ends = time.monotonic() + seconds
        while self._read_once(quiet):
            assert time.monotonic() < ends, "it never rests"

    def sent_since(self, mark: int) -> int:
        """Return how many bytes were sent since there were *mark* chunks."""
        return sum(len(data) for _, data in self.chunks[mark:])

    @property
    def text(self) -> str:
        """What the screen shows now."""
        return self._shown(len(self.chunks))

    def _shown(self, chunks: int) -> str:
        screen: Any = pyte.Screen(self.columns, self.rows)
        stream: Any = pyte.ByteStream(screen)
        stream.feed(b"".join(data for _, data in self.chunks[:chunks]))
        return "\n".join(line.rstrip() for line in screen.display)

    def shown_after(self, is_whole: Callable[[str], bool], mark: int = 0) -> float:
        """Return seconds from the start to the first picture, after *mark* chunks, that is whole."""
        screen: Any = pyte.Screen(self.columns, self.rows)
        stream: Any = pyte.ByteStream(screen)
        stream.feed(b"".join(data for _, data in self.chunks[:mark]))
        for at, data in self.chunks[mark:]:
            stream.feed(data)
            if is_whole("\n".join(screen.display)):
                return at - self.started
        raise AssertionError(f"never whole:\n{self.text}")

    # ----------------------------------------------------------------------------------------------------------- keys

    def type(self, keys: str) -> None:
        os.write(self.master, keys.encode())

    def press(self, key: str, *, quiet: float = 0.06, patience: float = 10) -> Answer:
        """Press a key and wait until its answer is all there."""
        while self._read_once(0):
            pass
        mark, pressed = len(self.chunks), time.monotonic()
        self.type(key)
        assert self._read_once(patience), f"{key!r} is not answered\n{self.text}"
        while self._read_once(quiet):
            pass
        return Answer(
            first=self.chunks[mark][0] - pressed, last=self.chunks[-1][0] - pressed, sent=self.sent_since(mark)
        )

    # ----------------------------------------------------------------------------------------------------------- cost

    def cpu(self) -> float:
        """Return the CPU seconds taken so far, by all threads, ended ones too."""
        fields = Path(f"/proc/{self.process.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / _TICKS_A_SECOND

    def rss(self) -> int:
        """Return the bytes of memory in use now."""
        return int(Path(f"/proc/{self.process.pid}/statm").read_text().split()[1]) * _PAGE_BYTES

    # ------------------------------------------------------------------------------------------------------------ end

    @property
    def is_as_before(self) -> bool:
        """The alternate screen is left, and the line edits again."""
        echoes = bool(termios.tcgetattr(self._slave)[3] & termios.ECHO)
        return echoes and b"\x1b[?1049l" in b"".join(data for _, data in self.chunks[-20:])

    def until_restored(self, seconds: float = 20) -> float:
        """Wait until the terminal is as it was; return when, on the monotonic clock."""
        ends = time.monotonic() + seconds
        while not self.is_as_before:
            assert time.monotonic() < ends, f"never restored\n{self.text}"
            self._read_once(0.005)
        return time.monotonic()

    def ended(self, seconds: float = 30) -> int:
        """Wait for the end; return the exit code."""
        ends = time.monotonic() + seconds
        while self.process.poll() is None:
            assert time.monotonic() < ends, f"it goes on\n{self.text}"
            self._read_once(0.02)
        return self.process.returncode

    def close(self) -> None:
        if self.process.poll() is None:
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()
        while self._ends:
            os.close(self._ends.pop())


Look = Callable[..., Meter]


@pytest.fixture
def look(tmp_path: Path, services: dict[str, str]) -> Iterator[Look]:
    """Start `python ARGUMENTS...` in a terminal, with services that answer, as a person would over SSH from a good terminal.

    *data*: the directory of the database. *colours*: "truecolor", or "ansi" for a terminal that has sixteen.
    """
    opened: list[Meter] = []

    def start(
        *arguments: str, data: Path | None = None, columns: int = 120, rows: int = 40, colours: str = "truecolor"
    ) -> Meter:
        environ = {"PATH": os.environ["PATH"], "HOME": str(tmp_path), "LANG": "C.UTF-8", "TERM": "xterm-256color"}
        if colours == "truecolor":
            environ["COLORTERM"] = "truecolor"
        else:
            environ["SSH_CONNECTION"] = "192.0.2.1 50000 192.0.2.2 22"
        if data is not None:
            environ |= services | {"FOCUSFLOW_DATA_DIR": str(data)}
        meter = Meter([sys.executable, *arguments], environ=environ, columns=columns, rows=rows)
        opened.append(meter)
        return meter

    yield start
    for meter in opened:
        meter.close()


def spread(values: Sequence[float], unit: str = "ms", scale: float = 1_000) -> str:
    """Return the least, the median and the most of what was measured."""
    low, middle, high = min(values) * scale, statistics.median(values) * scale, max(values) * scale
    return f"min {low:.1f}, median {middle:.1f}, max {high:.1f} {unit} of {len(values)}"


@pytest.fixture(name="spread")
def _spread() -> Callable[..., str]:
    return spread


@pytest.fixture
def seconds(request: pytest.FixtureRequest) -> float:
    """How long the screen is looked at."""
    return float(request.config.getoption("--seconds"))


@pytest.fixture
def ticks(request: pytest.FixtureRequest) -> int:
    """How many bursts of events must not make it grow."""
    return int(request.config.getoption("--ticks"))


@pytest.fixture
def rounds(request: pytest.FixtureRequest) -> int:
    """How often a start is measured."""
    return int(request.config.getoption("--rounds"))
