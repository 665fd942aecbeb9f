"""Whether an account may place a multi-leg option order, and what it and each of its legs will hold."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from math import gcd

from sandbox import spread_margin, valuation
from sandbox.accounts import Account, Position
from sandbox.admission import Admission, Market, admit_leg, check_account, options_level_of
from sandbox.decimal_text import plain
from sandbox.errors import bad_field, forbidden, refused
from sandbox.instruments import Instrument, OptionContract
from sandbox.orders import Hold, OrderTicket, OrderType, PositionIntent, Side

_ZERO = Decimal(0)
_SPREADS_LEVEL = 3

_Leg = tuple[OrderTicket, Instrument]


@dataclass(frozen=True, slots=True, kw_only=True)
class StrategyAdmission:
    """A multi-leg order that may be placed: the margin it holds, and what each leg closes."""

    parent: Admission
    legs: tuple[Admission, ...]


def leg_tickets(ticket: OrderTicket) -> Iterator[OrderTicket]:
    """One ticket for each leg; they have no price of their own."""
    qty = ticket.qty or _ZERO
    for leg in ticket.legs:
        yield replace(
            ticket,
            symbol=leg.symbol,
            side=leg.side,
            qty=qty * leg.ratio_qty,
            limit_price=None,
            client_order_id=None,
            position_intent=leg.position_intent,
            legs=(),
        )


def admit_strategy(
    account: Account, ticket: OrderTicket, legs: Sequence[_Leg], market: Market
) -> StrategyAdmission:
    """What a multi-leg order that may be placed holds: the worst it can cost, and what its legs close.

    Raises:
        AlpacaError: 403/40310000 what the account may not or cannot, 422 what the exchange refuses.
    """
    check_account(account)
    contracts = [_contract(instrument) for _, instrument in legs]
    _check_shape(ticket, contracts)
    if options_level_of(account) < _SPREADS_LEVEL:
        raise forbidden("account not eligible to trade multi-leg option orders")
    admitted = tuple(
        admit_leg(account, each, contract, market)
        for (each, _), contract in zip(legs, contracts, strict=True)
    )
    needed = _needed(account, ticket, [*zip(legs, admitted, strict=True)], market)
    _check_affordable(account, needed, market)
    return StrategyAdmission(parent=Admission(intent=PositionIntent.BUY_TO_OPEN, hold=needed), legs=admitted)


def _contract(instrument: Instrument) -> OptionContract:
    if not isinstance(instrument, OptionContract):
        raise bad_field(f"symbol {instrument.symbol} is not allowed for mleg orders")
    return instrument


def _check_shape(ticket: OrderTicket, contracts: Sequence[OptionContract]) -> None:
    if len({contract.underlying_symbol for contract in contracts}) > 1:
        raise refused("mleg orders require legs with the same underlying")
    if len({contract.symbol for contract in contracts}) != len(contracts):
        raise bad_field("mleg orders require legs with unique symbols")
    if gcd(*(int(leg.ratio_qty) for leg in ticket.legs)) != 1:
        raise refused("leg ratio quantities should be relatively prime")


def _needed(
    account: Account,
    ticket: OrderTicket,
    legs: Sequence[tuple[_Leg, Admission]],
    market: Market,
) -> Hold:
    """The hold of the order as a whole: what is paid at the worst, and what its shorts must be able to lose.

    The legs that open must be covered by each other or by free shares: another order may sell any other cover
    before this one trades.
    """
    opening = [leg for leg, admitted in legs if admitted.intent.opens]
    closing = [leg for leg, admitted in legs if not admitted.intent.opens]
    underlying = _contract(legs[0][0][1]).underlying_symbol
    own = spread_margin.requirement(_as_positions(opening))
    before = spread_margin.requirement(account.positions.values(), account.held_qty)
    after = spread_margin.requirement(_without(account, closing), account.held_qty)
    freed = before.shares.get(underlying, _ZERO) - after.shares.get(underlying, _ZERO)
    shares = own.shares.get(underlying, _ZERO) - freed
    if shares > max(account.position_qty(underlying) - valuation.held_units(account, underlying), _ZERO):
        raise forbidden("account not eligible to trade uncovered option contracts")
    multiplier = _contract(legs[0][0][1]).multiplier
    net = _net_price(ticket, [leg for leg, _ in legs], market)
    debit = max(net, _ZERO) * (ticket.qty or _ZERO) * multiplier
    return Hold(
        margin=debit + own.cash + max(after.cash - before.cash, _ZERO),
        symbol=underlying if shares > _ZERO else None,
        qty=max(shares, _ZERO),
    )


def _check_affordable(account: Account, needed: Hold, market: Market) -> None:
    available = max(valuation.value(account, market.quotes).free_margin, _ZERO)
    if needed.margin > available:
        raise forbidden(
            "insufficient options buying power",
            options_buying_power=plain(available),
            cost_basis=plain(needed.margin),
        )


def _net_price(ticket: OrderTicket, legs: Sequence[_Leg], market: Market) -> Decimal:
    if ticket.order_type is OrderType.LIMIT and ticket.limit_price is not None:
        return ticket.limit_price
    net = _ZERO
    for (each, _), leg in zip(legs, ticket.legs, strict=True):
        quote = market.quotes.get(each.symbol)
        if quote is not None:
            net += leg.ratio_qty * (quote.ask if each.side is Side.BUY else -quote.bid)
    return net


def _signed(ticket: OrderTicket) -> Decimal:
    qty = ticket.qty or _ZERO
    return qty if ticket.side is Side.BUY else -qty


def _as_positions(legs: Sequence[_Leg]) -> list[Position]:
    return [Position(instrument=each, qty=_signed(ticket), avg_entry_price=_ZERO) for ticket, each in legs]


def _without(account: Account, closing: Sequence[_Leg]) -> list[Position]:
    """The account's positions once the closing legs have traded."""
    positions = dict(account.positions)
    for ticket, instrument in closing:
        qty = account.position_qty(instrument.symbol) + _signed(ticket)
        positions[instrument.symbol] = Position(instrument=instrument, qty=qty, avg_entry_price=_ZERO)
    return [*positions.values()]
