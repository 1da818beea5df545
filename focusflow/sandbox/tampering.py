"""How does an answer go wrong on its way to the client? Resets, cuts, stalls and dribbles, at the connection itself."""

from __future__ import annotations

import asyncio
import contextlib
import math
import socket
import struct
from typing import TYPE_CHECKING

import anyio
from aiohttp.http import StreamWriter

if TYPE_CHECKING:
    from aiohttp import web

    from focusflow.sandbox.faults import Fault

    Chunk = bytes | bytearray | memoryview[int] | memoryview[bytes]

TAMPERED_KINDS = frozenset({"reset_after", "truncate", "stall", "dribble", "eof"})

_LINGER_ZERO = struct.pack("ii", 1, 0)


def reset(transport: asyncio.BaseTransport | None) -> None:
    """Drop the connection with a TCP reset, unsent bytes included."""
    if not isinstance(transport, asyncio.WriteTransport):
        return
    connection = transport.get_extra_info("socket")
    if connection is not None:
        with contextlib.suppress(OSError):  # the peer closed first
            # a plain abort sends a polite FIN when nothing is left unread
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _LINGER_ZERO)
    transport.abort()


def tamper(request: web.Request, fault: Fault) -> None:
    """Make the answer to *request*, buffered or streamed, suffer *fault* (one of `TAMPERED_KINDS`)."""
    # aiohttp offers no hook between a handler and its socket; a test holds this one name
    request._payload_writer = _TamperingWriter(request, fault)


class _TamperingWriter(StreamWriter):
    """aiohttp's own writer, except for what the fault does to the body."""

    def __init__(self, request: web.Request, fault: Fault) -> None:
        super().__init__(request.protocol, asyncio.get_running_loop())
        self._fault = fault
        self._intact = fault.bytes
        self._stalled = False
        self._ended = False

    def send_headers(self) -> None:
        """Called by a streaming answer at once, so the earliest faults have to act here."""
        if self._fault.kind == "reset_after":
            reset(self.transport)
        if self._fault.kind != "stall" or self._fault.bytes or self._stalled:
            super().send_headers()

    async def write(self, chunk: Chunk, *, drain: bool = True, LIMIT: int = 0x10000) -> None:
        match self._fault.kind:
            case "reset_after":
                reset(self.transport)
                await super().write(chunk)  # raises, as on any lost connection
            case "truncate":
                await self._write_intact(chunk)
                self._hang_up()
            case "eof":
                await self._write_intact(chunk)
                await self._end_cleanly()
            case "stall":
                rest = await self._write_intact(chunk)
                await self._stall()
                await self._pass_on(rest)
            case "dribble":
                await self._dribble(chunk)

    async def write_eof(self, chunk: bytes = b"") -> None:
        if self._ended:
            return
        if chunk or self._fault.kind in ("reset_after", "truncate"):
            await self.write(chunk)
        await super().write_eof()

    async def _write_intact(self, chunk: Chunk) -> Chunk:
        """Send what the fault lets through; return the rest."""
        if self._ended:
            return b""
        intact, rest = chunk[: self._intact], chunk[self._intact :]
        self._intact -= len(intact)
        await self._pass_on(intact)
        return rest

    async def _pass_on(self, chunk: Chunk) -> None:
        if chunk:
            await super().write(chunk)

    def _hang_up(self) -> None:
        if self._intact == 0 and self.transport is not None and not self.transport.is_closing():
            self.send_headers()
            self.transport.close()

    async def _end_cleanly(self) -> None:
        if self._intact == 0 and not self._ended:
            self._ended = True
            self.send_headers()
            await super().write_eof()

    async def _stall(self) -> None:
        if self._intact == 0 and not self._stalled:
            self._stalled = True
            if self._fault.bytes:
                self.send_headers()
            # for ever ends when the client leaves: the server cancels the handler
            await anyio.sleep(math.inf if self._fault.seconds is None else self._fault.seconds)

    async def _dribble(self, chunk: Chunk) -> None:
        size = self._fault.bytes or 1024
        pause = 0.05 if self._fault.seconds is None else self._fault.seconds
        for start in range(0, len(chunk), size):
            await super().write(chunk[start : start + size])
            await anyio.sleep(pause)
