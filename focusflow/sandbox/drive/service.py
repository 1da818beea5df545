"""How does Google Drive answer? The token endpoint and the reading half of API v3: files, media, changes."""

import base64
import json
import re
import time
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Iterable, Mapping
from typing import ClassVar, Final

from aiohttp import web
from msgspec import Struct

from focusflow.sandbox.drive import fields as drive_fields
from focusflow.sandbox.drive import query as drive_query
from focusflow.sandbox.drive.changes import ChangeEntry, StaleToken
from focusflow.sandbox.drive.errors import FORBIDDEN_REASONS, JSON_TYPE, Refusal, forbidden, invalid, not_found
from focusflow.sandbox.drive.errors import of_status as error_of_status
from focusflow.sandbox.drive.fields import InvalidFields, Selection
from focusflow.sandbox.drive.files import DriveFile, DriveFiles
from focusflow.sandbox.drive.media import send_media
from focusflow.sandbox.drive.query import InvalidQuery, Query
from focusflow.sandbox.drive.resources import resource, timestamp
from focusflow.sandbox.drive.tokens import READING_SCOPES, GrantRefused, TokenIssuer
from focusflow.sandbox.faults import FaultPlan
from focusflow.sandbox.service import Bill, Service, UnixClock

Params = Mapping[str, str]
Answer = Callable[[web.Request, Params], Awaitable[web.StreamResponse]]

LISTING_LIFETIME: Final = 3 * 3600.0
"""Page tokens of a listing live "several hours"."""
_KEPT_LISTINGS: Final = 100

_UNITS: Final = {"get": 5, "list": 100, "download": 200}


class _Listing(Struct, frozen=True):
    """A listing under way: what it looks at, and what its pages must go on asking for."""

    candidates: list[DriveFile]
    signature: tuple[str, ...]
    begun_at: float
    epoch: int


