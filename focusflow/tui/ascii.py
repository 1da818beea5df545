"""What does a terminal that draws only ASCII see in the place of the signs that are ours or the toolkit's?"""

from rich.segment import Segment
from textual.color import Color
from textual.filter import LineFilter

_PLACES = {
    "…": "~",
    "·": "-",
    "⏎": "/",
    "“”": '"',
    "‘’": "'",
    "–—‒─━▔▁": "-",
    "│┃▏▕▌▐": "|",
    "╭╮╰╯┌┐└┘": "+",
    "▂▃▄▅▆▇": " ",  # the ends of a scroll bar, whose middle is only colour
}
_SIGNS = str.maketrans({sign: instead for signs, instead in _PLACES.items() for sign in signs})


class AsciiOnly(LineFilter):
    """Lets no sign through that such a terminal cannot draw, wherever it was written; what people said stays."""

    def apply(self, segments: list[Segment], background: Color) -> list[Segment]:
        return [
            segment
            if segment.text.isascii()
            else Segment(segment.text.translate(_SIGNS), segment.style, segment.control)
            for segment in segments
        ]
