"""Would Notion take these blocks? The rules of every block type, nesting and size, and what is kept of a block."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from types import MappingProxyType
from typing import Any, Final, Literal

from msgspec import Struct, field

from focusflow.sandbox.notion.errors import Json
from focusflow.sandbox.notion.text import stored_rich_text
from focusflow.sandbox.notion.validation import (
    ABSENT,
    ARRAY_LIMIT,
    EXPRESSION_LIMIT,
    Path,
    Problems,
    check_array,
    check_boolean,
    check_choice,
    check_color,
    check_number,
    check_rich_text,
    check_string,
    check_url,
    is_object,
    only_keys,
)

ELEMENT_LIMIT: Final = 1000
DEEPEST_LEVEL: Final = 2
"""The top block is level 0; what stands at this level can't have children in the same request."""
DEEPEST_TABLE: Final = 1

# fmt: off
LANGUAGES: Final = (
    "abap", "abc", "agda", "arduino", "ascii art", "assembly", "bash", "basic", "bnf", "c", "c#", "c++", "clojure",
    "coffeescript", "coq", "css", "dart", "dhall", "diff", "docker", "ebnf", "elixir", "elm", "erlang", "f#", "flow",
    "fortran", "gherkin", "glsl", "go", "graphql", "groovy", "haskell", "hcl", "html", "idris", "java", "javascript",
    "json", "julia", "kotlin", "latex", "less", "lisp", "livescript", "llvm ir", "lua", "makefile", "markdown",
    "markup", "matlab", "mathematica", "mermaid", "nix", "notion formula", "objective-c", "ocaml", "pascal", "perl",
    "php", "plain text", "powershell", "prolog", "protobuf", "purescript", "python", "r", "racket", "reason", "ruby",
    "rust", "sass", "scala", "scheme", "scss", "shell", "smalltalk", "solidity", "sql", "swift", "toml", "typescript",
    "vb.net", "verilog", "vhdl", "visual basic", "webassembly", "xml", "yaml", "java/c/c++/c#",
)
# fmt: on

FieldCheck = Callable[[Problems, Path, Any], None]
Children = Literal["none", "any", "toggleable", "rows", "columns", "column"]


class BlockRule(Struct, frozen=True, kw_only=True):
    """What one type of block may carry."""

    children: Children = "none"
    required: Mapping[str, FieldCheck] = field(default_factory=dict)
    optional: Mapping[str, FieldCheck] = field(default_factory=dict)
    defaults: Mapping[str, Any] = field(default_factory=dict)
    fixed: frozenset[str] = frozenset()
    """What can be said at creation only."""


def _check_width(problems: Problems, path: Path, value: Any) -> None:
    if not isinstance(value, int) or isinstance(value, bool) or not 1 <= value <= ARRAY_LIMIT:
        problems.should_be(path, f"a number between `1` and `{ARRAY_LIMIT}`", value)


def _check_language(problems: Problems, path: Path, value: Any) -> None:
    check_choice(problems, path, value, LANGUAGES)


def _check_expression(problems: Problems, path: Path, value: Any) -> None:
    check_string(problems, path, value, most=EXPRESSION_LIMIT)


def _check_cells(problems: Problems, path: Path, value: Any) -> None:
    for index, cell in enumerate(check_array(problems, path, value)):
        check_rich_text(problems, f"{path}[{index}]", cell)


def _check_external(problems: Problems, path: Path, value: Any) -> None:
    if is_object(problems, path, value):
        only_keys(problems, path, value, {"url"})
        check_url(problems, f"{path}.url", value.get("url", ABSENT))


def check_icon(problems: Problems, path: Path, value: Any) -> None:
    """Check an icon: an emoji, an external picture, or null."""
    if value is None or not is_object(problems, path, value):
        return
    only_keys(problems, path, value, {"type", "emoji", "external"})
    if "external" in value:
        _check_external(problems, f"{path}.external", value["external"])
    elif check_string(problems, f"{path}.emoji", value.get("emoji", ABSENT)) and not value["emoji"]:
        problems.should_be(f"{path}.emoji", "a valid emoji", value["emoji"])


def check_cover(problems: Problems, path: Path, value: Any) -> None:
    """Check a cover: an external picture, or null."""
    if value is not None and is_object(problems, path, value):
        only_keys(problems, path, value, {"type", "external"})
        _check_external(problems, f"{path}.external", value.get("external", ABSENT))


def stored_icon(icon: Json | None) -> Json | None:
    """An icon or cover as it is answered: with its type."""
    if icon is None:
        return None
    kind = "external" if "external" in icon else "emoji"
    return {"type": kind, kind: icon[kind]}


