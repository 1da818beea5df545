"""How is text written by a language model? One streamed answer from OpenAI or a compatible server, whole or not at all."""

import difflib
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

import anyio
import anyio.lowlevel
import anyio.to_thread
from msgspec import Struct

from focusflow import __version__
from focusflow.errors import ConfigError, StepError, Transient, UnfinishedAnswer
from focusflow.ports import Clock, Completion, TokenUsage
from focusflow.providers.health import Health, Tell, nobody
from focusflow.providers.http_errors import retry_after, said, sentence_in
from focusflow.providers.json_text import document_in
from focusflow.providers.openai_errors import Complaint, step_error
from focusflow.providers.retry import Retrying, RetryPolicy, SharedPause
from focusflow.providers.tokens import estimated_tokens

if TYPE_CHECKING:
    import httpx2
    import openai  # half a second: at run time it is imported in the thread that opens us
    import openai.types.chat

__all__ = ["AnswerDeadlines", "OpenAISummarizer", "mended_base_url", "open_openai"]

OPENAI_HOST: Final = "api.openai.com"
CONTEXT_AT_OPENAI: Final = 128_000
CONTEXT_ELSEWHERE: Final = 16_000
"""For models we know nothing of: what even small ones take, so that a long call is split rather than cut unseen."""
LONGEST_NAME: Final = 200
"""Characters of a model's name, or any other word that a server chooses."""
LONGEST_OUTPUT: Final = 128_000
"""What current models may answer with; it takes room in the context."""


class AnswerDeadlines(Struct, frozen=True, kw_only=True):
    """How long anything may take, in seconds."""

    connect: float = 5.0
    silence: float = 60.0
    """Without a byte, before the answer or within it."""
    answer: float = 900.0
    """A whole answer, from the request on."""
    call: float = 30.0
    """A call that answers nothing, such as the list of models."""


class WrongAnswer(Exception):
    """What came back is no answer of a language model."""


@dataclass(slots=True, kw_only=True)
class _Answer:
    """What has been heard of an answer so far; tolerant of whatever a compatible server leaves out."""

    asked: str = ""
    """The model it was asked of."""
    started: bool = False
    """The server accepted the request: from here on it may be billed."""
    pieces: list[str] = field(default_factory=list)
    refusal: str = ""
    finish: str | None = None
    usage: TokenUsage | None = None
    model: str | None = None
    service_tier: str | None = None
    request_id: str | None = None

    @property
    def text(self) -> str:
        return "".join(self.pieces)

    @property
    def is_whole(self) -> bool:
        """The model said that it is done, and it said something."""
        return self.finish == "stop" and any(piece.strip() for piece in self.pieces)

    def hear(self, chunk: object, on_text: Callable[[str], None]) -> None:
        """Take in one event of the stream."""
        self.usage = _usage(getattr(chunk, "usage", None)) or self.usage
        self.model = _name(chunk, "model") or self.model
        self.service_tier = _name(chunk, "service_tier") or self.service_tier
        choices = getattr(chunk, "choices", None)
        for choice in choices if isinstance(choices, list) else ():
            self.finish = _name(choice, "finish_reason") or self.finish
            delta = getattr(choice, "delta", None)
            self.refusal += _word(delta, "refusal") or ""
            if piece := _word(delta, "content"):
                self.pieces.append(piece)
                on_text(piece)


