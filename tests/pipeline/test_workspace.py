"""Is audio kept private, and gone when its job is over?"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from focusflow.domain.jobs import JobId
from focusflow.pipeline.workspace import Workspace

if TYPE_CHECKING:
    from pathlib import Path

JOB = JobId("job")


def mode(path: Path) -> int:
    return path.stat().st_mode & 0o777


def left_in(path: Path) -> list[str]:
    return [entry.name for entry in path.iterdir()]


async def test_a_place_is_private_and_gone_afterwards(tmp_path: Path) -> None:
    """Nobody else on the machine can look into it, from its parent on."""
    workspace = Workspace(tmp_path / "new" / "audio")
    async with workspace.place(JOB) as place:
        (place / "audio.m4a").write_bytes(b"a call")
        assert (mode(place), mode(place.parent)) == (0o700, 0o700)
    assert left_in(workspace.root) == []


async def test_a_place_that_was_there_already_is_made_private(tmp_path: Path) -> None:
    """Whatever made it, and however open."""
    workspace = Workspace(tmp_path)
    (tmp_path / JOB).mkdir(mode=0o755)
    async with workspace.place(JOB) as place:
        assert mode(place) == 0o700


async def test_a_place_is_gone_after_an_error(tmp_path: Path) -> None:
    """The error goes on, the audio does not stay."""
    workspace = Workspace(tmp_path)

    async def fail() -> None:
        async with workspace.place(JOB) as place:
            (place / "audio.m4a").write_bytes(b"a call")
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await fail()
    assert left_in(tmp_path) == []


async def test_a_place_that_somebody_removed_is_no_error(tmp_path: Path) -> None:
    """It should be gone, and it is."""
    workspace = Workspace(tmp_path)
    async with workspace.place(JOB) as place:
        place.rmdir()
    assert not place.exists()


async def test_what_an_earlier_run_left_behind_is_swept_away(tmp_path: Path) -> None:
    """Directories, stray files and links alike; what a link points to stays."""
    outside = tmp_path / "mine.txt"
    outside.write_text("not ours")
    workspace = Workspace(tmp_path / "audio")
    (workspace.root / "old").mkdir(parents=True)
    (workspace.root / "old" / "audio.m4a").write_bytes(b"a call")
    (workspace.root / "stray.part").write_bytes(b"half a call")
    (workspace.root / "link").symlink_to(tmp_path)
    (workspace.root / "kept").mkdir()
    assert await workspace.sweep(keep=frozenset({JobId("kept")})) == 3
    assert left_in(workspace.root) == ["kept"]
    assert outside.read_text() == "not ours"
    assert mode(workspace.root) == 0o700


async def test_sweeping_makes_the_workspace(tmp_path: Path) -> None:
    """A first start has nothing to sweep."""
    workspace = Workspace(tmp_path / "deep" / "audio")
    assert await workspace.sweep() == 0
    assert mode(workspace.root) == 0o700


async def test_audio_that_is_being_worked_on_is_not_swept_away(tmp_path: Path) -> None:
    """A second FocusFlow starts on the same directory: it leaves alone what the first one works on."""
    first, second = Workspace(tmp_path), Workspace(tmp_path)
    async with first.place(JOB) as place:
        (place / "audio.m4a").write_bytes(b"a call")
        assert await second.sweep() == 0
        assert (place / "audio.m4a").exists()
    assert await second.sweep() == 0
    assert left_in(tmp_path) == []
