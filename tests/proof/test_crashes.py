"""Is anything lost, paid twice or doubled when the machine dies, wherever it dies?

Every run tries a few seeded places. `pytest tests/proof --proof` kills at every commit and every request there is, and at 500
random times; `--proof-seed N` chooses others.
"""

import random
from pathlib import Path
from typing import Any

import pytest

TWO_CALLS = ("Carmen Ruiz", "Jürgen Weber")
COMMITS, REQUESTS = 80, 60
"""A run with two calls has fewer of each, which a test makes sure of."""
LATEST_SECONDS = 4.0
"""A run with two calls is over by then, on a slow machine too."""


def points(config: pytest.Config, several: int, in_all: int) -> list[int]:
    """Return the places to try: all of them in a proof, else some by the seed."""
    if config.getoption("--proof"):
        return list(range(1, in_all + 1))
    chosen = random.Random(config.getoption("--proof-seed")).sample(range(1, in_all + 1), several)
    return sorted(chosen)


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Make a test for each place to die at."""
    config = metafunc.config
    if "nth_commit" in metafunc.fixturenames:
        metafunc.parametrize("nth_commit", points(config, 2, in_all=COMMITS))
    if "nth_request" in metafunc.fixturenames:
        metafunc.parametrize("nth_request", points(config, 2, in_all=REQUESTS))
    if "random_run" in metafunc.fixturenames:
        metafunc.parametrize("random_run", points(config, 1, in_all=100))


@pytest.mark.parametrize("moment", ["before", "after"])
async def test_killed_at_a_commit(nth_commit: int, moment: str, make_world: Any, tmp_path: Path) -> None:
    """Between any two commits everything that is paid for can be found again."""
    async with make_world(tmp_path, *TWO_CALLS) as world:
        await world.run_killed_at_commit(nth_commit, moment)
        await world.come_to_rest()

        assert world.violations() == [], world.said()


@pytest.mark.parametrize("when_answered", [False, True], ids=["heard", "answered"])
async def test_killed_at_a_request(nth_request: int, when_answered: bool, make_world: Any, tmp_path: Path) -> None:
    """Whether the service has done what it was asked for or not, it is not asked for it again."""
    async with make_world(tmp_path, *TWO_CALLS) as world:
        await world.run_killed_at_request(nth_request, when_answered=when_answered)
        await world.come_to_rest()

        assert world.violations() == [], world.said()


async def test_killed_again_and_again(
    random_run: int, make_world: Any, tmp_path: Path, pytestconfig: pytest.Config
) -> None:
    """Five deaths at random times, each in the middle of whatever the last one left."""
    chance = random.Random(f"{pytestconfig.getoption('--proof-seed')} {random_run}")
    async with make_world(tmp_path, *TWO_CALLS) as world:
        for _ in range(5):
            await world.run_killed_after(chance.uniform(0.5, LATEST_SECONDS))
        await world.come_to_rest()

        assert world.violations() == [], world.said()


async def test_no_place_is_left_out(make_world: Any, tmp_path: Path) -> None:
    """The numbers above go beyond the last commit and the last request of a run."""
    async with make_world(tmp_path, *TWO_CALLS) as world:
        killed = await world.run_killed_at_commit(COMMITS + 1, "before")
        asked = world.wire.heard

        assert not killed
        assert asked <= REQUESTS
        assert world.violations() == [], world.said()
