"""Do the panes of a call show what is known, answer every key and follow what happens?"""

from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from datetime import timedelta
from typing import Any

import anyio
import pytest
from msgspec.structs import replace
from textual.pilot import Pilot
from textual.widgets import Input

from focusflow.domain.jobs import JobId, LogLine, Status, Step
from focusflow.domain.transcript import Transcript, Utterance
from focusflow.errors import StoreBusy
from focusflow.events import JobLogged, JobProgress, SummaryText
from focusflow.ports import ChargeRow, SummaryVersion
from focusflow.tui.detail import DETAIL_ACTIONS, Detail
from focusflow.tui.detail.views import Pane

Shown = Callable[..., AbstractAsyncContextManager[Pilot[Any]]]
ACall = Callable[[Status], JobId]


def text(pilot: Pilot[Any]) -> str:
    return str(pilot.app.screen_text())  # type: ignore[attr-defined]


def detail(pilot: Pilot[Any]) -> Detail:
    return pilot.app.query_one(Detail)


def said(pilot: Pilot[Any]) -> list[str]:
    return list(pilot.app.said)  # type: ignore[attr-defined]


async def caught_up(pilot: Pilot[Any]) -> None:
    await pilot.app.catch_up(pilot)  # type: ignore[attr-defined]


# ------------------------------------------------------------------------------------------------------------- panes


@pytest.mark.parametrize(("key", "pane"), list(zip("12345", Pane, strict=True)))
async def test_a_digit_opens_its_pane(shown: Shown, a_call: ACall, key: str, pane: Pane) -> None:
    """Each of the five panes is one key away, and the pane that is open says so."""
    async with shown(a_call(Status.COMPLETED), keys=key) as pilot:
        assert detail(pilot).pane is pane
        assert [tab.pane for tab in pilot.app.query(".detail-tab.-shown")] == [pane]  # type: ignore[attr-defined]


async def test_tab_goes_round_the_panes(shown: Shown, a_call: ACall) -> None:
    """Tab goes forward, shift and tab back, round the ends."""
    async with shown(a_call(Status.COMPLETED)) as pilot:
        await pilot.press("shift+tab")
        assert detail(pilot).pane is Pane.DETAILS
        await pilot.press("tab", "tab")
        assert detail(pilot).pane is Pane.TRANSCRIPT


async def test_no_call_says_so(shown: Shown) -> None:
    """With nothing chosen there is a sentence instead of an empty box."""
    async with shown(None) as pilot:
        assert "No call is chosen." in text(pilot)


@pytest.mark.parametrize("key", "12345")
async def test_a_failure_stands_above_every_pane(shown: Shown, a_call: ACall, key: str) -> None:
    """What happened and what to do is read without looking for it."""
    async with shown(a_call(Status.FAILED), keys=key) as pilot:
        assert "Failed at" in text(pilot)
        assert "; r tries again: " in text(pilot)


@pytest.mark.parametrize("key", "12345")
async def test_a_skipped_call_says_why_above_every_pane(shown: Shown, a_call: ACall, key: str) -> None:
    """A call that is not done tells the reason and the key that does it after all."""
    async with shown(a_call(Status.SKIPPED), keys=key) as pilot:
        assert "Skipped:" in text(pilot)
        assert "Press x" in text(pilot)


async def test_a_waiting_call_says_what_for(shown: Shown, desk: Any, a_call: ACall) -> None:
    """A hold is no failure: it says what is waited for."""
    job_id = a_call(Status.DISCOVERED)
    desk.change(job_id, hold_kind="budget", hold_reason="Today's budget of $5.00 is used up.")
    async with shown(job_id) as pilot:
        assert "Waiting; B changes the budget or lets it through." in text(pilot)
        assert "Today's budget of $5.00 is used up." in " ".join(text(pilot).split())


@pytest.mark.parametrize(
    ("status", "sentence"),
    [
        (Status.TRANSCRIBING, "No transcript yet: it is being transcribed."),
        (Status.DISCOVERED, "No transcript yet: the call"),
        (Status.FAILED, "No transcript: the call failed before it had one."),
        (Status.SKIPPED, "No transcript: the call was skipped."),
    ],
)
async def test_a_missing_transcript_says_why(shown: Shown, a_call: ACall, status: Status, sentence: str) -> None:
    """Nothing there is said in words that fit where the call stands."""
    async with shown(a_call(status), keys="2") as pilot:
        assert sentence in text(pilot)


