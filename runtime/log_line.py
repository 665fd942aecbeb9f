"""How a log record becomes text: one line, no forged lines, no secrets; pure apart from the request id."""

import json
import re
import traceback
import unicodedata
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Final

from runtime.redaction import redact

# Cc: control, Cf: invisible and direction marks, Cs: lone surrogates, Zl and Zp: line separators.
_UNSAFE_CATEGORIES: Final = frozenset({"Cc", "Cf", "Cs", "Zl", "Zp"})
_NEEDS_QUOTES: Final = re.compile(r'[\s|"=]|^$')


def render(
    *,
    time: datetime,
    level: str,
    message: str,
    fields: Mapping[str, object],
    error: BaseException | None = None,
) -> str:
    """`2025-01-15 14:30:25.123 | INFO | message | key=value`, the error's traceback indented after it.

    The form is FR-005's and pinned: log parsers read it. Times are UTC.
    """
    line = " | ".join((stamp(time), level, message, *map(_field, fields.items())))
    written = escape(redact(line))
    return written if error is None else f"{written}\n{render_traceback(error)}"


def stamp(time: datetime) -> str:
    """UTC to the millisecond, cut and not rounded, so that a line is never later than what it reports."""
    utc = time.astimezone(UTC)
    return f"{utc:%Y-%m-%d %H:%M:%S}.{utc.microsecond // 1000:03d}"


def escape(text: str) -> str:
    r"""The text with every character that could break or disguise a line written as `\n`, `\x1b`, `\u2028`."""
    if text.isascii() and text.isprintable():
        return text
    return "".join(_escaped(one) if _is_unsafe(one) else one for one in text)


def render_traceback(error: BaseException) -> str:
    """The traceback without variable values, indented so that no line of it can pass for a log line."""
    text = "".join(traceback.format_exception(error))
    lines = redact(text).rstrip("\n").split("\n")
    return "\n".join(f"    {escape(line)}" for line in lines)


def _field(item: tuple[str, object]) -> str:
    key, value = item
    text = str(value)
    return f"{key}={json.dumps(text, ensure_ascii=False) if _NEEDS_QUOTES.search(text) else text}"


def _is_unsafe(character: str) -> bool:
    return unicodedata.category(character) in _UNSAFE_CATEGORIES


def _escaped(character: str) -> str:
    return character.encode("unicode_escape").decode("ascii")
