"""How are transactions run on an SQLite file?

One connection writes and one reads, each on its own thread. A transaction runs whole on the writer's thread, from BEGIN to COMMIT or
ROLLBACK, whatever becomes of the task that waits for it. Transactions that wait at the same time share a commit, which is most of what
a small one costs: each is still all or nothing, and nobody hears of his before all of it is on the disk.
"""

import errno
import os
import re
import sqlite3
from collections import deque
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from time import monotonic
from typing import Literal, TypeVar

import aiosqlite
import anyio

from focusflow.errors import DiskFull, LostClaim, StoreBusy, StoreError, StoreReadOnly
from focusflow.store.database import LATEST_TEXTS, Row, Statement, TextSearch, bound
from focusflow.store.migrations import migrate_sqlite

T = TypeVar("T")
Synchronous = Literal["FULL", "NORMAL"]

OLDEST_SQLITE = (3, 37)
"""STRICT tables; UPDATE FROM, RETURNING and MATERIALIZED are older."""
CLOSE_SECONDS = 10.0
SHARED_SECONDS = 0.005
"""A commit takes along what waits for no longer than this, so that a short transaction does not wait for many."""

_LOCK_CLAUSE = re.compile(r"\bFOR UPDATE( OF \w+)?( SKIP LOCKED)?")
_REMOTE = ("nfs", "cifs", "smb", "afs", "9p", "fuse.sshfs", "fuse.rclone", "fuse.s3fs", "ceph", "glusterfs", "lustre")


@dataclass(slots=True)
class _Waiting:
    """A transaction that has not been run yet, and then what came of it."""

    statements: Sequence[Statement]
    results: list[list[Row]] = field(default_factory=list)
    error: BaseException | None = None


