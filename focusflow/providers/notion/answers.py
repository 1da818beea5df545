"""What do Notion's answers say, read tolerantly into values of ours?"""

from collections.abc import Iterable, Mapping

from msgspec import Struct

from focusflow.errors import Transient

Object = Mapping[str, object]


class Unreadable(Transient):
    """Notion answered with JSON that is not what it documents."""


class SeenPage(Struct, frozen=True, kw_only=True):
    """A page as it is now."""

    id: str
    url: str | None
    in_trash: bool
    created_by: str | None
    properties: Object
    """By name; each is Notion's own object."""


class SeenBlock(Struct, frozen=True, kw_only=True):
    """A block as it is now, without what is below it."""

    id: str
    kind: str
    text: str
    has_children: bool
    created_by: str | None
    last_edited_by: str | None


def page_from(answer: object) -> SeenPage:
    """Read a page object."""
    document = as_object(answer)
    url = document.get("url")
    return SeenPage(
        id=identity(document),
        url=url if isinstance(url, str) else None,
        in_trash=document.get("in_trash") is True or document.get("archived") is True,
        created_by=_user(document, "created_by"),
        properties=as_object(document.get("properties", {})),
    )


def block_from(answer: object) -> SeenBlock:
    """Read a block object."""
    document = as_object(answer)
    kind = str(document.get("type"))
    payload = document.get(kind)
    return SeenBlock(
        id=identity(document),
        kind=kind,
        text=_text(payload if isinstance(payload, Mapping) else {}),
        has_children=document.get("has_children") is True,
        created_by=_user(document, "created_by"),
        last_edited_by=_user(document, "last_edited_by"),
    )


def _text(payload: Object) -> str:
    cells = payload.get("cells")
    if isinstance(cells, list):
        return "".join(plain(cell) for cell in cells)
    return plain(payload.get("rich_text"))


def plain(rich_text: object) -> str:
    """The text of rich text items without their styles; empty for anything else."""
    return "".join(_plain_item(item) for item in rich_text) if isinstance(rich_text, list) else ""


def _plain_item(item: object) -> str:
    document = as_object(item)
    text = document.get("plain_text")
    if isinstance(text, str):
        return text
    content = as_object(document.get("text", {})).get("content")
    return content if isinstance(content, str) else ""


def _user(document: Object, name: str) -> str | None:
    user = document.get(name)
    found = user.get("id") if isinstance(user, Mapping) else None
    return found if isinstance(found, str) else None


def identity(document: Object) -> str:
    """The object's id. Raises `Unreadable`."""
    found = document.get("id")
    if not isinstance(found, str) or not found:
        raise Unreadable("Notion answered with something that has no id.")
    return found


def results(answer: object) -> Iterable[object]:
    """The items of a list answer. Raises `Unreadable`."""
    found = as_object(answer).get("results")
    if not isinstance(found, list):
        raise Unreadable("Notion answered with something that is not a list.")
    return found


def next_cursor(answer: object) -> str | None:
    """Where the list goes on; None on its last page."""
    document = as_object(answer)
    cursor = document.get("next_cursor")
    return cursor if document.get("has_more") is True and isinstance(cursor, str) else None


def as_object(value: object) -> Object:
    """*value*, if it is a JSON object. Raises `Unreadable`."""
    if not isinstance(value, Mapping):
        raise Unreadable("Notion answered with something that is not an object.")
    return value
