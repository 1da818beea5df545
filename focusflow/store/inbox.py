"""The store as discovery needs it: files become jobs, sidecars find them, rules decide about them."""

import json
import re
import unicodedata
from collections.abc import Mapping, Sequence
from datetime import datetime

from focusflow.domain.jobs import Direction, DurationSource, Job, JobId, new_job_id
from focusflow.domain.money import Estimate
from focusflow.events import JobsAdded
from focusflow.ports import Absorbed, Arrival, SourceFile
from focusflow.store.database import Picked, Row, Statement, Value, storable
from focusflow.store.rows import content_mark, instant, job_from, milliseconds
from focusflow.store.sql import control as control_sql
from focusflow.store.sql import inbox as sql
from focusflow.store.sql import ledger
from focusflow.store.stored import Stored, log_picked

WAITING_FOR_SIDECAR = "Waiting for the recorder's details, which tell how long the call was."
_TWIN = "Skipped: the same recording is here already."
_FINGERPRINT = "rules_fingerprint"
_FIRST_STARTED = "first_started_at"

_NO_DIGIT = re.compile(r"\D+")
_SIDECAR_ENDING = re.compile(r"(\.(m4a|mp3|mp4|amr|awb|ogg|oga|opus|wav|aac|3gp|flac|webm))?\.json$", re.IGNORECASE)


class InboxPart(Stored):
    """Implements `ports.Inbox`."""

    async def cursor(self, source: str) -> str | None:
        return await self._control_value(f"cursor:{source}")

    async def absorb(
        self,
        source: str,
        arrivals: Sequence[Arrival],
        sidecars: Sequence[SourceFile],
        gone: Sequence[str],
        *,
        cursor: str,
        now: datetime,
        skip_twins: bool,
    ) -> Absorbed:
        page = _Page(source, now)
        page.vanish(gone)
        if arrivals:
            page.arrive(arrivals, skip_twins=skip_twins)
        if sidecars:
            page.bring_sidecars(sidecars)
        results = await self._database.run([sql.SET_CONTROL(key=f"cursor:{source}", value=cursor), *page.statements])
        added = page.rows("added", results)
        twins = tuple(JobId(row[0]) for row in page.rows("twins", results))
        updated = [*page.rows("updated", results), *page.rows("gone", results), *page.rows("back", results)]
        if added:
            self._tell([JobsAdded(job_ids=tuple(JobId(row[0]) for row in added))])
        self._tell_changes(updated, page.rows("paired", results), page.rows("twins", results))
        self._tell_lines(page.rows("lines", results))
        new = tuple(JobId(row[0]) for row in added)
        return Absorbed(
            added=new,
            updated=tuple(dict.fromkeys(JobId(row[0]) for row in updated)),
            twins=twins,
        )

    async def waiting_files(self, source: str) -> Sequence[str]:
        (rows,) = await self._database.read([sql.WAITING_FILES(source=source)])
        return [str(row[0]) for row in rows]

    async def unmeasured(self, *, limit: int, now: datetime) -> Sequence[Job]:
        (rows,) = await self._database.read([sql.UNMEASURED(limit=limit, now=now)])
        return list(map(job_from, rows))

    async def measured(
        self,
        job_id: JobId,
        *,
        duration_seconds: float,
        duration_source: DurationSource,
        direction: Direction | None,
        contact_number: str | None,
        estimate: Estimate,
        skip_reason: str | None,
        now: datetime,
        budget_exempt: bool | None = None,
    ) -> None:
        measured = sql.MEASURED(
            id=job_id,
            duration_seconds=duration_seconds,
            duration_source=duration_source,
            direction=direction,
            contact_number=contact_number,
            contact_key=contact_key(contact_number),
            needle=f" {searchable(contact_number)}" if contact_number else "",
            transcribe_micros=estimate.transcribe_micros,
            summarize_micros=estimate.summarize_micros,
            budget_exempt=None if budget_exempt is None else int(budget_exempt),
            skip_reason=skip_reason,
            now=now,
        )
        told_by = "the recorder's details" if duration_source is DurationSource.SIDECAR else f"its {duration_source}"
        length = f"{duration_seconds:.0f} seconds, by {told_by}"
        message = f"Skipped: {skip_reason}" if skip_reason else f"The call lasted {length}."
        results = await self._database.run(
            [measured, ledger.RELEASE_UNSPENT(ids=Picked(), now=now), log_picked(Picked(), message, now=now)]
        )
        self._tell_changes(results[0])
        self._tell_lines(results[2])

    # ----------------------------------------------------------------------------------------------------------- rules

    async def rules_fingerprint(self) -> str | None:
        return await self._control_value(_FINGERPRINT)

    async def judged(self, *, after: JobId | None, limit: int) -> Sequence[Job]:
        (rows,) = await self._database.read([sql.JUDGED(after=after or "", limit=limit)])
        return list(map(job_from, rows))

    async def rejudge(
        self,
        verdicts: Mapping[JobId, str | None],
        *,
        fingerprint: str | None,
        now: datetime,
        skip_twins: bool = True,
    ) -> None:
        keep = [] if fingerprint is None else [sql.SET_CONTROL(key=_FINGERPRINT, value=fingerprint)]
        if not verdicts:
            await self._database.run(keep)
            return
        allowed, refused, stopped, twins = Picked(3), Picked(5), Picked(6), Picked(11)
        judged = [
            sql.STAGE_VERDICTS(),
            sql.CLEAR_VERDICTS(),
            sql.JUDGE.each(lambda: ({"job_id": job_id, "reason": _text(why)} for job_id, why in verdicts.items())),
            sql.TAKE_BACK(now=now),
            sql.LIFT_BUDGET_HOLDS(now=now),
            sql.REFUSE(now=now),
            sql.REFUSE_RETRIES(now=now),
            ledger.RELEASE_UNSPENT(ids=refused, now=now),
            log_picked(allowed, "The rules allow it now.", now=now),
            log_picked(refused, "The rules refuse it now.", now=now),
            log_picked(stopped, "The rules refuse it now: it is not tried again.", now=now),
        ]
        compared = [
            sql.SKIP_TWINS_TAKEN_BACK(ids=allowed, now=now),
            ledger.RELEASE_UNSPENT(ids=twins, now=now),
            log_picked(twins, _TWIN, now=now),
        ]
        results = await self._database.run([*judged, *(compared if skip_twins else []), *keep])
        self._tell_changes(results[3], results[4], results[5], results[6], *(results[11:12] if skip_twins else []))
        self._tell_lines([*results[8], *results[9], *results[10], *(results[13] if skip_twins else [])])

    async def first_started_at(self, now: datetime) -> datetime:
        once = sql.SET_CONTROL_ONCE(key=_FIRST_STARTED, value=str(milliseconds(now)))
        _, rows = await self._database.run([once, sql.READ_CONTROL(key=_FIRST_STARTED)])
        return instant(int(rows[0][1]))

    async def _control_value(self, key: str) -> str | None:
        (rows,) = await self._database.read([sql.READ_CONTROL(key=key)])
        return str(rows[0][1]) if rows else None


