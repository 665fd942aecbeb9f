"""The JSON objects of the trading API: numbers are strings, times have nine digits, absent is null."""

from collections.abc import Mapping
from datetime import date
from decimal import ROUND_HALF_EVEN, Decimal
from functools import lru_cache

from sandbox import valuation
from sandbox.accounts import Account, Position
from sandbox.admission import options_level_of
from sandbox.decimal_text import plain, plain_or_none
from sandbox.instant import NEW_YORK, Instant, new_york_date, rfc3339, rfc3339_new_york, to_datetime
from sandbox.instruments import AssetClass, OptionContract, Stock
from sandbox.orders import Order
from sandbox.quotes import Quote
from sandbox.sessions import Session, SessionCalendar

Json = dict[str, object]

_ZERO = Decimal(0)
_PRICE_STEP = Decimal("0.000001")
_SMALL = Decimal("0.00000001")
_MAINTENANCE_RATE = Decimal("0.3")


def order_json(order: Order, *, nested: bool = True) -> Json:
    """An order, with its legs unless the list is flat. A multi-leg order has no symbol, side or intent of its own."""
    ticket = order.ticket
    kind = ticket.order_type.value
    option = order.instrument.asset_class is AssetClass.US_OPTION
    average = order.filled_avg_price
    strategy = bool(order.strategy_legs)
    if order.strategy is not None:
        kind = ""
    return {
        "id": order.order_id,
        "client_order_id": order.client_order_id,
        "created_at": rfc3339(order.submitted_at),
        "updated_at": rfc3339(order.updated_at),
        "submitted_at": rfc3339(order.submitted_at),
        "filled_at": _time(order.filled_at),
        "expired_at": _time(order.expired_at),
        "expires_at": _time(order.expires_at),
        "canceled_at": _time(order.canceled_at),
        "failed_at": _time(order.failed_at),
        "replaced_at": _time(order.replaced_at),
        "replaced_by": order.replaced_by,
        "replaces": order.replaces,
        "asset_id": order.instrument.asset_id,
        "symbol": order.symbol,
        "asset_class": order.instrument.asset_class.value,
        "notional": plain_or_none(ticket.notional),
        "qty": None if ticket.notional is not None else plain_or_none(order.qty),
        "filled_qty": plain(order.filled_qty),
        "filled_avg_price": None if average is None else plain(_rounded(average, _PRICE_STEP)),
        # Alpaca leaves the class of plain stock orders empty and names it for options.
        "order_class": "simple" if option and ticket.order_class.is_simple else ticket.order_class.value,
        "order_type": kind,
        "type": kind,
        "side": "" if strategy else ticket.side.value,
        **({} if strategy else {"position_intent": order.intent.value}),
        "time_in_force": ticket.time_in_force.value,
        "limit_price": plain_or_none(ticket.limit_price),
        "stop_price": plain_or_none(order.stop_price),
        "status": order.status.value,
        "extended_hours": ticket.extended_hours,
        "legs": [order_json(leg) for leg in order.legs] if nested and order.legs else None,
        "trail_percent": plain_or_none(ticket.trail_percent),
        "trail_price": plain_or_none(ticket.trail_price),
        "hwm": plain_or_none(order.high_water_mark),
        "subtag": None,
        "source": None,
        **_group_json(order),
    }


def _group_json(order: Order) -> Json:
    if order.group is not None and order.role is not None:
        return {"group_id": order.group.group_id, "group_role": order.role.value}
    return {} if order.ratio_qty is None else {"ratio_qty": plain(order.ratio_qty)}


def account_json(account: Account, quotes: Mapping[str, Quote], now: Instant) -> Json:
    """An account with its worth at the present quotes."""
    terms, worth = account.terms, valuation.value(account, quotes)
    positions_value = worth.long_market_value + worth.short_market_value
    maintenance = (worth.long_market_value - worth.short_market_value) * _MAINTENANCE_RATE
    buying_power = plain(worth.buying_power)
    return {
        "id": terms.account_id,
        "account_number": terms.account_number,
        "status": terms.status,
        "crypto_status": "ACTIVE",
        "currency": "USD",
        "cash": plain(account.cash),
        "buying_power": buying_power,
        "effective_buying_power": buying_power,
        "regt_buying_power": buying_power,
        "non_marginable_buying_power": plain(worth.non_marginable_buying_power),
        "options_buying_power": plain(max(worth.free_margin, _ZERO)),
        "equity": plain(worth.equity),
        "last_equity": plain(account.last_equity),
        "portfolio_value": plain(worth.equity),
        "position_market_value": plain(positions_value),
        "long_market_value": plain(worth.long_market_value),
        "short_market_value": plain(worth.short_market_value),
        "initial_margin": plain(worth.initial_margin),
        "maintenance_margin": plain(maintenance),
        "last_maintenance_margin": plain(maintenance),
        "sma": plain(worth.equity - worth.initial_margin),
        "accrued_fees": "0",
        "intraday_adjustments": "0",
        "pending_transfer_in": "0",
        "pending_transfer_out": "0",
        "pending_reg_taf_fees": "0",
        "multiplier": str(terms.multiplier),
        "shorting_enabled": terms.shorting_enabled
        and terms.multiplier > 1
        and not account.configuration.no_shorting,
        "trading_blocked": terms.trading_blocked,
        "transfers_blocked": terms.transfers_blocked,
        "account_blocked": terms.account_blocked,
        "trade_suspended_by_user": terms.trade_suspended_by_user or account.configuration.suspend_trade,
        "options_approved_level": terms.options_level,
        "options_trading_level": options_level_of(account),
        "created_at": rfc3339(account.created_at),
        "balance_asof": new_york_date(now).isoformat(),
        "admin_configurations": {},
        "user_configurations": None,
    }