class OpenAISummarizer:
    """The `Summarizer` of OpenAI and compatible servers. Constructing it imports the SDK: do it in a thread.

    Raises `ConfigError` for an address or a key that can't be used.
    """

    name = "OpenAI"

    def __init__(
        self,
        *,
        api_key: str | None,
        base_url: str,
        model: str,
        clock: Clock,
        context_tokens: int | None = None,
        max_completion_tokens: int | None = None,
        reasoning_effort: str | None = None,
        service_tier: str | None = None,
        extra_body: Mapping[str, object] | None = None,
        deadlines: AnswerDeadlines | None = None,
        retries: RetryPolicy | None = None,
        trust_env: bool = False,
        tell: Tell = nobody,
    ) -> None:
        self.model = model
        self._deadlines = deadlines or AnswerDeadlines()
        self._clock = clock
        base_url = mended_base_url(base_url)
        host = urlsplit(base_url).hostname or ""
        self._who = self.name if _is_openai(host) else f"The language model's server {host}"
        wanted = {
            "max_completion_tokens": max_completion_tokens,
            "reasoning_effort": reasoning_effort,
            "service_tier": service_tier,
        }
        self._extra = {name: value for name, value in wanted.items() if value is not None} | dict(extra_body or {})
        self._asks_for_usage = True
        self._assumed = _assumed_context(host)
        self._context = context_tokens or _known_context(model) or self._assumed
        policy = retries or RetryPolicy()
        self._pause = SharedPause(
            self._who, clock=clock, policy=policy, health=Health("openai", clock=clock, tell=tell)
        )
        self._retrying = Retrying(self._pause, policy)
        self._client = self._connected((api_key or "").strip() or "x", base_url, trust_env)

    def _connected(self, api_key: str, base_url: str, trust_env: bool) -> "openai.AsyncOpenAI":
        import openai

        if not api_key.isascii() or not api_key.isprintable():
            raise ConfigError("OPENAI_API_KEY has characters that no key has: copy it again.")
        timeout = openai.Timeout(self._deadlines.silence, connect=self._deadlines.connect)
        client = openai.AsyncOpenAI(
            api_key=api_key,
            base_url=base_url,
            max_retries=0,  # the SDK would repeat what may already be billed
            timeout=timeout,
            default_headers={"User-Agent": f"focusflow/{__version__}"},
            http_client=openai.DefaultAsyncHttpx2Client(trust_env=trust_env, timeout=timeout, follow_redirects=False),
        )
        if urlsplit(base_url).hostname != OPENAI_HOST:
            # the SDK reads these from the environment: they are meant for OpenAI, not for whoever answers here
            client.organization = client.project = client.admin_api_key = None
        _ = client.chat.completions, client.models  # built here, in the thread, not at the first call
        return client

    async def aclose(self) -> None:
        """Close all connections."""
        await self._client.close()

    # -------------------------------------------------------------------------------------------------------- answers

    async def complete(
        self, *, instructions: str, text: str, on_text: Callable[[str], None], model: str | None = None
    ) -> Completion:
        """Answer *text* by *instructions* with one request; *on_text* hears each piece as it arrives."""
        answer = _Answer(asked=model or self.model)
        async with self._pause.request(slow_after=None):
            await self._whole(instructions, text, answer, on_text)
        return Completion(
            text=answer.text,
            model=answer.model or answer.asked,
            usage=answer.usage,
            request_id=answer.request_id,
            service_tier=answer.service_tier,
        )

    async def _whole(self, instructions: str, text: str, answer: _Answer, on_text: Callable[[str], None]) -> None:
        """Fill *answer* to its end, or raise why it has none."""
        with anyio.move_on_after(self._deadlines.answer) as deadline, self._edge(answer):
            await self._hear(instructions, text, answer, on_text)
        if not answer.is_whole:
            if deadline.cancelled_caught:
                raise self._broken(answer, f"was not finished within {self._deadlines.answer:.0f} seconds")
            raise self._unfinished(answer)

    async def _hear(self, instructions: str, text: str, answer: _Answer, on_text: Callable[[str], None]) -> None:
        async with await self._ask(instructions, text, answer.asked) as stream:
            answer.started = True
            answer.request_id = stream.response.headers.get("x-request-id")
            if "html" in stream.response.headers.get("content-type", ""):
                raise WrongAnswer
            async for chunk in stream:
                answer.hear(chunk, on_text)
                await anyio.lowlevel.checkpoint()  # pieces that arrived together come without a wait: others' turn

    async def _ask(
        self, instructions: str, text: str, model: str
    ) -> "openai.AsyncStream[openai.types.chat.ChatCompletionChunk]":
        """Send the request; once more, at once and for free, to a server that does not know `stream_options`."""
        import openai

        asked_for_usage = self._asks_for_usage
        try:
            return await self._client.chat.completions.create(
                model=model,
                messages=[{"role": "system", "content": instructions}, {"role": "user", "content": text}],
                stream=True,
                stream_options={"include_usage": True} if asked_for_usage else openai.omit,
                extra_body=self._extra or None,
            )
        except (openai.BadRequestError, openai.UnprocessableEntityError) as refused:
            if not asked_for_usage or not self._complaint(refused, refused.response).names("stream_options"):
                raise
        self._asks_for_usage = False
        return await self._ask(instructions, text, model)

    def _unfinished(self, answer: _Answer) -> StepError:
        """Why an answer that ended without any error is still none."""
        match answer.finish:
            case "stop" | None if answer.refusal:
                reason = f"is a refusal: {answer.refusal[:200]}"
            case "stop":
                reason = "is empty"
            case "length":
                reason = "was cut at the longest output: raise openai.max_output_tokens, or shorten the prompt"
            case "content_filter":
                reason = "was stopped by the content filter: change the prompt or choose another model"
            case None:
                reason = "broke off before its end"
            case other:
                reason = f"ended for a reason we did not ask for ({other})"
        return self._broken(answer, reason)

    def _broken(self, answer: _Answer, reason: str) -> StepError:
        message = f"The answer of {answer.asked} {reason}."
        if not answer.started:
            return Transient(message)
        return UnfinishedAnswer(message, usage=answer.usage, request_id=answer.request_id)

    # --------------------------------------------------------------------------------------------------------- sizes

    def count_tokens(self, text: str) -> int:
        """Estimate the tokens of *text*, rather too many than too few."""
        return estimated_tokens(text)

    def context_tokens(self, model: str | None = None) -> int:
        """How many tokens of input the model takes: as configured for ours, as known for it, or a cautious guess."""
        if model is None or model == self.model:
            return self._context
        return _known_context(model) or self._assumed

    # --------------------------------------------------------------------------------------------------------- check

    async def check(self) -> Sequence[str]:
        """List the models and look for ours."""
        try:
            models = await self._retrying(self._models)
        except StepError as problem:
            return [str(problem)]
        if not models or f"{self.model}:latest" in models:
            return []
        if self.model not in models:
            near = ", ".join(difflib.get_close_matches(self.model, models, n=3, cutoff=0.4))
            hint = f"the nearest it has: {near}." if near else "none of its models has a similar name."
            return [f"{self._who} does not offer the model {self.model} (OPENAI_MODEL); {hint}"]
        ends = models[self.model]
        return [f"{self._who} shuts {self.model} down on {ends}: choose another OPENAI_MODEL."] if ends else []

    async def _models(self) -> dict[str, str | None]:
        """Return the models by id, with the day of their shutdown if it is announced."""
        listed: object = None
        with anyio.move_on_after(self._deadlines.call), self._edge(_Answer()):
            response = await self._client.models.with_raw_response.list()
            listed = document_in(response.content)
        match listed:
            case {"data": list(items)}:
                known = [item for item in items if isinstance(item, dict) and isinstance(item.get("id"), str)]
                return {item["id"]: item.get("shutdown_date") or None for item in known}
            case _:
                raise Transient(f"{self._who} did not list its models in time.")

    # ------------------------------------------------------------------------------------------------------ the edge

    @contextmanager
    def _edge(self, answer: _Answer) -> Iterator[None]:
        """Turn whatever the SDK lets through into our errors; after a whole answer, trouble is no trouble."""
        import httpx2
        import openai

        try:
            yield
        except openai.APIStatusError as refused:
            raise self._meaning(self._complaint(refused, refused.response), answer) from refused
        except (
            openai.OpenAIError,
            httpx2.HTTPError,
            httpx2.StreamError,
            OSError,
            ValueError,
            RecursionError,
            WrongAnswer,
        ) as trouble:
            if not answer.is_whole:
                raise self._trouble(trouble, answer) from trouble

    def _trouble(self, trouble: Exception, answer: _Answer) -> StepError:
        import openai

        match trouble:
            case openai.APITimeoutError() if not answer.started:
                return Transient(f"{self._who} did not answer in time.")
            case openai.APITimeoutError():
                return self._broken(answer, f"fell silent for {self._deadlines.silence:.0f} seconds")
            case openai.APIConnectionError() if not answer.started:
                return Transient(f"{self._who} could not be reached, or hung up.")
            case openai.APIConnectionError():
                return self._broken(answer, "broke off: the connection was lost")
            case openai.APIError():
                return self._meaning(self._complaint(trouble, None), answer)
            case WrongAnswer():
                return Transient(f"{self._who} sent a web page, not an answer. Check OPENAI_BASE_URL and the network.")
            case ValueError() | RecursionError():
                return self._broken(answer, "could not be read")
            case _:
                return self._broken(answer, "broke off")

    def _complaint(self, error: "openai.APIError", response: "httpx2.Response | None") -> Complaint:
        return Complaint(
            status=response.status_code if response is not None else None,
            code=f"{error.code or ''} {error.type or ''}",
            param=str(error.param or ""),
            words=sentence_in(response.content) if response is not None else said({"error": error.body}),
            wait=retry_after(response.headers, now=self._clock.now()) if response is not None else None,
        )

    def _meaning(self, complaint: Complaint, answer: _Answer) -> StepError:
        error = step_error(complaint, who=self._who, model=answer.asked)
        if error is None or answer.pieces:
            return self._broken(answer, f"broke off: {complaint.words or 'the server gave no reason'}")
        self._pause.note(error)
        return error


