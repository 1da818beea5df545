"""How are recordings turned into words at AssemblyAI? Upload, one order, and polls that never lose a paid transcript."""

import re
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import aclosing, asynccontextmanager
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, Final, TypeVar
from urllib.parse import quote, urlsplit

import anyio
import anyio.to_thread
from msgspec import Struct

from focusflow import __version__
from focusflow.domain.transcript import Transcript
from focusflow.errors import Ambiguous, ConfigError, Held, HoldKind, Permanent, StepError, Transient
from focusflow.ports import AudioUsage, Clock, TranscriptFailed, TranscriptPending, TranscriptState
from focusflow.providers import assemblyai_wire as wire
from focusflow.providers.assemblyai_wire import TranscriptionOptions
from focusflow.providers.health import SLOW_SECONDS, Health, Tell, nobody
from focusflow.providers.http_errors import retry_after, sentence, sentence_in
from focusflow.providers.json_text import document_in
from focusflow.providers.retry import Retrying, RetryPolicy, SharedPause

if TYPE_CHECKING:
    import httpx  # half a second with the SDK: at run time it is imported in the thread that opens us

__all__ = ["AssemblyAITranscriber", "Deadlines", "TranscriptionOptions", "open_assemblyai"]

T = TypeVar("T")

BILLING_PAGE: Final = "https://www.assemblyai.com/dashboard/account/billing"
CHUNK: Final = 256 * 1024
"""Small enough that a slow uplink moves one within the silence deadline, large enough to be cheap."""
PAGE: Final = 200
"""The most that the list of transcripts gives at once."""
CLOCK_MARGIN: Final = timedelta(minutes=15)
"""How far the vendor's clock may be behind ours before an order is overlooked."""
YOUNG: Final = timedelta(minutes=10)
"""An order younger than this may not be listed yet, so it is looked for twice."""
ADDRESS: Final = re.compile(r"https?://\S+")
"""Addresses of uploads give access to the audio, so no sentence repeats them."""


class Deadlines(Struct, frozen=True, kw_only=True):
    """How long anything may take, in seconds."""

    connect: float = 10.0
    silence: float = 120.0
    """Without a byte moving either way during an upload."""
    call: float = 45.0
    """One order, poll, list or deletion as a whole."""
    slowest_upload: float = 16_384.0
    """Bytes a second over a whole upload, below which it is given up."""
    relisting: float = 5.0
    """Before a young order that is not listed is looked for once more."""


class Refusal(Exception):
    """An answer other than 200, as it was heard."""

    def __init__(self, status: int, words: str | None, wait: float | None, *, path: str) -> None:
        super().__init__(f"HTTP {status}")
        self.status, self.words, self.wait, self.path = status, words, wait, path


class UnknownId(Permanent):
    """The service does not know a transcript by this id."""


