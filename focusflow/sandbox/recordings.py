"""Which recordings lie in the sandbox's phone folder? A few days of believable calls, as Cube ACR leaves them."""

import json
import os
import time
from collections.abc import Callable, Sequence
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Final

from msgspec import Struct

from focusflow.sandbox import audio
from focusflow.sandbox.scripts import SCRIPTS

_HOUR_LONG_BYTES_PER_SECOND: Final = 125
_HONEST_BYTES_PER_SECOND: Final = 4000
"""What a phone really records. A recording nobody wrote a script for has to be honest about its length."""


class Recording(Struct, frozen=True, kw_only=True):
    """One audio file as the phone wrote it, and the sidecar beside it."""

    file_name: str
    folder: str
    """The day's sub-folder, `YYYY-MM-DD`."""
    mime_type: str
    """As Drive reports it, which is not always what it is."""
    content: bytes
    duration_seconds: float
    sidecar: dict[str, str] | None
    """What Cube ACR writes beside the audio; `duration` is in milliseconds, as a string."""
    sidecar_delay_seconds: float = 0.0
    """How long after the audio the sidecar arrives."""
    script_key: str | None
    """What is said in it; None for audio that nobody wrote a script for."""
    recorded_at: datetime
    """The phone's wall clock, without a zone."""

    @property
    def sidecar_name(self) -> str:
        """The audio's name with `.json` for its extension."""
        return self.file_name.rpartition(".")[0] + ".json"

    @property
    def sidecar_bytes(self) -> bytes | None:
        """The sidecar as Cube ACR writes it; None if there is none."""
        return None if self.sidecar is None else json.dumps(self.sidecar, separators=(",", ":")).encode()


class _Call(Struct, frozen=True, kw_only=True):
    """One line of the phone's diary."""

    days_ago: int
    at: str
    label: str
    """What stands between the time and the extension."""
    extension: str
    script_key: str | None
    number: str = ""
    direction: str = "Incoming"
    mime_type: str = "audio/mpeg"  # what Drive says of most .m4a files
    duration_seconds: int | None = None
    """None: as long as the script."""
    sidecar: bool = True
    sidecar_delay_seconds: float = 0.0
    copy_of: str = ""
    """The seed of the recording it has the bytes of."""


_DIARY: Final[Sequence[_Call]] = (
    _Call(
        days_ago=2,
        at="09-12-41",
        label="(phone) Linden Road Clinic (+44 20 7946 0118) ↙",
        number="+442079460118",
        extension="amr",
        mime_type="audio/amr",
        script_key="clinic-appointment",
    ),
    _Call(
        days_ago=2,
        at="11-30-05",
        label="(phone) Ben Achterberg (+44 7700 900667) ↙",
        number="+447700900667",
        extension="m4a",
        script_key="team-retro-hour",
    ),
    _Call(
        days_ago=2,
        at="14-30-58",
        label="(phone) Leila Haddad (+44 7700 900129) ↗",
        number="+447700900129",
        direction="Outgoing",
        extension="m4a",
        script_key="job-interview",
    ),
    _Call(
        days_ago=2,
        at="16-02-19",
        label="(whatsapp) Carmen Ruiz",
        number="+34600555014",
        extension="m4a",
        mime_type="audio/mp4",
        script_key="spanish-order",
    ),
    _Call(
        days_ago=1,
        at="08-05-33",
        label="(phone) Tomasz Kowal (Work) (+44 7700 900451) ↙",
        number="+447700900451",
        extension="m4a",
        script_key="supplier-delay",
    ),
    _Call(
        days_ago=1,
        at="10-04-17",
        label="(phone) Priya Nair (+44 20 7946 0371) ↙",
        number="+442079460371",
        extension="m4a",
        script_key="sales-quote",
    ),
    _Call(  # the twin: a sync tool uploaded the same call again under the time it noticed it
        days_ago=1,
        at="10-04-18",
        label="(phone) Priya Nair (+44 20 7946 0371) ↙",
        number="+442079460371",
        extension="m4a",
        script_key="sales-quote",
        copy_of="1 10-04-17",
    ),
    _Call(
        days_ago=1,
        at="12-47-50",
        label="(phone) Jonas Lindqvist (+44 7700 900233) ↙",
        number="+447700900233",
        extension="m4a",
        mime_type="audio/x-m4a",
        script_key="family-dinner",
    ),
    _Call(
        days_ago=1,
        at="15-21-09",
        label="(phone) Jürgen Weber (+49 30 23125 471) ↙",
        number="+493023125471",
        extension="amr",
        mime_type="application/octet-stream",
        script_key="german-invoice",
    ),
    _Call(
        days_ago=1,
        at="17-33-12",
        label="(phone) +44 20 7946 0999 ↙",
        number="+442079460999",
        extension="mp3",
        script_key="bank-fraud-check",
    ),
    _Call(
        days_ago=1,
        at="19-10-26",
        label="(mic)",
        extension="m4a",
        script_key=None,
        duration_seconds=24,
        sidecar=False,
    ),
    _Call(
        days_ago=0,
        at="00-10-44",
        label="(phone) (07700900812) ↙",
        number="07700900812",
        extension="wav",
        mime_type="audio/wav",
        script_key="pocket-dial",
    ),
    _Call(
        days_ago=0,
        at="07-52-30",
        label="(phone) Alder Primary School (+44 20 7946 0540) ↙",
        number="+442079460540",
        extension="ogg",
        mime_type="audio/ogg",
        script_key="school-trip",
    ),
    _Call(
        days_ago=0,
        at="08-41-02",
        label="(phone) Stephen Marsh (07700 900812) ↙",
        number="07700900812",
        extension="m4a",
        script_key="landlord-repair",
        sidecar_delay_seconds=90,
    ),
    _Call(  # no recorder's grammar has this name; it must be shown, not lost
        days_ago=0,
        at="08-55-00",
        label="Voice 004",
        extension="m4a",
        script_key=None,
        duration_seconds=12,
        sidecar=False,
    ),
)


