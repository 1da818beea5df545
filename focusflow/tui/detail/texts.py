"""How does a long text from outside become harmless paragraphs, none of it lost and none of it too long?"""

from collections.abc import Iterator

from focusflow.tui.plain import LINE_LIMIT, plain

_LONGEST = LINE_LIMIT // 2
"""Characters in one paragraph: room is left for what becomes longer by being made visible."""


def lines_of(text: str) -> Iterator[str]:
    """Yield the lines of *text*, harmless; one that is too long for a paragraph comes in parts."""
    for line in text.splitlines():
        yield from (plain(part) for part in parts_of(line))


def parts_of(line: str) -> Iterator[str]:
    """Cut a line that is too long for one paragraph, after words where there are any."""
    start = 0
    while len(line) - start > _LONGEST:
        cut = line.rfind(" ", start + 1, start + _LONGEST)
        cut = start + _LONGEST if cut < 0 else cut + 1
        yield line[start:cut]
        start = cut
    yield line[start:]


def one_line(text: str) -> str:
    """Return *text* as one harmless line of single-spaced words."""
    return plain(" ".join(text[: 2 * LINE_LIMIT].split()))
