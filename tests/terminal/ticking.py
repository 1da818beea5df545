"""A small app with the product's manners, for the tests of the terminal: run as a program, never imported."""

import asyncio
import sys
import time
from typing import ClassVar

import anyio
from textual.app import ComposeResult
from textual.widgets import Static

from focusflow.tui.terminal import GoodManners

SECRET = "sk-secret-in-a-local"


class Ticking(GoodManners):
    """Repaints all of itself ten times a second, beside work that counts its own turns."""

    BINDINGS: ClassVar = [("g", "gap"), ("p", "pager"), ("b", "bug"), ("w", "work_bug"), ("q", "quit")]

    turns = 0
    longest_gap = 0.0
    frames = 0

    def compose(self) -> ComposeResult:
        yield Static("", id="told")
        yield Static("", id="ticks")

    def on_mount(self) -> None:
        self.set_interval(0.1, self.repaint)

    def repaint(self) -> None:
        self.frames += 1
        self.query_one("#ticks", Static).update(
            "\n".join(f"frame {self.frames} " + chr(65 + (self.frames + row) % 26) * 60 for row in range(20))
        )

    def action_gap(self) -> None:
        self.query_one("#told", Static).update(f"turns {self.turns} longest gap {self.longest_gap:.3f} end")

    async def action_pager(self) -> None:
        before = self.turns
        code = await self.lend_terminal(["sh", "-c", "echo in the pager; read answer; exit 7"])
        self.query_one("#told", Static).update(f"pager {code} turns meanwhile {self.turns - before} end")

    def action_bug(self) -> None:
        api_key = SECRET
        raise RuntimeError(f"a bug beside {len(api_key)} characters")

    def action_work_bug(self) -> None:
        async def work() -> None:
            api_key = SECRET
            raise KeyError(len(api_key))

        self.run_worker(work())


async def count(app: Ticking) -> None:
    last = time.monotonic()
    while True:
        await asyncio.sleep(0.01)
        now = time.monotonic()
        app.longest_gap = max(app.longest_gap, now - last)
        app.turns, last = app.turns + 1, now


async def main() -> None:
    app = Ticking()
    async with anyio.create_task_group() as group:
        group.start_soon(count, app)
        await app.run_async(mouse=False)
        group.cancel_scope.cancel()
    if app.mistake is not None:
        sys.stderr.write(f"ended by {type(app.mistake).__name__}\n")
    sys.exit(app.return_code)


anyio.run(main)