def standard_recordings(today: date) -> list[Recording]:
    """The recordings of *today* and the two days before, oldest first; the same bytes for every *today*."""
    made: dict[str, bytes] = {}
    recordings = []
    for call in _DIARY:
        seed = f"{call.days_ago} {call.at}"
        if call.copy_of:
            made[seed] = made[call.copy_of]
        else:
            made[seed] = _sound(call, seed)
        recordings.append(_recording(call, made[seed], today))
    return recordings


def ensure_folder(target: Path, today: date) -> list[Path]:
    """Write the standard recordings and their sidecars below *target* as plain files; return the audio files.

    Files that are there already are left alone, so it is safe to repeat. Raise OSError if *target* can't be written.
    """
    written = []
    for recording in standard_recordings(today):
        folder = target / recording.folder
        folder.mkdir(parents=True, exist_ok=True)
        ended = time.mktime(recording.recorded_at.timetuple()) + recording.duration_seconds
        written.append(_ensure(folder / recording.file_name, recording.content, ended))
        if recording.sidecar_bytes is not None:
            _ensure(folder / recording.sidecar_name, recording.sidecar_bytes, ended)
    return written


def _ensure(file: Path, content: bytes, modified: float) -> Path:
    if not file.exists():
        file.write_bytes(content)
        os.utime(file, (modified, modified))
    return file


def _duration(call: _Call) -> int:
    if call.duration_seconds is not None or call.script_key is None:
        return call.duration_seconds or 0
    return SCRIPTS[call.script_key].duration_seconds


def _sound(call: _Call, seed: str) -> bytes:
    seconds = _duration(call)
    if call.extension == "m4a":
        return audio.m4a(seconds, seed, bytes_per_second=_m4a_density(call, seconds))
    encoders: dict[str, Callable[[float, str], bytes]] = {
        "amr": audio.amr,
        "mp3": audio.mp3,
        "ogg": audio.opus,
        "wav": audio.wav,
    }
    return encoders[call.extension](seconds, seed)


def _m4a_density(call: _Call, seconds: int) -> int:
    if call.script_key is None:
        return _HONEST_BYTES_PER_SECOND
    return _HOUR_LONG_BYTES_PER_SECOND if seconds >= 3600 else 500


def _recording(call: _Call, content: bytes, today: date) -> Recording:
    day = today - timedelta(days=call.days_ago)
    stamp = f"{day.isoformat()} {call.at} " if call.label.startswith("(") else ""
    return Recording(
        file_name=f"{stamp}{call.label}.{call.extension}",
        folder=day.isoformat(),
        mime_type=call.mime_type,
        content=content,
        duration_seconds=_duration(call),
        sidecar=_sidecar(call) if call.sidecar else None,
        sidecar_delay_seconds=call.sidecar_delay_seconds,
        script_key=call.script_key,
        recorded_at=datetime.combine(day, datetime.strptime(call.at, "%H-%M-%S").time()),
    )


def _sidecar(call: _Call) -> dict[str, str]:
    return {
        "duration": str(_duration(call) * 1000 + int(call.at[-2:]) * 4),  # the recorder's own stopwatch
        "loc": "51.4545;-2.5879",
        "callee": call.number,
        "addr": "Unit 6, Mill Yard, Bristol BS1 4XX",
        "direction": call.direction,
    }
