"""How are transactions run on PostgreSQL?"""

import json
import re
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager, contextmanager

import anyio
import psycopg
from psycopg import errors as refusals
from psycopg.conninfo import conninfo_to_dict
from psycopg_pool import AsyncConnectionPool, PoolTimeout

from focusflow.errors import DiskFull, LostClaim, StoreBusy, StoreError, StoreReadOnly
from focusflow.store.database import LATEST_TEXTS, Row, Statement, TextSearch, Value, bound
from focusflow.store.migrations import migrate_postgres

CONNECTIONS = 4
CONNECT_SECONDS = 10
CLOSE_SECONDS = 5.0
TRIES = 4
"""A transaction that met another one head-on is a value, and simply run again."""

_PARAMETER = re.compile(r"(?<![:\w]):([a-z_]\w*)")
_JSON_EACH = re.compile(r"json_each\((:\w+)\)")

_HAS_GRAMS = "grams(haystack) @> ARRAY(SELECT value FROM json_each(:grams))"

_Again = (refusals.DeadlockDetected, refusals.SerializationFailure)
_Connection = psycopg.AsyncConnection[Row]


class PostgresDatabase:
    """An open pool of connections."""

    text_search = TextSearch(
        in_names=f"SELECT seq FROM jobs WHERE {_HAS_GRAMS}",
        names_counted=f"SELECT COUNT(*) FROM (SELECT 1 FROM jobs WHERE {_HAS_GRAMS} LIMIT :limit) AS matching",
        in_texts=f"""
SELECT seq FROM jobs WHERE id IN (SELECT job_id FROM documents WHERE superseded_at IS NULL
    AND to_tsvector('simple', left(COALESCE(transcript, ''), 400000)) @@ to_tsquery('simple', :term)
    LIMIT {LATEST_TEXTS})
UNION ALL
SELECT seq FROM jobs WHERE id IN (SELECT job_id FROM summaries WHERE superseded_at IS NULL
    AND to_tsvector('simple', left(title || ' ' || markdown, 400000)) @@ to_tsquery('simple', :term)
    LIMIT {LATEST_TEXTS})""",
        prefix="{}:*",
        quote="'",
        grams=lambda grams: json.dumps(sorted(grams)),
    )

    def __init__(self, name: str, pool: AsyncConnectionPool[_Connection]) -> None:
        self._name = name
        self._pool = pool
        self._translated: dict[str, bytes] = {}

    async def run(self, statements: Sequence[Statement]) -> list[list[Row]]:
        for _ in range(TRIES - 1):
            try:
                return await self._once(statements, "")
            except _Again:
                continue
        try:
            return await self._once(statements, "")
        except _Again as exc:
            raise StoreBusy(f"The {self._name} is too busy: it is tried again.") from exc

    async def read(self, statements: Sequence[Statement]) -> list[list[Row]]:
        return await self._once(statements, "SET TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY")

    async def optimize(self) -> None:
        """Sum up the counters' differences."""
        with _explained(self._name):
            async with self._pool.connection() as connection:
                for table, keys, numbers in _COUNTERS:
                    await connection.execute(_summed_up(table, keys, numbers).encode())

    async def _once(self, statements: Sequence[Statement], mode: str) -> list[list[Row]]:
        with _explained(self._name):
            async with self._pool.connection() as connection, connection.transaction():
                if mode:
                    await connection.execute(mode.encode())
                return await self._each(connection, statements)

    async def _each(self, connection: _Connection, statements: Sequence[Statement]) -> list[list[Row]]:
        results: list[list[Row]] = []
        async with connection.cursor() as cursor:
            for statement in statements:
                sql = self._translate(statement.sql)
                if statement.many is not None:
                    await cursor.executemany(sql, statement.many(results))
                    results.append([])
                    continue
                values = bound(statement, results)
                rows = [] if values is None else await _rows(cursor, sql, values)
                if statement.guard is not None and not rows:
                    raise LostClaim(statement.guard)
                results.append(rows)
        return results

    def _translate(self, sql: str) -> bytes:
        if sql not in self._translated:
            self._translated[sql] = translate(sql).encode()
        return self._translated[sql]


