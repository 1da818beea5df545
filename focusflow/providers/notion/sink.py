"""How does a finished call become a Notion page, once, complete, and without touching what people add to it?"""

import logging
from collections.abc import Awaitable, Callable, Sequence
from typing import Final, TypeVar

import anyio
import anyio.to_thread

from focusflow.errors import Ambiguous, Held, HoldKind, PageGone, Permanent, StepError, Transient
from focusflow.events import ServiceState
from focusflow.ports import Clock, Page, PageRef
from focusflow.providers.notion.address import only_data_source
from focusflow.providers.notion.answers import SeenPage
from focusflow.providers.notion.blocks import packed
from focusflow.providers.notion.body import Body
from focusflow.providers.notion.client import NotionApi
from focusflow.providers.notion.failures import Missing, Refused
from focusflow.providers.notion.icons import icon_of
from focusflow.providers.notion.memo import Memo, read_memo
from focusflow.providers.notion.properties import PropertyNames, Role
from focusflow.providers.notion.schema import Layout, has_key, key_filter, layout_of, shown, values_for
from focusflow.providers.notion.wanted import Prints, Wanted, page_body, print_of, prints_of

LOOKS: Final = (0.0, 2.0, 5.0)
"""Seconds before each look for a page: Notion does not promise that a query sees what was just written."""
SECOND_THOUGHTS: Final = (2.0, 5.0)
"""Seconds before a page is read again after a write of unknown outcome."""
FLAWED_KEPT_SECONDS: Final = 300.0
"""After so long the columns are read again, while something is wrong with them: it may be mended by then."""
_MADE_KEPT: Final = 200

T = TypeVar("T")


