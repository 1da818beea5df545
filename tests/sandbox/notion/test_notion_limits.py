"""Every limit of the validator is exact: the largest thing passes, one more is refused in Notion's words."""

import json
from collections.abc import Awaitable, Callable
from typing import Any

import aiohttp
import pytest
from notion_client import AsyncClient
from notion_client.errors import APIErrorCode, HTTPResponseError

from focusflow.sandbox.notion import NotionService
from focusflow.sandbox.notion.blocks import LANGUAGES

NewPage = Callable[..., Awaitable[Any]]
Refusal = Callable[[Any], Awaitable[HTTPResponseError]]
FAILED = "body failed validation: body.children[0]"


def text(content: str, **more: Any) -> list[dict[str, Any]]:
    return [{"text": {"content": content, **more}}]


def block(kind: str, content: str = "x", **more: Any) -> dict[str, Any]:
    return {kind: {"rich_text": text(content), **more}}


def row(*cells: str) -> dict[str, Any]:
    return {"table_row": {"cells": [text(cell) for cell in cells]}}


@pytest.fixture
def append(client: AsyncClient, new_page: NewPage) -> Callable[..., Awaitable[Any]]:
    """Append these blocks to a new page."""

    async def appended(*children: Any) -> Any:
        page = await new_page()
        return await client.blocks.children.append(page["id"], children=list(children))

    return appended


async def test_a_text_has_2000_units_and_an_emoji_has_two(append: NewPage, refusal: Refusal) -> None:
    """Length is JavaScript's: 1000 emoji pass, 1001 don't."""
    for fits in ("x" * 2000, "й" * 2000, "📞" * 1000):
        await append(block("paragraph", fits))

    error = await refusal(append(block("paragraph", "x" * 2001)))
    assert (error.status, error.code) == (400, APIErrorCode.ValidationError)
    assert str(error) == f"{FAILED}.paragraph.rich_text[0].text.content.length should be ≤ `2000`, instead was `2001`."
    error = await refusal(append(block("paragraph", "📞" * 1000 + "x")))
    assert "should be ≤ `2000`, instead was `2001`." in str(error)


@pytest.mark.parametrize(
    ("largest", "path"),
    [
        (lambda n: [block("paragraph")] * n, "body.children.length"),
        (lambda n: [{"paragraph": {"rich_text": text("x") * n}}], "body.children[0].paragraph.rich_text.length"),
        (lambda n: [block("toggle", children=[block("paragraph")] * n)], "body.children[0].toggle.children.length"),
        (
            lambda n: [block("toggle", children=[block("toggle", children=[block("paragraph")] * n)])],
            "body.children[0].toggle.children[0].toggle.children.length",
        ),
        (lambda n: [block("code", language="python", caption=text("x") * n)], "body.children[0].code.caption.length"),
        (
            lambda n: [{"table": {"table_width": 1, "children": [row("x")] * n}}],
            "body.children[0].table.children.length",
        ),
        (
            lambda n: [{"table": {"table_width": 1, "children": [{"table_row": {"cells": [text("x") * n]}}]}}],
            "body.children[0].table.children[0].table_row.cells[0].length",
        ),
    ],
)
async def test_every_array_has_100_items(
    append: NewPage, refusal: Refusal, largest: Callable[[int], list[Any]], path: str
) -> None:
    """Blocks at each level, rich text, captions, rows and cells alike."""
    await append(*largest(100))

    error = await refusal(append(*largest(101)))
    assert str(error) == f"body failed validation: {path} should be ≤ `100`, instead was `101`."


async def test_a_request_has_1000_blocks_at_all_depths(
    append: NewPage, refusal: Refusal, service: NotionService
) -> None:
    """Ten toggles of 99 are exactly a thousand; one more anywhere is too many."""
    ten = [block("toggle", children=[block("paragraph")] * 99) for _ in range(10)]

    await append(*ten)
    assert service.blocks_created == 1 + 1000
    error = await refusal(append(*ten, block("paragraph")))
    assert error.status == 400
    assert "1000" in str(error)
    assert "1001" in str(error)


