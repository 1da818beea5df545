"""How does a command end, and what does its exit code mean?"""

import io
import os
import signal
import sys
from collections.abc import Callable, Iterator, Mapping
from enum import IntEnum

from focusflow.errors import BadRequest, ConfigError, FocusFlowError, StoreError, leaves_of


class Exit(IntEnum):
    """The exit codes; they are part of what outsiders rely on."""

    DONE = 0
    MISTAKE = 1
    """FocusFlow itself went wrong; the log has the traceback."""
    USAGE = 2
    CONFIGURATION = 3
    DATABASE = 4
    SERVICE = 5
    """A service or the source could not be used, or a call that was asked for could not be finished."""
    NOT_FOUND = 6
    """No such job, or nothing that the command could do."""
    HUNG_UP = 129
    """The terminal went away."""
    INTERRUPTED = 130
    TERMINATED = 143


BY_SIGNAL: Mapping[int, Exit] = {
    signal.SIGHUP: Exit.HUNG_UP,
    signal.SIGINT: Exit.INTERRUPTED,
    signal.SIGTERM: Exit.TERMINATED,
}
"""What a command ends with when a signal told it to, however cleanly it stopped: what was asked for may not be done."""


class Finished(Exception):
    """Raised by a command to end with an exit code and, perhaps, a sentence on stderr."""

    def __init__(self, code: Exit, sentence: str = "") -> None:
        super().__init__(sentence)
        self.code = code


class ReaderGone(Exception):
    """Raised when whoever read our output has closed it, as `head` does. Not an OSError: typer ends the program at one."""


def say(sentence: str) -> None:
    """Narrate on stderr; stdout is for data. Nobody listening is no reason to stop."""
    try:
        sys.stderr.write(f"{sentence}\n")
        sys.stderr.flush()
    except OSError:
        _discard(sys.stderr.fileno())


def explained(command: Callable[[], object], on_mistake: Callable[[BaseException], str]) -> int:
    """Run *command*; turn what it raises into one sentence on stderr and an exit code.

    *on_mistake* keeps the traceback of what nobody expected and returns the sentence that says where.
    """
    try:
        code = command()
        sys.stdout.flush()
    except KeyboardInterrupt:
        return Exit.INTERRUPTED
    except BaseExceptionGroup as group:
        return max(_told(list(leaves_of(group)), on_mistake, group))
    except Exception as exc:  # noqa: BLE001  # the last resort: people get a sentence, the log gets the traceback
        return max(_told([exc], on_mistake, exc))
    return code if isinstance(code, int) else Exit.DONE


def _told(
    errors: list[BaseException], on_mistake: Callable[[BaseException], str], whole: BaseException
) -> Iterator[Exit]:
    """Say each sentence once and yield the exit codes; a mistake is told once, with the whole it came in."""
    if mistake := next((exc for exc in errors if _code_of(exc) is Exit.MISTAKE), None):
        say(f"focusflow: {on_mistake(whole)}")
        errors = [mistake]
    for sentence in dict.fromkeys(_sentence(exc) for exc in errors):
        if sentence:
            say(sentence)
    for exc in errors:
        if isinstance(exc, ReaderGone | BrokenPipeError):
            _discard(sys.stdout.fileno())
        yield _code_of(exc)


def _sentence(error: BaseException) -> str:
    match error:
        case Finished():
            return str(error)
        case FocusFlowError():
            return f"focusflow: {error}"
        case _:
            return _usage(error)


def _usage(error: BaseException) -> str:
    if not isinstance(error, _usage_errors()):
        return ""
    text = io.StringIO()
    error.show(text)  # type: ignore[attr-defined]  # typer's own way of telling it, which has no public base class
    return text.getvalue().rstrip()


def _usage_errors() -> tuple[type, ...]:
    """Return what typer raises for wrong arguments; only its children are public, and older ones live in click."""
    import typer

    return typer.BadParameter.__bases__


def _code_of(error: BaseException) -> Exit:
    match error:
        case Finished():
            return error.code
        case ConfigError():
            return Exit.CONFIGURATION
        case BadRequest():
            return Exit.USAGE
        case StoreError():
            return Exit.DATABASE
        case FocusFlowError():
            return Exit.SERVICE
        case ReaderGone() | BrokenPipeError():
            return Exit.DONE
        case KeyboardInterrupt():
            return Exit.INTERRUPTED
        case _:
            return Exit.USAGE if isinstance(error, _usage_errors()) else Exit.MISTAKE


def _discard(descriptor: int) -> None:
    """Send what is still buffered nowhere, or the interpreter complains about it at exit."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, descriptor)
    os.close(nowhere)
