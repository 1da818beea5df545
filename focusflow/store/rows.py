"""How does a stored row become one of our values?"""

import json
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from focusflow.domain.budgets import Override, OverrideKind, Period
from focusflow.domain.jobs import (
    Attempt,
    Direction,
    DurationSource,
    Job,
    JobId,
    LogLine,
    Outcome,
    SkippedBy,
    Status,
    Step,
)
from focusflow.domain.money import Estimate
from focusflow.domain.transcript import Transcript, Utterance
from focusflow.ports import ChargeRow, Delivery, Documents, Instance, Summary

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MILLISECOND = timedelta(milliseconds=1)


def milliseconds(at: datetime) -> int:
    """Return the instant as milliseconds since 1970, rounded down."""
    return (at - _EPOCH) // _MILLISECOND


def instant(ms: int) -> datetime:
    """Return the instant that was stored."""
    return _EPOCH + timedelta(milliseconds=ms)


def maybe_instant(ms: int | None) -> datetime | None:
    """Return the instant that was stored, if one was."""
    return None if ms is None else _EPOCH + timedelta(milliseconds=ms)


def job_from(row: tuple[Any, ...]) -> Job:
    """Build a job from a row of `sql.jobs.COLUMNS`; further columns are ignored."""
    return Job(
        id=JobId(row[0]),
        status=Status(row[1]),
        source=row[2],
        file_id=row[3],
        file_name=row[4],
        file_size=row[5],
        file_md5=row[6],
        parent_id=row[7],
        web_url=row[8],
        file_modified_at=maybe_instant(row[9]),
        sidecar_id=row[10],
        recorder=row[11],
        contact_name=row[12],
        contact_number=row[13],
        direction=Direction(row[14]) if row[14] else None,
        call_type=row[15],
        call_at=maybe_instant(row[16]),
        duration_seconds=row[17],
        duration_source=DurationSource(row[18]) if row[18] else None,
        requested_by=row[19],
        auto_processed=bool(row[20]),
        skip_reason=row[21],
        skipped_by=SkippedBy(row[22]) if row[22] else None,
        hold_kind=row[23],
        hold_reason=row[24],
        next_attempt_at=maybe_instant(row[25]),
        retry_count=row[26],
        rescue_count=row[27],
        error_step=Step(row[28]) if row[28] else None,
        error_message=row[29],
        claim_token=row[30],
        claimed_by=row[31],
        lease_until=maybe_instant(row[32]),
        upload_ref=row[33],
        uploaded_at=maybe_instant(row[34]),
        submit_intent_at=maybe_instant(row[35]),
        transcript_id=row[36],
        language=row[37],
        title=row[38],
        estimate_micros=row[39],
        cost_micros=row[40],
        discovered_at=instant(row[41]),
        transcription_started_at=maybe_instant(row[42]),
        transcription_completed_at=maybe_instant(row[43]),
        summarization_started_at=maybe_instant(row[44]),
        summarization_completed_at=maybe_instant(row[45]),
        sync_started_at=maybe_instant(row[46]),
        completed_at=maybe_instant(row[47]),
        updated_at=instant(row[48]),
        estimate=Estimate(transcribe_micros=row[49], summarize_micros=row[50]),
        budget_exempt=bool(row[51]),
    )


def content_mark(md5: str | None, size: int | None) -> str:
    """Return what tells one content of a file from another, as `sql.jobs.CONTENT` writes it."""
    return md5 or ("" if size is None else str(size))


def delivery_from(row: tuple[Any, ...]) -> tuple[JobId, Delivery]:
    """Build a delivery and the id of its job from a row of `sql.record.DELIVERY_COLUMNS`."""
    return JobId(row[0]), Delivery(
        sink=row[1],
        intent_at=maybe_instant(row[2]),
        ref=row[3],
        url=row[4],
        memo=row[5],
        error=row[6],
        attempts=row[7],
        next_attempt_at=maybe_instant(row[8]),
        delivered_at=maybe_instant(row[9]),
        leased_until=maybe_instant(row[10]),
    )


