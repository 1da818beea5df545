"""Is what a person is told one sentence of a bearable length, whatever a service said?"""

import pytest

from focusflow.errors import (
    LONGEST_MESSAGE,
    Ambiguous,
    Held,
    HoldKind,
    Permanent,
    SourceError,
    StepError,
    Transient,
    UnfinishedAnswer,
)

HOSTILE = "The service said:\r\n2026-11-23 ERROR forged line\x85next\u2028and\x1cso on. " + "x" * 10_000_000


@pytest.mark.parametrize(
    "error",
    [
        *(kind(HOSTILE) for kind in (StepError, Transient, Permanent, Ambiguous, UnfinishedAnswer, SourceError)),
        Held(HoldKind.SERVICE, HOSTILE),
    ],
    ids=lambda error: type(error).__name__,
)
def test_an_error_is_one_line_of_bearable_length(error: Exception) -> None:
    """It goes into the database, onto the screen and into the log: no second line, no ten million letters."""
    told = str(error)
    assert told.startswith("The service said: 2026-11-23 ERROR forged line next and so on. xxx")
    assert told.splitlines() == [told]
    assert len(told) == LONGEST_MESSAGE
    assert told.endswith("…")