class AssemblyAITranscriber:
    """The `Transcriber` of AssemblyAI. Constructing it imports the SDK and reads certificates: do it in a thread.

    Raises `ConfigError` for an address or a key that can't be used.
    """

    name = "AssemblyAI"

    def __init__(
        self,
        *,
        api_key: str,
        base_url: str,
        clock: Clock,
        options: TranscriptionOptions | None = None,
        deadlines: Deadlines | None = None,
        retries: RetryPolicy | None = None,
        trust_env: bool = False,
        tell: Tell = nobody,
    ) -> None:
        self._options = options or TranscriptionOptions()
        self._deadlines = deadlines or Deadlines()
        self._clock = clock
        policy = retries or RetryPolicy()
        self._pause = SharedPause(
            self.name, clock=clock, policy=policy, health=Health("assemblyai", clock=clock, tell=tell)
        )
        self._retrying = Retrying(self._pause, policy)
        self._http = self._client(api_key.strip(), base_url, trust_env)

    def _client(self, api_key: str, base_url: str, trust_env: bool) -> "httpx.AsyncClient":
        import assemblyai.prerecorded.v2.async_api  # noqa: F401 -- loaded here, in the thread, for later calls
        import httpx

        if urlsplit(base_url).scheme not in ("http", "https") or not urlsplit(base_url).hostname:
            raise ConfigError(f"ASSEMBLYAI_BASE_URL must be a web address, not {base_url!r}.")
        if not api_key.isascii() or not api_key.isprintable():
            raise ConfigError("ASSEMBLYAI_API_KEY has characters that no key has: copy it again.")
        silence = self._deadlines.silence
        return httpx.AsyncClient(
            base_url=base_url,
            headers={"authorization": api_key, "user-agent": f"focusflow/{__version__}"},
            timeout=httpx.Timeout(silence, connect=self._deadlines.connect),
            # httpcore 1 can lose a connection that is cancelled while connecting: a bounded pool would dry up
            limits=httpx.Limits(max_connections=None, max_keepalive_connections=16),
            follow_redirects=False,
            trust_env=trust_env,
            event_hooks={"response": [self._refuse]},
        )

    async def aclose(self) -> None:
        """Close all connections."""
        await self._http.aclose()

    # -------------------------------------------------------------------------------------------------------- upload

    async def upload(self, audio: Path, *, progress: Callable[[int, int | None], None]) -> str:
        """Send the audio in constant memory, beginning anew where it breaks off; return its address."""
        return await self._retrying(lambda: self._upload_once(audio, progress), slow_after=None)

    async def _upload_once(self, audio: Path, progress: Callable[[int, int | None], None]) -> str:
        file, size = await anyio.to_thread.run_sync(_opened, audio)
        try:
            if size == 0:
                raise Permanent("The recording is empty: put it there again and retry, or skip it.")
            seconds = self._deadlines.silence + size / self._deadlines.slowest_upload
            return await self._ask(lambda: self._send(file, size, progress), "take the recording", seconds=seconds)
        finally:
            file.close()  # reading only, so there is nothing to wait for, and nothing a cancellation could skip

    async def _send(self, file: BinaryIO, size: int, progress: Callable[[int, int | None], None]) -> str:
        from assemblyai.prerecorded.v2 import async_api

        async with aclosing(_chunks(file, size, progress)) as chunks:
            upload_url: object = await async_api.upload_file(self._http, chunks, {"Content-Length": str(size)})
        if not isinstance(upload_url, str) or not upload_url:
            raise ValueError("no upload_url")
        return upload_url

    # --------------------------------------------------------------------------------------------------------- order

    async def submit(self, upload_ref: str, *, language: str | None = None) -> str:
        """Order the transcript with exactly one request, whatever happens."""
        body = self._options.request(upload_ref, language=language)
        return await self._ask(lambda: self._order(body), "take the order", lost=Ambiguous)

    async def _order(self, body: Mapping[str, object]) -> str:
        response = await self._http.post("/v2/transcript", json=body)
        match document_in(response.content):
            case {"id": str(transcript_id)} if transcript_id:
                return transcript_id
            case _:
                raise ValueError("no id")

    # ---------------------------------------------------------------------------------------------------------- find

    async def find(self, upload_ref: str, *, since: datetime) -> str | None:
        """Look through the orders made since then for one of this upload; twice if it may be too young to be listed."""
        found = await self._look_back(upload_ref, since - CLOCK_MARGIN)
        if found is None and self._clock.now() - since < YOUNG:
            await self._clock.sleep(self._deadlines.relisting)
            found = await self._look_back(upload_ref, since - CLOCK_MARGIN)
        return found

    async def _look_back(self, upload_ref: str, oldest: datetime) -> str | None:
        failed = None
        before: str | None = None
        while True:
            page = await self._retrying(partial(self._page, before))
            for order in page:
                if order.get("audio_url") == upload_ref and isinstance(order.get("id"), str):
                    if order.get("status") != "error":
                        return str(order["id"])
                    failed = failed or str(order["id"])
            last = page[-1] if page else {}
            previous, before = before, str(last.get("id", ""))
            if before in ("", previous) or len(page) < PAGE or _is_older(last.get("created"), oldest):
                return failed

    async def _page(self, before: str | None) -> list[dict[str, object]]:
        params = {"limit": str(PAGE)} | ({"before_id": before} if before else {})
        try:
            raw = await self._ask(lambda: self._get("/v2/transcript", params), "list its transcripts")
        except Permanent as refused:  # the place to go on from may have just been deleted: begin again, give up nothing
            raise Transient(str(refused)) from refused
        match await anyio.to_thread.run_sync(_loaded, raw):
            case {"transcripts": list(orders)}:
                return [order for order in orders if isinstance(order, dict)]
            case _:
                raise Transient("AssemblyAI's list of transcripts could not be read.")

    # ---------------------------------------------------------------------------------------------------------- poll

    async def poll(self, transcript_id: str) -> TranscriptState:
        """Ask once. Raises `Held` when the key is refused; any other trouble means: ask again."""
        try:
            raw = await self._ask(
                lambda: self._get(f"/v2/transcript/{quote(transcript_id, safe='')}"), "say how far it is"
            )
        except UnknownId:
            return TranscriptFailed(reason="The transcript is not known any more at AssemblyAI.", permanent=False)
        except Held as held:
            if held.kind is HoldKind.CREDENTIALS:
                raise
            return TranscriptPending(state=str(held), retry_after=held.retry_after)
        except Transient as trouble:
            return TranscriptPending(state=str(trouble), retry_after=trouble.retry_after)
        except Permanent as refused:
            return TranscriptPending(state=str(refused))
        return await anyio.to_thread.run_sync(lambda: wire.state_of(raw, hide=ADDRESS))

    async def _get(self, path: str, params: Mapping[str, str] | None = None) -> bytes:
        response = await self._http.get(path, params=params)
        return response.content

    # ------------------------------------------------------------------------------------------------------ the rest

    def parse(self, raw: bytes) -> Transcript:
        """Understand a stored answer, tolerantly. Slow for long calls: call it in a thread. Raises `Permanent`."""
        return wire.parse(raw)

    def usage(self, raw: bytes) -> AudioUsage:
        """Return what a stored answer is billed for. Raises `Permanent`."""
        return wire.usage(raw)

    async def delete(self, transcript_id: str) -> None:
        """Delete transcript and audio; one that is not known any more is as good as deleted."""
        try:
            await self._retrying(lambda: self._ask(lambda: self._delete(transcript_id), "delete the transcript"))
        except UnknownId:
            return

    async def _delete(self, transcript_id: str) -> None:
        from assemblyai.prerecorded.v2 import async_api
        from pydantic import ValidationError

        try:
            await async_api.delete_transcript(self._http, transcript_id)
        except ValidationError:
            return  # it is deleted; the SDK only failed to understand what is left of it

    async def check(self) -> Sequence[str]:
        """Ask for the newest transcript; any answer proves address and key."""
        try:
            await self._retrying(
                lambda: self._ask(lambda: self._get("/v2/transcript", {"limit": "1"}), "answer the check")
            )
        except StepError as problem:
            return [str(problem)]
        return []

    # ------------------------------------------------------------------------------------------------------ the edge

    async def _ask(
        self,
        call: Callable[[], Awaitable[T]],
        doing: str,
        *,
        seconds: float | None = None,
        lost: type[Transient] = Transient,
    ) -> T:
        """Make one call, within *seconds* where it sends much. Raises *lost* where it may have taken effect unseen."""
        async with self._pause.request(slow_after=SLOW_SECONDS if seconds is None else None):
            return await self._within(self._deadlines.call if seconds is None else seconds, call, doing, lost)

    async def _within(self, seconds: float, call: Callable[[], Awaitable[T]], doing: str, lost: type[Transient]) -> T:
        import httpx

        try:
            with anyio.fail_after(seconds):
                return await call()
        except Refusal as refusal:
            raise _refused(refusal, doing, lost) from refusal
        except (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout, httpx.ProxyError) as broken:
            raise Transient("AssemblyAI could not be reached: no connection.") from broken
        except (httpx.TimeoutException, TimeoutError) as late:
            raise lost(f"AssemblyAI did not {doing}: no answer in time.") from late
        except (httpx.HTTPError, OSError) as broken:
            raise lost(f"AssemblyAI did not {doing}: the connection broke.") from broken
        except (ValueError, LookupError, TypeError, RecursionError) as odd:  # 200, but not the JSON it should be
            raise lost(f"AssemblyAI did not {doing}: its answer could not be read.") from odd

    async def _refuse(self, response: "httpx.Response") -> None:
        """Raise `Refusal` for anything but 200, before the SDK loses the headers."""
        if response.status_code != 200:
            body = await response.aread()
            words = sentence_in(body)
            wait = retry_after(response.headers, now=self._clock.now())
            words = ADDRESS.sub("[address]", words) if words else None
            raise Refusal(response.status_code, words, wait, path=response.request.url.path)


