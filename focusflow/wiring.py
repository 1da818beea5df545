"""Which concrete parts make a running FocusFlow? The only place that knows their classes."""

import hashlib
import json
import os
import random
import secrets
import socket
import time
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import UTC, datetime, timedelta
from functools import cached_property, partial
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

import anyio
from msgspec import Struct

from focusflow.config import Settings, local_zone_name, missing_for_work, price_table
from focusflow.errors import ConfigError, FocusFlowError
from focusflow.event_log import logged
from focusflow.events import Bus

if TYPE_CHECKING:
    from focusflow.domain.eligibility import Rules
    from focusflow.domain.jobs import Job, JobId
    from focusflow.domain.money import AudioRate, Estimate, ModelPricing
    from focusflow.domain.prices import LengthRates
    from focusflow.domain.routing import Route
    from focusflow.pipeline.chain import Chain
    from focusflow.ports import (
        Clock,
        Completion,
        JobDetail,
        Settlement,
        Sink,
        Source,
        Summarizer,
        Transcriber,
    )
    from focusflow.providers.notion import PropertyNames
    from focusflow.store import Store
    from focusflow.supervisor.processor import Throttle
    from focusflow.supervisor.supervisor import Supervisor


class SystemClock:
    """The machine's time."""

    def now(self) -> datetime:
        return datetime.now(UTC)

    def monotonic(self) -> float:
        return time.monotonic()

    async def sleep(self, seconds: float) -> None:
        await anyio.sleep(seconds)


@asynccontextmanager
async def opened_store(settings: Settings, bus: Bus | None = None, *, to_read: bool = False) -> "AsyncIterator[Store]":
    """Open the database that the settings name. Raises `StoreError`; `StoreReadOnly` where *to_read* may help."""
    from focusflow.store import open_store

    if problem := missing_driver(settings):
        raise ConfigError(problem)
    async with open_store(
        settings.store_url, bus=bus or Bus(), synchronous=settings.store.synchronous, to_read=to_read
    ) as store:
        yield store


def missing_driver(settings: Settings) -> str | None:
    """Return what must still be installed for the database that the settings name, if anything."""
    if settings.store_url.startswith("postgres") and find_spec("psycopg") is None:
        return "store.url: PostgreSQL needs one more package: install it with pip install 'focusflow[postgres]'"
    return None


class Services(Struct, frozen=True, kw_only=True):
    """The providers, open and ready."""

    source: "Source"
    transcriber: "Transcriber"
    summarizer: "Summarizer"
    sinks: "Sequence[Sink]"


class Works(Struct, frozen=True, kw_only=True):
    """A FocusFlow that can process calls."""

    settings: Settings
    store: "Store"
    bus: Bus
    clock: "Clock"
    services: Services
    chain: "Chain"
    supervisor: "Supervisor"


# ------------------------------------------------------------------------------------------------------------ providers


def _secret(value: Any) -> str:
    return value.get_secret_value() if value is not None else ""


def drive_credentials(settings: Settings) -> Mapping[str, Any]:
    """Return the service account's key (given inline or as a path) or the user's own tokens. Raises `ConfigError`."""
    drive = settings.drive
    text = _secret(drive.credentials).strip()
    if not text:
        return {
            "client_id": drive.oauth_client_id,
            "client_secret": _secret(drive.oauth_client_secret),
            "refresh_token": _secret(drive.oauth_refresh_token),
        }
    name = "drive.credentials (GOOGLE_SERVICE_ACCOUNT_KEY)"
    if not text.startswith("{"):
        try:
            text = Path(text).expanduser().read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError, ValueError) as exc:
            raise ConfigError(f"{name} is neither JSON nor a file that can be read.") from exc
    try:
        info = json.loads(text)
    except ValueError as exc:
        raise ConfigError(f"{name} is not JSON: copy the whole key file.") from exc
    if not isinstance(info, dict):
        raise ConfigError(f"{name} is not a service account's key: download it anew as JSON.")
    return info


def unusable_credentials(settings: Settings) -> str | None:
    """Return what is wrong with the credentials for Drive, as far as can be told without asking Google."""
    from focusflow.providers.drive.refusals import DriveRefused
    from focusflow.providers.drive.vendor import load_credentials

    try:
        load_credentials(drive_credentials(settings), token_uri=settings.drive.token_url)
    except ConfigError as exc:
        return str(exc)
    except DriveRefused:
        return (
            "drive.credentials (GOOGLE_SERVICE_ACCOUNT_KEY) is not a complete service account's key: "
            "download it anew as JSON, and copy all of it"
        )
    return None


