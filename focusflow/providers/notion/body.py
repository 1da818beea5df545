"""How does a page come to say what it should, whatever was written before and wherever that broke off?"""

from collections.abc import Mapping, Sequence

import anyio.to_thread

from focusflow.providers.notion.answers import SeenBlock
from focusflow.providers.notion.blocks import packed
from focusflow.providers.notion.client import START, NotionApi, after
from focusflow.providers.notion.diff import Found, Place, Plan, planned
from focusflow.providers.notion.memo import Memo, Written
from focusflow.providers.notion.wanted import Wanted, deep_print, head_print, prints_of


class Body:
    """One go at a page's blocks: read what is there, then write what is missing. Repeat it after any failure."""

    def __init__(self, api: NotionApi, memo: Memo, *, made_by: str | None) -> None:
        self._api, self._memo, self._made_by = api, memo, made_by
        self.alive: list[str] = []
        """The blocks of ours that were there, or are there now."""

    async def settle(self, parent_id: str, wanted: Sequence[Wanted]) -> None:
        """Make what stands below *parent_id* the *wanted* blocks, plus whatever people put there."""
        await self._settle(parent_id, wanted, await self._api.children(parent_id))

    async def _settle(self, parent_id: str, wanted: Sequence[Wanted], seen: Sequence[SeenBlock]) -> None:
        found = await self._recognised(seen, wanted)
        plan = await anyio.to_thread.run_sync(planned, found, wanted)
        ids = await _Writing(self._api, self._memo, parent_id, seen).carry_out(plan)
        self.alive += ids
        for block in plan.unwanted:
            await self._remove(block)
        for block_id, place in zip(ids, plan.places, strict=True):
            if place.wanted.inner:
                below = [] if place.found is None else await self._api.children(block_id)
                await self._settle(block_id, place.wanted.inner, below)

    # -------------------------------------------------------------------------------------------------- recognising

    async def _recognised(self, seen: Sequence[SeenBlock], wanted: Sequence[Wanted]) -> list[Found]:
        """The blocks among those *seen* that we wrote."""
        found = []
        for block in seen:
            written = await self._written(block, wanted)
            if written is None:
                continue
            self._memo.blocks[block.id] = written
            found.append(
                Found(
                    id=block.id,
                    kind=block.kind,
                    full=written.prints.full,
                    edited=not written.is_untouched(head_print(block.kind, block.text)),
                    has_children=block.has_children,
                )
            )
        return found

    async def _written(self, block: SeenBlock, wanted: Sequence[Wanted]) -> Written | None:
        head = head_print(block.kind, block.text)
        known = self._memo.blocks.get(block.id)
        if known is not None and known.is_untouched(head):
            return known
        if (prints := self._memo.recognise(head)) is not None:
            return Written(prints=prints, seen_head=head)
        if known is None and self._memo.adopting and self._made_by_us(block):
            return await self._adopted(block, head, wanted)
        return known

    def _made_by_us(self, block: SeenBlock) -> bool:
        """Without a memo only Notion can tell who wrote a block: the page's own maker did, and nobody else touched it."""
        return self._made_by is not None and block.created_by == self._made_by == block.last_edited_by

    async def _adopted(self, block: SeenBlock, head: str, wanted: Sequence[Wanted]) -> Written | None:
        """A block without a memo is taken for ours only if it says what is wanted: else a person may have put it there."""
        alike = [unit for unit in wanted if unit.prints.head == head]
        if not any(unit.inner for unit in alike):
            deep = await self._deep(block, head) if alike else head
            alike = [unit for unit in alike if unit.prints.deep == deep]
        return Written(prints=alike[0].prints, seen_head=head) if alike else None

    async def _deep(self, block: SeenBlock, head: str) -> str:
        if not block.has_children:
            return head
        below = await self._api.children(block.id)
        return deep_print(head, [await self._deep(child, head_print(child.kind, child.text)) for child in below])

    # ----------------------------------------------------------------------------------------------------- removing

    async def _remove(self, block: Found) -> None:
        """Remove a block of ours, unless a person put or changed something below it."""
        if not block.has_children or await self._holds_only_ours(block.id):
            await self._api.delete_block(block.id)

    async def _holds_only_ours(self, block_id: str) -> bool:
        written = self._memo.blocks[block_id]
        below = await self._api.children(block_id)
        deep = deep_print(
            written.prints.head, [await self._deep(child, head_print(child.kind, child.text)) for child in below]
        )
        return deep == written.prints.deep or all(self._is_as_written(child) for child in below)

    def _is_as_written(self, block: SeenBlock) -> bool:
        written = self._memo.blocks.get(block.id)
        return written is not None and written.is_untouched(head_print(block.kind, block.text))


class _Writing:
    """The changes below one parent, in the order of the page."""

    def __init__(self, api: NotionApi, memo: Memo, parent_id: str, seen: Sequence[SeenBlock]) -> None:
        self._api, self._memo, self._parent_id = api, memo, parent_id
        self._last_id = seen[-1].id if seen else None
        self._ids: list[str] = []
        self._waiting: list[Wanted] = []

    async def carry_out(self, plan: Plan) -> list[str]:
        """Update and insert; return the ids of the wanted blocks."""
        for place in plan.places:
            if place.found is None:
                self._waiting.append(place.wanted)
                continue
            await self._insert_waiting()
            if place.change:
                await self._update(place, place.found)
            self._ids.append(place.found.id)
        await self._insert_waiting()
        return self._ids

    async def _update(self, place: Place, found: Found) -> None:
        unit = place.wanted
        await self._memo.intend([unit.prints])
        await self._api.update_block(found.id, unit.kind, unit.payload)
        self._memo.wrote(found.id, unit.prints, seen_head=unit.prints.head)

    async def _insert_waiting(self) -> None:
        for batch in packed(self._waiting, lambda unit: unit.weight):
            await self._memo.intend(prints_of(batch))
            position = self._position()
            made = await self._api.append(self._parent_id, [unit.json for unit in batch], position)
            for (block_id, block), unit in zip(made, batch, strict=True):
                head = unit.prints.head if block is None else head_print(block.kind, block.text)
                self._memo.wrote(block_id, unit.prints, seen_head=head)
                self._ids.append(block_id)
            if position is None:
                self._last_id = self._ids[-1]
        self._waiting = []

    def _position(self) -> Mapping[str, object] | None:
        """Behind the block that precedes it on the page; people's blocks stay where they are."""
        if not self._ids:
            return None if self._last_id is None else START
        return None if self._ids[-1] == self._last_id else after(self._ids[-1])
