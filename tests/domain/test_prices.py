"""A price table is read whole or not at all, and what it says of a call's length is what the estimate says."""

from datetime import UTC, date, datetime
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

import focusflow
from focusflow.domain.money import (
    ModelPricing,
    TokenCount,
    TokenRates,
    audio_rates,
    completion_micros,
    estimate_call,
)
from focusflow.domain.prices import LengthRates, is_old, length_rates, model_rates, parse_audio_table

AT = datetime(2026, 11, 20, tzinfo=UTC)
SHIPPED = (Path(focusflow.__file__).parent / "prices.toml").read_text(encoding="utf-8")
ROW = """
[[audio]]
name = "universal-2"
usd_per_hour = 0.15
as_of = 2026-10-07
verified = true
"""
GOOD = f'currency = "USD"\n{ROW}'


def test_the_shipped_table_has_the_prices_that_were_read() -> None:
    """Literal figures, so that an edit of the file is noticed."""
    prices = {rate.name: (rate.micros_per_hour, rate.verified) for rate in parse_audio_table(SHIPPED)}

    assert prices == {
        "universal-3-5-pro": (210_000, True),
        "universal-3-pro": (210_000, True),
        "universal-2": (150_000, True),
        "speaker_labels": (20_000, False),
        "speaker_labels:experimental": (65_000, False),
        "entity_detection": (80_000, False),
        "sentiment_analysis": (20_000, False),
        "redact_pii": (80_000, False),
    }
    assert all(rate.source and rate.as_of for rate in parse_audio_table(SHIPPED))


@pytest.mark.parametrize(
    ("table", "said"),
    [
        (GOOD.replace("[[audio]]", "[[audio"), "this is not TOML"),
        (GOOD.replace("USD", "EUR"), "currency: 'EUR' is not known; convert the prices"),
        (ROW, "currency: None is not known"),
        ('currency = "USD"', "audio: expected at least one"),
        ('currency = "USD"\naudio = 3', "audio: expected at least one"),
        ('currency = "USD"\naudio = [3]', r"audio\[1\]: expected name"),
        (f"{GOOD}\n[text]\na = 1", "unknown key text"),
        (GOOD + ROW, "universal-2 has two prices"),
        (GOOD.replace("0.15", "-0.15"), r"audio\[1\].usd_per_hour \(universal-2\): -0.15 cannot be a price"),
        (GOOD.replace("0.15", "nan"), "NaN cannot be a price"),
        (GOOD.replace("0.15", "1e9"), "cannot be a price"),
        (GOOD.replace("0.15", '"0.15 EUR"'), "expected dollars as a bare number"),
        (GOOD.replace("0.15", "true"), "expected dollars as a bare number"),
        (GOOD.replace("usd_per_hour = 0.15", ""), "expected dollars as a bare number"),
        (GOOD.replace("2026-10-07", '"October"'), r"as_of \(universal-2\): expected a day"),
        (GOOD.replace("verified = true", 'verified = "yes"'), "expected true or false"),
        (GOOD.replace("verified = true", "source = 3"), "expected an address"),
        (GOOD.replace("verified", "verifeid"), "unknown key verifeid"),
        (GOOD.replace('"universal-2"', '" "'), "which model or add-on"),
    ],
)
def test_a_table_that_is_wrong_anywhere_is_refused_with_the_key(table: str, said: str) -> None:
    """Fail closed: half a table would make half the calls look free."""
    with pytest.raises(ValueError, match=said):
        parse_audio_table(table)


def test_a_price_is_old_after_half_a_year_and_ones_own_never() -> None:
    """180 days are fine, 181 are not."""
    assert not is_old(date(2026, 5, 24), date(2026, 11, 20))
    assert is_old(date(2026, 5, 23), date(2026, 11, 20))
    assert not is_old(None, date(2036, 11, 20))


@pytest.mark.parametrize(
    ("model", "tier", "input_micros", "cached", "written", "output_micros"),
    [
        ("gpt-6-luna", None, 100_000, 10_000, 125_000, 500_000),
        ("gpt-6-luna", "flex", 50_000, 5_000, 62_500, 250_000),
        ("gpt-6-luna", "priority", 200_000, 20_000, 250_000, 1_000_000),
        ("gpt-6.1-terra", None, 1_000_000, 50_000, 1_250_000, 5_000_000),
        ("gpt-6.1-sol", None, 2_000_000, 100_000, 2_500_000, 10_000_000),
        ("gpt-6-astra", None, 10_000_000, 1_000_000, 12_500_000, 50_000_000),
        ("gpt-5.4-mini", None, 750_000, 75_000, 750_000, 4_500_000),
    ],
)
def test_the_table_of_language_models_is_the_one_we_read(
    model: str, tier: str | None, input_micros: int, cached: int, written: int, output_micros: int
) -> None:
    """Cached, cache-written and tiered tokens at the reference's own figures."""
    found = model_rates(model, pricing=ModelPricing(), at=AT, service_tier=tier)

    assert (found.input_micros, found.cached_micros) == (input_micros, cached)
    assert (found.cache_write_micros, found.output_micros) == (written, output_micros)
    assert found.priced
    assert not found.own


