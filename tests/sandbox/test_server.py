"""The server logs, breaks and routes requests the way clients will meet it: over real sockets."""

import asyncio
import io
import json
from collections.abc import AsyncIterator, Iterable

import aiohttp
import anyio
import pytest
from aiohttp import web

from focusflow.sandbox.faults import Fault, FaultPlan
from focusflow.sandbox.request_log import BODY_LIMIT, LoggedRequest, RequestLog
from focusflow.sandbox.server import Sandbox
from focusflow.sandbox.service import Bill, Service, UnixClock

BODY = {"greeting": "hello", "padding": "x" * 200}


class Greeter(Service):
    """A service with one buffered answer, one event stream, one upload and a record of what it did."""

    name = "greeter"
    prefix = "/greeter"

    def __init__(self, *, clock: UnixClock, bill: Bill) -> None:
        super().__init__(clock=clock, bill=bill)
        self.done: list[str] = []
        self.cancelled = asyncio.Event()
        self.uploaded = 0

    def routes(self) -> Iterable[web.RouteDef]:
        return [
            web.get("/hello", self.hello),
            web.post("/hello", self.hello),
            web.get("/events", self.events),
            web.post("/events", self.events),
            web.post("/upload", self.upload),
            web.get("/people/{name}", self.hello),
        ]

    def fault_response(self, status: int, retry_after: float | None) -> web.Response:
        headers = {} if retry_after is None else {"Retry-After": str(retry_after)}
        return web.json_response({"oops": status}, status=status, headers=headers)

    async def hello(self, request: web.Request) -> web.Response:
        self.done.append(request.path)
        return web.json_response(BODY)

    async def events(self, request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
        await response.prepare(request)
        for number in range(5):
            await response.write(f"data: {number}\n\n".encode())
        await response.write_eof()
        self.done.append("events")
        return response

    async def upload(self, request: web.Request) -> web.Response:
        async for chunk in request.content.iter_chunked(65536):
            self.uploaded += len(chunk)
        return web.json_response({"bytes": self.uploaded})


@pytest.fixture
def greeter(clock: UnixClock, bill: Bill) -> Greeter:
    return Greeter(clock=clock, bill=bill)


@pytest.fixture
async def sandbox(greeter: Greeter, faults: FaultPlan, log: RequestLog) -> AsyncIterator[Sandbox]:
    async with Sandbox([greeter], faults=faults, log=log) as running:
        yield running


def test_only_loopback_is_served(faults: FaultPlan, log: RequestLog) -> None:
    """An emulator never becomes a network service by a slip of configuration."""
    with pytest.raises(ValueError, match="loopback"):
        Sandbox([], faults=faults, log=log, host="0.0.0.0")  # noqa: S104  # is refused


async def test_a_request_is_routed_below_its_prefix_and_logged(
    sandbox: Sandbox, session: aiohttp.ClientSession, log: RequestLog, greeter: Greeter
) -> None:
    """The log holds method, path below the prefix, query, headers, body and the status answered."""
    async with session.post(
        f"{sandbox.root_url}/greeter/hello?a=1", json={"who": "Ann"}, headers={"X-Token": "t"}
    ) as answer:
        assert await answer.json() == BODY
    (entry,) = log.requests("greeter")
    assert (entry.method, entry.path, entry.query, entry.status) == ("POST", "/hello", {"a": "1"}, 200)
    assert entry.headers["x-token"] == "t"
    assert entry.json() == {"who": "Ann"}
    assert greeter.root_url == sandbox.root_url


async def test_an_unknown_path_is_refused_in_the_services_own_words(
    sandbox: Sandbox, session: aiohttp.ClientSession, log: RequestLog
) -> None:
    """Also unknown endpoints answer with a body the vendor's SDK can read; foreign prefixes are a plain 404."""
    async with session.get(f"{sandbox.root_url}/greeter/nothing") as answer:
        assert (answer.status, await answer.json()) == (404, {"oops": 404})
    async with session.get(f"{sandbox.root_url}/elsewhere") as answer:
        assert answer.status == 404
    assert [entry.status for entry in log] == [404]


async def test_a_streamed_upload_is_not_buffered_by_the_log(
    sandbox: Sandbox, session: aiohttp.ClientSession, log: RequestLog
) -> None:
    """Binary bodies pass through to the handler; JSON bodies are kept, at most 64 KiB of them."""

    async def audio() -> AsyncIterator[bytes]:
        for _ in range(100):
            yield bytes(65536)

    async with session.post(f"{sandbox.root_url}/greeter/upload", data=audio()) as answer:
        assert await answer.json() == {"bytes": 6_553_600}
    async with session.post(f"{sandbox.root_url}/greeter/hello", json={"big": "x" * 100_000}) as answer:
        assert answer.status == 200
    assert [len(entry.body) for entry in log] == [0, BODY_LIMIT]


async def test_a_status_fault_refuses_without_running_the_handler(
    sandbox: Sandbox, session: aiohttp.ClientSession, faults: FaultPlan, greeter: Greeter
) -> None:
    """The refusal carries Retry-After, happens as often as planned and only where planned."""
    faults.add(Fault(service="greeter", path="^/hello", kind="status", status=429, retry_after=7, times=2, skip=1))
    seen = []
    for _ in range(4):
        async with session.get(f"{sandbox.root_url}/greeter/hello") as answer:
            seen.append((answer.status, answer.headers.get("Retry-After")))
    assert seen == [(200, None), (429, "7"), (429, "7"), (200, None)]
    assert len(greeter.done) == 2
    assert faults.pending == []


@pytest.mark.parametrize(("kind", "done"), [("reset_before", 0), ("reset_after", 1)])
async def test_a_reset_loses_the_answer_with_or_without_the_effect(
    sandbox: Sandbox,
    session: aiohttp.ClientSession,
    faults: FaultPlan,
    greeter: Greeter,
    log: RequestLog,
    kind: str,
    done: int,
) -> None:
    """The client sees the same reset; only the service knows whether anything happened."""
    faults.add(Fault(service="greeter", kind=kind))
    with pytest.raises(aiohttp.ClientConnectionError):
        await session.post(f"{sandbox.root_url}/greeter/hello", json={})
    assert len(greeter.done) == done
    (entry,) = log.requests()
    assert (entry.status, entry.fault) == (None, kind)


async def test_a_reset_is_a_real_tcp_reset(sandbox: Sandbox, faults: FaultPlan) -> None:
    """Clients tell ECONNRESET from a polite close, so the fault must not send a FIN."""
    faults.add(Fault(service="greeter", kind="reset_before"))
    reader, writer = await asyncio.open_connection("127.0.0.1", int(sandbox.root_url.rsplit(":", 1)[1]))
    writer.write(b"GET /greeter/hello HTTP/1.1\r\nHost: x\r\n\r\n")
    with pytest.raises(ConnectionResetError):
        await reader.read()
    writer.close()


async def test_an_event_stream_reset_after_loses_everything(
    sandbox: Sandbox, session: aiohttp.ClientSession, faults: FaultPlan
) -> None:
    """A streaming handler's answer is lost before its first byte, too."""
    faults.add(Fault(service="greeter", kind="reset_after"))
    with pytest.raises(aiohttp.ClientConnectionError):
        await session.post(f"{sandbox.root_url}/greeter/events")


@pytest.mark.parametrize("path", ["hello", "events"])
@pytest.mark.parametrize("size", [0, 12])
async def test_a_truncated_answer_delivers_its_head_and_then_fails(
    sandbox: Sandbox, session: aiohttp.ClientSession, faults: FaultPlan, path: str, size: int
) -> None:
    """Buffered and streamed bodies alike stop after the planned bytes, and the client can tell."""
    faults.add(Fault(service="greeter", kind="truncate", bytes=size))
    received = bytearray()

    async def read_all() -> None:
        async with session.get(f"{sandbox.root_url}/greeter/{path}") as answer:
            async for chunk in answer.content.iter_any():
                received.extend(chunk)

    with pytest.raises(aiohttp.ClientPayloadError):
        await read_all()
    assert len(received) == size


async def test_an_event_stream_can_end_early_yet_cleanly(
    sandbox: Sandbox, session: aiohttp.ClientSession, faults: FaultPlan, greeter: Greeter
) -> None:
    """`eof` is the nastiest cut: HTTP says all is well, the stream simply has no end marker."""
    faults.add(Fault(service="greeter", kind="eof", bytes=18))
    async with session.get(f"{sandbox.root_url}/greeter/events") as answer:
        assert await answer.read() == b"data: 0\n\ndata: 1\n\n"
    async with session.get(f"{sandbox.root_url}/greeter/hello") as answer:
        assert await answer.json() == BODY
    assert greeter.done == ["events", "/greeter/hello"]


@pytest.mark.parametrize("size", [0, 10])
async def test_a_stalled_answer_outlasts_the_clients_patience(
    sandbox: Sandbox, session: aiohttp.ClientSession, faults: FaultPlan, greeter: Greeter, size: int
) -> None:
    """The effect is done, the answer hangs, and leaving does not leave a handler behind."""
    faults.add(Fault(service="greeter", kind="stall", bytes=size))
    with pytest.raises(TimeoutError), anyio.fail_after(0.2):
        async with session.get(f"{sandbox.root_url}/greeter/hello") as answer:
            await answer.read()
    assert greeter.done == ["/greeter/hello"]
    async with session.get(f"{sandbox.root_url}/greeter/hello") as answer:
        assert await answer.json() == BODY


async def test_a_short_stall_and_a_dribble_only_delay(
    sandbox: Sandbox, session: aiohttp.ClientSession, faults: FaultPlan
) -> None:
    """Slow is not wrong: the whole answer arrives."""
    faults.add(
        Fault(service="greeter", kind="stall", seconds=0.01, bytes=5),
        Fault(service="greeter", kind="dribble", seconds=0.001, bytes=16),
    )
    for _ in range(2):
        async with session.get(f"{sandbox.root_url}/greeter/hello") as answer:
            assert await answer.json() == BODY
    assert faults.pending == []


async def test_a_mangled_answer_has_the_effect_and_no_parseable_body(
    sandbox: Sandbox, session: aiohttp.ClientSession, faults: FaultPlan, greeter: Greeter
) -> None:
    """Status 200, matching length, JSON content type, invalid JSON."""
    faults.add(Fault(service="greeter", kind="bad_json"))
    async with session.get(f"{sandbox.root_url}/greeter/hello") as answer:
        assert (answer.status, answer.content_type) == (200, "application/json")
        with pytest.raises(json.JSONDecodeError):
            await answer.json()
    assert len(greeter.done) == 1


async def test_a_proxy_page_answers_instead_of_the_service(
    sandbox: Sandbox, session: aiohttp.ClientSession, faults: FaultPlan, greeter: Greeter
) -> None:
    """A captive portal says 200 and sends HTML; an edge says 502 and sends HTML."""
    faults.add(Fault(service="greeter", kind="html"), Fault(service="greeter", kind="html", status=502))
    for status in (200, 502):
        async with session.get(f"{sandbox.root_url}/greeter/hello") as answer:
            assert (answer.status, answer.content_type) == (status, "text/html")
    assert greeter.done == []


async def test_an_upload_can_be_reset_halfway(
    sandbox: Sandbox, session: aiohttp.ClientSession, faults: FaultPlan, greeter: Greeter
) -> None:
    """`reset_before` with bytes cuts the line while the client is still sending; the handler never runs."""
    faults.add(Fault(service="greeter", kind="reset_before", bytes=100_000))
    with pytest.raises(aiohttp.ClientConnectionError):
        await session.post(f"{sandbox.root_url}/greeter/upload", data=io.BytesIO(bytes(5_000_000)))
    assert greeter.uploaded == 0


async def test_closing_the_sandbox_ends_stalled_answers(greeter: Greeter, faults: FaultPlan, log: RequestLog) -> None:
    """A forgotten stall must not hang a test's teardown or the demo's quit."""
    faults.add(Fault(service="greeter", kind="stall"))

    async def ask(url: str) -> None:
        with pytest.raises(aiohttp.ClientConnectionError):
            async with aiohttp.ClientSession() as client:
                await client.get(url)

    with anyio.fail_after(5):
        async with anyio.create_task_group() as tasks, Sandbox([greeter], faults=faults, log=log) as sandbox:
            tasks.start_soon(ask, f"{sandbox.root_url}/greeter/hello")
            while not greeter.done:
                await anyio.lowlevel.checkpoint()
    with pytest.raises(RuntimeError):
        _ = sandbox.root_url


def test_the_log_is_bounded_in_number_and_bytes(clock: UnixClock) -> None:
    """Weeks of demo do not fill the memory."""
    log = RequestLog(max_entries=10, max_bytes=1000)
    for number in range(100):
        log.record(
            LoggedRequest(
                service="s", method="POST", path=f"/{number}", query={}, headers={}, body=bytes(300), at=clock()
            )
        )
    assert [entry.path for entry in log] == ["/97", "/98", "/99"]
    assert (log.total, len(log), log.count("s", path="98")) == (100, 3, 1)
