"""How does each step's fact reach the disk?"""

from focusflow.domain.jobs import Mover, Status, Step
from focusflow.store.database import Query
from focusflow.store.sql.jobs import CONTENT, OWNED, RELEASE_CLAIM, beginnable, movable
from focusflow.store.sql.ledger import SETTLED_COST

_OURS = "id = :id AND claim_token = :token"

BEGIN_TRANSCRIBE = Query(f"""
UPDATE jobs SET status = 'transcribing', updated_at = :now
WHERE {_OURS} AND status IN {beginnable(Step.TRANSCRIBE)} RETURNING status
""")
BEGIN_SUMMARIZE = Query(f"""
UPDATE jobs SET status = 'summarizing', updated_at = :now, summarization_started_at = :now
WHERE {_OURS} AND status IN {beginnable(Step.SUMMARIZE)} RETURNING status
""")
BEGIN_SYNC = Query(f"""
UPDATE jobs SET status = 'syncing', updated_at = :now, sync_started_at = :now
WHERE {_OURS} AND status IN {beginnable(Step.SYNC)} RETURNING status
""")

OPEN_ATTEMPT = Query("""
INSERT INTO attempts (job_id, step, started_at, outcome) VALUES (:id, :step, :now, 'running') RETURNING id
""")

REUSE_TRANSCRIPT = Query(f"""
UPDATE jobs SET status = 'transcribed', updated_at = :now
WHERE {_OURS} AND (status IN {movable(Status.TRANSCRIBED, Mover.STEP)} OR status = 'transcribed') RETURNING status
""")

REUSED_ATTEMPT = Query("""
INSERT INTO attempts (job_id, step, started_at, finished_at, outcome) VALUES (:id, :step, :now, :now, 'reused')
""")

STILL_OURS = Query(f"UPDATE jobs SET updated_at = :now WHERE {_OURS} AND status IN {OWNED} RETURNING status")

CLOSE_ATTEMPT = Query("""
UPDATE attempts SET outcome = :outcome, error = :error, finished_at = :now, cost_micros = :cost_micros
WHERE id = :attempt_id AND job_id = :id AND outcome = 'running'
""")

CLOSE_LAST_ATTEMPTS = Query("""
UPDATE attempts SET finished_at = :now,
    outcome = CASE WHEN id = CAST(:attempt_id AS BIGINT) THEN CAST(:outcome AS TEXT) ELSE 'cancelled' END,
    error = CASE WHEN id = CAST(:attempt_id AS BIGINT) THEN CAST(:error AS TEXT) END
WHERE job_id = :id AND outcome = 'running'
""")
"""One ended as told; what else is open was left behind."""

CLOSE_ATTEMPTS = Query("""
UPDATE attempts SET outcome = :outcome, error = :error, finished_at = :now
WHERE job_id IN (SELECT value FROM json_each(:ids)) AND outcome = 'running'
""")

# ---------------------------------------------------------------------------------------------------- transcription

UPLOADED = Query(f"""
UPDATE jobs SET upload_ref = :upload_ref, uploaded_content = :content, uploaded_at = :now, updated_at = :now,
    submit_intent_at = COALESCE(CAST(:intent_at AS BIGINT), submit_intent_at)
WHERE {_OURS} AND status = 'transcribing' RETURNING status
""")

INTEND_SUBMIT = Query(f"""
UPDATE jobs SET submit_intent_at = :now, updated_at = :now WHERE {_OURS} AND status = 'transcribing' RETURNING status
""")

SUBMITTED = Query("""
UPDATE jobs SET transcript_id = :transcript_id, updated_at = :now WHERE id = :id RETURNING id, status
""")

FORGET_ORDER = Query(f"""
UPDATE jobs SET transcript_id = NULL, submit_intent_at = NULL, updated_at = :now WHERE {_OURS} AND status IN {OWNED}
RETURNING status
""")
FORGET_ORDER_AND_UPLOAD = Query(f"""
UPDATE jobs SET transcript_id = NULL, submit_intent_at = NULL, upload_ref = NULL, uploaded_at = NULL, updated_at = :now
WHERE {_OURS} AND status IN {OWNED} RETURNING status
""")

_NEXT_DOCUMENT = "(SELECT COALESCE(MAX(version), 0) + 1 FROM documents WHERE job_id = :id)"

KEEP_RAW = Query(f"""
INSERT INTO documents (job_id, version, raw, created_at) VALUES (:id, {_NEXT_DOCUMENT}, :raw, :now)
ON CONFLICT (job_id) WHERE superseded_at IS NULL DO UPDATE SET raw = excluded.raw
""")

# what the settlement before it in the same transaction has changed
_COST = "cost_micros = " + SETTLED_COST

