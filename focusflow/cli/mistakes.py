"""Where does the traceback of a mistake of ours go? Into the log, and never onto a terminal while there is a log."""

import logging
import traceback

from focusflow.cli.session import Options
from focusflow.cli.work import log_file, logging_for
from focusflow.errors import FocusFlowError


def kept(error: BaseException, options: Options) -> str:
    """Write the traceback of *error* to the log and return a sentence for people that says so."""
    sentence = f"A mistake in FocusFlow stopped it ({_name(error)})."
    try:
        settings = options.load().settings
        with logging_for(settings, quiet=True):
            logging.getLogger(__name__).critical("a mistake stopped the command", exc_info=error)
    except FocusFlowError as exc:  # without a log this is the only place left
        return f"{sentence} It could not be logged: {exc}\n{''.join(traceback.format_exception(error)).rstrip()}"
    return f"{sentence} The details are in {log_file(settings)}; nothing that was stored is lost."


def _name(error: BaseException) -> str:
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return type(error).__name__
