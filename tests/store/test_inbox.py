"""Do files become jobs once, whatever order they and their sidecars come in, and however they change?"""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

import pytest
from msgspec import structs

from focusflow.domain.jobs import Direction, DurationSource, SkippedBy, Status, Step
from focusflow.domain.money import Estimate
from focusflow.events import JobChanged, JobLogged, JobsAdded
from focusflow.ports import JobFilter

if TYPE_CHECKING:
    from focusflow.ports import SourceFile
    from tests.store.conftest import World

MINUTE = timedelta(minutes=1)


async def test_a_page_becomes_jobs_with_its_cursor_and_is_announced(world: World) -> None:
    """New files are stored with what discovery understood, and listeners hear of them after the commit."""
    arrival = world.arrival()
    absorbed = await world.absorb(arrival, cursor="page 2")
    job = await world.job(absorbed.added[0])
    assert (job.status, job.file_id, job.contact_name) == (Status.DISCOVERED, arrival.file.file_id, "Ann")
    assert (job.duration_seconds, job.estimate_micros, job.call_at) == (100.0, 10_000, arrival.call_at)
    assert await world.store.cursor("drive") == "page 2"
    assert await world.store.cursor("folder") is None
    (line,) = (await world.detail(job.id)).events
    assert world.events() == [JobsAdded(job_ids=absorbed.added), JobLogged(line=line)]
    assert line.message == f"Found {arrival.file.name}"


async def test_why_a_call_is_left_out_from_the_first_is_in_its_log(world: World) -> None:
    """In the line that says that it was found."""
    arrival = world.arrival(skip_reason="outgoing calls are not processed", skipped_by=SkippedBy.RULE)
    absorbed = await world.absorb(arrival)
    (line,) = (await world.detail(absorbed.added[0])).events
    assert line.message == f"Found {arrival.file.name}. Skipped: outgoing calls are not processed"


async def test_a_page_seen_twice_changes_nothing(world: World) -> None:
    """A crash repeats at most one page, and repeating it is harmless."""
    arrivals = [world.arrival() for _ in range(5)]
    first = await world.absorb(*arrivals)
    before = [await world.detail(job_id) for job_id in first.added]
    world.later(MINUTE)
    again = await world.absorb(*arrivals)
    assert (again.added, again.updated, again.twins) == ((), (), ())
    assert [await world.detail(job_id) for job_id in first.added] == before


async def test_a_file_named_twice_on_one_page_is_one_job(world: World) -> None:
    """The last description of a file counts."""
    file = world.file()
    absorbed = await world.absorb(world.arrival(file), world.arrival(file, contact_name="Bea"))
    assert len(absorbed.added) == 1
    assert (await world.job(absorbed.added[0])).contact_name == "Bea"


async def test_an_empty_page_only_moves_the_cursor(world: World) -> None:
    """Nothing new is the common case."""
    absorbed = await world.absorb(cursor="later")
    assert (absorbed.added, absorbed.updated, absorbed.twins) == ((), (), ())
    assert await world.store.cursor("drive") == "later"
    assert world.events() == []


async def test_a_refused_arrival_is_kept_as_skipped(world: World) -> None:
    """A rule's refusal is stored with its reason, so that other rules may take it back."""
    job = await world.job(await world.add(skip_reason="outgoing", skipped_by=None, hold_until=world.now + MINUTE))
    assert (job.status, job.skip_reason, job.skipped_by) == (Status.SKIPPED, "outgoing", SkippedBy.RULE)
    assert job.hold_kind is None


# ----------------------------------------------------------------------------------------------------------- sidecars


def sidecar_of(world: World, file: SourceFile, name: str | None = None) -> SourceFile:
    """The recorder's own file beside the recording."""
    return world.file(name=name or file.name.replace(".m4a", ".json"), mime_type="application/json", md5=None)


@pytest.mark.parametrize("sidecar_first", [True, False])
@pytest.mark.parametrize("ending", [".json", ".m4a.json", ".JSON"])
async def test_a_sidecar_finds_its_recording_in_either_order(world: World, sidecar_first: bool, ending: str) -> None:
    """Pairing is by folder and name, whichever of the two is seen first."""
    file = world.file(name="Ünal (phone).m4a")
    arrival = world.arrival(
        file, duration_seconds=None, duration_source=None, estimate_micros=None, hold_until=world.now + 10 * MINUTE
    )
    sidecar = sidecar_of(world, file, "Ünal (phone)" + ending)
    stranger = world.file(name="Ünal (phone).json", parent_id="elsewhere")
    if sidecar_first:
        await world.absorb(sidecars=(stranger, sidecar))
        assert await world.store.unmeasured(limit=9, now=world.now) == []
        (job_id,) = (await world.absorb(arrival)).added
    else:
        (job_id,) = (await world.absorb(arrival)).added
        assert await world.store.unmeasured(limit=9, now=world.now) == []
        world.events()
        await world.absorb(sidecars=(stranger, sidecar))
        assert JobChanged(job_id=job_id, status=Status.DISCOVERED) in world.events()
    (job,) = await world.store.unmeasured(limit=9, now=world.now)
    assert (job.id, job.sidecar_id, job.hold_kind) == (job_id, sidecar.file_id, "sidecar")


