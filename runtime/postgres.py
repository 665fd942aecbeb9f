"""Connections to PostgreSQL that never wait without end, in sessions set up for durable writes."""

import math
import re
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, Literal, TypeVar

import psycopg
from psycopg.abc import PQGen
from psycopg.pq import TransactionStatus
from sqlalchemy import Connection, Engine, create_engine, event
from sqlalchemy.engine import URL, Dialect
from sqlalchemy.engine.interfaces import DBAPIConnection
from sqlalchemy.pool import ConnectionPoolEntry

from runtime.errors import StartupError

__all__ = ["Patience", "TimedConnection", "has_failed", "limit", "open_engine", "schema_of"]

RV = TypeVar("RV")

_SCHEMA: Final = re.compile(r"[a-z_][a-z0-9_]{0,62}")
_POLL_SECONDS: Final = 0.1
_MIN_CONNECT_SECONDS: Final = 2
"""libpq takes less for this."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Patience:
    """How long the store waits for the server, in seconds."""

    connect: float = 3.0
    lock: float = 4.0
    """For another transaction's lock, here or in another process."""
    transaction: float = 5.0
    """For a whole transaction; one that is idle for as long is ended by the server, and its lock with it."""
    doubt: float = 10.0
    """For the server to come back and say whether a commit happened that it did not answer."""


class TimedConnection(psycopg.Connection[Any]):
    """A connection that breaks when the server has not answered by a moment of the monotonic clock.

    A server that is stopped, or a network that swallows packets, answers nothing and refuses nothing;
    the server's own timeouts are of no use then.
    """

    answer_by: float = math.inf

    def wait(self, gen: PQGen[RV], interval: float = _POLL_SECONDS, timeout: float | None = None) -> RV:
        """Waits as psycopg does, at most until `answer_by`."""
        left = self._left()
        try:
            return super().wait(gen, interval, left if timeout is None else min(left, timeout))
        except psycopg.OperationalError:
            if self._left() == 0:
                # Whatever it still answers would be taken for the answer to something else.
                self.close()
            raise

    def _left(self) -> float:
        return max(0.0, self.answer_by - time.monotonic())


def schema_of(url: URL) -> str:
    """The schema that the URL names. Raises StartupError."""
    schema = url.query.get("schema")
    if not isinstance(schema, str) or not _SCHEMA.fullmatch(schema):
        raise StartupError("storage.url: names no schema of the service's own, such as ?schema=account_svc")
    return schema


def open_engine(
    url: URL,
    *,
    connections: int,
    isolation_level: Literal["READ COMMITTED", "REPEATABLE READ"],
    session: Mapping[str, str],
    patience: Patience,
    pre_ping: bool = False,
) -> Engine:
    """An engine whose sessions have these settings; connects to nothing yet.

    `pre_ping` asks each connection before its use, for callers that do not run their work again.
    """
    engine = create_engine(
        url.set(drivername="postgresql+psycopg").difference_update_query(["schema", "options"]),
        pool_size=connections,
        max_overflow=0,
        pool_pre_ping=pre_ping,
        pool_timeout=patience.transaction,
        isolation_level=isolation_level,
        use_native_hstore=False,
    )

    def connect(
        _dialect: Dialect, _entry: ConnectionPoolEntry, arguments: list[str], named: dict[str, Any]
    ) -> DBAPIConnection:
        named.update(_socket_settings(patience))
        named["options"] = " ".join([str(url.query.get("options", "")), *_options(session)]).strip()
        connection = TimedConnection.connect(*arguments, **named)
        connection.answer_by = time.monotonic() + patience.connect
        # psycopg's own class satisfies SQLAlchemy's protocol but for the names of parameters.
        return connection  # type: ignore[return-value]

    event.listen(engine, "do_connect", connect)
    return engine


def limit(connection: Connection, *, answer_by: float) -> None:
    """From now on the server must answer everything before that moment of the monotonic clock."""
    timed: object = connection.connection.dbapi_connection
    if isinstance(timed, TimedConnection):
        timed.answer_by = answer_by


def has_failed(connection: Connection) -> bool:
    """Whether a statement failed, so that the server would answer a commit by undoing everything."""
    timed: object = connection.connection.dbapi_connection
    return isinstance(timed, TimedConnection) and timed.info.transaction_status is TransactionStatus.INERROR


def _socket_settings(patience: Patience) -> Mapping[str, str | int]:
    return {
        "connect_timeout": max(_MIN_CONNECT_SECONDS, round(patience.connect)),
        "tcp_user_timeout": round(patience.transaction * 1000),
        "keepalives_idle": 5,
        "keepalives_interval": 2,
        "keepalives_count": 3,
        "application_name": "opitios",
    }


def _options(session: Mapping[str, str]) -> list[str]:
    # libpq splits at spaces that no backslash protects.
    return [f"-c {name}={value.replace(' ', chr(92) + ' ')}" for name, value in session.items()]
