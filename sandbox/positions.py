"""Posts a fill to the account that made it."""

from decimal import Decimal

from sandbox.accounts import Account, Position
from sandbox.instant import Instant, new_york_date
from sandbox.orders import Order, Side
from sandbox.settlement import FLAT, Holding, cash_effect, settled

_ZERO = Decimal(0)


def post_fill(account: Account, order: Order, *, qty: Decimal, price: Decimal, at: Instant) -> None:
    """Move cash and position by one fill, exactly: what the position gains is what the cash pays."""
    signed_qty = qty if order.side is Side.BUY else -qty
    old = account.positions.get(order.symbol)
    before = Holding(qty=old.qty, avg_entry_price=old.avg_entry_price) if old else FLAT
    after = settled(before, signed_qty=signed_qty, price=price)
    account.cash += cash_effect(signed_qty=signed_qty, price=price, multiplier=order.instrument.multiplier)
    account.record_cash(at, f"{order.side.value} {qty} {order.symbol} at {price}, order {order.order_id}")
    if after.qty == _ZERO:
        account.positions.pop(order.symbol, None)
        return
    account.positions[order.symbol] = Position(
        instrument=order.instrument,
        qty=after.qty,
        avg_entry_price=after.avg_entry_price,
        opened_on=old.opened_on if old else new_york_date(at),
    )
