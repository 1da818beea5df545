"""Does the summarizer hand out whole answers only, ask once for each, and say what a broken one cost?"""

import json
import re
import socket
import subprocess
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

import anyio
import anyio.lowlevel
import pytest
from aiohttp import web

from focusflow.errors import ConfigError, Held, HoldKind, Permanent, StepError, TooLong, Transient, UnfinishedAnswer
from focusflow.ports import Completion, TokenUsage
from focusflow.providers.openai import AnswerDeadlines, OpenAISummarizer, mended_base_url, open_openai
from focusflow.providers.retry import RetryPolicy
from focusflow.sandbox.faults import Fault, FaultPlan
from focusflow.sandbox.openai import API_KEY, OpenAIService
from focusflow.sandbox.request_log import RequestLog
from focusflow.sandbox.server import Sandbox
from focusflow.sandbox.service import Bill

MODEL = "gpt-6.1-terra"
SHORT = 0.3
"""Seconds after which the tests' deadlines end a stall."""
PATIENCE = RetryPolicy(first_wait=0.001, longest_wait=0.002, jitter=0.0)


@dataclass
class HandClock:
    """Time that passes only when somebody sleeps, or a test says so."""

    at: datetime = datetime(2026, 11, 23, 9, tzinfo=UTC)
    slept: list[float] = field(default_factory=list)

    def now(self) -> datetime:
        return self.at

    def monotonic(self) -> float:
        return self.at.timestamp()

    def unix(self) -> float:
        return self.at.timestamp()

    async def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.at += timedelta(seconds=seconds)
        await anyio.lowlevel.checkpoint()


@dataclass
class World:
    """A summarizer and the service it talks to."""

    summarizer: OpenAISummarizer
    service: OpenAIService
    faults: FaultPlan
    log: RequestLog
    clock: HandClock
    heard: list[str] = field(default_factory=list)

    async def ask(self, text: str = "Summarise: hello.") -> Completion:
        return await self.summarizer.complete(instructions="Be brief.", text=text, on_text=self.heard.append)

    def asked(self) -> int:
        return self.log.count("openai", "POST", "/v1/chat/completions")


@asynccontextmanager
async def a_world(
    *faults: Fault,
    api_key: str | None = API_KEY,
    model: str = MODEL,
    silence: float = 20.0,
    answer: float = 60.0,
    **settings: object,
) -> AsyncIterator[World]:
    clock, plan, log = HandClock(), FaultPlan(faults), RequestLog()
    service = OpenAIService(clock=clock.unix, bill=Bill(), faults=plan, delta_seconds=0)
    async with (
        Sandbox([service], faults=plan, log=log, clock=clock.unix) as sandbox,
        open_openai(
            api_key=api_key,
            base_url=sandbox.url_of("openai") + "/v1",
            model=model,
            clock=clock,
            deadlines=AnswerDeadlines(silence=silence, answer=answer),
            retries=PATIENCE,
            **settings,  # type: ignore[arg-type]
        ) as summarizer,
    ):
        yield World(summarizer=summarizer, service=service, faults=plan, log=log, clock=clock)


def chat_fault(kind: str, **more: object) -> Fault:
    return Fault(service="openai", method="POST", path="/chat/completions$", kind=kind, **more)  # type: ignore[arg-type]


# ------------------------------------------------------------------------------------------------------ the good path


async def test_an_answer_is_heard_piece_by_piece_and_told_whole_with_what_it_cost() -> None:
    """The text, the model that wrote it, and the tokens exactly as the service billed them."""
    async with a_world() as world:
        completion = await world.ask()
        [line] = world.service.bill.of("openai")
        assert completion.text == "".join(world.heard)
        assert len(world.heard) > 1
        assert (completion.model, completion.service_tier) == (MODEL, "default")
        assert completion.request_id is not None
        assert completion.request_id.startswith("req_")
        assert completion.usage is not None
        assert line.quantity == {
            "input_tokens": completion.usage.input_tokens,
            "cached_tokens": completion.usage.cached_tokens,
            "output_tokens": completion.usage.output_tokens,
            "reasoning_tokens": completion.usage.reasoning_tokens,
        }


