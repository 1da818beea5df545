"""Does bad input get a clear answer, with nothing lost, nothing paid for nothing, and a call that can be tried again?"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from focusflow.domain.jobs import DurationSource, SkippedBy, Status, Step
from focusflow.errors import SourceError
from focusflow.sandbox import audio

if TYPE_CHECKING:
    from tests.known_faults.conftest import OpenWorld


# ------------------------------------------------------------------------------------------------- what is no recording


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (b"", "is empty"),
        (b"I am only a text that somebody renamed. " * 40, "does not appear to contain audio"),
        (b"<!doctype html><html><body>Sign in</body></html>" * 20, "does not appear to contain audio"),
        (b"\0\1\2\3" * 100, "too short"),
    ],
    ids=["zero bytes", "text named .m4a", "a web page named .m4a", "too short"],
)
async def test_what_is_no_recording_fails_with_a_sentence_and_can_be_mended(
    world: OpenWorld, content: bytes, sentence: str
) -> None:
    """Nothing is charged, the call stays, and once its owner puts the real recording there, one key finishes it."""
    async with world() as w, w.opened() as product:
        file_id = w.call(content=content)
        job = (await product.look_and_process())[file_id]
        assert (job.status, job.next_attempt_at) == (Status.FAILED, None)
        assert sentence in (job.error_message or "")
        assert product.readable(job.error_message)
        assert (w.transcripts_paid(), w.answers_paid(), job.cost_micros) == (0, 0, 0)
        assert all(charge.state == "released" for charge in (await product.detail(job.id)).charges)

        assert (await product.retry(job)).status is Status.FAILED

        w.sandbox.drive.files.replace_content(file_id, w.audio())
        await product.look()
        assert (await product.retry(job)).status is Status.COMPLETED
        assert (w.transcripts_paid(), w.pages()) == (1, 1)


async def test_a_call_that_takes_the_place_of_a_pocket_dial_is_transcribed(world: OpenWorld) -> None:
    """Skipped by what its own header says, and done once another recording lies there under the same name."""
    async with world() as w, w.opened() as product:
        file_id = w.call(content=audio.m4a(3, "a", bytes_per_second=4_000), sidecar=None)
        job = (await product.look_and_process())[file_id]
        assert (job.status, job.skip_reason) == (Status.SKIPPED, "shorter than 20 s (2.9 s)")

        w.sandbox.drive.files.replace_content(file_id, w.audio())
        job = (await product.look_and_process())[file_id]

        assert (job.status, job.skip_reason) == (Status.COMPLETED, None)
        assert w.transcripts_paid() == 1


ABSURD_SIDECARS = [
    b"",
    b"\xff\xfe\0garbage",
    b"{",
    b"[]",
    b"null",
    b"[" * 60_000,
    b"{}",
    b" " * 200_000,
    b'{"duration": "-147000"}',
    b'{"duration": -147000}',
    b'{"duration": "0"}',
    b'{"duration": "999999999999999"}',
    b'{"duration": 1' + b"0" * 400 + b"}",
    b'{"duration": 1e999}',
    b'{"duration": NaN}',
    b'{"duration": true}',
    b'{"duration": {"value": 147000}}',
    b'{"duration": "two minutes"}',
    b'{"duration": "-1", "direction": ["Incoming"], "callee": {"a": 1}}',
]


async def test_an_absurd_sidecar_is_not_the_calls_fault(world: OpenWorld) -> None:
    """Garbage, negative, endless: the size tells the length of each for now; the day's calls are done, and paid for once."""
    async with world() as w, w.opened(auto__concurrency=3, auto__daily_max_jobs=3) as product:
        for content in ABSURD_SIDECARS:
            w.call(content=w.audio("spanish-order", size=240_000), sidecar=content)
        await product.look()
        jobs = await product.jobs()
        assert len(jobs) == len(ABSURD_SIDECARS)
        for job in jobs.values():
            assert (job.duration_seconds, job.duration_source) == (60.0, DurationSource.SIZE)
            assert job.hold_reason is None
            assert "by its size" in await product.told(job.id)
        await product.process()
        assert sorted(await product.statuses())[:4] == [Status.COMPLETED] * 3 + [Status.DISCOVERED]
        assert (w.transcripts_paid(), w.pages()) == (3, 3)


