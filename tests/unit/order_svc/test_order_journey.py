"""An order's way to the broker when the journal fails under it."""

# ruff: noqa: ASYNC109 - a time limit is a value of the broker's port

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from pathlib import Path

import pytest

from broker.outcomes import Accepted, Submission
from broker.rate_budget import Priority
from broker.rate_gate import RateBudgetExhausted
from broker.raw_answer import CallRecord
from broker.requests import OrderRequest
from fakes.order_values import KEY, NOON, content, report
from fakes.scripted_orders import ScriptedAccounts, ScriptedOrders
from order_svc.attempt_log import AttemptLog
from order_svc.ceilings import Ceilings
from order_svc.checkpoints import pass_by
from order_svc.content import OrderContent
from order_svc.hold_releases import HoldReleases
from order_svc.identifiers import OrderKey
from order_svc.journal import Journal
from order_svc.journal_changes import Revise
from order_svc.journal_tables import metadata
from order_svc.journey import JourneyTools
from order_svc.lifecycle import OrderState
from order_svc.owned_tasks import OwnedTasks
from order_svc.place import PlaceOrder, Placing
from order_svc.ports import Authorization, Authorized
from order_svc.readiness import Readiness
from order_svc.receipt import Receipt, take_receipt
from order_svc.records import AttemptRecord, OrderRecord, Step
from order_svc.refusals import JournalUnavailable
from order_svc.resolve import ResolutionPolicy, Resolver
from order_svc.switch import TradingSwitch
from order_svc.trade_health import TradeHealth
from order_svc.unsent import Unsent
from runtime.clock import SYSTEM_CLOCK
from runtime.storage import Store


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


AUTHORISED_SECONDS = 60


class YesGuard:
    async def authorize(self, key: OrderKey, content: OrderContent) -> Authorization:
        until = SYSTEM_CLOCK.monotonic() + AUTHORISED_SECONDS
        return Authorized(account_number="PA1", account_type="paper", valid_until=until, hold_amount=None)

    async def release(self, key: OrderKey, reason: str) -> None:
        return


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


def _placing(
    store: Store, journal: Journal, broker: ScriptedOrders, tasks: OwnedTasks, lines: list[str]
) -> tuple[Placing, Resolver]:
    accounts, guard = ScriptedAccounts({"paper": broker}), YesGuard()
    log = AttemptLog(
        journal=journal, tasks=tasks, clock=SYSTEM_CLOCK, write_line=lambda _level, text: lines.append(text)
    )
    resolver = Resolver(
        accounts=accounts,
        journal=journal,
        guard=guard,
        attempt_log=log,
        tasks=tasks,
        clock=SYSTEM_CLOCK,
        policy=ResolutionPolicy(first_pause_seconds=0.01, longest_pause_seconds=0.01),
        on_bound=lambda _account: None,
    )
    tools = JourneyTools(
        journal=journal,
        guard=guard,
        holds=HoldReleases(guard=guard, tasks=tasks),
        switch=TradingSwitch(
            store=store, accounts=accounts, tasks=tasks, health=TradeHealth(), clock=SYSTEM_CLOCK
        ),
        resolver=resolver,
        attempt_log=log,
        tasks=tasks,
        clock=SYSTEM_CLOCK,
        send_timeout_seconds=5,
        ceilings_of=lambda _account: Ceilings(),
        on_bound=lambda _account: None,
        checkpoint=pass_by,
    )
    readiness = Readiness()
    readiness.open()
    unsent = Unsent(
        journal=journal, attempt_log=log, clock=SYSTEM_CLOCK, find_logged=lambda: _attempt_ids(lines)
    )
    return Placing(accounts=accounts, readiness=readiness, unsent=unsent, tools=tools), resolver


def _attempt_ids(lines: list[str]) -> set[str]:
    return {line.split(" | attempt=")[1].split(" ")[0] for line in lines}


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
        placing, resolver = _placing(store, broker.journal, broker, tasks, [])
        told = await placing.place(WISH, _receipt())
        broker.journal.broken = False
        await resolver.wait(KEY, until=SYSTEM_CLOCK.monotonic() + 10)
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
        placing, _ = _placing(store, Journal(store), FullBudget(), tasks, lines)
        first = await placing.place(WISH, _receipt())
        await placing.place(WISH, _receipt())

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
        placing, _ = _placing(store, journal, FullBudget(), tasks, lines)
        journal.broken = True
        with pytest.raises(JournalUnavailable):
            await placing.place(WISH, _receipt())
        journal.broken = False
        again = await placing.place(WISH, _receipt())

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
        placing, _ = _placing(store, journal, FullBudget(), tasks, lines)
        journal.broken = True
        receipt = _receipt()
        with pytest.raises(JournalUnavailable):
            await placing.place(WISH, receipt)
        # As the servicer writes it for its caller.
        lines.append(f"Order failed: … | error=journal_unavailable | attempt={receipt.attempt_id}")
        journal.broken = False
        await placing.place(WISH, _receipt())

    assert [line.split("error=")[1].split(" ")[0] for line in lines] == [
        "journal_unavailable",
        "rate_budget_exhausted",
    ]
