"""The first rule that matches decides, and nothing is decided before it is known."""

from datetime import UTC, datetime, time
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from focusflow.domain.eligibility import Rules, fingerprint, refusal
from focusflow.domain.jobs import Direction
from focusflow.domain.routing import (
    LENGTH,
    TOLD_BY_SIDECAR,
    CallFacts,
    Conditions,
    Consequences,
    Route,
    RoutingRule,
    in_words,
    route,
)
from focusflow.domain.rule_reading import read_rules

ZONE = ZoneInfo("Australia/Melbourne")
MONDAY_NOON = datetime(2026, 11, 23, 1, tzinfo=UTC)  # 12:00 in Melbourne


def a_rule(when: Conditions, **then: object) -> RoutingRule:
    return RoutingRule(when=when, then=Consequences(**then or {"model": "small"}))  # type: ignore[arg-type]  # a builder


def matches(when: Conditions, facts: CallFacts) -> bool:
    return route(facts, [a_rule(when)], ZONE).rule == 1


@pytest.mark.parametrize(
    ("pattern", "name", "expected"),
    [
        ("Mum*", "mum (mobile)", True),
        ("JÜRGEN*", "Ju\u0308rgen Weber", True),
        ("stra\u00dfe", "STRASSE", True),
        ("*weber", "Jürgen Weber", True),
        ("weber", "Jürgen Weber", False),
        ("A?n", "Ann", True),
        ("[A-Z]*", "Ann", False),
        ("田*", "田中さん", True),
        ("*", None, False),
    ],
)
def test_a_contact_is_matched_in_any_case_and_script(pattern: str, name: str | None, expected: bool) -> None:
    """Only * and ? are special; how letters are composed does not matter; nobody's name is no name."""
    assert matches(Conditions(contacts=(pattern,)), CallFacts(contact_name=name)) is expected


@pytest.mark.parametrize(
    ("pattern", "number", "expected"),
    [
        ("+44*", "+442079460118", True),
        ("+442079460118", "+44 20 7946 0118", True),
        ("+44*", "+493023125471", False),
        ("000", "000", True),
        ("*86", "*86", True),
    ],
)
def test_a_number_is_matched_without_what_people_write_between_digits(
    pattern: str, number: str, expected: bool
) -> None:
    """A country, a block, or one number."""
    assert matches(Conditions(numbers=(pattern,)), CallFacts(contact_number=number)) is expected


@pytest.mark.parametrize(
    ("hours", "hour", "expected"),
    [
        ((time(9), time(18)), 12, True),
        ((time(9), time(12)), 12, False),
        ((time(12), time(0)), 12, True),
        ((time(22), time(6)), 12, False),
        ((time(22), time(6)), 23, True),
        ((time(22), time(6)), 5, True),
    ],
)
def test_hours_are_the_users_own(hours: tuple[time, time], hour: int, expected: bool) -> None:
    """From the first on, before the second, over midnight where it is meant; in the zone, not in UTC."""
    at = MONDAY_NOON.astimezone(ZONE).replace(hour=hour).astimezone(UTC)
    assert matches(Conditions(hours=hours), CallFacts(call_at=at)) is expected


def test_a_weekday_is_the_users_own() -> None:
    """Sunday 13:30 UTC is Monday in Melbourne."""
    late = datetime(2026, 11, 22, 13, 30, tzinfo=UTC)
    assert matches(Conditions(weekdays=frozenset({0})), CallFacts(call_at=late))
    assert not matches(Conditions(weekdays=frozenset({6})), CallFacts(call_at=late))


def test_the_first_rule_that_matches_decides_alone() -> None:
    """Nothing is merged from the second."""
    rules = [
        a_rule(Conditions(max_seconds=60), model="small"),
        a_rule(Conditions(), model="large", language="de"),
    ]
    assert route(CallFacts(seconds=60), rules, ZONE) == Route(rule=1, then=rules[0].then)
    assert route(CallFacts(seconds=61), rules, ZONE) == Route(rule=2, then=rules[1].then)
    assert route(CallFacts(seconds=60), [], ZONE) == Route()


# ------------------------------------------------------------------------------------------------------- properties

