"""Reads one account into an Observation; what cannot be read is Unknown, never empty (S-12)."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import TypeVar

from runtime.errors import ServiceError
from sell_svc.decide import symbols_to_price
from sell_svc.known import Known, Seen, Unknown
from sell_svc.observation import NOT_READ, AccountId, Lot, Market, Observation
from sell_svc.policy import Policy
from sell_svc.ports import Accounts, Orders

T = TypeVar("T")

ReadMarket = Callable[[], Awaitable[Known[Market]]]


class Observer:
    """Sees one account; safe to repeat, changes nothing."""

    def __init__(
        self,
        account_id: AccountId,
        *,
        accounts: Accounts,
        orders: Orders,
        read_market: ReadMarket,
    ) -> None:
        self._account_id = account_id
        self._accounts = accounts
        self._orders = orders
        self._read_market = read_market

    async def observe(self, policy: Policy) -> Observation:
        """Everything the decisions need, read side by side; quotes only of what they are needed for."""
        market, holdings, orders, lots = await asyncio.gather(
            seen(self._read_market()),
            seen(self._accounts.read_holdings(self._account_id)),
            seen(self._orders.list_open(self._account_id)),
            self._lots(policy),
        )
        first = Observation(
            account_id=self._account_id, market=market, holdings=holdings, orders=orders, lots=lots
        )
        symbols = symbols_to_price(first, policy)
        if not symbols:
            return first
        return replace(first, quotes=await seen(self._accounts.read_quotes(self._account_id, symbols)))

    async def _lots(self, policy: Policy) -> Seen[tuple[Lot, ...]]:
        if not policy.needs_lots:
            return NOT_READ
        return await seen(self._orders.list_lots(self._account_id))


async def seen(read: Awaitable[Known[T]]) -> Seen[T]:
    """What a read answered, or Unknown with why it did not."""
    try:
        return await read
    except ServiceError as error:
        return Unknown(reason=f"{error.reason}: {error.message}")
