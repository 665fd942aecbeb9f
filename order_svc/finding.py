"""Finds one order in the journal and at the broker."""

from dataclasses import dataclass
from typing import Final

from loguru import logger

from broker.rate_budget import Priority
from broker.reports import BrokerOrder
from order_svc.follow import Follower
from order_svc.identifiers import AccountId, OrderId, OrderKey
from order_svc.journal import Journal
from order_svc.names import OrderName
from order_svc.ports import Accounts, TradingAccount
from order_svc.records import OrderRecord
from order_svc.refusals import OrderNotFound
from order_svc.successors import read_latest
from order_svc.view import OrderView, make_view
from runtime.errors import Resource, ServiceError

READ_TIMEOUT_SECONDS: Final = 2.0
"""reliability.md, section 6."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """An order as it was found: at least one of the two is there."""

    account: TradingAccount
    record: OrderRecord | None
    report: BrokerOrder | None


class Finder:
    """The use case behind GetOrder, and the first step of a cancellation."""

    def __init__(self, *, accounts: Accounts, journal: Journal, follower: Follower) -> None:
        self._accounts = accounts
        self._journal = journal
        self._follower = follower

    async def get(self, name: OrderName) -> OrderView:
        """The order with every transition; open ones are read afresh at the broker.

        Where that reading fails, an order of the journal is shown as it was last seen, and one placed
        elsewhere raises the error. Raises OrderNotFound, AccountNotFound.
        """
        found = await self.find(name)
        record, report = found.record, found.report
        if (
            record is not None
            and record.order_id is not None
            and report is None
            and not record.state.is_final
        ):
            report = await self._try_read(found.account, record)
        if record is not None and report is not None:
            record = await self._follower.record(record, report, "reading for GetOrder")
        transitions = () if record is None else await self._journal.transitions(record.key)
        return make_view(found.account, record=record, report=report, transitions=transitions)

    async def find(self, name: OrderName) -> Found:
        """The journal's record, else the broker's reading; raises OrderNotFound, and what reads raise."""
        account = self._accounts.resolve(name.account)
        record = await self._find_record(AccountId(account.account_id), name)
        if record is not None:
            return Found(account=account, record=record, report=None)
        report = await self._read_named(account, name)
        if report is None:
            raise OrderNotFound(
                f"account {account.account_id} has no order {name}",
                resource=Resource(type="order", name=str(name)),
                metadata={"account_id": account.account_id},
            )
        # An order read by its client_order_id may be bound under its successor's id, and the reverse.
        bound = await self._journal.find_by_order_id(AccountId(account.account_id), OrderId(report.order_id))
        return Found(account=account, record=bound, report=report)

    async def read(
        self, account: TradingAccount, order_id: OrderId, *, priority: Priority
    ) -> BrokerOrder | None:
        """The order with this id, or the one that replaced it; `None` where the broker has none."""
        order = await account.client.find_order(order_id, timeout=READ_TIMEOUT_SECONDS, priority=priority)
        if order is None:
            return None
        return await read_latest(account.client, order, timeout=READ_TIMEOUT_SECONDS, priority=priority)

    async def _find_record(self, account_id: AccountId, name: OrderName) -> OrderRecord | None:
        if name.client_order_id is not None:
            return await self._journal.find(OrderKey(account_id, name.client_order_id))
        if name.order_id is not None:
            return await self._journal.find_by_order_id(account_id, name.order_id)
        return None

    async def _read_named(self, account: TradingAccount, name: OrderName) -> BrokerOrder | None:
        if name.order_id is not None:
            return await account.client.find_order(name.order_id, timeout=READ_TIMEOUT_SECONDS)
        if name.client_order_id is not None:
            return await account.client.find_order_by_client_order_id(
                name.client_order_id, timeout=READ_TIMEOUT_SECONDS, priority=Priority.READ
            )
        return None

    async def _try_read(self, account: TradingAccount, record: OrderRecord) -> BrokerOrder | None:
        if record.order_id is None:
            return None
        try:
            return await self.read(account, record.order_id, priority=Priority.READ)
        except ServiceError as error:
            logger.warning(f"Order {record.order_id} shown as last seen: {error.message}")
            return None
