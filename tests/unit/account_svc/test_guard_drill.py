"""Whatever happens in whatever order, no order leaves that the cash does not cover (I5, I6), and no hold stays for ever.

A drill plays the broker, order_svc and two processes of account_svc over one store. It knows
what the guard cannot: the cash as it really is, and which orders may still take some of it.
The seed is the test's id, so a failure can be played again.
"""

import random
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, suppress
from decimal import Decimal
from pathlib import Path

import pytest

from account_svc.cash import CashUnreadable
from account_svc.guard import GuardMode
from account_svc.hold_tables import METADATA
from account_svc.verdict import Verdict
from fakes.account_world import (
    ACCOUNT,
    MINIMUM,
    RULES,
    GuardProcess,
    ManualClock,
    ScriptedReads,
    buy,
    hold_id,
    unreachable,
)
from runtime.context import Deadline, use_deadline
from runtime.storage import Store

LAG_SECONDS = RULES.broker_lag_seconds * 0.99
STEPS = 150
COSTS = tuple(Decimal(cost) for cost in (1, 300, 600, 1500))


class Drill:
    """One account, its broker, and everybody who spends its cash."""

    def __init__(self, store: Store, resources: AsyncExitStack, seed: int) -> None:
        self.random = random.Random(seed)  # noqa: S311 - the drill has to be repeatable, not secret
        self.mode = self.random.choice(list(GuardMode))
        self.clock = ManualClock()
        self.reads = ScriptedReads(clock=self.clock, cash_lag_seconds=LAG_SECONDS)
        self.costs: dict[str, Decimal] = {}
        self.sendable_until: dict[str, float] = {}
        self.working: list[str] = []
        self.ended: set[str] = set()
        self.allowed = self.denied = 0
        self._store = store
        self._resources = resources
        self._processes: list[GuardProcess] = []
        self._count = 0

    async def start(self) -> None:
        self._processes = [await self._start_process() for _ in range(2)]

    async def step(self) -> None:
        """One thing happens, the likely things more often."""
        happenings: list[tuple[int, Callable[[], object]]] = [
            (30, self.ask),
            (5, self.ask_again),
            (20, self.send),
            (15, self.fill),
            (8, self.cancel),
            (4, self.give_up),
            (15, self.look),
            (25, self.let_time_pass),
            (3, self.kill_and_restart),
            (4, self.break_or_mend_the_broker),
            (6, self.top_up),
        ]
        weights, names = zip(*happenings, strict=True)
        (happening,) = self.random.choices(names, weights)
        result = happening()
        if hasattr(result, "__await__"):
            await result
        await self.check_holds()

    async def ask(self) -> None:
        self._count += 1
        await self._ask(f"order-{self._count}", self.random.choice(COSTS))

    async def ask_again(self) -> None:
        # order_svc asks again only for what it has not sent: else it reads the order.
        names = [name for name in self.costs if name not in self.ended and name not in self.working]
        if names:
            name = self.random.choice(names[-5:])
            await self._ask(name, self.costs[name])

    def send(self) -> None:
        name = self._any(self._sendable())
        if name is not None:
            del self.sendable_until[name]
            self.reads.submit(name)
            self.working.append(name)

    def fill(self) -> None:
        name = self._any(self.working)
        if name is not None:
            self.reads.end(name, "filled", filled_qty="1")
            self._end(name, self.costs[name])

    def cancel(self) -> None:
        name = self._any(self.working)
        if name is not None:
            filled = self.random.choice((Decimal(0), self.costs[name] / 2))
            self.reads.end(name, "canceled", filled_qty=str(filled))
            self._end(name, filled)

    async def give_up(self) -> None:
        name = self._any(self._sendable())
        if name is not None:
            del self.sendable_until[name]
            process = self._process()
            assert await process.guard.release(process.account, hold_id(name), reason="not sent")

    async def look(self) -> None:
        with suppress(CashUnreadable):
            await self._process().balances.settle(ACCOUNT)

    def let_time_pass(self) -> None:
        lengths, weights = (0.1, 0.4, 0.8, 1.1, 3.0, 6.0, 40.0, 121.0), (10, 10, 10, 10, 4, 2, 2, 1)
        (length,) = self.random.choices(lengths, weights)
        self.clock.advance(length)

    async def kill_and_restart(self) -> None:
        self._processes[self.random.randrange(len(self._processes))] = await self._start_process()

    def break_or_mend_the_broker(self) -> None:
        self.reads.failure = self.random.choice((unreachable(), None, None))
        self.reads.orders_failure = self.random.choice((unreachable(), None, None))

    def top_up(self) -> None:
        """Keeps the account near its minimum, where the guard has something to decide."""
        missing = MINIMUM + self.random.randrange(1500) - self.reads.true_cash
        if missing > 0:
            self.reads.pay(-missing)

    async def check_holds(self) -> None:
        held = {hold.hold_id for hold in await self._processes[0].holds.list_open(ACCOUNT)}
        assert self._obligations() <= held

    async def end_everything(self) -> None:
        """Every order ends, every sender dies: then no hold may be left."""
        self.reads.failure = self.reads.orders_failure = None
        while self.working:
            self.fill()
        for _ in range(3 + len(self.costs)):
            self.clock.advance(RULES.quarantine_seconds + 1)
            await self._processes[0].balances.settle(ACCOUNT)
        assert await self._processes[0].holds.list_open(ACCOUNT) == ()

    async def _ask(self, name: str, cost: Decimal) -> None:
        if self.random.random() < 0.2 and self.working:
            self.reads.between = self.fill
        repeated = name in self._sendable()
        process = self._process()
        # Too short to wait for the broker's lag: in a drill time passes between the steps only.
        with use_deadline(Deadline.after(0.3, self.clock)):
            answer = await process.guard.authorise(process.account, hold_id(name), buy(cost))
        self.reads.between = None
        if answer.verdict is not Verdict.ALLOWED:
            self.denied += 1
            return
        self.allowed += 1
        self.costs[name] = cost
        self.sendable_until[name] = self.clock.monotonic() + answer.valid_seconds
        if not repeated:
            self._check_cover(name, cost)

    def _check_cover(self, name: str, cost: Decimal) -> None:
        others = sum((self.costs[other] for other in self._obligations() - {name}), Decimal(0))
        left = self.reads.true_cash - others - (cost if self.mode is GuardMode.PROJECTED else 0)
        assert left >= MINIMUM, f"{name} left with {left}"

    async def _start_process(self) -> GuardProcess:
        process = GuardProcess(self.reads, self._store, mode=self.mode)
        await self._resources.enter_async_context(process.reader)
        return process

    def _process(self) -> GuardProcess:
        return self.random.choice(self._processes)

    def _any(self, names: list[str]) -> str | None:
        return self.random.choice(names) if names else None

    def _end(self, name: str, paid: Decimal) -> None:
        self.reads.pay(paid)
        self.working.remove(name)
        self.ended.add(name)

    def _sendable(self) -> list[str]:
        now = self.clock.monotonic()
        return [name for name, until in self.sendable_until.items() if until > now]

    def _obligations(self) -> set[str]:
        """Orders that may still take cash."""
        return {*self.working, *self._sendable()}


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[Store]:
    async with Store(f"sqlite:///{tmp_path}/holds.db", metadata=METADATA) as opened:
        yield opened


@pytest.mark.parametrize("seed", range(24))
async def test_no_order_leaves_that_the_cash_does_not_cover_and_no_hold_stays_for_ever(
    store: Store, seed: int
) -> None:
    async with AsyncExitStack() as resources:
        drill = Drill(store, resources, seed)
        await drill.start()
        for _ in range(STEPS):
            await drill.step()
        await drill.end_everything()

    assert drill.allowed > 0
    assert drill.denied > 0
