"""`python -m focusflow` is the same as `focusflow`."""

from focusflow.cli import main

main()
