"""What does a recording's file name say about its call, whoever wrote it?"""

import re
import unicodedata
from datetime import UTC, datetime
from typing import Protocol
from zoneinfo import ZoneInfo

from msgspec import Struct

from focusflow.domain.jobs import Direction

_INSIDE_WORDS = "\u200c\u200d"
"""The zero-width (non-)joiner: invisible, yet part of Persian words and of family emoji."""


class CallDetails(Struct, frozen=True, kw_only=True):
    """What a file name tells; None is what it does not tell."""

    recorder: str
    """The grammar that read the name."""
    contact_name: str | None
    contact_number: str | None
    """As written, tidied; `normal_number` makes it comparable."""
    direction: Direction | None
    call_type: str
    """`phone`, `whatsapp`, `mic`, ...: an open set, lower case."""
    call_at: datetime
    """Aware and UTC."""


class Grammar(Protocol):
    """Reads the file names of one recorder."""

    def __call__(self, base: str, zone: ZoneInfo) -> CallDetails | None:
        """Read *base* (tidied, without extension), its clock in *zone*; None if it is not this recorder's."""


def tidy(text: str) -> str:
    """Return *text* in NFC, its white space single, without control, bidi or other invisible characters."""
    spaced = " ".join(unicodedata.normalize("NFC", text).split())
    # Cs: a lone surrogate, left by an undecodable file name, cannot be stored as UTF-8
    visible = "".join(c for c in spaced if c in _INSIDE_WORDS or unicodedata.category(c) not in ("Cc", "Cf", "Cs"))
    return " ".join(unicodedata.normalize("NFC", visible).split()).strip(_INSIDE_WORDS + " ")


def looks_like_number(text: str) -> bool:
    """Say whether *text* is nothing but a phone number, a short code (`*86`, `000`) included."""
    digits = sum(c.isdecimal() for c in text)
    if any(not c.isdecimal() and c not in "+-./()*#,; \u2010\u2011\u2012\u2013" for c in text):
        return False
    return digits >= 3 or (digits >= 1 and text.startswith(("*", "#")))


def utc_instant(wall_clock: datetime, zone: ZoneInfo) -> datetime | None:
    """Return the instant at which clocks in *zone* showed *wall_clock*; None outside the calendar.

    An hour that happened twice means its first occurrence; a time that clocks jumped over is moved forward by the jump
    (02:30 becomes 03:30). Both are what `fold=0` means, and both keep calls in the order in which they were named.
    """
    try:
        return wall_clock.replace(tzinfo=zone, fold=0).astimezone(UTC)
    except (OverflowError, ValueError):
        return None


def read_clock(date: str, time: str) -> datetime | None:
    """Read the digits of *date* (year first) and *time*; None when there is no such day or hour."""
    year, month, day = re.findall(r"\d+", date)
    hour, minute, second = re.findall(r"\d+", time)
    try:
        return datetime(int(year), int(month), int(day), int(hour), int(minute), int(second))
    except ValueError:
        return None
