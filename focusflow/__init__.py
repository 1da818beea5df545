"""FocusFlow: phone-call recordings in, transcripts, summaries and Notion pages out."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    __version__: str


def __getattr__(name: str) -> str:
    """Look up `__version__` when somebody asks for it: reading what is installed takes longer than most commands."""
    if name != "__version__":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib.metadata import version

    return version("focusflow")
