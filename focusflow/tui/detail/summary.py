"""Which summary of a call is shown: the current one, an older one, or the one that is being written?"""

from collections.abc import Iterator, Sequence

from focusflow.ports import JobDetail, SummaryVersion
from focusflow.tui.detail import markdown
from focusflow.tui.detail.missing import no_summary
from focusflow.tui.detail.paragraphs import Paragraph, paragraph
from focusflow.tui.detail.sheet import Sheet
from focusflow.tui.detail.texts import lines_of, one_line
from focusflow.tui.facts import Facts
from focusflow.tui.words import UNICODE, Symbols, moment, usd


class SummaryView:
    """A summary as it reads best, with its title; its versions can be looked through, compared and chosen."""

    def __init__(self, facts: Facts, symbols: Symbols) -> None:
        self._facts = facts
        self._signs = markdown.Signs() if symbols is UNICODE else markdown.ASCII_SIGNS
        self._dot = symbols.dot
        self._versions: Sequence[SummaryVersion] = ()
        self._at = 0
        """Which version is shown; 0 is the newest."""
        self._draft: markdown.Reader | None = None
        self._draft_length = 0
        self._detail: JobDetail | None = None
        self.comparing = False
        self.sheet = Sheet()

    # ---------------------------------------------------------------------------------------------------------- a draft

    def write(self, draft: str | None) -> None:
        """Show a summary that is being written, word by word; None: none is."""
        if draft is None or len(draft) < self._draft_length:
            self._draft, self._draft_length = None, 0
        self.sheet.growing = draft is not None
        if draft is None:
            self.sheet.follows = False
            return
        if self._draft is None:
            self._draft = markdown.Reader(self._signs)
            self.sheet.follows = True
        self._draft.hear(draft[self._draft_length :])
        self._draft_length = len(draft)
        self.sheet.show(self._draft.paragraphs())

    @property
    def writing(self) -> bool:
        return self._draft is not None

    # -------------------------------------------------------------------------------------------------------- versions

    def set_versions(self, versions: Sequence[SummaryVersion]) -> None:
        """Take the versions there are; the current one is shown first."""
        if [one.version for one in versions] != [one.version for one in self._versions]:
            self._at = next((place for place, one in enumerate(versions) if one.current), 0)
        self._versions = versions

    def forget(self) -> None:
        """Another call is shown now."""
        self._versions, self._at, self.comparing = (), 0, False
        self.write(None)
        self.sheet.to_start()

    def turn(self, way: int) -> bool:
        """Look at an older (-1) or newer (1) version; False: there is none."""
        if not self.has(way):
            return False
        self._at -= way
        return True

    def has(self, way: int) -> bool:
        """Say whether there is an older (-1) or newer (1) version than the one that is shown."""
        return 0 <= self._at - way < len(self._versions)

    def shown_version(self) -> SummaryVersion | None:
        return self._versions[self._at] if self._at < len(self._versions) else None

    def compare(self) -> bool:
        """Show what the version before this one said otherwise, or stop doing so; False: there is none before."""
        self.comparing = not self.comparing and self._at + 1 < len(self._versions)
        return self.comparing

    # --------------------------------------------------------------------------------------------------------- the view

    def draw(self, detail: JobDetail, *, narrow: bool) -> None:
        self._detail = detail
        if self._draft is None:
            self.sheet.show_lazily(self._paragraphs(detail))

    def _paragraphs(self, detail: JobDetail) -> Iterator[Paragraph]:
        version = self.shown_version()
        summary = version.summary if version is not None else detail.documents.summary
        if summary is None:
            yield paragraph((no_summary(detail.row.job), "quiet"))
            return
        if version is not None and self.comparing and self._at + 1 < len(self._versions):
            yield from _changes(self._versions[self._at + 1], version)
            return
        if title := one_line(summary.title):
            yield paragraph((title, "heading"))
            yield Paragraph()
        yield from markdown.read(summary.markdown, self._signs)

    def state(self) -> str:
        if self.writing:
            return "being written"
        version = self.shown_version()
        if version is None:
            return ""
        made = moment(version.made_at, self._facts.clock.now(), self._facts.budgets.zone)
        place = f"version {version.version}{' (in use)' if version.current else ''}"
        parts = [place, made, one_line(version.summary.model), usd(version.cost_micros)]
        return f" {self._dot} ".join(parts if len(self._versions) > 1 else parts[1:])

    def text(self) -> str:
        version = self.shown_version()
        if version is not None and not self.writing:
            return version.summary.markdown
        summary = self._detail.documents.summary if self._detail is not None else None
        return summary.markdown if summary is not None and not self.writing else self._as_shown()

    def _as_shown(self) -> str:
        return "\n".join(shown.text for shown in self.sheet.paragraphs)


def _changes(old: SummaryVersion, new: SummaryVersion) -> Iterator[Paragraph]:
    yield paragraph((f"From version {old.version} to version {new.version}:", "heading"))
    yield Paragraph()
    lines = (list(lines_of(one.summary.markdown)) for one in (old, new))
    yield from markdown.difference(*lines) or [paragraph("They say the same.")]
