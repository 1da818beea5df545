"""How does Drive say no? Its error bodies, by status and by reason."""

import json
from collections.abc import Mapping
from typing import Final

from aiohttp import web

JSON_TYPE: Final = "application/json; charset=UTF-8"


class Refusal(Exception):
    """The request is answered with an error."""

    def __init__(
        self,
        status: int,
        reason: str,
        message: str,
        *,
        domain: str = "global",
        location: str = "",
        location_type: str = "parameter",
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(message)
        self.status = status
        self._headers = dict(headers or {})
        detail = {"message": message, "domain": domain, "reason": reason}
        if location:
            detail |= {"location": location, "locationType": location_type}
        self._error: dict[str, object] = {"code": status, "message": message, "errors": [detail]}
        if status == 401:
            self._error["status"] = "UNAUTHENTICATED"

    def response(self) -> web.Response:
        """The error as Drive sends it."""
        body = json.dumps({"error": self._error}, indent=1)
        return web.Response(
            body=body.encode(), status=self.status, headers={"Content-Type": JSON_TYPE, **self._headers}
        )


_FORBIDDEN: Final = {
    "userRateLimitExceeded": ("usageLimits", "User Rate Limit Exceeded"),
    "rateLimitExceeded": ("usageLimits", "Rate Limit Exceeded"),
    "dailyLimitExceeded": ("usageLimits", "Daily Limit Exceeded"),
    "quotaExceeded": ("usageLimits", "The quota has been exceeded."),
    "downloadQuotaExceeded": ("usageLimits", "The download quota for this file has been exceeded."),
    "sharingRateLimitExceeded": ("global", 'Rate limit exceeded. User message: "You\'ve exceeded your sharing limit"'),
    "insufficientFilePermissions": ("global", "The user does not have sufficient permissions for this file."),
    "insufficientPermissions": ("global", "Insufficient Permission: Request had insufficient authentication scopes."),
    "appNotAuthorizedToFile": ("global", "The user has not granted the app access to the file."),
    "domainPolicy": ("global", "The domain administrators have disabled Drive apps."),
    "accessNotConfigured": (
        "usageLimits",
        "Access Not Configured. Drive API has not been used in this project before.",
    ),
    "cannotDownloadAbusiveFile": (
        "global",
        "This file has been identified as malware or spam and cannot be downloaded.",
    ),
    "cannotDownloadFile": ("global", "This file cannot be downloaded by the user."),
    "fileNotDownloadable": (
        "global",
        "Only files with binary content can be downloaded. Use Export with Docs Editors files.",
    ),
}
FORBIDDEN_REASONS: Final = frozenset(_FORBIDDEN)
"""Every reason a 403 can have; each is also the name of a fault."""


def forbidden(reason: str) -> Refusal:
    """A 403 with one of `FORBIDDEN_REASONS`."""
    domain, message = _FORBIDDEN[reason]
    return Refusal(403, reason, message, domain=domain)


def invalid(location: str, message: str = "Invalid Value") -> Refusal:
    """A 400 that blames the parameter *location*."""
    return Refusal(400, "invalid", message, location=location)


def not_found(file_id: str) -> Refusal:
    """A 404: the file is gone, or was never shared; nobody can tell which."""
    return Refusal(404, "notFound", f"File not found: {file_id}.", location="fileId")


def unauthenticated() -> Refusal:
    """A 401: no token, or one that is unknown or expired."""
    return Refusal(
        401,
        "authError",
        "Invalid Credentials",
        location="Authorization",
        location_type="header",
        headers={"WWW-Authenticate": 'Bearer realm="https://accounts.google.com/", error="invalid_token"'},
    )


def of_status(status: int, retry_after: float | None) -> Refusal:
    """The usual error of that status, for faults that name no reason."""
    headers = {} if retry_after is None else {"Retry-After": f"{retry_after:g}"}
    if status == 401:
        return unauthenticated()
    reason, domain, message = {
        400: ("badRequest", "global", "Bad Request"),
        403: ("userRateLimitExceeded", "usageLimits", "User Rate Limit Exceeded"),
        404: ("notFound", "global", "Not Found"),
        408: ("requestTimeout", "global", "Request Timeout"),
        416: ("requestedRangeNotSatisfiable", "global", "Request range not satisfiable"),
        429: ("rateLimitExceeded", "usageLimits", "Rate Limit Exceeded"),
        500: ("internalError", "global", "Internal Error"),
        503: ("transientError", "global", "Transient failure"),
    }.get(status, ("backendError", "global", "Backend Error"))
    return Refusal(status, reason, message, domain=domain, headers=headers)
