"""Is what the commands print what outsiders rely on, as data for programs and as lines for people?"""

from __future__ import annotations

import csv
import io
import json
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from pathlib import Path

    from tests.cli.conftest import Call

JOB_NAMES = {
    "id",
    "status",
    "gdrive_file_id",
    "gdrive_file_name",
    "contact_name",
    "contact_number",
    "call_direction",
    "call_type",
    "call_timestamp",
    "duration_seconds",
    "retry_count",
    "error_message",
    "hold_reason",
    "skip_reason",
    "auto_processed",
    "notion_page_id",
    "notion_url",
    "notion_error",
    "cost_usd",
    "transcript_id",
}
STATUSES = {
    "discovered",
    "transcribing",
    "transcribed",
    "summarizing",
    "syncing",
    "completed",
    "failed",
    "skipped",
}


def test_jobs_list_prints_an_array_with_every_name_that_is_promised(call: Call) -> None:
    """Scripts of other people read these."""
    listed = call("jobs", "list", "--json")

    assert (listed.code, listed.err) == (0, "")
    jobs = listed.json
    assert len(jobs) == 5
    assert all(job.keys() >= JOB_NAMES for job in jobs)
    done = next(job for job in jobs if job["status"] == "completed" and "Linden" in job["gdrive_file_name"])
    assert done["contact_name"] == "Linden Road Clinic"
    assert done["call_direction"] == "incoming"
    assert done["call_timestamp"].endswith("Z")
    assert float(done["cost_usd"]) > 0
    assert done["notion_url"].startswith("http")
    assert done["auto_processed"] is True
    assert isinstance(done["cost_usd"], str)


def test_jobs_show_adds_everything_that_is_known(call: Call, ids: dict[str, str]) -> None:
    """Transcript, summary, every attempt, every charge, every line of its log."""
    job = call("jobs", "show", ids["Linden"], "--json").json

    assert job.keys() >= JOB_NAMES | {"transcript", "summary", "attempts", "charges", "events"}
    assert {utterance["speaker"] for utterance in job["transcript"]["utterances"]} >= {"A", "B"}
    assert job["summary"]["markdown"]
    assert [attempt["step"] for attempt in job["attempts"]][-2:] == ["summarize", "sync"]
    assert {charge["state"] for charge in job["charges"]} == {"settled"}
    assert sum(float(charge["actual_usd"]) for charge in job["charges"]) == pytest.approx(float(job["cost_usd"]))
    assert job["events"][0]["message"].startswith("Found ")


def test_nothing_of_where_the_user_stood_is_shown_anywhere(call: Call) -> None:
    """The sidecars' GPS position and street address are not stored."""
    everything = call("jobs", "export").out + call("jobs", "list", "--json").out

    assert "Mill Yard" not in everything
    assert "51.4545" not in everything


def test_stats_have_the_promised_shape(call: Call) -> None:
    """Every status is counted, zeros included; money is a string of dollars."""
    stats = call("stats", "--json").json

    assert stats.keys() >= {
        "counts",
        "failures_by_step",
        "average_seconds_by_step",
        "today",
        "month",
        "paused",
        "instances",
    }
    assert stats["counts"].keys() == STATUSES
    assert (stats["counts"]["completed"], stats["counts"]["skipped"]) == (2, 3)
    assert stats["today"].keys() >= {"date", "jobs", "spent_usd", "reserved_usd", "budget_usd"}
    assert stats["today"]["budget_usd"] is None
    assert isinstance(stats["today"]["spent_usd"], str)
    assert stats["average_seconds_by_step"].keys() >= {"transcribe", "summarize"}
    assert (stats["paused"], stats["instances"]) == (False, [])


def test_stats_for_people_name_the_same_numbers(call: Call) -> None:
    """Without --json it reads like a note."""
    text = call("stats").out

    assert "completed     2" in text
    assert "This month: $" in text
    assert call("--set", "budget.daily_usd=5", "stats").out.count("of $5.00,") == 1


def test_the_list_for_people_has_a_line_for_each_call_and_cuts_nothing_when_piped(call: Call) -> None:
    """Newest first; reasons are written out."""
    lines = call("jobs", "list").out.splitlines()

    assert lines[0].split() == ["ID", "STATUS", "WHEN", "CONTACT", "LENGTH", "COST", "NOTE"]
    assert len(lines) == 6
    assert any("outgoing call; only incoming ones are processed" in line for line in lines)


