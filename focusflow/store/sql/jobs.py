"""Which columns make a job, and who may move it? The pieces that all other statements are made of."""

from collections.abc import Iterable

from focusflow.domain.jobs import STATUS_DURING, WORKING, Mover, Status, Step, sources_of
from focusflow.errors import MENDABLE
from focusflow.store.database import Query


def listed(statuses: Iterable[Status]) -> str:
    """Return the statuses as an SQL list."""
    return "(" + ", ".join(f"'{status}'" for status in statuses) + ")"


OWNED = listed(WORKING)


def movable(after: Status, mover: Mover) -> str:
    """Return the statuses from which *mover* may move a job to *after*, as an SQL list."""
    return listed(sources_of(after, mover))


def beginnable(step: Step) -> str:
    """Return the statuses in which a worker may begin *step*: those before it, and the step's own (a repeat)."""
    during = STATUS_DURING[step]
    return listed(s for s in {*sources_of(during, Mover.STEP), during} if s in WORKING)


# These are written without IS NULL, which SQLite 3.40 gets wrong in a RETURNING clause.
# An upload of content that was replaced is of use only to find the order that was made of it.
CONTENT = "COALESCE(NULLIF(jobs.file_md5, ''), CAST(jobs.gdrive_file_size AS TEXT), '')"
"""What `rows.content_mark` makes of a row."""
_OF_THIS_CONTENT = f"""CASE WHEN COALESCE(jobs.submit_intent_at, 0) > 0 OR COALESCE(jobs.transcript_id, '') <> ''
    OR jobs.uploaded_content = {CONTENT} THEN {{}} END"""

COLUMNS = """
jobs.id, jobs.status, jobs.source, jobs.gdrive_file_id, jobs.gdrive_file_name, jobs.gdrive_file_size, jobs.file_md5,
jobs.parent_id, jobs.web_url, jobs.file_modified_at, jobs.gdrive_json_id, jobs.recorder, jobs.contact_name,
jobs.contact_number, jobs.call_direction, jobs.call_type, jobs.call_timestamp, jobs.duration_seconds, jobs.duration_source,
jobs.requested_by, jobs.auto_processed, jobs.skip_reason, jobs.skipped_by, jobs.hold_kind, jobs.hold_reason,
jobs.next_attempt_at, jobs.retry_count, jobs.rescue_count, jobs.error_step, jobs.error_message, jobs.claim_token,
jobs.claimed_by, jobs.lease_until, {upload_ref}, {uploaded_at}, jobs.submit_intent_at, jobs.transcript_id,
jobs.language, jobs.title, {estimate}, jobs.cost_micros, jobs.discovered_at, jobs.transcription_started_at,
jobs.transcription_completed_at, jobs.summarization_started_at, jobs.summarization_completed_at, jobs.sync_started_at,
jobs.completed_at, jobs.updated_at, jobs.transcribe_micros, jobs.summarize_micros, jobs.budget_exempt
""".format(
    upload_ref=_OF_THIS_CONTENT.format("jobs.upload_ref"),
    uploaded_at=_OF_THIS_CONTENT.format("jobs.uploaded_at"),
    estimate="""CASE WHEN COALESCE(jobs.transcription_completed_at, 0) = 0 THEN jobs.estimate_micros
    WHEN COALESCE(jobs.summarization_completed_at, 0) = 0 THEN jobs.summarize_micros ELSE 0 END""",
)
"""What `rows.job_from` reads; the estimate is what is still to be paid, the upload one that may still be ordered."""

MAY_BE_MENDED = "status = 'discovered' AND hold_kind IN (" + ", ".join(f"'{kind}'" for kind in MENDABLE) + ")"
"""Says that a job waits for something that a person mends."""

RELEASE_CLAIM = "claim_token = NULL, claimed_by = NULL, lease_until = NULL"

FORGET_TROUBLE = """
hold_kind = NULL, hold_reason = NULL, next_attempt_at = NULL, skip_reason = NULL, skipped_by = NULL,
error_step = NULL, error_message = NULL, retry_count = 0, rescue_count = 0
"""
"""What a person's request leaves behind it."""

LOG_ONE = Query("""
INSERT INTO job_events (job_id, at, level, step, message) VALUES (:id, :now, :level, :step, :message)
RETURNING id
""")

LOG_MANY = Query("""
INSERT INTO job_events (job_id, at, level, step, message)
SELECT value, CAST(:now AS BIGINT), :level, :step, :message FROM json_each(:ids)
RETURNING id, job_id, at, level, step, message
""")

READ_JOBS = Query(f"SELECT {COLUMNS} FROM jobs WHERE jobs.id IN (SELECT value FROM json_each(:ids))")
