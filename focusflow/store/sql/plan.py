"""What is there to be done, and what would it cost?

The price of a call that waits is the one that was estimated for it. One that was never measured, because the rules left it out
before that, is priced here, by the length that its size suggests.
"""

from focusflow.domain.recordings import BYTES_PER_SECOND
from focusflow.store.database import Query
from focusflow.store.sql.calendar import place

# what comes back by itself is as good as waiting
_WAITS = "(jobs.status = 'discovered' OR (jobs.status = 'failed' AND jobs.next_attempt_at IS NOT NULL))"

_SECONDS = f"COALESCE(jobs.duration_seconds, jobs.gdrive_file_size / {BYTES_PER_SECOND}.0)"
_MS = f"CAST(ROUND({_SECONDS} * 1000) AS BIGINT)"
_ESTIMATED = f"({_WAITS} AND jobs.duration_seconds IS NOT NULL)"

_BY_LENGTH_TRANSCRIBE = f"(({_MS} * CAST(:audio_micros AS BIGINT) + 3599999) / 3600000)"
_TOKENS = f"(CAST(:fixed_tokens AS BIGINT) + ({_MS} * CAST(:tokens_per_hour AS BIGINT) + 3599999) / 3600000)"
_BY_LENGTH_SUMMARIZE = f"""(({_TOKENS} * CAST(:input_micros AS BIGINT)
    + CAST(:output_tokens AS BIGINT) * CAST(:output_micros AS BIGINT) + 999999) / 1000000)"""

PRICE = f"""(
    CASE WHEN jobs.transcription_completed_at IS NOT NULL THEN 0
         WHEN {_ESTIMATED} THEN jobs.transcribe_micros ELSE {_BY_LENGTH_TRANSCRIBE} END
    + CASE WHEN jobs.summarization_completed_at IS NOT NULL THEN 0
           WHEN {_ESTIMATED} THEN jobs.summarize_micros ELSE {_BY_LENGTH_SUMMARIZE} END)"""
"""What a call would cost that waits or was left out; NULL: unpriced, or of unknown length."""

_GUESSED = """CASE WHEN jobs.duration_seconds IS NULL OR jobs.duration_source = 'size' THEN 1 ELSE 0 END"""

SPAN = Query("SELECT MIN(rank_at), MAX(rank_at) FROM jobs WHERE status IN ('discovered', 'failed', 'skipped')")

_BACKLOG = f"""
SELECT grouped, skipped_by, reason, COUNT(*), CAST(SUM(COALESCE(seconds, 0)) AS DOUBLE PRECISION),
    CAST(SUM(guessed) AS BIGINT), CAST(SUM(COALESCE(price, 0)) AS BIGINT),
    CAST(SUM(CASE WHEN price IS NULL THEN 1 ELSE 0 END) AS BIGINT)
FROM (
    SELECT {{group}} AS grouped, CASE WHEN jobs.status = 'skipped' THEN COALESCE(jobs.skipped_by, 'user') END AS skipped_by,
        CASE WHEN jobs.status = 'skipped' AND jobs.skipped_by = 'rule' THEN COALESCE(jobs.skip_reason, '') ELSE '' END AS reason,
        {_SECONDS} AS seconds, {_GUESSED} AS guessed, {PRICE} AS price
    FROM jobs WHERE {_WAITS} OR jobs.status = 'skipped'
) AS priced GROUP BY grouped, skipped_by, reason
"""

BACKLOG_BY_CONTACT = Query(_BACKLOG.format(group="COALESCE(jobs.contact_name, jobs.contact_number, '')"))
BACKLOG_BY_DIRECTION = Query(_BACKLOG.format(group="COALESCE(jobs.call_direction, '')"))


def backlog_by_month(months: int) -> Query:
    """Return the query whose groups are places in a list of so many months' first instants."""
    return Query(_BACKLOG.format(group=place("jobs.rank_at", months)))


_STARTABLE = f"""
SELECT jobs.id, jobs.status, jobs.rank_at, jobs.contact_name, jobs.contact_number, jobs.call_direction, jobs.call_type,
    {_SECONDS}, {_GUESSED}, {PRICE}, jobs.call_timestamp
FROM jobs
WHERE ({_WAITS} OR (jobs.status = 'skipped' AND jobs.skipped_by = 'rule'))
AND (CAST(:since AS BIGINT) IS NULL OR jobs.rank_at >= :since)
AND (CAST(:before AS BIGINT) IS NULL OR jobs.rank_at < :before)
ORDER BY {{order}}
"""

STARTABLE_NEWEST = Query(_STARTABLE.format(order="jobs.rank_at DESC, jobs.id DESC"))
STARTABLE_OLDEST = Query(_STARTABLE.format(order="jobs.rank_at, jobs.id"))

UNMEASURED = Query(f"""
SELECT COUNT(price), CAST(COALESCE(SUM(price), 0) AS BIGINT)
FROM (SELECT {_BY_LENGTH_TRANSCRIBE} + {_BY_LENGTH_SUMMARIZE} AS price FROM jobs
      WHERE jobs.id IN (SELECT value FROM json_each(:ids)) AND jobs.duration_seconds IS NULL) AS guessed
""")
