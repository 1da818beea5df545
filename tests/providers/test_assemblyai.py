"""Does the transcriber order once, find what it ordered, and never lose what was paid for?"""

import hashlib
import re
import socket
import subprocess
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

import anyio
import anyio.lowlevel
import pytest
from msgspec.structs import replace

from focusflow.errors import Ambiguous, ConfigError, Held, HoldKind, Permanent, StepError, Transient
from focusflow.ports import AudioUsage, TranscriptFailed, TranscriptPending, TranscriptReady
from focusflow.providers.assemblyai import AssemblyAITranscriber, Deadlines, TranscriptionOptions, open_assemblyai
from focusflow.providers.retry import RetryPolicy
from focusflow.sandbox.assemblyai import API_KEY, AssemblyAIService
from focusflow.sandbox.faults import Fault, FaultPlan
from focusflow.sandbox.request_log import RequestLog
from focusflow.sandbox.scripts import SCRIPTS
from focusflow.sandbox.server import Sandbox
from focusflow.sandbox.service import Bill

AUDIO = bytes(range(256)) * 4096  # 1 MiB, not text
SHORT = 0.3
"""Seconds after which the tests' deadlines end a stall."""


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
        self.advance(seconds)
        await anyio.lowlevel.checkpoint()

    def advance(self, seconds: float) -> None:
        self.at += timedelta(seconds=seconds)


@dataclass
class World:
    """A transcriber and the service it talks to."""

    transcriber: AssemblyAITranscriber
    service: AssemblyAIService
    faults: FaultPlan
    log: RequestLog
    clock: HandClock

    def requests(self, method: str, path: str) -> int:
        return self.log.count("assemblyai", method, path)


@asynccontextmanager
async def a_world(
    *faults: Fault,
    api_key: str = API_KEY,
    options: TranscriptionOptions | None = None,
    call: float = 20.0,
) -> AsyncIterator[World]:
    clock, plan, log = HandClock(), FaultPlan(faults), RequestLog()
    service = AssemblyAIService(clock=clock.unix, bill=Bill(), faults=plan)
    service.register_audio(hashlib.md5(AUDIO, usedforsecurity=False).hexdigest(), "clinic-appointment")
    async with (
        Sandbox([service], faults=plan, log=log, clock=clock.unix) as sandbox,
        open_assemblyai(
            api_key=api_key,
            base_url=sandbox.url_of("assemblyai"),
            clock=clock,
            options=options,
            deadlines=Deadlines(call=call),
            retries=RetryPolicy(first_wait=0.001, longest_wait=0.002, jitter=0.0),
        ) as transcriber,
    ):
        yield World(transcriber=transcriber, service=service, faults=plan, log=log, clock=clock)


@pytest.fixture
def audio(tmp_path: Path) -> Path:
    path = tmp_path / "call.m4a"
    path.write_bytes(AUDIO)
    return path


def unheard(_sent: int, _total: int | None) -> None:
    """Progress nobody looks at."""


def upload_fault(kind: str, **more: object) -> Fault:
    return Fault(service="assemblyai", method="POST", path="/v2/upload$", kind=kind, **more)  # type: ignore[arg-type]


def order_fault(kind: str, **more: object) -> Fault:
    return Fault(service="assemblyai", method="POST", path="/v2/transcript$", kind=kind, **more)  # type: ignore[arg-type]


def get_fault(kind: str, **more: object) -> Fault:
    return Fault(service="assemblyai", method="GET", kind=kind, **more)  # type: ignore[arg-type]


def everything_said_by(error: BaseException | None) -> str:
    """All that a log would show of *error*, causes included."""
    said = ""
    while error is not None:
        said += f"{type(error).__name__}: {error} {error.args}\n"
        error = error.__cause__ or error.__context__
    return said


async def finished(world: World, audio: Path) -> bytes:
    transcript_id = await world.transcriber.submit(await world.transcriber.upload(audio, progress=unheard))
    world.clock.advance(60)
    state = await world.transcriber.poll(transcript_id)
    assert isinstance(state, TranscriptReady), state
    return state.raw


# ------------------------------------------------------------------------------------------------------ the good path


