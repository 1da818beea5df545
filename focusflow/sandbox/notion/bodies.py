"""Is this request's body one its endpoint takes? The keys of each endpoint, in both versions of the API."""

import uuid
from collections.abc import Collection, Iterable
from typing import Any, Final

from focusflow.sandbox.notion.blocks import (
    BLOCKS,
    check_block_update,
    check_children,
    check_cover,
    check_icon,
    rich_text_in,
    rich_text_of,
)
from focusflow.sandbox.notion.errors import Json, NotionError
from focusflow.sandbox.notion.query import check_paging
from focusflow.sandbox.notion.schema import check_configs, check_values
from focusflow.sandbox.notion.validation import (
    ABSENT,
    Path,
    Problems,
    check_array,
    check_boolean,
    check_choice,
    check_links,
    check_rich_text,
    is_object,
    only_keys,
)

OLD_VERSION: Final = "2025-09-03"
CURRENT_VERSION: Final = "2026-03-11"
VERSIONS: Final = (OLD_VERSION, CURRENT_VERSION)

PAGE_PARENTS: Final = ("page_id", "database_id", "data_source_id")
DATABASE_PARENTS: Final = ("page_id", "workspace")
POSITIONS: Final = ("start", "end", "after_block")


def check_page_creation(body: Json) -> None:
    """Raise the 400 that the body of POST /v1/pages earns."""
    _refuse_unemulated("pages.create", body, ("markdown", "template", "position", "content"))
    problems = Problems()
    only_keys(problems, "body", body, {"parent", "properties", "icon", "cover", "children"})
    _check_parent(problems, body, PAGE_PARENTS)
    if "properties" not in body:
        problems.should_be("body.properties", "defined")
    else:
        check_values(problems, "body.properties", body["properties"])
    _check_looks(problems, body)
    if "children" in body:
        check_children(problems, "body.children", body["children"])
    problems.raise_if_any()
    check_links(_texts_of_values(body["properties"]))
    check_links(rich_text_in(body.get("children", ())))


def check_page_update(body: Json, version: str) -> None:
    """Raise the 400 that the body of PATCH /v1/pages/{id} earns."""
    _refuse_unemulated("pages.update", body, ("template",))
    problems = Problems()
    flags = {"is_locked", "erase_content", *_trash_keys(version)}
    only_keys(problems, "body", body, {"properties", "icon", "cover", *flags})
    _check_flags(problems, body, flags)
    if "properties" in body:
        check_values(problems, "body.properties", body["properties"])
    _check_looks(problems, body)
    problems.raise_if_any()
    check_links(_texts_of_values(body.get("properties", {})))


def check_append(body: Json, version: str) -> None:
    """Raise the 400 that the body of PATCH /v1/blocks/{id}/children earns."""
    problems = Problems()
    old_way = {"after"} if version == OLD_VERSION and "position" not in body else set()
    only_keys(problems, "body", body, {"children", "position", *old_way})
    if "children" not in body:
        problems.should_be("body.children", "defined")
    else:
        check_children(problems, "body.children", body["children"])
    if "position" in body:
        _check_position(problems, "body.position", body["position"])
    if old_way and "after" in body:
        _check_uuid(problems, "body.after", body["after"])
    problems.raise_if_any()
    check_links(rich_text_in(body["children"]))


def check_block_change(body: Json, version: str) -> None:
    """Raise the 400 that the body of PATCH /v1/blocks/{id} earns, whatever the block's type is."""
    problems = Problems()
    flags = _trash_keys(version)
    kinds = [kind for kind in BLOCKS if kind in body]
    only_keys(problems, "body", body, {"type", *flags, *kinds[:1]})
    _check_flags(problems, body, flags)
    for kind in kinds[:1]:
        check_block_update(problems, f"body.{kind}", kind, body[kind])
    problems.raise_if_any()
    for kind in kinds:
        check_links(rich_text_of(body[kind]))


def check_database_creation(body: Json) -> None:
    """Raise the 400 that the body of POST /v1/databases earns."""
    problems = Problems()
    allowed = {"parent", "title", "description", "is_inline", "initial_data_source", "icon", "cover"}
    only_keys(problems, "body", body, allowed)
    _check_parent(problems, body, DATABASE_PARENTS)
    _check_flags(problems, body, {"is_inline"})
    for key in ("title", "description"):
        if key in body:
            check_rich_text(problems, f"body.{key}", body[key])
    source = body.get("initial_data_source", {})
    if is_object(problems, "body.initial_data_source", source):
        only_keys(problems, "body.initial_data_source", source, {"properties"})
        check_configs(problems, "body.initial_data_source.properties", source.get("properties", {}))
    _check_looks(problems, body)
    problems.raise_if_any()


