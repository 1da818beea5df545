"""How does a finished call reach every sink once, without a sink's trouble keeping it from being finished?"""

import logging
from collections.abc import Mapping
from datetime import timedelta

import anyio
from msgspec.structs import replace

from focusflow.domain.jobs import Job, Outcome, Step
from focusflow.domain.transcript import Transcript
from focusflow.errors import Ambiguous, Held, StepError, StoreError, Transient
from focusflow.event_log import log_cause
from focusflow.pipeline.chain import Chain, StepLimits
from focusflow.pipeline.run import HOLD_SECONDS, JobRun, shielded
from focusflow.ports import Delivery, Ended, Page, Sink, Summary

_log = logging.getLogger(__name__)

CREATE_SECONDS = 60.0
"""Making a page is not interrupted by a stop for this long: an interrupted one must be looked for later."""

LEASE_MARGIN_SECONDS = 60.0


def delivery_lease(limits: StepLimits) -> timedelta:
    """Return how long a sink is left to whoever brings it a call: longer than that can take."""
    return timedelta(seconds=limits.sync + CREATE_SECONDS + LEASE_MARGIN_SECONDS)


async def inspect_sinks(chain: Chain) -> None:
    """Let each sink look whether it is set up as it should be; what is wrong it tells itself, as it does at any time."""
    for sink in chain.sinks:
        try:
            await sink.check()
        except Exception:  # noqa: BLE001  # a look ahead that goes wrong is no reason not to work
            _log.exception("a bug stopped the look at a sink", extra={"sink": sink.name})


async def deliver_everywhere(run: JobRun, transcript: Transcript, summary: Summary) -> Ended:
    """Bring the call to every sink; return how the attempt ended, for the commit that completes the job.

    What a sink refuses is kept with it and tried again; the job completes all the same.
    """
    chain = run.chain
    attempt_id = await run.begin(Step.SYNC)
    errors = []
    for sink in chain.sinks:
        now = chain.clock.now()
        until = now + delivery_lease(chain.limits)
        delivery = await chain.store.take_delivery(run.job.id, sink.name, now=now, until=until)
        if delivery is None:  # two at once would each find no page and make one
            await run.note(f"An earlier delivery to {sink.name} is still under way: it is brought up to date after it.")
            continue
        # speakers may have been renamed, or another summary chosen, since the step began
        documents = await chain.store.documents(run.job.id)
        delivered = await deliver(
            chain, run.job, sink, delivery, documents.transcript or transcript, documents.summary or summary
        )
        if delivered.error:
            errors.append(delivered.error)
            await run.note(delivered.error, "warning")
    outcome = Outcome.FAILED if errors else Outcome.DONE
    return Ended(id=attempt_id, outcome=outcome, error="; ".join(errors) or None)


async def redeliver(chain: Chain, job: Job, delivery: Delivery) -> None:
    """Try a completed call's sink once more."""
    sink = next((sink for sink in chain.sinks if sink.name == delivery.sink), None)
    documents = await chain.store.documents(job.id)
    if sink is None or documents.transcript is None or documents.summary is None:
        _log.warning(
            "a sink that is not configured any more is left alone", extra={"job": job.id, "sink": delivery.sink}
        )
        await chain.store.save_delivery(
            job.id, replace(delivery, next_attempt_at=None), now=chain.clock.now(), release=True
        )
        return
    delivered = await deliver(chain, job, sink, delivery, documents.transcript, documents.summary)
    message = delivered.error or f"Delivered to {sink.name}."
    level = "warning" if delivered.error else "info"
    await chain.store.log(job.id, level, message, step=Step.SYNC, now=chain.clock.now())


