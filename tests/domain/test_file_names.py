"""What recorders put into file names is read, whatever they put there."""

import unicodedata
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from focusflow.domain.jobs import Direction
from focusflow.domain.recordings import CallDetails, normal_number, read_file_name, tidy, utc_instant

MELBOURNE = ZoneInfo("Australia/Melbourne")
PREFIX = "2025-06-15 14-30-00 "


def read(name: str) -> CallDetails:
    details = read_file_name(name, MELBOURNE)
    assert details is not None, name
    return details


@pytest.mark.parametrize(
    ("tail", "contact", "number", "direction", "call_type"),
    [
        ("(phone) Pat Example (+1 812-555-0113) ↗", "Pat Example", "+1 812-555-0113", Direction.OUTGOING, "phone"),
        ("(phone) Example Claims (1 877-555-9386) ↗", "Example Claims", "1 877-555-9386", Direction.OUTGOING, "phone"),
        ("(phone) +1 800-555-1370 ↙", None, "+1 800-555-1370", Direction.INCOMING, "phone"),
        ("(phone) (02) 5550 1234 ↙", None, "(02) 5550 1234", Direction.INCOMING, "phone"),
        ("(phone) (0486300265) ↙", None, "0486300265", Direction.INCOMING, "phone"),
        ("(phone) (0486300265)", None, "0486300265", None, "phone"),
        ("(phone) *86 ↗", None, "*86", Direction.OUTGOING, "phone"),
        ("(phone) 000 ↗", None, "000", Direction.OUTGOING, "phone"),
        ("(phone) ↙", None, None, Direction.INCOMING, "phone"),
        ("(phone)", None, None, None, "phone"),
        ("(phone) Pat (+1 812-555-0113)", "Pat", "+1 812-555-0113", None, "phone"),
        ("(phone) Pat ↙", "Pat", None, Direction.INCOMING, "phone"),
        ("(phone) Pat (Work) (+1 812-555-0113) ↗", "Pat (Work)", "+1 812-555-0113", Direction.OUTGOING, "phone"),
        ("(phone) Pat (+1 (812) 555-0113) ↙", "Pat", "+1 (812) 555-0113", Direction.INCOMING, "phone"),
        ("(phone) Pat (Work)", "Pat (Work)", None, None, "phone"),
        ("(phone) Pat Work) ↙", "Pat Work)", None, Direction.INCOMING, "phone"),
        ("(phone) Pat (+1 812-555-0113) ↗ (1)", "Pat", "+1 812-555-0113", Direction.OUTGOING, "phone"),
        ("(phone) Pat (+1 812-555-0113) ↗\ufe0f", "Pat", "+1 812-555-0113", Direction.OUTGOING, "phone"),
        ("(phone) Private number ↙", "Private number", None, Direction.INCOMING, "phone"),
        ("(whatsapp) Pat", "Pat", None, None, "whatsapp"),
        ("(WhatsApp Business) Pat ↙", "Pat", None, Direction.INCOMING, "whatsapp business"),
        ("(telegram) Bob", "Bob", None, None, "telegram"),
        ("(mic)", None, None, None, "mic"),
        ("(mic) Board meeting (draft)", "Board meeting (draft)", None, None, "mic"),
        ("(mic) 2025-10-03", "2025-10-03", None, None, "mic"),
        ("(phone) 王小明 (+886 2 5550 1234) ↙", "王小明", "+886 2 5550 1234", Direction.INCOMING, "phone"),
        ("(phone) Ἀλέξανδρος Παπαδόπουλος ↗", "Ἀλέξανδρος Παπαδόπουλος", None, Direction.OUTGOING, "phone"),
        ("(phone) Mum 👩‍👧 ❤️ ↙", "Mum 👩‍👧 ❤️", None, Direction.INCOMING, "phone"),
        ("(phone) St. John's Dr. Ann ↙", "St. John's Dr. Ann", None, Direction.INCOMING, "phone"),
    ],
)
@pytest.mark.parametrize("extension", [".m4a", ".AMR", ""])
def test_a_cube_acr_name_is_read(
    tail: str, contact: str | None, number: str | None, direction: Direction | None, call_type: str, extension: str
) -> None:
    """Every shape that the earlier version misread or refused is understood, in any script."""
    assert read(PREFIX + tail + extension) == CallDetails(
        recorder="cube-acr",
        contact_name=contact,
        contact_number=number,
        direction=direction,
        call_type=call_type,
        call_at=datetime(2025, 6, 15, 4, 30, tzinfo=UTC),
    )


