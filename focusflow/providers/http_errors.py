"""What did a service say when it refused? Its sentence and its Retry-After, whatever HTTP library heard them."""

import math
from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

from focusflow.providers.json_text import document_in

LONGEST_SENTENCE = 300
LONGEST_WAIT = 30 * 86_400.0
"""Seconds. Who asks for more is taken by this word: no clock could keep what some servers write."""


def retry_after(headers: Mapping[str, str], *, now: datetime) -> float | None:
    """Return the seconds to wait that *headers* ask for, at most a month; None when they ask for nothing we understand."""
    if (milliseconds := _number(headers.get("retry-after-ms"))) is not None:
        return min(milliseconds / 1000, LONGEST_WAIT)
    value = headers.get("retry-after", "")
    seconds = _number(value)
    seconds = _seconds_until(value, now) if seconds is None else seconds
    return None if seconds is None else min(seconds, LONGEST_WAIT)


def _seconds_until(http_date: str, now: datetime) -> float | None:
    try:
        moment = parsedate_to_datetime(http_date)
    except (ValueError, OverflowError):
        return None
    moment = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    return max(0.0, (moment - now).total_seconds())


def _number(value: str | None) -> float | None:
    try:
        number = float(value) if value else None
    except ValueError:
        return None
    return number if number is not None and math.isfinite(number) and number >= 0 else None


def sentence_in(body: bytes) -> str | None:
    """Return the service's own words in a JSON error *body*; None when there are none (a proxy's page, nothing)."""
    try:
        return said(document_in(body))
    except ValueError:
        return None


def said(document: object) -> str | None:
    """Return the words in an error document of any usual shape, on one line and not too long."""
    match document:
        case {"error": {"message": str(words)}} | {"error": str(words)}:
            pass
        case {"message": str(words)} | {"detail": str(words)}:
            pass
        case _:
            return None
    words = " ".join(words.split())
    if len(words) > LONGEST_SENTENCE:
        words = words[: LONGEST_SENTENCE - 1] + "…"
    return words or None


def sentence(*parts: str | None) -> str:
    """Join what is known to one text, each part ended like a sentence."""
    return " ".join(part if part.endswith((".", "!", "?", "…")) else f"{part}." for part in parts if part)
