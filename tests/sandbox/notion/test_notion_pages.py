"""Pages and databases come out of the emulator the way the SDK's users know them."""

from collections.abc import Awaitable, Callable
from typing import Any, Protocol

from notion_client import AsyncClient
from notion_client.errors import APIErrorCode, HTTPResponseError
from notion_client.helpers import is_full_page

from focusflow.sandbox.notion import NotionService

NewPage = Callable[..., Awaitable[Any]]
Refusal = Callable[[Any], Awaitable[HTTPResponseError]]
ARCHIVED = "Can't edit block that is archived. You must unarchive the block before editing."


class Clock(Protocol):
    now: float

    def advance(self, seconds: float) -> None: ...


def text(content: str) -> list[dict[str, Any]]:
    return [{"text": {"content": content}}]


def paragraph(content: str) -> dict[str, Any]:
    return {"paragraph": {"rich_text": text(content)}}


async def test_a_page_is_answered_whole_with_every_column(
    client: AsyncClient, new_page: NewPage, source_id: str
) -> None:
    """The shape of a created page: parent, url, empty columns, minute-truncated times, the request's id."""
    page = await new_page(
        "Ana López 📞",
        Date={"date": {"start": "2026-11-22T16:31:45+11:00"}},
        Duration={"number": 61.5},
        **{"Drive Link": {"url": "https://drive.google.com/file/d/1"}, "External ID": {"rich_text": text("drive:1")}},
    )

    assert is_full_page(page)
    assert page["parent"]["data_source_id"] == source_id
    assert page["parent"].keys() == {"type", "data_source_id", "database_id"}
    assert page["url"] == f"https://app.notion.com/p/Ana-L-pez-{page['id'].replace('-', '')}"
    assert page["created_time"] == page["last_edited_time"] == "2026-11-23T09:00:00.000Z"
    properties = page["properties"]
    assert properties["Title"]["title"][0]["plain_text"] == "Ana López 📞"
    assert properties["Date"]["date"] == {"start": "2026-11-22T16:31:00.000+11:00", "end": None, "time_zone": None}
    assert properties["Duration"]["number"] == 61.5
    assert properties["Direction"]["select"] is None
    assert properties["Status"]["status"]["name"] == "Not started"
    assert properties["Contact"]["rich_text"] == []
    assert page["request_id"]
    assert "archived" not in page
    again = await client.pages.retrieve(page["id"].replace("-", ""))
    assert again["properties"] == properties


async def test_times_lose_their_seconds_and_an_edit_moves_the_last_one(
    client: AsyncClient, clock: Clock, new_page: NewPage
) -> None:
    """created_time stays, last_edited_time follows edits of properties and of blocks, both at whole minutes."""
    clock.advance(59)
    page = await new_page(children=[paragraph("hello")])
    assert page["created_time"] == "2026-11-23T09:00:00.000Z"

    clock.advance(61)
    await client.blocks.children.append(page["id"], children=[paragraph("more")])

    again = await client.pages.retrieve(page["id"])
    assert (again["created_time"], again["last_edited_time"]) == (
        "2026-11-23T09:00:00.000Z",
        "2026-11-23T09:02:00.000Z",
    )


async def test_an_update_changes_only_what_it_names(client: AsyncClient, new_page: NewPage) -> None:
    """A patch of one property leaves the others; an icon can be set and taken away."""
    page = await new_page("Before", Duration={"number": 5})

    changed = await client.pages.update(
        page["id"], properties={"Title": {"title": text("After")}}, icon={"type": "emoji", "emoji": "📞"}
    )

    assert changed["properties"]["Title"]["title"][0]["plain_text"] == "After"
    assert changed["properties"]["Duration"]["number"] == 5
    assert changed["icon"] == {"type": "emoji", "emoji": "📞"}
    assert (await client.pages.update(page["id"], icon=None))["icon"] is None


