"""What an account is worth and may spend: pure functions of its positions, holds and the quotes.

The margin model is the overnight one of Alpaca's account page: a share needs `1 / multiplier` of its
value, an option all of it, short options what `spread_margin` says, a covered call nothing but its shares.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal

from sandbox import spread_margin
from sandbox.accounts import Account, Position
from sandbox.instruments import AssetClass
from sandbox.quotes import Quote

_ZERO = Decimal(0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Valuation:
    """Amounts in USD; `free_margin` is what new positions may still need."""

    long_market_value: Decimal
    short_market_value: Decimal
    equity: Decimal
    initial_margin: Decimal
    free_margin: Decimal
    buying_power: Decimal
    non_marginable_buying_power: Decimal


def mark_of(position: Position, quotes: Mapping[str, Quote]) -> Decimal:
    """The price a position is valued at: the market's, else its own entry price."""
    quote = quotes.get(position.instrument.symbol)
    return quote.mark if quote is not None and quote.mark > _ZERO else position.avg_entry_price


def market_value_of(position: Position, quotes: Mapping[str, Quote]) -> Decimal:
    """What a position would bring, options times multiplier; negative when short."""
    return position.qty * mark_of(position, quotes) * position.instrument.multiplier


def value(account: Account, quotes: Mapping[str, Quote]) -> Valuation:
    """The account's worth at the present quotes."""
    longs = shorts = margin = _ZERO
    for position in account.positions.values():
        worth = market_value_of(position, quotes)
        if worth > _ZERO:
            longs += worth
        else:
            shorts += worth
        margin += _margin_of(position, worth, account.terms.multiplier)
    if shorts:
        margin += spread_margin.requirement(account.positions.values()).cash
    equity = account.cash + longs + shorts
    free = equity - margin - account.held_margin
    return Valuation(
        long_market_value=longs,
        short_market_value=shorts,
        equity=equity,
        initial_margin=margin,
        free_margin=free,
        buying_power=max(free * account.terms.multiplier, _ZERO),
        non_marginable_buying_power=max(min(free, account.cash - account.held_margin), _ZERO),
    )


def held_units(account: Account, symbol: str) -> Decimal:
    """Units of a position that cannot be sold alone: open orders, covered calls and spreads keep them."""
    held = account.held_qty.get(symbol, _ZERO)
    if not any(position.qty < _ZERO for position in account.positions.values()):
        return held
    needed = spread_margin.requirement(account.positions.values(), account.held_qty)
    return held + needed.shares.get(symbol, _ZERO) + needed.covers.get(symbol, _ZERO)


def _margin_of(position: Position, worth: Decimal, multiplier: int) -> Decimal:
    if position.instrument.asset_class is AssetClass.US_EQUITY:
        return abs(worth) / multiplier
    # What a short option must be able to lose is judged for all of them together.
    return worth if position.qty > _ZERO else _ZERO
