"""What is a job, which states can it be in, and who may move it from one to the next?"""

import os
from collections.abc import Mapping
from datetime import datetime
from enum import StrEnum
from typing import NewType

from msgspec import Struct, field

from focusflow.domain.money import Estimate

JobId = NewType("JobId", str)

_ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz"
"""Crockford's base 32: no letter that is read as another when it is typed from a screen."""


def new_job_id() -> JobId:
    """Return ten random characters (50 bits): short enough to type, unique for any one person's calls."""
    return JobId("".join(_ALPHABET[byte % len(_ALPHABET)] for byte in os.urandom(10)))


class Status(StrEnum):
    """Where a job stands. The first seven are the user's own names."""

    DISCOVERED = "discovered"
    TRANSCRIBING = "transcribing"
    TRANSCRIBED = "transcribed"
    SUMMARIZING = "summarizing"
    SYNCING = "syncing"
    COMPLETED = "completed"
    FAILED = "failed"
    SKIPPED = "skipped"


class Phase(StrEnum):
    """What a status means for the one who looks for work."""

    RESTING = "resting"
    """Nobody owns it; it may be claimed, retried or left."""
    WORKING = "working"
    """A worker owns it by a lease."""
    DONE = "done"
    """Nothing is left to do unless somebody asks."""


PHASES: Mapping[Status, Phase] = {
    Status.DISCOVERED: Phase.RESTING,
    Status.TRANSCRIBING: Phase.WORKING,
    Status.TRANSCRIBED: Phase.WORKING,
    Status.SUMMARIZING: Phase.WORKING,
    Status.SYNCING: Phase.WORKING,
    Status.COMPLETED: Phase.DONE,
    Status.FAILED: Phase.RESTING,
    Status.SKIPPED: Phase.DONE,
}

WORKING: tuple[Status, ...] = tuple(s for s, phase in PHASES.items() if phase is Phase.WORKING)


class Mover(StrEnum):
    """Who causes a transition."""

    CLAIM = "claim"
    STEP = "step"
    GIVE_BACK = "give back"
    """The worker stops, holds or is cancelled: the job rests, what is paid for stays."""
    WATCHDOG = "watchdog"
    RETRY = "retry"
    RULE = "rule"
    USER = "user"


class Transition(Struct, frozen=True, kw_only=True):
    """One legal move."""

    before: Status
    after: Status
    movers: frozenset[Mover]


def _legal_moves() -> tuple[Transition, ...]:
    forward = [
        (Status.DISCOVERED, Status.TRANSCRIBING, {Mover.CLAIM}),
        (Status.TRANSCRIBING, Status.TRANSCRIBED, {Mover.STEP}),
        (Status.TRANSCRIBED, Status.SUMMARIZING, {Mover.STEP}),
        (Status.SUMMARIZING, Status.SYNCING, {Mover.STEP}),
        (Status.SYNCING, Status.COMPLETED, {Mover.STEP}),
    ]
    back = [(s, Status.DISCOVERED, {Mover.GIVE_BACK, Mover.WATCHDOG}) for s in WORKING]
    failing = [(s, Status.FAILED, {Mover.STEP, Mover.WATCHDOG, Mover.USER}) for s in WORKING]
    skipping = [(s, Status.SKIPPED, {Mover.STEP}) for s in WORKING]
    resting = [
        (Status.FAILED, Status.DISCOVERED, {Mover.RETRY, Mover.USER}),
        (Status.COMPLETED, Status.DISCOVERED, {Mover.USER}),
        (Status.SKIPPED, Status.DISCOVERED, {Mover.RULE, Mover.USER}),
        (Status.DISCOVERED, Status.SKIPPED, {Mover.RULE, Mover.USER}),
        (Status.FAILED, Status.SKIPPED, {Mover.USER}),
    ]
    return tuple(
        Transition(before=before, after=after, movers=frozenset(movers))
        for before, after, movers in [*forward, *back, *failing, *skipping, *resting]
    )


TRANSITIONS: tuple[Transition, ...] = _legal_moves()
"""The machine. The store's guards, the watchdog, the README's diagram and the property tests derive from it."""


def sources_of(after: Status, mover: Mover) -> tuple[Status, ...]:
    """Return the statuses from which *mover* may move a job to *after*."""
    return tuple(t.before for t in TRANSITIONS if t.after is after and mover in t.movers)


def may_move(before: Status, after: Status, mover: Mover) -> bool:
    """Say whether the move is legal."""
    return before in sources_of(after, mover)


class Step(StrEnum):
    """The pieces of work in one job, in order; each attempt at one has its own row."""

    DOWNLOAD = "download"
    TRANSCRIBE = "transcribe"
    SUMMARIZE = "summarize"
    SYNC = "sync"


