"""How the orders of a bracket, OCO or OTO group are made and depend on each other: no state of the exchange here."""

from collections.abc import Iterator
from dataclasses import replace
from decimal import Decimal

from sandbox.orders import (
    GroupRole,
    Hold,
    Order,
    OrderClass,
    OrderGroup,
    OrderTicket,
    OrderType,
    PositionIntent,
    Side,
)

_ZERO = Decimal(0)


def parent_role(ticket: OrderTicket) -> GroupRole:
    """What the first order of a group is: an OCO has no entry, its take-profit leads."""
    return GroupRole.TAKE_PROFIT if ticket.order_class is OrderClass.OCO else GroupRole.ENTRY


def leg_tickets(ticket: OrderTicket) -> Iterator[tuple[GroupRole, OrderTicket]]:
    """The orders that a group has besides its first, as tickets of their own."""
    exit_side = ticket.side if ticket.order_class is OrderClass.OCO else ticket.side.opposite
    plain = replace(
        ticket, side=exit_side, client_order_id=None, position_intent=None, limit_price=None, stop_price=None
    )
    if ticket.take_profit is not None and ticket.order_class is not OrderClass.OCO:
        yield (
            GroupRole.TAKE_PROFIT,
            replace(plain, order_type=OrderType.LIMIT, limit_price=ticket.take_profit),
        )
    if ticket.stop_loss is not None:
        loss = ticket.stop_loss
        kind = OrderType.STOP if loss.limit_price is None else OrderType.STOP_LIMIT
        yield (
            GroupRole.STOP_LOSS,
            replace(plain, order_type=kind, stop_price=loss.stop_price, limit_price=loss.limit_price),
        )


def exit_intent(side: Side) -> PositionIntent:
    """What an exit does to the position its entry opens."""
    return PositionIntent.SELL_TO_CLOSE if side is Side.SELL else PositionIntent.BUY_TO_CLOSE


def exit_hold(order: Order) -> Hold:
    """What an exit holds once it works: the quantity that it would close."""
    return Hold(symbol=order.symbol, qty=order.leaves_qty or _ZERO)


def exits_to_arm(group: OrderGroup) -> list[Order]:
    """The exits that begin to work when the entry has filled, the stop-loss first: it must watch from the start."""
    return sorted(
        (each for role, each in group.members.items() if role is not GroupRole.ENTRY),
        key=lambda each: each.role is GroupRole.TAKE_PROFIT,
    )


def keeps_held(order: Order) -> bool:
    """Whether the order waits beside a take-profit that has the quantity."""
    if order.role is not GroupRole.STOP_LOSS or order.group is None:
        return False
    return GroupRole.TAKE_PROFIT in order.group.members and not order.triggered


def shrink_stop_loss(order: Order, leaves: Decimal) -> None:
    """After a partial fill of the take-profit, the stop-loss is for what is left."""
    if order.role is not GroupRole.TAKE_PROFIT or order.group is None:
        return
    loss = order.group.members.get(GroupRole.STOP_LOSS)
    if loss is not None and not loss.status.is_final:
        loss.qty = leaves


def take_over_membership(old: Order, new: Order) -> None:
    """Put a replacement where its predecessor stood in the group."""
    if old.group is None or old.role is None:
        return
    old.group.members[old.role] = new
