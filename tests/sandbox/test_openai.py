"""Does the emulated OpenAI satisfy the vendor's own client, stream as the real one does, and break as planned?"""

import json
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field
from typing import Protocol

import anyio
import httpx2
import openai
import pytest
from openai.types import CompletionUsage
from openai.types.chat import ChatCompletionUserMessageParam

from focusflow.sandbox.faults import Fault, FaultPlan
from focusflow.sandbox.openai import API_KEY, OpenAIService
from focusflow.sandbox.request_log import RequestLog
from focusflow.sandbox.scripts import KEYS, SCRIPTS, Script, Utterance
from focusflow.sandbox.server import Sandbox
from focusflow.sandbox.service import Bill

MODEL = "gpt-6-luna"
SUMMARIZE = "Summarize this phone call in Markdown. Quote evidence with times."
ENTITLE = "You are given the transcript of a phone call. Write a short title for it, nothing else."
MERGE = "These are partial summaries of one phone call. Merge them into a single summary."


class HandClock(Protocol):
    now: float

    def __call__(self) -> float: ...

    def advance(self, seconds: float) -> None: ...


@dataclass
class Heard:
    """What a client collected from one stream."""

    text: str = ""
    finish_reason: str | None = None
    usage: CompletionUsage | None = None
    roles: list[str] = field(default_factory=list)
    deltas: int = 0


@pytest.fixture
def service(clock: HandClock, bill: Bill, faults: FaultPlan) -> OpenAIService:
    return OpenAIService(clock=clock, bill=bill, faults=faults, delta_seconds=0)


@pytest.fixture
async def sandbox(service: OpenAIService, faults: FaultPlan, log: RequestLog) -> AsyncIterator[Sandbox]:
    async with Sandbox([service], faults=faults, log=log) as running:
        yield running


@pytest.fixture
async def client(sandbox: Sandbox) -> AsyncIterator[openai.AsyncOpenAI]:
    async with openai.AsyncOpenAI(
        base_url=sandbox.url_of("openai") + "/v1",
        api_key=API_KEY,
        max_retries=0,
        http_client=openai.DefaultAsyncHttpx2Client(trust_env=False),
    ) as connected:
        yield connected


def told(lines: Sequence[Utterance]) -> str:
    """A transcript as the product might render it."""
    return "\n".join(f"[{line.start_ms // 60000:02d}:00] **Speaker {line.speaker}:** {line.text}" for line in lines)


def asked(instruction: str, text: str) -> list[ChatCompletionUserMessageParam]:
    return [{"role": "user", "content": f"{instruction}\n\n{text}"}]


async def listen(client: openai.AsyncOpenAI, prompt: str, *, model: str = MODEL, usage: bool = True) -> Heard:
    """Stream an answer to its end, the way a careful client does."""
    heard = Heard()
    async with await client.chat.completions.create(
        model=model,
        messages=[{"role": "user", "content": prompt}],
        stream=True,
        stream_options={"include_usage": usage},
    ) as stream:
        async for chunk in stream:
            heard.usage = chunk.usage or heard.usage
            for choice in chunk.choices:
                heard.roles += [choice.delta.role] if choice.delta.role else []
                heard.text += choice.delta.content or ""
                heard.deltas += bool(choice.delta.content)
                heard.finish_reason = choice.finish_reason or heard.finish_reason
    return heard


async def say(client: openai.AsyncOpenAI, instruction: str, text: str) -> str:
    answer = await client.chat.completions.create(model=MODEL, messages=asked(instruction, text))
    return answer.choices[0].message.content or ""


@pytest.fixture
def call() -> Script:
    return SCRIPTS["sales-quote"]


