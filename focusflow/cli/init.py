"""How does somebody who has just installed FocusFlow get a configuration?"""

import json
import os
import re
import sys
from collections.abc import Mapping
from importlib.resources import files
from pathlib import Path

from focusflow.cli.outcome import Exit, Finished, say
from focusflow.config import load, valid_keys
from focusflow.errors import ConfigError

EXAMPLE = "config.example.yaml"

_QUESTIONS = (
    ("timezone", "The time zone of your phone, such as Australia/Melbourne (empty: this machine's)"),
    ("source", "Where recordings come from: drive or folder (empty: drive)"),
    ("folder.path", "The folder that has the recordings"),
    ("drive.credentials", "The path of the service account's key for Google Drive"),
    ("drive.folder_id", "The id of the Drive folder: the last part of its address in the browser"),
    ("assemblyai.api_key", "Your key for AssemblyAI"),
    ("openai.api_key", "Your key for OpenAI"),
    ("notion.api_key", "Your key for Notion (empty: no Notion)"),
    ("notion.database_id", "The id of the Notion database"),
    ("budget.daily_usd", "The most that may be spent in a day, in dollars (empty: no limit)"),
)


def write_configuration(to: Path, wanted: Mapping[str, str], *, ask: bool) -> None:
    """Write *to*, with every key explained and those of *wanted* set, and say what to do next.

    Raises `ConfigError` when a key or value is wrong, `Finished` when the file is there already.
    """
    if to.exists():
        raise Finished(Exit.USAGE, f"{to} is there already and is left as it is. Name another file, or edit this one.")
    if unknown := [key for key in wanted if key not in valid_keys()]:
        raise ConfigError(*(f"--set: unknown key {key}; `focusflow config show` lists every key" for key in unknown))
    values = {**wanted, **(_asked(wanted) if ask and sys.stdin.isatty() and sys.stderr.isatty() else {})}
    load(environ={}, flags=values)  # a wrong value is said before anything is written
    _write(to, configured(_example(), values))
    say(f"{to} is written, for your eyes only. What you leave empty stays at its default.")
    say("Next: focusflow config check --online says what is missing or wrong, then focusflow opens the screen.")


def configured(example: str, values: Mapping[str, str]) -> str:
    """Return the example with *values* (dotted keys) in their places."""
    lines, sections = [], list[str]()
    for line in example.splitlines():
        found = re.fullmatch(r"( *)([a-z_0-9]+):(.*)", line)
        if found is not None:
            depth = len(found[1]) // 2
            sections[depth:] = [found[2]]
            key = ".".join(sections)
            if key in values:
                line = f"{found[1]}{found[2]}: {_yaml(values[key])}"
        lines.append(line)
    return "\n".join(lines) + "\n"


def _yaml(value: str) -> str:
    """Return the value as YAML reads it: numbers, truths, lists and mappings as they are, anything else quoted."""
    if re.fullmatch(r"-?\d+(\.\d+)?|true|false|\[.*\]|\{.*\}", value):
        return value
    return json.dumps(value, ensure_ascii=False)


def _asked(known: Mapping[str, str]) -> dict[str, str]:
    """Ask for what nearly everybody has to set; an empty answer leaves a key alone."""
    say("A few questions; an empty answer leaves a key at its default. Ctrl-C writes nothing.\n")
    answers: dict[str, str] = {}
    for key, question in _QUESTIONS:
        if key in known or not _matters(key, {**known, **answers}):
            continue
        if answer := _answer(key, question):
            answers[key] = answer
    return answers


def _matters(key: str, answers: Mapping[str, str]) -> bool:
    match key.partition(".")[0]:
        case "folder" | "drive" as source:
            return answers.get("source", "drive") == source
        case "notion":
            return key == "notion.api_key" or "notion.api_key" in answers
        case _:
            return True


def _answer(key: str, question: str) -> str:
    from getpass import getpass

    try:
        if key.endswith("api_key"):
            return getpass(f"{question} (not shown): ", stream=sys.stderr).strip()
        sys.stderr.write(f"{question}: ")
        sys.stderr.flush()
        return sys.stdin.readline().strip()
    except EOFError:
        return ""


def _example() -> str:
    packaged = files("focusflow") / EXAMPLE
    place = packaged if packaged.is_file() else Path(__file__).parents[2] / EXAMPLE
    return place.read_text(encoding="utf-8")


def _write(to: Path, text: str) -> None:
    try:
        to.parent.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(to, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with open(descriptor, "w", encoding="utf-8") as file:
            file.write(text)
    except OSError as exc:
        raise Finished(Exit.USAGE, f"{to}: cannot be written: {exc.strerror}.") from exc
