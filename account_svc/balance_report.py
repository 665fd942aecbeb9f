"""Whether an account may trade now, with every figure behind the answer."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Final

from account_svc.cash import CashReader, CashUnreadable
from account_svc.guard import Allowed, GuardMode, judge
from account_svc.hold import HeldCash, Hold
from account_svc.holds import Holds
from account_svc.minimums import Minimum
from account_svc.policy import GuardPolicy
from account_svc.ports import Account
from account_svc.snapshot import Snapshot
from account_svc.verdict import Verdict, explain_denial, why_not_tradable
from broker.rate_budget import Priority
from broker.standing import Standing
from runtime.clock import Clock
from runtime.context import remaining_seconds

READ_SECONDS: Final = 2.0
"""For one answer (reliability.md, section 6)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BalanceReport:
    """The figures of one account's guard; amounts in USD."""

    standing: Standing
    verdict: Verdict
    reason: str
    """Why not, or what switches the guard off; empty when the rule allows."""
    cash: Decimal | None
    """`None` where it cannot be read."""
    read_at: datetime | None
    minimum: Minimum
    holds: Sequence[Hold]
    policy: GuardPolicy

    @property
    def held(self) -> HeldCash:
        """The sum of the holds."""
        return HeldCash.by(self.holds)

    @property
    def headroom(self) -> Decimal | None:
        """Cash less holds less minimum; negative when below, `None` where the cash is not known."""
        return None if self.cash is None else self.cash - self.held.total - self.minimum.amount


class BalanceReports:
    """Answers CheckBalance, and lets holds end that nobody else asks about."""

    def __init__(
        self, *, policy: GuardPolicy, holds: Holds, readers: Mapping[str, CashReader], clock: Clock
    ) -> None:
        self._policy = policy
        self._holds = holds
        self._readers = readers
        self._clock = clock

    async def read(self, account: Account) -> BalanceReport:
        """The account's figures now; takes no hold. Raises StoreUnreachable."""
        try:
            snapshot = await self.settle(account.account_id)
        except CashUnreadable as error:
            holds = await self._holds.list_open(account.account_id)
            return self._report(account.standing, None, holds, error.message)
        holds = await self._holds.list_open(account.account_id)
        problem = why_not_tradable(account.standing, snapshot.reading)
        return self._report(account.standing, snapshot, holds, problem)

    async def settle(self, account_id: str) -> Snapshot:
        """A fresh snapshot, after ending the holds that it ends; raises CashUnreadable, StoreUnreachable."""
        deadline = self._clock.monotonic() + remaining_seconds(READ_SECONDS, self._clock)
        reader = self._readers[account_id]
        snapshot = await reader.fresh(deadline=deadline, priority=Priority.READ)
        while not await self._holds.settle(snapshot):
            snapshot = await reader.fresh(deadline=deadline, other_than=snapshot, priority=Priority.READ)
        return snapshot

    def _report(
        self, standing: Standing, snapshot: Snapshot | None, holds: Sequence[Hold], problem: str | None
    ) -> BalanceReport:
        minimum = self._policy.minimums.of(standing.account_id)
        verdict, reason = self._verdict(standing, snapshot, HeldCash.by(holds), problem)
        return BalanceReport(
            standing=standing,
            verdict=verdict,
            reason=reason,
            cash=None if snapshot is None else snapshot.cash,
            read_at=None if snapshot is None else snapshot.reading.requested_at,
            minimum=minimum,
            holds=holds,
            policy=self._policy,
        )

    def _verdict(
        self, standing: Standing, snapshot: Snapshot | None, held: HeldCash, problem: str | None
    ) -> tuple[Verdict, str]:
        if not self._policy.enabled and standing.tradable:
            return Verdict.ALLOWED, "trading.balance_check_enabled is false"
        if problem is not None or snapshot is None:
            return Verdict.UNKNOWN, problem or ""
        minimum = self._policy.minimums.of(standing.account_id)
        decision = judge(
            cash=snapshot.cash,
            holds=held.total,
            minimum=minimum.amount,
            # What an order costs is not the question here, so both modes ask the same.
            order_cost=Decimal(0),
            mode=GuardMode.LITERAL,
            all_headroom_held=held.all_headroom_held,
        )
        if isinstance(decision, Allowed):
            return Verdict.ALLOWED, ""
        return Verdict.BELOW, explain_denial(standing, cash=snapshot.cash, held=held, minimum=minimum)
