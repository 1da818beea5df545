"""Does a copied text say which way it went, and how much of it?"""

import base64
from pathlib import Path
from typing import Any

import pytest

from focusflow.tui.clipboard import OSC52_BYTES, copy
from focusflow.tui.terminal import GoodManners


async def copied(text: str, monkeypatch: pytest.MonkeyPatch, *, in_tmux: bool = False) -> tuple[str, str]:
    """Copy in an app whose terminal only remembers; return the sentence and what was sent."""
    app, sent = GoodManners(), list[str]()
    app.in_tmux = in_tmux
    async with app.run_test():
        driver: Any = app._driver
        monkeypatch.setattr(driver, "write", sent.append)
        said = await copy(text, app)
        monkeypatch.undo()
    return said, "".join(part for part in sent if "]52;" in part)


def tmux(folder: Path, script: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Put a tmux of our own on the path."""
    program = folder / "tmux"
    program.write_text(f"#!/bin/sh\n{script}\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(folder), prepend=":")


async def test_without_tmux_it_goes_through_the_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    """OSC 52, whole, cleaned of what a terminal would obey."""
    said, sent = await copied("one\ntwo\x1b[31m", monkeypatch)

    assert said == "Copied 12 characters in 2 lines through the terminal (OSC 52)."
    payload = base64.b64encode("one\ntwo␛[31m".encode()).decode()
    assert sent == f"\x1b]52;c;{payload}\x07"


async def test_what_no_terminal_takes_is_cut_and_said(monkeypatch: pytest.MonkeyPatch) -> None:
    """A whole transcript of hours; the cut is never inside a letter."""
    said, sent = await copied("ж" * 100_000, monkeypatch)

    payload = sent.removeprefix("\x1b]52;c;").removesuffix("\x07")
    assert len(payload) <= OSC52_BYTES
    assert set(base64.b64decode(payload).decode()) == {"ж"}
    assert said.startswith("Copied only the first 28,122 characters")


async def test_in_tmux_it_is_tmux_that_passes_it_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With its default settings, which drop OSC 52."""
    tmux(tmp_path, f'echo "$@" > {tmp_path}/asked; cat > {tmp_path}/taken', monkeypatch)

    said, sent = await copied("a name", monkeypatch, in_tmux=True)

    assert (said, sent) == ("Copied 6 characters through tmux.", "")
    assert (tmp_path / "asked").read_text() == "load-buffer -w -\n"
    assert (tmp_path / "taken").read_text() == "a name"


async def test_a_tmux_that_refuses_is_passed_by(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Wrapped for it, and it is said that it may keep it."""
    tmux(tmp_path, "exit 1", monkeypatch)

    said, sent = await copied("a name", monkeypatch, in_tmux=True)

    assert "past tmux, which may keep it" in said
    assert sent.startswith("\x1bPtmux;\x1b\x1b]52;c;")


async def test_nothing_is_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """No empty clipboard."""
    assert await copied("", monkeypatch) == ("There is nothing to copy.", "")
