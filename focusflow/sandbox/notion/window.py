"""Has this token spent its requests? Notion's fixed windows, one for each token."""

import math
from dataclasses import dataclass, field

from focusflow.sandbox.service import UnixClock


@dataclass(slots=True)
class _Window:
    started_at: float
    spent: int = 0


@dataclass(slots=True, kw_only=True)
class RateWindows:
    """So many requests in so many seconds; a window opens with the first request after the last one ended."""

    clock: UnixClock
    limit: int = 180
    seconds: float = 60.0
    _windows: dict[str, _Window] = field(default_factory=dict)

    def spend(self, token: str) -> int | None:
        """Count one request of *token*: None if it fits, else the whole seconds (at least 1) to the window's end."""
        now = self.clock()
        window = self._windows.get(token)
        if window is None or not window.started_at <= now < window.started_at + self.seconds:
            window = self._windows[token] = _Window(now)
        if window.spent >= self.limit:
            return max(1, math.ceil(window.started_at + self.seconds - now))
        window.spent += 1
        return None
