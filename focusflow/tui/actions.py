"""What can a person do on the screen, by which keys, in which words, and when?

One registry: the keys, the footer, the help, the palette and the names of the commands derive from it.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from enum import StrEnum
from functools import lru_cache

from msgspec import Struct, field
from textual.binding import Binding

from focusflow.domain.jobs import WORKING, Job, Status
from focusflow.ports import ControlState
from focusflow.tui import words


class Group(StrEnum):
    """Where an action stands in the help."""

    MOVE = "Move"
    LOOK = "Look"
    CALL = "This call, or those marked"
    WORK = "All the work"
    MONEY = "Money"
    SCREEN = "Screen"
    DETAIL = "In the panes of a call"


class Context(Struct, frozen=True, kw_only=True):
    """What the keys are meant for at this moment."""

    job: Job | None = None
    """Of the selected call."""
    marked_as: Mapping[Status, int] = field(default_factory=dict)
    """How many of the marked calls are in each state."""
    control: ControlState = field(default_factory=ControlState)
    in_flight: int = 0
    """How many calls are worked on, by whomever."""
    here: int = 0
    """How many of them are worked on here, and can be handed back."""
    draining: bool = False
    """Nothing new is started: the screen closes when what runs is finished."""
    failed: int = 0
    older: int = 0
    """Calls that were there before the first start and wait for a word."""
    detail: bool = False
    """The panes of a call are open and have the keyboard."""
    monitor: bool = False
    orphaned: bool = False
    """Nobody works on the database that is only looked at here."""
    read_only: bool = False
    not_set_up: bool = False
    """Nothing is configured: nobody would do what is asked for."""
    searching: bool = False
    """Somebody types what to search for: keys are letters."""

    @property
    def marked(self) -> int:
        return sum(self.marked_as.values())

    def meant(self, *statuses: Status) -> int:
        """Return how many calls in these states (none: in any) a key is meant for: those marked, else the selected one."""
        if self.marked_as:
            return sum(count for status, count in self.marked_as.items() if not statuses or status in statuses)
        return int(self.job is not None and (not statuses or self.job.status in statuses))


Condition = Callable[[Context], bool]


def _always(_: Context) -> bool:
    return True


def _starts_calls(context: Context) -> bool:
    return not context.draining


def _pauses(context: Context) -> bool:
    return not context.draining and not (context.control.paused and context.in_flight and not context.here)


def _a_call(context: Context) -> bool:
    return context.meant() > 0


class Action(Struct, frozen=True, kw_only=True):
    """One thing a person can do."""

    id: str
    keys: str
    """Comma separated, as Textual names them; the first one is shown."""
    word: str
    """For the footer: one or two words."""
    help: str
    """A sentence for the help and the palette."""
    group: Group
    when: Condition = _always
    fits: tuple[Status, ...] = ()
    """It is done to calls in these states, and to no other that is marked beside them; empty: to any."""
    unless: str = ""
    """Why it means nothing now, where it does; for the status line and the palette."""
    verb: str | None = None
    """The command that does the same: `focusflow retry`."""
    asks: bool = False
    """It costs money or cannot be undone, so it asks once."""
    writes: bool = True
    """It changes something in the database; not offered when that is read only."""
    footer: int = 0
    """How much it is worth in the footer; 0: not shown there."""

    @property
    def always(self) -> bool:
        """It means something at any moment."""
        return self.when is _always and not self.fits


SKIPPABLE = (Status.DISCOVERED, Status.FAILED)
_DONE = "This call is completed, or being worked on."
_OPEN = "This call is not completed."

ACTIONS: tuple[Action, ...] = (
    Action(id="down", keys="j,down", word="down", help="Next call", group=Group.MOVE, writes=False),
    Action(id="up", keys="k,up", word="up", help="Previous call", group=Group.MOVE, writes=False),
    Action(id="page_down", keys="pagedown,ctrl+d,ctrl+f", word="page", help="A page down", group=Group.MOVE,
           writes=False),
    Action(id="page_up", keys="pageup,ctrl+u", word="page", help="A page up", group=Group.MOVE, writes=False),
    Action(id="first", keys="g,home", word="first", help="First call of the list", group=Group.MOVE, writes=False),
    Action(id="last", keys="G,end", word="last", help="Last call of the list", group=Group.MOVE, writes=False),
    Action(id="next_failed", keys="e", word="next failure", help="Next call that failed", group=Group.MOVE,
           writes=False),
    Action(id="open", keys="enter,l,right", word="open", help="Open the call: log, transcript, summary, steps, details",
           group=Group.LOOK, when=lambda c: c.job is not None and not c.detail, unless="There is no call here, or it is open already.",
           verb="jobs show", writes=False, footer=90),
    Action(id="close", keys="escape,h,left", word="back", help="Back; or drop the marks, the search, the filter",
           group=Group.LOOK, writes=False),
    Action(id="search", keys="slash", word="search", help="Search contact, number, transcript and summary",
           group=Group.LOOK, verb="jobs list --search", writes=False, footer=60),
    Action(id="filter", keys="f", word="filter", help="Show only calls of the next status; 1 to 9 choose one, 0 all",
           group=Group.LOOK, verb="jobs list --status", writes=False, footer=40),
    Action(id="sort", keys="s", word="sort", help="Sort by time, contact, length or cost", group=Group.LOOK,
           writes=False, footer=35),
    Action(id="reverse", keys="S", word="reverse", help="Turn the order round", group=Group.LOOK, writes=False),
    Action(id="mark", keys="space", word="mark", help="Mark the call; keys for a call then mean all that are marked",
           group=Group.LOOK, when=_a_call, writes=False, footer=30),
    Action(id="mark_range", keys="v", word="mark to here", help="Mark every call from the last mark to this one",
           group=Group.LOOK, when=_a_call, writes=False),
    Action(id="retry", keys="r", word="retry", help="Try a failed call again; says what it costs, if anything",
           group=Group.CALL, fits=(Status.FAILED,), unless="This call has not failed.", verb="retry", footer=95),
    Action(id="retry_all", keys="R", word="retry all", help="Try every failed call again", group=Group.CALL,
           when=lambda c: c.failed > 0, unless="No call has failed.", verb="retry --all", asks=True, footer=25),
    Action(id="process", keys="n", word="do now", help="Do this call now, whatever the rules say", group=Group.CALL,
           when=_starts_calls, fits=(*SKIPPABLE, Status.SKIPPED), unless=_DONE, verb="process", footer=80),
    Action(id="cancel", keys="c", word="cancel", help="Stop work on this call; what is paid for stays",
           group=Group.CALL, fits=WORKING, unless="Nobody works on this call now.", verb="cancel", footer=85),
    Action(id="skip", keys="x", word="skip", help="Do not do this call; again: do it after all", group=Group.CALL,
           fits=(*SKIPPABLE, Status.SKIPPED), unless=_DONE, verb="skip", footer=70),
    Action(id="resummarize", keys="m", word="summarize again", help="Write the summary anew (cheap)",
           group=Group.CALL, fits=(Status.COMPLETED,), unless=_OPEN, verb="resummarize", asks=True, footer=45),
    Action(id="resync", keys="N", word="sync again", help="Bring the call to Notion again (free)", group=Group.CALL,
           fits=(Status.COMPLETED,), unless=_OPEN, verb="process --from sync", footer=50),
    Action(id="retranscribe", keys="T", word="transcribe again", help="Transcribe the recording anew (dear)",
           group=Group.CALL, fits=(Status.COMPLETED, Status.FAILED),
           unless="This call is neither completed nor failed.", verb="retranscribe", asks=True),
    Action(id="copy", keys="y", word="copy", help="Copy the call's main facts and its link", group=Group.CALL,
           when=_a_call, writes=False, footer=20),
    Action(id="save", keys="w", word="save", help="Save the call, its transcript and its summary to a file",
           group=Group.CALL, when=_a_call, verb="jobs export", writes=False, footer=10),
    Action(id="pause", keys="p", word="pause",
           help="Pause: nothing new is started; again: what runs goes back to the queue; at rest: go on",
           group=Group.WORK, when=_pauses, unless="What runs is finished where it was begun.", verb="pause", footer=75),
    Action(id="resume", keys="P", word="resume", help="Go on after a pause", group=Group.WORK,
           when=lambda c: c.control.paused, unless="Nothing is paused.", verb="resume", footer=78),
    Action(id="take_over", keys="A", word="work here",
           help="Do the work here, where the FocusFlow that was looked at has ended", group=Group.WORK,
           when=lambda c: c.orphaned, unless="There is no work here to take over.", footer=93),
    Action(id="discover", keys="d", word="look for calls", help="Look for new recordings now", group=Group.WORK,
           verb="discover", footer=28),
    Action(id="more", keys="plus,equals_sign", word="more at once", help="One more call at the same time",
           group=Group.WORK),
    Action(id="fewer", keys="minus", word="fewer at once", help="One call fewer at the same time", group=Group.WORK),
    Action(id="backlog", keys="b", word="older calls", help="Do the calls that were there before the first start",
           group=Group.WORK, when=lambda c: c.older > 0, unless="No older calls wait for a word.", verb="plan start", asks=True, footer=88),
    Action(id="budget", keys="B,dollar_sign", word="budget",
           help="Budget: raise today's, let this call through, lift it until midnight, stop all spending, undo",
           group=Group.MONEY, verb="budget", asks=True, footer=55),
    Action(id="log_level", keys="L", word="log level", help="How much is written to the log file",
           group=Group.SCREEN, when=lambda c: not c.monitor, unless="The log file is written where the work is done.",
           writes=False),
    Action(id="theme", keys="t", word="theme", help="Next theme", group=Group.SCREEN, writes=False),
    Action(id="mouse", keys="M", word="mouse", help="Mouse on or off; off leaves selecting to the terminal",
           group=Group.SCREEN, writes=False),
    Action(id="redraw", keys="ctrl+l", word="redraw", help="Read everything again and draw the screen anew",
           group=Group.SCREEN, writes=False),
    Action(id="palette", keys="colon,ctrl+p", word="commands", help="Find and run any of these by name",
           group=Group.SCREEN, writes=False),
    Action(id="help", keys="question_mark,f1", word="help", help="This page", group=Group.SCREEN, writes=False,
           footer=99),
    Action(id="quit", keys="q,ctrl+q,ctrl+c", word="quit",
           help="Quit; with work in flight it asks whether to wait, to hand it back or to go on without a screen",
           group=Group.SCREEN, writes=False, footer=98),
)  # fmt: skip

BY_ID: Mapping[str, Action] = {action.id: action for action in ACTIONS}

ALWAYS: Mapping[str, tuple[str, ...]] = {"quit": ("ctrl+c",)}
"""Keys that keep their meaning, whatever is wished for: who presses Ctrl-C wants to get out."""
FILTER_KEYS = "0123456789"
FILTER_WORDS = "Only the calls of one number above the list; 0 all of them"


_OF_THE_LIST = frozenset(("search", "filter", "sort", "reverse", "mark", "mark_range"))


def of_the_list(action: Action) -> bool:
    """Say whether an action is for those who see the list: it moves in it, or shows it otherwise."""
    return action.group is Group.MOVE or action.id in _OF_THE_LIST


def in_force(context: Context, actions: Iterable[Action] = ACTIONS) -> list[Action]:
    """Return the actions that apply now."""
    return [action for action in actions if applies(action, context)]


def applies(action: Action, context: Context) -> bool:
    """Say whether an action means something now."""
    fits = not action.fits or context.meant(*action.fits) > 0
    elsewhere = context.detail and of_the_list(action)
    refused = action.writes and (context.read_only or context.not_set_up)
    return fits and not elsewhere and not refused and action.when(context)


def why_not(action: Action, context: Context) -> str:
    """Return why an action means nothing now, in one short sentence."""
    if action.fits and context.marked and not context.meant(*action.fits):
        return f"None of the marked calls is one to {action.word}."
    if context.draining and action.when in (_starts_calls, _pauses):
        return "Nothing new is started: this closes when what runs is finished."
    if (action.fits or action.when is _a_call) and not context.meant():
        return "There is no call here."
    return action.unless


_BY_USE = (Group.CALL, Group.WORK, Group.MONEY, Group.LOOK, Group.SCREEN, Group.MOVE)


def by_use(actions: Iterable[Action] = ACTIONS) -> list[Action]:
    """Return the actions as somebody looks for them by name: what changes something first, moving about last."""
    return sorted(actions, key=lambda action: _BY_USE.index(action.group))


def takes_back(context: Context) -> bool:
    """Say whether the key for skipping takes calls back: there are skipped ones, and none that could be skipped."""
    return not context.meant(*SKIPPABLE) and context.meant(Status.SKIPPED) > 0


def word_for(action: Action, context: Context) -> str:
    """Return the footer's word, which follows what the key would do."""
    if action.id == "pause" and context.control.paused:
        return "hand back" if context.here else "go on"
    if action.id == "quit" and context.draining:
        return "hand back, quit"
    word, fits = action.word, action.fits
    if action.id == "skip":
        word, fits = ("do after all", (Status.SKIPPED,)) if takes_back(context) else (word, SKIPPABLE)
    if context.marked and action.group is Group.CALL and action.id != "retry_all":
        return f"{word} {context.meant(*fits)}"
    return word


