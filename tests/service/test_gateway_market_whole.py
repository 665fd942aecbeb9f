"""Bars and chains through gateway and account_svc, both real, down to a broker's recorded answers."""

from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp
import pytest

from fakes.account_service import account_service
from fakes.gateway_services import configuration
from fakes.recorded_market import CALL, LATER, PUT, RecordedMarket
from fakes.scripted_broker import ScriptedBroker, reply
from gateway.app import open_app

ACCOUNTS = {"only": {"api_key": "PKA", "secret_key": "made-up-secret", "paper_trading": True}}


@pytest.fixture
async def market() -> AsyncIterator[RecordedMarket]:
    async with ScriptedBroker() as broker:
        yield RecordedMarket(broker)


@pytest.fixture
async def http(market: RecordedMarket, tmp_path: Path) -> AsyncIterator[aiohttp.ClientSession]:
    async with account_service(tmp_path, market.broker.url, ACCOUNTS) as service:
        settings = configuration({"account": service.server.port})
        async with (
            open_app(settings) as gateway,
            aiohttp.ClientSession(base_url=f"http://127.0.0.1:{gateway.port}") as session,
        ):
            yield session


async def test_bars_are_the_same_prices_on_both_surfaces(http: aiohttp.ClientSession) -> None:
    async with http.get("/api/v1/stocks/AAPL/bars?start_date=2025-09-01&end_date=2025-09-30") as legacy:
        former = await legacy.json()
    async with http.get("/v1/stocks/AAPL/bars?timeframe=1Day&start=2025-09-01T00:00:00Z") as v1:
        present = await v1.json()

    assert (legacy.status, v1.status) == (200, 200)
    assert [bar["close"] for bar in former["bars"]] == [238.99, 237.88]
    assert [bar["close"] for bar in present["bars"]] == ["238.99", "237.88"]
    assert former["bars"][0]["timestamp"] == "2025-09-17 00:00:00 EDT"
    assert present["bars"][0]["startedAt"] == "2025-09-17T04:00:00Z"


async def test_a_chain_of_two_pages_is_one_on_both_surfaces(http: aiohttp.ClientSession) -> None:
    async with http.get("/api/v1/options/aapl/chain") as legacy:
        former = await legacy.json()
    async with http.get("/v1/options/AAPL/chain") as v1:
        present = await v1.json()

    assert [one["symbol"] for one in former["options"]] == [PUT, CALL, LATER]
    assert [one["symbol"] for one in present["contracts"]] == [PUT, CALL, LATER]
    assert former["options"][1]["greeks"]["delta"] == 0.5412
    assert present["contracts"][1]["greeks"]["delta"] == "0.5412"
    assert "bid_price" not in former["options"][0], "nobody bids"
    assert former["underlying_price"] == 237.9


async def test_a_plan_that_is_too_small_is_the_former_403(
    http: aiohttp.ClientSession, market: RecordedMarket
) -> None:
    told = "subscription does not permit querying recent SIP data"
    market.answers["/v2/stocks/bars"] = reply(403, {"message": told})

    async with http.get("/api/v1/stocks/AAPL/bars") as answer:
        detail = (await answer.json())["detail"]

    assert (answer.status, detail["error_code"], detail["alpaca_error"]) == (403, "SUBSCRIPTION_LIMIT", told)


async def test_an_underlying_that_nobody_knows_is_the_former_404(http: aiohttp.ClientSession) -> None:
    async with http.get("/api/v1/options/NOSUCH/chain") as answer:
        detail = (await answer.json())["detail"]

    assert (answer.status, detail["error_code"]) == (404, "OPTIONS_CHAIN_UNAVAILABLE")
    assert "suggestion" not in detail
