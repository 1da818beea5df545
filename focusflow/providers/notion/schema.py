"""Which columns does the user's database have, and what is written into each?"""

import difflib
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from math import isfinite
from typing import Final
from zoneinfo import ZoneInfo

from msgspec import Struct, field

from focusflow.domain.jobs import Direction
from focusflow.ports import Page
from focusflow.providers.notion.answers import Object, as_object, identity, plain
from focusflow.providers.notion.blocks import ARRAY_LIMIT, Span, fitting_spans, rich_text
from focusflow.providers.notion.markdown import usable_link
from focusflow.providers.notion.properties import PropertyNames, Role
from focusflow.providers.notion.text import clean, split_text

OPTION_UNITS: Final = 100
PHONE_UNITS: Final = 200
KEY_MARK: Final = "#focusflow="
"""Ends the link of a page that has no other place for its key."""
_DONE_WORDS: Final = ("done", "complete", "completed", "finished", "closed", "fertig", "erledigt", "hecho", "terminé")


FITTING: Final[Mapping[Role, tuple[str, ...]]] = {
    Role.TITLE: ("title",),
    Role.DATE: ("date",),
    Role.DIRECTION: ("select", "rich_text"),
    Role.DURATION: ("number",),
    Role.LINK: ("url",),
    Role.STATUS: ("status", "select"),
    Role.KEY: ("rich_text",),
    Role.CONTACT: ("rich_text", "select"),
    Role.NUMBER: ("phone_number", "rich_text"),
    Role.CALL_TYPE: ("select", "rich_text"),
}
"""The types of column each role can be written to, the usual one first."""
_ALSO_CALLED: Final[Mapping[Role, str]] = {
    Role.CONTACT: "Contact Name",
    Role.NUMBER: "Phone",
    Role.CALL_TYPE: "Type",
}
"""Columns nobody needs: taken under this name as well, and not missed."""


class Column(Struct, frozen=True, kw_only=True):
    """One column of a data source."""

    name: str
    type: str
    options: tuple[str, ...] = ()
    """Of a status or select."""
    complete: tuple[str, ...] = ()
    """The options of a status that stand in its group of completed ones."""


class Layout(Struct, frozen=True, kw_only=True):
    """The user's columns, and what we could make of them."""

    data_source_id: str
    columns: Mapping[Role, Column]
    """Only those that are there and fit."""
    status: str | None
    """The option that says the call is done; None: the column offers none."""
    problems: tuple[str, ...] = field(default=())

    def can_find(self) -> bool:
        """Whether a page can be found again by its key."""
        return Role.KEY in self.columns or Role.LINK in self.columns


def layout_of(data_source: object, names: PropertyNames) -> Layout:
    """Match the data source's columns with the configured *names*."""
    document = as_object(data_source)
    table = {name: _column(name, as_object(value)) for name, value in as_object(document.get("properties")).items()}
    columns: dict[Role, Column] = {}
    problems: list[str] = []
    for role in Role:
        column, problem = _find(role, names.of(role), table)
        if column is not None:
            columns[role] = column
        if problem is not None:
            problems.append(problem)
    status, problem = _done_option(columns.get(Role.STATUS), names.status_done)
    problems += [problem] if problem else []
    problems += _identity_problems(columns, names)
    return Layout(data_source_id=identity(document), columns=columns, status=status, problems=tuple(problems))


def _column(name: str, document: Object) -> Column:
    kind = str(document.get("type"))
    details = document.get(kind)
    configured: Object = details if isinstance(details, Mapping) else {}
    options = {str(option.get("id")): str(option.get("name")) for option in _objects(configured.get("options"))}
    complete = [
        options[option_id]
        for group in _objects(configured.get("groups"))
        if str(group.get("name")).casefold() == "complete"
        for option_id in _strings(group.get("option_ids"))
        if option_id in options
    ]
    return Column(name=name, type=kind, options=tuple(options.values()), complete=tuple(complete))


def _objects(value: object) -> Sequence[Object]:
    return [item for item in value if isinstance(item, Mapping)] if isinstance(value, list) else []


def _strings(value: object) -> Sequence[str]:
    return [item for item in value if isinstance(item, str)] if isinstance(value, list) else []


def _find(role: Role, name: str | None, table: Mapping[str, Column]) -> tuple[Column | None, str | None]:
    if role is Role.TITLE and (name is None or name not in table):
        # a database has exactly one, so a wrong name here does no harm
        return next((column for column in table.values() if column.type == "title"), None), None
    if name is None:
        return None, None
    column = table.get(name) or table.get(_ALSO_CALLED.get(role, name))
    if column is None:
        return None, None if role in _ALSO_CALLED else _not_there(role, name, table)
    if column.type not in FITTING[role]:
        return None, (
            f"The property '{column.name}' is of type {column.type}, and should be {' or '.join(FITTING[role])}: "
            f"change its type in Notion, or set notion.properties.{role.value} to another one."
        )
    return column, None


def _not_there(role: Role, name: str, table: Mapping[str, Column]) -> str:
    near = difflib.get_close_matches(name, table, n=1, cutoff=0.6)
    hint = f" (the nearest is '{near[0]}')" if near else ""
    return (
        f"The property '{name}' is not in the database{hint}: rename it back, add it ({FITTING[role][0]}), "
        f"or set notion.properties.{role.value}."
    )


