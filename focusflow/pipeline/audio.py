"""How long is a recording, by its own header?"""

from pathlib import Path

PCM_BYTES_PER_SECOND = 2 * 96_000 * 2 * 3
"""Twice a studio's uncompressed sound, which has 96 kHz, stereo, 24 bits: no phone writes more."""
LOSSY_BYTES_PER_SECOND = 100_000
"""Beyond what an MP3 (40,000) or a stereo AAC (72,000) can have at all."""
_PCM = frozenset([".aif", ".aifc", ".aiff", ".caf", ".flac", ".wav", ".wave"])


def header_seconds(path: Path) -> float | None:
    """Return the duration that the container's header states, or None if it cannot be read, or cannot be true.

    A header by which each second has more bytes than sound can have is damaged, or was never one: where it says that a call
    was short, the call may be long. Blocks: call it in a thread.
    """
    seconds = _stated_seconds(path)
    if seconds is None:
        return None
    most = PCM_BYTES_PER_SECOND if path.suffix in _PCM else LOSSY_BYTES_PER_SECOND
    return seconds if path.stat().st_size <= seconds * most else None


def _stated_seconds(path: Path) -> float | None:
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