def _text_block(children: Children = "any", /, **more: tuple[FieldCheck, Any]) -> BlockRule:
    return BlockRule(
        children=children,
        required={"rich_text": check_rich_text},
        optional={"color": check_color} | {name: check for name, (check, _) in more.items()},
        defaults={name: default for name, (_, default) in more.items()} | {"color": "default"},
    )


_FILE: Final = BlockRule(
    required={"external": _check_external},
    optional={
        "caption": check_rich_text,
        "type": lambda problems, path, value: check_choice(problems, path, value, ("external",)),
    },
    defaults={"caption": [], "type": "external"},
)
_LINK: Final = BlockRule(required={"url": check_url}, optional={"caption": check_rich_text}, defaults={"caption": []})

BLOCKS: Final[Mapping[str, BlockRule]] = MappingProxyType(
    {
        "embed": _LINK,
        "bookmark": _LINK,
        "image": _FILE,
        "video": _FILE,
        "pdf": _FILE,
        "file": _FILE,
        "audio": _FILE,
        "code": BlockRule(
            required={"rich_text": check_rich_text, "language": _check_language},
            optional={"caption": check_rich_text},
            defaults={"caption": []},
        ),
        "equation": BlockRule(required={"expression": _check_expression}),
        "divider": BlockRule(),
        "breadcrumb": BlockRule(),
        "table_of_contents": BlockRule(optional={"color": check_color}, defaults={"color": "default"}),
        "column_list": BlockRule(children="columns"),
        "column": BlockRule(children="column", optional={"width_ratio": check_number}),
        "heading_1": _text_block("toggleable", is_toggleable=(check_boolean, False)),
        "heading_2": _text_block("toggleable", is_toggleable=(check_boolean, False)),
        "heading_3": _text_block("toggleable", is_toggleable=(check_boolean, False)),
        "heading_4": _text_block("toggleable", is_toggleable=(check_boolean, False)),
        "paragraph": _text_block(icon=(check_icon, None)),
        "bulleted_list_item": _text_block(),
        "numbered_list_item": _text_block(),
        "quote": _text_block(),
        "to_do": _text_block(checked=(check_boolean, False)),
        "toggle": _text_block(),
        "callout": _text_block(icon=(check_icon, {"type": "emoji", "emoji": "💡"})),
        "table": BlockRule(
            children="rows",
            required={"table_width": _check_width},
            optional={"has_column_header": check_boolean, "has_row_header": check_boolean},
            defaults={"has_column_header": False, "has_row_header": False},
            fixed=frozenset({"table_width"}),
        ),
        "table_row": BlockRule(required={"cells": _check_cells}),
    }
)
"""The block types the sandbox knows; the real Notion has a few more (synced blocks, templates, tabs)."""
FREE_KINDS: Final = tuple(kind for kind in BLOCKS if kind not in ("table_row", "column"))
"""What may stand under any block that takes children."""


def may_have_children(kind: str, payload: Json) -> bool:
    """Whether a block can have children of its own: a heading only if it is toggleable."""
    rule = BLOCKS[kind].children
    return rule != "none" and (rule != "toggleable" or payload.get("is_toggleable") is True)


def fits_under(parent_kind: str | None, kind: str) -> bool:
    """Whether a *kind* may stand directly under a block of *parent_kind* (None: a page)."""
    if parent_kind == "table":
        return kind == "table_row"
    if parent_kind == "column_list":
        return kind == "column"
    return kind not in ("table_row", "column")


def check_children(problems: Problems, path: Path, children: Any) -> None:
    """Check the blocks of one request: each array, each block, the nesting and the number of them all."""
    _check_blocks(problems, path, children, level=0, kinds=tuple(BLOCKS))
    if (elements := count_elements(children)) > ELEMENT_LIMIT:
        problems.should_be(path, f"at most `{ELEMENT_LIMIT}` block elements in total", elements)


def count_elements(children: Any) -> int:
    """How many blocks there are at all depths of *children*, as it came in."""
    if not isinstance(children, list):
        return 0
    payloads = (block.get(kind) for block in children if isinstance(block, dict) for kind in BLOCKS if kind in block)
    return len(children) + sum(
        count_elements(payload.get("children")) for payload in payloads if isinstance(payload, dict)
    )


def _check_blocks(problems: Problems, path: Path, blocks: Any, *, level: int, kinds: tuple[str, ...]) -> None:
    for index, block in enumerate(check_array(problems, path, blocks)):
        _check_block(problems, f"{path}[{index}]", block, level=level, kinds=kinds)


