"""One account's tick against fakes of both services."""

import asyncio
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal

import pytest

from config.selling import AutoSell
from fakes.sell_values import AAPL, ACCOUNT, POLICY, contract, lot, order, position, quote
from fakes.sell_world import ManualClock, World
from runtime.errors import Unavailable
from sell_svc.account_watch import AccountWatch, Pace
from sell_svc.decisions import Decisions, Verdict
from sell_svc.observation import OptionPosition
from sell_svc.observe import Observer
from sell_svc.policy import Policy
from sell_svc.ports import ExitOrder, ExitPhase, ExitReport, PlaceOutcome, Refused, Unanswered
from sell_svc.verdict import Rule

DOWN = Unavailable("down")


class Bench:
    """A watch, the world it sees, and what it decided."""

    def __init__(self, world: World, policy: Policy = POLICY, *, tick_seconds: float = 5.0) -> None:
        self.world = world
        self.clock = ManualClock()
        self.decisions = Decisions()
        self.policy = policy
        self.tick_seconds = tick_seconds
        self.watch = self.new_watch()

    def new_watch(self) -> AccountWatch:
        """As after a restart of the process, or as a second replica has it."""
        return AccountWatch(
            ACCOUNT,
            observer=Observer(
                ACCOUNT,
                accounts=self.world.accounts,
                orders=self.world.orders,
                read_market=self.world.read_market,
            ),
            orders=self.world.orders,
            read_policy=lambda: self.policy,
            decisions=self.decisions,
            pace=Pace(interval_seconds=5, tick_seconds=self.tick_seconds),
            clock=self.clock,
        )

    async def tick(self, *, after: float = 5.0) -> None:
        """One tick and the cancellations it began, some seconds later."""
        self.clock.advance(after)
        self.world.pass_time(after)
        self.world.quotes = {
            symbol: replace(one, quoted_at=self.world.market.now) for symbol, one in self.world.quotes.items()
        }
        await self.watch.tick()
        await self.watch.cancellations()

    def rules(self) -> list[Rule]:
        """Oldest first."""
        return [one.rule for one in reversed(self.decisions.newest(limit=100))]


def winning(*positions: OptionPosition) -> World:
    """Everything held is at twice its entry price."""
    world = World(ACCOUNT)
    held = positions or (position("2"),)
    world.hold(*held)
    world.quotes = {one.symbol: quote("2.00") for one in held}
    return world


def denied(_order: ExitOrder) -> PlaceOutcome:
    return Refused(reason="INSUFFICIENT_BALANCE", message="cash 1", by_us=True, by_guard=True)


def rejected(_order: ExitOrder) -> PlaceOutcome:
    return Refused(reason="ORDER_REJECTED", message="42210000 no", by_us=False, by_guard=False)


async def test_a_sale_is_sent_once_and_counted() -> None:
    bench = Bench(winning())

    for _ in range(4):
        await bench.tick()

    (sent,) = bench.world.placed
    assert (sent.symbol, sent.qty, sent.limit_price) == (AAPL, Decimal(2), None)
    assert (bench.watch.tally.sold, bench.watch.tally.failed) == (1, 0)
    (sale,) = bench.decisions.newest(limit=10)
    assert (sale.verdict, sale.outcome, sale.client_order_id) == (
        Verdict.SELL,
        "accepted",
        sent.client_order_id,
    )
    assert bench.watch.tally.last_activity_at is not None


async def test_a_position_that_still_shows_what_was_sold_is_not_sold_again() -> None:
    """I9: orders and positions of the broker disagree for seconds after a fill."""
    bench = Bench(winning())
    bench.world.on_place = lambda order: bench.world.report(
        order, ExitPhase.ENDED, state="FILLED", filled=order.qty
    )

    await bench.tick()
    await bench.tick()

    assert len(bench.world.placed) == 1
    assert bench.rules() == [Rule.TAKE_PROFIT, Rule.EXIT_SETTLING]


async def test_contracts_bought_again_in_the_same_session_are_sold_again() -> None:
    bench = Bench(winning())
    await bench.tick()
    bench.world.hold(position("3"))

    await bench.tick(after=60)

    assert [one.qty for one in bench.world.placed] == [2, 3]
    assert len({one.client_order_id for one in bench.world.placed}) == 2


async def test_a_restart_or_a_second_replica_meets_at_the_same_exit() -> None:
    """S-39, I9."""
    bench = Bench(winning())
    bench.world.on_place = bench.world.work
    other = bench.new_watch()

    await asyncio.gather(bench.watch.tick(), other.tick())
    await bench.new_watch().tick()

    assert len(bench.world.placed) == 1


