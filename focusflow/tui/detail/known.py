"""What is known about a call, value by value?"""

from collections.abc import Iterable, Iterator
from datetime import datetime
from itertools import starmap
from zoneinfo import ZoneInfo

from msgspec import Struct

from focusflow.domain.jobs import DurationSource, Job, Status
from focusflow.ports import ChargeRow, Delivery, JobDetail
from focusflow.tui.detail.paragraphs import Paragraph, paragraph
from focusflow.tui.detail.sheet import Sheet
from focusflow.tui.detail.texts import one_line
from focusflow.tui.facts import Facts
from focusflow.tui.plain import plain
from focusflow.tui.words import STEP_WORDS, KeyOf, fit, length, many, sentence, usd

_LABEL_CELLS = 18
_NARROW_LABEL_CELLS = 15

_LENGTH_FROM = {
    DurationSource.SIZE: "guessed from the size of the file",
    DurationSource.HEADER: "read from the recording",
    DurationSource.SIDECAR: "told by the recorder",
    DurationSource.TRANSCRIPT: "as transcribed and billed",
}


class Known(Struct, frozen=True, kw_only=True):
    """One value: what it is called, how it is shown and what is copied."""

    label: str
    shown: str
    style: str = ""

    @property
    def is_link(self) -> bool:
        return self.shown.startswith(("https://", "http://"))


Group = tuple[str, Iterable[Known]]


class KnownView:
    """Labels and values in groups; each value can be chosen, copied and, where it is a link, opened."""

    def __init__(self, facts: Facts) -> None:
        self._facts = facts
        self.key: KeyOf | None = facts.key
        """Names the keys in what is said; None: nothing can be asked for."""
        self._known: list[Known | None] = []
        self.sheet = Sheet(choosing=True)

    def draw(self, detail: JobDetail, *, narrow: bool) -> None:
        cells = _NARROW_LABEL_CELLS if narrow else _LABEL_CELLS
        rows = list(_rows(groups(detail, self._facts, self.key), cells))
        self._known = [known for _, known in rows]
        self.sheet.show([shown for shown, _ in rows])

    def chosen_link(self) -> str | None:
        """Return the address that is chosen; None: it is something else."""
        known = self._known[self.sheet.chosen] if self.sheet.chosen < len(self._known) else None
        return known.shown if known is not None and known.is_link else None

    def state(self) -> str:
        return many(sum(known is not None for known in self._known), "value")

    def text(self) -> str:
        return "\n".join(shown.text for shown in self.sheet.paragraphs)


def _rows(all_groups: Iterable[Group], cells: int) -> Iterator[tuple[Paragraph, Known | None]]:
    between = False
    for title, members in all_groups:
        known = [member for member in members if member.shown]
        if not known:
            continue
        if between:
            yield Paragraph(), None
        between = True
        yield paragraph((title, "heading")), None
        for member in known:
            style = member.style or ("link" if member.is_link else "")
            label = (f"{fit(member.label, cells - 1)} ", "quiet")
            yield paragraph(label, (one_line(member.shown), style), hang=cells, value=member.shown), member


def groups(detail: JobDetail, facts: Facts, key: KeyOf | None) -> Iterator[Group]:
    """Yield everything known, in the order in which people ask for it."""
    when = _When(facts.budgets.zone)
    job = detail.row.job
    yield "Call", _call(job, when)
    now = sentence(detail.row, facts.clock.now(), facts.budgets.zone, key)
    yield "State", _state(job, now, when)
    for delivery in detail.row.deliveries:
        yield delivery.sink.capitalize(), _delivery(delivery, when)
    yield "Money", _money(detail, when)
    yield "Recording", _recording(job, when)
    yield "Transcript and summary", _documents(detail)
    yield "Times", _times(job, when)
    yield "Worker", _worker(job, when)


class _When:
    """Writes instants as people read them here, to the second."""

    def __init__(self, zone: ZoneInfo) -> None:
        self._zone = zone

    def __call__(self, at: datetime | None) -> str:
        return "" if at is None else f"{at.astimezone(self._zone):%a %Y-%m-%d %H:%M:%S %Z}"


def _call(job: Job, when: _When) -> Iterator[Known]:
    yield Known(label="Contact", shown=job.contact_name or "", style="strong")
    yield Known(label="Number", shown=job.contact_number or "")
    yield Known(label="Direction", shown=str(job.direction or ""))
    yield Known(label="Type", shown=job.call_type or "")
    yield Known(label="When", shown=when(job.call_at))
    yield Known(label="Length", shown=_length(job))
    yield Known(label="Title", shown=job.title or "")
    yield Known(label="Language", shown=job.language or "")


def _length(job: Job) -> str:
    if job.duration_seconds is None:
        return "not known yet"
    source = _LENGTH_FROM[job.duration_source] if job.duration_source else "from an unknown place"
    return f"{length(job.duration_seconds)}, {source}"


def _state(job: Job, now: str, when: _When) -> Iterator[Known]:
    yield Known(label="Status", shown=str(job.status), style="strong")
    yield Known(label="What now", shown=now)
    yield Known(label="Call id", shown=job.id)
    yield Known(label="Failed at", shown=STEP_WORDS[job.error_step] if job.error_step else "", style="error")
    yield Known(label="Error", shown=job.error_message or "", style="error")
    yield Known(label="Waits for", shown=job.hold_reason or job.hold_kind or "", style="warning")
    yield Known(label="Skipped", shown=job.skip_reason or "", style="warning")
    yield Known(label="Skipped by", shown=str(job.skipped_by or ""))
    yield Known(label="Not before", shown=when(job.next_attempt_at))
    yield Known(label="Retries", shown=str(job.retry_count or ""))
    yield Known(label="Rescues", shown=str(job.rescue_count or ""))
    yield Known(label="Asked for by", shown=job.requested_by or ("the rules" if job.auto_processed else ""))


