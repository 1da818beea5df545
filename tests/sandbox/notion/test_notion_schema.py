"""Properties are checked against the schema, and queries find what they should, when they should."""

from collections.abc import Awaitable, Callable
from typing import Any, Protocol

import pytest
from notion_client import AsyncClient
from notion_client.errors import APIErrorCode, HTTPResponseError
from notion_client.helpers import async_collect_paginated_api

from focusflow.sandbox.notion import NotionService

NewPage = Callable[..., Awaitable[Any]]
Refusal = Callable[[Any], Awaitable[HTTPResponseError]]


class Clock(Protocol):
    def advance(self, seconds: float) -> None: ...


def text(content: str) -> list[dict[str, Any]]:
    return [{"text": {"content": content}}]


def rich_text(content: str) -> dict[str, Any]:
    return {"rich_text": text(content)}


def external_id(value: str) -> dict[str, Any]:
    return {"property": "External ID", "rich_text": {"equals": value}}


async def test_unknown_properties_and_other_types_are_named_all_at_once(new_page: NewPage, refusal: Refusal) -> None:
    """The two texts that a user sees after renaming or retyping a column."""
    error = await refusal(new_page(Mood={"select": {"name": "good"}}))
    assert (error.status, error.code) == (400, APIErrorCode.ValidationError)
    assert str(error) == "Mood is not a property that exists."

    error = await refusal(new_page(Direction=rich_text("Incoming"), Mood={"number": 1}))
    assert str(error) == "Direction is expected to be select. Mood is not a property that exists."


async def test_a_renamed_column_is_gone_by_its_name_and_there_by_its_id(
    client: AsyncClient, service: NotionService, new_page: NewPage, database_id: str, source_id: str, refusal: Refusal
) -> None:
    """What a user's rename does to a writer that goes by names, and the way out: ids."""
    page = await new_page(Duration={"number": 7})
    column = (await client.data_sources.retrieve(source_id))["properties"]["Duration"]["id"]

    service.rename_property(database_id, "Duration", "Seconds")

    assert str(await refusal(new_page(Duration={"number": 1}))) == "Duration is not a property that exists."
    changed = await client.pages.update(page["id"], properties={column: {"number": 8}})
    assert changed["properties"]["Seconds"]["number"] == 8
    service.remove_property(database_id, "Seconds")
    assert "Seconds" not in (await client.pages.retrieve(page["id"]))["properties"]


async def test_an_unknown_select_option_is_created_and_an_unknown_status_is_not(
    client: AsyncClient, new_page: NewPage, source_id: str, refusal: Refusal
) -> None:
    """The difference that decides whether a writer must look at the schema first."""
    page = await new_page(Direction={"select": {"name": "Conference"}}, Status={"status": {"name": "Done"}})
    assert page["properties"]["Direction"]["select"]["name"] == "Conference"

    error = await refusal(new_page(Direction={"select": {"name": "Sideways"}}, Status={"status": {"name": "Synced"}}))
    assert str(error) == 'Invalid status option. Status option "Synced" does not exist.'
    schema = (await client.data_sources.retrieve(source_id))["properties"]
    names = [option["name"] for option in schema["Direction"]["select"]["options"]]
    assert names == ["Incoming", "Outgoing", "Conference"]
    groups = {group["name"]: len(group["option_ids"]) for group in schema["Status"]["status"]["groups"]}
    assert groups == {"To-do": 1, "In progress": 1, "Complete": 1}


