"""Lists orders, attempts and tracked lots of an account."""

from dataclasses import dataclass, replace
from datetime import datetime
from enum import Enum
from typing import Final

from alpaca.trading.enums import QueryOrderStatus

from broker.reports import BrokerOrder, Listing
from order_svc.follow import Follower
from order_svc.identifiers import AccountId, OrderId
from order_svc.journal import Journal
from order_svc.lifecycle import state_of
from order_svc.ports import Accounts, TradingAccount
from order_svc.records import AttemptRecord, OrderRecord
from order_svc.tracking import Fill, Lot, open_lots
from order_svc.view import OrderList, make_view
from runtime.clock import Clock

LIST_TIMEOUT_SECONDS: Final = 5.0


class Scope(Enum):
    """Which orders to list."""

    OPEN = "open"
    CLOSED = "closed"
    ALL = "all"


@dataclass(frozen=True, slots=True, kw_only=True)
class ListQuery:
    """Which orders of an account."""

    account: str
    """The account's id or name."""
    scope: Scope
    limit: int
    """For closed and all, 1 to 500; open ones are listed to the last."""
    symbols: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class AttemptQuery:
    """Which attempts of an account."""

    account: str
    limit: int
    before: datetime | None
    """Only those received before; `None` for all."""


class Lister:
    """The use cases behind ListOrders, ListAttempts and ListTrackedLots."""

    def __init__(self, *, accounts: Accounts, journal: Journal, follower: Follower, clock: Clock) -> None:
        self._accounts = accounts
        self._journal = journal
        self._follower = follower
        self._clock = clock

    async def list_orders(self, query: ListQuery) -> OrderList:
        """The broker's orders, newest first; raises what reads raise, never an empty list instead (I10)."""
        account = self._accounts.resolve(query.account)
        read_at = self._clock.now()
        listing = await _read(account, query)
        orders = sorted(_wanted(listing, query), key=lambda order: order.submitted_at or _NEVER, reverse=True)
        records = await self._records(account, orders)
        return OrderList(
            orders=tuple(
                make_view(account, record=_as_reported(records.get(order.order_id), order), report=order)
                for order in orders
            ),
            unreadable=listing.unreadable,
            read_at=read_at,
        )

    async def list_attempts(self, query: AttemptQuery) -> tuple[AttemptRecord, ...]:
        """The journal's attempts, newest first."""
        account = self._accounts.resolve(query.account)
        before = query.before or _FOREVER
        return await self._journal.list_attempts(
            AccountId(account.account_id), before=before, limit=query.limit
        )

    async def list_lots(self, account: str) -> tuple[Lot, ...]:
        """What was bought here and not yet sold, after reading every open order afresh.

        Raises what that reading raises: a lot that may be gone already must not be sold again.
        """
        account_id = AccountId(self._accounts.resolve(account).account_id)
        await self._follower.refresh(account_id)
        filled = await self._journal.filled(account_id)
        return open_lots(fill for fill in map(_fill, filled) if fill is not None)

    async def _records(self, account: TradingAccount, orders: list[BrokerOrder]) -> dict[str, OrderRecord]:
        ids = [OrderId(order.order_id) for order in orders]
        found = await self._journal.find_many(AccountId(account.account_id), ids)
        return {record.order_id: record for record in found if record.order_id is not None}


_NEVER: Final = datetime.fromisoformat("1970-01-01T00:00:00+00:00")
_FOREVER: Final = datetime.fromisoformat("9999-12-31T00:00:00+00:00")
_STATUSES: Final = {Scope.CLOSED: QueryOrderStatus.CLOSED, Scope.ALL: QueryOrderStatus.ALL}


async def _read(account: TradingAccount, query: ListQuery) -> Listing[BrokerOrder]:
    if query.scope is Scope.OPEN:
        return await account.client.list_open_orders(timeout=LIST_TIMEOUT_SECONDS)
    return await account.client.list_orders(
        status=_STATUSES[query.scope],
        limit=query.limit,
        symbols=query.symbols,
        timeout=LIST_TIMEOUT_SECONDS,
    )


def _wanted(listing: Listing[BrokerOrder], query: ListQuery) -> list[BrokerOrder]:
    return [order for order in listing.items if not query.symbols or order.symbol in query.symbols]


def _as_reported(record: OrderRecord | None, order: BrokerOrder) -> OrderRecord | None:
    """The record in the state this reading shows; the follower records it."""
    return None if record is None else replace(record, state=state_of(order))


def _fill(record: OrderRecord) -> Fill | None:
    if record.filled_qty <= 0 or record.filled_at is None:
        return None
    return Fill(
        symbol=record.content.symbol,
        side=record.content.side,
        client_order_id=record.key.client_order_id,
        filled_qty=record.filled_qty,
        filled_at=record.filled_at,
        auto_sell_enabled=record.content.auto_sell_enabled,
        position_intent=record.content.position_intent,
    )
