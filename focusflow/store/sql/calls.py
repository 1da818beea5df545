"""How does a list of calls get the rows it shows, in any order and whatever their number?

A resting call stands on a shelf (its status; `held` where it waits), and one index for each order holds the shelves one after the
other. A list reads as many keys as it shows from each shelf it wants, and merges them. The few calls that are worked on stand in
none of these indexes, so that a step costs them nothing; they are read by their leases.
"""

import re
from collections.abc import Sequence

from msgspec import Struct

from focusflow.domain.jobs import Status
from focusflow.ports import Order
from focusflow.store.database import Query
from focusflow.store.sql.jobs import COLUMNS, listed

KEY = {
    Order.TIME: "rank_at",
    Order.CONTACT: "contact_key",
    Order.LENGTH: "duration_seconds",
    Order.COST: "price_micros",
}

# below every value: tells an index's walk to begin after those that have none
_FLOOR = {
    Order.TIME: "-9000000000000000",
    Order.CONTACT: "''",
    Order.LENGTH: "-1e300",
    Order.COST: "-9000000000000000",
}
_VALUE = {
    Order.TIME: "CAST(:place_key AS BIGINT)",
    Order.CONTACT: "CAST(:place_key AS TEXT)",
    Order.LENGTH: "CAST(:place_key AS DOUBLE PRECISION)",
    Order.COST: "CAST(:place_key AS BIGINT)",
}

PLACES = {order: Query(f"SELECT {key} FROM jobs WHERE id = :id") for order, key in KEY.items()}
"""Where a call stands in each order."""


class Shelves(Struct, frozen=True, kw_only=True):
    """Which calls a list shows: those on these shelves, and those that are worked on in these statuses."""

    resting: tuple[str, ...]
    working: tuple[Status, ...]

    def __bool__(self) -> bool:
        return bool(self.resting or self.working)

    def __contains__(self, shelf: object) -> bool:
        return shelf in self.resting or shelf in self.working

    def condition(self) -> str:
        """Return what is true of a call that the list shows."""
        resting, working = ", ".join(f"'{shelf}'" for shelf in self.resting), listed(self.working)
        places = [f"jobs.shelf IN ({resting})"] if self.resting else []
        places += [f"jobs.status IN {working}"] if self.working else []
        return f"({' OR '.join(places)})"


class Walk(Struct, frozen=True, kw_only=True):
    """One way through the list: in which order, which way, and from where."""

    order: Order
    descending: bool
    """The way the walk goes, which a page before a place takes against its list."""
    nulls_first: bool
    begun: bool
    """True when there is a place to begin after: `:place_id`, and `:place_key` unless it has no value."""
    in_nulls: bool
    """The place is among the calls without the value."""

    def stretches(self) -> list["Stretch"]:
        """Return what is still to be walked: the calls that have the value, then those that have none, or the reverse."""
        key, way = f"jobs.{KEY[self.order]}", "DESC" if self.descending else "ASC"
        beyond = "<" if self.descending else ">"
        valued, without = f"{key} >= {_FLOOR[self.order]}", f"{key} IS NULL"
        if self.begun and self.in_nulls:
            without += f" AND jobs.id {beyond} CAST(:place_id AS TEXT)"
        elif self.begun:
            valued += f" AND ({key}, jobs.id) {beyond} ({_VALUE[self.order]}, CAST(:place_id AS TEXT))"
        both = [Stretch(condition=valued, sorting=f"key {way}, id {way}")]
        if self.order is not Order.TIME:
            both.append(Stretch(condition=without, sorting=f"id {way}"))
        if self.nulls_first:
            both.reverse()
        passed = self.begun and len(both) > 1 and self.in_nulls != self.nulls_first
        return both[1:] if passed else both

    def sorting(self) -> str:
        """Return the order of rows of all stretches, by `part`, `key` and `id`."""
        way, parts = ("DESC" if self.descending else "ASC"), ("DESC" if self.nulls_first else "ASC")
        return f"part {parts}, key {way}, id {way}"


class Stretch(Struct, frozen=True, kw_only=True):
    """A part of a list that one walk through an index passes."""

    condition: str
    sorting: str


class Words(Struct, frozen=True, kw_only=True):
    """What a search asks of a call."""

    conditions: tuple[str, ...] = ()
    """Each true of a call that has the word, in names and numbers or in one of its texts; empty where nothing was typed."""
    texts: tuple[str, ...] = ()
    """The tables that the conditions look into: whose texts have the word."""
    found: str = ""
    """Selects the `seq` of all calls that can meet the conditions, and perhaps of a few more."""


def has_word(n: int, *, beginning: bool, in_texts: bool) -> str:
    """Return what is true of a call that has word *n*, or a word of which it is the *beginning*."""
    haystack = "' ' || jobs.haystack" if beginning else "jobs.haystack"
    named = f"{haystack} LIKE :needle_{n} ESCAPE '!'"
    return f"({named} OR jobs.seq IN (SELECT seq FROM texts_{n}))" if in_texts else f"({named})"


