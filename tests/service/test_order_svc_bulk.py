"""BulkPlaceOrder and PreviewOrder on a real server against a real exchange process."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import grpc
import pytest

from fakes.guard_server import GuardServer, guard_server
from fakes.order_service import ORDERS, configuration, order_service
from opitios.account.v1 import account_pb2
from opitios.order.v1 import order_pb2, order_service_pb2
from opitios.order.v1.order_service_pb2 import (
    BulkPlaceOrderRequest,
    HaltTradingRequest,
    ListAttemptsRequest,
    PreviewOrderRequest,
)
from rich_errors import violated_fields
from sandbox_process import SandboxProcess
from scenarios import configured_account, exchange_account, scenario

NAMES = ("third", "first", "second")
"""In the order of the configuration, which is not that of the alphabet."""


@pytest.fixture
async def exchange() -> AsyncIterator[SandboxProcess]:
    accounts = (exchange_account(name, f"PA100000{number}") for number, name in enumerate(NAMES))
    async with SandboxProcess(scenario(*accounts)) as sandbox:
        yield sandbox


@pytest.fixture
async def guard() -> AsyncIterator[GuardServer]:
    async with guard_server() as server:
        yield server


def _settings(folder: Path, exchange: SandboxProcess, guard: GuardServer, **more: Any) -> Any:
    accounts = {name: configured_account(name) for name in NAMES}
    return configuration(folder, sandbox_url=exchange.url, guard_port=guard.port, accounts=accounts, **more)


def _bulk(*account_ids: str, **changes: Any) -> BulkPlaceOrderRequest:
    values: dict[str, Any] = {"symbol": "AAPL", "side": order_pb2.SIDE_BUY, "qty": "1", **changes}
    return BulkPlaceOrderRequest(account_ids=account_ids, **values)


async def test_every_account_gets_its_own_order_row_guard_and_line_in_the_configurations_order(
    exchange: SandboxProcess, guard: GuardServer, tmp_path: Path
) -> None:
    async with order_service(_settings(tmp_path, exchange, guard)) as service:
        answer = await service.stub.BulkPlaceOrder(_bulk(client_order_id="k"), timeout=10)
        again = await service.stub.BulkPlaceOrder(_bulk(client_order_id="k"), timeout=10)
        lines = service.log.attempts()
        attempts = [
            (await service.stub.ListAttempts(ListAttemptsRequest(account_id=name))).attempts for name in NAMES
        ]

    assert [one.account_id for one in answer.results] == list(NAMES)
    assert (answer.placed, answer.refused, answer.unknown) == (3, 0, 0)
    ledger = (await exchange.ledger())["orders"]
    assert {(one.account_id, one.order.order_id) for one in answer.results} == {
        (one["account"], one["id"]) for one in ledger
    }
    # The same key again is the same wish in each account (I1, I4).
    assert [one.order.order_id for one in again.results] == [one.order.order_id for one in answer.results]
    assert len(await exchange.requests(method="POST", path=ORDERS)) == 3
    assert sorted(one.account_id for one in guard.asked) == sorted(NAMES)
    assert [len(one) for one in attempts] == [1, 1, 1]
    assert sorted(line.split("attempt=")[1] for line in lines) == sorted(
        one[0].attempt_id for one in attempts
    )


async def test_an_account_that_refuses_touches_no_other(
    exchange: SandboxProcess, guard: GuardServer, tmp_path: Path
) -> None:
    stop = HaltTradingRequest(
        account_id="first", mode=order_service_pb2.HALT_MODE_HALTED, requested_by="anna", reason="test"
    )
    lost = {"match": {"method": "POST", "path": ORDERS, "account": "second"}, "action": "hang_after"}
    await exchange.add_fault(lost)
    await exchange.add_fault({"match": {"path": "by_client_order_id"}, "action": "hang"})
    settings = _settings(tmp_path, exchange, guard, trading={"order_timeout_seconds": 0.6})
    async with order_service(settings) as service:
        await service.stub.HaltTrading(stop, timeout=5)
        answer = await service.stub.BulkPlaceOrder(_bulk(), timeout=10)
        await exchange.clear_faults()

    third, first, second = answer.results
    assert third.order.order_id
    assert (first.error.code, first.error.reason) == ("FAILED_PRECONDITION", "TRADING_HALTED")
    assert first.error.metadata["halted_by"] == "anna"
    assert second.order.state == order_pb2.ORDER_STATE_UNKNOWN
    assert (answer.placed, answer.refused, answer.unknown) == (1, 1, 1)
    assert len({one.client_order_id for one in answer.results}) == 1


async def test_named_accounts_are_each_tried_once_and_an_unknown_one_stops_everything(
    exchange: SandboxProcess, guard: GuardServer, tmp_path: Path
) -> None:
    async with order_service(_settings(tmp_path, exchange, guard)) as service:
        answer = await service.stub.BulkPlaceOrder(_bulk("second", "Third", "third"), timeout=10)
        with pytest.raises(grpc.aio.AioRpcError) as missing:
            await service.stub.BulkPlaceOrder(_bulk("first", "nobody"), timeout=10)
        with pytest.raises(grpc.aio.AioRpcError) as wrong:
            await service.stub.BulkPlaceOrder(_bulk("first", "", qty="-1"), timeout=10)

    assert [one.account_id for one in answer.results] == ["third", "second"]
    assert missing.value.code() is grpc.StatusCode.NOT_FOUND
    assert violated_fields(wrong.value) == ["account_ids[1]", "qty"]
    assert len(await exchange.requests(method="POST", path=ORDERS)) == 2


async def test_a_preview_shows_the_guards_figures_and_leaves_no_trace(
    exchange: SandboxProcess, guard: GuardServer, tmp_path: Path
) -> None:
    wish = PreviewOrderRequest(account_id="First", symbol="AAPL", side=order_pb2.SIDE_BUY, qty="1")
    async with order_service(_settings(tmp_path, exchange, guard)) as service:
        allowed = await service.stub.PreviewOrder(wish, timeout=5)
        guard.verdict, guard.reason = account_pb2.BALANCE_VERDICT_BELOW, "INSUFFICIENT_BALANCE"
        below = await service.stub.PreviewOrder(wish, timeout=5)
        attempts = (await service.stub.ListAttempts(ListAttemptsRequest(account_id="first"))).attempts
        lines = service.log.attempts()

    assert allowed.verdict == order_service_pb2.PREVIEW_VERDICT_WOULD_SEND
    assert (allowed.account_id, allowed.account_number) == ("first", "PA1000001")
    assert below.verdict == order_service_pb2.PREVIEW_VERDICT_WOULD_REFUSE
    assert (below.reason, below.message) == (
        "INSUFFICIENT_BALANCE",
        "cash 4000 less holds 100 is below 5000",
    )
    balance = below.checks[-1]
    assert (balance.name, balance.unit) == ("balance", "USD")
    assert (balance.limit, balance.used, balance.left, balance.needed) == ("4000", "100", "3900", "5000")
    assert (list(attempts), lines, guard.asked) == ([], [], [])
    assert await exchange.requests(method="POST", path=ORDERS) == []
