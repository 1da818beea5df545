"""What is a transcription at AssemblyAI, and which object describes it as it goes along?"""

from dataclasses import dataclass
from typing import Final

from focusflow.sandbox.assemblyai.text import Hearing, Json
from focusflow.sandbox.scripts import Script
from focusflow.sandbox.service import BillLine

SERVICE: Final = "assemblyai"
LANGUAGE_CONFIDENCE: Final = 0.99
ADD_ONS: Final = (
    "speaker_labels",
    "redact_pii",
    "entity_detection",
    "sentiment_analysis",
    "auto_highlights",
    "content_safety",
    "iab_categories",
    "keyterms_prompt",
    "speech_understanding",
    "multichannel",
)
"""What is charged beside the model, when a request asks for it."""


@dataclass(slots=True, kw_only=True)
class Job:
    """One transcription, its life decided at birth: when it starts, when it ends and how."""

    id: str
    key: str
    created: float
    starts: float
    ends: float
    request: Json
    script: Script
    error: str | None
    fault: str | None
    waited_for_others: bool
    deleted: bool = False
    billed: bool = False

    def status(self, now: float) -> str:
        if now < self.starts:
            return "queued"
        if now < self.ends:
            return "processing"
        return "error" if self.error else "completed"


def transcript(job: Job, now: float) -> Json:
    """The transcript object, as far as it has come at *now*."""
    status = job.status(now)
    body = _blank(job, status)
    if job.deleted:
        return body | {"audio_url": "http://deleted_by_user", "text": "Deleted by user."}
    if status == "error":
        return body | {"error": job.error}
    if status != "completed":
        return body
    body |= _heard(job)
    return _surprising(body) if job.fault == "enum_surprise" else body


def _heard(job: Job) -> Json:
    hearing = Hearing(job.script, job.request)
    utterances = hearing.utterances()
    words = [word for utterance in utterances for word in _items(utterance["words"])]
    confidences = [float(str(utterance["confidence"])) for utterance in utterances]
    detected = _detects_language(job.request)
    body: Json = {
        "text": " ".join(str(utterance["text"]) for utterance in utterances),
        "words": words,
        "utterances": utterances if job.request.get("speaker_labels") else None,
        "confidence": round(sum(confidences) / len(confidences), 4) if confidences else 0.0,
        "audio_duration": job.script.duration_seconds,
        "language_code": job.script.language if detected else job.request.get("language_code") or "en_us",
        "language_confidence": LANGUAGE_CONFIDENCE if detected else None,
        "speech_model_used": _model_used(job),
    }
    if job.request.get("entity_detection"):
        body["entities"] = hearing.entities()
    if job.request.get("sentiment_analysis"):
        body["sentiment_analysis_results"] = hearing.sentiments()
    if job.request.get("redact_pii_return_unredacted"):
        body |= _unredacted(job)
    return body


def _unredacted(job: Job) -> Json:
    utterances = Hearing(job.script, job.request | {"redact_pii": False}).utterances()
    return {
        "unredacted_text": " ".join(str(utterance["text"]) for utterance in utterances),
        "unredacted_words": [word for utterance in utterances for word in _items(utterance["words"])],
        "unredacted_utterances": utterances if job.request.get("speaker_labels") else None,
    }


def _surprising(body: Json) -> Json:
    """A paid result with values that a strict parser trips over; each has been seen or is documented."""
    words = [dict(word) for word in _items(body["words"])]
    if words:
        words[-1]["end"] = None
    surprise = {"entity_type": "crypto_wallet", "text": "wallet", "start": 250, "end": 650}
    return body | {
        "speech_model": "universal-3-5-pro",
        "audio_duration": int(str(body["audio_duration"])) + 0.34,
        "entities": [*_items(body["entities"] or []), surprise],
        "words": words,
    }


def _blank(job: Job, status: str) -> Json:
    """The object before anything was heard: the request echoed, results null."""
    asked = job.request
    echoed = {name: value for name, value in asked.items() if value is not None and name != "webhook_auth_header_value"}
    return (
        _TEMPLATE
        | ({"redact_pii_sub": "hash"} if asked.get("redact_pii") else {})
        | echoed
        | {
            "id": job.id,
            "status": status,
            "webhook_auth": "webhook_auth_header_name" in echoed,
            "throttled": True if job.waited_for_others and status == "queued" else None,
        }
    )


def unheard(script: Script, body: Json) -> str | None:
    """Why a job on real audio ends in an error, for example because there is too little speech."""
    threshold = body.get("speech_threshold")
    if isinstance(threshold, int | float) and script.speech_share < threshold:
        return f"Audio speech threshold {script.speech_share:.4f} is below the input value {threshold}"
    if not _detects_language(body):
        return None
    if not script.utterances:
        return "language_detection cannot be performed on files with no spoken audio."
    wanted = body.get("language_confidence_threshold")
    if isinstance(wanted, int | float) and wanted > LANGUAGE_CONFIDENCE:
        return (
            f"detected language '{script.language}', confidence {LANGUAGE_CONFIDENCE}, "
            f"is below the requested confidence threshold value of {wanted}"
        )
    return None


def _detects_language(body: Json) -> bool:
    """Asked for, or the default of the newer models when no language is named."""
    return bool(body.get("language_detection")) or (
        not body.get("language_code") and str(_items(body["speech_models"])[0]) != "universal-2"
    )


def _model_used(job: Job) -> str:
    """The first of the asked models; all of them know the languages of the scripts."""
    return str(_items(job.request["speech_models"])[0])


def bill_line(job: Job) -> BillLine:
    """What a completed job costs: the audio's seconds, once for the model and once for each add-on."""
    seconds = job.script.duration_seconds
    quantity = {"audio_seconds": seconds} | {name: seconds for name in ADD_ONS if job.request.get(name)}
    return BillLine(
        service=SERVICE,
        kind="transcription",
        reference=job.id,
        model=_model_used(job),
        quantity=quantity,
        at=job.ends,
    )


def _items(value: object) -> list[Json]:
    assert isinstance(value, list)
    return value


_TEMPLATE: Final[Json] = {
    "id": None,
    "language_model": "assemblyai_default",
    "acoustic_model": "assemblyai_default",
    "language_code": None,
    "language_detection": False,
    "language_confidence": None,
    "language_confidence_threshold": None,
    "status": None,
    "audio_url": None,
    "text": None,
    "words": None,
    "utterances": None,
    "confidence": None,
    "audio_duration": None,
    "punctuate": True,
    "format_text": True,
    "multichannel": False,
    "webhook_url": None,
    "webhook_status_code": None,
    "webhook_auth": False,
    "webhook_auth_header_name": None,
    "auto_highlights": False,
    "auto_highlights_result": None,
    "audio_start_from": None,
    "audio_end_at": None,
    "filter_profanity": False,
    "redact_pii": False,
    "redact_pii_audio": None,
    "redact_pii_policies": None,
    "redact_pii_sub": None,
    "speaker_labels": False,
    "speakers_expected": None,
    "content_safety": False,
    "content_safety_labels": None,
    "iab_categories": False,
    "iab_categories_result": None,
    "custom_spelling": None,
    "throttled": None,
    "speech_threshold": None,
    "speech_model": None,
    "speech_models": None,
    "speech_model_used": None,
    "disfluencies": False,
    "entity_detection": False,
    "entities": None,
    "summarization": False,
    "summary": None,
    "sentiment_analysis": False,
    "sentiment_analysis_results": None,
    "error": None,
}
