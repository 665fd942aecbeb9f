"""Time as a port: the wall clock for stamps, the monotonic clock for durations."""

import time
from datetime import UTC, datetime
from typing import Protocol


class Clock(Protocol):
    """Both clocks of a process; passed in wherever time decides something."""

    def now(self) -> datetime:
        """The wall time, aware and in UTC; may jump, so never subtract two of them."""
        ...

    def monotonic(self) -> float:
        """Seconds from an arbitrary start; never goes back, the only source of durations."""
        ...


class SystemClock:
    """The clocks of this machine."""

    def now(self) -> datetime:
        """The wall time in UTC."""
        return datetime.now(UTC)

    def monotonic(self) -> float:
        """Seconds of `time.monotonic`."""
        return time.monotonic()


SYSTEM_CLOCK = SystemClock()
