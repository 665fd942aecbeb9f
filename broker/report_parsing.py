"""Alpaca's JSON to reports: tolerant of what is new, strict about money and identity."""

from collections.abc import Callable, Mapping
from datetime import UTC, date, datetime, time
from enum import Enum
from typing import TypeVar
from zoneinfo import ZoneInfo

from broker.raw_json import (
    JsonObject,
    UnreadableAnswer,
    as_object,
    boolean,
    decimal,
    optional_decimal,
    optional_stamp,
    optional_text,
    stamp,
    text,
)
from broker.reports import (
    AccountReading,
    Asset,
    BrokerOrder,
    BrokerPosition,
    CalendarDay,
    Latest,
    Listing,
    MarketClock,
    OptionContract,
    OrderSide,
    OrderStatus,
    PositionIntent,
    PositionSide,
    Quote,
    Trade,
)

T = TypeVar("T")
E = TypeVar("E", bound=Enum)

NEW_YORK = ZoneInfo("America/New_York")


def account_reading(raw: object, *, requested_at: datetime, requested_monotonic: float) -> AccountReading:
    """An account; `requested_…` is when the request started, by both clocks."""
    account = as_object(raw, "the account")
    return AccountReading(
        account_number=optional_text(account, "account_number") or "",
        status=text(account, "status"),
        currency=optional_text(account, "currency") or "USD",
        cash=decimal(account, "cash"),
        buying_power=decimal(account, "buying_power"),
        options_buying_power=optional_decimal(account, "options_buying_power"),
        non_marginable_buying_power=optional_decimal(account, "non_marginable_buying_power"),
        regt_buying_power=optional_decimal(account, "regt_buying_power"),
        daytrading_buying_power=optional_decimal(account, "daytrading_buying_power"),
        equity=decimal(account, "equity"),
        last_equity=optional_decimal(account, "last_equity"),
        portfolio_value=optional_decimal(account, "portfolio_value"),
        long_market_value=optional_decimal(account, "long_market_value"),
        short_market_value=optional_decimal(account, "short_market_value"),
        initial_margin=optional_decimal(account, "initial_margin"),
        maintenance_margin=optional_decimal(account, "maintenance_margin"),
        accrued_fees=optional_decimal(account, "accrued_fees"),
        multiplier=optional_decimal(account, "multiplier"),
        trading_blocked=boolean(account, "trading_blocked"),
        account_blocked=boolean(account, "account_blocked"),
        transfers_blocked=boolean(account, "transfers_blocked", default=False),
        trade_suspended_by_user=boolean(account, "trade_suspended_by_user", default=False),
        shorting_enabled=boolean(account, "shorting_enabled", default=False),
        pattern_day_trader=_optional_boolean(account, "pattern_day_trader"),
        daytrade_count=_optional_integer(account, "daytrade_count"),
        options_trading_level=_optional_integer(account, "options_trading_level"),
        options_approved_level=_optional_integer(account, "options_approved_level"),
        created_at=optional_stamp(account, "created_at"),
        requested_at=requested_at,
        requested_monotonic=requested_monotonic,
    )


def broker_order(raw: object) -> BrokerOrder:
    """An order; an unknown status, type or class is kept in the broker's word."""
    order = as_object(raw, "the order")
    status_text = text(order, "status")
    return BrokerOrder(
        order_id=text(order, "id"),
        client_order_id=text(order, "client_order_id"),
        asset_id=optional_text(order, "asset_id") or "",
        symbol=optional_text(order, "symbol") or "",
        asset_class=optional_text(order, "asset_class") or "",
        side=_optional_member(OrderSide, order, "side"),
        order_type=optional_text(order, "type") or optional_text(order, "order_type") or "",
        time_in_force=text(order, "time_in_force"),
        order_class=optional_text(order, "order_class") or "",
        status=_status(status_text),
        status_text=status_text,
        qty=optional_decimal(order, "qty"),
        notional=optional_decimal(order, "notional"),
        filled_qty=decimal(order, "filled_qty"),
        filled_avg_price=optional_decimal(order, "filled_avg_price"),
        limit_price=optional_decimal(order, "limit_price"),
        stop_price=optional_decimal(order, "stop_price"),
        trail_price=optional_decimal(order, "trail_price"),
        trail_percent=optional_decimal(order, "trail_percent"),
        extended_hours=boolean(order, "extended_hours", default=False),
        position_intent=_optional_member(PositionIntent, order, "position_intent"),
        created_at=optional_stamp(order, "created_at"),
        updated_at=optional_stamp(order, "updated_at"),
        submitted_at=optional_stamp(order, "submitted_at"),
        filled_at=optional_stamp(order, "filled_at"),
        canceled_at=optional_stamp(order, "canceled_at"),
        expired_at=optional_stamp(order, "expired_at"),
        expires_at=optional_stamp(order, "expires_at"),
        failed_at=optional_stamp(order, "failed_at"),
        replaced_at=optional_stamp(order, "replaced_at"),
        replaced_by=optional_text(order, "replaced_by"),
        replaces=optional_text(order, "replaces"),
    )


