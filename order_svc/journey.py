"""One order's way to the broker: checked, held, recorded, sent once, concluded (reliability.md, section 3)."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Final

from loguru import logger

from broker.rate_budget import Priority
from broker.rate_gate import RateBudgetExhausted
from broker.requests import OrderRequest
from order_svc.attempt_log import AttemptLog
from order_svc.ceilings import Ceilings
from order_svc.checkpoints import Checkpoint, OnCheckpoint
from order_svc.closing import close_from_order
from order_svc.conclusion import Conclusion, conclude
from order_svc.content import OrderContent
from order_svc.hold_releases import HoldReleases
from order_svc.identifiers import AccountId, ClientOrderId
from order_svc.journal import Journal
from order_svc.lifecycle import OrderEvent, OrderState
from order_svc.owned_tasks import OwnedTasks
from order_svc.permission import Situation, checks_after_guard, checks_before_guard, first_refusal
from order_svc.ports import Authorized, Guard, NotAuthorized, TradingAccount
from order_svc.receipt import Receipt
from order_svc.records import AttemptRecord, OrderRecord, Refusal, Step
from order_svc.refusals import (
    BalanceUnknown,
    RequestBudgetExhausted,
    SendDeadlinePassed,
)
from order_svc.reports import with_report
from order_svc.resolve import Resolver
from order_svc.switch import TradingSwitch
from runtime.clock import Clock
from runtime.errors import ServiceError

VALIDITY_MARGIN_SECONDS: Final = 0.05
"""An authorisation this close to its end is renewed: the first byte must leave while it holds."""
CLOSE_MARGIN_SECONDS: Final = 0.1
"""How long before the caller's answer an attempt is closed as unknown."""


@dataclass(frozen=True, slots=True, kw_only=True)
class JourneyTools:
    """What every journey uses."""

    journal: Journal
    guard: Guard
    holds: HoldReleases
    switch: TradingSwitch
    resolver: Resolver
    attempt_log: AttemptLog
    tasks: OwnedTasks
    clock: Clock
    send_timeout_seconds: float
    ceilings_of: Callable[[AccountId], Ceilings]
    on_bound: Callable[[AccountId], None]
    """Hears of accounts that have a new open order."""
    checkpoint: OnCheckpoint