async def test_without_a_sidecar_the_wait_ends(world: World) -> None:
    """After the wait the length is guessed, so a recording is never stuck."""
    job_id = await world.add(duration_seconds=None, hold_until=world.now + MINUTE)
    assert await world.store.unmeasured(limit=9, now=world.now) == []
    assert [job.id for job in await world.store.unmeasured(limit=9, now=world.later(MINUTE))] == [job_id]


async def test_what_a_sidecar_says_ends_the_wait(world: World) -> None:
    """Length, direction, number and price are stored, and the job may be claimed."""
    job_id = await world.add(duration_seconds=None, direction=None, contact_number=None, hold_until=world.now + MINUTE)
    assert await world.claim() == []
    await measure(world, job_id, direction=Direction.OUTGOING, contact_number="+49 30 123")
    job = await world.job(job_id)
    assert (job.duration_seconds, job.direction, job.contact_number) == (60.0, Direction.OUTGOING, "+49 30 123")
    assert (job.hold_kind, job.next_attempt_at, job.estimate_micros) == (None, None, 500)
    assert len(await world.claim()) == 1
    found = await world.store.page(_search("4930123"), limit=5)
    assert [row.job.id for row in found] == [job_id]


async def test_a_sidecar_may_show_that_the_rules_refuse_the_call(world: World) -> None:
    """Too short is known only after the sidecar; a user's own request stands all the same."""
    refused, asked = await world.add(duration_seconds=None), await world.add(duration_seconds=None)
    await world.store.process([asked], from_step=None, now=world.now)
    for job_id in (refused, asked):
        await measure(world, job_id, skip_reason="too short")
    job = await world.job(refused)
    assert (job.status, job.skip_reason, job.skipped_by) == (Status.SKIPPED, "too short", SkippedBy.RULE)
    job = await world.job(asked)
    assert (job.status, job.skip_reason, job.skipped_by) == (Status.DISCOVERED, None, None)


async def test_a_job_that_is_worked_on_is_not_measured(world: World) -> None:
    """What a slow sidecar says late doesn't disturb the worker."""
    job_id = await world.add(duration_seconds=None)
    await world.store.process([job_id], from_step=None, now=world.now)
    (claim,) = await world.claim()
    await measure(world, claim.job.id, skip_reason="too short")
    job = await world.job(claim.job.id)
    assert (job.status, job.duration_seconds) == (Status.TRANSCRIBING, None)


async def measure(world: World, job_id: str, **changes: object) -> None:
    """Record what a sidecar said."""
    values: dict[str, object] = {
        "duration_seconds": 60.0,
        "duration_source": DurationSource.SIDECAR,
        "direction": None,
        "contact_number": None,
        "estimate": Estimate(transcribe_micros=400, summarize_micros=100),
        "skip_reason": None,
        "now": world.now,
    }
    await world.store.measured(job_id, **values | changes)  # type: ignore[arg-type]  # a builder


def _search(text: str) -> JobFilter:

    return JobFilter(search=text)


@pytest.mark.parametrize("source", [DurationSource.SIZE, DurationSource.HEADER, DurationSource.SIDECAR])
@pytest.mark.parametrize("refused", [True, False])
async def test_a_late_or_changed_sidecar_measures_anew(world: World, source: DurationSource, refused: bool) -> None:
    """What was guessed without it, or refused by what it said before, is open again; nothing is decided without it."""
    file = world.file()
    (job_id,) = (await world.absorb(world.arrival(file, duration_seconds=None))).added
    sidecar = sidecar_of(world, file)
    if source is DurationSource.SIDECAR:
        await world.absorb(sidecars=(sidecar,))
        sidecar = structs.replace(sidecar, size=1)
    await measure(world, job_id, duration_source=source, skip_reason="too short" if refused else None)
    world.events()
    await world.absorb(sidecars=(sidecar,))
    (job,) = await world.store.unmeasured(limit=9, now=world.now)
    assert (job.id, job.status, job.sidecar_id) == (job_id, Status.DISCOVERED, sidecar.file_id)
    assert (job.duration_seconds, job.duration_source, job.skip_reason, job.estimate_micros) == (None,) * 4
    assert JobChanged(job_id=job_id, status=Status.DISCOVERED) in world.events()
    assert (await world.detail(job_id)).events[-1].message == "Its sidecar is new: it is measured anew."
    assert await world.claim() == []


