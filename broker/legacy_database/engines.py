"""Engines for the legacy database that give up in time."""

import sqlite3
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final

from sqlalchemy import Connection, Engine, create_engine, event
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError
from sqlalchemy.pool import ConnectionPoolEntry, QueuePool

from runtime.errors import StartupError

__all__ = ["THREADS", "open_engine"]

THREADS: Final = 4
_RECYCLE_SECONDS: Final = 3600
"""Below MySQL's own limit for idle connections."""
_DRIVERS: Final = {"mysql": "mysql+pymysql", "mariadb": "mariadb+pymysql", "postgresql": "postgresql+psycopg"}

Prepare = Callable[[Connection], None]


def open_engine(url: str, *, seconds: float) -> tuple[Engine, Prepare]:
    """An engine that connects to nothing yet, and what to do with a connection before each use.

    No single answer of the server is waited for longer than `seconds`. Raises StartupError.
    """
    try:
        parsed = make_url(url)
    except ArgumentError as error:
        raise StartupError(
            "database.url: is not a database URL, such as mysql+pymysql://host/name"
        ) from error
    kind = parsed.get_backend_name()
    if kind == "sqlite":
        return _open_sqlite(parsed, seconds), _nothing
    if kind not in _DRIVERS:
        raise StartupError(f"database.url: {kind} is not supported, use mysql, mariadb, postgresql or sqlite")
    try:
        own = parsed.set(drivername=_DRIVERS[kind])
        return _open_postgres(own, seconds) if kind == "postgresql" else (_open_mysql(own, seconds), _nothing)
    except ImportError as error:
        extra = "postgres" if kind == "postgresql" else "mysql"
        raise StartupError(
            f"database.url: {kind} needs the extra opitios-alpaca[{extra}]: {error}"
        ) from error


def _open_mysql(url: URL, seconds: float) -> Engine:
    waits = dict.fromkeys(("connect_timeout", "read_timeout", "write_timeout"), max(1, round(seconds)))
    return create_engine(
        url,
        connect_args=waits,
        isolation_level="READ COMMITTED",
        max_overflow=0,
        pool_pre_ping=True,
        pool_recycle=_RECYCLE_SECONDS,
        pool_size=THREADS,
        pool_timeout=seconds,
    )


def _open_postgres(url: URL, seconds: float) -> tuple[Engine, Prepare]:
    # An extra, which installations with MySQL do without.
    from runtime.postgres import Patience, limit
    from runtime.postgres import open_engine as open_timed

    waited = f"{round(seconds * 1000)}ms"
    engine = open_timed(
        url,
        connections=THREADS,
        isolation_level="READ COMMITTED",
        session={
            "statement_timeout": waited,
            "lock_timeout": waited,
            "idle_in_transaction_session_timeout": waited,
        },
        patience=Patience(connect=seconds, transaction=seconds),
        pre_ping=True,
    )
    return engine, lambda connection: limit(connection, answer_by=time.monotonic() + seconds)


def _open_sqlite(url: URL, seconds: float) -> Engine:
    if not url.database or url.database == ":memory:":
        raise StartupError("database.url: must name a file, such as sqlite:///data/legacy.db")
    # mode=rw: an absent file is a mistake in the path, and not an empty database.
    address = f"{Path(url.database).absolute().as_uri()}?mode=rw"

    def connect() -> sqlite3.Connection:
        return sqlite3.connect(address, uri=True, timeout=seconds, check_same_thread=False)

    engine = create_engine(
        "sqlite://",
        creator=connect,
        poolclass=QueuePool,
        pool_size=THREADS,
        max_overflow=0,
        pool_timeout=seconds,
    )
    event.listen(engine, "connect", _without_own_transactions)
    event.listen(engine, "begin", _begin_immediate)
    return engine


def _without_own_transactions(connection: sqlite3.Connection, _entry: ConnectionPoolEntry) -> None:
    connection.isolation_level = None


def _begin_immediate(connection: Connection) -> None:
    # What a change reads first must still be so when it writes.
    connection.exec_driver_sql("BEGIN IMMEDIATE")


def _nothing(_connection: Connection) -> None:
    """MySQL's and SQLite's own timeouts are set once."""
