"""How does what was paid for get into the store when it cannot be written just now?"""

import logging
from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import TypeVar

from focusflow.errors import DiskFull, StoreBusy
from focusflow.ports import Clock

T = TypeVar("T")

_log = logging.getLogger(__name__)

FIRST_PAUSE = 0.5
LONGEST_PAUSE = 30.0
PATIENCE = 15 * 60.0
"""Seconds until a store that stays full or busy is somebody else's business; the step's own deadline may be sooner."""


async def insist(clock: Clock, write: Callable[[], Awaitable[T]]) -> T:
    """Repeat *write* with growing pauses while the store is busy or its disk full, for `PATIENCE` at most; return what it does.

    Writing twice must be as good as writing once. Raises what the last try raised.
    """
    give_up_at = clock.now() + timedelta(seconds=PATIENCE)
    pause = FIRST_PAUSE
    while True:
        try:
            return await write()
        except (StoreBusy, DiskFull) as exc:
            if clock.now() + timedelta(seconds=pause) > give_up_at:
                raise
            _log.warning(f"A result is kept until it can be stored: {exc}", extra={"seconds": pause})
        await clock.sleep(pause)
        pause = min(2 * pause, LONGEST_PAUSE)
