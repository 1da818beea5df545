"""How does the screen open, host the work behind it, and end in every way there is?"""

import logging
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
from anyio.abc import TaskStatus
from msgspec import Struct

from focusflow.cli.desk import LateDesk
from focusflow.cli.engine import HostedEngine
from focusflow.cli.logbook import logging_for, warn_at_start
from focusflow.cli.outcome import BY_SIGNAL, Exit, Finished, say
from focusflow.cli.session import Options, collect_from_now_on, run_async
from focusflow.config import Settings, missing_for_work, surroundings
from focusflow.errors import StoreError, StoreReadOnly
from focusflow.events import Bus
from focusflow.ports import Clock, Instance
from focusflow.wiring import SystemClock, Works, opened_store, works_on

if TYPE_CHECKING:
    from focusflow.store import Store
    from focusflow.tui.facts import Facts
    from focusflow.tui.terminal import GoodManners

_log = logging.getLogger(__name__)

OPEN_AGAIN_SECONDS = 5.0
WRITABLE_SECONDS = 5.0
"""So often a database that can only be read is tried anew."""
WORKER_SECONDS = 5.0
"""So often a screen that only looks makes sure that somebody works."""


def run_screen(options: Options, *, monitor: bool, beside: bool) -> None:
    """Open the screen. *monitor*: only look, whoever works; *beside*: work, though another FocusFlow does too."""
    refuse_without_terminal(
        "`focusflow run` does the same work without a screen, `focusflow watch` tells what changes."
    )
    loaded = options.load()
    settings = loaded.settings
    missing = missing_for_work(settings)
    purpose = Purpose(monitor=monitor, beside=beside, first_start=_what_to_set_up(missing) if missing else ())
    with logging_for(settings, quiet=True):
        warn_at_start(loaded)
        run_async(partial(host, settings, purpose), collects=True)


def refuse_without_terminal(instead: str) -> None:
    """End the command where nobody could see or press anything."""
    if not (sys.stdin.isatty() and sys.stdout.isatty()):
        raise Finished(Exit.USAGE, f"The screen needs a terminal, and there is none here: {instead}")


def _what_to_set_up(missing: list[str]) -> tuple[str, ...]:
    names = [sentence.partition(" is not set")[0] for sentence in missing]
    return (
        "One setting is missing:" if len(names) == 1 else f"{len(names)} settings are missing:",
        *(f"- {name}" for name in names),
        "",
        "`focusflow init` writes a configuration.",
        "`focusflow demo` shows the product without one.",
    )


