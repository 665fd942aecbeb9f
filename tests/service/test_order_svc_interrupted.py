"""Orders whose way is broken off or paused at every checkpoint, and runs that lose answers: all promises kept."""

from __future__ import annotations

import asyncio
import json
import os
import signal
from collections.abc import AsyncIterator
from pathlib import Path

import grpc
import pytest

from fakes.guard_server import GuardServer, guard_server
from fakes.order_service import buy, configuration, order_service, two_account_exchange
from opitios.order.v1 import order_pb2
from opitios.order.v1.order_service_pb2 import GetOrderRequest
from opitios.order.v1.order_service_pb2_grpc import OrderServiceStub
from order_chaos import run
from order_history import Answered, read_history, story, violations
from order_svc.checkpoints import Checkpoint
from rich_errors import error_info
from sandbox_process import SandboxProcess
from scenarios import configured_account
from stack_process import ServiceProcess, free_ports

JOURNAL = "opitios-order_svc.db"
ON_THE_WAY = (
    Checkpoint.AFTER_VALIDATE,
    Checkpoint.AFTER_INTENT_COMMIT,
    Checkpoint.BEFORE_SEND,
    Checkpoint.AFTER_RESPONSE,
    Checkpoint.AFTER_RESULT_COMMIT,
    Checkpoint.AFTER_LINE,
)


@pytest.fixture
async def exchange() -> AsyncIterator[SandboxProcess]:
    async with two_account_exchange() as sandbox:
        yield sandbox


@pytest.fixture
async def guard() -> AsyncIterator[GuardServer]:
    async with guard_server() as server:
        yield server


class Breaking:
    """Raises once at the checkpoint that is armed."""

    def __init__(self) -> None:
        self.armed: Checkpoint | None = None

    def __call__(self, reached: Checkpoint) -> None:
        if reached is self.armed:
            self.armed = None
            raise RuntimeError(f"broken off {reached.value}")


async def test_a_bug_at_any_checkpoint_leaves_one_order_at_most_one_line_and_nothing_in_doubt(
    exchange: SandboxProcess, guard: GuardServer, tmp_path: Path
) -> None:
    settings = configuration(tmp_path, sandbox_url=exchange.url, guard_port=guard.port)
    breaking, told = Breaking(), dict[Checkpoint, str]()
    async with order_service(settings, checkpoint=breaking) as service:
        for checkpoint in ON_THE_WAY:
            breaking.armed = checkpoint
            try:
                order = (
                    await service.stub.PlaceOrder(buy(client_order_id=checkpoint.value), timeout=5)
                ).order
                told[checkpoint] = order_pb2.OrderState.Name(order.state)
            except grpc.aio.AioRpcError as error:
                told[checkpoint] = error_info(error).reason
        ends = {
            name: (
                await service.stub.GetOrder(
                    GetOrderRequest(account_id="paper", client_order_id=name.value), timeout=5
                )
            ).order.state
            for name in ON_THE_WAY[1:]
        }
    history = read_history(tmp_path / JOURNAL, await exchange.ledger(), service.log.lines)

    assert violations(history) == [], story(history)
    # Before the journal has it there is no order, and the caller learns of a bug.
    assert told[Checkpoint.AFTER_VALIDATE] == "INTERNAL"
    assert told[Checkpoint.AFTER_INTENT_COMMIT] == "NEVER_SENT"
    assert ends[Checkpoint.BEFORE_SEND] == order_pb2.ORDER_STATE_NOT_PLACED
    after_the_send = (Checkpoint.AFTER_RESPONSE, Checkpoint.AFTER_RESULT_COMMIT, Checkpoint.AFTER_LINE)
    assert {ends[one] for one in after_the_send} <= {
        order_pb2.ORDER_STATE_WORKING,
        order_pb2.ORDER_STATE_FILLED,
    }
    assert len(history.ledger) == len(after_the_send)


async def _until_stopped(pid: int) -> None:
    """Returns when the process has stopped itself."""
    flags = os.WSTOPPED | os.WNOWAIT
    await asyncio.wait_for(asyncio.to_thread(os.waitid, os.P_PID, pid, flags), timeout=30)


async def test_a_process_paused_at_every_checkpoint_places_one_order_when_it_goes_on(
    exchange: SandboxProcess, guard: GuardServer, tmp_path: Path
) -> None:
    (port,) = free_ports(1)
    values = {
        "accounts": {"paper": configured_account("paper")},
        "alpaca": {"trading_url": exchange.url, "data_url": exchange.url},
        "services": {
            "account": {"listen": f"127.0.0.1:{guard.port}"},
            "order": {"listen": f"127.0.0.1:{port}"},
        },
        "storage": {"url": f"sqlite:///{tmp_path}/opitios.db"},
        "logging": {"console": True},
    }
    config = tmp_path / "secrets.yml"
    config.write_text(json.dumps(values))
    config.chmod(0o600)
    armed = {"ARMED_CHECKPOINT": "every", "ARMED_SIGNAL": "SIGSTOP"}
    process = ServiceProcess("tests.fakes.order_svc_armed", config, tmp_path, armed)
    starting = asyncio.ensure_future(process.start(until="Trading is open"))
    while not starting.done() and process.lines == []:
        await asyncio.wait({starting}, timeout=0.05)
    await _until_stopped(process.pid)  # in recovery
    os.kill(process.pid, signal.SIGCONT)
    await starting
    async with grpc.aio.insecure_channel(f"127.0.0.1:{port}") as channel:
        call = OrderServiceStub(channel).PlaceOrder(buy(client_order_id="k"), timeout=30)
        for _ in ON_THE_WAY:
            await _until_stopped(process.pid)
            os.kill(process.pid, signal.SIGCONT)
        order = (await call).order
    os.kill(process.pid, signal.SIGTERM)
    await _until_stopped(process.pid)  # in drain
    os.kill(process.pid, signal.SIGCONT)
    await process.line("ended>")
    assert await process.end() == 0

    log = (tmp_path / "logs" / "app" / "order_svc.log").read_text().splitlines()
    told = Answered(account_id="paper", client_order_id="k", order_id=order.order_id)
    history = read_history(tmp_path / JOURNAL, await exchange.ledger(), log, [told])
    assert violations(history) == [], story(history)
    assert [one["id"] for one in history.ledger] == [order.order_id]


@pytest.mark.parametrize("lost", [0.01, 0.1, 0.5], ids=["1 %", "10 %", "50 %"])
async def test_runs_that_lose_answers_keep_every_promise(tmp_path: Path, lost: float) -> None:
    history, _ = await run(tmp_path, seed=int(lost * 100), histories=24, lost=lost)

    assert violations(history) == [], story(history)
    assert len(history.intents) == 24