@asynccontextmanager
async def opened_source(settings: Settings, clock: "Clock", bus: Bus | None = None) -> "AsyncIterator[Source]":
    """Open where recordings come from; *bus* hears how it behaves. Raises `ConfigError`."""
    async with _SOURCES[settings.source](settings, clock, bus or Bus()) as source:
        yield source


@asynccontextmanager
async def _drive(settings: Settings, clock: "Clock", bus: Bus) -> "AsyncIterator[Source]":
    drive = await anyio.to_thread.run_sync(import_module, "focusflow.providers.drive")  # most of a second, off the loop
    async with drive.DriveSource(
        credentials=drive_credentials(settings),
        folder_id=settings.drive.folder_id or "",
        clock=clock,
        base_url=settings.drive.base_url,
        token_uri=settings.drive.token_url,
        download_deadline=settings.timeouts.download * 60,
        tell=bus.publish,
    ) as source:
        yield source


@asynccontextmanager
async def _folder(settings: Settings, clock: "Clock", _: Bus) -> "AsyncIterator[Source]":
    from focusflow.providers.folder import FolderSource

    if settings.folder.path is None:
        raise ConfigError("folder.path is not set: which folder has the recordings?")
    yield FolderSource(
        settings.folder.path.expanduser(),
        recursive=settings.folder.recursive,
        settle_seconds=settings.folder.settle_seconds,
        clock=clock,
    )


_SOURCES: Mapping[str, Callable[..., Any]] = {"drive": _drive, "folder": _folder}


@asynccontextmanager
async def _transcriber(settings: Settings, clock: "Clock", bus: Bus) -> "AsyncIterator[Transcriber]":
    from focusflow.providers.assemblyai import TranscriptionOptions, open_assemblyai

    wanted = settings.assemblyai
    options = TranscriptionOptions(
        speech_models=wanted.speech_models,
        language_code=wanted.language_code,
        expected_languages=wanted.expected_languages,
        speaker_labels=wanted.speaker_labels,
        speakers_expected=wanted.speakers_expected,
        keyterms_prompt=wanted.keyterms,
        custom_spelling=wanted.custom_spelling,
        redact_pii=bool(wanted.redact_pii_policies),
        redact_pii_policies=wanted.redact_pii_policies,
        redact_pii_sub=wanted.redact_pii_substitution if wanted.redact_pii_policies else None,
        entity_detection=wanted.entity_detection,
        sentiment_analysis=wanted.sentiment_analysis,
        speech_threshold=wanted.speech_threshold,
        extra=wanted.extra,
    )
    async with open_assemblyai(
        api_key=_secret(wanted.api_key), base_url=wanted.base_url, clock=clock, options=options, tell=bus.publish
    ) as transcriber:
        yield transcriber


@asynccontextmanager
async def _summarizer(settings: Settings, clock: "Clock", bus: Bus) -> "AsyncIterator[Summarizer]":
    from focusflow.providers.openai import open_openai

    wanted = settings.openai
    async with open_openai(
        api_key=_secret(wanted.api_key) or None,
        base_url=wanted.base_url,
        model=wanted.model,
        clock=clock,
        context_tokens=wanted.context_tokens,
        max_completion_tokens=wanted.max_output_tokens,
        reasoning_effort=wanted.reasoning_effort,
        service_tier=wanted.service_tier,
        extra_body=wanted.extra,
        tell=bus.publish,
    ) as summarizer:
        yield summarizer


async def _opened_sinks(settings: Settings, clock: "Clock", bus: Bus, stack: AsyncExitStack) -> "list[Sink]":
    """Open every configured sink. None at all is fine: then a job is complete when it is summarised."""
    sinks: list[Sink] = []
    if settings.notion.api_key is not None:
        from focusflow.providers.notion import open_notion

        sinks.append(
            await stack.enter_async_context(
                open_notion(
                    api_key=_secret(settings.notion.api_key),
                    database_id=settings.notion.database_id or "",
                    data_source_id=settings.notion.data_source_id,
                    base_url=settings.notion.base_url,
                    requests_per_minute=settings.notion.requests_per_minute,
                    clock=clock,
                    tell=bus.publish,
                    properties=property_names(settings),
                )
            )
        )
    if settings.markdown.path is not None:
        sinks.append(markdown_sink(settings.markdown.path.expanduser(), settings, bus))
    return sinks


