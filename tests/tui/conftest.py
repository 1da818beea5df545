"""A desk in memory, a clock that stands still, and the app on top of both."""

from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import anyio
import anyio.lowlevel
import pytest
from msgspec.structs import fields, replace
from textual.pilot import Pilot

from focusflow.domain.budgets import Budgets, Period, bounds
from focusflow.domain.jobs import (
    WORKING,
    Attempt,
    Direction,
    DurationSource,
    Job,
    JobId,
    LogLine,
    Outcome,
    SkippedBy,
    Status,
    Step,
)
from focusflow.domain.transcript import Transcript, Utterance
from focusflow.errors import StoreError
from focusflow.events import Bus, ControlChanged, JobChanged, JobLogged, JobsAdded, LoopTicked, ServiceChanged
from focusflow.events import ServiceState as State
from focusflow.ports import (
    Backlog,
    BudgetWindow,
    ChargeRow,
    ControlState,
    Delivery,
    Desk,
    Documents,
    Instance,
    JobDetail,
    JobFilter,
    JobRow,
    Order,
    Override,
    OverrideKind,
    Purse,
    RunPrice,
    Spending,
    Stats,
    Summary,
    SummaryVersion,
)
from focusflow.tui.app import FocusFlowApp
from focusflow.tui.facts import Facts

NOW = datetime(2026, 11, 23, 3, 5, tzinfo=UTC)
ZONE = ZoneInfo("Australia/Melbourne")
"""Where it is five past two in the afternoon."""

BUDGETS = Budgets(zone=ZONE, day_micros=5_000_000, month_micros=60_000_000, day_jobs=50)


@dataclass(slots=True)
class StillClock:
    """Time that moves only when it is told to."""

    instant: datetime = NOW

    def now(self) -> datetime:
        return self.instant

    async def sleep(self, seconds: float) -> None:
        await anyio.sleep_forever()


# -------------------------------------------------------------------------------------------------------------- calls

_EMPTY: Mapping[str, Any] = {entry.name: None for entry in fields(Job) if entry.required}


def make_call(number: int, **facts: Any) -> Job:
    """Build a call: the smaller the number, the later it was. Everything can be said otherwise."""
    at = NOW - timedelta(minutes=37 * number + 4)
    values = {
        **_EMPTY,
        "id": JobId(f"call{number:06d}"),
        "status": Status.DISCOVERED,
        "source": "drive",
        "file_id": f"file-{number}",
        "file_name": f"2026-11-23 14-00-{number % 60:02d} (phone) Ann ↙.m4a",
        "file_size": 480_000,
        "recorder": "cube-acr",
        "contact_name": "Ann Archer",
        "contact_number": "+61 491 570 156",
        "direction": Direction.INCOMING,
        "call_type": "phone",
        "call_at": at,
        "duration_seconds": 125.0,
        "duration_source": DurationSource.SIDECAR,
        "auto_processed": True,
        "retry_count": 0,
        "rescue_count": 0,
        "estimate_micros": 8_400,
        "cost_micros": 0,
        "discovered_at": at + timedelta(minutes=3),
        "updated_at": at + timedelta(minutes=3),
        **facts,
    }
    return Job(**values)


def done_call(number: int, **facts: Any) -> Job:
    """Build a call that was completed."""
    at = NOW - timedelta(minutes=37 * number)
    return make_call(
        number,
        **{
            "status": Status.COMPLETED,
            "title": "Quote for the kitchen",
            "cost_micros": 9_312,
            "uploaded_at": at,
            "transcript_id": f"transcript-{number}",
            "transcription_started_at": at,
            "transcription_completed_at": at,
            "summarization_started_at": at,
            "summarization_completed_at": at,
            "sync_started_at": at,
            "completed_at": at,
            **facts,
        },
    )


def synced(job: Job, *, error: str | None = None) -> JobRow:
    """Return a completed call's row with its page in Notion."""
    page = Delivery(
        sink="notion",
        ref=None if error else f"page-{job.id}",
        url=None if error else f"https://notion.so/{job.id}",
        error=error,
        attempts=1,
        delivered_at=None if error else job.completed_at,
    )
    return JobRow(job=job, deliveries=(page,))


