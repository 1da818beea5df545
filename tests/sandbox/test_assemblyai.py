"""Does the emulated AssemblyAI satisfy the vendor's own client, and refuse what the real one refuses?"""

import hashlib
import json
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Protocol

import assemblyai as aai
import httpx
import pydantic
import pytest
from assemblyai.prerecorded.v2 import async_api

from focusflow.sandbox.assemblyai import API_KEY, AssemblyAIService
from focusflow.sandbox.faults import Fault, FaultPlan
from focusflow.sandbox.request_log import RequestLog
from focusflow.sandbox.scripts import KEYS, SCRIPTS
from focusflow.sandbox.server import Sandbox
from focusflow.sandbox.service import Bill

MODELS = ["universal-3-5-pro", "universal-2"]
QUEUED, PROCESSING = 2.0, 3.0
"""How long a job waits and how long it takes, by the test's clock."""


class HandClock(Protocol):
    now: float

    def __call__(self) -> float: ...

    def advance(self, seconds: float) -> None: ...


@pytest.fixture
def service(clock: HandClock, bill: Bill, faults: FaultPlan) -> AssemblyAIService:
    return AssemblyAIService(
        clock=clock,
        bill=bill,
        faults=faults,
        queued_seconds=QUEUED,
        processing_seconds=PROCESSING,
        processing_per_audio_second=0,
    )


@pytest.fixture
async def sandbox(service: AssemblyAIService, faults: FaultPlan, log: RequestLog) -> AsyncIterator[Sandbox]:
    async with Sandbox([service], faults=faults, log=log) as running:
        yield running


@pytest.fixture
async def http(sandbox: Sandbox) -> AsyncIterator[httpx.AsyncClient]:
    async with httpx.AsyncClient(
        base_url=sandbox.url_of("assemblyai"), headers={"authorization": API_KEY}, trust_env=False
    ) as client:
        yield client


def audio(key: str) -> bytes:
    """Bytes that stand for the recording of a script."""
    return b"\x00\x00\x00\x1cftypM4A " + key.encode() * 200


async def uploaded(http: httpx.AsyncClient, service: AssemblyAIService, key: str) -> str:
    content = audio(key)
    service.register_audio(hashlib.md5(content, usedforsecurity=False).hexdigest(), key)
    return await async_api.upload_file(http, content)


async def submitted(http: httpx.AsyncClient, url: str, **settings: object) -> str:
    """The id of a new job."""
    answer = await http.post("/v2/transcript", json={"audio_url": url, "speech_models": MODELS} | settings)
    assert answer.status_code == 200, answer.text
    identity = answer.json()["id"]
    assert isinstance(identity, str)
    return identity


async def transcribed(
    http: httpx.AsyncClient, service: AssemblyAIService, clock: HandClock, key: str, **settings: object
) -> dict[str, object]:
    """The finished wire object of a recording of *key*."""
    identity = await submitted(http, await uploaded(http, service, key), **settings)
    clock.advance(QUEUED + PROCESSING)
    body = (await http.get(f"/v2/transcript/{identity}")).json()
    assert isinstance(body, dict)
    return body


async def refusal(http: httpx.AsyncClient, **settings: object) -> str:
    """What the service says to a request it answers 400."""
    body = {"audio_url": "https://cdn.assemblyai.com/upload/x", "speech_models": MODELS} | settings
    answer = await http.post("/v2/transcript", json=body)
    assert answer.status_code == 400, answer.text
    return str(answer.json()["error"])


