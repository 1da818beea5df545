"""The emulated Drive is faithful enough for Google's own client: credentials, listings, changes, media and errors."""

import hashlib
import http.client
import io
import threading
import time
import tracemalloc
from collections.abc import AsyncIterator, Callable, Iterator
from datetime import date
from typing import Any

import aiohttp
import anyio
import anyio.to_thread
import google.auth.exceptions
import google_auth_httplib2
import httplib2
import pytest
from google.auth.transport.requests import Request
from google.oauth2 import service_account
from google.oauth2.credentials import Credentials
from googleapiclient.discovery import build
from googleapiclient.errors import HttpError
from googleapiclient.http import MediaIoBaseDownload

from focusflow.sandbox.drive import DriveService
from focusflow.sandbox.drive.files import FOLDER, DriveFiles
from focusflow.sandbox.drive.tokens import READONLY
from focusflow.sandbox.faults import Fault, FaultPlan
from focusflow.sandbox.recordings import standard_recordings
from focusflow.sandbox.request_log import RequestLog
from focusflow.sandbox.server import Sandbox
from focusflow.sandbox.service import Bill, UnixClock

LIST_FIELDS = "nextPageToken,files(id,name,mimeType,size,md5Checksum,parents,trashed,owners(emailAddress),driveId)"
CHANGE_FIELDS = "nextPageToken,newStartPageToken,changes(changeType,removed,fileId,time,file(id,name,trashed,parents))"


# Google's packages ship no types; these three functions are where untyped calls are made


def token_of(text: str) -> Any:
    return Credentials(text)  # type: ignore[no-untyped-call]


def plain_http() -> Any:
    return httplib2.Http(timeout=10)  # type: ignore[no-untyped-call]


def authorized_http(credentials: Any, http: Any) -> Any:
    return google_auth_httplib2.AuthorizedHttp(credentials, http=http)  # type: ignore[no-untyped-call]


class Sdk:
    """Google's client, one transport per thread, every call in a worker thread."""

    def __init__(self, service: DriveService) -> None:
        self.service = service
        self.credentials = token_of(service.tokens.issue())  # user credentials: no look-up outside the sandbox
        self._local = threading.local()
        self._opened: list[Any] = []
        self.api = build(
            "drive",
            "v3",
            http=plain_http(),
            static_discovery=True,
            client_options={"api_endpoint": service.api_url},
        )

    async def run(self, request: Any) -> Any:
        """Execute a request that `api` made."""
        return await anyio.to_thread.run_sync(lambda: request.execute(http=self.transport()))

    def transport(self) -> Any:
        if not hasattr(self._local, "http"):
            plain = plain_http()
            self._opened.append(plain)
            self._local.http = authorized_http(self.credentials, plain)
        return self._local.http

    async def list_all(
        self, q: str, *, size: int = 100, fields: str = LIST_FIELDS, **more: Any
    ) -> list[dict[str, Any]]:
        request = self.api.files().list(q=q, pageSize=size, fields=fields, **more)
        files: list[dict[str, Any]] = []
        while request is not None:
            page = await self.run(request)
            files += page["files"]
            request = self.api.files().list_next(request, page)
        return files

    async def changes_since(self, token: str, **more: Any) -> tuple[list[dict[str, Any]], str]:
        changes: list[dict[str, Any]] = []
        while True:
            page = await self.run(self.api.changes().list(pageToken=token, fields=CHANGE_FIELDS, **more))
            assert ("nextPageToken" in page) != ("newStartPageToken" in page)
            changes += page["changes"]
            if "newStartPageToken" in page:
                return changes, page["newStartPageToken"]
            token = page["nextPageToken"]

    async def start_token(self) -> str:
        answer = await self.run(self.api.changes().getStartPageToken(supportsAllDrives=True))
        return str(answer["startPageToken"])

    def close(self) -> None:
        self.api.close()
        for transport in self._opened:
            transport.close()


@pytest.fixture
async def drive(clock: UnixClock, bill: Bill, faults: FaultPlan, log: RequestLog) -> AsyncIterator[DriveService]:
    service = DriveService(clock=clock, bill=bill, faults=faults)
    async with Sandbox([service], faults=faults, log=log, clock=clock):
        yield service