async def test_a_quick_answer_leaves_everybody_else_their_turn() -> None:
    """Pieces that arrive together are as many turns, not one: others get theirs in between."""
    turns, heard_at = 0, []

    async def take_turns() -> None:
        nonlocal turns
        while True:
            turns += 1
            await anyio.lowlevel.checkpoint()

    async with a_world() as world, anyio.create_task_group() as others:
        others.start_soon(take_turns)
        await world.summarizer.complete(
            instructions="Be brief.", text="Summarise: hello.", on_text=lambda _: heard_at.append(turns)
        )
        others.cancel_scope.cancel()
    assert len(heard_at) > 5
    assert len(set(heard_at)) == len(heard_at)


async def test_only_what_is_configured_is_sent_and_never_a_temperature() -> None:
    """Reasoning models refuse a temperature, and compatible servers what they don't know."""
    async with a_world() as world:
        await world.ask("Hello.")
        [request] = world.log.requests("openai", "POST")
        assert request.json() == {
            "model": MODEL,
            "messages": [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "Hello."}],
            "stream": True,
            "stream_options": {"include_usage": True},
        }


async def test_what_is_configured_is_sent() -> None:
    """And the tier that answers is told, because it decides the price."""
    async with a_world(
        reasoning_effort="low", service_tier="flex", max_completion_tokens=4000, extra_body={"verbosity": "low"}
    ) as world:
        completion = await world.ask()
        [request] = world.log.requests("openai", "POST")
        body = request.json()
        assert isinstance(body, dict)
        assert (
            body.items()
            >= {
                "reasoning_effort": "low",
                "service_tier": "flex",
                "max_completion_tokens": 4000,
                "verbosity": "low",
            }.items()
        )
        assert completion.service_tier == "flex"


async def test_many_answers_at_once_do_not_mix() -> None:
    """One summarizer serves all workers."""
    async with a_world() as world:
        told: dict[int, str] = {}

        async def ask(number: int) -> None:
            told[number] = (await world.ask(f"Say something about {number}.")).text

        async with anyio.create_task_group() as group:
            for number in range(8):
                group.start_soon(ask, number)
        alone = {number: (await world.ask(f"Say something about {number}.")).text for number in range(8)}
        assert told == alone


# -------------------------------------------------------------------------------------------------- unfinished answers


@pytest.mark.parametrize(
    ("fault", "reason", "usage_known"),
    [
        (chat_fault("length"), "cut at the longest output", True),
        (chat_fault("content_filter"), "content filter", True),
        (chat_fault("empty"), "is empty", True),
        (chat_fault("clean_eof"), "broke off before its end", False),
        (chat_fault("mid_stream_error"), "The server had an error", False),
        (chat_fault("bad_event"), "could not be read", False),
        (chat_fault("truncate", bytes=2000), "connection was lost", False),
        (chat_fault("eof", bytes=2000), "broke off before its end", False),
        (chat_fault("stall", bytes=2000), "fell silent", False),
        (chat_fault("html"), "web page", None),
    ],
    ids=lambda value: value.kind if isinstance(value, Fault) else "",
)
async def test_an_answer_that_did_not_end_well_is_no_answer(
    fault: Fault, reason: str, usage_known: bool | None
) -> None:
    """Never a cut summary; asked for once; and what it cost is told wherever the service said it."""
    async with a_world(fault, silence=SHORT if fault.kind == "stall" else 20) as world:
        with pytest.raises(Transient, match=reason) as error:
            await world.ask()
        assert world.asked() == 1
        if usage_known is None:
            assert not isinstance(error.value, UnfinishedAnswer)
            return
        assert isinstance(error.value, UnfinishedAnswer)
        assert isinstance(error.value.usage, TokenUsage) is usage_known
        assert error.value.request_id is not None


async def test_an_answer_that_dribbles_for_ever_ends_at_its_deadline() -> None:
    """Never silent for long, yet never finished."""
    async with a_world(chat_fault("dribble", bytes=1, seconds=0.05), answer=SHORT) as world:
        with pytest.raises(UnfinishedAnswer, match="was not finished within"):
            await world.ask()


async def test_an_answer_that_comes_slowly_is_waited_for() -> None:
    """Slow is not broken."""
    async with a_world(chat_fault("dribble", bytes=2000, seconds=0.001)) as world:
        assert (await world.ask()).usage is not None


async def test_a_whole_answer_without_usage_is_an_answer_of_unknown_cost() -> None:
    """It is paid for and finished; the estimate stands."""
    async with a_world(chat_fault("no_usage")) as world:
        completion = await world.ask()
        assert completion.text
        assert completion.usage is None


