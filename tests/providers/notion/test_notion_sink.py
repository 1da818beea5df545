"""Does a call become one Notion page, whole, whatever the network does?"""

from collections.abc import Callable
from typing import Any, Protocol

import pytest

from focusflow.errors import Ambiguous, Permanent
from focusflow.ports import Page
from focusflow.sandbox.faults import Fault, FaultPlan
from focusflow.sandbox.notion import NotionService
from focusflow.sandbox.request_log import RequestLog


class Note(Protocol):
    memo: str | None
    commits: int
    crash_at: int | None

    async def remember(self, memo: str) -> None: ...


class World(Protocol):
    service: NotionService
    faults: FaultPlan
    log: RequestLog
    clock: Any
    database_id: str

    def sink(self, **options: Any) -> Any: ...
    async def fill(self, ref: str, page: Page, note: Note, **options: Any) -> None: ...
    def only_page(self) -> dict[str, Any]: ...
    def text(self, page_id: str | None = None) -> str: ...
    def writes(self) -> list[str]: ...


Call = Callable[..., Page]

WHOLE = """# Quote for forty chairs
Ann asks for forty chairs by Friday.
## To do
[ ] Send the quote
[x] Check the stock
  - north hall
  - south hall
    - shelf nine
[table]
  | Item | Price |
  | Chair | 49 |
> We need them on Friday.
See the catalogue.
▸ Transcript
  Ann Lee  0:00  This is what was said in turn 0, and a little more of it so that it is a sentence.
  Speaker B  0:04  This is what was said in turn 1, and a little more of it so that it is a sentence."""


async def test_a_call_becomes_a_page_with_properties_summary_and_transcript(
    world: World, note: Note, a_call: Call
) -> None:
    """Create and fill write all the user's columns, the summary's structure and the transcript in its toggle."""
    async with world.sink() as sink:
        ref = await sink.create(a_call(turns=2))
        await sink.fill(ref.ref, a_call(turns=2), memo=None, remember=note.remember)
    page = world.only_page()
    assert ref.ref == page["id"]
    assert ref.url == page["url"]
    assert page["icon"] == {"type": "emoji", "emoji": "📞"}
    assert _values(page) == {
        "Title": "Quote for forty chairs",
        "Date": "2026-07-04T09:08:00.000+02:00",
        "Direction": "Incoming",
        "Duration": 754,
        "Drive Link": "https://drive.google.com/file/d/1AbC/view",
        "Status": "Done",
        "External ID": "drive:1AbC",
        "Contact": "Ann Lee",
        "Phone": "+49 30 1234567",
        "Call Type": "Phone",
    }
    assert world.text() == WHOLE


def _values(page: dict[str, Any]) -> dict[str, Any]:
    return {name: _value(value) for name, value in page["properties"].items()}


def _value(value: dict[str, Any]) -> Any:
    content = value[value["type"]]
    if isinstance(content, list):
        return "".join(item["plain_text"] for item in content)
    if isinstance(content, dict):
        return content.get("name") or content.get("start")
    return content


async def test_filling_again_reads_and_writes_nothing(world: World, note: Note, a_call: Call) -> None:
    """A repeated sync of an unchanged call costs three reads."""
    async with world.sink() as sink:
        ref = await sink.create(a_call())
        await sink.fill(ref.ref, a_call(), memo=None, remember=note.remember)
    commits = note.commits
    world.log.clear()
    await world.fill(ref.ref, a_call(), note)
    assert world.writes() == []
    assert note.commits == commits
    assert [entry.method for entry in world.log] == ["GET"] * 5  # page, database, data source, body, toggle


async def test_a_page_whose_memo_was_lost_is_adopted_without_writing(world: World, note: Note, a_call: Call) -> None:
    """After a lost database the page is found by its key and recognised block by block."""
    async with world.sink() as sink:
        ref = await sink.create(a_call())
        await sink.fill(ref.ref, a_call(), memo=None, remember=note.remember)
    note.memo = None
    world.log.clear()
    async with world.sink() as sink:
        assert await sink.find("drive:1AbC") == ref
    await world.fill(ref.ref, a_call(), note)
    assert world.writes() == []
    assert note.memo is not None


async def test_31_every_kind_of_markdown_keeps_its_form(world: World, note: Note, a_call: Call) -> None:
    """Nested lists, to-dos, links, italics, quotes, code and tables arrive as what they are."""
    summary = "*i* **b** ~~s~~ `c` [l](https://example.com/)\n\n1. one\n   - two\n\n```py\nprint(1)\n```\n\n---"
    async with world.sink() as sink:
        await sink.create(a_call(summary=summary, turns=0))
    paragraph, numbered, code, rule = world.service.block_tree(world.only_page()["id"])
    styles = {
        item["plain_text"]: {name for name, on in item["annotations"].items() if on is True}
        for item in paragraph["paragraph"]["rich_text"]
    }
    assert {text: style for text, style in styles.items() if style} == {
        "i": {"italic"},
        "b": {"bold"},
        "s": {"strikethrough"},
        "c": {"code"},
    }
    assert paragraph["paragraph"]["rich_text"][-1]["href"] == "https://example.com/"
    assert numbered["type"] == "numbered_list_item"
    assert numbered["children"][0]["type"] == "bulleted_list_item"
    assert (code["code"]["language"], rule["type"]) == ("python", "divider")