async def test_a_streamed_summary_arrives_word_by_word_with_its_usage(
    client: openai.AsyncOpenAI, call: Script, bill: Bill
) -> None:
    """Role first, then content, the reason to finish, and the usage the bill agrees with."""
    heard = await listen(client, SUMMARIZE + "\n\n" + told(call.utterances))
    assert heard.text == call.summary_markdown
    assert (heard.roles, heard.finish_reason) == (["assistant"], "stop")
    assert heard.deltas > 100
    assert heard.usage is not None
    assert heard.usage.completion_tokens_details is not None
    (line,) = bill.of("openai")
    assert (line.kind, line.model) == ("completion", MODEL)
    assert line.quantity == {
        "input_tokens": heard.usage.prompt_tokens,
        "cached_tokens": 0,
        "output_tokens": heard.usage.completion_tokens,
        "reasoning_tokens": heard.usage.completion_tokens_details.reasoning_tokens,
    }
    assert line.quantity["reasoning_tokens"] == 256


async def test_the_stream_on_the_wire_is_as_documented(sandbox: Sandbox, call: Script) -> None:
    """Only `data:` lines, usage null until its own chunk without choices, and [DONE] at the end."""
    body = {
        "model": MODEL,
        "messages": asked(SUMMARIZE, told(call.utterances)),
        "stream": True,
        "stream_options": {"include_usage": True},
    }
    async with httpx2.AsyncClient(trust_env=False, headers={"authorization": f"Bearer {API_KEY}"}) as http:
        answer = await http.post(sandbox.url_of("openai") + "/v1/chat/completions", json=body)
    assert answer.headers["content-type"] == "text/event-stream; charset=utf-8"
    assert answer.headers["x-request-id"].startswith("req_")
    assert answer.headers["openai-processing-ms"].isdigit()
    assert {"x-ratelimit-remaining-requests", "x-ratelimit-reset-tokens"} <= answer.headers.keys()
    events = answer.text.split("\n\n")
    assert events[-2:] == ["data: [DONE]", ""]
    chunks = [json.loads(event.removeprefix("data: ")) for event in events[:-2]]
    assert {chunk["object"] for chunk in chunks} == {"chat.completion.chunk"}
    assert len({chunk["id"] for chunk in chunks}) == 1
    assert {chunk["service_tier"] for chunk in chunks} == {"default"}
    assert chunks[0]["choices"][0]["delta"] == {"role": "assistant", "content": "", "refusal": None}
    assert chunks[-2]["choices"][0] == {"index": 0, "delta": {}, "logprobs": None, "finish_reason": "stop"}
    assert [chunk["usage"] for chunk in chunks[:-1]] == [None] * (len(chunks) - 1)
    assert chunks[-1]["choices"] == []
    assert chunks[-1]["usage"]["prompt_tokens_details"] == {
        "cached_tokens": 0,
        "cache_write_tokens": 0,
        "audio_tokens": 0,
    }


async def test_usage_comes_only_when_asked_for(client: openai.AsyncOpenAI, call: Script) -> None:
    """Without include_usage a stream says nothing about tokens."""
    heard = await listen(client, SUMMARIZE + told(call.utterances), usage=False)
    assert (heard.usage, heard.finish_reason) == (None, "stop")


@pytest.mark.parametrize("key", [key for key in KEYS if key not in ("pocket-dial", "team-retro-hour")])
async def test_each_call_gets_its_title_and_its_summary(client: openai.AsyncOpenAI, key: str) -> None:
    """The emulator recognizes the call by what is said in it, and the task by the instruction."""
    script = SCRIPTS[key]
    assert await say(client, SUMMARIZE, told(script.utterances)) == script.summary_markdown
    assert await say(client, ENTITLE, told(script.utterances)) == script.title
    assert await say(client, ENTITLE, script.summary_markdown) == script.title


