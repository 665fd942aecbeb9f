"""sell_svc as a server between real sockets: its callers on one side, account_svc and order_svc on the other."""

# The stub's class for typing exists in the stubs only, so annotations must stay unevaluated.
from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import grpc
import pytest
from grpc_health.v1.health_pb2 import HealthCheckRequest, HealthCheckResponse

from config.schema import Configuration
from fakes.sell_services import NOW, Book, account_service, order_service, stamp
from opitios.account.v1 import account_pb2
from opitios.order.v1 import order_pb2, order_service_pb2
from opitios.sell.v1 import sell_service_pb2 as pb
from opitios.sell.v1.sell_service_pb2_grpc import SellServiceStub
from rich_errors import error_info, violated_fields
from runtime.channel import open_channel
from runtime.errors import FailedPrecondition, NotFound
from runtime.server import GrpcServer
from runtime.sqlite import StoreLocked
from sell_svc.app import open_app

if TYPE_CHECKING:
    from opitios.sell.v1.sell_service_pb2_grpc import SellServiceAsyncStub

OPTION = "AAPL270115C00200000"
OTHER = "MSFT270115P00400000"
WAIT_SECONDS = 10.0


class Denied(FailedPrecondition):
    reason = "INSUFFICIENT_BALANCE"


class AccountNotFound(NotFound):
    reason = "ACCOUNT_NOT_FOUND"


@dataclass(frozen=True, slots=True, kw_only=True)
class Service:
    """A running sell_svc and a way to call it."""

    server: GrpcServer
    channel: grpc.aio.Channel
    stub: SellServiceAsyncStub

    async def status(self) -> pb.MonitorStatus:
        return (await self.stub.GetStatus(pb.GetStatusRequest(), timeout=WAIT_SECONDS)).status

    async def decisions(self, **of: str) -> list[pb.Decision]:
        request = pb.ListDecisionsRequest(account_id=of.get("account_id", ""), symbol=of.get("symbol", ""))
        return list((await self.stub.ListDecisions(request, timeout=WAIT_SECONDS)).decisions)


@pytest.fixture
def book() -> Book:
    return Book()


@dataclass(frozen=True, slots=True, kw_only=True)
class Around:
    """The services that sell_svc needs, and where it keeps its state."""

    account: GrpcServer
    order: GrpcServer
    folder: Path

    def configuration(self, **sell_module: object) -> Configuration:
        section = {"enabled": True, "check_interval": 0.02, "auto_sell": "all", **sell_module}
        return Configuration.model_validate(
            {
                "sell_module": section,
                "services": {
                    "account": {"target": f"127.0.0.1:{self.account.port}"},
                    "order": {"target": f"127.0.0.1:{self.order.port}"},
                    "sell": {"listen": "127.0.0.1:0"},
                },
                "storage": {"url": f"sqlite:///{self.folder}/opitios.db"},
            }
        )

    @asynccontextmanager
    async def running(self, **sell_module: object) -> AsyncIterator[Service]:
        async with (
            open_app(self.configuration(**sell_module)) as server,
            open_channel(f"127.0.0.1:{server.port}") as channel,
        ):
            yield Service(server=server, channel=channel, stub=SellServiceStub(channel))


@pytest.fixture
async def around(book: Book, tmp_path: Path) -> AsyncIterator[Around]:
    async with account_service(book) as account, order_service(book) as order:
        yield Around(account=account, order=order, folder=tmp_path)


async def becomes(channel: grpc.aio.Channel, name: str, *, serving: bool) -> None:
    """Returns when health says so about the name."""
    watch = channel.unary_stream(
        "/grpc.health.v1.Health/Watch",
        request_serializer=HealthCheckRequest.SerializeToString,
        response_deserializer=HealthCheckResponse.FromString,
    )
    wanted = HealthCheckResponse.SERVING if serving else HealthCheckResponse.NOT_SERVING
    async for answer in watch(HealthCheckRequest(service=name), timeout=WAIT_SECONDS):
        if answer.status == wanted:
            return
    pytest.fail("the health service closed the watch")


