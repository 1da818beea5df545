"""Recordings and their sidecars are told apart, brought together and read without trust."""

import json
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from focusflow.domain.jobs import Direction
from focusflow.domain.recordings import Sidecar, estimated_seconds, is_audio, is_sidecar, read_sidecar, stem


@pytest.mark.parametrize(
    ("name", "mime_type"),
    [
        *(
            (f"call.{extension}", "application/octet-stream")
            for extension in ["m4a", "amr", "mp3", "wav", "ogg", "oga", "opus"]
        ),
        *((f"call.{extension}", None) for extension in ["aac", "3gp", "3ga", "flac", "wma", "webm", "mp4"]),
        ("CALL.M4A", "audio/mpeg"),
        ("call.m4a", "text/plain"),
        ("call", "audio/mpeg"),
        ("Dr. Ann", "Audio/MP4"),
        ("call.xyz", "audio/x-unheard-of"),
    ],
)
def test_a_recording_is_known_by_its_extension_or_else_by_its_type(name: str, mime_type: str | None) -> None:
    """Every format that phones write is taken, whatever Drive calls it."""
    assert is_audio(name, mime_type)


@pytest.mark.parametrize(
    ("name", "mime_type"),
    [
        ("call.json", "application/json"),
        ("call.json", "audio/mpeg"),
        ("notes.txt", "text/plain"),
        ("call", None),
        ("._call.m4a", "audio/mp4"),
        (".pending-1-call.m4a", None),
        ("call.m4a", "application/vnd.google-apps.shortcut"),
        (".m4a", None),
    ],
)
def test_nothing_else_is_a_recording(name: str, mime_type: str | None) -> None:
    """Sidecars, documents, shortcuts and a file system's hidden twins cost nobody money."""
    assert not is_audio(name, mime_type)


def test_a_recording_and_its_sidecar_have_one_stem() -> None:
    """The extension goes, whether or not the sidecar repeats the recording's; dots inside names stay."""
    assert {stem(name) for name in ("Dr. Ren\u00e9.m4a", "Dr. Rene\u0301.json", "Dr. Ren\u00e9.M4A.json")} == {
        "Dr. Ren\u00e9"
    }
    assert stem("Dr. Ann") == "Dr. Ann"


@pytest.mark.parametrize(("name", "expected"), [("a.json", True), ("a.JSON", True), ("a.m4a", False), (".json", False)])
def test_a_sidecar_is_known_by_its_extension(name: str, expected: bool) -> None:
    """Only visible JSON files describe recordings."""
    assert is_sidecar(name) is expected


def test_a_duration_is_guessed_from_the_size() -> None:
    """4,000 bytes are about a second; a nonsensical size is no time."""
    assert [estimated_seconds(size) for size in (-1, 0, 86_016)] == [0, 0, 21.504]


def test_a_cube_acr_sidecar_is_read() -> None:
    """Milliseconds written as a string become seconds."""
    raw = (
        b'{"duration":"21504","loc":"-37.8;144.9","callee":"+18125550113","addr":"1 Example St","direction":"Incoming"}'
    )
    assert read_sidecar(raw) == Sidecar(
        duration_seconds=21.504, direction=Direction.INCOMING, number="+18125550113", problem=None
    )


def test_a_bcr_sidecar_is_read() -> None:
    """The length of the file is the one that is billed, so pauses don't count."""
    content = {
        "timestamp_unix_ms": 1689817988931,
        "direction": "out",
        "calls": [{"phone_number": "+18125550113", "contact_name": "Pat"}],
        "output": {"recording": {"duration_secs_wall": 3.0, "duration_secs_total": 2.5, "duration_secs_encoded": 2.0}},
    }
    assert read_sidecar(json.dumps(content).encode()) == Sidecar(
        duration_seconds=2.0, direction=Direction.OUTGOING, number="+18125550113", problem=None
    )


def test_a_bcr_sidecar_without_its_details_is_read_as_far_as_it_goes() -> None:
    """A failed recording has null where BCR knows nothing, and a private caller has no number."""
    sidecar = read_sidecar(
        b'{"timestamp_unix_ms": 1, "direction": null, "calls": [{"phone_number": null}], "output": {"recording": null}}'
    )
    assert sidecar == Sidecar(problem="the sidecar does not say how long the call was")
    assert read_sidecar(b'{"output": 7, "calls": []}').problem == "the sidecar does not say how long the call was"


@pytest.mark.parametrize(
    "duration",
    [
        '"abc"',
        '""',
        '"-5"',
        "-5",
        "null",
        "true",
        "[]",
        "{}",
        '"1_000"',
        '"1e9"',
        "1e999",
        "9" * 400,
        '"86400001"',
        "0",
    ],
)
def test_fault_7_a_duration_that_cannot_be_is_unknown_and_says_why(duration: str) -> None:
    """Garbage, negative, endless and zero durations leave the rest of the sidecar usable, and are never \"long enough\"."""
    sidecar = read_sidecar(f'{{"duration": {duration}, "direction": "Outgoing"}}'.encode())
    assert sidecar.duration_seconds is None
    assert sidecar.problem
    assert sidecar.direction is Direction.OUTGOING


@pytest.mark.parametrize(
    "raw",
    [b"", b"\xff\xfe\xfa", b"[]", b'"x"', b"{", b'{"duration": NaN}', b'{"a": ' + b"9" * 5_000 + b"}", b"[" * 100_000],
)
def test_a_sidecar_that_is_no_sidecar_says_so(raw: bytes) -> None:
    """Nothing that somebody uploads beside a call can stop discovery."""
    assert read_sidecar(raw).problem in ("the sidecar is not JSON", "the sidecar is not a JSON object")


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda values: st.lists(values, max_size=3) | st.dictionaries(st.text(), values, max_size=3),
    max_leaves=5,
)
fields = st.sampled_from(["duration", "direction", "callee", "output", "calls", "recording", "timestamp_unix_ms"])


@given(st.binary() | st.dictionaries(fields, json_values).map(lambda content: json.dumps(content).encode()))
def test_no_sidecar_breaks_the_reader(raw: bytes) -> None:
    """Whatever the bytes, the duration is in (0, 24 h] or unknown with a reason."""
    sidecar = read_sidecar(raw)
    if sidecar.duration_seconds is None:
        assert sidecar.problem
    else:
        assert math.isfinite(sidecar.duration_seconds)
        assert 0 < sidecar.duration_seconds <= 86_400
        assert sidecar.problem is None


@given(st.text(st.characters(codec="ascii", categories=["L"]), min_size=8, max_size=30), json_values)
def test_where_the_user_stood_never_leaves_the_sidecar(place: str, duration: object) -> None:
    """Neither coordinates nor street are in what is returned, nor in why something was not."""
    secret = f"secret {place}"
    raw = json.dumps({"duration": duration, "callee": secret, "direction": secret, "loc": secret, "addr": secret})
    assert secret not in repr(read_sidecar(raw.encode()))
