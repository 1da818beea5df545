"""Where do log lines go, what do they look like, and what must never be in them?"""

import logging
import os
import queue
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from io import TextIOWrapper
from logging.handlers import QueueHandler, QueueListener, RotatingFileHandler
from pathlib import Path
from typing import TextIO

import stamina
import structlog
from structlog.typing import EventDict, Processor, WrappedLogger

from focusflow.errors import ConfigError

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

_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u200e\u200f\u202a-\u202e\u2066-\u2069]")


class Redaction:
    """Takes secrets and control characters out of everything that is logged."""

    def __init__(self, secrets: Sequence[str]) -> None:
        longest_first = sorted({secret for secret in secrets if secret}, key=len, reverse=True)
        self._secrets = re.compile("|".join(map(re.escape, longest_first))) if longest_first else None

    def __call__(self, _: WrappedLogger, __: str, event: EventDict) -> EventDict:
        return {key: self.clean(value) if isinstance(value, str) else value for key, value in event.items()}

    def clean(self, text: str) -> str:
        """Return *text* without any secret and without bytes that a terminal would obey."""
        if self._secrets is not None:
            text = self._secrets.sub("[secret]", text)
        return _CONTROL.sub("\N{REPLACEMENT CHARACTER}", text)


def job_prefix(_: WrappedLogger, __: str, event: EventDict) -> EventDict:
    """Let every line about a job begin with its id, so that one job's story can be picked out."""
    if job := event.get("job"):
        event["event"] = f"[{job}] {event['event']}"
    return event


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
    redaction = Redaction(secrets)
    shared: list[Processor] = [
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.stdlib.PositionalArgumentsFormatter(),
        job_prefix,
        structlog.processors.StackInfoRenderer(),
        structlog.processors.format_exc_info,
        redaction,
    ]
    handlers = list(_handlers(file, stream, json_lines, shared))
    lines: queue.SimpleQueue[logging.LogRecord] = queue.SimpleQueue()
    listener = QueueListener(lines, *handlers, respect_handler_level=True)
    root = logging.getLogger()
    before = root.handlers[:], root.level
    root.handlers[:] = [_Preparing(lines)]
    root.setLevel(level.upper())
    for name in NOISY:
        logging.getLogger(name).setLevel(logging.WARNING)
    stamina.instrumentation.set_on_retry_hooks(())  # what comes of the retries is told, in our own words
    configured_before = structlog.get_config()
    structlog.configure(
        processors=[structlog.stdlib.filter_by_level, *shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=False,
    )
    listener.start()
    try:
        yield
    finally:
        listener.stop()
        for handler in handlers:
            handler.close()
        root.handlers[:], level_before = before
        root.setLevel(level_before)
        structlog.configure(**configured_before)
        stamina.instrumentation.set_on_retry_hooks(None)


class ForPeople:
    """Renders a line for somebody who watches: local time, what happened, and nothing that only a program needs.

    Tracebacks, loggers and fields are in the file.
    """

    def __init__(self, *, colour: bool) -> None:
        self._colour = colour

    def __call__(self, _: WrappedLogger, __: str, event: EventDict) -> str:
        at = datetime.fromisoformat(str(event["timestamp"])).astimezone().strftime("%H:%M:%S")
        level = str(event["level"])
        mark = "" if level in ("info", "debug") else f"{level}: "
        if mark and self._colour:
            mark = f"\x1b[{_COLOURS.get(level, '31')}m{mark}\x1b[0m"
        reason = f": {event['reason']}" if "reason" in event else ""
        return f"{at} {mark}{event['event']}{reason}"


_COLOURS = {"warning": "33", "error": "31", "critical": "31"}


class _Preparing(QueueHandler):
    """Hands records over as they are: they stay in this process, and the listener's formatter needs the event's fields."""

    def prepare(self, record: logging.LogRecord) -> logging.LogRecord:
        return record


def _handlers(
    file: Path | None, stream: TextIO | None, json_lines: bool | None, shared: list[Processor]
) -> Iterator[logging.Handler]:
    if file is not None:
        yield _formatted(_private_file(file), structlog.processors.JSONRenderer(ensure_ascii=False), shared)
    if stream is not None:
        as_json = not stream.isatty() if json_lines is None else json_lines
        renderer: Processor = (
            structlog.processors.JSONRenderer(ensure_ascii=False)
            if as_json
            else ForPeople(colour=_wants_colour(stream))
        )
        yield _formatted(logging.StreamHandler(stream), renderer, shared)


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


def _formatted(handler: logging.Handler, renderer: Processor, shared: list[Processor]) -> logging.Handler:
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared, processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, renderer]
        )
    )
    return handler


def _wants_colour(stream: TextIO) -> bool:
    from focusflow.config import no_colour

    return stream.isatty() and not no_colour()
