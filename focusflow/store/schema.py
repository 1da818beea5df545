"""What does the database look like, and how did it get there?

One entry for each version, once for each engine; a released entry is never edited. The engines differ only in the names of types,
in how counters are kept and in full text.
"""

from collections.abc import Callable, Sequence

from msgspec import Struct


class Migration(Struct, frozen=True, kw_only=True):
    """The step from one version of the schema to the next."""

    version: int
    sqlite: str
    postgres: str


# What lists are made of stands first: SQLite takes no index for a whole answer that needs a column after the sixty-third.
_TABLES = """
CREATE TABLE jobs (
    seq {serial},
    id TEXT {c_locale} NOT NULL UNIQUE,
    status TEXT NOT NULL CHECK (status IN ('discovered', 'transcribing', 'transcribed', 'summarizing', 'syncing',
                                           'completed', 'failed', 'skipped')),
    updated_at BIGINT NOT NULL,
    lease_until BIGINT,
    contact_key TEXT {c_locale},
    haystack TEXT NOT NULL,
    asked INTEGER NOT NULL GENERATED ALWAYS AS (CASE WHEN requested_by = 'user' THEN 1 ELSE 0 END) STORED,
    estimate_micros BIGINT GENERATED ALWAYS AS (transcribe_micros + summarize_micros) STORED,
    rank_at BIGINT NOT NULL GENERATED ALWAYS AS (COALESCE(call_timestamp, discovered_at)) STORED,
    price_micros BIGINT GENERATED ALWAYS AS (
        CASE WHEN cost_micros > 0 OR completed_at IS NOT NULL THEN cost_micros
             ELSE transcribe_micros + summarize_micros END) STORED,
    shelf TEXT {c_locale} GENERATED ALWAYS AS (CASE
        WHEN status IN ('transcribing', 'transcribed', 'summarizing', 'syncing') THEN NULL
        WHEN status = 'discovered' AND hold_kind IS NOT NULL THEN 'held' ELSE status END) STORED,
    source TEXT NOT NULL,
    gdrive_file_id TEXT NOT NULL,
    gdrive_file_name TEXT NOT NULL,
    gdrive_file_size BIGINT,
    file_md5 TEXT,
    parent_id TEXT,
    web_url TEXT,
    file_modified_at BIGINT,
    gdrive_json_id TEXT,
    recorder TEXT,
    contact_name TEXT,
    contact_number TEXT,
    call_direction TEXT,
    call_type TEXT,
    call_timestamp BIGINT,
    duration_seconds DOUBLE PRECISION,
    duration_source TEXT,
    requested_by TEXT,
    auto_processed INTEGER NOT NULL DEFAULT 0,
    skip_reason TEXT,
    skipped_by TEXT,
    hold_kind TEXT,
    hold_reason TEXT,
    next_attempt_at BIGINT,
    retry_count INTEGER NOT NULL DEFAULT 0,
    rescue_count INTEGER NOT NULL DEFAULT 0,
    error_step TEXT,
    error_message TEXT,
    claim_token TEXT,
    claimed_by TEXT,
    claimed_at BIGINT,
    upload_ref TEXT,
    uploaded_content TEXT,
    uploaded_at BIGINT,
    submit_intent_at BIGINT,
    transcript_id TEXT,
    language TEXT,
    title TEXT,
    transcribe_micros BIGINT,
    summarize_micros BIGINT,
    budget_exempt INTEGER NOT NULL DEFAULT 0,
    cost_micros BIGINT NOT NULL DEFAULT 0,
    discovered_at BIGINT NOT NULL,
    transcription_started_at BIGINT,
    transcription_completed_at BIGINT,
    summarization_started_at BIGINT,
    summarization_completed_at BIGINT,
    sync_started_at BIGINT,
    completed_at BIGINT,
    pair_key TEXT NOT NULL,
    UNIQUE (source, gdrive_file_id),
    CHECK ((claim_token IS NULL) = (lease_until IS NULL)),
    CHECK ((claim_token IS NOT NULL) = (status IN ('transcribing', 'transcribed', 'summarizing', 'syncing')))
) {strict};

CREATE INDEX jobs_oldest_due ON jobs (asked DESC, rank_at, id, next_attempt_at) WHERE status = 'discovered';
CREATE INDEX jobs_newest_due ON jobs (asked, rank_at, id, next_attempt_at) WHERE status = 'discovered';
CREATE INDEX calls_by_time ON jobs (shelf, rank_at, id) WHERE shelf IS NOT NULL;
CREATE INDEX calls_by_contact ON jobs (shelf, contact_key, id) WHERE shelf IS NOT NULL;
CREATE INDEX calls_by_length ON jobs (shelf, duration_seconds, id) WHERE shelf IS NOT NULL;
CREATE INDEX calls_by_cost ON jobs (shelf, price_micros, id) WHERE shelf IS NOT NULL;
CREATE INDEX calls_changed ON jobs (updated_at, id) WHERE shelf IS NOT NULL;
CREATE INDEX jobs_retried ON jobs (next_attempt_at) WHERE status = 'failed' AND next_attempt_at IS NOT NULL;
CREATE INDEX jobs_waiting ON jobs (next_attempt_at) WHERE status = 'discovered' AND next_attempt_at IS NOT NULL;
CREATE INDEX jobs_leased ON jobs (lease_until) WHERE lease_until IS NOT NULL;
CREATE INDEX jobs_claimed ON jobs (claimed_at) WHERE claimed_at IS NOT NULL;
CREATE INDEX jobs_same_content ON jobs (file_md5, gdrive_file_size) WHERE file_md5 IS NOT NULL;
CREATE INDEX jobs_by_pair ON jobs (source, pair_key);
CREATE INDEX jobs_unmeasured ON jobs (discovered_at, id) WHERE status = 'discovered' AND duration_seconds IS NULL;
CREATE INDEX jobs_judged ON jobs (id)
    WHERE status = 'discovered' OR (status = 'skipped' AND skipped_by IN ('rule', 'name'))
        OR (status = 'failed' AND next_attempt_at IS NOT NULL);

CREATE TABLE sidecars (
    source TEXT NOT NULL,
    file_id TEXT NOT NULL,
    pair_key TEXT NOT NULL,
    content TEXT NOT NULL,
    PRIMARY KEY (source, file_id)
) {strict};
CREATE INDEX sidecars_by_key ON sidecars (source, pair_key);

CREATE TABLE documents (
    id {serial},
    job_id TEXT {c_locale} NOT NULL REFERENCES jobs (id) ON DELETE CASCADE,
    version INTEGER NOT NULL,
    raw {bytes},
    transcript TEXT,
    utterances TEXT,
    speakers TEXT,
    language TEXT,
    duration_seconds DOUBLE PRECISION,
    model TEXT,
    created_at BIGINT NOT NULL,
    superseded_at BIGINT,
    UNIQUE (job_id, version)
) {strict};
CREATE UNIQUE INDEX documents_current ON documents (job_id) WHERE superseded_at IS NULL;

CREATE TABLE summaries (
    id {serial},
    job_id TEXT {c_locale} NOT NULL REFERENCES jobs (id) ON DELETE CASCADE,
    version INTEGER NOT NULL,
    title TEXT NOT NULL,
    markdown TEXT NOT NULL,
    model TEXT NOT NULL,
    prompt_hash TEXT NOT NULL,
    cost_micros BIGINT,
    created_at BIGINT NOT NULL,
    superseded_at BIGINT,
    UNIQUE (job_id, version)
) {strict};
CREATE UNIQUE INDEX summaries_current ON summaries (job_id) WHERE superseded_at IS NULL;

CREATE TABLE attempts (
    id {serial},
    job_id TEXT {c_locale} NOT NULL REFERENCES jobs (id) ON DELETE CASCADE,
    step TEXT NOT NULL,
    started_at BIGINT NOT NULL,
    finished_at BIGINT,
    outcome TEXT NOT NULL,
    error TEXT,
    cost_micros BIGINT
) {strict};
CREATE INDEX attempts_of_job ON attempts (job_id, id);
CREATE INDEX attempts_done ON attempts (step, finished_at, started_at) WHERE outcome = 'done';
CREATE INDEX attempts_reused ON attempts (finished_at, step, job_id) WHERE outcome = 'reused';

CREATE TABLE charges (
    id {serial},
    job_id TEXT {c_locale} NOT NULL REFERENCES jobs (id) ON DELETE CASCADE,
    step TEXT NOT NULL,
    state TEXT NOT NULL CHECK (state IN ('reserved', 'settled', 'released')),
    provider TEXT,
    model TEXT,
    estimate_micros BIGINT,
    actual_micros BIGINT,
    usage_known INTEGER NOT NULL DEFAULT 0,
    usage TEXT NOT NULL DEFAULT '{{}}',
    external_ref TEXT,
    reserved_at BIGINT NOT NULL,
    settled_at BIGINT,
    claim_token TEXT
) {strict};
CREATE UNIQUE INDEX charges_standing ON charges (job_id, step) WHERE state = 'reserved';
CREATE INDEX charges_of_job ON charges (job_id, id);
CREATE INDEX charges_by_time ON charges (reserved_at, state, actual_micros, estimate_micros);

CREATE TABLE overrides (
    id {serial},
    kind TEXT NOT NULL CHECK (kind IN ('raise', 'set', 'lift', 'stop')),
    period TEXT CHECK (period IN ('day', 'week', 'month')),
    amount_micros BIGINT,
    job_id TEXT {c_locale},
    made_at BIGINT NOT NULL,
    made_from TEXT NOT NULL,
    reason TEXT NOT NULL,
    since BIGINT NOT NULL,
    until BIGINT NOT NULL,
    undone_at BIGINT
) {strict};
CREATE INDEX overrides_for_all ON overrides (until) WHERE job_id IS NULL AND undone_at IS NULL;
CREATE INDEX overrides_of_job ON overrides (job_id, until) WHERE job_id IS NOT NULL AND undone_at IS NULL;

CREATE TABLE deliveries (
    job_id TEXT {c_locale} NOT NULL REFERENCES jobs (id) ON DELETE CASCADE,
    sink TEXT NOT NULL,
    intent_at BIGINT,
    ref TEXT,
    url TEXT,
    memo TEXT,
    error TEXT,
    attempts INTEGER NOT NULL DEFAULT 0,
    next_attempt_at BIGINT,
    delivered_at BIGINT,
    leased_until BIGINT,
    again INTEGER NOT NULL DEFAULT 0,
    PRIMARY KEY (job_id, sink)
) {strict};
CREATE INDEX deliveries_due ON deliveries (next_attempt_at) WHERE next_attempt_at IS NOT NULL;
CREATE INDEX deliveries_failed ON deliveries (job_id) WHERE error IS NOT NULL;

CREATE TABLE job_events (
    id {serial},
    job_id TEXT {c_locale} NOT NULL REFERENCES jobs (id) ON DELETE CASCADE,
    at BIGINT NOT NULL,
    level TEXT NOT NULL,
    step TEXT,
    message TEXT NOT NULL
) {strict};
CREATE INDEX job_events_of_job ON job_events (job_id, id);

CREATE TABLE control (key TEXT PRIMARY KEY, value TEXT NOT NULL) {strict};
INSERT INTO control (key, value) VALUES ('claims', 'whoever claims locks this row first');

CREATE TABLE instances (
    token TEXT PRIMARY KEY,
    name TEXT NOT NULL,
    started_at BIGINT NOT NULL,
    seen_at BIGINT NOT NULL,
    details TEXT NOT NULL
) {strict};
"""

