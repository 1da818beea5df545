"""Which characters of the world's scripts may a terminal see, and what stands in the place of the others?"""

import re

MARKS_IN_A_ROW = 4
"""More combining marks than this on one letter are paint, not writing."""


def cleaned(text: str, limit: int, *, cut: bool, lines: bool) -> str:
    """Return *text* as `plain` promises it, ending in an ellipsis if it was *cut* or grows beyond *limit* characters."""
    used = set(text)  # few, in ten million characters: so what is wrong is looked for among the distinct ones
    text = _replaced(text, used, _IN_LINES if lines else _IN_A_LINE)
    if cut or len(text) > limit:
        text = f"{text[: limit - 1]}…"
    if not used.isdisjoint(_INVISIBLE):
        text = _JOINERS.sub(_joined, text)
    if not used.isdisjoint(_MARKS):
        text = _MANY_MARKS.sub(r"\1", text)
    return text


def _replaced(text: str, used: set[str], table: dict[str, str]) -> str:
    text = text.replace("\r\n", "\n")
    found = table.keys() & used
    if len(found) > _MANY:
        return text.translate({ord(character): table[character] for character in found})
    for character in found:
        text = text.replace(character, table[character])
    return text


_MANY = 16


def _members(characters: str) -> frozenset[str]:
    """Return what a regular expression's character class, without its brackets, holds."""
    found: set[str] = set()
    for start, end in re.findall(r"(?s)(.)(?:-(.))?", characters):
        found.update(map(chr, range(ord(start), ord(end or start) + 1)))
    return frozenset(found)


# what is replaced or removed wherever it stands
_LINE_ENDS = _members("\r\x0b\x0c\x85\u2028\u2029")
_BIDI = _members("\u061c\u200e\u200f\u202a-\u202e\u2066-\u206f")
_HIDDEN = _members(
    "\xad\u034f\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b\u2060-\u2065\u3164\ufeff\uffa0\ufff0-\ufffb"
    "\U0001bca0-\U0001bca3\U0001d173-\U0001d17a\U000e0000-\U000e001f\U000e0080-\U000e0fff"
)
_NOT_TEXT = _members("\x80-\x9f\ud800-\udfff\ufdd0-\ufdef") | {
    chr(plane * 0x10000 + last) for plane in range(17) for last in (0xFFFE, 0xFFFF)
}


def _table(**places: str) -> dict[str, str]:
    table = {chr(code): chr(0x2400 + code) for code in range(0x20)}
    table["\x7f"] = "\N{SYMBOL FOR DELETE}"
    table |= dict.fromkeys(_NOT_TEXT, "\N{REPLACEMENT CHARACTER}")
    table |= dict.fromkeys(_BIDI | _HIDDEN, "")
    table |= dict.fromkeys(_LINE_ENDS, places["line_end"]) | {"\t": places["tab"]}
    return table


_IN_A_LINE = _table(line_end="⏎", tab=" ") | {"\n": "⏎"}
_IN_LINES = _table(line_end="\n", tab="    ")
del _IN_LINES["\n"]

# what is right in some places only: joiners, variation selectors, the letters of a flag's name
_FLAG = "\U0001f3f4"
_TAGS = "\U000e0020-\U000e007f"
_SELECTORS = "\ufe00-\ufe0f"
_INVISIBLES = f"\u200c\u200d{_SELECTORS}{_TAGS}"
_INVISIBLE = _members(_INVISIBLES)
_JOINERS = re.compile(f"(?s)([^{_INVISIBLES}]?)([{_INVISIBLES}]+)(?=(.?))")
_JOINS = re.compile("[\u00a9\u00ae\u0620-\u064a\u0660-\u0e30\u0e80-\u1aaf\u1b00-\u1dbf\u1e00-\u1fff\u2100-\u2fff"
                    "\u3001-\ufdff\ufe70-\ufffc\U00010000-\U000dffff]")  # fmt: skip
_SELECTED = re.compile("[0-9#*\u00a9\u00ae\u2030-\u205e\u2100-\u2fff\u3001-\ufdff\U00010000-\U000dffff]")
_FLAG_NAME = re.compile("[\U000e0030-\U000e0039\U000e0061-\U000e007a]{1,6}\U000e007f")
_MARK = (
    "\u0300-\u036f\u0483-\u0489\u0591-\u05bd\u064b-\u065f\u0e31\u0e34-\u0e3a\u0e47-\u0e4e"
    "\u1ab0-\u1aff\u1dc0-\u1dff\u20d0-\u20ff\ufe20-\ufe2f"
)
_MARKS = _members(_MARK)
_MANY_MARKS = re.compile(f"([{_MARK}]{{{MARKS_IN_A_ROW}}})[{_MARK}]+")


def _joined(match: re.Match[str]) -> str:
    """Keep of a run of invisible characters what its neighbours need: a selector, a joiner, a flag's name."""
    before, run, after = match.groups()
    if before == _FLAG and (name := _FLAG_NAME.match(run)):
        return before + name[0]
    selector = run[0] if "\ufe00" <= run[0] <= "\ufe0f" and _SELECTED.match(before) else ""
    joiner = next((found for found in run if found in "\u200c\u200d"), "")
    if joiner and not (_JOINS.match(before) and _JOINS.match(after)):
        joiner = ""
    return before + selector + joiner
