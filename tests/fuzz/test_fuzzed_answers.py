"""Can a service answer in such a way that we fail otherwise than with the error that says so?

Real answers, changed anywhere: what comes out is of the types that are promised, or one of our own errors.
"""

import copy
import json
import math
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any

import httpx
from hypothesis import example, given, settings
from hypothesis import strategies as st
from notion_client.errors import HTTPResponseError
from openai._models import construct_type
from openai.types.chat import ChatCompletionChunk

from focusflow.domain.transcript import (
    from_json,
    labels_of,
    named_speakers,
    plain_text,
    speaker_shares,
    timed_text,
    to_json,
)
from focusflow.errors import FocusFlowError, Permanent, StepError
from focusflow.ports import SourceFile, TranscriptFailed, TranscriptPending, TranscriptReady
from focusflow.providers import assemblyai_wire
from focusflow.providers.assemblyai import ADDRESS
from focusflow.providers.drive import entries
from focusflow.providers.drive.calls import _checked
from focusflow.providers.drive.refusals import DriveRefused, Wording, refusal
from focusflow.providers.http_errors import LONGEST_SENTENCE, retry_after, sentence_in
from focusflow.providers.notion import answers
from focusflow.providers.notion.address import notion_id, only_data_source
from focusflow.providers.notion.failures import translated
from focusflow.providers.notion.properties import PropertyNames
from focusflow.providers.notion.schema import has_key, layout_of, shown
from focusflow.providers.openai import _Answer
from focusflow.providers.openai_errors import Complaint, step_error

FUZZ = settings.get_profile("fuzz")
NOW = datetime(2026, 11, 23, 9, tzinfo=UTC)

Json = Any

# ------------------------------------------------------------------------------------------------- changed at random

# fmt: off
ODD: list[Json] = [
    None, True, False, 0, -1, 1, 7, 1.5, -0.0, 1e-320, 1e308, math.inf, -math.inf, math.nan, 10**30, -(10**400), 2**63, "", " ", "0",
    "-1", "NaN", "1e999", "٣", "x", "completed", "error", "stop", "\0", "\ud800", "\x1b[2J\x9b31m", "\u202egnp", "\u2028", "\n\nnext",
    "https://cdn.example.com/secret?x=1", "2026-11-23T09:00:00Z", "2026-11-23", "0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-14:00",
    "x" * 3_000, "é" * 700, [], {}, [None], [[]], [{}], {"": None}, {"id": 5}, [{"id": "x"}], {"type": []}, [1, 2, 3], {"name": "A"},
    {"message": "x"}, {"error": {"message": None}}, ["x", {"reason": "rateLimitExceeded"}],
]
# fmt: on


def places(document: Json) -> Iterator[tuple[Json, Json]]:
    """Yield each container in a document with each of its keys or indices."""
    if isinstance(document, dict | list):
        for key in list(document) if isinstance(document, dict) else range(len(document)):
            yield document, key
            yield from places(document[key])


@st.composite
def changed(draw: st.DrawFn, *documents: Json) -> Json:
    """One of the documents, with some of its parts replaced, removed, wrapped or doubled."""
    document = {"": copy.deepcopy(documents[draw(st.integers(0, len(documents) - 1))])}
    for _ in range(draw(st.integers(0, 5))):
        found = list(places(document))
        container, key = found[draw(st.integers(0, len(found) - 1))]
        match draw(st.integers(0, 7)):
            case 0 if isinstance(container, dict) and key != "":
                del container[key]
            case 1:
                container[key] = [container[key]]
            case 2:
                container[key] = {"x": container[key]}
            case 3 if isinstance(container, list):
                container.append(copy.deepcopy(container[key]))
            case 4:
                container[key] = str(container[key])
            case _:
                container[key] = copy.deepcopy(ODD[draw(st.integers(0, len(ODD) - 1))])
    return document[""]


@st.composite
def bodies(draw: st.DrawFn, *documents: Json) -> bytes:
    """A changed document as it comes over the wire, perhaps cut, perhaps damaged, perhaps no document at all."""
    raw = json.dumps(draw(changed(*documents))).encode()
    match draw(st.integers(0, 15)):
        case 0:
            return raw[: draw(st.integers(0, len(raw)))]
        case 1:
            at = draw(st.integers(0, len(raw)))
            return raw[:at] + draw(st.binary(max_size=8)) + raw[at:]
        case 2:
            return draw(
                st.sampled_from(
                    [b"[" * 100_000, b'{"a":' * 50_000, b"\xff\xfe", b"<html>", b"1" * 5_000, b"\xef\xbb\xbf{}"]
                )
            )
        case _:
            return raw


