"""What does a refusal of OpenAI, or of a server that speaks like it, mean for the caller? Decided by status and code."""

import re
from typing import Final

from msgspec import Struct

from focusflow.errors import Held, HoldKind, Permanent, StepError, TooLong, Transient
from focusflow.providers.http_errors import sentence

BILLING_PAGE: Final = "https://platform.openai.com/settings/organization/billing"

OUT_OF_CREDIT: Final = re.compile(r"insufficient_quota|credit_balance|billing|insufficient_balance|payment_required")
TOO_LONG_CODE: Final = re.compile(r"context_length_exceeded|string_above_max_length|input_too_long")
TOO_LONG_WORDS: Final = re.compile(
    r"context (length|window|size)|maximum context|too many (input )?tokens|(prompt|input|request) (is )?too (long|large)",
    re.IGNORECASE,
)


class Complaint(Struct, frozen=True, kw_only=True):
    """What a server said was wrong, before (with a status) or within (without one) its answer."""

    status: int | None
    code: str
    """Its code and its type, whichever it gave; empty when neither."""
    param: str
    words: str | None
    """None when it said nothing we can read: then something else may have answered in its place."""
    wait: float | None = None

    def names(self, parameter: str) -> bool:
        """Whether it is about *parameter* of our request."""
        return parameter in self.param or parameter in (self.words or "")


def step_error(complaint: Complaint, *, who: str, model: str) -> StepError | None:
    """Return what *complaint* means; None for one within an answer that says no more than that it broke off."""
    status, words = complaint.status, complaint.words
    if OUT_OF_CREDIT.search(complaint.code) or status == 402:
        return Held(HoldKind.CREDIT, sentence(f"{who} is out of credit or quota: top up at {BILLING_PAGE}", words))
    if TOO_LONG_CODE.search(complaint.code) or (status in (None, 400, 413, 422) and TOO_LONG_WORDS.search(words or "")):
        return TooLong(sentence(f"The text is longer than {model} takes", words))
    return None if status is None else _by_status(status, complaint, who, model)


def _by_status(status: int, complaint: Complaint, who: str, model: str) -> StepError:
    words = complaint.words
    did_not = f"{who} did not answer (HTTP {status})"
    if status in (401, 403):
        return Held(HoldKind.CREDENTIALS, sentence(f"{who} refused us (HTTP {status})", words, "Check OPENAI_API_KEY"))
    if status == 429:
        return Held(
            HoldKind.RATE_LIMIT, sentence(f"{who} has had too many requests", words), retry_after=complaint.wait
        )
    if status in (408, 409, 425) or status >= 500:
        return Transient(sentence(did_not, words), retry_after=complaint.wait)
    if status == 413:
        return TooLong(f"The text is longer than {who} takes in one request.")
    if _is_about_the_model(status, complaint):
        advice = "Correct openai.model (OPENAI_MODEL), or the rule that names it"
        return Held(HoldKind.CREDENTIALS, sentence(f"{who} does not know the model {model}", words, advice))
    if status == 404:
        text = sentence(f"{who} has nothing at this address; it usually ends in /v1. Check OPENAI_BASE_URL")
        return Held(HoldKind.SERVICE, text)
    if status < 400 or words is None:
        return Held(
            HoldKind.SERVICE,
            f"{did_not}: something else answered in its place. Check OPENAI_BASE_URL and the network.",
        )
    return Permanent(sentence(f"{who} refused the request (HTTP {status})", words))


def _is_about_the_model(status: int, complaint: Complaint) -> bool:
    """Whether the server has no such model: its code says so, or what it said is not there."""
    if "model_not_found" in complaint.code:
        return True
    return status == 404 and "model" in f"{complaint.code} {complaint.words or ''}".lower()
