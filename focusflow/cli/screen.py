"""How does the screen open, host the work behind it, and end in every way there is?"""

import os
import signal
import socket
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any

import anyio
import structlog
from anyio.abc import TaskStatus

from focusflow.cli.desk import LateDesk
from focusflow.cli.engine import HostedEngine
from focusflow.cli.outcome import Exit, Finished, say
from focusflow.cli.session import Options, run_async
from focusflow.cli.work import logging_for
from focusflow.config import Settings, missing_for_work, surroundings
from focusflow.errors import StoreError
from focusflow.events import Bus, ControlChanged
from focusflow.ports import Clock, Instance
from focusflow.wiring import SystemClock, Works, opened_store, works_on

if TYPE_CHECKING:
    from focusflow.store import Store
    from focusflow.tui.facts import Facts
    from focusflow.tui.terminal import GoodManners

_log = structlog.get_logger(__name__)

OPEN_AGAIN_SECONDS = 5.0

_CODES = {signal.SIGINT: Exit.INTERRUPTED, signal.SIGTERM: Exit.TERMINATED, signal.SIGHUP: Exit.HUNG_UP}


def run_screen(options: Options, *, monitor: bool, beside: bool) -> None:
    """Open the screen. *monitor*: only look, whoever works; *beside*: work, though another FocusFlow does too."""
    refuse_without_terminal(
        "`focusflow run` does the same work without a screen, `focusflow watch` tells what changes."
    )
    settings = options.load().settings
    missing = missing_for_work(settings)
    purpose = Purpose(monitor=monitor, beside=beside, first_start=_what_to_set_up(missing) if missing else None)
    with logging_for(settings, quiet=True):
        run_async(partial(host, settings, purpose))


def refuse_without_terminal(instead: str) -> None:
    """End the command where nobody could see or press anything."""
    if not (sys.stdin.isatty() and sys.stdout.isatty()):
        raise Finished(Exit.USAGE, f"The screen needs a terminal, and there is none here: {instead}")


