"""Is the configuration read in the right order, and does it say everything that is wrong?"""

from datetime import UTC, datetime
from pathlib import Path

import pytest
import yaml

from focusflow.config import (
    PII_POLICIES,
    USER_NAMES,
    SecretStr,
    Settings,
    examine,
    load,
    missing_for_looking,
    missing_for_work,
    nearly_ours,
    open_to_others,
    placed,
    price_table,
    secrets,
    valid_keys,
    what_is_missing,
    without_effect,
)
from focusflow.domain.jobs import Direction
from focusflow.errors import ConfigError

ROOT = Path(__file__).parent.parent


def write(path: Path, text: str) -> Path:
    path.write_text(text, encoding="utf-8")
    return path


def test_the_example_file_states_every_key_with_its_default() -> None:
    """config.example.yaml can be copied as it is and documents everything."""
    example = ROOT / "config.example.yaml"

    assert load(file=example, environ={}).settings == Settings()
    text = example.read_text(encoding="utf-8")
    missing = [key for key in valid_keys() if not key.startswith("unused.") and f"{key.split('.')[-1]}:" not in text]
    assert missing == []


def test_flags_win_over_the_environment_and_that_over_the_file(tmp_path: Path) -> None:
    """defaults < config.yaml < environment < flags."""
    file = write(tmp_path / "c.yaml", "auto: {min_duration: 1, max_batch: 1, concurrency: 1}")
    environ = {"AUTO_MAX_BATCH": "2", "AUTO_CONCURRENCY": "2"}

    loaded = load(file=file, environ=environ, flags={"auto.concurrency": "3"})

    auto = loaded.settings.auto
    assert (auto.min_duration, auto.max_batch, auto.concurrency) == (1, 2, 3)
    assert loaded.origins == {
        "auto.min_duration": str(file),
        "auto.max_batch": "AUTO_MAX_BATCH",
        "auto.concurrency": "command line",
    }


@pytest.mark.parametrize("name", sorted(USER_NAMES))
def test_every_name_of_the_users_document_sets_a_key(name: str) -> None:
    """The names people already have in their environment work as they are."""
    assert USER_NAMES[name] in valid_keys()


def test_the_users_document_reads_as_written() -> None:
    """The block of variables in the architecture document is understood, defaults and all."""
    auto = load(
        environ={
            "AUTO_PROCESS_ENABLED": "true",
            "AUTO_PROCESS_CRON": "*/1 * * * *",
            "AUTO_PROCESS_DIRECTIONS": "incoming,outgoing",
            "AUTO_MIN_DURATION": "20",
            "AUTO_MAX_BATCH": "3",
            "AUTO_CONCURRENCY": "1",
            "AUTO_PROCESS_SINCE": "2026-11-01T00:00:00Z",
        }
    ).settings.auto

    assert auto.directions == (Direction.INCOMING, Direction.OUTGOING)
    assert auto.since == datetime(2026, 11, 1, tzinfo=UTC)


def test_any_key_can_be_set_in_the_environment() -> None:
    """FOCUSFLOW_<SECTION>__<KEY>, below sections of sections too; JSON for mappings."""
    settings = load(
        environ={
            "FOCUSFLOW_NOTION__PROPERTIES__TITLE": "Name",
            "FOCUSFLOW_ASSEMBLYAI__CUSTOM_SPELLING": '{"FocusFlow": ["focus flow"]}',
        }
    ).settings

    assert settings.notion.properties.title == "Name"
    assert settings.assemblyai.custom_spelling == {"FocusFlow": ("focus flow",)}


