"""Who is who in a call? Asked in a small window."""

from collections.abc import Mapping
from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding
from textual.containers import Vertical, VerticalScroll
from textual.screen import ModalScreen
from textual.widgets import Input, Static

from focusflow.domain.transcript import Transcript, speaker_name
from focusflow.tui.detail.texts import one_line
from focusflow.tui.detail.transcript import labels_of

SPEAKERS_ASKED = 12
NAME_LIMIT = 80


def swapped(transcript: Transcript) -> dict[str, str] | None:
    """Return the names of two speakers exchanged; None unless there are two, of whom one has a name."""
    labels = labels_of(transcript)
    if len(labels) != 2 or not transcript.speakers:
        return None
    first, second = labels
    return {first: speaker_name(transcript, second), second: speaker_name(transcript, first)}


class NameSpeakers(ModalScreen[Mapping[str, str] | None]):
    """One field a speaker, with something they said; gives back the names that were changed."""

    BINDINGS: ClassVar = [
        Binding("escape", "leave", "leave", show=False),
        Binding("f2,ctrl+t", "exchange", "swap", show=False),
        Binding("up", "app.focus_previous", show=False),
        Binding("down", "app.focus_next", show=False),
    ]

    def __init__(self, transcript: Transcript) -> None:
        super().__init__()
        self._transcript = transcript
        self._labels = labels_of(transcript)[:SPEAKERS_ASKED]

    def compose(self) -> ComposeResult:
        with Vertical(id="speakers"):
            yield Static("Who is who?", id="speakers-title", markup=False)
            with VerticalScroll(id="speakers-list", can_focus=False):
                for label in self._labels:
                    yield Static(self._said_by(label), classes="speakers-said", markup=False)
                    yield self._field(label)
            hint = "Enter saves, Esc leaves, Ctrl-T swaps two. Costs nothing; transcript, summary and page follow."
            yield Static(hint, id="speakers-hint", markup=False)

    def _field(self, label: str) -> Input:
        name = one_line(self._transcript.speakers.get(label, ""))
        field = Input(name, placeholder=f"Speaker {one_line(label)}", max_length=NAME_LIMIT, compact=True)
        field.cursor_blink = False
        return field

    def _said_by(self, label: str) -> str:
        """Return the longest of a speaker's first turns: by it people know whom they hear."""
        turns = [turn.text for turn in self._transcript.utterances[:200] if turn.speaker == label][:8]
        said = one_line(max(turns, key=len, default=""))
        return f"{one_line(label)}: {said[:140]}"

    def on_input_submitted(self) -> None:
        self.dismiss(self._changed())

    def _changed(self) -> dict[str, str]:
        names = {
            label: " ".join(field.value.split()) for label, field in zip(self._labels, self.query(Input), strict=True)
        }
        known = self._transcript.speakers
        return {label: name for label, name in names.items() if name and name != known.get(label)}

    def action_exchange(self) -> None:
        fields = list(self.query(Input))
        if len(fields) == 2:
            first, second = fields
            first.value, second.value = second.value, first.value

    def action_leave(self) -> None:
        self.dismiss(None)
