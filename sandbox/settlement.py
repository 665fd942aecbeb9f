"""What one fill does to a position: a pure function of the numbers."""

from dataclasses import dataclass
from decimal import Decimal

_ZERO = Decimal(0)
_ENTRY_PRICE_STEP = Decimal("0.000000001")


@dataclass(frozen=True, slots=True, kw_only=True)
class Holding:
    """A signed quantity and the mean price it was entered at."""

    qty: Decimal
    avg_entry_price: Decimal


FLAT = Holding(qty=_ZERO, avg_entry_price=_ZERO)


def settled(before: Holding, *, signed_qty: Decimal, price: Decimal) -> Holding:
    """The holding after a fill: adding averages the entry price, reducing keeps it, turning takes the new one."""
    qty = before.qty + signed_qty
    if qty == _ZERO:
        return FLAT
    if before.qty * signed_qty >= _ZERO:
        total = before.qty * before.avg_entry_price + signed_qty * price
        return Holding(qty=qty, avg_entry_price=(total / qty).quantize(_ENTRY_PRICE_STEP))
    turned = before.qty * qty < _ZERO
    return Holding(qty=qty, avg_entry_price=price if turned else before.avg_entry_price)


def cash_effect(*, signed_qty: Decimal, price: Decimal, multiplier: Decimal) -> Decimal:
    """What a fill adds to the cash; negative for a buy. Exact: nothing is rounded."""
    return -signed_qty * price * multiplier
