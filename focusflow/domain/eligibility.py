"""Which calls are processed by themselves?

What is not known is not held against a call, so that none is lost: an unknown time is not too old, and an unknown duration is
waited for (only a known one is measured). Money is guarded by the wait itself: nothing is paid for before a duration is known,
guessed from the size or read from the file.

Directions. A call with a direction must have one of the wanted ones. Some recordings have none: microphone recordings never do,
and always pass; WhatsApp calls, other messengers' calls and phone calls whose name has no arrow may still learn theirs from
their sidecar. What is then still unknown passes or not as `unknown_direction` says, for every type alike: unknown is not
incoming.
"""

import hashlib
import json
import math
from collections.abc import Collection, Sequence
from datetime import UTC, datetime, timedelta, tzinfo
from typing import Literal

from msgspec import Struct

from focusflow.domain.jobs import Direction
from focusflow.domain.routing import LENGTH, TOLD_BY_SIDECAR, CallFacts, RoutingRule, route

_LOGIC = 3
"""Raise it when `refusal` changes its mind about the same rules: stored verdicts are then judged anew."""
_WITHOUT_DIRECTION = frozenset({"mic"})


class Rules(Struct, frozen=True, kw_only=True):
    """The user's rules. They are for calls nobody asked for; a person's own request passes them."""

    directions: frozenset[Direction] = frozenset({Direction.INCOMING})
    unknown_direction: Literal["process", "skip"] = "process"
    call_types: frozenset[str] | None = None
    """None: all."""
    min_duration_seconds: float = 20
    max_age: timedelta | None = None
    not_before: datetime | None = None
    """An aware instant, shown in its own zone: only calls that began at it or later."""
    routing: tuple[RoutingRule, ...] = ()
    """The user's own rules, which come before these."""
    zone: tzinfo = UTC
    """Whose hours and weekdays `routing` means."""


def refusal(
    *,
    direction: Direction | None,
    call_type: str | None,
    duration_seconds: float | None,
    call_at: datetime | None,
    rules: Rules,
    now: datetime,
    contact_name: str | None = None,
    contact_number: str | None = None,
    awaiting_sidecar: bool = False,
    awaiting_length: bool = False,
) -> str | None:
    """Return why the rules refuse a call, as a phrase for a person; None if they do not. Instants are aware.

    *awaiting_sidecar*: what is unknown now may still be told, so it is not yet held against the call. *awaiting_length*: only
    its length may, by the file itself.
    """
    facts = CallFacts(
        direction=direction,
        call_type=call_type,
        contact_name=contact_name,
        contact_number=contact_number,
        seconds=duration_seconds,
        call_at=call_at,
        open=TOLD_BY_SIDECAR if awaiting_sidecar else frozenset({LENGTH} if awaiting_length else ()),
    )
    found = route(facts, rules.routing, rules.zone)
    general = _refused_in_general(facts, rules, awaiting_sidecar=awaiting_sidecar)
    verdict = found.refusal or (None if found.then.process else general)
    if any(not then.skip and (then.process or not general) for then in found.may_be):
        verdict = None  # a rule that is still open may be the one that decides, and lets it pass
    return verdict or _refused_time(call_at, rules, now)


def _refused_in_general(facts: CallFacts, rules: Rules, *, awaiting_sidecar: bool) -> str | None:
    return (
        _refused_type(facts.call_type, rules)
        or _refused_direction(facts.direction, facts.call_type, rules, awaiting_sidecar=awaiting_sidecar)
        or _refused_duration(facts.seconds, rules)
    )


def fingerprint(rules: Rules) -> str:
    """Return a short text that is equal for equal rules, in every process, and changes when a verdict may."""
    facts = [
        _LOGIC,
        sorted(rules.directions),
        rules.unknown_direction,
        None if rules.call_types is None else sorted(call_type.lower() for call_type in rules.call_types),
        float(rules.min_duration_seconds),
        None if rules.max_age is None else rules.max_age.total_seconds(),
        None if rules.not_before is None else rules.not_before.astimezone(UTC).isoformat(),
        [_rule_facts(rule) for rule in rules.routing],
        str(rules.zone) if rules.routing else None,
    ]
    return hashlib.sha256(json.dumps(facts).encode()).hexdigest()[:16]


def _rule_facts(rule: RoutingRule) -> list[object]:
    when, then = rule.when, rule.then
    return [
        when.directions and sorted(when.directions),
        when.call_types and sorted(when.call_types),
        when.contacts,
        when.numbers,
        when.min_seconds,
        when.max_seconds,
        when.weekdays and sorted(when.weekdays),
        when.hours and [at.isoformat() for at in when.hours],
        [then.skip, then.process, then.model, str(then.prompt), then.language, then.budget_exempt],
    ]


def owner_allowed(owners: Sequence[str], allow_list: Sequence[str], accept_ownerless: bool) -> bool:
    """Say whether a file's owners may be served: any of them is listed, by address or as `*@domain`, in any case.

    An empty list allows everybody. A file without owners (on a shared drive) passes if *accept_ownerless*, list or no list.
    """
    if not owners:
        return accept_ownerless
    listed = {entry.strip().casefold() for entry in allow_list if entry.strip()}
    addresses = [owner.strip().casefold() for owner in owners]
    return not listed or any(a in listed or "*@" + a.rpartition("@")[2] in listed for a in addresses)


def _refused_type(call_type: str | None, rules: Rules) -> str | None:
    if rules.call_types is None or call_type is None:
        return None
    wanted = {wanted.lower() for wanted in rules.call_types}
    return None if call_type.lower() in wanted else f"{call_type} recording; {_only(wanted)}"


def _refused_direction(
    direction: Direction | None, call_type: str | None, rules: Rules, *, awaiting_sidecar: bool
) -> str | None:
    if direction in rules.directions or (direction is None and call_type in _WITHOUT_DIRECTION):
        return None
    if direction is not None:
        return f"{direction} call; {_only(rules.directions)}"
    passes = awaiting_sidecar or rules.unknown_direction == "process"
    return None if passes else f"call of unknown direction; {_only(rules.directions)}"


def _refused_duration(duration_seconds: float | None, rules: Rules) -> str | None:
    if duration_seconds is None or duration_seconds >= rules.min_duration_seconds:
        return None
    return f"shorter than {_seconds(rules.min_duration_seconds)} ({_seconds(duration_seconds)})"


def _refused_time(call_at: datetime | None, rules: Rules, now: datetime) -> str | None:
    if call_at is None:
        return None
    if rules.not_before is not None and call_at < rules.not_before:
        return f"recorded before {_moment(rules.not_before)} (only new calls are processed)"
    if rules.max_age is not None and now - call_at > rules.max_age:
        return f"older than {rules.max_age / timedelta(days=1):g} days"
    return None


def _only(wanted: Collection[str]) -> str:
    return f"only {' and '.join(sorted(wanted))} ones are processed" if wanted else "none are processed"


def _seconds(seconds: float) -> str:
    # rounded down: 19.97 s is shorter than 20 s and must look it
    return f"{math.floor(seconds * 10) / 10:g} s"


def _moment(instant: datetime) -> str:
    return f"{instant:%Y-%m-%d}" if (instant.hour, instant.minute) == (0, 0) else f"{instant:%Y-%m-%d %H:%M}"
