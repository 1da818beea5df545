"""What happens when Drive, the network or the key is in trouble, and what is a person told?"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import anyio
import pytest

from focusflow.errors import SourceError
from focusflow.providers.drive import DriveSource
from focusflow.providers.retry import RetryPolicy
from focusflow.sandbox.faults import Fault

if TYPE_CHECKING:
    from tests.providers.drive.conftest import Reader, World

LIST = r"^/drive/v3/files$"
CHANGES = r"^/drive/v3/changes$"


@pytest.mark.parametrize(
    "fault",
    [
        Fault(service="drive", kind="status", status=500, path=LIST),
        Fault(service="drive", kind="status", status=503, path=LIST, times=2),
        Fault(service="drive", kind="status", status=429, path=LIST, times=2),
        Fault(service="drive", kind="userRateLimitExceeded", path=LIST),
        Fault(service="drive", kind="reset_before", path=LIST, times=3),
        Fault(service="drive", kind="reset_after", path=LIST, times=3),
        Fault(service="drive", kind="truncate", bytes=100, path=LIST),
        Fault(service="drive", kind="bad_json", path=LIST),
        Fault(service="drive", kind="html", path=LIST),
        Fault(service="drive", kind="html", status=403, path=LIST),
        Fault(service="drive", kind="incomplete_search"),
        Fault(service="drive", kind="status", status=401, path=LIST),
        Fault(service="drive", kind="dribble", bytes=200, seconds=0.01, path=LIST),
        Fault(service="drive", kind="status", status=503, path="^/token$"),
        Fault(service="drive", kind="reset_before", path="^/token$"),
    ],
    ids=lambda fault: f"{fault.kind}-{fault.status or ''}-{fault.path}",
)
async def test_a_passing_trouble_is_waited_out(world: World, reader: Reader, fault: Fault) -> None:
    """Within seconds, in the adapter, and nothing is missing afterwards."""
    world.add_files(5)
    world.faults.add(fault)

    await reader.read(world.source(page_size=2))

    assert reader.names == world.truth()
    assert world.faults.pending == []


@pytest.mark.parametrize(
    ("fault", "sentence"),
    [
        (Fault(service="drive", kind="status", status=500, path=LIST, times=None), "trouble of its own"),
        (Fault(service="drive", kind="html", path=LIST, times=None), "answered in its place"),
        (Fault(service="drive", kind="reset_before", path=LIST, times=None), "cannot be reached"),
        (Fault(service="drive", kind="accessNotConfigured", times=None), "Drive API has not been used"),
        (Fault(service="drive", kind="insufficientFilePermissions", times=None), "Share the Google Drive folder"),
    ],
    ids=lambda value: value.kind if isinstance(value, Fault) else "",
)
async def test_a_lasting_trouble_is_one_sentence(world: World, reader: Reader, fault: Fault, sentence: str) -> None:
    """The next look tries again, from the same place."""
    world.add_files(5)
    source = world.source(credentials=world.service.service_account_info(), page_size=2)
    await reader.read(source, at_most=1)
    world.faults.add(fault)

    with pytest.raises(SourceError, match=sentence):
        await reader.read(source)
    world.faults.clear()
    await reader.read(source)

    assert reader.names == world.truth()


async def test_retry_after_is_honoured(world: World, reader: Reader) -> None:
    """We wait as long as we are asked to, if it is not long, and everyone else with us."""
    world.add_files(1)
    world.faults.add(Fault(service="drive", kind="status", status=429, retry_after=7, path=LIST))

    await reader.read(world.source())

    assert sum(world.clock.slept) == pytest.approx(7, abs=0.5)
    assert reader.names == world.truth()


async def test_a_long_retry_after_is_handed_on(world: World, reader: Reader) -> None:
    """What is too long to sit through goes to the schedule, with the number of seconds."""
    world.faults.add(Fault(service="drive", kind="status", status=429, retry_after=600, path=LIST, times=None))

    with pytest.raises(SourceError) as caught:
        await reader.read(world.source())

    assert caught.value.retry_after == pytest.approx(600, abs=1)
    assert world.asked(LIST) == 1


async def test_a_used_up_daily_quota_keeps_us_away_for_long(world: World, reader: Reader) -> None:
    """Asking every minute would not bring the quota back."""
    world.faults.add(Fault(service="drive", kind="dailyLimitExceeded", times=None))

    with pytest.raises(SourceError, match="quota is used up") as caught:
        await reader.read(world.source())

    assert caught.value.retry_after == pytest.approx(3600, abs=1)


async def test_a_call_that_hangs_ends_at_its_deadline(world: World, reader: Reader) -> None:
    """Not at the socket's, and the thread that waited is freed with it."""
    world.add_files(2)
    world.faults.add(Fault(service="drive", kind="stall", path=LIST, times=None))
    once = RetryPolicy(attempts=1, first_wait=0.01, longest_wait=0.01, jitter=0.0)
    source = world.source(call_deadline=3.0, policy=once)
    await source.check()
    begun = time.monotonic()

    with pytest.raises(SourceError, match="cannot be reached"):
        await reader.read(source)

    assert 2.5 < time.monotonic() - begun < 5


