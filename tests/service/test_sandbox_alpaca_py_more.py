"""The rest of alpaca-py's clients: order classes, replacing, closing, the account's past, watchlists and the market's past."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from datetime import UTC, date, datetime
from typing import Any, ParamSpec
from uuid import uuid4

import pytest
import pytest_asyncio
from alpaca.common.exceptions import APIError
from alpaca.data.historical import OptionHistoricalDataClient, StockHistoricalDataClient
from alpaca.data.models import BarSet
from alpaca.data.requests import (
    OptionBarsRequest,
    OptionChainRequest,
    OptionSnapshotRequest,
    OptionTradesRequest,
    StockBarsRequest,
    StockLatestBarRequest,
    StockQuotesRequest,
    StockSnapshotRequest,
    StockTradesRequest,
)
from alpaca.data.timeframe import TimeFrame, TimeFrameUnit
from alpaca.trading.client import TradingClient
from alpaca.trading.enums import (
    AssetExchange,
    CorporateActionType,
    OrderClass,
    OrderSide,
    OrderStatus,
    OrderType,
    PositionIntent,
    QueryOrderStatus,
    TimeInForce,
)
from alpaca.trading.models import AccountConfiguration, PortfolioHistory, Watchlist
from alpaca.trading.requests import (
    ClosePositionRequest,
    CreateWatchlistRequest,
    GetAssetsRequest,
    GetCorporateAnnouncementsRequest,
    GetOrderByIdRequest,
    GetOrdersRequest,
    GetPortfolioHistoryRequest,
    LimitOrderRequest,
    MarketOrderRequest,
    OptionLegRequest,
    ReplaceOrderRequest,
    StopLossRequest,
    TakeProfitRequest,
    UpdateWatchlistRequest,
)

from sandbox_process import SandboxProcess

pytestmark = pytest.mark.asyncio(loop_scope="module")

KEY, SECRET = "PKMORE", "a-made-up-secret"
CALL, HIGHER = "AAPL301220C00200000", "AAPL301220C00210000"
ACCOUNT = {"name": "more", "key": KEY, "secret": SECRET, "account_number": "PA43", "cash": "1000000"}
QUOTES = {
    "AAPL": {"bid": "189.98", "ask": "190.02", "last": "190.00"},
    "MSFT": {"bid": "299.95", "ask": "300.05", "last": "300.00"},
    CALL: {"bid": "29.95", "ask": "30.05", "last": "30.00"},
    HIGHER: {"bid": "24.95", "ask": "25.05", "last": "25.00"},
}
SCENARIO = {
    "clock": {"at": "2026-11-24T15:00:00Z"},
    "rate_limit": None,
    "accounts": [ACCOUNT],
    "quotes": QUOTES,
}

_P = ParamSpec("_P")


async def threaded(call: Callable[_P, Any], *args: _P.args, **kwargs: _P.kwargs) -> Any:
    """alpaca-py blocks, so each call has a thread of its own."""
    return await asyncio.to_thread(call, *args, **kwargs)


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def sandbox() -> AsyncIterator[SandboxProcess]:
    async with SandboxProcess(SCENARIO) as process:
        yield process


@pytest_asyncio.fixture(loop_scope="module", autouse=True)
async def clean_slate(sandbox: SandboxProcess) -> None:
    """Every test begins with the same account without orders, and the same market."""
    await sandbox.add_account(ACCOUNT)
    await sandbox.set_quotes(QUOTES)


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


def market(symbol: str = "AAPL", **more: Any) -> MarketOrderRequest:
    wanted = {"qty": 1, "side": OrderSide.BUY, "time_in_force": TimeInForce.DAY, **more}
    return MarketOrderRequest(symbol=symbol, **wanted)


def limit(price: float, **more: Any) -> LimitOrderRequest:
    wanted = {"symbol": "AAPL", "qty": 1, "side": OrderSide.BUY, "time_in_force": TimeInForce.DAY, **more}
    return LimitOrderRequest(limit_price=price, **wanted)


async def test_there_are_never_any_corporate_announcements(trading: TradingClient) -> None:
    wanted = GetCorporateAnnouncementsRequest(
        ca_types=[CorporateActionType.DIVIDEND, CorporateActionType.SPLIT],
        since=date(2026, 9, 1),
        until=date(2026, 11, 24),
    )
    with pytest.deprecated_call():
        found = await threaded(trading.get_corporate_announcements, wanted)
    with pytest.raises(APIError) as raised:
        await threaded(trading.get_corporate_announcement_by_id, uuid4())

    assert found == []
    assert (raised.value.status_code, raised.value.code) == (404, 40410000)


EXITS: dict[str, Any] = {
    "take_profit": TakeProfitRequest(limit_price=200),
    "stop_loss": StopLossRequest(stop_price=180, limit_price=179.5),
}


async def test_a_bracket_is_one_order_with_two_legs_nested_or_flat(trading: TradingClient) -> None:
    placed = await threaded(trading.submit_order, market(order_class=OrderClass.BRACKET, **EXITS))
    nested = await threaded(trading.get_orders, GetOrdersRequest(nested=True, status=QueryOrderStatus.ALL))
    flat = await threaded(trading.get_orders, GetOrdersRequest(status=QueryOrderStatus.ALL))
    read = await threaded(trading.get_order_by_id, placed.id, GetOrderByIdRequest(nested=True))

    assert [leg.type for leg in placed.legs] == [OrderType.LIMIT, OrderType.STOP_LIMIT]
    assert [order.id for order in nested] == [placed.id]
    assert len(flat) == 3
    assert [leg.status for leg in read.legs] == [OrderStatus.NEW, OrderStatus.HELD]


async def test_oco_and_oto_orders_parse(trading: TradingClient) -> None:
    oto = await threaded(
        trading.submit_order, market(order_class=OrderClass.OTO, stop_loss=StopLossRequest(stop_price=180))
    )
    await threaded(trading.get_clock)
    await threaded(trading.cancel_orders)
    await threaded(trading.get_clock)
    oco = await threaded(
        trading.submit_order,
        LimitOrderRequest(
            symbol="AAPL", qty=1, side=OrderSide.SELL, time_in_force=TimeInForce.GTC, order_class=OrderClass.OCO, **EXITS
        ),
    )  # fmt: skip

    assert (oto.order_class, [leg.type for leg in oto.legs]) == (OrderClass.OTO, [OrderType.STOP])
    assert (oco.order_class, oco.limit_price, len(oco.legs)) == (OrderClass.OCO, "200", 1)


async def test_a_spread_trades_as_one_order(trading: TradingClient) -> None:
    legs = [
        OptionLegRequest(symbol=CALL, ratio_qty=1, position_intent=PositionIntent.BUY_TO_OPEN),
        OptionLegRequest(symbol=HIGHER, ratio_qty=1, position_intent=PositionIntent.SELL_TO_OPEN),
    ]
    placed = await threaded(
        trading.submit_order,
        LimitOrderRequest(
            qty=2, limit_price=6, order_class=OrderClass.MLEG, time_in_force=TimeInForce.DAY, legs=legs
        ),
    )
    read = await threaded(trading.get_order_by_id, placed.id)
    positions = await threaded(trading.get_all_positions)

    assert (read.status, read.filled_avg_price) == (OrderStatus.FILLED, "5.1")
    assert [leg.filled_avg_price for leg in read.legs] == ["30.05", "24.95"]
    assert {position.symbol: position.qty for position in positions} == {CALL: "2", HIGHER: "-2"}


async def test_a_replaced_order_names_its_successor(trading: TradingClient) -> None:
    placed = await threaded(trading.submit_order, limit(100))
    await threaded(trading.get_clock)
    new = await threaded(trading.replace_order_by_id, placed.id, ReplaceOrderRequest(limit_price=101, qty=2))
    old = await threaded(trading.get_order_by_id, placed.id)

    assert (new.replaces, new.limit_price, new.qty) == (placed.id, "101", "2")
    assert (old.status, old.replaced_by) == (OrderStatus.REPLACED, new.id)


async def test_orders_page_by_id(sandbox: SandboxProcess, trading: TradingClient) -> None:
    placed = [await threaded(trading.submit_order, limit(100)) for _ in range(4)]
    raw = TradingClient(KEY, SECRET, raw_data=True, url_override=sandbox.url)
    before = await threaded(raw.get, "/orders", {"before_order_id": str(placed[2].id)})
    after = await threaded(raw.get, "/orders", {"after_order_id": str(placed[2].id)})
    raw._session.close()

    assert [order["id"] for order in before] == [str(placed[1].id), str(placed[0].id)]
    assert [order["id"] for order in after] == [str(placed[3].id)]


async def test_one_position_closes_in_part_and_all_close_together(trading: TradingClient) -> None:
    for symbol, qty in (("AAPL", 10), ("MSFT", 4)):
        await threaded(trading.submit_order, market(symbol, qty=qty))
    part = await threaded(trading.close_position, "AAPL", ClosePositionRequest(percentage="50"))
    await threaded(trading.submit_order, limit(400, symbol="MSFT", side=OrderSide.SELL, qty=3))
    refused = await threaded(trading.close_all_positions, cancel_orders=False)
    closed = await threaded(trading.close_all_positions, cancel_orders=True)
    left = await threaded(trading.get_all_positions)

    assert (part.side, part.qty, part.type) == (OrderSide.SELL, "5", OrderType.MARKET)
    assert {answer.symbol: answer.status for answer in refused} == {"AAPL": 200, "MSFT": 403}
    assert [(answer.symbol, answer.status) for answer in closed] == [("MSFT", 200)]
    assert left == []


async def test_an_option_is_exercised_into_shares(trading: TradingClient) -> None:
    await threaded(trading.submit_order, market(CALL, position_intent=PositionIntent.BUY_TO_OPEN))
    await threaded(trading.get_clock)
    await threaded(trading.exercise_options_position, CALL)
    (position,) = await threaded(trading.get_all_positions)

    assert (position.symbol, position.qty, position.avg_entry_price) == ("AAPL", "100", "200")


async def test_the_accounts_past_configuration_and_assets_parse(trading: TradingClient) -> None:
    history = await threaded(
        trading.get_portfolio_history, GetPortfolioHistoryRequest(period="1D", timeframe="5Min")
    )
    configuration = await threaded(trading.get_account_configurations)
    configuration.suspend_trade = True
    changed = await threaded(trading.set_account_configurations, configuration)
    assets = await threaded(trading.get_all_assets, GetAssetsRequest(exchange=AssetExchange.NASDAQ))
    with pytest.raises(APIError, match="rejected by user request"):
        await threaded(trading.submit_order, market())

    assert isinstance(history, PortfolioHistory)
    assert len(history.timestamp) == len(history.equity) > 0
    assert isinstance(changed, AccountConfiguration)
    assert changed.suspend_trade
    assert sorted(asset.symbol for asset in assets) == ["AAPL", "MSFT"]


async def test_watchlists_are_kept(trading: TradingClient) -> None:
    made = await threaded(trading.create_watchlist, CreateWatchlistRequest(name="mine", symbols=["AAPL"]))
    await threaded(trading.add_asset_to_watchlist_by_id, made.id, "MSFT")
    await threaded(trading.update_watchlist_by_id, made.id, UpdateWatchlistRequest(name="ours"))
    read = await threaded(trading.get_watchlist_by_id, made.id)
    listed = await threaded(trading.get_watchlists)
    await threaded(trading.remove_asset_from_watchlist_by_id, made.id, "AAPL")
    await threaded(trading.delete_watchlist_by_id, made.id)

    assert isinstance(made, Watchlist)
    assert (read.name, [asset.symbol for asset in read.assets or ()]) == ("ours", ["AAPL", "MSFT"])
    assert [each.name for each in listed] == ["ours"]


async def test_bars_of_every_length_agree_with_each_other(stocks: StockHistoricalDataClient) -> None:
    period: dict[str, Any] = {
        "symbol_or_symbols": ["AAPL", "MSFT", "NONE"],
        "start": datetime(2026, 11, 16, tzinfo=UTC),
        "end": datetime(2026, 11, 20, 23, tzinfo=UTC),
    }
    days: BarSet = await threaded(
        stocks.get_stock_bars, StockBarsRequest(timeframe=TimeFrame(1, TimeFrameUnit.Day), **period)
    )
    minutes: BarSet = await threaded(
        stocks.get_stock_bars, StockBarsRequest(timeframe=TimeFrame(1, TimeFrameUnit.Minute), **period)
    )

    assert set(days.data) == set(minutes.data) == {"AAPL", "MSFT"}
    assert [len(days["AAPL"]), len(minutes["AAPL"])] == [5, 5 * 390]
    assert days["AAPL"][0].open == minutes["AAPL"][0].open
    assert max(bar.high for bar in days["AAPL"]) == max(bar.high for bar in minutes["AAPL"])
    assert sum(bar.volume for bar in days["AAPL"]) == sum(bar.volume for bar in minutes["AAPL"])


async def test_past_trades_and_quotes_and_the_latest_bar_parse(stocks: StockHistoricalDataClient) -> None:
    period: dict[str, Any] = {
        "symbol_or_symbols": "AAPL",
        "start": datetime(2026, 11, 20, 15, tzinfo=UTC),
        "limit": 5,
    }
    trades = await threaded(stocks.get_stock_trades, StockTradesRequest(**period))
    quotes = await threaded(stocks.get_stock_quotes, StockQuotesRequest(**period))
    latest = await threaded(stocks.get_stock_latest_bar, StockLatestBarRequest(symbol_or_symbols="AAPL"))
    snapshots = await threaded(stocks.get_stock_snapshot, StockSnapshotRequest(symbol_or_symbols="AAPL"))

    assert (len(trades["AAPL"]), len(quotes["AAPL"])) == (5, 5)
    assert latest["AAPL"].close == 190.0
    assert snapshots["AAPL"].previous_daily_bar.timestamp.date() == date(2026, 11, 23)
    assert snapshots["AAPL"].daily_bar.close == 190.0


async def test_options_have_bars_trades_greeks_and_a_filtered_chain(
    options: OptionHistoricalDataClient,
) -> None:
    start = datetime(2026, 11, 16, tzinfo=UTC)
    bars = await threaded(
        options.get_option_bars,
        OptionBarsRequest(symbol_or_symbols=CALL, timeframe=TimeFrame.Day, start=start),
    )
    trades = await threaded(
        options.get_option_trades, OptionTradesRequest(symbol_or_symbols=CALL, start=start, limit=3)
    )
    snapshot = (await threaded(options.get_option_snapshot, OptionSnapshotRequest(symbol_or_symbols=CALL)))[
        CALL
    ]
    chain = await threaded(
        options.get_option_chain, OptionChainRequest(underlying_symbol="AAPL", strike_price_gte=205)
    )
    codes = await threaded(options.get_option_exchange_codes)

    assert (len(bars[CALL]), len(trades[CALL])) == (7, 3)
    assert 0 < snapshot.greeks.delta < 1
    assert 0 < snapshot.implied_volatility < 2
    assert list(chain) == [HIGHER]
    assert "A" in codes