class SqliteDatabase:
    """An open SQLite file."""

    text_search = TextSearch(
        in_names="SELECT rowid AS seq FROM calls_text WHERE calls_text MATCH :grams",
        names_counted="SELECT COUNT(*) FROM (SELECT rowid FROM calls_text WHERE calls_text MATCH :grams LIMIT :limit)",
        in_texts=f"""
SELECT jobs.seq FROM (SELECT rowid FROM documents_text WHERE documents_text MATCH :term
    ORDER BY rowid DESC LIMIT {LATEST_TEXTS}) AS hits
CROSS JOIN documents CROSS JOIN jobs
WHERE documents.id = hits.rowid AND documents.superseded_at IS NULL AND jobs.id = documents.job_id
UNION ALL
SELECT jobs.seq FROM (SELECT rowid FROM summaries_text WHERE summaries_text MATCH :term
    ORDER BY rowid DESC LIMIT {LATEST_TEXTS}) AS hits
CROSS JOIN summaries CROSS JOIN jobs
WHERE summaries.id = hits.rowid AND summaries.superseded_at IS NULL AND jobs.id = summaries.job_id""",
        prefix="{}*",
        quote='"',
        grams=lambda grams: " AND ".join('"' + gram.replace('"', '""') + '"' for gram in sorted(grams)),
    )

    def __init__(self, path: Path, writer: aiosqlite.Connection, reader: aiosqlite.Connection) -> None:
        self._path = path
        self._writer, self._reader = writer, reader
        self._translated: dict[str, str] = {}
        self._queue: deque[_Waiting] = deque()

    async def run(self, statements: Sequence[Statement]) -> list[list[Row]]:
        mine = _Waiting(statements)
        with _explained(self._path):
            self._queue.append(mine)
            await _on_thread(self._writer, self._commit_waiting)
            if mine.error is not None:
                raise mine.error
        return mine.results

    async def read(self, statements: Sequence[Statement]) -> list[list[Row]]:
        with _explained(self._path):
            return await _on_thread(self._reader, lambda connection: self._snapshot(connection, statements))

    async def optimize(self) -> None:
        with _explained(self._path):
            await _on_thread(self._writer, _optimize)

    def _commit_waiting(self, connection: sqlite3.Connection) -> None:
        """Run what waits as one commit; each task that waits calls this, and most find that another's call took theirs along."""
        if not self._queue:
            return
        together: list[_Waiting] = []
        try:
            connection.execute("BEGIN IMMEDIATE")
            self._run_each(connection, together)
            connection.execute("COMMIT")
        except BaseException as exc:  # noqa: BLE001  # raised where it is waited for, as everything is
            _roll_back(connection)
            if not together:
                self._queue.popleft().error = exc  # nobody's transaction was begun: the first in the queue hears why
            elif len(together) == 1:
                together[0].error = exc
            else:
                self._alone(connection, together)

    def _run_each(self, connection: sqlite3.Connection, together: list[_Waiting]) -> None:
        """Run what waits, noting each before it begins. Raises when one fails that has written something already."""
        enough = monotonic() + SHARED_SECONDS
        while self._queue and (not together or monotonic() < enough):
            together.append(self._queue.popleft())
            written = connection.total_changes
            try:
                together[-1].results = self._each(connection, together[-1].statements)
            except LostClaim as exc:
                if connection.total_changes != written:
                    raise
                together[-1].error = exc

    def _alone(self, connection: sqlite3.Connection, transactions: Sequence[_Waiting]) -> None:
        """Run each anew with a commit of its own: one of them failed, and must not take the others with it."""
        for mine in transactions:
            try:
                connection.execute("BEGIN IMMEDIATE")
                mine.results, mine.error = self._each(connection, mine.statements), None
                connection.execute("COMMIT")
            except BaseException as exc:  # noqa: BLE001  # raised where it is waited for
                _roll_back(connection)
                mine.error = exc

    def _snapshot(self, connection: sqlite3.Connection, statements: Sequence[Statement]) -> list[list[Row]]:
        connection.execute("BEGIN")
        try:
            return self._each(connection, statements)
        finally:
            connection.execute("ROLLBACK")

    def _each(self, connection: sqlite3.Connection, statements: Sequence[Statement]) -> list[list[Row]]:
        results: list[list[Row]] = []
        for statement in statements:
            sql = self._translate(statement.sql)
            if statement.many is not None:
                connection.executemany(sql, statement.many(results))
                results.append([])
                continue
            values = bound(statement, results)
            rows = [] if values is None else connection.execute(sql, values).fetchall()
            if statement.guard is not None and not rows:
                raise LostClaim(statement.guard)
            results.append(rows)
        return results

    def _translate(self, sql: str) -> str:
        if sql not in self._translated:
            self._translated[sql] = translate(sql)
        return self._translated[sql]


def _roll_back(connection: sqlite3.Connection) -> None:
    if connection.in_transaction:
        connection.execute("ROLLBACK")


def translate(sql: str) -> str:
    """Return the statement as SQLite spells it: its writers wait for one another anyway."""
    return _LOCK_CLAUSE.sub("", sql)


async def _on_thread(connection: aiosqlite.Connection, work: Callable[[sqlite3.Connection], T]) -> T:
    """Run *work* on the connection's thread, whole, whatever becomes of the one who waits."""
    if connection._connection is None:
        raise StoreError("The database is closed.")
    # `_execute` is aiosqlite's own way to its thread. Its public methods are one statement each, and a task cancelled
    # between two of them would leave the transaction open for ever. pyproject.toml pins the version for this line.
    result: T = await connection._execute(work, connection._connection)  # type: ignore[no-untyped-call]  # has no types
    return result


@asynccontextmanager
async def open_sqlite(
    path: Path, *, synchronous: Synchronous, busy_timeout_ms: int, mounts: Path = Path("/proc/self/mounts")
) -> AsyncIterator[SqliteDatabase]:
    """Open (or create) the file, bring it to the current version, and close it whatever happens."""

    def writer() -> sqlite3.Connection:
        refuse_network_file_system(path, mounts)
        _create(path)
        return _connected(path, "rw", busy_timeout_ms, lambda opened: _prepare(opened, path, synchronous))

    def reader() -> sqlite3.Connection:
        return _connected(path, "ro", busy_timeout_ms, _prepare_reader)

    async with _thread(path, writer) as writing:
        try:
            async with _thread(path, reader) as reading:
                yield SqliteDatabase(path, writing, reading)
        finally:
            with anyio.CancelScope(shield=True), anyio.move_on_after(CLOSE_SECONDS):
                await _on_thread(writing, _tidy)


