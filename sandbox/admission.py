"""Whether an account may place an order now: Alpaca's refusals, and what the order will hold. No state changes here."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import time, timedelta
from decimal import ROUND_DOWN, Decimal

from sandbox import valuation
from sandbox.accounts import Account
from sandbox.decimal_text import plain
from sandbox.errors import (
    bad_field,
    forbidden,
    insufficient_buying_power,
    insufficient_qty,
    refused,
)
from sandbox.instant import NEW_YORK, Instant, in_new_york, new_york_date, to_datetime
from sandbox.instruments import Instrument, OptionContract, Stock, Traded
from sandbox.option_symbol import OptionType
from sandbox.orders import NO_HOLD, Hold, Order, OrderStatus, OrderTicket, PositionIntent, Side, TimeInForce
from sandbox.orders import OrderType as Type
from sandbox.quotes import Quote
from sandbox.sessions import Phase, SessionCalendar

_ZERO = Decimal(0)
_ONE_DOLLAR = Decimal(1)
_SMALLEST_QTY = Decimal("0.000000001")
_SHORT_MARGIN = Decimal("1.03")
_OPTION_TIMES = frozenset({TimeInForce.DAY, TimeInForce.GTC})
_GTC_DAYS, _GTC_END = 90, time(16, 15)
_OPG_CUT, _CLS_CUT, _AUCTIONS_REOPEN = time(9, 28), time(15, 50), time(19, 0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Market:
    """What an order is judged against."""

    now: Instant
    calendar: SessionCalendar
    quotes: Mapping[str, Quote]

    @property
    def phase(self) -> Phase:
        """What the market is doing now."""
        return self.calendar.phase(self.now)


@dataclass(frozen=True, slots=True, kw_only=True)
class Admission:
    """An order that may be placed: what it does to the position, and what it holds."""

    intent: PositionIntent
    hold: Hold


def admit(account: Account, ticket: OrderTicket, instrument: Instrument, market: Market) -> Admission:
    """The intent and hold of an order that may be placed.

    Raises:
        AlpacaError: 403/40310000 what the account may not or cannot, 422/42210000 what the exchange refuses.
    """
    check_account(account)
    if isinstance(instrument, OptionContract):
        _check_option(account, ticket, instrument, market)
    else:
        _check_stock(account, ticket, instrument, market)
    intent = _intent_of(account, ticket, instrument)
    _check_wash_trade(account, ticket)
    return Admission(intent=intent, hold=_hold_of(account, ticket, instrument, intent, market))


def check_account(account: Account) -> None:
    """Refuse what a blocked or suspended account sends.

    Raises:
        AlpacaError: 403/40310000.
    """
    terms = account.terms
    if terms.status != "ACTIVE":
        raise forbidden(f"account is not active: {terms.status}")
    if terms.trading_blocked or terms.account_blocked:
        raise forbidden("account is restricted from trading")
    if terms.trade_suspended_by_user or account.configuration.suspend_trade:
        raise forbidden("new orders are rejected by user request")


def options_level_of(account: Account) -> int:
    """The options level in force: what was approved, less what its owner has switched off."""
    wished = account.configuration.max_options_trading_level
    level = account.terms.options_level
    return level if wished is None else min(level, wished)


def admit_leg(account: Account, ticket: OrderTicket, contract: OptionContract, market: Market) -> Admission:
    """The intent and hold of one leg of a multi-leg order; its margin is held by the order as a whole.

    Raises:
        AlpacaError: as for `admit`.
    """
    _check_option(account, ticket, contract, market)
    intent = _intent_of(account, ticket, contract)
    _check_wash_trade(account, ticket)
    if intent.opens:
        return Admission(intent=intent, hold=NO_HOLD)
    # What else a leg covers is judged for all legs together: they may close it in the same stroke.
    qty, held = ticket.qty or _ZERO, account.held_qty.get(contract.symbol, _ZERO)
    existing = abs(account.position_qty(contract.symbol))
    if qty > existing - held:
        raise insufficient_qty(symbol=contract.symbol, requested=qty, existing=existing, held=held)
    return Admission(intent=intent, hold=Hold(symbol=contract.symbol, qty=qty))


def _check_stock(account: Account, ticket: OrderTicket, stock: Stock, market: Market) -> None:
    if not stock.tradable:
        raise refused(f"asset {stock.symbol} is not tradable")
    if ticket.notional is not None or (ticket.qty is not None and ticket.qty % 1):
        _check_fractional(account, ticket, stock)
    _check_auction(ticket, market)


def _check_fractional(account: Account, ticket: OrderTicket, stock: Stock) -> None:
    if not (stock.fractionable and account.configuration.fractional_trading):
        raise forbidden(f"asset {stock.symbol} is not fractionable")
    if ticket.time_in_force is not TimeInForce.DAY:
        raise refused("fractional orders must be DAY orders")
    if ticket.order_type is Type.TRAILING_STOP:
        raise refused("fractional orders must be market, limit, stop or stop limit orders")
    if ticket.notional is not None and ticket.notional < _ONE_DOLLAR:
        raise forbidden("cost basis must be >= minimal amount of order 1")


def _check_auction(ticket: OrderTicket, market: Market) -> None:
    """Orders for the opening and closing auction have a time of day after which they come too late."""
    times = {TimeInForce.OPG: _OPG_CUT, TimeInForce.CLS: _CLS_CUT}
    cut = times.get(ticket.time_in_force)
    if cut is None:
        return
    if ticket.order_type not in (Type.MARKET, Type.LIMIT):
        raise refused(f"{ticket.time_in_force.value} orders must be market or limit orders")
    wall = to_datetime(market.now).astimezone(NEW_YORK)
    if market.calendar.on(wall.date()) is not None and cut <= wall.time() < _AUCTIONS_REOPEN:
        raise refused(f"{ticket.time_in_force.value} orders are not accepted between {cut:%H:%M} and 19:00")


def _check_option(account: Account, ticket: OrderTicket, contract: OptionContract, market: Market) -> None:
    if options_level_of(account) < 1:
        raise forbidden("account not eligible to trade options")
    if ticket.notional is not None:
        raise bad_field("notional is not supported for options orders")
    if ticket.qty is not None and ticket.qty % 1:
        raise bad_field("qty must be a whole number for options orders")
    if ticket.order_type is Type.TRAILING_STOP:
        raise refused("invalid order type for options trading")
    if ticket.time_in_force not in _OPTION_TIMES:
        raise refused("order_time_in_force provided not supported for options trading")
    if ticket.extended_hours:
        raise refused("extended hours are not supported for options trading")
    expires = market.calendar.last_on_or_before(contract.expiration_date)
    if market.now >= expires.close or not contract.tradable:
        raise refused(f"asset {contract.symbol} is not active")
    if ticket.order_type is Type.MARKET and market.phase is not Phase.OPEN:
        raise refused("options market orders are only allowed during market hours")


def _intent_of(account: Account, ticket: OrderTicket, instrument: Instrument) -> PositionIntent:
    held = account.position_qty(instrument.symbol)
    if ticket.side is Side.BUY:
        inferred = PositionIntent.BUY_TO_CLOSE if held < _ZERO else PositionIntent.BUY_TO_OPEN
    else:
        inferred = PositionIntent.SELL_TO_CLOSE if held > _ZERO else PositionIntent.SELL_TO_OPEN
    wanted = ticket.position_intent
    if wanted is not None and wanted is not inferred:
        raise refused(f"position intent mismatch, inferred: {inferred.value}, specified: {wanted.value}")
    return inferred


def _check_wash_trade(account: Account, ticket: OrderTicket) -> None:
    """Refuse an order that could trade with one of the account's own; groups are made to stand on both sides."""
    if not ticket.order_class.is_simple:
        return
    against = account.open_by_symbol.get((ticket.symbol, ticket.side.opposite))
    for order in (against or {}).values():
        if order.status is not OrderStatus.HELD and _could_cross(ticket, order):
            raise forbidden(
                "potential wash trade detected. use complex orders", existing_order_id=order.order_id
            )