async def test_a_sidecar_that_says_the_same_as_before_changes_nothing(world: World) -> None:
    """Every full listing names it again."""
    file = world.file()
    sidecar = sidecar_of(world, file)
    (job_id,) = (await world.absorb(world.arrival(file, duration_seconds=None), sidecars=(sidecar,))).added
    await measure(world, job_id, skip_reason="too short")
    before = await world.detail(job_id)
    world.later(MINUTE)
    await world.absorb(sidecars=(sidecar,))
    assert await world.detail(job_id) == before


async def test_a_sidecar_does_not_undo_what_a_person_or_a_worker_does(world: World) -> None:
    """Skipped by hand, asked for, worked on, ordered or done: its news comes too late."""
    files = [world.file() for _ in range(5)]
    by_hand, asked, worked_on, ordered, done = [await world.add(file=file) for file in files]
    await world.store.skip_jobs([by_hand], reason="private", now=world.now)
    (claim,) = await world.claim(ids=(ordered,))
    await world.store.uploaded(claim, "upload", now=world.now, intending=True)
    await world.store.give_back(claim, now=world.now, note="stop")
    await world.claim(ids=(worked_on,))
    (claim,) = await world.claim(ids=(done,))
    await world.transcribe(claim)
    await world.store.give_back(claim, now=world.now, note="stop")
    await world.store.process([asked], from_step=None, now=world.now)
    before = await world.statuses()
    await world.absorb(sidecars=tuple(sidecar_of(world, file) for file in files))
    assert await world.statuses() == before
    assert None not in [(await world.job(job_id)).duration_seconds for job_id in before]


async def test_a_sidecar_that_disappears_is_forgotten(world: World) -> None:
    """A job must not wait for reading what is gone."""
    file = world.file()
    sidecar = sidecar_of(world, file)
    arrival = world.arrival(file, duration_seconds=None, hold_until=world.now + MINUTE)
    (job_id,) = (await world.absorb(arrival, sidecars=(sidecar,))).added
    await world.absorb(gone=(sidecar.file_id,))
    assert (await world.job(job_id)).sidecar_id is None
    other = world.arrival(world.file(name=file.name, file_id="other"))
    (other_id,) = (await world.absorb(other)).added
    assert (await world.job(other_id)).sidecar_id is None


# -------------------------------------------------------------------------------------------------------------- twins


async def test_the_same_recording_twice_is_done_once(world: World) -> None:
    """A copy is known by its content before anything is downloaded."""
    original = await world.add(file=world.file(md5="same", size=9))
    absorbed = await world.absorb(world.arrival(world.file(md5="same", size=9)))
    assert absorbed.twins == absorbed.added
    job = await world.job(absorbed.twins[0])
    assert (job.status, job.skipped_by) == (Status.SKIPPED, SkippedBy.DUPLICATE)
    assert job.skip_reason == f"duplicate of {original}"
    await world.store.unskip([job.id], now=world.now)
    again = await world.absorb(world.arrival(world.file(file_id=job.file_id, name="renamed.m4a", md5="same", size=9)))
    assert again.twins == ()
    assert (await world.job(job.id)).status is Status.DISCOVERED


async def test_of_twins_on_one_page_the_first_stays(world: World) -> None:
    """Three copies at once: exactly one is processed."""
    absorbed = await world.absorb(*(world.arrival(world.file(md5="same", size=9)) for _ in range(3)))
    assert sorted([(await world.job(job_id)).status for job_id in absorbed.added]) == [
        Status.DISCOVERED,
        Status.SKIPPED,
        Status.SKIPPED,
    ]
    assert set(absorbed.twins) < set(absorbed.added)


async def test_twins_may_be_wanted(world: World) -> None:
    """The policy is the user's."""
    absorbed = await world.absorb(*(world.arrival(world.file(md5="same", size=9)) for _ in range(2)), skip_twins=False)
    assert absorbed.twins == ()


async def test_a_copy_of_a_skipped_recording(world: World) -> None:
    """What a person refused stays refused under another name; what a rule refused is judged by itself."""
    by_user = await world.add(file=world.file(md5="a", size=9))
    await world.store.skip_jobs([by_user], reason="private", now=world.now)
    await world.add(file=world.file(md5="b", size=9), skip_reason="outgoing")
    absorbed = await world.absorb(
        world.arrival(world.file(md5="a", size=9)),
        world.arrival(world.file(md5="b", size=9)),
        world.arrival(world.file(md5=None, size=9)),
    )
    assert [(await world.job(job_id)).skip_reason for job_id in absorbed.twins] == [f"duplicate of {by_user}"]


async def test_when_the_original_disappears_its_twin_takes_its_place(world: World) -> None:
    """A call is never lost because of the wrong copy being deleted."""
    original = await world.add(file=world.file(file_id="original", md5="same", size=9))
    absorbed = await world.absorb(*(world.arrival(world.file(md5="same", size=9)) for _ in range(2)))
    world.events()
    gone = await world.absorb(gone=("original",))
    statuses = await world.statuses()
    assert statuses[original] is Status.SKIPPED
    assert sorted(statuses[job_id] for job_id in absorbed.added) == [Status.DISCOVERED, Status.SKIPPED]
    assert len(gone.updated) == 3  # the other copy is one of it now


