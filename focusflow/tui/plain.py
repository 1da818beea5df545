"""What is left of a text from outside once a terminal can obey nothing in it, and nothing in it is hidden?"""

LINE_LIMIT = 4_000
TEXT_LIMIT = 16_000_000
"""Characters; what is longer is cut, and ends in an ellipsis."""


def plain(text: str, *, lines: bool = False) -> str:
    """Return *text* fit for any terminal: no byte that it would obey, no character that hides or turns others.

    Control characters become visible, tabs spaces; line ends become `⏎`, or stay, as line feeds, with *lines*.
    Emoji sequences, combining marks and all scripts stay as they are. Doing it twice changes nothing more.
    """
    limit = TEXT_LIMIT if lines else LINE_LIMIT
    cut = len(text) > limit
    text = text[: limit + 1]
    if text.isascii() and text.isprintable():
        return f"{text[: limit - 1]}…" if cut else text
    from focusflow.tui.writing import cleaned  # its tables take long to make, and most texts do without

    return cleaned(text, limit, cut=cut, lines=lines)
