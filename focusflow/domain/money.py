"""What does a call cost, before and after?

Money is whole micro-dollars. Nothing is worked out with floats, and every price is rounded up to the next micro-dollar, so that a
sum of prices is never below the bill by rounding. What has no price is None, "unpriced", and never 0.
"""

import math
import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import date, datetime
from decimal import ROUND_CEILING, Decimal
from typing import Protocol

from msgspec import Struct, field

MICROS = 1_000_000
"""Micro-dollars in a dollar."""

_MS_PER_HOUR = 3_600_000


class AudioRate(Struct, frozen=True, kw_only=True):
    """The price of one hour of audio, for a model or for something added to one."""

    name: str
    """As the transcriber names the model that it used, or the request's field that adds the cost."""
    micros_per_hour: int
    as_of: date | None
    """When the price was last seen; None: set by the user."""
    verified: bool
    """False: a third party's figure, not read on the vendor's own page."""
    source: str | None = None
    """Where it was seen."""


def micros_from_usd(usd: float | str | Decimal) -> int:
    """Return dollars as micro-dollars, rounded up; `0.1` means a tenth, whatever a float makes of it."""
    return int((Decimal(str(usd)) * MICROS).to_integral_value(ROUND_CEILING))


def audio_rates(
    table: Iterable[AudioRate], usd_per_hour: Mapping[str, float | str | Decimal] | None = None
) -> Mapping[str, AudioRate]:
    """Return the prices of audio by name: the table's, and the user's own *usd_per_hour* over and beside them."""
    own = [
        AudioRate(name=name.lower(), micros_per_hour=micros_from_usd(usd), as_of=None, verified=True)
        for name, usd in (usd_per_hour or {}).items()
    ]
    return {rate.name: rate for rate in [*table, *own]}


def unpriced(names: Iterable[str], rates: Mapping[str, AudioRate]) -> tuple[str, ...]:
    """Return those models and add-ons that have no price, in order, once each: what a warning should name."""
    return tuple(dict.fromkeys(name for name in names if name.lower() not in rates))


def transcription_micros(
    seconds: float, model: str | None, addons: Collection[str], rates: Mapping[str, AudioRate]
) -> int | None:
    """Return the price of transcribing *seconds* of audio; None if the model or one of the add-ons has no price.

    Billed pro rata, here by the millisecond, and rounded up once, at the end. Raises `ValueError` for an impossible length.
    """
    if not 0 <= seconds < math.inf:
        raise ValueError(f"no audio is {seconds} seconds long")
    names = {name.lower() for name in addons} | {(model or "").lower()}
    if unpriced(names, rates):
        return None
    per_hour = sum(rates[name].micros_per_hour for name in names)
    return _divided_up(round(seconds * 1_000) * per_hour, _MS_PER_HOUR)


class Tokens(Protocol):
    """What a language model's answer was billed for; `ports.TokenUsage` is one."""

    @property
    def input_tokens(self) -> int:
        """All input, cached and cache-written tokens included."""

    @property
    def output_tokens(self) -> int:
        """All output, reasoning included."""

    @property
    def cached_tokens(self) -> int: ...

    @property
    def cache_write_tokens(self) -> int: ...


class TokenCount(Struct, frozen=True, kw_only=True):
    """Tokens of a call that has not been made yet."""

    input_tokens: int
    output_tokens: int
    cached_tokens: int = 0
    cache_write_tokens: int = 0


class TokenRates(Struct, frozen=True, kw_only=True):
    """The user's own prices for a model, in micro-dollars per million tokens; cached input costs as input unless said."""

    input_micros: int
    output_micros: int
    cached_micros: int | None = None


