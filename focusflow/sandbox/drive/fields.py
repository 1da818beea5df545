"""Which parts of an answer did the client ask for? Google's partial responses: `nextPageToken,files(id,owners/me)`."""

import re
from typing import Final

Selection = dict[str, "Selection | None"]
"""Names to what is wanted inside; None is all of it."""


class InvalidFields(Exception):
    """Drive answers 400 `invalidParameter` with location `fields`; the argument names the wrong part."""


FILE_FIELDS: Final = frozenset(
    re.findall(
        r"\w+",
        """appProperties capabilities clientEncryptionDetails contentHints contentRestrictions copyRequiresWriterPermission
        createdTime description downloadRestrictions driveId explicitlyTrashed exportLinks fileExtension folderColorRgb
        fullFileExtension hasAugmentedPermissions hasThumbnail headRevisionId iconLink id imageMediaMetadata
        inheritedPermissionsDisabled isAppAuthorized kind labelInfo lastModifyingUser linkShareMetadata md5Checksum mimeType
        modifiedByMe modifiedByMeTime modifiedTime name originalFilename ownedByMe owners parents permissionIds permissions
        properties quotaBytesUsed resourceKey sha1Checksum sha256Checksum shared sharedWithMeTime sharingUser
        shortcutDetails size spaces starred teamDriveId thumbnailLink thumbnailVersion trashed trashedTime trashingUser
        version videoMediaMetadata viewedByMe viewedByMeTime viewersCanCopyContent webContentLink webViewLink
        writersCanShare""",
    )
)
LIST_FIELDS: Final = frozenset({"kind", "nextPageToken", "incompleteSearch", "files"})
CHANGE_FIELDS: Final = frozenset(
    {"kind", "type", "changeType", "time", "removed", "fileId", "file", "driveId", "drive", "teamDriveId", "teamDrive"}
)
CHANGES_FIELDS: Final = frozenset({"kind", "nextPageToken", "newStartPageToken", "changes"})
START_TOKEN_FIELDS: Final = frozenset({"kind", "startPageToken"})

_INSIDE: Final = {"files": FILE_FIELDS, "file": FILE_FIELDS, "changes": CHANGE_FIELDS}
"""What a field's own fields may be called, where we know."""


def parse(fields: str, known: frozenset[str]) -> Selection:
    """Read a `fields` parameter for a resource with *known* fields; raise InvalidFields."""
    parts = re.findall(r"[A-Za-z0-9]+|[*,()/]|\S", fields)
    selection, rest = _list(parts, 0, known)
    if rest != len(parts):
        raise InvalidFields(parts[rest])
    return selection


def project(value: object, selection: Selection | None) -> object:
    """What *selection* leaves of *value*; lists are projected item by item."""
    if selection is None or "*" in selection:
        return value
    if isinstance(value, list):
        return [project(item, selection) for item in value]
    if isinstance(value, dict):
        return {name: project(inner, selection[name]) for name, inner in value.items() if name in selection}
    return value


def _list(parts: list[str], at: int, known: frozenset[str] | None) -> tuple[Selection, int]:
    selection: Selection = {}
    while True:
        at = _one(parts, at, known, selection)
        if at == len(parts) or parts[at] != ",":
            return selection, at
        at += 1


def _one(parts: list[str], at: int, known: frozenset[str] | None, selection: Selection) -> int:
    name = parts[at] if at < len(parts) else ""
    if not (name == "*" or (name.isalnum() and (known is None or name in known))):
        raise InvalidFields(name)
    at += 1
    inner: Selection | None = None
    if at < len(parts) and parts[at] == "(":
        inner, at = _list(parts, at + 1, _INSIDE.get(name))
        if at == len(parts) or parts[at] != ")":
            raise InvalidFields(name)
        at += 1
    elif at < len(parts) and parts[at] == "/":
        inner = {}
        at = _one(parts, at + 1, _INSIDE.get(name), inner)
    _merge(selection, name, inner)
    return at


def _merge(selection: Selection, name: str, inner: Selection | None) -> None:
    known = selection.get(name)
    if name not in selection or inner is None:
        selection[name] = inner
    elif known is not None:
        for inner_name, deeper in inner.items():
            _merge(known, inner_name, deeper)
