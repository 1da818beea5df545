"""Does everything on the shelf become the right job, once, whatever order it comes in and whatever fails on the way?"""

from __future__ import annotations

import sqlite3
from contextlib import closing
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import anyio
import anyio.lowlevel
import pytest

from focusflow.config import Settings, load
from focusflow.domain.eligibility import Rules
from focusflow.domain.jobs import Direction, DurationSource, SkippedBy, Status
from focusflow.errors import CursorExpired, Held, HoldKind, Permanent, SourceError, StoreBusy, Transient
from focusflow.providers.folder import FolderSource
from focusflow.supervisor.discovery import Discovery, arrival
from focusflow.wiring import rules_of

if TYPE_CHECKING:
    from pathlib import Path

    from tests.supervisor.conftest import FakeClock, House, MakeHouse, Shelf

WAIT = timedelta(minutes=10)


# ------------------------------------------------------------------------------------------------------------- sorting


async def test_recordings_become_jobs_and_other_files_do_not(house: House) -> None:
    """A folder of recordings has photos, documents and leftovers in it too."""
    ours = house.shelf.call("Ann")
    for other in ("photo.jpg", "notes.pdf", ".pending-call.m4a", "movie.mkv", "README"):
        house.shelf.put(other)
    house.shelf.put("minutes", mime_type="application/vnd.google-apps.document")

    assert await house.discovery.tick() == "1 new, 0 measured"

    assert list(await house.jobs()) == [ours]


async def test_a_long_page_leaves_everybody_else_their_turn(house: House) -> None:
    """A thousand names are as many turns, not one, which would hold the event loop."""
    for n in range(60):
        house.shelf.call(f"Caller {n}", at=f"2026-11-23 09-{n:02}-00")
    house.shelf.page_size = 1_000
    turns = 0

    async def take_turns() -> None:
        nonlocal turns
        while True:
            turns += 1
            await anyio.lowlevel.checkpoint()

    async with anyio.create_task_group() as others:
        others.start_soon(take_turns)
        async for page in house.shelf.pages(None):
            before = turns
            arrivals, _ = await house.discovery.read(page.files)
            assert turns - before >= len(arrivals) > 50
        others.cancel_scope.cancel()


async def test_what_a_name_says_is_stored(house: House) -> None:
    """Contact, number, direction, type and the instant, read in the zone of the phone's clock."""
    found = house.shelf.call("Ann Miller (020 7946 0999)", at="2026-07-01 09-00-00")
    await house.discovery.tick()

    job = (await house.jobs())[found]

    assert (job.contact_name, job.contact_number, job.direction) == ("Ann Miller", "+442079460999", Direction.INCOMING)
    assert (job.call_type, job.recorder) == ("phone", "cube-acr")
    assert job.call_at == datetime(2026, 7, 1, 8, 0, tzinfo=UTC)


async def test_an_unrecognised_name_is_one_visible_skip_and_no_error(house: House) -> None:
    """It is shown once, with its reason, and nothing is said about it again."""
    found = house.shelf.put("Voice 004.m4a")

    assert await house.discovery.tick() == "1 new, 0 measured"
    assert await house.discovery.tick() == "0 new, 0 measured"
    house.discovery.list_all_next()
    assert await house.discovery.tick() == "0 new, 0 measured"

    job = (await house.jobs())[found]
    assert (job.status, job.skip_reason, job.skipped_by) == (Status.SKIPPED, "unrecognised name", SkippedBy.NAME)
    assert len((await house.detail(job.id)).events) == 1


@pytest.mark.parametrize(
    ("owners", "accept_ownerless", "taken"),
    [
        (("maya@example.com",), True, True),
        (("MAYA@example.com",), True, True),
        (("eve@example.org",), True, False),
        ((), True, True),
        ((), False, False),
    ],
)
async def test_only_recordings_of_allowed_owners_are_taken(
    make_house: MakeHouse, owners: tuple[str, ...], accept_ownerless: bool, taken: bool
) -> None:
    """Whoever shares a file into the folder is not thereby served."""
    house = await make_house(owners=("maya@example.com",), accept_ownerless=accept_ownerless)
    house.shelf.call("Ann", owners=owners)

    await house.discovery.tick()

    assert bool(await house.jobs()) is taken


