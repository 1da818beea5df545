"""Does a transcript become a summary and a title, whatever its length and whatever the model does, at a known price?"""

from __future__ import annotations

from typing import TYPE_CHECKING

import anyio
import pytest

from focusflow.domain.jobs import DurationSource, JobId, Outcome, SkippedBy, Status, Step
from focusflow.domain.transcript import Transcript, Utterance
from focusflow.pipeline.process import run_job
from focusflow.pipeline.prompts import PromptFiles
from focusflow.providers.assemblyai import TranscriptionOptions
from focusflow.sandbox.scripts import SCRIPTS

if TYPE_CHECKING:
    from pathlib import Path

    from focusflow.ports import ChargeRow
    from tests.pipeline.conftest import OpenWorks, Works

LONG = "team-retro-hour"


async def charges_for(w: Works, job_id: JobId, step: Step = Step.SUMMARIZE) -> list[ChargeRow]:
    return [charge for charge in (await w.detail(job_id)).charges if charge.step is step]


async def a_transcribed(w: Works, *texts: str, contact: str = "Grace") -> JobId:
    """A job whose transcript, with these utterances, is there already."""
    job_id = await w.add(contact_name=contact)
    claim = await w.claim(job_id)
    now = w.clock.now()
    attempt_id = await w.store.begin(claim, Step.TRANSCRIBE, now=now)
    turns = [
        Utterance(speaker="A", start_ms=n * 1000, end_ms=n * 1000 + 900, text=text) for n, text in enumerate(texts)
    ]
    transcript = Transcript(
        text=" ".join(texts), utterances=tuple(turns), language="en", duration_seconds=60.0, model="m", speakers={}
    )
    await w.store.transcribed(claim, attempt_id, transcript, None, now=now)
    await w.store.give_back(claim, now=now, note="prepared")
    return job_id


# ------------------------------------------------------------------------------------------------------ what is asked


async def test_the_model_reads_who_said_what_and_when(works: OpenWorks) -> None:
    """The prompt asks for times as evidence, so every utterance goes out with its own."""
    async with works() as w:
        await w.run(await w.add())
        asked = w.answers()[0]
        assert "[00:04] Grace: Good morning, yes, Grace at reception. How can I help you?" in asked
        assert "[01:49] Grace: It says here the referral is written but not sent." in asked
        assert all(line.text in asked for line in SCRIPTS["clinic-appointment"].utterances)
        assert "Monday, 2026-11-23 08:00 (GMT)" in asked
        assert "2 min 27 s" in asked


async def test_what_is_said_stays_as_it_was_said(works: OpenWorks) -> None:
    """Nothing in a transcript or a name is a pattern or a placeholder: not `$&`, not a backslash, not `{{transcript}}`."""
    async with works() as w:
        odd = "It costs $$5 or $& or \\1 or {{transcript}} or {{contact}}, literally."
        job_id = await a_transcribed(w, odd, contact="Gr$&ce {{duration}}")
        assert (await w.run(job_id)).status is Status.COMPLETED
        assert odd in w.answers()[0]
        assert "With: Gr$&ce {{duration}}" in w.answers()[0]


async def test_a_call_of_unknown_time_and_caller_is_summarised_too(works: OpenWorks) -> None:
    """What is not known is said to be unknown."""
    async with works() as w:
        job_id = await w.add(contact_name=None, contact_number=None, call_at=None)
        assert (await w.run(job_id)).status is Status.COMPLETED
        assert "- Date: unknown\n- With: unknown\n" in w.answers()[0]


@pytest.mark.parametrize("language", ["en", None])
async def test_silence_is_skipped_and_what_it_cost_is_kept(works: OpenWorks, language: str | None) -> None:
    """Nobody speaks: whether the transcriber hands back nothing or refuses, no model is asked and no page is made."""
    async with works(options=TranscriptionOptions(language_code=language)) as w:
        job_id = await w.add("pocket-dial", contact_name=None)
        job = await w.run(job_id)
        assert (job.status, job.skipped_by) == (Status.SKIPPED, SkippedBy.SILENCE)
        assert job.skip_reason == "Nothing was said in this recording."
        assert (w.answers(), w.pages()) == ([], [])
        detail = await w.detail(job_id)
        assert sum(charge.actual_micros or 0 for charge in detail.charges) == w.bill_micros()
        assert {charge.state for charge in detail.charges} <= {"settled", "released"}


