"""A store in one PostgreSQL schema, shared by any number of processes.

Order. Every write begins with an advisory lock that the server holds until its transaction ends: the
whole store's, or, for a write with a lock of its own, the store's shared and then that lock's. So what
a process relies on within itself holds between processes, too, and no two transactions can wait for
each other in a circle. READ COMMITTED, because a statement must see what was committed while the
transaction waited for its lock; a snapshot taken before the wait would not.

Doubt. When the connection breaks during the commit, nobody here knows whether it happened. Each
transaction therefore leaves a mark of its own in the same commit, and the mark is looked for as soon
as the server is back. (A transaction id cannot serve: after a crash the server may give it out again.)
"""

import hashlib
import itertools
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Final, NoReturn, TypeVar

from sqlalchemy import Column, Connection, DateTime, Engine, MetaData, String, Table, func, select, text
from sqlalchemy.engine import URL
from sqlalchemy.exc import DBAPIError

from runtime.errors import StartupError
from runtime.postgres import Patience, has_failed, limit, open_engine, schema_of
from runtime.postgres_faults import Fault, fault_of
from runtime.store_errors import StorageConflict, StoreBusy, StoreOutcomeUnknown, StoreUnreachable

__all__ = ["PostgresBackend"]

T = TypeVar("T")

_WRITERS: Final = 4
_READERS: Final = 4
_ATTEMPTS: Final = 3
_FIRST_PAUSE_SECONDS: Final = 0.05
_LONGEST_PAUSE_SECONDS: Final = 1.0
_OWN: Final = MetaData()
_MARKS: Final = Table(
    "store_commits",
    _OWN,
    # One row for each writing connection, replaced by every commit: a lost one may keep its row locked.
    Column("writer", String(32), primary_key=True),
    Column("mark", String(32), nullable=False),
    Column("marked_at", DateTime(timezone=True), nullable=False, server_default=func.now()),
)


class PostgresBackend:
    """The schema; lanes are the locks that callers name."""

    writer_threads = _WRITERS
    reader_threads = _READERS

    def __init__(self, url: URL, *, patience: Patience | None = None) -> None:
        """Connects to nothing yet. Raises StartupError where the URL names no schema."""
        self._url = url
        self._patience = patience or Patience()
        self._schema = schema_of(url)
        self.label = self._schema
        self._closing = threading.Event()
        session = {"search_path": self._schema, **_timeouts(self._patience)}
        self._writer = open_engine(
            url,
            connections=_WRITERS,
            isolation_level="READ COMMITTED",
            session={**session, "synchronous_commit": "on"},
            patience=self._patience,
        )
        self._reader = open_engine(
            url,
            connections=_READERS,
            isolation_level="REPEATABLE READ",
            session={**session, "default_transaction_read_only": "on"},
            patience=self._patience,
        )

    def open(self, metadata: MetaData) -> None:
        """Creates the schema and its tables, one process at a time. Raises StartupError."""
        where = self._url.set(query={}).render_as_string(hide_password=True)
        give_up = time.monotonic() + self._patience.transaction
        try:
            with self._connected(self._writer, give_up) as connection, connection.begin():
                connection.exec_driver_sql(_take(_key(self._schema, "schema")))
                _check_durable(connection)
                self._create(connection, metadata)
        except DBAPIError as error:
            self.close()
            raise StartupError(f"storage.url: cannot open {where}: {error.orig}") from error
        except StartupError:
            self.close()
            raise

    def lane_of(self, lock: str | None) -> str | None:
        """Each lock is a lane."""
        return lock

    def commit(self, lane: str | None, batch: Callable[[Connection], None]) -> None:
        """Runs the batch under its lock, again where a race or the connection was lost before the commit."""
        give_up = time.monotonic() + self._patience.transaction
        for attempt in itertools.count(1):
            try:
                self._commit_once(lane, batch, give_up)
                return
            except DBAPIError as error:
                fault = fault_of(error)
                if fault is None:
                    raise
                again = fault in {Fault.LOST, Fault.CONFLICT} and time.monotonic() < give_up
                if not again or attempt >= _ATTEMPTS:
                    _give_up(fault, "written", error)

    def query(self, query: Callable[[Connection], T]) -> T:
        """Runs the query, once more where its connection was a dead one."""
        give_up = time.monotonic() + self._patience.transaction
        for attempt in itertools.count(1):
            try:
                with self._connected(self._reader, give_up) as connection:
                    return query(connection)
            except DBAPIError as error:
                fault = fault_of(error)
                if fault is None or _is_forbidden_write(error):
                    raise
                again = fault in {Fault.LOST, Fault.CONFLICT} and time.monotonic() < give_up
                if not again or attempt >= _ATTEMPTS:
                    _give_up(fault, "read", error)
        raise AssertionError("unreachable: the loop ends by return or raise")

    def ends_transaction(self, error: DBAPIError) -> bool:
        """Whether it is a fault of the server or of the way to it."""
        return fault_of(error) is not None

    def has_failed(self, connection: Connection) -> bool:
        """Whether a statement failed: the server would answer a commit by undoing everything, without an error."""
        return has_failed(connection)

    def close(self) -> None:
        """Closes every connection; safe to repeat."""
        self._closing.set()
        self._writer.dispose()
        self._reader.dispose()

    def _create(self, connection: Connection, metadata: MetaData) -> None:
        # Asked first, since a role may use a schema that it could not create.
        known = text("SELECT 1 FROM pg_namespace WHERE nspname = :schema")
        if connection.execute(known, {"schema": self._schema}).scalar_one_or_none() is None:
            connection.exec_driver_sql(f'CREATE SCHEMA "{self._schema}"')
        metadata.create_all(connection)
        _OWN.create_all(connection)
        connection.exec_driver_sql("DELETE FROM store_commits WHERE marked_at < now() - interval '1 day'")

    def _commit_once(self, lane: str | None, batch: Callable[[Connection], None], give_up: float) -> None:
        mark = uuid.uuid4().hex
        with self._connected(self._writer, give_up) as connection:
            writer = connection.info.setdefault("writer", uuid.uuid4().hex)
            transaction = connection.begin()
            _run(connection, f"{self._locks(lane)}; {_leave(writer, mark)}")
            batch(connection)
            try:
                transaction.commit()
                return
            except DBAPIError as error:
                if fault_of(error) is not Fault.LOST:
                    raise
                lost = error
        if not self._happened(lane, writer, mark):
            raise lost

    def _happened(self, lane: str | None, writer: str, mark: str) -> bool:
        """Whether the transaction that left the mark was committed. Raises StoreOutcomeUnknown."""
        give_up, pause = time.monotonic() + self._patience.doubt, _FIRST_PAUSE_SECONDS
        while True:
            try:
                with self._connected(self._writer, give_up) as connection, connection.begin():
                    # The lost transaction may still be at work; it holds this lock until it ends.
                    _run(connection, self._locks(lane))
                    found = select(_MARKS.c.mark).where(_MARKS.c.writer == writer)
                    return connection.execute(found).scalar_one_or_none() == mark
            except DBAPIError as error:
                if time.monotonic() + pause >= give_up or self._closing.wait(pause):
                    raise StoreOutcomeUnknown("the store did not say whether it committed") from error
                pause = min(2 * pause, _LONGEST_PAUSE_SECONDS)

    def _locks(self, lane: str | None) -> str:
        store = _key(self._schema, "store")
        if lane is None:
            return _take(store)
        return f"SELECT pg_advisory_xact_lock_shared({store}); {_take(_key(self._schema, 'lane', lane))}"

    @contextmanager
    def _connected(self, engine: Engine, answer_by: float) -> Iterator[Connection]:
        with engine.connect() as connection:
            limit(connection, answer_by=answer_by)
            yield connection


