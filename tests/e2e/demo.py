"""`make demo`: what the system does, step by step, against the stack that `make run` starts.

Attaches to a running stack, or starts one and ends it. Exits non-zero when a
step did not happen, and refuses anything but the sandbox exchange.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any

import aiohttp
import grpc

from opitios.order.v1 import order_pb2, order_service_pb2, order_service_pb2_grpc

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from rich_errors import error_info

ROOT = Path(__file__).resolve().parents[2]
GATEWAY = "http://127.0.0.1:8090"
EXCHANGE = "http://127.0.0.1:8099"
ORDERS = "127.0.0.1:50052"
LOG = Path("logs/app/order_svc.log")
OPTION = "AAPL301220C00200000"
UP_SECONDS = 120


class StepMissing(Exception):
    """Something the demonstration promises did not happen."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Demo:
    """The callers' ends of a running stack."""

    http: aiohttp.ClientSession
    orders: order_service_pb2_grpc.OrderServiceAsyncStub

    async def rest(self, method: str, path: str, body: object = None) -> tuple[int, Any]:
        """Call the gateway as a caller would, and show it."""
        async with self.http.request(method, f"{GATEWAY}{path}", json=body) as response:
            text = await response.text()
        say(f"   {method} {path}" + (f"  {json.dumps(body)}" if body else ""))
        say(f"   -> {response.status} {text[:300]}")
        return response.status, json.loads(text)

    async def exchange(self, method: str, path: str, body: object = None) -> Any:
        """Use the sandbox's control API."""
        async with self.http.request(method, f"{EXCHANGE}/_sandbox/{path}", json=body) as response:
            answer = await response.json()
        need(response.status < 300, f"the exchange did {method} {path}: {answer}")
        return answer

    async def arrived(self, method: str, pattern: str, after: int) -> None:
        """Return when the exchange has had such a request since `after`."""
        query = f"method={method}&path={pattern}&after={after}&count=1&timeout_s=30"
        await self.exchange("GET", f"wait?{query}")

    async def mark(self) -> int:
        """The number of requests the exchange has had."""
        next_index: int = (await self.exchange("GET", "requests"))["next"]
        return next_index


def say(text: str) -> None:
    print(text, flush=True)


def need(happened: object, what: str) -> None:
    """Go on only when a step happened."""
    if not happened:
        raise StepMissing(what)


async def places_orders_by_rest(demo: Demo) -> None:
    """A stock and an option order by REST, in the former service's JSON."""
    stock = {"symbol": "AAPL", "qty": 1, "side": "buy", "type": "market", "time_in_force": "day"}
    status, order = await demo.rest("POST", "/api/v1/stocks/order?account_id=paper-1", stock)
    need(status == 200 and order["id"], "a stock order by REST")
    option = {"option_symbol": OPTION, "qty": 1, "side": "buy", "type": "market"}
    status, order = await demo.rest("POST", "/api/v1/options/order?account_id=live-1", option)
    need(status == 200 and order["asset_class"] == "option", "an option order by REST")


async def places_orders_by_grpc(demo: Demo) -> None:
    """A stock and an option order by gRPC."""
    for symbol in ("MSFT", OPTION):
        request = order_service_pb2.PlaceOrderRequest(
            account_id="live-1", symbol=symbol, side=order_pb2.SIDE_BUY, qty="1"
        )
        answer = await demo.orders.PlaceOrder(request, timeout=10)
        say(f"   PlaceOrder BUY 1 {symbol} -> {order_pb2.OrderState.Name(answer.order.state)}")
        need(answer.order.order_id, f"an order of {symbol} by gRPC")


async def refuses_below_the_minimum(demo: Demo) -> None:
    """The balance guard refuses an account under its minimum, and nothing reaches the exchange."""
    cash = await _cash(demo)
    await demo.exchange("PATCH", "accounts/live", {"cash": "4000"})
    before = await demo.mark()
    try:
        await _until_the_guard_sees(demo, Decimal(4000))
        body = {"symbol": "AAPL", "qty": 1, "side": "buy", "type": "market"}
        status, answer = await demo.rest("POST", "/api/v1/stocks/order?account_id=live-1", body)
        need(status == 403 and "4000" in answer["detail"], "a refusal with status 403 and the figures")
        code, reason = await _grpc_refusal(demo)
        say(f"   PlaceOrder -> {code.name}, reason {reason}")
        need(reason == "INSUFFICIENT_BALANCE", "the same refusal by gRPC")
    finally:
        await demo.exchange("PATCH", "accounts/live", {"cash": str(cash)})
        await _until_the_guard_sees(demo, cash)
    query = f"requests?method=POST&path=^/v2/orders$&account=live&after={before}"
    need((await demo.exchange("GET", query))["requests"] == [], "nothing was sent")


async def _until_the_guard_sees(demo: Demo, cash: Decimal) -> None:
    """A reading of the cash may serve for trading.balance_max_age_ms; one second unless configured."""
    async with asyncio.timeout(10):
        while await _cash(demo) != cash:
            pass


async def _cash(demo: Demo) -> Decimal:
    async with demo.http.get(f"{GATEWAY}/v1/accounts/live-1/balance") as response:
        return Decimal((await response.json())["cash"] or 0)


async def _grpc_refusal(demo: Demo) -> tuple[grpc.StatusCode, str]:
    request = order_service_pb2.PlaceOrderRequest(
        account_id="live-1", symbol="AAPL", side=order_pb2.SIDE_BUY, qty="1"
    )
    try:
        await demo.orders.PlaceOrder(request, timeout=10)
    except grpc.aio.AioRpcError as error:
        return error.code(), error_info(error).reason
    raise StepMissing("a refusal by gRPC")


