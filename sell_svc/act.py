"""Carries decisions out through order_svc, and tells what came of each."""

import asyncio
from collections.abc import Callable, Collection, Sequence
from dataclasses import replace
from decimal import Decimal
from typing import Final, NamedTuple, assert_never

from runtime.clock import Clock
from runtime.errors import ServiceError
from sell_svc.backoff import Backoff
from sell_svc.decisions import Decision, Verdict
from sell_svc.exit_chain import Attempt, ExitChains, next_attempt
from sell_svc.exit_key import exit_key
from sell_svc.ladder import BrokerRefusal, limit_price
from sell_svc.observation import AccountId, ClientOrderId, Market
from sell_svc.ports import (
    CancelReport,
    ExitOrder,
    ExitPhase,
    ExitReport,
    Orders,
    PlaceOutcome,
    Refused,
    Unanswered,
)
from sell_svc.tally import Tally
from sell_svc.verdict import Cancel, Hold, Rule, Sell, Undecided

MAX_CONCURRENT_EXITS: Final = 10
MAX_CONCURRENT_CANCELS: Final = 4
_REJECTED: Final = "REJECTED"
"""order_svc's word for an order that the broker refused."""


def not_acted(account_id: AccountId, judgement: Hold | Undecided, clock: Clock) -> Decision:
    """The record of a judgement that asks for no action."""
    return Decision(
        account_id=account_id,
        symbol=judgement.symbol,
        verdict=Verdict.HOLD if isinstance(judgement, Hold) else Verdict.UNDECIDED,
        rule=judgement.rule,
        reason=judgement.reason,
        decided_at=clock.now(),
        alerts=judgement.alerts if isinstance(judgement, Hold) else True,
        client_order_id=None if isinstance(judgement, Hold) else judgement.client_order_id,
        failed=judgement.rule in {Rule.EXIT_BACKOFF, Rule.EXIT_UNKNOWN},
    )


class _Failure(NamedTuple):
    """The last exit of a contract that sold nothing, and whether it never will."""

    client_order_id: ClientOrderId | None
    is_final: bool
    refusal: BrokerRefusal | None = None


class Seller:
    """Sells for one account; each exit has an id that everyone else would give it too (see exit_key)."""

    def __init__(
        self,
        account_id: AccountId,
        *,
        orders: Orders,
        tally: Tally,
        clock: Clock,
        may_act: Callable[[], bool],
    ) -> None:
        self._account_id = account_id
        self._orders = orders
        self._tally = tally
        self._clock = clock
        self._may_act = may_act
        self._chains = ExitChains(account_id, orders)
        self._backoff = Backoff(clock)
        self._slots = asyncio.Semaphore(MAX_CONCURRENT_EXITS)
        # Forgetting a failure costs a wait or a repeat that sends nothing, never a second sale.
        self._failures: dict[str, _Failure] = {}

    async def sell(
        self, wishes: Sequence[Sell], market: Market, *, positions: Collection[str]
    ) -> tuple[Decision, ...]:
        """Sells side by side and returns what came of each wish; begins nothing once told to stop.

        `positions` are the symbols held now: what is known of others is forgotten.
        """
        self._backoff.keep_only(positions)
        self._failures = {symbol: last for symbol, last in self._failures.items() if symbol in positions}
        made = await asyncio.gather(*(self._sell(one, market) for one in wishes))
        return tuple(one for one in made if one is not None)

    async def _sell(self, wish: Sell, market: Market) -> Decision | None:
        async with self._slots:
            step = await self._next_attempt(wish, market)
            if isinstance(step, Hold | Undecided):
                return not_acted(self._account_id, step, self._clock)
            # Asked last, right before sending: after a stop no new order leaves (I12).
            return await self._place(wish, market, step) if self._may_act() else None

    async def _next_attempt(self, wish: Sell, market: Market) -> Attempt | Hold | Undecided:
        if self._backoff.remaining_seconds(wish.symbol):
            return self._waiting(wish)
        try:
            newest = await self._chains.find_newest(wish.symbol, market.session_date)
        except ServiceError as error:
            reason = f"whether an exit is open is not known: {error.reason}: {error.message}"
            return Undecided(symbol=wish.symbol, rule=Rule.EXIT_UNKNOWN, reason=reason)
        if newest is not None:
            self._learn(wish.symbol, newest.report)
        if self._backoff.remaining_seconds(wish.symbol):
            return self._waiting(wish)
        failure = self._failures.get(wish.symbol)
        is_final = (
            newest is not None
            and failure is not None
            and failure.is_final
            and failure.client_order_id == newest.report.client_order_id
        )
        return next_attempt(wish.symbol, newest, market.now, is_final=is_final)

    def _learn(self, symbol: str, report: ExitReport) -> None:
        if report.phase is ExitPhase.OPEN:
            return
        if report.filled_qty > 0:
            self._backoff.succeeded(symbol)
            return
        known = self._failures.get(symbol)
        if known is None or known.client_order_id != report.client_order_id:
            self._failures[symbol] = _Failure(
                report.client_order_id, is_final=not report.is_refusal, refusal=_refusal(report, None)
            )
            self._backoff.failed(symbol, f"{report.state} {report.reason}".strip())

    def _waiting(self, wish: Sell) -> Hold:
        # No seconds in the reason: it would differ at every tick.
        reason = (
            f"{wish.rule} ({wish.reason}); the last exit sold nothing: {self._backoff.cause(wish.symbol)}"
        )
        return Hold(symbol=wish.symbol, rule=Rule.EXIT_BACKOFF, reason=reason)

    async def _place(self, wish: Sell, market: Market, attempt: Attempt) -> Decision:
        last = self._failures.get(wish.symbol)
        limit = limit_price(wish.limit_price, None if last is None else last.refusal)
        order = ExitOrder(
            account_id=self._account_id,
            client_order_id=exit_key(
                account_id=self._account_id,
                symbol=wish.symbol,
                session=market.session_date,
                generation=attempt.generation,
            ),
            symbol=wish.symbol,
            qty=wish.qty,
            limit_price=limit,
        )
        decision = Decision(
            account_id=self._account_id,
            symbol=wish.symbol,
            verdict=Verdict.SELL,
            rule=wish.rule,
            reason=wish.reason if limit is None else f"{wish.reason}; nobody bids, limit {limit:f}",
            decided_at=self._clock.now(),
            qty=wish.qty,
            client_order_id=order.client_order_id,
        )
        return self._account_for(decision, await self._orders.place_exit(order), limit)

    def _account_for(self, decision: Decision, outcome: PlaceOutcome, limit: Decimal | None) -> Decision:
        match outcome:
            case ExitReport():
                return self._reported(decision, outcome, limit)
            case Refused():
                return self._refused(decision, outcome, limit)
            case Unanswered():
                self._tally.failed += 1
                return self._failed(decision, f"failed: {outcome.reason}: {outcome.message}", is_final=False)
        assert_never(outcome)

    def _reported(self, decision: Decision, report: ExitReport, limit: Decimal | None) -> Decision:
        decision = replace(decision, order_id=report.order_id)
        if report.phase is ExitPhase.ENDED and report.filled_qty == 0:
            self._tally.failed += 1
            outcome = f"{report.state.lower()}: {report.reason}"
            return self._failed(decision, outcome, is_final=True, refusal=_refusal(report, limit))
        if not report.accepted:
            return replace(decision, outcome=f"{report.state.lower()}: being resolved", alerts=True)
        self._tally.sold += 1
        self._tally.last_activity_at = self._clock.now()
        return replace(decision, outcome="accepted")

    def _refused(self, decision: Decision, refusal: Refused, limit: Decimal | None) -> Decision:
        if refusal.by_guard:
            self._tally.exits_blocked += 1
        else:
            self._tally.failed += 1
        kind = "denied" if refusal.by_us else "rejected"
        by_broker = None if refusal.by_us else BrokerRefusal(message=refusal.message, limit_price=limit)
        outcome = f"{kind}: {refusal.reason}: {refusal.message}"
        return self._failed(decision, outcome, is_final=True, refusal=by_broker)

    def _failed(
        self, decision: Decision, outcome: str, *, is_final: bool, refusal: BrokerRefusal | None = None
    ) -> Decision:
        # Up to the first figure: figures differ each time, and one cause is told once.
        cause = ": ".join(outcome.split(": ")[:2])
        self._failures[decision.symbol] = _Failure(
            decision.client_order_id, is_final=is_final, refusal=refusal
        )
        is_new = self._backoff.failed(decision.symbol, cause)
        return replace(decision, outcome=outcome, alerts=is_new, failed=True)