conditions = st.builds(
    Conditions,
    directions=st.none() | st.frozensets(st.sampled_from(Direction), min_size=1),
    call_types=st.none() | st.just(frozenset({"phone"})),
    contacts=st.none() | st.sampled_from([("ann*",), ("b*", "?en")]),
    numbers=st.none() | st.sampled_from([("+44*",), ("+61400000001",)]),
    min_seconds=st.none() | st.sampled_from([0.0, 30.0, 600.0]),
    max_seconds=st.none() | st.sampled_from([30.0, 600.0]),
    weekdays=st.none() | st.frozensets(st.integers(0, 6), min_size=1),
    hours=st.none() | st.sampled_from([(time(9), time(18)), (time(22), time(6))]),
)
consequences = st.builds(
    Consequences,
    skip=st.none() | st.just("private"),
    process=st.booleans(),
    model=st.none() | st.just("small"),
)
routing = st.lists(st.builds(RoutingRule, when=conditions, then=consequences), max_size=5).map(tuple)
known = {
    "direction": st.sampled_from(Direction),
    "number": st.sampled_from(["+442079460118", "+61400000001", "000"]),
    "seconds": st.sampled_from([0.0, 29.0, 30.0, 599.0, 600.0, 5_000.0]),
}
facts = st.builds(
    CallFacts,
    direction=st.none() | known["direction"],
    call_type=st.sampled_from([None, "phone", "mic"]),
    contact_name=st.sampled_from([None, "Ann Lee", "Ben"]),
    contact_number=st.none() | known["number"],
    seconds=st.none() | known["seconds"],
    call_at=st.none() | st.datetimes(datetime(2026, 1, 1), datetime(2026, 12, 31), timezones=st.just(UTC)),
    open=st.sampled_from([frozenset(), frozenset({LENGTH}), TOLD_BY_SIDECAR]),
)


@st.composite
def told_later(draw: st.DrawFn, before: CallFacts) -> CallFacts:
    """What the call may turn out to be."""
    more = before.open
    return CallFacts(
        direction=before.direction or (draw(st.none() | known["direction"]) if "direction" in more else None),
        call_type=before.call_type,
        contact_name=before.contact_name,
        contact_number=before.contact_number or (draw(st.none() | known["number"]) if "number" in more else None),
        seconds=before.seconds
        if before.seconds is not None
        else (draw(st.none() | known["seconds"]) if "length" in more else None),
        call_at=before.call_at,
    )


@given(facts, routing, st.data())
def test_what_is_settled_stays_whatever_becomes_known(
    before: CallFacts, rules: tuple[RoutingRule, ...], data: st.DataObject
) -> None:
    """A route that is settled is the final one; one that is open ends as itself or as one of those that were open."""
    first = route(before, rules, ZONE)
    later = route(data.draw(told_later(before)), rules, ZONE)
    assert later.settled
    assert later.then in (first.then, *first.may_be)
    if first.settled:
        assert later == first


@given(facts, routing, st.data(), st.sampled_from([0.0, 60.0]))
def test_a_refusal_is_never_taken_back(
    before: CallFacts, rules: tuple[RoutingRule, ...], data: st.DataObject, least: float
) -> None:
    """What is refused while a sidecar is awaited is refused with it as well: no call is lost to a rule that would have let it in."""
    after = data.draw(told_later(before))
    general = Rules(min_duration_seconds=least, routing=rules, zone=ZONE, unknown_direction="skip")

    def verdict(seen: CallFacts, *, waiting: bool) -> str | None:
        return refusal(
            direction=seen.direction,
            call_type=seen.call_type,
            contact_name=seen.contact_name,
            contact_number=seen.contact_number,
            duration_seconds=seen.seconds,
            call_at=seen.call_at,
            rules=general,
            now=MONDAY_NOON,
            awaiting_sidecar=waiting and before.open == TOLD_BY_SIDECAR,
            awaiting_length=waiting and LENGTH in before.open,
        )

    if verdict(before, waiting=True) is not None:
        assert verdict(after, waiting=False) is not None


@given(routing, routing)
def test_a_fingerprint_tells_rules_apart(one: tuple[RoutingRule, ...], other: tuple[RoutingRule, ...]) -> None:
    """Stored calls are judged anew exactly when the rules are others."""
    prints = [fingerprint(Rules(routing=rules, zone=ZONE)) for rules in (one, other)]
    assert (prints[0] == prints[1]) == (one == other)


# --------------------------------------------------------------------------------------------------------- verdicts


def verdict(rules: Rules, **facts: object) -> str | None:
    values: dict[str, object] = {
        "direction": Direction.OUTGOING,
        "call_type": "phone",
        "duration_seconds": 100.0,
        "call_at": MONDAY_NOON,
        "contact_name": "Ann",
    }
    return refusal(rules=rules, now=MONDAY_NOON, **values | facts)  # type: ignore[arg-type]  # a builder


def test_a_rule_may_skip_and_let_in() -> None:
    """The reason names the rule; `process` passes the general rules, but not the cutoff."""
    let_in = (a_rule(Conditions(contacts=("ann",)), process=True),)
    skip = (a_rule(Conditions(contacts=("ann",)), skip="private"),)
    assert verdict(Rules(routing=skip), direction=Direction.INCOMING) == "private (rule 1)"
    assert verdict(Rules()) == "outgoing call; only incoming ones are processed"
    assert verdict(Rules(routing=let_in)) is None
    cutoff = datetime(2026, 12, 1, tzinfo=UTC)
    assert verdict(Rules(routing=let_in, not_before=cutoff)) is not None


