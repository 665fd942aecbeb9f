"""A seeded run of orders against an exchange that loses answers; `tests/bench/orders_soak.py` runs many."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import grpc

from fakes.guard_server import guard_server
from fakes.order_service import (
    ORDERS,
    RunningOrderService,
    buy,
    configuration,
    order_service,
    two_account_exchange,
)
from opitios.order.v1 import order_pb2
from opitios.order.v1.order_service_pb2 import CancelOrderRequest, GetOrderRequest
from order_history import Answered, History, read_history
from sandbox_process import SandboxProcess

FAULTS: tuple[Mapping[str, Any], ...] = (
    {"action": "cut_after"},
    {"action": "cut_before"},
    {"action": "truncate"},
    {"action": "hang_after"},
    {"action": "hang"},
    {"action": "body", "status": 504, "body": ""},
    {"action": "body", "body": "<html>"},
    {"action": "status", "status": 503},
    {"action": "status", "status": 500},
    {"action": "status", "status": 429},
    {"action": "retry_after", "seconds": 1},
)
SEND_SECONDS = 1.2
UNRESOLVED = {
    order_pb2.ORDER_STATE_NEW,
    order_pb2.ORDER_STATE_HELD,
    order_pb2.ORDER_STATE_SENDING,
    order_pb2.ORDER_STATE_UNKNOWN,
}
CONCURRENT = 4
RESOLVED_WITHIN_SECONDS = 30.0


@dataclass(slots=True, kw_only=True)
class Chaos:
    """One run: `histories` orders, each placed, perhaps repeated, perhaps cancelled."""

    service: RunningOrderService
    exchange: SandboxProcess
    chance: random.Random
    lost: float
    """The share of POSTs that go wrong."""
    answers: list[Answered] = field(default_factory=list)
    resolved_ms: list[float] = field(default_factory=list)
    """From an answer of UNKNOWN to a state that is known."""

    async def history(self, number: int) -> None:
        """One order's life, as the seed has it."""
        wish: dict[str, Any] = {
            "client_order_id": f"chaos-{number}",
            "account_id": self.chance.choice(["paper", "live"]),
        }
        if self.chance.random() < 0.5:
            wish |= {"order_type": order_pb2.ORDER_TYPE_LIMIT, "limit_price": "1"}
        steps = [self._place(wish) for _ in range(self.chance.choice([1, 1, 2, 3]))]
        if self.chance.random() < self.lost:
            fault = self.chance.choice(FAULTS)
            await self.exchange.add_fault({"match": {"method": "POST", "path": ORDERS}, **fault})
        cancels = self.chance.random() < 0.3
        await asyncio.gather(*steps)
        if cancels:
            await self._cancel(wish)
        await self._until_known(wish)

    async def _place(self, wish: Mapping[str, Any]) -> None:
        try:
            order = (await self.service.stub.PlaceOrder(buy(**wish), timeout=10)).order
        except grpc.aio.AioRpcError:
            return
        self.answers.append(
            Answered(
                account_id=order.account_id, client_order_id=order.client_order_id, order_id=order.order_id
            )
        )

    async def _cancel(self, wish: Mapping[str, Any]) -> None:
        name = {"account_id": wish["account_id"], "client_order_id": wish["client_order_id"]}
        try:
            await self.service.stub.CancelOrder(CancelOrderRequest(**name), timeout=5)
        except grpc.aio.AioRpcError as error:
            # Never placed, or refused: there is nothing to cancel.
            if error.code() not in {grpc.StatusCode.NOT_FOUND, grpc.StatusCode.FAILED_PRECONDITION}:
                raise

    async def _until_known(self, wish: Mapping[str, Any]) -> None:
        request = GetOrderRequest(account_id=wish["account_id"], client_order_id=wish["client_order_id"])
        started, was_unknown = time.monotonic(), False
        async with asyncio.timeout(RESOLVED_WITHIN_SECONDS):
            while True:
                seen = len(self.service.log.lines)
                if (await self.service.stub.GetOrder(request, timeout=10)).order.state not in UNRESOLVED:
                    break
                was_unknown = True
                # Whatever ends it writes a line.
                await self.service.log.wait_beyond(seen)
        if was_unknown:
            self.resolved_ms.append((time.monotonic() - started) * 1000)


async def run(folder: Path, *, seed: int, histories: int, lost: float) -> tuple[History, list[float]]:
    """What is left of so many histories, and how long lost answers took to resolve."""
    chance = random.Random(seed)  # noqa: S311 - a run that can be repeated
    async with two_account_exchange() as exchange, guard_server() as guard:
        settings = configuration(
            folder,
            sandbox_url=exchange.url,
            guard_port=guard.port,
            trading={"order_timeout_seconds": SEND_SECONDS},
        )
        async with order_service(settings) as service:
            chaos = Chaos(service=service, exchange=exchange, chance=chance, lost=lost)
            for first in range(0, histories, CONCURRENT):
                numbers = range(first, min(first + CONCURRENT, histories))
                await asyncio.gather(*(chaos.history(number) for number in numbers))
            lines = service.log.lines
        ledger = await exchange.ledger()
    return read_history(folder / "opitios-order_svc.db", ledger, lines, chaos.answers), chaos.resolved_ms