# ------------------------------------------------------------------------------------------- what changes under our hands


async def test_a_file_replaced_while_it_is_downloaded_is_fetched_as_it_is_now(world: OpenWorld) -> None:
    """What is transcribed is one whole version, the newest, and it is paid for once; the later news of it costs nothing."""
    async with world() as w, w.opened() as product:
        file_id = w.call(content=w.audio("sales-quote", size=400_000))
        newer = w.audio("school-trip", size=500_000)
        await product.look()
        place = f"files/{file_id}"
        w.fault("drive", "truncate", path=place, bytes=200_000)  # half of the old one is here when the new one comes

        def replace_at_the_next_request() -> None:
            w.when("drive", place, lambda: w.sandbox.drive.files.replace_content(file_id, newer))

        w.when("drive", place, replace_at_the_next_request)
        await product.process()
        await product.in_due_time()
        job = (await product.look_and_process())[file_id]
        assert job.status is Status.COMPLETED
        (upload,) = {upload.md5 for upload in w.sandbox.assemblyai.uploads.values()}
        assert upload == w.sandbox.drive.files.named(job.file_name).md5
        assert (w.transcripts_paid(), w.pages()) == (1, 1)
        assert "the transcript stays" in await product.told(job.id)


async def test_a_file_that_goes_while_it_is_fetched_fails_with_a_sentence_and_comes_back(world: OpenWorld) -> None:
    """Deleted between the claim and the download: nothing is paid for. Back from the bin, one key finishes it."""
    async with world() as w, w.opened() as product:
        file_id = w.call()
        await product.look()
        w.when("drive", f"files/{file_id}", lambda: w.sandbox.drive.files.trash(file_id))
        w.when("drive", f"files/{file_id}", lambda: w.sandbox.drive.files.revoke_sharing(file_id))
        await product.process()
        job = (await product.jobs())[file_id]
        assert (job.status, job.next_attempt_at) == (Status.FAILED, None)
        assert product.readable(job.error_message)
        assert "Drive" in (job.error_message or "")
        assert (w.transcripts_ordered(), job.cost_micros) == (0, 0)
        await product.look()
        assert (await product.job(job.id)).status is Status.FAILED
        w.sandbox.drive.files.restore_sharing(file_id)
        w.sandbox.drive.files.untrash(file_id)
        await product.look()
        assert (await product.retry(job)).status is Status.COMPLETED
        assert w.transcripts_paid() == 1


async def test_a_file_that_goes_before_it_is_processed_is_skipped_and_comes_back_by_itself(world: OpenWorld) -> None:
    """A bin is not for ever, and nobody has to press a key."""
    async with world() as w, w.opened() as product:
        file_id = w.call()
        await product.look()
        w.sandbox.drive.files.trash(file_id)
        job = (await product.look_and_process())[file_id]
        assert (job.status, job.skipped_by, job.skip_reason) == (
            Status.SKIPPED,
            SkippedBy.GONE,
            "no longer in drive",
        )
        w.sandbox.drive.files.untrash(file_id)
        assert (await product.look_and_process())[file_id].status is Status.COMPLETED
        assert (w.transcripts_paid(), w.pages()) == (1, 1)