class Journey:
    """Carries one NEW order on until its outcome is recorded and its line is written."""

    def __init__(
        self,
        tools: JourneyTools,
        *,
        account: TradingAccount,
        record: OrderRecord,
        attempt: AttemptRecord,
        receipt: Receipt,
        recent_orders: int,
    ) -> None:
        self._tools = tools
        self._account = account
        self._record = record
        self._attempt = attempt
        self._receipt = receipt
        self._recent_orders = recent_orders
        self._authorized: Authorized | None = None
        self._may_have_hold = False
        self.has_written_line = False
        """Whether the attempt has its line, in case this breaks off."""

    async def run(self) -> OrderRecord:
        """The order with its outcome, UNKNOWN where that is not known when the caller must be answered."""
        refusal = await self._seek_permission()
        if refusal is None:
            await self._record_sending()
            refusal = await self._renew_permission() or self._check_switch()
        if refusal is not None:
            return await self._deny(refusal)
        self._tools.checkpoint(Checkpoint.BEFORE_SEND)
        # Nothing may be awaited between the last look at the switch and this line.
        with self._tools.switch.leaving(self._record.key):
            conclusion = await self._send()
        if isinstance(conclusion, Refusal):
            return await self._deny(conclusion)
        self._tools.checkpoint(Checkpoint.AFTER_RESPONSE)
        try:
            return await self._settle(conclusion)
        except ServiceError as error:
            return self._leave_unrecorded(error)

    async def _seek_permission(self) -> Refusal | None:
        return first_refusal(checks_before_guard(self._situation())) or await self._authorize()

    def _situation(self) -> Situation:
        account_id = self._record.key.account_id
        return Situation(
            account_id=account_id,
            content=self._record.content,
            standing=self._account.standing,
            halts=self._tools.switch.halts,
            ceilings=self._tools.ceilings_of(account_id),
            recent_orders=self._recent_orders,
        )

    def _check_switch(self) -> Refusal | None:
        return self._tools.switch.check(self._record.key.account_id, self._record.content)

    async def _authorize(self) -> Refusal | None:
        """Asks the guard, and checks that it speaks of the account whose keys are used here."""
        self._may_have_hold = True
        # A release of an earlier attempt that arrives late would free the hold taken now.
        await self._tools.holds.settled(self._record.key)
        answer = await self._tools.guard.authorize(self._record.key, self._record.content)
        self._attempt = replace(self._attempt, authorized_at=self._tools.clock.now())
        if isinstance(answer, NotAuthorized):
            # Without an answer the hold may exist all the same.
            self._may_have_hold = answer.reason == BalanceUnknown.reason
            return _denial(answer)
        self._authorized = answer
        return first_refusal(checks_after_guard(self._situation(), answer)) or self._check_time()

    def _check_time(self) -> Refusal | None:
        late = self._tools.clock.monotonic() - self._receipt.answer_by
        if late < 0:
            return None
        return Refusal(
            reason=SendDeadlinePassed.reason,
            text=f"the order could not be sent in its caller's time, {late:.3f} s too late; nothing was sent",
        )

    async def _record_sending(self) -> None:
        """HELD and SENDING in one durable commit: between them nothing happens that a crash could lose."""
        now = self._tools.clock.now()
        self._attempt = replace(self._attempt, sent_at=now)
        steps = (
            Step(event=OrderEvent.HOLD_TAKEN, evidence="allowed by the balance guard"),
            Step(event=OrderEvent.SEND_STARTED, evidence="about to send"),
        )
        self._record = await self._tools.journal.advance(self._record.key, steps, now, attempt=self._attempt)

    async def _renew_permission(self) -> Refusal | None:
        """Asks again where the authorisation ran out before the first byte."""
        if self._is_authorized():
            return self._check_time()
        refusal = await self._authorize()
        if refusal is not None or self._is_authorized():
            return refusal
        return Refusal(
            reason=BalanceUnknown.reason, text="the authorisation ran out before the order could be sent"
        )

    def _is_authorized(self) -> bool:
        return self._sendable_seconds() > 0

    def _sendable_seconds(self) -> float:
        """How long the first byte may still take to leave."""
        end = 0.0 if self._authorized is None else self._authorized.valid_until
        return end - VALIDITY_MARGIN_SECONDS - self._tools.clock.monotonic()

    async def _send(self) -> Conclusion | Refusal:
        """The one POST; a Refusal means that our own request budget kept it in."""
        content = self._record.content
        started = self._tools.clock.monotonic()
        try:
            submission = await self._account.client.submit_order(
                order_request(self._record.key.client_order_id, content),
                timeout=self._tools.send_timeout_seconds,
                start_within=self._sendable_seconds(),
                priority=Priority.EXIT if content.closes_position else Priority.OPEN,
            )
        except RateBudgetExhausted as error:
            return Refusal(reason=RequestBudgetExhausted.reason, text=error.message, metadata=error.metadata)
        except Exception as error:  # noqa: BLE001 - whatever a bug raises here, the request may have left
            logger.exception(f"Sending {self._record.key.client_order_id} failed; it is looked up")
            return _lost(error, round((self._tools.clock.monotonic() - started) * 1000))
        return conclude(submission)

    async def _settle(self, conclusion: Conclusion) -> OrderRecord:
        answered_at = self._tools.clock.now() if conclusion.answered else None
        self._attempt = replace(self._attempt, answered_at=answered_at, broker_ms=conclusion.broker_ms)
        if conclusion.step.event is OrderEvent.ANSWER_LOST:
            return await self._chase(conclusion)
        refusal = conclusion.refusal
        await self._end(conclusion.step, refusal, conclusion)
        if refusal is None:
            self._tools.on_bound(self._record.key.account_id)
        else:
            self._tools.holds.release_later(self._record.key, refusal.reason)
        return self._record

    async def _deny(self, refusal: Refusal) -> OrderRecord:
        self._attempt = replace(self._attempt, sent_at=None)
        await self._end(Step(event=OrderEvent.DENIED_BY_US, evidence=refusal.text), refusal, None)
        if self._may_have_hold:
            self._tools.holds.release_later(self._record.key, refusal.reason)
        return self._record

    async def _end(self, step: Step, refusal: Refusal | None, conclusion: Conclusion | None) -> None:
        """Records the outcome and the attempt in one commit, then writes the line."""
        now = self._tools.clock.now()
        duration_ms = self._receipt.duration_ms(self._tools.clock)
        account_number, account_type = self._identity()
        self._attempt = replace(
            self._attempt,
            order_id=None if conclusion is None else conclusion.order_id,
            completed_at=now,
            duration_ms=duration_ms,
            error="" if refusal is None else refusal.reason.lower(),
            detail="" if refusal is None else refusal.text,
            account_number=account_number,
            account_type=account_type,
        )

        def revise(record: OrderRecord) -> OrderRecord:
            ended = replace(
                record,
                refusal=refusal,
                duration_ms=duration_ms,
                broker_ms=self._attempt.broker_ms,
                order_id=None if conclusion is None else conclusion.order_id,
                account_number=account_number,
                account_type=account_type,
            )
            order = None if conclusion is None else conclusion.order
            return ended if order is None else with_report(ended, order, now)

        self._record = await self._tools.journal.advance(
            self._record.key, [step], now, revise=revise, attempt=self._attempt
        )
        self._tools.checkpoint(Checkpoint.AFTER_RESULT_COMMIT)
        self._write_line(self._attempt)

    def _write_line(self, attempt: AttemptRecord) -> None:
        self.has_written_line = True
        self._tools.attempt_log.write(attempt)
        self._tools.checkpoint(Checkpoint.AFTER_LINE)

    async def _chase(self, conclusion: Conclusion) -> OrderRecord:
        """Records UNKNOWN, and waits for its resolution as long as the caller has time."""
        key, now = self._record.key, self._tools.clock.now()
        self._record = await self._tools.journal.advance(key, [conclusion.step], now, attempt=self._attempt)
        self._tools.checkpoint(Checkpoint.AFTER_RESULT_COMMIT)
        self._tools.resolver.watch(key, at_once=conclusion.look_up_at_once)
        await self._tools.resolver.wait(key, until=self._receipt.answer_by - CLOSE_MARGIN_SECONDS)
        closed = await self._tools.journal.close_attempt(self._attempt.attempt_id, self._close)
        if closed is not None:
            self._write_line(closed)
        return await self._tools.journal.find(key) or self._record

    def _close(self, attempt: AttemptRecord, order: OrderRecord | None) -> AttemptRecord:
        return close_from_order(
            replace(attempt, duration_ms=self._receipt.duration_ms(self._tools.clock)),
            order,
            at=self._tools.clock.now(),
        )

    def _identity(self) -> tuple[str, str]:
        """Number and type of the account, as our own reading or else the guard names them."""
        standing, authorized = self._account.standing, self._authorized
        number = standing.account_number or ("" if authorized is None else authorized.account_number)
        if standing.account_type is not None:
            return number, standing.account_type.value
        return number, "" if authorized is None else authorized.account_type

    def _leave_unrecorded(self, error: ServiceError) -> OrderRecord:
        """The order has left but its outcome cannot be stored: the caller must not send another."""
        key = self._record.key
        logger.error(f"Outcome of {key.client_order_id} in {key.account_id} not recorded: {error.message}")
        self._tools.resolver.watch(key)
        return replace(self._record, state=OrderState.UNKNOWN)


def order_request(client_order_id: ClientOrderId, content: OrderContent) -> OrderRequest:
    """The order as the broker is asked for it."""
    return OrderRequest(
        symbol=content.symbol,
        side=content.side,
        order_type=content.order_type,
        time_in_force=content.time_in_force,
        client_order_id=client_order_id,
        qty=content.qty,
        notional=content.notional,
        limit_price=content.limit_price,
        stop_price=content.stop_price,
        extended_hours=content.extended_hours,
        position_intent=content.position_intent,
    )


def _denial(answer: NotAuthorized) -> Refusal:
    return Refusal(reason=answer.reason, text=answer.text, metadata=answer.metadata)


def _lost(error: Exception, broker_ms: int) -> Conclusion:
    return Conclusion(
        step=Step(event=OrderEvent.ANSWER_LOST, evidence=f"sending failed: {type(error).__name__}"),
        broker_ms=broker_ms,
        answered=False,
    )
