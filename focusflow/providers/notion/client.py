"""How is Notion asked? Paced, within a deadline, harmless calls repeated, every failure in our own words."""

import logging
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any, Final, TypeVar

import anyio
import httpx
from aiolimiter import AsyncLimiter
from notion_client import AsyncClient

from focusflow.errors import Ambiguous
from focusflow.ports import Clock
from focusflow.providers.health import Health, Tell
from focusflow.providers.notion import answers
from focusflow.providers.notion.answers import SeenBlock, SeenPage, Unreadable
from focusflow.providers.notion.failures import Committed, translated
from focusflow.providers.retry import Retrying, RetryPolicy, SharedPause

NOTION_VERSION: Final = "2026-03-11"
START: Final[Mapping[str, object]] = {"type": "start"}

T = TypeVar("T")


def after(block_id: str) -> Mapping[str, object]:
    """The position just behind a block."""
    return {"type": "after_block", "after_block": {"id": block_id}}


def connected(*, api_key: str, base_url: str, timeout: float, trust_env: bool, log: logging.Logger) -> AsyncClient:
    """Construct the SDK's client. Slow (certificates are read): call it in a thread."""
    return AsyncClient(
        auth=api_key,
        base_url=base_url.rstrip("/"),
        notion_version=NOTION_VERSION,
        timeout_ms=int(timeout * 1000),
        retry=False,
        logger=log.getChild("sdk"),
        log_level=logging.CRITICAL,  # its failures reach the job's log in our words, without the page's text
        client=httpx.AsyncClient(trust_env=trust_env),
    )


SLOW_SECONDS = 30.0
"""As `health.SLOW_SECONDS`, with the wait for our own turn in it: Notion is asked only so often a minute."""


class NotionApi:
    """The dozen requests we make of Notion. Each raises only `focusflow.errors`."""

    def __init__(
        self,
        client: AsyncClient,
        *,
        clock: Clock,
        requests_per_minute: int,
        timeout: float,
        retry: RetryPolicy,
        tell: Tell,
    ) -> None:
        self._client, self._clock = client, clock
        self._deadline = timeout + 30.0
        # a sixth of the minute's requests at once, the rest evenly: never more than all of them in any minute
        burst = max(1.0, requests_per_minute / 6)
        self._limiter = AsyncLimiter(burst, burst * 72 / requests_per_minute)
        self.health = Health("notion", clock=clock, tell=tell)
        self._retrying = Retrying(SharedPause("Notion", clock=clock, policy=retry, health=self.health), retry)

    # ------------------------------------------------------------------------------------------------------ reading

    async def bot_id(self) -> str:
        """The id under which this integration writes."""
        return answers.identity(answers.as_object(await self._read(self._client.users.me)))

    async def database(self, database_id: str) -> object:
        return await self._read(lambda: self._client.databases.retrieve(database_id))

    async def data_source(self, data_source_id: str) -> object:
        return await self._read(lambda: self._client.data_sources.retrieve(data_source_id))

    async def query(self, data_source_id: str, condition: Mapping[str, object]) -> list[SeenPage]:
        """The pages for which the filter *condition* holds, at most a hundred."""
        answer = await self._read(
            lambda: self._client.data_sources.query(data_source_id, filter=condition, page_size=100)
        )
        return [answers.page_from(item) for item in answers.results(answer)]

    async def page(self, page_id: str) -> SeenPage:
        """The page, even if it is in the trash. Raises `Missing`."""
        return answers.page_from(await self._read(lambda: self._client.pages.retrieve(page_id)))

    async def children(self, block_id: str) -> list[SeenBlock]:
        """What stands directly below a block or page, in order."""
        found: list[SeenBlock] = []
        place: dict[str, str] = {}
        while True:
            answer = await self._children_page(block_id, place)
            found += [answers.block_from(item) for item in answers.results(answer)]
            cursor = answers.next_cursor(answer)
            if cursor is None:
                return found
            place = {"start_cursor": cursor}

    async def _children_page(self, block_id: str, place: Mapping[str, str]) -> object:
        return await self._read(lambda: self._client.blocks.children.list(block_id, page_size=100, **place))

    # ------------------------------------------------------------------------------------------------------ writing

    async def create_page(self, body: Mapping[str, object]) -> SeenPage:
        """Make a page. Raises `Ambiguous` when it may exist."""
        try:
            return answers.page_from(await self._write(lambda: self._client.pages.create(**body)))
        except Committed as saved:
            if saved.resource_id is None:
                raise
            return await self.page(saved.resource_id)
        except Unreadable as error:
            raise Ambiguous(str(error)) from error

    async def update_page(self, page_id: str, changes: Mapping[str, object]) -> None:
        await self._settled(lambda: self._client.pages.update(page_id, **changes))

    async def append(
        self, block_id: str, children: Sequence[Mapping[str, object]], position: Mapping[str, object] | None
    ) -> list[tuple[str, SeenBlock | None]]:
        """Add *children* at *position* (None: the end); return their ids, with what Notion made of them if it said so."""
        place = {} if position is None else {"position": position}
        try:
            answer = await self._write(
                lambda: self._client.blocks.children.append(block_id, children=children, **place)
            )
            made = [answers.block_from(item) for item in answers.results(answer)]
            ids: list[tuple[str, SeenBlock | None]] = [(block.id, block) for block in made]
        except Committed as saved:
            ids = [(child, None) for child in saved.child_ids]
        except Unreadable as error:
            raise Ambiguous(str(error)) from error
        if len(ids) != len(children):
            raise Ambiguous(f"Notion names {len(ids)} new blocks where {len(children)} were sent.")
        return ids

    async def update_block(self, block_id: str, kind: str, payload: Mapping[str, object]) -> None:
        await self._settled(lambda: self._client.blocks.update(block_id, **{kind: payload}))

    async def delete_block(self, block_id: str) -> None:
        """Put a block, and what is below it, in the trash."""
        await self._settled(lambda: self._client.blocks.delete(block_id))

    async def _settled(self, call: Callable[[], Any]) -> None:
        """Make a write whose answer tells nothing new; one that Notion says it saved is done."""
        try:
            await self._write(call)
        except Committed:
            return

    # ------------------------------------------------------------------------------------------------------- sending

    async def _read(self, call: Callable[[], Any]) -> object:
        return await self._retrying(lambda: self._once(call, writing=False), slow_after=SLOW_SECONDS)

    async def _write(self, call: Callable[[], Any]) -> object:
        """As `_read`, but repeated only if the request was refused unread or never sent."""
        return await self._retrying(lambda: self._once(call, writing=True), slow_after=SLOW_SECONDS)

    async def _once(self, call: Callable[[], Any], *, writing: bool) -> object:
        await self._limiter.acquire()
        try:
            with anyio.fail_after(self._deadline):
                answer: Awaitable[object] = call()
                return await answer
        except Exception as error:
            ours = translated(error, writing=writing, now=self._clock.now())
            if ours is None:
                raise
            raise ours from error
