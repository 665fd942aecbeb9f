"""Orders that turn up after their quarantine, and a journal that cannot be written for a while."""

# ruff: noqa: ASYNC109 - a time limit is a value of the broker's port

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import TypeVar

import pytest
from alpaca.trading.enums import QueryOrderStatus
from sqlalchemy import Connection

from broker.rate_budget import Priority
from broker.reports import BrokerOrder, Listing
from fakes.order_desk import desk_of
from fakes.order_values import KEY, NOON, attempt, content, record, report
from fakes.scripted_orders import ScriptedAccounts, ScriptedOrders
from order_svc.journal import Journal
from order_svc.journal_tables import metadata
from order_svc.late_orders import LOOK_BACK, LateOrders
from order_svc.lifecycle import OrderEvent, OrderState
from order_svc.owned_tasks import OwnedTasks
from order_svc.records import OrderRecord, Refusal, Step
from order_svc.refusals import JournalUnavailable
from order_svc.store_watch import StoreWatch
from order_svc.trade_health import Obstacle, TradeHealth
from runtime.clock import SYSTEM_CLOCK
from runtime.storage import Store, StoreUnreachable

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class StandingClock:
    """Shows one moment."""

    moment: datetime

    def now(self) -> datetime:
        return self.moment

    def monotonic(self) -> float:
        return SYSTEM_CLOCK.monotonic()


class ListingBroker(ScriptedOrders):
    """Lists what it knows, and counts how often it was asked."""

    listed = 0

    async def list_orders(
        self,
        *,
        status: QueryOrderStatus,
        limit: int,
        symbols: Sequence[str],
        timeout: float,
        priority: Priority = Priority.READ,
    ) -> Listing[BrokerOrder]:
        self.listed += 1
        return Listing(items=tuple(self.orders.values()))


async def _conclude_absence(journal: Journal) -> None:
    await journal.open(record(), attempt())
    events = (
        OrderEvent.HOLD_TAKEN,
        OrderEvent.SEND_STARTED,
        OrderEvent.ANSWER_LOST,
        OrderEvent.ABSENCE_PROVEN,
    )

    def refuse(order: OrderRecord) -> OrderRecord:
        return replace(order, refusal=Refusal(reason="ORDER_NOT_PLACED", text="lost"))

    steps = [Step(event=event, evidence="test") for event in events]
    await journal.advance(KEY, steps, NOON, revise=refuse)


@pytest.mark.parametrize("hours", [1, 25], ids=["within a day", "a day later"])
async def test_an_order_that_turns_up_after_its_quarantine_is_adopted_within_a_day(
    tmp_path: Path, hours: int
) -> None:
    clock = StandingClock(NOON + timedelta(hours=hours))
    broker = ListingBroker()
    async with (
        Store(f"sqlite:///{tmp_path}/orders.db", metadata=metadata) as store,
        OwnedTasks(grace_seconds=5) as tasks,
    ):
        journal = Journal(store)
        desk = desk_of(store, journal, broker, tasks, [])
        late = LateOrders(
            accounts=ScriptedAccounts({"paper": broker}), journal=journal, resolver=desk.resolver, clock=clock
        )
        await late.sweep()
        await _conclude_absence(journal)
        await late.sweep()
        before = await journal.find(KEY)
        taken = report(qty=content().qty)
        broker.orders[taken.order_id] = taken
        await late.sweep()
        after = await journal.find(KEY)

    assert before is not None
    assert after is not None
    assert before.state is OrderState.NOT_PLACED
    in_time = hours * 3600 < LOOK_BACK.total_seconds()
    expected = (OrderState.WORKING, taken.order_id) if in_time else (OrderState.NOT_PLACED, None)
    assert (after.state, after.order_id) == expected
    # Where nothing is expected, nothing is asked.
    assert broker.listed == (2 if in_time else 0)


class BreakableStore(Store):
    """Cannot be written while `broken`."""

    broken = False

    async def write(self, change: Callable[[Connection], T], *, lock: str | None = None) -> T:
        if self.broken:
            raise StoreUnreachable("disk full")
        return await super().write(change, lock=lock)


async def test_trade_is_off_while_the_journal_cannot_be_written_and_on_again_by_itself(
    tmp_path: Path,
) -> None:
    health = TradeHealth()
    await health.note(Obstacle.RECOVERING, stands=False)
    async with BreakableStore(f"sqlite:///{tmp_path}/orders.db", metadata=metadata) as store:
        journal = Journal(store)
        watch = StoreWatch(journal, health)
        await watch.probe()
        fine = health.obstacles
        store.broken = True
        with pytest.raises(JournalUnavailable):
            await journal.open(record(), attempt())
        await watch.probe()
        failing = health.obstacles
        store.broken = False
        await watch.probe()
        again = health.obstacles

    assert [sorted(one.value for one in each) for each in (fine, failing, again)] == [[], ["store"], []]