async def test_a_store_that_cannot_be_read_is_told(shown: Shown, desk: Any, a_call: ACall) -> None:
    """A database that is busy or gone is a sentence, not a crash; what was shown stays."""
    async with shown(a_call(Status.COMPLETED)) as pilot:
        before = detail(pilot).job_id
        desk.broken = StoreBusy("The database is locked by another program.")
        await detail(pilot).show(a_call(Status.FAILED))
        await pilot.pause()
        assert "The database is locked by another program." in text(pilot)
        assert before != detail(pilot).job_id


async def test_the_last_call_asked_for_wins(shown: Shown, desk: Any, a_call: ACall) -> None:
    """A slow answer for a call that was left meanwhile does not come back over the one that is looked at."""
    first, second = a_call(Status.COMPLETED), a_call(Status.FAILED)
    async with shown(None) as pilot:
        async with anyio.create_task_group() as group:
            group.start_soon(detail(pilot).show, first)
            group.start_soon(detail(pilot).show, second)
        await pilot.pause()
        assert "Failed at" in text(pilot)


@pytest.mark.parametrize(
    ("keys", "sentence"),
    [
        ("5s", "s is for the transcript: 2 shows it."),
        ("5e", "e is for the transcript: 2 shows it."),
        ("2l", "l is for the log: 1 shows it."),
        ("1v", "v is for the summary: 3 shows it."),
        ("1[", "[ is for the summary: 3 shows it."),
        ("2f", "This text does not grow: there is no end to stay with."),
    ],
)
async def test_a_key_of_another_pane_says_which(shown: Shown, a_call: ACall, keys: str, sentence: str) -> None:
    """What means nothing in a pane is not offered there, and its key leads to no key of the hidden list."""
    async with shown(a_call(Status.COMPLETED), keys=keys) as pilot:
        assert said(pilot) == [sentence]
        offered = {action.id for action in detail(pilot).in_force()}
        assert "pane_match_back" not in offered
        assert ("pane_swap" in offered) is (keys[0] == "2")


@pytest.mark.parametrize(
    ("keys", "ids"),
    [
        ("2", {"pane_swap", "pane_names"}),
        ("3", {"pane_older", "pane_newer", "pane_compare", "pane_use"}),
        ("4", {"pane_again"}),
    ],
)
async def test_what_is_not_there_is_not_offered(shown: Shown, a_call: ACall, keys: str, ids: set[str]) -> None:
    """No version to compare, no step to do again, no speaker to name: their keys say so, and the footer is silent."""
    async with shown(a_call(Status.DISCOVERED), keys=keys) as pilot:
        assert ids.isdisjoint(action.id for action in detail(pilot).in_force())


async def test_what_writes_is_not_offered_where_nothing_can_be_written(shown: Shown, facts: Any, a_call: ACall) -> None:
    """On a read-only database no key of the panes tries to change it."""
    async with shown(a_call(Status.COMPLETED), facts=replace(facts, read_only=True), keys="2") as pilot:
        writing = {action.id for action in DETAIL_ACTIONS if action.writes}
        assert writing.isdisjoint(action.id for action in detail(pilot).in_force())


def test_every_action_has_keys_and_words() -> None:
    """The registry is whole: no action without a key, a word and a sentence, no key twice."""
    keys = [key for action in DETAIL_ACTIONS for key in action.keys.split(",")]
    assert len(keys) == len(set(keys))
    assert all(action.word and action.help for action in DETAIL_ACTIONS)
    assert all(hasattr(Detail, f"action_{action.id}") or action.id in _moves() for action in DETAIL_ACTIONS)


def _moves() -> set[str]:
    from focusflow.tui.detail.lines import Lines

    return {name.removeprefix("action_") for name in dir(Lines) if name.startswith("action_pane")}


# --------------------------------------------------------------------------------------------------------------- log


