"""What do the user's own rules say, in words, and which of them is for this call?"""

from typing import TYPE_CHECKING

from focusflow.cli import output
from focusflow.cli.outcome import Exit, Finished
from focusflow.cli.session import Options, control_of, resolved, run_async
from focusflow.domain.jobs import DurationSource
from focusflow.domain.routing import (
    LENGTH,
    TOLD_BY_SIDECAR,
    Route,
    conditions_in_words,
    consequences_in_words,
    facts_of,
    in_words,
    route,
)
from focusflow.errors import HoldKind

if TYPE_CHECKING:
    from focusflow.config import Settings
    from focusflow.domain.jobs import Job

NO_RULES = "There are no rules of your own; `rules` in config.example.yaml shows how they are written."


def print_rules(options: Options, prefix: str | None, *, as_json: bool) -> None:
    settings = options.load().settings
    if prefix is None:
        _print_all(settings, as_json=as_json)
        return
    job = run_async(lambda: _job(settings, prefix))
    found = _routed(settings, job)
    if as_json:
        output.put_json(_route_json(job, found))
    else:
        output.put(_route_text(settings, job, found))


async def _job(settings: "Settings", prefix: str) -> "Job":
    async with control_of(settings) as control:
        (job_id,) = await resolved(control, [prefix])
        detail = await control.detail(job_id)
    if detail is None:
        raise Finished(Exit.NOT_FOUND, f"There is no job {prefix}; `focusflow jobs list` shows all.")
    return detail.row.job


def _routed(settings: "Settings", job: "Job") -> Route:
    guessed = job.duration_source is DurationSource.SIZE
    waits = job.hold_kind == HoldKind.SIDECAR
    facts = facts_of(
        job,
        seconds=None if guessed else job.duration_seconds,
        open=TOLD_BY_SIDECAR if waits else frozenset({LENGTH}),
    )
    return route(facts, settings.routing, settings.zone)


def _print_all(settings: "Settings", *, as_json: bool) -> None:
    if as_json:
        output.put_json(
            [
                {"rule": number, "when": conditions_in_words(rule.when), "then": consequences_in_words(rule.then)}
                for number, rule in enumerate(settings.routing, 1)
            ]
        )
        return
    lines = [f"{number}. {in_words(rule)}" for number, rule in enumerate(settings.routing, 1)]
    first = "The first that matches a call decides alone." if lines else NO_RULES
    output.put("\n".join(map(output.plain, [*lines, first])))


def _route_json(job: "Job", found: Route) -> output.Json:
    return {
        "id": job.id,
        "rule": found.rule,
        "then": consequences_in_words(found.then) if found.rule else None,
        "settled": found.settled,
        "status": str(job.status),
        "skip_reason": job.skip_reason,
    }


def _route_text(settings: "Settings", job: "Job", found: Route) -> str:
    who = job.contact_name or job.contact_number or job.file_name
    if found.rule is None:
        sentences = [f"None of your {len(settings.routing)} rules matches the call with {who}: it is done as usual."]
    else:
        rule = settings.routing[found.rule - 1]
        sentences = [f"Rule {found.rule} is for the call with {who}: {in_words(rule)}."]
    if not settings.routing:
        sentences = [NO_RULES]
    if not found.settled:
        sentences.append("An earlier rule may match yet, once its length or its sidecar is known.")
    if found.then.skip and job.requested_by:
        sentences.append("You asked for this call yourself, so it is not skipped.")
    return output.plain(" ".join(sentences))