# ----------------------------------------------------------------------------------------------------------- AssemblyAI

TRANSCRIPT: Json = {
    "id": "t1",
    "status": "completed",
    "audio_url": "https://cdn.assemblyai.com/upload/x",
    "language_code": "en",
    "audio_duration": 12,
    "speech_model_used": "universal-2",
    "speaker_options": {"long_file_diarization_method": "experimental"},
    "speech_understanding": {"request": {"speaker_identification": {}}},
    "text": "Hi there, this is Ann. Hello Ann, Bob here.",
    "words": [
        {"text": "Hi", "start": 250, "end": 650, "speaker": "A"},
        {"text": "Hello.", "start": 1000, "end": 1400, "speaker": "B", "channel": "2"},
    ],
    "utterances": [
        {
            "speaker": "A",
            "start": 250,
            "end": 900,
            "text": "Hi there, this is Ann.",
            "words": [{"text": "Hi", "start": 250}],
        },
        {"speaker": "B", "channel": 2, "start": 1000, "end": 1400, "text": "Hello Ann, Bob here.", "words": []},
    ],
}
FAILED: Json = {
    "id": "t1",
    "status": "error",
    "error": "Download error: https://cdn.assemblyai.com/upload/secret is too short",
}


@FUZZ
@given(raw=bodies(TRANSCRIPT, FAILED))
@example(raw=b"[" * 100_000)
def test_any_poll_is_ready_pending_or_failed(raw: bytes) -> None:
    """And no sentence gives access to the audio."""
    match assemblyai_wire.state_of(raw, hide=ADDRESS):
        case TranscriptReady(raw=kept):
            assert kept == raw
        case TranscriptPending(state=words) | TranscriptFailed(reason=words):
            assert isinstance(words, str)
            assert words
            assert "https://" not in words


@FUZZ
@given(raw=bodies(TRANSCRIPT))
@example(raw=b"[" * 100_000)
def test_any_transcript_is_understood_stored_and_shown_or_refused_with_a_sentence(raw: bytes) -> None:
    """Times never run backwards; whatever is understood survives the database and every way of writing it down."""
    try:
        transcript, used = assemblyai_wire.parse(raw), assemblyai_wire.usage(raw)
    except Permanent:
        return
    assert used.seconds is None or 0 <= used.seconds < math.inf
    assert used.model is None or used.model.strip()
    assert all(addon for addon in used.addons)
    for turn in transcript.utterances:
        assert 0 <= turn.start_ms <= turn.end_ms
        assert turn.text.strip()
        assert turn.speaker is None or turn.speaker
    kept = to_json(transcript.utterances)
    kept.encode()
    assert from_json(kept) == transcript.utterances
    named = named_speakers(transcript, "Bob Brown", "Ann Example")
    assert set(named.speakers) <= set(labels_of(transcript))
    assert len(timed_text(named).splitlines()) >= 0
    assert isinstance(plain_text(named), str)
    assert sum(share.turns for share in speaker_shares(named)) <= len(transcript.utterances)


# ---------------------------------------------------------------------------------------------------------------- Drive

FILE: Json = {
    "id": "f1",
    "name": "2026-11-23 08-00-00 (phone) Ann ↙.m4a",
    "mimeType": "audio/mp4",
    "parents": ["folder"],
    "trashed": False,
    "size": "48000",
    "md5Checksum": "D41D8CD98F00B204E9800998ECF8427E",
    "createdTime": "2026-11-23T08:00:00.000Z",
    "modifiedTime": "2026-11-23T08:00:00.000Z",
    "webViewLink": "https://drive.google.com/file/d/f1/view",
    "owners": [{"emailAddress": "me@example.com"}],
}
LISTED: Json = {"nextPageToken": "p2", "incompleteSearch": False, "files": [FILE, {**FILE, "mimeType": entries.FOLDER}]}
CHANGED: Json = {
    "newStartPageToken": "8",
    "changes": [
        {"changeType": "file", "removed": False, "fileId": "f1", "file": FILE},
        {"changeType": "file", "removed": True, "fileId": "f2"},
        {"changeType": "drive", "removed": False, "driveId": "d1"},
    ],
}