async def test_the_log_follows_its_end_until_somebody_scrolls(shown: Shown, desk: Any, a_call: ACall) -> None:
    """New lines stay in sight; a reader who scrolled up is left in peace, and End follows again."""
    job_id = a_call(Status.TRANSCRIBING)
    for number in range(60):
        desk.log(job_id, f"line {number}")
    async with shown(job_id) as pilot:
        assert "line 59" in text(pilot)
        await pilot.press("k")
        desk.log(job_id, "a new line")
        await caught_up(pilot)
        assert "a new line" not in text(pilot)
        assert "holding" in text(pilot)
        await pilot.press("G")
        assert "a new line" in text(pilot)
        assert "following" in text(pilot)
        await pilot.press("f", "g")
        assert "holding" in text(pilot)


async def test_scrolling_down_to_the_end_follows_again(shown: Shown, desk: Any, a_call: ACall) -> None:
    """The end is stuck to again once it is reached by hand."""
    job_id = a_call(Status.TRANSCRIBING)
    for number in range(60):
        desk.log(job_id, f"line {number}")
    async with shown(job_id) as pilot:
        await pilot.press("pageup", "pagedown")
        assert "following" in text(pilot)


async def test_a_burst_of_lines_is_painted_once(shown: Shown, desk: Any, a_call: ACall) -> None:
    """Five hundred lines at once cost one look at the sheet, not five hundred."""
    job_id = a_call(Status.TRANSCRIBING)
    async with shown(job_id) as pilot:
        for number in range(500):
            desk.log(job_id, f"line {number}")
        await caught_up(pilot)
        assert "line 499" in text(pilot)


async def test_the_level_filters_the_log(shown: Shown, desk: Any, a_call: ACall) -> None:
    """All lines, then warnings and errors, then errors; and a sentence where none is left."""
    job_id = a_call(Status.TRANSCRIBING)
    desk.log(job_id, "all is well")
    desk.log(job_id, "that was slow", level="warning")
    async with shown(job_id) as pilot:
        await pilot.press("l")
        assert "all is well" not in text(pilot)
        assert "warning: that was slow" in text(pilot)
        assert " 1 of 3 lines, only warnings and errors, following" in text(pilot)
        await pilot.press("l")
        assert "No such lines: l shows the others." in text(pilot)
        desk.log(job_id, "that broke", level="error")
        await caught_up(pilot)
        assert "error: that broke" in text(pilot)
        await pilot.press("l")
        assert "all is well" in text(pilot)


async def test_lines_of_other_calls_are_not_shown(shown: Shown, desk: Any, a_call: ACall) -> None:
    """The log is the call's own."""
    async with shown(a_call(Status.TRANSCRIBING)) as pilot:
        desk.log(a_call(Status.COMPLETED), "somebody else's line")
        await caught_up(pilot)
        assert "somebody else's line" not in text(pilot)


async def test_wrapping_can_be_turned_off(shown: Shown, desk: Any, a_call: ACall) -> None:
    """Without it each line has one row, which says by an ellipsis that there is more."""
    job_id = a_call(Status.TRANSCRIBING)
    desk.log(job_id, "word " * 60 + "end")
    async with shown(job_id) as pilot:
        assert "end" in text(pilot)
        await pilot.press("w")
        assert "end" not in text(pilot)
        assert "…" in text(pilot)


async def test_a_log_without_end_stays_small(shown: Shown, a_call: ACall) -> None:
    """However many lines are logged, a bounded number is kept."""
    job_id = a_call(Status.TRANSCRIBING)
    async with shown(job_id) as pilot:
        for start in range(0, 20_000, 4_000):
            for number in range(start, start + 4_000):
                line = LogLine(
                    id=1_000 + number, job_id=job_id, at=detail(pilot)._facts.clock.now(), level="info", step=None,
                    message=f"line {number}",
                )  # fmt: skip
                detail(pilot).heard(JobLogged(line=line))
            detail(pilot)._catch_up()
        assert len(detail(pilot)._log.book) <= 1_250
        assert len(detail(pilot)._log.sheet.paragraphs) <= 1_300
        assert "line 19999" in text(pilot)


async def test_the_panes_name_the_users_own_keys(shown: Shown, desk: Any, facts: Any, a_call: ACall) -> None:
    """Of what is said in them and below them; a key that was moved is named where it went."""
    own = {"pane_match": "f5", "pane_match_back": "f6", "pane_names": "E", "pane_level": "z", "pane_search": "f3"}
    job_id = a_call(Status.COMPLETED)
    mine = replace(facts, keys=own)
    documents = desk.documents[job_id]
    desk.documents[job_id] = replace(documents, transcript=replace(documents.transcript, speakers={}))
    async with shown(job_id, facts=mine, keys="2sN") as pilot:
        assert "; E names them." in said(pilot)[0]
        assert "F3 begins a search" in said(pilot)[1]
        await pilot.press("slash", *"the", "enter")
        assert "(F5 next, F6 back)" in text(pilot)
        await pilot.press("1", "l", "l")
        assert "No such lines: z shows the others." in text(pilot)


