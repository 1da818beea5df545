"""What did the user set, where, and is it right?

Defaults < config.yaml < environment < flags. This module is the only reader of the environment. Every problem is reported at once,
each with the place it came from, its key and the nearest valid one.
"""

import difflib
import json
import os
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import date, datetime, tzinfo
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal, TypeVar, get_args, get_origin
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo

import msgspec
from msgspec import Struct

from focusflow.domain.jobs import Direction
from focusflow.errors import ConfigError

if TYPE_CHECKING:
    from focusflow.domain.money import AudioRate
    from focusflow.domain.routing import RoutingRule


class SecretStr:
    """Text that is not shown by accident."""

    __slots__ = ("_text",)

    def __init__(self, text: str) -> None:
        self._text = text

    def get_secret_value(self) -> str:
        return self._text

    def __eq__(self, other: object) -> bool:
        return isinstance(other, SecretStr) and other._text == self._text

    def __hash__(self) -> int:
        return hash(self._text)

    def __repr__(self) -> str:
        return "(set)"


class _Read(Struct, frozen=True):
    """Marks a key whose value is rewritten before it is looked at."""

    rewrite: Callable[[object], object]


class _Check(Struct, frozen=True):
    """Marks a key whose value must pass one more check, which raises `ValueError` with a sentence."""

    check: Callable[[Any], object]


if TYPE_CHECKING:
    from focusflow.domain.budgets import Budgets


def _comma_separated(value: object) -> object:
    """Let `a, b` stand for a list, as the environment has no lists."""
    if isinstance(value, str):
        return [part.strip() for part in value.split(",") if part.strip()]
    return value


def _nothing_if_blank(value: object) -> object:
    return None if isinstance(value, str) and not value.strip() else value


def _json_text(value: object) -> object:
    """Let a key file's content stand as it is: YAML and the environment read JSON before we do."""
    return json.dumps(value) if isinstance(value, dict) else _nothing_if_blank(value)


def _five_fields(expression: str) -> str:
    from cronsim import CronSim, CronSimError

    try:
        CronSim(expression, datetime(2026, 1, 1))
    except CronSimError as exc:
        raise ValueError(f"{expression!r} is not a cron expression of five fields, such as */5 * * * *") from exc
    return expression


def _known_zone(name: str) -> str:
    try:
        ZoneInfo(name)
    except (OSError, ValueError, KeyError) as exc:
        raise ValueError(f"{name!r} is not a time zone; write it like Australia/Melbourne") from exc
    return name


def _http_url(url: str) -> str:
    if not url.startswith(("http://", "https://")):
        raise ValueError(f"{url!r} is not an address; write it like https://api.example.com")
    return url.rstrip("/")


def _database_address(address: str) -> str:
    """Return the address. Raises `ValueError` with a sentence that does not repeat it: there may be a password in it."""
    scheme, separator, rest = address.partition("://")
    if separator and scheme not in ("sqlite", "postgresql", "postgres"):
        near = _near(scheme, ("sqlite", "postgresql"))
        raise ValueError(
            f"{scheme}:// is not a database FocusFlow knows{near}; write sqlite:///path or postgresql://user@host/name"
        )
    if separator and scheme == "sqlite" and len(rest) < 2:
        raise ValueError("the database needs a file; write sqlite:///path")
    if separator and scheme == "sqlite" and not rest.startswith("/"):
        raise ValueError("a path follows three strokes; write sqlite:///path")
    return address


def _two_letters(region: str) -> str:
    if not re.fullmatch("[A-Za-z]{2}", region):
        raise ValueError("Expected the two letters of a country, such as US or GB")
    return region


def _known_policies(names: tuple[str, ...]) -> tuple[str, ...]:
    if unknown := [f"there is no {name}{_near(name, PII_POLICIES)}" for name in names if name not in PII_POLICIES]:
        raise ValueError("; ".join(unknown))
    return names


def _near(word: str, known: Iterable[str], *, cutoff: float = 0.6) -> str:
    """Return a question that names the nearest of the known words, if one is near."""
    near = difflib.get_close_matches(word, known, n=1, cutoff=cutoff)
    return f"; did you mean {near[0]}?" if near else ""


def _in_dollars(value: object) -> object:
    """Return prices by name, as numbers. Raises `ValueError` with the name of one that is none."""
    if not isinstance(value, dict):
        return value
    return {name: _price(price, str(name)) for name, price in value.items()}


def _price(value: object, name: str) -> object:
    if isinstance(value, dict):
        if wrong := {"input", "output"} - value.keys() or value.keys() - {"input", "cached_input", "output"}:
            raise ValueError(f"{name}: expected input, output and perhaps cached_input; see {min(map(str, wrong))}")
        return {part: None if price is None else _price(price, f"{name}.{part}") for part, price in value.items()}
    try:
        amount = float(str(value))
    except ValueError:
        raise ValueError(f"{name}: expected dollars as a bare number, such as 0.21; convert other currencies") from None
    if not 0 <= amount <= _MOST_DOLLARS:
        raise ValueError(f"{name}: expected dollars between 0 and {_MOST_DOLLARS:,}")
    return amount


_MOST_DOLLARS = 1_000_000
_MOST = 1_000_000_000
"""More than anybody wants, and less than a database or a span of time can hold."""

_POLICIES = (
    "account_number banking_information blood_type corporate_action credit_card_cvv credit_card_expiration "
    "credit_card_number date date_interval date_of_birth day drivers_license drug duration effect email_address event "
    "filename financial_metric gender gender_sexuality healthcare_number injury ip_address language location "
    "location_address location_address_street location_city location_coordinate location_country location_state "
    "location_zip marital_status medical_code medical_condition medical_process money_amount month nationality "
    "number_sequence occupation organization organization_id organization_medical_facility passport_number password "
    "person_age person_name phone_number physical_attribute political_affiliation product project religion sexuality "
    "statistics time trend url us_social_security_number username vehicle_id year zodiac_sign"
)
PII_POLICIES = frozenset(_POLICIES.split())
"""What AssemblyAI can black out; what is newer than this list can be set in `assemblyai.extra`."""

