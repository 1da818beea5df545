"""What is a transaction, and what runs it?

A transaction is a value: a list of statements, handed to a driver whole. Nothing is awaited between two statements, so that
no cancellation can leave a connection inside a transaction.
"""

import json
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from datetime import datetime
from enum import Enum
from typing import Any, Protocol

from msgspec import Struct

from focusflow.domain.jobs import JobId
from focusflow.store.rows import milliseconds

LATEST_TEXTS = 5_000
"""A word that stands in more transcripts or summaries than these is looked for in the latest of them only."""

Row = tuple[Any, ...]
Value = str | int | float | bytes | None


NOTHING = "[]"
"""An empty JSON array. A statement whose parameter turns out to be this has nothing to work on: it is not run, and returns nothing."""


class Picked(Struct, frozen=True):
    """Stands for what an earlier statement of the same transaction returned: its first column, each once, as a JSON array.

    Where that returned nothing, the statement is not run.
    """

    statement: int = 0


class Computed(Struct, frozen=True):
    """Stands for what a pure function makes of all that was returned so far. It is called inside the transaction, perhaps again.

    Where that is `NOTHING`, the statement is not run.
    """

    function: Callable[[Sequence[Sequence[Row]]], Value]


Parameter = Value | datetime | Picked | Computed


class Statement(Struct, frozen=True, kw_only=True):
    """One piece of SQL with all it needs to run."""

    sql: str
    parameters: Mapping[str, Value | Picked | Computed]
    many: Callable[[Sequence[Sequence[Row]]], Iterable[Mapping[str, Value]]] | None = None
    """Makes the parameters of many runs from all that was returned so far; such a statement returns no rows."""
    guard: JobId | None = None
    """When set and nothing is returned, the transaction is rolled back and `LostClaim` raised for this job."""


class Query(Struct, frozen=True):
    """A named, hand-written SQL text with `:name` parameters that both engines understand."""

    sql: str

    def __call__(self, **parameters: Parameter) -> Statement:
        """Bind the parameters."""
        return Statement(sql=self.sql, parameters={name: stored(value) for name, value in parameters.items()})

    def guarding(self, job_id: JobId, **parameters: Parameter) -> Statement:
        """Bind the parameters of a statement without whose row the whole transaction is void."""
        values = {name: stored(value) for name, value in parameters.items()}
        return Statement(sql=self.sql, parameters=values, guard=job_id)

    def each(self, rows: Callable[[], Iterable[Mapping[str, Value]]]) -> Statement:
        """Run once for each row; called where the statement runs, and again if the transaction must be repeated."""
        return Statement(sql=self.sql, parameters={}, many=lambda _: rows())

    def each_of(self, rows: Callable[[Sequence[Sequence[Row]]], Iterable[Mapping[str, Value]]]) -> Statement:
        """Run once for each row that *rows* makes of all that was returned so far, as `each`."""
        return Statement(sql=self.sql, parameters={}, many=rows)


def stored(value: Parameter) -> Value | Picked | Computed:
    """Return the value as the databases keep it: instants as milliseconds, text without what no database takes."""
    if value is None or isinstance(value, int):
        return value
    if isinstance(value, str):
        return storable(value.value if isinstance(value, Enum) else value)
    if isinstance(value, datetime):
        return milliseconds(value)
    return value


def storable(text: str) -> str:
    """Return the text without NUL and lone surrogates, which a vendor's JSON may hold and a database refuses."""
    if "\0" in text:
        text = text.replace("\0", "")
    return text if text.isascii() else text.encode("utf-8", "replace").decode()


def bound(statement: Statement, results: Sequence[Sequence[Row]]) -> dict[str, Value] | None:
    """Return the parameters, with what earlier statements returned filled in; None when there is nothing to run it for."""
    values: dict[str, Value] = {}
    for name, value in statement.parameters.items():
        if isinstance(value, (Picked, Computed)):
            filled = _filled(value, results)
            if filled == NOTHING:
                return None
            values[name] = filled
        else:
            values[name] = value
    return values


def _filled(value: Picked | Computed, results: Sequence[Sequence[Row]]) -> Value:
    if isinstance(value, Picked):
        return json.dumps(list(dict.fromkeys(row[0] for row in results[value.statement])))
    return value.function(results)


class TextSearch(Struct, frozen=True, kw_only=True):
    """The one place where the engines' SQL differs: the search of names and of texts."""

    in_names: str
    """Selects the `seq` of jobs whose haystack has all of `:grams`."""
    names_counted: str
    """Counts them, up to `:limit`."""
    in_texts: str
    """Selects the `seq` of jobs whose transcript or summary, as it stands, matches `:term`: the latest, if very many do."""

    prefix: str
    """How a word's beginning is written in a search; `{}` is the quoted word."""
    quote: str
    """The quotation mark around a word, doubled inside it."""
    grams: Callable[[Collection[str]], str]
    """Writes runs of three letters as `:grams` takes them."""

    def term(self, word: str) -> str:
        """Return the search for words that start with *word*."""
        quoted = self.quote + word.replace("\\", " ").replace(self.quote, self.quote * 2) + self.quote
        return self.prefix.format(quoted)


class Database(Protocol):
    """An open database. Raises `StoreError` and its kinds, `LostClaim` from a guard, and nothing of its driver's."""

    text_search: TextSearch

    async def run(self, statements: Sequence[Statement]) -> list[list[Row]]:
        """Run the statements as one transaction and return each one's rows. A cancelled caller doesn't know its outcome."""

    async def read(self, statements: Sequence[Statement]) -> list[list[Row]]:
        """Run the queries on one snapshot, beside any writer, and return each one's rows."""

    async def optimize(self) -> None:
        """Do what an idle database is good for."""
