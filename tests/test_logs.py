"""Do lines go where they should, tell what they should, and never what they must not?"""

import io
import json
import logging
import threading
from pathlib import Path

import pytest

from focusflow.errors import ConfigError, SourceError
from focusflow.logs import FILE_BYTES, FILES_KEPT, Redaction, logging_to


class Terminal(io.StringIO):
    """A stream that says it is a terminal."""

    def isatty(self) -> bool:
        return True


def lines_of(file: Path) -> list[dict[str, object]]:
    return [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines()]


def test_the_file_has_a_json_object_for_each_line(tmp_path: Path) -> None:
    """With time, level, name and whatever was said beside the words."""
    file = tmp_path / "below" / "focusflow.log"
    with logging_to(level="info", file=file, stream=None, json_lines=None, secrets=[]):
        logging.getLogger("focusflow.x").info("completed", extra={"job": "abc", "seconds": 1.5})
        logging.getLogger("other").warning("a library says %s", "hello")
        logging.getLogger("focusflow.x").debug("not this")

    ours, theirs = lines_of(file)
    assert ours["event"] == "[abc] completed"
    assert (ours["job"], ours["seconds"], ours["level"], ours["logger"]) == ("abc", 1.5, "info", "focusflow.x")
    assert str(ours["timestamp"]).endswith("Z")
    assert (theirs["event"], theirs["level"]) == ("a library says hello", "warning")