async def test_a_recording_becomes_a_transcript_with_its_speakers_and_is_charged_once(audio: Path) -> None:
    """The whole way, against what the scripted call really says."""
    script = SCRIPTS["clinic-appointment"]
    async with a_world() as world:
        upload_ref = await world.transcriber.upload(audio, progress=unheard)
        transcript_id = await world.transcriber.submit(upload_ref)
        queued = await world.transcriber.poll(transcript_id)
        world.clock.advance(60)
        done = await world.transcriber.poll(transcript_id)
        assert queued == TranscriptPending(state="queued")
        assert isinstance(done, TranscriptReady)
        transcript = world.transcriber.parse(done.raw)
        assert [(u.speaker, u.start_ms, u.end_ms, u.text) for u in transcript.utterances] == [
            tuple(utterance) for utterance in script.utterances
        ]
        assert transcript.language == script.language
        assert transcript.duration_seconds == script.duration_seconds
        assert transcript.model == "universal-3-5-pro"
        assert world.transcriber.usage(done.raw) == AudioUsage(
            seconds=script.duration_seconds, model="universal-3-5-pro", addons=("speaker_labels",)
        )
        assert len(world.service.bill.of("assemblyai")) == 1


async def test_an_upload_tells_its_size_and_how_far_it_is(audio: Path) -> None:
    """Content-Length rather than chunks, and progress that only grows and ends at the whole."""
    heard: list[tuple[int, int | None]] = []
    async with a_world() as world:
        await world.transcriber.upload(audio, progress=lambda sent, total: heard.append((sent, total)))
        [request] = world.log.requests("assemblyai", "POST", "/v2/upload")
        assert request.headers["content-length"] == str(len(AUDIO))
        assert "transfer-encoding" not in request.headers
        assert request.headers["authorization"] == API_KEY
    assert heard[-1] == (len(AUDIO), len(AUDIO))
    assert heard == sorted(heard)


# ------------------------------------------------------------------------------------------------------------- upload


@pytest.mark.parametrize(
    "fault",
    [
        upload_fault("status", status=429, retry_after=3),
        upload_fault("status", status=422),
        upload_fault("status", status=500),
        upload_fault("status", status=503),
        upload_fault("html", status=502),
        upload_fault("html"),
        upload_fault("reset_before"),
        upload_fault("reset_before", bytes=300_000),
        upload_fault("reset_after"),
        upload_fault("truncate", bytes=10),
        upload_fault("bad_json"),
    ],
    ids=lambda fault: f"{fault.kind}-{fault.status or ''}-{fault.bytes or ''}",
)
async def test_an_upload_that_breaks_off_is_begun_anew(audio: Path, fault: Fault) -> None:
    """An upload costs nothing, so it is repeated here, from its first byte, and the service gets it whole."""
    async with a_world(fault) as world:
        upload_ref = await world.transcriber.upload(audio, progress=unheard)
        assert world.requests("POST", "/v2/upload") == 2
        assert world.service.uploads[upload_ref].md5 == hashlib.md5(AUDIO, usedforsecurity=False).hexdigest()
        assert world.clock.slept == ([3] if fault.retry_after else [5] if fault.status == 429 else [])


async def test_an_upload_that_never_works_is_given_back_to_the_job(audio: Path) -> None:
    """Patience in seconds ends; minutes are the job's."""
    async with a_world(upload_fault("status", status=500, times=None)) as world:
        with pytest.raises(Transient, match="did not take the recording"):
            await world.transcriber.upload(audio, progress=unheard)
        assert world.requests("POST", "/v2/upload") == 4


async def test_a_refused_key_holds_the_job_and_names_the_setting(audio: Path) -> None:
    """Waiting for a person is not a failure of the job, and asking again would not help."""
    async with a_world(api_key="wrong") as world:
        with pytest.raises(Held, match="ASSEMBLYAI_API_KEY") as held:
            await world.transcriber.upload(audio, progress=unheard)
        assert held.value.kind is HoldKind.CREDENTIALS
        assert world.requests("POST", "/v2/upload") == 1


async def test_an_empty_recording_is_not_uploaded(tmp_path: Path) -> None:
    """There is nothing to transcribe in no bytes."""
    (tmp_path / "empty.m4a").touch()
    async with a_world() as world:
        with pytest.raises(Permanent, match="empty"):
            await world.transcriber.upload(tmp_path / "empty.m4a", progress=unheard)
        assert len(world.log) == 0