async def takes_a_profit(demo: Demo) -> None:
    """The monitor sells, once, an option that rose by ten percent."""
    await demo.exchange("POST", "quotes", {OPTION: {"bid": "41.30", "ask": "41.70", "last": "41.50"}})
    body = {"option_symbol": OPTION, "qty": 1, "side": "buy", "type": "market", "auto_sell_enabled": True}
    before = await demo.mark()
    status, _ = await demo.rest("POST", "/api/v1/options/order?account_id=paper-1", body)
    need(status == 200, "a bought option that may be sold")
    await demo.arrived("POST", "^/v2/orders$", before)
    await demo.rest("POST", "/v1/sell:start", {})
    before = await demo.mark()
    await demo.exchange("POST", "quotes", {OPTION: {"bid": "50.00", "ask": "50.40", "last": "50.20"}})
    await demo.arrived("POST", "^/v2/orders$", before)
    decision = await _decided(demo, "paper-1", "VERDICT_SELL")
    need(decision["rule"] == "TAKE_PROFIT", "a sale by the rule TAKE_PROFIT")


async def _decided(demo: Demo, account_id: str, verdict: str) -> dict[str, str]:
    """The monitor's newest decision of this kind, once what came of it is known."""
    path = f"/v1/sell/decisions?account_id={account_id}&symbol={OPTION}"
    async with asyncio.timeout(30):
        while True:
            async with demo.http.get(f"{GATEWAY}{path}") as response:
                listed = (await response.json())["decisions"]
            for decision in listed:
                if decision["verdict"] == verdict and decision["outcome"]:
                    say(
                        f"   {decision['verdict']} {decision['rule']}: {decision['reason']}; {decision['outcome']}"
                    )
                    return dict(decision)


async def cancels_a_stale_order(demo: Demo) -> None:
    """The monitor cancels an option order that has been open too long by the exchange's clock."""
    body = {"option_symbol": OPTION, "qty": 1, "side": "buy", "type": "limit", "limit_price": 1}
    status, order = await demo.rest("POST", "/api/v1/options/order?account_id=live-1", body)
    need(status == 200, "a resting option order")
    before = await demo.mark()
    await demo.exchange("POST", "clock", {"advance_seconds": 240})
    await demo.arrived("DELETE", f"^/v2/orders/{order['id']}$", before)
    await _decided(demo, "live-1", "VERDICT_CANCEL")
    _, read = await demo.rest("GET", f"/v1/accounts/live-1/orders/{order['id']}")
    need(read["brokerStatus"] in {"canceled", "pending_cancel"}, "the cancelled order")


async def leaves_its_lines(demo: Demo) -> None:
    """Every attempt has left one line with its milliseconds."""
    del demo
    lines = (await asyncio.to_thread(LOG.read_text)).splitlines()
    heads = ("Order placed: BUY", "Order placed: SELL", "Order failed:", "Order cancelled:")
    for head in heads:
        found = [line for line in lines if head in line]
        need(found, f"a line {head!r} in {LOG}")
        say(f"   {found[-1]}")


STEPS: list[Callable[[Demo], Awaitable[None]]] = [
    places_orders_by_rest,
    places_orders_by_grpc,
    refuses_below_the_minimum,
    takes_a_profit,
    cancels_a_stale_order,
    leaves_its_lines,
]


async def main() -> int:
    """Run every step; 0 when all happened."""
    async with aiohttp.ClientSession() as http, stack(http), grpc.aio.insecure_channel(ORDERS) as channel:
        demo = Demo(http=http, orders=order_service_pb2_grpc.OrderServiceStub(channel))
        for number, step in enumerate(STEPS, 1):
            say(f"\n{number}. {step.__doc__}")
            try:
                await step(demo)
            except StepMissing as missing:
                say(f"   MISSING: {missing}")
                return 1
    say("\nevery step happened")
    return 0


@contextlib.asynccontextmanager
async def stack(http: aiohttp.ClientSession) -> AsyncIterator[None]:
    """The running stack, or one of our own until the end."""
    if await answers(http, f"{GATEWAY}/livez"):
        if not await answers(http, f"{EXCHANGE}/_sandbox/health"):
            raise SystemExit("a stack runs without the sandbox: the demonstration never trades on Alpaca")
        yield
        return
    if (ROOT / "secrets.yml").exists():
        raise SystemExit("secrets.yml is here: the demonstration never trades on Alpaca")
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "deploy.run",
        cwd=ROOT,
        env={name: value for name, value in os.environ.items() if name != "OPITIOS_CONFIG"},
        stdout=asyncio.subprocess.PIPE,
        limit=2**20,
    )
    assert process.stdout is not None
    reader = asyncio.create_task(_until_up(process.stdout))
    async with asyncio.timeout(UP_SECONDS):
        await reader
    drain = asyncio.create_task(process.stdout.read())
    try:
        yield
    finally:
        process.send_signal(signal.SIGINT)
        await drain
        await process.wait()


async def _until_up(output: asyncio.StreamReader) -> None:
    async for line in output:
        if b"Ctrl-C drains and stops everything" in line:
            return
    raise SystemExit("the stack did not start; try `make run` to see why")


async def answers(http: aiohttp.ClientSession, url: str) -> bool:
    """Whether something answers there with 200."""
    try:
        async with http.get(url, timeout=aiohttp.ClientTimeout(total=3)) as response:
            return response.status == 200
    except (aiohttp.ClientError, TimeoutError):
        return False


if __name__ == "__main__":
    sys.exit(asyncio.run(main()))
