"""FocusFlow: phone-call recordings in, transcripts, summaries and Notion pages out."""

__version__ = "0.1.0"
