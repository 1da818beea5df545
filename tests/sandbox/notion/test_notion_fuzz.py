"""Whatever JSON comes in, the validator has an answer: it never stumbles over a shape it did not expect."""

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from focusflow.sandbox.notion import NotionService, bodies
from focusflow.sandbox.notion.errors import Json, NotionError
from focusflow.sandbox.notion.query import Query
from focusflow.sandbox.notion.store import Workspace
from focusflow.sandbox.notion.validation import utf16_length
from focusflow.sandbox.service import Bill

OLD, NEW = bodies.VERSIONS

WORDS = [
    "parent",
    "page_id",
    "data_source_id",
    "properties",
    "children",
    "position",
    "type",
    "after_block",
    "id",
    "title",
    "rich_text",
    "text",
    "content",
    "link",
    "url",
    "annotations",
    "bold",
    "color",
    "equation",
    "expression",
    "paragraph",
    "toggle",
    "heading_1",
    "is_toggleable",
    "table",
    "table_width",
    "table_row",
    "cells",
    "column_list",
    "column",
    "code",
    "language",
    "image",
    "external",
    "icon",
    "emoji",
    "to_do",
    "checked",
    "select",
    "status",
    "name",
    "options",
    "number",
    "date",
    "start",
    "end",
    "time_zone",
    "multi_select",
    "filter",
    "and",
    "or",
    "property",
    "timestamp",
    "created_time",
    "equals",
    "is_empty",
    "sorts",
    "direction",
    "page_size",
    "start_cursor",
    "in_trash",
    "initial_data_source",
    "bookmark",
    "caption",
]
VALUES = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-1, 200),
    st.floats(allow_nan=False, allow_infinity=False),
    st.sampled_from([*WORDS, "", "https://example.com", "mailto:a@b", "2026-11-22", "ascending", "a,b", "0" * 32]),
    st.text(max_size=5),
)
BODIES = st.dictionaries(
    st.sampled_from(WORDS),
    st.recursive(
        VALUES,
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(WORDS), inner, max_size=4),
        max_leaves=12,
    ),
    max_size=5,
)


def text_of(content: str) -> list[Json]:
    return [{"text": {"content": content}}]


OPERATORS = ["equals", "contains", "greater_than", "before", "is_empty", "starts_with"]
CONDITIONS = st.builds(
    lambda column, operator, value: {"property": column[0], column[1]: {operator: value}},
    st.sampled_from(
        [("title", "title"), ("date", "date"), ("number", "number"), ("tags", "multi_select"), ("tags", "title")]
    ),
    st.sampled_from(OPERATORS),
    VALUES,
)
FILTERS = st.recursive(
    CONDITIONS, lambda inner: st.dictionaries(st.sampled_from(["and", "or"]), st.lists(inner, max_size=2))
)
SORTS = st.builds(
    lambda column, direction: {"property": column, "direction": direction},
    st.sampled_from(["title", "date", "number", "tags"]),
    st.sampled_from(["ascending", "descending"]),
)


LEAVES = st.one_of(
    st.builds(lambda content: {"paragraph": {"rich_text": text_of(content)}}, st.text(max_size=8)),
    st.builds(lambda content: {"code": {"rich_text": text_of(content), "language": "c"}}, st.text(max_size=8)),
    st.builds(
        lambda widths: {
            "table": {
                "table_width": widths[0],
                "children": [{"table_row": {"cells": [[]] * width}} for width in widths],
            }
        },
        st.lists(st.integers(1, 2), min_size=1, max_size=2),
    ),
    BODIES,
)
BLOCKS = st.recursive(
    LEAVES,
    lambda inner: st.builds(
        lambda kind, children: {kind: {"rich_text": text_of("x"), "children": children}},
        st.sampled_from(["toggle", "quote", "heading_1", "divider"]),
        st.lists(inner, max_size=2),
    ),
    max_leaves=6,
)


@pytest.mark.parametrize(
    "check",
    [
        bodies.check_page_creation,
        bodies.check_database_creation,
        bodies.check_search,
        *(
            lambda body, check=check, version=version: check(body, version)
            for check in (
                bodies.check_page_update,
                bodies.check_append,
                bodies.check_block_change,
                bodies.check_data_source_update,
                bodies.check_query,
            )
            for version in (OLD, NEW)
        ),
    ],
)
@given(body=BODIES)
@settings(max_examples=25, deadline=None)
def test_any_body_passes_or_is_refused(check: Callable[[Json], None], body: Json) -> None:
    """A NotionError or nothing; any other exception would be a 500 that Notion never sends."""
    refused_or_fine(lambda: check(body))


@given(children=st.lists(BLOCKS, max_size=3))
@settings(max_examples=100, deadline=None)
def test_what_passes_the_validator_can_be_stored_and_shown(children: list[Any]) -> None:
    """The tree takes every well-formed block, counts it, and can render it."""
    service = NotionService(clock=lambda: 0.0, bill=Bill())
    body = {"children": children}
    if not refused_or_fine(lambda: bodies.check_append(body, NEW)):
        return
    page = service.workspace.root
    if refused_or_fine(lambda: service.workspace.append(page, children)):
        assert len(service.block_tree(page.id)) == len(children)
        service.page_text(page.id)


@given(filter_=FILTERS | BODIES, sorts=st.lists(SORTS, max_size=2) | st.lists(BODIES, max_size=1))
@settings(max_examples=150, deadline=None)
def test_any_filter_is_understood_or_refused(filter_: Json, sorts: list[Json]) -> None:
    """Filters and sorts are user input too."""
    workspace = Workspace(lambda: 0.0)
    configs: dict[str, Json] = {name: {name: {}} for name in ("title", "date", "number")}
    database = workspace.add_database(
        workspace.root, title=[], configs=configs | {"tags": {"multi_select": {}}}, description=[], is_inline=False
    )
    (source,) = workspace.sources_of(database)
    full: Json = {
        "date": {"date": {"start": "2026-11-22"}},
        "number": {"number": 1},
        "tags": {"multi_select": [{"name": "a"}]},
    }
    pages = [workspace.add_page(source, source.schema.stored_values(values)) for values in (full, {}, full)]
    rows = [workspace.row(page) for page in pages]

    refused_or_fine(lambda: Query(source.schema, filter_, sorts, ignore_case=True).select(rows))


@given(st.text())
def test_lengths_are_javascripts(text: str) -> None:
    """Two units for everything beyond the basic plane, one for the rest."""
    assert utf16_length(text) == sum(2 if ord(character) > 0xFFFF else 1 for character in text)


def refused_or_fine(act: Callable[[], object]) -> bool:
    try:
        act()
    except NotionError:
        return False
    return True
