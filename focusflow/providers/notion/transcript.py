"""Which few blocks hold a transcript, however long the call was?"""

from collections.abc import Iterable, Iterator
from typing import Final

from focusflow.domain.transcript import Transcript, Utterance
from focusflow.providers.notion.blocks import ARRAY_LIMIT, BLOCK_BYTES, Block, Span, encoded_size, fitting_spans
from focusflow.providers.notion.text import clean, split_text

_SPAN_BYTES: Final = 200
"""Around the text of a span."""


def transcript_blocks(transcript: Transcript) -> tuple[Block, ...]:
    """Return paragraphs of many turns each: a call of 4000 turns is 80 blocks instead of 4000."""
    if transcript.utterances:
        return tuple(_packed_turns(transcript.utterances, transcript.speakers))
    pieces = split_text(clean(transcript.text).strip())
    return tuple(Block(kind="paragraph", spans=(Span(text=piece),)) for piece in pieces)


def _packed_turns(utterances: Iterable[Utterance], names: dict[str, str]) -> Iterator[Block]:
    paragraph: list[Span] = []
    size = 0
    for utterance in utterances:
        turn = list(fitting_spans(_turn(utterance, names)))
        turn_size = sum(encoded_size(span.text) + _SPAN_BYTES for span in turn)
        if paragraph and (len(paragraph) + len(turn) > ARRAY_LIMIT or size + turn_size > BLOCK_BYTES):
            yield _paragraph(paragraph)
            paragraph, size = [], 0
        paragraph += turn
        size += turn_size
    if paragraph:
        yield _paragraph(paragraph)


def _paragraph(spans: list[Span]) -> Block:
    """A paragraph of whole turns; the last one's line break would only be a blank line."""
    return Block(kind="paragraph", spans=(*spans[:-1], Span(text=spans[-1].text.rstrip("\n"))))


def _turn(utterance: Utterance, names: dict[str, str]) -> list[Span]:
    moment = clock_time(utterance.start_ms)
    text = clean(utterance.text).strip()
    if utterance.speaker is None:
        return [Span(text=moment, bold=True), Span(text=f"  {text}\n")]
    name = names.get(utterance.speaker) or f"Speaker {utterance.speaker}"
    return [Span(text=f"{name}  {moment}", bold=True), Span(text=f"  {text}\n")]


def clock_time(milliseconds: int) -> str:
    """A place in the call as players show it: `0:07`, `12:30`, `1:02:03`."""
    minutes, seconds = divmod(milliseconds // 1000, 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{seconds:02}" if hours else f"{minutes}:{seconds:02}"
