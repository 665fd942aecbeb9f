"""What was seen, or why it was not: an unseen thing is never an empty one (I10)."""

from dataclasses import dataclass
from datetime import datetime
from typing import Generic, TypeAlias, TypeVar

T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class Known(Generic[T]):
    """A value that was read."""

    value: T
    at: datetime
    """When it was true at the latest: the start of the read, or the value's own time."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Unknown:
    """The value could not be read; says nothing about what it is."""

    reason: str


Seen: TypeAlias = Known[T] | Unknown