def mended_base_url(base_url: str) -> str:
    """Return the address with the `/v1` that OpenAI's own needs; any other server's is left as it is.

    Raises `ConfigError` when it is no address.
    """
    parts = urlsplit(base_url.strip())
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ConfigError(f"OPENAI_BASE_URL must be a web address, not {base_url!r}.")
    if _is_openai(parts.hostname) and parts.path.strip("/") == "":
        return parts._replace(path="/v1").geturl()
    return base_url.strip()


def _is_openai(host: str) -> bool:
    return host == OPENAI_HOST or host.endswith(f".{OPENAI_HOST}")


def _known_context(model: str) -> int | None:
    from genai_prices.data_snapshot import get_snapshot

    try:
        _, known = get_snapshot().find_provider_model(model, None, "openai", None)
    except LookupError:
        return None
    window = known.context_window
    return None if window is None else window - min(LONGEST_OUTPUT, window // 3)


def _assumed_context(host: str) -> int:
    return CONTEXT_AT_OPENAI if _is_openai(host) else CONTEXT_ELSEWHERE


def _usage(usage: object) -> TokenUsage | None:
    prompt, written = _count(usage, "prompt_tokens"), _count(usage, "completion_tokens")
    if prompt is None or written is None:
        return None
    read_details = getattr(usage, "prompt_tokens_details", None)
    written_details = getattr(usage, "completion_tokens_details", None)
    return TokenUsage(
        input_tokens=prompt,
        output_tokens=written,
        cached_tokens=_count(read_details, "cached_tokens") or 0,
        cache_write_tokens=_count(read_details, "cache_write_tokens") or 0,
        reasoning_tokens=_count(written_details, "reasoning_tokens") or 0,
    )


def _count(thing: object, name: str) -> int | None:
    value = getattr(thing, name, None)
    return value if isinstance(value, int) and not isinstance(value, bool) and value >= 0 else None


def _word(thing: object, name: str) -> str | None:
    value = getattr(thing, name, None)
    return value if isinstance(value, str) and value else None


def _name(thing: object, name: str) -> str | None:
    """Return a short word, such as a model's name; it is stored with every charge."""
    value = _word(thing, name)
    return value and (" ".join(value[:LONGEST_NAME].split()) or None)


@asynccontextmanager
async def open_openai(
    *,
    api_key: str | None,
    base_url: str,
    model: str,
    clock: Clock,
    context_tokens: int | None = None,
    max_completion_tokens: int | None = None,
    reasoning_effort: str | None = None,
    service_tier: str | None = None,
    extra_body: Mapping[str, object] | None = None,
    deadlines: AnswerDeadlines | None = None,
    retries: RetryPolicy | None = None,
    trust_env: bool = False,
    tell: Tell = nobody,
) -> AsyncIterator[OpenAISummarizer]:
    """Open the summarizer without holding up the event loop, close it at the end. Raises `ConfigError`."""
    summarizer = await anyio.to_thread.run_sync(
        lambda: OpenAISummarizer(
            api_key=api_key,
            base_url=base_url,
            model=model,
            clock=clock,
            context_tokens=context_tokens,
            max_completion_tokens=max_completion_tokens,
            reasoning_effort=reasoning_effort,
            service_tier=service_tier,
            extra_body=extra_body,
            deadlines=deadlines,
            retries=retries,
            trust_env=trust_env,
            tell=tell,
        )
    )
    try:
        yield summarizer
    finally:
        with anyio.CancelScope(shield=True):
            await summarizer.aclose()
