"""Is a database opened, made, refused or upgraded as it should, and said in one sentence what is wrong with it?"""

from __future__ import annotations

import os
import sqlite3
import subprocess
import sys
import threading
from contextlib import closing, contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import psycopg
import pytest

from focusflow.errors import DiskFull, NewerDatabase, StoreBusy, StoreError, StoreReadOnly
from focusflow.events import Bus
from focusflow.ports import JobFilter
from focusflow.store import Store, open_store
from focusflow.store.migrations import migrate_sqlite, statements_of
from focusflow.store.opening import sqlite_path
from focusflow.store.schema import MIGRATIONS, Migration
from focusflow.store.sqlite import open_sqlite

if TYPE_CHECKING:
    from collections.abc import Iterator

    from focusflow.ports import Control, Inbox, JobRecord, Queue
    from tests.store.conftest import World

NOON = datetime(2026, 5, 4, 12, tzinfo=UTC)


def ports_of(store: Store) -> tuple[Inbox, Queue, JobRecord, Control]:
    """The type checker holds the store to its four contracts here."""
    return store, store, store, store


async def opened(url: str | Path) -> None:
    """Open a store and close it again."""
    async with open_store(url, bus=Bus(), busy_timeout_ms=50) as store:
        await store.pause(now=NOON)


# --------------------------------------------------------------------------------------------------------------- addresses


@pytest.mark.parametrize(
    ("address", "path"),
    [
        ("data/x.db", Path("data/x.db")),
        ("/srv/x.db", Path("/srv/x.db")),
        ("sqlite:///data/x.db", Path("data/x.db")),
        ("sqlite:////srv/with%20space.db", Path("/srv/with space.db")),
        ("~/x.db", Path.home() / "x.db"),
    ],
)
def test_a_file_is_named_in_several_ways(address: str, path: Path) -> None:
    """As a path or as the address that others write."""
    assert sqlite_path(address) == path


@pytest.mark.parametrize(
    "address", ["mysql://x/y", "sqlite://host/x", "", ":memory:", "sqlite:///:memory:", "sqlite:///"]
)
async def test_another_address_is_refused(address: str) -> None:
    """With a sentence that says what would do."""
    with pytest.raises(StoreError, match="sqlite:///path"):
        await opened(address)


async def test_a_bad_postgres_address_is_refused_without_its_password() -> None:
    """Nothing secret gets into a sentence."""
    for address, sentence in (
        ("postgresql://me:secret@127.0.0.1:1/calls", "PostgreSQL database calls at 127.0.0.1 cannot be reached"),
        ("postgresql://me:secret@/x?nonsense=1", "is not understood"),
    ):
        with pytest.raises(StoreError, match=sentence) as caught:
            await opened(address)
        assert "secret" not in str(caught.value)


def test_sqlite_does_not_pay_for_postgres() -> None:
    """The driver of the engine that is not used is not imported."""
    code = "import focusflow.store, sys; print(sorted(m for m in sys.modules if m.startswith('psycopg')))"
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert result.stdout.strip() == "[]"


# ------------------------------------------------------------------------------------------------------------------ files


async def test_a_new_database_is_private_and_durable(tmp_path: Path) -> None:
    """Only its owner reads it, the log beside it included; a commit survives a power cut."""
    path = tmp_path / "a" / "b" / "focusflow.db"
    async with open_store(path, bus=Bus()) as store:
        await store.pause(now=NOON)
        modes = {file.name: file.stat().st_mode & 0o777 for file in path.parent.iterdir()}
        assert modes == {"focusflow.db": 0o600, "focusflow.db-wal": 0o600, "focusflow.db-shm": 0o600}
        assert path.parent.stat().st_mode & 0o777 == 0o700
        assert {thread.daemon for thread in threading.enumerate() if "_connection_worker" in thread.name} == {True}
    assert os.listdir(path.parent) == ["focusflow.db"]
    with closing(sqlite3.connect(path)) as connection:
        assert connection.execute("PRAGMA journal_mode").fetchone() == ("wal",)
        assert connection.execute("PRAGMA user_version").fetchone() == (MIGRATIONS[-1].version,)
        tables = connection.execute(
            "SELECT name FROM sqlite_master WHERE type = 'table' AND sql NOT LIKE '%STRICT%' "
            "AND sql NOT LIKE '%VIRTUAL%' AND name NOT LIKE '%\\_text\\_%' ESCAPE '\\'"
        ).fetchall()
        assert tables == []