# ----------------------------------------------------------------------------------------------------------- refusals


@pytest.mark.parametrize(
    "fault",
    [
        chat_fault("status", status=500),
        chat_fault("status", status=503, retry_after=4),
        chat_fault("status", status=408),
        chat_fault("html", status=502),
        chat_fault("reset_before"),
        chat_fault("reset_after"),
        chat_fault("stall"),
    ],
    ids=lambda fault: f"{fault.kind}-{fault.status or ''}",
)
async def test_trouble_before_the_answer_is_the_jobs_to_repeat(fault: Fault) -> None:
    """A second request here might be billed twice: one is sent, and the job decides by its own count."""
    async with a_world(fault, silence=SHORT if fault.kind == "stall" else 20) as world:
        with pytest.raises(Transient) as error:
            await world.ask()
        assert not isinstance(error.value, UnfinishedAnswer)
        assert error.value.retry_after == fault.retry_after
        assert world.asked() == 1


async def test_no_server_at_the_address_is_transient() -> None:
    """A local server that is not up yet will be."""
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        address = f"http://127.0.0.1:{unused.getsockname()[1]}/v1"
        async with open_openai(api_key=None, base_url=address, model="m", clock=HandClock()) as summarizer:
            with pytest.raises(Transient, match="could not be reached"):
                await summarizer.complete(instructions="", text="", on_text=print)


async def test_an_empty_account_holds_the_job_and_says_where_to_top_up() -> None:
    """The 429 that is about money must not be waited out in seconds."""
    async with a_world(chat_fault("insufficient_quota")) as world:
        with pytest.raises(Held, match=r"top up at https://platform\.openai\.com/") as held:
            await world.ask()
        assert held.value.kind is HoldKind.CREDIT
        await world.ask()  # and other jobs are not made to wait for it


async def test_too_many_requests_hold_the_job_and_everybody_waits() -> None:
    """A short pause is sat through by whoever comes next; a long one holds their jobs."""
    faults = [chat_fault("status", status=429, retry_after=7), chat_fault("status", status=429, retry_after=90)]
    async with a_world(*faults) as world:
        with pytest.raises(Held) as first:
            await world.ask()
        with pytest.raises(Held) as second:
            await world.ask()
        with pytest.raises(Held) as third:
            await world.ask()
        assert [held.value.kind for held in (first, second, third)] == [HoldKind.RATE_LIMIT] * 3
        assert [held.value.retry_after for held in (first, second, third)] == [7, 90, 90]
        assert (world.asked(), world.clock.slept) == (2, [7])


async def test_a_refused_key_holds_the_job_and_names_the_setting() -> None:
    """Without showing it."""
    async with a_world(api_key="sk-wrong-key") as world:
        with pytest.raises(Held, match="OPENAI_API_KEY") as held:
            await world.ask()
        assert held.value.kind is HoldKind.CREDENTIALS
        assert "sk-wrong-key" not in str(held.value)


async def test_a_forbidden_country_holds_the_job_with_the_services_sentence() -> None:
    """A 403 is a matter of the account, not of the call."""
    async with a_world(chat_fault("status", status=403)) as world:
        with pytest.raises(Held, match="territory not supported"):
            await world.ask()


async def test_a_model_that_does_not_exist_is_named_with_its_setting() -> None:
    """The call is not to blame: it waits until the setting is mended."""
    async with a_world(model="gpt-0") as world:
        with pytest.raises(Held, match=r"gpt-0.*OPENAI_MODEL") as held:
            await world.ask()
        assert held.value.kind is HoldKind.CREDENTIALS


async def test_a_text_longer_than_the_model_takes_can_be_split_by_the_caller() -> None:
    """A permanent error of its own kind."""
    async with a_world() as world:
        world.service.windows[MODEL] = 100
        with pytest.raises(TooLong, match=f"longer than {MODEL} takes"):
            await world.ask("word " * 1000)


async def test_a_refused_parameter_stays_failed_with_the_services_sentence() -> None:
    """It is the configuration's fault, and the sentence says which parameter."""
    async with a_world(extra_body={"temperature": 0.2}) as world:
        with pytest.raises(Permanent, match="temperature"):
            await world.ask()


# -------------------------------------------------------------------------------------------------- compatible servers


Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


