"""What do the rules in a configuration mean, and what is wrong with them?"""

import difflib
import re
from collections.abc import Callable, Collection, Mapping, Sequence
from datetime import time
from pathlib import Path
from typing import TypeVar

from msgspec import Struct

from focusflow.domain.jobs import Direction
from focusflow.domain.routing import DAYS, MIDNIGHT, Conditions, Consequences, RoutingRule, bare_number

T = TypeVar("T")

WHEN_KEYS = ("direction", "type", "contact", "number", "min_duration", "max_duration", "weekdays", "hours")
THEN_KEYS = ("skip", "process", "model", "prompt", "language", "budget_exempt")
LONGEST_SECONDS = 86_400

_DAY_NAMES = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
_HOURS = re.compile(r"(\d{1,2}):(\d{2})\s*[-\u2013]\s*(\d{1,2}):(\d{2})")
_NUMBER = re.compile(r"[+*#]?[\d*?#]+")
_LANGUAGE = re.compile(r"[A-Za-z]{2,3}([_-][A-Za-z]{2,4})?")


class _Wrong(Exception):
    """A value that cannot be used; says why."""


class ReadRules(Struct, frozen=True, kw_only=True):
    """The rules that could be read, and a sentence for each thing that could not."""

    rules: tuple[RoutingRule, ...]
    problems: tuple[str, ...]


def read_rules(found: object) -> ReadRules:
    """Read what stands below `rules:`; never raises."""
    if found is None:
        return ReadRules(rules=(), problems=())
    if not isinstance(found, Sequence) or isinstance(found, str):
        return ReadRules(rules=(), problems=("rules: expected a list, each entry with `when:` and `then:`",))
    readers = [_RuleReader(number) for number in range(1, len(found) + 1)]
    rules = [reader.read(entry) for reader, entry in zip(readers, found, strict=True)]
    problems = tuple(problem for reader in readers for problem in reader.problems)
    return ReadRules(rules=tuple(rule for rule in rules if rule is not None), problems=problems)


class _RuleReader:
    """Reads one rule and collects what is wrong with it."""

    def __init__(self, number: int) -> None:
        self.number = number
        self.problems: list[str] = []

    def complain(self, sentence: str) -> None:
        self.problems.append(f"rules: rule {self.number}: {sentence}")

    def read(self, entry: object) -> RoutingRule | None:
        parts = self._mapping("", entry, ("when", "then"))
        if parts is None:
            return None
        when = self._mapping("when", parts.get("when") or {}, WHEN_KEYS)
        then = self._mapping("then", parts.get("then") or {}, THEN_KEYS)
        conditions = None if when is None else self._conditions(when)
        consequences = None if then is None else self._consequences(then)
        if conditions is None or consequences is None or self.problems:
            return None
        return RoutingRule(when=conditions, then=consequences)

    def _mapping(self, where: str, found: object, known: Collection[str]) -> Mapping[str, object] | None:
        if not isinstance(found, Mapping):
            self.complain(f"{where or 'it'}: expected keys and values: {', '.join(known)}")
            return None
        for key in found:
            if key not in known:
                self.complain(_unknown_key(f"{where}." if where else "", str(key), known))
        return {str(key): value for key, value in found.items() if value is not None}

    def _value(self, where: str, values: Mapping[str, object], key: str, read: Callable[[object], T]) -> T | None:
        """Return the value as *read* understands it; None, and a sentence, if it does not."""
        if key not in values:
            return None
        try:
            return read(values[key])
        except _Wrong as wrong:
            self.complain(f"{where}.{key}: {wrong}")
            return None

    def _conditions(self, when: Mapping[str, object]) -> Conditions:
        conditions = Conditions(
            directions=self._value("when", when, "direction", _directions),
            call_types=self._value("when", when, "type", lambda found: frozenset(map(str.lower, _words(found)))),
            contacts=self._value("when", when, "contact", _words),
            numbers=self._value("when", when, "number", _numbers),
            min_seconds=self._value("when", when, "min_duration", _seconds),
            max_seconds=self._value("when", when, "max_duration", _seconds),
            weekdays=self._value("when", when, "weekdays", _weekdays),
            hours=self._value("when", when, "hours", _hours),
        )
        least, most = conditions.min_seconds, conditions.max_seconds
        if least is not None and most is not None and least > most:
            self.complain(f"when.min_duration ({least:g}) is more than max_duration ({most:g}): no call is both")
        return conditions

    def _consequences(self, then: Mapping[str, object]) -> Consequences:
        consequences = Consequences(
            skip=self._value("then", then, "skip", _reason),
            process=self._value("then", then, "process", _yes) or False,
            model=self._value("then", then, "model", _text),
            prompt=self._value("then", then, "prompt", lambda found: Path(_text(found)).expanduser()),
            language=self._value("then", then, "language", _language),
            budget_exempt=self._value("then", then, "budget_exempt", _yes_or_no) or False,
        )
        if not then:
            self.complain(f"then says nothing: expected at least one of {', '.join(THEN_KEYS)}")
        if consequences.skip is not None:
            others = [name for name in Consequences.__struct_fields__ if name != "skip" and then.get(name)]
            if others:
                self.complain(f"then.skip leaves the call out, so {' and '.join(others)} would have no effect")
        return consequences


