"""What can go wrong, sorted by what the caller does next.

    FocusFlowError                    one sentence for a person; the log says what lies behind it
    |-- ConfigError                   stop and mend the configuration
    |-- BadRequest                    what a person asked for cannot be meant: say why, change nothing
    |-- StoreError                    the database cannot be used: say so, stop, lose nothing
    |   |-- StoreBusy                 another process holds the write lock: try again
    |   |-- DiskFull                  nothing can be written: hold everything until there is room
    |   |-- StoreReadOnly             it may be read and not written: show it, ask for nothing
    |   `-- NewerDatabase             written by a newer FocusFlow: upgrade
    |-- SourceError                   discovery could not look: try at the next tick
    |   `-- CursorExpired             the place we had reached is no longer known: list everything once
    |-- LostClaim                     somebody else owns the job now: stop, write nothing
    `-- StepError                     a step of one job could not be done
        |-- Transient                 try again later, with back-off, up to `max_retries`
        |   |-- Ambiguous             the request may have taken effect: look before repeating it
        |   `-- UnfinishedAnswer      a language model's answer broke off, and may have cost something
        |-- Held                      wait for something; comes back by itself and is not counted as a failure
        `-- Permanent                 stays failed until a person acts
            |-- PageGone              the page was deleted on purpose: do not make it again
            `-- TooLong               more text than the model takes: send it in smaller pieces

A vendor's exception is turned into one of these at its adapter's edge, once, with `raise ... from`.
"""

from collections.abc import Iterator
from datetime import datetime
from enum import StrEnum

LONGEST_MESSAGE = 2_000
"""Characters. What a service says is passed on, but not the whole of a web page."""
LONGEST_CAUSE = 200
"""Characters of what lies behind an error: others' words, for whoever looks closer."""
DEEPEST_CAUSE = 3


def _sentence(message: str) -> str:
    """Return *message* on one line, and not too long: parts of it are words of a service."""
    line = " ".join(message[: 2 * LONGEST_MESSAGE].split())
    return line if len(line) <= LONGEST_MESSAGE else f"{line[: LONGEST_MESSAGE - 1]}…"


class FocusFlowError(Exception):
    """Anything we raise on purpose; `str()` is a sentence for a person, without secrets."""


def cause_of(error: BaseException) -> str | None:
    """Return in one line what *error* was raised from, kinds and words; None if it was raised for itself."""
    causes: list[str] = []
    cause = error.__cause__
    while cause is not None and len(causes) < DEEPEST_CAUSE:
        words = " ".join(str(cause)[: 2 * LONGEST_CAUSE].split())
        causes.append(f"{type(cause).__name__}: {words[:LONGEST_CAUSE]}" if words else type(cause).__name__)
        cause = cause.__cause__ or (None if cause.__suppress_context__ else cause.__context__)
    return ", from ".join(dict.fromkeys(causes)) or None


class ConfigError(FocusFlowError):
    """The configuration cannot be used; each problem names its file, key and the nearest valid key."""

    def __init__(self, *problems: str) -> None:
        super().__init__("\n".join(problems))
        self.problems = problems


class BadRequest(FocusFlowError):
    """What was asked for cannot be meant; the sentence says why. Nothing was changed."""


class StoreError(FocusFlowError):
    """The database cannot be used as it is."""


class StoreBusy(StoreError):
    """Another process kept the database locked for longer than we wait."""


class DiskFull(StoreError):
    """The disk is full: nothing was written, nothing was lost."""


class StoreReadOnly(StoreError):
    """The database can at best be read: its disk, its file or the account allows no writing. Nothing was changed."""


class NewerDatabase(StoreError):
    """The database was written by a newer FocusFlow than this one."""

    def __init__(self, found: int, known: int) -> None:
        super().__init__(
            f"The database has schema version {found}, this FocusFlow knows {known}: upgrade FocusFlow, "
            "or point store.url at another database. Nothing was changed."
        )


class SourceError(FocusFlowError):
    """The source of recordings could not be read; the next tick tries again."""

    def __init__(self, message: str, *, retry_after: float | None = None) -> None:
        super().__init__(_sentence(message))
        self.retry_after = retry_after
        """Seconds the source asked us to wait, if it did."""


class CursorExpired(SourceError):
    """The source no longer knows the place we had reached; the caller lists everything once more."""


class LostClaim(FocusFlowError):
    """Raised when the job is no longer ours: the lease ran out, or it was cancelled. Nothing was written."""

    def __init__(self, job_id: str) -> None:
        super().__init__(f"Job {job_id} is no longer ours: its lease ran out or it was cancelled.")
        self.job_id = job_id


class StepError(FocusFlowError):
    """A step of one job could not be done. Its message is made one line of at most `LONGEST_MESSAGE` characters."""

    def __init__(self, message: str) -> None:
        super().__init__(_sentence(message))


class Transient(StepError):
    """Worth trying again later."""

    def __init__(self, message: str, *, retry_after: float | None = None) -> None:
        super().__init__(message)
        self.retry_after = retry_after
        """Seconds the service asked us to wait, if it did."""


class Ambiguous(Transient):
    """The request may have taken effect: look for its effect before repeating it."""


class HoldKind(StrEnum):
    """What a waiting job waits for."""

    BUDGET = "budget"
    CREDIT = "credit"
    CREDENTIALS = "credentials"
    RATE_LIMIT = "rate limit"
    SIDECAR = "sidecar"
    DISK = "disk"
    SERVICE = "service"


MENDABLE = (HoldKind.CREDENTIALS, HoldKind.CREDIT, HoldKind.SERVICE, HoldKind.DISK)
"""What ends when a person mends something, and not at a time that is known: a new start looks at once whether it has."""


class Held(StepError):
    """The job waits for something and comes back by itself."""

    def __init__(
        self, kind: HoldKind, message: str, *, retry_after: float | None = None, until: datetime | None = None
    ) -> None:
        super().__init__(message)
        self.kind = kind
        self.retry_after = retry_after
        """Seconds to wait; None lets the caller choose by kind."""
        self.until = until
        """The UTC instant at which the wait is over, where that is known better than a number of seconds."""


class Permanent(StepError):
    """Trying again would not help; the sentence says what a person can do."""


class PageGone(Permanent):
    """The page this job was written to was deleted on purpose; it is not made again by itself."""


class TooLong(Permanent):
    """The text is longer than the language model takes: smaller pieces would fit. Nothing was billed."""


class UnfinishedAnswer(Transient):
    """A language model's answer broke off or was cut; some of it may have been billed."""

    def __init__(self, message: str, *, usage: object | None = None, request_id: str | None = None) -> None:
        super().__init__(message)
        self.usage = usage
        """The tokens billed (`ports.TokenUsage`), or None where the broken stream hides them."""
        self.request_id = request_id


def leaves_of(error: BaseException) -> Iterator[BaseException]:
    """Yield the exceptions that *error* is made of: those of a group and of the groups in it, else itself."""
    if isinstance(error, BaseExceptionGroup):
        for inner in error.exceptions:
            yield from leaves_of(inner)
    else:
        yield error
