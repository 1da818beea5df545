"""How much may be spent in a day, a week, a month and on one call, and which calls does that leave room for?"""

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime, time, timedelta
from decimal import Decimal, InvalidOperation
from enum import StrEnum
from zoneinfo import ZoneInfo

from msgspec import Struct, field

from focusflow.domain.jobs import JobId
from focusflow.domain.money import format_usd, micros_from_usd
from focusflow.errors import BadRequest

LARGEST_MICROS = 1_000_000 * 1_000_000
"""A million dollars: who asks for more has mistyped."""
ALMOST = 0.8
"""The part of a budget at which a warning is due; the next one is due when all of it is gone."""
FOR_EVER = datetime(9000, 1, 1, tzinfo=UTC)
"""When a call comes back by itself that waits for a yes."""
LONGEST = timedelta(days=366)
SKEW = timedelta(minutes=5)
"""The clocks of two machines may differ by so much: an exception made on one holds on the other at once."""


class Period(StrEnum):
    """What a budget is for. A week begins on Monday, each at local midnight."""

    DAY = "day"
    WEEK = "week"
    MONTH = "month"


def bounds(period: Period, now: datetime, zone: ZoneInfo) -> tuple[datetime, datetime]:
    """Return the period that holds *now*: its first instant, and the next one's, both UTC.

    A local day can have 23 or 25 hours, and a midnight that the clocks jump over is the first instant after it.
    """
    today = now.astimezone(zone).date()
    if period is Period.DAY:
        first, after = today, today + timedelta(days=1)
    elif period is Period.WEEK:
        first = today - timedelta(days=today.weekday())
        after = first + timedelta(days=7)
    else:
        first = today.replace(day=1)
        after = (first + timedelta(days=31)).replace(day=1)
    start, end = (datetime.combine(day, time(), zone).astimezone(UTC) for day in (first, after))
    return start, end


def last_days(count: int, now: datetime, zone: ZoneInfo) -> tuple[datetime, ...]:
    """Return the first instants of the last *count* local days, today's last."""
    today = now.astimezone(zone).date()
    days = (today - timedelta(days=count - 1 - n) for n in range(count))
    return tuple(datetime.combine(day, time(), zone).astimezone(UTC) for day in days)


# --------------------------------------------------------------------------------------------------------- as configured


class Window(Struct, frozen=True, kw_only=True):
    """The present day, week or month, and what the configuration allows in it."""

    period: Period
    start: datetime
    end: datetime
    """The local midnight at which the next one begins, as an instant."""
    limit_micros: int | None
    """None: no limit."""


class Limits(Struct, frozen=True, kw_only=True):
    """What the configuration allows at one instant."""

    windows: tuple[Window, ...] = ()
    call_micros: int | None = None
    """A single call above it waits for a yes. None: no limit."""
    zone: ZoneInfo = field(default_factory=lambda: ZoneInfo("UTC"))
    """In which people read an instant."""


class Budgets(Struct, frozen=True, kw_only=True):
    """What is configured. None: no limit."""

    zone: ZoneInfo
    day_micros: int | None = None
    week_micros: int | None = None
    month_micros: int | None = None
    call_micros: int | None = None
    """A single call above it waits for a yes."""
    day_jobs: int | None = None

    def limit(self, period: Period) -> int | None:
        return {Period.DAY: self.day_micros, Period.WEEK: self.week_micros, Period.MONTH: self.month_micros}[period]

    def at(self, now: datetime) -> Limits:
        """Return the limits of the day, the week and the month that hold *now*."""
        return Limits(
            windows=tuple(self._window(period, now) for period in Period), call_micros=self.call_micros, zone=self.zone
        )

    def _window(self, period: Period, now: datetime) -> Window:
        start, end = bounds(period, now, self.zone)
        return Window(period=period, start=start, end=end, limit_micros=self.limit(period))


# ------------------------------------------------------------------------------------------------------------ exceptions


class OverrideKind(StrEnum):
    """How a person changed what may be spent."""

    RAISE = "raise"
    """*amount_micros* more, in each such period until it ends."""
    SET = "set"
    """*amount_micros* instead of what is configured, and of what was raised before."""
    LIFT = "lift"
    """One job (or every job, where none is named) passes the budgets."""
    STOP = "stop"
    """Nothing that costs money is begun."""


