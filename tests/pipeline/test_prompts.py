"""Are the prompts found, read anew, and named when they cannot be used?"""

from __future__ import annotations

from pathlib import Path

import pytest

from focusflow.errors import Permanent
from focusflow.pipeline.prompts import MERGE, SUMMARY, TITLE, PromptFiles, shipped


@pytest.mark.parametrize("name", [SUMMARY, TITLE, MERGE])
def test_a_prompt_ships_for_every_purpose(name: str) -> None:
    """A first start needs no files of its own."""
    assert shipped(name).is_file()


def test_the_shipped_prompts_ask_for_what_they_are_about() -> None:
    """Each can be filled with what the pipeline knows of a call."""
    known = dict.fromkeys(("meeting_date", "contact", "duration", "language"), "X")
    files = PromptFiles()
    assert "what was said" in files.read_summary().filled({**known, "transcript": "what was said"})
    assert "a summary" in files.read_title().filled({**known, "summary": "a summary"})
    assert "some summaries" in files.read_merge().filled({**known, "summaries": "some summaries"})


def test_an_own_prompt_is_read_anew_at_each_use(tmp_path: Path) -> None:
    """An edit works at once."""
    own = tmp_path / "own.md"
    files = PromptFiles(summary=own)
    own.write_text("One: {{transcript}}")
    assert files.read_summary().text == "One: {{transcript}}"
    own.write_text("Two: {{transcript}}")
    assert files.read_summary().filled({"transcript": "hello"}) == "Two: hello"


def test_a_prompt_in_the_home_directory_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As people write it in a configuration file."""
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / "own.md").write_text("{{summary}}", encoding="utf-8")
    assert PromptFiles(title=Path("~/own.md")).read_title().path == tmp_path / "own.md"


@pytest.mark.parametrize(
    ("content", "told"),
    [(b"  \n\t", "is empty"), (b"\xff", "it is not UTF-8 text"), (None, "No such file or directory")],
)
def test_a_prompt_that_cannot_be_read_is_named(tmp_path: Path, content: bytes | None, told: str) -> None:
    """One sentence says which file, and what to do."""
    own = tmp_path / "own.md"
    if content is not None:
        own.write_bytes(content)
    with pytest.raises(Permanent, match=told) as refused:
        PromptFiles(merge=own).read_merge()
    assert str(own) in str(refused.value)


def test_a_prompt_that_cannot_be_filled_is_named(tmp_path: Path) -> None:
    """The placeholder's name and the file's are both in the sentence."""
    own = tmp_path / "own.md"
    own.write_text("Summarise {{transcripts}}")
    with pytest.raises(Permanent, match="did you mean") as refused:
        PromptFiles(summary=own).read_summary().filled({"transcript": "hello"})
    assert str(own) in str(refused.value)
