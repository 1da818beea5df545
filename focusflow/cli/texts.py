"""Which summaries are there of a call, who are its speakers, and how are they corrected?"""

import difflib
import re
from collections.abc import Sequence
from datetime import timedelta
from typing import TYPE_CHECKING, NoReturn

from focusflow.cli import output
from focusflow.cli.outcome import Exit, Finished, say
from focusflow.cli.session import Options, now, resolved, run_async
from focusflow.domain.money import format_usd
from focusflow.domain.transcript import SpeakerShare, clock_time, speaker_shares, swapped
from focusflow.errors import BadRequest
from focusflow.ports import SummaryVersion

if TYPE_CHECKING:
    from zoneinfo import ZoneInfo

    from focusflow.config import Settings
    from focusflow.domain.jobs import JobId
    from focusflow.domain.transcript import Transcript
    from focusflow.store import Store

FIRST_WORDS = 60
_NAMING = re.compile(r"(?P<label>[^=]+)=(?P<name>.*)", re.DOTALL)

# ------------------------------------------------------------------------------------------------------------ summaries


def print_summaries(
    options: Options, prefix: str, *, compare: tuple[int, int] | None, use: int | None, as_json: bool
) -> None:
    settings = options.load().settings
    if compare is not None and use is not None:
        raise Finished(Exit.USAGE, "Say either --compare or --use.")
    versions = run_async(lambda: _versions(settings, prefix, use))
    if use is not None:
        say(f"Summary {use} is in force now; it is brought to your pages by a running FocusFlow. Nothing was charged.")
    if compare is not None:
        output.put(_difference(_of(versions, compare[0]), _of(versions, compare[1])))
    elif as_json:
        output.put_json([_version_json(version) for version in versions])
    elif versions:
        output.put(_versions_text(versions, settings.zone))
    else:
        say("There is no summary of this call yet.")


async def _versions(settings: "Settings", prefix: str, use: int | None) -> Sequence[SummaryVersion]:
    from focusflow.wiring import opened_store

    async with opened_store(settings) as store:
        (job_id,) = await resolved(store, [prefix])
        if use is not None and not await store.use_summary(job_id, use, now=now()):
            _no_such(use, await store.summary_versions(job_id))
        return await store.summary_versions(job_id)


def _of(versions: Sequence[SummaryVersion], number: int) -> SummaryVersion:
    return next((version for version in versions if version.version == number), None) or _no_such(number, versions)


def _no_such(number: int, versions: Sequence[SummaryVersion]) -> NoReturn:
    there = ", ".join(str(version.version) for version in reversed(versions)) or "none"
    raise Finished(Exit.NOT_FOUND, f"There is no summary {number} of this call; there are {there}.")


def _difference(before: SummaryVersion, after: SummaryVersion) -> str:
    """Return a unified diff of two versions, title first."""
    names = [f"summary {version.version} ({version.summary.model})" for version in (before, after)]
    lines = difflib.unified_diff(_lines(before), _lines(after), names[0], names[1], lineterm="")
    return "\n".join(lines) or "The two summaries are the same."


def _lines(version: SummaryVersion) -> list[str]:
    return [f"# {output.plain(version.summary.title)}", *map(output.plain, version.summary.markdown.splitlines())]


def _version_json(version: SummaryVersion) -> output.Json:
    return {
        "version": version.version,
        "current": version.current,
        "made_at": output.instant(version.made_at),
        "model": version.summary.model,
        "prompt_hash": version.summary.prompt_hash,
        "cost_usd": output.maybe_usd(version.cost_micros),
        "title": version.summary.title,
        "markdown": version.summary.markdown,
    }


def _versions_text(versions: Sequence[SummaryVersion], zone: "ZoneInfo") -> str:
    rows = [
        (
            f"{version.version}{' *' if version.current else ''}",
            version.made_at.astimezone(zone).strftime("%Y-%m-%d %H:%M"),
            output.plain(version.summary.model),
            version.summary.prompt_hash,
            "?" if version.cost_micros is None else format_usd(version.cost_micros),
            output.plain(version.summary.title),
        )
        for version in versions
    ]
    return output.fitting(output.table(("SUMMARY", "MADE", "MODEL", "PROMPT", "COST", "TITLE"), rows))


# ------------------------------------------------------------------------------------------------------------- speakers


def name_speakers(options: Options, prefix: str, namings: Sequence[str], *, swap: bool, as_json: bool) -> None:
    settings = options.load().settings
    names = dict(map(_naming, namings))
    if names and swap:
        raise Finished(Exit.USAGE, "Say either names, such as A=Ann, or --swap.")
    try:
        shares = run_async(lambda: _speakers(settings, prefix, names, swap=swap))
    except (BadRequest, ValueError) as exc:
        raise Finished(Exit.USAGE, str(exc)) from exc
    if names or swap:
        say("Renamed in transcript and summary; a running FocusFlow brings it to your pages. Nothing was charged.")
    if as_json:
        output.put_json([_share_json(share) for share in shares])
    else:
        output.put(_shares_text(shares))


def _naming(text: str) -> tuple[str, str]:
    found = _NAMING.fullmatch(text)
    if found is None:
        raise Finished(Exit.USAGE, f'{text!r}: write it like A="Ann Miller".')
    return found["label"].strip(), found["name"].strip()


async def _speakers(settings: "Settings", prefix: str, names: dict[str, str], *, swap: bool) -> list[SpeakerShare]:
    from focusflow.wiring import opened_store

    async with opened_store(settings) as store:
        (job_id,) = await resolved(store, [prefix])
        transcript = await _transcript(store, job_id)
        wanted = swapped(transcript) if swap else names
        if wanted:
            await store.name_speakers(job_id, wanted, now=now())
            transcript = await _transcript(store, job_id)
    return speaker_shares(transcript)


async def _transcript(store: "Store", job_id: "JobId") -> "Transcript":
    transcript = (await store.documents(job_id)).transcript
    if transcript is None:
        raise Finished(Exit.NOT_FOUND, "There is no transcript of this call yet, so nobody has spoken.")
    return transcript


def _share_json(share: SpeakerShare) -> output.Json:
    return {
        "label": share.label,
        "name": share.name,
        "turns": share.turns,
        "talk_seconds": timedelta(milliseconds=share.talk_ms).total_seconds(),
        "first_words": share.first_words,
    }


def _shares_text(shares: Sequence[SpeakerShare]) -> str:
    if not shares:
        return "The transcriber told no speakers apart."
    rows = [
        (
            output.plain(share.label),
            output.plain(share.name or ""),
            clock_time(share.talk_ms),
            str(share.turns),
            output.cut(output.plain(share.first_words), FIRST_WORDS),
        )
        for share in shares
    ]
    return output.fitting(output.table(("SPEAKER", "NAME", "TALKS", "TURNS", "BEGINS WITH"), rows))
