"""Where do a command's log lines go, and which are written at its start and at its end by a mistake of ours?"""

import logging
import sys
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from focusflow.config import Loaded, Settings, nearly_ours, open_to_others, secrets
from focusflow.errors import FocusFlowError, leaves_of

_log = logging.getLogger(__name__)


@contextmanager
def logging_for(settings: Settings, *, quiet: bool = False) -> Iterator[None]:
    """Log to the file and, unless *quiet*, to stderr. Raises `ConfigError` when the file cannot be written."""
    from focusflow.logs import logging_to

    with logging_to(
        level=settings.logging.level,
        file=log_file(settings),
        stream=None if quiet else sys.stderr,
        json_lines=settings.logging.json_lines,
        secrets=secrets(settings),
    ):
        yield


def log_file(settings: Settings) -> Path:
    """Return the log that the settings name."""
    return (settings.logging.file or settings.data_path / "focusflow.log").expanduser()


def warn_at_start(loaded: Loaded) -> None:
    """Log what is no mistake and may be none of the user's wishes: misspelt names, files with keys that others may read."""
    for note in (*nearly_ours(), *open_to_others(loaded)):
        _log.warning(note)


def keep_traceback(error: BaseException, load: Callable[[], Loaded]) -> str:
    """Write the traceback of a mistake of ours to the log, which *load* tells, and return a sentence that says where it is.

    It never goes onto a terminal while there is a log.
    """
    sentence = f"A mistake in FocusFlow stopped it ({type(next(leaves_of(error))).__name__})."
    try:
        settings = load().settings
        with logging_for(settings, quiet=True):
            _log.critical("a mistake stopped the command", exc_info=error)
    except FocusFlowError as exc:  # without a log this is the only place left
        return f"{sentence} It could not be logged: {exc}\n{''.join(traceback.format_exception(error)).rstrip()}"
    return f"{sentence} The details are in {log_file(settings)}; nothing that was stored is lost."