def _delivery(delivery: Delivery, when: _When) -> Iterator[Known]:
    yield Known(label="Page", shown=delivery.url or "")
    yield Known(label="Page id", shown=delivery.ref or "")
    yield Known(label="Delivered", shown=when(delivery.delivered_at))
    yield Known(label="Error", shown=delivery.error or "", style="error")
    yield Known(label="Attempts", shown=str(delivery.attempts or ""))
    yield Known(label="Tried again", shown=when(delivery.next_attempt_at))
    unsure = delivery.intent_at is not None and delivery.ref is None
    yield Known(label="Page ordered", shown=when(delivery.intent_at) if unsure else "")


def _money(detail: JobDetail, when: _When) -> Iterator[Known]:
    job = detail.row.job
    yield Known(label="Paid", shown=usd(job.cost_micros), style="strong")
    open_price = job.estimate_micros if job.status is not Status.COMPLETED else None
    yield Known(label="Still to pay", shown=f"about {usd(open_price)}" if open_price else "")
    for charge in detail.charges:
        yield Known(label=STEP_WORDS[charge.step].capitalize(), shown=_charge(charge, when))


_CHARGES = {"reserved": "set aside", "settled": "paid", "released": "not spent"}


def _charge(charge: ChargeRow, when: _When) -> str:
    amount = charge.estimate_micros if charge.actual_micros is None else charge.actual_micros
    parts = [
        f"{_CHARGES.get(charge.state, charge.state)} {usd(amount)}",
        " ".join(filter(None, (charge.provider, charge.model))),
    ]
    if charge.actual_micros is not None and charge.estimate_micros is not None:
        parts.append(f"estimated {usd(charge.estimate_micros)}")
    if charge.state == "settled" and not charge.usage_known:
        parts.append("usage not told, so the estimate stands")
    parts += [", ".join(filter(None, starmap(_used, charge.usage.items()))), charge.external_ref or ""]
    return "; ".join([*filter(None, parts), when(charge.settled_at or charge.reserved_at)])


def _used(name: str, value: object) -> str:
    """Return a quantity of the bill: `2:27 of audio`, `speaker labels`, `1,204 input tokens`; nothing for none of it."""
    match value:
        case int() | float() if name == "audio_seconds":
            return f"{length(value)} of audio"
        case int() | float():
            return f"{value:,} {_words(name)}" if value else ""
        case list() | tuple():
            return ", ".join(_words(str(part)) for part in value)
        case _:
            return f"{_words(name)}: {value}" if value else ""


def _words(name: str) -> str:
    return name.replace("_", " ")


def _recording(job: Job, when: _When) -> Iterator[Known]:
    yield Known(label="File", shown=job.file_name)
    yield Known(label="Open", shown=job.web_url or "")
    yield Known(label="Size", shown=f"{job.file_size:,} bytes" if job.file_size is not None else "")
    yield Known(label="Changed", shown=when(job.file_modified_at))
    yield Known(label="Recorder", shown=job.recorder or "not recognised")
    yield Known(label="Source", shown=job.source)
    yield Known(label="File id", shown=job.file_id)
    yield Known(label="Folder id", shown=job.parent_id or "")
    yield Known(label="Sidecar id", shown=job.sidecar_id or "")
    yield Known(label="MD5", shown=job.file_md5 or "")


def _documents(detail: JobDetail) -> Iterator[Known]:
    job, transcript, summary = detail.row.job, detail.documents.transcript, detail.documents.summary
    yield Known(label="Transcript id", shown=job.transcript_id or "")
    if transcript is not None:
        yield Known(label="Transcribed by", shown=transcript.model or "")
        yield Known(label="Turns", shown=f"{len(transcript.utterances):,}")
        names = (f"{label}: {name}" for label, name in transcript.speakers.items())
        yield Known(label="Speakers", shown=", ".join(names))
    if summary is not None:
        yield Known(label="Summarized by", shown=summary.model)
        yield Known(label="Prompt", shown=summary.prompt_hash)


def _times(job: Job, when: _When) -> Iterator[Known]:
    yield Known(label="Found", shown=when(job.discovered_at))
    yield Known(
        label="Transcription", shown=_from_to(job.transcription_started_at, job.transcription_completed_at, when)
    )
    yield Known(label="Summary", shown=_from_to(job.summarization_started_at, job.summarization_completed_at, when))
    yield Known(label="Notion began", shown=when(job.sync_started_at))
    yield Known(label="Completed", shown=when(job.completed_at))
    yield Known(label="Last change", shown=when(job.updated_at))


def _from_to(start: datetime | None, end: datetime | None, when: _When) -> str:
    if start is None or end is None:
        return f"began {when(start)}" if start else ""
    return f"{when(start)}, took {length((end - start).total_seconds())}"


def _worker(job: Job, when: _When) -> Iterator[Known]:
    yield Known(label="Works on it", shown=job.claimed_by or "")
    yield Known(label="Until", shown=when(job.lease_until))
    yield Known(label="Upload", shown=plain(job.upload_ref or ""))
    yield Known(label="Uploaded", shown=when(job.uploaded_at))
    ordered = job.submit_intent_at if job.transcript_id is None else None
    yield Known(label="Ordered, unsure", shown=when(ordered))
