"""What is in the workspace? Pages, blocks, databases and data sources in one tree, with a trash and a lifetime count."""

import random
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from focusflow.sandbox.notion.blocks import fits_under, kind_of, may_have_children, stored_payload
from focusflow.sandbox.notion.errors import Json, archived, invalid
from focusflow.sandbox.notion.query import Row
from focusflow.sandbox.notion.schema import Schema, new_id
from focusflow.sandbox.notion.text import rich
from focusflow.sandbox.service import UnixClock

ROOT_TITLE: Final = "FocusFlow"


@dataclass(slots=True, kw_only=True)
class Node:
    """Anything with an id and a place in the tree."""

    id: str
    parent_id: str | None
    created_at: float
    edited_at: float
    position: int
    """How many nodes were made before it."""
    in_trash: bool = False
    child_ids: list[str] = field(default_factory=list)


@dataclass(slots=True, kw_only=True)
class Block(Node):
    """A block of a page's body."""

    type: str
    payload: Json


@dataclass(slots=True, kw_only=True)
class Page(Node):
    """A page; its values are by column id, and a page outside a data source has a title only."""

    values: dict[str, Any]
    icon: Json | None = None
    cover: Json | None = None
    is_locked: bool = False


@dataclass(slots=True, kw_only=True)
class DataSource(Node):
    """A table; its children are its pages."""

    title: list[Json]
    schema: Schema


@dataclass(slots=True, kw_only=True)
class Database(Node):
    """A container of data sources."""

    title: list[Json]
    description: list[Json]
    is_inline: bool
    icon: Json | None = None
    cover: Json | None = None


