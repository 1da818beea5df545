"""Which pages does a query find, and in what order? Notion's filters, sorts and paging, over stored pages."""

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from types import MappingProxyType
from typing import Any, Final, TypeVar

from msgspec import Struct

from focusflow.sandbox.notion.errors import Json, invalid
from focusflow.sandbox.notion.schema import Property, Schema
from focusflow.sandbox.notion.text import plain
from focusflow.sandbox.notion.validation import (
    TEXT_LIMIT,
    Problems,
    check_boolean,
    check_number,
    check_string,
    failed,
    one_of,
    parsed_moment,
)

PAGE_SIZE_LIMIT: Final = 100
TIMESTAMPS: Final = ("created_time", "last_edited_time")
DIRECTIONS: Final = ("ascending", "descending")
COMPOUND_DEPTH: Final = 2
"""How deep `and` and `or` nest."""
ONE_CONDITION: Final = "an object with exactly one condition"
TEXT_TYPES: Final = ("title", "rich_text", "url", "email", "phone_number")

Operator = Callable[[Any, Any], bool]
Item = TypeVar("Item")

_TEXT: Final[Mapping[str, Operator]] = MappingProxyType(
    {
        "equals": lambda have, want: have == want,
        "does_not_equal": lambda have, want: have != want,
        "contains": lambda have, want: want in have,
        "does_not_contain": lambda have, want: want not in have,
        "starts_with": lambda have, want: have.startswith(want),
        "ends_with": lambda have, want: have.endswith(want),
    }
)
_NUMBER: Final[Mapping[str, Operator]] = MappingProxyType(
    {
        "equals": lambda have, want: have == want,
        "does_not_equal": lambda have, want: have != want,
        "greater_than": lambda have, want: have is not None and have > want,
        "less_than": lambda have, want: have is not None and have < want,
        "greater_than_or_equal_to": lambda have, want: have is not None and have >= want,
        "less_than_or_equal_to": lambda have, want: have is not None and have <= want,
    }
)
_DATE: Final[Mapping[str, Operator]] = MappingProxyType(
    {
        "equals": lambda have, want: have is not None and have == want,
        "before": lambda have, want: have is not None and have < want,
        "after": lambda have, want: have is not None and have > want,
        "on_or_before": lambda have, want: have is not None and have <= want,
        "on_or_after": lambda have, want: have is not None and have >= want,
    }
)
_EQUALITY: Final[Mapping[str, Operator]] = MappingProxyType(
    {"equals": lambda have, want: have == want, "does_not_equal": lambda have, want: have != want}
)
_MEMBERSHIP: Final[Mapping[str, Operator]] = MappingProxyType(
    {"contains": lambda have, want: want in have, "does_not_contain": lambda have, want: want not in have}
)


class Row(Struct, frozen=True, kw_only=True):
    """One page, as a query sees it."""

    page_id: str
    values: Mapping[str, Any]
    """By column id."""
    times: Mapping[str, float]
    """`created_time` and `last_edited_time`, as UTC seconds."""
    position: int
    """Later pages have a greater one: creation order within the same minute."""