def assert_source_file(file: SourceFile) -> None:
    """Fail unless every field is of the type that `SourceFile` promises."""
    assert isinstance(file.file_id, str)
    assert isinstance(file.name, str)
    for text in (file.parent_id, file.mime_type, file.md5, file.web_url):
        assert text is None or isinstance(text, str)
    assert file.size is None or 0 <= file.size < 2**63
    assert all(isinstance(owner, str) for owner in file.owners)
    for moment in (file.created_at, file.modified_at):
        assert moment is None or moment.tzinfo is UTC


def assert_entry(found: entries.Entry) -> None:
    """Fail unless an entry is of its promised types."""
    assert isinstance(found.id, str)
    assert all(isinstance(parent, str) for parent in found.parents)
    if found.file is not None:
        assert_source_file(found.file)


@FUZZ
@given(document=changed(LISTED, CHANGED))
def test_any_page_of_drive_is_read_or_refused(document: Json) -> None:
    """`DriveRefused` becomes one of our errors; a value of another type than promised would fail far from here."""
    if not isinstance(document, dict):
        return  # `vendor.ask` has seen to that
    with suppress(DriveRefused):
        listed = _checked(entries.listed)(document)
        assert listed.next_page is None or isinstance(listed.next_page, str)
        for found in listed.entries:
            assert_entry(found)
    with suppress(DriveRefused):
        page = _checked(entries.changed)(document)
        assert isinstance(page.token, str)
        for change in page.changes:
            assert isinstance(change.id, str)
            if change.entry is not None:
                assert_entry(change.entry)


REFUSED: Json = {
    "error": {
        "code": 403,
        "message": "Rate \n Limit\x1b[2J",
        "errors": [{"reason": "rateLimitExceeded", "domain": "x"}],
    }
}
WAITS = st.sampled_from([
    "7", "-1", "1e400", "inf", "1e300", "Mon, 23 Nov 2026 09:01:00 GMT", "Mon, 23 Nov 2026 09:01:00 +99999999999999",
    "Mon, 23 Nov 9999 09:01:00 -2359", "Fri, 31 Dec 9999 23:59:59 GMT", "Mon, 01 Jan 0001 00:00:00 +2300", "1, 2", "٣", "0x10",
    "Mon, 23 Nov 2026 25:01:00 GMT", "23 Nov 99999999999 09:01:00", "1_000",
]) | st.text(max_size=30)  # fmt: skip
WORDING = Wording(account="bot@example.com", credentials_name="GOOGLE_SERVICE_ACCOUNT_KEY", folder_id="folder")


@FUZZ
@given(status=st.integers(200, 599), body=bodies(REFUSED), wait=WAITS)
@example(status=400, body=b"[" * 100_000, wait="Mon, 23 Nov 2026 09:01:00 +99999999999999")
def test_any_refusal_of_drive_is_one_of_our_errors(status: int, body: bytes, wait: str) -> None:
    """In one line, with a wait that a clock can keep."""
    refused = refusal(status, {"retry-after": wait}, body, now=NOW)
    assert_error(WORDING.of(refused, "The recording"))


def assert_error(error: StepError) -> None:
    """Fail unless a person can read the error and a clock can keep its wait."""
    assert isinstance(error, FocusFlowError)
    assert "\n" not in str(error)
    assert len(str(error)) < LONGEST_SENTENCE + 700
    wait = getattr(error, "retry_after", None)
    assert wait is None or 0 <= wait < 10**9


@FUZZ
@given(header=WAITS, milliseconds=st.none() | WAITS)
def test_any_wait_is_seconds_that_a_clock_can_keep(header: str, milliseconds: str | None) -> None:
    """None when nothing is understood; never endless, never in the past."""
    headers = {"retry-after": header} | ({} if milliseconds is None else {"retry-after-ms": milliseconds})
    seconds = retry_after(headers, now=NOW)
    assert seconds is None or 0 <= seconds < 10**9


# --------------------------------------------------------------------------------------------------------------- OpenAI

