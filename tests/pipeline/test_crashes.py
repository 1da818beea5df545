"""Is each call paid for once and found on one page, wherever the work on it was broken off?"""

from __future__ import annotations

import json
from itertools import count
from typing import TYPE_CHECKING

import pytest

from focusflow.domain.jobs import JobId, Status
from focusflow.pipeline.process import run_job
from focusflow.sandbox.faults import Fault
from focusflow.sandbox.scripts import SCRIPTS

if TYPE_CHECKING:
    from tests.conftest import Interrupt, Way
    from tests.pipeline.conftest import OpenWorks, Works

SCRIPT = "clinic-appointment"


async def settled_once(w: Works, job_id: JobId, broken_at: str) -> None:
    """Check all that a break must not harm."""
    w.faults.clear()
    job = await w.finish(job_id)
    detail = await w.detail(job_id)
    assert job.status is Status.COMPLETED, broken_at
    assert detail.documents.transcript is not None
    assert len(detail.documents.transcript.utterances) == len(SCRIPTS[SCRIPT].utterances), broken_at
    assert orders_of(w, job_id) == 1, f"{broken_at}: ordered {orders_of(w, job_id)} times"
    assert pages_of(w, job_id) == 1, f"{broken_at}: {pages_of(w, job_id)} pages"
    assert (await w.delivery(job_id)).error is None, broken_at
    assert [charge.state for charge in detail.charges if charge.step == "transcribe"].count("settled") == 1, broken_at
    assert not any(charge.state == "reserved" for charge in detail.charges), broken_at
    assert w.audio_left() == [], broken_at


def orders_of(w: Works, job_id: JobId) -> int:
    """How many transcripts of this recording were ordered; each has audio of its own."""
    w.sandbox.assemblyai.settle()
    wanted = w.md5s[job_id]
    uploads = {upload.url for upload in w.sandbox.assemblyai.uploads.values() if upload.md5 == wanted}
    return sum(job.request["audio_url"] in uploads for job in w.sandbox.assemblyai.jobs.values())


def pages_of(w: Works, job_id: JobId) -> int:
    return sum(f"focusflow:{job_id}" in json.dumps(page["properties"]) for page in w.pages())


@pytest.mark.parametrize("part", range(4))
async def test_a_crash_at_any_announced_commit_costs_nothing_twice(works: OpenWorks, part: int) -> None:
    """The process dies right after the n-th thing that it said, for every n; the watchdog brings the job back."""
    async with works() as w:
        job_id = await w.add(SCRIPT)
        claim = await w.claim(job_id)
        w.bus.announced = 0
        await run_job(w.chain, claim)
        things_said = w.bus.announced
        assert things_said > 20
        for n in range(1 + part, things_said, 4):
            job_id = await w.add(SCRIPT)
            await w.crash_at(job_id, n)
            await w.rescue()
            await settled_once(w, job_id, f"crash at announcement {n}")


@pytest.mark.parametrize("part", range(2))
async def test_a_stop_at_any_request_costs_nothing_twice(works: OpenWorks, part: int) -> None:
    """The worker is stopped when the n-th request is under way, for every n; the job rests and goes on later."""
    async with works() as w:
        await w.run(await w.add(SCRIPT))
        for n in range(1 + part, len(w.log), 2):
            job_id = await w.add(SCRIPT)
            stopped = await w.stop_at(job_id, n)
            if stopped.status is not Status.COMPLETED:  # the last requests of the first call set up what others reuse
                assert (stopped.status, stopped.claim_token, stopped.retry_count) == (Status.DISCOVERED, None, 0)
                await settled_once(w, job_id, f"stopped at request {n}")


@pytest.mark.timeout(1_800)
@pytest.mark.parametrize("way", ["natively", "by scope"])
async def test_a_cancellation_at_any_wait_costs_nothing_twice(
    works: OpenWorks, interrupt: Interrupt, way: Way, pytestconfig: pytest.Config
) -> None:
    """The work is cancelled at its n-th wait, for every n with `--proof`: the job rests and goes on later."""
    stride = 1 if pytestconfig.getoption("--proof") else 13
    async with works() as w:
        for n in count(1, stride):
            job_id = await w.add(SCRIPT)
            reached = await interrupt(run_job(w.chain, await w.claim(job_id)), n, way)
            job = await w.job(job_id)
            if job.status is not Status.COMPLETED:
                where = f"cancelled {way} at wait {n}"
                assert (job.status, job.claim_token, job.retry_count) == (Status.DISCOVERED, None, 0), where
                await settled_once(w, job_id, where)
            if not reached:
                break
        assert n > 50


@pytest.mark.parametrize("part", range(2))
@pytest.mark.parametrize("kind", ["reset_before", "reset_after"])
async def test_a_connection_lost_at_any_request_costs_nothing_twice(works: OpenWorks, kind: str, part: int) -> None:
    """The n-th request is lost before or after it took effect, for every n."""
    async with works() as w:
        await w.run(await w.add(SCRIPT))
        for n in range(part, len(w.log), 2):
            job_id = await w.add(SCRIPT)
            w.faults.add(Fault(service="*", kind=kind, skip=n))
            await w.run(job_id)
            await settled_once(w, job_id, f"{kind} at request {n + 1}")