def sample_calls() -> list[JobRow]:
    """Return one call of each kind, and people of many scripts."""
    late = {"transcription_completed_at": NOW, "uploaded_at": NOW, "claimed_by": "server7"}
    jobs: list[Job | JobRow] = [
        make_call(1, status=Status.TRANSCRIBING, claimed_by="server7", contact_name="Bruno Baker"),
        make_call(2, status=Status.SUMMARIZING, contact_name="Chloë Carpenter", **late),
        make_call(
            3,
            status=Status.SYNCING,
            contact_name="王小明",
            direction=Direction.OUTGOING,
            summarization_completed_at=NOW,
            **late,
        ),
        make_call(4, contact_name="Dana Dyer", duration_seconds=3795.0, estimate_micros=241_000),
        make_call(5, contact_name=None, duration_seconds=None, estimate_micros=None),
        make_call(
            6,
            contact_name="Emil Eriksen",
            hold_kind="budget",
            hold_reason="today's budget of $5.00 is used up",
            next_attempt_at=NOW + timedelta(hours=10),
        ),
        make_call(
            7,
            status=Status.FAILED,
            contact_name="Fatima Farouk",
            error_step=Step.TRANSCRIBE,
            error_message="AssemblyAI says that the file holds no speech. Listen to it, then skip it",
            retry_count=3,
            uploaded_at=NOW,
        ),
        make_call(
            8,
            status=Status.FAILED,
            contact_name="Господин Градов",
            error_step=Step.SUMMARIZE,
            error_message="OpenAI did not answer in time",
            retry_count=1,
            next_attempt_at=NOW + timedelta(minutes=12),
            cost_micros=7_300,
            transcription_completed_at=NOW,
        ),
        make_call(
            9,
            status=Status.SKIPPED,
            contact_name="Hello Pizza",
            duration_seconds=7.0,
            skip_reason="shorter than 20 s (7 s)",
            skipped_by=SkippedBy.RULE,
        ),
        synced(done_call(10, contact_name="Ines Iglesias", title="Flights in May", cost_micros=12_100)),
        synced(done_call(11, contact_name="יוסי כהן", call_type="whatsapp", title="The lease of the office")),
        synced(
            done_call(12, contact_name="👩‍👩‍👧 Home", title="Saturday's football"),
            error="the column Date is missing in Notion; add it, or name another in notion.properties",
        ),
        synced(done_call(13, contact_name="Jörg Jäger", duration_seconds=10_803.0, title="Annual review")),
    ]
    rows = [job if isinstance(job, JobRow) else JobRow(job=job, deliveries=()) for job in jobs]
    return [*rows, *(synced(done_call(number, contact_name=f"Client {number}")) for number in range(14, 40))]


# --------------------------------------------------------------------------------------------------------------- desk


