"""Can changes be followed without a screen, and a configuration be made without reading a manual?"""

from __future__ import annotations

import json
import signal
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from focusflow.cli.init import configured
from focusflow.config import load

if TYPE_CHECKING:
    from tests.cli.conftest import Call, Machine

EXAMPLE = Path(__file__).parents[2] / "config.example.yaml"


def test_each_change_is_one_plain_line(machine: Machine) -> None:
    """From another process: what is at work, then each state of a call; no control byte, and a quiet end at a signal."""
    machine.server.add("Linden")
    watching = machine.start("watch", "--every", "0.1")
    assert watching.process.stdout is not None
    assert "nobody works; no calls yet" in watching.process.stdout.readline()
    assert machine.run("run", "--until-idle").code == 0
    heard = [watching.process.stdout.readline()]
    while " completed: " not in heard[-1]:
        heard.append(watching.process.stdout.readline())
    watching.signal(signal.SIGTERM)

    ended = watching.ended()

    assert (ended.code, ended.err) == (143, "")
    assert any("at work: " in line for line in heard)
    assert all(character.isprintable() for line in heard for character in line.rstrip("\n"))


def test_each_change_is_one_json_object_a_line(machine: Machine) -> None:
    """For programs: the state of the work with its counts, and each call as `jobs list --json` shows it."""
    machine.server.add("Linden")
    watching = machine.start("watch", "--json", "--every", "0.1")
    assert watching.process.stdout is not None
    first = json.loads(watching.process.stdout.readline())
    assert (first["change"], first["paused"], first["instances"]) == ("work", False, [])
    assert first["counts"]["completed"] == 0
    assert datetime.fromisoformat(first["at"]).tzinfo == UTC
    assert machine.run("run", "--until-idle").code == 0
    heard = [json.loads(watching.process.stdout.readline())]
    while heard[-1]["change"] != "call" or heard[-1]["job"]["status"] != "completed":
        heard.append(json.loads(watching.process.stdout.readline()))
    watching.signal(signal.SIGTERM)
    watching.ended()

    assert any(told["instances"] for told in heard if told["change"] == "work")
    (job,) = machine.jobs()
    assert (heard[-1]["job"].keys(), heard[-1]["job"]["id"]) == (job.keys(), job["id"])


def test_a_configuration_is_written_once(call: Call, tmp_path: Path) -> None:
    """Every key explained, the given ones set, readable by its owner only; a second time it is left alone."""
    written = call("init", "--no-ask", "--set", "source=folder", "--set", "folder.path=/recordings")
    assert (written.code, written.out) == (0, "")
    assert "focusflow config check --online" in written.err
    file = tmp_path / "config.yaml"
    assert file.stat().st_mode & 0o777 == 0o600
    settings = load(file=file, environ={}).settings
    assert (settings.source, str(settings.folder.path)) == ("folder", "/recordings")

    again = call("init", "--no-ask")
    assert again.code == 2
    assert "is there already" in again.err


@pytest.mark.parametrize("pair", ["sorce=folder", "source=dropbox", "auto.concurrency=many"])
def test_a_wrong_value_is_said_before_anything_is_written(call: Call, tmp_path: Path, pair: str) -> None:
    """Exit code 3, and no file."""
    assert call("init", "--no-ask", "--set", pair).code == 3
    assert not (tmp_path / "config.yaml").exists()


def test_values_keep_their_places_among_the_explanations() -> None:
    """Only the lines of the keys that were given change."""
    example = EXAMPLE.read_text(encoding="utf-8")
    told = configured(example, {"notion.api_key": 'a "quoted" key', "budget.daily_usd": "5", "openai.model": "x: y"})

    changed = [line for line in told.splitlines() if line not in example.splitlines()]
    assert changed == ["  daily_usd: 5", '  model: "x: y"', '  api_key: "a \\"quoted\\" key"']
