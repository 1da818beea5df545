"""Does every statement mean the same to both engines, and does SQLite answer it from the index that was made for it?"""

from __future__ import annotations

import itertools
import re
import sqlite3
from contextlib import contextmanager
from typing import TYPE_CHECKING

import psycopg
import pytest

from focusflow.domain.jobs import WORKING, Status
from focusflow.events import Bus
from focusflow.ports import Order
from focusflow.store import open_store
from focusflow.store.database import Query, TextSearch
from focusflow.store.postgres import PostgresDatabase
from focusflow.store.postgres import translate as for_postgres
from focusflow.store.sql import calls, control, costs, inbox, jobs, ledger, plan, queue, record
from focusflow.store.sqlite import SqliteDatabase
from focusflow.store.sqlite import translate as for_sqlite

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator
    from pathlib import Path

NAMED: dict[str, Query] = {
    f"{module.__name__.rpartition('.')[2]}.{name}": query
    for module in (calls, control, costs, inbox, jobs, ledger, plan, queue, record)
    for name, query in vars(module).items()
    if isinstance(query, Query)
}
TEMPORARY = [inbox.STAGE_ARRIVALS, inbox.STAGE_SIDECARS, inbox.STAGE_VERDICTS]


PLACES = [(None, False), ("x", False), (None, True)]
"""No place, one with a value, one without: (key, in the calls without a value)."""


def lists(search: TextSearch) -> Iterator[Query]:
    """Every shape of a list."""
    shelves = [
        calls.Shelves(resting=("held",), working=()),
        calls.Shelves(resting=("held", "discovered", "completed", "failed", "skipped"), working=WORKING),
    ]
    for order, some, nulls_first, (key, in_nulls), words in itertools.product(
        Order, shelves, (False, True), PLACES, (0, 1, 2)
    ):
        walk = calls.Walk(
            order=order,
            descending=nulls_first,
            nulls_first=nulls_first,
            begun=key is not None or in_nulls,
            in_nulls=in_nulls,
        )
        asked = wanted(search, words)
        for stretch in walk.stretches():
            yield calls.merged(walk, stretch, some, asked)
        if words:
            yield calls.sorted_candidates(walk, some, asked)
            yield calls.counted_candidates(some, asked)
            yield calls.counted_on_shelves(some, asked)
            yield calls.counted_names(some, asked, search.in_names)
    yield Query(search.names_counted)


def wanted(search: TextSearch, words: int) -> calls.Words:
    """What a search of so many words asks, the first of them in names alone."""
    in_texts = range(1, words)
    return calls.Words(
        conditions=tuple(calls.has_word(n, beginning=n == 0, in_texts=n in in_texts) for n in range(words)),
        texts=tuple(f"texts_{n} AS MATERIALIZED ({search.in_texts.replace(':term', f':term_{n}')})" for n in in_texts),
        found=" UNION ".join([search.in_names, *(f"SELECT seq FROM texts_{n}" for n in in_texts)]),
    )


def by_time() -> list[Query]:
    """The sums by days and months, for a short span and for a long one."""
    return [query for count in (1, 400) for query in (plan.backlog_by_month(count), costs.costs_by_time(count))]


def test_there_are_statements_to_check() -> None:
    """A collection that finds nothing would prove nothing."""
    assert len(NAMED) > 80


async def test_sqlite_understands_every_statement(tmp_path: Path) -> None:
    """Each is prepared against the real schema: a misspelt column is found here."""
    with sqlite(await _created(tmp_path)) as connection:
        for query in [*NAMED.values(), *by_time(), *lists(SqliteDatabase.text_search)]:
            explain(connection, query, "EXPLAIN")


async def test_postgres_understands_every_statement(postgres_url: str) -> None:
    """Each is prepared against the real schema, the types of its parameters inferred."""
    async with open_store(postgres_url, bus=Bus()):
        pass
    with psycopg.connect(postgres_url, autocommit=True) as connection:
        for query in TEMPORARY:
            connection.execute(query.sql.encode())
        for query in [*NAMED.values(), *by_time(), *lists(PostgresDatabase.text_search)]:
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
    "calls.CHANGED": "SEARCH jobs USING INDEX calls_changed",
    "control.WAITING": "SEARCH jobs USING INDEX jobs_waiting",
    "control.CLAIMED_SINCE": "SEARCH jobs USING COVERING INDEX jobs_claimed",
    "control.AVERAGE_SECONDS": "SEARCH attempts USING INDEX attempts_done",
    "control.RETRY": "SEARCH jobs USING INDEX calls_by_",
    "control.RETRY_DELIVERIES": "SCAN deliveries USING INDEX deliveries_failed",
    "record.TAKE_DUE_DELIVERIES": "SEARCH deliveries USING INDEX deliveries_due",
    "inbox.UNMEASURED": "SCAN jobs USING INDEX jobs_unmeasured",
    "inbox.JUDGED": "SEARCH jobs USING INDEX jobs_judged",
    "inbox.COMPARE": "SEARCH jobs USING INDEX sqlite_autoindex_jobs_2 (source=? AND gdrive_file_id=?)",
    "inbox.SKIP_TWINS": "SEARCH other USING INDEX jobs_same_content",
    "inbox.PAIR_NEW_SIDECARS": "SEARCH told USING INDEX jobs_by_pair (source=? AND pair_key=?)",
    "inbox.REPLACE_REPLACED": "SEARCH twin USING INDEX jobs_same_content",
    "inbox.FOLLOW_HEIR": "SEARCH twin USING INDEX jobs_same_content",
    "inbox.OUTDATE_SIDECARS": "SEARCH old USING INDEX sidecars_by_key (source=? AND pair_key=?)",
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
    r"SCAN (jobs|mine|other|twin|heir|gone|told|old|charges|attempts|deliveries|documents|summaries|job_events|sidecars)"
    r"( USING (COVERING )?INDEX (calls_|jobs_claimed|jobs_same|sqlite_auto|charges_|attempts_|job_events_)|$)"
)


@pytest.mark.parametrize("order", Order)
@pytest.mark.parametrize("descending", [False, True])
@pytest.mark.parametrize(("key", "in_nulls"), PLACES)
def test_any_page_of_a_list_is_read_from_its_index(
    empty: sqlite3.Connection, order: Order, descending: bool, key: str | None, in_nulls: bool
) -> None:
    """The first page and the last cost the same: keys from each shelf in the index's order, then those rows."""
    walk = calls.Walk(
        order=order, descending=descending, nulls_first=False, begun=key is not None or in_nulls, in_nulls=in_nulls
    )
    shelves = calls.Shelves(resting=("held", "completed"), working=(Status.SYNCING,))
    for stretch, words in itertools.product(walk.stretches(), (0, 1)):
        query = calls.merged(walk, stretch, shelves, wanted(SqliteDatabase.text_search, words))
        steps = explain(empty, query, "EXPLAIN QUERY PLAN")
        reads = [step for step in steps if " jobs " in step]
        assert len(reads) == 4
        assert sum(f"USING INDEX calls_by_{order} (shelf=? AND {calls.KEY[order]}" in step for step in reads) == 2
        assert sum("INDEX jobs_leased" in step for step in reads) == 1
        assert "(id=?)" in reads[-1]
        # each shelf is read in its order, and only as far as the page goes: but for the few leased, only the page is sorted
        assert all("USE TEMP" not in steps[n + 1] for n, step in enumerate(steps) if "calls_by_" in step), steps


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
