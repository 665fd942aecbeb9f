"""PreviewOrder says what the PlaceOrder right after it does, and leaves no trace."""

# ruff: noqa: ASYNC109 - a time limit is a value of the broker's port

from __future__ import annotations

import tempfile
from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from broker.outcomes import Accepted, Submission
from broker.rate_budget import Priority
from broker.raw_answer import CallRecord
from broker.reports import OrderSide, OrderType, PositionIntent
from broker.requests import OrderRequest
from fakes.order_desk import Desk, desk_of, receipt
from fakes.order_values import NOON, content, report
from fakes.scripted_orders import ScriptedOrders
from order_svc.ceilings import Ceilings
from order_svc.content import OrderContent
from order_svc.halts import HaltMode
from order_svc.identifiers import AccountId, ClientOrderId, OrderKey
from order_svc.journal import Journal
from order_svc.journal_tables import metadata
from order_svc.owned_tasks import OwnedTasks
from order_svc.permission import CheckName
from order_svc.place import PlaceOrder
from order_svc.ports import Balance, BalanceVerdict
from order_svc.preview import PreviewVerdict, balance_check
from order_svc.refusals import ClientOrderIdReused
from order_svc.switch import HaltWish
from runtime.storage import Store

MINE = ClientOrderId("mine")
HALT = HaltWish(account="paper", requested_by="anna", reason="test")


class TakingBroker(ScriptedOrders):
    """Takes every order."""

    async def submit_order(
        self,
        order: OrderRequest,
        *,
        timeout: float,
        start_within: float | None = None,
        priority: Priority = Priority.OPEN,
    ) -> Submission:
        taken = report(order_id=f"broker-{len(self.orders)}", client_order_id=order.client_order_id)
        self.orders[taken.order_id] = taken
        call = CallRecord(started_at=NOON, started=0.0, finished=0.1, http_status=200)
        return Accepted(order_id=taken.order_id, order=taken, call=call)


@dataclass(frozen=True, slots=True, kw_only=True)
class World:
    """What an order meets."""

    balance: BalanceVerdict
    halt: HaltMode | None
    ceilings: Ceilings
    placed_before: int
    key: ClientOrderId | None
    wish: OrderContent


WORLDS = st.builds(
    World,
    balance=st.sampled_from(BalanceVerdict),
    halt=st.none() | st.sampled_from(HaltMode),
    ceilings=st.builds(
        Ceilings,
        max_orders_per_minute=st.sampled_from([None, 1, 2, 5]),
        max_order_notional=st.sampled_from([None, Decimal(50), Decimal(5000)]),
    ),
    placed_before=st.integers(0, 2),
    key=st.sampled_from([None, MINE, ClientOrderId("before-0")]),
    wish=st.sampled_from(
        [
            content(side=OrderSide.SELL),
            content(order_type=OrderType.LIMIT, limit_price=Decimal(100)),
            content(notional=Decimal(200), qty=None),
        ]
    ),
)


@given(world=WORLDS)
@settings(max_examples=30, deadline=timedelta(seconds=5))
async def test_the_verdict_is_that_of_the_order_placed_right_after_it(world: World) -> None:
    with tempfile.TemporaryDirectory() as folder:
        async with (
            Store(f"sqlite:///{folder}/orders.db", metadata=metadata) as store,
            OwnedTasks(grace_seconds=5) as tasks,
        ):
            broker = TakingBroker()
            desk = desk_of(store, Journal(store), broker, tasks, [], ceilings=world.ceilings)
            await _furnish(desk, world)
            wish = PlaceOrder(account="paper", client_order_id=world.key, content=world.wish)
            sent, asked = len(broker.orders), len(desk.guard.asked)
            told = await desk.previewing.preview(wish)
            untouched = (len(broker.orders), len(desk.guard.asked)) == (sent, asked)
            journalled = await desk.journal.find(OrderKey(AccountId("paper"), MINE))
            done = await _place(desk, wish)
            left = len(broker.orders) > sent

    assert untouched
    assert journalled is None
    match told.verdict:
        case PreviewVerdict.WOULD_SEND:
            assert left
        case PreviewVerdict.WOULD_REFUSE:
            assert told.refusal is not None
            assert (done, left) == (told.refusal.reason, False)
        case PreviewVerdict.KNOWN_ALREADY:
            assert (world.key, left) == ("before-0", False)
        case PreviewVerdict.UNDECIDED:
            raise AssertionError("everything is known in this world")


