"""What does an OpenAI-compatible server do? Lists models and completes chats, at once or as a stream."""

import json
import math
import re
import uuid
from collections.abc import Collection, Iterable, Mapping
from typing import ClassVar, Final

import anyio
from aiohttp import web

from focusflow.sandbox.faults import FaultPlan
from focusflow.sandbox.openai.checks import MODELS, TIERS, Model, Refusal, refusal, too_long, unknown_model
from focusflow.sandbox.openai.wire import (
    BREAKS,
    SERVER_ERROR,
    Completion,
    Json,
    chunk,
    closing_events,
    event,
    opening_deltas,
    tokens_in,
    whole,
)
from focusflow.sandbox.openai.writing import Writer
from focusflow.sandbox.service import Bill, BillLine, Service, UnixClock

API_KEY: Final = "sk-sandbox-openai-key"
TOKENS_PER_MESSAGE: Final = 4
REASONING_TOKENS: Final = {
    "none": 0,
    "minimal": 32,
    "low": 96,
    "medium": 256,
    "high": 768,
    "xhigh": 1536,
    "max": 3072,
}
"""How much a reasoning model thinks before it writes; `medium` when nothing is said."""
MODELS_CREATED: Final = 1_788_000_000
WINDOW_SECONDS: Final = 60.0

CHAT_FAULTS: Final = (
    "insufficient_quota",
    "mid_stream_error",
    "length",
    "content_filter",
    "clean_eof",
    "empty",
    "bad_event",
    "no_usage",
)

_NO_QUOTA: Final = Refusal(
    status=429,
    message=(
        "You exceeded your current quota, please check your plan and billing details. For more information on this "
        "error, read the docs: https://platform.openai.com/docs/guides/error-codes/api-errors."
    ),
    type="insufficient_quota",
    code="insufficient_quota",
)


