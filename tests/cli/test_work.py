"""Is the work done once, from wherever it is started, and does everything that was not done say why?"""

from __future__ import annotations

import json
import re
import signal
import sqlite3
from datetime import datetime
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

import pytest

from focusflow.sandbox.faults import Fault

if TYPE_CHECKING:
    from collections.abc import Iterable

    from tests.cli.conftest import Machine, MakeMachine

STORY = (
    "Found ",
    "The call lasted ",
    "Work on it begins, by ",
    "Downloading the recording.",
    "Transcribing.",
    "Uploaded.",
    "Ordered transcript ",
    "The transcript is here.",
    "Summarizing.",
    "Summarized by ",
    "Delivering it.",
    "Completed.",
)
"""What a call's log tells of its way, one line each."""


def test_a_run_finds_processes_and_ends(machine: Machine) -> None:
    """`run --until-idle`, the whole way: every call once on the bill, a page for each, nothing left of the audio."""
    machine.server.add("Linden", "Carmen")

    ran = machine.run("run", "--until-idle")

    assert (ran.code, ran.out) == (0, "")
    assert [job["status"] for job in machine.jobs()] == ["completed", "completed"]
    assert machine.server.bill("assemblyai") == 2
    assert len(machine.server.sandbox.notion.pages()) == 2
    assert list((machine.data / "tmp").iterdir()) == []
    assert machine.rows("PRAGMA integrity_check") == [("ok",)]
    assert machine.rows("SELECT * FROM instances") == []

    again = machine.run("run", "--until-idle")
    assert again.code == 0
    assert machine.server.bill("assemblyai") == 2


def last_told(err: str) -> str:
    """Return the last of the lines of JSON that a run without a terminal writes to stderr, as words."""
    return str(json.loads(err.splitlines()[-1])["event"])


def test_a_run_until_idle_says_how_everything_stands(make_machine: MakeMachine) -> None:
    """One sentence at the end, with the numbers of the database and when the next call is due."""
    refused = Fault(service="assemblyai", kind="status", status=401, path="/v2/upload", times=1)
    machine = make_machine(faults=[refused])
    machine.server.add("Linden")

    held = last_told(machine.run("run", "--until-idle", FOCUSFLOW_TIMEZONE="UTC").err)

    ((due,),) = machine.rows("SELECT next_attempt_at FROM jobs")
    at = datetime.fromtimestamp(due / 1_000, ZoneInfo("UTC"))
    assert held in (
        f"Nothing left to do now: 0 completed, 1 waits. The next is due at {at:%H:%M}.",
        f"Nothing left to do now: 0 completed, 1 waits. The next is due at {at:%Y-%m-%d %H:%M}.",
    )

    machine.server.add("Carmen", "Voice 004")
    (job,) = machine.jobs()
    assert machine.run("skip", job["id"]).code == 0
    assert last_told(machine.run("run", "--until-idle").err) == "Nothing left to do now: 1 completed, 2 skipped."
    machine.run("unskip", job["id"])
    machine.run("pause")
    assert last_told(machine.run("run", "--until-idle").err) == (
        "Nothing left to do now: 1 completed, 1 skipped, 1 waits. FocusFlow is paused; `focusflow resume` goes on."
    )


def test_discover_looks_and_pays_for_nothing(machine: Machine) -> None:
    """Data on stdout, for people or for programs."""
    machine.server.add("Linden", "Voice 004")

    told = machine.run("discover")
    assert (told.code, told.err) == (0, "")
    assert told.out.startswith("2 new, ")

    found = machine.run("discover", "--json").json
    assert found["counts"]["discovered"] == 1
    assert found["counts"]["skipped"] == 1
    assert machine.server.bill("assemblyai") == 0


def test_process_does_one_call_whatever_the_rules_say(machine: Machine) -> None:
    """An outgoing call, while automatic processing is off; the others stay where they are, and wait."""
    outgoing, incoming = machine.server.add("Leila", "Linden")
    off = {"AUTO_PROCESS_ENABLED": "false"}
    assert machine.run("run", "--until-idle", **off).code == 0
    job = _of(machine, outgoing)
    assert job["skip_reason"] == "outgoing call; only incoming ones are processed"

    done = machine.run("process", job["id"], **off)

    assert done.code == 0
    assert [line.partition(" $")[0] for line in done.err.splitlines()] == ["This costs about", "1 asked for."]
    assert done.out.splitlines()[1].split()[:2] == [job["id"], "completed"]
    assert _of(machine, incoming)["status"] == "discovered"
    assert machine.server.bill("assemblyai") == 1


