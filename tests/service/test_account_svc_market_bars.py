"""GetStockBars and GetOptionChain: a real server before a broker that answers as Alpaca was recorded to."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import grpc
import pytest

from fakes.account_service import Service, account_service
from fakes.recorded_market import CALL, LATER, PUT, RecordedMarket
from fakes.scripted_broker import Answer, ScriptedBroker, reply
from opitios.account.v1.market_data_service_pb2 import GetOptionChainRequest, GetStockBarsRequest
from rich_errors import error_info, violated_fields

BARS_PATH = "/v2/stocks/bars"
CHAIN_PATH = "/v1beta1/options/snapshots/AAPL"


@pytest.fixture
async def market() -> AsyncIterator[RecordedMarket]:
    async with ScriptedBroker() as broker:
        yield RecordedMarket(broker)


@pytest.fixture
async def service(market: RecordedMarket, tmp_path: Path) -> AsyncIterator[Service]:
    accounts = {
        "paper": {"api_key": "PKA", "secret_key": "made-up-secret", "paper_trading": True},
        "live": {
            "api_key": "AKA",
            "secret_key": "made-up-secret",
            "paper_trading": False,
            "account_type": "live",
        },
    }
    async with account_service(tmp_path, market.broker.url, accounts) as running:
        yield running


async def test_bars_come_oldest_first_with_their_exact_figures(service: Service) -> None:
    answer = await service.market_data.GetStockBars(GetStockBarsRequest(symbol="AAPL", account_id="paper"))

    first, second = answer.bars
    assert answer.symbol == "AAPL"
    assert first.started_at.ToDatetime(tzinfo=UTC) == datetime(2025, 9, 17, 4, tzinfo=UTC)
    assert (first.open, first.high, first.low, first.close) == ("238.97", "240.1", "237.7301", "238.99")
    assert (first.volume, first.trade_count, first.vwap) == ("46508017", 531245, "238.96")
    assert not second.HasField("trade_count")
    assert not second.HasField("vwap")


async def test_without_more_100_day_bars_of_the_last_30_days_are_asked_for(
    service: Service, market: RecordedMarket
) -> None:
    await service.market_data.GetStockBars(GetStockBarsRequest(symbol="AAPL", account_id="paper"))

    (asked,) = market.asked(BARS_PATH)
    start, end = (datetime.fromisoformat(asked[name]) for name in ("start", "end"))
    assert end - start == timedelta(days=30)
    assert abs(datetime.now(UTC) - end) < timedelta(minutes=1)
    assert {
        name: asked[name] for name in ("symbols", "timeframe", "limit", "adjustment", "sort", "feed")
    } == {
        "symbols": "AAPL",
        "timeframe": "1Day",
        "limit": "100",
        "adjustment": "raw",
        "sort": "asc",
        "feed": "iex",
    }


@pytest.mark.parametrize("timeframe", ["1Min", "5Min", "15Min", "1Hour", "1Day"])
async def test_every_timeframe_reaches_the_broker_by_its_name(
    service: Service, market: RecordedMarket, timeframe: str
) -> None:
    await service.market_data.GetStockBars(
        GetStockBarsRequest(symbol="AAPL", account_id="live", timeframe=timeframe)
    )

    (asked,) = market.asked(BARS_PATH)
    assert (asked["timeframe"], asked["feed"]) == (timeframe, "sip")


async def test_no_bars_are_an_empty_list(service: Service, market: RecordedMarket) -> None:
    market.answers[BARS_PATH] = reply(200, {"bars": {}, "next_page_token": None})

    answer = await service.market_data.GetStockBars(GetStockBarsRequest(symbol="AAPL", account_id="paper"))

    assert list(answer.bars) == []


PLAN = {"message": "subscription does not permit querying recent SIP data"}
FAILURES: list[tuple[str, Answer, grpc.StatusCode, str]] = [
    ("plan, 403", reply(403, PLAN), grpc.StatusCode.FAILED_PRECONDITION, "DATA_PLAN_TOO_SMALL"),
    ("plan, 422", reply(422, PLAN), grpc.StatusCode.FAILED_PRECONDITION, "DATA_PLAN_TOO_SMALL"),
    (
        "a price that is no number",
        reply(200, {"bars": {"AAPL": [{"t": "2025-09-17T04:00:00Z", "o": "x"}]}, "next_page_token": None}),
        grpc.StatusCode.UNAVAILABLE,
        "BROKER_ANSWER_UNREADABLE",
    ),
    (
        "bars that are no list",
        reply(200, {"bars": {"AAPL": 7}, "next_page_token": None}),
        grpc.StatusCode.UNAVAILABLE,
        "BROKER_ANSWER_UNREADABLE",
    ),
    ("an outage", reply(500, {"message": "down"}), grpc.StatusCode.UNAVAILABLE, "BROKER_UNREACHABLE"),
]


@pytest.mark.parametrize(
    ("answer", "code", "reason"), [row[1:] for row in FAILURES], ids=[row[0] for row in FAILURES]
)
async def test_bars_that_cannot_be_read_say_why(
    service: Service, market: RecordedMarket, answer: Answer, code: grpc.StatusCode, reason: str
) -> None:
    market.answers[BARS_PATH] = answer

    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await service.market_data.GetStockBars(GetStockBarsRequest(symbol="AAPL", account_id="live"))

    assert (caught.value.code(), error_info(caught.value).reason) == (code, reason)


def at(year: int) -> Any:
    return datetime(year, 1, 1, tzinfo=UTC)


@pytest.mark.parametrize(
    ("question", "fields"),
    [
        pytest.param({"symbol": "aapl"}, ["symbol"], id="lower case"),
        pytest.param({"symbol": CALL}, ["symbol"], id="an option"),
        pytest.param({"symbol": "AAPL", "timeframe": "2Min", "limit": -1}, ["timeframe", "limit"], id="two"),
        pytest.param({"symbol": "AAPL", "limit": 10_001}, ["limit"], id="too many"),
        pytest.param({"symbol": "AAPL", "start": at(2025), "end": at(2024)}, ["end"], id="backwards"),
        pytest.param({"symbol": "AAPL", "end": at(1900)}, ["end"], id="before there were bars"),
    ],
)
async def test_a_malformed_question_for_bars_names_its_fields(
    service: Service, question: dict[str, Any], fields: list[str]
) -> None:
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await service.market_data.GetStockBars(GetStockBarsRequest(**question))

    assert caught.value.code() is grpc.StatusCode.INVALID_ARGUMENT
    assert violated_fields(caught.value) == fields


async def test_a_chain_is_read_page_by_page_and_sorted_by_expiry_strike_and_right(
    service: Service, market: RecordedMarket
) -> None:
    answer = await service.market_data.GetOptionChain(
        GetOptionChainRequest(underlying_symbol="AAPL", account_id="paper")
    )

    assert [one.symbol for one in answer.contracts] == [PUT, CALL, LATER]
    assert answer.underlying_price == "237.9"
    assert [asked.get("page_token") for asked in market.asked(CHAIN_PATH)] == [None, "second"]


async def test_a_contract_shows_what_the_broker_knows_and_nothing_else(service: Service) -> None:
    answer = await service.market_data.GetOptionChain(
        GetOptionChainRequest(underlying_symbol="AAPL", account_id="paper")
    )

    put, call, later = answer.contracts
    assert (call.strike_price, call.expiration_date, call.option_type) == ("200.000", "2030-12-20", "call")
    assert (call.quote.bid_price, call.quote.ask_size, call.quote.last_price) == ("9.95", "7", "10.0")
    assert (call.implied_volatility, call.greeks.delta, call.greeks.theta) == ("0.2871", "0.5412", "-0.087")
    assert not call.greeks.HasField("rho")
    assert (put.quote.HasField("bid_price"), put.quote.ask_price) == (False, "5.4")
    assert not put.HasField("greeks")
    assert (later.option_type, Decimal(later.strike_price)) == ("call", Decimal("150.5"))
    assert not later.HasField("quote")


async def test_expiry_and_right_are_the_brokers_to_filter(service: Service, market: RecordedMarket) -> None:
    answer = await service.market_data.GetOptionChain(
        GetOptionChainRequest(underlying_symbol="AAPL", expiration_date="2030-12-21", option_type="put")
    )

    (asked,) = market.asked(CHAIN_PATH)
    assert (asked["expiration_date"], asked["type"], asked["limit"]) == ("2030-12-21", "put", "1000")
    assert list(answer.contracts) == []


async def test_a_chain_without_a_price_of_its_underlying_is_still_a_chain(
    service: Service, market: RecordedMarket
) -> None:
    market.answers["/v2/stocks/quotes/latest"] = reply(500, {"message": "down"})

    answer = await service.market_data.GetOptionChain(
        GetOptionChainRequest(underlying_symbol="AAPL", account_id="paper")
    )

    assert len(answer.contracts) == 3
    assert not answer.HasField("underlying_price")


async def test_a_contract_that_cannot_be_read_is_left_out_and_the_others_stay(
    service: Service, market: RecordedMarket
) -> None:
    odd = {"latestQuote": {"t": "yesterday"}}
    market.answers[CHAIN_PATH] = reply(
        200, {"snapshots": {"AAPL": {}, CALL: odd, PUT: {}}, "next_page_token": None}
    )

    answer = await service.market_data.GetOptionChain(
        GetOptionChainRequest(underlying_symbol="AAPL", account_id="paper")
    )

    assert [one.symbol for one in answer.contracts] == [PUT]


async def test_an_underlying_that_the_broker_does_not_know_is_its_refusal(service: Service) -> None:
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await service.market_data.GetOptionChain(
            GetOptionChainRequest(underlying_symbol="NOSUCH", account_id="paper")
        )

    assert error_info(caught.value).reason == "BROKER_REFUSED"


async def test_a_malformed_question_for_a_chain_names_its_fields(service: Service) -> None:
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await service.market_data.GetOptionChain(
            GetOptionChainRequest(underlying_symbol="", expiration_date="20301220", option_type="straddle")
        )

    assert caught.value.code() is grpc.StatusCode.INVALID_ARGUMENT
    assert violated_fields(caught.value) == ["underlying_symbol", "expiration_date", "option_type"]
