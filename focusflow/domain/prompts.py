"""How does a prompt's template become the text that a model reads?"""

import difflib
import hashlib
import re
from collections.abc import Collection, Mapping

from focusflow.errors import Permanent

_PLACEHOLDER = re.compile(r"\{\{\s*(\w+)\s*\}\}")


def fill(template: str, values: Mapping[str, str], *, required: Collection[str] = ()) -> str:
    """Return *template* with every `{{name}}` replaced by its value, all in one pass and to the letter.

    What a value contains (`$&`, backslashes, `{{transcript}}`) stays as it is. Values that are not asked for are fine.
    Raises `Permanent`, naming the nearest known one, for a placeholder without a value, and for a *required* one that is missing:
    a model that is not shown the transcript would be paid to invent one.
    """
    asked = [found[1] for found in _PLACEHOLDER.finditer(template)]
    problems = [_unknown(name, values) for name in dict.fromkeys(asked) if name not in values]
    problems += [f"{{{{{name}}}}} is missing" for name in required if name not in asked]
    if problems:
        raise Permanent(f"The prompt cannot be used: {'; '.join(problems)}. Mend the prompt's file, then retry.")
    return _PLACEHOLDER.sub(lambda found: values[found[1]], template)


def prompt_hash(text: str) -> str:
    """Return 16 characters that are equal for equal prompts: which words made this summary?"""
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:16]


def _unknown(name: str, values: Mapping[str, str]) -> str:
    nearest = difflib.get_close_matches(name.lower(), values, n=1, cutoff=0.5)
    hint = f"did you mean {{{{{nearest[0]}}}}}?" if nearest else f"known are {', '.join(sorted(values)) or 'none'}"
    return f"nothing is known for {{{{{name}}}}} ({hint})"