def _what_to_set_up(missing: list[str]) -> str:
    return (
        f"{len(missing)} things are not set up: {'; '.join(missing)}. "
        "`focusflow init` writes a configuration, `focusflow demo` shows the product without one."
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Purpose:
    """What the screen is opened for."""

    monitor: bool = False
    beside: bool = False
    first_start: str | None = None
    demo: bool = False
    alongside: "Callable[[Store, Bus], AbstractAsyncContextManager[None]] | None" = None
    """What goes on beside the work while the screen is open, such as the demo's calls that arrive."""


async def host(settings: Settings, purpose: Purpose) -> None:
    """Show the screen with the work behind it, until somebody quits; then bring the work to rest.

    Raises `Finished` with the exit code of the signal that ended it.
    """
    async with anyio.create_task_group() as group:
        house = _House(settings=settings, purpose=purpose)
        await group.start(house.keep)
        await group.start(house.listen, group.cancel_scope)
        await house.show()
        await house.bring_to_rest()
        group.cancel_scope.cancel()
    if house.mistake is not None:
        raise house.mistake
    if purpose.first_start:
        say(purpose.first_start)
    if house.code is not Exit.DONE:
        raise Finished(house.code)


@dataclass(slots=True, kw_only=True)
class _House:
    """The database, the work and the screen of one process."""

    settings: Settings
    purpose: Purpose
    clock: Clock = field(default_factory=SystemClock)
    bus: Bus = field(default_factory=Bus)
    desk: LateDesk = field(default_factory=LateDesk)
    code: Exit = Exit.DONE
    mistake: BaseException | None = None
    """What ended the screen, if it was one of ours."""
    _app: "GoodManners | None" = None
    _engine: HostedEngine | None = None
    _worker: Instance | None = None
    _headless: bool = False
    _at_rest: anyio.Event = field(default_factory=anyio.Event)
    _stop: anyio.Event = field(default_factory=anyio.Event)
    _painted: anyio.Event = field(default_factory=anyio.Event)

    # -------------------------------------------------------------------------------------------- database and work

    async def keep(self, *, task_status: TaskStatus[None]) -> None:
        """Keep the database open, and the work going on it; started as soon as the first try to open it is over."""
        tried = False
        while True:
            try:
                async with opened_store(self.settings, self.bus) as store:
                    await self._open(store)
                    tried = tried or _told(task_status)
                    await self._work(store)
                    self._at_rest.set()
                    await anyio.sleep_forever()
            except StoreError as exc:
                self.desk.refuse(exc)
                _log.error(str(exc), exc_info=exc)
            finally:
                self.desk.opened(None)
            tried = tried or _told(task_status)
            with anyio.move_on_after(OPEN_AGAIN_SECONDS):
                await self._stop.wait()
                self._at_rest.set()
                await anyio.sleep_forever()

    async def _open(self, store: "Store") -> None:
        self.desk.opened(store)
        self._worker = (
            None if self.purpose.beside or self._app else await other_worker(store, self.clock, self.settings)
        )
        if not self.purpose.monitor and not self.purpose.first_start and self._worker is None:
            self._engine = HostedEngine(self.settings, self.bus, self.clock)
        if self._app is not None:  # it was shown without: look again
            self.bus.publish(ControlChanged())

    async def _work(self, store: "Store") -> None:
        await self._painted.wait()
        async with self._alongside(store):
            if self._engine is not None and not self._stop.is_set():
                await self._engine.run(partial(self._works, store))
            else:
                await self._stop.wait()

    def _works(self, store: "Store") -> AbstractAsyncContextManager[Works]:
        return works_on(self.settings, store, self.bus, clock=self.clock)

    @asynccontextmanager
    async def _alongside(self, store: "Store") -> AsyncIterator[None]:
        if self.purpose.alongside is None:
            yield
        else:
            async with self.purpose.alongside(store, self.bus):
                yield

    # -------------------------------------------------------------------------------------------------------- screen

    async def show(self) -> None:
        """Show the screen until it is closed."""
        from focusflow.tui.app import FocusFlowApp
        from focusflow.tui.facts import Leaving

        app: Any = FocusFlowApp(self.desk.as_desk, self.bus, self._facts(), self._engine)
        app.in_tmux = surroundings().in_tmux
        app.on_terminal_gone = self._terminal_gone
        app.on_painted = self._painted.set
        self._app = app
        result = await app.run_async(mouse=self.settings.screen.mouse)
        self._app, self.mistake = None, app.mistake
        self._painted.set()
        self._headless = self._headless or (result is Leaving.HEADLESS and self.code is Exit.DONE)

    def _facts(self) -> "Facts":
        from focusflow import __version__
        from focusflow.tui.facts import Facts

        settings, screen, around = self.settings, self.settings.screen, surroundings()
        name = socket.gethostname()
        return Facts(
            version=__version__,
            database=_database_name(settings),
            clock=self.clock,
            budgets=settings.budgets,
            concurrency=settings.auto.concurrency,
            instance=name,
            origin=f"{name} screen",
            folder=settings.data_path / "saved",
            services=_services(settings),
            monitor=self._engine is None and not self.purpose.first_start,
            worker=self._worker.name if self._worker else None,
            first_start=self.purpose.first_start,
            demo=self.purpose.demo,
            keys=screen.keys,
            theme=screen.theme,
            few_colours=around.few_colours,
            ascii=screen.ascii or around.ascii,
            mouse=screen.mouse,
            log_level=settings.logging.level,
        )

    # ------------------------------------------------------------------------------------------------------- the end

    async def listen(self, everything: anyio.CancelScope, *, task_status: TaskStatus[None]) -> None:
        """Let the first signal close the screen and bring the work to rest, and the second one end it at once."""
        wanted = [signal.SIGINT, signal.SIGTERM]
        if signal.getsignal(signal.SIGHUP) is not signal.SIG_IGN:  # nohup asked for it to be ignored
            wanted.append(signal.SIGHUP)
        with anyio.open_signal_receiver(*wanted) as received:
            task_status.started()
            async for number in received:
                if number is signal.SIGINT and self._app is not None and self._app.lent:
                    continue  # it is meant for the pager, which gets it too
                if number is signal.SIGHUP:
                    self._terminal_gone()
                elif self._stop.is_set():
                    everything.cancel()
                else:
                    self._end(_CODES[number])

    def _terminal_gone(self) -> None:
        if self.settings.screen.on_hangup == "headless":
            if not self._headless:
                _log.warning("the terminal is gone: the work goes on without a screen")
            self._headless = True
            self._close_screen()
        else:
            self._end(Exit.HUNG_UP)

    def _end(self, code: Exit) -> None:
        if not self._stop.is_set():
            self.code = code
            self._headless = False
            self._stop.set()
        self._close_screen()

    def _close_screen(self) -> None:
        if self._app is not None:
            self._app.exit()

    async def bring_to_rest(self) -> None:
        """Go on without a screen if that is wanted; then finish or hand back what is in flight."""
        if self._headless:
            say("The work goes on without a screen. Ctrl-C or SIGTERM stops it.")
            await self._stop.wait()
        self._stop.set()
        if self._engine is not None:
            if self._engine.in_flight:
                say("Stopping: work in flight is finished or handed back. Ctrl-C stops at once.")
            self._engine.stop()
        await self._at_rest.wait()


def _told(task_status: TaskStatus[None]) -> bool:
    task_status.started()
    return True


async def other_worker(store: "Store", clock: Clock, settings: Settings) -> Instance | None:
    """Return another FocusFlow that works on this database now, if there is one."""
    now = clock.now()
    silent = settings.auto.stale_processing_ms / 1_000
    instances = (await store.stats(now=now, day_start=now, month_start=now)).instances
    return next((one for one in instances if (now - one.seen_at).total_seconds() < silent and not _dead(one)), None)


def _dead(instance: Instance) -> bool:
    """Say whether it was a process of this machine that has ended without a word."""
    machine, _, number = instance.name.rpartition(":")
    if machine != socket.gethostname() or not number.isdigit():
        return False
    try:
        os.kill(int(number), 0)
    except ProcessLookupError:
        return True
    except OSError:
        return False
    return False


def _database_name(settings: Settings) -> str:
    from urllib.parse import urlsplit

    url = urlsplit(settings.store_url)
    if url.scheme.startswith("postgres"):
        return f"{url.path.strip('/')} on {url.hostname or 'this machine'}"
    return url.path.rpartition("/")[2] or settings.store_url


def _services(settings: Settings) -> tuple[str, ...]:
    named = {
        settings.source: True,
        "assemblyai": True,
        "openai": True,
        "notion": settings.notion.api_key is not None,
        "markdown": settings.markdown.path is not None,
    }
    return tuple(name for name, on in named.items() if on)
