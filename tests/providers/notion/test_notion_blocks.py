"""Does every text, however odd, become requests that Notion takes, with not a word lost?"""

import json
from collections.abc import Iterable, Iterator
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from focusflow.domain.transcript import Transcript, Utterance
from focusflow.providers.notion.blocks import Block, Span, as_json, fit, packed, plain_text, weigh
from focusflow.providers.notion.diff import common
from focusflow.providers.notion.languages import language_of
from focusflow.providers.notion.markdown import blocks_from, usable_link
from focusflow.providers.notion.text import clean, split_text, utf16_length
from focusflow.providers.notion.transcript import clock_time, transcript_blocks
from focusflow.providers.notion.wanted import page_body

# ------------------------------------------------------- an independent reading of Notion's limits (from its documents)

TEXTUAL = (
    *("paragraph", "quote", "toggle", "to_do", "code", "bulleted_list_item", "numbered_list_item"),
    *("heading_1", "heading_2", "heading_3", "heading_4"),
)
PARENTS = {"paragraph", "quote", "toggle", "to_do", "bulleted_list_item", "numbered_list_item"}


def assert_valid(blocks: list[dict[str, Any]]) -> None:
    """Fail unless Notion takes *blocks* as the children of one request."""
    assert len(json.dumps({"children": blocks}, ensure_ascii=False).encode()) <= 450_000
    assert _elements(blocks) <= 1000
    _assert_array(blocks, level=0)


def _elements(blocks: list[dict[str, Any]]) -> int:
    return sum(1 + _elements(block[block["type"]].get("children", [])) for block in blocks)


def _assert_array(blocks: list[dict[str, Any]], level: int) -> None:
    assert len(blocks) <= 100
    for block in blocks:
        kind, payload = block["type"], block[block["type"]]
        assert set(block) == {"type", kind}
        if kind == "table":
            _assert_table(payload, level)
            continue
        if kind == "divider":
            assert payload == {}
            continue
        assert kind in TEXTUAL
        _assert_rich_text(payload["rich_text"])
        if "children" in payload:
            assert kind in PARENTS
            assert level < 2
            _assert_array(payload["children"], level + 1)


def _assert_table(table: dict[str, Any], level: int) -> None:
    assert level <= 1
    assert 1 <= table["table_width"] <= 100
    assert 1 <= len(table["children"]) <= 100
    for row in table["children"]:
        assert row["type"] == "table_row"
        assert len(row["table_row"]["cells"]) == table["table_width"]
        for cell in row["table_row"]["cells"]:
            _assert_rich_text(cell)


def _assert_rich_text(items: list[dict[str, Any]]) -> None:
    assert len(items) <= 100
    for item in items:
        content = item["text"]["content"]
        content.encode()  # no half of a surrogate pair
        assert 0 < len(content.encode("utf-16-le")) // 2 <= 2000
        link = item["text"].get("link")
        assert link is None or (
            link["url"].lower().startswith(("http://", "https://", "mailto:")) and len(link["url"]) <= 2000
        )


def requests_of(blocks: Iterable[Block]) -> list[list[dict[str, Any]]]:
    return [[as_json(block) for block in batch] for batch in packed(fit(blocks), weigh)]


# ---------------------------------------------------------------------------------------------------------------- text

ODD = st.sampled_from(
    [
        "é",
        "e\u0301",
        "👨‍👩‍👧‍👦",
        "🇩🇪",
        "👍🏽",
        "कर्म",
        "한국",
        "각",
        "a\u0300\u0301\u0302",
        "\ud800",
        "\0",
        "\u200d",
        "🏴󠁧󠁢󠁥󠁮󠁧󠁿",
        "️",
        "\r\n",
        "\x85",
    ]
)
PIECES = st.lists(ODD | st.text(max_size=30), max_size=40).map("".join)
ANY_TEXT = PIECES | st.builds(
    lambda unit, times: unit * times, ODD | st.text(min_size=1, max_size=3), st.integers(1, 3000)
)