async def test_26_a_call_of_4000_turns_takes_three_requests_for_its_transcript(
    world: World, note: Note, a_call: Call
) -> None:
    """Hours of talk are packed into few blocks and few requests, and every word arrives in order."""
    page = a_call(turns=4000)
    async with world.sink() as sink:
        ref = await sink.create(page)
        world.log.clear()
        await sink.fill(ref.ref, page, memo=None, remember=note.remember)
    assert len(world.writes()) <= 6
    said = world.text()
    places = [said.index(f" said in turn {index},") for index in range(4000)]
    assert places == sorted(places)


async def test_27_a_run_of_text_without_spaces_is_cut_to_fit(world: World, note: Note, a_call: Call) -> None:
    """Five thousand characters without a blank, in headings, bullets and cells, in any script, are not refused."""
    run, astral = "電話会議" * 1500, "😀" * 3000
    summary = f"# {run}\n\n- {astral}\n\n| {run} | b |\n|---|---|\n| {astral} | c |"
    page = a_call(summary=summary, turns=0, title=run, contact_name=run, contact_number="1" * 500)
    async with world.sink() as sink:
        ref = await sink.create(page)
        await sink.fill(ref.ref, page, memo=None, remember=note.remember)
    said = world.text().replace("\n", "")
    assert said.count(run) == 2
    assert said.count(astral) == 2


async def test_28_a_failed_append_is_mended_on_the_same_page(world: World, note: Note, a_call: Call) -> None:
    """The page exists before its body is whole: the next sync finishes it, and makes no second one."""
    async with world.sink() as sink:
        ref = await sink.create(a_call(turns=2))
        world.faults.add(
            Fault(service="notion", kind="status", status=500, method="PATCH", path="/children", times=None)
        )
        with pytest.raises(Ambiguous):
            await sink.fill(ref.ref, a_call(turns=2), memo=None, remember=note.remember)
    world.faults.clear()
    await world.fill(ref.ref, a_call(turns=2), note)
    assert world.text() == WHOLE
    assert len(world.service.pages()) == 1


async def test_29_a_new_summary_reaches_the_page(world: World, note: Note, a_call: Call) -> None:
    """Changed blocks are updated in place, removed ones go, and the title follows."""
    before = a_call(summary="# Old\n\nfirst\n\nsecond\n\n- gone", turns=2)
    after = a_call(summary="# New\n\nfirst\n\nsecond thoughts", turns=2, title="A better title")
    async with world.sink() as sink:
        ref = await sink.create(before)
        await sink.fill(ref.ref, before, memo=None, remember=note.remember)
    ids = [block["id"] for block in world.service.block_tree(ref.ref)]
    world.log.clear()
    await world.fill(ref.ref, after, note)
    assert world.text().split("▸")[0] == "# New\nfirst\nsecond thoughts\n"
    assert [block["id"] for block in world.service.block_tree(ref.ref)] == [*ids[:3], ids[4]]
    assert _values(world.only_page())["Title"] == "A better title"
    assert sorted(world.writes()) == sorted(
        [
            f"PATCH /v1/pages/{ref.ref}",
            f"PATCH /v1/blocks/{ids[0]}",
            f"PATCH /v1/blocks/{ids[2]}",
            f"DELETE /v1/blocks/{ids[3]}",
        ]
    )


async def test_30_a_renamed_property_is_left_out_and_named(world: World, note: Note, a_call: Call) -> None:
    """A column that disappeared while we run costs its value, not the page; the check says what to do."""
    async with world.sink() as sink:
        assert await sink.check() == ()
        world.service.rename_property(world.database_id, "Duration", "Durration")
        ref = await sink.create(a_call())
        await sink.fill(ref.ref, a_call(), memo=None, remember=note.remember)
        (problem,) = await sink.check()
    assert "'Duration' is not in the database (the nearest is 'Durration')" in problem
    assert "notion.properties.duration" in problem
    assert _values(world.only_page())["Date"] is not None


async def test_a_summary_of_hundreds_of_blocks_is_whole_and_in_order(world: World, note: Note, a_call: Call) -> None:
    """More blocks than one request or one page of a list holds: all there once, and filling again writes nothing."""
    page = a_call(summary="\n\n".join(f"line {number}" for number in range(250)), turns=2)
    async with world.sink() as sink:
        ref = await sink.create(page)
        assert len(world.text().splitlines()) == 100
        await sink.fill(ref.ref, page, memo=None, remember=note.remember)
    assert world.text().splitlines()[:251] == [*(f"line {number}" for number in range(250)), "▸ Transcript"]
    world.log.clear()
    await world.fill(ref.ref, page, note)
    assert world.writes() == []


async def test_many_pages_that_were_never_filled_do_not_pile_up(world: World, note: Note, a_call: Call) -> None:
    """What a process remembers of pages it made is bounded; the forgotten ones are read once more."""
    async with world.sink() as sink:
        refs = [await sink.create(a_call(key=f"drive:{n}", summary="short", turns=1)) for n in range(205)]
        await sink.fill(refs[0].ref, a_call(key="drive:0", summary="short", turns=1), memo=None, remember=note.remember)
        assert len(sink._made) == 200
    assert world.text(refs[0].ref).startswith("short\n▸ Transcript\n  Ann Lee  0:00")


async def test_a_property_that_notion_refuses_for_good_fails_with_its_own_words(
    world: World, note: Note, a_call: Call
) -> None:
    """Nothing about the columns changed, so trying again would not help: the sentence and the request id are kept."""
    async with world.sink() as sink:
        ref = await sink.create(a_call())
        world.faults.add(Fault(service="notion", kind="status", status=400, method="PATCH", times=None))
        with pytest.raises(Permanent, match=r"body failed validation: .* \(Notion's request id: [0-9a-f-]{36}\)"):
            await sink.fill(ref.ref, a_call(title="Other"), memo=None, remember=note.remember)