async def test_a_recording_that_vanished_is_downloaded_again_by_the_job(tmp_path: Path) -> None:
    """A local trouble is transient too: the next attempt has a new file."""
    async with a_world() as world:
        with pytest.raises(Transient, match="could not be read"):
            await world.transcriber.upload(tmp_path / "gone.m4a", progress=unheard)


async def test_a_pause_that_one_worker_is_told_is_kept_by_all(audio: Path) -> None:
    """After a long Retry-After nobody asks until it is over, and everybody's job rests that long."""
    async with a_world(upload_fault("status", status=429, retry_after=120)) as world:
        with pytest.raises(Held) as first:
            await world.transcriber.upload(audio, progress=unheard)
        world.clock.advance(20)
        with pytest.raises(Held) as second:
            await world.transcriber.submit("https://cdn.assemblyai.com/upload/x")
        assert (first.value.kind, first.value.retry_after) == (HoldKind.RATE_LIMIT, 120)
        assert (second.value.kind, second.value.retry_after) == (HoldKind.RATE_LIMIT, 100)
        assert len(world.log) == 1
        world.clock.advance(101)
        await world.transcriber.upload(audio, progress=unheard)


# -------------------------------------------------------------------------------------------------------------- order


@pytest.mark.parametrize(
    ("fault", "was_taken"),
    [
        (order_fault("reset_before"), False),
        (order_fault("status", status=500), False),
        (order_fault("status", status=503), False),
        (order_fault("html", status=502), False),
        (order_fault("html"), False),
        (order_fault("reset_after"), True),
        (order_fault("truncate", bytes=40), True),
        (order_fault("bad_json"), True),
        (order_fault("stall"), True),
        (order_fault("stall", bytes=40), True),
        (order_fault("lost_after_create"), True),
    ],
    ids=lambda value: f"{value.kind}-{value.status or ''}-{value.bytes or ''}" if isinstance(value, Fault) else "",
)
async def test_an_order_of_unknown_outcome_is_asked_for_once_and_then_looked_for(
    audio: Path, fault: Fault, was_taken: bool
) -> None:
    """One request whatever happens; what was taken is found by its upload, what was not is not."""
    async with a_world(fault, call=SHORT if fault.kind == "stall" else 20) as world:
        upload_ref = await world.transcriber.upload(audio, progress=unheard)
        since = world.clock.now()
        with pytest.raises(Ambiguous) as ambiguous:
            await world.transcriber.submit(upload_ref)
        assert world.requests("POST", "/v2/transcript$") == 1
        assert upload_ref not in everything_said_by(ambiguous.value)
        found = await world.transcriber.find(upload_ref, since=since)
        assert [found] == (list(world.service.jobs) if was_taken else [None])
        assert len(world.service.jobs) == was_taken


async def test_an_order_that_could_not_even_be_sent_is_not_ambiguous() -> None:
    """Without a connection nothing was ordered, so nothing has to be looked for."""
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        address = f"http://127.0.0.1:{unused.getsockname()[1]}"
        async with open_assemblyai(api_key="x", base_url=address, clock=HandClock()) as transcriber:
            with pytest.raises(Transient, match="could not be reached") as error:
                await transcriber.submit("https://cdn.assemblyai.com/upload/x")
    assert not isinstance(error.value, Ambiguous)


async def test_an_empty_account_holds_the_job_and_says_where_to_top_up(audio: Path) -> None:
    """The 400 that is about money is not the recording's fault."""
    async with a_world() as world:
        world.service.negative_balance = True
        upload_ref = await world.transcriber.upload(audio, progress=unheard)
        with pytest.raises(Held, match=r"top up at https://www\.assemblyai\.com/") as held:
            await world.transcriber.submit(upload_ref)
        assert held.value.kind is HoldKind.CREDIT


async def test_too_many_orders_hold_the_job_as_long_as_the_service_says() -> None:
    """A 429 came before the order was taken: nothing to look for, only to wait."""
    async with a_world(order_fault("status", status=429, retry_after=7)) as world:
        with pytest.raises(Held) as held:
            await world.transcriber.submit("https://example.org/a.mp3")
        assert (held.value.kind, held.value.retry_after) == (HoldKind.RATE_LIMIT, 7)
        assert world.requests("POST", "/v2/transcript$") == 1


