"""A service's own durable storage: writes in order and committed in groups, reads beside them."""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Final, Self, TypeVar

from sqlalchemy import Connection, MetaData
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError

from runtime.errors import StartupError
from runtime.sqlite import database_path
from runtime.sqlite_store import SqliteBackend
from runtime.store_backend import Backend
from runtime.store_errors import StorageConflict, StoreBusy, StoreOutcomeUnknown, StoreUnreachable
from runtime.store_lanes import LanesClosed
from runtime.store_writer import StoreWriter

__all__ = [
    "StorageConflict",
    "Store",
    "StoreBusy",
    "StoreOutcomeUnknown",
    "StoreUnreachable",
    "service_url",
    "sqlite_path_for",
]

T = TypeVar("T")

MAX_PENDING_WRITES: Final = 10_000
"""Beyond it callers are refused at once: every queue has a length (I14)."""
MAX_PENDING_READS: Final = 10_000


class Store:
    """One database of one service (`async with`): a SQLite file of this process, or a PostgreSQL schema.

    Any number of processes may have the same PostgreSQL schema open. What holds in either case:
    writes without a lock happen one after another, across all processes, as if by one thread.
    """

    def __init__(self, url: str, *, metadata: MetaData) -> None:
        """Opens nothing yet; `url` as `service_url` makes it, `metadata` names the tables to create if missing."""
        self._url = url
        self._metadata = metadata
        self._backend: Backend | None = None
        self._writer: StoreWriter | None = None
        self._threads: ThreadPoolExecutor | None = None
        self._reading = 0

    async def open(self) -> None:
        """Connects and creates tables. Raises StartupError, StoreLocked where another process has the file."""
        await asyncio.to_thread(self._open)

    async def write(self, change: Callable[[Connection], T], *, lock: str | None = None) -> T:
        """Runs `change` in a thread and returns its result once the commit is durable.

        Without `lock` no other write of this store, here or in another process, runs at the same time
        or between. With `lock`, such as an account's id, the same holds among the writes with that lock
        and those without any, while writes with other locks go on beside it: `change` must then read
        and write only what the lock stands for. SQLite has one writer, so there a lock changes nothing.

        Changes that wait together share one commit; each has its own savepoint, so one that raises
        undoes only itself and its caller gets the exception. A change may run more than once, each time
        from what is committed, so it keeps its effects inside the connection and waits for nothing else.
        One that catches the error of a statement and goes on does so in a savepoint of its own
        (`connection.begin_nested()`). A cancelled caller stops waiting, but its change still happens.

        Raises StoreUnreachable, StoreBusy and StorageConflict when nothing was committed, and
        StoreOutcomeUnknown; errors of the statement itself, such as IntegrityError, pass as they are.
        """
        if self._writer is None:
            raise StoreUnreachable("the store is closed")
        if self._writer.pending >= MAX_PENDING_WRITES:
            raise StoreBusy(f"{MAX_PENDING_WRITES} writes are waiting for the disk")
        try:
            answer = self._writer.submit(change, lock)
        except LanesClosed:
            raise StoreUnreachable("the store is closed") from None
        return await asyncio.wrap_future(answer)

    async def read(self, query: Callable[[Connection], T]) -> T:
        """Runs `query` on a reader thread in one snapshot that holds every write already returned.

        `query` may run more than once. Raises StoreUnreachable, StoreBusy.
        """
        if self._threads is None or self._backend is None:
            raise StoreUnreachable("the store is closed")
        if self._reading >= MAX_PENDING_READS:
            raise StoreBusy(f"{MAX_PENDING_READS} reads are waiting")
        self._reading += 1
        try:
            return await asyncio.get_running_loop().run_in_executor(self._threads, self._backend.query, query)
        finally:
            self._reading -= 1

    async def close(self) -> None:
        """Commits what is queued, then closes and unlocks; safe to repeat."""
        writer, self._writer = self._writer, None
        threads, self._threads = self._threads, None
        backend, self._backend = self._backend, None
        await asyncio.to_thread(_close, writer, threads, backend)

    async def __aenter__(self) -> Self:
        await self.open()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    def _open(self) -> None:
        backend = _backend_for(self._url)
        backend.open(self._metadata)
        self._backend = backend
        self._writer = StoreWriter(backend)
        self._threads = ThreadPoolExecutor(backend.reader_threads, thread_name_prefix=f"read-{backend.label}")


def service_url(url: str, service: str) -> str:
    """The service's own part of the configured database: a file beside the path, or a PostgreSQL schema.

    `sqlite:///data/opitios.db` gives `data/opitios-<service>.db`, `postgresql://host/name` the schema
    `<service>` in that database. Raises StartupError for other databases.
    """
    parsed = _parse(url)
    if parsed.get_backend_name() != "postgresql":
        return sqlite_path_for(url, service)
    own = parsed.set(drivername="postgresql+psycopg").update_query_dict({"schema": service})
    return own.render_as_string(hide_password=False)


def sqlite_path_for(url: str, service: str) -> str:
    """The service's own URL beside the configured one: `data/opitios.db` gives `data/opitios-<service>.db`.

    The folder is made when the store opens. Raises StartupError for a URL that is not SQLite's.
    """
    path = database_path(url)
    return f"sqlite:///{path.with_name(f'{path.stem}-{service}{path.suffix}')}"


def _parse(url: str) -> URL:
    try:
        return make_url(url)
    except ArgumentError as error:
        raise StartupError("storage.url: is not a database URL, such as sqlite:///data/opitios.db") from error


def _backend_for(url: str) -> Backend:
    parsed = _parse(url)
    if parsed.get_backend_name() != "postgresql":
        return SqliteBackend(database_path(url))
    try:
        # An extra, which most installations do without.
        from runtime.postgres_store import PostgresBackend
    except ImportError as error:
        raise StartupError(
            f"storage.url: PostgreSQL needs the extra opitios-alpaca[postgres]: {error}"
        ) from error
    return PostgresBackend(parsed)


def _close(writer: StoreWriter | None, threads: ThreadPoolExecutor | None, backend: Backend | None) -> None:
    if writer is not None:
        writer.close()
    if threads is not None:
        threads.shutdown()
    if backend is not None:
        backend.close()
