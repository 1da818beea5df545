"""What does an object look like on the wire, and in plain words? JSON for the API, indented text for assertions."""

import re
from collections.abc import Collection, Iterator
from datetime import UTC, datetime
from typing import Any, Final

from msgspec import Struct

from focusflow.sandbox.notion.blocks import BLOCKS
from focusflow.sandbox.notion.bodies import OLD_VERSION
from focusflow.sandbox.notion.errors import Json
from focusflow.sandbox.notion.store import Block, Database, DataSource, Node, Page, Workspace
from focusflow.sandbox.notion.text import plain

PAGE_URL: Final = "https://app.notion.com/p/"
MARKS: Final = {
    "heading_1": "# ",
    "heading_2": "## ",
    "heading_3": "### ",
    "heading_4": "#### ",
    "bulleted_list_item": "- ",
    "numbered_list_item": "1. ",
    "toggle": "▸ ",
    "quote": "> ",
    "divider": "---",
}


def minute(at: float, ending: str = "Z") -> str:
    """*at* as Notion shows times: truncated to the minute."""
    return datetime.fromtimestamp(at // 60 * 60, UTC).strftime("%Y-%m-%dT%H:%M:00.000") + ending


def title_of(workspace: Workspace, node: Node) -> str:
    """The title of a page, a database or a data source, as plain text."""
    if isinstance(node, Page):
        return plain(node.values.get("title", []))
    return plain(node.title) if isinstance(node, Database | DataSource) else ""


def page_url(title: str, page_id: str) -> str:
    """Where a page is read: a slug of its title, and its id."""
    slug = "-".join(re.findall(r"[A-Za-z0-9]+", title))
    return PAGE_URL + (f"{slug}-" if slug else "") + page_id.replace("-", "")


class Wire(Struct, frozen=True, kw_only=True):
    """Objects in the words of one version of the API."""

    workspace: Workspace
    version: str
    bot_id: str

    def block(self, node: Node) -> Json:
        """A block; a page or a database shows as a child_page or child_database."""
        kind, payload = self._block_type(node)
        return {
            "object": "block",
            "id": node.id,
            "parent": self._parent(node),
            "created_time": minute(node.created_at),
            "last_edited_time": minute(node.edited_at),
            **self._editors(),
            "has_children": bool(self.workspace.children(node)) and not isinstance(node, Database),
            **self._trash(node),
            "type": kind,
            kind: payload,
        }

    def page(self, page: Page, only: Collection[str] = ()) -> Json:
        """A page, with all its properties or the *only* ones named (by id or name)."""
        return {
            "object": "page",
            "id": page.id,
            "created_time": minute(page.created_at),
            "last_edited_time": minute(page.edited_at),
            **self._editors(),
            "cover": page.cover,
            "icon": page.icon,
            "parent": self._parent(page),
            "is_archived": False,
            "is_locked": page.is_locked,
            **self._trash(page),
            "properties": self._properties(page, only),
            "url": page_url(title_of(self.workspace, page), page.id),
            "public_url": None,
        }

    def database(self, database: Database) -> Json:
        """A database: the container, and the names of its data sources."""
        sources = self.workspace.sources_of(database)
        return {
            "object": "database",
            "id": database.id,
            "title": database.title,
            "description": database.description,
            "parent": self._parent(database),
            "is_inline": database.is_inline,
            "is_locked": False,
            **self._trash(database),
            "created_time": minute(database.created_at, "+00:00"),
            "last_edited_time": minute(database.edited_at, "+00:00"),
            "data_sources": [{"id": source.id, "name": plain(source.title)} for source in sources],
            "icon": database.icon,
            "cover": database.cover,
            "url": PAGE_URL + database.id.replace("-", ""),
            "public_url": None,
        }

    def data_source(self, source: DataSource) -> Json:
        """A data source, with its schema."""
        database = self.workspace.parent(source)
        return {
            "object": "data_source",
            "id": source.id,
            "title": source.title,
            "description": [],
            "parent": {"type": "database_id", "database_id": source.parent_id},
            "database_parent": self._parent(database) if database else None,
            **self._trash(source),
            "created_time": minute(source.created_at),
            "last_edited_time": minute(source.edited_at),
            **self._editors(),
            "properties": source.schema.wire(),
            "icon": None,
            "cover": None,
            "url": PAGE_URL + str(source.parent_id).replace("-", ""),
            "public_url": None,
        }

    def page_or_data_source(self, node: Page | DataSource) -> Json:
        """Whichever of the two it is: what searches and queries list."""
        return self.page(node) if isinstance(node, Page) else self.data_source(node)

    def _block_type(self, node: Node) -> tuple[str, Json]:
        if isinstance(node, Block):
            return node.type, node.payload
        kind = "child_database" if isinstance(node, Database) else "child_page"
        return kind, {"title": title_of(self.workspace, node)}

    def _parent(self, node: Node) -> Json:
        parent = self.workspace.parent(node)
        if parent is None:
            return {"type": "workspace", "workspace": True}
        if isinstance(parent, DataSource):
            return {"type": "data_source_id", "data_source_id": parent.id, "database_id": parent.parent_id}
        kind = "block_id" if isinstance(parent, Block) else "page_id"
        return {"type": kind, kind: parent.id}

    def _editors(self) -> Json:
        bot = {"object": "user", "id": self.bot_id}
        return {"created_by": bot, "last_edited_by": bot}

    def _trash(self, node: Node) -> Json:
        state: Json = {"in_trash": node.in_trash}
        return state | {"archived": node.in_trash} if self.version == OLD_VERSION else state

    def _properties(self, page: Page, only: Collection[str]) -> Json:
        source = self.workspace.source_of(page)
        if source is None:
            return {"title": {"id": "title", "type": "title", "title": page.values["title"]}}
        times = {"created_time": page.created_at, "last_edited_time": page.edited_at}
        return {
            column.name: {"id": column.id, "type": column.type, column.type: self._value(page, column, times)}
            for column in source.schema.all()
            if not only or column.id in only or column.name in only
        }

    def _value(self, page: Page, column: Any, times: dict[str, float]) -> Any:
        if column.type in times:
            return minute(times[column.type])
        return page.values.get(column.id, column.empty())


def page_lines(workspace: Workspace, node: Node, depth: int = 0) -> Iterator[str]:
    """The body under *node* as plain text, two spaces for each level."""
    for child in workspace.children(node):
        indent = "  " * depth
        yield from (indent + line for line in _block_text(workspace, child).split("\n"))
        if not isinstance(child, Page | Database):
            yield from page_lines(workspace, child, depth + 1)


def _block_text(workspace: Workspace, node: Node) -> str:
    if not isinstance(node, Block):
        return f"[{title_of(workspace, node)}]"
    payload = node.payload
    match node.type:
        case "to_do":
            return f"[{'x' if payload['checked'] else ' '}] {plain(payload['rich_text'])}"
        case "code":
            return f"```{payload['language']}\n{plain(payload['rich_text'])}\n```"
        case "table_row":
            return "| " + " | ".join(plain(cell) for cell in payload["cells"]) + " |"
        case "callout":
            icon = payload["icon"] or {}
            return f"{icon.get('emoji', '')} {plain(payload['rich_text'])}".strip()
        case "equation":
            return f"${payload['expression']}$"
        case "bookmark" | "embed":
            return str(payload["url"])
        case kind if "rich_text" in BLOCKS[kind].required:
            return MARKS.get(kind, "") + plain(payload["rich_text"])
        case kind:
            return MARKS.get(kind, f"[{kind}]")