async def _furnish(desk: Desk, world: World) -> None:
    first = content(order_type=OrderType.LIMIT, limit_price=Decimal(1))
    for number in range(world.placed_before):
        earlier = PlaceOrder(
            account="paper", client_order_id=ClientOrderId(f"before-{number}"), content=first
        )
        await desk.placing.place(earlier, receipt())
    desk.guard.verdict = world.balance
    if world.halt is not None:
        await desk.switch.halt(HALT, world.halt)


async def _place(desk: Desk, wish: PlaceOrder) -> str:
    """The reason why it was refused; empty where it was not."""
    try:
        record = await desk.placing.place(wish, receipt())
    except ClientOrderIdReused as error:
        return error.reason
    return "" if record.refusal is None else record.refusal.reason


async def test_a_key_that_has_an_outcome_is_told_apart_from_a_new_one(tmp_path: Path) -> None:
    async with (
        Store(f"sqlite:///{tmp_path}/orders.db", metadata=metadata) as store,
        OwnedTasks(grace_seconds=5) as tasks,
    ):
        desk = desk_of(store, Journal(store), TakingBroker(), tasks, [])
        wish = PlaceOrder(account="paper", client_order_id=MINE, content=content())
        before = await desk.previewing.preview(wish)
        await desk.placing.place(wish, receipt())
        after = await desk.previewing.preview(wish)

    assert (before.verdict, after.verdict) == (PreviewVerdict.WOULD_SEND, PreviewVerdict.KNOWN_ALREADY)


async def test_every_check_shows_what_is_used_left_and_needed(tmp_path: Path) -> None:
    limits = Ceilings(max_orders_per_minute=5, max_order_notional=Decimal(900))
    async with (
        Store(f"sqlite:///{tmp_path}/orders.db", metadata=metadata) as store,
        OwnedTasks(grace_seconds=5) as tasks,
    ):
        desk = desk_of(store, Journal(store), TakingBroker(), tasks, [], ceilings=limits)
        dear = content(order_type=OrderType.LIMIT, limit_price=Decimal(100))
        await desk.placing.place(
            PlaceOrder(account="paper", client_order_id=MINE, content=content(side=OrderSide.SELL)), receipt()
        )
        told = await desk.previewing.preview(PlaceOrder(account="paper", client_order_id=None, content=dear))

    figures = {check.name: (check.limit, check.used, check.left, check.needed) for check in told.checks}
    assert figures[CheckName.ORDER_RATE] == tuple(map(Decimal, (5, 1, 4, 1)))
    assert figures[CheckName.ORDER_NOTIONAL] == tuple(map(Decimal, (900, 0, 900, 1000)))
    assert told.refusal is not None
    assert told.refusal.reason == "ORDER_NOTIONAL_EXCEEDED"
    assert [check.name for check in told.checks] == list(CheckName)


@pytest.mark.parametrize(
    ("balance", "closes", "reason", "undecided"),
    [
        pytest.param(Balance(verdict=BalanceVerdict.ALLOWED, text=""), False, "", False, id="allowed"),
        pytest.param(
            Balance(verdict=BalanceVerdict.ALLOWED, text="", counts_cost=True),
            False,
            "",
            True,
            id="projected",
        ),
        pytest.param(
            Balance(verdict=BalanceVerdict.BELOW, text="below"),
            False,
            "INSUFFICIENT_BALANCE",
            False,
            id="below",
        ),
        pytest.param(
            Balance(verdict=BalanceVerdict.BELOW, text="below"), True, "", True, id="a closing order below"
        ),
        pytest.param(
            Balance(verdict=BalanceVerdict.UNKNOWN, text="?"), False, "BALANCE_UNKNOWN", False, id="unread"
        ),
        pytest.param(
            Balance(verdict=BalanceVerdict.UNKNOWN, text="blocked", cash=Decimal(1)),
            False,
            "ACCOUNT_NOT_TRADABLE",
            False,
            id="cash read, account blocked",
        ),
    ],
)
def test_what_only_the_guards_order_question_would_tell_is_undecided(
    balance: Balance, closes: bool, reason: str, undecided: bool
) -> None:
    order = content(side=OrderSide.SELL, position_intent=PositionIntent.SELL_TO_CLOSE if closes else None)
    check = balance_check(order, balance)

    assert ("" if check.refusal is None else check.refusal.reason) == reason
    assert bool(check.undecided) is undecided
