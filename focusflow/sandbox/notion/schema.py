"""What are a data source's properties, and does a page's value fit them? Types, options, stored values."""

import copy
import random
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, tzinfo
from types import MappingProxyType
from typing import Any, Final
from zoneinfo import ZoneInfo

from focusflow.sandbox.notion.errors import Json, NotionError, invalid
from focusflow.sandbox.notion.text import stored_rich_text
from focusflow.sandbox.notion.validation import (
    ABSENT,
    ARRAY_LIMIT,
    PLAIN_COLORS,
    URL_LIMIT,
    Path,
    Problems,
    check_array,
    check_boolean,
    check_choice,
    check_date,
    check_number,
    check_rich_text,
    check_string,
    is_object,
    is_real_url,
    only_keys,
    parsed_moment,
)

OPTION_NAME_LIMIT: Final = 100
CONTACT_LIMIT: Final = 200
OPTION_TYPES: Final = ("select", "multi_select", "status")
READ_ONLY_TYPES: Final = ("created_time", "last_edited_time")
NEW_STATUS_NAMES: Final = ("Not started", "In progress", "Done")
STATUS_COLORS: Final = ("default", "blue", "green")

ValueCheck = Callable[[Problems, Path, Any], None]


def new_id(source: random.Random) -> str:
    """A fresh UUID drawn from *source*, so that a seed repeats a workspace."""
    return str(uuid.UUID(int=source.getrandbits(128), version=4))


@dataclass(slots=True, kw_only=True)
class Option:
    """One choice of a select, multi-select or status property."""

    id: str
    name: str
    color: str

    def value(self) -> Json:
        """As it stands in a page."""
        return {"id": self.id, "name": self.name, "color": self.color}


@dataclass(slots=True, kw_only=True)
class Property:
    """One column."""

    id: str
    name: str
    type: str
    options: list[Option] = field(default_factory=list)
    number_format: str = "number"

    def wire(self) -> Json:
        """As it stands in a data source."""
        return {"id": self.id, "name": self.name, "description": None, "type": self.type, self.type: self._config()}

    def empty(self) -> Any:
        """The value of a page that was given none."""
        match self.type:
            case "title" | "rich_text" | "multi_select" | "people" | "files":
                return []
            case "checkbox":
                return False
            case "status":
                return self.options[0].value() if self.options else None
            case _:
                return None

    def option(self, wanted: Json) -> Option | None:
        """The option with the id or the name in *wanted*."""
        key = "id" if "id" in wanted else "name"
        return next((option for option in self.options if getattr(option, key) == wanted[key]), None)

    def _config(self) -> Json:
        if self.type == "number":
            return {"format": self.number_format}
        if self.type not in OPTION_TYPES:
            return {}
        config: Json = {"options": [option.value() | {"description": None} for option in self.options]}
        if self.type == "status":
            config["groups"] = self._groups()
        return config

    def _groups(self) -> list[Json]:
        ids = [option.id for option in self.options]
        members = {"To-do": ids[:1], "In progress": ids[1:-1], "Complete": ids[1:][-1:]}
        colors = ("gray", "blue", "green")
        return [
            {
                "id": str(uuid.uuid5(uuid.NAMESPACE_OID, self.id + name)),
                "name": name,
                "color": color,
                "option_ids": option_ids,
            }
            for (name, option_ids), color in zip(members.items(), colors, strict=True)
        ]


