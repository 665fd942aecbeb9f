"""Accounts, positions, prices, the market's clock and health: a real server against a real exchange process."""

import asyncio
import uuid
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

import grpc
import pytest
import pytest_asyncio
from google.protobuf.timestamp_pb2 import Timestamp
from grpc_health.v1 import health_pb2
from loguru import logger

from fakes.account_service import OPTION, SCENARIO, WAIT_SECONDS, Exchange, Service, account_service
from opitios.account.v1.account_pb2 import (
    ACCOUNT_TYPE_LIVE,
    ACCOUNT_TYPE_PAPER,
    ACCOUNT_TYPE_SOURCE_DETECTED,
    ACCOUNT_TYPE_SOURCE_OVERRIDDEN,
    ACCOUNT_TYPE_SOURCE_UNSPECIFIED,
    BALANCE_VERDICT_BELOW,
)
from opitios.account.v1.account_service_pb2 import (
    CheckBalanceRequest,
    GetAccountRequest,
    ListAccountsRequest,
    ListPositionsRequest,
)
from opitios.account.v1.market_data_service_pb2 import (
    GetMarketClockRequest,
    GetOptionQuotesRequest,
    GetStockQuotesRequest,
)
from rich_errors import error_info, violated_fields
from runtime.channel import open_channel
from sandbox_process import SandboxProcess

pytestmark = pytest.mark.asyncio(loop_scope="module")

POSITIONS = [
    {"symbol": "AAPL", "qty": "10", "avg_entry_price": "150"},
    {"symbol": OPTION, "qty": "2", "avg_entry_price": "8.50"},
]


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def sandbox() -> AsyncIterator[SandboxProcess]:
    async with SandboxProcess(SCENARIO) as process:
        yield process


@pytest_asyncio.fixture(loop_scope="module")
async def exchange(sandbox: SandboxProcess) -> AsyncIterator[Exchange]:
    exchange = Exchange(sandbox, uuid.uuid4().hex[:8])
    await exchange.open_account("main", "PA3000001", positions=POSITIONS)
    await exchange.open_account("real", "900000001", "12345.67")
    yield exchange
    await exchange.close()


@pytest_asyncio.fixture(loop_scope="module")
async def service(exchange: Exchange, tmp_path: Path) -> AsyncIterator[Service]:
    accounts = {
        "main": exchange.configured("main"),
        "real": exchange.configured("real", paper=False, minimum_balance=2500),
        "asleep": exchange.configured("asleep", enabled=False),
    }
    async with account_service(tmp_path, exchange.url, accounts) as running:
        yield running


def moment(stamp: Timestamp) -> datetime:
    return stamp.ToDatetime(UTC)


async def test_every_configured_account_is_listed_with_its_type_and_standing(service: Service) -> None:
    accounts = (await service.accounts.ListAccounts(ListAccountsRequest())).accounts

    assert [
        (one.account_id, one.account_number, one.account_type, one.account_type_source, one.tradable)
        for one in accounts
    ] == [
        ("main", "PA3000001", ACCOUNT_TYPE_PAPER, ACCOUNT_TYPE_SOURCE_DETECTED, True),
        ("real", "900000001", ACCOUNT_TYPE_LIVE, ACCOUNT_TYPE_SOURCE_DETECTED, True),
        ("asleep", "", ACCOUNT_TYPE_PAPER - 1, ACCOUNT_TYPE_SOURCE_UNSPECIFIED, False),
    ]
    assert [Decimal(one.minimum_balance) for one in accounts] == [5000, 2500, 5000]
    assert [one.enabled for one in accounts] == [True, True, False]
    assert accounts[2].reason == "disabled by accounts.asleep.enabled"


async def test_an_overridden_type_says_so(exchange: Exchange, tmp_path: Path) -> None:
    accounts = {"real": exchange.configured("real", account_type="paper")}
    async with account_service(tmp_path, exchange.url, accounts) as service:
        (one,) = (await service.accounts.ListAccounts(ListAccountsRequest())).accounts

    assert (one.account_type, one.account_type_source) == (
        ACCOUNT_TYPE_PAPER,
        ACCOUNT_TYPE_SOURCE_OVERRIDDEN,
    )
    assert one.tradable


async def test_an_account_is_read_from_the_broker_by_id_or_name(service: Service, exchange: Exchange) -> None:
    await exchange.change_account("real", cash="777.70")

    snapshot = (await service.accounts.GetAccount(GetAccountRequest(account_id="REAL"))).snapshot

    assert (snapshot.account.account_id, snapshot.account.name) == ("real", "Real")
    assert (snapshot.status, snapshot.currency) == ("ACTIVE", "USD")
    assert Decimal(snapshot.cash) == Decimal("777.70")
    assert Decimal(snapshot.equity) == Decimal("777.70")
    assert not snapshot.pattern_day_trader
    assert abs((datetime.now(UTC) - moment(snapshot.read_at)).total_seconds()) < WAIT_SECONDS


