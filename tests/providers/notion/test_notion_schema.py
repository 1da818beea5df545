"""Is the user's database used as it is, and is everything that does not fit named with what to do about it?"""

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any, Protocol

import pytest

from focusflow.config import Settings, load
from focusflow.domain.jobs import Direction
from focusflow.errors import Ambiguous, Held, Permanent
from focusflow.ports import Page
from focusflow.providers.notion import PropertyNames
from focusflow.providers.notion.icons import icon_of
from focusflow.providers.notion.properties import Role
from focusflow.providers.notion.schema import Layout, layout_of, shown, values_for
from focusflow.sandbox.faults import Fault, FaultPlan
from focusflow.sandbox.notion import NotionService
from focusflow.wiring import property_names

Call = Callable[..., Page]


class Note(Protocol):
    memo: str | None

    async def remember(self, memo: str) -> None: ...


class World(Protocol):
    service: NotionService
    faults: FaultPlan
    database_id: str

    def sink(self, **options: Any) -> Any: ...
    async def fill(self, ref: str, page: Page, note: Note, **options: Any) -> None: ...
    def only_page(self) -> dict[str, Any]: ...


FULL: dict[str, str] = {
    "Name": "title",
    "Date": "date",
    "Direction": "select",
    "Duration": "number",
    "Drive Link": "url",
    "Status": "status",
    "External ID": "rich_text",
    "Contact": "rich_text",
    "Number": "phone_number",
}


def _layout(
    names: PropertyNames | None = None, *, status: Mapping[str, Any] | None = None, **types: str | None
) -> Layout:
    """The layout of a database with the usual columns, some of another type (None: not there)."""
    columns = {
        name: kind for name, kind in (FULL | {key.replace("_", " "): t for key, t in types.items()}).items() if kind
    }
    usual = {"options": [{"id": "1", "name": "Not started"}, {"id": "2", "name": "Complete"}], "groups": []}
    configs = {
        name: {"type": kind, kind: status or usual if kind == "status" else {}} for name, kind in columns.items()
    }
    return layout_of({"id": "ds", "properties": configs}, names or PropertyNames())


def test_the_usual_database_has_no_problems() -> None:
    """Every role has its column; the title is found by its type."""
    layout = _layout()
    assert layout.problems == ()
    assert layout.columns[Role.TITLE].name == "Name"
    assert set(layout.columns) == set(Role) - {Role.CALL_TYPE}


def test_every_missing_column_is_named_with_the_nearest_one() -> None:
    """One sentence each, with the setting that would mend it; columns nobody needs are not missed."""
    problems = _layout(Duration=None, Durration="number", Date=None, Contact=None, Number=None).problems
    assert len(problems) == 2
    assert problems[0].startswith("The property 'Date' is not in the database: rename it back, add it (date)")
    assert "(the nearest is 'Durration')" in problems[1]
    assert problems[1].endswith("or set notion.properties.duration.")


def test_a_column_of_another_type_is_named_and_left_alone() -> None:
    """It says which type is there and which would do."""
    layout = _layout(Duration="rich_text", Number="number")
    assert [problem.split(":")[0] for problem in layout.problems] == [
        "The property 'Duration' is of type rich_text, and should be number",
        "The property 'Number' is of type number, and should be phone_number or rich_text",
    ]
    assert Role.DURATION not in layout.columns


def test_a_column_that_is_not_wanted_is_not_missed() -> None:
    """An empty name in the configuration means: do not write it."""
    layout = _layout(PropertyNames(duration=None, title="Name"), Duration=None)
    assert layout.problems == ()
    assert Role.DURATION not in layout.columns


