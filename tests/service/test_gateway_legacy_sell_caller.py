"""The calls of the former sell module, made as it made them: plain HTTP from loopback, without a token."""

import asyncio
import http.client
import json
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from urllib.parse import urlencode

import pytest
import pytest_asyncio

from fakes.gateway_market import CALL
from fakes.gateway_orders import STOCK_ORDER_ID, account, listed, option_order, placed, stock_order
from fakes.gateway_services import Gateway, running_gateway
from opitios.account.v1 import account_pb2 as accounts
from opitios.account.v1 import account_service_pb2 as account_service
from opitios.order.v1 import order_pb2 as orders
from opitios.order.v1 import order_service_pb2 as service

pytestmark = [pytest.mark.asyncio(loop_scope="module")]

OPEN = "open,accepted,replaced"
SNAPSHOT = accounts.AccountSnapshot(
    account=accounts.Account(account_id="paper", account_number="PA3ABC"),
    cash="6000.50",
    buying_power="12001",
    portfolio_value="7000",
    multiplier="1",
)
POSITION = accounts.Position(
    symbol=CALL,
    asset_class="us_option",
    qty="2",
    qty_available="2",
    side="long",
    avg_entry_price="8.5",
    current_price="10",
    unrealized_plpc="0.1765",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Heard:
    """What the module looks at of an answer."""

    status: int
    headers: http.client.HTTPMessage
    json: Any


@dataclass(frozen=True, slots=True, kw_only=True)
class SellModule:
    """Speaks HTTP/1.1 by the standard library alone, one connection a call."""

    port: int

    async def call(self, method: str, path: str, body: object = None, **query: str) -> Heard:
        return await asyncio.to_thread(self._call, method, f"/api/v1{path}?{urlencode(query)}", body)

    def _call(self, method: str, target: str, body: object) -> Heard:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=10)
        try:
            sent = None if body is None else json.dumps(body)
            headers = {} if body is None else {"Content-Type": "application/json"}
            connection.request(method, target, body=sent, headers=headers)
            answer = connection.getresponse()
            return Heard(status=answer.status, headers=answer.headers, json=json.loads(answer.read()))
        finally:
            connection.close()


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def running() -> AsyncIterator[Gateway]:
    async with running_gateway() as gateway:
        yield gateway


@pytest.fixture
def gateway(running: Gateway) -> Gateway:
    running.services.forget()
    running.clock.advance(61)
    running.on("ListAccounts", listed(account("paper")))
    running.on("GetAccount", account_service.GetAccountResponse(snapshot=SNAPSHOT))
    held = accounts.AccountPositions(account_id="paper", positions=[POSITION])
    running.on("ListPositions", account_service.ListPositionsResponse(accounts=[held]))
    return running


@pytest.fixture
def module(gateway: Gateway) -> SellModule:
    return SellModule(port=gateway.port)


async def test_it_reads_the_account_and_its_positions(module: SellModule) -> None:
    figures = await module.call("GET", "/account", account_id="paper")
    positions = await module.call("GET", "/positions", account_id="paper")

    assert (figures.status, positions.status) == (200, 200)
    assert isinstance(figures.json["cash"], float)
    assert [(one["symbol"], one["qty"], one["avg_entry_price"]) for one in positions.json] == [
        (CALL, 2.0, 8.5)
    ]


async def test_it_lists_open_orders_and_can_tell_their_age(gateway: Gateway, module: SellModule) -> None:
    gateway.on(
        "ListOrders",
        service.ListOrdersResponse(
            orders=[
                option_order(broker_status="partially_filled"),
                option_order(broker_status="replaced"),
                option_order(broker_status="filled"),
            ]
        ),
    )

    answer = await module.call("GET", "/orders", account_id="paper", status=OPEN)

    assert answer.status == 200
    assert [one["status"] for one in answer.json] == ["partially_filled", "replaced"]
    assert datetime.fromisoformat(answer.json[0]["submitted_at"]) == datetime.fromisoformat(
        "2025-09-18T15:53:53"
    )


async def test_it_cancels_a_stale_order(gateway: Gateway, module: SellModule) -> None:
    gateway.on(
        "CancelOrder",
        service.CancelOrderResponse(outcome=service.CANCEL_OUTCOME_REQUESTED, order=stock_order()),
    )

    answer = await module.call("DELETE", f"/orders/{STOCK_ORDER_ID}", account_id="paper")

    assert (answer.status, answer.json) == (200, {"status": "cancelled", "order_id": STOCK_ORDER_ID})


async def test_it_sells_an_option_at_a_limit(gateway: Gateway, module: SellModule) -> None:
    gateway.on("PlaceOrder", placed(option_order(symbol=CALL, side=orders.SIDE_SELL)))
    body = {"option_symbol": CALL, "qty": 2, "side": "sell", "type": "limit", "limit_price": 9.95}

    answer = await module.call("POST", "/options/order", body, account_id="paper")

    assert answer.status == 200
    assert (answer.json["id"], answer.json["side"], answer.json["asset_class"]) == (
        STOCK_ORDER_ID,
        "sell",
        "option",
    )
    sent = gateway.asked("PlaceOrder", service.PlaceOrderRequest)
    assert (sent.symbol, sent.qty, sent.limit_price, sent.side) == (CALL, "2", "9.95", orders.SIDE_SELL)


async def test_over_the_limit_body_and_headers_tell_it_when_to_come_again(
    gateway: Gateway, module: SellModule
) -> None:
    gateway.on("ListOrders", service.ListOrdersResponse())
    answers = [await module.call("GET", "/orders", account_id="busy", status=OPEN) for _ in range(121)]

    assert [one.status for one in answers] == [200] * 120 + [429]
    refused = answers[-1]
    assert set(refused.json) == {"detail", "limit", "remaining", "reset_time"}
    assert (refused.json["limit"], refused.json["remaining"]) == (120, 0)
    assert refused.headers["X-RateLimit-Reset"] == str(refused.json["reset_time"])
    assert (await module.call("GET", "/orders", account_id="idle", status=OPEN)).status == 200