async def test_a_second_rule_does_not_make_a_second_exit() -> None:
    """The first exit works, then the price falls through the stop."""
    bench = Bench(winning())
    bench.world.on_place = bench.world.work
    await bench.tick()
    bench.world.quotes[AAPL] = quote("0.50")

    await bench.tick()
    await bench.new_watch().tick()

    assert len(bench.world.placed) == 1
    assert bench.rules()[:2] == [Rule.TAKE_PROFIT, Rule.EXIT_WORKING]


async def test_an_exit_whose_answer_was_lost_is_looked_for_not_repeated() -> None:
    """S-25."""
    bench = Bench(winning())

    def taken_but_unheard(order: ExitOrder) -> PlaceOutcome:
        bench.world.exits[order.client_order_id] = bench.world.report(order, ExitPhase.OPEN, state="UNKNOWN")
        return Unanswered(reason="DEADLINE_EXCEEDED", message="too late")

    bench.world.on_place = taken_but_unheard
    for _ in range(3):
        await bench.tick()

    assert len(bench.world.placed) == 1
    assert bench.rules() == [Rule.TAKE_PROFIT, Rule.EXIT_WORKING]
    assert bench.watch.tally.failed == 1


async def test_an_exit_that_never_arrived_is_sent_again_under_the_same_id() -> None:
    bench = Bench(winning())
    bench.world.on_place = lambda _order: Unanswered(reason="UNAVAILABLE", message="connection refused")
    await bench.tick()
    bench.world.on_place = bench.world.fill

    await bench.tick(after=6)

    first, second = bench.world.placed
    assert first.client_order_id == second.client_order_id
    assert bench.watch.tally.sold == 1


@pytest.mark.parametrize("state", ["CANCELED", "EXPIRED", "REJECTED"])
async def test_an_exit_that_ended_unsold_is_followed_by_the_next_after_a_pause(state: str) -> None:
    bench = Bench(winning())
    bench.world.on_place = bench.world.work
    await bench.tick()
    bench.world.end_exit(bench.world.placed[0].client_order_id, state)

    await bench.tick()
    in_pause = len(bench.world.placed)
    await bench.tick(after=6)

    assert in_pause == 1
    first, second = (one.client_order_id for one in bench.world.placed)
    assert (first[:-1], second[:-1]) == (second[:-1], first[:-1])
    assert (first[-1], second[-1]) == ("0", "1")


async def test_after_a_part_was_sold_only_the_rest_is() -> None:
    bench = Bench(winning(position("5")))
    bench.world.on_place = bench.world.work
    await bench.tick()
    bench.world.end_exit(bench.world.placed[0].client_order_id, "CANCELED", filled="3")
    bench.world.hold(position("2"))

    await bench.tick()
    while_settling = len(bench.world.placed)
    await bench.tick(after=20)

    assert while_settling == 1
    assert [one.qty for one in bench.world.placed] == [5, 2]


async def test_a_denied_exit_is_counted_shown_and_told_once_and_waits_longer_each_time() -> None:
    bench = Bench(winning())
    bench.world.on_place = denied
    for _ in range(8):
        await bench.tick()

    attempts = [one for one in bench.decisions.newest(limit=100) if one.verdict is Verdict.SELL]
    # After 5, 10 and 20 s: at ticks 1, 2, 4 and 8 of five seconds.
    assert len(attempts) == 4
    assert [one.alerts for one in reversed(attempts)] == [True, False, False, False]
    assert {one.outcome for one in attempts} == {"denied: INSUFFICIENT_BALANCE: cash 1"}
    report = bench.watch.report
    assert (report.exits_blocked, bench.watch.tally.exits_blocked, bench.watch.tally.failed) == (4, 4, 0)
    assert report.error == f"{AAPL}: denied: INSUFFICIENT_BALANCE: cash 1"


async def test_a_broken_exit_of_one_contract_leaves_the_others_alone() -> None:
    other = position("1", of=contract("MSFT"))
    bench = Bench(winning(position("2"), other))
    bench.world.on_place = lambda order: rejected(order) if order.symbol == AAPL else bench.world.fill(order)

    await bench.tick()

    assert (bench.watch.tally.sold, bench.watch.tally.failed) == (1, 1)
    outcomes = {one.symbol: one.outcome for one in bench.decisions.newest(limit=10)}
    assert outcomes[AAPL] == "rejected: ORDER_REJECTED: 42210000 no"


@pytest.mark.parametrize("call", ["read_market", "read_holdings", "list_open", "read_quotes", "find_exit"])
async def test_what_cannot_be_read_sells_nothing_and_shows(call: str) -> None:
    """S-12, S-16: a failed read is neither an empty account nor a price of zero."""
    bench = Bench(winning())
    bench.world.fail(call, DOWN)

    await bench.tick()

    assert bench.world.placed == []
    assert "UNAVAILABLE: down" in bench.watch.report.error