class Override(Struct, frozen=True, kw_only=True):
    """A recorded exception from the budgets. It ends by itself at *until*, or when it is undone."""

    id: int
    kind: OverrideKind
    period: Period | None
    amount_micros: int | None
    job_id: JobId | None
    made_at: datetime
    made_from: str
    """Host and program: `server7 cli`, `server7 screen`."""
    reason: str
    until: datetime
    undone_at: datetime | None


def checked_amount(micros: int, *, at_least: int) -> int:
    """Return the amount. Raises `BadRequest` where it can't be meant."""
    if micros < at_least:
        least = "cannot be negative" if at_least == 0 else "must be more than nothing"
        raise BadRequest(f"{format_usd(micros)} is no amount for a budget: it {least}.")
    if micros > LARGEST_MICROS:
        raise BadRequest(f"{format_usd(micros)} is no amount for a budget: the most is {format_usd(LARGEST_MICROS)}.")
    return micros


def amount_from_text(text: str) -> int:
    """Return dollars as a person writes them (`5`, `$2.50`) in micro-dollars. Raises `BadRequest`."""
    try:
        usd = Decimal(text.strip().removeprefix("$").strip())
    except InvalidOperation:
        usd = Decimal("NaN")
    if not usd.is_finite():
        raise BadRequest(f"{text!r} is not an amount: write dollars, such as 5 or 2.50.")
    if abs(usd) > LARGEST_MICROS:
        raise BadRequest(f"{text!r} is no amount for a budget: the most is {format_usd(LARGEST_MICROS)}.")
    return micros_from_usd(usd)


def checked_until(until: datetime, now: datetime) -> datetime:
    """Return when an exception ends. Raises `BadRequest` for an instant that is over or years away."""
    if until <= now:
        raise BadRequest("An exception from the budgets cannot end in the past: say a later time.")
    if until > now + LONGEST:
        raise BadRequest("An exception from the budgets ends after a year at most: change the configuration instead.")
    return until


# -------------------------------------------------------------------------------------------------------------- in force


class Spent(Struct, frozen=True, kw_only=True):
    """What is gone of a window."""

    settled_micros: int = 0
    reserved_micros: int = 0
    unpriced: int = 0
    """Charges without a price."""

    @property
    def micros(self) -> int:
        return self.settled_micros + self.reserved_micros


class Standing(Struct, frozen=True, kw_only=True):
    """A window with every exception in force, and what is gone of it."""

    window: Window
    limit_micros: int | None
    until: datetime
    """When its limit may become another by itself."""
    spent: Spent


class Refusal(Struct, frozen=True, kw_only=True):
    """Why a call is not begun, in one sentence, and when that changes by itself."""

    reason: str
    until: datetime


class InForce(Struct, frozen=True, kw_only=True):
    """All that decides whether a call may be begun now."""

    standings: tuple[Standing, ...]
    call_micros: int | None
    stopped_until: datetime | None
    all_lifted: bool
    zone: ZoneInfo

    @property
    def limited(self) -> bool:
        """Say whether there is any limit: then a call without a price cannot be begun."""
        return self.call_micros is not None or any(standing.limit_micros is not None for standing in self.standings)

    def refusal(
        self, job_id: JobId, price: int | None, *, more: int = 0, lifted: bool = False, begun: bool = False
    ) -> Refusal | None:
        """Say why a call may not be begun; None: it may.

        *price* is what it adds to what is reserved (None: unpriced), *more* what was reserved since the sums were taken.
        A call that was *begun* is not touched by a stop.
        """
        if price == 0:
            return None
        if self.stopped_until is not None and not begun:
            return Refusal(reason=STOPPED.format(when=self._local(self.stopped_until)), until=self.stopped_until)
        if lifted or self.all_lifted or not self.limited:
            return None
        if price is None:
            return Refusal(reason=UNPRICED.format(id=job_id), until=FOR_EVER)
        if self.call_micros is not None and price > self.call_micros:
            reason = TOO_DEAR.format(id=job_id, price=format_usd(price), limit=format_usd(self.call_micros))
            return Refusal(reason=reason, until=FOR_EVER)
        return self._no_room(job_id, price, more)

    def _no_room(self, job_id: JobId, price: int, more: int) -> Refusal | None:
        blocking = [
            (standing, standing.limit_micros)
            for standing in self.standings
            if standing.limit_micros is not None and standing.spent.micros + more + price > standing.limit_micros
        ]
        if not blocking:
            return None
        until = max(standing.until for standing, _ in blocking)
        tightest, limit = max(blocking, key=lambda found: (price > found[1], found[0].until))
        sentence = DEARER_THAN_ALL if price > limit else NO_ROOM
        reason = sentence.format(
            id=job_id,
            period=tightest.window.period,
            limit=format_usd(limit),
            left=format_usd(max(limit - tightest.spent.micros - more, 0)),
            price=format_usd(price),
            when=self._local(until),
        )
        return Refusal(reason=reason, until=until)

    def _local(self, at: datetime) -> str:
        return at.astimezone(self.zone).strftime("%Y-%m-%d %H:%M")


