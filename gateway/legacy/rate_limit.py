"""The legacy request limits: so many a minute for each user, path and account."""

from collections import OrderedDict, deque
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

from runtime.clock import Clock

PATH_LIMITS: Final[Mapping[str, int]] = MappingProxyType(
    {
        "/api/v1/stocks/order": 10,
        "/api/v1/options/order": 200,
        "/api/v1/options/quote": 60,
        "/api/v1/options/quotes/batch": 20,
    }
)
DEFAULT_LIMIT: Final = 120
WINDOW_SECONDS: Final = 60


@dataclass(frozen=True, slots=True, kw_only=True)
class Admission:
    """Whether one request may go on, and what is left afterwards."""

    allowed: bool
    limit: int
    remaining: int
    reset_at: int
    """Epoch seconds one window from now: what callers were always told, not when the oldest request ages out."""

    @property
    def headers(self) -> tuple[tuple[str, str], ...]:
        """The three X-RateLimit headers."""
        return (
            ("X-RateLimit-Limit", str(self.limit)),
            ("X-RateLimit-Remaining", str(self.remaining)),
            ("X-RateLimit-Reset", str(self.reset_at)),
        )

    @property
    def problem(self) -> dict[str, str | int]:
        """The body of the 429."""
        return {
            "detail": "Rate limit exceeded",
            "limit": self.limit,
            "remaining": 0,
            "reset_time": self.reset_at,
        }


def limit_key(*, user_id: str, path: str, account_id: str | None) -> str:
    """What a budget belongs to: user, exact path, and the account in the query if there is one."""
    return f"user:{user_id}:{path}" + (f":account:{account_id}" if account_id else "")


class SlidingWindow:
    """Counts the admitted requests of the last window by key; refused ones do not count.

    Memory is bounded by what was admitted within one window: keys that fell
    silent are dropped as others arrive.
    """

    def __init__(
        self, clock: Clock, *, default_limit: int = DEFAULT_LIMIT, window_seconds: int = WINDOW_SECONDS
    ) -> None:
        self._clock = clock
        self._default_limit = default_limit
        self._window = window_seconds
        # Keys in order of their last admission, so that the silent ones are at the front.
        self._admitted: OrderedDict[str, deque[float]] = OrderedDict()

    def admit(self, key: str, path: str) -> Admission:
        """Takes one request off the key's budget, if any is left; `path` decides how large that is."""
        now = self._clock.monotonic()
        self._forget(now)
        limit = PATH_LIMITS.get(path, self._default_limit)
        stamps = self._admitted.get(key, deque())
        while stamps and stamps[0] <= now - self._window:
            stamps.popleft()
        allowed = len(stamps) < limit
        if allowed:
            stamps.append(now)
            self._admitted[key] = stamps
            self._admitted.move_to_end(key)
        return Admission(
            allowed=allowed,
            limit=limit,
            remaining=limit - len(stamps),
            reset_at=int(self._clock.now().timestamp() + self._window),
        )

    @property
    def keys(self) -> int:
        """How many keys are remembered."""
        return len(self._admitted)

    def _forget(self, now: float) -> None:
        while self._admitted:
            key, stamps = next(iter(self._admitted.items()))
            if stamps[-1] > now - self._window:
                return
            del self._admitted[key]
