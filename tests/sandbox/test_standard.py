"""The standard sandbox is wired so that a recording can be followed from Drive to its transcript."""

import hashlib
from datetime import date

import aiohttp

from focusflow.sandbox.assemblyai import API_KEY
from focusflow.sandbox.drive.files import FOLDER
from focusflow.sandbox.notion import API_KEY as NOTION_KEY
from focusflow.sandbox.recordings import standard_recordings
from focusflow.sandbox.scripts import SCRIPTS
from focusflow.sandbox.server import build_sandbox
from focusflow.sandbox.service import UnixClock

TODAY = date(2026, 11, 23)


async def test_the_four_services_share_a_port_a_bill_and_a_plan(clock: UnixClock) -> None:
    """Each is mounted under its own prefix and found under its own name."""
    async with build_sandbox(clock=clock, recordings=False) as sandbox:
        services = [sandbox.drive, sandbox.assemblyai, sandbox.openai, sandbox.notion]
        assert [service.root_url for service in services] == [sandbox.root_url] * 4
        assert len({service.prefix for service in services}) == 4
        assert all(service.bill is sandbox.bill for service in services)
        assert sandbox.drive.files.everything()[1:] == []


async def test_what_lies_in_drive_can_be_understood_by_the_transcriber(clock: UnixClock) -> None:
    """A recording downloaded from Drive and uploaded to AssemblyAI says what its script says."""
    async with build_sandbox(clock=clock, today=TODAY, speed=1000) as sandbox, aiohttp.ClientSession() as session:
        (spanish,) = (recording for recording in standard_recordings(TODAY) if recording.script_key == "spanish-order")
        file = sandbox.drive.files.named(spanish.file_name)
        media = f"{sandbox.drive.api_url}files/{file.id}?alt=media"
        async with session.get(media, headers={"Authorization": f"Bearer {sandbox.drive.tokens.issue()}"}) as answer:
            audio = await answer.read()
        assert hashlib.md5(audio).hexdigest() == file.md5
        speech, headers = sandbox.url_of("assemblyai"), {"Authorization": API_KEY}
        async with session.post(f"{speech}/v2/upload", data=audio, headers=headers) as answer:
            upload_url = (await answer.json())["upload_url"]
        order = {"audio_url": upload_url, "speech_models": ["universal-3-5-pro"], "language_detection": True}
        async with session.post(f"{speech}/v2/transcript", json=order, headers=headers) as answer:
            transcript_id = (await answer.json())["id"]
        clock.advance(60)  # type: ignore[attr-defined]  # the hand-turned clock
        async with session.get(f"{speech}/v2/transcript/{transcript_id}", headers=headers) as answer:
            transcript = await answer.json()
        assert transcript["status"] == "completed"
        assert SCRIPTS["spanish-order"].utterances[0][3] in transcript["text"]
        assert len(sandbox.bill.of("assemblyai")) == 1


async def test_each_service_lets_in_only_its_own_key(clock: UnixClock) -> None:
    """A wrong key is found out here as it is by the real ones."""
    version = {"Notion-Version": "2026-03-11"}
    async with build_sandbox(clock=clock, recordings=False) as sandbox, aiohttp.ClientSession() as session:
        doors = {
            f"{sandbox.url_of('assemblyai')}/v2/transcript": "",
            f"{sandbox.url_of('openai')}/v1/models": "Bearer ",
            f"{sandbox.url_of('notion')}/v1/users/me": "Bearer ",
        }
        for url, scheme in doors.items():
            async with session.get(url, headers={"Authorization": f"{scheme}wrong", **version}) as answer:
                assert answer.status == 401, url
        async with session.get(url, headers={"Authorization": f"Bearer {NOTION_KEY}", **version}) as answer:
            assert answer.status == 200


async def test_a_second_sandbox_with_the_same_seed_holds_the_same_files(clock: UnixClock) -> None:
    """Ids are deterministic, so a demo that starts again finds its recordings where they were."""
    first = build_sandbox(clock=clock, today=TODAY, seed=3)
    again = build_sandbox(clock=clock, today=TODAY, seed=3)
    assert [file.id for file in first.drive.files.everything()] == [file.id for file in again.drive.files.everything()]
    folders = [file.name for file in first.drive.files.everything() if file.mime_type == FOLDER]
    assert folders == ["Cube ACR", "2026-11-21", "2026-11-22", "2026-11-23"]
