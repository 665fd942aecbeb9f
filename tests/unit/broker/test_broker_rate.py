import asyncio
import json
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from multidict import CIMultiDict

from broker.rate_budget import Priority, RateBudget, RateLimits
from broker.rate_gate import RateBudgetExhausted, RateGate
from broker.raw_answer import CallRecord, RawAnswer
from runtime.clock import SystemClock

EXIT, CANCEL, OPEN, READ = Priority.EXIT, Priority.CANCEL, Priority.OPEN, Priority.READ


def drain(budget: RateBudget, priority: Priority, now: float = 0.0) -> int:
    sent = 0
    while budget.take(priority, now) == 0.0:
        sent += 1
    return sent


steps = st.lists(
    st.tuples(st.floats(0, 30), st.sampled_from(Priority), st.integers(1, 60)), min_size=1, max_size=60
)


@given(steps=steps)
def test_no_minute_ever_sees_more_than_the_budget(steps: list[tuple[float, Priority, int]]) -> None:
    budget, now, sent = RateBudget(), 0.0, []
    for pause, priority, attempts in steps:
        now += pause
        sent += [now for _ in range(attempts) if budget.take(priority, now) == 0.0]

    for end in sent:
        assert sum(1 for at in sent if end - 60 < at <= end) <= 180


@given(steps=steps)
def test_a_wait_that_was_told_is_enough_when_nobody_else_comes(
    steps: list[tuple[float, Priority, int]],
) -> None:
    budget, now = RateBudget(), 0.0
    for pause, priority, attempts in steps:
        now += pause
        for _ in range(attempts):
            budget.take(priority, now)
    wait = budget.take(READ, now)

    assert wait == 0.0 or budget.take(READ, now + wait + 1e-6) == 0.0


def test_reads_leave_room_for_orders_orders_for_cancels_and_cancels_for_exits() -> None:
    budget = RateBudget()

    assert drain(budget, READ) == 108
    assert drain(budget, OPEN) == 144 - 108
    assert drain(budget, CANCEL) == 162 - 144
    assert drain(budget, EXIT) == 180 - 162
    assert budget.take(EXIT, 59.9) == pytest.approx(0.1)
    assert drain(budget, EXIT, 60.0) == 180


def test_even_the_smallest_budget_lets_every_priority_through() -> None:
    for priority in Priority:
        assert drain(RateBudget(RateLimits(requests=1)), priority) == 1


def test_what_others_send_for_the_account_counts_too() -> None:
    budget = RateBudget()
    budget.observe(limit=200, remaining=95, reset_in=timedelta(seconds=40), now=0.0)

    # 95 left of Alpaca's 200 are 75 of our 180, of which 72 are not for reads.
    assert drain(budget, READ) == 3
    assert budget.take(READ, 0.0) == pytest.approx(40.0)
    assert drain(budget, EXIT) == 72
    assert budget.take(READ, 40.0) == 0.0


def test_what_others_send_on_a_larger_plan_leaves_our_budget_alone() -> None:
    budget = RateBudget()
    budget.observe(limit=1000, remaining=400, reset_in=timedelta(seconds=40), now=0.0)

    assert drain(budget, EXIT) == 180


def test_an_older_answer_that_comes_late_does_not_give_requests_back() -> None:
    budget = RateBudget()
    budget.observe(limit=200, remaining=93, reset_in=timedelta(seconds=40), now=0.0)
    budget.observe(limit=200, remaining=150, reset_in=timedelta(seconds=40), now=0.1)

    assert drain(budget, READ, 0.1) == 1


@pytest.mark.parametrize(
    ("retry_after", "until"),
    [
        pytest.param(timedelta(seconds=7), 7.0, id="as-told"),
        pytest.param(None, 1.0, id="untold"),
        pytest.param(timedelta(hours=5), 60.0, id="never-longer-than-the-window"),
    ],
)
def test_a_429_stops_everything_for_a_while(retry_after: timedelta | None, until: float) -> None:
    budget = RateBudget()
    budget.refused(retry_after=retry_after, now=0.0)

    assert budget.take(EXIT, until - 0.01) == pytest.approx(0.01)
    assert budget.take(EXIT, until) == 0.0


def test_refusals_in_a_row_wait_longer_until_one_request_succeeds() -> None:
    budget = RateBudget()
    budget.refused(retry_after=None, now=0.0)
    budget.refused(retry_after=None, now=1.0)
    assert budget.take(EXIT, 2.9) == pytest.approx(0.1)

    budget.observe(limit=None, remaining=None, reset_in=None, now=3.0)
    budget.refused(retry_after=None, now=3.0)
    assert budget.take(EXIT, 4.0) == 0.0


def test_a_budget_for_reads_only_keeps_nothing_back_and_follows_the_plan() -> None:
    budget = RateBudget(RateLimits(keeps_reserve=False, follows_broker=True))
    assert drain(budget, READ) == 180

    budget.observe(limit=10_000, remaining=None, reset_in=None, now=60.0)
    assert drain(budget, READ, 60.0) == 9000


def test_the_trading_budget_stays_below_the_promise_whatever_the_broker_allows() -> None:
    budget = RateBudget()
    budget.observe(limit=1000, remaining=1000, reset_in=timedelta(seconds=60), now=0.0)

    assert drain(budget, EXIT) == 180


