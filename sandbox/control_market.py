"""Control of the market: quotes, time, matching, budgets, accounts, and the fate of single orders."""

from dataclasses import replace
from decimal import Decimal

from sandbox.accounts import Account, AccountTerms, Position
from sandbox.admission import units_for
from sandbox.control import ControlCall, ControlError, Json
from sandbox.decimal_text import plain
from sandbox.instant import SECOND, Instant, new_york_date, rfc3339
from sandbox.orders import Order, OrderId, Side
from sandbox.quotes import Quote
from sandbox.reading import Section
from sandbox.scenario_reader import read_account, read_moment, read_quote_change
from sandbox.state import present
from sandbox.trading_json import account_json, order_json

_ZERO = Decimal(0)


async def show_quotes(call: ControlCall) -> Json:
    """GET quotes: every symbol with its quote, options with relative expiries included."""
    return {symbol: _quote_json(quote) for symbol, quote in call.sandbox.exchange.quotes.items()}


async def set_quotes(call: ControlCall) -> Json:
    """POST quotes {symbol: {bid, ask, last, ...}}: what is not given stays; new symbols are listed."""
    changes = {}
    for symbol in call.body.names():
        section = call.body.section(symbol)
        changes[symbol] = read_quote_change(section, call.now)
        section.finish()
    call.check()
    exchange = call.sandbox.exchange
    return {
        symbol: _quote_json(exchange.quote(symbol, change, call.now)) for symbol, change in changes.items()
    }


async def show_clock(call: ControlCall) -> Json:
    """GET clock."""
    return _clock_json(call)


async def set_clock(call: ControlCall) -> Json:
    """POST clock {at?, advance_seconds?, speed?, freeze?}: set, then jump, at the new speed."""
    body, clock = call.body, call.sandbox.clock
    jumps = body.has("at")
    at = read_moment(body, "at", "session", present())
    seconds = body.find_number("advance_seconds", least=_ZERO)
    if seconds and not call.sandbox.exchange.calendar.covers(Instant(call.now + int(seconds * SECOND))):
        call.problems.note("advance_seconds", f"leads outside the calendar, got {seconds}")
    speed = body.find_number("speed", least=_ZERO)
    freeze = body.flag("freeze", default=False)
    body.finish()
    call.check()
    # The speed first: a clock that is stopped and set stands exactly where it was set.
    if freeze or speed is not None:
        clock.run_at(0.0 if freeze or speed is None else float(speed))
    if jumps:
        _jump(call, at)
    if seconds is not None:
        clock.advance(int(seconds * SECOND))
    call.sandbox.now()
    return _clock_json(call)


async def set_matching(call: ControlCall) -> Json:
    """POST matching {auto: true|false}: false leaves every order open until it is filled by hand."""
    auto = call.body.flag("auto", default=True)
    call.body.finish()
    call.check()
    call.sandbox.exchange.set_auto_match(enabled=auto, now=call.now)
    return {"auto": auto}


async def set_rate_limit(call: ControlCall) -> Json:
    """POST rate_limit {trading?, data?}: requests a minute, null is off."""
    for key, limit in (("trading", call.sandbox.trading_limit), ("data", call.sandbox.data_limit)):
        if call.body.has(key):
            value = call.body.find_whole(key, least=1)
            call.check()
            limit.per_minute = value
    call.body.finish()
    call.check()
    return {"trading": call.sandbox.trading_limit.per_minute, "data": call.sandbox.data_limit.per_minute}


async def add_account(call: ControlCall) -> Json:
    """POST accounts: one account as in a scenario; of the same name, it is replaced with all its orders."""
    exchange = call.sandbox.exchange
    start = read_account(call.body, new_york_date(call.now), exchange.calendar)
    call.check()
    owner = exchange.account_of_key(start.terms.key)
    if owner is not None and owner.terms.name != start.terms.name:
        raise ControlError([f"key: belongs to the account {owner.terms.name!r} already"])
    account = call.sandbox.open_account(start, call.now)
    return account_json(account, exchange.quotes, call.now)


