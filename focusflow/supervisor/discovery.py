"""Which recordings are there, what do their names and sidecars say, and which of them are for us?"""

import logging
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

import anyio
import anyio.lowlevel
from msgspec import Struct
from msgspec.structs import replace

from focusflow.domain.eligibility import Rules, fingerprint, owner_allowed, refusal
from focusflow.domain.jobs import DurationSource, Job, JobId, SkippedBy, Status
from focusflow.domain.money import Estimate
from focusflow.domain.recordings import (
    Sidecar,
    estimated_seconds,
    is_audio,
    is_sidecar,
    normal_number,
    read_file_name,
    read_sidecar,
)
from focusflow.domain.routing import Consequences, facts_of, route
from focusflow.errors import CursorExpired, FocusFlowError, HoldKind, Permanent, StepError
from focusflow.ports import Absorbed, Arrival, Clock, Inbox, Source, SourceFile, SourcePage

_log = logging.getLogger(__name__)

SIDECARS_AT_ONCE = 8
MEASURE_BATCH = 200
JUDGE_BATCH = 1_000


class Intake(Struct, frozen=True, kw_only=True):
    """How arriving files are read and judged."""

    rules: Rules
    zone: ZoneInfo
    """The zone of the phone's clock."""
    region: str
    allowed_owners: tuple[str, ...]
    accept_ownerless: bool
    sidecar_wait: timedelta
    skip_twins: bool
    estimate: Callable[[float, str | None], Estimate]
    """The price of a call of so many seconds, summed up by a model; None: the configured one."""
    prices: str = ""
    """Changes whenever prices or budgets do: then waiting calls are priced anew and tried again."""


