"""How an attempt to place ends when it is read off its order instead of the answer; pure."""

from dataclasses import replace
from datetime import datetime

from order_svc.records import UNKNOWN_OUTCOME, AttemptRecord, OrderRecord


def close_from_order(attempt: AttemptRecord, order: OrderRecord | None, *, at: datetime) -> AttemptRecord:
    """The attempt as its order stands: placed, refused, or with an outcome that is unknown."""
    closed = replace(attempt, completed_at=at)
    if order is None or order.state.is_unresolved:
        return replace(
            closed, error=UNKNOWN_OUTCOME, detail="the broker's answer was lost; the order is looked up"
        )
    closed = replace(
        closed,
        order_id=order.order_id,
        account_number=order.account_number or attempt.account_number,
        account_type=order.account_type or attempt.account_type,
    )
    if order.refusal is not None:
        return replace(closed, error=order.refusal.reason.lower(), detail=order.refusal.text)
    return closed