async def test_an_account_that_the_broker_does_not_show_is_unavailable(
    service: Service, exchange: Exchange
) -> None:
    await exchange.add_fault("main", "^/v2/account$", action="status", status=503)

    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await service.accounts.GetAccount(GetAccountRequest(account_id="main"))

    assert caught.value.code() is grpc.StatusCode.UNAVAILABLE
    assert error_info(caught.value).reason == "BROKER_UNREACHABLE"


async def test_a_balance_below_the_minimum_is_explained_with_every_figure(
    service: Service, exchange: Exchange
) -> None:
    await exchange.change_account("real", cash="2499.99")

    report = await service.balance("real")

    assert report.verdict == BALANCE_VERDICT_BELOW
    assert (report.account_number, report.account_type) == ("900000001", ACCOUNT_TYPE_LIVE)
    assert (Decimal(report.cash), Decimal(report.holds_total)) == (Decimal("2499.99"), Decimal(0))
    assert Decimal(report.headroom) == Decimal("-0.01")
    assert (report.minimum_balance, report.minimum_balance_key) == ("2500", "accounts.real.minimum_balance")
    assert (report.mode, report.check_enabled) == ("literal", True)
    assert "2499.99" in report.reason
    assert report.HasField("read_at")


async def test_positions_come_as_the_broker_has_them(service: Service) -> None:
    answer = await service.accounts.ListPositions(ListPositionsRequest(account_id="main"))

    (entry,) = answer.accounts
    stock, option = sorted(entry.positions, key=lambda one: len(one.symbol))
    assert (entry.account_id, entry.error, list(entry.unreadable)) == ("main", "", [])
    assert (stock.symbol, stock.asset_class, stock.side) == ("AAPL", "us_equity", "long")
    assert (Decimal(stock.qty), Decimal(stock.avg_entry_price)) == (Decimal(10), Decimal(150))
    assert (Decimal(stock.current_price), Decimal(stock.market_value)) == (Decimal(190), Decimal(1900))
    assert (option.symbol, option.asset_class) == (OPTION, "us_option")
    assert (Decimal(option.qty), Decimal(option.qty_available)) == (Decimal(2), Decimal(2))
    assert round(Decimal(option.unrealized_plpc), 4) == Decimal("0.1765")


async def test_a_frozen_account_neither_delays_nor_hides_the_positions_of_others(
    service: Service, exchange: Exchange
) -> None:
    await exchange.add_fault("real", "^/v2/positions", action="hang")
    started = asyncio.get_running_loop().time()

    answer = await service.accounts.ListPositions(ListPositionsRequest(account_id="-"), timeout=WAIT_SECONDS)

    main, real = answer.accounts
    assert (main.account_id, len(main.positions), main.error) == ("main", 2, "")
    assert (real.account_id, len(real.positions)) == ("real", 0)
    assert real.error != ""
    assert asyncio.get_running_loop().time() - started < 4


async def test_positions_of_one_account_that_cannot_be_read_are_an_error_not_an_empty_list(
    service: Service, exchange: Exchange
) -> None:
    await exchange.add_fault("main", "^/v2/positions", action="status", status=500)

    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await service.accounts.ListPositions(ListPositionsRequest(account_id="main"))

    assert caught.value.code() is grpc.StatusCode.UNAVAILABLE


async def test_an_account_that_is_disabled_is_not_found(service: Service) -> None:
    for call in (
        service.accounts.GetAccount(GetAccountRequest(account_id="asleep")),
        service.accounts.CheckBalance(CheckBalanceRequest(account_id="asleep")),
        service.accounts.ListPositions(ListPositionsRequest(account_id="asleep")),
    ):
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await call
        assert caught.value.code() is grpc.StatusCode.NOT_FOUND
        assert error_info(caught.value).reason == "ACCOUNT_NOT_FOUND"


async def test_stock_quotes_come_in_the_order_asked_for_and_missing_ones_are_named(service: Service) -> None:
    answer = await service.market_data.GetStockQuotes(
        GetStockQuotesRequest(symbols=["MSFT", "NOSUCH", "AAPL", "SILENT"], include_last_trade=True)
    )

    assert [one.symbol for one in answer.quotes] == ["MSFT", "AAPL", "SILENT"]
    assert list(answer.missing) == ["NOSUCH"]
    msft, _, silent = answer.quotes
    assert (Decimal(msft.bid_price), Decimal(msft.ask_price)) == (Decimal("299.95"), Decimal(300))
    assert (Decimal(msft.last_price), msft.HasField("quoted_at")) == (Decimal(300), True)
    assert not silent.HasField("bid_price"), "a bid of 0 is no bid"
    assert not silent.HasField("ask_price")


async def test_the_last_trade_is_absent_when_not_asked_for(service: Service) -> None:
    answer = await service.market_data.GetStockQuotes(GetStockQuotesRequest(symbols=["MSFT"]))

    assert not answer.quotes[0].HasField("last_price")
    assert not answer.quotes[0].HasField("last_at")


async def test_option_quotes_are_found_by_the_padded_symbol_too(service: Service) -> None:
    padded = f"{OPTION[:4]:<6}{OPTION[4:]}"

    answer = await service.market_data.GetOptionQuotes(
        GetOptionQuotesRequest(symbols=[padded], account_id="main", include_last_trade=True)
    )

    (quote,) = answer.quotes
    assert quote.symbol == OPTION
    assert (Decimal(quote.bid_price), Decimal(quote.ask_price)) == (Decimal("9.95"), Decimal(10))


