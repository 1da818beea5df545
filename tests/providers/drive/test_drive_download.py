"""Does a recording get here whole, whatever happens on the way?"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

import anyio
import pytest
from aiohttp import web

from focusflow.errors import Held, HoldKind, Permanent, Transient
from focusflow.sandbox.faults import Fault

if TYPE_CHECKING:
    from pathlib import Path

    from tests.providers.drive.conftest import World

MEDIA = r"^/drive/v3/files/."
MEGABYTE = 1024 * 1024


class Meter:
    """Hears how far a download is."""

    def __init__(self) -> None:
        self.heard: list[tuple[int, int | None]] = []

    def __call__(self, done: int, total: int | None) -> None:
        self.heard.append((done, total))


@pytest.fixture
def meter() -> Meter:
    return Meter()


@pytest.fixture
def call(world: World) -> tuple[str, str]:
    """A recording of some megabytes in Drive: its id and its checksum."""
    file_id = world.files.add_file("call.mp3", size=5 * MEGABYTE + 123)
    return file_id, world.md5(file_id)


def md5_of(path: Path) -> str:
    return hashlib.md5(path.read_bytes(), usedforsecurity=False).hexdigest()


def names_in(directory: Path) -> list[str]:
    return sorted(path.name for path in directory.iterdir())


async def test_a_recording_arrives_whole_with_one_request(
    world: World, call: tuple[str, str], meter: Meter, tmp_path: Path
) -> None:
    """With its checksum verified, no part file left, and progress told on the way."""
    file_id, md5 = call
    target = tmp_path / "call.mp3"

    done = await world.source().download(file_id, target, expected_md5=md5, progress=meter)

    assert (done.path, done.size, done.md5) == (target, 5 * MEGABYTE + 123, md5)
    assert md5_of(target) == md5
    assert names_in(tmp_path) == ["call.mp3"]
    assert world.asked(MEDIA) == 1
    assert meter.heard[-1] == (done.size, done.size)
    assert len(meter.heard) >= 5
    assert world.log.requests("drive", path=MEDIA)[0].headers["accept-encoding"] == "identity"


async def test_without_a_known_checksum_drive_is_asked_for_it(
    world: World, call: tuple[str, str], meter: Meter, tmp_path: Path
) -> None:
    """A recording is never taken unverified."""
    file_id, md5 = call

    done = await world.source().download(file_id, tmp_path / "call.mp3", expected_md5=None, progress=meter)

    assert done.md5 == md5
    assert world.asked(MEDIA) == 2


async def test_what_is_in_place_already_is_not_fetched_again(
    world: World, call: tuple[str, str], meter: Meter, tmp_path: Path
) -> None:
    """After a crash between download and upload nothing is downloaded twice."""
    file_id, md5 = call
    source = world.source()
    await source.download(file_id, tmp_path / "call.mp3", expected_md5=md5, progress=meter)
    world.log.clear()

    done = await source.download(file_id, tmp_path / "call.mp3", expected_md5=md5, progress=meter)

    assert done.md5 == md5
    assert len(world.log) == 0


@pytest.mark.parametrize("kind", ["truncate", "reset_after", "stall"])
async def test_a_broken_download_goes_on_where_it_broke(
    world: World, call: tuple[str, str], meter: Meter, tmp_path: Path, kind: str
) -> None:
    """By Range, not from the start, however often it breaks."""
    file_id, md5 = call
    for passed in range(6):
        world.faults.add(Fault(service="drive", kind=kind, path=MEDIA, bytes=700_000 if kind != "reset_after" else 0))
        if kind == "reset_after" and passed == 2:
            break

    source = world.source(read_timeout=0.3)
    done = await source.download(file_id, tmp_path / "call.mp3", expected_md5=md5, progress=meter)

    assert done.md5 == md5_of(tmp_path / "call.mp3") == md5
    starts = [entry.headers.get("range") for entry in world.log.requests("drive", path=MEDIA)]
    if kind == "reset_after":
        assert starts == [None] * 4, "nothing had come yet"
    else:
        assert starts == [None, *(f"bytes={700_000 * (number + 1)}-" for number in range(6))]


async def test_a_download_goes_on_in_the_next_process(
    world: World, call: tuple[str, str], meter: Meter, tmp_path: Path
) -> None:
    """What an attempt left is taken up by the next one, after a restart too."""
    file_id, md5 = call
    world.faults.add(
        Fault(service="drive", kind="truncate", path=MEDIA, bytes=2 * MEGABYTE),
        Fault(service="drive", kind="reset_before", path=MEDIA, times=None),
    )
    with pytest.raises(Transient):
        await world.source().download(file_id, tmp_path / "call.mp3", expected_md5=md5, progress=meter)
    world.faults.clear()
    world.log.clear()

    done = await world.source().download(file_id, tmp_path / "call.mp3", expected_md5=md5, progress=meter)

    assert done.md5 == md5
    (request,) = world.log.requests("drive", path=MEDIA)
    assert request.headers["range"] == f"bytes={2 * MEGABYTE}-"


async def test_a_cancelled_download_leaves_its_part_for_the_next(
    world: World, call: tuple[str, str], meter: Meter, tmp_path: Path
) -> None:
    """Shutting down in the middle costs at most the last piece."""
    file_id, md5 = call
    world.faults.add(Fault(service="drive", kind="stall", path=MEDIA, bytes=3 * MEGABYTE))
    source = world.source()
    with anyio.move_on_after(0.7) as scope:
        await source.download(file_id, tmp_path / "call.mp3", expected_md5=md5, progress=meter)
    assert scope.cancelled_caught
    world.log.clear()

    await source.download(file_id, tmp_path / "call.mp3", expected_md5=md5, progress=meter)

    (request,) = world.log.requests("drive", path=MEDIA)
    assert int(request.headers["range"].removeprefix("bytes=").removesuffix("-")) >= 2 * MEGABYTE
    assert md5_of(tmp_path / "call.mp3") == md5


async def test_a_whole_part_file_is_finished_without_its_bytes_again(
    world: World, call: tuple[str, str], meter: Meter, tmp_path: Path
) -> None:
    """A crash just before the rename: the range beyond the end says that all is there."""
    file_id, md5 = call
    source = world.source()
    await source.download(file_id, tmp_path / "whole", expected_md5=md5, progress=meter)
    (tmp_path / "whole").rename(tmp_path / "call.mp3.part")

    done = await source.download(file_id, tmp_path / "call.mp3", expected_md5=md5, progress=meter)

    assert done.md5 == md5
    assert world.log.requests("drive", path=MEDIA)[-1].status == 416


async def test_a_wrong_part_file_is_found_out_by_the_checksum(
    world: World, call: tuple[str, str], meter: Meter, tmp_path: Path
) -> None:
    """Whatever lay there, the result is the recording."""
    file_id, md5 = call
    (tmp_path / "call.mp3.part").write_bytes(b"something else" * 1000)

    done = await world.source().download(file_id, tmp_path / "call.mp3", expected_md5=md5, progress=meter)

    assert done.md5 == md5_of(tmp_path / "call.mp3") == md5


async def test_a_part_file_longer_than_the_recording_is_thrown_away(world: World, meter: Meter, tmp_path: Path) -> None:
    """The recording was replaced by a shorter one since."""
    file_id = world.files.add_file("call.mp3", content=b"short")
    (tmp_path / "call.mp3.part").write_bytes(b"something longer")

    done = await world.source().download(file_id, tmp_path / "call.mp3", expected_md5=None, progress=meter)

    assert (tmp_path / "call.mp3").read_bytes() == b"short"
    assert done.size == 5


async def test_a_recording_that_was_replaced_is_fetched_as_it_is_now(
    world: World, call: tuple[str, str], meter: Meter, tmp_path: Path
) -> None:
    """The checksum we were given is of the old version: Drive is asked for the new one, and that is what we get."""
    file_id, old_md5 = call
    world.files.replace_content(file_id, size=2 * MEGABYTE)

    done = await world.source().download(file_id, tmp_path / "call.mp3", expected_md5=old_md5, progress=meter)

    assert done.md5 == world.md5(file_id) != old_md5
    assert done.size == 2 * MEGABYTE


async def test_a_recording_replaced_while_it_breaks_is_not_glued_together(
    world: World, call: tuple[str, str], meter: Meter, tmp_path: Path
) -> None:
    """Half of one version and half of another have no right checksum."""
    file_id, old_md5 = call
    world.faults.add(
        Fault(service="drive", kind="truncate", path=MEDIA, bytes=MEGABYTE),
        Fault(service="drive", kind="reset_before", path=MEDIA, times=None),
    )
    with pytest.raises(Transient):
        await world.source().download(file_id, tmp_path / "call.mp3", expected_md5=old_md5, progress=meter)
    world.faults.clear()
    assert (tmp_path / "call.mp3.part").stat().st_size == MEGABYTE
    world.files.replace_content(file_id, content=bytes(range(256)) * 20_000)

    done = await world.source().download(file_id, tmp_path / "call.mp3", expected_md5=old_md5, progress=meter)

    assert done.md5 == md5_of(tmp_path / "call.mp3") == world.md5(file_id)


async def test_a_checksum_that_never_fits_is_given_up_for_now(
    world: World, call: tuple[str, str], meter: Meter, tmp_path: Path
) -> None:
    """Some versions are tried, then it is left for later; nothing unverified is put in place."""
    file_id, _ = call
    world.file(file_id).md5 = "0" * 32

    with pytest.raises(Transient, match="damaged"):
        await world.source().download(file_id, tmp_path / "call.mp3", expected_md5="1" * 32, progress=meter)

    assert not (tmp_path / "call.mp3").exists()


async def test_a_proxys_page_is_not_taken_for_a_recording(
    world: World, call: tuple[str, str], meter: Meter, tmp_path: Path
) -> None:
    """A sign-in page with status 200 is somebody else's answer."""
    file_id, md5 = call
    world.faults.add(Fault(service="drive", kind="html", path=MEDIA, times=2))

    done = await world.source().download(file_id, tmp_path / "call.mp3", expected_md5=md5, progress=meter)

    assert done.md5 == md5


