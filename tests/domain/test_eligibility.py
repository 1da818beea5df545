"""The user's rules decide which calls are processed by themselves, and say why not."""

import os
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TypedDict, Unpack
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from focusflow.domain.eligibility import Rules, fingerprint, owner_allowed, refusal
from focusflow.domain.jobs import Direction

NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)


class Call(TypedDict, total=False):
    direction: Direction | None
    call_type: str | None
    duration_seconds: float | None
    call_at: datetime | None


def judged(rules: Rules, **call: Unpack[Call]) -> str | None:
    return refusal(
        direction=call.get("direction", Direction.INCOMING),
        call_type=call.get("call_type", "phone"),
        duration_seconds=call.get("duration_seconds", 60.0),
        call_at=call.get("call_at", NOW),
        rules=rules,
        now=NOW,
    )


def test_a_wanted_call_is_not_refused() -> None:
    """An incoming call of a minute, now, is what the default rules are for."""
    assert judged(Rules()) is None


@pytest.mark.parametrize(
    ("rules", "call", "reason"),
    [
        (Rules(), {"duration_seconds": 3.0}, "shorter than 20 s (3 s)"),
        (Rules(), {"duration_seconds": 19.97}, "shorter than 20 s (19.9 s)"),
        (Rules(), {"direction": Direction.OUTGOING}, "outgoing call; only incoming ones are processed"),
        (
            Rules(directions=frozenset({Direction.OUTGOING, Direction.INCOMING})),
            {"direction": Direction.CONFERENCE},
            "conference call; only incoming and outgoing ones are processed",
        ),
        (Rules(directions=frozenset()), {}, "incoming call; none are processed"),
        (
            Rules(call_types=frozenset({"Phone", "whatsapp"})),
            {"call_type": "mic"},
            "mic recording; only phone and whatsapp ones are processed",
        ),
        (Rules(max_age=timedelta(days=1.5)), {"call_at": NOW - timedelta(days=2)}, "older than 1.5 days"),
        (
            Rules(not_before=datetime(2026, 11, 1, tzinfo=ZoneInfo("Australia/Melbourne"))),
            {"call_at": datetime(2026, 10, 31, 12, 59, tzinfo=UTC)},
            "recorded before 2026-11-01 (only new calls are processed)",
        ),
        (
            Rules(not_before=NOW),
            {"call_at": NOW - timedelta(seconds=1)},
            "recorded before 2026-11-20 12:00 (only new calls are processed)",
        ),
    ],
)
def test_a_refusal_says_why(rules: Rules, call: Call, reason: str) -> None:
    """Each rule refuses in words that a person can check against the configuration."""
    assert judged(rules, **call) == reason


@pytest.mark.parametrize(
    ("rules", "call"),
    [
        (Rules(min_duration_seconds=20), {"duration_seconds": 20.0}),
        (Rules(not_before=NOW, max_age=timedelta(0)), {"call_at": NOW}),
        (Rules(not_before=NOW, max_age=timedelta(days=1)), {"call_at": None}),
        (Rules(call_types=frozenset({"Phone"})), {"call_type": "phone"}),
        (Rules(call_types=frozenset({"phone"})), {"call_type": None}),
    ],
)
def test_a_call_at_the_limit_or_of_unknown_facts_passes(rules: Rules, call: Call) -> None:
    """Limits are inclusive, and what is not known is not held against a call."""
    assert judged(rules, **call) is None


def test_fault_7_an_unknown_duration_is_waited_for_and_a_known_one_is_gated() -> None:
    """The rules don't refuse what the sidecar has yet to say; once it has spoken, a pocket dial is refused."""
    assert judged(Rules(), duration_seconds=None) is None
    assert judged(Rules(), duration_seconds=0.0) == "shorter than 20 s (0 s)"


def test_fault_14_the_cutoff_is_the_callers_instant_and_not_this_process_start() -> None:
    """The same call gets the same verdict at any later time, whatever was restarted in between."""
    rules = Rules(not_before=NOW - timedelta(days=30))
    call_at = NOW - timedelta(days=29)
    verdicts = {
        refusal(
            direction=Direction.INCOMING,
            call_type="phone",
            duration_seconds=60,
            call_at=call_at,
            rules=rules,
            now=NOW + timedelta(days=later),
        )
        for later in range(0, 400, 40)
    }
    assert verdicts == {None}


def test_fault_16_a_phone_call_without_an_arrow_is_not_taken_for_an_incoming_one() -> None:
    """Unknown is unknown: the user's policy decides, and with `skip` the call is refused as what it is."""
    skip = Rules(unknown_direction="skip")
    assert judged(Rules(), direction=None) is None
    assert judged(skip, direction=None) == "call of unknown direction; only incoming ones are processed"
    assert judged(skip, direction=None, call_type="whatsapp") is not None


