"""What does Drive mean when it refuses, and what should a person or the program do about it?"""

from collections.abc import Mapping
from datetime import datetime
from enum import Enum, auto

from msgspec import Struct

from focusflow.errors import CursorExpired, Held, HoldKind, Permanent, SourceError, StepError, Transient
from focusflow.providers.http_errors import retry_after, said, sentence
from focusflow.providers.json_text import document_in

LONG_PAUSE = 3600.0
"""Seconds to stay away after a daily quota is used up."""


class Trouble(Enum):
    """Every way in which a request to Drive fails, by what follows from it."""

    SILENT = auto()
    """No answer, or a broken one: the network's fault, or a proxy's."""
    FOREIGN = auto()
    """Somebody answered, but not Drive: a sign-in page, a proxy."""
    BUSY = auto()
    RATE_LIMITED = auto()
    OUT_OF_QUOTA = auto()
    IN_DEMAND = auto()
    """This one file was downloaded too often today."""
    CREDENTIALS = auto()
    FORBIDDEN = auto()
    LOCKED = auto()
    """The file may be seen and not downloaded."""
    MISSING = auto()
    """Gone, or not shared with us: Drive does not tell the two apart."""
    MALFORMED = auto()
    """Drive does not understand the request; with a page token in it, the token is too old."""


_REASONS = {
    "rateLimitExceeded": Trouble.RATE_LIMITED,
    "userRateLimitExceeded": Trouble.RATE_LIMITED,
    "sharingRateLimitExceeded": Trouble.OUT_OF_QUOTA,
    "dailyLimitExceeded": Trouble.OUT_OF_QUOTA,
    "quotaExceeded": Trouble.OUT_OF_QUOTA,
    "downloadQuotaExceeded": Trouble.IN_DEMAND,
    "cannotDownloadAbusiveFile": Trouble.LOCKED,
    "cannotDownloadFile": Trouble.LOCKED,
    "fileNotDownloadable": Trouble.LOCKED,
}

_STATUSES = {
    401: Trouble.CREDENTIALS,
    403: Trouble.FORBIDDEN,
    404: Trouble.MISSING,
    408: Trouble.BUSY,
    410: Trouble.MISSING,
    429: Trouble.RATE_LIMITED,
}


class DriveRefused(Exception):
    """A request failed. Never leaves this package: `Wording` turns it into one of our errors."""

    def __init__(
        self, trouble: Trouble, detail: str, *, status: int | None = None, retry_after: float | None = None
    ) -> None:
        super().__init__(detail)
        self.trouble = trouble
        self.detail = detail
        """What was said about it, in the words of Google or of the operating system."""
        self.status = status
        self.retry_after = retry_after


def refusal(status: int, headers: Mapping[str, str], body: bytes, *, now: datetime) -> DriveRefused:
    """Understand an answer that is not a success. *headers* have lower-case names, or do not care."""
    document = _parsed(body)
    trouble = _trouble(status, _reason_in(document), from_drive=isinstance(document, dict))
    detail = said(document) or f"HTTP status {status}"
    return DriveRefused(trouble, detail, status=status, retry_after=retry_after(headers, now=now))


def _trouble(status: int, reason: str | None, *, from_drive: bool) -> Trouble:
    if status >= 500:
        return Trouble.BUSY
    if not from_drive and status not in (401, 408, 429):
        return Trouble.FOREIGN  # Drive words its refusals in JSON: a proxy's 404 is no proof that a file is gone
    if status == 403 and reason in _REASONS:
        return _REASONS[reason]
    return _STATUSES.get(status, Trouble.MALFORMED)


def _parsed(body: bytes) -> object:
    try:
        return document_in(body)
    except ValueError:
        return None


def _reason_in(document: object) -> str | None:
    match document:
        case {"error": {"errors": [{"reason": str(reason)}, *_]}}:
            return reason
        case _:
            return None


class PlaceUnknown(Permanent):
    """Drive does not know the file or folder it was asked about. Stays inside this package."""


class NotUnderstood(PlaceUnknown):
    """Drive refused the request itself: where there is a page token in it, that is too old, or another account's."""


class Wording(Struct, frozen=True, kw_only=True):
    """What a refusal is called before a person: it knows whose key and which folder this is about."""

    account: str | None
    """The service account's address; None for a person's own account."""
    credentials_name: str
    folder_id: str

    def of(self, refused: DriveRefused, subject: str) -> StepError:
        """Return the error that *refused* means for *subject*, for example "The recording"."""
        match refused.trouble:
            case Trouble.SILENT | Trouble.FOREIGN | Trouble.BUSY:
                return Transient(self._no_answer(refused), retry_after=refused.retry_after)
            case Trouble.RATE_LIMITED:
                words = sentence("Google Drive asks us to slow down", refused.detail)
                return Held(HoldKind.RATE_LIMIT, words, retry_after=refused.retry_after)
            case Trouble.OUT_OF_QUOTA:
                pause = LONG_PAUSE if refused.retry_after is None else refused.retry_after
                words = sentence("Google Drive's quota is used up", refused.detail)
                return Held(HoldKind.RATE_LIMIT, words, retry_after=pause)
            case Trouble.IN_DEMAND:  # no retry_after: it would hold everybody for one file's sake
                return Held(HoldKind.SERVICE, sentence(f"{subject} was downloaded too often", refused.detail))
            case Trouble.CREDENTIALS:
                return self.bad_credentials(refused.detail)
            case Trouble.FORBIDDEN:
                return Permanent(sentence(f"{subject} may not be read", refused.detail, self.share()))
            case Trouble.LOCKED:
                return Permanent(sentence(f"{subject} may not be downloaded from Google Drive", refused.detail))
            case Trouble.MISSING:
                return PlaceUnknown(
                    f"{subject} is no longer in Google Drive, or no longer shared with {self.reader()}."
                )
            case Trouble.MALFORMED:
                return NotUnderstood(sentence("Google Drive does not understand our request", refused.detail))

    def bad_credentials(self, detail: str) -> Held:
        """The error for a key or token that Google does not take."""
        words = sentence("Google does not accept the credentials", detail, f"Check {self.credentials_name}")
        return Held(HoldKind.CREDENTIALS, words)

    def share(self) -> str:
        """What to do when the folder cannot be seen."""
        if self.account is None:
            return f"Sign in with an account that can open the Google Drive folder {self.folder_id}."
        return f"Share the Google Drive folder {self.folder_id} with {self.account} (as a viewer)."

    def no_folder(self) -> SourceError:
        """The error for a folder that is not there, or not for us."""
        return SourceError(
            sentence("The Google Drive folder with the recordings cannot be found", self.share())
            + " Its id is set by GOOGLE_DRIVE_FOLDER_ID."
        )

    def reader(self) -> str:
        """Who reads, in a sentence."""
        return self.account or "your account"

    def _no_answer(self, refused: DriveRefused) -> str:
        what = {
            Trouble.BUSY: "Google Drive has trouble of its own",
            Trouble.FOREIGN: "Something between us and Google Drive answered in its place",
        }
        return sentence(what.get(refused.trouble, "Google Drive cannot be reached"), refused.detail)


def for_discovery(error: StepError) -> SourceError:
    """Say for the whole source what *error* says for one step."""
    asked = error.retry_after if isinstance(error, Held | Transient) else None
    return SourceError(str(error), retry_after=asked)


def expired() -> CursorExpired:
    """The feed of changes cannot be followed from where we were."""
    return CursorExpired("Google Drive no longer knows how far we had read: everything is listed once more.")
