"""Is the configuration read in the right order, and does it say everything that is wrong?"""

from datetime import UTC, datetime
from pathlib import Path

import pytest
import yaml

from focusflow.config import (
    USER_NAMES,
    SecretStr,
    Settings,
    load,
    missing_for_work,
    open_to_others,
    price_table,
    secrets,
    valid_keys,
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
        f"{file}: auto.concurrency: Expected a whole number >= 1",
    )


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("a: [", "line 1: this is not YAML"),
        ("- a\n- b", "expected keys and values"),
        ("auto: 3", "auto is a section"),
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
        ("FOCUSFLOW_CALL__REGION", "USA", "Expected text matching regex '^[A-Za-z]{2}$'"),
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


@pytest.mark.parametrize(("text", "truth"), [("yes", True), ("on", True), ("1", True), ("No", False), ("False", False)])
def test_truth_can_be_said_in_many_words(text: str, truth: bool) -> None:
    """Environments of the earlier version say 1, true or yes."""
    assert load(environ={"AUTO_PROCESS_ENABLED": text}).settings.auto.enabled is truth


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