@pytest.mark.parametrize("replaced", [True, False])
async def test_every_copy_takes_its_turn(world: World, replaced: bool) -> None:
    """One after the other disappears or becomes another call: the last copy of a call is still processed."""
    files = [world.file(md5="same", size=9) for _ in range(4)]
    copies = {await world.add(file=file): file for file in files}
    for copies_left in (3, 2, 1, 0):
        (original,) = [job_id for job_id in copies if (await world.job(job_id)).status is Status.DISCOVERED]
        file = copies.pop(original)
        reasons = [(await world.job(job_id)).skip_reason for job_id in copies]
        assert reasons == [f"duplicate of {original}"] * copies_left
        if replaced:
            await world.absorb(world.arrival(structs.replace(file, md5=file.file_id)))
        else:
            await world.absorb(gone=(file.file_id,))


@pytest.mark.parametrize("why", ["ordered", "done", "by hand", "silent"])
async def test_a_copy_of_what_was_paid_for_or_given_up_stays_one(world: World, why: str) -> None:
    """The original's content is transcribed, or nobody wants it: that another lies under its name changes neither."""
    file = world.file(file_id="f", name="a.m4a", md5="same", size=9)
    if why == "done":
        await world.completed(file=file)
    elif why == "by hand":
        await world.store.skip_jobs([await world.add(file=file)], reason="private", now=world.now)
    else:
        claim = await world.claimed(file=file)
        if why == "ordered":
            await world.store.uploaded(claim, "upload", now=world.now, intending=True)
            await world.store.give_back(claim, now=world.now, note="stop")
        else:
            await world.store.skip(claim, "Nothing was said.", SkippedBy.SILENCE, now=world.now)
    copy = await world.add(file=world.file(md5="same", size=9))
    await world.absorb(world.arrival(structs.replace(file, md5="new")))
    assert (await world.job(copy)).skipped_by is SkippedBy.DUPLICATE


async def test_a_copy_whose_original_is_replaced_may_still_be_one_of_another(world: World) -> None:
    """It takes no place that is taken."""
    files = [world.file(md5="same", size=9) for _ in range(3)]
    first, second, third = [await world.add(file=file) for file in files]
    await world.store.unskip([second], now=world.now)
    await world.absorb(world.arrival(structs.replace(files[0], md5="new")))
    assert (await world.job(first)).status is Status.DISCOVERED
    job = await world.job(third)
    assert (job.status, job.skip_reason) == (Status.SKIPPED, f"duplicate of {second}")


# -------------------------------------------------------------------------------------------- replaced, renamed, gone


async def test_a_replaced_recording_is_measured_anew(world: World) -> None:
    """Other content under the same name: nothing learnt about the old one holds."""
    claim = await world.claimed(file=world.file(file_id="f"))
    await world.store.uploaded(claim, "old upload", now=world.now)
    await world.store.give_back(claim, now=world.now, note="stop")
    new = world.arrival(world.file(file_id="f", name=claim.job.file_name, md5="new", size=7), duration_seconds=None)
    assert (await world.absorb(new)).updated == (claim.job.id,)
    job = await world.job(claim.job.id)
    assert (job.file_md5, job.file_size, job.duration_seconds, job.upload_ref) == ("new", 7, None, None)
    assert "replaced" in (await world.detail(job.id)).events[-1].message


async def test_a_verdict_about_other_content_falls_with_it(world: World) -> None:
    """Too short was the recording before: what lies there now waits for its own sidecar, and is judged by that."""
    file = world.file(file_id="f")
    sidecar = sidecar_of(world, file)
    (job_id,) = (await world.absorb(world.arrival(file, duration_seconds=None), sidecars=(sidecar,))).added
    await measure(world, job_id, duration_seconds=3.0, skip_reason="too short")
    until = world.later(MINUTE) + 10 * MINUTE
    other = world.arrival(structs.replace(file, md5="new", size=7), duration_seconds=None, hold_until=until)
    assert (await world.absorb(other, sidecars=(sidecar,))).updated == (job_id,)
    job = await world.job(job_id)
    assert (job.status, job.skip_reason, job.skipped_by) == (Status.DISCOVERED, None, None)
    assert (job.hold_kind, job.next_attempt_at, job.duration_seconds) == ("sidecar", until, None)
    assert job.sidecar_id is None
    assert await world.store.unmeasured(limit=9, now=world.now) == []
    assert [found.id for found in await world.store.unmeasured(limit=9, now=until)] == [job_id]
    await world.absorb(sidecars=(structs.replace(sidecar, size=1),))
    (job,) = await world.store.unmeasured(limit=9, now=world.now)
    assert (job.id, job.sidecar_id) == (job_id, sidecar.file_id)


