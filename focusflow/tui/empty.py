"""What does the list say while it shows no call?"""

from focusflow.tui.counts import CELLS, cell_of
from focusflow.tui.facts import Facts
from focusflow.tui.live import Live
from focusflow.tui.plain import plain
from focusflow.tui.window import View


def note(view: View, facts: Facts, live: Live, *, loaded: bool) -> list[str]:
    """Return lines for people: why there is nothing, and what to do."""
    key = facts.key
    if facts.not_set_up(live.worker):
        keys = f"{key('quit')} quits, {key('help')} shows all keys."
        return ["Welcome to FocusFlow.", "", *map(plain, facts.first_start), "", keys]
    if live.trouble is not None:
        return ["The database cannot be read.", plain(live.trouble), "It is tried again by itself."]
    if not loaded:
        return ["Reading the calls…"]
    cell = cell_of(view.filter)
    if view.filter.search:
        where = "" if cell is CELLS[0] else f" among those that are {cell.word}"
        return [f"Nothing found for “{plain(view.filter.search)}”{where}.", f"{key('close')} shows all calls again."]
    if cell is not CELLS[0]:
        return [f"No call is {cell.word}.", "0 shows all calls."]
    return ["No calls yet.", f"New recordings are looked for every few minutes; {key('discover')} looks now."]
