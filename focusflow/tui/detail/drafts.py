"""What have the models written so far of summaries that are not finished?"""

from collections import OrderedDict

from focusflow.domain.jobs import JobId, Status
from focusflow.events import JobChanged, SummaryText

DRAFTS_KEPT = 32
DRAFT_CHARACTERS = 200_000


class Drafts:
    """The text of each summary that is being written, from its first word on, for whoever looks later."""

    def __init__(self) -> None:
        self._texts: OrderedDict[JobId, list[str]] = OrderedDict()
        self._lengths: dict[JobId, int] = {}

    def hear_piece(self, event: SummaryText) -> bool:
        """Add what arrived; False when the draft is already as long as is kept."""
        length = self._lengths.get(event.job_id, 0) + len(event.text)
        if length > DRAFT_CHARACTERS:
            return False
        self._texts.setdefault(event.job_id, []).append(event.text)
        self._lengths[event.job_id] = length
        while len(self._texts) > DRAFTS_KEPT:
            self.forget(next(iter(self._texts)))
        return True

    def hear_change(self, event: JobChanged) -> None:
        """Let go of a draft once its job is not being summarised any more, be it done or to be begun anew."""
        if event.status is not Status.SUMMARIZING:
            self.forget(event.job_id)

    def forget(self, job_id: JobId) -> None:
        self._texts.pop(job_id, None)
        self._lengths.pop(job_id, None)

    def of(self, job_id: JobId) -> str | None:
        """Return what is written so far; None: nothing is."""
        pieces = self._texts.get(job_id)
        if pieces is None:
            return None
        pieces[:] = ["".join(pieces)]
        return pieces[0]
