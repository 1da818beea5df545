"""Do people see what things cost before and after, and is nothing paid for without a yes?"""

from __future__ import annotations

import csv
import io
import sqlite3
from typing import TYPE_CHECKING

import pytest

from focusflow.cli.agreement import price_sentence
from focusflow.cli.output import harmless_cell
from focusflow.domain.money import exact_usd
from focusflow.ports import RunPrice

if TYPE_CHECKING:
    from pathlib import Path

    from tests.cli.conftest import Call

PRICED = ("--set", "openai.usd_per_million_input=0.1", "--set", "openai.usd_per_million_output=0.5")


def change(database: Path, statement: str, *values: object) -> None:
    connection = sqlite3.connect(database)
    try:
        with connection:
            connection.execute(statement, values)
    finally:
        connection.close()


def micros(usd: str) -> int:
    return round(float(usd) * 1_000_000)


# --------------------------------------------------------------------------------------------------------------- prices


def test_prices_are_shown_with_their_date_their_source_and_what_is_not_verified(call: Call) -> None:
    """Within eighty columns; what is in use is marked, and so are prices of one's own."""
    text = call(*PRICED, "prices").out

    lines = text.splitlines()
    assert max(map(len, lines)) <= 80
    assert "* universal-3-5-pro            $0.2100  2026-10-07" in lines
    assert "* speaker_labels               $0.0200  2026-08-01  not verified" in lines
    assert any(line.endswith("yours") for line in lines)
    assert "Unpriced" not in text


def test_what_has_no_price_is_named(call: Call) -> None:
    """A model and an add-on that nobody knows; as data too."""
    flags = ("--set", "assemblyai.speech_models=stt-9", "--set", "assemblyai.keyterms=Alder")

    assert "Unpriced: stt-9, keyterms_prompt." in call(*flags, "prices").out
    found = call(*flags, "prices", "--json").json
    assert found["unpriced"] == ["stt-9", "keyterms_prompt"]
    assert {row["name"]: row["usd_per_hour"] for row in found["audio"]}["universal-2"] == "0.150000"


def test_old_prices_are_warned_of(call: Call, tmp_path: Path) -> None:
    """More than half a year is too long to believe them."""
    table = tmp_path / "mine.toml"
    table.write_text(
        'currency = "USD"\n'
        + "".join(
            f'[[audio]]\nname = "{name}"\nusd_per_hour = 0.1\nas_of = 2020-01-01\n'
            for name in ("universal-3-5-pro", "universal-2", "speaker_labels")
        ),
        encoding="utf-8",
    )

    told = call("--set", f"assemblyai.price_table={table}", "prices")

    assert "Warning: prices in use were read on 2020-01-01, more than 180 days ago." in told.out


def test_a_price_table_that_cannot_be_read_stops_every_command(call: Call, tmp_path: Path) -> None:
    """With the file and the key; nothing is reckoned with half a table."""
    table = tmp_path / "mine.toml"
    table.write_text('currency = "EUR"\n', encoding="utf-8")

    for command in ("prices", "plan", "costs", "stats"):
        told = call("--set", f"assemblyai.price_table={table}", command)
        assert told.code == 3
        assert "assemblyai.price_table" in told.err
        assert "mine.toml: currency: 'EUR' is not known" in told.err


# ----------------------------------------------------------------------------------------------------------------- plan


@pytest.mark.parametrize("by", ["month", "contact", "direction"])
def test_a_plan_adds_up_whatever_it_is_grouped_by(call: Call, by: str) -> None:
    """What the rules left out is priced, by reason and by group."""
    found = call("plan", "--by", by, "--json").json

    assert found["by"] == by
    assert found["waiting"]["calls"] == 0
    assert found["left_out"]["calls"] == sum(group["left_out"]["calls"] for group in found["groups"])
    by_group = sum(micros(group["left_out"]["usd"]) for group in found["groups"])
    assert micros(found["left_out"]["usd"]) == by_group > 0
    text = call("plan", "--by", by).out
    assert max(map(len, text.splitlines())) <= 80
    assert by.upper() in text
    assert "outgoing call" in text


def test_a_plan_by_something_else_says_what_there_is(call: Call) -> None:
    """And what a plan start wants is checked before anything is done."""
    assert (
        call("plan", "--by", "colour").err == "A plan cannot be made by colour; there are month, contact, direction.\n"
    )
    assert call("plan", "start", "--until", "0").code == 2
    assert call("plan", "start", "--until", "5", "--direction", "up").code == 2
    assert "is not a day" in call("plan", "start", "--until", "5", "--since", "May").err