async def test_a_recording_that_is_gone_is_a_permanent_failure(
    world: World, call: tuple[str, str], meter: Meter, tmp_path: Path
) -> None:
    """With a sentence that says so, after one request."""
    file_id, md5 = call
    world.files.delete(file_id)

    with pytest.raises(Permanent, match="no longer in Google Drive"):
        await world.source().download(file_id, tmp_path / "call.mp3", expected_md5=md5, progress=meter)

    assert world.asked(MEDIA) == 1


async def test_a_proxys_404_does_not_prove_that_a_recording_is_gone(
    world: World, call: tuple[str, str], meter: Meter, tmp_path: Path
) -> None:
    """Only Drive's own words do."""
    file_id, md5 = call
    world.faults.add(Fault(service="drive", kind="html", status=404, path=MEDIA, times=None))

    with pytest.raises(Transient):
        await world.source().download(file_id, tmp_path / "call.mp3", expected_md5=md5, progress=meter)


@pytest.mark.parametrize("reason", ["cannotDownloadFile", "cannotDownloadAbusiveFile", "insufficientFilePermissions"])
async def test_a_recording_that_may_not_be_read_is_a_permanent_failure(
    world: World, call: tuple[str, str], meter: Meter, tmp_path: Path, reason: str
) -> None:
    """Google's own words are in the sentence."""
    file_id, md5 = call
    world.faults.add(Fault(service="drive", kind=reason, path=MEDIA))

    with pytest.raises(Permanent, match=r"may not be (down|read)"):
        await world.source().download(file_id, tmp_path / "call.mp3", expected_md5=md5, progress=meter)


