"""Named moments of an order's way to the broker, where tests stop the process (reliability.md, section 9)."""

from collections.abc import Callable
from enum import Enum


class Checkpoint(Enum):
    """A moment after which a crash must lose nothing and repeat nothing."""

    AFTER_VALIDATE = "after-validate"
    AFTER_INTENT_COMMIT = "after-intent-commit"
    BEFORE_SEND = "before-send"
    AFTER_RESPONSE = "after-response"
    AFTER_RESULT_COMMIT = "after-result-commit"
    AFTER_LINE = "after-line"
    IN_RECOVERY = "in-recovery"
    IN_DRAIN = "in-drain"


OnCheckpoint = Callable[[Checkpoint], None]


def pass_by(_checkpoint: Checkpoint) -> None:
    """What the service does at a checkpoint: nothing."""