@pytest.mark.parametrize(
    ("column", "value", "complaint"),
    [
        ("Duration", {"number": "61"}, 'body.properties.Duration.number should be a number, instead was `"61"`.'),
        ("Duration", {"number": True}, "body.properties.Duration.number should be a number, instead was `true`."),
        ("Duration", {}, "body.properties.Duration.title should be defined, instead was `undefined`."),
        ("Duration", None, "body.properties.Duration should be an object, instead was `null`."),
        ("Drive Link", {"url": ""}, 'body.properties.Drive Link.url should be populated or `null`, instead was `""`.'),
        ("Drive Link", {"url": "n/a"}, 'body.properties.Drive Link.url should be a valid URL, instead was `"n/a"`.'),
        (
            "Drive Link",
            {"url": "https://e.com/" + "x" * 2000},
            "body.properties.Drive Link.url.length should be ≤ `2000`",
        ),
        ("Phone", {"phone_number": "1" * 201}, "body.properties.Phone.phone_number.length should be ≤ `200`"),
        (
            "Direction",
            {"select": {"name": "x" * 101}},
            "body.properties.Direction.select.name.length should be ≤ `100`",
        ),
        ("Direction", {"select": {"name": "in, out"}}, "Invalid select option, commas not allowed: in, out"),
        ("Direction", {"select": "Incoming"}, "body.properties.Direction.select should be an object"),
        (
            "Date",
            {"date": {"start": "yesterday"}},
            "body.properties.Date.date.start should be a valid ISO 8601 date string",
        ),
        (
            "Date",
            {"date": {}},
            "body.properties.Date.date.start should be a valid ISO 8601 date string, instead was `undefined`.",
        ),
        (
            "Date",
            {"date": {"start": "2026-11-22T16:31:00+11:00", "time_zone": "Australia/Melbourne"}},
            "body.properties.Date.date.start should be a date without an offset",
        ),
        (
            "Date",
            {"date": {"start": "2026-11-22T16:31", "time_zone": "Mars/Olympus"}},
            "time_zone should be a valid IANA time zone",
        ),
        (
            "External ID",
            {"rich_text": text("x" * 2001)},
            "body.properties.External ID.rich_text[0].text.content.length",
        ),
        (
            "External ID",
            {"rich_text": text("x") * 101},
            "body.properties.External ID.rich_text.length should be ≤ `100`",
        ),
    ],
)
async def test_a_value_that_does_not_fit_its_type_is_refused(
    new_page: NewPage, refusal: Refusal, column: str, value: Any, complaint: str
) -> None:
    """Each value rule, one by one."""
    error = await refusal(new_page(**{column: value}))

    assert error.status == 400
    assert complaint in str(error)


async def test_nulls_clear_values(client: AsyncClient, new_page: NewPage) -> None:
    """Numbers, links, dates and selects take null."""
    page = await new_page(
        Duration={"number": 1},
        Direction={"select": {"name": "Incoming"}},
        Date={"date": {"start": "2026-11-22"}},
        **{"Drive Link": {"url": "https://example.com"}},
    )

    cleared = await client.pages.update(
        page["id"],
        properties={
            "Duration": {"number": None},
            "Direction": {"select": None},
            "Date": {"date": None},
            "Drive Link": {"url": None},
        },
    )

    values = cleared["properties"]
    assert [values["Duration"]["number"], values["Direction"]["select"], values["Date"]["date"]] == [None] * 3
    assert values["Drive Link"]["url"] is None


@pytest.mark.parametrize(
    ("given", "start"),
    [
        ({"start": "2026-11-22"}, "2026-11-22"),
        ({"start": "2026-11-22T05:31:59Z"}, "2026-11-22T05:31:00.000+00:00"),
        ({"start": "2026-11-22T16:31:00", "time_zone": "Australia/Melbourne"}, "2026-11-22T16:31:00.000+11:00"),
    ],
)
async def test_dates_come_back_with_minutes_and_an_offset(new_page: NewPage, given: dict[str, Any], start: str) -> None:
    """Days stay days; times lose their seconds."""
    page = await new_page(Date={"date": given})

    assert page["properties"]["Date"]["date"]["start"] == start


async def test_a_query_by_external_id_finds_exactly_that_page(
    client: AsyncClient, new_page: NewPage, source_id: str
) -> None:
    """The query that keeps a writer from making a page twice."""
    wanted = await new_page(**{"External ID": rich_text("drive:abc")})
    await new_page(**{"External ID": rich_text("drive:abcd")})
    await new_page()

    found = await client.data_sources.query(source_id, filter=external_id("drive:abc"), page_size=10)

    assert [page["id"] for page in found["results"]] == [wanted["id"]]
    assert (found["type"], found["has_more"], found["next_cursor"]) == ("page_or_data_source", False, None)
    assert "request_status" not in found


