"""What does JSON from outside say, however odd it is?"""

import json


def document_in(text: bytes | str) -> object:
    """Return the document. Raises `ValueError` for whatever is none, and for one that is nested too deeply to be read."""
    try:
        return json.loads(text)
    except RecursionError as exc:
        raise ValueError("nested too deeply") from exc