async def test_only_the_properties_asked_for_are_answered(client: AsyncClient, new_page: NewPage) -> None:
    """filter_properties takes names and ids."""
    page = await new_page()
    column = page["properties"]["Duration"]["id"]

    answer = await client.pages.retrieve(page["id"], filter_properties=[column, "Title"])

    assert answer["properties"].keys() == {"Title", "Duration"}


async def test_a_trashed_page_answers_by_id_but_takes_no_edit_until_it_is_restored(
    client: AsyncClient, service: NotionService, new_page: NewPage, refusal: Refusal
) -> None:
    """The user's deletion shows as in_trash; writes to the page and its blocks are 400 until in_trash=False."""
    page = await new_page(children=[paragraph("hello")])
    block_id = service.block_tree(page["id"])[0]["id"]
    service.trash_page(page["id"])

    assert (await client.pages.retrieve(page["id"]))["in_trash"] is True
    for call in (
        client.pages.update(page["id"], properties={"Title": {"title": text("x")}}),
        client.pages.update(page["id"], in_trash=True),
        client.blocks.children.append(page["id"], children=[paragraph("x")]),
        client.blocks.update(block_id, **paragraph("x")),
        client.blocks.delete(block_id),
    ):
        error = await refusal(call)
        assert (error.status, error.code, str(error)) == (400, APIErrorCode.ValidationError, ARCHIVED)

    assert (await client.pages.update(page["id"], in_trash=False))["in_trash"] is False
    await client.blocks.update(block_id, **paragraph("edited"))
    assert service.page_text(page["id"]) == "edited"


async def test_erase_content_empties_the_body_and_keeps_the_page(
    client: AsyncClient, service: NotionService, new_page: NewPage
) -> None:
    """The rewrite-after-failure path: the same page, no blocks, then new ones."""
    page = await new_page(
        children=[paragraph("one"), {"toggle": {"rich_text": text("two"), "children": [paragraph("x")]}}]
    )

    await client.pages.update(page["id"], erase_content=True)
    assert (await client.blocks.children.list(page["id"]))["results"] == []
    await client.blocks.children.append(page["id"], children=[paragraph("anew")])

    assert service.page_text(page["id"]) == "anew"


async def test_both_versions_speak_their_own_word_for_trash(
    client: AsyncClient, old_client: AsyncClient, new_page: NewPage, refusal: Refusal
) -> None:
    """2025-09-03 takes and answers `archived` too; 2026-03-11 refuses it; `in_trash` works in both."""
    page = await new_page(children=[paragraph("hello")])

    error = await refusal(client.pages.update(page["id"], archived=True))
    assert str(error) == "body failed validation: body.archived should be not present, instead was `true`."
    old = await old_client.pages.update(page["id"], archived=True)
    assert old["archived"] is old["in_trash"] is True
    restored = await old_client.pages.update(page["id"], in_trash=False)
    assert restored["archived"] is restored["in_trash"] is False
    blocks = await old_client.blocks.children.list(page["id"])
    assert blocks["results"][0]["archived"] is False
    assert "archived" not in (await client.blocks.children.list(page["id"]))["results"][0]


async def test_a_database_is_a_container_and_its_data_source_has_the_schema(
    client: AsyncClient, service: NotionService
) -> None:
    """databases.create makes both; the two ids differ and each answers only at its own endpoint."""
    database = await client.databases.create(
        parent={"type": "page_id", "page_id": service.root_page_id},
        title=text("Calls"),
        initial_data_source={
            "properties": {
                "Title": {"title": {}},
                "Direction": {"select": {"options": [{"name": "Incoming", "color": "blue"}]}},
                "Status": {"status": {"options": [{"name": "Done", "color": "green"}]}},
                "Duration": {"number": {"format": "number"}},
            }
        },
    )

    (source,) = database["data_sources"]
    assert source["name"] == "Calls"
    assert source["id"] != database["id"]
    assert database["created_time"] == "2026-11-23T09:00:00.000+00:00"
    assert (await client.databases.retrieve(database["id"]))["data_sources"] == [source]
    schema = (await client.data_sources.retrieve(source["id"]))["properties"]
    assert schema["Title"] == {"id": "title", "name": "Title", "description": None, "type": "title", "title": {}}
    assert [option["name"] for option in schema["Status"]["status"]["options"]] == ["Done"]
    assert schema["Direction"]["select"]["options"][0]["color"] == "blue"
    assert schema["Duration"]["number"] == {"format": "number"}


