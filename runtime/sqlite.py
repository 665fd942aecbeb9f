"""SQLite as a service uses it: write-ahead log, full synchronisation, one process a file."""

import fcntl
import os
import sqlite3
from pathlib import Path
from typing import Final, Self

from sqlalchemy import Connection, Engine, create_engine, event
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError, DBAPIError
from sqlalchemy.pool import ConnectionPoolEntry, QueuePool, StaticPool

from runtime.errors import StartupError

BUSY_TIMEOUT_SECONDS: Final = 5
_FILE_MODE: Final = 0o600
_PRIMARY_CODE: Final = 0xFF
"""SQLite keeps the kind of an error in the low byte of its extended code."""
_STATEMENT_CODES: Final = frozenset(
    {
        sqlite3.SQLITE_ERROR,
        sqlite3.SQLITE_CONSTRAINT,
        sqlite3.SQLITE_MISMATCH,
        sqlite3.SQLITE_TOOBIG,
        sqlite3.SQLITE_RANGE,
        sqlite3.SQLITE_READONLY,
    }
)


class StoreLocked(StartupError):
    """Another process has this store open."""


class StoreLock:
    """An exclusive lock beside the database file, held by the kernel for this process and freed with it."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor

    @classmethod
    def acquire(cls, database: Path) -> Self:
        """Takes the lock or raises StoreLocked at once; the lock file stays behind and means nothing by itself."""
        path = database.with_name(f"{database.name}.lock")
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, _FILE_MODE)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            os.close(descriptor)
            raise StoreLocked(
                f"storage.url: {database} is in use by another process; stop it or give this one another storage.url"
            ) from error
        return cls(descriptor)

    def release(self) -> None:
        """Frees the store for another process."""
        os.close(self._descriptor)


def database_path(url: str) -> Path:
    """The file a SQLite URL names. Raises StartupError for any other URL."""
    try:
        parsed = make_url(url)
    except ArgumentError as error:
        raise StartupError("storage.url: is not a database URL, such as sqlite:///data/opitios.db") from error
    if parsed.get_backend_name() != "sqlite":
        raise StartupError(
            f"storage.url: {parsed.get_backend_name()} is not supported, use sqlite or postgresql"
        )
    if not parsed.database or parsed.database == ":memory:":
        raise StartupError("storage.url: must name a file, such as sqlite:///data/opitios.db")
    return Path(parsed.database)


def open_writer(path: Path) -> Engine:
    """An engine with one connection that serialises its transactions from their first statement on."""
    engine = create_engine(
        f"sqlite:///{path}",
        poolclass=StaticPool,
        connect_args={"check_same_thread": False, "timeout": BUSY_TIMEOUT_SECONDS},
    )
    event.listen(engine, "connect", _configure_writer)
    event.listen(engine, "begin", _begin_immediate)
    return engine


def open_reader(path: Path, connections: int) -> Engine:
    """An engine whose connections cannot write."""
    engine = create_engine(
        f"sqlite:///{path}",
        poolclass=QueuePool,
        pool_size=connections,
        max_overflow=0,
        connect_args={"check_same_thread": False, "timeout": BUSY_TIMEOUT_SECONDS},
    )
    event.listen(engine, "connect", _configure_reader)
    event.listen(engine, "begin", _begin)
    return engine


def is_store_fault(error: DBAPIError) -> bool:
    """Whether the database itself failed, as a full disk or a lock does; else the statement was wrong."""
    code = getattr(error.orig, "sqlite_errorcode", None)
    return code is not None and code & _PRIMARY_CODE not in _STATEMENT_CODES


def _configure_writer(connection: sqlite3.Connection, _entry: ConnectionPoolEntry) -> None:
    # FULL, not NORMAL: a power cut must not take back a commit that a caller was told of.
    _configure(connection, "journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON")


def _configure_reader(connection: sqlite3.Connection, _entry: ConnectionPoolEntry) -> None:
    _configure(connection, "query_only=ON")


def _configure(connection: sqlite3.Connection, *pragmas: str) -> None:
    # The driver's own transaction handling begins too late for savepoints; the "begin" events do it instead.
    connection.isolation_level = None
    for pragma in pragmas:
        connection.execute(f"PRAGMA {pragma}").close()


def _begin_immediate(connection: Connection) -> None:
    connection.exec_driver_sql("BEGIN IMMEDIATE")


def _begin(connection: Connection) -> None:
    connection.exec_driver_sql("BEGIN")
