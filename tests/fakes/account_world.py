"""A broker's account, a clock and the guard on top of them, all by hand, for tests of the guard in one process."""

# ruff: noqa: ASYNC109 - the broker's calls take their time limit as a value

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

from alpaca.common.enums import Sort
from alpaca.trading.enums import QueryOrderStatus
from pydantic import SecretStr

from account_svc.authorise import OrderGuard
from account_svc.balance_report import BalanceReports
from account_svc.cash import CashReader
from account_svc.guard import GuardMode
from account_svc.holds import Holds
from account_svc.minimums import Minimums
from account_svc.order_costs import OrderCosts
from account_svc.order_terms import HoldId, OrderTerms, OrderType, Side
from account_svc.policy import GuardPolicy
from account_svc.settle import SettleRules
from broker.bars import Bar, BarsQuery
from broker.credentials import AccountCredentials
from broker.faults import BrokerUnreachable
from broker.option_chain import ChainQuery, OptionSnapshot
from broker.rate_budget import Priority
from broker.report_parsing import account_reading, broker_order
from broker.reports import (
    AccountReading,
    BrokerOrder,
    BrokerPosition,
    Latest,
    Listing,
    MarketClock,
    OptionContract,
    Quote,
    Trade,
)
from broker.standing import Standing, judge_failure, judge_reading, not_yet_read
from runtime.clock import Clock
from runtime.errors import ServiceError
from runtime.storage import Store

MINIMUM = Decimal(5000)
RULES = SettleRules()
ACCOUNT = "main"


@dataclass(slots=True)
class ManualClock:
    """Both clocks, moved by the test only."""

    seconds: float = 1_000.0

    def now(self) -> datetime:
        return datetime(2026, 1, 15, 15, tzinfo=UTC) + timedelta(seconds=self.seconds)

    def monotonic(self) -> float:
        return self.seconds

    def advance(self, seconds: float) -> None:
        self.seconds += seconds


@dataclass(slots=True)
class ScriptedReads:
    """The reads of one account; its cash may show fills late, as a broker's does."""

    clock: Clock
    cash_lag_seconds: float = 0.0
    failure: ServiceError | None = None
    """Of reading the account."""
    orders_failure: ServiceError | None = None
    gate: asyncio.Event | None = None
    """Reading the account waits for it."""
    between: Callable[[], None] | None = None
    """Called once, after the orders are read and before the account is."""
    asked: asyncio.Event = field(default_factory=asyncio.Event)
    """Set once the account is asked for."""
    calls: list[str] = field(default_factory=list)
    priorities: list[Priority] = field(default_factory=list)
    orders: dict[str, dict[str, Any]] = field(default_factory=dict)
    _cash: list[tuple[float, Decimal]] = field(default_factory=lambda: [(0.0, Decimal(7000))])

    @property
    def true_cash(self) -> Decimal:
        """What is really there."""
        return self._cash[-1][1]

    def pay(self, amount: Decimal) -> None:
        """Takes cash now; readings show it after the lag."""
        self._cash.append((self.clock.monotonic(), self.true_cash - amount))

    def submit(self, client_order_id: str) -> None:
        """An order arrives."""
        self.orders[client_order_id] = {
            "id": f"id-{client_order_id}",
            "client_order_id": client_order_id,
            "status": "new",
            "filled_qty": "0",
            "time_in_force": "day",
        }

    def end(self, client_order_id: str, status: str, *, filled_qty: str = "0", **more: str) -> None:
        """An order ends."""
        self.orders[client_order_id] |= {"status": status, "filled_qty": filled_qty, **more}

    async def read_account(self, *, timeout: float, priority: Priority = Priority.READ) -> AccountReading:
        self.calls.append("account")
        self.priorities.append(priority)
        self.asked.set()
        if self.between is not None:
            between, self.between = self.between, None
            between()
        requested_at, requested = self.clock.now(), self.clock.monotonic()
        shown_until = requested - self.cash_lag_seconds
        cash = [amount for moment, amount in self._cash if moment <= shown_until][-1]
        if self.gate is not None:
            await self.gate.wait()
        if self.failure is not None:
            raise self.failure
        raw = {
            "account_number": "PA3000001",
            "status": "ACTIVE",
            "cash": str(cash),
            "buying_power": "0",
            "equity": "0",
            "trading_blocked": False,
            "account_blocked": False,
        }
        return account_reading(raw, requested_at=requested_at, requested_monotonic=requested)

    async def list_orders(
        self,
        *,
        status: QueryOrderStatus = QueryOrderStatus.OPEN,
        limit: int = 500,
        direction: Sort = Sort.DESC,
        timeout: float,
        priority: Priority = Priority.READ,
    ) -> Listing[BrokerOrder]:
        self.calls.append("orders")
        assert status is QueryOrderStatus.ALL
        assert direction is Sort.DESC
        if self.orders_failure is not None:
            raise self.orders_failure
        newest = list(reversed(self.orders.values()))[:limit]
        return Listing(items=tuple(broker_order(raw) for raw in newest))

    async def find_order_by_client_order_id(
        self, client_order_id: str, *, timeout: float, priority: Priority = Priority.EXIT
    ) -> BrokerOrder | None:
        self.calls.append(f"order {client_order_id}")
        if self.orders_failure is not None:
            raise self.orders_failure
        raw = self.orders.get(client_order_id)
        return None if raw is None else broker_order(raw)

    async def find_order(
        self, order_id: str, *, timeout: float, priority: Priority = Priority.READ
    ) -> BrokerOrder | None:
        found = [raw for raw in self.orders.values() if raw["id"] == order_id]
        return broker_order(found[0]) if found else None

    async def list_positions(
        self, *, timeout: float, priority: Priority = Priority.READ
    ) -> Listing[BrokerPosition]:
        raise NotImplementedError

    async def find_option_contract(
        self, symbol: str, *, timeout: float, priority: Priority = Priority.READ
    ) -> OptionContract | None:
        raise NotImplementedError

    async def latest_stock_quotes(
        self, symbols: object, *, timeout: float, priority: Priority = Priority.READ
    ) -> Latest[Quote]:
        raise NotImplementedError

    async def latest_stock_trades(
        self, symbols: object, *, timeout: float, priority: Priority = Priority.READ
    ) -> Latest[Trade]:
        raise NotImplementedError

    async def latest_option_quotes(
        self, symbols: object, *, timeout: float, priority: Priority = Priority.READ
    ) -> Latest[Quote]:
        raise NotImplementedError

    async def latest_option_trades(
        self, symbols: object, *, timeout: float, priority: Priority = Priority.READ
    ) -> Latest[Trade]:
        raise NotImplementedError

    async def stock_bars(
        self, query: BarsQuery, *, timeout: float, priority: Priority = Priority.READ
    ) -> tuple[Bar, ...]:
        raise NotImplementedError

    async def option_chain(
        self, query: ChainQuery, *, timeout: float, priority: Priority = Priority.READ
    ) -> Listing[OptionSnapshot]:
        raise NotImplementedError

    async def market_clock(self, *, timeout: float, priority: Priority = Priority.READ) -> MarketClock:
        raise NotImplementedError


