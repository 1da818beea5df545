"""Which blocks of a page are ours? The sink's own note, kept with the delivery and read after a crash."""

import json
from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Final

from msgspec import Struct

from focusflow.providers.notion.wanted import Prints

_VERSION: Final = 1


class Written(Struct, frozen=True, kw_only=True):
    """A block we wrote."""

    prints: Prints
    """Of what we sent."""
    seen_head: str
    """Of what Notion made of it."""

    def is_untouched(self, head: str) -> bool:
        """Whether a block that now has this *head* is still as we wrote it; else a person edited it."""
        return head in (self.seen_head, self.prints.head)


@dataclass(slots=True, kw_only=True)
class Memo:
    """What we know of the page we fill. Intentions are committed before the request that may carry them out."""

    remember: Callable[[str], Awaitable[None]]
    blocks: dict[str, Written] = field(default_factory=dict)
    """By block id."""
    intended: list[Prints] = field(default_factory=list)
    """Of the blocks being written now: a stranger on the page that looks like one of them is ours."""
    properties: dict[str, str] = field(default_factory=dict)
    """Fingerprints of the values last written, by column: a person's change to a column stays until ours changes."""
    adopting: bool = False
    """True until a page whose memo was never kept (we crashed, or lost the database) is whole."""
    _kept: str | None = None

    async def intend(self, prints: Iterable[Prints]) -> None:
        """Commit what is about to be written, beside older intentions of which nobody knows yet what became."""
        self.intended.extend(prints)
        await self.keep()

    def wrote(self, block_id: str, prints: Prints, *, seen_head: str) -> None:
        """An intention was carried out, as *block_id*; kept with the next commit."""
        self.blocks[block_id] = Written(prints=prints, seen_head=seen_head)
        self.intended.remove(prints)

    def recognise(self, head: str) -> Prints | None:
        """Take a block with this *head* for one of those intended, once for each; its answer was lost."""
        found = next((prints for prints in self.intended if prints.head == head), None)
        if found is not None:
            self.intended.remove(found)
        return found

    async def finish(self, alive: Iterable[str], properties: Mapping[str, str]) -> None:
        """Commit that the page is whole: of our blocks those *alive* are left."""
        self.blocks = {block_id: self.blocks[block_id] for block_id in alive}
        self.properties = dict(properties)
        self.intended, self.adopting = [], False
        await self.keep()

    async def keep(self) -> None:
        """Commit, unless nothing changed."""
        text = self._text()
        if text != self._kept:
            await self.remember(text)
            self._kept = text

    def _text(self) -> str:
        document = {
            "version": _VERSION,
            "adopting": self.adopting,
            "properties": self.properties,
            "intended": [_row(prints) for prints in self.intended],
            "blocks": [[block_id, w.seen_head, *_row(w.prints)] for block_id, w in self.blocks.items()],
        }
        return json.dumps(document, ensure_ascii=False, separators=(",", ":"))


def read_memo(text: str | None, remember: Callable[[str], Awaitable[None]], *, made: Iterable[Prints] | None) -> Memo:
    """Read a memo; without one the page is adopted, unless this process knows what it *made* of it itself."""
    if text is None:
        return Memo(remember=remember, adopting=made is None, intended=list(made or ()))
    document = json.loads(text)
    return Memo(
        remember=remember,
        adopting=document["adopting"],
        properties=document["properties"],
        intended=[_prints(*row) for row in document["intended"]],
        blocks={
            block_id: Written(prints=_prints(*row), seen_head=seen_head)
            for block_id, seen_head, *row in document["blocks"]
        },
        _kept=text,
    )


def _row(prints: Prints) -> list[str]:
    return [prints.full, prints.head, prints.deep]


def _prints(full: str, head: str, deep: str) -> Prints:
    return Prints(full=full, head=head, deep=deep)