# ----------------------------------------------------------------------------------------------------- what is counted up

_HOUR_MS = 3_600_000


def _charge_parts(row: str) -> dict[str, str]:
    """Return what a charge adds to the sums of its hour."""
    price = f"COALESCE({row}.actual_micros, {row}.estimate_micros, 0)"
    return {
        "hour": f"{row}.reserved_at / {_HOUR_MS} * {_HOUR_MS}",
        "settled_micros": f"CASE WHEN {row}.state = 'settled' THEN {price} ELSE 0 END",
        "reserved_micros": f"CASE WHEN {row}.state = 'reserved' THEN {price} ELSE 0 END",
        "unpriced": f"CASE WHEN {row}.state <> 'released' AND {row}.actual_micros IS NULL "
        f"AND {row}.estimate_micros IS NULL THEN 1 ELSE 0 END",
    }


def _job_parts(row: str) -> dict[str, str]:
    """Return what a job adds to the sums of its shelf: what waits, and what was spared in the hour of its discovery."""
    price = (
        f"CASE WHEN {row}.transcription_completed_at IS NULL THEN {row}.estimate_micros "
        f"WHEN {row}.summarization_completed_at IS NULL THEN {row}.summarize_micros ELSE 0 END"
    )
    return {
        "shelf": f"CASE {row}.status WHEN 'discovered' THEN 'waiting' ELSE 'spared' END",
        "hour": f"CASE {row}.status WHEN 'discovered' THEN 0 ELSE {row}.discovered_at / {_HOUR_MS} * {_HOUR_MS} END",
        "calls": "1",
        "milliseconds": f"CAST(ROUND(COALESCE({row}.duration_seconds, 0) * 1000) AS BIGINT)",
        "micros": f"COALESCE({price}, 0)",
        "unpriced": f"CASE WHEN ({price}) IS NULL THEN 1 ELSE 0 END",
    }


