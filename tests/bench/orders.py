"""What PlaceOrder adds to a bare POST by aiohttp, where the time goes, and how many orders a second it takes.

One run against one sandbox exchange; the two ways are taken in turn, so that a machine that slows down slows
both. The stages are the service's own figures, as ListAttempts tells them to compliance.
"""

from __future__ import annotations

import asyncio
import contextlib
import statistics
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import count
from pathlib import Path

import grpc

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from opitios.order.v1 import order_pb2, order_service_pb2
from opitios.order.v1.order_service_pb2_grpc import OrderServiceStub
from scenarios import configured_account, exchange_account, scenario
from stack_process import Plan, Stack, running

ROUNDS = 100
WARM_UP = 10
CALLERS = (1, 16, 64)
ORDERS_A_LEVEL = 192
ACCOUNTS = 64
"""Many, so that no account's request budget is what is measured."""
NAMES = tuple(f"a{number}" for number in range(ACCOUNTS))


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One figure of this run."""

    name: str
    value: float
    unit: str


class Bench:
    """A caller of a running system."""

    def __init__(self, system: Stack) -> None:
        self._system = system
        self._stub = OrderServiceStub(system.channel("order_svc"))
        self._numbers = count()

    async def place(self) -> float:
        """Places one order through the system; milliseconds."""
        number = next(self._numbers)
        request = order_service_pb2.PlaceOrderRequest(
            account_id=NAMES[number % ACCOUNTS],
            client_order_id=f"bench-{number}",
            symbol="AAPL",
            side=order_pb2.SIDE_BUY,
            qty="1",
            order_type=order_pb2.ORDER_TYPE_LIMIT,
            limit_price="1",
        )
        begun = time.perf_counter()
        await self._stub.PlaceOrder(request, timeout=20)
        return (time.perf_counter() - begun) * 1000

    async def post(self) -> float:
        """Posts one order to the exchange itself; milliseconds."""
        body = {"symbol": "AAPL", "side": "buy", "qty": "1", "type": "limit", "time_in_force": "day"}
        body |= {"limit_price": "1", "client_order_id": f"bare-{next(self._numbers)}"}
        keys = {"APCA-API-KEY-ID": "PKPEER", "APCA-API-SECRET-KEY": "peer-made-up-secret"}
        url = f"{self._system.sandbox.url}/v2/orders"
        begun = time.perf_counter()
        async with self._system.http.post(url, json=body, headers=keys) as response:
            await response.read()
            response.raise_for_status()
        return (time.perf_counter() - begun) * 1000

    async def latency(self) -> list[Row]:
        """Both ways in turn, one order at a time."""
        ours, bare = list[float](), list[float]()
        for number in range(WARM_UP + ROUNDS):
            placed, posted = await self.place(), await self.post()
            if number >= WARM_UP:
                ours.append(placed)
                bare.append(posted)
        return [
            *(Row(name=f"PlaceOrder p{at}", value=_at(ours, at), unit="ms") for at in (50, 99)),
            *(Row(name=f"bare POST p{at}", value=_at(bare, at), unit="ms") for at in (50, 99)),
            *(
                Row(name=f"added by the system p{at}", value=_at(ours, at) - _at(bare, at), unit="ms")
                for at in (50, 99)
            ),
        ]

    async def stages(self) -> list[Row]:
        """Where the time of the orders so far went, at the median."""
        found: dict[str, list[float]] = {}
        for name in NAMES:
            request = order_service_pb2.ListAttemptsRequest(account_id=name, limit=100)
            for one in (await self._stub.ListAttempts(request, timeout=20)).attempts:
                moments = (one.received_at, one.authorized_at, one.sent_at, one.answered_at, one.completed_at)
                at = [moment.ToNanoseconds() / 1e6 for moment in moments]
                found.setdefault("intent journalled and authorised", []).append(at[1] - at[0])
                found.setdefault("journalled as sending, sent and answered", []).append(at[3] - at[2])
                found.setdefault("of that, the broker's", []).append(float(one.broker_ms))
        return [Row(name=f"{name} p50", value=_at(taken, 50), unit="ms") for name, taken in found.items()]

    async def throughput(self, callers: int) -> list[Row]:
        """Orders placed a second with so many callers, each with one under way, and how many were refused."""
        left, placed = iter(range(ORDERS_A_LEVEL)), list[float]()

        async def call() -> None:
            for _ in left:
                # An overloaded service sheds with UNAVAILABLE or RESOURCE_EXHAUSTED, and that is counted.
                with contextlib.suppress(grpc.aio.AioRpcError):
                    placed.append(await self.place())

        begun = time.perf_counter()
        await asyncio.gather(*(call() for _ in range(callers)))
        rate = len(placed) / (time.perf_counter() - begun)
        return [
            Row(name=f"{callers} callers", value=rate, unit="orders/s"),
            Row(name=f"{callers} callers, refused", value=ORDERS_A_LEVEL - len(placed), unit="orders"),
        ]


def _at(taken: Sequence[float], percent: int) -> float:
    return statistics.quantiles(taken, n=100, method="inclusive")[percent - 1]


async def measure() -> list[Row]:
    """Every figure of one run."""
    exchange = (exchange_account(name, f"PA{7000000 + number}") for number, name in enumerate(NAMES))
    plan = Plan(
        scenario=scenario(*exchange, exchange_account("peer", "PA6000000")),
        accounts={name: configured_account(name) for name in NAMES},
        services=("account_svc", "order_svc"),
    )
    with tempfile.TemporaryDirectory() as folder:
        async with running(plan, Path(folder)) as system:
            bench = Bench(system)
            rows = [*await bench.latency(), *await bench.stages()]
            for callers in CALLERS:
                rows += await bench.throughput(callers)
            return rows


def main() -> list[Row]:
    """Runs, prints and returns the figures."""
    rows = asyncio.run(measure())
    for row in rows:
        print(f"{row.name:48} {row.value:10.2f} {row.unit}")
    return rows


if __name__ == "__main__":
    main()
