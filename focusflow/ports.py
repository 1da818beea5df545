"""Every seam of the program on one page: who needs what from whom. Named after the consumer's needs.

Instants are aware UTC datetimes, durations seconds, money integer micro-dollars. Every method of a provider raises only
`focusflow.errors`; every store method that takes a `Claim` raises `LostClaim` when the job is no longer ours, and then wrote nothing.
"""

from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Mapping, Sequence
from datetime import datetime
from enum import StrEnum
from pathlib import Path
from typing import Protocol
from zoneinfo import ZoneInfo

from msgspec import Struct, field

from focusflow.domain.budgets import Budgets, Limits, Period
from focusflow.domain.budgets import Override as Override  # noqa: PLC0414  # part of the contract
from focusflow.domain.budgets import OverrideKind as OverrideKind  # noqa: PLC0414  # part of the contract
from focusflow.domain.jobs import (
    Attempt,
    Claim,
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
from focusflow.domain.money import Estimate
from focusflow.domain.prices import LengthRates
from focusflow.domain.transcript import Transcript
from focusflow.errors import HoldKind

# ---------------------------------------------------------------------------------------------------------------- clock


class Clock(Protocol):
    """Time, injected: the system's in the program, a hand-moved one in tests."""

    def now(self) -> datetime:
        """The instant, aware and UTC."""

    def monotonic(self) -> float:
        """Seconds since some moment; what a person or NTP does to the clock on the wall does not change it."""
        ...

    async def sleep(self, seconds: float) -> None:
        """Let *seconds* pass."""


# --------------------------------------------------------------------------------------------------------------- source


class SourceFile(Struct, frozen=True, kw_only=True):
    """A file as its source describes it: audio, sidecar or anything else. Folders never get here."""

    file_id: str
    name: str
    parent_id: str | None
    mime_type: str | None
    size: int | None
    md5: str | None
    owners: tuple[str, ...]
    """E-mail addresses; empty where the source has no owners (a shared drive, a local folder)."""
    created_at: datetime | None
    modified_at: datetime | None
    web_url: str | None


class SourcePage(Struct, frozen=True, kw_only=True):
    """A piece of what changed. Commit its effects together with its cursor: then a crash repeats at most one page."""

    files: tuple[SourceFile, ...] = ()
    gone: tuple[str, ...] = ()
    """Ids of files that were trashed, deleted or are no longer shared with us."""
    cursor: str
    """Where to go on after this page; opaque to everyone but the source."""
    more: bool
    """False on the last page: until something changes there is nothing further."""
    listing: bool = False
    """True while this is a full listing of what exists rather than a feed of changes."""


class Downloaded(Struct, frozen=True, kw_only=True):
    """A recording on our disk, whole and verified."""

    path: Path
    size: int
    md5: str


class Source(Protocol):
    """Where recordings come from."""

    name: str

    def pages(self, cursor: str | None) -> AsyncIterator[SourcePage]:
        """Yield what changed since *cursor*; None lists everything first.

        Raises `CursorExpired` when the place is no longer known, `SourceError` for anything else.
        """

    async def read_small(self, file_id: str, *, limit: int = 65_536) -> bytes:
        """Return a small file's content, at most *limit* bytes. Raises `Permanent` when it is gone, else `Transient`."""

    async def download(
        self, file_id: str, target: Path, *, expected_md5: str | None, progress: Callable[[int, int | None], None]
    ) -> Downloaded:
        """Stream the recording to *target*, resuming what is already there, in constant memory.

        A file that changes meanwhile is fetched anew. Raises `Permanent` when it is gone or may not be read,
        `Held` for credentials, `Transient` otherwise.
        """

    async def check(self) -> Sequence[str]:
        """Return what is wrong with the set-up, one sentence each; empty when recordings can be read."""


# ---------------------------------------------------------------------------------------------------------- transcriber


class TranscriptReady(Struct, frozen=True, kw_only=True):
    """The transcript is finished and paid for."""

    raw: bytes
    """The vendor's own JSON, to be stored before anyone tries to understand it."""


class TranscriptPending(Struct, frozen=True, kw_only=True):
    """Not finished; ask again."""

    state: str
    retry_after: float | None = None
    """Seconds the service asked us to wait, if it did."""


class TranscriptFailed(Struct, frozen=True, kw_only=True):
    """The transcriber could not do it. Nothing was charged."""

    reason: str
    permanent: bool
    """True when the same audio would fail again."""
    silent: bool = False
    """True when it failed because nobody says anything."""


TranscriptState = TranscriptReady | TranscriptPending | TranscriptFailed


class AudioUsage(Struct, frozen=True, kw_only=True):
    """What a transcript was billed for."""

    seconds: float | None
    """None: the vendor did not say."""
    model: str | None
    """The model that was really used, as the transcriber names it."""
    addons: tuple[str, ...]
    """What was ordered on top and is billed by the hour too: `speaker_labels`, ..."""


class Transcriber(Protocol):
    """Turns audio into words, for money."""

    name: str

    async def upload(self, audio: Path, *, progress: Callable[[int, int | None], None]) -> str:
        """Send the audio and return a reference to it that is unique to this upload. Costs nothing."""

    async def submit(self, upload_ref: str, *, language: str | None = None) -> str:
        """Order a transcript of the upload and return its id. This is what is paid for.

        Raises `Ambiguous` when the order may have been taken.
        """

    async def find(self, upload_ref: str, *, since: datetime) -> str | None:
        """Return the id of a transcript ordered for this upload since then, or None if there is none."""

    async def poll(self, transcript_id: str) -> TranscriptState:
        """Ask once. A request that fails is `TranscriptPending`; an unknown id is `TranscriptFailed`."""

    def parse(self, raw: bytes) -> Transcript:
        """Understand a stored answer, tolerantly. Slow for long calls: call it in a thread. Raises `Permanent`."""

    def usage(self, raw: bytes) -> AudioUsage:
        """Read what the stored answer was billed for. Slow for long calls, as `parse`."""
        ...

    async def delete(self, transcript_id: str) -> None:
        """Delete audio and transcript at the vendor. Deleting twice is fine."""

    async def check(self) -> Sequence[str]:
        """Return what is wrong with the set-up, one sentence each."""


# ----------------------------------------------------------------------------------------------------------- summarizer


class TokenUsage(Struct, frozen=True, kw_only=True):
    """What a language model's answer was billed for."""

    input_tokens: int
    output_tokens: int
    cached_tokens: int = 0
    cache_write_tokens: int = 0
    reasoning_tokens: int = 0


class Completion(Struct, frozen=True, kw_only=True):
    """A whole answer; a cut one is an error, not a completion."""

    text: str
    model: str
    """The model that answered, as the service names it."""
    usage: TokenUsage | None
    """None when the server did not say: the estimate then stands, marked."""
    request_id: str | None
    service_tier: str | None


class Summarizer(Protocol):
    """A language model that writes text from text."""

    name: str
    model: str

    async def complete(
        self, *, instructions: str, text: str, on_text: Callable[[str], None], model: str | None = None
    ) -> Completion:
        """Answer *text* by *instructions*; *on_text* hears each piece as it arrives. *model* None: `self.model`.

        Raises `UnfinishedAnswer` (a `Transient` that tells what it cost), `Held`, `Transient` or `Permanent`.
        """

    def count_tokens(self, text: str) -> int:
        """Estimate the tokens of *text*, never too low by much."""

    def context_tokens(self, model: str | None = None) -> int:
        """How many tokens of input the model takes; None: `self.model`."""

    async def check(self) -> Sequence[str]:
        """Return what is wrong with the set-up, one sentence each."""


# ----------------------------------------------------------------------------------------------------------------- sink


class Page(Struct, frozen=True, kw_only=True):
    """What is to be found at the sink for one call."""

    key: str
    """Unique for the job, for ever: by it a page is found again after a crash."""
    title: str
    contact_name: str | None
    contact_number: str | None
    direction: Direction | None
    call_type: str | None
    call_at: datetime | None
    """UTC; `time_zone` says how people there read it."""
    time_zone: str
    duration_seconds: float | None
    web_url: str | None
    file_name: str
    language: str | None
    summary_markdown: str
    transcript: Transcript


class PageRef(Struct, frozen=True, kw_only=True):
    """Where the sink put a page."""

    ref: str
    url: str | None


class Sink(Protocol):
    """Where finished calls go."""

    name: str

    async def find(self, key: str) -> PageRef | None:
        """Look for the page made for *key*, patiently enough that a page just made is seen."""

    async def create(self, page: Page) -> PageRef:
        """Make the page, its body perhaps incomplete. Raises `Ambiguous` when it may exist now."""

    async def fill(self, ref: str, page: Page, *, memo: str | None, remember: Callable[[str], Awaitable[None]]) -> None:
        """Make properties and body what they should be; safe to repeat after a crash at any point.

        *memo* is the sink's own note of what it wrote, *remember* commits a new one; what a person added stays.
        Raises `PageGone` when the page was deleted.
        """

    async def check(self) -> Sequence[str]:
        """Return what is wrong with the set-up, one sentence each."""


# ---------------------------------------------------------------------------------------------------- store: discovery


class Arrival(Struct, frozen=True, kw_only=True):
    """A recording as discovery understood it, ready to be stored."""

    file: SourceFile
    recorder: str | None
    contact_name: str | None
    contact_number: str | None
    direction: Direction | None
    call_type: str | None
    call_at: datetime | None
    skip_reason: str | None = None
    """Set when the rules, or an unreadable name, already say that it will not be done."""
    skipped_by: SkippedBy | None = None
    duration_seconds: float | None = None
    duration_source: DurationSource | None = None
    estimate: Estimate = field(default_factory=Estimate)
    hold_until: datetime | None = None
    """Until then its sidecar is waited for."""


class Absorbed(Struct, frozen=True, kw_only=True):
    """What a page changed."""

    added: tuple[JobId, ...]
    updated: tuple[JobId, ...]
    twins: tuple[JobId, ...]


class Inbox(Protocol):
    """What discovery needs of the store."""

    async def cursor(self, source: str) -> str | None: ...

    async def absorb(
        self,
        source: str,
        arrivals: Sequence[Arrival],
        sidecars: Sequence[SourceFile],
        gone: Sequence[str],
        *,
        cursor: str,
        now: datetime,
        skip_twins: bool,
    ) -> Absorbed:
        """Store a page and the place after it in one transaction; a page seen before changes nothing."""

    async def waiting_files(self, source: str) -> Sequence[str]:
        """Return the file ids of the source's discovered jobs."""
        ...

    async def unmeasured(self, *, limit: int, now: datetime) -> Sequence[Job]:
        """Return discovered jobs of unknown duration that have a sidecar, or whose wait for one is over."""

    async def measured(
        self,
        job_id: JobId,
        *,
        duration_seconds: float,
        duration_source: DurationSource,
        direction: Direction | None,
        contact_number: str | None,
        estimate: Estimate,
        skip_reason: str | None,
        now: datetime,
        budget_exempt: bool | None = None,
    ) -> None:
        """Record what a sidecar (or a guess) said of a job that still rests; *skip_reason*: the rules now refuse it.

        *budget_exempt* None: as it was.
        """

    async def rules_fingerprint(self) -> str | None: ...

    async def judged(self, *, after: JobId | None, limit: int) -> Sequence[Job]:
        """Return, by id, what the rules may decide about: discovered, skipped by rule or name, failed but tried again."""

    async def rejudge(
        self,
        verdicts: Mapping[JobId, str | None],
        *,
        fingerprint: str | None,
        now: datetime,
        skip_twins: bool = True,
    ) -> None:
        """Skip (with a reason) or take back (None) the jobs; *fingerprint*, given with the last of them, is kept.

        A failed job stays failed, and is not tried again when refused. *skip_twins*: of copies taken back, one is kept.
        """

    async def first_started_at(self, now: datetime) -> datetime:
        """The instant of this database's first start; *now* becomes it if there was none."""


# --------------------------------------------------------------------------------------------------- store: processing


class ClaimLimits(Struct, frozen=True, kw_only=True):
    """How much may be claimed now. The store enforces all of it inside the claim's own transaction."""

    batch: int
    newest_first: bool
    day_start: datetime
    """Local midnight, as an instant."""
    day_max_jobs: int | None
    minute_max_jobs: int | None
    money: Limits = field(default_factory=Limits)
    """In each window settled plus reserved, with the new claims' estimates, never exceeds its limit with the overrides in
    force, which the store knows. A call that there is no money for is held until the window ends."""
    max_parallel: int | None = None
    """Jobs worked on at once by everyone on this database, these included."""
    only_asked: bool = False
    """Only what a person asked for."""
    ids: tuple[JobId, ...] | None = None
    """Only these; None: any."""
    exclude: tuple[JobId, ...] = ()
    """None of these: somebody here still works on them, though the claim may be lost."""


class Queue(Protocol):
    """What the processor and the watchdog need of the store."""

    async def claim(
        self, limits: ClaimLimits, *, token: str, claimed_by: str, now: datetime, lease_until: datetime
    ) -> Sequence[Claim]:
        """Take at most `limits.batch` due jobs, reserve their estimates and return them, in order. Atomic.

        *token* is the fence: give each call its own, or a job's earlier worker passes for its later one.
        """

    async def heartbeat(self, claims: Collection[Claim], *, now: datetime, lease_until: datetime) -> frozenset[JobId]:
        """Extend the leases of those *claims* that still stand and return their jobs' ids. All others run out."""
        ...

    async def reclaim_expired(
        self, *, now: datetime, max_rescues: int, no_lease_beyond: datetime | None = None
    ) -> Sequence[JobId]:
        """Return jobs whose lease ran out to rest; one rescued more than *max_rescues* times fails instead.

        A lease that ends after *no_lease_beyond* is from a clock that was wrong, and as good as over.
        """
        ...

    async def requeue_due(self, *, now: datetime) -> int:
        """Move failed jobs whose retry is due back to discovered."""

    async def try_mended(self, *, now: datetime) -> int:
        """Make due what waits for something that a person may have mended since, and sinks that failed; return how many calls.

        What waits for money, for a sidecar or for as long as a service asked is left alone.
        """
        ...

    async def next_due_at(self, *, now: datetime) -> datetime | None:
        """The earliest instant after *now* at which a waiting or failed job comes back by itself; None: none does."""

    async def minute_is_full(self, *, max_jobs: int, now: datetime) -> bool:
        """Say whether *max_jobs* or more were begun within the last minute, and another is due."""
        ...

    async def instance_seen(self, token: str, *, name: str, now: datetime, details: Mapping[str, str]) -> None: ...

    async def instance_gone(self, token: str) -> None: ...

    async def prune(self, *, events_before: datetime, now: datetime) -> int:
        """Delete old log lines and dead instances; return how many rows went."""

    async def optimize(self) -> None:
        """Checkpoint and analyse; call it when idle."""


class Settlement(Struct, frozen=True, kw_only=True):
    """What a paid step really cost."""

    provider: str
    model: str | None
    actual_micros: int | None
    """None: unpriced, or usage unknown; the estimate then stands."""
    usage_known: bool
    usage: Mapping[str, object]
    external_ref: str | None


class Summary(Struct, frozen=True, kw_only=True):
    """One version of a call's summary."""

    markdown: str
    title: str
    model: str
    prompt_hash: str


class Documents(Struct, frozen=True, kw_only=True):
    """A job's artifacts; each that is there need not be paid for again."""

    raw_transcript: bytes | None = None
    transcript: Transcript | None = None
    summary: Summary | None = None


class Delivery(Struct, frozen=True, kw_only=True):
    """How far one job is at one sink."""

    sink: str
    intent_at: datetime | None = None
    """Committed just before a page is made; with no `ref` it means: look before making one."""
    ref: str | None = None
    url: str | None = None
    memo: str | None = None
    error: str | None = None
    attempts: int = 0
    next_attempt_at: datetime | None = None
    """When it is tried again by itself; None: never, or not needed."""
    delivered_at: datetime | None = None
    leased_until: datetime | None = None
    """Until then it is left to whoever took it; None: nobody is at it."""


class Ended(Struct, frozen=True, kw_only=True):
    """How an attempt at a step ended."""

    id: int
    outcome: Outcome
    error: str | None = None


class JobRecord(Protocol):
    """What the pipeline needs of the store: each step's facts, committed before the next thing happens."""

    async def documents(self, job_id: JobId) -> Documents: ...

    async def begin(self, claim: Claim, step: Step, *, now: datetime, after: int | None = None) -> int:
        """Open an attempt at *step*, move the job to the status it has during it, return the attempt's id.

        The attempt *after* which it begins is closed as done in the same commit.
        """

    async def end(
        self,
        claim: Claim,
        attempt_id: int,
        outcome: Outcome,
        *,
        error: str | None = None,
        now: datetime,
    ) -> None:
        """Close an attempt without moving the job."""

    async def reuse(self, claim: Claim, step: Step, *, now: datetime) -> None:
        """Pass *step* because its artifact is there: nothing is done and nothing is paid, which its attempt says."""

    async def uploaded(self, claim: Claim, upload_ref: str, *, now: datetime, intending: bool = False) -> None:
        """Keep the reference to the upload; *intending* to order its transcript at once commits that intent with it."""

    async def intend_submit(self, claim: Claim, *, now: datetime) -> None: ...

    async def submitted(self, job_id: JobId, transcript_id: str, *, now: datetime) -> None:
        """Record a paid order's id. A fact about money: written even if the claim was lost meanwhile."""

    async def forget_order(self, claim: Claim, *, keep_upload: bool, now: datetime) -> None:
        """Clear intent and id of an order that is known not to exist or to have failed unpaid."""

    async def keep_raw_transcript(self, job_id: JobId, raw: bytes, *, now: datetime) -> None:
        """Store the vendor's answer as it came. Never fenced."""

    async def transcribed(
        self,
        claim: Claim,
        attempt_id: int | None,
        transcript: Transcript,
        settlement: Settlement | None,
        *,
        now: datetime,
        going_on: bool = False,
    ) -> int | None:
        """Store the transcript, settle its charge, close the attempt: transcribing -> transcribed.

        *going_on* begins the summary in the same commit; the id of that attempt is returned.
        """

    async def summarized(
        self,
        claim: Claim,
        attempt_id: int | None,
        summary: Summary,
        settlement: Settlement | Sequence[Settlement] | None,
        *,
        now: datetime,
        going_on: bool = False,
    ) -> int | None:
        """Store a new summary version, settle each answer it took, close the attempt. The job stays `summarizing`.

        *going_on* begins the delivery in the same commit; the id of that attempt is returned.
        """

    async def settle(
        self, job_id: JobId, step: Step, settlement: Settlement, *, now: datetime, token: str | None = None
    ) -> None:
        """Record what was charged although the step failed. Never fenced.

        With the claim's *token*, what was reserved for another claim since is left alone.
        """

    async def deliveries(self, job_id: JobId) -> Sequence[Delivery]: ...

    async def take_delivery(self, job_id: JobId, sink: str, *, now: datetime, until: datetime) -> Delivery | None:
        """Lease the sink's delivery, made if there is none; None when somebody else has it now.

        It is then due again as soon as the other releases it, or their lease runs out.
        """
        ...

    async def save_delivery(self, job_id: JobId, delivery: Delivery, *, now: datetime, release: bool = False) -> None:
        """Store how far a sink is. Never fenced: a page that exists must not be forgotten, nor a `ref` once known.

        *release* gives back the lease the delivery was taken with, if it still stands.
        """

    async def complete(self, claim: Claim, *, now: datetime, attempt: Ended | None = None) -> None:
        """syncing -> completed; closes the *attempt*, releases what was reserved and not spent, and the lease."""

    async def give_back(self, claim: Claim, *, now: datetime, note: str) -> None:
        """Back to discovered, lease released, open attempts cancelled, unspent reservations released."""

    async def hold(self, claim: Claim, kind: HoldKind, reason: str, *, until: datetime, now: datetime) -> None:
        """As `give_back`, not claimed before *until*; open attempts end as held."""

    async def fail(
        self, claim: Claim, step: Step, error: str, *, retry_at: datetime | None, counts: bool, now: datetime
    ) -> None:
        """-> failed, with one sentence; tried again at *retry_at* (None: never); *counts* raises `retry_count`."""

    async def skip(self, claim: Claim, reason: str, by: SkippedBy, *, now: datetime) -> None:
        """Give the job back and skip it: what was learnt after the download says that it must not be paid for.

        Not so if the recording was replaced since the claim: then it only goes back, to be judged anew.
        """

    async def measured_file(
        self,
        claim: Claim,
        duration_seconds: float,
        source: DurationSource,
        *,
        estimate: Estimate,
        money: Limits,
        now: datetime,
        budget_exempt: bool | None = None,
    ) -> None:
        """Store the length read from the file, and make what is reserved follow the estimate for it.

        Raises `Held` when there is no money for a call that is longer than it seemed; then no more is reserved than before.
        """

    async def next_delivery_at(self) -> datetime | None:
        """When a completed call's sink is next tried again by itself, perhaps overdue; None: never."""
        ...

    async def take_due_deliveries(
        self, *, limit: int, now: datetime, again_at: datetime
    ) -> Sequence[tuple[Job, Delivery]]:
        """Return completed jobs whose sink is to be tried again now, each to one caller only.

        Taking one leases it until *again_at* and moves its `next_attempt_at` there, so that a crash loses nothing.
        """
        ...

    async def log(
        self, job_id: JobId, level: str, message: str, *, step: Step | None = None, now: datetime
    ) -> None: ...


# -------------------------------------------------------------------------------------------------- store: the screen


class ControlState(Struct, frozen=True, kw_only=True):
    """What people asked for; it lives in the store, so it survives a restart and works from another terminal."""

    paused: bool = False
    paused_at: datetime | None = None
    capacity: int | None = None
    """Parallel jobs per instance; None: as configured."""
    discover_requested_at: datetime | None = None


class JobFilter(Struct, frozen=True, kw_only=True):
    """Which jobs a list shows."""

    statuses: tuple[Status, ...] = ()
    """Empty: all."""
    search: str = ""
    """Every word of it is in contact, number or file name, or begins a word of transcript or summary.

    A word of one or two letters must begin a word of the names.
    """
    held_only: bool = False


class JobRow(Struct, frozen=True, kw_only=True):
    """A job and how far its sinks are: what a list shows."""

    job: Job
    deliveries: tuple[Delivery, ...]


class ChargeRow(Struct, frozen=True, kw_only=True):
    """One line of the ledger."""

    id: int
    job_id: JobId
    step: Step
    state: str
    """`reserved`, `settled` or `released`."""
    provider: str | None
    model: str | None
    estimate_micros: int | None
    actual_micros: int | None
    usage_known: bool
    usage: Mapping[str, object]
    external_ref: str | None
    reserved_at: datetime
    settled_at: datetime | None


class JobDetail(Struct, frozen=True, kw_only=True):
    """Everything known about one job."""

    row: JobRow
    documents: Documents
    attempts: tuple[Attempt, ...]
    charges: tuple[ChargeRow, ...]
    events: tuple[LogLine, ...]


class Spending(Struct, frozen=True, kw_only=True):
    """Money since an instant."""

    jobs: int
    """How many were claimed."""
    settled_micros: int
    reserved_micros: int
    unpriced: int
    """How many charges have no price."""


class Instance(Struct, frozen=True, kw_only=True):
    """A FocusFlow that works on this database."""

    token: str
    name: str
    started_at: datetime
    seen_at: datetime
    details: Mapping[str, str] = field(default_factory=dict)


class Stats(Struct, frozen=True, kw_only=True):
    """The numbers on the front page."""

    counts: Mapping[Status, int]
    """Every status, zeros included."""
    held: int
    due: int
    """Discovered and claimable now."""
    failures_by_step: Mapping[Step, int]
    average_seconds_by_step: Mapping[Step, float]
    today: Spending
    month: Spending
    control: ControlState
    instances: tuple[Instance, ...]


class Control(Protocol):
    """What the screen and the command line may ask for: about ten verbs, each kept in the store."""

    async def stats(self, *, now: datetime, day_start: datetime, month_start: datetime) -> Stats: ...

    async def find(self, prefix: str) -> Sequence[JobId]:
        """Return the ids that start with *prefix*, at most a handful."""

    async def detail(self, job_id: JobId, *, events: int = 500) -> JobDetail | None: ...

    async def control(self) -> ControlState: ...

    async def pause(self, *, now: datetime) -> None: ...

    async def resume(self, *, now: datetime) -> None: ...

    async def set_capacity(self, capacity: int | None, *, now: datetime) -> None: ...

    async def request_discovery(self, *, now: datetime) -> None: ...

    async def process(self, job_ids: Sequence[JobId], *, from_step: Step | None, now: datetime) -> Sequence[JobId]:
        """Ask for the jobs now, whatever the rules say; *from_step* forgets that step's artifact and all after it."""

    async def retry(self, job_ids: Sequence[JobId] | None, *, now: datetime) -> Sequence[JobId]:
        """Put failed jobs (None: all of them) back in the queue; completed ones with a failed sink are synced again.

        So are those that wait for something that a person mends, such as a key (`errors.MENDABLE`).
        """

    async def cancel(self, job_ids: Sequence[JobId], *, now: datetime) -> Sequence[JobId]:
        """Take running jobs from their worker: they fail with a sentence that says so; what is paid for stays."""

    async def skip_jobs(self, job_ids: Sequence[JobId], *, reason: str, now: datetime) -> Sequence[JobId]: ...

    async def unskip(self, job_ids: Sequence[JobId], *, now: datetime) -> Sequence[JobId]: ...


class Order(StrEnum):
    """What a list of calls is sorted by; ties are broken by id, calls without the value come last."""

    TIME = "time"
    """When the call was; when it was found, where its own time is unknown."""
    CONTACT = "contact"
    LENGTH = "length"
    COST = "cost"


class Calls(Protocol):
    """What a table of calls needs, however many there are: the rows it shows, and no more."""

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
        """Return the rows after *beyond* (or before it, *backwards*; None: from the first, or up to the last).

        Always in the order of the list. A *beyond* that is gone or does not match any more still marks its place, if it exists.
        """

    async def count(self, filter: JobFilter, *, at_most: int = 10_000) -> int:
        """Return how many calls match; exact without a search, with one counted only up to *at_most*."""

    async def rows(self, job_ids: Sequence[JobId]) -> Sequence[JobRow]:
        """Return these jobs as they are now, in no order; those that are gone are left out."""

    async def changed_since(self, at: datetime, *, limit: int = 1_000) -> Sequence[tuple[JobId, datetime]]:
        """Return jobs changed at *at* or later and when, the earliest first: how a screen follows another process's work.

        Ask again from the last instant returned, less a few seconds: what is stamped earlier may be committed later.
        """
        ...


# --------------------------------------------------------------------------------------------------- store: the money


class BudgetWindow(Struct, frozen=True, kw_only=True):
    """One budget in force: what it allows in its present day, week or month, and how much of that is gone."""

    period: Period
    start: datetime
    end: datetime
    """The local midnight at which the next one begins, as an instant."""
    limit_micros: int | None
    """With every override in force; None: no limit."""
    configured_micros: int | None
    settled_micros: int
    reserved_micros: int


class Backlog(Struct, frozen=True, kw_only=True):
    """What waits to be done, and what it would cost."""

    calls: int
    seconds: float
    micros: int
    unpriced: int
    """Calls among them whose price is not known."""


class Purse(Struct, frozen=True, kw_only=True):
    """Everything about money that the front page shows."""

    windows: tuple[BudgetWindow, ...]
    """Day, week and month, in this order."""
    jobs_today: int
    jobs_cap: int | None
    stopped_until: datetime | None
    """All spending is stopped until then; None: it is not."""
    overrides: tuple[Override, ...]
    """Those in force, newest first."""
    unpriced: int
    """Charges of this month that have no price."""
    daily: tuple[int, ...]
    """Settled and reserved micro-dollars of the last 30 local days, today last."""
    backlog: Backlog
    saved_micros: int
    """What twins, skips and re-used paid work did not cost this month, by their estimates."""


class RunPrice(Struct, frozen=True, kw_only=True):
    """What doing jobs (again) would cost."""

    micros: int
    unpriced: int
    """How many of the jobs have no price; then *micros* is not the whole."""
    free_because: str | None
    """A phrase, where nothing is to be paid: `the transcript is already there`."""


class Money(Protocol):
    """What people may ask and say about money. Limits come from the configuration, exceptions from the store."""

    async def purse(self, budgets: Budgets, *, now: datetime) -> Purse: ...

    async def overrides(self, *, limit: int = 100) -> Sequence[Override]:
        """Return every override there was, newest first."""

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
        """Allow that much more in each such period until then; *until* None: only in the present one.

        Raises `BadRequest` for an absurd amount or time, and where there is no limit that could be raised.
        """
        ...

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
        """Allow exactly that much instead of what is configured and raised; *until* None: to the period's end.

        Raises `BadRequest` for an absurd amount or time.
        """
        ...

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
        """Let these jobs (None: all) pass the budgets; those that wait for one come back at once.

        *until* None: for a week, or for all jobs until midnight. Raises `BadRequest` for an absurd time.
        """
        ...

    async def stop_spending(
        self, budgets: Budgets, *, until: datetime | None, origin: str, reason: str, now: datetime
    ) -> Override:
        """Begin nothing that costs money; what runs is finished. *until* None: for thirty days."""
        ...

    async def undo_override(self, override_id: int, *, now: datetime) -> bool:
        """End it now; False if there is none in force."""
        ...

    async def price(self, job_ids: Sequence[JobId], *, from_step: Step | None) -> RunPrice:
        """Return what processing these jobs (anew from a step) would cost now. Jobs that are gone cost nothing."""
        ...


# ------------------------------------------------------------------------------------------ store: plans and accounts


class PlanBy(StrEnum):
    """What a priced backlog is grouped by."""

    MONTH = "month"
    CONTACT = "contact"
    DIRECTION = "direction"


class Planned(Struct, frozen=True, kw_only=True):
    """Calls of one group that wait, or were left out for one reason, and what they would cost."""

    group: str
    """`2026-05`, a name or number, or a direction; empty: unknown."""
    skipped_by: SkippedBy | None
    """None: they wait, or come back by themselves."""
    reason: str
    """Of the rules, as shown with each call."""
    calls: int
    seconds: float
    guessed: int
    """Calls whose length is only guessed from their size."""
    micros: int
    unpriced: int
    """Calls without a price; then *micros* is not the whole."""


class Startable(Struct, frozen=True, kw_only=True):
    """A call that a person may start: one that waits, or that the rules left out."""

    job_id: JobId
    skipped: bool
    at: datetime
    """When the call was; when it was found, where its own time is unknown."""
    contact_name: str | None
    contact_number: str | None
    direction: Direction | None
    call_type: str | None
    seconds: float | None
    guessed: bool
    micros: int | None
    """None: unpriced."""
    call_at: datetime | None


class Planner(Protocol):
    """What a plan needs: the backlog, priced, without reading it row by row."""

    async def backlog(self, by: PlanBy, rates: LengthRates, *, zone: ZoneInfo) -> Sequence[Planned]:
        """Return everything that waits or is left out; *rates* price what was never estimated."""
        ...

    async def startable(
        self, rates: LengthRates, *, newest_first: bool, since: datetime | None, before: datetime | None
    ) -> Sequence[Startable]:
        """Return what may be started, in order."""
        ...

    async def price_unmeasured(self, job_ids: Sequence[JobId], rates: LengthRates) -> tuple[int, int]:
        """Return how many of these calls have a price only by their file's size, and what they would cost together."""
        ...


class CostsBy(StrEnum):
    """What the ledger is summed up by."""

    DAY = "day"
    MONTH = "month"
    CONTACT = "contact"
    MODEL = "model"
    STEP = "step"
    JOB = "job"


class Costs(Struct, frozen=True, kw_only=True):
    """What one group of charges came to. Every charge is in one group, so groups add up to the whole."""

    group: str
    """`2026-05-04`, a name, a model, a step or a job's id; empty: unknown."""
    label: str
    """Whose call it was, where the group is a job; else empty."""
    calls: int
    charges: int
    settled_micros: int
    reserved_micros: int
    unpriced: int
    """Charges without any price."""
    estimated: int
    """Settled charges for which the estimate stands, because nobody said what was used."""


class Saving(StrEnum):
    """Why money was not spent."""

    RULE = "rule"
    DUPLICATE = "duplicate"
    OTHER = "other"
    """Left out by hand, by its name, or gone before it was processed."""
    TRANSCRIPT = "transcript"
    """A transcript that was there already was used again."""
    SUMMARY = "summary"


class Saved(Struct, frozen=True, kw_only=True):
    """What was not spent for one reason, by estimates, or by what re-used work had cost."""

    why: Saving
    times: int
    micros: int
    unpriced: int
    """Of these *times*, those whose price is not known."""


class LedgerLine(Struct, frozen=True, kw_only=True):
    """One charge, and whose call it was for."""

    charge: ChargeRow
    label: str


class Accounts(Protocol):
    """What was spent and what was not, from the ledger. *since* None: from the beginning."""

    async def costs(self, by: CostsBy, *, since: datetime | None, now: datetime, zone: ZoneInfo) -> Sequence[Costs]:
        """Return the ledger's sums, days and months in order, all else dearest first."""
        ...

    async def calls_charged(self, *, since: datetime | None) -> int:
        """Return how many calls the ledger knows: one may be in several groups."""
        ...

    async def savings(self, rates: LengthRates, *, since: datetime | None) -> Sequence[Saved]: ...

    async def ledger(self, *, since: datetime | None) -> Sequence[LedgerLine]:
        """Return every charge, released ones too, oldest first."""
        ...

    async def models_used(self) -> Sequence[tuple[str | None, str]]:
        """Return the providers and models that were paid."""
        ...


# ---------------------------------------------------------------------------------------------------- store: the texts


class SummaryVersion(Struct, frozen=True, kw_only=True):
    """One summary that was made of a call."""

    version: int
    summary: Summary
    made_at: datetime
    cost_micros: int | None
    """None: unpriced, or made before costs were kept."""
    current: bool


class Texts(Protocol):
    """What people may do to texts that are there, without paying."""

    async def summary_versions(self, job_id: JobId) -> Sequence[SummaryVersion]:
        """Return every version, newest first."""

    async def use_summary(self, job_id: JobId, version: int, *, now: datetime) -> bool:
        """Make that version the current one and bring it to the sinks; False if there is no such version."""
        ...

    async def name_speakers(self, job_id: JobId, names: Mapping[str, str], *, now: datetime) -> bool:
        """Rename speakers (label -> name) in transcript and summary and bring both to the sinks; False: no transcript yet.

        Swapping is renaming both. Costs nothing.
        """
        ...


class Desk(Control, Calls, Money, Texts, Protocol):
    """All that the screen may ask for."""