class Workspace:
    """The tree. Everything given to it is well-formed; what does not fit the tree raises the 400 it earns."""

    def __init__(self, clock: UnixClock, seed: int = 0) -> None:
        self.ids = random.Random(seed)
        self._clock = clock
        self._nodes: dict[str, Node] = {}
        self.blocks_created = 0
        """Pages and blocks ever made; deleting gives nothing back."""
        self.root = Page(**self._new(None), values={"title": rich(ROOT_TITLE)})
        self._nodes[self.root.id] = self.root

    def get(self, node_id: str) -> Node | None:
        """Whatever has this id, in the trash or not."""
        return self._nodes.get(node_id)

    def children(self, node: Node) -> list[Node]:
        """What stands directly under *node*, in order, without the trash."""
        return [child for child in map(self._nodes.__getitem__, node.child_ids) if not child.in_trash]

    def parent(self, node: Node) -> Node | None:
        """What *node* stands under; None for the root."""
        return self._nodes[node.parent_id] if node.parent_id else None

    def is_trashed(self, node: Node) -> bool:
        """Whether *node* or anything above it is in the trash."""
        above: Node | None = node
        while above is not None:
            if above.in_trash:
                return True
            above = self.parent(above)
        return False

    def require_editable(self, node: Node) -> None:
        """Raise the 400 for a node in the trash."""
        if self.is_trashed(node):
            raise archived()

    def databases(self) -> list[Database]:
        """All of them, oldest first, without the trash."""
        return [node for node in self._nodes.values() if isinstance(node, Database) and not self.is_trashed(node)]

    def sources_of(self, database: Database) -> list[DataSource]:
        """The data sources in *database*, without the trash."""
        return [node for node in self.children(database) if isinstance(node, DataSource)]

    def data_sources(self) -> Iterator[DataSource]:
        """All of them, without the trash."""
        for database in self.databases():
            yield from self.sources_of(database)

    def pages_in(self, source: DataSource) -> list[Page]:
        """The pages ever made in *source*, oldest first, with the trash."""
        return [node for node in map(self._nodes.__getitem__, source.child_ids) if isinstance(node, Page)]

    def source_of(self, page: Page) -> DataSource | None:
        """The data source that *page* is a row of, if any."""
        parent = self.parent(page)
        return parent if isinstance(parent, DataSource) else None

    def row(self, page: Page) -> Row:
        """*page* as a query sees it."""
        times = {"created_time": page.created_at, "last_edited_time": page.edited_at}
        return Row(page_id=page.id, values=page.values, times=times, position=page.position)

    def add_database(self, parent: Page, *, title: list[Json], configs: Mapping[str, Json], **looks: Any) -> Database:
        """A new database with its one data source; raise the 400 that its columns earn."""
        schema = Schema(self.ids, configs)
        database = Database(**self._new(parent), title=title, **looks)
        self._place(database, parent, None)
        self.add_source(database, title=title, schema=schema)
        return database

    def add_source(self, database: Database, *, title: list[Json], schema: Schema) -> DataSource:
        """One more data source in *database*."""
        source = DataSource(**self._new(database), title=title, schema=schema)
        self._place(source, database, None)
        return source

    def add_page(
        self, parent: Page | DataSource, values: dict[str, Any], *, icon: Json | None = None, cover: Json | None = None
    ) -> Page:
        """A new, empty page at the end of *parent*."""
        page = Page(**self._new(parent), values=values, icon=icon, cover=cover)
        self._place(page, parent, None)
        self.blocks_created += 1
        return page

    def append(self, parent: Node, blocks: Sequence[Json], *, index: int | None = None) -> list[Block]:
        """Add well-formed *blocks* under *parent* (at *index* among its children, trash included; else at the end).

        Return the first level. Raise the 400 for a parent that can't have them; nothing is added then.
        """
        check_fit(parent if isinstance(parent, Block) else None, blocks)
        added = []
        for offset, request in enumerate(blocks):
            added.append(self._add_block(parent, request, None if index is None else index + offset))
        self.touch(parent)
        return added

    def index_after(self, parent: Node, block_id: str) -> int:
        """Where among *parent*'s children the place after *block_id* is; raise the 400 if it is none of them."""
        if block_id not in parent.child_ids:
            raise invalid(f"Block with ID {block_id} is not a child of the block to append to.")
        return parent.child_ids.index(block_id) + 1

    def erase(self, page: Page) -> None:
        """Move everything in *page* to the trash."""
        for child in self.children(page):
            child.in_trash = True
        self.touch(page)

    def set_trashed(self, node: Node, in_trash: bool) -> None:
        """Move *node* into the trash or out of it; raise the 400 if it is already there."""
        if in_trash and self.is_trashed(node):
            raise archived()
        node.in_trash = in_trash
        self.touch(node)

    def touch(self, node: Node) -> None:
        """Note that *node*, and so the page it is on, was edited now."""
        above: Node | None = node
        while above is not None:
            above.edited_at = self._clock()
            if isinstance(above, Page | DataSource):
                return
            above = self.parent(above)

    def _add_block(self, parent: Node, request: Json, index: int | None) -> Block:
        kind = kind_of(request)
        block = Block(**self._new(parent), type=kind, payload=stored_payload(kind, request[kind]))
        self._place(block, parent, index)
        self.blocks_created += 1
        for child in request[kind].get("children", ()):
            self._add_block(block, child, None)
        return block

    def _new(self, parent: Node | None) -> dict[str, Any]:
        now = self._clock()
        parent_id = parent.id if parent else None
        return {
            "id": new_id(self.ids),
            "parent_id": parent_id,
            "created_at": now,
            "edited_at": now,
            "position": len(self._nodes),
        }

    def _place(self, node: Node, parent: Node, index: int | None) -> None:
        self._nodes[node.id] = node
        parent.child_ids.insert(len(parent.child_ids) if index is None else index, node.id)


def check_fit(parent: Block | None, blocks: Sequence[Json]) -> None:
    """Raise the 400 for *blocks* that can't stand under *parent*, a block or (None) a page."""
    kind = parent.type if parent is not None else None
    if parent is not None and not may_have_children(parent.type, parent.payload):
        raise invalid("Block does not support children.")
    for request in blocks:
        child = kind_of(request)
        if not fits_under(kind, child):
            raise invalid(f"A block of type {child} can't be a child of a block of type {kind or 'child_page'}.")
        if parent is not None and kind == "table":
            _check_width(request, parent.payload["table_width"])


def _check_width(request: Json, width: int) -> None:
    if len(request["table_row"]["cells"]) != width:
        raise invalid("Number of cells in table row must match the table width of the parent table.")
