"""What short options require: the strike in cash, shares, or only the width of a spread where a long one covers them."""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from decimal import Decimal

from sandbox.accounts import Position
from sandbox.instruments import OptionContract
from sandbox.option_symbol import OptionType

_ZERO = Decimal(0)
_NOTHING: Mapping[str, Decimal] = {}


@dataclass(slots=True, kw_only=True)
class Requirement:
    """USD that must stay, shares by underlying that cover calls, and long options by symbol that cover short ones."""

    cash: Decimal = _ZERO
    shares: dict[str, Decimal] = field(default_factory=dict)
    covers: dict[str, Decimal] = field(default_factory=dict)


@dataclass(slots=True, kw_only=True)
class _Lot:
    contract: OptionContract
    qty: Decimal


def requirement(positions: Iterable[Position], held_qty: Mapping[str, Decimal] = _NOTHING) -> Requirement:
    """The requirement of all short options together; long ones that `held_qty` says may be gone soon cover none."""
    lots: dict[tuple[str, OptionType], list[_Lot]] = defaultdict(list)
    any_short = False
    for position in positions:
        contract, qty = position.instrument, position.qty
        if isinstance(contract, OptionContract) and qty:
            if qty > _ZERO:
                qty -= held_qty.get(contract.symbol, _ZERO)
            lots[contract.underlying_symbol, contract.option_type].append(_Lot(contract=contract, qty=qty))
            any_short = any_short or qty < _ZERO
    needed = Requirement()
    if any_short:
        for group in lots.values():
            _require(group, needed)
    return needed


def _require(group: list[_Lot], needed: Requirement) -> None:
    """Pair off the options of one underlying and kind.

    The short ones that live longest choose first: what may cover them may cover any other too, so that no
    short option is left without cover that another choice would have given it.
    """
    longs = [lot for lot in group if lot.qty > _ZERO]
    shorts = [lot for lot in group if lot.qty < _ZERO]
    for short in sorted(shorts, key=lambda lot: lot.contract.expiration_date, reverse=True):
        _cover(short, longs, needed)
        uncovered = -short.qty * short.contract.multiplier
        if short.contract.option_type is OptionType.PUT:
            needed.cash += uncovered * short.contract.strike_price
        elif uncovered:
            underlying = short.contract.underlying_symbol
            needed.shares[underlying] = needed.shares.get(underlying, _ZERO) + uncovered


def _cover(short: _Lot, longs: list[_Lot], needed: Requirement) -> None:
    """Use up long options, the narrowest spread first."""
    for long in sorted(longs, key=lambda lot: _width(short, lot)):
        if long.contract.expiration_date < short.contract.expiration_date:
            continue
        if long.contract.multiplier != short.contract.multiplier:
            continue
        qty = min(long.qty, -short.qty)
        if qty > _ZERO:
            needed.cash += qty * _width(short, long) * short.contract.multiplier
            symbol = long.contract.symbol
            needed.covers[symbol] = needed.covers.get(symbol, _ZERO) + qty
            long.qty -= qty
            short.qty += qty


def _width(short: _Lot, long: _Lot) -> Decimal:
    difference = long.contract.strike_price - short.contract.strike_price
    if short.contract.option_type is OptionType.PUT:
        difference = -difference
    return max(difference, _ZERO)
