"""Which Notion blocks say what this Markdown says?"""

import re
from collections.abc import Iterable, Iterator, Sequence
from typing import Final

from markdown_it import MarkdownIt
from markdown_it.tree import SyntaxTreeNode
from msgspec.structs import replace

from focusflow.providers.notion.blocks import Block, Span
from focusflow.providers.notion.languages import language_of
from focusflow.providers.notion.text import clean, utf16_length

_DEEPEST_HEADING: Final = 4
_MOST_NESTED: Final = 60
"""Beyond it the parser drops text; its default of 20 is within a model's reach, this is not."""
_LINK_UNITS: Final = 2000
_LINK: Final = re.compile(r"https?://[^\s/?#]+\S*|mailto:[^\s@]+@[^\s@]+", re.IGNORECASE)
_TASK: Final = re.compile(r"\[([ xX])\](?:\s+|$)")


def blocks_from(markdown: str) -> tuple[Block, ...]:
    """Return the blocks, of any size and nesting. Raw HTML is text like any other."""
    parser = MarkdownIt("commonmark", {"html": False, "maxNesting": _MOST_NESTED}).enable(["table", "strikethrough"])
    return tuple(_blocks(SyntaxTreeNode(parser.parse(clean(markdown))).children))


def usable_link(url: str) -> bool:
    """Whether Notion takes *url* as a link: one it refuses would cost the whole request."""
    return _LINK.fullmatch(url) is not None and utf16_length(url) <= _LINK_UNITS


def _blocks(nodes: Iterable[SyntaxTreeNode]) -> Iterator[Block]:
    for node in nodes:
        yield from _block(node)


def _block(node: SyntaxTreeNode) -> Iterable[Block]:
    match node.type:
        case "heading":
            level = min(int(node.tag.removeprefix("h")), _DEEPEST_HEADING)
            return [Block(kind=f"heading_{level}", spans=_text_in(node))]
        case "paragraph":
            return [Block(kind="paragraph", spans=_text_in(node))]
        case "bullet_list":
            return [_list_item(item, "bulleted_list_item") for item in node.children]
        case "ordered_list":
            return [_list_item(item, "numbered_list_item") for item in node.children]
        case "blockquote":
            return [_lead(node.children, "quote")]
        case "fence" | "code_block":
            code = Span(text=node.content.removesuffix("\n"))
            return [Block(kind="code", spans=(code,), language=language_of(node.info))]
        case "hr":
            return [Block(kind="divider")]
        case "table":
            return [_table(node)]
        case _:  # nothing else is enabled; were it, its text must not be lost
            return [Block(kind="paragraph", spans=(Span(text=node.content),)), *_blocks(node.children)]


def _lead(nodes: Sequence[SyntaxTreeNode], kind: str) -> Block:
    """A block that starts with the first paragraph among *nodes* and has the rest below it."""
    if nodes and nodes[0].type == "paragraph":
        return Block(kind=kind, spans=_text_in(nodes[0]), children=tuple(_blocks(nodes[1:])))
    return Block(kind=kind, children=tuple(_blocks(nodes)))


def _list_item(item: SyntaxTreeNode, kind: str) -> Block:
    block = _lead(item.children, kind)
    if not block.spans or (task := _TASK.match(block.spans[0].text)) is None:
        return block
    rest = block.spans[0].text[task.end() :]
    spans = (replace(block.spans[0], text=rest), *block.spans[1:]) if rest else block.spans[1:]
    return replace(block, kind="to_do", spans=spans, checked=task[1] != " ")


def _table(table: SyntaxTreeNode) -> Block:
    rows = [row for section in table.children for row in section.children]
    return Block(
        kind="table",
        header=True,
        children=tuple(Block(kind="table_row", cells=tuple(_text_in(cell) for cell in row.children)) for row in rows),
    )


def _text_in(node: SyntaxTreeNode) -> tuple[Span, ...]:
    """The text of a block whose only child is inline text, if it has any."""
    return tuple(span for inline in node.children for span in _spans(inline.children, Span(text="")))


def _spans(nodes: Iterable[SyntaxTreeNode], style: Span) -> Iterator[Span]:
    for node in nodes:
        match node.type:
            case "softbreak" | "hardbreak":
                yield replace(style, text="\n")
            case "code_inline":
                yield replace(style, text=node.content, code=True)
            case "strong":
                yield from _spans(node.children, replace(style, bold=True))
            case "em":
                yield from _spans(node.children, replace(style, italic=True))
            case "s":
                yield from _spans(node.children, replace(style, strikethrough=True))
            case "link":
                yield from _spans(node.children, replace(style, link=_link(node, "href") or style.link))
            case "image":
                text = node.content or str(node.attrs.get("src", ""))
                yield replace(style, text=text, link=_link(node, "src") or style.link)
            case _:
                yield replace(style, text=node.content)


def _link(node: SyntaxTreeNode, attribute: str) -> str | None:
    url = str(node.attrs.get(attribute, ""))
    return url if usable_link(url) else None
