"""Checks of single values: ranges of numbers, base64, enum names. Every error is a ValueReject."""

import binascii
import math
import re
from collections.abc import Callable
from decimal import Decimal

from google.protobuf.descriptor import EnumDescriptor, FieldDescriptor

from gateway.transcoding.json_value import JsonValue, LongFloat, describe

Scalar = bool | int | float | str | bytes
ReadJson = Callable[[JsonValue], Scalar]
ReadText = Callable[[str], Scalar]

_JSON_NUMBER = re.compile(r"-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?")
_INTEGER = re.compile(r"-?[0-9]{1,40}")
_BASE64_URL = str.maketrans("-_", "+/")
# Halfway between the largest 32-bit number and the next one; 3.4028235e38, as everybody prints it, rounds down.
_FLOAT32_LIMIT = 3.4028235677973366e38
_NAMED_FLOATS = {"NaN": math.nan, "Infinity": math.inf, "-Infinity": -math.inf}
_BOOLS = {"true": True, "false": False, "1": True, "0": False}
_INTEGER_RANGES = {
    FieldDescriptor.CPPTYPE_INT32: (-(2**31), 2**31 - 1),
    FieldDescriptor.CPPTYPE_UINT32: (0, 2**32 - 1),
    FieldDescriptor.CPPTYPE_INT64: (-(2**63), 2**63 - 1),
    FieldDescriptor.CPPTYPE_UINT64: (0, 2**64 - 1),
}


class ValueReject(ValueError):
    """A value does not fit its field; `path` names the field from the inside out."""

    def __init__(self, why: str, path: str = "") -> None:
        super().__init__(why)
        self.why = why
        self.path = path

    def under(self, parent: str) -> "ValueReject":
        """The same error, seen from the field or index that holds the rejected one."""
        glue = "." if self.path and not self.path.startswith("[") else ""
        self.path = f"{parent}{glue}{self.path}"
        return self


def json_reader(field: FieldDescriptor) -> ReadJson:
    """How a ProtoJSON value becomes a value of this scalar field."""
    cpp_type = field.cpp_type
    if cpp_type in _INTEGER_RANGES:
        return _integer_reader(*_INTEGER_RANGES[cpp_type])
    if cpp_type in (FieldDescriptor.CPPTYPE_FLOAT, FieldDescriptor.CPPTYPE_DOUBLE):
        return _float_reader(single=cpp_type == FieldDescriptor.CPPTYPE_FLOAT)
    if cpp_type == FieldDescriptor.CPPTYPE_BOOL:
        return _read_bool
    if cpp_type == FieldDescriptor.CPPTYPE_ENUM:
        return _enum_reader(_enum_of(field))
    return _read_bytes if field.type == FieldDescriptor.TYPE_BYTES else _read_string


def text_reader(field: FieldDescriptor) -> ReadText:
    """How the text of a path variable or query parameter becomes a value of this scalar field."""
    cpp_type = field.cpp_type
    if cpp_type in _INTEGER_RANGES:
        return _integer_text_reader(*_INTEGER_RANGES[cpp_type])
    if cpp_type in (FieldDescriptor.CPPTYPE_FLOAT, FieldDescriptor.CPPTYPE_DOUBLE):
        return _float_reader(single=cpp_type == FieldDescriptor.CPPTYPE_FLOAT)
    if cpp_type == FieldDescriptor.CPPTYPE_BOOL:
        return _bool_of_text
    if cpp_type == FieldDescriptor.CPPTYPE_ENUM:
        return _enum_text_reader(_enum_of(field))
    return decode_base64 if field.type == FieldDescriptor.TYPE_BYTES else str


def map_key_reader(field: FieldDescriptor) -> ReadText:
    """How the key of a JSON object becomes a key of this map."""
    if field.cpp_type == FieldDescriptor.CPPTYPE_BOOL:
        return _bool_of_key
    return text_reader(field)


def decode_base64(text: str) -> bytes:
    """The bytes of base64 in either alphabet, padded or not."""
    plain = text.translate(_BASE64_URL)
    if "=" not in plain:
        plain += "=" * (-len(plain) % 4)
    try:
        return binascii.a2b_base64(plain.encode("ascii"), strict_mode=True) if plain else b""
    except (binascii.Error, UnicodeEncodeError):
        raise ValueReject("expected base64") from None


def _enum_of(field: FieldDescriptor) -> EnumDescriptor:
    if field.enum_type is None:
        raise AssertionError(f"{field.full_name} has no enum type")
    return field.enum_type


