"""A fault plan hits exactly the requests it says, and survives its file."""

from pathlib import Path

import pytest

from focusflow.sandbox.faults import Fault, FaultPlan


def test_a_fault_hits_only_what_it_matches() -> None:
    """Service, method and path all count; an empty path means any."""
    plan = FaultPlan([Fault(service="notion", method="POST", path=r"^/v1/pages$", kind="reset_after", times=None)])
    assert plan.take("notion", "POST", "/v1/pages") is not None
    assert plan.take("notion", "GET", "/v1/pages") is None
    assert plan.take("notion", "POST", "/v1/pages/abc") is None
    assert plan.take("openai", "POST", "/v1/pages") is None


def test_faults_are_used_up_in_order() -> None:
    """The first fault that has hits left wins; skipped requests fall through to the next one."""
    first = Fault(service="*", kind="stall", skip=1)
    second = Fault(service="drive", kind="status", status=503, times=2)
    plan = FaultPlan([first, second])
    assert [plan.take("drive", "GET", "/x") for _ in range(4)] == [second, first, second, None]
    assert plan.pending == []


def test_a_named_fault_waits_for_its_service_to_ask() -> None:
    """Named faults never hit a request at the transport, and a path narrows them."""
    fault = Fault(service="notion", kind="committed_503", path="children")
    plan = FaultPlan([fault])
    assert plan.take("notion", "PATCH", "/v1/blocks/b/children") is None
    assert plan.take_named("notion", "committed_503", method="POST", path="/v1/pages") is None
    assert plan.take_named("openai", "committed_503", path="/children") is None
    assert plan.take_named("notion", "committed_503", method="PATCH", path="/v1/blocks/b/children") is fault
    assert plan.take_named("notion", "committed_503", path="/v1/blocks/b/children") is None


def test_a_chance_is_drawn_from_the_seed() -> None:
    """Chaos is repeatable: the same seed hits the same requests."""

    def hits(seed: int) -> list[bool]:
        plan = FaultPlan([Fault(service="*", kind="reset_before", chance=0.3, times=None)], seed=seed)
        return [plan.take("drive", "GET", "/") is not None for _ in range(200)]

    assert hits(1) == hits(1) != hits(2)
    assert 30 < sum(hits(1)) < 90


def test_a_plan_survives_its_file(tmp_path: Path) -> None:
    """What is saved is what is loaded, and a hand-written file may be just a list."""
    plan = FaultPlan(
        [
            Fault(service="drive", kind="truncate", bytes=1000, path="/files/"),
            Fault(service="notion", kind="status", status=529, retry_after=2.5, times=None),
        ],
        seed=7,
    )
    plan.save(tmp_path / "faults.json")
    loaded = FaultPlan.load(tmp_path / "faults.json")
    assert (loaded.faults, loaded.seed) == (plan.faults, 7)
    assert FaultPlan.from_json('[{"service": "openai", "kind": "eof"}]').faults == [Fault(service="openai", kind="eof")]


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("{}", "list of faults"),
        ('{"faults": [], "sede": 1}', "list of faults"),
        ('[{"service": "drive"}]', "service and a kind"),
        ("[3]", "service and a kind"),
        ('[{"service": "drive", "kind": "stall", "secs": 3}]', "no secs"),
        ('[{"service": "drive", "kind": "status"}]', "needs a status"),
        ('[{"service": "drive", "kind": "stall", "times": 0}]', "at least 1"),
        ('[{"service": "drive", "kind": "stall", "skip": -1}]', "negative"),
    ],
)
def test_a_wrong_plan_says_what_is_wrong(text: str, complaint: str) -> None:
    """A typo in --faults FILE must not silently mean no faults."""
    with pytest.raises(ValueError, match=complaint):
        FaultPlan.from_json(text)