@pytest.mark.parametrize("limits", [(0, 60.0), (180, 0.0)])
def test_a_budget_of_nothing_cannot_be_built(limits: tuple[int, float]) -> None:
    with pytest.raises(ValueError, match="budget"):
        RateLimits(requests=limits[0], window_seconds=limits[1])


class HandClock:
    def __init__(self) -> None:
        self.time = 0.0

    def now(self) -> datetime:
        return datetime(2026, 11, 24, 15, 0, tzinfo=UTC) + timedelta(seconds=self.time)

    def monotonic(self) -> float:
        return self.time


def answer(status: int, **headers: str) -> RawAnswer:
    return RawAnswer(
        status=status,
        headers=CIMultiDict({name.replace("_", "-"): value for name, value in headers.items()}),
        body=json.dumps({}).encode(),
        record=CallRecord(started_at=HandClock().now(), started=0.0, finished=0.0),
    )


def gate_for(requests: int, clock: HandClock | SystemClock, window_seconds: float = 60.0) -> RateGate:
    return RateGate(RateBudget(RateLimits(requests=requests, window_seconds=window_seconds)), clock)


async def test_a_request_without_room_in_the_callers_time_is_refused_at_once() -> None:
    clock = HandClock()
    gate = gate_for(1, clock)
    await gate.enter(READ, timeout=1.0)

    with pytest.raises(RateBudgetExhausted) as refused:
        await gate.enter(EXIT, timeout=59.0)

    assert refused.value.retry_after == timedelta(seconds=60)
    assert clock.time == 0.0


async def test_a_request_with_room_in_the_callers_time_waits_for_it() -> None:
    gate = gate_for(1, SystemClock(), window_seconds=0.05)
    clock = SystemClock()
    started = clock.monotonic()
    for _ in range(4):
        await gate.enter(READ, timeout=5.0)

    assert clock.monotonic() - started >= 0.15


async def test_who_waits_for_the_same_room_goes_by_priority_then_by_arrival() -> None:
    gate = gate_for(1, SystemClock(), window_seconds=0.05)
    await gate.enter(READ, timeout=1.0)
    order: list[str] = []

    async def wait_for_turn(priority: Priority, name: str) -> None:
        await gate.enter(priority, timeout=5.0)
        order.append(name)

    async with asyncio.TaskGroup() as group:
        for priority, name in (
            (READ, "read 1"),
            (OPEN, "open"),
            (READ, "read 2"),
            (EXIT, "exit"),
            (CANCEL, "cancel"),
        ):
            group.create_task(wait_for_turn(priority, name))

    assert order == ["exit", "cancel", "open", "read 1", "read 2"]


async def test_a_request_does_not_pass_those_that_wait_before_it() -> None:
    clock = HandClock()
    gate = gate_for(1, clock)
    await gate.enter(READ, timeout=1.0)
    first = asyncio.create_task(gate.enter(EXIT, timeout=100.0))
    await asyncio.sleep(0)
    clock.time = 60.0
    second = asyncio.create_task(gate.enter(READ, timeout=100.0))

    await first
    assert not second.done()
    second.cancel()
    with pytest.raises(asyncio.CancelledError):
        await second


async def test_who_is_cancelled_or_late_gives_the_place_up() -> None:
    gate = gate_for(1, SystemClock(), window_seconds=0.1)
    await gate.enter(READ, timeout=1.0)
    cancelled = asyncio.create_task(gate.enter(EXIT, timeout=5.0))
    follower = asyncio.create_task(gate.enter(READ, timeout=5.0))
    await asyncio.sleep(0)
    cancelled.cancel()

    with pytest.raises(asyncio.CancelledError):
        await cancelled
    await follower
    with pytest.raises(RateBudgetExhausted):
        await gate.enter(READ, timeout=0.01)


async def test_the_order_of_the_queue_survives_somebody_leaving_it() -> None:
    gate = gate_for(1, SystemClock(), window_seconds=0.1)
    await gate.enter(READ, timeout=1.0)
    order: list[str] = []

    async def wait_for_turn(priority: Priority) -> None:
        await gate.enter(priority, timeout=5.0)
        order.append(priority.name)

    async with asyncio.TaskGroup() as group:
        leaving = group.create_task(wait_for_turn(EXIT))
        for priority in (OPEN, CANCEL):
            group.create_task(wait_for_turn(priority))
        await asyncio.sleep(0)
        leaving.cancel()

    assert order == ["CANCEL", "OPEN"]


async def test_a_429_holds_back_those_who_come_after() -> None:
    clock = HandClock()
    gate = gate_for(100, clock)
    gate.observe(answer(429, Retry_After="7"))

    with pytest.raises(RateBudgetExhausted) as refused:
        await gate.enter(EXIT, timeout=6.0)
    assert refused.value.retry_after == timedelta(seconds=7)

    clock.time = 7.0
    await gate.enter(EXIT, timeout=0.1)


async def test_the_brokers_count_is_obeyed() -> None:
    clock = HandClock()
    gate = gate_for(180, clock)
    reset = str(int((clock.now() + timedelta(seconds=30)).timestamp()))
    gate.observe(answer(200, X_RateLimit_Limit="200", X_RateLimit_Remaining="20", X_RateLimit_Reset=reset))

    with pytest.raises(RateBudgetExhausted) as refused:
        await gate.enter(EXIT, timeout=1.0)
    assert refused.value.retry_after == timedelta(seconds=30)
