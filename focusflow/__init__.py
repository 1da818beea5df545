"""FocusFlow: phone-call recordings in, transcripts, summaries and Notion pages out."""

from importlib.metadata import version

__version__ = version("focusflow")