async def test_a_refused_order_stays_failed_with_the_services_own_sentence() -> None:
    """A parameter it does not take will not be taken next time."""
    options = TranscriptionOptions(extra={"format_text": "yes"})
    async with a_world(options=options) as world:
        with pytest.raises(Permanent, match="format_text must be a Boolean"):
            await world.transcriber.submit("https://example.org/a.mp3")


async def test_an_unknown_model_holds_the_job_until_the_setting_is_mended() -> None:
    """It is not the recording's fault either."""
    async with a_world(options=TranscriptionOptions(speech_models=("universal-9",))) as world:
        with pytest.raises(Held, match=r"Correct assemblyai\.speech_models") as held:
            await world.transcriber.submit("https://example.org/a.mp3")
        assert held.value.kind is HoldKind.CREDENTIALS


async def test_the_audio_of_another_projects_key_is_a_matter_of_credentials(audio: Path) -> None:
    """A 403 at the order names the key, too."""
    async with a_world() as world:
        upload_ref = await world.transcriber.upload(audio, progress=unheard)
        world.service.api_keys = frozenset({API_KEY, "other"})
        world.service.uploads[upload_ref] = replace(world.service.uploads[upload_ref], key="other")
        with pytest.raises(Held, match="Cannot access uploaded file") as held:
            await world.transcriber.submit(upload_ref)
        assert held.value.kind is HoldKind.CREDENTIALS


@pytest.mark.parametrize("status", [301, 307, 404])
async def test_something_else_at_the_address_holds_the_job(status: int) -> None:
    """A redirect or a stranger's page is a matter of the network or the setting; the key is not sent elsewhere."""
    async with a_world(order_fault("html", status=status)) as world:
        with pytest.raises(Held, match="ASSEMBLYAI_BASE_URL") as held:
            await world.transcriber.submit("https://example.org/a.mp3")
        assert held.value.kind is HoldKind.SERVICE
        assert len(world.log) == 1


# --------------------------------------------------------------------------------------------------------------- find


async def test_an_order_is_found_behind_hundreds_of_newer_ones() -> None:
    """The list is read page by page, back to the time of the order."""
    async with a_world() as world:
        since = world.clock.now()
        wanted = await world.transcriber.submit("https://example.org/wanted.mp3")
        for number in range(401):
            await world.transcriber.submit(f"https://example.org/{number}.mp3")
        world.log.clear()
        assert await world.transcriber.find("https://example.org/wanted.mp3", since=since) == wanted
        assert world.requests("GET", "/v2/transcript$") == 3


async def test_nobody_looks_further_back_than_the_order_can_be() -> None:
    """A busy account's whole history is not read for one order."""
    async with a_world() as world:
        for number in range(401):
            await world.transcriber.submit(f"https://example.org/{number}.mp3")
        world.clock.advance(24 * 3600)
        world.log.clear()
        assert await world.transcriber.find("https://example.org/no.mp3", since=world.clock.now()) is None
        assert world.requests("GET", "/v2/transcript$") == 2  # its first page, twice


async def test_a_young_order_that_is_not_listed_yet_is_looked_for_twice() -> None:
    """A list may be behind what was just ordered; an old order is listed or does not exist."""
    async with a_world() as world:
        await world.transcriber.find("https://example.org/a.mp3", since=world.clock.now() - timedelta(seconds=30))
        assert (world.requests("GET", "/v2/transcript$"), world.clock.slept) == (2, [5])
        await world.transcriber.find("https://example.org/a.mp3", since=world.clock.now() - timedelta(hours=1))
        assert world.requests("GET", "/v2/transcript$") == 3


async def test_of_two_orders_for_an_upload_the_one_that_did_not_fail_is_adopted(audio: Path) -> None:
    """A failed order cost nothing and gives nothing; it is adopted only when there is no other."""
    async with a_world() as world:
        upload_ref = await world.transcriber.upload(audio, progress=unheard)
        since = world.clock.now()
        good = await world.transcriber.submit(upload_ref)
        world.faults.add(order_fault("error_status"))
        bad = await world.transcriber.submit(upload_ref)
        world.clock.advance(60)
        assert await world.transcriber.find(upload_ref, since=since) == good
        del world.service.jobs[good]
        assert await world.transcriber.find(upload_ref, since=since) == bad