@pytest.mark.parametrize(("synchronous", "stored"), [("FULL", 2), ("NORMAL", 1)])
async def test_how_a_connection_is_set_up(tmp_path: Path, synchronous: str, stored: int) -> None:
    """What a commit promises is chosen, references are checked, and one waits for a lock as long as was said."""
    async with open_sqlite(
        tmp_path / "x.db",
        synchronous=synchronous,  # type: ignore[arg-type]  # parametrised
        busy_timeout_ms=1_234,
    ) as database:
        writer = database._writer._conn
        pragmas = ["synchronous", "foreign_keys", "busy_timeout"]
        values = [await database._writer.execute_fetchall(f"PRAGMA {pragma}") for pragma in pragmas]
        assert [row[0] for (row,) in values] == [stored, 1, 1_234]
        assert not writer.in_transaction
        (row,) = await database._reader.execute_fetchall("PRAGMA query_only")
        assert row[0] == 1


async def test_what_is_written_is_there_at_the_next_start(world: World) -> None:
    """Opening an existing database changes nothing."""
    job_id = await world.completed()
    before = await world.detail(job_id)
    async with open_store(world.url, bus=Bus()) as again:
        assert await again.detail(job_id) == before
        assert await again.verify_counts() == {}


async def test_a_closed_store_says_so(url: str) -> None:
    """Whoever holds on to it too long gets a sentence."""
    async with open_store(url, bus=Bus()) as store:
        pass
    with pytest.raises(StoreError, match=r"closed|cannot be reached"):
        await store.control()
    with pytest.raises(StoreError, match=r"closed|cannot be reached"):
        await store.pause(now=NOON)


async def test_what_is_not_a_database_is_left_alone(tmp_path: Path) -> None:
    """Somebody's file by the same name is not overwritten."""
    path = tmp_path / "notes.db"
    path.write_bytes(b"my notes, " * 1_000)
    with pytest.raises(StoreError, match="is not a FocusFlow database") as caught:
        await opened(path)
    assert str(path) in str(caught.value)
    assert path.read_bytes() == b"my notes, " * 1_000


async def test_a_folder_is_no_database(tmp_path: Path) -> None:
    """Nor is a file a folder."""
    with pytest.raises(StoreError, match="cannot be opened: Is a directory"):
        await opened(tmp_path)
    (tmp_path / "file").touch()
    with pytest.raises(StoreError, match="cannot be opened"):
        await opened(tmp_path / "file" / "x.db")


async def test_a_damaged_database_is_named(tmp_path: Path) -> None:
    """With the way out."""
    path = tmp_path / "x.db"
    await opened(path)
    content = bytearray(path.read_bytes())
    content[4096:40_960] = os.urandom(36_864)
    path.write_bytes(content)
    with pytest.raises(StoreError, match="is damaged"):
        await _used(path)


async def _used(path: Path) -> None:
    """Read and write all over the database."""
    async with open_store(path, bus=Bus()) as store:
        await store.verify_counts()
        await store.page(JobFilter(search="x"), limit=5)
        await store.pause(now=NOON)


async def test_another_writer_is_waited_for_and_then_named(tmp_path: Path) -> None:
    """Busy is an error of its own: try again."""
    path = tmp_path / "x.db"
    await opened(path)
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        async with open_store(path, bus=Bus(), busy_timeout_ms=50) as store:
            other.execute("BEGIN IMMEDIATE")
            with pytest.raises(StoreBusy, match=r"keeps .* locked"):
                await store.pause(now=NOON)
            assert (await store.control()).paused
            await store.page(JobFilter(), limit=1)
            other.execute("ROLLBACK")
            await store.resume(now=NOON)


async def test_postgres_says_that_it_is_busy(postgres_url: str) -> None:
    """A lock that is not given back is not waited for without end."""
    async with open_store(postgres_url, bus=Bus(), busy_timeout_ms=50) as store:
        with psycopg.connect(postgres_url) as other:
            other.execute("LOCK TABLE control IN ACCESS EXCLUSIVE MODE")
            with pytest.raises(StoreBusy, match=r"keeps the PostgreSQL database .* locked"):
                await store.pause(now=NOON)
        await store.pause(now=NOON)


async def test_postgres_is_found_again_after_it_lost_every_connection(postgres_url: str) -> None:
    """A restart of the server costs one error, not the program."""
    async with open_store(postgres_url, bus=Bus()) as store:
        with psycopg.connect(postgres_url, autocommit=True) as other:
            other.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
                "WHERE application_name = current_setting('application_name') AND pid <> pg_backend_pid()"
            )
        with pytest.raises(StoreError, match="cannot be reached"):
            await store.pause(now=NOON)
        await store.pause(now=NOON)
        assert (await store.control()).paused


