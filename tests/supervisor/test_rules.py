"""The user's own rules join the general ones where calls are found, measured and judged anew."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from focusflow.domain.eligibility import Rules
from focusflow.domain.jobs import SkippedBy, Status
from focusflow.domain.routing import Conditions, Consequences, RoutingRule

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

    MakeHouse = Callable[..., Coroutine[Any, Any, Any]]


def ruled(*rules: tuple[Conditions, Consequences]) -> Rules:
    return Rules(routing=tuple(RoutingRule(when=when, then=then) for when, then in rules))


async def calls(house: Any) -> dict[str, Any]:
    """The jobs by their contact."""
    from focusflow.ports import JobFilter

    return {row.job.contact_name: row.job for row in await house.store.page(JobFilter(), limit=100)}


async def test_a_rule_skips_lets_in_and_exempts(make_house: MakeHouse) -> None:
    """Mum's calls are private, an outgoing call to Ben is taken, and no budget holds Cleo's."""
    rules = ruled(
        (Conditions(contacts=("mum",)), Consequences(skip="private")),
        (Conditions(contacts=("ben",)), Consequences(process=True)),
        (Conditions(min_seconds=60), Consequences(budget_exempt=True)),
    )
    house = await make_house(rules=rules)
    for who, arrow in (("Mum", " \u2199"), ("Ben", " \u2197"), ("Cleo", " \u2199"), ("Dan", " \u2197")):
        house.shelf.call(who, arrow=arrow, md5=f"{who:x>32}")
        house.shelf.sidecar(who, arrow=arrow, seconds=120)
    await house.discovery.tick()
    found = await calls(house)
    assert (found["Mum"].status, found["Mum"].skip_reason) == (Status.SKIPPED, "private (rule 1)")
    assert found["Mum"].skipped_by is SkippedBy.RULE
    assert (found["Ben"].status, found["Ben"].budget_exempt) == (Status.DISCOVERED, False)
    assert (found["Cleo"].status, found["Cleo"].budget_exempt) == (Status.DISCOVERED, True)
    assert found["Dan"].status is Status.SKIPPED


async def test_changed_rules_judge_what_is_there_anew(make_house: MakeHouse) -> None:
    """What a rule skipped comes back when the rule is gone, and what it exempted is not exempt any more."""
    before = await make_house(rules=ruled((Conditions(), Consequences(budget_exempt=True))))
    before.shelf.call("Ann")
    before.shelf.sidecar("Ann")
    await before.discovery.tick()
    assert (await calls(before))["Ann"].budget_exempt
    skipping = await make_house(rules=ruled((Conditions(), Consequences(skip="holidays"))))
    await skipping.discovery.tick()
    assert (await calls(before))["Ann"].skip_reason == "holidays (rule 1)"
    after = await make_house(rules=Rules())
    await after.discovery.tick()
    ann = (await calls(before))["Ann"]
    assert ann.status is Status.DISCOVERED
    await (await make_house(rules=Rules(min_duration_seconds=1))).discovery.tick()
    assert not (await calls(before))["Ann"].budget_exempt
