"""What the Notion adapter's tests share: an emulated workspace behind real sockets, calls, and a clock turned by sleeping."""

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import anyio.lowlevel
import pytest

from focusflow.domain.jobs import Direction
from focusflow.domain.transcript import Transcript, Utterance
from focusflow.ports import Page
from focusflow.providers.notion import PropertyNames, open_notion
from focusflow.providers.notion.sink import NotionSink
from focusflow.providers.retry import RetryPolicy
from focusflow.sandbox.faults import FaultPlan
from focusflow.sandbox.notion import NotionService
from focusflow.sandbox.request_log import RequestLog
from focusflow.sandbox.server import Sandbox
from focusflow.sandbox.service import Bill

TOKEN = "ntn_the_only_one"
QUICK = RetryPolicy(attempts=3, first_wait=0.001, longest_wait=0.002, jitter=0.0, longest_pause=65.0)


@dataclass
class HandClock:
    """Time that passes only when somebody sleeps, or a test says so."""

    at: datetime = datetime(2026, 11, 23, 9, tzinfo=UTC)
    slept: list[float] = field(default_factory=list)

    def now(self) -> datetime:
        return self.at

    def monotonic(self) -> float:
        return self.at.timestamp()

    def unix(self) -> float:
        return self.at.timestamp()

    async def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.at += timedelta(seconds=seconds)
        await anyio.lowlevel.checkpoint()


@dataclass
class Note:
    """What the store keeps of a page for the sink."""

    memo: str | None = None
    commits: int = 0
    crash_at: int | None = None
    """The commit at which the process dies, that commit included."""

    async def remember(self, memo: str) -> None:
        await anyio.lowlevel.checkpoint()
        self.commits += 1
        if self.commits == self.crash_at:
            raise Crash
        self.memo = memo


class Crash(Exception):
    """The process died here."""


@dataclass
class World:
    """A workspace with a database for calls, and the server in front of it."""

    service: NotionService
    faults: FaultPlan
    log: RequestLog
    clock: HandClock
    url: str
    database_id: str

    def sink(self, **options: Any) -> AbstractAsyncContextManager[NotionSink]:
        """A sink of a process that has just started."""
        given: dict[str, Any] = {"api_key": TOKEN, "database_id": self.database_id, "base_url": self.url}
        usual: dict[str, Any] = {"clock": self.clock, "requests_per_minute": 100_000, "retry": QUICK, "timeout": 5.0}
        return open_notion(**(given | usual | options))

    async def fill(self, ref: str, page: Page, note: Note, **options: Any) -> None:
        """Fill the page in a process of its own."""
        async with self.sink(**options) as sink:
            await sink.fill(ref, page, memo=note.memo, remember=note.remember)

    def only_page(self) -> dict[str, Any]:
        (page,) = self.service.pages()
        return page

    def text(self, page_id: str | None = None) -> str:
        return self.service.page_text(page_id or self.only_page()["id"])

    def writes(self) -> list[str]:
        """The writing requests so far, as `METHOD path`."""
        return [
            f"{entry.method} {entry.path}"
            for entry in self.log
            if entry.method != "GET" and not entry.path.endswith("/query")
        ]


@pytest.fixture
def clock() -> HandClock:
    return HandClock()


@pytest.fixture
async def world(clock: HandClock) -> AsyncIterator[World]:
    faults, log = FaultPlan(), RequestLog()
    service = NotionService(clock=clock.unix, bill=Bill(), faults=faults, tokens={TOKEN}, requests_per_window=1_000_000)
    async with Sandbox([service], faults=faults, log=log, clock=clock.unix) as sandbox:
        yield World(
            service=service,
            faults=faults,
            log=log,
            clock=clock,
            url=sandbox.url_of("notion"),
            database_id=service.create_focusflow_database(),
        )


@pytest.fixture
def note() -> Note:
    return Note()


@pytest.fixture
def new_note() -> Callable[..., Note]:
    return Note


@pytest.fixture
def crash() -> type[Exception]:
    return Crash


@pytest.fixture
def names() -> type[PropertyNames]:
    return PropertyNames


SUMMARY = """# Quote for forty chairs

Ann asks for **forty** chairs by *Friday*.

## To do

- [ ] Send the quote
- [x] Check the stock
  - north hall
  - south hall
    - shelf nine

| Item | Price |
|------|-------|
| Chair | 49 |

> We need them on Friday.

See [the catalogue](https://example.com/catalogue).
"""


@pytest.fixture
def a_call() -> Callable[..., Page]:
    """Build a page with a summary of every kind of block and a transcript of so many (*long*: 10 KB each) turns."""

    def build(*, turns: int = 6, long: bool = False, summary: str = SUMMARY, **changes: Any) -> Page:
        more = " and so on" * 1000 if long else ""
        return Page(**(_USUAL | {"summary_markdown": summary, "transcript": _transcript(turns, more)} | changes))

    return build


_USUAL: dict[str, Any] = {
    "key": "drive:1AbC",
    "title": "Quote for forty chairs",
    "contact_name": "Ann Lee",
    "contact_number": "+49 30 1234567",
    "direction": Direction.INCOMING,
    "call_type": "Phone",
    "call_at": datetime(2026, 7, 4, 7, 8, 9, tzinfo=UTC),
    "time_zone": "Europe/Berlin",
    "duration_seconds": 754.0,
    "web_url": "https://drive.google.com/file/d/1AbC/view",
    "file_name": "2026-07-04 09-08-09 (phone) Ann Lee (+49301234567) ↙.m4a",
    "language": "en",
}


def _transcript(turns: int, more: str) -> Transcript:
    utterances = tuple(
        Utterance(
            speaker="AB"[index % 2],
            start_ms=index * 4000,
            end_ms=index * 4000 + 3900,
            text=f"This is what was said in turn {index}, and a little more of it so that it is a sentence{more}.",
        )
        for index in range(turns)
    )
    return Transcript(
        text=" ".join(utterance.text for utterance in utterances),
        utterances=utterances,
        language="en",
        duration_seconds=754.0,
        model="universal",
        speakers={"A": "Ann Lee"},
    )
