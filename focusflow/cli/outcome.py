"""How does a command end, and what does its exit code mean?"""

import sys
from collections.abc import Callable
from enum import IntEnum

from focusflow.errors import ConfigError, FocusFlowError, StoreError


class Exit(IntEnum):
    """The exit codes; they are part of what outsiders rely on."""

    DONE = 0
    MISTAKE = 1
    """FocusFlow itself went wrong; the log has the traceback."""
    USAGE = 2
    CONFIGURATION = 3
    DATABASE = 4
    SERVICE = 5
    """A service or the source could not be used."""
    NOT_FOUND = 6
    """No such job, or nothing that the command could do."""
    INTERRUPTED = 130


class Finished(Exception):
    """Raised by a command to end with an exit code and, perhaps, a sentence on stderr."""

    def __init__(self, code: Exit, sentence: str = "") -> None:
        super().__init__(sentence)
        self.code = code


def say(sentence: str) -> None:
    """Narrate on stderr; stdout is for data."""
    sys.stderr.write(f"{sentence}\n")


def explained(command: Callable[[], object]) -> int:
    """Run *command*; turn what it raises into one sentence on stderr and an exit code."""
    import click

    try:
        code = command()
    except click.exceptions.Abort:
        return Exit.INTERRUPTED
    except click.exceptions.Exit as exc:
        return exc.exit_code
    except click.ClickException as exc:
        exc.show(sys.stderr)
        return Exit.USAGE
    except KeyboardInterrupt:
        return Exit.INTERRUPTED
    except BrokenPipeError:
        sys.stderr.close()  # whoever read us has gone; so has anyone to tell
        return Exit.DONE
    except Finished as exc:
        if str(exc):
            say(str(exc))
        return exc.code
    except FocusFlowError as exc:
        say(f"focusflow: {exc}")
        return _code_of(exc)
    except BaseExceptionGroup as group:
        return _explain_group(group)
    return code if isinstance(code, int) else Exit.DONE


def _explain_group(group: BaseExceptionGroup[BaseException]) -> int:
    ours, others = group.split(FocusFlowError)
    if others is not None or ours is None:
        raise group
    for leaf in _leaves(ours):
        say(f"focusflow: {leaf}")
    return max(_code_of(leaf) for leaf in _leaves(ours))


def _leaves(group: BaseExceptionGroup[FocusFlowError]) -> list[FocusFlowError]:
    found: list[FocusFlowError] = []
    for exc in group.exceptions:
        found += _leaves(exc) if isinstance(exc, BaseExceptionGroup) else [exc]
    return found


def _code_of(error: FocusFlowError) -> Exit:
    match error:
        case ConfigError():
            return Exit.CONFIGURATION
        case StoreError():
            return Exit.DATABASE
        case _:
            return Exit.SERVICE
