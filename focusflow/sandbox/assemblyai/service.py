"""What does AssemblyAI do? Takes uploads, transcribes them by the clock, and charges for what completes."""

import hashlib
import json
import math
import re
import uuid
from collections.abc import Collection, Iterable
from datetime import UTC, datetime
from heapq import nlargest
from typing import ClassVar, Final
from urllib.parse import urlencode

import anyio.to_thread
from aiohttp import web
from msgspec import Struct

from focusflow.sandbox.assemblyai.checks import NEGATIVE_BALANCE, refusal
from focusflow.sandbox.assemblyai.jobs import LANGUAGE_CONFIDENCE, SERVICE, Job, bill_line, transcript, unheard
from focusflow.sandbox.assemblyai.text import Hearing, Json, paragraphs, sentences
from focusflow.sandbox.faults import FaultPlan
from focusflow.sandbox.scripts import SCRIPTS, Script, unknown_script
from focusflow.sandbox.service import Bill, Service, UnixClock
from focusflow.sandbox.tampering import reset

API_KEY: Final = "sandbox-assemblyai-key"
UPLOADS: Final = "https://cdn.assemblyai.com/upload/"
BYTES_PER_SECOND: Final = 4000
"""How much audio a byte of an unknown file is taken for."""
UPLOAD_KEPT_SECONDS: Final = 24 * 3600
LISTED_SECONDS: Final = 90 * 24 * 3600
SHORTEST_SECONDS: Final = 0.16
LONGEST_SECONDS: Final = 10 * 3600
MOST_LISTED: Final = 200
JOB_FAULTS: Final = ("enum_surprise", "error_status", "stuck_processing", "lost_after_create")

_UNAUTHORIZED: Final = "Authentication error, API token missing/invalid"
_NOT_FOUND: Final = "Transcript lookup error, transcript id not found"
_STATUSES: Final = ("queued", "processing", "completed", "error")


class Upload(Struct, frozen=True, kw_only=True):
    """What the service still knows of an uploaded file; the bytes are gone."""

    url: str
    key: str
    at: float
    md5: str
    size: int
    opening: bytes
    """The first bytes, which give text away."""


