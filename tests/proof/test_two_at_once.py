"""Do two processes on one database, and one that was frozen and wakes up late, keep out of each other's way?"""

import os
import shutil
import signal
import sys
from pathlib import Path
from typing import Any

import anyio
import pytest

THREE_CALLS = ("Carmen Ruiz", "Jürgen Weber", "Jonas Lindqvist")
FROZEN_SECONDS = 2.5
"""More than twice the lease."""


async def test_two_processes_share_the_work(make_world: Any, tmp_path: Path) -> None:
    """Each call is done by one of them."""
    async with make_world(tmp_path, *THREE_CALLS) as world:
        assert await world.run() == 0  # a database that is there: both find the same calls in it
        world.add("Linden Road Clinic", "Tomasz Kowal")
        async with world.running() as one, world.running() as other:
            with anyio.fail_after(50):
                codes = [await one.wait(), await other.wait()]
        await world.come_to_rest()

        assert codes == [0, 0], world.said()
        assert world.violations() == [], world.said()


@pytest.mark.parametrize("freeze_at", [12, 20, 28])
async def test_a_worker_that_was_frozen_does_not_write_over_the_new_owner(
    freeze_at: int, make_world: Any, tmp_path: Path
) -> None:
    """It wakes up when another has long taken its calls over, and finds that they are not its own any more."""
    async with make_world(tmp_path, *THREE_CALLS) as world, world.running() as frozen:
        with anyio.fail_after(30):
            await world.wire.until_heard(freeze_at)
        frozen.send_signal(signal.SIGSTOP)
        while world.locked():  # in the midst of a write: then everybody waits for it, which is not what is tried here
            frozen.send_signal(signal.SIGCONT)
            await anyio.sleep(0.005)
            frozen.send_signal(signal.SIGSTOP)
        with anyio.move_on_after(FROZEN_SECONDS):
            await frozen.wait()
        assert await world.run() == 0  # takes its calls over; a page that it may be making is left to it, as in life
        frozen.send_signal(signal.SIGCONT)
        with anyio.fail_after(30):
            code = await frozen.wait()
        await world.come_to_rest()

        assert code == 0, world.said()
        assert world.violations() == [], world.said()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP, signal.SIGINT])
async def test_a_signal_hands_everything_back(number: signal.Signals, make_world: Any, tmp_path: Path) -> None:
    """A stopped service, a lost SSH session and Ctrl-C leave no lease, no audio and nothing to rescue."""
    async with make_world(tmp_path, *THREE_CALLS) as world:
        async with world.running() as process:
            with anyio.fail_after(30):
                await world.wire.until_heard(18)
            process.send_signal(number)
            with anyio.fail_after(30):
                await process.wait()
        handed_back = world.rows("SELECT id FROM jobs WHERE lease_until IS NOT NULL")
        await world.come_to_rest()

        assert handed_back == []
        assert world.rows("SELECT MAX(rescue_count) FROM jobs") == [(0,)]
        assert world.violations() == [], world.said()


def is_there(pid: int) -> bool:
    """Say whether a process has not ended yet."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


@pytest.mark.skipif(shutil.which("tmux") is None, reason="tmux is not installed")
async def test_a_closed_tmux_pane_hands_everything_back(make_world: Any, tmp_path: Path) -> None:
    """The screen at work in a pane that is killed: the process ends, nothing is held, and the next start goes on."""
    tmux = ["tmux", "-L", f"focusflow-{os.getpid()}-{tmp_path.name}", "-f", "/dev/null"]
    size = ["-x", "80", "-y", "24"]
    async with make_world(tmp_path, *THREE_CALLS) as world:
        environ = world.environ(TERM="xterm-256color", LANG="C.UTF-8")
        screen = [sys.executable, "-m", "focusflow"]
        # another session keeps tmux itself there, which has to see to the end of its child
        await anyio.run_process([*tmux, "new-session", "-d", "-s", "other", "cat"], env=environ)
        try:
            await anyio.run_process([*tmux, "new-session", "-d", "-s", "calls", *size, *screen], env=environ)
            shown = await anyio.run_process([*tmux, "display-message", "-p", "-t", "calls", "#{pane_pid}"])
            with anyio.fail_after(30):
                await world.wire.until_heard(18)
            await anyio.run_process([*tmux, "kill-pane", "-t", "calls"])
            with anyio.fail_after(30):
                while is_there(int(shown.stdout)):  # noqa: ASYNC110  # another process
                    await anyio.sleep(0.05)
        finally:
            await anyio.run_process([*tmux, "kill-server"], check=False)
        held = world.rows("SELECT id FROM jobs WHERE lease_until IS NOT NULL") + world.rows("SELECT * FROM instances")
        await world.come_to_rest()

        assert held == []
        assert world.rows("SELECT MAX(rescue_count) FROM jobs") == [(0,)]
        assert world.violations() == [], world.said()


async def test_a_torn_write_ahead_log_is_read_up_to_its_last_whole_commit(make_world: Any, tmp_path: Path) -> None:
    """Power that fails in the middle of a write leaves half a frame behind."""
    async with make_world(tmp_path, *THREE_CALLS) as world:
        await world.run_killed_at_request(20, when_answered=False)
        log = anyio.Path(tmp_path / "focusflow.db-wal")
        assert await log.exists()
        await log.write_bytes(await log.read_bytes() + b"\x00\x00\x00\x07half a frame" * 97)
        await world.come_to_rest()

        assert world.violations() == [], world.said()