def test_only_the_owner_may_read_the_file_after_a_rotation_too(tmp_path: Path) -> None:
    """It has names and numbers of people in it."""
    file = tmp_path / "below" / "focusflow.log"
    with logging_to(level="info", file=file, stream=None, json_lines=None, secrets=[]):
        for _ in range(3 * FILE_BYTES // 1_000_000):
            logging.getLogger("x").info("y" * 1_000_000)

    files = list(file.parent.iterdir())
    assert 2 <= len(files) <= FILES_KEPT + 1
    assert {path.stat().st_mode & 0o777 for path in files} == {0o600}
    assert file.parent.stat().st_mode & 0o077 == 0


def test_no_secret_gets_into_any_line(tmp_path: Path) -> None:
    """In the words, in what is said beside them, in a traceback, from a library."""
    file, stream = tmp_path / "focusflow.log", io.StringIO()
    secret = "sk-very-secret-1234"
    with logging_to(level="debug", file=file, stream=stream, json_lines=None, secrets=[secret, "", "sk-very"]):
        log = logging.getLogger("focusflow")
        log.info("the key is %s", secret, extra={"key": secret})
        logging.getLogger("library").info("sent %s", secret)
        try:
            raise ValueError(secret)
        except ValueError:
            log.exception("failed")

    text = file.read_text(encoding="utf-8") + stream.getvalue()
    assert "very-secret" not in text
    assert text.count("[secret]") >= 4
    assert "Traceback" in text


@pytest.mark.parametrize("evil", ["\x1b[2J", "\x07", "\x9b31m", "\u202e", "\r", "\x00", "\udc9b"])
def test_nothing_that_a_terminal_would_obey_gets_through(evil: str) -> None:
    """Names come from other people's phones."""
    cleaned = Redaction([]).clean(f"Ann{evil}Miller")

    assert evil not in cleaned
    assert cleaned.startswith("Ann\N{REPLACEMENT CHARACTER}")


def test_what_is_harmless_stays_as_it_is() -> None:
    """Any script, line breaks of tracebacks, and numbers."""
    assert Redaction(["abcd"]).clean("Jürgen 大島 🎉\n\tnext") == "Jürgen 大島 🎉\n\tnext"


def test_what_is_said_beside_the_words_keeps_its_kind(tmp_path: Path) -> None:
    """A number stays one, nothing stays nothing, and what JSON does not know is what `repr` says, without a secret."""
    file = tmp_path / "focusflow.log"
    with logging_to(level="info", file=file, stream=None, json_lines=None, secrets=["abcd"]):
        logging.getLogger("x").info(
            "100 % said", extra={"n": 3, "none": None, "path": Path("abcd/e"), "text": "x abcd"}
        )

    (line,) = lines_of(file)
    assert (line["event"], line["n"], line["none"], line["text"]) == ("100 % said", 3, None, "x [secret]")
    assert line["path"] == "PosixPath('[secret]/e')"


def test_the_longest_secret_is_taken_out_first() -> None:
    """One that begins with another leaves no tail behind."""
    assert Redaction(["abcd", "abcdefgh"]).clean("abcdefgh abcd") == "[secret] [secret]"


@pytest.mark.parametrize(
    ("stream", "json_lines", "as_json"),
    [
        (io.StringIO, None, True),
        (Terminal, None, False),
        (Terminal, True, True),
        (io.StringIO, False, False),
    ],
)
def test_people_get_lines_and_programs_get_json(
    stream: type[io.StringIO], json_lines: bool | None, as_json: bool
) -> None:
    """By itself, or as configured."""
    out = stream()
    with logging_to(level="info", file=None, stream=out, json_lines=json_lines, secrets=[]):
        logging.getLogger("focusflow").info("completed", extra={"job": "abc"})

    assert out.getvalue().startswith("{") is as_json
    assert "[abc] completed" in out.getvalue()


@pytest.mark.parametrize(("no_color", "coloured"), [("", True), ("1", False)])
def test_colour_is_for_terminals_that_want_it(no_color: str, coloured: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """no-color.org."""
    monkeypatch.setenv("NO_COLOR", no_color)
    out = Terminal()
    with logging_to(level="info", file=None, stream=out, json_lines=None, secrets=[]):
        logging.getLogger("focusflow").warning("completed")

    assert ("\x1b[" in out.getvalue()) is coloured


def test_a_traceback_is_in_the_file_and_never_on_the_screen(tmp_path: Path) -> None:
    """What went wrong is one line for whoever watches."""
    out, file = Terminal(), tmp_path / "focusflow.log"
    with logging_to(level="info", file=file, stream=out, json_lines=None, secrets=[]):
        logging.getLogger("focusflow").error("It is empty.", exc_info=ValueError("empty"), extra={"job": "abc"})

    assert out.getvalue().count("\n") == 1
    assert "[abc] It is empty." in out.getvalue()
    assert "ValueError" in file.read_text(encoding="utf-8")


def raised() -> SourceError:
    """An error of ours as adapters raise it."""
    try:
        try:
            raise FileNotFoundError(2, "No such file or directory", "/calls")
        except FileNotFoundError as exc:
            raise SourceError("The folder /calls is not there.") from exc
    except SourceError as ours:
        return ours


@pytest.mark.parametrize("wrapped", [False, True])
def test_what_was_expected_has_its_cause_in_a_line_and_no_traceback(wrapped: bool, tmp_path: Path) -> None:
    """Alone, or in the group that a task group makes of it; a folder that is missing is no mistake of ours."""
    error = ExceptionGroup("", [raised()]) if wrapped else raised()
    file = tmp_path / "focusflow.log"
    with logging_to(level="info", file=file, stream=None, json_lines=None, secrets=["calls"]):
        logging.getLogger("focusflow").error("It is not there.", exc_info=error)
        logging.getLogger("focusflow").error("It is empty.", exc_info=SourceError("It is empty."))

    line, without = lines_of(file)
    assert line["cause"] == "FileNotFoundError: [Errno 2] No such file or directory: '/[secret]'"
    assert "exception" not in line
    assert {"cause", "exception"} & set(without) == set()


def test_the_traceback_of_what_was_expected_is_there_at_level_debug(tmp_path: Path) -> None:
    """As it is of a mistake at any level, though it came with something expected."""
    file = tmp_path / "focusflow.log"
    for level, error in (("debug", raised()), ("info", ExceptionGroup("", [raised(), KeyError("x")]))):
        with logging_to(level=level, file=file, stream=None, json_lines=None, secrets=[]):
            logging.getLogger("focusflow").error("It is not there.", exc_info=error)

    assert ["Traceback" in str(line["exception"]) for line in lines_of(file)] == [True, True]


def test_libraries_that_tell_addresses_are_kept_quiet(tmp_path: Path) -> None:
    """Their warnings pass."""
    file = tmp_path / "focusflow.log"
    with logging_to(level="debug", file=file, stream=None, json_lines=None, secrets=[]):
        logging.getLogger("httpx").info("GET https://example.com/private")
        logging.getLogger("openai._base_client").info("Request: private")
        logging.getLogger("httpx").warning("careful")

    assert [line["event"] for line in lines_of(file)] == ["careful"]


def test_afterwards_everything_is_as_before(tmp_path: Path) -> None:
    """Handlers and level; and no thread is left."""
    root = logging.getLogger()
    before = root.handlers[:], root.level, threading.active_count()

    with logging_to(level="debug", file=tmp_path / "x.log", stream=None, json_lines=None, secrets=[]):
        assert root.level == logging.DEBUG
    with pytest.raises(KeyError), logging_to(level="debug", file=None, stream=None, json_lines=None, secrets=[]):
        raise KeyError("x")

    assert (root.handlers[:], root.level, threading.active_count()) == before


def test_a_file_that_cannot_be_written_is_one_sentence(tmp_path: Path) -> None:
    """With the keys to mend."""
    (tmp_path / "file").write_text("")

    with (
        pytest.raises(ConfigError, match=r"cannot be written \(.*\): set logging.file or data_dir"),
        logging_to(level="info", file=tmp_path / "file" / "x.log", stream=None, json_lines=None, secrets=[]),
    ):
        raise AssertionError("never reached")