async def test_another_owner_who_is_allowed_later_is_found_by_listing_again(make_house: MakeHouse) -> None:
    """What was passed over is not in the feed of changes any more."""
    before = await make_house(owners=("maya@example.com",))
    before.shelf.call("Ann", owners=("ben@example.com",))
    await before.discovery.tick()

    after = await make_house(owners=("maya@example.com", "ben@example.com"))
    await after.discovery.tick()

    assert len(await after.jobs()) == 1


async def test_the_same_content_under_another_name_is_a_duplicate(house: House) -> None:
    """A copy is not paid for again."""
    first = house.shelf.call("Ann", md5="a" * 32)
    copy = house.shelf.call("Ann", arrow=" ↙ (1)", md5="a" * 32)
    await house.discovery.tick()

    jobs = await house.jobs()

    assert jobs[first].status is Status.DISCOVERED
    assert jobs[copy].skip_reason == f"duplicate of {jobs[first].id}"


# ------------------------------------------------------------------------------------------------------------ sidecars


@pytest.mark.parametrize("sidecar_first", [True, False])
@pytest.mark.parametrize("in_one_page", [True, False])
async def test_a_sidecar_finds_its_recording_whichever_comes_first(
    house: House, sidecar_first: bool, in_one_page: bool
) -> None:
    """Recorders write the two files in any order, and Drive tells of them in any order."""
    parts = [house.shelf.sidecar, house.shelf.call] if sidecar_first else [house.shelf.call, house.shelf.sidecar]
    for part in parts:
        part("Ann")
        if not in_one_page:
            await house.discovery.tick()
    await house.discovery.tick()

    (job,) = (await house.jobs()).values()

    assert (job.duration_seconds, job.duration_source) == (120, DurationSource.SIDECAR)
    assert (job.hold_kind, job.next_attempt_at, job.estimate_micros) == (None, None, 12_000)


async def test_a_recording_without_its_sidecar_waits_for_it(house: House) -> None:
    """It says what it waits for, and until when."""
    house.shelf.call("Ann")
    await house.discovery.tick()

    (job,) = (await house.jobs()).values()

    assert (job.status, job.hold_kind) == (Status.DISCOVERED, "sidecar")
    assert job.next_attempt_at == house.clock.now() + WAIT
    assert not await house.discovery.anything_to_measure()


@pytest.mark.parametrize(
    ("created", "modified", "waits"),
    [
        (None, timedelta(minutes=4), timedelta(minutes=6)),
        (timedelta(minutes=4), timedelta(days=3), timedelta(minutes=6)),
        (timedelta(days=3), timedelta(minutes=4), timedelta(minutes=6)),
        (timedelta(days=3), timedelta(days=3), None),
        (None, timedelta(minutes=10), None),
        (None, timedelta(days=-400), timedelta(minutes=10)),
    ],
)
async def test_the_wait_counts_from_when_the_recording_came(
    house: House, created: timedelta | None, modified: timedelta, waits: timedelta | None
) -> None:
    """What has lain there for days without a sidecar gets none; a clock that is ahead keeps no call waiting for long."""
    now = house.clock.now()
    house.shelf.call("Ann", created_at=None if created is None else now - created, modified_at=now - modified)
    await house.discovery.look()

    (job,) = (await house.jobs()).values()

    assert job.next_attempt_at == (None if waits is None else now + waits)
    assert await house.discovery.measure() == ("1 measured" if waits is None else "0 measured")


async def test_an_old_recording_still_waits_for_the_pages_to_come(house: House) -> None:
    """Its sidecar may be on the next one."""
    house.shelf.page_size, house.shelf.between = 1, house.discovery.measure
    ann = house.shelf.call("Ann", modified_at=house.clock.now() - timedelta(days=3))
    ben = house.shelf.call("Ben", modified_at=house.clock.now() - timedelta(days=3))
    house.shelf.sidecar("Ann", seconds=121)
    await house.discovery.tick()

    said = {file_id: (await house.detail(job.id)).events for file_id, job in (await house.jobs()).items()}
    assert [line.message for line in said[ann]][1:] == ["The call lasted 121 seconds, by the recorder's details."]
    assert [line.message for line in said[ben]][1:] == ["The call lasted 120 seconds, by its size."]


