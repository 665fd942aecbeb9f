"""kill -9 at bad moments: what was acknowledged is known, what was sent exists once, what was told is resumed."""

import asyncio
import signal
from collections.abc import AsyncIterator
from typing import Any

import grpc
import pytest
import pytest_asyncio
from grpc_health.v1 import health_pb2

from fakes.databases import Postgres
from opitios.order.v1 import order_pb2, order_service_pb2, order_service_pb2_grpc
from scenarios import two_accounts
from stack_process import Stack, running

pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.e2e]

SETTLED = {
    order_pb2.ORDER_STATE_WORKING,
    order_pb2.ORDER_STATE_FILLED,
    order_pb2.ORDER_STATE_PARTIALLY_FILLED,
}
WAIT_SECONDS = 30


@pytest.fixture(scope="module", params=["SQLite", "PostgreSQL"])
def storage(request: pytest.FixtureRequest) -> str:
    """`storage.url`; the services keep the same promises on either."""
    if request.param == "SQLite":
        return "sqlite:///data/opitios.db"
    server: Postgres = request.getfixturevalue("postgres")
    return server.url


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def system(storage: str, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Stack]:
    sell_module = {"enabled": True, "check_interval": 0.5, "order_cancel_minutes": 3}
    plan = two_accounts(config={"sell_module": sell_module, "storage": {"url": storage}})
    async with running(plan, tmp_path_factory.mktemp("stack")) as stack:
        yield stack


@pytest_asyncio.fixture(loop_scope="module", autouse=True)
async def _whole(system: Stack) -> None:
    """Each test starts on services that have found each other again after the last one's kills."""
    body = {"symbol": "MSFT", "side": "SIDE_BUY", "qty": "1"}
    assert (await system.rest_once_back("POST", "/v1/accounts/live/orders", body=body)).status == 200
    assert (await system.rest_once_back("GET", "/v1/sell")).status == 200


def buy(client_order_id: str) -> order_service_pb2.PlaceOrderRequest:
    return order_service_pb2.PlaceOrderRequest(
        account_id="paper",
        symbol="AAPL",
        side=order_pb2.SIDE_BUY,
        qty="1",
        client_order_id=client_order_id,
    )


async def serving(system: Stack, service: str, name: str) -> None:
    """Return when the health service says SERVING for `name`."""
    watch = system.channel(service).unary_stream(
        "/grpc.health.v1.Health/Watch",
        request_serializer=health_pb2.HealthCheckRequest.SerializeToString,
        response_deserializer=health_pb2.HealthCheckResponse.FromString,
    )
    request = health_pb2.HealthCheckRequest(service=name)
    async for answer in watch(request, timeout=WAIT_SECONDS, wait_for_ready=True):
        if answer.status == health_pb2.HealthCheckResponse.SERVING:
            return


async def in_ledger(system: Stack, client_order_id: str) -> list[dict[str, Any]]:
    ledger = await system.sandbox.ledger()
    return [order for order in ledger["orders"] if order["client_order_id"] == client_order_id]


def attempt_lines(system: Stack, client_order_id: str) -> list[str]:
    heads = ("Order placed:", "Order failed:")
    return [
        line
        for line in system.log("order_svc")
        if f"client_order_id={client_order_id} " in f"{line} " and any(head in line for head in heads)
    ]


@pytest.mark.parametrize("after_processing", [True, False], ids=["the exchange took it", "it never arrived"])
async def test_order_svc_killed_between_send_and_answer_finds_the_order_again(
    system: Stack, after_processing: bool
) -> None:
    key = f"killed-{after_processing}"
    match = {"method": "POST", "path": "^/v2/orders$"}
    seen = len(await system.sandbox.requests(method="POST", path="^/v2/orders$"))
    await system.sandbox.add_fault({"match": match, "action": "hang_after" if after_processing else "hang"})
    stub = order_service_pb2_grpc.OrderServiceStub(system.channel("order_svc"))
    call = asyncio.ensure_future(stub.PlaceOrder(buy(key), timeout=20))
    await system.sandbox.wait_for_requests(method="POST", path="^/v2/orders$", count=seen + 1)

    await system.services["order_svc"].kill()
    with pytest.raises(grpc.aio.AioRpcError):
        await call
    await system.services["order_svc"].start()
    await serving(system, "order_svc", "trade")
    answer = await stub.GetOrder(
        order_service_pb2.GetOrderRequest(account_id="paper", client_order_id=key),
        timeout=10,
        wait_for_ready=True,
    )

    if after_processing:
        assert answer.order.state in SETTLED
        assert len(await in_ledger(system, key)) == 1
        again = await stub.PlaceOrder(buy(key), timeout=10)
        assert again.order.order_id == answer.order.order_id
        assert len(await in_ledger(system, key)) == 1
    else:
        # Not found once is no proof of absence: it stays in doubt until the quarantine is over.
        assert answer.order.state == order_pb2.ORDER_STATE_UNKNOWN
        assert await in_ledger(system, key) == []
    assert len(attempt_lines(system, key)) == 1


