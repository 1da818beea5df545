"""How are times, lengths, money and states said on a screen of any width?"""

from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo

from msgspec import Struct
from rich.cells import cell_len, set_cell_size

from focusflow.domain.budgets import FOR_EVER, fact_of
from focusflow.domain.jobs import WORKING, Direction, Job, Status, Step
from focusflow.domain.money import format_usd
from focusflow.errors import HoldKind
from focusflow.ports import Delivery, JobRow
from focusflow.tui.plain import plain

STATUS_WORDS: Mapping[Status, str] = {status: str(status) for status in Status}

STEP_WORDS: Mapping[Step, str] = {
    Step.DOWNLOAD: "download",
    Step.TRANSCRIBE: "transcribe",
    Step.SUMMARIZE: "summarize",
    Step.SYNC: "Notion",
}

DIRECTION_WORDS: Mapping[Direction, str] = {
    Direction.INCOMING: "in",
    Direction.OUTGOING: "out",
    Direction.CONFERENCE: "conf",
}


class Symbols(Struct, frozen=True, kw_only=True):
    """The few signs that the screen draws, each with a word beside it where there is room."""

    done: str = "●"
    running: str = "◐"
    todo: str = "○"
    failed: str = "✗"
    waiting: str = "‖"
    mark: str = "▌"
    cursor: str = "›"
    lamp: str = "●"
    full: str = "█"
    reserved: str = "▒"
    empty: str = "░"
    ellipsis: str = "…"
    dot: str = "·"
    up: str = "↑"
    down: str = "↓"
    spark: str = "▁▂▃▄▅▆▇█"


UNICODE = Symbols()
ASCII = Symbols(
    done="#",
    running=">",
    todo=".",
    failed="x",
    waiting="=",
    mark="*",
    cursor=">",
    lamp="*",
    full="#",
    reserved="+",
    empty=".",
    ellipsis="~",
    dot="-",
    up="^",
    down="v",
    spark="_.,-=+*#",
)


def symbols(ascii_only: bool) -> Symbols:
    """Return the signs this terminal can draw."""
    return ASCII if ascii_only else UNICODE


# ------------------------------------------------------------------------------------------------------------- width


@lru_cache(8_192)
def fit(text: str, width: int, *, right: bool = False, ellipsis: str = "…") -> str:
    """Return *text* in exactly *width* cells: padded, or cut and ended by an ellipsis. Wide letters are never halved."""
    if width <= 0:
        return ""
    length = cell_len(text)
    if length > width:
        text = set_cell_size(text, width - 1).rstrip() + ellipsis
        length = cell_len(text)
    blanks = " " * (width - length)
    return blanks + text if right else text + blanks


def elide(text: str, width: int, *, ellipsis: str = "…") -> str:
    """Return *text*, at most *width* cells of it, without padding."""
    return fit(text, width, ellipsis=ellipsis).rstrip() if cell_len(text) > width else text


# ------------------------------------------------------------------------------------------------------------- times


def moment(at: datetime | None, now: datetime, zone: ZoneInfo) -> str:
    """Return an instant in at most twelve cells: `14:05` today, `Mon 14:05` this week, `23 Oct 14:05`, `23 Oct 2024`."""
    if at is None:
        return "no time"
    local, today = at.astimezone(zone), now.astimezone(zone).date()
    if local.date() == today:
        return f"{local:%H:%M}"
    if timedelta() < today - local.date() < timedelta(days=7):
        return f"{local:%a %H:%M}"
    if local.year == today.year:
        return f"{local.day:>2} {local:%b %H:%M}"
    return f"{local.day:>2} {local:%b %Y}"


def until(at: datetime, now: datetime, zone: ZoneInfo) -> str:
    """Return when something ends: `14:05`, `Tue 0:00`, `1 Dec`."""
    local, today = at.astimezone(zone), now.astimezone(zone).date()
    if local.date() == today:
        return f"{local:%H:%M}"
    if local.date() == today + timedelta(days=1) and (local.hour, local.minute) == (0, 0):
        return "midnight"
    if timedelta() < local.date() - today < timedelta(days=7):
        return f"{local:%a %H:%M}"
    return f"{local.day} {local:%b}"