def test_process_from_summarize_uses_the_transcript_again(machine: Machine) -> None:
    """Cheap: a new summary, no second transcription, the same page."""
    machine.server.add("Linden")
    assert machine.run("run", "--until-idle").code == 0
    (job,) = machine.jobs()
    assert job["status"] == "completed", job
    answers = machine.server.bill("openai")

    again = machine.run("process", job["id"], "--from", "summarize")

    assert again.code == 0, again.err
    assert machine.server.bill("assemblyai") == 1
    assert machine.server.bill("openai") == 2 * answers
    (after,) = machine.jobs()
    assert (after["status"], after["notion_page_id"]) == ("completed", job["notion_page_id"])
    assert float(after["cost_usd"]) > float(job["cost_usd"])
    told = [message for (message,) in machine.rows("SELECT message FROM job_events ORDER BY id")]
    asked = told.index("Asked for by you, anew from summarize.")
    assert _kinds(told[asked + 1 :]) == [
        "Work on it begins, by ",
        "The transcript is there already: it is used again.",
        "Summarizing.",
        "Summarized by ",
        "Delivering it.",
        "Completed.",
    ]


def test_process_says_what_it_could_not_finish(make_machine: MakeMachine) -> None:
    """Exit code 5; the line in the table says why."""
    machine = make_machine(
        faults=[Fault(service="assemblyai", kind="status", status=401, path="/v2/upload", times=None)]
    )
    machine.server.add("Linden")
    machine.run("discover")
    (job,) = machine.jobs()

    told = machine.run("process", job["id"])

    assert told.code == 5
    assert told.err.splitlines()[-1] == f"Not completed: {job['id']}. `focusflow jobs show ID` says more."
    (after,) = machine.jobs()
    assert after["hold_reason"] or after["error_message"]


def test_a_mended_key_is_noticed_at_the_next_start(machine: Machine) -> None:
    """Not a quarter of an hour later; by a look once for each start, and a transcript is ordered once."""
    machine.server.add("Linden")
    for _ in range(2):
        assert machine.run("run", "--until-idle", ASSEMBLYAI_API_KEY="wrong").code == 0
        assert "Check ASSEMBLYAI_API_KEY" in machine.jobs()[0]["hold_reason"]
    assert machine.server.sandbox.log.count("assemblyai", "POST", "upload$") == 2

    assert machine.run("run", "--until-idle").code == 0

    (job,) = machine.jobs()
    assert (job["status"], job["hold_reason"]) == ("completed", None)
    assert machine.server.bill("assemblyai") == 1


def test_a_call_that_waits_for_a_key_can_be_retried(machine: Machine) -> None:
    """By its id, and with all others."""
    machine.server.add("Linden")
    machine.run("discover")
    (job,) = machine.jobs()

    for which in (job["id"], "--all"):
        machine.run("run", "--until-idle", ASSEMBLYAI_API_KEY="wrong")
        told = machine.run("retry", which, "--yes")
        assert (told.code, told.err.splitlines()[-1]) == (0, "1 call will be tried again.")
    (job,) = machine.jobs()
    assert (job["status"], job["hold_reason"], job["next_attempt_at"]) == ("discovered", None, None)
    assert machine.run("retry", job["id"], "--yes").code == 6


def test_a_page_that_waits_for_a_key_is_made_at_the_next_start(machine: Machine) -> None:
    """The call is completed already; its page is brought up to date before the run ends."""
    machine.server.add("Linden")
    machine.run("run", "--until-idle", NOTION_API_KEY="ntn_wrong")
    assert "check NOTION_API_KEY" in machine.jobs()[0]["notion_error"]

    assert machine.run("run", "--until-idle").code == 0

    (job,) = machine.jobs()
    assert (job["notion_error"], job["notion_page_id"] is None) == (None, False)


