"""What does the user call the columns of the database?"""

from enum import StrEnum

from msgspec import Struct


class Role(StrEnum):
    """What a column is for; the value is its key under `notion.properties`."""

    TITLE = "title"
    DATE = "date"
    DIRECTION = "direction"
    DURATION = "duration"
    LINK = "link"
    STATUS = "status"
    KEY = "key"
    CONTACT = "contact"
    NUMBER = "number"
    CALL_TYPE = "call_type"


class PropertyNames(Struct, frozen=True, kw_only=True):
    """What the user calls the columns; None: not wanted."""

    title: str | None = None
    """None: the database's only title column, whatever its name."""
    date: str | None = "Date"
    direction: str | None = "Direction"
    duration: str | None = "Duration"
    link: str | None = "Drive Link"
    status: str | None = "Status"
    key: str | None = "External ID"
    """The page is found again by it."""
    contact: str | None = "Contact"
    number: str | None = "Number"
    call_type: str | None = "Call Type"
    status_done: str = "Complete"
    """The status of a call that is here."""

    def of(self, role: Role) -> str | None:
        """The configured name of the column for *role*."""
        name: str | None = getattr(self, role.value)
        return name
