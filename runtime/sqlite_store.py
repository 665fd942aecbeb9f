"""A store in one SQLite file, exclusively one process's while open."""

from collections.abc import Callable
from pathlib import Path
from typing import Final, TypeVar

from sqlalchemy import Connection, Engine, MetaData
from sqlalchemy.exc import DBAPIError

from runtime.errors import StartupError
from runtime.sqlite import StoreLock, is_store_fault, open_reader, open_writer
from runtime.store_errors import StoreUnreachable

__all__ = ["SqliteBackend"]

T = TypeVar("T")

_READERS: Final = 4


class SqliteBackend:
    """The file; writes have one lane, whatever their lock, since SQLite has one writer."""

    writer_threads = 1
    reader_threads = _READERS

    def __init__(self, path: Path) -> None:
        self.label = path.stem
        self._path = path
        self._lock: StoreLock | None = None
        self._reader: Engine | None = None
        self._writer: Engine | None = None

    def open(self, metadata: MetaData) -> None:
        """Locks the file, makes its folder and tables. Raises StartupError, StoreLocked."""
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            self._lock = StoreLock.acquire(self._path)
            self._writer = open_writer(self._path)
            metadata.create_all(self._writer)
            self._reader = open_reader(self._path, _READERS)
        except (OSError, DBAPIError) as error:
            self.close()
            raise StartupError(f"storage.url: cannot open {self._path}: {error}") from error

    def lane_of(self, lock: str | None) -> str | None:  # noqa: ARG002 - part of the port
        """The one lane."""
        return None

    def commit(self, lane: str | None, batch: Callable[[Connection], None]) -> None:  # noqa: ARG002 - part of the port
        """Runs the batch in one immediate transaction."""
        writer = _open(self._writer)
        try:
            with writer.begin() as connection:
                batch(connection)
        except DBAPIError as error:
            if is_store_fault(error):
                writer.dispose()
                raise StoreUnreachable("the store cannot be written") from error
            raise

    def query(self, query: Callable[[Connection], T]) -> T:
        """Runs the query in one snapshot."""
        try:
            with _open(self._reader).connect() as connection:
                return query(connection)
        except DBAPIError as error:
            if is_store_fault(error):
                raise StoreUnreachable("the store cannot be read") from error
            raise

    def ends_transaction(self, error: DBAPIError) -> bool:
        """Whether it is a fault of the file or the disk."""
        return is_store_fault(error)

    def has_failed(self, connection: Connection) -> bool:  # noqa: ARG002 - part of the port
        """Never: SQLite undoes a statement that fails and goes on."""
        return False

    def close(self) -> None:
        """Closes and unlocks; safe to repeat."""
        for engine in (self._reader, self._writer):
            if engine is not None:
                engine.dispose()
        self._reader = self._writer = None
        lock, self._lock = self._lock, None
        if lock is not None:
            lock.release()


def _open(engine: Engine | None) -> Engine:
    if engine is None:
        raise StoreUnreachable("the store is closed")
    return engine
