"""How is Google's own client asked? Everything here blocks and is heavy to import: import and call it in a thread."""

import binascii
import contextlib
import socket
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from functools import partial
from http.client import HTTPException
from typing import Any, TypeVar

import google.auth.transport.requests
import google.oauth2.credentials
import google.oauth2.service_account
import httplib2
import requests
from google.auth.exceptions import GoogleAuthError, RefreshError
from googleapiclient.discovery import build
from googleapiclient.errors import HttpError
from httplib2.decode import DecodeLimitError, DecodeRatioError

from focusflow.providers.drive.refusals import DriveRefused, Trouble, refusal

SCOPES = ("https://www.googleapis.com/auth/drive.readonly",)
GOOGLE_TOKEN_URI = "https://oauth2.googleapis.com/token"  # noqa: S105  # an address

T = TypeVar("T")
Requests = Any
"""googleapiclient makes its classes at run time from the discovery document; there is no type to name."""


def connect(base_url: str) -> Requests:
    """Return what builds requests to *base_url*, from the API's description that ships with the client."""
    return build(
        "drive",
        "v3",
        http=new_http(timeout=60),  # never used: each call brings its own
        cache_discovery=False,
        static_discovery=True,
        client_options={"api_endpoint": base_url.rstrip("/") + "/"},
    )


def new_http(timeout: float) -> httplib2.Http:
    """Return a transport for one call at a time; *timeout* is for each wait at the socket, in seconds."""
    return httplib2.Http(timeout=timeout)  # type: ignore[no-untyped-call]  # ships no types


def ask(
    drive: Requests,
    make: Callable[[Requests], Any],
    understand: Callable[[dict[str, Any]], T],
    *,
    token: str,
    http: httplib2.Http,
) -> T:
    """Send the request that *make* builds and return what *understand* reads in the answer. Raises `DriveRefused`."""
    try:
        return understand(_answer(make(drive), token, http))
    except BaseException:
        close(http)
        raise


def _answer(request: Any, token: str, http: httplib2.Http) -> dict[str, Any]:
    # we set the header ourselves: google-auth's own would also ask Google where the account may be used
    request.headers["authorization"] = f"Bearer {token}"
    try:
        answer = request.execute(http=http, num_retries=0)
    except HttpError as exc:
        raise refusal(exc.status_code, exc.resp, exc.content, now=datetime.now(UTC)) from exc
    except (GoogleAuthError, httplib2.HttpLib2Error, HTTPException, OSError) as exc:
        raise DriveRefused(Trouble.SILENT, _in_words(exc)) from exc
    except (DecodeLimitError, DecodeRatioError) as exc:
        raise DriveRefused(Trouble.FOREIGN, "its answer grows without end when it is unpacked") from exc
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as exc:  # the client reads as it hopes
        raise DriveRefused(Trouble.FOREIGN, "its answer is not JSON") from exc
    if not isinstance(answer, dict):  # the client passes a proxy's page on as a string
        raise DriveRefused(Trouble.FOREIGN, "its answer is not JSON")
    return answer


def close(http: httplib2.Http) -> None:
    """Close the connections of *http*, which nobody uses now."""
    http.close()  # type: ignore[no-untyped-call]  # ships no types


def hang_up(http: httplib2.Http) -> None:
    """Break whatever call *http* is in the middle of; the thread that waits for it then ends at once."""
    for connection in list(http.connections.values()):
        if connection.sock is not None:
            with contextlib.suppress(OSError):  # it ended in this moment
                # below TLS, whose own shutdown would wait for the peer
                socket.socket.shutdown(connection.sock, socket.SHUT_RDWR)


Credentials = google.oauth2.service_account.Credentials | google.oauth2.credentials.Credentials


def load_credentials(info: Mapping[str, Any], *, token_uri: str | None) -> Credentials:
    """Return the credentials *info* describes: a service account's key, or an OAuth client with a refresh token."""
    try:
        if "refresh_token" in info:
            return google.oauth2.credentials.Credentials(  # type: ignore[no-untyped-call]  # ships no types
                None,
                refresh_token=info["refresh_token"],
                token_uri=token_uri or info.get("token_uri") or GOOGLE_TOKEN_URI,
                client_id=info["client_id"],
                client_secret=info["client_secret"],
                scopes=SCOPES,
            )
        key = {**info, "token_uri": token_uri or info.get("token_uri") or GOOGLE_TOKEN_URI}
        return _from_key(key)
    except (ValueError, KeyError, TypeError, binascii.Error, GoogleAuthError) as exc:
        # the parser's own words may quote the key
        raise DriveRefused(Trouble.CREDENTIALS, "They are not a complete service account key") from exc


def _from_key(key: Mapping[str, Any]) -> google.oauth2.service_account.Credentials:
    make: Callable[..., Any] = google.oauth2.service_account.Credentials.from_service_account_info
    credentials: google.oauth2.service_account.Credentials = make(key, scopes=SCOPES)
    return credentials


def refresh(credentials: Credentials, *, timeout: float) -> str:
    """Fetch a new access token, keep it in *credentials* and return it. Raises `DriveRefused`."""
    try:
        with requests.Session() as session:
            transport = google.auth.transport.requests.Request(session)
            credentials.refresh(partial(_heeding, transport, timeout=timeout))  # type: ignore[no-untyped-call]  # ships no types
    except RefreshError as exc:
        trouble = Trouble.BUSY if exc.retryable else Trouble.CREDENTIALS
        raise DriveRefused(trouble, _in_words(exc)) from exc
    except (GoogleAuthError, requests.RequestException, OSError) as exc:
        raise DriveRefused(Trouble.SILENT, _in_words(exc)) from exc
    except (
        TypeError,
        KeyError,
        ValueError,
        AttributeError,
        RecursionError,
    ) as exc:  # google-auth takes a proxy's page for an answer
        raise DriveRefused(Trouble.FOREIGN, "its answer is not JSON") from exc
    if not isinstance(credentials.token, str):
        raise DriveRefused(Trouble.FOREIGN, "its answer has no access token")
    return credentials.token


def _heeding(transport: Callable[..., Any], *arguments: Any, timeout: float, **more: Any) -> Any:
    """Send a request for a token; raise `DriveRefused` for one that says when to come back: google-auth would not wait."""
    answer = transport(*arguments, **more | {"timeout": timeout})
    if answer.status in (429, 503) and "retry-after" in {name.lower() for name in answer.headers}:
        raise refusal(answer.status, answer.headers, answer.data, now=datetime.now(UTC))
    return answer


def _in_words(error: BaseException) -> str:
    """Return the first thing *error* says, or its name where it says nothing."""
    words = str(error.args[0]) if error.args and isinstance(error.args[0], str) else str(error)
    return words or type(error).__name__
