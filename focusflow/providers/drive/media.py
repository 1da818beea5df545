"""How does a file's content get here? Streamed by aiohttp, resumed where it broke off, in constant memory."""

import re
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from functools import partial
from typing import Final, TypeVar
from urllib.parse import quote

import aiohttp
import anyio

from focusflow.errors import Permanent
from focusflow.providers.drive.auth import AccessTokens
from focusflow.providers.drive.refusals import DriveRefused, Trouble, Wording, refusal
from focusflow.providers.part_file import PartFile
from focusflow.providers.retry import Retrying

PIECE_BYTES: Final = 256 * 1024
BATCH_BYTES: Final = 1024 * 1024
"""Written at once: each write is a trip to a thread."""
HEADWAY_BYTES: Final = 64 * 1024
"""A broken download that got this much further is not a failed attempt."""
REFUSAL_BYTES: Final = 64 * 1024
RECORDING: Final = "The recording"

T = TypeVar("T")
Progress = Callable[[int, int | None], None]


class DriveMedia:
    """Content of files, by their id. Raises only our own errors, worded for a person."""

    def __init__(
        self,
        *,
        session: Callable[[], aiohttp.ClientSession],
        tokens: AccessTokens,
        retrying: Retrying,
        wording: Wording,
        base_url: str,
        connect_timeout: float,
        read_timeout: float,
    ) -> None:
        self._session, self._tokens, self._retrying, self._wording = session, tokens, retrying, wording
        self._files_url = base_url.rstrip("/") + "/files/"
        self._timeout = aiohttp.ClientTimeout(
            total=None, connect=connect_timeout, sock_connect=connect_timeout, sock_read=read_timeout
        )

    async def read_start(self, file_id: str, *, limit: int, subject: str) -> bytes:
        """Return the first *limit* bytes of a file."""

        async def read(token: str) -> bytes:
            async with self._asked(file_id, token) as answer:
                await _check_success(answer)
                content = bytearray()
                async for piece in answer.content.iter_chunked(PIECE_BYTES):
                    content += piece
                    if len(content) >= limit:
                        answer.close()
                        break
                return bytes(content[:limit])

        return await self._patiently(read, subject)

    async def fetch(self, file_id: str, part: PartFile, progress: Progress) -> None:
        """Go on filling *part* until it is whole. A break with some headway does not count as a failure."""
        furthest = part.size
        whole = False
        while not whole:
            before = max(furthest, part.size)
            whole = await self._patiently(partial(self._fetch_on, file_id, part, progress, before), RECORDING)
            furthest = max(before, part.size)

    async def _patiently(self, ask: Callable[[str], Awaitable[T]], subject: str) -> T:
        async def attempt() -> T:
            try:
                return await self._tokens.authorized(ask)
            except DriveRefused as refused:
                raise self._wording.of(refused, subject) from refused

        return await self._retrying(attempt, slow_after=None)

    async def _fetch_on(self, file_id: str, part: PartFile, progress: Progress, furthest: int, token: str) -> bool:
        """Return True when *part* is whole, False when it broke off with headway beyond *furthest*."""
        try:
            async with self._asked(file_id, token, start=part.size) as answer:
                total = await _agreed_total(answer, part)
                if total == 0:
                    raise Permanent("The recording is empty: put it there again and retry, or skip it.")
                if answer.status != 416:
                    await _pour(answer, part, total, progress)
        except DriveRefused as refused:
            if refused.trouble is not Trouble.SILENT or part.size < furthest + HEADWAY_BYTES:
                raise
            return False
        return True

    @asynccontextmanager
    async def _asked(self, file_id: str, token: str, *, start: int = 0) -> AsyncIterator[aiohttp.ClientResponse]:
        headers = {"Authorization": f"Bearer {token}", "Accept-Encoding": "identity"}
        if start:
            headers["Range"] = f"bytes={start}-"
        try:
            async with self._session().get(
                self._files_url + quote(file_id, safe=""),
                params={"alt": "media", "supportsAllDrives": "true"},
                headers=headers,
                timeout=self._timeout,
            ) as answer:
                yield answer
        except TimeoutError as exc:
            raise DriveRefused(Trouble.SILENT, "no data for too long") from exc
        except (aiohttp.ClientError, OSError) as exc:
            raise DriveRefused(Trouble.SILENT, str(exc) or type(exc).__name__) from exc


async def _check_success(answer: aiohttp.ClientResponse) -> None:
    if answer.status >= 400:
        body = await answer.content.read(REFUSAL_BYTES)
        raise refusal(answer.status, answer.headers, body, now=datetime.now(UTC))
    if answer.status not in (200, 206) or answer.content_type == "text/html":
        raise DriveRefused(Trouble.FOREIGN, "its answer is a web page, not the file")


async def _agreed_total(answer: aiohttp.ClientResponse, part: PartFile) -> int | None:
    """Return the whole file's size, having made sure that the answer goes on exactly where *part* ends."""
    if answer.status == 416:
        total = _size_beyond(answer.headers)
        if total == part.size:
            return total
        await _in_thread(part.restart)
        raise DriveRefused(Trouble.SILENT, "the file has become shorter")
    await _check_success(answer)
    if answer.status == 200:
        if part.size:
            await _in_thread(part.restart)  # the server does not do ranges, or did not like this one
        return answer.content_length
    start, total = _range_of(answer.headers)
    if start != part.size:
        await _in_thread(part.restart)
        raise DriveRefused(Trouble.SILENT, "it sent another piece of the file than we asked for")
    return total


async def _pour(answer: aiohttp.ClientResponse, part: PartFile, total: int | None, progress: Progress) -> None:
    """Write what comes, in batches; what came before a break is kept."""
    batch: list[bytes] = []
    waiting = 0
    try:
        async for piece in answer.content.iter_chunked(PIECE_BYTES):
            batch.append(piece)
            waiting += len(piece)
            if waiting >= BATCH_BYTES:
                await _in_thread(partial(part.append, batch))
                progress(part.size, total)
                batch, waiting = [], 0
    except (aiohttp.ClientError, OSError):
        await _in_thread(partial(part.append, batch))
        raise
    await _in_thread(partial(part.append, batch))
    progress(part.size, total)
    if total is not None and part.size != total:
        raise DriveRefused(Trouble.SILENT, f"the file broke off after {part.size} of {total} bytes")


def _range_of(headers: Mapping[str, str]) -> tuple[int | None, int | None]:
    """Return where a 206 begins, and the whole file's size."""
    match = re.fullmatch(r"bytes (\d+)-\d+/(\d+|\*)", headers.get("Content-Range", ""))
    if match is None:
        return None, None
    return int(match[1]), None if match[2] == "*" else int(match[2])


def _size_beyond(headers: Mapping[str, str]) -> int | None:
    """Return the file's size as a 416 tells it."""
    match = re.fullmatch(r"bytes \*/(\d+)", headers.get("Content-Range", ""))
    return int(match[1]) if match else None


async def _in_thread(function: Callable[[], None]) -> None:
    await anyio.to_thread.run_sync(function)
