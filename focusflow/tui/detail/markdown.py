"""How does Markdown, finished or still being written, look in a terminal?

Line by line and tolerantly: nothing in a text can fail, open a link or cost more time than its length deserves.
"""

import re
from collections.abc import Iterable, Iterator

from msgspec import Struct
from msgspec.structs import replace

from focusflow.tui.detail.paragraphs import Paragraph, Span, paragraph, shifted
from focusflow.tui.detail.texts import lines_of, parts_of

LINES_SHOWN = 20_000

_HEADING = re.compile(r" {0,3}(#{1,6})\s+(.*?)\s*#*$")
_RULE = re.compile(r" {0,3}([-*_])(?:\s*\1){2,}\s*$")
_ITEM = re.compile(r"( *)([-*+]|\d{1,9}[.)])\s+(\[[ xX]\]\s+)?(.*)$")
_QUOTE = re.compile(r" {0,3}((?:>\s?)+)(.*)$")
_FENCE = re.compile(r" {0,3}(```|~~~)")
_TABLE_RULE = re.compile(r"\s*\|?[\s:|-]*-[\s:|-]*$")


class Signs(Struct, frozen=True, kw_only=True):
    """What lists and lines are drawn with."""

    bullet: str = "•"
    rule: str = "─"
    quote: str = "│"
    open_task: str = "☐"
    done_task: str = "☑"


ASCII_SIGNS = Signs(bullet="-", rule="-", quote="|", open_task="[ ]", done_task="[x]")


class Reader:
    """Reads Markdown that comes in pieces; every line that is whole is understood once."""

    def __init__(self, signs: Signs) -> None:
        self._signs = signs
        self._fence: str | None = None
        self._done: list[Paragraph] = []
        self._rest = ""

    def hear(self, text: str) -> list[Paragraph]:
        """Read on, and return what is whole now."""
        *lines, self._rest = f"{self._rest}{text}".split("\n")
        before = len(self._done)
        for line in lines:
            for part in lines_of(line) if line else [""]:
                self._read(part)
        return self._done[before:]

    @property
    def full(self) -> bool:
        """Whether there was more than is shown."""
        return len(self._done) >= LINES_SHOWN

    def paragraphs(self) -> list[Paragraph]:
        """Return everything so far; the line that is not finished is shown as if it were."""
        rest = [self._understood(part, self._fence) for part in lines_of(self._rest)] if self._rest else []
        return [*self._done, *(text for text in rest if text is not None)]

    def _read(self, line: str) -> None:
        if self.full:
            return
        shown = self._understood(line, self._fence)
        fence = _FENCE.match(line)
        if fence and self._fence in (None, fence[1]):
            self._fence = None if self._fence else fence[1]
        elif shown is not None:
            self._append(shown, heading=bool(_HEADING.match(line)) and self._fence is None)

    def _append(self, shown: Paragraph, *, heading: bool) -> None:
        blank_before = not self._done or not self._done[-1].text
        if not shown.text and blank_before:
            return
        if heading and not blank_before:
            self._done.append(Paragraph())
        self._done.append(shown)

    def _understood(self, line: str, fence: str | None) -> Paragraph | None:
        """Return how a line looks; None: it is not shown by itself."""
        if _FENCE.match(line):
            return None
        if fence is not None:
            return paragraph("  ", (line, "code"), hang=4)
        for pattern, draw in ((_HEADING, _heading), (_RULE, self._rule), (_ITEM, self._item), (_QUOTE, self._quote)):
            if match := pattern.match(line):
                return draw(match)
        if line.lstrip().startswith("|") or _TABLE_RULE.match(line):
            return None if _TABLE_RULE.match(line) and line.strip() else _table_row(line)
        return inline(line.strip())

    def _rule(self, _: re.Match[str]) -> Paragraph:
        return paragraph((self._signs.rule * 24, "quiet"))

    def _item(self, match: re.Match[str]) -> Paragraph:
        indent, mark, task, text = match.groups()
        sign = mark if mark[0].isdigit() else self._signs.bullet
        if task:
            sign = self._signs.done_task if task[1] in "xX" else self._signs.open_task
        lead = f"{' ' * min(len(indent), 12)}{sign} "
        return _led(lead, "quiet", inline(text))

    def _quote(self, match: re.Match[str]) -> Paragraph:
        depth = min(match[1].count(">"), 5)
        body = inline(match[2])
        return _led(f"{self._signs.quote} " * depth, "quote", body)


def _heading(match: re.Match[str]) -> Paragraph:
    body = inline(match[2])
    return replace(body, spans=(Span(0, len(body.text), "heading"),))


def _led(lead: str, style: str, body: Paragraph) -> Paragraph:
    """Return *body* after a sign, its later rows under its first."""
    spans = (Span(0, len(lead), style), *shifted(body.spans, len(lead)))
    return Paragraph(text=lead + body.text, spans=spans, hang=len(lead))


def _table_row(line: str) -> Paragraph:
    cells = [cell.strip() for cell in line.strip().strip("|").split("|")]
    return inline("   ".join(cells))


_INLINE = re.compile(
    r"\\(?P<escaped>[\\`*_{}\[\]()#+.!~>|-])"
    r"|`(?P<code>[^`]{1,500})`"
    r"|\*\*(?P<bold>[^\s*](?:[^*]{0,998}[^\s*])?)\*\*"
    r"|__(?P<strong>[^\s_](?:[^_]{0,998}[^\s_])?)__"
    r"|(?<![\w*])\*(?P<star>[^\s*](?:[^*]{0,498}[^\s*])?)\*(?![\w*])"
    r"|(?<![\w_])_(?P<under>[^\s_](?:[^_]{0,498}[^\s_])?)_(?![\w_])"
    r"|!?\[(?P<text>[^\[\]]{0,300})\]\((?P<url>[^()\s]{0,500})\)"
)


def inline(text: str) -> Paragraph:
    """Return a line with its emphasis, code and links; a link's address is written out, since nothing here is clicked."""
    return paragraph(*_pieces(text))


def _pieces(text: str) -> Iterator[str | tuple[str, str]]:
    at = 0
    for match in _INLINE.finditer(text):
        yield text[at : match.start()]
        yield from _piece(match)
        at = match.end()
    yield text[at:]


def _piece(match: re.Match[str]) -> Iterator[str | tuple[str, str]]:
    match match.lastgroup:
        case "escaped":
            yield match["escaped"]
        case "code":
            yield match["code"], "code"
        case "bold" | "strong":
            yield match[match.lastgroup], "strong"
        case "url":
            if match["text"] and match["text"] != match["url"]:
                yield f"{match['text']} "
            yield match["url"], "link"
        case group:
            yield match[group or 0], "quote"


def read(markdown: str, signs: Signs) -> Iterator[Paragraph]:
    """Yield how a whole text looks."""
    reader = Reader(signs)
    for part in (part for line in markdown.rstrip().splitlines() for part in parts_of(line)):
        if reader.full:
            yield paragraph(("The rest is too long to be shown; Y copies all of it.", "quiet"))
            return
        yield from reader.hear(f"{part}\n")


def difference(old: Iterable[str], new: Iterable[str]) -> list[Paragraph]:
    """Return what changed between the lines of two texts, marked by sign and colour."""
    import difflib  # only when somebody compares

    rows = difflib.unified_diff(list(old)[:2_000], list(new)[:2_000], lineterm="", n=2)
    styles = {"+": "added", "-": "removed", "@": "quiet"}
    return [
        paragraph((line if line[0] != "@" else "...", styles.get(line[:1], "")), hang=2)
        for line in rows
        if not line.startswith(("+++", "---"))
    ]
