"""CancelOrder, GetOrder, ListOrders and ListTrackedLots on a real server and a real exchange process."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import grpc
import pytest

from fakes.guard_server import GuardServer, guard_server
from fakes.order_service import (
    ORDERS,
    RunningOrderService,
    buy,
    configuration,
    order_service,
    two_account_exchange,
)
from opitios.account.v1 import account_pb2
from opitios.order.v1 import order_pb2, order_service_pb2
from opitios.order.v1.order_service_pb2 import (
    CancelOrderRequest,
    CancelOrderResponse,
    GetOrderRequest,
    ListAttemptsRequest,
    ListOrdersRequest,
    ListTrackedLotsRequest,
)
from rich_errors import error_info, violated_fields
from sandbox_process import SandboxProcess
from scenarios import OPTION

FAR_BELOW = {"order_type": order_pb2.ORDER_TYPE_LIMIT, "limit_price": "1.00"}
"""An order that stays open."""
CANCEL = r"^/v2/orders/[0-9a-f-]+$"


@pytest.fixture
async def exchange() -> AsyncIterator[SandboxProcess]:
    async with two_account_exchange() as sandbox:
        yield sandbox


@pytest.fixture
async def guard() -> AsyncIterator[GuardServer]:
    async with guard_server() as server:
        yield server


async def _place(service: RunningOrderService, **changes: object) -> order_pb2.Order:
    return (await service.stub.PlaceOrder(buy(**changes), timeout=10)).order


async def _cancel(
    service: RunningOrderService, *, order_id: str = "", client_order_id: str = "", seconds: float = 5
) -> CancelOrderResponse:
    request = CancelOrderRequest(
        account_id="paper", order_id=order_id, client_order_id=client_order_id, reason="stale"
    )
    return await service.stub.CancelOrder(request, timeout=seconds)


@pytest.mark.parametrize("by", ["order_id", "client_order_id"])
async def test_an_open_order_is_cancelled_by_either_id_and_leaves_its_line(
    exchange: SandboxProcess, guard: GuardServer, tmp_path: Path, by: str
) -> None:
    settings = configuration(tmp_path, sandbox_url=exchange.url, guard_port=guard.port)
    async with order_service(settings) as service:
        order = await _place(service, **FAR_BELOW)
        guard.verdict, guard.reason = account_pb2.BALANCE_VERDICT_BELOW, "INSUFFICIENT_BALANCE"
        named = {by: getattr(order, by)}
        answer = await _cancel(service, **named)
        again = await _cancel(service, **named)
        _, line, repeated = service.log.attempts()
        attempts = (await service.stub.ListAttempts(ListAttemptsRequest(account_id="paper"))).attempts

    assert answer.outcome == order_service_pb2.CANCEL_OUTCOME_CANCELED
    assert answer.order.state == order_pb2.ORDER_STATE_CANCELED
    assert answer.order.canceled_at.ToNanoseconds() > 0
    assert again.outcome == order_service_pb2.CANCEL_OUTCOME_CANCELED
    assert line.startswith(f"Order cancelled: BUY AAPL qty=1 | order_id={order.order_id} | duration=")
    assert " | success=true | " in line
    assert line.endswith(" | reason=stale")
    assert repeated.startswith("Order cancelled: ")
    assert [one.kind for one in attempts] == [
        order_service_pb2.ATTEMPT_KIND_CANCEL,
        order_service_pb2.ATTEMPT_KIND_CANCEL,
        order_service_pb2.ATTEMPT_KIND_PLACE,
    ]
    assert len(await exchange.requests(method="DELETE", path=CANCEL)) == 1


async def test_a_filled_order_is_told_as_final(
    exchange: SandboxProcess, guard: GuardServer, tmp_path: Path
) -> None:
    settings = configuration(tmp_path, sandbox_url=exchange.url, guard_port=guard.port)
    async with order_service(settings) as service:
        order = await _place(service, **FAR_BELOW)
        await exchange.fill(order.order_id)
        answer = await _cancel(service, order_id=order.order_id)
        line = service.log.attempts()[-1]

    assert answer.outcome == order_service_pb2.CANCEL_OUTCOME_ALREADY_FINAL
    assert answer.order.state == order_pb2.ORDER_STATE_FILLED
    assert line.startswith("Cancel failed: BUY AAPL qty=1 | ")
    assert " | error=already_filled | " in line


async def test_a_lost_answer_to_a_cancel_is_settled_by_reading(
    exchange: SandboxProcess, guard: GuardServer, tmp_path: Path
) -> None:
    await exchange.add_fault({"match": {"method": "DELETE", "path": CANCEL}, "action": "truncate"})
    await exchange.add_fault(
        {"match": {"method": "DELETE", "path": CANCEL}, "action": "body", "status": 500, "body": ""}
    )
    settings = configuration(tmp_path, sandbox_url=exchange.url, guard_port=guard.port)
    async with order_service(settings) as service:
        order = await _place(service, **FAR_BELOW)
        answer = await _cancel(service, order_id=order.order_id)

    assert answer.outcome == order_service_pb2.CANCEL_OUTCOME_CANCELED


async def test_a_cancel_that_the_broker_refuses_while_the_order_is_open_is_an_error(
    exchange: SandboxProcess, guard: GuardServer, tmp_path: Path
) -> None:
    body = {"code": 42210000, "message": "order is not cancelable"}
    await exchange.add_fault(
        {"match": {"method": "DELETE", "path": CANCEL}, "action": "status", "status": 422, "body": body}
    )
    settings = configuration(tmp_path, sandbox_url=exchange.url, guard_port=guard.port)
    async with order_service(settings) as service:
        order = await _place(service, **FAR_BELOW)
        with pytest.raises(grpc.aio.AioRpcError) as refused:
            await _cancel(service, order_id=order.order_id, seconds=1)
        lines = service.log.attempts()

    assert refused.value.code() is grpc.StatusCode.FAILED_PRECONDITION
    assert error_info(refused.value).reason == "CANCEL_REJECTED"
    assert error_info(refused.value).metadata["broker_code"] == "42210000"
    assert len(lines) == 2
    assert " | error=cancel_rejected | " in lines[1]


async def test_an_order_placed_elsewhere_is_read_listed_and_cancelled(
    exchange: SandboxProcess, guard: GuardServer, tmp_path: Path
) -> None:
    elsewhere = configuration(tmp_path / "elsewhere", sandbox_url=exchange.url, guard_port=guard.port)
    async with order_service(elsewhere) as other:
        order = await _place(other, client_order_id="theirs", **FAR_BELOW)
    here = configuration(tmp_path / "here", sandbox_url=exchange.url, guard_port=guard.port)
    async with order_service(here) as service:
        request = GetOrderRequest(account_id="paper", client_order_id="theirs")
        read = (await service.stub.GetOrder(request)).order
        listed = (await service.stub.ListOrders(ListOrdersRequest(account_id="paper"))).orders
        answer = await _cancel(service, client_order_id="theirs")
        (line,) = service.log.attempts()

    assert (read.order_id, read.state, read.limit_price) == (
        order.order_id,
        order_pb2.ORDER_STATE_WORKING,
        "1",
    )
    assert not read.HasField("received_at")
    assert [one.order_id for one in listed] == [order.order_id]
    assert answer.outcome == order_service_pb2.CANCEL_OUTCOME_CANCELED
    assert line.startswith(f"Order cancelled: BUY AAPL qty=1 | order_id={order.order_id} | ")


@pytest.mark.parametrize(
    ("named", "fields"),
    [
        pytest.param({}, ["order_id"], id="neither id"),
        pytest.param({"order_id": "x", "client_order_id": "y"}, ["client_order_id"], id="both ids"),
        pytest.param({"order_id": "../account"}, ["order_id"], id="no UUID"),
        pytest.param({"client_order_id": "\u00e9"}, ["client_order_id"], id="not ASCII"),
    ],
)
async def test_a_badly_named_order_is_refused_by_field(
    guard: GuardServer, tmp_path: Path, named: dict[str, str], fields: list[str]
) -> None:
    settings = configuration(tmp_path, sandbox_url="http://127.0.0.1:1", guard_port=guard.port, accounts={})
    request = CancelOrderRequest(account_id="paper", **named)
    async with order_service(settings) as service:
        with pytest.raises(grpc.aio.AioRpcError) as refused:
            await service.stub.CancelOrder(request, timeout=5)

    assert refused.value.code() is grpc.StatusCode.INVALID_ARGUMENT
    assert violated_fields(refused.value) == fields


async def test_an_order_that_nobody_has_is_not_found(
    exchange: SandboxProcess, guard: GuardServer, tmp_path: Path
) -> None:
    settings = configuration(tmp_path, sandbox_url=exchange.url, guard_port=guard.port)
    async with order_service(settings) as service:
        with pytest.raises(grpc.aio.AioRpcError) as read:
            await service.stub.GetOrder(GetOrderRequest(account_id="paper", client_order_id="none"))
        with pytest.raises(grpc.aio.AioRpcError) as canceled:
            await _cancel(service, client_order_id="none")
        (line,) = service.log.attempts()

    assert read.value.code() is grpc.StatusCode.NOT_FOUND
    assert error_info(read.value).reason == "ORDER_NOT_FOUND"
    assert canceled.value.code() is grpc.StatusCode.NOT_FOUND
    assert line.startswith("Cancel failed: - - qty=- | ")


async def test_open_orders_of_the_journal_follow_the_broker(
    exchange: SandboxProcess, guard: GuardServer, tmp_path: Path
) -> None:
    await exchange.set_matching(auto=False)
    settings = configuration(tmp_path, sandbox_url=exchange.url, guard_port=guard.port)
    async with order_service(settings) as service:
        order = await _place(service, qty="10", client_order_id="k", **FAR_BELOW)
        await exchange.fill(order.order_id, qty="4")
        request = GetOrderRequest(account_id="paper", order_id=order.order_id)
        partly = (await service.stub.GetOrder(request)).order
        await exchange.fill(order.order_id)
        wholly = (await service.stub.GetOrder(request)).order

    assert (partly.state, partly.filled_qty) == (order_pb2.ORDER_STATE_PARTIALLY_FILLED, "4")
    assert (wholly.state, wholly.filled_qty) == (order_pb2.ORDER_STATE_FILLED, "10")
    assert [one.state for one in wholly.transitions][-3:] == [
        order_pb2.ORDER_STATE_WORKING,
        order_pb2.ORDER_STATE_PARTIALLY_FILLED,
        order_pb2.ORDER_STATE_FILLED,
    ]


async def test_lots_are_what_was_bought_here_less_what_was_sold_here(
    exchange: SandboxProcess, guard: GuardServer, tmp_path: Path
) -> None:
    settings = configuration(tmp_path, sandbox_url=exchange.url, guard_port=guard.port)
    async with order_service(settings) as service:
        await _place(service, symbol=OPTION, qty="2", client_order_id="auto", auto_sell_enabled=True)
        await _place(service, symbol=OPTION, qty="3", client_order_id="manual")
        sell = {"side": order_pb2.SIDE_SELL, "position_intent": order_pb2.POSITION_INTENT_SELL_TO_CLOSE}
        await _place(service, symbol=OPTION, qty="1", client_order_id="sold", **sell)
        lots = (await service.stub.ListTrackedLots(ListTrackedLotsRequest(account_id="paper"))).lots

    assert [(lot.client_order_id, lot.remaining_qty, lot.auto_sell_enabled) for lot in lots] == [
        ("auto", "1", True),
        ("manual", "3", False),
    ]


async def test_lots_are_not_told_while_open_orders_cannot_be_read(
    exchange: SandboxProcess, guard: GuardServer, tmp_path: Path
) -> None:
    settings = configuration(tmp_path, sandbox_url=exchange.url, guard_port=guard.port)
    async with order_service(settings) as service:
        await _place(service, **FAR_BELOW)
        await exchange.add_fault(
            {"match": {"method": "GET", "path": ORDERS}, "action": "status", "status": 500, "times": None}
        )
        with pytest.raises(grpc.aio.AioRpcError) as refused:
            await service.stub.ListTrackedLots(ListTrackedLotsRequest(account_id="paper"))

    assert refused.value.code() is grpc.StatusCode.UNAVAILABLE
