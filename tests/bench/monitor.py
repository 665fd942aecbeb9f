"""What one tick costs: positions judged and accounts watched, on one core, without a network.

`decide` alone shows the rules; the whole tick shows them with reading (ports that answer at once), accounting and
the loops' own work. Both from 200 to 20,000 positions, twenty an account, so that growth shows. Prints a table;
`rows` returns it.
"""

from __future__ import annotations

import asyncio
import json
import statistics
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import date
from decimal import Decimal
from pathlib import Path

from loguru import logger

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from fakes.sell_values import NOW, OPEN_MARKET, POLICY, contract, lot, position, quote
from runtime.clock import SYSTEM_CLOCK
from sell_svc.account_watch import AccountWatch, Pace
from sell_svc.decide import decide
from sell_svc.decisions import Decisions
from sell_svc.known import Known
from sell_svc.monitor import Monitor
from sell_svc.observation import (
    AccountId,
    ClientOrderId,
    Holdings,
    Lot,
    Market,
    Observation,
    OpenOrder,
    OpenOrders,
    OptionPosition,
    OrderId,
    Quote,
)
from sell_svc.observe import Observer
from sell_svc.ports import CancelReport, ExitOrder, ExitPhase, ExitReport, PlaceOutcome
from sell_svc.verdict import Sell

PER_ACCOUNT = 20
ROUNDS = 5
SIZES = (200, 2_000, 20_000)
HOLD, DUE = Decimal("1.00"), Decimal("0.50")
WAIT_SECONDS = 120.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One measurement."""

    what: str
    positions: int
    accounts: int
    seconds: float
    """Median of the rounds."""
    longest_seconds: float
    microseconds_each: float
    growth: float
    """Times the smallest size's seconds; linear is positions / smallest positions."""


class Ports:
    """account_svc and order_svc that answer at once, for any number of accounts alike."""

    def __init__(self, accounts: int, bid: Decimal) -> None:
        self.accounts = tuple(AccountId(f"a{number}") for number in range(accounts))
        self.placed = 0
        self.priced: set[AccountId] = set()
        self.all_priced = asyncio.Event()
        self._holdings = Known(value=Holdings(positions=held()), at=NOW)
        self._quotes = Known(value=prices(self._holdings.value.positions, bid), at=NOW)

    async def list_accounts(self) -> tuple[AccountId, ...]:
        return self.accounts

    async def read_holdings(self, account_id: AccountId) -> Known[Holdings]:
        return self._holdings

    async def read_market(self) -> Known[Market]:
        return Known(value=OPEN_MARKET, at=NOW)

    async def read_quotes(self, account_id: AccountId, symbols: Sequence[str]) -> Known[Mapping[str, Quote]]:
        self.priced.add(account_id)
        if len(self.priced) == len(self.accounts):
            self.all_priced.set()
        return self._quotes

    async def list_open(self, account_id: AccountId) -> Known[OpenOrders]:
        return Known(value=OpenOrders(), at=NOW)

    async def list_lots(self, account_id: AccountId) -> Known[tuple[Lot, ...]]:
        return Known(value=(), at=NOW)

    async def find_exit(self, account_id: AccountId, client_order_id: ClientOrderId) -> ExitReport | None:
        return None

    async def place_exit(self, order: ExitOrder) -> PlaceOutcome:
        self.placed += 1
        return ExitReport(
            client_order_id=order.client_order_id,
            order_id=OrderId("b"),
            phase=ExitPhase.OPEN,
            state="WORKING",
            filled_qty=Decimal(0),
            ended_at=None,
            reason="",
            accepted=True,
        )

    async def cancel(self, account_id: AccountId, order: OpenOrder, reason: str) -> CancelReport:
        return CancelReport(outcome="requested", taken=True)


def held() -> tuple[OptionPosition, ...]:
    """One account's positions, every tenth a short leg that a long one covers."""
    return tuple(
        position(
            "-1" if number % 10 == 9 else "2",
            of=contract(f"R{chr(65 + number // 2)}", strike=str(100 + number), expires=date(2027, 1, 15)),
        )
        for number in range(PER_ACCOUNT)
    )


def prices(positions: Sequence[OptionPosition], bid: Decimal) -> Mapping[str, Quote]:
    """A fresh quote for each."""
    return {one.symbol: quote(str(bid), str(bid + 1)) for one in positions}


def observations(accounts: int, bid: Decimal) -> list[Observation]:
    """What each account shows."""
    return [
        Observation(
            account_id=AccountId(f"a{number}"),
            market=Known(value=OPEN_MARKET, at=NOW),
            holdings=Known(value=Holdings(positions=held()), at=NOW),
            orders=Known(value=OpenOrders(), at=NOW),
            lots=Known(value=tuple(lot(symbol=one.symbol) for one in held()), at=NOW),
            quotes=Known(value=prices(held(), bid), at=NOW),
        )
        for number in range(accounts)
    ]