@settings(deadline=None)
@given(text_and_limit=st.tuples(PIECES, st.integers(2, 60)) | st.tuples(ANY_TEXT, st.just(1900)))
@example(text_and_limit=("a" * 1899 + "😀", 1900))
def test_pieces_fit_and_join_to_the_text(text_and_limit: tuple[str, int]) -> None:
    """No limit is passed, no character lost, nothing invisible or unsendable left in."""
    text, limit = text_and_limit
    cleaned = clean(text)
    pieces = split_text(cleaned, limit)
    assert "".join(pieces) == cleaned
    assert all(0 < utf16_length(piece) <= limit for piece in pieces)
    assert clean(cleaned) == cleaned


@pytest.mark.parametrize(
    "grapheme",
    ["é", "👨‍👩‍👧‍👦", "🇩🇪", "👍🏽", "क्ष", "\uac01", "\u1100\u1161\u11a8", "🏴󠁧󠁢󠁥󠁮󠁧󠁿", "❤️", "a\u0300\u0301\u0302"],
)
@pytest.mark.parametrize("offset", range(8))
def test_a_grapheme_is_never_torn(grapheme: str, offset: int) -> None:
    """Families, flags, skin tones, accents and syllables stay whole wherever the limit falls."""
    text = "x" * offset + grapheme * 60
    for piece in split_text(text, 40):
        assert piece.removeprefix("x" * offset).replace(grapheme, "") == ""


def test_a_cut_prefers_a_blank() -> None:
    """Words stay whole where there are any."""
    pieces = split_text("word " * 1000)
    assert all(piece.endswith("word ") for piece in pieces)


def test_a_monstrous_grapheme_is_cut_after_all() -> None:
    """Thousands of accents on one letter are no reason to fail."""
    text = "a" + "\u0301" * 5000
    assert "".join(split_text(text)) == text


# -------------------------------------------------------------------------------------------------------------- blocks

SHORT_TEXT = PIECES | st.builds(lambda unit, times: unit * times, ODD, st.integers(900, 2100))
SPANS = st.lists(
    st.builds(Span, text=SHORT_TEXT, bold=st.booleans(), link=st.none() | st.just("https://example.com/x")), max_size=3
).map(tuple)
ROWS = st.lists(
    st.builds(Block, kind=st.just("table_row"), cells=st.lists(SPANS, max_size=4).map(tuple)), min_size=1, max_size=5
).map(tuple)
LEAVES = st.one_of(
    st.builds(Block, kind=st.sampled_from(TEXTUAL), spans=SPANS),
    st.builds(Block, kind=st.just("table"), children=ROWS, header=st.booleans()),
    st.just(Block(kind="divider")),
)
TREES = st.recursive(
    LEAVES,
    lambda below: st.builds(
        Block, kind=st.sampled_from(sorted(PARENTS)), spans=SPANS, children=st.lists(below, max_size=4).map(tuple)
    ),
    max_leaves=12,
)


def _all_text(blocks: Iterable[Block]) -> str:
    return "".join(plain_text(block) for block in blocks)


@settings(max_examples=100, deadline=None)
@given(blocks=st.lists(TREES, max_size=3))
def test_any_blocks_become_valid_requests_with_the_same_text(blocks: list[Block]) -> None:
    """Whatever the nesting and the size: every request is valid, and the text is the same, in order."""
    for request in requests_of(blocks):
        assert_valid(request)
    assert _all_text(fit(blocks)).replace(" | ", "") == "".join(map(clean, _texts(blocks))).replace(" | ", "")


def _texts(blocks: Iterable[Block]) -> Iterator[str]:
    for block in blocks:
        yield from (span.text for span in block.spans)
        yield from (span.text for cell in block.cells for span in cell)
        yield from _texts(block.children)


def _item(text: str, *children: Block) -> Block:
    return Block(kind="bulleted_list_item", spans=(Span(text=text),), children=children)


def _table(columns: int, rows: int, cell: str) -> Block:
    cells = tuple((Span(text=cell),) for _ in range(columns))
    return Block(kind="table", children=tuple(Block(kind="table_row", cells=cells) for _ in range(rows)), header=True)


