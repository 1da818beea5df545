"""Does `config check` say everything that would stop the work, at once, and change nothing by looking?"""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from pathlib import Path

    from tests.cli.conftest import Call

NO_PLACE = "/proc/focusflow"
"""Nobody can make a file there, root neither."""


def problems(call: Call, *settings: str) -> list[str]:
    """Return what is wrong with these settings, over an environment with which all is well."""
    told = call(*(word for setting in settings for word in ("--set", setting)), "config", "check", "--json")
    assert told.code == (3 if told.json["problems"] else 0)
    found: list[str] = told.json["problems"]
    return found


def test_what_is_wrong_with_one_key_hides_nothing_else(
    call: Call, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Single values, contradictions, what is missing, files and prompts: one list, each with its place and key."""
    (tmp_path / "config.yaml").write_text("auto: {max_batch: 0}\nstore: {ulr: x}\n", encoding="utf-8")
    monkeypatch.setenv("AUTO_PROCESS_SINCE", "2026-11-01T00:00:00")
    monkeypatch.setenv("AUTO_MIN_DURATON", "30")
    monkeypatch.delenv("NOTION_DATABASE_ID")
    monkeypatch.delenv("ASSEMBLYAI_API_KEY")

    found = problems(call, "prompts.title=none.md", f"markdown.path={NO_PLACE}")

    assert [sentence.partition(" ")[0] for sentence in found] == [
        "config.yaml:",
        "AUTO_MIN_DURATON:",
        "config.yaml:",
        "AUTO_PROCESS_SINCE:",
        "NOTION_API_KEY:",
        "assemblyai.api_key",
        "command",
        "command",
    ]
    for word in ("ulr", "auto.max_batch", "auto.since", "database_id", "markdown.path", "prompts.title"):
        assert any(word in sentence for sentence in found)


def test_it_says_to_people_what_it_says_to_programs(call: Call) -> None:
    """One problem a line, on stderr."""
    wrong = ["--set", "auto.concurrency=0", "--set", "screen.keys={pauze: x}"]

    told = call(*wrong, "config", "check")

    assert (told.code, told.out) == (3, "")
    assert told.err.splitlines() == call(*wrong, "config", "check", "--json").json["problems"]


@pytest.mark.parametrize(
    ("setting", "sentence"),
    [
        ("drive.credentials=/nonexistent.json", "is neither JSON nor a file that can be read"),
        ('drive.credentials={"type":"x"}', "is not a complete service account's key"),
        ('drive.credentials={"type":"service_account","client_email":"a@b","private_key":"cut"}', "not a complete"),
        ("drive.credentials={}", "is not a complete service account's key"),
        (f"markdown.path={NO_PLACE}", "markdown.path: nothing can be written in /proc (No such file or directory)"),
        (f"logging.file={NO_PLACE}/focusflow.log", "logging.file: nothing can be written in /proc"),
        (f"store.url=sqlite:///{NO_PLACE}/calls.db", "store.url: nothing can be written in /proc"),
        (f"data_dir={NO_PLACE}", "data_dir: nothing can be written in /proc"),
        ("logging.file=/etc", "logging.file: /etc cannot be written (Is a directory)"),
        ("markdown.path=/etc/passwd", "markdown.path: nothing can be written in /etc/passwd (Not a directory)"),
        ("store.url=:memory:", "store.url: The database needs a file"),
        ("call.region=UK", "call.region: no country has the letters UK"),
        ('screen.keys={"pauze":"x"}', "screen.keys: there is no action pauze; did you mean pause?"),
        ('screen.keys={"pause":"q"}', "screen.keys.pause: q already means quit"),
    ],
)
def test_each_thing_that_would_stop_the_work_is_named(call: Call, setting: str, sentence: str) -> None:
    """One sentence, after the place it was set."""
    (problem,) = problems(call, setting)

    assert problem.startswith("command line: ")
    assert sentence in problem


def test_a_folder_that_is_not_there_matters_where_recordings_come_from_it(call: Call, tmp_path: Path) -> None:
    """And nowhere else."""
    nowhere = f"folder.path={tmp_path / 'none'}"

    assert problems(call, nowhere) == []
    (problem,) = problems(call, "source=folder", nowhere)
    assert problem.startswith(f"command line: folder.path: {tmp_path / 'none'} cannot be read (No such file or dir")
    assert problems(call, "source=folder", f"folder.path={tmp_path}") == []


def test_looking_makes_nothing(call: Call, tmp_path: Path) -> None:
    """Places that are still to be made are well, and not made by asking."""
    new = tmp_path / "new"
    before = sorted(os.listdir(tmp_path))

    assert problems(call, f"data_dir={new}", f"markdown.path={new}/calls", f"logging.file={new}/a/b.log") == []

    assert sorted(os.listdir(tmp_path)) == before


def test_names_that_are_nearly_ours_are_noted(call: Call, monkeypatch: pytest.MonkeyPatch) -> None:
    """All is well, and the name that nothing reads is told with the one that was meant."""
    monkeypatch.setenv("GOOGLE_DRIVE_FOLDERID", os.environ["GOOGLE_DRIVE_FOLDER_ID"])
    monkeypatch.setenv("ALLOWED_USER", "me@example.com")

    told = call("config", "check", "--json")

    assert told.code == 0
    assert told.json["notes"] == [
        "ALLOWED_USER: has no effect: this is not a name FocusFlow knows; did you mean ALLOWED_USERS?"
    ]


def test_a_run_logs_names_that_are_nearly_ours(call: Call, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever reads the log finds out why a setting does nothing."""
    monkeypatch.setenv("ALLOWED_USER", "me@example.com")
    monkeypatch.delenv("ASSEMBLYAI_API_KEY")

    call("run")

    lines = [json.loads(line) for line in (tmp_path / "data" / "focusflow.log").read_text("utf-8").splitlines()]
    assert any("did you mean ALLOWED_USERS?" in line["event"] for line in lines if line["level"] == "warning")
