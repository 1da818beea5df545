"""The recordings are real audio files, small, all different where they should be, and named as Cube ACR names them."""

import hashlib
import io
import wave
from datetime import date
from pathlib import Path

import pytest
from tinytag import TinyTag

from focusflow.sandbox import audio
from focusflow.sandbox.recordings import Recording, ensure_folder, standard_recordings
from focusflow.sandbox.scripts import SCRIPTS

TODAY = date(2026, 11, 23)

AMR_FRAME_SIZES = {0: 13, 8: 6, 15: 1}
"""Bytes of a frame with its header, by frame type (3GPP TS 26.101), of the types we write."""


@pytest.fixture(scope="module")
def recordings() -> list[Recording]:
    return standard_recordings(TODAY)


def duration_of(recording: Recording) -> float:
    """Seconds, as tinytag reads them from the container; AMR, which it does not know, by walking the frames."""
    if recording.file_name.endswith(".amr"):
        return amr_seconds(recording.content)
    tag = TinyTag.get(recording.file_name, file_obj=io.BytesIO(recording.content))
    assert tag.duration is not None
    return tag.duration


def amr_seconds(content: bytes) -> float:
    assert content.startswith(b"#!AMR\n")
    position, frames = 6, 0
    while position < len(content):
        assert content[position] & 0x87 == 0x04 & 0x87, "padding bits are zero, the quality bit is set"
        position += AMR_FRAME_SIZES[content[position] >> 3 & 15]
        frames += 1
    assert position == len(content)
    return frames * 0.02


def test_every_recording_lasts_as_long_as_its_script(recordings: list[Recording]) -> None:
    """A reader of containers finds the script's duration within a second, whatever the format."""
    for recording in recordings:
        expected = SCRIPTS[recording.script_key].duration_seconds if recording.script_key else duration_of(recording)
        assert duration_of(recording) == pytest.approx(expected, abs=1), recording.file_name
        assert recording.duration_seconds == pytest.approx(expected, abs=1)


def test_the_whole_set_is_small(recordings: list[Recording]) -> None:
    """An hour of call included, everything fits in 2 MB."""
    assert sum(len(recording.content) for recording in recordings) < 2_000_000
    (hour,) = (recording for recording in recordings if recording.script_key == "team-retro-hour")
    assert duration_of(hour) == pytest.approx(3600, abs=1)


def test_a_dozen_scripts_are_spoken_and_only_the_twin_repeats_bytes(recordings: list[Recording]) -> None:
    """Every script has a recording; contents are unique, except for the one call that was uploaded twice."""
    assert {recording.script_key for recording in recordings} - {None} == set(SCRIPTS)
    digests = [hashlib.md5(recording.content).hexdigest() for recording in recordings]
    twins = [recording for recording, digest in zip(recordings, digests, strict=True) if digests.count(digest) > 1]
    assert [recording.script_key for recording in twins] == ["sales-quote", "sales-quote"]
    assert twins[0].file_name != twins[1].file_name
    assert len({(recording.folder, recording.file_name) for recording in recordings}) == len(recordings)


def test_the_awkward_cases_are_all_there(recordings: list[Recording]) -> None:
    """A pocket dial, an outgoing call, a late sidecar, a foreign name, three sources, five formats, three days."""
    by_key = {recording.script_key: recording for recording in recordings}
    assert duration_of(by_key["pocket-dial"]) == pytest.approx(3, abs=0.01)
    assert [recording.script_key for recording in recordings if "↗" in recording.file_name] == ["job-interview"]
    assert [recording.script_key for recording in recordings if recording.sidecar_delay_seconds] == ["landlord-repair"]
    assert "Voice 004.m4a" in {recording.file_name for recording in recordings}
    assert {SCRIPTS[recording.script_key].language for recording in recordings if recording.script_key} >= {"de", "es"}
    for source in ("(phone)", "(whatsapp)", "(mic)"):
        assert any(source in recording.file_name for recording in recordings)
    assert {recording.file_name.rpartition(".")[2] for recording in recordings} == {"m4a", "amr", "mp3", "ogg", "wav"}
    assert {recording.folder for recording in recordings} == {"2026-11-21", "2026-11-22", "2026-11-23"}


def test_a_sidecar_is_what_cube_acr_writes(recordings: list[Recording]) -> None:
    """The duration is milliseconds in a string, and location and address are there to be ignored."""
    (sales, _) = (recording for recording in recordings if recording.script_key == "sales-quote")
    assert sales.sidecar is not None
    assert set(sales.sidecar) == {"duration", "loc", "callee", "addr", "direction"}
    assert int(sales.sidecar["duration"]) // 1000 == SCRIPTS["sales-quote"].duration_seconds
    assert sales.sidecar_name == sales.file_name.replace(".m4a", ".json")
    assert all(len(recording.sidecar_bytes or b"") < 220 for recording in recordings)


def test_the_bytes_do_not_depend_on_the_day(recordings: list[Recording]) -> None:
    """A checksum registered yesterday still names the same conversation today."""
    later = standard_recordings(date(2031, 1, 1))
    assert [recording.content for recording in later] == [recording.content for recording in recordings]
    assert later[-1].folder == "2031-01-01"


def test_a_wav_is_read_by_the_standard_library() -> None:
    """PCM, mono, 8 kHz."""
    with wave.open(io.BytesIO(audio.wav(2.5, "seed"))) as reader:
        assert (reader.getnchannels(), reader.getframerate(), reader.getsampwidth()) == (1, 8000, 1)
        assert reader.getnframes() == 20_000


def test_an_m4a_points_at_its_own_frames() -> None:
    """The chunk offset leads to the first frame, and the sizes add up to the media box."""
    content = audio.m4a(10, "seed", bytes_per_second=500)
    offset = int.from_bytes(content[content.index(b"stco") + 12 :][:4], "big")
    assert content[offset - 4 : offset] == b"mdat"
    size, count = (int.from_bytes(content[content.index(b"stsz") + 8 + 4 * field :][:4], "big") for field in (0, 1))
    assert offset + size * count == len(content)


@pytest.mark.parametrize("encode", [audio.wav, audio.amr, audio.mp3, audio.m4a, audio.opus])
def test_a_seed_decides_the_bytes(encode: object) -> None:
    """Same seed, same file; other seed, other file of the same length."""
    assert callable(encode)
    one, again, other = encode(3, "a"), encode(3, "a"), encode(3, "b")
    assert one == again != other


def test_the_folder_is_written_once(tmp_path: Path) -> None:
    """The local-folder source gets the same files in day folders, and a second call changes nothing."""
    files = ensure_folder(tmp_path, TODAY)
    before = {file: file.stat().st_mtime_ns for file in tmp_path.rglob("*.*")}
    assert len(files) == len(standard_recordings(TODAY))
    assert len(list(tmp_path.rglob("*.json"))) == sum(1 for r in standard_recordings(TODAY) if r.sidecar)
    ensure_folder(tmp_path, TODAY)
    assert {file: file.stat().st_mtime_ns for file in tmp_path.rglob("*.*")} == before
