"""How many cases does the fuzzing try? A seeded few in every run, many with `--proof`, any number by FOCUSFLOW_EXAMPLES.

    FOCUSFLOW_EXAMPLES=50000 pytest tests/fuzz --proof -n 0 --timeout 0 --hypothesis-seed 7

The slice of every run is the same for everybody; a proof begins where `--hypothesis-seed` says, or anywhere.
"""

import os

import pytest
from hypothesis import HealthCheck, settings

SLICE = 60
PROOF = 20_000


def pytest_configure(config: pytest.Config) -> None:
    """Register the profile before the tests are imported: they are decorated with it."""
    proof = bool(config.getoption("--proof"))
    settings.register_profile(
        "fuzz",
        max_examples=int(os.environ.get("FOCUSFLOW_EXAMPLES", "0")) or (PROOF if proof else SLICE),
        derandomize=not proof,
        database=None,
        deadline=None,
        print_blob=True,
        suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.function_scoped_fixture],
    )
