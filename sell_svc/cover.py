"""Which contracts a long leg must keep because a short leg of the same account rests on them."""

from decimal import Decimal

from broker.option_symbol import OptionSymbol, UnknownOptionSymbol, parse
from sell_svc.observation import Holdings, OptionPosition
from sell_svc.underlying import underlying


def uncovered_qty(position: OptionPosition, holdings: Holdings) -> Decimal:
    """Contracts of a long position that no short leg needs.

    Every long leg keeps what all the shorts it could cover need, as though it stood alone: too
    careful with several long legs, never the other way round. A position that exists and cannot
    be read counts as a short of unknown size.
    """
    if any(_could_be_covered(symbol, position.contract) for symbol in holdings.unreadable):
        return Decimal(0)
    needed = sum(
        (
            -other.qty
            for other in holdings.positions
            if other.qty < 0 and _covers(position.contract, other.contract)
        ),
        Decimal(0),
    )
    return max(position.qty - needed, Decimal(0))


def _covers(long: OptionSymbol, short: OptionSymbol) -> bool:
    return (
        underlying(long) == underlying(short)
        and long.right is short.right
        and long.expiration_date >= short.expiration_date
    )


def _could_be_covered(symbol: str, long: OptionSymbol) -> bool:
    try:
        return _covers(long, parse(symbol))
    except UnknownOptionSymbol:
        # A stock's symbol; only options are covered by options.
        return False