class Discovery:
    """Brings what the source has into the store."""

    def __init__(self, *, source: Source, inbox: Inbox, intake: Intake, clock: Clock) -> None:
        self._source, self._inbox, self._intake, self._clock = source, inbox, intake, clock
        self._list_all = False
        self._looking = False

    def list_all_next(self) -> None:
        """Let the next tick list everything once more, whatever the feed of changes said."""
        self._list_all = True

    async def tick(self) -> str:
        """Look once and measure what can be measured. Raises `SourceError` or `StoreError`."""
        return f"{await self.look()}, {await self.measure()}"

    async def look(self) -> str:
        """Absorb everything new. Raises `SourceError` or `StoreError`."""
        await self._apply_rules()
        self._looking = True
        try:
            return f"{await self._absorb_all()} new"
        finally:
            self._looking = False

    async def _absorb_all(self) -> int:
        cursor = None if self._list_all else await self._inbox.cursor(self._source.name)
        try:
            added = await self._absorb_from(cursor)
        except CursorExpired as exc:
            _log.warning("everything is listed once more", extra={"reason": str(exc)})
            added = await self._absorb_from(None)
        self._list_all = False
        return added

    async def _absorb_from(self, cursor: str | None) -> int:
        """Absorb every page from *cursor* on and return how many calls are new."""
        added = 0
        missing = _Missing(await self._inbox.waiting_files(self._source.name)) if cursor is None else None
        pages: AsyncIterator[SourcePage] = self._source.pages(cursor)
        async for page in pages:
            arrivals, sidecars = await self.read(page.files)
            absorbed = await self._absorb(arrivals, sidecars, page.gone, page.cursor)
            added += len(absorbed.added)
            if missing is not None and (gone := missing.after(page)):
                await self._absorb((), (), gone, page.cursor)
        return added

    async def _absorb(
        self, arrivals: Sequence[Arrival], sidecars: Sequence[SourceFile], gone: Sequence[str], cursor: str
    ) -> Absorbed:
        return await self._inbox.absorb(
            self._source.name,
            arrivals,
            sidecars,
            gone,
            cursor=cursor,
            now=self._clock.now(),
            skip_twins=self._intake.skip_twins,
        )

    async def read(self, files: Sequence[SourceFile]) -> tuple[list[Arrival], list[SourceFile]]:
        """Return the calls and the sidecars among *files*; others get their turn between two of a thousand names."""
        arrivals, sidecars = [], []
        now = self._clock.now()
        for file in files:
            await anyio.lowlevel.checkpoint()
            if is_sidecar(file.name):
                sidecars.append(file)
            elif is_audio(file.name, file.mime_type) and self._is_ours(file):
                arrivals.append(arrival(file, self._intake, now))
        return arrivals, sidecars

    def _is_ours(self, file: SourceFile) -> bool:
        intake = self._intake
        return owner_allowed(file.owners, intake.allowed_owners, intake.accept_ownerless)

    async def anything_to_measure(self) -> bool:
        """Say whether `measure` would find something now."""
        return bool(await self._inbox.unmeasured(limit=1, now=self._clock.now()))

    async def measure(self) -> str:
        """Read the sidecars of calls whose length is not known, and guess where the wait for one is over."""
        measured = 0
        while jobs := await self._inbox.unmeasured(limit=MEASURE_BATCH, now=self._clock.now()):
            limiter = anyio.CapacityLimiter(SIDECARS_AT_ONCE)
            done: list[bool] = []
            troubles: list[FocusFlowError] = []
            async with anyio.create_task_group() as group:
                for job in jobs:
                    group.start_soon(self._measure_one, job, limiter, done, troubles)
            if troubles:
                raise troubles[0]
            measured += sum(done)
            if not all(done):
                break  # a sidecar that cannot be read now is read at the next tick
        return f"{measured} measured"

    async def _measure_one(
        self, job: Job, limiter: anyio.CapacityLimiter, done: list[bool], troubles: list[FocusFlowError]
    ) -> None:
        """Measure one call; what keeps all of them from being measured goes to *troubles*, to be raised as it is."""
        try:
            async with limiter:
                known, sidecar = await self._look_beside(job)
            if known:
                await self._record(job, sidecar)
        except FocusFlowError as exc:
            troubles.append(exc)
        else:
            done.append(known)

    async def _look_beside(self, job: Job) -> tuple[bool, Sidecar | None]:
        """Return the sidecar, if there is one, and whether that is the last word."""
        if job.sidecar_id is None and self._looking:
            return False, None  # it may be on the next page
        try:
            return True, await self._read_sidecar(job)
        except Permanent as exc:
            _log.warning("a sidecar is not there any more", extra={"job": job.id, "reason": str(exc)})
            return True, None
        except StepError as exc:
            _log.warning("a sidecar could not be read", extra={"job": job.id, "reason": str(exc)})
            return self._patience_is_over(job), None

    def _patience_is_over(self, job: Job) -> bool:
        """Say whether a sidecar that cannot be read has been waited for long enough: twice as long as for one to come."""
        return self._clock.now() - job.discovered_at >= 2 * self._intake.sidecar_wait

    async def _read_sidecar(self, job: Job) -> Sidecar | None:
        if job.sidecar_id is None:
            return None
        sidecar = read_sidecar(await self._source.read_small(job.sidecar_id))
        if sidecar.problem:
            _log.warning("a sidecar is not understood", extra={"job": job.id, "problem": sidecar.problem})
        return sidecar

    async def _record(self, job: Job, sidecar: Sidecar | None) -> None:
        seconds = sidecar.duration_seconds if sidecar else None
        source = DurationSource.SIDECAR
        if seconds is None:
            seconds, source = estimated_seconds(job.file_size or 0), DurationSource.SIZE
        direction = job.direction or (sidecar.direction if sidecar else None)
        number = job.contact_number or (sidecar.number if sidecar else None)
        # a guess is good enough for a price, not for a refusal: the file's own header decides after the download
        known = seconds if source is DurationSource.SIDECAR else None
        number = normal_number(number, self._intake.region) if number else None
        routed = self._routed(replace(job, direction=direction, contact_number=number), seconds)
        await self._inbox.measured(
            job.id,
            duration_seconds=seconds,
            duration_source=source,
            direction=direction,
            contact_number=number,
            estimate=self._intake.estimate(seconds, routed.model),
            budget_exempt=routed.budget_exempt,
            skip_reason=None
            if job.requested_by
            else refusal(
                direction=direction,
                call_type=job.call_type,
                contact_name=job.contact_name,
                contact_number=number,
                duration_seconds=known,
                call_at=job.call_at,
                rules=self._intake.rules,
                now=self._clock.now(),
                awaiting_length=known is None,
            ),
            now=self._clock.now(),
        )

    def _routed(self, job: Job, seconds: float) -> Consequences:
        """Return what the user's rules say of how the call is done; a guessed length will do."""
        rules = self._intake.rules
        return route(facts_of(job, seconds=seconds), rules.routing, rules.zone).then

    async def _apply_rules(self) -> None:
        """Judge resting jobs anew when the rules are not those they were judged by."""
        mark = self._mark()
        known = await self._inbox.rules_fingerprint()
        if mark == known:
            return
        if known is not None:
            self.list_all_next()  # other owners may be allowed now
        after: JobId | None = None
        while jobs := await self._inbox.judged(after=after, limit=JUDGE_BATCH):
            await self._inbox.rejudge(
                self._verdicts(jobs), fingerprint=None, now=self._clock.now(), skip_twins=self._intake.skip_twins
            )
            for job in jobs:
                await self._price_anew(job)
            after = jobs[-1].id
        await self._inbox.rejudge({}, fingerprint=mark, now=self._clock.now())

    async def _price_anew(self, job: Job) -> None:
        """Give a waiting call the price that holds now; an unpriced one may have one at last."""
        if job.status is not Status.DISCOVERED or job.duration_seconds is None or job.duration_source is None:
            return
        if job.transcription_completed_at is not None or job.submit_intent_at is not None:
            return  # most of its price is settled or reserved already
        routed = self._routed(job, job.duration_seconds)
        estimate = self._intake.estimate(job.duration_seconds, routed.model)
        if (estimate, routed.budget_exempt) != (job.estimate, job.budget_exempt):
            await self._inbox.measured(
                job.id,
                duration_seconds=job.duration_seconds,
                duration_source=job.duration_source,
                direction=None,
                contact_number=None,
                estimate=estimate,
                budget_exempt=routed.budget_exempt,
                skip_reason=None,
                now=self._clock.now(),
            )

    def _mark(self) -> str:
        """Return what changes whenever judging or pricing would come out differently."""
        owners = ",".join(sorted(owner.casefold() for owner in self._intake.allowed_owners))
        return f"{fingerprint(self._intake.rules)} owners={owners} ownerless={self._intake.accept_ownerless} {self._intake.prices}"

    def _verdicts(self, jobs: Sequence[Job]) -> Mapping[JobId, str | None]:
        now = self._clock.now()
        return {
            job.id: refusal(
                direction=job.direction,
                call_type=job.call_type,
                contact_name=job.contact_name,
                contact_number=job.contact_number,
                duration_seconds=_trusted_seconds(job),
                call_at=job.call_at,
                rules=self._intake.rules,
                now=now,
                awaiting_sidecar=job.hold_kind == HoldKind.SIDECAR,
                awaiting_length=True,
            )
            for job in jobs
            if job.recorder is not None and not job.requested_by
        }


