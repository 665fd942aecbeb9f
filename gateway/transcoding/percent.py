"""Percent decoding, once and strictly: a broken escape or bytes that are not UTF-8 are errors."""

import re
from urllib.parse import unquote_to_bytes

_BROKEN_ESCAPE = re.compile(r"%(?![0-9A-Fa-f]{2})")
_ESCAPED_SLASH = re.compile(r"(%2[Ff])")


class PercentError(ValueError):
    """Text is not a valid percent encoding of UTF-8."""


def decode(text: str) -> str:
    """`text` with every escape decoded."""
    if "%" not in text and text.isascii():
        return text
    if _BROKEN_ESCAPE.search(text):
        raise PercentError("a % is not followed by two hexadecimal digits")
    try:
        return unquote_to_bytes(text.encode("latin-1")).decode("utf-8")
    except UnicodeDecodeError:
        raise PercentError("the decoded bytes are not UTF-8") from None


def decode_keeping_slashes(text: str) -> str:
    """`text` with every escape decoded but `%2F` and `%2f`, as a variable of several segments wants it."""
    if "%2" not in text:
        return decode(text)
    pieces = _ESCAPED_SLASH.split(text)
    return "".join(piece if index % 2 else decode(piece) for index, piece in enumerate(pieces))


def decode_form(text: str) -> str:
    """`text` of a query string: as `decode`, and `+` is a space."""
    return decode(text.replace("+", " "))