async def test_a_body_has_500_kilobytes_and_far_beyond_that_the_edge_answers(append: NewPage, refusal: Refusal) -> None:
    """400 from the API above 500 KB; a page of HTML from the edge when it is huge."""
    await append(*[{"paragraph": {"rich_text": text("й" * 2000)}} for _ in range(100)])

    error = await refusal(append(*[{"paragraph": {"rich_text": text("й" * 2000) * 2}} for _ in range(100)]))
    assert (error.status, error.code) == (400, APIErrorCode.ValidationError)
    error = await refusal(append(*[{"paragraph": {"rich_text": text("й" * 2000) * 20}} for _ in range(100)]))
    assert (error.status, error.code) == (413, "notionhq_client_response_error")
    assert "cf-ray" in error.headers
    assert error.body.startswith("<html>")


async def test_nesting_goes_two_levels_below_the_top(append: NewPage, refusal: Refusal) -> None:
    """Grandchildren can't have children, not even none."""
    deep = block("toggle", children=[block("toggle", children=[block("toggle")])])
    await append(deep)

    error = await refusal(append(block("toggle", children=[block("toggle", children=[block("toggle", children=[])])])))
    path = "body.children[0].toggle.children[0].toggle.children[0].toggle.children"
    assert str(error) == f"body failed validation: {path} should be not present, instead was `[]`."


async def test_a_table_stands_at_the_top_or_one_below(append: NewPage, refusal: Refusal) -> None:
    """Its rows need a level of their own."""
    table = {"table": {"table_width": 1, "children": [row("x")]}}
    await append(block("toggle", children=[table]))

    error = await refusal(append(block("toggle", children=[block("toggle", children=[table])])))
    assert "toggle.children[0].toggle.children[0].table should be not present" in str(error)


async def test_columns_stand_at_the_top_only(append: NewPage, refusal: Refusal) -> None:
    """A column's content counts as level one."""
    columns = {
        "column_list": {"children": [{"column": {"children": [block("toggle", children=[block("toggle")])]}}] * 2}
    }
    await append(columns)

    assert "column_list should be not present" in str(await refusal(append(block("toggle", children=[columns]))))
    assert "column_list.children" in str(await refusal(append({"column_list": {"children": [block("paragraph")]}})))


