"""Multi-leg orders: several option contracts traded together at one net price, all or nothing."""

from collections.abc import Mapping, Sequence
from decimal import Decimal

from sandbox.orders import Order, Side
from sandbox.quotes import Quote

_ZERO = Decimal(0)
_ONE = Decimal(1)


def leg_prices(legs: Sequence[Order], quotes: Mapping[str, Quote]) -> list[Decimal] | None:
    """The touch of every leg, or None while one of them has none."""
    prices = []
    for leg in legs:
        quote = quotes.get(leg.symbol)
        touch = _ZERO if quote is None else quote.ask if leg.side is Side.BUY else quote.bid
        if touch <= _ZERO:
            return None
        prices.append(touch)
    return prices


def net_price(legs: Sequence[Order], prices: Sequence[Decimal]) -> Decimal:
    """What one unit costs for each share of its contracts: positive is paid, negative received."""
    return sum(
        (
            (price if leg.side is Side.BUY else -price) * (leg.ratio_qty or _ONE)
            for leg, price in zip(legs, prices, strict=True)
        ),
        _ZERO,
    )


def is_marketable(order: Order, prices: Sequence[Decimal]) -> bool:
    """Whether the net price is no worse than the order's limit."""
    limit = order.ticket.limit_price
    return limit is None or net_price(order.strategy_legs, prices) <= limit
