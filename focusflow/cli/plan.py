"""What would the whole backlog cost, and which part of it shall be paid for?"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from types import MappingProxyType
from typing import TYPE_CHECKING

from msgspec import Struct
from msgspec.structs import replace

from focusflow.cli import output
from focusflow.cli.agreement import agreed
from focusflow.cli.days import day_end, day_start
from focusflow.cli.outcome import Exit, Finished, say
from focusflow.cli.session import Options, now, run_async
from focusflow.config import Settings
from focusflow.domain.eligibility import refusal
from focusflow.domain.jobs import Direction, SkippedBy
from focusflow.domain.money import exact_usd, format_usd, micros_from_usd
from focusflow.domain.routing import CallFacts, route
from focusflow.ports import PlanBy, Planned, Startable

if TYPE_CHECKING:
    from focusflow.domain.eligibility import Rules
    from focusflow.wiring import Pricing

LISTED = 20
"""Calls that are named one by one before the question; of more, the first and the last."""
_OTHERS: Mapping[SkippedBy, str] = MappingProxyType(
    {
        SkippedBy.DUPLICATE: "duplicates of other calls",
        SkippedBy.NAME: "unrecognised names",
        SkippedBy.GONE: "recordings that are gone",
        SkippedBy.USER: "skipped by hand",
    }
)


class Sum(Struct, frozen=True, kw_only=True):
    """Calls together."""

    calls: int = 0
    seconds: float = 0
    guessed: int = 0
    micros: int = 0
    unpriced: int = 0

    @property
    def hours(self) -> str:
        return hours_of(self.seconds)

    @property
    def cost(self) -> str:
        """The price for people; one that is not the whole says so."""
        if self.calls and self.unpriced == self.calls:
            return "unpriced"
        return f"{format_usd(self.micros)}{'+?' if self.unpriced else ''}"


def hours_of(seconds: float) -> str:
    """Return a length in hours for people, with more digits where it is short."""
    hours = seconds / 3_600
    return f"{hours:,.1f}" if hours >= 10 else f"{hours:.2f}"


def sum_of(planned: Iterable[Planned]) -> Sum:
    rows = list(planned)
    return Sum(
        calls=sum(row.calls for row in rows),
        seconds=sum(row.seconds for row in rows),
        guessed=sum(row.guessed for row in rows),
        micros=sum(row.micros for row in rows),
        unpriced=sum(row.unpriced for row in rows),
    )


class Plan(Struct, frozen=True, kw_only=True):
    """The backlog, priced."""

    by: PlanBy
    rows: Sequence[Planned]
    unpriced: Sequence[str]
    """What of the present configuration has no price."""
    judged: bool
    """False: the rules changed since the calls were judged by them."""

    def waiting(self) -> list[Planned]:
        return [row for row in self.rows if row.skipped_by is None]

    def by_rule(self) -> list[Planned]:
        return [row for row in self.rows if row.skipped_by is SkippedBy.RULE]

    def groups(self) -> dict[str, tuple[Sum, Sum]]:
        """What waits and what the rules left out, by group; months in order, all else dearest first."""
        rows: dict[str, tuple[list[Planned], list[Planned]]] = {}
        for row in [*self.waiting(), *self.by_rule()]:
            rows.setdefault(row.group, ([], []))[row.skipped_by is not None].append(row)
        found = {name: (sum_of(waiting), sum_of(left_out)) for name, (waiting, left_out) in rows.items()}
        if self.by is PlanBy.MONTH:
            return dict(sorted(found.items()))
        return dict(sorted(found.items(), key=lambda item: (-item[1][0].micros - item[1][1].micros, item[0])))

    def reasons(self) -> dict[str, Sum]:
        """What the rules leave out, by reason, without the details of single calls; most calls first."""
        found: dict[str, list[Planned]] = {}
        for row in self.by_rule():
            found.setdefault(row.reason.partition(" (")[0].partition(";")[0], []).append(row)
        sums = {reason: sum_of(rows) for reason, rows in found.items()}
        return dict(sorted(sums.items(), key=lambda item: -item[1].calls))

    def others(self) -> dict[SkippedBy, Sum]:
        """What is left out, but not by the rules."""
        return {by: sum_of(rows) for by in _OTHERS if (rows := [row for row in self.rows if row.skipped_by is by])}


def print_plan(options: Options, *, by: str, as_json: bool) -> None:
    settings = options.load().settings
    if by not in list(PlanBy):
        raise Finished(Exit.USAGE, f"A plan cannot be made by {by}; there are {', '.join(PlanBy)}.")
    plan = run_async(lambda: _plan(settings, PlanBy(by)))
    if as_json:
        output.put_json(plan_json(plan))
    elif plan.rows:
        output.put(plan_text(plan))
    else:
        say("Nothing waits and nothing was left out. `focusflow discover` looks for calls.")


async def _plan(settings: Settings, by: PlanBy) -> Plan:
    from focusflow.domain.eligibility import fingerprint
    from focusflow.wiring import Pricing, SystemClock, opened_store, rules_of

    clock = SystemClock()
    pricing = Pricing(settings, clock)
    async with opened_store(settings) as store:
        rows = await store.backlog(by, pricing.by_length(), zone=settings.zone)
        known = await store.rules_fingerprint()
        mark = fingerprint(await rules_of(settings, store, clock))
    return Plan(by=by, rows=rows, unpriced=unpriced_names(pricing), judged=known is None or known.startswith(mark))


def unpriced_names(pricing: "Pricing") -> list[str]:
    """Return the configured models and add-ons that nobody knows a price of."""
    from focusflow.domain.money import unpriced
    from focusflow.domain.prices import model_rates

    names = list(unpriced([*pricing.settings.assemblyai.speech_models, *pricing.addons()], pricing.audio_rates))
    for model in pricing.summary_models():
        rates = model_rates(
            model,
            pricing=pricing.token_pricing,
            at=pricing.clock.now(),
            service_tier=pricing.settings.openai.service_tier,
        )
        names += [] if rates.priced else [model]
    return names


# ------------------------------------------------------------------------------------------------------------ as text


def plan_text(plan: Plan) -> str:
    """Return the plan for people."""
    blocks = [_groups_text(plan), _left_out_text(plan), "\n".join(_notes(plan))]
    return "\n\n".join(block for block in blocks if block)


def _groups_text(plan: Plan) -> str:
    header = (plan.by.upper(), "WAITING", "HOURS", "COST", "LEFT OUT", "HOURS", "WOULD COST")
    rows = [
        _group_line(output.cut(output.plain(name or "(unknown)"), 24), waiting, left_out)
        for name, (waiting, left_out) in plan.groups().items()
    ]
    rows.append(_group_line("total", sum_of(plan.waiting()), sum_of(plan.by_rule())))
    return output.table(header, rows, right=range(1, len(header)))


def _group_line(name: str, waiting: Sum, left_out: Sum) -> tuple[str, ...]:
    return (name, *_cells(waiting), *_cells(left_out))


def _cells(found: Sum) -> tuple[str, str, str]:
    return (f"{found.calls:,}", found.hours, found.cost) if found.calls else ("-", "", "")


def _left_out_text(plan: Plan) -> str:
    rows = [(output.cut(output.plain(reason), 46), *_cells(found)) for reason, found in plan.reasons().items()]
    rows += [(_OTHERS[by], *_cells(found)) for by, found in plan.others().items()]
    return output.table(("LEFT OUT, AND WHY", "CALLS", "HOURS", "SAVES"), rows, right=(1, 2, 3)) if rows else ""


def _notes(plan: Plan) -> Iterator[str]:
    whole = sum_of([*plan.waiting(), *plan.by_rule()])
    if whole.unpriced:
        what = f"nobody knows the price of {', '.join(plan.unpriced)}" if plan.unpriced else "their length is unknown"
        calls = "1 call is" if whole.unpriced == 1 else f"{whole.unpriced:,} calls are"
        yield f"{calls} unpriced and not in the sums (+?): {what}."
    if whole.guessed:
        files = (
            "1 call is guessed from the size of its file"
            if whole.guessed == 1
            else (f"{whole.guessed:,} calls is guessed from the size of their files")
        )
        yield f"The length of {files}."
    if not plan.judged:
        yield "The rules have changed since: `focusflow discover` judges the calls anew."
    if whole.calls:
        yield "`focusflow plan start --until 5` starts the newest that cost up to $5 together."


def plan_json(plan: Plan) -> output.Json:
    return {
        "by": str(plan.by),
        "groups": [
            {
                str(plan.by): name,
                "waiting": sum_json(waiting),
                "left_out": sum_json(left_out),
            }
            for name, (waiting, left_out) in plan.groups().items()
        ],
        "waiting": sum_json(sum_of(plan.waiting())),
        "left_out": sum_json(sum_of(plan.by_rule())),
        "left_out_by_reason": [
            {"reason": reason, **sum_json(found)}
            for reason, found in [*plan.reasons().items(), *((str(by), found) for by, found in plan.others().items())]
        ],
        "without_price": list(plan.unpriced),
        "rules_changed": not plan.judged,
    }


def sum_json(found: Sum) -> output.Json:
    return {
        "calls": found.calls,
        "hours": round(found.seconds / 3_600, 3),
        "usd": exact_usd(found.micros),
        "unpriced": found.unpriced,
        "length_guessed": found.guessed,
    }


# ------------------------------------------------------------------------------------------------------------- starting


class Wish(Struct, frozen=True, kw_only=True):
    """Which part of the backlog to start."""

    micros: int
    newest_first: bool
    contact: str | None = None
    direction: Direction | None = None
    since: datetime | None = None
    before: datetime | None = None


class Choice(Struct, frozen=True, kw_only=True):
    """What a wish comes to."""

    calls: Sequence[Startable]
    micros: int
    beyond: int
    """Calls that would go beyond the sum."""
    unpriced: int
    refused: int
    """Calls that the rules leave out for more than their age."""


def choose(found: Iterable[Startable], wish: Wish, refused: Callable[[Startable], str | None]) -> Choice:
    """Take calls in order until the next one would go beyond the sum; those without a price are left out."""
    calls: list[Startable] = []
    spent = beyond = unpriced = left_out = 0
    for call in found:
        if not _is_wanted(call, wish):
            continue
        if refused(call) is not None:
            left_out += 1
        elif call.micros is None:
            unpriced += 1
        elif beyond or spent + call.micros > wish.micros:
            beyond += 1
        else:
            calls.append(call)
            spent += call.micros
    return Choice(calls=calls, micros=spent, beyond=beyond, unpriced=unpriced, refused=left_out)


def _is_wanted(call: Startable, wish: Wish) -> bool:
    if wish.direction is not None and call.direction is not wish.direction:
        return False
    who = f"{call.contact_name or ''} {call.contact_number or ''}".casefold()
    return wish.contact is None or wish.contact.casefold() in who


def refused_by(rules: "Rules", settings: Settings, wish: Wish) -> Callable[[Startable], str | None]:
    """Return what says why the rules would leave a call out even if it were new; a direction asked for is allowed.

    A length that is only guessed is good enough for a price, not for a refusal.
    """
    wanted = rules.directions | ({wish.direction} if wish.direction else set())
    ageless = replace(rules, directions=wanted, not_before=None, max_age=None)

    def refused(call: Startable) -> str | None:
        routed = route(_facts(call), settings.routing, settings.zone) if settings.rules else None
        if routed is not None and (routed.refusal is not None or routed.then.process):
            return routed.refusal
        return refusal(
            direction=call.direction,
            call_type=call.call_type,
            duration_seconds=_trusted(call),
            call_at=None,
            rules=ageless,
            now=now(),
        )

    return refused


def _facts(call: Startable) -> CallFacts:
    return CallFacts(
        direction=call.direction,
        call_type=call.call_type,
        contact_name=call.contact_name,
        contact_number=call.contact_number,
        seconds=_trusted(call),
        call_at=call.call_at,
    )


def _trusted(call: Startable) -> float | None:
    return None if call.guessed else call.seconds


def start_plan(
    options: Options,
    *,
    until: float,
    oldest: bool,
    contact: str | None,
    direction: str | None,
    since: str | None,
    until_date: str | None,
    yes: bool,
) -> None:
    """Say what would be started and what it costs, ask, and ask for the calls."""
    settings = options.load().settings
    wish = Wish(
        micros=_sum(until),
        newest_first=not oldest,
        contact=contact,
        direction=_direction(direction),
        since=None if since is None else day_start(since, settings.zone, "--since"),
        before=None if until_date is None else day_end(until_date, settings.zone, "--until-date"),
    )

    async def look() -> Choice:
        from focusflow.wiring import Pricing, SystemClock, opened_store, rules_of

        clock = SystemClock()
        async with opened_store(settings) as store:
            rules = await rules_of(settings, store, clock)
            found = await store.startable(
                Pricing(settings, clock).by_length(),
                newest_first=wish.newest_first,
                since=wish.since,
                before=wish.before,
            )
            return choose(found, wish, refused_by(rules, settings, wish))

    choice = run_async(look)
    if not choice.calls:
        raise Finished(Exit.NOT_FOUND, _nothing_to_start(choice, wish))
    output.put(choice_text(choice, settings))
    say(_told(choice, wish))
    agreed("Start them?", yes=yes, otherwise="Nothing was started.")

    async def start() -> int:
        from focusflow.wiring import opened_store

        async with opened_store(settings) as store:
            return len(await store.process([call.job_id for call in choice.calls], from_step=None, now=now()))

    say(f"{run_async(start)} asked for. A running FocusFlow takes them; else `focusflow run` does.")


def _sum(usd: float) -> int:
    if not 0 < usd <= 1_000_000:
        raise Finished(Exit.USAGE, "--until: how many dollars may it cost? More than 0, and at most a million.")
    return micros_from_usd(usd)


def _direction(name: str | None) -> Direction | None:
    if name is None:
        return None
    if name not in list(Direction):
        raise Finished(Exit.USAGE, f"There is no direction {name}; there are {', '.join(Direction)}.")
    return Direction(name)


def choice_text(choice: Choice, settings: Settings) -> str:
    """Return the calls that would be started, as a table for people."""
    calls, zone = choice.calls, settings.zone
    shown = calls if len(calls) <= LISTED else [*calls[: LISTED // 2], *calls[-LISTED // 2 :]]
    rows: list[tuple[str, ...]] = [
        (
            call.job_id,
            f"{call.at.astimezone(zone):%Y-%m-%d %H:%M}",
            output.cut(output.plain(call.contact_name or call.contact_number or ""), 22),
            str(call.direction or ""),
            f"{'~' if call.guessed else ''}{output.length(call.seconds)}",
            format_usd(call.micros or 0),
        )
        for call in shown
    ]
    if len(calls) > len(shown):
        rows.insert(LISTED // 2, ("...", f"and {len(calls) - len(shown)} more", "", "", "", ""))
    return output.table(("ID", "WHEN", "CONTACT", "DIRECTION", "LENGTH", "COST"), rows, right=(4, 5))


def _told(choice: Choice, wish: Wish) -> str:
    hours = hours_of(sum(call.seconds or 0 for call in choice.calls))
    count = len(choice.calls)
    calls, first = "call" if count == 1 else "calls", "newest" if wish.newest_first else "oldest"
    sums = f"{format_usd(choice.micros)} of {format_usd(wish.micros)}"
    lines = [f"{count:,} {calls}, {hours} hours: {sums}, the {first} first."]
    if any(call.guessed for call in choice.calls):
        lines.append("~ is guessed from the size of the file: these may come out dearer or cheaper.")
    if choice.beyond:
        lines.append(f"{choice.beyond:,} more would go beyond it.")
    if choice.unpriced:
        lines.append(f"{choice.unpriced:,} have no price and are left out; `focusflow process ID` takes one.")
    if choice.refused:
        lines.append(f"{choice.refused:,} are left out by the rules for other reasons than their age.")
    return "\n".join(lines)


def _nothing_to_start(choice: Choice, wish: Wish) -> str:
    if choice.beyond:
        return f"Nothing was started: already the first call costs more than {format_usd(wish.micros)}."
    if choice.unpriced:
        return f"Nothing was started: {choice.unpriced} calls have no price; `focusflow prices` says why."
    if choice.refused:
        return f"Nothing was started: the rules leave out all {choice.refused} calls; `focusflow plan` says why."
    return "Nothing was started: no such call waits or was left out by the rules."
