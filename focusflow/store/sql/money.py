"""What have people changed about the budgets, and what do the front page and a request for a price need to know?"""

from focusflow.store.database import Query
from focusflow.store.sql.ledger import STILL_TO_RESERVE

OVERRIDE_COLUMNS = "id, kind, period, amount_micros, job_id, made_at, made_from, reason, until, undone_at"

IS_LIFTED = """EXISTS (SELECT 1 FROM overrides WHERE overrides.job_id = jobs.id AND overrides.undone_at IS NULL
    AND overrides.kind = 'lift' AND overrides.since <= :now AND overrides.until > :now)"""

FOR_ALL = Query(f"""
SELECT {OVERRIDE_COLUMNS} FROM overrides
WHERE job_id IS NULL AND undone_at IS NULL AND until > :now AND since <= :now ORDER BY id
""")
"""Every exception in force that is not for one job only, in the order in which they were made."""

IN_FORCE = Query(f"""
SELECT {OVERRIDE_COLUMNS} FROM overrides
WHERE job_id IS NULL AND undone_at IS NULL AND until > :now AND since <= :now
UNION ALL
SELECT {OVERRIDE_COLUMNS} FROM overrides
WHERE job_id IS NOT NULL AND undone_at IS NULL AND until > :now AND since <= :now
ORDER BY id DESC LIMIT :limit
""")

ALL_OVERRIDES = Query(f"SELECT {OVERRIDE_COLUMNS} FROM overrides ORDER BY id DESC LIMIT :limit")

ADD = Query(f"""
INSERT INTO overrides (kind, period, amount_micros, made_at, made_from, reason, since, until)
VALUES (:kind, :period, :amount_micros, :now, :made_from, :reason, :since, :until) RETURNING {OVERRIDE_COLUMNS}
""")

LIFT_JOBS = Query(f"""
INSERT INTO overrides (kind, job_id, made_at, made_from, reason, since, until)
SELECT 'lift', id, CAST(:now AS BIGINT), :made_from, :reason, CAST(:since AS BIGINT), CAST(:until AS BIGINT) FROM jobs
WHERE id IN (SELECT value FROM json_each(:ids)) RETURNING {OVERRIDE_COLUMNS}
""")

UNDO = Query("""
UPDATE overrides SET undone_at = :now WHERE id = :id AND undone_at IS NULL AND until > :now RETURNING id
""")

# the day of discovery is named for SQLite, which else would not see the index made for this
LOOK_AGAIN = Query("""
UPDATE jobs SET hold_kind = NULL, hold_reason = NULL, next_attempt_at = NULL, updated_at = :now
WHERE status = 'discovered' AND hold_kind = 'budget' AND discovered_at > 0
AND (CAST(:only AS TEXT) IS NULL OR id IN (SELECT value FROM json_each(:only))) RETURNING id, status
""")

LOOK_AGAIN_IF = Query("""
UPDATE jobs SET hold_kind = NULL, hold_reason = NULL, next_attempt_at = NULL, updated_at = :now
WHERE status = 'discovered' AND hold_kind = 'budget' AND discovered_at > 0
AND EXISTS (SELECT value FROM json_each(:undone)) RETURNING id, status
""")

KNOWN = Query("SELECT id FROM jobs WHERE id IN (SELECT value FROM json_each(:ids))")

BACKLOG = Query("""
SELECT CAST(COALESCE(SUM(calls), 0) AS BIGINT), CAST(COALESCE(SUM(milliseconds), 0) AS BIGINT),
    CAST(COALESCE(SUM(micros), 0) AS BIGINT), CAST(COALESCE(SUM(unpriced), 0) AS BIGINT)
FROM job_sums WHERE shelf = 'waiting' AND hour = 0
""")

SPARED = Query("""
SELECT CAST(COALESCE(SUM(micros), 0) AS BIGINT) FROM job_sums WHERE shelf = 'spared' AND hour >= :since
""")

REUSED = Query("""
SELECT CAST(COALESCE(SUM(CASE attempts.step WHEN 'transcribe' THEN jobs.transcribe_micros ELSE jobs.summarize_micros END), 0)
    AS BIGINT)
FROM attempts JOIN jobs ON jobs.id = attempts.job_id
WHERE attempts.outcome = 'reused' AND attempts.finished_at >= :since AND attempts.step IN ('transcribe', 'summarize')
""")

_HOUR = "({0} + 3599999) / 3600000 * 3600000"
_EDGE = """COALESCE((SELECT SUM(COALESCE(actual_micros, estimate_micros, 0)) FROM charges
    WHERE reserved_at >= {0} AND reserved_at < {1} AND state <> 'released'), 0)"""

