"""What was spent, on what, and what was not? Every sum can be traced to the lines of the ledger."""

import csv
import io
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from types import MappingProxyType
from zoneinfo import ZoneInfo

from msgspec import Struct

from focusflow.cli import output
from focusflow.cli.days import day_start
from focusflow.cli.outcome import Exit, Finished, say
from focusflow.cli.session import Options, now, run_async
from focusflow.domain.money import exact_usd, format_usd
from focusflow.ports import ChargeRow, Costs, CostsBy, LedgerLine, Saved, Saving

_WORDS: Mapping[Saving, str] = MappingProxyType(
    {
        Saving.RULE: "left out by the rules",
        Saving.DUPLICATE: "duplicates",
        Saving.OTHER: "left out otherwise",
        Saving.TRANSCRIPT: "transcripts used again",
        Saving.SUMMARY: "summaries used again",
    }
)
_UNNAMED: Mapping[CostsBy, str] = MappingProxyType({CostsBy.MODEL: "(not yet known)", CostsBy.CONTACT: "(unknown)"})


class Account(Struct, frozen=True, kw_only=True):
    """The sums of the ledger, and what was not spent."""

    by: CostsBy
    rows: Sequence[Costs]
    total: Costs
    saved: Sequence[Saved]


def total_of(rows: Iterable[Costs], calls: int) -> Costs:
    """Return the sum of all groups. A call may be in several of them, so *calls* is counted apart."""
    found = list(rows)
    return Costs(
        group="total",
        label="",
        calls=calls,
        charges=sum(row.charges for row in found),
        settled_micros=sum(row.settled_micros for row in found),
        reserved_micros=sum(row.reserved_micros for row in found),
        unpriced=sum(row.unpriced for row in found),
        estimated=sum(row.estimated for row in found),
    )


def print_costs(options: Options, *, by: str, since: str | None, lines: bool, as_csv: bool, as_json: bool) -> None:
    settings = options.load().settings
    wanted = _by(by)
    start = None if since is None else day_start(since, settings.zone, "--since")
    if as_csv and as_json:
        raise Finished(Exit.USAGE, "Say either --csv or --json.")
    if lines:
        found = run_async(lambda: _ledger(options, start))
        _put_lines(found, settings.zone, as_csv=as_csv, as_json=as_json)
        return
    account = run_async(lambda: _account(options, wanted, start))
    if as_json:
        output.put_json(account_json(account))
    elif as_csv:
        output.put(account_csv(account), end="")
    elif account.rows or account.saved:
        output.put(account_text(account))
    else:
        say(_nothing(since))


def _by(name: str) -> CostsBy:
    if name not in list(CostsBy):
        raise Finished(Exit.USAGE, f"Costs cannot be shown by {name}; there are {', '.join(CostsBy)}.")
    return CostsBy(name)


def _nothing(since: str | None) -> str:
    if since is None:
        return "Nothing was spent yet. `focusflow plan` says what the calls that wait will cost."
    return f"Nothing was spent since {since}. `focusflow costs` shows everything."


async def _account(options: Options, by: CostsBy, since: datetime | None) -> Account:
    from focusflow.wiring import Pricing, SystemClock, opened_store

    settings = options.load().settings
    rates = Pricing(settings, SystemClock()).by_length()
    async with opened_store(settings) as store:
        rows = await store.costs(by, since=since, now=now(), zone=settings.zone)
        calls = await store.calls_charged(since=since)
        saved = await store.savings(rates, since=since)
    return Account(by=by, rows=rows, total=total_of(rows, calls), saved=saved)


async def _ledger(options: Options, since: datetime | None) -> Sequence[LedgerLine]:
    from focusflow.wiring import opened_store

    async with opened_store(options.load().settings) as store:
        return await store.ledger(since=since)


# ------------------------------------------------------------------------------------------------------------ as text


def account_text(account: Account) -> str:
    """Return the account for people."""
    blocks = []
    if account.rows:
        blocks.append(_sums(account))
        blocks += ["\n".join(notes)] if (notes := _notes(account.total)) else []
    if account.saved:
        blocks.append(_savings(account.saved))
    return "\n\n".join(blocks)


def _sums(account: Account) -> str:
    jobs = account.by is CostsBy.JOB
    header = (account.by.upper(), *(("WHOSE",) if jobs else ()), "CALLS", "SPENT", "RESERVED")
    rows = [_sum_line(row, account.by, jobs) for row in [*account.rows, account.total]]
    return output.table(header, rows, right=range(2 if jobs else 1, len(header)))


def _sum_line(row: Costs, by: CostsBy, jobs: bool) -> tuple[str, ...]:
    name = output.cut(output.plain(row.group or _UNNAMED.get(by, "(unknown)")), 36)
    label = (output.cut(output.plain(row.label), 30),) if jobs else ()
    mark = "~" if row.estimated else ""
    return (name, *label, str(row.calls), f"{mark}{format_usd(row.settled_micros)}", format_usd(row.reserved_micros))


def _notes(total: Costs) -> list[str]:
    notes = []
    if total.estimated:
        notes.append(f"~ {_counted(total.estimated, 'charge')} of unknown usage: the estimate stands.")
    if total.unpriced:
        notes.append(f"{_counted(total.unpriced, 'charge')} without a known price, not in it: see `focusflow prices`.")
    return notes


