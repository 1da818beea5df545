"""What would a good model answer? Finds the scripted call in a prompt and gives its title or its summary."""

import json
import re
from collections.abc import Mapping, Sequence
from typing import Final

from msgspec import Struct

from focusflow.sandbox.screenplay import clock_time
from focusflow.sandbox.scripts import SCRIPTS, Script, Utterance, unknown_script

TELLING_LENGTH: Final = 28
"""Shorter lines may be said in any call."""
LONG_CALL_LINES: Final = 100
"""From here on a prompt may hold only a part of the call."""
WHOLE_CALL_SHARE: Final = 0.6
MOST_POINTS: Final = 8
TITLE_TOKENS: Final = 60
"""Who allows no more output than this wants a title."""

_ORDER: Final = (
    r"\b(?:write|give|generate|create|suggest|propose|produce|return|reply with|answer with|schreibe|escribe)\b"
)
_TITLE: Final = re.compile(
    rf"{_ORDER}[^.\n]{{0,80}}\b(?:title|titel|título)\b|\btitle (?:generator|only)\b", re.IGNORECASE
)
_SUMMARY: Final = re.compile(
    rf"{_ORDER}[^.\n]{{0,80}}\b(?:summary|zusammenfassung|resumen)\b|\b(?:summari[sz]e|merge|combine)\b", re.IGNORECASE
)
_TAG: Final = re.compile(r"</?[a-z]+>")
"""What prompts fence their data with."""


class _Found(Struct, frozen=True, kw_only=True):
    """A script that a prompt is about, and the lines of it that the prompt holds."""

    script: Script
    lines: Sequence[Utterance]
    share: float
    summarized: bool
    """The prompt holds a summary of the call, whole or in part."""


class Writer:
    """Answers prompts about the scripted calls as a good assistant would, always the same."""

    def __init__(self, scripts: Mapping[str, Script] = SCRIPTS) -> None:
        known = [*scripts.values(), unknown_script(120)]
        self._telling = [(script, _telling_lines(script)) for script in known]

    def answer(self, prompt: str, *, most_tokens: int | None, as_json: bool) -> str:
        """The text for *prompt*, all messages joined; *as_json* gives title and summary as one object."""
        found = self._find(" ".join(prompt.split()))
        title = found.script.title if found else _generic_title(prompt)
        summary = _summary(found) if found else _generic_summary(prompt)
        if as_json:
            return json.dumps({"title": title, "summary": summary}, ensure_ascii=False)
        return title if _wants_title(prompt, most_tokens) else summary

    def _find(self, prompt: str) -> _Found | None:
        candidates = [self._match(script, telling, prompt) for script, telling in self._telling]
        best = max(candidates, key=lambda found: (len(found.lines) + 3 * found.summarized, found.share))
        return best if best.lines or best.summarized else None

    def _match(self, script: Script, telling: Sequence[Utterance], prompt: str) -> _Found:
        lines = [line for line in telling if line.text in prompt]
        return _Found(
            script=script,
            lines=lines,
            share=len(lines) / max(len(telling), 1),
            summarized=script.heading.removeprefix("# ") in prompt,
        )


def _telling_lines(script: Script) -> list[Utterance]:
    """The lines that give the call away. Long calls repeat themselves, so only what is said once counts."""
    times_said: dict[str, int] = {}
    for line in script.utterances:
        times_said[line.text] = times_said.get(line.text, 0) + 1
    return [line for line in script.utterances if len(line.text) >= TELLING_LENGTH and times_said[line.text] == 1]


def _wants_title(prompt: str, most_tokens: int | None) -> bool:
    if most_tokens is not None and most_tokens <= TITLE_TOKENS:
        return True
    title, summary = _TITLE.search(prompt), _SUMMARY.search(prompt)
    return title is not None and (summary is None or title.start() < summary.start())


def _summary(found: _Found) -> str:
    """The script's own summary, also of merged parts; of a part of a long call only what that part says."""
    long_call = len(found.script.utterances) >= LONG_CALL_LINES
    if found.summarized or not long_call or found.share >= WHOLE_CALL_SHARE:
        return found.script.summary_markdown
    first, last = found.lines[0], found.lines[-1]
    longest = sorted(found.lines, key=lambda line: (-len(line.text), line.start_ms))[:MOST_POINTS]
    points = [
        f"- **{line.speaker}:** {line.text} [{clock_time(line.start_ms)}]"
        for line in sorted(longest, key=lambda line: line.start_ms)
    ]
    return "\n".join(
        (
            found.script.heading,
            "",
            f"*Part of the call, {clock_time(first.start_ms)} to {clock_time(last.end_ms)}.*",
            "",
            "## Points",
            "",
            *points,
            "",
        )
    )


def _generic_title(prompt: str) -> str:
    words = _sentences(prompt)[-1].split()[:6] if _sentences(prompt) else ["Call", "without", "words"]
    return " ".join(words).rstrip(".,:;!?")


def _generic_summary(prompt: str) -> str:
    """The last few sentences of the prompt as bullets: with nothing known, what is nearest to a summary."""
    points = [sentence for sentence in _sentences(prompt) if len(sentence.split()) >= 5][-5:]
    if not points:
        return "# Summary\n\nThere is nothing to summarize.\n"
    return "\n".join(("# Summary", "", *(f"- {point}" for point in points), ""))


def _sentences(prompt: str) -> list[str]:
    pieces = re.split(r"(?<=[.!?])\s+|\n+", _TAG.sub("\n", prompt))
    return [" ".join(piece.split()).lstrip("#>*- ") for piece in pieces if piece.strip("#>*- \t")]