# ------------------------------------------------------------------------------------------------------------ search


async def test_search_finds_and_goes_round(shown: Shown, a_call: ACall) -> None:
    """What is typed is found while it is typed; n and N go through the matches, Esc ends it."""
    async with shown(a_call(Status.COMPLETED), keys="2") as pilot:
        await pilot.press("slash", *"the")
        assert "the" in pilot.app.query_one(Input).value
        await pilot.press("enter")
        assert "1 of 6: the" in text(pilot)
        await pilot.press("n")
        assert "2 of 6: the" in text(pilot)
        await pilot.press("N", "N")
        assert "6 of 6: the" in text(pilot)
        await pilot.press("escape")
        assert "4 turns" in text(pilot)


async def test_what_is_not_there_is_said(shown: Shown, a_call: ACall) -> None:
    """A search without a match says so and moves nothing."""
    async with shown(a_call(Status.COMPLETED), keys="2") as pilot:
        await pilot.press("slash", *"zebra", "enter")
        assert "zebra: not found here" in text(pilot)


@pytest.mark.parametrize("key", "nN")
async def test_a_match_without_a_search_says_how_to_begin(shown: Shown, a_call: ACall, key: str) -> None:
    """Neither falls through to a key of the app that starts work."""
    async with shown(a_call(Status.COMPLETED), keys=f"2{key}") as pilot:
        assert said(pilot)[0].startswith("Nothing is searched for: / begins a search")


# -------------------------------------------------------------------------------------------------------- transcript


async def test_speakers_have_names_and_times(shown: Shown, a_call: ACall) -> None:
    """Who speaks is written out, not only coloured."""
    async with shown(a_call(Status.COMPLETED), keys="2") as pilot:
        assert "00:00 Ben        Hello Ann" in text(pilot)
        assert "00:07 Speaker B  Great." in text(pilot)


async def test_two_speakers_are_swapped_by_one_key(shown: Shown, desk: Any, a_call: ACall) -> None:
    """The names change places, the desk is told, the answer says that it is free."""
    job_id = a_call(Status.COMPLETED)
    async with shown(job_id, keys="2s") as pilot:
        await caught_up(pilot)
        assert ("name_speakers", job_id, {"A": "Speaker B", "B": "Ben"}) in desk.heard
        assert "00:07 Ben" in text(pilot)
        assert "it costs nothing" in said(pilot)[0]


async def test_speakers_are_named_in_a_small_window(shown: Shown, desk: Any, a_call: ACall) -> None:
    """Only the names that were changed are sent."""
    job_id = a_call(Status.COMPLETED)
    async with shown(job_id, keys="2e") as pilot:
        await pilot.pause()
        assert "Who is who?" in text(pilot)
        await pilot.press("down", *"Ann", "enter")
        await caught_up(pilot)
        assert ("name_speakers", job_id, {"B": "Ann"}) in desk.heard
        assert "00:07 Ann" in text(pilot)


async def test_naming_can_be_left(shown: Shown, desk: Any, a_call: ACall) -> None:
    """Esc changes nothing."""
    async with shown(a_call(Status.COMPLETED), keys="2e") as pilot:
        await pilot.press("x", "escape")
        await caught_up(pilot)
        assert desk.heard == []
        assert said(pilot) == ["No name was changed."]


async def test_a_call_of_three_hours_opens_at_once_and_has_an_end(shown: Shown, desk: Any, a_call: ACall) -> None:
    """Only what is seen is laid out at first; G shows the last turn."""
    job_id = a_call(Status.COMPLETED)
    turns = tuple(
        Utterance(speaker="AB"[place % 2], start_ms=place * 4_000, end_ms=place * 4_000, text=f"turn number {place}")
        for place in range(2_700)
    )
    transcript = Transcript(text="", utterances=turns, language="en", duration_seconds=10_800.0, model="m", speakers={})
    desk.documents[job_id] = replace(desk.documents[job_id], transcript=transcript)
    async with shown(job_id, keys="2") as pilot:
        assert "turn number 0" in text(pilot)
        await pilot.press("G")
        await pilot.pause(1.5)
        assert "turn number 2699" in text(pilot)
        assert "of 2,700" in text(pilot)


