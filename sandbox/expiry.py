"""What becomes of option positions: exercise on request, and exercise, assignment or nothing at expiry."""

from collections.abc import Mapping
from datetime import date
from decimal import Decimal
from enum import Enum

from sandbox.accounts import Account, Activity
from sandbox.instant import Instant
from sandbox.instruments import Catalogue, Instrument, OptionContract
from sandbox.option_symbol import OptionType
from sandbox.positions import move_position
from sandbox.quotes import Quote

_ZERO = Decimal(0)
# The clearing house exercises what is a cent or more in the money.
_IN_THE_MONEY = Decimal("0.01")


class Outcome(Enum):
    """How a position in a contract ends, in the words of Alpaca's activity types."""

    LAPSED = "OPEXP"
    EXERCISED = "OPEXC"
    ASSIGNED = "OPASN"


def outcome_of(contract: OptionContract, qty: Decimal, price: Decimal, *, declined: bool) -> Outcome:
    """How a position ends at its expiry, `price` being the underlying's; 0 means that nobody knows it."""
    worth = price - contract.strike_price
    if contract.option_type is OptionType.PUT:
        worth = -worth
    if price <= _ZERO or worth < _IN_THE_MONEY:
        return Outcome.LAPSED
    if qty < _ZERO:
        return Outcome.ASSIGNED
    return Outcome.LAPSED if declined else Outcome.EXERCISED


def settle_expired(
    account: Account, catalogue: Catalogue, quotes: Mapping[str, Quote], *, today: date, at: Instant
) -> None:
    """End every position of an account whose contract has expired."""
    for position in [*account.positions.values()]:
        contract = position.instrument
        if not isinstance(contract, OptionContract) or contract.expiration_date > today:
            continue
        quote = quotes.get(contract.underlying_symbol)
        declined = contract.symbol in account.declined_exercises
        outcome = outcome_of(contract, position.qty, quote.mark if quote else _ZERO, declined=declined)
        underlying = catalogue.find(contract.underlying_symbol)
        end_position(account, contract, underlying, outcome=outcome, at=at)
        account.declined_exercises.discard(contract.symbol)


def end_position(
    account: Account,
    contract: OptionContract,
    underlying: Instrument | None,
    *,
    outcome: Outcome,
    at: Instant,
) -> None:
    """Take the contracts out of the account; exercised or assigned, shares and their price change hands.

    Calls bring their holder shares, puts take them; for who wrote them it is the other way round.
    """
    position = account.positions[contract.symbol]
    qty = position.qty
    del account.positions[contract.symbol]
    account.add_activity(
        Activity(kind=outcome.value, at=at, symbol=contract.symbol, qty=-qty, price=None, net_amount=_ZERO)
    )
    if outcome is Outcome.LAPSED or underlying is None:
        return
    direction = 1 if contract.option_type is OptionType.CALL else -1
    shares = qty * contract.size * direction
    paid = -qty * contract.strike_price * contract.multiplier * direction
    cause = f"{outcome.value} {contract.symbol}"
    move_position(
        account, underlying, signed_qty=shares, price=contract.strike_price, cash=paid, cause=cause, at=at
    )
    account.add_activity(
        Activity(
            kind="OPTRD",
            at=at,
            symbol=underlying.symbol,
            qty=shares,
            price=contract.strike_price,
            net_amount=paid,
        )
    )