def test_a_source_that_does_not_let_us_in_is_exit_code_5(make_machine: MakeMachine) -> None:
    """One sentence, for `discover` as for `config check --online` (there it is the configuration)."""
    machine = make_machine(faults=[Fault(service="drive", kind="status", status=401, times=None)])

    told = machine.run("discover")

    assert (told.code, told.out) == (5, "")
    assert told.err.startswith("focusflow: ")
    assert "Traceback" not in told.err
    checked = machine.run("config", "check", "--online")
    assert checked.code == 3
    assert "Traceback" not in checked.err


def test_config_check_online_asks_every_service(machine: Machine) -> None:
    """And pays for none."""
    checked = machine.run("config", "check", "--online")

    assert checked.code == 0, checked.err
    asked = {entry.service for entry in machine.server.sandbox.log}
    assert asked == {"drive", "assemblyai", "openai", "notion"}
    assert machine.server.bill("assemblyai") + machine.server.bill("openai") == 0


def test_two_runs_on_one_database_pay_for_each_call_once(machine: Machine) -> None:
    """Started at the same moment, on the same calls."""
    machine.server.add("Linden", "Carmen", "Jonas", "Tomasz", "Alder", "Stephen")
    both = [machine.start("run", "--until-idle") for _ in range(2)]

    ended = [running.ended() for running in both]

    assert [result.code for result in ended] == [0, 0], ended[0].err + ended[1].err
    assert {job["status"] for job in machine.jobs()} == {"completed"}
    assert machine.server.bill("assemblyai") == 6
    assert len(machine.server.sandbox.notion.pages()) == 6
    spent = machine.rows("SELECT COUNT(*), COUNT(DISTINCT job_id) FROM charges WHERE state = 'settled'")
    assert spent == [(18, 6)]  # a transcript, a summary and a title each


def test_a_run_that_is_paused_from_elsewhere_begins_nothing(machine: Machine) -> None:
    """And goes on when it is resumed, and is run again."""
    machine.server.add("Linden")
    machine.run("pause")
    assert machine.run("run", "--until-idle").code == 0
    assert [job["status"] for job in machine.jobs()] == ["discovered"]

    machine.run("resume")
    assert machine.run("run", "--until-idle").code == 0
    assert [job["status"] for job in machine.jobs()] == ["completed"]