def _done_option(column: Column | None, wanted: str) -> tuple[str | None, str | None]:
    if column is None:
        return None, None
    if column.type == "select":
        return wanted, None  # Notion adds an option that is not there yet
    by_folded = {option.casefold(): option for option in column.options}
    if exact := by_folded.get(wanted.casefold()):
        return exact, None
    like = [by_folded[word] for word in _DONE_WORDS if word in by_folded]
    chosen = next(iter([*column.complete, *like]), None)
    if chosen is None:
        offered = ", ".join(f"'{option}'" for option in column.options) or "none"
        return None, (
            f"The property '{column.name}' has no option '{wanted}' (it has {offered}), so it is left empty: "
            "add the option in Notion, or set notion.status_done."
        )
    return chosen, None


def _identity_problems(columns: Mapping[Role, Column], names: PropertyNames) -> list[str]:
    if Role.KEY in columns:
        return []
    advice = f"Add a text property '{names.key or 'External ID'}' to the database"
    if Role.LINK in columns:
        return [f"{advice}: until then pages are recognised by a mark at the end of '{columns[Role.LINK].name}'."]
    return [f"{advice}: without it a page could not be found again after a crash, so none is made."]


# ---------------------------------------------------------------------------------------------------- writing values


def values_for(page: Page, layout: Layout) -> dict[str, dict[str, object]]:
    """What belongs into the columns, by column name; a column for which nothing is known is left out."""
    makers: Mapping[Role, Callable[[], object]] = {
        Role.TITLE: lambda: page.title.strip() or page.file_name,
        Role.DATE: lambda: _moment(page),
        Role.DIRECTION: lambda: _direction_name(page.direction),
        Role.DURATION: lambda: page.duration_seconds,
        Role.LINK: lambda: link_of(page, layout),
        Role.STATUS: lambda: layout.status,
        Role.KEY: lambda: page.key,
        Role.CONTACT: lambda: page.contact_name,
        Role.NUMBER: lambda: page.contact_number,
        Role.CALL_TYPE: lambda: page.call_type,
    }
    values: dict[str, dict[str, object]] = {}
    for role, column in layout.columns.items():
        encoded = _encoded(makers[role](), column.type)
        if encoded is not None:
            values[column.name] = {column.type: encoded}
    return values


def link_of(page: Page, layout: Layout) -> str | None:
    """The link to the recording; it carries the page's key where no other column can."""
    if page.web_url is None or Role.KEY in layout.columns:
        return page.web_url
    return page.web_url.partition("#")[0] + KEY_MARK + page.key


def key_filter(key: str, layout: Layout) -> Mapping[str, object]:
    """The query for pages of *key*."""
    if column := layout.columns.get(Role.KEY):
        return {"property": column.name, column.type: {"equals": key}}
    return {"property": layout.columns[Role.LINK].name, "url": {"ends_with": KEY_MARK + key}}


def has_key(properties: Object, key: str, layout: Layout) -> bool:
    """Whether a page found is really of *key*: Notion does not say how exactly it compares texts."""
    if column := layout.columns.get(Role.KEY):
        return shown(properties.get(column.name)) == key
    link = shown(properties.get(layout.columns[Role.LINK].name))
    return isinstance(link, str) and link.endswith(KEY_MARK + key)


def _moment(page: Page) -> str | None:
    if page.call_at is None:
        return None
    return page.call_at.astimezone(ZoneInfo(page.time_zone)).isoformat(timespec="seconds")


def _direction_name(direction: Direction | None) -> str | None:
    return direction.value.capitalize() if direction else None


def _encoded(value: object, kind: str) -> object:
    """*value* as a property of type *kind* takes it; None if it can't be said there."""
    if isinstance(value, str):
        return _encoded_text(clean(value).strip(), kind)
    if kind == "number" and isinstance(value, int | float) and isfinite(value):
        return int(value) if value == int(value) else round(value, 1)
    return None


def _encoded_text(text: str, kind: str) -> object:
    if not text:
        return None
    match kind:
        case "title" | "rich_text":
            line = text.replace("\n", " ") if kind == "title" else text
            return rich_text(fitting_spans([Span(text=line)]))[:ARRAY_LIMIT]
        case "select":
            return {"name": split_text(text.replace(",", " ").replace("\n", " "), OPTION_UNITS)[0].strip()}
        case "status":
            return {"name": text}
        case "date":
            return {"start": text}
        case "phone_number":
            return split_text(text, PHONE_UNITS)[0]
        case "url":
            return text if usable_link(text) else None
    return None


# ---------------------------------------------------------------------------------------------------- comparing values


def shown(value: object) -> object:
    """What a property says, in a form in which what we send and what Notion answers are equal if they mean the same."""
    if not isinstance(value, Mapping):
        return None
    for kind in ("title", "rich_text"):
        if kind in value:
            return plain(value[kind])
    for kind in ("select", "status"):
        if kind in value:
            option = value[kind]
            return option.get("name") if isinstance(option, Mapping) else None
    if "date" in value:
        date = value["date"]
        return _minute(date.get("start")) if isinstance(date, Mapping) else None
    return next((value[kind] for kind in ("number", "url", "phone_number") if kind in value), None)


def _minute(text: object) -> object:
    """Notion keeps times to the minute, and may answer in another offset."""
    try:
        moment = datetime.fromisoformat(str(text))
    except ValueError:
        return text
    return moment.replace(second=0, microsecond=0).timestamp() if moment.tzinfo else text