Words = Annotated[tuple[str, ...], _Read(_comma_separated)]
Cron = Annotated[str, _Check(_five_fields)]
Url = Annotated[str, _Check(_http_url)]
Secret = Annotated[SecretStr | None, _Read(_nothing_if_blank)]
MaybeText = Annotated[str | None, _Read(_nothing_if_blank)]
MaybeUrl = Annotated[MaybeText, _Check(lambda url: url and _http_url(url))]
MaybePath = Annotated[Path | None, _Read(_nothing_if_blank)]
Positive = Annotated[int, msgspec.Meta(ge=1, le=_MOST)]
Days = Annotated[float, msgspec.Meta(gt=0, le=36_500)]
Seconds = Annotated[float, msgspec.Meta(gt=0, le=7 * 86_400)]
Usd = Annotated[float, msgspec.Meta(ge=0, le=_MOST_DOLLARS)]


class Section(msgspec.Struct, frozen=True, kw_only=True, dict=True):
    """A part of the configuration. `load` checks every value against its annotation; the constructor does not."""


S = TypeVar("S", bound=Section)


class Store(Section, frozen=True, kw_only=True):
    """Where jobs, transcripts and the ledger are kept."""

    url: Annotated[MaybeText, _Check(lambda address: address and _database_address(address))] = None
    """`sqlite:///path`, a path, or `postgresql://...`. Empty: focusflow.db in the data directory."""
    synchronous: Literal["FULL", "NORMAL"] = "FULL"
    """SQLite only. FULL survives a power cut; NORMAL is faster and may lose the last seconds."""


class Drive(Section, frozen=True, kw_only=True):
    """Recordings in a Google Drive folder."""

    credentials: Annotated[SecretStr | None, _Read(_json_text)] = None
    """A service account's key: the JSON itself or a path to it."""
    oauth_client_id: MaybeText = None
    """With `oauth_client_secret` and `oauth_refresh_token`: your own account instead of a service account."""
    oauth_client_secret: Secret = None
    oauth_refresh_token: Secret = None
    folder_id: MaybeText = None
    """The folder's id: the last part of its address in the browser."""
    base_url: Url = "https://www.googleapis.com/drive/v3"
    token_url: MaybeUrl = None
    """Empty: as the key says, else Google's."""
    allowed_users: Words = ()
    """Owners whose recordings are taken: addresses or *@domain. Empty: everybody's."""
    accept_ownerless: bool | None = None
    """Files on shared drives have no owner: take them, or refuse them. Empty: taken unless `allowed_users` says whose."""


class Folder(Section, frozen=True, kw_only=True):
    """Recordings in a local folder (`source: folder`)."""

    path: MaybePath = None
    recursive: bool = True
    settle_seconds: Annotated[float, msgspec.Meta(ge=0, le=86_400)] = 10
    """A file that changed within this time is still being written."""


class Discovery(Section, frozen=True, kw_only=True):
    """When and how new recordings are looked for."""

    cron: Cron = "*/5 * * * *"
    reconcile_cron: Cron = "17 3 * * *"
    """When everything is listed once more, to find what the feed of changes missed."""
    sidecar_wait_minutes: Annotated[float, msgspec.Meta(ge=0, le=1_440)] = 10
    """How long a recording without a duration waits for its sidecar before its length is estimated."""
    duplicates: Literal["skip", "process"] = "skip"
    """What happens to a recording whose content is already there under another name."""


class Auto(Section, frozen=True, kw_only=True):
    """Which calls are processed by themselves, and how many at once."""

    enabled: bool = True
    cron: Cron = "*/1 * * * *"
    directions: Annotated[tuple[Direction, ...], _Read(_comma_separated)] = (Direction.INCOMING,)
    min_duration: Annotated[float, msgspec.Meta(ge=0, le=86_400)] = 20
    """Seconds; shorter calls are skipped."""
    call_types: Words = ()
    """phone, whatsapp, mic, ... Empty: all."""
    unknown_direction: Literal["process", "skip"] = "process"
    """What happens to a call whose direction nothing tells (WhatsApp and microphone recordings have no arrow)."""
    max_age_days: Days | None = None
    """Older calls are skipped. Empty: no limit."""
    only_future: bool = True
    """Only calls recorded after FocusFlow's first start on this database."""
    since: datetime | None = None
    """Only calls recorded since this instant, instead of the first start."""
    order: Literal["oldest", "newest"] = "oldest"
    max_batch: Positive = 3
    """Calls claimed at once."""
    concurrency: Annotated[int, msgspec.Meta(ge=1, le=64)] = 1
    """Calls processed in parallel by this instance."""
    max_parallel: Positive | None = None
    """Calls processed in parallel by all instances on this database together. Empty: no limit."""
    daily_max_jobs: Annotated[int, msgspec.Meta(ge=0, le=_MOST)] | None = None
    max_jobs_per_minute: Positive | None = None
    max_retries: Annotated[int, msgspec.Meta(ge=0, le=100)] = 3
    retry_base_seconds: Seconds = 60
    """The first retry comes after about this long; each further one after twice the last."""
    retry_cap_seconds: Seconds = 3_600
    stale_processing_ms: Annotated[int, msgspec.Meta(ge=1_000, le=86_400_000)] = 120_000
    """A job whose worker is silent for this long is taken back."""
    max_rescues: Positive = 5
    """A job that is taken back more often than this fails, so that one bad recording cannot go round for ever."""


class Budget(Section, frozen=True, kw_only=True):
    """What may be spent."""

    daily_usd: Usd | None = None
    """Settled and reserved together never exceed it, from midnight to midnight. Empty: no limit."""
    weekly_usd: Usd | None = None
    """From Monday to Sunday."""
    monthly_usd: Usd | None = None
    per_call_usd: Usd | None = None
    """A single call that would cost more waits until you let it through: `focusflow budget lift`."""


class Call(Section, frozen=True, kw_only=True):
    """Whose phone it is; used to read names and to name speakers."""

    owner_name: MaybeText = None
    region: Annotated[str, _Check(_two_letters)] = "US"
    """Two letters; how numbers without a country code are read."""