@pytest.mark.parametrize(
    ("bad", "complaint"),
    [
        ({"table": {"table_width": 1}}, ".table.children should be defined, instead was `undefined`."),
        ({"table": {"table_width": 1, "children": []}}, ".table.children.length should be ≥ `1`, instead was `0`."),
        ({"table": {"children": [row("x")]}}, ".table.table_width should be defined"),
        ({"table": {"table_width": 0, "children": [row("x")]}}, ".table.table_width should be a number between"),
        (
            {"table": {"table_width": 2, "children": [row("a", "b"), row("a")]}},
            ".table.children[1].table_row.cells.length should be `2`, the table_width of its table, instead was `1`.",
        ),
        (
            {"table": {"table_width": 1, "children": [{"paragraph": {"rich_text": []}}]}},
            ".table.children[0].table_row should be defined",
        ),
        (block("heading_1", children=[block("paragraph")]), ".heading_1.children should be not present"),
        (
            block("heading_1", is_toggleable=False, children=[block("paragraph")]),
            ".heading_1.children should be not present",
        ),
        (block("code"), ".code.language should be defined"),
        (block("code", language="klingon"), '.code.language should be `"abap"`, `"abc"`'),
        (block("paragraph", color="teal"), ".paragraph.color should be"),
        (block("paragraph", checked=True), ".paragraph.checked should be not present, instead was `true`."),
        (block("to_do", checked="yes"), '.to_do.checked should be a boolean, instead was `"yes"`.'),
        ({"paragraph": {}}, ".paragraph.rich_text should be defined, instead was `undefined`."),
        ({"paragraph": {"rich_text": "x"}}, '.paragraph.rich_text should be an array, instead was `"x"`.'),
        ({"paragraph": None}, ".paragraph should be an object, instead was `null`."),
        ({"paragraph": {"rich_text": []}, "toggle": {"rich_text": []}}, ".toggle should be not present"),
        ({"type": "toggle", "paragraph": {"rich_text": []}}, '.type should be `"paragraph"`, instead was `"toggle"`.'),
        ({**block("toggle"), "children": []}, ".children should be not present, instead was `[]`."),
        ({**block("toggle"), "id": "x"}, '.id should be not present, instead was `"x"`.'),
        ({"equation": {"expression": "x" * 1001}}, ".equation.expression.length should be ≤ `1000`"),
        ({"bookmark": {"url": "nowhere"}}, '.bookmark.url should be a valid URL, instead was `"nowhere"`.'),
        ({"paragraph": {"rich_text": [{"plain_text": "x"}]}}, ".paragraph.rich_text[0].text should be defined"),
        (
            {"paragraph": {"rich_text": [{"text": {"content": "x", "annotations": {"bold": True}}}]}},
            ".paragraph.rich_text[0].text.annotations should be not present",
        ),
        (
            {"paragraph": {"rich_text": [{"text": {"content": "x"}, "annotations": {"color": "teal"}}]}},
            ".paragraph.rich_text[0].annotations.color should be",
        ),
        (
            {"paragraph": {"rich_text": [{"text": {"content": None}}]}},
            ".paragraph.rich_text[0].text.content should be a string",
        ),
    ],
)
async def test_a_malformed_block_is_named_by_its_path(
    append: NewPage, refusal: Refusal, bad: dict[str, Any], complaint: str
) -> None:
    """Each rule of a block type, one by one, with the path that leads to the fault."""
    error = await refusal(append(bad))

    assert error.status == 400
    assert f"body.children[0]{complaint}" in str(error)


@pytest.mark.parametrize("language", [LANGUAGES[0], "plain text", "java/c/c++/c#"])
async def test_the_known_languages_pass(append: NewPage, language: str) -> None:
    """Ninety of them, by the names Notion gives them."""
    assert len(LANGUAGES) == len(set(LANGUAGES)) == 90
    await append(block("code", "x", language=language))


@pytest.mark.parametrize("url", ["https://example.com/a?b=c#d", "http://localhost:8080", "mailto:ana@example.com"])
async def test_web_and_mail_links_pass(append: NewPage, url: str) -> None:
    """What a summary may link to."""
    await append({"paragraph": {"rich_text": text("here", link={"url": url})}})


@pytest.mark.parametrize(
    "url", ["example.com", "ftp://example.com", "javascript:alert(1)", "https://", "http://a b", "https://[::1"]
)
async def test_one_bad_link_refuses_the_whole_request(append: NewPage, refusal: Refusal, url: str) -> None:
    """However deep it stands."""
    error = await refusal(
        append(block("toggle", children=[{"paragraph": {"rich_text": text("x", link={"url": url})}}]))
    )

    assert str(error) == "Invalid URL for link."


async def test_a_link_has_2000_units(append: NewPage, refusal: Refusal) -> None:
    """One more is a length problem, not a link problem."""
    longest = "https://example.com/".ljust(2000, "x")
    await append({"paragraph": {"rich_text": text("x", link={"url": longest})}})

    error = await refusal(append({"paragraph": {"rich_text": text("x", link={"url": longest + "x"})}}))
    assert "rich_text[0].text.link.url.length should be ≤ `2000`, instead was `2001`." in str(error)


async def test_several_problems_are_listed_line_by_line(append: NewPage, refusal: Refusal) -> None:
    """`Fix one:` and the lines, in the order of the body."""
    error = await refusal(append(block("paragraph", "x" * 2001), block("code", language="klingon")))

    first, second, third = str(error).split("\n")
    assert first == "body failed validation. Fix one:"
    assert second.startswith("body.children[0].paragraph.rich_text[0].text.content.length should be")
    assert third.startswith("body.children[1].code.language should be")