async def test_when_the_wait_is_over_the_length_is_guessed_from_the_size(house: House) -> None:
    """About 4,000 bytes a second: good enough for a price."""
    house.shelf.call("Ann", size=480_000)
    await house.discovery.tick()
    house.clock.advance(WAIT.total_seconds())

    assert await house.discovery.anything_to_measure()
    assert await house.discovery.measure() == "1 measured"

    (job,) = (await house.jobs()).values()
    assert (job.duration_seconds, job.duration_source, job.estimate_micros) == (120, DurationSource.SIZE, 12_000)
    assert job.hold_kind is None


async def test_a_guess_is_never_a_reason_to_refuse(house: House) -> None:
    """A small file may be a long call, well compressed: its header decides, after the download."""
    house.shelf.call("Ann", size=4_000)
    await house.discovery.tick()
    house.clock.advance(WAIT.total_seconds())
    await house.discovery.tick()

    (job,) = (await house.jobs()).values()

    assert (job.status, job.duration_seconds) == (Status.DISCOVERED, 1)


async def test_a_short_call_is_skipped_by_its_sidecar(house: House) -> None:
    """What is known is measured against the rule."""
    house.shelf.sidecar("Ann", seconds=19.9)
    house.shelf.call("Ann")
    await house.discovery.tick()

    (job,) = (await house.jobs()).values()

    assert (job.status, job.skip_reason, job.skipped_by) == (
        Status.SKIPPED,
        "shorter than 20 s (19.9 s)",
        SkippedBy.RULE,
    )


@pytest.mark.parametrize(
    "content", [b"", b"not json", b"[]", b'{"duration": "soon"}', b'{"duration": "0"}', b"\xff\xfe"]
)
async def test_a_sidecar_that_says_nothing_leaves_the_length_to_the_size(house: House, content: bytes) -> None:
    """Garbage beside a recording is not the recording's fault."""
    house.shelf.put("2026-11-23 09-00-00 (phone) Ann ↙.json", content)
    house.shelf.call("Ann", size=480_000)
    await house.discovery.tick()

    (job,) = (await house.jobs()).values()

    assert (job.status, job.duration_seconds, job.duration_source) == (Status.DISCOVERED, 120, DurationSource.SIZE)


async def test_a_sidecar_that_is_gone_leaves_the_length_to_the_size(house: House) -> None:
    """Somebody tidied up between our two looks."""
    house.shelf.put("2026-11-23 09-00-00 (phone) Ann ↙.json", Permanent("It is no longer there."))
    house.shelf.call("Ann", size=480_000)
    await house.discovery.tick()

    (job,) = (await house.jobs()).values()

    assert job.duration_source is DurationSource.SIZE


@pytest.mark.parametrize("trouble", [Transient("Try again."), Held(HoldKind.CREDENTIALS, "Not let in.")])
async def test_a_sidecar_that_cannot_be_read_now_is_read_later(house: House, trouble: Exception) -> None:
    """And keeps nobody else waiting."""
    sidecar = house.shelf.put("2026-11-23 09-00-00 (phone) Ann ↙.json", trouble)
    house.shelf.call("Ann")
    house.shelf.sidecar("Ben")
    house.shelf.call("Ben")
    assert await house.discovery.tick() == "2 new, 1 measured"

    house.shelf.contents[sidecar] = b'{"duration": "60000"}'
    assert await house.discovery.tick() == "0 new, 1 measured"

    assert sorted(job.duration_seconds or 0 for job in (await house.jobs()).values()) == [60, 120]


async def test_a_sidecar_that_stays_unreadable_is_given_up_in_the_end(house: House) -> None:
    """After twice the wait for one the size decides: no call waits for ever."""
    house.shelf.put("2026-11-23 09-00-00 (phone) Ann ↙.json", Transient("Try again."))
    house.shelf.call("Ann")
    await house.discovery.tick()
    house.clock.advance(2 * WAIT.total_seconds() - 1)
    assert await house.discovery.measure() == "0 measured"
    house.clock.advance(1)

    assert await house.discovery.measure() == "1 measured"
    assert not await house.discovery.anything_to_measure()


