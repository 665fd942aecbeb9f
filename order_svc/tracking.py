"""What was bought through this system and is not yet sold: lots, first in first out; pure.

Replaces the legacy tracking that closed a lot when a sell was accepted (S-04): only fills count here,
by filled quantity, and each lot keeps its own permission to be sold automatically (S-28).
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal

from broker.reports import OrderSide, PositionIntent
from order_svc.identifiers import ClientOrderId


@dataclass(frozen=True, slots=True, kw_only=True)
class Fill:
    """What one of our orders has filled so far."""

    symbol: str
    side: OrderSide
    client_order_id: ClientOrderId
    filled_qty: Decimal
    """Shares or contracts, above 0."""
    filled_at: datetime
    """Of the last fill."""
    auto_sell_enabled: bool
    position_intent: PositionIntent | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Lot:
    """What is left of one filled buy."""

    symbol: str
    client_order_id: ClientOrderId
    remaining_qty: Decimal
    auto_sell_enabled: bool
    filled_at: datetime


def open_lots(fills: Iterable[Fill]) -> tuple[Lot, ...]:
    """The lots that remain after every sell took from the oldest first; by symbol, oldest first.

    A sell with `auto_sell_enabled`, an exit of the monitor, takes from the lots that it may sell first:
    otherwise it would use up its owner's lot and then sell once more for its own (S-28).
    A sell takes only from buys that were filled before it: what it sold beyond them was not bought here.
    Orders that open or reduce a short neither make nor take lots.
    """
    lots: dict[str, list[Lot]] = {}
    for fill in sorted(fills, key=_moment):
        queue = lots.setdefault(fill.symbol, [])
        if fill.side is OrderSide.SELL:
            if fill.position_intent is not PositionIntent.SELL_TO_OPEN:
                lots[fill.symbol] = _without(queue, fill)
        elif fill.position_intent is not PositionIntent.BUY_TO_CLOSE:
            queue.append(_lot(fill))
    return tuple(lot for symbol in sorted(lots) for lot in lots[symbol])


def _moment(fill: Fill) -> tuple[datetime, bool, str]:
    # Of a buy and a sell with the same stamp the buy came first: one cannot sell what is not there.
    return fill.filled_at, fill.side is OrderSide.SELL, fill.client_order_id


def _lot(fill: Fill) -> Lot:
    return Lot(
        symbol=fill.symbol,
        client_order_id=fill.client_order_id,
        remaining_qty=fill.filled_qty,
        auto_sell_enabled=fill.auto_sell_enabled,
        filled_at=fill.filled_at,
    )


def _without(lots: list[Lot], sell: Fill) -> list[Lot]:
    """The lots less what the sell took."""
    left = {index: lot.remaining_qty for index, lot in enumerate(lots)}
    unsold = sell.filled_qty
    for index in _order_of_taking(lots, sell):
        taken = min(left[index], unsold)
        left[index] -= taken
        unsold -= taken
    return [replace(lot, remaining_qty=left[index]) for index, lot in enumerate(lots) if left[index] > 0]


def _order_of_taking(lots: list[Lot], sell: Fill) -> list[int]:
    oldest_first = range(len(lots))
    if not sell.auto_sell_enabled:
        return list(oldest_first)
    return sorted(oldest_first, key=lambda index: not lots[index].auto_sell_enabled)