@pytest.mark.parametrize(
    ("usage", "tier", "micros"),
    [
        (TokenCount(input_tokens=272_000, output_tokens=10_000), None, 322_000),
        (TokenCount(input_tokens=272_001, output_tokens=10_000), None, 619_002),
        (TokenCount(input_tokens=272_001, output_tokens=10_000, cached_tokens=1_000), None, 617_102),
        (TokenCount(input_tokens=272_001, output_tokens=10_000, cache_write_tokens=1_000), None, 619_502),
        (TokenCount(input_tokens=272_001, output_tokens=10_000), "flex", 309_501),
        (TokenCount(input_tokens=300_000, output_tokens=1_000), "priority", 1_215_000),
        (TokenCount(input_tokens=300_000, output_tokens=1_000), "batch", 303_750),
    ],
)
def test_a_prompt_beyond_272_thousand_tokens_costs_double_as_a_whole(
    usage: TokenCount, tier: str | None, micros: int
) -> None:
    """Input and cache twice, output half as much again, in every tier."""
    assert completion_micros("gpt-6.1-terra", usage, at=AT, pricing=ModelPricing(), service_tier=tier) == micros


@pytest.mark.parametrize(
    ("model", "tier"),
    [
        ("gpt-4.1", "flex"),
        ("o1", "flex"),
        ("gpt-5.4-nano", "priority"),
        ("gpt-6-luna", "scale"),
        ("gpt-6-cyber", "batch"),
    ],
)
def test_a_tier_that_a_model_has_no_price_for_is_unpriced(model: str, tier: str) -> None:
    """The table would silently take the standard price, half or double what is billed."""
    usage = TokenCount(input_tokens=1_000, output_tokens=10)
    assert completion_micros(model, usage, at=AT, pricing=ModelPricing(), service_tier=tier) is None
    assert completion_micros(model, usage, at=AT, pricing=ModelPricing()) is not None or tier == "scale"


def test_a_tier_is_unpriced_before_the_table_knows_it() -> None:
    """Flex on GPT-6 has a price since 2026-10-12; before that it is not half of it, but unknown."""
    usage = TokenCount(input_tokens=1_000, output_tokens=10)
    early = datetime(2026, 10, 11, tzinfo=UTC)
    assert completion_micros("gpt-6-luna", usage, at=early, pricing=ModelPricing(), service_tier="flex") is None


@pytest.mark.parametrize("model", ["whisper-1", "gpt-live-1", "gpt-transcribe"])
def test_a_model_that_is_not_sold_by_the_token_is_unpriced_and_not_free(model: str) -> None:
    """The table knows it, without a price for tokens, and would say 0."""
    usage = TokenCount(input_tokens=1_000, output_tokens=10)
    assert completion_micros(model, usage, at=AT, pricing=ModelPricing()) is None
    assert not model_rates(model, pricing=ModelPricing(), at=AT).priced


def test_several_models_may_have_prices_of_ones_own() -> None:
    """Also for dated versions of a model, and for nothing that only begins like it."""
    dear, free = (
        TokenRates(input_micros=2_000_000, output_micros=10_000_000),
        TokenRates(input_micros=0, output_micros=0),
    )
    pricing = ModelPricing(prices={"GPT-6.2-sol": dear, "llama": free}, own=free, own_model="gpt-6-luna")

    def price(model: str) -> int | None:
        return completion_micros(model, TokenCount(input_tokens=1_000, output_tokens=0), at=AT, pricing=pricing)

    assert price("gpt-6.2-sol") == price("gpt-6.2-sol-2026-11-17") == 2_000
    assert price("llama") == price("gpt-6-luna") == 0
    assert price("gpt-6.2-sol-mini") is None
    assert price("gpt-6-sol") == 2_000  # the table's
    assert model_rates("llama", pricing=pricing, at=AT).own


def rates_of(model: str = "gpt-6-luna", tier: str | None = None) -> LengthRates:
    return length_rates(
        speech_models=["universal-3-5-pro", "universal-2"],
        addons=["speaker_labels"],
        rates=audio_rates(parse_audio_table(SHIPPED)),
        summary_model=model,
        at=AT,
        pricing=ModelPricing(),
        service_tier=tier,
    )


@given(st.integers(0, 36_000_000), st.sampled_from(["gpt-6-luna", "gpt-6.1-sol", "gpt-5.4-mini"]))
def test_prices_by_length_are_the_estimates(milliseconds: int, model: str) -> None:
    """To the micro-dollar, for every call that a transcriber takes."""
    rates = rates_of(model)
    estimate = estimate_call(
        milliseconds / 1_000,
        speech_models=["universal-3-5-pro", "universal-2"],
        addons=["speaker_labels"],
        rates=audio_rates(parse_audio_table(SHIPPED)),
        summary_model=model,
        at=AT,
        pricing=ModelPricing(),
    )

    assert rates.transcribe_micros(milliseconds) == estimate.transcribe_micros
    assert rates.summarize_micros(milliseconds) == estimate.summarize_micros


def test_prices_by_length_know_what_they_do_not_know() -> None:
    """Each part by itself."""
    rates = rates_of("gpt-7")
    assert rates.transcribe_micros(3_600_000) == 230_000
    assert rates.summarize_micros(3_600_000) is None
