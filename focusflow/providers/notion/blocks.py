"""What is a Notion block, and how are blocks cut and packed so that no request is refused for its size?"""

import json
from collections.abc import Callable, Iterable, Iterator
from typing import Final, TypeVar

from msgspec import Struct
from msgspec.structs import replace

from focusflow.providers.notion.text import clean, split_text

ARRAY_LIMIT: Final = 100
"""Notion's limit for any array: blocks, rich text items, cells, rows."""
ELEMENT_LIMIT: Final = 1000
"""Notion's limit for the blocks of one request, counted at all depths."""
DEEPEST_LEVEL: Final = 2
"""The top block of a request is level 0; one at this level has no children in the same request."""
DEEPEST_TABLE: Final = 1
BATCH_BYTES: Final = 300_000
"""Of JSON in one request. Notion takes 500 KB; this much is encoded in some milliseconds, so that the loop does not notice."""
BLOCK_BYTES: Final = 60_000
"""Of JSON in one block without its children."""
UNIT_BYTES: Final = 200_000
UNIT_ELEMENTS: Final = 500

_SPAN_OVERHEAD: Final = 200
"""Bytes of JSON around a span's text, at most, its link aside."""
_CONTINUED_AS_THEMSELVES: Final = frozenset({"code", "quote", "paragraph"})


class Span(Struct, frozen=True, kw_only=True):
    """Text in one style."""

    text: str
    bold: bool = False
    italic: bool = False
    strikethrough: bool = False
    code: bool = False
    link: str | None = None

    def looks_like(self, other: "Span") -> bool:
        """Whether both could be one span."""
        return self._style() == other._style()

    def saying(self, text: str) -> "Span":
        """The same style, another text."""
        return self if text == self.text else replace(self, text=text)

    def _style(self) -> tuple[bool, bool, bool, bool, str | None]:
        return self.bold, self.italic, self.strikethrough, self.code, self.link


class Block(Struct, frozen=True, kw_only=True):
    """A block of any size; `fit` makes it one that Notion takes."""

    kind: str
    """Notion's own name of the type: `paragraph`, `to_do`, `table_row`, ..."""
    spans: tuple[Span, ...] = ()
    children: tuple["Block", ...] = ()
    checked: bool = False
    """Of a `to_do`."""
    language: str = "plain text"
    """Of `code`."""
    cells: tuple[tuple[Span, ...], ...] = ()
    """Of a `table_row`."""
    header: bool = False
    """Of a `table`: whether its first row is one."""


def as_json(block: Block) -> dict[str, object]:
    """The block as Notion wants it, children included."""
    payload = payload_of(block)
    if block.children:
        payload["children"] = [as_json(child) for child in block.children]
    return {"type": block.kind, block.kind: payload}


def payload_of(block: Block) -> dict[str, object]:
    """What stands under the block's type, children excluded: as an update of the block takes it."""
    match block.kind:
        case "divider":
            return {}
        case "table":
            width = len(block.children[0].cells)
            return {"table_width": width, "has_column_header": block.header, "has_row_header": False}
        case "table_row":
            return {"cells": [rich_text(cell) for cell in block.cells]}
        case "to_do":
            return {"rich_text": rich_text(block.spans), "checked": block.checked}
        case "code":
            return {"rich_text": rich_text(block.spans), "language": block.language}
        case _:
            return {"rich_text": rich_text(block.spans)}


def rich_text(spans: Iterable[Span]) -> list[dict[str, object]]:
    """The spans as rich text items."""
    return [_item(span) for span in spans]


def _item(span: Span) -> dict[str, object]:
    text: dict[str, object] = {"content": span.text}
    if span.link is not None:
        text["link"] = {"url": span.link}
    item: dict[str, object] = {"type": "text", "text": text}
    styles = {name: True for name in ("bold", "italic", "strikethrough", "code") if getattr(span, name)}
    if styles:
        item["annotations"] = styles
    return item


def encoded_size(document: object) -> int:
    """Bytes of *document* as the client sends it: compact JSON in UTF-8."""
    return len(json.dumps(document, ensure_ascii=False, separators=(",", ":")).encode())


def count(block: Block) -> int:
    """Block elements: the block and all below it."""
    return 1 + sum(count(child) for child in block.children)


def own_text(block: Block) -> str:
    """The block's text without its children's; of a row, the cells' in order."""
    cells = (span.text for cell in block.cells for span in cell)
    return "".join(span.text for span in block.spans) + "".join(cells)


def plain_text(block: Block) -> str:
    """All text in the block, in reading order."""
    return own_text(block) + "".join(plain_text(child) for child in block.children)


def fit(blocks: Iterable[Block]) -> tuple[Block, ...]:
    """Return blocks with the same text in the same order of which every one, as a request's child, is within the limits."""
    return tuple(piece for block in blocks for fitted in _fit(block, 0) for piece in _broken_up(fitted))


