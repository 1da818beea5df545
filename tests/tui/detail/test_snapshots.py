"""Do the panes look as they did when somebody last looked at them?"""

from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from typing import Any

import pytest
from textual.pilot import Pilot

from focusflow.domain.jobs import JobId, Status

Shown = Callable[..., AbstractAsyncContextManager[Pilot[Any]]]

SIZES = [(80, 24), (120, 40), (200, 50), (40, 12)]


@pytest.mark.parametrize("size", SIZES, ids=lambda size: f"{size[0]}x{size[1]}")
@pytest.mark.parametrize("status", [Status.COMPLETED, Status.FAILED], ids=str)
async def test_the_panes_look_as_before(
    shown: Shown, a_call: Callable[[Status], JobId], size: tuple[int, int], status: Status, snapshot: Any
) -> None:
    """All five panes as text, of a call that is done and of one that failed."""
    screens = []
    async with shown(a_call(status), size=size) as pilot:
        app: Any = pilot.app
        for key in "12345":
            await pilot.press(key)
            await pilot.pause()
            screens.append(app.screen_text())
    assert "\n=====\n".join(screens) == snapshot
