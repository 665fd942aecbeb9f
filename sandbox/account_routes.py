"""The account, its positions, and what the market is: assets, contracts, clock and calendar."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import date, timedelta

from sandbox.accounts import Position
from sandbox.calls import Call, Reply
from sandbox.contract_filter import read_contract_filter
from sandbox.errors import bad_field, not_found
from sandbox.instant import new_york_date
from sandbox.instruments import AssetClass, OptionContract, Stock
from sandbox.paging import page_of
from sandbox.trading_json import (
    Json,
    account_json,
    asset_json,
    calendar_json,
    clock_json,
    contract_json,
    position_json,
)

_DEFAULT_CONTRACTS, _MOST_CONTRACTS = 100, 10_000
_SATURDAY = 5


def get_account(call: Call) -> Reply:
    """GET /v2/account."""
    return Reply(body=account_json(call.account, call.exchange.quotes, call.now))


def list_positions(call: Call) -> Reply:
    """GET /v2/positions."""
    return Reply(body=[_position(call, position) for position in call.account.positions.values()])


def get_position(call: Call) -> Reply:
    """GET /v2/positions/{symbol_or_asset_id}."""
    instrument = call.exchange.catalogue.find_either(call.parts["symbol_or_asset_id"])
    position = call.account.positions.get(instrument.symbol) if instrument else None
    if position is None:
        raise not_found("position does not exist")
    return Reply(body=_position(call, position))


def list_assets(call: Call) -> Reply:
    """GET /v2/assets?status=&asset_class=&exchange=&attributes=; every asset here is active."""
    status = call.query.get("status") or "active"
    asset_class, exchange = call.query.get("asset_class"), call.query.get("exchange")
    attributes = frozenset(call.listed("attributes"))
    if status != "active" or asset_class not in (None, "", AssetClass.US_EQUITY.value):
        return Reply(body=[])
    stocks = [
        stock for stock in call.exchange.catalogue.stocks() if not exchange or stock.exchange == exchange
    ]
    shown = [asset_json(stock) for stock in stocks]
    return Reply(body=[each for each in shown if attributes <= {*_attributes(each)}])


def _attributes(asset: Json) -> list[str]:
    listed = asset.get("attributes")
    return [str(each) for each in listed] if isinstance(listed, list) else []


def get_asset(call: Call) -> Reply:
    """GET /v2/assets/{symbol_or_asset_id}; option contracts have a path of their own."""
    name = call.parts["symbol_or_asset_id"]
    stock = call.exchange.catalogue.find_either(name)
    if not isinstance(stock, Stock):
        raise not_found(f"asset not found for {name}")
    return Reply(body=asset_json(stock))


def list_contracts(call: Call) -> Reply:
    """GET /v2/options/contracts; without any expiry asked for, only what expires before the next weekend."""
    limit = call.whole("limit", _DEFAULT_CONTRACTS, most=_MOST_CONTRACTS)
    chosen = sorted(_wanted_contracts(call), key=lambda each: (each.expiration_date, each.symbol))
    try:
        page, token = page_of(chosen, call.query.get("page_token"), limit)
    except ValueError as error:
        raise bad_field(str(error)) from None
    contracts = [_contract(call, each) for each in page]
    return Reply(body={"option_contracts": contracts, "next_page_token": token})


def get_contract(call: Call) -> Reply:
    """GET /v2/options/contracts/{symbol_or_id}."""
    name = call.parts["symbol_or_id"]
    contract = call.exchange.catalogue.find_either(name)
    if not isinstance(contract, OptionContract):
        raise not_found(f"option contract {name} not found")
    return Reply(body=_contract(call, contract))


def get_clock(call: Call) -> Reply:
    """GET /v2/clock."""
    return Reply(body=clock_json(call.exchange.calendar, call.now))


def list_calendar(call: Call) -> Reply:
    """GET /v2/calendar; trades settle on the next trading day."""
    calendar = call.exchange.calendar
    start, end = _day(call, "start") or date.min, _day(call, "end") or date.max
    days = calendar.between(start, end)
    settlements = [calendar.first_on_or_after(day.day + timedelta(days=1)).day for day in days[:-1]]
    if days:
        settlements.append(_next_session_day(call, days[-1].day))
    return Reply(body=[calendar_json(day, paid) for day, paid in zip(days, settlements, strict=True)])


def _position(call: Call, position: Position) -> Json:
    return position_json(call.account, position, call.exchange.quotes, new_york_date(call.now))


def _contract(call: Call, contract: OptionContract) -> Json:
    underlying = call.exchange.instrument(contract.underlying_symbol)
    quote = call.exchange.quotes.get(contract.symbol)
    return contract_json(contract, underlying.asset_id, quote, call.now)


def _wanted_contracts(call: Call) -> Iterator[OptionContract]:
    active = call.word("status", ("active", "inactive"), "active") == "active"
    call.word("style", ("american", "european"), "american")
    try:
        wanted = read_contract_filter(call.query, frozenset(call.listed("underlying_symbols")))
    except ValueError as error:
        raise bad_field(str(error)) from None
    today = new_york_date(call.now)
    if not wanted.names_an_expiry:
        wanted = replace(wanted, expires_through=_saturday_after(today))
    european = call.query.get("style") == "european"
    for contract in call.exchange.catalogue.contracts():
        if wanted.matches(contract) and (contract.expiration_date >= today) is active and not european:
            yield contract


def _saturday_after(day: date) -> date:
    return day + timedelta(days=(_SATURDAY - day.weekday() - 1) % 7 + 1)


def _next_session_day(call: Call, day: date) -> date:
    try:
        return call.exchange.calendar.first_on_or_after(day + timedelta(days=1)).day
    except IndexError:
        return day


def _day(call: Call, name: str) -> date | None:
    text = call.query.get(name)
    if not text:
        return None
    try:
        return date.fromisoformat(text[:10])
    except ValueError:
        raise bad_field(f"invalid {name}: {text}") from None
