"""The panes of a call alone on a screen, above the desk in memory."""

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path, PurePath
from typing import Any, ClassVar

import pytest
from textual.app import App, ComposeResult
from textual.pilot import Pilot

import focusflow.tui
from focusflow.domain.jobs import JobId, Status
from focusflow.events import Bus, Subscription
from focusflow.ports import Desk
from focusflow.tui.detail import Detail
from focusflow.tui.facts import Facts

_STYLES = Path(focusflow.tui.__file__).parent


class Frame(App[None]):
    """As little as there can be around the panes."""

    CSS_PATH: ClassVar[list[str | PurePath]] = [_STYLES / "focusflow.tcss", _STYLES / "detail.tcss"]
    ENABLE_COMMAND_PALETTE = False

    def __init__(self, desk: Desk, facts: Facts, events: Subscription) -> None:
        super().__init__()
        self.detail = Detail(desk, facts)
        self.events = events
        self.said: list[str] = []

    def compose(self) -> ComposeResult:
        yield self.detail

    def on_mount(self) -> None:
        self.detail.focus()

    def on_detail_answered(self, message: Detail.Answered) -> None:
        self.said.append(message.sentence)

    async def catch_up(self, pilot: Pilot[Any]) -> None:
        """Let the panes hear what happened, and wait until they show it."""
        self.detail.heard(*self.events.drain())
        await pilot.pause(0.25)
        await pilot.pause()

    def screen_text(self) -> str:
        """Return what is to be read, row by row."""
        width, height = self.size
        rows = self.screen._compositor.render_strips()
        assert len(rows) == height
        return "\n".join("".join(segment.text for segment in row).rstrip()[:width] for row in rows)


Shown = Callable[..., AbstractAsyncContextManager[Pilot[None]]]


@pytest.fixture
def shown(desk: Any, bus: Bus, facts: Facts) -> Shown:
    """Show a call as `async with shown(job_id, size=(80, 24), keys="2") as pilot`."""

    @asynccontextmanager
    async def show(
        job_id: JobId | None, *, size: tuple[int, int] = (80, 24), facts: Facts = facts, keys: str = ""
    ) -> AsyncIterator[Pilot[None]]:
        with bus.subscribe() as events:
            app = Frame(desk, facts, events)
            async with app.run_test(size=size) as pilot:
                await app.detail.show(job_id)
                await pilot.pause()
                await pilot.press(*keys)
                await pilot.pause()
                yield pilot

    return show


@pytest.fixture
def a_call(desk: Any) -> Callable[[Status], JobId]:
    """Return the first call of a status."""

    def find(status: Status) -> JobId:
        return JobId(next(row.job.id for row in desk.calls.values() if row.job.status is status))

    return find