async def test_the_sdk_uploads_submits_and_reads_a_transcript(
    http: httpx.AsyncClient, service: AssemblyAIService, clock: HandClock
) -> None:
    """A call goes through queued, processing and completed, and parses in the typed client."""
    script = SCRIPTS["sales-quote"]
    url = await uploaded(http, service, script.key)
    created = await async_api.create_transcript(
        http, aai.types.TranscriptRequest(audio_url=url, speech_models=MODELS, speaker_labels=True)
    )
    assert (created.status, created.audio_url, created.text) == (aai.TranscriptStatus.queued, url, None)
    assert created.id is not None
    clock.advance(QUEUED)
    assert (await async_api.get_transcript(http, created.id)).status is aai.TranscriptStatus.processing
    clock.advance(PROCESSING)
    done = await async_api.get_transcript(http, created.id)
    assert done.status is aai.TranscriptStatus.completed
    assert done.utterances is not None
    assert [(u.speaker, u.start, u.end, u.text) for u in done.utterances] == list(script.utterances)
    assert done.text == " ".join(line.text for line in script.utterances)
    assert (done.audio_duration, done.speech_model, done.speech_model_used) == (
        script.duration_seconds,
        None,
        MODELS[0],
    )


@pytest.mark.parametrize("key", [key for key in KEYS if key != "pocket-dial"])
async def test_words_lie_within_their_utterance(
    http: httpx.AsyncClient, service: AssemblyAIService, clock: HandClock, key: str
) -> None:
    """Words come in order, inside their turn, and repeat the turn's text."""
    body = await transcribed(http, service, clock, key, speaker_labels=True, language_detection=True)
    parsed = aai.types.TranscriptResponse.parse_obj(body)
    assert parsed.utterances is not None
    assert parsed.words is not None
    assert parsed.language_code == SCRIPTS[key].language
    assert len(parsed.words) == sum(len(u.words) for u in parsed.utterances)
    for turn in parsed.utterances:
        assert " ".join(word.text for word in turn.words) == turn.text
        assert turn.start <= turn.words[0].start
        assert turn.words[-1].end <= turn.end
        assert all(word.start < word.end and word.speaker == turn.speaker for word in turn.words)
        assert all(0 < word.confidence < 1 for word in turn.words)


async def test_without_diarization_nobody_is_named(
    http: httpx.AsyncClient, service: AssemblyAIService, clock: HandClock
) -> None:
    """Speaker labels cost extra; who does not ask gets words without a speaker and no utterances."""
    body = await transcribed(http, service, clock, "sales-quote")
    words = body["words"]
    assert isinstance(words, list)
    assert body["utterances"] is None
    assert {word["speaker"] for word in words} == {None}


async def test_a_streamed_upload_is_accepted_with_and_without_a_length(
    http: httpx.AsyncClient, service: AssemblyAIService
) -> None:
    """The client streams from Drive: chunked, or with the size that Drive told it."""
    pieces = [b"\x00\xff" * 40_000] * 5

    async def stream() -> AsyncIterator[bytes]:
        for piece in pieces:
            yield piece

    chunked = await async_api.upload_file(http, stream())
    sized = await async_api.upload_file(http, stream(), headers={"Content-Length": str(400_000)})
    assert chunked != sized
    whole = hashlib.md5(b"".join(pieces), usedforsecurity=False).hexdigest()
    assert [(u.md5, u.size) for u in service.uploads.values()] == [(whole, 400_000)] * 2


async def test_an_empty_upload_is_unprocessable(http: httpx.AsyncClient) -> None:
    """The service answers 422, which a client may retry."""
    with pytest.raises(aai.TranscriptError) as caught:
        await async_api.upload_file(http, b"")
    assert caught.value.status_code == 422


@pytest.mark.parametrize("key", ["", "wrong", f"Bearer {API_KEY}"])
async def test_a_wrong_key_is_refused_everywhere(sandbox: Sandbox, key: str) -> None:
    """The raw key, without Bearer, is the only way in."""
    async with httpx.AsyncClient(
        base_url=sandbox.url_of("assemblyai"), headers={"authorization": key}, trust_env=False
    ) as http:
        answers = [
            await http.post("/v2/upload", content=b"\x00" * 300_000),
            await http.post("/v2/transcript", json={}),
            await http.get("/v2/transcript"),
            await http.get("/v2/transcript/x"),
            await http.delete("/v2/transcript/x"),
        ]
    assert {answer.status_code for answer in answers} == {401}
    assert answers[0].json() == {"error": "Authentication error, API token missing/invalid"}


