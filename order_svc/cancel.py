"""Cancels an order, and says how it ended by reading it: an answer to a DELETE proves nothing (I3, I11)."""

import asyncio
from dataclasses import dataclass, replace
from typing import Final

from loguru import logger

from broker.outcomes import CancelOutcome
from broker.rate_budget import Priority
from broker.rate_gate import RateBudgetExhausted
from broker.reports import BrokerOrder
from order_svc.attempt_log import AttemptLog
from order_svc.cancel_verdict import Outcome, error_word, judge, refusal_error
from order_svc.content import is_same_order
from order_svc.finding import READ_TIMEOUT_SECONDS, Finder, Found
from order_svc.follow import Follower
from order_svc.identifiers import AccountId, ClientOrderId, OrderId, OrderKey
from order_svc.journal import Journal
from order_svc.lifecycle import OrderState, state_of
from order_svc.names import OrderName
from order_svc.owned_tasks import OwnedTasks
from order_svc.receipt import Receipt
from order_svc.records import AttemptRecord, OrderRecord
from order_svc.timing_line import AttemptKind
from order_svc.view import OrderView, make_view
from runtime.clock import Clock
from runtime.context import use_deadline
from runtime.errors import ServiceError

CANCEL_TIMEOUT_SECONDS: Final = 5.0
"""For a caller without a deadline (reliability.md, section 6)."""
FIRST_PAUSE_SECONDS: Final = 0.05
LONGEST_PAUSE_SECONDS: Final = 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class CancelWish:
    """Which order to cancel, and why."""

    name: OrderName
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Cancellation:
    """How far a cancellation has come, and the order as last read."""

    outcome: Outcome
    order: OrderView
    duration_ms: int
    error: ServiceError | None
    """Why the broker refused, for the outcome REFUSED."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CancelTools:
    """What every cancellation uses."""

    finder: Finder
    follower: Follower
    journal: Journal
    attempt_log: AttemptLog
    tasks: OwnedTasks
    clock: Clock


class Canceling:
    """The use case behind CancelOrder; no balance stands in its way, nor a recovery."""

    def __init__(self, tools: CancelTools) -> None:
        self._tools = tools

    async def cancel(self, wish: CancelWish, receipt: Receipt) -> Cancellation:
        """How far it has come when the order ends, or when the caller must be answered. Safe to repeat.

        A caller that goes away changes nothing. Raises OrderNotFound, AccountNotFound and what reads raise,
        and then nothing was sent.
        """
        found = await self._tools.finder.find(wish.name)
        attempt = _attempt(found, wish, receipt, self._tools.clock)
        await self._tools.journal.add_attempt(attempt)
        task = self._tools.tasks.spawn(
            _Cancel(self._tools, found, attempt, receipt).run(), name=f"cancel {wish.name}"
        )
        return await asyncio.shield(task)


class _Cancel:
    """One cancellation under way."""

    def __init__(self, tools: CancelTools, found: Found, attempt: AttemptRecord, receipt: Receipt) -> None:
        self._tools = tools
        self._account = found.account
        self._record = found.record
        self._report = found.report
        self._attempt = attempt
        self._receipt = receipt

    async def run(self) -> Cancellation:
        # The calls of a cancellation that has begun must not end with its caller's time.
        with use_deadline(None):
            answer: CancelOutcome | ServiceError | None = None
            order_id = await self._order_id()
            if order_id is not None and not self._state().is_final:
                answer = await self._ask(order_id)
                await self._read_until_final(order_id)
            return await self._close(answer)

    async def _order_id(self) -> OrderId | None:
        """The broker's id; an order whose answer was lost is looked up by its client_order_id."""
        record = self._record
        known = _bound_id(record, self._report)
        if known is not None or record is None or record.state.is_final:
            return known
        try:
            found = await self._account.client.find_order_by_client_order_id(
                record.key.client_order_id, timeout=READ_TIMEOUT_SECONDS, priority=Priority.CANCEL
            )
        except ServiceError as error:
            logger.debug(f"Lookup of {record.key.client_order_id} failed: {error.message}")
            return None
        return OrderId(found.order_id) if found is not None and is_same_order(record.content, found) else None

    async def _ask(self, order_id: OrderId) -> CancelOutcome | ServiceError:
        started = self._tools.clock.monotonic()
        try:
            answer = await self._account.client.cancel_order(
                order_id, timeout=self._left(CANCEL_TIMEOUT_SECONDS)
            )
        except RateBudgetExhausted as error:
            return error
        broker_ms = round((self._tools.clock.monotonic() - started) * 1000)
        self._attempt = replace(
            self._attempt, order_id=order_id, broker_ms=broker_ms, answered_at=self._tools.clock.now()
        )
        return answer

    async def _read_until_final(self, order_id: OrderId) -> None:
        pause = FIRST_PAUSE_SECONDS
        while not await self._read(order_id):
            left = self._receipt.answer_by - self._tools.clock.monotonic()
            if left <= pause:
                return
            await asyncio.sleep(pause)
            pause = min(pause * 2, LONGEST_PAUSE_SECONDS)

    async def _read(self, order_id: OrderId) -> bool:
        """Reads the order once; whether it has ended."""
        try:
            report = await self._tools.finder.read(self._account, order_id, priority=Priority.CANCEL)
        except ServiceError as error:
            logger.debug(f"Order {order_id} not read while it is cancelled: {error.message}")
            return False
        if report is None:
            return False
        self._report = report
        # A lost order is bound by the resolver, which also knows its attempt.
        if self._record is not None and self._record.order_id is not None:
            self._record = await self._tools.follower.record(
                self._record, report, "reading after a cancel request"
            )
        return report.is_final

    async def _close(self, answer: CancelOutcome | ServiceError | None) -> Cancellation:
        state = self._state()
        refused = answer if isinstance(answer, ServiceError) else None
        broker_answer = None if isinstance(answer, ServiceError) else answer
        outcome = Outcome.REFUSED if refused else judge(broker_answer, state, self._report)
        if outcome is Outcome.REFUSED and refused is None:
            refused = refusal_error(
                broker_answer, account_id=self._account.account_id, order=self._attempt.order_id or ""
            )
        closed = replace(
            self._attempt,
            completed_at=self._tools.clock.now(),
            duration_ms=self._receipt.duration_ms(self._tools.clock),
            error=error_word(outcome, state) if refused is None else refused.reason.lower(),
            detail="" if refused is None else refused.message,
        )
        await self._tools.journal.close_attempt(closed.attempt_id, lambda _attempt, _order: closed)
        self._tools.attempt_log.write(closed)
        return Cancellation(
            outcome=outcome,
            order=make_view(self._account, record=self._record, report=self._report),
            duration_ms=closed.duration_ms,
            error=refused,
        )

    def _state(self) -> OrderState:
        """Where the order stands: as read, else as journalled."""
        if self._report is not None:
            return state_of(self._report)
        return OrderState.UNKNOWN if self._record is None else self._record.state

    def _left(self, cap: float) -> float:
        return max(0.0, min(cap, self._receipt.answer_by - self._tools.clock.monotonic()))


