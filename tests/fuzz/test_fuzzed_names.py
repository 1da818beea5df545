"""Can a file's name, or the JSON beside it, be such that reading it fails, or that what is read is not plain text?"""

import json
import math
import unicodedata
from datetime import UTC, timedelta
from zoneinfo import ZoneInfo

from hypothesis import example, given, settings
from hypothesis import strategies as st

from focusflow.domain.recordings import (
    CallDetails,
    estimated_seconds,
    is_audio,
    is_sidecar,
    normal_number,
    read_file_name,
    read_sidecar,
    stem,
    tidy,
)

FUZZ = settings.get_profile("fuzz")

ANY_CHARACTER = st.characters(exclude_categories=())
"""Lone surrogates too: an undecodable file name has them."""
ODD = st.sampled_from([
    "\x1b[2J", "\x1b]0;owned\x07", "\x9b31m", "\0", "\r\n", "\n", "\t", "\x85", "\u2028", "\u202egnp.exe", "\u2066", "\ud800",
    "\udcff", "\ufeff", "\u200b", "\u200d", "\ufe0f", "e\u0301", "\u0301", "↙", "↗", "(", ")", "..", "/", "../", "\\", "~", "%00",
    "[/]", "[link=x]y", "{{transcript}}", "=1+1", "👩‍👧", "👍🏽", "שלום", "١٢٣", "１２３", "�", "[[", "]]",
])  # fmt: skip
TEXT = st.lists(ODD | st.text(ANY_CHARACTER, max_size=12), max_size=6).map("".join)
DIGITS = st.text(st.sampled_from("0123456789٣５"), max_size=6)
DATES = st.dates().map(str) | st.builds("{}-{}-{}".format, DIGITS, DIGITS, DIGITS)
TIMES = st.times().map("{:%H-%M-%S}".format) | st.builds("{}-{}-{}".format, DIGITS, DIGITS, DIGITS)
NUMBERS = st.text(st.sampled_from("0123456789+-() ./*#,;\u2010"), max_size=20) | TEXT
ENDINGS = (
    st.sampled_from(["", ".m4a", ".AMR", ".json", ".m4a.json", ".mp3 ", ". m4a", ".oga", ".txt", ".m4a.m4a"]) | TEXT
)
CUBE_ACR = st.builds(
    "{} {} ({}) {}{}({}) {}{}".format,
    DATES,
    TIMES,
    st.sampled_from(["phone", "mic", "WhatsApp"]) | TEXT,
    TEXT,
    st.sampled_from(["", " "]),
    NUMBERS,
    st.sampled_from(["↙", "↗", "↙ (1)", "↗\ufe0f", ""]) | TEXT,
    ENDINGS,
)
BCR = st.builds(
    "{:%Y%m%d_%H%M%S}.{}{}{}{}{}_{}_{}{}".format,
    st.datetimes(),
    DIGITS,
    st.sampled_from("+-"),
    st.sampled_from(["0000", "0400", "9959", "040033"]) | DIGITS,
    st.sampled_from(["", "_in", "_out", "_conference", "_inn"]),
    st.sampled_from(["", "_sim1", "_sim"]),
    NUMBERS,
    TEXT,
    ENDINGS,
)
NAMES = CUBE_ACR | BCR | TEXT
ZONES = st.sampled_from(
    ["UTC", "Australia/Lord_Howe", "America/St_Johns", "Pacific/Kiritimati", "Africa/Casablanca"]
).map(ZoneInfo)


def assert_plain(text: str) -> None:
    """Fail unless *text* is what `tidy` promises, and can be stored."""
    assert text == tidy(text)
    assert {unicodedata.category(letter) for letter in text} & {"Cc", "Cs", "Zl", "Zp"} == set()
    text.encode()


def assert_read(details: CallDetails) -> None:
    """Fail unless everything that was read is of its kind."""
    assert details.call_at.utcoffset() == timedelta(0)
    assert details.call_type == details.call_type.lower().strip()
    assert details.call_type
    for text in (details.recorder, details.contact_name, details.contact_number):
        if text is not None:
            assert text
            assert_plain(text)


@FUZZ
@given(name=NAMES, zone=ZONES)
@example(name="2026-11-23 08-00-00 (phone) \u200d ↙.m4a", zone=ZoneInfo("UTC"))
@example(name="2026-11-23 08-00-00 (\u200d) Ann ↙.m4a", zone=ZoneInfo("UTC"))
def test_any_name_is_read_as_plain_text_or_not_at_all(name: str, zone: ZoneInfo) -> None:
    """And reading what was tidied already says the same: a name is understood alike wherever it has been."""
    details = read_file_name(name, zone)
    if details is not None:
        assert_read(details)
    if tidy(stem(name)) == stem(tidy(stem(name))):
        assert read_file_name(tidy(stem(name)), zone) == details


