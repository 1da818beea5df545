"""What are a file's bytes? Stored ones, or an endless stream cut at any size that is never held in memory."""

import hashlib
import random
from collections.abc import Iterator
from functools import cache, cached_property, lru_cache
from typing import Protocol

from msgspec import Struct

PIECE = 256 * 1024

_PAD_SIZE = 1_048_573
"""A prime, so that a download resumed at a wrong round offset gets wrong bytes."""
_TAIL_SIZE = 32


class Content(Protocol):
    """The bytes of one revision of a file."""

    @property
    def size(self) -> int: ...

    @property
    def md5(self) -> str:
        """The true checksum, in hexadecimal."""
        ...

    def pieces(self, start: int, stop: int) -> Iterator[bytes]:
        """The bytes from *start* up to *stop*, at most `PIECE` at a time."""
        ...


class Stored(Struct, frozen=True, dict=True):
    """Bytes that somebody gave us."""

    data: bytes

    @cached_property
    def md5(self) -> str:
        return hashlib.md5(self.data, usedforsecurity=False).hexdigest()

    @property
    def size(self) -> int:
        return len(self.data)

    def pieces(self, start: int, stop: int) -> Iterator[bytes]:
        for at in range(start, stop, PIECE):
            yield self.data[at : min(at + PIECE, stop)]


class Synthetic(Struct, frozen=True):
    """*size* bytes that no other seed has, made while they are read.

    All sizes share one endless stream and only the last 32 bytes are the seed's own. So the checksum of the stream
    up to a size is computed once, and a hundred thousand files of that size cost nothing more.
    """

    size: int
    seed: str

    @property
    def md5(self) -> str:
        digest = _stream_digest(self._shared).copy()
        digest.update(self._tail)
        return digest.hexdigest()

    def pieces(self, start: int, stop: int) -> Iterator[bytes]:
        for at in range(start, min(stop, self._shared), PIECE):
            yield _stream(at, min(at + PIECE, stop, self._shared))
        if stop > self._shared:
            yield self._tail[max(start - self._shared, 0) : stop - self._shared]

    @property
    def _shared(self) -> int:
        return max(self.size - _TAIL_SIZE, 0)

    @property
    def _tail(self) -> bytes:
        return hashlib.sha256(self.seed.encode()).digest()[: self.size - self._shared]


@cache
def _pad() -> bytes:
    once = random.Random("drive").randbytes(_PAD_SIZE)
    return once + once[:PIECE]


def _stream(start: int, stop: int) -> bytes:
    at = start % _PAD_SIZE
    return _pad()[at : at + stop - start]


@lru_cache(maxsize=4096)
def _stream_digest(size: int) -> "hashlib._Hash":
    digest = hashlib.md5(usedforsecurity=False)
    for at in range(0, size, PIECE):
        digest.update(_stream(at, min(at + PIECE, size)))
    return digest
