"""What does BCR (Basic Call Recorder) put into a file name, by its default template?

    20230414_215701.088-0400_in_sim2_+15550100_Pat Example.oga

    {date}[_{direction}|][_sim{sim_slot}|][_{phone_number}|][_[{contact_name}|{caller_name}|{call_log_name}]|]

The date carries its own offset from UTC, so the configured zone does not matter. A conference has several numbers and names,
joined by commas.
"""

import re
from datetime import UTC, timedelta
from zoneinfo import ZoneInfo

from focusflow.domain.jobs import Direction
from focusflow.domain.recordings.details import CallDetails, looks_like_number, read_clock, tidy

RECORDER = "bcr"

_NAME = re.compile(
    r"(?P<date>\d{8})_(?P<time>\d{6})(?:\.(?P<fraction>\d{1,9}))?"
    r"(?P<sign>[+-])(?P<hours>\d{2})(?P<minutes>\d{2})(?P<seconds>\d{2})?"
    r"(?:_(?P<direction>in|out|conference)(?![^_]))?"
    r"(?:_sim\d+(?![^_]))?"
    r"(?:_(?P<rest>.*))?",
    re.IGNORECASE,
)
_DIRECTIONS = {"in": Direction.INCOMING, "out": Direction.OUTGOING, "conference": Direction.CONFERENCE}


def read(base: str, zone: ZoneInfo) -> CallDetails | None:
    """Read one file name, tidied and without extension; None if BCR did not write it. *zone* is not needed."""
    found = _NAME.fullmatch(base)
    if found is None:
        return None
    date, time = found["date"], found["time"]
    clock = read_clock(f"{date[:4]}-{date[4:6]}-{date[6:]}", f"{time[:2]}-{time[2:4]}-{time[4:]}")
    offset = timedelta(hours=int(found["hours"]), minutes=int(found["minutes"]), seconds=int(found["seconds"] or 0)) * (
        -1 if found["sign"] == "-" else 1
    )
    if clock is None or abs(offset) > timedelta(hours=18):
        return None
    try:
        call_at = (clock - offset).replace(tzinfo=UTC, microsecond=int((found["fraction"] or "0").ljust(6, "0")[:6]))
    except OverflowError:
        return None
    contact, number = _read_parties(found["rest"] or "")
    return CallDetails(
        recorder=RECORDER,
        contact_name=contact,
        contact_number=number,
        direction=_DIRECTIONS.get((found["direction"] or "").lower()),
        call_type="phone",
        call_at=call_at,
    )


def _read_parties(rest: str) -> tuple[str | None, str | None]:
    """Split what follows direction and SIM into name and number; either may be missing."""
    first, _, remainder = rest.partition("_")
    if looks_like_number(first):
        return _spaced(remainder), _spaced(first)
    return _spaced(rest), None


def _spaced(joined: str) -> str | None:
    return ", ".join(part for part in map(tidy, joined.split(",")) if part) or None