def _is_summed(row: str) -> str:
    return f"({row}.status = 'discovered' OR ({row}.status = 'skipped' AND COALESCE({row}.skipped_by, '') <> 'gone'))"


def _sqlite_added(table: str, keys: str, parts: dict[str, str], where: str) -> str:
    names = [name for name in parts if name not in keys.split(", ")]
    return f"""INSERT INTO {table} ({", ".join(parts)}) SELECT {", ".join(parts.values())} WHERE {where}
        ON CONFLICT ({keys}) DO UPDATE SET {", ".join(f"{name} = {name} + excluded.{name}" for name in names)};"""


def _sqlite_removed(table: str, keys: str, parts: dict[str, str], where: str) -> str:
    names = [name for name in parts if name not in keys.split(", ")]
    this = " AND ".join(f"{key} = {parts[key]}" for key in keys.split(", "))
    return f"""UPDATE {table} SET {", ".join(f"{name} = {name} - ({parts[name]})" for name in names)}
        WHERE {where} AND {this};"""


def _sqlite_sums(table: str, sums: str, keys: str, parts: Callable[[str], dict[str, str]], columns: str) -> str:
    """Return the triggers that keep *sums* in step with *table*."""
    kept = _is_summed if table == "jobs" else lambda _: "TRUE"
    added = _sqlite_added(sums, keys, parts("NEW"), kept("NEW"))
    removed = _sqlite_removed(sums, keys, parts("OLD"), kept("OLD"))
    return f"""
CREATE TRIGGER {sums}_insert AFTER INSERT ON {table} WHEN {kept("NEW")} BEGIN {added} END;
CREATE TRIGGER {sums}_update AFTER UPDATE OF {columns} ON {table} WHEN {kept("OLD")} OR {kept("NEW")}
BEGIN {removed} {added} END;
CREATE TRIGGER {sums}_delete AFTER DELETE ON {table} WHEN {kept("OLD")} BEGIN {removed} END;
"""