# --------------------------------------------------------------------------------------------------------------- keys


class Keymap(Struct, frozen=True, kw_only=True):
    """Which keys do what, with the user's wishes in it where they are possible."""

    keys: Mapping[str, tuple[str, ...]]
    """Keys by action id."""
    moved: Mapping[str, str]
    """Those that are not the built-in ones, for Textual: it goes through all of them at each key."""
    problems: tuple[str, ...]
    """Sentences for the user about wishes that were not followed."""

    def of(self, action: Action) -> tuple[str, ...]:
        return self.keys[action.id]


def keymap(wishes: Mapping[str, str], *scopes: Sequence[Action]) -> Keymap:
    """Put the user's keys over the built-in ones; one that is taken or unknown is named and not followed.

    A key may mean different things in different *scopes*: the list, and the panes of a call.
    """
    scopes = scopes or (ACTIONS,)
    names = {action.id for scope in scopes for action in scope}
    problems = [
        f"screen.keys.{name}: there is no such action; the help shows what there is."
        for name in wishes
        if name not in names
    ]
    keys: dict[str, tuple[str, ...]] = {}
    for scope in scopes:
        mine, more = _scope(wishes, scope)
        keys |= mine
        problems += more
    built_in = {action.id: _split(action.keys) for scope in scopes for action in scope}
    moved = {name: ",".join(mine) for name, mine in keys.items() if mine != built_in[name]}
    return Keymap(keys=keys, moved=moved, problems=tuple(problems))