def test_everything_that_is_wrong_is_said_at_once_with_place_key_and_neighbour(tmp_path: Path) -> None:
    """One run of `config check` is enough to mend a file."""
    file = write(tmp_path / "c.yaml", "store: {ulr: x}\nauto: {concurrency: 0}\ntimezone: Mars/Olympus\n")

    with pytest.raises(ConfigError) as caught:
        load(file=file, environ={"AUTO_PROCESS_CRON": "sometimes"})

    assert caught.value.problems == (
        f"{file}: unknown key store.ulr; did you mean store.url?",
        f"{file}: timezone: 'Mars/Olympus' is not a time zone; write it like Australia/Melbourne",
        "AUTO_PROCESS_CRON: auto.cron: 'sometimes' is not a cron expression of five fields, such as */5 * * * *",
        f"{file}: auto.concurrency: Expected a whole number, at least 1",
    )


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("a: [", "line 1: this is not YAML"),
        ("- a\n- b", "expected keys and values"),
        ("auto: 3", "auto is a section"),
        ("auto: {since: 2026-13-01}", "a value in it cannot be: month must be in 1..12"),
        ("? [a]\n: b", "this is not YAML"),
    ],
)
def test_a_file_that_is_no_configuration_is_named(tmp_path: Path, text: str, sentence: str) -> None:
    """A broken file is one sentence, not a traceback."""
    file = write(tmp_path / "c.yaml", text)

    with pytest.raises(ConfigError, match=sentence) as caught:
        load(file=file, environ={})

    assert str(file) in str(caught.value)


def test_a_file_that_was_named_must_exist(tmp_path: Path) -> None:
    """A typing error in --config is not silently the defaults."""
    with pytest.raises(ConfigError, match=r"no such file"):
        load(file=tmp_path / "none.yaml", environ={})


def test_a_wrong_secret_is_not_repeated_in_the_error(tmp_path: Path) -> None:
    """What is told about a value never contains a key."""
    file = write(tmp_path / "c.yaml", "openai: {api_key: [sk-very-secret]}")

    with pytest.raises(ConfigError) as caught:
        load(file=file, environ={})

    assert "sk-very-secret" not in str(caught.value)


def test_contradictions_between_keys_are_named() -> None:
    """Keys that are right alone and wrong together."""
    with pytest.raises(ConfigError) as caught:
        load(
            environ={
                "NOTION_API_KEY": "n",
                "AUTO_PROCESS_SINCE": "2026-11-01T00:00:00",
                "FOCUSFLOW_AUTO__RETRY_BASE_SECONDS": "7200",
                "FOCUSFLOW_OPENAI__USD_PER_MILLION_INPUT": "1",
            }
        )

    assert len(caught.value.problems) == 4


def test_wrong_keys_hide_neither_contradictions_nor_what_is_missing(tmp_path: Path) -> None:
    """Whatever can be judged is judged; of a key that could not be read nothing more is said."""
    file = write(tmp_path / "c.yaml", "store: {ulr: x}\nopenai: {api_key: [1]}\nauto: {retry_cap_seconds: 0}\n")

    found = examine(
        file=file,
        environ={"NOTION_API_KEY": "n", "AUTO_PROCESS_SINCE": "2026-11-01T00:00:00", "AUTO_MAX_BATCH": "none"},
        flags={"auto.retry_base_seconds": "7200"},
    )

    told = [sentence.split(" ")[0:2] for sentence in found.problems]
    assert told == [
        [f"{file}:", "unknown"],
        ["AUTO_MAX_BATCH:", "auto.max_batch:"],
        [f"{file}:", "auto.retry_cap_seconds:"],
        [f"{file}:", "openai.api_key:"],
        ["AUTO_PROCESS_SINCE:", "auto.since:"],
        ["NOTION_API_KEY:", "notion.api_key"],
    ]
    missing = placed(what_is_missing(found.settings), found.origins, found.unsure)
    assert [sentence.partition(" ")[0] for sentence in missing] == [
        "drive.credentials",
        "drive.folder_id",
        "assemblyai.api_key",
    ]


