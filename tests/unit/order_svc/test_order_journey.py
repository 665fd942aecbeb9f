"""An order's way to the broker when the journal fails under it."""

# ruff: noqa: ASYNC109 - a time limit is a value of the broker's port

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import TypeVar

import pytest
from sqlalchemy import Connection

from broker.outcomes import Accepted, Submission
from broker.rate_budget import Priority
from broker.rate_gate import RateBudgetExhausted
from broker.raw_answer import CallRecord
from broker.requests import OrderRequest
from fakes.order_desk import AUTHORISED_SECONDS, desk_of
from fakes.order_values import KEY, NOON, content, report
from fakes.scripted_orders import ScriptedOrders
from order_svc.identifiers import OrderKey
from order_svc.journal import Journal
from order_svc.journal_changes import Revise
from order_svc.journal_tables import metadata
from order_svc.lifecycle import OrderState
from order_svc.owned_tasks import OwnedTasks
from order_svc.place import PlaceOrder
from order_svc.receipt import Receipt, take_receipt
from order_svc.records import AttemptRecord, OrderRecord, Step
from order_svc.refusals import JournalUnavailable
from runtime.clock import SYSTEM_CLOCK
from runtime.storage import Store

T = TypeVar("T")


class FragileJournal(Journal):
    """Cannot record what happens to an order while `broken`."""

    broken = False

    async def advance(
        self,
        key: OrderKey,
        steps: Sequence[Step],
        at: datetime,
        *,
        revise: Revise = lambda record: record,
        attempt: AttemptRecord | None = None,
    ) -> OrderRecord:
        if self.broken:
            raise JournalUnavailable("disk full")
        return await super().advance(key, steps, at, revise=revise, attempt=attempt)


class BreakingBroker(ScriptedOrders):
    """Takes the order; the journal breaks while it does."""

    journal: FragileJournal

    async def submit_order(
        self,
        order: OrderRequest,
        *,
        timeout: float,
        start_within: float | None = None,
        priority: Priority = Priority.OPEN,
    ) -> Submission:
        self.journal.broken = True
        taken = report(client_order_id=order.client_order_id)
        self.orders[taken.order_id] = taken
        call = CallRecord(started_at=NOON, started=0.0, finished=0.1, http_status=200)
        return Accepted(order_id=taken.order_id, order=taken, call=call)


class FullBudget(ScriptedOrders):
    async def submit_order(
        self,
        order: OrderRequest,
        *,
        timeout: float,
        start_within: float | None = None,
        priority: Priority = Priority.OPEN,
    ) -> Submission:
        # What the guard allowed holds for so long: after that no byte may leave.
        assert start_within is not None
        assert 0 < start_within <= AUTHORISED_SECONDS
        raise RateBudgetExhausted("no room")


WISH = PlaceOrder(account="paper", client_order_id=KEY.client_order_id, content=content())


def _receipt() -> Receipt:
    return take_receipt(SYSTEM_CLOCK, timeout_seconds=10)


async def test_an_order_that_left_is_unknown_not_failed_when_its_outcome_cannot_be_recorded(
    tmp_path: Path,
) -> None:
    async with (
        Store(f"sqlite:///{tmp_path}/orders.db", metadata=metadata) as store,
        OwnedTasks(grace_seconds=5) as tasks,
    ):
        broker = BreakingBroker()
        broker.journal = FragileJournal(store)
        desk = desk_of(store, broker.journal, broker, tasks, [])
        told = await desk.placing.place(WISH, _receipt())
        broker.journal.broken = False
        await desk.resolver.wait(KEY, until=SYSTEM_CLOCK.monotonic() + 10)
        found = await broker.journal.find(KEY)

    assert told.state is OrderState.UNKNOWN
    assert found is not None
    assert (found.state, found.order_id) == (OrderState.WORKING, report().order_id)


