"""Which of two voices is which person, going only by who says who they are, and how they are greeted?

"This is Ann" is evidence, and so is "Hi Bob" from the other voice, or "Is this Bob?" that is answered with yes. A mere question,
somebody else's name ("This is Ann's brother") and another surname are not. Evidence that contradicts other evidence makes all of it
worthless for that voice. Whoever is not certain stays nameless: a wrong name in a summary is worse than a label.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from itertools import pairwise

from msgspec import Struct

_FIRST_TURNS = 5
"""People say who they are at the start; later, names are mostly other people's."""

_GREETINGS = (
    r"hi|hello|hey|yes|yeah|yep|oh|ok|okay|so|well|and|good (?:morning|afternoon|evening|day)|thanks for calling"
    r"|hallo|ja|und|guten (?:tag|morgen|abend)|grüß gott|hola|sí|buenos días|buenas (?:tardes|noches)"
    r"|bonjour|bonsoir|allô|oui|buongiorno|buonasera|pronto|sì|olá|alô|sim|bom dia|boa tarde|goedemorgen|goedemiddag"
)
_OPENERS = (
    r"this is|i['’]m|i am|my name is|my name['’]s|you['’]re speaking (?:to|with)"
    r"|hier ist|hier spricht|ich bin|mein name ist|soy|habla|le habla|me llamo|mi nombre es"
    r"|je suis|je m['’]appelle|ici|sono|mi chiamo|aqui é(?: o| a)?|aqui fala(?: o| a)?|eu sou(?: o| a)?|meu nome é"
    r"|u spreekt met|je spreekt met|ik ben|mijn naam is"
)
_CLOSERS = r"here|speaking|calling|am apparat|à l['’]appareil|al habla|al teléfono|all['’]apparecchio"
_AFTER_CLOSER = r"from|at|with|again|von|aus|de|da|di|van"

_WORDISH = r"[^\W\d_][\w'’-]*"
_GREETED = re.compile(rf"(?:(?:{_GREETINGS})\b\s*)+", re.IGNORECASE)
_OPENED = re.compile(rf"(?:{_OPENERS})\s+(?P<name>{_WORDISH}(?:\s+{_WORDISH}){{0,5}})", re.IGNORECASE)
_OPENED_AFTER_ADDRESS = re.compile(rf"(?:{_WORDISH}\s+){{0,2}}?{_OPENED.pattern}", re.IGNORECASE)
_FEW_WORDS = rf"(?P<name>{_WORDISH}(?:\s+{_WORDISH}){{0,3}}?)"
_CLOSING = rf"\s+(?:{_CLOSERS})(?:\s+(?:{_AFTER_CLOSER})\b.*)?"
_WEAK = re.compile(rf"(?:it['’]s|it is|c['’]est)\s+{_FEW_WORDS}(?:{_CLOSING})?", re.IGNORECASE)
_CLOSED = re.compile(rf"{_FEW_WORDS}{_CLOSING}", re.IGNORECASE)

_TITLE = r"mr|mrs|ms|mx|dr|prof|sr|sra|mme|mlle"
_TITLE_DOT = re.compile(rf"\b({_TITLE})\.", re.IGNORECASE)
_TITLES = frozenset([*_TITLE.split("|"), "miss", "sir", "herr", "frau", "señor", "señora", "monsieur", "madame"])
_WORD = re.compile(r"[^\W\d_]+(?:['’-][^\W\d_]+)*")


class _Heard(Struct, frozen=True, kw_only=True):
    """What the start of a call says of one voice."""

    is_one_of: frozenset[str]
    """Whom it claims to be, or is taken for without objection: `owner`, `contact`, `somebody else`."""
    is_called_otherwise: bool
    """It is greeted by a name that is neither's: a nickname, or somebody else."""


def certain_names(turns: Sequence[tuple[str, str]], *, owner: str | None, contact: str | None) -> dict[str, str]:
    """Return names for those of the two labels in *turns* (label, text) that are certain; empty if nobody is."""
    people = {"contact": _words(contact or ""), "owner": _words(owner or "")}
    labels = list(dict.fromkeys(label for label, _ in turns))
    if len(labels) != 2:
        return {}
    if not people["contact"]:  # a number, or an emoji
        return _owner_alone(turns, owner or "", people["owner"])
    heard = {label: _heard_of(label, turns, people) for label in labels}
    known = {
        label: next(iter(said.is_one_of))
        for label, said in heard.items()
        if len(said.is_one_of) == 1 and said.is_one_of <= people.keys()
    }
    if not known or len(set(known.values())) != len(known):
        return {}
    if len(known) == 1:
        [(label, who)] = known.items()
        other = next(other for other in labels if other != label)
        if not heard[other].is_one_of and not heard[other].is_called_otherwise:
            known[other] = "owner" if who == "contact" else "contact"
    names = {"contact": contact, "owner": owner}
    return {label: name for label, who in known.items() if (name := names[who])}


