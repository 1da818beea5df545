"""How far have we read in Drive? The cursor: what is still to be listed, where the feed goes on, which folders are ours."""

import json
from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import islice
from typing import Any, Self

from msgspec import Struct

from focusflow.providers.drive.refusals import expired

VERSION = 1
FOLDERS_PER_QUERY = 20
"""As many ids as fit into a plain GET: a longer address would be sent as a POST."""


class Errand(Struct, frozen=True):
    """Folders to be listed with one query."""

    folders: tuple[str, ...]
    leaving: bool = False
    """They went away: what is in them is gone, rather than there."""


@dataclass(slots=True, kw_only=True)
class Bookmark:
    """A place between two pages. Encoded after every page, so that a crash repeats at most one of them."""

    folder: str
    """As configured, perhaps by the alias `root`."""
    root: str
    """The folder's real id."""
    drive: str | None
    """The shared drive whose own feed is followed; None follows the account's."""
    token: str
    """Where the feed of changes goes on."""
    full: bool
    """Everything is being listed, for the first time or once more."""
    lost: bool = False
    """The folder itself went away; only its coming back matters now."""
    parents: dict[str, str] = field(default_factory=dict)
    """Every folder below the root, and the folder it is in."""
    errands: list[Errand] = field(default_factory=list)
    """What is still to be listed; the first is being listed."""
    page: str | None = None
    """Where the first errand's listing goes on."""
    silent: set[str] = field(default_factory=set)
    """Folders of the first errand of which nothing was heard yet."""
    restarts: int = 0
    """How often the first errand began again; not part of the cursor."""

    def within(self, parents: Iterable[str]) -> bool:
        """Whether something with these *parents* is in our folder, at any depth."""
        return not self.lost and any(parent == self.root or parent in self.parents for parent in parents)

    def regrow(self, latest: Mapping[str, Collection[str]]) -> tuple[list[str], list[str]]:
        """Learn the *latest* parents of some folders (none: it went away); return which folders came and which left.

        All of them at once: a folder may have moved into another one that is new.
        """
        below = defaultdict(list)
        for child, parent in self.parents.items():
            if child not in latest:
                below[parent].append(child)
        for child, parents in latest.items():
            for parent in parents:
                below[parent].append(child)
        before, self.parents = self.parents, {} if self.lost else _reached(self.root, below)
        came = [folder for folder in self.parents if folder not in before]
        return came, [folder for folder in before if folder not in self.parents]

    def send(self, folders: Iterable[str], *, leaving: bool = False) -> None:
        """Put *folders* on the list of errands."""
        at_rest = not self.errands
        self.errands += [Errand(group, leaving) for group in _grouped(folders)]
        if at_rest:
            self.begin_errand()

    def begin_errand(self) -> None:
        """Start listing the first errand, from its first page."""
        self.restarts = 0
        self.page = None
        self.silent = set(self.errands[0].folders) if self.errands else set()

    def restart_errand(self) -> None:
        """Go back to the first page of the first errand."""
        restarts = self.restarts
        self.begin_errand()
        self.restarts = restarts + 1

    def end_errand(self) -> None:
        """Take the first errand off the list. A folder of a group of which nothing was heard gets one of its own.

        Drive is known to answer a query for several folders as if some of them were empty
        (https://issuetracker.google.com/issues/149522397).
        """
        done = self.errands.pop(0)
        if len(done.folders) > 1:
            self.errands[:0] = [Errand((folder,), done.leaving) for folder in done.folders if folder in self.silent]
        self.begin_errand()

    def split_errand(self) -> None:
        """List the first errand's folders one by one."""
        group = self.errands.pop(0)
        self.errands[:0] = [Errand((folder,), group.leaving) for folder in group.folders]
        self.begin_errand()

    def encoded(self) -> str:
        """The cursor's text: about 35 bytes for each folder, whatever the number of files."""
        below = defaultdict(list)
        for child, parent in self.parents.items():
            below[parent].append(child)
        document: dict[str, Any] = {
            "v": VERSION,
            "folder": self.folder,
            "root": self.root,
            "drive": self.drive,
            "token": self.token,
            "full": self.full,
            "lost": self.lost,
            "below": below,
            "errands": [[list(errand.folders), errand.leaving] for errand in self.errands],
            "page": self.page,
            "silent": sorted(self.silent),
        }
        return json.dumps({name: value for name, value in document.items() if value}, separators=(",", ":"))

    @classmethod
    def decoded(cls, text: str, *, folder: str) -> Self:
        """Read a cursor back. Raises `CursorExpired` when it is not ours, or is about another folder."""
        try:
            document = json.loads(text)
            if document["v"] != VERSION or document["folder"] != folder:
                raise expired()
            return cls(
                folder=folder,
                root=document["root"],
                drive=document.get("drive"),
                token=document["token"],
                full=document.get("full", False),
                lost=document.get("lost", False),
                parents={child: parent for parent, children in document.get("below", {}).items() for child in children},
                errands=[Errand(tuple(folders), leaving) for folders, leaving in document.get("errands", ())],
                page=document.get("page"),
                silent=set(document.get("silent", ())),
            )
        except (ValueError, KeyError, TypeError, AttributeError) as exc:
            raise expired() from exc


def _reached(root: str, below: Mapping[str, list[str]]) -> dict[str, str]:
    """Every folder that can be reached from *root*, with the parent it was reached by."""
    parents: dict[str, str] = {}
    todo = [root]
    while todo:
        parent = todo.pop()
        for child in below.get(parent, ()):
            if child != root and child not in parents:
                parents[child] = parent
                todo.append(child)
    return parents


def _grouped(folders: Iterable[str]) -> Iterator[tuple[str, ...]]:
    remaining = iter(folders)
    while group := tuple(islice(remaining, FOLDERS_PER_QUERY)):
        yield group