def test_nothing_is_started_without_a_yes(call: Call, ids: dict[str, str]) -> None:
    """No terminal, no --yes: what would be started is said, and nothing more."""
    told = call("plan", "start", "--until", "5", "--direction", "outgoing")

    assert told.code == 2
    assert ids["Leila"] in told.out
    assert "1 call," in told.err
    assert "say --yes" in told.err
    assert call("jobs", "show", ids["Leila"], "--json").json["status"] == "skipped"


def test_what_the_rules_left_out_is_started_within_a_sum(call: Call, ids: dict[str, str]) -> None:
    """Not if it costs more than that; then as if asked for by hand."""
    dear = call("plan", "start", "--until", "0.000001", "--direction", "outgoing", "--yes")
    assert (dear.code, dear.err) == (
        6,
        "Nothing was started: already the first call costs more than $0.000001.\n",
    )

    told = call("plan", "start", "--until", "5", "--direction", "outgoing", "--yes")

    assert told.code == 0
    assert told.err.endswith("1 asked for. A running FocusFlow takes them; else `focusflow run` does.\n")
    assert call("jobs", "show", ids["Leila"], "--json").json["status"] == "discovered"


def test_a_short_or_outgoing_call_is_not_started_for_its_age(call: Call) -> None:
    """The sum is for calls that are only too old: other reasons to leave them out still hold."""
    told = call("plan", "start", "--until", "5", "--yes")

    assert told.code == 6
    assert "the rules leave out all" in told.err


# ---------------------------------------------------------------------------------------------------------------- costs


@pytest.mark.parametrize("by", ["day", "month", "contact", "model", "step", "job"])
def test_costs_add_up_to_the_lines_of_the_ledger(call: Call, by: str) -> None:
    """The total is the sum of the rows, and that of the settled lines, and what the calls cost."""
    found = call("costs", "--by", by, "--json").json
    lines = call("costs", "--rows", "--json").json

    rows = sum(micros(row["settled_usd"]) for row in found["rows"])
    settled = sum(micros(line["actual_usd"] or line["estimate_usd"]) for line in lines if line["state"] == "settled")
    calls = sum(micros(job["cost_usd"]) for job in call("jobs", "list", "--json").json)
    assert micros(found["total"]["settled_usd"]) == rows == settled == calls > 0
    assert found["total"]["calls"] == 2
    assert {row["why"] for row in found["saved"]} >= {"rule"}
    for arguments in (["--by", by], ["--rows"]):
        text = call("costs", *arguments).out
        assert max(map(len, text.splitlines())) <= 80


def test_costs_by_job_name_the_jobs(call: Call, ids: dict[str, str]) -> None:
    """So that each can be looked at, where its lines are shown too."""
    found = call("costs", "--by", "job", "--json").json
    shown = call("jobs", "show", ids["Linden"]).out

    assert ids["Linden"] in {row["job"] for row in found["rows"]}
    assert "CHARGED" in shown
    assert "settled" in shown


def test_costs_before_anything_and_of_strange_wishes_are_told_in_words(call: Call, tmp_path: Path) -> None:
    """An empty state says what to do; a wrong day or group says what is right."""
    empty = ("--data-dir", str(tmp_path / "empty"))
    assert call(*empty, "costs").err.startswith("Nothing was spent yet.")
    assert call(*empty, "costs", "--rows").err == "The ledger has no lines yet.\n"
    assert call(*empty, "plan").err.startswith("Nothing waits")
    assert call("costs", "--since", "2999-01-01").err.startswith("Nothing was spent since 2999-01-01.")
    assert call("costs", "--since", "yesterday").code == 2
    assert call("costs", "--by", "moon").code == 2
    assert call("costs", "--csv", "--json").code == 2


def test_a_name_is_never_a_formula_in_a_spreadsheet(call: Call, ids: dict[str, str], tmp_path: Path) -> None:
    """Names come from other people's phones; a number keeps its plus."""
    change(
        tmp_path / "data" / "focusflow.db",
        "UPDATE jobs SET contact_name = ? WHERE id = ?",
        "=cmd|'/c calc'!A1",
        ids["Linden"],
    )

    found = list(csv.DictReader(io.StringIO(call("costs", "--by", "contact", "--csv").out)))

    assert "'=cmd|'/c calc'!A1" in {row["contact"] for row in found}
    assert all(float(row["settled_usd"]) >= 0 for row in found)
    assert [harmless_cell(text) for text in ("@x", "-1+1", " =x", "+44 7700", "Ann", 3)] == [
        "'@x",
        "'-1+1",
        "' =x",
        "+44 7700",
        "Ann",
        3,
    ]