# ----------------------------------------------------------------------------------------------------------- summary


async def test_a_summary_appears_word_by_word(shown: Shown, desk: Any, a_call: ACall) -> None:
    """What the model writes is seen while it writes; then the stored one takes its place."""
    job_id = a_call(Status.TRANSCRIBING)
    desk.change(job_id, status=Status.SUMMARIZING)
    async with shown(job_id, keys="3") as pilot:
        assert "No summary yet: the model is reading the transcript." in text(pilot)
        for piece in ("## Over", "view\n\nBen can ", "**sta"):
            detail(pilot).heard(SummaryText(job_id=job_id, text=piece))
        await caught_up(pilot)
        assert "Overview" in text(pilot)
        assert "Ben can **sta" in text(pilot)
        assert "being written" in text(pilot)
        detail(pilot).heard(SummaryText(job_id=job_id, text="rt** soon."))
        await caught_up(pilot)
        assert "Ben can start soon." in text(pilot)
        desk.change(job_id, status=Status.COMPLETED)
        await caught_up(pilot)
        assert "being written" not in text(pilot)


async def test_a_draft_is_whole_for_whoever_looks_later(shown: Shown, desk: Any, a_call: ACall) -> None:
    """The first words were heard before the call was opened, and are there."""
    job_id = a_call(Status.TRANSCRIBING)
    desk.change(job_id, status=Status.SUMMARIZING)
    async with shown(a_call(Status.FAILED), keys="3") as pilot:
        detail(pilot).heard(SummaryText(job_id=job_id, text="The first words. "))
        await detail(pilot).show(job_id)
        await pilot.pause()
        assert "The first words." in text(pilot)


def _with_two_versions(desk: Any, job_id: JobId) -> None:
    (first,) = desk.versions[job_id]
    second = replace(first.summary, markdown="Ben starts on 9 March.\n\n- Ann pays $5,400.\n", title="Kitchen")
    desk.versions[job_id] = [
        replace(first, current=False),
        SummaryVersion(version=2, summary=second, made_at=first.made_at, cost_micros=1_100, current=True),
    ]


async def test_versions_are_looked_through_compared_and_chosen(shown: Shown, desk: Any, a_call: ACall) -> None:
    """Brackets turn the versions, v compares with the one before, u makes one current: free, and said so."""
    job_id = a_call(Status.COMPLETED)
    _with_two_versions(desk, job_id)
    async with shown(job_id, keys="3") as pilot:
        assert "version 2 (in use)" in text(pilot)
        await pilot.press("v")
        assert "+- Ann pays $5,400." in text(pilot)
        await pilot.press("v", "left_square_bracket")
        assert "version 1" in text(pilot)
        assert "Ben sends the quote." in text(pilot)
        await pilot.press("u")
        await caught_up(pilot)
        assert ("use_summary", job_id, 1) in desk.heard
        assert "version 1 (in use)" in text(pilot)
        await pilot.press("left_square_bracket")
        assert said(pilot)[-1] == "There is no older version."


# ------------------------------------------------------------------------------------------------------------- steps


async def test_a_paid_step_is_done_again_only_after_a_yes(shown: Shown, desk: Any, a_call: ACall) -> None:
    """The price is asked first; no leaves everything as it is."""
    job_id = a_call(Status.FAILED)
    async with shown(job_id, keys="4j") as pilot:
        await pilot.press("enter")
        await pilot.pause()
        assert "Do transcribe again, and all that follows?" in text(pilot)
        assert "price       $0.0084" in text(pilot)
        assert "left today  $3.54 -> $3.53" in text(pilot)
        await pilot.press("enter", "enter", "n")
        await caught_up(pilot)
        assert desk.heard == []
        await pilot.press("enter")
        await pilot.pause()
        await pilot.press("y")
        await caught_up(pilot)
        assert desk.heard[0][:2] == ("process", (job_id,))
        assert Step.TRANSCRIBE in desk.heard[0]
        assert said(pilot)[-1] == "It goes on from transcribe."


