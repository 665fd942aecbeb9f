"""The sandbox's own time: real, set, frozen, sped up or jumped."""

import time
from collections.abc import Callable

from sandbox.instant import Instant


class SandboxClock:
    """Sandbox time that starts at `at` and runs `speed` times as fast as the machine's monotonic clock.

    Speed 0 is frozen. Every change keeps the present reading, so time only jumps where it was told to.
    It stands still at `until`, where the exchange's calendar ends.
    """

    def __init__(
        self,
        *,
        at: Instant,
        speed: float = 1.0,
        until: Instant | None = None,
        monotonic_ns: Callable[[], int] = time.monotonic_ns,
    ) -> None:
        self._until = until
        self._monotonic_ns = monotonic_ns
        self._base = at
        self._started = monotonic_ns()
        self._speed = speed

    @property
    def speed(self) -> float:
        """Sandbox seconds per real second."""
        return self._speed

    def now(self) -> Instant:
        """The present sandbox time."""
        elapsed = self._monotonic_ns() - self._started
        # Speed 1 stays in whole numbers: a float loses nanoseconds after some months of uptime.
        reading = self._base + (elapsed if self._speed == 1 else int(elapsed * self._speed))
        return Instant(reading if self._until is None else min(reading, self._until))

    def set(self, at: Instant) -> None:
        """Jump to a point in time, earlier or later."""
        self._started = self._monotonic_ns()
        self._base = at

    def advance(self, nanoseconds: int) -> None:
        """Jump by a length of time."""
        self.set(Instant(self.now() + nanoseconds))

    def run_at(self, speed: float) -> None:
        """Go on from the present time at another speed."""
        self.set(self.now())
        self._speed = speed