@pytest.mark.parametrize(
    "name",
    [
        "2025-13-01 10-00-00 (phone) Pat ↙.m4a",
        "2025-02-30 10-00-00 (phone) Pat ↙.m4a",
        "2025-02-01 27-06-55 (phone) Pat ↙.m4a",
        "2025-02-01 10-00-60 (phone) Pat ↙.m4a",
        "0000-02-01 10-00-00 (phone) Pat ↙.m4a",
        "0001-01-01 00-00-00 (phone) Pat ↙.m4a",
        "2025-02-01 10-00-00 Pat ↙.m4a",
        "2025-02-01 10-00-00 () Pat ↙.m4a",
        "2025-02-01 10-00 (phone) Pat ↙.m4a",
        "Voice memo 7.m4a",
        "20230231_215701.088-0400_in.oga",
        "20230414_215701.088-4000_in.oga",
        "99991231_235959-0100_in.oga",
        "20230414_215701_in.oga",
        ".m4a",
        "",
    ],
)
def test_a_name_with_an_impossible_time_or_no_known_shape_is_not_read(name: str) -> None:
    """Nothing rolls over to another day, nothing is guessed: the caller is told that nobody understood it."""
    assert read_file_name(name, MELBOURNE) is None


@pytest.mark.parametrize(
    ("rest", "contact", "number", "direction"),
    [
        ("_in_+18125550113_Pat Example", "Pat Example", "+18125550113", Direction.INCOMING),
        ("_out_sim2_000", None, "000", Direction.OUTGOING),
        ("_OUT_+18125550113", None, "+18125550113", Direction.OUTGOING),
        ("_conference_+18125550113,+18125550114_Pat,Ann", "Pat, Ann", "+18125550113, +18125550114", "conference"),
        ("_in_Pat_Example", "Pat_Example", None, Direction.INCOMING),
        ("_Ingrid", "Ingrid", None, None),
        ("_in_Simone", "Simone", None, Direction.INCOMING),
        ("_in", None, None, Direction.INCOMING),
        ("", None, None, None),
    ],
)
def test_a_bcr_name_is_read(rest: str, contact: str | None, number: str | None, direction: Direction | None) -> None:
    """BCR's default template is understood with every optional part missing; its own offset decides the time."""
    assert read(f"20230414_215701.088-0400{rest}.oga") == CallDetails(
        recorder="bcr",
        contact_name=contact,
        contact_number=number,
        direction=direction,
        call_type="phone",
        call_at=datetime(2023, 4, 15, 1, 57, 1, 88_000, tzinfo=UTC),
    )


def test_a_bcr_time_may_lack_its_fraction_and_have_seconds_in_its_offset() -> None:
    """Java omits the fraction at full seconds, and writes the odd offsets of old zones in full."""
    assert read("20230414_215701+0000_in.oga").call_at == datetime(2023, 4, 14, 21, 57, 1, tzinfo=UTC)
    assert read("20230414_215701.5+010015_in.oga").call_at == datetime(2023, 4, 14, 20, 56, 46, 500_000, tzinfo=UTC)


def test_fault_10_a_call_just_after_midnight_is_not_stored_a_day_early() -> None:
    """00:10 on 3 October in Melbourne is 14:10 UTC on the 2nd."""
    details = read("2025-10-03 00-10-00 (phone) Pat ↙.m4a")
    assert details.call_at == datetime(2025, 10, 2, 14, 10, tzinfo=UTC)


def test_fault_11_the_zone_is_the_callers_choice() -> None:
    """The same name read in another zone is another instant."""
    details = read_file_name("2025-10-03 00-10-00 (phone) Pat ↙.m4a", ZoneInfo("Europe/Berlin"))
    assert details is not None
    assert details.call_at == datetime(2025, 10, 2, 22, 10, tzinfo=UTC)


def test_fault_11_a_time_that_clocks_jumped_over_moves_forward_by_the_jump() -> None:
    """In Melbourne 02:30 on 5 October 2025 never happened: it becomes 03:30."""
    assert read("2025-10-05 02-30-00 (mic).m4a").call_at == datetime(2025, 10, 4, 16, 30, tzinfo=UTC)
    assert read("2025-10-05 03-30-00 (mic).m4a").call_at == datetime(2025, 10, 4, 16, 30, tzinfo=UTC)


def test_fault_11_an_hour_that_happened_twice_means_its_first_occurrence() -> None:
    """In Melbourne 02:30 on 6 April 2025 happened at 15:30 and at 16:30 UTC."""
    assert read("2025-04-06 02-30-00 (mic).m4a").call_at == datetime(2025, 4, 5, 15, 30, tzinfo=UTC)
    assert read("2025-04-06 03-00-00 (mic).m4a").call_at == datetime(2025, 4, 5, 17, 0, tzinfo=UTC)