async def _rows(cursor: psycopg.AsyncCursor[Row], sql: bytes, values: Mapping[str, Value]) -> list[Row]:
    await cursor.execute(sql, values)
    return await cursor.fetchall() if cursor.description else []


_COUNTERS = (
    ("job_counts", "status, step", ("n",)),
    ("charge_sums", "hour", ("settled_micros", "reserved_micros", "unpriced")),
    ("job_sums", "shelf, hour", ("calls", "milliseconds", "micros", "unpriced")),
)


def _summed_up(table: str, keys: str, numbers: Sequence[str]) -> str:
    """Return the statement that makes one row of all differences with the same keys."""
    sums = ", ".join(f"SUM({number})" for number in numbers)
    return (
        f"WITH summed AS (DELETE FROM {table} RETURNING {keys}, {', '.join(numbers)}) "
        f"INSERT INTO {table} ({keys}, {', '.join(numbers)}) SELECT {keys}, {sums} FROM summed GROUP BY {keys} "
        f"HAVING {' OR '.join(f'SUM({number}) <> 0' for number in numbers)}"
    )


def translate(sql: str) -> str:
    """Return the statement as psycopg and PostgreSQL spell it."""
    sql = _JSON_EACH.sub(r"json_array_elements_text(CAST(\1 AS json)) AS item(value)", sql.replace("%", "%%"))
    return _PARAMETER.sub(r"%(\1)s", sql)


@asynccontextmanager
async def open_postgres(url: str, *, busy_timeout_ms: int, to_read: bool = False) -> AsyncIterator[PostgresDatabase]:
    """Connect, bring the database to the current version (not *to_read*), and close whatever happens."""
    name = _named(url)

    async def set_up(connection: _Connection) -> None:
        await connection.execute(f"SET lock_timeout = {busy_timeout_ms:d}".encode())

    with _explained(name):
        async with await psycopg.AsyncConnection.connect(
            url, autocommit=True, connect_timeout=CONNECT_SECONDS
        ) as connection:
            if not to_read:
                await migrate_postgres(connection)
    pool: AsyncConnectionPool[_Connection] = AsyncConnectionPool(
        url, min_size=1, max_size=CONNECTIONS, open=False, configure=set_up, kwargs={"autocommit": True}
    )
    try:
        with _explained(name):
            await pool.open(wait=True, timeout=CONNECT_SECONDS)
        yield PostgresDatabase(name, pool)
    finally:
        with anyio.CancelScope(shield=True):
            await pool.close(CLOSE_SECONDS)


def _named(url: str) -> str:
    """Return how the database is called in sentences: without password."""
    try:
        parts = conninfo_to_dict(url)
    except psycopg.Error:
        raise StoreError(
            "The address of the PostgreSQL database is not understood: postgresql://user@host/name"
        ) from None
    return f"PostgreSQL database {parts.get('dbname') or parts.get('user') or ''} at {parts.get('host') or 'localhost'}"


@contextmanager
def _explained(name: str) -> Iterator[None]:
    """Turn what the driver raises into one sentence that names the database."""
    try:
        yield
    except _Again:
        raise
    except refusals.LockNotAvailable as exc:
        raise StoreBusy(f"Another program keeps the {name} locked: it is tried again.") from exc
    except (refusals.ReadOnlySqlTransaction, refusals.InsufficientPrivilege) as exc:
        raise StoreReadOnly(
            f"The {name} cannot be written: it is a standby, or its account may only read. Name another in store.url."
        ) from exc
    except refusals.DiskFull as exc:
        raise DiskFull(f"The disk of the {name} is full: nothing can be written until there is room.") from exc
    except (refusals.UndefinedTable, refusals.UndefinedColumn) as exc:
        raise StoreError(
            f"The {name} was made by an early FocusFlow and does not fit this one ({exc.diag.message_primary}): "
            "restore a backup that fits, or name another in store.url."
        ) from exc
    except (psycopg.OperationalError, PoolTimeout) as exc:
        raise StoreError(f"The {name} cannot be reached: {str(exc).strip() or type(exc).__name__}") from exc
    except psycopg.Error as exc:
        raise StoreError(f"The {name} refused a statement: {str(exc).strip()}") from exc
