"""Which of the things that happen are lines of the log?

What a call's own log says, and how the services behave. Everything else that is announced is a hint for the screen.
"""

import logging
from contextlib import AbstractContextManager

from focusflow.domain.jobs import LogLine
from focusflow.errors import cause_of
from focusflow.events import Bus, Event, JobLogged, ServiceChanged, ServiceState

_log = logging.getLogger(__name__)

_LEVELS = {"info": logging.INFO, "warning": logging.WARNING, "error": logging.ERROR}


def logged(bus: Bus) -> AbstractContextManager[None]:
    """Write to the log what is announced on *bus* while the context lasts."""
    return bus.calling(_EventLog().hear)


def log_cause(error: Exception, **beside: object) -> None:
    """Say in a line what lies behind an error that is told as a call's own; at level debug its traceback too."""
    if cause := cause_of(error):
        traced = error if _log.isEnabledFor(logging.DEBUG) else None
        _log.info(f"What happened: {cause}", exc_info=traced, extra=beside)


class _EventLog:
    def __init__(self) -> None:
        self._states: dict[str, ServiceState] = {}

    def hear(self, event: Event) -> None:
        match event:
            case JobLogged(line=line):
                _tell_line(line)
            case ServiceChanged():
                self._tell_service(event)

    def _tell_service(self, change: ServiceChanged) -> None:
        before = self._states.get(change.service, ServiceState.OK)
        self._states[change.service] = change.state
        if change.state is ServiceState.BROKEN and before is ServiceState.BROKEN:
            return  # for another reason, or with another number of a request: the calls' own lines tell
        if change.state is not ServiceState.OK:
            passing = change.state is ServiceState.SLOW or change.until is not None
            level = logging.INFO if passing else logging.WARNING  # else it stays so until a person acts
            _log.log(level, f"{change.service} is {change.state}: {change.reason}", extra={"service": change.service})
        elif before is not ServiceState.OK:
            _log.info(f"{change.service} is well again.", extra={"service": change.service})


def _tell_line(line: LogLine) -> None:
    step = {"step": str(line.step)} if line.step else {}
    _log.log(_LEVELS[line.level], line.message, extra={"job": line.job_id, **step})
