"""The command line: parses, calls, prints."""

import sys
from collections.abc import Sequence


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command and exit with its code (see `focusflow.cli.outcome.Exit`)."""
    from focusflow.cli.app import app
    from focusflow.cli.outcome import explained

    sys.exit(explained(lambda: app(args=arguments, standalone_mode=False)))