async def test_filters_combine_and_mean_what_they_say(client: AsyncClient, new_page: NewPage, source_id: str) -> None:
    """Title, number, select, status, date, url and timestamps, with and/or."""
    incoming, outgoing = ({"select": {"name": name}} for name in ("Incoming", "Outgoing"))
    await new_page("short", Duration={"number": 5}, Direction=incoming, Date={"date": {"start": "2026-11-20"}})
    await new_page("long", Duration={"number": 3600}, Direction=incoming, **{"Drive Link": {"url": "https://d/1"}})
    await new_page("out", Duration={"number": 60}, Direction=outgoing, Status={"status": {"name": "Done"}})

    def over(seconds: int) -> dict[str, Any]:
        return {"property": "Duration", "number": {"greater_than": seconds}}

    came_in = {"property": "Direction", "select": {"equals": "Incoming"}}
    done = {"property": "Status", "status": {"equals": "Done"}}
    for filter_, titles in [
        ({"property": "Title", "title": {"equals": "long"}}, {"long"}),
        ({"property": "title", "title": {"contains": "o"}}, {"short", "long", "out"}),
        ({"and": [came_in, over(10)]}, {"long"}),
        ({"or": [{"and": [came_in, over(10)]}, done]}, {"long", "out"}),
        ({"property": "Drive Link", "url": {"is_not_empty": True}}, {"long"}),
        ({"property": "Date", "date": {"on_or_before": "2026-11-20"}}, {"short"}),
        ({"timestamp": "created_time", "created_time": {"on_or_after": "2026-11-23"}}, {"short", "long", "out"}),
        ({"timestamp": "created_time", "created_time": {"before": "2026-11-23"}}, set()),
    ]:
        found = await client.data_sources.query(source_id, filter=filter_)
        assert {page["properties"]["Title"]["title"][0]["plain_text"] for page in found["results"]} == titles


async def test_a_filter_on_a_column_that_is_not_there_is_refused(
    client: AsyncClient, source_id: str, refusal: Refusal
) -> None:
    """A renamed or retyped column makes the query a 400, not an empty answer."""

    async def complaint(filter_: dict[str, Any]) -> str:
        return str(await refusal(client.data_sources.query(source_id, filter=filter_)))

    missing = {"property": "Externe ID", "rich_text": {"equals": "x"}}
    assert await complaint(missing) == "Could not find property with name or id: Externe ID"
    other = {"property": "Direction", "rich_text": {"equals": "x"}}
    assert await complaint(other) == "database property select does not match filter rich_text"
    assert "body.filter.rich_text.is should be not present" in await complaint(
        {"property": "External ID", "rich_text": {"is": "x"}}
    )
    assert 'body.filter.number should be a number, instead was `"9"`.' in await complaint(
        {"property": "Duration", "number": {"greater_than": "9"}}
    )
    assert "body.filter.property should be defined" in await complaint({"rich_text": {"equals": "x"}})
    assert "body.filter.rich_text" in await complaint({"property": "External ID", "rich_text": {"equals": "x" * 2001}})


async def test_queries_are_paged_and_sorted(client: AsyncClient, new_page: NewPage, source_id: str) -> None:
    """Cursors lead through all pages once; sorts order them, newest first by default."""
    made = [(await new_page(f"call {number}", Duration={"number": number % 3}))["id"] for number in range(7)]

    first = await client.data_sources.query(source_id, page_size=3)
    assert [page["id"] for page in first["results"]] == made[:3:-1]
    assert first["has_more"] is True
    every = await async_collect_paginated_api(client.data_sources.query, data_source_id=source_id, page_size=3)
    assert [page["id"] for page in every] == made[::-1]
    sorts = [
        {"property": "Duration", "direction": "descending"},
        {"timestamp": "created_time", "direction": "ascending"},
    ]
    ordered = await client.data_sources.query(source_id, sorts=sorts)
    assert [page["properties"]["Duration"]["number"] for page in ordered["results"]] == [2, 2, 1, 1, 0, 0, 0]