class _Page:
    """A page on its way to becoming statements; knows which of them answers what. The cursor's is the first."""

    def __init__(self, source: str, now: datetime) -> None:
        self.statements: list[Statement] = []
        self._source, self._now = source, now
        self._answers: dict[str, list[int]] = {}

    def rows(self, answer: str, results: Sequence[Sequence[Row]]) -> list[Row]:
        """Return the rows of all statements that were added under this name."""
        return [row for place in self._answers.get(answer, ()) for row in results[place]]

    def _add(self, statement: Statement, answer: str = "") -> Picked:
        self.statements.append(statement)
        place = len(self.statements)  # the cursor's statement stands before
        self._answers.setdefault(answer, []).append(place)
        return Picked(place)

    def vanish(self, gone: Sequence[str]) -> None:
        """Skip what disappeared before it was processed, and let a duplicate take its place."""
        if not gone:
            return
        ids, reason = json.dumps(list(gone)), f"no longer in {self._source}"
        source, now = self._source, self._now
        vanished = self._add(sql.VANISH(source=source, gone=ids, reason=reason, now=now), "gone")
        self._add(log_picked(vanished, f"Skipped: {reason}", now=now), "lines")
        heirs = self._add(sql.REPLACE_VANISHED(ids=vanished, now=now), "back")
        self._add(log_picked(heirs, "Its twin is gone: this one takes its place.", now=now), "lines")
        self._add(sql.FOLLOW_HEIR(ids=heirs, now=now), "back")
        self._add(ledger.RELEASE_UNSPENT(ids=vanished, now=now))
        self._add(sql.FORGET_SIDECARS(source=source, gone=ids))
        self._add(sql.UNPAIR(source=source, gone=ids))

    def arrive(self, arrivals: Sequence[Arrival], *, skip_twins: bool) -> None:
        """Add what is new, update what changed, pair it with sidecars that came before, skip twins."""
        source, now = self._source, self._now
        latest = {arrival.file.file_id: arrival for arrival in arrivals}
        self._add(sql.STAGE_ARRIVALS())
        self._add(sql.CLEAR_ARRIVALS())
        self._add(sql.ARRIVE.each(lambda: (_staged(n, arrival) for n, arrival in enumerate(latest.values()))))
        self._add(sql.COMPARE(source=source))
        self._add(sql.ADD_NEW(source=source, sidecar_wait=WAITING_FOR_SIDECAR, now=now), "added")
        self._add(sql.NAME_NEW())
        silent = self._add(sql.REPLACED_SILENCE())
        self._add(control_sql.FORGET_TRANSCRIPT(ids=silent))
        self._add(control_sql.SUPERSEDE_DOCUMENTS(ids=silent, now=now))
        updated = self._add(sql.UPDATE_KNOWN(sidecar_wait=WAITING_FOR_SIDECAR, now=now), "updated")
        for log in (sql.LOG_NEW, sql.LOG_REPLACED, sql.LOG_RENAMED, sql.LOG_BACK):
            self._add(log(now=now), "lines")
        self._add(sql.OUTDATE_SIDECARS(source=source))
        self._add(sql.PAIR_ARRIVALS(source=source))
        self._add(ledger.RELEASE_UNSPENT(ids=updated, now=now))
        heirs = self._add(sql.REPLACE_REPLACED(now=now), "back")
        self._add(log_picked(heirs, "Its twin was replaced: this one takes its place.", now=now), "lines")
        self._add(sql.FOLLOW_HEIR(ids=heirs, now=now), "back")
        if skip_twins:
            for skip in (sql.SKIP_TWINS(now=now), sql.SKIP_TWINS_TAKEN_BACK(ids=heirs, now=now)):
                twins = self._add(skip, "twins")
                self._add(ledger.RELEASE_UNSPENT(ids=twins, now=now))
                self._add(log_picked(twins, _TWIN, now=now), "lines")

    def bring_sidecars(self, sidecars: Sequence[SourceFile]) -> None:
        """Remember what is new of the sidecars, pair it with the recordings that are here, and measure those by it."""
        source, now = self._source, self._now
        self._add(sql.STAGE_SIDECARS())
        self._add(sql.CLEAR_SIDECARS())
        latest = {file.file_id: file for file in sidecars}
        self._add(
            sql.ARRIVE_SIDECAR.each(
                lambda: (
                    {"file_id": file_id, "pair_key": sidecar_key(file), "content": content_mark(file.md5, file.size)}
                    for file_id, file in latest.items()
                )
            )
        )
        self._add(sql.DROP_KNOWN_SIDECARS(source=source))
        self._add(sql.KEEP_SIDECARS(source=source))
        paired = self._add(sql.PAIR_NEW_SIDECARS(source=source, now=now), "paired")
        anew = self._add(sql.MEASURE_ANEW(ids=paired, now=now), "paired")
        self._add(log_picked(anew, "Its sidecar is new: it is measured anew.", now=now), "lines")


