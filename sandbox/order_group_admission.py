"""Whether a bracket, OCO or OTO order may be placed: the rules beyond those of its first order."""

from decimal import Decimal

from sandbox.admission import Market
from sandbox.errors import bad_field, refused
from sandbox.instruments import Instrument, OptionContract
from sandbox.orders import OrderClass, OrderTicket, PositionIntent, Side

_CENT = Decimal("0.01")


def check_group(ticket: OrderTicket, instrument: Instrument, intent: PositionIntent, market: Market) -> None:
    """Refuse a group whose exits make no sense for its entry.

    Raises:
        AlpacaError: 422 with Alpaca's words.
    """
    if isinstance(instrument, OptionContract):
        raise refused("complex orders not supported for options trading")
    if ticket.order_class is OrderClass.OCO:
        if intent.opens:
            raise bad_field("oco orders must be exit orders")
        return
    if not intent.opens:
        raise bad_field(f"{ticket.order_class.value} orders must be entry orders")
    _check_distances(ticket, _base_price(ticket, market))


def _base_price(ticket: OrderTicket, market: Market) -> Decimal | None:
    if ticket.limit_price is not None:
        return ticket.limit_price
    quote = market.quotes.get(ticket.symbol)
    return quote.mark if quote is not None and quote.mark else None


def _check_distances(ticket: OrderTicket, base: Decimal | None) -> None:
    """The take-profit must win and the stop-loss must lose, each by a cent at least."""
    if base is None:
        return
    sign = 1 if ticket.side is Side.BUY else -1
    above, below = (">=", "<=") if sign == 1 else ("<=", ">=")
    plus, minus = ("+", "-") if sign == 1 else ("-", "+")
    if ticket.take_profit is not None and (ticket.take_profit - base) * sign < _CENT:
        raise refused(f"take_profit.limit_price must be {above} base_price {plus} 0.01")
    if ticket.stop_loss is not None and (base - ticket.stop_loss.stop_price) * sign < _CENT:
        raise refused(f"stop_loss.stop_price must be {below} base_price {minus} 0.01")
