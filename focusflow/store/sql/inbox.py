"""How does a page of found files become jobs?

A page is put into temporary tables, compared with what is known, and then worked in set by set. `CROSS JOIN` keeps SQLite from
starting with the many jobs instead of the few files.
"""

from focusflow.domain.jobs import Mover, Status
from focusflow.store.database import Query
from focusflow.store.sql.jobs import COLUMNS, movable

# --------------------------------------------------------------------------------------------------------- the page

STAGE_ARRIVALS = Query("""
CREATE TEMPORARY TABLE IF NOT EXISTS arriving (
    n BIGINT, file_id TEXT PRIMARY KEY, new_id TEXT, name TEXT, size BIGINT, md5 TEXT, parent_id TEXT, web_url TEXT,
    modified_at BIGINT, pair_key TEXT, haystack TEXT, recorder TEXT, contact_name TEXT, contact_number TEXT,
    contact_key TEXT, direction TEXT, call_type TEXT, call_at BIGINT, skip_reason TEXT, skipped_by TEXT, duration_seconds DOUBLE PRECISION,
    duration_source TEXT, transcribe_micros BIGINT, summarize_micros BIGINT, hold_until BIGINT,
    job_id TEXT, is_new INTEGER, replaced INTEGER, renamed INTEGER, touched INTEGER, is_back INTEGER,
    is_allowed INTEGER, finished INTEGER, was_silent INTEGER, was_md5 TEXT, was_size BIGINT)
""")
STAGE_SIDECARS = Query("""
CREATE TEMPORARY TABLE IF NOT EXISTS arriving_sidecars (
    pair_key TEXT, file_id TEXT, content TEXT, PRIMARY KEY (pair_key, file_id))
""")
STAGE_VERDICTS = Query("CREATE TEMPORARY TABLE IF NOT EXISTS verdicts (job_id TEXT PRIMARY KEY, reason TEXT)")
CLEAR_ARRIVALS = Query("DELETE FROM arriving")
CLEAR_SIDECARS = Query("DELETE FROM arriving_sidecars")
CLEAR_VERDICTS = Query("DELETE FROM verdicts")

ARRIVE = Query("""
INSERT INTO arriving (n, file_id, new_id, name, size, md5, parent_id, web_url, modified_at, pair_key, haystack, recorder,
    contact_name, contact_number, contact_key, direction, call_type, call_at, skip_reason, skipped_by, duration_seconds,
    duration_source, transcribe_micros, summarize_micros, hold_until, is_new, replaced, renamed, touched, is_back, is_allowed,
    finished, was_silent)
VALUES (:n, :file_id, :new_id, :name, :size, :md5, :parent_id, :web_url, :modified_at, :pair_key, :haystack, :recorder,
    :contact_name, :contact_number, :contact_key, :direction, :call_type, :call_at, :skip_reason, :skipped_by, :duration_seconds,
    :duration_source, :transcribe_micros, :summarize_micros, :hold_until, 1, 0, 0, 0, 0, 0, 0, 0)
""")
ARRIVE_SIDECAR = Query(
    "INSERT INTO arriving_sidecars (file_id, pair_key, content) VALUES (:file_id, :pair_key, :content)"
)

