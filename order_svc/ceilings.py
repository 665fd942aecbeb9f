"""Limits on an account's orders that hold whatever a strategy wants; pure."""

from dataclasses import dataclass
from decimal import Decimal

from broker.reports import OrderSide
from order_svc.content import OrderContent, stated_notional
from order_svc.records import Refusal
from order_svc.refusals import OrderNotionalExceeded, OrderRateExceeded


@dataclass(frozen=True, slots=True, kw_only=True)
class Ceilings:
    """The limits of one account; `None` is no limit."""

    max_orders_per_minute: int | None = None
    max_order_notional: Decimal | None = None
    """USD."""


def check_rate(ceilings: Ceilings, *, recent_orders: int) -> Refusal | None:
    """Denies an order when the account's last minute is full; `recent_orders` is without it."""
    limit = ceilings.max_orders_per_minute
    if limit is None or recent_orders < limit:
        return None
    return Refusal(
        reason=OrderRateExceeded.reason,
        text=f"{recent_orders} orders in the last minute; trading.max_orders_per_minute is {limit}",
        metadata={"recent_orders": str(recent_orders), "max_orders_per_minute": str(limit)},
    )


def check_notional(
    ceilings: Ceilings, content: OrderContent, *, hold_amount: Decimal | None
) -> Refusal | None:
    """Denies an order worth too much: by its own price, else a buy by what the guard holds for it.

    A sell at the market names no price and takes no hold: it is not judged, so that a ceiling
    never keeps a position from being closed.
    """
    limit = ceilings.max_order_notional
    worth = stated_notional(content)
    if worth is None and content.side is OrderSide.BUY:
        worth = hold_amount
    if limit is None or worth is None or worth <= limit:
        return None
    return Refusal(
        reason=OrderNotionalExceeded.reason,
        text=f"the order is worth {worth} USD; trading.max_order_notional is {limit}",
        metadata={"order_notional": str(worth), "max_order_notional": str(limit)},
    )
