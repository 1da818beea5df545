"""What will it cost to do this, and does the person at the terminal agree?"""

import sys
from collections.abc import Sequence
from typing import Protocol

from msgspec.structs import replace

from focusflow.cli.outcome import Exit, Finished, say
from focusflow.domain.jobs import JobId, Step
from focusflow.domain.money import format_usd
from focusflow.domain.prices import LengthRates
from focusflow.ports import Money, Planner, RunPrice

DEAR: tuple[Step | None, ...] = (Step.DOWNLOAD, Step.TRANSCRIBE)
"""Steps that are not done anew without a yes."""


class Pricer(Money, Planner, Protocol):
    """What the store knows of prices."""


async def priced(store: Pricer, rates: LengthRates, jobs: Sequence[JobId], from_step: Step | None) -> RunPrice:
    """Ask what doing these calls (anew from a step) would cost, and say it."""
    price = await store.price(jobs, from_step=from_step)
    if price.unpriced:  # what was never measured has a price by its size
        calls, micros = await store.price_unmeasured(jobs, rates)
        price = replace(price, micros=price.micros + micros, unpriced=price.unpriced - calls)
    say(price_sentence(price, len(jobs)))
    return price


def price_sentence(price: RunPrice, calls: int) -> str:
    """Return the price as a sentence."""
    if price.free_because is not None:
        return f"Free: {price.free_because}."
    if calls and price.unpriced == calls:
        return "This has no known price; `focusflow prices` says why."
    many = f" for {calls} calls" if calls > 1 else ""
    unknown = f", and {price.unpriced} of them have no known price" if price.unpriced else ""
    return f"This costs about {format_usd(price.micros)}{many}{unknown}."


def costs_money(price: RunPrice) -> bool:
    """Say whether something is, or may be, to be paid."""
    return price.micros > 0 or price.unpriced > 0


def agreed(question: str, *, yes: bool, otherwise: str) -> None:
    """Ask for a yes; ends the command without one, saying *otherwise*. Nobody to ask is not a yes."""
    if yes:
        return
    if not sys.stdin.isatty():
        raise Finished(Exit.USAGE, f"{otherwise} There is no terminal to ask on; say --yes to agree beforehand.")
    sys.stderr.write(f"{question} [y/N] ")
    sys.stderr.flush()
    if sys.stdin.readline().strip().lower() not in ("y", "yes"):
        raise Finished(Exit.DONE, otherwise)


def agreed_to_pay(price: RunPrice, from_step: Step | None, *, yes: bool) -> None:
    """Ask where something is to be paid. Without a terminal, only what is dear needs a yes beforehand."""
    if costs_money(price) and (from_step in DEAR or sys.stdin.isatty()):
        agreed("Do it?", yes=yes, otherwise="Nothing was done.")
