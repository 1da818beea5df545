"""How long is waited before something is tried again?"""

import math
import random

_DOUBLINGS = 64
"""More would leave what a float can hold; no cap is that far from its base."""


def delay(attempt: int, *, base: float, cap: float, spread: float, rng: random.Random) -> float:
    """Return the seconds to wait before retry number *attempt*, the first being 1.

    The wait doubles from *base* with each attempt, up to *cap*; of that, the last part *spread* (0 to 1) is left to chance. So a
    result is uniform in [(1 - spread) * d, d] with d = min(cap, base * 2 ** (attempt - 1)): never negative, never above the
    cap, and still scattered at the cap, where many jobs end up together. A spread of 1 is what is called full jitter.
    Raises `ValueError` for an attempt below 1, a negative or endless time, or a spread outside 0 to 1.
    """
    if attempt < 1 or not 0 <= base < math.inf or not 0 <= cap < math.inf or not 0 <= spread <= 1:
        raise ValueError(f"no delay for {attempt=}, {base=}, {cap=}, {spread=}")
    longest = min(cap, base * 2.0 ** min(attempt - 1, _DOUBLINGS))
    return max(0.0, longest - longest * spread * rng.random())