def _scope(wishes: Mapping[str, str], scope: Sequence[Action]) -> tuple[dict[str, tuple[str, ...]], list[str]]:
    table = {action.id: _split(action.keys) for action in scope}
    wanted = {name: _split(keys) for name, keys in wishes.items() if name in table}
    problems = [f"screen.keys.{name}: no key is named." for name, keys in wanted.items() if not keys]
    taken = {key: name for name, keys in table.items() if name not in wanted for key in keys}
    if scope is ACTIONS:
        taken |= dict.fromkeys(FILTER_KEYS, "filter")
    taken |= {key: name for name, keys in ALWAYS.items() for key in keys}
    for name, keys in wanted.items():
        clashes = [key for key in keys if taken.get(key, name) != name]
        problems += [f"screen.keys.{name}: {shown(key)} already means {taken[key]}; it was left so." for key in clashes]
        free = tuple(key for key in keys if key not in clashes)
        table[name] = _with(ALWAYS.get(name, ()), free) or tuple(
            key for key in table[name] if taken.get(key, name) == name
        )
        taken |= dict.fromkeys(table[name], name)
    return table, problems


def _with(kept: tuple[str, ...], keys: tuple[str, ...]) -> tuple[str, ...]:
    return keys and tuple(dict.fromkeys((*keys, *kept)))


