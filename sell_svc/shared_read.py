"""One read for many who ask at the same moment."""

import asyncio
from collections.abc import Awaitable, Callable
from contextvars import Context
from typing import Generic, Self, TypeVar

from runtime.clock import Clock

T = TypeVar("T")


class SharedRead(Generic[T]):
    """Joins concurrent readers and reuses an answer for a moment; a failed read is shared but never kept.

    The answer may have been read `max_age_seconds` ago. `async with` ends a read under way.
    """

    def __init__(self, read: Callable[[], Awaitable[T]], *, max_age_seconds: float, clock: Clock) -> None:
        self._read = read
        self._max_age_seconds = max_age_seconds
        self._clock = clock
        self._kept: tuple[float, T] | None = None
        self._flight: asyncio.Task[T] | None = None

    async def __call__(self) -> T:
        """The answer; raises what the read raises."""
        if self._kept is not None and self._clock.monotonic() - self._kept[0] <= self._max_age_seconds:
            return self._kept[1]
        if self._flight is None or self._flight.done():
            # In a context of its own: the first reader's deadline must not end the read of the others.
            self._flight = asyncio.create_task(self._fly(), context=Context())
        # One reader that gives up must not take the answer from the others.
        return await asyncio.shield(self._flight)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._flight is not None:
            self._flight.cancel()
            await asyncio.wait({self._flight})

    async def _fly(self) -> T:
        started = self._clock.monotonic()
        answer = await self._read()
        self._kept = (started, answer)
        return answer