def deliveries_by_job(rows: Sequence[tuple[Any, ...]]) -> Mapping[str, tuple[Delivery, ...]]:
    """Build the deliveries of many jobs, those of each in the rows' order."""
    found: dict[str, tuple[Delivery, ...]] = {}
    for job_id, delivery in map(delivery_from, rows):
        found[job_id] = (*found.get(job_id, ()), delivery)
    return found


def attempt_from(row: tuple[Any, ...]) -> Attempt:
    """Build an attempt."""
    return Attempt(
        id=row[0],
        job_id=JobId(row[1]),
        step=Step(row[2]),
        started_at=instant(row[3]),
        finished_at=maybe_instant(row[4]),
        outcome=Outcome(row[5]),
        error=row[6],
        cost_micros=row[7],
    )


def charge_from(row: tuple[Any, ...]) -> ChargeRow:
    """Build a line of the ledger."""
    return ChargeRow(
        id=row[0],
        job_id=JobId(row[1]),
        step=Step(row[2]),
        state=row[3],
        provider=row[4],
        model=row[5],
        estimate_micros=row[6],
        actual_micros=row[7],
        usage_known=bool(row[8]),
        usage=json.loads(row[9]),
        external_ref=row[10],
        reserved_at=instant(row[11]),
        settled_at=maybe_instant(row[12]),
    )


def override_from(row: tuple[Any, ...]) -> Override:
    """Build an exception from the budgets from a row of `sql.money.OVERRIDE_COLUMNS`."""
    return Override(
        id=row[0],
        kind=OverrideKind(row[1]),
        period=Period(row[2]) if row[2] else None,
        amount_micros=row[3],
        job_id=JobId(row[4]) if row[4] else None,
        made_at=instant(row[5]),
        made_from=row[6],
        reason=row[7],
        until=instant(row[8]),
        undone_at=maybe_instant(row[9]),
    )


def line_from(row: tuple[Any, ...]) -> LogLine:
    """Build a line of a job's log."""
    return LogLine(
        id=row[0],
        job_id=JobId(row[1]),
        at=instant(row[2]),
        level=row[3],
        step=Step(row[4]) if row[4] else None,
        message=row[5],
    )


def instance_from(row: tuple[Any, ...]) -> Instance:
    """Build an instance."""
    return Instance(
        token=row[0], name=row[1], started_at=instant(row[2]), seen_at=instant(row[3]), details=json.loads(row[4])
    )


def summary_from(row: tuple[Any, ...]) -> Summary:
    """Build a summary."""
    return Summary(markdown=row[0], title=row[1], model=row[2], prompt_hash=row[3])


def transcript_from(row: tuple[Any, ...]) -> Transcript:
    """Build a transcript from text, utterances, speakers, language, duration and model."""
    return Transcript(
        text=row[0],
        utterances=tuple(
            Utterance(speaker=speaker, start_ms=start, end_ms=end, text=text)
            for speaker, start, end, text in json.loads(row[1])
        ),
        speakers=json.loads(row[2]),
        language=row[3],
        duration_seconds=row[4],
        model=row[5],
    )


def documents_from(stored: Sequence[tuple[Any, ...]], summaries: Sequence[tuple[Any, ...]]) -> Documents:
    """Build a job's artifacts from its current document and summary, if there are any."""
    document = stored[0] if stored else None
    return Documents(
        raw_transcript=document[6] if document else None,
        transcript=transcript_from(document) if document and document[0] is not None else None,
        summary=summary_from(summaries[0]) if summaries else None,
    )


def transcript_parameters(transcript: Transcript) -> Mapping[str, str | float | None]:
    """Return a transcript as the `documents` table keeps it."""
    return {
        "transcript": transcript.text,
        "utterances": json.dumps([(u.speaker, u.start_ms, u.end_ms, u.text) for u in transcript.utterances]),
        "speakers": json.dumps(transcript.speakers),
        "language": transcript.language,
        "duration_seconds": transcript.duration_seconds,
        "model": transcript.model,
    }
