"""How many orders the sandbox exchange takes a second on one core, and what memory 200,000 of them cost.

The clients are bare sockets with their requests prepared, so that the exchange is what is measured; beside
it, the same order placed by alpaca-py's own client, which is one request at a time and parses the answer.
Orders buy and sell in turn, so that each one fills and the account stays as it is. `main` returns rows;
run as a program it prints them.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from alpaca.trading.client import TradingClient
from alpaca.trading.enums import OrderSide, TimeInForce
from alpaca.trading.requests import MarketOrderRequest

from sandbox_process import SandboxProcess

KEY, SECRET = "PKBENCH", "a-made-up-secret"
SCENARIO = {
    "clock": {"at": "2026-11-24T15:00:00Z"},
    "rate_limit": None,
    "accounts": [
        {"name": "bench", "key": KEY, "secret": SECRET, "account_number": "PA9", "cash": "1000000000"}
    ],
    "quotes": {"AAPL": {"bid": "189.98", "ask": "190.02", "last": "190.00"}},
}
CONNECTIONS = 8
WARM_UP = 2_000
MEASURED = 17_000
MEMORY_AT = (20_000, 100_000, 200_000)
OWN_CLIENT_ORDERS = 1_000
_TICKS = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One figure with its name and unit."""

    name: str
    value: float
    unit: str


class _Client:
    """Order POSTs over one kept-alive connection, each sent when the last is answered."""

    def __init__(self, host: str, port: int) -> None:
        self._host, self._port = host, port
        self._requests = [_request(host, side) for side in ("buy", "sell")]

    async def place(self, count: int) -> None:
        reader, writer = await asyncio.open_connection(self._host, self._port)
        for number in range(count):
            writer.write(self._requests[number % 2])
            head = await reader.readuntil(b"\r\n\r\n")
            if not head.startswith(b"HTTP/1.1 200"):
                raise SystemExit(f"refused: {head!r}")
            length = int(head.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0])
            await reader.readexactly(length)
        writer.close()
        await writer.wait_closed()


def _request(host: str, side: str) -> bytes:
    order = {"symbol": "AAPL", "qty": "1", "side": side, "type": "market", "time_in_force": "day"}
    body = json.dumps(order).encode()
    head = (
        f"POST /v2/orders HTTP/1.1\r\nHost: {host}\r\nAPCA-API-KEY-ID: {KEY}\r\n"
        f"APCA-API-SECRET-KEY: {SECRET}\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body


async def _place(sandbox: SandboxProcess, count: int) -> None:
    host, _, port = sandbox.url.removeprefix("http://").partition(":")
    clients = [_Client(host, int(port)) for _ in range(CONNECTIONS)]
    async with asyncio.TaskGroup() as group:
        for client in clients:
            group.create_task(client.place(count // CONNECTIONS))


def _cpu_seconds(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / _TICKS


def _rss_mib(pid: int) -> float:
    pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 2**20


def _own_client(url: str, count: int) -> float:
    """Orders a second through alpaca-py's client, one after the other as it works."""
    client = TradingClient(KEY, SECRET, paper=True, url_override=url)
    sides = (OrderSide.BUY, OrderSide.SELL)
    begun = time.perf_counter()
    for number in range(count):
        client.submit_order(
            MarketOrderRequest(symbol="AAPL", qty=1, side=sides[number % 2], time_in_force=TimeInForce.DAY)
        )
    taken = time.perf_counter() - begun
    client._session.close()
    return count / taken


async def _rates(sandbox: SandboxProcess) -> list[Row]:
    await _place(sandbox, WARM_UP)
    begun, cpu = time.perf_counter(), _cpu_seconds(sandbox.pid)
    await _place(sandbox, MEASURED)
    wall, used = time.perf_counter() - begun, _cpu_seconds(sandbox.pid) - cpu
    own = await asyncio.to_thread(_own_client, sandbox.url, OWN_CLIENT_ORDERS)
    return [
        Row(name="order POSTs, bare sockets", value=round(MEASURED / wall), unit="1/s"),
        Row(name="order POSTs per second of the exchange's core", value=round(MEASURED / used), unit="1/s"),
        Row(name="order POSTs, alpaca-py's client", value=round(own), unit="1/s"),
    ]


async def _memory(sandbox: SandboxProcess) -> list[Row]:
    rows, placed = [], WARM_UP + MEASURED + OWN_CLIENT_ORDERS
    for mark in MEMORY_AT:
        await _place(sandbox, max(mark - placed, 0))
        placed = max(mark, placed)
        rows.append(
            Row(name=f"memory after {placed:,} orders", value=round(_rss_mib(sandbox.pid), 1), unit="MiB")
        )
    return rows


async def measure() -> list[Row]:
    """Run everything on one exchange of its own."""
    async with SandboxProcess(SCENARIO) as sandbox:
        return [*(await _rates(sandbox)), *(await _memory(sandbox))]


def main() -> list[Row]:
    """Measure and return the rows."""
    return asyncio.run(measure())


def _lines(rows: list[Row]) -> Iterator[str]:
    for row in rows:
        yield f"{row.name:48} {row.value:12,.1f} {row.unit}"


if __name__ == "__main__":
    print("\n".join(_lines(main())))