def _check_block(problems: Problems, path: Path, block: Any, *, level: int, kinds: tuple[str, ...]) -> None:
    if not is_object(problems, path, block):
        return
    kind = next((kind for kind in kinds if kind in block), None)
    if kind is None:
        for expected in kinds:
            problems.should_be(f"{path}.{expected}", "defined")
        return
    only_keys(problems, path, block, {"object", "type", kind})
    if "object" in block:
        check_choice(problems, f"{path}.object", block["object"], ("block",))
    if "type" in block:
        check_choice(problems, f"{path}.type", block["type"], (kind,))
    if (kind == "table" and level > DEEPEST_TABLE) or (kind == "column_list" and level > 0):
        problems.should_be(f"{path}.{kind}", "not present", block[kind])
    elif is_object(problems, f"{path}.{kind}", block[kind]):
        _check_payload(problems, f"{path}.{kind}", kind, block[kind], level)


def _check_payload(problems: Problems, path: Path, kind: str, payload: Json, level: int) -> None:
    rule = BLOCKS[kind]
    only_keys(problems, path, payload, {*rule.required, *rule.optional, "children"})
    for name in rule.required:
        if name not in payload:
            problems.should_be(f"{path}.{name}", "defined")
    _check_fields(problems, path, rule, payload)
    children = payload.get("children", ABSENT)
    if rule.children in ("rows", "columns"):
        _check_members(problems, path, rule, payload, level)
    elif children is not ABSENT and (level >= DEEPEST_LEVEL or not may_have_children(kind, payload)):
        problems.should_be(f"{path}.children", "not present", children)
    elif children is not ABSENT:
        _check_blocks(problems, f"{path}.children", children, level=level + 1, kinds=FREE_KINDS)


def _check_fields(problems: Problems, path: Path, rule: BlockRule, payload: Json) -> None:
    for name, check in {**rule.required, **rule.optional}.items():
        if name in payload:
            check(problems, f"{path}.{name}", payload[name])


def _check_members(problems: Problems, path: Path, rule: BlockRule, payload: Json, level: int) -> None:
    """Rows and columns come with their table or list, at least one of them."""
    if "children" not in payload:
        problems.should_be(f"{path}.children", "defined")
        return
    children = payload["children"]
    if children == []:
        problems.should_be(f"{path}.children.length", "≥ `1`", 0)
    kinds = ("table_row",) if rule.children == "rows" else ("column",)
    _check_blocks(problems, f"{path}.children", children, level=level, kinds=kinds)
    if rule.children == "rows" and isinstance(children, list):
        _check_row_widths(problems, path, payload.get("table_width"), children)


def _check_row_widths(problems: Problems, path: Path, width: Any, rows: list[Any]) -> None:
    for index, row in enumerate(rows):
        payload = row.get("table_row") if isinstance(row, dict) else None
        cells = payload.get("cells") if isinstance(payload, dict) else None
        if isinstance(cells, list) and len(cells) != width:
            where = f"{path}.children[{index}].table_row.cells.length"
            problems.should_be(where, f"`{width}`, the table_width of its table", len(cells))


def check_block_update(problems: Problems, path: Path, kind: str, payload: Any) -> None:
    """Check what a block update says about its *kind*: everything optional, no children, nothing fixed."""
    if not is_object(problems, path, payload):
        return
    rule = BLOCKS[kind]
    only_keys(problems, path, payload, {*rule.required, *rule.optional} - rule.fixed)
    _check_fields(problems, path, rule, payload)


def rich_text_in(children: Iterable[Json]) -> Iterator[Json]:
    """Every rich text item at all depths of well-formed *children*."""
    for block in children:
        for kind in BLOCKS:
            if kind in block:
                yield from rich_text_of(block[kind])
                yield from rich_text_in(block[kind].get("children", ()))


def rich_text_of(payload: Json) -> Iterator[Json]:
    """Every rich text item in one block's payload."""
    yield from payload.get("rich_text", ())
    yield from payload.get("caption", ())
    for cell in payload.get("cells", ()):
        yield from cell


def kind_of(block: Json) -> str:
    """The type of a well-formed block in a request."""
    return next(kind for kind in BLOCKS if kind in block)


def stored_payload(kind: str, payload: Json) -> Json:
    """What Notion keeps of a new block: the given fields and the defaults, without the children."""
    return {**BLOCKS[kind].defaults, **stored_fields(payload)}


def stored_fields(payload: Json) -> Json:
    """The given fields as they are kept: rich text spelled out."""
    return {name: _stored_field(name, value) for name, value in payload.items() if name != "children"}


def _stored_field(name: str, value: Any) -> Any:
    if name in ("rich_text", "caption"):
        return stored_rich_text(value)
    if name == "cells":
        return [stored_rich_text(cell) for cell in value]
    return stored_icon(value) if name == "icon" else value