def _could_cross(ticket: OrderTicket, resting: Order) -> bool:
    ours, theirs = ticket.limit_price, resting.ticket.limit_price
    if ours is None or theirs is None:
        return True
    return ours >= theirs if ticket.side is Side.BUY else ours <= theirs


def _hold_of(
    account: Account, ticket: OrderTicket, instrument: Instrument, intent: PositionIntent, market: Market
) -> Hold:
    quote = market.quotes.get(instrument.symbol)
    if not intent.opens:
        return _closing_hold(account, ticket, instrument, quote)
    if intent is PositionIntent.BUY_TO_OPEN:
        return _buying_hold(account, ticket, instrument, market)
    if isinstance(instrument, OptionContract):
        return _writing_hold(account, ticket, instrument, market)
    return _shorting_hold(account, ticket, instrument, market)


def _closing_hold(account: Account, ticket: OrderTicket, instrument: Instrument, quote: Quote | None) -> Hold:
    qty = _units(ticket, quote)
    existing = abs(account.position_qty(instrument.symbol))
    held = valuation.held_units(account, instrument.symbol)
    if qty > existing - held:
        raise insufficient_qty(symbol=instrument.symbol, requested=qty, existing=existing, held=held)
    return Hold(symbol=instrument.symbol, qty=qty)