@asynccontextmanager
async def open_sqlite_to_read(path: Path, *, busy_timeout_ms: int) -> AsyncIterator[SqliteDatabase]:
    """Open a file that cannot be written; whatever would write raises `StoreReadOnly`."""

    def reader() -> sqlite3.Connection:
        try:
            return _connected(path, "ro", busy_timeout_ms, _prepare_reader)
        except sqlite3.OperationalError:
            log = path.with_name(f"{path.name}-wal")
            if log.exists() and log.stat().st_size:
                raise  # what stands in the log only would be missing
            # nobody can write there, so nobody has to be kept out: no lock and no shared memory are needed
            return _connected(path, "ro&immutable=1", busy_timeout_ms, _prepare_reader)

    async with _thread(path, reader) as writing, _thread(path, reader) as reading:
        yield SqliteDatabase(path, writing, reading)


@asynccontextmanager
async def _thread(path: Path, connect: Callable[[], sqlite3.Connection]) -> AsyncIterator[aiosqlite.Connection]:
    opened: list[sqlite3.Connection] = []

    def remembered() -> sqlite3.Connection:
        opened.append(connect())
        return opened[0]

    connection = aiosqlite.Connection(remembered, iter_chunk_size=64)
    # should closing be prevented by force, the thread must not keep the interpreter from exiting
    connection._thread.daemon = True
    try:
        with _explained(path):
            await connection
    except BaseException:
        # whoever was cancelled while it opened leaves a thread that has yet to end, and a connection that nobody knows
        await _ended(connection)
        for unknown in opened:
            unknown.close()
        raise
    try:
        yield connection
    finally:
        with anyio.CancelScope(shield=True), anyio.move_on_after(CLOSE_SECONDS):
            await connection.close()
        await _ended(connection)


async def _ended(connection: aiosqlite.Connection) -> None:
    """Wait until the thread is gone: it must not report to a loop that is closed."""
    with anyio.CancelScope(shield=True), anyio.move_on_after(CLOSE_SECONDS):
        while connection._thread.is_alive():  # noqa: ASYNC110  # a thread has no event to wait for
            await anyio.sleep(0.002)


def _connected(
    path: Path, mode: str, busy_timeout_ms: int, prepare: Callable[[sqlite3.Connection], None]
) -> sqlite3.Connection:
    connection = sqlite3.connect(
        f"{path.absolute().as_uri()}?mode={mode}",
        uri=True,
        isolation_level=None,
        check_same_thread=False,  # one thread uses it, but another may have to close it
        timeout=busy_timeout_ms / 1000,
        cached_statements=512,
    )
    try:
        prepare(connection)
    except BaseException:
        connection.close()
        raise
    return connection


def _prepare(connection: sqlite3.Connection, path: Path, synchronous: Synchronous) -> None:
    connection.execute("PRAGMA journal_mode = WAL")
    # a commit that a power cut may take back would be a payment we don't know of
    connection.execute(f"PRAGMA synchronous = {synchronous}")
    connection.execute("PRAGMA foreign_keys = ON")
    connection.execute("PRAGMA temp_store = MEMORY")
    connection.execute("PRAGMA wal_autocheckpoint = 4000")  # 16 MB: pages written again and again are copied once
    connection.execute("PRAGMA cache_size = -32768")  # 32 MB: a page of a thousand files touches many leaves
    migrate_sqlite(connection, path)


def _prepare_reader(connection: sqlite3.Connection) -> None:
    connection.execute("PRAGMA query_only = ON")
    connection.execute("SELECT COUNT(*) FROM control")


def _optimize(connection: sqlite3.Connection) -> None:
    # Without statistics every plan is the same on every machine, and tested. Those of a small database were seen to make
    # SQLite walk through whole tables once it had grown, so none are gathered.
    connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")


