"""What do two people talk about for an hour? Weaves a long conversation from topics and small talk, always the same."""

import random
from collections.abc import Iterator, Sequence
from typing import Final, NamedTuple

from focusflow.sandbox.screenplay import Line, Screenplay, read_lines

SEED: Final = 20471
EXCHANGES_PER_TOPIC: Final = 12
REMARKS_PER_TOPIC: Final = 13


class _SmallTalk(NamedTuple):
    exchanges: Sequence[tuple[str, str]]
    remarks: Sequence[str]
    replies: Sequence[str]
    bridges: Sequence[str]


def weave(screenplay: Screenplay) -> list[Line]:
    """The whole conversation: opening, each topic mixed with questions and remarks about it, closing."""
    chance = random.Random(SEED)
    talk = _small_talk(screenplay)
    topics = [(name, text) for name, text in screenplay.sections if name.startswith("topic:")]
    lines = read_lines(screenplay.section("opening"))
    for number, (name, text) in enumerate(topics):
        minutes = 60 - (number + 1) * 60 // (len(topics) + 1)
        words = _words_of(name) | {"minutes": str(minutes)}
        lines += [Line("AB"[number % 2], _filled(chance.choice(talk.bridges), words), None)]
        lines += _mixed(read_lines(text), list(_small_talk_about(words, talk, chance)), chance)
    return lines + read_lines(screenplay.section("closing"))


def _small_talk(screenplay: Screenplay) -> _SmallTalk:
    exchange = [
        line.text for line in read_lines(screenplay.section("exchange").replace("Q:", "A:").replace("R:", "B:"))
    ]
    return _SmallTalk(
        exchanges=list(zip(exchange[::2], exchange[1::2], strict=True)),
        remarks=screenplay.section("remark").strip().splitlines(),
        replies=screenplay.section("reply").strip().splitlines(),
        bridges=screenplay.section("bridge").strip().splitlines(),
    )


def _words_of(heading: str) -> dict[str, str]:
    """What a topic is about: `topic: the kitchen | the worktops | Tomasz | nine days | the 27th | 2,300 pounds`."""
    topic, thing, who, span, when, amount = (word.strip() for word in heading.removeprefix("topic:").split("|"))
    return {"topic": topic, "thing": thing, "who": who, "span": span, "when": when, "amount": amount}


def _filled(template: str, words: dict[str, str]) -> str:
    text = template.format_map(words)
    return text[0].upper() + text[1:]


def _small_talk_about(words: dict[str, str], talk: _SmallTalk, chance: random.Random) -> Iterator[list[Line]]:
    """Pairs of lines, in no order; who says which is settled when they are mixed in."""
    for question, answer in chance.sample(talk.exchanges, EXCHANGES_PER_TOPIC):
        yield [_unassigned(_filled(question, words)), _unassigned(_filled(answer, words))]
    replies = chance.sample(talk.replies, REMARKS_PER_TOPIC)
    for remark, reply in zip(chance.sample(talk.remarks, REMARKS_PER_TOPIC), replies, strict=True):
        yield [_unassigned(_filled(remark, words)), _unassigned(reply)]


def _unassigned(text: str) -> Line:
    return Line("?", text, None)


def _mixed(told: Sequence[Line], asides: list[list[Line]], chance: random.Random) -> Iterator[Line]:
    """The topic's own lines in their order, with an even share of the asides after each that isn't a question."""
    chance.shuffle(asides)
    pauses = [line for line in told if not line.text.endswith("?")]
    heard = 0
    for line in told:
        yield line
        if line not in pauses:
            continue
        heard += 1
        turns = "BA" if line.speaker == "A" else "AB"
        for aside in asides[len(asides) * (heard - 1) // len(pauses) : len(asides) * heard // len(pauses)]:
            for speaker, small_talk in zip(turns, aside, strict=True):
                yield small_talk._replace(speaker=speaker)
