"""Struct, Value and ListValue: JSON inside a message, read and printed.

The messages may be of any descriptor pool; they have the attributes of the classes named here.
"""

import math

from google.protobuf.struct_pb2 import ListValue, Struct, Value

from gateway.transcoding.json_value import JsonValue, describe
from gateway.transcoding.scalar import ValueReject
from gateway.transcoding.well_known_text import TextFormError


def fill_struct(message: Struct, value: JsonValue) -> None:
    """Read an object."""
    if not isinstance(value, dict):
        raise ValueReject(f"expected an object, got {describe(value)}")
    for key, item in value.items():
        try:
            fill_value(message.fields[key], item)
        except ValueReject as e:
            raise e.under(f"[{key[:100]!a}]") from None


def fill_list_value(message: ListValue, value: JsonValue) -> None:
    """Read an array."""
    if not isinstance(value, list):
        raise ValueReject(f"expected an array, got {describe(value)}")
    for index, item in enumerate(value):
        try:
            fill_value(message.values.add(), item)
        except ValueReject as e:
            raise e.under(f"[{index}]") from None


def fill_value(message: Value, value: JsonValue) -> None:
    """Read any JSON value, null too."""
    match value:
        case None:
            message.null_value = 0  # type: ignore[assignment]  # NULL_VALUE, for classes of any pool
        case bool():
            message.bool_value = value
        case str():
            message.string_value = value
        case dict():
            message.struct_value.SetInParent()
            fill_struct(message.struct_value, value)
        case list():
            message.list_value.SetInParent()
            fill_list_value(message.list_value, value)
        case int() | float():
            message.number_value = _finite(value)


def print_struct(message: Struct) -> JsonValue:
    """An object."""
    return {key: print_value(item) for key, item in message.fields.items()}


def print_list_value(message: ListValue) -> JsonValue:
    """An array."""
    return [print_value(item) for item in message.values]


def print_value(message: Value) -> JsonValue:
    """Any JSON value; TextFormError for a number that JSON cannot hold."""
    match message.WhichOneof("kind"):
        case "number_value":
            if not math.isfinite(message.number_value):
                raise TextFormError("a google.protobuf.Value holds a number that JSON has no form for")
            return message.number_value
        case "string_value":
            return message.string_value
        case "bool_value":
            return message.bool_value
        case "struct_value":
            return print_struct(message.struct_value)
        case "list_value":
            return print_list_value(message.list_value)
        case _:
            return None


def _finite(value: float) -> float:
    try:
        number = float(value)
    except OverflowError:
        number = math.inf
    if math.isinf(number):
        raise ValueReject("out of range")
    return number
