"""Which calls does the table hold in memory, and how does it get the next ones?

A window of rows over a list that may have a million: read in pages by key, in both directions, and cut at the far end.
"""

from collections.abc import Iterable, Sequence

from msgspec import Struct, field

from focusflow.domain.jobs import JobId
from focusflow.ports import Calls, JobFilter, JobRow, Order

PAGE = 120
"""Rows of one read."""
MOST = 480
"""Rows held; beyond it the end that is further away is dropped."""


class View(Struct, frozen=True, kw_only=True):
    """Which calls are listed, and in which order."""

    filter: JobFilter = field(default_factory=JobFilter)
    order: Order = Order.TIME
    descending: bool = True


class Window:
    """The rows around the one that is looked at."""

    def __init__(self, calls: Calls) -> None:
        self._calls = calls
        self.view = View()
        self.ids: list[JobId] = []
        self.rows: dict[JobId, JobRow] = {}
        self.at_start = self.at_end = False
        """Whether the first, the last row of the whole list is held."""
        self.loaded = False
        """Something was read, if only that there is nothing."""

    def __len__(self) -> int:
        return len(self.ids)

    def index(self, job_id: JobId | None) -> int | None:
        """Return where a job is in the window."""
        if job_id is None or job_id not in self.rows:
            return None
        return self.ids.index(job_id)

    async def show(self, view: View) -> None:
        """List other calls, or in another order, from the first one on."""
        self.view = view
        await self.first()

    async def first(self) -> None:
        """Hold the beginning of the list."""
        rows = await self._page(limit=PAGE)
        self._take(rows, at_start=True, at_end=len(rows) < PAGE)

    async def last(self) -> None:
        """Hold the end of the list."""
        rows = await self._page(limit=PAGE, backwards=True)
        self._take(rows, at_start=len(rows) < PAGE, at_end=True)

    async def more_below(self) -> bool:
        """Hold a page more at the end; False if there is none."""
        if self.at_end or not self.ids:
            return False
        rows = await self._page(limit=PAGE, beyond=self.ids[-1])
        self.at_end = len(rows) < PAGE
        self._keep([*self._held(), *rows])
        if (surplus := len(self.ids) - MOST) > 0:
            self._drop(self.ids[:surplus])
            self.ids, self.at_start = self.ids[surplus:], False
        return bool(rows)

    async def more_above(self) -> bool:
        """Hold a page more at the beginning; False if there is none."""
        if self.at_start or not self.ids:
            return False
        rows = await self._page(limit=PAGE, beyond=self.ids[0], backwards=True)
        self.at_start = len(rows) < PAGE
        self._keep([*rows, *self._held()])
        if len(self.ids) > MOST:
            self._drop(self.ids[MOST:])
            self.ids, self.at_end = self.ids[:MOST], False
        return bool(rows)

    async def again(self) -> None:
        """Read the same piece of the list anew: calls came, went or changed their place."""
        if self.at_start or not self.ids:
            limit = max(PAGE, len(self.ids))
            rows = await self._page(limit=limit)
            self._take(rows, at_start=True, at_end=len(rows) < limit)
            return
        before = await self._page(limit=1, beyond=self.ids[0], backwards=True)
        limit = len(self.ids)
        rows = await self._page(limit=limit, beyond=before[0].job.id if before else None)
        if rows:
            self._take(rows, at_start=not before, at_end=len(rows) < limit)
        else:
            await self.last()

    async def refresh(self, changed: Iterable[JobId]) -> list[JobId]:
        """Read those of *changed* that are held, where they are; return the ones that look otherwise now."""
        held = [job_id for job_id in changed if job_id in self.rows]
        if not held:
            return []
        now = {row.job.id: row for row in await self._calls.rows(held)}
        different = [job_id for job_id in held if job_id in now and now[job_id] != self.rows.get(job_id)]
        self.rows.update((job_id, now[job_id]) for job_id in different)
        return different

    async def _page(self, *, limit: int, beyond: JobId | None = None, backwards: bool = False) -> Sequence[JobRow]:
        view = self.view
        return await self._calls.page(
            view.filter,
            order=view.order,
            descending=view.descending,
            limit=limit,
            beyond=beyond,
            backwards=backwards,
        )

    def _held(self) -> list[JobRow]:
        return [self.rows[job_id] for job_id in self.ids]

    def _take(self, rows: Sequence[JobRow], *, at_start: bool, at_end: bool) -> None:
        self._keep(rows)
        self.at_start, self.at_end, self.loaded = at_start, at_end, True

    def _keep(self, rows: Sequence[JobRow]) -> None:
        self.rows = {row.job.id: row for row in rows}
        self.ids = list(self.rows)

    def _drop(self, job_ids: Sequence[JobId]) -> None:
        for job_id in job_ids:
            del self.rows[job_id]