class OpenAIService(Service):
    """OpenAI's chat completions, for one account; `/v1/responses` is missing, as on most compatible servers."""

    name: ClassVar[str] = "openai"
    prefix: ClassVar[str] = "/openai"

    def __init__(
        self,
        *,
        clock: UnixClock,
        bill: Bill,
        faults: FaultPlan | None = None,
        api_keys: Collection[str] = (API_KEY,),
        delta_seconds: float = 0.002,
        windows: Mapping[str, int] | None = None,
        requests_per_minute: int = 5000,
        tokens_per_minute: int = 4_000_000,
    ) -> None:
        super().__init__(clock=clock, bill=bill)
        self.faults = faults
        self.api_keys = frozenset(api_keys)
        self.delta_seconds = delta_seconds
        """How long the model takes for each streamed word."""
        self.windows = {name: model.window for name, model in MODELS.items()} | dict(windows or {})
        """The most input tokens by model; change it to make a prompt too long."""
        self.requests_per_minute = requests_per_minute
        self.tokens_per_minute = tokens_per_minute
        self._writer = Writer()
        self._window_began = -math.inf
        self._window_requests = 0
        self._window_tokens = 0

    def routes(self) -> Iterable[web.RouteDef]:
        return (
            web.get("/v1/models", self._list_models),
            web.get("/v1/models/{id}", self._get_model),
            web.post("/v1/chat/completions", self._chat),
            web.post("/v1/responses", self._no_responses),
        )

    def fault_response(self, status: int, retry_after: float | None) -> web.Response:
        """The service's own words for *status*."""
        headers = {} if retry_after is None else {"retry-after": str(math.ceil(retry_after))}
        return self._refused(_FAULTS.get(status, Refusal(status=status, message="Unknown error")), headers, status)

    async def _list_models(self, request: web.Request) -> web.Response:
        if denied := self._denied(request):
            return self._refused(denied)
        return web.json_response({"object": "list", "data": [_model_object(name) for name in MODELS]})

    async def _get_model(self, request: web.Request) -> web.Response:
        if denied := self._denied(request):
            return self._refused(denied)
        name = request.match_info["id"]
        if name not in MODELS:
            return self._refused(unknown_model(name))
        return web.json_response(_model_object(name))

    async def _no_responses(self, request: web.Request) -> web.Response:
        if denied := self._denied(request):
            return self._refused(denied)
        return self._refused(Refusal(status=404, message="Invalid URL (POST /v1/responses)"))

    async def _chat(self, request: web.Request) -> web.StreamResponse:
        if denied := self._denied(request):
            return self._refused(denied)
        body = _json_object(await request.read())
        if body is None:
            return self._refused(Refusal(message="We could not parse the JSON body of your request."))
        if complaint := self._complaint(body):
            return self._refused(complaint)
        headers = self._headers(_input_tokens(body))
        if headers is None:
            return self._refused(_rate_limit(str(body["model"]), self.requests_per_minute), {"retry-after": "1"})
        fault = self._drawn_fault(streamed=bool(body.get("stream")))
        if fault == "insufficient_quota":
            return self._refused(_NO_QUOTA)
        completion = await anyio.to_thread.run_sync(self._compose, body, fault)
        if body.get("stream"):
            return await self._stream(request, completion, _usage_wanted(body), headers)
        self._charge(completion, "completion")
        return web.json_response(whole(completion), headers=headers)

    def _complaint(self, body: Json) -> Refusal | None:
        name = body.get("model")
        if not isinstance(name, str) or not name:
            return Refusal(message="you must provide a model parameter")
        model = MODELS.get(name)
        if model is None:
            return unknown_model(name)
        if complaint := refusal(body, model):
            return complaint
        tokens, window = _input_tokens(body), self.windows[name]
        return too_long(tokens, window) if tokens > window else None

    def _compose(self, body: Json, fault: str | None) -> Completion:
        """Decide the whole answer; runs in a thread, since finding the call in a long prompt takes a while."""
        name = str(body["model"])
        model = MODELS[name]
        most = body.get("max_completion_tokens") or body.get("max_tokens")
        most_tokens = most if isinstance(most, int) else None
        thinking = _reasoning_tokens(model, body)
        room = None if most_tokens is None else most_tokens - thinking
        text = self._writer.answer(_prompt(body), most_tokens=most_tokens, as_json=_json_wanted(body))
        deltas, finish_reason = _cut(re.findall(r"\s*\S+|\s+$", text), room, fault)
        return Completion(
            id=f"chatcmpl-{uuid.uuid4().hex[:29]}",
            model=name,
            created=int(self.clock()),
            tier=None if model.local else TIERS[str(body.get("service_tier") or "auto")],
            input_tokens=_input_tokens(body),
            reasoning_tokens=thinking if most_tokens is None else min(thinking, most_tokens),
            deltas=deltas,
            finish_reason=finish_reason,
            fault=fault,
        )

    async def _stream(
        self, request: web.Request, completion: Completion, usage_wanted: bool, headers: Mapping[str, str]
    ) -> web.StreamResponse:
        response = web.StreamResponse(headers={**headers, "Content-Type": "text/event-stream; charset=utf-8"})
        response.headers["Cache-Control"] = "no-cache"
        written = 0
        try:
            await response.prepare(request)
            await response.write(
                event(chunk(completion, {"role": "assistant", "content": "", "refusal": None}, usage_wanted))
            )
            for delta in opening_deltas(completion):
                await anyio.sleep(self.delta_seconds)
                written += 1  # what was thought of is charged, even if nobody is there to read it
                await response.write(event(chunk(completion, {"content": delta}, usage_wanted)))
        except BaseException:
            self._charge(completion, "interrupted_completion", written)
            raise
        if completion.fault in BREAKS:
            self._charge(completion, "interrupted_completion", written)
            await response.write(BREAKS[completion.fault])
        else:
            self._charge(completion, "completion")
            for closing in closing_events(completion, usage_wanted):
                await response.write(closing)
        await response.write_eof()
        return response

    def _charge(self, completion: Completion, kind: str, written: int | None = None) -> None:
        self.bill.add(
            BillLine(
                service=self.name,
                kind=kind,
                reference=completion.id,
                model=completion.model,
                quantity=completion.quantity(written),
                at=self.clock(),
            )
        )

    def _drawn_fault(self, *, streamed: bool) -> str | None:
        if self.faults is None:
            return None
        path = "/v1/chat/completions"
        for name in CHAT_FAULTS:
            # a stream's ways to break mean nothing to a whole answer, and stay planned
            if (streamed or name not in BREAKS) and self.faults.take_named(self.name, name, method="POST", path=path):
                return name
        return None

    def _denied(self, request: web.Request) -> Refusal | None:
        scheme, _, key = request.headers.get("authorization", "").partition(" ")
        if scheme.lower() != "bearer" or not key:
            return Refusal(
                status=401,
                message="You didn't provide an API key. You need to provide your API key in an Authorization header "
                "using Bearer auth (i.e. Authorization: Bearer YOUR_KEY).",
            )
        if key not in self.api_keys:
            return Refusal(
                status=401,
                message=f"Incorrect API key provided: {key[:4]}***. You can find your API key at "
                "https://platform.openai.com/account/api-keys.",
                code="invalid_api_key",
            )
        return None

    def _headers(self, tokens: int) -> dict[str, str] | None:
        """The headers of a good answer; None if the minute's requests are used up."""
        now = self.clock()
        if now - self._window_began >= WINDOW_SECONDS:
            self._window_began, self._window_requests, self._window_tokens = now, 0, 0
        if self._window_requests >= self.requests_per_minute:
            return None
        self._window_requests += 1
        self._window_tokens += tokens
        reset = f"{math.ceil((self._window_began + WINDOW_SECONDS - now) * 1000)}ms"
        return self._common_headers() | {
            "x-ratelimit-limit-requests": str(self.requests_per_minute),
            "x-ratelimit-remaining-requests": str(self.requests_per_minute - self._window_requests),
            "x-ratelimit-reset-requests": reset,
            "x-ratelimit-limit-tokens": str(self.tokens_per_minute),
            "x-ratelimit-remaining-tokens": str(max(0, self.tokens_per_minute - self._window_tokens)),
            "x-ratelimit-reset-tokens": reset,
        }

    def _common_headers(self) -> dict[str, str]:
        return {
            "x-request-id": f"req_{uuid.uuid4().hex}",
            "openai-processing-ms": "42",
            "openai-organization": "sandbox",
            "openai-version": "2020-10-01",
        }

    def _refused(
        self, complaint: Refusal, headers: Mapping[str, str] | None = None, status: int | None = None
    ) -> web.Response:
        return web.json_response(
            complaint.body(), status=status or complaint.status, headers=self._common_headers() | dict(headers or {})
        )