@pytest.fixture
def files(drive: DriveService) -> DriveFiles:
    return drive.files


@pytest.fixture
def sdk(drive: DriveService) -> Iterator[Sdk]:
    client = Sdk(drive)
    yield client
    client.close()


async def refused(call: Any) -> Any:
    """The HttpError that awaiting *call* raises; untyped, as the vendor's class is."""
    with pytest.raises(HttpError) as caught:
        await call
    return caught.value


def bearer(drive: DriveService) -> dict[str, str]:
    return {"Authorization": f"Bearer {drive.tokens.issue()}"}


# Credentials


def account(drive: DriveService) -> Any:
    parse = service_account.Credentials.from_service_account_info
    return parse(drive.service_account_info(), scopes=[READONLY])  # type: ignore[no-untyped-call]


async def refresh(credentials: Any) -> None:
    await anyio.to_thread.run_sync(lambda: credentials.refresh(Request()))


async def test_a_service_account_gets_a_token_that_works(drive: DriveService, sdk: Sdk) -> None:
    """google-auth signs with the key file's key, the emulator checks it, and the token opens the API."""
    credentials = account(drive)
    await refresh(credentials)
    assert credentials.valid
    sdk.credentials = token_of(credentials.token)
    assert await sdk.list_all(f"'{drive.files.root_id}' in parents") == []


async def test_an_assertion_signed_by_another_key_is_refused(drive: DriveService) -> None:
    """A deleted key means invalid_grant, which google-auth reports as not worth a retry."""
    credentials = account(drive)
    drive.tokens.revoke_credentials()
    with pytest.raises(google.auth.exceptions.RefreshError, match="Invalid JWT Signature") as caught:
        await refresh(credentials)
    assert not caught.value.retryable


async def test_the_token_endpoint_can_be_told_to_refuse(drive: DriveService, faults: FaultPlan) -> None:
    """The named fault `invalid_grant` refuses once; the credentials then work again."""
    faults.add(Fault(service="drive", kind="invalid_grant"))
    credentials = account(drive)
    with pytest.raises(google.auth.exceptions.RefreshError, match="invalid_grant"):
        await refresh(credentials)
    await refresh(credentials)
    assert credentials.valid


async def test_a_user_token_is_refreshed_until_it_is_revoked(drive: DriveService) -> None:
    """OAuth user credentials work with a refresh token, and die with it."""
    info = drive.user_credentials_info()
    info.pop("type")
    credentials: Any = Credentials(None, **info)  # type: ignore[no-untyped-call]  # ships no types
    await refresh(credentials)
    assert credentials.token
    drive.tokens.revoke_credentials()
    with pytest.raises(google.auth.exceptions.RefreshError, match="expired or revoked"):
        await refresh(credentials)


async def test_an_expired_or_missing_token_is_a_401(
    drive: DriveService, sdk: Sdk, clock: Any, session: aiohttp.ClientSession
) -> None:
    """After 3599 seconds the token is worth as much as none."""
    url = f"{drive.api_url}files/{drive.files.root_id}"
    headers = bearer(drive)
    clock.advance(3598)
    async with session.get(url, headers=headers) as answer:
        assert answer.status == 200
    clock.advance(1)
    for wrong in (headers, {}, {"Authorization": "Bearer made-up"}):
        async with session.get(url, headers=wrong) as answer:
            assert answer.status == 401
            error = (await answer.json())["error"]
            assert (error["status"], error["errors"][0]["reason"]) == ("UNAUTHENTICATED", "authError")


async def test_a_token_without_a_drive_scope_is_refused(drive: DriveService, session: aiohttp.ClientSession) -> None:
    """The scope of the assertion is what the token is good for."""
    token = drive.tokens.issue(frozenset({"https://www.googleapis.com/auth/calendar"}))
    async with session.get(f"{drive.api_url}files", headers={"Authorization": f"Bearer {token}"}) as answer:
        assert answer.status == 403
        assert (await answer.json())["error"]["errors"][0]["reason"] == "insufficientPermissions"


# Listings


