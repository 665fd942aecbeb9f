"""What a report of the broker's changes in an order's record; pure."""

from dataclasses import replace
from datetime import datetime

from broker.reports import BrokerOrder
from order_svc.identifiers import OrderId
from order_svc.lifecycle import OrderState
from order_svc.records import OrderRecord, Refusal
from order_svc.refusals import OrderRejected


def with_report(record: OrderRecord, order: BrokerOrder, seen_at: datetime) -> OrderRecord:
    """The record, its state already moved by the report, with what else the report says.

    Filled quantity never shrinks: neither a stale reading nor the successor of a replaced order,
    which starts at nothing, takes back a fill that was seen.
    """
    if record.state.is_final and order.is_open:
        return record
    grown = order.filled_qty > record.filled_qty
    return replace(
        record,
        order_id=OrderId(order.order_id),
        broker_status=order.status_text,
        filled_qty=order.filled_qty if grown else record.filled_qty,
        filled_avg_price=order.filled_avg_price if grown else record.filled_avg_price,
        filled_at=(order.filled_at or seen_at) if grown else record.filled_at,
        submitted_at=order.submitted_at or record.submitted_at,
        canceled_at=order.canceled_at or record.canceled_at,
        refusal=_rejection(order) if record.state is OrderState.REJECTED else None,
    )


def changes_anything(record: OrderRecord, order: BrokerOrder) -> bool:
    """Whether a report of an order that is bound and open says anything new about it."""
    return (
        order.is_final
        or order.order_id != record.order_id
        or order.status_text != record.broker_status
        or order.filled_qty > record.filled_qty
    )


def _rejection(order: BrokerOrder) -> Refusal:
    return Refusal(
        reason=OrderRejected.reason,
        text="the broker took the order and then rejected it",
        metadata={"broker_status": order.status_text},
    )
