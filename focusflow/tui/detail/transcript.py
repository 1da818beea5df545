"""How is a conversation written on the screen: who, when, what?"""

from collections.abc import Iterator

from rich.cells import cell_len

from focusflow.domain.transcript import Transcript, Utterance, clock_time, speaker_name, timed_text
from focusflow.ports import JobDetail
from focusflow.tui.detail.lines import SPEAKER_STYLES
from focusflow.tui.detail.missing import no_transcript
from focusflow.tui.detail.paragraphs import Paragraph, paragraph
from focusflow.tui.detail.sheet import Sheet
from focusflow.tui.detail.texts import lines_of, one_line, parts_of
from focusflow.tui.words import fit, many

NAME_CELLS = 16


def labels_of(transcript: Transcript) -> list[str]:
    """Return the transcriber's labels in the order in which their speakers begin."""
    return list(dict.fromkeys(turn.speaker for turn in transcript.utterances if turn.speaker is not None))


def conversation(transcript: Transcript, *, narrow: bool) -> Iterator[Paragraph]:
    """Yield a paragraph a turn: time, the speaker's name in their colour, what was said. *narrow*: no columns."""
    if transcript.utterances:
        voices = _Voices(transcript, narrow=narrow)
        for turn in transcript.utterances:
            yield from voices.turn(turn)
    elif transcript.text.strip():
        yield from map(paragraph, lines_of(transcript.text))
    else:
        yield paragraph(("Nothing was said in this call.", "quiet"))


class _Voices:
    """Each speaker's name and colour; the first two never share one."""

    def __init__(self, transcript: Transcript, *, narrow: bool) -> None:
        labels = labels_of(transcript)
        self._narrow = narrow
        self._names = {label: one_line(speaker_name(transcript, label)) for label in labels}
        self._styles = {label: f"speaker-{number % SPEAKER_STYLES + 1}" for number, label in enumerate(labels)}
        self._cells = min(NAME_CELLS, max(map(cell_len, self._names.values()), default=0))
        self._clock_cells = len(clock_time(max(turn.start_ms for turn in transcript.utterances)))

    def turn(self, turn: Utterance) -> Iterator[Paragraph]:
        clock = f"{clock_time(turn.start_ms):>{self._clock_cells}}"
        who = self._who(turn.speaker)
        hang = 2 if self._narrow else self._clock_cells + 1 + (self._cells + 2 if who else 1)
        said = parts_of(turn.text)
        yield paragraph((f"{clock} ", "quiet"), *who, one_line(next(said)), hang=hang)
        for part in said:
            yield paragraph(" " * hang, one_line(part), hang=hang)

    def _who(self, label: str | None) -> tuple[tuple[str, str], ...]:
        if label is None:
            return ()
        name, style = self._names[label], self._styles[label]
        if self._narrow:
            return ((fit(name, min(cell_len(name), NAME_CELLS)), style), (": ", "quiet"))
        return ((fit(name, self._cells), style), ("  ", ""))


class TranscriptView:
    """The conversation on the screen."""

    def __init__(self) -> None:
        self._transcript: Transcript | None = None
        self._drawn: tuple[Transcript, bool] | None = None
        self.sheet = Sheet()

    def draw(self, detail: JobDetail, *, narrow: bool) -> None:
        transcript = detail.documents.transcript
        self._transcript = transcript
        if transcript is None:
            self._drawn = None
            self.sheet.show([paragraph((no_transcript(detail.row.job), "quiet"))])
        elif self._drawn != (transcript, narrow):
            self._drawn = (transcript, narrow)
            self.sheet.show_lazily(conversation(transcript, narrow=narrow))

    def state(self) -> str:
        if self._transcript is None:
            return ""
        turns, language = many(len(self._transcript.utterances), "turn"), self._transcript.language
        return f"{turns}, spoken in {one_line(language)}" if language else turns

    def text(self) -> str:
        return timed_text(self._transcript) if self._transcript is not None else ""