class NotionSink:
    """Writes calls into one Notion data source. Any number of workers may share it; see `open_notion`."""

    name = "notion"

    def __init__(
        self,
        api: NotionApi,
        *,
        database_id: str | None,
        data_source_id: str | None,
        properties: PropertyNames,
        clock: Clock,
        log: logging.Logger,
    ) -> None:
        self._api, self._clock, self._log = api, clock, log
        self._database_id, self._data_source_id, self._names = database_id, data_source_id, properties
        self._known_layout: Layout | None = None
        self._flaws_seen_at = 0.0
        self._reading_layout = anyio.Lock()
        self._made: dict[str, tuple[Prints, ...]] = {}
        """The first blocks of pages made by this process and not filled yet; without it they are read once more."""

    # --------------------------------------------------------------------------------------------------------- check

    async def check(self) -> Sequence[str]:
        """Return what is wrong with key, database and properties, one sentence each."""
        try:
            return (await self._layout(again=True)).problems
        except StepError as error:
            return [str(error)]

    # ---------------------------------------------------------------------------------------------------------- find

    async def find(self, key: str) -> PageRef | None:
        """Look for the page of *key*; of several, made by us after lost answers, keep the one with the smallest id."""
        for wait in LOOKS:
            if wait:
                await self._clock.sleep(wait)
            if hits := await self._with_layout(lambda layout: self._look(key, layout)):
                return _ref(await self._only(key, hits))
        return None

    async def _look(self, key: str, layout: Layout) -> list[SeenPage]:
        self._must_find(layout)
        pages = await self._api.query(layout.data_source_id, key_filter(key, layout))
        return [page for page in pages if not page.in_trash and has_key(page.properties, key, layout)]

    async def _only(self, key: str, hits: Sequence[SeenPage]) -> SeenPage:
        if len(hits) == 1:
            return hits[0]
        bot_id = await self._api.bot_id()
        ours = [page for page in hits if page.created_by == bot_id]
        kept = min(ours or hits, key=lambda page: page.id)
        for page in ours:
            if page is not kept:
                self._log.warning("call %s had a second Notion page, moved to the trash: %s", key, page.url or page.id)
                await self._api.update_page(page.id, {"in_trash": True})
        return kept

    # -------------------------------------------------------------------------------------------------------- create

    async def create(self, page: Page) -> PageRef:
        """Make the page with its properties and as much of its body as one request takes."""
        body = await anyio.to_thread.run_sync(page_body, page.summary_markdown, page.transcript)
        first = next(packed(body, lambda unit: unit.weight), [])
        made = await self._with_layout(lambda layout: self._create(page, layout, first))
        if len(self._made) >= _MADE_KEPT:
            del self._made[next(iter(self._made))]
        self._made[made.id] = prints_of(first)
        return _ref(made)

    async def _create(self, page: Page, layout: Layout, first: Sequence[Wanted]) -> SeenPage:
        self._must_find(layout)
        if Role.KEY not in layout.columns and page.web_url is None:
            raise Permanent(f"The call has no link by which its page could be found again. {layout.problems[-1]}")
        return await self._api.create_page(
            {
                "parent": {"type": "data_source_id", "data_source_id": layout.data_source_id},
                "icon": {"type": "emoji", "emoji": icon_of(page)},
                "properties": values_for(page, layout),
                "children": [unit.json for unit in first],
            }
        )

    # ---------------------------------------------------------------------------------------------------------- fill

    async def fill(self, ref: str, page: Page, *, memo: str | None, remember: Callable[[str], Awaitable[None]]) -> None:
        """Make the page what it should be with the fewest writes; what people added or changed stays."""
        body = await anyio.to_thread.run_sync(page_body, page.summary_markdown, page.transcript)
        notes = read_memo(memo, remember, made=self._made.pop(ref, None))
        for wait in SECOND_THOUGHTS:
            try:
                return await self._fill(ref, page, body, notes)
            except (Ambiguous, _Moved) as error:
                self._log.info("the Notion page %s is read again: %s", ref, error)
                await self._clock.sleep(wait)
        await self._fill(ref, page, body, notes)

    async def _fill(self, ref: str, page: Page, body: Sequence[Wanted], memo: Memo) -> None:
        seen = await self._existing(ref)
        try:
            written = await self._with_layout(lambda layout: self._fill_properties(seen, page, layout, memo))
            work = Body(self._api, memo, made_by=seen.created_by)
            await work.settle(ref, body)
        except Missing as error:
            raise _Moved(f"The Notion page was changed while it was written. {error}") from error
        except Refused as error:
            if "archived" not in error.notion_says and "in trash" not in error.notion_says:
                raise
            raise _Moved(f"The Notion page was changed while it was written. {error}") from error
        await memo.finish(work.alive, written)

    async def _existing(self, ref: str) -> SeenPage:
        try:
            page = await self._api.page(ref)
        except Missing as error:
            await self._layout(again=True)  # if the whole database is out of reach, that is what must be said
            raise PageGone("The Notion page was deleted; it is not made again by itself.") from error
        if page.in_trash:
            raise PageGone("The Notion page is in the trash: restore it there, or leave it; it is not made again.")
        return page

    async def _fill_properties(self, seen: SeenPage, page: Page, layout: Layout, memo: Memo) -> dict[str, str]:
        """Write the values that changed since we last wrote them; return the fingerprints of all."""
        values = values_for(page, layout)
        prints = {name: print_of(value) for name, value in values.items()}
        due = {
            name: value
            for name, value in values.items()
            if memo.properties.get(name) != prints[name] and shown(value) != shown(seen.properties.get(name))
        }
        if due:
            await self._api.update_page(seen.id, {"properties": due})
        return prints

    # -------------------------------------------------------------------------------------------------------- layout

    async def _with_layout(self, use: Callable[[Layout], Awaitable[T]]) -> T:
        """Do something by the database's columns; if Notion objects and they have changed, do it by the new ones."""
        layout = await self._layout()
        try:
            return await use(layout)
        except Refused:
            fresh = await self._layout(again=True)
            if fresh == layout:
                raise
            return await use(fresh)

    async def _layout(self, *, again: bool = False) -> Layout:
        async with self._reading_layout:
            if self._known_layout is None or again or self._may_be_mended(self._known_layout):
                self._known_layout = await self._read_layout()
                self._tell_flaws(self._known_layout)
            return self._known_layout

    async def _read_layout(self) -> Layout:
        try:
            return layout_of(await self._read_data_source(), self._names)
        except Held as error:
            if error.kind is HoldKind.CREDENTIALS:
                self._api.health.at_best(ServiceState.BROKEN, str(error))  # until there are columns to be read
            raise

    def _may_be_mended(self, layout: Layout) -> bool:
        return bool(layout.problems) and self._clock.monotonic() - self._flaws_seen_at >= FLAWED_KEPT_SECONDS

    def _tell_flaws(self, layout: Layout) -> None:
        """Let it be known what is wrong with the columns; whoever listens hears it once, until it is something else."""
        self._flaws_seen_at = self._clock.monotonic()
        if layout.problems:
            state = ServiceState.LIMITED if layout.can_find() else ServiceState.BROKEN
            self._api.health.at_best(state, " ".join(layout.problems))
        else:
            self._api.health.at_best(ServiceState.OK)

    async def _read_data_source(self) -> object:
        try:
            return await self._api.data_source(self._data_source_id or await self._sole_source(str(self._database_id)))
        except Missing as error:
            raise Held(
                HoldKind.CREDENTIALS,
                f"Notion does not show the database {self._data_source_id or self._database_id}: share it with the "
                f"integration (in Notion: ••• > Connections), or correct NOTION_DATABASE_ID. {error}",
            ) from error

    async def _sole_source(self, database_id: str) -> str:
        """The id of the database's data source; *database_id* itself if it is a data source's."""
        try:
            return only_data_source(await self._api.database(database_id))
        except Missing:
            await self._api.data_source(database_id)
            return database_id

    def _must_find(self, layout: Layout) -> None:
        if not layout.can_find():
            self._known_layout = None  # when it is mended, the next try sees it
            raise Held(HoldKind.CREDENTIALS, layout.problems[-1])


class _Moved(Transient):
    """Something was deleted between our reading and our writing."""


def _ref(page: SeenPage) -> PageRef:
    return PageRef(ref=page.id, url=page.url)