async def test_pages_hold_every_file_once(sdk: Sdk, files: DriveFiles) -> None:
    """The client's own paging helper walks opaque tokens until there are none."""
    ids = {files.add_file(f"{number}.m4a", size=100) for number in range(25)}
    found = await sdk.list_all(f"'{files.root_id}' in parents and trashed = false", size=10)
    assert len(found) == 25
    assert {file["id"] for file in found} == ids
    assert all(file["size"] == "100" and file["owners"] for file in found)


async def test_without_its_field_there_is_no_next_page_token(sdk: Sdk, files: DriveFiles) -> None:
    """The classic mistake: a `fields` that forgets nextPageToken makes paging stop silently."""
    for number in range(3):
        files.add_file(f"{number}.m4a", size=1)
    q = f"'{files.root_id}' in parents"
    page = await sdk.run(sdk.api.files().list(q=q, pageSize=2, fields="files(id)"))
    assert set(page) == {"files"}
    assert [set(file) for file in page["files"]] == [{"id"}, {"id"}]
    default = await sdk.run(sdk.api.files().list(q=q, pageSize=2))
    assert set(default) == {"kind", "incompleteSearch", "files", "nextPageToken"}
    assert set(default["files"][0]) == {"kind", "id", "name", "mimeType"}


async def test_a_query_is_understood(sdk: Sdk, files: DriveFiles) -> None:
    """Parents (one or several), types, names by the beginnings of words, trash, and escapes."""
    monday, tuesday = files.add_folder("2026-11-23"), files.add_folder("2026-11-24")
    one = files.add_file("Ann's call.m4a", parent=monday, size=1)
    two = files.add_file("sidecar.json", parent=tuesday, size=1, mime_type="application/json")
    gone = files.add_file("old call.m4a", parent=tuesday, size=1)
    files.trash(gone)

    async def ids(q: str) -> set[str]:
        return {file["id"] for file in await sdk.list_all(q)}

    both = f"('{monday}' in parents or '{tuesday}' in parents)"
    assert await ids(f"{both} and trashed = false") == {one, two}
    assert await ids(both) == {one, two, gone}
    assert await ids(f"'{files.root_id}' in parents and mimeType = '{FOLDER}'") == {monday, tuesday}
    assert await ids(f"{both} and mimeType != 'audio/mpeg'") == {two}
    assert await ids("name contains 'call' and not trashed = true") == {one}
    assert await ids("name contains 'all'") == set()
    assert await ids(r"name = 'Ann\'s call.m4a'") == {one}
    assert await ids("mimeType contains 'audio/' and modifiedTime > '2031-01-01T00:00:00'") == set()


async def test_a_query_too_long_for_a_url_is_posted(sdk: Sdk, files: DriveFiles, log: RequestLog) -> None:
    """The client turns a long GET into a POST that says it is a GET."""
    folders = [files.add_folder(f"2026-{number:04d}") for number in range(60)]
    wanted = {files.add_file(f"{folder}.m4a", parent=folder, size=1) for folder in folders}
    q = "(" + " or ".join(f"'{folder}' in parents" for folder in folders) + ") and trashed = false"
    assert {file["id"] for file in await sdk.list_all(q)} == wanted
    assert log.count("drive", "POST", "/files$") == 1


@pytest.mark.parametrize(
    ("arguments", "location"),
    [
        ({"q": "'x' in"}, "q"),
        ({"q": "nonsense = 'x'"}, "q"),
        ({"q": "name ~ 'x'"}, "q"),
        ({"fields": "files(id,md5)"}, "fields"),
        ({"fields": "files(id"}, "fields"),
        ({"pageSize": 1001}, "pageSize"),
        ({"pageToken": "made-up"}, "pageToken"),
        ({"orderBy": "colour"}, "orderBy"),
        ({"corpora": "drive"}, "corpora"),
    ],
)
async def test_a_wrong_parameter_is_named(sdk: Sdk, arguments: dict[str, Any], location: str) -> None:
    """400 bodies carry the parameter, so that a client's bug is a client's bug."""
    error = await refused(sdk.run(sdk.api.files().list(**arguments)))
    assert error.status_code == 400
    assert error.error_details[0]["location"] == location