class Purpose(Struct, frozen=True, kw_only=True):
    """What the screen is opened for."""

    monitor: bool = False
    beside: bool = False
    first_start: tuple[str, ...] = ()
    """What must be configured before the work can be done here, in lines; empty: nothing."""
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
    if house.not_set_up:
        say("\n".join(purpose.first_start))
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
    _refusal: StoreError | None = None
    """Why the database, which is open, cannot be written."""
    _wanted: bool = False
    """Somebody asked for the work to be done here."""
    _nudged: anyio.Event = field(default_factory=anyio.Event)
    _headless: bool = False
    _at_rest: anyio.Event = field(default_factory=anyio.Event)
    _stop: anyio.Event = field(default_factory=anyio.Event)
    _painted: anyio.Event = field(default_factory=anyio.Event)

    # -------------------------------------------------------------------------------------------- database and work

    async def keep(self, *, task_status: TaskStatus[None]) -> None:
        """Keep the database open, and the work going on it; started as soon as the first try to open it is over."""
        tried = False
        while True:
            pause = 0.0
            try:
                async with opened_store(self.settings, self.bus, to_read=self._refusal is not None) as store:
                    await self._open(store)
                    tried = tried or _told(task_status)
                    await self._work(store)
                    if self._stop.is_set():
                        await self._rest()
            except StoreReadOnly as exc:
                if self._refusal is None:  # it can perhaps be read
                    self._refusal = exc
                    continue
                pause = self._say_refused(exc)
            except StoreError as exc:
                pause = self._say_refused(exc)
            finally:
                self.desk.opened(None)
            tried = tried or _told(task_status)
            with anyio.move_on_after(pause):
                await self._stop.wait()
                await self._rest()

    def _say_refused(self, error: StoreError) -> float:
        """Answer every question with *error*; return how many seconds to wait before the next try."""
        self._refusal = None
        self.desk.refuse(error)
        _log.error(str(error), exc_info=error)
        return OPEN_AGAIN_SECONDS

    async def _rest(self) -> None:
        self._at_rest.set()
        await anyio.sleep_forever()

    async def _open(self, store: "Store") -> None:
        self.desk.opened(store)
        self._worker = None if self.purpose.beside else await other_worker(store, self.clock, self.settings)
        if self._may_work and not self.purpose.monitor and self._worker is None:
            self._engine = HostedEngine(self.bus, self.clock)
        self._tell_role("")

    @property
    def _may_work(self) -> bool:
        return self._refusal is None and not self.purpose.first_start

    @property
    def not_set_up(self) -> bool:
        """Nothing is configured here, and the screen does not look at somebody else's work either."""
        return bool(self.purpose.first_start) and not self.purpose.monitor and self._worker is None

    def _tell_role(self, said: str) -> None:
        """Let the screen know what it is now; before it is shown, it is told by its facts."""
        if self._app is None:
            return
        from focusflow.tui.app import Hosted
        from focusflow.tui.facts import Role

        self._app.post_message(
            Hosted(Role(engine=self._engine, worker=self._worker_name, read_only=self._read_only, said=said))
        )

    @property
    def _worker_name(self) -> str | None:
        return self._worker.name if self._worker else None

    @property
    def _read_only(self) -> str | None:
        if self._refusal is None or self.settings.store_url.startswith("postgres"):
            return str(self._refusal) if self._refusal else None
        return f"Read only: let FocusFlow write {_database_name(self.settings)} and its folder, then it goes on."

    async def _work(self, store: "Store") -> None:
        await self._painted.wait()
        async with self._alongside(store):
            if self._refusal is not None:
                await self._until_writable()
            elif self._engine is None:
                await self._look_on(store)
            if self._engine is not None and not self._stop.is_set():
                await self._engine.run(partial(self._works, store))

    async def _until_writable(self) -> None:
        """Show what can be read, and try now and then whether it can be written after all."""
        self._tell_role(self._read_only or "")
        while self._refusal is not None and not self._stop.is_set():
            with anyio.move_on_after(WRITABLE_SECONDS):
                await self._stop.wait()
                return
            try:
                async with opened_store(self.settings):
                    self._refusal = None
            except StoreError as exc:
                _log.debug("the database can still not be written", exc_info=exc)

    async def _look_on(self, store: "Store") -> None:
        """Watch who does the work; do it here when nobody does and that is wanted."""
        while not self._stop.is_set():
            with anyio.move_on_after(WORKER_SECONDS):
                await self._nudged.wait()
            self._nudged = anyio.Event()
            if self._stop.is_set():
                return
            before = self._worker_name
            self._worker = await other_worker(store, self.clock, self.settings)
            if self._may_work and self._worker is None and (self._wanted or not self.purpose.monitor):
                self._engine = HostedEngine(self.bus, self.clock)
                self._tell_role(
                    f"{before} has ended: the work goes on here." if before else "The work is done here now."
                )
                return
            self._wanted = False
            if self._worker_name != before:
                self._tell_role(self._news(before, self._worker_name))

    def _take_over(self) -> None:
        """Somebody wants the work to be done here."""
        self._wanted = True
        self._nudged.set()

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
        app.on_painted = self._there
        app.on_take_over = self._take_over
        self._app = app
        result = await app.run_async(mouse=self.settings.screen.mouse)
        self._app, self.mistake = None, app.mistake
        self._there()
        self._headless = self._headless or (result is Leaving.HEADLESS and self.code is Exit.DONE)

    def _there(self) -> None:
        """The first picture is there: now there is time for the rest."""
        self._painted.set()
        collect_from_now_on()

    def _news(self, before: str | None, now: str | None) -> str:
        """Return a sentence about who works on the database."""
        if now is None:
            here = f" {self._facts().key('take_over')} does the work here." if self._may_work else ""
            return f"{before} has ended, so nobody works.{here}"
        return f"{now} works on this database now."

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
            monitor=self.purpose.monitor or (self._engine is None and not self.purpose.first_start),
            worker=self._worker_name,
            read_only=self._read_only is not None,
            first_start=self.purpose.first_start,
            automatic=settings.auto.enabled,
            demo=self.purpose.demo,
            keys=screen.keys,
            theme=screen.theme,
            few_colours=around.few_colours,
            no_colour=around.no_colour,
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
                    self._end(BY_SIGNAL[number])

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
            self._nudged.set()
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
        self._nudged.set()
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
    others = (one for one in instances if one.name != f"{socket.gethostname()}:{os.getpid()}")
    return next((one for one in others if (now - one.seen_at).total_seconds() < silent and not _dead(one)), None)


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
