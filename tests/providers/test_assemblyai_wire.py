"""Are options asked for as AssemblyAI words them, and its answers understood whatever they lack?"""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from focusflow.domain.transcript import Utterance
from focusflow.errors import ConfigError, Permanent
from focusflow.ports import AudioUsage
from focusflow.providers.assemblyai_wire import ADDON_FLAGS, TranscriptionOptions, parse, usage

ADDRESS = "https://cdn.assemblyai.com/upload/x"

COMPLETED = {
    "id": "t1",
    "status": "completed",
    "language_code": "en",
    "audio_duration": 12,
    "speaker_labels": True,
    "speech_model": None,
    "speech_model_used": "universal-2",
    "text": "Hi there. Hello.",
    "words": [
        {"text": "Hi", "start": 250, "end": 650, "speaker": "A"},
        {"text": "there.", "start": 700, "end": 900, "speaker": "A"},
        {"text": "Hello.", "start": 1000, "end": 1400, "speaker": "B"},
    ],
    "utterances": [
        {"speaker": "A", "start": 250, "end": 900, "text": "Hi there.", "words": []},
        {"speaker": "B", "start": 1000, "end": 1400, "text": "Hello.", "words": []},
    ],
}


def answer(**changes: object) -> bytes:
    return json.dumps({**COMPLETED, **changes}).encode()


def said(raw: bytes) -> list[tuple[str | None, int, int, str]]:
    return [(u.speaker, u.start_ms, u.end_ms, u.text) for u in parse(raw).utterances]


# ------------------------------------------------------------------------------------------------------------ options


def test_by_default_models_are_pinned_and_the_language_is_detected() -> None:
    """The account's default changes under us, and an unasked language costs money for nonsense."""
    assert TranscriptionOptions().request(ADDRESS) == {
        "audio_url": ADDRESS,
        "speech_models": ["universal-3-5-pro", "universal-2"],
        "speaker_labels": True,
        "language_detection": True,
    }


def test_every_option_is_asked_for_in_the_services_words() -> None:
    """All at once, as the request's body."""
    options = TranscriptionOptions(
        speech_models=["universal-2"],
        expected_languages=["en", "de"],
        language_confidence_threshold=0.5,
        speakers_expected=2,
        keyterms_prompt=["FocusFlow"],
        redact_pii=True,
        redact_pii_policies=["phone_number"],
        redact_pii_sub="entity_name",
        entity_detection=True,
        sentiment_analysis=True,
        custom_spelling={"FocusFlow": ["focus flow"]},
        speech_threshold=0.1,
        disfluencies=True,
        filter_profanity=True,
        extra={"multichannel": False, "brand_new": 1},
    )
    assert options.request(ADDRESS) == {
        "audio_url": ADDRESS,
        "speech_models": ["universal-2"],
        "language_detection": True,
        "language_detection_options": {"expected_languages": ["en", "de"]},
        "language_confidence_threshold": 0.5,
        "speaker_labels": True,
        "speakers_expected": 2,
        "keyterms_prompt": ["FocusFlow"],
        "redact_pii": True,
        "redact_pii_policies": ["phone_number"],
        "redact_pii_sub": "entity_name",
        "entity_detection": True,
        "sentiment_analysis": True,
        "custom_spelling": [{"from": ["focus flow"], "to": "FocusFlow"}],
        "speech_threshold": 0.1,
        "disfluencies": True,
        "filter_profanity": True,
        "multichannel": False,
        "brand_new": 1,
    }


@pytest.mark.parametrize(
    ("configured", "for_this_call", "asked"), [("de", None, "de"), (None, "es", "es"), ("de", "es", "es")]
)
def test_a_named_language_replaces_detection(configured: str | None, for_this_call: str | None, asked: str) -> None:
    """The service takes one or the other; the call's own word counts most."""
    options = TranscriptionOptions(language_code=configured, expected_languages=["fr"])
    request = options.request(ADDRESS, language=for_this_call)
    assert request["language_code"] == asked
    assert not {"language_detection", "language_detection_options"} & request.keys()


def test_newer_parameters_win_over_ours_but_never_over_the_audio() -> None:
    """`extra` is the way to what we don't know yet, not to another recording."""
    options = TranscriptionOptions(extra={"speaker_labels": False, "audio_url": "https://example.org/other"})
    request = options.request(ADDRESS)
    assert (request["speaker_labels"], request["audio_url"]) == (False, ADDRESS)


@pytest.mark.parametrize(
    "wrong", [{"redact_pii": True}, {"speech_threshold": 2}, {"language_confidence_threshold": -1}]
)
def test_options_that_cannot_work_are_refused_at_once(wrong: dict[str, object]) -> None:
    """Better at the start than with the first paid call."""
    with pytest.raises(ConfigError):
        TranscriptionOptions(**wrong)  # type: ignore[arg-type]


# -------------------------------------------------------------------------------------------------------- transcripts


def test_a_transcript_is_who_said_what_when() -> None:
    """The plain case."""
    transcript = parse(answer())
    assert said(answer()) == [("A", 250, 900, "Hi there."), ("B", 1000, 1400, "Hello.")]
    assert (
        transcript.text,
        transcript.language,
        transcript.duration_seconds,
        transcript.model,
        transcript.speakers,
    ) == (
        "Hi there. Hello.",
        "en",
        12.0,
        "universal-2",
        {},
    )