def broker_position(raw: object) -> BrokerPosition:
    """A position; a short's quantity comes signed or not, `side` decides."""
    position = as_object(raw, "the position")
    side = _optional_member(PositionSide, position, "side")
    if side is None:
        raise UnreadableAnswer("side is missing")
    available = optional_decimal(position, "qty_available")
    return BrokerPosition(
        asset_id=optional_text(position, "asset_id") or "",
        symbol=text(position, "symbol"),
        asset_class=text(position, "asset_class"),
        exchange=optional_text(position, "exchange") or "",
        side=side,
        qty=decimal(position, "qty").copy_abs(),
        qty_available=None if available is None else available.copy_abs(),
        avg_entry_price=decimal(position, "avg_entry_price"),
        cost_basis=optional_decimal(position, "cost_basis"),
        market_value=optional_decimal(position, "market_value"),
        current_price=optional_decimal(position, "current_price"),
        lastday_price=optional_decimal(position, "lastday_price"),
        change_today=optional_decimal(position, "change_today"),
        unrealized_pl=optional_decimal(position, "unrealized_pl"),
        unrealized_plpc=optional_decimal(position, "unrealized_plpc"),
        unrealized_intraday_pl=optional_decimal(position, "unrealized_intraday_pl"),
        unrealized_intraday_plpc=optional_decimal(position, "unrealized_intraday_plpc"),
    )


def listing(raw: object, read: Callable[[object], T], what: str) -> Listing[T]:
    """Every entry of a list by itself, so that one odd entry hides no other."""
    if not isinstance(raw, list):
        raise UnreadableAnswer(f"the list of {what}s is not a list")
    items: list[T] = []
    unreadable: list[str] = []
    for entry in raw:
        try:
            items.append(read(entry))
        except UnreadableAnswer as e:
            unreadable.append(f"{what} {_name(entry)}: {e}")
    return Listing(items=tuple(items), unreadable=tuple(unreadable))


def quote(symbol: str, raw: object) -> Quote:
    """A quote of the data API, whose fields are two letters long."""
    entry = as_object(raw, f"the quote of {symbol}")
    return Quote(
        symbol=symbol,
        bid=decimal(entry, "bp"),
        ask=decimal(entry, "ap"),
        bid_size=decimal(entry, "bs"),
        ask_size=decimal(entry, "as"),
        at=stamp(entry, "t"),
    )


def trade(symbol: str, raw: object) -> Trade:
    """A trade of the data API."""
    entry = as_object(raw, f"the trade of {symbol}")
    return Trade(symbol=symbol, price=decimal(entry, "p"), size=decimal(entry, "s"), at=stamp(entry, "t"))


def by_symbol(raw: object, read: Callable[[str, object], T]) -> Latest[T]:
    """The entries of a map by symbol; one that cannot be read is missing, with the reason."""
    found: dict[str, T] = {}
    missing: dict[str, str] = {}
    for symbol, entry in as_object(raw, "the map of prices").items():
        if entry is None:
            continue
        try:
            found[symbol] = read(symbol, entry)
        except UnreadableAnswer as e:
            missing[symbol] = str(e)
    return Latest(found=found, missing=missing)


