"""What did the services hear, and what did they answer? The evidence that tests and the bench read."""

import json
import re
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field

BODY_LIMIT = 64 * 1024


@dataclass(slots=True, kw_only=True)
class LoggedRequest:
    """One request as it came in, and what became of it."""

    service: str
    """The service's name; empty for a path that belongs to none."""
    method: str
    path: str
    """Below the service's prefix."""
    query: dict[str, str]
    headers: dict[str, str]
    """Names in lower case."""
    body: bytes
    """At most the first 64 KiB of a JSON or form body; a streamed upload is not kept."""
    at: float
    """UTC seconds since 1970 when it came in."""
    status: int | None = None
    """None until it is answered, and for ever if the answer never left."""
    fault: str | None = None
    """The kind of the transport fault that hit it."""

    def json(self) -> object:
        """The body, parsed; raise ValueError if it is not JSON (or was longer than the log keeps)."""
        return json.loads(self.body)


@dataclass(slots=True)
class RequestLog:
    """The latest requests, oldest first, bounded in number and in bytes so that it can stay on for weeks."""

    max_entries: int = 10_000
    max_bytes: int = 32 * 1024 * 1024
    total: int = 0
    """Requests ever recorded, kept or not."""
    _entries: deque[LoggedRequest] = field(default_factory=deque)
    _bytes: int = 0

    def record(self, entry: LoggedRequest) -> None:
        """Keep *entry*, forgetting the oldest ones beyond the bounds."""
        entry.body = entry.body[:BODY_LIMIT]
        self._entries.append(entry)
        self._bytes += len(entry.body)
        self.total += 1
        while len(self._entries) > self.max_entries or self._bytes > self.max_bytes:
            self._bytes -= len(self._entries.popleft().body)

    def answered(self, entry: LoggedRequest, status: int) -> None:
        """Note what *entry* is answered with; its effects are there, and nothing of the answer may have left yet."""
        entry.status = status

    def requests(self, service: str = "*", method: str = "*", path: str = "") -> list[LoggedRequest]:
        """Those of *service* with *method* whose path below the prefix matches the regular expression *path*."""
        return [
            entry
            for entry in self._entries
            if service in ("*", entry.service) and method in ("*", entry.method) and re.search(path, entry.path)
        ]

    def count(self, service: str = "*", method: str = "*", path: str = "") -> int:
        """How many `requests` there are."""
        return len(self.requests(service, method, path))

    def clear(self) -> None:
        """Forget what was heard so far."""
        self._entries.clear()
        self._bytes = 0

    def __iter__(self) -> Iterator[LoggedRequest]:
        return iter(list(self._entries))

    def __len__(self) -> int:
        return len(self._entries)
