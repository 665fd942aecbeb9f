"""How long to leave a thing alone after an attempt on it failed: longer each time, forgotten on success."""

from collections.abc import Collection
from dataclasses import dataclass
from typing import Final

from runtime.clock import Clock

FIRST_SECONDS: Final = 5.0
LONGEST_SECONDS: Final = 300.0


@dataclass(frozen=True, slots=True, kw_only=True)
class _Failure:
    cause: str
    wait_seconds: float
    until: float


class Backoff:
    """Waits by key, on the monotonic clock.

    Kept in memory only: it can delay an attempt, never allow one, so a restart loses nothing but a wait.
    """

    def __init__(
        self, clock: Clock, *, first_seconds: float = FIRST_SECONDS, longest_seconds: float = LONGEST_SECONDS
    ) -> None:
        self._clock = clock
        self._first_seconds = first_seconds
        self._longest_seconds = longest_seconds
        self._failures: dict[str, _Failure] = {}

    def remaining_seconds(self, key: str) -> float:
        """How long to wait yet; zero when the key may be tried."""
        failure = self._failures.get(key)
        return 0.0 if failure is None else max(failure.until - self._clock.monotonic(), 0.0)

    def cause(self, key: str) -> str:
        """Why the last attempt failed; empty when none did."""
        failure = self._failures.get(key)
        return "" if failure is None else failure.cause

    def failed(self, key: str, cause: str) -> bool:
        """Notes a failed attempt; says whether the cause is a new one."""
        before = self._failures.get(key)
        wait = self._first_seconds if before is None else min(before.wait_seconds * 2, self._longest_seconds)
        self._failures[key] = _Failure(cause=cause, wait_seconds=wait, until=self._clock.monotonic() + wait)
        return before is None or before.cause != cause

    def succeeded(self, key: str) -> None:
        """Forgets the failures of a key."""
        self._failures.pop(key, None)

    def keep_only(self, keys: Collection[str]) -> None:
        """Forgets every key but these, so that what is gone takes no room."""
        for key in self._failures.keys() - set(keys):
            del self._failures[key]