@dataclass
class FakeDesk:
    """Everything the screen may ask for, kept in memory and done at once. Tells its bus what it changed."""

    clock: StillClock
    bus: Bus
    calls: dict[JobId, JobRow] = field(default_factory=dict)
    state: ControlState = field(default_factory=ControlState)
    settled: dict[Period, int] = field(default_factory=lambda: {
        Period.DAY: 1_200_000, Period.WEEK: 1_200_000, Period.MONTH: 23_104_000,
    })  # fmt: skip
    reserved: int = 260_000
    daily: tuple[int, ...] = (*(day * 7919 % 11 * 100_000 for day in range(29)), 1_460_000)
    jobs_today: int = 12
    saved: int = 1_320_000
    unpriced: int = 0
    made: list[Override] = field(default_factory=list)
    instances: tuple[Instance, ...] = ()
    broken: StoreError | None = None
    """Raised by every question and every wish."""
    slow: anyio.Event | None = None
    late: anyio.Event | None = None
    """What is asked is answered only then."""
    """Every wish waits for it."""
    heard: list[tuple[Any, ...]] = field(default_factory=list)
    """Every wish, as `("retry", ids)`."""
    documents: dict[JobId, Documents] = field(default_factory=dict)
    versions: dict[JobId, list[SummaryVersion]] = field(default_factory=dict)
    attempts: dict[JobId, tuple[Attempt, ...]] = field(default_factory=dict)
    charges: dict[JobId, tuple[ChargeRow, ...]] = field(default_factory=dict)
    lines: dict[JobId, list[LogLine]] = field(default_factory=dict)

    def add(self, *rows: JobRow | Job) -> None:
        """Have these calls, and say so."""
        for row in rows:
            row = row if isinstance(row, JobRow) else JobRow(job=row, deliveries=())
            self.calls[row.job.id] = row
        self.bus.publish(JobsAdded(job_ids=tuple(row.id if isinstance(row, Job) else row.job.id for row in rows)))

    def change(self, job_id: JobId, **facts: Any) -> None:
        """Change a call, and say so."""
        row = self.calls[job_id]
        self.calls[job_id] = replace(row, job=replace(row.job, **facts))
        self.bus.publish(JobChanged(job_id=job_id, status=self.calls[job_id].job.status))

    def log(self, job_id: JobId, message: str, *, level: str = "info", step: Step | None = None) -> None:
        """Add a line to a call's log, and say so."""
        lines = self.lines.setdefault(job_id, [])
        line = LogLine(
            id=len(lines) + 1, job_id=job_id, at=self.clock.now(), level=level, step=step, message=message
        )  # fmt: skip
        lines.append(line)
        self.bus.publish(JobLogged(line=line))

    async def _asked(self) -> None:
        await anyio.lowlevel.checkpoint()
        if self.late is not None:
            await self.late.wait()
        if self.broken is not None:
            raise self.broken

    async def _told(self, *wish: Any) -> None:
        self.heard.append(wish)
        if self.slow is not None:
            await self.slow.wait()
        await self._asked()

    # ------------------------------------------------------------------------------------------------------- control

    async def stats(self, *, now: datetime, day_start: datetime, month_start: datetime) -> Stats:
        await self._asked()
        jobs = [row.job for row in self.calls.values()]
        today = Spending(
            jobs=self.jobs_today, settled_micros=self.settled[Period.DAY], reserved_micros=self.reserved, unpriced=0
        )
        failed = [job for job in jobs if job.status is Status.FAILED]
        return Stats(
            counts={status: sum(job.status is status for job in jobs) for status in Status},
            held=sum(_held(job) for job in jobs),
            due=sum(job.status is Status.DISCOVERED and not _held(job) for job in jobs),
            failures_by_step={step: sum(job.error_step is step for job in failed) for step in Step},
            average_seconds_by_step={},
            today=today,
            month=replace(today, settled_micros=self.settled[Period.MONTH]),
            control=self.state,
            instances=self.instances,
        )

    async def jobs(
        self, filter: JobFilter, *, limit: int, before: tuple[datetime, JobId] | None = None
    ) -> Sequence[JobRow]:
        await self._asked()
        rows = [row for row in self.calls.values() if self._matches(row, filter)]
        rows.sort(key=lambda row: (row.job.discovered_at, row.job.id), reverse=True)
        return [row for row in rows if before is None or (row.job.discovered_at, row.job.id) < before][:limit]

    async def find(self, prefix: str) -> Sequence[JobId]:
        await self._asked()
        return [job_id for job_id in self.calls if job_id.startswith(prefix)][:5]

    async def detail(self, job_id: JobId, *, events: int = 500) -> JobDetail | None:
        await self._asked()
        if (row := self.calls.get(job_id)) is None:
            return None
        return JobDetail(
            row=row,
            documents=self.documents.get(job_id, Documents(raw_transcript=None, transcript=None, summary=None)),
            attempts=self.attempts.get(job_id, ()),
            charges=self.charges.get(job_id, ()),
            events=tuple(self.lines.get(job_id, ())[-events:]) if events else (),
        )

    async def control(self) -> ControlState:
        await self._asked()
        return self.state

    async def pause(self, *, now: datetime) -> None:
        await self._told("pause")
        self._control(paused=True, paused_at=now)

    async def resume(self, *, now: datetime) -> None:
        await self._told("resume")
        self._control(paused=False, paused_at=None)

    async def set_capacity(self, capacity: int | None, *, now: datetime) -> None:
        await self._told("set_capacity", capacity)
        self._control(capacity=capacity)

    async def request_discovery(self, *, now: datetime) -> None:
        await self._told("request_discovery")
        self._control(discover_requested_at=now)

    def _control(self, **facts: Any) -> None:
        self.state = replace(self.state, **facts)
        self.bus.publish(ControlChanged())

    async def process(self, job_ids: Sequence[JobId], *, from_step: Step | None, now: datetime) -> Sequence[JobId]:
        await self._told("process", tuple(job_ids), from_step)
        resting = (Status.DISCOVERED, Status.FAILED, Status.SKIPPED, Status.COMPLETED)
        return self._moved(job_ids, resting, Status.DISCOVERED, hold_kind=None, error_message=None)

    async def retry(self, job_ids: Sequence[JobId] | None, *, now: datetime) -> Sequence[JobId]:
        await self._told("retry", None if job_ids is None else tuple(job_ids))
        wanted = list(self.calls) if job_ids is None else job_ids
        return self._moved(wanted, (Status.FAILED,), Status.DISCOVERED, error_message=None, error_step=None)

    async def cancel(self, job_ids: Sequence[JobId], *, now: datetime) -> Sequence[JobId]:
        await self._told("cancel", tuple(job_ids))
        return self._moved(job_ids, WORKING, Status.FAILED, error_message="Cancelled by hand.")

    async def skip_jobs(self, job_ids: Sequence[JobId], *, reason: str, now: datetime) -> Sequence[JobId]:
        await self._told("skip", tuple(job_ids), reason)
        resting = (Status.DISCOVERED, Status.FAILED)
        return self._moved(job_ids, resting, Status.SKIPPED, skip_reason=reason, skipped_by=SkippedBy.USER)

    async def unskip(self, job_ids: Sequence[JobId], *, now: datetime) -> Sequence[JobId]:
        await self._told("unskip", tuple(job_ids))
        return self._moved(job_ids, (Status.SKIPPED,), Status.DISCOVERED, skip_reason=None, skipped_by=None)

    def _moved(
        self, job_ids: Sequence[JobId], before: Sequence[Status], after: Status, **facts: Any
    ) -> Sequence[JobId]:  # fmt: skip
        moved = [j for j in job_ids if j in self.calls and self.calls[j].job.status in before]
        for job_id in moved:
            self.change(job_id, status=after, **facts)
        return moved

    # --------------------------------------------------------------------------------------------------------- calls

    def _matches(self, row: JobRow, filter: JobFilter) -> bool:
        job = row.job
        if filter.statuses and job.status not in filter.statuses:
            return False
        if filter.held_only and not _held(job):
            return False
        heard = self.documents.get(job.id)
        said = heard.transcript.text if heard and heard.transcript else ""
        written = heard.summary.markdown if heard and heard.summary else ""
        names = (job.contact_name, job.contact_number, job.file_name, job.title, said, written)
        return any(filter.search.casefold() in (name or "").casefold() for name in names)

    async def page(
        self,
        filter: JobFilter,
        *,
        order: Order = Order.TIME,
        descending: bool = True,
        limit: int,
        beyond: JobId | None = None,
        backwards: bool = False,
    ) -> Sequence[JobRow]:
        await self._asked()
        rows = sorted(self.calls.values(), key=lambda row: row.job.id)
        rows.sort(key=lambda row: _key(row.job, order) or 0, reverse=descending)
        rows.sort(key=lambda row: _key(row.job, order) is None)
        places = {row.job.id: place for place, row in enumerate(rows)}
        if beyond is not None:
            place = places[beyond]
            rows = rows[:place] if backwards else rows[place + 1 :]
        rows = [row for row in rows if self._matches(row, filter)]
        return rows[-limit:] if backwards else rows[:limit]

    async def count(self, filter: JobFilter, *, at_most: int = 10_000) -> int:
        await self._asked()
        return min(at_most, sum(self._matches(row, filter) for row in self.calls.values()))

    async def rows(self, job_ids: Sequence[JobId]) -> Sequence[JobRow]:
        await self._asked()
        return [self.calls[job_id] for job_id in job_ids if job_id in self.calls]

    async def changed_since(self, at: datetime, *, limit: int = 1_000) -> Sequence[tuple[JobId, datetime]]:
        await self._asked()
        changed = sorted((row.job.updated_at, row.job.id) for row in self.calls.values() if row.job.updated_at >= at)
        return [(JobId(job_id), when) for when, job_id in changed[:limit]]

    # --------------------------------------------------------------------------------------------------------- money

    async def purse(self, budgets: Budgets, *, now: datetime) -> Purse:
        await self._asked()
        in_force = tuple(o for o in reversed(self.made) if o.undone_at is None and o.until > now)
        waiting = [row.job for row in self.calls.values() if row.job.status is Status.DISCOVERED]
        return Purse(
            windows=tuple(self._window(period, budgets, in_force, now) for period in Period),
            jobs_today=self.jobs_today,
            jobs_cap=budgets.day_jobs,
            stopped_until=next((o.until for o in in_force if o.kind is OverrideKind.STOP), None),
            overrides=in_force,
            unpriced=self.unpriced,
            daily=self.daily,
            backlog=Backlog(
                calls=len(waiting),
                seconds=sum(job.duration_seconds or 0 for job in waiting),
                micros=sum(job.estimate_micros or 0 for job in waiting),
                unpriced=sum(job.estimate_micros is None for job in waiting),
            ),
            saved_micros=self.saved,
        )

    def _window(self, period: Period, budgets: Budgets, made: Sequence[Override], now: datetime) -> BudgetWindow:
        start, end = bounds(period, now, budgets.zone)
        configured = budgets.limit(period)
        mine = [o for o in made if o.period is period]
        limit = next((o.amount_micros for o in mine if o.kind is OverrideKind.SET), configured)
        if limit is not None:
            limit += sum(o.amount_micros or 0 for o in mine if o.kind is OverrideKind.RAISE)
        if any(o.kind is OverrideKind.LIFT and o.job_id is None for o in made):
            limit = None
        return BudgetWindow(
            period=period,
            start=start,
            end=end,
            limit_micros=limit,
            configured_micros=configured,
            settled_micros=self.settled[period],
            reserved_micros=self.reserved,
        )

    async def overrides(self, *, limit: int = 100) -> Sequence[Override]:
        await self._asked()
        return tuple(reversed(self.made))[:limit]

    def _override(self, kind: OverrideKind, until: datetime | None, **facts: Any) -> Override:
        made = Override(
            **{
                "id": len(self.made) + 1,
                "kind": kind,
                "period": None,
                "amount_micros": None,
                "job_id": None,
                "made_at": self.clock.now(),
                "until": until or bounds(Period.DAY, self.clock.now(), ZONE)[1],
                "undone_at": None,
                **facts,
            }
        )
        self.made.append(made)
        self.bus.publish(ControlChanged())
        return made

    async def raise_budget(
        self,
        budgets: Budgets,
        period: Period,
        amount_micros: int,
        *,
        until: datetime | None,
        origin: str,
        reason: str,
        now: datetime,
    ) -> Override:
        await self._told("raise_budget", period, amount_micros)
        return self._override(
            OverrideKind.RAISE, until, period=period, amount_micros=amount_micros, made_from=origin, reason=reason
        )

    async def set_budget(
        self,
        budgets: Budgets,
        period: Period,
        amount_micros: int,
        *,
        until: datetime | None,
        origin: str,
        reason: str,
        now: datetime,
    ) -> Override:
        await self._told("set_budget", period, amount_micros)
        return self._override(
            OverrideKind.SET, until, period=period, amount_micros=amount_micros, made_from=origin, reason=reason
        )

    async def lift(
        self,
        budgets: Budgets,
        job_ids: Sequence[JobId] | None,
        *,
        until: datetime | None,
        origin: str,
        reason: str,
        now: datetime,
    ) -> Sequence[Override]:
        await self._told("lift", None if job_ids is None else tuple(job_ids))
        return [
            self._override(OverrideKind.LIFT, until, job_id=job_id, made_from=origin, reason=reason)
            for job_id in (job_ids if job_ids is not None else [None])
        ]

    async def stop_spending(
        self, budgets: Budgets, *, until: datetime | None, origin: str, reason: str, now: datetime
    ) -> Override:
        await self._told("stop_spending")
        return self._override(OverrideKind.STOP, until, made_from=origin, reason=reason)

    async def undo_override(self, override_id: int, *, now: datetime) -> bool:
        await self._told("undo_override", override_id)
        for place, override in enumerate(self.made):
            if override.id == override_id and override.undone_at is None:
                self.made[place] = replace(override, undone_at=now)
                self.bus.publish(ControlChanged())
                return True
        return False

    async def price(self, job_ids: Sequence[JobId], *, from_step: Step | None) -> RunPrice:
        await self._asked()
        jobs = [self.calls[job_id].job for job_id in job_ids if job_id in self.calls]
        if from_step is Step.SYNC:
            return RunPrice(micros=0, unpriced=0, free_because="transcript and summary are already there")
        if from_step is None and jobs and all(job.transcription_completed_at for job in jobs):
            return RunPrice(micros=0, unpriced=0, free_because="the transcript is already there")
        return RunPrice(
            micros=sum(job.estimate_micros or 0 for job in jobs),
            unpriced=sum(job.estimate_micros is None for job in jobs),
            free_because=None,
        )

    # --------------------------------------------------------------------------------------------------------- texts

    async def summary_versions(self, job_id: JobId) -> Sequence[SummaryVersion]:
        await self._asked()
        return list(reversed(self.versions.get(job_id, [])))

    async def use_summary(self, job_id: JobId, version: int, *, now: datetime) -> bool:
        await self._told("use_summary", job_id, version)
        versions = self.versions.get(job_id, [])
        if all(known.version != version for known in versions):
            return False
        self.versions[job_id] = [replace(known, current=known.version == version) for known in versions]
        return True

    async def name_speakers(self, job_id: JobId, names: Mapping[str, str], *, now: datetime) -> bool:
        await self._told("name_speakers", job_id, dict(names))
        documents = self.documents.get(job_id)
        if documents is None or documents.transcript is None:
            return False
        transcript = replace(documents.transcript, speakers={**documents.transcript.speakers, **names})
        self.documents[job_id] = replace(documents, transcript=transcript)
        self.change(job_id, updated_at=now)
        return True


