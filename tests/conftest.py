"""What all tests share: log lines that cost nothing to write, signals that are heard, and work that is cancelled where it waits.

And what no test may do, whatever it is about: block the event loop, leave a key anywhere, or talk to another machine.
"""

import asyncio
import signal
import types
from collections.abc import Callable, Coroutine, Generator, Iterator
from functools import partial
from typing import Any, Literal, Protocol

import anyio
import pytest
from blockbuster import blockbuster_ctx

from focusflow.sandbox.assemblyai import API_KEY as ASSEMBLYAI_KEY
from focusflow.sandbox.openai import API_KEY as OPENAI_KEY

MAY_BLOCK = (
    ("focusflow/cli/session.py", {"run_async"}),  # a command has the loop for itself
    ("focusflow/config.py", {"load", "_machine_zone", "price_table"}),  # read once, before there is anything to hold up
    ("focusflow/pipeline/workspace.py", {"remove"}),  # audio must go, also when no thread can be had any more
    ("focusflow/store/migrations.py", {"migrate_sqlite"}),  # in a thread of the database's, but for tests
    ("focusflow/tui/terminal.py", {"__init__"}),  # Textual finds its stylesheets
    ("known_faults/conftest.py", {"sleep"}),  # what a test lets happen meanwhile
    ("logging/__init__.py", {"emit"}),  # a line at a time
    ("zoneinfo/_tzpath.py", {"find_tzfile"}),  # a zone's rules: read once, a few microseconds
    ("zoneinfo/_common.py", {"load_tzdata", "load_data"}),
)
"""Where blocking for a moment is no fault."""

KEYS = (
    ASSEMBLYAI_KEY.encode(),
    OPENAI_KEY.encode(),
    b"ntn_sandbox",
    b"ntn_the_only_one",
    b"-----BEGIN PRIVATE KEY",
    b"client-secret",
)
"""Of the emulated services; some part of each."""
CONFIGURING = frozenset({".yaml", ".json"})

Way = Literal["natively", "by scope"]
Work = Coroutine[Any, Any, object]


class Interrupt(Protocol):
    """Cancels *work* at its n-th wait; says whether there was one."""

    async def __call__(self, work: Work, nth: int, way: Way) -> bool: ...


def pytest_addoption(parser: pytest.Parser) -> None:
    """Offer the long proofs."""
    parser.addoption("--proof", action="store_true", help="run the proofs of reliability in full, which takes hours")
    parser.addoption("--proof-seed", type=int, default=1, help="where the proofs begin to choose at random")


def pytest_configure() -> None:
    """Let the programs under test hear SIGHUP: under nohup they would inherit that nobody cares for it."""
    signal.signal(signal.SIGHUP, signal.SIG_DFL)


@pytest.fixture
def interrupt() -> Interrupt:
    """Cancel natively, as Textual cancels its workers, or by scope, as anyio cancels."""

    async def interrupted(work: Work, nth: int, way: Way) -> bool:
        waits = _Waits(work, nth)
        await (_natively(waits) if way == "natively" else _by_scope(waits))
        return waits.reached

    return interrupted


class _Waits:
    """Work whose waits are counted."""

    def __init__(self, work: Work, nth: int) -> None:
        self._work, self._nth = work, nth
        self.reached = False

    @types.coroutine
    def before(self, cancel: Callable[[], object]) -> Generator[object, object, object]:
        """Do the work, and call *cancel* when it is about to wait for the n-th time."""
        waits = 0
        step = partial(self._work.send, None)
        while True:
            try:
                waited_for = step()
            except StopIteration as done:
                return done.value
            waits += 1
            if waits == self._nth:
                self.reached = True
                cancel()
            try:
                answer = yield waited_for
            except BaseException as exc:  # noqa: BLE001  # the work's, to deal with as it would by itself
                step = partial(self._work.throw, exc)
            else:
                step = partial(self._work.send, answer)


async def _natively(waits: _Waits) -> None:
    async def work() -> None:
        await waits.before(lambda: task.cancel())

    task = asyncio.ensure_future(work())
    try:
        await task
    except asyncio.CancelledError:
        assert waits.reached


async def _by_scope(waits: _Waits) -> None:
    with anyio.CancelScope() as scope:
        await waits.before(scope.cancel)


@pytest.fixture(scope="session", autouse=True)
def _no_key_is_left_anywhere(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """When all is over: no file that any test or program wrote has a key in it, but those in which tests configure keys."""
    yield
    files = (file for file in tmp_path_factory.getbasetemp().rglob("*") if file.is_file() and not file.is_symlink())
    assert [str(file) for file in files if file.suffix not in CONFIGURING and _has_key(file.read_bytes())] == []


def _has_key(content: bytes) -> bool:
    return any(key in content for key in KEYS)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Fail a test during which a key was printed or logged."""
    report = yield
    told = "".join(text for _, text in report.sections)
    if report.outcome == "passed" and _has_key(told.encode()):
        report.outcome, report.longrepr = "failed", f"{item.nodeid}: a key was printed or logged"
    return report


@pytest.fixture(autouse=True)
def _nothing_blocks_the_event_loop() -> Iterator[None]:
    """Raise wherever the product blocks the loop that it runs on."""
    with blockbuster_ctx("focusflow", excluded_modules=["focusflow.sandbox", "focusflow.cli"]) as strict:
        for function in strict.functions.values():
            for file, names in MAY_BLOCK:
                function.can_block_in(file, names)
        yield
