"""The one thread that writes: takes every change that waits, runs them, commits once, then answers all."""

import queue
import threading
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass
from typing import Final, Generic, TypeVar

from sqlalchemy import Connection, Engine
from sqlalchemy.exc import DBAPIError

from runtime.sqlite import is_store_fault

T = TypeVar("T")

MAX_BATCH: Final = 256
"""Bounds how long the first of a batch waits for the last."""


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

    def run(self, connection: Connection) -> None:
        """Runs the change in a savepoint; its own error is kept, one that ends the transaction is raised."""
        try:
            with connection.begin_nested():
                self._result = self._change.run(connection)
        except DBAPIError as error:
            if is_store_fault(error):
                # SQLite may have rolled back everything, so nothing of the batch may be told done.
                raise
            self._error = error
        except BaseException as error:  # noqa: BLE001 - it belongs to the caller, who gets it as it is
            self._error = error

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
        """Answers that nothing was committed."""
        self._error = error
        self.tell()


class StoreWriter:
    """Owns the writing engine and its thread from construction until `close`."""

    def __init__(self, engine: Engine, *, name: str) -> None:
        self._engine = engine
        self._queue: queue.SimpleQueue[_Outcome[object] | None] = queue.SimpleQueue()
        # A daemon, so that an owner that dies without closing cannot keep the process alive: a commit
        # cut in two is undone by SQLite, and nobody was told of it.
        self._thread = threading.Thread(target=self._work, name=name, daemon=True)
        self._thread.start()

    @property
    def pending(self) -> int:
        """How many changes wait; about right is enough for a limit."""
        return self._queue.qsize()

    def submit(self, change: Callable[[Connection], T]) -> "Future[T]":
        """Queues the change; the future is answered after its commit."""
        answer: Future[T] = Future()
        self._queue.put(_Outcome(_Change(run=change, answer=answer)))  # type: ignore[arg-type] # the queue holds changes of every result type
        return answer

    def close(self) -> None:
        """Finishes what is queued and closes the engine."""
        self._queue.put(None)
        self._thread.join()
        self._engine.dispose()

    def _work(self) -> None:
        closing = False
        while not closing:
            batch, closing = self._next_batch()
            if batch:
                self._commit(batch)

    def _next_batch(self) -> tuple[list[_Outcome[object]], bool]:
        batch: list[_Outcome[object]] = []
        taken = self._queue.get()
        while taken is not None:
            batch.append(taken)
            if len(batch) >= MAX_BATCH:
                return batch, False
            try:
                taken = self._queue.get_nowait()
            except queue.Empty:
                return batch, False
        return batch, True

    def _commit(self, batch: list[_Outcome[object]]) -> None:
        try:
            with self._engine.begin() as connection:
                for outcome in batch:
                    outcome.run(connection)
        except DBAPIError as error:
            self._engine.dispose()
            for outcome in batch:
                outcome.fail(error)
        except BaseException as error:  # noqa: BLE001 - the top of the thread: every caller must hear of it
            for outcome in batch:
                outcome.fail(error)
        else:
            for outcome in batch:
                outcome.tell()