def _unknown_key(where: str, key: str, known: Collection[str]) -> str:
    nearest = difflib.get_close_matches(key, known, n=1, cutoff=0.5)
    hint = f"did you mean {where}{nearest[0]}?" if nearest else f"known are {', '.join(known)}"
    return f"unknown key {where}{key}; {hint}"


def _text(found: object) -> str:
    if not isinstance(found, str) or not found.strip():
        raise _Wrong("expected some text")
    return found.strip()


def _reason(found: object) -> str:
    if not isinstance(found, str) or not found.strip():
        raise _Wrong("say why, in a few words that are shown with the call")
    return " ".join(found.split())


def _words(found: object) -> tuple[str, ...]:
    listed = found if isinstance(found, Sequence) and not isinstance(found, str) else [found]
    # YAML reads +44 as a number
    words = tuple(str(word).strip() for word in listed if isinstance(word, str | int) and not isinstance(word, bool))
    if not listed or len(words) != len(listed) or not all(words):
        raise _Wrong("expected a word, or a list of words")
    return words


def _directions(found: object) -> frozenset[Direction]:
    return frozenset(_one_of(word, list(Direction)) for word in _words(found))


def _weekdays(found: object) -> frozenset[int]:
    return frozenset(_weekday(word) for word in _words(found))


def _weekday(word: str) -> int:
    days = [day for day, name in enumerate(_DAY_NAMES) if len(word) >= 3 and name.startswith(word.casefold())]
    if not days:
        raise _Wrong(f"{word} is not one of {', '.join(DAYS)}")
    return days[0]


W = TypeVar("W", bound=str)


def _one_of(word: str, known: Sequence[W]) -> W:
    match = next((one for one in known if one == word.casefold()), None)
    if match is None:
        raise _Wrong(f"{word} is not one of {', '.join(known)}")
    return match


def _numbers(found: object) -> tuple[str, ...]:
    patterns = tuple(bare_number(word) for word in _words(found))
    for pattern in patterns:
        if not _NUMBER.fullmatch(pattern):
            raise _Wrong(f"{pattern} is not a phone number, or the beginning of one such as +44*")
    if isinstance(found, int):
        raise _Wrong(f"write the number in quotation marks, such as '+{found}'")
    return patterns


def _seconds(found: object) -> float:
    if isinstance(found, bool) or not isinstance(found, int | float) or not 0 <= found <= LONGEST_SECONDS:
        raise _Wrong(f"expected seconds, from 0 to {LONGEST_SECONDS}")
    return float(found)


def _hours(found: object) -> tuple[time, time]:
    match = _HOURS.fullmatch(found.strip()) if isinstance(found, str) else None
    if match is None:
        raise _Wrong('write it like "09:00-18:00"')
    first, end = _clock(match[1], match[2]), _clock(match[3], match[4])
    if match[1] == "24" or first == end:
        raise _Wrong("this is no time at all: leave it out for the whole day")
    return first, end


def _clock(hour: str, minute: str) -> time:
    if (hour, minute) == ("24", "00"):
        return MIDNIGHT
    if int(hour) > 23 or int(minute) > 59:
        raise _Wrong(f"there is no {hour}:{minute}")
    return time(int(hour), int(minute))


def _language(found: object) -> str:
    language = _text(found)
    if not _LANGUAGE.fullmatch(language):
        raise _Wrong(f"{language} is not a language's code, such as en or de")
    return language


def _yes_or_no(found: object) -> bool:
    if not isinstance(found, bool):
        raise _Wrong("expected true or false")
    return found


def _yes(found: object) -> bool:
    if found is not True:
        raise _Wrong("only `true` means something here; `skip` leaves calls out")
    return True
