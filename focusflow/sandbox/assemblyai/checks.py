"""Which transcript requests does AssemblyAI refuse, and in which words?"""

from collections.abc import Callable, Iterator, Mapping
from typing import Final

Body = Mapping[str, object]


def _set_of(names: str) -> frozenset[str]:
    return frozenset(names.split())


SPEECH_MODELS: Final = ("universal-3-pro", "universal-2", "universal-3-5-pro", "assemblyai-stt-3-7")
"""What `speech_models` may name, in the order in which the refusal lists them."""

BOOLEANS: Final = _set_of(
    "punctuate format_text multichannel dual_channel filter_profanity redact_pii redact_pii_audio "
    "redact_pii_return_unredacted speaker_labels content_safety iab_categories disfluencies sentiment_analysis "
    "auto_chapters entity_detection summarization auto_highlights language_detection"
)
INTEGERS: Final = _set_of("audio_start_from audio_end_at speakers_expected content_safety_confidence")
FRACTIONS: Final = _set_of("speech_threshold language_confidence_threshold temperature")
STRINGS: Final = _set_of(
    "audio_url webhook_url webhook_auth_header_name webhook_auth_header_value language_code prompt "
    "redact_pii_sub redact_pii_audio_quality remove_audio_tags domain summary_model summary_type"
)
LISTS: Final = _set_of("speech_models keyterms_prompt custom_spelling redact_pii_policies language_codes")
OBJECTS: Final = _set_of(
    "speaker_options language_detection_options speech_understanding redact_pii_audio_options keyterms_prompt_options"
)
RETIRED: Final = frozenset({"speech_model", "word_boost", "boost_param"})
KNOWN: Final = BOOLEANS | INTEGERS | FRACTIONS | STRINGS | LISTS | OBJECTS | RETIRED

PII_POLICIES: Final = _set_of(
    "account_number banking_information blood_type credit_card_cvv credit_card_expiration credit_card_number date "
    "date_interval date_of_birth drivers_license drug duration email_address event filename gender gender_sexuality "
    "healthcare_number injury ip_address language location location_address location_address_street location_city "
    "location_coordinate location_country location_state location_zip marital_status medical_condition medical_process "
    "money_amount nationality number_sequence occupation organization organization_medical_facility passport_number "
    "password person_age person_name phone_number physical_attribute political_affiliation religion sexuality "
    "statistics time url us_social_security_number username vehicle_id zodiac_sign corporate_action day effect "
    "financial_metric medical_code month organization_id product project trend year"
)
MOST_KEYTERMS: Final = {"universal-2": 200}
MOST_KEYTERMS_OTHERWISE: Final = 1000
MOST_WORDS_IN_KEYTERM: Final = 6

NEGATIVE_BALANCE: Final = "Your current account balance is negative. Please top up to continue using the API."
BAD_SCHEMA: Final = "Invalid endpoint schema, please refer to documentation for examples."


def refusal(body: Body) -> str | None:
    """The error with which a request is answered 400, or None for a good one."""
    checks: tuple[Callable[[Body], Iterator[str]], ...] = (
        _unknown_or_retired,
        _wrong_types,
        _audio_url,
        _speech_models,
        _speakers_and_channels,
        _redaction,
        _language,
        _vocabulary,
        _ranges,
    )
    for check in checks:
        for complaint in check(body):
            return complaint
    return None


def _unknown_or_retired(body: Body) -> Iterator[str]:
    if body.keys() - KNOWN:
        yield BAD_SCHEMA
    if "speech_model" in body:
        yield (
            'speech_model is deprecated. Use "speech_models" instead. See documentation: '
            "https://www.assemblyai.com/docs/pre-recorded-audio/select-the-speech-model"
        )
    for name in sorted(RETIRED & body.keys()):
        yield f'{name} is deprecated. Use "keyterms_prompt" instead.'