async def test_unknown_lots_sell_nothing() -> None:
    bench = Bench(winning(), replace(POLICY, auto_sell=AutoSell.TRACKED))
    bench.world.fail("list_lots", DOWN)

    await bench.tick()

    assert bench.world.placed == []
    assert bench.rules() == [Rule.LOTS_UNKNOWN]


async def test_tracked_lots_are_sold() -> None:
    bench = Bench(winning(position("5")), replace(POLICY, auto_sell=AutoSell.TRACKED))
    bench.world.lots[ACCOUNT] = (lot("3"),)

    await bench.tick()

    assert [one.qty for one in bench.world.placed] == [3]


async def test_the_error_goes_when_the_reads_work_again() -> None:
    bench = Bench(winning())
    bench.world.fail("read_holdings", DOWN)
    await bench.tick()
    bench.world.heal("read_holdings")

    await bench.tick()

    assert bench.watch.report.error == ""
    assert bench.watch.tally.sold == 1


@pytest.mark.parametrize(
    ("arrange", "is_open"),
    [
        pytest.param(lambda world: world.hold(), True, id="S-03 no positions"),
        pytest.param(lambda world: world.fail("read_holdings", DOWN), True, id="unknown positions"),
        pytest.param(lambda _world: None, False, id="outside the session"),
    ],
)
async def test_stale_orders_are_cancelled_whatever_the_positions(
    arrange: Callable[[World], None], is_open: bool
) -> None:
    """I11."""
    world = World(ACCOUNT)
    world.market = replace(world.market, is_open=is_open)
    world.order_book(order("stale", age=timedelta(minutes=3)), order("fresh", age=timedelta(seconds=10)))
    arrange(world)
    bench = Bench(world)

    await bench.tick()

    assert world.cancelled == ["stale"]
    assert world.cancel_reasons == ["open for 185 s, limit 180 s"]
    assert bench.watch.tally.cancelled == 1


async def test_a_stale_exit_of_ours_is_cancelled_and_followed() -> None:
    bench = Bench(winning())
    bench.world.on_place = bench.world.work
    await bench.tick()
    (sent,) = bench.world.placed
    working = order(sent.client_order_id, is_sell=True, now=bench.world.market.now, age=timedelta())
    bench.world.order_book(working)

    await bench.tick(after=180)
    assert bench.world.cancelled == [sent.client_order_id]
    bench.world.order_book()
    bench.world.end_exit(sent.client_order_id, "CANCELED")
    await bench.tick()
    await bench.tick(after=6)

    assert len(bench.world.placed) == 2


async def test_hanging_cancellations_delay_no_stop_loss() -> None:
    """S-37."""
    bench = Bench(winning(), tick_seconds=60)
    bench.world.order_book(order("stale", symbol=str(contract("MSFT"))))
    bench.world.freeze("cancel")

    await bench.watch.tick()
    await bench.world.visits.reach("cancel", 1)
    await bench.watch.tick()

    assert len(bench.world.placed) == 1
    assert bench.world.visits["cancel"] == 1
    assert bench.world.cancelled == []
    bench.world.thaw("cancel")
    await bench.watch.cancellations()
    assert bench.world.cancelled == ["stale"]


async def test_a_failed_cancellation_is_tried_again_after_a_pause() -> None:
    """S-27."""
    world = World(ACCOUNT)
    world.order_book(order("stale"))
    world.fail("cancel", DOWN)
    bench = Bench(world)
    await bench.tick()
    failed = bench.decisions.newest(limit=1)[0]
    world.heal("cancel")

    await bench.tick(after=4)
    in_pause = list(world.cancelled)
    await bench.tick(after=4)

    assert failed.outcome == "failed: UNAVAILABLE: down"
    assert in_pause == []
    assert world.cancelled == ["stale"]
    assert bench.watch.tally.failed == 1


async def test_a_tick_that_hangs_is_cut_and_the_next_one_works() -> None:
    bench = Bench(winning(), tick_seconds=0.05)
    bench.world.freeze("read_holdings")
    await bench.watch.tick()
    cut = bench.watch.report.error
    bench.world.thaw("read_holdings")

    await bench.watch.tick()

    assert cut == "the tick did not end within 0.05 s"
    assert bench.watch.report.error == ""
    assert len(bench.world.placed) == 1


async def test_a_bug_in_a_tick_ends_only_that_tick_and_shows() -> None:
    """S-21."""
    bench = Bench(winning())
    bench.world.fail("read_market", ZeroDivisionError("bug"))
    await bench.tick()
    shown = bench.watch.report.error
    bench.world.heal("read_market")

    await bench.tick()

    assert shown == "ZeroDivisionError, see the log"
    assert len(bench.world.placed) == 1


