"""How does a text reach the clipboard of the person who sits at the other end of SSH and tmux?"""

import base64
import logging
from typing import Any

import anyio
from textual.app import App

from focusflow.tui.plain import plain
from focusflow.tui.terminal import GoodManners

_log = logging.getLogger(__name__)

OSC52_BYTES = 74_994
"""What terminals take at most, in base64."""

DEADLINE_SECONDS = 2.0


async def copy(text: str, app: App[Any]) -> str:
    """Copy *text* and return a sentence that says how much went which way. Never raises."""
    in_tmux = isinstance(app, GoodManners) and app.in_tmux
    text = plain(text, lines=True)
    if not text:
        return "There is nothing to copy."
    if in_tmux and await _through_tmux(text):
        return f"Copied {_much(text)} through tmux."
    sent, whole = _fitting(text)
    if app._driver is None:
        return "Nothing is copied: there is no terminal."
    app._driver.write(_osc52(sent, in_tmux=in_tmux))
    if not whole:
        return f"Copied only the first {_much(sent)}: terminals take no more. Save it to a file instead."
    if in_tmux:
        return f"Sent {_much(sent)} past tmux, which may keep it: `set -g set-clipboard on` in tmux lets it through."
    return f"Copied {_much(sent)} through the terminal (OSC 52)."


async def _through_tmux(text: str) -> bool:
    """Give it to tmux, which passes it on to the outer terminal even with its default settings."""
    try:
        with anyio.fail_after(DEADLINE_SECONDS):
            done = await anyio.run_process(["tmux", "load-buffer", "-w", "-"], input=text.encode(), check=False)
    except (OSError, TimeoutError, anyio.BrokenResourceError, ExceptionGroup) as exc:
        # it is not there, says nothing, or has ended without reading: the other way is tried
        _log.debug("tmux takes no text", exc_info=exc)
        return False
    return done.returncode == 0


def _fitting(text: str) -> tuple[str, bool]:
    """Return as much of *text* as may be sent, and whether that is all."""
    encoded = text.encode()
    most = OSC52_BYTES // 4 * 3
    if len(encoded) <= most:
        return text, True
    return encoded[:most].decode(errors="ignore"), False


def _osc52(text: str, *, in_tmux: bool) -> str:
    sequence = f"\x1b]52;c;{base64.b64encode(text.encode()).decode()}\x07"
    if in_tmux:  # tmux takes the wrapping off and hands the rest to the terminal outside
        return "\x1bPtmux;" + sequence.replace("\x1b", "\x1b\x1b") + "\x1b\\"
    return sequence


def _much(text: str) -> str:
    lines = text.rstrip("\n").count("\n") + 1
    size = f"{len(text):,} characters"
    return f"{size} in {lines:,} lines" if lines > 1 else size
