"""How messages look as JSON; one choice for all messages of a service."""

import enum
from dataclasses import dataclass


class Unset(enum.Enum):
    """What is printed for a field that holds nothing."""

    OMIT = "omit"
    """Nothing: only what is set appears."""
    ZERO = "zero"
    """Its zero value, where the field cannot tell unset from zero; others are omitted."""
    NULL = "null"
    """As ZERO, and `null` for unset messages and `optional` fields; unset oneof members are omitted."""


@dataclass(frozen=True, slots=True, kw_only=True)
class JsonOptions:
    """Options of the JSON that is written; what is read is the same under all of them."""

    proto_names: bool = False
    """Field names as in the proto file instead of lowerCamelCase."""
    int64_as_number: bool = False
    """64-bit integers as JSON numbers instead of strings."""
    enum_as_number: bool = False
    """Enum values as numbers instead of names."""
    unset: Unset = Unset.ZERO
