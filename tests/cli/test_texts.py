"""Summaries and speakers are corrected from the command line, and rules are said in words."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

    Call = Callable[..., Any]


def test_a_calls_summaries_are_listed_compared_and_switched(call: Call, ids: dict[str, str]) -> None:
    """Renaming makes a second version; the first can be put in force again."""
    job = ids["Linden"]
    (first,) = call("summaries", job, "--json").json
    assert (first["version"], first["current"]) == (1, True)
    assert float(first["cost_usd"]) > 0
    name = "Linden Road Clinic"
    told = call("speakers", job, f"B={name} Reception", "A=Maya L")
    assert (told.code, "Nothing was charged" in told.err) == (0, True)
    assert [v["version"] for v in call("summaries", job, "--json").json] == [2, 1]
    difference = call("summaries", job, "--compare", "1", "2").out
    assert "-# Appointment at the Linden Road Clinic\n" in difference
    assert "+# Appointment at the Linden Road Clinic Reception\n" in difference
    assert "Summary 1 is in force now" in call("summaries", job, "--use", "1").err
    assert [v["version"] for v in call("summaries", job, "--json").json if v["current"]] == [1]
    assert "SUMMARY" in call("summaries", job).out
    assert call("summaries", job, "--use", "9").code == 6
    assert call("summaries", job, "--use", "1", "--compare", "1", "1").code == 2
    assert "the same" in call("summaries", job, "--compare", "1", "1").out


def test_speakers_are_shown_renamed_and_swapped(call: Call, ids: dict[str, str]) -> None:
    """By label, with their first words and how long they talk."""
    job = ids["Carmen"]
    first, second = call("speakers", job, "--json").json
    assert (first["label"], first["name"], second["name"]) == ("A", "Carmen Ruiz", None)
    assert first["first_words"].startswith("Hola Maya")
    assert first["talk_seconds"] > 0
    call("speakers", job, "B=Maya")
    swapped = call("speakers", job, "--swap", "--json").json
    assert [share["name"] for share in swapped] == ["Maya", "Carmen Ruiz"]
    assert "BEGINS WITH" in call("speakers", job).out
    wrong = call("speakers", job, "C=Carl")
    assert (wrong.code, "its speakers are A, B" in wrong.err) == (2, True)
    assert call("speakers", job, "Carl").code == 2
    assert call("speakers", job, "A=Ann", "--swap").code == 2
    assert call("speakers", ids["Leila"]).code == 6


def test_rules_are_said_in_words(call: Call, ids: dict[str, str], tmp_path: Path) -> None:
    """All of them, or the one that is for a call."""
    assert "no rules of your own" in call("rules").out
    file = tmp_path / "rules.yaml"
    file.write_text(
        "rules:\n- {when: {contact: 'carmen*'}, then: {skip: private}}\n- {when: {direction: outgoing}, then: {process: true}}\n",
        encoding="utf-8",
    )
    shown = call("--config", str(file), "rules").out
    assert shown.startswith('1. calls with carmen*: skipped, "private"\n2. outgoing calls: processed')
    assert call("--config", str(file), "rules", ids["Carmen"], "--json").json["rule"] == 1
    assert "Rule 2 is for the call with Leila Haddad" in call("--config", str(file), "rules", ids["Leila"]).out
    assert "None of your 2 rules" in call("--config", str(file), "rules", ids["Linden"]).out


def test_a_rule_that_is_wrong_is_named(call: Call, tmp_path: Path) -> None:
    """With its number; a prompt that is not there is found out when the configuration is read."""
    file = tmp_path / "rules.yaml"
    file.write_text("rules:\n- {when: {}, then: {prompt: nowhere.md}}\n", encoding="utf-8")
    told = call("--config", str(file), "rules")
    assert (told.code, "rules: rule 1: then.prompt: nowhere.md cannot be read" in told.err) == (3, True)
