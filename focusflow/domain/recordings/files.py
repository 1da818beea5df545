"""Which files are recordings, which are their sidecars, and which belong together?"""

import unicodedata

# fmt: off
_AUDIO = frozenset([
    "3g2", "3ga", "3gp", "3gpp", "aac", "ac3", "aif", "aifc", "aiff", "alac", "amr", "ape", "awb", "caf", "flac", "m4a",
    "m4b", "m4p", "m4r", "mka", "mogg", "mp2", "mp3", "mp4", "mpga", "oga", "ogg", "opus", "qcp", "tta", "voc", "wav",
    "wave", "weba", "webm", "wma", "wv",
])
# fmt: on
_SIDECAR = "json"
BYTES_PER_SECOND = 4_000
"""What phone recorders write, about: good enough for a price until something better is known."""


def is_audio(name: str, mime_type: str | None = None) -> bool:
    """Say whether a file is a recording: by its extension, else by its type.

    Drive calls recordings `application/octet-stream` often enough that the name comes first. Hidden files (a Mac's `._` twins,
    Android's `.pending-`) and Google's own kinds of file (documents, shortcuts) are never recordings.
    """
    kind = (mime_type or "").strip().lower()
    if name.startswith(".") or kind.startswith("application/vnd.google-apps"):
        return False
    extension = _extension(name)
    return extension in _AUDIO or (extension != _SIDECAR and kind.startswith("audio/"))


def is_sidecar(name: str) -> bool:
    """Say whether a file may describe the recording of the same stem."""
    return not name.startswith(".") and _extension(name) == _SIDECAR


def stem(name: str) -> str:
    """Return what a recording and its sidecar share: the name in NFC without extension.

    `x.m4a`, `x.json` and `x.m4a.json` have the stem `x`; a dot inside a name (`Dr. Ann`) is not an extension.
    """
    base = unicodedata.normalize("NFC", name)
    if _extension(base) == _SIDECAR:
        base = base.rpartition(".")[0]
    return base.rpartition(".")[0] if _extension(base) in _AUDIO else base


def estimated_seconds(size_bytes: int) -> float:
    """Guess how long a recording is from its size, at 4,000 bytes a second; a size below nothing is nothing."""
    return max(0, size_bytes) / BYTES_PER_SECOND


def _extension(name: str) -> str:
    before, dot, extension = name.rpartition(".")
    return extension.strip().lower() if dot and before else ""