def test_of_a_file_that_cannot_be_read_nothing_is_said_to_be_missing(tmp_path: Path) -> None:
    """It may all be in there; the environment is judged all the same."""
    file = write(tmp_path / "c.yaml", "source: [\n")

    found = examine(file=file, environ={"AUTO_MAX_BATCH": "none"})

    assert [sentence.partition(": ")[0] for sentence in found.problems] == [f"{file}, line 2", "AUTO_MAX_BATCH"]
    assert placed(what_is_missing(found.settings), found.origins, found.unsure) == []


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("auto: {min_duration: 30}\nsource: drive\nauto: {concurrency: 2}", "line 3: auto is there already, in line 1"),
        ("auto:\n  max_batch: 1\n  max_batch: 2", "line 3: max_batch is there already, in line 2"),
        (
            "rules:\n- when: {}\n  then: {process: true}\n  when: {type: mic}",
            "line 4: when is there already, in line 2",
        ),
        ("auto: {max_batch: 1, max_batch: 2}", "line 1: max_batch is there already, in line 1"),
        ("screen: {keys: {\n  pause: x,\n  pause: y}}", "line 3: pause is there already, in line 2"),
    ],
)
def test_a_key_that_is_there_twice_is_named_with_both_lines(tmp_path: Path, text: str, sentence: str) -> None:
    """YAML alone would silently forget the first section with all that is in it."""
    file = write(tmp_path / "c.yaml", text)

    with pytest.raises(ConfigError) as caught:
        load(file=file, environ={})

    assert caught.value.problems == (f"{file}, {sentence}: put both into one",)


def test_a_file_that_contains_itself_is_read_to_its_end(tmp_path: Path) -> None:
    """YAML can say so; the sentence is about the value."""
    file = write(tmp_path / "c.yaml", "openai: {extra: {}}\nauto: &auto {order: *auto}\nrules: &rules [*rules]\n")

    assert [sentence.split(" ")[1] for sentence in examine(file=file, environ={}).problems] == ["auto.order:", "rules:"]


def test_yaml_may_still_merge_what_is_said_once(tmp_path: Path) -> None:
    """An anchor that is used twice, and a key that overrides a merged one, are no mistakes."""
    text = "timeouts: &same {sync: 1, download: 2}\nrules: []\nretention: {log_days: 3}\nfolder: {path: /x}\n"
    file = write(tmp_path / "c.yaml", text.replace("rules: []", "openai: {extra: {a: {<<: *same, sync: 2}, b: *same}}"))

    settings = load(file=file, environ={}).settings

    assert settings.openai.extra == {"a": {"sync": 2, "download": 2}, "b": {"sync": 1, "download": 2}}


@pytest.mark.parametrize(
    ("name", "hint"),
    [
        ("AUTO_MIN_DURATON", "did you mean AUTO_MIN_DURATION?"),
        ("AUTO_PROCESS_BUDGET", "config.example.yaml has them all"),
    ],
)
def test_a_misspelt_name_of_ours_in_the_environment_is_a_problem(name: str, hint: str) -> None:
    """A minimum that nobody reads lets calls through that cost money."""
    with pytest.raises(ConfigError) as caught:
        load(environ={name: "30"})

    assert caught.value.problems == (f"{name}: this is not a name FocusFlow knows; {hint}",)


def test_a_name_that_is_nearly_ours_is_noted_and_no_problem() -> None:
    """The environment is shared: only what stands where ours would is noted, and only where ours is not set."""
    shared = {
        "GOOGLE_DRIVE_FOLDERID": "x",
        "AUTO_UPDATE": "1",
        "OPENAI_ORG_ID": "o",
        "DATABASE_URI": "",
        "PATH": "/bin",
    }
    load(environ=shared)

    assert nearly_ours(shared) == [
        "GOOGLE_DRIVE_FOLDERID: has no effect: this is not a name FocusFlow knows; did you mean GOOGLE_DRIVE_FOLDER_ID?"
    ]
    assert nearly_ours(shared | {"GOOGLE_DRIVE_FOLDER_ID": "y"}) == []


def test_an_own_account_for_drive_takes_three_keys() -> None:
    """What is half set is named, instead of a service account that nobody wants."""
    half = load(environ={"FOCUSFLOW_DRIVE__OAUTH_CLIENT_ID": "i", "FOCUSFLOW_DRIVE__OAUTH_REFRESH_TOKEN": "r"})

    (sentence, *_) = missing_for_looking(half.settings)
    assert sentence.startswith("drive.oauth_client_secret is not set: your own account takes all three of ")


