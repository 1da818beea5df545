"""What does each key really do, and which sentence says that it was done?

No widget is touched here: a deed asks the desk, and returns what people are to read.
"""

import re
from collections.abc import Awaitable, Callable, Collection, Sequence

import anyio
from msgspec import Struct

from focusflow.domain.budgets import Period
from focusflow.domain.jobs import Job, JobId, Status, Step
from focusflow.domain.transcript import timed_text
from focusflow.errors import BadRequest
from focusflow.ports import Desk, JobDetail, JobFilter, Override, RunPrice
from focusflow.tui import words
from focusflow.tui.actions import price_words
from focusflow.tui.facts import Engine, Facts
from focusflow.tui.plain import plain

PARALLEL_MOST = 64
"""As the configuration allows."""
REASON = "skipped by hand"

OLDER_READ = 500
"""So many skipped calls are looked at to find those that were there before the first start."""
FAILED_READ = 500
"""So many failed calls are read at once, so that the screen goes on beside it."""
FAILED_PRICED = 10_000
"""Of more failed calls than that, the price is only known to be higher."""
_OLDER = "only new calls are processed"


class Older(Struct, frozen=True, kw_only=True):
    """Calls that were there before the first start."""

    job_ids: tuple[JobId, ...]
    price: RunPrice
    more: bool
    """There may be more than were looked at."""

    @property
    def said(self) -> str:
        return f"{len(self.job_ids):,}{'+' if self.more else ''} older {'call' if len(self.job_ids) == 1 else 'calls'}"