def _postgres_sums(table: str, sums: str, keys: str, parts: Callable[[str], dict[str, str]]) -> str:
    """Return the triggers that add a row of differences to *sums* for every change of *table*."""
    kept = _is_summed if table == "jobs" else lambda _: "TRUE"
    names = [name for name in parts("x") if name not in keys.split(", ")]
    changed = " OR ".join(f"SUM({name}) <> 0" for name in names)

    def rows(row: str, sign: str) -> str:
        values = (f"{'' if name in keys else sign}({value}) AS {name}" for name, value in parts(row).items())
        return f"SELECT {', '.join(values)} FROM {row} WHERE {kept(row)}"

    def function(event: str, changes: str, tables: str) -> str:
        return f"""
CREATE FUNCTION {sums}_{event}() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
    INSERT INTO {sums} ({keys}, {", ".join(names)})
    SELECT {keys}, {", ".join(f"SUM({name})" for name in names)} FROM ({changes}) AS changes
    GROUP BY {keys} HAVING {changed};
    RETURN NULL;
END $$;
CREATE TRIGGER {sums}_{event} AFTER {event.upper()} ON {table} REFERENCING {tables}
    FOR EACH STATEMENT EXECUTE FUNCTION {sums}_{event}();
"""

    both = f"{rows('added', '')} UNION ALL {rows('removed', '-')}"
    return (
        function("insert", rows("added", ""), "NEW TABLE AS added")
        + function("update", both, "OLD TABLE AS removed NEW TABLE AS added")
        + function("delete", rows("removed", "-"), "OLD TABLE AS removed")
    )


