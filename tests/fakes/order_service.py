"""order_svc as it is, in this process: a real server on a free port, a real journal, its log lines kept."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import grpc
from loguru import logger

from config.schema import Configuration
from opitios.order.v1 import order_pb2
from opitios.order.v1.order_service_pb2 import PlaceOrderRequest
from opitios.order.v1.order_service_pb2_grpc import OrderServiceStub
from order_svc.app import open_app
from order_svc.checkpoints import OnCheckpoint, pass_by
from order_svc.resolve import ResolutionPolicy
from sandbox_process import SandboxProcess
from scenarios import configured_account, exchange_account, scenario

if TYPE_CHECKING:
    from loguru import Message

    # Exists in the type stubs only.
    from opitios.order.v1.order_service_pb2_grpc import OrderServiceAsyncStub

ORDERS = r"^/v2/orders$"
"""The broker's path for placing an order."""
ATTEMPT_HEADS = ("Order placed:", "Order failed:", "Order cancelled:", "Cancel failed:")

QUICK = ResolutionPolicy(
    quarantine_seconds=0.4, first_pause_seconds=0.02, longest_pause_seconds=0.1, lookup_timeout_seconds=2.0
)
"""Resolves lost answers in well under a second."""


@dataclass(slots=True)
class LogLines:
    """What the service logs, as it is written."""

    lines: list[str] = field(default_factory=list)
    _grown: asyncio.Event = field(default_factory=asyncio.Event)

    def take(self, message: Message) -> None:
        self.lines.append(message.record["message"])
        self._grown.set()

    def attempts(self) -> list[str]:
        """The lines of attempts."""
        return [line for line in self.lines if line.startswith(ATTEMPT_HEADS)]

    async def wait_beyond(self, count: int) -> None:
        """Return when there are more lines than that."""
        while len(self.lines) <= count:
            self._grown.clear()
            await self._grown.wait()

    async def wait_for(self, *texts: str, seconds: float = 20) -> str:
        """Return the first line that holds every text."""
        async with asyncio.timeout(seconds):
            while True:
                self._grown.clear()
                for line in self.lines:
                    if all(text in line for text in texts):
                        return line
                await self._grown.wait()


@dataclass(slots=True, kw_only=True)
class RunningOrderService:
    """A running service and what is needed to talk to it."""

    stub: OrderServiceAsyncStub
    log: LogLines
    port: int


def configuration(
    folder: Path, *, sandbox_url: str, guard_port: int, **sections: Mapping[str, object]
) -> Configuration:
    """Two accounts of the default scenario; further sections replace the usual ones."""
    values: dict[str, object] = {
        "accounts": {
            "paper": configured_account("paper"),
            "live": configured_account("live", paper=False),
        },
        "alpaca": {"trading_url": sandbox_url, "data_url": sandbox_url},
        "services": {
            "account": {"listen": f"127.0.0.1:{guard_port}"},
            "order": {"listen": "127.0.0.1:0"},
        },
        "storage": {"url": f"sqlite:///{folder}/opitios.db"},
        "logging": {"directory": str(folder / "logs")},
        **sections,
    }
    return Configuration.model_validate(values)


@asynccontextmanager
async def order_service(
    settings: Configuration,
    *,
    checkpoint: OnCheckpoint = pass_by,
    policy: ResolutionPolicy = QUICK,
    until_trading: bool = True,
) -> AsyncIterator[RunningOrderService]:
    """The service, serving; with `until_trading` also recovered."""
    log = LogLines()
    sink = logger.add(log.take, level="DEBUG", format="{message}")
    try:
        async with open_app(settings, checkpoint=checkpoint, policy=policy) as running:
            async with grpc.aio.insecure_channel(f"127.0.0.1:{running.port}") as channel:
                service = RunningOrderService(
                    stub=OrderServiceStub(channel),
                    log=log,
                    port=running.port,
                )
                if until_trading:
                    await log.wait_for("Trading is open")
                yield service
            await running.stop(5.0)
    finally:
        logger.remove(sink)


def buy(**changes: object) -> PlaceOrderRequest:
    """One AAPL share at the market, for the paper account."""
    values: dict[str, object] = {
        "account_id": "paper",
        "symbol": "AAPL",
        "side": order_pb2.SIDE_BUY,
        "qty": "1",
        **changes,
    }
    return PlaceOrderRequest(**values)  # type: ignore[arg-type] # a test names any field


def two_account_exchange() -> SandboxProcess:
    """An exchange with a paper and a live account, 100,000 USD each, in an open market."""
    return SandboxProcess(
        scenario(exchange_account("paper", "PA1000001"), exchange_account("live", "900000001"))
    )
