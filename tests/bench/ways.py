"""What placing an order through the system costs over a bare POST, as ratios in one run.

The peer is aiohttp's client posting the same order to the same sandbox
exchange. Every way is taken in turn within each round, so that a machine that
slows down slows all of them.
"""

from __future__ import annotations

import asyncio
import platform
import statistics
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import jwt

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from opitios.order.v1 import order_pb2, order_service_pb2, order_service_pb2_grpc
from scenarios import configured_account, exchange_account, scenario
from stack_process import Plan, Stack, running

PEER = "bare POST to the exchange (aiohttp)"
ROUNDS = 200
WARM_UP = 20
SECRET = "a made-up secret of this benchmark, long enough for HS512: " + "x" * 32

Way = Callable[[int], Awaitable[None]]


@dataclass(slots=True)
class Sample:
    """Latencies of one way, milliseconds."""

    taken: list[float] = field(default_factory=list)

    def at(self, percent: int) -> float:
        """Return a percentile."""
        return statistics.quantiles(self.taken, n=100, method="inclusive")[percent - 1]


def ways(system: Stack) -> dict[str, Way]:
    """Each way to place the same kind of order: one share at one dollar, which rests."""
    stub = order_service_pb2_grpc.OrderServiceStub(system.channel("order_svc"))
    keys = {"APCA-API-KEY-ID": "PKPEER", "APCA-API-SECRET-KEY": "peer-made-up-secret"}

    async def bare(number: int) -> None:
        body = {"symbol": "AAPL", "side": "buy", "qty": "1", "type": "limit", "time_in_force": "day"}
        body |= {"limit_price": "1", "client_order_id": f"bare-{number}"}
        url = f"{system.sandbox.url}/v2/orders"
        async with system.http.post(url, json=body, headers=keys) as response:
            await response.read()
            response.raise_for_status()

    async def grpc_call(number: int) -> None:
        request = order_service_pb2.PlaceOrderRequest(
            account_id="ours",
            symbol="AAPL",
            side=order_pb2.SIDE_BUY,
            qty="1",
            order_type=order_pb2.ORDER_TYPE_LIMIT,
            limit_price="1",
            client_order_id=f"grpc-{number}",
        )
        await stub.PlaceOrder(request, timeout=10)

    async def rest(number: int) -> None:
        body = {"symbol": "AAPL", "side": "SIDE_BUY", "qty": "1", "orderType": "ORDER_TYPE_LIMIT"}
        body |= {"limitPrice": "1", "clientOrderId": f"rest-{number}"}
        need_ok(await system.rest("POST", "/v1/accounts/ours/orders", body=body))

    async def legacy(number: int) -> None:
        body: dict[str, Any] = {"symbol": "AAPL", "side": "buy", "qty": 1, "type": "limit", "limit_price": 1}
        # The route lets ten orders a minute of one user pass, so every round comes from another one.
        headers = {"Authorization": f"Bearer {token(f'user-{number}')}"}
        path = "/api/v1/stocks/order?account_id=ours"
        need_ok(await system.rest("POST", path, body=body, headers=headers))

    return {
        PEER: bare,
        "PlaceOrder by gRPC": grpc_call,
        "POST /v1 orders": rest,
        "POST /api/v1/stocks/order": legacy,
    }


def token(user_id: str) -> str:
    """A caller's token, as the former service's callers send it."""
    now = int(time.time())
    claims = {"user_id": user_id, "sub": user_id, "iat": now, "exp": now + 3600}
    return jwt.encode(claims, SECRET, algorithm="HS512")


def need_ok(answer: Any) -> None:
    """Stop the run on the first refusal: a figure over refusals would be a lie."""
    if answer.status != 200:
        raise SystemExit(f"{answer.status}: {answer.text}")


async def measure(system: Stack) -> dict[str, Sample]:
    """Take every way once a round, in turn."""
    samples = {name: Sample() for name in ways(system)}
    for number in range(WARM_UP + ROUNDS):
        for name, way in ways(system).items():
            begun = time.perf_counter()
            await way(number)
            if number >= WARM_UP:
                samples[name].taken.append((time.perf_counter() - begun) * 1000)
    return samples


def report(samples: dict[str, Sample]) -> dict[str, Any]:
    """Return figures and ratios to the peer."""
    peer = samples[PEER]
    rows = {
        name: {
            "p50_ms": round(sample.at(50), 3),
            "p99_ms": round(sample.at(99), 3),
            "p50_ratio": round(sample.at(50) / peer.at(50), 2),
            "p99_ratio": round(sample.at(99) / peer.at(99), 2),
        }
        for name, sample in samples.items()
    }
    return {
        "peer": PEER,
        "rounds": ROUNDS,
        "python": platform.python_version(),
        "machine": platform.machine(),
        "rows": rows,
    }


def show(result: dict[str, Any]) -> None:
    """Print the table."""
    print(f"{'one order at a time':34} {'p50 ms':>9} {'p99 ms':>9} {'p50 ratio':>10} {'p99 ratio':>10}")
    for name, row in result["rows"].items():
        figures = (
            f"{row['p50_ms']:9.2f} {row['p99_ms']:9.2f} {row['p50_ratio']:10.2f} {row['p99_ratio']:10.2f}"
        )
        print(f"{name:34} {figures}")
    print(f"{result['rounds']} rounds; ratios are to: {result['peer']}")


async def run() -> dict[str, Any]:
    """Start the system, measure, report."""
    plan = Plan(
        scenario=scenario(
            exchange_account("ours", "PA7000001", "1000000"), exchange_account("peer", "PA7000002")
        ),
        accounts={"ours": configured_account("ours")},
        config={"jwt": {"secret_key": SECRET}},
    )
    with tempfile.TemporaryDirectory() as folder:
        async with running(plan, Path(folder)) as system:
            return report(await measure(system))


def main() -> dict[str, Any]:
    """Measure, print and return."""
    result = asyncio.run(run())
    show(result)
    return result


if __name__ == "__main__":
    main()
