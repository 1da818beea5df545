"""The store as people correct texts in it: which summary is in force, and who the speakers are. None of it costs anything."""

import json
from collections.abc import Mapping, Sequence
from datetime import datetime

from msgspec import Struct

from focusflow.domain.jobs import JobId
from focusflow.domain.transcript import Transcript, renamed, renamed_text
from focusflow.errors import BadRequest, StoreBusy
from focusflow.ports import Summary, SummaryVersion
from focusflow.store.database import Picked, Row, Statement
from focusflow.store.rows import instant, summary_from, transcript_from
from focusflow.store.sql import record as record_sql
from focusflow.store.sql import texts as sql
from focusflow.store.stored import Stored, log_picked

RENAMED = ", speakers renamed"
"""Stands behind the model of a version that only differs by names."""
TRIES = 5


class TextsPart(Stored):
    """Implements `ports.Texts`."""

    async def summary_versions(self, job_id: JobId) -> Sequence[SummaryVersion]:
        (rows,) = await self._database.read([sql.READ_VERSIONS(id=job_id)])
        return list(map(_version, rows))

    async def use_summary(self, job_id: JobId, version: int, *, now: datetime) -> bool:
        ids = json.dumps([job_id])
        revived = Picked(1)
        results = await self._database.run(
            [
                sql.RETIRE_SUMMARY(ids=ids, version=version, now=now),
                sql.REVIVE_SUMMARY(ids=ids, version=version),
                sql.ADOPT_SUMMARY(ids=revived, now=now),
                sql.SHOW_AGAIN(ids=revived, now=now),
                log_picked(revived, f"Summary {version} is in force now.", now=now),
            ]
        )
        self._tell_changes(results[2])
        self._tell_lines(results[4])
        return bool(results[1])

    async def name_speakers(self, job_id: JobId, names: Mapping[str, str], *, now: datetime) -> bool:
        for _ in range(TRIES):
            texts = await self._texts(job_id)
            if texts is None:
                return False
            try:
                after = renamed(texts.transcript, names)
            except ValueError as exc:
                raise BadRequest(str(exc)) from exc
            if after.speakers == texts.transcript.speakers or await self._rename(job_id, texts, after, now):
                return True
        raise StoreBusy("The texts of this call are being changed elsewhere: try again.")

    async def _texts(self, job_id: JobId) -> "_Texts | None":
        documents, versions = await self._database.read(
            [record_sql.READ_DOCUMENT(id=job_id), sql.READ_VERSIONS(id=job_id)]
        )
        if not documents or documents[0][0] is None:
            return None
        return _Texts(
            transcript=transcript_from(documents[0]), speakers=documents[0][2], versions=list(map(_version, versions))
        )

    async def _rename(self, job_id: JobId, texts: "_Texts", after: Transcript, now: datetime) -> bool:
        """Write the new names and what follows from them; False when somebody was quicker."""
        rename = sql.RENAME_SPEAKERS(
            id=job_id,
            speakers=json.dumps(after.speakers),
            before=texts.speakers,
            latest=max((version.version for version in texts.versions), default=0),
            current=texts.current.version if texts.current else 0,
        )
        done = Picked(0)
        line = log_picked(done, f"Speakers renamed: {_told(after)}.", now=now)
        results = await self._database.run(
            [
                rename,
                line,
                sql.TOUCH_ALL(ids=done, now=now),
                sql.SHOW_AGAIN(ids=done, now=now),
                *_rewritten(texts, after, done, now),
            ]
        )
        self._tell_lines(results[1])
        self._tell_changes(results[2])
        return bool(results[0])


class _Texts(Struct, frozen=True, kw_only=True):
    """What was read of a call, to be changed."""

    transcript: Transcript
    speakers: str
    """The names as they are stored."""
    versions: Sequence[SummaryVersion]

    @property
    def current(self) -> SummaryVersion | None:
        return next((version for version in self.versions if version.current), None)


def _rewritten(texts: _Texts, after: Transcript, ids: Picked, now: datetime) -> list[Statement]:
    """Put a summary with the new names in force: one that is there already, else a new version of the current one."""
    current = texts.current
    if current is None:
        return []
    markdown = renamed_text(current.summary.markdown, texts.transcript, after)
    title = renamed_text(current.summary.title, texts.transcript, after)
    if (markdown, title) == (current.summary.markdown, current.summary.title):
        return []
    adopt = [sql.ADOPT_SUMMARY(ids=ids, now=now)]
    known = _same(texts.versions, markdown, title)
    number = max(version.version for version in texts.versions) + 1 if known is None else known
    model = current.summary.model.removesuffix(RENAMED) + RENAMED
    add = sql.ADD_VERSION(
        ids=ids, version=number, current=current.version, title=title, markdown=markdown, model=model, now=now
    )
    return [
        *([add] if known is None else []),
        sql.RETIRE_SUMMARY(ids=ids, version=number, now=now),
        sql.REVIVE_SUMMARY(ids=ids, version=number),
        *adopt,
    ]


def _same(versions: Sequence[SummaryVersion], markdown: str, title: str) -> int | None:
    """Return the version that says just that, as after swapping names twice."""
    texts = {(version.summary.markdown, version.summary.title): version.version for version in versions}
    return texts.get((markdown, title))


def _version(row: Row) -> SummaryVersion:
    summary: Summary = summary_from(row)
    return SummaryVersion(
        version=row[4], summary=summary, made_at=instant(row[5]), cost_micros=row[6], current=bool(row[7])
    )


def _told(transcript: Transcript) -> str:
    return ", ".join(f"{label} is {name}" for label, name in sorted(transcript.speakers.items())) or "none has a name"
