"""What does the JSON file beside a recording say?

Cube ACR writes `{"duration": "21504", "callee": "+1...", "direction": "Incoming", "loc": ..., "addr": ...}` with milliseconds as
a string; BCR writes a deeper one. `loc` and `addr` say where the user stood: nothing here keeps, quotes or returns them.
"""

import json
import math
import re
from collections.abc import Mapping
from typing import NoReturn

from msgspec import Struct

from focusflow.domain.jobs import Direction
from focusflow.domain.recordings.details import looks_like_number, tidy

_LONGEST_SECONDS = 86_400
_NUMBER = re.compile(r"[0-9]{1,15}(?:\.[0-9]{1,9})?")
_DIRECTIONS = {
    "in": Direction.INCOMING,
    "incoming": Direction.INCOMING,
    "out": Direction.OUTGOING,
    "outgoing": Direction.OUTGOING,
    "conference": Direction.CONFERENCE,
}


class Sidecar(Struct, frozen=True, kw_only=True):
    """What is certain in a sidecar."""

    duration_seconds: float | None = None
    """Above 0 and at most 24 hours; a recorder that says 0 does not know."""
    direction: Direction | None = None
    number: str | None = None
    problem: str | None = None
    """Why there is no duration, for the job's log; None if there is one."""


def read_sidecar(raw: bytes) -> Sidecar:
    """Read a sidecar of any known recorder. Never raises: what cannot be read is None, and `problem` says why."""
    try:
        content = json.loads(raw, parse_constant=_refuse)
    except (ValueError, RecursionError):
        return Sidecar(problem="the sidecar is not JSON")
    if not isinstance(content, dict):
        return Sidecar(problem="the sidecar is not a JSON object")
    return _of_bcr(content) if "output" in content or "timestamp_unix_ms" in content else _of_cube_acr(content)


def _refuse(constant: str) -> NoReturn:
    raise ValueError(constant)


def _of_cube_acr(content: Mapping[str, object]) -> Sidecar:
    milliseconds = _number(content.get("duration"))
    return _sidecar(
        None if milliseconds is None else milliseconds / 1_000,
        said="duration" in content,
        direction=content.get("direction"),
        number=content.get("callee"),
    )


def _of_bcr(content: Mapping[str, object]) -> Sidecar:
    recording = _object(_object(content.get("output")).get("recording"))
    # the length of the file itself comes first: pauses are not in it, and are not paid for
    durations = [recording.get(f"duration_secs_{kind}") for kind in ("encoded", "total", "wall")]
    parties = content.get("calls")
    first = parties[0] if isinstance(parties, list) and parties else None
    return _sidecar(
        next((seconds for seconds in map(_number, durations) if seconds is not None), None),
        said=any(duration is not None for duration in durations),
        direction=content.get("direction"),
        number=_object(first).get("phone_number"),
    )


def _sidecar(seconds: float | None, *, said: bool, direction: object, number: object) -> Sidecar:
    problem = None
    if seconds is None:
        problem = (
            "the sidecar's duration is not a number that can be used"
            if said
            else "the sidecar does not say how long the call was"
        )
    elif not 0 < seconds <= _LONGEST_SECONDS:
        problem = "the sidecar's duration is 0" if seconds == 0 else "the sidecar's duration is above 24 hours"
    return Sidecar(
        duration_seconds=seconds if problem is None else None,
        direction=_DIRECTIONS.get(direction.strip().lower()) if isinstance(direction, str) else None,
        number=_phone_number(number),
        problem=problem,
    )


def _number(value: object) -> float | None:
    """Return a finite number that is not negative; digits in a string are one."""
    if isinstance(value, str):
        value = float(value.strip()) if _NUMBER.fullmatch(value.strip()) else None
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    try:
        number = float(value)
    except OverflowError:
        return None
    return number if math.isfinite(number) and number >= 0 else None


def _phone_number(value: object) -> str | None:
    text = tidy(value) if isinstance(value, str) else ""
    return text if looks_like_number(text) else None


def _object(value: object) -> Mapping[str, object]:
    return value if isinstance(value, dict) else {}