@pytest.mark.parametrize(
    ("block", "blocks_at_the_top"),
    [
        pytest.param(_item("a", *(_item(str(n)) for n in range(250))), 151, id="more children than an array takes"),
        pytest.param(
            _item("a", *(_item(str(n), *(_item("x") for _ in range(40))) for n in range(40))),
            41,
            id="too many elements",
        ),
        pytest.param(_item("a", *(_item("ж" * 20_000) for _ in range(9))), 10, id="too many bytes"),
        pytest.param(_item("a", _item("b", _item("c", _item("d", _item("e"))))), 1, id="too deep"),
        pytest.param(_item("a", _item("b", _table(2, 2, "x"))), 1, id="a table too deep"),
        pytest.param(_table(3, 250, "x"), 3, id="a long table"),
        pytest.param(_table(120, 2, "x"), 2, id="a wide table"),
        pytest.param(_table(40, 2, "ж" * 2000), 6, id="a table of novels"),
        pytest.param(_table(0, 2, "x"), 0, id="an empty table"),
        pytest.param(Block(kind="to_do", spans=(Span(text="ж" * 300_000),)), 12, id="a to-do that is a book"),
        pytest.param(Block(kind="code", spans=(Span(text="x\n" * 300_000),)), 17, id="code that is a book"),
        pytest.param(
            Block(kind="heading_2", spans=tuple(Span(text=str(n), bold=n % 2 == 0) for n in range(250))),
            3,
            id="250 styles",
        ),
    ],
)
def test_what_is_too_much_is_spread(block: Block, blocks_at_the_top: int) -> None:
    """Each limit, passed on its own, costs structure, never text."""
    fitted = fit([block])
    assert len(fitted) == blocks_at_the_top
    for request in requests_of([block]):
        assert_valid(request)
    assert _all_text(fitted).replace(" | ", "") == _all_text([block])


def test_only_the_first_piece_of_a_long_heading_or_to_do_is_one() -> None:
    """A cut to-do is one to-do, and a table has one header."""
    kinds = [piece.kind for piece in fit([Block(kind="to_do", spans=(Span(text="x" * 200_000),))])]
    assert kinds == ["to_do", "paragraph", "paragraph", "paragraph"]
    assert [piece.header for piece in fit([_table(2, 150, "x")])] == [True, False]
    assert {piece.kind for piece in fit([Block(kind="code", spans=(Span(text="x" * 200_000),))])} == {"code"}


# ------------------------------------------------------------------------------------------------------------ markdown

WORD = st.from_regex(r"[a-zé電]{1,8}", fullmatch=True)
LINE = st.lists(
    WORD | WORD.map("**{}**".format) | WORD.map("*{}*".format) | WORD.map("~~{}~~".format), min_size=1, max_size=8
).map(" ".join)


def _nested(lines: list[tuple[int, str]]) -> str:
    deepest = -1
    text = []
    for depth, line in lines:
        deepest = min(depth, deepest + 1)
        text.append("  " * deepest + "- " + line)
    return "\n".join(text)


SECTION = st.one_of(
    LINE,
    st.tuples(st.integers(1, 6), LINE).map(lambda pair: "#" * pair[0] + " " + pair[1]),
    st.lists(st.tuples(st.integers(0, 6), LINE), min_size=1, max_size=8).map(_nested),
    LINE.map("> {}".format),
    LINE.map("```python\n{}\n```".format),
    LINE.map("- [ ] {}".format),
    st.lists(WORD, min_size=2, max_size=4).map(
        lambda cells: "| " + " | ".join(cells) + " |\n" + "|---" * len(cells) + "|\n| " + " | ".join(cells) + " |"
    ),
)


@settings(max_examples=80, deadline=None)
@given(sections=st.lists(SECTION, max_size=8))
def test_no_word_of_a_summary_is_lost(sections: list[str]) -> None:
    """Every word that the model wrote stands on the page, in its order."""
    markdown = "\n\n".join(sections)
    wanted = [word for word in _words(markdown) if word != "python"]
    assert [word for word in _words(" ".join(_texts(fit(blocks_from(markdown))))) if word != "python"] == wanted
    for request in requests_of(blocks_from(markdown)):
        assert_valid(request)


