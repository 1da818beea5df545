"""What does every command share? Settings, the store, and the moment it runs."""

import gc
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from focusflow.cli.outcome import Exit, Finished

if TYPE_CHECKING:
    from focusflow.config import Loaded, Settings
    from focusflow.domain.jobs import JobId
    from focusflow.ports import Control
    from focusflow.store import Store

T = TypeVar("T")


@dataclass(slots=True, kw_only=True)
class Options:
    """Flags that every command takes; filled in when they have been read."""

    config: Path | None = None
    flags: Mapping[str, object] | None = None

    def load(self) -> "Loaded":
        """Read the configuration. Raises `ConfigError`."""
        from focusflow.config import load

        return load(file=self.config, flags=self.flags)

    def examine(self) -> "Loaded":
        """Read as much of the configuration as can be read."""
        from focusflow.config import examine

        return examine(file=self.config, flags=self.flags)

    def keep_traceback(self, error: BaseException) -> str:
        """Write the traceback of a mistake to the log and return a sentence that says where it is."""
        from focusflow.cli.logbook import keep_traceback

        return keep_traceback(error, self.load)


def run_async(work: Callable[[], Coroutine[Any, Any, T]], *, collects: bool = False) -> T:
    """Run *work* on a fresh event loop. *collects*: it calls `collect_from_now_on` itself, when there is time for it."""
    import anyio

    if not collects:
        collect_from_now_on()
    return anyio.run(work)


def collect_from_now_on() -> None:
    """Look for garbage again, and never more through what a start leaves for good: that would be most of each look."""
    if not gc.isenabled():
        gc.freeze()  # without a look before: there is next to nothing to find, and it would hold up the first key
        gc.enable()


@asynccontextmanager
async def control_of(settings: "Settings") -> "AsyncIterator[Store]":
    """Open the store for a command that asks or tells, and close it."""
    from focusflow.wiring import opened_store

    async with opened_store(settings) as store:
        yield store


def now() -> datetime:
    return datetime.now(UTC)


async def resolved(control: "Control", prefixes: Sequence[str]) -> "list[JobId]":
    """Return the jobs that are meant by ids or unique beginnings of ids; ends the command if one is not."""
    found = []
    for prefix in prefixes:
        matches = await control.find(prefix)
        if len(matches) != 1:
            raise Finished(Exit.NOT_FOUND, _unclear(prefix, matches))
        found.append(matches[0])
    return found


def _unclear(prefix: str, matches: "Sequence[JobId]") -> str:
    if not matches:
        return f"There is no job {prefix}; `focusflow jobs list` shows all."
    return f"{prefix} is the beginning of several jobs: {', '.join(matches)}."


async def told(
    settings: "Settings", prefixes: Sequence[str], verb: "Callable[[Control, list[JobId]], Awaitable[Sequence[JobId]]]"
) -> "Sequence[JobId]":
    """Apply *verb* to the jobs meant by *prefixes* and return those it changed."""
    async with control_of(settings) as control:
        return await verb(control, await resolved(control, prefixes))