def test_an_unknown_direction_is_not_refused_while_the_sidecar_may_still_tell_it() -> None:
    """Cube ACR's sidecar names the direction that a WhatsApp call's file name lacks."""
    verdicts = [
        refusal(
            direction=None,
            call_type="whatsapp",
            duration_seconds=None,
            call_at=NOW,
            rules=Rules(unknown_direction="skip"),
            now=NOW,
            awaiting_sidecar=awaiting,
        )
        for awaiting in (True, False)
    ]
    assert verdicts == [None, "call of unknown direction; only incoming ones are processed"]


def test_a_microphone_recording_has_no_direction_and_needs_none() -> None:
    """It passes any policy about directions, but not the list of types."""
    strict = Rules(unknown_direction="skip", directions=frozenset())
    assert judged(strict, direction=None, call_type="mic") is None
    assert judged(Rules(call_types=frozenset({"phone"})), direction=None, call_type="mic") is not None


def test_equal_rules_have_equal_fingerprints_in_every_process() -> None:
    """Order, case, zone and number type don't matter, nor does the interpreter's hash seed."""
    melbourne = datetime(2026, 11, 1, tzinfo=ZoneInfo("Australia/Melbourne"))
    types, directions = frozenset({"a", "B", "c"}), frozenset(Direction)
    one = Rules(call_types=types, directions=directions, not_before=melbourne, min_duration_seconds=20)
    same = Rules(
        call_types=frozenset({"C", "b", "A"}),
        directions=directions,
        not_before=melbourne.astimezone(UTC),
        min_duration_seconds=20.0,
    )
    assert fingerprint(one) == fingerprint(same)
    program = (
        "from focusflow.domain.eligibility import *\nfrom focusflow.domain.jobs import Direction\n"
        "print(fingerprint(Rules(directions=frozenset(Direction), call_types=frozenset('abc'))))"
    )
    seen = {
        subprocess.run(
            [sys.executable, "-c", program],
            env={**os.environ, "PYTHONHASHSEED": seed},
            cwd=Path(__file__).parents[2],
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for seed in ("1", "2")
    }
    assert seen == {fingerprint(Rules(directions=directions, call_types=types)) + "\n"}


def test_every_rule_is_in_the_fingerprint() -> None:
    """A changed rule makes stored verdicts stale, whichever it is."""
    variants = [
        Rules(),
        Rules(directions=frozenset({Direction.OUTGOING})),
        Rules(unknown_direction="skip"),
        Rules(call_types=frozenset()),
        Rules(min_duration_seconds=21),
        Rules(max_age=timedelta(days=1)),
        Rules(not_before=NOW),
    ]
    assert len({fingerprint(rules) for rules in variants}) == len(variants)


@given(
    st.none() | st.sampled_from(Direction),
    st.none() | st.sampled_from(["phone", "mic", "whatsapp"]),
    st.floats(0, 100),
    st.floats(0, 100),
    st.sampled_from(["process", "skip"]),
)
def test_a_longer_call_is_never_refused_where_a_shorter_one_passes(
    direction: Direction | None, call_type: str | None, one: float, other: float, policy: str
) -> None:
    """Verdicts are monotone in the duration."""
    rules = Rules(unknown_direction="skip" if policy == "skip" else "process")
    shorter, longer = sorted((one, other))
    if judged(rules, direction=direction, call_type=call_type, duration_seconds=shorter) is None:
        assert judged(rules, direction=direction, call_type=call_type, duration_seconds=longer) is None


@pytest.mark.parametrize(
    ("owners", "allow_list", "accept_ownerless", "allowed"),
    [
        (["ann@example.com"], [], False, True),
        (["ann@example.com"], [" "], False, True),
        (["ann@example.com"], ["bob@example.com"], True, False),
        (["Ann@Example.com "], [" ANN@example.COM"], False, True),
        (["ann@example.com"], ["*@EXAMPLE.com"], False, True),
        (["ann@mail.example.com"], ["*@example.com"], False, False),
        (["ann@example.com.evil.org"], ["*@example.com"], False, False),
        (["ann"], ["*@example.com"], False, False),
        (["bob@example.com", "ann@example.com"], ["ann@example.com"], False, True),
        ([], ["ann@example.com"], True, True),
        ([], ["ann@example.com"], False, False),
        ([], [], False, False),
    ],
)
def test_owners_are_allowed_by_address_or_domain(
    owners: list[str], allow_list: list[str], accept_ownerless: bool, allowed: bool
) -> None:
    """Case does not matter, an empty list blocks nobody, and files without owners follow their own switch."""
    assert owner_allowed(owners, allow_list, accept_ownerless) is allowed
