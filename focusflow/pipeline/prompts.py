"""Which words instruct the model? Read from files anew at each use, so that an edit works at once."""

from collections.abc import Mapping
from importlib.resources import files
from pathlib import Path

from msgspec import Struct

from focusflow.domain.prompts import fill
from focusflow.errors import Permanent

SUMMARY = "meeting_summary.md"
TITLE = "title_generator.md"
MERGE = "merge_summaries.md"


class Prompt(Struct, frozen=True, kw_only=True):
    """A prompt as it was read just now."""

    path: Path
    text: str
    about: str
    """The placeholder without which the model would be paid to invent something."""

    def filled(self, values: Mapping[str, str]) -> str:
        """Return what the model reads. Raises `Permanent` naming the file and what is wrong with it."""
        try:
            return fill(self.text, values, required=(self.about,))
        except Permanent as exc:
            raise Permanent(f"{exc} It is {self.path}.") from exc


class PromptFiles(Struct, frozen=True, kw_only=True):
    """Paths of the user's own prompts; None: the one that ships."""

    summary: Path | None = None
    title: Path | None = None
    merge: Path | None = None

    def read_summary(self, own: Path | None = None) -> Prompt:
        """Return the prompt for summaries; *own*: the one that a rule names."""
        return _read(own or self.summary, SUMMARY, "transcript")

    def read_title(self) -> Prompt:
        return _read(self.title, TITLE, "summary")

    def read_merge(self) -> Prompt:
        return _read(self.merge, MERGE, "summaries")


def _read(own: Path | None, name: str, about: str) -> Prompt:
    """Return the prompt. Raises `Permanent` naming the file that cannot be read."""
    path = own.expanduser() if own else shipped(name)
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as exc:
        reason = exc.strerror if isinstance(exc, OSError) else "it is not UTF-8 text"
        raise Permanent(f"The prompt {path} cannot be read ({reason}): mend or unset it, then retry.") from exc
    if not text.strip():
        raise Permanent(f"The prompt {path} is empty: write it or unset it, then retry.")
    return Prompt(path=path, text=text, about=about)


def shipped(name: str) -> Path:
    """Return where the prompt that ships lies: inside the installed package, or beside it in a checkout."""
    package = Path(str(files("focusflow")))
    inside = package / "prompts" / name
    return inside if inside.is_file() else package.parent / "prompts" / name