async def test_a_recording_and_its_sidecar_replaced_together_do_not_wait(world: World) -> None:
    """The sidecar that came with it tells of it."""
    file = world.file(file_id="f")
    sidecar = sidecar_of(world, file)
    (job_id,) = (await world.absorb(world.arrival(file, duration_seconds=None), sidecars=(sidecar,))).added
    await measure(world, job_id, duration_seconds=3.0, skip_reason="too short")
    other = world.arrival(
        structs.replace(file, md5="new", size=7), duration_seconds=None, hold_until=world.now + MINUTE
    )
    await world.absorb(other, sidecars=(structs.replace(sidecar, size=1),))
    assert [job.id for job in await world.store.unmeasured(limit=9, now=world.now)] == [job_id]


async def test_other_content_is_refused_again_where_its_name_is(world: World) -> None:
    """An outgoing call stays one."""
    job_id = await world.add(file=world.file(file_id="f", name="a.m4a"), skip_reason="outgoing")
    other = world.arrival(world.file(file_id="f", name="a.m4a", md5="new"), skip_reason="outgoing")
    await world.absorb(other)
    job = await world.job(job_id)
    assert (job.status, job.skip_reason, job.skipped_by) == (Status.SKIPPED, "outgoing", SkippedBy.RULE)


async def test_what_a_person_skipped_stays_skipped_whatever_lies_there(world: World) -> None:
    """A decision by hand is not about the content."""
    job_id = await world.add(file=world.file(file_id="f", name="a.m4a"))
    await world.store.skip_jobs([job_id], reason="private", now=world.now)
    await world.absorb(world.arrival(world.file(file_id="f", name="a.m4a", md5="new")))
    job = await world.job(job_id)
    assert (job.status, job.skipped_by) == (Status.SKIPPED, SkippedBy.USER)


@pytest.mark.parametrize("paid", [True, False])
@pytest.mark.parametrize("asked", [True, False])
async def test_silence_is_forgotten_when_a_call_takes_its_place(world: World, paid: bool, asked: bool) -> None:
    """What was transcribed of it, if anything was, is no transcript of what is there now."""
    job_id = await world.add(file=world.file(file_id="f", name="a.m4a"))
    if asked:
        await world.store.process([job_id], from_step=None, now=world.now)
    (claim,) = await world.claim()
    if paid:
        await world.transcribe(claim, text="")
    await world.store.skip(claim, "Nothing was said.", SkippedBy.SILENCE, now=world.now)
    await world.absorb(world.arrival(world.file(file_id="f", name="a.m4a", md5="new"), duration_seconds=None))
    detail = await world.detail(job_id)
    job = detail.row.job
    assert (job.status, job.skip_reason, job.duration_seconds) == (Status.DISCOVERED, None, None)
    assert (job.transcription_completed_at, job.transcript_id, job.upload_ref) == (None, None, None)
    assert (detail.documents.transcript, job.cost_micros) == (None, 7_000 if paid else 0)
    assert detail.events[-1].message == "The recording was replaced by another of the same name."


@pytest.mark.parametrize("by", [SkippedBy.RULE, SkippedBy.SILENCE])
async def test_a_workers_verdict_about_what_was_replaced_meanwhile_does_not_hold(world: World, by: SkippedBy) -> None:
    """It is given back instead, and measured and judged by what is there now."""
    file = world.file(file_id="f", name="a.m4a")
    claim = await world.claimed(file=file)
    if by is SkippedBy.SILENCE:
        await world.transcribe(claim, text="")
    await world.absorb(world.arrival(structs.replace(file, md5="new"), duration_seconds=None))
    await world.store.skip(claim, "too short", by, now=world.now)
    detail = await world.detail(claim.job.id)
    job = detail.row.job
    assert (job.status, job.skip_reason, job.skipped_by, job.claim_token) == (Status.DISCOVERED, None, None, None)
    assert (job.duration_seconds, job.duration_source, job.transcription_completed_at) == (None, None, None)
    assert detail.documents.transcript is None
    assert detail.events[-1].message == "It was replaced meanwhile: what is there now is judged anew."
    assert [found.id for found in await world.store.unmeasured(limit=9, now=world.now)] == [job.id]


async def test_twins_are_decided_anew_when_one_is_replaced(world: World) -> None:
    """A copy that is none any more is processed; what has become one is not."""
    files = [
        world.file(file_id=name, name=f"{name}.m4a", md5=md5, size=9) for name, md5 in zip("abc", "xxy", strict=True)
    ]
    original, copy, other = [await world.add(file=file) for file in files]
    assert (await world.job(copy)).skip_reason == f"duplicate of {original}"
    await world.absorb(world.arrival(structs.replace(files[1], md5="z")))
    assert (await world.job(copy)).status is Status.DISCOVERED
    await world.absorb(world.arrival(structs.replace(files[1], md5="y")))
    assert (await world.job(copy)).skip_reason == f"duplicate of {other}"
    assert (await world.job(original)).status is Status.DISCOVERED


