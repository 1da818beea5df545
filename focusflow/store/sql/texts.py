"""How do texts that are there change, and reach the sinks again?"""

from focusflow.store.database import Query
from focusflow.store.sql.jobs import OWNED

READ_VERSIONS = Query("""
SELECT markdown, title, model, prompt_hash, version, created_at, cost_micros,
    CASE WHEN superseded_at IS NULL THEN 1 ELSE 0 END
FROM summaries WHERE job_id = :id ORDER BY version DESC
""")

# these run one after the other: at no time are there two current ones
RETIRE_SUMMARY = Query("""
UPDATE summaries SET superseded_at = :now
WHERE job_id IN (SELECT value FROM json_each(:ids)) AND superseded_at IS NULL AND version <> :version
AND EXISTS (SELECT 1 FROM summaries AS wanted WHERE wanted.job_id = summaries.job_id AND wanted.version = :version)
""")

REVIVE_SUMMARY = Query("""
UPDATE summaries SET superseded_at = NULL
WHERE job_id IN (SELECT value FROM json_each(:ids)) AND version = :version RETURNING job_id
""")

# a job that rests need not have its summary written (again) now
ADOPT_SUMMARY = Query(f"""
UPDATE jobs SET updated_at = :now,
    title = COALESCE((SELECT title FROM summaries WHERE job_id = jobs.id AND superseded_at IS NULL), title),
    summarization_completed_at = CASE WHEN status NOT IN {OWNED} THEN COALESCE(summarization_completed_at, :now)
                                      ELSE summarization_completed_at END
WHERE id IN (SELECT value FROM json_each(:ids)) RETURNING id, status
""")

RENAME_SPEAKERS = Query("""
UPDATE documents SET speakers = :speakers
WHERE job_id = :id AND superseded_at IS NULL AND transcript IS NOT NULL AND speakers = :before
AND COALESCE((SELECT MAX(version) FROM summaries WHERE summaries.job_id = :id), 0) = :latest
AND COALESCE((SELECT version FROM summaries WHERE summaries.job_id = :id AND summaries.superseded_at IS NULL), 0) = :current
RETURNING job_id
""")
"""Only if nobody changed names or summary since they were read."""

TOUCH_ALL = Query("""
UPDATE jobs SET updated_at = :now WHERE id IN (SELECT value FROM json_each(:ids)) RETURNING id, status
""")

ADD_VERSION = Query("""
INSERT INTO summaries (job_id, version, title, markdown, model, prompt_hash, cost_micros, created_at, superseded_at)
SELECT job_id, CAST(:version AS INTEGER), CAST(:title AS TEXT), CAST(:markdown AS TEXT), CAST(:model AS TEXT), prompt_hash, 0,
    CAST(:now AS BIGINT), CAST(:now AS BIGINT)
FROM summaries WHERE job_id IN (SELECT value FROM json_each(:ids)) AND version = :current
""")
"""A version made of the current one, for nothing; not in force yet."""

SHOW_AGAIN = Query("""
UPDATE deliveries SET error = NULL,
    next_attempt_at = CASE WHEN leased_until > :now THEN leased_until ELSE CAST(:now AS BIGINT) END,
    again = CASE WHEN leased_until > :now THEN 1 ELSE again END
WHERE job_id IN (SELECT value FROM json_each(:ids))
""")
"""A delivery under way began with the old text: it is repeated when it is over."""
