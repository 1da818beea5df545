"""What is the screen told once, at its start, and what may it ask of the supervisor beside it?"""

from collections.abc import Mapping
from datetime import datetime
from enum import IntEnum
from pathlib import Path
from typing import Protocol

from msgspec import Struct, field

from focusflow.domain.budgets import Budgets
from focusflow.ports import Clock
from focusflow.tui.actions import key_of


class Facts(Struct, frozen=True, kw_only=True):
    """What does not change while the screen is open."""

    version: str
    database: str
    """The database's name for people: `focusflow.db`, `focusflow on db1`."""
    clock: Clock
    budgets: Budgets
    """As configured; `budgets.zone` is the zone in which people read times."""
    concurrency: int
    """Parallel calls as configured; what people set since is in the store."""
    instance: str
    """This instance's own name: `server7`."""
    origin: str
    """What is written beside an override that is made here: `server7 screen`."""
    folder: Path
    """Where "save to file" writes."""
    services: tuple[str, ...] = ()
    """Names of the configured providers, in the order of the work: `drive`, `assemblyai`, `openai`, `notion`."""
    monitor: bool = False
    """This one only shows the database, on which others work, and asks for things."""
    worker: str | None = None
    """The name of that instance."""
    read_only: bool = False
    """Nothing can be asked for: the database cannot be written, or `--read-only` was said."""
    first_start: tuple[str, ...] = ()
    """Lines that say what to configure before the work can be done here; empty: everything is."""
    automatic: bool = True
    """Calls are done by themselves (`auto.enabled`); else only those that somebody asks for."""
    demo: bool = False
    """The services are emulated: nothing leaves this machine and nothing costs."""
    keys: Mapping[str, str] = field(default_factory=dict)
    """The user's own keys: `{"pause": "f5,p"}`; names are the ids in `tui.actions`."""
    theme: str | None = None
    """As configured; None: the screen chooses by the two below."""
    few_colours: bool = False
    """The terminal has only the 16 colours of its own, for all that is known."""
    no_colour: bool = False
    """No colour is wanted."""
    ascii: bool = False
    """The terminal draws no symbols outside ASCII."""
    mouse: bool = False
    log_level: str = "info"

    def key(self, action: str) -> str:
        """Return the key for an action of the registry, as people write it."""
        return key_of(action, self.keys)

    def not_set_up(self, worker: str | None) -> bool:
        """Say whether this is no more than a first start: nothing is configured, and no *worker* is looked at either."""
        return bool(self.first_start) and not self.monitor and worker is None


NOT_SET_UP = "Nothing is set up yet: `focusflow init` writes a configuration."
READ_ONLY = "This database can only be read: nothing can be asked for here."


class Role(Struct, frozen=True, kw_only=True):
    """What this screen is beside others on the same database; it may change while it is open."""

    engine: "Engine | None" = None
    """The work behind the screen; None: it only looks."""
    worker: str | None = None
    """Who works on the database instead; None: nobody."""
    read_only: str | None = None
    """Why nothing can be asked for, and what to do; None: everything can."""
    said: str = ""
    """A sentence about the change."""


class Leaving(IntEnum):
    """How a person left the screen: what the app returns."""

    QUIT = 0
    """Bring everything to rest, and end."""
    HEADLESS = 1
    """Go on working without a screen."""


class Engine(Protocol):
    """The supervisor that the screen hosts. Every call returns at once; what follows is told by the bus and the store."""

    @property
    def draining(self) -> bool:
        """It starts nothing new, because it is about to stop."""

    @property
    def in_flight(self) -> int:
        """How many calls it works on now."""

    def stop_claiming(self) -> None:
        """Begin to stop: nothing new is started, what runs is finished."""

    def hand_back(self) -> None:
        """Stop what runs and put it back in the queue; what is paid for stays. It does not stop by that."""

    def next_turns(self) -> Mapping[str, datetime]:
        """Return when the loops look next, by name: `discovery`, `processor`."""

    def set_log_level(self, level: str) -> None:
        """Write lines from `debug`, `info`, `warning` or `error` on to the log file."""
