"""Does a recording get here, or one sentence that says why not?"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from focusflow.domain.jobs import Status, Step
from focusflow.sandbox.faults import Fault

if TYPE_CHECKING:
    from tests.pipeline.conftest import OpenWorks


@pytest.mark.parametrize("trouble", ["deleted", "revoked", "emptied"])
async def test_a_recording_that_cannot_be_had_is_said_in_one_sentence_and_can_be_retried(
    works: OpenWorks, trouble: str
) -> None:
    """Nothing is paid, nothing stays reserved; once the file is back a person's retry does it."""
    async with works() as w:
        job_id = await w.add()
        job = await w.job(job_id)
        files = w.sandbox.drive.files
        if trouble == "deleted":
            files.delete(job.file_id)
        elif trouble == "revoked":
            files.revoke_sharing()
        else:
            files.replace_content(job.file_id, b"")
        failed = await w.run(job_id)
        assert (failed.status, failed.error_step) == (Status.FAILED, Step.DOWNLOAD)
        assert failed.error_message is not None
        assert "\n" not in failed.error_message
        assert failed.error_message.startswith("The recording is")
        assert {charge.state for charge in (await w.detail(job_id)).charges} == {"released"}
        assert (w.log.count("assemblyai"), w.audio_left()) == (0, [])
        if trouble == "deleted":
            return
        files.restore_sharing() if trouble == "revoked" else files.replace_content(job.file_id, b"\0\1" * 200_000)
        await w.store.retry([job_id], now=w.clock.now())
        assert (await w.run(job_id)).status is Status.COMPLETED


async def test_a_recording_replaced_while_it_is_downloaded_is_fetched_as_it_is_now(works: OpenWorks) -> None:
    """What is transcribed is one version, whole."""
    async with works() as w:
        old, new = bytes(range(256)) * 2_000, bytes(reversed(range(256))) * 2_100
        job_id = await w.add(content=old)
        job = await w.job(job_id)
        w.faults.add(Fault(service="drive", kind="truncate", method="GET", path="files/.", bytes=100_000))
        done = await w.at(
            lambda: w.sandbox.drive.files.replace_content(job.file_id, new), job_id, 2, service="drive", path="files/."
        )
        assert done.status is Status.COMPLETED
        (upload,) = w.sandbox.assemblyai.uploads.values()
        assert upload.size == len(new)


async def test_a_download_that_takes_too_long_is_tried_again(works: OpenWorks) -> None:
    """The step has a deadline."""
    async with works() as w:
        await w.run(await w.add())  # whose first download imports Google's libraries, which takes its time
        w.fault("drive", "stall", path="files/", bytes=0)
        w.limit(download=0.6)
        job_id = await w.add()
        job = await w.run(job_id)
        assert (job.status, job.error_step, job.retry_count) == (Status.FAILED, Step.DOWNLOAD, 1)
        assert "The step download took longer than" in str(job.error_message)
        assert w.audio_left() == []
        w.limit(download=20)
        assert (await w.run_in_due_time(job_id)).status is Status.COMPLETED