CHUNK: Json = {
    "id": "c1",
    "object": "chat.completion.chunk",
    "created": 1,
    "model": "gpt-5.4-mini",
    "service_tier": "default",
    "choices": [
        {"index": 0, "delta": {"role": "assistant", "content": "Hello", "refusal": None}, "finish_reason": "stop"}
    ],
    "usage": {
        "prompt_tokens": 5,
        "completion_tokens": 7,
        "total_tokens": 12,
        "prompt_tokens_details": {"cached_tokens": 1},
        "completion_tokens_details": {"reasoning_tokens": 2},
    },
}
COMPLAINT: Json = {
    "error": {"message": "You have\nno credit", "type": "insufficient_quota", "param": None, "code": "billing"}
}


@FUZZ
@given(documents=st.lists(changed(CHUNK), max_size=4))
def test_any_piece_of_an_answer_is_heard_or_ignored(documents: list[Json]) -> None:
    """Text is text, usage is whole numbers from nothing up, and nothing raises."""
    answer, heard = _Answer(asked="m"), list[str]()
    for document in documents:
        answer.hear(construct_type(value=document, type_=ChatCompletionChunk), heard.append)
    assert "".join(heard) == answer.text
    for word in (answer.finish, answer.model, answer.service_tier):
        assert word is None or isinstance(word, str)
    if answer.usage is not None:
        for count in (answer.usage.input_tokens, answer.usage.output_tokens, answer.usage.cached_tokens):
            assert isinstance(count, int)
            assert count >= 0
    assert isinstance(answer.refusal, str)
    assert all(len(word) <= 200 for word in (answer.finish, answer.model) if word)


@FUZZ
@given(
    status=st.none() | st.integers(100, 599), body=bodies(COMPLAINT), code=st.text(max_size=20), wait=st.none() | WAITS
)
@example(status=400, body=b"[" * 100_000, code="", wait=None)
def test_any_complaint_of_a_language_model_is_one_of_our_errors(
    status: int | None, body: bytes, code: str, wait: str | None
) -> None:
    """Or nothing that could be called one, within an answer."""
    seconds = retry_after({"retry-after": wait or ""}, now=NOW)
    complaint = Complaint(status=status, code=code, param="", words=sentence_in(body), wait=seconds)
    error = step_error(complaint, who="OpenAI", model="m")
    assert error is not None or status is None
    if error is not None:
        assert_error(error)


# --------------------------------------------------------------------------------------------------------------- Notion

RICH: Json = [
    {"type": "text", "text": {"content": "Ann", "link": None}, "plain_text": "Ann", "annotations": {"bold": True}}
]
PAGE: Json = {
    "object": "page",
    "id": "0f1c",
    "url": "https://app.notion.com/p/x",
    "in_trash": False,
    "created_by": {"object": "user", "id": "bot"},
    "properties": {
        "Title": {"type": "title", "title": RICH},
        "Date": {"type": "date", "date": {"start": "2026-11-23T08:00:00.000+00:00", "end": None}},
        "Status": {"type": "status", "status": {"id": "s", "name": "Done"}},
        "Duration": {"type": "number", "number": 12},
        "External ID": {"type": "rich_text", "rich_text": RICH},
    },
}
BLOCK: Json = {
    "object": "block",
    "id": "b1",
    "type": "paragraph",
    "has_children": True,
    "created_by": {"id": "bot"},
    "last_edited_by": {"id": "bot"},
    "paragraph": {"rich_text": RICH},
}
ROW: Json = {"object": "block", "id": "r1", "type": "table_row", "table_row": {"cells": [RICH, RICH]}}
LIST: Json = {"object": "list", "results": [PAGE, BLOCK, ROW], "has_more": True, "next_cursor": "c"}
DATA_SOURCE: Json = {
    "object": "data_source",
    "id": "ds",
    "properties": {
        "Name": {"id": "title", "name": "Name", "type": "title", "title": {}},
        "Date": {"id": "d", "type": "date", "date": {}},
        "Status": {
            "id": "s",
            "type": "status",
            "status": {
                "options": [{"id": "1", "name": "Done", "color": "green"}],
                "groups": [{"id": "g", "name": "Complete", "option_ids": ["1"]}],
            },
        },
        "Drive Link": {"id": "l", "type": "url", "url": {}},
        "External ID": {"id": "e", "type": "rich_text", "rich_text": {}},
    },
}
DATABASE: Json = {"object": "database", "id": "db", "data_sources": [{"id": "ds", "name": "Calls"}]}
LAYOUT = layout_of(DATA_SOURCE, PropertyNames())


def read_by_us(read: Callable[[Json], object], document: Json) -> object:
    """Return what *read* makes of a document; None where it refuses with one of our own errors."""
    try:
        return read(document)
    except FocusFlowError:
        return None


