"""Readings of the cash: shared, fresh, in the right order, and what they end."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from datetime import timedelta
from decimal import Decimal
from pathlib import Path

import pytest

from account_svc.cash import CashUnreadable
from account_svc.grant import Claim, Outdated
from account_svc.guard import Allowed
from account_svc.hold_tables import METADATA
from account_svc.verdict import Verdict
from broker.rate_budget import Priority
from broker.standing import StandingProblem
from fakes.account_world import (
    ACCOUNT,
    RULES,
    GuardProcess,
    ManualClock,
    ScriptedReads,
    buy,
    hold_id,
    unreachable,
)
from runtime.clock import SYSTEM_CLOCK
from runtime.context import Deadline, use_deadline
from runtime.storage import Store

A, B = hold_id("a"), hold_id("b")
PRICE = Decimal(600)


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture
def reads(clock: ManualClock) -> ScriptedReads:
    return ScriptedReads(clock=clock)


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[Store]:
    async with Store(f"sqlite:///{tmp_path}/holds.db", metadata=METADATA) as opened:
        yield opened


@pytest.fixture
async def process(reads: ScriptedReads, store: Store) -> AsyncIterator[GuardProcess]:
    process = GuardProcess(reads, store)
    async with process.reader:
        yield process


async def open_holds(process: GuardProcess) -> list[str]:
    await process.balances.settle(ACCOUNT)
    return [hold.hold_id for hold in await process.holds.list_open(ACCOUNT)]


async def test_all_who_ask_at_once_share_one_reading(
    process: GuardProcess, reads: ScriptedReads, clock: ManualClock
) -> None:
    deadline = clock.monotonic() + 1

    snapshots = await asyncio.gather(*(process.reader.fresh(deadline=deadline) for _ in range(50)))

    assert reads.calls.count("account") == 1
    assert len({snapshot.snapshot_id for snapshot in snapshots}) == 1


async def test_a_reading_serves_those_who_come_while_it_is_young_enough(
    process: GuardProcess, reads: ScriptedReads, clock: ManualClock
) -> None:
    first = await process.reader.fresh(deadline=clock.monotonic() + 1)
    clock.advance(1.0)
    second = await process.reader.fresh(deadline=clock.monotonic() + 1)
    clock.advance(0.001)
    third = await process.reader.fresh(deadline=clock.monotonic() + 1)

    assert second is first
    assert third is not first


async def test_a_caller_that_gives_up_does_not_take_the_reading_from_the_others(
    process: GuardProcess, reads: ScriptedReads, clock: ManualClock
) -> None:
    reads.gate = asyncio.Event()
    impatient = asyncio.create_task(process.reader.fresh(deadline=clock.monotonic() + 0.01))
    patient = asyncio.create_task(process.reader.fresh(deadline=clock.monotonic() + 30))

    with pytest.raises(CashUnreadable):
        await impatient
    reads.gate.set()

    assert (await patient).cash == 7000
    assert reads.calls.count("account") == 1


async def test_a_cancelled_caller_does_not_take_the_reading_from_the_others(
    process: GuardProcess, reads: ScriptedReads, clock: ManualClock
) -> None:
    reads.gate = asyncio.Event()
    cancelled = asyncio.create_task(process.reader.fresh(deadline=clock.monotonic() + 30))
    patient = asyncio.create_task(process.reader.fresh(deadline=clock.monotonic() + 30))
    await reads.asked.wait()

    cancelled.cancel()
    reads.gate.set()

    assert (await patient).cash == 7000


async def test_a_failure_is_told_to_all_who_wait_and_not_remembered(
    process: GuardProcess, reads: ScriptedReads, clock: ManualClock
) -> None:
    reads.failure = unreachable()
    deadline = clock.monotonic() + 1

    failed = await asyncio.gather(
        *(process.reader.fresh(deadline=deadline) for _ in range(5)), return_exceptions=True
    )
    reads.failure = None

    assert all(isinstance(one, CashUnreadable) for one in failed)
    assert reads.calls.count("account") == 1
    assert process.account.standing.problem is StandingProblem.UNREACHABLE
    assert (await process.reader.fresh(deadline=deadline)).cash == 7000
    assert process.account.standing.tradable


async def test_an_urgent_caller_does_not_share_the_failure_of_a_reading_with_less_right_to_the_budget(
    process: GuardProcess, reads: ScriptedReads, clock: ManualClock
) -> None:
    reads.gate, reads.failure = asyncio.Event(), unreachable()
    deadline = clock.monotonic() + 30
    idle = asyncio.create_task(process.reader.fresh(deadline=deadline, priority=Priority.READ))
    urgent = asyncio.create_task(process.reader.fresh(deadline=deadline, priority=Priority.EXIT))
    await reads.asked.wait()

    reads.gate.set()
    with pytest.raises(CashUnreadable):
        await idle
    reads.failure = None

    assert (await urgent).cash == 7000
    assert reads.priorities == [Priority.READ, Priority.EXIT]


async def test_orders_are_read_before_the_cash(
    process: GuardProcess, reads: ScriptedReads, clock: ManualClock
) -> None:
    await process.guard.authorise(process.account, A, buy(PRICE))
    reads.calls.clear()
    clock.advance(2)

    await process.balances.settle(ACCOUNT)

    assert reads.calls == ["orders", "account"]


async def test_without_holds_no_orders_are_read(process: GuardProcess, reads: ScriptedReads) -> None:
    await process.balances.settle(ACCOUNT)

    assert reads.calls == ["account"]


async def test_a_fill_that_the_cash_does_not_show_yet_stays_held(
    process: GuardProcess, reads: ScriptedReads, clock: ManualClock
) -> None:
    """The broker's orders and cash may disagree for a moment; the money must not be free in between."""
    reads.cash_lag_seconds = 0.9
    await process.guard.authorise(process.account, A, buy(PRICE))
    reads.submit(A)
    clock.advance(2)
    reads.end(A, "filled", filled_qty="1")
    reads.pay(PRICE)

    at_once = await open_holds(process)
    shown_at_once = process.reader.latest
    clock.advance(1.01)
    later = await open_holds(process)

    assert (at_once, later) == ([A], [])
    assert shown_at_once is not None
    assert shown_at_once.cash == 7000
    assert process.reader.latest is not None
    assert process.reader.latest.cash == 6400


