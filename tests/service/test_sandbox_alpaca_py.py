"""The unmodified alpaca-py clients trade on the sandbox: every answer parses into their strict models."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from datetime import date
from decimal import Decimal
from typing import Any, ParamSpec
from uuid import UUID, uuid4

import pytest
import pytest_asyncio
from alpaca.common.exceptions import APIError
from alpaca.data.historical import OptionHistoricalDataClient, StockHistoricalDataClient
from alpaca.data.requests import (
    OptionChainRequest,
    OptionLatestQuoteRequest,
    OptionLatestTradeRequest,
    OptionSnapshotRequest,
    StockLatestQuoteRequest,
    StockLatestTradeRequest,
    StockSnapshotRequest,
)
from alpaca.trading.client import TradingClient
from alpaca.trading.enums import (
    AssetClass,
    OrderSide,
    OrderStatus,
    OrderType,
    PositionIntent,
    QueryOrderStatus,
    TimeInForce,
)
from alpaca.trading.models import (
    Asset,
    Calendar,
    Clock,
    OptionContract,
    OptionContractsResponse,
    Order,
    Position,
    TradeAccount,
)
from alpaca.trading.requests import (
    GetCalendarRequest,
    GetOptionContractsRequest,
    GetOrdersRequest,
    LimitOrderRequest,
    MarketOrderRequest,
    StopLimitOrderRequest,
    StopOrderRequest,
    TrailingStopOrderRequest,
)

from sandbox_process import SandboxProcess

pytestmark = pytest.mark.asyncio(loop_scope="module")

KEY, SECRET = "PKCLIENT", "a-made-up-secret"
CONTRACT = "AAPL301220C00200000"
SCENARIO = {
    "clock": {"at": "2026-11-24T15:00:00Z"},
    "rate_limit": None,
    "accounts": [
        {"name": "client", "key": KEY, "secret": SECRET, "account_number": "PA42", "cash": "1000000"},
    ],
    "quotes": {
        "AAPL": {"bid": "189.98", "ask": "190.02", "last": "190.00", "name": "Apple Inc."},
        "MSFT": {"bid": "299.95", "ask": "300.05", "last": "300.00"},
        CONTRACT: {"bid": "9.95", "ask": "10.05", "last": "10.00"},
    },
}

_P = ParamSpec("_P")


async def threaded(call: Callable[_P, Any], *args: _P.args, **kwargs: _P.kwargs) -> Any:
    """alpaca-py blocks, so each call has a thread of its own."""
    return await asyncio.to_thread(call, *args, **kwargs)


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def sandbox() -> AsyncIterator[SandboxProcess]:
    async with SandboxProcess(SCENARIO) as process:
        yield process


@pytest.fixture
def trading(sandbox: SandboxProcess) -> Iterator[TradingClient]:
    client = TradingClient(KEY, SECRET, paper=True, url_override=sandbox.url)
    yield client
    client._session.close()


@pytest.fixture
def stocks(sandbox: SandboxProcess) -> Iterator[StockHistoricalDataClient]:
    client = StockHistoricalDataClient(KEY, SECRET, url_override=sandbox.url)
    yield client
    client._session.close()


@pytest.fixture
def options(sandbox: SandboxProcess) -> Iterator[OptionHistoricalDataClient]:
    client = OptionHistoricalDataClient(KEY, SECRET, url_override=sandbox.url)
    yield client
    client._session.close()


def market(symbol: str = "AAPL", side: OrderSide = OrderSide.BUY, **more: Any) -> MarketOrderRequest:
    wanted = {"qty": 1, "time_in_force": TimeInForce.DAY, **more}
    return MarketOrderRequest(symbol=symbol, side=side, **wanted)


async def test_the_account_parses_with_its_money_as_strings(trading: TradingClient) -> None:
    account = await threaded(trading.get_account)

    assert isinstance(account, TradeAccount)
    assert account.account_number == "PA42"
    assert isinstance(account.cash, str)
    assert account.options_trading_level == 3


async def test_a_market_order_is_accepted_first_and_filled_on_the_next_read(trading: TradingClient) -> None:
    placed = await threaded(trading.submit_order, market(qty=2))
    read = await threaded(trading.get_order_by_id, placed.id)

    assert isinstance(placed, Order)
    assert (placed.status, placed.filled_qty) == (OrderStatus.PENDING_NEW, "0")
    assert (read.status, read.filled_qty, read.filled_avg_price) == (OrderStatus.FILLED, "2", "190.02")
    assert read.filled_at is not None


@pytest.mark.parametrize(
    "request_of",
    [
        pytest.param(
            lambda: LimitOrderRequest(
                symbol="MSFT", qty=1, side=OrderSide.BUY, time_in_force=TimeInForce.GTC, limit_price=100
            ),
            id="limit",
        ),
        pytest.param(
            lambda: StopOrderRequest(
                symbol="MSFT", qty=1, side=OrderSide.BUY, time_in_force=TimeInForce.DAY, stop_price=400.5
            ),
            id="stop",
        ),
        pytest.param(
            lambda: StopLimitOrderRequest(
                symbol="MSFT",
                qty=1,
                side=OrderSide.BUY,
                time_in_force=TimeInForce.DAY,
                stop_price=400,
                limit_price=401,
            ),
            id="stop limit",
        ),
        pytest.param(
            lambda: TrailingStopOrderRequest(
                symbol="MSFT", qty=1, side=OrderSide.BUY, time_in_force=TimeInForce.DAY, trail_percent=5
            ),
            id="trailing stop",
        ),
    ],
)
async def test_an_order_that_must_wait_stays_open_is_listed_and_cancels(
    trading: TradingClient, request_of: Callable[[], Any]
) -> None:
    asked = request_of()
    placed = await threaded(trading.submit_order, asked)
    listed = await threaded(trading.get_orders, GetOrdersRequest(symbols=["MSFT"], nested=True))
    await threaded(trading.cancel_order_by_id, placed.id)
    read = await threaded(trading.get_order_by_id, placed.id)

    assert placed.type is asked.type
    assert [(order.id, order.status) for order in listed] == [(placed.id, OrderStatus.NEW)]
    assert read.status is OrderStatus.CANCELED
    assert read.canceled_at is not None


async def test_an_option_trades_at_its_multiplier_and_shows_as_a_position(trading: TradingClient) -> None:
    before = await threaded(trading.get_account)
    placed = await threaded(
        trading.submit_order, market(CONTRACT, qty=2, position_intent=PositionIntent.BUY_TO_OPEN)
    )
    position = await threaded(trading.get_open_position, CONTRACT)
    after = await threaded(trading.get_account)

    assert placed.asset_class is AssetClass.US_OPTION
    assert isinstance(position, Position)
    assert (position.qty, position.avg_entry_price, position.cost_basis) == ("2", "10.05", "2010")
    assert (position.market_value, position.current_price) == ("2000", "10")
    assert Decimal(before.cash) - Decimal(after.cash) == 2010


async def test_positions_are_read_by_symbol_and_by_asset_id(trading: TradingClient) -> None:
    await threaded(trading.submit_order, market(qty=3))
    positions = await threaded(trading.get_all_positions)
    held = {position.symbol: position for position in positions}
    by_id = await threaded(trading.get_open_position, held["AAPL"].asset_id)

    assert by_id == held["AAPL"]


async def test_a_notional_order_buys_what_the_money_gives(trading: TradingClient) -> None:
    placed = await threaded(trading.submit_order, market("MSFT", qty=None, notional=100))
    read = await threaded(trading.get_order_by_id, placed.id)

    assert (read.notional, read.qty) == ("100", None)
    assert read.filled_qty == "0.333277787"


async def test_an_order_is_found_by_its_client_order_id(trading: TradingClient) -> None:
    name = f"mine/{uuid4()} with spaces & signs"
    placed = await threaded(trading.submit_order, market(client_order_id=name))
    found = await threaded(trading.get_order_by_client_id, name)

    assert found.id == placed.id


async def test_a_client_order_id_is_never_free_again(trading: TradingClient) -> None:
    asked = LimitOrderRequest(
        symbol="MSFT",
        qty=1,
        side=OrderSide.BUY,
        time_in_force=TimeInForce.DAY,
        limit_price=1,
        client_order_id=str(uuid4()),
    )
    placed = await threaded(trading.submit_order, asked)
    await threaded(trading.cancel_order_by_id, placed.id)

    with pytest.raises(APIError) as caught:
        await threaded(trading.submit_order, asked)

    assert (caught.value.status_code, caught.value.code) == (422, 40010001)


@pytest.mark.parametrize(
    ("asked", "status", "code", "words"),
    [
        pytest.param(lambda: market("NOPE"), 422, 42210000, "not found", id="unknown symbol"),
        pytest.param(lambda: market(qty=10**6), 403, 40310000, "insufficient buying power", id="too dear"),
        pytest.param(
            lambda: market(CONTRACT, qty=0.5), 422, 40010001, "whole number", id="half an option contract"
        ),
        pytest.param(
            lambda: market(CONTRACT, time_in_force=TimeInForce.IOC), 422, 42210000, "time_in_force", id="option ioc"
        ),
        pytest.param(lambda: market(client_order_id="x" * 129), 422, 40010001, "128", id="long id"),
        pytest.param(
            lambda: LimitOrderRequest(
                symbol="AAPL", qty=1, side=OrderSide.BUY, time_in_force=TimeInForce.DAY, limit_price=10.001
            ),
            422,
            42210000,
            "sub-penny",
            id="sub-penny",
        ),
        pytest.param(
            lambda: TrailingStopOrderRequest(
                symbol=CONTRACT, qty=1, side=OrderSide.BUY, time_in_force=TimeInForce.DAY, trail_price=1
            ),
            422,
            42210000,
            "invalid order type for options trading",
            id="option trailing stop",
        ),
        pytest.param(
            lambda: market("MSFT", OrderSide.SELL, qty=1, position_intent=PositionIntent.SELL_TO_CLOSE, type=OrderType.MARKET),
            422,
            42210000,
            "position intent mismatch",
            id="close what is not held",
        ),
    ],
)  # fmt: skip
async def test_a_refusal_has_alpacas_status_code_and_words(
    sandbox: SandboxProcess,
    trading: TradingClient,
    asked: Callable[[], Any],
    status: int,
    code: int,
    words: str,
) -> None:
    await sandbox.change_account("client", positions=[])

    with pytest.raises(APIError) as caught:
        await threaded(trading.submit_order, asked())

    assert (caught.value.status_code, caught.value.code) == (status, code)
    assert words in caught.value.message


async def test_cancel_all_lists_what_it_took(trading: TradingClient) -> None:
    waiting = LimitOrderRequest(
        symbol="MSFT", qty=1, side=OrderSide.BUY, time_in_force=TimeInForce.DAY, limit_price=2
    )
    placed = [await threaded(trading.submit_order, waiting) for _ in range(2)]

    answers = await threaded(trading.cancel_orders)
    still_open = await threaded(trading.get_orders, GetOrdersRequest(status=QueryOrderStatus.OPEN))

    assert {answer.id for answer in answers} == {order.id for order in placed}
    assert {answer.status for answer in answers} == {200}
    assert still_open == []


async def test_cancelling_a_filled_order_and_an_unknown_one_are_refused(trading: TradingClient) -> None:
    placed = await threaded(trading.submit_order, market())

    with pytest.raises(APIError) as filled:
        await threaded(trading.cancel_order_by_id, placed.id)
    with pytest.raises(APIError) as unknown:
        await threaded(trading.cancel_order_by_id, UUID(int=1))

    assert (filled.value.status_code, filled.value.code) == (422, 42210000)
    assert 'order is already in "filled" state' in filled.value.message
    assert (unknown.value.status_code, unknown.value.code) == (404, 40410000)


async def test_orders_page_by_submitted_at_also_while_the_clock_stands(
    sandbox: SandboxProcess, trading: TradingClient
) -> None:
    await sandbox.set_clock(freeze=True)
    placed = [await threaded(trading.submit_order, market()) for _ in range(4)]
    await sandbox.set_clock(speed=1)
    raw = await sandbox.ledger()
    mine = {str(order.id) for order in placed}
    stamps = [order["submitted_at"] for order in raw["orders"] if order["id"] in mine]

    listed = await threaded(trading.get_orders, GetOrdersRequest(status=QueryOrderStatus.ALL, limit=2))

    assert len(set(stamps)) == 4
    assert [order.id for order in listed] == [placed[3].id, placed[2].id]


async def test_asset_contract_clock_and_calendar_parse(trading: TradingClient) -> None:
    asset = await threaded(trading.get_asset, "AAPL")
    contract = await threaded(trading.get_option_contract, CONTRACT)
    listed = await threaded(
        trading.get_option_contracts,
        GetOptionContractsRequest(underlying_symbols=["AAPL"], expiration_date_gte=date(2030, 1, 1)),
    )
    soon = await threaded(
        trading.get_option_contracts, GetOptionContractsRequest(underlying_symbols=["AAPL"])
    )
    clock = await threaded(trading.get_clock)
    days = await threaded(
        trading.get_calendar, GetCalendarRequest(start=date(2026, 11, 23), end=date(2026, 11, 30))
    )

    assert isinstance(asset, Asset)
    assert asset.name == "Apple Inc."
    assert isinstance(contract, OptionContract)
    assert (contract.root_symbol, contract.underlying_symbol, contract.strike_price) == (
        "AAPL",
        "AAPL",
        200.0,
    )
    assert isinstance(listed, OptionContractsResponse)
    assert [each.symbol for each in listed.option_contracts or ()] == [CONTRACT]
    assert soon.option_contracts == [], "without a date only what expires before the next weekend is listed"
    assert isinstance(clock, Clock)
    assert clock.is_open
    assert all(isinstance(day, Calendar) for day in days)
    # Thanksgiving is closed, the day after closes at 13:00.
    assert [day.date.day for day in days] == [23, 24, 25, 27, 30]
    assert [day.close.hour for day in days] == [16, 16, 16, 13, 16]


async def test_stock_quotes_trades_and_snapshots_parse(
    sandbox: SandboxProcess, stocks: StockHistoricalDataClient
) -> None:
    await sandbox.set_quotes({"AAPL": {"bid": "189.98", "ask": "190.02", "last": "190.00"}})
    both = ["AAPL", "NOPE"]

    quotes = await threaded(stocks.get_stock_latest_quote, StockLatestQuoteRequest(symbol_or_symbols=both))
    trades = await threaded(stocks.get_stock_latest_trade, StockLatestTradeRequest(symbol_or_symbols=both))
    snapshots = await threaded(stocks.get_stock_snapshot, StockSnapshotRequest(symbol_or_symbols=both))

    assert set(quotes) == set(trades) == set(snapshots) == {"AAPL"}
    assert (quotes["AAPL"].bid_price, quotes["AAPL"].ask_price) == (189.98, 190.02)
    assert trades["AAPL"].price == 190.0
    assert snapshots["AAPL"].latest_quote.ask_price == 190.02
    assert quotes["AAPL"].timestamp.date() == date(2026, 11, 24)


async def test_one_malformed_symbol_spoils_the_batch(stocks: StockHistoricalDataClient) -> None:
    with pytest.raises(APIError) as caught:
        await threaded(
            stocks.get_stock_latest_quote, StockLatestQuoteRequest(symbol_or_symbols=["AAPL", "A&B"])
        )

    assert caught.value.status_code == 400
    assert caught.value.response.json() == {"message": "invalid symbol: A&B"}


async def test_option_quotes_trades_snapshots_and_chain_parse(options: OptionHistoricalDataClient) -> None:
    quotes = await threaded(
        options.get_option_latest_quote, OptionLatestQuoteRequest(symbol_or_symbols=CONTRACT)
    )
    trades = await threaded(
        options.get_option_latest_trade, OptionLatestTradeRequest(symbol_or_symbols=CONTRACT)
    )
    snapshots = await threaded(options.get_option_snapshot, OptionSnapshotRequest(symbol_or_symbols=CONTRACT))
    chain = await threaded(options.get_option_chain, OptionChainRequest(underlying_symbol="AAPL"))

    assert (quotes[CONTRACT].bid_price, quotes[CONTRACT].ask_price) == (9.95, 10.05)
    assert trades[CONTRACT].price == 10.0
    assert set(snapshots) == set(chain) == {CONTRACT}
    assert chain[CONTRACT].latest_quote.ask_price == 10.05


async def test_more_than_a_hundred_option_symbols_are_refused(options: OptionHistoricalDataClient) -> None:
    symbols = [f"AAPL301220C{strike:08d}" for strike in range(1000, 102_000, 1000)]

    with pytest.raises(APIError) as caught:
        await threaded(options.get_option_latest_quote, OptionLatestQuoteRequest(symbol_or_symbols=symbols))

    assert caught.value.status_code == 400


async def test_wrong_keys_are_refused_without_a_code(sandbox: SandboxProcess) -> None:
    client = TradingClient(KEY, "another-secret", paper=True, url_override=sandbox.url)

    with pytest.raises(APIError) as caught:
        await threaded(client.get_account)
    client._session.close()

    assert caught.value.status_code == 401
    assert caught.value.response.json() == {"message": "unauthorized."}