COMPARE = Query("""
UPDATE arriving SET job_id = jobs.id, is_new = 0,
    replaced = CASE WHEN (arriving.md5 <> jobs.file_md5 AND jobs.file_md5 IS NOT NULL)
        OR ((arriving.md5 IS NULL OR jobs.file_md5 IS NULL) AND arriving.size <> jobs.gdrive_file_size)
        THEN 1 ELSE 0 END,
    renamed = CASE WHEN arriving.name <> jobs.gdrive_file_name THEN 1 ELSE 0 END,
    touched = CASE WHEN COALESCE(arriving.parent_id, '') <> COALESCE(jobs.parent_id, '')
        OR COALESCE(arriving.web_url, '') <> COALESCE(jobs.web_url, '')
        OR COALESCE(arriving.modified_at, -1) <> COALESCE(jobs.file_modified_at, -1)
        OR (jobs.file_md5 IS NULL AND arriving.md5 IS NOT NULL)
        OR (jobs.gdrive_file_size IS NULL AND arriving.size IS NOT NULL) THEN 1 ELSE 0 END,
    is_back = CASE WHEN jobs.status = 'skipped' AND jobs.skipped_by = 'gone' THEN 1 ELSE 0 END,
    is_allowed = CASE WHEN jobs.status = 'skipped' AND jobs.skipped_by IN ('rule', 'name')
        AND arriving.name <> jobs.gdrive_file_name AND arriving.skip_reason IS NULL THEN 1 ELSE 0 END,
    finished = CASE WHEN jobs.transcription_completed_at IS NOT NULL
        AND NOT (jobs.status = 'skipped' AND jobs.skipped_by = 'silence') THEN 1 ELSE 0 END,
    was_silent = CASE WHEN jobs.status = 'skipped' AND jobs.skipped_by = 'silence' THEN 1 ELSE 0 END,
    was_md5 = CASE WHEN jobs.transcription_completed_at IS NULL AND jobs.submit_intent_at IS NULL AND jobs.transcript_id IS NULL
        AND COALESCE(jobs.skipped_by, '') NOT IN ('user', 'silence') THEN jobs.file_md5 END,
    was_size = jobs.gdrive_file_size
FROM arriving AS a CROSS JOIN jobs
WHERE jobs.source = :source AND jobs.gdrive_file_id = a.file_id AND arriving.file_id = a.file_id
""")

# -------------------------------------------------------------------------------------------------------- what is gone

VANISH = Query(f"""
UPDATE jobs SET status = 'skipped', skipped_by = 'gone', skip_reason = :reason, updated_at = :now,
    hold_kind = NULL, hold_reason = NULL, next_attempt_at = NULL
WHERE source = :source AND gdrive_file_id IN (SELECT value FROM json_each(:gone))
AND status = 'discovered' AND status IN {movable(Status.SKIPPED, Mover.RULE)}
AND transcription_completed_at IS NULL AND submit_intent_at IS NULL AND transcript_id IS NULL
RETURNING id, status
""")

_TAKES_ITS_PLACE = f"""
UPDATE jobs SET status = 'discovered', skipped_by = NULL, skip_reason = NULL, updated_at = :now
WHERE status = 'skipped' AND skipped_by = 'duplicate' AND status IN {movable(Status.DISCOVERED, Mover.RULE)}
AND id IN (
    SELECT MIN(twin.id) FROM {{originals}}
    AND twin.file_md5 = {{md5}} AND twin.gdrive_file_size = {{size}}
    AND twin.skipped_by = 'duplicate' AND twin.skip_reason = 'duplicate of ' || {{id}}
    GROUP BY {{id}})
RETURNING id, status
"""

REPLACE_VANISHED = Query(
    _TAKES_ITS_PLACE.format(
        originals="jobs AS gone CROSS JOIN jobs AS twin WHERE gone.id IN (SELECT value FROM json_each(:ids))",
        md5="gone.file_md5",
        size="gone.gdrive_file_size",
        id="gone.id",
    )
)
"""When the recording that others are duplicates of disappears unprocessed, one of them takes its place."""

REPLACE_REPLACED = Query(
    _TAKES_ITS_PLACE.format(
        originals="arriving AS a CROSS JOIN jobs AS twin WHERE a.replaced = 1",
        md5="a.was_md5",
        size="a.was_size",
        id="a.job_id",
    )
)
"""So it does when another recording takes the original's name, unless that was ordered, or left out for what it was."""

