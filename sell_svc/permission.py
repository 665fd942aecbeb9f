"""How much of a position may be sold without asking, and since when it has been held."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal

from config.selling import AutoSell
from sell_svc.known import Seen, Unknown
from sell_svc.observation import Lot, OptionPosition

_NONE = Decimal(0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Permitted:
    """Contracts that may be sold; zero for none."""

    qty: Decimal


def permitted(
    position: OptionPosition, lots: Seen[tuple[Lot, ...]], auto_sell: AutoSell
) -> Permitted | Unknown:
    """What `sell_module.auto_sell` allows of this position.

    With `tracked`, lots decide by quantity: a manual lot of the same contract neither frees nor
    blocks an automated one (S-28), and a position without a lot is never touched.
    """
    if auto_sell is AutoSell.ALL:
        return Permitted(qty=position.qty)
    if isinstance(lots, Unknown):
        return lots
    return Permitted(qty=_sum(lot for lot in lots.value if _counts(lot, position) and lot.auto_sell_enabled))


def held_too_long(
    position: OptionPosition,
    lots: Seen[tuple[Lot, ...]],
    *,
    auto_sell: AutoSell,
    now: datetime,
    limit: timedelta,
) -> Permitted | Unknown:
    """Contracts filled at least `limit` ago; Unknown when a lot that counts has no fill time, or none is known.

    Only fills tell the entry time: a contract bought again does not inherit the age of the one sold (S-22).
    """
    if isinstance(lots, Unknown):
        return lots
    own = [
        lot
        for lot in lots.value
        if _counts(lot, position) and (lot.auto_sell_enabled or auto_sell is AutoSell.ALL)
    ]
    if not own or any(lot.filled_at is None for lot in own):
        return Unknown(reason="no fill time is known for the position")
    return Permitted(
        qty=_sum(lot for lot in own if lot.filled_at is not None and now - lot.filled_at >= limit)
    )


def _counts(lot: Lot, position: OptionPosition) -> bool:
    return lot.symbol == position.symbol and lot.remaining_qty > 0


def _sum(lots: Iterable[Lot]) -> Decimal:
    return sum((lot.remaining_qty for lot in lots), _NONE)