async def test_a_free_step_is_done_again_at_once(shown: Shown, desk: Any, a_call: ACall) -> None:
    """What costs nothing does not ask."""
    async with shown(a_call(Status.COMPLETED), keys="4G") as pilot:
        await pilot.press("enter")
        await caught_up(pilot)
        assert desk.heard[0][0] == "process"
        assert said(pilot) == ["It goes on from Notion; that is free."]


async def test_progress_is_a_number(shown: Shown, desk: Any, a_call: ACall) -> None:
    """A running step says how far it is, without a bar that moves."""
    job_id = a_call(Status.TRANSCRIBING)
    async with shown(job_id, keys="4") as pilot:
        detail(pilot).heard(JobProgress(job_id=job_id, step=Step.DOWNLOAD, done=43, total=100))
        await caught_up(pilot)
        assert "(download 43 %)" in text(pilot)


# ----------------------------------------------------------------------------------------------------------- details


async def test_a_value_is_copied_as_it_is(shown: Shown, a_call: ACall) -> None:
    """y takes the chosen value, Y all of them; the answer says how much went where."""
    async with shown(a_call(Status.COMPLETED), keys="5j") as pilot:
        await pilot.press("y")
        await caught_up(pilot)
        assert "15 characters" in said(pilot)[0]  # +61 491 570 156
        await pilot.press("Y")
        await caught_up(pilot)
        assert "lines" in said(pilot)[1]


@pytest.mark.parametrize(
    ("state", "usage", "sentence"),
    [
        (
            "settled",
            {"audio_seconds": 147.0, "addons": ["speaker_labels"]},
            "paid $0.0093; 2:27 of audio, speaker labels;",
        ),
        ("settled", {"input_tokens": 1_204, "cached_tokens": 0}, "paid $0.0093; 1,204 input tokens;"),
        ("settled", {"audio_seconds": None, "addons": []}, "paid $0.0093; Mon"),
        ("released", {}, "not spent $0.0093; Mon"),
    ],
)
async def test_a_bill_is_read_in_words(
    shown: Shown, desk: Any, a_call: ACall, clock: Any, state: str, usage: dict[str, object], sentence: str
) -> None:
    """What was paid for, and not how the ledger spells it."""
    job_id = a_call(Status.COMPLETED)
    desk.charges[job_id] = (
        ChargeRow(
            id=1, job_id=job_id, step=Step.TRANSCRIBE, state=state, provider=None, model=None, estimate_micros=None,
            actual_micros=9_300, usage_known=True, usage=usage, external_ref=None, reserved_at=clock.now(),
            settled_at=clock.now(),
        ),
    )  # fmt: skip
    async with shown(job_id, size=(160, 60), keys="5") as pilot:
        assert f"Transcribe        {sentence}" in text(pilot)


@pytest.mark.parametrize("width", [40, 60, 80, 200])
async def test_a_label_is_whole_and_apart_from_its_value(shown: Shown, a_call: ACall, width: int) -> None:
    """However narrow the pane is."""
    async with shown(a_call(Status.COMPLETED), size=(width, 90), keys="5") as pilot:
        assert " Transcription " in text(pilot)


async def test_a_link_is_copied(shown: Shown, a_call: ACall) -> None:
    """o takes the page's link wherever one is, and opens nothing: the browser is on another machine, as often as not."""
    async with shown(a_call(Status.COMPLETED), keys="3o") as pilot:
        await caught_up(pilot)
        assert said(pilot)[0].startswith("Copied")


async def test_what_changes_is_read_again(shown: Shown, desk: Any, a_call: ACall, clock: Any) -> None:
    """A call that moves on is shown as it is now, the place in the pane stays."""
    job_id = a_call(Status.TRANSCRIBING)
    async with shown(job_id, keys="5") as pilot:
        await pilot.press("j", "j")
        desk.change(
            job_id,
            status=Status.FAILED,
            error_step=Step.TRANSCRIBE,
            error_message="The audio is silent.",
            next_attempt_at=clock.now() + timedelta(minutes=5),
        )
        await caught_up(pilot)
        assert "Failed at transcribe; tried again in 5 min, r tries now: The audio is silent." in text(pilot).replace(
            "\n ", " "
        )
        assert detail(pilot)._known.sheet.chosen == 3