async def test_a_cancelled_look_returns_at_once_and_leaves_no_thread_waiting(world: World, reader: Reader) -> None:
    """Quitting does not wait for Google."""
    world.faults.add(Fault(service="drive", kind="stall", path=LIST, times=None))
    source = world.source(call_deadline=60.0)
    await source.check()
    begun = time.monotonic()

    with anyio.move_on_after(0.5) as scope:
        await reader.read(source)

    assert scope.cancelled_caught
    assert time.monotonic() - begun < 1.5
    await anyio.to_thread.run_sync(lambda: None)  # a thread is free


async def test_hung_calls_do_not_take_the_threads_of_others(world: World, reader: Reader) -> None:
    """Drive's threads are its own: files can still be written while Google is silent."""
    world.faults.add(Fault(service="drive", kind="stall", path=CHANGES, times=None))
    sources = [world.source(call_deadline=2.0, policy=RetryPolicy(attempts=1)) for _ in range(3)]

    async def look(source: DriveSource) -> None:
        with pytest.raises(SourceError):
            [page async for page in source.pages(None)]

    async with anyio.create_task_group() as group:
        for source in sources:
            group.start_soon(look, source)
        default = anyio.to_thread.current_default_thread_limiter()
        for _ in range(20):
            assert default.borrowed_tokens == 0
            await anyio.sleep(0.02)


async def test_an_expired_token_is_renewed_once_for_everybody(world: World, reader: Reader) -> None:
    """Ten calls that find their token refused fetch one new token."""
    world.add_files(3)
    source = world.source()
    await reader.read(source)
    world.log.clear()
    world.service.tokens.expire_access_tokens()

    async with anyio.create_task_group() as group:
        for _ in range(6):
            group.start_soon(source.check)

    assert world.asked("^/token$") == 1


async def test_a_token_that_is_always_refused_names_the_key(world: World, reader: Reader) -> None:
    """Two tries, then a sentence with the name of the setting."""
    world.faults.add(Fault(service="drive", kind="status", status=401, path="/drive/v3/", times=None))
    source = world.source(credentials=world.service.service_account_info())

    with pytest.raises(SourceError, match="GOOGLE_SERVICE_ACCOUNT_KEY"):
        await reader.read(source)

    assert world.asked("/drive/v3/") == 2


async def test_a_deleted_key_names_the_setting(world: World, reader: Reader) -> None:
    """invalid_grant is for a person to mend; it is not tried again and again."""
    source = world.source(credentials=world.service.service_account_info())
    await reader.read(source)
    world.service.tokens.revoke_credentials()
    world.log.clear()

    with pytest.raises(SourceError, match="GOOGLE_SERVICE_ACCOUNT_KEY"):
        await reader.read(source)

    assert world.asked("^/token$") == 1


@pytest.mark.parametrize(
    "credentials",
    [
        {"type": "service_account"},
        {
            "client_email": "a@b.example",
            "private_key": "-----BEGIN PRIVATE KEY-----\nnonsense\n-----END PRIVATE KEY-----",
        },
        {"client_email": "a@b.example", "private_key": "SECRET"},
        {"refresh_token": "SECRET"},
    ],
)
async def test_a_key_that_is_none_is_said_without_quoting_it(
    world: World, reader: Reader, credentials: dict[str, str]
) -> None:
    """The sentence goes to logs and screens, so the key is not in it."""
    source = world.source(credentials=credentials)

    (problem,) = await source.check()

    assert "GOOGLE_SERVICE_ACCOUNT_KEY" in problem
    assert "SECRET" not in problem
    assert "BEGIN" not in problem


async def test_check_is_silent_when_recordings_can_be_read(world: World) -> None:
    """Nothing to say is an empty list."""
    assert await world.source().check() == []


async def test_check_says_whom_to_share_with(world: World) -> None:
    """The most frequent mistake: the folder is not shared with the service account."""
    source = world.source(credentials=world.service.service_account_info(), folder_id="1NotSharedWithUs")

    (problem,) = await source.check()

    assert "Share the Google Drive folder 1NotSharedWithUs with focusflow@sandbox-project" in problem
    assert "GOOGLE_DRIVE_FOLDER_ID" in problem


async def test_check_notices_a_file_in_place_of_a_folder(world: World) -> None:
    """The id of a file was pasted."""
    file_id = world.files.add_file("call.mp3", size=10)

    (problem,) = await world.source(folder_id=file_id).check()

    assert '"call.mp3"' in problem
    assert "not of a folder" in problem


async def test_nothing_listens_at_the_endpoint(world: World) -> None:
    """A wrong address is said like any other network trouble."""
    source = DriveSource(
        credentials=world.service.user_credentials_info(),
        folder_id="x",
        base_url="http://127.0.0.1:9/drive/v3",
        clock=world.clock,
        policy=RetryPolicy(attempts=2, first_wait=0.01, longest_wait=0.01, jitter=0.0),
    )
    async with source:
        (problem,) = await source.check()

    assert "cannot be reached" in problem
