"""What does a failed request to Notion mean for the one who made it?"""

import json
import re
from datetime import datetime

import httpx
from msgspec import Struct
from notion_client.errors import HTTPResponseError, InvalidPathParameterError, RequestTimeoutError

from focusflow.errors import Ambiguous, Held, HoldKind, Permanent, StepError, Transient
from focusflow.providers.http_errors import retry_after, said, sentence
from focusflow.providers.json_text import document_in

_BLOCKED = "public_api_request_blocked"
_BLOCKED_SECONDS = 3600.0
_REQUEST_ID = re.compile(r"[\w-]{1,64}", re.ASCII)
_NOT_SENT = (httpx.ConnectTimeout, httpx.PoolTimeout, httpx.ConnectError, httpx.ProxyError, httpx.UnsupportedProtocol)


class Conflict(Ambiguous):
    """Somebody else saved at the same moment: read again, then decide again."""


class Missing(Permanent):
    """Notion knows no such thing, or it is not shared with the integration."""


class Refused(Permanent):
    """Notion does not take this request as it stands."""

    def __init__(self, message: str, *, notion_says: str) -> None:
        super().__init__(message)
        self.notion_says = notion_says


class Committed(Ambiguous):
    """Notion saved the write and could not show it: look at these ids, never repeat the write."""

    def __init__(
        self, message: str, *, resource_id: str | None, child_ids: tuple[str, ...], retry_after: float | None = None
    ) -> None:
        super().__init__(message, retry_after=retry_after)
        self.resource_id = resource_id
        self.child_ids = child_ids


class Refusal(Struct, frozen=True, kw_only=True):
    """An error answer, read as far as it can be."""

    status: int
    code: str | None
    """None: not Notion itself answered, but something in front of it."""
    words: str | None
    data: dict[str, object]
    request_id: str | None
    retry_after: float | None

    def sentence(self, start: str) -> str:
        """*start*, what Notion said, and the id under which its support finds the request."""
        reference = f"(Notion's request id: {self.request_id})" if self.request_id else None
        return sentence(start, self.words) + (f" {reference}" if reference else "")


def read_refusal(error: HTTPResponseError, *, now: datetime) -> Refusal:
    """Read *error* from its body: the SDK itself drops what it does not know."""
    document = _document(error.body)
    code, data, request_id = document.get("code"), document.get("additional_data"), document.get("request_id")
    details = data if isinstance(data, dict) else {}
    return Refusal(
        status=error.status,
        code=code if isinstance(code, str) else None,
        words=said(document),
        data=details,
        request_id=_reference(request_id) or _reference(error.headers.get("x-notion-request-id")),
        retry_after=_wait(error, details, now),
    )


def _reference(value: object) -> str | None:
    return value if isinstance(value, str) and _REQUEST_ID.fullmatch(value) else None


def _document(body: str) -> dict[str, object]:
    try:
        document = document_in(body)
    except ValueError:
        return {}
    return document if isinstance(document, dict) else {}


def _wait(error: HTTPResponseError, details: dict[str, object], now: datetime) -> float | None:
    seconds = retry_after(error.headers, now=now)
    return retry_after({"retry-after": str(details.get("retry_after", ""))}, now=now) if seconds is None else seconds


def translated(error: Exception, *, writing: bool, now: datetime) -> StepError | None:
    """Return our error for the SDK's *error*; None if it is no failure of the request."""
    match error:
        case HTTPResponseError():
            return _refused(read_refusal(error, now=now), writing=writing)
        case RequestTimeoutError():
            return _unanswered(error.__context__ or error, writing=writing)
        case httpx.RequestError() | TimeoutError() | json.JSONDecodeError() | UnicodeDecodeError() | RecursionError():
            return _unanswered(error, writing=writing)
        case InvalidPathParameterError():
            return Permanent(f"Notion has no such address: {error}")
    return None


def _unanswered(error: BaseException, *, writing: bool) -> Transient:
    if isinstance(error, _NOT_SENT):
        return Transient(f"Notion could not be reached ({_named(error)}).")
    if writing:
        return Ambiguous(f"Notion's answer was lost ({_named(error)}): the write may have been made.")
    return Transient(f"Notion did not answer ({_named(error)}).")


def _named(error: BaseException) -> str:
    return str(error) or type(error).__name__


def _refused(refusal: Refusal, *, writing: bool) -> StepError:
    if refusal.status in (429, 529) or refusal.code == "rate_limited":
        return _too_many(refusal)
    if refusal.code is None and refusal.status < 500:
        return _by_the_edge(refusal)
    match refusal.status:
        case 401:
            return Held(HoldKind.CREDENTIALS, refusal.sentence("Notion refuses the key: check NOTION_API_KEY."))
        case 403:
            return _forbidden(refusal)
        case 404:
            return Missing(refusal.sentence("Notion cannot find what was asked for."))
        case 409:
            return Conflict(refusal.sentence("Notion was changing the same thing at that moment."))
        case status if status >= 500:
            return _broken(refusal, writing=writing)
    words = refusal.words or f"HTTP {refusal.status}"
    return Refused(refusal.sentence("Notion does not accept this page."), notion_says=words)


def _too_many(refusal: Refusal) -> Held:
    if refusal.data.get("rate_limit_reason") == _BLOCKED:
        text = refusal.sentence("Notion blocks this integration's requests: see its settings, or ask Notion's support.")
        return Held(HoldKind.SERVICE, text, retry_after=_BLOCKED_SECONDS)
    return Held(HoldKind.RATE_LIMIT, refusal.sentence("Notion asked us to wait."), retry_after=refusal.retry_after)


def _by_the_edge(refusal: Refusal) -> StepError:
    if refusal.status == 413:
        words = "The request is too large"
        return Refused(refusal.sentence(f"Notion does not accept this page: {words.lower()}."), notion_says=words)
    return Transient(
        f"Something in front of Notion answered with HTTP {refusal.status} instead of it.",
        retry_after=refusal.retry_after,
    )


def _forbidden(refusal: Refusal) -> Held:
    if "block_limit" in refusal.data:
        text = "Notion's free plan allows no more blocks in this workspace: upgrade it, or use another workspace."
        return Held(HoldKind.CREDIT, refusal.sentence(text))
    text = "The Notion integration may not do this: give it the capabilities to read, insert and update content."
    return Held(HoldKind.CREDENTIALS, refusal.sentence(text))


def _broken(refusal: Refusal, *, writing: bool) -> Transient:
    text = refusal.sentence(f"Notion has trouble (HTTP {refusal.status}).")
    if not writing:
        return Transient(text, retry_after=refusal.retry_after)
    resource, children = refusal.data.get("committed_resource_id"), refusal.data.get("committed_child_ids")
    if isinstance(resource, str) or "do not repeat" in str(refusal.data.get("retry_guidance", "")).lower():
        ids = tuple(str(child) for child in children) if isinstance(children, list) else ()
        resource_id = resource if isinstance(resource, str) else None
        return Committed(text, resource_id=resource_id, child_ids=ids, retry_after=refusal.retry_after)
    return Ambiguous(text, retry_after=refusal.retry_after)