def position_json(account: Account, position: Position, quotes: Mapping[str, Quote], today: date) -> Json:
    """A holding; values already include an option's multiplier, prices do not."""
    instrument = position.instrument
    price = valuation.mark_of(position, quotes)
    quote = quotes.get(instrument.symbol)
    last_day = (quote.prev_close if quote else None) or price
    value = valuation.market_value_of(position, quotes)
    gain = value - position.cost_basis
    day_basis = position.cost_basis
    if position.opened_on != today:
        day_basis = position.qty * last_day * instrument.multiplier
    held = valuation.held_units(account, instrument.symbol)
    available = max(abs(position.qty) - held, _ZERO)
    return {
        "asset_id": instrument.asset_id,
        "symbol": instrument.symbol,
        "exchange": instrument.exchange if isinstance(instrument, Stock) else "",
        "asset_class": instrument.asset_class.value,
        "asset_marginable": instrument.asset_class is AssetClass.US_EQUITY,
        "qty": plain(position.qty),
        "qty_available": plain(available if position.qty > _ZERO else -available),
        "side": "long" if position.qty > _ZERO else "short",
        "avg_entry_price": plain(position.avg_entry_price),
        "market_value": plain(value),
        "cost_basis": plain(position.cost_basis),
        "unrealized_pl": plain(gain),
        "unrealized_plpc": _fraction(gain, abs(position.cost_basis)),
        "unrealized_intraday_pl": plain(value - day_basis),
        "unrealized_intraday_plpc": _fraction(value - day_basis, abs(day_basis)),
        "current_price": plain(price),
        "lastday_price": plain(last_day),
        "change_today": _fraction(price - last_day, last_day),
    }


def asset_json(stock: Stock) -> Json:
    """A stock as an asset."""
    return {
        "id": stock.asset_id,
        "class": stock.asset_class.value,
        "exchange": stock.exchange,
        "symbol": stock.symbol,
        "name": stock.name,
        "status": "active",
        "tradable": stock.tradable,
        "marginable": True,
        "maintenance_margin_requirement": 30,
        "margin_requirement_long": "30",
        "margin_requirement_short": "30",
        "shortable": stock.shortable,
        "easy_to_borrow": stock.shortable,
        "fractionable": stock.fractionable,
        "attributes": ["has_options"],
    }


def contract_json(
    contract: OptionContract, underlying_asset_id: str, quote: Quote | None, now: Instant
) -> Json:
    """An option contract, with the multiplier that alpaca-py's model drops; what is not known is left out."""
    today = new_york_date(now)
    active = contract.expiration_date >= today
    known: Json = {
        "id": contract.asset_id,
        "symbol": contract.symbol,
        "name": contract.name,
        "status": "active" if active else "inactive",
        "tradable": contract.tradable and active,
        "expiration_date": contract.expiration_date.isoformat(),
        "root_symbol": contract.root_symbol,
        "underlying_symbol": contract.underlying_symbol,
        "underlying_asset_id": underlying_asset_id,
        "type": contract.option_type.value,
        "style": "american",
        "strike_price": plain(contract.strike_price),
        "multiplier": plain(contract.multiplier),
        "size": plain(contract.size),
        "ppind": True,
    }
    close = quote.prev_close if quote else None
    return known if close is None else {**known, "close_price": plain(close)}


def clock_json(calendar: SessionCalendar, now: Instant) -> Json:
    """The market clock in New York time."""
    return {
        "timestamp": rfc3339_new_york(now),
        "is_open": calendar.is_open(now),
        "next_open": rfc3339_new_york(calendar.next_open(now)),
        "next_close": rfc3339_new_york(calendar.next_close(now)),
    }


@lru_cache(maxsize=16_384)  # a client that asks for all days asks for thousands
def calendar_json(session: Session, settlement: date) -> Json:
    """One trading day; the extended hours are written without a colon."""
    return {
        "date": session.day.isoformat(),
        "open": _wall(session.open, "%H:%M"),
        "close": _wall(session.close, "%H:%M"),
        "session_open": _wall(session.pre_open, "%H%M"),
        "session_close": _wall(session.post_close, "%H%M"),
        "settlement_date": settlement.isoformat(),
    }


def _wall(at: Instant, form: str) -> str:
    return to_datetime(at).astimezone(NEW_YORK).strftime(form)


def _time(at: Instant | None) -> str | None:
    return None if at is None else rfc3339(at)


def _rounded(number: Decimal, step: Decimal) -> Decimal:
    return number.quantize(step, rounding=ROUND_HALF_EVEN)


def _fraction(part: Decimal, whole: Decimal) -> str:
    return plain(_rounded(part / whole, _SMALL)) if whole else "0"
