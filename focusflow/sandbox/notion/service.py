"""What does Notion answer? The emulated API: pages, blocks, databases and data sources, with the real one's checks."""

import math
import random
from collections.abc import Awaitable, Callable, Collection, Iterable, Sequence
from typing import Any, ClassVar, Final, TypeVar

from aiohttp import web

from focusflow.sandbox.faults import FaultPlan
from focusflow.sandbox.notion import bodies
from focusflow.sandbox.notion.blocks import BLOCKS, stored_fields, stored_icon
from focusflow.sandbox.notion.door import Call, dashed, parsed, path_id, query_paging, spoken_version
from focusflow.sandbox.notion.errors import (
    Json,
    NotionError,
    block_limit_reached,
    conflict,
    edge_page,
    encoded,
    invalid,
    not_found,
    of_status,
    rate_limited,
    saved_but_unavailable,
)
from focusflow.sandbox.notion.people import WorkspacePeople
from focusflow.sandbox.notion.query import Query, one_page
from focusflow.sandbox.notion.schema import new_id
from focusflow.sandbox.notion.store import Block, Database, DataSource, Node, Page, Workspace, check_fit
from focusflow.sandbox.notion.text import stored_rich_text
from focusflow.sandbox.notion.validation import failed
from focusflow.sandbox.notion.window import RateWindows
from focusflow.sandbox.notion.wire import Wire, title_of
from focusflow.sandbox.service import Bill, Service, UnixClock

API_KEY: Final = "ntn_sandbox"
EDGE_BODY_LIMIT: Final = 5_000_000
"""Beyond this the edge answers, with its own page."""
QUERY_RESULT_LIMIT: Final = 10_000
DEFAULT_RETRY_AFTER: Final = 30.0
CAPABILITIES: Final = frozenset({"read_content", "update_content", "insert_content"})
FREE_UPLOAD_LIMIT: Final = 5 * 1024 * 1024

NodeType = TypeVar("NodeType", bound=Node)
Operation = Callable[[Call], Json]