class ModelPricing(Struct, frozen=True, kw_only=True):
    """Where a model's prices come from."""

    provider: str | None = "openai"
    """As genai-prices names it; None: nobody sells this model, so only `own` prices it."""
    own: TokenRates | None = None
    """Used instead of any table."""
    own_model: str | None = None
    """The model that `own` prices; None: any."""
    prices: Mapping[str, TokenRates] = field(default_factory=dict)
    """The user's own prices by model; they come first."""

    def own_rates(self, model: str) -> TokenRates | None:
        """Return the user's own prices of *model*, which may be a dated version of what they named."""
        for name, rates in self.prices.items():
            if _same_model(name, model):
                return rates
        return self.own if self.own_model is None or _same_model(self.own_model, model) else None


_DATED = re.compile(r"-\d{4}-\d{2}-\d{2}$")


def _same_model(named: str, answered: str) -> bool:
    one, other = named.casefold(), answered.casefold()
    return one == other or one == _DATED.sub("", other)


def provider_of(base_url: str) -> str | None:
    """Return who sells models at *base_url*, as genai-prices names them; None for an unknown or a local server."""
    from genai_prices import data_snapshot  # takes 0.2 s, which commands that price nothing need not pay

    try:
        return data_snapshot.get_snapshot().find_provider(None, None, base_url).id
    except LookupError:
        return None


def completion_micros(
    model: str,
    usage: Tokens | None,
    *,
    at: datetime,
    pricing: ModelPricing,
    service_tier: str | None = None,
) -> int | None:
    """Return the price of a language model's answer given at *at*, rounded up.

    None, unpriced: the usage is unknown or contradicts itself, or nobody knows the model or its service tier.
    """
    if usage is None or not _consistent(usage):
        return None
    if (own := pricing.own_rates(model)) is not None:
        return _own_price(usage, own)
    if pricing.provider is None:
        return None
    return _table_price(model, usage, at, pricing.provider, service_tier)


def _consistent(usage: Tokens) -> bool:
    counts = (usage.input_tokens, usage.output_tokens, usage.cached_tokens, usage.cache_write_tokens)
    return min(counts) >= 0 and usage.cached_tokens + usage.cache_write_tokens <= usage.input_tokens


def _own_price(usage: Tokens, rates: TokenRates) -> int:
    cached_micros = rates.input_micros if rates.cached_micros is None else rates.cached_micros
    total = (
        (usage.input_tokens - usage.cached_tokens) * rates.input_micros
        + usage.cached_tokens * cached_micros
        + usage.output_tokens * rates.output_micros
    )
    return _divided_up(total, 1_000_000)


def _table_price(model: str, usage: Tokens, at: datetime, provider: str, service_tier: str | None) -> int | None:
    context = _price_context(service_tier)
    if context is None:
        return None
    from genai_prices import Usage, calc_price

    counted = Usage(
        input_tokens=usage.input_tokens,
        output_tokens=usage.output_tokens,
        cache_read_tokens=usage.cached_tokens,
        cache_write_tokens=usage.cache_write_tokens,
    )
    try:
        price = calc_price(counted, model, provider_id=provider, genai_request_timestamp=at, price_context=context)
        standard = calc_price(counted, model, provider_id=provider, genai_request_timestamp=at, price_context=_STANDARD)
    except (LookupError, ValueError):
        return None
    known = price.model_price
    if context != _STANDARD and known == standard.model_price:
        return None  # the table has no price for this tier of this model, and would take the standard one
    if (usage.input_tokens and known.input_mtok is None) or (usage.output_tokens and known.output_mtok is None):
        return None  # sold by the minute or the picture: the table's price for tokens is then 0
    return micros_from_usd(price.total_price)


_STANDARD: Mapping[str, str] = {"service_tier": "default"}


def _price_context(service_tier: str | None) -> Mapping[str, str] | None:
    """Return the table's words for a service tier; None for one it would silently price as standard."""
    tier = (service_tier or "default").lower()
    if tier in ("default", "auto", "standard"):
        return _STANDARD
    if tier in ("flex", "priority", "fast"):
        return {"service_tier": tier}
    return {"processing": "batch"} if tier == "batch" else None


_TOKENS_PER_HOUR = 12_000
"""Of brisk talk, with times and names."""
_FIXED_INPUT_TOKENS = 3_000
"""Both prompts, and the summary as the title's input."""
_OUTPUT_TOKENS = 1_000
"""Summary and title."""