FOLLOW_HEIR = Query("""
UPDATE jobs SET skip_reason = 'duplicate of ' || following.heir, updated_at = :now
FROM (
    SELECT twin.id AS id, MIN(heir.id) AS heir FROM jobs AS heir CROSS JOIN jobs AS twin
    WHERE heir.id IN (SELECT value FROM json_each(:ids)) AND twin.id <> heir.id
    AND twin.file_md5 = heir.file_md5 AND twin.gdrive_file_size = heir.gdrive_file_size
    AND twin.status = 'skipped' AND twin.skipped_by = 'duplicate'
    GROUP BY twin.id
) AS following
WHERE jobs.id = following.id
RETURNING jobs.id, jobs.status
""")
"""The other duplicates are those of the one that took the place, so that the next is found if that goes too."""

WAITING_FILES = Query("SELECT gdrive_file_id FROM jobs WHERE status = 'discovered' AND source = :source")

FORGET_SIDECARS = Query("""
DELETE FROM sidecars WHERE source = :source AND file_id IN (SELECT value FROM json_each(:gone))
""")

UNPAIR = Query("""
UPDATE jobs SET gdrive_json_id = NULL
WHERE status = 'discovered' AND duration_seconds IS NULL AND discovered_at > 0 AND COALESCE(source, '') = :source
AND gdrive_json_id IN (SELECT value FROM json_each(:gone))
""")

# --------------------------------------------------------------------------------------------------- what is new or changed

ADD_NEW = Query("""
INSERT INTO jobs (id, status, source, gdrive_file_id, gdrive_file_name, gdrive_file_size, file_md5, parent_id, web_url,
    file_modified_at, recorder, contact_name, contact_number, contact_key, call_direction, call_type, call_timestamp,
    duration_seconds, duration_source, skip_reason, skipped_by, hold_kind, hold_reason, next_attempt_at,
    transcribe_micros, summarize_micros, discovered_at, updated_at, pair_key, haystack)
SELECT new_id, CASE WHEN skip_reason IS NULL THEN 'discovered' ELSE 'skipped' END, CAST(:source AS TEXT), file_id, name,
    size, md5, parent_id, web_url, modified_at, recorder, contact_name, contact_number, contact_key, direction, call_type, call_at,
    duration_seconds, duration_source, skip_reason, CASE WHEN skip_reason IS NOT NULL THEN COALESCE(skipped_by, 'rule') END,
    CASE WHEN hold_until IS NOT NULL AND skip_reason IS NULL THEN 'sidecar' END,
    CASE WHEN hold_until IS NOT NULL AND skip_reason IS NULL THEN CAST(:sidecar_wait AS TEXT) END,
    CASE WHEN skip_reason IS NULL THEN hold_until END,
    transcribe_micros, summarize_micros, CAST(:now AS BIGINT), CAST(:now AS BIGINT), pair_key, haystack
FROM arriving WHERE is_new = 1 ORDER BY n
ON CONFLICT (source, gdrive_file_id) DO NOTHING
RETURNING id, status
""")

NAME_NEW = Query("UPDATE arriving SET job_id = new_id WHERE is_new = 1")

REPLACED_SILENCE = Query("SELECT job_id FROM arriving WHERE replaced = 1 AND was_silent = 1 ORDER BY n")
"""Recordings in which nobody spoke, replaced: what was transcribed of them is no transcript of what is there now."""

# a rename may carry a new meaning: a name nobody understood, or one that the rules judge otherwise; and what was decided by a
# recording's content holds for that content
_JUDGED_ANEW = f"""
((a.renamed = 1 AND jobs.requested_by IS NULL AND (
    (jobs.status = 'discovered' AND jobs.status IN {movable(Status.SKIPPED, Mover.RULE)})
    OR (jobs.status = 'skipped' AND jobs.skipped_by IN ('rule', 'name')
        AND jobs.status IN {movable(Status.DISCOVERED, Mover.RULE)})))
 OR (jobs.status = 'skipped' AND jobs.status IN {movable(Status.DISCOVERED, Mover.RULE)} AND (jobs.skipped_by = 'gone'
     OR (a.replaced = 1 AND a.finished = 0 AND jobs.skipped_by IN ('rule', 'duplicate', 'silence')))))
"""
_REFUSED = "(a.skip_reason IS NOT NULL AND jobs.requested_by IS NULL)"
# the sidecar that is there may still be that of the recording before
_WAITS_ANEW = f"""
(a.replaced = 1 AND a.finished = 0 AND a.hold_until IS NOT NULL AND a.skip_reason IS NULL AND jobs.requested_by IS NULL
 AND jobs.submit_intent_at IS NULL AND jobs.transcript_id IS NULL AND (jobs.status = 'discovered' OR {_JUDGED_ANEW}))
"""