async def test_an_unknown_block_type_lists_the_known_ones(append: NewPage, refusal: Refusal) -> None:
    """As a union of schemas reports it."""
    error = await refusal(append({"type": "hologram", "hologram": {}}))

    assert str(error).startswith("body failed validation. Fix one:\nbody.children[0].embed should be defined")
    assert "body.children[0].paragraph should be defined, instead was `undefined`." in str(error)


@pytest.mark.parametrize(
    ("body", "complaint"),
    [
        ({"properties": {}}, "body.parent should be defined, instead was `undefined`."),
        ({"parent": {}, "properties": {}}, "body.parent.page_id should be defined"),
        (
            {"parent": {"page_id": "here"}, "properties": {}},
            'body.parent.page_id should be a valid uuid, instead was `"here"`.',
        ),
        ({"parent": {"page_id": "0" * 32}}, "body.properties should be defined, instead was `undefined`."),
        (
            {"parent": {"page_id": "0" * 32}, "properties": {}, "icon": {"emoji": ""}},
            "body.icon.emoji should be a valid emoji",
        ),
        ({"parent": {"page_id": "0" * 32}, "properties": {}, "children": None}, "body.children should be an array"),
    ],
)
async def test_a_page_needs_a_parent_and_properties(
    client: AsyncClient, refusal: Refusal, body: dict[str, Any], complaint: str
) -> None:
    """The frame of pages.create."""
    assert complaint in str(await refusal(client.pages.create(**body)))


async def test_what_the_sandbox_does_not_emulate_is_said_not_swallowed(client: AsyncClient, refusal: Refusal) -> None:
    """A test that relies on markdown bodies must fail loudly here."""
    error = await refusal(client.pages.create(parent={"page_id": "0" * 32}, properties={}, markdown="# hi"))

    assert (error.status, error.code) == (400, APIErrorCode.InvalidRequest)
    assert "markdown" in str(error)


async def test_unknown_keys_of_a_body_are_refused(client: AsyncClient, new_page: NewPage, refusal: Refusal) -> None:
    """The SDK drops keys it does not know; by raw request they reach the validator."""
    page = await new_page()

    error = await refusal(client.request(path=f"pages/{page['id']}", method="PATCH", body={"colour": "red"}))
    assert str(error) == 'body failed validation: body.colour should be not present, instead was `"red"`.'
    error = await refusal(client.request(path=f"blocks/{page['id']}/children", method="PATCH", body={"blocks": []}))
    assert "body.blocks should be not present" in str(error)
    assert "body.children should be defined" in str(error)


@pytest.mark.parametrize("raw", ["{", "[1,", '{"a": NaN}', "\xff"])
async def test_what_is_no_json_is_invalid_json(base_url: str, session: aiohttp.ClientSession, raw: str) -> None:
    """NaN included: Python writes it, JSON does not have it."""
    headers = {"Authorization": "Bearer ntn_another", "Notion-Version": "2026-03-11"}
    body = raw.encode("latin-1")

    async with session.post(f"{base_url}/v1/pages", data=body, headers=headers) as response:
        answer = await response.json()

    assert (response.status, answer["code"]) == (400, "invalid_json")
    assert answer["message"] == "Error parsing JSON body."


async def test_half_a_surrogate_pair_comes_back_as_a_replacement_character(
    base_url: str, session: aiohttp.ClientSession, new_page: NewPage, service: NotionService
) -> None:
    """JSON can carry one by escape; the answer is still proper UTF-8."""
    page = await new_page()
    headers = {"Authorization": "Bearer ntn_another", "Notion-Version": "2026-03-11"}
    body = json.dumps({"children": [block("paragraph", "\ud83d")]}).encode()

    async with session.patch(f"{base_url}/v1/blocks/{page['id']}/children", data=body, headers=headers) as response:
        answer = await response.json()

    assert answer["results"][0]["paragraph"]["rich_text"][0]["plain_text"] == "\ufffd"