class AssemblyAI(Section, frozen=True, kw_only=True):
    """How audio becomes words."""

    api_key: Secret = None
    base_url: Url = "https://api.assemblyai.com"
    speech_models: Annotated[Words, msgspec.Meta(min_length=1)] = ("universal-3-5-pro", "universal-2")
    """In order of preference; the first that knows the language is used."""
    language_code: MaybeText = None
    """Fixed language, such as en or de. Empty: detected."""
    expected_languages: Words = ()
    speaker_labels: bool = True
    speakers_expected: Annotated[int, msgspec.Meta(ge=1, le=50)] | None = None
    keyterms: Words = ()
    """Names and words that are often misheard; at most 1000 phrases of six words."""
    custom_spelling: dict[str, tuple[str, ...]] = {}
    """`{FocusFlow: [focus flow]}`: how the right-hand words are written."""
    redact_pii_policies: Annotated[Words, _Check(_known_policies)] = ()
    """What is blacked out: phone_number, person_name, ... Empty: nothing."""
    redact_pii_substitution: Literal["hash", "entity_name"] = "hash"
    entity_detection: bool = False
    sentiment_analysis: bool = False
    speech_threshold: Annotated[float, msgspec.Meta(ge=0, le=1)] | None = None
    """Recordings with a smaller share of speech are refused by the service, free of charge."""
    delete_after_fetch: bool = False
    """Delete audio and transcript at AssemblyAI once they are stored here."""
    poll_seconds: Annotated[float, msgspec.Meta(ge=0.01, le=300)] = 3
    extra: dict[str, Any] = {}
    """Parameters that are newer than this FocusFlow, sent as they are."""
    price_table: MaybePath = None
    """A price table of your own, made from focusflow/prices.toml. Empty: that one."""
    usd_per_hour: Annotated[dict[str, Usd], _Read(_in_dollars)] = {}
    """Prices of your own contract by model or add-on, over the table."""


