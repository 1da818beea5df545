"""In which local day or month does an instant lie? Both engines answer it from a list of the days' first instants."""

from collections.abc import Sequence

from focusflow.store.database import Value

_PREFIX = "start_"


def place(column: str, count: int) -> str:
    """Return SQL for how many of the *count* first instants, bound by `starts`, are not after *column*."""
    return _halved(column, 0, count)


def _halved(column: str, low: int, high: int) -> str:
    if low == high:
        return str(low)
    middle = (low + high) // 2
    before, after = _halved(column, low, middle), _halved(column, middle + 1, high)
    return f"CASE WHEN {column} < CAST(:{_PREFIX}{middle} AS BIGINT) THEN {before} ELSE {after} END"


def starts(instants_ms: Sequence[int]) -> dict[str, Value]:
    """Return the parameters that `place` names: milliseconds, rising."""
    return {f"{_PREFIX}{n}": at for n, at in enumerate(instants_ms)}
