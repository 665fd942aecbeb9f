"""What the service does before trading opens: settles what the last run left (promises I2 and I7)."""

import asyncio
from collections.abc import Collection
from dataclasses import dataclass, replace
from typing import Final

from loguru import logger

from broker.rate_budget import Priority
from order_svc.attempt_log import AttemptLog
from order_svc.cancel_verdict import error_word, judge
from order_svc.checkpoints import Checkpoint, OnCheckpoint
from order_svc.finding import Finder
from order_svc.journal import Journal
from order_svc.lifecycle import OrderState, state_of
from order_svc.ports import Accounts, Guard
from order_svc.records import AttemptRecord, OrderRecord
from order_svc.refusals import NeverSent
from order_svc.resolve import LookUp, Resolver
from order_svc.timing_line import AttemptKind
from order_svc.unsent import Unsent
from runtime.clock import Clock
from runtime.errors import ServiceError

CONCURRENT_ORDERS: Final = 16


@dataclass(frozen=True, slots=True, kw_only=True)
class Unfinished:
    """What the last run left, read before this one begins anything."""

    orders: tuple[OrderRecord, ...]
    attempts: tuple[AttemptRecord, ...]
    """Without an outcome."""
    unlogged: tuple[AttemptRecord, ...]
    """With an outcome, perhaps without a line."""


NOTHING: Final = Unfinished(orders=(), attempts=(), unlogged=())


async def read_unfinished(journal: Journal) -> Unfinished:
    """Everything unfinished; call it before the first request is served."""
    return Unfinished(
        orders=await journal.unresolved(),
        attempts=await journal.attempts_under_way(),
        unlogged=await journal.attempts_unlogged(),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Recovery:
    """One round over everything unfinished; what stays unknown is chased in the background."""

    accounts: Accounts
    journal: Journal
    guard: Guard
    resolver: Resolver
    finder: Finder
    unsent: Unsent
    attempt_log: AttemptLog
    clock: Clock
    checkpoint: OnCheckpoint

    async def run(self, unfinished: Unfinished) -> None:
        """Returns when every unfinished order had its lookup and every attempt its line.

        A broker that does not answer does not hold it up: the order stays UNKNOWN and is chased.
        """
        self.checkpoint(Checkpoint.IN_RECOVERY)
        if unfinished == NOTHING:
            return
        logged = await self.unsent.read_logged()
        await self._settle_orders(unfinished.orders, logged)
        for attempt in unfinished.attempts:
            await self._close(attempt, logged)
        for attempt in unfinished.unlogged:
            self.attempt_log.write_if_missing(replace(attempt, recovered=True), logged)

    async def _settle_orders(self, orders: Collection[OrderRecord], logged: Collection[str]) -> None:
        if orders:
            logger.warning(f"{len(orders)} orders were unfinished when the service last stopped")
        slots = asyncio.Semaphore(CONCURRENT_ORDERS)

        async def settle(record: OrderRecord) -> None:
            async with slots:
                await self._settle(record, logged)

        async with asyncio.TaskGroup() as group:
            for record in orders:
                group.create_task(settle(record), name=f"recover {record.key.client_order_id}")

    async def _settle(self, record: OrderRecord, logged: Collection[str]) -> None:
        if record.state in (OrderState.NEW, OrderState.HELD):
            await self.unsent.settle(record, logged)
            await self.guard.release(record.key, NeverSent.reason)
        elif await self.resolver.look_up(record.key) is not LookUp.SETTLED:
            self.resolver.watch(record.key)

    async def _close(self, attempt: AttemptRecord, logged: Collection[str]) -> None:
        if attempt.kind is AttemptKind.PLACE:
            await self.unsent.close(attempt, logged)
        else:
            await self._close_cancel(attempt, logged)

    async def _close_cancel(self, attempt: AttemptRecord, logged: Collection[str]) -> None:
        state = await self._read_state(attempt)
        now = self.clock.now()
        closed = replace(
            attempt,
            completed_at=now,
            # The process that knew the monotonic start is gone: the wall clock must do.
            duration_ms=max(0, round((now - attempt.received_at).total_seconds() * 1000)),
            error=error_word(judge(None, state, None), state),
            recovered=True,
        )
        if await self.journal.close_attempt(attempt.attempt_id, lambda _attempt, _order: closed) is not None:
            self.attempt_log.write_if_missing(closed, logged)

    async def _read_state(self, attempt: AttemptRecord) -> OrderState:
        if attempt.order_id is None:
            return OrderState.UNKNOWN
        try:
            account = self.accounts.resolve(attempt.key.account_id)
            order = await self.finder.read(account, attempt.order_id, priority=Priority.CANCEL)
        except ServiceError as error:
            logger.warning(
                f"Order {attempt.order_id} not read after its cancellation broke off: {error.message}"
            )
            return OrderState.UNKNOWN
        return OrderState.UNKNOWN if order is None else state_of(order)