class _Missing:
    """Finds out what waits here and is not there any more.

    A feed of changes whose place was lost cannot tell what disappeared meanwhile; only a listing of everything that was
    not interrupted can. What any page names, after the listing too, is there.
    """

    def __init__(self, waiting: Sequence[str]) -> None:
        self._unseen = set(waiting)
        self._listing = False

    def after(self, page: SourcePage) -> tuple[str, ...]:
        """Take in the next page; return what is missing, once, when the listing has ended."""
        self._unseen -= {file.file_id for file in page.files}
        self._listing = self._listing or page.listing
        if not self._listing or (page.listing and page.more):
            return ()
        missing, self._unseen, self._listing = tuple(self._unseen), set(), False
        return missing


def _trusted_seconds(job: Job) -> float | None:
    return None if job.duration_source is DurationSource.SIZE else job.duration_seconds


def arrival(file: SourceFile, intake: Intake, now: datetime) -> Arrival:
    """Read the file's name and judge it by the rules, as far as the name tells."""
    details = read_file_name(file.name, intake.zone)
    if details is None:
        return Arrival(
            file=file,
            recorder=None,
            contact_name=None,
            contact_number=None,
            direction=None,
            call_type=None,
            call_at=None,
            skip_reason="unrecognised name",
            skipped_by=SkippedBy.NAME,
        )
    number = normal_number(details.contact_number, intake.region) if details.contact_number else None
    refused = refusal(
        direction=details.direction,
        call_type=details.call_type,
        contact_name=details.contact_name,
        contact_number=number,
        duration_seconds=None,
        call_at=details.call_at,
        rules=intake.rules,
        now=now,
        awaiting_sidecar=True,
    )
    return Arrival(
        file=file,
        recorder=details.recorder,
        contact_name=details.contact_name,
        contact_number=number,
        direction=details.direction,
        call_type=details.call_type,
        call_at=details.call_at,
        skip_reason=refused,
        skipped_by=SkippedBy.RULE if refused else None,
        hold_until=None if refused else _sidecar_is_awaited_until(file, intake.sidecar_wait, now),
    )


def _sidecar_is_awaited_until(file: SourceFile, wait: timedelta, now: datetime) -> datetime | None:
    """Return until when the recording's sidecar may still come; None if one that is not there will not.

    It is written, and brought to the source, right after its recording: what has lain there for longer waits no more.
    """
    came = [at for at in (file.created_at, file.modified_at) if at is not None]
    until = min(max(came, default=now), now) + wait  # a clock that is ahead keeps no call waiting
    return until if until > now else None