def _savings(saved: Sequence[Saved]) -> str:
    rows = [(f"  {_WORDS[one.why]}", str(one.times), _saved_amount(one)) for one in saved]
    everything = sum(one.micros for one in saved)
    text = output.table(
        ("NOT SPENT", "TIMES", "SAVED"), [*rows, ("  together", "", format_usd(everything))], right=(1, 2)
    )
    unpriced = sum(one.unpriced for one in saved)
    return (
        text if not unpriced else f"{text}\n{_counted(unpriced, 'of these is', 'of these are')} without a known price."
    )


def _saved_amount(saved: Saved) -> str:
    return "unpriced" if saved.unpriced == saved.times else format_usd(saved.micros)


def _counted(count: int, one: str, many: str = "") -> str:
    return f"{count} {one if count == 1 else many or one + 's'}"


def charges_table(charges: Iterable[ChargeRow], zone: ZoneInfo) -> str:
    """Return a call's lines of the ledger as a table."""
    header = ("CHARGED", "STEP", "STATE", "MODEL", "ESTIMATE", "ACTUAL")
    rows = [
        (
            f"{charge.reserved_at.astimezone(zone):%Y-%m-%d %H:%M}",
            str(charge.step),
            charge.state,
            output.cut(output.plain(charge.model or ""), 19),
            "?" if charge.estimate_micros is None else format_usd(charge.estimate_micros),
            _actual(charge),
        )
        for charge in charges
    ]
    return output.table(header, rows, right=(4, 5))


def _actual(charge: ChargeRow) -> str:
    if charge.state != "settled":
        return ""
    if charge.actual_micros is not None:
        return format_usd(charge.actual_micros)
    return "unpriced" if charge.estimate_micros is None else f"~{format_usd(charge.estimate_micros)}"


def _lines_text(lines: Sequence[LedgerLine], zone: ZoneInfo) -> str:
    header = ("ID", "JOB", "WHEN", "STEP", "STATE", "MODEL", "AMOUNT")
    rows = [
        (
            str(line.charge.id),
            line.charge.job_id,
            f"{line.charge.reserved_at.astimezone(zone):%m-%d %H:%M}",
            str(line.charge.step),
            line.charge.state,
            output.cut(output.plain(line.charge.model or ""), 18),
            _amount(line.charge),
        )
        for line in lines
    ]
    return output.table(header, rows, right=(0, 6))


def _amount(charge: ChargeRow) -> str:
    if charge.state == "released":
        return "-"
    if charge.state == "reserved":
        return "unpriced" if charge.estimate_micros is None else format_usd(charge.estimate_micros)
    return _actual(charge)


def _put_lines(lines: Sequence[LedgerLine], zone: ZoneInfo, *, as_csv: bool, as_json: bool) -> None:
    found = [_line_json(line) for line in lines]
    if as_json:
        output.put_json(found)
    elif as_csv:
        output.put(_csv(found), end="")
    elif lines:
        output.put(_lines_text(lines, zone))
    else:
        say("The ledger has no lines yet.")


# ----------------------------------------------------------------------------------------------------- for programs


def account_json(account: Account) -> output.Json:
    return {
        "by": str(account.by),
        "rows": [_costs_json(row, account.by) for row in account.rows],
        "total": {key: value for key, value in _costs_json(account.total, account.by).items() if key != account.by},
        "saved": [
            {"why": str(one.why), "times": one.times, "usd": exact_usd(one.micros), "unpriced": one.unpriced}
            for one in account.saved
        ],
        "saved_usd": exact_usd(sum(one.micros for one in account.saved)),
    }


def account_csv(account: Account) -> str:
    return _csv([_costs_json(row, account.by) for row in account.rows])


def _costs_json(row: Costs, by: CostsBy) -> output.Json:
    return {
        str(by): row.group,
        **({"whose": row.label} if by is CostsBy.JOB else {}),
        "calls": row.calls,
        "charges": row.charges,
        "settled_usd": exact_usd(row.settled_micros),
        "reserved_usd": exact_usd(row.reserved_micros),
        "unpriced": row.unpriced,
        "usage_unknown": row.estimated,
    }


def _line_json(line: LedgerLine) -> output.Json:
    charge = line.charge
    return {
        "id": charge.id,
        "job": charge.job_id,
        "whose": line.label,
        "step": str(charge.step),
        "state": charge.state,
        "provider": charge.provider,
        "model": charge.model,
        "estimate_usd": output.maybe_usd(charge.estimate_micros),
        "actual_usd": output.maybe_usd(charge.actual_micros),
        "usage_known": charge.usage_known,
        "external_ref": charge.external_ref,
        "reserved_at": output.instant(charge.reserved_at),
        "settled_at": output.instant(charge.settled_at),
    }


def _csv(rows: Sequence[output.Json]) -> str:
    text = io.StringIO()
    if rows:
        writer = csv.DictWriter(text, rows[0].keys())
        writer.writeheader()
        writer.writerows({key: output.harmless_cell(value) for key, value in row.items()} for row in rows)
    return text.getvalue()