def _owner_alone(turns: Sequence[tuple[str, str]], owner: str, words: Sequence[str]) -> dict[str, str]:
    """Name the owner in a call with nobody knows whom: only by their full name, which no caller shares by chance."""
    if len(words) < 2:
        return {}
    said = {
        label: {name == tuple(words) for text in _first(label, turns) for name in _introductions(text)}
        | {name == tuple(words) for name in _confirmed(label, turns)}
        for label, _ in turns
    }
    owners = [label for label, claims in said.items() if claims == {True}]
    return {owners[0]: owner} if len(owners) == 1 else {}


def _first(label: str, turns: Sequence[tuple[str, str]]) -> list[str]:
    return [text for speaker, text in turns if speaker == label][:_FIRST_TURNS]


def _heard_of(label: str, turns: Sequence[tuple[str, str]], people: Mapping[str, Sequence[str]]) -> _Heard:
    claims = _claimed(_first(label, turns), people)
    for name in _confirmed(label, turns):
        claims |= _bearers(
            name, people
        )  # "Is this Sam?" - "Yes" may be said to be polite: no evidence for somebody else
    other = next(speaker for speaker, _ in turns if speaker != label)
    greeted = [name for text in _first(other, turns) for name in _addressed(text)]
    for name in greeted:
        claims |= _bearers(name, people)
    return _Heard(is_one_of=frozenset(claims), is_called_otherwise=any(not _bearers(name, people) for name in greeted))


def _bearers(name: Sequence[str], people: Mapping[str, Sequence[str]]) -> set[str]:
    return {who for who, words in people.items() if words and _is_name_of(name, words)}


def _claimed(texts: Sequence[str], people: Mapping[str, Sequence[str]]) -> set[str]:
    """Return whom a voice claims to be; `somebody else` for a name that is neither's."""
    claims: set[str] = set()
    for said in (said for text in texts for said in _introductions(text)):
        claims |= _bearers(said, people) or {"somebody else"}
    return claims


def _is_name_of(said: Sequence[str], words: Sequence[str]) -> bool:
    """`Ann`, `Ann Miller` and `Miller` name Ann Miller, `Ann Jones` does not; whoever is just `Ann` may have any surname."""
    return all(word in words for word in said) or (len(words) == 1 and said[0] == words[0])


def _introductions(text: str) -> Iterator[tuple[str, ...]]:
    """Yield the names by which the speaker of *text* introduces themself, as lower-case words."""
    for sentence in re.split(r"(?<=[.!?…])\s+", _TITLE_DOT.sub(r"\1", text)):
        if sentence.rstrip().endswith("?"):
            continue
        for clause in re.split(r"[,;:–—.!…]", sentence):
            if name := _introduced(clause.strip()):
                yield name


def _introduced(clause: str) -> tuple[str, ...]:
    """Return the name a clause introduces its speaker by, or nothing."""
    greeted = _GREETED.match(clause)
    rest = clause[greeted.end() :] if greeted else clause
    opened = (_OPENED_AFTER_ADDRESS if greeted else _OPENED).match(rest)
    found = opened or _WEAK.fullmatch(rest) or _CLOSED.fullmatch(rest)
    if found is None:
        return ()
    words = found["name"].split()
    name = words[: next((i for i, word in enumerate(words) if word[0].islower()), len(words))]
    # "it's Ann who told me": the weaker forms are introductions only if nothing but the name is there
    if not name or (opened is None and len(name) < len(words)) or name[-1].endswith(("'s", "’s")):
        return ()
    return tuple(_words(" ".join(name)))


