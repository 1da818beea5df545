"""Which of the user's own rules is for this call, and what follows from it?

Rules are read from the top and the first that matches decides alone: nothing is merged from further ones. Every condition of a rule
must hold; a rule without conditions is for every call. What is not known matches no condition. As long as it may still become known
(a sidecar is awaited, a length was only guessed), an earlier rule that depends on it leaves the route open.

`skip` refuses the call. `process` passes the general rules about direction, type and length, but neither the switch for automatic
processing nor the age limits, so that no rule can pay for a folder of old recordings. All else only says how a call is done.
"""

import re
import unicodedata
from collections.abc import Iterable, Sequence
from datetime import datetime, time, tzinfo
from functools import lru_cache
from pathlib import Path

from msgspec import Struct

from focusflow.domain.jobs import Direction, Job

MIDNIGHT = time()
DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")

NUMBER = "number"
DIRECTION = "direction"
LENGTH = "length"
TOLD_BY_SIDECAR = frozenset({NUMBER, DIRECTION, LENGTH})
"""What may still become known while a sidecar is awaited."""


class Conditions(Struct, frozen=True, kw_only=True):
    """When a rule is for a call. None: whatever it is."""

    directions: frozenset[Direction] | None = None
    call_types: frozenset[str] | None = None
    """Lower case."""
    contacts: tuple[str, ...] | None = None
    """Names with `*` and `?`, in any case."""
    numbers: tuple[str, ...] | None = None
    """`+44*`, or a whole number as `normal_number` writes it."""
    min_seconds: float | None = None
    """At least so long."""
    max_seconds: float | None = None
    """At most so long."""
    weekdays: frozenset[int] | None = None
    """Monday is 0."""
    hours: tuple[time, time] | None = None
    """From the first on, before the second; over midnight where the second is earlier. 00:00 as the second ends the day."""


class Consequences(Struct, frozen=True, kw_only=True):
    """What follows for a call."""

    skip: str | None = None
    """Why it is left out."""
    process: bool = False
    model: str | None = None
    """The language model that sums it up."""
    prompt: Path | None = None
    language: str | None = None
    """What is spoken; the transcriber then detects nothing."""
    budget_exempt: bool = False
    """Counted, but never held back by a budget."""


class RoutingRule(Struct, frozen=True, kw_only=True):
    """One of the user's rules."""

    when: Conditions
    then: Consequences


class CallFacts(Struct, frozen=True, kw_only=True):
    """What is known of a call."""

    direction: Direction | None = None
    call_type: str | None = None
    contact_name: str | None = None
    contact_number: str | None = None
    seconds: float | None = None
    call_at: datetime | None = None
    """An aware instant."""
    open: frozenset[str] = frozenset()
    """Which of `TOLD_BY_SIDECAR` may still become known, where they are None."""


class Route(Struct, frozen=True, kw_only=True):
    """What the rules say of one call."""

    rule: int | None = None
    """The number of the rule that matched, from 1; None: none did."""
    then: Consequences = Consequences()
    may_be: tuple[Consequences, ...] = ()
    """What earlier rules say that may match yet, once more is known."""

    @property
    def settled(self) -> bool:
        """Say that nothing that may still become known changes it."""
        return not self.may_be

    @property
    def refusal(self) -> str | None:
        """Return why the rule leaves the call out, as a phrase; None if it does not."""
        return None if self.then.skip is None else f"{self.then.skip} (rule {self.rule})"


UNROUTED = Route()


def unrouted(job: Job, seconds: float | None) -> Route:
    """Route nothing: there are no rules."""
    return UNROUTED


def facts_of(job: Job, *, seconds: float | None, open: frozenset[str] = frozenset()) -> CallFacts:
    """Return what a job's row tells, with its length as the caller trusts it."""
    return CallFacts(
        direction=job.direction,
        call_type=job.call_type,
        contact_name=job.contact_name,
        contact_number=job.contact_number,
        seconds=seconds,
        call_at=job.call_at,
        open=open,
    )


def route(facts: CallFacts, rules: Sequence[RoutingRule], zone: tzinfo) -> Route:
    """Return what the first matching rule says; hours and weekdays are those of *zone*."""
    may_be: list[Consequences] = []
    for number, rule in enumerate(rules, 1):
        matches = _matches(facts, rule.when, zone)
        if matches:
            return Route(rule=number, then=rule.then, may_be=tuple(may_be))
        if matches is None:
            may_be.append(rule.then)
    return Route(may_be=tuple(may_be))