@pytest.mark.parametrize(
    ("allowed", "wish", "taken"),
    [("", "", True), ("me@example.com", "", False), ("", "no", False), ("me@example.com", "yes", True)],
)
def test_a_list_of_owners_is_not_passed_by_files_without_one(allowed: str, wish: str, taken: bool) -> None:
    """Unless that is said; without a list, everybody's files are taken, and nobody's too."""
    environ = {"ALLOWED_USERS": allowed, "FOCUSFLOW_DRIVE__ACCEPT_OWNERLESS": wish}

    assert load(environ=environ).settings.accepts_ownerless is taken
    assert load(environ=environ | {"FOCUSFLOW_SOURCE": "folder"}).settings.accepts_ownerless is (wish != "no")


def test_what_is_missing_for_work_is_said_in_the_users_names() -> None:
    """`config check` on a fresh machine leads the way."""
    sentences = "\n".join(missing_for_work(Settings()))

    for name in ("GOOGLE_SERVICE_ACCOUNT_KEY", "GOOGLE_DRIVE_FOLDER_ID", "ASSEMBLYAI_API_KEY", "OPENAI_API_KEY"):
        assert name in sentences


def test_names_of_the_earlier_version_set_the_model_where_no_newer_ones_do() -> None:
    """An old environment works as it is; OPENAI_ names win over it, one by one."""
    old = {"MODELSCOPE_API_KEY": "ms-1", "MODELSCOPE_BASE_URL": "https://ms.example/v1", "MODELSCOPE_MODEL_ID": "qwen"}

    settings = load(environ=old).settings.openai
    newer = load(environ=old | {"OPENAI_MODEL": "gpt"}).settings.openai

    assert (settings.base_url, settings.model) == ("https://ms.example/v1", "qwen")
    assert settings.api_key is not None
    assert settings.api_key.get_secret_value() == "ms-1"
    assert (newer.base_url, newer.model) == ("https://ms.example/v1", "gpt")


def test_a_server_of_ones_own_needs_no_key() -> None:
    """Compatible servers are first-class: no key is asked for."""
    settings = load(environ={"OPENAI_BASE_URL": "http://127.0.0.1:8080/v1"}).settings

    assert "OPENAI_API_KEY" not in "\n".join(missing_for_work(settings))


def test_names_of_the_web_version_are_accepted_and_said_to_do_nothing() -> None:
    """Old environments keep working, and nobody believes that a password protects something."""
    loaded = load(environ={"CRON_SECRET": "s3cret"})

    assert without_effect(loaded.settings, loaded.origins) == [
        "CRON_SECRET: has no effect: FocusFlow has no web server to protect"
    ]


def test_secrets_are_known_for_redaction_and_never_shown() -> None:
    """Every secret that is set is found; printing the settings shows none."""
    settings = load(environ={"OPENAI_API_KEY": "sk-abc-123", "GOOGLE_SERVICE_ACCOUNT_KEY": "{very-private}"}).settings

    assert sorted(secrets(settings)) == ["sk-abc-123", "{very-private}"]
    assert "sk-abc-123" not in repr(settings)
    assert isinstance(settings.openai.api_key, SecretStr)


def test_a_key_files_content_can_be_pasted_as_it_is(tmp_path: Path) -> None:
    """JSON is YAML as well; wherever it is read, it stays one secret text."""
    key = '{"type": "service_account", "private_key": "-----BEGIN KEY-----\\n"}'
    file = write(tmp_path / "c.yaml", f"drive:\n  credentials: {key}\n")

    for loaded in (load(file=file, environ={}), load(environ={"FOCUSFLOW_DRIVE__CREDENTIALS": key})):
        credentials = loaded.settings.drive.credentials
        assert credentials is not None
        assert credentials.get_secret_value() == key


def test_secrets_inside_secrets_are_known_too() -> None:
    """A service account's private key and a database's password, without what is around them."""
    settings = load(
        environ={
            "GOOGLE_SERVICE_ACCOUNT_KEY": '{"private_key": "-----BEGIN KEY-----"}',
            "DATABASE_URL": "postgresql://me:hunter22@db/calls",
        }
    ).settings

    assert {"-----BEGIN KEY-----", "hunter22"} <= set(secrets(settings))


def test_the_example_is_plain_yaml() -> None:
    """Editors and other tools can read it too."""
    assert isinstance(yaml.safe_load((ROOT / "config.example.yaml").read_text(encoding="utf-8")), dict)