async def test_stop_waits_for_the_action_under_way_and_begins_no_other() -> None:
    """I12."""
    bench = Bench(winning(), tick_seconds=60)
    bench.world.freeze("place_exit")
    bench.watch.start()
    await bench.world.visits.reach("place_exit", 1)

    stopping = asyncio.create_task(bench.watch.stop())
    done, _ = await asyncio.wait({stopping}, timeout=0.05)
    assert not done
    bench.world.thaw("place_exit")
    await stopping

    assert len(bench.world.placed) == 1
    assert bench.watch.tally.sold == 1


async def test_a_stop_before_the_sale_leaves_prevents_it() -> None:
    """I12."""
    bench = Bench(winning(), tick_seconds=60)
    bench.world.order_book(order("stale", symbol=str(contract("MSFT"))))
    bench.world.freeze("read_quotes")
    bench.world.freeze("find_exit")
    bench.watch.start()
    await bench.world.visits.reach("read_quotes", 1)

    stopping = asyncio.create_task(bench.watch.stop())
    await asyncio.wait({stopping}, timeout=0.05)
    bench.world.thaw("read_quotes")
    bench.world.thaw("find_exit")
    await stopping

    assert bench.world.placed == []
    assert bench.world.cancelled == []


async def test_held_positions_are_told_once() -> None:
    world = World(ACCOUNT)
    world.hold(position("2"))
    world.quotes = {AAPL: quote("1.00")}
    bench = Bench(world)

    for _ in range(3):
        await bench.tick()

    assert bench.rules() == [Rule.WITHIN_LIMITS]
    assert (bench.watch.report.positions, bench.watch.report.open_orders) == (1, 0)


async def test_a_repeat_that_meets_an_exit_refused_for_good_is_followed() -> None:
    bench = Bench(winning())
    bench.world.on_place = bench.world.work
    await bench.tick()
    first = bench.world.placed[0].client_order_id
    # As after a restart: the journal knows a denial, this process does not.
    bench.world.exits[first] = replace(
        bench.world.exits[first], phase=ExitPhase.ENDED, state="DENIED", accepted=False, is_refusal=True
    )
    bench.watch = bench.new_watch()

    for _ in range(4):
        await bench.tick(after=60)

    assert [one.client_order_id[-1] for one in bench.world.placed] == ["0", "1"]


async def test_an_order_the_broker_has_not_acknowledged_is_not_counted_as_sold() -> None:
    bench = Bench(winning())

    def unknown(order: ExitOrder) -> ExitReport:
        return replace(bench.world.work(order), state="UNKNOWN", order_id=None, accepted=False)

    bench.world.on_place = unknown
    await bench.tick()

    (sale,) = bench.decisions.newest(limit=10)
    assert (sale.outcome, sale.alerts) == ("unknown: being resolved", True)
    assert (bench.watch.tally.sold, bench.watch.tally.failed) == (0, 0)


async def test_a_market_exit_refused_for_want_of_a_bid_is_followed_by_limits_that_climb_the_ticks() -> None:
    """S-24: each refusal is a try of its own, with a pause before the next."""
    bench = Bench(winning())
    words = iter(["42210000 no available bid for the contract", "42210000 invalid price increment"])

    def refused(order: ExitOrder) -> PlaceOutcome:
        message = next(words, None)
        if message is None:
            return bench.world.fill(order)
        return Refused(reason="ORDER_REJECTED", message=message, by_us=False, by_guard=False)

    bench.world.on_place = refused
    await bench.tick()
    await bench.tick(after=4)
    in_pause = len(bench.world.placed)
    await bench.tick(after=2)
    await bench.tick(after=11)

    assert in_pause == 1
    assert [one.limit_price for one in bench.world.placed] == [None, Decimal("0.01"), Decimal("0.05")]
    assert [one.client_order_id[-1] for one in bench.world.placed] == ["0", "0", "0"]
    assert bench.watch.tally.sold == 1
    assert bench.decisions.newest(limit=1)[0].reason.endswith("; nobody bids, limit 0.05")


async def test_another_refusal_of_the_broker_is_tried_at_the_market_again() -> None:
    bench = Bench(winning())
    bench.world.on_place = rejected
    await bench.tick()
    await bench.tick(after=6)

    assert [one.limit_price for one in bench.world.placed] == [None, None]


async def test_the_wait_after_a_refusal_is_each_contracts_own() -> None:
    other = position("1", of=contract("MSFT"))
    bench = Bench(winning(position("2"), other))
    bench.world.on_place = rejected
    await bench.tick()
    bench.world.on_place = bench.world.fill
    third = position("1", of=contract("NVDA"))
    bench.world.hold(position("2"), other, third)
    bench.world.quotes[third.symbol] = quote("2.00")

    await bench.tick(after=1)

    assert [one.symbol for one in bench.world.placed[2:]] == [third.symbol]
