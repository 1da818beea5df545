"""What the user's rules say of a call is what is done with it."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from focusflow.domain.jobs import Status
from focusflow.domain.routing import Conditions, Consequences, RoutingRule, facts_of, route

if TYPE_CHECKING:
    from collections.abc import Callable
    from contextlib import AbstractAsyncContextManager
    from pathlib import Path
    from typing import Any

    from focusflow.domain.jobs import Job
    from focusflow.domain.routing import Route

    OpenWorks = Callable[..., AbstractAsyncContextManager[Any]]


def routed(rules: list[RoutingRule], job: Job, seconds: float | None) -> Route:
    from zoneinfo import ZoneInfo

    return route(facts_of(job, seconds=seconds), rules, ZoneInfo("Europe/London"))


async def test_a_rule_names_model_prompt_and_language(works: OpenWorks, tmp_path: Path) -> None:
    """The order, the question and the version bear what the rule says; other calls are done as usual."""
    own = tmp_path / "own.md"
    own.write_text("Only the prices. {{transcript}}", encoding="utf-8")
    then = Consequences(model="gpt-6-sol", prompt=own, language="de")
    rules = [RoutingRule(when=Conditions(contacts=("grace*",)), then=then)]
    async with works() as w:
        w.use(route=partial(routed, rules))
        mine, other = await w.add(), await w.add(contact_name="Ben")
        assert (await w.run(mine)).status is Status.COMPLETED
        assert (await w.run(other)).status is Status.COMPLETED
        asked = [request.json() for request in w.log.requests("openai", "POST", "completions")]
        assert [body["model"] for body in asked] == ["gpt-6-sol"] * 2 + ["gpt-6-luna"] * 2
        assert asked[0]["messages"][-1]["content"].startswith("Only the prices. ")
        orders = [request.json() for request in w.log.requests("assemblyai", "POST", "/transcript")]
        assert [order.get("language_code") for order in orders] == ["de", None]
        (version,) = await w.store.summary_versions(mine)
        assert version.summary.model == "gpt-6-sol"
