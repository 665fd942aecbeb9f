"""What an order asks for: its content, whether two are equal, and what it can cost at most."""

import hashlib
import json
from dataclasses import dataclass
from decimal import Decimal
from typing import Final

from broker.reports import AssetClass, BrokerOrder, OrderSide, OrderType, PositionIntent, TimeInForce

CONTRACT_MULTIPLIER: Final = Decimal(100)
"""Shares of a normal option contract; adjusted ones differ, which only the contract itself tells."""

_CLOSING: Final = frozenset({PositionIntent.BUY_TO_CLOSE, PositionIntent.SELL_TO_CLOSE})


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderContent:
    """One order as its caller wants it, checked by `order_rules`."""

    symbol: str
    """Canonical: upper case, options in the compact OCC form."""
    asset_class: AssetClass
    side: OrderSide
    order_type: OrderType
    time_in_force: TimeInForce
    qty: Decimal | None = None
    """Shares or whole contracts; exactly one of `qty` and `notional`."""
    notional: Decimal | None = None
    """USD."""
    limit_price: Decimal | None = None
    stop_price: Decimal | None = None
    position_intent: PositionIntent | None = None
    extended_hours: bool = False
    auto_sell_enabled: bool = False
    """Whether the sell monitor may sell what this buys; not the broker's business."""

    @property
    def closes_position(self) -> bool:
        """Whether it only closes what the account holds or owes."""
        return self.position_intent in _CLOSING


def fingerprint(content: OrderContent) -> str:
    """A digest that is equal for equal content: "1.0" and "1" shares are the same wish (promise I4)."""
    fields = {
        "symbol": content.symbol,
        "side": content.side.value,
        "type": content.order_type.value,
        "time_in_force": content.time_in_force.value,
        "qty": _canonical(content.qty),
        "notional": _canonical(content.notional),
        "limit_price": _canonical(content.limit_price),
        "stop_price": _canonical(content.stop_price),
        "position_intent": None if content.position_intent is None else content.position_intent.value,
        "extended_hours": content.extended_hours,
        "auto_sell_enabled": content.auto_sell_enabled,
    }
    return hashlib.sha256(json.dumps(fields, sort_keys=True).encode()).hexdigest()


def is_same_order(content: OrderContent, order: BrokerOrder) -> bool:
    """Whether the broker's order is the one we asked for, and not a stranger's with the same client_order_id.

    Only what the broker keeps as sent is compared.
    """
    asked = (content.symbol, content.side, content.order_type.value, content.time_in_force.value)
    held = (order.symbol, order.side, order.order_type, order.time_in_force)
    amounts_asked = (content.qty, content.notional, content.limit_price, content.stop_price)
    amounts_held = (order.qty, order.notional, order.limit_price, order.stop_price)
    return asked == held and amounts_asked == amounts_held


def stated_notional(content: OrderContent) -> Decimal | None:
    """USD that the order names itself: its notional, or its quantity at its limit or stop price.

    `None` for an order by quantity at the market.
    """
    if content.notional is not None:
        return content.notional
    price = content.limit_price if content.limit_price is not None else content.stop_price
    if price is None or content.qty is None:
        return None
    multiplier = CONTRACT_MULTIPLIER if content.asset_class is AssetClass.US_OPTION else Decimal(1)
    return price * content.qty * multiplier


def _canonical(value: Decimal | None) -> str | None:
    return None if value is None else format(value.normalize(), "f")