def test_a_network_file_system_is_refused(tmp_path: Path) -> None:
    """SQLite's log needs memory that two computers do not share."""

    async def through(mounts: str) -> None:
        table = tmp_path / "mounts"
        table.write_text(mounts)
        async with open_sqlite(Path("/mnt/my share/x.db"), synchronous="FULL", busy_timeout_ms=1, mounts=table):
            raise AssertionError("opened")

    import asyncio

    local = "/dev/vda / ext4 rw 0 0\n"
    for kind in ("nfs4", "cifs", "smb3", "fuse.sshfs", "9p"):
        with pytest.raises(StoreError, match=r"/mnt/my share/x.db lies on a network file system"):
            asyncio.run(through(f"{local}server:/x /mnt/my\\040share {kind} rw 0 0\n"))


async def test_an_unknown_file_system_is_tried(tmp_path: Path) -> None:
    """Where the system doesn't list what is mounted, or lists a local disk, nothing stands in the way."""
    table = tmp_path / "mounts"
    for mounts in (tmp_path / "missing", table):
        table.write_text("/dev/vda / ext4 rw 0 0\nx:/ /elsewhere nfs rw 0 0\n")
        async with open_sqlite(tmp_path / "x.db", synchronous="FULL", busy_timeout_ms=1, mounts=mounts):
            pass


# ------------------------------------------------------------------------------------------------------------ full disks


@contextmanager
def small_disk(place: Path, size: str = "3m") -> Iterator[None]:
    """Mount a small disk; skips where that is not allowed."""
    place.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", str(place)]
    if os.geteuid() != 0 or subprocess.run(command, capture_output=True, check=False).returncode != 0:
        pytest.skip("a disk of its own can only be mounted by root")
    try:
        yield
    finally:
        subprocess.run(["umount", "-l", str(place)], check=True)


async def test_a_full_disk_loses_nothing(tmp_path: Path) -> None:
    """The write is refused in one sentence; once there is room the same store goes on."""
    place = tmp_path / "disk"
    with small_disk(place):
        async with open_store(place / "x.db", bus=Bus()) as store:
            await store.pause(now=NOON)
            (place / "ballast").write_bytes(bytes(_free(place) - 8_192))
            with pytest.raises(DiskFull, match="The disk is full"):
                await _fill(store)
            assert (await store.control()).paused
            (place / "ballast").unlink()
            await store.resume(now=NOON)
            assert not (await store.control()).paused
        with closing(sqlite3.connect(place / "x.db")) as connection:
            assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)


async def _fill(store: Store) -> None:
    """Write until there is no more room."""
    for n in range(500):
        await store.instance_seen(f"{n}", name="x" * 4_000, now=NOON, details={})


async def test_a_full_disk_has_no_room_for_a_database(tmp_path: Path) -> None:
    """Nor for closing one tidily: it is closed all the same."""
    place = tmp_path / "disk"
    with small_disk(place):
        async with open_store(place / "x.db", bus=Bus()) as store:
            await store.pause(now=NOON)
            (place / "ballast").write_bytes(bytes(_free(place)))
        (place / "more").mkdir()
        with pytest.raises(DiskFull):
            await opened(place / "more" / "y.db")


async def test_a_read_only_folder_is_named(tmp_path: Path) -> None:
    """With what is to be done: for a new file and for an old one."""
    place = tmp_path / "disk"
    with small_disk(place):
        await opened(place / "old.db")
        _make_read_only(place)
        for name in ("old.db", "new.db"):
            with pytest.raises(StoreError, match=r"cannot be (written|opened)") as caught:
                await opened(place / name)
            assert str(place / name) in str(caught.value)


def _make_read_only(place: Path) -> None:
    subprocess.run(["mount", "-o", "remount,ro", str(place)], check=True)


def _free(place: Path) -> int:
    disk = os.statvfs(place)
    return disk.f_bavail * disk.f_frsize


# -------------------------------------------------------------------------------------------------------------- versions

SECOND = Migration(
    version=2,
    sqlite="CREATE TABLE second (x INTEGER) STRICT;\nCREATE TRIGGER t AFTER INSERT ON second BEGIN\n  DELETE FROM second;\nEND;",
    postgres="CREATE TABLE second (x INTEGER)",
)
BROKEN = Migration(version=3, sqlite="CREATE TABLE third (x INTEGER);\nCREATE NONSENSE;", postgres="CREATE NONSENSE")


async def test_a_newer_database_is_not_touched(url: str) -> None:
    """An old program must not write into what a new one made."""
    await opened(url)
    if url.startswith("sqlite"):
        path = sqlite_path(url)
        with closing(sqlite3.connect(path)) as connection:
            connection.execute("PRAGMA user_version = 99")
        before = path.read_bytes()
    else:
        with psycopg.connect(url) as other:
            other.execute("INSERT INTO schema_version (version) VALUES (99)")
    with pytest.raises(NewerDatabase, match="schema version 99"):
        await opened(url)
    if url.startswith("sqlite"):
        assert path.read_bytes() == before


