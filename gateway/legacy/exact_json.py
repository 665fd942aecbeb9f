"""Reads a legacy request body as the former service did, but keeps the digits of every number."""

import json
import math
from email.message import Message
from typing import Final

from gateway.transcoding.json_value import JsonValue

MAX_SHOWN_DEPTH: Final = 20
_NOT_NUMBERS: Final = {"nan": "NaN", "inf": "Infinity", "-inf": "-Infinity"}


class ExactFloat(float):
    """A JSON number with a fraction or exponent, and how it was written."""

    __slots__ = ("text",)
    text: str


class UnreadableBody(ValueError):
    """The bytes are no text in any encoding that JSON allows, or nest too deeply to be read."""


class BrokenJson(ValueError):
    """The text is not JSON; `offset` is where that shows, in characters."""

    def __init__(self, why: str, offset: int) -> None:
        super().__init__(why)
        self.why = why
        self.offset = offset


def read_body(body: bytes, content_type: str | None) -> object:
    """The value in a body: `None` for an empty one, the text itself under a Content-Type that is not JSON.

    NaN and infinite numbers come through as such, for the field's own check to refuse by name.
    """
    if not body:
        return None
    if content_type and not _is_json(content_type):
        return body.decode("utf-8", "replace")
    try:
        value: object = json.loads(body, parse_float=_parse_float)
    except json.JSONDecodeError as error:
        raise BrokenJson(error.msg, error.pos) from None
    except (ValueError, RecursionError):
        # Not text, or an integer of more digits than the interpreter converts.
        raise UnreadableBody("There was an error parsing the body") from None
    return value


def shown(value: object, depth: int = 0) -> JsonValue:
    """The value as an error may repeat it: only what JSON can say, and not endlessly deep."""
    match value:
        case float() if not math.isfinite(value):
            return _NOT_NUMBERS[str(float(value))]
        case str():
            return value.encode("utf-8", "backslashreplace").decode("utf-8")
        case dict() if depth < MAX_SHOWN_DEPTH:
            return {str(shown(key)): shown(one, depth + 1) for key, one in value.items()}
        case list() | tuple() if depth < MAX_SHOWN_DEPTH:
            return [shown(one, depth + 1) for one in value]
        case None | bool() | int() | float():
            return value
        case _:
            return "..."


def _is_json(content_type: str) -> bool:
    header = Message()
    header["content-type"] = content_type
    subtype = header.get_content_subtype()
    return header.get_content_maintype() == "application" and (subtype == "json" or subtype.endswith("+json"))


def _parse_float(text: str) -> ExactFloat:
    number = ExactFloat(text)
    number.text = text
    return number
