"""Blocks are appended, listed, changed and removed in order, as deep as one request may go."""

from collections.abc import Awaitable, Callable
from typing import Any

from notion_client import AsyncClient
from notion_client.errors import HTTPResponseError
from notion_client.helpers import async_collect_paginated_api

from focusflow.sandbox.notion import NotionService

NewPage = Callable[..., Awaitable[Any]]
Refusal = Callable[[Any], Awaitable[HTTPResponseError]]


def text(content: str) -> list[dict[str, Any]]:
    return [{"type": "text", "text": {"content": content}}]


def block(kind: str, content: str, **more: Any) -> dict[str, Any]:
    return {"object": "block", "type": kind, kind: {"rich_text": text(content), **more}}


def texts(blocks: list[Any]) -> list[str]:
    return [each[each["type"]]["rich_text"][0]["plain_text"] for each in blocks]


async def test_an_append_answers_its_first_level_in_order(
    client: AsyncClient, service: NotionService, new_page: NewPage
) -> None:
    """The results are the new top blocks only; children show as has_children and by listing them."""
    page = await new_page(children=[block("heading_2", "Summary")])

    answer = await client.blocks.children.append(
        page["id"],
        children=[
            block("toggle", "Transcript", children=[block("paragraph", "turn", children=[block("paragraph", "deep")])]),
            block("paragraph", "after"),
        ],
    )

    assert texts(answer["results"]) == ["Transcript", "after"]
    assert (answer["object"], answer["type"], answer["has_more"], answer["next_cursor"]) == (
        "list",
        "block",
        False,
        None,
    )
    toggle = answer["results"][0]
    assert toggle["has_children"] is True
    assert answer["results"][1]["has_children"] is False
    assert toggle["parent"] == {"type": "page_id", "page_id": page["id"]}
    assert toggle["toggle"]["color"] == "default"
    assert "children" not in toggle["toggle"]
    (turn,) = (await client.blocks.children.list(toggle["id"]))["results"]
    assert turn["parent"] == {"type": "block_id", "block_id": toggle["id"]}
    assert service.page_text(page["id"]) == "## Summary\n▸ Transcript\n  turn\n    deep\nafter"


async def test_rich_text_is_answered_with_every_default_spelled_out(client: AsyncClient, new_page: NewPage) -> None:
    """Annotations, link, plain_text and href as in recorded answers; an empty text vanishes."""
    link = {"text": {"content": "here", "link": {"url": "https://example.com"}}, "annotations": {"bold": True}}
    page = await new_page(
        children=[{"paragraph": {"rich_text": [*text(""), link, {"equation": {"expression": "x^2"}}]}}]
    )

    (paragraph,) = (await client.blocks.children.list(page["id"]))["results"]

    first, second = paragraph["paragraph"]["rich_text"]
    assert first == {
        "type": "text",
        "text": {"content": "here", "link": {"url": "https://example.com"}},
        "annotations": {
            "bold": True,
            "italic": False,
            "strikethrough": False,
            "underline": False,
            "code": False,
            "color": "default",
        },
        "plain_text": "here",
        "href": "https://example.com",
    }
    assert (second["type"], second["plain_text"]) == ("equation", "x^2")


async def test_children_are_listed_page_by_page_without_loss(client: AsyncClient, new_page: NewPage) -> None:
    """The SDK's own pagination helper collects all, whatever the page size, in order."""
    page = await new_page()
    names = [f"turn {number}" for number in range(205)]
    for start in range(0, len(names), 100):
        children = [block("paragraph", name) for name in names[start : start + 100]]
        await client.blocks.children.append(page["id"], children=children)

    first = await client.blocks.children.list(page["id"])
    assert len(first["results"]) == 100
    assert first["has_more"] is True
    for size in (100, 37):
        collected = await async_collect_paginated_api(client.blocks.children.list, block_id=page["id"], page_size=size)
        assert texts(collected) == names


