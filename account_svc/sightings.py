"""Looks at the broker for the orders behind open holds."""

import asyncio
from collections.abc import Mapping, Sequence
from typing import Final

from alpaca.common.enums import Sort
from alpaca.trading.enums import QueryOrderStatus

from account_svc.account_log import account_log
from account_svc.hold import Hold
from account_svc.lookups import plan_lookups
from account_svc.order_terms import HoldId
from account_svc.ports import Account, AccountReads
from account_svc.settle import Fate, SettleRules, Sighting, fate_of, sight
from broker.rate_budget import Priority
from broker.reports import BrokerOrder, Listing
from runtime.clock import Clock
from runtime.errors import ServiceError

ORDERS_SECONDS: Final = 0.6
"""For all that is read of orders: without it holds only stay longer, so it must leave time for the cash."""
MAX_REPLACEMENTS: Final = 8
"""How far a replaced order is followed in one reading; beyond it counts as open."""

Sightings = Mapping[HoldId, Sighting]


class OrderLookout:
    """Reads what became of one account's orders; a reading that fails is no news, and logged."""

    def __init__(self, account: Account, *, rules: SettleRules, clock: Clock) -> None:
        self._account = account
        self._rules = rules
        self._clock = clock

    async def look(self, holds: Sequence[Hold], previous: Sightings, priority: Priority) -> Sightings:
        """What is known now of each hold's order; holds that are no longer open are forgotten."""
        looked_at = self._clock.monotonic()
        plan = plan_lookups(holds, previous, now=looked_at, rules=self._rules)
        listed, single = await asyncio.gather(
            self._list(plan.newest, priority),
            asyncio.gather(*(self._find(hold_id, priority) for hold_id in plan.single)),
        )
        found = dict(zip(plan.single, single, strict=True))
        now = self._clock.monotonic()
        return {
            hold.hold_id: sight(
                previous.get(hold.hold_id),
                revision=hold.revision,
                found=found.get(hold.hold_id) or _listed_fate(hold.hold_id, listed),
                looked_at=looked_at,
                now=now,
            )
            for hold in holds
        }

    async def _list(self, newest: int, priority: Priority) -> Listing[BrokerOrder] | None:
        if newest == 0:
            return None
        try:
            return await self._account.client.list_orders(
                status=QueryOrderStatus.ALL,
                limit=newest,
                direction=Sort.DESC,
                timeout=ORDERS_SECONDS,
                priority=priority,
            )
        except ServiceError as error:
            self._log_failure(error.message)
            return None

    async def _find(self, hold_id: HoldId, priority: Priority) -> Fate | None:
        try:
            async with asyncio.timeout(ORDERS_SECONDS):
                return await _find_fate(self._account.client, hold_id, priority)
        except TimeoutError:
            self._log_failure("no answer in time")
        except ServiceError as error:
            self._log_failure(error.message)
        return None

    def _log_failure(self, problem: str) -> None:
        line = account_log(self._account.standing)
        line.warning(f"Orders behind the holds cannot be read, the holds stay: {problem}")


async def _find_fate(reads: AccountReads, hold_id: HoldId, priority: Priority) -> Fate:
    order = await reads.find_order_by_client_order_id(hold_id, timeout=ORDERS_SECONDS, priority=priority)
    if order is None:
        return Fate.ABSENT
    chain = [order]
    while (successor := chain[-1].replaced_by) is not None and len(chain) < MAX_REPLACEMENTS:
        order = await reads.find_order(successor, timeout=ORDERS_SECONDS, priority=priority)
        if order is None:
            break
        chain.append(order)
    return fate_of(hold_id, chain)


def _listed_fate(hold_id: HoldId, listed: Listing[BrokerOrder] | None) -> Fate | None:
    return None if listed is None else fate_of(hold_id, listed.items, complete=listed.complete)
