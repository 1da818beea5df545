"""The command line: parses, calls, prints."""

import gc
import sys
from collections.abc import Callable, Sequence
from functools import partial
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from focusflow.cli.session import Options


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command and exit with its code (see `focusflow.cli.outcome.Exit`)."""
    gc.disable()  # a start makes little garbage, and looking for it is an eighth of its time; `run_async` looks again
    try:
        code = _run(sys.argv[1:] if arguments is None else arguments)
    except KeyboardInterrupt:
        code = 130  # while something was still imported; the name of this number may not be there yet
    sys.exit(code)


def _run(words: Sequence[str]) -> int:
    from focusflow.cli.outcome import explained
    from focusflow.cli.session import Options, collect_from_now_on

    options = Options()
    try:
        return explained(_parsed(words, options) if words else _screen(options), options.keep_traceback)
    finally:
        collect_from_now_on()  # for whoever called this as a function


def _parsed(words: Sequence[str], options: "Options") -> Callable[[], object]:
    from focusflow.cli.app import app

    return partial(app, args=words, prog_name="focusflow", standalone_mode=False, obj=options)


def _screen(options: "Options") -> Callable[[], object]:
    """`focusflow` alone has nothing to parse: the screen does not wait for the parser, a tenth of its start."""
    from focusflow.cli.screen import run_screen

    return partial(run_screen, options, monitor=False, beside=False)