def _matches(facts: CallFacts, when: Conditions, zone: tzinfo) -> bool | None:
    """Say whether every condition holds; None: all that can be told do, and the rest is still open."""
    answers = [
        _among(facts.direction, when.directions, DIRECTION in facts.open),
        _among(facts.call_type and facts.call_type.lower(), when.call_types, False),
        _like(facts.contact_name, when.contacts, False),
        _like(facts.contact_number and bare_number(facts.contact_number), when.numbers, NUMBER in facts.open),
        _long_enough(facts, when),
        _on_time(facts.call_at, when, zone),
    ]
    if False in answers:
        return False
    return None if None in answers else True


def _among(value: str | None, wanted: Iterable[str] | None, is_open: bool) -> bool | None:
    if wanted is None:
        return True
    if value is None:
        return None if is_open else False
    return value in wanted


def _like(value: str | None, patterns: Sequence[str] | None, is_open: bool) -> bool | None:
    if patterns is None:
        return True
    if value is None:
        return None if is_open else False
    return any(_glob(pattern).fullmatch(_folded(value)) for pattern in patterns)


def _long_enough(facts: CallFacts, when: Conditions) -> bool | None:
    if when.min_seconds is None and when.max_seconds is None:
        return True
    if facts.seconds is None:
        return None if LENGTH in facts.open else False
    return (when.min_seconds or 0) <= facts.seconds and (when.max_seconds is None or facts.seconds <= when.max_seconds)


def _on_time(call_at: datetime | None, when: Conditions, zone: tzinfo) -> bool:
    if when.weekdays is None and when.hours is None:
        return True
    if call_at is None:
        return False
    local = call_at.astimezone(zone)
    return (when.weekdays is None or local.weekday() in when.weekdays) and _within(local.time(), when.hours)


def _within(at: time, hours: tuple[time, time] | None) -> bool:
    if hours is None:
        return True
    first, end = hours
    if end == MIDNIGHT:
        return at >= first
    return first <= at < end if first < end else at >= first or at < end


def bare_number(text: str) -> str:
    """Return a number, or a pattern of one, without what people write between digits."""
    return re.sub(r"[\s().\-/\u2010-\u2013]", "", text)


@lru_cache(maxsize=1_000)
def _glob(pattern: str) -> re.Pattern[str]:
    parts = {"*": ".*", "?": "."}
    squeezed = re.sub(r"\*+", "*", _folded(pattern))  # `**` would only make the search slow
    return re.compile("".join(parts.get(char) or re.escape(char) for char in squeezed), re.DOTALL)


def _folded(text: str) -> str:
    """Return the text as it is compared: in any case, and however its letters are composed."""
    return unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", text).casefold())


# ----------------------------------------------------------------------------------------------------------- in words


def in_words(rule: RoutingRule) -> str:
    """Return what a rule says, as a sentence: `calls from Mum* of at most 60 s: skipped, "private"`."""
    return f"{conditions_in_words(rule.when)}: {consequences_in_words(rule.then)}"


def conditions_in_words(when: Conditions) -> str:
    """Return which calls are meant."""
    kinds = " or ".join(sorted(when.directions)) if when.directions else ""
    parts = [f"{kinds} calls" if kinds else "calls" if when != Conditions() else "every call"]
    parts += [f"of type {' or '.join(sorted(when.call_types))}"] if when.call_types else []
    parts += [f"with {' or '.join(when.contacts)}"] if when.contacts else []
    parts += [f"with number {' or '.join(when.numbers)}"] if when.numbers else []
    parts += [f"of at least {when.min_seconds:g} s"] if when.min_seconds is not None else []
    parts += [f"of at most {when.max_seconds:g} s"] if when.max_seconds is not None else []
    parts += [f"on {', '.join(DAYS[day].capitalize() for day in sorted(when.weekdays))}"] if when.weekdays else []
    parts += [f"from {when.hours[0]:%H:%M} to {_end(when.hours[1])}"] if when.hours else []
    return " ".join(parts)


def consequences_in_words(then: Consequences) -> str:
    """Return what follows."""
    parts = [f'skipped, "{then.skip}"'] if then.skip is not None else []
    parts += ["processed, whatever their direction, type or length"] if then.process else []
    parts += [f"summarized by {then.model}"] if then.model else []
    parts += [f"with the prompt {then.prompt}"] if then.prompt else []
    parts += [f"spoken in {then.language}"] if then.language else []
    parts += ["not held back by budgets"] if then.budget_exempt else []
    return ", ".join(parts) or "as usual"


def _end(at: time) -> str:
    return "24:00" if at == MIDNIGHT else f"{at:%H:%M}"
