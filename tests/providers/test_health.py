"""Is a service's state told when it changes, and only then?"""

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

import pytest

from focusflow.errors import Held, HoldKind, Permanent, Transient, UnfinishedAnswer
from focusflow.events import ServiceChanged, ServiceState
from focusflow.providers.health import Health

NINE = datetime(2026, 11, 23, 9, tzinfo=UTC)
OK, SLOW, LIMITED, BROKEN = ServiceState.OK, ServiceState.SLOW, ServiceState.LIMITED, ServiceState.BROKEN


class StillClock:
    """It is always nine."""

    def now(self) -> datetime:
        return NINE

    def monotonic(self) -> float:
        return 0.0

    async def sleep(self, seconds: float) -> None:
        raise AssertionError("nobody waits here")


@dataclass
class Ear:
    """What was told."""

    told: list[ServiceChanged] = field(default_factory=list)

    def health(self) -> Health:
        return Health("acme", clock=StillClock(), tell=self.told.append)

    @property
    def states(self) -> list[ServiceState]:
        return [change.state for change in self.told]


@pytest.fixture
def ear() -> Ear:
    return Ear()


def test_answers_are_told_once_until_one_takes_long(ear: Ear) -> None:
    """Fine, fine, slow, slow, fine, and a transfer that took an hour: three changes."""
    health = ear.health()
    for seconds in (0.2, 1.0, 12.0, 30.0, 0.3, None):
        health.answered(seconds)

    assert ear.states == [OK, SLOW, OK]
    assert ear.told[1].reason == "It takes 12 seconds to answer."


def test_one_failure_is_a_hiccup_two_in_a_row_are_a_state(ear: Ear) -> None:
    """An answer between them makes the second one the first again; the same error noted twice is one."""
    health, first = ear.health(), Transient("No connection.")
    health.failed(first, pause=0)
    health.failed(first, pause=0)
    health.answered(0.1)
    health.failed(Transient("No connection."), pause=0)
    assert ear.states == [OK]
    health.failed(Transient("No connection."), pause=0)

    assert ear.states == [OK, BROKEN]
    assert ear.told[-1].reason == "No connection."


def test_a_failure_that_repeating_did_not_mend_is_certain(ear: Ear) -> None:
    """The adapter gave up: there is no need for a second one."""
    ear.health().failed(Transient("No connection."), pause=0, certain=True)

    assert ear.states == [BROKEN]


def test_a_pause_is_told_anew_only_when_it_ends_later(ear: Ear) -> None:
    """Ten workers that are told to wait are one piece of news; a longer wait is another."""
    health, refused = ear.health(), Held(HoldKind.RATE_LIMIT, "Too many requests.")
    for pause in (30.0, 30.5, 29.0, 60.0):
        health.failed(refused, pause=pause)

    assert [change.until for change in ear.told] == [NINE + timedelta(seconds=30), NINE + timedelta(seconds=60)]


def test_an_answer_of_a_service_that_lacks_something_does_not_mean_that_all_is_well(ear: Ear) -> None:
    """Told at once, and again after other trouble; when nothing is lacking any more, that is news too."""
    health = ear.health()
    health.at_best(LIMITED, "It has no column for the date.")
    health.answered(0.1)
    health.failed(Held(HoldKind.CREDENTIALS, "Mend it."), pause=0)
    health.answered(0.1)
    health.at_best(LIMITED, "It has no column for the link.")
    health.at_best(OK)
    health.answered(0.1)

    assert [(change.state, change.reason) for change in ear.told] == [
        (LIMITED, "It has no column for the date."),
        (BROKEN, "Mend it."),
        (LIMITED, "It has no column for the date."),
        (LIMITED, "It has no column for the link."),
        (OK, ""),
    ]


def test_after_a_pause_what_is_lacking_is_told_again(ear: Ear) -> None:
    """It is limited before and after, for another reason."""
    health = ear.health()
    health.at_best(LIMITED, "It has no column for the date.")
    health.failed(Held(HoldKind.RATE_LIMIT, "Too many requests."), pause=30.0)
    health.answered(0.1)

    assert [(change.state, change.until is None) for change in ear.told] == [
        (LIMITED, True),
        (LIMITED, False),
        (LIMITED, True),
    ]


@pytest.mark.parametrize(
    "error",
    [
        Permanent("No such file."),
        UnfinishedAnswer("It was cut."),
        Held(HoldKind.DISK, "The disk is full."),
        ValueError("a bug"),
    ],
)
def test_what_says_nothing_about_the_service_is_not_told(ear: Ear, error: Exception) -> None:
    """A file that is gone, a cut answer and a full disk are not its fault."""
    ear.health().failed(error, pause=0, certain=True)

    assert ear.told == []


@pytest.mark.parametrize("kind", [HoldKind.CREDENTIALS, HoldKind.CREDIT, HoldKind.SERVICE])
def test_what_only_a_person_can_mend_is_told_at_once(ear: Ear, kind: HoldKind) -> None:
    """A refused key, an empty balance, a stranger at the address."""
    ear.health().failed(Held(kind, "Mend it."), pause=0)

    assert [(change.state, change.reason) for change in ear.told] == [(BROKEN, "Mend it.")]