def _refused(refusal: Refusal, doing: str, lost: type[Transient]) -> StepError:
    """What a refusal means for the caller."""
    status, words = refusal.status, refusal.words
    did_not = f"AssemblyAI did not {doing} (HTTP {status})"
    if status in (401, 403):
        return Held(
            HoldKind.CREDENTIALS,
            sentence(f"AssemblyAI refused the key (HTTP {status})", words, "Check ASSEMBLYAI_API_KEY"),
        )
    if status == 402 or (status == 400 and words and "balance" in words.lower()):
        return Held(HoldKind.CREDIT, sentence(f"AssemblyAI is out of credit: top up at {BILLING_PAGE}", words))
    if status == 400 and words and "speech_models" in words:
        text = sentence("AssemblyAI does not take the models", words, "Correct assemblyai.speech_models")
        return Held(HoldKind.CREDENTIALS, text)
    if status == 429:
        return Held(HoldKind.RATE_LIMIT, "AssemblyAI has had too many requests.", retry_after=refusal.wait)
    if status in (408, 409, 425) or status >= 500:
        return lost(sentence(did_not, words), retry_after=refusal.wait)
    if status == 422 and refusal.path.endswith("/upload"):
        return Transient(sentence(did_not, words), retry_after=refusal.wait)
    if status == 413:
        return Permanent("The recording is larger than AssemblyAI takes: shorten it, or skip it.")
    if 200 <= status < 300:
        return lost(f"AssemblyAI did not {doing}: it answered with status {status}.")
    if status < 400 or words is None:
        return Held(
            HoldKind.SERVICE,
            f"{did_not}: something else answered in its place. Check ASSEMBLYAI_BASE_URL and the network.",
        )
    unknown = status in (400, 404) and wire.UNKNOWN_ID.search(words) is not None
    return (UnknownId if unknown else Permanent)(sentence(did_not, words))


