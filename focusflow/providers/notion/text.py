"""Where may a text be cut so that Notion takes every piece and no reader sees the seam?"""

import re
import unicodedata
from typing import Final

PIECE_UNITS: Final = 1900
"""UTF-16 units in one rich text item; Notion refuses more than 2000."""
_LOOK_BACK: Final = 200
"""How far before the limit a blank, or the edge of a grapheme, is looked for."""

_LINE_BREAKS: Final = re.compile("\r\n|[\r\x0b\x0c\x85]")
_DROPPED: Final = re.compile("[\x00-\x08\x0e-\x1f\x7f-\x9f\ud800-\udfff\ufffe\uffff]")
_ZERO_WIDTH_JOINER: Final = "\u200d"
_VIRAMA: Final = 9
"""The combining class of the signs that join Indic consonants."""


def clean(text: str) -> str:
    """Drop what can't be sent or seen: control characters, halves of surrogate pairs. Line breaks become `\\n`."""
    return _DROPPED.sub("", _LINE_BREAKS.sub("\n", text))


def utf16_length(text: str) -> int:
    """Count *text* as Notion does: in UTF-16 units. It must be clean."""
    return len(text.encode("utf-16-le")) // 2


def split_text(text: str, limit: int = PIECE_UNITS) -> list[str]:
    """Cut clean *text* into pieces of at most *limit* (>= 2) UTF-16 units; joined they are *text* again.

    After a blank if one is near, never inside a surrogate pair, and inside a grapheme only if it is longer than 200.
    """
    if 2 * len(text) <= limit:
        return [text] if text else []
    pieces = []
    start = 0
    while start < len(text):
        end = _reach(text, start, limit)
        if end < len(text):
            end = _best_cut(text, start, end)
        pieces.append(text[start:end])
        start = end
    return pieces


def _reach(text: str, start: int, limit: int) -> int:
    end = min(start + limit, len(text))
    while (excess := utf16_length(text[start:end]) - limit) > 0:
        end -= (excess + 1) // 2
    return end


def _best_cut(text: str, start: int, end: int) -> int:
    near = range(end, max(start, end - _LOOK_BACK), -1)
    after_blanks = (cut for cut in near if text[cut - 1].isspace() and _may_cut(text, cut))
    between_graphemes = (cut for cut in near if _may_cut(text, cut))
    return next(after_blanks, None) or next(between_graphemes, end)


def _may_cut(text: str, cut: int) -> bool:
    before, after = text[cut - 1], text[cut]
    if _extends(after) or before == _ZERO_WIDTH_JOINER:
        return False
    if unicodedata.combining(before) == _VIRAMA and unicodedata.category(after) == "Lo":
        return False
    if _is_regional(before) and _is_regional(after):
        return _flags_end_at(text, cut)
    return not (_is_leading_jamo(before) and (_is_leading_jamo(after) or "가" <= after <= "힣"))


def _extends(char: str) -> bool:
    """Whether *char* belongs to the character before it."""
    return (
        unicodedata.category(char) in ("Mn", "Me", "Mc")
        or char == _ZERO_WIDTH_JOINER
        or "\U0001f3fb" <= char <= "\U0001f3ff"  # skin tones
        or "\U000e0020" <= char <= "\U000e007f"  # the letters of subdivision flags
        or "\u1160" <= char <= "\u11ff"  # Hangul vowels and finals
        or "\ud7b0" <= char <= "\ud7fb"
    )


def _is_leading_jamo(char: str) -> bool:
    return "\u1100" <= char <= "\u115f" or "\ua960" <= char <= "\ua97c"


def _is_regional(char: str) -> bool:
    return "\U0001f1e6" <= char <= "\U0001f1ff"


def _flags_end_at(text: str, cut: int) -> bool:
    """Whether an even number of regional letters precedes *cut*: two make a flag."""
    run = cut
    while run > 0 and cut - run < _LOOK_BACK and _is_regional(text[run - 1]):
        run -= 1
    return (cut - run) % 2 == 0
