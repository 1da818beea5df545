"""Which files are in the emulated Drive, and what is being done to them? Tests and the demo act here."""

import base64
import hashlib
import heapq
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Final

from focusflow.sandbox.drive.changes import ChangeFeed
from focusflow.sandbox.drive.content import Content, Stored, Synthetic
from focusflow.sandbox.recordings import Recording
from focusflow.sandbox.service import UnixClock

FOLDER: Final = "application/vnd.google-apps.folder"
SHORTCUT: Final = "application/vnd.google-apps.shortcut"
OWNER: Final = "maya@lindqvist-interiors.example"


@dataclass(slots=True, kw_only=True)
class DriveFile:
    """One file, folder or shortcut, as the account sees it."""

    id: str
    number: int
    """In the order of creation."""
    name: str
    mime_type: str
    parent: str | None
    """None at the top of what is shared with the account."""
    content: Content | None
    """None for what has no bytes: folders, shortcuts, documents of Google's own kinds."""
    created: float
    modified: float
    owner: str | None
    """None in a shared drive, where files belong to no person."""
    drive_id: str | None = None
    """The shared drive it is in."""
    target: str | None = None
    """What a shortcut points to."""
    trashed: bool = False
    explicitly_trashed: bool = False
    visible: bool = True
    """False once the sharing was revoked."""
    revision: int = 1
    version: int = 1
    md5: str | None = None


