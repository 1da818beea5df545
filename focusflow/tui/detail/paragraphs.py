"""How does a piece of text become rows of a given width?"""

import re
from collections.abc import Iterable
from typing import NamedTuple

from msgspec import Struct
from rich.cells import cell_len, split_graphemes


class Span(NamedTuple):
    """Which characters are written in which style; styles are named after what they mean."""

    start: int
    end: int
    style: str


class Row(NamedTuple):
    """The characters of a paragraph that one row shows."""

    start: int
    end: int


class Paragraph(Struct, frozen=True, kw_only=True):
    """A line of harmless text that is wrapped to the width it is shown in."""

    text: str = ""
    spans: tuple[Span, ...] = ()
    hang: int = 0
    """Cells by which its second and later rows are moved in."""
    value: str | None = None
    """What is copied when this paragraph is chosen, as it came; None: it can't be chosen."""


def paragraph(*parts: str | tuple[str, str], hang: int = 0, value: str | None = None) -> Paragraph:
    """Put a paragraph together from texts and (text, style) pairs."""
    spans: list[Span] = []
    texts: list[str] = []
    length = 0
    for part in parts:
        text, style = (part, "") if isinstance(part, str) else part
        if style and text:
            spans.append(Span(length, length + len(text), style))
        texts.append(text)
        length += len(text)
    return Paragraph(text="".join(texts), spans=tuple(spans), hang=hang, value=value)


_NARROW = re.compile(
    "[ -~\xa0-\xac\xae-\u02ff\u0370-\u0482\u048a-\u0556\u2010-\u2027\u20ac\u2190-\u21ff\u2500-\u25fc]*"
)
"""Only letters that every terminal draws one cell wide: then characters can be counted instead of measured."""

_LEAST_ROOM = 12
"""Beside a hanging indent that leaves less than this, nothing can be read: then there is no indent."""


def hanging(hang: int, width: int) -> int:
    """Return how far later rows are really moved in, in *width* cells."""
    return hang if width - hang >= _LEAST_ROOM else 0


def rows_of(text: str, width: int, hang: int = 0) -> list[Row]:
    """Cut *text* into rows of at most *width* cells, after words where it can; always at least one row."""
    width = max(2, width)
    later = width - hanging(hang, width)
    if _NARROW.fullmatch(text):
        return _rows_by_characters(text, width, later)
    return _rows_by_cells(text, width, later)


def _rows_by_characters(text: str, room: int, later: int) -> list[Row]:
    rows: list[Row] = []
    start, end = 0, len(text)
    while end - start > room:
        cut = text.rfind(" ", start, start + room + 1)
        if cut <= start:
            cut = following = start + room
        else:
            following = cut + 1
        rows.append(Row(start, cut))
        start, room = following, later
    rows.append(Row(start, end))
    return rows


def _rows_by_cells(text: str, room: int, later: int) -> list[Row]:
    rows: list[Row] = []
    start = used = used_to_space = 0
    space: int | None = None
    for begin, end, cells in split_graphemes(text)[0]:
        blank = text[begin:end] == " "  # one that carries an accent is a letter
        if used + cells > room and begin > start:
            if blank:
                cut, following, used = begin, end, 0
                cells = 0
            elif space is not None:
                cut, following, used = space, space + 1, used - used_to_space
            else:
                cut = following = begin
                used = 0
            rows.append(Row(start, cut))
            start, room, space = following, later, None
        elif blank and begin > start:
            space, used_to_space = begin, used + cells
        used += cells
    rows.append(Row(start, len(text)))
    return rows


def cut_row(text: str, width: int) -> list[Row]:
    """Return the one row that is shown of *text* where it is not wrapped; if cut, there is room for an ellipsis."""
    near = text[: width * 8]
    return [Row(0, len(text))] if cell_len(near) <= width and near == text else rows_of(near, width - 1)[:1]


def shifted(spans: Iterable[Span], by: int) -> tuple[Span, ...]:
    """Return the spans for the same text after *by* characters were put before it."""
    return tuple(Span(start + by, end + by, style) for start, end, style in spans)