async def test_a_fill_between_the_orders_and_the_cash_is_counted_twice_not_never(
    process: GuardProcess, reads: ScriptedReads, clock: ManualClock
) -> None:
    await process.guard.authorise(process.account, A, buy(PRICE))
    reads.submit(A)
    clock.advance(2)

    def fill() -> None:
        reads.end(A, "filled", filled_qty="1")
        reads.pay(PRICE)

    reads.between = fill

    assert await open_holds(process) == [A]


async def test_an_order_that_never_appears_gives_back_its_hold_after_the_quarantine(
    process: GuardProcess, reads: ScriptedReads, clock: ManualClock
) -> None:
    await process.guard.authorise(process.account, A, buy(PRICE))
    clock.advance(2)
    await open_holds(process)
    clock.advance(RULES.quarantine_seconds - 1)
    before = await open_holds(process)
    clock.advance(2)
    after = await open_holds(process)

    assert (before, after) == ([A], [])
    assert reads.calls.count("order a") == 2


async def test_the_quarantine_starts_afresh_with_a_restart(
    process: GuardProcess, reads: ScriptedReads, store: Store, clock: ManualClock
) -> None:
    await process.guard.authorise(process.account, A, buy(PRICE))
    clock.advance(RULES.quarantine_seconds + 10)

    restarted = GuardProcess(reads, store)
    async with restarted.reader:
        assert await open_holds(restarted) == [A]


