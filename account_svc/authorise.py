"""The guard at work: reads the cash, asks the rule, takes the hold (FR-002, I5, I6)."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Final

from account_svc.account_log import account_log
from account_svc.cash import CashReader, CashUnreadable
from account_svc.grant import Claim, Grant, Outdated, Refusal
from account_svc.guard import Decision, judge
from account_svc.hold import HeldCash
from account_svc.holds import Holds, Judge
from account_svc.order_costs import OrderCosts
from account_svc.order_terms import HoldId, OrderTerms
from account_svc.policy import GuardPolicy
from account_svc.ports import Account
from account_svc.settle import Fate
from account_svc.snapshot import Snapshot
from account_svc.verdict import (
    Authorisation,
    Verdict,
    granted,
    refused_by_rule,
    refused_not_tradable,
    refused_unknown,
    why_not_tradable,
)
from broker.rate_budget import Priority
from runtime.clock import Clock
from runtime.context import remaining_seconds

AUTHORISE_SECONDS: Final = 1.5
"""For one answer, whatever the caller's deadline (reliability.md, section 6)."""
COST_SECONDS: Final = 0.8
"""For prices: an order whose cost is not known can still leave, one whose cash is not known cannot."""
REREAD_SECONDS: Final = 0.3
"""What a second reading may take; with less time left there is no use in waiting for one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Asking:
    """One order on its way through the guard."""

    account: Account
    hold_id: HoldId
    terms: OrderTerms
    deadline: float

    @property
    def priority(self) -> Priority:
        return Priority.EXIT if self.terms.closes_position else Priority.OPEN


class OrderGuard:
    """Lets orders out or keeps them back; safe to call concurrently.

    Every method raises StoreUnreachable when the holds cannot be read or kept.
    """

    def __init__(
        self,
        *,
        policy: GuardPolicy,
        holds: Holds,
        readers: Mapping[str, CashReader],
        costs: OrderCosts,
        clock: Clock,
    ) -> None:
        self._policy = policy
        self._holds = holds
        self._readers = readers
        self._costs = costs
        self._clock = clock

    async def authorise(self, account: Account, hold_id: HoldId, terms: OrderTerms) -> Authorisation:
        """Whether the order may leave; if so, what it can cost is set aside.

        A repeat under the same hold_id gets the same answer while that is valid, and never a
        second hold. Raises HoldIdReused where the id belongs to an order with other content.
        """
        seconds = remaining_seconds(AUTHORISE_SECONDS, self._clock)
        asking = _Asking(
            account=account, hold_id=hold_id, terms=terms, deadline=self._clock.monotonic() + seconds
        )
        given = await self._holds.find_valid(account.account_id, hold_id, terms.fingerprint())
        answer = await self._decide(asking) if given is None else granted(account.standing, given)
        _log(asking, answer)
        return answer

    async def release(self, account: Account, hold_id: HoldId, *, reason: str) -> bool:
        """Ends the hold of an order that will never be sent; whether it is gone now.

        It stays where the broker has been seen to have such an order: then the order's end decides.
        """
        latest = self._readers[account.account_id].latest
        seen = None if latest is None else latest.sightings.get(hold_id)
        line = account_log(account.standing).bind(hold_id=hold_id, reason=reason)
        if seen is not None and seen.fate in {Fate.OPEN, Fate.ENDED_FILLED}:
            line.warning("Hold not released: the broker has its order")
            return False
        await self._holds.release(account.account_id, hold_id)
        line.info("Hold released")
        return True

    async def _decide(self, asking: _Asking) -> Authorisation:
        if not self._policy.judges(asking.terms):
            return await self._let_pass(asking)
        try:
            return await self._judge(asking)
        except CashUnreadable as error:
            minimum = self._policy.minimums.of(asking.account.account_id)
            return refused_unknown(asking.account.standing, error.message, minimum=minimum)

    async def _let_pass(self, asking: _Asking) -> Authorisation:
        standing = asking.account.standing
        if not standing.tradable:
            minimum = self._policy.minimums.of(standing.account_id)
            return refused_not_tradable(standing, standing.why_not or "", minimum=minimum)
        return granted(standing, await self._holds.record(await self._claim(asking)))

    async def _judge(self, asking: _Asking) -> Authorisation:
        reader = self._readers[asking.account.account_id]
        reader.prefetch(asking.priority)
        claim = await self._claim(asking)
        outdated: Snapshot | None = None
        not_before = 0.0
        while True:
            snapshot = await reader.fresh(
                deadline=asking.deadline,
                not_before=not_before,
                other_than=outdated,
                priority=asking.priority,
            )
            outcome = await self._settle_and_claim(asking, claim, snapshot)
            match outcome:
                case Outdated():
                    outdated = snapshot
                case Refusal(retry_at=float() as retry_at) if retry_at + REREAD_SECONDS < asking.deadline:
                    # Only cash that is held once more for orders already paid is in the way. How long the
                    # broker may take to show that is a length of time, there is no event to wait for.
                    await asyncio.sleep(retry_at - self._clock.monotonic())
                    not_before = retry_at
                case _:
                    return self._answer(asking, claim, snapshot, outcome)

    async def _settle_and_claim(
        self, asking: _Asking, claim: Claim, snapshot: Snapshot
    ) -> Grant | Refusal | Outdated | str:
        """What came of the claim; a text says why the account may not trade at all."""
        problem = why_not_tradable(asking.account.standing, snapshot.reading)
        if problem is not None:
            return problem
        return await self._holds.authorise(claim, snapshot, self._rule(claim, snapshot.cash))

    def _rule(self, claim: Claim, cash: Decimal) -> Judge:
        def rule(held: HeldCash) -> Decision:
            return judge(
                cash=cash,
                holds=held.total,
                minimum=claim.minimum,
                order_cost=claim.cost,
                mode=self._policy.mode,
                all_headroom_held=held.all_headroom_held,
            )

        return rule

    def _answer(
        self, asking: _Asking, claim: Claim, snapshot: Snapshot, outcome: Grant | Refusal | str
    ) -> Authorisation:
        standing = asking.account.standing
        minimum = self._policy.minimums.of(standing.account_id)
        match outcome:
            case Grant():
                return granted(standing, outcome)
            case Refusal():
                return refused_by_rule(standing, outcome, claim=claim, cash=snapshot.cash, minimum=minimum)
            case str():
                return refused_not_tradable(standing, outcome, minimum=minimum, cash=snapshot.cash)

    async def _claim(self, asking: _Asking) -> Claim:
        left = asking.deadline - self._clock.monotonic()
        cost = await self._costs.read(
            asking.terms,
            asking.account.client,
            seconds=max(min(COST_SECONDS, left), 0.0),
            priority=asking.priority,
        )
        return Claim(
            account_id=asking.account.account_id,
            hold_id=asking.hold_id,
            fingerprint=asking.terms.fingerprint(),
            symbol=asking.terms.symbol,
            cost=cost,
            minimum=self._policy.minimums.of(asking.account.account_id).amount,
        )


def _log(asking: _Asking, answer: Authorisation) -> None:
    """One line for every refusal (FR-002), loud for an exit: a stop-loss that cannot leave is a risk of its own."""
    what = f"{asking.terms.side.value.upper()} {asking.terms.symbol}"
    if answer.verdict is Verdict.ALLOWED or answer.reason is None:
        account_log(answer.standing).bind(hold_id=asking.hold_id).debug(f"Order authorised: {what}")
        return
    line = account_log(answer.standing).bind(
        hold_id=asking.hold_id,
        reason=answer.reason.value,
        cash="unknown" if answer.cash is None else f"{answer.cash:f}",
        holds="unknown" if answer.held_by_others is None else f"{answer.held_by_others:f}",
        minimum_balance=f"{answer.minimum:f}",
    )
    kind = "Exit denied" if asking.terms.closes_position else "Order denied"
    line.warning(f"{kind}: {what}: {answer.message}")
