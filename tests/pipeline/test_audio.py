"""Is a recording's length read from its own header, and never made up?"""

from __future__ import annotations

import struct
from datetime import date
from random import Random
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from focusflow.pipeline.audio import header_seconds
from focusflow.sandbox import audio
from focusflow.sandbox.recordings import Recording, standard_recordings

if TYPE_CHECKING:
    from pathlib import Path

RECORDINGS = standard_recordings(date(2026, 11, 23))
SAMPLES = {
    ".wav": audio.wav(2, "a"),
    ".mp3": audio.mp3(2, "a"),
    ".m4a": audio.m4a(2, "a", bytes_per_second=500),
    ".ogg": audio.opus(2, "a"),
    ".amr": audio.amr(2, "a"),
}


@pytest.mark.parametrize("recording", RECORDINGS, ids=lambda recording: recording.file_name)
def test_every_recording_of_the_sandbox_tells_its_length(recording: Recording, tmp_path: Path) -> None:
    """Whatever its container, the header is right to the tenth of a second."""
    path = tmp_path / f"audio.{recording.file_name.rpartition('.')[2]}"
    path.write_bytes(recording.content)
    assert header_seconds(path) == pytest.approx(recording.duration_seconds, abs=0.1)


@pytest.mark.parametrize("suffix", [*SAMPLES, ".3gp", ".aac", ".flac", ""])
@pytest.mark.parametrize("content", [b"", b"\0" * 100, b"not audio at all", b"#!AMR-WB\n\x04\x04"])
def test_what_is_no_audio_has_no_length(tmp_path: Path, suffix: str, content: bytes) -> None:
    """The transcriber will tell, free of charge, what it makes of it."""
    path = tmp_path / f"audio{suffix}"
    path.write_bytes(content)
    assert header_seconds(path) is None


def test_an_amr_file_without_a_frame_has_no_length(tmp_path: Path) -> None:
    """Nothing is not zero seconds: the rules must not decide by it."""
    path = tmp_path / "audio.amr"
    path.write_bytes(b"#!AMR\n")
    assert header_seconds(path) is None


@pytest.mark.parametrize("seed", range(10))
def test_what_a_header_says_that_cannot_be_true_is_not_believed(tmp_path: Path, seed: int) -> None:
    """Three hundred kilobytes of noise have frames of an MP3 in them by chance, and are no call of a tenth of a second."""
    path = tmp_path / "audio.mp3"
    path.write_bytes(Random(seed).randbytes(300_000))
    assert header_seconds(path) is None


def test_the_richest_sound_there_is_keeps_its_length(tmp_path: Path) -> None:
    """Uncompressed, at the rate of a studio: the bound is beyond it."""
    path = tmp_path / "audio.wav"
    rate, width = 96_000, 6
    head = struct.pack("<4sI4s4sIHHIIHH4sI", b"RIFF", 36 + rate * width, b"WAVE", b"fmt ", 16, 1, 2, rate, rate * width,
                       width, 24, b"data", rate * width)  # fmt: skip
    path.write_bytes(head + bytes(rate * width))
    assert header_seconds(path) == pytest.approx(1)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=300)
@given(data=st.data())
def test_a_damaged_file_is_read_or_not_but_never_an_error(tmp_path: Path, data: st.DataObject) -> None:
    """Cut anywhere, with any bytes overwritten: a length or None."""
    suffix = data.draw(st.sampled_from(sorted(SAMPLES)))
    content = bytearray(SAMPLES[suffix])
    for _ in range(data.draw(st.integers(0, 4))):
        at = data.draw(st.integers(0, min(len(content), 400) - 1))
        junk = data.draw(st.binary(min_size=1, max_size=8))
        content[at : at + len(junk)] = junk
    path = tmp_path / f"audio{suffix}"
    path.write_bytes(content[: data.draw(st.integers(0, len(content)))])
    seconds = header_seconds(path)
    assert seconds is None or seconds > 0