async def test_an_empty_recording_is_a_permanent_failure(world: World, meter: Meter, tmp_path: Path) -> None:
    """There is nothing to pay for."""
    file_id = world.files.add_file("call.mp3", content=b"")

    with pytest.raises(Permanent, match="empty"):
        await world.source().download(file_id, tmp_path / "call.mp3", expected_md5=None, progress=meter)


async def test_a_refused_key_holds_the_job(world: World, call: tuple[str, str], meter: Meter, tmp_path: Path) -> None:
    """It comes back by itself when the key is mended; it is not a failed job."""
    file_id, md5 = call
    source = world.source(credentials=world.service.service_account_info())
    world.service.tokens.revoke_credentials()

    with pytest.raises(Held, match="GOOGLE_SERVICE_ACCOUNT_KEY") as caught:
        await source.download(file_id, tmp_path / "call.mp3", expected_md5=md5, progress=meter)

    assert caught.value.kind is HoldKind.CREDENTIALS


async def test_a_used_up_quota_holds_the_job(world: World, call: tuple[str, str], meter: Meter, tmp_path: Path) -> None:
    """And says how long to wait."""
    file_id, md5 = call
    world.faults.add(Fault(service="drive", kind="quotaExceeded", path=MEDIA))

    with pytest.raises(Held) as caught:
        await world.source().download(file_id, tmp_path / "call.mp3", expected_md5=md5, progress=meter)

    assert caught.value.kind is HoldKind.RATE_LIMIT
    assert caught.value.retry_after == 3600


