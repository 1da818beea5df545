"""What can a person do inside the panes of a call, and by which keys?"""

from textual.binding import Binding, BindingType

from focusflow.tui.actions import Action, Group


def _look(id: str, keys: str, word: str, help: str, *, footer: int = 0) -> Action:
    return Action(id=id, keys=keys, word=word, help=help, group=Group.DETAIL, writes=False, footer=footer)


DETAIL_ACTIONS: tuple[Action, ...] = (
    _look("pane_log", "1", "log", "The call's own log, live"),
    _look("pane_transcript", "2", "transcript", "Who said what, and when"),
    _look("pane_summary", "3", "summary", "The summary, also while it is written"),
    _look("pane_steps", "4", "steps", "Each attempt: how long, how it ended, what it cost"),
    _look("pane_details", "5", "details", "Everything known, to be copied value by value"),
    _look("pane_next", "tab", "next pane", "Next pane", footer=60),
    _look("pane_previous", "shift+tab", "previous pane", "Previous pane"),
    _look("pane_down", "j,down", "down", "A line down"),
    _look("pane_up", "k,up", "up", "A line up"),
    _look("pane_page_down", "pagedown,ctrl+d,ctrl+f,space", "page", "A page down"),
    _look("pane_page_up", "pageup,ctrl+u", "page", "A page up"),
    _look("pane_first", "g,home", "first", "To the start"),
    _look("pane_last", "G,end", "last", "To the end"),
    _look("pane_follow", "f", "follow", "Stay with the end of a text that grows, or hold", footer=50),
    _look("pane_level", "l", "level", "Log: all lines, only warnings and errors, only errors", footer=45),
    _look("pane_wrap", "w", "wrap", "Long lines in full, or only their beginnings", footer=20),
    _look("pane_search", "slash", "search", "Search this pane", footer=40),
    _look("pane_match", "n", "next match", "Next match"),
    _look("pane_match_back", "N", "previous match", "Previous match"),
    Action(id="pane_swap", keys="s", word="swap", help="Swap the two speakers (free; page and summary follow)",
           group=Group.DETAIL, footer=35),
    Action(id="pane_names", keys="e", word="speakers", help="Name the speakers (free; page and summary follow)",
           group=Group.DETAIL, footer=55),
    _look("pane_older", "left_square_bracket", "older version", "Summary: an older version", footer=34),
    _look("pane_newer", "right_square_bracket", "newer version", "Summary: a newer version"),
    _look("pane_compare", "v", "compare", "Summary: what this version says otherwise than the one before", footer=33),
    Action(id="pane_use", keys="u", word="use this", help="Summary: use this version, on the page too (free)",
           group=Group.DETAIL, footer=32),
    Action(id="pane_again", keys="enter", word="do again", group=Group.DETAIL, asks=True, footer=65,
           help="Steps: do this step and all after it again; asks when it costs something"),
    _look("pane_open", "o", "link", "The chosen link, else the page's or the recording's: is copied",
          footer=30),
    _look("pane_copy", "y", "copy", "Copy the chosen value, or the whole text", footer=25),
    _look("pane_copy_all", "Y", "copy all", "Copy everything in this pane"),
    _look("pane_escape", "escape", "end search", "End the search; then back to the calls"),
)  # fmt: skip
"""In the order of the help. Where a key means something in one pane only, its words say so."""


WRITES = frozenset(action.id for action in DETAIL_ACTIONS if action.writes)
"""What is not offered where nothing can be written."""

MOVES = (
    *("pane_down", "pane_up", "pane_page_down", "pane_page_up", "pane_first", "pane_last"),
    *("pane_follow", "pane_wrap", "pane_match", "pane_match_back"),
)
"""What the lines themselves do; the rest is done by the panes around them."""


def bindings(*, moves: bool) -> list[BindingType]:
    """Return the built-in keys for Textual; `App.set_keymap` moves them by id."""
    return [
        Binding(
            action.keys,
            action.id if moves else f"pane('{action.id}')",
            action.word,
            show=False,
            id=action.id,
            tooltip=action.help,
        )
        for action in DETAIL_ACTIONS
        if (action.id in MOVES) is moves
    ]
