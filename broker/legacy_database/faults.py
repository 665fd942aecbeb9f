"""How the legacy database fails, each way its own: down is not empty, and neither is an unknown account."""

from typing import ClassVar

from runtime.errors import FailedPrecondition, Unavailable

__all__ = ["LegacyDatabaseEmpty", "LegacyDatabaseUnreachable", "LegacySchemaMismatch"]


class LegacyDatabaseUnreachable(Unavailable):
    """The database did not answer, or not in time; every operation of this package is safe to repeat."""

    reason: ClassVar[str] = "LEGACY_DATABASE_UNAVAILABLE"


class LegacyDatabaseEmpty(FailedPrecondition):
    """The database answers and has no enabled account; `rows` of the metadata counts the disabled ones."""

    reason: ClassVar[str] = "LEGACY_DATABASE_EMPTY"


class LegacySchemaMismatch(FailedPrecondition):
    """A table or a column is missing, or holds what it cannot; this service never changes the schema."""

    reason: ClassVar[str] = "LEGACY_DATABASE_SCHEMA"
