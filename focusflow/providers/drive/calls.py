"""How is Drive asked about files? Google's client in threads of its own, with deadlines, retries and one request each."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar

import anyio
from msgspec import Struct

from focusflow.providers.drive import entries
from focusflow.providers.drive.refusals import DriveRefused, Trouble, Wording

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    import httplib2

    from focusflow.providers.drive.auth import AccessTokens
    from focusflow.providers.retry import Retrying

T = TypeVar("T")

EVERYWHERE = {"supportsAllDrives": True, "includeItemsFromAllDrives": True}
LIST_FIELDS = f"nextPageToken,incompleteSearch,files({entries.FILE_FIELDS})"
CHANGE_FIELDS = (
    f"nextPageToken,newStartPageToken,changes(changeType,removed,fileId,driveId,time,file({entries.FILE_FIELDS}))"
)


class Place(Struct, frozen=True, kw_only=True):
    """What a file or folder id stands for."""

    id: str
    """The real one: `root` is only an alias, which no file names as its parent."""
    name: str
    is_folder: bool
    trashed: bool
    drive_id: str | None
    """The shared drive it is on."""
    md5: str | None
    size: int | None


class DriveCalls:
    """The handful of requests about files. Each raises only our own errors, worded for a person."""

    def __init__(
        self,
        *,
        tokens: AccessTokens,
        retrying: Retrying,
        wording: Wording,
        base_url: str,
        page_size: int,
        deadline: float,
        limiter: anyio.CapacityLimiter,
    ) -> None:
        self._tokens, self._retrying, self._wording = tokens, retrying, wording
        self._base_url, self._page_size = base_url, page_size
        self._deadline, self._limiter = deadline, limiter
        self._requests: Any = None
        self._building = anyio.Lock()
        self._idle: list[httplib2.Http] = []

    async def look_at(self, file_id: str, *, subject: str) -> Place:
        """Return what *file_id* is now."""
        fields = "id,name,mimeType,trashed,driveId,md5Checksum,size"
        return await self._ask(
            lambda drive: drive.files().get(fileId=file_id, fields=fields, supportsAllDrives=True), _place, subject
        )

    async def start_token(self, drive_id: str | None) -> str:
        """Return the token from which the feed of changes has everything that happens from now on."""
        arguments = {"supportsAllDrives": True, "driveId": drive_id}
        return await self._ask(
            lambda drive: drive.changes().getStartPageToken(**arguments),
            lambda answer: str(answer["startPageToken"]),
            "The feed of changes",
        )

    async def children(
        self, folders: Sequence[str], *, drive_id: str | None, page: str | None, with_trashed: bool
    ) -> entries.Listed:
        """Return a page of what lies directly in any of *folders*."""
        arguments = {
            "q": _query(folders, with_trashed=with_trashed),
            "fields": LIST_FIELDS,
            "pageSize": self._page_size,
            "pageToken": page,
            **EVERYWHERE,
            **({"corpora": "drive", "driveId": drive_id} if drive_id else {}),
        }
        return await self._ask(lambda drive: drive.files().list(**arguments), entries.listed, "The folder")

    async def changes(self, token: str, *, drive_id: str | None) -> entries.Changed:
        """Return a page of what changed since *token*."""
        arguments = {
            "pageToken": token,
            "pageSize": self._page_size,
            "fields": CHANGE_FIELDS,
            "includeRemoved": True,
            "driveId": drive_id,
            **EVERYWHERE,
        }
        return await self._ask(lambda drive: drive.changes().list(**arguments), entries.changed, "The feed of changes")

    def close(self) -> None:
        """Close the connections that are kept open."""
        if self._idle:
            from focusflow.providers.drive import vendor

            while self._idle:
                vendor.close(self._idle.pop())

    async def _ask(self, make: Callable[[Any], Any], understand: Callable[[dict[str, Any]], T], subject: str) -> T:
        async def attempt() -> T:
            try:
                return await self._tokens.authorized(lambda token: self._ask_once(make, understand, token))
            except DriveRefused as refused:
                raise self._wording.of(refused, subject) from refused

        return await self._retrying(attempt)

    async def _ask_once(self, make: Callable[[Any], Any], understand: Callable[[dict[str, Any]], T], token: str) -> T:
        from focusflow.providers.drive import vendor  # imported by now: a token was fetched in a thread

        requests = await self._connected()
        http = self._idle.pop() if self._idle else vendor.new_http(self._deadline)
        try:
            answer = await self._in_thread(
                lambda: vendor.ask(requests, make, _checked(understand), token=token, http=http)
            )
        except BaseException:
            vendor.hang_up(http)  # a thread can't be cancelled, but its call can be broken
            raise
        self._idle.append(http)
        return answer

    async def _connected(self) -> Any:
        async with self._building:
            if self._requests is None:
                from focusflow.providers.drive import vendor

                self._requests = await self._in_thread(lambda: vendor.connect(self._base_url))
            return self._requests

    async def _in_thread(self, function: Callable[[], T]) -> T:
        try:
            with anyio.fail_after(self._deadline):
                return await anyio.to_thread.run_sync(function, abandon_on_cancel=True, limiter=self._limiter)
        except TimeoutError as exc:
            raise DriveRefused(Trouble.SILENT, f"no answer within {self._deadline:g} seconds") from exc


def _checked(understand: Callable[[dict[str, Any]], T]) -> Callable[[dict[str, Any]], T]:
    def checked(answer: dict[str, Any]) -> T:
        try:
            return understand(answer)
        except (KeyError, TypeError, ValueError, AttributeError) as exc:
            raise DriveRefused(Trouble.FOREIGN, "its answer is not what Google documents") from exc

    return checked


def _place(answer: dict[str, Any]) -> Place:
    entry = entries.entry(answer)
    return Place(
        id=entry.id,
        name=answer["name"],
        is_folder=entry.is_folder,
        trashed=entry.trashed,
        drive_id=answer.get("driveId"),
        md5=entry.file.md5 if entry.file else None,
        size=entry.file.size if entry.file else None,
    )


def _query(folders: Sequence[str], *, with_trashed: bool) -> str:
    within = " or ".join(f"'{_escaped(folder)}' in parents" for folder in folders)
    return within if with_trashed else f"({within}) and trashed = false"


def _escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace("'", "\\'")