async def test_a_revoked_share_loses_nothing_and_heals(world: OpenWorld) -> None:
    """What is done stays done, what is ordered goes on, what waits is skipped as gone and comes back when shared again."""
    async with world() as w, w.opened(auto__concurrency=8, auto__max_batch=8) as product:
        done = [w.call(script="spanish-order") for _ in range(3)]
        await product.look_and_process()
        ordered = w.call(script="spanish-order")
        await product.look()
        w.fault("assemblyai", "status", method="POST", path="transcript$", status=503)
        await product.process()
        assert (await product.jobs())[ordered].submit_intent_at is not None
        waiting = [w.call(script="spanish-order") for _ in range(4)]
        await product.look()

        w.sandbox.drive.files.revoke_sharing()
        await product.look()
        with pytest.raises(SourceError) as told:
            await product.look()
        assert product.readable(str(told.value))
        assert "iam.gserviceaccount.com" in str(told.value)

        jobs = await product.jobs()
        assert {jobs[file_id].status for file_id in done} == {Status.COMPLETED}
        for file_id in done:
            documents = (await product.detail(jobs[file_id].id)).documents
            assert documents.transcript is not None
            assert documents.summary is not None
        assert w.pages() == 3
        assert {(jobs[file_id].status, jobs[file_id].skip_reason) for file_id in waiting} == {
            (Status.SKIPPED, "no longer in drive")
        }
        assert (await product.in_due_time())[ordered].status is Status.COMPLETED

        w.sandbox.drive.files.restore_sharing()
        jobs = await product.look_and_process()
        assert {job.status for job in jobs.values()} == {Status.COMPLETED}
        assert (len(jobs), w.transcripts_paid(), w.pages()) == (8, 8, 8)


# -------------------------------------------------------------------------------------------------- keys and accounts


@pytest.mark.parametrize(("service", "setting"), [("assemblyai", "ASSEMBLYAI_API_KEY"), ("openai", "OPENAI_API_KEY")])
async def test_a_wrong_key_holds_the_call_and_names_the_setting(world: OpenWorld, service: str, setting: str) -> None:
    """It is not a failed call, nothing is paid for twice, and with the right key it goes on by itself."""
    async with world() as w, w.opened() as product:
        file_id = w.call()
        w.take_keys(service, wrong=True)
        job = (await product.look_and_process())[file_id]
        assert (job.status, job.hold_kind, job.retry_count) == (Status.DISCOVERED, "credentials", 0)
        assert setting in (job.hold_reason or "")
        assert product.readable(job.hold_reason)
        w.take_keys(service, wrong=False)
        assert (await product.in_due_time())[file_id].status is Status.COMPLETED
        assert (w.transcripts_paid(), w.answers_paid(), w.pages()) == (1, 2, 1)


async def test_a_wrong_key_to_drive_is_said_and_holds_what_is_known(world: OpenWorld) -> None:
    """Neither looking nor fetching is possible: both name the setting; with the right key both go on."""
    async with world() as w, w.opened() as product:
        file_id = w.call()
        await product.look()
        w.take_keys("drive", wrong=True)
        with pytest.raises(SourceError, match="GOOGLE_SERVICE_ACCOUNT_KEY") as told:
            await product.look()
        assert product.readable(str(told.value))
        await product.process()
        job = (await product.jobs())[file_id]
        assert (job.status, job.hold_kind, job.retry_count) == (Status.DISCOVERED, "credentials", 0)
        assert "GOOGLE_SERVICE_ACCOUNT_KEY" in (job.hold_reason or "")
        w.take_keys("drive", wrong=False)
        await product.look()
        assert (await product.in_due_time())[file_id].status is Status.COMPLETED
        assert w.transcripts_paid() == 1


async def test_a_wrong_key_to_notion_does_not_keep_the_call_from_being_done(world: OpenWorld) -> None:
    """The call completes and is shown as not synced, with the setting's name; with the right key the page comes by itself."""
    async with world() as w, w.opened() as product:
        file_id = w.call()
        w.take_keys("notion", wrong=True)
        job = (await product.look_and_process())[file_id]
        assert (job.status, w.pages()) == (Status.COMPLETED, 0)
        delivery = await product.delivery(job.id)
        assert "NOTION_API_KEY" in (delivery.error or "")
        assert product.readable(delivery.error)
        w.take_keys("notion", wrong=False)
        await product.deliver_in_due_time()
        assert ((await product.delivery(job.id)).error, w.pages()) == (None, 1)
        assert (w.transcripts_paid(), w.answers_paid()) == (1, 2)


