"""What becomes of a call when any one request to any service goes wrong, in any of the ways they do?

A row is a kind of request, a column a fault. Whatever it is, afterwards the call is completed, or failed or waiting with a
sentence; when the fault is over it is completed by itself or by one retry; it was paid for once and has one page; nobody was
asked earlier than they allowed, nor in a storm.

Every run tries a seeded few of the rows, `pytest tests/known_faults/test_fault_matrix.py --proof` all of them.
"""

from __future__ import annotations

import random
from typing import TYPE_CHECKING, Any

import pytest

from focusflow.domain.jobs import Status

if TYPE_CHECKING:
    from focusflow.domain.jobs import Job

REQUESTS = {
    "drive token": ("drive", "POST", "/token"),
    "drive start token": ("drive", "GET", "startPageToken"),
    "drive list": ("drive", "GET", "v3/files$"),
    "drive changes": ("drive", "GET", "changes$"),
    "drive sidecar and audio": ("drive", "GET", "v3/files/1"),
    "upload": ("assemblyai", "POST", "upload$"),
    "order": ("assemblyai", "POST", "transcript$"),
    "poll": ("assemblyai", "GET", "transcript/"),
    "completion": ("openai", "POST", "completions$"),
    "schema": ("notion", "GET", "data_sources/"),
    "create page": ("notion", "POST", "pages$"),
    "read page": ("notion", "GET", "children$"),
    "append": ("notion", "PATCH", "children$"),
}
DISCOVERY = frozenset({"drive token", "drive start token", "drive list", "drive changes"})

PASSING: dict[str, dict[str, Any]] = {
    "500": {"kind": "status", "status": 500},
    "502": {"kind": "status", "status": 502},
    "503": {"kind": "status", "status": 503},
    "503 in 3 s": {"kind": "status", "status": 503, "retry_after": 3},
    "504": {"kind": "status", "status": 504},
    "529": {"kind": "status", "status": 529},
    "429": {"kind": "status", "status": 429},
    "429 in 3 s": {"kind": "status", "status": 429, "retry_after": 3},
    "429 in 90 s": {"kind": "status", "status": 429, "retry_after": 90},
    "reset before": {"kind": "reset_before"},
    "reset after": {"kind": "reset_after"},
    "truncated": {"kind": "truncate", "bytes": 20},
    "bad JSON": {"kind": "bad_json"},
    "a proxy's page": {"kind": "html"},
    "a proxy's 502": {"kind": "html", "status": 502},
    "dribble": {"kind": "dribble", "bytes": 4_096, "seconds": 0.001},
}
"""Faults that pass: the call is completed by itself."""

REFUSING: dict[str, dict[str, Any]] = {
    "400": {"kind": "status", "status": 400},
    "401": {"kind": "status", "status": 401},
    "403": {"kind": "status", "status": 403},
    "404": {"kind": "status", "status": 404},
    "422": {"kind": "status", "status": 422},
}
"""Refusals, which may be for good: the call fails or waits with a sentence, and one retry does it when they are over."""