async def test_an_upload_belongs_to_the_key_that_made_it(
    sandbox: Sandbox, service: AssemblyAIService, http: httpx.AsyncClient
) -> None:
    """Another project's key may neither use the file nor read the transcript."""
    service.api_keys |= {"other"}
    url = await uploaded(http, service, "sales-quote")
    mine = await submitted(http, url)
    other = {"authorization": "other"}
    answer = await http.post("/v2/transcript", json={"audio_url": url, "speech_models": MODELS}, headers=other)
    assert (answer.status_code, answer.json()) == (403, {"error": "Cannot access uploaded file"})
    assert (await http.get(f"/v2/transcript/{mine}", headers=other)).status_code == 400
    assert (await http.get("/v2/transcript", headers=other)).json()["transcripts"] == []


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        (
            {"speech_models": None},
            '"speech_models" must be a non-empty list containing one or more of: "universal-3-pr',
        ),
        ({"speech_models": []}, '"speech_models" must be a non-empty list'),
        ({"speech_models": ["nano"]}, '"speech_models" must be a non-empty list'),
        ({"speech_model": "best"}, 'speech_model is deprecated. Use "speech_models" instead.'),
        ({"word_boost": ["x"]}, "word_boost is deprecated"),
        ({"format_text": "yes"}, "format_text must be a Boolean"),
        ({"speaker_labels": 1}, "speaker_labels must be a Boolean"),
        ({"audio_start_from": 1.5}, "audio_start_from must be an Integer"),
        ({"speaker_labels": True, "multichannel": True}, "speaker_labels and multichannel cannot both be enabled"),
        ({"redact_pii": True}, "redact_pii_policies must be a non-empty list"),
        ({"redact_pii": True, "redact_pii_policies": ["shoe_size"]}, "invalid policy: shoe_size"),
        ({"redact_pii": True, "redact_pii_policies": ["date"], "redact_pii_sub": "x"}, "redact_pii_sub must be one of"),
        ({"language_detection": True, "language_code": "en"}, "language_detection is not available when language_code"),
        ({"audio_url": "file:///x"}, "audio_url should start with http"),
        ({"keyterms_prompt": ["one two three four five six seven"]}, "at most 6 words"),
        ({"speech_threshold": 1.5}, "speech_threshold must be between 0 and 1"),
        ({"no_such_setting": 1}, "Invalid endpoint schema, please refer to documentation for examples."),
    ],
)
async def test_a_bad_request_is_refused_in_words(
    http: httpx.AsyncClient, settings: dict[str, object], words: str
) -> None:
    """The checks of the real service, so that a wrong request can't pass a test."""
    assert words in await refusal(http, **settings)


async def test_a_negative_balance_refuses_new_work(http: httpx.AsyncClient, service: AssemblyAIService) -> None:
    """The service asks to top up, in its own words."""
    service.negative_balance = True
    words = "Your current account balance is negative. Please top up to continue using the API."
    assert await refusal(http) == words


async def test_an_unknown_id_is_a_bad_request(http: httpx.AsyncClient) -> None:
    """Not 404: the service answers 400."""
    answer = await http.get("/v2/transcript/no-such-id")
    assert answer.status_code == 400
    assert answer.json() == {"error": "Transcript lookup error, transcript id not found"}


@pytest.mark.parametrize(
    ("content", "error"),
    [
        (b"just some text, no audio\n", "File does not appear to contain audio. File type is text/plain"),
        (b"<!DOCTYPE html><html></html>", "File does not appear to contain audio. File type is text/html"),
        (b"\x00\x01" * 100, "Audio duration is too short."),
    ],
)
async def test_what_is_not_a_call_ends_in_an_error_and_costs_nothing(
    http: httpx.AsyncClient, service: AssemblyAIService, clock: HandClock, bill: Bill, content: bytes, error: str
) -> None:
    """A job on such a file is accepted, and fails later; failed jobs are free."""
    identity = await submitted(http, await async_api.upload_file(http, content))
    clock.advance(QUEUED + PROCESSING)
    failed = await async_api.get_transcript(http, identity)
    assert failed.status is aai.TranscriptStatus.error
    assert error in str(failed.error)
    assert bill.lines == []