async def test_a_profit_is_taken_once_with_a_closing_market_order_and_everything_shows_it(
    book: Book, around: Around
) -> None:
    book.hold(OPTION, qty="2", entry="1.00")
    book.bid(OPTION, "1.10")
    async with around.running() as service:
        await book.visits.reach("PlaceOrder", 1)
        await book.visits.reach("ListPositions", book.visits["ListPositions"] + 3)
        status = await service.status()
        sales = [one for one in await service.decisions(symbol=OPTION) if one.verdict == pb.VERDICT_SELL]

    (sent,) = book.placed
    assert sent == order_service_pb2.PlaceOrderRequest(
        account_id="alice",
        client_order_id=sent.client_order_id,
        symbol=OPTION,
        side=order_pb2.SIDE_SELL,
        order_type=order_pb2.ORDER_TYPE_MARKET,
        time_in_force=order_pb2.TIME_IN_FORCE_DAY,
        qty="2",
        position_intent=order_pb2.POSITION_INTENT_SELL_TO_CLOSE,
        auto_sell_enabled=True,
    )
    assert sent.client_order_id.startswith("exit-")
    assert len(book.request_ids) == 1
    (sale,) = sales
    assert (sale.rule, sale.qty, sale.outcome) == ("TAKE_PROFIT", "2", "accepted")
    assert (sale.client_order_id, sale.order_id) == (sent.client_order_id, f"b-{sent.client_order_id}")
    assert sale.reason == "price 1.10 (bid) >= 1.100 = entry 1.00 x 1.1"
    assert (status.running, status.desired_running, status.sold, status.failed) == (True, True, 1, 0)
    assert status.HasField("last_activity_at")
    assert [(one.account_id, one.error) for one in status.accounts] == [("alice", "")]


async def test_without_a_bid_the_exit_is_a_limit_order_at_the_lowest_tick(book: Book, around: Around) -> None:
    book.hold(OPTION, qty="1", entry="1.00")
    book.bid(OPTION, "0")
    book.quotes[OPTION].ask_price = "0.05"
    async with around.running():
        await book.visits.reach("PlaceOrder", 1)

    (sent,) = book.placed
    assert (sent.order_type, sent.limit_price) == (order_pb2.ORDER_TYPE_LIMIT, "0.01")


async def test_tracked_sells_only_the_lots_that_allow_it(book: Book, around: Around) -> None:
    for symbol in (OPTION, OTHER):
        book.hold(symbol, qty="3", entry="1.00")
        book.bid(symbol, "0.80")
        book.lots.append(
            order_service_pb2.TrackedLot(
                symbol=symbol, remaining_qty="2", auto_sell_enabled=symbol == OPTION, filled_at=stamp(NOW)
            )
        )
    async with around.running(auto_sell="tracked") as service:
        await book.visits.reach("PlaceOrder", 1)
        await book.visits.reach("ListPositions", book.visits["ListPositions"] + 3)
        rules = [one.rule for one in await service.decisions(symbol=OTHER)]

    assert [(one.symbol, one.qty) for one in book.placed] == [(OPTION, "2")]
    assert rules == ["NOT_TRACKED"]


async def test_a_stale_order_of_an_account_without_positions_is_cancelled(book: Book, around: Around) -> None:
    book.open_order("stale", OPTION, age=timedelta(minutes=3))
    book.open_order("young", OPTION, age=timedelta(seconds=179))
    book.is_open = False
    async with around.running(order_cancel_minutes=3) as service:
        await book.visits.reach("CancelOrder", 1)
        await book.visits.reach("ListOrders", book.visits["ListOrders"] + 3)
        status = await service.status()
        (decision,) = await service.decisions()

    assert [one.order_id for one in book.cancelled] == ["b-stale"]
    assert book.cancelled[0].reason == "open for 180 s, limit 180 s"
    assert status.cancelled == 1
    assert (decision.verdict, decision.rule, decision.outcome) == (
        pb.VERDICT_CANCEL,
        "STALE_ORDER",
        "requested",
    )


async def test_an_exit_the_guard_denies_is_counted_and_shown(book: Book, around: Around) -> None:
    book.hold(OPTION, qty="2", entry="1.00")
    book.bid(OPTION, "0.50")
    book.refusal = Denied("cash 4000.00 is below 5000.00")
    async with around.running() as service:
        await book.visits.reach("PlaceOrder", 1)
        await book.visits.reach("ListPositions", book.visits["ListPositions"] + 3)
        status = await service.status()
        outcomes = {one.rule: one.outcome for one in await service.decisions()}

    assert len(book.placed) == 1
    assert (status.exits_blocked, status.failed, status.sold) == (1, 0, 0)
    assert status.accounts[0].exits_blocked == 1
    assert "INSUFFICIENT_BALANCE" in status.accounts[0].error
    assert outcomes["STOP_LOSS"] == "denied: INSUFFICIENT_BALANCE: cash 4000.00 is below 5000.00"


async def test_an_account_that_order_svc_does_not_know_is_no_proof_that_no_exit_is_open(
    book: Book, around: Around
) -> None:
    book.hold(OPTION, qty="2", entry="1.00")
    book.bid(OPTION, "0.50")
    book.missing = AccountNotFound("no such account")
    async with around.running() as service:
        await book.visits.reach("ListPositions", 4)
        (decision,) = await service.decisions()

    assert book.placed == []
    assert (decision.verdict, decision.rule) == (pb.VERDICT_UNDECIDED, "EXIT_UNKNOWN")


