"""What does a table of prices say, how old is it, and what does a call cost by its length alone?"""

from collections.abc import Iterable, Mapping
from datetime import date, datetime, timedelta
from decimal import Decimal

from msgspec import Struct

from focusflow.domain.money import (
    AudioRate,
    ModelPricing,
    TokenCount,
    completion_micros,
    estimate_transcription_micros,
    expected_tokens,
    micros_from_usd,
)

OLD_AFTER = timedelta(days=180)
_MS_PER_HOUR = 3_600_000
_MOST_USD_PER_HOUR = 1_000_000
_KEYS = {"name", "usd_per_hour", "as_of", "source", "verified"}


class BadPrices(ValueError):
    """A price table cannot be used; the sentence names the key."""


def parse_audio_table(text: str) -> tuple[AudioRate, ...]:
    """Read a price table. Raises `BadPrices`."""
    import tomllib  # a start that prices nothing does without

    try:
        table = tomllib.loads(text, parse_float=Decimal)
    except tomllib.TOMLDecodeError as exc:
        raise BadPrices(f"this is not TOML: {exc}") from exc
    if (currency := table.get("currency")) != "USD":
        raise BadPrices(f'currency: {currency!r} is not known; convert the prices and write currency = "USD"')
    if unknown := sorted(table.keys() - {"currency", "audio"}):
        raise BadPrices(f"unknown key {unknown[0]}; expected currency and [[audio]]")
    rows = table.get("audio")
    if not isinstance(rows, list) or not rows:
        raise BadPrices("audio: expected at least one [[audio]] with name and usd_per_hour")
    rates = tuple(_row(row, f"audio[{place}]") for place, row in enumerate(rows, start=1))
    names = [rate.name for rate in rates]
    if twice := next((name for name in names if names.count(name) > 1), None):
        raise BadPrices(f"audio: {twice} has two prices")
    return rates


def _row(row: object, where: str) -> AudioRate:
    if not isinstance(row, dict):
        raise BadPrices(f"{where}: expected name and usd_per_hour")
    if unknown := sorted(row.keys() - _KEYS):
        raise BadPrices(f"{where}: unknown key {unknown[0]}; expected {', '.join(sorted(_KEYS))}")
    name = row.get("name")
    if not isinstance(name, str) or not name.strip():
        raise BadPrices(f"{where}.name: which model or add-on is this?")
    as_of, source, verified = row.get("as_of"), row.get("source"), row.get("verified", False)
    if not isinstance(as_of, date) or isinstance(as_of, datetime):
        raise BadPrices(f"{where}.as_of ({name}): expected a day, such as 2026-10-07")
    if source is not None and not isinstance(source, str):
        raise BadPrices(f"{where}.source ({name}): expected an address in quotation marks")
    if not isinstance(verified, bool):
        raise BadPrices(f"{where}.verified ({name}): expected true or false")
    return AudioRate(
        name=name.strip().lower(),
        micros_per_hour=_amount(row.get("usd_per_hour"), f"{where}.usd_per_hour ({name})"),
        as_of=as_of,
        source=source,
        verified=verified,
    )


def _amount(value: object, where: str) -> int:
    if isinstance(value, bool) or not isinstance(value, int | Decimal):
        raise BadPrices(f"{where}: expected dollars as a bare number, such as 0.21")
    if not (Decimal(value).is_finite() and 0 <= value <= _MOST_USD_PER_HOUR):
        raise BadPrices(f"{where}: {value} cannot be a price")
    return micros_from_usd(Decimal(value))


def is_old(as_of: date | None, today: date) -> bool:
    """Say whether a price should be looked up again; one's own never grows old."""
    return as_of is not None and today - as_of > OLD_AFTER


class ModelRates(Struct, frozen=True, kw_only=True):
    """What a language model costs, in micro-dollars per million tokens; None: unpriced."""

    input_micros: int | None
    cached_micros: int | None
    cache_write_micros: int | None
    output_micros: int | None
    own: bool
    """Set by the user, whatever a table says."""

    @property
    def priced(self) -> bool:
        return self.input_micros is not None and self.output_micros is not None


_SAMPLE = 100_000
"""Tokens; below the length at which some models' prices double."""


def model_rates(model: str, *, pricing: ModelPricing, at: datetime, service_tier: str | None = None) -> ModelRates:
    """Return what a million tokens of each kind cost, in prompts of usual length."""

    def per_million(**tokens: int) -> int | None:
        counted = TokenCount(**({"input_tokens": 0, "output_tokens": 0} | tokens))
        price = completion_micros(model, counted, at=at, pricing=pricing, service_tier=service_tier)
        return None if price is None else price * (1_000_000 // _SAMPLE)

    return ModelRates(
        input_micros=per_million(input_tokens=_SAMPLE),
        cached_micros=per_million(input_tokens=_SAMPLE, cached_tokens=_SAMPLE),
        cache_write_micros=per_million(input_tokens=_SAMPLE, cache_write_tokens=_SAMPLE),
        output_micros=per_million(output_tokens=_SAMPLE),
        own=pricing.own_rates(model) is not None,
    )


class LengthRates(Struct, frozen=True, kw_only=True):
    """What a call costs by its length alone, in numbers that a database can reckon with; None: unpriced.

    Exact up to the length at which a model's prices double, which is longer than any transcriber takes.
    """

    audio_micros_per_hour: int | None
    input_micros_per_million: int | None
    output_micros_per_million: int | None
    fixed_tokens: int
    """Input that a call of no length takes."""
    tokens_per_hour: int
    output_tokens: int
    """Expected of a call of any length."""

    def transcribe_micros(self, milliseconds: int) -> int | None:
        if self.audio_micros_per_hour is None:
            return None
        return -(-milliseconds * self.audio_micros_per_hour // _MS_PER_HOUR)

    def summarize_micros(self, milliseconds: int) -> int | None:
        if self.input_micros_per_million is None or self.output_micros_per_million is None:
            return None
        tokens = self.fixed_tokens - (-milliseconds * self.tokens_per_hour // _MS_PER_HOUR)
        total = tokens * self.input_micros_per_million + self.output_tokens * self.output_micros_per_million
        return -(-total // 1_000_000)


def length_rates(
    *,
    speech_models: Iterable[str],
    addons: Iterable[str],
    rates: Mapping[str, AudioRate],
    summary_model: str,
    at: datetime,
    pricing: ModelPricing,
    service_tier: str | None = None,
) -> LengthRates:
    """Return the prices of a call as `money.estimate_call_micros` would give them, by length."""
    model = model_rates(summary_model, pricing=pricing, at=at, service_tier=service_tier)
    nothing, hour = expected_tokens(0), expected_tokens(3_600)
    return LengthRates(
        audio_micros_per_hour=estimate_transcription_micros(3_600, list(speech_models), list(addons), rates),
        input_micros_per_million=model.input_micros,
        output_micros_per_million=model.output_micros,
        fixed_tokens=nothing.input_tokens,
        tokens_per_hour=hour.input_tokens - nothing.input_tokens,
        output_tokens=nothing.output_tokens,
    )
