"""Does the screen stay small over weeks, never hold up the work, and give the terminal back at once?

    pytest -o addopts="--import-mode=importlib" -o timeout=1800 -p no:randomly -s \
        tests/benchmarks/test_screen_endurance_benchmarks.py

`--ticks` and `--seconds` make it shorter.
"""

from __future__ import annotations

import json
import os
import signal
import statistics
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.benchmarks.conftest import Look, Meter

HOSTED = str(Path(__file__).with_name("hosted_screen.py"))
TICKING = str(Path(__file__).parents[1] / "terminal" / "ticking.py")
REAL = ("-m", "focusflow")
MIB = 1024 * 1024
NOISE = 2.0
"""A wait fails when it is missed by more than this: the machine has other things to do."""


def report(line: str) -> None:
    print(f"\n{line}")  # noqa: T201  # the figures are what it is for


def told(path: Path) -> list[dict[str, Any]]:
    """Return what the program in the terminal measured itself."""
    return [json.loads(line) for line in path.read_text().splitlines()]


def at_rest(meter: Meter) -> None:
    """Wait until the work behind the screen has come up, with all it imports."""
    meter.until_sent(b"help")
    meter.read(8)


# ---------------------------------------------------------------------------------------------------------------- growth


@pytest.mark.parametrize("pane", ["log", "summary"])
def test_weeks_of_work(look: Look, eight_at_work: Path, ticks: int, pane: str) -> None:
    """4,000 ticks, 100,000 events and 1,000,000 log lines, with a pane open: flat within 2 MB."""
    path = eight_at_work / "report"
    meter = look(HOSTED, str(path), "flood", str(ticks), data=eight_at_work)
    meter.until_sent(b"help")
    meter.read(2)
    for key in ("\r", "1" if pane == "log" else "3"):
        meter.type(key)
        meter.read(0.5)
    before, began = meter.cpu(), time.monotonic()
    while not told(path)[-1].get("ended"):
        meter.read(1)
        meter.chunks.clear()
    looks = [line for line in told(path) if "rss" in line]
    tenth = max(2, len(looks) // 10)
    early = statistics.median(look["rss"] for look in looks[tenth : 2 * tenth]) / MIB
    late = statistics.median(look["rss"] for look in looks[-tenth:]) / MIB
    steps = " ".join(f"{look['rss'] / MIB:.1f}" for look in looks[::tenth])
    cpu, wall = meter.cpu() - before, time.monotonic() - began
    report(
        f"{ticks} ticks, {ticks * 34:,} events, {looks[-1]['lines']:,} log lines, {pane} open: {early:.1f} -> {late:.1f} MiB"
        f" ({steps}); {cpu:.0f} CPU s in {wall:.0f} s"
    )
    assert late - early < 2


# ---------------------------------------------------------------------------------------------------------------- stalls


def gaps(path: Path, since: float) -> list[dict[str, Any]]:
    return [line for line in told(path) if "gap" in line and line["at"] >= since]


def longest(gaps: list[dict[str, Any]]) -> str:
    if not gaps:
        return "no gap over 30 ms"
    worst = max(gaps, key=lambda gap: float(gap["gap"]))
    busiest = max(float(gap["cpu"]) for gap in gaps)
    return (
        f"{len(gaps)} gaps over 30 ms, longest {worst['gap'] * 1_000:.0f} ms (of it {worst['cpu'] * 1_000:.0f} CPU ms),"
        f" most CPU in one {busiest * 1_000:.0f} ms"
    )


def held_up(gaps: list[dict[str, Any]]) -> float:
    """Return the longest gap in which the loop worked, or waited for nothing that the machine was busy with."""
    return max((min(float(gap["gap"]), float(gap["cpu"]) + 0.15) for gap in gaps), default=0.0)


def test_the_start_of_the_engine(look: Look, million: Path, tmp_path: Path) -> None:
    """Imports of the engine and its SDKs come after the first picture and hold up the loop 50 ms at most."""
    found = []
    for turn in range(3):
        path = tmp_path / f"report-{turn}"
        meter = look(HOSTED, str(path), "watch", data=million)
        at_rest(meter)
        found.append(gaps(path, 0))
        report(f"engine behind the screen: {longest(found[-1])}")
        meter.close()
    assert min(max((float(gap["cpu"]) for gap in start), default=0.0) for start in found) < 0.05 * NOISE


def test_a_frozen_terminal(look: Look, eight_at_work: Path, seconds: float) -> None:
    """Nobody reads for a minute while eight calls and a log move ten times a second."""
    path = eight_at_work / "report"
    meter = look(HOSTED, str(path), "watched", data=eight_at_work)
    at_rest(meter)
    meter.type("\r1")
    meter.read(1)
    since, rss = time.monotonic(), meter.rss()
    time.sleep(seconds)
    frozen = gaps(path, since)
    grown, woken = meter.rss() - rss, time.monotonic()
    mark = len(meter.chunks)
    meter.read(3)
    back = meter.chunks[mark][0] - woken
    report(
        f"frozen for {seconds:.0f} s: {longest(frozen)}; RSS {grown / MIB:+.1f} MiB; first byte {back * 1_000:.0f} ms after"
        f" it was read again, {meter.sent_since(mark)} bytes in 3 s; then {longest(gaps(path, woken))}"
    )
    meter.type("q")
    assert held_up(frozen) < 0.1 * NOISE


def test_a_pager(look: Look, seconds: float) -> None:
    """Another program has the terminal; the work beside the screen goes on."""
    meter = look(TICKING, columns=80, rows=24)
    meter.until_sent(b"frame")
    meter.read(1)
    meter.type("p")
    meter.until_sent(b"in the pager")
    meter.read(seconds)
    meter.type("x\r")
    meter.read(1)
    meter.type("g")
    meter.read(1)
    line = next(line for line in meter.text.splitlines() if "longest gap" in line)
    report(f"pager for {seconds:.0f} s: {line.strip()}")
    assert float(line.split("longest gap ")[1].split()[0]) < 0.1 * NOISE


# ------------------------------------------------------------------------------------------------------------------- end


@pytest.mark.parametrize("way", ["q", "\x03", "SIGTERM", "SIGHUP", "SIGINT"])
def test_the_end(look: Look, million: Path, spread: Callable[..., str], way: str) -> None:
    """The terminal is as it was half a second after any quit."""
    restored, ended, codes = [], [], set()
    for _ in range(3):
        meter = look(*REAL, data=million)
        at_rest(meter)
        began = time.monotonic()
        if way.startswith("SIG"):
            os.kill(meter.process.pid, getattr(signal, way))
        else:
            meter.type(way)
        restored.append(meter.until_restored() - began)
        codes.add(meter.ended())
        ended.append(time.monotonic() - began)
    report(f"{way!r}: terminal restored {spread(restored)}; ended {spread(ended)}; exit codes {codes}")
    assert min(restored) < 0.5
