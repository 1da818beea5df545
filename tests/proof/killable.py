"""Runs FocusFlow as a process that kills itself at one of its commits: just before it, or just after.

`KILL_AT_COMMIT=17:before python killable.py run --until-idle`. The tests alone start it; the product knows nothing of it.
"""

import os
import signal
import sqlite3
import sys
from itertools import count
from typing import Any

_nth, _, _moment = os.environ["KILL_AT_COMMIT"].partition(":")
_commits = count(1)
_open = sqlite3.connect


class Killable(sqlite3.Connection):
    """A connection that counts what it commits."""

    def execute(self, sql: str, *rest: Any) -> sqlite3.Cursor:
        if sql != "COMMIT":
            return super().execute(sql, *rest)
        mine = next(_commits) == int(_nth)
        if mine and _moment == "before":
            os.kill(os.getpid(), signal.SIGKILL)
        done = super().execute(sql, *rest)
        if mine:
            os.kill(os.getpid(), signal.SIGKILL)
        return done


def _connect(*arguments: Any, **more: Any) -> sqlite3.Connection:
    return _open(*arguments, factory=Killable, **more)


if __name__ == "__main__":
    sqlite3.connect = _connect  # type: ignore[assignment]  # has overloads
    from focusflow.cli import main

    main(sys.argv[1:])