async def test_a_long_call_is_summarized_in_parts_and_merged(client: openai.AsyncOpenAI) -> None:
    """Each part gets its own points, and the parts together the whole summary."""
    script = SCRIPTS["team-retro-hour"]
    third = len(script.utterances) // 3
    parts = [
        await say(client, SUMMARIZE, told(script.utterances[start : start + third]))
        for start in range(0, 3 * third, third)
    ]
    assert len(set(parts)) == 3
    assert all(part.startswith(script.heading) and part != script.summary_markdown for part in parts)
    assert await say(client, MERGE, "\n\n---\n\n".join(parts)) == script.summary_markdown
    assert await say(client, SUMMARIZE, told(script.utterances)) == script.summary_markdown


async def test_a_prompt_nobody_scripted_gets_a_summary_made_from_it(client: openai.AsyncOpenAI) -> None:
    """The same words for the same prompt, taken from the prompt."""
    text = "The meeting was moved to the large hall. Somebody has to bring the projector on Monday."
    answers = [await say(client, SUMMARIZE, text) for _ in range(2)]
    assert answers[0] == answers[1]
    assert "- Somebody has to bring the projector on Monday." in answers[0]
    assert await say(client, ENTITLE, text) == "Somebody has to bring the projector"


async def test_a_json_answer_holds_title_and_summary(client: openai.AsyncOpenAI, call: Script) -> None:
    """With a JSON response format the content is JSON."""
    answer = await client.chat.completions.create(
        model=MODEL, messages=asked(SUMMARIZE, told(call.utterances)), response_format={"type": "json_object"}
    )
    assert json.loads(answer.choices[0].message.content or "") == {
        "title": call.title,
        "summary": call.summary_markdown,
    }


@pytest.mark.parametrize(
    ("tier", "billed"), [(None, "default"), ("auto", "default"), ("flex", "flex"), ("fast", "priority")]
)
async def test_the_answer_names_the_tier_that_is_billed(
    client: openai.AsyncOpenAI, tier: str | None, billed: str
) -> None:
    """Fast is reported as priority, and a local model knows no tiers."""
    extra = {} if tier is None else {"service_tier": tier}
    answer = await client.chat.completions.create(model=MODEL, messages=asked(SUMMARIZE, "Hi."), extra_body=extra)
    assert answer.service_tier == billed
    local = await client.chat.completions.create(model="sandbox-local", messages=asked(SUMMARIZE, "Hi."))
    assert local.service_tier is None
    assert local.usage is not None
    assert local.usage.completion_tokens_details is not None
    assert local.usage.completion_tokens_details.reasoning_tokens == 0


async def test_a_small_budget_of_output_tokens_ends_in_length(client: openai.AsyncOpenAI, call: Script) -> None:
    """The model's thinking eats from the same budget."""
    messages = asked(SUMMARIZE, told(call.utterances))
    short = await client.chat.completions.create(model=MODEL, messages=messages, max_completion_tokens=300)
    none = await client.chat.completions.create(model=MODEL, messages=messages, max_completion_tokens=200)
    assert [answer.choices[0].finish_reason for answer in (short, none)] == ["length", "length"]
    assert call.summary_markdown.startswith(short.choices[0].message.content or "?")
    assert none.choices[0].message.content == ""
    assert [answer.usage.completion_tokens <= 300 for answer in (short, none) if answer.usage] == [True, True]


async def test_models_are_listed(client: openai.AsyncOpenAI) -> None:
    """As the screen's configuration check asks for them."""
    names = [model.id async for model in client.models.list()]
    assert {"gpt-6-luna", "gpt-6.1-terra", "gpt-6-sol", "gpt-5.4-mini", "sandbox-local"} <= set(names)
    assert (await client.models.retrieve("gpt-6-luna")).id == "gpt-6-luna"
    with pytest.raises(openai.NotFoundError):
        await client.models.retrieve("gpt-2")


async def test_a_wrong_key_is_refused(client: openai.AsyncOpenAI) -> None:
    """401 invalid_api_key, without the key in the text."""
    with pytest.raises(openai.AuthenticationError) as caught:
        await client.with_options(api_key="sk-wrong-secret").chat.completions.create(
            model=MODEL, messages=asked("Hi", "there")
        )
    assert caught.value.code == "invalid_api_key"
    assert "wrong-secret" not in str(caught.value)