REPEATS = 14
"""The most requests of one kind that one turn may make because of a fault: patience, not a storm."""
SEVERAL = 12
PATIENCE = frozenset({("poll", "400"), ("poll", "422")})
"""A bad poll is asked again until the step's time is over: that is hours of emulated patience, and is tried elsewhere."""
ROUNDS = 9
"""A call comes back by itself within so many waits."""


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Make the rows of the table."""
    faults = REFUSING if "refusal" in metafunc.fixturenames else PASSING
    column = "refusal" if "refusal" in metafunc.fixturenames else "fault"
    rows = [(request, name) for request in REQUESTS for name in faults if (request, name) not in PATIENCE]
    if not metafunc.config.getoption("--proof"):
        rows = sorted(random.Random(metafunc.config.getoption("--proof-seed")).sample(rows, SEVERAL))
    metafunc.parametrize(
        ("request_kind", column), [pytest.param(row[0], faults[row[1]], id=f"{row[0]}, {row[1]}") for row in rows]
    )


@pytest.mark.parametrize("times", [1, 6], ids=["once", "six times"])
async def test_a_fault_that_passes_is_overcome_alone(
    request_kind: str, fault: dict[str, Any], times: int, world: Any
) -> None:
    """Without a key being pressed, without a second payment, without a second page."""
    service, method, path = REQUESTS[request_kind]
    async with world() as w:
        w.call()
        w.fault(service, method=method, path=path, times=times, **fault)
        async with w.opened(auto__max_retries=8) as product:
            job = await done_alone(product, w, request_kind)

            assert (job.status, job.error_message) == (Status.COMPLETED, None)
            assert (await product.delivery(job.id)).ref is not None
        assert (w.transcripts_paid(), w.pages()) == (1, 1)
        assert too_early(w, service, fault.get("retry_after")) == []


async def test_a_refusal_waits_for_a_person(request_kind: str, refusal: dict[str, Any], world: Any) -> None:
    """Nothing is lost by it, and one retry does the rest."""
    service, method, path = REQUESTS[request_kind]
    async with world() as w:
        w.call()
        w.fault(service, method=method, path=path, times=None, **refusal)
        async with w.opened() as product:
            before = len(w.log)
            await turn(product)
            asked = len(w.log.requests(service, method, path))
            jobs = await product.jobs()
            said = [await sentence(product, job) for job in jobs.values()]
            w.sandbox.faults.clear()
            job = await done_with_one_retry(product, w)

            assert asked <= REPEATS, f"{asked} of {len(w.log) - before} requests"
            assert all(product.readable(words) for words in said), said
            assert job.status is Status.COMPLETED, job
            assert (await product.delivery(job.id)).ref is not None
        # an order that AssemblyAI says it does not know is forgotten, and a retry orders anew
        forgotten = request_kind == "poll" and refusal["status"] == 404
        assert (w.transcripts_paid(), w.pages()) == (2 if forgotten else 1, 1)


async def turn(product: Any) -> None:
    """Look, measure, process; a loop that fails is the loop's to tell, and it goes on."""
    await product.works.supervisor.discovery_loop.turn()
    await product.works.supervisor.measuring_loop.turn()
    await product.process()


async def done_alone(product: Any, w: Any, request_kind: str) -> Job:
    """Let time pass until the call and its page are done; return the call."""
    for _ in range(ROUNDS if request_kind not in DISCOVERY else 2 * ROUNDS):
        before = len(w.log)
        await turn(product)
        await product.deliver_in_due_time()
        assert len(w.log) - before < 6 * REPEATS, "a storm"
        jobs = list((await product.jobs()).values())
        if jobs and await all_done(product, jobs[0]):
            return jobs[0]  # type: ignore[no-any-return]  # a product is whatever the fixture makes
        await product.in_due_time()
        await product.clock.sleep(90)
    assert jobs, "it was never found"
    return jobs[0]  # type: ignore[no-any-return]  # asserted on by the test


async def all_done(product: Any, job: Job) -> bool:
    """Say whether the call is completed and its page has arrived."""
    if job.status is not Status.COMPLETED:
        return False
    delivery = await product.delivery(job.id)
    return delivery.ref is not None and delivery.error is None


async def done_with_one_retry(product: Any, w: Any) -> Job:
    """Do what a person does when the trouble is over: look again, and press one key."""
    await product.clock.sleep(3_700)
    await turn(product)
    (job,) = (await product.jobs()).values()
    if job.status is not Status.COMPLETED or (await product.delivery(job.id)).error is not None:
        await product.works.store.retry([job.id], now=product.clock.now())
        await product.clock.sleep(3_700)
        await turn(product)
        await product.deliver_in_due_time()
    return await product.job(job.id)  # type: ignore[no-any-return]  # a product is whatever the fixture makes


async def sentence(product: Any, job: Job) -> str | None:
    """Return what the user is told about a call."""
    if job.status is Status.COMPLETED:
        return (await product.delivery(job.id)).error or "It is completed."
    return job.error_message or job.hold_reason or "It waits for its turn."


def too_early(w: Any, service: str, seconds: float | None) -> list[str]:
    """Return the requests that a service got before it wanted any, after it had said when."""
    if seconds is None:
        return []
    heard = w.log.requests(service)
    return [
        f"{later.method} {later.path} came {later.at - refused.at:.1f} s after {refused.path}"
        for n, refused in enumerate(heard)
        if refused.fault == "status"
        for later in heard[n + 1 :]
        if later.at - refused.at < seconds - 0.001
    ]
