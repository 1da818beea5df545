"""Would Notion take this text? The rules every body obeys, and the rules of rich text, in the words of its validator."""

import json
from collections.abc import Collection, Iterable, Mapping
from datetime import datetime
from typing import Any, Final, TypeAlias
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo

from focusflow.sandbox.notion.errors import Json, NotionError, invalid

Path: TypeAlias = str
"""Where in the request something stands: `body.children[0].paragraph.rich_text`."""

TEXT_LIMIT: Final = 2000
ARRAY_LIMIT: Final = 100
URL_LIMIT: Final = 2000
EXPRESSION_LIMIT: Final = 1000
SHOWN: Final = 120
"""How much of a wrong value the message repeats."""

PLAIN_COLORS: Final = ("default", "gray", "brown", "orange", "yellow", "green", "blue", "purple", "pink", "red")
COLORS: Final = PLAIN_COLORS + tuple(f"{color}_background" for color in PLAIN_COLORS)
RICH_TEXT_KINDS: Final = ("text", "equation")
"""What the sandbox takes; the real Notion also knows mentions, which FocusFlow has no use for."""
STYLES: Final = ("bold", "italic", "strikethrough", "underline", "code")

ABSENT: Final = object()
"""Stands for a value that is not there: `undefined` in the messages."""


class Problems:
    """What is wrong with a request so far, in the order found."""

    def __init__(self, place: str = "body") -> None:
        self.place = place
        self.lines: list[str] = []

    def should_be(self, path: Path, expectation: str, value: Any = ABSENT) -> None:
        """Note that what stands at *path* is not what it should be."""
        self.lines.append(f"{path} should be {expectation}, instead was `{shown(value)}`.")

    def note(self, line: str) -> None:
        """Note a problem that Notion words in its own way."""
        self.lines.append(line)

    def error(self) -> NotionError | None:
        """The 400 that reports them all, or None if there are none."""
        if not self.lines:
            return None
        if len(self.lines) == 1:
            return invalid(f"{self.place} failed validation: {self.lines[0]}")
        return invalid("\n".join([f"{self.place} failed validation. Fix one:", *self.lines]))

    def raise_if_any(self) -> None:
        """Raise the 400, if there is anything to report."""
        if error := self.error():
            raise error


def failed(path: Path, expectation: str, value: Any = ABSENT) -> NotionError:
    """The 400 for the one thing wrong with a request."""
    place = path.partition(".")[0].partition("[")[0]
    return invalid(f"{place} failed validation: {path} should be {expectation}, instead was `{shown(value)}`.")


def shown(value: Any) -> str:
    """*value* as the validator repeats it: JSON, cut when long; `undefined` when it is not there."""
    if value is ABSENT:
        return "undefined"
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    return text if len(text) <= SHOWN else f"{text[:SHOWN]}..."


def utf16_length(text: str) -> int:
    """How long JavaScript finds *text*: an emoji counts 2."""
    return len(text.encode("utf-16-le", "surrogatepass")) // 2


def one_of(values: Collection[str]) -> str:
    """`"a"`, `"b"`, or `"c"`, as the validator lists what it would take."""
    quoted = [f'`"{value}"`' for value in values]
    return quoted[0] if len(quoted) == 1 else f"{', '.join(quoted[:-1])}, or {quoted[-1]}"


def only_keys(problems: Problems, path: Path, value: Mapping[str, Any], allowed: Collection[str]) -> None:
    """Refuse every key that is not *allowed*: Notion's schemas take no additional properties."""
    for key in value:
        if key not in allowed:
            problems.should_be(f"{path}.{key}", "not present", value[key])


def is_object(problems: Problems, path: Path, value: Any) -> bool:
    """Whether *value* is an object; noted if not."""
    if not isinstance(value, dict):
        problems.should_be(path, "an object", value)
    return isinstance(value, dict)


def check_array(problems: Problems, path: Path, value: Any, *, most: int = ARRAY_LIMIT) -> list[Any]:
    """The items of *value*, none if it is no array; an array that is too long is noted."""
    if not isinstance(value, list):
        problems.should_be(path, "an array", value)
        return []
    if len(value) > most:
        problems.should_be(f"{path}.length", f"≤ `{most}`", len(value))
    return value


def check_string(problems: Problems, path: Path, value: Any, *, most: int = TEXT_LIMIT) -> bool:
    """Whether *value* is a string of at most *most* UTF-16 units."""
    if not isinstance(value, str):
        problems.should_be(path, "a string", value)
        return False
    if (length := utf16_length(value)) > most:
        problems.should_be(f"{path}.length", f"≤ `{most}`", length)
        return False
    return True


def check_boolean(problems: Problems, path: Path, value: Any) -> None:
    """Note anything but true and false."""
    if not isinstance(value, bool):
        problems.should_be(path, "a boolean", value)


def check_number(problems: Problems, path: Path, value: Any) -> None:
    """Note anything but a number."""
    if not isinstance(value, int | float) or isinstance(value, bool):
        problems.should_be(path, "a number", value)


