"""Where are the recordings in Google Drive, and how do they get here? The adapter for Drive's API, version 3."""

from focusflow.providers.drive.source import DriveSource

__all__ = ["DriveSource"]