_SQLITE_SUMS = (
    """
CREATE TABLE charge_sums (hour INTEGER PRIMARY KEY, settled_micros INTEGER NOT NULL, reserved_micros INTEGER NOT NULL,
    unpriced INTEGER NOT NULL) STRICT;
CREATE TABLE job_sums (shelf TEXT NOT NULL, hour INTEGER NOT NULL, calls INTEGER NOT NULL, milliseconds INTEGER NOT NULL,
    micros INTEGER NOT NULL, unpriced INTEGER NOT NULL, PRIMARY KEY (shelf, hour)) STRICT, WITHOUT ROWID;
"""
    + _sqlite_sums(
        "charges", "charge_sums", "hour", _charge_parts, "state, reserved_at, actual_micros, estimate_micros"
    )
    + _sqlite_sums(
        "jobs",
        "job_sums",
        "shelf, hour",
        _job_parts,
        "status, skipped_by, duration_seconds, transcribe_micros, summarize_micros, transcription_completed_at, "
        "summarization_completed_at",
    ).replace("BIGINT", "INTEGER")
)

# rows of differences, as for the counters
_POSTGRES_SUMS = (
    """
CREATE TABLE charge_sums (hour BIGINT NOT NULL, settled_micros BIGINT NOT NULL, reserved_micros BIGINT NOT NULL,
    unpriced BIGINT NOT NULL);
CREATE INDEX charge_sums_by_hour ON charge_sums (hour);
CREATE TABLE job_sums (shelf TEXT NOT NULL, hour BIGINT NOT NULL, calls BIGINT NOT NULL, milliseconds BIGINT NOT NULL,
    micros BIGINT NOT NULL, unpriced BIGINT NOT NULL);
CREATE INDEX job_sums_by_hour ON job_sums (shelf, hour);
"""
    + _postgres_sums("charges", "charge_sums", "hour", _charge_parts)
    + _postgres_sums("jobs", "job_sums", "shelf, hour", _job_parts)
)

