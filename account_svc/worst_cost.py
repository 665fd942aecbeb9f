"""The most cash an order can take."""

from decimal import Decimal
from typing import Final

from account_svc.order_terms import OrderTerms, OrderType, Side

BAND: Final = Decimal("0.05")
"""How far above the reference price an order without a limit may fill (reliability.md, section 4)."""

_NOTHING = Decimal(0)
_SHARE_MULTIPLIER = Decimal(1)


def worst_cost(
    order: OrderTerms,
    *,
    reference_price: Decimal | None,
    multiplier: Decimal | None,
    band: Decimal = BAND,
) -> Decimal | None:
    """What the order can cost at most, in USD; `None` when nobody can say.

    `reference_price` is the ask, else the last trade, and only asked for orders without a
    limit; `multiplier` is the option contract's own and only asked for options. Sells cost
    nothing: they bring cash.
    """
    if order.side is Side.SELL:
        return _NOTHING
    if order.notional is not None:
        return order.notional
    unit = _SHARE_MULTIPLIER if not order.is_option else multiplier
    price = _worst_price(order, reference_price, band)
    if order.qty is None or unit is None or price is None:
        return None
    return order.qty * price * unit


def _worst_price(order: OrderTerms, reference_price: Decimal | None, band: Decimal) -> Decimal | None:
    match order.order_type:
        case OrderType.LIMIT | OrderType.STOP_LIMIT:
            return order.limit_price
        case OrderType.MARKET:
            return None if reference_price is None else reference_price * (1 + band)
        case OrderType.STOP:
            # A buy stop wakes above the market: today's ask alone would hold too little.
            known = [price for price in (reference_price, order.stop_price) if price is not None]
            return None if reference_price is None else max(known) * (1 + band)
        case OrderType.TRAILING_STOP:
            # Where it wakes depends on lows that have not happened yet.
            return None
