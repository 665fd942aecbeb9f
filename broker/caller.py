"""Sends what alpaca-py builds: within the account's budget and the caller's time, errors as ours."""

# ruff: noqa: ASYNC109 - a time limit is a value here: it spans several steps, and is part of the port

from collections.abc import Callable
from typing import TypeVar

from broker.alpaca_py import AnswerError, Sender, call, exchange
from broker.faults import call_metadata, classify_read, classify_read_failure
from broker.rate_budget import Priority
from broker.rate_gate import RateGate
from broker.raw_answer import CallError, CallRecord, RawAnswer
from broker.raw_json import UnreadableAnswer
from broker.transport import AsyncTransport, HttpRequest
from runtime.clock import Clock

__all__ = ["Caller", "plain"]

T = TypeVar("T")


class Caller:
    """Calls one of Alpaca's hosts for one account.

    `ask` is a method of alpaca-py with its arguments bound; `parse` makes a report of the answer's JSON.
    `timeout` is in seconds, for the wait in the budget and the call together.
    """

    def __init__(self, *, transport: AsyncTransport, gate: RateGate, clock: Clock) -> None:
        self._transport = transport
        self._gate = gate
        self._clock = clock

    async def read(
        self,
        ask: Callable[[], object],
        parse: Callable[[object, CallRecord], T],
        *,
        priority: Priority,
        timeout: float,
    ) -> T:
        """The report of a read; raises the errors that `faults` lists."""
        try:
            raw, answer = await call(self._sender(priority, timeout), ask)
        except AnswerError as e:
            raise classify_read(e.answer) from None
        except CallError as e:
            raise classify_read_failure(e) from None
        return _parsed(raw, answer, parse)

    async def find(
        self,
        ask: Callable[[], object],
        parse: Callable[[object, CallRecord], T],
        *,
        priority: Priority,
        timeout: float,
    ) -> T | None:
        """Like `read`; `None` only where the broker itself says that there is no such thing."""
        try:
            raw, answer = await call(self._sender(priority, timeout), ask)
        except AnswerError as e:
            if e.answer.says_absent:
                return None
            raise classify_read(e.answer) from None
        except CallError as e:
            raise classify_read_failure(e) from None
        return _parsed(raw, answer, parse)

    async def write(
        self,
        ask: Callable[[], object],
        *,
        priority: Priority,
        timeout: float,
        start_within: float | None = None,
    ) -> RawAnswer | CallError:
        """The raw answer to a write, or why there is none; only RateBudgetExhausted is raised.

        It is raised too where the budget has no room within `start_within` seconds.
        """
        try:
            return await exchange(self._sender(priority, timeout, start_within), ask)
        except CallError as e:
            return e

    def _sender(self, priority: Priority, timeout: float, start_within: float | None = None) -> Sender:
        now = self._clock.monotonic()
        deadline = now + timeout
        start_by = deadline if start_within is None else min(deadline, now + start_within)

        async def send(request: HttpRequest) -> RawAnswer:
            await self._gate.enter(priority, timeout=start_by - self._clock.monotonic())
            answer = await self._transport.send(request, timeout=deadline - self._clock.monotonic())
            self._gate.observe(answer)
            return answer

        return send


def _parsed(raw: object, answer: RawAnswer, parse: Callable[[object, CallRecord], T]) -> T:
    try:
        return parse(raw, answer.record)
    except UnreadableAnswer as e:
        raise UnreadableAnswer(e.message, metadata=call_metadata(answer.record)) from e


def plain(parse: Callable[[object], T]) -> Callable[[object, CallRecord], T]:
    """A parser that does not care when its answer was asked for."""
    return lambda raw, _call: parse(raw)