class Deeds:
    """The verbs of the screen."""

    def __init__(self, desk: Desk, facts: Facts, engine: Engine | None) -> None:
        self._desk, self._facts, self._engine = desk, facts, engine
        self._clock = facts.clock

    # ------------------------------------------------------------------------------------------------------ all the work

    async def pause(self, working: int) -> str:
        await self._desk.pause(now=self._clock.now())
        key = self._facts.key
        if not working:
            return f"Paused. Nothing new is started; {key('pause')} goes on."
        calls = words.many(working, "call")
        return f"Paused. {calls} {'finishes' if working == 1 else 'finish'} first; {key('pause')} again hands them back, {key('resume')} goes on."

    async def resume(self) -> str:
        await self._desk.resume(now=self._clock.now())
        return "Going on: what is due is started."

    async def discover(self) -> str:
        await self._desk.request_discovery(now=self._clock.now())
        return "Looking for new recordings now."

    async def set_parallel(self, wanted: int) -> str:
        capacity = min(PARALLEL_MOST, max(1, wanted))
        await self._desk.set_capacity(capacity, now=self._clock.now())
        configured = "" if capacity == self._facts.concurrency else f" (configured: {self._facts.concurrency})"
        return f"{words.many(capacity, 'call')} at the same time{configured}."

    # ------------------------------------------------------------------------------------------------------------ calls

    async def fitting(self, job_ids: Sequence[JobId], statuses: Collection[Status]) -> list[Job]:
        """Return those of the calls that are in one of these states now."""
        found = [row.job for row in await self._desk.rows(job_ids)]
        return sorted((job for job in found if job.status in statuses), key=lambda job: job.id)

    async def process(self, from_step: Step | None, job_ids: Sequence[JobId], of: int = 0) -> str:
        """Do these calls, anew from a step; *of*: they are what it fits of so many."""
        done = await self._desk.process(job_ids, from_step=from_step, now=self._clock.now())
        what = {
            None: "in the queue, whatever the rules say",
            Step.SYNC: "brought to Notion again",
            Step.SUMMARIZE: "summarized again",
        }
        will = what.get(from_step, "transcribed again")
        return _told(done, max(of, len(job_ids)), f"{'is' if len(done) == 1 else 'are'} {will}", "can be done now")

    async def retry(self, job_ids: Sequence[JobId] | None, of: int = 0) -> str:
        done = await self._desk.retry(job_ids, now=self._clock.now())
        asked = max(of, len(done if job_ids is None else job_ids))
        return _told(done, asked, f"{'is' if len(done) == 1 else 'are'} tried again", "has failed")

    async def cancel(self, job_ids: Sequence[JobId]) -> str:
        done = await self._desk.cancel(job_ids, now=self._clock.now())
        return _told(
            done,
            len(job_ids),
            f"stopped; what is paid for stays, {self._facts.key('retry')} goes on from there",
            "is being worked on",
        )

    async def skip(self, job_ids: Sequence[JobId]) -> str:
        done = await self._desk.skip_jobs(job_ids, reason=REASON, now=self._clock.now())
        return _told(
            done, len(job_ids), f"skipped; {self._facts.key('skip')} again does it after all", "can be skipped"
        )

    async def unskip(self, job_ids: Sequence[JobId], of: int = 0) -> str:
        done = await self._desk.unskip(job_ids, now=self._clock.now())
        return _told(done, max(of, len(job_ids)), "back in the queue", "was skipped")

    async def price_of_failed(self) -> tuple[int, RunPrice]:
        """Return what trying every failed call again would cost, and how many of them that is the price of."""
        job_ids: list[JobId] = []
        more = True
        while more and len(job_ids) < FAILED_PRICED:
            beyond = job_ids[-1] if job_ids else None
            rows = await self._desk.page(JobFilter(statuses=(Status.FAILED,)), limit=FAILED_READ, beyond=beyond)
            job_ids += [row.job.id for row in rows]
            more = len(rows) == FAILED_READ
        return len(job_ids), await self._desk.price(job_ids, from_step=None)

    async def price(self, job_ids: Sequence[JobId], from_step: Step | None) -> RunPrice:
        return await self._desk.price(job_ids, from_step=from_step)

    async def older(self) -> Older | None:
        """Return the calls that were there before the first start; None: there are none."""
        skipped = await self._desk.page(JobFilter(statuses=(Status.SKIPPED,)), limit=OLDER_READ)
        found = tuple(row.job.id for row in skipped if _OLDER in (row.job.skip_reason or ""))
        if not found:
            return None
        return Older(
            job_ids=found, price=await self._desk.price(found, from_step=None), more=len(skipped) == OLDER_READ
        )

    # ------------------------------------------------------------------------------------------------------------- money

    async def raise_budget(self, period: Period, amount_micros: int) -> Override:
        """Allow that much more this day, week or month."""
        return await self._desk.raise_budget(
            self._facts.budgets,
            period,
            amount_micros,
            until=None,
            origin=self._facts.origin,
            reason="",
            now=self._clock.now(),
        )

    async def let_through(self, job_ids: Sequence[JobId] | None) -> Sequence[Override]:
        """Let these calls pass the budgets for a week (None: all, until midnight)."""
        return await self._desk.lift(
            self._facts.budgets,
            job_ids,
            until=None,
            origin=self._facts.origin,
            reason="",
            now=self._clock.now(),
        )

    async def stop_spending(self) -> Override:
        """Begin nothing that costs money, for thirty days."""
        return await self._desk.stop_spending(
            self._facts.budgets,
            until=None,
            origin=self._facts.origin,
            reason="",
            now=self._clock.now(),
        )

    async def undo(self, overrides: Sequence[Override]) -> None:
        for override in overrides:
            await self._desk.undo_override(override.id, now=self._clock.now())

    # ------------------------------------------------------------------------------------------------------------- texts

    async def facts_of(self, job_ids: Sequence[JobId]) -> str:
        """Return what is copied of calls: a few lines each."""
        rows = {row.job.id: row for row in await self._desk.rows(job_ids)}
        now, zone = self._clock.now(), self._facts.budgets.zone
        told = []
        for row in (rows[job_id] for job_id in job_ids if job_id in rows):
            job, page = row.job, words.notion(row)
            links = [link for link in (page and page.url, job.web_url) if link]
            at = job.call_at.astimezone(zone).strftime("%Y-%m-%d %H:%M") if job.call_at else "time unknown"
            who = " ".join(filter(None, (job.contact_name, job.contact_number))) or job.file_name
            about = [plain(job.title)] if job.title else []
            head = f"{at}  {plain(who)}  {words.length(job.duration_seconds)}".rstrip()
            told.append(
                "\n".join([head, *about, words.sentence(row, now, zone, self._facts.key), *links, f"id {job.id}"])
            )
        return "\n\n".join(told)

    async def save(self, job_ids: Sequence[JobId]) -> str:
        """Write each call into a Markdown file of its own. Raises `BadRequest` where none can be written."""
        saved = []
        for job_id in job_ids:
            detail = await self._desk.detail(job_id, events=0)
            if detail is not None:
                try:
                    saved.append(await self._write(detail))
                except OSError as exc:
                    folder = plain(str(self._facts.folder))
                    raise BadRequest(f"Not saved: nothing can be written into {folder} ({exc.strerror}).") from exc
        if not saved:
            return "There is nothing to save."
        return f"Saved {saved[0]}." if len(saved) == 1 else f"Saved {len(saved)} calls in {self._facts.folder}."

    async def _write(self, detail: JobDetail) -> str:
        job = detail.row.job
        at = (job.call_at or job.discovered_at).astimezone(self._facts.budgets.zone)
        who = re.sub(r"[^\w .()+-]", "_", words.contact(job)).strip(" .")[:60]
        path = anyio.Path(self._facts.folder) / f"{at:%Y-%m-%d %H%M} {who} {job.id}.md"
        await path.parent.mkdir(parents=True, exist_ok=True)
        await path.write_text(document(detail, f"{at:%Y-%m-%d %H:%M}"), encoding="utf-8")
        return str(path)


