"""What is this file: whose recorder wrote it, and what do its name and its sidecar say of the call?

A new recorder is one module with a `read(base, zone)` and one line in `GRAMMARS`.
"""

from collections.abc import Mapping
from types import MappingProxyType
from zoneinfo import ZoneInfo

from focusflow.domain.recordings import bcr, cube_acr
from focusflow.domain.recordings.details import CallDetails, Grammar, tidy, utc_instant
from focusflow.domain.recordings.files import BYTES_PER_SECOND, estimated_seconds, is_audio, is_sidecar, stem
from focusflow.domain.recordings.numbers import normal_number
from focusflow.domain.recordings.sidecars import Sidecar, read_sidecar

__all__ = [
    "BYTES_PER_SECOND",
    "GRAMMARS",
    "CallDetails",
    "Grammar",
    "Sidecar",
    "estimated_seconds",
    "is_audio",
    "is_sidecar",
    "normal_number",
    "read_file_name",
    "read_sidecar",
    "stem",
    "tidy",
    "utc_instant",
]

GRAMMARS: Mapping[str, Grammar] = MappingProxyType({cube_acr.RECORDER: cube_acr.read, bcr.RECORDER: bcr.read})
"""Tried in this order; the first that reads a name wins."""


def read_file_name(name: str, zone: ZoneInfo) -> CallDetails | None:
    """Read a recording's file name, its wall clock in *zone*; None if no known recorder writes such names."""
    base = tidy(stem(name))
    return next((details for read in GRAMMARS.values() if (details := read(base, zone)) is not None), None)
