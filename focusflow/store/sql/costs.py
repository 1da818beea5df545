"""What was spent, on what, and what was not?

A charge belongs to the instant at which it was reserved, so that it counts once; what was let go counts nothing. Where nobody
could say what was charged, the estimate stands.
"""

from focusflow.store.database import Query
from focusflow.store.sql.calendar import place
from focusflow.store.sql.plan import PRICE

SPAN_OF_CHARGES = Query("SELECT MIN(reserved_at), MAX(reserved_at) FROM charges")

_AMOUNT = "COALESCE(charges.actual_micros, charges.estimate_micros, 0)"
_SINCE = "charges.reserved_at >= CAST(:since AS BIGINT)"

_COSTS = f"""
SELECT {{group}} AS grouped, COUNT(DISTINCT charges.job_id),
    COUNT(*),
    CAST(COALESCE(SUM(CASE WHEN charges.state = 'settled' THEN {_AMOUNT} END), 0) AS BIGINT),
    CAST(COALESCE(SUM(CASE WHEN charges.state = 'reserved' THEN {_AMOUNT} END), 0) AS BIGINT),
    CAST(SUM(CASE WHEN charges.actual_micros IS NULL AND charges.estimate_micros IS NULL THEN 1 ELSE 0 END) AS BIGINT),
    CAST(SUM(CASE WHEN charges.state = 'settled' AND charges.actual_micros IS NULL
        AND charges.estimate_micros IS NOT NULL THEN 1 ELSE 0 END) AS BIGINT)
FROM charges {{join}} WHERE {_SINCE} AND charges.state <> 'released' GROUP BY grouped
"""
_OF_JOB = "JOIN jobs ON jobs.id = charges.job_id"

COSTS_BY_CONTACT = Query(_COSTS.format(group="COALESCE(jobs.contact_name, jobs.contact_number, '')", join=_OF_JOB))
COSTS_BY_MODEL = Query(_COSTS.format(group="COALESCE(charges.model, '')", join=""))
COSTS_BY_STEP = Query(_COSTS.format(group="charges.step", join=""))
COSTS_BY_JOB = Query(_COSTS.format(group="charges.job_id", join=""))


def costs_by_time(count: int) -> Query:
    """Return the query whose groups are places in a list of so many days' or months' first instants."""
    return Query(_COSTS.format(group=place("charges.reserved_at", count), join=""))


CALLS_CHARGED = Query(f"""
SELECT COUNT(DISTINCT charges.job_id) FROM charges WHERE {_SINCE} AND charges.state <> 'released'
""")

LABELS = Query("""
SELECT id, COALESCE(contact_name, contact_number, gdrive_file_name), rank_at FROM jobs
WHERE id IN (SELECT value FROM json_each(:ids))
""")

LEDGER = Query(f"""
SELECT charges.id, charges.job_id, charges.step, charges.state, charges.provider, charges.model, charges.estimate_micros,
    charges.actual_micros, charges.usage_known, charges.usage, charges.external_ref, charges.reserved_at,
    charges.settled_at, COALESCE(jobs.contact_name, jobs.contact_number, jobs.gdrive_file_name)
FROM charges JOIN jobs ON jobs.id = charges.job_id
WHERE {_SINCE} ORDER BY charges.reserved_at, charges.id
""")

MODELS_USED = Query("""
SELECT DISTINCT provider, model FROM charges WHERE state = 'settled' AND model IS NOT NULL ORDER BY provider, model
""")

SKIPPED = Query(f"""
SELECT COALESCE(skipped_by, 'user'), COUNT(*), CAST(SUM(COALESCE(price, 0)) AS BIGINT),
    CAST(SUM(CASE WHEN price IS NULL THEN 1 ELSE 0 END) AS BIGINT)
FROM (SELECT jobs.skipped_by AS skipped_by, {PRICE} AS price FROM jobs
      WHERE jobs.status = 'skipped' AND jobs.discovered_at >= CAST(:since AS BIGINT)) AS left_out
GROUP BY 1
""")

# what was there already is worth what it had cost when it was made
REUSED = Query("""
SELECT step, COUNT(*), CAST(SUM(COALESCE(price, 0)) AS BIGINT),
    CAST(SUM(CASE WHEN price IS NULL THEN 1 ELSE 0 END) AS BIGINT)
FROM (
    SELECT attempts.step AS step, (
        SELECT COALESCE(charges.actual_micros, charges.estimate_micros) FROM charges
        WHERE charges.job_id = attempts.job_id AND charges.step = attempts.step AND charges.state = 'settled'
        AND charges.reserved_at <= attempts.started_at
        ORDER BY charges.id DESC LIMIT 1) AS price
    FROM attempts
    WHERE attempts.outcome = 'reused' AND attempts.step IN ('transcribe', 'summarize')
    AND attempts.started_at >= CAST(:since AS BIGINT)
) AS again GROUP BY step
""")