def _words(text: str) -> list[str]:
    return "".join(char if char.isalpha() else " " for char in text).split()


@settings(max_examples=200, deadline=None)
@given(markdown=ANY_TEXT | st.text(alphabet='ab *_`[]()<>!#->|~\\\n\t0.x:/&;"', max_size=300))
@example(markdown="> " * 300 + "deep")
@example(markdown="- " * 300 + "deep")
@example(markdown="[a](https://)")
def test_any_markdown_makes_valid_requests(markdown: str) -> None:
    """A model may answer anything."""
    for request in requests_of(blocks_from(markdown)):
        assert_valid(request)


def _one(markdown: str) -> Block:
    (block,) = blocks_from(markdown)
    return block


@pytest.mark.parametrize(
    ("markdown", "kind", "text"),
    [
        ("# a", "heading_1", "a"),
        ("#### a", "heading_4", "a"),
        ("###### a", "heading_4", "a"),
        ("- [ ] a", "to_do", "a"),
        ("- [X] a", "to_do", "a"),
        ("- [ ]", "to_do", ""),
        ("- [y] a", "bulleted_list_item", "[y] a"),
        ("1) a", "numbered_list_item", "a"),
        ("> a", "quote", "a"),
        ("---", "divider", ""),
        ("    a", "code", "a"),
        ("a  \nb", "paragraph", "a\nb"),
        ("a\nb", "paragraph", "a\nb"),
        ("<script>x</script>", "paragraph", "<script>x</script>"),
        ("a <b>c</b>", "paragraph", "a <b>c</b>"),
        ("![alt](https://e.org/x.png)", "paragraph", "alt"),
        ("![](https://e.org/x.png)", "paragraph", "https://e.org/x.png"),
        ("&amp; \\*", "paragraph", "& *"),
    ],
)
def test_each_kind_of_markdown_has_its_block(markdown: str, kind: str, text: str) -> None:
    """Headings to the fourth level, to-dos, quotes, rules, breaks; HTML is text."""
    block = _one(markdown)
    assert (block.kind, plain_text(block)) == (kind, text)


def test_styles_nest_and_links_keep_them() -> None:
    """Bold in a link in italics is all three."""
    styled = [span for span in _one("*a [**b**](https://e.org) c*").spans if span.bold]
    assert styled == [Span(text="b", bold=True, italic=True, link="https://e.org")]


def test_an_item_without_a_first_paragraph_keeps_what_it_has() -> None:
    """A list whose item starts with a list, and one with code below its text."""
    item = _one("- - inner")
    assert (item.kind, item.spans, plain_text(item)) == ("bulleted_list_item", (), "inner")
    assert [child.kind for child in _one("- a\n\n  ```\n  b\n  ```").children] == ["code"]


@pytest.mark.parametrize(
    ("url", "usable"),
    [
        ("https://e.org/x?y#z", True),
        ("HTTP://e.org", True),
        ("mailto:a@b.c", True),
        ("https://", False),
        ("mailto:x", False),
        ("tel:+49", False),
        ("javascript:alert(1)", False),
        ("/relative", False),
        ("https://e.org/ x", False),
        ("https://e.org/" + "x" * 2000, False),
    ],
)
def test_only_links_that_notion_takes_are_links(url: str, usable: bool) -> None:
    """One bad link would cost the whole request; its text stays."""
    assert usable_link(url) is usable
    assert _one(f"[text](<{url}>)").spans[0].link == (
        url.replace(" ", "%20") if usable else _one(f"[text](<{url}>)").spans[0].link
    )


@pytest.mark.parametrize(
    ("info", "language"),
    [("py title=x", "python"), ("C++", "c++"), ("klingon", "plain text"), ("", "plain text"), ("YAML", "yaml")],
)
def test_a_code_fence_names_a_language_that_notion_has(info: str, language: str) -> None:
    """Aliases are known, the unknown is plain text."""
    assert language_of(info) == language
    assert _one(f"```{info}\nx\n```").language == language


# ---------------------------------------------------------------------------------------------------------- transcript