class Schema:
    """The columns of one data source; the title is always among them."""

    def __init__(self, ids: random.Random, configs: Mapping[str, Json]) -> None:
        self._ids = ids
        self._properties: dict[str, Property] = {}
        titles = [name for name, config in configs.items() if config_type(config) == "title"]
        if len(titles) > 1:
            raise invalid("A data source can only have one title property.")
        if not titles:
            self.add("Name", {"title": {}})
        for name, config in configs.items():
            self.add(name, config)

    def wire(self) -> Json:
        """The `properties` of the data source."""
        return {each.name: each.wire() for each in self._properties.values()}

    def all(self) -> list[Property]:
        """The columns, in order."""
        return list(self._properties.values())

    def find(self, name_or_id: str) -> Property | None:
        """The column so named, or else the one with that id."""
        by_name = (each for each in self._properties.values() if each.name == name_or_id)
        return next(by_name, None) or self._properties.get(name_or_id)

    def title(self) -> Property:
        """The one title column."""
        return self._properties["title"]

    def add(self, name: str, config: Json) -> Property:
        """A new column; *config* is well-formed."""
        kind = config_type(config)
        property_id = "title" if kind == "title" else self._short_id()
        column = Property(id=property_id, name=name, type=kind)
        self._configure(column, config.get(kind) or {})
        self._properties[property_id] = column
        return column

    def update(self, changes: Mapping[str, Json | None]) -> None:
        """Remove (None), rename, re-configure or add columns, all or none; raise the 400 they earn."""
        before = copy.deepcopy(self._properties)
        try:
            for name_or_id, change in changes.items():
                self._update(name_or_id, change)
        except NotionError:
            self._properties = before
            raise

    def _update(self, name_or_id: str, change: Json | None) -> None:
        column = self.find(name_or_id)
        if column is None:
            self._add_unknown(name_or_id, change)
        elif change is None:
            if column.type == "title":
                raise invalid("Cannot delete the title property.")
            del self._properties[column.id]
        else:
            self._change(column, change)

    def _add_unknown(self, name: str, change: Json | None) -> None:
        kind = config_type(change or {})
        if change is None or not kind:
            raise invalid(f"{name} is not a property that exists.")
        if kind == "title":
            raise invalid("A data source can only have one title property.")
        self.add(change.get("name", name), change)

    def _change(self, column: Property, change: Json) -> None:
        name = change.get("name", column.name)
        if (taken := self.find(name)) is not None and taken is not column:
            raise invalid(f"A property with the name {name} already exists.")
        kind = config_type(change) or column.type
        if kind != column.type and "title" in (kind, column.type):
            raise invalid("Cannot change the type of the title property.")
        if kind != column.type:  # a new column in its place: values of the old type mean nothing in the new one
            del self._properties[column.id]
            self.add(name, change)
            return
        column.name = name
        if kind in change:
            self._configure(column, change[kind])

    def _configure(self, column: Property, config: Json) -> None:
        if column.type == "number":
            column.number_format = config.get("format", column.number_format)
        if column.type in OPTION_TYPES and "options" in config:
            column.options = [self._merged_option(column, option) for option in config["options"]]
        if column.type == "status" and not column.options:
            column.options = [
                Option(id=new_id(self._ids), name=name, color=color)
                for name, color in zip(NEW_STATUS_NAMES, STATUS_COLORS, strict=True)
            ]

    def _merged_option(self, column: Property, given: Json) -> Option:
        known = column.option(given)
        if known is None:
            return Option(id=new_id(self._ids), name=given["name"], color=given.get("color", "default"))
        known.name = given.get("name", known.name)
        return known

    def _short_id(self) -> str:
        """Four characters and an escape, as Notion's property ids look (`x%3AfQ`)."""
        letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
        while True:
            short = "".join(self._ids.choices(letters, k=2)) + "%3A" + "".join(self._ids.choices(letters, k=2))
            if short not in self._properties:
                return short

    def stored_values(self, values: Mapping[str, Json]) -> dict[str, Any]:
        """Well-formed *values* by column id, as Notion keeps them; new select options are created on the way.

        Raise the 400 that unknown columns, other types and unknown statuses earn; nothing is created then.
        """
        columns = self._columns_of(values)
        for column, value in columns:
            _check_options(column, value)
        return {column.id: self._stored(column, value) for column, value in columns}

    def _columns_of(self, values: Mapping[str, Json]) -> list[tuple[Property, Any]]:
        columns, complaints = [], []
        for name, value in values.items():
            column = self.find(name)
            if column is None:
                complaints.append(f"{name} is not a property that exists.")
            elif column.type not in value:
                complaints.append(f"{name} is expected to be {column.type}.")
            else:
                columns.append((column, value[column.type]))
        if complaints:
            raise invalid(" ".join(complaints))
        return columns

    def _stored(self, column: Property, value: Any) -> Any:
        if value is None:
            return None
        match column.type:
            case "title" | "rich_text":
                return stored_rich_text(value)
            case "date":
                return stored_date(value)
            case "select" | "status":
                return self._chosen(column, value).value()
            case "multi_select":
                return [self._chosen(column, each).value() for each in value]
            case _:
                return value

    def _chosen(self, column: Property, wanted: Json) -> Option:
        option = column.option(wanted)
        if option is None:
            color = self._ids.choice(PLAIN_COLORS)
            option = Option(id=new_id(self._ids), name=wanted["name"], color=color)
            column.options.append(option)
        return option


def _check_options(column: Property, value: Any) -> None:
    if column.type not in OPTION_TYPES or value is None:
        return
    for wanted in value if isinstance(value, list) else [value]:
        if column.option(wanted) is not None:
            continue
        if column.type == "status":
            label = wanted.get("name", wanted.get("id"))
            raise invalid(f'Invalid status option. Status option "{label}" does not exist.')
        if "name" not in wanted:
            raise invalid(f"{column.name} has no option with ID {wanted['id']}.")
        if "," in wanted["name"]:
            raise invalid(f"Invalid select option, commas not allowed: {wanted['name']}")


def stored_date(value: Json) -> Json:
    """A date as Notion answers it: days stay days, times lose their seconds and spell out their offset."""
    zone = ZoneInfo(value["time_zone"]) if value.get("time_zone") else UTC
    start, end = (_stored_moment(value.get(key), zone) for key in ("start", "end"))
    return {"start": start, "end": end, "time_zone": value.get("time_zone")}


def _stored_moment(value: str | None, zone: tzinfo) -> str | None:
    moment = parsed_moment(value)
    if moment is None or value is None or len(value) == len("2026-07-04"):
        return value
    aware = moment if moment.tzinfo else moment.replace(tzinfo=zone)
    return aware.replace(second=0, microsecond=0).isoformat(timespec="milliseconds")


