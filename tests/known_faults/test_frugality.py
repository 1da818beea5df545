"""Does the product cost next to nothing when nothing happens, and no more memory for a long call than for a short one?"""

from __future__ import annotations

import logging
import sqlite3
import tracemalloc
from contextlib import closing
from typing import TYPE_CHECKING

import pytest

from focusflow.domain.jobs import SkippedBy, Status
from focusflow.ports import JobFilter
from focusflow.sandbox.scripts import SCRIPTS

if TYPE_CHECKING:
    from pathlib import Path

    from tests.known_faults.conftest import OpenWorld

MEGABYTE = 1_000_000


def rows_of(database: Path) -> dict[str, list[object]]:
    """Return every row that is about calls, by table."""
    tables = ("jobs", "job_events", "attempts", "charges", "sidecars")
    with closing(sqlite3.connect(database)) as connection:
        return {table: connection.execute(f"SELECT * FROM {table} ORDER BY rowid").fetchall() for table in tables}


async def test_an_idle_look_at_known_calls_is_one_request_and_leaves_no_trace(
    world: OpenWorld, caplog: pytest.LogCaptureFixture
) -> None:
    """Three hundred files are known: looking again asks once, reads no file, writes no row and no line."""
    caplog.set_level(logging.INFO, "focusflow")
    async with world() as w, w.opened() as product:
        for n in range(150):
            w.call(f"Known {n}")
        await product.look()
        before = rows_of(w.data / "focusflow.db")
        w.log.clear()
        caplog.clear()
        assert await product.look() == "0 new, 0 measured"
        assert [(entry.method, entry.path) for entry in w.log] == [("GET", "/drive/v3/changes")]
        assert [record for record in caplog.records if record.name.startswith("focusflow")] == []
        assert rows_of(w.data / "focusflow.db") == before


async def test_a_long_recording_is_never_in_memory_as_a_whole(world: OpenWorld) -> None:
    """From Drive to the transcriber in pieces: 60 MB pass through, and a tenth of it is held at most; nothing is left."""
    async with world() as w, w.opened() as product:
        w.call(script="spanish-order")
        await product.look_and_process()  # imports and connections are not what is weighed
        files = w.sandbox.drive.files
        file_id = files.add_file("2026-11-23 07-00-00 (phone) Long Talker ↙.amr", size=60 * MEGABYTE)
        recording = files.find(file_id)
        assert recording is not None
        assert recording.md5 is not None
        w.sandbox.assemblyai.register_audio(recording.md5, "spanish-order")
        await product.look()
        tracemalloc.start()
        try:
            await product.process()
            _, peak = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()
        assert (await product.jobs())[file_id].status is Status.COMPLETED
        assert peak < 6 * MEGABYTE
        assert list((w.data / "tmp").iterdir()) == []


@pytest.mark.parametrize(("wanted", "paid"), [({}, 1), ({"discovery__duplicates": "process"}, 2)])
async def test_a_copy_is_paid_for_only_by_those_who_want_copies(
    world: OpenWorld, wanted: dict[str, str], paid: int
) -> None:
    """The same recording under two names: by default one call, and two where the setting says so."""
    async with world() as w, w.opened(**wanted) as product:
        content = w.audio()
        copies = [w.call(content=content) for _ in range(2)]
        jobs = await product.look_and_process()
        assert w.transcripts_paid() == paid
        twins = [jobs[file_id] for file_id in copies if jobs[file_id].status is not Status.COMPLETED]
        assert [job.skipped_by for job in twins] == [SkippedBy.DUPLICATE] * (2 - paid)


async def test_a_list_of_calls_carries_no_word_of_what_was_said(world: OpenWorld) -> None:
    """The screen asks for it again and again: transcripts and summaries are read one call at a time."""
    async with world() as w, w.opened() as product:
        file_id = w.call(script="clinic-appointment")
        job = (await product.look_and_process())[file_id]
        said = SCRIPTS["clinic-appointment"].utterances[0].text
        detail = await product.detail(job.id)
        assert said in repr(detail.documents)
        assert said not in repr(await product.works.store.page(JobFilter(), limit=10))


async def test_by_default_the_call_that_waited_longest_is_next(world: OpenWorld) -> None:
    """No old call starves: with room for one at a time, they are begun in the order in which people called."""
    async with world() as w, w.opened(auto__concurrency=1) as product:
        calls = [w.call(script="spanish-order") for _ in range(3)]
        jobs = await product.look_and_process()
        details = [await product.detail(jobs[file_id].id) for file_id in calls]
        begun = [detail.attempts[0].id for detail in details]
        assert begun == sorted(begun)
        assert len(set(begun)) == 3