async def test_a_recording_replaced_after_its_order_keeps_the_order(world: World) -> None:
    """What may have been paid for must still be found."""
    claim = await world.claimed(file=world.file(file_id="f"))
    await world.store.uploaded(claim, "old upload", now=world.now)
    await world.store.intend_submit(claim, now=world.now)
    await world.store.give_back(claim, now=world.now, note="stop")
    await world.absorb(world.arrival(world.file(file_id="f", md5="new", size=7)))
    assert (await world.job(claim.job.id)).upload_ref == "old upload"


@pytest.mark.parametrize("md5", ["old", None])
@pytest.mark.parametrize("uploaded_first", [True, False])
async def test_what_is_replaced_under_a_worker_is_uploaded_anew(
    world: World, md5: str | None, uploaded_first: bool
) -> None:
    """Handed back before its order, the old recording is never ordered: neither what was uploaded, nor what was read."""
    claim = await world.claimed(file=world.file(file_id="f", name="a.m4a", md5=md5, size=9))
    await world.store.begin(claim, Step.TRANSCRIBE, now=world.now)
    new = world.arrival(world.file(file_id="f", name="a.m4a", md5=md5 and "new", size=7))
    if uploaded_first:
        await world.store.uploaded(claim, "old upload", now=world.now)
        await world.absorb(new)
    else:
        await world.absorb(new)
        await world.store.uploaded(claim, "old upload", now=world.now)
    await world.store.give_back(claim, now=world.now, note="stop")
    (claim,) = await world.claim()
    assert (claim.job.upload_ref, claim.job.uploaded_at) == (None, None)
    await world.store.uploaded(claim, "new upload", now=world.now)
    await world.store.give_back(claim, now=world.now, note="stop")
    (claim,) = await world.claim()
    assert (claim.job.upload_ref, claim.job.uploaded_at) == ("new upload", world.now)


async def test_a_recording_replaced_under_a_worker_that_ordered_it_keeps_the_order(world: World) -> None:
    """An order whose answer was lost is found by its upload, and only without one is the new recording uploaded."""
    claim = await world.claimed(file=world.file(file_id="f"))
    await world.store.uploaded(claim, "old upload", now=world.now)
    await world.absorb(world.arrival(world.file(file_id="f", md5="new", size=7)))
    await world.store.intend_submit(claim, now=world.now)
    await world.store.give_back(claim, now=world.now, note="stop")
    (claim,) = await world.claim()
    assert claim.job.upload_ref == "old upload"
    await world.store.forget_order(claim, keep_upload=True, now=world.now)
    await world.store.give_back(claim, now=world.now, note="stop")
    (claim,) = await world.claim()
    assert claim.job.upload_ref is None


async def test_a_recording_replaced_after_its_transcript_only_leaves_a_line(world: World) -> None:
    """A finished call is not paid for again by itself, and the line is written once."""
    job_id = await world.completed(file=world.file(file_id="f", name="call.m4a"))
    replaced = world.arrival(world.file(file_id="f", name="call.m4a", md5="new", size=7), duration_seconds=5.0)
    await world.absorb(replaced)
    await world.absorb(replaced)
    detail = await world.detail(job_id)
    assert (detail.row.job.status, detail.row.job.duration_seconds) == (Status.COMPLETED, 98.5)
    assert [line.message for line in detail.events].count(
        "The recording was replaced after it was transcribed; the transcript stays."
    ) == 1


async def test_size_tells_a_replacement_where_there_is_no_checksum(world: World) -> None:
    """Some sources know no checksum."""
    job_id = await world.add(file=world.file(file_id="f", name="a.m4a", md5=None, size=5))
    assert (await world.absorb(world.arrival(world.file(file_id="f", name="a.m4a", md5=None, size=5)))).updated == ()
    await world.absorb(world.arrival(world.file(file_id="f", name="a.m4a", md5=None, size=6), duration_seconds=3.0))
    assert (await world.job(job_id)).duration_seconds == 3.0


async def test_a_renamed_recording_is_understood_anew(world: World) -> None:
    """What the new name says counts; what it does not say stays."""
    job_id = await world.add(file=world.file(file_id="f"))
    same = world.file(file_id="f", name="Bea.m4a", md5=f"{0:032x}", size=400_000)
    await world.absorb(world.arrival(same, contact_name="Bea", call_type=None))
    job = await world.job(job_id)
    assert (job.file_name, job.contact_name, job.call_type) == ("Bea.m4a", "Bea", "phone")
    assert [row.job.id for row in await world.store.page(_search("bea"), limit=5)] == [job_id]


async def test_a_name_that_is_understood_at_last_comes_back(world: World) -> None:
    """Skipped for its name, renamed by its owner: it is processed."""
    job_id = await world.add(
        file=world.file(file_id="f"), recorder=None, skip_reason="unrecognised name", skipped_by=SkippedBy.NAME
    )
    await world.absorb(world.arrival(world.file(file_id="f", name="better.m4a")))
    job = await world.job(job_id)
    assert (job.status, job.skip_reason, job.skipped_by) == (Status.DISCOVERED, None, None)