@asynccontextmanager
async def a_server(chat: Handler, models: object = None) -> AsyncIterator[str]:
    """A server that speaks OpenAI's language in its own way; yields its base URL."""

    async def listed(_: web.Request) -> web.Response:
        return web.json_response(models)

    application = web.Application()
    application.add_routes([web.post("/v1/chat/completions", chat), web.get("/v1/models", listed)])
    runner = web.AppRunner(application, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        yield f"http://127.0.0.1:{runner.addresses[0][1]}/v1"
    finally:
        await runner.cleanup()


def says(*events: object, lines: Sequence[str] = (), hang_up: bool = False) -> Handler:
    """Answer with these events and nothing else; *lines* as they are; *hang_up*: the connection breaks after them."""

    async def answer(request: web.Request) -> web.StreamResponse:
        await request.read()
        response = web.StreamResponse(headers={"content-type": "text/event-stream"})
        await response.prepare(request)
        for line in (*(f"data: {json.dumps(event)}" for event in events), *lines):
            await response.write(f"{line}\n\n".encode())
        if hang_up and request.transport is not None:
            request.transport.abort()
        return response

    return answer


def piece(text: object, finish: str | None = None, **more: object) -> dict[str, object]:
    return {"choices": [{"delta": {"content": text}, "finish_reason": finish}], **more}


USAGE = {"usage": {"prompt_tokens": 3, "completion_tokens": 2, "total_tokens": 5}}


async def answer_of(server: Handler, **settings: object) -> Completion:
    async with (
        a_server(server) as base_url,
        open_openai(
            api_key=None,
            base_url=base_url,
            model="llama",
            clock=HandClock(),
            deadlines=AnswerDeadlines(silence=5),
            **settings,  # type: ignore[arg-type]
        ) as summarizer,
    ):
        return await summarizer.complete(instructions="", text="", on_text=lambda _: None)


async def test_the_least_a_server_can_say_is_enough() -> None:
    """No ids, no roles, no usage, no [DONE]."""
    completion = await answer_of(says(piece("Hello "), piece("you.", "stop")))
    assert completion == Completion(text="Hello you.", model="llama", usage=None, request_id=None, service_tier=None)


async def test_usage_may_come_with_the_last_piece() -> None:
    """Some servers have no event of its own for it; details they don't know are none."""
    completion = await answer_of(says(piece("Hi."), piece(None, "stop", **USAGE, model="llama-3")))
    assert completion.usage == TokenUsage(input_tokens=3, output_tokens=2)
    assert completion.model == "llama-3"


async def test_every_kind_of_token_is_told_apart() -> None:
    """Cached, written to the cache, thought: each has its own price."""
    usage = {
        "prompt_tokens": 100,
        "completion_tokens": 20,
        "prompt_tokens_details": {"cached_tokens": 64, "cache_write_tokens": 30},
        "completion_tokens_details": {"reasoning_tokens": 5},
    }
    completion = await answer_of(says(piece("Hi.", "stop"), {"choices": [], "usage": usage}))
    assert completion.usage == TokenUsage(
        input_tokens=100, output_tokens=20, cached_tokens=64, cache_write_tokens=30, reasoning_tokens=5
    )


@pytest.mark.parametrize(
    "odd",
    [
        {},
        {"choices": None},
        {"choices": [{}]},
        {"choices": [{"delta": None}]},
        {"choices": [{"delta": {"content": 5}}]},
        {"choices": [], "usage": {"prompt_tokens": None}},
        {"choices": [], "usage": {"prompt_tokens": "many", "completion_tokens": True}},
        {"brand": "new"},
    ],
    ids=json.dumps,
)
async def test_odd_events_are_passed_over(odd: dict[str, object]) -> None:
    """A keep-alive of somebody's invention must not cost a paid answer."""
    completion = await answer_of(says(odd, piece("Hi.", "stop"), odd, lines=[": ping", "data: [DONE]"]))
    assert (completion.text, completion.usage) == ("Hi.", None)


async def test_a_connection_lost_after_the_end_loses_only_the_usage() -> None:
    """The answer was whole: it is not paid for twice for the sake of its receipt."""
    completion = await answer_of(says(piece("Hi."), piece(None, "stop"), hang_up=True))
    assert (completion.text, completion.usage) == ("Hi.", None)


async def test_a_refusal_of_the_model_is_told_in_its_words() -> None:
    """It ends with `stop`, yet nothing was written."""
    refusal = {"choices": [{"delta": {"refusal": "I can't help with that."}, "finish_reason": "stop"}]}
    with pytest.raises(UnfinishedAnswer, match="I can't help with that"):
        await answer_of(says(refusal, USAGE | {"choices": []}))


@pytest.mark.parametrize("finish", ["tool_calls", "function_call", "brand_new"])
async def test_an_end_we_did_not_ask_for_is_no_end(finish: str) -> None:
    """Only `stop` is an answer."""
    with pytest.raises(UnfinishedAnswer, match=finish):
        await answer_of(says(piece("Hi.", finish)))


async def test_a_blank_answer_is_no_answer() -> None:
    """An empty summary that counts as done is how calls got lost before."""
    with pytest.raises(UnfinishedAnswer, match="is empty"):
        await answer_of(says(piece(" \n"), piece("", "stop")))


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        ({"message": "no more", "code": "insufficient_quota"}, Held),
        ({"message": "This model's maximum context length is 4096 tokens"}, TooLong),
        ({"message": "something"}, UnfinishedAnswer),
        ("something", UnfinishedAnswer),
    ],
    ids=["credit", "too long", "else", "text"],
)
async def test_an_error_in_place_of_the_first_piece_means_what_it_says(error: object, kind: type[StepError]) -> None:
    """Some servers answer 200 first and think afterwards."""
    with pytest.raises(kind):
        await answer_of(says({"error": error}))


