"""What is the least to change so that a page says what it should, in order, without touching what people wrote?"""

from collections.abc import Sequence

from msgspec import Struct

from focusflow.providers.notion.wanted import Wanted


class Found(Struct, frozen=True, kw_only=True):
    """A block on the page that we wrote."""

    id: str
    kind: str
    full: str
    """The fingerprint of what we wrote."""
    edited: bool
    """A person changed it since: it may stay where it is wanted, but is neither changed nor removed."""
    has_children: bool


class Place(Struct, frozen=True, kw_only=True):
    """A wanted block and where it is to come from."""

    wanted: Wanted
    found: Found | None
    """The block that is, or becomes, the wanted one; None: a new one is inserted."""
    change: bool
    """Whether the found block must be updated."""


class Plan(Struct, frozen=True, kw_only=True):
    """Every wanted block in order, and the blocks of ours that nobody wants any more."""

    places: tuple[Place, ...]
    unwanted: tuple[Found, ...]


def planned(found: Sequence[Found], wanted: Sequence[Wanted]) -> Plan:
    """Keep as many blocks as possible, make others into what is wanted in their place, insert the rest."""
    kept = common([block.full for block in found], [unit.prints.full for unit in wanted])
    places: list[Place] = []
    unwanted: list[Found] = []
    start_found = start_wanted = 0
    for at_found, at_wanted in [*kept, (len(found), len(wanted))]:
        gap_places, left = _bridged(found[start_found:at_found], wanted[start_wanted:at_wanted])
        places += gap_places
        unwanted += left
        if at_wanted < len(wanted):
            places.append(Place(wanted=wanted[at_wanted], found=found[at_found], change=False))
        start_found, start_wanted = at_found + 1, at_wanted + 1
    return Plan(places=tuple(places), unwanted=tuple(block for block in unwanted if not block.edited))


def _bridged(found: Sequence[Found], wanted: Sequence[Wanted]) -> tuple[list[Place], list[Found]]:
    """Pair, in order, wanted blocks with found ones that can become them."""
    left = list(found)
    places = []
    start = 0
    for unit in wanted:
        fits = (index for index in range(start, len(left)) if _may_become(left[index], unit))
        index = next(fits, None)
        if index is None:
            places.append(Place(wanted=unit, found=None, change=False))
            continue
        places.append(Place(wanted=unit, found=left.pop(index), change=True))
        start = index
    return places, left


def _may_become(block: Found, unit: Wanted) -> bool:
    return not block.edited and unit.may_replace(block.kind, has_children=block.has_children)


def common(left: Sequence[str], right: Sequence[str]) -> list[tuple[int, int]]:
    """Return the places of a longest common subsequence, as pairs of indices."""
    start = 0
    while start < min(len(left), len(right)) and left[start] == right[start]:
        start += 1
    end = 0
    while end < min(len(left), len(right)) - start and left[-1 - end] == right[-1 - end]:
        end += 1
    middle = _longest(left[start : len(left) - end], right[start : len(right) - end])
    head = [(index, index) for index in range(start)]
    tail = [(len(left) - index, len(right) - index) for index in range(end, 0, -1)]
    return [*head, *((start + i, start + j) for i, j in middle), *tail]


def _longest(left: Sequence[str], right: Sequence[str]) -> list[tuple[int, int]]:
    lengths = [[0] * (len(right) + 1) for _ in range(len(left) + 1)]
    for i in range(len(left) - 1, -1, -1):
        for j in range(len(right) - 1, -1, -1):
            same = left[i] == right[j]
            lengths[i][j] = lengths[i + 1][j + 1] + 1 if same else max(lengths[i + 1][j], lengths[i][j + 1])
    pairs = []
    i = j = 0
    while i < len(left) and j < len(right):
        if left[i] == right[j]:
            pairs.append((i, j))
            i, j = i + 1, j + 1
        elif lengths[i + 1][j] >= lengths[i][j + 1]:
            i += 1
        else:
            j += 1
    return pairs
