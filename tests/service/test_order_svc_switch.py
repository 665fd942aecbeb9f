"""The kill switch on a real server: what it stops, what it lets pass, and that a restart does not lift it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import grpc
import pytest

from fakes.guard_server import GuardServer, guard_server
from fakes.order_health import is_serving
from fakes.order_service import ORDERS, buy, configuration, order_service, two_account_exchange
from opitios.order.v1 import order_pb2, order_service_pb2
from opitios.order.v1.order_service_pb2 import (
    CancelOrderRequest,
    GetTradingStateRequest,
    HaltTradingRequest,
    ResumeTradingRequest,
)
from rich_errors import error_info, violated_fields
from sandbox_process import SandboxProcess

FAR_BELOW = {"order_type": order_pb2.ORDER_TYPE_LIMIT, "limit_price": "1.00"}
HALTED = order_service_pb2.HALT_MODE_HALTED
REDUCE_ONLY = order_service_pb2.HALT_MODE_REDUCE_ONLY


@pytest.fixture
async def exchange() -> AsyncIterator[SandboxProcess]:
    async with two_account_exchange() as sandbox:
        yield sandbox


@pytest.fixture
async def guard() -> AsyncIterator[GuardServer]:
    async with guard_server() as server:
        yield server


def halt(account_id: str = "", mode: order_service_pb2.HaltMode.ValueType = HALTED) -> HaltTradingRequest:
    return HaltTradingRequest(
        account_id=account_id, mode=mode, requested_by="anna", reason="quotes look wrong"
    )


def resume(account_id: str = "") -> ResumeTradingRequest:
    return ResumeTradingRequest(account_id=account_id, requested_by="ben", reason="quotes are right again")


async def test_a_halted_system_refuses_orders_says_who_and_why_and_trades_again_when_resumed(
    exchange: SandboxProcess, guard: GuardServer, tmp_path: Path
) -> None:
    settings = configuration(tmp_path, sandbox_url=exchange.url, guard_port=guard.port)
    async with order_service(settings) as service:
        told = (await service.stub.HaltTrading(halt(), timeout=5)).halt
        with pytest.raises(grpc.aio.AioRpcError) as refused:
            await service.stub.PlaceOrder(buy(client_order_id="k"), timeout=10)
        (line,) = service.log.attempts()
        healthy = [await is_serving(service.port, name) for name in ("", "read", "trade")]
        lifted = await service.stub.ResumeTrading(resume(), timeout=5)
        again = await service.stub.ResumeTrading(resume(), timeout=5)
        order = (await service.stub.PlaceOrder(buy(client_order_id="l"), timeout=10)).order
        trades = await is_serving(service.port, "trade")

    assert refused.value.code() is grpc.StatusCode.FAILED_PRECONDITION
    info = error_info(refused.value)
    assert info.reason == "TRADING_HALTED"
    assert (info.metadata["halted_by"], info.metadata["halt_reason"]) == ("anna", "quotes look wrong")
    assert info.metadata["halted_at"][:19] == told.halted_at.ToDatetime().isoformat()[:19]
    assert "by anna at " in (refused.value.details() or "")
    assert " | error=trading_halted | " in line
    assert healthy == [True, True, False]
    assert (lifted.resumed, again.resumed, list(lifted.halts)) == (True, False, [])
    assert order.order_id
    assert trades
    # Nothing is asked of the guard for an order that cannot leave.
    assert [one.hold_id for one in guard.asked] == ["l"]
    assert len(await exchange.requests(method="POST", path=ORDERS)) == 1


async def test_a_halt_of_one_account_leaves_the_others_alone_and_a_restart_does_not_lift_it(
    exchange: SandboxProcess, guard: GuardServer, tmp_path: Path
) -> None:
    settings = configuration(tmp_path, sandbox_url=exchange.url, guard_port=guard.port)
    async with order_service(settings) as service:
        await service.stub.HaltTrading(halt("Paper"), timeout=5)
    async with order_service(settings) as service:
        with pytest.raises(grpc.aio.AioRpcError) as refused:
            await service.stub.PlaceOrder(buy(), timeout=10)
        other = (await service.stub.PlaceOrder(buy(account_id="live"), timeout=10)).order
        state = await service.stub.GetTradingState(GetTradingStateRequest(), timeout=5)
        trades = await is_serving(service.port, "trade")

    assert error_info(refused.value).metadata["halt_scope"] == "paper"
    assert other.order_id
    assert [(one.account_id, one.mode, one.requested_by) for one in state.halts] == [
        ("paper", HALTED, "anna")
    ]
    assert trades


async def test_lifting_the_halt_of_an_account_leaves_the_systems_in_force(
    exchange: SandboxProcess, guard: GuardServer, tmp_path: Path
) -> None:
    settings = configuration(tmp_path, sandbox_url=exchange.url, guard_port=guard.port)
    async with order_service(settings) as service:
        await service.stub.HaltTrading(halt("paper"), timeout=5)
        await service.stub.HaltTrading(halt(), timeout=5)
        lifted = await service.stub.ResumeTrading(resume("paper"), timeout=5)
        with pytest.raises(grpc.aio.AioRpcError) as refused:
            await service.stub.PlaceOrder(buy(), timeout=10)

    assert [one.account_id for one in lifted.halts] == [""]
    assert error_info(refused.value).metadata["halt_scope"] == "system"


async def test_reduce_only_takes_orders_that_close_a_position_and_no_others(
    exchange: SandboxProcess, guard: GuardServer, tmp_path: Path
) -> None:
    settings = configuration(tmp_path, sandbox_url=exchange.url, guard_port=guard.port)
    close = {"side": order_pb2.SIDE_SELL, "position_intent": order_pb2.POSITION_INTENT_SELL_TO_CLOSE}
    async with order_service(settings) as service:
        await service.stub.PlaceOrder(buy(), timeout=10)
        await service.stub.HaltTrading(halt(mode=REDUCE_ONLY), timeout=5)
        reasons = []
        for wish in (buy(), buy(side=order_pb2.SIDE_SELL)):
            with pytest.raises(grpc.aio.AioRpcError) as refused:
                await service.stub.PlaceOrder(wish, timeout=10)
            reasons.append(error_info(refused.value).reason)
        sold = (await service.stub.PlaceOrder(buy(**close), timeout=10)).order
        trades = await is_serving(service.port, "trade")

    assert reasons == ["REDUCE_ONLY", "REDUCE_ONLY"]
    assert sold.order_id
    assert trades


async def test_cancellations_pass_a_halted_system(
    exchange: SandboxProcess, guard: GuardServer, tmp_path: Path
) -> None:
    settings = configuration(tmp_path, sandbox_url=exchange.url, guard_port=guard.port)
    async with order_service(settings) as service:
        await service.stub.PlaceOrder(buy(client_order_id="k", **FAR_BELOW), timeout=10)
        await service.stub.HaltTrading(halt(), timeout=5)
        canceled = await service.stub.CancelOrder(
            CancelOrderRequest(account_id="paper", client_order_id="k"), timeout=5
        )

    assert canceled.outcome == order_service_pb2.CANCEL_OUTCOME_CANCELED


async def test_an_order_waiting_for_its_guard_when_the_halt_comes_does_not_leave(
    exchange: SandboxProcess, guard: GuardServer, tmp_path: Path
) -> None:
    guard.let_answer.clear()
    settings = configuration(tmp_path, sandbox_url=exchange.url, guard_port=guard.port)
    async with order_service(settings) as service:
        call = asyncio.ensure_future(service.stub.PlaceOrder(buy(client_order_id="k"), timeout=10))
        await guard.wait_for(guard.asked, 1)
        told = await service.stub.HaltTrading(halt(), timeout=5)
        guard.let_answer.set()
        with pytest.raises(grpc.aio.AioRpcError) as refused:
            await call
        await guard.wait_for(guard.released, 1)

    assert error_info(refused.value).reason == "TRADING_HALTED"
    assert list(told.leaving) == []
    assert await exchange.requests(method="POST", path=ORDERS) == []


async def test_a_halt_names_the_orders_that_had_left_before_it(
    exchange: SandboxProcess, guard: GuardServer, tmp_path: Path
) -> None:
    await exchange.add_fault({"match": {"method": "POST", "path": ORDERS}, "action": "hang_after"})
    settings = configuration(
        tmp_path, sandbox_url=exchange.url, guard_port=guard.port, trading={"order_timeout_seconds": 1}
    )
    async with order_service(settings) as service:
        call = asyncio.ensure_future(service.stub.PlaceOrder(buy(client_order_id="k"), timeout=10))
        await exchange.wait_for_requests(method="POST", path=ORDERS)
        told = await service.stub.HaltTrading(halt("paper"), timeout=5)
        elsewhere = await service.stub.HaltTrading(halt("live"), timeout=5)
        order = (await call).order

    assert list(told.leaving) == ["k"]
    assert list(elsewhere.leaving) == []
    assert order.state == order_pb2.ORDER_STATE_UNKNOWN


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        pytest.param({"requested_by": " "}, "requested_by", id="nobody"),
        pytest.param({"reason": ""}, "reason", id="no reason"),
        pytest.param({"reason": "a\nb"}, "reason", id="a reason of two lines"),
        pytest.param({"mode": order_service_pb2.HALT_MODE_UNSPECIFIED}, "mode", id="no mode"),
    ],
)
async def test_a_halt_without_name_reason_or_mode_changes_nothing(
    exchange: SandboxProcess, guard: GuardServer, tmp_path: Path, changes: dict[str, str], field: str
) -> None:
    settings = configuration(tmp_path, sandbox_url=exchange.url, guard_port=guard.port)
    request = halt()
    for name, value in changes.items():
        setattr(request, name, value)
    async with order_service(settings) as service:
        with pytest.raises(grpc.aio.AioRpcError) as refused:
            await service.stub.HaltTrading(request, timeout=5)
        state = await service.stub.GetTradingState(GetTradingStateRequest(), timeout=5)

    assert refused.value.code() is grpc.StatusCode.INVALID_ARGUMENT
    assert violated_fields(refused.value) == [field]
    assert list(state.halts) == []
