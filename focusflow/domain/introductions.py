"""Which of two voices is which person, going only by who says who they are?

"Hi Bob, this is Ann" is evidence; a question ("Is this Ann?"), somebody else's name ("This is Ann's brother") and another
surname are not. Whoever is not certain stays nameless: a wrong name in a summary is worse than a label.
"""

import re
from collections.abc import Iterator, Mapping, Sequence

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


def certain_names(turns: Mapping[str, Sequence[str]], *, owner: str | None, contact: str) -> dict[str, str]:
    """Return names for those of the two labels in *turns* that are certain; empty if nobody is."""
    people = {"contact": _words(contact), "owner": _words(owner or "")}
    if not people["contact"]:  # a number, or an emoji
        return {}
    names = {"contact": contact, "owner": owner}
    evidence = {label: _claimed(texts[:_FIRST_TURNS], people) for label, texts in turns.items()}
    identities = {label: next(iter(claims)) for label, claims in evidence.items() if len(claims) == 1}
    known = {label: who for label, who in identities.items() if who in people}
    if not known or len(set(known.values())) != len(known):
        return {}
    if len(known) == 1:
        [(label, who)] = known.items()
        known |= {
            other: "owner" if who == "contact" else "contact"
            for other, claims in evidence.items()
            if other != label and not claims
        }
    return {label: name for label, who in known.items() if (name := names[who])}


def _claimed(texts: Sequence[str], people: Mapping[str, Sequence[str]]) -> set[str]:
    """Return whom a voice claims to be; `somebody else` for a name that is neither's."""
    claims: set[str] = set()
    for said in (said for text in texts for said in _introductions(text)):
        claims |= {who for who, words in people.items() if _is_name_of(said, words)} or {"somebody else"}
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


def _words(name: str) -> list[str]:
    """Return the words of a name, lower case, without titles."""
    return [word for word in map(str.casefold, _WORD.findall(name)) if word not in _TITLES]