@lru_cache(4)
def _first_keys(wishes: tuple[tuple[str, str], ...]) -> Mapping[str, str]:
    from focusflow.tui.detail.keys import DETAIL_ACTIONS  # which are made of what is here

    return {name: shown(keys[0]) for name, keys in keymap(dict(wishes), ACTIONS, DETAIL_ACTIONS).keys.items()}


def key_of(name: str, wishes: Mapping[str, str]) -> str:
    """Return the key for an action, of the list or of the panes, as people write it, for a sentence that names it."""
    return _first_keys(tuple(wishes.items()))[name]


def _split(keys: str) -> tuple[str, ...]:
    return tuple(key.strip() for key in keys.split(",") if key.strip())


def bindings(actions: Iterable[Action] = ACTIONS) -> list[Binding]:
    """Return the built-in keys for Textual; `App.set_keymap` then moves them by id."""
    return [
        Binding(action.keys, f"app.do('{action.id}')", action.word, show=False, id=action.id, tooltip=action.help)
        for action in actions
    ]


_KEY_NAMES = {
    "slash": "/",
    "question_mark": "?",
    "colon": ":",
    "plus": "+",
    "equals_sign": "=",
    "minus": "-",
    "dollar_sign": "$",
    "escape": "Esc",
    "enter": "Enter",
    "space": "Space",
    "pagedown": "PgDn",
    "pageup": "PgUp",
    "home": "Home",
    "end": "End",
    "up": "Up",
    "down": "Down",
    "left": "Left",
    "right": "Right",
    "tab": "Tab",
    "left_square_bracket": "[",
    "right_square_bracket": "]",
}


def shown(key: str) -> str:
    """Return a key as people write it: `?`, `Ctrl-P`, `PgDn`."""
    if key.startswith("ctrl+"):
        return f"Ctrl-{key[5:].upper()}"
    return _KEY_NAMES.get(key, key.upper() if len(key) > 1 else key)


def price_words(micros: int, unpriced: int) -> str:
    """Return a price with what is missing in it: `$0.12 and 2 calls without a price`, `unknown (1 call without a price)`."""
    if not unpriced:
        return words.usd(micros)
    missing = f"{words.many(unpriced, 'call')} without a price"
    return f"{words.usd(micros)} and {missing}" if micros else f"unknown ({missing})"