@pytest.mark.parametrize(
    ("symbols", "fields"),
    [
        pytest.param([], ["symbols"], id="none"),
        pytest.param(["AAPL"] * 101, ["symbols"], id="too many"),
        pytest.param(["AAPL", "aapl", OPTION], ["symbols[1]", "symbols[2]"], id="not stock symbols"),
        pytest.param(["A/../B"], ["symbols[0]"], id="a path"),
    ],
)
async def test_malformed_stock_symbols_are_named_by_their_place(
    service: Service, symbols: list[str], fields: list[str]
) -> None:
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await service.market_data.GetStockQuotes(GetStockQuotesRequest(symbols=symbols))

    assert caught.value.code() is grpc.StatusCode.INVALID_ARGUMENT
    assert violated_fields(caught.value) == fields


async def test_malformed_option_symbols_are_named_by_their_place(service: Service) -> None:
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await service.market_data.GetOptionQuotes(GetOptionQuotesRequest(symbols=[OPTION, "AAPL"]))

    assert caught.value.code() is grpc.StatusCode.INVALID_ARGUMENT
    assert violated_fields(caught.value) == ["symbols[1]"]


async def test_prices_come_from_another_account_where_the_first_does_not_work(
    service: Service, exchange: Exchange
) -> None:
    await exchange.add_fault("main", "^/v2/stocks", action="status", status=500)

    answer = await service.market_data.GetStockQuotes(GetStockQuotesRequest(symbols=["MSFT"]))

    assert [one.symbol for one in answer.quotes] == ["MSFT"]


async def test_prices_of_a_named_account_come_from_that_account_only(
    service: Service, exchange: Exchange
) -> None:
    await exchange.add_fault("main", "^/v2/stocks", action="status", status=500)

    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await service.market_data.GetStockQuotes(GetStockQuotesRequest(symbols=["MSFT"], account_id="main"))

    assert caught.value.code() is grpc.StatusCode.UNAVAILABLE


async def test_the_markets_clock_is_the_brokers(service: Service) -> None:
    clock = await service.market_data.GetMarketClock(GetMarketClockRequest())

    assert clock.is_open
    assert moment(clock.now) < moment(clock.next_close) < moment(clock.next_open)


async def test_health_says_read_and_trade(service: Service) -> None:
    assert [await is_serving(service, name) for name in ("", "read", "trade")] == [True, True, True]


async def test_without_a_usable_account_trade_is_not_serving_and_reads_are(
    exchange: Exchange, tmp_path: Path
) -> None:
    accounts = {"main": exchange.configured("main", paper=False)}
    async with account_service(tmp_path, exchange.url, accounts) as service:
        read, trade = await is_serving(service, "read"), await is_serving(service, "trade")

    assert read
    assert not trade


async def test_an_account_that_cannot_be_reached_at_the_start_may_trade_once_it_answers(
    exchange: Exchange, tmp_path: Path
) -> None:
    await exchange.add_fault("main", "^/v2/account$", action="status", status=500)
    accounts = {"main": exchange.configured("main")}
    async with account_service(tmp_path, exchange.url, accounts) as service:
        tradable_before = await is_serving(service, "trade")
        await exchange.sandbox.clear_faults()
        await service.authorize("main", "first")
        (account,) = (await service.accounts.ListAccounts(ListAccountsRequest())).accounts

    assert not tradable_before
    assert account.tradable


async def test_every_refusal_is_logged_with_account_number_type_and_figures(
    service: Service, exchange: Exchange
) -> None:
    lines: list[dict[str, object]] = []
    sink = logger.add(
        lambda message: lines.append({**message.record["extra"], "text": message.record["message"]})
    )
    await exchange.change_account("real", cash="100")
    try:
        await service.authorize("real", "denied")
        await service.authorize("real", "exit", side="sell", closes_position=True)
    finally:
        logger.remove(sink)

    order, exit_order = [line for line in lines if "denied" in str(line["text"])]
    for line in (order, exit_order):
        assert line["account"] == "real"
        assert line["account_number"] == "900000001"
        assert line["account_type"] == "live"
        assert line["reason"] == "INSUFFICIENT_BALANCE"
        assert (line["cash"], line["holds"], line["minimum_balance"]) == ("100", "0", "2500")
    assert str(order["text"]).startswith("Order denied: BUY MSFT")
    assert str(exit_order["text"]).startswith("Exit denied: SELL MSFT")


async def is_serving(service: Service, name: str) -> bool:
    async with open_channel(f"127.0.0.1:{service.server.port}") as channel:
        check = channel.unary_unary(
            "/grpc.health.v1.Health/Check",
            request_serializer=health_pb2.HealthCheckRequest.SerializeToString,
            response_deserializer=health_pb2.HealthCheckResponse.FromString,
        )
        answer = await check(health_pb2.HealthCheckRequest(service=name))
    return bool(answer.status == health_pb2.HealthCheckResponse.SERVING)
