"""Orders that reach the broker after their absence was concluded: adopted, and told as what they are."""

import asyncio
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import timedelta
from itertools import groupby
from typing import Final

from alpaca.trading.enums import QueryOrderStatus
from loguru import logger

from order_svc.identifiers import AccountId
from order_svc.journal import Journal
from order_svc.ports import Accounts
from order_svc.records import OrderRecord
from order_svc.resolve import Resolver
from runtime.clock import Clock
from runtime.errors import ServiceError

LOOK_BACK: Final = timedelta(hours=24)
"""How long an order that was not placed is still expected to turn up."""
NEWEST: Final = 500
"""A late order is among the newest: the broker's largest page is enough."""
LIST_TIMEOUT_SECONDS: Final = 5.0


@dataclass(frozen=True, slots=True, kw_only=True)
class LateOrders:
    """Looks through the newest orders of every account in which one was concluded to be absent."""

    accounts: Accounts
    journal: Journal
    resolver: Resolver
    clock: Clock

    async def sweep(self) -> None:
        """One round; without such an order nothing is asked, and an account that fails delays no other."""
        absent = await self.journal.concluded_absent(since=self.clock.now() - LOOK_BACK)
        async with asyncio.TaskGroup() as group:
            for account_id, records in groupby(sorted(absent, key=_account_of), key=_account_of):
                group.create_task(self._sweep(account_id, tuple(records)), name=f"late orders {account_id}")

    async def _sweep(self, account_id: AccountId, absent: Iterable[OrderRecord]) -> None:
        try:
            listing = await self.accounts.resolve(account_id).client.list_orders(
                status=QueryOrderStatus.ALL, limit=NEWEST, symbols=(), timeout=LIST_TIMEOUT_SECONDS
            )
        except ServiceError as error:
            logger.warning(f"Late orders of {account_id} not looked for: {error.message}")
            return
        there = {order.client_order_id for order in listing.items}
        for record in absent:
            if record.key.client_order_id in there:
                await self._adopt(record)

    async def _adopt(self, record: OrderRecord) -> None:
        await self.resolver.look_up(record.key)
        found = await self.journal.find(record.key)
        if found is not None and found.order_id is not None:
            # People must see it: its hold was released, and its caller was told that it does not exist.
            logger.error(
                f"Late order adopted: {record.key.client_order_id} of {record.key.account_id} is order "
                f"{found.order_id}, {found.state.value}"
            )


def _account_of(record: OrderRecord) -> AccountId:
    return record.key.account_id
