"""Everything about one call, beside or below the list of calls."""

from focusflow.tui.detail.keys import DETAIL_ACTIONS
from focusflow.tui.detail.pane import Detail

__all__ = ["DETAIL_ACTIONS", "Detail"]
