"""Work that repeats: supervised, never overlapping, stopped without cutting a run in two."""

import asyncio
from collections.abc import Awaitable, Callable
from contextvars import Context
from typing import Self

from loguru import logger

from runtime.clock import SYSTEM_CLOCK, Clock


class Periodic:
    """Runs `work` every `interval_seconds`, start to start, until stopped (`async with`, or start and stop).

    A run that takes longer than the interval delays the next one, which then follows at once.
    An exception is logged and ends that run only.
    """

    def __init__(
        self,
        work: Callable[[], Awaitable[None]],
        *,
        name: str,
        interval_seconds: float,
        rest_seconds: float = 0.0,
        clock: Clock = SYSTEM_CLOCK,
    ) -> None:
        """Starts nothing; the first run comes right after `start`.

        `rest_seconds` pass between two runs even when woken, so that many wakes cost few runs.
        """
        self._work = work
        self._name = name
        self._interval_seconds = interval_seconds
        self._rest_seconds = rest_seconds
        self._clock = clock
        self._woken = asyncio.Event()
        self._stopping = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    @property
    def is_running(self) -> bool:
        """Whether it has been started and not yet stopped."""
        return self._task is not None

    def start(self) -> None:
        """Begins; safe to repeat."""
        if self._task is None:
            self._stopping.clear()
            # A context of its own: started by an RPC, it must not end with that RPC's deadline.
            self._task = asyncio.create_task(self._loop(), name=self._name, context=Context())

    def wake(self) -> None:
        """Runs the next time now, or right after the run under way; repeated calls before it count once."""
        self._woken.set()

    async def stop(self) -> None:
        """Returns when the run under way has ended and no other will start; safe to repeat and to race."""
        self._stopping.set()
        self._woken.set()
        if self._task is not None:
            # Shielded: whoever waits may be cancelled, the run under way may not.
            await asyncio.shield(self._task)
            self._task = None

    async def __aenter__(self) -> Self:
        self.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.stop()

    async def _loop(self) -> None:
        while not self._stopping.is_set():
            self._woken.clear()
            started = self._clock.monotonic()
            await self._run_once()
            await self._wait(self._interval_seconds - (self._clock.monotonic() - started))

    async def _run_once(self) -> None:
        try:
            await self._work()
        except Exception:  # noqa: BLE001 - the top of a task: one bad run must not end the others
            logger.exception(f"{self._name} failed; the next run goes on")

    async def _wait(self, seconds: float) -> None:
        """The rest, which only stopping cuts short, then what remains of the interval."""
        if self._rest_seconds and not self._stopping.is_set():
            await _set_within(self._stopping, self._rest_seconds)
        if not self._stopping.is_set():
            await _set_within(self._woken, max(seconds - self._rest_seconds, 0.0))


async def _set_within(event: asyncio.Event, seconds: float) -> None:
    """Returns when the event is set, or when the time is over."""
    try:
        await asyncio.wait_for(event.wait(), seconds)
    except TimeoutError:
        return
