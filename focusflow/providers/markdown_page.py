"""What does the Markdown file of a call say, and what is it called?"""

import hashlib
import re
import unicodedata
from collections.abc import Iterator
from datetime import datetime
from typing import Final
from zoneinfo import ZoneInfo

import yaml

from focusflow.domain.transcript import Transcript, Utterance
from focusflow.ports import Page

STEM_BYTES: Final = 200
"""Of a file's name without its ending. File systems take 255; the rest is for a counter."""
_KEY_BYTES: Final = 60
_UNSAFE: Final = re.compile(r'[\x00-\x1f\x7f-\x9f\ud800-\udfff<>:"/\\|?*]+')
_INVISIBLE: Final = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff]")
_MARKS: Final = re.compile(r"([\\`*_\[\]<>])")
_FRONT_MATTER: Final = re.compile(r"---\n(.*?\n)---\n", re.DOTALL)


def file_stem(page: Page, zone: ZoneInfo) -> str:
    """The call's file name without its ending: date, contact, key; the same for ever, and safe anywhere."""
    moment = page.call_at.astimezone(zone).strftime("%Y-%m-%d %H.%M") if page.call_at else "undated"
    key = _safe_key(page.key)
    contact = _safe(page.contact_name or page.contact_number or "unknown")
    room = STEM_BYTES - len(f"{moment}  {key}".encode())
    return f"{moment} {_shortened(contact, room) or 'unknown'} {key}"


def _safe_key(key: str) -> str:
    """The key itself where it can be a file's name, else what is readable of it and a hash."""
    safe = _safe(key).replace(" ", "-")
    if safe == key and len(key.encode()) <= _KEY_BYTES:
        return key
    digest = hashlib.sha256(key.encode("utf-8", "surrogatepass")).hexdigest()[:10]
    return f"{_shortened(safe, _KEY_BYTES)}-{digest}"


def _safe(text: str) -> str:
    return " ".join(_UNSAFE.sub(" ", unicodedata.normalize("NFC", text)).split()).strip(". ")


def _shortened(text: str, room: int) -> str:
    """*text* in at most *room* bytes, without a torn character or accent at its end."""
    cut = text.encode()[:room].decode("utf-8", "ignore")
    if len(cut) < len(text) and (unicodedata.combining(text[len(cut)]) or text[len(cut)] in "\u200d\ufe0f"):
        cut = cut[:-1]
    return cut.strip(". ")


def document(page: Page, zone: ZoneInfo) -> bytes:
    """The whole file, in UTF-8. Slow for long calls: call it in a thread."""
    parts = [
        f"---\n{_front_matter(page, zone)}---\n",
        f"# {_escaped(page.title.strip() or page.file_name)}\n",
        _visible(page.summary_markdown).strip() + "\n" if page.summary_markdown.strip() else "",
        "\n".join(_transcript(page.transcript)),
    ]
    return "\n".join(part for part in parts if part).encode()


def _front_matter(page: Page, zone: ZoneInfo) -> str:
    values: dict[str, object] = {
        "key": page.key,
        "title": page.title,
        "date": _local(page.call_at, zone),
        "contact": page.contact_name,
        "number": page.contact_number,
        "direction": page.direction.value if page.direction else None,
        "type": page.call_type,
        "duration": page.duration_seconds,
        "link": page.web_url,
        "language": page.language,
        "file": page.file_name,
    }
    shown = {name: _visible(value) if isinstance(value, str) else value for name, value in values.items()}
    text: str = yaml.safe_dump(
        {name: value for name, value in shown.items() if value is not None},
        allow_unicode=True,
        sort_keys=False,
        width=10_000,
    )
    return text


def _local(moment: datetime | None, zone: ZoneInfo) -> str | None:
    return moment.astimezone(zone).isoformat(timespec="seconds") if moment else None


def key_in(head: str) -> str | None:
    """The key in the front matter that *head* starts with, if it has one we understand."""
    match = _FRONT_MATTER.match(head.replace("\r\n", "\n").removeprefix("\ufeff"))
    if match is None:
        return None
    try:
        values = yaml.safe_load(match[1])
    except yaml.YAMLError:
        return None
    key = values.get("key") if isinstance(values, dict) else None
    return key if isinstance(key, str) else None


def _transcript(transcript: Transcript) -> Iterator[str]:
    if transcript.utterances or transcript.text.strip():
        yield "## Transcript\n"
    if not transcript.utterances and transcript.text.strip():
        yield f"{_escaped(transcript.text.strip())}\n"
    for utterance in transcript.utterances:
        yield f"{_speaker(utterance, transcript.speakers)} {_escaped(' '.join(utterance.text.split()))}\n"


def _speaker(utterance: Utterance, names: dict[str, str]) -> str:
    minutes, seconds = divmod(utterance.start_ms // 1000, 60)
    hours, minutes = divmod(minutes, 60)
    moment = f"{hours}:{minutes:02}:{seconds:02}" if hours else f"{minutes}:{seconds:02}"
    if utterance.speaker is None:
        return f"**{moment}**"
    return f"**{_escaped(names.get(utterance.speaker) or f'Speaker {utterance.speaker}')}** ({moment}):"


def _escaped(text: str) -> str:
    """Text that a Markdown reader shows as it is, whatever was said."""
    return _MARKS.sub(r"\\\1", " ".join(_visible(text).split("\n")))


def _visible(text: str) -> str:
    return _INVISIBLE.sub("", text.replace("\r\n", "\n").replace("\r", "\n"))
