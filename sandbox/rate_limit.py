"""Alpaca's request budget: a fixed window of one minute of real time for each account."""

import time
from collections.abc import Callable
from dataclasses import dataclass

_WINDOW_S = 60
# What the headers say when the limit is switched off; clients that adapt to the header are then free.
_UNLIMITED = 1_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Allowance:
    """What is left of a window; `resets_at` is in Unix seconds."""

    granted: bool
    limit: int
    remaining: int
    resets_at: int

    def headers(self) -> dict[str, str]:
        """The headers every answer carries."""
        return {
            "X-RateLimit-Limit": str(self.limit),
            "X-RateLimit-Remaining": str(self.remaining),
            "X-RateLimit-Reset": str(self.resets_at),
        }


class RateLimit:
    """Counts requests by account. `per_minute` None lets everything pass.

    Windows are real time, not sandbox time: clients compare the reset with their own clock.
    """

    def __init__(self, per_minute: int | None, *, wall_s: Callable[[], float] = time.time) -> None:
        self.per_minute = per_minute
        self._wall_s = wall_s
        self._windows: dict[str, tuple[int, int]] = {}

    def take(self, account: str) -> Allowance:
        """Count one request of an account, unless its window is used up."""
        window = int(self._wall_s()) // _WINDOW_S
        started, used = self._windows.get(account, (window, 0))
        if started != window:
            used = 0
        limit = _UNLIMITED if self.per_minute is None else self.per_minute
        granted = used < limit
        used += granted
        self._windows[account] = (window, used)
        return Allowance(
            granted=granted, limit=limit, remaining=limit - used, resets_at=(window + 1) * _WINDOW_S
        )

    def untouched(self) -> Allowance:
        """The headers of an answer to nobody in particular."""
        limit = _UNLIMITED if self.per_minute is None else self.per_minute
        resets_at = (int(self._wall_s()) // _WINDOW_S + 1) * _WINDOW_S
        return Allowance(granted=True, limit=limit, remaining=limit, resets_at=resets_at)