@pytest.mark.parametrize(
    ("settings", "status", "code", "param"),
    [
        ({"model": "gpt-2"}, 404, "model_not_found", None),
        ({"temperature": 0.2}, 400, "unsupported_parameter", "temperature"),
        ({"top_p": 0.5}, 400, "unsupported_parameter", "top_p"),
        ({"max_tokens": 10}, 400, "unsupported_parameter", "max_tokens"),
        ({"model": "gpt-6.1-sol", "reasoning_effort": "none"}, 400, "unsupported_value", "reasoning_effort"),
        ({"messages": []}, 400, "empty_array", "messages"),
        ({"messages": [{"role": "boss", "content": "x"}]}, 400, "invalid_value", "messages[0].role"),
        ({"stream_options": {"include_usage": True}}, 400, None, "stream_options"),
        ({"max_completion_tokens": 0}, 400, "integer_below_min_value", "max_completion_tokens"),
        ({"service_tier": "first-class"}, 400, None, "service_tier"),
        ({"shoe_size": 43}, 400, None, None),
    ],
)
async def test_a_bad_request_is_refused_with_its_code(
    client: openai.AsyncOpenAI,
    bill: Bill,
    settings: dict[str, object],
    status: int,
    code: str | None,
    param: str | None,
) -> None:
    """The checks of the real service, and no charge."""
    with pytest.raises(openai.APIStatusError) as caught:
        await client.chat.completions.create(model=MODEL, messages=asked("Hi", "there"), extra_body=settings)
    error = caught.value
    assert (error.status_code, error.code, error.param) == (status, code, param)
    assert error.type == "invalid_request_error"
    assert error.request_id is not None
    assert bill.lines == []


async def test_a_temperature_is_fine_where_nothing_is_thought(client: openai.AsyncOpenAI) -> None:
    """Smaller models, and the effort `none`, take it."""
    messages = asked(SUMMARIZE, "Nothing happened today at all.")
    await client.chat.completions.create(model="gpt-5.4-mini", messages=messages, temperature=0.2)
    await client.chat.completions.create(model=MODEL, messages=messages, temperature=0.2, reasoning_effort="none")


async def test_a_prompt_beyond_the_window_is_refused(
    client: openai.AsyncOpenAI, service: OpenAIService, call: Script
) -> None:
    """context_length_exceeded, with both numbers in the message."""
    service.windows[MODEL] = 500
    with pytest.raises(openai.BadRequestError) as caught:
        await listen(client, SUMMARIZE + told(call.utterances))
    assert caught.value.code == "context_length_exceeded"
    assert "exceed the configured limit of 500 tokens" in str(caught.value)


async def test_too_many_requests_a_minute_are_refused(
    client: openai.AsyncOpenAI, service: OpenAIService, clock: HandClock
) -> None:
    """The next minute is a new one."""
    service.requests_per_minute = 1
    await say(client, SUMMARIZE, "x")
    with pytest.raises(openai.RateLimitError) as caught:
        await say(client, SUMMARIZE, "x")
    assert (caught.value.code, caught.value.response.headers["retry-after"]) == ("rate_limit_exceeded", "1")
    clock.advance(60)
    await say(client, SUMMARIZE, "x")


async def test_the_responses_api_is_missing(client: openai.AsyncOpenAI) -> None:
    """As on most compatible servers."""
    with pytest.raises(openai.NotFoundError):
        await client.responses.create(model=MODEL, input="Hi")