@pytest.mark.parametrize("service", ["assemblyai", "openai"])
async def test_an_empty_balance_holds_the_call_and_says_where_to_top_up(world: OpenWorld, service: str) -> None:
    """It waits, uncounted, and goes on by itself once there is money; nothing is lost meanwhile."""
    async with world() as w, w.opened() as product:
        file_id = w.call()
        w.sandbox.assemblyai.negative_balance = service == "assemblyai"
        if service == "openai":
            w.fault("openai", "insufficient_quota", times=None)
        job = (await product.look_and_process())[file_id]
        assert (job.status, job.hold_kind, job.retry_count) == (Status.DISCOVERED, "credit", 0)
        assert "top up at https://" in (job.hold_reason or "")
        assert product.readable(job.hold_reason)
        w.sandbox.assemblyai.negative_balance = False
        w.sandbox.faults.clear()
        assert (await product.in_due_time())[file_id].status is Status.COMPLETED
        assert (w.transcripts_paid(), w.answers_paid(), w.pages()) == (1, 2, 1)


# -------------------------------------------------------------------------------------------- what people do in Notion


async def test_a_renamed_column_costs_its_value_and_not_the_page(world: OpenWorld) -> None:
    """One after the other is renamed while we run: each page is made all the same, and the check names every column."""
    columns = ["Duration", "Direction", "Date", "Drive Link", "Status"]
    async with world() as w, w.opened() as product:
        sink = product.works.services.sinks[0]
        for column in columns:
            await sink.check()  # the columns are known, and then one is renamed
            w.sandbox.notion.rename_property(w.database_id, column, f"{column} of the call")
            file_id = w.call(script="spanish-order")
            job = (await product.look_and_process())[file_id]
            assert (job.status, (await product.delivery(job.id)).error) == (Status.COMPLETED, None)
        assert w.pages() == len(columns)
        problems = await sink.check()
        for column in columns:
            assert any(f"'{column}'" in problem and product.readable(problem) for problem in problems), column


async def test_a_renamed_key_column_never_makes_a_second_page(world: OpenWorld) -> None:
    """The page is found by its id; a new call is told what is missing, keeps its transcript, and comes by itself."""
    async with world() as w, w.opened() as product:
        first = w.call()
        job = (await product.look_and_process())[first]
        w.sandbox.notion.rename_property(w.database_id, "External ID", "Key")
        await product.works.store.process([job.id], from_step=Step.SUMMARIZE, now=w.clock.now())
        await product.process()
        assert ((await product.job(job.id)).status, w.pages()) == (Status.COMPLETED, 1)
        w.call()
        assert set(await product.look_and_process()) != {first}
        assert await product.statuses() == [Status.COMPLETED, Status.COMPLETED]
        await product.deliver_in_due_time()
        assert w.pages() == 2


async def test_a_page_that_its_user_deleted_is_not_made_again(world: OpenWorld) -> None:
    """Neither by a new summary nor by syncing again; one sentence says so, and restored it is filled."""
    async with world() as w, w.opened() as product:
        file_id = w.call()
        job = (await product.look_and_process())[file_id]
        (page,) = w.sandbox.notion.pages(w.database_id)
        w.sandbox.notion.trash_page(page["id"])

        await product.works.store.process([job.id], from_step=Step.SYNC, now=w.clock.now())
        await product.deliver_in_due_time()
        delivery = await product.delivery(job.id)
        assert ((await product.job(job.id)).status, delivery.next_attempt_at) == (Status.COMPLETED, None)
        assert "not made again" in (delivery.error or "")
        assert product.readable(delivery.error)

        await product.works.store.process([job.id], from_step=Step.SUMMARIZE, now=w.clock.now())
        await product.process()
        await product.look_and_process()
        assert (w.pages(), w.pages(trashed=True), w.log.count("notion", "POST", "pages$")) == (0, 1, 1)

        w.sandbox.notion.restore_page(page["id"])
        await product.works.store.retry([job.id], now=w.clock.now())
        await product.deliver_in_due_time()
        assert ((await product.delivery(job.id)).error, w.pages()) == (None, 1)
        assert w.transcripts_paid() == 1