async def test_a_new_name_may_be_refused(world: World) -> None:
    """A rename can bring a resting job under a rule, but not one that a person asked for."""
    ids = [await world.add(file=world.file(file_id=name)) for name in ("f", "g")]
    await world.store.process([ids[1]], from_step=None, now=world.now)
    await world.absorb(*(world.arrival(world.file(file_id=f, name=f"o{f}.m4a"), skip_reason="no") for f in ("f", "g")))
    assert [(await world.job(job_id)).status for job_id in ids] == [Status.SKIPPED, Status.DISCOVERED]
    assert (await world.job(ids[0])).skipped_by is SkippedBy.RULE


async def test_a_moved_recording_keeps_its_job(world: World) -> None:
    """Another folder or address is only noted."""
    file = world.file(file_id="f")
    job_id = await world.add(file=file)
    moved = world.file(file_id="f", name=file.name, md5=file.md5, size=file.size, parent_id="new", web_url="https://x")
    assert (await world.absorb(world.arrival(moved))).updated == (job_id,)
    job = await world.job(job_id)
    assert (job.parent_id, job.web_url, job.status) == ("new", "https://x", Status.DISCOVERED)


async def test_what_disappears_before_it_is_processed_is_skipped_and_comes_back(world: World) -> None:
    """Gone is a reason, not an end."""
    arrival = world.arrival()
    (job_id,) = (await world.absorb(arrival)).added
    await world.absorb(gone=(arrival.file.file_id, "never seen"))
    job = await world.job(job_id)
    assert (job.status, job.skipped_by, job.skip_reason) == (Status.SKIPPED, SkippedBy.GONE, "no longer in drive")
    assert (await world.absorb(arrival)).updated == (job_id,)
    assert (await world.job(job_id)).status is Status.DISCOVERED


async def test_what_a_person_asked_for_comes_back_whatever_the_rules_say(world: World) -> None:
    """A request outlives the file's absence."""
    arrival = world.arrival(skip_reason="outgoing")
    (job_id,) = (await world.absorb(arrival)).added
    await world.store.process([job_id], from_step=None, now=world.now)
    await world.absorb(gone=(arrival.file.file_id,))
    await world.absorb(arrival)
    assert (await world.job(job_id)).status is Status.DISCOVERED


async def test_what_disappears_after_it_was_paid_for_goes_on(world: World) -> None:
    """The recording is not needed any more once it is ordered, transcribed or done."""
    ordered = await world.claimed()
    await world.store.uploaded(ordered, "ref", now=world.now)
    await world.store.intend_submit(ordered, now=world.now)
    await world.store.submitted(ordered.job.id, "order", now=world.now)
    await world.store.give_back(ordered, now=world.now, note="stop")
    running = await world.claimed()
    done = await world.completed()
    files = [(await world.job(job_id)).file_id for job_id in (ordered.job.id, running.job.id, done)]
    assert (await world.absorb(gone=tuple(files))).updated == ()


# -------------------------------------------------------------------------------------------------------------- rules


async def test_changed_rules_refuse_and_take_back(world: World) -> None:
    """Only what rests, and only by rule or name, is judged; a person's decisions stand."""
    resting, refused = await world.add(), await world.add(skip_reason="outgoing")
    mine = await world.add()
    await world.store.skip_jobs([mine], reason="private", now=world.now)
    asked = await world.add()
    await world.store.process([asked], from_step=None, now=world.now)
    await world.completed()
    judged = await world.store.judged(after=None, limit=99)
    assert [job.id for job in judged] == sorted([resting, refused, asked])
    assert [job.id for job in await world.store.judged(after=judged[0].id, limit=1)] == [judged[1].id]
    world.events()
    verdicts = {resting: "too short", refused: None, asked: "too short", mine: None}
    await world.store.rejudge(verdicts, fingerprint="rules 2", now=world.now)
    statuses = await world.statuses()
    assert (statuses[resting], statuses[refused]) == (Status.SKIPPED, Status.DISCOVERED)
    assert (statuses[mine], statuses[asked]) == (Status.SKIPPED, Status.DISCOVERED)
    assert await world.store.rules_fingerprint() == "rules 2"
    await world.store.rejudge({resting: "outgoing"}, fingerprint=None, now=world.now)
    job = await world.job(resting)
    assert (job.skip_reason, job.skipped_by) == ("outgoing", SkippedBy.RULE)


