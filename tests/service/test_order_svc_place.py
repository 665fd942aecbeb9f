"""PlaceOrder on a real server, against a real exchange process, with a guard whose verdict the test decides."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator
from pathlib import Path

import grpc
import pytest

from fakes.guard_server import GuardServer, guard_server
from fakes.order_service import ORDERS, buy, configuration, order_service, two_account_exchange
from opitios.account.v1 import account_pb2
from opitios.order.v1 import order_pb2
from opitios.order.v1.order_service_pb2 import GetOrderRequest, ListAttemptsRequest
from rich_errors import error_info, violated_fields
from sandbox_process import SandboxProcess
from scenarios import OPTION, exchange_account


@pytest.fixture
async def exchange() -> AsyncIterator[SandboxProcess]:
    async with two_account_exchange() as sandbox:
        yield sandbox


@pytest.fixture
async def guard() -> AsyncIterator[GuardServer]:
    async with guard_server() as server:
        yield server


async def test_a_stock_order_is_placed_once_and_leaves_the_pinned_line(
    exchange: SandboxProcess, guard: GuardServer, tmp_path: Path
) -> None:
    settings = configuration(tmp_path, sandbox_url=exchange.url, guard_port=guard.port)
    async with order_service(settings) as service:
        answer = await service.stub.PlaceOrder(buy(qty="100"), timeout=10)
        order = answer.order

        assert order.state in (order_pb2.ORDER_STATE_WORKING, order_pb2.ORDER_STATE_FILLED)
        assert order.client_order_id.startswith("opi-")
        assert order.account_number == "PA1000001"
        (line,) = service.log.attempts()
    assert re.match(
        rf"Order placed: BUY AAPL qty=100 \| order_id={order.order_id} \| duration=\d+ms \| success=true \| "
        r"account=paper \| account_number=PA1000001 \| account_type=paper \| started_at=\S+Z \| ",
        line,
    )
    (posted,) = (await exchange.ledger())["orders"]
    assert posted["client_order_id"] == order.client_order_id
    assert [ask.hold_id for ask in guard.asked] == [order.client_order_id]


async def test_an_option_order_carries_its_intent_to_the_broker(
    exchange: SandboxProcess, guard: GuardServer, tmp_path: Path
) -> None:
    settings = configuration(tmp_path, sandbox_url=exchange.url, guard_port=guard.port)
    wish = buy(
        symbol=OPTION.lower(),
        qty="2",
        order_type=order_pb2.ORDER_TYPE_LIMIT,
        limit_price="9.00",
        position_intent=order_pb2.POSITION_INTENT_BUY_TO_OPEN,
        client_order_id="option-1",
    )
    async with order_service(settings) as service:
        order = (await service.stub.PlaceOrder(wish, timeout=10)).order

    assert (order.symbol, order.asset_class, order.qty) == (OPTION, "us_option", "2")
    (posted,) = await exchange.requests(method="POST", path=ORDERS)
    assert posted["body"]["position_intent"] == "buy_to_open"
    assert posted["body"]["limit_price"] == "9"


async def test_the_same_key_returns_the_first_outcome_and_sends_nothing_more(
    exchange: SandboxProcess, guard: GuardServer, tmp_path: Path
) -> None:
    settings = configuration(tmp_path, sandbox_url=exchange.url, guard_port=guard.port)
    async with order_service(settings) as service:
        first = (await service.stub.PlaceOrder(buy(client_order_id="k", qty="1"), timeout=10)).order
        again = (await service.stub.PlaceOrder(buy(client_order_id="k", qty="1.0"), timeout=10)).order

        assert again.order_id == first.order_id
        assert len(service.log.attempts()) == 1
    assert len(await exchange.requests(method="POST", path=ORDERS)) == 1


async def test_the_same_key_with_other_content_is_refused(
    exchange: SandboxProcess, guard: GuardServer, tmp_path: Path
) -> None:
    settings = configuration(tmp_path, sandbox_url=exchange.url, guard_port=guard.port)
    async with order_service(settings) as service:
        await service.stub.PlaceOrder(buy(client_order_id="k"), timeout=10)
        with pytest.raises(grpc.aio.AioRpcError) as refused:
            await service.stub.PlaceOrder(buy(client_order_id="k", qty="2"), timeout=10)

    assert refused.value.code() is grpc.StatusCode.ALREADY_EXISTS
    assert error_info(refused.value).reason == "CLIENT_ORDER_ID_REUSED"
    assert len(await exchange.requests(method="POST", path=ORDERS)) == 1


async def test_concurrent_repeats_of_one_key_become_one_order(
    exchange: SandboxProcess, guard: GuardServer, tmp_path: Path
) -> None:
    settings = configuration(tmp_path, sandbox_url=exchange.url, guard_port=guard.port)
    async with order_service(settings) as service:
        calls = (service.stub.PlaceOrder(buy(client_order_id="k"), timeout=10) for _ in range(20))
        answers = await asyncio.gather(*calls)

        assert len({answer.order.order_id for answer in answers}) == 1
        assert len(service.log.attempts()) == 1
    assert len(await exchange.requests(method="POST", path=ORDERS)) == 1


async def test_below_the_minimum_nothing_is_sent_and_the_figures_are_told(
    exchange: SandboxProcess, guard: GuardServer, tmp_path: Path
) -> None:
    guard.verdict, guard.reason = account_pb2.BALANCE_VERDICT_BELOW, "INSUFFICIENT_BALANCE"
    settings = configuration(tmp_path, sandbox_url=exchange.url, guard_port=guard.port)
    async with order_service(settings) as service:
        with pytest.raises(grpc.aio.AioRpcError) as refused:
            await service.stub.PlaceOrder(buy(), timeout=10)
        (line,) = service.log.attempts()

    assert refused.value.code() is grpc.StatusCode.FAILED_PRECONDITION
    info = error_info(refused.value)
    assert info.reason == "INSUFFICIENT_BALANCE"
    figures = {name: info.metadata[name] for name in ("account_id", "account_number", "account_type", "cash")}
    assert figures == {
        "account_id": "paper",
        "account_number": "PA1000001",
        "account_type": "paper",
        "cash": "4000",
    }
    assert (info.metadata["holds"], info.metadata["minimum_balance"]) == ("100", "5000")
    assert re.match(
        r"Order failed: BUY AAPL qty=1 \| duration=\d+ms \| error=insufficient_balance \| account=paper \| ",
        line,
    )
    assert await exchange.requests(method="POST", path=ORDERS) == []


async def test_without_the_guard_nothing_is_sent_and_a_repeat_is_tried_again(
    exchange: SandboxProcess, guard: GuardServer, tmp_path: Path
) -> None:
    guard.verdict, guard.reason = account_pb2.BALANCE_VERDICT_UNKNOWN, "BALANCE_UNKNOWN"
    settings = configuration(tmp_path, sandbox_url=exchange.url, guard_port=guard.port)
    async with order_service(settings) as service:
        with pytest.raises(grpc.aio.AioRpcError) as refused:
            await service.stub.PlaceOrder(buy(client_order_id="k"), timeout=10)
        assert await exchange.requests(method="POST", path=ORDERS) == []
        # The guard may have taken the hold although its answer was none.
        await guard.wait_for(guard.released, 1)
        guard.verdict, guard.reason = account_pb2.BALANCE_VERDICT_ALLOWED, ""
        order = (await service.stub.PlaceOrder(buy(client_order_id="k"), timeout=10)).order
        attempts = service.log.attempts()

    assert refused.value.code() is grpc.StatusCode.UNAVAILABLE
    assert error_info(refused.value).reason == "BALANCE_UNKNOWN"
    assert order.order_id
    assert [line.split(":")[0] for line in attempts] == ["Order failed", "Order placed"]


async def test_an_account_service_that_is_down_keeps_orders_in(
    exchange: SandboxProcess, tmp_path: Path
) -> None:
    async with guard_server() as gone:
        port = gone.port
    settings = configuration(tmp_path, sandbox_url=exchange.url, guard_port=port)
    async with order_service(settings) as service:
        with pytest.raises(grpc.aio.AioRpcError) as refused:
            await service.stub.PlaceOrder(buy(), timeout=10)

    assert refused.value.code() is grpc.StatusCode.UNAVAILABLE
    assert error_info(refused.value).reason == "BALANCE_UNKNOWN"
    assert await exchange.requests(method="POST", path=ORDERS) == []


async def test_the_brokers_refusal_reaches_the_caller_whole_and_frees_the_hold(
    exchange: SandboxProcess, guard: GuardServer, tmp_path: Path
) -> None:
    body = {"code": 40310000, "message": "insufficient buying power", "buying_power": "12.5"}
    await exchange.add_fault(
        {"match": {"method": "POST", "path": ORDERS}, "action": "status", "status": 403, "body": body}
    )
    settings = configuration(tmp_path, sandbox_url=exchange.url, guard_port=guard.port)
    async with order_service(settings) as service:
        with pytest.raises(grpc.aio.AioRpcError) as first:
            await service.stub.PlaceOrder(buy(client_order_id="k"), timeout=10)
        with pytest.raises(grpc.aio.AioRpcError) as refused:
            await service.stub.PlaceOrder(buy(client_order_id="k"), timeout=10)
        await guard.wait_for(guard.released, 1)
        (line,) = service.log.attempts()
        order = (await service.stub.GetOrder(GetOrderRequest(account_id="paper", client_order_id="k"))).order

    assert first.value.code() is refused.value.code() is grpc.StatusCode.FAILED_PRECONDITION
    info = error_info(refused.value)
    assert info == error_info(first.value)
    assert info.reason == "ORDER_REJECTED"
    assert info.metadata["broker_code"] == "40310000"
    assert info.metadata["broker_status"] == "403"
    assert info.metadata["broker_message"] == "insufficient buying power"
    assert info.metadata["buying_power"] == "12.5"
    assert '"code"' in info.metadata["broker_answer"]
    assert " | error=order_rejected | " in line
    assert [held.hold_id for held in guard.released] == ["k"]
    assert (order.state, order.reason) == (order_pb2.ORDER_STATE_REJECTED, "ORDER_REJECTED")
    assert [one.state for one in order.transitions] == [
        order_pb2.ORDER_STATE_NEW,
        order_pb2.ORDER_STATE_HELD,
        order_pb2.ORDER_STATE_SENDING,
        order_pb2.ORDER_STATE_REJECTED,
    ]
    assert len(await exchange.requests(method="POST", path=ORDERS)) == 1


async def test_too_many_requests_is_a_refusal_that_a_repeat_may_try_again(
    exchange: SandboxProcess, guard: GuardServer, tmp_path: Path
) -> None:
    await exchange.add_fault(
        {"match": {"method": "POST", "path": ORDERS}, "action": "retry_after", "seconds": 0}
    )
    settings = configuration(tmp_path, sandbox_url=exchange.url, guard_port=guard.port)
    async with order_service(settings) as service:
        with pytest.raises(grpc.aio.AioRpcError) as refused:
            await service.stub.PlaceOrder(buy(client_order_id="k"), timeout=10)
        order = (await service.stub.PlaceOrder(buy(client_order_id="k"), timeout=10)).order

    assert refused.value.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
    assert error_info(refused.value).reason == "BROKER_RATE_LIMITED"
    assert order.order_id
    assert len((await exchange.ledger())["orders"]) == 1


async def test_an_authorisation_that_ran_out_is_renewed_before_anything_is_sent(
    exchange: SandboxProcess, guard: GuardServer, tmp_path: Path
) -> None:
    guard.valid_for_ms = [0, 5000]
    settings = configuration(tmp_path, sandbox_url=exchange.url, guard_port=guard.port)
    async with order_service(settings) as service:
        await service.stub.PlaceOrder(buy(client_order_id="k"), timeout=10)

    assert [ask.hold_id for ask in guard.asked] == ["k", "k"]
    assert len(await exchange.requests(method="POST", path=ORDERS)) == 1


async def test_an_authorisation_that_cannot_be_renewed_keeps_the_order_in(
    exchange: SandboxProcess, guard: GuardServer, tmp_path: Path
) -> None:
    guard.valid_for_ms = [0]
    settings = configuration(tmp_path, sandbox_url=exchange.url, guard_port=guard.port)
    async with order_service(settings) as service:
        with pytest.raises(grpc.aio.AioRpcError) as refused:
            await service.stub.PlaceOrder(buy(), timeout=10)
        await guard.wait_for(guard.released, 1)

    assert error_info(refused.value).reason == "BALANCE_UNKNOWN"
    assert await exchange.requests(method="POST", path=ORDERS) == []


async def test_an_order_whose_caller_goes_away_still_ends_bound(
    exchange: SandboxProcess, guard: GuardServer, tmp_path: Path
) -> None:
    guard.let_answer.clear()
    settings = configuration(tmp_path, sandbox_url=exchange.url, guard_port=guard.port)
    async with order_service(settings) as service:
        call = service.stub.PlaceOrder(buy(client_order_id="k"), timeout=10)
        await guard.wait_for(guard.asked, 1)
        call.cancel()
        with pytest.raises(asyncio.CancelledError):
            await call
        guard.let_answer.set()
        await service.log.wait_for("Order placed: BUY AAPL qty=1")
        order = (await service.stub.GetOrder(GetOrderRequest(account_id="paper", client_order_id="k"))).order

    assert order.order_id
    assert len((await exchange.ledger())["orders"]) == 1


async def test_an_order_that_cannot_leave_in_its_callers_time_is_not_sent(
    exchange: SandboxProcess, guard: GuardServer, tmp_path: Path
) -> None:
    guard.let_answer.clear()
    settings = configuration(tmp_path, sandbox_url=exchange.url, guard_port=guard.port)
    async with order_service(settings) as service:
        call = service.stub.PlaceOrder(buy(client_order_id="k"), timeout=0.8)
        order = (await call).order
        assert order.state == order_pb2.ORDER_STATE_UNKNOWN
        guard.let_answer.set()
        line = await service.log.wait_for("Order failed: BUY AAPL qty=1")

    assert " | error=send_deadline_passed | " in line
    assert await exchange.requests(method="POST", path=ORDERS) == []


async def test_an_account_of_the_wrong_type_may_not_trade(
    exchange: SandboxProcess, guard: GuardServer, tmp_path: Path
) -> None:
    await exchange.add_account(exchange_account("paper", "777000001"))
    settings = configuration(tmp_path, sandbox_url=exchange.url, guard_port=guard.port)
    async with order_service(settings) as service:
        with pytest.raises(grpc.aio.AioRpcError) as refused:
            await service.stub.PlaceOrder(buy(), timeout=10)

    assert refused.value.code() is grpc.StatusCode.FAILED_PRECONDITION
    assert error_info(refused.value).reason == "ACCOUNT_NOT_TRADABLE"
    assert guard.asked == []


async def test_a_guard_that_speaks_of_another_account_keeps_the_order_in(
    exchange: SandboxProcess, guard: GuardServer, tmp_path: Path
) -> None:
    guard.account_number = "PA9999999"
    settings = configuration(tmp_path, sandbox_url=exchange.url, guard_port=guard.port)
    async with order_service(settings) as service:
        with pytest.raises(grpc.aio.AioRpcError) as refused:
            await service.stub.PlaceOrder(buy(), timeout=10)

    assert error_info(refused.value).reason == "ACCOUNT_NOT_TRADABLE"
    assert await exchange.requests(method="POST", path=ORDERS) == []


async def test_the_ceilings_of_an_account_hold(
    exchange: SandboxProcess, guard: GuardServer, tmp_path: Path
) -> None:
    trading = {"max_orders_per_minute": 2, "max_order_notional": "1000"}
    settings = configuration(tmp_path, sandbox_url=exchange.url, guard_port=guard.port, trading=trading)
    limit = {"order_type": order_pb2.ORDER_TYPE_LIMIT, "limit_price": "100"}
    reasons = []
    async with order_service(settings) as service:
        for qty in ("11", "1", "10", "1"):
            try:
                await service.stub.PlaceOrder(buy(qty=qty, **limit), timeout=10)
                reasons.append("")
            except grpc.aio.AioRpcError as error:
                reasons.append(error_info(error).reason)

    assert reasons == ["ORDER_NOTIONAL_EXCEEDED", "", "", "ORDER_RATE_EXCEEDED"]
    assert len(await exchange.requests(method="POST", path=ORDERS)) == 2


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        pytest.param({"qty": "0"}, "qty", id="qty 0"),
        pytest.param({"qty": "NaN"}, "qty", id="qty NaN"),
        pytest.param({"qty": "1e400"}, "qty", id="qty 1e400"),
        pytest.param({"symbol": ""}, "symbol", id="no symbol"),
        pytest.param({"order_type": order_pb2.ORDER_TYPE_LIMIT}, "limit_price", id="limit without price"),
        pytest.param({"symbol": OPTION, "qty": "0.5"}, "qty", id="half a contract"),
        pytest.param({"client_order_id": "x" * 200}, "client_order_id", id="long client_order_id"),
        pytest.param({"side": 17}, "side", id="unknown side"),
        pytest.param({"account_id": ""}, "account_id", id="no account"),
    ],
)
async def test_bad_input_names_its_field_and_leaves_a_line_when_it_names_an_order(
    guard: GuardServer, tmp_path: Path, changes: dict[str, object], field: str
) -> None:
    # Nothing listens on port 1: whatever were sent would fail loudly.
    settings = configuration(tmp_path, sandbox_url="http://127.0.0.1:1", guard_port=guard.port, accounts={})
    async with order_service(settings) as service:
        with pytest.raises(grpc.aio.AioRpcError) as refused:
            await service.stub.PlaceOrder(buy(**changes), timeout=10)
        (line,) = service.log.attempts()

    assert refused.value.code() is grpc.StatusCode.INVALID_ARGUMENT
    assert violated_fields(refused.value) == [field]
    assert line.startswith("Order failed: ")
    assert " | error=malformed_request | " in line
    assert guard.asked == []


async def test_an_unknown_account_is_not_found(guard: GuardServer, tmp_path: Path) -> None:
    settings = configuration(tmp_path, sandbox_url="http://127.0.0.1:1", guard_port=guard.port, accounts={})
    async with order_service(settings) as service:
        with pytest.raises(grpc.aio.AioRpcError) as refused:
            await service.stub.PlaceOrder(buy(account_id="nobody"), timeout=10)

    assert refused.value.code() is grpc.StatusCode.NOT_FOUND
    assert error_info(refused.value).reason == "ACCOUNT_NOT_FOUND"


async def test_attempts_carry_the_figures_of_their_lines(
    exchange: SandboxProcess, guard: GuardServer, tmp_path: Path
) -> None:
    settings = configuration(tmp_path, sandbox_url=exchange.url, guard_port=guard.port)
    async with order_service(settings) as service:
        order = (await service.stub.PlaceOrder(buy(account_id="PAPER"), timeout=10)).order
        request = ListAttemptsRequest(account_id="paper")
        (attempt,) = (await service.stub.ListAttempts(request)).attempts
        (line,) = service.log.attempts()

    assert attempt.success
    assert attempt.order_id == order.order_id
    assert f" | attempt={attempt.attempt_id}" in line
    assert f" | duration={attempt.duration_ms}ms | " in line
    assert f" | broker_ms={attempt.broker_ms} | " in line
    moments = [
        one.ToNanoseconds()
        for one in (
            attempt.received_at,
            attempt.authorized_at,
            attempt.sent_at,
            attempt.answered_at,
            attempt.completed_at,
        )
    ]
    assert moments == sorted(moments)