async def test_a_bad_page_size_or_cursor_is_refused(client: AsyncClient, new_page: NewPage, refusal: Refusal) -> None:
    """page_size is 1 to 100, and a cursor must be one that was given out."""
    page = await new_page()

    error = await refusal(client.blocks.children.list(page["id"], page_size=101))
    assert str(error) == "query failed validation: query.page_size should be ≤ `100`, instead was `101`."
    assert (await refusal(client.blocks.children.list(page["id"], page_size="many"))).status == 400
    error = await refusal(client.blocks.children.list(page["id"], start_cursor="made-up"))
    assert str(error) == "The start_cursor provided is invalid: made-up"


async def test_position_puts_blocks_first_last_or_after_another(
    client: AsyncClient, service: NotionService, new_page: NewPage
) -> None:
    """All three positions keep the order of the request."""
    page = await new_page(children=[block("paragraph", "a"), block("paragraph", "d")])
    first = service.block_tree(page["id"])[0]["id"]
    after = {"type": "after_block", "after_block": {"id": first}}

    for position, name in ((after, "bc"), ({"type": "end"}, "ef"), ({"type": "start"}, "yz")):
        children = [block("paragraph", letter) for letter in name]
        await client.blocks.children.append(page["id"], children=children, position=position)

    assert service.page_text(page["id"]).split() == ["y", "z", "a", "b", "c", "d", "e", "f"]


async def test_after_belongs_to_the_old_version_only(
    client: AsyncClient, old_client: AsyncClient, service: NotionService, new_page: NewPage, refusal: Refusal
) -> None:
    """2025-09-03 takes `after` and `position`; 2026-03-11 refuses `after`, and a null one is no uuid in either."""
    page = await new_page(children=[block("paragraph", "a"), block("paragraph", "c")])
    first = service.block_tree(page["id"])[0]["id"]
    children = [block("paragraph", "b")]

    await old_client.blocks.children.append(page["id"], children=children, after=first)
    await old_client.blocks.children.append(page["id"], children=children, position={"type": "start"})
    assert service.page_text(page["id"]).split() == ["b", "a", "b", "c"]

    error = await refusal(client.blocks.children.append(page["id"], children=children, after=first))
    assert str(error) == f'body failed validation: body.after should be not present, instead was `"{first}"`.'
    assert (await refusal(old_client.blocks.children.append(page["id"], children=children, after=None))).status == 400
    stranger = service.root_page_id
    error = await refusal(old_client.blocks.children.append(page["id"], children=children, after=stranger))
    assert error.status == 400
    assert "not a child" in str(error)


async def test_an_update_replaces_the_text_and_keeps_the_children(
    client: AsyncClient, service: NotionService, new_page: NewPage, refusal: Refusal
) -> None:
    """A block keeps its id, its type and what is under it."""
    page = await new_page(children=[block("toggle", "old", children=[block("paragraph", "kept")])])
    toggle = service.block_tree(page["id"])[0]["id"]

    changed = await client.blocks.update(toggle, toggle={"rich_text": text("new")})

    assert changed["id"] == toggle
    assert changed["has_children"] is True
    assert service.page_text(page["id"]) == "▸ new\n  kept"
    error = await refusal(client.blocks.update(toggle, paragraph={"rich_text": text("x")}))
    assert error.status == 400
    assert "body.paragraph should be not present" in str(error)
    error = await refusal(client.blocks.update(toggle, toggle={"children": []}))
    assert "body.toggle.children should be not present" in str(error)


async def test_a_deleted_block_is_answered_in_trash_and_no_longer_listed(
    client: AsyncClient, service: NotionService, new_page: NewPage, refusal: Refusal
) -> None:
    """DELETE answers the block with in_trash; deleting twice is a 400; in_trash=False brings it back in its place."""
    page = await new_page(children=[block("paragraph", "a"), block("paragraph", "b")])
    first = service.block_tree(page["id"])[0]["id"]

    gone = await client.blocks.delete(first)

    assert (gone["object"], gone["in_trash"]) == ("block", True)
    assert service.page_text(page["id"]) == "b"
    assert "archived" in str(await refusal(client.blocks.delete(first)))
    await client.blocks.update(first, in_trash=False)
    assert service.page_text(page["id"]) == "a\nb"