async def test_orders_go_on_without_the_sell_monitor_and_it_resumes_what_it_was_told(system: Stack) -> None:
    assert (await system.rest_once_back("POST", "/v1/sell:start", body={})).status == 200

    await system.services["sell_svc"].kill()
    stub = order_service_pb2_grpc.OrderServiceStub(system.channel("order_svc"))
    placed = await stub.PlaceOrder(buy("without-monitor"), timeout=10, wait_for_ready=True)
    down = await system.rest("GET", "/api/v1/sell")
    await system.services["sell_svc"].start()
    await serving(system, "sell_svc", "trade")
    resumed = await system.rest_once_back("GET", "/v1/sell")

    assert placed.order.order_id
    assert (down.status, down.json["service"]["status"]) == (200, "stopped")
    assert resumed.json["status"]["running"] is True


async def test_a_stopped_monitor_stays_stopped_over_a_restart(system: Stack) -> None:
    assert (await system.rest_once_back("POST", "/v1/sell:stop", body={})).status == 200

    await system.services["sell_svc"].kill()
    await system.services["sell_svc"].start()
    status = await system.rest_once_back("GET", "/v1/sell")

    assert status.json["status"]["desiredRunning"] is False
    assert status.json["status"]["running"] is False


async def test_a_lost_answer_is_unknown_then_found(system: Stack) -> None:
    match = {"method": "POST", "path": "^/v2/orders$"}
    await system.sandbox.add_fault({"match": match, "action": "cut_after"})
    stub = order_service_pb2_grpc.OrderServiceStub(system.channel("order_svc"))

    answer = await stub.PlaceOrder(buy("lost-answer"), timeout=10, wait_for_ready=True)

    assert answer.order.state in {*SETTLED, order_pb2.ORDER_STATE_UNKNOWN}
    read = await stub.GetOrder(
        order_service_pb2.GetOrderRequest(account_id="paper", client_order_id="lost-answer"), timeout=10
    )
    assert read.order.state in SETTLED
    assert len(await in_ledger(system, "lost-answer")) == 1
    assert len(attempt_lines(system, "lost-answer")) == 1


async def test_account_svc_killed_means_no_order_leaves_until_it_is_back(system: Stack) -> None:
    before = len(await system.sandbox.requests(method="POST", path="^/v2/orders$"))
    await system.services["account_svc"].kill()
    stub = order_service_pb2_grpc.OrderServiceStub(system.channel("order_svc"))

    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await stub.PlaceOrder(buy("no-guard"), timeout=10, wait_for_ready=True)
    after = len(await system.sandbox.requests(method="POST", path="^/v2/orders$"))
    await system.services["account_svc"].start()
    await serving(system, "account_svc", "trade")
    body = {"symbol": "AAPL", "side": "SIDE_BUY", "qty": "1"}
    placed = await system.rest_once_back("POST", "/v1/accounts/paper/orders", body=body)

    assert caught.value.code() is grpc.StatusCode.UNAVAILABLE
    assert after == before
    assert placed.status == 200


@pytest.mark.parametrize("service", ["account_svc", "order_svc", "sell_svc", "gateway"])
async def test_sigterm_drains_and_ends_with_status_zero(system: Stack, service: str) -> None:
    status = await system.services[service].end(signal.SIGTERM)
    await system.services[service].start()

    assert status == 0
