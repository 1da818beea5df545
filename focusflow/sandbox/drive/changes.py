"""What changed since a token? The account's feed: chronological, one latest entry for each file."""

from bisect import bisect_left
from collections.abc import Callable

from msgspec import Struct


class ChangeEntry(Struct, frozen=True):
    """The latest change of one file."""

    number: int
    file_id: str
    at: float
    drive_id: str | None
    """The shared drive it is in; known even after the file is gone."""


class ChangePage(Struct, frozen=True):
    """Some entries, and the token for what comes next."""

    entries: list[ChangeEntry]
    next_page_token: str | None
    new_start_page_token: str | None
    """Exactly one of the two tokens is there."""


class StaleToken(Exception):
    """The token was never given out, or has been expired."""


class ChangeFeed:
    """Numbers every change; a token is the number of the first change its holder has not seen."""

    def __init__(self, first: int = 101) -> None:
        self._next = first
        self._oldest_token = first
        self._entries: list[ChangeEntry] = []
        self._latest: dict[str, int] = {}

    def record(self, file_id: str, at: float, drive_id: str | None) -> None:
        """File *file_id* changed; an earlier entry for it disappears from the feed."""
        self._entries.append(ChangeEntry(self._next, file_id, at, drive_id))
        self._latest[file_id] = self._next
        self._next += 1
        if len(self._entries) > 2 * len(self._latest) + 1000:
            self._entries = [entry for entry in self._entries if self._is_latest(entry)]

    def start_token(self, before: float) -> str:
        """The token from which changes later than *before* will be seen."""
        return str(max(self._first_after(before), self._oldest_token))

    def expire_tokens(self) -> None:
        """Make every token given out so far invalid."""
        self._next += 1
        self._oldest_token = self._next

    def page(self, token: str, size: int, before: float, wanted: Callable[[ChangeEntry], bool]) -> ChangePage:
        """At most *size* wanted entries up to the time *before*; raise StaleToken for a token that is not ours."""
        position, end = self._position(token), self._first_after(before)
        found: list[ChangeEntry] = []
        for entry in self._entries[position:]:
            if entry.number >= end:
                break
            if not self._is_latest(entry) or not wanted(entry):
                continue
            if len(found) == size:
                return ChangePage(found, str(entry.number), None)
            found.append(entry)
        return ChangePage(found, None, str(max(end, int(token))))

    def _position(self, token: str) -> int:
        if not token.isascii() or not token.isdigit() or not self._oldest_token <= int(token) <= self._next:
            raise StaleToken(token)
        return bisect_left(self._entries, int(token), key=lambda entry: entry.number)

    def _first_after(self, before: float) -> int:
        # entries are in the order of time, so the first one after *before* is found by bisection too
        position = bisect_left(self._entries, True, key=lambda entry: entry.at > before)
        return self._entries[position].number if position < len(self._entries) else self._next

    def _is_latest(self, entry: ChangeEntry) -> bool:
        return self._latest[entry.file_id] == entry.number
