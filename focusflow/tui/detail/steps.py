"""What was tried, how long did it take, how did it end and what did it cost?"""

from collections.abc import Iterator

from focusflow.domain.jobs import Attempt, Job, Outcome, Step
from focusflow.ports import JobDetail
from focusflow.tui.detail.paragraphs import Paragraph, paragraph
from focusflow.tui.detail.sheet import Sheet
from focusflow.tui.detail.texts import one_line
from focusflow.tui.facts import Facts
from focusflow.tui.words import STEP_WORDS, fit, length, many, moment, usd

_OUTCOME_STYLES = {
    Outcome.RUNNING: "strong",
    Outcome.DONE: "good",
    Outcome.REUSED: "good",
    Outcome.FAILED: "error",
    Outcome.HELD: "warning",
    Outcome.CANCELLED: "quiet",
}


class StepsView:
    """One line an attempt, its error below; each can be chosen, and done again from there."""

    def __init__(self, facts: Facts) -> None:
        self._facts = facts
        self._steps: list[Step | None] = []
        self._count = 0
        self.running: tuple[Step, int] | None = None
        """How far the running step is, in percent."""
        self.sheet = Sheet(choosing=True)

    def draw(self, detail: JobDetail, *, narrow: bool) -> None:
        rows = list(self._rows(detail, narrow=narrow))
        self._count = len(detail.attempts)
        self._steps = [step for _, step in rows]
        self.sheet.show([shown for shown, _ in rows])

    def chosen_step(self) -> Step | None:
        """Return the step that the chosen line is about."""
        return self._steps[self.sheet.chosen] if self.sheet.chosen < len(self._steps) else None

    def state(self) -> str:
        return many(self._count, "attempt") if self._count else ""

    def text(self) -> str:
        return "\n".join(shown.text for shown in self.sheet.paragraphs)

    def _rows(self, detail: JobDetail, *, narrow: bool) -> Iterator[tuple[Paragraph, Step | None]]:
        if not detail.attempts:
            yield paragraph((_nothing_yet(detail.row.job), "quiet")), None
            return
        if not narrow:
            yield paragraph((f"{'Step':<12}{'Started':<14}{'Took':<9}{'Outcome':<11}{'Cost':>9}", "heading")), None
        for attempt in detail.attempts:
            yield self._attempt(attempt, narrow=narrow), attempt.step
            if attempt.error:
                yield paragraph("  ", (one_line(attempt.error), _OUTCOME_STYLES[attempt.outcome]), hang=2), None
        yield Paragraph(), None
        yield paragraph((_sum(detail), "quiet")), None

    def _attempt(self, attempt: Attempt, *, narrow: bool) -> Paragraph:
        started = moment(attempt.started_at, self._facts.clock.now(), self._facts.budgets.zone)
        word = STEP_WORDS[attempt.step]
        outcome = (str(attempt.outcome), _OUTCOME_STYLES[attempt.outcome])
        took, cost = self._took(attempt), _cost(attempt)
        copied = " ".join(f"{word} {started} {took} {attempt.outcome} {cost} {attempt.error or ''}".split())
        if narrow:
            return paragraph(
                (word, "strong"),
                "  ",
                outcome,
                f"  {took}  {cost}".rstrip(),
                (f"  {started}", "quiet"),
                hang=2,
                value=copied,
            )
        name, ending = outcome
        return paragraph(
            (fit(word, 12), "strong"),
            (fit(started, 14), "quiet"),
            fit(took, 9),
            (fit(name, 11), ending),
            fit(cost, 9, right=True),
            value=copied,
        )

    def _took(self, attempt: Attempt) -> str:
        if attempt.finished_at is not None:
            return length((attempt.finished_at - attempt.started_at).total_seconds())
        step, percent = self.running or (None, 0)
        return f"{percent} %" if step is attempt.step else ""


def _cost(attempt: Attempt) -> str:
    return usd(attempt.cost_micros) if attempt.cost_micros is not None else ""


def _sum(detail: JobDetail) -> str:
    return f"{many(len(detail.attempts), 'attempt')}, {usd(detail.row.job.cost_micros)} paid."


def _nothing_yet(job: Job) -> str:
    return "No step was begun: the call was skipped." if job.skip_reason else "No step was begun yet."
