"""What was reserved, what was charged, what was let go?"""

from focusflow.store.database import Query
from focusflow.store.sql.jobs import OWNED

_STANDING = """EXISTS (SELECT 1 FROM charges WHERE charges.job_id = jobs.id AND charges.step = '{step}'
                        AND charges.state = 'reserved')"""

TRANSCRIPT_TO_RESERVE = f"""CASE WHEN jobs.transcription_completed_at IS NOT NULL OR {_STANDING.format(step="transcribe")}
    THEN 0 ELSE jobs.transcribe_micros END"""
SUMMARY_TO_RESERVE = f"""CASE WHEN jobs.summarization_completed_at IS NOT NULL OR {_STANDING.format(step="summarize")}
    THEN 0 ELSE jobs.summarize_micros END"""
STILL_TO_RESERVE = f"({TRANSCRIPT_TO_RESERVE} + {SUMMARY_TO_RESERVE})"
"""What claiming a job adds to the reserved money: NULL where it is unpriced, 0 where nothing is left to pay."""

_SINCE_HOUR = "(CAST(:{0}_start AS BIGINT) + 3599999) / 3600000 * 3600000"
_SPENT_IN = f"""
SELECT '{{0}}', CAST(COALESCE(SUM(settled), 0) AS BIGINT), CAST(COALESCE(SUM(reserved), 0) AS BIGINT),
    CAST(COALESCE(SUM(unpriced), 0) AS BIGINT)
FROM (
    SELECT settled_micros AS settled, reserved_micros AS reserved, unpriced FROM charge_sums WHERE hour >= {_SINCE_HOUR}
    UNION ALL
    SELECT CASE state WHEN 'settled' THEN COALESCE(actual_micros, estimate_micros, 0) ELSE 0 END,
        CASE state WHEN 'reserved' THEN COALESCE(actual_micros, estimate_micros, 0) ELSE 0 END,
        CASE WHEN actual_micros IS NULL AND estimate_micros IS NULL THEN 1 ELSE 0 END
    FROM charges WHERE reserved_at >= :{{0}}_start AND reserved_at < {_SINCE_HOUR} AND state <> 'released'
) AS this_{{0}}
"""

SPENT = Query(" UNION ALL ".join(_SPENT_IN.format(period) for period in ("day", "week", "month")))
"""What is settled, reserved and unpriced since the beginning of a day, a week and a month.

A charge belongs to the instant at which it was reserved, so that it counts once; one that is dated in the future counts now, as
the clock may have been set back. Whole hours are summed up already; most midnights are at a full hour.
"""

RESERVE_TRANSCRIPT = Query("""
INSERT INTO charges (job_id, step, state, estimate_micros, reserved_at, claim_token)
SELECT id, 'transcribe', 'reserved', jobs.transcribe_micros, CAST(:now AS BIGINT), jobs.claim_token FROM jobs
WHERE id IN (SELECT value FROM json_each(:ids)) AND transcription_completed_at IS NULL
ON CONFLICT (job_id, step) WHERE state = 'reserved' DO NOTHING
""")

RESERVE_SUMMARY = Query("""
INSERT INTO charges (job_id, step, state, estimate_micros, reserved_at, claim_token)
SELECT id, 'summarize', 'reserved', jobs.summarize_micros, CAST(:now AS BIGINT), jobs.claim_token FROM jobs
WHERE id IN (SELECT value FROM json_each(:ids)) AND summarization_completed_at IS NULL
ON CONFLICT (job_id, step) WHERE state = 'reserved' DO NOTHING
""")

_IS_SETTLED = """EXISTS (SELECT 1 FROM charges AS earlier WHERE earlier.job_id = :id AND earlier.step = :step
    AND earlier.external_ref = :external_ref AND earlier.state = 'settled')"""