def test_what_the_sdk_refuses_is_understood() -> None:
    """Floats, unknown words for everything, and fields that did not exist yesterday."""
    raw = answer(
        audio_duration=12.34,
        speech_model="universal-3-5-pro",
        entities=[{"entity_type": "shoe_size", "text": "43", "start": 1, "end": 2}],
        redact_pii_policies=["brand_new"],
        redact_pii_sub="entity_type",
        boost_param="",
        brand_new={"a": 1},
    )
    assert parse(raw).duration_seconds == 12.34
    assert len(said(raw)) == 2


def test_an_utterance_without_times_takes_those_of_its_words() -> None:
    """Words may lack a time, too; what is there is used."""
    words = [{"text": "Hi", "start": None, "end": 650}, {"text": "there.", "start": 700.4, "end": None}]
    raw = answer(utterances=[{"speaker": "A", "start": None, "end": None, "text": "", "words": words}])
    assert said(raw) == [("A", 650, 700, "Hi there.")]


@pytest.mark.parametrize("missing", [None, [], "?", [None], [{"text": " "}]])
def test_without_utterances_the_words_tell_the_turns(missing: object) -> None:
    """Only the words know who spoke then."""
    assert said(answer(utterances=missing)) == [("A", 250, 900, "Hi there."), ("B", 1000, 1400, "Hello.")]


def test_without_speakers_all_is_one_utterance() -> None:
    """Diarization switched off: the text as it is, from its first to its last word."""
    words = [{key: value for key, value in word.items() if key != "speaker"} for word in COMPLETED["words"]]  # type: ignore[attr-defined]
    assert said(answer(utterances=None, words=words)) == [(None, 250, 1400, "Hi there. Hello.")]


def test_with_nothing_but_text_there_is_still_a_transcript() -> None:
    """Times are then unknown."""
    assert parse(answer(utterances=None, words=None)).utterances == (
        Utterance(speaker=None, start_ms=0, end_ms=0, text="Hi there. Hello."),
    )


def test_channels_stand_for_speakers_where_nobody_was_told_apart() -> None:
    """Two-channel recordings have one speaker on each."""
    utterances = [{"speaker": None, "channel": "2", "start": 1, "end": 2, "text": "Hi."}]
    assert said(answer(utterances=utterances)) == [("2", 1, 2, "Hi.")]


def test_a_silent_call_is_an_empty_transcript() -> None:
    """A pocket dial is transcribed, charged, and says nothing."""
    transcript = parse(answer(text="", words=[], utterances=[]))
    assert (transcript.text, transcript.utterances) == ("", ())


@pytest.mark.parametrize("raw", [b"", b"{", b"null", b"[]", b'"text"', b"\xff"])
def test_what_is_no_transcript_at_all_is_refused_with_a_sentence(raw: bytes) -> None:
    """The only thing that parsing raises."""
    with pytest.raises(Permanent):
        parse(raw)
    with pytest.raises(Permanent):
        usage(raw)


anything = st.recursive(
    st.none() | st.booleans() | st.floats() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=5,
)
spoken = st.fixed_dictionaries(
    {},
    optional={"text": anything, "start": anything, "end": anything, "speaker": anything, "channel": anything},
)
with_words = st.fixed_dictionaries(
    {}, optional={"text": anything, "start": anything, "words": st.lists(spoken, max_size=3)}
)


@given(
    st.fixed_dictionaries(
        {},
        optional={
            "text": anything,
            "words": st.lists(spoken, max_size=4) | anything,
            "utterances": st.lists(spoken | with_words, max_size=4) | anything,
            "audio_duration": anything,
            "language_code": anything,
            "speech_model_used": anything,
            "speech_understanding": anything,
            "speaker_options": anything,
        },
    )
)
def test_whatever_json_comes_is_understood_as_far_as_possible(document: dict[str, object]) -> None:
    """A transcript that was paid for is never lost to a field; times never run backwards."""
    raw = json.dumps(document).encode()
    for utterance in parse(raw).utterances:
        assert utterance.text.strip()
        assert 0 <= utterance.start_ms <= utterance.end_ms
    usage(raw)


# -------------------------------------------------------------------------------------------------------------- usage


def test_usage_names_the_seconds_the_model_and_all_that_was_added() -> None:
    """What a ledger needs to price it, in the service's own words."""
    raw = answer(
        speaker_options={"long_file_diarization_method": "experimental"},
        entity_detection=True,
        redact_pii=True,
        keyterms_prompt=["FocusFlow"],
        sentiment_analysis=False,
        speech_understanding={"request": {"speaker_identification": {}}},
    )
    assert usage(raw) == AudioUsage(
        seconds=12.0,
        model="universal-2",
        addons=(
            "speaker_labels:experimental",
            "entity_detection",
            "redact_pii",
            "keyterms_prompt",
            "speaker_identification",
        ),
    )


def test_unknown_usage_is_none_never_zero() -> None:
    """A price of nothing would be a lie."""
    raw = answer(audio_duration=None, speech_model_used=None, **dict.fromkeys(ADDON_FLAGS))
    assert usage(raw) == AudioUsage(seconds=None, model=None, addons=())
