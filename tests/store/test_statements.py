"""Does every statement mean the same to both engines, and does SQLite answer it from the index that was made for it?"""

from __future__ import annotations

import itertools
import re
import sqlite3
from contextlib import contextmanager
from typing import TYPE_CHECKING

import psycopg
import pytest

from focusflow.domain.jobs import Status
from focusflow.events import Bus
from focusflow.store import open_store
from focusflow.store.database import Query, TextSearch
from focusflow.store.postgres import PostgresDatabase
from focusflow.store.postgres import translate as for_postgres
from focusflow.store.sql import control, costs, inbox, jobs, ledger, plan, queue, record
from focusflow.store.sqlite import SqliteDatabase
from focusflow.store.sqlite import translate as for_sqlite

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator
    from pathlib import Path

NAMED: dict[str, Query] = {
    f"{module.__name__.rpartition('.')[2]}.{name}": query
    for module in (control, costs, inbox, jobs, ledger, plan, queue, record)
    for name, query in vars(module).items()
    if isinstance(query, Query)
}
TEMPORARY = [inbox.STAGE_ARRIVALS, inbox.STAGE_SIDECARS, inbox.STAGE_VERDICTS]


def pages(search: TextSearch) -> Iterator[Query]:
    """Every shape of a list."""
    statuses: list[list[Status]] = [[], [Status.FAILED], list(Status)]
    for some, before, held, words in itertools.product(statuses, (False, True), (False, True), (0, 1, 2)):
        in_texts = f"{search.in_transcripts} UNION ALL {search.in_summaries}"
        yield control.page(some, before=before, held=held, words=words, in_texts=in_texts)


def by_time() -> list[Query]:
    """The sums by days and months, for a short span and for a long one."""
    return [query for count in (1, 400) for query in (plan.backlog_by_month(count), costs.costs_by_time(count))]


def test_there_are_statements_to_check() -> None:
    """A collection that finds nothing would prove nothing."""
    assert len(NAMED) > 80


async def test_sqlite_understands_every_statement(tmp_path: Path) -> None:
    """Each is prepared against the real schema: a misspelt column is found here."""
    with sqlite(await _created(tmp_path)) as connection:
        for query in [*NAMED.values(), *by_time(), *pages(SqliteDatabase.text_search)]:
            explain(connection, query, "EXPLAIN")


async def test_postgres_understands_every_statement(postgres_url: str) -> None:
    """Each is prepared against the real schema, the types of its parameters inferred."""
    async with open_store(postgres_url, bus=Bus()):
        pass
    with psycopg.connect(postgres_url, autocommit=True) as connection:
        for query in TEMPORARY:
            connection.execute(query.sql.encode())
        for query in [*NAMED.values(), *by_time(), *pages(PostgresDatabase.text_search)]:
            if "CREATE TEMPORARY" in query.sql:
                continue
            connection.execute(f"PREPARE checked AS {numbered(query)}".encode())
            connection.execute("DEALLOCATE checked")


def numbered(query: Query) -> str:
    """Return the statement with PostgreSQL's own parameters, as its own PREPARE takes it."""
    sql = for_postgres(query.sql).replace("%%", "%")
    for number, name in enumerate(dict.fromkeys(re.findall(r"%\((\w+)\)s", sql)), start=1):
        sql = sql.replace(f"%({name})s", f"${number}")
    return sql


# ---------------------------------------------------------------------------------------------------------------- plans