@pytest.mark.parametrize(
    ("name", "text", "sentence"),
    [
        ("AUTO_PROCESS_ENABLED", "perhaps", "Expected true or false"),
        ("AUTO_PROCESS_DIRECTIONS", "inwards", "Expected incoming or outgoing"),
        ("AUTO_PROCESS_SINCE", "soon", "Expected an instant such as 2026-11-01T00:00:00+11:00"),
        ("AUTO_MAX_BATCH", "2.5", "Expected a whole number"),
        ("FOCUSFLOW_SOURCE", "dropbox", "Expected drive or folder"),
        ("FOCUSFLOW_CALL__REGION", "USA", "Expected the two letters of a country, such as US or GB"),
        ("FOCUSFLOW_LOGGING__JSON_LINES", "perhaps", "Expected true or false"),
        ("FOCUSFLOW_AUTO__MAX_PARALLEL", "x", "Expected a whole number"),
        ("AUTO_MAX_RETRIES", "-1", "Expected a whole number, at least 0"),
        ("AUTO_CONCURRENCY", "1000", "Expected a whole number, at most 64"),
        ("AUTO_MAX_BATCH", "1" + "0" * 30, "Expected a whole number, at most 1,000,000,000"),
        ("AUTO_DAILY_MAX_JOBS", "1" + "0" * 30, "Expected a whole number, at most 1,000,000,000"),
        ("FOCUSFLOW_AUTO__MAX_AGE_DAYS", "inf", "Expected a number, at most 36,500"),
        ("FOCUSFLOW_RETENTION__LOG_DAYS", "1e12", "Expected a number, at most 36,500"),
        ("FOCUSFLOW_NOTION__REQUESTS_PER_MINUTE", "1" + "0" * 30, "Expected a whole number, at most 100,000"),
        ("FOCUSFLOW_AUTO__MAX_AGE_DAYS", "0", "Expected a number, more than 0"),
        ("AUTO_STALE_PROCESSING_MS", "1", "Expected a whole number, at least 1,000"),
        ("AUTO_STALE_PROCESSING_MS", "86400001", "Expected a whole number, at most 86,400,000"),
        ("FOCUSFLOW_ASSEMBLYAI__SPEECH_MODELS", "[]", "Expected a list, not an empty one"),
        ("FOCUSFLOW_ASSEMBLYAI__SPEECH_THRESHOLD", "1.5", "Expected a number, at most 1"),
        ("FOCUSFLOW_DRIVE__TOKEN_URL", "foo", "'foo' is not an address"),
        ("DATABASE_URL", "foo://me:pw@host", "foo:// is not a database FocusFlow knows; write sqlite:///path or"),
        ("DATABASE_URL", "postgres+asyncpg://host/db", "postgres+asyncpg:// is not a database FocusFlow knows"),
        ("DATABASE_URL", "sqlit:///calls.db", "sqlit:// is not a database FocusFlow knows; did you mean sqlite?"),
        ("DATABASE_URL", "sqlite://calls.db", "a path follows three strokes; write sqlite:///path"),
        ("DATABASE_URL", "sqlite://", "the database needs a file; write sqlite:///path"),
        (
            "FOCUSFLOW_ASSEMBLYAI__REDACT_PII_POLICIES",
            "person_name, phone_nummer",
            "there is no phone_nummer; did you mean phone_number?",
        ),
        ("FOCUSFLOW_ASSEMBLYAI__USD_PER_HOUR", '{"universal-2": "-1"}', "universal-2: expected dollars between 0 and"),
        ("FOCUSFLOW_ASSEMBLYAI__USD_PER_HOUR", '{"universal-2": "1 EUR"}', "universal-2: expected dollars as a bare"),
        ("FOCUSFLOW_OPENAI__PRICES", '{"llama": {"input": "nan", "output": 0}}', "llama.input: expected dollars"),
        ("FOCUSFLOW_OPENAI__PRICES", '{"llama": {"input": 1}}', "llama: expected input, output and perhaps"),
        ("FOCUSFLOW_OPENAI__PRICES", '{"llama": {"input": 1, "output": 2, "ouput": 2}}', "cached_input; see ouput"),
        ("FOCUSFLOW_OPENAI__PRICES", '{"llama": 3}', "Expected keys and values"),
    ],
)
def test_a_value_that_does_not_fit_is_told_in_words(name: str, text: str, sentence: str) -> None:
    """What is expected, for people who know no type names."""
    with pytest.raises(ConfigError) as caught:
        load(environ={name: text})

    assert [problem.split(": ", 2)[0] for problem in caught.value.problems] == [name]
    assert sentence in str(caught.value)
    assert "pw" not in str(caught.value)