def _opened(audio: Path) -> tuple[BinaryIO, int]:
    try:
        file = audio.open("rb")
    except OSError as error:
        raise Transient(f"The downloaded recording could not be read: {error.strerror}.") from error
    size = file.seek(0, 2)
    file.seek(0)
    return file, size


async def _chunks(file: BinaryIO, size: int, progress: Callable[[int, int | None], None]) -> AsyncGenerator[bytes]:
    sent = 0
    while sent < size and (chunk := await anyio.to_thread.run_sync(file.read, min(CHUNK, size - sent))):
        yield chunk
        sent += len(chunk)
        progress(sent, size)


def _loaded(raw: bytes) -> object:
    try:
        return document_in(raw)
    except ValueError:
        return None


def _is_older(created: object, oldest: datetime) -> bool:
    """Whether an order was made before then; one without a readable date is not."""
    try:
        moment = datetime.fromisoformat(created) if isinstance(created, str) else None
    except ValueError:
        return False
    return moment is not None and (moment if moment.tzinfo else moment.replace(tzinfo=UTC)) < oldest


@asynccontextmanager
async def open_assemblyai(
    *,
    api_key: str,
    base_url: str,
    clock: Clock,
    options: TranscriptionOptions | None = None,
    deadlines: Deadlines | None = None,
    retries: RetryPolicy | None = None,
    trust_env: bool = False,
    tell: Tell = nobody,
) -> AsyncIterator[AssemblyAITranscriber]:
    """Open the transcriber without holding up the event loop, close it at the end. Raises `ConfigError`."""
    transcriber = await anyio.to_thread.run_sync(
        lambda: AssemblyAITranscriber(
            api_key=api_key,
            base_url=base_url,
            clock=clock,
            options=options,
            deadlines=deadlines,
            retries=retries,
            trust_env=trust_env,
            tell=tell,
        )
    )
    try:
        yield transcriber
    finally:
        with anyio.CancelScope(shield=True):
            await transcriber.aclose()