STOPPED = "All spending is stopped until {when}: `focusflow budget resume` ends that."
UNPRICED = (
    "No price is known for this call, so no budget can cover it: set the price in the configuration, "
    "remove the budget, or let it pass with `focusflow budget lift {id}`."
)
TOO_DEAR = (
    "This call would cost about {price}, and a single call may cost {limit}: "
    "it waits for your yes, `focusflow budget lift {id}`."
)
DEARER_THAN_ALL = (
    "This call would cost about {price}, more than the whole budget of a {period} ({limit}): "
    "raise the budget, or let this call pass with `focusflow budget lift {id}`."
)
NO_ROOM = (
    "Over budget: {left} of this {period}'s {limit} is left, and this call would cost about {price}. "
    "It is tried again on {when}."
)


def fact_of(reason: str) -> str:
    """Return a refusal's reason without its advice, for who has keys instead of commands and is told the time apart."""
    fact, _, advice = reason.partition(": ")
    return fact if "`focusflow budget" in advice else reason.partition(" It is tried again on ")[0]


def in_force(limits: Limits, overrides: Sequence[Override], spent: Mapping[Period, Spent]) -> InForce:
    """Return the *limits* with the *overrides*, all of which are in force and in the order in which they were made."""
    stops = [override.until for override in overrides if override.kind is OverrideKind.STOP]
    return InForce(
        standings=tuple(_standing(window, overrides, spent) for window in limits.windows),
        call_micros=limits.call_micros,
        stopped_until=max(stops, default=None),
        all_lifted=any(override.kind is OverrideKind.LIFT and override.job_id is None for override in overrides),
        zone=limits.zone,
    )


def _standing(window: Window, overrides: Sequence[Override], spent: Mapping[Period, Spent]) -> Standing:
    limit, until = window.limit_micros, window.end
    for override in overrides:
        if override.period is not window.period or override.amount_micros is None:
            continue
        if override.kind is OverrideKind.SET:
            limit = override.amount_micros
            until = min(until, override.until)
        elif override.kind is OverrideKind.RAISE and limit is not None:
            limit += override.amount_micros
    return Standing(window=window, limit_micros=limit, until=until, spent=spent.get(window.period, Spent()))


# --------------------------------------------------------------------------------------------------------------- choosing


class Candidate(Struct, frozen=True, kw_only=True):
    """A due call as a claim sees it."""

    job_id: JobId
    price: int | None
    """What is still to be paid for it; None: unpriced."""
    reserves: int
    """What beginning it adds to what is reserved: its price, or as much of it as is known."""
    fresh: bool
    """Not begun today yet: it counts for the day's number of calls."""
    measured: bool
    lifted: bool
    held: bool
    """It waited for a budget before, and its log says so."""


class Choice(Struct, frozen=True, kw_only=True):
    """What a claim takes and what it leaves."""

    taken: tuple[JobId, ...]
    micros: int
    """What is reserved for them."""
    held: Mapping[JobId, Refusal]
    newly_held: tuple[JobId, ...]


def choose(candidates: Iterable[Candidate], allowed: InForce, *, at_most: int, fresh_left: int | None) -> Choice:
    """Take due calls in their order, as far as numbers and money reach; what there is no money for is to be held."""
    taken: list[JobId] = []
    held: dict[JobId, Refusal] = {}
    newly_held: list[JobId] = []
    micros = fresh = 0
    for one in candidates:
        if len(taken) >= at_most or (one.fresh and fresh_left is not None and fresh >= fresh_left):
            break
        refusal = allowed.refusal(one.job_id, one.price, more=micros, lifted=one.lifted)
        if refusal is None:
            taken.append(one.job_id)
            micros += one.reserves
            fresh += one.fresh
        elif one.measured or one.price is not None:
            held[one.job_id] = refusal
            newly_held += [] if one.held else [one.job_id]
    return Choice(taken=tuple(taken), micros=micros, held=held, newly_held=tuple(newly_held))