def test_a_run_waits_for_a_database_that_is_locked(machine: Machine) -> None:
    """Another program writes for a long time: it is said, and the work begins when that has ended."""
    machine.server.add("Linden")
    assert machine.run("discover").code == 0
    other = sqlite3.connect(machine.data / "focusflow.db", isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    running = machine.start("run", "--until-idle")
    running.until_said("keeps")
    other.execute("ROLLBACK")
    other.close()

    ended = running.ended()

    assert ended.code == 0, ended.err
    assert [job["status"] for job in machine.jobs()] == ["completed"]


def test_a_run_warns_of_keys_that_others_may_read(machine: Machine) -> None:
    """On stderr and in the log, by the file's name; the key itself is nowhere."""
    file = machine.data / "own.yaml"
    file.write_text("drive:\n  oauth_client_secret: very-secret\n", encoding="utf-8")
    file.chmod(0o644)

    ran = machine.run("--config", str(file), "run", "--until-idle")

    assert ran.code == 0
    assert f"chmod 600 {file}" in ran.err
    assert "very-secret" not in ran.err + (machine.data / "focusflow.log").read_text(encoding="utf-8")


def test_what_is_missing_for_work_is_said_at_once(machine: Machine) -> None:
    """All of it, exit code 3."""
    told = machine.run("run", ASSEMBLYAI_API_KEY="", GOOGLE_DRIVE_FOLDER_ID="")

    assert (told.code, told.out) == (3, "")
    assert told.err.count("is not set") == 2
    assert "Traceback" not in told.err


def test_the_log_keeps_no_secret_and_is_for_its_owner_only(machine: Machine) -> None:
    """After a whole run: no key, no token, mode 0600."""
    machine.server.add("Linden")
    machine.run("run", "--until-idle")

    log = machine.data / "focusflow.log"
    text = log.read_text(encoding="utf-8")
    assert log.stat().st_mode & 0o777 == 0o600
    for name in ("ASSEMBLYAI_API_KEY", "OPENAI_API_KEY", "NOTION_API_KEY"):
        assert machine.environ[name] not in text
    assert "PRIVATE KEY" not in text
    assert '"event": "[' in text


def test_every_call_has_its_whole_story_in_the_log(machine: Machine) -> None:
    """Each line once, after the call's id; on stderr as in the file, where the id is a field too."""
    done_id, *_ = machine.server.add("Linden", "Voice 004", "Leila", "07700900812", "10-04-17", "10-04-18")

    ran = machine.run("run", "--until-idle", FOCUSFLOW_LOGGING__JSON_LINES="false")

    job, log = _of(machine, done_id)["id"], _lines(machine)
    assert _kinds(line["event"] for line in log if line.get("job") == job) == [f"[{job}] {kind}" for kind in STORY]
    assert _kinds(re.findall(rf"\[{job}\] .*", ran.err)) == [f"[{job}] {kind}" for kind in STORY]
    steps = {line["step"] for line in log if line.get("job") == job and "step" in line}
    assert steps == {"download", "transcribe", "summarize", "sync"}
    skipped = [job for job in machine.jobs() if job["status"] == "skipped"]
    assert len(skipped) == 4
    for job in skipped:
        told = " ".join(str(line["event"]) for line in log if line.get("job") == job["id"])
        assert job["skip_reason"] in told.replace("the same recording is here already", job["skip_reason"])


def test_columns_that_the_notion_database_has_not_are_said(machine: Machine) -> None:
    """On stderr, once, with what to do; the call is done and its page is made all the same."""
    machine.server.add("Linden")
    wrong = {"DIRECTION": "Richtung", "DURATION": "Dauer"}

    ran = machine.run("run", "--until-idle", **{f"FOCUSFLOW_NOTION__PROPERTIES__{k}": v for k, v in wrong.items()})

    assert ran.code == 0, ran.err
    (said,) = [line for line in map(json.loads, ran.err.splitlines()) if "is not in the database" in line["event"]]
    assert said["level"] == "warning"
    assert said["event"].startswith("notion is limited: The property 'Richtung' is not in the database")
    assert "or set notion.properties.duration." in said["event"]
    assert [job["status"] for job in machine.jobs()] == ["completed"]


def _lines(machine: Machine) -> list[dict[str, Any]]:
    """The log, line by line."""
    return [json.loads(line) for line in (machine.data / "focusflow.log").read_text(encoding="utf-8").splitlines()]


def _kinds(lines: Iterable[str]) -> list[str]:
    """Cut each line after what all of its kind have in common."""
    return [next((line[: line.index(kind)] + kind for kind in STORY if kind in line), line) for line in lines]


def test_where_programs_read_stderr_every_line_is_json(make_machine: MakeMachine) -> None:
    """What is otherwise narrated in plain words too: where it looks, and that it stops."""
    machine = make_machine(faults=[Fault(service="assemblyai", kind="stall", path="/v2/transcript/", times=None)])
    machine.server.add("Linden")
    running = machine.start("run")
    running.until_said("Ordered transcript")
    running.signal(signal.SIGTERM)

    told = [json.loads(line)["event"] for line in running.ended().err.splitlines()]

    assert told[0].startswith("Looking for calls in the Google Drive folder ")
    assert any(line.startswith("Stopping: work in flight") for line in told)


def test_a_log_that_cannot_be_written_is_a_sentence(machine: Machine) -> None:
    """Exit code 3: the key to mend is named."""
    told = machine.run("--set", "logging.file=/dev/null/focusflow.log", "run", "--until-idle")

    assert told.code == 3
    assert told.err.startswith("focusflow: The log /dev/null/focusflow.log cannot be written")


@pytest.mark.parametrize("colour", ["", "1"])
def test_no_colour_gets_into_a_pipe(machine: Machine, colour: str) -> None:
    """Whether or not NO_COLOR is set."""
    told = machine.run("run", "--until-idle", NO_COLOR=colour, FORCE_COLOR="1")

    assert "\x1b" not in told.out + told.err


def _of(machine: Machine, file_id: str) -> dict[str, Any]:
    return next(job for job in machine.jobs() if job["gdrive_file_id"] == file_id)