DAILY = Query(f"""
WITH days AS MATERIALIZED (SELECT CAST(value AS BIGINT) AS start FROM json_each(:days)),
spans AS MATERIALIZED (
    SELECT start, COALESCE(LEAD(start) OVER (ORDER BY start), 4102444800000000) AS after FROM days)
SELECT start, CAST(
    COALESCE((SELECT SUM(settled_micros + reserved_micros) FROM charge_sums
              WHERE hour >= {_HOUR.format("start")} AND hour < {_HOUR.format("after")}), 0)
    + {_EDGE.format("start", _HOUR.format("start"))} - {_EDGE.format("after", _HOUR.format("after"))} AS BIGINT)
FROM spans ORDER BY start
""")
"""Settled and reserved from each of the days' first instants to the next one's; the last day has no end."""

CLAIMED_SINCE = Query("SELECT COUNT(*) FROM jobs WHERE claimed_at >= :since")

RESERVED_OF = Query(f"""
SELECT CAST(COALESCE(SUM(COALESCE(charges.estimate_micros, 0)), 0) AS BIGINT),
    CASE WHEN COUNT(CASE charges.step WHEN 'transcribe' THEN jobs.transcribe_micros ELSE jobs.summarize_micros END) = COUNT(*)
    THEN CAST(COALESCE(SUM(CASE charges.step WHEN 'transcribe' THEN jobs.transcribe_micros ELSE jobs.summarize_micros END), 0)
        AS BIGINT) END,
    MAX(CASE WHEN jobs.budget_exempt = 1 OR {IS_LIFTED} THEN 1 ELSE 0 END)
FROM charges JOIN jobs ON jobs.id = charges.job_id WHERE charges.job_id = :id AND charges.state = 'reserved'
""")
"""What is reserved for a job, what would be by its estimate of now (NULL: unpriced), and whether it passes the budgets."""

_PRICE = f"""CASE CAST(:from_step AS TEXT) WHEN 'download' THEN jobs.estimate_micros
    WHEN 'transcribe' THEN jobs.estimate_micros
    WHEN 'summarize' THEN CASE WHEN jobs.transcription_completed_at IS NULL THEN {STILL_TO_RESERVE}
        ELSE jobs.summarize_micros END
    WHEN 'sync' THEN CASE jobs.status WHEN 'completed' THEN 0 ELSE {STILL_TO_RESERVE} END
    ELSE {STILL_TO_RESERVE} END"""

PRICE = Query(f"""
SELECT COUNT(*), CAST(COALESCE(SUM(price), 0) AS BIGINT), COUNT(*) - COUNT(price), COALESCE(MIN(transcribed), 0),
    COALESCE(MIN(summarized), 0)
FROM (
    SELECT {_PRICE} AS price,
        CASE WHEN jobs.transcription_completed_at IS NULL AND jobs.transcript_id IS NULL THEN 0 ELSE 1 END AS transcribed,
        CASE WHEN jobs.summarization_completed_at IS NULL THEN 0 ELSE 1 END AS summarized
    FROM jobs WHERE jobs.id IN (SELECT value FROM json_each(:ids))
) AS priced
""")

TRUE_CHARGE_SUMS = Query("""
SELECT reserved_at / 3600000 * 3600000 AS hour,
    CAST(SUM(CASE state WHEN 'settled' THEN COALESCE(actual_micros, estimate_micros, 0) ELSE 0 END) AS BIGINT),
    CAST(SUM(CASE state WHEN 'reserved' THEN COALESCE(actual_micros, estimate_micros, 0) ELSE 0 END) AS BIGINT),
    CAST(SUM(CASE WHEN state <> 'released' AND actual_micros IS NULL AND estimate_micros IS NULL THEN 1 ELSE 0 END) AS BIGINT)
FROM charges GROUP BY 1
""")

CHARGE_SUMS = Query("""
SELECT hour, CAST(SUM(settled_micros) AS BIGINT), CAST(SUM(reserved_micros) AS BIGINT), CAST(SUM(unpriced) AS BIGINT)
FROM charge_sums GROUP BY hour
""")

TRUE_BACKLOG = Query("""
SELECT COUNT(*), CAST(COALESCE(SUM(CAST(ROUND(COALESCE(duration_seconds, 0) * 1000) AS BIGINT)), 0) AS BIGINT),
    CAST(COALESCE(SUM(price), 0) AS BIGINT), COUNT(*) - COUNT(price)
FROM (
    SELECT duration_seconds, CASE WHEN transcription_completed_at IS NULL THEN estimate_micros
        WHEN summarization_completed_at IS NULL THEN summarize_micros ELSE 0 END AS price
    FROM jobs WHERE status = 'discovered'
) AS waiting
""")