@FUZZ
@given(name=NAMES, mime_type=st.none() | TEXT | st.sampled_from(["audio/mp4", "application/json"]))
def test_any_file_is_a_recording_a_sidecar_or_neither(name: str, mime_type: str | None) -> None:
    """Never both; and a name's tidy form is final."""
    assert not (is_audio(name, mime_type) and is_sidecar(name))
    assert tidy(tidy(name)) == tidy(name)
    assert_plain(tidy(name))
    stem(name)


@FUZZ
@given(number=NUMBERS, region=st.sampled_from(["US", "au", "DE", "ZZ", ""]) | st.text(max_size=3))
def test_any_number_is_written_one_way(number: str, region: str) -> None:
    """Written again it is the same, wherever the phone is."""
    once = normal_number(number, region)
    assert_plain(once)
    assert normal_number(once, region) == once


@FUZZ
@given(size=st.integers())
def test_any_size_is_a_length(size: int) -> None:
    """Finite and never below nothing."""
    assert 0 <= estimated_seconds(size) < math.inf


# ------------------------------------------------------------------------------------------------------------- sidecars

SCALARS = st.one_of(
    st.none(), st.booleans(), st.integers(), st.integers(-(10**400), 10**400), st.floats(), TEXT,
    st.sampled_from(["21504", "-1", "0", "1e5", "٣", "1.5", " 7 ", "nan", "Incoming", "OUT", "+1 555 0100"]),
)  # fmt: skip
VALUES = st.recursive(
    SCALARS,
    lambda below: st.lists(below, max_size=3) | st.dictionaries(st.text(max_size=4), below, max_size=3),
    max_leaves=5,
)
BCR_RECORDING = st.dictionaries(
    st.sampled_from(["duration_secs_encoded", "duration_secs_total", "duration_secs_wall"]), VALUES, max_size=3
)
DOCUMENTS = st.one_of(
    st.fixed_dictionaries({}, optional={"duration": VALUES, "callee": VALUES, "direction": VALUES, "loc": VALUES}),
    st.fixed_dictionaries(
        {"output": st.fixed_dictionaries({"recording": BCR_RECORDING | VALUES}) | VALUES},
        optional={
            "timestamp_unix_ms": VALUES,
            "direction": VALUES,
            "calls": VALUES | st.lists(st.fixed_dictionaries({"phone_number": VALUES}), max_size=2),
        },
    ),
    VALUES,
)


@st.composite
def sidecars(draw: st.DrawFn) -> bytes:
    """JSON of any recorder, perhaps damaged, perhaps nothing of the kind."""
    raw = draw(st.binary(max_size=40) | DOCUMENTS.map(json.dumps).map(str.encode))
    if draw(st.booleans()):
        return raw
    at = draw(st.integers(0, len(raw)))
    return draw(
        st.sampled_from([raw[:at], raw[at:], raw[:at] + draw(st.binary(max_size=4)) + raw[at:], raw * 2, b"[" * 9_000])
    )


@FUZZ
@given(raw=sidecars())
def test_any_sidecar_says_a_length_or_why_it_says_none(raw: bytes) -> None:
    """A length is finite, above nothing and at most a day; a number is plain; nothing says where the user stood."""
    sidecar = read_sidecar(raw)
    assert (sidecar.duration_seconds is None) != (sidecar.problem is None)
    if sidecar.duration_seconds is not None:
        assert 0 < sidecar.duration_seconds <= 86_400
    if sidecar.number is not None:
        assert_plain(sidecar.number)


@FUZZ
@given(document=DOCUMENTS)
def test_where_the_user_stood_is_never_kept(document: object) -> None:
    """Whatever else the sidecar says."""
    marked = {**document, "loc": "51.5072,-0.1276", "addr": "Whitehall"} if isinstance(document, dict) else {}
    told = repr(read_sidecar(json.dumps(marked).encode()))
    assert "51.5072" not in told
    assert "Whitehall" not in told


@FUZZ
@given(moment=st.datetimes(), zone=ZONES, contact=TEXT)
def test_what_cube_acr_would_write_is_read(moment: object, zone: ZoneInfo, contact: str) -> None:
    """Any contact's name, at any moment of the calendar."""
    details = read_file_name(f"{moment:%Y-%m-%d %H-%M-%S} (phone) {contact} ↙.m4a", zone)
    assert details is None or details.call_at.tzinfo is UTC
    if details is not None:
        assert_read(details)