class AssemblyAIService(Service):
    """AssemblyAI's pre-recorded API, version 2, for one account."""

    name: ClassVar[str] = SERVICE
    prefix: ClassVar[str] = "/assemblyai"

    def __init__(
        self,
        *,
        clock: UnixClock,
        bill: Bill,
        faults: FaultPlan | None = None,
        api_keys: Collection[str] = (API_KEY,),
        queued_seconds: float = 0.2,
        processing_seconds: float = 0.8,
        processing_per_audio_second: float = 0.0005,
        concurrency: int = 200,
    ) -> None:
        super().__init__(clock=clock, bill=bill)
        self.faults = faults
        self.api_keys = frozenset(api_keys)
        self.queued_seconds = queued_seconds
        self.processing_seconds = processing_seconds
        self.processing_per_audio_second = processing_per_audio_second
        self.concurrency = concurrency
        """How many jobs are processed at once; the others stay queued."""
        self.negative_balance = False
        """Refuse new transcripts until the account is topped up."""
        self.uploads: dict[str, Upload] = {}
        self.jobs: dict[str, Job] = {}
        self._script_by_md5: dict[str, str] = {}

    def register_audio(self, md5: str, script_key: str) -> None:
        """Say what the file with this hexadecimal *md5* contains; raise KeyError for an unknown script."""
        self._script_by_md5[md5] = SCRIPTS[script_key].key

    def settle(self) -> None:
        """Charge what has completed by now. Requests do it too; call it before reading the bill of unpolled jobs."""
        now = self.clock()
        for job in self.jobs.values():
            if not job.billed and job.status(now) == "completed":
                job.billed = True
                self.bill.add(bill_line(job))

    def routes(self) -> Iterable[web.RouteDef]:
        return (
            web.post("/v2/upload", self._upload),
            web.post("/v2/transcript", self._create),
            web.get("/v2/transcript", self._list),
            web.get("/v2/transcript/{id}", self._get),
            web.delete("/v2/transcript/{id}", self._delete),
            web.get("/v2/transcript/{id}/{part:sentences|paragraphs}", self._parts),
        )

    def fault_response(self, status: int, retry_after: float | None) -> web.Response:
        """The service's own words for *status*; 503 and 504 come from its proxy and are no JSON."""
        headers = {} if retry_after is None else {"Retry-After": str(math.ceil(retry_after))}
        if status in (503, 504):
            return web.Response(status=status, text="upstream request timeout", headers=headers)
        return web.json_response({"error": _FAULT_TEXTS.get(status, "Unknown error")}, status=status, headers=headers)

    async def _upload(self, request: web.Request) -> web.Response:
        key = self._key(request)
        if key is None:
            await request.release()  # read to the end, or the client sees a reset instead of the refusal
            return _refused(401, _UNAUTHORIZED)
        digest, size, opening = hashlib.md5(usedforsecurity=False), 0, b""
        async for chunk in request.content.iter_any():
            digest.update(chunk)
            size += len(chunk)
            opening = (opening + chunk[:512])[:512]
        if size == 0:
            return _refused(
                422, "Upload failed, please try again. If you continue to have issues please contact support."
            )
        url = UPLOADS + str(uuid.uuid4())
        self.uploads[url] = Upload(
            url=url, key=key, at=self.clock(), md5=digest.hexdigest(), size=size, opening=opening
        )
        return web.json_response({"upload_url": url})

    async def _create(self, request: web.Request) -> web.Response:
        key = self._key(request)
        if key is None:
            return _refused(401, _UNAUTHORIZED)
        body = _json_object(await request.read())
        if body is None:
            return _refused(400, "Invalid JSON in request body")
        if complaint := refusal(body):
            return _refused(400, complaint)
        if self.negative_balance:
            return _refused(400, NEGATIVE_BALANCE)
        upload = self.uploads.get(str(body["audio_url"]))
        if upload is not None and upload.key != key:
            return _refused(403, "Cannot access uploaded file")
        job = self._accept(key, body, upload)
        if job.fault == "lost_after_create":
            reset(request.transport)
            raise ConnectionResetError("the answer to a created job was lost, as planned")
        return web.json_response(transcript(job, self.clock()))

    async def _get(self, request: web.Request) -> web.Response:
        job = self._found(request)
        if isinstance(job, web.Response):
            return job
        # an hour's words take a tenth of a second to write down, and the product may share this loop
        described = await anyio.to_thread.run_sync(self._described, job)
        self.settle()  # it may have completed while it was written down
        return described

    def _described(self, job: Job) -> web.Response:
        return web.json_response(transcript(job, self.clock()))

    async def _delete(self, request: web.Request) -> web.Response:
        job = self._found(request)
        if isinstance(job, web.Response):
            return job
        self.uploads.pop(str(job.request["audio_url"]), None)
        job.deleted = True
        return web.json_response(transcript(job, self.clock()))

    async def _parts(self, request: web.Request) -> web.Response:
        job = self._found(request)
        if isinstance(job, web.Response):
            return job
        if job.deleted or job.status(self.clock()) != "completed":
            return _refused(400, "This transcript has a status of 'processing'. It must be completed first.")
        part = request.match_info["part"]
        utterances = Hearing(job.script, job.request).utterances()
        pieces = sentences(utterances) if part == "sentences" else paragraphs(utterances)
        return web.json_response(
            {
                part: list(pieces),
                "id": job.id,
                "confidence": LANGUAGE_CONFIDENCE,
                "audio_duration": job.script.duration_seconds,
            }
        )

    async def _list(self, request: web.Request) -> web.Response:
        key = self._key(request)
        if key is None:
            return _refused(401, _UNAUTHORIZED)
        self.settle()
        query = dict(request.query)
        try:
            limit = int(query.get("limit", "10"))
        except ValueError:
            limit = 0
        if not 1 <= limit <= MOST_LISTED:
            return _refused(400, f"limit must be an Integer between 1 and {MOST_LISTED}")
        if query.get("status") not in (None, *_STATUSES):
            return _refused(400, f"status must be one of: {', '.join(_STATUSES)}")
        if "created_on" in query and not re.fullmatch(r"\d{4}-\d{2}-\d{2}", query["created_on"]):
            return _refused(400, "created_on must be a date in the format YYYY-MM-DD")
        owned = [job for job in self.jobs.values() if job.key == key]
        for name in ("before_id", "after_id"):
            if name in query and query[name] not in {job.id for job in owned}:
                return _refused(400, _NOT_FOUND)
        return web.json_response(self._page(owned, query, limit))

    def _page(self, owned: list[Job], query: dict[str, str], limit: int) -> Json:
        """One page of the account's jobs, newest first; `prev_url` leads to older ones."""
        fitting = [job for job in reversed(owned) if self._is_listed(job, query)]
        order = {job.id: number for number, job in enumerate(owned)}
        older_than = order.get(query.get("before_id", ""), len(owned))
        newer_than = order.get(query.get("after_id", ""), -1)
        window = [job for job in fitting if newer_than < order[job.id] < older_than]
        # going forward, the page next to the given one is wanted, not the newest of all
        page = window[-limit:] if "after_id" in query else window[:limit]
        return {
            "page_details": {
                "limit": limit,
                "result_count": len(page),
                "current_url": self._list_url(query),
                "prev_url": self._neighbour(query, "before_id", page[-1:], fitting[-1:]),
                "next_url": self._neighbour(query, "after_id", page[:1], fitting[:1]),
            },
            "transcripts": [self._item(job) for job in page],
        }

    def _is_listed(self, job: Job, query: dict[str, str]) -> bool:
        now = self.clock()
        if now - job.created > LISTED_SECONDS or not _instant(job.created).startswith(query.get("created_on", "")):
            return False
        if query.get("throttled_only") in ("true", "True"):
            return job.waited_for_others and job.status(now) == "queued"
        return query.get("status") in (None, job.status(now))

    def _neighbour(self, query: dict[str, str], direction: str, edge: list[Job], last: list[Job]) -> str | None:
        if not edge or edge == last:
            return None
        kept = {name: value for name, value in query.items() if name not in ("before_id", "after_id")}
        return self._list_url({**kept, direction: edge[0].id})

    def _list_url(self, query: dict[str, str]) -> str:
        return f"{self._api_url()}/v2/transcript?{urlencode({'limit': '10', **query})}"

    def _item(self, job: Job) -> Json:
        now = self.clock()
        return {
            "id": job.id,
            "resource_url": f"{self._api_url()}/v2/transcript/{job.id}",
            "status": job.status(now),
            "created": _instant(job.created),
            "completed": _instant(job.ends) if now >= job.ends else None,
            "audio_url": "http://deleted_by_user" if job.deleted else job.request["audio_url"],
            "error": job.error if now >= job.ends else None,
        }

    def _api_url(self) -> str:
        return self.root_url + self.prefix if self.root_url else "https://api.assemblyai.com"

    def _key(self, request: web.Request) -> str | None:
        key = request.headers.get("authorization", "")
        return key if key in self.api_keys else None

    def _found(self, request: web.Request) -> Job | web.Response:
        key = self._key(request)
        if key is None:
            return _refused(401, _UNAUTHORIZED)
        self.settle()
        job = self.jobs.get(request.match_info["id"])
        return job if job is not None and job.key == key else _refused(400, _NOT_FOUND)

    def _accept(self, key: str, body: Json, upload: Upload | None) -> Job:
        now = self.clock()
        self.settle()
        expired = upload is not None and now - upload.at > UPLOAD_KEPT_SECONDS
        script, error = self._hear(None if expired else upload, body)
        fault = self._drawn_fault()
        if fault == "error_status":
            error = "Server error, developers have been alerted."
        ready = now + self.queued_seconds
        busy_until = nlargest(self.concurrency, (job.ends for job in self.jobs.values()))
        starts = max(ready, busy_until[-1]) if len(busy_until) == self.concurrency else ready
        lasts = self.processing_seconds + self.processing_per_audio_second * (0 if error else script.duration_seconds)
        job = Job(
            id=str(uuid.uuid4()),
            key=key,
            created=now,
            starts=starts,
            ends=math.inf if fault == "stuck_processing" else starts + lasts,
            request=body,
            script=script,
            error=error,
            fault=fault,
            waited_for_others=starts > ready,
        )
        self.jobs[job.id] = job
        return job

    def _drawn_fault(self) -> str | None:
        if self.faults is None:
            return None
        path = "/v2/transcript"
        return next((n for n in JOB_FAULTS if self.faults.take_named(self.name, n, method="POST", path=path)), None)

    def _hear(self, upload: Upload | None, body: Json) -> tuple[Script, str | None]:
        """What the audio says, and why that can't be transcribed, if it can't."""
        if upload is None:
            return (
                unknown_script(0),
                f"Download error, unable to download {body['audio_url']}. Please make sure the file exists and is accessible from the internet.",
            )
        known = self._script_by_md5.get(upload.md5)
        seconds = upload.size / BYTES_PER_SECOND
        if known is None and (kind := _text_type(upload.opening)):
            return unknown_script(0), f"Transcoding failed. File does not appear to contain audio. File type is {kind}."
        if known is None and seconds > LONGEST_SECONDS:
            return unknown_script(0), "Audio duration is too long."
        script = SCRIPTS[known] if known else unknown_script(round(seconds))
        if known is None and seconds < SHORTEST_SECONDS:
            return script, "Audio duration is too short."
        return script, unheard(script, body)


def _text_type(opening: bytes) -> str | None:
    """The type of a file that is text, as `file` words it; None for anything that may be audio."""
    if any(byte < 9 or 13 < byte < 32 or byte > 126 for byte in opening):
        return None
    if re.match(rb"\s*<(?:!doctype|html)", opening, re.IGNORECASE):
        return "text/html (HTML document, ASCII text)"
    return "text/plain (ASCII text)"


def _json_object(raw: bytes) -> Json | None:
    try:
        body = json.loads(raw)
    except ValueError:
        return None
    return body if isinstance(body, dict) else None


def _instant(at: float) -> str:
    return datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%dT%H:%M:%S.%f")


def _refused(status: int, error: str) -> web.Response:
    return web.json_response({"error": error}, status=status)


_FAULT_TEXTS: Final = {
    400: "Invalid endpoint schema, please refer to documentation for examples.",
    401: _UNAUTHORIZED,
    402: NEGATIVE_BALANCE,
    403: "Cannot access uploaded file",
    404: "Not found",
    413: "Request Entity Too Large",
    422: "Upload failed, please try again. If you continue to have issues please contact support.",
    429: "Too Many Requests",
    500: "Server error, developers have been alerted.",
    502: "Bad Gateway",
}
