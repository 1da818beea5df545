"""Which files of a local folder were reported already? A cursor that remembers each by name, small by compression."""

import base64
import binascii
import json
import zlib
from collections.abc import Mapping

from focusflow.errors import CursorExpired

VERSION = 1


def encoded(seen: Mapping[str, str], *, full: bool) -> str:
    """Return a cursor for files by path and fingerprint; *full* says that a first listing is under way."""
    # sorted names share their beginnings, which is what makes them small
    lines = "\0".join(f"{path}\0{fingerprint}" for path, fingerprint in sorted(seen.items()))
    packed = base64.b64encode(zlib.compress(lines.encode(), 6)).decode()
    return json.dumps({"v": VERSION, "full": full, "seen": packed}, separators=(",", ":"))


def decoded(cursor: str) -> tuple[dict[str, str], bool]:
    """Return what `encoded` was given. Raises `CursorExpired` for a cursor that is not one of ours."""
    try:
        document = json.loads(cursor)
        if document["v"] != VERSION:
            raise ValueError("made by another version")
        lines = zlib.decompress(base64.b64decode(document["seen"])).decode()
        parts = lines.split("\0") if lines else []
        return dict(zip(parts[::2], parts[1::2], strict=True)), bool(document["full"])
    except (ValueError, KeyError, TypeError, binascii.Error, zlib.error) as exc:
        raise CursorExpired(
            "What was remembered of the folder cannot be read: everything is listed once more."
        ) from exc