# ------------------------------------------------------------------------------------------------------------ prompts


async def test_prompts_are_read_anew_for_each_call(works: OpenWorks, tmp_path: Path) -> None:
    """An edit works at once, and what made a summary can be told afterwards."""
    async with works() as w:
        own = tmp_path / "own.md"
        w.use(prompts=PromptFiles(summary=own))
        hashes = []
        for words in ("Write a summary, briefly: {{transcript}}", "Write a summary, at length: {{transcript}}"):
            own.write_text(words)
            job_id = await w.add()
            assert (await w.run(job_id)).status is Status.COMPLETED
            summary = (await w.detail(job_id)).documents.summary
            assert summary is not None
            hashes.append(summary.prompt_hash)
            assert w.answers()[-2].startswith(words.removesuffix("{{transcript}}"))
        assert hashes[0] != hashes[1]


@pytest.mark.parametrize("which", ["summary", "title"])
@pytest.mark.parametrize(
    ("content", "told"),
    [
        (None, "cannot be read (No such file or directory)"),
        (b" \n", "is empty"),
        (b"\xff\xfe{{transcript}}{{summary}}", "it is not UTF-8 text"),
        (b"Write a summary and a title.", "is missing"),
        (b"{{transcript}} {{summary}} {{transcripts}}", "nothing is known for {{transcripts}}"),
    ],
)
async def test_a_prompt_that_cannot_be_used_is_named_before_anything_is_paid(
    works: OpenWorks, tmp_path: Path, which: str, content: bytes | None, told: str
) -> None:
    """Whichever prompt it is, the model is not asked; one sentence names the file, and a retry goes on once it is mended."""
    async with works() as w:
        own = tmp_path / "own.md"
        if content is not None:
            own.write_bytes(content)
        w.use(prompts=PromptFiles(**{which: own}))
        job_id = await w.add()
        job = await w.run(job_id)
        assert (job.status, job.error_step, job.next_attempt_at) == (Status.FAILED, Step.SUMMARIZE, None)
        assert job.error_message is not None
        assert str(own) in job.error_message
        assert told in job.error_message
        assert w.answers() == []
        own.write_text("Write a {{transcript}}" if which == "summary" else "Write a title for {{summary}}")
        await w.store.retry([job_id], now=w.clock.now())
        assert (await w.run(job_id)).status is Status.COMPLETED
        assert w.ordered() == 1


async def test_a_merging_prompt_that_cannot_be_used_is_named_before_the_parts_are_paid(
    works: OpenWorks, tmp_path: Path
) -> None:
    """It is needed last, and looked at first."""
    async with works(context_tokens=6000) as w:
        w.use(prompts=PromptFiles(merge=tmp_path / "merge.md"))
        job = await w.run(await w.add(LONG))
        assert str(tmp_path / "merge.md") in str(job.error_message)
        assert w.answers() == []


# ------------------------------------------------------------------------------------------------------------- length


async def test_a_long_call_is_summarised_in_parts_and_merged(works: OpenWorks) -> None:
    """Nothing of it is left out, nothing sent twice, and every answer is on the bill."""
    async with works(context_tokens=8000) as w:
        job_id = await w.add(LONG)
        job = await w.run(job_id)
        assert job.status is Status.COMPLETED
        *parts, merged, title = w.answers()
        assert len(parts) > 2
        assert "Merge the partial summaries" in merged
        assert "Write a title" in title
        for line in SCRIPTS[LONG].utterances:
            assert sum(part.count(f": {line.text}\n") for part in parts) >= 1, line
        turns = sum(part.partition("<transcript>")[2].count("] ") for part in parts)
        assert turns == len(SCRIPTS[LONG].utterances)
        assert "it is summarized in" in await w.told(job_id)
        assert job.cost_micros == w.bill_micros()


async def test_many_parts_are_merged_in_rounds(works: OpenWorks) -> None:
    """Partial summaries that do not fit at once are merged in groups, and these again."""
    async with works(context_tokens=3600) as w:
        job_id = await w.add(LONG)
        job = await w.run(job_id)
        assert job.status is Status.COMPLETED
        assert sum("Merge the partial summaries" in asked for asked in w.answers()) > 2
        assert job.cost_micros == w.bill_micros()