def judge_all(size: int, bid: Decimal) -> float:
    """Seconds to judge that many positions with the pure rules; checks that each was judged."""
    seen = observations(size // PER_ACCOUNT, bid)
    started = time.perf_counter()
    judged = [one for observation in seen for one in decide(observation, POLICY)]
    seconds = time.perf_counter() - started
    _check(len(judged) == size, f"{len(judged)} of {size} positions were judged")
    _check(any(isinstance(one, Sell) for one in judged) == (bid == DUE), "the wrong positions were sold")
    return seconds


async def tick_all(size: int, bid: Decimal) -> float:
    """Seconds for one tick of every account side by side; checks what was placed."""
    ports = Ports(size // PER_ACCOUNT, bid)
    watches = [watch(account_id, ports) for account_id in ports.accounts]
    started = time.perf_counter()
    await asyncio.gather(*(one.tick() for one in watches))
    seconds = time.perf_counter() - started
    _check(sum(one.report.positions for one in watches) == size, "positions are missing")
    _check(not any(one.report.error for one in watches), "an account failed")
    _check((ports.placed > 0) == (bid == DUE), f"{ports.placed} exits were placed")
    return seconds


async def monitor_all(size: int) -> float:
    """Seconds from the monitor's start until every account was priced for the first time."""
    ports = Ports(size // PER_ACCOUNT, HOLD)
    monitor = Monitor(
        accounts=ports,
        orders=ports,
        read_market=ports.read_market,
        read_policy=lambda _account: POLICY,
        decisions=Decisions(),
        pace=Pace(interval_seconds=WAIT_SECONDS),
        clock=SYSTEM_CLOCK,
    )
    started = time.perf_counter()
    monitor.start()
    try:
        await asyncio.wait_for(ports.all_priced.wait(), WAIT_SECONDS)
        return time.perf_counter() - started
    finally:
        await monitor.stop()


def watch(account_id: AccountId, ports: Ports) -> AccountWatch:
    """One account's loop."""
    return AccountWatch(
        account_id,
        observer=Observer(account_id, accounts=ports, orders=ports, read_market=ports.read_market),
        orders=ports,
        read_policy=lambda: POLICY,
        decisions=Decisions(),
        pace=Pace(interval_seconds=5.0),
        clock=SYSTEM_CLOCK,
    )


def rows(sizes: Sequence[int] = SIZES, rounds: int = ROUNDS) -> list[Row]:
    """Every measurement, smallest size first; the sizes take turns, so that a slow moment slows all."""
    ways: dict[str, Callable[[int], float]] = {
        "decide, all held": lambda size: judge_all(size, HOLD),
        "decide, all due": lambda size: judge_all(size, DUE),
        "tick, all held": lambda size: asyncio.run(tick_all(size, HOLD)),
        "tick, all due": lambda size: asyncio.run(tick_all(size, DUE)),
        "monitor, start to all priced": lambda size: asyncio.run(monitor_all(size)),
    }
    taken: dict[tuple[str, int], list[float]] = {}
    for _ in range(rounds):
        for what, way in ways.items():
            for size in sizes:
                taken.setdefault((what, size), []).append(way(size))
    smallest = {what: statistics.median(taken[what, sizes[0]]) for what in ways}
    return [
        Row(
            what=what,
            positions=size,
            accounts=size // PER_ACCOUNT,
            seconds=round(statistics.median(seconds), 6),
            longest_seconds=round(max(seconds), 6),
            microseconds_each=round(statistics.median(seconds) / size * 1e6, 1),
            growth=round(statistics.median(seconds) / smallest[what], 1),
        )
        for (what, size), seconds in taken.items()
    ]


def main() -> list[Row]:
    """Measures, prints and returns."""
    # The log line of each of 18,000 sales is the log's cost, not the monitor's.
    logger.remove()
    made = rows()
    if "--json" in sys.argv:
        print(json.dumps([asdict(one) for one in made], indent=2))
        return made
    print(f"{'':32}{'positions':>10}{'accounts':>10}{'s':>10}{'longest':>10}{'us each':>9}{'growth':>8}")
    for one in made:
        print(
            f"{one.what:32}{one.positions:>10}{one.accounts:>10}{one.seconds:>10.4f}{one.longest_seconds:>10.4f}"
            f"{one.microseconds_each:>9.1f}{one.growth:>8.1f}"
        )
    return made


def _check(ok: bool, problem: str) -> None:
    if not ok:
        raise RuntimeError(problem)


if __name__ == "__main__":
    main()