def _held(job: Job) -> bool:
    return job.status is Status.DISCOVERED and job.hold_kind is not None


def _key(job: Job, order: Order) -> Any:
    match order:
        case Order.TIME:
            return (job.call_at or job.discovered_at).timestamp()
        case Order.CONTACT:
            return None if job.contact_name is None else job.contact_name.casefold()
        case Order.LENGTH:
            return job.duration_seconds
        case Order.COST:
            return job.cost_micros or None


def sample_documents(job: Job) -> Documents:
    """Return a transcript and a summary of a short call."""
    turns = [
        ("A", "Hello Ann, it's Ben. I've looked at the plans for the kitchen."),
        ("B", "Great. Can you still start in March?"),
        ("A", "Yes, on the ninth. It'll be $5,400 with the oak top."),
        ("B", "Then send me the quote, please."),
    ]
    utterances = tuple(
        Utterance(speaker=who, start_ms=place * 7_000, end_ms=place * 7_000 + 6_500, text=text)
        for place, (who, text) in enumerate(turns)
    )
    transcript = Transcript(
        text=" ".join(text for _, text in turns),
        utterances=utterances,
        language="en",
        duration_seconds=job.duration_seconds,
        model="universal-3-5-pro",
        speakers={"A": "Ben"},
    )
    summary = Summary(
        markdown="## Overview\n\nBen can start on **9 March** for $5,400.\n\n- Ben sends the quote.\n",
        title="Quote for the kitchen",
        model="gpt-6-luna",
        prompt_hash="0" * 16,
    )
    return Documents(raw_transcript=b"{}", transcript=transcript, summary=summary)