_TRANSCRIBED = f"""
UPDATE jobs SET status = '{{status}}', updated_at = :now, {_COST},
    transcription_completed_at = COALESCE(transcription_completed_at, :now),
    language = COALESCE(:language, language),
    duration_source = CASE WHEN CAST(:duration_seconds AS DOUBLE PRECISION) IS NULL
                           THEN duration_source ELSE 'transcript' END,
    duration_seconds = COALESCE(CAST(:duration_seconds AS DOUBLE PRECISION), duration_seconds){{more}}
WHERE {_OURS} AND (status IN {movable(Status.TRANSCRIBED, Mover.STEP)} OR status IN ('transcribed', '{{status}}'))
RETURNING status
"""
TRANSCRIBED = Query(_TRANSCRIBED.format(status=Status.TRANSCRIBED, more=""))
TRANSCRIBED_AND_ON = Query(_TRANSCRIBED.format(status=Status.SUMMARIZING, more=", summarization_started_at = :now"))
"""With the begin of the summary."""

KEEP_TRANSCRIPT = Query(f"""
INSERT INTO documents (job_id, version, transcript, utterances, speakers, language, duration_seconds, model, created_at)
VALUES (:id, {_NEXT_DOCUMENT}, :transcript, :utterances, :speakers, :language, :duration_seconds, :model, :now)
ON CONFLICT (job_id) WHERE superseded_at IS NULL DO UPDATE SET transcript = excluded.transcript,
    utterances = excluded.utterances, speakers = excluded.speakers, language = excluded.language,
    duration_seconds = excluded.duration_seconds, model = excluded.model
""")

# -------------------------------------------------------------------------------------------------------- summary

_SUMMARIZED = f"""
UPDATE jobs SET status = '{{status}}', summarization_completed_at = :now, title = :title, updated_at = :now, {_COST}{{more}}
WHERE {_OURS} AND status IN ('summarizing', '{{status}}') RETURNING status
"""
SUMMARIZED = Query(_SUMMARIZED.format(status=Status.SUMMARIZING, more=""))
SUMMARIZED_AND_ON = Query(_SUMMARIZED.format(status=Status.SYNCING, more=", sync_started_at = :now"))
"""With the begin of the delivery."""

SUPERSEDE_SUMMARY = Query("""
UPDATE summaries SET superseded_at = :now
WHERE job_id = :id AND superseded_at IS NULL
AND NOT (markdown = :markdown AND title = :title AND model = :model AND prompt_hash = :prompt_hash)
""")

KEEP_SUMMARY = Query("""
INSERT INTO summaries (job_id, version, title, markdown, model, prompt_hash, cost_micros, created_at)
VALUES (:id, (SELECT COALESCE(MAX(version), 0) + 1 FROM summaries WHERE job_id = :id),
        :title, :markdown, :model, :prompt_hash, CAST(:cost_micros AS BIGINT), :now)
ON CONFLICT (job_id) WHERE superseded_at IS NULL DO NOTHING
""")

READ_DOCUMENT = Query("""
SELECT transcript, utterances, speakers, language, duration_seconds, model, raw FROM documents
WHERE job_id = :id AND superseded_at IS NULL
""")

READ_SUMMARY = Query("""
SELECT markdown, title, model, prompt_hash FROM summaries WHERE job_id = :id AND superseded_at IS NULL
""")

# --------------------------------------------------------------------------------------------------------- delivery

DELIVERY_COLUMNS = """
deliveries.job_id, deliveries.sink, deliveries.intent_at, deliveries.ref, deliveries.url, deliveries.memo,
deliveries.error, deliveries.attempts, deliveries.next_attempt_at, deliveries.delivered_at, deliveries.leased_until
"""

READ_DELIVERIES = Query(f"""
SELECT {DELIVERY_COLUMNS} FROM deliveries WHERE job_id IN (SELECT value FROM json_each(:ids)) ORDER BY job_id, sink
""")

# who finds it leased makes it due at the lease's end; a lease is told from a later one by that end
_LET_GO = ":release = 1 AND deliveries.leased_until = :leased_until"

SAVE_DELIVERY = Query(f"""
INSERT INTO deliveries (job_id, sink, intent_at, ref, url, memo, error, attempts, next_attempt_at, delivered_at)
VALUES (:id, :sink, :intent_at, :ref, :url, :memo, :error, :attempts, :next_attempt_at, :delivered_at)
ON CONFLICT (job_id, sink) DO UPDATE SET intent_at = excluded.intent_at,
    ref = COALESCE(excluded.ref, deliveries.ref), url = COALESCE(excluded.url, deliveries.url),
    memo = excluded.memo, error = excluded.error, attempts = excluded.attempts, delivered_at = excluded.delivered_at,
    next_attempt_at = CASE WHEN deliveries.again = 0 THEN excluded.next_attempt_at
                           WHEN {_LET_GO} THEN CAST(:now AS BIGINT) ELSE deliveries.next_attempt_at END,
    again = CASE WHEN {_LET_GO} THEN 0 ELSE deliveries.again END,
    leased_until = CASE WHEN {_LET_GO} THEN NULL ELSE deliveries.leased_until END
""")

TAKE_DELIVERY = Query(f"""
INSERT INTO deliveries (job_id, sink, leased_until) VALUES (:id, :sink, :until)
ON CONFLICT (job_id, sink) DO UPDATE SET leased_until = excluded.leased_until, again = 0
WHERE deliveries.leased_until IS NULL OR deliveries.leased_until <= :now
RETURNING {DELIVERY_COLUMNS}
""")

