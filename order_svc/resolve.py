"""What became of orders whose answer was lost: read by client_order_id, never assumed (promises I2, I3)."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, replace
from enum import Enum
from typing import Final
from weakref import WeakValueDictionary

from loguru import logger

from broker.rate_budget import Priority
from broker.reports import BrokerOrder
from order_svc.attempt_log import AttemptLog
from order_svc.content import is_same_order
from order_svc.identifiers import AccountId, OrderKey
from order_svc.journal import Journal
from order_svc.lifecycle import OrderEvent, OrderState, event_of
from order_svc.owned_tasks import OwnedTasks
from order_svc.ports import Accounts, Guard, TradingAccount
from order_svc.records import OrderRecord, Refusal, Step
from order_svc.refusals import ClientOrderIdReused, OrderNotPlaced
from order_svc.reports import with_report
from order_svc.successors import read_latest
from runtime.clock import Clock
from runtime.errors import ServiceError

MISSES_NEEDED: Final = 2
"""How many "not found" answers to questions asked after the quarantine prove that nothing is there (I3)."""

_BY_CLIENT_ORDER_ID: Final = "lookup by client_order_id"
_LOOKED_FOR: Final = frozenset({OrderState.SENDING, OrderState.UNKNOWN, OrderState.NOT_PLACED})


@dataclass(frozen=True, slots=True, kw_only=True)
class ResolutionPolicy:
    """How lost answers are chased."""

    quarantine_seconds: float = 120.0
    """After it a request that left us cannot still be under way."""
    lookup_timeout_seconds: float = 2.0
    first_pause_seconds: float = 0.5
    """Before the first lookup; doubled with each."""
    longest_pause_seconds: float = 16.0
    concurrent_lookups: int = 8


class LookUp(Enum):
    """What one lookup brought."""

    SETTLED = "settled"
    """The order is known, found now or before."""
    ABSENT = "absent"
    """The broker says that it has no such order, which proves nothing yet."""
    UNREADABLE = "unreadable"


def pause_before(lookup: int, policy: ResolutionPolicy) -> float:
    """Seconds before the lookup with this number, counted from 0: 0.5, 1, 2, 4 and so on."""
    doublings = min(lookup, 30)
    return min(policy.first_pause_seconds * 2.0**doublings, policy.longest_pause_seconds)


def count_misses(misses: int, result: LookUp, *, asked_after_seconds: float, policy: ResolutionPolicy) -> int:
    """The "not found" answers that count, after one more lookup asked so long after the answer was lost."""
    counts = result is LookUp.ABSENT and asked_after_seconds >= policy.quarantine_seconds
    return misses + 1 if counts else misses


class Resolver:
    """Chases every UNKNOWN order in a task of its own until its fate is read."""

    def __init__(
        self,
        *,
        accounts: Accounts,
        journal: Journal,
        guard: Guard,
        attempt_log: AttemptLog,
        tasks: OwnedTasks,
        clock: Clock,
        policy: ResolutionPolicy,
        on_bound: Callable[[AccountId], None],
    ) -> None:
        """`on_bound` hears of accounts in which an order was found."""
        self._accounts = accounts
        self._journal = journal
        self._guard = guard
        self._attempt_log = attempt_log
        self._tasks = tasks
        self._clock = clock
        self._policy = policy
        self._on_bound = on_bound
        self._slots = asyncio.Semaphore(policy.concurrent_lookups)
        self._locks: WeakValueDictionary[OrderKey, asyncio.Lock] = WeakValueDictionary()
        self._chases: dict[OrderKey, asyncio.Task[None]] = {}

    def watch(self, key: OrderKey, *, at_once: bool = False) -> None:
        """Chases this order in the background; safe to repeat."""
        if key in self._chases:
            return
        chase = self._tasks.spawn(self._chase(key, at_once=at_once), name=f"resolve {key.client_order_id}")
        self._chases[key] = chase
        chase.add_done_callback(lambda _: self._chases.pop(key, None))

    async def wait(self, key: OrderKey, *, until: float) -> None:
        """Returns when the order is known, or at this monotonic moment; the chase goes on."""
        chase = self._chases.get(key)
        if chase is not None:
            await asyncio.wait({chase}, timeout=max(0.0, until - self._clock.monotonic()))

    async def look_up(self, key: OrderKey) -> LookUp:
        """Reads the order once, and records what that shows.

        Not for an order whose POST is under way in this process: its answer would find the order moved.
        """
        async with self._slots, self._lock(key):
            record = await self._journal.find(key)
            if record is None or record.state not in _LOOKED_FOR:
                return LookUp.SETTLED
            result = await self._look_up(record)
            if result is not LookUp.SETTLED and record.state is OrderState.SENDING:
                await self._note_lost(record)
            return result

    async def _note_lost(self, record: OrderRecord) -> None:
        step = Step(
            event=OrderEvent.ANSWER_LOST, evidence=f"no answer known, {_BY_CLIENT_ORDER_ID} brought none"
        )
        await self._journal.advance(record.key, [step], self._clock.now())

    async def _look_up(self, record: OrderRecord) -> LookUp:
        try:
            account = self._accounts.resolve(record.key.account_id)
            order = await self._read(account, record.key)
        except ServiceError as error:
            logger.warning(
                f"Order {record.key.client_order_id} of {record.key.account_id} is still unknown: {error.message}"
            )
            return LookUp.UNREADABLE
        if order is None:
            return LookUp.ABSENT
        if is_same_order(record.content, order) or order.order_id == record.order_id:
            await self._bind(account, record, order)
        else:
            await self._give_up(record, OrderEvent.REFUSED_BY_BROKER, _taken(order))
        return LookUp.SETTLED

    async def _read(self, account: TradingAccount, key: OrderKey) -> BrokerOrder | None:
        return await account.client.find_order_by_client_order_id(
            key.client_order_id, timeout=self._policy.lookup_timeout_seconds, priority=Priority.EXIT
        )

    async def _bind(self, account: TradingAccount, record: OrderRecord, order: BrokerOrder) -> None:
        try:
            order = await read_latest(
                account.client, order, timeout=self._policy.lookup_timeout_seconds, priority=Priority.EXIT
            )
        except ServiceError as error:
            logger.debug(f"Successor of {order.order_id} not read: {error.message}")
        now = self._clock.now()
        step = Step(event=event_of(order), evidence=f"{_BY_CLIENT_ORDER_ID}, status {order.status_text}")
        found = await self._journal.advance(
            record.key, [step], now, revise=lambda advanced: with_report(advanced, order, now)
        )
        await self._tell(found)
        self._on_bound(record.key.account_id)

    async def _give_up(self, record: OrderRecord, event: OrderEvent, refusal: Refusal) -> None:
        step = Step(event=event, evidence=f"{_BY_CLIENT_ORDER_ID}: {refusal.text}")
        ended = await self._journal.advance(
            record.key, [step], self._clock.now(), revise=lambda advanced: replace(advanced, refusal=refusal)
        )
        await self._guard.release(record.key, refusal.reason)
        await self._tell(ended)

    async def _tell(self, record: OrderRecord) -> None:
        attempt = await self._journal.find_unknown_attempt(record.key)
        if attempt is not None:
            self._attempt_log.write_resolved(attempt, record, self._clock.now())

    async def _chase(self, key: OrderKey, *, at_once: bool) -> None:
        lost = self._clock.monotonic()
        misses = lookups = 0
        if at_once and await self._chase_once(key) is LookUp.SETTLED:
            return
        while misses < MISSES_NEEDED:
            await asyncio.sleep(pause_before(lookups, self._policy))
            asked_after = self._clock.monotonic() - lost
            result = await self._chase_once(key)
            if result is LookUp.SETTLED:
                return
            lookups += 1
            misses = count_misses(misses, result, asked_after_seconds=asked_after, policy=self._policy)
        await self._conclude_absence(key)

    async def _chase_once(self, key: OrderKey) -> LookUp:
        try:
            return await self.look_up(key)
        except Exception:  # noqa: BLE001 - the top of a task: a store that fails for a moment must not end the chase
            logger.exception(f"Lookup of {key.client_order_id} failed; it is repeated")
            return LookUp.UNREADABLE

    async def _conclude_absence(self, key: OrderKey) -> None:
        async with self._lock(key):
            record = await self._journal.find(key)
            if record is None or record.state is not OrderState.UNKNOWN:
                return
            await self._give_up(record, OrderEvent.ABSENCE_PROVEN, self._absent())

    def _absent(self) -> Refusal:
        return Refusal(
            reason=OrderNotPlaced.reason,
            text=f"the answer was lost, and {self._policy.quarantine_seconds:g} s later the broker knows no such "
            f"order ({MISSES_NEEDED} lookups)",
        )

    def _lock(self, key: OrderKey) -> asyncio.Lock:
        return self._locks.setdefault(key, asyncio.Lock())


def _taken(order: BrokerOrder) -> Refusal:
    return Refusal(
        reason=ClientOrderIdReused.reason,
        text="the broker holds another order under this client_order_id",
        metadata={"existing_order_id": order.order_id},
    )