async def test_an_order_that_no_list_shows_is_found_by_its_id(
    process: GuardProcess, reads: ScriptedReads, clock: ManualClock
) -> None:
    await process.guard.authorise(process.account, A, buy(PRICE))
    reads.submit(A)
    for number in range(600):
        reads.submit(f"somebody-elses-{number}")
    clock.advance(2)
    await open_holds(process)
    clock.advance(RULES.quarantine_seconds + 10)

    assert await open_holds(process) == [A]
    assert "order a" in reads.calls


async def test_a_replaced_order_is_followed_to_its_end(
    process: GuardProcess, reads: ScriptedReads, clock: ManualClock
) -> None:
    await process.guard.authorise(process.account, A, buy(PRICE))
    reads.submit(A)
    reads.submit("successor")
    reads.end(A, "replaced", replaced_by="id-successor")
    clock.advance(2)
    while_open = await open_holds(process)
    reads.end("successor", "canceled")
    clock.advance(2)

    assert (while_open, await open_holds(process)) == ([A], [])


async def test_orders_that_cannot_be_read_keep_every_hold(
    process: GuardProcess, reads: ScriptedReads, clock: ManualClock
) -> None:
    await process.guard.authorise(process.account, A, buy(PRICE))
    reads.orders_failure = unreachable()
    for _ in range(3):
        clock.advance(RULES.quarantine_seconds)
        assert await open_holds(process) == [A]


async def test_a_snapshot_older_than_the_end_of_a_hold_decides_nothing(
    process: GuardProcess, reads: ScriptedReads, store: Store, clock: ManualClock
) -> None:
    """A second process may still have the cash from before a fill that the first has settled."""
    reads.cash_lag_seconds = 0.9
    other = GuardProcess(reads, store)
    async with other.reader:
        await process.guard.authorise(process.account, A, buy(Decimal(1900)))
        reads.submit(A)
        clock.advance(2)
        reads.end(A, "filled", filled_qty="1")
        reads.pay(Decimal(1900))
        assert await open_holds(process) == [A]
        clock.advance(0.5)
        stale = await other.reader.fresh(deadline=clock.monotonic() + 1)
        clock.advance(0.51)
        assert await open_holds(process) == []

        answers = [
            await other.guard.authorise(other.account, hold_id(f"b{number}"), buy(Decimal(200)))
            for number in range(2)
        ]

    assert stale.cash == 7000
    assert [answer.cash for answer in answers] == [5100, 5100]
    assert [answer.verdict for answer in answers] == [Verdict.ALLOWED, Verdict.BELOW]


async def test_a_snapshot_that_grew_old_on_the_way_to_the_disk_decides_nothing(
    process: GuardProcess, reads: ScriptedReads, clock: ManualClock
) -> None:
    snapshot = await process.reader.fresh(deadline=clock.monotonic() + 1)
    clock.advance(1.001)
    claim = Claim(
        account_id=ACCOUNT,
        hold_id=A,
        fingerprint="f",
        symbol="MSFT",
        cost=PRICE,
        minimum=Decimal(0),
    )

    outcome = await process.holds.authorise(claim, snapshot, lambda _held: Allowed(headroom=PRICE))

    assert isinstance(outcome, Outdated)
    assert await process.holds.list_open(ACCOUNT) == ()


async def test_what_was_seen_of_an_earlier_authorisation_does_not_end_a_later_one(
    process: GuardProcess, reads: ScriptedReads, clock: ManualClock
) -> None:
    """The order was absent, the caller asked again and is about to send it."""
    await process.guard.authorise(process.account, A, buy(PRICE))
    clock.advance(2)
    await open_holds(process)
    clock.advance(RULES.quarantine_seconds + 1)
    absent = await process.reader.fresh(deadline=clock.monotonic() + 1)
    again = await process.guard.authorise(process.account, A, buy(PRICE))

    await process.holds.settle(absent)

    assert again.verdict is Verdict.ALLOWED
    assert [hold.revision for hold in await process.holds.list_open(ACCOUNT)] == [2]