@given(st.datetimes(datetime(1980, 1, 1), datetime(2037, 12, 31)), st.sampled_from(["Australia/Melbourne", "UTC"]))
def test_every_minute_is_read_back_as_it_was_written(wall_clock: datetime, zone_name: str) -> None:
    """What clocks showed is what they show again, but for times that never were: those come an hour later."""
    zone = ZoneInfo(zone_name)
    wall_clock = wall_clock.replace(microsecond=0, fold=0)
    details = read_file_name(f"{wall_clock:%Y-%m-%d %H-%M-%S} (mic).m4a", zone)
    assert details is not None
    shown = details.call_at.astimezone(zone).replace(tzinfo=None, fold=0)
    assert shown - wall_clock in (timedelta(0), timedelta(hours=1))
    assert details.call_at == utc_instant(wall_clock, zone)


names = st.text(st.characters(codec="utf-8", exclude_characters="()/↗↙"), min_size=1, max_size=40)
number_texts = st.from_regex(r"\+?[0-9]{3}[0-9 -]{0,10}[0-9]", fullmatch=True)


@given(
    names.map(tidy).filter(lambda name: bool(name) and not any(c.isdecimal() for c in name)),
    st.none() | number_texts,
    st.sampled_from(["↗", "↙", ""]),
    st.sampled_from(["phone", "whatsapp", "telegram"]),
)
def test_whatever_cube_acr_composes_is_taken_apart_again(
    contact: str, number: str | None, arrow: str, call_type: str
) -> None:
    """Contact, number, direction and type come back as they went in, in every script."""
    label = f"{contact} ({number})" if number else contact
    details = read(" ".join(filter(None, [f"{PREFIX}({call_type})", label, arrow])) + ".m4a")
    assert (details.contact_name, details.call_type) == (contact, call_type)
    assert details.contact_number == (tidy(number) if number else None)
    assert details.direction == {"↗": Direction.OUTGOING, "↙": Direction.INCOMING}.get(arrow)


anything = st.text(st.characters() | st.characters(categories=["Cs", "Cf", "Cc", "Zs"]))


@given(anything, st.sampled_from([PREFIX, "20230414_215701-0400_in_", PREFIX + "(phone) ", ""]))
def test_no_name_breaks_the_reader(text: str, prefix: str) -> None:
    """Any characters at all give details that can be shown and stored, or None."""
    details = read_file_name(prefix + text + ".m4a", MELBOURNE)
    for part in (details.contact_name, details.contact_number, details.call_type) if details else ():
        if part is not None:
            assert part
            assert part.encode("utf-8").decode() == tidy(part) == unicodedata.normalize("NFC", part)


@given(anything)
def test_tidying_twice_changes_nothing(text: str) -> None:
    """Tidy text is single-spaced, composed and free of invisible characters, so tidying it again is idle."""
    assert tidy(tidy(text)) == tidy(text)


def test_invisible_characters_never_reach_a_contact() -> None:
    """A right-to-left override or a tag character could make a name read as another."""
    details = read(
        f"{PREFIX}(phone)\u00a0\u202eP\u200bat\U000e0041\x07\u2069 (\u2068+1 812-555-0113\u2069) \u200e↗.m4a"
    )
    assert (details.contact_name, details.contact_number) == ("Pat", "+1 812-555-0113")


def test_a_decomposed_name_is_composed() -> None:
    """A Mac writes é as two characters; both spellings are one contact."""
    assert read(f"{PREFIX}(phone) Ren\u0065\u0301 ↙.m4a").contact_name == "Ren\u00e9"


@pytest.mark.parametrize(
    ("text", "region", "expected"),
    [
        ("0486 300 265", "AU", "+61486300265"),
        ("(02) 9999 1234", "au", "+61299991234"),
        ("1 877-555-9386", "US", "+18775559386"),
        ("+1 812-555-0113", "DE", "+18125550113"),
        ("٠٤٨٦٣٠٠٢٦٥", "AU", "+61486300265"),
        ("000", "AU", "000"),
        (" *86 ", "US", "*86"),
        ("+18125550113, +18125550114", "US", "+18125550113, +18125550114"),
        ("Pat 0486300265", "AU", "Pat 0486300265"),
        ("0486300265", "ZZ", "0486300265"),
        ("9" * 400, "US", "9" * 400),
    ],
)
def test_a_valid_number_is_written_in_e164_and_anything_else_stays(text: str, region: str, expected: str) -> None:
    """One caller is one number, however each call wrote it; short codes and odd ones are kept."""
    assert normal_number(text, region) == expected
