"""PATCH /v2/orders/{order_id}: what may be changed of an order, and the ticket that comes of it."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from decimal import Decimal

from sandbox import ticket_fields as fields
from sandbox.errors import bad_field, refused
from sandbox.order_ticket import check_ticket
from sandbox.orders import GroupRole, Order, OrderClass, OrderStatus, OrderTicket, OrderType, TimeInForce

_REPLACEABLE = frozenset({OrderStatus.NEW, OrderStatus.PARTIALLY_FILLED, OrderStatus.HELD})


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """The fields of a replace request; None keeps what the order has."""

    qty: Decimal | None
    time_in_force: TimeInForce | None
    limit_price: Decimal | None
    stop_price: Decimal | None
    trail: Decimal | None
    client_order_id: str | None


def read_change(body: Mapping[str, object], order: Order) -> Change:
    """The change asked for.

    Raises:
        AlpacaError: 422/40010001 for a malformed field, and for a request that changes nothing.
    """
    if body.get("notional") is not None:
        raise bad_field("notional orders cannot be replaced")
    strategy = order.ticket.order_class is OrderClass.MLEG
    change = Change(
        qty=fields.amount(body, "qty"),
        time_in_force=fields.optional(body, "time_in_force", TimeInForce),
        limit_price=fields.net_price(body, "limit_price") if strategy else fields.price(body, "limit_price"),
        stop_price=fields.price(body, "stop_price"),
        trail=fields.amount(body, "trail"),
        client_order_id=fields.client_order_id(body),
    )
    if change.qty is not None and change.qty % 1:
        raise bad_field("qty must be a whole number for replaced orders")
    if not any(
        (change.qty, change.time_in_force, change.limit_price is not None, change.stop_price, change.trail)
    ):
        raise bad_field("at least one of qty, time_in_force, limit_price, stop_price or trail is required")
    return change


def changed(order: Order, change: Change) -> OrderTicket:
    """The ticket of the order's replacement; what is not said stays, of a partly filled order what is left.

    Raises:
        AlpacaError: 422/42210000 the order cannot be replaced now, 422 the new ticket contradicts itself.
    """
    _check_replaceable(order, change)
    ticket = order.ticket
    trails = ticket.order_type is OrderType.TRAILING_STOP
    if change.trail is not None and not trails:
        raise bad_field("trail is only accepted for trailing stop orders")
    by_percent = ticket.trail_percent is not None
    new = replace(
        ticket,
        qty=change.qty or order.leaves_qty,
        time_in_force=change.time_in_force or ticket.time_in_force,
        limit_price=ticket.limit_price if change.limit_price is None else change.limit_price,
        stop_price=change.stop_price or ticket.stop_price,
        trail_price=change.trail if change.trail and not by_percent else ticket.trail_price,
        trail_percent=change.trail if change.trail and by_percent else ticket.trail_percent,
        client_order_id=change.client_order_id,
        # A position may have grown or gone since the intent was said; it is inferred anew.
        position_intent=None,
    )
    if order.role is GroupRole.TAKE_PROFIT:
        new = replace(new, take_profit=new.limit_price)
    check_ticket(new if order.group is None else replace(new, order_class=OrderClass.UNSAID))
    return new


def _check_replaceable(order: Order, change: Change) -> None:
    if order.status.is_final:
        raise refused(f'order is already in "{order.status.value}" state')
    if order.status not in _REPLACEABLE:
        raise refused(f"unable to replace order, order isn't open: {order.status.value}")
    if order.strategy is not None:
        raise refused("legs of a multi-leg order cannot be replaced individually")
    if order.ticket.notional is not None:
        raise refused("unable to replace order, notional orders cannot be replaced")
    if change.qty is not None and order.qty is not None and order.qty % 1 and change.qty != order.qty:
        raise refused("unable to replace order, the qty of fractional orders cannot be changed")
    if change.qty is not None and order.group is not None and change.qty != order.qty:
        raise refused("unable to replace order, the qty of an order group cannot be changed")