async def test_positions_that_could_not_be_read_are_not_an_empty_account(book: Book, around: Around) -> None:
    """S-12, I10."""
    book.position_errors["alice"] = "the broker does not answer"
    book.open_order("stale", OPTION, age=timedelta(hours=1))
    async with around.running() as service:
        await book.visits.reach("CancelOrder", 1)
        await book.visits.reach("ListPositions", 3)
        status = await service.status()

    assert status.accounts[0].error == "positions: UNAVAILABLE: the broker does not answer"


async def test_an_account_that_may_not_open_orders_keeps_its_stop_losses(book: Book, around: Around) -> None:
    """S-11: one that was below its minimum at the start used to be watched by nobody."""
    book.accounts = [account_pb2.Account(account_id="alice", enabled=True, tradable=False, reason="cash")]
    book.hold(OPTION, qty="2", entry="1.00")
    book.bid(OPTION, "0.50")
    async with around.running():
        await book.visits.reach("PlaceOrder", 1)

    assert [one.symbol for one in book.placed] == [OPTION]


async def test_start_and_stop_say_whether_they_changed_anything(book: Book, around: Around) -> None:
    async with around.running() as service:
        started = await service.stub.StartMonitoring(pb.StartMonitoringRequest(), timeout=WAIT_SECONDS)
        stopped = [
            await service.stub.StopMonitoring(pb.StopMonitoringRequest(), timeout=WAIT_SECONDS)
            for _ in range(2)
        ]
        again = await service.stub.StartMonitoring(pb.StartMonitoringRequest(), timeout=WAIT_SECONDS)
        restarted = await service.stub.RestartMonitoring(pb.RestartMonitoringRequest(), timeout=WAIT_SECONDS)

    assert (started.changed, started.status.running) == (False, True)
    assert [(one.changed, one.status.running) for one in stopped] == [(True, False), (False, False)]
    assert stopped[0].status.desired_running is False
    assert not stopped[0].status.HasField("started_at")
    assert (again.changed, again.status.running) == (True, True)
    assert restarted.status.running
    assert restarted.status.started_at.ToDatetime() > again.status.started_at.ToDatetime()


async def test_a_start_with_a_short_deadline_starts_loops_that_go_on(book: Book, around: Around) -> None:
    async with around.running() as service:
        await service.stub.StopMonitoring(pb.StopMonitoringRequest(), timeout=WAIT_SECONDS)
        await service.stub.StartMonitoring(pb.StartMonitoringRequest(), timeout=0.5)
        # Forty rounds of 20 ms: loops that had inherited the deadline could call nobody by then.
        await book.visits.reach("ListAccounts", book.visits["ListAccounts"] + 40)
        status = await service.status()

    assert (status.accounts_known, status.accounts[0].error) == (True, "")


async def test_a_disabled_monitor_refuses_to_start_and_names_the_key(around: Around) -> None:
    async with around.running(enabled=False) as service:
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await service.stub.StartMonitoring(pb.StartMonitoringRequest(), timeout=WAIT_SECONDS)
        status = await service.status()

    assert caught.value.code() is grpc.StatusCode.FAILED_PRECONDITION
    assert error_info(caught.value).reason == "MONITOR_DISABLED"
    assert "sell_module.enabled" in (caught.value.details() or "")
    assert (status.enabled, status.running, status.desired_running) == (False, False, False)


async def test_the_next_process_resumes_what_this_one_was_told(around: Around) -> None:
    async with around.running() as service:
        await service.stub.StopMonitoring(pb.StopMonitoringRequest(), timeout=WAIT_SECONDS)
    async with around.running() as service:
        stopped = await service.status()
        await service.stub.StartMonitoring(pb.StartMonitoringRequest(), timeout=WAIT_SECONDS)
    async with around.running() as service:
        running = await service.status()

    assert (stopped.desired_running, stopped.running) == (False, False)
    assert (running.desired_running, running.running) == (True, True)


async def test_a_second_instance_refuses_to_start(around: Around) -> None:
    """S-39."""
    async with around.running():
        with pytest.raises(StoreLocked):
            async with around.running():
                pytest.fail("two instances run")


