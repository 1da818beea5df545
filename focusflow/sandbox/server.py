"""Where do the emulated services live? One server on loopback that logs, breaks and routes what it is asked."""

import hashlib
import ipaddress
import time
from collections.abc import Iterable, Sequence
from datetime import date
from types import TracebackType
from typing import Final, Self, TypeVar

from aiohttp import web
from aiohttp.typedefs import Handler, Middleware

from focusflow.sandbox.assemblyai import AssemblyAIService
from focusflow.sandbox.drive import DriveService
from focusflow.sandbox.faults import Fault, FaultPlan
from focusflow.sandbox.notion import NotionService
from focusflow.sandbox.openai import OpenAIService
from focusflow.sandbox.recordings import standard_recordings
from focusflow.sandbox.request_log import LoggedRequest, RequestLog
from focusflow.sandbox.service import Bill, Service, UnixClock
from focusflow.sandbox.tampering import TAMPERED_KINDS, reset, tamper

KEPT_BODY_TYPES: Final = frozenset({"application/json", "application/x-www-form-urlencoded"})
"""Bodies read up front, so that the log has them even if the handler never looks. The rest is streamed through."""

PROXY_PAGE: Final = (
    "<!DOCTYPE html>\n<html><head><title>Sign in to the network</title></head>"
    "<body><h1>Please sign in to continue</h1></body></html>\n"
)

AnyService = TypeVar("AnyService", bound=Service)


class Sandbox:
    """The services on one loopback port, while the context is open.

    Raise ValueError for a host that is not loopback: the emulators hold no secret worth serving to a network.
    """

    def __init__(
        self,
        services: Sequence[Service],
        *,
        faults: FaultPlan,
        log: RequestLog,
        port: int = 0,
        host: str = "127.0.0.1",
        clock: UnixClock = time.time,
        bill: Bill | None = None,
    ) -> None:
        if not ipaddress.ip_address(host).is_loopback:
            raise ValueError(f"the sandbox listens on loopback only, not on {host}")
        self.services = {service.name: service for service in services}
        self.faults = faults
        self.log = log
        self.bill = bill if bill is not None else Bill()
        """What `build_sandbox`'s services charged."""
        self._host, self._port, self._clock = host, port, clock
        self._runner: web.AppRunner | None = None
        self._root_url: str | None = None

    @property
    def root_url(self) -> str:
        """`http://127.0.0.1:PORT`, without a trailing slash; raise RuntimeError unless the sandbox is open."""
        if self._root_url is None:
            raise RuntimeError("the sandbox is not open")
        return self._root_url

    def url_of(self, name: str) -> str:
        """Where service *name* is mounted, for example `http://127.0.0.1:PORT/notion`."""
        return self.root_url + self.services[name].prefix

    @property
    def drive(self) -> DriveService:
        """The emulated Drive; raise LookupError if this sandbox has none."""
        return self._only(DriveService)

    @property
    def assemblyai(self) -> AssemblyAIService:
        """The emulated AssemblyAI; raise LookupError if this sandbox has none."""
        return self._only(AssemblyAIService)

    @property
    def openai(self) -> OpenAIService:
        """The emulated OpenAI; raise LookupError if this sandbox has none."""
        return self._only(OpenAIService)

    @property
    def notion(self) -> NotionService:
        """The emulated Notion; raise LookupError if this sandbox has none."""
        return self._only(NotionService)

    async def __aenter__(self) -> Self:
        application = web.Application(middlewares=[self._middleware()], client_max_size=64 * 1024 * 1024)
        application.add_routes(list(self._mounted_routes()))
        runner = web.AppRunner(
            application,
            handle_signals=False,
            handler_cancellation=True,  # a client that leaves ends its stalled or streaming handler
            access_log=None,
            shutdown_timeout=0.1,
        )
        await runner.setup()
        self._runner = runner
        try:
            await web.TCPSite(runner, self._host, self._port, reuse_address=True).start()
        except BaseException:
            await runner.cleanup()
            raise
        host, port = runner.addresses[0][:2]
        self._root_url = f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"
        for service in self.services.values():
            service.root_url = self._root_url
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        runner, self._runner, self._root_url = self._runner, None, None
        if runner is not None:
            await runner.cleanup()

    def _only(self, kind: type[AnyService]) -> AnyService:
        for service in self.services.values():
            if isinstance(service, kind):
                return service
        raise LookupError(f"this sandbox has no {kind.name}")

    def _mounted_routes(self) -> Iterable[web.RouteDef]:
        for service in self.services.values():
            for route in service.routes():
                yield web.RouteDef(route.method, service.prefix + route.path, route.handler, route.kwargs)

    def _service_at(self, path: str) -> Service | None:
        for service in self.services.values():
            if path == service.prefix or path.startswith(service.prefix + "/"):
                return service
        return None

    def _middleware(self) -> Middleware:
        @web.middleware
        async def recorded(request: web.Request, handler: Handler) -> web.StreamResponse:
            service = self._service_at(request.path)
            if service is None:
                raise web.HTTPNotFound
            return await self._serve(service, request, handler)

        return recorded

    async def _serve(self, service: Service, request: web.Request, handler: Handler) -> web.StreamResponse:
        entry = self._entry(service, request)
        fault = self.faults.take(service.name, entry.method, entry.path)
        entry.fault = fault.kind if fault else None
        try:
            await self._hear(request, entry)
            response = await self._answer(service, request, handler, fault)
        except web.HTTPException as refusal:
            response = service.fault_response(refusal.status, None)
        except ConnectionError:  # the client left, or a fault cut the line, while the handler was writing
            return web.Response(status=499)
        if fault is None or fault.kind not in ("reset_before", "reset_after"):
            self.log.answered(entry, response.status)
        return response

    async def _hear(self, request: web.Request, entry: LoggedRequest) -> None:
        try:
            if request.content_type in KEPT_BODY_TYPES and request.can_read_body:
                entry.body = await request.read()
        finally:
            self.log.record(entry)

    def _entry(self, service: Service, request: web.Request) -> LoggedRequest:
        return LoggedRequest(
            service=service.name,
            method=request.method,
            path=request.path.removeprefix(service.prefix),
            query=dict(request.query),
            headers={name.lower(): value for name, value in request.headers.items()},
            body=b"",
            at=self._clock(),
        )

    async def _answer(
        self, service: Service, request: web.Request, handler: Handler, fault: Fault | None
    ) -> web.StreamResponse:
        if fault is None:
            return await handler(request)
        if fault.kind in TAMPERED_KINDS:
            tamper(request, fault)
            return await handler(request)
        if fault.kind == "reset_before":
            await _receive(request, fault.bytes)
            reset(request.transport)
            return web.Response(status=499)
        if fault.kind == "bad_json":
            return _mangled(await handler(request))
        await request.release()  # a refused upload is still read to its end, or the client sees a reset instead
        if fault.kind == "html":
            return web.Response(text=PROXY_PAGE, content_type="text/html", status=fault.status or 200)
        assert fault.status is not None  # Fault checks it
        return service.fault_response(fault.status, fault.retry_after)


