"""Why is a text not there yet, or not at all?"""

from focusflow.domain.jobs import Job, Status
from focusflow.tui.words import KeyOf, held


def no_transcript(job: Job) -> str:
    """Return a sentence in the place of a transcript."""
    match job.status:
        case Status.TRANSCRIBING:
            return "No transcript yet: it is being transcribed."
        case Status.DISCOVERED:
            return f"No transcript yet: the call {'waits' if held(job) else 'was not begun'}."
        case Status.FAILED:
            return "No transcript: the call failed before it had one."
        case Status.SKIPPED:
            return "No transcript: the call was skipped."
        case _:
            return "The transcript is not kept any more."


def no_summary(job: Job) -> str:
    """Return a sentence in the place of a summary."""
    match job.status:
        case Status.TRANSCRIBING | Status.TRANSCRIBED:
            return "No summary yet: the transcript comes first."
        case Status.SUMMARIZING:
            return "No summary yet: the model is reading the transcript."
        case Status.DISCOVERED:
            return f"No summary yet: the call {'waits' if held(job) else 'was not begun'}."
        case Status.FAILED:
            return "No summary: the call failed before it had one."
        case Status.SKIPPED:
            return "No summary: the call was skipped."
        case _:
            return "The summary is not kept any more."


def no_log(job: Job, *, filtered: bool, key: KeyOf) -> str:
    """Return a sentence in the place of a log."""
    if filtered:
        return f"No such lines: {key('pane_level')} shows the others."
    return "Nothing was logged yet." if job.status is Status.DISCOVERED else "Its log is not kept any more."