@pytest.mark.parametrize(
    ("options", "complete", "wanted", "chosen"),
    [
        (["To do", "Complete"], [], "Complete", "Complete"),
        (["To do", "complete"], [], "Complete", "complete"),
        (["To do", "Filed"], ["Filed"], "Complete", "Filed"),
        (["To do", "Done"], [], "Complete", "Done"),
        (["Offen", "Erledigt"], [], "Complete", "Erledigt"),
        (["To do", "Later"], [], "Complete", None),
        ([], [], "Complete", None),
    ],
)
def test_the_status_is_one_that_the_database_has(
    options: list[str], complete: list[str], wanted: str, chosen: str | None
) -> None:
    """An unknown status would be refused: the nearest that says it is done is taken, or none, and that is said."""
    ids = {name: str(index) for index, name in enumerate(options)}
    groups = [
        {"id": "g0", "name": "To-do", "option_ids": ["0"]},
        {"id": "g1", "name": "Complete", "option_ids": [*(ids[name] for name in complete), "unknown"]},
    ]
    status = {"options": [{"id": ids[name], "name": name} for name in options], "groups": groups}
    layout = _layout(PropertyNames(status_done=wanted), status=status)
    assert layout.status == chosen
    assert [("notion.status_done" in problem) for problem in layout.problems] == ([] if chosen else [True])


def test_a_status_that_is_a_select_takes_any_name() -> None:
    """Notion adds the option."""
    assert _layout(Status="select").status == "Complete"


def test_values_that_cannot_be_said_are_left_out(a_call: Call) -> None:
    """No empty links, no infinite durations, no options with commas, no directions nobody knows."""
    page = a_call(
        web_url="not a link",
        duration_seconds=float("nan"),
        direction=None,
        call_at=None,
        contact_name="\0",
        contact_number=None,
        title="  ",
    )
    values = values_for(page, _layout())
    assert set(values) == {"Name", "Status", "External ID"}
    assert values["Name"]["title"] == [{"type": "text", "text": {"content": page.file_name}}]


def test_values_take_the_shape_their_column_wants(a_call: Call) -> None:
    """Option names lose their commas and their length, numbers their tail, titles their line breaks."""
    layout = _layout(Contact="select", Number="rich_text")
    page = a_call(contact_name="Lee, Ann" + " x" * 200, duration_seconds=12.345, title="two\nlines")
    values = values_for(page, layout)
    option = values["Contact"]["select"]
    assert isinstance(option, dict)
    assert option["name"].startswith("Lee  Ann x")
    assert 90 < len(option["name"]) <= 100
    assert values["Duration"] == {"number": 12.3}
    assert shown(values["Name"]) == "two lines"
    assert shown(values["Number"]) == "+49 30 1234567"


@pytest.mark.parametrize(
    ("zone", "written"),
    [
        ("Europe/Berlin", "2026-07-04T09:08:09+02:00"),
        ("America/St_Johns", "2026-07-04T04:38:09-02:30"),
        ("UTC", "2026-07-04T07:08:09+00:00"),
    ],
)
def test_the_date_is_the_callers_wall_clock_with_its_offset(a_call: Call, zone: str, written: str) -> None:
    """Notion shows it as people there read it, and the instant is not lost."""
    assert values_for(a_call(time_zone=zone), _layout())["Date"] == {"date": {"start": written}}


@pytest.mark.parametrize(
    ("ours", "notions", "same"),
    [
        ({"date": {"start": "2026-07-04T09:08:09+02:00"}}, {"date": {"start": "2026-07-04T07:08:00.000+00:00"}}, True),
        ({"date": {"start": "2026-07-04T09:08:09+02:00"}}, {"date": {"start": "2026-07-04"}}, False),
        ({"date": {"start": "2026-07-04T09:08:09+02:00"}}, {"date": {"start": "soon"}}, False),
        ({"date": {"start": "2026-07-04T09:08:09+02:00"}}, {"date": None}, False),
        ({"select": {"name": "Incoming"}}, {"select": None}, False),
        ({"select": {"name": "Incoming"}}, {"select": {"name": "Incoming", "color": "blue"}}, True),
        ({"number": 5}, {"number": 5.0}, True),
        ({"number": 5}, None, False),
        ({"title": [{"text": {"content": "a"}}]}, {"title": [{"plain_text": "a", "text": {"content": "a"}}]}, True),
    ],
)
def test_what_notion_answers_is_compared_by_meaning(ours: object, notions: object, same: bool) -> None:
    """A value that already says it is not written again."""
    assert (shown(ours) == shown(notions)) is same