class DriveFiles:
    """The tree below one folder that is shared with the service account, and its changes feed.

    Every method that changes something appends to the feed; ids it does not know raise KeyError.
    """

    def __init__(self, *, clock: UnixClock, seed: int = 0, changes_delay: float = 0.0) -> None:
        self.changes_delay = changes_delay
        """How many seconds a change needs to show up in the feed; listings see it at once."""
        self.changes = ChangeFeed()
        self.listings_expired_before = 0
        """Raised by `expire_listings`; a listing begun earlier has to start again."""
        self._clock = clock
        self._seed = seed
        self._files: dict[str, DriveFile] = {}
        self._children: dict[str, dict[str, DriveFile]] = {}
        self._count = 0
        self._due: list[tuple[float, int, Callable[[], object]]] = []
        self.root_id = self._add("Cube ACR", parent=None, mime_type=FOLDER, content=None)
        """The folder that is shared with the service account: the product's GOOGLE_DRIVE_FOLDER_ID."""

    def find(self, file_id: str) -> DriveFile | None:
        """The file, if the account may see it."""
        file = self._files.get(file_id)
        return file if file is not None and file.visible else None

    def children(self, folder_id: str) -> list[DriveFile]:
        """What lies directly in a folder, hidden and trashed files included."""
        return list(self._children.get(folder_id, {}).values())

    def everything(self) -> list[DriveFile]:
        """Every file there is, in the order of creation."""
        return list(self._files.values())

    def named(self, name: str) -> DriveFile:
        """The only file of that name; raise LookupError if there is none or there are more."""
        found = [file for file in self._files.values() if file.name == name]
        if len(found) != 1:
            raise LookupError(f"{len(found)} files are named {name}")
        return found[0]

    def add_folder(self, name: str, *, parent: str | None = None) -> str:
        """A folder inside *parent* (default: the shared one); return its id."""
        return self._add(name, parent=parent or self.root_id, mime_type=FOLDER, content=None)

    def add_shared_drive(self, name: str) -> str:
        """A shared drive; return the id that is both the drive's and its top folder's."""
        return self._add(name, parent=None, mime_type=FOLDER, content=None, owner=None, new_drive=True)

    def add_shortcut(self, name: str, target: str, *, parent: str | None = None) -> str:
        """A shortcut to the file *target*; return its own id."""
        return self._add(name, parent=parent or self.root_id, mime_type=SHORTCUT, content=None, target=target)

    def add_file(
        self,
        name: str,
        *,
        parent: str | None = None,
        content: bytes | None = None,
        size: int | None = None,
        mime_type: str = "audio/mpeg",
        owner: str = OWNER,
        created: float | None = None,
        modified: float | None = None,
    ) -> str:
        """A file with *content*, or with *size* bytes that are made up while they are read; return its id.

        A file with neither is one of Google's own documents, which has no bytes. Times are UTC seconds since 1970;
        a client may set both, so neither says when the file arrived.
        """
        return self._add(
            name,
            parent=parent or self.root_id,
            mime_type=mime_type,
            content=self._content(content, size),
            owner=owner,
            created=created,
            modified=modified,
        )

    def add_recording(self, recording: Recording, *, parent: str | None = None) -> str:
        """The recording in its day's folder below *parent*, its sidecar now or late; return the audio's id."""
        folder = self._day_folder(parent or self.root_id, recording.folder)
        audio = self.add_file(
            recording.file_name, parent=folder, content=recording.content, mime_type=recording.mime_type
        )
        sidecar = recording.sidecar_bytes
        if sidecar is not None:

            def arrive() -> None:
                self.add_file(recording.sidecar_name, parent=folder, content=sidecar, mime_type="application/json")

            self.later(recording.sidecar_delay_seconds, arrive)
        return audio

    def later(self, seconds: float, action: Callable[[], object]) -> None:
        """Do *action* once the clock has moved on by *seconds* (0: now)."""
        if seconds <= 0:
            action()
        else:
            self._count += 1
            heapq.heappush(self._due, (self._clock() + seconds, self._count, action))

    def catch_up(self) -> None:
        """Do what was planned for `later` and is due; every request begins with it."""
        while self._due and self._due[0][0] <= self._clock():
            heapq.heappop(self._due)[2]()

    def replace_content(self, file_id: str, content: bytes | None = None, *, size: int | None = None) -> None:
        """Upload other bytes into the same file: same id, new checksum."""
        file = self._files[file_id]
        file.content = self._content(content, size)
        file.md5 = file.content.md5 if file.content else None
        file.revision += 1
        self._touch(file)

    def rename(self, file_id: str, name: str) -> None:
        """Give the file another name; nothing else changes."""
        file = self._files[file_id]
        file.name = name
        self._touch(file)

    def move(self, file_id: str, parent: str) -> None:
        """Put the file into another folder."""
        file = self._files[file_id]
        if file.parent is not None:
            self._children[file.parent].pop(file_id)
        file.parent, file.drive_id = parent, self._files[parent].drive_id
        self._children.setdefault(parent, {})[file_id] = file
        self._changed(file)

    def trash(self, file_id: str) -> None:
        """Put the file, or the folder with all that is in it, into the trash."""
        self._files[file_id].explicitly_trashed = True
        for file in self._subtree(file_id):
            file.trashed = True
            self._changed(file)

    def untrash(self, file_id: str) -> None:
        """Take the file out of the trash, with what was trashed only because of it."""
        self._files[file_id].explicitly_trashed = False
        for file in self._subtree(file_id, enter=lambda child: not child.explicitly_trashed):
            file.trashed = False
            self._changed(file)

    def delete(self, file_id: str) -> None:
        """Delete the file for ever, with all that is in it."""
        for file in list(self._subtree(file_id)):
            self._files.pop(file.id)
            self._children.pop(file.id, None)
            if file.parent in self._children:
                self._children[file.parent].pop(file.id, None)
            self._changed(file)

    def revoke_sharing(self, folder_id: str | None = None) -> None:
        """Stop sharing a folder (default: the shared one): the account sees a mass removal, nothing is deleted."""
        self._show(folder_id or self.root_id, visible=False)

    def restore_sharing(self, folder_id: str | None = None) -> None:
        """Share it again: everything reappears under the same ids."""
        self._show(folder_id or self.root_id, visible=True)

    def expire_change_tokens(self) -> None:
        """Make every token of the changes feed invalid, as if it came from another account."""
        self.changes.expire_tokens()

    def expire_listings(self) -> None:
        """Make every page token of a listing invalid, as after several hours."""
        self.listings_expired_before += 1

    def expire_tokens(self) -> None:
        """Make every page token invalid: those of listings and those of the changes feed."""
        self.expire_change_tokens()
        self.expire_listings()

    def _content(self, content: bytes | None, size: int | None) -> Content | None:
        if content is not None:
            return Stored(content)
        self._count += 1
        return None if size is None else Synthetic(size, f"{self._seed}:{self._count}")

    def _add(
        self,
        name: str,
        *,
        parent: str | None,
        mime_type: str,
        content: Content | None,
        owner: str | None = OWNER,
        created: float | None = None,
        modified: float | None = None,
        target: str | None = None,
        new_drive: bool = False,
    ) -> str:
        now = self._clock()
        self._count += 1
        file_id = self._new_id("0A" if new_drive else "1")
        drive_id = file_id if new_drive else self._files[parent].drive_id if parent else None
        file = DriveFile(
            id=file_id,
            number=self._count,
            name=name,
            mime_type=mime_type,
            parent=parent,
            content=content,
            created=now if created is None else created,
            modified=now if modified is None else modified,
            owner=None if drive_id else owner,
            drive_id=drive_id,
            target=target,
            md5=content.md5 if content else None,
        )
        self._files[file_id] = file
        if parent is not None:
            self._children.setdefault(parent, {})[file_id] = file
            file.visible = self._files[parent].visible
        self._changed(file)
        return file_id

    def _new_id(self, prefix: str) -> str:
        digest = hashlib.sha256(f"{self._seed}:{self._count}".encode()).digest()
        return prefix + base64.urlsafe_b64encode(digest[:24]).decode()

    def _day_folder(self, parent: str, name: str) -> str:
        for child in self._children.get(parent, {}).values():
            if child.mime_type == FOLDER and child.name == name and not child.trashed:
                return child.id
        return self.add_folder(name, parent=parent)

    def _subtree(self, file_id: str, enter: Callable[[DriveFile], bool] = lambda child: True) -> Iterator[DriveFile]:
        file = self._files[file_id]
        yield file
        for child in list(self._children.get(file_id, {}).values()):
            if enter(child):
                yield from self._subtree(child.id, enter)

    def _show(self, folder_id: str, *, visible: bool) -> None:
        for file in self._subtree(folder_id):
            file.visible = visible
            self._record(file)

    def _touch(self, file: DriveFile) -> None:
        file.modified = self._clock()
        self._changed(file)

    def _changed(self, file: DriveFile) -> None:
        file.version += 1
        if file.visible:
            self._record(file)

    def _record(self, file: DriveFile) -> None:
        self.changes.record(file.id, self._clock(), file.drive_id)