async def test_an_order_whose_answer_is_lost_is_found_and_adopted(works: OpenWorks) -> None:
    """The transcriber made the job and its answer got lost: the same run finds it, and pays once."""
    async with works() as w:
        w.fault("assemblyai", "lost_after_create")
        job_id = await w.add(SCRIPT)
        assert (await w.run(job_id)).status is Status.COMPLETED
        assert (w.ordered(), w.log.count("assemblyai", "POST", "transcript$")) == (1, 1)


async def test_an_order_that_cannot_be_looked_for_now_is_looked_for_by_the_next_run(works: OpenWorks) -> None:
    """The answer is lost and the list is not to be had: the job fails for now, and adopts the order later."""
    async with works() as w:
        w.fault("assemblyai", "lost_after_create")
        w.fault("assemblyai", "status", method="GET", path="transcript$", status=500, times=2)
        job_id = await w.add(SCRIPT)
        failed = await w.run(job_id)
        assert (failed.status, failed.transcript_id) == (Status.FAILED, None)
        assert (await w.detail(job_id)).charges[0].state == "reserved"
        assert (await w.run_in_due_time(job_id)).status is Status.COMPLETED
        assert "it is not ordered again" in await w.told(job_id)
        assert (w.ordered(), w.log.count("assemblyai", "POST", "transcript$")) == (1, 1)


async def test_an_order_that_gets_no_answer_in_time_is_found_and_adopted(works: OpenWorks) -> None:
    """The deadline passes while the answer is on its way: the next run looks before it orders."""
    async with works() as w:
        w.fault("assemblyai", "stall", method="POST", path="transcript$", bytes=0)
        w.limit(transcribe=0.6)
        job_id = await w.add(SCRIPT)
        failed = await w.run(job_id)
        assert failed.error_message == (
            "The order for the transcript got no answer; it is looked for before another is made."
        )
        w.limit(transcribe=20)
        assert (await w.run_in_due_time(job_id)).status is Status.COMPLETED
        assert (w.ordered(), w.log.count("assemblyai", "POST", "transcript$")) == (1, 1)


async def test_an_order_that_never_arrived_is_made_from_the_same_upload(works: OpenWorks) -> None:
    """Nothing is found for the lost order, so it is ordered, without another download or upload."""
    async with works() as w:
        w.fault("assemblyai", "reset_before", method="POST", path="transcript$")
        job_id = await w.add(SCRIPT)
        failed = await w.run(job_id)
        assert (failed.status, failed.retry_count) == (Status.FAILED, 1)
        assert (await w.run_in_due_time(job_id)).status is Status.COMPLETED
        assert w.ordered() == 1
        assert (w.log.count("assemblyai", path="upload"), w.log.count("drive", path="files/")) == (1, 1)


async def test_what_is_there_is_reused_and_paid_for_once(works: OpenWorks) -> None:
    """A stop at the sink leaves transcript and summary: the next run takes both as they are."""
    async with works() as w:
        job_id = await w.add(SCRIPT)
        await w.stop_at(job_id, service="notion", path="databases")
        cost, asked = (await w.job(job_id)).cost_micros, len(w.answers())
        assert (await w.run(job_id)).status is Status.COMPLETED
        assert (await w.outcomes(job_id))[-3:] == ["transcribe reused", "summarize reused", "sync done"]
        assert ((await w.job(job_id)).cost_micros, len(w.answers()), w.ordered()) == (cost, asked, 1)
        assert cost == w.bill_micros()


async def test_a_fresh_upload_is_used_again(works: OpenWorks) -> None:
    """Stopped after the upload and before the order: hours later the same upload is ordered."""
    async with works() as w:
        w.fault("assemblyai", "status", method="POST", path="transcript$", status=429, retry_after=60)
        job_id = await w.add(SCRIPT)
        await w.run(job_id)
        w.clock.at = (await w.job(job_id)).uploaded_at or w.clock.at
        w.clock.at += w.hours(19)
        assert (await w.run(job_id)).status is Status.COMPLETED
        assert w.log.count("assemblyai", path="upload") == 1


async def test_a_stale_upload_is_made_anew(works: OpenWorks) -> None:
    """Older than 20 hours it may be deleted before it is read: download and upload are free, a failed order is a day lost."""
    async with works() as w:
        w.fault("assemblyai", "status", method="POST", path="transcript$", status=429, retry_after=60)
        job_id = await w.add(SCRIPT)
        await w.run(job_id)
        w.clock.at += w.hours(21)
        assert (await w.run(job_id)).status is Status.COMPLETED
        assert (w.log.count("assemblyai", path="upload"), w.ordered()) == (2, 1)


async def test_a_page_that_is_there_is_filled_and_not_made_again(works: OpenWorks) -> None:
    """A call that is done once more from its summary on goes to the page that it has."""
    async with works() as w:
        job_id = await w.add(SCRIPT)
        await w.run(job_id)
        before = await w.delivery(job_id)
        w.clock.at += w.hours(1)
        await w.rerun_from_summary(job_id)
        after = await w.delivery(job_id)
        assert (after.ref, after.attempts, after.error) == (before.ref, before.attempts + 1, None)
        assert (len(w.pages()), w.log.count("notion", "POST", "pages$"), w.ordered()) == (1, 1, 1)