def market_clock(raw: object) -> MarketClock:
    """The clock; Alpaca's New York offsets become UTC."""
    clock = as_object(raw, "the clock")
    return MarketClock(
        at=stamp(clock, "timestamp"),
        is_open=boolean(clock, "is_open"),
        next_open=stamp(clock, "next_open"),
        next_close=stamp(clock, "next_close"),
    )


def calendar_day(raw: object) -> CalendarDay:
    """A trading day; Alpaca gives New York wall times without a zone."""
    entry = as_object(raw, "the calendar day")
    day = _day(entry, "date")
    return CalendarDay(
        day=day, opens_at=_new_york(day, entry, "open"), closes_at=_new_york(day, entry, "close")
    )


def calendar_days(raw: object) -> tuple[CalendarDay, ...]:
    """All days of a calendar, or an error: a day that is left out would look like a holiday."""
    if not isinstance(raw, list):
        raise UnreadableAnswer("the calendar is not a list")
    return tuple(calendar_day(entry) for entry in raw)


def asset(raw: object) -> Asset:
    """An asset; a flag that is left out is a permission not given."""
    entry = as_object(raw, "the asset")
    return Asset(
        asset_id=text(entry, "id"),
        symbol=text(entry, "symbol"),
        name=optional_text(entry, "name") or "",
        asset_class=optional_text(entry, "class") or optional_text(entry, "asset_class") or "",
        exchange=optional_text(entry, "exchange") or "",
        status=text(entry, "status"),
        tradable=boolean(entry, "tradable"),
        fractionable=boolean(entry, "fractionable", default=False),
        shortable=boolean(entry, "shortable", default=False),
        marginable=boolean(entry, "marginable", default=False),
    )


def option_contract(raw: object) -> OptionContract:
    """A contract; without its multiplier no cost can be worked out, so that must be there."""
    entry = as_object(raw, "the option contract")
    multiplier = decimal(entry, "multiplier")
    if multiplier <= 0:
        raise UnreadableAnswer(f"multiplier is {multiplier}, not above 0")
    return OptionContract(
        symbol=text(entry, "symbol"),
        contract_id=text(entry, "id"),
        name=optional_text(entry, "name") or "",
        status=text(entry, "status"),
        tradable=boolean(entry, "tradable"),
        root_symbol=optional_text(entry, "root_symbol"),
        underlying_symbol=text(entry, "underlying_symbol"),
        right=text(entry, "type"),
        style=optional_text(entry, "style") or "",
        expiration_date=_day(entry, "expiration_date"),
        strike_price=decimal(entry, "strike_price"),
        multiplier=multiplier,
        size=optional_decimal(entry, "size"),
    )


def _status(word: str) -> OrderStatus:
    try:
        return OrderStatus(word)
    except ValueError:
        return OrderStatus.UNKNOWN


def _optional_member(kind: type[E], raw: JsonObject, field: str) -> E | None:
    value = optional_text(raw, field)
    if value is None:
        return None
    try:
        return kind(value)
    except ValueError as e:
        raise UnreadableAnswer(f"{field} is {value[:40]!r}, none of {[one.value for one in kind]}") from e


def _optional_boolean(raw: JsonObject, field: str) -> bool | None:
    return None if raw.get(field) is None else boolean(raw, field)


def _optional_integer(raw: JsonObject, field: str) -> int | None:
    value = optional_decimal(raw, field)
    if value is None:
        return None
    if value != value.to_integral_value():
        raise UnreadableAnswer(f"{field} is {value}, not a whole number")
    return int(value)


def _day(raw: JsonObject, field: str) -> date:
    value = text(raw, field)
    try:
        return date.fromisoformat(value)
    except ValueError as e:
        raise UnreadableAnswer(f"{field} is {value[:40]!r}, not a date") from e


def _new_york(day: date, raw: JsonObject, field: str) -> datetime:
    value = text(raw, field)
    try:
        wall = time.fromisoformat(value)
    except ValueError as e:
        raise UnreadableAnswer(f"{field} is {value[:40]!r}, not a time of day") from e
    return datetime.combine(day, wall, tzinfo=NEW_YORK).astimezone(UTC)


def _name(entry: object) -> str:
    if isinstance(entry, Mapping):
        known = entry.get("id") or entry.get("symbol") or entry.get("date")
        if isinstance(known, str):
            return known[:64]
    return "without id"
