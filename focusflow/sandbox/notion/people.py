"""What do the people in the workspace do, and what would one see there? The hands of a user, and a test's eyes."""

from collections.abc import Iterable, Mapping
from typing import Final, TypeVar

from focusflow.sandbox.notion.bodies import CURRENT_VERSION
from focusflow.sandbox.notion.door import dashed
from focusflow.sandbox.notion.errors import Json
from focusflow.sandbox.notion.schema import Schema
from focusflow.sandbox.notion.store import Block, Database, DataSource, Node, Page, Workspace
from focusflow.sandbox.notion.text import rich
from focusflow.sandbox.notion.wire import Wire, page_lines

FOCUSFLOW_COLUMNS: Final[Mapping[str, Json]] = {
    "Title": {"title": {}},
    "Date": {"date": {}},
    "Direction": {
        "select": {"options": [{"name": "Incoming", "color": "blue"}, {"name": "Outgoing", "color": "green"}]}
    },
    "Contact": {"rich_text": {}},
    "Phone": {"phone_number": {}},
    "Call Type": {"select": {"options": [{"name": "Phone", "color": "gray"}]}},
    "Duration": {"number": {"format": "number"}},
    "Drive Link": {"url": {}},
    "External ID": {"rich_text": {}},
}
FOCUSFLOW_STATUSES: Final = ("Not started", "In progress", "Done")

NodeType = TypeVar("NodeType", bound=Node)


class WorkspacePeople:
    """A workspace as its members have it: they set up databases, edit, delete and rename, without any API."""

    workspace: Workspace
    bot_id: str

    @property
    def root_page_id(self) -> str:
        """The page that is shared with the integration from the start."""
        return self.workspace.root.id

    @property
    def blocks_created(self) -> int:
        """Pages and blocks ever made, by anybody."""
        return self.workspace.blocks_created

    def create_focusflow_database(
        self,
        title: str = "Calls",
        *,
        statuses: Iterable[str] = FOCUSFLOW_STATUSES,
        columns: Mapping[str, Json] = FOCUSFLOW_COLUMNS,
    ) -> str:
        """Set up the database that FocusFlow writes to, as its README tells the user to; return its id."""
        options = [{"name": name} for name in statuses]
        configs = {**columns, "Status": {"status": {"options": options}}}
        database = self.workspace.add_database(
            self.workspace.root, title=rich(title), configs=configs, description=[], is_inline=False
        )
        return database.id

    def data_source_id(self, database_id: str) -> str:
        """The id of the first data source of a database; raise LookupError if there is no such database."""
        return self._only_source(database_id).id

    def add_data_source(self, database_id: str, title: str) -> str:
        """A second table in the same database, as a user adds it; return its id."""
        database = self._node(Database, database_id)
        return self.workspace.add_source(database, title=rich(title), schema=Schema(self.workspace.ids, {})).id

    def rename_property(self, database_id: str, old: str, new: str) -> None:
        """Rename a column, as a user would."""
        self._only_source(database_id).schema.update({old: {"name": new}})

    def remove_property(self, database_id: str, name: str) -> None:
        """Delete a column, as a user would."""
        self._only_source(database_id).schema.update({name: None})

    def trash_page(self, page_id: str) -> None:
        """Delete a page, as a user would."""
        self.workspace.set_trashed(self._node(Page, page_id), in_trash=True)

    def restore_page(self, page_id: str) -> None:
        """Take a page out of the trash, as a user would."""
        self.workspace.set_trashed(self._node(Page, page_id), in_trash=False)

    def edit_block(self, block_id: str, text: str) -> None:
        """Type over a block's text, as a user would."""
        block = self._node(Block, block_id)
        block.payload["rich_text"] = rich(text)
        self.workspace.touch(block)

    def insert_block(self, parent_id: str, text: str, *, after: str | None = None, kind: str = "paragraph") -> str:
        """Type a new block into a page or block, at the end or *after* another; return its id."""
        parent = self._node(Node, parent_id)
        index = None if after is None else self.workspace.index_after(parent, after)
        request = {kind: {"rich_text": [{"text": {"content": text}}]}}
        return self.workspace.append(parent, [request], index=index)[0].id

    def delete_block(self, block_id: str) -> None:
        """Delete a block, as a user would."""
        self.workspace.set_trashed(self._node(Block, block_id), in_trash=True)

    def pages(self, database_id: str | None = None, *, trashed: bool = False) -> list[Json]:
        """The pages of one database, or of all, oldest first, as the API answers them; those in the trash if asked."""
        wire = Wire(workspace=self.workspace, version=CURRENT_VERSION, bot_id=self.bot_id)
        sources = self.workspace.data_sources() if database_id is None else [self._only_source(database_id)]
        return [
            wire.page(page)
            for source in sources
            for page in self.workspace.pages_in(source)
            if self.workspace.is_trashed(page) is trashed
        ]

    def page_text(self, page_id: str) -> str:
        """The whole body of a page as plain text, children indented by two spaces."""
        return "\n".join(page_lines(self.workspace, self._node(Page, page_id)))

    def block_tree(self, page_id: str) -> list[Json]:
        """The blocks under a page or block, as the API answers them, each with its own under `children`."""
        wire = Wire(workspace=self.workspace, version=CURRENT_VERSION, bot_id=self.bot_id)
        children = self.workspace.children(self._node(Node, page_id))
        return [wire.block(child) | {"children": self.block_tree(child.id)} for child in children]

    def _only_source(self, database_id: str) -> DataSource:
        return self.workspace.sources_of(self._node(Database, database_id))[0]

    def _node(self, kind: type[NodeType], node_id: str) -> NodeType:
        node = self.workspace.get(dashed(node_id))
        if isinstance(node, kind):
            return node
        raise LookupError(f"the sandbox's Notion has no {kind.__name__.lower()} {node_id}")