@pytest.mark.parametrize(
    ("arguments", "count"),
    [
        (["--status", "completed"], 2),
        (["--status", "completed", "--status", "skipped"], 5),
        (["-s", "failed"], 0),
        (["-s", "waiting"], 0),
        (["--search", "clinic"], 1),
        (["-q", "07700 900812"], 1),
        (["--limit", "3"], 3),
    ],
)
def test_the_list_is_narrowed(call: Call, arguments: list[str], count: int) -> None:
    """By status, by what is searched for, by number."""
    assert len(call("jobs", "list", "--json", *arguments).json) == count


def test_an_empty_list_is_an_empty_array_and_a_hint(call: Call) -> None:
    """Programs get data, people get a hint."""
    assert call("jobs", "list", "--json", "-s", "failed").out.strip() == "[]"
    told = call("jobs", "list", "-s", "failed")
    assert (told.out, told.code) == ("", 0)
    assert "`focusflow jobs list` shows all" in told.err


def test_an_unknown_status_is_named_with_the_known_ones(call: Call) -> None:
    """Exit code 2, nothing on stdout."""
    told = call("jobs", "list", "--status", "done")

    assert (told.code, told.out) == (2, "")
    assert told.err.startswith("There is no status done; there are discovered,")


def test_a_job_is_shown_to_people_with_its_summary_and_every_line(call: Call, ids: dict[str, str]) -> None:
    """By a unique beginning of its id too."""
    text = call("jobs", "show", ids["Linden"][:6], "--all").out

    for title in ("STEP", "SUMMARY", "TRANSCRIPT", "LOG"):
        assert f"\n{title}" in text


def test_a_job_is_shown_on_one_page_of_eighty_columns(call: Call, ids: dict[str, str]) -> None:
    """Who, when, how long, what it cost, where it went, and how the summary begins; the rest is one option away."""
    text = call("jobs", "show", ids["Linden"]).out

    for beginning in (
        "Who ",
        "When ",
        "Length ",
        "Cost ",
        "Status  completed",
        "STEP",
        "CHARGED",
        "notion ",
        "SUMMARY",
    ):
        assert f"\n{beginning}" in text
    assert "http" in text
    assert "\nTRANSCRIPT" not in text
    assert "`--all`" in text
    assert max(len(line) for line in text.splitlines() if "http" not in line) <= 80


def test_a_skipped_call_says_why_and_how_to_take_it_in(call: Call, ids: dict[str, str]) -> None:
    """One reason and one verb."""
    skipped = next(job for job in call("jobs", "list", "--status", "skipped", "--json").json)
    text = call("jobs", "show", skipped["id"]).out

    assert "Status  skipped: " in text
    assert f"`focusflow unskip {skipped['id']}`" in " ".join(text.split())


def test_config_check_says_as_json_what_it_says_to_people(call: Call, tmp_path: Path) -> None:
    """Problems and notes as lists; the exit code is the same. A prompt that is not there is a problem."""
    well = call("config", "check", "--json")
    assert (well.code, well.json["problems"]) == (0, [])

    missing = tmp_path / "none.md"
    bad = call("--set", f"prompts.title={missing}", "config", "check", "--json")
    assert bad.code == 3
    assert bad.json["problems"][0].startswith(f"command line: prompts.title: The prompt {missing} cannot be read")

    unknown = call("--set", "store.ulr=x", "config", "check", "--json")
    assert unknown.code == 3
    assert "did you mean store.url?" in unknown.json["problems"][0]


def test_a_job_that_is_not_there_is_exit_code_6(call: Call) -> None:
    """With the way to find the others."""
    told = call("jobs", "show", "zzzz")

    assert (told.code, told.out) == (6, "")
    assert told.err == "There is no job zzzz; `focusflow jobs list` shows all.\n"


def test_a_beginning_of_several_ids_names_them(call: Call, ids: dict[str, str]) -> None:
    """An empty one is the beginning of all."""
    told = call("jobs", "show", "")

    assert told.code == 6
    assert told.err.startswith(" is the beginning of several jobs: ") or "several jobs" in told.err
    assert sum(job_id in told.err for job_id in ids.values()) == 5


# -------------------------------------------------------------------------------------------------------------- export


def test_export_is_one_json_object_a_line(call: Call) -> None:
    """To stdout, ready for jq; the count goes to stderr."""
    exported = call("jobs", "export")

    calls = [json.loads(line) for line in exported.out.splitlines()]
    assert len(calls) == 5
    assert exported.err == "Exported 5 calls.\n"
    assert sum(found["transcript"] is not None for found in calls) == 2


