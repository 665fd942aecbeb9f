"""A service's own durable storage: grouped commits on one writer thread, reads beside them."""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import ClassVar, Final, Self, TypeVar

from sqlalchemy import Connection, Engine, MetaData
from sqlalchemy.exc import DBAPIError

from runtime.errors import ResourceExhausted, StartupError, Unavailable
from runtime.sqlite import StoreLock, database_path, is_store_fault, open_reader, open_writer
from runtime.store_writer import StoreWriter

T = TypeVar("T")

MAX_PENDING_WRITES: Final = 10_000
"""Beyond it callers are refused at once: every queue has a length (I14)."""
READER_THREADS: Final = 4


class StoreUnreachable(Unavailable):
    """The store cannot be read or written; nothing of this call was committed, a retry is safe."""

    reason: ClassVar[str] = "STORE_UNAVAILABLE"


class StoreBusy(ResourceExhausted):
    """Too many writes are waiting; this one was not queued."""

    reason: ClassVar[str] = "STORE_BUSY"


class Store:
    """One database of one service, exclusively this process's while open (`async with`).

    A `Store` is what services see; PostgreSQL will be another engine behind the same three methods.
    """

    def __init__(self, url: str, *, metadata: MetaData) -> None:
        """Opens nothing yet; `metadata` names the tables to create where they are missing."""
        self._url = url
        self._metadata = metadata
        self._lock: StoreLock | None = None
        self._reader: Engine | None = None
        self._writer: StoreWriter | None = None
        self._threads: ThreadPoolExecutor | None = None

    async def open(self) -> None:
        """Locks, opens and creates tables. Raises StartupError, StoreLocked where another process has it."""
        await asyncio.to_thread(self._open)

    async def write(self, change: Callable[[Connection], T]) -> T:
        """Runs `change` in the writer thread and returns its result once the commit is durable.

        Changes waiting together share one commit; each has its own savepoint, so one that raises
        undoes only itself and its caller gets the exception. A cancelled caller stops waiting,
        but its change still happens. `change` may run queries and must not wait for anything else.
        Raises StoreUnreachable and StoreBusy; SQLAlchemy's errors about the statement itself, such as
        IntegrityError, pass as they are.
        """
        if self._writer is None:
            raise StoreUnreachable("the store is closed")
        if self._writer.pending >= MAX_PENDING_WRITES:
            raise StoreBusy(f"{MAX_PENDING_WRITES} writes are waiting for the disk")
        try:
            return await asyncio.wrap_future(self._writer.submit(change))
        except DBAPIError as error:
            if is_store_fault(error):
                raise StoreUnreachable("the store cannot be written") from error
            raise

    async def read(self, query: Callable[[Connection], T]) -> T:
        """Runs `query` on a reader thread in one snapshot that holds every write already returned.

        Raises StoreUnreachable.
        """
        if self._threads is None:
            raise StoreUnreachable("the store is closed")
        loop = asyncio.get_running_loop()
        try:
            return await loop.run_in_executor(self._threads, self._query, query)
        except DBAPIError as error:
            if is_store_fault(error):
                raise StoreUnreachable("the store cannot be read") from error
            raise

    async def close(self) -> None:
        """Commits what is queued, then closes and unlocks; safe to repeat."""
        writer, self._writer = self._writer, None
        threads, self._threads = self._threads, None
        await asyncio.to_thread(self._close, writer, threads)

    async def __aenter__(self) -> Self:
        await self.open()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    def _open(self) -> None:
        path = database_path(self._url)
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._lock = StoreLock.acquire(path)
            engine = open_writer(path)
            self._metadata.create_all(engine)
            self._reader = open_reader(path, READER_THREADS)
        except (OSError, DBAPIError) as error:
            self._close(None, None)
            raise StartupError(f"storage.url: cannot open {path}: {error}") from error
        self._writer = StoreWriter(engine, name=f"store-{path.stem}")
        self._threads = ThreadPoolExecutor(READER_THREADS, thread_name_prefix=f"read-{path.stem}")

    def _close(self, writer: StoreWriter | None, threads: ThreadPoolExecutor | None) -> None:
        if writer is not None:
            writer.close()
        if threads is not None:
            threads.shutdown()
        if self._reader is not None:
            self._reader.dispose()
            self._reader = None
        if self._lock is not None:
            self._lock.release()
            self._lock = None

    def _query(self, query: Callable[[Connection], T]) -> T:
        if self._reader is None:
            raise StoreUnreachable("the store is closed")
        with self._reader.connect() as connection:
            return query(connection)


def sqlite_path_for(url: str, service: str) -> str:
    """The service's own URL beside the configured one: `data/opitios.db` gives `data/opitios-<service>.db`.

    The folder is made when the store opens. Raises StartupError for a URL that is not SQLite's.
    """
    path = database_path(url)
    return f"sqlite:///{path.with_name(f'{path.stem}-{service}{path.suffix}')}"