def test_what_can_be_blacked_out_is_what_the_service_knows() -> None:
    """The list is kept here, so that reading the configuration loads no SDK."""
    from assemblyai import PIIRedactionPolicy

    assert {policy.value for policy in PIIRedactionPolicy} == PII_POLICIES


@pytest.mark.parametrize(("text", "truth"), [("yes", True), ("on", True), ("1", True), ("No", False), ("False", False)])
def test_truth_can_be_said_in_many_words(text: str, truth: bool) -> None:
    """Environments of the earlier version say 1, true or yes."""
    environ = {"AUTO_PROCESS_ENABLED": text, "FOCUSFLOW_LOGGING__JSON_LINES": text}
    settings = load(environ=environ).settings

    assert (settings.auto.enabled, settings.logging.json_lines) == (truth, truth)


def test_a_day_without_a_zone_is_a_contradiction_and_no_crash(tmp_path: Path) -> None:
    """YAML reads 2026-11-01 as a day; the sentence says what is missing."""
    file = write(tmp_path / "c.yaml", "auto: {since: 2026-11-01}")

    with pytest.raises(ConfigError, match="say the zone as well"):
        load(file=file, environ={})


def test_a_price_table_of_ones_own_is_read_and_a_wrong_one_names_file_and_key(tmp_path: Path) -> None:
    """Prices that cannot be read stop FocusFlow: it does not go on with others."""
    table = tmp_path / "mine.toml"
    table.write_text(
        'currency = "USD"\n[[audio]]\nname = "universal-2"\nusd_per_hour = 0.11\nas_of = 2026-11-01\n', encoding="utf-8"
    )
    flags: dict[str, object] = {"assemblyai.price_table": str(table)}

    assert [rate.micros_per_hour for rate in price_table(load(environ={}, flags=flags).settings)] == [110_000]

    table.write_text('currency = "EUR"\n', encoding="utf-8")
    with pytest.raises(ConfigError, match=r"assemblyai\.price_table: .*mine\.toml: currency: 'EUR' is not known"):
        load(environ={}, flags=flags)
    table.unlink()
    with pytest.raises(ConfigError, match=r"mine\.toml cannot be read: No such file"):
        load(environ={}, flags=flags)


def test_a_file_with_keys_that_others_may_read_is_named(tmp_path: Path) -> None:
    """The configuration, and Google's key file; keys from elsewhere open no file."""
    config, key_file = tmp_path / "config.yaml", tmp_path / "key.json"
    key_file.write_text("{}", encoding="utf-8")
    config.write_text("openai:\n  api_key: sk-1\n", encoding="utf-8")
    config.chmod(0o640)
    key_file.chmod(0o604)
    environ = {"GOOGLE_SERVICE_ACCOUNT_KEY": str(key_file)}

    notes = open_to_others(load(file=config, environ=environ))
    assert [note.partition(": ")[0] for note in notes] == [str(config), str(key_file)]
    assert notes[0].endswith(f"others on this machine may read the keys in it: `chmod 600 {config}` keeps them out")

    config.chmod(0o600)
    key_file.chmod(0o400)
    assert open_to_others(load(file=config, environ=environ)) == []
    config.write_text("source: folder\n", encoding="utf-8")
    config.chmod(0o644)
    assert open_to_others(load(file=config, environ={"OPENAI_API_KEY": "sk-1"})) == []
    assert open_to_others(load(environ={"GOOGLE_SERVICE_ACCOUNT_KEY": str(tmp_path / "not there")})) == []