async def test_a_folder_that_is_not_shared_is_not_found(sdk: Sdk) -> None:
    """Asking for the children of an unknown folder is a 404, not an empty list."""
    error = await refused(sdk.run(sdk.api.files().list(q="'1nowhere' in parents")))
    assert (error.status_code, error.error_details[0]["reason"]) == (404, "notFound")


async def test_a_page_token_can_expire(sdk: Sdk, files: DriveFiles, clock: Any) -> None:
    """By a test's wish or after hours the listing has to start again; before, a page can be asked for twice."""
    for number in range(5):
        files.add_file(f"{number}.m4a", size=1)
    q = f"'{files.root_id}' in parents"

    async def token() -> str:
        return str((await sdk.run(sdk.api.files().list(q=q, pageSize=2)))["nextPageToken"])

    def second(page_token: str, query: str = q) -> Any:
        return sdk.run(sdk.api.files().list(q=query, pageSize=2, pageToken=page_token))

    kept = await token()
    assert await second(kept) == await second(kept)
    assert (await refused(second(kept, "trashed = false"))).status_code == 400
    files.expire_listings()
    assert (await refused(second(kept))).status_code == 400
    kept = await token()
    clock.advance(3 * 3600 + 1)
    sdk.credentials.token = sdk.service.tokens.issue()
    assert (await refused(second(kept))).status_code == 400


async def test_a_shared_drive_is_only_seen_by_those_who_ask(sdk: Sdk, files: DriveFiles) -> None:
    """Without both flags a shared drive's files are invisible; with them they come without owners."""
    drive_id = files.add_shared_drive("Calls")
    day = files.add_folder("2026-11-23", parent=drive_id)
    recording = files.add_file("a.m4a", parent=day, size=1)
    q = f"'{day}' in parents"
    assert await sdk.list_all(q) == []
    assert await sdk.list_all(q, supportsAllDrives=True) == []
    (found,) = await sdk.list_all(q, supportsAllDrives=True, includeItemsFromAllDrives=True)
    assert (found["id"], found["driveId"]) == (recording, drive_id)
    assert "owners" not in found
    assert (await refused(sdk.run(sdk.api.files().get(fileId=recording)))).status_code == 404
    assert (await sdk.run(sdk.api.files().get(fileId=recording, supportsAllDrives=True)))["id"] == recording
    everything = await sdk.list_all(
        "", supportsAllDrives=True, includeItemsFromAllDrives=True, corpora="drive", driveId=drive_id
    )
    assert {file["id"] for file in everything} == {drive_id, day, recording}


async def test_a_hundred_thousand_files_are_listed_quickly(
    drive: DriveService, files: DriveFiles, session: aiohttp.ClientSession
) -> None:
    """A first discovery of a huge folder takes 100 pages, each file once with a checksum of its own."""
    folder = files.add_folder("huge")
    for number in range(100_000):
        files.add_file(f"2026-11-23 {number:06d} (phone) Ann.m4a", parent=folder, size=600_000)
    headers = bearer(drive)
    params = {"q": f"'{folder}' in parents and trashed = false", "pageSize": "1000", "fields": LIST_FIELDS}
    seen: set[str] = set()
    began, pages = time.perf_counter(), 0
    while True:
        async with session.get(f"{drive.api_url}files", params=params, headers=headers) as answer:
            page = await answer.json()
        seen.update(file["md5Checksum"] for file in page["files"])
        pages += 1
        if "nextPageToken" not in page:
            break
        params["pageToken"] = page["nextPageToken"]
    assert (len(seen), pages) == (100_000, 100)
    assert time.perf_counter() - began < 20


def test_a_synthetic_file_weighs_next_to_nothing(clock: UnixClock) -> None:
    """Ten thousand recordings of 600 kB are held in a few megabytes."""
    files = DriveFiles(clock=clock)
    tracemalloc.start()
    for number in range(10_000):
        files.add_file(f"2026-11-23 {number:06d} (phone) Ann.m4a", size=600_000)
    held, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert held < 16 * 1024 * 1024


# Single files


