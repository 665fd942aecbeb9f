"""What the single checks of an account amount to; pure."""

from collections.abc import Sequence
from typing import Final

SUCCESS: Final = "success"
SKIP: Final = "skip"
ERROR: Final = "error"
UNKNOWN: Final = "unknown"

_GRADES: Final = ((0.9, "excellent"), (0.7, "good"), (0.5, "warning"))


def overall_status(statuses: Sequence[str]) -> str:
    """excellent, good, warning or error by the share of checks that succeeded; a skipped one counts half."""
    if not statuses:
        return UNKNOWN
    score = (statuses.count(SUCCESS) + 0.5 * statuses.count(SKIP)) / len(statuses)
    return next((grade for least, grade in _GRADES if score >= least), ERROR)