def property_names(settings: Settings) -> "PropertyNames":
    """Return what the columns of the Notion database are called."""
    from focusflow.providers.notion import PropertyNames

    names = settings.notion.properties
    return PropertyNames(
        title=names.title,
        date=names.date,
        direction=names.direction,
        duration=names.duration,
        link=names.link,
        status=names.status,
        key=names.key,
        contact=names.contact,
        number=names.number,
        call_type=names.call_type,
        status_done=settings.notion.status_done,
    )


def markdown_sink(root: Path, settings: Settings, bus: Bus) -> "Sink":
    """Return the sink that writes one file a call below *root*; *bus* hears whether it can."""
    from focusflow.providers.markdown_folder import MarkdownFolderSink

    return MarkdownFolderSink(root, settings.zone, tell=bus.publish)


def _load_services(settings: Settings) -> None:
    """Import everything that the work needs: that takes seconds on a small machine, and a screen may be there already."""
    names = ["providers.assemblyai", "providers.openai", "pipeline.chain", "pipeline.process", "supervisor.supervisor"]
    names.append(f"providers.{settings.source}")
    if settings.notion.api_key is not None:
        names.append("providers.notion")
    for name in names:
        import_module(f"focusflow.{name}")
    import_module("genai_prices")  # a tenth of a second, which the first summary's bill would take from everybody


@asynccontextmanager
async def opened_services(settings: Settings, clock: "Clock", bus: Bus | None = None) -> AsyncIterator[Services]:
    """Open every provider; *bus* hears how each behaves. Raises `ConfigError` with everything that is missing."""
    if problems := missing_for_work(settings):
        raise ConfigError(*problems)
    await anyio.to_thread.run_sync(_load_services, settings)
    bus = bus or Bus()
    async with AsyncExitStack() as stack:
        yield Services(
            source=await stack.enter_async_context(opened_source(settings, clock, bus)),
            transcriber=await stack.enter_async_context(_transcriber(settings, clock, bus)),
            summarizer=await stack.enter_async_context(_summarizer(settings, clock, bus)),
            sinks=await _opened_sinks(settings, clock, bus, stack),
        )


async def check_services(settings: Settings) -> list[str]:
    """Ask all services at once whether they let us in; return what is wrong, one sentence each."""
    async with opened_services(settings, SystemClock()) as services:
        providers: list[Source | Transcriber | Summarizer | Sink] = [services.source, services.transcriber]
        providers += [services.summarizer, *services.sinks]
        problems: list[Sequence[str]] = [()] * len(providers)
        async with anyio.create_task_group() as group:
            for place, provider in enumerate(providers):
                group.start_soon(_check, provider, problems, place)
    return [sentence for sentences in problems for sentence in sentences]


async def _check(
    provider: "Source | Transcriber | Summarizer | Sink", problems: list[Sequence[str]], place: int
) -> None:
    try:
        problems[place] = await provider.check()
    except FocusFlowError as exc:
        problems[place] = (str(exc),)


# ---------------------------------------------------------------------------------------------------------------- rules


async def rules_of(settings: Settings, store: "Store", clock: "Clock") -> "Rules":
    """Return the rules, with the instant before which calls are old: as set, else this database's first start."""
    from focusflow.domain.eligibility import Rules

    auto = settings.auto
    first_start = await store.first_started_at(clock.now())
    return Rules(
        directions=frozenset(auto.directions),
        unknown_direction=auto.unknown_direction,
        call_types=frozenset(kind.lower() for kind in auto.call_types) or None,
        min_duration_seconds=auto.min_duration,
        max_age=timedelta(days=auto.max_age_days) if auto.max_age_days else None,
        not_before=auto.since or (first_start if auto.only_future else None),
        routing=settings.routing,
        zone=settings.zone,
    )