UPDATE_KNOWN = Query(f"""
UPDATE jobs SET updated_at = :now, gdrive_file_name = a.name, parent_id = a.parent_id, web_url = a.web_url,
    file_modified_at = a.modified_at, pair_key = a.pair_key,
    haystack = CASE WHEN a.renamed = 1 THEN a.haystack ELSE jobs.haystack END,
    gdrive_file_size = COALESCE(a.size, jobs.gdrive_file_size), file_md5 = COALESCE(a.md5, jobs.file_md5),
    recorder = CASE WHEN a.renamed = 1 THEN COALESCE(a.recorder, jobs.recorder) ELSE jobs.recorder END,
    contact_name = CASE WHEN a.renamed = 1 THEN COALESCE(a.contact_name, jobs.contact_name) ELSE jobs.contact_name END,
    contact_number = CASE WHEN a.renamed = 1 THEN COALESCE(a.contact_number, jobs.contact_number)
        ELSE jobs.contact_number END,
    contact_key = CASE WHEN a.renamed = 1 AND (a.contact_name IS NOT NULL OR jobs.contact_name IS NULL)
        THEN COALESCE(a.contact_key, jobs.contact_key) ELSE jobs.contact_key END,
    call_direction = CASE WHEN a.renamed = 1 THEN COALESCE(a.direction, jobs.call_direction)
        ELSE jobs.call_direction END,
    call_type = CASE WHEN a.renamed = 1 THEN COALESCE(a.call_type, jobs.call_type) ELSE jobs.call_type END,
    call_timestamp = CASE WHEN a.renamed = 1 THEN COALESCE(a.call_at, jobs.call_timestamp) ELSE jobs.call_timestamp END,
    duration_seconds = CASE WHEN a.replaced = 1 AND a.finished = 0 THEN a.duration_seconds
        ELSE COALESCE(jobs.duration_seconds, a.duration_seconds) END,
    duration_source = CASE WHEN a.replaced = 1 AND a.finished = 0 THEN a.duration_source
        ELSE COALESCE(jobs.duration_source, a.duration_source) END,
    transcribe_micros = CASE WHEN a.replaced = 1 AND a.finished = 0 THEN a.transcribe_micros
        ELSE COALESCE(jobs.transcribe_micros, a.transcribe_micros) END,
    summarize_micros = CASE WHEN a.replaced = 1 AND a.finished = 0 THEN a.summarize_micros
        ELSE COALESCE(jobs.summarize_micros, a.summarize_micros) END,
    status = CASE WHEN NOT {_JUDGED_ANEW} THEN jobs.status
        WHEN {_REFUSED} THEN 'skipped' ELSE 'discovered' END,
    skip_reason = CASE WHEN NOT {_JUDGED_ANEW} THEN jobs.skip_reason
        WHEN {_REFUSED} THEN a.skip_reason END,
    skipped_by = CASE WHEN NOT {_JUDGED_ANEW} THEN jobs.skipped_by
        WHEN {_REFUSED} THEN COALESCE(a.skipped_by, 'rule') END,
    hold_kind = CASE WHEN {_WAITS_ANEW} THEN 'sidecar' ELSE jobs.hold_kind END,
    hold_reason = CASE WHEN {_WAITS_ANEW} THEN CAST(:sidecar_wait AS TEXT) ELSE jobs.hold_reason END,
    next_attempt_at = CASE WHEN {_WAITS_ANEW} THEN a.hold_until ELSE jobs.next_attempt_at END,
    gdrive_json_id = CASE WHEN a.replaced = 1 AND a.finished = 0 THEN NULL ELSE jobs.gdrive_json_id END
FROM arriving AS a
WHERE jobs.id = a.job_id AND a.is_new = 0 AND (a.replaced = 1 OR a.renamed = 1 OR a.touched = 1 OR a.is_back = 1)
RETURNING jobs.id, jobs.status
""")