async def test_a_page_is_a_block_too(client: AsyncClient, new_page: NewPage, source_id: str) -> None:
    """Retrieving or deleting a page through the blocks endpoint gives a child_page."""
    page = await new_page("A call", children=[block("paragraph", "a")])

    seen = await client.blocks.retrieve(page["id"])
    assert (seen["type"], seen["child_page"], seen["has_children"]) == ("child_page", {"title": "A call"}, True)
    assert (await client.blocks.delete(page["id"]))["in_trash"] is True
    assert (await client.pages.retrieve(page["id"]))["in_trash"] is True


async def test_a_table_takes_rows_of_its_width_at_creation_and_later(
    client: AsyncClient, service: NotionService, new_page: NewPage, refusal: Refusal
) -> None:
    """Rows come as children at creation; later ones are appended to the table and must fit; nothing else does."""

    def row(*cells: str) -> dict[str, Any]:
        return {"table_row": {"cells": [text(cell) for cell in cells]}}

    table = {"table": {"table_width": 2, "has_column_header": True, "children": [row("who", "what")]}}
    page = await new_page(children=[table])
    table_id = service.block_tree(page["id"])[0]["id"]

    await client.blocks.children.append(table_id, children=[row("Ana", "call back")])
    assert service.page_text(page["id"]) == "[table]\n  | who | what |\n  | Ana | call back |"

    error = await refusal(client.blocks.children.append(table_id, children=[row("too", "many", "cells")]))
    assert str(error) == "Number of cells in table row must match the table width of the parent table."
    assert (await refusal(client.blocks.children.append(table_id, children=[block("paragraph", "x")]))).status == 400
    assert (await refusal(client.blocks.children.append(page["id"], children=[row("a", "b")]))).status == 400
    error = await refusal(client.blocks.update(table_id, table={"table_width": 3}))
    assert "body.table.table_width should be not present, instead was `3`" in str(error)


async def test_children_go_only_under_blocks_that_take_them(
    client: AsyncClient, service: NotionService, new_page: NewPage, refusal: Refusal
) -> None:
    """A plain heading and a divider take none; a toggleable heading does."""
    page = await new_page(
        children=[block("heading_2", "plain"), block("heading_2", "open", is_toggleable=True), {"divider": {}}]
    )
    plain, toggleable, divider = (each["id"] for each in service.block_tree(page["id"]))

    await client.blocks.children.append(toggleable, children=[block("paragraph", "inside")])
    for parent in (plain, divider):
        error = await refusal(client.blocks.children.append(parent, children=[block("paragraph", "x")]))
        assert str(error) == "Block does not support children."
    assert service.page_text(page["id"]) == "## plain\n## open\n  inside\n---"


async def test_a_refused_page_leaves_nothing_behind(
    service: NotionService, new_page: NewPage, refusal: Refusal
) -> None:
    """Blocks that do not fit the page are found before the page is made."""
    await refusal(new_page(children=[{"table_row": {"cells": [text("x")]}}]))

    assert service.pages() == []
    assert service.blocks_created == 0


async def test_plain_text_shows_every_kind_of_block(service: NotionService, new_page: NewPage) -> None:
    """What assertions read: marks for headings, lists, to-dos, quotes, code, callouts, pictures and links."""
    page = await new_page(
        children=[
            block("heading_1", "One"),
            block("bulleted_list_item", "item", children=[block("numbered_list_item", "first")]),
            block("to_do", "ring back", checked=True),
            block("quote", "said"),
            block("callout", "mind"),
            block("code", "print()", language="python"),
            {"equation": {"expression": "e=mc^2"}},
            {"bookmark": {"url": "https://example.com"}},
            {"image": {"type": "external", "external": {"url": "https://example.com/a.png"}}},
        ]
    )

    assert service.page_text(page["id"]).split("\n") == [
        "# One",
        "- item",
        "  1. first",
        "[x] ring back",
        "> said",
        "💡 mind",
        "```python",
        "print()",
        "```",
        "$e=mc^2$",
        "https://example.com",
        "[image]",
    ]