async def test_a_file_tells_what_discovery_needs(sdk: Sdk, files: DriveFiles) -> None:
    """Numbers are strings, times have milliseconds, and checksum and link are there."""
    file_id = files.add_file("a.m4a", content=b"sound", created=0.0, modified=1.5)
    got = await sdk.run(sdk.api.files().get(fileId=file_id, fields="*"))
    assert got["size"] == "5"
    assert got["md5Checksum"] == hashlib.md5(b"sound").hexdigest()
    assert (got["createdTime"], got["modifiedTime"]) == ("1970-01-01T00:00:00.000Z", "1970-01-01T00:00:01.500Z")
    assert got["parents"] == [files.root_id]
    assert got["capabilities"]["canDownload"] is True
    assert file_id in got["webViewLink"]
    assert set(await sdk.run(sdk.api.files().get(fileId=file_id))) == {"kind", "id", "name", "mimeType"}
    assert "parents" not in await sdk.run(sdk.api.files().get(fileId=files.root_id, fields="id,parents"))


async def test_a_shortcut_names_its_target(sdk: Sdk, files: DriveFiles) -> None:
    """Shortcuts have to be followed by the client."""
    target = files.add_file("a.m4a", content=b"sound")
    shortcut = files.add_shortcut("to a", target)
    got = await sdk.run(sdk.api.files().get(fileId=shortcut, fields="shortcutDetails(targetId)"))
    assert got == {"shortcutDetails": {"targetId": target}}


async def test_only_reading_exists(sdk: Sdk, files: DriveFiles) -> None:
    """A client that tries to write finds out, whatever the way."""
    file_id = files.add_file("a.m4a", content=b"sound")
    assert (await refused(sdk.run(sdk.api.files().create(body={"name": "x"})))).status_code == 403
    assert (await refused(sdk.run(sdk.api.files().delete(fileId=file_id)))).status_code >= 400
    assert files.find(file_id) is not None


# Media


async def test_the_clients_chunked_download_gets_every_byte(sdk: Sdk, files: DriveFiles) -> None:
    """MediaIoBaseDownload asks by ranges; a file without bytes ends in its 416 with a Content-Range."""
    content = bytes(range(256)) * 5000
    for wanted in (content, b""):
        file_id = files.add_file("a.m4a", content=wanted)
        sink = io.BytesIO()
        request = sdk.api.files().get_media(fileId=file_id)

        def download(request: Any = request, sink: io.BytesIO = sink) -> None:
            request.http = sdk.transport()
            media = MediaIoBaseDownload(sink, request, chunksize=300_000)
            done = False
            while not done:
                _, done = media.next_chunk()

        await anyio.to_thread.run_sync(download)
        assert sink.getvalue() == wanted


@pytest.mark.parametrize(
    ("wanted", "status", "content_range", "body"),
    [
        (None, 200, None, b"0123456789"),
        ("bytes=3-5", 206, "bytes 3-5/10", b"345"),
        ("bytes=7-", 206, "bytes 7-9/10", b"789"),
        ("bytes=-2", 206, "bytes 8-9/10", b"89"),
        ("bytes=8-99", 206, "bytes 8-9/10", b"89"),
        ("bytes=5-3", 200, None, b"0123456789"),
        ("lines=1-2", 200, None, b"0123456789"),
        ("bytes=10-", 416, "bytes */10", None),
    ],
)
async def test_a_range_is_honoured(
    drive: DriveService,
    session: aiohttp.ClientSession,
    wanted: str | None,
    status: int,
    content_range: str | None,
    body: bytes | None,
) -> None:
    """Every form of one range, the forms to ignore, and the one that can't be satisfied."""
    file_id = drive.files.add_file("a.m4a", content=b"0123456789")
    headers = bearer(drive) | ({"Range": wanted} if wanted else {})
    async with session.get(f"{drive.api_url}files/{file_id}?alt=media", headers=headers) as answer:
        assert (answer.status, answer.headers.get("Content-Range")) == (status, content_range)
        if body is None:
            assert (await answer.json())["error"]["errors"][0]["reason"] == "requestedRangeNotSatisfiable"
        else:
            assert await answer.read() == body
            assert int(answer.headers["Content-Length"]) == len(body)


