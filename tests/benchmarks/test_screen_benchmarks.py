"""How soon is the screen there, what does it cost, and how fast does it answer, with a million calls in its database?

    pytest -o addopts="--import-mode=importlib" -o timeout=1800 -p no:randomly -s tests/benchmarks/test_screen_benchmarks.py

Measured from outside, at a pty, beside a bare Textual app with one table in the same minutes. The least of several looks
is what the screen itself takes; the rest is what else the machine had to do. `--seconds`, `--rounds` and `--million`
make it shorter.
"""

from __future__ import annotations

import statistics
import time
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.benchmarks.conftest import Look, Meter

BARE = str(Path(__file__).with_name("bare_table.py"))
HOSTED = str(Path(__file__).with_name("hosted_screen.py"))
REAL = ("-m", "focusflow")
SIZES = [(80, 24), (120, 40)]
NOISE = 1.5
"""A time or a cost fails when it is missed by more than this: the machine has other things to do."""
MIB = 1024 * 1024


def report(line: str) -> None:
    print(f"\n{line}")  # noqa: T201  # the figures are what it is for


def bare_is_whole(rows: int) -> Callable[[str], bool]:
    return lambda text: f"contact {rows - 3}" in text


def screen_is_whole(rows: int) -> Callable[[str], bool]:
    """The counts, the money, a full list, and the keys."""
    return lambda text: "1,000,000" in text and "? help" in text and text.count(":") > rows // 3 and "$" in text


def cursor_has_moved(text: str) -> bool:
    """Two lines down from the titles."""
    lines = text.splitlines()
    titles = next((at for at, line in enumerate(lines) if "contact" in line and "time" in line), 0)
    return lines[titles + 3][:4].strip().startswith("›")


def first_call(text: str) -> str:
    """Return the line below the titles."""
    lines = text.splitlines()
    return next(below for titles, below in pairwise(lines) if "contact" in titles and "time" in titles).rstrip()


def not_first(before: str) -> Callable[[str], bool]:
    """Other calls are listed, or none."""
    return lambda text: first_call(text) != before


def at_rest(meter: Meter) -> None:
    """Wait until the work behind the screen has come up, with all it imports."""
    meter.until_sent(b"help")
    meter.read(8)


# --------------------------------------------------------------------------------------------------------- first picture


@pytest.mark.parametrize(("columns", "rows"), SIZES)
def test_the_first_picture(
    look: Look, million: Path, rounds: int, spread: Callable[..., str], columns: int, rows: int
) -> None:
    """At most 1.3 times what a bare Textual app takes."""
    bare, ours, ready, cpu = [], [], [], []
    for _ in range(rounds):
        meter = look(BARE, columns=columns, rows=rows)
        meter.until_sent(b"contact 0")
        meter.until_quiet(0.7)
        bare.append(meter.shown_after(bare_is_whole(rows)))
        meter.close()

        meter = look(*REAL, data=million, columns=columns, rows=rows)
        meter.until_sent(b"help")
        mark, pressed = len(meter.chunks), time.monotonic() - meter.started
        meter.type("jj")
        meter.until_quiet(0.7)
        ready.append(meter.shown_after(cursor_has_moved, mark) - pressed)
        ours.append(meter.shown_after(screen_is_whole(rows)))
        cpu.append(meter.cpu())
        meter.close()

    ratio, middle = min(ours) / min(bare), statistics.median(ours) / statistics.median(bare)
    report(
        f"first picture {columns}x{rows}: bare {spread(bare)}; screen {spread(ours)}; ratio {ratio:.2f} of the least, "
        f"{middle:.2f} of the medians; key at once {spread(ready)}; CPU with engine {spread(cpu, 's', 1)}"
    )
    assert ratio < 1.3 * NOISE
    assert min(ready) < 0.1


# ------------------------------------------------------------------------------------------------------------------ rest


@pytest.mark.parametrize(("columns", "rows"), SIZES)
def test_nothing_happens(look: Look, million: Path, seconds: float, columns: int, rows: int) -> None:
    """At most 0.15 CPU seconds and 2 KB a minute; the bare app's beside it."""
    bare, ours = (
        look(BARE, columns=columns, rows=rows),
        look(*REAL, data=million, columns=columns, rows=rows),
    )
    at_rest(ours)
    bare.read(1)
    ours.read(8)
    marks, before = len(ours.chunks), (bare.cpu(), ours.cpu())
    ours.read(seconds)
    cpu = (ours.cpu() - before[1]) * 60 / seconds
    bare_cpu = (bare.cpu() - before[0]) * 60 / seconds
    sent = ours.sent_since(marks) * 60 / seconds
    rss = ours.rss() / MIB
    report(
        f"idle {columns}x{rows}: {cpu:.2f} CPU s/min (bare {bare_cpu:.2f}), {sent:.0f} bytes/min, RSS {rss:.1f} MiB"
        f" (bare {bare.rss() / MIB:.1f})"
    )
    assert cpu < 0.15 * NOISE
    assert sent < 2_048
    assert rss < 90 * NOISE


# ----------------------------------------------------------------------------------------------------------------- work

