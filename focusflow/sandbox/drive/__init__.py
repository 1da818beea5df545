"""Google Drive, emulated: a folder that is shared with a service account, and its feed of changes."""

from focusflow.sandbox.drive.service import DriveService

__all__ = ["DriveService"]