async def test_a_query_stops_at_its_result_limit_and_says_so(
    client: AsyncClient, service: NotionService, new_page: NewPage, source_id: str
) -> None:
    """Ten thousand on the real one: has_more is false and the answer is marked incomplete."""
    service.query_result_limit = 4
    for number in range(5):
        await new_page(f"call {number}")

    first = await client.data_sources.query(source_id, page_size=3)
    last = await client.data_sources.query(source_id, page_size=3, start_cursor=first["next_cursor"])

    assert "request_status" not in first
    assert (len(last["results"]), last["has_more"]) == (1, False)
    assert last["request_status"] == {"type": "incomplete", "incomplete_reason": "query_result_limit_reached"}


async def test_trashed_pages_are_absent_unless_asked_for(
    client: AsyncClient, service: NotionService, new_page: NewPage, source_id: str
) -> None:
    """A query never finds what a user deleted; in_trash finds nothing else."""
    page, kept = await new_page("gone"), await new_page("kept")
    service.trash_page(page["id"])

    assert [each["id"] for each in (await client.data_sources.query(source_id))["results"]] == [kept["id"]]
    trashed = await client.data_sources.query(source_id, in_trash=True)
    assert [each["id"] for each in trashed["results"]] == [page["id"]]


async def test_a_fresh_page_is_found_only_after_the_visibility_delay(
    client: AsyncClient, service: NotionService, clock: Clock, new_page: NewPage, source_id: str
) -> None:
    """Whoever queries at once after an ambiguous write finds nothing, and must ask again; by id it is there."""
    service.visibility_delay = 5
    page = await new_page(**{"External ID": rich_text("drive:1")})

    assert (await client.data_sources.query(source_id, filter=external_id("drive:1")))["results"] == []
    assert (await client.pages.retrieve(page["id"]))["id"] == page["id"]
    clock.advance(5)
    assert len((await client.data_sources.query(source_id, filter=external_id("drive:1")))["results"]) == 1


async def test_text_equals_may_be_told_to_ignore_case(
    client: AsyncClient, service: NotionService, new_page: NewPage, source_id: str
) -> None:
    """The documents don't promise case; a careful client compares again."""
    await new_page(**{"External ID": rich_text("drive:AbC")})

    assert (await client.data_sources.query(source_id, filter=external_id("drive:abc")))["results"] == []
    service.text_equals_ignores_case = True
    assert len((await client.data_sources.query(source_id, filter=external_id("drive:abc")))["results"]) == 1


async def test_a_data_source_can_be_changed_all_or_nothing(
    client: AsyncClient, source_id: str, new_page: NewPage, refusal: Refusal
) -> None:
    """Columns are added, renamed, given options and removed; one mistake changes none of them."""
    page = await new_page(Duration={"number": 1})
    changed = await client.data_sources.update(
        source_id,
        title=text("Telephone"),
        properties={
            "Cost": {"number": {"format": "dollar"}},
            "Contact": {"name": "Who"},
            "Call Type": None,
            "Status": {"status": {"options": [{"name": "Synced"}]}},
            "Duration": {"rich_text": {}},
        },
    )

    assert changed["title"][0]["plain_text"] == "Telephone"
    assert {"Cost", "Who"} <= changed["properties"].keys()
    assert not {"Contact", "Call Type"} & changed["properties"].keys()
    assert [option["name"] for option in changed["properties"]["Status"]["status"]["options"]] == ["Synced"]
    assert (await client.pages.retrieve(page["id"]))["properties"]["Duration"]["rich_text"] == []

    mistakes = {"Cost": None, "Nowhere": {"name": "Somewhere"}}
    assert "Nowhere is not a property" in str(await refusal(client.data_sources.update(source_id, properties=mistakes)))
    assert "Cost" in (await client.data_sources.retrieve(source_id))["properties"]
    assert "title" in str(await refusal(client.data_sources.update(source_id, properties={"Title": None})))