def _tidy(connection: sqlite3.Connection) -> None:
    """Optimise before closing; a full or busy disk is no reason not to close."""
    try:
        connection.execute("PRAGMA busy_timeout = 250")
        _optimize(connection)
    except sqlite3.OperationalError:
        return


def _create(path: Path) -> None:
    """Make the file readable for its owner only; its `-wal` and `-shm` inherit that."""
    if sqlite3.sqlite_version_info < OLDEST_SQLITE:
        needed = ".".join(map(str, OLDEST_SQLITE))
        raise StoreError(f"SQLite {sqlite3.sqlite_version} is too old for {path}: {needed} or newer is needed.")
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    os.close(os.open(path, os.O_RDWR | os.O_CREAT, 0o600))


def refuse_network_file_system(path: Path, mounts: Path) -> None:
    """Raise `StoreError` if the file would lie where other computers write too: SQLite's log needs shared memory."""
    kind = _file_system(path, mounts)
    if kind is not None and kind.startswith(_REMOTE):
        raise StoreError(
            f"{path} lies on a network file system ({kind}), which SQLite cannot share safely: "
            "put the database on a local disk, or use PostgreSQL."
        )


def _file_system(path: Path, mounts: Path) -> str | None:
    """Return the type of the file system that holds *path*; None where the system does not say."""
    try:
        lines = mounts.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return None
    place = path.absolute()
    best, kind = -1, None
    for fields in (line.split() for line in lines):
        point = fields[1].replace("\\040", " ")
        if len(point) >= best and place.is_relative_to(point):
            best, kind = len(point), fields[2]
    return kind


# ------------------------------------------------------------------------------------------------------------ errors


@contextmanager
def _explained(path: Path) -> Iterator[None]:
    """Turn what the driver and the file system raise into one sentence that names the file."""
    try:
        yield
    except sqlite3.Error as exc:
        raise _sentence(path, exc) from exc
    except OSError as exc:
        if exc.errno in (errno.ENOSPC, errno.EDQUOT):
            raise DiskFull(_FULL.format(path=path)) from exc
        if exc.errno in (errno.EROFS, errno.EACCES, errno.EPERM):
            raise StoreReadOnly(_NOT_WRITABLE.format(path=path)) from exc
        raise StoreError(f"{path} cannot be opened: {exc.strerror or exc}.") from exc


_NOT_WRITABLE = "{path} cannot be written: give FocusFlow write permission for the file and for its folder."
_FULL = "The disk is full: nothing can be written to {path} until there is room. Nothing was lost."


def _sentence(path: Path, error: sqlite3.Error) -> StoreError:
    code = getattr(error, "sqlite_errorcode", sqlite3.SQLITE_ERROR)
    match code & 0xFF:
        case sqlite3.SQLITE_BUSY | sqlite3.SQLITE_LOCKED:
            return StoreBusy(f"Another program keeps {path} locked: it is tried again.")
        case sqlite3.SQLITE_FULL:
            return DiskFull(_FULL.format(path=path))
        case sqlite3.SQLITE_IOERR if code == sqlite3.SQLITE_IOERR_SHMSIZE:
            return DiskFull(_FULL.format(path=path))
        case sqlite3.SQLITE_READONLY | sqlite3.SQLITE_CANTOPEN | sqlite3.SQLITE_PERM:
            return StoreReadOnly(_NOT_WRITABLE.format(path=path))
        case sqlite3.SQLITE_NOTADB:
            return StoreError(f"{path} is not a FocusFlow database: name another file, or move this one away.")
        case sqlite3.SQLITE_CORRUPT:
            return StoreError(f"{path} is damaged ({error}): restore it from the newest backup beside it.")
        case sqlite3.SQLITE_ERROR if str(error).startswith(("no such table", "no such column")):
            return StoreError(
                f"{path} was made by an early FocusFlow and does not fit this one ({error}): restore a backup that "
                "fits, or begin with a new database in another data_dir."
            )
        case _:
            return StoreError(f"{path} cannot be used: {error}.")
