"""Prices are exact, dated and honest: what has no price is unpriced, never free."""

import subprocess
import sys
from datetime import UTC, date, datetime
from decimal import Decimal
from fractions import Fraction
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
    estimate_call_micros,
    estimate_transcription_micros,
    exact_usd,
    expected_tokens,
    format_usd,
    micros_from_usd,
    provider_of,
    transcription_micros,
    unpriced,
)
from focusflow.domain.prices import parse_audio_table

AT = datetime(2026, 11, 20, tzinfo=UTC)
OPENAI = ModelPricing()
TABLE = parse_audio_table((Path(focusflow.__file__).parent / "prices.toml").read_text(encoding="utf-8"))
RATES = audio_rates(TABLE)
HOUR = 3_600.0


def test_fault_19_half_an_hour_with_speakers_costs_eleven_and_a_half_cents() -> None:
    """The reference's own example: 0.5 h at $0.21 and $0.02."""
    assert transcription_micros(1_800, "universal-3-5-pro", ["speaker_labels"], RATES) == 115_000


def test_a_transcription_is_priced_by_the_model_that_was_used() -> None:
    """A language that the first model lacks is transcribed, and billed, by the cheaper one."""
    assert transcription_micros(HOUR, "universal-2", (), RATES) == 150_000
    assert transcription_micros(HOUR, "Universal-2", ["Speaker_Labels", "speaker_labels"], RATES) == 170_000


@pytest.mark.parametrize(
    ("model", "addons"),
    [("assemblyai-stt-3-7", ()), (None, ()), ("", ()), ("universal-2", ["keyterms_prompt"]), ("universal-9", ["x"])],
)
def test_fault_19_an_unknown_price_is_unpriced_and_not_nothing(model: str | None, addons: list[str]) -> None:
    """A model or add-on that the table does not know makes the whole price unknown."""
    assert transcription_micros(HOUR, model, addons, RATES) is None


def test_what_is_unpriced_can_be_named() -> None:
    """A warning can say which word of the configuration has no price."""
    names = ["universal-2", "assemblyai-stt-3-7", "keyterms_prompt", "assemblyai-stt-3-7"]
    assert unpriced(names, RATES) == ("assemblyai-stt-3-7", "keyterms_prompt")


def test_the_users_own_prices_win() -> None:
    """A contract's price replaces the table's or adds to it; zero, said on purpose, is zero."""
    rates = audio_rates(TABLE, {"universal-2": 0.1, "assemblyai-stt-3-7": "0.25", "Keyterms_Prompt": Decimal(0)})
    assert transcription_micros(HOUR, "universal-2", (), rates) == 100_000
    assert transcription_micros(HOUR, "assemblyai-stt-3-7", ["keyterms_prompt"], rates) == 250_000
    assert rates["universal-2"].as_of is None


def test_every_built_in_price_is_dated_and_says_whether_it_was_verified() -> None:
    """A stale table can be recognised, and a third party's figure is marked as one."""
    assert all(rate.as_of is not None and date(2026, 1, 1) < rate.as_of for rate in RATES.values())
    assert RATES["universal-3-5-pro"].verified
    assert not RATES["speaker_labels"].verified


@given(st.integers(0, 36_000_000), st.sampled_from(["universal-2", "universal-3-5-pro"]))
def test_a_transcription_is_rounded_up_by_less_than_a_micro_dollar(milliseconds: int, model: str) -> None:
    """The price is never below the exact one, and never a whole micro-dollar above it."""
    price = transcription_micros(milliseconds / 1_000, model, ["speaker_labels"], RATES)
    exact = Fraction(milliseconds * (RATES[model].micros_per_hour + 20_000), 3_600_000)
    assert price is not None
    assert 0 <= price - exact < 1


@pytest.mark.parametrize("seconds", [-1.0, float("nan"), float("inf")])
def test_an_impossible_length_has_no_price(seconds: float) -> None:
    """It is a mistake of the caller and must not be turned into an amount."""
    with pytest.raises(ValueError, match="seconds long"):
        transcription_micros(seconds, "universal-2", (), RATES)
    with pytest.raises(ValueError, match="seconds long"):
        expected_tokens(seconds)


