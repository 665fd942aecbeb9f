"""When and at what price an order trades: pure functions of the order, the quote and the phase.

As in Alpaca's paper simulator, a marketable order trades in full at the touch; the size there is not looked at.
"""

from decimal import Decimal

from sandbox.instruments import AssetClass
from sandbox.orders import Order, OrderType, Side
from sandbox.quotes import Quote
from sandbox.sessions import Phase

_ZERO = Decimal(0)
_HUNDRED = Decimal(100)


def may_trade(order: Order, phase: Phase) -> bool:
    """Whether the order takes part in the market of this phase."""
    if phase is Phase.OPEN:
        return True
    extended = order.ticket.extended_hours and order.instrument.asset_class is AssetClass.US_EQUITY
    return extended and phase is not Phase.CLOSED


def fill_price(order: Order, quote: Quote) -> Decimal | None:
    """The price at which the order trades now, or None when it must wait. Its stop counts only once triggered."""
    touch = quote.ask if order.side is Side.BUY else quote.bid
    if touch <= _ZERO:
        return None
    if _waits_for_stop(order):
        return None
    limit = order.ticket.limit_price
    if limit is None:
        return touch
    crossed = limit >= touch if order.side is Side.BUY else limit <= touch
    return touch if crossed else None


def is_triggered(order: Order, quote: Quote) -> bool:
    """Whether the market has reached the order's stop price."""
    stop, price = order.stop_price, quote.reference
    if stop is None or price <= _ZERO:
        return False
    return price >= stop if order.side is Side.BUY else price <= stop


def trailed(order: Order, quote: Quote) -> tuple[Decimal, Decimal]:
    """The high (for a buy: low) water mark after this quote, and the stop price that follows it."""
    price, mark = quote.reference, order.high_water_mark
    best = max if order.side is Side.SELL else min
    mark = price if mark is None else best(mark, price)
    distance = order.ticket.trail_price or mark * (order.ticket.trail_percent or _ZERO) / _HUNDRED
    return mark, mark - distance if order.side is Side.SELL else mark + distance


def _waits_for_stop(order: Order) -> bool:
    if order.triggered:
        return False
    return order.ticket.order_type in (OrderType.STOP, OrderType.STOP_LIMIT, OrderType.TRAILING_STOP)
