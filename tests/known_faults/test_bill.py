"""Does the ledger agree with what the services sold, to the micro-dollar, after a long day of mixed calls and faults?

Every run does a small day; `pytest tests/known_faults/test_bill.py --proof` does one of 500 calls.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from focusflow.config import Settings, price_table
from focusflow.domain.jobs import Status, Step
from focusflow.domain.money import (
    ModelPricing,
    TokenCount,
    TokenRates,
    audio_rates,
    completion_micros,
    transcription_micros,
)
from focusflow.sandbox.faults import Fault

if TYPE_CHECKING:
    from focusflow.ports import ChargeRow
    from focusflow.sandbox.service import BillLine

SCRIPTS = ("clinic-appointment", "spanish-order", "family-dinner", "landlord-repair")
FAULTS = (
    Fault(service="drive", kind="status", status=503, chance=0.03, times=None),
    Fault(service="assemblyai", kind="reset_after", path="transcript", chance=0.03, times=None),
    Fault(service="assemblyai", kind="status", status=500, path="transcript/", chance=0.05, times=None),
    Fault(service="openai", kind="reset_after", chance=0.03, times=None),
    Fault(service="openai", kind="truncate", bytes=900, chance=0.05, times=None),
    Fault(service="openai", kind="status", status=500, chance=0.03, times=None),
    Fault(service="notion", kind="status", status=503, chance=0.03, times=None),
    Fault(service="notion", kind="reset_after", chance=0.02, times=None),
)
OWN = TokenRates(input_micros=100_000, output_micros=500_000)
"""As the world's settings have them."""
ROUNDS = 40


@pytest.mark.timeout(1_800)
async def test_the_ledger_is_the_bill(world: Any, pytestconfig: pytest.Config) -> None:
    """Every line that reported its usage is there at its price, once; where usage was not reported the ledger says so."""
    calls = 500 if pytestconfig.getoption("--proof") else 15
    async with world() as w:
        for n in range(calls):
            name = f"2026-11-{1 + n // 60:02} 08-{n % 60:02}-00 (phone) Caller {n} ↙.m4a"
            w.sandbox.drive.files.add_file(name, content=w.audio(SCRIPTS[n % len(SCRIPTS)]))
        w.sandbox.faults.add(*FAULTS)
        async with w.opened(auto__concurrency=4, auto__max_batch=8, auto__max_retries=50) as product:
            await all_completed(product, calls)
            charges = [charge for job in (await product.jobs()).values() for charge in await settled(product, job.id)]
            shown = sum(job.cost_micros for job in (await product.jobs()).values())
        w.sandbox.assemblyai.settle()
        bill = list(w.sandbox.bill.lines)

    assert len([line for line in bill if line.service == "assemblyai"]) == calls
    assert wrong_transcripts(charges, bill) == []
    assert wrong_answers(charges, bill) == []
    assert shown == sum(charge.actual_micros or charge.estimate_micros or 0 for charge in charges)


async def all_completed(product: Any, calls: int) -> None:
    """Let time pass until every call is done."""
    for _ in range(ROUNDS):
        await product.works.supervisor.discovery_loop.turn()
        await product.works.supervisor.measuring_loop.turn()
        await product.process()
        done = [job for job in (await product.jobs()).values() if job.status is Status.COMPLETED]
        if len(done) == calls:
            return
        await product.in_due_time()
        await product.clock.sleep(120)
    raise AssertionError(f"{len(done)} of {calls} calls are done")


async def settled(product: Any, job_id: Any) -> list[ChargeRow]:
    return [charge for charge in (await product.detail(job_id)).charges if charge.state == "settled"]


def wrong_transcripts(charges: list[ChargeRow], bill: list[BillLine]) -> list[str]:
    """Return the transcripts whose price in the ledger is not the bill's."""
    rates = audio_rates(price_table(Settings()))
    sold = {
        line.reference: transcription_micros(line.quantity["audio_seconds"], line.model, ("speaker_labels",), rates)
        for line in bill
        if line.service == "assemblyai"
    }
    kept = {charge.external_ref: charge.actual_micros for charge in charges if charge.step is Step.TRANSCRIBE}
    return [f"{ref}: {kept.get(ref)} is not {price}" for ref, price in sold.items() if kept.get(ref) != price]


def wrong_answers(charges: list[ChargeRow], bill: list[BillLine]) -> list[str]:
    """Return the answers whose price in the ledger is not the bill's, and those that are nowhere in it."""
    rows = [charge for charge in charges if charge.step is Step.SUMMARIZE]
    unknown = [row for row in rows if not row.usage_known]
    lines = [line for line in bill if line.service == "openai"]
    wrong, unmatched = [], 0
    for line in lines:
        mine = [row for row in rows if row.usage_known and line.reference in (row.external_ref or "")]
        if not mine:
            unmatched += 1
        elif [row.actual_micros for row in mine] != [price_of(line)]:
            wrong.append(f"{line.reference}: {[row.actual_micros for row in mine]} is not {price_of(line)}")
    if bool(unmatched) != bool(unknown):
        wrong.append(f"{unmatched} answers are not in the ledger, where {len(unknown)} rows are marked")
    return wrong


def price_of(line: BillLine) -> int | None:
    count = TokenCount(input_tokens=line.quantity["input_tokens"], output_tokens=line.quantity["output_tokens"])
    return completion_micros(line.model, count, at=None, pricing=ModelPricing(own=OWN))  # type: ignore[arg-type]  # own prices have no date
