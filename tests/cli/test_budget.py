"""Can people see what is left to spend, and change it in words they understand?"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.cli.conftest import Call

LIMITS = ("--set", "budget.daily_usd=5", "--set", "budget.per_call_usd=1", "--set", "timezone=Australia/Melbourne")


def windows(call: Call) -> dict[str, dict[str, str]]:
    return {window["period"]: window for window in call(*LIMITS, "budget", "show", "--json").json["windows"]}


def test_what_is_left_is_a_table_of_eighty_columns(call: Call) -> None:
    """Each period with its limit, what is gone, what is left and when it ends; nothing is cut away."""
    shown = call(*LIMITS, "budget", "show")
    assert shown.code == 0
    lines = shown.out.splitlines()
    assert lines[0].split() == ["BUDGET", "LIMIT", "SPENT", "RESERVED", "LEFT", "ENDS"]
    assert [line.split()[:2] for line in lines[1:4]] == [["day", "$5.00"], ["week", "none"], ["month", "none"]]
    assert max(map(len, lines)) <= 80
    assert "A call that costs more than $1.00 waits for your yes." in lines


def test_what_is_shown_sums_up_to_what_the_calls_cost(call: Call) -> None:
    """The totals are those of the calls' own lines."""
    costs = sum(float(job["cost_usd"]) for job in call("jobs", "list", "--json").json)
    assert costs > 0
    assert float(windows(call)["month"]["spent_usd"]) == pytest.approx(costs)


def test_a_budget_is_raised_set_and_given_back(call: Call) -> None:
    """Every verb says what held before and what holds now, and the number by which it is undone."""
    told = call(*LIMITS, "budget", "raise", "2.50", "--why", "a busy day")
    assert told.code == 0
    assert "The day's budget was $5.00 and is $7.50 until" in told.err
    assert windows(call)["day"]["limit_usd"] == "7.500000"
    assert windows(call)["day"]["configured_usd"] == "5.000000"
    told = call(*LIMITS, "budget", "set", "1", "--period", "week", "--until", "2h")
    assert "The week's budget was none and is $1.00 until" in told.err
    shown = call(*LIMITS, "budget", "show").out
    assert "a busy day" in shown
    assert "The day's limit is $5.00 by the configuration." in shown
    told = call(*LIMITS, "budget", "undo", "1", "9")
    assert "Not in force: 9." in told.err
    assert "Undone: 1. The limits are now: day $5.00, week $1.00, month none." in told.err
    assert call(*LIMITS, "budget", "undo", "1").code == 6
    history = call(*LIMITS, "budget", "history", "--json").json
    assert [(made["kind"], made["undone_at"] is None, made["reason"]) for made in history] == [
        ("set", True, ""),
        ("raise", False, "a busy day"),
    ]
    assert "undone" in call(*LIMITS, "budget", "history").out


def test_spending_is_stopped_and_goes_on(call: Call) -> None:
    """The front page says so, and a second `resume` says that there is nothing to resume."""
    assert "is stopped until" in call(*LIMITS, "budget", "stop").err
    assert "All spending is stopped until" in call(*LIMITS, "budget", "show").out
    assert call(*LIMITS, "budget", "resume").code == 0
    assert call(*LIMITS, "budget", "show", "--json").json["stopped_until"] is None
    assert call(*LIMITS, "budget", "resume").code == 6


def test_calls_are_let_through_by_the_beginnings_of_their_ids(call: Call, ids: dict[str, str]) -> None:
    """One, or all; who names neither is asked to."""
    told = call(*LIMITS, "budget", "lift", ids["Linden"][:7], "--until", "3d")
    assert told.code == 0
    assert "1 call held to the budgets before and may pass them until" in told.err
    assert call(*LIMITS, "budget", "lift", "--all").code == 0
    made = call(*LIMITS, "budget", "history", "--json").json
    assert [override["job_id"] for override in made] == [None, ids["Linden"]]
    assert call(*LIMITS, "budget", "lift").code == 2
    assert call(*LIMITS, "budget", "lift", "nobody").code == 6


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("raise", "NaN"), "'NaN' is not an amount: write dollars"),
        (("raise", "five"), "'five' is not an amount: write dollars"),
        (("raise", "0"), "$0.00 is no amount for a budget: it must be more than nothing."),
        (("set", "1000001"), "the most is $1000000.00"),
        (("set", "1e400"), "the most is $1000000.00"),
        (("set", "3", "--period", "year"), "There is no budget for a year"),
        (("raise", "3", "--period", "month"), "There is no limit for a month that could be raised"),
        (("set", "3", "--until", "tomorrow"), "write a time like 18:00"),
        (("set", "3", "--until", "2020-01-01"), "cannot end in the past"),
        (("stop", "--until", "2999-01-01"), "ends after a year at most"),
    ],
)
def test_what_cannot_be_meant_is_refused_in_a_sentence(call: Call, arguments: tuple[str, ...], sentence: str) -> None:
    """Nothing is changed by it, and the exit code says that it was the command."""
    told = call(*LIMITS, "budget", *arguments)
    assert told.code == 2
    assert sentence in told.err
    assert call("budget", "history", "--json").json == []