async def test_status_tells_the_configuration(around: Around) -> None:
    section = {
        "check_interval": 2.5,
        "order_cancel_minutes": 7,
        "auto_sell": "tracked",
        "cancel_scope": "own",
        "strategy_one": {"enabled": False, "profit_rate": "1.25", "stop_loss_rate": "0.75"},
        "zero_day_handling": False,
    }
    async with around.running(**section) as service:
        status = await service.status()

    assert (status.check_interval_seconds, status.order_cancel_minutes) == ("2.5", "7")
    assert (status.auto_sell, status.cancel_scope) == ("tracked", "own")
    assert (status.strategy_enabled, status.profit_rate, status.stop_loss_rate) == (False, "1.25", "0.75")
    assert (status.enabled, status.zero_day_handling) == (True, False)


async def test_a_policy_set_at_run_time_sells_is_shown_and_outlives_the_process(
    book: Book, around: Around
) -> None:
    book.hold(OPTION, qty="2", entry="1.00")
    book.bid(OPTION, "0.85")
    change = pb.SetPolicyRequest(
        account_id="alice", underlying_symbol="aapl", override=pb.PolicyOverride(stop_loss_rate="0.9")
    )
    async with around.running() as service:
        await book.visits.reach("ListPositions", 3)
        before = list(book.placed)
        answer = await service.stub.SetPolicy(change, timeout=WAIT_SECONDS)
        await book.visits.reach("PlaceOrder", 1)
        (shown,) = (await service.status()).accounts
        repeated = await service.stub.SetPolicy(change, timeout=WAIT_SECONDS)
    async with around.running() as service:
        await book.visits.reach("ListPositions", book.visits["ListPositions"] + 3)
        (after,) = (await service.status()).accounts

    assert before == []
    assert (answer.changed, repeated.changed) == (True, False)
    assert shown.policies == answer.policies == after.policies
    assert [(one.underlying_symbol, one.stop_loss_rate) for one in after.policies] == [
        ("", "0.8"),
        ("AAPL", "0.9"),
    ]


@pytest.mark.parametrize(
    ("request_", "code", "reason"),
    [
        pytest.param(
            pb.SetPolicyRequest(account_id="nobody", override=pb.PolicyOverride(stop_loss_rate="0.9")),
            grpc.StatusCode.NOT_FOUND,
            "ACCOUNT_NOT_FOUND",
            id="an account that nobody has",
        ),
        pytest.param(
            pb.SetPolicyRequest(underlying_symbol="A/B"),
            grpc.StatusCode.INVALID_ARGUMENT,
            "MALFORMED_REQUEST",
            id="no symbol",
        ),
        pytest.param(
            pb.SetPolicyRequest(override=pb.PolicyOverride(stop_loss_rate="1", profit_rate="1")),
            grpc.StatusCode.INVALID_ARGUMENT,
            "MALFORMED_REQUEST",
            id="no room between the rates",
        ),
    ],
)
async def test_a_policy_that_makes_no_sense_is_refused(
    around: Around, request_: pb.SetPolicyRequest, code: grpc.StatusCode, reason: str
) -> None:
    async with around.running() as service:
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await service.stub.SetPolicy(request_, timeout=WAIT_SECONDS)

    assert caught.value.code() is code
    assert error_info(caught.value).reason == reason


async def test_too_many_decisions_asked_for_names_the_field(around: Around) -> None:
    async with around.running() as service:
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await service.stub.ListDecisions(pb.ListDecisionsRequest(limit=1001), timeout=WAIT_SECONDS)

    assert caught.value.code() is grpc.StatusCode.INVALID_ARGUMENT
    assert violated_fields(caught.value) == ["limit"]


async def test_trade_health_follows_the_services_it_needs(book: Book, tmp_path: Path) -> None:
    async with account_service(book) as account:
        async with order_service(book) as order:
            listen = f"127.0.0.1:{order.port}"
            around = Around(account=account, order=order, folder=tmp_path)
            stack = around.running()
            service = await stack.__aenter__()
            await becomes(service.channel, "trade", serving=True)
            await becomes(service.channel, "read", serving=True)
        await becomes(service.channel, "trade", serving=False)
        status = await service.status()
        async with order_service(book, listen):
            await becomes(service.channel, "trade", serving=True)
        await stack.__aexit__(None, None, None)

    assert status.running


async def test_without_account_svc_the_monitor_waits_and_says_so(book: Book, tmp_path: Path) -> None:
    async with order_service(book) as order:
        async with account_service(book) as account:
            around = Around(account=account, order=order, folder=tmp_path)
            listen = f"127.0.0.1:{account.port}"
        async with around.running() as service:
            status = await service.status()
            book.hold(OPTION, qty="2", entry="1.00")
            book.bid(OPTION, "0.50")
            async with account_service(book, listen):
                await book.visits.reach("PlaceOrder", 1)
            assert (await service.status()).sold == 1

    assert (status.running, status.accounts_known, list(status.accounts)) == (True, False, [])