def sample_desk(clock: StillClock, bus: Bus) -> FakeDesk:
    """Return a desk with forty calls, texts and logs."""
    desk = FakeDesk(clock, bus)
    desk.add(*sample_calls())
    for row in list(desk.calls.values()):
        job = row.job
        desk.log(job.id, f"Found {job.file_name}.")
        if job.status is Status.COMPLETED:
            desk.documents[job.id] = documents = sample_documents(job)
            assert documents.summary is not None
            desk.versions[job.id] = [
                SummaryVersion(version=1, summary=documents.summary, made_at=NOW, cost_micros=900, current=True)
            ]
            desk.log(job.id, "Transcribed: 4 turns of 2 speakers.", step=Step.TRANSCRIBE)
        if job.status is Status.FAILED:
            desk.log(job.id, job.error_message or "", level="error", step=job.error_step)
        desk.attempts[job.id] = tuple(
            Attempt(
                id=place + 1,
                job_id=job.id,
                step=step,
                started_at=NOW - timedelta(minutes=5 - place),
                finished_at=NOW - timedelta(minutes=4 - place),
                outcome=Outcome.FAILED if step is job.error_step else Outcome.DONE,
                error=job.error_message if step is job.error_step else None,
                cost_micros=7_300 if step is Step.TRANSCRIBE else None,
            )
            for place, step in enumerate(Step)
            if job.status in (Status.COMPLETED, Status.FAILED)
        )
    desk.heard.clear()
    return desk


