"""Accounts whose broker is scripted: it knows the orders it is given, and no network."""

# ruff: noqa: ASYNC109 - a time limit is a value of the broker's port

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from alpaca.trading.enums import QueryOrderStatus

from broker.account_type import AccountType
from broker.faults import BrokerUnreachable
from broker.outcomes import CancelOutcome, Submission
from broker.rate_budget import Priority
from broker.reports import BrokerOrder, Listing
from broker.requests import OrderRequest
from broker.standing import Standing
from fakes.order_values import NOON


@dataclass(slots=True)
class ScriptedOrders:
    """A broker that knows these orders; `open_ids` are the ones it lists as open."""

    orders: dict[str, BrokerOrder] = field(default_factory=dict)
    open_ids: tuple[str, ...] = ()
    fails: bool = False
    read: list[str] = field(default_factory=list)
    unlisted: frozenset[str] = frozenset()
    asked_for: list[str] = field(default_factory=list)

    async def find_order(
        self, order_id: str, *, timeout: float, priority: Priority = Priority.READ
    ) -> BrokerOrder | None:
        self.read.append(order_id)
        return self.orders.get(order_id)

    async def find_order_by_client_order_id(
        self, client_order_id: str, *, timeout: float, priority: Priority = Priority.EXIT
    ) -> BrokerOrder | None:
        found = (one for one in self.orders.values() if one.client_order_id == client_order_id)
        return next(found, None)

    async def list_open_orders(
        self, *, timeout: float, priority: Priority = Priority.READ
    ) -> Listing[BrokerOrder]:
        if self.fails:
            raise BrokerUnreachable("down")
        return Listing(items=tuple(self.orders[one] for one in self.open_ids))

    async def submit_order(
        self,
        order: OrderRequest,
        *,
        timeout: float,
        start_within: float | None = None,
        priority: Priority = Priority.OPEN,
    ) -> Submission:
        raise NotImplementedError

    async def lists(self, symbol: str, *, timeout: float, priority: Priority = Priority.READ) -> bool:
        if self.fails:
            raise BrokerUnreachable("down")
        self.asked_for.append(symbol)
        return symbol not in self.unlisted

    async def cancel_order(
        self, order_id: str, *, timeout: float, priority: Priority = Priority.CANCEL
    ) -> CancelOutcome:
        raise NotImplementedError

    async def list_orders(
        self,
        *,
        status: QueryOrderStatus,
        limit: int,
        symbols: Sequence[str],
        timeout: float,
        priority: Priority = Priority.READ,
    ) -> Listing[BrokerOrder]:
        raise NotImplementedError


@dataclass(frozen=True, slots=True)
class ScriptedAccount:
    account_id: str
    client: ScriptedOrders
    set_standing: Standing | None = None

    @property
    def standing(self) -> Standing:
        return self.set_standing or Standing(
            account_id=self.account_id,
            account_number="PA1",
            account_type=AccountType.PAPER,
            source=None,
            problem=None,
            why_not=None,
            judged_at=NOON,
        )


@dataclass(slots=True)
class ScriptedAccounts:
    accounts: dict[str, ScriptedOrders]

    def resolve(self, text: str) -> ScriptedAccount:
        return ScriptedAccount(text, self.accounts[text])