def _wrong_types(body: Body) -> Iterator[str]:
    for name, value in body.items():
        if value is None:
            continue
        if name in BOOLEANS and not isinstance(value, bool):
            yield f"{name} must be a Boolean"
        if name in INTEGERS and (isinstance(value, bool) or not isinstance(value, int)):
            yield f"{name} must be an Integer"
        if name in FRACTIONS and (isinstance(value, bool) or not isinstance(value, int | float)):
            yield f"{name} must be a Number"
        if name in STRINGS and not isinstance(value, str):
            yield f"{name} must be a String"
        if name in LISTS and name != "speech_models" and not isinstance(value, list):
            yield f"{name} must be an Array"
        if name in OBJECTS and not isinstance(value, dict):
            yield f"{name} must be an Object"


def _audio_url(body: Body) -> Iterator[str]:
    url = body.get("audio_url")
    if not isinstance(url, str) or not url.startswith("http"):
        yield "Transcript creation error, audio_url should start with http"


def _speech_models(body: Body) -> Iterator[str]:
    models = body.get("speech_models")
    if not isinstance(models, list) or not models or not all(model in SPEECH_MODELS for model in models):
        names = ", ".join(f'"{model}"' for model in SPEECH_MODELS)
        yield f'"speech_models" must be a non-empty list containing one or more of: {names}'


def _speakers_and_channels(body: Body) -> Iterator[str]:
    if body.get("speaker_labels") and (body.get("multichannel") or body.get("dual_channel")):
        yield "speaker_labels and multichannel cannot both be enabled"
    options = body.get("speaker_options")
    if not body.get("speaker_labels") and (options or body.get("speakers_expected")):
        yield "speaker_labels must be enabled to set the expected number of speakers"
    if options and body.get("speakers_expected"):
        yield "speakers_expected and speaker_options cannot both be set"
    if isinstance(options, dict):
        least, most = options.get("min_speakers_expected"), options.get("max_speakers_expected")
        if isinstance(least, int) and isinstance(most, int) and most < least:
            yield "max_speakers_expected must be greater than or equal to min_speakers_expected"


def _redaction(body: Body) -> Iterator[str]:
    policies = body.get("redact_pii_policies")
    if body.get("redact_pii") and not policies:
        yield "redact_pii_policies must be a non-empty list when redact_pii is enabled"
    if policies and not body.get("redact_pii"):
        yield "redact_pii must be enabled to set redact_pii_policies"
    for policy in policies if isinstance(policies, list) else ():
        if policy not in PII_POLICIES:
            yield f"redact_pii_policies contains an invalid policy: {policy}"
    if body.get("redact_pii_sub") not in (None, "hash", "entity_name"):
        yield 'redact_pii_sub must be one of: "hash", "entity_name"'


def _language(body: Body) -> Iterator[str]:
    if body.get("language_detection") and body.get("language_code"):
        yield "language_detection is not available when language_code is specified."


def _vocabulary(body: Body) -> Iterator[str]:
    terms, models = body.get("keyterms_prompt"), body.get("speech_models")
    if terms and body.get("prompt"):
        yield "prompt and keyterms_prompt cannot both be set"
    if isinstance(terms, list) and isinstance(models, list):
        most = min(MOST_KEYTERMS.get(str(model), MOST_KEYTERMS_OTHERWISE) for model in models)
        if len(terms) > most:
            yield f"keyterms_prompt must contain at most {most} phrases"
        if any(not isinstance(term, str) or len(term.split()) > MOST_WORDS_IN_KEYTERM for term in terms):
            yield f"keyterms_prompt phrases must contain at most {MOST_WORDS_IN_KEYTERM} words"


def _ranges(body: Body) -> Iterator[str]:
    for name in ("speech_threshold", "language_confidence_threshold"):
        value = body.get(name)
        if isinstance(value, int | float) and not 0 <= value <= 1:
            yield f"{name} must be between 0 and 1"
    start, end = body.get("audio_start_from"), body.get("audio_end_at")
    if isinstance(start, int) and isinstance(end, int) and end <= start:
        yield "audio_end_at must be greater than audio_start_from"