async def test_an_error_after_the_first_piece_is_an_answer_that_broke_off() -> None:
    """Something may have been billed by then."""
    with pytest.raises(UnfinishedAnswer, match="no more"):
        await answer_of(says(piece("Hi"), {"error": {"message": "no more", "code": "insufficient_quota"}}))


async def test_a_server_that_knows_no_stream_options_is_asked_without_and_remembered() -> None:
    """The refusal is free; the next answer does not pay for it with another round trip."""
    bodies: list[dict[str, object]] = []

    async def chat(request: web.Request) -> web.StreamResponse:
        bodies.append(await request.json())
        if "stream_options" in bodies[-1]:
            return web.json_response({"error": {"message": "Unknown field: stream_options"}}, status=400)
        return await says(piece("Hi.", "stop"))(request)

    async with (
        a_server(chat) as base_url,
        open_openai(api_key=None, base_url=base_url, model="llama", clock=HandClock()) as summarizer,
    ):
        for _ in range(2):
            completion = await summarizer.complete(instructions="", text="", on_text=lambda _: None)
            assert completion.text == "Hi."
    assert ["stream_options" in body for body in bodies] == [True, False, False]


@pytest.mark.parametrize(
    ("status", "body", "kind", "words"),
    [
        (400, {"error": "prompt is too long: 9000 tokens"}, TooLong, "9000"),
        (400, {"error": {"message": "nope", "code": "context_length_exceeded"}}, TooLong, "nope"),
        (402, {"error": {"message": "Insufficient credits"}}, Held, "Insufficient credits"),
        (404, {"error": {"message": "model 'llama' not found"}}, Held, r"openai\.model \(OPENAI_MODEL\)"),
        (400, {"error": {"message": "nope", "code": "model_not_found"}}, Held, r"openai\.model \(OPENAI_MODEL\)"),
        (404, {"detail": "Not Found"}, Held, "OPENAI_BASE_URL"),
        (404, None, Held, "/v1"),
        (413, None, TooLong, "longer"),
        (422, {"detail": "bad field"}, Permanent, "bad field"),
        (405, None, Held, "OPENAI_BASE_URL"),
        (307, None, Held, "OPENAI_BASE_URL"),
        (429, {"error": {"message": "slow", "type": "billing_not_active"}}, Held, "top up"),
        (529, {"error": "overloaded"}, Transient, "overloaded"),
    ],
)
async def test_refusals_of_other_servers_are_understood(
    status: int, body: object, kind: type[StepError], words: str
) -> None:
    """Each words it differently; status and code decide."""

    async def chat(request: web.Request) -> web.StreamResponse:
        await request.read()
        return web.json_response(body, status=status) if body else web.Response(status=status, text="<html>")

    with pytest.raises(kind, match=words):
        await answer_of(chat)


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({"retry-after-ms": "1500"}, 1.5),
        ({"retry-after": "2.5"}, 2.5),
        ({"retry-after": "Mon, 23 Nov 2026 09:00:30 GMT"}, 30.0),
        ({"retry-after": "soon"}, None),
        ({}, None),
    ],
)
async def test_the_pause_a_server_asks_for_is_understood(headers: dict[str, str], seconds: float | None) -> None:
    """In seconds, milliseconds or as a date."""

    async def chat(request: web.Request) -> web.StreamResponse:
        await request.read()
        return web.json_response({"error": {"message": "slow down"}}, status=429, headers=headers)

    with pytest.raises(Held) as held:
        await answer_of(chat)
    assert held.value.retry_after == seconds


