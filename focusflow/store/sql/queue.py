"""How are jobs claimed, kept, taken back and brought back?"""

from focusflow.domain.jobs import Mover, Status
from focusflow.store.database import Query
from focusflow.store.sql.jobs import COLUMNS, MAY_BE_MENDED, OWNED, RELEASE_CLAIM, movable
from focusflow.store.sql.ledger import SUMMARY_TO_RESERVE, TRANSCRIPT_TO_RESERVE
from focusflow.store.sql.money import IS_LIFTED

LOCK_CLAIMS = Query("SELECT value FROM control WHERE key = 'claims' FOR UPDATE")
"""Whoever claims waits here for the others: the caps are for all of them together."""

# a call of unknown length is measured first: its sidecar may say that the rules refuse it
_DUE = """
jobs.status = 'discovered' AND (jobs.next_attempt_at IS NULL OR jobs.next_attempt_at <= :now)
AND jobs.asked >= CAST(:least_asked AS INTEGER)
AND (CAST(:only AS TEXT) IS NULL OR jobs.id IN (SELECT value FROM json_each(:only)))
AND jobs.id NOT IN (SELECT value FROM json_each(:exclude))
AND (jobs.duration_seconds IS NOT NULL OR jobs.asked = 1)
"""

_OLDEST_FIRST = "asked DESC, rank_at, id"
_NEWEST_FIRST = "asked DESC, rank_at DESC, id DESC"

CAPS = Query("""
SELECT CASE WHEN CAST(:day_max_jobs AS BIGINT) IS NULL THEN 0
        ELSE (SELECT COUNT(*) FROM jobs WHERE claimed_at >= :day_start) END,
    CASE WHEN CAST(:minute_max_jobs AS BIGINT) IS NULL THEN 0
        ELSE (SELECT COUNT(*) FROM jobs WHERE claimed_at > :minute_ago AND claimed_at <= :now) END,
    CASE WHEN CAST(:max_parallel AS BIGINT) IS NULL THEN 0
        ELSE (SELECT COUNT(*) FROM jobs WHERE lease_until >= :now) END
""")
"""How much of each number of jobs is used up."""

# One statement picks and locks, the next one takes what was picked and chosen from: a bare `IN (SELECT ... SKIP LOCKED)` in the
# UPDATE may be run again for every row, and take more than was asked for.
_HEAD = f"""
SELECT jobs.id, {TRANSCRIPT_TO_RESERVE} AS transcript, {SUMMARY_TO_RESERVE} AS summary,
    CASE WHEN jobs.claimed_at >= :day_start THEN 0 ELSE 1 END AS fresh,
    CASE WHEN jobs.duration_seconds IS NULL THEN 0 ELSE 1 END AS measured,
    CASE WHEN jobs.budget_exempt = 1 OR {IS_LIFTED} THEN 1 ELSE 0 END AS lifted,
    CASE WHEN jobs.hold_kind = 'budget' THEN 1 ELSE 0 END AS held
FROM jobs WHERE {_DUE} ORDER BY {{order}} LIMIT :look FOR UPDATE OF jobs SKIP LOCKED
"""

HEAD_OLDEST = Query(_HEAD.format(order=_OLDEST_FIRST))
HEAD_NEWEST = Query(_HEAD.format(order=_NEWEST_FIRST))

CLAIM = Query(f"""
UPDATE jobs SET status = 'transcribing', claim_token = :token, claimed_by = :claimed_by, claimed_at = :now,
    lease_until = :lease_until, updated_at = :now, hold_kind = NULL, hold_reason = NULL, next_attempt_at = NULL,
    transcription_started_at = COALESCE(transcription_started_at, :now),
    auto_processed = CASE WHEN requested_by = 'user' THEN 0 ELSE 1 END
WHERE id IN (SELECT value FROM json_each(:ids)) AND status IN {movable(Status.TRANSCRIBING, Mover.CLAIM)}
RETURNING {COLUMNS}, asked, rank_at
""")

HOLD_FOR_BUDGET = Query("""
UPDATE jobs SET hold_kind = 'budget', hold_reason = :reason, next_attempt_at = :until, updated_at = :now
WHERE id = :id AND status = 'discovered'
""")