def test_an_answer_is_priced_by_the_table() -> None:
    """Input, cached, cache-written and output tokens each at their own price."""
    usage = TokenCount(input_tokens=12_000, output_tokens=900, cached_tokens=4_096, cache_write_tokens=1_000)
    assert completion_micros("gpt-6.1-terra", usage, at=AT, pricing=OPENAI) == 12_859  # 12,858.8


def test_an_answer_is_priced_by_its_tier() -> None:
    """Flex is half, priority double, batch half; a tier the table does not know is unpriced, not standard."""
    usage = TokenCount(input_tokens=1_000_000, output_tokens=0)
    short = TokenCount(input_tokens=100_000, output_tokens=0)

    def price(tier: str | None) -> int | None:
        return completion_micros("gpt-6.1-terra", short, at=AT, pricing=OPENAI, service_tier=tier)

    tiers = [None, "auto", "default", "Flex", "priority", "batch"]
    assert [price(tier) for tier in tiers] == [100_000, 100_000, 100_000, 50_000, 200_000, 50_000]
    assert price("ultrafast") is None
    assert completion_micros("gpt-6.1-terra", usage, at=AT, pricing=OPENAI) == 2_000_000  # beyond 272k: double


@pytest.mark.parametrize(
    ("model", "usage", "pricing"),
    [
        ("gpt-6.2-sol", TokenCount(input_tokens=1, output_tokens=1), OPENAI),
        ("gpt-6-luna", None, OPENAI),
        ("gpt-6-luna", TokenCount(input_tokens=1, output_tokens=1), ModelPricing(provider=None)),
        ("gpt-6-luna", TokenCount(input_tokens=1, output_tokens=1), ModelPricing(provider="nobody")),
        ("gpt-6-luna", TokenCount(input_tokens=1, output_tokens=1, cached_tokens=2), OPENAI),
        ("gpt-6-luna", TokenCount(input_tokens=-1, output_tokens=1), OPENAI),
        ("gpt-6-luna", None, ModelPricing(own=TokenRates(input_micros=1, output_micros=1))),
    ],
)
def test_fault_19_an_answer_without_a_sure_price_is_unpriced(
    model: str, usage: TokenCount | None, pricing: ModelPricing
) -> None:
    """Unknown model, seller or usage, and numbers that contradict each other, are never 0."""
    assert completion_micros(model, usage, at=AT, pricing=pricing) is None


def test_the_users_own_token_prices_win_for_any_model() -> None:
    """A model of one's own has the prices one gives it, zero included."""
    usage = TokenCount(input_tokens=1_000, output_tokens=10, cached_tokens=400)
    own = TokenRates(input_micros=1_000_000, output_micros=2_000_000)
    assert completion_micros("llama", usage, at=AT, pricing=ModelPricing(provider=None, own=own)) == 1_020
    cached = TokenRates(input_micros=1_000_000, output_micros=2_000_000, cached_micros=100_001)
    assert completion_micros("llama", usage, at=AT, pricing=ModelPricing(own=cached)) == 661  # 660.0004
    free = ModelPricing(own=TokenRates(input_micros=0, output_micros=0))
    assert completion_micros("llama", usage, at=AT, pricing=free) == 0


def test_a_seller_is_known_by_its_address() -> None:
    """A local server sells nothing, so its models are not taken for OpenAI's."""
    assert provider_of("https://api.openai.com/v1") == "openai"
    assert provider_of("http://127.0.0.1:8080/v1") is None


def test_an_hour_of_talk_is_about_twelve_thousand_tokens() -> None:
    """The estimate grows with the talk and has a floor: prompts are paid for even by a short call."""
    assert expected_tokens(HOUR).input_tokens - expected_tokens(0).input_tokens == 12_000
    assert expected_tokens(0).input_tokens > 0