async def test_audio_it_cannot_fetch_ends_in_a_download_error(
    http: httpx.AsyncClient, service: AssemblyAIService, clock: HandClock
) -> None:
    """Foreign addresses, and uploads that were deleted after a day."""
    url = await uploaded(http, service, "sales-quote")
    clock.advance(25 * 3600)
    identities = [await submitted(http, url), await submitted(http, "https://example.com/a.mp3")]
    clock.advance(QUEUED + PROCESSING)
    for identity in identities:
        failed = await async_api.get_transcript(http, identity)
        assert str(failed.error).startswith("Download error, unable to download http")


async def test_too_little_speech_ends_in_an_error(
    http: httpx.AsyncClient, service: AssemblyAIService, clock: HandClock
) -> None:
    """`speech_threshold` above the call's share of speech, and silence when the language is to be detected."""
    body = await transcribed(http, service, clock, "sales-quote", speech_threshold=0.99)
    assert "is below the input value 0.99" in str(body["error"])
    body = await transcribed(http, service, clock, "pocket-dial", language_detection=True)
    assert body["error"] == "language_detection cannot be performed on files with no spoken audio."


async def test_silence_in_a_named_language_is_an_empty_transcript(
    http: httpx.AsyncClient, service: AssemblyAIService, clock: HandClock, bill: Bill
) -> None:
    """Silence is charged, as the service says."""
    body = await transcribed(http, service, clock, "pocket-dial", language_code="en")
    assert (body["status"], body["text"], body["words"]) == ("completed", "", [])
    assert [line.quantity for line in bill.lines] == [{"audio_seconds": 3}]


async def test_unknown_audio_is_as_long_as_its_size_suggests(http: httpx.AsyncClient, clock: HandClock) -> None:
    """About four kilobytes a second."""
    identity = await submitted(http, await async_api.upload_file(http, b"\x00\xfe" * 120_000))
    clock.advance(QUEUED + PROCESSING)
    done = await async_api.get_transcript(http, identity)
    assert done.audio_duration == 60
    assert done.text


async def test_only_a_completed_transcript_is_charged_and_only_once(
    http: httpx.AsyncClient, service: AssemblyAIService, clock: HandClock, bill: Bill
) -> None:
    """The bill names the audio's seconds, the model, and what was asked for beside it."""
    identity = await submitted(http, await uploaded(http, service, "sales-quote"), speaker_labels=True)
    await http.get(f"/v2/transcript/{identity}")
    assert bill.lines == []
    clock.advance(QUEUED + PROCESSING)
    for _ in range(3):
        await http.get(f"/v2/transcript/{identity}")
    service.settle()
    (line,) = bill.of("assemblyai")
    seconds = SCRIPTS["sales-quote"].duration_seconds
    assert (line.reference, line.model, line.kind) == (identity, MODELS[0], "transcription")
    assert line.quantity == {"audio_seconds": seconds, "speaker_labels": seconds}


async def test_jobs_beyond_the_concurrency_wait_their_turn(
    http: httpx.AsyncClient, service: AssemblyAIService, clock: HandClock
) -> None:
    """The excess is queued, first come first served, and not refused."""
    service.concurrency = 2
    url = await uploaded(http, service, "sales-quote")
    identities = [await submitted(http, url) for _ in range(3)]

    async def statuses() -> list[str]:
        return [(await http.get(f"/v2/transcript/{identity}")).json()["status"] for identity in identities]

    assert await statuses() == ["queued"] * 3
    clock.advance(QUEUED)
    assert await statuses() == ["processing", "processing", "queued"]
    clock.advance(PROCESSING)
    assert await statuses() == ["completed", "completed", "processing"]
    clock.advance(PROCESSING)
    assert await statuses() == ["completed"] * 3


