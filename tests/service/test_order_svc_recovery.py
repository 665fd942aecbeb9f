"""Kill -9 at every checkpoint, then a new start: journal, exchange and log agree (I1, I2, I4, I7)."""

from __future__ import annotations

import json
import os
import re
import signal
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import grpc
import pytest
from grpc_health.v1.health_pb2 import HealthCheckRequest, HealthCheckResponse

from fakes.guard_server import GuardServer, guard_server
from fakes.order_service import ATTEMPT_HEADS, ORDERS, buy, two_account_exchange
from opitios.order.v1 import order_pb2, order_service_pb2
from opitios.order.v1.order_service_pb2 import CancelOrderRequest, GetOrderRequest, ListAttemptsRequest
from opitios.order.v1.order_service_pb2_grpc import OrderServiceStub
from rich_errors import error_info
from sandbox_process import SandboxProcess
from scenarios import configured_account
from stack_process import ServiceProcess, free_ports

if TYPE_CHECKING:
    # Exists in the type stubs only.
    from opitios.order.v1.order_service_pb2_grpc import OrderServiceAsyncStub

ARMED = "tests.fakes.order_svc_armed"
TRADING_OPEN = "Trading is open"
FAR_BELOW = {"order_type": order_pb2.ORDER_TYPE_LIMIT, "limit_price": "1.00"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Bench:
    """A place to start the service in again and again."""

    folder: Path
    config: Path
    port: int
    exchange: SandboxProcess
    guard: GuardServer

    def process(self, checkpoint: str = "") -> ServiceProcess:
        return ServiceProcess(ARMED, self.config, self.folder, {"ARMED_CHECKPOINT": checkpoint})

    def channel(self) -> grpc.aio.Channel:
        return grpc.aio.insecure_channel(f"127.0.0.1:{self.port}")

    def attempt_lines(self) -> list[str]:
        log = self.folder / "logs" / "app" / "order_svc.log"
        return [line for line in log.read_text().splitlines() if any(head in line for head in ATTEMPT_HEADS)]

    async def orders(self) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = (await self.exchange.ledger())["orders"]
        return found


@pytest.fixture
async def bench(tmp_path: Path) -> AsyncIterator[Bench]:
    (port,) = free_ports(1)
    async with two_account_exchange() as exchange, guard_server() as guard:
        settings = {
            "accounts": {"paper": configured_account("paper")},
            "alpaca": {"trading_url": exchange.url, "data_url": exchange.url},
            "services": {
                "account": {"listen": f"127.0.0.1:{guard.port}"},
                "order": {"listen": f"127.0.0.1:{port}"},
            },
            "logging": {"console": True},
        }
        config = tmp_path / "secrets.yml"
        config.write_text(json.dumps(settings))
        config.chmod(0o600)
        yield Bench(folder=tmp_path, config=config, port=port, exchange=exchange, guard=guard)


async def _place_until_death(stub: OrderServiceAsyncStub, **changes: object) -> grpc.aio.AioRpcError:
    with pytest.raises(grpc.aio.AioRpcError) as lost:
        await stub.PlaceOrder(buy(client_order_id="k", **changes), timeout=10)
    return lost.value


async def _settled(stub: OrderServiceAsyncStub, process: ServiceProcess) -> order_pb2.Order:
    """The order, once nothing about it is unknown."""
    request = GetOrderRequest(account_id="paper", client_order_id="k")
    order = (await stub.GetOrder(request, timeout=5)).order
    if order.state == order_pb2.ORDER_STATE_UNKNOWN:
        await process.line("Order resolved:")
        order = (await stub.GetOrder(request, timeout=5)).order
    return order


@pytest.mark.parametrize(
    ("checkpoint", "placed", "head", "error"),
    [
        pytest.param("after-intent-commit", False, "Order failed:", "never_sent", id="intent journalled"),
        pytest.param("before-send", False, "Order failed:", "unknown_outcome", id="about to send"),
        pytest.param("after-response", True, "Order placed:", "", id="answered, nothing recorded"),
        pytest.param("after-result-commit", True, "Order placed:", "", id="recorded, no line"),
        pytest.param("after-line", True, "Order placed:", "", id="line written, caller not answered"),
    ],
)
async def test_an_order_interrupted_anywhere_is_known_after_the_restart(
    bench: Bench, checkpoint: str, placed: bool, head: str, error: str
) -> None:
    async with bench.channel() as channel:
        stub = OrderServiceStub(channel)
        doomed = bench.process(checkpoint)
        await doomed.start(until=TRADING_OPEN)
        await _place_until_death(stub)
        assert await doomed.end() == -signal.SIGKILL
    process = bench.process()
    await process.start(until=TRADING_OPEN)
    try:
        async with bench.channel() as channel:
            stub = OrderServiceStub(channel)
            order = await _settled(stub, process)
            (attempt,) = (await stub.ListAttempts(ListAttemptsRequest(account_id="paper"))).attempts
    finally:
        assert await process.end() == 0

    taken = await bench.orders()
    (line,) = bench.attempt_lines()
    assert [one["id"] for one in taken] == ([order.order_id] if placed else [])
    assert (order.state == order_pb2.ORDER_STATE_NOT_PLACED) is not placed
    assert head in line
    assert f" | attempt={attempt.attempt_id}" in line
    assert attempt.error == error
    assert attempt.success is placed
    assert ("recovered=true" in line) is (checkpoint != "after-line")


async def test_a_kill_between_send_and_answer_leaves_one_order_known_after_the_restart(bench: Bench) -> None:
    await bench.exchange.add_fault({"match": {"method": "POST", "path": ORDERS}, "action": "hang_after"})
    doomed = bench.process()
    await doomed.start(until=TRADING_OPEN)
    async with bench.channel() as channel:
        call = OrderServiceStub(channel).PlaceOrder(buy(client_order_id="k"), timeout=10)
        await bench.exchange.wait_for_requests(method="POST", path=ORDERS)
        await doomed.kill()
        with pytest.raises(grpc.aio.AioRpcError):
            await call
    process = bench.process()
    await process.start(until=TRADING_OPEN)
    try:
        async with bench.channel() as channel:
            stub = OrderServiceStub(channel)
            order = await _settled(stub, process)
            repeated = (await stub.PlaceOrder(buy(client_order_id="k"), timeout=10)).order
    finally:
        assert await process.end() == 0

    (taken,) = await bench.orders()
    (line,) = bench.attempt_lines()
    assert order.order_id == taken["id"] == repeated.order_id
    assert re.search(
        rf"\| INFO \| Order placed: BUY AAPL qty=1 \| order_id={taken['id']} \| duration=\d+ms \| ", line
    )
    assert len(await bench.exchange.requests(method="POST", path=ORDERS)) == 1


async def test_nothing_is_traded_before_the_last_runs_orders_are_looked_up(bench: Bench) -> None:
    await bench.exchange.add_fault({"match": {"method": "POST", "path": ORDERS}, "action": "hang_after"})
    doomed = bench.process()
    await doomed.start(until=TRADING_OPEN)
    async with bench.channel() as channel:
        call = OrderServiceStub(channel).PlaceOrder(buy(client_order_id="k"), timeout=10)
        await bench.exchange.wait_for_requests(method="POST", path=ORDERS)
        await doomed.kill()
        with pytest.raises(grpc.aio.AioRpcError):
            await call
    # The lookup is answered late; until then trading stays closed.
    await bench.exchange.add_fault(
        {"match": {"path": "by_client_order_id"}, "action": "delay_after", "seconds": 1.5}
    )
    process = bench.process()
    await process.start(until="order_svc serving")
    try:
        async with bench.channel() as channel:
            stub = OrderServiceStub(channel)
            refused = await _refusal(stub)
            before = await _is_serving(channel, "read"), await _is_serving(channel, "trade")
            await process.line(TRADING_OPEN)
            after = await _is_serving(channel, "trade")
            lookups = await bench.exchange.requests(path="by_client_order_id")
            await stub.PlaceOrder(buy(client_order_id="other"), timeout=10)
    finally:
        assert await process.end() == 0

    assert refused.code() is grpc.StatusCode.UNAVAILABLE
    assert error_info(refused).reason == "RECOVERING"
    assert [lookup["status"] for lookup in lookups] == [200]
    assert before == (True, False)
    assert after


async def test_a_cancellation_that_was_interrupted_gets_its_line(bench: Bench) -> None:
    await bench.exchange.add_fault(
        {"match": {"method": "DELETE", "path": r"^/v2/orders/"}, "action": "hang_after"}
    )
    doomed = bench.process()
    await doomed.start(until=TRADING_OPEN)
    async with bench.channel() as channel:
        stub = OrderServiceStub(channel)
        order = (await stub.PlaceOrder(buy(client_order_id="k", **FAR_BELOW), timeout=10)).order
        call = stub.CancelOrder(CancelOrderRequest(account_id="paper", client_order_id="k"), timeout=5)
        await bench.exchange.wait_for_requests(method="DELETE", path=r"^/v2/orders/")
        await doomed.kill()
        with pytest.raises(grpc.aio.AioRpcError):
            await call
    process = bench.process()
    await process.start(until=TRADING_OPEN)
    try:
        async with bench.channel() as channel:
            stub = OrderServiceStub(channel)
            attempts = (await stub.ListAttempts(ListAttemptsRequest(account_id="paper"))).attempts
    finally:
        assert await process.end() == 0

    lines = bench.attempt_lines()
    assert len(lines) == len(attempts) == 2
    assert f"Order cancelled: BUY AAPL qty=1 | order_id={order.order_id} | " in lines[1]
    assert "recovered=true" in lines[1]
    assert attempts[0].kind == order_service_pb2.ATTEMPT_KIND_CANCEL


async def test_sigterm_waits_for_the_order_under_way(bench: Bench) -> None:
    bench.guard.let_answer.clear()
    process = bench.process()
    await process.start(until=TRADING_OPEN)
    async with bench.channel() as channel:
        call = OrderServiceStub(channel).PlaceOrder(buy(client_order_id="k"), timeout=10)
        await bench.guard.wait_for(bench.guard.asked, 1)
        os.kill(process.pid, signal.SIGTERM)
        await process.line("order_svc draining")
        bench.guard.let_answer.set()
        order = (await call).order
    # A second signal would end it at once.
    await process.line("order_svc stopped")
    await process.line("ended>")
    assert await process.end() == 0

    assert order.order_id
    (line,) = bench.attempt_lines()
    assert "Order placed:" in line


async def _refusal(stub: OrderServiceAsyncStub) -> grpc.aio.AioRpcError:
    with pytest.raises(grpc.aio.AioRpcError) as refused:
        await stub.PlaceOrder(buy(client_order_id="other"), timeout=10)
    return refused.value


async def _is_serving(channel: grpc.aio.Channel, name: str) -> bool:
    # The installed stubs of the health service know its synchronous form only.
    check = channel.unary_unary(
        "/grpc.health.v1.Health/Check",
        request_serializer=HealthCheckRequest.SerializeToString,
        response_deserializer=HealthCheckResponse.FromString,
    )
    answer = await check(HealthCheckRequest(service=name), timeout=5)
    return answer.status == HealthCheckResponse.SERVING
