"""Follows open orders to their end by reading them at the broker."""

import asyncio
from collections.abc import Iterable
from itertools import groupby
from typing import Final

from loguru import logger

from broker.rate_budget import Priority
from broker.reports import BrokerOrder
from order_svc.identifiers import AccountId
from order_svc.journal import Journal
from order_svc.lifecycle import IllegalTransition, event_of
from order_svc.ports import Accounts, OrderClient
from order_svc.records import OrderRecord, Step
from order_svc.reports import changes_anything, with_report
from order_svc.successors import read_latest
from runtime.clock import Clock
from runtime.errors import ServiceError

READ_TIMEOUT_SECONDS: Final = 5.0
"""For all open orders of one account."""


class Follower:
    """Brings the journal's open orders up to what the broker says."""

    def __init__(self, *, accounts: Accounts, journal: Journal, clock: Clock) -> None:
        self._accounts = accounts
        self._journal = journal
        self._clock = clock

    async def sweep(self) -> None:
        """Reads the open orders of every account that has any; one that fails delays no other."""
        records = await self._journal.open_at_broker()
        accounts = groupby(sorted(records, key=_account_of), key=_account_of)
        async with asyncio.TaskGroup() as group:
            for account_id, orders in accounts:
                group.create_task(self._sweep(account_id, tuple(orders)), name=f"follow {account_id}")

    async def refresh(self, account_id: AccountId) -> None:
        """Reads the open orders of one account; raises what reads raise."""
        await self._update(account_id, await self._journal.open_at_broker(account_id))

    async def record(self, record: OrderRecord, order: BrokerOrder, evidence: str) -> OrderRecord:
        """The order after a reading of it; nothing is written where the reading says nothing new."""
        if record.state.is_open_at_broker and not changes_anything(record, order):
            return record
        now = self._clock.now()
        step = Step(event=event_of(order), evidence=f"{evidence}, status {order.status_text}")
        try:
            return await self._journal.advance(
                record.key, [step], now, revise=lambda advanced: with_report(advanced, order, now)
            )
        except IllegalTransition as error:
            # A broker that contradicts itself must be seen by people; what was recorded stands.
            logger.error(f"Order {order.order_id} of {record.key.account_id}: {error}; {step.evidence}")
            return record

    async def _sweep(self, account_id: AccountId, records: tuple[OrderRecord, ...]) -> None:
        try:
            await self._update(account_id, records)
        except ServiceError as error:
            logger.warning(f"Open orders of {account_id} not followed: {error.message}")

    async def _update(self, account_id: AccountId, records: Iterable[OrderRecord]) -> None:
        waiting = tuple(records)
        if not waiting:
            return
        client = self._accounts.resolve(account_id).client
        listing = await client.list_open_orders(timeout=READ_TIMEOUT_SECONDS)
        listed = {order.order_id: order for order in listing.items}
        for record in waiting:
            order = listed.get(record.order_id or "") or await self._read(client, record)
            if order is None:
                logger.error(f"The broker no longer knows order {record.order_id} of {account_id}")
                continue
            latest = await read_latest(client, order, timeout=READ_TIMEOUT_SECONDS, priority=Priority.READ)
            await self.record(record, latest, "reading")

    async def _read(self, client: OrderClient, record: OrderRecord) -> BrokerOrder | None:
        if record.order_id is None:
            return await client.find_order_by_client_order_id(
                record.key.client_order_id, timeout=READ_TIMEOUT_SECONDS, priority=Priority.READ
            )
        return await client.find_order(record.order_id, timeout=READ_TIMEOUT_SECONDS)


def _account_of(record: OrderRecord) -> AccountId:
    return record.key.account_id
