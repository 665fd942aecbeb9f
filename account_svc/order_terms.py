"""What the guard has to know of an order before it may leave."""

import hashlib
from dataclasses import dataclass
from decimal import Decimal
from enum import Enum
from typing import NewType

from broker.option_symbol import is_option_symbol

HoldId = NewType("HoldId", str)
"""Equal to the order's client_order_id."""


class Side(Enum):
    """Which way an order trades, in the broker's words."""

    BUY = "buy"
    SELL = "sell"


class OrderType(Enum):
    """How an order is priced, in the broker's words."""

    MARKET = "market"
    LIMIT = "limit"
    STOP = "stop"
    STOP_LIMIT = "stop_limit"
    TRAILING_STOP = "trailing_stop"

    @property
    def needs_limit_price(self) -> bool:
        """Whether an order of this type names the worst price it accepts."""
        return self in {OrderType.LIMIT, OrderType.STOP_LIMIT}

    @property
    def needs_stop_price(self) -> bool:
        """Whether an order of this type names the price that wakes it."""
        return self in {OrderType.STOP, OrderType.STOP_LIMIT}


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderTerms:
    """One order as the guard sees it; prices and notional in USD, all positive and finite."""

    symbol: str
    side: Side
    order_type: OrderType
    qty: Decimal | None
    """Shares or contracts; exactly one of `qty` and `notional` is set."""
    notional: Decimal | None
    limit_price: Decimal | None
    stop_price: Decimal | None
    closes_position: bool

    def __post_init__(self) -> None:
        if (self.qty is None) == (self.notional is None):
            raise ValueError("an order has either a qty or a notional")
        if self.order_type.needs_limit_price and self.limit_price is None:
            raise ValueError(f"a {self.order_type.value} order needs a limit_price")
        if self.order_type.needs_stop_price and self.stop_price is None:
            raise ValueError(f"a {self.order_type.value} order needs a stop_price")
        for value in (self.qty, self.notional, self.limit_price, self.stop_price):
            if value is not None and not (value.is_finite() and value > 0):
                raise ValueError(f"{value} is not a positive, finite number")

    @property
    def is_option(self) -> bool:
        """Whether the symbol names an option contract."""
        return is_option_symbol(self.symbol)

    @property
    def needs_reference_price(self) -> bool:
        """Whether only the market tells what the order can cost."""
        return (
            self.side is Side.BUY
            and self.notional is None
            and self.order_type in {OrderType.MARKET, OrderType.STOP}
        )

    @property
    def needs_multiplier(self) -> bool:
        """Whether the contract decides what one unit of price costs."""
        return self.side is Side.BUY and self.notional is None and self.is_option

    def fingerprint(self) -> str:
        """A digest that two orders share only when they are the same order; 1 and 1.0 are."""
        numbers = (self.qty, self.notional, self.limit_price, self.stop_price)
        parts = (
            self.symbol,
            self.side.value,
            self.order_type.value,
            *("" if number is None else f"{number.normalize():f}" for number in numbers),
            str(self.closes_position),
        )
        return hashlib.sha256("\x00".join(parts).encode()).hexdigest()