async def test_ids_of_the_wrong_kind_are_not_found_in_notions_words(
    client: AsyncClient, database_id: str, source_id: str, refusal: Refusal
) -> None:
    """A database id is no data source id, and the 404 tells about sharing."""
    error = await refusal(client.data_sources.retrieve(database_id))
    assert (error.status, error.code) == (404, APIErrorCode.ObjectNotFound)
    assert str(error) == (
        f"Could not find data_source with ID: {database_id}. Make sure the relevant pages and databases are shared "
        'with your integration "FocusFlow".'
    )
    for call in (
        client.databases.retrieve(source_id),
        client.blocks.retrieve(source_id),
        client.pages.retrieve(database_id),
    ):
        assert (await refusal(call)).code == APIErrorCode.ObjectNotFound
    error = await refusal(client.pages.retrieve("PAGE_ID"))
    assert str(error) == 'path failed validation: path.page_id should be a valid uuid, instead was `"PAGE_ID"`.'


async def test_a_database_with_two_data_sources_is_no_parent_for_a_page(
    client: AsyncClient, service: NotionService, database_id: str, refusal: Refusal
) -> None:
    """With one data source the database stands for it; a second one makes that a 400."""
    parent = {"type": "database_id", "database_id": database_id}
    page = await client.pages.create(parent=parent, properties={"Title": {"title": text("one")}})
    assert page["parent"]["type"] == "data_source_id"

    service.add_data_source(database_id, "Archive")

    assert [source["name"] for source in (await client.databases.retrieve(database_id))["data_sources"]] == [
        "Calls",
        "Archive",
    ]
    assert (await refusal(client.pages.create(parent=parent, properties={}))).status == 400


async def test_the_bot_knows_its_name_and_its_upload_limit(client: AsyncClient) -> None:
    """users/me is what a connection check asks."""
    me = await client.users.me()

    assert (me["type"], me["name"]) == ("bot", "FocusFlow")
    assert me["bot"]["workspace_limits"]["max_file_upload_size_in_bytes"] == 5 * 1024 * 1024


async def test_search_lists_pages_and_data_sources(client: AsyncClient, new_page: NewPage, source_id: str) -> None:
    """A minimal search: by title, filtered by kind."""
    page = await new_page("Quarterly review")
    await new_page("Dinner")

    found = await client.search(query="review", filter={"property": "object", "value": "page"})
    assert [each["id"] for each in found["results"]] == [page["id"]]
    sources = await client.search(filter={"property": "object", "value": "data_source"})
    assert [each["id"] for each in sources["results"]] == [source_id]


async def test_a_users_hands_change_what_the_api_answers(
    client: AsyncClient, service: NotionService, new_page: NewPage, database_id: str
) -> None:
    """The Python-side helpers act on the same workspace that the API serves."""
    page = await new_page(children=[paragraph("one"), paragraph("three")])
    first, _ = service.block_tree(page["id"])

    service.edit_block(first["id"], "ONE")
    service.insert_block(page["id"], "two", after=first["id"], kind="bulleted_list_item")
    listed = (await client.blocks.children.list(page["id"]))["results"]

    assert [block["type"] for block in listed] == ["paragraph", "bulleted_list_item", "paragraph"]
    assert service.page_text(page["id"]) == "ONE\n- two\nthree"
    service.delete_block(listed[2]["id"])
    assert service.page_text(page["id"]) == "ONE\n- two"
    assert [each["id"] for each in service.pages(database_id)] == [page["id"]]
    service.trash_page(page["id"])
    assert service.pages() == []
    assert len(service.pages(trashed=True)) == 1
    service.restore_page(page["id"])
    assert len(service.pages()) == 1
