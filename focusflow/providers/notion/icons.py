"""Which emoji tells at a glance what kind of call a page is about?"""

from typing import Final

from focusflow.domain.jobs import Direction
from focusflow.ports import Page

_BY_TYPE: Final = {
    "whatsapp": "💬",
    "telegram": "✈️",
    "signal": "🔒",
    "viber": "🟣",
    "messenger": "💬",
    "line": "💬",
    "wechat": "💬",
    "skype": "🎧",
    "facetime": "📹",
    "zoom": "🎥",
    "meet": "🎥",
    "teams": "🎥",
    "slack": "🎧",
    "voip": "🎧",
}
_BY_DIRECTION: Final = {Direction.OUTGOING: "📲", Direction.CONFERENCE: "👥"}
_USUAL: Final = "📞"


def icon_of(page: Page) -> str:
    """One emoji: by the app the call was made with, else by its direction."""
    words = (page.call_type or "").lower()
    by_type = next((icon for word, icon in _BY_TYPE.items() if word in words), None)
    if by_type is not None:
        return by_type
    return _BY_DIRECTION.get(page.direction, _USUAL) if page.direction else _USUAL