def minutes(at: datetime | None, now: datetime) -> str:
    """Return how far away an instant is, in whole minutes: `now`, `1 min`, `2 h 05`, `3 days`. Never seconds."""
    if at is None:
        return "?"
    seconds = (at - now).total_seconds()
    if seconds <= 5:
        return "now"
    return span(-(-seconds // 60) * 60)


def span(seconds: float) -> str:
    """Return a length of time in words: `under 1 min`, `12 min`, `2 h 05`, `3 days`."""
    whole = int(seconds // 60)
    if whole < 1:
        return "under 1 min"
    if whole < 60:
        return f"{whole} min"
    if whole < 48 * 60:
        return f"{whole // 60} h {whole % 60:02d}"
    return f"{whole // 1440} days"


def length(seconds: float | None) -> str:
    """Return how long a call is: `0:07`, `12:05`, `1:03:15`; nothing where it is unknown."""
    if seconds is None:
        return ""
    whole = max(0, int(seconds))
    hours, rest = divmod(whole, 3_600)
    return f"{hours}:{rest // 60:02d}:{rest % 60:02d}" if hours else f"{rest // 60}:{rest % 60:02d}"


# ------------------------------------------------------------------------------------------------------------- money


def usd(micros: int | None) -> str:
    """Return an amount for people; what has no price says so."""
    return "unpriced" if micros is None else format_usd(micros)


def cents(micros: int) -> str:
    """Return a total or a limit: `$1.20`, `$0.20`; below a dollar with the digits of a call's price, so that it adds up."""
    if micros < 0 or (micros < 995_000 and micros % 10_000):
        return format_usd(micros)
    whole = (micros + 5_000) // 10_000
    return f"${whole // 100:,}.{whole % 100:02d}"


def price(job: Job) -> str:
    """Return what a call cost, or what it is expected to: `$0.03`, `~$0.02`, `unpriced`."""
    if job.cost_micros or job.status is Status.COMPLETED:
        return usd(job.cost_micros)
    return "unpriced" if job.estimate_micros is None else f"~{usd(job.estimate_micros)}"


def many(count: int, one: str, several: str | None = None) -> str:
    """Return a number with its word: `1 call`, `1,204 calls`."""
    return f"{count:,} {one if count == 1 else several or one + 's'}"


# -------------------------------------------------------------------------------------------------------------- calls


def contact(job: Job) -> str:
    """Return who was on the phone: the name, else the number, else the file's name."""
    return plain(job.contact_name or job.contact_number or job.file_name)


def notion(row: JobRow) -> Delivery | None:
    return next((delivery for delivery in row.deliveries if delivery.sink == "notion"), None)


def held(job: Job) -> bool:
    """Say whether the call waits for something and comes back by itself."""
    return job.status is Status.DISCOVERED and job.hold_kind is not None


def status(row: JobRow) -> str:
    """Return where a call stands, in one or two words."""
    job = row.job
    if held(job):
        return "waiting"
    if job.status is Status.COMPLETED and any(delivery.error for delivery in row.deliveries):
        return "not synced"
    return STATUS_WORDS[job.status]


KeyOf = Callable[[str], str]
"""Tells the key for an action of the registry."""


def troubled(row: JobRow) -> bool:
    """Say whether something is to be read, and perhaps done, about a call before anything else."""
    return row.job.status in (Status.FAILED, Status.SKIPPED) or held(row.job) or status(row) == "not synced"


def sentence(row: JobRow, now: datetime, zone: ZoneInfo, key: KeyOf | None, *, at_rest: str = "") -> str:
    """Return one line that says what happened to a call and what comes next; no *key*: nothing can be asked for.

    What can be done about a failure comes before its reason, which may be long and is what a narrow screen cuts.
    *at_rest* says why nothing is begun now, where that is so.
    """
    job = row.job
    if job.status is Status.FAILED:
        return _failure(job, now, zone, key)
    if held(job):
        return _waiting(job, now, zone, key)
    if job.status is Status.SKIPPED:
        reason = _closed(plain(job.skip_reason or "no reason was kept"))
        said = f"S{reason[1:]}" if reason.startswith("skipped ") else f"Skipped: {reason}"
        return f"{said} Press {key('skip')} to do it after all." if key else said
    if job.status is Status.DISCOVERED:
        return _found(job, now, zone, at_rest)
    if job.status in WORKING:
        return f"{STATUS_WORDS[job.status].capitalize()} on {plain(job.claimed_by or 'a worker')}."
    return _completed(row, now, zone, key)


def _waiting(job: Job, now: datetime, zone: ZoneInfo, key: KeyOf | None) -> str:
    """Return what a call waits for; its key, where a person can do something, comes before what may be cut."""
    reason = plain(job.hold_reason or job.hold_kind or "")
    said = ""
    if job.hold_kind == HoldKind.BUDGET and key:
        said, reason = f"Waiting; {key('budget')} changes the budget or lets it through.", fact_of(reason)
    elif not reason.startswith("Waiting"):
        said = "Waiting:"
    by_itself = job.next_attempt_at is not None and job.next_attempt_at < FOR_EVER
    back = f"It comes back {_when(job.next_attempt_at, now, zone)}." if by_itself else ""
    return " ".join(filter(None, (said, _closed(reason), back)))


def _failure(job: Job, now: datetime, zone: ZoneInfo, key: KeyOf | None) -> str:
    where = f"Failed at {STEP_WORDS[job.error_step]}" if job.error_step else "Failed"
    what = _closed(plain(job.error_message or "no reason was kept"))
    again = _again(job.next_attempt_at, now, zone, key and f"{key('retry')} tries")
    return f"{where}{again}: {what}"


def _again(at: datetime | None, now: datetime, zone: ZoneInfo, by_key: str | None) -> str:
    """Return when something is tried again by itself, and *by_key*, as `r tries`, how to do so now."""
    if at is None:
        return f"; {by_key} again" if by_key else ""
    return f"; tried again {_when(at, now, zone)}" + (f", {by_key} now" if by_key else "")


def _found(job: Job, now: datetime, zone: ZoneInfo, at_rest: str) -> str:
    if job.next_attempt_at is not None and job.next_attempt_at > now:
        return f"Tried again {_when(job.next_attempt_at, now, zone)}."
    if job.duration_seconds is None:
        return "Found; its length is not known yet, so it waits for the recorder's details."
    return _begun(job, at_rest or "when a place is free.")


def _begun(job: Job, when: str) -> str:
    """Return what is next for a call that rests, and *when*: `Paused: P goes on.`"""
    if job.summarization_completed_at is not None:
        said = "Summarised; the page is next"
    elif job.transcription_completed_at is not None:
        said = "Transcribed; the summary is next"
    elif job.uploaded_at is not None:
        said = "Sent in; the transcript is next"
    else:
        said = "Found; it is next"
    return f"{said}{' ' if when[0].islower() else '. '}{when}"


def _completed(row: JobRow, now: datetime, zone: ZoneInfo, key: KeyOf | None) -> str:
    broken = next((delivery for delivery in row.deliveries if delivery.error), None)
    if broken is not None:
        again = _again(broken.next_attempt_at, now, zone, key and f"{key('resync')} syncs")
        return f"Not synced to {broken.sink.capitalize()}{again}: {_closed(plain(broken.error or ''))}"
    title = plain(row.job.title or "")
    done = f"Completed {moment(row.job.completed_at, now, zone)}" if row.job.completed_at else "Completed"
    return f"{title} {UNICODE.dot} {done}" if title else f"{done}."


def _when(at: datetime | None, now: datetime, zone: ZoneInfo) -> str:
    if at is None or at - now < timedelta(seconds=6):
        return "at the next turn"
    if at - now < timedelta(hours=2):
        return f"in {minutes(at, now)}"
    return f"at {until(at, now, zone)}"


def _closed(text: str) -> str:
    """Return *text* with a full stop, if it has none."""
    text = text.strip()
    return text if text.endswith((".", "!", "?", "…")) else f"{text}."