class Pricing(Struct, frozen=True, dict=True):
    """What things cost, by the tables and the user's own prices."""

    settings: Settings
    clock: "Clock"

    def estimate(self, seconds: float, model: str | None = None) -> "Estimate":
        """Return what a call of so many seconds will cost, summed up by *model*, or by the configured one."""
        from focusflow.domain.money import estimate_call

        return estimate_call(
            seconds,
            speech_models=self.settings.assemblyai.speech_models,
            addons=self.addons(),
            rates=self.audio_rates,
            summary_model=model or self.settings.openai.model,
            at=self.clock.now(),
            pricing=self.token_pricing,
            service_tier=self.settings.openai.service_tier,
        )

    def by_length(self) -> "LengthRates":
        """Return what a call costs by its length alone. Raises `ConfigError` as `audio_rates`."""
        from focusflow.domain.prices import length_rates

        return length_rates(
            speech_models=self.settings.assemblyai.speech_models,
            addons=self.addons(),
            rates=self.audio_rates,
            summary_model=self.settings.openai.model,
            at=self.clock.now(),
            pricing=self.token_pricing,
            service_tier=self.settings.openai.service_tier,
        )

    def transcript(self, transcriber: "Transcriber", raw: bytes) -> "Settlement":
        """Return what a finished transcript cost."""
        from focusflow.domain.money import transcription_micros
        from focusflow.ports import Settlement

        usage = transcriber.usage(raw)
        return Settlement(
            provider=transcriber.name,
            model=usage.model,
            actual_micros=None
            if usage.seconds is None
            else transcription_micros(usage.seconds, usage.model, usage.addons, self.audio_rates),
            usage_known=usage.seconds is not None,
            usage={"audio_seconds": usage.seconds, "addons": list(usage.addons)},
            external_ref=None,
        )

    def completions(self, provider: str, completions: "Sequence[Completion]") -> "Settlement":
        """Return what the answers to one step cost together; one of unknown usage leaves the whole to its estimate."""
        from focusflow.domain.money import completion_micros
        from focusflow.ports import Settlement

        known = all(answer.usage is not None for answer in completions)
        prices = [
            completion_micros(
                answer.model,
                answer.usage,
                at=self.clock.now(),
                pricing=self.token_pricing,
                service_tier=answer.service_tier,
            )
            for answer in completions
        ]
        priced = [price for price in prices if price is not None]
        return Settlement(
            provider=provider,
            model=completions[-1].model if completions else None,
            actual_micros=sum(priced) if len(priced) == len(prices) else None,
            usage_known=known,
            usage=_tokens(completions),
            external_ref=",".join(answer.request_id for answer in completions if answer.request_id) or None,
        )

    def summary_models(self) -> tuple[str, ...]:
        """The language models that may be used: the usual one, and those that rules name."""
        named = (rule.then.model for rule in self.settings.routing)
        return tuple(dict.fromkeys([self.settings.openai.model, *(name for name in named if name)]))

    def addons(self) -> list[str]:
        """What is ordered on top of a transcript, by the names that are priced."""
        wanted = self.settings.assemblyai
        named = {
            "speaker_labels": wanted.speaker_labels,
            "entity_detection": wanted.entity_detection,
            "sentiment_analysis": wanted.sentiment_analysis,
            "redact_pii": bool(wanted.redact_pii_policies),
            "keyterms_prompt": bool(wanted.keyterms),
        }
        return [name for name, on in named.items() if on]

    @cached_property
    def audio_rates(self) -> "Mapping[str, AudioRate]":
        """What an hour of audio costs, by model and add-on. Raises `ConfigError` for a table that cannot be read."""
        from focusflow.domain.money import audio_rates

        return audio_rates(price_table(self.settings), self.settings.assemblyai.usd_per_hour)

    @cached_property
    def token_pricing(self) -> "ModelPricing":
        """Where the prices of language models come from."""
        from focusflow.domain.money import ModelPricing, TokenRates, micros_from_usd, provider_of

        wanted = self.settings.openai
        seller = provider_of(wanted.base_url)
        own = None
        if wanted.usd_per_million_input is not None and wanted.usd_per_million_output is not None:
            own = TokenRates(
                input_micros=micros_from_usd(wanted.usd_per_million_input),
                output_micros=micros_from_usd(wanted.usd_per_million_output),
            )
        return ModelPricing(
            provider=seller,
            own=own,
            own_model=wanted.model if seller else None,  # a local server may answer under another name
            prices={
                name: TokenRates(
                    input_micros=micros_from_usd(price.input),
                    output_micros=micros_from_usd(price.output),
                    cached_micros=None if price.cached_input is None else micros_from_usd(price.cached_input),
                )
                for name, price in wanted.prices.items()
            },
        )


def _tokens(completions: "Sequence[Completion]") -> dict[str, object]:
    used = [answer.usage for answer in completions if answer.usage is not None]
    return {
        "answers": len(completions),
        "input_tokens": sum(usage.input_tokens for usage in used),
        "cached_tokens": sum(usage.cached_tokens for usage in used),
        "output_tokens": sum(usage.output_tokens for usage in used),
        "reasoning_tokens": sum(usage.reasoning_tokens for usage in used),
    }