async def test_without_room_in_the_request_budget_nothing_is_sent_and_the_caller_may_retry(
    tmp_path: Path,
) -> None:
    lines: list[str] = []
    async with (
        Store(f"sqlite:///{tmp_path}/orders.db", metadata=metadata) as store,
        OwnedTasks(grace_seconds=5) as tasks,
    ):
        desk = desk_of(store, Journal(store), FullBudget(), tasks, lines)
        first = await desk.placing.place(WISH, _receipt())
        await desk.placing.place(WISH, _receipt())

    assert first.state is OrderState.DENIED
    assert first.refusal is not None
    assert first.refusal.reason == "RATE_BUDGET_EXHAUSTED"
    assert len(lines) == 2
    assert all(" | error=rate_budget_exhausted | " in line for line in lines)


async def test_an_order_that_cannot_be_marked_as_sent_is_not_sent_and_a_repeat_carries_it_on(
    tmp_path: Path,
) -> None:
    lines: list[str] = []
    async with (
        Store(f"sqlite:///{tmp_path}/orders.db", metadata=metadata) as store,
        OwnedTasks(grace_seconds=5) as tasks,
    ):
        journal = FragileJournal(store)
        desk = desk_of(store, journal, FullBudget(), tasks, lines)
        journal.broken = True
        with pytest.raises(JournalUnavailable):
            await desk.placing.place(WISH, _receipt())
        journal.broken = False
        again = await desk.placing.place(WISH, _receipt())

    assert again.refusal is not None
    assert again.refusal.reason == "RATE_BUDGET_EXHAUSTED"
    assert [line.split(" | ")[2] for line in lines] == ["error=never_sent", "error=rate_budget_exhausted"]


async def test_an_attempt_that_has_its_line_gets_no_second_one(tmp_path: Path) -> None:
    lines: list[str] = []
    async with (
        Store(f"sqlite:///{tmp_path}/orders.db", metadata=metadata) as store,
        OwnedTasks(grace_seconds=5) as tasks,
    ):
        journal = FragileJournal(store)
        desk = desk_of(store, journal, FullBudget(), tasks, lines)
        journal.broken = True
        receipt = _receipt()
        with pytest.raises(JournalUnavailable):
            await desk.placing.place(WISH, receipt)
        # As the servicer writes it for its caller.
        lines.append(f"Order failed: … | error=journal_unavailable | attempt={receipt.attempt_id}")
        journal.broken = False
        await desk.placing.place(WISH, _receipt())

    assert [line.split("error=")[1].split(" ")[0] for line in lines] == [
        "journal_unavailable",
        "rate_budget_exhausted",
    ]


class SlowStore(Store):
    """Holds the first write back until `go` is set."""

    def __init__(self, url: str) -> None:
        super().__init__(url, metadata=metadata)
        self.go = threading.Event()
        self._held = False

    async def write(self, change: Callable[[Connection], T], *, lock: str | None = None) -> T:
        if self._held:
            return await super().write(change, lock=lock)
        self._held = True

        def late(connection: Connection) -> T:
            self.go.wait(10)
            return change(connection)

        return await super().write(late)


async def test_unknown_is_told_only_of_an_order_that_a_crash_cannot_lose(tmp_path: Path) -> None:
    async with SlowStore(f"sqlite:///{tmp_path}/orders.db") as store, OwnedTasks(grace_seconds=5) as tasks:
        journal = Journal(store)
        desk = desk_of(store, journal, FullBudget(), tasks, [])
        impatient = replace(_receipt(), answer_by=SYSTEM_CLOCK.monotonic())
        asked = asyncio.ensure_future(desk.placing.place(WISH, impatient))
        done, _ = await asyncio.wait({asked}, timeout=0.2)
        early = await journal.find(KEY)
        store.go.set()
        told = await asked
        durable = await journal.find(KEY)

    assert not done
    assert early is None
    assert durable is not None
    assert told.key == durable.key