_LOG_ARRIVING = """
INSERT INTO job_events (job_id, at, level, message)
SELECT job_id, CAST(:now AS BIGINT), '{level}', {message} FROM arriving WHERE {which} ORDER BY n
"""
_AND_TELL = "RETURNING id, job_id, at, level, step, message"

LOG_NEW = Query(
    _LOG_ARRIVING.format(
        level="info",
        message="'Found ' || name || COALESCE('. Skipped: ' || skip_reason, '')",
        which="is_new = 1 AND job_id IN (SELECT id FROM jobs)",
    )
    + _AND_TELL
)
LOG_REPLACED = Query(
    _LOG_ARRIVING.format(
        level="warning",
        message="CASE WHEN finished = 1 THEN 'The recording was replaced after it was transcribed; the transcript stays.' "
        "ELSE 'The recording was replaced by another of the same name.' END",
        which="replaced = 1",
    )
    + _AND_TELL
)
LOG_RENAMED = Query(
    _LOG_ARRIVING.format(level="info", message="'Renamed to ' || name", which="renamed = 1") + _AND_TELL
)
LOG_BACK = Query(
    _LOG_ARRIVING.format(level="info", message="'The recording is back.'", which="is_back = 1") + _AND_TELL
)

_FRESH = "({0}.is_new = 1 OR {0}.replaced = 1 OR {0}.is_back = 1 OR {0}.is_allowed = 1)"

_BECOMES_TWIN = f"""
UPDATE jobs SET status = 'skipped', skipped_by = 'duplicate', updated_at = :now,
    hold_kind = NULL, hold_reason = NULL, next_attempt_at = NULL, skip_reason = 'duplicate of ' || twins.original
FROM (
    SELECT mine.id AS id, MIN(other.id) AS original FROM {{pairs}}
    AND other.file_md5 = mine.file_md5 AND other.gdrive_file_size = mine.gdrive_file_size
    AND other.id <> mine.id AND (other.status <> 'skipped' OR other.skipped_by IN ('user', 'silence'))
    GROUP BY mine.id
) AS twins
WHERE jobs.id = twins.id AND jobs.status = 'discovered' AND jobs.status IN {movable(Status.SKIPPED, Mover.RULE)}
AND jobs.requested_by IS NULL AND jobs.transcription_completed_at IS NULL
AND jobs.submit_intent_at IS NULL AND jobs.transcript_id IS NULL
RETURNING jobs.id, jobs.status
"""

SKIP_TWINS = Query(
    _BECOMES_TWIN.format(
        pairs=f"""arriving AS a CROSS JOIN jobs AS mine CROSS JOIN jobs AS other
    LEFT JOIN arriving AS b ON b.job_id = other.id AND {_FRESH.format("b")}
    WHERE {_FRESH.format("a")} AND mine.id = a.job_id AND (b.n IS NULL OR b.n < a.n)"""
    )
)

SKIP_TWINS_TAKEN_BACK = Query(
    _BECOMES_TWIN.format(
        pairs="""jobs AS mine CROSS JOIN jobs AS other
    WHERE mine.id IN (SELECT value FROM json_each(:ids))
    AND (other.id NOT IN (SELECT value FROM json_each(:ids))
         OR (other.discovered_at, other.id) < (mine.discovered_at, mine.id))"""
    )
)
"""Two copies that were refused are no twins of each other; allowed again, the one that was found first is kept."""