@pytest.mark.parametrize("kind", ["reset_before", "bad_json", "truncate", "html"])
async def test_a_list_that_breaks_off_is_asked_for_again(kind: str) -> None:
    """Reading is free; a list that can't be read must never count as 'there is no order'."""
    async with a_world(get_fault(kind)) as world:
        wanted = await world.transcriber.submit("https://example.org/a.mp3")
        assert await world.transcriber.find("https://example.org/a.mp3", since=world.clock.now()) == wanted


@pytest.mark.parametrize(
    "fault", [get_fault("bad_json", times=None), get_fault("status", status=400, times=None)], ids=["bad", "400"]
)
async def test_a_list_that_cannot_be_read_says_so_instead_of_nothing(fault: Fault) -> None:
    """Silence here would mean a second order."""
    async with a_world(fault) as world:
        with pytest.raises(Transient):
            await world.transcriber.find("https://example.org/a.mp3", since=world.clock.now())


# --------------------------------------------------------------------------------------------------------------- poll


@pytest.mark.parametrize(
    "fault",
    [
        get_fault("status", status=429, retry_after=9),
        get_fault("status", status=500),
        get_fault("status", status=503),
        get_fault("html"),
        get_fault("html", status=404),
        get_fault("html", status=502),
        get_fault("reset_before"),
        get_fault("reset_after"),
        get_fault("truncate", bytes=100),
        get_fault("bad_json"),
        get_fault("stall"),
        get_fault("stall", bytes=100),
    ],
    ids=lambda fault: f"{fault.kind}-{fault.status or ''}-{fault.bytes or ''}",
)
async def test_a_poll_that_goes_wrong_means_ask_again(audio: Path, fault: Fault) -> None:
    """A paid transcript survives every bad answer, and is there at the next poll."""
    async with a_world(fault, call=SHORT if fault.kind == "stall" else 20) as world:
        transcript_id = await world.transcriber.submit(await world.transcriber.upload(audio, progress=unheard))
        world.clock.advance(60)
        bad = await world.transcriber.poll(transcript_id)
        assert isinstance(bad, TranscriptPending)
        assert bad.retry_after == fault.retry_after
        assert isinstance(await world.transcriber.poll(transcript_id), TranscriptReady)
        assert world.requests("GET", "/v2/transcript/") == 2


async def test_a_poll_that_dribbles_is_waited_for(audio: Path) -> None:
    """Slow is not broken, within the deadline."""
    async with a_world(get_fault("dribble", bytes=4096, seconds=0.001)) as world:
        await finished(world, audio)


async def test_a_poll_that_dribbles_for_ever_ends_at_its_deadline(audio: Path) -> None:
    """Gaps shorter than any read timeout don't keep a worker for ever."""
    async with a_world(get_fault("dribble", bytes=1, seconds=0.05), call=SHORT) as world:
        transcript_id = await world.transcriber.submit(await world.transcriber.upload(audio, progress=unheard))
        assert isinstance(await world.transcriber.poll(transcript_id), TranscriptPending)


async def test_a_refused_key_during_a_poll_holds_the_job() -> None:
    """A revoked key would otherwise look like a transcription that never ends."""
    async with a_world() as world:
        transcript_id = await world.transcriber.submit("https://example.org/a.mp3")
        world.service.api_keys = frozenset({"new"})
        with pytest.raises(Held) as held:
            await world.transcriber.poll(transcript_id)
        assert held.value.kind is HoldKind.CREDENTIALS


async def test_an_id_that_is_not_known_any_more_may_be_ordered_again() -> None:
    """AssemblyAI forgets transcripts by itself; that is lost, but not for ever."""
    async with a_world() as world:
        state = await world.transcriber.poll("00000000-0000-0000-0000-000000000000")
        assert isinstance(state, TranscriptFailed)
        assert not state.permanent
        assert "not known any more" in state.reason


async def test_a_transcript_deleted_in_the_dashboard_is_not_known_any_more(audio: Path) -> None:
    """It answers as completed, with words that were never said."""
    async with a_world() as world:
        transcript_id = await world.transcriber.submit(await world.transcriber.upload(audio, progress=unheard))
        world.clock.advance(60)
        await world.transcriber.delete(transcript_id)
        state = await world.transcriber.poll(transcript_id)
        assert state == TranscriptFailed(
            reason="The transcript was deleted: it is not known any more.", permanent=False
        )