class ScriptedAccount:
    """One account of the pool over scripted reads."""

    def __init__(self, reads: ScriptedReads) -> None:
        self.client = reads
        self._credentials = AccountCredentials(
            account_id=ACCOUNT,
            name="Main",
            api_key=SecretStr("k"),
            secret_key=SecretStr("s"),
            paper_trading=True,
        )
        self.standing: Standing = not_yet_read(self._credentials, reads.clock.now())

    @property
    def account_id(self) -> str:
        return ACCOUNT

    @property
    def name(self) -> str:
        return "Main"

    def observe(self, reading: AccountReading) -> Standing:
        self.standing = judge_reading(self._credentials, reading, self.client.clock.now())
        return self.standing

    def observe_failure(self, error: ServiceError) -> Standing:
        self.standing = judge_failure(self._credentials, error, self.client.clock.now())
        return self.standing


class GuardProcess:
    """What one process of account_svc has in memory, over a store that processes share."""

    def __init__(self, reads: ScriptedReads, store: Store, *, mode: GuardMode = GuardMode.LITERAL) -> None:
        clock = reads.clock
        policy = GuardPolicy(
            enabled=True, mode=mode, exits_exempt=False, minimums=Minimums(general=MINIMUM, own={})
        )
        self.account = ScriptedAccount(reads)
        self.holds = Holds(store, clock=clock)
        self.reader = CashReader(self.account, self.holds, rules=RULES, max_age_seconds=1.0, clock=clock)
        readers = {ACCOUNT: self.reader}
        self.balances = BalanceReports(policy=policy, holds=self.holds, readers=readers, clock=clock)
        self.guard = OrderGuard(
            policy=policy, holds=self.holds, readers=readers, costs=OrderCosts(), clock=clock
        )


def unreachable() -> ServiceError:
    """The broker does not answer."""
    return BrokerUnreachable("Alpaca did not answer")


def buy(cost: Decimal) -> OrderTerms:
    """A limit buy that can cost so much."""
    return OrderTerms(
        symbol="MSFT",
        side=Side.BUY,
        order_type=OrderType.LIMIT,
        qty=Decimal(1),
        notional=None,
        limit_price=cost,
        stop_price=None,
        closes_position=False,
    )


def hold_id(text: str) -> HoldId:
    """A hold's name."""
    return HoldId(text)
