"""Is what the README promises what the program does?"""

import re
from datetime import UTC, datetime
from pathlib import Path

import pytest
import typer.main

from focusflow.cli.app import app
from focusflow.cli.outcome import Exit
from focusflow.config import USER_NAMES, Settings, price_table
from focusflow.domain.jobs import TRANSITIONS, Mover, Transition
from focusflow.domain.money import (
    Estimate,
    ModelPricing,
    TokenCount,
    audio_rates,
    completion_micros,
    estimate_call,
    expected_tokens,
    format_usd,
    transcription_micros,
)
from focusflow.tui.actions import ACTIONS, shown

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")
ORDER = (Mover.CLAIM, Mover.STEP, Mover.GIVE_BACK, Mover.RETRY, Mover.RULE, Mover.USER, Mover.WATCHDOG)


def section(title: str) -> str:
    """Return the text below a heading of the README."""
    found = re.search(rf"^## {re.escape(title)}\n(.*?)(?=^## |\Z)", README, re.MULTILINE | re.DOTALL)
    assert found is not None, f"README has no section {title}"
    return found[1]


def fenced(text: str, language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)\n```$", text, re.MULTILINE | re.DOTALL)


def table(text: str) -> list[tuple[str, ...]]:
    """Return the rows of the first table below its heading."""
    rows = [
        tuple(cell.strip() for cell in line.strip("|").split(" | ")) for line in text.splitlines() if line[:1] == "|"
    ]
    return rows[2:]


def commands() -> set[str]:
    """Return every command as it is typed."""
    found = set()
    for name, command in typer.main.get_command(app).commands.items():  # type: ignore[attr-defined]  # a group
        below = getattr(command, "commands", None)
        found |= {f"{name} {part}" for part in below or ()}
        if not below or command.invoke_without_command:
            found.add(name)
    return found


# ------------------------------------------------------------------------------------------------------- two commands


def test_there_are_two_commands_and_ci_runs_the_second() -> None:
    """What a newcomer types is what must pass."""
    demo, tests = fenced(section("Two commands"), "sh")
    ci = (ROOT / ".ci" / "run").read_text(encoding="utf-8")

    assert demo.endswith("focusflow demo")
    assert tests.endswith("pytest -n auto")
    assert f"  {tests}\n" in ci
    for command in (demo, tests):
        assert command.startswith("python3 -m venv .venv && .venv/bin/pip install -q ")


def test_ci_can_be_run() -> None:
    """It is there, executable, and stops at the first failure."""
    ci = ROOT / ".ci" / "run"

    assert ci.stat().st_mode & 0o111
    assert "set -euo pipefail" in ci.read_text(encoding="utf-8")


# ------------------------------------------------------------------------------------------------------------ commands


def test_every_command_is_in_the_table_once() -> None:
    """None is forgotten, none is promised that is not there, none is explained twice."""
    named, groups = list[str](), {command.partition(" ")[0] for command in commands() if " " in command}
    for row in table(section("Commands")):
        said = re.findall(r"`([^`]+)`", row[0])
        first = said[0].removeprefix("focusflow ").split()
        group = first[0] if first[0] in groups and first[1:] else ""
        names = [first[1] if group else first[0], *(word for word in said[1:] if not word.startswith("-"))]
        named += [f"{group} {name}".strip() for name in names]

    assert sorted(named) == sorted(commands())


def test_every_key_is_in_the_table() -> None:
    """In the order and the words of the help."""
    said = [(row[0], row[1]) for row in table(section("Keys"))]
    keys = [", ".join(f"`{shown(key)}`" for key in action.keys.split(",")) for action in ACTIONS]

    assert said == [(shown_as, action.help) for shown_as, action in zip(keys, ACTIONS, strict=True)]


def test_the_commands_that_do_what_keys_do_exist() -> None:
    """The palette finds an action by the command's name too."""
    groups = {command.partition(" ")[0] for command in commands()}
    verbs = {action.verb.partition(" --")[0] for action in ACTIONS if action.verb}
    assert verbs - commands() - groups == set()


def test_every_exit_code_is_documented_in_the_readme_and_in_the_help() -> None:
    """The same sentence in both places."""
    sentence = re.search(r"Exit codes:(.*?)\.\n", section("Commands"), re.DOTALL)
    assert sentence is not None
    said = " ".join(sentence[1].split())

    assert [int(code) for code in re.findall(r"\b(\d+) ", f"{said} ")] == sorted(Exit)
    assert said in (app.info.epilog or "")


# --------------------------------------------------------------------------------------------------------------- money

AT = datetime(2026, 11, 20, tzinfo=UTC)
SPOKEN = ("universal-3-5-pro", "universal-2")


def test_the_worked_example_is_what_a_call_is_estimated_at() -> None:
    """Row by row, together, done anew and in a month: the numbers are the program's own."""
    text = section("What it costs")
    rows = {row[0]: row[-1].strip(" |") for row in table(text)}
    rates = audio_rates(price_table(Settings()))
    half_an_hour, four_minutes = (estimate(seconds) for seconds in (1_800, 240))
    tokens = expected_tokens(1_800)

    def tokens_cost(count: TokenCount) -> str:
        return format_usd(completion_micros("gpt-6-luna", count, at=AT, pricing=ModelPricing()) or 0)

    assert rows["`universal-3-5-pro`"] == format_usd(transcription_micros(1_800, "universal-3-5-pro", (), rates) or 0)
    assert rows["`speaker_labels`"] == format_usd(rates["speaker_labels"].micros_per_hour // 2)
    assert f"{tokens.input_tokens:,} tokens" in text
    assert f"{tokens.output_tokens:,} tokens" in text
    assert rows["`gpt-6-luna`, input"] == tokens_cost(TokenCount(input_tokens=tokens.input_tokens, output_tokens=0))
    assert rows["`gpt-6-luna`, output"] == tokens_cost(TokenCount(input_tokens=0, output_tokens=tokens.output_tokens))
    assert rows["together"] == format_usd(half_an_hour.micros or 0)
    assert f"Summing it up anew costs {format_usd(half_an_hour.summarize_micros or 0)}," in text
    assert f"transcribing it anew {format_usd(half_an_hour.micros or 0)}:" in text
    assert f"{format_usd(30 * (four_minutes.micros or 0))} a day" in text
    assert f"{format_usd(30 * 30 * (four_minutes.micros or 0))} in a month of 30 days" in text


def estimate(seconds: float) -> Estimate:
    return estimate_call(
        seconds,
        speech_models=SPOKEN,
        addons=["speaker_labels"],
        rates=audio_rates(price_table(Settings())),
        summary_model=Settings().openai.model,
        at=AT,
        pricing=ModelPricing(),
    )


# ------------------------------------------------------------------------------------------------------- configuration


def test_every_name_of_the_environment_is_in_the_table() -> None:
    """With the key it sets."""
    documented = {name.strip("`"): key.strip("`") for name, key in table(section("Configuration"))}
    assert documented == {name: key for name, key in USER_NAMES.items() if not key.startswith("unused.")}


def test_the_names_that_do_nothing_are_said_to_do_nothing() -> None:
    """Nobody shall believe that a password protects something."""
    for name, key in USER_NAMES.items():
        if key.startswith("unused."):
            assert f"`{name}`" in section("Configuration")


# ------------------------------------------------------------------------------------------------------------- diagram


def line_of(transition: Transition) -> str:
    movers = ", ".join(mover for mover in ORDER if mover in transition.movers)
    return f"    {transition.before} --> {transition.after}: {movers}"


def test_the_diagram_is_the_machine() -> None:
    """Generated from `domain.jobs.TRANSITIONS`, word for word."""
    (drawn,) = fenced(section("What happens to a call"), "mermaid")

    assert drawn.splitlines() == ["stateDiagram-v2", *map(line_of, TRANSITIONS)]


# ------------------------------------------------------------------------------------------------------ other documents


def test_the_changelog_has_a_place_for_what_is_next() -> None:
    """In the words of the people who use it."""
    assert "\n## Unreleased\n" in (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("link", sorted(set(re.findall(r"\]\((?!http)([^)]+)\)", README))))
def test_what_the_readme_links_to_is_there(link: str) -> None:
    """Files move; links stay behind."""
    assert (ROOT / link).exists()