class Query:
    """A filter and sorts over one schema. Raise the 400 that either earns when it is made."""

    def __init__(self, schema: Schema, filter_: Json | None, sorts: Sequence[Json], *, ignore_case: bool) -> None:
        self._schema = schema
        self._ignore_case = ignore_case
        self._matches = self._compiled(filter_, "body.filter", depth=0) if filter_ else lambda row: True
        self._orders = [self._order(sort, index) for index, sort in enumerate(sorts)]

    def select(self, rows: Sequence[Row]) -> list[str]:
        """The ids of the rows that match, in order; newest first where no sort says otherwise."""
        found = sorted((row for row in rows if self._matches(row)), key=lambda row: row.position, reverse=True)
        for key, descending in reversed(self._orders):
            found.sort(key=key, reverse=descending)
        return [row.page_id for row in found]

    def _compiled(self, filter_: Any, path: str, *, depth: int) -> Callable[[Row], bool]:
        if not isinstance(filter_, dict):
            raise failed(path, "an object", filter_)
        for name, combine in (("and", all), ("or", any)):
            if name in filter_:
                return self._compound(filter_[name], f"{path}.{name}", combine, depth)
        if "timestamp" in filter_:
            return self._timestamp(filter_, path)
        return self._property(filter_, path)

    def _compound(self, parts: Any, path: str, combine: Callable[..., bool], depth: int) -> Callable[[Row], bool]:
        if depth >= COMPOUND_DEPTH:
            raise failed(path, "not present", parts)
        if not isinstance(parts, list):
            raise failed(path, "an array", parts)
        tests = [self._compiled(part, f"{path}[{index}]", depth=depth + 1) for index, part in enumerate(parts)]
        return lambda row: combine(test(row) for test in tests)

    def _timestamp(self, filter_: Json, path: str) -> Callable[[Row], bool]:
        name = filter_["timestamp"]
        if name not in TIMESTAMPS or name not in filter_:
            raise failed(f"{path}.timestamp", one_of(TIMESTAMPS), name)
        operator, want = _condition(filter_[name], _DATE, f"{path}.{name}")
        bound = _instant(want, f"{path}.{name}")
        return lambda row: operator(datetime.fromtimestamp(row.times[name] // 60 * 60, UTC), bound)

    def _property(self, filter_: Json, path: str) -> Callable[[Row], bool]:
        problems = Problems()
        if "property" not in filter_:
            for name in ("or", "and", "property", "timestamp"):
                problems.should_be(f"{path}.{name}", "defined")
        else:
            check_string(problems, f"{path}.property", filter_["property"])
        kinds = [key for key in filter_ if key not in ("property", "type")]
        if len(kinds) != 1:
            problems.should_be(path, ONE_CONDITION, filter_)
        problems.raise_if_any()
        column = self._schema.find(filter_["property"])
        if column is None:
            raise invalid(f"Could not find property with name or id: {filter_['property']}")
        if kinds[0] != column.type:
            raise invalid(f"database property {column.type} does not match filter {kinds[0]}")
        return self._condition_on(column, filter_[column.type], f"{path}.{column.type}")

    def _condition_on(self, column: Property, condition: Any, path: str) -> Callable[[Row], bool]:
        have = self._reader(column)
        if isinstance(condition, dict) and condition in ({"is_empty": True}, {"is_not_empty": True}):
            wanted = "is_empty" in condition
            return lambda row: (have(row) in (None, "", [])) is wanted
        operator, want = _condition(condition, _operators(column.type), path)
        _check_operand(column.type, want, path)
        if column.type in TEXT_TYPES and self._ignore_case:
            return lambda row: operator((have(row) or "").casefold(), want.casefold())
        if column.type in TEXT_TYPES:
            return lambda row: operator(have(row) or "", want)
        if column.type in ("date", *TIMESTAMPS):
            want = _instant(want, path)
        return lambda row: operator(have(row), want)

    def _reader(self, column: Property) -> Callable[[Row], Any]:
        if column.type in TIMESTAMPS:
            return lambda row: datetime.fromtimestamp(row.times[column.type] // 60 * 60, UTC)
        return lambda row: _comparable(column.type, row.values.get(column.id, column.empty()))

    def _order(self, sort: Any, index: int) -> tuple[Callable[[Row], Any], bool]:
        if not isinstance(sort, dict):
            raise failed(f"body.sorts[{index}]", "an object", sort)
        if sort.get("direction") not in DIRECTIONS:
            raise failed(f"body.sorts[{index}].direction", one_of(DIRECTIONS), sort.get("direction"))
        descending = sort["direction"] == "descending"
        if sort.get("timestamp") in TIMESTAMPS:
            return (lambda row: row.times[sort["timestamp"]]), descending
        column = self._schema.find(str(sort.get("property")))
        if column is None:
            raise invalid(f"Could not find sort property with name or id: {sort.get('property')}")
        have = self._reader(column)
        return (lambda row: _sort_key(have(row))), descending


def _operators(kind: str) -> Mapping[str, Operator]:
    if kind in TEXT_TYPES:
        return _TEXT
    if kind == "number":
        return _NUMBER
    if kind in ("date", *TIMESTAMPS):
        return _DATE
    return _MEMBERSHIP if kind == "multi_select" else _EQUALITY


def _check_operand(kind: str, want: Any, path: str) -> None:
    """Raise the 400 for something that a column of this type can't be compared with."""
    problems = Problems()
    if kind in (*TEXT_TYPES, "select", "status", "multi_select"):
        check_string(problems, path, want, most=TEXT_LIMIT)
    elif kind == "number":
        check_number(problems, path, want)
    elif kind == "checkbox":
        check_boolean(problems, path, want)
    problems.raise_if_any()


def _condition(condition: Any, operators: Mapping[str, Operator], path: str) -> tuple[Operator, Any]:
    if not isinstance(condition, dict) or len(condition) != 1:
        raise failed(path, ONE_CONDITION, condition)
    name, want = next(iter(condition.items()))
    if name not in operators:
        raise failed(f"{path}.{name}", "not present", want)
    return operators[name], want


def _instant(value: Any, path: str) -> datetime:
    moment = parsed_moment(value)
    if moment is None:
        raise failed(path, "a valid ISO 8601 date string", value)
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def _comparable(kind: str, value: Any) -> Any:
    if kind in ("title", "rich_text"):
        return plain(value)
    if value is None:
        return None
    if kind in ("select", "status"):
        return value["name"]
    if kind == "multi_select":
        return [each["name"] for each in value]
    return _instant(value["start"], kind) if kind == "date" else value


def _sort_key(value: Any) -> tuple[bool, Any]:
    empty = value is None or value == ""
    return (empty, 0 if empty else value)


def check_paging(problems: Problems, size: Any, cursor: Any) -> None:
    """Check a page size (1 to 100) and a cursor, where they are given."""
    if size is not None and (not isinstance(size, int) or isinstance(size, bool)):
        problems.should_be(f"{problems.place}.page_size", "a number", size)
    elif size is not None and not 1 <= size <= PAGE_SIZE_LIMIT:
        bound = "≥ `1`" if size < 1 else f"≤ `{PAGE_SIZE_LIMIT}`"
        problems.should_be(f"{problems.place}.page_size", bound, size)
    if cursor is not None:
        check_string(problems, f"{problems.place}.start_cursor", cursor)


def one_page(
    items: Sequence[Item], ids: Sequence[str], size: int | None, cursor: str | None
) -> tuple[Sequence[Item], str | None]:
    """The items of one page and the cursor of the next; a cursor is the id it goes on with."""
    start = 0
    if cursor is not None:
        if cursor not in ids:
            raise invalid(f"The start_cursor provided is invalid: {cursor}")
        start = ids.index(cursor)
    end = start + (size or PAGE_SIZE_LIMIT)
    return items[start:end], ids[end] if end < len(ids) else None
