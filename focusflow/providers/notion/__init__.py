"""Where do finished calls appear? As pages of the user's Notion database.

The SDK is imported, and its client made, in a thread once somebody opens the sink: both take longer than a frame.
"""

import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from typing import TYPE_CHECKING, Final

import anyio
import anyio.to_thread

from focusflow.errors import ConfigError
from focusflow.ports import Clock
from focusflow.providers.health import Tell, nobody
from focusflow.providers.notion.properties import PropertyNames
from focusflow.providers.retry import RetryPolicy

if TYPE_CHECKING:
    from notion_client import AsyncClient

    from focusflow.providers.notion.sink import NotionSink

__all__ = ["PropertyNames", "open_notion"]

PATIENCE: Final = RetryPolicy(longest_pause=65.0)
"""Notion counts requests by the minute: a pause of one is sat through."""


@asynccontextmanager
async def open_notion(
    *,
    api_key: str,
    database_id: str | None,
    clock: Clock,
    base_url: str = "https://api.notion.com",
    data_source_id: str | None = None,
    properties: PropertyNames | None = None,
    requests_per_minute: int = 180,
    timeout: float = 60.0,
    retry: RetryPolicy = PATIENCE,
    trust_env: bool = False,
    log: logging.Logger | None = None,
    tell: Tell = nobody,
) -> AsyncIterator["NotionSink"]:
    """Yield the sink that writes to one database, named by its id or its link; nothing is asked of Notion yet.

    *requests_per_minute* is shared by all who use this sink (Notion allows 180, on larger plans 600); *timeout* is in
    seconds, for each phase of a request. Raises `ConfigError` for a key or an id that can't be one.
    """
    log = log or logging.getLogger("focusflow.notion")
    make = partial(
        _made,
        api_key=_usable_key(api_key),
        database_id=database_id,
        data_source_id=data_source_id,
        base_url=base_url,
        properties=properties or PropertyNames(),
        requests_per_minute=requests_per_minute,
        timeout=timeout,
        retry=retry,
        trust_env=trust_env,
        clock=clock,
        log=log,
        tell=tell,
    )
    client, sink = await anyio.to_thread.run_sync(make)
    try:
        yield sink
    finally:
        with anyio.CancelScope(shield=True), anyio.move_on_after(2.0):
            await client.aclose()


def _usable_key(api_key: str) -> str:
    key = api_key.strip()
    if not key or not key.isascii() or not key.isprintable() or " " in key:
        raise ConfigError("NOTION_API_KEY is empty or holds something that no key contains: paste it again.")
    return key


def _made(
    *,
    api_key: str,
    database_id: str | None,
    data_source_id: str | None,
    base_url: str,
    properties: PropertyNames,
    requests_per_minute: int,
    timeout: float,
    retry: RetryPolicy,
    trust_env: bool,
    clock: Clock,
    log: logging.Logger,
    tell: Tell,
) -> tuple["AsyncClient", "NotionSink"]:
    from focusflow.providers.notion.address import notion_id
    from focusflow.providers.notion.client import NotionApi, connected
    from focusflow.providers.notion.sink import NotionSink

    database = notion_id(database_id) if database_id else None
    data_source = notion_id(data_source_id) if data_source_id else None
    if database is None and data_source is None:
        raise ConfigError("notion.database_id is not set: which database shall pages go to?")
    client = connected(api_key=api_key, base_url=base_url, timeout=timeout, trust_env=trust_env, log=log)
    api = NotionApi(
        client, clock=clock, requests_per_minute=requests_per_minute, timeout=timeout, retry=retry, tell=tell
    )
    sink = NotionSink(
        api, database_id=database, data_source_id=data_source, properties=properties, clock=clock, log=log
    )
    return client, sink