async def test_one_file_in_demand_holds_nobody_else(
    world: World, call: tuple[str, str], meter: Meter, tmp_path: Path
) -> None:
    """The download quota of a file is that file's own."""
    file_id, md5 = call
    world.faults.add(Fault(service="drive", kind="downloadQuotaExceeded", path=MEDIA))
    source = world.source()
    with pytest.raises(Held) as caught:
        await source.download(file_id, tmp_path / "call.mp3", expected_md5=md5, progress=meter)
    assert caught.value.kind is HoldKind.SERVICE

    await source.download(file_id, tmp_path / "call.mp3", expected_md5=md5, progress=meter)

    assert world.clock.slept == []


async def test_an_expired_token_is_renewed_in_the_middle_of_a_download(
    world: World, call: tuple[str, str], meter: Meter, tmp_path: Path
) -> None:
    """A token lives an hour; a resume after that fetches another."""
    file_id, md5 = call
    source = world.source()
    await source.check()
    world.service.tokens.expire_access_tokens()

    done = await source.download(file_id, tmp_path / "call.mp3", expected_md5=md5, progress=meter)

    assert done.md5 == md5
    assert world.asked("^/token$") == 2


async def test_a_part_file_is_never_written_through_a_link(
    world: World, call: tuple[str, str], meter: Meter, tmp_path: Path
) -> None:
    """What is behind it is not ours."""
    file_id, md5 = call
    (tmp_path / "precious").write_bytes(b"precious")
    (tmp_path / "call.mp3.part").symlink_to(tmp_path / "precious")

    with pytest.raises(Transient, match="cannot be written"):
        await world.source().download(file_id, tmp_path / "call.mp3", expected_md5=md5, progress=meter)

    assert (tmp_path / "precious").read_bytes() == b"precious"


async def test_a_server_that_ignores_ranges_and_always_breaks_is_not_asked_for_ever(
    world: World, meter: Meter, tmp_path: Path
) -> None:
    """Headway counts from the furthest point reached, so starting over again and again is none."""
    asked = []

    async def answer(request: web.Request) -> web.StreamResponse:
        asked.append(request.headers.get("Range"))
        response = web.StreamResponse()
        response.content_length = 5 * MEGABYTE
        await response.prepare(request)
        await response.write(b"x" * MEGABYTE)
        assert request.transport is not None
        request.transport.close()
        return response

    app = web.Application()
    app.router.add_get("/files/call", answer)
    runner = web.AppRunner(app)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        source = world.source(base_url=f"http://127.0.0.1:{runner.addresses[0][1]}")
        with pytest.raises(Transient, match="cannot be reached"):
            await source.download("call", tmp_path / "call.mp3", expected_md5="0" * 32, progress=meter)
    finally:
        await runner.cleanup()

    assert asked == [None] + [f"bytes={MEGABYTE}-"] * 4, "one with headway, then four without"


async def test_downloads_run_side_by_side(world: World, meter: Meter, tmp_path: Path) -> None:
    """Four at once, each with its own bytes."""
    files = [world.files.add_file(f"call {n}.mp3", size=MEGABYTE + n) for n in range(4)]
    source = world.source()

    async def download(file_id: str) -> None:
        md5 = world.md5(file_id)
        await source.download(file_id, tmp_path / file_id, expected_md5=md5, progress=meter)

    async with anyio.create_task_group() as group:
        for file_id in files:
            group.start_soon(download, file_id)

    assert {md5_of(tmp_path / file_id) for file_id in files} == {world.md5(file_id) for file_id in files}


async def test_a_sidecar_is_read_and_a_large_file_only_as_far_as_allowed(world: World) -> None:
    """Sidecars are small; what claims to be one and is not costs no memory."""
    small = world.files.add_file("call.json", content=b'{"duration": 1}', mime_type="application/json")
    large = world.files.add_file("huge.json", size=50 * MEGABYTE, mime_type="application/json")
    empty = world.files.add_file("empty.json", content=b"", mime_type="application/json")
    source = world.source()

    assert await source.read_small(small) == b'{"duration": 1}'
    assert len(await source.read_small(large, limit=1000)) == 1000
    assert await source.read_small(empty) == b""


async def test_a_sidecar_that_is_gone_or_cannot_be_read_now(world: World) -> None:
    """Gone is final; everything else is tried again."""
    source = world.source()
    gone = world.files.add_file("call.json", content=b"{}")
    world.files.delete(gone)
    with pytest.raises(Permanent, match="no longer in Google Drive"):
        await source.read_small(gone)

    there = world.files.add_file("call.json", content=b"{}")
    world.faults.add(Fault(service="drive", kind="dailyLimitExceeded", path=MEDIA))
    with pytest.raises(Transient):
        await source.read_small(there)
