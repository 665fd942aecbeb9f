"""Alpaca's JSON read exactly: numbers as Decimal, stamps as UTC, and nothing guessed.

A value that is missing or odd raises UnreadableAnswer, which names the field; it never becomes 0.
"""

import json
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation
from typing import NoReturn

from runtime.errors import Unavailable

__all__ = [
    "JsonObject",
    "UnreadableAnswer",
    "as_object",
    "boolean",
    "decimal",
    "decode",
    "optional_decimal",
    "optional_stamp",
    "optional_text",
    "stamp",
    "text",
]

JsonObject = Mapping[str, object]

_NUMBER = re.compile(r"[+-]?[0-9]{1,64}(\.[0-9]{0,64})?([eE][+-]?[0-9]{1,3})?")
_STAMP = re.compile(
    r"([0-9]{4}-[0-9]{2}-[0-9]{2}[T ][0-9]{2}:[0-9]{2}:[0-9]{2})(\.[0-9]{1,9})?(Z|[+-][0-9]{2}:[0-9]{2})"
)
# No price, amount or quantity comes near; beyond it, formatting one number alone could fill the memory.
_MAX_MAGNITUDE = 30
_SHOWN = 60


class UnreadableAnswer(Unavailable):
    """The broker answered something we cannot read; for a read, asking again is safe."""

    reason = "BROKER_ANSWER_UNREADABLE"


def decode(body: bytes) -> object:
    """The JSON of a body, fractions as exact Decimal.

    NaN and Infinity, which Python's decoder would take, are refused.
    """
    try:
        return json.loads(body, parse_float=Decimal, parse_constant=_refuse_constant)
    # InvalidOperation: an exponent beyond what Decimal can hold.
    except (ValueError, RecursionError, InvalidOperation) as e:
        raise UnreadableAnswer(f"the broker's answer is not JSON: {_shown(body)}") from e


def as_object(value: object, what: str) -> JsonObject:
    """The value, if it is a JSON object; `what` names it in the error."""
    if isinstance(value, dict):
        return value
    raise UnreadableAnswer(f"{what} is {_shown(value)}, not an object")


def decimal(raw: JsonObject, field: str) -> Decimal:
    """A finite number that the broker sent as a string or a JSON number."""
    value = raw.get(field)
    if isinstance(value, str) and _NUMBER.fullmatch(value):
        value = Decimal(value)
    if isinstance(value, int) and not isinstance(value, bool):
        value = Decimal(value)
    if not isinstance(value, Decimal) or not value.is_finite() or abs(value.adjusted()) > _MAX_MAGNITUDE:
        raise UnreadableAnswer(f"{field} is {_shown(value)}, not a number")
    return value


def optional_decimal(raw: JsonObject, field: str) -> Decimal | None:
    """Like `decimal`, `None` where the broker leaves the field out, null or empty."""
    return None if raw.get(field) in (None, "") else decimal(raw, field)


def text(raw: JsonObject, field: str) -> str:
    """A string with something in it."""
    value = raw.get(field)
    if isinstance(value, str) and value:
        return value
    raise UnreadableAnswer(f"{field} is {_shown(value)}, not a text")


def optional_text(raw: JsonObject, field: str) -> str | None:
    """Like `text`, `None` where the broker leaves the field out, null or empty."""
    return None if raw.get(field) in (None, "") else text(raw, field)


def boolean(raw: JsonObject, field: str, *, default: bool | None = None) -> bool:
    """A flag; where it is left out or null, `default`, and without one an error."""
    value = raw.get(field)
    if isinstance(value, bool):
        return value
    if value is None and default is not None:
        return default
    raise UnreadableAnswer(f"{field} is {_shown(value)}, not true or false")


def stamp(raw: JsonObject, field: str) -> datetime:
    """A moment in UTC; the nanoseconds that Alpaca may send are cut to microseconds."""
    value = raw.get(field)
    found = _STAMP.fullmatch(value) if isinstance(value, str) else None
    if found is not None:
        seconds, fraction, offset = found.groups(default="")
        try:
            return datetime.fromisoformat(f"{seconds}{fraction[:7]}{offset}").astimezone(UTC)
        except (ValueError, OverflowError):
            pass
    raise UnreadableAnswer(f"{field} is {_shown(value)}, not a time with an offset")


def optional_stamp(raw: JsonObject, field: str) -> datetime | None:
    """Like `stamp`, `None` where the broker leaves the field out, null or empty."""
    return None if raw.get(field) in (None, "") else stamp(raw, field)


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is no JSON number")


def _shown(value: object) -> str:
    if value is None:
        return "missing"
    shown = repr(value)
    return shown if len(shown) <= _SHOWN else f"{shown[:_SHOWN]}…"