def _buying_hold(account: Account, ticket: OrderTicket, instrument: Instrument, market: Market) -> Hold:
    option = isinstance(instrument, OptionContract)
    if option and options_level_of(account) < 2:
        raise forbidden("account not eligible to trade long option contracts")
    if ticket.notional is not None:
        cost = ticket.notional
    else:
        quote = market.quotes.get(instrument.symbol)
        cost = _units(ticket, quote) * _worst_price(ticket, quote) * instrument.multiplier
    return _margin_hold(account, cost, 1 if option else account.terms.multiplier, market)


def _shorting_hold(account: Account, ticket: OrderTicket, stock: Stock, market: Market) -> Hold:
    barred = account.configuration.no_shorting or not account.terms.shorting_enabled
    if barred or account.terms.multiplier == 1:
        raise forbidden("account is not allowed to short")
    if not stock.shortable:
        raise refused(f"asset {stock.symbol!r} cannot be sold short")
    if ticket.notional is not None or (ticket.qty or _ZERO) % 1:
        raise refused("fractional orders cannot be sold short")
    quote = market.quotes.get(stock.symbol)
    ask = quote.ask if quote else _ZERO
    price = max(ticket.limit_price or _ZERO, ask * _SHORT_MARGIN)
    return _margin_hold(account, _units(ticket, quote) * price, account.terms.multiplier, market)


def _writing_hold(account: Account, ticket: OrderTicket, contract: OptionContract, market: Market) -> Hold:
    """A call must be covered by shares, a put by cash."""
    qty = ticket.qty or _ZERO
    if contract.option_type is OptionType.PUT:
        required = qty * contract.strike_price * contract.multiplier
        available = max(valuation.value(account, market.quotes).free_margin, _ZERO)
        if required > available:
            raise forbidden(
                "insufficient options buying power for cash-secured put "
                f"(required: {plain(required)}, available: {plain(available)})"
            )
        return Hold(margin=required)
    underlying = contract.underlying_symbol
    existing = account.position_qty(underlying)
    if existing <= _ZERO:
        raise forbidden("account not eligible to trade uncovered option contracts")
    required, free = qty * contract.multiplier, existing - valuation.held_units(account, underlying)
    if required > free:
        raise forbidden(
            "insufficient underlying qty available for covered call "
            f"(required: {plain(required)}, available: {plain(max(free, _ZERO))})",
            available_qty=plain(max(free, _ZERO)),
            required_qty=plain(required),
            symbol=underlying,
        )
    return Hold(symbol=underlying, qty=required)


def _margin_hold(account: Account, cost: Decimal, multiplier: int, market: Market) -> Hold:
    free = max(valuation.value(account, market.quotes).free_margin, _ZERO)
    margin = cost / multiplier
    if margin > free:
        raise insufficient_buying_power(buying_power=free * multiplier, cost_basis=cost)
    return Hold(margin=margin)


def _units(ticket: OrderTicket, quote: Quote | None) -> Decimal:
    """The quantity; that of a notional order is what the money gives at the present price."""
    if ticket.qty is not None:
        return ticket.qty
    touch = (quote.ask if ticket.side is Side.BUY else quote.bid) if quote else _ZERO
    price = touch or (quote.mark if quote else _ZERO)
    return units_for(ticket.notional or _ZERO, price) if price else _ZERO


def units_for(notional: Decimal, price: Decimal) -> Decimal:
    """How many shares an amount buys: nine decimals, never more than the money."""
    return (notional / price).quantize(_SMALLEST_QTY, rounding=ROUND_DOWN)


def _worst_price(ticket: OrderTicket, quote: Quote | None) -> Decimal:
    """The price a buy is reserved at: its limit, else the ask or a stop above it."""
    if ticket.limit_price is not None:
        return ticket.limit_price
    market = (quote.ask or quote.mark) if quote else _ZERO
    return max(market, ticket.stop_price or _ZERO)


def expiry_of(ticket: OrderTicket, instrument: Traded, market: Market) -> Instant:
    """When an order that is not filled ends: its session's close, 90 days for GTC, never after the contract."""
    if ticket.time_in_force is TimeInForce.GTC:
        last_day = new_york_date(market.now) + timedelta(days=_GTC_DAYS)
        end = in_new_york(last_day, _GTC_END)
        if isinstance(instrument, OptionContract):
            end = min(end, market.calendar.last_on_or_before(instrument.expiration_date).close)
        return end
    if ticket.extended_hours:
        return market.calendar.extended_session_closing_after(market.now).post_close
    return market.calendar.session_closing_after(market.now).close
