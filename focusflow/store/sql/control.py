"""What do the screen and the command line read and ask for?"""

from focusflow.domain.jobs import Mover, Status, sources_of
from focusflow.store.database import Query
from focusflow.store.sql.jobs import FORGET_TROUBLE, MAY_BE_MENDED, RELEASE_CLAIM, listed, movable

FIND = Query("SELECT id FROM jobs WHERE id >= :prefix AND id < :end ORDER BY id LIMIT :limit")

READ_ATTEMPTS = Query("""
SELECT id, job_id, step, started_at, finished_at, outcome, error, cost_micros FROM attempts WHERE job_id = :id ORDER BY id
""")

READ_CHARGES = Query("""
SELECT id, job_id, step, state, provider, model, estimate_micros, actual_micros, usage_known, usage, external_ref,
    reserved_at, settled_at FROM charges WHERE job_id = :id ORDER BY id
""")

READ_EVENTS = Query("""
SELECT id, job_id, at, level, step, message FROM job_events WHERE job_id = :id ORDER BY id DESC LIMIT :limit
""")

# ---------------------------------------------------------------------------------------------------------- numbers

COUNTS = Query("SELECT status, step, CAST(SUM(n) AS BIGINT) FROM job_counts GROUP BY status, step")

TRUE_COUNTS = Query("SELECT COALESCE(shelf, status), COALESCE(error_step, ''), COUNT(*) FROM jobs GROUP BY 1, 2")

WAITING = Query("SELECT COUNT(*) FROM jobs WHERE status = 'discovered' AND next_attempt_at > :now")

AVERAGE_SECONDS = Query("""
SELECT step, CAST(AVG(finished_at - started_at) AS DOUBLE PRECISION) / 1000 FROM (
    SELECT * FROM (SELECT step, started_at, finished_at FROM attempts WHERE outcome = 'done' AND step = 'download'
        ORDER BY finished_at DESC LIMIT :latest) AS downloads
    UNION ALL
    SELECT * FROM (SELECT step, started_at, finished_at FROM attempts WHERE outcome = 'done' AND step = 'transcribe'
        ORDER BY finished_at DESC LIMIT :latest) AS transcripts
    UNION ALL
    SELECT * FROM (SELECT step, started_at, finished_at FROM attempts WHERE outcome = 'done' AND step = 'summarize'
        ORDER BY finished_at DESC LIMIT :latest) AS written
    UNION ALL
    SELECT * FROM (SELECT step, started_at, finished_at FROM attempts WHERE outcome = 'done' AND step = 'sync'
        ORDER BY finished_at DESC LIMIT :latest) AS syncs
) AS recent GROUP BY step
""")

CLAIMED_SINCE = Query("SELECT COUNT(*) FROM jobs WHERE claimed_at >= :since")

READ_INSTANCES = Query("SELECT token, name, started_at, seen_at, details FROM instances ORDER BY started_at, token")

READ_CONTROLS = Query("SELECT key, value FROM control WHERE key IN ('paused_at', 'capacity', 'discover_requested_at')")

CLEAR_CONTROL = Query("DELETE FROM control WHERE key = :key")

# ---------------------------------------------------------------------------------------------------------- requests

_THESE = "id IN (SELECT value FROM json_each(:ids))"
_BY_USER = movable(Status.DISCOVERED, Mover.USER)

_ASKABLE = listed([Status.DISCOVERED, *sources_of(Status.DISCOVERED, Mover.USER)])
"""A request for a job that rests already only changes who asked for it."""

REQUEST = Query(f"""
UPDATE jobs SET status = 'discovered', requested_by = 'user', updated_at = :now, {FORGET_TROUBLE}
WHERE {_THESE} AND status IN {_ASKABLE} RETURNING id, status
""")

RESYNC_COMPLETED = Query(f"""
UPDATE deliveries SET next_attempt_at = :now, error = NULL
WHERE job_id IN (SELECT id FROM jobs WHERE {_THESE} AND status = 'completed') RETURNING job_id
""")

REQUEST_SYNC = Query(f"""
UPDATE jobs SET status = 'discovered', requested_by = 'user', updated_at = :now, {FORGET_TROUBLE}
WHERE {_THESE} AND status IN {_ASKABLE}
AND NOT (status = 'completed' AND EXISTS (SELECT 1 FROM deliveries WHERE deliveries.job_id = jobs.id))
RETURNING id, status
""")

FORGET_TRANSCRIPT = Query(f"""
UPDATE jobs SET upload_ref = NULL, uploaded_at = NULL, submit_intent_at = NULL, transcript_id = NULL,
    transcription_started_at = NULL, transcription_completed_at = NULL
WHERE {_THESE}
""")

SUPERSEDE_DOCUMENTS = Query("""
UPDATE documents SET superseded_at = :now
WHERE job_id IN (SELECT value FROM json_each(:ids)) AND superseded_at IS NULL
""")

FORGET_SUMMARY = Query(f"""
UPDATE jobs SET summarization_started_at = NULL, summarization_completed_at = NULL WHERE {_THESE}
""")

SUPERSEDE_SUMMARIES = Query("""
UPDATE summaries SET superseded_at = :now
WHERE job_id IN (SELECT value FROM json_each(:ids)) AND superseded_at IS NULL
""")

RETRY = Query(f"""
UPDATE jobs SET status = 'discovered', updated_at = :now, {FORGET_TROUBLE}
WHERE shelf = 'failed' AND status IN {_BY_USER} AND (CAST(:ids AS TEXT) IS NULL OR {_THESE}) RETURNING id, status
""")

RETRY_MENDED = Query(f"""
UPDATE jobs SET updated_at = :now, {FORGET_TROUBLE}
WHERE {MAY_BE_MENDED} AND (CAST(:ids AS TEXT) IS NULL OR {_THESE}) RETURNING id, status
""")

RETRY_DELIVERIES = Query("""
UPDATE deliveries SET next_attempt_at = :now
WHERE error IS NOT NULL AND (CAST(:ids AS TEXT) IS NULL OR job_id IN (SELECT value FROM json_each(:ids)))
AND EXISTS (SELECT 1 FROM jobs WHERE jobs.id = deliveries.job_id AND jobs.status = 'completed')
RETURNING job_id
""")

CANCEL = Query(f"""
UPDATE jobs SET status = 'failed', {RELEASE_CLAIM}, updated_at = :now, next_attempt_at = NULL, error_message = :error,
    error_step = CASE status WHEN 'transcribing' THEN 'transcribe' WHEN 'syncing' THEN 'sync' ELSE 'summarize' END
WHERE {_THESE} AND status IN {movable(Status.FAILED, Mover.USER)} RETURNING id, status
""")

SKIP = Query(f"""
UPDATE jobs SET status = 'skipped', skipped_by = 'user', skip_reason = :reason, updated_at = :now,
    hold_kind = NULL, hold_reason = NULL, next_attempt_at = NULL
WHERE {_THESE} AND status IN {movable(Status.SKIPPED, Mover.USER)} RETURNING id, status
""")

UNSKIP = Query(f"""
UPDATE jobs SET status = 'discovered', requested_by = 'user', updated_at = :now, {FORGET_TROUBLE}
WHERE {_THESE} AND status = 'skipped' AND status IN {_BY_USER} RETURNING id, status
""")