async def test_the_list_is_newest_first_and_pages_both_ways(
    http: httpx.AsyncClient, service: AssemblyAIService, clock: HandClock
) -> None:
    """`prev_url` leads to older jobs and `next_url` back, and an orphan is found by its audio_url."""
    urls = [await uploaded(http, service, key) for key in KEYS[:5]]
    identities = []
    for url in urls:
        identities.append(await submitted(http, url))
        clock.advance(1)
    newest_first = identities[::-1]
    first = await async_api.list_transcripts(http, aai.ListTranscriptParameters(limit=2))
    assert [item.id for item in first.transcripts] == newest_first[:2]
    assert [item.audio_url for item in first.transcripts] == urls[::-1][:2]
    assert (first.page_details.result_count, first.page_details.next_url) == (2, None)
    before = first.page_details.before_id_of_prev_url
    assert before == newest_first[1]
    second = await async_api.list_transcripts(http, aai.ListTranscriptParameters(limit=2, before_id=before))
    assert [item.id for item in second.transcripts] == newest_first[2:4]
    last = await async_api.list_transcripts(http, aai.ListTranscriptParameters(limit=2, before_id=newest_first[3]))
    assert [item.id for item in last.transcripts] == newest_first[4:]
    assert last.page_details.prev_url is None
    back = await async_api.list_transcripts(http, aai.ListTranscriptParameters(limit=2, after_id=newest_first[4]))
    assert [item.id for item in back.transcripts] == newest_first[2:4]
    followed = await http.get(str(first.page_details.prev_url))
    assert [item["id"] for item in followed.json()["transcripts"]] == newest_first[2:4]


async def test_the_list_filters_by_status_and_day(
    http: httpx.AsyncClient, service: AssemblyAIService, clock: HandClock
) -> None:
    """Only fitting jobs are listed, and none older than ninety days."""
    clock.now = datetime(2026, 11, 23, 11, tzinfo=UTC).timestamp()
    url = await uploaded(http, service, "sales-quote")
    done = await submitted(http, url)
    clock.advance(QUEUED + PROCESSING)
    waiting = await submitted(http, url)

    async def listed(**query: str) -> list[str]:
        answer = await http.get("/v2/transcript", params=query)
        assert answer.status_code == 200, answer.text
        return [item["id"] for item in answer.json()["transcripts"]]

    assert await listed(status="completed") == [done]
    assert await listed(status="queued") == [waiting]
    assert await listed(created_on="2026-11-23") == [waiting, done]
    assert await listed(created_on="2026-11-22") == []
    assert await listed(throttled_only="true") == []
    (item,) = (await http.get("/v2/transcript", params={"status": "completed"})).json()["transcripts"]
    assert item["created"] == "2026-11-23T11:00:00.000000"
    assert item["completed"] == "2026-11-23T11:00:05.000000"
    clock.advance(91 * 24 * 3600)
    assert await listed() == []


@pytest.mark.parametrize("query", [{"limit": "0"}, {"limit": "201"}, {"limit": "x"}, {"status": "done"}])
async def test_a_list_with_a_bad_filter_is_refused(http: httpx.AsyncClient, query: dict[str, str]) -> None:
    """Limits are 1 to 200."""
    assert (await http.get("/v2/transcript", params=query)).status_code == 400


async def test_a_deleted_transcript_keeps_its_id_and_nothing_else(
    http: httpx.AsyncClient, service: AssemblyAIService, clock: HandClock
) -> None:
    """The text and the uploaded file are gone; the object says who deleted it."""
    url = await uploaded(http, service, "sales-quote")
    identity = await submitted(http, url, speaker_labels=True)
    clock.advance(QUEUED + PROCESSING)
    for deleted in (await async_api.delete_transcript(http, identity), await async_api.get_transcript(http, identity)):
        assert (deleted.audio_url, deleted.text) == ("http://deleted_by_user", "Deleted by user.")
        assert deleted.words is None
        assert deleted.utterances is None
    assert url not in service.uploads