async def test_a_cut_download_resumes_by_range_to_the_true_checksum(
    drive: DriveService, session: aiohttp.ClientSession, faults: FaultPlan
) -> None:
    """A truncated body delivers its head; a Range request delivers the rest of the same synthetic bytes."""
    file_id = drive.files.add_file("a.m4a", size=3_000_000)
    faults.add(Fault(service="drive", path=f"/files/{file_id}", kind="truncate", bytes=1_234_567))
    url, received = f"{drive.api_url}files/{file_id}?alt=media", bytearray()

    async def download() -> None:
        headers = bearer(drive) | {"Range": f"bytes={len(received)}-"}
        async with session.get(url, headers=headers) as answer:
            async for chunk in answer.content.iter_any():
                received.extend(chunk)

    with pytest.raises(aiohttp.ClientPayloadError):
        await download()
    assert len(received) == 1_234_567
    await download()
    file = drive.files.find(file_id)
    assert file is not None
    assert hashlib.md5(received).hexdigest() == file.md5


async def test_a_truncated_answer_breaks_the_vendors_client_as_the_real_one_does(
    sdk: Sdk, files: DriveFiles, faults: FaultPlan
) -> None:
    """googleapiclient raises IncompleteRead, which is no OSError, and does not retry it."""
    faults.add(Fault(service="drive", path="/files", kind="truncate", bytes=10))
    with pytest.raises(http.client.IncompleteRead):
        await sdk.run(sdk.api.files().get(fileId=files.root_id))


async def test_half_a_gigabyte_is_streamed_in_constant_memory(
    drive: DriveService, session: aiohttp.ClientSession
) -> None:
    """The bytes are made while they are sent, and still have a true checksum."""
    file_id = drive.files.add_file("huge.m4a", size=500_000_000)
    digest = hashlib.md5()
    tracemalloc.start()
    async with session.get(f"{drive.api_url}files/{file_id}?alt=media", headers=bearer(drive)) as answer:
        assert answer.headers["Content-Length"] == "500000000"
        async for chunk in answer.content.iter_chunked(256 * 1024):
            digest.update(chunk)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    file = drive.files.find(file_id)
    assert file is not None
    assert digest.hexdigest() == file.md5
    assert peak < 20 * 1024 * 1024


async def test_a_document_without_bytes_is_not_downloadable(sdk: Sdk, files: DriveFiles) -> None:
    """Google's own documents need an export, which a recorder never does."""
    file_id = files.add_file("Notes", mime_type="application/vnd.google-apps.document")
    error = await refused(sdk.run(sdk.api.files().get_media(fileId=file_id)))
    assert (error.status_code, error.error_details[0]["reason"]) == (403, "fileNotDownloadable")


# Changes


async def test_the_feed_tells_everything_that_happens_to_a_file(sdk: Sdk, files: DriveFiles) -> None:
    """Added, replaced, renamed, moved, trashed, untrashed, deleted: each shows up once, and only since the token."""
    file_id = files.add_file("a.m4a", content=b"1")
    day = files.add_folder("2026-11-23")
    token = await sdk.start_token()
    assert await sdk.changes_since(token) == ([], token)
    steps: list[tuple[Callable[[], object], dict[str, Any]]] = [
        (lambda: files.replace_content(file_id, b"2"), {"name": "a.m4a", "trashed": False}),
        (lambda: files.rename(file_id, "b.m4a"), {"name": "b.m4a"}),
        (lambda: files.move(file_id, day), {"parents": [day]}),
        (lambda: files.trash(file_id), {"trashed": True}),
        (lambda: files.untrash(file_id), {"trashed": False}),
    ]
    for act, expected in steps:
        act()
        (change,), token = await sdk.changes_since(token)
        assert (change["fileId"], change["removed"], change["changeType"]) == (file_id, False, "file")
        assert change["file"].items() >= expected.items()
    files.delete(file_id)
    (change,), token = await sdk.changes_since(token)
    assert change["removed"] is True
    assert "file" not in change


async def test_a_file_has_one_latest_entry(sdk: Sdk, files: DriveFiles) -> None:
    """However often a file changed, the feed has its last change only, in the order of the last changes."""
    token = await sdk.start_token()
    first, second = files.add_file("1.m4a", size=1), files.add_file("2.m4a", size=1)
    for number in range(5000):
        files.rename(first, f"{number}.m4a")
    changes, _ = await sdk.changes_since(token)
    assert [change["fileId"] for change in changes] == [second, first]