STATUS_DURING: Mapping[Step, Status] = {
    Step.DOWNLOAD: Status.TRANSCRIBING,
    Step.TRANSCRIBE: Status.TRANSCRIBING,
    Step.SUMMARIZE: Status.SUMMARIZING,
    Step.SYNC: Status.SYNCING,
}


class Outcome(StrEnum):
    """How an attempt at a step ended."""

    RUNNING = "running"
    DONE = "done"
    REUSED = "reused"
    """The artifact was already there: nothing was done and nothing was paid."""
    FAILED = "failed"
    HELD = "held"
    CANCELLED = "cancelled"
    """Stopped by us: shutdown, a user's cancel, a lost lease."""


class SkippedBy(StrEnum):
    """Who decided that a job will not be done; only rules' decisions are taken back when the rules change."""

    RULE = "rule"
    DUPLICATE = "duplicate"
    NAME = "name"
    """Nothing recognised the file's name."""
    GONE = "gone"
    """The recording disappeared from its source before it was processed."""
    USER = "user"
    SILENCE = "silence"
    """Nobody says anything in the recording."""


class Direction(StrEnum):
    INCOMING = "incoming"
    OUTGOING = "outgoing"
    CONFERENCE = "conference"


class DurationSource(StrEnum):
    """Where a duration is from, most trusted last."""

    SIZE = "size"
    HEADER = "header"
    SIDECAR = "sidecar"
    TRANSCRIPT = "transcript"


class Job(Struct, frozen=True, kw_only=True):
    """A job's row, without its big texts. Instants are aware and UTC, durations seconds, money micro-dollars."""

    id: JobId
    status: Status
    source: str
    """The source's name: `drive`, `folder`."""
    file_id: str
    file_name: str
    file_size: int | None
    file_md5: str | None
    parent_id: str | None
    """The folder the file lies in; a sidecar is looked for there."""
    web_url: str | None
    """Where a person can open the recording."""
    file_modified_at: datetime | None
    sidecar_id: str | None

    recorder: str | None
    """Which grammar read the file name; None if none did."""
    contact_name: str | None
    contact_number: str | None
    direction: Direction | None
    call_type: str | None
    call_at: datetime | None
    duration_seconds: float | None
    duration_source: DurationSource | None

    requested_by: str | None
    """`user` when a person asked for it: then rules do not apply (budgets do)."""
    auto_processed: bool
    skip_reason: str | None
    skipped_by: SkippedBy | None
    hold_kind: str | None
    hold_reason: str | None
    next_attempt_at: datetime | None
    """Not claimed before; None means now. On a failed job: when it is tried again by itself; None means never."""
    retry_count: int
    rescue_count: int
    """How often the watchdog took it back; counted apart from attempts."""
    error_step: Step | None
    error_message: str | None

    claim_token: str | None
    claimed_by: str | None
    lease_until: datetime | None
    """None unless a worker owns the job."""

    upload_ref: str | None
    """What the transcriber calls the uploaded audio; committed before anything is submitted."""
    uploaded_at: datetime | None
    submit_intent_at: datetime | None
    """Committed just before the paid request; with no `transcript_id` it means: look before submitting."""
    transcript_id: str | None
    """What the transcriber calls the paid transcript."""
    language: str | None
    title: str | None

    estimate_micros: int | None
    """Expected price of what is still to be paid for; None: unpriced."""
    cost_micros: int
    """Settled so far."""

    discovered_at: datetime
    transcription_started_at: datetime | None
    transcription_completed_at: datetime | None
    summarization_started_at: datetime | None
    summarization_completed_at: datetime | None
    sync_started_at: datetime | None
    completed_at: datetime | None
    updated_at: datetime

    estimate: Estimate = field(default_factory=Estimate)
    """Of the whole call, step by step, whatever of it is paid already."""
    budget_exempt: bool = False
    """A rule says that no budget holds it back; what it costs is counted all the same."""


class Claim(Struct, frozen=True, kw_only=True):
    """A job that is ours until its lease runs out. The token is the fence: every write names it."""

    job: Job
    token: str


class Attempt(Struct, frozen=True, kw_only=True):
    """One try at one step."""

    id: int
    job_id: JobId
    step: Step
    started_at: datetime
    finished_at: datetime | None
    outcome: Outcome
    error: str | None
    cost_micros: int | None


class LogLine(Struct, frozen=True, kw_only=True):
    """One line of a job's own log."""

    id: int
    job_id: JobId
    at: datetime
    level: str
    """`info`, `warning` or `error`."""
    step: Step | None
    message: str