def _refusal(report: ExitReport, limit: Decimal | None) -> BrokerRefusal | None:
    if report.state != _REJECTED:
        return None
    return BrokerRefusal(message=report.reason, limit_price=limit)


class Canceller:
    """Cancels stale orders of one account; a repeat is harmless, the next tick reads what came of it (I11)."""

    def __init__(
        self,
        account_id: AccountId,
        *,
        orders: Orders,
        tally: Tally,
        clock: Clock,
        may_act: Callable[[], bool],
    ) -> None:
        self._account_id = account_id
        self._orders = orders
        self._tally = tally
        self._clock = clock
        self._may_act = may_act
        self._backoff = Backoff(clock, longest_seconds=60.0)
        self._slots = asyncio.Semaphore(MAX_CONCURRENT_CANCELS)

    async def cancel(self, wishes: Sequence[Cancel]) -> tuple[Decision, ...]:
        """Cancels in the order given, a few side by side; leaves out what failed just now."""
        self._backoff.keep_only([one.order.client_order_id for one in wishes])
        made = await asyncio.gather(*(self._cancel(one) for one in wishes))
        return tuple(one for one in made if one is not None)

    async def _cancel(self, wish: Cancel) -> Decision | None:
        async with self._slots:
            if not self._may_act() or self._backoff.remaining_seconds(wish.order.client_order_id):
                return None
            decision = Decision(
                account_id=self._account_id,
                symbol=wish.symbol,
                verdict=Verdict.CANCEL,
                rule=wish.rule,
                reason=wish.reason,
                decided_at=self._clock.now(),
                client_order_id=wish.order.client_order_id,
                order_id=wish.order.order_id,
            )
            try:
                report = await self._orders.cancel(self._account_id, wish.order, wish.reason)
            except ServiceError as error:
                return self._failed(decision, error)
            self._backoff.succeeded(wish.order.client_order_id)
            return self._done(decision, report)

    def _done(self, decision: Decision, report: CancelReport) -> Decision:
        if report.taken:
            self._tally.cancelled += 1
            self._tally.last_activity_at = self._clock.now()
        return replace(decision, outcome=report.outcome)

    def _failed(self, decision: Decision, error: ServiceError) -> Decision:
        self._tally.failed += 1
        is_new = self._backoff.failed(decision.client_order_id or "", error.reason)
        outcome = f"failed: {error.reason}: {error.message}"
        return replace(decision, outcome=outcome, alerts=is_new, failed=True)