@pytest.mark.parametrize(
    ("content", "options", "reason", "permanent"),
    [
        (b"<!doctype html><p>no</p>" * 99, TranscriptionOptions(), "does not appear to contain audio", True),
        (b"\x00\x01" * 100, TranscriptionOptions(), "too short", True),
        (AUDIO, TranscriptionOptions(language_confidence_threshold=1.0), "confidence threshold", True),
        (AUDIO, TranscriptionOptions(speech_threshold=1.0), "speech threshold", True),
    ],
    ids=["not audio", "too short", "language", "speech share"],
)
async def test_audio_that_would_fail_again_fails_for_good(
    tmp_path: Path, content: bytes, options: TranscriptionOptions, reason: str, permanent: bool
) -> None:
    """The service's reason is kept, and nobody uploads the same bytes in hope."""
    (tmp_path / "audio").write_bytes(content)
    async with a_world(options=options) as world:
        transcript_id = await world.transcriber.submit(
            await world.transcriber.upload(tmp_path / "audio", progress=unheard)
        )
        world.clock.advance(60)
        state = await world.transcriber.poll(transcript_id)
        assert isinstance(state, TranscriptFailed)
        assert reason in state.reason
        assert state.permanent is permanent


async def test_a_trouble_of_the_service_itself_is_tried_again(audio: Path) -> None:
    """Nothing was charged, and the same audio may work next time."""
    async with a_world(order_fault("error_status")) as world:
        transcript_id = await world.transcriber.submit(await world.transcriber.upload(audio, progress=unheard))
        world.clock.advance(60)
        state = await world.transcriber.poll(transcript_id)
        assert state == TranscriptFailed(reason="Server error, developers have been alerted.", permanent=False)


async def test_an_upload_that_was_kept_too_long_is_tried_again_without_naming_its_address(audio: Path) -> None:
    """The vendor's sentence contains the address of the audio; ours does not."""
    async with a_world() as world:
        upload_ref = await world.transcriber.upload(audio, progress=unheard)
        world.clock.advance(25 * 3600)
        transcript_id = await world.transcriber.submit(upload_ref)
        world.clock.advance(60)
        state = await world.transcriber.poll(transcript_id)
        assert isinstance(state, TranscriptFailed)
        assert not state.permanent
        assert "Download error, unable to download [address]" in state.reason


async def test_a_paid_transcript_with_values_the_sdk_refuses_is_understood(audio: Path) -> None:
    """Unknown enum values are what made others lose paid results."""
    async with a_world(order_fault("enum_surprise"), options=TranscriptionOptions(entity_detection=True)) as world:
        raw = await finished(world, audio)
        assert len(world.transcriber.parse(raw).utterances) == len(SCRIPTS["clinic-appointment"].utterances)
        assert world.transcriber.usage(raw).addons == ("speaker_labels", "entity_detection")


# ------------------------------------------------------------------------------------------------- delete and check


async def test_deleting_twice_or_something_unknown_is_fine(audio: Path) -> None:
    """After a crash the deletion is simply done again."""
    async with a_world() as world:
        upload_ref = await world.transcriber.upload(audio, progress=unheard)
        transcript_id = await world.transcriber.submit(upload_ref)
        world.clock.advance(60)
        await world.transcriber.delete(transcript_id)
        await world.transcriber.delete(transcript_id)
        await world.transcriber.delete("unknown")
        assert upload_ref not in world.service.uploads


async def test_a_deletion_that_a_proxy_answered_is_done_again(audio: Path) -> None:
    """A page with status 200 deleted nothing."""
    fault = Fault(service="assemblyai", method="DELETE", kind="html")
    async with a_world(fault) as world:
        transcript_id = await world.transcriber.submit(await world.transcriber.upload(audio, progress=unheard))
        await world.transcriber.delete(transcript_id)
        assert world.service.jobs[transcript_id].deleted


async def test_the_check_is_silent_when_transcripts_can_be_ordered() -> None:
    """One cheap authenticated request, no order."""
    async with a_world() as world:
        assert await world.transcriber.check() == []
        assert [request.query for request in world.log] == [{"limit": "1"}]


async def test_the_check_says_in_one_sentence_what_is_wrong() -> None:
    """The sentence names the setting, not the exception."""
    async with a_world(api_key="wrong") as world:
        [problem] = await world.transcriber.check()
        assert "ASSEMBLYAI_API_KEY" in problem