class DriveService(Service):
    """Google Drive with one folder shared to a service account.

    Point googleapiclient's `api_endpoint` at `<root>/google/drive/v3/` and credentials' `token_uri` at
    `<root>/google/token`. What is in Drive, and what happens there, is `files`; who may look is `tokens`.

    Named faults: `invalid_grant` at the token endpoint, `incomplete_search`, and every reason of a 403.
    """

    name: ClassVar[str] = "drive"
    prefix: ClassVar[str] = "/google"

    def __init__(
        self,
        *,
        clock: UnixClock,
        bill: Bill,
        faults: FaultPlan | None = None,
        seed: int = 0,
        units_per_minute: int = 1_000_000,
        changes_delay: float = 0.0,
        assertion_clock: UnixClock = time.time,
    ) -> None:
        super().__init__(clock=clock, bill=bill)
        self.files = DriveFiles(clock=clock, seed=seed, changes_delay=changes_delay)
        self.tokens = TokenIssuer(clock=clock, assertion_clock=assertion_clock)
        self.units_per_minute = units_per_minute
        self.units_used = 0
        """Quota units spent since the start."""
        self._faults = faults if faults is not None else FaultPlan()
        self._window: tuple[int, int] = (0, 0)
        self._listings: OrderedDict[str, _Listing] = OrderedDict()
        self._listing_count = 0

    @property
    def api_url(self) -> str:
        """What the product calls DRIVE_BASE_URL, ending in a slash."""
        return f"{self.root_url}{self.prefix}/drive/v3/"

    @property
    def token_url(self) -> str:
        """The `token_uri` of every credential."""
        return f"{self.root_url}{self.prefix}/token"

    def service_account_info(self) -> dict[str, str]:
        """The contents of a GOOGLE_SERVICE_ACCOUNT_KEY whose key is registered here; the server must be running."""
        return self.tokens.service_account_info(self.token_url)

    def user_credentials_info(self) -> dict[str, str]:
        """The contents of an authorized user's file whose refresh token is registered here."""
        return self.tokens.user_credentials_info(self.token_url)

    def routes(self) -> Iterable[web.RouteDef]:
        listing, changes = self._reading(self._list_files), self._reading(self._list_changes)
        return [
            web.post("/token", self._token),
            web.get("/drive/v3/about", self._reading(self._about)),
            web.get("/drive/v3/files", listing),
            web.get("/drive/v3/files/{file_id}", self._reading(self._get_file)),
            web.get("/drive/v3/changes/startPageToken", self._reading(self._start_page_token)),
            web.get("/drive/v3/changes", changes),
            # a client whose query does not fit into a URL posts it as a form and says it meant GET
            web.post("/drive/v3/files", listing),
            web.post("/drive/v3/changes", changes),
        ]

    def fault_response(self, status: int, retry_after: float | None) -> web.Response:
        return error_of_status(status, retry_after).response()

    async def _token(self, request: web.Request) -> web.Response:
        form = {name: str(value) for name, value in (await request.post()).items()}
        try:
            if self._faults.take_named(self.name, "invalid_grant"):
                raise GrantRefused("invalid_grant", "Token has been expired or revoked.")
            return web.json_response(self.tokens.grant(form))
        except GrantRefused as refused:
            return web.json_response({"error": refused.code, "error_description": refused.description}, status=400)

    def _reading(self, answer: Answer) -> Callable[[web.Request], Awaitable[web.StreamResponse]]:
        """The handler that checks everything common to all calls before it lets *answer* answer."""

        async def handler(request: web.Request) -> web.StreamResponse:
            self.files.catch_up()
            try:
                self._authorize(request)
                params = await _params(request)
                self._fail_as_planned(request)
                return await answer(request, params)
            except Refusal as refusal:
                return refusal.response()

        return handler

    def _authorize(self, request: web.Request) -> None:
        scheme, _, token = request.headers.get("Authorization", "").partition(" ")
        scopes = self.tokens.scopes_of(token) if scheme.lower() == "bearer" else None
        if scopes is None:
            raise error_of_status(401, None)
        if not scopes & READING_SCOPES:
            raise forbidden("insufficientPermissions")

    def _fail_as_planned(self, request: web.Request) -> None:
        path = request.path.removeprefix(self.prefix)
        for reason in FORBIDDEN_REASONS:
            if self._faults.take_named(self.name, reason, method=request.method, path=path):
                raise forbidden(reason)

    def _spend(self, kind: str) -> None:
        minute = int(self.clock() // 60)
        spent = self._window[1] if self._window[0] == minute else 0
        if spent + _UNITS[kind] > self.units_per_minute:
            raise forbidden("userRateLimitExceeded")
        self._window = (minute, spent + _UNITS[kind])
        self.units_used += _UNITS[kind]

    async def _about(self, request: web.Request, params: Params) -> web.Response:
        self._spend("get")
        if "fields" not in params:
            raise Refusal(400, "required", "The 'fields' parameter is required for this method.", location="fields")
        selection = _fields(params, frozenset({"kind", "user", "storageQuota"}))
        user = {"kind": "drive#user", "displayName": "focusflow", "me": True}
        return _json(drive_fields.project({"kind": "drive#about", "user": user}, selection))

    async def _get_file(self, request: web.Request, params: Params) -> web.StreamResponse:
        media = params.get("alt") == "media"
        self._spend("download" if media else "get")
        file_id = request.match_info["file_id"]
        file = self.files.find(file_id)
        if file is None or (file.drive_id and not _flag(params, "supportsAllDrives")):
            raise not_found(file_id)
        if media:
            return await send_media(request, file)
        return _json(resource(file, self.files, _fields(params, drive_fields.FILE_FIELDS)))

    async def _list_files(self, request: web.Request, params: Params) -> web.Response:
        self._spend("list")
        size = _page_size(params)
        selection = _fields(params, drive_fields.LIST_FIELDS)
        query = self._query(params)
        if "pageToken" in params:
            key, position = _unpacked(params["pageToken"])
            listing = self._resumed(key, params)
        else:
            key, position = self._begun(query, params), 0
            listing = self._listings[key]
        page, rest = self._page(listing, position, size, query, params)
        wanted = _within(selection, "files")
        files = [resource(file, self.files, wanted) for file in page] if _selects(selection, "files") else []
        document: dict[str, object] = {
            "kind": "drive#fileList",
            "incompleteSearch": self._faults.take_named(self.name, "incomplete_search") is not None,
            "files": files,
        }
        if rest is not None:
            document["nextPageToken"] = _packed(key, rest)
        return _json({name: part for name, part in document.items() if _selects(selection, name)})

    def _query(self, params: Params) -> Query:
        try:
            query = drive_query.parse(params.get("q", ""))
        except InvalidQuery as exc:
            raise invalid("q") from exc
        for parent in query.parents or ():
            if self.files.find(parent) is None and parent != "root":
                # the real one does not repeat the id here
                raise not_found("")
        return query

    def _begun(self, query: Query, params: Params) -> str:
        if params.get("corpora") == "drive" and "driveId" not in params:
            raise invalid("corpora", "The driveId parameter must be specified if corpora is 'drive'.")
        if query.parents is None:
            candidates = self.files.everything()
        else:
            candidates = [file for parent in sorted(query.parents) for file in self.files.children(parent)]
        now = self.clock()
        self._listing_count += 1
        key = str(self._listing_count)
        self._listings[key] = _Listing(
            _ordered(candidates, params.get("orderBy", "")),
            _signature(params),
            now,
            self.files.listings_expired_before,
        )
        while len(self._listings) > _KEPT_LISTINGS:
            self._listings.popitem(last=False)
        return key

    def _resumed(self, key: str, params: Params) -> _Listing:
        listing = self._listings.get(key)
        if (
            listing is None
            or listing.signature != _signature(params)
            or listing.epoch != self.files.listings_expired_before
            or self.clock() - listing.begun_at > LISTING_LIFETIME
        ):
            raise invalid("pageToken")
        return listing

    def _page(
        self, listing: _Listing, position: int, size: int, query: Query, params: Params
    ) -> tuple[list[DriveFile], int | None]:
        """At most *size* matching files from *position* on, and where the next page begins."""
        page: list[DriveFile] = []
        for at in range(position, len(listing.candidates)):
            file = listing.candidates[at]
            if self.files.find(file.id) is file and _in_corpus(file.drive_id, params) and query.matches(file):
                if len(page) == size:
                    return page, at
                page.append(file)
        return page, None

    async def _start_page_token(self, request: web.Request, params: Params) -> web.Response:
        self._spend("get")
        token = self.files.changes.start_token(self._changes_before())
        document = {"kind": "drive#startPageToken", "startPageToken": token}
        return _json(drive_fields.project(document, _fields(params, drive_fields.START_TOKEN_FIELDS)))

    async def _list_changes(self, request: web.Request, params: Params) -> web.Response:
        self._spend("list")
        size = _page_size(params)
        selection = _fields(params, drive_fields.CHANGES_FIELDS)
        if "pageToken" not in params:
            raise Refusal(400, "required", "Required parameter: pageToken", location="pageToken")

        def wanted(entry: ChangeEntry) -> bool:
            return self._wants(entry, params)

        try:
            page = self.files.changes.page(params["pageToken"], size, self._changes_before(), wanted)
        except StaleToken as exc:
            raise invalid("pageToken") from exc
        inner = _within(selection, "changes")
        document: dict[str, object] = {
            "kind": "drive#changeList",
            "changes": [self._change(entry, inner) for entry in page.entries],
        }
        if page.next_page_token is not None:
            document["nextPageToken"] = page.next_page_token
        if page.new_start_page_token is not None:
            document["newStartPageToken"] = page.new_start_page_token
        return _json({name: part for name, part in document.items() if _selects(selection, name)})

    def _changes_before(self) -> float:
        # without a delay the clock has no say, so that a clock that steps back hides nothing
        return self.clock() - self.files.changes_delay if self.files.changes_delay else float("inf")

    def _wants(self, entry: ChangeEntry, params: Params) -> bool:
        if _flag(params, "restrictToMyDrive") or not _in_corpus(entry.drive_id, params):
            return False
        return self.files.find(entry.file_id) is not None or params.get("includeRemoved", "true") == "true"

    def _change(self, entry: ChangeEntry, selection: Selection | None) -> object:
        file = self.files.find(entry.file_id)
        change: dict[str, object] = {
            "kind": "drive#change",
            "type": "file",
            "changeType": "file",
            "time": timestamp(entry.at),
            "removed": file is None,
            "fileId": entry.file_id,
        }
        if entry.drive_id is not None:
            change["driveId"] = entry.drive_id
        if file is not None and _selects(selection, "file"):
            change["file"] = resource(file, self.files, _within(selection, "file"))
        return {name: part for name, part in change.items() if _selects(selection, name)}


async def _params(request: web.Request) -> Params:
    params = dict(request.query)
    if request.method == "POST":
        if request.headers.get("X-HTTP-Method-Override", "").upper() != "GET":
            raise forbidden("insufficientPermissions")  # the scope is drive.readonly
        params |= {name: str(value) for name, value in (await request.post()).items()}
    return params


def _flag(params: Params, name: str) -> bool:
    return params.get(name) == "true"


def _page_size(params: Params) -> int:
    text = params.get("pageSize", "100")
    if not text.isascii() or not text.isdigit() or not 1 <= int(text) <= 1000:
        raise invalid("pageSize", f"Invalid value '{text}'. Values must be within the range: [1, 1000]")
    return int(text)


def _fields(params: Params, known: frozenset[str]) -> Selection | None:
    if "fields" not in params:
        return None
    try:
        return drive_fields.parse(params["fields"], known)
    except InvalidFields as exc:
        message = f"Invalid field selection {exc}"
        raise Refusal(400, "invalidParameter", message, location="fields") from exc


def _selects(selection: Selection | None, name: str) -> bool:
    return selection is None or "*" in selection or name in selection


def _within(selection: Selection | None, name: str) -> Selection | None:
    """What is wanted inside *name*: None for the defaults, a star for a field that was named without its parts."""
    if selection is None:
        return None
    inner = None if "*" in selection else selection.get(name)
    return {"*": None} if inner is None else inner


def _in_corpus(drive_id: str | None, params: Params) -> bool:
    """Whether the call reaches what is in that shared drive (None: in somebody's My Drive)."""
    if "driveId" in params and drive_id != params["driveId"]:
        return False
    return drive_id is None or (_flag(params, "supportsAllDrives") and _flag(params, "includeItemsFromAllDrives"))


def _signature(params: Params) -> tuple[str, ...]:
    """What has to stay the same from page to page."""
    names = ("q", "orderBy", "corpora", "driveId", "spaces", "includeItemsFromAllDrives", "supportsAllDrives")
    return tuple(params.get(name, "") for name in names)


_ORDERS: Final[Mapping[str, Callable[[DriveFile], tuple[str, float]]]] = {
    "createdTime": lambda file: ("", file.created),
    "modifiedTime": lambda file: ("", file.modified),
    "name": lambda file: (file.name.casefold(), 0.0),
    "name_natural": lambda file: (file.name.casefold(), 0.0),
    "recency": lambda file: ("", file.modified),
    "folder": lambda file: ("" if file.content is None else "f", 0.0),
}


def _ordered(files: list[DriveFile], order_by: str) -> list[DriveFile]:
    for clause in reversed([clause.split() for clause in order_by.split(",") if clause.strip()]):
        if clause[0] not in _ORDERS or clause[1:] not in ([], ["desc"]):
            raise invalid("orderBy")
        files.sort(key=_ORDERS[clause[0]], reverse=clause[1:] == ["desc"])
    return files


def _packed(key: str, position: int) -> str:
    return "~!!~" + base64.urlsafe_b64encode(f"{key}:{position}".encode()).decode()


def _unpacked(token: str) -> tuple[str, int]:
    try:
        text = base64.urlsafe_b64decode(token.removeprefix("~!!~")).decode()
    except ValueError as exc:
        raise invalid("pageToken") from exc
    found = re.fullmatch(r"(\d+):(\d+)", text)
    if found is None:
        raise invalid("pageToken")
    return found[1], int(found[2])


def _json(document: object) -> web.Response:
    body = json.dumps(document, ensure_ascii=False, separators=(",", ":")).encode()
    return web.Response(body=body, headers={"Content-Type": JSON_TYPE})
