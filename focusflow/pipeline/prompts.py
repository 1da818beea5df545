"""Which words instruct the model? Read from files anew at each use, so that an edit works at once."""

from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path

from focusflow.errors import Permanent

SUMMARY = "meeting_summary.md"
TITLE = "title_generator.md"
MERGE = "merge_summaries.md"


@dataclass(frozen=True, slots=True, kw_only=True)
class PromptFiles:
    """Paths of the user's own prompts; None: the one that ships."""

    summary: Path | None = None
    title: Path | None = None
    merge: Path | None = None

    def read_summary(self) -> str:
        return _read(self.summary, SUMMARY)

    def read_title(self) -> str:
        return _read(self.title, TITLE)

    def read_merge(self) -> str:
        return _read(self.merge, MERGE)


def _read(own: Path | None, name: str) -> str:
    """Return the prompt's text. Raises `Permanent` naming the file that cannot be read."""
    path = own.expanduser() if own else shipped(name)
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as exc:
        reason = exc.strerror if isinstance(exc, OSError) else "it is not UTF-8 text"
        raise Permanent(f"The prompt {path} cannot be read ({reason}): mend or unset it, then retry.") from exc
    if not text.strip():
        raise Permanent(f"The prompt {path} is empty: write it or unset it, then retry.")
    return text


def shipped(name: str) -> Path:
    """Return where the prompt that ships lies: inside the installed package, or beside it in a checkout."""
    package = Path(str(files("focusflow")))
    inside = package / "prompts" / name
    return inside if inside.is_file() else package.parent / "prompts" / name
