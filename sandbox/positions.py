"""Posts fills and deliveries to the account that made them."""

from decimal import Decimal

from sandbox.accounts import Account, Activity, Position
from sandbox.instant import Instant, new_york_date
from sandbox.instruments import Instrument, Strategy
from sandbox.orders import Order, Side
from sandbox.settlement import FLAT, Holding, cash_effect, settled

_ZERO = Decimal(0)


def post_fill(account: Account, order: Order, *, qty: Decimal, price: Decimal, at: Instant) -> None:
    """Move cash and position by one fill, exactly: what the position gains is what the cash pays."""
    if isinstance(order.instrument, Strategy):
        raise TypeError("a multi-leg order is posted by its legs")
    signed_qty = qty if order.side is Side.BUY else -qty
    cash = cash_effect(signed_qty=signed_qty, price=price, multiplier=order.instrument.multiplier)
    cause = f"{order.side.value} {qty} {order.symbol} at {price}, order {order.order_id}"
    move_position(
        account, order.instrument, signed_qty=signed_qty, price=price, cash=cash, cause=cause, at=at
    )
    account.add_activity(
        Activity(
            kind="FILL",
            at=at,
            symbol=order.symbol,
            qty=signed_qty,
            price=price,
            net_amount=cash,
            order_id=order.order_id,
            cum_qty=order.filled_qty + qty,
            leaves_qty=max((order.qty or qty) - order.filled_qty - qty, _ZERO),
        )
    )


def move_position(
    account: Account,
    instrument: Instrument,
    *,
    signed_qty: Decimal,
    price: Decimal,
    cash: Decimal,
    cause: str,
    at: Instant,
) -> None:
    """Change a position by a quantity at a price, and the cash by what it costs or brings."""
    old = account.positions.get(instrument.symbol)
    before = Holding(qty=old.qty, avg_entry_price=old.avg_entry_price) if old else FLAT
    after = settled(before, signed_qty=signed_qty, price=price)
    account.cash += cash
    account.record_cash(at, cause)
    if after.qty == _ZERO:
        account.positions.pop(instrument.symbol, None)
        return
    account.positions[instrument.symbol] = Position(
        instrument=instrument,
        qty=after.qty,
        avg_entry_price=after.avg_entry_price,
        opened_on=old.opened_on if old else new_york_date(at),
    )
