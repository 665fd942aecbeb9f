"""SIGTERM and SIGINT for one lifecycle: the first asks for a drain, the second ends the process."""

import asyncio
import os
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Final

HANDLED: Final = (signal.SIGTERM, signal.SIGINT)
SIGNAL_EXIT_BASE: Final = 128
"""Shells report a process ended by signal N as 128 + N."""


@contextmanager
def stop_on_signals(
    loop: asyncio.AbstractEventLoop, stop: asyncio.Event, *, end_now: Callable[[int], None] = os._exit
) -> Iterator[None]:
    """Sets `stop` on the first signal, calls `end_now(128 + signal)` on the next; restores the old handlers.

    `end_now` does not unwind: an event loop that hangs must not keep the process alive. What was
    promised to callers is already in the journal, and log lines are written synchronously.
    """
    seen = False

    def received(number: int, _frame: FrameType | None) -> None:
        nonlocal seen
        if seen:
            end_now(SIGNAL_EXIT_BASE + number)
            return
        seen = True
        loop.call_soon_threadsafe(stop.set)

    previous = {number: signal.signal(number, received) for number in HANDLED}
    try:
        yield
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler)
