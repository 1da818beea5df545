"""What does a job need to be done? The providers, the store and the limits, in one value."""

from collections.abc import Callable, Sequence
from datetime import datetime

from msgspec import Struct

from focusflow.domain.budgets import Limits
from focusflow.domain.jobs import Job, JobId, Step
from focusflow.domain.money import Estimate
from focusflow.domain.routing import Route, unrouted
from focusflow.events import Bus, JobProgress
from focusflow.pipeline.prompts import PromptFiles
from focusflow.pipeline.workspace import Workspace
from focusflow.ports import Clock, Completion, JobRecord, Settlement, Sink, Source, Summarizer, Transcriber


class StepLimits(Struct, frozen=True, kw_only=True):
    """How long each step may take, and how patiently the vendors are asked. Seconds."""

    download: float
    transcribe: float
    summarize: float
    sync: float
    poll: float
    upload_keeps: float = 20 * 3600
    """An upload older than this is made anew: AssemblyAI begins to delete uploads after 24 hours."""


class RetryPolicy(Struct, frozen=True, kw_only=True):
    """When a failed step is tried again by itself."""

    max_retries: int
    delay: Callable[[int], float]
    """Seconds until the n-th retry, n from 1."""


class Chain(Struct, frozen=True, kw_only=True):
    """Everything one job touches on its way."""

    store: JobRecord
    source: Source
    transcriber: Transcriber
    summarizer: Summarizer
    sinks: Sequence[Sink]
    clock: Clock
    bus: Bus
    workspace: Workspace
    prompts: PromptFiles
    limits: StepLimits
    retries: RetryPolicy
    time_zone: str
    owner_name: str | None
    delete_after_fetch: bool
    refusal: Callable[[Job, float | None], str | None]
    """Why the rules refuse a job of this duration, if they do; None: nothing will tell how long it is."""
    estimate: Callable[[float, str | None], Estimate]
    """What a call of so many seconds will cost, summed up by a model; None: the configured one."""
    money: Callable[[datetime], Limits]
    """What the configuration allows to be spent at an instant."""
    price_transcript: Callable[[bytes], Settlement]
    price_completions: Callable[[Sequence[Completion]], Settlement]
    route: Callable[[Job, float | None], Route] = unrouted
    """What the user's rules say of how a job of this duration is done."""

    def progress(self, job_id: JobId, step: Step) -> Callable[[int, int | None], None]:
        """Return a function that announces how far *step* is."""

        def announce(done: int, total: int | None) -> None:
            self.bus.publish(JobProgress(job_id=job_id, step=step, done=done, total=total))

        return announce