async def test_a_call_of_unknown_direction_is_judged_when_its_sidecar_has_told(make_house: MakeHouse) -> None:
    """WhatsApp calls have no arrow; skipping them at sight would lose the incoming ones."""
    house = await make_house(rules=Rules(unknown_direction="skip"))
    known = house.shelf.put("2026-11-23 09-00-00 (whatsapp) Ann.m4a")
    house.shelf.put("2026-11-23 09-00-00 (whatsapp) Ann.json", b'{"duration": "60000", "direction": "Incoming"}')
    other = house.shelf.put("2026-11-23 09-05-00 (whatsapp) Ben.m4a")
    house.shelf.put("2026-11-23 09-05-00 (whatsapp) Ben.json", b'{"duration": "60000"}')

    await house.discovery.tick()

    jobs = await house.jobs()
    assert (jobs[known].status, jobs[known].direction) == (Status.DISCOVERED, Direction.INCOMING)
    assert (jobs[other].status, jobs[other].skipped_by) == (Status.SKIPPED, SkippedBy.RULE)


async def test_more_calls_than_one_batch_are_all_measured(house: House) -> None:
    """A first listing may bring years of calls."""
    for n in range(230):
        house.shelf.call(f"Caller {n}", size=4_000 * n)
    await house.discovery.tick()
    house.clock.advance(WAIT.total_seconds())

    assert await house.discovery.measure() == "230 measured"


# --------------------------------------------------------------------------------------------------------------- rules


async def test_changed_rules_judge_resting_calls_anew(make_house: MakeHouse) -> None:
    """After a restart with other rules, what they allow now is taken back, and what they refuse is left out."""
    before = await make_house(rules=Rules(directions=frozenset({Direction.INCOMING})))
    incoming, outgoing = before.shelf.call("Ann"), before.shelf.call("Ben", arrow=" ↗")
    await before.discovery.tick()
    assert (await before.statuses())[outgoing] is Status.SKIPPED

    after = await make_house(rules=Rules(directions=frozenset({Direction.OUTGOING})))
    await after.discovery.tick()

    assert await after.statuses() == {incoming: Status.SKIPPED, outgoing: Status.DISCOVERED}


async def test_a_call_that_a_person_asked_for_passes_changed_rules(make_house: MakeHouse) -> None:
    """Rules are for calls nobody asked for."""
    before = await make_house(rules=Rules(directions=frozenset({Direction.INCOMING})))
    outgoing = before.shelf.call("Ben", arrow=" ↗")
    await before.discovery.tick()
    job_id = (await before.jobs())[outgoing].id
    await before.store.process([job_id], from_step=None, now=before.clock.now())

    after = await make_house(rules=Rules(directions=frozenset()))
    await after.discovery.tick()

    assert (await after.job(job_id)).status is Status.DISCOVERED


async def test_rules_that_did_not_change_are_not_applied_again(make_house: MakeHouse) -> None:
    """A restart is not a reason to list everything."""
    before = await make_house()
    before.shelf.call("Ann")
    await before.discovery.tick()

    after = await make_house()
    await after.discovery.tick()

    assert after.shelf.asked == [None, "1"]


async def test_more_resting_calls_than_one_batch_are_all_judged(make_house: MakeHouse) -> None:
    """Each of them, page by page."""
    before = await make_house()
    for n in range(1_010):
        before.shelf.call(f"Caller {n}")
    await before.discovery.look()

    after = await make_house(rules=Rules(directions=frozenset({Direction.OUTGOING})))
    await after.discovery.look()

    assert set((await after.statuses()).values()) == {Status.SKIPPED}


async def test_only_new_calls_means_since_the_first_start_also_after_a_restart(make_house: MakeHouse) -> None:
    """The moment is kept with the database: a call recorded while the program was off is new."""
    first = await make_house()
    settings = Settings(timezone="Europe/London")
    rules = await rules_of(settings, first.store, first.clock)
    assert rules.not_before == datetime(2026, 11, 23, 10, 0, tzinfo=UTC)

    first.clock.advance(86_400)
    later = await make_house(rules=await rules_of(settings, first.store, first.clock))
    old = later.shelf.call("Ann", at="2026-11-23 09-59-00")
    new = later.shelf.call("Ben", at="2026-11-23 10-01-00")
    await later.discovery.tick()

    jobs = await later.jobs()
    assert (jobs[old].status, jobs[new].status) == (Status.SKIPPED, Status.DISCOVERED)
    assert jobs[old].skip_reason == "recorded before 2026-11-23 10:00 (only new calls are processed)"


