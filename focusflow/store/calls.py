"""The store as a table of calls needs it: the rows it shows, in any order, from anywhere, and no more."""

import json
import re
from collections.abc import Mapping, Sequence
from datetime import datetime

from msgspec import Struct

from focusflow.domain.jobs import WORKING, JobId, Status
from focusflow.ports import JobFilter, JobRow, Order
from focusflow.store.database import Picked, Query, Row, Statement, TextSearch
from focusflow.store.inbox import folded
from focusflow.store.rows import deliveries_by_job, instant, job_from
from focusflow.store.sql import calls as sql
from focusflow.store.sql import jobs as jobs_sql
from focusflow.store.sql import record as record_sql
from focusflow.store.stored import Stored

SEARCH_WORDS = 8
FEW = 5_000
"""So many calls are looked at and sorted while a person waits; where a search may find more, the list itself is walked."""
REACH = 20_000
"""A walk that has passed so many calls is unlucky: what is searched stands far behind. Then all that is found is sorted."""


class CallsPart(Stored):
    """Implements `ports.Calls`."""

    async def page(
        self,
        filter: JobFilter,
        *,
        order: Order = Order.TIME,
        descending: bool = True,
        limit: int,
        beyond: JobId | None = None,
        backwards: bool = False,
    ) -> Sequence[JobRow]:
        shelves, search = _shelves(filter), _Search.of(filter.search, self._database.text_search)
        asked = [] if beyond is None else [sql.PLACES[order](id=beyond)]
        counts, *answers = await self._database.read([sql.COUNTS(), *search.probes, *asked])
        if not shelves or (beyond is not None and not answers[-1]):
            return []
        place = answers[-1][0][0] if beyond is not None else None
        walk = sql.Walk(
            order=order,
            descending=descending != backwards,
            nulls_first=backwards,
            begun=beyond is not None,
            in_nulls=beyond is not None and place is None,
        )
        here = {name: value for name, value in (("place_id", beyond), ("place_key", place)) if value is not None}
        rows: list[JobRow] = []
        if not search.finds_few(answers):
            rows = await self._walked(walk, shelves, search, limit, here)
        if search.probes and len(rows) < limit and (search.finds_few(answers) or _count(counts, shelves) > REACH):
            query = sql.sorted_candidates(walk, shelves, search.words)
            rows = await self._job_rows(query(limit=limit, **here, **search.parameters))
        return rows[::-1] if backwards else rows

    async def _walked(
        self, walk: sql.Walk, shelves: sql.Shelves, search: "_Search", limit: int, here: Mapping[str, str]
    ) -> list[JobRow]:
        rows: list[JobRow] = []
        for stretch in walk.stretches():
            query = sql.merged(walk, stretch, shelves, search.words)
            rows += await self._job_rows(query(limit=limit - len(rows), reach=REACH, **here, **search.parameters))
            if len(rows) >= limit:
                break
        return rows

    async def count(self, filter: JobFilter, *, at_most: int = 10_000) -> int:
        shelves, search = _shelves(filter), _Search.of(filter.search, self._database.text_search)
        counts, *answers = await self._database.read([sql.COUNTS(), *search.probes])
        everything = _count(counts, shelves)
        if not everything or not search.probes:
            return everything
        if search.finds_few(answers):
            query = sql.counted_candidates(shelves, search.words)
        elif everything <= REACH:
            query = sql.counted_on_shelves(shelves, search.words)
        else:
            query = sql.counted_names(shelves, search.words, self._database.text_search.in_names)
        (rows,) = await self._database.read([query(limit=at_most, **search.parameters)])
        return int(rows[0][0])

    async def rows(self, job_ids: Sequence[JobId]) -> Sequence[JobRow]:
        return await self._job_rows(jobs_sql.READ_JOBS(ids=json.dumps(list(job_ids))))

    async def changed_since(self, at: datetime, *, limit: int = 1_000) -> Sequence[tuple[JobId, datetime]]:
        (rows,) = await self._database.read([sql.CHANGED(since=at, limit=limit)])
        return [(JobId(row[0]), instant(row[1])) for row in rows]

    async def _job_rows(self, jobs: Statement) -> list[JobRow]:
        rows, deliveries = await self._database.read([jobs, record_sql.READ_DELIVERIES(ids=Picked())])
        by_job = deliveries_by_job(deliveries)
        return [JobRow(job=job_from(row), deliveries=by_job.get(row[0], ())) for row in rows]


def _count(counts: Sequence[Row], shelves: sql.Shelves) -> int:
    return sum(int(count) for shelf, count in counts if shelf in shelves)


def _shelves(filter: JobFilter) -> sql.Shelves:
    statuses = filter.statuses or tuple(Status)
    waiting = ("held",) if Status.DISCOVERED in statuses else ()
    if filter.held_only:
        return sql.Shelves(resting=waiting, working=())
    return sql.Shelves(
        resting=(*waiting, *(str(status) for status in statuses if status not in WORKING)),
        working=tuple(status for status in statuses if status in WORKING),
    )


class _Search(Struct, frozen=True, kw_only=True):
    """What a person typed, as the database is asked for it."""

    words: sql.Words
    parameters: Mapping[str, str]
    probes: tuple[Statement, ...]
    """Asked first: whether the names of more than a few calls can have all the words."""

    @classmethod
    def of(cls, typed: str, search: TextSearch) -> "_Search":
        words = dict(enumerate(word for word in map(folded, typed.split()[:SEARCH_WORDS]) if word))
        if not words:
            return cls(words=sql.Words(), parameters={}, probes=())
        texts = {n: word for n, word in words.items() if len(word) > 2 or not word.isascii()}
        grams = search.grams({gram for word in words.values() for gram in _grams(word)})
        return cls(
            words=sql.Words(
                conditions=tuple(
                    sql.has_word(n, beginning=len(word) < 3, in_texts=n in texts) for n, word in words.items()
                ),
                texts=tuple(
                    f"texts_{n} AS MATERIALIZED ({search.in_texts.replace(':term', f':term_{n}')})" for n in texts
                ),
                found=" UNION ".join([search.in_names, *(f"SELECT seq FROM texts_{n}" for n in texts)]),
            ),
            parameters={"grams": grams}
            | {f"needle_{n}": _needle(word) for n, word in words.items()}
            | {f"term_{n}": search.term(word) for n, word in texts.items()},
            probes=(Query(search.names_counted)(grams=grams, limit=FEW + 1),),
        )

    def finds_few(self, probed: Sequence[Sequence[Row]]) -> bool:
        """Tell from the probes' answers whether it is cheaper to sort what is found than to walk the list."""
        return bool(self.probes) and int(probed[0][0][0]) <= FEW


def _grams(word: str) -> list[str]:
    """Return the runs of three letters in the word; of a short word the one that begins it, after two spaces."""
    if len(word) < 3:
        return [f"  {word}"[-3:]]
    return [word[n : n + 3] for n in range(len(word) - 2)]


def _needle(word: str) -> str:
    """Return the pattern that finds the word in a `haystack`, with what LIKE would take for a pattern escaped."""
    literal = re.sub(r"([!%_])", r"!\1", word)
    return f"% {literal}%" if len(word) < 3 else f"%{literal}%"
