"""How does Notion say no? Its error codes, messages and bodies, and the pages its edge sends instead."""

import json
from collections.abc import Mapping
from typing import Any, Final, TypeAlias

Json: TypeAlias = dict[str, Any]
"""A JSON object of Notion's; its shape is checked by the validators, not by the type."""

ARCHIVED_MESSAGE: Final = "Can't edit block that is archived. You must unarchive the block before editing."
EDGE_REASONS: Final = {413: "Payload Too Large", 502: "Bad Gateway", 504: "Gateway Time-out"}


class NotionError(Exception):
    """One refusal: the HTTP status, Notion's `code`, its message, and what else the body and the headers carry."""

    def __init__(
        self,
        status: int,
        code: str,
        message: str,
        *,
        additional_data: Mapping[str, str | list[str]] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.message = message
        self.additional_data = dict(additional_data or {})
        self.headers = dict(headers or {})

    def body(self, request_id: str) -> Json:
        """The error object as it stands in the answer."""
        body: Json = {"object": "error", "status": self.status, "code": self.code, "message": self.message}
        if self.additional_data:
            body["additional_data"] = self.additional_data
        return body | {"request_id": request_id}


def invalid(message: str) -> NotionError:
    """The request can't be right as it stands: 400 validation_error."""
    return NotionError(400, "validation_error", message)


def archived() -> NotionError:
    """The block, or something above it, is in the trash."""
    return invalid(ARCHIVED_MESSAGE)


def not_found(kind: str, object_id: str, integration: str) -> NotionError:
    """No such *kind* (`page`, `block`, `database`, `data_source`), or it is not shared with the integration."""
    return NotionError(
        404,
        "object_not_found",
        f"Could not find {kind} with ID: {object_id}. Make sure the relevant pages and databases are shared "
        f'with your integration "{integration}".',
    )


def rate_limited(retry_after: int, reason: str = "public_api_request_rate_limit") -> NotionError:
    """Too many requests in the window, which ends in *retry_after* whole seconds."""
    return NotionError(
        429,
        "rate_limited",
        "You have been rate limited. Please try again in a few minutes.",
        additional_data={"rate_limit_reason": reason, "retry_after": str(retry_after)},
        headers={"Retry-After": str(retry_after)},
    )


def overloaded(retry_after: int) -> NotionError:
    """Notion itself is too busy; handled like a 429."""
    return NotionError(
        529,
        "service_overload",
        "Notion is temporarily overloaded. Please try again later.",
        additional_data={"retry_after": str(retry_after)},
        headers={"Retry-After": str(retry_after)},
    )


def conflict() -> NotionError:
    """Somebody else saved at the same moment; nothing was written."""
    return NotionError(409, "conflict_error", "Conflict occurred while saving. Please try again.")


def block_limit_reached() -> NotionError:
    """A free workspace with several members has used up its blocks, for life."""
    return NotionError(
        403,
        "restricted_resource",
        "This workspace has reached its block limit. Upgrade the workspace's plan to create more blocks.",
        additional_data={"block_limit": "block_creation"},
    )


def saved_but_unavailable(resource_id: str | None, child_ids: list[str] | None) -> NotionError:
    """The write is done, and the answer is a 503 all the same: the guidance says not to repeat it."""
    data: dict[str, str | list[str]] = {
        "retry_guidance": [
            "Read the object again to see the result of the write.",
            "Do not repeat the write.",
        ]
    }
    if resource_id is not None:
        data["committed_resource_id"] = resource_id
    if child_ids is not None:
        data["committed_child_ids"] = child_ids
    return NotionError(
        503,
        "service_unavailable",
        "The write was saved, but its result is temporarily unavailable.",
        additional_data=data,
    )


def of_status(status: int, retry_after: int) -> NotionError:
    """What Notion says with *status* when nothing in particular is wrong with the request."""
    match status:
        case 429:
            return rate_limited(retry_after)
        case 529:
            return overloaded(retry_after)
        case 409:
            return conflict()
        case 401:
            return NotionError(401, "unauthorized", "API token is invalid.")
        case 403:
            return NotionError(403, "restricted_resource", "Insufficient permissions for this endpoint.")
        case 404:
            return NotionError(404, "object_not_found", "Could not find the requested object.")
        case 400:
            return invalid("body failed validation: body should be an object, instead was `undefined`.")
        case 503:
            return NotionError(503, "service_unavailable", "Notion is unavailable. Please try again later.")
        case _ if status >= 500:
            return NotionError(status, "internal_server_error", "Unexpected error occurred.")
        case _:
            return NotionError(status, "invalid_request", "Unsupported request.")


def edge_page(status: int) -> str:
    """The HTML that the edge in front of Notion answers with; the API never saw the request, or was too slow."""
    reason = EDGE_REASONS.get(status, "Error")
    return (
        f"<html>\r\n<head><title>{status} {reason}</title></head>\r\n"
        f"<body>\r\n<center><h1>{status} {reason}</h1></center>\r\n<hr><center>cloudflare</center>\r\n</body>\r\n</html>\r\n"
    )


def encoded(document: Json) -> bytes:
    """*document* as UTF-8; half a surrogate pair, which JSON can smuggle in, becomes U+FFFD as in any browser."""
    text = json.dumps(document, ensure_ascii=False, separators=(",", ":"))
    return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace").encode()