def check_data_source_update(body: Json, version: str) -> None:
    """Raise the 400 that the body of PATCH /v1/data_sources/{id} earns."""
    _refuse_unemulated("data_sources.update", body, ("parent", "icon"))
    problems = Problems()
    flags = _trash_keys(version)
    only_keys(problems, "body", body, {"title", "properties", *flags})
    _check_flags(problems, body, flags)
    if "title" in body:
        check_rich_text(problems, "body.title", body["title"])
    if "properties" in body:
        check_configs(problems, "body.properties", body["properties"], updating=True)
    problems.raise_if_any()


def check_query(body: Json, version: str) -> None:
    """Raise the 400 that the frame of a query earns; the filter and the sorts are checked against the schema."""
    problems = Problems()
    flags = {*_trash_keys(version), *({"is_archived"} if version == CURRENT_VERSION else ())}
    only_keys(problems, "body", body, {"filter", "sorts", "start_cursor", "page_size", "result_type", *flags})
    _check_flags(problems, body, flags)
    _check_paging_keys(problems, body)
    if "filter" in body:
        is_object(problems, "body.filter", body["filter"])
    if "sorts" in body:
        check_array(problems, "body.sorts", body["sorts"])
    if "result_type" in body:
        check_choice(problems, "body.result_type", body["result_type"], ("page", "data_source"))
    problems.raise_if_any()


def check_search(body: Json) -> None:
    """Raise the 400 that the body of POST /v1/search earns."""
    problems = Problems()
    only_keys(problems, "body", body, {"query", "filter", "sort", "start_cursor", "page_size"})
    _check_paging_keys(problems, body)
    if "filter" in body and is_object(problems, "body.filter", body["filter"]):
        check_choice(problems, "body.filter.value", body["filter"].get("value", ABSENT), ("page", "data_source"))
    problems.raise_if_any()


def object_id(value: str) -> str | None:
    """*value* as a dashed UUID, or None if it is none; Notion takes them with and without dashes."""
    try:
        return str(uuid.UUID(value)) if len(value) in (32, 36) else None
    except ValueError:
        return None


def in_trash_wish(body: Json) -> bool | None:
    """Whether the body moves the object into the trash, out of it, or (None) neither."""
    wish = body.get("in_trash", body.get("archived"))
    return wish if isinstance(wish, bool) else None


def _trash_keys(version: str) -> set[str]:
    return {"in_trash", "archived"} if version == OLD_VERSION else {"in_trash"}


def _refuse_unemulated(request: str, body: Json, keys: Collection[str]) -> None:
    for key in keys:
        if key in body:
            raise NotionError(400, "invalid_request", f"Unsupported request: {request} with {key}, in this sandbox.")


def _check_flags(problems: Problems, body: Json, flags: Iterable[str]) -> None:
    for flag in sorted(flags):
        if flag in body:
            check_boolean(problems, f"body.{flag}", body[flag])


def _check_looks(problems: Problems, body: Json) -> None:
    if "icon" in body:
        check_icon(problems, "body.icon", body["icon"])
    if "cover" in body:
        check_cover(problems, "body.cover", body["cover"])


def _check_parent(problems: Problems, body: Json, kinds: Collection[str]) -> None:
    parent = body.get("parent", ABSENT)
    if parent is ABSENT:
        problems.should_be("body.parent", "defined")
        return
    if not is_object(problems, "body.parent", parent):
        return
    kind = next((kind for kind in kinds if kind in parent), None)
    if kind is None:
        for expected in kinds:
            problems.should_be(f"body.parent.{expected}", "defined")
        return
    only_keys(problems, "body.parent", parent, {"type", kind})
    if "type" in parent:
        check_choice(problems, "body.parent.type", parent["type"], (kind,))
    if kind != "workspace":
        _check_uuid(problems, f"body.parent.{kind}", parent[kind])


def _check_uuid(problems: Problems, path: Path, value: Any) -> None:
    if not isinstance(value, str) or object_id(value) is None:
        problems.should_be(path, "a valid uuid", value)


def _check_position(problems: Problems, path: Path, position: Any) -> None:
    if not is_object(problems, path, position):
        return
    kind = position.get("type", ABSENT)
    check_choice(problems, f"{path}.type", kind, POSITIONS)
    only_keys(problems, path, position, {"type", "after_block"} if kind == "after_block" else {"type"})
    if kind != "after_block":
        return
    anchor = position.get("after_block", ABSENT)
    if is_object(problems, f"{path}.after_block", anchor):
        _check_uuid(problems, f"{path}.after_block.id", anchor.get("id", ABSENT))


def _check_paging_keys(problems: Problems, body: Json) -> None:
    if "start_cursor" in body and body["start_cursor"] is None:
        problems.should_be("body.start_cursor", "a string", None)
    check_paging(problems, body.get("page_size"), body.get("start_cursor"))


def _texts_of_values(values: Json) -> Iterable[Json]:
    for value in values.values():
        yield from value.get("title", ())
        yield from value.get("rich_text", ())