def merged(walk: Walk, stretch: Stretch, shelves: Shelves, words: Words) -> Query:
    """Return the query that walks all shelves at once, and sees of each call on the way whether it has the words.

    With words it passes at most `:reach` calls; they need not all have been found then.
    """
    columns = f"jobs.id, jobs.{KEY[walk.order]} AS key" + (", jobs.seq, jobs.haystack" if words.conditions else "")
    shelf = f"SELECT {columns} FROM jobs WHERE {{}} AND {stretch.condition}"
    # the few that are worked on are sorted apart, or SQLite walks through all calls to find them in their order
    arms = [shelf.format(place) for place in _resting(shelves)]
    arms += [f"SELECT * FROM ({shelf.format(place)} LIMIT 1000000) AS working" for place in _working(shelves)]
    passed = f"{' UNION ALL '.join(arms)} ORDER BY {stretch.sorting} LIMIT"
    if not words.conditions:
        return _page(stretch.sorting, [f"page AS MATERIALIZED ({passed} :limit)"])
    # not sorted again before the limit: both engines hand a sorted subquery's rows on in its order, and can stop early
    found = f"SELECT id, key FROM ({passed} :reach) AS jobs WHERE {' AND '.join(words.conditions)} LIMIT :limit"
    return _page(stretch.sorting, [*words.texts, f"page AS MATERIALIZED ({found})"])


def sorted_candidates(walk: Walk, shelves: Shelves, words: Words) -> Query:
    """Return the query that looks at every call that can have the words, and sorts those that do."""
    key = f"jobs.{KEY[walk.order]}"
    stretches = " OR ".join(f"({stretch.condition})" for stretch in walk.stretches())
    conditions = " AND ".join(["jobs.seq = found.seq", shelves.condition(), f"({stretches})", *words.conditions])
    keys = f"""keys AS (SELECT jobs.id, CASE WHEN {key} IS NULL THEN 1 ELSE 0 END AS part, {key} AS key
    FROM found CROSS JOIN jobs WHERE {conditions})"""
    page = f"page AS MATERIALIZED (SELECT * FROM keys ORDER BY {walk.sorting()} LIMIT :limit)"
    return _page(walk.sorting(), [*words.texts, f"found AS MATERIALIZED ({words.found})", keys, page])


def _page(sorting: str, tables: Sequence[str]) -> Query:
    within = re.sub(r"(\w+) (ASC|DESC)", r"page.\1 \2", sorting)
    return Query(f"""
WITH {", ".join(tables)}
SELECT {COLUMNS} FROM page CROSS JOIN jobs WHERE jobs.id = page.id ORDER BY {within}
""")


def _resting(shelves: Shelves) -> list[str]:
    return [f"jobs.shelf = '{shelf}'" for shelf in shelves.resting]


def _working(shelves: Shelves) -> list[str]:
    return [f"jobs.lease_until > 0 AND jobs.status IN {listed(shelves.working)}"] if shelves.working else []


def counted_candidates(shelves: Shelves, words: Words) -> Query:
    """Return the query that counts, up to `:limit`, those that have the words among all that can."""
    conditions = " AND ".join(["jobs.seq = found.seq", shelves.condition(), *words.conditions])
    return Query(f"""
WITH {", ".join([*words.texts, f"found AS MATERIALIZED ({words.found})"])}
SELECT COUNT(*) FROM (SELECT 1 FROM found CROSS JOIN jobs WHERE {conditions} LIMIT :limit) AS matching
""")


def counted_names(shelves: Shelves, words: Words, in_names: str) -> Query:
    """Return the query that counts, up to `:limit`, those that have the words among the many whose names can."""
    conditions = " AND ".join(["jobs.seq = named.seq", shelves.condition(), *words.conditions])
    tables = f"WITH {', '.join(words.texts)} " if words.texts else ""
    return Query(
        f"{tables}SELECT COUNT(*) FROM (SELECT 1 FROM ({in_names}) AS named CROSS JOIN jobs WHERE {conditions} "
        "LIMIT :limit) AS matching"
    )


def counted_on_shelves(shelves: Shelves, words: Words) -> Query:
    """Return the query that counts, up to `:limit`, the calls on the shelves that have the words."""
    each = " UNION ALL ".join(
        f"SELECT 1 FROM jobs WHERE {' AND '.join([place, *words.conditions])}"
        for place in [*_resting(shelves), *_working(shelves)]
    )
    tables = f"WITH {', '.join(words.texts)} " if words.texts else ""
    return Query(f"{tables}SELECT COUNT(*) FROM (SELECT * FROM ({each}) AS every LIMIT :limit) AS matching")


COUNTS = Query("SELECT status, CAST(SUM(n) AS BIGINT) FROM job_counts GROUP BY status")

# resting calls by an index of their own that no step touches, those that are worked on by their leases
CHANGED = Query("""
SELECT id, updated_at FROM (
    SELECT * FROM (SELECT id, updated_at FROM jobs WHERE shelf IS NOT NULL AND updated_at >= :since
        ORDER BY updated_at, id LIMIT :limit) AS resting
    UNION ALL
    SELECT id, updated_at FROM jobs WHERE lease_until > 0 AND updated_at >= :since
) AS changed ORDER BY updated_at, id LIMIT :limit
""")