# a settlement takes the reservation, and where there is none stands for itself: repeated with the same reference it does nothing
# who says of which claim they speak may be late: they take what was reserved for that one, or was written off for want of an answer
SETTLE = Query(f"""
UPDATE charges SET state = 'settled', settled_at = :now, provider = :provider, model = :model,
    actual_micros = :actual_micros, usage_known = :usage_known, usage = :usage, external_ref = :external_ref
WHERE job_id = :id AND step = :step AND NOT {_IS_SETTLED} AND (
    (CAST(:claim_token AS TEXT) IS NULL AND state = 'reserved') OR (claim_token = :claim_token
        AND (state = 'reserved' OR (state = 'settled' AND usage_known = 0 AND external_ref IS NULL))))
RETURNING id
""")

# what was let go meanwhile counts as what it costs, or as its share of the estimate where nobody could say
SETTLE_UNRESERVED = Query(f"""
INSERT INTO charges (job_id, step, state, estimate_micros, reserved_at, settled_at, provider, model, actual_micros,
    usage_known, usage, external_ref)
SELECT jobs.id, CAST(:step AS TEXT), 'settled', COALESCE(CAST(:actual_micros AS BIGINT),
    CASE CAST(:step AS TEXT) WHEN 'transcribe' THEN jobs.transcribe_micros WHEN 'summarize' THEN jobs.summarize_micros END),
    CAST(:now AS BIGINT), CAST(:now AS BIGINT), CAST(:provider AS TEXT), CAST(:model AS TEXT),
    CAST(:actual_micros AS BIGINT), CAST(:usage_known AS INTEGER), CAST(:usage AS TEXT), CAST(:external_ref AS TEXT)
FROM jobs WHERE jobs.id = :id AND jobs.id IN (SELECT value FROM json_each(:unreserved)) AND NOT {_IS_SETTLED}
""")

SETTLED_COST = """(
    SELECT CAST(COALESCE(SUM(COALESCE(actual_micros, estimate_micros, 0)), 0) AS BIGINT)
    FROM charges WHERE charges.job_id = jobs.id AND charges.state = 'settled')"""

SUM_COST = Query(f"""
UPDATE jobs SET cost_micros = {SETTLED_COST}
WHERE id IN (SELECT value FROM json_each(:ids))
""")

# jobs that nobody works on and whose reserved step was surely not ordered
RELEASE_UNSPENT = Query(f"""
UPDATE charges SET state = 'released', settled_at = :now
WHERE state = 'reserved' AND job_id IN (SELECT value FROM json_each(:ids)) AND EXISTS (
    SELECT 1 FROM jobs WHERE jobs.id = charges.job_id AND jobs.status NOT IN {OWNED} AND NOT (
        charges.step = 'transcribe' AND jobs.status IN ('discovered', 'failed', 'skipped')
        AND jobs.transcription_completed_at IS NULL
        AND (jobs.submit_intent_at IS NOT NULL OR jobs.transcript_id IS NOT NULL)))
""")

# an order that is forgotten on purpose may have been charged for all the same: its estimate stands, marked
WRITE_OFF_ORDERS = Query("""
UPDATE charges SET state = 'settled', settled_at = :now, usage_known = 0
WHERE state = 'reserved' AND step = 'transcribe' AND job_id IN (
    SELECT id FROM jobs WHERE id IN (SELECT value FROM json_each(:ids))
    AND transcription_completed_at IS NULL AND (submit_intent_at IS NOT NULL OR transcript_id IS NOT NULL))
""")

# nobody can say whether the answer that a dead worker waited for was charged, and it cannot be looked for: its estimate stands
WRITE_OFF_ANSWERS = Query("""
UPDATE charges SET state = 'settled', settled_at = :now, usage_known = 0
WHERE state = 'reserved' AND step = 'summarize' AND job_id IN (SELECT value FROM json_each(:ids)) AND EXISTS (
    SELECT 1 FROM attempts WHERE attempts.job_id = charges.job_id AND attempts.step = 'summarize'
    AND attempts.outcome = 'running')
AND EXISTS (SELECT 1 FROM jobs WHERE jobs.id = charges.job_id AND jobs.summarization_completed_at IS NULL)
""")