_HAILS = (
    r"hi|hello|hey|good (?:morning|afternoon|evening|day)|hallo|guten (?:tag|morgen|abend)|grüß gott|hola|buenos días"
    r"|buenas (?:tardes|noches)|bonjour|bonsoir|buongiorno|buonasera|ciao|olá|bom dia|boa tarde|goedemorgen|goedemiddag"
)
_NAME_ANSWERED_WITH = r"hallo|guten (?:tag|morgen|abend)|grüß gott|goedemorgen|goedemiddag"
"""Where these are said, people pick up the phone with their own name: "Weber, guten Tag" is Weber himself."""
_TITLED = rf"(?:{_TITLE}|miss|sir|herr|frau|señora|señor|monsieur|madame)\s+"
_NAMED = rf"(?P<title>{_TITLED})?(?P<name>{_WORDISH}(?:\s+{_WORDISH}){{0,2}})"
_HAILED = re.compile(rf"(?:(?:yes|ja|sí|oui|oh|ah)\s+)?(?:{_HAILS})\s+{_NAMED}", re.IGNORECASE)
_JUST_A_NAME = re.compile(_NAMED, re.IGNORECASE)
_JUST_A_HAIL = re.compile(rf"(?:{_HAILS})(?:\s+(?:{_HAILS}))*", re.IGNORECASE)
_ANSWERED_WITH = re.compile(rf"(?:{_NAME_ANSWERED_WITH})\b", re.IGNORECASE)


def _addressed(text: str) -> Iterator[tuple[str, ...]]:
    """Yield the names by which the speaker of *text* greets the other one."""
    for n, sentence in enumerate(re.split(r"(?<=[.!?…])\s+", _TITLE_DOT.sub(r"\1", text))):
        clauses = [clause.strip() for clause in re.split(r"[,;:–—.!?…]", sentence) if clause.strip()]
        if len(clauses) == 1 and sentence.rstrip().endswith("?"):
            continue  # "Hello Ann?" asks who it is
        for clause in clauses:
            if (found := _HAILED.fullmatch(clause)) and (name := _hailed_name(found, clause)):
                yield name
        if n == 0 and len(clauses) > 1 and _JUST_A_HAIL.fullmatch(clauses[1]):
            found = _JUST_A_NAME.fullmatch(clauses[0])
            if found and not _JUST_A_HAIL.fullmatch(clauses[0]) and (name := _hailed_name(found, clauses[1])):
                yield name


def _hailed_name(found: re.Match[str], greeting: str) -> tuple[str, ...]:
    """Return the name somebody is greeted by; nothing where it may be the speaker's own, or is no name."""
    if any(word[0].islower() for word in found["name"].split()):
        return ()
    # without a title it may be the speaker's own name, where people answer with that
    own = found["title"] is None and _ANSWERED_WITH.match(greeting) is not None
    return () if own else tuple(_words(found["name"]))


_ASKED = re.compile(
    rf"(?:is (?:this|that)|am i (?:speaking|talking) (?:to|with)|are you|spreche ich mit|sind sie|bist du|hablo con|es usted"
    rf"|parlo con|suis-je bien (?:chez|avec)|falo com|spreek ik met)\s+(?:the\s+|der\s+|die\s+|la\s+|el\s+)?{_NAMED}",
    re.IGNORECASE,
)
_YES = re.compile(
    r"(?:(?:oh|hi|hello|good (?:morning|afternoon|evening|day)|hallo|guten (?:tag|morgen|abend)|hola)[\s,.!]+)*"
    r"(?:yes|yeah|yep|speaking|that['’]s me|this is (?:she|he)|ja|sí|oui|sì|sim)\b",
    re.IGNORECASE,
)


def _confirmed(label: str, turns: Sequence[tuple[str, str]]) -> Iterator[tuple[str, ...]]:
    """Yield the names that the other one asks *label* for, and that *label* says yes to at once."""
    start = turns[: 2 * _FIRST_TURNS]
    for (asker, question), (answerer, answer) in pairwise(start):
        if answerer != label or asker == label or not _YES.match(answer.strip()):
            continue
        last = re.split(r"(?<=[.!?…])\s+", _TITLE_DOT.sub(r"\1", question.strip()))[-1]
        if not last.endswith("?"):
            continue
        for clause in re.split(r"[,;:–—]", last.rstrip("?")):
            found = _ASKED.fullmatch(clause.strip())
            if found and not any(word[0].islower() for word in found["name"].split()):
                yield tuple(_words(found["name"]))


def _words(name: str) -> list[str]:
    """Return the words of a name, lower case, without titles."""
    return [word for word in map(str.casefold, _WORD.findall(name)) if word not in _TITLES]
