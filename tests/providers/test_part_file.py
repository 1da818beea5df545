"""Is what was fetched kept, and what is put in place whole?"""

import hashlib
from pathlib import Path

import pytest

from focusflow.errors import Held, HoldKind, Transient
from focusflow.providers.part_file import PartFile, finished, local_disk


def test_what_was_appended_is_taken_up_by_the_next_part_file(tmp_path: Path) -> None:
    """Size and checksum go on where they were."""
    target = tmp_path / "call.mp3"
    first = PartFile(target)
    first.open()
    first.append([b"one ", b"two "])
    first.close()

    second = PartFile(target)
    second.open()
    assert second.size == 8
    second.append([b"three"])
    done = second.finish()

    assert target.read_bytes() == b"one two three"
    assert (done.size, done.md5) == (13, hashlib.md5(b"one two three", usedforsecurity=False).hexdigest())
    assert finished(target) == done
    assert list(tmp_path.iterdir()) == [target]


def test_a_restart_forgets_everything(tmp_path: Path) -> None:
    """The bytes, the size and the checksum."""
    part = PartFile(tmp_path / "call.mp3")
    part.open()
    part.append([b"wrong" * 1000])
    part.restart()
    part.append([b"right"])

    assert part.finish().md5 == hashlib.md5(b"right", usedforsecurity=False).hexdigest()
    assert (tmp_path / "call.mp3").read_bytes() == b"right"


def test_nothing_in_place_is_none(tmp_path: Path) -> None:
    """A first download starts with that."""
    assert finished(tmp_path / "call.mp3") is None


def test_a_full_disk_holds(tmp_path: Path) -> None:
    """The operating system's own refusal, from the device that is always full."""
    with pytest.raises(Held) as caught, local_disk(tmp_path / "x"), open("/dev/full", "wb", buffering=0) as full:
        full.write(b"x")

    assert caught.value.kind is HoldKind.DISK


def test_a_directory_that_is_not_there_is_transient(tmp_path: Path) -> None:
    """It may be a disk that is not mounted yet."""
    with pytest.raises(Transient, match="cannot be written"):
        PartFile(tmp_path / "missing" / "call.mp3").open()