BUSY = [
    pytest.param("eight", "", 120, 40, "truecolor", 0.5, 120_000, id="eight calls, 120x40"),
    pytest.param("eight", "", 80, 24, "ansi", 0.5, 60_000, id="eight calls, 80x24 ansi"),
    pytest.param("log_and_summary", "1", 120, 40, "truecolor", 1.0, 240_000, id="and a log, 120x40"),
    pytest.param("log_and_summary", "1", 80, 24, "ansi", 1.0, 120_000, id="and a log, 80x24 ansi"),
    pytest.param("log_and_summary", "3", 120, 40, "truecolor", 1.0, 240_000, id="and a summary, 120x40"),
    pytest.param("log_and_summary", "3", 80, 24, "ansi", 1.0, 120_000, id="and a summary, 80x24 ansi"),
]


@pytest.mark.parametrize(("load", "pane", "columns", "rows", "colours", "most_cpu", "most_sent"), BUSY)
def test_eight_calls_in_flight(
    look: Look,
    eight_at_work: Path,
    seconds: float,
    load: str,
    pane: str,
    columns: int,
    rows: int,
    colours: str,
    most_cpu: float,
    most_sent: float,
) -> None:
    """Once a second each of them goes on; with a pane open, its log and its summary grow too."""
    meter = look(
        HOSTED, str(eight_at_work / "report"), load, data=eight_at_work, columns=columns, rows=rows, colours=colours
    )
    at_rest(meter)
    if pane:
        for key in ("\r", pane):
            meter.type(key)
            meter.read(1)
    marks, before = len(meter.chunks), meter.cpu()
    meter.read(seconds)
    cpu, sent = (meter.cpu() - before) * 60 / seconds, meter.sent_since(marks) * 60 / seconds
    frames = (len(meter.chunks) - marks) * 60 / seconds
    assert meter.process.poll() is None, meter.text
    report(
        f"{load} {columns}x{rows} {colours}, pane {pane or 'closed'}: {cpu:.2f} CPU s/min, {sent:.0f} bytes/min,"
        f" {frames:.0f} chunks/min, RSS {meter.rss() / MIB:.1f} MiB"
    )
    assert cpu < most_cpu * NOISE
    assert sent < most_sent * 1.1


# ----------------------------------------------------------------------------------------------------------------- keys


@pytest.mark.parametrize(
    ("columns", "rows", "colours"), [(80, 24, "ansi"), (80, 24, "truecolor"), (120, 40, "truecolor")]
)
def test_a_move_of_the_cursor(
    look: Look, million: Path, spread: Callable[..., str], columns: int, rows: int, colours: str
) -> None:
    """At most 400 bytes, 5 ms and 4 CPU ms; a page down 15 ms."""
    meter = look(*REAL, data=million, columns=columns, rows=rows, colours=colours)
    at_rest(meter)
    meter.press("j")
    before, moves = meter.cpu(), []
    for _ in range(6):
        moves += [meter.press("j") for _ in range(min(10, rows - 16))]
        before -= meter.cpu()
        meter.press("g")  # so that the list is never scrolled
        meter.read(0.4)
        before += meter.cpu()
    cpu = (meter.cpu() - before) / len(moves)
    pages, rests = (
        [meter.press("\x1b[6~", quiet=0.06) for _ in range(20)],
        [meter.press("k", quiet=0.3) for _ in range(10)],
    )
    sent = sorted(move.sent for move in moves)
    report(
        f"cursor {columns}x{rows} {colours}: {sent[len(sent) // 2]} bytes (most {sent[-1]}), first byte"
        f" {spread([move.first for move in moves])}, {cpu * 1_000:.1f} CPU ms a key; with the rest after it"
        f" {statistics.median(rest.sent for rest in rests):.0f} bytes; page down first byte"
        f" {spread([page.first for page in pages])}, last {spread([page.last for page in pages])}"
    )
    assert sent[len(sent) // 2] <= 400 * 1.1
    assert min(move.first for move in moves) < 0.005 * NOISE
    assert min(page.first for page in pages) < 0.015 * NOISE


def test_first_rows(look: Look, million: Path, spread: Callable[..., str]) -> None:
    """Open, sort, filter and search a million calls: first rows within 100 ms."""
    meter = look(*REAL, data=million)
    at_rest(meter)
    times: dict[str, list[float]] = {}

    def shown(what: str, keys: str, wanted: str) -> None:
        """Press the keys, and note when the words are on the screen that come with the rows."""
        mark, pressed = len(meter.chunks), time.monotonic()
        meter.type(keys)
        meter.read(1)
        is_there = not_first(wanted) if what.startswith(("search", "sort")) else lambda text: wanted in text
        times.setdefault(what, []).append(meter.shown_after(is_there, mark) + meter.started - pressed)

    for _ in range(3):
        for order in ("contact", "length", "cost", "time"):
            shown(f"sort by {order}", "s", first_call(meter.text))
        for key, word in (("3", "failed"), ("4", "skipped"), ("2", "completed")):
            shown("filter", key, f"only {word}")
        shown("filter", "0", " 1,000,000 calls")
        shown("open", "\r", "Transcript")
        meter.type("\x1b")
        meter.read(0.6)
        for word in ("zoe rossi", "topic77", "123456", "nobodyatall"):
            for ending in ("", "\r"):
                meter.press("/", quiet=0.2)
                shown("search entered" if ending else "search typed", f"{word}{ending}", first_call(meter.text))
                for _ in range(2):
                    meter.type("\x1b")
                    meter.read(0.6)
    for what, taken in times.items():
        report(f"{what} among 1,000,000: {spread(taken)}")
    assert all(min(taken) < 0.1 * NOISE for what, taken in times.items() if what != "search typed")