def _staged(n: int, arrival: Arrival) -> dict[str, Value]:
    file = arrival.file
    return {
        "n": n,
        "file_id": file.file_id,
        "new_id": new_job_id(),
        "name": storable(file.name),
        "size": file.size,
        "md5": file.md5,
        "parent_id": file.parent_id,
        "web_url": file.web_url,
        "modified_at": _ms(file.modified_at),
        "pair_key": recording_key(file),
        "haystack": haystack(arrival),
        "recorder": arrival.recorder,
        "contact_name": _text(arrival.contact_name),
        "contact_number": _text(arrival.contact_number),
        "contact_key": contact_key(arrival.contact_name or arrival.contact_number),
        "direction": _text(arrival.direction),
        "call_type": _text(arrival.call_type),
        "call_at": _ms(arrival.call_at),
        "skip_reason": _text(arrival.skip_reason),
        "skipped_by": _text(arrival.skipped_by),
        "duration_seconds": arrival.duration_seconds,
        "duration_source": _text(arrival.duration_source),
        "transcribe_micros": arrival.estimate.transcribe_micros,
        "summarize_micros": arrival.estimate.summarize_micros,
        "hold_until": _ms(arrival.hold_until),
    }


def _ms(at: datetime | None) -> int | None:
    return None if at is None else milliseconds(at)


def _text(text: str | None) -> str | None:
    return None if text is None else storable(str(text))


def recording_key(file: SourceFile) -> str:
    """Return what a recording and its sidecar have in common: the folder and the name without its ending."""
    return _key(file.parent_id, file.name.rpartition(".")[0] or file.name)


def sidecar_key(file: SourceFile) -> str:
    """Return the key of the recording that the sidecar belongs to; `call.json` and `call.m4a.json` are the same."""
    return _key(file.parent_id, _SIDECAR_ENDING.sub("", file.name))


def _key(parent_id: str | None, stem: str) -> str:
    return storable(f"{parent_id or ''}/{stem if stem.isascii() else unicodedata.normalize('NFC', stem)}")


def haystack(arrival: Arrival) -> str:
    """Return everything about the call that a search looks through."""
    names = f"{arrival.contact_name or ''} {arrival.file.name}"
    return f"{folded(names)} {searchable(arrival.contact_number)}".strip()


def contact_key(contact: str | None) -> str | None:
    """Return what sorts a list by its contacts; a call without one has none."""
    return folded(contact) or None if contact else None


def searchable(number: str | None) -> str:
    """Return a number as a search may write it: as it stands, and its bare digits."""
    return f"{folded(number)} {_NO_DIGIT.sub('', number)}" if number else ""


def folded(text: str) -> str:
    """Return the text as a search sees it: in any script, without case."""
    return storable((text if text.isascii() else unicodedata.normalize("NFC", text)).casefold())