DELIVER_AGAIN = Query("""
UPDATE deliveries SET again = 1, next_attempt_at = leased_until
WHERE job_id IN (SELECT value FROM json_each(:waiting)) AND sink = :sink
""")

TOUCH = Query("UPDATE jobs SET updated_at = :now WHERE id = :id RETURNING id, status")

TAKE_DUE_DELIVERIES = Query(f"""
WITH pick AS MATERIALIZED (
    SELECT deliveries.job_id, deliveries.sink FROM deliveries JOIN jobs ON jobs.id = deliveries.job_id
    WHERE deliveries.next_attempt_at <= :now AND jobs.status = 'completed'
    AND (deliveries.leased_until IS NULL OR deliveries.leased_until <= :now)
    ORDER BY deliveries.next_attempt_at LIMIT :limit FOR UPDATE OF deliveries SKIP LOCKED
)
UPDATE deliveries SET next_attempt_at = :again_at, leased_until = :again_at, again = 0
WHERE (job_id, sink) IN (SELECT job_id, sink FROM pick)
RETURNING {DELIVERY_COLUMNS}
""")

NEXT_DELIVERY = Query("""
SELECT MIN(deliveries.next_attempt_at) FROM deliveries JOIN jobs ON jobs.id = deliveries.job_id
WHERE deliveries.next_attempt_at IS NOT NULL AND jobs.status = 'completed'
""")

# ------------------------------------------------------------------------------------------------------------- ends

COMPLETE = Query(f"""
UPDATE jobs SET status = 'completed', {RELEASE_CLAIM}, completed_at = :now, updated_at = :now, retry_count = 0,
    rescue_count = 0, error_step = NULL, error_message = NULL
WHERE {_OURS} AND status IN {movable(Status.COMPLETED, Mover.STEP)} RETURNING status
""")

GIVE_BACK = Query(f"""
UPDATE jobs SET status = 'discovered', {RELEASE_CLAIM}, updated_at = :now
WHERE {_OURS} AND status IN {movable(Status.DISCOVERED, Mover.GIVE_BACK)} RETURNING status
""")

HOLD = Query(f"""
UPDATE jobs SET status = 'discovered', {RELEASE_CLAIM}, updated_at = :now,
    hold_kind = :kind, hold_reason = :reason, next_attempt_at = :until
WHERE {_OURS} AND status IN {movable(Status.DISCOVERED, Mover.GIVE_BACK)} RETURNING status
""")

FAIL = Query(f"""
UPDATE jobs SET status = 'failed', {RELEASE_CLAIM}, updated_at = :now, next_attempt_at = :retry_at,
    retry_count = retry_count + :counted, error_step = :step, error_message = :error
WHERE {_OURS} AND status IN {movable(Status.FAILED, Mover.STEP)} RETURNING status
""")

_AS_CLAIMED = f"{CONTENT} = :content"

# a verdict about what was there when it was claimed is none about what is there now
SKIP = Query(f"""
UPDATE jobs SET {RELEASE_CLAIM}, updated_at = :now,
    status = CASE WHEN {_AS_CLAIMED} THEN 'skipped' ELSE 'discovered' END,
    skip_reason = CASE WHEN {_AS_CLAIMED} THEN CAST(:reason AS TEXT) END,
    skipped_by = CASE WHEN {_AS_CLAIMED} THEN CAST(:by AS TEXT) END,
    duration_seconds = CASE WHEN {_AS_CLAIMED} THEN duration_seconds END,
    duration_source = CASE WHEN {_AS_CLAIMED} THEN duration_source END
WHERE {_OURS} AND status IN {movable(Status.SKIPPED, Mover.STEP)} AND status IN {movable(Status.DISCOVERED, Mover.GIVE_BACK)}
RETURNING status
""")

LOG_SKIP = Query("""
INSERT INTO job_events (job_id, at, level, message)
SELECT id, CAST(:now AS BIGINT), 'info', CASE status WHEN 'skipped' THEN CAST(:message AS TEXT)
    ELSE 'It was replaced meanwhile: what is there now is judged anew.' END
FROM jobs WHERE id = :id
RETURNING id, job_id, at, level, step, message
""")

MEASURED_FILE = Query(f"""
UPDATE jobs SET duration_seconds = :duration_seconds, duration_source = :source, updated_at = :now,
    transcribe_micros = CAST(:transcribe_micros AS BIGINT), summarize_micros = CAST(:summarize_micros AS BIGINT),
    budget_exempt = COALESCE(:budget_exempt, budget_exempt)
WHERE {_OURS} AND status IN {OWNED} RETURNING status
""")

RESERVE_AS_MEASURED = Query("""
UPDATE charges SET estimate_micros = (
    SELECT CASE charges.step WHEN 'transcribe' THEN jobs.transcribe_micros ELSE jobs.summarize_micros END
    FROM jobs WHERE jobs.id = charges.job_id)
WHERE job_id = :id AND state = 'reserved' AND CAST(:may AS INTEGER) = 1
""")