async def test_personal_data_is_redacted_on_request(
    http: httpx.AsyncClient, service: AssemblyAIService, clock: HandClock
) -> None:
    """By hash or by the name of the kind, in the text, the words and the utterances alike."""
    plain = await transcribed(http, service, clock, "sales-quote")
    assert "555-0142" in str(plain["text"])
    wanted: dict[str, object] = {"redact_pii": True, "redact_pii_policies": ["phone_number", "person_name"]}
    hashed = await transcribed(http, service, clock, "sales-quote", speaker_labels=True, **wanted)
    named = await transcribed(http, service, clock, "sales-quote", redact_pii_sub="entity_name", **wanted)
    for body in (hashed, named):
        assert not any(secret in json.dumps(body) for secret in ("555-0142", "Priya", "Maya"))
    assert "########" in str(hashed["text"])
    assert "[PHONE_NUMBER]" in str(named["text"])
    assert "[PERSON_NAME]" in str(named["text"])
    kept = await transcribed(http, service, clock, "sales-quote", redact_pii_return_unredacted=True, **wanted)
    assert kept["unredacted_text"] == plain["text"]
    foreign = await transcribed(http, service, clock, "german-invoice", **wanted)
    assert "0199" not in str(foreign["text"])


async def test_entities_and_sentiment_parse_in_the_sdk(
    http: httpx.AsyncClient, service: AssemblyAIService, clock: HandClock
) -> None:
    """What is named in a call, and how it was said, with times inside the call."""
    body = await transcribed(http, service, clock, "sales-quote", entity_detection=True, sentiment_analysis=True)
    parsed = aai.types.TranscriptResponse.parse_obj(body)
    assert parsed.entities is not None
    assert parsed.sentiment_analysis_results is not None
    found = {(entity.entity_type.value, entity.text) for entity in parsed.entities}
    assert {("phone_number", "555-0142"), ("person_name", "Priya"), ("money_amount", "186 pounds")} <= found
    assert all(entity.start < entity.end for entity in parsed.entities)
    assert {result.sentiment.value for result in parsed.sentiment_analysis_results} >= {"POSITIVE", "NEUTRAL"}


async def test_sentences_and_paragraphs_parse_in_the_sdk(
    http: httpx.AsyncClient, service: AssemblyAIService, clock: HandClock
) -> None:
    """The text again, cut differently."""
    identity = await submitted(http, await uploaded(http, service, "sales-quote"))
    assert (await http.get(f"/v2/transcript/{identity}/sentences")).status_code == 400
    clock.advance(QUEUED + PROCESSING)
    cut = await async_api.get_sentences(http, identity)
    turns = await async_api.get_paragraphs(http, identity)
    assert len(turns.paragraphs) == len(SCRIPTS["sales-quote"].utterances) < len(cut.sentences)


async def test_spelling_and_slices_are_applied(
    http: httpx.AsyncClient, service: AssemblyAIService, clock: HandClock
) -> None:
    """Custom spelling replaces words, a slice leaves out what was said before and after it."""
    body = await transcribed(
        http,
        service,
        clock,
        "sales-quote",
        custom_spelling=[{"from": ["northway"], "to": "NorthWay"}],
        audio_end_at=30_000,
    )
    words = body["words"]
    assert isinstance(words, list)
    assert str(body["text"]).startswith("NorthWay Office Supply")
    assert all(word["end"] <= 30_000 for word in words)