@pytest.mark.parametrize(
    ("kind", "finish_reason", "billed"),
    [
        ("length", "length", "completion"),
        ("content_filter", "content_filter", "completion"),
        ("empty", "stop", "completion"),
        ("clean_eof", None, "interrupted_completion"),
        ("no_usage", "stop", "completion"),
    ],
)
async def test_a_stream_can_end_badly_without_an_error(
    client: openai.AsyncOpenAI,
    call: Script,
    faults: FaultPlan,
    bill: Bill,
    kind: str,
    finish_reason: str | None,
    billed: str,
) -> None:
    """Only a client that looks at the reason to finish notices; the money is gone all the same."""
    faults.add(Fault(service="openai", kind=kind))
    heard = await listen(client, SUMMARIZE + told(call.utterances))
    assert heard.finish_reason == finish_reason
    assert (heard.text == call.summary_markdown) == (kind == "no_usage")
    assert (heard.text == "") == (kind == "empty")
    assert (heard.usage is None) == (kind in ("clean_eof", "no_usage"))
    assert [line.kind for line in bill.lines] == [billed]
    assert (await listen(client, SUMMARIZE + told(call.utterances))).text == call.summary_markdown


async def test_a_stream_can_fail_in_the_middle(
    client: openai.AsyncOpenAI, call: Script, faults: FaultPlan, bill: Bill
) -> None:
    """An error event, and an event that is no JSON."""
    faults.add(Fault(service="openai", kind="mid_stream_error"), Fault(service="openai", kind="bad_event"))
    with pytest.raises(openai.APIError, match="The server had an error"):
        await listen(client, SUMMARIZE + told(call.utterances))
    with pytest.raises(json.JSONDecodeError):
        await listen(client, SUMMARIZE + told(call.utterances))
    assert [line.kind for line in bill.lines] == ["interrupted_completion"] * 2


async def test_a_used_up_quota_is_told_apart_from_a_rate_limit(
    client: openai.AsyncOpenAI, faults: FaultPlan, bill: Bill
) -> None:
    """Same status, another code: waiting does not help."""
    faults.add(Fault(service="openai", kind="insufficient_quota"))
    with pytest.raises(openai.RateLimitError) as caught:
        await say(client, SUMMARIZE, "x")
    assert (caught.value.code, caught.value.type) == ("insufficient_quota", "insufficient_quota")
    assert bill.lines == []


async def test_a_client_that_leaves_stops_the_generation_and_the_meter(
    client: openai.AsyncOpenAI, service: OpenAIService, call: Script, bill: Bill
) -> None:
    """What was written until then is charged as an interrupted completion."""
    service.delta_seconds = 0.01
    async with await client.chat.completions.create(
        model=MODEL, messages=asked(SUMMARIZE, told(call.utterances)), stream=True
    ) as stream:
        async for chunk in stream:
            if chunk.choices[0].delta.content:
                break
    with anyio.fail_after(5):
        while not bill.lines:
            await anyio.lowlevel.checkpoint()
    (line,) = bill.lines
    assert line.kind == "interrupted_completion"
    assert 256 < line.quantity["output_tokens"] < 256 + 100


@pytest.mark.parametrize(
    ("status", "error", "code"),
    [
        (401, openai.AuthenticationError, "invalid_api_key"),
        (403, openai.PermissionDeniedError, "unsupported_country_region_territory"),
        (429, openai.RateLimitError, "rate_limit_exceeded"),
        (500, openai.InternalServerError, None),
        (503, openai.InternalServerError, "server_is_overloaded"),
    ],
)
async def test_injected_refusals_are_in_the_services_words(
    client: openai.AsyncOpenAI, faults: FaultPlan, status: int, error: type[openai.APIStatusError], code: str | None
) -> None:
    """Typed errors in the client, and whole seconds to wait."""
    faults.add(Fault(service="openai", kind="status", status=status, retry_after=2.5))
    with pytest.raises(error) as caught:
        await say(client, SUMMARIZE, "x")
    assert (caught.value.status_code, caught.value.code) == (status, code)
    assert caught.value.response.headers["retry-after"] == "3"
