"""What a database must offer to carry a `Store`."""

from collections.abc import Callable
from typing import Protocol, TypeVar

from sqlalchemy import Connection, MetaData
from sqlalchemy.exc import DBAPIError

__all__ = ["Backend"]

T = TypeVar("T")


class Backend(Protocol):
    """One database of one service; every method blocks and is called from threads of the store's."""

    @property
    def label(self) -> str:
        """A short name for threads."""
        ...

    @property
    def writer_threads(self) -> int:
        """How many transactions may write at the same time."""
        ...

    @property
    def reader_threads(self) -> int:
        """How many queries may read at the same time."""
        ...

    def open(self, metadata: MetaData) -> None:
        """Connects and creates the tables that are missing. Raises StartupError, and keeps nothing open then."""
        ...

    def lane_of(self, lock: str | None) -> str | None:
        """Which writes must follow one another: those of one lane; `None` is a lane, too."""
        ...

    def commit(self, lane: str | None, batch: Callable[[Connection], None]) -> None:
        """Runs the batch in one transaction of its lane; returns once that is durable.

        May run it again from the start, after all that an earlier run did has been undone.
        Raises StoreUnreachable, StoreBusy and StorageConflict when nothing was committed, else
        StoreOutcomeUnknown. Errors of a statement itself pass as they are, with nothing committed.
        """
        ...

    def query(self, query: Callable[[Connection], T]) -> T:
        """Runs the query in one snapshot that cannot write. Raises StoreUnreachable, StoreBusy."""
        ...

    def ends_transaction(self, error: DBAPIError) -> bool:
        """Whether the database itself failed, so that nothing of the transaction may be told done."""
        ...

    def has_failed(self, connection: Connection) -> bool:
        """Whether a statement failed in a way that leaves nothing more to commit, whoever caught its error."""
        ...

    def close(self) -> None:
        """Lets go of every connection and lock; safe to repeat."""
        ...
