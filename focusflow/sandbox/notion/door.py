"""What does every request have to show before Notion looks at it? The version, a proper id, a body it can read."""

import json
from collections.abc import Mapping
from typing import Any, Final

from msgspec import Struct
from multidict import MultiMapping

from focusflow.sandbox.notion.bodies import VERSIONS, object_id
from focusflow.sandbox.notion.errors import Json, NotionError, invalid
from focusflow.sandbox.notion.query import check_paging
from focusflow.sandbox.notion.validation import Problems, failed, one_of

BODY_LIMIT: Final = 500_000
"""Bytes; Notion says 500 KB."""


class Call(Struct, frozen=True, kw_only=True):
    """One request that passed the door: who is let in, which version it speaks, and what it asks."""

    method: str
    path: str
    """Below the service's prefix: what a fault plan's `path` is searched in."""
    version: str
    id: str
    """The dashed id in the path; empty where the path has none."""
    query: MultiMapping[str]
    body: Json


def spoken_version(header: str | None) -> str:
    """The version the header asks for; raise the 400 for none, and for one the sandbox does not speak."""
    where = "Notion-Version header failed validation: Notion-Version header should be"
    if header is None:
        raise NotionError(400, "missing_version", f"{where} defined, instead was `undefined`.")
    if header not in VERSIONS:
        raise invalid(f'{where} {one_of(VERSIONS)}, instead was `"{header}"`.')
    return header


def path_id(names: Mapping[str, str]) -> str:
    """The dashed id in the path, empty if there is none; raise the 400 for one that is no UUID."""
    for name, value in names.items():
        if name.endswith("_id"):
            if (dashed := object_id(value)) is None:
                raise failed(f"path.{name}", "a valid uuid", value)
            return dashed
    return ""


def dashed(value: str) -> str:
    """*value* with the dashes of a UUID, if it is one."""
    return object_id(value) or value


def parsed(raw: bytes) -> Json:
    """The body as an object; raise the 400 for one that is too big, no JSON, or no object."""
    if len(raw) > BODY_LIMIT:
        raise invalid(f"body failed validation: body size should be ≤ `{BODY_LIMIT}` bytes, instead was `{len(raw)}`.")
    if not raw:
        return {}
    try:
        body = json.loads(raw, parse_constant=_no_constant)
    except ValueError as exc:
        raise NotionError(400, "invalid_json", "Error parsing JSON body.") from exc
    if not isinstance(body, dict):
        raise failed("body", "an object", body)
    return body


def _no_constant(name: str) -> None:
    raise ValueError(f"{name} is not JSON")


def query_paging(query: MultiMapping[str]) -> tuple[int | None, str | None]:
    """The page size and the cursor in a query string; raise the 400 for what they can't be."""
    size: Any = query.get("page_size")
    if size is not None and size.isdigit():
        size = int(size)
    problems = Problems("query")
    check_paging(problems, size, query.get("start_cursor"))
    problems.raise_if_any()
    return size, query.get("start_cursor")
