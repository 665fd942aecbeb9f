"""How many requests one account may still send, and who goes first (promise I13).

A log of the last minute's requests, not a token bucket: a bucket that refills while it is drained
lets nearly twice its size through in one minute, and Alpaca counts any minute.
"""

from collections import deque
from dataclasses import dataclass
from datetime import timedelta
from enum import IntEnum
from fractions import Fraction
from types import MappingProxyType

__all__ = ["Priority", "RateBudget", "RateLimits"]


class Priority(IntEnum):
    """What a request is for; the lower number goes first."""

    EXIT = 0
    """Closes a position, or settles what became of an order."""
    CANCEL = 1
    OPEN = 2
    READ = 3


# How much of the budget a priority may fill: the rest is kept for those before it.
_SHARES = MappingProxyType(
    {
        Priority.EXIT: Fraction(1),
        Priority.CANCEL: Fraction(9, 10),
        Priority.OPEN: Fraction(8, 10),
        Priority.READ: Fraction(6, 10),
    }
)


@dataclass(frozen=True, slots=True, kw_only=True)
class RateLimits:
    """The budget of one account at one of Alpaca's hosts."""

    requests: int = 180
    """At most this many in any window: a tenth below Alpaca's 200."""
    window_seconds: float = 60.0
    keeps_reserve: bool = True
    """Whether the less important leave room for the more important; pointless where all only read."""
    follows_broker: bool = False
    """Whether the limit that the broker's answers name replaces `requests`, a tenth below it again."""

    def __post_init__(self) -> None:
        if self.requests < 1 or self.window_seconds <= 0:
            raise ValueError("a budget needs at least one request and a window above 0 seconds")


class RateBudget:
    """Counts requests and says how long the next one has to wait.

    Pure but for its own state: every method takes the monotonic time, in seconds, which must not go back.
    """

    def __init__(self, limits: RateLimits | None = None) -> None:
        self._limits = limits or RateLimits()
        self._requests = self._limits.requests
        self._sent: deque[float] = deque()
        self._blocked_until = float("-inf")
        self._refusals_in_a_row = 0
        self._told_remaining: int | None = None
        self._told_margin = 0
        self._told_until = float("-inf")

    def take(self, priority: Priority, now: float) -> float:
        """0 when the request may go now, which counts it; else the seconds until it may be worth asking again."""
        wait = max(self._blocked_until - now, self._own_wait(priority, now), self._told_wait(priority, now))
        if wait > 0:
            return wait
        self._sent.append(now)
        if self._told_remaining is not None:
            self._told_remaining -= 1
        return 0.0

    def observe(
        self, *, limit: int | None, remaining: int | None, reset_in: timedelta | None, now: float
    ) -> None:
        """Learns from the rate headers of an answer: others may use the same account."""
        self._refusals_in_a_row = 0
        if limit and self._limits.follows_broker:
            self._requests = max(1, limit * 9 // 10)
        if remaining is None or reset_in is None:
            return
        seconds = min(reset_in.total_seconds(), self._limits.window_seconds)
        same_window = now < self._told_until
        # Answers overtake each other: within a window only the lowest count is news.
        if not same_window or self._told_remaining is None or remaining < self._told_remaining:
            self._told_remaining = remaining
        # The tenth that we never use; what is beyond our own limit is others' to use.
        self._told_margin = (limit or 0) // 10
        self._told_until = now + max(0.0, seconds)

    def refused(self, *, retry_after: timedelta | None, now: float) -> None:
        """Stops everything after a 429: for what it says, else for 1 s, doubled with each in a row."""
        seconds = 2.0**self._refusals_in_a_row if retry_after is None else retry_after.total_seconds()
        self._refusals_in_a_row = min(self._refusals_in_a_row + 1, 6)
        self._blocked_until = max(self._blocked_until, now + min(seconds, self._limits.window_seconds))

    def _own_wait(self, priority: Priority, now: float) -> float:
        window = self._limits.window_seconds
        while self._sent and self._sent[0] + window <= now:
            self._sent.popleft()
        excess = len(self._sent) - self._room(priority)
        return 0.0 if excess < 0 else self._sent[excess] + window - now

    def _told_wait(self, priority: Priority, now: float) -> float:
        if now >= self._told_until:
            self._told_remaining = None
        if self._told_remaining is None:
            return 0.0
        kept = self._requests - self._room(priority)
        return self._told_until - now if self._told_remaining - self._told_margin <= kept else 0.0

    def _room(self, priority: Priority) -> int:
        share = _SHARES[priority] if self._limits.keeps_reserve else Fraction(1)
        return max(1, int(self._requests * share))
