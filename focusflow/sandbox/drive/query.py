"""Which files does a `q` ask for? A parser for the part of Drive's search language that a recorder's client needs."""

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Final

from msgspec import Struct

from focusflow.sandbox.drive.files import DriveFile

Predicate = Callable[[DriveFile], bool]


class InvalidQuery(Exception):
    """Drive answers 400 `invalid` with location `q`."""


class Query(Struct, frozen=True):
    """A parsed `q`."""

    matches: Predicate
    parents: frozenset[str] | None
    """When not None: only direct children of these can match, so only they need to be looked at."""


def parse(q: str) -> Query:
    """Read *q*; raise InvalidQuery for what Drive (or this emulator) does not understand."""
    return _Parser(_tokens(q)).query() if q.strip() else Query(lambda file: True, None)


_TOKEN: Final = re.compile(r"\s*(?:'((?:[^'\\]|\\.)*)'|(<=|>=|!=|[=<>()])|([A-Za-z][\w.]*))", re.DOTALL)


class _Token(Struct, frozen=True):
    text: str
    quoted: bool = False


def _tokens(q: str) -> list[_Token]:
    tokens, position = [], 0
    while q[position:].strip():
        found = _TOKEN.match(q, position)
        if found is None:
            raise InvalidQuery(q[position:])
        literal, sign, word = found.groups()
        tokens.append(_Token(re.sub(r"\\(.)", r"\1", literal), True) if literal is not None else _Token(sign or word))
        position = found.end()
    return tokens


def _both(one: frozenset[str] | None, other: frozenset[str] | None) -> frozenset[str] | None:
    if one is None or other is None:
        return other if one is None else one
    return one & other


def _either(one: frozenset[str] | None, other: frozenset[str] | None) -> frozenset[str] | None:
    return None if one is None or other is None else one | other


@dataclass(slots=True)
class _Parser:
    """Recursive descent: `or` binds weakest, then `and`, then `not`."""

    tokens: list[_Token]
    position: int = field(default=0)

    def query(self) -> Query:
        query = self._disjunction()
        if self.position != len(self.tokens):
            raise InvalidQuery(self.tokens[self.position].text)
        return query

    def _disjunction(self) -> Query:
        query = self._conjunction()
        while self._accept("or"):
            query = _any(query, self._conjunction())
        return query

    def _conjunction(self) -> Query:
        query = self._negation()
        while self._accept("and"):
            query = _all(query, self._negation())
        return query

    def _negation(self) -> Query:
        if self._accept("not"):
            refused = self._negation()
            return Query(lambda file: not refused.matches(file), None)
        if self._accept("("):
            query = self._disjunction()
            self._expect(")")
            return query
        return self._term()

    def _term(self) -> Query:
        subject = self._next()
        if subject.quoted:
            self._expect("in")
            return _membership(subject.text, self._next().text)
        if subject.text == "sharedWithMe" and self._peek() not in ("=", "!="):
            return Query(lambda file: file.parent is None, None)
        operator, value = self._next().text, self._next()
        return Query(_comparison(subject.text, operator, value), None)

    def _peek(self) -> str | None:
        if self.position == len(self.tokens) or self.tokens[self.position].quoted:
            return None
        return self.tokens[self.position].text

    def _accept(self, word: str) -> bool:
        if self._peek() != word:
            return False
        self.position += 1
        return True

    def _expect(self, word: str) -> None:
        if not self._accept(word):
            raise InvalidQuery(word)

    def _next(self) -> _Token:
        if self.position == len(self.tokens):
            raise InvalidQuery("unexpected end")
        self.position += 1
        return self.tokens[self.position - 1]


def _any(one: Query, other: Query) -> Query:
    return Query(lambda file: one.matches(file) or other.matches(file), _either(one.parents, other.parents))


def _all(one: Query, other: Query) -> Query:
    return Query(lambda file: one.matches(file) and other.matches(file), _both(one.parents, other.parents))


def _membership(value: str, collection: str) -> Query:
    if collection == "parents":
        return Query(lambda file: file.parent == value, frozenset({value}))
    if collection == "owners":
        return Query(lambda file: file.owner == value, None)
    raise InvalidQuery(collection)


def _comparison(subject: str, operator: str, value: _Token) -> Predicate:
    if subject in ("name", "mimeType") and value.quoted:
        return _text(subject, operator, value.text)
    if subject == "trashed" and not value.quoted and value.text in ("true", "false") and operator in ("=", "!="):
        wanted = (value.text == "true") == (operator == "=")
        return lambda file: file.trashed == wanted
    if subject in ("modifiedTime", "createdTime") and value.quoted:
        return _moment(subject, operator, value.text)
    raise InvalidQuery(subject)


def _text(subject: str, operator: str, value: str) -> Predicate:
    def read(file: DriveFile) -> str:
        return file.name if subject == "name" else file.mime_type

    if operator == "=":
        return lambda file: read(file) == value
    if operator == "!=":
        return lambda file: read(file) != value
    if operator == "contains":
        # a name matches by the beginnings of its words, a type anywhere
        pattern = re.compile((r"(?:^|(?<=\W))" if subject == "name" else "") + re.escape(value), re.IGNORECASE)
        return lambda file: pattern.search(read(file)) is not None
    raise InvalidQuery(operator)


def _moment(subject: str, operator: str, value: str) -> Predicate:
    try:
        moment = datetime.fromisoformat(value)
    except ValueError as exc:
        raise InvalidQuery(value) from exc
    limit = (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()

    def read(file: DriveFile) -> float:
        return file.modified if subject == "modifiedTime" else file.created

    comparisons: dict[str, Predicate] = {
        "<": lambda file: read(file) < limit,
        "<=": lambda file: read(file) <= limit,
        "=": lambda file: read(file) == limit,
        "!=": lambda file: read(file) != limit,
        ">": lambda file: read(file) > limit,
        ">=": lambda file: read(file) >= limit,
    }
    if operator not in comparisons:
        raise InvalidQuery(operator)
    return comparisons[operator]
