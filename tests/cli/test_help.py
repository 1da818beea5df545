"""Does the help of every command say what it said when somebody last read it?

Changed on purpose? `FOCUSFLOW_WRITE_HELP=1 pytest tests/cli/test_help.py` writes the golden file anew; read its diff.
"""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import typer.main

from focusflow.cli import main
from focusflow.cli.app import app

if TYPE_CHECKING:
    from collections.abc import Iterator

GOLDEN = Path(__file__).parent / "help.txt"
WRITE = bool(os.environ.get("FOCUSFLOW_WRITE_HELP"))


def commands(group: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    yield path
    for name, command in getattr(group, "commands", {}).items():
        yield from commands(command, (*path, name))


def test_every_help_is_as_it_was(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """Eighty columns wide; the exit code is 0 and stderr is silent."""
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.setenv("TERMINAL_WIDTH", "80")
    texts = []
    for path in commands(typer.main.get_command(app)):
        with pytest.raises(SystemExit, match="0"):
            main([*path, "--help"])
        out, err = capsys.readouterr()
        assert err == ""
        assert max(map(len, out.splitlines())) <= 80
        assert "...\n" not in out.partition("Commands:")[2], "a summary is cut: shorten its first sentence"
        texts.append(f"$ {' '.join(['focusflow', *path])} --help\n{out}")
    shown = "\n".join(texts)

    if WRITE:
        GOLDEN.write_text(shown, encoding="utf-8")
    assert words(shown) == words(GOLDEN.read_text(encoding="utf-8"))


def words(text: str) -> list[str]:
    """Return what is said, without the types that typer adds in its own way from version to version."""
    return re.sub(r"<[^<>=]+>", "", text).split()