async def test_changes_come_in_pages(sdk: Sdk, files: DriveFiles) -> None:
    """Each page has exactly one of the two tokens, and re-reading an old token gives the same again."""
    token = await sdk.start_token()
    ids = [files.add_file(f"{number}.m4a", size=1) for number in range(25)]
    changes, end = await sdk.changes_since(token, pageSize=10)
    assert [change["fileId"] for change in changes] == ids
    assert int(end) > int(token)
    assert (await sdk.changes_since(token, pageSize=7))[0] == changes


async def test_revoked_sharing_looks_like_a_mass_removal(sdk: Sdk, files: DriveFiles) -> None:
    """Everything is reported removed, nothing can be found, and sharing again brings back the same ids."""
    ids = {files.add_file(f"{number}.m4a", size=1) for number in range(3)} | {files.root_id}
    token = await sdk.start_token()
    files.revoke_sharing()
    changes, token = await sdk.changes_since(token)
    assert {change["fileId"] for change in changes} == ids
    assert all(change["removed"] for change in changes)
    assert (await refused(sdk.run(sdk.api.files().list(q=f"'{files.root_id}' in parents")))).status_code == 404
    assert (await sdk.changes_since(token, includeRemoved=False))[0] == []
    files.restore_sharing()
    changes, _ = await sdk.changes_since(token)
    assert {change["fileId"] for change in changes if not change["removed"]} == ids


async def test_a_trashed_folder_takes_its_files_with_it(sdk: Sdk, files: DriveFiles) -> None:
    """What is in a trashed folder is trashed; taking it out restores all but what was trashed by itself."""
    day = files.add_folder("2026-11-23")
    kept, dropped = files.add_file("a.m4a", parent=day, size=1), files.add_file("b.m4a", parent=day, size=1)
    files.trash(dropped)
    files.trash(day)
    assert await sdk.list_all(f"'{day}' in parents and trashed = false") == []
    files.untrash(day)
    assert [file["id"] for file in await sdk.list_all(f"'{day}' in parents and trashed = false")] == [kept]


@pytest.mark.parametrize("token", ["0", "100", "999999", "abc", "-5"])
async def test_a_foreign_change_token_is_refused(sdk: Sdk, token: str) -> None:
    """400 `invalid` with location pageToken."""
    error = await refused(sdk.run(sdk.api.changes().list(pageToken=token)))
    assert (error.status_code, error.error_details[0]["location"]) == (400, "pageToken")


async def test_change_tokens_can_be_expired(sdk: Sdk, files: DriveFiles) -> None:
    """Afterwards only a new start token works: the client has to reconcile by listing."""
    token = await sdk.start_token()
    files.add_file("a.m4a", size=1)
    files.expire_tokens()
    assert (await refused(sdk.changes_since(token))).status_code == 400
    token = await sdk.start_token()
    files.add_file("b.m4a", size=1)
    assert len((await sdk.changes_since(token))[0]) == 1


async def test_changes_can_lag_behind_listings(sdk: Sdk, files: DriveFiles, clock: Any) -> None:
    """With a delay a new file is listed at once and announced later, and no token skips it."""
    files.changes_delay = 60
    clock.advance(120)
    token = await sdk.start_token()
    file_id = files.add_file("a.m4a", size=1)
    assert len(await sdk.list_all(f"'{files.root_id}' in parents")) == 1
    changes, token = await sdk.changes_since(token)
    assert changes == []
    clock.advance(61)
    assert [change["fileId"] for change in (await sdk.changes_since(token))[0]] == [file_id]


# Quota and planned errors


async def test_quota_units_run_out_within_a_minute(drive: DriveService, sdk: Sdk, clock: Any) -> None:
    """A list costs 100, a get 5, a download 200; over the limit it is a 403 until the minute is over."""
    file_id = drive.files.add_file("a.m4a", content=b"sound")
    drive.units_per_minute = 310
    await sdk.list_all("")
    await sdk.run(sdk.api.files().get(fileId=file_id))
    await sdk.run(sdk.api.files().get_media(fileId=file_id))
    assert drive.units_used == 305
    error = await refused(sdk.list_all(""))
    assert (error.status_code, error.error_details[0]["reason"]) == (403, "userRateLimitExceeded")
    clock.advance(60)
    await sdk.list_all("")