async def deliver(
    chain: Chain, job: Job, sink: Sink, delivery: Delivery, transcript: Transcript, summary: Summary
) -> Delivery:
    """Bring one call to one sink by a delivery that was taken; return how far it got, committed, and released.

    Raises only cancellation and store errors.
    """
    earlier_error = delivery.error
    courier = _Courier(chain, job, sink, replace(delivery, attempts=delivery.attempts + 1, error=None))
    try:
        with anyio.fail_after(chain.limits.sync):
            await courier.bring(page_of(job, transcript, summary, chain.time_zone))
    except TimeoutError:
        return await courier.failed(Transient(f"{sink.name} took longer than {chain.limits.sync / 60:g} minutes."))
    except StepError as exc:
        return await courier.failed(exc)
    except StoreError:
        raise
    except anyio.get_cancelled_exc_class():
        async with shielded():  # whoever goes on need not wait for the lease to run out
            await courier.release(error=earlier_error)
        raise
    except Exception as exc:  # noqa: BLE001  # one sink's bug is no reason to keep the call from the others
        return await courier.failed(_mistake(sink, exc), cause=exc)
    return await courier.release(error=None, next_attempt_at=None, delivered_at=chain.clock.now())


def _mistake(sink: Sink, exc: Exception) -> Transient:
    return Transient(f"FocusFlow made a mistake ({type(exc).__name__}) at {sink.name}; the log has the details.")


class _Courier:
    """One delivery under way; everything it learns is committed before the next request."""

    def __init__(self, chain: Chain, job: Job, sink: Sink, delivery: Delivery) -> None:
        self.chain, self.job, self.sink, self.delivery = chain, job, sink, delivery

    async def save(self, **changes: object) -> None:
        await self._save(changes, release=False)

    async def release(self, **changes: object) -> Delivery:
        """Save for the last time: the sink is free for whoever comes next."""
        await self._save(changes, release=True)
        return self.delivery

    async def _save(self, changes: Mapping[str, object], *, release: bool) -> None:
        self.delivery = replace(self.delivery, **changes)
        now = self.chain.clock.now()
        await self.chain.store.save_delivery(self.job.id, self.delivery, now=now, release=release)

    async def bring(self, page: Page) -> None:
        ref = self.delivery.ref or await self._find_or_create(page)
        await self.sink.fill(ref, page, memo=self.delivery.memo, remember=self._remember)

    async def _remember(self, memo: str) -> None:
        await self.save(memo=memo)

    async def _find_or_create(self, page: Page) -> str:
        """Adopt the page that an earlier attempt may have made, else make it; never make a second one."""
        if self.delivery.intent_at is not None and (found := await self.sink.find(page.key)) is not None:
            await self.save(ref=found.ref, url=found.url)
            return found.ref
        await self.save(intent_at=self.chain.clock.now())
        seconds = min(CREATE_SECONDS, self.chain.limits.sync)
        with anyio.CancelScope(shield=True), anyio.move_on_after(seconds) as deadline:
            made = await self.sink.create(page)
            await self.save(ref=made.ref, url=made.url)
        if deadline.cancelled_caught:
            raise Ambiguous(f"{self.sink.name} gave no answer when the page was made; it is looked for first.")
        return made.ref

    async def failed(self, error: StepError, *, cause: Exception | None = None) -> Delivery:
        """Keep the sentence, and when the sink is tried again by itself, if it is."""
        beside = {"job": self.job.id, "step": str(Step.SYNC), "sink": self.sink.name}
        if cause is not None:
            _log.error("a bug stopped a delivery", exc_info=cause, extra=beside)
        else:
            log_cause(error, **beside)
        wait = self._wait_after(error)
        again = None if wait is None else self.chain.clock.now() + timedelta(seconds=wait)
        return await self.release(error=str(error), next_attempt_at=again)

    def _wait_after(self, error: StepError) -> float | None:
        match error:
            case Held():
                return error.retry_after if error.retry_after is not None else HOLD_SECONDS[error.kind]
            case Transient():
                return max(self.chain.retries.delay(self.delivery.attempts), error.retry_after or 0.0)
        return None  # a person has to act


def page_of(job: Job, transcript: Transcript, summary: Summary, time_zone: str) -> Page:
    """Return what a sink shall show of the call."""
    return Page(
        key=f"focusflow:{job.id}",
        title=summary.title,
        contact_name=job.contact_name,
        contact_number=job.contact_number,
        direction=job.direction,
        call_type=job.call_type,
        call_at=job.call_at,
        time_zone=time_zone,
        duration_seconds=transcript.duration_seconds or job.duration_seconds,
        web_url=job.web_url,
        file_name=job.file_name,
        language=transcript.language,
        summary_markdown=summary.markdown,
        transcript=transcript,
    )