@pytest.mark.parametrize("skip_twins", [True, False])
async def test_of_copies_that_other_rules_allow_the_first_is_kept(world: World, skip_twins: bool) -> None:
    """Refused, they were no twins of each other; taken back together, they must not both be paid for."""
    first = await world.add(file=world.file(md5="same", size=9), skip_reason="outgoing")
    world.later(MINUTE)
    second = await world.add(file=world.file(md5="same", size=9), skip_reason="outgoing")
    world.events()
    await world.store.rejudge({first: None, second: None}, fingerprint=None, now=world.now, skip_twins=skip_twins)
    assert (await world.job(first)).status is Status.DISCOVERED
    job = await world.job(second)
    if skip_twins:
        assert (job.status, job.skipped_by, job.skip_reason) == (
            Status.SKIPPED,
            SkippedBy.DUPLICATE,
            f"duplicate of {first}",
        )
        assert JobChanged(job_id=second, status=Status.SKIPPED) in world.events()
        assert (await world.detail(second)).events[-1].message == "Skipped: the same recording is here already."
    else:
        assert job.status is Status.DISCOVERED


async def test_a_copy_that_is_allowed_at_last_is_a_twin_of_what_is_done(world: World) -> None:
    """Nor is it one of a copy that the same rules refuse."""
    refused_copy = await world.add(file=world.file(md5="a", size=9))
    allowed = await world.add(file=world.file(md5="a", size=9), skip_reason="outgoing")
    late = await world.add(file=world.file(md5="b", size=9), skip_reason="outgoing")
    done = await world.completed(file=world.file(md5="b", size=9))
    await world.store.rejudge({refused_copy: "incoming", allowed: None, late: None}, fingerprint=None, now=world.now)
    assert (await world.job(allowed)).status is Status.DISCOVERED
    assert (await world.job(late)).skip_reason == f"duplicate of {done}"


@pytest.mark.parametrize("together", [True, False])
async def test_of_copies_that_are_renamed_the_first_is_kept(world: World, together: bool) -> None:
    """Two names that nobody understood, both mended: on one page or on two, one call is processed."""
    files = [world.file(md5="same", size=9) for _ in range(2)]
    ids = [await world.add(file=f, recorder=None, skip_reason="no name", skipped_by=SkippedBy.NAME) for f in files]
    renamed = [world.arrival(world.file(file_id=f.file_id, name=f"b{f.name}", md5="same", size=9)) for f in files]
    if together:
        absorbed = await world.absorb(*renamed)
    else:
        await world.absorb(renamed[0])
        absorbed = await world.absorb(renamed[1])
    assert absorbed.twins == (ids[1],)
    statuses = await world.statuses()
    assert [statuses[job_id] for job_id in ids] == [Status.DISCOVERED, Status.SKIPPED]


async def test_rules_stop_what_would_be_tried_again(world: World) -> None:
    """A failed call that new rules refuse stays failed, says so, and does not come back by itself."""
    failed, asked = await world.claimed(), await world.claimed()
    for claim in (failed, asked):
        await world.store.fail(claim, Step.DOWNLOAD, "x", retry_at=world.now + MINUTE, counts=True, now=world.now)
    await world.store.fail(
        final := await world.claimed(), Step.DOWNLOAD, "x", retry_at=None, counts=True, now=world.now
    )
    judged = [job.id for job in await world.store.judged(after=None, limit=9)]
    assert judged == sorted([failed.job.id, asked.job.id])
    verdicts = {failed.job.id: "outgoing", asked.job.id: None, final.job.id: "outgoing"}
    await world.store.rejudge(verdicts, fingerprint=None, now=world.now)
    detail = await world.detail(failed.job.id)
    job = detail.row.job
    assert (job.status, job.next_attempt_at, job.error_message) == (Status.FAILED, None, "x")
    assert detail.events[-1].message == "The rules refuse it now: it is not tried again."
    assert await world.store.requeue_due(now=world.later(MINUTE)) == 1
    assert (await world.job(asked.job.id)).status is Status.DISCOVERED


async def test_an_empty_verdict_only_keeps_the_fingerprint(world: World) -> None:
    """The last call of a round may have no jobs left."""
    assert await world.store.rules_fingerprint() is None
    await world.store.rejudge({}, fingerprint="x", now=world.now)
    await world.store.rejudge({}, fingerprint=None, now=world.now)
    assert await world.store.rules_fingerprint() == "x"


async def test_the_first_start_is_remembered(world: World) -> None:
    """`only future` means since the first start, not since the last one."""
    first = world.now
    assert await world.store.first_started_at(first) == first
    assert await world.store.first_started_at(world.later(MINUTE)) == first


async def test_a_text_no_database_takes_is_stored_all_the_same(world: World) -> None:
    """NUL and half a surrogate pair come from other people's software."""
    claim = await world.claimed(file=world.file(name="a\0b\ud83d.m4a"), contact_name="\0Zoë\udc00")
    job = await world.job(claim.job.id)
    assert (job.file_name, job.contact_name) == ("ab?.m4a", "Zoë?")
    await world.store.fail(claim, Step.DOWNLOAD, "bad\0 \ud83d", retry_at=None, counts=True, now=world.now)
    assert (await world.job(claim.job.id)).error_message == "bad ?"