# ------------------------------------------------------------------------------------------------------------- engine


@dataclass
class FakeEngine:
    """A supervisor that only remembers what it was asked."""

    clock: StillClock
    draining: bool = False
    in_flight: int = 3
    heard: list[str] = field(default_factory=list)

    def stop_claiming(self) -> None:
        self.heard.append("stop_claiming")
        self.draining = True

    def hand_back(self) -> None:
        self.heard.append("hand_back")
        self.in_flight = 0

    def next_turns(self) -> Mapping[str, datetime]:
        now = self.clock.now()
        return {"discovery": now + timedelta(minutes=4), "processor": now + timedelta(seconds=50)}

    def set_log_level(self, level: str) -> None:
        self.heard.append(f"log {level}")


# ----------------------------------------------------------------------------------------------------------- fixtures


@pytest.fixture
def clock() -> StillClock:
    return StillClock()


@pytest.fixture
def bus() -> Bus:
    return Bus()


@pytest.fixture
def desk(clock: StillClock, bus: Bus) -> FakeDesk:
    """Forty calls of every kind."""
    return sample_desk(clock, bus)


@pytest.fixture
def empty_desk(clock: StillClock, bus: Bus) -> FakeDesk:
    return FakeDesk(clock, bus)


@pytest.fixture
def engine(clock: StillClock) -> FakeEngine:
    return FakeEngine(clock)


