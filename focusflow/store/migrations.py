"""How does a database get from its version to ours, each step once and never half?"""

import os
import sqlite3
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from focusflow.errors import NewerDatabase
from focusflow.store.schema import MIGRATIONS, Migration

if TYPE_CHECKING:
    import psycopg

_LOCK = 0x666F637573  # "focus": any number will do that is ours alone


def newest(migrations: Sequence[Migration]) -> int:
    """Return the version that this FocusFlow knows."""
    return migrations[-1].version


def migrate_sqlite(
    connection: sqlite3.Connection, path: Path, migrations: Sequence[Migration] = MIGRATIONS
) -> Path | None:
    """Bring the file to the newest version; return the backup made before an existing one was changed.

    Raises `NewerDatabase`.
    """
    found = _sqlite_version(connection)
    if found > newest(migrations):
        raise NewerDatabase(found, newest(migrations))
    if found == newest(migrations):
        return None
    backup = _back_up(connection, path, found) if found > 0 else None
    for migration in migrations:
        connection.execute("BEGIN IMMEDIATE")
        try:
            # another process may have come first, while we waited for the lock
            if migration.version > _sqlite_version(connection):
                for statement in statements_of(migration.sqlite):
                    connection.execute(statement)
                connection.execute(f"PRAGMA user_version = {migration.version}")
            connection.execute("COMMIT")
        except BaseException:
            if connection.in_transaction:
                connection.execute("ROLLBACK")
            raise
    return backup


def statements_of(script: str) -> Iterator[str]:
    """Yield the script's statements; those of a trigger stay together."""
    statement = ""
    for line in script.splitlines(keepends=True):
        statement += line
        if sqlite3.complete_statement(statement):
            yield statement
            statement = ""


def _sqlite_version(connection: sqlite3.Connection) -> int:
    return int(connection.execute("PRAGMA user_version").fetchone()[0])


def _back_up(connection: sqlite3.Connection, path: Path, version: int) -> Path:
    """Copy the database beside itself, readable for its owner only."""
    stamp = datetime.now(UTC).strftime("%Y%m%dT%H%M%S.%fZ")
    backup = path.with_name(f"{path.name}.v{version}-{stamp}.backup")
    os.close(os.open(backup, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))
    try:
        connection.execute("VACUUM INTO ?", (str(backup),))
    except BaseException:
        backup.unlink()
        raise
    return backup


async def migrate_postgres(
    connection: "psycopg.AsyncConnection[tuple[object, ...]]", migrations: Sequence[Migration] = MIGRATIONS
) -> None:
    """Bring the database to the newest version in one transaction. Raises `NewerDatabase`."""
    async with connection.transaction():
        await connection.execute("SELECT pg_advisory_xact_lock(%s)", (_LOCK,))
        await connection.execute("CREATE TABLE IF NOT EXISTS schema_version (version INTEGER NOT NULL)")
        cursor = await connection.execute("SELECT COALESCE(MAX(version), 0) FROM schema_version")
        row = await cursor.fetchone()
        found = int(str(row[0])) if row else 0
        if found > newest(migrations):
            raise NewerDatabase(found, newest(migrations))
        for migration in migrations:
            if migration.version > found:
                await connection.execute(migration.postgres.encode())
                await connection.execute("INSERT INTO schema_version (version) VALUES (%s)", (migration.version,))