def _timeouts(patience: Patience) -> dict[str, str]:
    lock, transaction = round(patience.lock * 1000), round(patience.transaction * 1000)
    return {
        "lock_timeout": f"{lock}ms",
        "statement_timeout": f"{transaction}ms",
        "idle_in_transaction_session_timeout": f"{transaction}ms",
    }


def _key(*parts: str) -> int:
    """A 64-bit key; two names that share one would merely wait for each other."""
    digest = hashlib.sha256("\0".join(("opitios", *parts)).encode()).digest()
    return int.from_bytes(digest[:8], "big", signed=True)


def _take(key: int) -> str:
    return f"SELECT pg_advisory_xact_lock({key})"


def _leave(writer: str, mark: str) -> str:
    # Both are hexadecimal digits of our own making.
    return (
        f"INSERT INTO store_commits (writer, mark) VALUES ('{writer}', '{mark}') "  # noqa: S608 - see above
        "ON CONFLICT (writer) DO UPDATE SET mark = excluded.mark, marked_at = excluded.marked_at"
    )


def _run(connection: Connection, statements: str) -> None:
    """Runs several statements in one round trip, which takes a call without parameters."""
    connection.exec_driver_sql(statements, execution_options={"no_parameters": True})


def _check_durable(connection: Connection) -> None:
    if connection.exec_driver_sql("SHOW fsync").scalar_one() != "on":
        raise StartupError(
            "storage.url: the server runs with fsync off, so a power cut loses what it confirmed"
        )
    if connection.exec_driver_sql("SELECT pg_is_in_recovery()").scalar_one():
        raise StartupError("storage.url: the server is a standby, name the primary")


def _is_forbidden_write(error: DBAPIError) -> bool:
    return getattr(error.orig, "sqlstate", None) == "25006"


def _give_up(fault: Fault, verb: str, error: DBAPIError) -> NoReturn:
    if fault is Fault.BUSY:
        raise StoreBusy(f"the store cannot be {verb}: another transaction keeps it waiting") from error
    if fault is Fault.CONFLICT:
        raise StorageConflict("the store's transaction lost every race; repeat the operation") from error
    raise StoreUnreachable(f"the store cannot be {verb}") from error