class NotionService(WorkspacePeople, Service):
    """A workspace behind Notion's API, and the hands of the people who also use that workspace.

    Everything tunable is an attribute too, so that a test changes it on the way. Named faults that a plan may have:
    `conflict_409` (before a write), `committed_503` (after one, with guidance), `request_blocked_429` (do not retry).
    """

    name: ClassVar[str] = "notion"
    prefix: ClassVar[str] = "/notion"

    def __init__(
        self,
        *,
        clock: UnixClock,
        bill: Bill,
        faults: FaultPlan | None = None,
        seed: int = 0,
        tokens: Collection[str] = (API_KEY,),
        capabilities: Collection[str] = CAPABILITIES,
        requests_per_window: int = 180,
        window_seconds: float = 60.0,
        visibility_delay: float = 0.0,
        query_result_limit: int = QUERY_RESULT_LIMIT,
        text_equals_ignores_case: bool = False,
        block_limit: int | None = None,
        integration_name: str = "FocusFlow",
    ) -> None:
        super().__init__(clock=clock, bill=bill)
        self.faults = faults if faults is not None else FaultPlan()
        self.tokens = set(tokens)
        """The tokens let in."""
        self.capabilities = set(capabilities)
        self.window = RateWindows(clock=clock, limit=requests_per_window, seconds=window_seconds)
        self.visibility_delay = visibility_delay
        """Seconds until a query finds a new page."""
        self.query_result_limit = query_result_limit
        self.text_equals_ignores_case = text_equals_ignores_case
        self.block_limit = block_limit
        """Blocks for life, as on a free workspace with several members (1000); None is a paid one."""
        self.integration_name = integration_name
        self.workspace = Workspace(clock, seed)
        self.requests_seen = 0
        """Every request that reached the API, refused ones included."""
        self._request_ids = random.Random(f"requests {seed}")
        self.bot_id = new_id(self._request_ids)
        self._workspace_id = new_id(self._request_ids)

    # The API

    def routes(self) -> Iterable[web.RouteDef]:
        table: list[tuple[str, str, Operation, str | None]] = [
            ("GET", "/v1/users/me", self._me, None),
            ("POST", "/v1/search", self._search, "read_content"),
            ("POST", "/v1/pages", self._create_page, "insert_content"),
            ("GET", "/v1/pages/{page_id}", self._retrieve_page, "read_content"),
            ("PATCH", "/v1/pages/{page_id}", self._update_page, "update_content"),
            ("GET", "/v1/blocks/{block_id}", self._retrieve_block, "read_content"),
            ("PATCH", "/v1/blocks/{block_id}", self._update_block, "update_content"),
            ("DELETE", "/v1/blocks/{block_id}", self._delete_block, "update_content"),
            ("GET", "/v1/blocks/{block_id}/children", self._list_children, "read_content"),
            ("PATCH", "/v1/blocks/{block_id}/children", self._append_children, "insert_content"),
            ("POST", "/v1/databases", self._create_database, "insert_content"),
            ("GET", "/v1/databases/{database_id}", self._retrieve_database, "read_content"),
            ("GET", "/v1/data_sources/{data_source_id}", self._retrieve_data_source, "read_content"),
            ("PATCH", "/v1/data_sources/{data_source_id}", self._update_data_source, "update_content"),
            ("POST", "/v1/data_sources/{data_source_id}/query", self._query, "read_content"),
        ]
        for method, path, operation, capability in table:
            yield web.route(method, path, self._handler(operation, capability))
        yield web.route("*", "/{unknown:.*}", self._handler(_unknown_url, None))

    def fault_response(self, status: int, retry_after: float | None) -> web.Response:
        if status in (413, 502, 504):
            return self._edge_response(status)
        wait = max(1, math.ceil(DEFAULT_RETRY_AFTER if retry_after is None else retry_after))
        response = self._refusal(of_status(status, wait), new_id(self._request_ids))
        if retry_after is not None:
            response.headers["Retry-After"] = str(wait)
        return response

    def _handler(
        self, operation: Operation, capability: str | None
    ) -> Callable[[web.Request], Awaitable[web.StreamResponse]]:
        async def handle(request: web.Request) -> web.StreamResponse:
            self.requests_seen += 1
            request_id = new_id(self._request_ids)
            if (request.content_length or 0) > EDGE_BODY_LIMIT:
                return self._edge_response(413)
            try:
                call = await self._admitted(request, capability)
                return self._response(200, operation(call) | {"request_id": request_id}, request_id)
            except NotionError as refusal:
                return self._refusal(refusal, request_id)

        return handle

    async def _admitted(self, request: web.Request, capability: str | None) -> Call:
        """The request, once it has passed the door; raise what stops it there."""
        token = self._token(request.headers.get("Authorization", ""))
        version = spoken_version(request.headers.get("Notion-Version"))
        method, path = request.method, request.path.removeprefix(self.prefix)
        if self.faults.take_named(self.name, "request_blocked_429", method=method, path=path):
            raise rate_limited(60, "public_api_request_blocked")
        if (wait := self.window.spend(token)) is not None:
            raise rate_limited(wait)
        if capability is not None and capability not in self.capabilities:
            raise NotionError(403, "restricted_resource", "Insufficient permissions for this endpoint.")
        object_id = path_id(request.match_info)
        body = parsed(await request.read())
        return Call(method=method, path=path, version=version, id=object_id, query=request.query, body=body)

    def _token(self, authorization: str) -> str:
        scheme, _, token = authorization.partition(" ")
        if scheme.lower() != "bearer" or token not in self.tokens:
            raise NotionError(401, "unauthorized", "API token is invalid.")
        return token

    def _response(self, status: int, document: Json, request_id: str) -> web.Response:
        return web.Response(
            status=status,
            body=encoded(document),
            content_type="application/json",
            charset="utf-8",
            headers={"x-notion-request-id": request_id},
        )

    def _refusal(self, refusal: NotionError, request_id: str) -> web.Response:
        response = self._response(refusal.status, refusal.body(request_id), request_id)
        response.headers.update(refusal.headers)
        return response

    def _edge_response(self, status: int) -> web.Response:
        ray = f"{self._request_ids.getrandbits(64):016x}-FRA"
        return web.Response(status=status, text=edge_page(status), content_type="text/html", headers={"cf-ray": ray})

    def _wire(self, version: str) -> Wire:
        return Wire(workspace=self.workspace, version=version, bot_id=self.bot_id)

    def _find(self, kind: type[NodeType], node_id: str, called: str) -> NodeType:
        node = self.workspace.get(node_id)
        if not isinstance(node, kind):
            raise not_found(called, node_id, self.integration_name)
        return node

    def _find_block(self, node_id: str) -> Node:
        """A block in the wide sense: pages and databases are blocks too, data sources are not."""
        node = self._find(Node, node_id, "block")
        if isinstance(node, DataSource):
            raise not_found("block", node_id, self.integration_name)
        return node

    def _before_write(self, call: Call, *, creates: bool = False) -> None:
        """The last moment at which nothing is written: raise the 403 of a full workspace, or a planned conflict."""
        if creates and self.block_limit is not None and self.workspace.blocks_created >= self.block_limit:
            raise block_limit_reached()
        if self.faults.take_named(self.name, "conflict_409", method=call.method, path=call.path):
            raise conflict()

    def _after_write(self, call: Call, resource_id: str | None = None, child_ids: list[str] | None = None) -> None:
        """The first moment at which all is written: raise the 503 that a plan has for it, naming what was made."""
        if self.faults.take_named(self.name, "committed_503", method=call.method, path=call.path):
            raise saved_but_unavailable(resource_id, child_ids)

    def _me(self, call: Call) -> Json:
        limits = {"max_file_upload_size_in_bytes": FREE_UPLOAD_LIMIT}
        return {
            "object": "user",
            "id": self.bot_id,
            "name": self.integration_name,
            "avatar_url": None,
            "type": "bot",
            "bot": {
                "owner": {"type": "workspace", "workspace": True},
                "workspace_name": "Sandbox",
                "workspace_id": self._workspace_id,
                "workspace_limits": limits,
            },
        }

    # Pages

    def _create_page(self, call: Call) -> Json:
        bodies.check_page_creation(call.body)
        parent = self._page_parent(call.body["parent"])
        self.workspace.require_editable(parent)
        self._before_write(call, creates=True)
        children = call.body.get("children", [])
        check_fit(None, children)
        values = self._values(parent, call.body["properties"])
        page = self.workspace.add_page(
            parent, values, icon=stored_icon(call.body.get("icon")), cover=stored_icon(call.body.get("cover"))
        )
        self.workspace.append(page, children)
        self._after_write(call, page.id)
        return self._wire(call.version).page(page)

    def _page_parent(self, parent: Json) -> Page | DataSource:
        if "page_id" in parent:
            return self._find(Page, dashed(parent["page_id"]), "page")
        if "data_source_id" in parent:
            return self._find(DataSource, dashed(parent["data_source_id"]), "data_source")
        database = self._find(Database, dashed(parent["database_id"]), "database")
        sources = self.workspace.sources_of(database)
        if len(sources) != 1:
            raise invalid(f"Database with ID {database.id} has several data sources. Use data_source_id as the parent.")
        return sources[0]

    def _values(self, parent: Page | DataSource, values: Json) -> dict[str, Any]:
        if isinstance(parent, DataSource):
            return parent.schema.stored_values(values)
        for name, value in values.items():
            if name != "title" or "title" not in value:
                raise invalid(f"{name} is not a property that exists.")
        return {"title": stored_rich_text(values.get("title", {}).get("title", []))}

    def _retrieve_page(self, call: Call) -> Json:
        page = self._find(Page, call.id, "page")
        return self._wire(call.version).page(page, call.query.getall("filter_properties", []))

    def _update_page(self, call: Call) -> Json:
        bodies.check_page_update(call.body, call.version)
        page = self._find(Page, call.id, "page")
        wish = bodies.in_trash_wish(call.body)
        if wish is not False:
            self.workspace.require_editable(page)
        self._before_write(call)
        self._change_page(page, call.body)
        if wish is not None:
            self.workspace.set_trashed(page, wish)
        self._after_write(call)
        return self._wire(call.version).page(page)

    def _change_page(self, page: Page, body: Json) -> None:
        parent = self.workspace.source_of(page)
        if properties := body.get("properties"):
            page.values.update(self._values(parent if parent is not None else page, properties))
        for look in ("icon", "cover"):
            if look in body:
                setattr(page, look, stored_icon(body[look]))
        page.is_locked = body.get("is_locked", page.is_locked)
        if body.get("erase_content"):
            self.workspace.erase(page)
        self.workspace.touch(page)

    def _search(self, call: Call) -> Json:
        bodies.check_search(call.body)
        wire, wanted = self._wire(call.version), call.body.get("query", "").casefold()
        value = call.body.get("filter", {}).get("value", "page")
        sources = list(self.workspace.data_sources())
        pages = [page for source in sources for page in self._visible_pages(source)]
        nodes: list[Page | DataSource] = [*sources] if value == "data_source" else [*pages]
        found = [node for node in nodes if wanted in title_of(self.workspace, node).casefold()]
        return _listed(
            found,
            wire.page_or_data_source,
            "page_or_data_source",
            call.body.get("page_size"),
            call.body.get("start_cursor"),
        )

    # Blocks

    def _retrieve_block(self, call: Call) -> Json:
        return self._wire(call.version).block(self._find_block(call.id))

    def _list_children(self, call: Call) -> Json:
        children = self.workspace.children(self._find_block(call.id))
        return _listed(children, self._wire(call.version).block, "block", *query_paging(call.query))

    def _append_children(self, call: Call) -> Json:
        bodies.check_append(call.body, call.version)
        parent = self._find_block(call.id)
        self.workspace.require_editable(parent)
        self._before_write(call, creates=True)
        index = self._place(parent, call.body)
        added = self.workspace.append(parent, call.body["children"], index=index)
        self._after_write(call, parent.id, [block.id for block in added])
        wire = self._wire(call.version)
        return _envelope([wire.block(block) for block in added], "block", None)

    def _place(self, parent: Node, body: Json) -> int | None:
        position = body.get("position", {"type": "end"})
        if position["type"] == "start":
            return 0
        after = body.get("after", position.get("after_block", {}).get("id"))
        return None if after is None else self.workspace.index_after(parent, dashed(after))

    def _update_block(self, call: Call) -> Json:
        bodies.check_block_change(call.body, call.version)
        block = self._find_block(call.id)
        wish = bodies.in_trash_wish(call.body)
        if wish is not False:
            self.workspace.require_editable(block)
        self._before_write(call)
        self._change_block(block, call.body)
        if wish is not None:
            self.workspace.set_trashed(block, wish)
        self._after_write(call)
        return self._wire(call.version).block(block)

    def _change_block(self, block: Node, body: Json) -> None:
        kind = next((kind for kind in BLOCKS if kind in body), None)
        if kind is None:
            return
        own = block.type if isinstance(block, Block) else "child_page"
        if not isinstance(block, Block) or kind != own:
            raise failed(f"body.{kind}", "not present", body[kind])
        block.payload.update(stored_fields(body[kind]))
        self.workspace.touch(block)

    def _delete_block(self, call: Call) -> Json:
        block = self._find_block(call.id)
        self.workspace.require_editable(block)
        self._before_write(call)
        self.workspace.set_trashed(block, in_trash=True)
        self._after_write(call)
        return self._wire(call.version).block(block)

    # Databases and data sources

    def _create_database(self, call: Call) -> Json:
        bodies.check_database_creation(call.body)
        parent = call.body["parent"]
        if "page_id" not in parent:
            raise invalid("Internal integrations can't create a database in the workspace. Use a page as the parent.")
        page = self._find(Page, dashed(parent["page_id"]), "page")
        self.workspace.require_editable(page)
        self._before_write(call, creates=True)
        database = self.workspace.add_database(
            page,
            title=stored_rich_text(call.body.get("title", [])),
            configs=call.body.get("initial_data_source", {}).get("properties", {}),
            description=stored_rich_text(call.body.get("description", [])),
            is_inline=call.body.get("is_inline", False),
            icon=stored_icon(call.body.get("icon")),
            cover=stored_icon(call.body.get("cover")),
        )
        self._after_write(call, database.id)
        return self._wire(call.version).database(database)

    def _retrieve_database(self, call: Call) -> Json:
        return self._wire(call.version).database(self._find(Database, call.id, "database"))

    def _retrieve_data_source(self, call: Call) -> Json:
        return self._wire(call.version).data_source(self._find(DataSource, call.id, "data_source"))

    def _update_data_source(self, call: Call) -> Json:
        bodies.check_data_source_update(call.body, call.version)
        source = self._find(DataSource, call.id, "data_source")
        wish = bodies.in_trash_wish(call.body)
        if wish is not False:
            self.workspace.require_editable(source)
        self._before_write(call)
        source.schema.update(call.body.get("properties", {}))
        if "title" in call.body:
            source.title = stored_rich_text(call.body["title"])
        if wish is not None:
            self.workspace.set_trashed(source, wish)
        self._after_write(call)
        return self._wire(call.version).data_source(source)

    def _query(self, call: Call) -> Json:
        bodies.check_query(call.body, call.version)
        source = self._find(DataSource, call.id, "data_source")
        pages = self._visible_pages(source, trashed=bodies.in_trash_wish(call.body) is True)
        if call.body.get("is_archived"):
            pages = []  # nothing in the sandbox is archived without being in the trash
        filter_, sorts = call.body.get("filter"), call.body.get("sorts", [])
        query = Query(source.schema, filter_, sorts, ignore_case=self.text_equals_ignores_case)
        rows = {page.id: page for page in pages}
        found = query.select([self.workspace.row(page) for page in pages])
        kept, wire = found[: self.query_result_limit], self._wire(call.version)
        shown, cursor = one_page(kept, kept, call.body.get("page_size"), call.body.get("start_cursor"))
        only = call.query.getall("filter_properties", [])
        answer = _envelope([wire.page(rows[page_id], only) for page_id in shown], "page_or_data_source", cursor)
        if cursor is None and len(found) > len(kept):
            reason = "query_result_limit_reached"
            answer["request_status"] = {"type": "incomplete", "incomplete_reason": reason}
        return answer

    def _visible_pages(self, source: DataSource, *, trashed: bool = False) -> list[Page]:
        seen_until = self.clock() - self.visibility_delay
        return [
            page
            for page in self.workspace.pages_in(source)
            if self.workspace.is_trashed(page) is trashed and page.created_at <= seen_until
        ]


def _unknown_url(call: Call) -> Json:
    raise NotionError(400, "invalid_request_url", "Invalid request URL.")


def _listed(
    nodes: Sequence[NodeType], show: Callable[[NodeType], Json], kind: str, size: int | None, cursor: str | None
) -> Json:
    shown, following = one_page(nodes, [node.id for node in nodes], size, cursor)
    return _envelope([show(node) for node in shown], kind, following)


def _envelope(results: list[Json], kind: str, cursor: str | None) -> Json:
    more = cursor is not None
    return {"object": "list", "results": results, "next_cursor": cursor, "has_more": more, "type": kind, kind: {}}