@pytest.mark.parametrize(
    ("key", "url"), [("k", "api.assemblyai.com"), ("k", ""), ("ключ", "http://x"), ("a\nb", "http://x")]
)
async def test_a_setting_that_cannot_work_is_refused_at_once(key: str, url: str) -> None:
    """Better a sentence at the start than an exception in every job."""
    with pytest.raises(ConfigError, match="ASSEMBLYAI_"):
        async with open_assemblyai(api_key=key, base_url=url, clock=HandClock()):
            raise AssertionError("opened")


# ------------------------------------------------------------------------------------------------------- cancellation


async def until(holds: Callable[[], bool]) -> None:
    """Let the server notice; fail if it never does."""
    with anyio.fail_after(5):
        while not holds():  # noqa: ASYNC110 -- a socket tells nobody that it was closed
            await anyio.sleep(0.005)


def sockets() -> int:
    return sum(link.startswith("socket:") for link in _open_files())


def _open_files() -> list[str]:
    links = []
    for descriptor in Path("/proc/self/fd").iterdir():
        with suppress(OSError):  # it was the one that lists them
            links.append(str(descriptor.readlink()))
    return links


@pytest.mark.skipif(not Path("/proc/self/fd").is_dir(), reason="counts sockets as Linux shows them")
@pytest.mark.parametrize("during", ["upload", "order", "poll"])
async def test_cancelling_a_call_hangs_up_and_leaks_nothing(audio: Path, during: str) -> None:
    """The server sees us leave at once, and not one socket or open file stays behind."""
    stalls = [upload_fault("stall"), order_fault("stall"), get_fault("stall")]
    async with a_world(*stalls) as world:
        before = sockets()
        calls: dict[str, Callable[[], object]] = {
            "upload": lambda: world.transcriber.upload(audio, progress=unheard),
            "order": lambda: world.transcriber.submit("https://example.org/a.mp3"),
            "poll": lambda: world.transcriber.poll("x"),
        }

        async def call() -> None:
            await calls[during]()  # type: ignore[misc]

        async with anyio.create_task_group() as group:
            group.start_soon(call)
            await until(lambda: len(world.log) == 1)
            group.cancel_scope.cancel()
        await until(lambda: sockets() == before)  # ours and the server's: both run in this process


async def test_cancelling_an_upload_under_way_closes_its_file(tmp_path: Path) -> None:
    """The file is closed although the cancellation came between two of its chunks; a leak would be a warning."""
    big = tmp_path / "big.m4a"
    with big.open("wb") as file:
        file.truncate(64 * 1024 * 1024)
    async with a_world() as world:
        with anyio.CancelScope() as scope:
            await world.transcriber.upload(
                big, progress=lambda sent, _: scope.cancel() if sent > 4 * 1024 * 1024 else None
            )
        assert scope.cancelled_caught
        await until(lambda: str(big) not in _open_files())
        await world.transcriber.check()


# -------------------------------------------------------------------------------------------------------- the machine


async def test_a_proxy_of_the_environment_is_not_used_unasked(audio: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Recordings go where the configuration says, not where a variable points."""
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    monkeypatch.setenv("ALL_PROXY", "http://127.0.0.1:9")
    async with a_world() as world:
        await finished(world, audio)


def test_importing_the_adapter_does_not_import_the_sdk() -> None:
    """The first paint does not wait for it: it is loaded in the thread that opens the transcriber."""
    program = "import sys, focusflow.providers.assemblyai; print({'assemblyai', 'httpx'} & sys.modules.keys() or '')"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == ""


async def test_no_error_shows_the_key_or_the_address_of_the_audio(audio: Path) -> None:
    """Whatever goes wrong may be logged with all its causes."""
    kinds = [order_fault("status", status=status) for status in (400, 401, 402, 403, 404, 409, 413, 422, 429, 500)]
    async with a_world(*kinds) as world:
        upload_ref = await world.transcriber.upload(audio, progress=unheard)
        for _ in kinds:
            world.clock.advance(10)
            with pytest.raises(StepError) as error:
                await world.transcriber.submit(upload_ref)
            said = everything_said_by(error.value)
            assert upload_ref not in said
            assert API_KEY not in said
            assert re.search(r"\w\.$", str(error.value)), "a sentence"