async def test_smaller_parts_are_sent_where_the_server_takes_less_than_it_should(works: OpenWorks) -> None:
    """The refusal is free: the text goes out again in pieces that fit."""
    async with works() as w:
        w.sandbox.openai.windows["gpt-6-luna"] = 9_000
        job_id = await w.add(LONG)
        job = await w.run(job_id)
        assert job.status is Status.COMPLETED
        asked = w.log.requests("openai", "POST", "completions")
        assert asked[0].status == 400
        assert [b"Merge the partial summaries" in request.body for request in asked][-2:] == [True, False]
        assert job.cost_micros == w.bill_micros()


async def test_a_server_that_takes_next_to_nothing_is_said_to(works: OpenWorks) -> None:
    """Halving ends, with a sentence and without a bill."""
    async with works() as w:
        w.sandbox.openai.windows["gpt-6-luna"] = 10
        job_id = await w.add()
        job = await w.run(job_id)
        assert (job.status, job.next_attempt_at) == (Status.FAILED, None)
        assert "The text is longer than gpt-6-luna takes." in str(job.error_message)
        assert len(w.sandbox.bill.of("openai")) == 0
        assert (await charges_for(w, job_id))[0].state == "released"


async def test_a_prompt_that_leaves_no_room_is_said_to(works: OpenWorks) -> None:
    """No part, however small, would fit beside it."""
    async with works(context_tokens=1000) as w:
        job = await w.run(await w.add())
        assert job.status is Status.FAILED
        assert "The prompt alone nearly fills the 1000 tokens that gpt-6-luna takes" in str(job.error_message)
        assert w.answers() == []


# ------------------------------------------------------------------------------------------------------------- trouble


@pytest.mark.parametrize(
    ("kind", "told", "usage_known"),
    [
        ("length", "was cut at the longest output", True),
        ("content_filter", "was stopped by the content filter", True),
        ("empty", "is empty", True),
        ("clean_eof", "broke off before its end", False),
        ("mid_stream_error", "broke off", False),
        ("bad_event", "could not be read", False),
    ],
)
async def test_an_answer_that_is_not_whole_is_no_summary_and_its_cost_is_kept(
    works: OpenWorks, kind: str, told: str, usage_known: bool
) -> None:
    """What was billed is written down; where nobody says how much, the estimate stands, marked. Later it is asked again."""
    async with works() as w:
        w.fault("openai", kind)
        job_id = await w.add()
        job = await w.run(job_id)
        assert (job.status, job.error_step, job.retry_count) == (Status.FAILED, Step.SUMMARIZE, 1)
        assert told in str(job.error_message)
        (charge,) = await charges_for(w, job_id)
        assert (charge.state, charge.usage_known) == ("settled", usage_known)
        if usage_known:
            assert job.cost_micros == w.bill_micros()
        else:
            assert (charge.actual_micros, charge.estimate_micros) == (None, 4_000)
        after = await w.run_in_due_time(job_id)
        assert after.status is Status.COMPLETED
        charges = await charges_for(w, job_id)
        assert [charge.state for charge in charges] == ["settled"] * 3  # the broken answer, the summary, the title
        assert len({charge.external_ref for charge in charges}) == 3
        assert w.ordered() == 1


async def test_an_answer_without_usage_leaves_its_estimate_standing(works: OpenWorks) -> None:
    """The summary is whole; only its price is not known."""
    async with works() as w:
        w.fault("openai", "no_usage", times=2)
        job_id = await w.add()
        assert (await w.run(job_id)).status is Status.COMPLETED
        (charge,) = await charges_for(w, job_id)
        assert (charge.state, charge.actual_micros, charge.estimate_micros) == ("settled", None, 4_000)
        assert charge.usage_known is False


@pytest.mark.parametrize("kind", ["empty", "length", "clean_eof", "insufficient_quota"])
async def test_a_title_that_fails_is_replaced_and_costs_no_second_summary(works: OpenWorks, kind: str) -> None:
    """The summary is there and paid for: the contact's name is title enough."""
    async with works() as w:
        w.fault("openai", kind, skip=1)
        job_id = await w.add()
        job = await w.run(job_id)
        assert (job.status, job.title) == (Status.COMPLETED, "Grace")
        assert "has no title of its own" in await w.told(job_id)
        charges = await charges_for(w, job_id)
        assert {charge.state for charge in charges} == {"settled"}
        assert len(charges) == (1 if kind == "insufficient_quota" else 2)
        if kind != "clean_eof":
            assert job.cost_micros == w.bill_micros()