def _bound_id(record: OrderRecord | None, report: BrokerOrder | None) -> OrderId | None:
    if record is not None:
        return record.order_id
    return None if report is None else OrderId(report.order_id)


def _attempt(found: Found, wish: CancelWish, receipt: Receipt, clock: Clock) -> AttemptRecord:
    record, report, standing = found.record, found.report, found.account.standing
    terms = record.content if record is not None else _report_of(report)
    return AttemptRecord(
        attempt_id=receipt.attempt_id,
        kind=AttemptKind.CANCEL,
        key=OrderKey(AccountId(found.account.account_id), _client_order_id(record, report)),
        order_id=_bound_id(record, report),
        side=terms.side,
        symbol=terms.symbol,
        qty=terms.qty,
        notional=terms.notional,
        account_number=standing.account_number or "",
        account_type=standing.account_type.value if standing.account_type else "",
        request_id=receipt.request_id,
        received_at=receipt.received_at,
        sent_at=clock.now(),
        reason=wish.reason,
    )


def _report_of(report: BrokerOrder | None) -> BrokerOrder:
    if report is None:
        raise ValueError("an order that was found has a record or a report")
    return report


def _client_order_id(record: OrderRecord | None, report: BrokerOrder | None) -> ClientOrderId:
    if record is not None:
        return record.key.client_order_id
    return ClientOrderId(_report_of(report).client_order_id)