def test_a_rule_about_length_waits_for_the_length() -> None:
    """An outgoing call may be let in by its length, so it is not refused before that is known; one that cannot be is."""
    long_ones = (a_rule(Conditions(min_seconds=600), process=True),)
    cheap_ones = (a_rule(Conditions(max_seconds=600), model="small"),)
    assert verdict(Rules(routing=long_ones), duration_seconds=None, awaiting_length=True) is None
    assert verdict(Rules(routing=long_ones), duration_seconds=None) is not None
    assert verdict(Rules(routing=cheap_ones), duration_seconds=None, awaiting_length=True) is not None


# ---------------------------------------------------------------------------------------------------------- reading

FULL = [
    {
        "when": {
            "direction": ["incoming", "Outgoing"],
            "type": "phone",
            "contact": "Robert Hale, Meridian*",
            "number": ["+44 20*"],
            "min_duration": 10,
            "max_duration": 60.5,
            "weekdays": ["sat", "Sunday"],
            "hours": "22:00-06:00",
        },
        "then": {"model": "small", "prompt": "p.md", "language": "de", "budget_exempt": True},
    },
    {"when": {"contact": "Mum"}, "then": {"skip": "private"}},
    {"then": {"process": True}},
]


def test_a_list_of_rules_is_read_and_said_again() -> None:
    """Everything that can be said, and how it is said back."""
    read = read_rules(FULL)
    assert read.problems == ()
    assert [in_words(rule) for rule in read.rules] == [
        (
            "incoming or outgoing calls of type phone with Robert Hale, Meridian* with number +4420* of at least 10 s "
            "of at most 60.5 s on Sat, Sun from 22:00 to 06:00: "
            "summarized by small, with the prompt p.md, spoken in de, not held back by budgets"
        ),
        'calls with Mum: skipped, "private"',
        "every call: processed, whatever their direction, type or length",
    ]


@pytest.mark.parametrize(
    ("entry", "sentence"),
    [
        ({"when": {"directoin": "incoming"}, "then": {"process": True}}, "unknown key when.directoin; did you mean when.direction?"),
        ({"wen": {}, "then": {"process": True}}, "unknown key wen; did you mean when?"),
        ({"when": {"direction": "inbound"}, "then": {"process": True}}, "when.direction: inbound is not one of incoming, outgoing, conference"),
        ({"when": {"min_duration": 60, "max_duration": 30}, "then": {"process": True}}, "when.min_duration (60) is more than max_duration (30): no call is both"),
        ({"when": {"min_duration": -1}, "then": {"process": True}}, "when.min_duration: expected seconds, from 0 to 86400"),
        ({"when": {"hours": "9-18"}, "then": {"process": True}}, 'when.hours: write it like "09:00-18:00"'),
        ({"when": {"hours": "09:00-25:00"}, "then": {"process": True}}, "when.hours: there is no 25:00"),
        ({"when": {"hours": "09:00-09:00"}, "then": {"process": True}}, "when.hours: this is no time at all: leave it out for the whole day"),
        ({"when": {"weekdays": "someday"}, "then": {"process": True}}, "when.weekdays: someday is not one of mon, tue, wed, thu, fri, sat, sun"),
        ({"when": {"number": 442079}, "then": {"process": True}}, "when.number: write the number in quotation marks, such as '+442079'"),
        ({"when": {"number": "mum"}, "then": {"process": True}}, "when.number: mum is not a phone number, or the beginning of one such as +44*"),
        ({"when": {"contact": []}, "then": {"process": True}}, "when.contact: expected a word, or a list of words"),
        ({"when": {}}, "then says nothing: expected at least one of skip, process, model, prompt, language, budget_exempt"),
        ({"then": {"skip": True}}, "then.skip: say why, in a few words that are shown with the call"),
        ({"then": {"skip": "private", "model": "x"}}, "then.skip leaves the call out, so model would have no effect"),
        ({"then": {"process": False}}, "then.process: only `true` means something here; `skip` leaves calls out"),
        ({"then": {"language": "deutsch sprache"}}, "then.language: deutsch sprache is not a language's code, such as en or de"),
        ("skip", "it: expected keys and values: when, then"),
    ],
)  # fmt: skip
def test_what_is_wrong_with_a_rule_is_said_with_its_number(entry: object, sentence: str) -> None:
    """One sentence, with the key and the nearest right one."""
    read = read_rules([FULL[1], entry])
    assert f"rules: rule 2: {sentence}" in read.problems
    assert len(read.rules) == 1


@given(st.recursive(st.none() | st.booleans() | st.integers() | st.text(max_size=8), lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["when", "then", "skip", "contact", "hours", "number"]), inner, max_size=3), max_leaves=12))  # fmt: skip
def test_no_list_of_rules_breaks_the_reading(found: object) -> None:
    """Every entry becomes a rule or a sentence."""
    read = read_rules(found)
    assert isinstance(found, list) or read.problems or found is None
    if isinstance(found, list):
        assert len(read.rules) == len(found) or read.problems