@pytest.mark.parametrize("reason", ["downloadQuotaExceeded", "cannotDownloadAbusiveFile", "dailyLimitExceeded"])
async def test_every_reason_of_a_403_can_be_planned(
    sdk: Sdk, files: DriveFiles, faults: FaultPlan, reason: str
) -> None:
    """The reason decides what a client does, so each is a named fault."""
    file_id = files.add_file("a.m4a", content=b"sound")
    faults.add(Fault(service="drive", path=f"/files/{file_id}", kind=reason))
    await sdk.list_all("")
    error = await refused(sdk.run(sdk.api.files().get_media(fileId=file_id)))
    assert (error.status_code, error.error_details[0]["reason"]) == (403, reason)
    assert await sdk.run(sdk.api.files().get_media(fileId=file_id)) == b"sound"


@pytest.mark.parametrize(
    ("status", "reason"),
    [
        (401, "authError"),
        (403, "userRateLimitExceeded"),
        (404, "notFound"),
        (429, "rateLimitExceeded"),
        (500, "internalError"),
        (502, "backendError"),
        (503, "transientError"),
    ],
)
async def test_planned_statuses_have_googles_bodies(
    drive: DriveService, session: aiohttp.ClientSession, faults: FaultPlan, status: int, reason: str
) -> None:
    """Code, message, errors with domain and reason, and Retry-After where planned."""
    faults.add(Fault(service="drive", kind="status", status=status, retry_after=3 if status == 429 else None))
    async with session.get(f"{drive.api_url}files", headers=bearer(drive)) as answer:
        error = (await answer.json())["error"]
        assert (answer.status, error["code"], error["errors"][0]["reason"]) == (status, status, reason)
        assert answer.headers["Content-Type"] == "application/json; charset=UTF-8"
        assert answer.headers.get("Retry-After") == ("3" if status == 429 else None)


async def test_a_rate_limited_call_is_retried_by_the_vendors_client(
    sdk: Sdk, files: DriveFiles, faults: FaultPlan, log: RequestLog
) -> None:
    """googleapiclient recognises our 429 and 403 rate-limit bodies as its own."""
    faults.add(Fault(service="drive", kind="status", status=429), Fault(service="drive", kind="userRateLimitExceeded"))
    request = sdk.api.files().get(fileId=files.root_id)
    request._rand = lambda: 0.0  # the client's own seam: it sleeps a random part of 2, 4, 8 s
    got = await anyio.to_thread.run_sync(lambda: request.execute(http=sdk.transport(), num_retries=3))
    assert got["id"] == files.root_id
    assert log.count("drive") == 3


# Recordings


async def test_recordings_lie_in_day_folders_and_one_sidecar_is_late(sdk: Sdk, files: DriveFiles, clock: Any) -> None:
    """The standard set, as the phone's sync leaves it; the late sidecar is announced by the feed."""
    recordings = standard_recordings(date(2026, 11, 23))
    for recording in recordings:
        files.add_recording(recording)
    folders = await sdk.list_all(f"'{files.root_id}' in parents and mimeType = '{FOLDER}'")
    assert {folder["name"] for folder in folders} == {"2026-11-21", "2026-11-22", "2026-11-23"}
    token = await sdk.start_token()
    clock.advance(91)
    (change,), _ = await sdk.changes_since(token)
    (late,) = (recording for recording in recordings if recording.sidecar_delay_seconds)
    assert change["file"]["name"] == late.sidecar_name
    names: list[str] = []
    for folder in folders:
        names += [file["name"] for file in await sdk.list_all(f"'{folder['id']}' in parents and trashed = false")]
    assert len(names) == len(recordings) + sum(1 for recording in recordings if recording.sidecar)
    twins = await sdk.list_all("name contains 'Priya' or name contains '2026'")
    assert (
        len({file["md5Checksum"] for file in twins if file["name"].endswith("↙.m4a") and "Priya" in file["name"]}) == 1
    )