def check_choice(problems: Problems, path: Path, value: Any, choices: Collection[str]) -> None:
    """Note anything but one of *choices*."""
    if not isinstance(value, str) or value not in choices:
        problems.should_be(path, one_of(choices), value)


def check_url(problems: Problems, path: Path, value: Any) -> None:
    """Note what is not a web or mail address of at most 2000 units."""
    if not check_string(problems, path, value, most=URL_LIMIT):
        return
    if not value:
        problems.should_be(path, "populated", value)
    elif not is_real_url(value):
        problems.should_be(path, "a valid URL", value)


def is_real_url(value: str) -> bool:
    """Whether *value* is something one could follow: http, https with a host, or mailto with an address."""
    if any(character.isspace() for character in value):
        return False
    try:
        parts = urlsplit(value)
        host = parts.hostname
    except ValueError:  # an unclosed IPv6 bracket
        return False
    if parts.scheme in ("http", "https"):
        return bool(host)
    return parts.scheme == "mailto" and "@" in parts.path


def check_color(problems: Problems, path: Path, value: Any) -> None:
    """Note anything but one of the colours and backgrounds."""
    check_choice(problems, path, value, COLORS)


def check_rich_text(problems: Problems, path: Path, value: Any) -> None:
    """Check an array of rich text: its length, and each item."""
    for index, item in enumerate(check_array(problems, path, value)):
        _check_rich_text_item(problems, f"{path}[{index}]", item)


def _check_rich_text_item(problems: Problems, path: Path, item: Any) -> None:
    if not is_object(problems, path, item):
        return
    kind = next((kind for kind in RICH_TEXT_KINDS if kind in item), None)
    if kind is None:
        for missing in RICH_TEXT_KINDS:
            problems.should_be(f"{path}.{missing}", "defined")
        return
    only_keys(problems, path, item, {"type", "annotations", kind})
    if "type" in item:
        check_choice(problems, f"{path}.type", item["type"], (kind,))
    if "annotations" in item:
        _check_annotations(problems, f"{path}.annotations", item["annotations"])
    if not is_object(problems, f"{path}.{kind}", item[kind]):
        return
    if kind == "equation":
        _check_equation(problems, f"{path}.equation", item["equation"])
    else:
        _check_text(problems, f"{path}.text", item["text"])


def _check_equation(problems: Problems, path: Path, equation: Json) -> None:
    only_keys(problems, path, equation, {"expression"})
    check_string(problems, f"{path}.expression", equation.get("expression", ABSENT), most=EXPRESSION_LIMIT)


def _check_text(problems: Problems, path: Path, text: Json) -> None:
    only_keys(problems, path, text, {"content", "link"})
    if "content" not in text:
        problems.should_be(f"{path}.content", "defined")
    else:
        check_string(problems, f"{path}.content", text["content"])
    link = text.get("link")
    if link is None or not is_object(problems, f"{path}.link", link):
        return
    only_keys(problems, f"{path}.link", link, {"url", "type"})
    url = link.get("url", ABSENT)
    if check_string(problems, f"{path}.link.url", url, most=URL_LIMIT) and not url:
        problems.should_be(f"{path}.link.url", "populated", url)


def _check_annotations(problems: Problems, path: Path, annotations: Any) -> None:
    if not is_object(problems, path, annotations):
        return
    only_keys(problems, path, annotations, {*STYLES, "color"})
    for style in STYLES:
        if style in annotations:
            check_boolean(problems, f"{path}.{style}", annotations[style])
    if "color" in annotations:
        check_color(problems, f"{path}.color", annotations["color"])


def check_links(items: Iterable[Json]) -> None:
    """Raise the 400 that one bad link earns the whole request; the texts are otherwise known to be well-formed."""
    for item in items:
        link = item.get("text", {}).get("link")
        if link and not is_real_url(link["url"]):
            raise invalid("Invalid URL for link.")


def check_date(problems: Problems, path: Path, value: Any) -> None:
    """Check a date: ISO 8601 start and end, and an offset or a time zone but not both."""
    if not is_object(problems, path, value):
        return
    only_keys(problems, path, value, {"start", "end", "time_zone"})
    zone = value.get("time_zone")
    if zone is not None and not _is_time_zone(zone):
        problems.should_be(f"{path}.time_zone", "a valid IANA time zone", zone)
    for key in ("start", "end"):
        if key == "end" and value.get("end") is None:
            continue
        moment = parsed_moment(value.get(key))
        if moment is None:
            problems.should_be(f"{path}.{key}", "a valid ISO 8601 date string", value.get(key, ABSENT))
        elif zone is not None and moment.tzinfo is not None:
            problems.should_be(f"{path}.{key}", "a date without an offset when time_zone is given", value[key])


def parsed_moment(value: Any) -> datetime | None:
    """The date or time in *value* (naive without an offset), or None if it is not ISO 8601."""
    if not isinstance(value, str):
        return None
    try:
        return datetime.fromisoformat(value)
    except ValueError:
        return None


def _is_time_zone(value: Any) -> bool:
    try:
        return isinstance(value, str) and bool(ZoneInfo(value))
    except (ValueError, OSError, LookupError):
        return False
