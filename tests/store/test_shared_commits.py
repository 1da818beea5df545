"""What do transactions that share a commit see of one another's troubles?"""

import sqlite3
from pathlib import Path

import anyio
import pytest

from focusflow.domain.jobs import JobId
from focusflow.errors import LostClaim, StoreError
from focusflow.store.database import Query, Statement
from focusflow.store.sqlite import SqliteDatabase, open_sqlite

SET = Query("INSERT INTO control (key, value) VALUES (:key, :value) RETURNING key")
WRONG = Query("INSERT INTO control (key, value) VALUES ('claims', 'it is there already')")
NEVER = Query("UPDATE control SET value = 'changed' WHERE key = 'no such key' RETURNING key")
READ = Query("SELECT key FROM control WHERE key LIKE 'n%' ORDER BY key")


async def all_at_once(database: SqliteDatabase, *transactions: list[Statement]) -> list[str]:
    """Run the transactions at the same time; return how each ended."""
    ends = [""] * len(transactions)

    async def one(number: int) -> None:
        try:
            rows = await database.run(transactions[number])
            ends[number] = f"wrote {rows[0][0][0]}"
        except (StoreError, LostClaim) as exc:
            ends[number] = type(exc).__name__

    async with anyio.create_task_group() as tasks:
        for number in range(len(transactions)):
            tasks.start_soon(one, number)
    return ends


async def stored(database: SqliteDatabase) -> list[str]:
    return [row[0] for row in (await database.read([READ()]))[0]]


async def test_what_waits_together_is_committed_together(tmp_path: Path) -> None:
    """A commit is most of what a small transaction costs: twenty that wait need far fewer than twenty."""
    async with open_sqlite(tmp_path / "x.db", synchronous="FULL", busy_timeout_ms=1000) as database:
        said: list[str] = []
        database._writer._conn.set_trace_callback(said.append)
        ends = await all_at_once(database, *([SET(key=f"n{n:02}", value="v")] for n in range(20)))

        assert ends == [f"wrote n{n:02}" for n in range(20)]
        assert await stored(database) == [f"n{n:02}" for n in range(20)]
    assert said.count("COMMIT") < 10


@pytest.mark.parametrize("failing", [0, 3, 7])
async def test_one_that_fails_takes_no_other_with_it(tmp_path: Path, failing: int) -> None:
    """A statement that is refused after another has written undoes its own transaction, whole, and no other's."""
    transactions = [[SET(key=f"n{n}", value="v")] for n in range(8)]
    transactions[failing].append(WRONG())
    async with open_sqlite(tmp_path / "x.db", synchronous="NORMAL", busy_timeout_ms=1000) as database:
        ends = await all_at_once(database, *transactions)

        assert ends == ["StoreError" if n == failing else f"wrote n{n}" for n in range(8)]
        assert await stored(database) == [f"n{n}" for n in range(8) if n != failing]


@pytest.mark.parametrize("written_before", [False, True])
async def test_a_lost_claim_undoes_its_own_transaction_only(tmp_path: Path, written_before: bool) -> None:
    """Whether its guard stands first or after something was written."""
    guard = NEVER.guarding(JobId("mine"))
    transactions = [[SET(key=f"n{n}", value="v")] for n in range(6)]
    transactions[2] = [*transactions[2], guard] if written_before else [guard, *transactions[2]]
    async with open_sqlite(tmp_path / "x.db", synchronous="NORMAL", busy_timeout_ms=1000) as database:
        ends = await all_at_once(database, *transactions)

        assert ends == ["LostClaim" if n == 2 else f"wrote n{n}" for n in range(6)]
        assert await stored(database) == [f"n{n}" for n in range(6) if n != 2]


async def test_a_locked_file_refuses_everyone_who_waits(tmp_path: Path) -> None:
    """Nobody is told of a commit that did not take place, and all may try again."""
    path = tmp_path / "x.db"
    async with open_sqlite(path, synchronous="NORMAL", busy_timeout_ms=20) as database:
        other = sqlite3.connect(path, isolation_level=None)
        other.execute("BEGIN IMMEDIATE")
        ends = await all_at_once(database, *([SET(key=f"n{n}", value="v")] for n in range(3)))
        other.execute("ROLLBACK")
        other.close()

        assert ends == ["StoreBusy"] * 3
        assert await stored(database) == []
        assert await all_at_once(database, [SET(key="n1", value="v")]) == ["wrote n1"]


async def test_who_was_cancelled_while_waiting_leaves_a_whole_transaction(tmp_path: Path) -> None:
    """It runs for nobody, or with the others: none of them waits for ever."""
    async with open_sqlite(tmp_path / "x.db", synchronous="NORMAL", busy_timeout_ms=1000) as database:
        async with anyio.create_task_group() as tasks:
            for n in range(4):
                tasks.start_soon(database.run, [SET(key=f"n{n}", value="v"), SET(key=f"n{n}-more", value="v")])
            await anyio.lowlevel.checkpoint()
            tasks.cancel_scope.cancel()
        assert await all_at_once(database, [SET(key="n9", value="v")]) == ["wrote n9"]
        whole = await stored(database)

    assert {key.removesuffix("-more") for key in whole if key.endswith("-more")} == {
        key for key in whole if not key.endswith("-more") and key != "n9"
    }
