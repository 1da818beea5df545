"""What do Drive's answers say? Files, folders and changes, read from its JSON."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from msgspec import Struct

from focusflow.ports import SourceFile
from focusflow.providers.drive.refusals import DriveRefused, Trouble

FOLDER = "application/vnd.google-apps.folder"
GOOGLE_NATIVE = "application/vnd.google-apps."
"""Documents, shortcuts and such: they have no bytes of their own, so they are no recordings. Shortcuts are not
followed: the file they point to is found where it is, and its sharing does not come with the shortcut."""

FILE_FIELDS = "id,name,mimeType,parents,trashed,size,md5Checksum,createdTime,modifiedTime,webViewLink"
FILE_FIELDS += ",owners(emailAddress)"


class Entry(Struct, frozen=True, kw_only=True):
    """A file or folder as Drive lists it."""

    id: str
    parents: tuple[str, ...]
    trashed: bool
    is_folder: bool
    file: SourceFile | None
    """None for folders, shortcuts and Google's own documents."""


class Listed(Struct, frozen=True, kw_only=True):
    """One page of a folder's content."""

    entries: tuple[Entry, ...]
    next_page: str | None


class Change(Struct, frozen=True, kw_only=True):
    """The latest state of something that changed."""

    id: str
    entry: Entry | None
    """None when it was deleted, or is not shared with us any more."""

    @property
    def is_folder(self) -> bool:
        """Whether it is known to be a folder."""
        return self.entry is not None and self.entry.is_folder


class Changed(Struct, frozen=True, kw_only=True):
    """One page of the feed of changes."""

    changes: tuple[Change, ...]
    token: str
    """Where the feed goes on."""
    more: bool


def listed(answer: Mapping[str, Any]) -> Listed:
    """Read a page of `files.list`. Raises KeyError, TypeError or ValueError when it is none, `DriveRefused` for half a one."""
    if answer.get("incompleteSearch"):
        raise DriveRefused(Trouble.BUSY, "it looked through only some of what there is")
    return Listed(
        entries=tuple(entry(document) for document in answer["files"]), next_page=_text(answer.get("nextPageToken"))
    )


def changed(answer: Mapping[str, Any]) -> Changed:
    """Read a page of `changes.list`. Raises KeyError, TypeError or ValueError when it is none."""
    more = _text(answer.get("nextPageToken"))
    return Changed(
        changes=tuple(_change(document) for document in answer["changes"]),
        token=more or _word(answer["newStartPageToken"]),
        more=bool(more),
    )


def _change(document: Mapping[str, Any]) -> Change:
    if document.get("changeType") == "drive":
        return Change(id=_word(document["driveId"]), entry=None if document.get("removed") else _shared_drive(document))
    told = document.get("file")
    return Change(id=_word(document["fileId"]), entry=None if document.get("removed") or told is None else entry(told))


def _shared_drive(document: Mapping[str, Any]) -> Entry:
    return Entry(id=_word(document["driveId"]), parents=(), trashed=False, is_folder=True, file=None)


def entry(document: Mapping[str, Any]) -> Entry:
    """Read one file or folder. Raises as `listed`: what is of another type than documented would fail far from here."""
    kind = _text(document.get("mimeType")) or ""
    return Entry(
        id=_word(document["id"]),
        parents=_parents(document),
        trashed=bool(document.get("trashed")),
        is_folder=kind == FOLDER,
        file=None if kind.startswith(GOOGLE_NATIVE) else _file(document),
    )


def _file(document: Mapping[str, Any]) -> SourceFile:
    parents = _parents(document)
    md5 = _text(document.get("md5Checksum"))
    return SourceFile(
        file_id=_word(document["id"]),
        name=_word(document["name"]),
        parent_id=parents[0] if parents else None,
        mime_type=_text(document.get("mimeType")),
        size=_size(document.get("size")),
        md5=md5.lower() if md5 else None,
        owners=tuple(
            _word(owner["emailAddress"]) for owner in document.get("owners") or () if owner.get("emailAddress")
        ),
        created_at=_instant(document.get("createdTime")),
        modified_at=_instant(document.get("modifiedTime")),
        web_url=_text(document.get("webViewLink")),
    )


def _parents(document: Mapping[str, Any]) -> tuple[str, ...]:
    return tuple(_word(parent) for parent in document.get("parents") or ())


def _word(value: object) -> str:
    if not isinstance(value, str):
        raise TypeError("not a text")
    return value


def _text(value: object) -> str | None:
    return None if value is None else _word(value)


def _size(value: object) -> int | None:
    """Drive writes 64-bit numbers as strings."""
    if value is None:
        return None
    size = int(value) if isinstance(value, str | int) else -1
    if not 0 <= size < 2**63:
        raise ValueError("not a size")
    return size


def _instant(value: object) -> datetime | None:
    try:
        return None if value is None else datetime.fromisoformat(_word(value)).astimezone(UTC)
    except OverflowError as exc:
        raise ValueError("outside the calendar") from exc