# ------------------------------------------------------------------------------------------------------------ all of it


@asynccontextmanager
async def opened_works(
    settings: Settings, *, only: "tuple[JobId, ...] | None" = None, clock: "Clock | None" = None
) -> AsyncIterator[Works]:
    """Open everything that processing needs and close it again, whatever happens."""
    bus = Bus()
    async with (
        opened_store(settings, bus) as store,
        works_on(settings, store, bus, only=only, clock=clock or SystemClock()) as works,
    ):
        yield works


@asynccontextmanager
async def works_on(
    settings: Settings, store: "Store", bus: Bus, *, only: "tuple[JobId, ...] | None" = None, clock: "Clock"
) -> AsyncIterator[Works]:
    """Open the services for a store that is open already, and close them again; what happens meanwhile is logged."""
    async with AsyncExitStack() as stack:
        stack.enter_context(logged(bus))
        services = await stack.enter_async_context(opened_services(settings, clock, bus))
        rules = await rules_of(settings, store, clock)
        chain = _chain(settings, store, services, rules, clock, bus)
        await chain.workspace.sweep()
        yield Works(
            settings=settings,
            store=store,
            bus=bus,
            clock=clock,
            services=services,
            chain=chain,
            supervisor=_supervisor(settings, store, services, rules, chain, only),
        )


def _chain(settings: Settings, store: "Store", services: Services, rules: "Rules", clock: "Clock", bus: Bus) -> "Chain":
    from focusflow.domain.backoff import delay
    from focusflow.pipeline.chain import Chain, RetryPolicy, StepLimits
    from focusflow.pipeline.prompts import PromptFiles
    from focusflow.pipeline.workspace import Workspace

    auto, minutes, pricing = settings.auto, settings.timeouts, Pricing(settings, clock)
    return Chain(
        store=store,
        source=services.source,
        transcriber=services.transcriber,
        summarizer=services.summarizer,
        sinks=services.sinks,
        clock=clock,
        bus=bus,
        workspace=Workspace(settings.data_path / "tmp"),
        prompts=PromptFiles(
            summary=settings.prompts.summary, title=settings.prompts.title, merge=settings.prompts.merge
        ),
        limits=StepLimits(
            download=minutes.download * 60,
            transcribe=minutes.transcribe * 60,
            summarize=minutes.summarize * 60,
            sync=minutes.sync * 60,
            poll=settings.assemblyai.poll_seconds,
        ),
        retries=RetryPolicy(
            max_retries=auto.max_retries,
            delay=partial(
                delay,
                base=auto.retry_base_seconds,
                cap=auto.retry_cap_seconds,
                spread=0.5,
                rng=random.Random(),  # noqa: S311  # nobody gains by guessing it
            ),
        ),
        time_zone=local_zone_name(settings.zone),
        owner_name=settings.call.owner_name,
        delete_after_fetch=settings.assemblyai.delete_after_fetch,
        refusal=partial(_refusal, rules, clock),
        route=partial(_route, rules),
        estimate=pricing.estimate,
        money=settings.budgets.at,
        price_transcript=partial(pricing.transcript, services.transcriber),
        price_completions=partial(pricing.completions, services.summarizer.name),
    )


def _route(rules: "Rules", job: "Job", seconds: float | None) -> "Route":
    from focusflow.domain.routing import facts_of, route

    return route(facts_of(job, seconds=seconds), rules.routing, rules.zone)


def _refusal(rules: "Rules", clock: "Clock", job: "Job", seconds: float | None) -> str | None:
    from focusflow.domain.eligibility import refusal

    return refusal(
        direction=job.direction,
        call_type=job.call_type,
        contact_name=job.contact_name,
        contact_number=job.contact_number,
        duration_seconds=seconds,
        call_at=job.call_at,
        rules=rules,
        now=clock.now(),
    )


