"""Is what happens in the log, in a line that says whom it concerns?"""

import logging
from datetime import UTC, datetime

import pytest

from focusflow.domain.jobs import JobId, LogLine, Step
from focusflow.errors import Permanent, Transient
from focusflow.event_log import log_cause, logged
from focusflow.events import Bus, ControlChanged, JobLogged, ServiceChanged, ServiceState

NINE = datetime(2026, 11, 23, 9, tzinfo=UTC)


def a_line(message: str, *, level: str = "info", step: Step | None = None) -> JobLogged:
    return JobLogged(line=LogLine(id=1, job_id=JobId("abc"), at=NINE, level=level, step=step, message=message))


def test_a_line_of_a_calls_own_log_is_one_of_ours(caplog: pytest.LogCaptureFixture) -> None:
    """With its call, its step and its level; other announcements are hints, and no lines."""
    caplog.set_level(logging.DEBUG)
    bus = Bus()
    with logged(bus):
        bus.publish(a_line("100 % is there.", step=Step.DOWNLOAD))
        bus.publish(a_line("The key is wrong.", level="error"))
        bus.publish(ControlChanged())
    bus.publish(a_line("Too late."))

    first, second = caplog.records
    assert (first.getMessage(), first.levelname) == ("100 % is there.", "INFO")
    assert (vars(first)["job"], vars(first)["step"]) == ("abc", "download")
    assert (second.levelname, vars(second)["job"], "step" in vars(second)) == ("ERROR", "abc", False)


def test_how_a_service_behaves_is_told_from_its_first_trouble_on(caplog: pytest.LogCaptureFixture) -> None:
    """That all is well is no news, but after trouble it is."""
    caplog.set_level(logging.DEBUG)
    bus = Bus()
    with logged(bus):
        for state in (ServiceState.OK, ServiceState.BROKEN, ServiceState.BROKEN, ServiceState.OK, ServiceState.OK):
            bus.publish(ServiceChanged(service="acme", state=state, reason="No connection."))

    assert [(record.getMessage(), record.levelname) for record in caplog.records] == [
        ("acme is broken: No connection.", "WARNING"),
        ("acme is well again.", "INFO"),
    ]


def test_what_lies_behind_an_error_is_one_line(caplog: pytest.LogCaptureFixture) -> None:
    """All that led to it, without a traceback; nothing where nothing did."""
    caplog.set_level(logging.INFO)
    error = Transient("The service could not be reached.")
    error.__cause__ = ConnectionError("no\nroute")
    error.__cause__.__cause__ = OSError(113, "No route to host")

    log_cause(error, job="abc")
    log_cause(Permanent("It is empty."), job="abc")

    (record,) = caplog.records
    assert record.getMessage() == "What happened: ConnectionError: no route, from OSError: [Errno 113] No route to host"
    assert (record.exc_info, vars(record)["job"]) == (None, "abc")


def test_at_level_debug_the_traceback_is_there(caplog: pytest.LogCaptureFixture) -> None:
    """For whoever looks for a mistake."""
    caplog.set_level(logging.DEBUG)
    error = Transient("The service could not be reached.")
    error.__cause__ = ConnectionError("no route")

    log_cause(error)

    assert caplog.records[0].exc_info is not None