async def test_a_database_with_other_tables_than_ours_says_what_to_do(url: str) -> None:
    """Of an early version that had the same number; which table is missing is told for whoever looks closer."""
    await opened(url)
    if url.startswith("sqlite"):
        with closing(sqlite3.connect(sqlite_path(url))) as connection:
            connection.execute("DROP TABLE control")
    else:
        with psycopg.connect(url) as other:
            other.execute("DROP TABLE control")
    with pytest.raises(StoreError, match="was made by an early FocusFlow") as refused:
        await opened(url)
    assert "control" in str(refused.value)
    assert "restore a backup" in str(refused.value)
    assert "another data_dir" in str(refused.value) or "another in store.url" in str(refused.value)


async def test_an_old_database_is_backed_up_before_it_is_changed(tmp_path: Path) -> None:
    """A private copy beside it, named by version and time; a new database needs none."""
    path = tmp_path / "x.db"
    await opened(path)
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        assert migrate_sqlite(connection, path) is None
        backup = migrate_sqlite(connection, path, [*MIGRATIONS, SECOND])
        assert backup is not None
        assert connection.execute("PRAGMA user_version").fetchone() == (2,)
        assert connection.execute("SELECT COUNT(*) FROM second").fetchone() == (0,)
        assert migrate_sqlite(connection, path, [*MIGRATIONS, SECOND]) is None
    assert backup.name.startswith("x.db.v1-")
    assert backup.stat().st_mode & 0o777 == 0o600
    async with open_store(backup, bus=Bus()) as store:
        assert (await store.control()).paused


async def test_a_migration_is_done_whole_or_not_at_all(tmp_path: Path) -> None:
    """What failed can be tried again by a mended program."""
    path = tmp_path / "x.db"
    await opened(path)
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        with pytest.raises(sqlite3.OperationalError):
            migrate_sqlite(connection, path, [*MIGRATIONS, SECOND, BROKEN])
        assert connection.execute("PRAGMA user_version").fetchone() == (2,)
        assert connection.execute("SELECT name FROM sqlite_master WHERE name = 'third'").fetchall() == []


async def test_no_room_for_a_backup_is_no_reason_to_go_on(tmp_path: Path) -> None:
    """The half-written copy is taken away, the database stays as it was."""
    path = tmp_path / "x.db"
    await opened(path)
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute("BEGIN")  # a backup cannot be made from inside a transaction
        with pytest.raises(sqlite3.OperationalError):
            migrate_sqlite(connection, path, [*MIGRATIONS, SECOND])
        connection.execute("ROLLBACK")
    assert os.listdir(tmp_path) == ["x.db"]


def test_a_script_is_cut_into_statements() -> None:
    """A trigger is one statement, whatever semicolons are in it."""
    assert len(list(statements_of(SECOND.sqlite))) == 2
    assert list(statements_of("")) == []


async def test_two_that_open_at_once_migrate_once(url: str) -> None:
    """The second waits for the first, and finds its work done."""
    import anyio

    async with anyio.create_task_group() as group:
        for _ in range(3):
            group.start_soon(_patient, url)
    if not url.startswith("sqlite"):
        with psycopg.connect(url) as other:
            assert other.execute("SELECT version FROM schema_version").fetchall() == [(1,)]


async def _patient(url: str) -> None:
    async with open_store(url, bus=Bus()) as store:
        await store.pause(now=NOON)


async def test_what_cannot_be_written_can_still_be_read(tmp_path: Path) -> None:
    """On a disk that is read only: the calls are there, and a wish is refused by a sentence that says what to do."""
    place = tmp_path / "disk"
    with small_disk(place):
        async with open_store(place / "x.db", bus=Bus()) as store:
            await store.pause(now=NOON)
        _make_read_only(place)
        with pytest.raises(StoreReadOnly, match="write permission"):
            await opened(place / "x.db")
        async with open_store(place / "x.db", bus=Bus(), to_read=True) as store:
            assert (await store.control()).paused
            with pytest.raises(StoreReadOnly, match="write permission"):
                await store.resume(now=NOON)
            assert (await store.control()).paused


async def test_a_read_only_account_of_postgresql_can_still_read(postgres_url: str) -> None:
    """A standby, or an account that may only read."""
    async with open_store(postgres_url, bus=Bus()) as store:
        await store.pause(now=NOON)
    reading = postgres_url.replace("options=", "options=-cdefault_transaction_read_only%3Don%20")
    with pytest.raises(StoreReadOnly, match="may only read"):
        await opened(reading)
    async with open_store(reading, bus=Bus(), to_read=True) as store:
        assert (await store.control()).paused
        with pytest.raises(StoreReadOnly, match="may only read"):
            await store.resume(now=NOON)