async def test_an_authorisation_that_has_run_out_is_decided_anew(
    process: GuardProcess, reads: ScriptedReads, clock: ManualClock
) -> None:
    first = await process.guard.authorise(process.account, A, buy(PRICE))
    clock.advance(4.9)
    while_valid = await process.guard.authorise(process.account, A, buy(PRICE))
    reads.pay(Decimal(2001))
    clock.advance(0.2)
    afterwards = await process.guard.authorise(process.account, A, buy(PRICE))

    assert first.verdict is while_valid.verdict is Verdict.ALLOWED
    assert while_valid.valid_seconds == pytest.approx(0.1)
    assert afterwards.verdict is Verdict.BELOW


async def test_a_hold_given_back_can_be_taken_again_under_its_id(process: GuardProcess) -> None:
    await process.guard.authorise(process.account, A, buy(PRICE))
    await process.guard.release(process.account, A, reason="refused")
    again = await process.guard.authorise(process.account, A, buy(PRICE))

    assert again.verdict is Verdict.ALLOWED
    assert [hold.revision for hold in await process.holds.list_open(ACCOUNT)] == [2]


async def just_paid(store: Store, resources: AsyncExitStack) -> GuardProcess:
    """In real time: 1,900 of 7,000 are spent, were seen to be, and are still held for the broker's lag."""
    reads = ScriptedReads(clock=SYSTEM_CLOCK)
    process = GuardProcess(reads, store)
    await resources.enter_async_context(process.reader)
    await process.guard.authorise(process.account, A, buy(Decimal(1900)))
    reads.submit(A)
    reads.end(A, "filled", filled_qty="1")
    reads.pay(Decimal(1900))
    now = SYSTEM_CLOCK.monotonic()
    await process.reader.fresh(deadline=now + 1, not_before=now)
    return process


async def test_an_order_kept_back_only_by_money_already_paid_waits_for_the_broker_to_show_it(
    store: Store,
) -> None:
    async with AsyncExitStack() as resources:
        process = await just_paid(store, resources)
        answer = await process.guard.authorise(process.account, B, buy(Decimal(100)))

    assert (answer.verdict, answer.cash, answer.held_by_others) == (
        Verdict.ALLOWED,
        Decimal(5100),
        Decimal(0),
    )


async def test_an_order_whose_caller_cannot_wait_is_kept_back_at_once(store: Store) -> None:
    async with AsyncExitStack() as resources:
        process = await just_paid(store, resources)
        started = SYSTEM_CLOCK.monotonic()
        with use_deadline(Deadline.after(0.5)):
            answer = await process.guard.authorise(process.account, B, buy(Decimal(100)))
        took = SYSTEM_CLOCK.monotonic() - started

    assert (answer.verdict, answer.held_by_others) == (Verdict.BELOW, Decimal(1900))
    assert took < 0.5


async def test_holds_that_ended_long_ago_are_forgotten_and_open_ones_never(
    process: GuardProcess, reads: ScriptedReads, clock: ManualClock
) -> None:
    for name in (A, B):
        await process.guard.authorise(process.account, name, buy(PRICE))
    await process.guard.release(process.account, A, reason="refused")
    clock.advance(timedelta(days=30).total_seconds())
    in_time = await process.holds.forget()
    clock.advance(1)
    later = await process.holds.forget()

    assert (in_time, later) == (0, 1)
    assert [hold.hold_id for hold in await process.holds.list_open(ACCOUNT)] == [B]


async def test_closing_the_reader_ends_the_reading_under_way(
    reads: ScriptedReads, store: Store, clock: ManualClock
) -> None:
    reads.gate = asyncio.Event()
    process = GuardProcess(reads, store)
    async with process.reader:
        waiting = asyncio.create_task(process.reader.fresh(deadline=clock.monotonic() + 30))
        await reads.asked.wait()

    with pytest.raises(asyncio.CancelledError):
        await waiting