def test_export_as_csv_can_be_read_by_a_spreadsheet(call: Call, tmp_path: Path) -> None:
    """Texts with commas, quotes and line breaks included."""
    assert call("jobs", "export", "--format", "csv", "--to", str(tmp_path / "calls.csv")).out == ""

    text = (tmp_path / "calls.csv").read_text(encoding="utf-8")
    rows = list(csv.DictReader(io.StringIO(text)))
    assert len(rows) == 5
    assert {row["status"] for row in rows} == {"completed", "skipped"}
    assert sum("\n" in row["summary"] for row in rows) == 2


def test_export_as_markdown_writes_a_file_for_each_summary(call: Call, tmp_path: Path) -> None:
    """The same files as the Markdown sink's; again writes them in place."""
    for _ in range(2):
        assert call("jobs", "export", "-f", "markdown", "--to", str(tmp_path / "calls")).code == 0

    assert len(list((tmp_path / "calls").rglob("*.md"))) == 2


@pytest.mark.parametrize("arguments", [["--format", "xml"], ["--format", "markdown"]])
def test_an_export_that_cannot_be_meant_is_a_usage_error(call: Call, arguments: list[str]) -> None:
    """A format that is not there, a directory that was not said."""
    told = call("jobs", "export", *arguments)

    assert (told.code, told.out) == (2, "")


def test_an_export_that_cannot_be_written_says_so(call: Call, tmp_path: Path) -> None:
    """Not a traceback."""
    told = call("jobs", "export", "--to", str(tmp_path))

    assert told.code == 6
    assert "cannot be written" in told.err


# -------------------------------------------------------------------------------------------------------------- config


def test_no_secret_is_ever_shown(call: Call) -> None:
    """Keys, private keys and the password in a database's address."""
    shown = [
        call("--set", "store.url=postgresql://me:hunter22@host/db", "config", "show"),
        call("--set", "store.url=postgresql://me:hunter22@host/db", "config", "show", "--json"),
        call("config", "check"),
    ]
    for told in shown:
        assert "hunter22" not in told.out + told.err
        assert "BEGIN PRIVATE KEY" not in told.out + told.err
        assert "ntn_sandbox" not in told.out + told.err
    found = shown[1].json
    assert found["notion.api_key"] == {"value": "(set)", "from": "NOTION_API_KEY"}
    assert found["store.url"]["value"] == "postgresql://me:(set)@host/db"
    assert found["auto.max_batch"] == {"value": 3, "from": "default"}


def test_config_check_says_that_all_is_well(call: Call) -> None:
    """On stderr: there is no data."""
    told = call("config", "check")

    assert (told.code, told.out, told.err) == (0, "", "Environment and defaults: all is well.\n")


def test_config_check_says_what_is_missing_and_what_has_no_effect(call: Call, monkeypatch: pytest.MonkeyPatch) -> None:
    """Everything at once, exit code 3."""
    monkeypatch.delenv("ASSEMBLYAI_API_KEY")
    monkeypatch.delenv("GOOGLE_DRIVE_FOLDER_ID")
    monkeypatch.setenv("CRON_SECRET", "s3cret")

    told = call("config", "check")

    assert told.code == 3
    assert "ASSEMBLYAI_API_KEY" in told.err
    assert "GOOGLE_DRIVE_FOLDER_ID" in told.err
    assert "CRON_SECRET: has no effect" in told.err


def test_config_check_warns_of_keys_that_others_may_read(call: Call, tmp_path: Path) -> None:
    """It is no mistake, and all is well otherwise."""
    file = tmp_path / "config.yaml"
    file.write_text("drive:\n  oauth_client_secret: sk-1\n", encoding="utf-8")
    file.chmod(0o644)

    told = call("config", "check")

    assert told.code == 0
    assert "note: config.yaml: others on this machine may read the keys in it: `chmod 600 config.yaml`" in told.err


@pytest.mark.parametrize("command", [["stats"], ["jobs", "list"], ["run"], ["config", "show"], ["pause"]])
def test_a_wrong_key_is_one_sentence_and_exit_code_3(call: Call, command: list[str]) -> None:
    """Wherever it is read."""
    told = call("--set", "auto.concurency=2", *command)

    assert (told.code, told.out) == (3, "")
    assert told.err == "focusflow: command line: unknown key auto.concurency; did you mean auto.concurrency?\n"


def test_a_database_that_cannot_be_used_is_exit_code_4(call: Call, tmp_path: Path) -> None:
    """A file that is not a database."""
    (tmp_path / "data" / "broken.db").write_text("this is not a database, it is a shopping list\n" * 100)

    told = call("--set", f"store.url={tmp_path / 'data' / 'broken.db'}", "stats")

    assert (told.code, told.out) == (4, "")
    assert told.err.startswith("focusflow: ")
    assert "Traceback" not in told.err
