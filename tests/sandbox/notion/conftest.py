"""What the Notion emulator's tests share: the service behind real sockets, and the vendor's SDK in front of them."""

import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import UTC, datetime
from typing import Any, Protocol

import pytest
from notion_client import AsyncClient
from notion_client.errors import HTTPResponseError

from focusflow.sandbox.faults import FaultPlan
from focusflow.sandbox.notion import NotionService
from focusflow.sandbox.request_log import RequestLog
from focusflow.sandbox.server import Sandbox
from focusflow.sandbox.service import Bill, UnixClock

TOKEN = "ntn_the_only_one"


class Clock(Protocol):
    now: float

    def __call__(self) -> float: ...


@pytest.fixture
def clock(clock: Clock) -> Clock:
    """The sandbox's hand-turned clock, on a minute that the tests can name."""
    clock.now = datetime(2026, 11, 23, 9, tzinfo=UTC).timestamp()
    return clock


@pytest.fixture
def service(clock: UnixClock, bill: Bill, faults: FaultPlan) -> NotionService:
    return NotionService(clock=clock, bill=bill, faults=faults, tokens={TOKEN, "ntn_another"})


@pytest.fixture
async def base_url(service: NotionService, faults: FaultPlan, log: RequestLog, clock: UnixClock) -> AsyncIterator[str]:
    async with Sandbox([service], faults=faults, log=log, clock=clock) as sandbox:
        yield sandbox.url_of("notion")


@pytest.fixture
async def connect(base_url: str) -> AsyncIterator[Callable[..., AsyncClient]]:
    """Open the SDK with another token or version; closed at the end."""
    opened: list[AsyncClient] = []

    def open_client(*, auth: str | None = TOKEN, notion_version: str = "2026-03-11") -> AsyncClient:
        client = AsyncClient(
            auth=auth,
            base_url=base_url,
            notion_version=notion_version,
            retry=False,
            logger=logging.getLogger("tests.notion"),
        )
        opened.append(client)
        return client

    yield open_client
    for client in opened:
        await client.aclose()


@pytest.fixture
def client(connect: Callable[..., AsyncClient]) -> AsyncClient:
    return connect()


@pytest.fixture
def old_client(connect: Callable[..., AsyncClient]) -> AsyncClient:
    return connect(notion_version="2025-09-03")


@pytest.fixture
def database_id(service: NotionService) -> str:
    return service.create_focusflow_database()


@pytest.fixture
def source_id(service: NotionService, database_id: str) -> str:
    return service.data_source_id(database_id)


@pytest.fixture
def refusal() -> Callable[[Any], Awaitable[HTTPResponseError]]:
    """Await a call that must be refused, and return the SDK's error."""

    async def refused(call: Any) -> HTTPResponseError:
        with pytest.raises(HTTPResponseError) as caught:
            await call
        return caught.value

    return refused


@pytest.fixture
def new_page(client: AsyncClient, source_id: str) -> Callable[..., Awaitable[Any]]:
    """Create a row titled so, with more properties and with blocks."""

    async def create(title: str = "A call", *, children: list[Any] | None = None, **properties: Any) -> Any:
        body: dict[str, Any] = {} if children is None else {"children": children}
        titled = {"Title": {"title": [{"text": {"content": title}}]}, **properties}
        return await client.pages.create(
            parent={"type": "data_source_id", "data_source_id": source_id}, properties=titled, **body
        )

    return create