_SQLITE_COUNTERS_AND_TEXT = """
CREATE TABLE job_counts (status TEXT NOT NULL, step TEXT NOT NULL, n INTEGER NOT NULL, PRIMARY KEY (status, step))
STRICT, WITHOUT ROWID;

CREATE TRIGGER jobs_counted_insert AFTER INSERT ON jobs BEGIN
    INSERT INTO job_counts (status, step, n) VALUES (COALESCE(NEW.shelf, NEW.status), COALESCE(NEW.error_step, ''), 1)
    ON CONFLICT (status, step) DO UPDATE SET n = n + 1;
END;
CREATE TRIGGER jobs_counted_update AFTER UPDATE OF status, error_step, hold_kind ON jobs
WHEN OLD.status <> NEW.status OR OLD.shelf IS NOT NEW.shelf OR OLD.error_step IS NOT NEW.error_step BEGIN
    UPDATE job_counts SET n = n - 1 WHERE status = COALESCE(OLD.shelf, OLD.status) AND step = COALESCE(OLD.error_step, '');
    INSERT INTO job_counts (status, step, n) VALUES (COALESCE(NEW.shelf, NEW.status), COALESCE(NEW.error_step, ''), 1)
    ON CONFLICT (status, step) DO UPDATE SET n = n + 1;
END;
CREATE TRIGGER jobs_counted_delete AFTER DELETE ON jobs BEGIN
    UPDATE job_counts SET n = n - 1 WHERE status = COALESCE(OLD.shelf, OLD.status) AND step = COALESCE(OLD.error_step, '');
END;

CREATE VIRTUAL TABLE calls_text USING fts5 (haystack, content='', columnsize=0, detail=none, tokenize='trigram');
CREATE TRIGGER calls_indexed_insert AFTER INSERT ON jobs BEGIN
    INSERT INTO calls_text (rowid, haystack) VALUES (NEW.seq, '  ' || replace(NEW.haystack, ' ', '  '));
END;
CREATE TRIGGER calls_indexed_update AFTER UPDATE OF haystack ON jobs WHEN OLD.haystack <> NEW.haystack BEGIN
    INSERT INTO calls_text (calls_text, rowid, haystack)
    VALUES ('delete', OLD.seq, '  ' || replace(OLD.haystack, ' ', '  '));
    INSERT INTO calls_text (rowid, haystack) VALUES (NEW.seq, '  ' || replace(NEW.haystack, ' ', '  '));
END;
CREATE TRIGGER calls_indexed_delete AFTER DELETE ON jobs BEGIN
    INSERT INTO calls_text (calls_text, rowid, haystack)
    VALUES ('delete', OLD.seq, '  ' || replace(OLD.haystack, ' ', '  '));
END;

CREATE VIRTUAL TABLE documents_text USING fts5 (
    transcript, content='documents', content_rowid='id', tokenize='unicode61 remove_diacritics 2');
CREATE TRIGGER documents_indexed_insert AFTER INSERT ON documents BEGIN
    INSERT INTO documents_text (rowid, transcript) VALUES (NEW.id, NEW.transcript);
END;
CREATE TRIGGER documents_indexed_update AFTER UPDATE OF transcript ON documents BEGIN
    INSERT INTO documents_text (documents_text, rowid, transcript) VALUES ('delete', OLD.id, OLD.transcript);
    INSERT INTO documents_text (rowid, transcript) VALUES (NEW.id, NEW.transcript);
END;
CREATE TRIGGER documents_indexed_delete AFTER DELETE ON documents BEGIN
    INSERT INTO documents_text (documents_text, rowid, transcript) VALUES ('delete', OLD.id, OLD.transcript);
END;

CREATE VIRTUAL TABLE summaries_text USING fts5 (
    title, markdown, content='summaries', content_rowid='id', tokenize='unicode61 remove_diacritics 2');
CREATE TRIGGER summaries_indexed_insert AFTER INSERT ON summaries BEGIN
    INSERT INTO summaries_text (rowid, title, markdown) VALUES (NEW.id, NEW.title, NEW.markdown);
END;
CREATE TRIGGER summaries_indexed_delete AFTER DELETE ON summaries BEGIN
    INSERT INTO summaries_text (summaries_text, rowid, title, markdown)
    VALUES ('delete', OLD.id, OLD.title, OLD.markdown);
END;
"""