UTTERANCES = st.lists(
    st.builds(
        Utterance,
        speaker=st.none() | st.sampled_from("ABC"),
        start_ms=st.integers(0, 10**8),
        end_ms=st.just(0),
        text=ANY_TEXT,
    ),
    max_size=30,
).map(tuple)


def _transcript(utterances: tuple[Utterance, ...], text: str = "") -> Transcript:
    return Transcript(
        text=text, utterances=utterances, language=None, duration_seconds=None, model=None, speakers={"A": "Ann"}
    )


@settings(max_examples=100, deadline=None)
@given(utterances=UTTERANCES, text=ANY_TEXT)
def test_every_turn_stands_in_the_transcript_once_and_in_order(utterances: tuple[Utterance, ...], text: str) -> None:
    """Any length, any script; the blocks join to the turns."""
    blocks = transcript_blocks(_transcript(utterances, text))
    turns = [_turn(utterance) for utterance in utterances] or [clean(text).strip()]
    assert _all_text(fit(blocks)).replace("\n", "") == "".join(turns).replace("\n", "")
    for request in requests_of(blocks):
        assert_valid(request)


def _turn(utterance: Utterance) -> str:
    names = {"A": "Ann  ", "B": "Speaker B  ", "C": "Speaker C  ", None: ""}
    return f"{names[utterance.speaker]}{clock_time(utterance.start_ms)}  {clean(utterance.text).strip()}"


def test_four_thousand_turns_are_eighty_blocks_in_three_requests() -> None:
    """Fifty turns to a paragraph, and every request below the limits."""
    turn = Utterance(
        speaker="A", start_ms=0, end_ms=0, text="a sentence of the usual length, said by somebody to another"
    )
    (toggle,) = page_body("", _transcript((turn,) * 4000))
    batches = list(packed(toggle.inner, lambda unit: unit.weight))
    assert (len(toggle.inner), len(batches)) == (80, 3)
    for batch in batches:
        assert_valid([unit.json for unit in batch])


def test_a_call_without_words_has_no_transcript() -> None:
    """A pocket dial is a page with a summary, or with nothing."""
    assert page_body("", _transcript(())) == ()


@pytest.mark.parametrize(("ms", "shown"), [(0, "0:00"), (59_999, "0:59"), (3_599_000, "59:59"), (3_661_000, "1:01:01")])
def test_a_moment_is_shown_as_players_do(ms: int, shown: str) -> None:
    """Minutes and seconds, hours when there are any."""
    assert clock_time(ms) == shown


# ---------------------------------------------------------------------------------------------------------------- diff


@settings(deadline=None)
@given(left=st.lists(st.sampled_from("abc"), max_size=12), right=st.lists(st.sampled_from("abc"), max_size=12))
def test_the_common_part_is_common_ordered_and_longest(left: list[str], right: list[str]) -> None:
    """As long as a plain recursive definition says, and made of equal pairs in order."""
    pairs = common(left, right)
    assert all(left[i] == right[j] for i, j in pairs)
    assert pairs == sorted(pairs)
    assert len({i for i, _ in pairs}) == len({j for _, j in pairs}) == len(pairs)
    assert len(pairs) == _longest(tuple(left), tuple(right))


def _longest(left: tuple[str, ...], right: tuple[str, ...]) -> int:
    row = [0] * (len(right) + 1)
    for item in left:
        row = _next_row(row, item, right)
    return row[-1]


def _next_row(row: list[int], item: str, right: tuple[str, ...]) -> list[int]:
    following = [0]
    for index, other in enumerate(right):
        following.append(row[index] + 1 if item == other else max(row[index + 1], following[-1]))
    return following


def test_a_span_in_another_style_is_another_span() -> None:
    """Neighbours that look alike become one item; a style starts the next."""
    spans = (
        Span(text="a"),
        Span(text="b"),
        Span(text=""),
        Span(text="c", bold=True),
        replace(Span(text="d"), bold=True),
    )
    (block,) = fit([Block(kind="paragraph", spans=spans)])
    assert [(span.text, span.bold) for span in block.spans] == [("ab", False), ("cd", True)]
