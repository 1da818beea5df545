"""The command line: parses, calls, prints."""

import gc
import sys
from collections.abc import Sequence
from functools import partial


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command and exit with its code (see `focusflow.cli.outcome.Exit`)."""
    gc.disable()  # a start makes little garbage, and looking for it is an eighth of its time; `run_async` looks again
    from focusflow.cli.app import app
    from focusflow.cli.outcome import explained
    from focusflow.cli.session import Options, collect_from_now_on

    options = Options()
    command = partial(app, args=arguments, prog_name="focusflow", standalone_mode=False, obj=options)
    try:
        sys.exit(explained(command, options.keep_traceback))
    finally:
        collect_from_now_on()  # for whoever called this as a function