LOG_HOLDS = Query("""
INSERT INTO job_events (job_id, at, level, message)
SELECT id, CAST(:now AS BIGINT), 'warning', hold_reason FROM jobs WHERE id IN (SELECT value FROM json_each(:ids))
RETURNING id, job_id, at, level, step, message
""")

HEARTBEAT = Query(f"""
UPDATE jobs SET lease_until = :lease_until
WHERE id IN (SELECT value FROM json_each(:ids)) AND status IN {OWNED}
AND id || ' ' || claim_token IN (SELECT value FROM json_each(:claims))
RETURNING id
""")

# a lease that ends later than any may was written by a clock that was wrong
_GONE = "(lease_until < :now OR lease_until > :no_lease_beyond)"

FAIL_RESCUED_TOO_OFTEN = Query(f"""
UPDATE jobs SET status = 'failed', {RELEASE_CLAIM}, updated_at = :now, next_attempt_at = NULL,
    rescue_count = rescue_count + 1, error_message = :error, error_step = CASE
    WHEN transcription_completed_at IS NULL THEN 'transcribe'
    WHEN summarization_completed_at IS NULL THEN 'summarize' ELSE 'sync' END
WHERE {_GONE} AND status IN {movable(Status.FAILED, Mover.WATCHDOG)} AND rescue_count >= :max_rescues
RETURNING id, status
""")

RESCUE = Query(f"""
UPDATE jobs SET status = 'discovered', {RELEASE_CLAIM}, updated_at = :now, rescue_count = rescue_count + 1
WHERE {_GONE} AND status IN {movable(Status.DISCOVERED, Mover.WATCHDOG)}
RETURNING id, status
""")

REQUEUE_DUE = Query(f"""
UPDATE jobs SET status = 'discovered', next_attempt_at = NULL, updated_at = :now
WHERE next_attempt_at <= :now AND status = 'failed' AND status IN {movable(Status.DISCOVERED, Mover.RETRY)}
RETURNING id, status
""")

# why it waits stays to be read until it is tried
TRY_MENDED = Query(f"""
UPDATE jobs SET next_attempt_at = :now, updated_at = :now WHERE {MAY_BE_MENDED} AND next_attempt_at > :now
RETURNING id, status
""")

TRY_MENDED_SINKS = Query("""
UPDATE deliveries SET next_attempt_at = :now WHERE error IS NOT NULL AND next_attempt_at > :now
AND (leased_until IS NULL OR leased_until <= :now)
AND EXISTS (SELECT 1 FROM jobs WHERE jobs.id = deliveries.job_id AND jobs.status = 'completed')
""")

NEXT_DUE = Query("""
SELECT MIN(at) FROM (
    SELECT MIN(next_attempt_at) AS at FROM jobs WHERE status = 'discovered' AND next_attempt_at > :now
    UNION ALL
    SELECT MIN(next_attempt_at) FROM jobs WHERE status = 'failed' AND next_attempt_at > :now
) AS times
""")

MINUTE_IS_FULL = Query("""
SELECT 1 WHERE :max_jobs <= (SELECT COUNT(*) FROM jobs WHERE claimed_at > :minute_ago AND claimed_at <= :now)
AND EXISTS (SELECT 1 FROM jobs WHERE status = 'discovered' AND (next_attempt_at IS NULL OR next_attempt_at <= :now)
            AND (duration_seconds IS NOT NULL OR asked = 1))
""")

INSTANCE_SEEN = Query("""
INSERT INTO instances (token, name, started_at, seen_at, details) VALUES (:token, :name, :now, :now, :details)
ON CONFLICT (token) DO UPDATE SET name = excluded.name, seen_at = excluded.seen_at, details = excluded.details
""")

INSTANCE_GONE = Query("DELETE FROM instances WHERE token = :token")

# lines are added in the order of time: the walk from the oldest ends at the first that stays, and needs no index of its own
PRUNE_EVENTS = Query("""
DELETE FROM job_events WHERE at < :events_before AND id < COALESCE(
    (SELECT id FROM job_events WHERE at >= :events_before ORDER BY id LIMIT 1),
    (SELECT MAX(id) + 1 FROM job_events), 0)
RETURNING 1
""")

PRUNE_INSTANCES = Query("DELETE FROM instances WHERE seen_at < :dead_since RETURNING 1")
