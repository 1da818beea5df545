"""Which chat requests does OpenAI refuse, and in which words?"""

from collections.abc import Callable, Iterator, Mapping
from typing import Final

from msgspec import Struct

Body = Mapping[str, object]

ROLES: Final = ("system", "developer", "user", "assistant", "tool", "function")
EFFORTS: Final = ("none", "minimal", "low", "medium", "high", "xhigh", "max")
TIERS: Final = {
    "auto": "default",
    "default": "default",
    "flex": "flex",
    "scale": "scale",
    "priority": "priority",
    "fast": "priority",
}
"""The tier that is billed for the one that is asked for."""


class Model(Struct, frozen=True, kw_only=True):
    """What the sandbox knows about one model."""

    window: int
    """The most input tokens."""
    reasons: bool = False
    """It thinks before it answers, is charged for that, and takes no temperature while it does."""
    needs_thinking: bool = False
    """It does not support the effort `none`."""
    local: bool = False
    """Stands for a compatible server's model: no service tiers."""


MODELS: Final[Mapping[str, Model]] = {
    "gpt-6-luna": Model(window=922_000, reasons=True),
    "gpt-6-sol": Model(window=922_000, reasons=True),
    "gpt-6.1-terra": Model(window=922_000, reasons=True),
    "gpt-6.1-sol": Model(window=922_000, reasons=True, needs_thinking=True),
    "gpt-5.4-mini": Model(window=272_000),
    "sandbox-local": Model(window=32_768, local=True),
}


class Refusal(Struct, frozen=True, kw_only=True):
    """An error answer."""

    message: str
    status: int = 400
    type: str = "invalid_request_error"
    param: str | None = None
    code: str | None = None

    def body(self) -> dict[str, object]:
        """The JSON that carries it."""
        return {"error": {"message": self.message, "type": self.type, "param": self.param, "code": self.code}}


def _set_of(names: str) -> frozenset[str]:
    return frozenset(names.split())


PARAMETERS: Final = _set_of(
    "model messages stream stream_options max_completion_tokens max_tokens reasoning_effort verbosity response_format "
    "service_tier store metadata prompt_cache_key prompt_cache_options prompt_cache_retention safety_identifier user "
    "seed temperature top_p top_logprobs logprobs n stop frequency_penalty presence_penalty logit_bias tools "
    "tool_choice parallel_tool_calls modalities audio prediction web_search_options functions function_call"
)
SAMPLING: Final = ("temperature", "top_p", "top_logprobs")


def refusal(body: Body, model: Model) -> Refusal | None:
    """Why a request to a known model is refused, or None for a good one."""
    checks: tuple[Callable[[Body, Model], Iterator[Refusal]], ...] = (
        _unknown_parameters,
        _messages,
        _stream_options,
        _sampling,
        _effort_and_tier,
        _most_tokens,
    )
    for check in checks:
        for complaint in check(body, model):
            return complaint
    return None


def unknown_model(name: object) -> Refusal:
    """What a model that is not there is answered with."""
    return Refusal(
        status=404,
        message=f"The model `{name}` does not exist or you do not have access to it.",
        code="model_not_found",
    )


def too_long(tokens: int, window: int) -> Refusal:
    """What a prompt of *tokens* is answered with when only *window* fit."""
    return Refusal(
        message=(
            f"Input tokens exceed the configured limit of {window} tokens. Your messages resulted in {tokens} tokens. "
            "Please reduce the length of the messages."
        ),
        param="messages",
        code="context_length_exceeded",
    )


def _unknown_parameters(body: Body, model: Model) -> Iterator[Refusal]:
    for name in sorted(body.keys() - PARAMETERS):
        yield Refusal(message=f"Unrecognized request argument supplied: {name}")


def _messages(body: Body, model: Model) -> Iterator[Refusal]:
    messages = body.get("messages")
    if messages is None:
        yield Refusal(
            message="Missing required parameter: 'messages'.", param="messages", code="missing_required_parameter"
        )
    if not isinstance(messages, list):
        yield Refusal(
            message="Invalid type for 'messages': expected an array of objects.", param="messages", code="invalid_type"
        )
    elif not messages:
        yield Refusal(
            message="Invalid 'messages': empty array. Expected an array with minimum length 1, but got an empty array "
            "instead.",
            param="messages",
            code="empty_array",
        )
    for number, message in enumerate(messages if isinstance(messages, list) else ()):
        role = message.get("role") if isinstance(message, dict) else None
        if role not in ROLES:
            names = ", ".join(f"'{name}'" for name in ROLES[:-1])
            yield Refusal(
                message=f"Invalid value: '{role}'. Supported values are: {names}, and '{ROLES[-1]}'.",
                param=f"messages[{number}].role",
                code="invalid_value",
            )


def _stream_options(body: Body, model: Model) -> Iterator[Refusal]:
    if body.get("stream_options") is not None and not body.get("stream"):
        yield Refusal(
            message="The 'stream_options' parameter is only allowed when 'stream' is enabled.", param="stream_options"
        )


def _sampling(body: Body, model: Model) -> Iterator[Refusal]:
    thinking = model.reasons and body.get("reasoning_effort") != "none"
    for name in SAMPLING if thinking else ():
        if body.get(name) is not None:
            yield _unsupported(name)
    if model.reasons and body.get("max_tokens") is not None:
        yield _unsupported("max_tokens", " Use 'max_completion_tokens' instead.")


def _unsupported(name: str, advice: str = "") -> Refusal:
    return Refusal(
        message=f"Unsupported parameter: '{name}' is not supported with this model.{advice}",
        param=name,
        code="unsupported_parameter",
    )


def _effort_and_tier(body: Body, model: Model) -> Iterator[Refusal]:
    effort = body.get("reasoning_effort")
    if effort is not None and (effort not in EFFORTS or (effort == "none" and model.needs_thinking)):
        yield Refusal(
            message=f"Unsupported value: 'reasoning_effort' does not support '{effort}' with this model.",
            param="reasoning_effort",
            code="unsupported_value",
        )
    tier = body.get("service_tier")
    if tier is not None and tier not in TIERS:
        yield Refusal(message=f"Invalid service_tier argument: {tier}", param="service_tier")


def _most_tokens(body: Body, model: Model) -> Iterator[Refusal]:
    for name in ("max_completion_tokens", "max_tokens"):
        value = body.get(name)
        if value is not None and (isinstance(value, bool) or not isinstance(value, int) or value < 1):
            yield Refusal(
                message=f"Invalid '{name}': integer below minimum value. Expected a value >= 1, but got {value} "
                "instead.",
                param=name,
                code="integer_below_min_value",
            )
