"""How long is a recording, by its own header?"""

from pathlib import Path


def header_seconds(path: Path) -> float | None:
    """Return the duration that the container's header states, or None if it cannot be read. Blocks: call it in a thread."""
    from tinytag import TinyTag, TinyTagException

    if path.suffix == ".amr":
        return _amr_seconds(path)
    try:
        duration = TinyTag.get(path, tags=False).duration
    except (TinyTagException, OSError, ValueError, KeyError, IndexError, ArithmeticError):
        return None  # whatever it is, the transcriber will tell, free of charge
    return duration if duration and duration > 0 else None


_AMR_MAGIC = b"#!AMR\n"
_AMR_FRAME_BYTES = (13, 14, 16, 18, 20, 21, 27, 32, 6)
"""Bytes of a narrow-band frame by its type, header byte included (RFC 4867, table 1); each lasts 20 ms."""


def _amr_seconds(path: Path) -> float | None:
    """Count the frames of a narrow-band AMR file."""
    with path.open("rb") as file:
        if file.read(len(_AMR_MAGIC)) != _AMR_MAGIC:
            return None
        frames = 0
        while header := file.read(1):
            kind = header[0] >> 3 & 0x0F
            size = _AMR_FRAME_BYTES[kind] if kind < len(_AMR_FRAME_BYTES) else 1
            file.seek(size - 1, 1)
            frames += 1
    return frames * 0.02 or None
