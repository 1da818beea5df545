"""Is everything right with the configuration, as far as it can be told beforehand?

Loading says what is wrong with keys and their values. What needs a look at files, or at what other parts know, is looked at here:
a command that only prints numbers shall not wait for it.
"""

import difflib
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

from focusflow.cli import output
from focusflow.cli.logbook import log_file
from focusflow.cli.outcome import Exit, Finished, say
from focusflow.cli.session import Options, run_async
from focusflow.config import (
    Complaint,
    Settings,
    nearly_ours,
    open_to_others,
    placed,
    what_is_missing,
    without_effect,
)
from focusflow.errors import Permanent, StoreError


def check_config(options: Options, *, online: bool, as_json: bool) -> None:
    """Say everything that is wrong at once, and end with the exit code for it."""
    loaded = options.examine()
    settings = loaded.settings
    problems = list(loaded.problems)
    problems += placed([*what_is_missing(settings), *unusable(settings)], loaded.origins, loaded.unsure)
    notes = [*without_effect(settings, loaded.origins), *nearly_ours(), *open_to_others(loaded)]
    if online and not problems:
        problems = run_async(lambda: _ask_services(settings))
    if as_json:
        output.put_json({"file": loaded.file and str(loaded.file), "problems": problems, "notes": notes})
        raise Finished(Exit.CONFIGURATION if problems else Exit.DONE)
    for sentence in notes:
        say(f"note: {sentence}")
    if problems:
        raise Finished(Exit.CONFIGURATION, "\n".join(problems))
    say(f"{loaded.file or 'Environment and defaults'}: all is well.")


async def _ask_services(settings: Settings) -> list[str]:
    from focusflow.wiring import check_services

    return await check_services(settings)


def unusable(settings: Settings) -> Iterator[Complaint]:
    """Yield what would stop the work although every value is right: files, directories, and names that other parts know."""
    yield from _unusable_source(settings)
    yield from _unusable_database(settings)
    yield from _unwritable_places(settings)
    yield from _unreadable_prompts(settings)
    yield from _unknown_region(settings)
    yield from _impossible_keys(settings)


def _unusable_source(settings: Settings) -> Iterator[Complaint]:
    folder, drive = settings.folder.path, settings.drive
    if settings.source == "folder":
        if folder is not None and (trouble := _unreadable_directory(folder.expanduser())):
            yield Complaint(f"folder.path: {folder} {trouble}", ("folder.path", "source"))
    elif drive.credentials:
        from focusflow.wiring import unusable_credentials

        if trouble := unusable_credentials(settings):
            yield Complaint(trouble, ("drive.credentials", "source"))


def _unreadable_directory(path: Path) -> str | None:
    try:
        os.scandir(path).close()
    except (OSError, ValueError) as exc:
        return f"cannot be read ({_reason(exc)}): which folder has the recordings?"
    return None


def _reason(error: OSError | ValueError) -> str:
    return getattr(error, "strerror", None) or str(error)


def _unusable_database(settings: Settings) -> Iterator[Complaint]:
    from focusflow.wiring import missing_driver

    if trouble := missing_driver(settings):
        yield Complaint(trouble, ("store.url",))
    if settings.store.url is None or settings.store.url.startswith("postgres"):
        return
    from focusflow.store.opening import sqlite_path

    try:
        trouble = _unwritable(sqlite_path(settings.store.url))
    except StoreError as exc:
        yield Complaint(f"store.url: {exc}", ("store.url",))
    else:
        if trouble:
            yield Complaint(f"store.url: {trouble}", ("store.url",))


def _unwritable_places(settings: Settings) -> Iterator[Complaint]:
    """Yield what is wrong with where things are to be written. Nothing is made there by looking."""
    if trouble := _unwritable(settings.data_path / "focusflow.db"):
        yield Complaint(f"data_dir: {trouble}", ("data_dir",))
    if settings.logging.file is not None and (trouble := _unwritable(log_file(settings))):
        yield Complaint(f"logging.file: {trouble}", ("logging.file",))
    markdown = settings.markdown.path
    if markdown is not None and (trouble := _unwritable(markdown.expanduser() / "call.md")):
        yield Complaint(f"markdown.path: {trouble}", ("markdown.path",))


def _unwritable(file: Path) -> str | None:
    """Say why *file* could not be written or made, with the directories that it lacks."""
    there = next(place for place in (file, *file.absolute().parents) if os.path.exists(place))
    try:
        if there == file:
            os.close(os.open(file, os.O_WRONLY | os.O_APPEND | os.O_NONBLOCK))
        else:
            # permissions do not tell it all: a disk may be read-only, and nobody makes files in /proc
            tempfile.TemporaryFile(dir=there).close()
    except (OSError, ValueError) as exc:
        where = f"{file} cannot be written" if there == file else f"nothing can be written in {there}"
        return f"{where} ({_reason(exc)}): name another place"
    return None


def _unreadable_prompts(settings: Settings) -> Iterator[Complaint]:
    """Yield what is wrong with the files the model is to be instructed by."""
    from focusflow.pipeline.prompts import PromptFiles

    own = settings.prompts
    files = PromptFiles(summary=own.summary, title=own.title, merge=own.merge)
    for key, read in (("summary", files.read_summary), ("title", files.read_title), ("merge", files.read_merge)):
        try:
            read()
        except Permanent as exc:
            yield Complaint(f"prompts.{key}: {exc}", (f"prompts.{key}",))


def _unknown_region(settings: Settings) -> Iterator[Complaint]:
    from focusflow.domain.recordings.numbers import is_region

    if not is_region(settings.call.region):
        yield Complaint(
            f"call.region: no country has the letters {settings.call.region}: write them as in US or GB",
            ("call.region",),
        )


def _impossible_keys(settings: Settings) -> Iterator[Complaint]:
    """Yield which of the user's own keys for the screen it will not follow."""
    wishes = settings.screen.keys
    if not wishes:
        return
    from focusflow.tui.actions import ACTIONS, keymap
    from focusflow.tui.detail.keys import DETAIL_ACTIONS

    names = [action.id for action in (*ACTIONS, *DETAIL_ACTIONS)]
    for name in wishes:
        if name not in names:
            near = difflib.get_close_matches(name, names, n=1, cutoff=0.5)
            hint = f"did you mean {near[0]}?" if near else f"there are {', '.join(names)}"
            yield Complaint(f"screen.keys: there is no action {name}; {hint}", ("screen.keys",))
    known = {name: keys for name, keys in wishes.items() if name in names}
    for problem in keymap(known, ACTIONS, DETAIL_ACTIONS).problems:
        yield Complaint(f"screen.{problem}", ("screen.keys",))
