"""Following orders at a broker that is scripted in this file."""

from __future__ import annotations

from collections.abc import AsyncIterator
from decimal import Decimal
from pathlib import Path

import pytest

from broker.rate_budget import Priority
from broker.reports import OrderStatus
from fakes.order_values import NOON, attempt, record, report
from fakes.scripted_orders import ScriptedAccounts, ScriptedOrders
from order_svc.follow import Follower
from order_svc.identifiers import AccountId, ClientOrderId, OrderId, OrderKey
from order_svc.journal import Journal
from order_svc.journal_tables import metadata
from order_svc.lifecycle import OrderEvent, OrderState
from order_svc.records import OrderRecord, Step
from order_svc.reports import with_report
from order_svc.successors import MAX_REPLACEMENTS, read_latest
from runtime.clock import SYSTEM_CLOCK
from runtime.storage import Store


@pytest.fixture
async def journal(tmp_path: Path) -> AsyncIterator[Journal]:
    async with Store(f"sqlite:///{tmp_path}/orders.db", metadata=metadata) as store:
        yield Journal(store)


async def _working(journal: Journal, account: str, order_id: str) -> OrderRecord:
    """An order of the journal that is open at the broker."""
    key = OrderKey(AccountId(account), ClientOrderId(order_id))
    await journal.open(record(key=key), attempt(key=key, attempt_id=f"att-{account}-{order_id}"))
    steps = [
        Step(event=event, evidence="set up")
        for event in (OrderEvent.HOLD_TAKEN, OrderEvent.SEND_STARTED, OrderEvent.REPORTED_WORKING)
    ]
    taken = report(order_id=order_id, client_order_id=order_id)
    return await journal.advance(key, steps, NOON, revise=lambda one: with_report(one, taken, NOON))


async def _after_sweep(journal: Journal, orders: ScriptedOrders, order_id: str) -> OrderRecord:
    follower = Follower(accounts=ScriptedAccounts({"paper": orders}), journal=journal, clock=SYSTEM_CLOCK)
    await follower.sweep()
    found = await journal.find(OrderKey(AccountId("paper"), ClientOrderId(order_id)))
    assert found is not None
    return found


async def test_an_order_that_is_no_longer_listed_is_read_by_its_id(journal: Journal) -> None:
    await _working(journal, "paper", "a")
    ended = report(order_id="a", status=OrderStatus.FILLED, filled_qty=Decimal(10), filled_at=NOON)
    orders = ScriptedOrders({"a": ended})

    found = await _after_sweep(journal, orders, "a")

    assert (found.state, found.filled_qty, found.filled_at) == (OrderState.FILLED, Decimal(10), NOON)
    assert orders.read == ["a"]


async def test_a_listed_order_needs_no_further_reading(journal: Journal) -> None:
    await _working(journal, "paper", "a")
    orders = ScriptedOrders(
        {"a": report(order_id="a", status=OrderStatus.PARTIALLY_FILLED, filled_qty=Decimal(4))},
        open_ids=("a",),
    )

    found = await _after_sweep(journal, orders, "a")

    assert (found.state, found.filled_qty) == (OrderState.PARTIALLY_FILLED, Decimal(4))
    assert orders.read == []


async def test_an_order_the_broker_no_longer_knows_stays_as_it_was(journal: Journal) -> None:
    await _working(journal, "paper", "a")

    assert (await _after_sweep(journal, ScriptedOrders(), "a")).state is OrderState.WORKING


async def test_a_replaced_order_goes_on_as_the_one_that_took_its_place(journal: Journal) -> None:
    await _working(journal, "paper", "a")
    orders = ScriptedOrders(
        {
            "a": report(
                order_id="a",
                status=OrderStatus.REPLACED,
                replaced_by="b",
                filled_qty=Decimal(3),
                filled_at=NOON,
            ),
            "b": report(order_id="b"),
        }
    )

    found = await _after_sweep(journal, orders, "a")

    assert (found.state, found.order_id) == (OrderState.WORKING, OrderId("b"))


async def test_an_account_that_fails_keeps_no_other_from_being_followed(journal: Journal) -> None:
    await _working(journal, "down", "a")
    await _working(journal, "up", "a")
    up = ScriptedOrders({"a": report(order_id="a", status=OrderStatus.CANCELED)})
    accounts = ScriptedAccounts({"down": ScriptedOrders(fails=True), "up": up})

    await Follower(accounts=accounts, journal=journal, clock=SYSTEM_CLOCK).sweep()

    followed = await journal.find(OrderKey(AccountId("up"), ClientOrderId("a")))
    stuck = await journal.find(OrderKey(AccountId("down"), ClientOrderId("a")))
    assert followed is not None
    assert stuck is not None
    assert (followed.state, stuck.state) == (OrderState.CANCELED, OrderState.WORKING)


async def test_a_broker_that_contradicts_itself_changes_nothing(journal: Journal) -> None:
    working = await _working(journal, "paper", "a")
    follower = Follower(
        accounts=ScriptedAccounts({"paper": ScriptedOrders()}), journal=journal, clock=SYSTEM_CLOCK
    )
    filled = report(order_id="a", status=OrderStatus.FILLED, filled_qty=Decimal(10))
    await follower.record(working, filled, "reading")

    await follower.record(working, report(order_id="a", status=OrderStatus.EXPIRED), "reading")

    found = await journal.find(working.key)
    assert found is not None
    assert found.state is OrderState.FILLED


async def test_replacements_that_circle_are_given_up() -> None:
    circle = report(order_id="a", status=OrderStatus.REPLACED, replaced_by="a")
    orders = ScriptedOrders({"a": circle})

    assert await read_latest(orders, circle, timeout=1.0, priority=Priority.READ) == circle
    assert len(orders.read) == MAX_REPLACEMENTS