async def test_a_surprising_value_breaks_the_typed_client_but_not_the_json(
    http: httpx.AsyncClient, service: AssemblyAIService, clock: HandClock, faults: FaultPlan, bill: Bill
) -> None:
    """`enum_surprise`: a paid result that only a tolerant reader can use."""
    faults.add(Fault(service="assemblyai", kind="enum_surprise"))
    body = await transcribed(http, service, clock, "sales-quote", speaker_labels=True)
    with pytest.raises(pydantic.ValidationError) as caught:
        aai.types.TranscriptResponse.parse_obj(body)
    wrong = {str(error["loc"][0]) for error in caught.value.errors()}
    assert wrong == {"speech_model", "audio_duration", "entities", "words"}
    assert str(body["text"]).startswith("Northway")
    assert len(bill.lines) == 1


async def test_a_job_can_fail_or_hang_by_plan(
    http: httpx.AsyncClient, service: AssemblyAIService, clock: HandClock, faults: FaultPlan, bill: Bill
) -> None:
    """`error_status` ends in an error, `stuck_processing` never ends; neither costs anything."""
    faults.add(Fault(service="assemblyai", kind="error_status"), Fault(service="assemblyai", kind="stuck_processing"))
    failed = await transcribed(http, service, clock, "sales-quote")
    assert (failed["status"], failed["error"]) == ("error", "Server error, developers have been alerted.")
    identity = await submitted(http, await uploaded(http, service, "sales-quote"))
    clock.advance(7 * 24 * 3600)
    assert (await http.get(f"/v2/transcript/{identity}")).json()["status"] == "processing"
    assert bill.lines == []
    assert faults.pending == []


async def test_a_lost_answer_leaves_an_orphan_that_the_list_finds(
    http: httpx.AsyncClient, service: AssemblyAIService, clock: HandClock, faults: FaultPlan, bill: Bill
) -> None:
    """`lost_after_create`: the job exists and will be charged, the client has no id."""
    faults.add(Fault(service="assemblyai", kind="lost_after_create"))
    url = await uploaded(http, service, "sales-quote")
    with pytest.raises(httpx.TransportError):
        await http.post("/v2/transcript", json={"audio_url": url, "speech_models": MODELS})
    clock.advance(QUEUED + PROCESSING)
    listed = await async_api.list_transcripts(http, None)
    assert [(item.audio_url, item.status.value) for item in listed.transcripts] == [(url, "completed")]
    assert len(bill.lines) == 1


@pytest.mark.parametrize(("status", "retry_after", "header"), [(429, 1.2, "2"), (500, None, None), (503, 3.0, "3")])
async def test_injected_refusals_are_in_the_services_words(
    http: httpx.AsyncClient, faults: FaultPlan, status: int, retry_after: float | None, header: str | None
) -> None:
    """JSON with an error, whole seconds to wait, and plain text from the proxy in front."""
    faults.add(Fault(service="assemblyai", kind="status", status=status, retry_after=retry_after))
    answer = await http.get("/v2/transcript")
    assert (answer.status_code, answer.headers.get("retry-after")) == (status, header)
    assert (status == 503) != answer.headers["content-type"].startswith("application/json")


async def test_the_transcriber_of_the_sdk_works_end_to_end(
    sandbox: Sandbox, service: AssemblyAIService, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The vendor's own high-level client uploads bytes, submits and polls against the emulator's address."""
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    service.queued_seconds = service.processing_seconds = 0
    settings = aai.Settings(api_key=API_KEY, base_url=sandbox.url_of("assemblyai"), polling_interval=0.01)
    async with aai.AsyncClient(settings=settings) as client:
        content = audio("family-dinner")
        service.register_audio(hashlib.md5(content, usedforsecurity=False).hexdigest(), "family-dinner")
        transcript = await aai.AsyncTranscriber(
            client=client, config=aai.TranscriptionConfig(speech_models=MODELS, speaker_labels=True)
        ).transcribe(content)
    assert transcript.status is aai.TranscriptStatus.completed
    assert transcript.utterances is not None
    assert transcript.utterances[0].text.startswith("Hey, it's me.")
