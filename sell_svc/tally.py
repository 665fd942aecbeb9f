"""What was done since the loop started."""

from dataclasses import dataclass
from datetime import datetime


@dataclass(slots=True, kw_only=True)
class Tally:
    """Counters of one account, counting up; owned by the one loop that adds to them."""

    sold: int = 0
    """Exits that the broker accepted."""
    cancelled: int = 0
    """Cancellations that the broker took."""
    failed: int = 0
    """Actions that came to nothing, denials of the guard excluded."""
    exits_blocked: int = 0
    """Exits that the guard denied."""
    last_activity_at: datetime | None = None
    """When something was last sold or cancelled."""

    def add(self, other: "Tally") -> None:
        """Takes another account's counts in."""
        self.sold += other.sold
        self.cancelled += other.cancelled
        self.failed += other.failed
        self.exits_blocked += other.exits_blocked
        moments = [at for at in (self.last_activity_at, other.last_activity_at) if at is not None]
        self.last_activity_at = max(moments, default=None)