DROP_KNOWN_SIDECARS = Query("""
DELETE FROM arriving_sidecars WHERE EXISTS (
    SELECT 1 FROM sidecars AS known WHERE known.source = :source AND known.file_id = arriving_sidecars.file_id
    AND known.content = arriving_sidecars.content AND known.pair_key IN (arriving_sidecars.pair_key, ''))
""")
"""A full listing names every sidecar again: what says the same as before is no news."""

KEEP_SIDECARS = Query("""
INSERT INTO sidecars (source, file_id, pair_key, content)
SELECT CAST(:source AS TEXT), file_id, pair_key, content FROM arriving_sidecars
WHERE TRUE
ON CONFLICT (source, file_id) DO UPDATE SET pair_key = excluded.pair_key, content = excluded.content
""")

PAIR_NEW_SIDECARS = Query("""
UPDATE jobs SET updated_at = :now, gdrive_json_id = (
    SELECT MIN(file_id) FROM arriving_sidecars AS s WHERE s.pair_key = jobs.pair_key)
WHERE id IN (
    SELECT told.id FROM arriving_sidecars AS s CROSS JOIN jobs AS told
    WHERE told.source = :source AND told.pair_key = s.pair_key
    AND (told.gdrive_json_id IS NULL OR told.gdrive_json_id = s.file_id))
RETURNING id, status
""")

MEASURE_ANEW = Query(f"""
UPDATE jobs SET status = 'discovered', skipped_by = NULL, skip_reason = NULL, updated_at = :now,
    duration_seconds = NULL, duration_source = NULL, transcribe_micros = NULL, summarize_micros = NULL
WHERE id IN (SELECT value FROM json_each(:ids)) AND duration_seconds IS NOT NULL AND asked = 0
AND (status = 'discovered' OR (status = 'skipped' AND skipped_by = 'rule'
     AND status IN {movable(Status.DISCOVERED, Mover.RULE)}))
AND transcription_completed_at IS NULL AND submit_intent_at IS NULL AND transcript_id IS NULL
RETURNING id, status
""")
"""Their sidecar came late, or says something else now: what was guessed without it, or decided by it, is open again."""

OUTDATE_SIDECARS = Query("""
UPDATE sidecars SET pair_key = '' WHERE (source, file_id) IN (
    SELECT old.source, old.file_id FROM arriving AS a CROSS JOIN sidecars AS old
    WHERE a.replaced = 1 AND a.finished = 0 AND old.source = :source AND old.pair_key = a.pair_key)
""")
"""A sidecar that told of a recording before it was replaced belongs to none, until it is replaced too."""

PAIR_ARRIVALS = Query("""
UPDATE jobs SET gdrive_json_id = s.file_id
FROM (SELECT arriving.job_id, MIN(sidecars.file_id) AS file_id FROM arriving
      JOIN sidecars ON sidecars.source = :source AND sidecars.pair_key = arriving.pair_key
      GROUP BY arriving.job_id) AS s
WHERE jobs.id = s.job_id AND jobs.gdrive_json_id IS NULL
""")

# --------------------------------------------------------------------------------------------------------- measuring

UNMEASURED = Query(f"""
SELECT {COLUMNS} FROM jobs WHERE status = 'discovered' AND duration_seconds IS NULL
AND (gdrive_json_id IS NOT NULL OR next_attempt_at IS NULL OR next_attempt_at <= :now)
ORDER BY discovered_at, id LIMIT :limit
""")

