"""Where do log lines go, what do they look like, and what must never be in them?"""

import json
import logging
import os
import queue
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from io import TextIOWrapper
from logging.handlers import QueueHandler, QueueListener, RotatingFileHandler
from pathlib import Path
from typing import TextIO

from focusflow.errors import ConfigError, FocusFlowError, cause_of, leaves_of

FILE_BYTES = 5_000_000
FILES_KEPT = 5

NOISY = (
    "httpx",
    "httpx2",
    "httpcore",
    "httpcore2",
    "openai",
    "notion_client",
    "assemblyai",
    "googleapiclient",
    "google",
)
"""Libraries whose lines tell addresses and ids of private things; only their warnings are kept."""

_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u200e\u200f\u202a-\u202e\u2066-\u2069\ud800-\udfff]")


class Redaction:
    """Takes secrets and control characters out of everything that is logged."""

    def __init__(self, secrets: Sequence[str]) -> None:
        longest_first = sorted({secret for secret in secrets if secret}, key=len, reverse=True)
        self._secrets = re.compile("|".join(map(re.escape, longest_first))) if longest_first else None

    def clean(self, text: str) -> str:
        """Return *text* without any secret and without bytes that a terminal would obey."""
        if self._secrets is not None:
            text = self._secrets.sub("[secret]", text)
        return _CONTROL.sub("\N{REPLACEMENT CHARACTER}", text)


@contextmanager
def logging_to(
    *,
    level: str,
    file: Path | None,
    stream: TextIO | None,
    json_lines: bool | None,
    secrets: Sequence[str],
) -> Iterator[None]:
    """Send log lines to *file* (JSON, rotated, 0600) and *stream* while the context lasts; written by a thread of its own.

    *json_lines* None: people's lines when *stream* is a terminal, JSON otherwise. Raises `ConfigError` when the file
    cannot be written.
    """
    handlers = list(_handlers(file, stream, json_lines, Redaction(secrets)))
    lines: queue.SimpleQueue[logging.LogRecord] = queue.SimpleQueue()
    listener = QueueListener(lines, *handlers, respect_handler_level=True)
    root = logging.getLogger()
    before = root.handlers[:], root.level
    root.handlers[:] = [_Preparing(lines)]
    root.setLevel(level.upper())
    for name in NOISY:
        logging.getLogger(name).setLevel(logging.WARNING)
    listener.start()
    try:
        yield
    finally:
        listener.stop()
        for handler in handlers:
            handler.close()
        root.handlers[:], level_before = before
        root.setLevel(level_before)


def for_programs(stream: TextIO, json_lines: bool | None) -> bool:
    """Say whether a program reads *stream* and gets JSON, as *json_lines* has it; None: unless it is a terminal."""
    return not stream.isatty() if json_lines is None else json_lines


class ForPrograms(logging.Formatter):
    """Renders a line as a JSON object: what happened, what was said beside it (`extra`), and what led to it.

    That is the traceback of a mistake, and of an error that was expected a line, until level debug asks for more.
    """

    def __init__(self, redaction: Redaction) -> None:
        super().__init__()
        self._clean = redaction.clean

    def format(self, record: logging.LogRecord) -> str:
        line: dict[str, object] = {
            "event": _told(record),
            **_said_beside(record),
            "level": record.levelname.lower(),
            "logger": record.name,
            "timestamp": datetime.fromtimestamp(record.created, UTC).isoformat().replace("+00:00", "Z"),
            **self._led_to(record),
        }
        cleaned = {key: self._clean(value) if isinstance(value, str) else value for key, value in line.items()}
        return json.dumps(cleaned, ensure_ascii=False, default=lambda value: self._clean(repr(value)))

    def _led_to(self, record: logging.LogRecord) -> dict[str, object]:
        if not record.exc_info:
            return {}
        leaves = list(leaves_of(record.exc_info[1])) if record.exc_info[1] is not None else []
        if logging.getLogger().isEnabledFor(logging.DEBUG) or not all(isinstance(e, FocusFlowError) for e in leaves):
            return {"exception": self.formatException(record.exc_info)}
        causes = [cause for error in leaves if (cause := cause_of(error))]
        return {"cause": "; ".join(causes)} if causes else {}


class ForPeople(logging.Formatter):
    """Renders a line for somebody who watches: local time, what happened, and nothing that only a program needs.

    Tracebacks, loggers and fields are in the file.
    """

    def __init__(self, redaction: Redaction, *, colour: bool) -> None:
        super().__init__()
        self._clean, self._colour = redaction.clean, colour

    def format(self, record: logging.LogRecord) -> str:
        at = datetime.fromtimestamp(record.created).astimezone().strftime("%H:%M:%S")
        level = record.levelname.lower()
        mark = "" if level in ("info", "debug") else f"{level}: "
        if mark and self._colour:
            mark = f"\x1b[{_COLOURS.get(level, '31')}m{mark}\x1b[0m"
        said = _said_beside(record)
        reason = f": {said['reason']}" if "reason" in said else ""
        return f"{at} {mark}{self._clean(_told(record) + reason)}"


_COLOURS = {"warning": "33", "error": "31", "critical": "31"}
_NOT_SAID = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName"}


def _said_beside(record: logging.LogRecord) -> dict[str, object]:
    """Return what was given as `extra`."""
    return {key: value for key, value in vars(record).items() if key not in _NOT_SAID}


def _told(record: logging.LogRecord) -> str:
    """Return what happened; every line about a job begins with its id, so that one job's story can be picked out."""
    job = _said_beside(record).get("job")
    return f"[{job}] {record.getMessage()}" if job else record.getMessage()


class _Preparing(QueueHandler):
    """Hands records over as they are: they stay in this process, and the listener's formatter needs the event's fields."""

    def prepare(self, record: logging.LogRecord) -> logging.LogRecord:
        return record


def _handlers(
    file: Path | None, stream: TextIO | None, json_lines: bool | None, redaction: Redaction
) -> Iterator[logging.Handler]:
    if file is not None:
        yield _formatted(_private_file(file), ForPrograms(redaction))
    if stream is not None:
        people = ForPeople(redaction, colour=_wants_colour(stream))
        as_json = for_programs(stream, json_lines)
        yield _formatted(logging.StreamHandler(stream), ForPrograms(redaction) if as_json else people)


class _PrivateFile(RotatingFileHandler):
    """A rotated file that only its owner may read, after each rotation too."""

    def _open(self) -> TextIOWrapper:
        descriptor = os.open(self.baseFilename, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
        return open(descriptor, "a", encoding=self.encoding, errors=self.errors)


def _private_file(file: Path) -> RotatingFileHandler:
    try:
        file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        return _PrivateFile(file, maxBytes=FILE_BYTES, backupCount=FILES_KEPT, encoding="utf-8")
    except OSError as exc:
        raise ConfigError(f"The log {file} cannot be written ({exc.strerror}): set logging.file or data_dir.") from exc


def _formatted(handler: logging.Handler, formatter: logging.Formatter) -> logging.Handler:
    handler.setFormatter(formatter)
    return handler


def _wants_colour(stream: TextIO) -> bool:
    from focusflow.config import surroundings

    return stream.isatty() and not surroundings().no_colour