EXPECTED = {
    "queue.CLAIM_OLDEST": "SCAN jobs USING INDEX jobs_oldest_due",
    "queue.CLAIM_NEWEST": "SCAN jobs USING INDEX jobs_newest_due",
    "queue.HOLD_UNAFFORDABLE_OLDEST": "SCAN jobs USING INDEX jobs_oldest_due",
    "queue.HOLD_UNAFFORDABLE_NEWEST": "SCAN jobs USING INDEX jobs_newest_due",
    "queue.RESCUE": "SEARCH jobs USING INDEX jobs_leased",
    "queue.REQUEUE_DUE": "SEARCH jobs USING INDEX jobs_retried",
    "queue.HEARTBEAT": "SEARCH jobs USING INDEX sqlite_autoindex_jobs_1 (id=?)",
    "control.HELD": "SEARCH jobs USING INDEX jobs_held",
    "control.WAITING": "SEARCH jobs USING INDEX jobs_waiting",
    "control.CLAIMED_SINCE": "SEARCH jobs USING COVERING INDEX jobs_claimed",
    "control.SPENDING": "SEARCH charges USING COVERING INDEX charges_by_time",
    "control.AVERAGE_SECONDS": "SEARCH attempts USING INDEX attempts_done",
    "control.RETRY": "SEARCH jobs USING INDEX jobs_by_shelf",
    "control.RETRY_DELIVERIES": "SCAN deliveries USING INDEX deliveries_failed",
    "record.TAKE_DUE_DELIVERIES": "SEARCH deliveries USING INDEX deliveries_due",
    "inbox.UNMEASURED": "SCAN jobs USING INDEX jobs_unmeasured",
    "inbox.JUDGED": "SEARCH jobs USING INDEX jobs_judged",
    "inbox.COMPARE": "SEARCH jobs USING INDEX sqlite_autoindex_jobs_2 (source=? AND gdrive_file_id=?)",
    "inbox.SKIP_TWINS": "SEARCH other USING INDEX jobs_same_content",
    "inbox.PAIR_NEW_SIDECARS": "SEARCH waiting USING INDEX jobs_without_sidecar (source=? AND pair_key=?)",
    "inbox.PAIR_ARRIVALS": "SEARCH sidecars USING INDEX sidecars_by_key (source=? AND pair_key=?)",
}
WHOLE = {
    "control.TRUE_COUNTS",  # a check that is meant to look at everything
    "queue.PRUNE_EVENTS",  # walks from the oldest line to the first that stays
    *(name for name in NAMED if name.startswith(("plan.", "costs."))),  # sums of everything, for a person who asks
}


@pytest.fixture
async def empty(tmp_path: Path) -> AsyncIterator[sqlite3.Connection]:
    """A fresh database, as it is on the first day."""
    with sqlite(await _created(tmp_path)) as connection:
        yield connection


@pytest.mark.parametrize("name", NAMED)
def test_no_statement_walks_through_a_whole_table(empty: sqlite3.Connection, name: str) -> None:
    """Whatever grows with the number of calls is searched by an index, or scanned in a partial one."""
    steps = explain(empty, NAMED[name], "EXPLAIN QUERY PLAN")
    if name not in WHOLE:
        assert [step for step in steps if re.match(GROWING, step)] == []
    if name in EXPECTED:
        assert any(step.startswith(EXPECTED[name]) for step in steps), steps


GROWING = (
    r"SCAN (jobs|mine|other|twin|gone|waiting|charges|attempts|deliveries|documents|summaries|job_events|sidecars)"
    r"( USING (COVERING )?INDEX (jobs_by_|jobs_claimed|jobs_same|sqlite_auto|charges_|attempts_|job_events_)|$)"
)


@pytest.mark.parametrize(
    ("statuses", "held", "index"),
    [
        ((), False, "jobs_by_time"),
        ((Status.FAILED,), False, "jobs_by_shelf"),
        ((Status.FAILED, Status.COMPLETED), False, "jobs_by_shelf"),
        ((), True, "jobs_held"),
    ],
)
@pytest.mark.parametrize("before", [False, True])
def test_any_page_of_a_list_is_read_from_its_index(
    empty: sqlite3.Connection, statuses: tuple[Status, ...], held: bool, index: str, before: bool
) -> None:
    """The first page and the last cost the same: keys from an index in its order, then those rows."""
    steps = explain(empty, control.page(statuses, before=before, held=held, words=0, in_texts=""), "EXPLAIN QUERY PLAN")
    reads = [step for step in steps if " jobs " in step]
    assert len(reads) == max(len(statuses), 1) + 1
    assert all(f"INDEX {index}" in step for step in reads[:-1])
    assert "(id=?)" in reads[-1]


def explain(connection: sqlite3.Connection, query: Query, how: str) -> list[str]:
    """Return what SQLite says about the statement, with nothing bound to its parameters."""
    names = set(re.findall(r"(?<![:\w]):([a-z_]\w*)", query.sql))
    rows = connection.execute(f"{how} {for_sqlite(query.sql)}", dict.fromkeys(names)).fetchall()
    return [str(row[3]) for row in rows]


@contextmanager
def sqlite(path: Path) -> Iterator[sqlite3.Connection]:
    """Open the file as it is, with the temporary tables that a page of files needs."""
    connection = sqlite3.connect(path)
    try:
        for query in TEMPORARY:
            connection.execute(query.sql)
        yield connection
    finally:
        connection.close()


async def _created(folder: Path) -> Path:
    path = folder / "focusflow.db"
    async with open_store(path, bus=Bus()):
        pass
    return path