# Every change adds a row of differences, which `optimize` sums up: a row for each status would be fought over by all writers.
# A text is cut before it is indexed: PostgreSQL refuses to index more than a megabyte, and a transcript must never be refused.
_POSTGRES_COUNTERS_AND_TEXT = """
CREATE TABLE job_counts (status TEXT NOT NULL, step TEXT NOT NULL, n BIGINT NOT NULL);

CREATE FUNCTION jobs_counted_insert() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
    INSERT INTO job_counts (status, step, n)
    SELECT COALESCE(shelf, status), COALESCE(error_step, ''), COUNT(*) FROM added GROUP BY 1, 2;
    RETURN NULL;
END $$;
CREATE FUNCTION jobs_counted_update() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
    INSERT INTO job_counts (status, step, n)
    SELECT status, step, SUM(n) FROM (
        SELECT COALESCE(shelf, status) AS status, COALESCE(error_step, '') AS step, 1 AS n FROM added
        UNION ALL
        SELECT COALESCE(shelf, status), COALESCE(error_step, ''), -1 FROM removed
    ) AS changes GROUP BY 1, 2 HAVING SUM(n) <> 0;
    RETURN NULL;
END $$;
CREATE FUNCTION jobs_counted_delete() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
    INSERT INTO job_counts (status, step, n)
    SELECT COALESCE(shelf, status), COALESCE(error_step, ''), -COUNT(*) FROM removed GROUP BY 1, 2;
    RETURN NULL;
END $$;
CREATE TRIGGER jobs_counted_insert AFTER INSERT ON jobs REFERENCING NEW TABLE AS added
    FOR EACH STATEMENT EXECUTE FUNCTION jobs_counted_insert();
CREATE TRIGGER jobs_counted_update AFTER UPDATE ON jobs REFERENCING OLD TABLE AS removed NEW TABLE AS added
    FOR EACH STATEMENT EXECUTE FUNCTION jobs_counted_update();
CREATE TRIGGER jobs_counted_delete AFTER DELETE ON jobs REFERENCING OLD TABLE AS removed
    FOR EACH STATEMENT EXECUTE FUNCTION jobs_counted_delete();

CREATE FUNCTION grams(text) RETURNS text[] LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE AS $$
    SELECT COALESCE(array_agg(DISTINCT substr(spaced, n, 3)), '{}')
    FROM (SELECT '  ' || replace($1, ' ', '  ') AS spaced) AS one, generate_series(1, length(spaced) - 2) AS n
$$;
CREATE INDEX calls_text ON jobs USING gin (grams(haystack));

CREATE INDEX documents_text ON documents
    USING gin (to_tsvector('simple', left(COALESCE(transcript, ''), 400000)));
CREATE INDEX summaries_text ON summaries
    USING gin (to_tsvector('simple', left(title || ' ' || markdown, 400000)));
"""


MIGRATIONS: Sequence[Migration] = (
    Migration(
        version=1,
        sqlite=_TABLES.format(
            strict="STRICT",
            c_locale="",
            serial="INTEGER PRIMARY KEY",
            bytes="BLOB",
        )
        .replace("BIGINT", "INTEGER")
        .replace("DOUBLE PRECISION", "REAL")
        + _SQLITE_SUMS
        + _SQLITE_COUNTERS_AND_TEXT,
        postgres=_TABLES.format(
            strict="",
            c_locale='COLLATE "C"',
            serial="BIGINT GENERATED BY DEFAULT AS IDENTITY PRIMARY KEY",
            bytes="BYTEA",
        )
        + _POSTGRES_SUMS
        + _POSTGRES_COUNTERS_AND_TEXT,
    ),
)