MEASURED = Query(f"""
UPDATE jobs SET duration_seconds = :duration_seconds, duration_source = :duration_source, updated_at = :now,
    call_direction = COALESCE(:direction, call_direction), contact_number = COALESCE(:contact_number, contact_number),
    contact_key = CASE WHEN contact_name IS NULL THEN COALESCE(:contact_key, contact_key) ELSE contact_key END,
    haystack = haystack || :needle, transcribe_micros = CAST(:transcribe_micros AS BIGINT),
    summarize_micros = CAST(:summarize_micros AS BIGINT), budget_exempt = COALESCE(:budget_exempt, budget_exempt),
    hold_reason = CASE WHEN hold_kind = 'sidecar' THEN NULL ELSE hold_reason END,
    next_attempt_at = CASE WHEN hold_kind = 'sidecar' THEN NULL ELSE next_attempt_at END,
    hold_kind = CASE WHEN hold_kind = 'sidecar' THEN NULL ELSE hold_kind END,
    status = CASE WHEN CAST(:skip_reason AS TEXT) IS NOT NULL AND requested_by IS NULL THEN 'skipped' ELSE status END,
    skipped_by = CASE WHEN CAST(:skip_reason AS TEXT) IS NOT NULL AND requested_by IS NULL THEN 'rule' END,
    skip_reason = CASE WHEN requested_by IS NULL THEN CAST(:skip_reason AS TEXT) END
WHERE id = :id AND status = 'discovered' AND status IN {movable(Status.SKIPPED, Mover.RULE)}
RETURNING id, status
""")

# ------------------------------------------------------------------------------------------------------------- rules

READ_CONTROL = Query("SELECT key, value FROM control WHERE key = :key")

SET_CONTROL = Query("""
INSERT INTO control (key, value) VALUES (:key, :value) ON CONFLICT (key) DO UPDATE SET value = excluded.value
""")

SET_CONTROL_ONCE = Query("INSERT INTO control (key, value) VALUES (:key, :value) ON CONFLICT (key) DO NOTHING")

JUDGED = Query(f"""
SELECT {COLUMNS} FROM jobs
WHERE (status = 'discovered' OR (status = 'skipped' AND skipped_by IN ('rule', 'name'))
       OR (status = 'failed' AND next_attempt_at IS NOT NULL)) AND id > :after
ORDER BY id LIMIT :limit
""")

JUDGE = Query("INSERT INTO verdicts (job_id, reason) VALUES (:job_id, :reason)")

TAKE_BACK = Query(f"""
UPDATE jobs SET status = 'discovered', skipped_by = NULL, skip_reason = NULL, updated_at = :now
WHERE id IN (SELECT job_id FROM verdicts WHERE reason IS NULL)
AND status = 'skipped' AND skipped_by IN ('rule', 'name') AND status IN {movable(Status.DISCOVERED, Mover.RULE)}
RETURNING id, status
""")

LIFT_BUDGET_HOLDS = Query("""
UPDATE jobs SET hold_kind = NULL, hold_reason = NULL, next_attempt_at = NULL, updated_at = :now
WHERE id IN (SELECT job_id FROM verdicts WHERE reason IS NULL) AND status = 'discovered' AND hold_kind = 'budget'
RETURNING id, status
""")

REFUSE = Query(f"""
UPDATE jobs SET status = 'skipped', skipped_by = COALESCE(skipped_by, 'rule'), updated_at = :now,
    skip_reason = (SELECT reason FROM verdicts WHERE verdicts.job_id = jobs.id),
    hold_kind = NULL, hold_reason = NULL, next_attempt_at = NULL
WHERE id IN (SELECT job_id FROM verdicts WHERE reason IS NOT NULL) AND requested_by IS NULL
AND ((status = 'discovered' AND status IN {movable(Status.SKIPPED, Mover.RULE)})
     OR (status = 'skipped' AND skipped_by IN ('rule', 'name')
         AND skip_reason <> (SELECT reason FROM verdicts WHERE verdicts.job_id = jobs.id)))
RETURNING id, status
""")

REFUSE_RETRIES = Query("""
UPDATE jobs SET next_attempt_at = NULL, updated_at = :now
WHERE id IN (SELECT job_id FROM verdicts WHERE reason IS NOT NULL) AND requested_by IS NULL
AND status = 'failed' AND next_attempt_at IS NOT NULL
RETURNING id, status
""")
"""What failed stays failed, with its error; it only does not come back by itself."""
