"""What is Google Drive to the rest of the program? A source of recordings, put together from the parts in this package."""

from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self

import aiohttp
import anyio

from focusflow.errors import Held, SourceError, StepError, Transient
from focusflow.ports import Clock, Downloaded, SourcePage
from focusflow.providers.drive.auth import AccessTokens
from focusflow.providers.drive.calls import DriveCalls
from focusflow.providers.drive.media import RECORDING, DriveMedia
from focusflow.providers.drive.refusals import Wording
from focusflow.providers.drive.walk import Walk
from focusflow.providers.health import Health, Tell, nobody
from focusflow.providers.part_file import PartFile, finished
from focusflow.providers.retry import Retrying, RetryPolicy, SharedPause

VERSIONS: Final = 3
"""How often a recording may turn out to be another one before we leave it for later."""
THREADS: Final = 6


class DriveSource:
    """Recordings in a Google Drive folder and the folders in it, on shared drives too.

    Nothing is asked of Google, and nothing heavy imported, before the first call. All times are in seconds.
    """

    name = "drive"

    def __init__(
        self,
        *,
        credentials: Mapping[str, Any],
        folder_id: str,
        clock: Clock,
        base_url: str = "https://www.googleapis.com/drive/v3",
        token_uri: str | None = None,
        credentials_name: str = "GOOGLE_SERVICE_ACCOUNT_KEY",
        page_size: int = 1000,
        policy: RetryPolicy = RetryPolicy(),  # noqa: B008 - frozen
        call_deadline: float = 60.0,
        connect_timeout: float = 10.0,
        read_timeout: float = 60.0,
        download_deadline: float = 6 * 3600.0,
        session: aiohttp.ClientSession | None = None,
        tell: Tell = nobody,
    ) -> None:
        """*credentials*: a service account's key, or `client_id`, `client_secret` and `refresh_token`.

        *token_uri* overrides the one in the key. A *session* that is passed in is used for downloads and left open.
        """
        limiter = anyio.CapacityLimiter(THREADS)
        tokens = AccessTokens(credentials, token_uri=token_uri, deadline=call_deadline, limiter=limiter)
        health = Health("drive", clock=clock, tell=tell)
        retrying = Retrying(SharedPause("Google Drive", clock=clock, policy=policy, health=health), policy)
        wording = Wording(account=tokens.account, credentials_name=credentials_name, folder_id=folder_id)
        self._calls = DriveCalls(
            tokens=tokens,
            retrying=retrying,
            wording=wording,
            base_url=base_url,
            page_size=page_size,
            deadline=call_deadline,
            limiter=limiter,
        )
        self._walk = Walk(self._calls, folder_id=folder_id, wording=wording)
        self._media = DriveMedia(
            session=self._opened_session,
            tokens=tokens,
            retrying=retrying,
            wording=wording,
            base_url=base_url,
            connect_timeout=connect_timeout,
            read_timeout=read_timeout,
        )
        self._download_deadline = download_deadline
        self._session, self._own_session = session, session is None

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.aclose()

    async def aclose(self) -> None:
        """Close every connection. Closing twice is fine."""
        self._calls.close()
        session, self._session = self._session, None
        if session is not None and self._own_session:
            await session.close()

    def _opened_session(self) -> aiohttp.ClientSession:
        if self._session is None:
            self._session, self._own_session = aiohttp.ClientSession(trust_env=True), True
        return self._session

    def pages(self, cursor: str | None) -> AsyncIterator[SourcePage]:
        """Yield everything in the folder (None) or what changed since *cursor*; see `ports.Source`."""
        return self._walk.pages(cursor)

    async def read_small(self, file_id: str, *, limit: int = 65_536) -> bytes:
        """Return a small file's content, at most *limit* bytes. Raises `Permanent` when it is gone, else `Transient`."""
        try:
            return await self._media.read_start(file_id, limit=limit, subject="The file")
        except Held as exc:
            raise Transient(str(exc), retry_after=exc.retry_after) from exc

    async def download(
        self, file_id: str, target: Path, *, expected_md5: str | None, progress: Callable[[int, int | None], None]
    ) -> Downloaded:
        """Stream the recording to *target*; see `ports.Source`. An interrupted one is kept beside it and resumed."""
        md5 = expected_md5.lower() if expected_md5 else await self._current_md5(file_id)
        done = await anyio.to_thread.run_sync(finished, target)
        if done is not None and done.md5 == md5:
            return done
        part = PartFile(target)
        try:
            with anyio.fail_after(self._download_deadline):
                await anyio.to_thread.run_sync(part.open)
                await self._fetch_verified(file_id, part, md5, progress)
            return await anyio.to_thread.run_sync(part.finish)
        except TimeoutError as exc:
            raise Transient(f"The download took longer than {self._download_deadline:g} seconds.") from exc
        finally:
            with anyio.CancelScope(shield=True):
                await anyio.to_thread.run_sync(part.close)

    async def _fetch_verified(
        self, file_id: str, part: PartFile, md5: str | None, progress: Callable[[int, int | None], None]
    ) -> None:
        """Fill *part* until its checksum is the one Drive names: that of *md5*, or of a version that replaced it."""
        for _ in range(VERSIONS):
            await self._media.fetch(file_id, part, progress)
            if md5 is None or part.md5 == md5:
                return
            md5 = await self._current_md5(file_id)
            if part.md5 == md5:
                return
            await anyio.to_thread.run_sync(part.restart)
        raise Transient("The recording arrives damaged, or changes faster than it can be downloaded.")

    async def _current_md5(self, file_id: str) -> str | None:
        return (await self._calls.look_at(file_id, subject=RECORDING)).md5

    async def check(self) -> Sequence[str]:
        """Return what is wrong with the set-up, one sentence each; empty when recordings can be read."""
        try:
            await self._walk.root()
        except (SourceError, StepError) as exc:
            return [str(exc)]
        return []
