"""Strict JSON text to Python values and back: what Go's parser refuses is refused here too.

Duplicate keys, NaN, lone surrogates, a byte order mark, bytes that are not UTF-8 and
nesting beyond MAX_DEPTH are errors, never a crash.
"""

import json
from typing import NoReturn, TypeAlias

JsonValue: TypeAlias = bool | int | float | str | list["JsonValue"] | dict[str, "JsonValue"] | None
JsonObject = dict[str, JsonValue]

MAX_DEPTH = 100
"""Nesting of objects and arrays; protobuf's own parsers stop there too."""

_EXACT_BELOW = float(2**53)


class JsonError(ValueError):
    """The text is not one JSON value; `offset` is where that was noticed, in characters."""

    def __init__(self, why: str, offset: int = 0) -> None:
        super().__init__(why)
        self.offset = offset


class LongFloat(float):
    """A number with a fraction or exponent too large for a double to hold exactly; keeps its text."""

    __slots__ = ("text",)
    text: str


def loads(body: bytes) -> JsonValue:
    """The one JSON value that `body` spells; JsonError otherwise."""
    try:
        text = body.decode("utf-8")
    except UnicodeDecodeError as e:
        raise JsonError("the body is not UTF-8", e.start) from None
    if text.startswith("\ufeff"):
        raise JsonError("the body starts with a byte order mark")
    try:
        value: JsonValue = _DECODER.decode(text)
    except RecursionError:
        raise JsonError(f"nested deeper than {MAX_DEPTH}") from None
    except json.JSONDecodeError as e:
        raise JsonError(f"not valid JSON: {e.msg}", e.pos) from None
    except JsonError:
        raise
    except ValueError:
        # An integer of more digits than the interpreter converts.
        raise JsonError("a number is too long") from None
    _check_depth(body, value)
    _check_surrogates(body, value)
    return value


def dumps(value: JsonValue, *, pretty: bool = False) -> bytes:
    """UTF-8 JSON, compact or indented; whole floats keep their `.0`."""
    if pretty:
        return _PRETTY_ENCODER.encode(value).encode("utf-8") + b"\n"
    return _ENCODER.encode(value).encode("utf-8")


def describe(value: JsonValue) -> str:
    """What kind of JSON value this is, for an error message."""
    match value:
        case None:
            return "null"
        case bool():
            return "a boolean"
        case int() | float():
            return "a number"
        case str():
            return "a string"
        case list():
            return "an array"
        case dict():
            return "an object"


def _parse_float(text: str) -> float:
    value = float(text)
    if -_EXACT_BELOW < value < _EXACT_BELOW:
        return value
    exact = LongFloat(value)
    exact.text = text
    return exact


def _refuse_constant(name: str) -> NoReturn:
    raise JsonError(f'not valid JSON: {name} must be the string "{name}"')


def _object_of(pairs: list[tuple[str, JsonValue]]) -> JsonObject:
    value = dict(pairs)
    if len(value) != len(pairs):
        seen: set[str] = set()
        for key, _ in pairs:
            if key in seen:
                raise JsonError(f"the key {key!a} is given twice")
            seen.add(key)
    return value


_DECODER = json.JSONDecoder(
    parse_float=_parse_float, parse_constant=_refuse_constant, object_pairs_hook=_object_of
)
_ENCODER = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"), allow_nan=False, check_circular=False)

_PRETTY_ENCODER = json.JSONEncoder(ensure_ascii=False, indent=2, allow_nan=False, check_circular=False)


def _check_depth(body: bytes, value: JsonValue) -> None:
    if body.count(b"{") + body.count(b"[") <= MAX_DEPTH:
        return
    level = [value]
    for _ in range(MAX_DEPTH + 1):
        level = [child for parent in level for child in _children(parent)]
        if not level:
            return
    raise JsonError(f"nested deeper than {MAX_DEPTH}")


def _children(value: JsonValue) -> list[JsonValue]:
    if isinstance(value, dict):
        return list(value.values())
    return value if isinstance(value, list) else []


def _check_surrogates(body: bytes, value: JsonValue) -> None:
    # Only an escape can spell one: the bytes themselves were decoded strictly.
    if b"\\u" not in body:
        return
    try:
        _ENCODER.encode(value).encode("utf-8")
    except UnicodeEncodeError:
        raise JsonError("a string holds half of a surrogate pair") from None
    except ValueError:
        # An infinite number; whoever reads that field refuses it with its path.
        return
