"""What does Drive tell about a file? Its JSON resources, built only as far as the client asked."""

import zlib
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Final

from focusflow.sandbox.drive.fields import Selection, project
from focusflow.sandbox.drive.files import FOLDER, SHORTCUT, DriveFile, DriveFiles

Part = Callable[[DriveFile, DriveFiles], object]

DEFAULT_FILE: Final[Selection] = {"kind": None, "id": None, "name": None, "mimeType": None}


def timestamp(moment: float) -> str:
    """RFC 3339 with milliseconds, as Drive writes it."""
    return datetime.fromtimestamp(moment, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def resource(file: DriveFile, files: DriveFiles, selection: Selection | None) -> dict[str, object]:
    """The file's resource, with the fields of *selection*; parts that the file does not have are left out."""
    wanted = DEFAULT_FILE if selection is None else selection
    names = _PARTS if "*" in wanted else [name for name in wanted if name in _PARTS]
    parts = {name: _PARTS[name](file, files) for name in names}
    return {name: project(part, wanted.get(name)) for name, part in parts.items() if part is not None}


def _user(file: DriveFile, files: DriveFiles) -> dict[str, object] | None:
    if file.owner is None:
        return None
    return {
        "kind": "drive#user",
        "displayName": file.owner.partition("@")[0].title(),
        "me": False,
        "permissionId": f"{zlib.crc32(file.owner.encode()):020d}",
        "emailAddress": file.owner,
    }


def _owners(file: DriveFile, files: DriveFiles) -> list[object] | None:
    return None if file.owner is None else [_user(file, files)]


def _parents(file: DriveFile, files: DriveFiles) -> list[str] | None:
    return [file.parent] if file.parent is not None and files.find(file.parent) else None


def _size(file: DriveFile, files: DriveFiles) -> str | None:
    return None if file.content is None else str(file.content.size)


def _view_link(file: DriveFile, files: DriveFiles) -> str:
    if file.mime_type == FOLDER:
        return f"https://drive.google.com/drive/folders/{file.id}"
    return f"https://drive.google.com/file/d/{file.id}/view?usp=drivesdk"


def _content_link(file: DriveFile, files: DriveFiles) -> str | None:
    return f"https://drive.google.com/uc?id={file.id}&export=download" if file.content else None


def _extension(file: DriveFile, files: DriveFiles) -> str | None:
    return file.name.rpartition(".")[2] if file.content and "." in file.name else None


def _revision(file: DriveFile, files: DriveFiles) -> str | None:
    return f"0B{file.id[1:20]}{file.revision:04d}" if file.content else None


def _capabilities(file: DriveFile, files: DriveFiles) -> dict[str, bool]:
    return {"canDownload": file.content is not None, "canEdit": False, "canTrash": False, "canDelete": False}


def _shortcut(file: DriveFile, files: DriveFiles) -> dict[str, str] | None:
    if file.mime_type != SHORTCUT or file.target is None:
        return None
    target = files.find(file.target)
    return {"targetId": file.target} | ({"targetMimeType": target.mime_type} if target else {})


_PARTS: Final[Mapping[str, Part]] = {
    "kind": lambda file, files: "drive#file",
    "id": lambda file, files: file.id,
    "name": lambda file, files: file.name,
    "mimeType": lambda file, files: file.mime_type,
    "starred": lambda file, files: False,
    "trashed": lambda file, files: file.trashed,
    "explicitlyTrashed": lambda file, files: file.explicitly_trashed,
    "parents": _parents,
    "spaces": lambda file, files: ["drive"],
    "version": lambda file, files: str(file.version),
    "webContentLink": _content_link,
    "webViewLink": _view_link,
    "viewedByMe": lambda file, files: False,
    "createdTime": lambda file, files: timestamp(file.created),
    "modifiedTime": lambda file, files: timestamp(file.modified),
    "owners": _owners,
    "driveId": lambda file, files: file.drive_id,
    "teamDriveId": lambda file, files: file.drive_id,
    "lastModifyingUser": _user,
    "shared": lambda file, files: True,
    "ownedByMe": lambda file, files: None if file.drive_id else False,
    "capabilities": _capabilities,
    "originalFilename": lambda file, files: file.name if file.content else None,
    "fullFileExtension": _extension,
    "fileExtension": _extension,
    "md5Checksum": lambda file, files: file.md5,
    "size": _size,
    "quotaBytesUsed": lambda file, files: _size(file, files) or "0",
    "headRevisionId": _revision,
    "shortcutDetails": _shortcut,
}
