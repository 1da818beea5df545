"""Can somebody who has never seen it mend a call, pause, raise the budget and read a transcript, by the keyboard alone?"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tests.terminal.conftest import OpenTerminal


def test_the_demo_from_its_first_picture_to_its_farewell(open_terminal: OpenTerminal) -> None:
    """80 by 24, the real program: every sight is waited for, nothing is known beforehand but the keys shown."""
    terminal = open_terminal("-m", "focusflow", "demo", "--speed", "10")
    terminal.until("? help")
    terminal.until(lambda text: "3 failed 1" in text and "9 waiting 1" in text and "2 completed 9" in text)

    # why did it fail? the line below the table says it; one key goes there, one mends it
    terminal.press("e")
    terminal.until("Failed at summarize; r tries")
    terminal.press("r")
    terminal.until("Try again:")
    terminal.press("y")
    terminal.until("3 failed 0")

    terminal.press("p")
    terminal.until("paused")
    terminal.press("P")
    terminal.until(lambda text: "demo" in text.splitlines()[0])

    # the longest call waits for money
    terminal.press("B")
    terminal.until("raise today's budget by $1.00")
    terminal.press("enter")
    terminal.until(lambda text: "of $1.20" in text and "9 waiting 0" in text)
    terminal.until("2 completed 11")

    terminal.press("enter")
    terminal.until("Transcript")
    terminal.press("2")
    terminal.until(lambda text: text.count("Maya") > 0 or "Speaker" in text)
    terminal.press("escape")
    terminal.until("time ↓")
    terminal.press("?")
    terminal.until("Esc closes this page")
    terminal.press("escape")
    # gone, not merely half painted: a key straight after Escape would be Alt with that key
    terminal.until(lambda text: "time ↓" in text and "Esc closes this page" not in text and "Move" not in text)

    terminal.press("q")
    assert terminal.ended() == 0
    assert "11 calls completed, 4 skipped, 11 pages in the emulated Notion." in terminal.text