def _integer_reader(low: int, high: int) -> ReadJson:
    def read(value: JsonValue) -> int:
        kind = type(value)
        if kind is int:
            number = value
        elif isinstance(value, float):
            number = _whole(value)
        elif kind is str:
            number = _integer_of(str(value), low, high)
        else:
            raise ValueReject(f"expected an integer, got {describe(value)}")
        if low <= number <= high:  # type: ignore[operator]  # `kind` has told what mypy cannot see
            return number  # type: ignore[return-value]  # as above
        raise ValueReject(f"out of range, from {low} to {high}")

    return read


def _whole(value: float) -> int:
    if isinstance(value, LongFloat):
        exact = Decimal(value.text)
        # Far outside every integer type; turning 1e999999999 into an int would take all memory.
        if not -(2**64) <= exact <= 2**64:
            raise ValueReject("out of range")
        if exact != exact.to_integral_value():
            raise ValueReject("expected an integer, got a fraction")
        return int(exact)
    if not value.is_integer():
        raise ValueReject("expected an integer, got a fraction")
    return int(value)


def _integer_of(text: str, low: int, high: int) -> int:
    if _JSON_NUMBER.fullmatch(text) is None or len(text) > 1000:
        raise ValueReject("expected an integer, got other text")
    if text.lstrip("-").isdecimal():
        return int(text) if len(text) <= 40 else high + 1
    exact = Decimal(text)
    if not low <= exact <= high:
        return high + 1
    if exact != exact.to_integral_value():
        raise ValueReject("expected an integer, got a fraction")
    return int(exact)


def _integer_text_reader(low: int, high: int) -> ReadText:
    def read(text: str) -> int:
        if _INTEGER.fullmatch(text) is None:
            raise ValueReject("expected an integer")
        number = int(text)
        if low <= number <= high:
            return number
        raise ValueReject(f"out of range, from {low} to {high}")

    return read


def _float_reader(*, single: bool) -> Callable[[JsonValue], float]:
    limit = _FLOAT32_LIMIT if single else math.inf

    def read(value: JsonValue) -> float:
        if isinstance(value, str):
            if value in _NAMED_FLOATS:
                return _NAMED_FLOATS[value]
            if _JSON_NUMBER.fullmatch(value) is None:
                raise ValueReject("expected a number, got other text")
            number = float(value)
        elif isinstance(value, bool) or not isinstance(value, int | float):
            raise ValueReject(f"expected a number, got {describe(value)}")
        else:
            number = _float_of(value)
        if abs(number) >= limit:
            raise ValueReject("out of range")
        return number

    return read


def _float_of(value: float) -> float:
    try:
        return float(value)
    except OverflowError:
        return math.inf


def _read_bool(value: JsonValue) -> bool:
    if value is True or value is False:
        return value
    raise ValueReject(f"expected true or false, got {describe(value)}")


def _read_string(value: JsonValue) -> str:
    if isinstance(value, str):
        return value
    raise ValueReject(f"expected a string, got {describe(value)}")


def _read_bytes(value: JsonValue) -> bytes:
    return decode_base64(_read_string(value))


def _bool_of_text(text: str) -> bool:
    value = _BOOLS.get(text.lower())
    if value is None:
        raise ValueReject("expected true or false")
    return value


def _bool_of_key(text: str) -> bool:
    if text not in ("true", "false"):
        raise ValueReject("expected the key true or false")
    return text == "true"


def _enum_reader(enum: EnumDescriptor) -> ReadJson:
    numbers = {value.name: value.number for value in enum.values}
    listed = frozenset(numbers.values())
    closed = enum.is_closed
    is_null = enum.full_name == "google.protobuf.NullValue"

    def read(value: JsonValue) -> int:
        if isinstance(value, str):
            if value in numbers:
                return numbers[value]
            raise ValueReject(f"{value[:100]!a} is not a value of {enum.full_name}")
        if value is None and is_null:
            return 0
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise ValueReject(f"expected a name of {enum.full_name}, got {describe(value)}")
        number = _whole(value) if isinstance(value, float) else value
        if (closed and number not in listed) or not -(2**31) <= number < 2**31:
            raise ValueReject(f"{enum.full_name} has no such number")
        return number

    return read


def _enum_text_reader(enum: EnumDescriptor) -> ReadText:
    numbers = {value.name: value.number for value in enum.values}
    numbers.update({str(value.number): value.number for value in enum.values})

    def read(text: str) -> int:
        number = numbers.get(text)
        if number is None:
            raise ValueReject(f"{text[:100]!a} is not a value of {enum.full_name}")
        return number

    return read