class ModelPrice(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a million tokens of a language model cost, in dollars."""

    input: Usd
    output: Usd
    cached_input: Usd | None = None
    """Empty: as input."""


class OpenAI(Section, frozen=True, kw_only=True):
    """How a transcript becomes a summary. Any compatible server will do."""

    api_key: Secret = None
    base_url: Url = "https://api.openai.com/v1"
    model: str = "gpt-6-luna"
    context_tokens: Positive | None = None
    """Empty: as known for the model."""
    max_output_tokens: Positive | None = None
    reasoning_effort: MaybeText = None
    service_tier: MaybeText = None
    usd_per_million_input: Usd | None = None
    """Price of this model, when the built-in table does not know it; 0 for a server of your own."""
    usd_per_million_output: Usd | None = None
    prices: Annotated[dict[str, ModelPrice], _Read(_in_dollars)] = {}
    """`{gpt-6.2-sol: {input: 2, cached_input: 0.2, output: 10}}`: your own prices for any number of models."""
    extra: dict[str, Any] = {}


class Prompts(Section, frozen=True, kw_only=True):
    """The files the model is instructed by; read anew at each use."""

    summary: MaybePath = None
    """Empty: prompts/meeting_summary.md."""
    title: MaybePath = None
    merge: MaybePath = None


class NotionProperties(Section, frozen=True, kw_only=True):
    """What the columns of your Notion database are called. Empty: not written."""

    title: MaybeText = "Title"
    date: MaybeText = "Date"
    direction: MaybeText = "Direction"
    duration: MaybeText = "Duration"
    link: MaybeText = "Drive Link"
    status: MaybeText = "Status"
    key: MaybeText = "External ID"
    contact: MaybeText = "Contact"
    number: MaybeText = "Number"
    call_type: MaybeText = "Call Type"
    """phone, whatsapp, mic, ... This column, Contact and Number are filled if they are there, and not missed."""


class Notion(Section, frozen=True, kw_only=True):
    """Where pages are made. Without a key, jobs complete without Notion."""

    api_key: Secret = None
    database_id: MaybeText = None
    data_source_id: MaybeText = None
    """Only needed where the database has several."""
    base_url: Url = "https://api.notion.com"
    properties: NotionProperties = NotionProperties()
    status_done: str = "Complete"
    requests_per_minute: Annotated[int, msgspec.Meta(ge=6, le=100_000)] = 180
    """Notion allows an integration 180, on larger plans 600; say less where others share the integration."""


class Markdown(Section, frozen=True, kw_only=True):
    """One Markdown file a call, beside Notion or instead of it."""

    path: MaybePath = None


class Timeouts(Section, frozen=True, kw_only=True):
    """Longest time of each step, in minutes."""

    download: Annotated[float, msgspec.Meta(gt=0, le=1_440)] = 60
    transcribe: Annotated[float, msgspec.Meta(gt=0, le=1_440)] = 120
    summarize: Annotated[float, msgspec.Meta(gt=0, le=1_440)] = 20
    sync: Annotated[float, msgspec.Meta(gt=0, le=1_440)] = 20
    shutdown_grace_seconds: Annotated[float, msgspec.Meta(ge=0, le=3_600)] = 10
    """How long a stop waits for work in flight before it is handed back."""


class Retention(Section, frozen=True, kw_only=True):
    """How long things are kept."""

    log_days: Days = 30
    """Lines of jobs' own logs."""


class Logging(Section, frozen=True, kw_only=True):
    """What is written to the log, and where."""

    level: Literal["debug", "info", "warning", "error"] = "info"
    file: MaybePath = None
    """Empty: focusflow.log in the data directory, rotated."""
    json_lines: bool | None = None
    """On the terminal: true, false, or by itself (JSON when it is not a terminal)."""


class Screen(Section, frozen=True, kw_only=True):
    """How the screen looks and behaves."""

    theme: MaybeText = None
    """A theme's name, such as textual-dark or ansi-dark. Empty: by what the terminal can show."""
    mouse: bool = False
    """True: clicks and the wheel are for FocusFlow; selecting text then needs Shift."""
    ascii: bool = False
    """Draw no symbols outside ASCII."""
    keys: dict[str, str] = {}
    """`{pause: "f5,p"}`: your own keys by the names that the help shows."""
    on_hangup: Literal["stop", "headless"] = "stop"
    """What happens when the terminal goes away: stop cleanly, or go on without a screen."""


class Unused(Section, frozen=True, kw_only=True):
    """Names of the earlier web version that have nothing to do here: there is no web server to protect."""

    cron_secret: Secret = None
    basic_auth_user: MaybeText = None
    basic_auth_password: Secret = None


class Settings(Section, frozen=True, kw_only=True):
    """Everything that can be set."""

    data_dir: MaybePath = None
    """Database, logs and temporary files. Empty: the system's place for application data."""
    timezone: Annotated[MaybeText, _Check(lambda name: name and _known_zone(name))] = None
    """The zone of your phone's clock, such as Australia/Melbourne. Empty: this machine's."""
    source: Literal["drive", "folder"] = "drive"
    store: Store = Store()
    drive: Drive = Drive()
    folder: Folder = Folder()
    discovery: Discovery = Discovery()
    auto: Auto = Auto()
    rules: list[Any] = []
    """Your own rules, read from the top: the first that matches a call decides alone; see config.example.yaml."""
    budget: Budget = Budget()
    call: Call = Call()
    assemblyai: AssemblyAI = AssemblyAI()
    openai: OpenAI = OpenAI()
    prompts: Prompts = Prompts()
    notion: Notion = Notion()
    markdown: Markdown = Markdown()
    timeouts: Timeouts = Timeouts()
    retention: Retention = Retention()
    logging: Logging = Logging()
    screen: Screen = Screen()
    unused: Unused = Unused()

    @cached_property
    def data_path(self) -> Path:
        """The data directory; not made by reading it."""
        if self.data_dir is not None:
            return self.data_dir.expanduser()
        from platformdirs import user_data_path

        return user_data_path("focusflow", appauthor=False)

    @cached_property
    def store_url(self) -> str:
        return self.store.url or f"sqlite:///{self.data_path / 'focusflow.db'}"

    @cached_property
    def budgets(self) -> "Budgets":
        """Everything that limits what is spent."""
        from focusflow.domain.budgets import Budgets
        from focusflow.domain.money import micros_from_usd

        def micros(usd: float | None) -> int | None:
            return None if usd is None else micros_from_usd(usd)

        return Budgets(
            zone=self.zone,
            day_micros=micros(self.budget.daily_usd),
            week_micros=micros(self.budget.weekly_usd),
            month_micros=micros(self.budget.monthly_usd),
            call_micros=micros(self.budget.per_call_usd),
            day_jobs=self.auto.daily_max_jobs,
        )

    @cached_property
    def daily_micros(self) -> int | None:
        """The day's budget in micro-dollars; None: no limit."""
        from focusflow.domain.money import micros_from_usd

        return None if self.budget.daily_usd is None else micros_from_usd(self.budget.daily_usd)

    @cached_property
    def accepts_ownerless(self) -> bool:
        """Whether recordings without an owner are taken: as set, else unless a list says whose; a folder's have none."""
        wish = self.drive.accept_ownerless
        return (self.source == "folder" or not self.drive.allowed_users) if wish is None else wish

    @cached_property
    def routing(self) -> "tuple[RoutingRule, ...]":
        """The rules, read; those that are wrong are left out, which loading does not allow."""
        if not self.rules:
            return ()
        from focusflow.domain.rule_reading import read_rules

        return read_rules(self.rules).rules

    @cached_property
    def zone(self) -> ZoneInfo:
        """The configured zone, else the machine's, else UTC."""
        return ZoneInfo(self.timezone) if self.timezone else _machine_zone()


def _machine_zone() -> ZoneInfo:
    """Return the zone this machine is set to, by its name where that can be told."""
    name = os.environ.get("TZ", "").lstrip(":")
    candidates = [name] if name else []
    localtime = Path("/etc/localtime")
    if localtime.is_symlink():
        candidates.append(str(localtime.resolve()).partition("zoneinfo/")[2])
    for candidate in candidates:
        try:
            return ZoneInfo(candidate)
        except (OSError, ValueError, KeyError):
            continue
    return ZoneInfo("UTC")


USER_NAMES: Mapping[str, str] = {
    "AUTO_PROCESS_ENABLED": "auto.enabled",
    "AUTO_PROCESS_CRON": "auto.cron",
    "AUTO_PROCESS_DIRECTIONS": "auto.directions",
    "AUTO_MIN_DURATION": "auto.min_duration",
    "AUTO_MAX_BATCH": "auto.max_batch",
    "AUTO_CONCURRENCY": "auto.concurrency",
    "AUTO_MAX_PARALLEL": "auto.max_parallel",
    "AUTO_DAILY_MAX_JOBS": "auto.daily_max_jobs",
    "AUTO_STALE_PROCESSING_MS": "auto.stale_processing_ms",
    "AUTO_PROCESS_ONLY_FUTURE": "auto.only_future",
    "AUTO_PROCESS_SINCE": "auto.since",
    "AUTO_MAX_RETRIES": "auto.max_retries",
    "PROMPT_PATH": "prompts.summary",
    "DATABASE_URL": "store.url",
    "GOOGLE_SERVICE_ACCOUNT_KEY": "drive.credentials",
    "GOOGLE_DRIVE_FOLDER_ID": "drive.folder_id",
    "DRIVE_BASE_URL": "drive.base_url",
    "ALLOWED_USERS": "drive.allowed_users",
    "ASSEMBLYAI_API_KEY": "assemblyai.api_key",
    "ASSEMBLYAI_BASE_URL": "assemblyai.base_url",
    "MODELSCOPE_API_KEY": "openai.api_key",  # of the earlier version: what is named OPENAI_ wins
    "MODELSCOPE_BASE_URL": "openai.base_url",
    "MODELSCOPE_MODEL_ID": "openai.model",
    "OPENAI_API_KEY": "openai.api_key",
    "OPENAI_BASE_URL": "openai.base_url",
    "OPENAI_MODEL": "openai.model",
    "NOTION_API_KEY": "notion.api_key",
    "NOTION_DATABASE_ID": "notion.database_id",
    "NOTION_BASE_URL": "notion.base_url",
    "CRON_SECRET": "unused.cron_secret",
    "BASIC_AUTH_USER": "unused.basic_auth_user",
    "BASIC_AUTH_PASSWORD": "unused.basic_auth_password",
    "FOCUSFLOW_DATA_DIR": "data_dir",
    "FOCUSFLOW_TIMEZONE": "timezone",
    "FOCUSFLOW_SOURCE": "source",
}
"""The environment's names that people already use, and the keys they set."""

_GENERIC_PREFIX = "FOCUSFLOW_"
_NOT_KEYS = frozenset({"FOCUSFLOW_CONFIG"})


class Loaded(Struct, frozen=True, kw_only=True):
    """Settings, and where each key that was set came from."""

    settings: Settings
    origins: Mapping[str, str]
    """`{"auto.min_duration": "AUTO_MIN_DURATION", "source": "config.yaml"}`"""
    file: Path | None
    """The file that was read; None: there was none."""
    problems: Sequence[str] = ()
    """What is wrong, one sentence each. `load` never returns any."""
    unsure: frozenset[str] = frozenset()
    """Keys of which nothing more can be said, because what was set could not be read. They have their defaults."""


def load(
    *,
    file: Path | None = None,
    environ: Mapping[str, str] | None = None,
    flags: Mapping[str, object] | None = None,
) -> Loaded:
    """Read the configuration. Raises `ConfigError` with every problem at once.

    *file* given must exist; otherwise `FOCUSFLOW_CONFIG`, then config.yaml here, then in the user's configuration directory.
    *flags* are dotted keys.
    """
    loaded = examine(file=file, environ=environ, flags=flags)
    if loaded.problems:
        raise ConfigError(*loaded.problems)
    return loaded


def examine(
    *,
    file: Path | None = None,
    environ: Mapping[str, str] | None = None,
    flags: Mapping[str, object] | None = None,
) -> Loaded:
    """Read as much of the configuration as can be read, as `load` does, and say what is wrong with the rest."""
    environ = os.environ if environ is None else environ
    path, content, problems, unsure = _read_file(file, environ)
    layers = [(content, str(path)), *_from_environment(environ)]
    layers += [({key: _from_flag(value)}, "command line") for key, value in (flags or {}).items() if value is not None]
    values: dict[str, object] = {}
    origins: dict[str, str] = {}
    for layer, origin in layers:
        for key, value in layer.items():
            _forget_below(values, origins, key)
            values[key] = value
            origins[key] = origin
    problems += [f"{origins[key]}: {_unknown(key)}" for key in values if key not in _KEYS]
    problems += _misspelt(environ)
    read, refused = _understood_each(values)
    problems += [f"{origins[key]}: {key}: {sentence}" for key, sentence in refused.items()]
    settings, unsure = _built(Settings, read), unsure | refused.keys()
    problems += placed(_contradictions(settings), origins, unsure)
    return Loaded(settings=settings, origins=origins, file=path, problems=problems, unsure=unsure)


class Complaint(Struct, frozen=True):
    """A sentence about keys whose values are right by themselves, or that have none."""

    sentence: str
    keys: tuple[str, ...]
    """The first is the one to be set; the sentence holds only where all of them are as the user wants them."""


def placed(complaints: Iterable[Complaint], origins: Mapping[str, str], unsure: frozenset[str]) -> list[str]:
    """Return the sentences, each after the place where its key was set; none about keys that are unsure."""
    return [
        f"{origins[complaint.keys[0]]}: {complaint.sentence}" if complaint.keys[0] in origins else complaint.sentence
        for complaint in complaints
        if unsure.isdisjoint(complaint.keys)
    ]


def _forget_below(values: dict[str, object], origins: dict[str, str], key: str) -> None:
    for old in [old for old in values if old.startswith(f"{key}.")]:
        del values[old], origins[old]


def _find_file(file: Path | None, environ: Mapping[str, str]) -> Path | None:
    named = file or (Path(environ["FOCUSFLOW_CONFIG"]) if environ.get("FOCUSFLOW_CONFIG") else None)
    if named is not None:
        if not named.is_file():
            raise ConfigError(f"{named}: there is no such file; make it from config.example.yaml")
        return named
    from platformdirs import user_config_path

    places = [Path("config.yaml"), user_config_path("focusflow", appauthor=False) / "config.yaml"]
    return next((place for place in places if place.is_file()), None)


def _read_file(
    file: Path | None, environ: Mapping[str, str]
) -> tuple[Path | None, Mapping[str, object], list[str], frozenset[str]]:
    """Return the file, what it sets, what is wrong with it, and of which keys nothing is known because of that."""
    problems: list[str] = []
    try:
        path = _find_file(file, environ)
        return path, _from_yaml(path, problems) if path else {}, problems, frozenset()
    except ConfigError as exc:
        return None, {}, list(exc.problems), frozenset(_KEYS)


def _from_yaml(path: Path, problems: list[str]) -> dict[str, object]:
    """Return what the file sets; what can be read all the same and is wrong is added to *problems*."""
    import yaml

    try:
        loader = yaml.SafeLoader(path.read_text(encoding="utf-8"))
        document = loader.get_single_node()
        problems += [f"{path}, {sentence}" for sentence in _said_twice(document)]
        content = None if document is None else loader.construct_document(document)
    except yaml.YAMLError as exc:
        mark = getattr(exc, "problem_mark", None)
        where = f", line {mark.line + 1}" if mark else ""
        problem = getattr(exc, "problem", None) or "cannot be read"
        raise ConfigError(f"{path}{where}: this is not YAML: {problem}") from exc
    except (OSError, UnicodeDecodeError) as exc:
        raise ConfigError(f"{path}: cannot be read: {exc}") from exc
    except ValueError as exc:  # the parser makes instants of what looks like one
        raise ConfigError(f"{path}: a value in it cannot be: {exc}") from exc
    if content is None:
        return {}
    if not isinstance(content, dict):
        raise ConfigError(f"{path}: expected keys and values, such as `source: drive`")
    return dict(_flatten(content))


def _said_twice(document: Any) -> Iterator[str]:
    """Yield a sentence for each key that stands twice in one place: YAML would silently forget the first."""
    import yaml

    waiting, seen = [document], set[int]()
    while waiting:
        node = waiting.pop()
        if id(node) in seen or not isinstance(node, yaml.CollectionNode):
            continue
        seen.add(id(node))  # an alias may lead back to where we are
        if isinstance(node, yaml.MappingNode):
            yield from _twice_among(name for name, _ in node.value if isinstance(name, yaml.ScalarNode))
            waiting += [value for _, value in reversed(node.value)]
        else:
            waiting += reversed(node.value)


def _twice_among(names: Iterable[Any]) -> Iterator[str]:
    lines: dict[str, int] = {}
    for name in names:
        line = name.start_mark.line + 1
        if name.value in lines:
            yield f"line {line}: {name.value} is there already, in line {lines[name.value]}: put both into one"
        lines.setdefault(name.value, line)


def _flatten(tree: Mapping[object, object], prefix: str = "") -> Iterator[tuple[str, object]]:
    """Yield dotted keys; sections are opened, values (also mappings that are values) are not."""
    for name, value in tree.items():
        key = f"{prefix}{name}"
        if isinstance(value, dict) and key in _SECTIONS:
            yield from _flatten(value, f"{key}.")
        elif value is not None or key not in _SECTIONS:
            yield key, value


def _from_environment(environ: Mapping[str, str]) -> Iterator[tuple[dict[str, object], str]]:
    for name in sorted(environ):
        if name.startswith(_GENERIC_PREFIX) and name not in USER_NAMES and name not in _NOT_KEYS:
            yield {_generic_key(name): _from_text(environ[name])}, name
    for name, key in USER_NAMES.items():
        if environ.get(name, "").strip():
            yield {key: environ[name]}, name


def _generic_key(name: str) -> str:
    return name.removeprefix(_GENERIC_PREFIX).lower().replace("__", ".")


def _from_flag(value: object) -> object:
    return _from_text(value) if isinstance(value, str) else value


def _from_text(text: str) -> object:
    """Read a mapping or list written as JSON; anything else stays text."""
    if text.lstrip().startswith(("{", "[")):
        try:
            return json.loads(text)
        except ValueError:
            return text
    return text


def _sections(model: type[Section], prefix: str = "") -> Iterator[tuple[str, type[Section]]]:
    for name, kind in model.__annotations__.items():
        if isinstance(kind, type) and issubclass(kind, Section):
            yield f"{prefix}{name}", kind
            yield from _sections(kind, f"{prefix}{name}.")


_SECTIONS: Mapping[str, type[Section]] = dict(_sections(Settings))


def _keys() -> Iterator[tuple[str, Any]]:
    """Yield every key that can be set with its annotation, in the order of the file."""
    for section, model in {"": Settings, **_SECTIONS}.items():
        for name, kind in model.__annotations__.items():
            key = f"{section}.{name}".lstrip(".")
            if key not in _SECTIONS:
                yield key, kind


_KEYS: Mapping[str, Any] = dict(_keys())


def value_of(settings: Settings, key: str) -> Any:
    """Return the value of a dotted key."""
    value: Any = settings
    for part in key.split("."):
        value = getattr(value, part)
    return value


def valid_keys() -> tuple[str, ...]:
    """Every key that can be set, dotted, in the order of the file."""
    return tuple(_KEYS)


def _understood_each(values: Mapping[str, object]) -> tuple[dict[str, Any], dict[str, str]]:
    """Return the values that are right by key, and sentences about the others by key, both in the order of the file."""
    read: dict[str, Any] = {}
    refused: dict[str, str] = {}
    for key in filter(values.__contains__, _KEYS):
        try:
            read[key] = _understood(values[key], _KEYS[key])
        except ValueError as exc:
            refused[key] = str(exc)
    return read, refused


def _understood(value: object, kind: Any) -> Any:
    """Return *value* as its key's annotation wants it. Raises `ValueError` with a sentence that never repeats the value."""
    marks = getattr(kind, "__metadata__", ())
    if isinstance(value, str):
        value = value.strip()
        if not value and _may_be_empty(kind):
            return None
    for mark in marks:
        if isinstance(mark, _Read):
            value = mark.rewrite(value)
    if isinstance(value, date) and not isinstance(value, datetime):
        value = datetime(value.year, value.month, value.day)
    try:
        value = msgspec.convert(
            _TRUTHS.get(str(value).lower(), value) if kind in _YES_OR_NO else value,
            kind,
            strict=False,
            dec_hook=_custom,
        )
    except msgspec.ValidationError as exc:
        raise ValueError(_in_words(str(exc), kind)) from exc
    for mark in marks:
        if isinstance(mark, _Check):
            value = mark.check(value)
    return value


def _may_be_empty(kind: Any) -> bool:
    return type(None) in get_args(get_args(kind)[0] if get_origin(kind) is Annotated else kind)


_YES_OR_NO = (bool, bool | None)
_TRUTHS: Mapping[str, bool] = {"yes": True, "on": True, "no": False, "off": False}
"""What people and YAML call true and false, besides true, false, 1 and 0."""


def _custom(kind: type, value: object) -> object:
    """Make what msgspec does not know by itself."""
    if isinstance(value, kind):
        return value
    if not isinstance(value, str):
        raise TypeError("Expected text")  # without the value: it may be a secret
    return kind(value)


_IN_WORDS: Mapping[str, str] = {
    " | null": "",
    "`int`": "a whole number",
    "`float`": "a number",
    "`bool`": "true or false",
    "`str`": "text",
    "`array`": "a list",
    "`object`": "keys and values",
    "`datetime`": "an instant such as 2026-11-01T00:00:00+11:00",
    "Invalid RFC3339 encoded datetime": "Expected an instant such as 2026-11-01T00:00:00+11:00",
}


def _in_words(message: str, kind: Any) -> str:
    """Return msgspec's message as a sentence for people."""
    if choices := _choices(kind):
        return f"Expected {' or '.join(choices)}"
    message = message.partition(" - at ")[0].partition(", got ")[0].replace(" of length >= 1", ", not an empty one")
    for theirs, ours in _IN_WORDS.items():
        message = message.replace(theirs, ours)
    return re.sub(" (>=|<=|>|<) ([0-9.]+)$", _limit_in_words, message)


def _limit_in_words(found: re.Match[str]) -> str:
    limit = {">=": "at least", "<=": "at most", ">": "more than", "<": "less than"}[found[1]]
    return f", {limit} {float(found[2]):,g}" if float(found[2]) < 1_000_000 else f", {limit} {float(found[2]):,.0f}"


def _choices(kind: Any) -> tuple[str, ...]:
    """Return the words that are allowed, where only some are."""
    if get_origin(kind) is Literal:
        return get_args(kind)
    if isinstance(kind, type) and issubclass(kind, Direction):
        return tuple(kind)
    return next((found for part in get_args(kind) if (found := _choices(part))), ())


def _built(model: type[S], values: Mapping[str, Any], prefix: str = "") -> S:
    """Make a section, and those below it, of values that are checked; the rest are defaults."""
    found: dict[str, Any] = {}
    for name in model.__struct_fields__:
        key = f"{prefix}{name}"
        if key in _SECTIONS:
            found[name] = _built(_SECTIONS[key], values, f"{key}.")
        elif key in values:
            found[name] = values[key]
    return model(**found)


def _unknown(key: str) -> str:
    if key in _SECTIONS:
        return f"{key} is a section: expected keys below it"
    near = _near(key, [*valid_keys(), *_SECTIONS], cutoff=0.5)
    return f"unknown key {key}{near or '; `focusflow config show` lists every key'}"


_OURS = "AUTO_"
"""So begin names of ours without the prefix that every key has. Other programs may use it too, so it must be near."""
_NEAR = 0.85


def _misspelt(environ: Mapping[str, str]) -> Iterator[str]:
    """Yield what is wrong with names in the environment that are meant for us, and are none of ours."""
    for name in sorted(environ):
        if name.startswith(_OURS) and name not in USER_NAMES and environ[name].strip():
            near = _near(name, USER_NAMES, cutoff=_NEAR)
            if near or name.startswith("AUTO_PROCESS_"):
                yield f"{name}: this is not a name FocusFlow knows{near or '; config.example.yaml has them all'}"


def nearly_ours(environ: Mapping[str, str] | None = None) -> list[str]:
    """Return notes about names in the environment that nothing reads and that are nearly ours.

    They are no problems: the environment is shared, and `DATABASE_URI` or `OPENAI_API_KEYS` may be another program's.
    """
    environ = os.environ if environ is None else environ
    theirs = [name for name in sorted(environ) if name not in USER_NAMES and environ[name].strip()]
    notes = []
    for name in theirs:
        near = difflib.get_close_matches(name, USER_NAMES, n=1, cutoff=_NEAR)
        if near and near[0] not in environ and not name.startswith((_GENERIC_PREFIX, _OURS)):
            notes.append(f"{name}: has no effect: this is not a name FocusFlow knows; did you mean {near[0]}?")
    return notes


def _contradictions(settings: Settings) -> Iterator[Complaint]:
    """Yield what is wrong with keys that are right by themselves."""
    auto, notion = settings.auto, settings.notion
    if auto.since is not None and auto.since.tzinfo is None:
        yield Complaint("auto.since: say the zone as well, such as 2026-11-01T00:00:00+11:00", ("auto.since",))
    if auto.retry_base_seconds > auto.retry_cap_seconds:
        first, longest = "auto.retry_base_seconds", "auto.retry_cap_seconds"
        yield Complaint(f"{first} is longer than {longest}: the first wait cannot be the longest", (first, longest))
    yield from _half_a_price(settings.openai)
    if settings.assemblyai.price_table is not None:
        try:
            price_table(settings)
        except ConfigError as exc:
            yield from (Complaint(problem, ("assemblyai.price_table",)) for problem in exc.problems)
    yield from (Complaint(problem, ("rules",)) for problem in _wrong_rules(settings))
    if notion.api_key and not (notion.database_id or notion.data_source_id):
        yield Complaint(
            "notion.api_key is set, notion.database_id (NOTION_DATABASE_ID) is not: which database shall pages go to?",
            ("notion.api_key", "notion.database_id", "notion.data_source_id"),
        )


def _half_a_price(openai: OpenAI) -> Iterator[Complaint]:
    there, both = openai.usd_per_million_input, ("openai.usd_per_million_input", "openai.usd_per_million_output")
    if (there is None) != (openai.usd_per_million_output is None):
        set_one, other = both if there is not None else both[::-1]
        yield Complaint(f"{set_one} is set, {other} is not: set both prices, or neither", (set_one, other))


def _wrong_rules(settings: Settings) -> list[str]:
    """Return what is wrong with the rules, each with its number; their prompts are looked at too."""
    if not settings.rules:
        return []
    from focusflow.domain.rule_reading import read_rules

    problems = list(read_rules(settings.rules).problems)
    for number, rule in enumerate(() if problems else settings.routing, 1):
        if rule.then.prompt is not None and (trouble := _unreadable(rule.then.prompt)):
            problems.append(f"rules: rule {number}: then.prompt: {rule.then.prompt} cannot be read: {trouble}")
    return problems


def _unreadable(path: Path) -> str | None:
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as exc:
        return exc.strerror or str(exc)
    except UnicodeDecodeError:
        return "it is not UTF-8 text"
    return None if text.strip() else "it is empty"


def price_table(settings: Settings) -> "tuple[AudioRate, ...]":
    """Return the rows of the user's price table, or of the one that came with FocusFlow. Raises `ConfigError`."""
    from focusflow.domain.prices import parse_audio_table

    own = settings.assemblyai.price_table
    path = own.expanduser() if own is not None else Path(__file__).parent / "prices.toml"
    try:
        return parse_audio_table(path.read_text(encoding="utf-8"))
    except OSError as exc:
        raise ConfigError(f"assemblyai.price_table: {path} cannot be read: {exc.strerror}") from exc
    except ValueError as exc:
        raise ConfigError(f"assemblyai.price_table: {path}: {exc}") from exc


def missing_for_looking(settings: Settings) -> list[str]:
    """Return what must still be set before recordings can be looked for, one sentence each."""
    return [complaint.sentence for complaint in _missing_for_looking(settings)]


def missing_for_work(settings: Settings) -> list[str]:
    """Return what must still be set before calls can be processed, one sentence each."""
    return [complaint.sentence for complaint in what_is_missing(settings)]


def what_is_missing(settings: Settings) -> Iterator[Complaint]:
    """Yield what must still be set before calls can be processed."""
    yield from _missing_for_looking(settings)
    if not settings.assemblyai.api_key:
        yield _unset("assemblyai.api_key (ASSEMBLYAI_API_KEY)", "nothing can be transcribed")
    if not settings.openai.api_key and settings.openai.base_url.startswith("https://api.openai.com"):
        yield _unset("openai.api_key (OPENAI_API_KEY)", "nothing can be summarized", "openai.base_url")


def _unset(key: str, consequence: str, *because: str) -> Complaint:
    """Complain that *key* (with its name in the environment) is not set, which matters *because* of other keys."""
    return Complaint(f"{key} is not set: {consequence}", (key.partition(" ")[0], *because))


def _missing_for_looking(settings: Settings) -> Iterator[Complaint]:
    which = "which folder has the recordings?"
    if settings.source == "folder":
        if settings.folder.path is None:
            yield _unset("folder.path", which, "source")
        return
    if not settings.drive.credentials:
        yield from _missing_of_the_own_account(settings.drive)
    if not settings.drive.folder_id:
        yield _unset("drive.folder_id (GOOGLE_DRIVE_FOLDER_ID)", which, "source")


def _missing_of_the_own_account(drive: Drive) -> Iterator[Complaint]:
    """Yield what is missing to read Drive without a service account."""
    own = ("oauth_client_id", "oauth_client_secret", "oauth_refresh_token")
    unset = [name for name in own if not getattr(drive, name)]
    if len(unset) == len(own):
        service_account = "drive.credentials (GOOGLE_SERVICE_ACCOUNT_KEY)"
        yield _unset(service_account, "how may Google Drive be read?", "source")
        return
    for name in unset:
        yield _unset(f"drive.{name}", f"your own account takes all three of {', '.join(own)}", "source")


def without_effect(settings: Settings, origins: Mapping[str, str]) -> list[str]:
    """Return notes about keys that are set and do nothing."""
    return [
        f"{origins[key]}: has no effect: FocusFlow has no web server to protect"
        for key in origins
        if key.startswith("unused.")
    ]


def open_to_others(loaded: Loaded) -> list[str]:
    """Return notes about files with keys in them that others on this machine may read or change."""
    return [
        f"{file}: others on this machine may read the keys in it: `chmod 600 {file}` keeps them out"
        for file in _files_with_keys(loaded)
        if _open_to_others(file)
    ]


def _files_with_keys(loaded: Loaded) -> Iterator[Path]:
    settings, file = loaded.settings, loaded.file
    keys = [key for key in _KEYS if isinstance(value_of(settings, key), SecretStr)]
    if urlsplit(settings.store.url or "").password:
        keys.append("store.url")
    if file is not None and any(loaded.origins.get(key) == str(file) for key in keys):
        yield file
    if settings.drive.credentials is not None:
        text = settings.drive.credentials.get_secret_value().strip()
        if not text.startswith("{"):
            yield Path(text).expanduser()


def _open_to_others(file: Path) -> bool:
    try:
        return bool(file.stat().st_mode & 0o077)
    except (OSError, ValueError):
        return False  # whoever reads it says what is wrong with it


def secrets(settings: Settings) -> list[str]:
    """Return every secret value that is set, for the log's redaction."""
    values = (value_of(settings, key) for key in _KEYS)
    found = [value.get_secret_value() for value in values if isinstance(value, SecretStr)]
    found += [*_private_keys(settings.drive.credentials), urlsplit(settings.store.url or "").password or ""]
    return [secret for secret in found if len(secret) >= 4]


def _private_keys(credentials: SecretStr | None) -> list[str]:
    """Return the key inside a service account's JSON: it is secret without its wrapping too."""
    text = credentials.get_secret_value() if credentials else ""
    if not text.lstrip().startswith("{"):
        return []
    try:
        info = json.loads(text)
    except ValueError:
        return []
    key = info.get("private_key") if isinstance(info, dict) else None
    return [key, key.replace("\n", "\\n")] if isinstance(key, str) else []


def local_zone_name(zone: tzinfo) -> str:
    """Return the zone's name for people and for Notion."""
    return getattr(zone, "key", None) or str(zone)


def screen_environment() -> dict[str, str]:
    """Return what the environment says of the screen alone: keys, theme, symbols."""
    return {name: value for name, value in os.environ.items() if name.startswith(f"{_GENERIC_PREFIX}SCREEN__")}


class Surroundings(Struct, frozen=True, kw_only=True):
    """What the environment tells of the terminal and the person before it."""

    no_colour: bool
    """No colour is wanted (no-color.org)."""
    few_colours: bool
    """Nothing says that there are more than the terminal's own sixteen."""
    ascii: bool
    """Text is not UTF-8 here."""
    in_tmux: bool


def surroundings(environ: Mapping[str, str] | None = None) -> Surroundings:
    """Look at the environment's usual names: NO_COLOR, COLORTERM, LC_ALL, TMUX, ..."""
    environ = os.environ if environ is None else environ
    far = bool(environ.get("SSH_CONNECTION") or environ.get("TMUX") or environ.get("STY"))
    true_colour = environ.get("COLORTERM", "") in ("truecolor", "24bit")
    words = next((environ[name] for name in ("LC_ALL", "LC_CTYPE", "LANG") if environ.get(name)), "")
    return Surroundings(
        no_colour=bool(environ.get("NO_COLOR")),
        few_colours=far and not true_colour,
        ascii=environ.get("TERM") == "linux" or (bool(words) and "utf" not in words.lower()),
        in_tmux=bool(environ.get("TMUX")),
    )
