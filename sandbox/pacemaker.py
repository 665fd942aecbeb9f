"""Plays what falls due while somebody listens to a stream: without requests, nobody else would."""

from sandbox.instant import SECOND
from sandbox.state import Sandbox


async def keep_pace(sandbox: Sandbox) -> None:
    """Advance the exchange whenever something falls due, for as long as there are stream connections. Never returns."""
    while True:
        await sandbox.streams.stirred(None if sandbox.streams.is_idle else _seconds_to_next(sandbox))
        if not sandbox.streams.is_idle:
            sandbox.now()


def _seconds_to_next(sandbox: Sandbox) -> float | None:
    due, speed = sandbox.next_due(), sandbox.clock.speed
    if due is None or not speed:
        return None
    return max((due - sandbox.clock.now()) / SECOND / speed, 0.0)
