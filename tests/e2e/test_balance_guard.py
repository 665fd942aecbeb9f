"""FR-002 end to end, proven from the exchange's own ledger."""

import asyncio
import re
from collections.abc import AsyncIterator
from decimal import Decimal
from typing import Any

import grpc
import pytest
import pytest_asyncio
from google.rpc import error_details_pb2

from opitios.order.v1 import order_pb2, order_service_pb2, order_service_pb2_grpc
from rich_errors import error_info
from scenarios import configured_account, exchange_account, scenario
from stack_process import Plan, Stack, running

pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.e2e]

MINIMUM = Decimal(5000)
BUY = {"symbol": "AAPL", "side": "SIDE_BUY", "qty": "1"}


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def system(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Stack]:
    plan = Plan(
        scenario=scenario(
            exchange_account("poor", "PA2000001", "4999.99"),
            exchange_account("crowd", "PA2000002", "7000"),
            exchange_account("dark", "PA2000003"),
            exchange_account("exact", "PA2000004", "5000"),
        ),
        accounts={name: configured_account(name) for name in ("poor", "crowd", "dark", "exact")},
    )
    async with running(plan, tmp_path_factory.mktemp("stack")) as stack:
        yield stack


async def sent_for(system: Stack, account: str) -> list[dict[str, Any]]:
    return await system.sandbox.requests(method="POST", path="/v2/orders", account=account)


async def refusal(system: Stack, account: str) -> tuple[grpc.StatusCode, error_details_pb2.ErrorInfo]:
    stub = order_service_pb2_grpc.OrderServiceStub(system.channel("order_svc"))
    request = order_service_pb2.PlaceOrderRequest(
        account_id=account, symbol="AAPL", side=order_pb2.SIDE_BUY, qty="1"
    )
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await stub.PlaceOrder(request, timeout=10)
    return caught.value.code(), error_info(caught.value)


async def test_below_the_minimum_grpc_gets_the_reason_and_the_figures(system: Stack) -> None:
    code, info = await refusal(system, "poor")

    assert code is grpc.StatusCode.FAILED_PRECONDITION
    assert info.reason == "INSUFFICIENT_BALANCE"
    assert Decimal(info.metadata["cash"]) == Decimal("4999.99")
    assert Decimal(info.metadata["minimum_balance"]) == MINIMUM
    assert Decimal(info.metadata["holds"]) == 0
    assert info.metadata["account_type"] == "paper"
    assert await sent_for(system, "poor") == []


async def test_below_the_minimum_rest_gets_403_on_the_legacy_surface(system: Stack) -> None:
    body = {"symbol": "AAPL", "qty": 1, "side": "buy", "type": "market"}

    answer = await system.rest("POST", "/api/v1/stocks/order?account_id=poor", body=body)

    assert answer.status == 403
    for figure in ("4999.99", "5000"):
        assert figure in answer.json["detail"]
    assert await sent_for(system, "poor") == []


async def test_below_the_minimum_leaves_its_line(system: Stack) -> None:
    await system.rest("POST", "/v1/accounts/poor/orders", body={**BUY, "clientOrderId": "poor-line"})

    lines = [line for line in system.log("order_svc") if "client_order_id=poor-line" in line]
    failed = [line for line in lines if "Order failed:" in line]
    assert len(failed) == 1
    assert re.match(
        r"^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d{3} \| ERROR \| Order failed: BUY AAPL qty=1 "
        r"\| duration=\d+ms \| error=insufficient_balance \| ",
        failed[0],
    )
    assert failed[0] in system.log("order_svc", "errors")


async def test_a_sell_is_refused_below_the_minimum_as_well(system: Stack) -> None:
    body = {
        "symbol": "AAPL",
        "side": "SIDE_SELL",
        "qty": "1",
        "positionIntent": "POSITION_INTENT_SELL_TO_CLOSE",
    }

    answer = await system.rest("POST", "/v1/accounts/poor/orders", body=body)

    assert answer.status == 400
    assert "INSUFFICIENT_BALANCE" in answer.text
    assert await sent_for(system, "poor") == []


async def test_exactly_the_minimum_may_trade(system: Stack) -> None:
    body = {
        "symbol": "AAPL",
        "side": "SIDE_BUY",
        "qty": "1",
        "orderType": "ORDER_TYPE_LIMIT",
        "limitPrice": "1.00",
    }

    answer = await system.rest("POST", "/v1/accounts/exact/orders", body=body)

    assert answer.status == 200, answer.text


@pytest.mark.parametrize(
    "fault",
    [
        pytest.param({"action": "status", "status": 500}, id="500"),
        pytest.param({"action": "status", "status": 401}, id="401"),
        pytest.param({"action": "cut_before"}, id="connection cut"),
        pytest.param({"action": "body", "body": "<html>", "status": 200}, id="HTML"),
        pytest.param({"action": "body", "body": '{"cash":"NaN"}', "status": 200}, id="cash is NaN"),
    ],
)
async def test_with_cash_unreadable_nothing_is_sent(system: Stack, fault: dict[str, Any]) -> None:
    match = {"method": "GET", "path": "^/v2/account$", "account": "dark"}
    await system.sandbox.add_fault({"match": match, "times": "forever", **fault})
    try:
        code, info = await refusal(system, "dark")
        rest = await system.rest("POST", "/v1/accounts/dark/orders", body=BUY)
    finally:
        await system.sandbox.clear_faults()

    assert code is grpc.StatusCode.UNAVAILABLE
    assert info.reason == "BALANCE_UNKNOWN"
    assert rest.status == 503
    assert await sent_for(system, "dark") == []


async def test_fifty_concurrent_buys_never_spend_the_same_cash(system: Stack) -> None:
    """$7,000, a $5,000 minimum, fifty buys of $600: 7,000 - 3 x 600 >= 5,000 lets a fourth out, not a fifth."""
    body = {
        "symbol": "MSFT",
        "side": "SIDE_BUY",
        "qty": "2",
        "orderType": "ORDER_TYPE_LIMIT",
        "limitPrice": "300.05",
    }

    answers = await asyncio.gather(
        *(
            system.rest(
                "POST", "/v1/accounts/crowd/orders", body={**body, "clientOrderId": f"crowd-{number}"}
            )
            for number in range(50)
        )
    )

    placed = [answer for answer in answers if answer.status == 200]
    refused = [answer for answer in answers if "INSUFFICIENT_BALANCE" in answer.text]
    ledger = await system.sandbox.ledger()
    bought = [order for order in ledger["orders"] if order["client_order_id"].startswith("crowd-")]
    cash = [Decimal(entry["cash"]) for entry in ledger["cash"]["crowd"]]
    cost = Decimal("600.10")
    assert (len(placed), len(refused)) == (4, 46)
    assert len(bought) == 4
    # Before each order that left, cash less what the earlier ones could cost was at least the minimum.
    assert all(Decimal(7000) - cost * number >= MINIMUM for number in range(len(bought)))
    assert min(cash) >= MINIMUM - cost
