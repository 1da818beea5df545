"""Which files of a local folder were reported already? A cursor that remembers each by name, small by compression.

It is a list of blocks, the later ones overriding the earlier: a page adds a small one instead of writing all anew.
"""

import base64
import binascii
import json
import zlib
from collections.abc import Mapping, Sequence
from typing import Final

from focusflow.errors import CursorExpired

VERSION: Final = 1
GONE: Final = ""
"""In place of a fingerprint: forget this file."""


def block(files: Mapping[str, str]) -> str:
    """Pack files, by path, with their fingerprints or `GONE`."""
    # sorted names share their beginnings, which is what makes them small
    lines = "\0".join(f"{path}\0{fingerprint}" for path, fingerprint in sorted(files.items()))
    return base64.b64encode(zlib.compress(lines.encode(), 2)).decode()


def encoded(blocks: Sequence[str], *, full: bool) -> str:
    """Return a cursor that remembers what is in *blocks*; *full* says that a first listing is under way."""
    return json.dumps({"v": VERSION, "full": full, "seen": blocks}, separators=(",", ":"))


def decoded(cursor: str) -> tuple[list[str], bool]:
    """Return what `encoded` was given. Raises `CursorExpired` for a cursor that is not one of ours."""
    try:
        document = json.loads(cursor)
        if document["v"] != VERSION or not isinstance(document["seen"], list):
            raise ValueError("made by another version")
        return document["seen"], bool(document["full"])
    except (ValueError, KeyError, TypeError) as exc:
        raise _unreadable() from exc


def remembered(blocks: Sequence[str]) -> dict[str, str]:
    """Unpack *blocks*: fingerprints by path. Raises `CursorExpired` when they are damaged."""
    seen: dict[str, str] = {}
    try:
        for packed in blocks:
            lines = zlib.decompress(base64.b64decode(packed)).decode()
            parts = lines.split("\0") if lines else []
            seen.update(zip(parts[::2], parts[1::2], strict=True))
    except (ValueError, TypeError, binascii.Error, zlib.error) as exc:
        raise _unreadable() from exc
    return {path: fingerprint for path, fingerprint in seen.items() if fingerprint != GONE}


def _unreadable() -> CursorExpired:
    return CursorExpired("What was remembered of the folder cannot be read: everything is listed once more.")
