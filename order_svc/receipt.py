"""When a request came, who asked, and until when it must be answered."""

from dataclasses import dataclass
from datetime import datetime
from typing import Final

from order_svc.identifiers import AttemptId, make_attempt_id
from runtime.clock import Clock
from runtime.context import current_request_id, deadline

ANSWER_MARGIN_SECONDS: Final = 0.3
"""What is left of the caller's time when an unknown outcome is told (reliability.md, section 3)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Receipt:
    """Taken first thing; every duration is counted from here."""

    attempt_id: AttemptId
    request_id: str
    received_at: datetime
    received: float
    """Monotonic seconds."""
    answer_by: float
    """Monotonic seconds; the caller must have an answer then."""

    def duration_ms(self, clock: Clock) -> int:
        """From receipt to now."""
        return round((clock.monotonic() - self.received) * 1000)


def take_receipt(clock: Clock, *, timeout_seconds: float) -> Receipt:
    """The receipt of the request being served; without a deadline it has `timeout_seconds`."""
    received, received_at = clock.monotonic(), clock.now()
    end = received + timeout_seconds
    current = deadline.get()
    if current is not None:
        end = min(end, current.at)
    return Receipt(
        attempt_id=make_attempt_id(received_at),
        request_id=current_request_id() or "",
        received_at=received_at,
        received=received,
        answer_by=end - ANSWER_MARGIN_SECONDS,
    )
