"""Orders whose answer is lost: bound when they exist, ended only on evidence, never sent twice."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

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
from opitios.order.v1 import order_pb2
from opitios.order.v1.order_service_pb2 import GetOrderRequest
from rich_errors import error_info
from sandbox_process import SandboxProcess


@pytest.fixture
async def exchange() -> AsyncIterator[SandboxProcess]:
    async with two_account_exchange() as sandbox:
        yield sandbox


@pytest.fixture
async def guard() -> AsyncIterator[GuardServer]:
    async with guard_server() as server:
        yield server


async def _plant(exchange: SandboxProcess, **fault: object) -> None:
    await exchange.add_fault({"match": {"method": "POST", "path": ORDERS}, **fault})


async def _get(service: RunningOrderService, key: str) -> order_pb2.Order:
    request = GetOrderRequest(account_id="paper", client_order_id=key)
    return (await service.stub.GetOrder(request, timeout=10)).order


async def _posted(exchange: SandboxProcess) -> list[dict[str, Any]]:
    orders: list[dict[str, Any]] = (await exchange.ledger())["orders"]
    return orders


@pytest.mark.parametrize(
    "fault",
    [
        pytest.param({"action": "cut_after"}, id="connection cut after the order was taken"),
        pytest.param({"action": "truncate"}, id="half an answer"),
        pytest.param(
            {"action": "body", "status": 504, "body": ""}, id="gateway timeout after the order was taken"
        ),
        pytest.param({"action": "body", "body": "<html>"}, id="an answer that is not JSON"),
    ],
)
async def test_an_order_whose_answer_was_lost_is_found_and_bound(
    exchange: SandboxProcess, guard: GuardServer, tmp_path: Path, fault: dict[str, object]
) -> None:
    await _plant(exchange, **fault)
    settings = configuration(tmp_path, sandbox_url=exchange.url, guard_port=guard.port)
    async with order_service(settings) as service:
        order = (await service.stub.PlaceOrder(buy(client_order_id="k"), timeout=10)).order
        (line,) = service.log.attempts()
        shown = await _get(service, "k")

    (taken,) = await _posted(exchange)
    assert order.order_id == taken["id"]
    assert line.startswith(f"Order placed: BUY AAPL qty=1 | order_id={taken['id']} | ")
    assert order_pb2.ORDER_STATE_UNKNOWN in [one.state for one in shown.transitions]
    assert guard.released == []


async def test_an_acceptance_with_unknown_words_in_it_is_an_acceptance(
    exchange: SandboxProcess, guard: GuardServer, tmp_path: Path
) -> None:
    order_id = "61e69015-8549-4bfd-b9c3-01e75843f47d"
    await _plant(exchange, action="body", body={"id": order_id, "status": 7, "news": ["of", "2031"]})
    settings = configuration(tmp_path, sandbox_url=exchange.url, guard_port=guard.port)
    async with order_service(settings) as service:
        order = (await service.stub.PlaceOrder(buy(client_order_id="k"), timeout=10)).order

    assert (order.order_id, order.state) == (order_id, order_pb2.ORDER_STATE_WORKING)


async def test_unknown_is_told_before_the_deadline_and_resolved_behind_it(
    exchange: SandboxProcess, guard: GuardServer, tmp_path: Path
) -> None:
    await _plant(exchange, action="hang_after")
    await exchange.add_fault({"match": {"path": "by_client_order_id"}, "action": "hang"})
    settings = configuration(
        tmp_path, sandbox_url=exchange.url, guard_port=guard.port, trading={"order_timeout_seconds": 0.5}
    )
    async with order_service(settings) as service:
        order = (await service.stub.PlaceOrder(buy(client_order_id="k"), timeout=1.0)).order
        assert order.state == order_pb2.ORDER_STATE_UNKNOWN
        resolved = await service.log.wait_for("Order resolved: BUY AAPL qty=1")
        lines = service.log.attempts()
        shown = await _get(service, "k")

    (taken,) = await _posted(exchange)
    assert shown.order_id == taken["id"]
    assert f" | order_id={taken['id']} | " in resolved
    assert len(lines) == 1
    assert lines[0].startswith("Order failed: BUY AAPL qty=1 | ")
    assert " | error=unknown_outcome | " in lines[0]


async def test_an_order_that_never_arrived_ends_after_its_quarantine_and_two_misses(
    exchange: SandboxProcess, guard: GuardServer, tmp_path: Path
) -> None:
    await _plant(exchange, action="cut_before")
    settings = configuration(tmp_path, sandbox_url=exchange.url, guard_port=guard.port)
    async with order_service(settings) as service:
        with pytest.raises(grpc.aio.AioRpcError):
            await service.stub.PlaceOrder(buy(client_order_id="k"), timeout=10)
        with pytest.raises(grpc.aio.AioRpcError) as refused:
            await service.stub.PlaceOrder(buy(client_order_id="k"), timeout=10)
        (line,) = service.log.attempts()
        shown = await _get(service, "k")

    assert refused.value.code() is grpc.StatusCode.FAILED_PRECONDITION
    assert error_info(refused.value).reason == "ORDER_NOT_PLACED"
    assert shown.state == order_pb2.ORDER_STATE_NOT_PLACED
    assert " | error=order_not_placed | " in line
    assert [held.hold_id for held in guard.released] == ["k"]
    assert len(await exchange.requests(method="POST", path=ORDERS)) == 1
    assert len(await exchange.requests(path="by_client_order_id")) >= 2
    assert await _posted(exchange) == []


async def test_an_order_that_outlives_its_callers_time_is_settled_to_the_end(
    exchange: SandboxProcess, guard: GuardServer, tmp_path: Path
) -> None:
    await _plant(exchange, action="hang")
    settings = configuration(
        tmp_path, sandbox_url=exchange.url, guard_port=guard.port, trading={"order_timeout_seconds": 3.0}
    )
    async with order_service(settings) as service:
        order = (await service.stub.PlaceOrder(buy(client_order_id="k"), timeout=2.5)).order
        await guard.wait_for(guard.released, 1)
        shown = await _get(service, "k")

    assert order.state == order_pb2.ORDER_STATE_UNKNOWN
    assert shown.state == order_pb2.ORDER_STATE_NOT_PLACED


async def test_lookups_that_fail_prove_nothing(
    exchange: SandboxProcess, guard: GuardServer, tmp_path: Path
) -> None:
    await _plant(exchange, action="cut_before")
    await exchange.add_fault(
        {"match": {"path": "by_client_order_id"}, "action": "status", "status": 500, "times": None}
    )
    settings = configuration(tmp_path, sandbox_url=exchange.url, guard_port=guard.port)
    async with order_service(settings) as service:
        order = (await service.stub.PlaceOrder(buy(client_order_id="k"), timeout=2.5)).order
        shown = await _get(service, "k")

    # The quarantine of this test is 0.4 s: it is over, and still nothing is concluded.
    assert order.state == order_pb2.ORDER_STATE_UNKNOWN
    assert shown.state == order_pb2.ORDER_STATE_UNKNOWN
    assert guard.released == []


async def test_a_client_order_id_that_a_strangers_order_has_is_refused(
    exchange: SandboxProcess, guard: GuardServer, tmp_path: Path
) -> None:
    first = configuration(tmp_path / "one", sandbox_url=exchange.url, guard_port=guard.port)
    async with order_service(first) as stranger:
        await stranger.stub.PlaceOrder(buy(client_order_id="k", qty="7"), timeout=10)
    # Another journal, which knows nothing of that order.
    second = configuration(tmp_path / "two", sandbox_url=exchange.url, guard_port=guard.port)
    async with order_service(second) as service:
        with pytest.raises(grpc.aio.AioRpcError) as refused:
            await service.stub.PlaceOrder(buy(client_order_id="k", qty="1"), timeout=10)

    assert refused.value.code() is grpc.StatusCode.ALREADY_EXISTS
    assert error_info(refused.value).reason == "CLIENT_ORDER_ID_REUSED"
    assert [order["qty"] for order in await _posted(exchange)] == ["7"]


async def test_a_duplicate_that_is_our_own_order_is_bound(
    exchange: SandboxProcess, guard: GuardServer, tmp_path: Path
) -> None:
    first = configuration(tmp_path / "one", sandbox_url=exchange.url, guard_port=guard.port)
    async with order_service(first) as other:
        placed = (await other.stub.PlaceOrder(buy(client_order_id="k"), timeout=10)).order
    second = configuration(tmp_path / "two", sandbox_url=exchange.url, guard_port=guard.port)
    async with order_service(second) as service:
        bound = (await service.stub.PlaceOrder(buy(client_order_id="k"), timeout=10)).order

    assert bound.order_id == placed.order_id
    assert len(await _posted(exchange)) == 1
