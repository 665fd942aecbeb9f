"""A queue of several lanes: within one lane one after another, across lanes at the same time."""

import threading
from collections import deque
from typing import Final, Generic, TypeVar

__all__ = ["MAX_BATCH", "Lanes", "LanesClosed"]

T = TypeVar("T")
Lane = str | None

MAX_BATCH: Final = 256
"""Bounds how long the first of a batch waits for the last."""


class LanesClosed(Exception):
    """Nothing more is taken in."""


class Lanes(Generic[T]):
    """Hands out what waits in a lane as one batch, and nothing more of that lane until it is done.

    Lanes take turns, so a crowded one does not starve the others. Safe for any number of threads.
    """

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._waiting: dict[Lane, deque[T]] = {}
        self._ready: deque[Lane] = deque()
        self._taken: set[Lane] = set()
        self._pending = 0
        self._closed = False

    @property
    def pending(self) -> int:
        """How many items nobody has taken yet."""
        return self._pending

    def put(self, lane: Lane, item: T) -> None:
        """Queues the item; raises LanesClosed."""
        with self._changed:
            if self._closed:
                raise LanesClosed
            self._pending += 1
            waiting = self._waiting.get(lane)
            if waiting is not None:
                waiting.append(item)
                return
            self._waiting[lane] = deque([item])
            if lane not in self._taken:
                self._ready.append(lane)
                self._changed.notify()

    def take(self) -> tuple[Lane, list[T]] | None:
        """Waits for the next lane's batch; `None` once closed and empty."""
        with self._changed:
            while not self._ready:
                if self._closed and not self._waiting:
                    return None
                self._changed.wait()
            lane = self._ready.popleft()
            waiting = self._waiting[lane]
            batch = [waiting.popleft() for _ in range(min(len(waiting), MAX_BATCH))]
            if not waiting:
                del self._waiting[lane]
            self._taken.add(lane)
            self._pending -= len(batch)
            return lane, batch

    def done(self, lane: Lane) -> None:
        """Frees the lane for its next batch."""
        with self._changed:
            self._taken.discard(lane)
            if lane in self._waiting:
                self._ready.append(lane)
            # To all: the last batch of a closed queue lets every waiting thread go.
            self._changed.notify_all()

    def close(self) -> None:
        """Takes nothing more in; what waits is still handed out."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()