def estimate(
    seconds: float,
    *,
    speech_models: tuple[str, ...] = ("universal-3-5-pro", "universal-2"),
    summary_model: str = "gpt-6.1-terra",
    transcribed: bool = False,
    summarized: bool = False,
) -> int | None:
    return estimate_call_micros(
        seconds,
        speech_models=speech_models,
        addons=["speaker_labels"],
        rates=RATES,
        summary_model=summary_model,
        at=AT,
        pricing=OPENAI,
        transcribed=transcribed,
        summarized=summarized,
    )


def test_a_calls_estimate_is_its_transcription_and_its_summary() -> None:
    """An hour: $0.23 for the dearest model that may be used, and 15k tokens in, 1k out."""
    assert estimate(HOUR) == 230_000 + 20_000
    assert estimate(HOUR, transcribed=True) == 20_000
    assert estimate(HOUR, summarized=True) == 230_000
    assert estimate(HOUR, transcribed=True, summarized=True) == 0


def test_an_estimate_with_an_unpriced_part_is_unpriced() -> None:
    """One unknown part leaves the sum unknown, unless that part is paid for already."""
    assert estimate(HOUR, speech_models=("assemblyai-stt-3-7", "universal-2")) is None
    assert estimate(HOUR, summary_model="gpt-6.2-sol") is None
    assert estimate(HOUR, speech_models=("assemblyai-stt-3-7",), transcribed=True) == 20_000
    assert estimate_transcription_micros(HOUR, (), (), RATES) is None


@given(st.floats(0, 36_000), st.floats(0, 36_000))
def test_a_longer_call_is_never_estimated_cheaper(one: float, other: float) -> None:
    """Estimates are monotone, so a budget cannot be passed by a longer call."""
    shorter, longer = (estimate(seconds) for seconds in sorted((one, other)))
    assert shorter is not None
    assert longer is not None
    assert shorter <= longer


@pytest.mark.parametrize(
    ("micros", "shown"),
    [
        (0, "$0.00"),
        (4, "$0.000004"),
        (49, "$0.000049"),
        (50, "$0.0001"),
        (12_345, "$0.0123"),
        (230_000, "$0.2300"),
        (994_999, "$0.9950"),
        (995_000, "$1.00"),
        (12_345_678, "$12.35"),
        (-12_345, "-$0.0123"),
        (9_007_199_254_740_993_000_000, "$9007199254740993.00"),
    ],
)
def test_amounts_are_shown_with_enough_digits(micros: int, shown: str) -> None:
    """Small amounts keep their digits, and no amount is too big to be exact."""
    assert format_usd(micros) == shown


@given(st.integers(-(10**15), 10**15))
def test_an_amount_is_shown_as_what_it_is(micros: int) -> None:
    """Programs get it exactly; people within half a cent, and something is never shown as nothing."""
    assert micros_from_usd(exact_usd(micros)) == micros
    shown = Decimal(format_usd(micros).replace("$", ""))
    assert (shown == 0) == (micros == 0)
    assert abs(shown * 1_000_000 - micros) <= max(5_000 if abs(micros) >= 995_000 else 0, min(50, abs(micros)))


@pytest.mark.parametrize(("usd", "micros"), [(0.1, 100_000), ("0.0000001", 1), (Decimal("2.5"), 2_500_000), (0, 0)])
def test_dollars_become_micro_dollars_exactly(usd: float | str | Decimal, micros: int) -> None:
    """A configured 0.1 is a tenth, and less than a micro-dollar is still something."""
    assert micros_from_usd(usd) == micros


def test_importing_the_rules_loads_no_heavy_library() -> None:
    """`focusflow stats` needs these modules and must start fast."""
    program = (
        "import sys, focusflow.domain.money, focusflow.domain.recordings, focusflow.domain.eligibility\n"
        "print([name for name in ('genai_prices', 'phonenumbers', 'pydantic') if name in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=Path(__file__).parents[2], capture_output=True, text=True, check=True
    )
    assert done.stdout == "[]\n"