def _supervisor(
    settings: Settings,
    store: "Store",
    services: Services,
    rules: "Rules",
    chain: "Chain",
    only: "tuple[JobId, ...] | None",
) -> "Supervisor":
    from focusflow.pipeline.deliver import inspect_sinks, redeliver
    from focusflow.pipeline.process import run_job
    from focusflow.supervisor.housekeeping import Housekeeping
    from focusflow.supervisor.processor import Processor
    from focusflow.supervisor.supervisor import Schedule, Supervisor
    from focusflow.supervisor.watchdog import Watchdog

    auto, clock = settings.auto, chain.clock
    throttle = _throttle(settings)
    processor = Processor(
        queue=store,
        control=store,
        run_job=partial(run_job, chain),
        throttle=throttle,
        clock=clock,
        token=secrets.token_hex(8),
        name=f"{socket.gethostname()}:{os.getpid()}",
        only=only,
    )

    async def sweep() -> int:
        return await chain.workspace.sweep(keep=processor.running)

    return Supervisor(
        discovery=discovery_of(settings, store, services.source, rules, clock),
        processor=processor,
        watchdog=Watchdog(
            queue=store,
            processor=processor,
            clock=clock,
            lease=throttle.lease,
            max_rescues=auto.max_rescues,
            details={"concurrency": str(auto.concurrency)},
        ),
        housekeeping=Housekeeping(queue=store, clock=clock, log_days=settings.retention.log_days, sweep=sweep),
        queue=store,
        record=store,
        control=store,
        redeliver=partial(redeliver, chain),
        inspect=partial(inspect_sinks, chain),
        schedule=Schedule(
            discovery_cron=settings.discovery.cron,
            reconcile_cron=settings.discovery.reconcile_cron,
            processor_cron=auto.cron,
            zone=settings.zone,
            shutdown_grace=settings.timeouts.shutdown_grace_seconds,
            delivery_lease=timedelta(minutes=settings.timeouts.sync + 5),
        ),
        clock=clock,
        bus=chain.bus,
    )


def _throttle(settings: Settings) -> "Throttle":
    from focusflow.supervisor.processor import Throttle

    auto = settings.auto
    return Throttle(
        by_itself=auto.enabled,
        concurrency=auto.concurrency,
        batch=auto.max_batch,
        newest_first=auto.order == "newest",
        max_parallel=auto.max_parallel,
        daily_max_jobs=auto.daily_max_jobs,
        max_jobs_per_minute=auto.max_jobs_per_minute,
        budgets=settings.budgets,
        lease=timedelta(milliseconds=auto.stale_processing_ms),
    )


def discovery_of(settings: Settings, store: "Store", source: "Source", rules: "Rules", clock: "Clock") -> Any:
    """Return the discovery that brings *source* into *store*."""
    from focusflow.supervisor.discovery import Discovery, Intake

    return Discovery(
        source=source,
        inbox=store,
        clock=clock,
        intake=Intake(
            rules=rules,
            zone=settings.zone,
            region=settings.call.region.upper(),
            allowed_owners=settings.drive.allowed_users,
            accept_ownerless=settings.accepts_ownerless,
            sidecar_wait=timedelta(minutes=settings.discovery.sidecar_wait_minutes),
            skip_twins=settings.discovery.duplicates == "skip",
            estimate=Pricing(settings, clock).estimate,
            prices=_prices_mark(settings),
        ),
    )


def _prices_mark(settings: Settings) -> str:
    """Return what changes when calls would be priced or afforded otherwise."""
    speech, model = settings.assemblyai, settings.openai
    what = (
        speech.speech_models,
        speech.usd_per_hour,
        price_table(settings),
        speech.speaker_labels,
        speech.entity_detection,
        speech.sentiment_analysis,
        speech.redact_pii_policies,
        speech.keyterms,
        model.model,
        model.base_url,
        model.service_tier,
        model.usd_per_million_input,
        model.usd_per_million_output,
        model.prices,
        settings.budget.daily_usd,
        settings.budget.weekly_usd,
        settings.budget.monthly_usd,
        settings.budget.per_call_usd,
    )
    return hashlib.sha256(repr(what).encode()).hexdigest()[:12]


async def markdown_export(details: "AsyncIterator[JobDetail]", to: Path, settings: Settings) -> int:
    """Write every call that has a summary as a Markdown file below *to*; return how many."""
    from focusflow.pipeline.deliver import page_of

    sink = markdown_sink(to, settings, Bus())
    count = 0
    async for detail in details:
        documents = detail.documents
        if documents.transcript is not None and documents.summary is not None:
            page = page_of(detail.row.job, documents.transcript, documents.summary, local_zone_name(settings.zone))
            found = await sink.find(page.key) or await sink.create(page)
            await sink.fill(found.ref, page, memo=None, remember=_forget)
            count += 1
    return count


async def _forget(_: str) -> None:
    """An export keeps no note of what it wrote."""
