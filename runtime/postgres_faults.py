"""What an error of PostgreSQL says about the transaction it ended (SQLSTATE, PostgreSQL appendix A)."""

from enum import Enum
from typing import Final

import psycopg
from sqlalchemy.exc import DBAPIError

__all__ = ["Fault", "fault_of"]


class Fault(Enum):
    """A failure of the database itself, by what to do about it."""

    LOST = "lost"
    """The connection is gone or silent: whatever had not reached its commit is undone."""
    CONFLICT = "conflict"
    """A race was lost; the transaction is undone and may run again."""
    BUSY = "busy"
    """A lock or a connection was not to be had in time."""
    FAILED = "failed"
    """The server cannot: disk full, read only, out of time."""


_LOST: Final = frozenset({"40003", "25P03", "25P04", "57P01", "57P02", "57P03", "57P04", "57P05"})
_CONFLICT: Final = frozenset({"40001", "40P01"})
_BUSY: Final = frozenset({"53300", "55P03"})
_READ_ONLY: Final = "25006"
_FAILED_CLASSES: Final = frozenset({"53", "57", "58", "XX"})


def fault_of(error: DBAPIError) -> Fault | None:
    """The database's fault, or `None` where the statement was wrong."""
    code = getattr(error.orig, "sqlstate", None)
    if error.connection_invalidated or code in _LOST:
        return Fault.LOST
    if code is None:
        # The client library's own errors carry no code: no connection, or one that broke.
        lost = isinstance(error.orig, (psycopg.OperationalError, psycopg.InterfaceError))
        return Fault.LOST if lost else None
    return _fault_by_code(str(code))


def _fault_by_code(code: str) -> Fault | None:
    if code in _CONFLICT:
        return Fault.CONFLICT
    if code in _BUSY:
        return Fault.BUSY
    if code.startswith("08"):
        return Fault.LOST
    return Fault.FAILED if code == _READ_ONLY or code[:2] in _FAILED_CLASSES else None