def document(detail: JobDetail, at: str) -> str:
    """Return a call as Markdown: facts, summary, transcript."""
    job, documents = detail.row.job, detail.documents
    page = words.notion(detail.row)
    facts = [
        ("When", at),
        ("Contact", " ".join(filter(None, (job.contact_name, job.contact_number)))),
        ("Direction", str(job.direction or "")),
        ("Length", words.length(job.duration_seconds)),
        ("Cost", words.usd(job.cost_micros)),
        ("Notion", (page and page.url) or ""),
        ("Recording", job.web_url or job.file_name),
    ]
    parts = [f"# {plain(job.title or words.contact(job))}", "\n".join(f"- {k}: {plain(v)}" for k, v in facts if v)]
    if job.error_message:
        parts.append(f"Failed: {plain(job.error_message)}")
    if documents.summary is not None:
        parts.append(plain(documents.summary.markdown.strip(), lines=True))
    if documents.transcript is not None:
        parts.append("## Transcript\n\n" + plain(timed_text(documents.transcript), lines=True).replace("\n", "\n\n"))
    return "\n\n".join(parts) + "\n"


def _told(done: Sequence[JobId], asked: int, what: str, wanted: str) -> str:
    """Return how many of the calls were changed, or why none was."""
    if not done:
        return f"Nothing was changed: {'the call' if asked == 1 else 'none of them'} {_not(wanted, asked)}."
    changed = words.many(asked, "call") if len(done) == asked else f"{len(done):,} of {words.many(asked, 'call')}"
    return f"{changed} {what}."


def _not(wanted: str, count: int) -> str:
    verb, _, rest = wanted.partition(" ")
    if count > 1:
        return f"{verb} {rest}"
    return f"{'cannot' if verb == 'can' else verb + ' not'} {rest}"


Deed = Callable[[], Awaitable[str]]


def costs(price: RunPrice) -> bool:
    """Say whether somebody must be asked first."""
    return bool(price.micros or price.unpriced)


def priced(price: RunPrice) -> str:
    """Return a price for a question: `$0.12`, `free: the transcript is already there`."""
    if costs(price):
        return price_words(price.micros, price.unpriced)
    return f"free: {price.free_because}" if price.free_because else "free"
