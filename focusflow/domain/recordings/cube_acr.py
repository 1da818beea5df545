"""What does Cube ACR put into a file name?

    2025-10-03 00-10-59 (phone) Pat (Work) (+1 812-555-0113) ↗.m4a

    name   := DATE " " TIME " (" TYPE ")" [" " LABEL] [" " ARROW]
    LABEL  := CONTACT " (" NUMBER ")" | "(" NUMBER ")" | NUMBER | CONTACT
    ARROW  := "↗" outgoing | "↙" incoming, perhaps followed by the " (1)" of a copy

Date and time are the phone's wall clock. The type is an open set. A call without an arrow has no direction: nobody knows it.
"""

import re
from zoneinfo import ZoneInfo

from focusflow.domain.jobs import Direction
from focusflow.domain.recordings.details import CallDetails, looks_like_number, read_clock, tidy, utc_instant

RECORDER = "cube-acr"

_NAME = re.compile(
    r"(?P<date>\d{4}-\d{2}-\d{2}) (?P<time>\d{2}-\d{2}-\d{2}) ?"
    r"\((?P<type>[^()]*[^()\s][^()]*)\)"
    r"(?P<label>.*?)"
    r"(?:(?P<arrow>[↗↙])[\ufe0e\ufe0f]?(?: ?\(\d{1,3}\))?)?"
)
_ARROWS = {"↗": Direction.OUTGOING, "↙": Direction.INCOMING}
_WITHOUT_LINE = frozenset({"mic"})
"""Nobody is called, so a label such as `2025-10-03` is a title and not a number."""


def read(base: str, zone: ZoneInfo) -> CallDetails | None:
    """Read one file name, tidied and without extension; None if Cube ACR did not write it."""
    found = _NAME.fullmatch(base)
    clock = read_clock(found["date"], found["time"]) if found else None
    call_at = utc_instant(clock, zone) if clock else None
    call_type = tidy(found["type"]).lower() if found else ""
    if found is None or call_at is None or not call_type:
        return None
    label = tidy(found["label"])
    contact, number = (label or None, None) if call_type in _WITHOUT_LINE else _read_label(label)
    return CallDetails(
        recorder=RECORDER,
        contact_name=contact,
        contact_number=number,
        direction=_ARROWS.get(found["arrow"] or ""),
        call_type=call_type,
        call_at=call_at,
    )


def _read_label(label: str) -> tuple[str | None, str | None]:
    """Split a label into contact and number."""
    opening = _opening_of_last_parentheses(label)
    if opening is not None and looks_like_number(inside := tidy(label[opening + 1 : -1])):
        return tidy(label[:opening]) or None, inside
    if looks_like_number(label):
        return None, label
    return label or None, None


def _opening_of_last_parentheses(label: str) -> int | None:
    """Return where the parentheses that end *label* open; numbers have some of their own: `(+1 (812) 555-0113)`."""
    depth = 0
    for position in range(len(label) - 1, -1, -1):
        depth += {")": 1, "(": -1}.get(label[position], 0)
        if depth <= 0:
            return position if position < len(label) - 1 else None
    return None