def _fit(block: Block, level: int) -> list[Block]:
    """The blocks at *level* that say what *block* does; what can't stand below it follows it."""
    if block.kind == "table":
        return _fit_table(block, level)
    pieces = [replace(block, spans=spans, children=()) for spans in _portions(block.spans)]
    if len(pieces) > 1 and block.kind not in _CONTINUED_AS_THEMSELVES:
        pieces[1:] = [Block(kind="paragraph", spans=piece.spans) for piece in pieces[1:]]
    below = min(level + 1, DEEPEST_LEVEL)
    children = [piece for child in block.children for piece in _fit(child, below)]
    room = 0 if level == DEEPEST_LEVEL or not may_have_children(pieces[-1].kind) else ARRAY_LIMIT
    return [*pieces[:-1], replace(pieces[-1], children=tuple(children[:room])), *children[room:]]


def may_have_children(kind: str) -> bool:
    """Whether we put anything below a block of this type."""
    return kind in ("bulleted_list_item", "numbered_list_item", "to_do", "quote", "toggle", "paragraph", "table")


def _portions(spans: Iterable[Span]) -> list[tuple[Span, ...]]:
    """The spans, cleaned and cut, in groups that fit one block each; one empty group if there is no text."""
    portions: list[tuple[Span, ...]] = []
    portion: list[Span] = []
    size = 0
    for span in fitting_spans(spans):
        span_size = _span_size(span)
        if portion and (len(portion) == ARRAY_LIMIT or size + span_size > BLOCK_BYTES):
            portions.append(tuple(portion))
            portion, size = [], 0
        portion.append(span)
        size += span_size
    return [*portions, tuple(portion)]


def fitting_spans(spans: Iterable[Span]) -> Iterator[Span]:
    """Cleaned spans of which none is empty or too long; neighbours that look alike are one."""
    for span in _merged(spans):
        for piece in split_text(span.text):
            yield span.saying(piece)


def _merged(spans: Iterable[Span]) -> Iterator[Span]:
    held: Span | None = None
    for span in spans:
        cleaned = span.saying(clean(span.text))
        if not cleaned.text:
            continue
        if held is not None and held.looks_like(cleaned):
            held = held.saying(held.text + cleaned.text)
            continue
        if held is not None:
            yield held
        held = cleaned
    if held is not None:
        yield held


def _span_size(span: Span) -> int:
    return encoded_size(span.text) + encoded_size(span.link or "") + _SPAN_OVERHEAD


def _fit_table(table: Block, level: int) -> list[Block]:
    width = max((len(row.cells) for row in table.children), default=0)
    if width == 0:
        return []
    rows = [_padded(row, width) for row in table.children]
    if level > DEEPEST_TABLE or width > ARRAY_LIMIT or not all(_row_fits(row) for row in rows):
        return [piece for row in rows for piece in _fit(_as_paragraph(row), level)]
    return [
        replace(table, children=tuple(group), header=table.header and index == 0)
        for index, group in enumerate(packed(rows, weigh, size=UNIT_BYTES // 2))
    ]


def _padded(row: Block, width: int) -> Block:
    cells = [tuple(fitting_spans(cell)) for cell in row.cells]
    return replace(row, cells=(*cells, *(() for _ in range(width - len(cells)))))


def _row_fits(row: Block) -> bool:
    return all(len(cell) <= ARRAY_LIMIT for cell in row.cells) and encoded_size(as_json(row)) <= BLOCK_BYTES


def _as_paragraph(row: Block) -> Block:
    """A row that can't be one: its cells side by side."""
    spans: list[Span] = []
    for cell in row.cells:
        spans.extend([Span(text=" | ")] if spans else [])
        spans.extend(cell)
    return Block(kind="paragraph", spans=tuple(spans))


def _broken_up(block: Block) -> list[Block]:
    """The block, or, if it is too much for one request, itself and then its children beside it."""
    if not block.children or (count(block) <= UNIT_ELEMENTS and encoded_size(as_json(block)) <= UNIT_BYTES):
        return [block]
    return [replace(block, children=()), *(piece for child in block.children for piece in _broken_up(child))]


class Weight(Struct, frozen=True, kw_only=True):
    """What a block adds to its request."""

    elements: int
    size: int
    """Bytes of JSON."""


Item = TypeVar("Item")


def weigh(block: Block) -> Weight:
    """What *block* and all below it add to a request."""
    return Weight(elements=count(block), size=encoded_size(as_json(block)))


def packed(
    items: Iterable[Item],
    weight_of: Callable[[Item], Weight],
    *,
    items_each: int = ARRAY_LIMIT,
    elements: int = ELEMENT_LIMIT,
    size: int = BATCH_BYTES,
) -> Iterator[list[Item]]:
    """Group *items*, in order, into as few lists as these limits allow."""
    group: list[Item] = []
    used_elements = used_size = 0
    for item in items:
        weight = weight_of(item)
        full = len(group) == items_each or used_elements + weight.elements > elements or used_size + weight.size > size
        if group and full:
            yield group
            group, used_elements, used_size = [], 0, 0
        group.append(item)
        used_elements += weight.elements
        used_size += weight.size
    if group:
        yield group
