"""What goes wrong, where, and how often? A plan of faults that the sandbox applies to the requests it receives."""

import json
import random
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Self

import msgspec
from msgspec import Struct

TRANSPORT_KINDS: Final = frozenset(
    {"status", "reset_before", "reset_after", "truncate", "stall", "dribble", "bad_json", "html", "eof"}
)
"""Faults any service can have. Every other kind is a named one, which only its service knows how to act out."""


class Fault(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One thing that goes wrong with the requests it matches.

    - `status`: the service refuses with `status` in its own words; the handler does not run.
    - `reset_before`: the connection is reset and nothing happens (after `bytes` of a streamed upload, if given).
    - `reset_after`: the handler runs, its answer is lost in a reset.
    - `truncate`: the answer stops after `bytes` of body and the connection closes.
    - `stall`: the handler runs, its answer stops after `bytes` of body for `seconds` (None: until the client leaves).
    - `dribble`: the answer comes in pieces of `bytes` (default 1024), `seconds` (default 0.05) apart.
    - `bad_json`: the handler runs, its answer is cut to invalid JSON of a consistent length.
    - `html`: a proxy's page instead of the service, with `status` (default 200).
    - `eof`: a chunked answer (an event stream) ends cleanly after `bytes` of body.
    - anything else is a named fault that the service asks for: see `FaultPlan.take_named`.
    """

    service: str
    """`drive`, `assemblyai`, `openai`, `notion`, or `*`."""
    kind: str
    method: str = "*"
    path: str = ""
    """A regular expression, searched for in the path below the service's prefix."""
    times: int | None = 1
    """How many requests it hits; None is for ever."""
    skip: int = 0
    """How many matching requests pass unharmed first."""
    chance: float = 1.0
    """How likely a matching request is hit, drawn from the plan's seed."""
    status: int | None = None
    retry_after: float | None = None
    seconds: float | None = None
    bytes: int = 0

    def __post_init__(self) -> None:
        if self.kind == "status" and self.status is None:
            raise ValueError("a fault of kind 'status' needs a status")
        if self.times is not None and self.times < 1:
            raise ValueError("times must be at least 1, or null for ever")
        if min(self.skip, self.bytes, self.seconds or 0) < 0:
            raise ValueError("skip, bytes and seconds can't be negative")
        re.compile(self.path)

    def concerns(self, service: str, method: str, path: str) -> bool:
        """Whether a request to *path* (below the prefix) is one this fault is about."""
        return (
            self.service in ("*", service)
            and (method == "*" or self.method.upper() in ("*", method.upper()))
            and re.search(self.path, path) is not None
        )


@dataclass(slots=True)
class _Armed:
    fault: Fault
    passed: int = 0
    hits: int = 0

    def spent(self) -> bool:
        return self.fault.times is not None and self.hits >= self.fault.times


class FaultPlan:
    """The faults still to come, in order: the first that fits a request hits it."""

    def __init__(self, faults: Iterable[Fault] = (), *, seed: int = 0) -> None:
        self.seed = seed
        self._random = random.Random(seed)
        self._armed = [_Armed(fault) for fault in faults]

    def add(self, *faults: Fault) -> None:
        """Arm more faults, after those already planned."""
        self._armed.extend(_Armed(fault) for fault in faults)

    def clear(self) -> None:
        """Disarm everything: from now on the services behave."""
        self._armed.clear()

    def take(self, service: str, method: str, path: str) -> Fault | None:
        """The transport fault that hits this request, used up by the asking; None leaves it alone."""
        return self._draw(lambda fault: fault.kind in TRANSPORT_KINDS and fault.concerns(service, method, path))

    def take_named(self, service: str, name: str, *, method: str = "*", path: str = "") -> Fault | None:
        """The fault called *name* that *service* should act out now, used up by the asking; None: behave.

        A fault that names a path only fits where the service says its *path*.
        """
        return self._draw(lambda fault: fault.kind == name and fault.concerns(service, method, path))

    @property
    def faults(self) -> list[Fault]:
        """Everything armed, spent or not, in order."""
        return [armed.fault for armed in self._armed]

    @property
    def pending(self) -> list[Fault]:
        """The faults that have hits left; a test that planned them all away expects none."""
        return [armed.fault for armed in self._armed if not armed.spent()]

    def to_json(self) -> str:
        """The plan as a file's text: only what differs from the defaults, counters not included."""
        return json.dumps({"seed": self.seed, "faults": msgspec.to_builtins(self.faults)}, indent=2)

    @classmethod
    def from_json(cls, text: str) -> Self:
        """The plan in *text*: `{"seed": 0, "faults": [...]}` or just the list. Raise ValueError naming what is wrong."""
        match json.loads(text):
            case list(faults):
                seed = 0
            case {"faults": list(faults), "seed": int(seed), **others} if not others:
                pass
            case {"faults": list(faults), **others} if not others:
                seed = 0
            case _:
                raise ValueError('a fault plan is a list of faults, or {"seed": 0, "faults": [...]}')
        return cls([_parsed(fault) for fault in faults], seed=seed)

    @classmethod
    def load(cls, file: Path) -> Self:
        """The plan in *file*; raise ValueError naming what is wrong, OSError if it can't be read."""
        return cls.from_json(file.read_text(encoding="utf-8"))

    def save(self, file: Path) -> None:
        """Write the plan, as `load` reads it."""
        file.write_text(self.to_json() + "\n", encoding="utf-8")

    def _draw(self, fits: Callable[[Fault], bool]) -> Fault | None:
        for armed in self._armed:
            if armed.spent() or not fits(armed.fault):
                continue
            if armed.passed < armed.fault.skip:
                armed.passed += 1
            elif armed.fault.chance >= 1 or self._random.random() < armed.fault.chance:
                armed.hits += 1
                return armed.fault
        return None


def _parsed(document: object) -> Fault:
    if isinstance(document, dict) and {"service", "kind"} <= document.keys():
        names = set(Fault.__struct_fields__)
        if unknown := document.keys() - names:
            raise ValueError(f"a fault has no {', '.join(sorted(unknown))}; it has {', '.join(sorted(names))}")
        return Fault(**document)
    raise ValueError(f"a fault is an object with at least a service and a kind, not {document!r}")
