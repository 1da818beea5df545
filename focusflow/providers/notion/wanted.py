"""What should stand on a page, and by which fingerprints is each piece of it known again?"""

import hashlib
import json
from collections.abc import Iterable, Sequence
from typing import Final

from msgspec import Struct

from focusflow.domain.transcript import Transcript
from focusflow.providers.notion.blocks import (
    Block,
    Span,
    Weight,
    as_json,
    count,
    encoded_size,
    fit,
    own_text,
    payload_of,
)
from focusflow.providers.notion.markdown import blocks_from
from focusflow.providers.notion.transcript import transcript_blocks

TRANSCRIPT_LABEL: Final = "Transcript"
_FIXED_KINDS: Final = frozenset({"table", "table_row", "divider"})
"""Blocks whose content can't be changed by an update of the block itself."""


class Prints(Struct, frozen=True, kw_only=True):
    """Fingerprints of a block we wrote."""

    full: str
    """Of everything: text, styles and children."""
    head: str
    """Of its type and its own text, which is what a list of blocks tells."""
    deep: str
    """Of its type and all text in it; equals `head` if there is nothing below."""


class Wanted(Struct, frozen=True, kw_only=True):
    """A block that should be on the page, ready to be sent in one piece."""

    kind: str
    json: dict[str, object]
    """As a new block, with children."""
    payload: dict[str, object]
    """As an update of the block takes it."""
    weight: Weight
    prints: Prints
    alone: bool
    """Whether it is sent without children."""
    inner: tuple["Wanted", ...] = ()
    """What is appended below it afterwards, however much that is."""

    def may_replace(self, kind: str, *, has_children: bool) -> bool:
        """Whether a block of that *kind* can be made into this one by an update."""
        if kind != self.kind or kind in _FIXED_KINDS:
            return False
        return bool(self.inner) or (self.alone and not has_children)


def page_body(summary_markdown: str, transcript: Transcript) -> tuple[Wanted, ...]:
    """The summary's blocks, and the transcript in a toggle below. Slow for long calls: call it in a thread."""
    body = [wanted(block) for block in fit(blocks_from(summary_markdown))]
    turns = tuple(wanted(block) for block in fit(transcript_blocks(transcript)))
    if turns:
        body.append(wanted(Block(kind="toggle", spans=(Span(text=TRANSCRIPT_LABEL),)), inner=turns))
    return tuple(body)


def wanted(block: Block, *, inner: tuple[Wanted, ...] = ()) -> Wanted:
    """Prepare *block*, which must fit."""
    document = as_json(block)
    return Wanted(
        kind=block.kind,
        json=document,
        payload=payload_of(block),
        weight=Weight(elements=count(block), size=encoded_size(document)),
        prints=Prints(full=print_of(document), head=head_print(block.kind, own_text(block)), deep=_deep(block)),
        alone=not block.children,
        inner=inner,
    )


def _deep(block: Block) -> str:
    return deep_print(head_print(block.kind, own_text(block)), [_deep(child) for child in block.children])


def head_print(kind: str, text: str) -> str:
    """The fingerprint of a block's type and own text."""
    return _hashed(f"{kind}\n{text}")


def deep_print(head: str, below: Sequence[str]) -> str:
    """The fingerprint of a block with *head* and blocks with the deep fingerprints *below*."""
    return _hashed("\n".join([head, *below])) if below else head


def print_of(document: object) -> str:
    """The fingerprint of a piece of JSON."""
    return _hashed(json.dumps(document, ensure_ascii=False, sort_keys=True))


def _hashed(text: str) -> str:
    return hashlib.blake2b(text.encode("utf-8", "replace"), digest_size=8).hexdigest()


def prints_of(units: Iterable[Wanted]) -> tuple[Prints, ...]:
    """The fingerprints of blocks about to be sent."""
    return tuple(unit.prints for unit in units)