@pytest.mark.parametrize(
    ("environment", "expected"),
    [
        ({"AUTO_PROCESS_ONLY_FUTURE": "false"}, None),
        ({"AUTO_PROCESS_SINCE": "2026-11-01T00:00:00+00:00"}, datetime(2026, 11, 1, tzinfo=UTC)),
    ],
)
async def test_the_cutoff_can_be_lifted_or_moved(
    house: House, environment: dict[str, str], expected: datetime | None
) -> None:
    """`auto.only_future: false` takes everything, `auto.since` says from when on."""
    rules = await rules_of(load(environ=environment).settings, house.store, house.clock)

    assert rules.not_before == expected


# ------------------------------------------------------------------------------------------------------------- trouble


async def test_a_place_that_is_no_longer_known_lists_everything_once(house: House) -> None:
    """Nothing is lost and nothing comes twice when the source has forgotten where we were."""
    house.shelf.call("Ann")
    await house.discovery.tick()
    house.shelf.call("Ben")
    house.shelf.trouble[1] = CursorExpired("Too old.")

    assert await house.discovery.look() == "1 new"

    assert house.shelf.asked == [None, "1", None]
    assert len(await house.jobs()) == 2
    assert await house.store.cursor("shelf") == "2"


async def test_a_crash_between_two_pages_resumes_behind_the_first(house: House) -> None:
    """What was stored is not read again; what was not stored is not lost."""
    house.shelf.page_size = 2
    for n in range(6):
        house.shelf.call(f"Caller {n}")
    house.shelf.trouble[4] = SourceError("The line is dead.")
    with pytest.raises(SourceError):
        await house.discovery.look()
    assert len(await house.jobs()) == 4

    assert await house.discovery.look() == "2 new"
    assert house.shelf.asked == [None, "4"]


async def test_a_listing_that_failed_is_tried_again(house: House) -> None:
    """The nightly look at everything is not over before it has ended well."""
    house.shelf.call("Ann")
    await house.discovery.tick()
    house.discovery.list_all_next()
    house.shelf.trouble[0] = SourceError("The line is dead.")
    with pytest.raises(SourceError):
        await house.discovery.look()

    await house.discovery.look()
    await house.discovery.look()

    assert house.shelf.asked == [None, None, None, "1"]


@pytest.mark.parametrize("page_size", [1, 2, 100])
async def test_what_disappeared_unseen_is_found_missing_by_a_full_listing(house: House, page_size: int) -> None:
    """A feed whose place was lost cannot tell what was deleted meanwhile."""
    house.shelf.lists, house.shelf.page_size = True, page_size
    went, stays = house.shelf.call("Ann"), house.shelf.call("Ben")
    await house.discovery.tick()
    house.shelf.remove(went)
    house.discovery.list_all_next()

    await house.discovery.tick()

    jobs = await house.jobs()
    assert (jobs[went].status, jobs[went].skipped_by) == (Status.SKIPPED, SkippedBy.GONE)
    assert jobs[stays].status is Status.DISCOVERED


async def test_a_call_that_comes_while_everything_is_listed_is_not_missing(house: House) -> None:
    """The page that ends a listing is the feed's first one, and may bring something new."""
    house.shelf.lists = True
    house.shelf.call("Ann")
    await house.discovery.tick()
    house.discovery.list_all_next()
    late: list[str] = []

    async def ben_calls() -> str:
        pages = house.shelf.pages(None)
        assert (await anext(pages)).listing
        late.append(house.shelf.call("Ben"))
        return (await anext(pages)).files[0].file_id

    assert await ben_calls() == late[0]
    await house.discovery.tick()

    assert {job.status for job in (await house.jobs()).values()} == {Status.DISCOVERED}


async def test_a_locked_database_while_measuring_is_one_failed_tick(house: House, tmp_path: Path) -> None:
    """What keeps every call from being measured comes out as it is, not as a group of errors."""
    house.shelf.call("Ann")
    house.shelf.sidecar("Ann", seconds=120)
    await house.discovery.look()
    with closing(sqlite3.connect(tmp_path / "focusflow.db")) as other:
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(StoreBusy):
            await house.discovery.measure()

    assert await house.discovery.measure() == "1 measured"