@pytest.fixture
def facts(clock: StillClock, tmp_path: Path) -> Facts:
    return make_facts(clock, tmp_path)


def make_facts(clock: StillClock, folder: Path, **more: Any) -> Facts:
    return Facts(
        **{
            "version": "1.0",
            "database": "focusflow.db",
            "clock": clock,
            "budgets": BUDGETS,
            "concurrency": 3,
            "instance": "server7",
            "origin": "server7 screen",
            "folder": folder,
            "services": ("drive", "assemblyai", "openai", "notion"),
            **more,
        }
    )


Opened = Callable[..., AbstractAsyncContextManager[Pilot[Any]]]


@pytest.fixture
def opened(desk: FakeDesk, bus: Bus, facts: Facts, engine: FakeEngine) -> Opened:
    """Open the app as `async with opened(size=(80, 24)) as pilot`; everything can be another."""

    @asynccontextmanager
    async def open_app(
        *,
        size: tuple[int, int] = (80, 24),
        desk: Desk = desk,
        facts: Facts = facts,
        engine: FakeEngine | None = engine,
        services: bool = True,
    ) -> AsyncIterator[Pilot[Any]]:
        app = FocusFlowApp(desk, bus, facts, engine)
        async with app.run_test(size=size) as pilot:
            await settled(pilot)
            if services:
                tell_services(bus, facts.services)
                await settled(pilot)
            yield pilot

    return open_app


def tell_services(bus: Bus, names: Sequence[str]) -> None:
    """Say that every service answers and every loop turns."""
    for name in names:
        bus.publish(ServiceChanged(service=name, state=State.OK))
    for loop in ("discovery", "processor"):
        bus.publish(LoopTicked(loop=loop, at=NOW, error=None, failures_in_a_row=0, summary=""))


async def settled(pilot: Pilot[Any]) -> None:
    """Wait until nothing more follows from what was told."""
    await pilot.pause(0.15)
    await pilot.pause()


@pytest.fixture
def settle() -> Callable[[Pilot[Any]], Any]:
    return settled


def screen_text(app: Any) -> str:
    """Return what is on the screen, as text, without blanks at the ends of lines."""
    strips = app.screen._compositor.render_strips()
    return "\n".join("".join(segment.text for segment in strip).rstrip() for strip in strips)


@pytest.fixture
def text_of() -> Callable[[Any], str]:
    return screen_text


@pytest.fixture
def call() -> Callable[..., Job]:
    """Build a call by its number; see `make_call`."""
    return make_call


@pytest.fixture
def done() -> Callable[..., Job]:
    """Build a completed call by its number; see `done_call`."""
    return done_call
