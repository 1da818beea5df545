"""How are jobs claimed, kept, taken back and brought back?"""

from focusflow.domain.jobs import Mover, Status
from focusflow.store.database import Query
from focusflow.store.sql.jobs import COLUMNS, OWNED, RELEASE_CLAIM, movable
from focusflow.store.sql.ledger import SPENT_SINCE, STILL_TO_RESERVE

LOCK_CLAIMS = Query("SELECT value FROM control WHERE key = 'claims' FOR UPDATE")
"""Whoever claims waits here for the others: the caps are for all of them together."""

# a call of unknown length is measured first: its sidecar may say that the rules refuse it
_DUE = """
jobs.status = 'discovered' AND (jobs.next_attempt_at IS NULL OR jobs.next_attempt_at <= :now)
AND (CAST(:only AS TEXT) IS NULL OR jobs.id IN (SELECT value FROM json_each(:only)))
AND jobs.id NOT IN (SELECT value FROM json_each(:exclude))
AND (jobs.duration_seconds IS NOT NULL OR jobs.asked = 1)
"""

# an overdrawn day has no room, but a call with nothing left to pay needs none
_ROOM = f"""room AS MATERIALIZED (
    SELECT CASE WHEN micros < 0 THEN 0 ELSE micros END AS micros
    FROM (SELECT CAST(:day_max_micros AS BIGINT) - ({SPENT_SINCE}) AS micros) AS purse
)"""

_OLDEST_FIRST = "asked DESC, rank_at, id"
_NEWEST_FIRST = "asked DESC, rank_at DESC, id DESC"

# only the head of the queue is looked at: the next claim looks further, and a long queue costs no more than a short one
_HOLD_UNAFFORDABLE = f"""
WITH {_ROOM},
head AS MATERIALIZED (
    SELECT jobs.id, {STILL_TO_RESERVE} AS price, jobs.duration_seconds FROM jobs
    WHERE {_DUE} ORDER BY {{order}} LIMIT 100 FOR UPDATE OF jobs SKIP LOCKED
)
UPDATE jobs SET hold_kind = 'budget', next_attempt_at = :day_end, updated_at = :now, hold_reason = CASE
    WHEN estimate_micros IS NULL THEN CAST(:unpriced AS TEXT) ELSE CAST(:unaffordable AS TEXT) END
WHERE status = 'discovered' AND id IN (
    SELECT id FROM head
    WHERE price > (SELECT micros FROM room) OR (price IS NULL AND duration_seconds IS NOT NULL))
RETURNING id, status
"""

HOLD_UNAFFORDABLE_OLDEST = Query(_HOLD_UNAFFORDABLE.format(order=_OLDEST_FIRST))
HOLD_UNAFFORDABLE_NEWEST = Query(_HOLD_UNAFFORDABLE.format(order=_NEWEST_FIRST))

# The materialized pick is what makes the number exact: a bare `IN (SELECT ... SKIP LOCKED)` may be run again for every row.
_CLAIM = f"""
WITH {_ROOM},
due AS MATERIALIZED (
    SELECT jobs.id, jobs.asked, jobs.rank_at, {STILL_TO_RESERVE} AS price,
           CASE WHEN jobs.claimed_at >= :day_start THEN 0 ELSE 1 END AS fresh
    FROM jobs
    WHERE {_DUE} AND (CAST(:day_max_micros AS BIGINT) IS NULL OR {STILL_TO_RESERVE} <= (SELECT micros FROM room))
    ORDER BY {{order}} LIMIT :batch FOR UPDATE OF jobs SKIP LOCKED
),
ranked AS MATERIALIZED (
    SELECT id, ROW_NUMBER() OVER so_far AS n, SUM(fresh) OVER so_far AS fresh, SUM(price) OVER so_far AS price
    FROM due WINDOW so_far AS (ORDER BY {{order}} ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW)
),
pick AS MATERIALIZED (
    SELECT id FROM ranked
    WHERE (CAST(:day_max_micros AS BIGINT) IS NULL OR price <= (SELECT micros FROM room))
    AND (CAST(:day_max_jobs AS BIGINT) IS NULL
         OR fresh <= CAST(:day_max_jobs AS BIGINT) - (SELECT COUNT(*) FROM jobs WHERE claimed_at >= :day_start))
    AND (CAST(:minute_max_jobs AS BIGINT) IS NULL
         OR n <= CAST(:minute_max_jobs AS BIGINT) - (SELECT COUNT(*) FROM jobs WHERE claimed_at > :minute_ago AND claimed_at <= :now))
    AND (CAST(:max_parallel AS BIGINT) IS NULL
         OR n <= CAST(:max_parallel AS BIGINT) - (SELECT COUNT(*) FROM jobs WHERE lease_until >= :now))
)
UPDATE jobs SET status = 'transcribing', claim_token = :token, claimed_by = :claimed_by, claimed_at = :now,
    lease_until = :lease_until, updated_at = :now, hold_kind = NULL, hold_reason = NULL, next_attempt_at = NULL,
    transcription_started_at = COALESCE(transcription_started_at, :now),
    auto_processed = CASE WHEN requested_by = 'user' THEN 0 ELSE 1 END
WHERE id IN (SELECT id FROM pick) AND status IN {movable(Status.TRANSCRIBING, Mover.CLAIM)}
RETURNING {COLUMNS}, asked, rank_at
"""

CLAIM_OLDEST = Query(_CLAIM.format(order=_OLDEST_FIRST))
CLAIM_NEWEST = Query(_CLAIM.format(order=_NEWEST_FIRST))

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