@FUZZ
@given(document=changed(PAGE, BLOCK, ROW, LIST, DATA_SOURCE, DATABASE))
def test_any_answer_of_notion_is_read_or_refused(document: Json) -> None:
    """Pages, blocks, lists, columns and databases, each taken for each other as well."""
    if page := read_by_us(answers.page_from, document):
        assert isinstance(page, answers.SeenPage)
        assert isinstance(page.id, str)
        assert page.url is None or isinstance(page.url, str)
        assert read_by_us(lambda properties: has_key(properties, "drive:f1", LAYOUT), page.properties) is not True
        for value in page.properties.values():
            read_by_us(shown, value)
    if block := read_by_us(answers.block_from, document):
        assert isinstance(block, answers.SeenBlock)
        assert isinstance(block.text, str)
    if found := read_by_us(answers.results, document):
        assert isinstance(found, list)
        for item in found:
            read_by_us(answers.page_from, item)
            read_by_us(answers.block_from, item)
    cursor = read_by_us(answers.next_cursor, document)
    assert cursor is None or isinstance(cursor, str)
    read_by_us(lambda source: layout_of(source, PropertyNames()), document)
    source = read_by_us(only_data_source, document)
    assert source is None or isinstance(source, str)


NOTION_REFUSAL: Json = {
    "object": "error",
    "status": 503,
    "code": "service_unavailable",
    "message": "Saved.\nDo not repeat.",
    "additional_data": {
        "committed_resource_id": "0f1c",
        "committed_child_ids": ["b1"],
        "retry_after": "5",
        "block_limit": "x",
    },
    "request_id": "r",
}


@FUZZ
@given(status=st.integers(200, 599), body=bodies(NOTION_REFUSAL), wait=WAITS, writing=st.booleans())
@example(status=503, body=b"[" * 100_000, wait="", writing=True)
def test_any_refusal_of_notion_is_one_of_our_errors(status: int, body: bytes, wait: str, writing: bool) -> None:
    """Whatever its body and headers hold."""
    error = HTTPResponseError(
        "odd", status, "message", headers=httpx.Headers([(b"retry-after", wait.encode("utf-8", "replace"))]),
        raw_body_text=body.decode("utf-8", "replace"),
    )  # fmt: skip
    ours = translated(error, writing=writing, now=NOW)
    assert ours is not None
    assert_error(ours)


@FUZZ
@given(pasted=st.text(st.characters(exclude_categories=()), max_size=40) | st.builds(
    "{}{}/{}{}{}".format,
    st.sampled_from(["https://", "http://[", "//", "", "https://www.notion.so:99999999/", "https://[::1/"]),
    st.text(max_size=5),
    st.sampled_from(["", "0123456789abcdef0123456789abcdef", "01234567-89ab-cdef-0123-456789abcdef"]),
    st.sampled_from(["", "?v=1", "#x", "/", "]"]),
    st.text(max_size=5),
))  # fmt: skip
@example(pasted="http://[/x")
def test_whatever_is_pasted_is_an_id_or_refused_with_a_sentence(pasted: str) -> None:
    """Links come out of browsers with anything in them."""
    found = read_by_us(lambda text: notion_id(text), pasted)
    if found is not None:
        assert notion_id(str(found)) == found


@FUZZ
@given(body=st.binary(max_size=60) | bodies(REFUSED, COMPLAINT, NOTION_REFUSAL))
@example(body=b"[" * 100_000)
def test_the_words_of_any_refusal_are_one_line(body: bytes) -> None:
    """Not too long, or none."""
    words = sentence_in(body)
    assert words is None or (0 < len(words) <= LONGEST_SENTENCE and "\n" not in words)


def test_the_documents_we_change_are_understood_unchanged() -> None:
    """Else the fuzzing would only try what is refused at once."""
    assert len(assemblyai_wire.parse(json.dumps(TRANSCRIPT).encode()).utterances) == 2
    assert len(_checked(entries.listed)(LISTED).entries) == 2
    assert len(_checked(entries.changed)(CHANGED).changes) == 3
    assert set(LAYOUT.columns) >= {"key", "title", "status", "link", "date"}
    page = answers.page_from(PAGE)
    assert isinstance(page.properties, Mapping)
    assert [answers.block_from(item).text for item in (BLOCK, ROW)] == ["Ann", "AnnAnn"]
