"""The threads that write: each takes all that waits in a lane, runs it, commits once, then answers all."""

import threading
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from typing import Generic, TypeVar

from sqlalchemy import Connection
from sqlalchemy.exc import DBAPIError

from runtime.store_backend import Backend
from runtime.store_lanes import Lanes

T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class _Change(Generic[T]):
    run: Callable[[Connection], T]
    answer: "Future[T]"


class _Outcome(Generic[T]):
    """What a change came to, told only after the commit."""

    def __init__(self, change: _Change[T]) -> None:
        self._change = change
        self._result: T | None = None
        self._error: BaseException | None = None

    def run(self, connection: Connection, backend: Backend) -> None:
        """Runs the change in a savepoint; its own error is kept, one that ends the transaction is raised."""
        # A transaction that lost a race runs again, and what it came to then is what counts.
        self._result, self._error = None, None
        try:
            with connection.begin_nested():
                self.run_alone(connection, backend)
        except DBAPIError as error:
            if backend.ends_transaction(error):
                # The database may have rolled back everything, so nothing of the batch may be told done.
                raise
            self._error = error
        except BaseException as error:  # noqa: BLE001 - it belongs to the caller, who gets it as it is
            self._error = error

    def run_alone(self, connection: Connection, backend: Backend) -> None:
        """Runs the change; whatever it raises is to undo it."""
        self._result = self._change.run(connection)
        if backend.has_failed(connection):
            raise RuntimeError("a change caught the error of a statement and went on; nothing of it is kept")

    def tell(self) -> None:
        """Answers the caller, unless it stopped waiting."""
        if not self._change.answer.set_running_or_notify_cancel():
            return
        if self._error is not None:
            self._change.answer.set_exception(self._error)
        else:
            # A change may well return None, so the type cannot rule it out here.
            self._change.answer.set_result(self._result)  # type: ignore[arg-type]

    def fail(self, error: BaseException) -> None:
        """Answers why the batch was not committed, or that nobody knows whether it was."""
        self._error = error
        self.tell()


class StoreWriter:
    """Owns the writing threads from construction until `close`."""

    def __init__(self, backend: Backend) -> None:
        self._backend = backend
        self._lanes: Lanes[_Outcome[object]] = Lanes()
        # Daemons, so that an owner that dies without closing cannot keep the process alive: a commit
        # cut in two is undone by the database, and nobody was told of it.
        self._threads = [
            threading.Thread(target=self._work, name=f"store-{backend.label}-{number}", daemon=True)
            for number in range(backend.writer_threads)
        ]
        for thread in self._threads:
            thread.start()

    @property
    def pending(self) -> int:
        """How many changes wait; about right is enough for a limit."""
        return self._lanes.pending

    def submit(self, change: Callable[[Connection], T], lock: str | None) -> "Future[T]":
        """Queues the change; the future is answered after its commit. Raises LanesClosed."""
        answer: Future[T] = Future()
        outcome = _Outcome(_Change(run=change, answer=answer))
        self._lanes.put(self._backend.lane_of(lock), outcome)  # type: ignore[arg-type] # the queue holds changes of every result type
        return answer

    def close(self) -> None:
        """Finishes what is queued and ends the threads."""
        self._lanes.close()
        for thread in self._threads:
            thread.join()

    def _work(self) -> None:
        while (taken := self._lanes.take()) is not None:
            lane, batch = taken
            self._commit(lane, batch)
            self._lanes.done(lane)

    def _commit(self, lane: str | None, batch: Sequence[_Outcome[object]]) -> None:
        def run(connection: Connection) -> None:
            if len(batch) == 1:
                # No neighbours to protect, and a savepoint costs two round trips.
                batch[0].run_alone(connection, self._backend)
                return
            for outcome in batch:
                outcome.run(connection, self._backend)

        try:
            self._backend.commit(lane, run)
        except BaseException as error:  # noqa: BLE001 - the top of the thread: every caller must hear of it
            for outcome in batch:
                outcome.fail(error)
        else:
            for outcome in batch:
                outcome.tell()
