"""Timestamp, Duration, FieldMask and the wrappers as JSON values.

The messages may be of any descriptor pool; they have the attributes of the classes named here.
"""

from google.protobuf.duration_pb2 import Duration
from google.protobuf.field_mask_pb2 import FieldMask
from google.protobuf.timestamp_pb2 import Timestamp

from gateway.transcoding.json_value import JsonValue, describe
from gateway.transcoding.scalar import ValueReject
from gateway.transcoding.well_known_text import (
    TextFormError,
    format_duration,
    format_mask,
    format_timestamp,
    parse_duration,
    parse_go_duration,
    parse_mask,
    parse_mask_strict,
    parse_timestamp,
)

WRAPPERS = frozenset(
    f"google.protobuf.{kind}Value"
    for kind in ("Double", "Float", "Int64", "UInt64", "Int32", "UInt32", "Bool", "String", "Bytes")
)


def fill_timestamp(message: Timestamp, value: JsonValue) -> None:
    """Read an RFC 3339 string."""
    try:
        message.seconds, message.nanos = parse_timestamp(_text(value))
    except TextFormError as e:
        raise ValueReject(str(e)) from None


def fill_duration(message: Duration, value: JsonValue) -> None:
    """Read a string like `3.5s`."""
    try:
        message.seconds, message.nanos = parse_duration(_text(value))
    except TextFormError as e:
        raise ValueReject(str(e)) from None


def fill_duration_text(message: Duration, text: str) -> None:
    """Read a parameter like `3.5s`, or `1m30s` as Go spells it."""
    try:
        message.seconds, message.nanos = parse_go_duration(text)
    except TextFormError as e:
        raise ValueReject(str(e)) from None


def fill_mask(message: FieldMask, value: JsonValue) -> None:
    """Read a string like `name,author.givenName`."""
    try:
        message.paths.extend(parse_mask_strict(_text(value)))
    except TextFormError as e:
        raise ValueReject(str(e)) from None


def fill_mask_text(message: FieldMask, text: str) -> None:
    """Read a parameter like `name,author.givenName` or `name,author.given_name`."""
    try:
        message.paths.extend(parse_mask(text))
    except TextFormError as e:
        raise ValueReject(str(e)) from None


def print_timestamp(message: Timestamp) -> JsonValue:
    """RFC 3339 in UTC; TextFormError beyond the years 0001 to 9999."""
    return format_timestamp(message.seconds, message.nanos)


def print_duration(message: Duration) -> JsonValue:
    """A string like `3.500s`; TextFormError beyond its range."""
    return format_duration(message.seconds, message.nanos)


def print_mask(message: FieldMask) -> JsonValue:
    """The paths in lowerCamelCase, separated by commas."""
    return format_mask(list(message.paths))


def _text(value: JsonValue) -> str:
    if isinstance(value, str):
        return value
    raise ValueReject(f"expected a string, got {describe(value)}")