async def change_account(call: ControlCall) -> Json:
    """PATCH accounts/{name} {cash?, positions?, flags?}: positions given replace all that is held."""
    account = _account(call)
    body = call.body
    cash = body.find_number("cash")
    terms = _changed_terms(account.terms, body)
    replaces = body.has("positions")
    positions = [_read_position(call, section) for section in body.sections("positions")]
    body.finish()
    call.check()
    account.terms = terms
    if cash is not None:
        account.cash = cash
        account.record_cash(call.now, "set by control")
    if replaces:
        account.positions = {position.instrument.symbol: position for position in positions}
    return account_json(account, call.sandbox.exchange.quotes, call.now)


async def fill_order(call: ControlCall) -> Json:
    """POST orders/{id}/fill {qty?, price?}: all that is left, at the limit price or the touch, unless said."""
    order = _order(call)
    qty = call.body.find_number("qty", least=Decimal("0.000000001"))
    price = call.body.find_number("price", least=Decimal("0.0001"))
    call.body.finish()
    call.check()
    price = price or _usual_price(call, order)
    qty = qty or order.leaves_qty or units_for(order.ticket.notional or _ZERO, price)
    try:
        call.sandbox.exchange.fill(order, qty=qty, price=price, now=call.now)
    except ValueError as error:
        raise ControlError([str(error)], status=409) from error
    return order_json(order)


async def reject_order(call: ControlCall) -> Json:
    """POST orders/{id}/reject: rejection after acceptance."""
    order = _order(call)
    try:
        call.sandbox.exchange.reject(order, call.now)
    except ValueError as error:
        raise ControlError([str(error)], status=409) from error
    return order_json(order)


def _jump(call: ControlCall, at: Instant) -> None:
    call.sandbox.clock.set(at)
    if at < call.now:
        call.sandbox.exchange.rewind(at)


def _clock_json(call: ControlCall) -> Json:
    sandbox = call.sandbox
    now = sandbox.clock.now()
    phase = sandbox.exchange.calendar.phase(now).value
    return {"at": rfc3339(now), "speed": sandbox.clock.speed, "phase": phase}


def _quote_json(quote: Quote) -> Json:
    return {
        "bid": plain(quote.bid),
        "ask": plain(quote.ask),
        "last": plain(quote.last),
        "at": rfc3339(quote.at),
    }


def _account(call: ControlCall) -> Account:
    account = call.sandbox.exchange.accounts.get(call.parts["name"])
    if account is None:
        raise ControlError([f"there is no account {call.parts['name']!r}"], status=404)
    return account


def _order(call: ControlCall) -> Order:
    order = call.sandbox.exchange.books.find_any(OrderId(call.parts["order_id"]))
    if order is None:
        raise ControlError([f"there is no order {call.parts['order_id']!r}"], status=404)
    return order


def _changed_terms(terms: AccountTerms, body: Section) -> AccountTerms:
    level = body.find_whole("options_level")
    return replace(
        terms,
        status=body.text("status", terms.status),
        options_level=terms.options_level if level is None else level,
        shorting_enabled=body.flag("shorting_enabled", default=terms.shorting_enabled),
        trading_blocked=body.flag("trading_blocked", default=terms.trading_blocked),
        transfers_blocked=body.flag("transfers_blocked", default=terms.transfers_blocked),
        account_blocked=body.flag("account_blocked", default=terms.account_blocked),
        trade_suspended_by_user=body.flag("trade_suspended_by_user", default=terms.trade_suspended_by_user),
    )


def _read_position(call: ControlCall, section: Section) -> Position:
    symbol = section.text("symbol")
    qty = section.number("qty")
    price = section.number("avg_entry_price", least=_ZERO)
    section.finish()
    return Position(instrument=call.sandbox.exchange.instrument(symbol), qty=qty, avg_entry_price=price)


def _usual_price(call: ControlCall, order: Order) -> Decimal:
    quote = call.sandbox.exchange.quotes.get(order.symbol)
    touch = _ZERO if quote is None else quote.ask if order.side is Side.BUY else quote.bid
    price = order.ticket.limit_price or touch
    if not price:
        raise ControlError(["price: is required, the order has no limit and the market no price"])
    return price
