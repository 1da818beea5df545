"""What becomes of rich text once Notion has it? The full objects it answers with, and the plain words in them."""

from collections.abc import Iterable

from focusflow.sandbox.notion.errors import Json
from focusflow.sandbox.notion.validation import STYLES


def stored_rich_text(items: Iterable[Json]) -> list[Json]:
    """The items as Notion keeps and returns them: every default spelled out, empty texts dropped."""
    stored = (_stored_item(item) for item in items)
    return [item for item in stored if item["plain_text"]]


def plain(items: Iterable[Json]) -> str:
    """The words alone."""
    return "".join(item["plain_text"] for item in items)


def rich(text: str) -> list[Json]:
    """*text* as a user types it: one unadorned run."""
    return stored_rich_text([{"text": {"content": text}}])


def _stored_item(item: Json) -> Json:
    given = item.get("annotations", {})
    annotations: Json = {style: given.get(style, False) for style in STYLES} | {"color": given.get("color", "default")}
    if "equation" in item:
        expression = item["equation"]["expression"]
        return {
            "type": "equation",
            "equation": {"expression": expression},
            "annotations": annotations,
            "plain_text": expression,
            "href": None,
        }
    content = item["text"]["content"]
    link = item["text"].get("link")
    href = link["url"] if link else None
    return {
        "type": "text",
        "text": {"content": content, "link": {"url": href} if href else None},
        "annotations": annotations,
        "plain_text": content,
        "href": href,
    }