def test_unknown_usage_is_marked_and_unpriced_lines_are_told(call: Call, tmp_path: Path) -> None:
    """An estimate that stands is not passed off as a bill, and what has no price not as nothing."""
    database = tmp_path / "data" / "focusflow.db"
    change(database, "UPDATE charges SET actual_micros = NULL, usage_known = 0 WHERE step = 'transcribe'")
    change(database, "UPDATE charges SET actual_micros = NULL, estimate_micros = NULL WHERE step = 'summarize'")

    text = call("costs").out

    assert "~$" in text
    assert "charges of unknown usage: the estimate stands." in text
    assert "without a known price, not in it" in text
    assert call("costs", "--json").json["total"]["unpriced"] > 0


# --------------------------------------------------------------------------------------------------------------- re-runs


def test_transcribing_anew_needs_a_yes_and_summing_up_anew_says_its_price(call: Call, ids: dict[str, str]) -> None:
    """Dear and cheap are different words; without a terminal the dear one is refused."""
    dear = call("retranscribe", ids["Linden"], "--queue")
    assert dear.code == 2
    assert dear.err.startswith("This costs about $")
    assert "say --yes" in dear.err
    assert call("jobs", "show", ids["Linden"], "--json").json["status"] == "completed"
    assert call("process", ids["Linden"], "--from", "transcribe", "--queue").code == 2

    cheap = call("resummarize", ids["Linden"], "--queue")
    assert cheap.code == 0
    assert cheap.err.startswith("This costs about $")

    assert call("retranscribe", ids["Linden"], "--queue", "--yes").code == 0


def test_bringing_a_call_to_its_page_again_is_free(call: Call, ids: dict[str, str]) -> None:
    """And says so."""
    told = call("process", ids["Linden"], "--from", "sync", "--queue")
    assert told.err.startswith("Free: ")


@pytest.mark.parametrize(
    ("price", "calls", "sentence"),
    [
        (RunPrice(micros=0, unpriced=0, free_because="the transcript is there"), 1, "Free: the transcript is there."),
        (RunPrice(micros=12_300, unpriced=0, free_because=None), 1, "This costs about $0.0123."),
        (RunPrice(micros=0, unpriced=2, free_because=None), 2, "This has no known price; `focusflow prices` says why."),
        (
            RunPrice(micros=5_000_000, unpriced=1, free_because=None),
            3,
            "This costs about $5.00 for 3 calls, and 1 of them have no known price.",
        ),
    ],
)
def test_a_price_is_a_sentence(price: RunPrice, calls: int, sentence: str) -> None:
    """Unknown is not free."""
    assert price_sentence(price, calls) == sentence


def test_amounts_for_programs_are_exact(call: Call) -> None:
    """Six decimals in JSON, never for people."""
    spent = call("stats", "--json").json["today"]["spent_usd"]
    assert spent == exact_usd(micros(spent))
    assert spent not in call("stats").out


def test_a_folder_of_old_recordings_costs_nothing_until_somebody_says_so(call: Call, tmp_path: Path) -> None:
    """On the first start they are there, left out with the reason, priced, and started only within a sum."""
    folder = tmp_path / "recordings"
    folder.mkdir()
    for day in (1, 2, 3):
        name = f"2026-03-0{day} 10-20-00 (phone) Ann Lee (+44 7700 900129) ↙.m4a"
        (folder / name).write_bytes(bytes([day]) * 480_000)  # two minutes
    fresh = (*PRICED, "--data-dir", str(tmp_path / "fresh"), "--set", "source=folder")
    here = (
        *fresh,
        "--set",
        f"folder.path={folder}",
        "--set",
        "folder.settle_seconds=0",
        "--set",
        "auto.only_future=true",
    )

    assert "0 calls wait" in call(*here, "discover").out
    jobs = call(*here, "jobs", "list", "--json").json
    assert {(job["status"], job["skip_reason"].partition(" 2")[0]) for job in jobs} == {("skipped", "recorded before")}
    plan = call(*here, "plan", "--json").json
    assert (plan["left_out"]["calls"], plan["left_out"]["length_guessed"], plan["waiting"]["calls"]) == (3, 3, 0)
    assert call(*here, "costs", "--rows").err == "The ledger has no lines yet.\n"

    one = micros(plan["left_out"]["usd"]) // 3
    told = call(*here, "plan", "start", "--until", exact_usd(2 * one), "--yes")

    assert told.err.startswith(f"2 calls, 0.07 hours: ${2 * one / 1_000_000:.4f} of ")
    assert "1 more would go beyond it." in told.err
    started = {
        job["gdrive_file_name"][:10] for job in call(*here, "jobs", "list", "--json").json if not job["skip_reason"]
    }
    assert started == {"2026-03-03", "2026-03-02"}