async def test_every_answer_is_a_line_of_the_ledger(works: OpenWorks) -> None:
    """A long call takes many answers: each has its own settled line, and together they are the bill and the version's cost."""
    async with works(context_tokens=8000) as w:
        job_id = await w.add(LONG)
        job = await w.run(job_id)
        assert job.status is Status.COMPLETED
        charges = await charges_for(w, job_id)
        assert len(charges) == len(w.sandbox.bill.of("openai")) > 3
        assert all(charge.state == "settled" and charge.usage_known for charge in charges)
        assert job.cost_micros == w.bill_micros()
        (version,) = await w.store.summary_versions(job_id)
        assert version.cost_micros == sum(charge.actual_micros or 0 for charge in charges)


async def test_a_stop_in_the_middle_of_an_answer_leaves_its_estimate_standing(works: OpenWorks) -> None:
    """What was written until then is billed, and nobody says how much."""
    async with works() as w:
        w.sandbox.openai.delta_seconds = 60.0
        job_id = await w.add()
        job = await w.stop_at(job_id, service="openai")
        assert job.status is Status.DISCOVERED
        (charge,) = await charges_for(w, job_id)
        assert (charge.state, charge.actual_micros, charge.usage_known) == ("settled", None, False)
        w.sandbox.openai.delta_seconds = 0.0
        assert (await w.run(job_id)).status is Status.COMPLETED


async def test_a_stop_after_a_paid_part_keeps_what_it_cost(works: OpenWorks) -> None:
    """The second part is refused and the worker then stopped: the first part is on the bill."""
    async with works(context_tokens=8000) as w:
        w.fault("openai", "status", skip=1, status=429, retry_after=3600, times=None)
        job_id = await w.add(LONG)
        job = await w.run(job_id)
        assert (job.status, job.hold_kind) == (Status.DISCOVERED, "rate limit")
        (charge,) = await charges_for(w, job_id)
        assert (charge.state, charge.usage_known) == ("settled", True)
        assert job.cost_micros == w.bill_micros()


async def test_a_summary_that_takes_too_long_is_given_up_for_now(works: OpenWorks) -> None:
    """The step has a deadline; what it cost stands as estimated."""
    async with works() as w:
        w.fault("openai", "stall", path="completions", bytes=0)
        w.limit(summarize=0.6)
        job_id = await w.add()
        job = await w.run(job_id)
        assert (job.status, job.error_step, job.retry_count) == (Status.FAILED, Step.SUMMARIZE, 1)
        assert "took longer than" in str(job.error_message)
        assert (await charges_for(w, job_id))[0].usage_known is False


async def test_a_job_lost_while_it_is_summarised_still_has_its_bill(works: OpenWorks) -> None:
    """Somebody cancels the call while the model writes: nothing is stored but what it cost."""
    async with works() as w:
        job_id = await w.add()
        claim = await w.claim(job_id)
        async with anyio.create_task_group() as group:

            async def lose() -> None:
                await w.store.cancel([job_id], now=w.clock.now())

            w.trip(lambda: group.start_soon(lose), nth=2, service="openai")
            w.sandbox.openai.delta_seconds = 0.005
            await run_job(w.chain, claim)
        detail = await w.detail(job_id)
        assert (detail.row.job.status, detail.documents.summary) == (Status.FAILED, None)
        assert detail.row.job.cost_micros == w.bill_micros()


async def test_a_summary_made_anew_is_another_version(works: OpenWorks) -> None:
    """Asked for again it is written again, paid again, and the page shows it."""
    async with works() as w:
        job_id = await w.add(duration_source=DurationSource.SIZE)
        first = await w.run(job_id)
        w.clock.at += w.hours(1)
        again = await w.rerun_from_summary(job_id)
        assert again.status is Status.COMPLETED
        assert again.cost_micros == w.bill_micros() > first.cost_micros
        outcomes = [(a.step, a.outcome) for a in (await w.detail(job_id)).attempts][-3:]
        assert outcomes == [
            (Step.TRANSCRIBE, Outcome.REUSED),
            (Step.SUMMARIZE, Outcome.DONE),
            (Step.SYNC, Outcome.DONE),
        ]
