"""What is in the folder, and what changed in it since? Lists the tree once, then follows the feed of changes."""

from collections.abc import AsyncIterator, Sequence
from contextlib import suppress

from focusflow.errors import Permanent, SourceError, StepError
from focusflow.ports import SourceFile, SourcePage
from focusflow.providers.drive.bookmark import Bookmark
from focusflow.providers.drive.calls import DriveCalls, Place
from focusflow.providers.drive.entries import Change, Entry
from focusflow.providers.drive.refusals import NotUnderstood, PlaceUnknown, Wording, expired, for_discovery

RESTARTS = 3
"""How often in one go a listing may begin again because its page token was refused."""


class Walk:
    """Pages of one folder's tree. Raises only `SourceError`."""

    def __init__(self, calls: DriveCalls, *, folder_id: str, wording: Wording) -> None:
        self._calls, self._folder_id, self._wording = calls, folder_id, wording

    async def pages(self, cursor: str | None) -> AsyncIterator[SourcePage]:
        """Yield everything (None) or what changed since *cursor*, ending with a page that has nothing more."""
        try:
            mark = await self._first_mark() if cursor is None else Bookmark.decoded(cursor, folder=self._folder_id)
            if mark.lost:
                await self._regain(mark)
            more = True
            while more:
                page = await self._listed(mark) if mark.errands else await self._changed(mark)
                if page is not None:
                    more = page.more
                    yield page
        except StepError as exc:
            raise for_discovery(exc) from exc

    # -- the root: everything hangs on it

    async def root(self) -> Place:
        """Return what the configured folder is. Raises `SourceError` with what to do when it cannot be used."""
        try:
            place = await self._calls.look_at(self._folder_id, subject="The Google Drive folder with the recordings")
        except PlaceUnknown as exc:
            raise self._wording.no_folder() from exc
        except StepError as exc:
            raise for_discovery(exc) from exc
        if not place.is_folder:
            raise SourceError(f'GOOGLE_DRIVE_FOLDER_ID is the id of the file "{place.name}", not of a folder.')
        if place.trashed:
            raise SourceError(f'The Google Drive folder "{place.name}" is in the bin: put it back to go on.')
        return place

    async def _first_mark(self) -> Bookmark:
        """Take the feed's place before anything is listed: what happens meanwhile is in the feed."""
        place = await self.root()
        drive_id, token = await self._feed(place.drive_id)
        mark = Bookmark(folder=self._folder_id, root=place.id, drive=drive_id, token=token, full=True)
        mark.send([mark.root])
        return mark

    async def _feed(self, drive_id: str | None) -> tuple[str | None, str]:
        """Return whose feed tells of the folder, and its place now.

        A shared drive has its own feed and the account's is not complete for it, but only members may follow it;
        who was given just a folder on it finds that in the account's.
        """
        if drive_id is not None:
            with suppress(Permanent):
                return drive_id, await self._calls.start_token(drive_id)
        return None, await self._calls.start_token(None)

    async def _regain(self, mark: Bookmark) -> None:
        """Look whether the folder is back, and if so list it again: the feed says nothing of what came back with it."""
        await self.root()
        mark.lost = False
        mark.send([mark.root])

    # -- listing

    async def _listed(self, mark: Bookmark) -> SourcePage | None:
        """Return the next page of the first errand; None when the errand had to be changed."""
        errand = mark.errands[0]
        try:
            listed = await self._calls.children(
                errand.folders, drive_id=mark.drive, page=mark.page, with_trashed=errand.leaving
            )
        except PlaceUnknown as exc:
            self._errand_refused(mark, exc)
            return None
        mark.silent.difference_update(parent for entry in listed.entries for parent in entry.parents)
        files = self._left(mark, listed.entries) if errand.leaving else self._arrived(mark, listed.entries)
        full = mark.full
        mark.page = listed.next_page
        if mark.page is None:
            mark.end_errand()
            mark.full = mark.full and bool(mark.errands)
        return SourcePage(
            files=() if errand.leaving else files,
            gone=tuple(file.file_id for file in files) if errand.leaving else (),
            cursor=mark.encoded(),
            more=True,
            listing=full,
        )

    def _errand_refused(self, mark: Bookmark, refused: PlaceUnknown) -> None:
        folders = mark.errands[0].folders
        if mark.page is not None:
            if mark.restarts >= RESTARTS:
                raise SourceError("Google Drive keeps refusing to go on with a listing.") from refused
            mark.restart_errand()
        elif isinstance(refused, NotUnderstood):
            raise refused
        elif len(folders) > 1:
            mark.split_errand()
        elif folders == (mark.root,):
            raise self._wording.no_folder() from refused
        else:  # it went while we were on our way; the feed tells about it
            mark.regrow({folders[0]: ()})
            mark.end_errand()
            mark.full = mark.full and bool(mark.errands)

    def _arrived(self, mark: Bookmark, found: Sequence[Entry]) -> tuple[SourceFile, ...]:
        came, _ = mark.regrow({entry.id: entry.parents for entry in found if entry.is_folder})
        mark.send(came)
        return tuple(entry.file for entry in found if entry.file is not None)

    def _left(self, mark: Bookmark, found: Sequence[Entry]) -> tuple[SourceFile, ...]:
        """What is in a folder that left is gone too, unless it is also in a folder of ours."""
        leaving = [entry for entry in found if not mark.within(entry.parents)]
        mark.send([entry.id for entry in leaving if entry.is_folder], leaving=True)
        return tuple(entry.file for entry in leaving if entry.file is not None)

    # -- changes

    async def _changed(self, mark: Bookmark) -> SourcePage:
        try:
            changed = await self._calls.changes(mark.token, drive_id=mark.drive)
        except PlaceUnknown as exc:
            raise expired() from exc
        mark.token = changed.token
        self._follow_root(mark, changed.changes)
        self._follow_folders(mark, changed.changes)
        there = {
            change.id: change.entry.file
            for change in changed.changes
            if change.entry and mark.within(change.entry.parents) and not change.entry.trashed
        }
        return SourcePage(
            files=tuple(file for file in there.values() if file is not None),
            gone=tuple(change.id for change in changed.changes if change.id not in there and not change.is_folder),
            cursor=mark.encoded(),
            more=changed.more or bool(mark.errands),
        )

    def _follow_root(self, mark: Bookmark, changes: Sequence[Change]) -> None:
        for change in changes:
            if change.id == mark.root:
                was_lost, mark.lost = mark.lost, change.entry is None or change.entry.trashed
                if was_lost and not mark.lost:
                    mark.send([mark.root])

    def _follow_folders(self, mark: Bookmark, changes: Sequence[Change]) -> None:
        """Learn which folders are ours now, and send for what is in those that came or went.

        A folder that moves takes its content along without a word about it in the feed.
        """
        folders = {change.id: change.entry for change in changes if change.id in mark.parents or change.is_folder}
        came, left = mark.regrow(
            {id: entry.parents if entry and not entry.trashed else () for id, entry in folders.items()}
        )
        mark.send(came)
        # into a folder that was taken from us we may not look: the feed names each file we lost
        mark.send([id for id in left if folders.get(id) is not None and not mark.lost], leaving=True)