def expected_tokens(seconds: float) -> TokenCount:
    """Return what summing up a call of that length takes, title included. Raises `ValueError` as `transcription_micros`."""
    if not 0 <= seconds < math.inf:
        raise ValueError(f"no audio is {seconds} seconds long")
    talk = _divided_up(round(seconds * 1_000) * _TOKENS_PER_HOUR, _MS_PER_HOUR)
    return TokenCount(input_tokens=_FIXED_INPUT_TOKENS + talk, output_tokens=_OUTPUT_TOKENS)


class Estimate(Struct, frozen=True, kw_only=True):
    """What a call is expected to cost, step by step; None: that step has no price."""

    transcribe_micros: int | None = None
    summarize_micros: int | None = None

    @property
    def micros(self) -> int | None:
        """The whole; None as soon as one part has no price."""
        if self.transcribe_micros is None or self.summarize_micros is None:
            return None
        return self.transcribe_micros + self.summarize_micros


def estimate_call(
    seconds: float,
    *,
    speech_models: Sequence[str],
    addons: Collection[str],
    rates: Mapping[str, AudioRate],
    summary_model: str,
    at: datetime,
    pricing: ModelPricing,
    service_tier: str | None = None,
) -> Estimate:
    """Return what a call of that length is expected to cost, from its audio to its summary."""
    usage = expected_tokens(seconds)
    return Estimate(
        transcribe_micros=estimate_transcription_micros(seconds, speech_models, addons, rates),
        summarize_micros=completion_micros(summary_model, usage, at=at, pricing=pricing, service_tier=service_tier),
    )


def estimate_transcription_micros(
    seconds: float, models: Sequence[str], addons: Collection[str], rates: Mapping[str, AudioRate]
) -> int | None:
    """Return the most that transcribing would cost, as any of *models* may be used; None if one of them is unpriced."""
    prices = [transcription_micros(seconds, model, addons, rates) for model in models]
    known = [price for price in prices if price is not None]
    return max(known) if known and len(known) == len(prices) else None


def estimate_call_micros(
    seconds: float,
    *,
    speech_models: Sequence[str],
    addons: Collection[str],
    rates: Mapping[str, AudioRate],
    summary_model: str,
    at: datetime,
    pricing: ModelPricing,
    service_tier: str | None = None,
    transcribed: bool = False,
    summarized: bool = False,
) -> int | None:
    """Return what a call of that length is still expected to cost; None if a part that is to be paid for has no price.

    What is there already (*transcribed*, *summarized*) is not paid for again.
    """
    parts: list[int | None] = []
    if not transcribed:
        parts.append(estimate_transcription_micros(seconds, speech_models, addons, rates))
    if not summarized:
        usage = expected_tokens(seconds)
        parts.append(completion_micros(summary_model, usage, at=at, pricing=pricing, service_tier=service_tier))
    known = [part for part in parts if part is not None]
    return sum(known) if len(known) == len(parts) else None


def format_usd(micros: int) -> str:
    """Return an amount for people: `$12.35`, `$0.0123`, `$0.000004`; rounded half up, and never `$0.00` for something."""
    sign, amount = ("-" if micros < 0 else ""), abs(micros)
    for decimals, least in ((2, 995_000), (4, 50)):
        unit = 10 ** (6 - decimals)
        if amount >= least or amount == 0:
            rounded = (amount + unit // 2) // unit
            return f"{sign}${rounded // 10**decimals}.{rounded % 10**decimals:0{decimals}d}"
    return f"{sign}$0.{amount:06d}"


def exact_usd(micros: int) -> str:
    """Return an amount for programs: dollars with all six decimals, `0.012345`."""
    return f"{'-' if micros < 0 else ''}{abs(micros) // MICROS}.{abs(micros) % MICROS:06d}"


def _divided_up(amount: int, by: int) -> int:
    return -(-amount // by)