def build_sandbox(
    *,
    clock: UnixClock = time.time,
    seed: int = 0,
    speed: float = 1.0,
    port: int = 0,
    faults: FaultPlan | None = None,
    log: RequestLog | None = None,
    today: date | None = None,
    recordings: bool = True,
) -> Sandbox:
    """The four services with one bill and one fault plan, ready to be opened with `async with`.

    *speed* divides every emulated wait. With *recordings* the standard ones lie in Drive, dated *today* (default: the
    clock's day here) and the two days before, and AssemblyAI knows what is said in them.
    """
    plan = faults if faults is not None else FaultPlan(seed=seed)
    bill = Bill()
    drive = DriveService(clock=clock, bill=bill, faults=plan, seed=seed)
    assemblyai = AssemblyAIService(
        clock=clock,
        bill=bill,
        faults=plan,
        queued_seconds=0.2 / speed,
        processing_seconds=0.8 / speed,
        processing_per_audio_second=0.0005 / speed,
    )
    openai = OpenAIService(clock=clock, bill=bill, faults=plan, delta_seconds=0.002 / speed)
    notion = NotionService(clock=clock, bill=bill, faults=plan, seed=seed)
    if recordings:
        for recording in standard_recordings(today or date.fromtimestamp(clock())):
            drive.files.add_recording(recording)
            if recording.script_key is not None:
                assemblyai.register_audio(
                    hashlib.md5(recording.content, usedforsecurity=False).hexdigest(), recording.script_key
                )
    services = [drive, assemblyai, openai, notion]
    return Sandbox(
        services, faults=plan, log=log if log is not None else RequestLog(), port=port, clock=clock, bill=bill
    )


async def _receive(request: web.Request, wanted: int) -> None:
    while wanted > 0 and (chunk := await request.content.read(wanted)):
        wanted -= len(chunk)


def _mangled(response: web.StreamResponse) -> web.StreamResponse:
    """The answer's JSON cut in half, with headers that agree with what is left of it."""
    whole = response.body if isinstance(response, web.Response) and isinstance(response.body, bytes) else b""
    return web.Response(
        body=whole[: max(len(whole) // 2, 1)] or b"{", status=response.status, content_type="application/json"
    )
