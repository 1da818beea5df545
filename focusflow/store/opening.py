"""How is a store opened from an address, and closed whatever happens?"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from importlib import import_module
from pathlib import Path
from urllib.parse import unquote

import anyio.to_thread

from focusflow.errors import StoreError
from focusflow.events import Bus
from focusflow.store.calls import CallsPart
from focusflow.store.control import ControlPart
from focusflow.store.costs import CostsPart
from focusflow.store.inbox import InboxPart
from focusflow.store.money import MoneyPart
from focusflow.store.plan import PlanPart
from focusflow.store.queue import QueuePart
from focusflow.store.record import RecordPart
from focusflow.store.sqlite import Synchronous, open_sqlite, open_sqlite_to_read
from focusflow.store.texts import TextsPart

BUSY_TIMEOUT_MS = 4_000
"""Below the shutdown grace, or a stuck writer outlives the terminal."""


class Store(InboxPart, QueuePart, RecordPart, ControlPart, CallsPart, MoneyPart, PlanPart, CostsPart, TextsPart):
    """The one place where jobs live: `ports.Inbox`, `Queue`, `JobRecord`, `Control`, `Calls` and the rest on one database."""


@asynccontextmanager
async def open_store(
    url: str | Path,
    *,
    bus: Bus,
    synchronous: Synchronous = "FULL",
    busy_timeout_ms: int = BUSY_TIMEOUT_MS,
    to_read: bool = False,
) -> AsyncIterator[Store]:
    """Open the database at *url* (a path, `sqlite:///path` or `postgresql://...`), create or migrate it, close it at exit.

    *to_read*: nothing is created or migrated, and whatever would write raises `StoreReadOnly`.
    Raises `StoreError` and its kinds, in one sentence that says what to do; `StoreReadOnly` where *to_read* may help.
    """
    address = str(url)
    if address.startswith(("postgresql://", "postgres://")):
        # only those who use it pay for its import, and not on the loop: a screen may be there already
        postgres = await anyio.to_thread.run_sync(import_module, "focusflow.store.postgres")
        async with postgres.open_postgres(address, busy_timeout_ms=busy_timeout_ms, to_read=to_read) as database:
            yield Store(database, bus)
        return
    path = url if isinstance(url, Path) else sqlite_path(address)
    if to_read:
        async with open_sqlite_to_read(path, busy_timeout_ms=busy_timeout_ms) as file:
            yield Store(file, bus)
        return
    async with open_sqlite(path, synchronous=synchronous, busy_timeout_ms=busy_timeout_ms) as file:
        yield Store(file, bus)


def sqlite_path(address: str) -> Path:
    """Return the file that the address names. Raises `StoreError`."""
    scheme, separator, rest = address.partition("://")
    if not separator:
        path = address
    elif scheme == "sqlite" and rest.startswith("/"):
        path = unquote(rest[1:])
    else:
        raise StoreError(f"{scheme}:// is not a database FocusFlow knows: use sqlite:///path or postgresql://...")
    if path in ("", ":memory:"):
        raise StoreError("The database needs a file: name one as sqlite:///path.")
    return Path(path).expanduser()
