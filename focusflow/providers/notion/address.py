"""Which database does the user mean by what was pasted?"""

import re
from typing import Final
from urllib.parse import urlsplit

from focusflow.errors import ConfigError, Held, HoldKind
from focusflow.providers.notion.answers import as_object, identity

# at the end of a link's path, where a title that may look hexadecimal itself precedes it
_ID: Final = re.compile(r"([0-9a-f]{32}|[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})$", re.IGNORECASE)


def notion_id(pasted: str) -> str:
    """Return the id in *pasted*: an id with or without dashes, or a link to the database. Raises `ConfigError`."""
    text = pasted.strip()
    try:
        path = urlsplit(text).path if "/" in text else text.partition("?")[0]
    except ValueError:  # a bracket that belongs to no address
        path = ""
    match = _ID.search(path.rstrip("/"))
    if match is None:
        raise ConfigError(
            f"notion.database_id: '{pasted}' holds no Notion id: open the database as a full page and paste its link."
        )
    compact = match[1].replace("-", "").lower()
    return "-".join((compact[:8], compact[8:12], compact[12:16], compact[16:20], compact[20:]))


def only_data_source(database: object) -> str:
    """Return the id of the database's data source. Raises `Held` unless there is exactly one."""
    listed = as_object(database).get("data_sources")
    sources = [as_object(item) for item in listed] if isinstance(listed, list) else []
    if len(sources) == 1:
        return identity(sources[0])
    if not sources:
        raise Held(HoldKind.CREDENTIALS, "The Notion database has no data source: is it only a linked view of another?")
    named = ", ".join(f"{source.get('name') or 'unnamed'} ({identity(source)})" for source in sources)
    raise Held(
        HoldKind.CREDENTIALS,
        f"The Notion database has several data sources: {named}. Set notion.data_source_id to the one to write to.",
    )