async def test_a_server_without_a_key_gets_one_anyway_but_nothing_of_the_environment(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The SDK reads a whole family of variables, which are meant for OpenAI and nobody else."""
    monkeypatch.setenv("OPENAI_API_KEY", "sk-mine")
    monkeypatch.setenv("OPENAI_ADMIN_KEY", "sk-admin")
    monkeypatch.setenv("OPENAI_ORG_ID", "org-mine")
    monkeypatch.setenv("OPENAI_PROJECT_ID", "proj-mine")
    monkeypatch.setenv("OPENAI_BASE_URL", "http://127.0.0.1:9")
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    seen: list[dict[str, str]] = []

    async def chat(request: web.Request) -> web.StreamResponse:
        seen.append({name.lower(): value for name, value in request.headers.items()})
        return await says(piece("Hi.", "stop"))(request)

    await answer_of(chat)
    assert seen[0]["authorization"] == "Bearer x"
    assert not {"openai-organization", "openai-project"} & seen[0].keys()


# ------------------------------------------------------------------------------------------------------------ address


@pytest.mark.parametrize(
    ("given", "used"),
    [
        ("https://api.openai.com", "https://api.openai.com/v1"),
        ("https://api.openai.com/", "https://api.openai.com/v1"),
        ("https://eu.api.openai.com", "https://eu.api.openai.com/v1"),
        ("https://api.openai.com/v1", "https://api.openai.com/v1"),
        ("http://localhost:11434", "http://localhost:11434"),
        ("https://openrouter.ai/api/v1/", "https://openrouter.ai/api/v1/"),
        ("https://api.openai.com.example.org", "https://api.openai.com.example.org"),
    ],
)
def test_openais_own_address_is_mended_and_no_other(given: str, used: str) -> None:
    """The documented default of the program before this one lacked its /v1, and answered 404."""
    assert mended_base_url(given) == used


@pytest.mark.parametrize("wrong", ["", "api.openai.com", "ftp://x", "http://"])
def test_what_is_no_address_is_refused(wrong: str) -> None:
    """At the start, with the setting's name."""
    with pytest.raises(ConfigError, match="OPENAI_BASE_URL"):
        mended_base_url(wrong)


# ------------------------------------------------------------------------------------------------------------ context


@pytest.mark.parametrize(
    ("model", "base_url", "configured", "tokens"),
    [
        ("gpt-6.1-terra", "https://api.openai.com/v1", None, 922_000),
        ("gpt-5.4-mini", "https://api.openai.com/v1", None, 272_000),
        ("gpt-6-luna", "http://127.0.0.1:9/v1", None, 922_000),
        ("gpt-99", "https://api.openai.com/v1", None, 128_000),
        ("my-own", "http://127.0.0.1:9/v1", None, 16_000),
        ("gpt-6.1-terra", "https://api.openai.com/v1", 5_000, 5_000),
    ],
)
async def test_how_much_a_model_takes_is_configured_known_or_guessed_with_caution(
    model: str, base_url: str, configured: int | None, tokens: int
) -> None:
    """What is known leaves room for the longest answer."""
    async with open_openai(
        api_key="k", base_url=base_url, model=model, clock=HandClock(), context_tokens=configured
    ) as summarizer:
        assert summarizer.context_tokens() == tokens
        assert summarizer.count_tokens("Hello, you.") > 0


# -------------------------------------------------------------------------------------------------------------- check


async def test_the_check_is_silent_when_the_model_is_there() -> None:
    """And costs nothing."""
    async with a_world() as world:
        assert await world.summarizer.check() == []
        assert world.service.bill.lines == []


@pytest.mark.parametrize("fault", ["status", "bad_json", "html", "reset_before"])
async def test_the_check_asks_again_when_the_network_stumbles(fault: str) -> None:
    """Listing models is free to repeat."""
    stumble = Fault(service="openai", method="GET", kind=fault, status=500 if fault == "status" else None)
    async with a_world(stumble) as world:
        assert await world.summarizer.check() == []


async def test_the_check_names_the_models_that_are_near() -> None:
    """A typing error is the usual reason."""
    async with a_world(model="gpt-6.1-tera") as world:
        [problem] = await world.summarizer.check()
        assert "OPENAI_MODEL" in problem
        assert "gpt-6.1-terra" in problem


async def test_the_check_says_what_is_wrong_with_the_key() -> None:
    """In the same sentence that a job would show."""
    async with a_world(api_key="wrong") as world:
        [problem] = await world.summarizer.check()
        assert "OPENAI_API_KEY" in problem


@pytest.mark.parametrize(
    ("models", "problems"),
    [
        ({"data": [{"id": "llama", "shutdown_date": "2026-12-11"}]}, ["shuts llama down on 2026-12-11"]),
        ({"data": [{"id": "llama", "shutdown_date": None}]}, []),
        ({"data": [{"id": "llama:latest"}]}, []),
        ({"data": []}, []),
        ({"data": [{"id": "zzz"}, {"name": 5}, None]}, ["no.*similar name"]),
        ({"models": "?"}, ["did not list"]),
    ],
    ids=["ends", "stays", "latest", "none told", "other", "odd"],
)
async def test_the_check_understands_other_servers_lists(models: object, problems: list[str]) -> None:
    """And tells of a model that will be shut down before it is."""
    async with (
        a_server(says(), models) as base_url,
        open_openai(api_key=None, base_url=base_url, model="llama", clock=HandClock(), retries=PATIENCE) as summarizer,
    ):
        found = await summarizer.check()
    assert len(found) == len(problems)
    for sentence, expected in zip(found, problems, strict=True):
        assert re.search(expected, sentence)


# ------------------------------------------------------------------------------------------------------- cancellation


async def until(holds: Callable[[], bool]) -> None:
    """Let the server notice; fail if it never does."""
    with anyio.fail_after(5):
        while not holds():  # noqa: ASYNC110 -- a socket tells nobody that it was closed
            await anyio.sleep(0.005)


def sockets() -> int:
    links = []
    for descriptor in Path("/proc/self/fd").iterdir():
        with suppress(OSError):  # it was the one that lists them
            links.append(str(descriptor.readlink()))
    return sum(link.startswith("socket:") for link in links)


@pytest.mark.skipif(not Path("/proc/self/fd").is_dir(), reason="counts sockets as Linux shows them")
@pytest.mark.parametrize("heard", [0, 1000], ids=["before the answer", "within the answer"])
async def test_cancelling_an_answer_hangs_up_and_leaks_nothing(heard: int) -> None:
    """The server stops writing, which is all that limits the bill, and not one socket stays behind."""
    async with a_world(chat_fault("stall", bytes=heard)) as world:
        before = sockets()
        async with anyio.create_task_group() as group:
            group.start_soon(world.ask)
            await until(lambda: bool(world.heard) if heard else world.asked() == 1)
            group.cancel_scope.cancel()
        await until(lambda: sockets() == before)  # ours and the server's: both run in this process
        assert (await world.ask()).text  # and the next one is answered


async def test_an_answer_nobody_wants_any_more_is_not_written_to_its_end() -> None:
    """Cancelled in the middle of a slow stream, the emulator charges for what it had written."""
    async with a_world() as world:
        world.service.delta_seconds = 0.02
        async with anyio.create_task_group() as group:
            group.start_soon(world.ask)
            await until(lambda: len(world.heard) > 3)
            group.cancel_scope.cancel()
        await until(lambda: bool(world.service.bill.lines))
        assert [line.kind for line in world.service.bill.lines] == ["interrupted_completion"]


def test_importing_the_adapter_does_not_import_the_sdk() -> None:
    """The first paint does not wait for it: it is loaded in the thread that opens the summarizer."""
    program = (
        "import sys, focusflow.providers.openai; print({'openai', 'httpx2', 'genai_prices'} & sys.modules.keys() or '')"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == ""
