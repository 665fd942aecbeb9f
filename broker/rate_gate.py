"""Waiting for room in an account's request budget, the important first."""

# ruff: noqa: ASYNC109 - a time limit is a value here: it spans several steps, and is part of the port

import asyncio
import heapq
from datetime import timedelta
from itertools import count

from broker.faults import rate_wait
from broker.rate_budget import Priority, RateBudget
from broker.raw_answer import RawAnswer
from runtime.clock import Clock
from runtime.errors import ResourceExhausted

__all__ = ["RateBudgetExhausted", "RateGate"]

_MAX_WAITING = 1000


class RateBudgetExhausted(ResourceExhausted):
    """Our request budget for the account has no room in the caller's time; nothing was sent."""

    reason = "RATE_BUDGET_EXHAUSTED"


class RateGate:
    """Lets requests of one account through as its budget allows, in the order of their priority."""

    def __init__(self, budget: RateBudget, clock: Clock) -> None:
        self._budget = budget
        self._clock = clock
        self._waiting: list[tuple[Priority, int, asyncio.Future[None]]] = []
        self._arrivals = count()
        self._timer: asyncio.TimerHandle | None = None

    async def enter(self, priority: Priority, *, timeout: float) -> None:
        """Returns when the request may be sent; it is counted then.

        Raises RateBudgetExhausted: at once where `timeout` seconds cannot suffice, else when they are over.
        """
        wait = 0.0
        if not self._has_to_queue(priority):
            wait = self._budget.take(priority, self._clock.monotonic())
            if wait == 0.0:
                return
        if wait >= timeout or len(self._waiting) >= _MAX_WAITING:
            raise _exhausted(priority, wait)
        await self._queue(priority, timeout)

    def observe(self, answer: RawAnswer) -> None:
        """Learns from an answer's status and rate headers."""
        now, rate = self._clock.monotonic(), answer.rate
        if answer.status == 429:
            self._budget.refused(retry_after=rate_wait(answer), now=now)
        else:
            reset_in = None if rate.reset_at is None else rate.reset_at - self._clock.now()
            self._budget.observe(limit=rate.limit, remaining=rate.remaining, reset_in=reset_in, now=now)
        self._let_in()

    def _has_to_queue(self, priority: Priority) -> bool:
        return bool(self._waiting) and self._waiting[0][0] <= priority

    async def _queue(self, priority: Priority, timeout: float) -> None:
        turn = asyncio.get_running_loop().create_future()
        place = (priority, next(self._arrivals), turn)
        heapq.heappush(self._waiting, place)
        self._let_in()
        try:
            async with asyncio.timeout(timeout):
                await turn
        except TimeoutError:
            raise _exhausted(priority, 0.0) from None
        finally:
            if place in self._waiting:
                self._waiting.remove(place)
                heapq.heapify(self._waiting)
                self._let_in()

    def _let_in(self) -> None:
        """Gives the first in the queue their turns, and sets the alarm for the next."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        while self._waiting:
            priority, _, turn = self._waiting[0]
            if turn.done():  # its caller was cancelled and has not yet left the queue
                heapq.heappop(self._waiting)
                continue
            # Shares grow with the priority: when the first has no room, nobody behind it has.
            wait = self._budget.take(priority, self._clock.monotonic())
            if wait > 0.0:
                self._timer = asyncio.get_running_loop().call_later(wait, self._let_in)
                return
            heapq.heappop(self._waiting)
            turn.set_result(None)


def _exhausted(priority: Priority, wait: float) -> RateBudgetExhausted:
    return RateBudgetExhausted(
        f"the account's request budget has no room for a request of priority {priority.name.lower()}",
        metadata={"priority": priority.name},
        retry_after=timedelta(seconds=max(wait, 1.0)),
    )