def config_type(config: Mapping[str, Any]) -> str:
    """The property type that *config* is about; empty if it names none."""
    return next((kind for kind in (*VALUE_CHECKS, *READ_ONLY_TYPES) if kind in config), "")


def check_configs(problems: Problems, path: Path, configs: Any, *, updating: bool = False) -> None:
    """Check the `properties` of a data source; an update may also rename and, with null, remove."""
    if not is_object(problems, path, configs):
        return
    for name, config in configs.items():
        if not (updating and config is None) and is_object(problems, f"{path}.{name}", config):
            _check_config(problems, f"{path}.{name}", config, updating=updating)


def _check_config(problems: Problems, path: Path, config: Json, *, updating: bool) -> None:
    kind = config_type(config)
    if not kind:
        if not (updating and "name" in config):
            problems.should_be(f"{path}.title", "defined")
        else:
            only_keys(problems, path, config, {"name", "description"})
        return
    only_keys(problems, path, config, {"type", "name", "description", kind})
    if is_object(problems, f"{path}.{kind}", config[kind]):
        _check_type_config(problems, f"{path}.{kind}", kind, config[kind])


def _check_type_config(problems: Problems, path: Path, kind: str, config: Json) -> None:
    allowed = {"number": {"format"}, "status": {"options", "groups"}}.get(
        kind, {"options"} if kind in OPTION_TYPES else set()
    )
    only_keys(problems, path, config, allowed)
    if "options" not in config:
        return
    for index, option in enumerate(check_array(problems, f"{path}.options", config["options"])):
        where = f"{path}.options[{index}]"
        _check_option(problems, where, option)
        if isinstance(option, dict) and "color" in option:
            check_choice(problems, f"{where}.color", option["color"], PLAIN_COLORS)


def check_values(problems: Problems, path: Path, values: Any) -> None:
    """Check the shape of a page's `properties`, whatever the columns are called."""
    if not is_object(problems, path, values):
        return
    for name, value in values.items():
        if is_object(problems, f"{path}.{name}", value):
            _check_value(problems, f"{path}.{name}", value)


def _check_value(problems: Problems, path: Path, value: Json) -> None:
    kind = next((kind for kind in VALUE_CHECKS if kind in value), None)
    if kind is None:
        for expected in VALUE_CHECKS:
            problems.should_be(f"{path}.{expected}", "defined")
        return
    only_keys(problems, path, value, {"id", "type", "name", kind})
    if "type" in value:
        check_choice(problems, f"{path}.type", value["type"], (kind,))
    VALUE_CHECKS[kind](problems, f"{path}.{kind}", value[kind])


def _or_null(check: ValueCheck) -> ValueCheck:
    def checked(problems: Problems, path: Path, value: Any) -> None:
        if value is not None:
            check(problems, path, value)

    return checked


def _check_url_value(problems: Problems, path: Path, value: Any) -> None:
    _check_contact(problems, path, value, most=URL_LIMIT)
    if isinstance(value, str) and value and not is_real_url(value):
        problems.should_be(path, "a valid URL", value)


def _check_contact(problems: Problems, path: Path, value: Any, *, most: int = CONTACT_LIMIT) -> None:
    if check_string(problems, path, value, most=most) and not value:
        problems.should_be(path, "populated or `null`", value)


def _check_option(problems: Problems, path: Path, value: Any) -> None:
    if not is_object(problems, path, value):
        return
    only_keys(problems, path, value, {"id", "name", "color", "description"})
    if "id" in value and "name" not in value:
        check_string(problems, f"{path}.id", value["id"])
    elif (
        check_string(problems, f"{path}.name", value.get("name", ABSENT), most=OPTION_NAME_LIMIT) and not value["name"]
    ):
        problems.should_be(f"{path}.name", "populated", value["name"])


def _check_options_value(problems: Problems, path: Path, value: Any) -> None:
    for index, option in enumerate(check_array(problems, path, value)):
        _check_option(problems, f"{path}[{index}]", option)


def _check_list(problems: Problems, path: Path, value: Any) -> None:
    for index, item in enumerate(check_array(problems, path, value, most=ARRAY_LIMIT)):
        is_object(problems, f"{path}[{index}]", item)


VALUE_CHECKS: Final[Mapping[str, ValueCheck]] = MappingProxyType(
    {
        "title": check_rich_text,
        "rich_text": check_rich_text,
        "number": _or_null(check_number),
        "url": _or_null(_check_url_value),
        "select": _or_null(_check_option),
        "multi_select": _check_options_value,
        "people": _check_list,
        "email": _or_null(_check_contact),
        "phone_number": _or_null(_check_contact),
        "date": _or_null(check_date),
        "checkbox": check_boolean,
        "files": _check_list,
        "status": _or_null(_check_option),
    }
)
"""The property types a page can be given a value of, in the order the validator lists them."""
