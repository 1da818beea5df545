"""Which prices does FocusFlow reckon with, where are they from, how old are they, and what has none?"""

from collections.abc import Iterable, Sequence
from datetime import date
from importlib.metadata import version
from typing import TYPE_CHECKING

from msgspec import Struct

from focusflow.cli import output
from focusflow.cli.plan import unpriced_names
from focusflow.cli.session import Options, now, run_async
from focusflow.config import Settings
from focusflow.domain.money import AudioRate, exact_usd, format_usd
from focusflow.domain.prices import OLD_AFTER, ModelRates, is_old, model_rates

if TYPE_CHECKING:
    from focusflow.wiring import Pricing


class PriceList(Struct, frozen=True, kw_only=True):
    """The prices in use."""

    audio: Sequence[AudioRate]
    used: frozenset[str]
    """Audio models and add-ons of the present configuration, lower case."""
    models: Sequence[tuple[str, ModelRates]]
    """Language models that are configured, named in prices, or in the ledger."""
    models_source: str
    unpriced: Sequence[str]
    today: date

    def old(self) -> list[AudioRate]:
        return [rate for rate in self.audio if rate.name in self.used and is_old(rate.as_of, self.today)]


def print_prices(options: Options, *, as_json: bool) -> None:
    settings = options.load().settings
    found = run_async(lambda: _price_list(settings))
    if as_json:
        output.put_json(prices_json(found))
    else:
        output.put(prices_text(found))


async def _price_list(settings: Settings) -> PriceList:
    from focusflow.wiring import Pricing, SystemClock, opened_store

    pricing = Pricing(settings, SystemClock())
    async with opened_store(settings) as store:
        charged = await store.models_used()
    audio = pricing.audio_rates
    ledger = [model for provider, model in charged if provider != "assemblyai" and model.lower() not in audio]
    return price_list(pricing, ledger, today=now().astimezone(settings.zone).date())


def price_list(pricing: "Pricing", ledger: Iterable[str], *, today: date) -> PriceList:
    """Return the prices that *pricing* uses; *ledger* names language models that were paid."""
    settings, audio = pricing.settings, pricing.audio_rates
    names = dict.fromkeys([*pricing.summary_models(), *settings.openai.prices, *ledger])
    return PriceList(
        audio=list(audio.values()),
        used=frozenset(name.lower() for name in [*settings.assemblyai.speech_models, *pricing.addons()]),
        models=[
            (
                name,
                model_rates(
                    name,
                    pricing=pricing.token_pricing,
                    at=pricing.clock.now(),
                    service_tier=settings.openai.service_tier,
                ),
            )
            for name in names
        ],
        models_source=f"genai-prices {version('genai-prices')}",
        unpriced=unpriced_names(pricing),
        today=today,
    )


# ------------------------------------------------------------------------------------------------------------ as text


def prices_text(found: PriceList) -> str:
    """Return the prices for people."""
    notes = list(_notes(found))
    return "\n\n".join(["\n".join(_audio(found)), _models(found), *(["\n".join(notes)] if notes else [])])


def _audio(found: PriceList) -> Iterable[str]:
    rows = [
        (
            f"{'*' if rate.name in found.used else ' '} {output.cut(output.plain(rate.name), 30)}",
            format_usd(rate.micros_per_hour),
            "yours" if rate.as_of is None else f"{rate.as_of}",
            "" if rate.verified else "not verified",
        )
        for rate in found.audio
    ]
    yield output.table(("  AUDIO", "AN HOUR", "AS OF", ""), rows, right=(1,))
    sources = dict.fromkeys(rate.source for rate in found.audio if rate.source)
    yield from (f"  from {source}" for source in sources)


def _models(found: PriceList) -> str:
    rows = [
        (
            f"  {output.cut(output.plain(name), 28)}",
            _price(rates.input_micros),
            _price(rates.cached_micros),
            _price(rates.output_micros),
            "yours" if rates.own else found.models_source if rates.priced else "unpriced",
        )
        for name, rates in found.models
    ]
    return output.table(("  A MILLION TOKENS", "INPUT", "CACHED", "OUTPUT", "FROM"), rows, right=(1, 2, 3))


def _price(micros: int | None) -> str:
    return "?" if micros is None else format_usd(micros)


def _notes(found: PriceList) -> Iterable[str]:
    yield "* is in use."
    if any(not rate.verified and rate.name in found.used for rate in found.audio):
        yield "Not verified: a third party's figure; compare it with your invoice."
    if old := found.old():
        oldest = min(rate.as_of for rate in old if rate.as_of)
        yield f"Warning: prices in use were read on {oldest}, more than {OLD_AFTER.days} days ago."
    if found.unpriced:
        yield f"Unpriced: {', '.join(map(output.plain, found.unpriced))}. What needs them is never taken for free;"
        yield "set assemblyai.usd_per_hour or openai.prices."


def prices_json(found: PriceList) -> output.Json:
    return {
        "audio": [
            {
                "name": rate.name,
                "usd_per_hour": exact_usd(rate.micros_per_hour),
                "as_of": rate.as_of and rate.as_of.isoformat(),
                "source": rate.source,
                "verified": rate.verified,
                "own": rate.as_of is None,
                "in_use": rate.name in found.used,
            }
            for rate in found.audio
        ],
        "models": [
            {
                "name": name,
                "usd_per_million_input": output.maybe_usd(rates.input_micros),
                "usd_per_million_cached_input": output.maybe_usd(rates.cached_micros),
                "usd_per_million_cache_write": output.maybe_usd(rates.cache_write_micros),
                "usd_per_million_output": output.maybe_usd(rates.output_micros),
                "source": None if rates.own or not rates.priced else found.models_source,
                "own": rates.own,
            }
            for name, rates in found.models
        ],
        "unpriced": list(found.unpriced),
        "old": [rate.name for rate in found.old()],
    }