async def test_a_waiting_call_gets_the_price_that_holds_now(make_house: MakeHouse) -> None:
    """Whoever sets a price, or changes it, need not wait for new calls to see it."""
    before = await make_house()
    before.shelf.call("Ann")
    before.shelf.sidecar("Ann", seconds=120)
    await before.discovery.tick()

    after = await make_house(micros_per_second=200)
    await after.discovery.tick()

    (job,) = (await after.jobs()).values()
    assert job.estimate_micros == 24_000


async def test_a_listing_that_was_interrupted_finds_nothing_missing(house: House) -> None:
    """What was not listed yet is not gone."""
    house.shelf.lists, house.shelf.page_size = True, 1
    found = [house.shelf.call("Ann"), house.shelf.call("Ben")]
    await house.discovery.tick()
    house.discovery.list_all_next()
    house.shelf.trouble[1] = SourceError("The line is dead.")
    with pytest.raises(SourceError):
        await house.discovery.look()

    jobs = await house.jobs()
    assert [jobs[file_id].status for file_id in found] == [Status.DISCOVERED] * 2


async def test_a_recording_that_disappears_is_skipped_and_comes_back(house: House) -> None:
    """The bin is not for ever."""
    found = house.shelf.call("Ann")
    await house.discovery.tick()
    file = house.shelf.feed[0]
    house.shelf.remove(found)
    await house.discovery.tick()
    assert (await house.jobs())[found].skip_reason == "no longer in shelf"

    house.shelf.feed.append(file)
    await house.discovery.tick()

    assert (await house.statuses())[found] is Status.DISCOVERED


def test_an_arrival_says_until_when_its_sidecar_is_waited_for(shelf: Shelf, house: House) -> None:
    """Whoever is refused by name does not wait."""
    shelf.call("Ann")
    shelf.call("Ben", arrow=" ↗")
    now = datetime(2026, 11, 23, 10, tzinfo=UTC)

    waiting, refused = (arrival(file, house.discovery._intake, now) for file in shelf.feed if not isinstance(file, str))

    assert (waiting.hold_until, waiting.skip_reason) == (now + WAIT, None)
    assert (refused.hold_until, refused.skipped_by) == (None, SkippedBy.RULE)


# --------------------------------------------------------------------------------------------------- a real local folder


async def test_a_real_folder_is_discovered_and_a_damaged_cursor_is_survived(
    house: House, clock: FakeClock, tmp_path: Path
) -> None:
    """The same discovery over the source that people without Drive use."""
    folder = tmp_path / "calls"
    folder.mkdir()
    (folder / "2026-11-23 09-00-00 (phone) Ann ↙.m4a").write_bytes(b"sound" * 1_000)
    (folder / "2026-11-23 09-00-00 (phone) Ann ↙.json").write_text('{"duration": "61000", "direction": "Incoming"}')
    source = FolderSource(folder, recursive=True, settle_seconds=0, clock=clock)
    discovery = Discovery(source=source, inbox=house.store, intake=house.discovery._intake, clock=clock)
    assert await discovery.tick() == "1 new, 1 measured"
    await house.store.absorb("folder", [], [], [], cursor="nonsense", now=clock.now(), skip_twins=True)

    assert await discovery.tick() == "0 new, 0 measured"

    (job,) = (await house.jobs()).values()
    assert (job.duration_seconds, job.source) == (61, "folder")


async def test_a_call_that_takes_the_place_of_a_pocket_dial_is_not_lost(
    house: House, clock: FakeClock, tmp_path: Path
) -> None:
    """Both files are replaced under their old names, and what was decided about the old ones is decided anew."""
    folder = tmp_path / "calls"
    folder.mkdir()
    sound = folder / "2026-11-23 09-00-00 (phone) Ann ↙.m4a"
    source = FolderSource(folder, recursive=True, settle_seconds=0, clock=clock)
    discovery = Discovery(source=source, inbox=house.store, intake=house.discovery._intake, clock=clock)
    sound.write_bytes(b"sound" * 1_000)
    sound.with_suffix(".json").write_text('{"duration": "3000"}')
    await discovery.tick()
    (job,) = (await house.jobs()).values()
    assert job.skip_reason == "shorter than 20 s (3 s)"

    sound.write_bytes(b"sound" * 100_000)
    sound.with_suffix(".json").write_text('{"duration": "166000"}')
    await discovery.tick()

    (job,) = (await house.jobs()).values()
    assert (job.status, job.skip_reason, job.duration_seconds) == (Status.DISCOVERED, None, 166)