def _input_tokens(body: Json) -> int:
    messages = body["messages"]
    assert isinstance(messages, list)
    return tokens_in(_prompt(body)) + TOKENS_PER_MESSAGE * len(messages)


def _reasoning_tokens(model: Model, body: Json) -> int:
    return REASONING_TOKENS[str(body.get("reasoning_effort") or "medium")] if model.reasons else 0


def _prompt(body: Json) -> str:
    """All messages' text, whether given as strings or as parts."""
    messages = body["messages"]
    assert isinstance(messages, list)
    return "\n\n".join(_text_of(message.get("content")) for message in messages)


def _text_of(content: object) -> str:
    if isinstance(content, list):
        return "\n".join(str(part.get("text", "")) for part in content if isinstance(part, dict))
    return content if isinstance(content, str) else ""


def _json_wanted(body: Json) -> bool:
    wanted = body.get("response_format")
    return isinstance(wanted, dict) and wanted.get("type") in ("json_object", "json_schema")


def _usage_wanted(body: Json) -> bool:
    options = body.get("stream_options")
    return isinstance(options, dict) and options.get("include_usage") is True


def _cut(deltas: list[str], room: int | None, fault: str | None) -> tuple[list[str], str]:
    """What is said of *deltas*, and why it ends there: *room* tokens, or as planned."""
    match fault:
        case "empty":
            return [], "stop"
        case "length" | "content_filter":
            return deltas[: len(deltas) // 2], fault
        case _ if room is not None and tokens_in("".join(deltas)) > room:
            fitting = 0
            while tokens_in("".join(deltas[: fitting + 1])) <= room:
                fitting += 1
            return deltas[:fitting], "length"
        case _:
            return deltas, "stop"


def _model_object(name: str) -> Json:
    return {"id": name, "object": "model", "created": MODELS_CREATED, "owned_by": "system"}


def _rate_limit(model: str, limit: int) -> Refusal:
    return Refusal(
        status=429,
        message=f"Rate limit reached for {model} in organization sandbox on requests per min (RPM): Limit {limit}. "
        "Please try again in 1s.",
        type="requests",
        code="rate_limit_exceeded",
    )


def _json_object(raw: bytes) -> Json | None:
    try:
        body = json.loads(raw)
    except ValueError:
        return None
    return body if isinstance(body, dict) else None


_FAULTS: Final[Mapping[int, Refusal]] = {
    400: Refusal(message="The request could not be read this time. Send it again."),
    401: Refusal(message="Incorrect API key provided.", code="invalid_api_key"),
    402: _NO_QUOTA,
    403: Refusal(
        message="Country, region, or territory not supported",
        type="request_forbidden",
        code="unsupported_country_region_territory",
    ),
    404: Refusal(message="The model does not exist or you do not have access to it.", code="model_not_found"),
    408: Refusal(message="Request timed out.", type="server_error"),
    429: _rate_limit("the model", 5000),
    500: SERVER_ERROR,
    502: Refusal(message="Bad gateway.", type="server_error"),
    503: Refusal(
        message="The server is currently overloaded with other requests. Sorry about that! Please retry your request "
        "after a brief wait.",
        type="service_unavailable_error",
        code="server_is_overloaded",
    ),
}
