"""Does each verb do what it says, and does another process see it?"""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

import anyio
import pytest

from focusflow.domain.jobs import JobId, Step
from focusflow.events import Bus
from focusflow.ports import ClaimLimits
from focusflow.store import open_store
from focusflow.wiring import SystemClock

if TYPE_CHECKING:
    from pathlib import Path

    from focusflow.domain.jobs import Claim
    from focusflow.store import Store
    from tests.cli.conftest import Call


def fail(database: Path, job_id: str) -> None:
    """Let a call have failed for good."""

    async def work() -> None:
        now = SystemClock().now()
        async with open_store(database, bus=Bus()) as store:
            claim = await _claimed(store, job_id)
            await store.fail(claim, Step.TRANSCRIBE, "Its sound is broken.", retry_at=None, counts=False, now=now)

    anyio.run(work)


def begin(database: Path, job_id: str) -> None:
    """Let a worker be at a call."""

    async def work() -> None:
        async with open_store(database, bus=Bus()) as store:
            await _claimed(store, job_id)

    anyio.run(work)


async def _claimed(store: Store, job_id: str) -> Claim:
    now = SystemClock().now()
    await store.unskip([JobId(job_id)], now=now)
    limits = ClaimLimits(
        batch=1,
        newest_first=False,
        day_start=now,
        day_max_jobs=None,
        minute_max_jobs=None,
        ids=(JobId(job_id),),
    )
    (claim,) = await store.claim(limits, token="t", claimed_by="there", now=now, lease_until=now + timedelta(hours=1))
    return claim


def status(call: Call, job_id: str) -> str:
    return str(call("jobs", "show", job_id, "--json").json["status"])


def test_a_failed_call_is_retried_by_its_id_or_with_all_others(call: Call, ids: dict[str, str], tmp_path: Path) -> None:
    """And only once: then it is not failed any more."""
    database = tmp_path / "data" / "focusflow.db"
    for job_id, arguments in ((ids["Leila"], [ids["Leila"][:7]]), (ids["07700900812"], ["--all"])):
        fail(database, job_id)
        shown = call("jobs", "show", job_id, "--json").json
        assert (shown["status"], shown["error_message"]) == ("failed", "Its sound is broken.")
        assert call("stats", "--json").json["failures_by_step"] == {"transcribe": 1}

        told = call("retry", *arguments)

        assert (told.code, told.out) == (0, "")
        assert [line.partition(" $")[0] for line in told.err.splitlines()] == [
            "This costs about",
            "1 call will be tried again.",
        ]
        assert status(call, job_id) == "discovered"
    assert call("retry", "--all").code == 6


def test_retry_wants_to_know_which(call: Call, ids: dict[str, str]) -> None:
    """Neither nothing nor both."""
    for arguments in ([], [ids["Leila"], "--all"]):
        told = call("retry", *arguments)
        assert (told.code, told.err) == (2, "Name the calls to retry, or say --all.\n")


def test_a_call_is_left_out_and_taken_back(call: Call, ids: dict[str, str], tmp_path: Path) -> None:
    """With a reason that is shown."""
    fail(tmp_path / "data" / "focusflow.db", ids["Leila"])

    told = call("skip", ids["Leila"], "--reason", "private")
    assert (told.code, told.err) == (0, "1 call skipped.\n")
    shown = call("jobs", "show", ids["Leila"], "--json").json
    assert (shown["status"], shown["skip_reason"]) == ("skipped", "private")

    assert call("unskip", ids["Leila"]).err == "1 call taken back in.\n"
    assert status(call, ids["Leila"]) == "discovered"


def test_what_could_not_be_done_is_said(call: Call, ids: dict[str, str]) -> None:
    """Some of it: exit code 0 and a note. Nothing of it: exit code 6."""
    some = call("unskip", ids["Leila"], ids["Linden"])
    assert some.code == 0
    assert "1 left as they were: only skipped calls can be taken back in." in some.err

    none = call("skip", ids["Linden"])
    assert (none.code, none.err) == (6, "Only calls that wait or have failed can be skipped.\n")
    assert call("cancel", ids["Linden"]).code == 6
    assert call("unskip", "zzzz").code == 6


def test_a_running_call_is_cancelled_from_another_terminal(call: Call, ids: dict[str, str], tmp_path: Path) -> None:
    """It fails with a sentence that says so, and can be retried."""
    begin(tmp_path / "data" / "focusflow.db", ids["Leila"])

    assert call("cancel", ids["Leila"]).err == "1 call stopped.\n"

    shown = call("jobs", "show", ids["Leila"], "--json").json
    assert (shown["status"], shown["error_message"][:15]) == ("failed", "Stopped by you:")


def test_pause_and_resume_are_kept_in_the_database(call: Call) -> None:
    """Every FocusFlow on it reads them."""
    assert call("pause").err.startswith("Paused: no more calls are started.")
    assert call("stats", "--json").json["paused"] is True
    assert "Paused." in call("stats").out

    assert call("resume").err == "Resumed.\n"
    assert call("stats", "--json").json["paused"] is False


def test_a_call_can_be_asked_for_without_doing_it_here(call: Call, ids: dict[str, str]) -> None:
    """`--queue` leaves it to a running FocusFlow."""
    told = call("process", "--queue", ids["Leila"])

    assert (told.code, told.out, told.err.splitlines()[-1]) == (0, "", "1 asked for.")
    assert status(call, ids["Leila"]) == "discovered"


@pytest.mark.parametrize("step", ["download", "nonsense"])
def test_a_step_that_cannot_be_started_from_is_named(call: Call, ids: dict[str, str], step: str) -> None:
    """With those that can."""
    told = call("process", ids["Linden"], "--from", step)

    assert told.code == 2
    assert told.err == f"There is no step {step} to start from; there are transcribe, summarize, sync.\n"


def test_a_call_that_is_being_processed_cannot_be_asked_for(call: Call, ids: dict[str, str], tmp_path: Path) -> None:
    """It is on its way already."""
    begin(tmp_path / "data" / "focusflow.db", ids["Leila"])

    assert call("process", ids["Leila"]).code == 6