@pytest.mark.parametrize(
    ("call_type", "direction", "icon"),
    [
        ("WhatsApp", Direction.INCOMING, "💬"),
        ("Phone", Direction.INCOMING, "📞"),
        ("Phone", Direction.OUTGOING, "📲"),
        (None, Direction.CONFERENCE, "👥"),
        (None, None, "📞"),
    ],
)
def test_the_icon_tells_the_kind_of_call(
    a_call: Call, call_type: str | None, direction: Direction | None, icon: str
) -> None:
    """At a glance."""
    assert icon_of(a_call(call_type=call_type, direction=direction)) == icon


async def test_without_a_key_column_the_link_carries_the_key(world: World, note: Note, a_call: Call) -> None:
    """The page is found again all the same, the check says what is missing, and the link still works."""
    world.service.remove_property(world.database_id, "External ID")
    async with world.sink() as sink:
        problems = await sink.check()
        assert any("Add a text property 'External ID'" in problem for problem in problems)
        world.faults.add(Fault(service="notion", kind="reset_after", method="POST", path="/v1/pages$"))
        with pytest.raises(Ambiguous):
            await sink.create(a_call())
        ref = await sink.find("drive:1AbC")
        assert ref is not None
        assert await sink.find("drive:1") is None
        await sink.fill(ref.ref, a_call(), memo=None, remember=note.remember)
        with pytest.raises(Permanent, match="no link"):
            await sink.create(a_call(web_url=None))
    link = world.only_page()["properties"]["Drive Link"]["url"]
    assert link == "https://drive.google.com/file/d/1AbC/view#focusflow=drive:1AbC"


async def test_without_key_and_link_no_page_is_made(world: World, a_call: Call) -> None:
    """It could not be found again: the job waits until the database has a place for the key."""
    world.service.remove_property(world.database_id, "External ID")
    world.service.remove_property(world.database_id, "Drive Link")
    async with world.sink() as sink:
        assert "none is made" in (await sink.check())[-1]
        with pytest.raises(Held, match="Add a text property"):
            await sink.create(a_call())
        with pytest.raises(Held):
            await sink.find("drive:1AbC")
    assert world.service.pages() == []


async def test_columns_renamed_while_we_run_are_noticed_at_the_next_request(
    world: World, note: Note, a_call: Call
) -> None:
    """A query and an update that Notion refuses are made again by the columns as they are now."""
    async with world.sink() as sink:
        ref = await sink.create(a_call())
        world.service.rename_property(world.database_id, "External ID", "Key")
        assert await sink.find("drive:1AbC") is None  # the link was written without the mark
        world.service.rename_property(world.database_id, "Key", "External ID")
        await sink.check()
        assert await sink.find("drive:1AbC") == ref
        world.service.rename_property(world.database_id, "Title", "Name")
        await sink.fill(ref.ref, a_call(title="Another"), memo=None, remember=note.remember)
    assert world.only_page()["properties"]["Name"]["title"][0]["plain_text"] == "Another"


async def test_a_call_of_another_day_fits_too(world: World, a_call: Call) -> None:
    """Years before the epoch of phones, and names in any script."""
    early = datetime(1969, 12, 31, 23, 59, tzinfo=UTC)
    async with world.sink() as sink:
        await sink.create(a_call(call_at=early, contact_name="이영희", title="통화", key="ключ:" + "ж" * 1500))
        assert await sink.find("ключ:" + "ж" * 1500) is not None


def test_every_column_of_notion_has_a_key_that_names_it() -> None:
    """What the sink advises to set can be set, and reaches it."""
    named = {role: f"My {role}" for role in Role}

    settings = load(environ={}, flags={f"notion.properties.{role}": name for role, name in named.items()}).settings

    assert {role: property_names(settings).of(role) for role in Role} == named
    assert property_names(Settings()) == PropertyNames(title="Title")
