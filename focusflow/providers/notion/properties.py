"""What does the user call the columns of the database?"""

from dataclasses import dataclass
from enum import StrEnum


class Role(StrEnum):
    """What a column is for; the value is its key under `notion.properties`."""

    TITLE = "title"
    DATE = "date"
    DIRECTION = "direction"
    DURATION = "duration"
    LINK = "link"
    STATUS = "status"
    EXTERNAL_ID = "external_id"
    CONTACT = "contact"
    NUMBER = "number"


@dataclass(frozen=True, slots=True, kw_only=True)
class PropertyNames:
    """What the user calls the columns; None: not wanted."""

    title: str | None = None
    """None: the database's only title column, whatever its name."""
    date: str | None = "Date"
    direction: str | None = "Direction"
    duration: str | None = "Duration"
    link: str | None = "Drive Link"
    status: str | None = "Status"
    external_id: str | None = "External ID"
    contact: str | None = "Contact"
    number: str | None = "Number"
    status_done: str = "Done"
    """The status of a call that is here."""

    def of(self, role: Role) -> str | None:
        """The configured name of the column for *role*."""
        name: str | None = getattr(self, role.value)
        return name
