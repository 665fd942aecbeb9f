"""How a store fails, by what its caller may conclude."""

from typing import ClassVar

from runtime.errors import Aborted, DeadlineExceeded, ResourceExhausted, Unavailable

__all__ = ["StorageConflict", "StoreBusy", "StoreOutcomeUnknown", "StoreUnreachable"]


class StoreUnreachable(Unavailable):
    """The store cannot be read or written; nothing of this call was committed, a retry is safe."""

    reason: ClassVar[str] = "STORE_UNAVAILABLE"


class StoreBusy(ResourceExhausted):
    """Too much waits for the store, or another process keeps its lock; nothing of this call was committed."""

    reason: ClassVar[str] = "STORE_BUSY"


class StorageConflict(Aborted):
    """Another transaction won each of several races; nothing was committed, repeat the whole operation."""

    reason: ClassVar[str] = "STORAGE_CONFLICT"


class StoreOutcomeUnknown(DeadlineExceeded):
    """The database vanished during the commit and did not come back in time; read before repeating.

    Only a database on another machine can leave this doubt, and only when it stays away for longer
    than the store waits for it.
    """

    reason: ClassVar[str] = "STORE_OUTCOME_UNKNOWN"
