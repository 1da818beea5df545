"""What is an emulated service? Routes, a clock, and the money it would have charged."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import ClassVar

from aiohttp import web
from msgspec import Struct

UnixClock = Callable[[], float]
"""Returns UTC seconds since 1970. Injected, so that a test decides when a transcription is done."""


class BillLine(Struct, frozen=True, kw_only=True):
    """One thing the service would have charged for; the sandbox's bill is the truth a ledger is compared with."""

    service: str
    kind: str
    """What was sold: `transcription`, `completion`."""
    reference: str
    """The service's own id of what was sold."""
    model: str
    quantity: dict[str, int]
    """What was used, in the service's units: `audio_seconds`, `input_tokens`, `output_tokens`, ..."""
    at: float


@dataclass(slots=True)
class Bill:
    """Everything the emulated services charged, in order."""

    lines: list[BillLine] = field(default_factory=list)

    def add(self, line: BillLine) -> None:
        self.lines.append(line)

    def of(self, service: str) -> list[BillLine]:
        return [line for line in self.lines if line.service == service]


class Service(ABC):
    """One emulated service: its own state, its own routes, mounted by the server under `prefix`."""

    name: ClassVar[str]
    """`drive`, `assemblyai`, `openai` or `notion`."""
    prefix: ClassVar[str]
    """Where the server mounts it, for example `/notion`; routes are relative to it."""

    def __init__(self, *, clock: UnixClock, bill: Bill) -> None:
        self.clock = clock
        self.bill = bill
        self.root_url = ""
        """`http://127.0.0.1:PORT` once the server runs, without the prefix."""

    @abstractmethod
    def routes(self) -> Iterable[web.RouteDef]:
        """The service's endpoints, with paths relative to `prefix`."""

    @abstractmethod
    def fault_response(self, status: int, retry_after: float | None) -> web.Response:
        """The body this service sends with an injected *status*, exactly as the real one words it."""
